package gather

import (
	"context"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/doctor"
)

// side is AWS's, or a Gatehouse center's: its public APIs.
type side struct {
	*gathering

	*inventory.Reader

	trail trail.Client
	sts   *sts.Client
	none  bool // there are no permission sets
}

// aws asks AWS's side. The entity ID is told as soon as it is known, and known is closed when it is
// certain what else there is to ask.
func (g *gathering) aws(ctx context.Context, entityID chan<- string, known chan<- struct{}) {
	cfg := g.AWS.Copy()
	cfg.HTTPClient = inventory.Steady(ReadOnly(g.HTTP))
	cfg.Retryer = inventory.Retryer
	if g.Admin == nil { // a center of one's own has no such limits
		cfg = new(inventory.Rates).Pace(cfg)
	}
	s := &side{
		gathering: g, Reader: inventory.Open(cfg), trail: trail.Open(cfg), sts: sts.NewFromConfig(cfg),
	}
	g.Told("AWS: the instance")
	g.keep(func(f *doctor.Facts) {
		f.AWS.Region, f.AWS.Endpoint = cfg.Region, strings.TrimRight(aws.ToString(cfg.BaseEndpoint), "/")
	})
	s.whoami(ctx)
	s.instances(ctx)
	if g.Admin != nil {
		s.console(ctx)
	} else {
		g.without(doctor.Console,
			"AWS shows the identity source, its certificates and the SCIM tokens only in its console")
	}
	entityID <- s.entity()
	if s.StoreID == "" {
		s.keep(func(f *doctor.Facts) {
			for _, source := range ofInstance {
				f.Unread[source] = doctor.Unread{
					Missing: doctor.NoAnswer, Reason: "no instance is known", Behind: doctor.Instances,
				}
			}
		})
		close(known)
		return
	}
	for _, part := range []func(context.Context){s.users, s.permissionSets, s.requests, s.network, s.events} {
		g.early.Go(func() { part(ctx) })
	}
	read := make(chan string, mostGroups)
	g.early.Go(func() {
		defer close(read)
		s.groups(ctx, read)
	})
	close(known)
	s.memberships(ctx, read)
}

// ofInstance are the sources that nobody can ask without an instance.
var ofInstance = []doctor.Source{
	doctor.Controls, doctor.AWSUsers, doctor.AWSGroups, doctor.AWSMembers, doctor.Sets, doctor.Grants, doctor.Trail,
}

// entity is the entity ID where it is known without computing it.
func (s *side) entity() (id string) {
	s.keep(func(f *doctor.Facts) {
		if f.AWS.SP != nil {
			id = f.AWS.SP.EntityID
		} else if s.StoreID != "" {
			id = doctor.EntityID(f.AWS.Endpoint, f.AWS.Region, s.StoreID)
		}
	})
	return id
}

func (s *side) whoami(ctx context.Context) {
	if who, err := s.sts.GetCallerIdentity(ctx, nil); err == nil {
		s.keep(func(f *doctor.Facts) {
			f.AWS.Caller = doctor.Caller{Account: aws.ToString(who.Account), Arn: aws.ToString(who.Arn)}
		})
	}
	organization, err := s.Organization(ctx)
	if s.failed(doctor.AWSAccounts, err) {
		return
	}
	out := &doctor.Organization{MasterAccountID: aws.ToString(organization.MasterAccountId)}
	for d, err := range inventory.Each(s.DelegatedAdministrators(ctx)) {
		if err == nil { // only the management account and delegated administrators may ask
			out.Delegated = append(out.Delegated, aws.ToString(d.Id))
		}
	}
	var accounts []doctor.Account
	for a, err := range inventory.Each(s.Accounts(ctx)) {
		if s.failed(doctor.AWSAccounts, err) {
			break
		}
		accounts = append(
			accounts, doctor.Account{ID: aws.ToString(a.Id), Name: aws.ToString(a.Name), Status: string(a.State)},
		)
	}
	s.keep(func(f *doctor.Facts) { f.AWS.Organization, f.AWS.Accounts = out, accounts })
}

