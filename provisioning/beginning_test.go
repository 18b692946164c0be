package provisioning_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/provisioning"
)

// beginning is what both sides have when a tale begins.
type beginning struct {
	memory  *provisioning.Volatile
	ids     int64
	users   []center.User
	groups  []center.Group
	members []center.Membership
}

// begin brings three objects to the target, of which one is disabled, by two cycles. Before the
// next tale all of it is put back at once, which takes a quarter of the time.
func (x *target) begin(t *testing.T, d *directory, m *mortal, now *time.Time) {
	t.Helper()
	disable := func() { d.edit(bob, func(e *entry) { e.Active = false }) }
	x.empty(t)
	if b := x.begun; b != nil {
		disable()
		x.putBack(t, b)
		m.Volatile = b.memory.Copy()
		m.ids.Store(b.ids)
		return
	}
	x.sound(t, d, m, now)
	disable()
	x.sound(t, d, m, now)
	b := &beginning{memory: m.Copy(), ids: m.ids.Load()}
	if err := x.center.Store.View(context.Background(), func(r center.Reader) (err error) {
		b.users, err = r.Users(center.UserQuery{})
		if err == nil {
			b.groups, err = r.Groups(center.GroupQuery{})
		}
		for _, g := range b.groups {
			list, again := r.Memberships(center.MembershipQuery{GroupID: g.ID})
			b.members = append(b.members, list...)
			err = errors.Join(err, again)
		}
		return err
	}); err != nil || len(b.users) == 0 || len(b.members) != 1 { // who is disabled is gone at an identity store
		t.Fatalf("the tale begins with %d users and %d members, %v", len(b.users), len(b.members), err)
	}
	x.begun = b
}

// putBack gives the target, which is empty, what it had.
func (x *target) putBack(t *testing.T, b *beginning) {
	t.Helper()
	if err := x.center.Store.Update(context.Background(), func(tx center.Tx) (err error) {
		for _, u := range b.users {
			_, again := tx.AddUser(u)
			err = errors.Join(err, again)
		}
		for _, g := range b.groups {
			err = errors.Join(err, tx.AddGroup(g))
		}
		for _, m := range b.members {
			_, again := tx.AddMember(m.GroupID, m.UserID, m.CreatedAt, m.CreatedBy, &center.Membership{})
			err = errors.Join(err, again)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
