// Package gotest is somebody else's code, and its test shows how gatehousetest tests it: a report
// of who is an administrator in which AWS account.
package gotest

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
)

// Administrators returns, for each account, the ids of the users and groups that have the
// permission set in it.
func Administrators(ctx context.Context, cfg aws.Config, permissionSet string) (map[string][]string, error) {
	client := ssoadmin.NewFromConfig(cfg)
	instances, err := client.ListInstances(ctx, &ssoadmin.ListInstancesInput{})
	if err != nil {
		return nil, err
	}
	instance := instances.Instances[0].InstanceArn
	all := map[string][]string{}
	accounts := ssoadmin.NewListAccountsForProvisionedPermissionSetPaginator(client,
		&ssoadmin.ListAccountsForProvisionedPermissionSetInput{
			InstanceArn:      instance,
			PermissionSetArn: &permissionSet,
		})
	for accounts.HasMorePages() {
		page, err := accounts.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, account := range page.AccountIds {
			if all[account], err = holders(ctx, client, instance, account, permissionSet); err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

func holders(
	ctx context.Context, client *ssoadmin.Client, instance *string, account, permissionSet string,
) (ids []string, err error) {
	assignments := ssoadmin.NewListAccountAssignmentsPaginator(client, &ssoadmin.ListAccountAssignmentsInput{
		InstanceArn:      instance,
		AccountId:        &account,
		PermissionSetArn: &permissionSet,
	})
	for assignments.HasMorePages() {
		page, err := assignments.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, assignment := range page.AccountAssignments {
			ids = append(ids, *assignment.PrincipalId)
		}
	}
	slices.Sort(ids)
	return ids, nil
}
