package provisioning_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
)

// swapped gives each of some objects what the next one has of an attribute, and the last one what
// the first one had.
func swapped(attributes []string, refs ...provisioning.Ref) func(*directory) {
	return func(d *directory) {
		for _, name := range attributes {
			first := d.objects[refs[0]].directory[name]
			for i, ref := range refs {
				value := first
				if i+1 < len(refs) {
					value = d.objects[refs[i+1]].directory[name]
				}
				d.edit(ref, func(e *entry) { e.directory[name] = value })
			}
		}
	}
}

var (
	zoe      = provisioning.Ref{Kind: provisioning.User, ID: "zoe"}
	theNames = []string{"userPrincipalName", "mail"}
)

func init() {
	tales["two who swap names"] = tale{adding(user("eve")), swapped(theNames, ada, eve)}
	tales["two who swap names, and back"] = tale{
		adding(user("eve")), swapped(theNames, ada, eve), swapped(theNames, ada, eve),
	}
	tales["a ring of three"] = tale{adding(user("eve"), user("zoe")), swapped(theNames, ada, eve, zoe)}
	tales["two groups that swap names"] = tale{
		adding(group("Ops", "ada")), swapped([]string{"displayName"}, eng, ops),
	}
	tales["a leaver's name is given on"] = tale{
		active(ada, false), named(ada, "ada.left"), adding(newcomer("zoe", "ada")),
	}
	tales["a leaver is back with another name, and the old one is given on"] = tale{
		active(ada, false), func(d *directory) {
			d.edit(ada, func(e *entry) { e.Active = true })
			named(ada, "ada.back")(d)
			d.add(newcomer("zoe", "ada"))
		},
	}
	tales["a leaver's name is given on, and the leaver comes back"] = tale{
		func(d *directory) {
			d.edit(ada, func(e *entry) { e.Active = false })
			named(ada, "ada.left")(d)
			d.add(newcomer("zoe", "ada"))
		},
		active(ada, true),
	}
}

// TestWhoSwapsNamesGetsThem: a target takes one change after the other, so one of a ring is called
// something else for a moment, and no longer.
func TestWhoSwapsNamesGetsThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*directory)
		most   int // requests that change something, refused ones included
	}{
		"two people":           {swapped(theNames, ada, eve), 5},
		"three people":         {swapped(theNames, ada, eve, zoe), 7},
		"addresses only":       {swapped([]string{"mail"}, ada, eve), 5},
		"user names only":      {swapped([]string{"userPrincipalName"}, ada, eve, zoe), 7},
		"external ids":         {swapped([]string{"objectId"}, ada, eve), 5},
		"two groups":           {swapped([]string{"displayName"}, eng, ops), 5},
		"groups' external ids": {swapped([]string{"objectId"}, eng, ops), 5},
		"names, and a new name": {func(d *directory) {
			swapped(theNames, ada, eve)(d)
			d.add(newcomer("new", "zoe"))
			named(zoe, "zoe2")(d)
		}, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			d := newDirectory(user("ada"), user("eve"), user("zoe"), group("Eng", "ada"), group("Ops", "eve"))
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			x.sound(t, d, m, &now)
			x.misbehave(nil)
			c.change(d)
			x.sound(t, d, m, &now)
			reads := func(r string) bool { return strings.HasPrefix(r, "GET ") }
			writes := slices.DeleteFunc(slices.Clone(x.requests), reads)
			if len(writes) > c.most {
				t.Errorf("%d requests that change something, more than %d: %v", len(writes), c.most, writes)
			}
			x.isAs(t, d)
			x.misbehave(nil)
			if result, err := x.mortal(t, d, m, &now); err != nil || !result.RetryAt.IsZero() || len(x.requests) > 0 {
				t.Errorf("something is left to do: %+v, %v, %v", result, err, x.requests)
			}
		})
	}
}

