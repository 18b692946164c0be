package center_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// scripted is IAM as a test wants it: it says what comes next, and remembers which roles there are.
// How the real keeper behaves is tested in center/iam.
type scripted struct {
	say   []error // one for each call; then all succeed
	there map[string]center.AccountRole
	keep  func() // during Keep
}

func (s *scripted) next() (err error) {
	if len(s.say) > 0 {
		err, s.say = s.say[0], s.say[1:]
	}
	return err
}

func (s *scripted) Keep(_ context.Context, r center.AccountRole) error {
	if s.keep != nil {
		s.keep()
	}
	err := s.next()
	if err == nil {
		s.there[r.Name] = r
	}
	return err
}

func (s *scripted) Revoke(_ context.Context, r center.AccountRole) error {
	err := s.next()
	if err == nil {
		was := s.there[r.Name]
		was.Revoked = r.Revoked
		s.there[r.Name] = was
	}
	return err
}

func (s *scripted) Retire(_ context.Context, r center.AccountRole, _ bool) error {
	err := s.next()
	if err == nil {
		delete(s.there, r.Name)
	}
	return err
}

func (s *scripted) Inspect(context.Context, string) (center.ExistingRole, error) {
	return center.ExistingRole{There: true, Trusts: true, Longest: time.Hour}, s.next()
}
func (s *scripted) Drift(context.Context, center.AccountRole) ([]string, error) { return nil, s.next() }

var (
	refused = &refusal.Error{Code: center.RoleRefused, Detail: "Received a 403 status error: AccessDenied: no"}
	silent  = &refusal.Error{Code: center.RoleUnavailable, Detail: "no answer"}
)

// roleWorld is a center that keeps roles.
type roleWorld struct {
	*center.Center
	t   *testing.T
	iam *scripted
	set center.PermissionSet
	ada center.Assignment
	bob center.Assignment
	now time.Time
}

func newRoleWorld(t *testing.T) *roleWorld {
	t.Helper()
	ctx := context.Background()
	w := &roleWorld{
		Center: centertest.New(t, "https://center.example"),
		t:      t,
		iam:    &scripted{there: map[string]center.AccountRole{}},
		now:    time.Now(),
	}
	w.Now, w.Roles = func() time.Time { return w.now }, w.iam
	a, e1 := w.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
	b, e2 := w.CreateUser(ctx, centertest.Actor, centertest.Person("bob"))
	set, e3 := w.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{Name: "Admin"})
	if err := errors.Join(
		e1, e2, e3, w.PutAccount(ctx, centertest.Actor, center.Account{ID: "111122223333", Name: "A"}),
	); err != nil {
		t.Fatal(err)
	}
	of := func(u center.User) center.Assignment {
		return center.Assignment{
			AccountID:        "111122223333",
			PermissionSetARN: set.ARN,
			PrincipalType:    center.PrincipalUser,
			PrincipalID:      string(u.ID),
		}
	}
	w.set = set
	w.ada = of(a)
	w.bob = of(b)
	return w
}

