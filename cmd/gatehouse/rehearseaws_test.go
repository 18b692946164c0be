package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/rehearse"
	"github.com/gatehouse-id/gatehouse/internal/awsstandin"
)

// TestAnOrganizationAtAWSIsRehearsed copies an organization of 5,000 people behind AWS's names and
// limits, and a tenant. The copy holds together, and lacks nothing that the original has. The
// copy's console and the original are compared by the same reader that import has.
func TestAnOrganizationAtAWSIsRehearsed(t *testing.T) {
	t.Parallel()
	people := 5000
	if testing.Short() {
		people = 300
	}
	a := awsstandin.StartWith(t, people, 20)
	a.Populate(people, 40)
	program := build(t)
	home, _ := awsstandin.Folder(t)
	folder := t.TempDir()
	ask := func(want int, args ...string) string {
		t.Helper()
		cmd := exec.Command(program, args...) // #nosec G204 -- our own program
		cmd.Env = append(
			a.Env, "HOME="+home, "AWS_ACCESS_KEY_ID="+a.AWS.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY="+a.AWS.SecretAccessKey, "GATEHOUSE_CLIENT_SECRET="+a.Tenant.ClientSecret,
			"AWS_EC2_METADATA_DISABLED=true", "PATH="+os.Getenv("PATH"),
		)
		var errOut strings.Builder
		cmd.Stderr = &errOut
		out, err := cmd.Output()
		var ended *exec.ExitError
		if code := cmd.ProcessState.ExitCode(); code != want || (err != nil && !errors.As(err, &ended)) {
			t.Fatalf("%v: %d %v\n%s%s", args, code, err, out, errOut.String())
		}
		return string(out)
	}
	from := "aws@" + awsstandin.Region
	text := ask(
		exitDone, "rehearse", "--from", from, "--graph-url", a.Tenant.GraphURL, "--login-url",
		a.Tenant.URL+"/"+a.Tenant.TenantID, "--client-id", a.Tenant.ClientID, "--data", folder, "--no-serve", "--json",
		"--center", "127.0.0.1:0", "--tenant", "127.0.0.1:0",
	)
	var out rehearse.Output
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	if out.Entra["users"] != people || out.AWS.Counts["users"] != people || out.AWS.Counts["memberships"] != people ||
		out.AWS.Counts["assignments"] != 40 || len(out.AWS.Unread)+len(out.EntraUnread) > 0 {
		t.Errorf("%+v", out)
	}
	ask(exitDone, "check", "--data", folder)
	text = ask(exitDone, "import", "--from", from, "--data", folder, "--dry-run", "--json")
	var compared rehearse.Imported
	if err := json.Unmarshal([]byte(text), &compared); err != nil {
		t.Fatal(err)
	}
	for _, d := range compared.Plan {
		if n, known := out.AWS.Counts[d.Kind]; d.New+d.Kept+d.Taken > 0 || (known && d.Same != n) {
			t.Errorf("the copy has %d: %+v", n, *d)
		}
	}
	for _, operation := range a.Asked() { // with its service
		if !readsOnly(operation) {
			t.Errorf("AWS was asked to %s", operation)
		}
	}
}

func readsOnly(operation string) bool {
	_, name, _ := strings.Cut(operation, " ")
	for _, verb := range []string{"List", "Describe", "Get"} {
		if strings.HasPrefix(name, verb) {
			return true
		}
	}
	return name == "" // STS, which says who asks
}
