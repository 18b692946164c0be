package mirror

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	orgtypes "github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/center"
)

func tagsOf(list []types.Tag) (tags []center.Tag) {
	for _, t := range list {
		tags = append(tags, center.Tag{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
	}
	return tags
}

// accounts copies the accounts with the units that they are in. Whoever may not read the units, or
// is in no organization, gets the accounts alone, or those that have permission sets.
func (m *Mirror) accounts(ctx context.Context) error {
	units := map[string][]center.Unit{}
	roots, err := inventory.All(m.Reader.Roots(ctx))
	for _, r := range roots {
		if err == nil {
			err = m.unit(ctx, units, aws.ToString(r.Id), []center.Unit{{ID: aws.ToString(r.Id),
				Name: aws.ToString(r.Name)}})
		}
	}
	if err = m.without(m.unlessAlone(err)); err != nil {
		return err
	}
	for page, err := range m.Reader.Accounts(ctx) {
		if err != nil {
			return m.unlessAlone(err)
		}
		accounts := make([]center.Account, len(page.Items))
		for i, a := range page.Items {
			accounts[i] = center.Account{
				ID: aws.ToString(a.Id), Name: aws.ToString(a.Name), Email: aws.ToString(a.Email),
				Suspended: closed(a), Units: units[aws.ToString(a.Id)],
			}
		}
		err = put(ctx, m, Accounts, accounts,
			func(l []center.Account) center.Replica { return center.Replica{Accounts: l} },
			func(a center.Account) string { return a.ID })
		if err != nil {
			return err
		}
	}
	return nil
}

// unlessAlone forgives that there is no organization.
func (m *Mirror) unlessAlone(err error) error {
	var alone *orgtypes.AWSOrganizationsNotInUseException
	if errors.As(err, &alone) {
		return nil
	}
	return err
}

func closed(a orgtypes.Account) bool {
	return a.State == orgtypes.AccountStateSuspended || a.State == orgtypes.AccountStateClosed ||
		a.Status == orgtypes.AccountStatusSuspended
}

// maxDepth bounds how deep units lie. Source: AWS Organizations, quotas.
const maxDepth = 6 //bound:depth units of an organization that are copied, with the root

// unit notes which accounts are in a unit and in those below.
func (m *Mirror) unit(ctx context.Context, units map[string][]center.Unit, id string, path []center.Unit) error {
	for a, err := range inventory.Each(m.Reader.AccountsIn(ctx, id)) {
		if err != nil {
			return err
		}
		units[aws.ToString(a.Id)] = path
	}
	if len(path) == maxDepth {
		return nil
	}
	for u, err := range inventory.Each(m.Reader.Units(ctx, id)) {
		if err != nil {
			return err
		}
		here := center.Unit{ID: aws.ToString(u.Id), Name: aws.ToString(u.Name)}
		below := append(slices.Clone(path), here)
		if err := m.unit(ctx, units, aws.ToString(u.Id), below); err != nil {
			return err
		}
	}
	return nil
}

// permissionSets copies permission sets, and who has each of them where.
func (m *Mirror) permissionSets(ctx context.Context) error {
	for page, err := range m.Reader.PermissionSets(ctx, m.next(PermissionSets)) {
		if err != nil {
			return err
		}
		if err := inventory.Parallel(ctx, inventory.List(page.Items), m.permissionSet); err != nil {
			return err
		}
		if err := m.goOn(PermissionSets, page.Next, page.Items); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mirror) permissionSet(ctx context.Context, arn string) error {
	if m.isDone(arn) {
		return nil
	}
	described, err := m.Reader.PermissionSet(ctx, arn)
	if err != nil {
		return m.without(err)
	}
	set := center.PermissionSet{
		ARN: arn, Name: aws.ToString(described.Name), Description: aws.ToString(described.Description),
		SessionText: aws.ToString(described.SessionDuration), RelayState: aws.ToString(described.RelayState),
		CreatedAt: aws.ToTime(described.CreatedDate),
		Revision:  1, // roles that are out of date have the one before
	}
	set.SessionDuration = time.Hour
	if d, err := time.ParseDuration(strings.ToLower(strings.TrimPrefix(set.SessionText, "PT"))); err == nil {
		set.SessionDuration = d
	}
	if err := m.policies(ctx, &set); err != nil {
		return err
	}
	err = put(ctx, m, PermissionSets, []center.PermissionSet{set},
		func(l []center.PermissionSet) center.Replica { return center.Replica{PermissionSets: l} },
		func(p center.PermissionSet) string { return p.Name })
	if err == nil {
		err = m.provisioned(ctx, arn)
	}
	if err != nil {
		return err
	}
	return m.done(arn)
}

// policies reads all policies of a permission set, and its tags.
func (m *Mirror) policies(ctx context.Context, set *center.PermissionSet) error {
	managed, err := inventory.All(m.Reader.ManagedPolicies(ctx, set.ARN))
	if err = m.without(err); err != nil {
		return err
	}
	for _, p := range managed {
		set.ManagedPolicies = append(set.ManagedPolicies, aws.ToString(p.Arn))
	}
	own, err := inventory.All(m.Reader.CustomerManagedPolicies(ctx, set.ARN))
	if err = m.without(err); err != nil {
		return err
	}
	for _, p := range own {
		set.CustomerPolicies = append(set.CustomerPolicies, reference(p))
	}
	if set.InlinePolicy, err = m.Reader.InlinePolicy(ctx, set.ARN); m.without(err) != nil {
		return err
	}
	boundary, err := m.Reader.PermissionsBoundary(ctx, set.ARN)
	if err = m.without(err); err != nil {
		return err
	}
	if boundary != nil {
		set.Boundary = &center.Boundary{ManagedPolicy: aws.ToString(boundary.ManagedPolicyArn)}
		if p := boundary.CustomerManagedPolicyReference; p != nil {
			r := reference(*p)
			set.Boundary.CustomerPolicy = &r
		}
	}
	tags, err := inventory.All(m.Reader.Tags(ctx, set.ARN))
	set.Tags = tagsOf(tags)
	return m.without(err)
}

func reference(p types.CustomerManagedPolicyReference) center.PolicyReference {
	out := center.PolicyReference{Name: aws.ToString(p.Name), Path: aws.ToString(p.Path)}
	if out.Path == "" {
		out.Path = "/"
	}
	return out
}

// provisioned copies where a permission set is, and who has it there.
func (m *Mirror) provisioned(ctx context.Context, set string) error {
	behind := map[string]bool{}
	for account, err := range inventory.Each(
		m.Reader.Provisioned(ctx, set, types.ProvisioningStatusLatestPermissionSetNotProvisioned),
	) {
		if err = m.without(err); err != nil {
			return err
		}
		behind[account] = true
	}
	for account, err := range inventory.Each(m.Reader.Provisioned(ctx, set, "")) {
		if err != nil {
			return m.without(err)
		}
		role := center.Provisioned{AccountID: account, PermissionSetARN: set, Revision: 1}
		if behind[account] {
			role.Revision = 0
		}
		if err := m.Center.Replicate(ctx, actor, center.Replica{Roles: []center.Provisioned{role}}); err != nil {
			return err
		}
		if err := m.assigned(ctx, account, set); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mirror) assigned(ctx context.Context, account, set string) error {
	for page, err := range m.Reader.Assignments(ctx, account, set) {
		if err != nil {
			return m.without(err)
		}
		list := make([]center.Assignment, len(page.Items))
		for i, a := range page.Items {
			list[i] = center.Assignment{
				AccountID: account, PermissionSetARN: set, PrincipalType: center.PrincipalType(a.PrincipalType),
				PrincipalID: aws.ToString(a.PrincipalId),
			}
		}
		if err := m.Center.Replicate(ctx, actor, center.Replica{Assignments: list}); err != nil {
			return err
		}
		m.count(Assignments, len(list))
	}
	return nil
}
