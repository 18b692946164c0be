package provisioning_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
)

// directory is a source that names only what has changed, as a tenant does.
type directory struct {
	objects map[provisioning.Ref]*entry
	journal []provisioning.Ref
}

func newDirectory(objects ...entry) *directory {
	d := &directory{objects: map[provisioning.Ref]*entry{}}
	d.add(objects...)
	return d
}

func (d *directory) add(objects ...entry) {
	for _, o := range objects {
		o.directory = maps.Clone(o.directory) // a tale is told more than once
		d.objects[o.Ref] = &o
		d.journal = append(d.journal, o.Ref)
	}
}

func (d *directory) remove(refs ...provisioning.Ref) {
	for _, ref := range refs {
		delete(d.objects, ref)
		d.journal = append(d.journal, ref)
		for _, g := range d.objects {
			if slices.Contains(g.Members, ref.ID) {
				d.edit(g.Ref, func(e *entry) { e.Members = drop(e.Members, ref.ID) })
			}
		}
	}
}

func (d *directory) edit(ref provisioning.Ref, change func(*entry)) {
	change(d.objects[ref])
	d.journal = append(d.journal, ref)
}

func drop(list []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == id })
}

func (d *directory) Changes(
	ctx context.Context, watermark string, also []provisioning.Ref,
) (out provisioning.Changes, err error) {
	after, _ := strconv.Atoi(watermark)
	refs := slices.Concat(d.journal[after:], also)
	if watermark == "" {
		refs = slices.Clone(also)
		for ref, o := range d.objects {
			if o.Assigned {
				refs = append(refs, ref)
			}
		}
	}
	for _, ref := range slices.Clone(refs) {
		for _, g := range d.objects {
			if slices.Contains(g.Members, ref.ID) {
				refs = append(refs, g.Ref)
			}
		}
	}
	slices.SortFunc(refs, func(a, b provisioning.Ref) int { return strings.Compare(a.ID, b.ID) })
	for _, ref := range slices.Compact(refs) {
		o, _ := d.Object(ctx, ref)
		if ref.Kind == provisioning.User {
			out.Users = append(out.Users, o)
		} else {
			out.Groups = append(out.Groups, o)
		}
	}
	out.Watermark = strconv.Itoa(len(d.journal))
	return out, nil
}

func (d *directory) Object(_ context.Context, ref provisioning.Ref) (provisioning.Object, error) {
	if o := d.objects[ref]; o != nil {
		return o.object(), nil
	}
	return provisioning.Object{Ref: ref, Gone: true}, nil
}

// fault is what happens at one line between the engine, its memory and the target.
type fault string

const (
	diesBefore   fault = "the process dies before it"
	diesAfter    fault = "the process dies after it"
	answerLost   fault = "the answer is lost"
	requestLost  fault = "the connection is cut before it arrives"
	failsAfter   fault = "the answer is 500, and it is done"
	failsInstead fault = "the answer is 500, and it is not done"
	outageAfter  fault = "it is done, and from then on nothing is answered, until the source changes"
	outageBefore fault = "it is not done, and nothing is answered, until the source changes"
	late         fault = "it is carried out after the next cycle"
)

var faults = []fault{
	diesBefore, diesAfter, answerLost, requestLost, failsAfter, failsInstead, outageAfter, outageBefore, late,
}

var errDead = errors.New("the process is dead")

// mortal is a process: what it says to its memory and its target is counted, and at one of the
// lines something happens.
type mortal struct {
	*provisioning.Volatile
	at   *target
	mu   sync.Mutex
	line int // that it is at
	when int // at which line the fault is; 0: never
	what fault
	dead bool
	away bool   // the target
	wait func() // what is carried out late
	ids  atomic.Int64
}

// expect counts from here, and lets the fault happen at a line from here.
func (m *mortal) expect(when int, what fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.line, m.when = 0, when
	m.what = what
}

// revive makes a new process, and the target is there again.
func (m *mortal) revive() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead, m.away = false, false
}

