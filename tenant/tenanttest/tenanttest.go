// Package tenanttest makes real tenants for tests: New makes one, Serve serves all its doors over
// HTTP. It also holds the contract suite that every tenant.Store must pass.
//
// It may import audit, audit/audittest, authn, graph, internal/keypool, refusal, sqldb/sqldbtest,
// tenant, tenant/server, tenant/store, tenant/syncjobs and web/webtest.
package tenanttest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Actor is who the tests act as.
var Actor = audit.Actor{Kind: audit.Application, Name: "test"}

// Store is the contract of tenant.Store. open returns an empty store.
func Store(t *testing.T, open func(t *testing.T) tenant.Store) {
	for _, c := range []struct {
		name string
		test func(*testing.T, tenant.Store)
	}{
		{"users and groups are found by their keys and page in one order", directory},
		{"members are found from both ends", members},
		{"applications are found by each of their ids", applications},
		{"who has which directory role, and what is demanded of people", directoryRoles},
		{"what was deleted is kept aside, and comes back whole", deletedItems},
		{"a job's memory goes with it", jobs},
		{"what a job is about to send is kept until it is answered", batches},
		{"one link is forgotten, and a log names each object once", links},
		{"what is kept of a target that a job has left", formers},
		{"what people are to be told of a job is kept until it is sent", notices},
		{"open sessions are counted, members come by pages, and people by their manager", counts},
		{"who works on a job", leases},
		{"clients, grants, policies, factors and notes", small},
		{"nodes of one store share a clock", clock},
		{"marks are numbered once, also by concurrent writers", marks},
		{"an update that fails leaves nothing behind", failedUpdate},
		{"an update that is only tried leaves nothing behind, and says what refuses it", triedUpdate},
		{"small nouns round trip", nouns},
		{"administrators go with password and factors", administrators},
		{"events are kept for as long as they are to be", retention},
		{"of an event only so much is kept", bounded},
		{"events are found by filters, page by page", findEvents},
		{"lists are searched, filtered and in order", lists},
		{"sessions are removed when they are over", sessions},
		{"scope: assigned users, direct members of assigned groups, and nobody else", scope},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.test(t, open(t))
		})
	}
}

var background = context.Background()

func update(t *testing.T, s tenant.Store, fn func(tenant.Tx) error) {
	t.Helper()
	if err := s.Update(background, fn); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, s tenant.Store, fn func(tenant.Reader) error) {
	t.Helper()
	if err := s.View(background, fn); err != nil {
		t.Fatal(err)
	}
}

func wantNoRow(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, refusal.ErrNoRow) {
		t.Errorf("%s: error %v, want ErrNoRow", what, err)
	}
}

func directory(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		for i := range 12 {
			id := fmt.Sprintf("%02d", i)
			if err := errors.Join(tx.PutUser(tenant.User{
				ID:                tenant.UserID(id),
				UserPrincipalName: "User" + id + "@example.com",
				DisplayName:       "Person " + id,
			}),
				tx.PutGroup(tenant.Group{ID: tenant.GroupID(id), DisplayName: "Team"})); err != nil {
				return err
			}
		}
		return tx.DeleteUser("11")
	})
	view(t, s, func(r tenant.Reader) error {
		u, err := r.UserByPrincipalName("USER07@EXAMPLE.com")
		if err != nil || u.ID != "07" {
			t.Errorf("by name %+v, %v", u, err)
		}
		_, err = r.User("11")
		wantNoRow(t, "deleted user", err)
		page, err := r.Users(tenant.Query{After: "04", Limit: 3})
		if err != nil || len(page) != 3 || page[0].ID != "05" {
			t.Errorf("page %v, %v", page, err)
		}
		found, err := r.Users(tenant.Query{Search: "1 pErs 10"})
		if err != nil || len(found) != 1 {
			t.Errorf("search %v, %v", found, err)
		}
		teams, err := r.GroupsByName("TEAM")
		if err != nil || len(teams) != 12 {
			t.Errorf("%d groups of one name, %v; names need not be unique", len(teams), err)
		}
		users, e1 := r.CountUsers(tenant.Query{})
		groups, e2 := r.CountGroups(tenant.Query{})
		if users != 11 || groups != 12 {
			t.Errorf("%d users and %d groups", users, groups)
		}
		return errors.Join(e1, e2)
	})
}

