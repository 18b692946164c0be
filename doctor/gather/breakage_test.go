package gather_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/identitystore"
	"github.com/aws/aws-sdk-go-v2/service/identitystore/document"
	idtypes "github.com/aws/aws-sdk-go-v2/service/identitystore/types"
	"github.com/aws/aws-sdk-go-v2/service/ssoadmin"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/gather"
	"github.com/gatehouse-id/gatehouse/doctor/repair"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

const (
	amara  = "amara.okafor@northwind.example"
	hannah = "hannah.schmidt@northwind.example"
)

// broken is a pair in which something is broken, by the halves' own APIs.
type broken struct {
	pairtest.Ends
	store *identitystore.Client
	admin *ssoadmin.Client
}

func (b broken) principal(change any) {
	b.Change(http.MethodPatch, "/servicePrincipals/"+b.Tenant.ServicePrincipalID, change, nil)
}

func (b broken) application(change any) {
	b.Change(http.MethodPatch, "/applications/"+b.Tenant.ApplicationID, change, nil)
}

func (b broken) must(err error) {
	b.T.Helper()
	if err != nil {
		b.T.Fatal(err)
	}
}

// user is the id of somebody at the center.
func (b broken) user(name string) string { return b.Find("/Users", "userName", name).String("id") }

func (b broken) group(name string) string { return b.Find("/Groups", "displayName", name).String("id") }

// mapped changes the mapping of users, or of groups.
func (b broken) mapped(kind int, change func(*graph.ObjectMapping)) {
	var schema graph.SynchronizationSchema
	b.Change(http.MethodGet, b.JobPath()+"/schema", nil, &schema)
	change(&schema.Rules[0].ObjectMappings[kind])
	b.Change(http.MethodPut, b.JobPath()+"/schema", schema, nil)
}

func source(m *graph.ObjectMapping, target, expression string) {
	for i := range m.AttributeMappings {
		if m.AttributeMappings[i].TargetAttributeName == target {
			m.AttributeMappings[i].Source = graph.AttributeSource{Expression: expression}
		}
	}
}

func onlyDepartments(pattern string) func(*graph.ObjectMapping) {
	return func(m *graph.ObjectMapping) {
		m.Scope = &graph.ScopeFilter{Groups: []graph.FilterGroup{{Name: "f", Clauses: []graph.FilterClause{{
			SourceOperandName: "department", OperatorName: "REGEX MATCH",
			TargetOperand: graph.FilterOperand{Values: []string{pattern}},
		}}}}}
	}
}

// claims gives the application a NameID of its own.
func (b broken) claims(attribute string) {
	policy := map[string]any{"ClaimsMappingPolicy": map[string]any{
		"Version": 1, "IncludeBasicClaimSet": "true", "ClaimsSchema": []any{map[string]string{
			"Source": "user", "ID": attribute,
			"SamlClaimType": "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier",
		}},
	}}
	text, err := json.Marshal(policy)
	b.must(err)
	var made struct{ ID string }
	b.Change(http.MethodPost, "/policies/claimsMappingPolicies", map[string]any{
		"displayName": "NameID", "definition": []string{string(text)}, "isOrganizationDefault": false,
	}, &made)
	b.Change(
		http.MethodPost, "/servicePrincipals/"+b.Tenant.ServicePrincipalID+"/claimsMappingPolicies/$ref",
		graph.Reference{ID: b.Tenant.GraphURL + "/policies/claimsMappingPolicies/" + made.ID}, nil,
	)
}

// newcomer makes somebody who is a member of a group.
func (b broken) newcomer(name, group string) graph.User {
	upn := strings.ToLower(name) + ".new@northwind.example"
	on := true
	var made graph.User
	b.Change(http.MethodPost, "/users", graph.User{
		AccountEnabled: &on, DisplayName: name + " New", GivenName: name, Surname: "New", UserPrincipalName: upn,
		Mail: upn, MailNickname: strings.ToLower(name), Department: "Data",
		PasswordProfile: &graph.PasswordProfile{Password: "a-Long-enough-password-7"},
	}, &made)
	if group != "" {
		b.Change(
			http.MethodPost, "/groups/"+b.Group(group).ID+"/members/$ref",
			graph.Reference{ID: b.Tenant.GraphURL + "/directoryObjects/" + made.ID}, nil,
		)
	}
	return made
}

