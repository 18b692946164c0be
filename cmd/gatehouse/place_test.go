package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/datafolder"
)

// TestNothingBeginsAnewWhereDataWas takes the database away and leaves something. Each command that
// would make a new one is refused, says what to do, and leaves everything as it is.
func TestNothingBeginsAnewWhereDataWas(t *testing.T) {
	t.Parallel()
	env := map[string]string{}
	noEnv := func(string) (string, bool) { return "", false }
	for _, c := range []struct {
		name, file string
		leave      []string
	}{
		{"the key of a center", datafolder.Center, []string{datafolder.MasterKey}},
		{"the key and an empty file", datafolder.Center, []string{datafolder.MasterKey, datafolder.Center}},
		{"the log of a center", datafolder.Center, []string{datafolder.Center + "-wal"}},
		{"the journal of a center", datafolder.Center, []string{datafolder.Center + "-journal"}},
		{"what a restore kept", datafolder.Center, []string{datafolder.Center + ".before-20261128T180830Z"}},
		{"the copy of a restore", datafolder.Center, []string{datafolder.Center + ".new"}},
		{"the lock of a center", datafolder.Center, []string{datafolder.Center + ".lock", datafolder.Tenant}},
		{"the key of a tenant", datafolder.Tenant, []string{datafolder.MasterKey}},
		{"the log of a tenant", datafolder.Tenant, []string{datafolder.Tenant + "-wal"}},
	} {
		data := t.TempDir()
		for _, name := range c.leave {
			content := []byte("x")
			if name == c.file {
				content = nil
			}
			if err := os.WriteFile(filepath.Join(data, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		commands := [][]string{{"serve", "--listen", "127.0.0.1:0"}, {"import", filepath.Join(data, c.leave[0])}}
		if c.file == datafolder.Tenant { // the commands of that half
			commands = [][]string{{"tenant", "--listen", "127.0.0.1:0"}}
		}
		for _, args := range commands {
			code, _, errOut := call(t, "", env, append(args, "--data", data)...)
			if code != exitFailed || !strings.Contains(errOut, c.leave[0]) ||
				!strings.Contains(errOut, datafolder.RestoreWith[c.file]) {
				t.Errorf("%s: %s: %d %s", c.name, args[0], code, errOut)
			}
		}
		entries, err := os.ReadDir(data)
		if err != nil || len(entries) != len(c.leave) {
			t.Errorf("%s: the folder has %v now, %v", c.name, entries, err)
		}
	}
	// A first start that died before it had a key is no loss, and the halves may share a folder.
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, datafolder.Center), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h := &half{data: data}
	c, err := openCenter(context.Background(), h, noEnv, center.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tn, err := openTenant(context.Background(), &half{data: data}, noEnv, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Close(), tn.Close()); err != nil {
		t.Fatal(err)
	}
}
