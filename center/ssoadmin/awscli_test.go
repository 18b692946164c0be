package ssoadmin_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestTheRealAWSCLIOnPermissionSets(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	aws := e.CLI()
	instance := []string{"--instance-arn", e.Center.InstanceARN}
	with := func(args ...string) []string { return append(args, instance...) }
	var instances struct {
		Instances []struct {
			InstanceArn     string
			IdentityStoreID string `json:"IdentityStoreId"`
		}
	}
	aws.Run(&instances, "sso-admin", "list-instances")
	if len(instances.Instances) != 1 || instances.Instances[0].InstanceArn != e.Center.InstanceARN ||
		instances.Instances[0].IdentityStoreID != e.Center.IdentityStoreID {
		t.Errorf("instances %+v", instances)
	}
	var made struct {
		PermissionSet struct{ PermissionSetArn, SessionDuration string }
	}
	aws.Run(&made, with("sso-admin", "create-permission-set", "--name", "Billing", "--session-duration", "PT2H")...)
	set := []string{"--permission-set-arn", made.PermissionSet.PermissionSetArn}
	if made.PermissionSet.SessionDuration != "PT2H" {
		t.Errorf("session duration %q", made.PermissionSet.SessionDuration)
	}
	aws.Fails("ConflictException", with("sso-admin", "create-permission-set", "--name", "Billing")...)
	aws.Run(
		nil,
		with(
			append(
				[]string{
					"sso-admin", "attach-managed-policy-to-permission-set", "--managed-policy-arn",
					"arn:aws:iam::aws:policy/job-function/Billing",
				},
				set...)...)...)
	aws.Run(
		nil,
		with(
			append(
				[]string{
					"sso-admin", "put-inline-policy-to-permission-set", "--inline-policy",
					`{"Version":"2012-10-17","Statement":[]}`,
				},
				set...)...)...)
	aws.Fails(
		"ValidationException",
		with(
			append([]string{"sso-admin", "put-inline-policy-to-permission-set", "--inline-policy", `{`}, set...)...)...)
	var policies struct{ AttachedManagedPolicies []struct{ Name string } }
	aws.Run(&policies, with(append([]string{"sso-admin", "list-managed-policies-in-permission-set"}, set...)...)...)
	if len(policies.AttachedManagedPolicies) != 1 || policies.AttachedManagedPolicies[0].Name != "Billing" {
		t.Errorf("policies %+v", policies)
	}
	var groups struct {
		Groups []struct {
			GroupID string `json:"GroupId"`
		}
	}
	aws.Run(&groups, "identitystore", "list-groups", "--identity-store-id", e.Center.IdentityStoreID)
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
	aws.Run(&created, with(append([]string{"sso-admin", "create-account-assignment"}, target...)...)...)
	aws.Run(
		&created,
		with(
			"sso-admin", "describe-account-assignment-creation-status", "--account-assignment-creation-request-id",
			created.AccountAssignmentCreationStatus.RequestID,
		)...)
	if created.AccountAssignmentCreationStatus.Status != "SUCCEEDED" {
		t.Errorf("assignment %+v", created)
	}
	aws.Fails("ConflictException", with(append([]string{"sso-admin", "delete-permission-set"}, set...)...)...)
	var list struct {
		AccountAssignments               []any
		AccountAssignmentsCreationStatus []any
		AccountAssignmentsDeletionStatus []any
		AccountIDs                       []string `json:"AccountIds"`
		PermissionSets                   []string
		InlinePolicy                     string
	}
	aws.Run(
		&list,
		with(append([]string{"sso-admin", "list-account-assignments", "--account-id", "111122223333"}, set...)...)...)
	aws.Run(&list, with(append([]string{"sso-admin", "list-accounts-for-provisioned-permission-set"}, set...)...)...)
	aws.Run(&list, with("sso-admin", "list-permission-sets-provisioned-to-account", "--account-id", "111122223333")...)
	aws.Run(&list, with("sso-admin", "list-account-assignment-creation-status")...)
	aws.Run(&list, with(append([]string{"sso-admin", "get-inline-policy-for-permission-set"}, set...)...)...)
	if len(list.AccountAssignments) != 1 || len(list.AccountIDs) != 1 || len(list.PermissionSets) != 3 ||
		len(list.AccountAssignmentsCreationStatus) < 10 || !strings.Contains(list.InlinePolicy, "2012-10-17") {
		t.Errorf("lists %+v", list)
	}
	aws.Run(nil, with(append([]string{"sso-admin", "delete-inline-policy-from-permission-set"}, set...)...)...)
	aws.Run(
		nil,
		with(
			append(
				[]string{
					"sso-admin", "detach-managed-policy-from-permission-set", "--managed-policy-arn",
					"arn:aws:iam::aws:policy/job-function/Billing",
				},
				set...)...)...)
	aws.Run(
		nil,
		with(
			append(
				[]string{"sso-admin", "update-permission-set", "--session-duration", "PT90M", "--description", "Money"},
				set...)...)...)
	aws.Run(&made, with(append([]string{"sso-admin", "describe-permission-set"}, set...)...)...)
	if made.PermissionSet.SessionDuration != "PT90M" {
		t.Errorf("session duration %q after the update", made.PermissionSet.SessionDuration)
	}
	var pages struct{ PermissionSets []string }
	aws.Run(&pages, with("sso-admin", "list-permission-sets", "--page-size", "1")...) // the CLI follows the tokens
	if len(pages.PermissionSets) != 4 {
		t.Errorf("%d permission sets over pages of one, want 4", len(pages.PermissionSets))
	}
	var deleted struct {
		AccountAssignmentDeletionStatus struct{ Status, FailureReason string }
	}
	aws.Run(&deleted, with(append([]string{"sso-admin", "delete-account-assignment"}, target...)...)...)
	if deleted.AccountAssignmentDeletionStatus.Status != "SUCCEEDED" {
		t.Errorf("deletion %+v", deleted)
	}
	aws.Run(&deleted, with(append([]string{"sso-admin", "delete-account-assignment"}, target...)...)...)
	if deleted.AccountAssignmentDeletionStatus.Status != "FAILED" {
		t.Errorf("deletion of what is not there %+v", deleted)
	}
	aws.Run(nil, with(append([]string{"sso-admin", "delete-permission-set"}, set...)...)...)
	aws.Fails("ResourceNotFoundException", with(append([]string{"sso-admin", "describe-permission-set"}, set...)...)...)

	var identity struct{ Arn, Account string }
	aws.Run(&identity, "sts", "get-caller-identity")
	if identity.Account != e.Center.AccountID || !strings.HasSuffix(identity.Arn, ":user/admin") {
		t.Errorf("identity %+v", identity)
	}
	aws.Env = append(aws.Env, "AWS_SECRET_ACCESS_KEY=wrong")
	aws.Fails("SignatureDoesNotMatch", "sts", "get-caller-identity")
	aws.Fails("InvalidSignatureException", "sso-admin", "list-instances")
}