// lines are how many there were.
func (m *mortal) lines() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.line
}

// late hands over, once, what is carried out late; nil if there is none.
func (m *mortal) late() func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	wait := m.wait
	m.wait = nil
	return wait
}

// step counts a line. act says whether it is carried out, and then whether its answer arrives.
func (m *mortal) step(request bool) (act, answer bool, instead int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return false, false, 0
	}
	if m.away && request {
		return false, false, 0
	}
	if m.line++; m.line != m.when {
		return true, true, 0
	}
	switch m.what {
	case diesBefore:
		m.dead = true
		return false, false, 0
	case diesAfter:
		m.dead = true
		return true, false, 0
	case outageAfter:
		m.away = true
		return true, !request, 0
	case outageBefore:
		m.away = true
		return !request, !request, 0
	case answerLost:
		return true, !request, 0
	case requestLost, late:
		return !request, !request, 0
	case failsAfter:
		return true, true, http.StatusInternalServerError
	}
	return !request, true, http.StatusInternalServerError
}

func (m *mortal) write(write func() error) error {
	act, answer, _ := m.step(false)
	if act {
		if err := write(); err != nil {
			return err
		}
	}
	if !act || !answer {
		return errDead
	}
	return nil
}

func (m *mortal) Keep(ctx context.Context, l provisioning.Link, _ ...provisioning.Entry) error {
	return m.write(func() error { return m.Volatile.Keep(ctx, l) })
}

func (m *mortal) Forget(ctx context.Context, ref provisioning.Ref, _ ...provisioning.Entry) error {
	return m.write(func() error { return m.Volatile.Forget(ctx, ref) })
}

func (m *mortal) SetWatermark(ctx context.Context, watermark string, compared bool) error {
	return m.write(func() error { return m.Volatile.SetWatermark(ctx, watermark, compared) })
}

func (m *mortal) Begin(ctx context.Context, b provisioning.Batch, over ...string) error {
	return m.write(func() error { return m.Volatile.Begin(ctx, b, over...) })
}

func (m *mortal) End(ctx context.Context, over ...string) error {
	return m.write(func() error { return m.Volatile.End(ctx, over...) })
}

// trouble is the target's side of the lines.
func (m *mortal) trouble(_ int, r *http.Request, w http.ResponseWriter) bool {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	act, answer, status := m.step(true)
	if !act {
		m.postpone(r, body)
	}
	switch {
	case act && answer && status == 0:
		return false
	case act:
		m.at.door.ServeHTTP(httptest.NewRecorder(), r)
	}
	if answer && status != 0 {
		w.WriteHeader(status)
		return true
	}
	cut(w)
	return true
}

// postpone keeps a request that was not carried out, if the fault is that it is late.
func (m *mortal) postpone(r *http.Request, body []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.what != late {
		return
	}
	m.wait = func() {
		again := r.Clone(context.Background())
		again.Body = io.NopCloser(bytes.NewReader(body))
		m.at.door.ServeHTTP(httptest.NewRecorder(), again)
	}
}

var (
	ada = provisioning.Ref{Kind: provisioning.User, ID: "ada"}
	bob = provisioning.Ref{Kind: provisioning.User, ID: "bob"}
	eve = provisioning.Ref{Kind: provisioning.User, ID: "eve"}
	eng = provisioning.Ref{Kind: provisioning.Group, ID: "Eng"}
	ops = provisioning.Ref{Kind: provisioning.Group, ID: "Ops"}
)

// tale is what happens at the source: a cycle comes after each step.
type tale []func(*directory)

