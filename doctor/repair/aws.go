package repair

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/gatehouse-id/gatehouse/doctor"
)

// fingerprint is how a center names a certificate.
func fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

func (w *worker) renameUser(ctx context.Context, r doctor.Repair) error {
	now, err := w.store.DescribeUser(ctx, &identitystore.DescribeUserInput{
		IdentityStoreId: &w.StoreID, UserId: aws.String(r.With["UserId"]),
	})
	if err != nil {
		return err
	}
	if needed, err := r.Needed([]string{aws.ToString(now.UserName)}, []string{r.With["userName"]}); !needed {
		return err
	}
	_, err = w.store.UpdateUser(ctx, &identitystore.UpdateUserInput{
		IdentityStoreId: &w.StoreID, UserId: aws.String(r.With["UserId"]),
		Operations: []idtypes.AttributeOperation{{
			AttributePath: aws.String("userName"), AttributeValue: document.NewLazyDocument(r.With["userName"]),
		}},
	})
	return err
}

func (w *worker) enableUser(ctx context.Context, r doctor.Repair) error {
	return w.Admin.EnableUser(ctx, r.With["UserId"])
}

func (w *worker) disableUser(ctx context.Context, r doctor.Repair) error {
	return w.Admin.DisableUser(ctx, r.With["UserId"])
}

func (w *worker) addMember(ctx context.Context, r doctor.Repair) error {
	_, err := w.store.CreateGroupMembership(ctx, &identitystore.CreateGroupMembershipInput{
		IdentityStoreId: &w.StoreID, GroupId: aws.String(r.With["GroupId"]),
		MemberId: &idtypes.MemberIdMemberUserId{Value: r.With["UserId"]},
	})
	var there *idtypes.ConflictException
	if errors.As(err, &there) {
		return nil
	}
	return err
}

func (w *worker) removeMember(ctx context.Context, r doctor.Repair) error {
	var gone *idtypes.ResourceNotFoundException
	found, err := w.store.GetGroupMembershipId(ctx, &identitystore.GetGroupMembershipIdInput{
		IdentityStoreId: &w.StoreID, GroupId: aws.String(r.With["GroupId"]),
		MemberId: &idtypes.MemberIdMemberUserId{Value: r.With["UserId"]},
	})
	if err == nil {
		_, err = w.store.DeleteGroupMembership(ctx, &identitystore.DeleteGroupMembershipInput{
			IdentityStoreId: &w.StoreID, MembershipId: found.MembershipId,
		})
	}
	if errors.As(err, &gone) {
		return nil
	}
	return err
}

// provisionSet provisions a permission set to every account that has it, and waits for the end.
func (w *worker) provisionSet(ctx context.Context, r doctor.Repair) error {
	begun, err := w.admin.ProvisionPermissionSet(ctx, &ssoadmin.ProvisionPermissionSetInput{
		InstanceArn: &w.InstanceARN, PermissionSetArn: aws.String(r.With["PermissionSetArn"]),
		TargetType: types.ProvisionTargetTypeAllProvisionedAccounts,
	})
	if err != nil {
		return err
	}
	return waits(ctx, func(ctx context.Context) (bool, error) {
		out, err := w.admin.DescribePermissionSetProvisioningStatus(ctx,
			&ssoadmin.DescribePermissionSetProvisioningStatusInput{
				InstanceArn:                     &w.InstanceARN,
				ProvisionPermissionSetRequestId: begun.PermissionSetProvisioningStatus.RequestId,
			})
		if err != nil {
			return false, err
		}
		return ended(out.PermissionSetProvisioningStatus.Status,
			out.PermissionSetProvisioningStatus.FailureReason)
	})
}

func ended(status types.StatusValues, why *string) (bool, error) {
	if status == types.StatusValuesFailed {
		return true, errors.New(aws.ToString(why))
	}
	return status == types.StatusValuesSucceeded, nil
}

func (w *worker) deleteAssignment(ctx context.Context, r doctor.Repair) error {
	begun, err := w.admin.DeleteAccountAssignment(ctx, &ssoadmin.DeleteAccountAssignmentInput{
		InstanceArn: &w.InstanceARN, PermissionSetArn: aws.String(r.With["PermissionSetArn"]),
		TargetId: aws.String(r.With["AccountId"]), TargetType: types.TargetTypeAwsAccount,
		PrincipalId: aws.String(r.With["PrincipalId"]), PrincipalType: types.PrincipalType(r.With["PrincipalType"]),
	})
	if err != nil {
		var gone *types.ResourceNotFoundException
		if errors.As(err, &gone) {
			return nil
		}
		return err
	}
	return waits(ctx, func(ctx context.Context) (bool, error) {
		out, err := w.admin.DescribeAccountAssignmentDeletionStatus(ctx,
			&ssoadmin.DescribeAccountAssignmentDeletionStatusInput{
				InstanceArn:                        &w.InstanceARN,
				AccountAssignmentDeletionRequestId: begun.AccountAssignmentDeletionStatus.RequestId,
			})
		if err != nil {
			return false, err
		}
		return ended(out.AccountAssignmentDeletionStatus.Status, out.AccountAssignmentDeletionStatus.FailureReason)
	})
}