// second is another application of the gallery.
func (b broken) second() graph.ApplicationServicePrincipal {
	var made graph.ApplicationServicePrincipal
	b.Change(
		http.MethodPost, "/applicationTemplates/"+graph.AWSTemplateID+"/instantiate",
		map[string]string{"displayName": "Another"}, &made,
	)
	return made
}

// rests waits until the job has nothing to do.
func (b broken) rests() {
	b.Soon("the job rests", func() bool {
		var job graph.SynchronizationJob
		b.Change(http.MethodGet, b.JobPath(), nil, &job)
		return job.Status.InStep != nil && job.Status.InStep.Pending == 0
	})
}

// set is the ARN of a permission set.
func (b broken) set(name string) string {
	list, err := b.admin.ListPermissionSets(
		context.Background(), &ssoadmin.ListPermissionSetsInput{InstanceArn: &b.Center.InstanceARN},
	)
	b.must(err)
	for _, arn := range list.PermissionSets {
		out, err := b.admin.DescribePermissionSet(context.Background(), &ssoadmin.DescribePermissionSetInput{
			InstanceArn: &b.Center.InstanceARN, PermissionSetArn: &arn,
		})
		b.must(err)
		if *out.PermissionSet.Name == name {
			return arn
		}
	}
	b.T.Fatalf("no permission set %s", name)
	return ""
}

func (b broken) membership(user, group string) string {
	out, err := b.store.GetGroupMembershipId(context.Background(), &identitystore.GetGroupMembershipIdInput{
		IdentityStoreId: &b.Center.IdentityStoreID, GroupId: aws.String(b.group(group)),
		MemberId: &idtypes.MemberIdMemberUserId{Value: b.user(user)},
	})
	b.must(err)
	return *out.MembershipId
}

