package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestAnOrganizationIsReadAndAssignedIn runs the program against an organization, which is moto's,
// and has a rule assign in it. not parallel: the settings of the AWS SDK are in the environment
func TestAnOrganizationIsReadAndAssignedIn(t *testing.T) {
	moto := centertest.Moto(t)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL":      moto,
		"AWS_ACCESS_KEY_ID":     "AKIAMANAGEMENT",
		"AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_CONFIG_FILE":       t.TempDir() + "/none",
	} {
		t.Setenv(name, value)
	}
	there := newAWS(t, demoOutput{AWS: company.AWS{
		EndpointURL:     moto,
		AccessKeyID:     "AKIAMANAGEMENT",
		SecretAccessKey: "secret",
		Region:          "us-east-1",
	}})
	var roots struct{ Roots []struct{ ID string } }
	var unit struct{ OrganizationalUnit struct{ ID string } }
	var made struct{ CreateAccountStatus struct{ AccountID string } }
	there.Run(nil, "organizations", "create-organization")
	there.Run(&roots, "organizations", "list-roots")
	there.Run(&unit, "organizations", "create-organizational-unit", "--parent-id", roots.Roots[0].ID, "--name", "Prod")
	there.Run(&made, "organizations", "create-account", "--account-name", "payments", "--email", "payments@example.com")
	inUnit := func() {
		t.Helper()
		there.Run(
			nil, "organizations", "move-account", "--account-id", made.CreateAccountStatus.AccountID,
			"--source-parent-id", roots.Roots[0].ID, "--destination-parent-id", unit.OrganizationalUnit.ID,
		)
	}
	inUnit()

	at := webtest.FreeAddress(t)
	c := startCommand(
		t, "serve", "--data", t.TempDir(), "--listen", at, "--organizations", "--organizations-every", "24h",
	)
	d := demoOutput{
		AWS: company.AWS{
			EndpointURL:     "http://" + at,
			AccessKeyID:     c.shown(t, `AWS_ACCESS_KEY_ID=(\S+)`),
			SecretAccessKey: c.shown(t, `AWS_SECRET_ACCESS_KEY=(\S+)`),
			Region:          "us-east-1",
		},
	}
	env := map[string]string{"AWS_ACCESS_KEY_ID": d.AWS.AccessKeyID, "AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey}
	gatehouse := administers(t, env, "http://"+at)
	sync := func(args ...string) string { // the first reading begins by itself, and may be under way
		for {
			code, out, errOut := call(
				t,
				"",
				env,
				append([]string{"accounts", "sync", "--center-url", "http://" + at}, args...)...)
			if code == exitDone {
				return out
			}
			if !strings.Contains(errOut, "already being read") {
				t.Fatalf("sync: exit %d: %s", code, errOut)
			}
		}
	}
	sync()
	if out := gatehouse("accounts", "list"); !strings.Contains(out, "Root/Prod") ||
		!strings.Contains(out, "payments@example.com") {
		t.Fatalf("the accounts are %s", out)
	}
	there.Run(&made, "organizations", "create-account", "--account-name", "billing", "--email", "billing@example.com")
	inUnit()
	if out := sync("--dry-run"); !strings.Contains(out, "add") ||
		strings.Contains(gatehouse("accounts", "list"), "billing") {
		t.Errorf("a dry run says %s", out)
	}

	aws := newAWS(t, d)
	var instances struct {
		Instances []struct{ InstanceArn, IdentityStoreID string }
	}
	var user struct{ UserID string }
	var set struct {
		PermissionSet struct{ PermissionSetArn string }
	}
	aws.Run(&instances, "sso-admin", "list-instances")
	instance := instances.Instances[0]
	aws.Run(
		&user, "identitystore", "create-user", "--identity-store-id", instance.IdentityStoreID, "--user-name", "ada",
		"--display-name", "Ada", "--name", "GivenName=Ada,FamilyName=L",
	)
	aws.Run(&set, "sso-admin", "create-permission-set", "--instance-arn", instance.InstanceArn, "--name", "Audit")
	create := []string{
		"rules", "create", "--unit", unit.OrganizationalUnit.ID, "--permission-set",
		set.PermissionSet.PermissionSetArn, "--user", user.UserID,
	}
	if out := gatehouse(append(create, "--dry-run")...); strings.Count(out, "payments") != 2 ||
		strings.Contains(out, "master") {
		t.Errorf("a rule would assign in %s", out)
	}
	var rules []adminapi.Rule
	if err := json.Unmarshal([]byte(gatehouse(append(create, "--json")...)), &rules); err != nil || len(rules) != 1 {
		t.Fatalf("made %v, %v", rules, err)
	}
	assigned := func() int {
		t.Helper()
		var list struct{ AccountIDs []string }
		aws.Run(
			&list, "sso-admin", "list-accounts-for-provisioned-permission-set", "--instance-arn",
			instance.InstanceArn, "--permission-set-arn", set.PermissionSet.PermissionSetArn,
		)
		return len(list.AccountIDs)
	}
	if n := assigned(); n != 1 {
		t.Errorf("assigned in %d accounts, want 1", n)
	}
	sync()
	for deadline := time.Now().Add(time.Minute); assigned() != 2; { // the rule reaches the account that came
		if time.Now().After(deadline) {
			t.Fatal("the rule does not reach the new account")
		}
	}
	gatehouse("rules", "delete", rules[0].RuleID)
	if n := assigned(); n != 0 {
		t.Errorf("without the rule assigned in %d accounts", n)
	}
	for _, bad := range [][]string{
		{"rules", "create"}, {"rules", "create", "--unit", "x"}, {"rules", "create", "--unit", "x", "--user", "y"},
	} {
		if code, _, _ := call(t, "", env, bad...); code != exitFailed {
			t.Errorf("%v: exit %d", bad, code)
		}
	}
}
