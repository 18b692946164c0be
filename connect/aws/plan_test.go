package aws_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/scim"
)

// TestThePlanSaysWhatBecomesOfPeople reads both sides through their doors, changes what the walk
// changes, and reads AWS's side back.
func TestThePlanSaysWhatBecomesOfPeople(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	ctx := context.Background()
	e.CLI().Run(nil, "identitystore", "create-user", "--identity-store-id", e.Center.IdentityStoreID, "--user-name",
		"stranger@northwind.example", "--display-name", "S", "--name", "GivenName=S,FamilyName=T")
	c, err := aws.Open(ctx, atAWS(e.Pair, &limits{}))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "snapshot.json")
	cfg := connect.Config{
		Graph: graph.NewClient(
			ctx, e.Tenant.GraphURL, e.Tenant.TokenURL, e.Tenant.ClientID, e.Tenant.ClientSecret, http.DefaultClient,
		),
		Center:       e.Admin,
		LoginURL:     e.AuthorityURL(),
		AppName:      "AWS IAM Identity Center",
		Groups:       []string{"Engineering"},
		Cert:         "AWS IAM Identity Center",
		Discover:     c.Discover,
		SnapshotFile: file,
	}
	plan, err := connect.Observe(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if plan.People.Counts[connect.Stops] != 1 || plan.People.Counts[connect.Created] != 7 ||
		plan.People.Counts[connect.Nested] == 0 || plan.People.New != 1 {
		t.Errorf("%+v", plan.People)
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		t.Fatal(err)
	}
	var before connect.Snapshot
	if err := connect.ReadFile(file, &before); err != nil || len(before.Users) != 1 {
		t.Errorf("the snapshot has %+v, %v", before, err)
	}
	if _, err := plan.Verify(ctx, func(int, int) {}); err != nil {
		t.Fatal(err)
	}
	plan, err = connect.Observe(ctx, cfg)
	if err != nil || plan.Pending() != 0 || plan.People.Counts[connect.Keeps] != 7 || plan.People.Adopted != 1 {
		t.Errorf("afterwards: %+v, %v", plan.People, err)
	}
}

// TestNobodyLocksHimselfOut: whoever has a permission set's role does not change the identity
// source unless they say that they know.
func TestNobodyLocksHimselfOut(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	ctx := context.Background()
	cfg := connect.Config{
		Graph: e.Client, Center: e.Admin, LoginURL: e.AuthorityURL(), AppName: "AWS IAM Identity Center",
		Cert: "AWS IAM Identity Center",
		Discover: func(context.Context, func(int, int)) (connect.Snapshot, error) {
			return connect.Snapshot{Caller: "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0123456789abcdef/me"}, nil
		},
	}
	plan, err := connect.Observe(ctx, cfg)
	if err != nil || len(plan.Notes) == 0 {
		t.Fatal(plan, err)
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); !errors.Is(err, connect.ErrLockout) {
		t.Errorf("it goes on: %v", err)
	}
	cfg.AllowLockout = true
	if plan, err = connect.Observe(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		t.Errorf("with leave: %v", err)
	}
}

// TestThePlanSaysWhatTheRunDoes of two who are special: somebody whose external id another user has
// is refused with who has it, and that user keeps the name; a guest arrives by the address that
// they were invited by, and cannot sign in.
func TestThePlanSaysWhatTheRunDoes(t *testing.T) {
	t.Parallel()
	w := newWalk(t)
	ctx := t.Context()
	var amara, guest graph.User
	if err := w.Client.Do(ctx, http.MethodGet, "/users/"+pairtest.Amara, nil, &amara); err != nil {
		t.Fatal(err)
	}
	made := map[string]any{
		"accountEnabled": true, "displayName": "Guest", "givenName": "G", "surname": "Uest", "userType": "Guest",
		"mailNickname": "guest_contoso.example#EXT#", "mail": "guest@contoso.example",
		"userPrincipalName": "guest_contoso.example#EXT#@northwind.example",
		"passwordProfile":   map[string]any{"password": "Correct-Horse-7-Battery"},
	}
	if err := w.Client.Do(ctx, http.MethodPost, "/users", made, &guest); err != nil {
		t.Fatal(err)
	}
	groups, err := graph.All[graph.Group](ctx, w.Client, "/groups"+graph.Filter("displayName", "Engineering"))
	if err != nil || len(groups) != 1 {
		t.Fatal(groups, err)
	}
	member := map[string]string{"@odata.id": w.Tenant.GraphURL + "/directoryObjects/" + guest.ID}
	if err := w.Client.Do(ctx, http.MethodPost, "/groups/"+groups[0].ID+"/members/$ref", member, nil); err != nil {
		t.Fatal(err)
	}
	w.tokenless = true // automatic provisioning is another one's for now
	if _, _, err := w.run(ctx); err != nil {
		t.Fatal(err)
	}
	w.tokenless = false
	earlier, err := w.Admin.CreateTenant(ctx)
	if err != nil {
		t.Fatal(err)
	}
	token, err := w.Admin.CreateBearerToken(ctx, earlier.TenantID, "")
	if err != nil {
		t.Fatal(err)
	}
	before := &scim.Client{BaseURL: earlier.ScimEndpoint, Token: token.Value, HTTP: http.DefaultClient}
	holder := scim.Resource{
		"schemas": []any{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "eve@northwind.example",
		"externalId": amara.ID, "displayName": "Eve", "active": true,
		"name": map[string]any{"givenName": "E", "familyName": "Ve"},
	}
	var was scim.Resource
	if err := before.Do(ctx, http.MethodPost, "/Users", nil, holder, &was); err != nil {
		t.Fatal(err)
	}
	cfg, err := w.config(ctx)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := connect.Observe(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]connect.Fate{
		pairtest.Amara:          {Outcome: connect.Clashes, With: "eve@northwind.example", Attribute: "externalId"},
		"eve@northwind.example": {Outcome: connect.Stops, With: pairtest.Amara, Attribute: "externalId"},
		"guest@contoso.example": {Outcome: connect.NoSignIn, Attribute: "NameID"},
	}
	for _, f := range plan.People.Fates {
		if x, special := want[f.UserName]; special {
			if f.Outcome != x.Outcome || f.With != x.With || f.Attribute != x.Attribute {
				t.Errorf("the plan says %+v", f)
			}
			delete(want, f.UserName)
		}
	}
	if notes := strings.Join(plan.Notes, "; "); len(want) > 0 || !strings.Contains(notes, "1 guest is in scope") {
		t.Errorf("the plan does not say %+v; notes: %s", want, notes)
	}
	result, _, err := w.run(ctx)
	if err != nil || len(result.Failures) != 1 || result.Failures[0].Name != pairtest.Amara ||
		!strings.Contains(result.Failures[0].Reason, "belongs to the user eve@northwind.example") {
		t.Errorf("the run says %+v, %v", result.Failures, err)
	}
	var now scim.Resource
	if err := before.Do(ctx, http.MethodGet, "/Users/"+was.String("id"), nil, nil, &now); err != nil ||
		now.String("userName") != "eve@northwind.example" {
		t.Errorf("the other user is %v now, %v", now["userName"], err)
	}
	if found, err := before.Find(ctx, "/Users", "userName", "guest@contoso.example"); err != nil || len(found) != 1 {
		t.Errorf("the guest has not come: %v, %v", found, err)
	}
}