func adding(objects ...entry) func(*directory) { return func(d *directory) { d.add(objects...) } }
func removing(refs ...provisioning.Ref) func(*directory) {
	return func(d *directory) { d.remove(refs...) }
}
func editing(ref provisioning.Ref, change func(*entry)) func(*directory) {
	return func(d *directory) { d.edit(ref, change) }
}
func active(ref provisioning.Ref, yes bool) func(*directory) {
	return editing(ref, func(e *entry) { e.Active = yes })
}
func assigned(ref provisioning.Ref, yes bool) func(*directory) {
	return editing(ref, func(e *entry) { e.Assigned = yes })
}
func having(ref provisioning.Ref, name, value string) func(*directory) {
	return editing(ref, func(e *entry) { e.directory[name] = value })
}
func named(ref provisioning.Ref, name string) func(*directory) {
	return editing(ref, func(e *entry) {
		e.directory["userPrincipalName"], e.directory["mail"] = name+"@example.com", name+"@example.com"
	})
}
func members(ref provisioning.Ref, ids ...string) func(*directory) {
	return editing(ref, func(e *entry) { e.Members = ids })
}
func managedBy(ref provisioning.Ref, id string) func(*directory) {
	return editing(ref, func(e *entry) { e.Manager = id })
}

func newcomer(id, name string) entry {
	e := user(id)
	e.directory["userPrincipalName"] = name + "@example.com"
	e.directory["mail"] = name + "@example.com"
	return e
}

// tales begin with Ada, Bob who is disabled, and Eng with Ada in it.
var tales = map[string]tale{
	"a newcomer who is deleted":             {adding(user("eve")), removing(eve)},
	"a newcomer who is disabled":            {adding(user("eve")), active(eve, false)},
	"a newcomer who is unassigned":          {adding(user("eve")), assigned(eve, false)},
	"a newcomer who is renamed":             {adding(user("eve")), named(eve, "eva")},
	"a newcomer who is renamed and deleted": {adding(user("eve")), named(eve, "eva"), removing(eve)},
	"a newcomer whose name the next one gets": {
		adding(user("eve")), removing(eve), adding(newcomer("zoe", "eve")),
	},
	"a newcomer who comes back":   {adding(user("eve")), removing(eve), adding(user("eve"))},
	"enabled, disabled":           {active(bob, true), active(bob, false)},
	"disabled, enabled":           {active(ada, false), active(ada, true)},
	"disabled, enabled, disabled": {active(ada, false), active(ada, true), active(ada, false)},
	"unassigned, assigned":        {assigned(ada, false), assigned(ada, true)},
	"deleted, and there again":    {removing(ada), adding(user("ada")), members(eng, "ada")},
	"a title and back":            {having(ada, "jobTitle", "Dr"), having(ada, "jobTitle", "")},
	"a title, another, and back": {
		having(ada, "jobTitle", "Dr"), having(ada, "jobTitle", "Sir"), having(ada, "jobTitle", "Dr"),
	},
	"renamed, and a newcomer":       {named(ada, "countess"), adding(newcomer("zoe", "ada"))},
	"renamed, and back":             {named(ada, "countess"), named(ada, "ada")},
	"a member, and not":             {members(eng, "ada", "bob"), members(eng, "ada")},
	"no member, and one again":      {members(eng), members(eng, "ada")},
	"a member who is deleted":       {members(eng, "ada", "bob"), removing(bob)},
	"a member of a group that goes": {members(eng, "ada", "bob"), removing(eng)},
	"a group that is deleted":       {adding(group("Ops", "ada")), removing(ops)},
	"a group that is unassigned":    {adding(group("Ops", "ada")), assigned(ops, false)},
	"a group that is renamed":       {adding(group("Ops", "ada")), having(ops, "displayName", "Operations")},
	"a group that goes and comes":   {assigned(eng, false), assigned(eng, true)},
	"a manager, and none":           {managedBy(ada, "bob"), managedBy(ada, "")},
	"a newcomer with everything": {
		func(d *directory) {
			d.add(user("eve"), group("Ops", "ada", "eve"))
			d.edit(eve, func(e *entry) { e.Manager = "ada" })
			d.edit(eng, func(e *entry) { e.Members = []string{"ada", "eve"} })
		},
		func(d *directory) { d.remove(eve); d.edit(ops, func(e *entry) { e.Members = nil }) },
	},
}