// instances reads those of the Region. The organization's own is the one to look into.
func (s *side) instances(ctx context.Context) {
	for i, err := range inventory.Each(s.Instances(ctx, "")) {
		if s.failed(doctor.Instances, err) {
			return
		}
		out := doctor.Instance{
			InstanceArn: aws.ToString(i.InstanceArn), OwnerAccountID: aws.ToString(i.OwnerAccountId),
			Status: string(i.Status), StatusReason: aws.ToString(i.StatusReason),
			IdentityStoreID: aws.ToString(i.IdentityStoreId), PrimaryRegion: aws.ToString(i.PrimaryRegion),
		}
		one := s.Of(out.InstanceArn, out.IdentityStoreID)
		described, err := one.Instance(ctx)
		if !s.failed(doctor.Instances, err) {
			out.PermissionSetsEnabled = described.PermissionSetsEnabled
			for _, r := range described.Regions {
				out.Regions = append(out.Regions, aws.ToString(r.RegionName))
			}
			if e := described.EncryptionConfigurationDetails; e != nil {
				out.Encryption = &doctor.Encryption{
					KeyType: string(e.KeyType), KmsKeyArn: aws.ToString(e.KmsKeyArn),
					EncryptionStatus:       string(e.EncryptionStatus),
					EncryptionStatusReason: aws.ToString(e.EncryptionStatusReason),
				}
			}
		}
		s.keep(func(f *doctor.Facts) {
			f.AWS.Instances = append(f.AWS.Instances, out)
			if s.StoreID == "" || (f.AWS.Organization != nil &&
				out.OwnerAccountID == f.AWS.Organization.MasterAccountID) {
				s.Reader = one
				s.none = out.PermissionSetsEnabled != nil && !*out.PermissionSetsEnabled
				f.AWS.IdentityStoreID = s.StoreID
			}
		})
	}
}

func (s *side) network(ctx context.Context) {
	n, err := s.Network(ctx)
	if s.failed(doctor.Controls, err) || n == nil {
		return
	}
	s.keep(func(f *doctor.Facts) {
		f.AWS.Network = &doctor.Network{
			VpceAccessRequired: n.VpceAccessRequired, APIAllowSourceIPs: n.ApiAllowSourceIps,
			APIRestrictSourceVPCs: n.ApiRestrictSourceVpcs, SCIMAllowSourceIPs: n.ScimAllowSourceIps,
		}
	})
}

func (s *side) users(ctx context.Context) {
	s.Told("AWS: users")
	for page, err := range s.Users(ctx, "") {
		if s.failed(doctor.AWSUsers, err) {
			return
		}
		s.keep(func(f *doctor.Facts) {
			for _, u := range page.Items {
				f.AWS.Users = append(f.AWS.Users, s.user(u))
			}
		})
	}
}

func (s *side) user(u idtypes.User) doctor.User {
	own := func(t *string) string { return strings.Clone(aws.ToString(t)) }
	out := doctor.User{
		UserID: s.facts.AWS.Memberships.One(aws.ToString(u.UserId)), UserName: own(u.UserName),
		DisplayName: own(u.DisplayName), ExternalIDs: s.ids(u.ExternalIds), UserStatus: s.once(string(u.UserStatus)),
		CreatedBy: s.once(aws.ToString(u.CreatedBy)), CreatedAt: u.CreatedAt,
	}
	for _, e := range u.Emails {
		address := out.UserName // one copy, where it is that
		if aws.ToString(e.Value) != address {
			address = own(e.Value)
		}
		out.Emails = append(out.Emails, doctor.Email{Value: address})
	}
	return out
}

func (s *side) ids(list []idtypes.ExternalId) []doctor.ExternalID {
	out := make([]doctor.ExternalID, len(list))
	for i, x := range list {
		out[i] = doctor.ExternalID{Issuer: s.once(aws.ToString(x.Issuer)), ID: strings.Clone(aws.ToString(x.Id))}
	}
	return out
}

// mostGroups is how many groups wait for their members to be read, which takes longer than to list
// them. More wait with their page.
const mostGroups = 10_000 //bound:list groups that wait for doctor to read their members

// groups reads the groups, and tells their ids.
func (s *side) groups(ctx context.Context, read chan<- string) {
	s.Told("AWS: groups and memberships")
	for page, err := range s.Groups(ctx, "") {
		if s.failed(doctor.AWSGroups, err) {
			return
		}
		var ids []string
		s.keep(func(f *doctor.Facts) {
			for _, g := range page.Items {
				id := s.once(aws.ToString(g.GroupId))
				ids = append(ids, id)
				f.AWS.Groups = append(f.AWS.Groups, doctor.Group{
					GroupID: id, DisplayName: s.once(aws.ToString(g.DisplayName)),
					ExternalIDs: s.ids(g.ExternalIds), CreatedAt: g.CreatedAt,
				})
			}
		})
		for _, id := range ids {
			select {
			case read <- id:
			case <-ctx.Done():
				return
			}
		}
	}
}

