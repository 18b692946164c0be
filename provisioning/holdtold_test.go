package provisioning_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// holds runs a cycle that holds so many back. told says that an earlier one has said so, as the job
// of the guarded target knows. It returns whom the cycle says it of in the log.
func (g *guarded) holds(t *testing.T, held int, told bool) (names []string) {
	t.Helper()
	g.now = g.now.Add(time.Minute)
	before := len(g.log)
	_, err := g.sync(t, g.directory, g.memory, func(e *provisioning.Engine) {
		e.MaxDeletions, e.AllowDeletions = g.most, g.allow
		e.HeldBack = told
		e.Now = func() time.Time { return g.now }
		e.Hurry()
	})
	tooMany := new(provisioning.TooManyDeletesError)
	if errors.As(err, &tooMany); tooMany.Deletions != held {
		t.Errorf("%d are held back, not %d: %v", tooMany.Deletions, held, err)
	}
	for _, e := range g.log[before:] {
		if e.Action == provisioning.StagedDelete {
			names = append(names, e.Ref.ID)
		}
	}
	slices.Sort(names)
	return names
}

// TestWhoJoinsThoseWhoAreHeldBackIsToldOnce: two are held back, and others join them, also a group.
// The log has each of them once; who comes back meanwhile and leaves again, is there again.
func TestWhoJoinsThoseWhoAreHeldBackIsToldOnce(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 1, "ada", "bob", "eve", "kim")
	g.add(group("Art", "kim"))
	g.cycle(t, 0)
	says := func(held int, told bool, want ...string) {
		t.Helper()
		if got := g.holds(t, held, told); !slices.Equal(got, want) {
			t.Errorf("the log says it of %v, not of %v", got, want)
		}
	}
	g.leave("ada", "bob")
	says(2, false, "ada", "bob")
	says(2, true)
	g.leave("eve")
	says(3, true, "eve")
	says(3, true)
	g.remove(art)
	says(4, true, "Art")
	active(bob, true)(g.directory)
	says(3, true)
	active(bob, false)(g.directory)
	says(4, true, "bob")
	says(4, true)
	g.want(t, "ada*", "bob*", "eve*", "kim*", "Art=kim")

	says(4, false, "Art", "ada", "bob", "eve") // as when the job tries it again
	says(4, true)
	for _, ref := range []provisioning.Ref{ada, bob, eve} { // a node of the release before writes them
		l := g.link(ref)
		l.Staged = false
		if err := g.Keep(t.Context(), l); err != nil {
			t.Fatal(err)
		}
	}
	says(4, true, "ada", "bob", "eve")
	says(4, true)

	g.allow = true
	says(0, true)
	g.allow = false
	g.want(t, "ada", "bob", "eve", "kim*")
	for _, id := range []string{"ada", "bob", "eve"} {
		active(provisioning.Ref{Kind: provisioning.User, ID: id}, true)(g.directory)
	}
	says(0, false)
	g.leave("ada", "bob", "eve")
	says(3, true, "ada", "bob", "eve") // whatever the log has said of them before
}

// TestNobodyGetsTheNameOfAnOrphanWhoIsHeldBack: Ada and Bob were made at the target, and nobody
// remembers it. They have left, are too many to be taken over and disabled, and so have no link.
// Zoe comes and has the name of one: she does not get the account.
func TestNobodyGetsTheNameOfAnOrphanWhoIsHeldBack(t *testing.T) {
	t.Parallel()
	g := newGuarded(t, 1, "ada", "bob", "eve")
	g.leave("ada", "bob")
	zoe := newcomer("zoe", "ada")
	g.add(zoe)
	other := newMemory()
	for range 2 {
		_, err := g.sync(t, g.directory, other, func(e *provisioning.Engine) {
			e.Careful, e.Adopt = true, true
			e.Reread, e.MaxDeletions = true, g.most
		})
		if !errors.As(err, new(*provisioning.TooManyDeletesError)) {
			t.Errorf("nobody is held back: %v", err)
		}
		if l := other.link(zoe.Ref); l.TargetID != "" || l.Failure == "" {
			t.Errorf("she has the account of one who is held back: %+v", l)
		}
		g.want(t, "ada*", "bob*", "eve*")
	}
}
