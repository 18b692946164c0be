package gather

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/time/rate"

	"github.com/gatehouse-id/gatehouse/doctor"
)

// What AWS allows a second: twenty requests for each operation of identitystore and for sso-admin
// together, two to CloudTrail. Somebody else may work there besides. Source: quotas of IAM Identity
// Center; CloudTrail, LookupEvents.
const (
	eachSecond  = 19 //bound:rate requests of doctor to an API of AWS, a second
	trailSecond = 2  //bound:rate requests of doctor to CloudTrail, a second

	maxMemberPages = 1000 //bound:list pages of a list of AWS that doctor reads
	trailPages     = 2    //bound:list pages of CloudTrail that doctor reads for a name
)

// side is AWS's, or a Gatehouse center's: its public APIs.
type side struct {
	*gathering

	store *identitystore.Client
	admin *ssoadmin.Client
	orgs  *organizations.Client
	trail *cloudtrail.Client
	sts   *sts.Client
	paces map[string]*rate.Limiter

	arn, storeID string
	none         bool // there are no permission sets
}

// errNothing is an answer without what was asked for.
var errNothing = errors.New("the answer is empty")

// aws asks AWS's side. The entity ID is told as soon as it is known.
func (g *gathering) aws(ctx context.Context, entityID chan<- string) {
	cfg := g.AWS.Copy()
	cfg.RetryMaxAttempts, cfg.RetryMode = 8, aws.RetryModeStandard
	cfg.HTTPClient = ReadOnly(g.HTTP)
	s := &side{
		gathering: g,
		store:     identitystore.NewFromConfig(cfg),
		admin:     ssoadmin.NewFromConfig(cfg),
		orgs:      organizations.NewFromConfig(cfg),
		trail:     cloudtrail.NewFromConfig(cfg),
		sts:       sts.NewFromConfig(cfg),
		paces:     map[string]*rate.Limiter{},
	}
	for api, each := range map[string]int{
		"admin": eachSecond, "users": eachSecond, "groups": eachSecond, "members": eachSecond, "trail": trailSecond,
	} {
		s.paces[api] = rate.NewLimiter(rate.Limit(each), 1)
		if g.Admin != nil { // a center of one's own has no such limits
			s.paces[api].SetLimit(rate.Inf)
		}
	}
	g.Told("AWS: the instance")
	g.keep(func(f *doctor.Facts) { f.AWS.Region = cfg.Region })
	s.whoami(ctx)
	s.instances(ctx)
	if g.Admin != nil {
		s.console(ctx)
	} else {
		g.without(doctor.Console,
			"AWS shows the identity source, its certificates and the SCIM tokens only in its console")
	}
	entityID <- s.entity()
	if s.storeID == "" {
		return
	}
	var parts sync.WaitGroup
	for _, part := range []func(context.Context){s.users, s.groups, s.permissionSets, s.requests, s.network,
		s.events} {
		parts.Go(func() { part(ctx) })
	}
	parts.Wait()
}

