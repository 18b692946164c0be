package provisioning_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
)

// chance makes directories and targets that clash: few names for many objects, and now and then
// something that a target refuses.
type chance struct{ *rand.Rand }

func (c chance) of(list ...string) string { return list[c.IntN(len(list))] }

func (c chance) rarely(value, instead string) string {
	if c.IntN(14) == 0 {
		return instead
	}
	return value
}

func (c chance) name() string { return c.of("ada", "bob", "Eve", "kim", "zoe", "René", "mei", "tom") }

func (c chance) address() string {
	return c.of("", c.name()+"@example.com", c.name()+"@example.com", c.name()+"@other.example")
}

func (c chance) userName() string {
	name := c.name() + c.of("", "", "1", "2") + "@example.com"
	return c.rarely(c.rarely(c.rarely(name, strings.Repeat("n", 129)), "ada lovelace@example.com"), "Administrator")
}

func (c chance) text() string {
	return c.rarely(c.rarely(c.of("", "Dr", "Sir"), "a\u200bb"), strings.Repeat("t", 1025))
}

func (c chance) user(id string) entry {
	e := user(id)
	d := e.directory
	d["userPrincipalName"] = c.userName()
	d["mail"], d["jobTitle"] = c.rarely(c.address(), "nobody"), c.text()
	d["displayName"], d["givenName"] = c.rarely("D", " "), c.rarely(c.rarely("G", ""), "  ")
	e.Name = d["userPrincipalName"]
	e.Active = c.IntN(6) > 0
	return e
}

func (c chance) groupName() string {
	name := c.of("Eng", "eng", "Ops", "Art", "Data", "AWSAudit")
	return c.rarely(c.rarely(name, "a\u200bb"), strings.Repeat("g", 1025))
}

// change makes one change at the source.
func (c chance) change(d *directory, users, groups int) {
	id := fmt.Sprintf("u%02d", c.IntN(users))
	ref := provisioning.Ref{Kind: provisioning.User, ID: id}
	switch g := (provisioning.Ref{Kind: provisioning.Group, ID: fmt.Sprintf("g%d", c.IntN(groups))}); {
	case c.IntN(3) == 0 && d.objects[g] == nil:
		e := group(g.ID)
		e.directory["displayName"] = c.groupName()
		e.Name = e.directory["displayName"]
		d.add(e)
	case c.IntN(3) == 0 && d.objects[g] != nil:
		switch c.IntN(4) {
		case 0:
			d.edit(g, func(e *entry) { e.directory["displayName"] = c.groupName() })
		case 1:
			d.remove(g)
		default:
			var ids []string
			for n := range users {
				member := provisioning.Ref{Kind: provisioning.User, ID: fmt.Sprintf("u%02d", n)}
				if c.IntN(3) == 0 && d.objects[member] != nil {
					ids = append(ids, member.ID)
				}
			}
			d.edit(g, func(e *entry) { e.Members = ids })
		}
	case d.objects[ref] == nil:
		d.add(c.user(id))
	case c.IntN(8) == 0:
		d.remove(ref)
	default:
		d.edit(ref, func(e *entry) {
			other := c.user(id)
			switch c.IntN(5) {
			case 0:
				e.directory["userPrincipalName"] = other.directory["userPrincipalName"]
			case 1:
				e.directory["mail"] = other.directory["mail"]
			case 2:
				e.Active = !e.Active
			case 3:
				e.Manager = c.of("", fmt.Sprintf("u%02d", c.IntN(users)))
			default:
				e.directory["jobTitle"], e.directory["givenName"] = other.directory["jobTitle"], "G"
			}
		})
	}
}

// stranger changes the target by hand. It may be refused, which is as well.
func (c chance) stranger(x *target) {
	ctx := context.Background()
	users, _ := x.center.Users(ctx, center.UserQuery{})
	groups, _ := x.center.Groups(ctx, center.GroupQuery{})
	switch n := c.IntN(6); {
	case n < 2:
		p := centertest.Person(c.name() + "@example.com")
		if a := c.address(); a != "" {
			p.Emails = []center.Value{{Value: a, Type: c.of("work", "home", ""), Primary: true}}
		}
		_, _ = x.center.CreateUser(ctx, centertest.Actor, p)
	case n == 2:
		_, _ = x.center.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: c.groupName()})
	case n == 3 && len(users) > 0:
		_ = x.center.DeleteUser(ctx, centertest.Actor, users[c.IntN(len(users))].ID)
	case n == 4 && len(groups) > 0:
		_ = x.center.DeleteGroup(ctx, centertest.Actor, groups[c.IntN(len(groups))].ID)
	case n == 5 && len(users)*len(groups) > 0 && x.store != nil && c.IntN(2) == 0:
		_, _ = x.center.CreateMembership(
			ctx, centertest.Actor, groups[c.IntN(len(groups))].ID, users[c.IntN(len(users))].ID,
		)
	case n == 5 && len(users) > 0:
		_, _ = x.center.UpdateUser(
			ctx, centertest.Actor, users[c.IntN(len(users))].ID, func(u *center.User) error {
				u.UserName = c.name() + "@example.com"
				return nil
			},
		)
	}
}