// isAs compares who is called what: names, addresses and external ids.
func (x *target) isAs(t *testing.T, d *directory) {
	t.Helper()
	ctx := context.Background()
	users, err := x.center.Users(ctx, center.UserQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		i := 0
		for ref, o := range d.objects {
			if ref.Kind == provisioning.User && o.directory["objectId"] == u.ExternalID {
				i++
				if u.UserName != o.directory["userPrincipalName"] || len(u.Emails) != 1 ||
					u.Emails[0].Value != o.directory["mail"] {
					t.Errorf("%s is called %s with %v", ref.ID, u.UserName, u.Emails)
				}
			}
		}
		if i != 1 {
			t.Errorf("%s has the external id %q, which is that of %d at the source", u.UserName, u.ExternalID, i)
		}
	}
	groups, err := x.center.Groups(ctx, center.GroupQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		i := 0
		for ref, o := range d.objects {
			if ref.Kind == provisioning.Group && o.directory["objectId"] == g.ExternalID &&
				o.directory["displayName"] == g.DisplayName {
				i++
			}
		}
		if i != 1 {
			t.Errorf("the group %s has the external id %q", g.DisplayName, g.ExternalID)
		}
	}
}

// TestALeaversNameIsFree: whoever gets the name of one who has left arrives, in whatever order
// that was said.
func TestALeaversNameIsFree(t *testing.T) {
	t.Parallel()
	left := named(ada, "ada.left")
	joins := adding(newcomer("zoe", "ada"))
	all := func(steps ...func(*directory)) func(*directory) {
		return func(d *directory) {
			for _, step := range steps {
				step(d)
			}
		}
	}
	for name, c := range map[string]struct {
		steps tale
		want  []string
	}{
		"disabled, renamed, given on":    {tale{active(ada, false), left, joins}, []string{"ada.left", "ada*"}},
		"disabled and renamed, given on": {tale{all(active(ada, false), left), joins}, []string{"ada.left", "ada*"}},
		"all at once":                    {tale{all(active(ada, false), left, joins)}, []string{"ada.left", "ada*"}},
		"unassigned, renamed, given on":  {tale{assigned(ada, false), left, joins}, []string{"ada.left", "ada*"}},
		"deleted recoverably under another name": {tale{
			all(left, editing(ada, func(e *entry) { e.Active, e.Deleted = false, true })), joins,
		}, []string{"ada.left", "ada*"}},
		"the leaver's name is taken, too": {tale{
			active(ada, false), all(left, joins), all(named(zoe, "ada.left"), named(ada, "ada")),
		}, []string{"ada@renamed.invalid", "ada.left*"}},
		"with the name of one who has left in turn": {tale{
			all(active(ada, false), active(eve, false)), all(named(ada, "old"), named(eve, "ada")), all(
				named(ada, "older"), named(eve, "ada"), adding(newcomer("zoe", "eve")),
			),
		}, []string{"ada", "eve*"}},
		"an address only": {tale{
			active(ada, false), having(ada, "mail", "left@example.com"), all(
				adding(user("zoe")), having(zoe, "mail", "ada@example.com"),
			),
		}, []string{"ada", "zoe*"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			d := newDirectory(user("ada"), user("eve"))
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			x.sound(t, d, m, &now)
			for _, change := range c.steps {
				change(d)
				x.sound(t, d, m, &now)
			}
			have := x.state(t)
			for _, want := range c.want {
				if !slices.Contains(have, want) {
					t.Errorf("%s is not among %v", want, have)
				}
			}
			x.equals(t, d, m)
		})
	}
}

// TestWhoWaitsForANameGetsItAtOnce: a conflict is tried again when the name is given up, not when
// the time of the next try comes, which may be in a day.
func TestWhoWaitsForANameGetsItAtOnce(t *testing.T) {
	t.Parallel()
	for name, frees := range map[string]func(*directory){
		"renamed":                   having(ada, "mail", "countess@example.com"),
		"renamed while disabled":    having(bob, "mail", "left@example.com"),
		"deleted":                   removing(ada),
		"the name is none any more": having(ada, "mail", ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTarget(t)
			d := newDirectory(user("ada"), user("bob"))
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			x.sound(t, d, m, &now)
			active(bob, false)(d)
			holder := "ada"
			if strings.HasSuffix(name, "disabled") {
				holder = "bob"
			}
			d.add(user("zoe"))
			having(zoe, "mail", holder+"@example.com")(d)
			for range 6 {
				if result, err := x.mortal(t, d, m, &now); err != nil || result.Failed != 1 {
					t.Fatalf("both have the address: %+v, %v", result, err)
				}
				now = now.Add(25 * time.Hour)
			}
			now = now.Add(-25 * time.Hour) // her time has not come
			frees(d)
			x.sound(t, d, m, &now)
			x.equals(t, d, m)
		})
	}
}

