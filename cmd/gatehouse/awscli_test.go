package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// awsCLI runs the real aws CLI against a demo.
type awsCLI struct {
	t        *testing.T
	path     string
	endpoint string
	env      []string
}

// cli2 is the path of the aws CLI, version 2, or why there is none. It is looked for once.
var cli2 = sync.OnceValues(func() (string, error) {
	why := errors.New("the aws CLI is not installed")
	paths := []string{"/usr/bin/aws"} // Debian's awscli, whatever pip has put before it
	if path, err := exec.LookPath("aws"); err == nil {
		paths = append(paths, path)
	}
	for _, path := range paths {
		out, err := exec.Command(path, "--version").CombinedOutput() // #nosec G204 -- the CLI itself
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if isCLI2(string(out)) {
			return path, nil
		}
		why = fmt.Errorf("%s is not version 2 of the aws CLI: %s", path, bytes.TrimSpace(out))
	}
	return "", fmt.Errorf("%w (Debian: apt-get install awscli)", why)
})

// isCLI2 reads the answer to --version. Version 1 has other options and no sign-in, so tests
// written for version 2 would fail for no fault of ours.
func isCLI2(answer string) bool { return strings.HasPrefix(answer, "aws-cli/2.") }

func TestOnlyVersion2OfTheCLIIsTaken(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{
		"aws-cli/2.9.19 Python/3.11.2 Linux/6.1.0 source/x86_64.debian.12 prompt/off\n": true,
		"aws-cli/1.45.11 Python/3.11.7 Linux/6.1.0 botocore/1.43.11\n":                  false,
		"": false,
	} {
		if got := isCLI2(answer); got != want {
			t.Errorf("%q: %t, want %t", answer, got, want)
		}
	}
}

func newAWS(t *testing.T, d demoOutput) *awsCLI {
	t.Helper()
	path, err := cli2()
	if err != nil {
		sqldbtest.Skip(t, err.Error())
	}
	home := t.TempDir()
	return &awsCLI{
		t,
		path,
		d.AWS.EndpointURL,
		[]string{
			"HOME=" + home, "PATH=/usr/bin:/bin", "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true",
			"AWS_REGION=" + d.AWS.Region, "AWS_ACCESS_KEY_ID=" + d.AWS.AccessKeyID,
			"AWS_SECRET_ACCESS_KEY=" + d.AWS.SecretAccessKey, "AWS_DEFAULT_REGION=" + d.AWS.Region,
		},
	}
}

