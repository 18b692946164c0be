package store_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// overheard is the statements of transactions that change something.
type overheard struct {
	mu    sync.Mutex
	wrote string
	late  []string // questions, with the statement that had been written before
}

func (o *overheard) hear(sql string) sqldbtest.Fault {
	if strings.Contains(sql, "gatehouse_changes") { // the store's own, now and then
		return sqldbtest.Pass
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	verb, _, _ := strings.Cut(strings.ToUpper(strings.TrimSpace(sql)), " ")
	switch verb {
	case "BEGIN", "COMMIT", "ROLLBACK":
		o.wrote = ""
	case "INSERT", "UPDATE", "DELETE":
		o.wrote = sql
	case "SELECT", "WITH":
		if o.wrote != "" {
			o.late = append(o.late, sql+"\n\tafter "+o.wrote)
		}
	}
	return sqldbtest.Pass
}

// forget returns what was overheard so far.
func (o *overheard) forget() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	late := o.late
	o.late = nil
	return late
}

// TestWhatManyChangeAsksBeforeItWrites: on PostgreSQL changes that arrive together are prepared
// side by side, but one that asks after it has written goes after the others. What provisioning
// does a thousand times in a cycle must not.
func TestWhatManyChangeAsksBeforeItWrites(t *testing.T) {
	var heard overheard
	c := centertest.On(t, open(t, sqldbtest.Proxy(t, sqldbtest.Postgres(t), heard.hear)), "http://localhost")
	ctx, by := context.Background(), centertest.Actor
	g, err := c.CreateGroup(ctx, by, center.Group{DisplayName: "Everybody"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := c.CreateUser(ctx, by, centertest.Person("ada@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	keep := func(*center.Group) error { return nil }
	change := func(edit func(*center.User)) error {
		_, err := c.UpdateUser(ctx, by, u.ID, func(u *center.User) error {
			edit(u)
			return nil
		})
		return err
	}
	for _, each := range []struct {
		name string
		do   func() error
	}{
		{"a user is created", func() error {
			_, err := c.CreateUser(ctx, by, centertest.Person("bo@example.com"))
			return err
		}},
		{"a title changes", func() error { return change(func(u *center.User) { u.Title = "Engineer" }) }},
		{"a name changes", func() error { return change(func(u *center.User) { u.UserName = "ada2@example.com" }) }},
		{"a user is disabled", func() error { return change(func(u *center.User) { u.Active = false }) }},
		{"a user is enabled", func() error { return change(func(u *center.User) { u.Active = true }) }},
		{"a user becomes a member", func() error {
			_, err := c.CreateMembership(ctx, by, g.ID, u.ID)
			return err
		}},
		{"a member leaves", func() error {
			_, err := c.UpdateGroup(ctx, by, g.ID, center.MembershipChange{Remove: []center.UserID{u.ID}}, keep)
			return err
		}},
		{"a member comes with a change of the group", func() error {
			_, err := c.UpdateGroup(ctx, by, g.ID, center.MembershipChange{Add: []center.UserID{u.ID}}, keep)
			return err
		}},
		{"all is revoked", func() error {
			_, err := c.RevokeUser(ctx, by, u.ID)
			return err
		}},
		{"a user is deleted", func() error { return c.DeleteUser(ctx, by, u.ID) }},
	} {
		heard.forget()
		if err := each.do(); err != nil {
			t.Fatalf("%s: %v", each.name, err)
		}
		for _, late := range heard.forget() {
			t.Errorf("%s: %s", each.name, late)
		}
	}
}