// refusing is a target that refuses a title, and does not search by addresses, as AWS does not. It
// says whether it has answered.
func refusing(r *http.Request, w http.ResponseWriter) bool {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	filter := r.URL.Query().Get("filter")
	if !strings.Contains(filter, "emails") && !bytes.Contains(body, []byte("refused title")) {
		return false
	}
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write([]byte(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400"}`))
	return true
}

// TestATemporaryNameDoesNotStay: whoever has given a name up, and is refused something else that is
// sent with the new one, gets the new one, wherever the process dies or the target goes away, and
// each name that is free although another one is not.
func TestATemporaryNameDoesNotStay(t *testing.T) {
	t.Parallel()
	upn := []string{"userPrincipalName"}
	taken := having(ada, "mail", "x@example.com") // by somebody whom nobody has provisioned
	for name, change := range map[string]func(*directory){
		"an address is taken": func(d *directory) { swapped(upn, ada, eve)(d); taken(d) },
		"a title is refused": func(d *directory) {
			swapped(upn, ada, eve)(d)
			having(ada, "jobTitle", "refused title")(d)
		},
		"an address is taken, and the old one given on": func(d *directory) {
			swapped(theNames, ada, eve)(d)
			taken(d)
		},
	} {
		for _, what := range []fault{diesBefore, diesAfter, outageAfter} {
			t.Run(name+", "+string(what), func(t *testing.T) {
				t.Parallel()
				x := newTarget(t)
				for when := 1 + stride()/2; ; when += stride() {
					m := x.refusedSwap(t, change, when, what)
					if t.Failed() {
						t.Fatalf("at line %d", when)
					}
					if m.lines() < when {
						return
					}
				}
			})
		}
	}
}

// refusedSwap has Ada and Eve swap their user names while something else of Ada is refused, and a
// fault happens.
func (x *target) refusedSwap(t *testing.T, change func(*directory), when int, what fault) *mortal {
	t.Helper()
	x.misbehave(nil)
	x.empty(t)
	byHand := centertest.Person("x@example.com")
	byHand.Emails = []center.Value{{Value: "x@example.com", Type: "work", Primary: true}}
	if _, err := x.center.CreateUser(context.Background(), centertest.Actor, byHand); err != nil {
		t.Fatal(err)
	}
	d := newDirectory(user("ada"), user("eve"))
	m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	x.sound(t, d, m, &now)
	m.expect(when, what)
	x.misbehave(func(n int, r *http.Request, w http.ResponseWriter) bool {
		return refusing(r, w) || m.trouble(n, r, w)
	})
	change(d)
	for range 4 {
		_, _ = x.mortal(t, d, m, &now) // it may fail: the trouble is in it
		m.revive()
		now = now.Add(25 * time.Hour)
	}
	for id, name := range map[string]string{"ada": "eve@example.com", "eve": "ada@example.com"} {
		u, err := x.center.User(context.Background(), center.UserID(m.link(t, id).TargetID))
		if err != nil || u.UserName != name {
			t.Errorf("%s is called %s, not %s: %v, %v", id, u.UserName, name, err, failures(m))
		}
	}
	return m
}

// TestGraceEndsForNobodyWhoseNameIsNotGivenOn: at an identity store, somebody who has left is kept
// for a while. A newcomer ends that with a name that the source has given on, and not with one that
// it has given to both, nor when the leaver is back and cannot be written for another reason.
func TestGraceEndsForNobodyWhoseNameIsNotGivenOn(t *testing.T) {
	t.Parallel()
	all := func(steps ...func(*directory)) func(*directory) {
		return func(d *directory) {
			for _, step := range steps {
				step(d)
			}
		}
	}
	joins := adding(newcomer("zoe", "ada"))
	sharing := all(adding(user("zoe")), having(zoe, "mail", "ada@example.com"))
	back := all(active(ada, true), named(ada, "ada.back"), having(ada, "jobTitle", "refused title"))
	for name, c := range map[string]struct {
		change func(*directory)
		stays  bool
	}{
		"both have the address":           {sharing, true},
		"both have the user name":         {joins, true},
		"the address is given on":         {all(having(ada, "mail", "left@example.com"), sharing), false},
		"back, and the name is given on":  {all(back, joins), true},
		"back, and the address is":        {all(back, sharing), true},
		"gone, and the name is given on":  {all(removing(ada), joins), false},
		"named anew, and the name is too": {all(named(ada, "left"), joins), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newStore(t)
			x.grace = 30 * 24 * time.Hour
			d := newDirectory(user("ada"))
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			x.sound(t, d, m, &now)
			id := center.UserID(m.link(t, "ada").TargetID)
			active(ada, false)(d)
			x.sound(t, d, m, &now)
			x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool { return refusing(r, w) })
			c.change(d)
			for range 3 {
				now = now.Add(25 * time.Hour)
				if _, err := x.mortal(t, d, m, &now); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := x.center.User(context.Background(), id); (err == nil) != c.stays {
				t.Errorf("ada is there: %v; want %v; %v", err, c.stays, failures(m))
			}
			_, err := x.center.UserByName(context.Background(), d.objects[zoe].directory["userPrincipalName"])
			if wait := strings.HasPrefix(name, "both"); err != nil && !wait {
				t.Errorf("zoe is not there: %v, %v", err, failures(m))
			}
		})
	}
}

// watched is a directory that counts who is looked at by themselves.
type watched struct {
	*directory
	looked int
}

func (w *watched) Object(ctx context.Context, ref provisioning.Ref) (provisioning.Object, error) {
	w.looked++
	return w.directory.Object(ctx, ref)
}

// TestARenameLooksAtNobodyInVain: a great many have failed, and Ada gets another name. Whoever
// wants the old one gets it at once, and none of the others is looked at. Of those who failed
// before an upgrade it is not known what they want.
func TestARenameLooksAtNobodyInVain(t *testing.T) {
	t.Parallel()
	for name, upgraded := range map[string]bool{"as ever": false, "after an upgrade": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			renamed(t, upgraded)
		})
	}
}

