package center_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// hooked is a store that asks before each change.
type hooked struct {
	center.Store
	before func() error
}

// Update implements center.Store.
func (s hooked) Update(ctx context.Context, fn func(center.Tx) error) error {
	if err := s.before(); err != nil {
		return err
	}
	return s.Store.Update(ctx, fn)
}

// TestANodeThatStoodStillWritesNoOldAccounts: it has read the organization, and stands still in the
// midst of writing. What another node has read and written meanwhile stays.
func TestANodeThatStoodStillWritesNoOldAccounts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	slow := centertest.New(t, "https://center.example")
	fast := centertest.On(t, slow.Store, slow.URL)
	clock := time.Now()
	slow.Now = func() time.Time { return clock }
	fast.Now = slow.Now
	slow.OrganizationEach, fast.OrganizationEach = time.Hour, time.Hour
	called := func(name string) (list []center.Account) {
		for i := range 250 {
			list = append(list, center.Account{ID: fmt.Sprintf("%012d", i+1), Name: name})
		}
		return list
	}
	slow.Organization = reading(func() []center.Account { return called("Old") })
	fast.Organization = reading(func() []center.Account { return called("New") })
	stood := false
	slow.Store = hooked{fast.Store, func() error {
		written, err := fast.Accounts(ctx)
		if err != nil || len(written) == 0 || stood {
			return err
		}
		stood, clock = true, clock.Add(10*time.Minute)
		if did, err := fast.ImportOrganization(ctx); err != nil || !did {
			t.Errorf("the other node: %t, %v", did, err)
		}
		return nil
	}}
	if _, err := slow.ImportOrganization(ctx); err != nil || !stood {
		t.Fatalf("it stood still: %t, %v", stood, err)
	}
	accounts, err := fast.Accounts(ctx)
	if err != nil || len(accounts) != 250 {
		t.Fatalf("%d accounts, %v", len(accounts), err)
	}
	old := 0
	for _, a := range accounts {
		if a.Name == "Old" {
			old++
		}
	}
	last, err := fast.LastOrganizationImport(ctx)
	if err != nil || old != 0 || last.Running() || last.Error != "" {
		t.Errorf("%d accounts are as they were; the import: %t, %q, %v", old, last.Running(), last.Error, err)
	}
}

// TestAnOutageWhileTheOrganizationIsRead is none of the import's: it goes on where the database is
// back before the end, and is done anew where it is not. Nobody is told that it was canceled.
func TestAnOutageWhileTheOrganizationIsRead(t *testing.T) {
	t.Parallel()
	for name, changes := range map[string]int{"until the rest is read": 1, "until the end": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			c := centertest.New(t, "https://center.example")
			clock := time.Now()
			c.Now = func() time.Time { return clock }
			c.OrganizationEach = time.Hour
			away := 0
			c.Store = hooked{c.Store, func() error {
				if away--; away >= 0 {
					return &refusal.Error{Code: center.StoreUnavailable}
				}
				return nil
			}}
			c.Organization = patient(func() []center.Account { away = changes; return ruleAccounts() })
			did, err := c.ImportOrganization(ctx)
			if did == (refusal.CodeOf(err) == center.StoreUnavailable) {
				t.Errorf("it is done: %t, and says %v", did, err)
			}
			last, err := c.LastOrganizationImport(ctx)
			if err != nil || last.Error != "" || last.Running() == did {
				t.Errorf("done: %t; an administrator sees %+v, %v", did, last, err)
			}
			clock, changes = clock.Add(3*time.Minute), 0
			away = 0
			if _, err := c.ImportOrganization(ctx); err != nil {
				t.Error(err)
			}
			last, e1 := c.LastOrganizationImport(ctx)
			accounts, e2 := c.Accounts(ctx)
			if e1 != nil || e2 != nil || last.Running() || last.Error != "" || len(accounts) != 3 {
				t.Errorf("a little later: %d accounts, %+v, %v, %v", len(accounts), last, e1, e2)
			}
		})
	}
}

// TestAnImportThatAnOutageInterruptedTellsOfAll: a part of it was written, and whoever goes on
// writes the rest. What an administrator sees at the end is the whole.
func TestAnImportThatAnOutageInterruptedTellsOfAll(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := centertest.New(t, "https://center.example")
	clock := time.Now()
	c.Now = func() time.Time { return clock }
	c.OrganizationEach = time.Hour
	whole := c.Store
	c.Store = hooked{whole, func() error {
		if written, err := c.Accounts(ctx); err != nil || len(written) > 0 {
			return &refusal.Error{Code: center.StoreUnavailable}
		}
		return nil
	}}
	c.Organization = reading(func() (list []center.Account) {
		for i := range 150 {
			list = append(list, center.Account{ID: fmt.Sprintf("%012d", i+1), Name: "One"})
		}
		return list
	})
	if _, err := c.ImportOrganization(ctx); refusal.CodeOf(err) != center.StoreUnavailable {
		t.Fatalf("the database is not away: %v", err)
	}
	c.Store, clock = whole, clock.Add(3*time.Minute)
	for _, want := range []int{150, 0} { // the one after it has nothing to do
		if _, err := c.ImportOrganization(ctx); err != nil {
			t.Fatal(err)
		}
		last, err := c.LastOrganizationImport(ctx)
		if err != nil || last.Running() || last.Total != want || len(last.Changes) != want {
			t.Errorf("it tells of %d changes, and shows %d; want %d: %v", last.Total, len(last.Changes), want, err)
		}
		clock = clock.Add(2 * time.Hour)
	}
}

// patient is an organization that is read by a function, and not read on once ctx has ended.
type patient func() []center.Account

func (p patient) Accounts(ctx context.Context, progress func(int)) ([]center.Account, error) {
	found := p()
	progress(len(found))
	return found, ctx.Err()
}
