package inventory

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
)

// Instances lists the instances of a Region that the caller sees; with types.RegionScopeAllRegions,
// those of all.
func (r *Reader) Instances(ctx context.Context, scope types.RegionScope) Pages[types.InstanceMetadata] {
	return pages(ctx, "the instances", "",
		func(ctx context.Context, next *string) ([]types.InstanceMetadata, *string, error) {
			out, err := r.admin.ListInstances(ctx, &ssoadmin.ListInstancesInput{RegionScope: scope, NextToken: next})
			if err != nil {
				return nil, nil, err
			}
			return out.Instances, out.NextToken, nil
		})
}

// Instance describes the instance.
func (r *Reader) Instance(ctx context.Context) (*ssoadmin.DescribeInstanceOutput, error) {
	out, err := r.admin.DescribeInstance(ctx, &ssoadmin.DescribeInstanceInput{InstanceArn: &r.InstanceARN})
	if err != nil {
		return nil, unread(ctx, "the instance", err)
	}
	return out, nil
}

// Regions lists the Regions of the instance.
func (r *Reader) Regions(ctx context.Context) Pages[types.RegionMetadata] {
	return pages(ctx, "the Regions", "",
		func(ctx context.Context, next *string) ([]types.RegionMetadata, *string, error) {
			out, err := r.admin.ListRegions(ctx, &ssoadmin.ListRegionsInput{
				InstanceArn: &r.InstanceARN, NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.Regions, out.NextToken, nil
		})
}

// AccessControlAttributes reads the attributes for access control; nil where there are none.
func (r *Reader) AccessControlAttributes(ctx context.Context) ([]types.AccessControlAttribute, error) {
	out, err := r.admin.DescribeInstanceAccessControlAttributeConfiguration(ctx,
		&ssoadmin.DescribeInstanceAccessControlAttributeConfigurationInput{InstanceArn: &r.InstanceARN})
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, unread(ctx, "the attributes for access control", err)
	}
	if out.InstanceAccessControlAttributeConfiguration == nil {
		return nil, nil
	}
	return out.InstanceAccessControlAttributeConfiguration.AccessControlAttributes, nil
}

// missing says that AWS has not what was asked for.
func missing(err error) bool {
	var none *types.ResourceNotFoundException
	return errors.As(err, &none)
}

// Tags lists the tags of an object of the instance.
func (r *Reader) Tags(ctx context.Context, arn string) Pages[types.Tag] {
	return pages(ctx, "the tags", "", func(ctx context.Context, next *string) ([]types.Tag, *string, error) {
		out, err := r.admin.ListTagsForResource(ctx, &ssoadmin.ListTagsForResourceInput{
			InstanceArn: &r.InstanceARN, ResourceArn: &arn, NextToken: next,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Tags, out.NextToken, nil
	})
}

// PermissionSets lists the ARNs of the permission sets, beginning at a page.
func (r *Reader) PermissionSets(ctx context.Context, from string) Pages[string] {
	return pages(ctx, "the permission sets", from,
		func(ctx context.Context, next *string) ([]string, *string, error) {
			out, err := r.admin.ListPermissionSets(ctx, &ssoadmin.ListPermissionSetsInput{
				InstanceArn: &r.InstanceARN, MaxResults: aws.Int32(pageSize), NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.PermissionSets, out.NextToken, nil
		})
}

// PermissionSet describes a permission set, without its policies.
func (r *Reader) PermissionSet(ctx context.Context, arn string) (types.PermissionSet, error) {
	out, err := r.admin.DescribePermissionSet(ctx, &ssoadmin.DescribePermissionSetInput{
		InstanceArn: &r.InstanceARN, PermissionSetArn: &arn,
	})
	if err == nil && out.PermissionSet == nil {
		err = errNothing
	}
	if err != nil {
		return types.PermissionSet{PermissionSetArn: &arn}, unread(ctx, "a permission set", err)
	}
	return *out.PermissionSet, nil
}

// ManagedPolicies lists the AWS managed policies of a permission set.
func (r *Reader) ManagedPolicies(ctx context.Context, set string) Pages[types.AttachedManagedPolicy] {
	return pages(ctx, "the policies of a permission set", "",
		func(ctx context.Context, next *string) ([]types.AttachedManagedPolicy, *string, error) {
			out, err := r.admin.ListManagedPoliciesInPermissionSet(ctx,
				&ssoadmin.ListManagedPoliciesInPermissionSetInput{
					InstanceArn: &r.InstanceARN, PermissionSetArn: &set, NextToken: next,
				})
			if err != nil {
				return nil, nil, err
			}
			return out.AttachedManagedPolicies, out.NextToken, nil
		})
}

// CustomerManagedPolicies lists the policies of accounts that a permission set names.
func (r *Reader) CustomerManagedPolicies(
	ctx context.Context, set string,
) Pages[types.CustomerManagedPolicyReference] {
	return pages(ctx, "the customer managed policies of a permission set", "",
		func(ctx context.Context, next *string) ([]types.CustomerManagedPolicyReference, *string, error) {
			out, err := r.admin.ListCustomerManagedPolicyReferencesInPermissionSet(ctx,
				&ssoadmin.ListCustomerManagedPolicyReferencesInPermissionSetInput{
					InstanceArn: &r.InstanceARN, PermissionSetArn: &set, NextToken: next,
				})
			if err != nil {
				return nil, nil, err
			}
			return out.CustomerManagedPolicyReferences, out.NextToken, nil
		})
}

// InlinePolicy reads the policy that a permission set has itself; empty where it has none.
func (r *Reader) InlinePolicy(ctx context.Context, set string) (string, error) {
	out, err := r.admin.GetInlinePolicyForPermissionSet(ctx, &ssoadmin.GetInlinePolicyForPermissionSetInput{
		InstanceArn: &r.InstanceARN, PermissionSetArn: &set,
	})
	if err != nil {
		return "", unread(ctx, "the inline policy of a permission set", err)
	}
	return aws.ToString(out.InlinePolicy), nil
}

// PermissionsBoundary reads the boundary of a permission set; nil where it has none.
func (r *Reader) PermissionsBoundary(ctx context.Context, set string) (*types.PermissionsBoundary, error) {
	out, err := r.admin.GetPermissionsBoundaryForPermissionSet(ctx,
		&ssoadmin.GetPermissionsBoundaryForPermissionSetInput{InstanceArn: &r.InstanceARN, PermissionSetArn: &set})
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, unread(ctx, "the permissions boundary of a permission set", err)
	}
	return out.PermissionsBoundary, nil
}

// Provisioned lists the accounts where a permission set is, in a status; empty: in any.
func (r *Reader) Provisioned(ctx context.Context, set string, status types.ProvisioningStatus) Pages[string] {
	return pages(ctx, "the accounts of a permission set", "",
		func(ctx context.Context, next *string) ([]string, *string, error) {
			out, err := r.admin.ListAccountsForProvisionedPermissionSet(ctx,
				&ssoadmin.ListAccountsForProvisionedPermissionSetInput{
					InstanceArn: &r.InstanceARN, PermissionSetArn: &set, ProvisioningStatus: status,
					MaxResults: aws.Int32(pageSize), NextToken: next,
				})
			if err != nil {
				return nil, nil, err
			}
			return out.AccountIds, out.NextToken, nil
		})
}

// ProvisionedTo lists the permission sets that are in an account.
func (r *Reader) ProvisionedTo(ctx context.Context, account string) Pages[string] {
	return pages(ctx, "the permission sets of an account", "",
		func(ctx context.Context, next *string) ([]string, *string, error) {
			out, err := r.admin.ListPermissionSetsProvisionedToAccount(ctx,
				&ssoadmin.ListPermissionSetsProvisionedToAccountInput{
					InstanceArn: &r.InstanceARN, AccountId: &account, MaxResults: aws.Int32(pageSize), NextToken: next,
				})
			if err != nil {
				return nil, nil, err
			}
			return out.PermissionSets, out.NextToken, nil
		})
}

// Assignments lists who has a permission set in an account.
func (r *Reader) Assignments(ctx context.Context, account, set string) Pages[types.AccountAssignment] {
	return pages(ctx, "who has a permission set in account "+account, "",
		func(ctx context.Context, next *string) ([]types.AccountAssignment, *string, error) {
			out, err := r.admin.ListAccountAssignments(ctx, &ssoadmin.ListAccountAssignmentsInput{
				InstanceArn: &r.InstanceARN, AccountId: &account, PermissionSetArn: &set,
				MaxResults: aws.Int32(pageSize), NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.AccountAssignments, out.NextToken, nil
		})
}

// FailedAssignments lists the newest requests for assignments that failed, with what they asked
// for.
func (r *Reader) FailedAssignments(ctx context.Context, most int32) (all []types.AccountAssignmentOperationStatus,
	err error,
) {
	const what = "the failed assignments"
	out, err := r.admin.ListAccountAssignmentCreationStatus(ctx, &ssoadmin.ListAccountAssignmentCreationStatusInput{
		InstanceArn: &r.InstanceARN, Filter: &types.OperationStatusFilter{Status: types.StatusValuesFailed},
		MaxResults: &most,
	})
	if err != nil {
		return nil, unread(ctx, what, err)
	}
	for _, x := range out.AccountAssignmentsCreationStatus {
		one, err := r.admin.DescribeAccountAssignmentCreationStatus(ctx,
			&ssoadmin.DescribeAccountAssignmentCreationStatusInput{
				InstanceArn: &r.InstanceARN, AccountAssignmentCreationRequestId: x.RequestId,
			})
		if err == nil && one.AccountAssignmentCreationStatus == nil {
			err = errNothing
		}
		if err != nil {
			return all, unread(ctx, what, err)
		}
		all = append(all, *one.AccountAssignmentCreationStatus)
	}
	return all, nil
}

// FailedProvisioning lists the newest requests to provision a permission set that failed.
func (r *Reader) FailedProvisioning(ctx context.Context, most int32) (all []types.PermissionSetProvisioningStatus,
	err error,
) {
	const what = "the failed provisioning of permission sets"
	out, err := r.admin.ListPermissionSetProvisioningStatus(ctx, &ssoadmin.ListPermissionSetProvisioningStatusInput{
		InstanceArn: &r.InstanceARN, Filter: &types.OperationStatusFilter{Status: types.StatusValuesFailed},
		MaxResults: &most,
	})
	if err != nil {
		return nil, unread(ctx, what, err)
	}
	for _, x := range out.PermissionSetsProvisioningStatus {
		one, err := r.admin.DescribePermissionSetProvisioningStatus(ctx,
			&ssoadmin.DescribePermissionSetProvisioningStatusInput{
				InstanceArn: &r.InstanceARN, ProvisionPermissionSetRequestId: x.RequestId,
			})
		if err == nil && one.PermissionSetProvisioningStatus == nil {
			err = errNothing
		}
		if err != nil {
			return all, unread(ctx, what, err)
		}
		all = append(all, *one.PermissionSetProvisioningStatus)
	}
	return all, nil
}
