package provisioning_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

var art = provisioning.Ref{Kind: provisioning.Group, ID: "Art"}

// TestWhatConcernsNobodyHeldBackGoesOn: Ada and Bob, who are too many, lose access at the source,
// and are no members there any more. They stay as they are. Meanwhile Zoe comes, also to their
// group, Kim leaves it and Eve is renamed; nobody gets the name that Bob has still.
func TestWhatConcernsNobodyHeldBackGoesOn(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most int
		more func(*guarded)
		want []string
	}{
		"then it is put right at the source": {
			1, func(g *guarded) {
				active(ada, true)(g.directory)
				g.add(user("bob"))
				members(eng, "ada", "bob", "zoe")(g.directory)
			},
			[]string{"ada*", "bob*", "eva*", "kim*", "zoe*", "Eng=ada+bob+zoe", "Art=ada"},
		},
		"then they may go": {
			0, func(g *guarded) { g.remove(art) },
			[]string{"ada", "eva*", "kim*", "zoe*", "Eng=zoe"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGuarded(t, 1, "ada", "bob", "eve", "kim")
			g.add(group("Eng", "ada", "bob", "kim"), group("Art", "ada"))
			g.cycle(t, 0)
			active(ada, false)(g.directory)
			g.remove(bob)
			members(eng, "kim")(g.directory)
			g.cycle(t, 2)
			g.want(t, "ada*", "bob*", "eve*", "kim*", "Eng=ada+bob+kim", "Art=ada")

			g.add(user("zoe"), newcomer("new", "bob"))
			members(eng, "zoe")(g.directory)
			named(eve, "eva")(g.directory)
			for range 2 {
				if r := g.cycle(t, 2); !r.RetryAt.IsZero() && !r.RetryAt.After(g.now) {
					t.Errorf("it is tried again at once: %+v", r)
				}
				g.want(t, "ada*", "bob*", "eva*", "kim*", "zoe*", "Eng=ada+bob+zoe", "Art=ada")
			}

			g.remove(provisioning.Ref{Kind: provisioning.User, ID: "new"})
			c.more(g)
			g.most = c.most
			g.cycle(t, 0)
			g.want(t, c.want...)
		})
	}
}

// TestAComparisonThatHoldsBackKeepsNobodyWaiting: it does what it can without comparing.
func TestAComparisonThatHoldsBackKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 1, "ada", "bob", "eve")
	g.add(group("Eng", "eve"))
	g.cycle(t, 0)
	g.leave("ada", "bob")
	g.add(user("zoe"))
	members(eng, "eve", "zoe")(g.directory)
	engine := func(e *provisioning.Engine) { e.Reread, e.MaxDeletions = true, g.most }
	if _, err := g.sync(t, g.directory, g.memory, engine); err == nil {
		t.Error("nobody is held back")
	}
	g.want(t, "ada*", "bob*", "eve*", "zoe*", "Eng=eve+zoe")
	g.most = 0
	if r, err := g.sync(t, g.directory, g.memory, engine); err != nil || r.Disabled != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	g.want(t, "ada", "bob", "eve*", "zoe*", "Eng=eve+zoe")
}

// TestAGroupDoesNotWaitForWhomItMayHave: nobody knows whether Ada is a member of a group, and she
// is held back. Kim leaves the group, and Zoe comes, all the same; and nothing is sent twice.
func TestAGroupDoesNotWaitForWhomItMayHave(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 1, "ada", "bob", "eve", "kim")
	g.add(group("Eng", "kim"))
	g.cycle(t, 0)
	members(eng, "ada", "bob", "kim")(g.directory)
	g.misbehave(func(_ int, r *http.Request, _ http.ResponseWriter) bool {
		if r.Method != http.MethodPatch || !strings.Contains(r.URL.Path, "/Groups/") {
			return false
		}
		g.door.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	g.cycle(t, 0)
	g.misbehave(nil)
	g.leave("ada", "eve")
	g.add(user("zoe"))
	members(eng, "bob", "zoe")(g.directory)
	for i := range 3 {
		before := g.count("PATCH")
		if r := g.cycle(t, 2); !r.RetryAt.IsZero() && !r.RetryAt.After(g.now) {
			t.Errorf("it is tried again at once: %+v", r)
		}
		g.want(t, "ada*", "bob*", "eve*", "kim*", "zoe*", "Eng=ada+bob+zoe")
		if n := g.count("PATCH") - before; i > 0 && n > 0 {
			t.Errorf("%d changes are sent once more", n)
		}
	}
	g.most = 0
	g.cycle(t, 0)
	g.want(t, "ada", "bob*", "eve", "kim*", "zoe*", "Eng=bob+zoe")
}

// TestWhoIsTooManyIsNotTakenOver: whoever takes over what is at the target, and is told that too
// many would go, may let them be. A cycle that takes nothing over lets them be, then and later.
func TestWhoIsTooManyIsNotTakenOver(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 1, "ada", "bob", "eve")
	g.add(group("Eng", "ada", "eve"))
	g.cycle(t, 0)
	g.leave("ada", "bob")
	members(eng, "eve")(g.directory)
	other := newMemory()
	sync := func(adopt bool) (provisioning.Result, error) {
		return g.sync(t, g.directory, other, func(e *provisioning.Engine) {
			e.Careful, e.MaxDeletions = true, g.most
			e.Adopt, e.Reread = adopt, adopt
		})
	}
	for range 2 {
		if _, err := sync(true); !errors.As(err, new(*provisioning.TooManyDeletesError)) {
			t.Errorf("nobody is held back: %v", err)
		}
		g.want(t, "ada*", "bob*", "eve*", "Eng=ada+eve")
	}
	g.most = 0
	if r, err := sync(false); err != nil || r.Disabled > 0 {
		t.Errorf("%+v, %v", r, err)
	}
	g.want(t, "ada*", "bob*", "eve*", "Eng=ada+eve")
	if r, err := sync(true); err != nil || r.Disabled != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	g.want(t, "ada", "bob", "eve*", "Eng=eve")
}
