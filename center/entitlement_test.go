package center_test

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

const readerRole = "arn:aws:iam::111122223333:role/ops/Reader"

// entitled is a center with account access, an account, and a user who is signed in.
func entitled(t *testing.T) (c *center.Center, application string, u center.User, session string) {
	t.Helper()
	c = centertest.New(t, "https://center.example")
	ctx := context.Background()
	a, err := c.CreateAccessManager(ctx, centertest.Actor, c.Instance.ARN, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.PutAccount(ctx, centertest.Actor, center.Account{ID: "111122223333", Name: "Production"}); err != nil {
		t.Fatal(err)
	}
	if u, err = c.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	session = authn.Digest("secret")
	if err := c.Store.Update(ctx, func(tx center.Tx) error {
		return tx.PutSession(center.Session{
			Digest: session, Kind: center.PortalSession, UserID: u.ID, ExpiresAt: time.Now().Add(time.Hour),
		})
	}); err != nil {
		t.Fatal(err)
	}
	return c, c.AccessManagerARN(a), u, session
}

// opener is a broker that opens whatever it is asked for.
type opener struct{ asked center.RoleRequest }

func (o *opener) Credentials(_ context.Context, r center.RoleRequest) (center.RoleCredentials, error) {
	o.asked = r
	return center.RoleCredentials{AccessKeyID: "ASIA", Expiration: time.Now().Add(r.Duration)}, nil
}

func (o *opener) SignIn(context.Context, center.RoleRequest, string) (center.ConsoleSignIn, error) {
	return center.ConsoleSignIn{}, nil
}

// TestWhoIsEntitledOpensTheRole, and nobody else; what was opened is known and ended like that of
// permission sets.
func TestWhoIsEntitledOpensTheRole(t *testing.T) {
	t.Parallel()
	c, application, u, session := entitled(t)
	ctx := context.Background()
	c.OwnSTS = true
	by := audit.Actor{Kind: audit.User, Name: u.UserName}
	choice := center.RoleChoice{Session: session, Account: "111122223333", PermissionSet: readerRole}
	b := &opener{}
	if _, err := c.RoleCredentials(ctx, by, b, choice); refusal.CodeOf(err) != center.RoleNotAssigned {
		t.Fatalf("before: %v", err)
	}
	e, err := c.CreateEntitlement(ctx, centertest.Actor, application, center.Entitlement{
		RoleARN: readerRole, PrincipalType: center.PrincipalUser, PrincipalID: string(u.ID),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.RoleCredentials(ctx, by, b, choice); err != nil || b.asked.ARN != readerRole ||
		b.asked.RoleName != "Reader" || b.asked.Duration != time.Hour {
		t.Fatalf("the broker was asked for %+v, %v", b.asked, err)
	}
	other := choice
	other.Account = "222233334444"
	if _, err := c.RoleCredentials(ctx, by, b, other); refusal.CodeOf(err) != center.RoleNotAssigned {
		t.Errorf("by another account: %v", err)
	}
	held, n, err := c.HeldAccess(ctx, center.HeldAccessQuery{User: u.ID, Administrative: true})
	if err != nil || n != 1 || held[0].PermissionSet.ARN != readerRole || !held[0].Reach.Unread ||
		held[0].LastUsed.IsZero() || !held[0].ByHand {
		t.Errorf("who has what: %+v, %d, %v", held, n, err)
	}
	ended, err := c.RevokeUser(ctx, centertest.Actor, u.ID)
	if err != nil || len(ended.Roles) != 1 || ended.Roles[0].RoleName != readerRole ||
		ended.Roles[0].RefusedAt.IsZero() {
		t.Errorf("revoked: %+v, %v", ended, err)
	}
	if err := c.DeleteUser(ctx, centertest.Actor, u.ID); err != nil {
		t.Fatal(err)
	}
	orphans, _, err := c.Orphans(ctx, center.OrphanQuery{Limit: 10})
	if err != nil || len(orphans) != 1 || orphans[0].Name != u.UserName || orphans[0].Assignments != 1 {
		t.Errorf("orphans: %+v, %v", orphans, err)
	}
	moved, err := c.RemoveAccess(ctx, centertest.Actor, center.Principal{Type: center.PrincipalUser, ID: string(u.ID)})
	if err != nil || moved.Assignments != 1 || moved.Left != 0 {
		t.Errorf("removed: %+v, %v", moved, err)
	}
	if _, err := c.Entitlement(ctx, application, e.ID); refusal.CodeOf(err) != center.EntitlementNotFound {
		t.Errorf("the entitlement: %v", err)
	}
}

// TestEntitlementsAreChecked: what is entitled to, who is, and how many.
func TestEntitlementsAreChecked(t *testing.T) {
	t.Parallel()
	c, application, u, _ := entitled(t)
	ctx := context.Background()
	create := func(arn string, of center.PrincipalType, id string) error {
		_, err := c.CreateEntitlement(ctx, centertest.Actor, application, center.Entitlement{
			RoleARN: arn, PrincipalType: of, PrincipalID: id,
		})
		return err
	}
	const in, user = "arn:aws:iam::111122223333:", center.PrincipalUser
	id := string(u.ID)
	for name, x := range map[string]struct {
		arn  string
		of   center.PrincipalType
		id   string
		want refusal.Code
	}{
		"no role":             {in + "user/Ada", user, id, center.InvalidValue},
		"a wildcard":          {in + "role/*", user, id, center.InvalidValue},
		"a permission set's":  {in + "role/x/AWSReservedSSO_A_0123456789abcdef", user, id, center.InvalidValue},
		"an unknown account":  {"arn:aws:iam::999999999999:role/Reader", user, id, center.AccountNotFound},
		"nobody":              {readerRole, user, "nobody", center.UserNotFound},
		"a user as a group":   {readerRole, center.PrincipalGroup, id, center.GroupNotFound},
		"something as a user": {readerRole, "ROLE", id, center.InvalidValue},
	} {
		if err := create(x.arn, x.of, x.id); refusal.CodeOf(err) != x.want {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
	}
	for i := range 21 {
		g, err := c.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "g" + strconv.Itoa(i)})
		if err != nil {
			t.Fatal(err)
		}
		err = create(readerRole, center.PrincipalGroup, string(g.ID))
		if i < 20 && err != nil || i == 20 && refusal.CodeOf(err) != center.QuotaExceeded {
			t.Errorf("group %d: %v", i, err)
		}
	}
	err := c.DeleteAccessManager(ctx, centertest.Actor, application)
	if refusal.CodeOf(err) != center.EntitlementsRemain {
		t.Errorf("the application went with its entitlements: %v", err)
	}
	tags := []center.Tag{{Key: "team", Value: "iam"}}
	_, err = c.CreateAccessManager(ctx, centertest.Actor, c.Instance.ARN, tags)
	if refusal.CodeOf(err) != center.AccessManagerExists {
		t.Errorf("another application: %v", err)
	}
	if err := c.TagResource(ctx, centertest.Actor, application, tags); err != nil {
		t.Error(err)
	}
	again, err := c.CreateAccessManager(ctx, centertest.Actor, c.Instance.ARN, tags)
	if err != nil || c.AccessManagerARN(again) != application || !strings.HasPrefix(again.TenantID, "aa-") {
		t.Errorf("the same again: %+v, %v", again, err)
	}
}