// entity is the entity ID where it is known without computing it.
func (s *side) entity() (id string) {
	s.keep(func(f *doctor.Facts) {
		if f.AWS.SP != nil {
			id = f.AWS.SP.EntityID
		} else if s.storeID != "" {
			id = doctor.EntityID(f.AWS.Region, s.storeID)
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
	organization, err := s.orgs.DescribeOrganization(ctx, nil)
	if err == nil && organization.Organization == nil {
		err = errNothing
	}
	if s.failed(doctor.AWSAccounts, err) {
		return
	}
	out := &doctor.Organization{MasterAccountID: aws.ToString(organization.Organization.MasterAccountId)}
	delegated, err := s.orgs.ListDelegatedAdministrators(
		ctx, &organizations.ListDelegatedAdministratorsInput{ServicePrincipal: aws.String("sso.amazonaws.com")},
	)
	if err == nil { // only the management account and delegated administrators may ask
		for _, d := range delegated.DelegatedAdministrators {
			out.Delegated = append(out.Delegated, aws.ToString(d.Id))
		}
	}
	var accounts []doctor.Account
	pages := organizations.NewListAccountsPaginator(s.orgs, &organizations.ListAccountsInput{})
	for n := 0; pages.HasMorePages() && n < maxMemberPages; n++ {
		page, err := pages.NextPage(ctx)
		if s.failed(doctor.AWSAccounts, err) {
			break
		}
		for _, a := range page.Accounts {
			accounts = append(
				accounts,
				doctor.Account{ID: aws.ToString(a.Id), Name: aws.ToString(a.Name), Status: string(a.State)},
			)
		}
	}
	s.keep(func(f *doctor.Facts) { f.AWS.Organization, f.AWS.Accounts = out, accounts })
}

func (s *side) instances(ctx context.Context) {
	list, err := s.admin.ListInstances(ctx, &ssoadmin.ListInstancesInput{})
	if s.failed(doctor.Instances, err) {
		return
	}
	for _, i := range list.Instances {
		described, err := s.admin.DescribeInstance(ctx, &ssoadmin.DescribeInstanceInput{InstanceArn: i.InstanceArn})
		out := doctor.Instance{
			InstanceArn: aws.ToString(i.InstanceArn), OwnerAccountID: aws.ToString(i.OwnerAccountId),
			Status: string(i.Status), StatusReason: aws.ToString(i.StatusReason),
			IdentityStoreID: aws.ToString(i.IdentityStoreId), PrimaryRegion: aws.ToString(i.PrimaryRegion),
		}
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
			if s.storeID == "" || (f.AWS.Organization != nil &&
				out.OwnerAccountID == f.AWS.Organization.MasterAccountID) {
				s.arn, s.storeID = out.InstanceArn, out.IdentityStoreID
				s.none = out.PermissionSetsEnabled != nil && !*out.PermissionSetsEnabled
				f.AWS.IdentityStoreID = s.storeID
			}
		})
	}
}

func (s *side) network(ctx context.Context) {
	out, err := s.store.DescribeIdentityStore(ctx,
		&identitystore.DescribeIdentityStoreInput{IdentityStoreId: &s.storeID})
	if s.failed(doctor.Controls, err) || out.NetworkConfiguration == nil {
		return
	}
	n := out.NetworkConfiguration
	s.keep(func(f *doctor.Facts) {
		f.AWS.Network = &doctor.Network{
			VpceAccessRequired: n.VpceAccessRequired, APIAllowSourceIPs: n.ApiAllowSourceIps,
			APIRestrictSourceVPCs: n.ApiRestrictSourceVpcs, SCIMAllowSourceIPs: n.ScimAllowSourceIps,
		}
	})
}

func (s *side) users(ctx context.Context) {
	s.Told("AWS: users")
	pages := identitystore.NewListUsersPaginator(
		s.store, &identitystore.ListUsersInput{IdentityStoreId: &s.storeID, MaxResults: aws.Int32(100)},
	)
	for n := 0; pages.HasMorePages() && n < maxMemberPages*2; n++ {
		if s.paces["users"].Wait(ctx) != nil {
			return
		}
		page, err := pages.NextPage(ctx)
		if s.failed(doctor.AWSUsers, err) {
			return
		}
		s.keep(func(f *doctor.Facts) {
			for _, u := range page.Users {
				f.AWS.Users = append(f.AWS.Users, userOf(u))
			}
		})
	}
}

func userOf(u idtypes.User) doctor.User {
	out := doctor.User{
		UserID: aws.ToString(u.UserId), UserName: aws.ToString(u.UserName), DisplayName: aws.ToString(u.DisplayName),
		ExternalIDs: idsOf(u.ExternalIds), UserStatus: string(u.UserStatus), CreatedBy: aws.ToString(u.CreatedBy),
		CreatedAt: u.CreatedAt, UpdatedAt: u.UpdatedAt,
	}
	if u.Name != nil {
		out.Name.GivenName, out.Name.FamilyName = aws.ToString(u.Name.GivenName), aws.ToString(u.Name.FamilyName)
	}
	for _, e := range u.Emails {
		out.Emails = append(out.Emails, doctor.Email{Value: aws.ToString(e.Value), Primary: e.Primary})
	}
	return out
}

func idsOf(list []idtypes.ExternalId) (out []doctor.ExternalID) {
	for _, x := range list {
		out = append(out, doctor.ExternalID{Issuer: aws.ToString(x.Issuer), ID: aws.ToString(x.Id)})
	}
	return out
}

func (s *side) groups(ctx context.Context) {
	s.Told("AWS: groups and memberships")
	pages := identitystore.NewListGroupsPaginator(
		s.store, &identitystore.ListGroupsInput{IdentityStoreId: &s.storeID, MaxResults: aws.Int32(100)},
	)
	var ids []string
	for n := 0; pages.HasMorePages() && n < maxMemberPages; n++ {
		if s.paces["groups"].Wait(ctx) != nil {
			return
		}
		page, err := pages.NextPage(ctx)
		if s.failed(doctor.AWSGroups, err) {
			return
		}
		s.keep(func(f *doctor.Facts) {
			for _, g := range page.Groups {
				ids = append(ids, aws.ToString(g.GroupId))
				f.AWS.Groups = append(f.AWS.Groups, doctor.Group{
					GroupID: aws.ToString(g.GroupId), DisplayName: aws.ToString(g.DisplayName),
					ExternalIDs: idsOf(g.ExternalIds), CreatedAt: g.CreatedAt,
				})
			}
		})
	}
	s.each(ctx, ids, s.members)
}

// each calls do for every item, several at a time.
func (s *side) each(ctx context.Context, items []string, do func(context.Context, string)) {
	queue := make(chan string)
	var workers sync.WaitGroup
	for range min(atOnce*2, len(items)) {
		workers.Go(func() {
			for item := range queue {
				if ctx.Err() == nil {
					do(ctx, item)
				}
			}
		})
	}
	for _, item := range items {
		queue <- item
	}
	close(queue)
	workers.Wait()
}

func (s *side) members(ctx context.Context, group string) {
	pages := identitystore.NewListGroupMembershipsPaginator(s.store, &identitystore.ListGroupMembershipsInput{
		IdentityStoreId: &s.storeID, GroupId: &group, MaxResults: aws.Int32(100),
	})
	for n := 0; pages.HasMorePages() && n < maxMemberPages; n++ {
		if s.paces["members"].Wait(ctx) != nil {
			return
		}
		page, err := pages.NextPage(ctx)
		if s.failed(doctor.AWSMembers, err) {
			return
		}
		s.keep(func(f *doctor.Facts) {
			for _, m := range page.GroupMemberships {
				if id, ok := m.MemberId.(*idtypes.MemberIdMemberUserId); ok {
					f.AWS.Memberships = append(f.AWS.Memberships,
						doctor.Membership{GroupID: group, MemberID: id.Value})
				}
			}
		})
	}
}

func (s *side) permissionSets(ctx context.Context) {
	if s.none {
		return
	}
	s.Told("AWS: permission sets and assignments")
	pages := ssoadmin.NewListPermissionSetsPaginator(
		s.admin, &ssoadmin.ListPermissionSetsInput{InstanceArn: &s.arn, MaxResults: aws.Int32(100)},
	)
	var arns []string
	for n := 0; pages.HasMorePages() && n < maxMemberPages; n++ {
		if s.paces["admin"].Wait(ctx) != nil {
			return
		}
		page, err := pages.NextPage(ctx)
		if s.failed(doctor.Sets, err) {
			s.failed(doctor.Grants, err)
			return
		}
		arns = append(arns, page.PermissionSets...)
	}
	s.each(ctx, arns, s.permissionSet)
}

func (s *side) permissionSet(ctx context.Context, arn string) {
	set := doctor.PermissionSet{PermissionSetArn: arn}
	if s.paces["admin"].Wait(ctx) != nil {
		return
	}
	described, err := s.admin.DescribePermissionSet(
		ctx, &ssoadmin.DescribePermissionSetInput{InstanceArn: &s.arn, PermissionSetArn: &arn},
	)
	if err == nil && described.PermissionSet == nil {
		err = errNothing
	}
	if s.failed(doctor.Sets, err) {
		return
	}
	set.Name = aws.ToString(described.PermissionSet.Name)
	set.Provisioned = s.accountsOf(ctx, arn, "")
	set.Outdated = s.accountsOf(ctx, arn, types.ProvisioningStatusLatestPermissionSetNotProvisioned)
	s.keep(func(f *doctor.Facts) { f.AWS.PermissionSets = append(f.AWS.PermissionSets, set) })
	for _, account := range set.Provisioned {
		s.assigned(ctx, account, arn)
	}
}

func (s *side) accountsOf(ctx context.Context, arn string, status types.ProvisioningStatus) (ids []string) {
	pages := ssoadmin.NewListAccountsForProvisionedPermissionSetPaginator(
		s.admin, &ssoadmin.ListAccountsForProvisionedPermissionSetInput{
			InstanceArn: &s.arn, PermissionSetArn: &arn, MaxResults: aws.Int32(100), ProvisioningStatus: status,
		},
	)
	for n := 0; pages.HasMorePages() && n < maxMemberPages; n++ {
		if s.paces["admin"].Wait(ctx) != nil {
			return ids
		}
		page, err := pages.NextPage(ctx)
		if s.failed(doctor.Sets, err) {
			return ids
		}
		ids = append(ids, page.AccountIds...)
	}
	return ids
}

func (s *side) assigned(ctx context.Context, account, arn string) {
	pages := ssoadmin.NewListAccountAssignmentsPaginator(s.admin, &ssoadmin.ListAccountAssignmentsInput{
		InstanceArn: &s.arn, AccountId: &account, PermissionSetArn: &arn, MaxResults: aws.Int32(100),
	})
	for n := 0; pages.HasMorePages() && n < maxMemberPages; n++ {
		if s.paces["admin"].Wait(ctx) != nil {
			return
		}
		page, err := pages.NextPage(ctx)
		if s.failed(doctor.Grants, err) {
			return
		}
		s.keep(func(f *doctor.Facts) {
			for _, a := range page.AccountAssignments {
				f.AWS.Assignments = append(f.AWS.Assignments, doctor.Assignment{
					AccountID: account, PermissionSetArn: arn, PrincipalType: string(a.PrincipalType),
					PrincipalID: aws.ToString(a.PrincipalId),
				})
			}
		})
	}
}

// requests reads what failed of the newest requests for assignments and for provisioning.
func (s *side) requests(ctx context.Context) {
	if s.none {
		return
	}
	if s.paces["admin"].Wait(ctx) != nil {
		return
	}
	assigned, err := s.admin.ListAccountAssignmentCreationStatus(ctx,
		&ssoadmin.ListAccountAssignmentCreationStatusInput{
			InstanceArn: &s.arn, Filter: &types.OperationStatusFilter{Status: types.StatusValuesFailed},
			MaxResults: aws.Int32(20),
		})
	if !s.failed(doctor.Grants, err) {
		for _, x := range assigned.AccountAssignmentsCreationStatus {
			s.assignmentRequest(ctx, x.RequestId)
		}
	}
	if s.paces["admin"].Wait(ctx) != nil {
		return
	}
	provisioned, err := s.admin.ListPermissionSetProvisioningStatus(ctx,
		&ssoadmin.ListPermissionSetProvisioningStatusInput{
			InstanceArn: &s.arn, Filter: &types.OperationStatusFilter{Status: types.StatusValuesFailed},
			MaxResults: aws.Int32(20),
		})
	if s.failed(doctor.Sets, err) {
		return
	}
	for _, x := range provisioned.PermissionSetsProvisioningStatus {
		s.provisioningRequest(ctx, x.RequestId)
	}
}

func (s *side) assignmentRequest(ctx context.Context, id *string) {
	if s.paces["admin"].Wait(ctx) != nil {
		return
	}
	out, err := s.admin.DescribeAccountAssignmentCreationStatus(
		ctx, &ssoadmin.DescribeAccountAssignmentCreationStatusInput{
			InstanceArn: &s.arn, AccountAssignmentCreationRequestId: id,
		},
	)
	if err == nil && out.AccountAssignmentCreationStatus == nil {
		err = errNothing
	}
	if s.failed(doctor.Grants, err) {
		return
	}
	x := out.AccountAssignmentCreationStatus
	s.keep(func(f *doctor.Facts) {
		f.AWS.Failed = append(f.AWS.Failed, doctor.Request{
			Status: string(x.Status), FailureReason: aws.ToString(x.FailureReason),
			AccountID:        aws.ToString(x.TargetId),
			PermissionSetArn: aws.ToString(x.PermissionSetArn), PrincipalID: aws.ToString(x.PrincipalId),
			CreatedDate: aws.ToTime(x.CreatedDate),
		})
	})
}

func (s *side) provisioningRequest(ctx context.Context, id *string) {
	if s.paces["admin"].Wait(ctx) != nil {
		return
	}
	out, err := s.admin.DescribePermissionSetProvisioningStatus(
		ctx, &ssoadmin.DescribePermissionSetProvisioningStatusInput{
			InstanceArn: &s.arn, ProvisionPermissionSetRequestId: id,
		},
	)
	if err == nil && out.PermissionSetProvisioningStatus == nil {
		err = errNothing
	}
	if s.failed(doctor.Sets, err) {
		return
	}
	x := out.PermissionSetProvisioningStatus
	s.keep(func(f *doctor.Facts) {
		f.AWS.Failed = append(f.AWS.Failed, doctor.Request{
			Status: string(x.Status), FailureReason: aws.ToString(x.FailureReason),
			AccountID:        aws.ToString(x.AccountId),
			PermissionSetArn: aws.ToString(x.PermissionSetArn), CreatedDate: aws.ToTime(x.CreatedDate),
		})
	})
}

// trailNames are the events that some check reads, those of sign-ins and tokens first.
var trailNames = []string{
	"ExternalIdPDirectoryLogin", "UserAuthentication", "CreateBearerToken", "DeleteBearerToken", "AssociateDirectory",
	"DisassociateDirectory",
	"DeleteGroup", "CreateGroupMembership", "DeleteGroupMembership",
}

// trailSources are services of which the newest events are read.
var trailSources = []string{"identitystore-scim.amazonaws.com", "sso.amazonaws.com"}

// events reads CloudTrail, which takes two requests a second and looks up one attribute at a time.
func (s *side) events(ctx context.Context) {
	if s.Admin != nil {
		s.without(doctor.Trail, "a Gatehouse center has no CloudTrail; its audit log is in its console")
		return
	}
	s.Told("AWS: CloudTrail")
	for _, name := range trailNames {
		if !s.lookup(ctx, trailtypes.LookupAttributeKeyEventName, name) {
			return
		}
	}
	for _, source := range trailSources {
		if !s.lookup(ctx, trailtypes.LookupAttributeKeyEventSource, source) {
			return
		}
	}
}

func (s *side) lookup(ctx context.Context, key trailtypes.LookupAttributeKey, value string) bool {
	pages := cloudtrail.NewLookupEventsPaginator(s.trail, &cloudtrail.LookupEventsInput{
		LookupAttributes: []trailtypes.LookupAttribute{{AttributeKey: key, AttributeValue: &value}},
		StartTime:        aws.Time(time.Now().AddDate(0, 0, -90)),
	})
	for n := 0; pages.HasMorePages() && n < trailPages; n++ {
		if s.paces["trail"].Wait(ctx) != nil {
			return false
		}
		page, err := pages.NextPage(ctx)
		if s.failed(doctor.Trail, err) {
			return false
		}
		s.keep(func(f *doctor.Facts) {
			for _, e := range page.Events {
				var record doctor.Event
				if json.Unmarshal([]byte(aws.ToString(e.CloudTrailEvent)), &record) == nil {
					f.AWS.Events = append(f.AWS.Events, record)
				}
			}
		})
	}
	return true
}

// console reads what a Gatehouse center tells by its API, and AWS only in its console.
func (s *side) console(ctx context.Context) {
	directory, err := s.Admin.DescribeDirectory(ctx)
	if s.failed(doctor.Console, err) {
		return
	}
	provider, err := s.Admin.ServiceProvider(ctx)
	s.failed(doctor.Console, err)
	configurations, err := s.Admin.Configurations(ctx)
	s.failed(doctor.Console, err)
	certificates, err := s.Admin.ListCertificates(ctx)
	s.failed(doctor.Console, err)
	tenants, err := s.Admin.Tenants(ctx)
	s.failed(doctor.Console, err)
	s.keep(func(f *doctor.Facts) {
		f.AWS.Directory, f.AWS.SP = &directory, &provider
		f.AWS.Configurations = configurations
		f.AWS.Certificates, f.AWS.Tenants = certificates, tenants
		f.AWS.SP.MetadataXML = ""
	})
	if len(tenants) > 0 {
		tokens, err := s.Admin.BearerTokens(ctx, tenants[0].TenantID)
		if !s.failed(doctor.Console, err) {
			s.keep(func(f *doctor.Facts) { f.AWS.Tokens = tokens })
		}
	}
	if s.Reference != "" {
		if events, err := s.Admin.Explain(ctx, s.Reference); err == nil {
			s.keep(func(f *doctor.Facts) { f.AWS.Explained = events })
		}
	}
}