func members(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutMember(tenant.Member{GroupID: "g1", MemberID: "u1", Kind: tenant.KindUser}),
			tx.PutMember(tenant.Member{GroupID: "g1", MemberID: "g2", Kind: tenant.KindGroup}),
			tx.PutMember(tenant.Member{GroupID: "g2", MemberID: "u1", Kind: tenant.KindUser}),
			tx.PutMember(tenant.Member{GroupID: "g2", MemberID: "u2", Kind: tenant.KindUser}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		in, e1 := r.Members("g1")
		of, e2 := r.MemberOf("u1")
		m, e3 := r.Member("g1", "g2")
		if len(in) != 2 || len(of) != 2 || m.Kind != tenant.KindGroup {
			t.Errorf("in %v, of %v, one %v", in, of, m)
		}
		return errors.Join(e1, e2, e3)
	})
	update(t, s, func(tx tenant.Tx) error { return tx.DeleteMembersOf("g2") }) // as a group and as a member
	view(t, s, func(r tenant.Reader) error {
		in, err := r.Members("g1")
		of, e2 := r.MemberOf("u2")
		if len(in) != 1 || len(of) != 0 {
			t.Errorf("after the group is gone: in g1 %v, of u2 %v", in, of)
		}
		return errors.Join(err, e2)
	})
}

func applications(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutApplication(tenant.Application{ID: "a", AppID: "b", ServicePrincipalID: "c", DisplayName: "AWS"}),
			tx.PutAssignment(tenant.Assignment{ID: "x", ServicePrincipalID: "c", PrincipalID: "u1"}),
			tx.PutAssignment(tenant.Assignment{ID: "y", ServicePrincipalID: "c", PrincipalID: "g1"}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		for _, id := range []tenant.AnyApplicationID{"a", "b", "c"} {
			if a, err := r.Application(id); err != nil || a.DisplayName != "AWS" {
				t.Errorf("by %s: %+v, %v", id, a, err)
			}
		}
		all, e1 := r.Assignments(tenant.AssignmentQuery{ServicePrincipalID: "c"})
		one, e2 := r.Assignments(tenant.AssignmentQuery{PrincipalID: "g1"})
		if len(all) != 2 || len(one) != 1 || one[0].ID != "y" {
			t.Errorf("assignments %v, %v", all, one)
		}
		return errors.Join(e1, e2)
	})
}

