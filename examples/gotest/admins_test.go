package gotest

import (
	"context"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/gatehouse-id/gatehouse/gatehousetest"
)

func TestAdministrators(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	pair := gatehousetest.Start(t)
	client := ssoadmin.NewFromConfig(pair.AWSConfig())
	set, err := client.CreatePermissionSet(ctx, &ssoadmin.CreatePermissionSetInput{
		InstanceArn: &pair.Center.InstanceARN,
		Name:        new("Breakglass"),
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := set.PermissionSet.PermissionSetArn
	before, err := Administrators(ctx, pair.AWSConfig(), *arn)
	if err != nil || len(before) != 0 {
		t.Fatalf("at first %v, %v", before, err)
	}
	// The group of the first permission set that the demo has assigned in the first account.
	account, group := &pair.Accounts[0].ID, someGroup(t, client, pair)
	if _, err := client.CreateAccountAssignment(ctx, &ssoadmin.CreateAccountAssignmentInput{
		InstanceArn:      &pair.Center.InstanceARN,
		PermissionSetArn: arn,
		PrincipalId:      &group,
		PrincipalType:    types.PrincipalTypeGroup,
		TargetId:         account,
		TargetType:       types.TargetTypeAwsAccount,
	}); err != nil {
		t.Fatal(err)
	}
	after, err := Administrators(ctx, pair.AWSConfig(), *arn)
	if err != nil || len(after) != 1 || !slices.Equal(after[*account], []string{group}) {
		t.Errorf("after the assignment %v, %v; want %s in %s", after, err, group, *account)
	}
}

// someGroup is a group that has something in the first account.
func someGroup(t *testing.T, client *ssoadmin.Client, pair *gatehousetest.Pair) string {
	t.Helper()
	ctx := context.Background()
	sets, err := client.ListPermissionSetsProvisionedToAccount(ctx,
		&ssoadmin.ListPermissionSetsProvisionedToAccountInput{
			InstanceArn: &pair.Center.InstanceARN,
			AccountId:   &pair.Accounts[0].ID,
		})
	if err != nil || len(sets.PermissionSets) == 0 {
		t.Fatalf("permission sets of the first account: %+v, %v", sets, err)
	}
	holders, err := Administrators(ctx, pair.AWSConfig(), sets.PermissionSets[0])
	if err != nil || len(holders[pair.Accounts[0].ID]) == 0 {
		t.Fatalf("nobody has the first permission set: %v, %v", holders, err)
	}
	return holders[pair.Accounts[0].ID][0]
}
