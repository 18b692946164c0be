package tenanttest

import (
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// batches is the contract of what a job is about to send: kept until it is answered, by job.
func batches(t *testing.T, s tenant.Store) {
	sent := tenant.Batch{JobID: "j", ID: "b1", Began: at.UTC(), Intents: []tenant.Intent{{
		Kind: tenant.KindUser, SourceID: "u", Keys: map[string]string{"userName": "u@x"}, Members: []string{"m"},
	}}}
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutBatch(sent), tx.PutBatch(tenant.Batch{JobID: "j", ID: "b2"}),
			tx.PutBatch(tenant.Batch{JobID: "k", ID: "b1"}),
			tx.DeleteBatch("j", "b2"), tx.DeleteBatch("j", "none"),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		of, e1 := r.Batches("j")
		others, e2 := r.Batches("k")
		none, e3 := r.Batches("l")
		if fmt.Sprint(of) != fmt.Sprint([]tenant.Batch{sent}) || len(others) != 1 || len(none) != 0 {
			t.Errorf("batches %+v, of another job %+v, of none %+v", of, others, none)
		}
		return errors.Join(e1, e2, e3)
	})
}

// links is the contract of one link that is forgotten, and of what a log names.
func links(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutLink(tenant.Link{JobID: "j", Kind: tenant.KindUser, SourceID: "u"}),
			tx.PutLink(tenant.Link{JobID: "j", Kind: tenant.KindGroup, SourceID: "u"}),
			tx.PutLink(tenant.Link{JobID: "k", Kind: tenant.KindUser, SourceID: "u"}),
			tx.DeleteLink("j", tenant.KindUser, "u"), tx.DeleteLink("j", tenant.KindUser, "none"),
			tx.AppendLog([]tenant.LogEntry{
				{ID: "1", JobID: "j", Kind: tenant.KindUser, SourceID: "u", Time: at},
				{ID: "2", JobID: "j", Kind: tenant.KindUser, SourceID: "u", Time: at},
				{ID: "3", JobID: "j", Kind: tenant.KindGroup, SourceID: "u", Time: at},
				{ID: "4", JobID: "k", Kind: tenant.KindUser, SourceID: "v", Time: at},
			}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		_, gone := r.Link("j", tenant.KindUser, "u")
		wantNoRow(t, "a link that was deleted", gone)
		_, e1 := r.Link("j", tenant.KindGroup, "u")
		_, e2 := r.Link("k", tenant.KindUser, "u")
		logged, e3 := r.LoggedObjects("j")
		times := map[tenant.Mark]int{}
		for _, m := range logged {
			times[m]++
		}
		want := map[tenant.Mark]int{{Kind: tenant.KindUser, ID: "u"}: 1, {Kind: tenant.KindGroup, ID: "u"}: 1}
		if !maps.Equal(times, want) {
			t.Errorf("the log names %v, want each once: %v", logged, want)
		}
		return errors.Join(e1, e2, e3)
	})
}

// counts is the contract of what metrics count, and of members by pages and people by manager.
func counts(t *testing.T, s tenant.Store) {
	first, second := at.UTC(), at.Add(time.Minute).UTC()
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutSession(tenant.Session{Digest: "over", Account: "u", ExpiresAt: first}),
			tx.PutSession(tenant.Session{Digest: "open", Account: "u", ExpiresAt: second}),
			tx.PutMember(tenant.Member{GroupID: "g", MemberID: "a", Kind: tenant.KindUser}),
			tx.PutMember(tenant.Member{GroupID: "g", MemberID: "b", Kind: tenant.KindGroup}),
			tx.PutMember(tenant.Member{GroupID: "g", MemberID: "c", Kind: tenant.KindUser}),
			tx.PutMember(tenant.Member{GroupID: "h", MemberID: "d", Kind: tenant.KindUser}),
			tx.DeleteMember("h", "d"), tx.DeleteMember("g", "none"),
			tx.PutUser(tenant.User{ID: "u1", UserPrincipalName: "u1@x", ManagerID: "m"}),
			tx.PutUser(tenant.User{ID: "u2", UserPrincipalName: "u2@x", ManagerID: "m%"}),
			tx.PutUser(tenant.User{ID: "u3", UserPrincipalName: "u3@x", DisplayName: `"ManagerID":"m"`}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		open, e1 := r.CountSessions(first)
		page, e2 := r.MembersAfter("g", "a", 1)
		rest, e3 := r.MembersAfter("g", "a", 10)
		reports, e4 := r.UsersManagedBy("m")
		_, gone := r.Member("h", "d")
		wantNoRow(t, "a member who was removed", gone)
		if open != 1 || len(page) != 1 || page[0].MemberID != "b" || len(rest) != 2 || len(reports) != 1 ||
			reports[0].ID != "u1" {
			t.Errorf("%d sessions, members %v and %v, reports of m %v", open, page, rest, reports)
		}
		return errors.Join(e1, e2, e3, e4)
	})
}
