package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// TestALostPostgreSQLIsNoFirstStart takes the database from a half, as a disaster does: each start
// then is refused, until a backup is restored. Nodes with folders of their own join what is there,
// and a database of another center or tenant is not taken for the own one.
func TestALostPostgreSQLIsNoFirstStart(t *testing.T) {
	t.Parallel()
	for half, id := range map[string]string{"serve": datafolder.CenterID, "tenant": datafolder.TenantID} {
		t.Run(half, func(t *testing.T) {
			t.Parallel()
			var command []string // before backup and restore
			if half == "tenant" {
				command = []string{half}
			}
			first, another := sqldbtest.Postgres(t), sqldbtest.Postgres(t)
			folder, safe := t.TempDir(), t.TempDir()
			serve := func(folder, dsn string) []string {
				return []string{half, "--listen", "127.0.0.1:0", "--data", folder, "--database", dsn}
			}
			start := func(env func(string) (string, bool), folder, dsn string) {
				t.Helper()
				_, stop := startIn(t, env, serve(folder, dsn)...)
				stop()
			}
			good := func(dsn string, args ...string) string {
				t.Helper()
				args = append(append([]string{}, command...), append(args, "--data", folder, "--database", dsn)...)
				code, out, errOut := call(t, "", nil, args...)
				if code != exitDone {
					t.Fatalf("%v: %d %s %s", args, code, out, errOut)
				}
				return out
			}
			says := func(said string, parts ...string) {
				t.Helper()
				for _, part := range append(parts, "Nothing was started", "restore FILE --data "+folder) {
					if !strings.Contains(said, part) {
						t.Errorf("%q is not in %s", part, said)
					}
				}
			}
			start(noEnv, folder, first)
			backup := filepath.Join(safe, "backup")
			good(first, "backup", backup)
			key, err := os.ReadFile(filepath.Join(folder, datafolder.MasterKey)) // #nosec G304 -- the test's own
			if err != nil {
				t.Fatal(err)
			}
			withKey := func(name string) (string, bool) { return string(key), name == "GATEHOUSE_MASTER_KEY" }

			// An upgrade from a release that wrote no such file, and another node.
			own := filepath.Join(folder, id)
			if err := os.Remove(own); err != nil {
				t.Fatal(err)
			}
			start(noEnv, folder, first)
			if _, err := os.Stat(own); err != nil {
				t.Error(err)
			}
			node := t.TempDir()
			start(withKey, node, first)

			lost := sqldbtest.Postgres(t)
			for range 2 { // as systemd starts it again
				says(refused(t, noEnv, serve(folder, lost)...), "the database is empty", id)
			}
			if said := refused(t, withKey, serve(node, lost)...); !strings.Contains(said, id) {
				t.Errorf("another node: %s", said)
			}
			if err := os.Remove(own); err != nil {
				t.Fatal(err)
			}
			says(refused(t, noEnv, serve(folder, lost)...), "the database is empty", datafolder.MasterKey)
			good(lost, "restore", backup)
			start(noEnv, folder, lost)
			start(withKey, node, lost)

			start(withKey, t.TempDir(), another)
			says(refused(t, noEnv, serve(folder, another)...), "the data of another", own)
			before := good(another, "restore", backup, "--force")
			start(noEnv, folder, another)
			_, kept, found := strings.Cut(before, "kept as ")
			if !found {
				t.Fatalf("what was there is not kept: %s", before)
			}
			good(another, "restore", strings.TrimSpace(kept), "--force") // of the other one, on purpose
			start(noEnv, folder, another)
		})
	}
}

// TestNoHalfTakesTheOthersDatabase names each half the database of the other: by mistake it would
// be migrated for both, and its own half could not start any more.
func TestNoHalfTakesTheOthersDatabase(t *testing.T) {
	t.Parallel()
	commands := map[string][]string{"serve": nil, "tenant": {"tenant"}}
	other := map[string]string{"serve": "tenant", "tenant": "serve"}
	folders := map[string]string{"serve": t.TempDir(), "tenant": t.TempDir()}
	databases := map[string]string{"serve": sqldbtest.Postgres(t), "tenant": sqldbtest.Postgres(t)}
	backups := map[string]string{}
	serve := func(half, folder, dsn string) []string {
		return []string{half, "--listen", "127.0.0.1:0", "--data", folder, "--database", dsn}
	}
	for half, command := range commands {
		_, stop := startIn(t, noEnv, serve(half, folders[half], databases[half])...)
		stop()
		backups[half] = filepath.Join(t.TempDir(), "backup")
		args := append(command, "backup", backups[half], "--data", folders[half], "--database", databases[half])
		if code, out, errOut := call(t, "", nil, args...); code != exitDone {
			t.Fatalf("%s: %d %s %s", half, code, out, errOut)
		}
	}
	for half, command := range commands {
		theirs := databases[other[half]]
		for _, folder := range []string{folders[half], t.TempDir()} {
			said := refused(t, noEnv, serve(half, folder, theirs)...)
			if !strings.Contains(said, "the data of something else") {
				t.Errorf("%s in the other's database: %s", half, said)
			}
		}
		for name, more := range map[string][]string{
			"restore": {backups[half], "--force"}, "backup": {filepath.Join(t.TempDir(), "x")}, "check": nil,
		} {
			args := slices.Concat(command, []string{name, "--data", folders[half], "--database", theirs}, more)
			code, out, errOut := call(t, "", nil, args...)
			if code == exitDone || !strings.Contains(errOut, "something else") {
				t.Errorf("%s %s with the other's database: %d %s %s", half, name, code, out, errOut)
			}
		}
	}
	for half := range commands {
		_, stop := startIn(t, noEnv, serve(half, folders[half], databases[half])...)
		stop()
	}
}

// TestOfNodesThatStartAtOnceOneBegins: whoever reads the file of a first start finds secrets that
// hold, and no other node has made keys that nobody knows of.
func TestOfNodesThatStartAtOnceOneBegins(t *testing.T) {
	t.Parallel()
	for _, half := range []string{"serve", "tenant"} {
		t.Run(half, func(t *testing.T) {
			t.Parallel()
			const key = "b3RoZXIga2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMhISE="
			env := func(name string) (string, bool) { return key, name == "GATEHOUSE_MASTER_KEY" }
			server := sqldbtest.NewServer(t)
			var nodes sync.WaitGroup
			folders := make([]string, 4)
			for i := range folders {
				folders[i] = t.TempDir()
				nodes.Go(func() {
					_, stop := startIn(
						t, env, half, "--listen", "127.0.0.1:0", "--data", folders[i], "--database", server.URL(),
					)
					stop()
				})
			}
			nodes.Wait()
			var files []string
			for _, folder := range folders {
				text, err := os.ReadFile(filepath.Join(folder, control.FirstStartFile)) // #nosec G304 -- the test's own
				if err == nil {
					files = append(files, string(text))
				}
			}
			if len(files) != 1 {
				t.Fatalf("%d nodes say that they have begun", len(files))
			}
			kind := map[string]string{"serve": "access-key", "tenant": "client"}[half]
			id := server.Read(t, `SELECT id FROM documents WHERE kind = '`+kind+`'`)
			made := server.Read(t, `SELECT count(*)::text FROM documents WHERE kind = '`+kind+`'`)
			if made != "1" || !strings.Contains(files[0], id) {
				t.Errorf("%s of the kind %s were made, such as %s: %s", made, kind, id, files[0])
			}
		})
	}
}
