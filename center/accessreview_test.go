package center_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// reviewWorld is a center in which Grace has a set by hand, the approvers by their group, Linus by
// a rule, and Ada by a request. Linus owns the set.
type reviewWorld struct {
	*requestWorld
	request center.AccessRequest
	rule    center.AssignmentRule
}

func newReviewWorld(t *testing.T) *reviewWorld {
	t.Helper()
	ctx := context.Background()
	w := &reviewWorld{requestWorld: newRequestWorld(t)}
	account := w.Account
	account.Tags = []center.Tag{{Key: "stage", Value: "live"}}
	e1 := w.PutAccount(ctx, centertest.Actor, account)
	_, e2 := w.CreateAssignment(ctx, centertest.Actor, w.assigned(center.PrincipalUser, string(w.Grace.ID)))
	_, e3 := w.CreateAssignment(ctx, centertest.Actor, w.assigned(center.PrincipalGroup, string(w.Approvers.ID)))
	rule, e4 := w.CreateAssignmentRule(ctx, centertest.Actor, center.AssignmentRule{
		Tag: &account.Tags[0], PermissionSetARN: w.Set.ARN, PrincipalType: center.PrincipalUser,
		PrincipalID: string(w.Linus.ID),
	})
	e5 := w.PutAccessOwner(ctx, centertest.Actor, center.AccessOwner{
		PermissionSetARN: w.Set.ARN, Owner: center.Principal{Type: center.PrincipalUser, ID: string(w.Linus.ID)},
	})
	if err := errors.Join(e1, e2, e3, e4, e5); err != nil {
		t.Fatal(err)
	}
	w.rule = rule
	w.request = w.opens(w.Ask())
	return w
}

func (w *reviewWorld) assigned(of center.PrincipalType, id string) center.Assignment {
	return center.Assignment{
		AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, PrincipalType: of, PrincipalID: id,
	}
}

