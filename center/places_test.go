package center_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestPagesByPlaceAreThoseOfTheDatabase reads pages from everywhere, in and out of order, while
// users come and go, and compares with what an offset gives.
func TestPagesByPlaceAreThoseOfTheDatabase(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	ctx := context.Background()
	var made []center.UserID
	add := func(name string) {
		u, err := c.CreateUser(ctx, centertest.Actor, centertest.Person(name))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, u.ID)
	}
	for i := range 40 {
		add(fmt.Sprint("user", i))
	}
	check := func(offset, limit int) {
		t.Helper()
		pages := c.Pages()
		if err := c.Store.View(ctx, func(r center.Reader) error {
			got, total, err := pages.Users(r, offset, limit)
			if err != nil {
				return err
			}
			want, err := r.Users(center.UserQuery{Offset: offset, Limit: limit})
			if err != nil {
				return err
			}
			n, err := r.CountUsers(center.UserQuery{})
			if total != n || len(got) != len(want) {
				t.Errorf("from %d: %d of %d, want %d of %d", offset, len(got), total, len(want), n)
			}
			for i := range want {
				if got[i].ID != want[i].ID {
					t.Errorf("from %d: entry %d is %s, want %s", offset, i, got[i].ID, want[i].ID)
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 3 {
		for _, offset := range []int{0, 10, 20, 30, 40, 5, 15, 33, 7, 39, 100} {
			check(offset, 10)
		}
		if err := c.DeleteUser(ctx, centertest.Actor, made[3+round]); err != nil {
			t.Fatal(err)
		}
		check(10, 10)
		add(fmt.Sprint("late", round))
		check(30, 20)
	}
	// A view that began before a change must not leave what it saw behind.
	pages := c.Pages()
	if err := c.Store.View(ctx, func(r center.Reader) error {
		if _, err := r.CountUsers(center.UserQuery{}); err != nil { // the view's moment
			return err
		}
		if err := c.DeleteUser(ctx, centertest.Actor, made[0]); err != nil {
			return err
		}
		_, _, err := pages.Users(r, 10, 10)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	check(20, 10)
	check(0, 10)
}
