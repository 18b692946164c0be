package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// ErrChanged says that a step has found something else than its plan was made of.
var ErrChanged = errors.New("somebody has changed that since the plan was made")

// changed is the error of such a step: what somebody has done meanwhile stays.
func changed(format string, args ...any) error {
	return fmt.Errorf("%s: %w, and it stays as it is. Run this again, for a plan that knows of it",
		fmt.Sprintf(format, args...), ErrChanged)
}

// saysNothing says whether an error leaves open if what was asked for was done.
func saysNothing(err error) bool {
	var refused *graph.Error
	if errors.As(err, &refused) {
		return slices.Contains(sayNothing, refused.Status) || refused.Status >= http.StatusInternalServerError
	}
	return err != nil
}

const makeTries = 3 //bound:depth tries of a request that makes something

// makes sends a request that makes something. Where the answer leaves open whether that was done,
// there looks, and directly before the request is sent again.
func (p *Plan) makes(
	ctx context.Context, path string, in, out any, there func(context.Context) (bool, error),
) error {
	return p.settled(ctx, func() error {
		for try := 1; ; try++ {
			err := p.cfg.Graph.Once(ctx, http.MethodPost, path, in, out)
			if !saysNothing(err) {
				return err
			}
			made, failed := there(ctx)
			if made && failed == nil {
				return nil
			}
			var refused *graph.Error
			again := errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable && try < makeTries
			if failed == nil && again {
				failed = waitFor(ctx, max(refused.RetryAfter, p.cfg.PollEach))
			}
			if failed == nil {
				made, failed = p.appears(ctx, there)
			}
			switch {
			case failed == nil && made:
				return nil
			case errors.Is(failed, ErrChanged):
				return failed
			case ctx.Err() != nil:
				return errors.Join(err, ctx.Err())
			case failed != nil || !again:
				return err
			}
		}
	})
}

// appearLooks is how often is looked for what was asked for without an answer: a tenant's replicas
// learn of it late.
const appearLooks = 40 //bound:none how often, not how much

// appears looks for what a request may have made.
func (p *Plan) appears(ctx context.Context, there func(context.Context) (bool, error)) (bool, error) {
	for look := 1; ; look++ {
		made, err := there(ctx)
		if made || err != nil || look == appearLooks {
			return made, err
		}
		if err := p.pause(ctx); err != nil {
			return false, err
		}
	}
}

// confirmed looks again while it finds that somebody has changed something: a replica may be behind
// what this run, or the one before it, has written.
func (p *Plan) confirmed(ctx context.Context, look func() error) error {
	return p.looksAgain(ctx, is(ErrChanged), look)
}

// is says of errors whether they are one.
func is(what error) func(error) bool { return func(err error) bool { return errors.Is(err, what) } }

// looksAgain looks while it finds what a replica that is behind may say, for as long as a directory
// may take to know everywhere what was just made. Then that is believed.
func (p *Plan) looksAgain(ctx context.Context, behind func(error) bool, look func() error) error {
	w := p.lookout()
	defer w.ends()
	for {
		err := look()
		if !behind(err) || w.over(p.cfg.Settle) {
			return err
		}
		w.goesOn(p.cfg.Settle)
		if stopped := waitFor(ctx, max(p.cfg.Settle/appearLooks, p.cfg.PollEach)); stopped != nil {
			return stopped // nothing is believed yet
		}
	}
}

// lookout is the time for which a run looks again.
type lookout struct {
	began time.Time
	most  time.Duration // as it was told; zero: it was not
	tell  func(waited, most time.Duration)
}

func (p *Plan) lookout() *lookout { return &lookout{began: time.Now(), tell: p.cfg.LooksAgain} }

// over says whether it has lasted for longer than it may.
func (w *lookout) over(most time.Duration) bool { return time.Since(w.began) > most }

// goesOn tells of it before another look.
func (w *lookout) goesOn(most time.Duration) {
	if w.tell != nil {
		w.most = most
		w.tell(min(time.Since(w.began), most), most)
	}
}

func (w *lookout) ends() {
	if w.most > 0 {
		w.tell(w.most, w.most)
	}
}

// pause waits between two looks at the tenant. The error is ctx's, when ctx ends first.
func (p *Plan) pause(ctx context.Context) error { return waitFor(ctx, p.cfg.PollEach) }

func waitFor(ctx context.Context, wait time.Duration) error {
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sameApplication reads the application's settings again, and fails when they are others than the
// plan was made of, unless they are what it wants.
func (p *Plan) sameApplication(ctx context.Context) error {
	if p.fresh { // a replica may not know what this run has set
		return nil
	}
	before, was := p.State.Principal, p.State.Application
	return p.confirmed(ctx, func() error {
		app, err := p.readApplication(ctx)
		switch {
		case graph.NotFound(err):
			return changed("the application “%s” is deleted", before.DisplayName)
		case err != nil:
			return err
		case p.samlDone():
		case !sameSet(app.IdentifierURIs, was.IdentifierURIs):
			return changed("the identifier of “%s” is %q now", before.DisplayName,
				strings.Join(app.IdentifierURIs, ", "))
		case !sameSet(redirects(app.Web), redirects(was.Web)) && !p.repliesHere(app.Web):
			return changed("the reply URL of “%s” is %q now", before.DisplayName,
				strings.Join(redirects(app.Web), ", "))
		case text(p.State.Principal.LoginURL) != text(before.LoginURL) && !p.leadsHere(p.State.Principal.LoginURL):
			return changed("the sign-on URL of “%s” is %q now", before.DisplayName, text(p.State.Principal.LoginURL))
		}
		return nil
	})
}

// sameSet says whether two lists have the same, in any order.
func sameSet(a, b []string) bool {
	return !slices.ContainsFunc(a, func(x string) bool { return !slices.Contains(b, x) }) &&
		!slices.ContainsFunc(b, func(x string) bool { return !slices.Contains(a, x) })
}

// readApplication reads the application and its service principal.
func (p *Plan) readApplication(ctx context.Context) (app graph.Application, err error) {
	if err = p.graph(ctx, http.MethodGet, "/applications/"+p.State.Application.ID, nil, &app); err != nil {
		return app, err
	}
	var sp graph.ServicePrincipal
	if err = p.graph(ctx, http.MethodGet, "/servicePrincipals/"+p.State.Principal.ID, nil, &sp); err != nil {
		return app, err
	}
	p.State.Application, p.State.Principal = app, sp
	return app, nil
}

func redirects(web *graph.Web) []string {
	if web == nil {
		return nil
	}
	return web.RedirectURIs
}