func (w *reviewWorld) start(v center.AccessReview) center.AccessReview {
	w.t.Helper()
	v.Name, v.Deadline = "Quarter", w.now.Add(10*24*time.Hour)
	v, err := w.StartAccessReview(context.Background(), centertest.Actor, v)
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// lines are the lines of a review by their ways.
func (w *reviewWorld) lines(v center.AccessReview) map[center.ReviewWay]center.ReviewLine {
	w.t.Helper()
	list, err := w.ReviewLines(context.Background(), center.ReviewLineQuery{ReviewID: v.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	by := map[center.ReviewWay]center.ReviewLine{}
	for _, l := range list {
		by[l.Way] = l.ReviewLine
	}
	if len(by) != len(list) {
		w.t.Fatalf("the lines are %+v", list)
	}
	return by
}

// decide is what a person says of some lines.
func (w *reviewWorld) decide(u center.User, v center.AccessReview, say center.ReviewVerdict, keys ...string) error {
	_, err := w.DecideReview(context.Background(), w.By(u), u.ID, v.ID, say, keys, "because")
	return err
}

// wayed are the ways by which somebody has the set.
func (w *reviewWorld) wayed() string {
	w.t.Helper()
	list, err := w.Assignments(context.Background(), center.AssignmentQuery{AccountID: w.Account.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	var text []string
	for name, id := range map[string]string{
		"ada": string(w.Ada.ID), "grace": string(w.Grace.ID), "linus": string(w.Linus.ID),
		"group": string(w.Approvers.ID),
	} {
		for _, a := range list {
			if a.PrincipalID == id {
				text = append(text, name)
			}
		}
	}
	return sorted(text)
}

func sorted(list []string) string {
	for i := range list {
		for j := range i {
			if list[i] < list[j] {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	return strings.Join(list, " ")
}

// TestAReviewEndsWhatNobodyConfirms: at its deadline, once, each way in its own fashion; what was
// confirmed stays, and what was taken can be given back, but for windows.
func TestAReviewEndsWhatNobodyConfirms(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newReviewWorld(t)
	w.request = w.opensLong()
	v := w.start(center.AccessReview{EndUnconfirmed: true})
	lines := w.lines(v)
	if len(lines) != 4 || w.wayed() != "ada grace group linus" {
		t.Fatalf("lines %+v, assigned %s", lines, w.wayed())
	}
	if err := w.decide(w.Linus, v, center.VerdictConfirm, lines[center.ByUser].Key); err != nil {
		t.Fatal(err)
	}
	w.reviews(9 * 24 * time.Hour)
	if w.wayed() != "ada grace group linus" {
		t.Errorf("before the deadline: %s", w.wayed())
	}
	w.reviews(24 * time.Hour)
	if v, err := w.AccessReview(ctx, v.ID); err != nil || v.State != center.ReviewClosed || w.wayed() != "grace" {
		t.Errorf("after the deadline: %+v, %v, %s", v, err, w.wayed())
	}
	if w.state(w.request.ID) != center.AccessEnded {
		t.Error("the window is open still")
	}
	for way, want := range map[center.ReviewWay]center.LineState{
		center.ByUser: center.LineConfirmed, center.ByGroup: center.LineEnded, center.ByRule: center.LineEnded,
		center.ByRequest: center.LineEnded,
	} {
		if l := w.lines(v)[way]; l.State != want {
			t.Errorf("%s is %s", way, l.State)
		}
	}
	admin := func(say center.ReviewVerdict, key string) error {
		_, err := w.DecideReview(ctx, centertest.Actor, "", v.ID, say, []string{key}, "")
		return err
	}
	err := admin(center.VerdictConfirm, lines[center.ByGroup].Key)
	if refusal.CodeOf(err) != center.AccessReviewClosed {
		t.Errorf("to confirm too late: %v", err)
	}
	err = admin(center.VerdictRestore, lines[center.ByRequest].Key)
	if refusal.CodeOf(err) != center.NothingToRestore {
		t.Errorf("to restore a window: %v", err)
	}
	for _, way := range []center.ReviewWay{center.ByGroup, center.ByRule} {
		if err := admin(center.VerdictRestore, lines[way].Key); err != nil {
			t.Errorf("restore %s: %v", way, err)
		}
		if err := admin(center.VerdictRestore, lines[way].Key); refusal.CodeOf(err) != center.NothingToRestore {
			t.Errorf("restore %s twice: %v", way, err)
		}
	}
	if w.wayed() != "grace group linus" {
		t.Errorf("restored: %s", w.wayed())
	}
	centertest.Check(t, w.Center)
}

// opensLong has Ada's window reach beyond the reviews of these tests.
func (w *reviewWorld) opensLong() center.AccessRequest {
	w.t.Helper()
	ctx := context.Background()
	p := w.NewPolicy("Long")
	p.Longest = 30 * 24 * time.Hour
	_, e1 := w.CreateRequestPolicy(ctx, centertest.Actor, p)
	_, e2 := w.EndAccess(ctx, centertest.Actor, "", w.request.ID, "")
	if err := errors.Join(e1, e2); err != nil {
		w.t.Fatal(err)
	}
	ask := w.Ask()
	ask.Length = p.Longest
	return w.opens(ask)
}

// reviews lets time pass, and has the center do what is due about reviews until nothing is.
func (w *reviewWorld) reviews(d time.Duration) {
	w.t.Helper()
	w.now = w.now.Add(d)
	for range 20 {
		more, err := w.WorkOnReviews(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if !more {
			return
		}
	}
	w.t.Fatal("the work on reviews does not end")
}

// TestAClockThatJumpsClosesNoReview: everybody would lose what nobody has confirmed yet. What an
// administrator closes is closed all the same.
func TestAClockThatJumpsClosesNoReview(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newReviewWorld(t)
	open, closed := w.start(center.AccessReview{EndUnconfirmed: true}), w.start(center.AccessReview{})
	had, before := w.wayed(), w.now
	state := func(v center.AccessReview) center.ReviewState {
		t.Helper()
		v, err := w.AccessReview(ctx, v.ID)
		if err != nil {
			t.Fatal(err)
		}
		return v.State
	}
	if err := w.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CloseAccessReview(ctx, centertest.Actor, closed.ID, false); err != nil {
		t.Fatal(err)
	}
	for _, swept := range []bool{false, true} { // between two looks at the clock, and after one
		w.now = before.AddDate(1, 0, 0)
		if swept {
			if err := w.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
		w.reviews(0)
		if state(open) != center.ReviewOpen || state(closed) != center.ReviewClosed || w.wayed() != had {
			t.Errorf(
				"swept: %t: the reviews are %s and %s, people have %s", swept, state(open), state(closed), w.wayed(),
			)
		}
	}
	w.now = before
	if err := w.Sweep(ctx); err != nil {
		t.Fatal(err)
	}
	w.reviews(10 * 24 * time.Hour) // a node that has not looked since
	w.reviews(0)
	if state(open) != center.ReviewOpen {
		t.Errorf("ten days at once: the review is %s", state(open))
	}
	w.now = before
	sweepUntil(t, w.Center, &w.now, before.AddDate(0, 0, 10))
	w.reviews(0)
	if state(open) != center.ReviewClosed || w.wayed() == had {
		t.Errorf("at its deadline the review is %s, and people have %s", state(open), w.wayed())
	}
}

// TestAReviewThatEndsNothingSaysWhatStayed, and an early end by an administrator does the same.
func TestAReviewThatEndsNothingSaysWhatStayed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	for _, closes := range []bool{false, true} {
		w := newReviewWorld(t)
		v := w.start(center.AccessReview{EndUnconfirmed: closes})
		had := w.wayed()
		if closes {
			if _, err := w.CloseAccessReview(ctx, centertest.Actor, v.ID, true); err != nil {
				t.Fatal(err)
			}
			w.reviews(0)
		} else {
			w.reviews(10 * 24 * time.Hour)
			w.reviews(0)
		}
		v, err := w.AccessReview(ctx, v.ID)
		if err != nil || v.State != center.ReviewClosed || w.wayed() != had {
			t.Errorf("closed early %v: %+v, %v, %s", closes, v, err, w.wayed())
		}
		if l := w.lines(v)[center.ByGroup]; l.State != center.LineKept {
			t.Errorf("the group's line is %s", l.State)
		}
	}
}

// TestWhoMayReview: the owner, but nobody confirms what they have themselves; others do nothing.
func TestWhoMayReview(t *testing.T) {
	t.Parallel()
	w := newReviewWorld(t)
	v := w.start(center.AccessReview{})
	lines := w.lines(v)
	byHand, ofGroup := lines[center.ByUser].Key, lines[center.ByGroup].Key
	byRule := lines[center.ByRule].Key
	for _, c := range []struct {
		who  center.User
		say  center.ReviewVerdict
		keys []string
		want refusal.Code
	}{
		{w.Grace, center.VerdictConfirm, []string{byHand}, center.NotReviewOwner},
		{w.Grace, center.VerdictRemove, []string{byHand}, center.NotReviewOwner},
		{w.Linus, center.VerdictConfirm, []string{byRule}, center.OwnReviewedAccess},
		{w.Linus, center.VerdictConfirm, []string{ofGroup}, center.OwnReviewedAccess},
		{w.Linus, center.VerdictRemove, []string{byHand, ofGroup, "9999"}, center.ReviewLineNotFound},
		{w.Linus, center.VerdictRestore, []string{byHand}, center.NothingToRestore},
		{w.Linus, "BURN", []string{byHand}, center.InvalidValue},
		{w.Linus, center.VerdictConfirm, nil, center.MissingValue},
		{w.Linus, center.VerdictConfirm, make([]string, 201), center.InvalidValue},
	} {
		if err := w.decide(c.who, v, c.say, c.keys...); refusal.CodeOf(err) != c.want {
			t.Errorf("%s says %s of %.40q: %v", c.who.UserName, c.say, c.keys, err)
		}
	}
	if w.wayed() != "ada grace group linus" {
		t.Errorf("what was refused took something: %s", w.wayed())
	}
	if err := w.decide(w.Linus, v, center.VerdictRemove, byHand, ofGroup); err != nil || w.wayed() != "ada linus" {
		t.Errorf("removed: %v, %s", err, w.wayed())
	}
	if err := w.decide(w.Linus, v, center.VerdictRestore, byHand); err != nil || w.wayed() != "ada grace linus" {
		t.Errorf("restored: %v, %s", err, w.wayed())
	}
	if l := w.lines(v)[center.ByUser]; l.State != center.LineOpen {
		t.Errorf("what was restored while the review is open is %s", l.State)
	}
	if _, err := w.UpdateUser(context.Background(), centertest.Actor, w.Linus.ID, func(u *center.User) error {
		u.Active = false
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.decide(w.Linus, v, center.VerdictRemove, byHand); refusal.CodeOf(err) != center.NotReviewOwner {
		t.Errorf("an owner who has left: %v", err)
	}
}

// TestWhatAReviewRemovesRefusesItsCredentials, unless the person has the role by another way.
func TestWhatAReviewRemovesRefusesItsCredentials(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newReviewWorld(t)
	roles, err := w.Provisioned(ctx, center.ProvisionedQuery{})
	if err != nil || len(roles) != 1 {
		t.Fatalf("%+v, %v", roles, err)
	}
	if err := w.Store.Update(ctx, func(tx center.Tx) error {
		return errors.Join(tx.ExtendRoleSession(center.RoleSession{
			UserID: w.Grace.ID, Name: "grace", AccountID: w.Account.ID, RoleName: roles[0].RoleName,
			PermissionSetARN: w.Set.ARN, Until: w.now.Add(12 * time.Hour), Own: true,
		}), tx.NoteRoleUse(center.RoleUse{
			AccountID: w.Account.ID, PermissionSetARN: w.Set.ARN, UserID: w.Grace.ID, At: w.now,
		}))
	}); err != nil {
		t.Fatal(err)
	}
	v := w.start(center.AccessReview{})
	list, err := w.ReviewLines(ctx, center.ReviewLineQuery{ReviewID: v.ID})
	for _, l := range list {
		used := l.Way == center.ByUser || l.Way == center.ByGroup
		if err != nil || l.LastUsed.IsZero() == used || used && l.LastUsedBy != "grace" {
			t.Errorf("%s was used at %s by %q: %v", l.Way, l.LastUsed, l.LastUsedBy, err)
		}
	}
	lines := w.lines(v)
	for i, way := range []center.ReviewWay{center.ByUser, center.ByGroup} {
		if err := w.decide(w.Linus, v, center.VerdictRemove, lines[way].Key); err != nil {
			t.Fatal(err)
		}
		a, err := w.RoleAccess(ctx, w.Grace.ID)
		if err != nil || len(a.Revoked) != i {
			t.Errorf("after %s: %+v, %v", way, a, err)
		}
	}
}

// TestWhatGoesBeforeItIsReviewed is gone, and so is what nobody has anymore when the time is over.
func TestWhatGoesBeforeItIsReviewed(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newReviewWorld(t)
	v := w.start(center.AccessReview{EndUnconfirmed: true})
	_, e1 := w.DeleteAssignment(ctx, centertest.Actor, w.assigned(center.PrincipalUser, string(w.Grace.ID)))
	e2 := w.DeleteAssignmentRule(ctx, centertest.Actor, w.rule.ID)
	_, e3 := w.EndAccess(ctx, centertest.Actor, "", w.request.ID, "")
	e4 := w.DeleteGroup(ctx, centertest.Actor, w.Approvers.ID)
	if err := errors.Join(e1, e2, e3, e4); err != nil {
		t.Fatal(err)
	}
	w.reviews(10 * 24 * time.Hour)
	w.reviews(0)
	for way, l := range w.lines(v) {
		if way != center.ByGroup && l.State != center.LineGone {
			t.Errorf("%s is %s", way, l.State)
		}
	}
	if _, err := w.StartAccessReview(ctx, centertest.Actor, center.AccessReview{
		Name: "Again", Deadline: w.now.Add(24 * time.Hour),
	}); refusal.CodeOf(err) != center.NothingToReview {
		t.Errorf("a review of nothing: %v", err)
	}
}

// TestReviewsThatCannotBe are refused before anything is written.
func TestReviewsThatCannotBe(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newReviewWorld(t)
	for name, c := range map[string]struct {
		change func(*center.AccessReview)
		want   refusal.Code
	}{
		"no name":       {func(v *center.AccessReview) { v.Name = " " }, center.MissingValue},
		"a long name":   {func(v *center.AccessReview) { v.Name = strings.Repeat("x", 65) }, center.InvalidValue},
		"the past":      {func(v *center.AccessReview) { v.Deadline = w.now }, center.InvalidValue},
		"no date":       {func(v *center.AccessReview) { v.Deadline = time.Time{} }, center.InvalidValue},
		"two years":     {func(v *center.AccessReview) { v.Deadline = w.now.AddDate(2, 0, 0) }, center.InvalidValue},
		"no such set":   {func(v *center.AccessReview) { v.PermissionSetARN = "x" }, center.PermissionSetNotFound},
		"no account":    {func(v *center.AccessReview) { v.AccountID = "999999999999" }, center.AccountNotFound},
		"91 days":       {func(v *center.AccessReview) { v.RestoreDays = 91 }, center.InvalidValue},
		"-1 days":       {func(v *center.AccessReview) { v.RestoreDays = -1 }, center.InvalidValue},
		"nothing of it": {func(v *center.AccessReview) { v.Administrative = true }, center.NothingToReview},
	} {
		v := center.AccessReview{Name: "Quarter", Deadline: w.now.Add(48 * time.Hour)}
		c.change(&v)
		if _, err := w.StartAccessReview(ctx, centertest.Actor, v); refusal.CodeOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	list, err := w.AccessReviews(ctx)
	if err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestOwnersAreReminded once, half way or three days before the deadline.
func TestOwnersAreReminded(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	w := newReviewWorld(t)
	mails := &mails{}
	w.Mailer = mails
	v := w.start(center.AccessReview{EndUnconfirmed: true})
	send := func() string {
		for {
			sent, err := w.MailNotice(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if !sent {
				break
			}
		}
		var subjects []string
		for _, m := range mails.all {
			subjects = append(subjects, m.To+" "+m.Subject)
		}
		mails.all = nil
		return fmt.Sprint(subjects)
	}
	if got := send(); got != "[linus@example.com Please review who has access: Quarter]" {
		t.Errorf("at the start: %s", got)
	}
	w.reviews(7*24*time.Hour - time.Millisecond)
	if got := send(); got != "[]" {
		t.Errorf("too early: %s", got)
	}
	w.reviews(time.Millisecond)
	w.reviews(time.Hour)
	if got := send(); got != "[linus@example.com Reminder: Please review who has access: Quarter]" {
		t.Errorf("three days before: %s", got)
	}
	if v, err := w.AccessReview(ctx, v.ID); err != nil || !v.RemindAt.IsZero() {
		t.Errorf("%+v, %v", v, err)
	}
}

type mails struct {
	all     []center.Mail
	refuses func(center.Mail) bool // nil: nothing
}

func (m *mails) Send(_ context.Context, mail center.Mail) { m.all = append(m.all, mail) }

// Deliver fails where the mail server does.
func (m *mails) Deliver(ctx context.Context, mail center.Mail) error {
	if m.refuses != nil && m.refuses(mail) {
		return errors.New("451 try again later")
	}
	m.Send(ctx, mail)
	return nil
}
