package identitystore

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// maxReads is how often an object is read again that somebody else has just changed.
const maxReads = 5 //bound:depth tries to change an object of an identity store that others change too

// active is what cannot be written.
const active = "active"

// Create implements provisioning.Target.
func (t *Target) Create(ctx context.Context, kind provisioning.Kind, attributes map[string]string) (string, error) {
	r := provisioning.Resource(kind, attributes)
	if kind == provisioning.Group {
		name := r.String("displayName")
		out, err := call(ctx, t, "CreateGroup", func(ctx context.Context) (*sdk.CreateGroupOutput, error) {
			return t.api.CreateGroup(ctx, &sdk.CreateGroupInput{IdentityStoreId: &t.store, DisplayName: &name})
		})
		if err != nil {
			return "", err
		}
		return aws.ToString(out.GroupId), nil
	}
	in, err := newUser(r)
	if err != nil {
		return "", err
	}
	in.IdentityStoreId = &t.store
	out, err := call(ctx, t, "CreateUser", func(ctx context.Context) (*sdk.CreateUserOutput, error) {
		return t.api.CreateUser(ctx, in)
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.UserId), nil
}

// Update implements provisioning.Target. To disable a user is to end all memberships, since nothing
// else can be written that ends access.
func (t *Target) Update(
	ctx context.Context, kind provisioning.Kind, id string, changes []provisioning.Change, _ map[string]string,
) error {
	var rest []provisioning.Change
	for _, c := range changes {
		switch {
		case c.Path != active:
			rest = append(rest, c)
		case strings.EqualFold(c.New, "false"):
			if err := t.leave(ctx, id); err != nil {
				return err
			}
		}
	}
	if len(rest) == 0 {
		return nil
	}
	for try := 1; ; try++ {
		err := t.update(ctx, kind, id, rest)
		if changed := new(concurrent); try == maxReads || !errors.As(err, &changed) {
			return err
		}
	}
}

// update changes an object as it is now, unless somebody else changes it meanwhile.
func (t *Target) update(
	ctx context.Context, kind provisioning.Kind, id string, changes []provisioning.Change,
) error {
	if kind == provisioning.Group {
		_, revision, err := t.group(ctx, id)
		if err != nil {
			return err
		}
		ops, err := groupOperations(changes)
		if err != nil || len(ops) == 0 {
			return err
		}
		_, err = call(ctx, t, "UpdateGroup", func(ctx context.Context) (*sdk.UpdateGroupOutput, error) {
			return t.api.UpdateGroup(ctx, &sdk.UpdateGroupInput{
				IdentityStoreId: &t.store, GroupId: &id, Operations: ops, Revision: revision,
			})
		})
		return err
	}
	there, revision, err := t.user(ctx, id)
	if err != nil {
		return err
	}
	ops, err := userOperations(there, changes)
	if err != nil || len(ops) == 0 {
		return err
	}
	_, err = call(ctx, t, "UpdateUser", func(ctx context.Context) (*sdk.UpdateUserOutput, error) {
		return t.api.UpdateUser(ctx, &sdk.UpdateUserInput{
			IdentityStoreId: &t.store, UserId: &id, Operations: ops, Revision: revision,
		})
	})
	return err
}

// leave ends all memberships of a user, whoever has made them.
func (t *Target) leave(ctx context.Context, id string) error {
	if _, _, err := t.user(ctx, id); err != nil { // of one who is not there, AWS may list none
		return err
	}
	all, err := call(ctx, t, "ListGroupMembershipsForMember",
		func(ctx context.Context) ([]types.GroupMembership, error) {
			return inventory.All(t.reader.MembershipsOf(ctx, id))
		})
	for _, m := range all {
		if err != nil {
			break
		}
		err = t.deleteMembership(ctx, m.MembershipId)
	}
	return err
}

func (t *Target) deleteMembership(ctx context.Context, id *string) error {
	_, err := call(ctx, t, "DeleteGroupMembership",
		func(ctx context.Context) (*sdk.DeleteGroupMembershipOutput, error) {
			return t.api.DeleteGroupMembership(ctx, &sdk.DeleteGroupMembershipInput{
				IdentityStoreId: &t.store, MembershipId: id,
			})
		})
	return unless(http.StatusNotFound, err)
}

// unless is an error of a request, unless it says what was wanted anyway.
func unless(status int, err error) error {
	if p := new(scim.Problem); errors.As(err, &p) && p.Status == status {
		return nil
	}
	return err
}

// Delete implements provisioning.Target.
func (t *Target) Delete(ctx context.Context, kind provisioning.Kind, id string) error {
	if kind == provisioning.Group {
		_, err := call(ctx, t, "DeleteGroup", func(ctx context.Context) (*sdk.DeleteGroupOutput, error) {
			return t.api.DeleteGroup(ctx, &sdk.DeleteGroupInput{IdentityStoreId: &t.store, GroupId: &id})
		})
		return err
	}
	_, err := call(ctx, t, "DeleteUser", func(ctx context.Context) (*sdk.DeleteUserOutput, error) {
		return t.api.DeleteUser(ctx, &sdk.DeleteUserInput{IdentityStoreId: &t.store, UserId: &id})
	})
	return err
}

// ChangeMembers implements provisioning.Target: AWS takes one at a time. Whoever is a member
// already, or none any more, is as wanted, so that all can be sent again.
func (t *Target) ChangeMembers(ctx context.Context, group string, add bool, ids []string) error {
	for _, id := range ids {
		if add {
			_, err := call(ctx, t, "CreateGroupMembership",
				func(ctx context.Context) (*sdk.CreateGroupMembershipOutput, error) {
					return t.api.CreateGroupMembership(ctx, &sdk.CreateGroupMembershipInput{
						IdentityStoreId: &t.store, GroupId: &group, MemberId: &types.MemberIdMemberUserId{Value: id},
					})
				})
			if err := unless(http.StatusConflict, err); err != nil {
				return err
			}
			continue
		}
		membership, err := t.membership(ctx, group, id)
		if err == nil {
			err = t.deleteMembership(ctx, membership)
		}
		if err == nil {
			continue
		}
		if err := unless(http.StatusNotFound, err); err != nil {
			return err
		}
		if _, _, err := t.group(ctx, group); err != nil { // it may be that which is not there
			return err
		}
	}
	return nil
}
