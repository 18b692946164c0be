package aws

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/gatehouse-id/gatehouse/connect"
)

// What has a quota of its own: sso-admin as a whole, and each operation of identitystore.
const (
	ofAdmin   = "sso-admin"
	ofUsers   = "ListUsers"
	ofGroups  = "ListGroups"
	ofMembers = "ListGroupMemberships"
)

// atOnce is how many requests to one API are under way together.
const atOnce = 8 //bound:none requests under way together; the quota is the bound

// discovery reads in parallel. The first error ends all of it.
type discovery struct {
	*Center

	cancel   context.CancelFunc
	progress func(done, total int)
	mu       sync.Mutex
	read     int // requests that were sent
	total    int // requests that are known to be needed
	err      error
	out      connect.Snapshot
}

// Discover reads users, groups, memberships, permission sets and assignments. It changes nothing.
// progress is told how many requests were answered, of those that are known to be needed.
func (c *Center) Discover(ctx context.Context, progress func(done, total int)) (connect.Snapshot, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	d := &discovery{Center: c, cancel: cancel, progress: progress, total: 3}
	d.out = connect.Snapshot{
		Taken:           time.Now().UTC().Truncate(time.Second),
		InstanceARN:     c.Instance.ARN,
		IdentityStoreID: c.Instance.IdentityStoreID,
		Region:          c.Instance.Region,
		AccountID:       c.Instance.OwnerAccountID,
		Caller:          c.Caller,
	}
	var parts sync.WaitGroup
	for _, part := range []func(context.Context) error{d.users, d.groups, d.assignments} {
		parts.Go(func() { d.keep(part(ctx)) })
	}
	parts.Wait()
	if d.err != nil {
		return connect.Snapshot{}, d.err
	}
	if progress != nil {
		progress(d.read, d.read)
	}
	d.sort()
	c.discovered.Store(&d.out.Users)
	return d.out, nil
}

// keep remembers the first error, and ends what else is going on.
func (d *discovery) keep(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err != nil && d.err == nil {
		d.err = err
		d.cancel()
	}
}

// ask waits for its turn at an API.
func (d *discovery) ask(ctx context.Context, api string) error {
	if err := d.paces[api].Wait(ctx); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read++
	d.total = max(d.total, d.read+1)
	if d.progress != nil {
		d.progress(d.read, d.total)
	}
	return nil
}

// needs says that so many requests more are needed.
func (d *discovery) needs(requests int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total += requests
}

// each calls do for every item, several at a time.
func each[T any](ctx context.Context, d *discovery, items []T, do func(context.Context, T) error) error {
	queue := make(chan T)
	var workers sync.WaitGroup
	for range min(atOnce, len(items)) {
		workers.Go(func() {
			for item := range queue {
				d.keep(do(ctx, item))
			}
		})
	}
	for _, item := range items {
		if ctx.Err() != nil {
			break
		}
		queue <- item
	}
	close(queue)
	workers.Wait()
	return ctx.Err()
}

func (d *discovery) users(ctx context.Context) error {
	pages := identitystore.NewListUsersPaginator(d.store, &identitystore.ListUsersInput{
		IdentityStoreId: &d.Instance.IdentityStoreID, MaxResults: sdk.Int32(100),
	})
	for pages.HasMorePages() {
		if err := d.ask(ctx, ofUsers); err != nil {
			return err
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return explain("list the users", err)
		}
		for _, u := range page.Users {
			d.out.Users = append(d.out.Users, userOf(u))
		}
	}
	return nil
}

func userOf(u idtypes.User) connect.StoreUser {
	out := connect.StoreUser{
		ID:          sdk.ToString(u.UserId),
		UserName:    sdk.ToString(u.UserName),
		DisplayName: sdk.ToString(u.DisplayName),
		ExternalIDs: externalIDs(u.ExternalIds),
		Disabled:    u.UserStatus == idtypes.UserStatusDisabled,
	}
	for _, e := range u.Emails {
		if out.Email == "" || e.Primary {
			out.Email = sdk.ToString(e.Value)
		}
	}
	return out
}

func externalIDs(list []idtypes.ExternalId) (out []connect.ExternalID) {
	for _, x := range list {
		out = append(out, connect.ExternalID{Issuer: sdk.ToString(x.Issuer), ID: sdk.ToString(x.Id)})
	}
	return out
}

func (d *discovery) groups(ctx context.Context) error {
	pages := identitystore.NewListGroupsPaginator(d.store, &identitystore.ListGroupsInput{
		IdentityStoreId: &d.Instance.IdentityStoreID, MaxResults: sdk.Int32(100),
	})
	var all []connect.StoreGroup
	for pages.HasMorePages() {
		if err := d.ask(ctx, ofGroups); err != nil {
			return err
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return explain("list the groups", err)
		}
		for _, g := range page.Groups {
			all = append(all, connect.StoreGroup{
				ID: sdk.ToString(g.GroupId), DisplayName: sdk.ToString(g.DisplayName),
				ExternalIDs: externalIDs(g.ExternalIds),
			})
		}
	}
	d.needs(len(all))
	return each(ctx, d, all, func(ctx context.Context, g connect.StoreGroup) error {
		members, err := d.members(ctx, g.ID)
		if err != nil {
			return err
		}
		g.Members = members
		d.mu.Lock()
		d.out.Groups = append(d.out.Groups, g)
		d.mu.Unlock()
		return nil
	})
}