// TestADryRunAndTheRunAfterItAgree makes directories and targets by chance, changes both again and
// again, and compares what a dry run says with what the run after it does: who is made, changed,
// disabled and deleted, and what fails for which reason.
func TestADryRunAndTheRunAfterItAgree(t *testing.T) {
	t.Parallel()
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard, "identitystore"} {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			x := newStore(t)
			if profile != "identitystore" {
				x = newTargetOf(t, profile)
			}
			failures := map[string]int{}
			for seed := range uint64(25) {
				agree(t, x, profile, chance{rand.New(rand.NewPCG(seed, 1))}, failures)
				if t.Failed() {
					t.Fatalf("seed %d", seed)
				}
			}
			t.Log(failures)
			for _, code := range []string{
				"EntryConflict", "SystemForCrossDomainIdentityManagementBadRequest", "NotAdopted", "MissingValues",
			} {
				if failures[code] == 0 {
					t.Errorf("no dry run has foreseen %s", code)
				}
			}
		})
	}
}

func agree(t *testing.T, x *target, profile center.Profile, c chance, failures map[string]int) {
	t.Helper()
	x.empty(t)
	d, m := newDirectory(), newMemory()
	users, groups := 4+c.IntN(20), 2+c.IntN(4)
	for range users * 2 {
		c.change(d, users, groups)
	}
	for range c.IntN(8) {
		c.stranger(x)
	}
	dialect := provisioning.AWS
	careful, adopt := c.IntN(2) == 0, c.IntN(2) == 0
	grace, keep := time.Duration(c.IntN(2))*time.Hour, c.IntN(2) == 0
	if profile == center.ProfileStandard {
		dialect = provisioning.Plain
	}
	for range 4 {
		repair := c.IntN(3) == 0
		var reasons []string
		run := func(dry bool) ([]string, provisioning.Result) {
			var l told
			result, err := x.sync(t, d, m, func(e *provisioning.Engine) {
				e.Target = provisioning.SCIM(x.client, dialect)
				if x.store != nil {
					e.Target, e.KeepStrangers = x.store, keep
					e.LeaverGrace = grace
					e.Mappings, _ = storeMappings()
				}
				e.Careful, e.Adopt = careful, adopt
				e.Reread, e.DryRun = repair, dry
				e.OnEntry = l.tell
			})
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range l.entries {
				if e.Outcome != provisioning.Failure {
					continue
				}
				if dry {
					failures[e.Code]++
				}
				reasons = append(reasons, fmt.Sprintf("dry %v: %s: %s", dry, e.Name, e.Reason))
			}
			return slices.DeleteFunc(l.lines(), func(line string) bool {
				// Who is in a group that was found is not asked before all are added.
				return strings.Contains(line, " +")
			}), result
		}
		wanted, planned := run(true)
		have, done := run(false)
		if diff := cmp.Diff(wanted, have, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("careful %v, adopt %v, repair %v: foreseen, and done:\n%s\n%s", careful, adopt, repair, diff,
				strings.Join(reasons, "\n"))
		}
		if planned.Created != done.Created || planned.Disabled != done.Disabled || planned.Deleted != done.Deleted ||
			planned.Failed != done.Failed {
			t.Fatalf("foreseen %+v, done %+v", planned, done)
		}
		for range 1 + c.IntN(4) {
			c.change(d, users, groups)
		}
		for range c.IntN(3) {
			c.stranger(x)
		}
	}
}

// TestARefusalIsForeseenWithWhoIsInTheWay: the reason names the attribute and who has it, in a dry
// run, in the run, and in a plan from a snapshot without any job.
func TestARefusalIsForeseenWithWhoIsInTheWay(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	ctx := context.Background()
	p := centertest.Person("countess@example.com")
	p.Emails = []center.Value{{Value: "ADA@example.com", Type: "home", Primary: true}}
	holder, err := x.center.CreateUser(ctx, centertest.Actor, p)
	if err != nil {
		t.Fatal(err)
	}
	c := &company{users: []entry{user("ada"), user("bob")}}
	want := "emails.value ada@example.com belongs to the user countess@example.com (" + string(holder.ID) + ")"
	reason := func(entries []provisioning.Entry) (reasons string) {
		for _, e := range entries {
			if e.Outcome == provisioning.Failure {
				reasons += e.Name + " " + e.Code + ": " + e.Reason
			}
		}
		return reasons
	}
	for _, dry := range []bool{true, false, true} {
		var l told
		if _, err := x.sync(t, c, m, func(e *provisioning.Engine) { e.DryRun, e.OnEntry = dry, l.tell }); err != nil {
			t.Fatal(err)
		}
		if got := reason(l.entries); !strings.HasPrefix(got, "ada EntryConflict: ") || !strings.Contains(got, want) {
			t.Errorf("dry run %v: %q, want %q in it", dry, got, want)
		}
	}
	there, err := x.client.List(ctx, "/Users", 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	plan, result, err := provisioning.Foresee(
		ctx, []provisioning.Object{c.users[0].object(), c.users[1].object()}, nil, mappings(t),
		&provisioning.Snapshot{Users: there.Resources, Refuses: provisioning.AWSRules()},
	)
	if got := reason(plan); err != nil || result.Failed != 1 || result.Created != 0 || !strings.Contains(got, want) {
		t.Errorf("from a snapshot: %q, %+v, %v", got, result, err)
	}
}