func jobs(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutJob(tenant.Job{ID: "j", ServicePrincipalID: "c", Watermark: "1"}),
			tx.PutLink(tenant.Link{
				JobID:    "j",
				Kind:     tenant.KindUser,
				SourceID: "u",
				TargetID: "t",
				Sent:     map[string]string{"a": "b"},
				Manager:  "v",
			}),
			tx.PutLink(tenant.Link{JobID: "j", Kind: tenant.KindUser, SourceID: "v", Failure: "400"}),
			tx.PutLink(tenant.Link{JobID: "k", Kind: tenant.KindUser, SourceID: "u", TargetID: "other"}),
			tx.AppendLog([]tenant.LogEntry{
				{ID: "1", JobID: "j", CycleID: "c1", Status: "success", Time: time.UnixMilli(1)},
				{ID: "2", JobID: "j", CycleID: "c2", Status: "failure", Time: time.UnixMilli(2)},
			}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		l, e1 := r.Link("j", tenant.KindUser, "u")
		_, noGroup := r.Link("j", tenant.KindGroup, "u")
		wantNoRow(t, "a link of another kind", noGroup)
		owner, e6 := r.LinkTo("j", tenant.KindUser, "t")
		_, nobody := r.LinkTo("j", tenant.KindUser, "other")
		wantNoRow(t, "a link to the target of another job", nobody)
		if e6 != nil || owner.SourceID != "u" {
			t.Errorf("t belongs to %+v, %v", owner, e6)
		}
		reports, e7 := r.LinksOfReports("j", "v")
		if none, err := r.LinksOfReports("k", "v"); e7 != nil || err != nil || len(reports) != 1 ||
			reports[0].SourceID != "u" || len(none) != 0 {
			t.Errorf("reports of v: %+v, of another job's: %+v, %v, %v", reports, none, e7, err)
		}
		failed, e2 := r.Log(tenant.LogQuery{JobID: "j", Status: "failure"})
		newest, e3 := r.Log(tenant.LogQuery{Limit: 1})
		bad, e4 := r.FailedLinks("j")
		n, e5 := r.CountLinks("j", tenant.KindUser)
		if len(bad) != 1 || bad[0].SourceID != "v" || n != 1 {
			t.Errorf("failed links %v, %d at the target", bad, n)
		}
		if err := errors.Join(e4, e5); err != nil {
			return err
		}
		if l.Sent["a"] != "b" || len(failed) != 1 || newest[0].ID != "2" {
			t.Errorf("link %+v, failed %v, newest %v", l, failed, newest)
		}
		return errors.Join(e1, e2, e3)
	})
	update(t, s, func(tx tenant.Tx) error {
		_, err := tx.DeleteLog(time.UnixMilli(2))
		return errors.Join(err, tx.DeleteJob("j"))
	})
	view(t, s, func(r tenant.Reader) error {
		if kept, err := r.Log(tenant.LogQuery{}); err != nil || len(kept) != 1 || kept[0].ID != "2" {
			t.Errorf("kept of the log: %v, %v", kept, err)
		}
		links, err := r.Links("j")
		other, e2 := r.Links("k")
		if len(links) != 0 || len(other) != 1 {
			t.Errorf("links %v, of another job %v", links, other)
		}
		return errors.Join(err, e2)
	})
}

// at is when the grants of the contract expire.
var at = time.UnixMilli(1_000_000)

func small(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutClient(tenant.Client{ID: "c1", DisplayName: "one"}),
			tx.PutClient(tenant.Client{ID: "c2"}),
			tx.PutPolicy(tenant.Policy{ID: "p", Kind: tenant.ClaimsMapping}),
			tx.PutPermissionGrant(tenant.PermissionGrant{ID: "pg1", ClientID: "c1", Scopes: []string{"User.Read"}}),
			tx.PutPermissionGrant(tenant.PermissionGrant{ID: "pg2", ClientID: "c1", Principal: "u"}),
			tx.DeletePermissionGrant("pg2"),
			tx.DeletePermissionGrant("none"),
			tx.PutFactors(tenant.Factors{Account: "u", LastStep: 5}),
			tx.PutNote("n", "text"),
			tx.PutNote("left/u1", "one"), tx.PutNote("left/u2", "two"), tx.DeleteNote("left/u1"), tx.DeleteNote("none"),
			tx.PutUser(tenant.User{ID: "u", UserPrincipalName: "u@x"}),
			tx.PutGrant(tenant.Grant{Digest: "g1", UserCode: "ABC", ExpiresAt: at}),
			tx.PutGrant(tenant.Grant{Digest: "g2", ExpiresAt: at.Add(time.Hour)}),
			tx.PutGrant(tenant.Grant{Digest: "g1", UserCode: "ABC", Answered: true, ExpiresAt: at}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		clients, e1 := r.Clients()
		policies, e2 := r.Policies()
		permissions, err := r.PermissionGrants()
		if err != nil || len(permissions) != 1 || permissions[0].Scopes[0] != "User.Read" {
			t.Errorf("permission grants: %v, %v", permissions, err)
		}
		f, e3 := r.Factors("u")
		note, e4 := r.Note("n")
		g, e5 := r.GrantByUserCode("ABC")
		if len(clients) != 2 || clients[0].DisplayName != "one" || len(policies) != 1 || f.LastStep != 5 ||
			note != "text" || !g.Answered {
			t.Errorf("%v, %v, %+v, %q, %+v", clients, policies, f, note, g)
		}
		_, none := r.GrantByUserCode("")
		wantNoRow(t, "a grant without a user code", none)
		notes, err := r.Notes("left/")
		if err != nil || !slices.Equal(notes, []tenant.Note{{Name: "left/u2", Text: "two"}}) {
			t.Errorf("notes: %v, %v", notes, err)
		}
		_, none = r.Note("x")
		wantNoRow(t, "another note", none)
		return errors.Join(e1, e2, e3, e4, e5)
	})
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.DeleteClient("c1"), tx.DeletePolicy("p"), tx.DeleteUser("u"), tx.DeleteGrants(at.Add(time.Minute)),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		clients, err := r.Clients()
		_, policy := r.Policy("p")
		_, factors := r.Factors("u")
		_, old := r.Grant("g1")
		_, valid := r.Grant("g2")
		wantNoRow(t, "a deleted policy", policy)
		wantNoRow(t, "the factors of a deleted user", factors)
		wantNoRow(t, "an expired grant", old)
		if len(clients) != 1 {
			t.Errorf("clients %v", clients)
		}
		return errors.Join(err, valid)
	})
	grantsAreFew(t, s)
}