func (d *discovery) members(ctx context.Context, group string) (ids []string, err error) {
	ids = []string{}
	pages := identitystore.NewListGroupMembershipsPaginator(d.store, &identitystore.ListGroupMembershipsInput{
		IdentityStoreId: &d.Instance.IdentityStoreID, GroupId: &group, MaxResults: sdk.Int32(100),
	})
	for pages.HasMorePages() {
		if err := d.ask(ctx, ofMembers); err != nil {
			return nil, err
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, explain("list the members of a group", err)
		}
		for _, m := range page.GroupMemberships {
			if id, ok := m.MemberId.(*idtypes.MemberIdMemberUserId); ok {
				ids = append(ids, id.Value)
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// assignments reads the permission sets, where each is provisioned, and who has it there.
func (d *discovery) assignments(ctx context.Context) error {
	if d.Instance.NoPermissionSets {
		return nil
	}
	var sets []string
	pages := ssoadmin.NewListPermissionSetsPaginator(
		d.admin, &ssoadmin.ListPermissionSetsInput{InstanceArn: &d.Instance.ARN, MaxResults: sdk.Int32(100)},
	)
	for pages.HasMorePages() {
		if err := d.ask(ctx, ofAdmin); err != nil {
			return err
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return explain("list the permission sets", err)
		}
		sets = append(sets, page.PermissionSets...)
	}
	d.needs(3 * len(sets))
	return each(ctx, d, sets, d.permissionSet)
}

func (d *discovery) permissionSet(ctx context.Context, arn string) error {
	if err := d.ask(ctx, ofAdmin); err != nil {
		return err
	}
	in := &ssoadmin.DescribePermissionSetInput{InstanceArn: &d.Instance.ARN, PermissionSetArn: &arn}
	described, err := d.admin.DescribePermissionSet(ctx, in)
	if err != nil {
		return explain("describe a permission set", err)
	}
	set := connect.PermissionSet{ARN: arn, Name: sdk.ToString(described.PermissionSet.Name)}
	policies := ssoadmin.NewListManagedPoliciesInPermissionSetPaginator(
		d.admin,
		&ssoadmin.ListManagedPoliciesInPermissionSetInput{InstanceArn: &d.Instance.ARN, PermissionSetArn: &arn},
	)
	for policies.HasMorePages() {
		if err := d.ask(ctx, ofAdmin); err != nil {
			return err
		}
		page, err := policies.NextPage(ctx)
		if err != nil {
			return explain("list the policies of "+set.Name, err)
		}
		for _, p := range page.AttachedManagedPolicies {
			set.ManagedPolicies = append(set.ManagedPolicies, sdk.ToString(p.Arn))
		}
	}
	accounts := ssoadmin.NewListAccountsForProvisionedPermissionSetPaginator(
		d.admin, &ssoadmin.ListAccountsForProvisionedPermissionSetInput{
			InstanceArn: &d.Instance.ARN, PermissionSetArn: &arn, MaxResults: sdk.Int32(100),
		},
	)
	for accounts.HasMorePages() {
		if err := d.ask(ctx, ofAdmin); err != nil {
			return err
		}
		page, err := accounts.NextPage(ctx)
		if err != nil {
			return explain("list the accounts of "+set.Name, err)
		}
		d.needs(len(page.AccountIds))
		for _, account := range page.AccountIds {
			if err := d.assigned(ctx, account, set); err != nil {
				return err
			}
		}
	}
	d.mu.Lock()
	d.out.PermissionSets = append(d.out.PermissionSets, set)
	d.mu.Unlock()
	return nil
}

func (d *discovery) assigned(ctx context.Context, account string, set connect.PermissionSet) error {
	pages := ssoadmin.NewListAccountAssignmentsPaginator(d.admin, &ssoadmin.ListAccountAssignmentsInput{
		InstanceArn: &d.Instance.ARN, AccountId: &account, PermissionSetArn: &set.ARN, MaxResults: sdk.Int32(100),
	})
	for pages.HasMorePages() {
		if err := d.ask(ctx, ofAdmin); err != nil {
			return err
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return explain("list who has "+set.Name+" in account "+account, err)
		}
		d.mu.Lock()
		for _, a := range page.AccountAssignments {
			d.out.Assignments = append(d.out.Assignments, assignmentOf(a))
		}
		d.mu.Unlock()
	}
	return nil
}

func assignmentOf(a types.AccountAssignment) connect.Assignment {
	return connect.Assignment{
		AccountID: sdk.ToString(a.AccountId), PermissionSetARN: sdk.ToString(a.PermissionSetArn),
		PrincipalType: string(a.PrincipalType), PrincipalID: sdk.ToString(a.PrincipalId),
	}
}

// sort makes two snapshots of the same state the same.
func (d *discovery) sort() {
	slices.SortFunc(d.out.Users, func(a, b connect.StoreUser) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(d.out.Groups, func(a, b connect.StoreGroup) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(d.out.PermissionSets, func(a, b connect.PermissionSet) int { return cmp.Compare(a.ARN, b.ARN) })
	slices.SortFunc(d.out.Assignments, func(a, b connect.Assignment) int {
		return cmp.Or(
			cmp.Compare(a.AccountID, b.AccountID), cmp.Compare(a.PermissionSetARN, b.PermissionSetARN),
			cmp.Compare(a.PrincipalID, b.PrincipalID),
		)
	})
}
