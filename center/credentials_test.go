package center_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestWhatEndsAccessEndsItAtOnce opens a role, so that it is remembered, takes the access in each
// of the ways there are, and asks again.
func TestWhatEndsAccessEndsItAtOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for name, c := range map[string]struct {
		end  func(c *center.Center, a center.Assignment, u center.UserID, g center.Group, clock *time.Time) error
		want refusal.Code
	}{
		"the assignment deleted": {func(
			c *center.Center, a center.Assignment, _ center.UserID, _ center.Group, _ *time.Time,
		) error {
			_, err := c.DeleteAssignment(ctx, centertest.Actor, a)
			return err
		}, center.RoleNotAssigned},
		"out of the group": {func(
			c *center.Center, _ center.Assignment, u center.UserID, g center.Group, _ *time.Time,
		) error {
			return c.Store.Update(ctx, func(tx center.Tx) error {
				_, err := tx.RemoveMembers(g.ID, []center.UserID{u})
				return err
			})
		}, center.RoleNotAssigned},
		"the group deleted": {func(
			c *center.Center, _ center.Assignment, _ center.UserID, g center.Group, _ *time.Time,
		) error {
			return c.DeleteGroup(ctx, centertest.Actor, g.ID)
		}, center.RoleNotAssigned},
		"the user disabled": {func(
			c *center.Center, _ center.Assignment, u center.UserID, _ center.Group, _ *time.Time,
		) error {
			return c.SetUserActive(ctx, centertest.Actor, u, false)
		}, center.SessionInvalid},
		"the user deleted": {func(
			c *center.Center, _ center.Assignment, u center.UserID, _ center.Group, _ *time.Time,
		) error {
			return c.DeleteUser(ctx, centertest.Actor, u)
		}, center.SessionInvalid},
		"the account suspended": {func(
			c *center.Center, a center.Assignment, _ center.UserID, _ center.Group, _ *time.Time,
		) error {
			return c.PutAccount(ctx, centertest.Actor, center.Account{ID: a.AccountID, Name: "P", Suspended: true})
		}, center.AccountSuspended},
		"signed out": {func(
			c *center.Center, _ center.Assignment, _ center.UserID, _ center.Group, _ *time.Time,
		) error {
			_, err := c.SignOut(ctx, audit.Actor{Kind: audit.User}, "secret")
			return err
		}, center.SessionInvalid},
		"the session over, and nothing written": {func(
			_ *center.Center, _ center.Assignment, _ center.UserID, _ center.Group, clock *time.Time,
		) error {
			*clock = clock.Add(2 * time.Hour)
			return nil
		}, center.SessionInvalid},
		"opened by a clock that was ahead, and nothing written": {func(
			_ *center.Center, _ center.Assignment, _ center.UserID, _ center.Group, clock *time.Time,
		) error {
			*clock = clock.Add(-48 * time.Hour)
			return nil
		}, center.SessionInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world := centertest.New(t, "https://center.example")
			clock := time.Now()
			world.Now = func() time.Time { return clock }
			u, e1 := world.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
			g, e2 := world.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "G"})
			set, e3 := world.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{Name: "Admin"})
			e4 := world.PutAccount(ctx, centertest.Actor, center.Account{ID: "111122223333", Name: "P"})
			a := center.Assignment{
				AccountID:        "111122223333",
				PermissionSetARN: set.ARN,
				PrincipalType:    center.PrincipalGroup,
				PrincipalID:      string(g.ID),
			}
			_, e5 := world.CreateAssignment(ctx, centertest.Actor, a)
			choice := center.RoleChoice{Session: authn.Digest("secret"), Account: a.AccountID, PermissionSet: "Admin"}
			e6 := world.Store.Update(ctx, func(tx center.Tx) error {
				_, err := tx.AddMembers(g.ID, []center.UserID{u.ID}, clock, "t")
				return errors.Join(
					err,
					tx.PutSession(center.Session{
						Digest:    choice.Session,
						Kind:      center.PortalSession,
						UserID:    u.ID,
						CreatedAt: clock,
						ExpiresAt: clock.Add(time.Hour),
					}),
				)
			})
			if err := errors.Join(e1, e2, e3, e4, e5, e6); err != nil {
				t.Fatal(err)
			}
			b := &broker.Sandbox{Sealer: world.Sealer, Now: world.Now}
			open := func() error {
				_, err := world.RoleCredentials(ctx, audit.Actor{Kind: audit.User}, b, choice)
				return err
			}
			for range 3 {
				if err := open(); err != nil {
					t.Fatal(err)
				}
			}
			if events, err := world.Events(ctx, center.EventQuery{Limit: 3}); err != nil || len(events) != 3 ||
				events[2].Actor.Name != "ada" || events[0].Actor.Name != "ada" {
				t.Errorf("the audit log says %+v, %v", events, err)
			}
			stop := make(chan struct{})
			var others sync.WaitGroup
			for range 4 { // people who go on opening it, so that it is remembered at every moment
				others.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							_ = open() // until it is refused
						}
					}
				})
			}
			still := strings.HasSuffix(name, "nothing written")
			if still { // the clock is not for many
				close(stop)
				others.Wait()
			}
			err := c.end(world, a, u.ID, g, &clock)
			got := open()
			if !still {
				close(stop)
				others.Wait()
			}
			if err != nil || refusal.CodeOf(got) != c.want {
				t.Errorf("%v; then opening says %v, want %s", err, got, c.want)
			}
		})
	}
}