func grantsAreFew(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) (err error) {
		for i := range 5 {
			name, ends := fmt.Sprint(i), at.Add(time.Duration(i+2)*time.Hour)
			err = errors.Join(
				err,
				tx.PutGrant(tenant.Grant{
					Digest:    "near" + name,
					Kind:      tenant.GrantDevice,
					Address:   "2001:db8::1",
					ExpiresAt: ends,
				}),
				tx.PutGrant(tenant.Grant{
					Digest:    "far" + name,
					Kind:      tenant.GrantDevice,
					Address:   "192.0.2.1",
					ExpiresAt: ends,
				}),
				tx.PutGrant(tenant.Grant{
					Digest:    "family" + name,
					Kind:      tenant.GrantRefresh,
					Account:   tenant.Account{ID: tenant.AccountID("u" + name)},
					ExpiresAt: ends,
				}),
			)
		}
		return errors.Join(
			err,
			tx.PutGrant(tenant.Grant{
				Digest:    "far0",
				Kind:      tenant.GrantDevice,
				Answered:  true,
				Account:   tenant.Account{ID: "u9"},
				ExpiresAt: at,
			}),
			tx.KeepGrantsOf("address/2001:db8::/64", 3),
			tx.KeepWaitingGrants(7, 1, at),
			tx.KeepWaitingGrants(5, 5, at),
			tx.DeleteGrantsOf("u1"),
			tx.DeleteGrantsOf(""),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		got := ""
		for _, kind := range []string{"near", "far", "family"} {
			for i := range 5 {
				if _, err := r.Grant(kind + fmt.Sprint(i)); err == nil {
					got += kind + fmt.Sprint(i) + " "
				}
			}
		}
		lists := map[string]bool{
			"near2 near3 near4 far0 far3 far4 family0 family2 family3 family4 ": true,
			"near3 near4 far0 far2 far3 far4 family0 family2 family3 family4 ":  true,
		}
		if !lists[got] { // two of them expire at one moment
			t.Errorf("left are %s", got)
		}
		return grantsOf(t, r)
	})
	update(t, s, func(tx tenant.Tx) error { // what is over goes before what is not, whoever it is of
		over := tenant.Grant{Digest: "over", Kind: tenant.GrantDevice, Address: "198.51.100.1", ExpiresAt: at}
		return errors.Join(tx.PutGrant(over), tx.KeepWaitingGrants(5, 5, at), tx.DeleteGrant("g2"))
	})
	view(t, s, func(r tenant.Reader) error {
		_, gone := r.Grant("over")
		wantNoRow(t, "a device code that is over", gone)
		return nil
	})
	view(t, s, func(r tenant.Reader) error {
		_, gone := r.Grant("g2")
		wantNoRow(t, "a deleted grant", gone)
		return nil
	})
}

