package aws

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/connect"
)

// discovery reads in parallel. The first error ends all of it.
type discovery struct {
	*Center

	progress func(done, total int)
	mu       sync.Mutex
	read     int // answers
	total    int // answers that are known to be needed
	out      connect.Snapshot
}

// Discover reads users, groups, memberships, permission sets and assignments. It changes nothing.
// progress is told how many requests were answered, of those that are known to be needed.
func (c *Center) Discover(ctx context.Context, progress func(done, total int)) (connect.Snapshot, error) {
	d := &discovery{Center: c, progress: progress, total: 3}
	d.out = connect.Snapshot{
		Taken:           time.Now().UTC().Truncate(time.Second),
		InstanceARN:     c.Instance.ARN,
		IdentityStoreID: c.Instance.IdentityStoreID,
		Region:          c.Instance.Region,
		AccountID:       c.Instance.OwnerAccountID,
		Caller:          c.Caller,
	}
	parts := []func(context.Context) error{d.users, d.groups, d.assignments}
	err := inventory.Parallel(ctx, inventory.List(parts), func(ctx context.Context, part func(context.Context) error,
	) error {
		return part(ctx)
	})
	if err != nil {
		return connect.Snapshot{}, explain("read who is there", err)
	}
	if progress != nil {
		progress(d.read, d.read)
	}
	d.sort()
	c.discovered.Store(&d.out.Users)
	return d.out, nil
}

// answered counts an answer.
func (d *discovery) answered() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read++
	d.total = max(d.total, d.read+1)
	if d.progress != nil {
		d.progress(d.read, d.total)
	}
}

// every hands over the items of each page.
func every[T any](d *discovery, list inventory.Pages[T], keep func(T)) error {
	for page, err := range list {
		if err != nil {
			return err
		}
		d.answered()
		d.mu.Lock()
		for _, item := range page.Items {
			keep(item)
		}
		d.mu.Unlock()
	}
	return nil
}

func (d *discovery) users(ctx context.Context) error {
	return every(d, d.reader.Users(ctx, ""), func(u idtypes.User) { d.out.Users = append(d.out.Users, userOf(u)) })
}

func userOf(u idtypes.User) connect.StoreUser {
	out := connect.StoreUser{
		ID:          sdk.ToString(u.UserId),
		UserName:    sdk.ToString(u.UserName),
		DisplayName: sdk.ToString(u.DisplayName),
		ExternalIDs: externalIDs(u.ExternalIds),
		Disabled:    u.UserStatus == idtypes.UserStatusDisabled,
	}
	if u.Name != nil {
		out.GivenName, out.FamilyName = sdk.ToString(u.Name.GivenName), sdk.ToString(u.Name.FamilyName)
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
	var all []connect.StoreGroup
	err := every(d, d.reader.Groups(ctx, ""), func(g idtypes.Group) {
		all = append(all, connect.StoreGroup{
			ID: sdk.ToString(g.GroupId), DisplayName: sdk.ToString(g.DisplayName),
			ExternalIDs: externalIDs(g.ExternalIds),
		})
	})
	if err != nil {
		return err
	}
	d.needs(len(all))
	return inventory.Parallel(ctx, inventory.List(all), func(ctx context.Context, g connect.StoreGroup) error {
		g.Members = []string{}
		err := every(d, d.reader.Members(ctx, g.ID, ""), func(m idtypes.GroupMembership) {
			if id := inventory.MemberID(m); id != "" {
				g.Members = append(g.Members, id)
			}
		})
		if err != nil {
			return err
		}
		slices.Sort(g.Members)
		d.mu.Lock()
		d.out.Groups = append(d.out.Groups, g)
		d.mu.Unlock()
		return nil
	})
}

// needs says that so many answers more are needed.
func (d *discovery) needs(answers int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.total += answers
}

// assignments reads the permission sets, where each is provisioned, and who has it there.
func (d *discovery) assignments(ctx context.Context) error {
	if d.Instance.NoPermissionSets {
		return nil
	}
	var sets []string
	if err := every(d, d.reader.PermissionSets(ctx, ""), func(arn string) { sets = append(sets, arn) }); err != nil {
		return err
	}
	d.needs(3 * len(sets))
	return inventory.Parallel(ctx, inventory.List(sets), d.permissionSet)
}

func (d *discovery) permissionSet(ctx context.Context, arn string) error {
	described, err := d.reader.PermissionSet(ctx, arn)
	if err != nil {
		return err
	}
	d.answered()
	set := connect.PermissionSet{ARN: arn, Name: sdk.ToString(described.Name)}
	err = every(d, d.reader.ManagedPolicies(ctx, arn), func(p types.AttachedManagedPolicy) {
		set.ManagedPolicies = append(set.ManagedPolicies, sdk.ToString(p.Arn))
	})
	if err != nil {
		return err
	}
	var accounts []string
	err = every(d, d.reader.Provisioned(ctx, arn, ""), func(id string) { accounts = append(accounts, id) })
	if err != nil {
		return err
	}
	d.needs(len(accounts))
	for _, account := range accounts {
		err := every(d, d.reader.Assignments(ctx, account, arn), func(a types.AccountAssignment) {
			d.out.Assignments = append(d.out.Assignments, assignmentOf(a))
		})
		if err != nil {
			return err
		}
	}
	d.mu.Lock()
	d.out.PermissionSets = append(d.out.PermissionSets, set)
	d.mu.Unlock()
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
