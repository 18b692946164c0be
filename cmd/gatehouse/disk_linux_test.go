package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestAFullDiskLosesNothingAndServingResumes gives the program a limit to the size of its files, as
// a full disk would, and takes it away again.
func TestAFullDiskLosesNothingAndServingResumes(t *testing.T) {
	t.Parallel()
	path, dir := build(t), t.TempDir()
	cmd, d := startProgram(
		t, path, "--data", dir, "--center", webtest.FreeAddress(t), "--tenant", webtest.FreeAddress(t),
	)
	limit := func(bytes uint64) {
		t.Helper()
		l := unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}
		if err := unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_FSIZE, &l, nil); err != nil {
			t.Fatal(err)
		}
	}
	post := func(name string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.Center.SCIMEndpoint+"Users",
			strings.NewReader(`{"userName":"`+name+`","displayName":"X","name":{"givenName":"G","familyName":"F"}}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+d.Center.SCIMToken)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(body)
	}
	var acknowledged []string
	info, err := exec.Command("du", "-sb", dir).Output() // #nosec G204 -- the test's own folder
	if err != nil {
		t.Fatal(err)
	}
	var size uint64
	if _, err := fmt.Sscan(string(bytes.Fields(info)[0]), &size); err != nil {
		t.Fatal(err)
	}
	limit(size + 200<<10)
	for i := 0; ; i++ {
		name := fmt.Sprintf("user%d@example.com", i)
		res, body := post(name)
		if res.StatusCode == http.StatusCreated {
			acknowledged = append(acknowledged, name)
			continue
		}
		if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" ||
			!strings.Contains(body, `"status":"503"`) {
			t.Fatalf("on a full disk: %d %v %s", res.StatusCode, res.Header, body)
		}
		break
	}
	limit(1) // not a byte more, also where files have room already
	cli := newAWS(t, d)
	cli.Env = append(cli.Env, "AWS_MAX_ATTEMPTS=1")
	cli.Fails(
		"InternalServerException", "identitystore", "create-group", "--identity-store-id", d.Center.IdentityStoreID,
		"--display-name", "x",
	)
	cli.Run(nil, "identitystore", "list-groups", "--identity-store-id", d.Center.IdentityStoreID) // reading goes on
	limit(unix.RLIM_INFINITY)
	deadline := time.Now().Add(30 * time.Second)
	for {
		res, body := post("afterwards@example.com")
		if res.StatusCode == http.StatusCreated {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("serving does not resume: %d %s", res.StatusCode, body)
		}
	}
	target := &scim.Client{BaseURL: d.Center.SCIMEndpoint, Token: d.Center.SCIMToken}
	for _, name := range append(acknowledged, "afterwards@example.com") {
		if found, err := target.Find(context.Background(), "/Users", "userName", name); err != nil || len(found) != 1 {
			t.Errorf("%s was acknowledged and is gone: %v", name, err)
		}
	}
	t.Logf("%d were acknowledged before the disk was full", len(acknowledged))
}
