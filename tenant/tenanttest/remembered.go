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
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutLink(tenant.Link{JobID: "j", Kind: tenant.KindUser, SourceID: "u"}),
			tx.PutLink(tenant.Link{JobID: "k", Kind: tenant.KindUser, SourceID: "u"}),
			tx.DeleteLinks("j"), tx.DeleteLinks("none"),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		of, e1 := r.Batches("j")
		others, e2 := r.Batches("k")
		links, e3 := r.Links("j")
		left, e4 := r.Links("k")
		if len(of)+len(links) > 0 || len(others) != 1 || len(left) != 1 {
			t.Errorf("after all was deleted: %+v, %+v, of another job %+v, %+v", of, links, others, left)
		}
		return errors.Join(e1, e2, e3, e4)
	})
}

// links is the contract of one link that is forgotten, and of what a log says was written.
func links(t *testing.T, s tenant.Store) {
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutLink(tenant.Link{JobID: "j", Kind: tenant.KindUser, SourceID: "u"}),
			tx.PutLink(tenant.Link{JobID: "j", Kind: tenant.KindGroup, SourceID: "u"}),
			tx.PutLink(tenant.Link{JobID: "k", Kind: tenant.KindUser, SourceID: "u"}),
			tx.DeleteLink("j", tenant.KindUser, "u"), tx.DeleteLink("j", tenant.KindUser, "none"),
			tx.AppendLog([]tenant.LogEntry{
				logged("1", "j", tenant.KindUser, "create", "success", "1", ""),
				logged("2", "j", tenant.KindUser, "update", "success", "1", ""),
				logged("3", "j", tenant.KindGroup, "delete", "success", "2", ""),
				logged("4", "k", tenant.KindUser, "disable", "success", "3", ""),
				logged("5", "l", tenant.KindUser, "create", "failure", "", "InternalServerError"),
				logged("6", "m", tenant.KindUser, "create", "failure", "", "EntryConflict"),
				logged("7", "m", tenant.KindUser, "update", "failure", "4", "InternalServerError"),
				logged("8", "m", tenant.KindUser, "other", "skipped", "4", "NotAdopted"),
				logged("9", "m", tenant.KindUser, "stagedDelete", "skipped", "4", ""),
			}),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		_, gone := r.Link("j", tenant.KindUser, "u")
		wantNoRow(t, "a link that was deleted", gone)
		_, e1 := r.Link("j", tenant.KindGroup, "u")
		_, e2 := r.Link("k", tenant.KindUser, "u")
		written, e3 := r.Written()
		times := map[tenant.Written]int{}
		for _, w := range written {
			times[w]++
		}
		user, group := tenant.Mark{Kind: tenant.KindUser, ID: "u"}, tenant.Mark{Kind: tenant.KindGroup, ID: "u"}
		want := map[tenant.Written]int{
			{JobID: "j", Mark: user, TargetID: "1"}: 1, {JobID: "j", Mark: group, TargetID: "2"}: 1,
			{JobID: "k", Mark: user, TargetID: "3"}: 1, {JobID: "l", Mark: user}: 1,
		}
		if !maps.Equal(times, want) {
			t.Errorf("the log says that %v was written, want each once: %v", written, want)
		}
		return errors.Join(e1, e2, e3)
	})
}

// formers is the contract of what is kept of a target that a job has left.
func formers(t *testing.T, s tenant.Store) {
	link := func(job tenant.JobID, id tenant.PrincipalID, target string) tenant.Link {
		l := tenant.Link{JobID: job, Kind: tenant.KindUser, SourceID: id, TargetID: target}
		if job == "j" {
			l.Failure, l.Manager = "500", "m"
		}
		return l
	}
	old, kept := tenant.Former{JobID: "j", Place: "a", Left: at.UTC()}, tenant.Former{JobID: "j", Place: "b"}
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(
			tx.PutFormer(old), tx.PutFormer(kept),
			tx.PutLink(link(old.Links(), "both", "1")), tx.PutLink(link(old.Links(), "old", "2")),
			tx.PutLink(link("j", "both", "3")), tx.PutLink(link("j", "new", "4")), tx.PutLink(link("j", "none", "")),
			tx.PutLink(link("k", "both", "5")), tx.PutLink(link(kept.Links(), "both", "6")),
			tx.PutBatch(tenant.Batch{JobID: "j", ID: "b"}),
			tx.MoveLinks("j", old.Links()),
		)
	})
	view(t, s, func(r tenant.Reader) error {
		all, e1 := r.Formers()
		of, e2 := r.Links(old.Links())
		left, e3 := r.Links("j")
		batches, e4 := r.Batches("j")
		failed, e5 := r.FailedLinks(old.Links())
		reports, e6 := r.LinksOfReports(old.Links(), "m")
		has := ""
		for _, l := range of {
			has += string(l.SourceID) + "=" + l.TargetID + " "
		}
		if fmt.Sprint(all) != fmt.Sprint([]tenant.Former{old, kept}) || has != "both=3 new=4 old=2 " ||
			len(left)+len(batches)+len(failed)+len(reports) > 0 {
			t.Errorf("%v, links %q, left %v, %v, %v, %v", all, has, left, batches, failed, reports)
		}
		return errors.Join(e1, e2, e3, e4, e5, e6)
	})
	update(t, s, func(tx tenant.Tx) error { return tx.DeleteFormer(old) })
	view(t, s, func(r tenant.Reader) error {
		all, e1 := r.Formers()
		of, e2 := r.Links(old.Links())
		others, e3 := r.Links(kept.Links())
		if len(all) != 1 || len(of) != 0 || len(others) != 1 {
			t.Errorf("after one was deleted: %v, %v, %v", all, of, others)
		}
		return errors.Join(e1, e2, e3)
	})
}

// notices is the contract of what people are to be told of a job.
func notices(t *testing.T, s tenant.Store) {
	began := tenant.Quarantine{Reason: "r", Began: at.UTC()}
	first := tenant.Notice{JobID: "b", ID: "1", Due: at.UTC(), Quarantine: began}
	second, other := first, first
	second.ID, second.Attempts = "2", 3
	other.JobID = "a"
	update(t, s, func(tx tenant.Tx) error {
		return errors.Join(tx.PutNotice(first), tx.PutNotice(second), tx.PutNotice(other))
	})
	view(t, s, func(r tenant.Reader) error {
		all, e1 := r.Notices()
		one, e2 := r.Notice("b")
		_, err := r.Notice("c")
		wantNoRow(t, "a notice of another job", err)
		if fmt.Sprint(all) != fmt.Sprint([]tenant.Notice{other, second}) || fmt.Sprint(one) != fmt.Sprint(second) {
			t.Errorf("%+v, of one job %+v", all, one)
		}
		return errors.Join(e1, e2)
	})
	update(t, s, func(tx tenant.Tx) error { return errors.Join(tx.DeleteNotice("b"), tx.DeleteNotice("c")) })
	view(t, s, func(r tenant.Reader) error {
		all, err := r.Notices()
		if len(all) != 1 || all[0].JobID != "a" {
			t.Errorf("after one was deleted: %+v", all)
		}
		return err
	})
}

// logged is an entry of a provisioning log.
func logged(id string, job tenant.JobID, kind tenant.ObjectKind, action, status, target, code string) tenant.LogEntry {
	return tenant.LogEntry{
		ID: id, JobID: job, Time: at, Kind: kind, SourceID: "u", TargetID: target, Action: action, Status: status,
		Code: code,
	}
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