// breakages break a sound pair, each in one way, by the halves' APIs, and name the check that must
// say so.
var breakages = []struct {
	name, check string
	do          func(broken)
}{
	{"sign-in is switched off", "application-disabled", func(b broken) {
		b.principal(map[string]any{"accountEnabled": false})
	}},
	{"the identifier has a slash", "identifier", func(b broken) {
		b.application(map[string]any{"identifierUris": []string{b.entityID() + "/"}})
	}},
	{"the identifier is another instance's", "identifier", func(b broken) {
		b.application(map[string]any{
			"identifierUris": []string{"https://eu-west-1.signin.aws.amazon.com/platform/saml/d-9367000000"},
		})
	}},
	{"the reply URL is another", "reply-url", func(b broken) {
		b.application(map[string]any{"web": map[string]any{"redirectUris": []string{b.Center.URL + "/elsewhere"}}})
	}},
	{"the sign-on URL is Entra's", "sign-on-url", func(b broken) {
		b.principal(map[string]any{"loginUrl": "https://login.microsoftonline.com/common/saml2"})
	}},
	{"a new certificate is active too early", "saml-key", func(b broken) {
		var key graph.KeyCredential
		b.Change(
			http.MethodPost, "/servicePrincipals/"+b.Tenant.ServicePrincipalID+"/addTokenSigningCertificate",
			map[string]any{"displayName": "CN=next", "endDateTime": time.Now().AddDate(3, 0, 0).UTC().
				Format(time.RFC3339)},
			&key,
		)
		b.principal(map[string]any{"preferredTokenSigningKeyThumbprint": key.Thumbprint})
	}},
	{"the certificate ran out", "saml-certificate", func(b broken) { b.Forward(3*366*24*time.Hour + time.Hour) }},
	{"the token ran out", "token", func(b broken) { b.Forward(366 * 24 * time.Hour) }},
	{"the token was deleted", "token", func(b broken) {
		b.withoutTokens()
	}},
	{"the tenant URL was cut", "endpoint", func(b broken) {
		b.PutSecrets(strings.TrimSuffix(b.Center.SCIMEndpoint, "scim/v2/"))
	}},
	{"the tenant URL is of a former tenant", "endpoint", func(b broken) {
		b.PutSecrets(b.Center.URL + "/00000000-0000-4000-8000-000000000000/scim/v2/")
	}},
	{"automatic provisioning is off", "provisioning-off", func(b broken) {
		b.withoutTenant()
	}},
	{"the job is paused", "job-off", func(b broken) { b.Change(http.MethodPost, b.JobPath()+"/pause", nil, nil) }},
	{"the job is gone", "job-missing", func(b broken) { b.Change(http.MethodDelete, b.JobPath(), nil, nil) }},
	{"two jobs write to one store", "two-jobs", func(b broken) {
		other := b.second().ServicePrincipal.ID
		base := "/servicePrincipals/" + other + "/synchronization"
		var job graph.SynchronizationJob
		b.Change(http.MethodPost, base+"/jobs", map[string]string{"templateId": graph.AWSSyncTemplate}, &job)
		b.Change(http.MethodPut, base+"/secrets", graph.Secrets{Value: []graph.KeyValue{
			{Key: graph.KeyBaseAddress, Value: b.Center.SCIMEndpoint},
			{Key: graph.KeySecretToken, Value: b.Center.SCIMToken},
		}}, nil)
		b.Change(http.MethodPost, base+"/jobs/"+job.ID+"/start", nil, nil)
	}},
	{"groups are not mapped", "job-mapping", func(b broken) {
		b.mapped(1, func(m *graph.ObjectMapping) { m.Enabled = false })
	}},
	{"two phone numbers are mapped", "job-mapping", func(b broken) {
		u := b.User(amara)
		b.Change(http.MethodPatch, "/users/"+u.ID, map[string]any{"businessPhones": []string{"+1 1"},
			"mobilePhone": "+1 2"}, nil)
		b.mapped(0, func(m *graph.ObjectMapping) {
			m.AttributeMappings = append(m.AttributeMappings, graph.AttributeMapping{
				TargetAttributeName: `phoneNumbers[type eq "mobile"].value`, FlowType: "Always",
				Source: graph.AttributeSource{Expression: "[mobile]"},
			})
		})
	}},
	{"nobody passes the filter", "nobody-in-scope", func(b broken) { b.mapped(0, onlyDepartments("Clowd")) }},
	{"a department was renamed", "filtered", func(b broken) {
		b.mapped(0, onlyDepartments("(Platform Engineering|Engineering|Security|Finance|Support)"))
	}},
	{"nobody is assigned", "nobody-in-scope", func(b broken) {
		for _, g := range []string{"Platform Engineering", "Engineering", "Data", "Security", "Finance", "Support"} {
			b.Unassign(b.Group(g))
		}
	}},
	{"the NameID is the mail address", "name-id", func(b broken) {
		b.claims("mail")
		b.Change(http.MethodPatch, "/users/"+b.User(amara).ID, map[string]any{"mail": "amara@brand.example"},
			nil)
		b.rests()
	}},
	{"user names are ids now", "name-id", func(b broken) {
		b.mapped(0, func(m *graph.ObjectMapping) { source(m, "userName", "[objectId]") })
		b.Soon("the name is changed", func() bool { return b.Find("/Users", "userName", amara) == nil })
	}},
	{"a user was renamed at the center", "name-id", func(b broken) {
		_, err := b.store.UpdateUser(context.Background(), &identitystore.UpdateUserInput{
			IdentityStoreId: &b.Center.IdentityStoreID, UserId: aws.String(b.user(amara)),
			Operations: []idtypes.AttributeOperation{{
				AttributePath: aws.String("userName"), AttributeValue: document.NewLazyDocument("amara"),
			}},
		})
		b.must(err)
	}},
	{"the NameID has no value", "name-id-missing", func(b broken) {
		b.claims("mail")
		b.Change(http.MethodPatch, "/users/"+b.User(amara).ID, map[string]any{"mail": nil}, nil)
	}},
	{"a last name was removed", "attributes", func(b broken) {
		b.Change(http.MethodPatch, "/users/"+b.User(amara).ID, map[string]any{"surname": nil}, nil)
	}},
	{"a last name looks empty", "attributes", func(b broken) {
		b.Change(http.MethodPatch, "/users/"+b.User(amara).ID, map[string]any{"surname": "\u2060"}, nil)
	}},
	{"a name has brackets", "characters", func(b broken) {
		b.Change(http.MethodPatch, "/users/"+b.User(amara).ID, map[string]any{"displayName": "Amara <Cloud>"},
			nil)
	}},
	{"a member was taken out at the center", "membership", func(b broken) {
		_, err := b.store.DeleteGroupMembership(context.Background(), &identitystore.DeleteGroupMembershipInput{
			IdentityStoreId: &b.Center.IdentityStoreID, MembershipId: aws.String(b.membership(amara,
				"Platform Engineering")),
		})
		b.must(err)
	}},
	{"a member was put in at the center", "foreign-member", func(b broken) {
		_, err := b.store.CreateGroupMembership(context.Background(), &identitystore.CreateGroupMembershipInput{
			IdentityStoreId: &b.Center.IdentityStoreID, GroupId: aws.String(b.group("Platform Engineering")),
			MemberId: &idtypes.MemberIdMemberUserId{Value: b.user(hannah)},
		})
		b.must(err)
	}},
	{"a user was deleted at the center", "not-there", func(b broken) {
		_, err := b.store.DeleteUser(context.Background(), &identitystore.DeleteUserInput{
			IdentityStoreId: &b.Center.IdentityStoreID, UserId: aws.String(b.user(amara)),
		})
		b.must(err)
	}},
	{"a group was deleted at the center", "group-not-there", func(b broken) {
		_, err := b.store.DeleteGroup(context.Background(), &identitystore.DeleteGroupInput{
			IdentityStoreId: &b.Center.IdentityStoreID, GroupId: aws.String(b.group("Data")),
		})
		b.must(err)
	}},
	{"a user was disabled at the center", "disabled-at-aws", func(b broken) {
		b.must(b.Admin.DisableUser(context.Background(), b.user(amara)))
	}},
	{"a user has another person's external id", "wrong-match", func(b broken) {
		out := map[string]any{
			"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
			"Operations": []any{map[string]any{"op": "replace", "path": "externalId", "value": "9f0c-former"}},
		}
		b.must(b.SCIM.Do(context.Background(), http.MethodPatch, "/Users/"+b.user(amara), nil, out, nil))
	}},
	{"an address is taken", "email-clash", func(b broken) {
		_, err := b.store.CreateUser(context.Background(), &identitystore.CreateUserInput{
			IdentityStoreId: &b.Center.IdentityStoreID, UserName: aws.String("monitoring"),
			DisplayName: aws.String("Monitoring"),
			Name:        &idtypes.Name{GivenName: aws.String("M"), FamilyName: aws.String("M")},
			Emails:      []idtypes.Email{{Value: aws.String("zoe.new@northwind.example"), Primary: true}},
		})
		b.must(err)
		b.newcomer("Zoe", "Data")
		b.rests()
	}},
	{"external ids are shared", "external-id-clash", func(b broken) {
		b.mapped(0, func(m *graph.ObjectMapping) { source(m, "externalId", "[department]") })
	}},
	{"two groups have one name", "group-name-clash", func(b broken) {
		on, off := true, false
		var made graph.Group
		b.Change(http.MethodPost, "/groups", graph.Group{
			DisplayName: "Data", MailEnabled: &off, MailNickname: "data2", SecurityEnabled: &on,
		}, &made)
		b.Change(http.MethodPost, "/servicePrincipals/"+b.Tenant.ServicePrincipalID+"/appRoleAssignedTo",
			graph.AppRoleAssignment{
				AppRoleID: graph.UserRoleID, PrincipalID: made.ID, ResourceID: b.Tenant.ServicePrincipalID,
			}, nil)
	}},
	{"somebody is only in a nested group", "nested", func(b broken) {
		on, off := true, false
		var inner graph.Group
		b.Change(http.MethodPost, "/groups", graph.Group{
			DisplayName: "Inner", MailEnabled: &off, MailNickname: "inner", SecurityEnabled: &on,
		}, &inner)
		b.newcomer("Zoe", "Inner")
		b.Change(http.MethodPost, "/groups/"+b.Group("Data").ID+"/members/$ref", graph.Reference{
			ID: b.Tenant.GraphURL + "/directoryObjects/" + inner.ID,
		}, nil)
	}},
	{"everyone is sent, few are assigned", "sign-in-unassigned", func(b broken) {
		b.newcomer("Zoe", "")
		b.PutSecrets(b.Center.SCIMEndpoint, graph.KeyValue{Key: graph.KeySyncAll, Value: "true"})
		b.Soon("she is there", func() bool {
			return b.Find("/Users", "userName",
				"zoe.new@northwind.example") != nil
		})
	}},
	{"the identity source was changed back", "identity-source", func(b broken) {
		b.withoutTenant()
		b.must(b.Admin.DisableConfiguration(context.Background(), adminapi.ConfirmInput{Confirmation: "ACCEPT"}))
	}},
	{"a permission set was changed only", "permission-set-outdated", func(b broken) {
		_, err := b.admin.PutInlinePolicyToPermissionSet(context.Background(),
			&ssoadmin.PutInlinePolicyToPermissionSetInput{
				InstanceArn: &b.Center.InstanceARN, PermissionSetArn: aws.String(b.set("ReadOnlyAccess")),
				InlinePolicy: aws.String(
					`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`),
			})
		b.must(err)
	}},
	{"the network is shut to SCIM", "network-controls", func(b broken) {
		_, err := b.store.UpdateIdentityStore(context.Background(), &identitystore.UpdateIdentityStoreInput{
			IdentityStoreId: &b.Center.IdentityStoreID,
			NetworkConfiguration: &idtypes.NetworkConfiguration{
				VpceAccessRequired: aws.Bool(true), ApiAllowSourceIps: []string{"127.0.0.0/8"},
			},
		})
		b.must(err)
	}},
}