// TestWhateverDiesBothSidesBecomeEqual goes through each tale once for each line between the
// engine, its memory and the target, and each fault: there the process dies or an answer is lost,
// and then the source changes again. When all is quiet, the target has what the source has.
func TestWhateverDiesBothSidesBecomeEqual(t *testing.T) {
	t.Parallel()
	for name, steps := range tales {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			runs := 0
			for i, what := range faults {
				for when := 1 + i%stride(); ; when += stride() {
					m := x.tell(t, steps, when, what)
					runs++
					if t.Failed() {
						t.Fatalf("at line %d: %s", when, what)
					}
					if m.lines() < when { // the tale is over before
						break
					}
				}
			}
			t.Logf("%d runs", runs)
		})
	}
}

// stride is how many lines a fault moves on from one telling to the next: -short leaves most out.
func stride() int {
	if testing.Short() {
		return 5
	}
	return 1
}

// tell tells a tale with a fault, until all is quiet, and compares.
func (x *target) tell(t *testing.T, steps tale, when int, what fault) *mortal {
	t.Helper()
	d := newDirectory(user("ada"), user("bob"), group("Eng", "ada"))
	m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	x.misbehave(nil)
	x.begin(t, d, m, &now)
	m.expect(when, what)
	x.misbehave(m.trouble)
	for _, change := range steps {
		change(d)
		waits := m.late()
		_, _ = x.mortal(t, d, m, &now) // it may fail: the trouble is in it
		m.revive()
		if waits != nil {
			waits()
		}
		now = now.Add(2 * time.Second)
	}
	lines := m.lines()
	quiet := false
	for range 12 {
		result, err := x.mortal(t, d, m, &now)
		if waits := m.late(); waits != nil {
			waits()
			err = errDead // not quiet yet
		}
		left := x.grace > 0 && result.RetryAt.Sub(now) > x.grace/2 // who has left waits
		still := result.RetryAt.IsZero() || left
		if quiet = err == nil && result.Failed == 0 && still && m.lines() >= when; quiet {
			break
		}
		if m.lines() < when && err == nil && still {
			break
		}
		m.revive()
		now = now.Add(2 * time.Minute)
	}
	if !quiet && lines >= when {
		t.Errorf("it does not come to rest: %v", failures(m))
	}
	x.misbehave(nil)
	x.equals(t, d, m)
	if begun, _ := m.Begun(context.Background()); len(begun) > 0 {
		t.Errorf("left in the memory: %v", begun)
	}
	return m
}

// failures are why the last attempts failed.
func failures(m *mortal) (list []string) {
	refs, _ := m.Known(context.Background())
	for _, ref := range refs {
		if l, _ := m.Link(context.Background(), ref); l.Failure != "" || l.Doubt != nil {
			list = append(list, fmt.Sprintf("%v at %q: %s %+v", ref, l.TargetID, l.Failure, l.Doubt))
		}
	}
	return list
}

// sound runs a cycle that nothing disturbs.
func (x *target) sound(t *testing.T, d *directory, m *mortal, now *time.Time) {
	t.Helper()
	if result, err := x.mortal(t, d, m, now); err != nil || result.Failed > 0 {
		t.Fatal(result, err)
	}
}

// mortal runs a cycle that may fail, as if the process were a new one.
func (x *target) mortal(
	t *testing.T, d *directory, m *mortal, now *time.Time,
) (provisioning.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	engine := provisioning.Engine{
		Source:   d,
		Memory:   m,
		Target:   provisioning.SCIM(x.client, provisioning.Entra),
		Mappings: mappings(t),
		Now:      func() time.Time { return *now },
		Workers:  1,
		NewID:    func() string { return fmt.Sprint(m.ids.Add(1)) }, // never the same twice
	}
	if x.store != nil {
		var err error
		if engine.Mappings, err = storeMappings(); err != nil {
			t.Fatal(err)
		}
		engine.Target, engine.LeaverGrace = x.store, x.grace
		engine.Careful = true
	}
	engine.Hurry()
	return engine.Run(ctx)
}

