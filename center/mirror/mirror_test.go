package mirror_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/mirror"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// original is a center with something of everything.
func original(t *testing.T, people int) *centertest.Server {
	t.Helper()
	s := centertest.Serve(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var ids []center.UserID
	for i := range people {
		u := centertest.Person(fmt.Sprintf("p%04d@x.example", i))
		u.ExternalID, u.Active = fmt.Sprint("entra-", i), i%7 != 0
		u.Title = "Engineer"
		u.Emails = []center.Value{{Value: u.UserName, Type: "work", Primary: true}}
		u.Addresses = []center.Address{{Locality: "Berlin", Type: "work", Primary: true}}
		u.Enterprise = center.Enterprise{Department: "R&D", Manager: "boss"}
		made, err := s.CreateUser(ctx, centertest.Actor, u)
		must(err)
		ids = append(ids, made.ID)
	}
	var groups []center.Group
	for i := range 12 {
		g, err := s.CreateGroup(ctx, centertest.Actor,
			center.Group{DisplayName: fmt.Sprint("Group ", i), Description: "d", ExternalID: fmt.Sprint("g-", i)},
			ids[:min(len(ids), i*20)]...)
		must(err)
		groups = append(groups, g)
	}
	for i := range 6 {
		must(s.PutAccount(ctx, centertest.Actor, center.Account{
			ID: fmt.Sprintf("%012d", i+1), Name: fmt.Sprint("Account ", i), Email: "a@x.example", Suspended: i == 5,
			Units: []center.Unit{{ID: "r-ab12", Name: "Root"}, {ID: "ou-ab12-11111111", Name: "Prod"}},
		}))
	}
	for i := range 5 {
		p, err := s.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{
			Name: fmt.Sprint("Set", i), Description: "what it is for", SessionDuration: 8 * 60 * 60 * 1e9,
			SessionText: "PT8H", RelayState: "https://console.aws.amazon.com/s3",
			ManagedPolicies:  []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
			CustomerPolicies: []center.PolicyReference{{Name: "Own", Path: "/team/"}},
			Boundary:         &center.Boundary{CustomerPolicy: &center.PolicyReference{Name: "Bound", Path: "/"}},
			InlinePolicy:     `{"Version":"2012-10-17","Statement":[]}`,
			Tags:             []center.Tag{{Key: "team", Value: "a"}},
		})
		must(err)
		for account := range i + 1 {
			a := center.Assignment{
				AccountID: fmt.Sprintf("%012d", account+1), PermissionSetARN: p.ARN,
				PrincipalType: center.PrincipalGroup, PrincipalID: string(groups[i].ID),
			}
			_, err := s.CreateAssignment(ctx, centertest.Actor, a)
			must(err)
			a.PrincipalType, a.PrincipalID = center.PrincipalUser, string(ids[i])
			_, err = s.CreateAssignment(ctx, centertest.Actor, a)
			must(err)
		}
		if i == 4 { // its roles are behind
			must(s.DetachManagedPolicy(ctx, centertest.Actor, p.ARN, p.ManagedPolicies[0]))
		}
	}
	issuer, err := s.CreateTokenIssuer(ctx, centertest.Actor, center.TokenIssuer{
		Name: "okta", IssuerURL: "https://okta.example", ClaimAttributePath: "email",
		IdentityStoreAttributePath: "emails.value",
	}, "")
	must(err)
	app, err := s.CreateApplication(ctx, centertest.Actor, center.Application{
		ProviderARN: center.ApplicationProviders[0].ARN, Name: "Reports", Description: "d", Enabled: true,
		SignInStated: true, OpensItself: true, URL: "https://reports.example/",
		Tags: []center.Tag{{Key: "k", Value: "v"}},
	}, "")
	must(err)
	must(s.UpdateApplication(ctx, centertest.Actor, center.ActionPutApplicationGrant, app.ARN,
		func(a *center.Application) error {
			a.AccessScopes = []center.AccessScope{{Scope: "sso:account:access"}}
			a.Grants = []center.Grant{
				{Type: center.GrantAuthorizationCode, RedirectURIs: []string{"https://reports.example/cb"}},
				{Type: center.GrantJWTBearer, Issuers: []center.AuthorizedIssuer{{ARN: issuer.ARN,
					Audiences: []string{"aud"}}}},
			}
			return nil
		}))
	must(s.AssignApplication(ctx, centertest.Actor, center.ApplicationAssignment{
		ApplicationARN: app.ARN, PrincipalType: center.PrincipalGroup, PrincipalID: string(groups[0].ID),
	}))
	must(s.AddRegion(ctx, centertest.Actor, "eu-west-1"))
	must(s.CreateAccessControl(ctx, centertest.Actor, []center.AccessControlAttribute{
		{Key: "CostCenter", Source: "${path:enterprise.costCenter}"},
	}))
	return s
}