func (b broken) withoutTokens() {
	tokens, err := b.Admin.BearerTokens(context.Background(), "")
	b.must(err)
	for _, x := range tokens {
		b.must(b.Admin.DeleteBearerToken(context.Background(), x.TenantID, x.TokenID))
	}
}

func (b broken) withoutTenant() {
	b.withoutTokens()
	tenants, err := b.Admin.Tenants(context.Background())
	b.must(err)
	b.must(b.Admin.DeleteTenant(context.Background(), tenants[0].TenantID))
}

func (b broken) entityID() string {
	sp, err := b.Admin.ServiceProvider(context.Background())
	b.must(err)
	return sp.EntityID
}

// aPersons are the breakages that no API mends: somebody has to say who is meant, or what a name or
// a filter should be.
var aPersons = map[string]bool{
	"nobody passes the filter": true, "a department was renamed": true, "nobody is assigned": true,
	"a last name was removed": true, "a last name looks empty": true, "a name has brackets": true,
	"a user has another person's external id": true, "an address is taken": true, "two groups have one name": true,
	"the identity source was changed back": true, "the network is shut to SCIM": true,
}

// diagnosis looks at the pair. The token that it began with may be another after a repair.
func (b broken) diagnosis(withToken bool) (doctor.Facts, doctor.Report) {
	b.T.Helper()
	c := config(b.Ends)
	if !withToken {
		c.SCIM = gather.SCIM{}
	}
	facts, err := gather.Gather(context.Background(), c)
	b.must(err)
	return facts, doctor.Diagnose(facts, doctor.About{})
}