// empty removes all users and groups.
func (x *target) empty(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	users, e1 := x.center.Users(ctx, center.UserQuery{})
	groups, e2 := x.center.Groups(ctx, center.GroupQuery{})
	err := errors.Join(e1, e2)
	for _, u := range users {
		err = errors.Join(err, x.center.DeleteUser(ctx, centertest.Actor, u.ID))
	}
	for _, g := range groups {
		err = errors.Join(err, x.center.DeleteGroup(ctx, centertest.Actor, g.ID))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// equals compares the target with a source: who is there, active and called what, with which title
// and manager; and which groups there are, with which members.
func (x *target) equals(t *testing.T, d *directory, m provisioning.Memory) {
	t.Helper()
	ctx := context.Background()
	users, e1 := x.center.Users(ctx, center.UserQuery{})
	groups, e2 := x.center.Groups(ctx, center.GroupQuery{})
	if err := errors.Join(e1, e2); err != nil {
		t.Fatal(err)
	}
	ids, there := map[string]string{}, map[provisioning.Ref]bool{}
	source := func(kind provisioning.Kind, id, externalID string) string {
		if x.store == nil {
			return externalID
		}
		ref, err := m.Owner(ctx, kind, id) // a store has no external ids
		if err != nil {
			t.Errorf("the %s %s is nobody's: %v", kind, id, err)
		}
		return ref.ID
	}
	for _, u := range users {
		ids[string(u.ID)] = source(provisioning.User, string(u.ID), u.ExternalID)
	}
	for _, u := range users {
		ref := provisioning.Ref{Kind: provisioning.User, ID: ids[string(u.ID)]}
		there[ref] = true
		o := d.objects[ref]
		switch {
		case x.grace > 0 && (o == nil || !o.Active || !o.Assigned): // kept for a while, in no group
			ms, err := x.center.Memberships(ctx, center.MembershipQuery{UserID: u.ID})
			if err != nil || len(ms) > 0 {
				t.Errorf("%s has left, and is in groups: %v, %v", u.UserName, ms, err)
			}
		case o == nil:
			t.Errorf("%s (%s, active: %v) is there, and gone from the source", u.UserName, ref.ID, u.Active)
		case u.Active != (o.Active && o.Assigned):
			t.Errorf("%s is active: %v", u.UserName, u.Active)
		case u.Active && (u.UserName != o.directory["userPrincipalName"] || u.Title != o.directory["jobTitle"] ||
			ids[u.Enterprise.Manager] != o.Manager):
			t.Errorf("%s has title %q and manager %q, not %+v", u.UserName, u.Title, u.Enterprise.Manager, o)
		}
	}
	for _, g := range groups {
		ref := provisioning.Ref{
			Kind: provisioning.Group, ID: source(provisioning.Group, string(g.ID), g.ExternalID),
		}
		there[ref] = true
		o := d.objects[ref]
		if o == nil || !o.Assigned {
			t.Errorf("the group %s is there, and should not", g.DisplayName)
			continue
		}
		ms, err := x.center.Memberships(ctx, center.MembershipQuery{GroupID: g.ID})
		if err != nil {
			t.Fatal(err)
		}
		in := map[string]bool{}
		for _, m := range ms {
			id := ids[string(m.UserID)]
			if in[id] = true; !slices.Contains(o.Members, id) {
				t.Errorf("%s is in %s, and should not", id, g.DisplayName)
			}
		}
		for _, id := range o.Members {
			if !in[id] && d.objects[provisioning.Ref{Kind: provisioning.User, ID: id}].Active {
				t.Errorf("%s is not in %s", id, g.DisplayName)
			}
		}
		if g.DisplayName != o.directory["displayName"] {
			t.Errorf("%s is called %s", o.ID, g.DisplayName)
		}
	}
	for ref, o := range d.objects {
		if !there[ref] && o.Assigned && o.Active {
			t.Errorf("%v is not there", ref)
		}
	}
}
