package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// keepsFresh is for how long what was read of who is at AWS's side is good for a plan that is made
// anew: large organizations take minutes to read.
const keepsFresh = 5 * time.Minute //bound:none what is read again

// Again makes a plan anew that somebody has agreed to, by observe, which made it: the answer may
// have taken hours, in which nothing kept others out. It fails with ErrMoved where something is to
// be done by now that was not. What others have done meanwhile is not done again.
func (p *Plan) Again(
	ctx context.Context, cfg Config, observe func(context.Context, Config) (*Plan, error),
) (*Plan, error) {
	discover := cfg.Discover
	if age := p.cfg.Now().Sub(p.Snapshot.Taken); p.People != nil && age.Abs() < keepsFresh {
		read := p.Snapshot
		cfg.Discover = func(context.Context, func(done, total int)) (Snapshot, error) { return read, nil }
	}
	now, err := observe(ctx, cfg)
	if err != nil {
		return nil, err
	}
	now.cfg.Discover = discover
	moved := append(newlyDue(p.Steps, now.Steps), p.overwrites(now)...)
	if now.Changes {
		moved = append(moved, p.People.moved(now.People)...)
	}
	return now, disagreed(moved)
}

// overwrites says what others have set since that the plan would overwrite now, by steps that were
// to be done before, too.
func (p *Plan) overwrites(now *Plan) (texts []string) {
	differs := func(what, was, is string) {
		if was != is {
			texts = append(texts, fmt.Sprintf("%s is %q, and was %q", what, is, was))
		}
	}
	if is := now.State.Principal; is.ID != "" && is.ID != p.State.Principal.ID && !now.isOurs(is) && !now.early {
		texts = append(texts, fmt.Sprintf("there is an application “%s” (%s), which nobody has set up", is.DisplayName,
			is.ID))
	}
	if was, is := p.State.Application, now.State.Application; is.ID != "" && was.ID == is.ID && !now.samlDone() {
		list := func(of []string) string { return strings.Join(slices.Sorted(slices.Values(of)), ", ") }
		differs("the application's identifier", list(was.IdentifierURIs), list(is.IdentifierURIs))
		differs("its reply URL", list(redirects(was.Web)), list(redirects(is.Web)))
		differs("its sign-on URL", text(p.State.Principal.LoginURL), text(now.State.Principal.LoginURL))
	}
	if now.Changes {
		differs("the identity source", called(p.had.inForce), called(now.had.inForce))
	}
	if now.State.Configuration.ConfigurationID == "" {
		differs("the metadata that nobody has enabled", p.had.pending.EntityID, now.had.pending.EntityID)
	}
	if !now.cfg.Tokenless && !now.settingsDone() {
		differs("whom the job provisions", scopeName(p.syncedAll()), scopeName(now.syncedAll()))
	}
	if !now.cfg.Tokenless {
		texts = append(texts, p.jobTaken(now)...)
		if was, is := p.State.Job, now.State.Job; was.ID == is.ID && isOn(was) && !isOn(is) {
			texts = append(texts, "the job is paused, and was on")
		}
	}
	return texts
}

// jobTaken says whether others have had the job write elsewhere since.
func (p *Plan) jobTaken(now *Plan) (texts []string) {
	was, is := p.State.Secrets[graph.KeyBaseAddress], now.State.Secrets[graph.KeyBaseAddress]
	if now.State.Job.ID != "" && is != was && is != "" && !now.pointsHere() {
		texts = append(texts, fmt.Sprintf("where the job writes is %q, and was %q", is, was))
	}
	return texts
}

// Again makes an undo anew that somebody has agreed to. It fails with ErrMoved where more is taken
// back by now.
func (u *Undo) Again(ctx context.Context, cfg Config) (*Undo, error) {
	now, err := ObserveUndo(ctx, cfg, u.options)
	if err != nil {
		return nil, err
	}
	moved := append(newlyDue(u.timeless(), now.timeless()), u.plan.jobTaken(now.plan)...)
	users, groups := u.newNames()
	moreUsers, moreGroups := now.newNames()
	for _, name := range append(moreUsers, moreGroups...) {
		if now.options.DeleteProvisioned && !slices.Contains(users, name) && !slices.Contains(groups, name) {
			moved = append(moved, name+" is deleted")
		}
	}
	return now, disagreed(moved)
}

// timeless are the steps without when tokens were used, which goes on.
func (u *Undo) timeless() []Step {
	steps := slices.Clone(u.Steps)
	for i := range steps {
		for _, t := range u.tokens {
			steps[i].Detail = strings.ReplaceAll(steps[i].Detail, stamp(t.LastUsedTime), "lately")
		}
	}
	return steps
}

// Agrees fails with ErrMoved where something is to be done that was not when somebody agreed to the
// rotation before.
func (r *Rotation) Agrees(before *Rotation) error {
	moved := newlyDue(before.Steps, r.Steps)
	if r.Pending() > 0 && !r.Ends.At.Equal(before.Ends.At) {
		moved = append(moved, r.Ends.What+" ends on "+clock(r.Ends.At))
	}
	return disagreed(moved)
}

// newlyDue says which steps are to be done now, and were not before.
func newlyDue(before, now []Step) (texts []string) {
	for _, s := range now {
		same := func(was Step) bool { return !was.Done && was.Title == s.Title && was.Detail == s.Detail }
		if !s.Done && !slices.ContainsFunc(before, same) {
			texts = append(texts, fmt.Sprintf("“%s” is to be done: %s", s.Title, s.Detail))
		}
	}
	return texts
}

func disagreed(moved []string) error {
	if len(moved) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s. Nothing was done. Run this again, for a plan that knows of it", ErrMoved,
		strings.Join(moved, "; "))
}