// memberships reads the members of every group: at AWS's rates this takes longest by far, so it
// begins with the first page of groups.
func (s *side) memberships(ctx context.Context, groups <-chan string) {
	each(ctx, func(yield func(string, error) bool) {
		for id := range groups {
			if !yield(id, nil) {
				return
			}
		}
	}, func(ctx context.Context, group string) {
		for page, err := range s.Members(ctx, group, "") {
			if s.failed(doctor.AWSMembers, err) {
				return
			}
			members := make([]string, 0, len(page.Items))
			s.keep(func(f *doctor.Facts) {
				for _, m := range page.Items {
					if id := inventory.MemberID(m); id != "" {
						members = append(members, id)
					}
				}
				f.AWS.Memberships.Add(group, members...)
			})
		}
	})
}

// each calls do for every item, several at a time. What fails is noted by do.
func each(ctx context.Context, items iter.Seq2[string, error], do func(context.Context, string)) {
	_ = inventory.Parallel(ctx, items, func(ctx context.Context, item string) error {
		do(ctx, item)
		return nil
	})
}

func (s *side) permissionSets(ctx context.Context) {
	if s.none {
		return
	}
	s.Told("AWS: permission sets and assignments")
	arns, err := inventory.All(s.PermissionSets(ctx, ""))
	if s.failed(doctor.Sets, err) {
		s.failed(doctor.Grants, err)
		return
	}
	each(ctx, inventory.List(arns), s.permissionSet)
}

func (s *side) permissionSet(ctx context.Context, arn string) {
	set := doctor.PermissionSet{PermissionSetArn: arn}
	described, err := s.PermissionSet(ctx, arn)
	if s.failed(doctor.Sets, err) {
		return
	}
	set.Name = aws.ToString(described.Name)
	set.Provisioned, err = inventory.All(s.Provisioned(ctx, arn, ""))
	s.failed(doctor.Sets, err)
	set.Outdated, err = inventory.All(
		s.Provisioned(ctx, arn, types.ProvisioningStatusLatestPermissionSetNotProvisioned),
	)
	s.failed(doctor.Sets, err)
	s.keep(func(f *doctor.Facts) { f.AWS.PermissionSets = append(f.AWS.PermissionSets, set) })
	for _, account := range set.Provisioned {
		s.assigned(ctx, account, arn)
	}
}

func (s *side) assigned(ctx context.Context, account, arn string) {
	for page, err := range s.Assignments(ctx, account, arn) {
		if s.failed(doctor.Grants, err) {
			return
		}
		s.keep(func(f *doctor.Facts) {
			for _, a := range page.Items {
				f.AWS.Assignments = append(f.AWS.Assignments, doctor.Assignment{
					AccountID: account, PermissionSetArn: arn, PrincipalType: string(a.PrincipalType),
					PrincipalID: aws.ToString(a.PrincipalId),
				})
			}
		})
	}
}

const newestFailures = 20 //bound:list failed requests of AWS that doctor reads

// requests reads what failed of the newest requests for assignments and for provisioning.
func (s *side) requests(ctx context.Context) {
	if s.none {
		return
	}
	assigned, err := s.FailedAssignments(ctx, newestFailures)
	s.failed(doctor.Grants, err)
	provisioned, err := s.FailedProvisioning(ctx, newestFailures)
	s.failed(doctor.Sets, err)
	s.keep(func(f *doctor.Facts) {
		for _, x := range assigned {
			f.AWS.Failed = append(f.AWS.Failed, doctor.Request{
				Status: string(x.Status), FailureReason: aws.ToString(x.FailureReason),
				AccountID:        aws.ToString(x.TargetId),
				PermissionSetArn: aws.ToString(x.PermissionSetArn), PrincipalID: aws.ToString(x.PrincipalId),
				CreatedDate: aws.ToTime(x.CreatedDate),
			})
		}
		for _, x := range provisioned {
			f.AWS.Failed = append(f.AWS.Failed, doctor.Request{
				Status: string(x.Status), FailureReason: aws.ToString(x.FailureReason),
				AccountID:        aws.ToString(x.AccountId),
				PermissionSetArn: aws.ToString(x.PermissionSetArn), CreatedDate: aws.ToTime(x.CreatedDate),
			})
		}
	})
}