func marks(t *testing.T, s tenant.Store) {
	var all sync.WaitGroup
	failures := make(chan error, 32)
	for i := range 32 {
		all.Go(func() {
			failures <- s.Update(background, func(tx tenant.Tx) error {
				return tx.AppendMarks([]tenant.Change{{
					Mark:       tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(fmt.Sprint(i))},
					Time:       time.UnixMilli(5),
					Properties: []string{"displayName", "mail"}, Trace: fmt.Sprintf("00-%d", i),
				},
					{
						Mark:    tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(fmt.Sprint(i))},
						Member:  tenant.Mark{Kind: tenant.KindUser, ID: "m"},
						Removed: true,
						Time:    time.UnixMilli(7),
					}})
			})
		})
	}
	all.Wait()
	for range 32 {
		if err := <-failures; err != nil {
			t.Error(err)
		}
	}
	view(t, s, func(r tenant.Reader) error {
		everything, last, err := r.Marks(0)
		rest, _, e2 := r.Marks(60)
		if len(everything) != 64 || last != 64 || len(rest) != 4 {
			t.Errorf("%d marks, the last is %d, %d after the 60th", len(everything), last, len(rest))
		}
		if traces, err := r.MarkTraces(0, 10); err != nil || len(traces) != 10 ||
			traces[everything[0]] != "00-"+string(everything[0].ID) {
			t.Errorf("traces of marks: %v, %v", traces, err)
		}
		n, oldest, e5 := r.CountMarks(60)
		if none, _, err := r.CountMarks(64); n != 4 || oldest.UnixMilli() != 5 || none != 0 || err != nil {
			t.Errorf("%d marks after the 60th since %v, %d after the last, %v", n, oldest, none, err)
		}
		users, e4 := r.Journal(tenant.KindUser, 0, 1)
		if len(users) != 1 || !slices.Equal(users[0].Properties, []string{"displayName", "mail"}) {
			t.Errorf("the journal of users: %+v", users)
		}
		groups, e3 := r.Journal(tenant.KindGroup, 0, 5)
		if len(groups) != 5 || groups[0].Number != 2 || groups[4].Number != 10 || groups[0].Member.ID != "m" ||
			!groups[0].Removed || groups[0].Time.UnixMilli() != 7 || groups[0].Properties != nil {
			t.Errorf("the journal of groups: %+v", groups)
		}
		return errors.Join(err, e2, e3, e4, e5)
	})
	update(t, s, func(tx tenant.Tx) error {
		for at, want := range map[int64]int64{5: 0, 6: 63, 100: 63} {
			if last, err := tx.LastMark(time.UnixMilli(at)); err != nil || last != want {
				t.Errorf("the last mark before %d is %d, want %d, %v", at, last, want, err)
			}
		}
		return errors.Join(
			tx.DeleteMarks(63),
			tx.AppendMarks([]tenant.Change{{
				Mark: tenant.Mark{Kind: tenant.KindUser, ID: "next"}, Properties: []string{},
			}}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		left, last, err := r.Marks(0)
		if len(left) != 2 || last != 65 {
			t.Errorf("after forgetting: %v, the last is %d; numbers must go on", left, last)
		}
		return err
	})
}

func failedUpdate(t *testing.T, s tenant.Store) {
	boom := errors.New("boom")
	err := s.Update(background, func(tx tenant.Tx) error {
		return errors.Join(tx.PutUser(tenant.User{ID: "u", UserPrincipalName: "a@b"}), boom)
	})
	if !errors.Is(err, boom) {
		t.Errorf("got %v, want the rule's own error", err)
	}
	view(t, s, func(r tenant.Reader) error {
		_, err := r.User("u")
		wantNoRow(t, "user of the failed update", err)
		return nil
	})
}

func nouns(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutOrganization(tenant.Organization{ID: "o"}),
			tx.PutClient(tenant.Client{ID: "c", SecretDigest: "d"}),
			tx.PutAdministrator(tenant.Administrator{Name: "Admin"}),
			tx.PutPassword(tenant.Password{Account: "u", Hash: "h"}),
			tx.PutSession(tenant.Session{Digest: "s", Account: "u"}),
			tx.AppendEvent(audit.Event{ID: "e", Time: time.UnixMilli(1)}),
			tx.PutUser(tenant.User{ID: "u", UserPrincipalName: "a@b"}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		o, e1 := r.Organization()
		c, e2 := r.Client("c")
		a, e3 := r.Administrator("ADMIN")
		p, e4 := r.Password("u")
		x, e5 := r.Session("s")
		found, e6 := r.FindEvents(audit.Query{Limit: 10})
		if o.ID != "o" || c.SecretDigest != "d" || a.Name != "Admin" || p.Hash != "h" || x.Account != "u" ||
			len(found.Events) != 1 {
			t.Errorf("read back %+v %+v %+v %+v %+v %v", o, c, a, p, x, found)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6)
	})
	update(t, s, func(tx tenant.Tx) error { return errors.Join(tx.DeleteSessionsOf("u"), tx.DeleteUser("u")) })
	view(t, s, func(r tenant.Reader) error {
		_, err := r.Session("s")
		wantNoRow(t, "session", err)
		_, err = r.Password("u")
		wantNoRow(t, "password of a deleted user", err)
		return nil
	})
}