func (b broken) sides() repair.Sides {
	cfg := b.AWSConfig()
	return repair.Sides{Graph: b.Client, AWS: &cfg, Admin: b.Admin}
}

// sound waits until doctor finds nothing broken: what was repaired arrives with the next cycle.
func (b broken) sound(what string) {
	b.T.Helper()
	var r doctor.Report
	deadline := time.Now().Add(30 * time.Second)
	for {
		if _, r = b.diagnosis(false); r.Worst() == doctor.OK {
			return
		}
		if time.Now().After(deadline) {
			b.T.Fatalf("%s: it never became sound:\n%s", what, listed(r))
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
}

func listed(r doctor.Report) string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, string(f.State)+" "+f.Check+"/"+f.Kind+": "+f.Fact+" behind:"+f.Behind)
	}
	return strings.Join(all, "\n")
}

// TestEachBreakageIsFoundAndMended breaks a running pair in one way after the other. The check that
// knows it must say so, and nothing else may be broken but what follows from it. What its repairs
// say is done, and doctor says that the pair is sound.
func TestEachBreakageIsFoundAndMended(t *testing.T) {
	for i, c := range breakages {
		if testing.Short() && i%6 != 0 {
			continue // a pair for each takes a minute
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := pairtest.Start(t)
			cfg := e.AWSConfig()
			b := broken{e, identitystore.NewFromConfig(cfg), ssoadmin.NewFromConfig(cfg)}
			c.do(b)
			facts, r := b.diagnosis(true)
			if r.Worst() != doctor.Broken || r.Findings[0].Check != c.check {
				t.Errorf("want %s first:\n%s", c.check, listed(r))
			}
			for _, f := range r.Findings {
				if f.State == doctor.Broken && f.Behind == "" && f.Check != c.check && f.Check != breaksToo[c.name] {
					t.Errorf("%s is told beside %s, and nobody broke that:\n%s", f.Check, c.check, listed(r))
				}
			}
			plan := r.Plan()
			if aPersons[c.name] {
				if len(r.OnlyAPerson()) == 0 {
					t.Errorf("nobody is told what to do:\n%s", listed(r))
				}
				return
			}
			if len(plan) == 0 {
				t.Fatalf("nothing is planned for:\n%s", listed(r))
			}
			done, err := repair.Apply(context.Background(), b.sides().Of(facts), plan, func(repair.Outcome) {})
			b.must(err)
			for _, x := range done {
				if x.Failed != "" {
					t.Errorf("%s: %s", x.What, x.Failed)
				}
			}
			b.sound(c.name)
			if _, err := repair.Apply(
				context.Background(), b.sides().Of(facts), plan, func(repair.Outcome) {},
			); err != nil {
				t.Error(err)
			}
			b.sound(c.name + ", repaired twice")
		})
	}
	if len(breakages) < 25 {
		t.Errorf("only %d breakages", len(breakages))
	}
}

