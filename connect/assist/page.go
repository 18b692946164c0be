package assist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/inbound"
)

// Options are how a Page meets the person.
type Options struct {
	Env func(string) (string, bool)
	Out io.Writer // the person's terminal
	// Downloads is the folder to watch; DownloadFolder finds it. Empty: none is watched.
	Downloads string
	Log       *slog.Logger
}

// Page leads a person by a page of its own in the person's browser. It is served on the loopback
// interface only, opens with the first task, and knows its browser by a secret that only the
// person's terminal shows.
type Page struct {
	o     Options
	stop  context.CancelFunc
	ended chan struct{} // closed when nothing is served any more

	downloads *downloads // from the first task on

	mu      sync.Mutex
	changed chan struct{} // closed, and made anew, with each change of what is shown
	version int
	address string // scheme, host and port
	current *running
	done    []string
	closing *closing
	access
}

// access is who may see the page. Neither cookies nor addresses have a part in it: cookies go to
// every port of a host, and so to other users' programs.
type access struct {
	secret  string // in the link, for one browser, once; empty when it is used
	session string // what that browser got for it
	proof   string // what shows that browser that it still talks to this program
	links   int
	opened  func() // removes what has led the browser here
}

// running is the task that is being done.
type running struct {
	Task

	nudge   chan struct{}
	states  []wantState
	problem string     // why it is not proved, if somebody knows
	taking  sync.Mutex // one value after the other
}

type wantState struct {
	taken   bool
	from    string // the name of the file, if it was one
	problem string
	more    string // what is still to come of it
}

// closing is what the page says at the end.
type closing struct {
	Title string   `json:"title"`
	Lines []string `json:"lines"`
	Bad   bool     `json:"bad"`
	seen  chan struct{}
	once  sync.Once
}

// NewPage prepares a page. Nothing is served before the first task.
func NewPage(o Options) *Page {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Page{o: o, changed: make(chan struct{}), access: access{opened: func() {}}}
}

// Do implements Guide.
func (p *Page) Do(ctx context.Context, t Task) error {
	if err := p.start(ctx); err != nil {
		return fmt.Errorf("open a page on this machine (--no-browser asks in the terminal instead): %w", err)
	}
	r := &running{Task: t, nudge: make(chan struct{}, 1), states: make([]wantState, len(t.Wants))}
	p.show(func() { p.current = r })
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { p.watch(watching, r) })
	err := prove(ctx, t, r.nudge, func(problem error) {
		text := ""
		if problem != nil {
			text = problem.Error()
		}
		if r.problem != text { // only this goroutine writes it
			p.show(func() { r.problem = text })
		}
	})
	stop()
	watch.Wait()
	p.show(func() {
		p.current = nil
		if err == nil {
			p.done = append(p.done, t.Title)
		}
	})
	return err
}

// show changes what is shown, and tells the browser.
func (p *Page) show(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.version++
	close(p.changed)
	p.changed = make(chan struct{})
}

// watch takes what comes into the download folder, for the wants that know it when they see it.
func (p *Page) watch(ctx context.Context, r *running) {
	if p.o.Downloads == "" {
		return
	}
	skipped := map[string]identity{}
	for {
		for _, f := range p.downloads.came(skipped) {
			for i, w := range r.Wants {
				p.mu.Lock()
				open := !r.states[i].taken
				p.mu.Unlock()
				if open && w.Is != nil && w.Is(f.data) {
					p.downloads.seen[f.name] = f.identity
					p.take(ctx, r, i, f)
				}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(watchEach):
		}
	}
}

// take hands a value over, and shows what became of it. The name is that of a file; empty for what
// was pasted.
func (p *Page) take(ctx context.Context, r *running, want int, f file) {
	r.taking.Lock()
	defer r.taking.Unlock()
	err := take(ctx, r.Wants[want], f.data)
	p.show(func() {
		s := &r.states[want]
		s.problem, s.more = "", ""
		var partial Partial
		switch {
		case err == nil:
			s.taken, s.from = true, f.name
			return
		case errors.As(err, &partial):
			s.more = string(partial)
			return
		}
		s.problem = err.Error()
		if f.name != "" {
			s.problem = f.name + ": " + s.problem
		}
	})
	select {
	case r.nudge <- struct{}{}:
	default: // it will look anyhow
	}
}

// start serves the page and opens it, once.
func (p *Page) start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		return nil
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // until Close: the page says how it ended
	l, err := inbound.Listen(serving, "127.0.0.1:0", nil, false)
	if err != nil {
		stop()
		return err
	}
	p.stop, p.ended = stop, make(chan struct{})
	p.downloads = newDownloads(p.o.Downloads)
	p.address = "http://" + l.Addr().String()
	go func() {
		defer close(p.ended)
		if err := l.Serve(serving, inbound.Service{Handler: p.handler(), Log: p.o.Log}); err != nil {
			p.o.Log.WarnContext(serving, "the page is not served any more", "error", err)
		}
	}()
	p.renew()
	opened, err := OpenBrowser(ctx, p.o.Env, p.link())
	p.opened = opened
	if err != nil {
		fmt.Fprintf(p.o.Out, "Open this page in your browser:\n  %s\n", p.link())
		return nil
	}
	fmt.Fprintf(
		p.o.Out, "A page opens in your browser. If none does, open this link, which works once:\n  %s\n", p.link(),
	)
	return nil
}

// link is the one with the secret, which browsers send to nobody.
func (p *Page) link() string { return p.address + "/#" + p.secret }

// renew makes another link. The caller has the lock.
func (p *Page) renew() {
	p.secret = authn.NewSecret(32)
	p.links++
}

const maxLinks = 50 //bound:rate links to the page that a run shows in the terminal

// admit trades the link's secret for a session. Once it is used, the next who comes with one has
// the terminal show another link, and only whoever sees the terminal goes on.
func (p *Page) admit(secret string) (session, proof string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opened()
	p.opened = func() {}
	if p.secret != "" && authn.Equal(secret, p.secret) {
		p.secret = ""
		p.session, p.proof = authn.NewSecret(32), authn.NewSecret(16)
		return p.session, p.proof, true
	}
	if p.secret == "" && p.links < maxLinks {
		p.renew()
		fmt.Fprintf(p.o.Out, "\nThe link to the page was used a second time. If that was you, in another browser, go "+
			"on there with this one:\n  %s\nIf it was not, somebody else on this machine has tried. Nothing was "+
			"shown to them.\n", p.link())
	}
	return "", "", false
}

// admitted says whether a request comes from the browser that has the session.
func (p *Page) admitted(r *http.Request) bool {
	token, ok := authn.BearerToken(r.Header.Get("Authorization"))
	p.mu.Lock()
	defer p.mu.Unlock()
	return ok && p.session != "" && authn.Equal(token, p.session)
}

// lastLook bounds how long the end of a page waits for the browser to show it.
const lastLook = 3 * time.Second //bound:wait the browser to show the last page

// Close ends the page: it shows a title and lines, and nothing is served any more. bad says that
// something has stopped the run.
func (p *Page) Close(bad bool, title string, lines ...string) {
	p.mu.Lock()
	stop := p.stop
	if p.closing != nil {
		stop = nil // it was closed before
	}
	shown := p.session != ""
	p.mu.Unlock()
	if stop == nil {
		return
	}
	end := &closing{Title: title, Lines: lines, Bad: bad, seen: make(chan struct{})}
	p.show(func() { p.closing = end })
	if shown {
		select {
		case <-end.seen:
		case <-time.After(lastLook):
		}
	}
	p.mu.Lock()
	p.opened()
	p.mu.Unlock()
	stop()
	<-p.ended
}
