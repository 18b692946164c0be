package ssoadmin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

func TestQuotasOfAssignments(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	account := aws.String("111122223333")
	assign := func(set, group *string) error {
		_, err := a.CreateAccountAssignment(
			background,
			&ssoadmin.CreateAccountAssignmentInput{InstanceArn: a.instance, PermissionSetArn: set, PrincipalId: group,
				PrincipalType: types.PrincipalTypeGroup, TargetId: account, TargetType: types.TargetTypeAwsAccount},
		)
		return err
	}
	set, first := a.set("Many"), a.group("first")
	if err := assign(set, first); err != nil {
		t.Fatal(err)
	}
	for i := range 99 {
		if err := assign(set, a.group(fmt.Sprint("group ", i))); err != nil {
			t.Fatal(err)
		}
	}
	refused[any](a, "ServiceQuotaExceededException")(nil, assign(set, a.group("one too many")))
	if err := assign(set, first); err != nil {
		t.Errorf("an assignment that is there already: %v", err)
	}
	for i := range 499 {
		if err := assign(a.set(fmt.Sprint("Set", i)), first); err != nil {
			t.Fatal(err)
		}
	}
	refused[any](a, "ServiceQuotaExceededException")(nil, assign(a.set("OneTooMany"), first))
}

func TestPagesOfAssignments(t *testing.T) {
	a := newAPI(t)
	set, account := a.set("Dev"), aws.String("111122223333")
	u, err := a.center.CreateUser(background, centertest.Actor, centertest.Person("ada"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		g := a.group(fmt.Sprint("g", i))
		ok[*ssoadmin.CreateAccountAssignmentOutput](a)(
			a.CreateAccountAssignment(
				background,
				&ssoadmin.CreateAccountAssignmentInput{InstanceArn: a.instance, PermissionSetArn: set, PrincipalId: g,
					PrincipalType: types.PrincipalTypeGroup, TargetId: account, TargetType: types.TargetTypeAwsAccount},
			),
		)
		if i%2 == 0 {
			if _, err := a.center.CreateMembership(background, centertest.Actor, center.GroupID(*g), u.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	all, of := map[string]bool{}, map[string]bool{}
	pages := ssoadmin.NewListAccountAssignmentsPaginator(
		a.Client,
		&ssoadmin.ListAccountAssignmentsInput{
			InstanceArn:      a.instance,
			AccountId:        account,
			PermissionSetArn: set,
			MaxResults:       aws.Int32(3),
		},
	)
	for pages.HasMorePages() {
		for _, x := range ok[*ssoadmin.ListAccountAssignmentsOutput](a)(pages.NextPage(background)).AccountAssignments {
			all[*x.PrincipalId] = true
		}
	}
	mine := ssoadmin.NewListAccountAssignmentsForPrincipalPaginator(
		a.Client,
		&ssoadmin.ListAccountAssignmentsForPrincipalInput{
			InstanceArn:   a.instance,
			PrincipalId:   aws.String(string(u.ID)),
			PrincipalType: types.PrincipalTypeUser,
			MaxResults:    aws.Int32(1),
		},
	)
	for mine.HasMorePages() {
		for _, x := range ok[*ssoadmin.ListAccountAssignmentsForPrincipalOutput](a)(
			mine.NextPage(background),
		).AccountAssignments {
			of[*x.PrincipalId] = x.PrincipalType == types.PrincipalTypeGroup
		}
	}
	if len(all) != 7 || len(of) != 4 {
		t.Errorf("%d assignments and %d of the user, want 7 and 4", len(all), len(of))
	}
	requests := ssoadmin.NewListAccountAssignmentCreationStatusPaginator(
		a.Client,
		&ssoadmin.ListAccountAssignmentCreationStatusInput{InstanceArn: a.instance, MaxResults: aws.Int32(2)},
	)
	n := 0
	for requests.HasMorePages() {
		n += len(
			ok[*ssoadmin.ListAccountAssignmentCreationStatusOutput](
				a,
			)(requests.NextPage(background)).AccountAssignmentsCreationStatus,
		)
	}
	if n != 7 {
		t.Errorf("%d requests over pages, want 7", n)
	}
}

// TestProvisioning: assignment provisions, later changes wait until they are provisioned, the last
// assignment's end retires the role.
func TestProvisioning(t *testing.T) {
	a := newAPI(t)
	set := a.set("Dev")
	group := a.group("Developers")
	account := aws.String("111122223333")
	in := ssoadmin.CreateAccountAssignmentInput{
		InstanceArn:      a.instance,
		PermissionSetArn: set,
		PrincipalId:      group,
		PrincipalType:    types.PrincipalTypeGroup,
		TargetId:         account,
		TargetType:       types.TargetTypeAwsAccount,
	}
	provision := func(target *string, kind types.ProvisionTargetType) *types.PermissionSetProvisioningStatus {
		t.Helper()
		s := ok[*ssoadmin.ProvisionPermissionSetOutput](a)(
			a.ProvisionPermissionSet(
				background,
				&ssoadmin.ProvisionPermissionSetInput{
					InstanceArn:      a.instance,
					PermissionSetArn: set,
					TargetId:         target,
					TargetType:       kind,
				},
			),
		)
		return ok[*ssoadmin.DescribePermissionSetProvisioningStatusOutput](a)(
			a.DescribePermissionSetProvisioningStatus(
				background,
				&ssoadmin.DescribePermissionSetProvisioningStatusInput{
					InstanceArn:                     a.instance,
					ProvisionPermissionSetRequestId: s.PermissionSetProvisioningStatus.RequestId,
				},
			),
		).PermissionSetProvisioningStatus
	}
	accounts := func(status types.ProvisioningStatus) int {
		t.Helper()
		return len(
			ok[*ssoadmin.ListAccountsForProvisionedPermissionSetOutput](a)(a.ListAccountsForProvisionedPermissionSet(
				background,
				&ssoadmin.ListAccountsForProvisionedPermissionSetInput{
					InstanceArn:        a.instance,
					PermissionSetArn:   set,
					ProvisioningStatus: status,
				},
			)).AccountIds,
		)
	}
	if s := provision(account, types.ProvisionTargetTypeAwsAccount); s.Status != types.StatusValuesFailed ||
		!strings.Contains(*s.FailureReason, "not found") {
		t.Errorf("provisioning where it never was: %+v", s)
	}
	if s := provision(nil, types.ProvisionTargetTypeAllProvisionedAccounts); s.Status != types.StatusValuesSucceeded {
		t.Errorf("provisioning nowhere: %+v", s)
	}
	refused[*ssoadmin.ProvisionPermissionSetOutput](a, "ValidationException")(a.ProvisionPermissionSet(
		background,
		&ssoadmin.ProvisionPermissionSetInput{
			InstanceArn:      a.instance,
			PermissionSetArn: set,
			TargetType:       types.ProvisionTargetTypeAwsAccount,
		},
	))
	ok[*ssoadmin.CreateAccountAssignmentOutput](a)(a.CreateAccountAssignment(background, &in))
	if s := ok[*ssoadmin.CreateAccountAssignmentOutput](a)(a.CreateAccountAssignment(
		background, &in,
	)); s.AccountAssignmentCreationStatus.Status != types.StatusValuesSucceeded {
		t.Errorf("the same assignment again: %+v", s.AccountAssignmentCreationStatus)
	}
	if accounts("") != 1 || accounts(types.ProvisioningStatusLatestPermissionSetProvisioned) != 1 {
		t.Error("the assignment did not provision")
	}
	ok[*ssoadmin.UpdatePermissionSetOutput](a)(
		a.UpdatePermissionSet(
			background,
			&ssoadmin.UpdatePermissionSetInput{
				InstanceArn:      a.instance,
				PermissionSetArn: set,
				Description:      aws.String("changed"),
			},
		),
	)
	if accounts(types.ProvisioningStatusLatestPermissionSetProvisioned) != 0 ||
		accounts(types.ProvisioningStatusLatestPermissionSetNotProvisioned) != 1 {
		t.Error("the change is said to be provisioned at once")
	}
	if s := provision(account, types.ProvisionTargetTypeAwsAccount); s.Status != types.StatusValuesSucceeded ||
		*s.AccountId != *account {
		t.Errorf("provisioning: %+v", s)
	}
	if accounts(types.ProvisioningStatusLatestPermissionSetProvisioned) != 1 {
		t.Error("the change was not provisioned")
	}
	refused[*ssoadmin.DeletePermissionSetOutput](a, "ConflictException")(
		a.DeletePermissionSet(
			background, &ssoadmin.DeletePermissionSetInput{InstanceArn: a.instance, PermissionSetArn: set},
		),
	)
	remove := ssoadmin.DeleteAccountAssignmentInput(in)
	ok[*ssoadmin.DeleteAccountAssignmentOutput](a)(a.DeleteAccountAssignment(background, &remove))
	if s := ok[*ssoadmin.DeleteAccountAssignmentOutput](a)(a.DeleteAccountAssignment(
		background, &remove,
	)); s.AccountAssignmentDeletionStatus.Status != types.StatusValuesFailed {
		t.Errorf("deleted twice: %+v", s.AccountAssignmentDeletionStatus)
	}
	deletions := ok[*ssoadmin.ListAccountAssignmentDeletionStatusOutput](a)(
		a.ListAccountAssignmentDeletionStatus(
			background, &ssoadmin.ListAccountAssignmentDeletionStatusInput{InstanceArn: a.instance},
		),
	)
	if l := deletions.AccountAssignmentsDeletionStatus; len(l) != 2 || l[0].Status != types.StatusValuesFailed ||
		l[1].Status != types.StatusValuesSucceeded {
		t.Errorf("deletions, the newest first: %+v", l)
	}
	one := ok[*ssoadmin.DescribeAccountAssignmentDeletionStatusOutput](a)(
		a.DescribeAccountAssignmentDeletionStatus(
			background,
			&ssoadmin.DescribeAccountAssignmentDeletionStatusInput{
				InstanceArn:                        a.instance,
				AccountAssignmentDeletionRequestId: deletions.AccountAssignmentsDeletionStatus[0].RequestId,
			},
		),
	)
	if s := one.AccountAssignmentDeletionStatus; s.Status != types.StatusValuesFailed ||
		!strings.Contains(*s.FailureReason, "404") || *s.PrincipalId != *group {
		t.Errorf("the failed deletion %+v", s)
	}
	if accounts("") != 0 {
		t.Error("the role outlives its last assignment")
	}
	for name, in := range map[string]ssoadmin.CreateAccountAssignmentInput{
		"no such account": {
			InstanceArn:      a.instance,
			PermissionSetArn: set,
			PrincipalId:      group,
			PrincipalType:    types.PrincipalTypeGroup,
			TargetId:         aws.String("999999999999"),
			TargetType:       types.TargetTypeAwsAccount,
		},
		"no such principal": {
			InstanceArn:      a.instance,
			PermissionSetArn: set,
			PrincipalId:      aws.String("11111111-2222-3333-4444-555555555555"),
			PrincipalType:    types.PrincipalTypeUser,
			TargetId:         account,
			TargetType:       types.TargetTypeAwsAccount,
		},
		"a group as a user": {
			InstanceArn:      a.instance,
			PermissionSetArn: set,
			PrincipalId:      group,
			PrincipalType:    types.PrincipalTypeUser,
			TargetId:         account,
			TargetType:       types.TargetTypeAwsAccount,
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := *a
			b.t = t
			refused[*ssoadmin.CreateAccountAssignmentOutput](
				&b, "ResourceNotFoundException",
			)(a.CreateAccountAssignment(background, &in))
		})
	}
	if list := ok[*ssoadmin.ListPermissionSetProvisioningStatusOutput](a)(
		a.ListPermissionSetProvisioningStatus(background,
			&ssoadmin.ListPermissionSetProvisioningStatusInput{InstanceArn: a.instance,
				Filter: &types.OperationStatusFilter{Status: types.StatusValuesFailed}})); len(
		list.PermissionSetsProvisioningStatus,
	) != 1 {
		t.Errorf("failed provisioning requests %+v", list.PermissionSetsProvisioningStatus)
	}
}
