package aws

import (
	"context"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/connect"
)

var (
	_ connect.Restorer      = (*Center)(nil)
	_ connect.AccountLister = (*Center)(nil)
)

// OfCenter reaches a Gatehouse center as AWS itself is reached, by AWS's public APIs.
func OfCenter(ctx context.Context, c *adminapi.Client) (*Center, error) {
	return Open(ctx, Config{SDK: SDKOf(c), HTTP: c.HTTP})
}

// DiscovererOf reads who is at a Gatehouse center as at AWS, for the same plan about people.
func DiscovererOf(c *adminapi.Client) func(context.Context, func(done, total int)) (connect.Snapshot, error) {
	return func(ctx context.Context, progress func(done, total int)) (connect.Snapshot, error) {
		as, err := OfCenter(ctx, c)
		if err != nil {
			return connect.Snapshot{}, err
		}
		return as.Discover(ctx, progress)
	}
}

// patience is how long one assignment may take: AWS makes a role for it.
const patience = 2 * time.Minute //bound:wait an assignment at AWS to be made

// CreateAssignment gives a permission set in an account back, and waits until it is there.
func (c *Center) CreateAssignment(ctx context.Context, a connect.Assignment) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, err := c.admin.CreateAccountAssignment(ctx, &ssoadmin.CreateAccountAssignmentInput{
		InstanceArn:      sdk.String(c.Instance.ARN),
		PermissionSetArn: sdk.String(a.PermissionSetARN),
		PrincipalId:      sdk.String(a.PrincipalID),
		PrincipalType:    types.PrincipalType(a.PrincipalType),
		TargetId:         sdk.String(a.AccountID),
		TargetType:       types.TargetTypeAwsAccount,
	})
	if err != nil {
		return explain("assign a permission set", err)
	}
	status := out.AccountAssignmentCreationStatus
	for status.Status == types.StatusValuesInProgress {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for an assignment: %w", ctx.Err())
		case <-time.After(time.Second):
		}
		now, err := c.admin.DescribeAccountAssignmentCreationStatus(
			ctx, &ssoadmin.DescribeAccountAssignmentCreationStatusInput{
				InstanceArn: sdk.String(c.Instance.ARN), AccountAssignmentCreationRequestId: status.RequestId,
			},
		)
		if err != nil {
			return explain("wait for an assignment", err)
		}
		status = now.AccountAssignmentCreationStatus
	}
	if status.Status == types.StatusValuesFailed {
		return fmt.Errorf("AWS could not assign the permission set: %s", sdk.ToString(status.FailureReason))
	}
	return nil
}

// Accounts lists the organization's accounts that are open.
func (c *Center) Accounts(ctx context.Context) (ids []string, err error) {
	for a, err := range inventory.Each(c.reader.Accounts(ctx)) {
		if err != nil {
			return nil, explain("list the accounts", err)
		}
		if a.Status != "SUSPENDED" {
			ids = append(ids, sdk.ToString(a.Id))
		}
	}
	return ids, nil
}

// gone is AWS's word about what somebody else has deleted.
const gone = "ResourceNotFoundException"

// DeleteUser deletes a user with its memberships.
func (c *Center) DeleteUser(ctx context.Context, id string) error {
	_, err := c.store.DeleteUser(ctx, &identitystore.DeleteUserInput{
		IdentityStoreId: sdk.String(c.Instance.IdentityStoreID), UserId: sdk.String(id),
	})
	if err != nil && codeOf(err) != gone {
		return explain("delete a user", err)
	}
	return nil
}

// DeleteGroup deletes a group with its memberships.
func (c *Center) DeleteGroup(ctx context.Context, id string) error {
	_, err := c.store.DeleteGroup(ctx, &identitystore.DeleteGroupInput{
		IdentityStoreId: sdk.String(c.Instance.IdentityStoreID), GroupId: sdk.String(id),
	})
	if err != nil && codeOf(err) != gone {
		return explain("delete a group", err)
	}
	return nil
}
