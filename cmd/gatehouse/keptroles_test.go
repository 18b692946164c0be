package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestRolesAreKeptAtAWS runs the program with roles kept in IAM, which is moto's, and asks for
// everything with the real aws CLI.
func TestRolesAreKeptAtAWS(t *testing.T) { // not parallel: the settings of the AWS SDK are in the environment
	moto := centertest.Moto(t)
	const account = "333344445555"
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL":          moto,
		"AWS_ACCESS_KEY_ID":         "AKIAHUB",
		"AWS_SECRET_ACCESS_KEY":     "secret",
		"AWS_CONFIG_FILE":           t.TempDir() + "/none",
		"AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	at := webtest.FreeAddress(t)
	c := startCommand(
		t, "serve", "--data", t.TempDir(), "--listen", at, "--credentials", "saml", "--provisioning-role",
		"OrganizationAccountAccessRole", "--role-path", "/gatehouse/",
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
	file := filepath.Join(t.TempDir(), "accounts.csv")
	if err := os.WriteFile(file, []byte("id,name\n"+account+",Production\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	gatehouse("accounts", "import", file)

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
	aws.Run(
		&set, "sso-admin", "create-permission-set", "--instance-arn", instance.InstanceArn, "--name", "Audit",
		"--description", "Look at it",
	)
	arn := set.PermissionSet.PermissionSetArn
	aws.Run(
		nil, "sso-admin", "attach-customer-managed-policy-reference-to-permission-set", "--instance-arn",
		instance.InstanceArn, "--permission-set-arn", arn, "--customer-managed-policy-reference", "Name=own,Path=/",
	)
	change := func(operation string) string {
		t.Helper()
		member := map[string]string{
			"create": "AccountAssignmentCreationStatus",
			"delete": "AccountAssignmentDeletionStatus",
		}[operation]
		var status map[string]struct{ Status, RequestID, FailureReason string }
		aws.Run(
			&status, "sso-admin", operation+"-account-assignment", "--instance-arn", instance.InstanceArn,
			"--permission-set-arn", arn, "--target-id", account, "--target-type", "AWS_ACCOUNT", "--principal-type",
			"USER", "--principal-id", user.UserID,
		)
		if status[member].Status != "IN_PROGRESS" {
			t.Errorf("%s begins with %+v", operation, status)
		}
		for deadline := time.Now().Add(time.Minute); status[member].Status == "IN_PROGRESS"; {
			if time.Now().After(deadline) {
				t.Fatalf("%s stays in progress", operation)
			}
			aws.Run(
				&status, "sso-admin",
				"describe-account-assignment-"+map[string]string{
					"create": "creation",
					"delete": "deletion",
				}[operation]+"-status",
				"--instance-arn", instance.InstanceArn,
				"--account-assignment-"+map[string]string{
					"create": "creation",
					"delete": "deletion",
				}[operation]+"-request-id",
				status[member].RequestID,
			)
		}
		return status[member].Status + " " + status[member].FailureReason
	}
	there := newAWS(t, d)
	there.Endpoint = moto
	var assumed struct {
		Credentials struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	}
	there.Run(
		&assumed, "sts", "assume-role", "--role-arn", "arn:aws:iam::"+account+":role/OrganizationAccountAccessRole",
		"--role-session-name", "test",
	)
	there.Env = append(
		there.Env, "AWS_ACCESS_KEY_ID="+assumed.Credentials.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+assumed.Credentials.SecretAccessKey,
		"AWS_SESSION_TOKEN="+assumed.Credentials.SessionToken,
	)
	var roles struct {
		Roles []struct{ RoleName, Path string }
	}
	there.Run(&roles, "iam", "list-roles") // moto makes the account now, which takes it long
	if got := change("create"); !strings.HasPrefix(got, "FAILED Received a 404 status error: NoSuchEntity: ") {
		t.Errorf("with a policy that the account has not: %s", got)
	}

	there.Run(&roles, "iam", "list-roles", "--path-prefix", "/gatehouse/")
	if len(roles.Roles) != 0 {
		t.Errorf("half-made roles: %+v", roles)
	}
	there.Run(
		nil, "iam", "create-policy", "--policy-name", "own", "--policy-document",
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}`,
	)
	if got := change("create"); got != "SUCCEEDED " {
		t.Fatalf("the second time: %s", got)
	}
	there.Run(&roles, "iam", "list-roles", "--path-prefix", "/gatehouse/")
	if len(roles.Roles) != 1 || !strings.HasPrefix(roles.Roles[0].RoleName, "AWSReservedSSO_Audit_") {
		t.Fatalf("the roles are %+v", roles)
	}
	there.Run(
		nil, "iam", "detach-role-policy", "--role-name", roles.Roles[0].RoleName, "--policy-arn",
		"arn:aws:iam::"+account+":policy/own",
	)
	if out := gatehouse("roles", "check", "--account", account); !strings.Contains(
		out, "not attached: arn:aws:iam::"+account+":policy/own",
	) {
		t.Errorf("the check says %s", out)
	}
	if out := gatehouse("roles", "list", "--drifted"); !strings.Contains(out, "DRIFTED") {
		t.Errorf("the list says %s", out)
	}
	gatehouse("roles", "provision")
	if out := gatehouse("roles", "check", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("after provisioning the check says %s", out)
	}
	if got := change("delete"); got != "SUCCEEDED " {
		t.Errorf("the deletion: %s", got)
	}
	var providers struct{ SAMLProviderList []struct{ Arn string } }
	there.Run(&roles, "iam", "list-roles", "--path-prefix", "/gatehouse/")
	there.Run(&providers, "iam", "list-saml-providers")
	if len(roles.Roles) != 0 || len(providers.SAMLProviderList) != 0 {
		t.Errorf("left at AWS: %+v, %+v", roles, providers)
	}
}

// administers runs commands of the program on a center. They must succeed; their output is
// returned.
func administers(t *testing.T, env map[string]string, center string) func(args ...string) string {
	return func(args ...string) string {
		t.Helper()
		code, out, errOut := call(t, "", env, append(args, "--center-url", center)...)
		if code != exitDone {
			t.Fatalf("gatehouse %v: exit %d: %s", args, code, errOut)
		}
		return out
	}
}