// breaksToo are the checks that find what some breakages break beside.
var breaksToo = map[string]string{
	"the certificate ran out":              "token",               // years go by, and the token's one with them
	"the identity source was changed back": "provisioning-off",    // which that change asks for
	"a group was deleted at the center":    "orphaned-assignment", // as at AWS, its assignments stay
}

// dying sends so many requests, then none.
type dying struct {
	next http.RoundTripper
	left *atomic.Int64
}

var errDead = errors.New("killed")

func (d dying) RoundTrip(req *http.Request) (*http.Response, error) {
	if d.left.Add(-1) < 0 {
		return nil, errDead
	}
	return d.next.RoundTrip(req)
}

// TestARepairThatWasKilledIsCompleted kills the repair of a certificate and a token that ran out
// after each of its requests. The next run completes it.
func TestARepairThatWasKilledIsCompleted(t *testing.T) {
	e := pairtest.Start(t)
	cfg := e.AWSConfig()
	b := broken{e, identitystore.NewFromConfig(cfg), ssoadmin.NewFromConfig(cfg)}
	b.Forward(3*366*24*time.Hour + time.Hour)
	ended := false
	for n := 0; !ended; n++ {
		facts, r := b.diagnosis(false)
		var left atomic.Int64
		left.Store(int64(n))
		sides := b.sides().Of(facts)
		sides.Wait = time.Millisecond // whoever was killed goes on with nothing
		graphs := *sides.Graph.HTTP
		graphs.Transport = dying{graphs.Transport, &left}
		sides.Graph = &graph.Client{BaseURL: sides.Graph.BaseURL, HTTP: &graphs}
		admin := *sides.Admin
		admin.HTTP = &http.Client{Transport: dying{http.DefaultTransport, &left}}
		sides.Admin = &admin
		plan := r.Plan()
		if n == 0 && len(plan) < 3 {
			t.Fatalf("the plan has %d actions", len(plan))
		}
		_, err := repair.Apply(context.Background(), sides, plan, func(repair.Outcome) {})
		b.must(err)
		ended = left.Load() >= 0
		if n > 100 {
			t.Fatal("it never ended")
		}
	}
	b.sound("killed after each request")
}