func scope(t *testing.T, s tenant.Store) {
	tn := On(t, s)
	app, err := tn.Instantiate(background, Actor, tenant.Gallery[0], "AWS")
	if err != nil {
		t.Fatal(err)
	}
	job, err := tn.CreateJob(background, Actor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]tenant.PrincipalID{}
	for _, name := range []string{"direct", "member", "nested", "nobody"} {
		u, err := tn.CreateUser(
			background, Actor,
			tenant.User{UserPrincipalName: name + "@example.com", DisplayName: name, Enabled: true}, "",
		)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = tenant.PrincipalID(u.ID)
	}
	for _, name := range []string{"outer", "inner"} {
		g, err := tn.CreateGroup(background, Actor, tenant.Group{DisplayName: name, SecurityEnabled: true})
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = tenant.PrincipalID(g.ID)
	}
	role := tenant.GalleryRoles[0].ID
	_, e1 := tn.Assign(background, Actor, app.ServicePrincipalID, ids["direct"], role)
	_, e2 := tn.Assign(background, Actor, app.ServicePrincipalID, ids["outer"], role)
	if err := errors.Join(
		e1, e2,
		tn.AddMembers(
			background, Actor, tenant.GroupID(ids["outer"]), []tenant.PrincipalID{ids["member"], ids["inner"]},
		),
		tn.AddMember(background, Actor, tenant.GroupID(ids["inner"]), ids["nested"]),
	); err != nil {
		t.Fatal(err)
	}
	all, err := tn.ScopeSince(background, job, "", nil)
	if err != nil || len(all.Users) != 2 || len(all.Groups) != 1 || len(all.Groups[0].Members) != 1 {
		t.Fatalf("everything: %+v, %v; want direct and member, and outer with one of them", all, err)
	}
	idle, err := tn.ScopeSince(background, job, all.Watermark, nil)
	if err != nil || len(idle.Users)+len(idle.Groups) != 0 {
		t.Errorf("nothing has changed: %+v, %v", idle, err)
	}
	if err := tn.RemoveMember(background, Actor, tenant.GroupID(ids["outer"]), ids["member"]); err != nil {
		t.Fatal(err)
	}
	left, err := tn.ScopeSince(background, job, all.Watermark, nil)
	if err != nil || len(left.Users) != 1 || left.Users[0].InScope || len(left.Groups) != 1 ||
		len(left.Groups[0].Members) != 0 {
		t.Errorf("a member has left: %+v, %v", left, err)
	}
	// A full evaluation looks again at what was provisioned before, also when it has left the scope
	// or is gone.
	full, err := tn.ScopeSince(
		background, job, "",
		[]tenant.Mark{{Kind: tenant.KindUser, ID: ids["member"]}, {Kind: tenant.KindGroup, ID: "deleted"}},
	)
	if err != nil || len(full.Users) != 2 || full.Users[1].InScope || len(full.Groups) != 2 || !full.Groups[1].Gone {
		t.Errorf("full evaluation: %+v, %v; want the member out of scope and the deleted group as well", full, err)
	}
	if err := tn.MayUse(background, app, tenant.UserID(ids["nested"])); refusal.CodeOf(err) != tenant.NotAssigned {
		t.Errorf("a member of a nested group may sign in: %v", err)
	}
}
