package center_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// provisioned is a center with automatic provisioning, its tenant, a token with its secret, and a
// clock to move by hand.
func provisioned(
	t *testing.T,
) (c *center.Center, tenant center.ProvisioningTenant, token center.BearerToken, secret string, now *time.Time) {
	t.Helper()
	c = centertest.New(t, "http://127.0.0.1")
	clock := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	c.Now = func() time.Time { return clock }
	ctx := context.Background()
	idp, err := c.CreateIdPConfiguration(
		ctx, centertest.Actor,
		center.IdPConfiguration{EntityID: "https://idp", SignInURL: "https://idp/sso", Certificates: [][]byte{{1}}},
	)
	if err == nil {
		err = c.EnableIdPConfiguration(ctx, centertest.Actor, idp.ID, center.Accepted)
	}
	if err == nil {
		tenant, err = c.CreateProvisioningTenant(ctx, centertest.Actor)
	}
	if err != nil {
		t.Fatal(err)
	}
	made, err := c.CreateBearerToken(ctx, centertest.Actor, "")
	if err != nil {
		t.Fatal(err)
	}
	return c, tenant, made.BearerToken, made.Secret.Reveal(), &clock
}

// TestExpiryIsToldMoreOftenAsItComesNearer moves through a token's last year and counts the events.
// Source: user guide, "Rotate an access token".
func TestExpiryIsToldMoreOftenAsItComesNearer(t *testing.T) {
	c, _, token, _, now := provisioned(t)
	ctx := context.Background()
	told := map[string]int{}
	seen := 0
	for ; now.Before(token.ExpiresAt); *now = now.Add(6 * time.Hour) {
		if err := c.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		events, err := c.Events(ctx, center.EventQuery{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range events {
			if e.Action == "BearerTokenExpiring" {
				n++
			}
		}
		soon, err := c.ExpiringTokens(ctx)
		if err != nil {
			t.Fatal(err)
		}
		left := token.ExpiresAt.Sub(*now)
		if (len(soon) == 1) != (left <= 90*24*time.Hour) {
			t.Errorf("%s before the end: %d tokens expire soon", left, len(soon))
		}
		stage := "before"
		switch days := left.Hours() / 24; {
		case days <= 15:
			stage = "daily"
		case days <= 30:
			stage = "three times a week"
		case days <= 60:
			stage = "twice a week"
		case days <= 90:
			stage = "weekly"
		}
		told[stage] += n - seen
		seen = n
	}
	for stage, want := range map[string][2]int{
		"before":             {0, 0},
		"weekly":             {4, 5},
		"twice a week":       {8, 9},
		"three times a week": {6, 7},
		"daily":              {14, 16},
	} {
		if n := told[stage]; n < want[0] || n > want[1] {
			t.Errorf("%s: told %d times, want %d to %d", stage, n, want[0], want[1])
		}
	}
}

// TestRevokedAtOnce: what is remembered between requests is forgotten with the change.
func TestRevokedAtOnce(t *testing.T) {
	c, tenant, token, secret, now := provisioned(t)
	ctx := context.Background()
	use := func(address string) error {
		_, err := c.AuthenticateToken(ctx, tenant.ID, secret, address)
		return err
	}
	for range 3 {
		if err := use("192.0.2.1"); err != nil {
			t.Fatal(err)
		}
	}
	*now = now.Add(2 * time.Minute)
	if err := use("192.0.2.2"); err != nil {
		t.Fatal(err)
	}
	tokens, err := c.BearerTokens(ctx)
	if err != nil || tokens[0].LastUsedAddress != "192.0.2.2" || !tokens[0].LastUsedAt.Equal(*now) {
		t.Errorf("last use %+v, %v", tokens, err)
	}
	if err := c.DeleteBearerToken(ctx, centertest.Actor, token.ID); err != nil {
		t.Fatal(err)
	}
	if err := use("192.0.2.1"); refusal.CodeOf(err) != center.TokenInvalid {
		t.Errorf("a deleted token: %v", err)
	}
	u, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	see := func() center.User {
		t.Helper()
		byID, err := c.User(ctx, u.ID)
		if err != nil {
			t.Fatal(err)
		}
		byName, err := c.UserByName(ctx, "ADA@example.com")
		if err != nil || byName.Version != byID.Version {
			t.Fatalf("by name %+v, by id %+v, %v", byName, byID, err)
		}
		return byID
	}
	see()
	if err := c.SetUserActive(ctx, centertest.Actor, u.ID, false); err != nil {
		t.Fatal(err)
	}
	if see().Active {
		t.Error("a disabled user is still seen as active")
	}
	if _, err := c.UpdateUser(ctx, centertest.Actor, u.ID, func(u *center.User) error {
		u.UserName = "countess"
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UserByName(ctx, "ada@example.com"); refusal.CodeOf(err) != center.UserNotFound {
		t.Errorf("by the old name: %v", err)
	}
	if err := c.DeleteUser(ctx, centertest.Actor, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := c.User(ctx, u.ID); refusal.CodeOf(err) != center.UserNotFound {
		t.Errorf("a deleted user: %v", err)
	}
}
