package inventory

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
)

// Enterprise is the extension of users that an identity store keeps.
const Enterprise = "aws:identitystore:enterprise"

// Users lists the users with their enterprise attributes, beginning at a page.
func (r *Reader) Users(ctx context.Context, from string) Pages[types.User] {
	return pages(ctx, "the users", from, func(ctx context.Context, next *string) ([]types.User, *string, error) {
		out, err := r.store.ListUsers(ctx, &identitystore.ListUsersInput{
			IdentityStoreId: &r.StoreID, MaxResults: aws.Int32(pageSize), NextToken: next,
			Extensions: []string{Enterprise},
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Users, out.NextToken, nil
	})
}

// Groups lists the groups, beginning at a page.
func (r *Reader) Groups(ctx context.Context, from string) Pages[types.Group] {
	return pages(ctx, "the groups", from, func(ctx context.Context, next *string) ([]types.Group, *string, error) {
		out, err := r.store.ListGroups(ctx, &identitystore.ListGroupsInput{
			IdentityStoreId: &r.StoreID, MaxResults: aws.Int32(pageSize), NextToken: next,
		})
		if err != nil {
			return nil, nil, err
		}
		return out.Groups, out.NextToken, nil
	})
}

// Members lists the memberships of a group, beginning at a page.
func (r *Reader) Members(ctx context.Context, group, from string) Pages[types.GroupMembership] {
	return pages(ctx, "the members of a group", from,
		func(ctx context.Context, next *string) ([]types.GroupMembership, *string, error) {
			out, err := r.store.ListGroupMemberships(ctx, &identitystore.ListGroupMembershipsInput{
				IdentityStoreId: &r.StoreID, GroupId: &group, MaxResults: aws.Int32(pageSize), NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.GroupMemberships, out.NextToken, nil
		})
}

// MembershipsOf lists the memberships of a user.
func (r *Reader) MembershipsOf(ctx context.Context, user string) Pages[types.GroupMembership] {
	return pages(ctx, "the memberships of a user", "",
		func(ctx context.Context, next *string) ([]types.GroupMembership, *string, error) {
			out, err := r.store.ListGroupMembershipsForMember(ctx, &identitystore.ListGroupMembershipsForMemberInput{
				IdentityStoreId: &r.StoreID, MemberId: &types.MemberIdMemberUserId{Value: user},
				MaxResults: aws.Int32(pageSize), NextToken: next,
			})
			if err != nil {
				return nil, nil, err
			}
			return out.GroupMemberships, out.NextToken, nil
		})
}

// MemberID is the user of a membership; empty where the member is something else.
func MemberID(m types.GroupMembership) string {
	if id, ok := m.MemberId.(*types.MemberIdMemberUserId); ok {
		return id.Value
	}
	return ""
}

// Network reads which networks may call the store; nil where there is no control.
func (r *Reader) Network(ctx context.Context) (*types.NetworkConfigurationDetails, error) {
	out, err := r.store.DescribeIdentityStore(ctx,
		&identitystore.DescribeIdentityStoreInput{IdentityStoreId: &r.StoreID})
	if err != nil {
		return nil, unread(ctx, "the network controls", err)
	}
	return out.NetworkConfiguration, nil
}
