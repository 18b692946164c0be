package center_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ruleWorld is a center with three accounts: one and two in a unit, two and three with a tag.
type ruleWorld struct {
	*center.Center
	t   *testing.T
	ada center.UserID
	set string
}

var (
	prod = center.Tag{Key: "env", Value: "prod"}
	unit = []center.Unit{{ID: "r-1", Name: "Root"}, {ID: "ou-1", Name: "Workloads"}}
)

const one, two, three = "111111111111", "222222222222", "333333333333"

func ruleAccounts() []center.Account {
	return []center.Account{
		{ID: one, Name: "One", Units: unit, Imported: true},
		{ID: two, Name: "Two", Units: unit, Tags: []center.Tag{prod}, Imported: true},
		{ID: three, Name: "Three", Units: unit[:1], Tags: []center.Tag{prod}, Imported: true},
	}
}

func newRuleWorld(t *testing.T) ruleWorld {
	t.Helper()
	ctx := context.Background()
	c := centertest.New(t, "https://center.example")
	u, e1 := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
	set, e2 := c.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{Name: "Admin"})
	if err := errors.Join(e1, e2, c.PutAccounts(ctx, centertest.Actor, ruleAccounts())); err != nil {
		t.Fatal(err)
	}
	return ruleWorld{c, t, u.ID, set.ARN}
}