// via is a transport that tells of each operation of AWS's, and may answer instead.
type via struct {
	http.RoundTripper

	before func(operation string) (*http.Response, error)
}

func (v via) Do(r *http.Request) (*http.Response, error) {
	target := r.Header.Get("X-Amz-Target")
	if v.before != nil {
		if response, err := v.before(target[strings.LastIndexByte(target, '.')+1:]); response != nil || err != nil {
			return response, err
		}
	}
	return v.RoundTrip(r)
}

func reader(
	t *testing.T, c *center.Center, url string, before func(string) (*http.Response, error),
) *inventory.Reader {
	t.Helper()
	key, err := c.CreateAccessKey(t.Context(), centertest.Actor, "rehearsal", center.RoleReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	cfg := aws.Config{
		Region: c.Instance.Region, BaseEndpoint: &url, HTTPClient: via{http.DefaultTransport, before},
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.SecretAccessKey.Reveal(), ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} },
	}
	return inventory.Open(cfg).Of(c.Instance.ARN, c.Instance.IdentityStoreID)
}

// open opens the copy in a folder.
func open(t *testing.T, folder string, identity center.Identity) (*center.Center, error) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(folder, "center.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	sealer, err := authn.NewSealer(make([]byte, authn.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	return center.Open(t.Context(), center.Config{
		Store: s, Sealer: sealer, URL: "http://127.0.0.1", Identity: &identity,
	})
}

// listing is what an instance says of itself by its public APIs.
func listing(t *testing.T, r *inventory.Reader) []string {
	t.Helper()
	ctx := t.Context()
	var out []string
	say := func(kind string, v any, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, kind+" "+string(text))
	}
	users, err := inventory.All(r.Users(ctx, ""))
	for _, u := range users {
		var enterprise map[string]any
		err := u.Extensions[inventory.Enterprise].UnmarshalSmithyDocument(&enterprise)
		u.Extensions, u.Revision = nil, nil
		for i := range u.ExternalIds {
			u.ExternalIds[i].Issuer = nil // names the provisioning tenant, which is the copy's own
		}
		say("user", u, err)
		say("enterprise of "+*u.UserName, enterprise, nil)
	}
	say("users", len(users), err)
	groups, err := inventory.All(r.Groups(ctx, ""))
	say("groups", len(groups), err)
	for _, g := range groups {
		g.Revision = nil // members were added
		g.UpdatedAt, g.UpdatedBy = nil, nil
		for i := range g.ExternalIds {
			g.ExternalIds[i].Issuer = nil
		}
		say("group", g, nil)
		members, err := inventory.All(r.Members(ctx, *g.GroupId, ""))
		for _, x := range members {
			out = append(out, "member "+*g.GroupId+" "+inventory.MemberID(x))
		}
		say("members", len(members), err)
	}
	sets, err := inventory.All(r.PermissionSets(ctx, ""))
	say("sets", sets, err)
	for _, set := range sets {
		describe(t, r, set, say)
	}
	apps, err := inventory.All(r.Applications(ctx))
	say("applications", apps, err)
	for _, a := range apps {
		assigned, err := inventory.All(r.ApplicationAssignments(ctx, *a.ApplicationArn))
		say("assigned", assigned, err)
		grants, err := inventory.All(r.Grants(ctx, *a.ApplicationArn))
		say("grants", grants, err)
		scopes, err := inventory.All(r.AccessScopes(ctx, *a.ApplicationArn))
		say("scopes", scopes, err)
		tags, err := inventory.All(r.Tags(ctx, *a.ApplicationArn))
		say("tags", tags, err)
	}
	accounts, err := inventory.All(r.Accounts(ctx))
	for i := range accounts {
		accounts[i].JoinedTimestamp = nil
	}
	say("accounts", accounts, err)
	issuers, err := inventory.All(r.TokenIssuers(ctx))
	say("issuers", issuers, err)
	control, err := r.AccessControlAttributes(ctx)
	say("access control", control, err)
	instance, err := r.Instance(ctx)
	say("instance", []*string{instance.InstanceArn, instance.IdentityStoreId, instance.OwnerAccountId}, err)
	regions, err := inventory.All(r.Regions(ctx))
	for i := range regions {
		regions[i].AddedDate = nil
	}
	say("regions", regions, err)
	slices.Sort(out)
	return out
}