func (w *roleWorld) create(a center.Assignment) center.AssignmentRequest {
	w.t.Helper()
	r, err := w.CreateAssignment(context.Background(), centertest.Actor, a)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *roleWorld) remove(a center.Assignment) center.AssignmentRequest {
	w.t.Helper()
	r, err := w.DeleteAssignment(context.Background(), centertest.Actor, a)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// work does what is due, and then lets an hour go by.
func (w *roleWorld) work() {
	w.t.Helper()
	for {
		worked, err := w.WorkOnRole(context.Background())
		if err != nil {
			w.t.Fatal(err)
		}
		if !worked {
			break
		}
	}
	w.now = w.now.Add(time.Hour)
}

// want checks how requests ended, and how many roles and assignments there are.
func (w *roleWorld) want(
	what string, roles, assignments int, requests map[center.AssignmentRequest]center.RequestStatus,
) {
	w.t.Helper()
	ctx := context.Background()
	for r, status := range requests {
		now, err := w.AssignmentRequest(ctx, r.Kind, r.ID)
		if err != nil || now.Status != status || (status == center.Failed) != (now.FailureReason != "") {
			w.t.Errorf("%s: the request is %+v, %v; want %s", what, now, err, status)
		}
	}
	list, e1 := w.Assignments(ctx, center.AssignmentQuery{})
	known, e2 := w.Provisioned(ctx, center.ProvisionedQuery{})
	if err := errors.Join(e1, e2); err != nil || len(list) != assignments || len(w.iam.there) != roles ||
		(len(known) > 0) != (assignments > 0) {
		w.t.Errorf(
			"%s: %d roles in IAM, %d known, %d assignments, %v; want %d and %d", what, len(w.iam.there), len(known),
			len(list), err, roles, assignments,
		)
	}
}

func TestAssignmentsComeWithTheirRole(t *testing.T) {
	t.Parallel()
	w := newRoleWorld(t)
	a, b := w.create(w.ada), w.create(w.bob)
	w.want(
		"before anything is made", 0, 0,
		map[center.AssignmentRequest]center.RequestStatus{a: center.InProgress, b: center.InProgress},
	)
	if err := w.DeletePermissionSet(
		context.Background(), centertest.Actor, w.set.ARN,
	); refusal.CodeOf(err) != center.PermissionSetInUse {
		t.Errorf("a permission set that is about to be assigned was deleted: %v", err)
	}
	w.work()
	w.want(
		"one role for both", 1, 2,
		map[center.AssignmentRequest]center.RequestStatus{a: center.Succeeded, b: center.Succeeded},
	)
	if r := w.remove(w.ada); r.Status != center.Succeeded {
		t.Errorf("one of two is removed at once, not %+v", r)
	}
	last := w.remove(w.bob)
	w.want("access goes at once", 1, 0, map[center.AssignmentRequest]center.RequestStatus{last: center.InProgress})
	again := w.create(w.ada)
	w.work()
	w.want(
		"a new role, and not the one that went", 1, 1,
		map[center.AssignmentRequest]center.RequestStatus{last: center.Succeeded, again: center.Succeeded},
	)
}

func TestAFailureIsToldAndTriedAgain(t *testing.T) {
	t.Parallel()
	w := newRoleWorld(t)
	w.iam.say = []error{refused, silent} // the making, and the first try to clean up after it
	r := w.create(w.ada)
	w.work()
	w.want("refused", 0, 0, map[center.AssignmentRequest]center.RequestStatus{r: center.Failed})
	w.work()
	if jobs, err := w.RoleJobs(context.Background(), center.RoleJobQuery{}); err != nil || len(jobs) != 0 {
		t.Errorf("left to do: %+v, %v", jobs, err)
	}

	w.iam.say = []error{silent, silent, errors.New("a bug")}
	r = w.create(w.ada)
	for range 4 {
		w.work()
	}
	w.want("silent for a while", 1, 1, map[center.AssignmentRequest]center.RequestStatus{r: center.Succeeded})

	w.iam.say = []error{refused}
	p, err := w.ProvisionPermissionSet(context.Background(), centertest.Actor, w.set.ARN, "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	w.want("an update refused", 1, 1, map[center.AssignmentRequest]center.RequestStatus{p: center.Failed})

	w.iam.say = []error{refused, refused}
	first := w.remove(w.ada)
	w.work() // the refusal, and an hour
	second := w.remove(w.ada)
	if second.Status != center.InProgress {
		t.Errorf("a second deletion is %+v", second)
	}
	w.work()
	w.want(
		"a retirement refused", 1, 0,
		map[center.AssignmentRequest]center.RequestStatus{first: center.Failed, second: center.Failed},
	)
	w.work()
	w.want("tried until it is gone", 0, 0, nil)
	if r := w.remove(w.ada); r.Status != center.Failed || !strings.Contains(r.FailureReason, "404") {
		t.Errorf("a deletion of nothing is %+v", r)
	}
}

func TestWhatChangesWhileIAMIsAsked(t *testing.T) {
	t.Parallel()
	w := newRoleWorld(t)
	ctx := context.Background()
	change := func(f func() error) func() {
		return func() {
			w.iam.keep = nil
			if err := f(); err != nil {
				t.Error(err)
			}
		}
	}
	// The permission set changes: the role is brought to the newest.
	w.iam.keep = change(func() error {
		return w.AttachManagedPolicy(ctx, centertest.Actor, w.set.ARN, "arn:aws:iam::aws:policy/ReadOnlyAccess")
	})
	r := w.create(w.ada)
	w.work()
	w.want("the set changed", 1, 1, map[center.AssignmentRequest]center.RequestStatus{r: center.Succeeded})
	for _, role := range w.iam.there {
		if len(role.Policies) != 1 {
			t.Errorf("the role is %+v", role)
		}
	}
	// The last assignment goes while the role is mended: it is retired all the same.
	w.iam.keep = change(func() error { _, err := w.DeleteAssignment(ctx, centertest.Actor, w.ada); return err })
	p, err := w.ProvisionPermissionSet(ctx, centertest.Actor, w.set.ARN, "")
	if err != nil {
		t.Fatal(err)
	}
	w.work()
	w.want("the last assignment gone", 0, 0, map[center.AssignmentRequest]center.RequestStatus{p: center.Failed})

	// The user goes while the role is made: nobody has it, and it goes too.
	w.iam.keep = change(func() error { return w.DeleteUser(ctx, centertest.Actor, center.UserID(w.bob.PrincipalID)) })
	r = w.create(w.bob)
	w.work()
	w.want("the user gone", 0, 0, map[center.AssignmentRequest]center.RequestStatus{r: center.Failed})

	// The process is told to end in the middle: while it works nobody takes the job, and afterwards
	// another one does the work at once.
	ending, end := context.WithCancel(ctx)
	w.iam.keep = func() {
		end()
		if worked, err := w.WorkOnRole(ctx); worked || err != nil {
			t.Errorf("a job is taken that somebody works on: %v, %v", worked, err)
		}
	}
	w.create(w.ada)
	if worked, err := w.WorkOnRole(ending); worked || err == nil {
		t.Errorf("a process that ends concludes: %v, %v", worked, err)
	}
	w.iam.keep = nil
	if worked, err := w.WorkOnRole(ctx); !worked || err != nil {
		t.Errorf("a job that was given back is not taken: %v, %v", worked, err)
	}
	w.want("after it was given back", 1, 1, nil)
	w.aDeadProcess()
}

// aDeadProcess dies in the middle of a job, whose lease the store keeps: when it has ended, another
// process does the work.
func (w *roleWorld) aDeadProcess() {
	w.t.Helper()
	ctx := context.Background()
	if _, err := w.ProvisionPermissionSet(ctx, centertest.Actor, w.set.ARN, ""); err != nil {
		w.t.Fatal(err)
	}
	if err := w.Store.Update(ctx, func(tx center.Tx) error {
		job, err := tx.NextRoleJob(w.now, w.now.Add(time.Hour))
		if err != nil {
			return err
		}
		job.LeasedUntil = w.now.Add(3 * time.Minute).Truncate(time.Millisecond)
		return tx.PutRoleJob(job)
	}); err != nil {
		w.t.Fatal(err)
	}
	if worked, err := w.WorkOnRole(ctx); worked || err != nil {
		w.t.Errorf("a job is taken that is leased: %v, %v", worked, err)
	}
	w.now = w.now.Add(5 * time.Minute)
	if worked, err := w.WorkOnRole(ctx); !worked || err != nil {
		w.t.Errorf("after the lease: %v, %v", worked, err)
	}
}

func TestACenterThatKeepsNoRolesChecksNone(t *testing.T) {
	t.Parallel()
	c := centertest.New(t, "https://center.example")
	if err := c.RecheckRoles(context.Background(), centertest.Actor, ""); refusal.CodeOf(err) != center.RolesNotKept {
		t.Errorf("it says %v", err)
	}
}