func (w ruleWorld) rule(r center.AssignmentRule) center.AssignmentRule {
	w.t.Helper()
	r.PermissionSetARN = w.set
	r.PrincipalType = center.PrincipalUser
	r.PrincipalID = string(w.ada)
	made, err := w.CreateAssignmentRule(context.Background(), centertest.Actor, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return made
}

func (w ruleWorld) assignment(account string) center.Assignment {
	return center.Assignment{
		AccountID:        account,
		PermissionSetARN: w.set,
		PrincipalType:    center.PrincipalUser,
		PrincipalID:      string(w.ada),
	}
}

// want checks in which accounts the user has the permission set.
func (w ruleWorld) want(what string, accounts ...string) {
	w.t.Helper()
	list, err := w.Assignments(context.Background(), center.AssignmentQuery{})
	var got []string
	for _, a := range list {
		got = append(got, a.AccountID)
	}
	if err != nil || !slices.Equal(got, accounts) {
		w.t.Errorf("%s: assigned in %v, %v; want %v", what, got, err, accounts)
	}
}

func (w ruleWorld) apply() {
	w.t.Helper()
	if err := w.ApplyAssignmentRules(context.Background(), centertest.Actor); err != nil {
		w.t.Fatal(err)
	}
}

func TestRulesAreExpandedToAssignments(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRuleWorld(t)
	if _, err := w.CreateAssignment(ctx, centertest.Actor, w.assignment(one)); err != nil {
		t.Fatal(err)
	}
	inUnit := w.rule(center.AssignmentRule{Unit: "ou-1"})
	w.want("a unit", one, two)
	tagged := w.rule(center.AssignmentRule{Tag: &prod})
	w.want("a unit and a tag", one, two, three)

	// What follows a rule cannot be deleted by hand, and what was made by hand too stays without
	// its rule.
	r, err := w.DeleteAssignment(ctx, centertest.Actor, w.assignment(two))
	if err != nil || r.Status != center.Failed || !strings.Contains(r.FailureReason, "assignment rule") {
		t.Errorf("deleting what rules assigned: %+v, %v", r, err)
	}
	if err := w.DeleteAssignmentRule(ctx, centertest.Actor, inUnit.ID); err != nil {
		t.Fatal(err)
	}
	w.want("only the tag", one, two, three) // one by hand
	if r, err := w.DeleteAssignment(ctx, centertest.Actor, w.assignment(one)); err != nil ||
		r.Status != center.Succeeded {
		t.Errorf("deleting what was made by hand: %+v, %v", r, err)
	}
	w.want("by hand no more", two, three)

	// Accounts come, move, are suspended and come back.
	accounts := ruleAccounts()
	accounts[0].Tags, accounts[1].Tags = []center.Tag{prod}, nil
	accounts[2].Suspended = true
	if err := w.PutAccounts(ctx, centertest.Actor, accounts); err != nil {
		t.Fatal(err)
	}
	w.apply()
	w.want("moved; a suspended account stays as it is", one, three)
	if err := w.DeletePermissionSet(ctx, centertest.Actor, w.set); refusal.CodeOf(err) != center.PermissionSetInUse {
		t.Errorf("a permission set that a rule names was deleted: %v", err)
	}
	accounts[2].Suspended = false
	if err := errors.Join(
		w.PutAccounts(ctx, centertest.Actor, accounts), w.DeleteAssignmentRule(ctx, centertest.Actor, tagged.ID),
	); err != nil {
		t.Fatal(err)
	}
	w.want("no rules")
	if rules, err := w.AssignmentRules(ctx); err != nil || len(rules) != 0 {
		t.Errorf("rules left: %+v, %v", rules, err)
	}
}

func TestWhatBothHandAndRuleMadeIsTakenBackOnce(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRuleWorld(t)
	rule := w.rule(center.AssignmentRule{Unit: "ou-1"})
	if _, err := w.CreateAssignment(ctx, centertest.Actor, w.assignment(one)); err != nil { // by hand as well
		t.Fatal(err)
	}
	if r, err := w.DeleteAssignment(ctx, centertest.Actor, w.assignment(one)); err != nil ||
		r.Status != center.Succeeded {
		t.Errorf("%+v, %v", r, err)
	}
	w.want("the rule still wants it", one, two)
	if err := w.DeleteAssignmentRule(ctx, centertest.Actor, rule.ID); err != nil {
		t.Fatal(err)
	}
	w.want("nobody wants it")
}

func TestWhichRulesAreRefused(t *testing.T) {
	t.Parallel()
	w := newRuleWorld(t)
	good := center.AssignmentRule{
		Unit:             "ou-1",
		PermissionSetARN: w.set,
		PrincipalType:    center.PrincipalUser,
		PrincipalID:      string(w.ada),
	}
	for name, c := range map[string]struct {
		edit func(*center.AssignmentRule)
		want refusal.Code
	}{
		"neither unit nor tag": {func(r *center.AssignmentRule) { r.Unit = "" }, center.InvalidValue},
		"both":                 {func(r *center.AssignmentRule) { r.Tag = &prod }, center.InvalidValue},
		"a bad tag": {func(r *center.AssignmentRule) {
			r.Unit, r.Tag = "", &center.Tag{Key: "aws:x"}
		}, center.InvalidValue},
		"a long unit": {func(r *center.AssignmentRule) {
			r.Unit = strings.Repeat("x", 129)
		}, center.InvalidValue},
		"no such permission set": {func(r *center.AssignmentRule) {
			r.PermissionSetARN = "x"
		}, center.PermissionSetNotFound},
		"no such user": {func(r *center.AssignmentRule) { r.PrincipalID = "x" }, center.UserNotFound},
		"no such group": {func(r *center.AssignmentRule) {
			r.PrincipalType = center.PrincipalGroup
		}, center.GroupNotFound},
		"a kind of nothing": {func(r *center.AssignmentRule) { r.PrincipalType = "ROBOT" }, center.InvalidValue},
	} {
		rule := good
		c.edit(&rule)
		if _, err := w.CreateAssignmentRule(
			context.Background(), centertest.Actor, rule,
		); refusal.CodeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, err := w.CreateAssignmentRule(context.Background(), centertest.Actor, good); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CreateAssignmentRule(
		context.Background(), centertest.Actor, good,
	); refusal.CodeOf(err) != center.AssignmentRuleTaken {
		t.Errorf("the same again: %v", err)
	}
	if err := w.DeleteAssignmentRule(
		context.Background(), centertest.Actor, "x",
	); refusal.CodeOf(err) != center.AssignmentRuleNotFound {
		t.Errorf("no such rule: %v", err)
	}
}

// TestARuleInTroubleInOneAccountWorksInTheOthers: a quota keeps the rule out of one account, and
// says so.
func TestARuleInTroubleInOneAccountWorksInTheOthers(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newRuleWorld(t)
	if err := w.Store.Update(ctx, func(tx center.Tx) error {
		for i := range 500 {
			if err := tx.PutProvisioned(center.Provisioned{
				AccountID:        one,
				PermissionSetARN: fmt.Sprint("ps", i),
				RoleName:         fmt.Sprint("R", i),
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if r := w.rule(center.AssignmentRule{Unit: "ou-1"}); !strings.Contains(r.Problem, one) {
		t.Errorf("the rule says %+v", r)
	}
	w.want("where there is room", two)
}

// organization is one that answers as a test wants it. How the real one is read is tested in
// center/organizations.
type organization struct {
	accounts []center.Account
	err      error
}

func (o *organization) Accounts(_ context.Context, progress func(int)) ([]center.Account, error) {
	progress(len(o.accounts))
	return o.accounts, o.err
}

// TestANodeThatStoodStillImportsNothing: it slept while it read the organization, another node has
// read it meanwhile, and what the slow one has read is old.
func TestANodeThatStoodStillImportsNothing(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	slow := centertest.New(t, "https://center.example")
	other := centertest.On(t, slow.Store, slow.URL)
	clock := time.Now()
	slow.Now = func() time.Time { return clock }
	other.Now = slow.Now
	other.Organization, other.OrganizationEach = &organization{accounts: ruleAccounts()}, time.Hour
	slow.OrganizationEach = time.Hour
	slow.Organization = reading(func() []center.Account {
		clock = clock.Add(10 * time.Minute)
		if did, err := other.ImportOrganization(ctx); err != nil || !did {
			t.Errorf("the other node: %t, %v", did, err)
		}
		return ruleAccounts()[:1]
	})
	if _, err := slow.ImportOrganization(ctx); err != nil {
		t.Fatal(err)
	}
	last, err := slow.LastOrganizationImport(ctx)
	if err != nil || last.Running() || last.Total != 3 {
		t.Errorf("the last import is %+v, %v", last, err)
	}
	accounts, err := slow.Accounts(ctx)
	if err != nil || len(accounts) != 3 {
		t.Errorf("accounts %+v, %v", accounts, err)
	}
}

// reading is an organization that is read by a function.
type reading func() []center.Account

func (r reading) Accounts(_ context.Context, progress func(int)) ([]center.Account, error) {
	found := r()
	progress(len(found))
	return found, nil
}

// TestAnImportOfAClockThatWasAheadIsNotWaitedFor: a node whose clock was a year ahead has begun an
// import, and was killed; or has finished one.
func TestAnImportOfAClockThatWasAheadIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	for _, killed := range []bool{true, false} {
		ctx := context.Background()
		c := centertest.New(t, "https://center.example")
		ahead := 365 * 24 * time.Hour
		c.Now = func() time.Time { return time.Now().Add(ahead) }
		c.OrganizationEach = time.Hour
		c.Organization = reading(func() []center.Account {
			if killed {
				panic("killed")
			}
			return ruleAccounts()
		})
		if err := c.StartOrganizationImport(ctx, centertest.Actor, false, false); err != nil {
			t.Fatal(err)
		}
		func() {
			defer func() { _ = recover() }()
			_, _ = c.ImportOrganization(ctx)
		}()
		ahead = 0
		c.Organization = &organization{accounts: ruleAccounts()}
		for _, wanted := range []bool{true, false} {
			did, err := c.ImportOrganization(ctx)
			last, e2 := c.LastOrganizationImport(ctx)
			if err != nil || e2 != nil || did != wanted || last.Running() {
				t.Errorf("killed: %t: it is read: %t, %v, %v, %+v", killed, did, err, e2, last)
			}
		}
	}
}

// TestADryRunChangesNothingWhereAClockWasAhead by which an import has ended, and one that is asked
// for while the organization is read is refused.
func TestADryRunChangesNothingWhereAClockWasAhead(t *testing.T) {
	t.Parallel()
	for _, reads := range []bool{true, false} {
		ctx := context.Background()
		c := centertest.New(t, "https://center.example")
		ahead := 365 * 24 * time.Hour
		c.Now = func() time.Time { return time.Now().Add(ahead) }
		c.OrganizationEach = time.Hour
		c.Organization = reading(func() []center.Account { return ruleAccounts()[:1] })
		if did, err := c.ImportOrganization(ctx); !did || err != nil {
			t.Fatal(did, err)
		}
		ahead = 0
		dry := func() error { return c.StartOrganizationImport(ctx, centertest.Actor, true, false) }
		if reads {
			c.Organization = reading(func() []center.Account {
				if err := dry(); refusal.CodeOf(err) != center.OrganizationBusy {
					t.Errorf("while the organization is read: %v", err)
				}
				return ruleAccounts()[:1]
			})
			if did, err := c.ImportOrganization(ctx); !did || err != nil {
				t.Fatal(did, err)
			}
		}
		if err := dry(); err != nil {
			t.Fatal(err)
		}
		c.Organization = reading(ruleAccounts)
		did, err := c.ImportOrganization(ctx)
		last, e2 := c.LastOrganizationImport(ctx)
		accounts, e3 := c.Accounts(ctx)
		if err := errors.Join(err, e2, e3); err != nil || !did || !last.DryRun || len(accounts) != 1 {
			t.Errorf("read before: %t: %v, %t, %+v, %d accounts", reads, err, did, last, len(accounts))
		}
	}
}

func TestAccountsAreKeptInStepWithTheOrganization(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := centertest.New(t, "https://center.example")
	if err := c.StartOrganizationImport(
		ctx, centertest.Actor, false, false,
	); refusal.CodeOf(err) != center.OrganizationOff {
		t.Errorf("without an organization: %v", err)
	}
	clock := time.Now()
	c.Now = func() time.Time { return clock }
	org := &organization{accounts: ruleAccounts()}
	c.Organization, c.OrganizationEach = org, time.Hour
	if err := c.PutAccount(ctx, centertest.Actor, center.Account{ID: one, Name: "By hand"}); err != nil {
		t.Fatal(err)
	}
	read := func(want int) center.OrganizationImport {
		t.Helper()
		did, err := c.ImportOrganization(ctx)
		last, e2 := c.LastOrganizationImport(ctx)
		if err != nil || e2 != nil || !did || last.Running() || last.Total != want {
			t.Errorf("read %v, %v, %v: %+v; want %d changes", did, err, e2, last, want)
		}
		return last
	}
	start := func(dryRun, force bool) {
		t.Helper()
		clock = clock.Add(time.Minute)
		if err := c.StartOrganizationImport(ctx, centertest.Actor, dryRun, force); err != nil {
			t.Fatal(err)
		}
	}
	read(3)
	if did, err := c.ImportOrganization(ctx); did || err != nil {
		t.Errorf("read again at once: %v", err)
	}
	if a, err := c.Account(ctx, one); err != nil || a.Name != "One" || !a.Imported || len(a.Units) != 2 {
		t.Errorf("the account is %+v, %v", a, err)
	}
	clock = clock.Add(time.Hour)
	read(0)

	org.accounts = org.accounts[:2] // one has gone: a dry run says so
	start(true, false)
	if last := read(1); last.Changes[0].Change != center.AccountGone {
		t.Errorf("it says %+v", last.Changes)
	}
	if a, err := c.Account(ctx, three); err != nil || a.Suspended {
		t.Errorf("after a dry run: %+v, %v", a, err)
	}
	start(false, false)
	read(1)
	if a, err := c.Account(ctx, three); err != nil || !a.Suspended {
		t.Errorf("gone, but %+v, %v", a, err)
	}

	org.accounts = []center.Account{{ID: "444444444444", Name: "Another organization's"}} // all have gone
	start(false, false)
	if last := read(3); last.Error == "" {
		t.Errorf("it says %+v", last)
	}
	if a, err := c.Account(ctx, one); err != nil || a.Suspended {
		t.Errorf("suspended by accident: %+v, %v", a, err)
	}
	start(false, true)
	read(3)
	if a, err := c.Account(ctx, one); err != nil || !a.Suspended {
		t.Errorf("forced, but %+v, %v", a, err)
	}

	org.err = errors.New("AccessDenied: no")
	start(false, false)
	if err := c.StartOrganizationImport(ctx, centertest.Actor, false, false); err != nil {
		t.Errorf("asked twice before anybody began: %v", err)
	}
	if last := read(0); !strings.Contains(last.Error, "AccessDenied") {
		t.Errorf("it says %+v", last)
	}
}