func describe(t *testing.T, r *inventory.Reader, set string, say func(string, any, error)) {
	t.Helper()
	ctx := t.Context()
	described, err := r.PermissionSet(ctx, set)
	say("set", described, err)
	managed, err := inventory.All(r.ManagedPolicies(ctx, set))
	say("managed", managed, err)
	own, err := inventory.All(r.CustomerManagedPolicies(ctx, set))
	say("customer managed", own, err)
	inline, err := r.InlinePolicy(ctx, set)
	say("inline", inline, err)
	boundary, err := r.PermissionsBoundary(ctx, set)
	say("boundary", boundary, err)
	behind, err := inventory.All(r.Provisioned(ctx, set, "LATEST_PERMISSION_SET_NOT_PROVISIONED"))
	say("behind", behind, err)
	accounts, err := inventory.All(r.Provisioned(ctx, set, ""))
	say("provisioned", accounts, err)
	for _, a := range accounts {
		assigned, err := inventory.All(r.Assignments(ctx, a, set))
		say("assignments", assigned, err)
	}
}

func differ(t *testing.T, want, got []string) {
	t.Helper()
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("the copy lacks %s", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("only the copy has %s", g)
		}
	}
}

// TestACopyIsWhatTheOriginalIs interrupts a copy at one request after the other, each time with a
// new process, until it is whole. Both sides then list the same.
func TestACopyIsWhatTheOriginalIs(t *testing.T) {
	t.Parallel()
	s := original(t, 250)
	folder := t.TempDir()
	stopped := errors.New("killed")
	var asked atomic.Int64
	var most int64
	from := reader(t, s.Center, s.HTTP.URL, func(string) (*http.Response, error) {
		if asked.Add(1) > most {
			return nil, stopped
		}
		return nil, nil
	})
	var report mirror.Report
	for tries := 1; ; tries++ {
		c, err := open(t, folder, s.Instance.Identity())
		if err != nil {
			t.Fatal(err)
		}
		asked.Store(0)
		most = int64(10 + 7*tries)
		m := &mirror.Mirror{Reader: from, Center: c, State: filepath.Join(folder, "copy.json")}
		if report, err = m.Copy(t.Context()); err == nil {
			t.Logf("whole after %d tries: %v", tries, report.Counts)
			if tries < 3 {
				t.Error("the copy was never interrupted")
			}
			most = 1 << 40
			centertest.Check(t, c)
			at := centertest.ServeDoor(t, c, fronter{server.Handler(c, server.Config{})})
			differ(t, listing(t, from), listing(t, reader(t, c, at.URL, nil)))
			break
		}
		if !errors.Is(err, stopped) || tries > 50 {
			t.Fatal(err)
		}
		if err := c.Store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(report.Unread) > 0 || report.Counts[mirror.Users] != 250 || report.Counts[mirror.Assignments] != 30 {
		t.Errorf("%+v", report)
	}
}

// TestMembersAreReadWhileUsersAre lets AWS answer with the second page of users only after it was
// asked for the members of all groups: each operation has a rate of its own.
func TestMembersAreReadWhileUsersAre(t *testing.T) {
	t.Parallel()
	s := original(t, 150)
	c, err := open(t, t.TempDir(), s.Instance.Identity())
	if err != nil {
		t.Fatal(err)
	}
	var pages, groups atomic.Int64
	all := make(chan struct{})
	from := reader(t, s.Center, s.HTTP.URL, func(operation string) (*http.Response, error) {
		switch {
		case operation == "ListGroupMemberships" && groups.Add(1) == 12:
			close(all)
		case operation == "ListUsers" && pages.Add(1) == 2:
			select {
			case <-all:
			case <-time.After(time.Minute):
				return nil, errors.New("nobody asks for members before all users are there")
			}
		}
		return nil, nil
	})
	m := &mirror.Mirror{Reader: from, Center: c, State: filepath.Join(t.TempDir(), "copy.json")}
	report, err := m.Copy(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want, err := s.CountMemberships(t.Context(), center.MembershipQuery{})
	if err != nil || want == 0 || report.Counts[mirror.Memberships] != want {
		t.Errorf("%d memberships, want %d, %v", report.Counts[mirror.Memberships], want, err)
	}
}

// fronter makes a handler a door.
type fronter struct{ http.Handler }

func (f fronter) Before(http.Handler) http.Handler { return f.Handler }

// TestWhatMayNotBeReadIsLeftOutAndNamed has AWS refuse an operation: the rest is copied.
func TestWhatMayNotBeReadIsLeftOutAndNamed(t *testing.T) {
	t.Parallel()
	s := original(t, 30)
	for operation, want := range map[string]struct {
		permission string
		lacks      []string
	}{
		"ListRoots": {"organizations:ListRoots", nil},
		// Accounts with permission sets are there.
		"ListAccounts":           {"organizations:ListAccounts", nil},
		"ListUsers":              {"identitystore:ListUsers", []string{mirror.Users, mirror.Memberships}},
		"ListGroupMemberships":   {"identitystore:ListGroupMemberships", []string{mirror.Memberships}},
		"ListAccountAssignments": {"sso:ListAccountAssignments", []string{mirror.Assignments}},
		"ListApplications": {
			"sso:ListApplications", []string{mirror.Applications, mirror.ApplicationAssignments},
		},
		"ListTagsForResource":        {"sso:ListTagsForResource", nil},
		"ListApplicationAssignments": {"sso:ListApplicationAssignments", []string{mirror.ApplicationAssignments}},
	} {
		t.Run(operation, func(t *testing.T) {
			c, err := open(t, t.TempDir(), s.Instance.Identity())
			if err != nil {
				t.Fatal(err)
			}
			m := &mirror.Mirror{
				Center: c, State: filepath.Join(t.TempDir(), "copy.json"),
				Reader: reader(t, s.Center, s.HTTP.URL, func(asked string) (*http.Response, error) {
					if asked != operation {
						return nil, nil
					}
					return &http.Response{
						StatusCode: http.StatusBadRequest, Header: http.Header{},
						Body: io.NopCloser(strings.NewReader(`{"__type":"AccessDeniedException"}`)),
					}, nil
				}),
			}
			report, err := m.Copy(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			named := func(u mirror.Unread) bool { return u.Permission == want.permission }
			if !slices.ContainsFunc(report.Unread, named) {
				t.Errorf("not named: %+v", report.Unread)
			}
			for kind, n := range report.Counts {
				if (n == 0) != slices.Contains(want.lacks, kind) {
					t.Errorf("%d %s", n, kind)
				}
			}
		})
	}
}

// TestOnlyAnEmptyCenterBecomesACopy: a center that holds something keeps what it is known by.
func TestOnlyAnEmptyCenterBecomesACopy(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	one := center.Identity{
		ARN: "arn:aws:sso:::instance/ssoins-0123456789abcdef", IdentityStoreID: "d-0123456789",
		OwnerAccountID: "000000000001", Region: "eu-west-1",
	}
	c, err := open(t, folder, one)
	if err != nil || c.Instance.Identity() != one {
		t.Fatal(c, err)
	}
	other := one
	other.IdentityStoreID = "d-9876543210"
	_ = c.Store.Close()
	if c, err = open(t, folder, other); err != nil || c.Instance.Identity() != other { // it holds nothing yet
		t.Fatal(err)
	}
	if _, err := c.CreateUser(t.Context(), centertest.Actor, centertest.Person("ada@x.example")); err != nil {
		t.Fatal(err)
	}
	_ = c.Store.Close()
	if _, err := open(t, folder, one); refusal.CodeOf(err) != center.InstanceInUse {
		t.Errorf("%v", err)
	}
	bad := one
	bad.ARN = "arn:aws:iam::1:user/x"
	if _, err := open(t, t.TempDir(), bad); err == nil {
		t.Error("an instance got another ARN than one of an instance")
	}
}
