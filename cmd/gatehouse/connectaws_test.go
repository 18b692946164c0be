package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
)

// TestConnectPlansForAWS reads a center as if it were AWS's, by the environment that every AWS tool
// knows: plan, saved plan, and what happens to it when the world has moved.
func TestConnectPlansForAWS(t *testing.T) { // not parallel: the AWS SDK reads the process's environment
	d, _ := startDemo(t, "--no-connect")
	state := t.TempDir()
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": d.AWS.EndpointURL, "AWS_ACCESS_KEY_ID": d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey, "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	env, args := connectArgs(d, "--group", "Engineering", "--center", "aws@"+d.AWS.Region, "--state", state)
	code, out, errOut := call(t, "", env, append(args, "--dry-run")...)
	if code != exitChanges || !strings.Contains(out, "will be created") ||
		!strings.Contains(out, d.Center.IdentityStoreID) || !strings.Contains(out, "AWS does not tell") {
		t.Errorf("dry run: %d %s %s", code, out, errOut)
	}
	file := filepath.Join(state, "plan.json")
	if code, _, errOut = call(t, "", env, append(args, "--out", file)...); code != exitChanges {
		t.Fatalf("--out: %d %s", code, errOut)
	}
	var saved connect.Saved
	if err := connect.ReadFile(file, &saved); err != nil || saved.People.Counts[connect.Created] == 0 {
		t.Errorf("the plan has %+v, %v", saved, err)
	}
	data, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(data), d.AWS.SecretAccessKey) ||
		strings.Contains(string(data), d.Tenant.ClientSecret) {
		t.Error("the saved plan has a secret", err)
	}
	saved.Steps[0].Detail = "another"
	if err := connect.WriteFile(file, saved); err != nil {
		t.Fatal(err)
	}
	code, _, errOut = call(t, "", env, append(args, "--apply", file, "--accept")...)
	if code != exitFailed || !strings.Contains(errOut, "world has moved") {
		t.Errorf("--apply of another plan: %d %s", code, errOut)
	}
	code, _, errOut = call(t, "", env, append(args[:len(args)-4], "--center", "aws@eu-west-3x")...)
	if code != exitFailed || !strings.Contains(errOut, "no AWS Region") {
		t.Errorf("a Region that is none: %d %s", code, errOut)
	}
}

func TestConnectPrintsWhatItNeeds(t *testing.T) {
	t.Parallel()
	code, out, _ := call(t, "", nil, "connect", "permissions")
	for _, want := range []string{"sso:ListInstances", `"Version": "2012-10-17"`, "AuditLog.Read.All"} {
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("%d, want %q in %s", code, want, out)
		}
	}
	code, out, _ = call(t, "", nil, "connect", "permissions", "--json")
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(out), &all); code != exitDone || err != nil || all["iam_policy"] == nil {
		t.Errorf("%d %v %s", code, err, out)
	}
}
