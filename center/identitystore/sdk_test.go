package identitystore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
)

// sdk is AWS's own client of the API, which signs with the time of day.
func (a *api) sdk() *identitystore.Client {
	a.center.Now = time.Now
	return identitystore.New(identitystore.Options{
		Region:           "us-east-1",
		BaseEndpoint:     &a.url,
		RetryMaxAttempts: 1,
		Credentials:      credentials.NewStaticCredentialsProvider(a.key.ID, a.secret, ""),
	})
}

// answered fails the test when an operation has failed.
func answered[Out any](t *testing.T, out Out, err error) Out {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func conflicts(t *testing.T, what string, err error) {
	t.Helper()
	var conflict *types.ConflictException
	if !errors.As(err, &conflict) || conflict.Reason != types.ConflictExceptionReasonConcurrentModification {
		t.Errorf("%s: %v, want a ConflictException because of a concurrent modification", what, err)
	}
}

// TestARevisionLocksUsersAndGroups: whoever names the revision that they have read overwrites
// nobody's change, and every answer has the revision.
func TestARevisionLocksUsersAndGroups(t *testing.T) {
	a := newAPI(t)
	ctx, client := context.Background(), a.sdk()
	store := &a.center.Instance.IdentityStoreID
	set := func(path, value string) []types.AttributeOperation {
		return []types.AttributeOperation{
			{AttributePath: &path, AttributeValue: document.NewLazyDocument(value)},
		}
	}
	user, err := client.CreateUser(ctx, &identitystore.CreateUserInput{
		IdentityStoreId: store, UserName: aws.String("ada"), DisplayName: aws.String("Ada"),
		Name: &types.Name{GivenName: aws.String("Ada"), FamilyName: aws.String("King")},
	})
	first := answered(t, user, err).Revision
	update := func(revision *string, title string) (*identitystore.UpdateUserOutput, error) {
		return client.UpdateUser(ctx, &identitystore.UpdateUserInput{
			IdentityStoreId: store, UserId: user.UserId, Revision: revision, Operations: set("title", title),
		})
	}
	updated, err := update(first, "Countess")
	second := answered(t, updated, err).Revision
	_, err = update(first, "Analyst")
	conflicts(t, "an update of a user with an old revision", err)
	_, err = update(aws.String("zzz"), "Analyst")
	conflicts(t, "an update of a user with a revision that never was", err)
	described, err := client.DescribeUser(ctx, &identitystore.DescribeUserInput{
		IdentityStoreId: store, UserId: user.UserId,
	})
	if answered(t, described, err); *described.Title != "Countess" || *described.Revision != *second {
		t.Errorf("after two refused updates: %s of %s, want %s", *described.Title, *described.Revision, *second)
	}
	// What others change, by whatever way, counts too.
	if _, err := a.center.UpdateUser(ctx, audit.SystemActor, center.UserID(*user.UserId), func(u *center.User) error {
		u.NickName = "A"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	_, err = client.DeleteUser(ctx, &identitystore.DeleteUserInput{
		IdentityStoreId: store, UserId: user.UserId, Revision: second,
	})
	conflicts(t, "the deletion of a user with an old revision", err)
	listed, err := client.ListUsers(ctx, &identitystore.ListUsersInput{IdentityStoreId: store})
	third := answered(t, listed, err).Users[0].Revision
	if _, err := update(nil, "Analyst"); err != nil {
		t.Errorf("an update without a revision: %v", err)
	}
	if *third == *second || *second == *first {
		t.Errorf("the revisions are %s, %s, %s", *first, *second, *third)
	}

	group, err := client.CreateGroup(ctx, &identitystore.CreateGroupInput{
		IdentityStoreId: store, DisplayName: aws.String("Crew"),
	})
	first = answered(t, group, err).Revision
	regroup := func(revision *string) (*identitystore.UpdateGroupOutput, error) {
		return client.UpdateGroup(ctx, &identitystore.UpdateGroupInput{
			IdentityStoreId: store, GroupId: group.GroupId, Revision: revision, Operations: set("description", "All"),
		})
	}
	grouped, err := regroup(first)
	second = answered(t, grouped, err).Revision
	_, err = regroup(first)
	conflicts(t, "an update of a group with an old revision", err)
	remove := func(revision *string) error {
		_, err := client.DeleteGroup(ctx, &identitystore.DeleteGroupInput{
			IdentityStoreId: store, GroupId: group.GroupId, Revision: revision,
		})
		return err
	}
	conflicts(t, "the deletion of a group with an old revision", remove(first))
	seen, err := client.DescribeGroup(ctx, &identitystore.DescribeGroupInput{
		IdentityStoreId: store, GroupId: group.GroupId,
	})
	if answered(t, seen, err); *seen.Revision != *second {
		t.Errorf("the group's revision is %s, want %s", *seen.Revision, *second)
	}
	if err := remove(second); err != nil {
		t.Errorf("the deletion of a group with its revision: %v", err)
	}
}

// TestARNsNameWhatIDsName: every id in a request may be an ARN, and answers have both.
func TestARNsNameWhatIDsName(t *testing.T) {
	a := newAPI(t)
	ctx, client := context.Background(), a.sdk()
	stores, err := client.ListIdentityStores(ctx, &identitystore.ListIdentityStoresInput{})
	answered(t, stores, err)
	i := a.center.Instance
	store := stores.IdentityStores[0].IdentityStoreArn
	if len(stores.IdentityStores) != 1 || *stores.IdentityStores[0].IdentityStoreId != i.IdentityStoreID ||
		*store != "arn:aws:identitystore::"+i.OwnerAccountID+":identitystore/"+i.IdentityStoreID {
		t.Fatalf("the stores are %+v", stores.IdentityStores)
	}
	described, err := client.DescribeIdentityStore(
		ctx, &identitystore.DescribeIdentityStoreInput{IdentityStoreId: store},
	)
	if answered(t, described, err); *described.IdentityStoreArn != *store {
		t.Errorf("the store is %+v", described)
	}
	user, err := client.CreateUser(ctx, &identitystore.CreateUserInput{
		IdentityStoreId: store, UserName: aws.String("ada"), DisplayName: aws.String("Ada"),
		Name: &types.Name{GivenName: aws.String("Ada"), FamilyName: aws.String("King")},
	})
	answered(t, user, err)
	group, err := client.CreateGroup(ctx, &identitystore.CreateGroupInput{
		IdentityStoreId: store, DisplayName: aws.String("Crew"),
	})
	answered(t, group, err)
	if *user.UserArn != "arn:aws:identitystore:::user/"+*user.UserId || *user.IdentityStoreId != i.IdentityStoreID ||
		*group.GroupArn != "arn:aws:identitystore:::group/"+*group.GroupId {
		t.Errorf("the user %s of %s, the group %s", *user.UserArn, *user.IdentityStoreId, *group.GroupArn)
	}
	member := &types.MemberIdMemberUserId{Value: *user.UserArn}
	made, err := client.CreateGroupMembership(ctx, &identitystore.CreateGroupMembershipInput{
		IdentityStoreId: store, GroupId: group.GroupArn, MemberId: member,
	})
	if answered(t, made, err); *made.MembershipArn != "arn:aws:identitystore:::membership/"+*made.MembershipId {
		t.Errorf("the membership is %s", *made.MembershipArn)
	}
	is, err := client.IsMemberInGroups(ctx, &identitystore.IsMemberInGroupsInput{
		IdentityStoreId: store, GroupIds: []string{*group.GroupArn, *group.GroupId}, MemberId: member,
	})
	for _, r := range answered(t, is, err).Results {
		if !r.MembershipExists || *r.GroupId != *group.GroupId {
			t.Errorf("the member is in the group: %v, which is %s", r.MembershipExists, *r.GroupId)
		}
	}
	of, err := client.ListGroupMembershipsForMember(ctx, &identitystore.ListGroupMembershipsForMemberInput{
		IdentityStoreId: store, MemberId: member,
	})
	in, err2 := client.ListGroupMemberships(ctx, &identitystore.ListGroupMembershipsInput{
		IdentityStoreId: store, GroupId: group.GroupArn,
	})
	if err := errors.Join(err, err2); err != nil || len(of.GroupMemberships) != 1 || len(in.GroupMemberships) != 1 ||
		*in.GroupMemberships[0].MembershipArn != *made.MembershipArn {
		t.Errorf("the memberships by ARN: %v", err)
	}
	if _, err := client.DeleteGroupMembership(ctx, &identitystore.DeleteGroupMembershipInput{
		IdentityStoreId: store, MembershipId: made.MembershipArn,
	}); err != nil {
		t.Errorf("the membership by ARN: %v", err)
	}
	for what, id := range map[string]string{
		"ResourceNotFoundException": "arn:aws:identitystore:::group/" + *user.UserId,
		"ValidationException":       "arn:aws:identitystore:::role/" + *user.UserId,
	} {
		_, err := client.DescribeUser(ctx, &identitystore.DescribeUserInput{IdentityStoreId: store, UserId: &id})
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != what {
			t.Errorf("a user named %s: %v, want %s", id, err, what)
		}
	}
	foreign := "arn:aws:identitystore::999999999999:identitystore/" + i.IdentityStoreID
	_, err = client.DescribeIdentityStore(ctx, &identitystore.DescribeIdentityStoreInput{IdentityStoreId: &foreign})
	var none *types.ResourceNotFoundException
	if !errors.As(err, &none) {
		t.Errorf("another account's store: %v", err)
	}
	if _, err := client.DeleteUser(ctx, &identitystore.DeleteUserInput{
		IdentityStoreId: store, UserId: user.UserArn,
	}); err != nil {
		t.Errorf("the user by ARN: %v", err)
	}
}