// try runs a command and returns its output.
func (a *awsCLI) try(args ...string) (out, errOut string, err error) {
	// #nosec G204 -- the test's own arguments
	cmd := exec.Command(a.path, append(args, "--endpoint-url", a.endpoint, "--output", "json", "--no-cli-pager")...)
	cmd.Env = a.env
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// run runs a command that must succeed and decodes its answer.
func (a *awsCLI) run(into any, args ...string) {
	a.t.Helper()
	out, errOut, err := a.try(args...)
	if err != nil {
		a.t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, errOut)
	}
	if into != nil {
		if err := json.Unmarshal([]byte(out), into); err != nil {
			a.t.Fatalf("aws %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
}

// fails runs a command that must be refused with the exception.
func (a *awsCLI) fails(exception string, args ...string) {
	a.t.Helper()
	out, errOut, err := a.try(args...)
	if err == nil || !strings.Contains(errOut, exception) {
		a.t.Errorf("aws %s: want %s, got %v: %s %s", strings.Join(args, " "), exception, err, out, errOut)
	}
}

func TestTheRealAWSCLI(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	aws := newAWS(t, d)
	store := []string{"--identity-store-id", d.Center.IdentityStoreID}
	with := func(args ...string) []string { return append(args, store...) }

	var users struct {
		Users []struct {
			UserID      string `json:"UserId"`
			UserName    string
			ExternalIDs []struct{ Issuer string } `json:"ExternalIds"`
		}
		NextToken string
	}
	aws.run(&users, with("identitystore", "list-users")...)
	if len(users.Users) != 23 { // 25 less the disabled one and the one without a last name
		t.Errorf("%d users, want 23", len(users.Users))
	}
	if len(users.Users[0].ExternalIDs) != 1 ||
		!strings.HasPrefix(users.Users[0].ExternalIDs[0].Issuer, "https://scim.aws.com/") {
		t.Errorf("external ids %+v, want the SCIM issuer's", users.Users[0].ExternalIDs)
	}
	var groups struct {
		Groups []struct{ GroupID, DisplayName string }
	}
	aws.run(&groups, with("identitystore", "list-groups")...)
	if len(groups.Groups) != 6 {
		t.Errorf("%d groups, want 6", len(groups.Groups))
	}

	// The walk's step 7: the console no longer edits memberships, the CLI still does.
	var group struct {
		GroupID string `json:"GroupId"`
	}
	aws.run(
		&group,
		with(
			"identitystore", "get-group-id", "--alternate-identifier",
			`{"UniqueAttribute":{"AttributePath":"displayName","AttributeValue":"Finance"}}`,
		)...)
	var user struct {
		UserID string `json:"UserId"`
	}
	aws.run(
		&user,
		with(
			"identitystore", "get-user-id", "--alternate-identifier",
			`{"UniqueAttribute":{"AttributePath":"userName","AttributeValue":"MEI.tanaka@northwind.example"}}`,
		)...)
	pair := with("--group-id", group.GroupID, "--member-id", "UserId="+user.UserID)
	aws.run(nil, append([]string{"identitystore", "create-group-membership"}, pair...)...)
	aws.fails("ConflictException", append([]string{"identitystore", "create-group-membership"}, pair...)...)
	var memberships struct {
		GroupMemberships []struct {
			MembershipID string `json:"MembershipId"`
		}
	}
	aws.run(&memberships, with("identitystore", "list-group-memberships", "--group-id", group.GroupID)...)
	if len(memberships.GroupMemberships) != 4 {
		t.Errorf("%d members of Finance, want 3 and the new one", len(memberships.GroupMemberships))
	}
	var is struct {
		Results []struct{ MembershipExists bool }
	}
	aws.run(
		&is,
		with(
			"identitystore", "is-member-in-groups", "--member-id", "UserId="+user.UserID, "--group-ids",
			group.GroupID,
		)...)
	if len(is.Results) != 1 || !is.Results[0].MembershipExists {
		t.Errorf("is-member-in-groups %+v", is)
	}

	var found, same, described1 struct {
		MembershipID string `json:"MembershipId"`
		GroupID      string `json:"GroupId"`
	}
	aws.run(&found, append([]string{"identitystore", "get-group-membership-id"}, pair...)...)
	aws.run(&described1, with("identitystore", "describe-group-membership", "--membership-id", found.MembershipID)...)
	if described1.GroupID != group.GroupID {
		t.Errorf("the membership %+v is in another group than %s", described1, group.GroupID)
	}
	aws.run(
		&memberships,
		with("identitystore", "list-group-memberships-for-member", "--member-id", "UserId="+user.UserID)...)
	if len(memberships.GroupMemberships) != 2 {
		t.Errorf("a member of %d groups, want the old one and the new one", len(memberships.GroupMemberships))
	}
	aws.run(nil, with("identitystore", "delete-group-membership", "--membership-id", found.MembershipID)...)
	aws.fails("ResourceNotFoundException", append([]string{"identitystore", "get-group-membership-id"}, pair...)...)

	aws.run(
		&same,
		with("identitystore", "create-group", "--display-name", "Auditors", "--description", "Read everything")...)
	aws.fails("ConflictException", with("identitystore", "create-group", "--display-name", "AUDITORS")...)
	aws.run(
		nil,
		with(
			"identitystore", "update-group", "--group-id", same.GroupID, "--operations",
			`[{"AttributePath":"displayName","AttributeValue":"Inspectors"}]`,
		)...)
	var inspectors struct{ DisplayName, Description string }
	aws.run(&inspectors, with("identitystore", "describe-group", "--group-id", same.GroupID)...)
	if inspectors.DisplayName != "Inspectors" || inspectors.Description != "Read everything" {
		t.Errorf("the group is %+v", inspectors)
	}
	aws.run(nil, with("identitystore", "delete-group", "--group-id", same.GroupID)...)
	aws.fails("ResourceNotFoundException", with("identitystore", "describe-group", "--group-id", same.GroupID)...)
	aws.fails(
		"ValidationException",
		with(
			"identitystore", "update-user", "--user-id", user.UserID, "--operations",
			`[{"AttributePath":"shoeSize","AttributeValue":"42"}]`,
		)...)

	aws.run(
		&user,
		with(
			"identitystore", "create-user", "--user-name", "new.person", "--display-name", "New Person", "--name",
			"GivenName=New,FamilyName=Person", "--emails", "Value=new@example.com,Type=work,Primary=true",
		)...)
	aws.fails(
		"ConflictException",
		with(
			"identitystore", "create-user", "--user-name", "NEW.person", "--display-name", "X", "--name",
			"GivenName=N,FamilyName=P",
		)...)
	aws.fails("ValidationException", with("identitystore", "create-user", "--user-name", "only.name")...)
	aws.run(
		nil,
		with(
			"identitystore", "update-user", "--user-id", user.UserID, "--operations",
			`[{"AttributePath":"title","AttributeValue":"Chief"},{"AttributePath":"name.givenName",
				"AttributeValue":"Newer"}]`,
		)...)
	var described struct {
		Title, UserStatus string
		Name              struct{ GivenName string }
	}
	aws.run(&described, with("identitystore", "describe-user", "--user-id", user.UserID)...)
	if described.Title != "Chief" || described.Name.GivenName != "Newer" {
		t.Errorf("after the update %+v", described)
	}
	aws.run(nil, with("identitystore", "delete-user", "--user-id", user.UserID)...)
	aws.fails("ResourceNotFoundException", with("identitystore", "describe-user", "--user-id", user.UserID)...)
	aws.fails("ResourceNotFoundException", "identitystore", "list-users", "--identity-store-id", "d-0000000000")

	var page struct {
		Users     []struct{ UserName string }
		NextToken string
	}
	aws.run(&page, with("identitystore", "list-users", "--max-items", "10", "--page-size", "5")...)
	if len(page.Users) != 10 || page.NextToken == "" {
		t.Errorf("a page of %d users, token %q", len(page.Users), page.NextToken)
	}
}

func TestTheRealAWSCLIOnPermissionSets(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	aws := newAWS(t, d)
	instance := []string{"--instance-arn", d.Center.InstanceARN}
	with := func(args ...string) []string { return append(args, instance...) }
	var instances struct {
		Instances []struct {
			InstanceArn     string
			IdentityStoreID string `json:"IdentityStoreId"`
		}
	}
	aws.run(&instances, "sso-admin", "list-instances")
	if len(instances.Instances) != 1 || instances.Instances[0].InstanceArn != d.Center.InstanceARN ||
		instances.Instances[0].IdentityStoreID != d.Center.IdentityStoreID {
		t.Errorf("instances %+v", instances)
	}
	var made struct {
		PermissionSet struct{ PermissionSetArn, SessionDuration string }
	}
	aws.run(&made, with("sso-admin", "create-permission-set", "--name", "Billing", "--session-duration", "PT2H")...)
	set := []string{"--permission-set-arn", made.PermissionSet.PermissionSetArn}
	if made.PermissionSet.SessionDuration != "PT2H" {
		t.Errorf("session duration %q", made.PermissionSet.SessionDuration)
	}
	aws.fails("ConflictException", with("sso-admin", "create-permission-set", "--name", "Billing")...)
	aws.run(
		nil,
		with(
			append(
				[]string{
					"sso-admin", "attach-managed-policy-to-permission-set", "--managed-policy-arn",
					"arn:aws:iam::aws:policy/job-function/Billing",
				},
				set...)...)...)
	aws.run(
		nil,
		with(
			append(
				[]string{
					"sso-admin", "put-inline-policy-to-permission-set", "--inline-policy",
					`{"Version":"2012-10-17","Statement":[]}`,
				},
				set...)...)...)
	aws.fails(
		"ValidationException",
		with(
			append([]string{"sso-admin", "put-inline-policy-to-permission-set", "--inline-policy", `{`}, set...)...)...)
	var policies struct{ AttachedManagedPolicies []struct{ Name string } }
	aws.run(&policies, with(append([]string{"sso-admin", "list-managed-policies-in-permission-set"}, set...)...)...)
	if len(policies.AttachedManagedPolicies) != 1 || policies.AttachedManagedPolicies[0].Name != "Billing" {
		t.Errorf("policies %+v", policies)
	}
	var groups struct {
		Groups []struct {
			GroupID string `json:"GroupId"`
		}
	}
	aws.run(&groups, "identitystore", "list-groups", "--identity-store-id", d.Center.IdentityStoreID)
	target := append(
		[]string{
			"--target-id", "111122223333", "--target-type", "AWS_ACCOUNT", "--principal-type", "GROUP",
			"--principal-id", groups.Groups[0].GroupID,
		},
		set...)
	var created struct {
		AccountAssignmentCreationStatus struct {
			Status    string
			RequestID string `json:"RequestId"`
		}
	}
	aws.run(&created, with(append([]string{"sso-admin", "create-account-assignment"}, target...)...)...)
	aws.run(
		&created,
		with(
			"sso-admin", "describe-account-assignment-creation-status", "--account-assignment-creation-request-id",
			created.AccountAssignmentCreationStatus.RequestID,
		)...)
	if created.AccountAssignmentCreationStatus.Status != "SUCCEEDED" {
		t.Errorf("assignment %+v", created)
	}
	aws.fails("ConflictException", with(append([]string{"sso-admin", "delete-permission-set"}, set...)...)...)
	var list struct {
		AccountAssignments, AccountAssignmentsCreationStatus, AccountAssignmentsDeletionStatus []any
		AccountIDs                                                                             []string `json:"AccountIds"`
		PermissionSets                                                                         []string
		InlinePolicy                                                                           string
	}
	aws.run(
		&list,
		with(append([]string{"sso-admin", "list-account-assignments", "--account-id", "111122223333"}, set...)...)...)
	aws.run(&list, with(append([]string{"sso-admin", "list-accounts-for-provisioned-permission-set"}, set...)...)...)
	aws.run(&list, with("sso-admin", "list-permission-sets-provisioned-to-account", "--account-id", "111122223333")...)
	aws.run(&list, with("sso-admin", "list-account-assignment-creation-status")...)
	aws.run(&list, with(append([]string{"sso-admin", "get-inline-policy-for-permission-set"}, set...)...)...)
	if len(list.AccountAssignments) != 1 || len(list.AccountIDs) != 1 || len(list.PermissionSets) != 3 ||
		len(list.AccountAssignmentsCreationStatus) < 10 || !strings.Contains(list.InlinePolicy, "2012-10-17") {
		t.Errorf("lists %+v", list)
	}
	aws.run(nil, with(append([]string{"sso-admin", "delete-inline-policy-from-permission-set"}, set...)...)...)
	aws.run(
		nil,
		with(
			append(
				[]string{
					"sso-admin", "detach-managed-policy-from-permission-set", "--managed-policy-arn",
					"arn:aws:iam::aws:policy/job-function/Billing",
				},
				set...)...)...)
	aws.run(
		nil,
		with(
			append(
				[]string{"sso-admin", "update-permission-set", "--session-duration", "PT90M", "--description", "Money"},
				set...)...)...)
	aws.run(&made, with(append([]string{"sso-admin", "describe-permission-set"}, set...)...)...)
	if made.PermissionSet.SessionDuration != "PT1H30M" {
		t.Errorf("session duration %q after the update", made.PermissionSet.SessionDuration)
	}
	var pages struct{ PermissionSets []string }
	aws.run(&pages, with("sso-admin", "list-permission-sets", "--page-size", "1")...) // the CLI follows the tokens
	if len(pages.PermissionSets) != 4 {
		t.Errorf("%d permission sets over pages of one, want 4", len(pages.PermissionSets))
	}
	var deleted struct {
		AccountAssignmentDeletionStatus struct{ Status, FailureReason string }
	}
	aws.run(&deleted, with(append([]string{"sso-admin", "delete-account-assignment"}, target...)...)...)
	if deleted.AccountAssignmentDeletionStatus.Status != "SUCCEEDED" {
		t.Errorf("deletion %+v", deleted)
	}
	aws.run(&deleted, with(append([]string{"sso-admin", "delete-account-assignment"}, target...)...)...)
	if deleted.AccountAssignmentDeletionStatus.Status != "FAILED" {
		t.Errorf("deletion of what is not there %+v", deleted)
	}
	aws.run(nil, with(append([]string{"sso-admin", "delete-permission-set"}, set...)...)...)
	aws.fails("ResourceNotFoundException", with(append([]string{"sso-admin", "describe-permission-set"}, set...)...)...)

	var identity struct{ Arn, Account string }
	aws.run(&identity, "sts", "get-caller-identity")
	if identity.Account != d.Center.AccountID || !strings.HasSuffix(identity.Arn, ":user/admin") {
		t.Errorf("identity %+v", identity)
	}
	aws.env = append(aws.env, "AWS_SECRET_ACCESS_KEY=wrong")
	aws.fails("SignatureDoesNotMatch", "sts", "get-caller-identity")
	aws.fails("InvalidSignatureException", "sso-admin", "list-instances")
}