func renamed(t *testing.T, upgraded bool) {
	t.Helper()
	x, m := newTarget(t), newMemory()
	d := &watched{directory: newDirectory(user("ada"), user("bob"))}
	var groups []provisioning.Ref
	for i := range 10 {
		g := group(fmt.Sprintf("G%d", i))
		d.add(g)
		groups = append(groups, g.Ref)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cycle := func() provisioning.Result {
		t.Helper()
		result, err := x.sync(t, d, m, func(e *provisioning.Engine) {
			e.Now, e.Workers = func() time.Time { return now }, 1
		})
		if err != nil {
			t.Fatal(err)
		}
		return result
	}
	cycle()
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		refused := r.Method == http.MethodPost || r.Method == http.MethodPatch
		if refused {
			w.WriteHeader(http.StatusBadRequest)
		}
		return refused
	})
	for _, g := range groups {
		members(g, "bob")(d.directory)
	}
	const many = 60
	for i := range many {
		d.add(user(fmt.Sprintf("u%02d", i)))
	}
	d.add(newcomer("zoe", "ada"))
	for range 3 {
		if result := cycle(); result.Failed != many+1+len(groups) {
			t.Fatalf("%+v", result)
		}
		now = now.Add(25 * time.Hour)
	}
	now = now.Add(-25 * time.Hour) // nobody's time has come
	x.misbehave(nil)
	if link := m.link(zoe); upgraded {
		link.Wants = nil
		if err := m.Keep(t.Context(), link); err != nil {
			t.Fatal(err)
		}
	}
	d.looked = 0
	named(ada, "countess")(d.directory)
	if result := cycle(); result.Created != 1 || m.link(zoe).TargetID == "" {
		t.Errorf("%+v", result)
	}
	if d.looked > 5 {
		t.Errorf("%d were looked at", d.looked)
	}
}
