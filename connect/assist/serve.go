package assist

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed page
var files embed.FS

// stateJSON is what the page's script shows.
type stateJSON struct {
	Proof   string    `json:"proof"`
	Version int       `json:"version"`
	Done    []string  `json:"done"`
	Task    *taskJSON `json:"task"`
	Closing *closing  `json:"closing"`
}

type taskJSON struct {
	Title   string     `json:"title"`
	Why     string     `json:"why"`
	Link    string     `json:"link"`
	Clicks  []string   `json:"clicks"`
	Offer   string     `json:"offer"`
	Copy    string     `json:"copy"`
	Problem string     `json:"problem"`
	Wants   []wantJSON `json:"wants"`
}

type wantJSON struct {
	Name    string `json:"name"`
	Label   string `json:"label"`
	Hidden  bool   `json:"hidden"` // what is typed is not shown
	File    bool   `json:"file"`
	Folder  string `json:"folder"` // the one that is watched for it
	Taken   bool   `json:"taken"`
	From    string `json:"from"`
	Problem string `json:"problem"`
	More    string `json:"more"` // what is still to come of it
}

// state is what is shown now, and what tells of the next change.
func (p *Page) state() (s stateJSON, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s = stateJSON{Proof: p.proof, Version: p.version, Done: append([]string{}, p.done...), Closing: p.closing}
	if r := p.current; r != nil {
		t := &taskJSON{
			Title: r.Title, Why: r.Why, Link: r.Link, Clicks: append([]string{}, r.Clicks...), Copy: r.Copy,
			Problem: r.problem, Wants: []wantJSON{},
		}
		if r.Offer != nil {
			t.Offer = r.Offer.Name
		}
		secret := false // a secret may be pasted into the field beside its own
		for _, w := range r.Wants {
			secret = secret || w.Secret
		}
		for i, w := range r.Wants {
			of := r.states[i]
			shown := wantJSON{
				Name: w.Name, Label: w.Label, Hidden: secret && !w.File, File: w.File, Taken: of.taken, From: of.from,
				Problem: of.problem, More: of.more,
			}
			if w.Is != nil {
				shown.Folder = filepath.Base(p.o.Downloads)
			}
			t.Wants = append(t.Wants, shown)
		}
		s.Task = t
	}
	return s, p.changed
}

// handler serves the page. Whoever gets as far as its HTML, style and script learns nothing: what
// is shown comes with the session, which travels in a header that no other site can have a browser
// send.
func (p *Page) handler() http.Handler {
	folder, err := fs.Sub(files, "page")
	if err != nil {
		panic(err)
	}
	pages := web.NewPages(folder, p.o.Log)
	mux := http.NewServeMux()
	web.MountStatic(mux)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cross-Origin-Opener-Policy", "same-origin")
		pages.Render(w, http.StatusOK, "assist", web.View{
			Title: "Connect", Product: "Gatehouse", Theme: "center", Home: "/",
		})
	})
	for _, name := range []string{"assist.js", "assist.css"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, folder, name)
		})
	}
	mux.HandleFunc("POST /session", p.trade)
	mux.HandleFunc("GET /state", p.guarded(p.sendState))
	mux.HandleFunc("GET /offer", p.guarded(p.sendOffer))
	mux.HandleFunc("POST /wants/{name}", p.guarded(p.receive))
	return web.Middleware(p.only(mux), web.Options{Log: p.o.Log})
}

// only lets requests through that were meant for this address: a name of somebody else's that leads
// here (DNS rebinding) is another host, and a page of another site is another origin.
func (p *Page) only(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		own := p.address
		p.mu.Unlock()
		w.Header().Set("Cross-Origin-Resource-Policy", "same-origin")
		from := r.Header.Get("Origin")
		if "http://"+r.Host != own || (from != "" && from != own) || (from == "" && r.Method != http.MethodGet) {
			http.Error(w, "This page is of another address.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (p *Page) guarded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !p.admitted(r) {
			http.Error(w, "Open the link that the terminal shows.", http.StatusUnauthorized)
			return
		}
		next(w, r)
	}
}

const maxSecret = 200 //bound:body the secret of a link to the page

func (p *Page) trade(w http.ResponseWriter, r *http.Request) {
	secret, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSecret))
	if err != nil {
		http.Error(w, "This is no secret.", http.StatusRequestEntityTooLarge)
		return
	}
	session, proof, ok := p.admit(string(secret))
	if !ok {
		http.Error(w, "The link was used already. The terminal shows another.", http.StatusForbidden)
		return
	}
	answer(w, map[string]string{"session": session, "proof": proof})
}

const stateWait = 15 * time.Second //bound:wait the page's script for something new to show

// sendState answers at once when there is something new, and else as soon as there is.
func (p *Page) sendState(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.Atoi(r.URL.Query().Get("after"))
	if err != nil {
		after = -1
	}
	s, changed := p.state()
	if s.Version == after {
		select {
		case <-changed:
			s, _ = p.state()
		case <-time.After(stateWait):
		case <-r.Context().Done():
			return
		}
	}
	answer(w, s)
	if s.Closing != nil {
		s.Closing.once.Do(func() { close(s.Closing.seen) })
	}
}

// now is the task that is being done, if any.
func (p *Page) now() *running {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

func (p *Page) sendOffer(w http.ResponseWriter, _ *http.Request) {
	r := p.now()
	if r == nil || r.Offer == nil {
		http.Error(w, "There is nothing to hand over now.", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment")
	_, _ = w.Write(r.Offer.Data) // the browser has gone away
}

// receive takes a value. What became of it is shown with the state.
func (p *Page) receive(w http.ResponseWriter, r *http.Request) {
	value, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxValue))
	var long *http.MaxBytesError
	switch {
	case errors.As(err, &long):
		http.Error(w, "It is larger than what is wanted could be.", http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, "It did not arrive whole.", http.StatusBadRequest)
		return
	}
	task := p.now()
	if task != nil {
		for i, want := range task.Wants {
			if want.Name == r.PathValue("name") {
				// what was handed over is checked, though the browser may be closed
				ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), takeFor)
				defer cancel()
				p.take(ctx, task, i, file{name: named(r.URL.Query().Get("file")), data: value})
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
	}
	http.Error(w, "It is not wanted any more: this step is done.", http.StatusConflict)
}

const takeFor = 2 * time.Minute //bound:wait what a person has handed over, until it is checked

const maxName = 120 //bound:text the name of a file that a person hands over

// named is a file's name as the page shows it.
func named(name string) string {
	if len(name) > maxName {
		return "the file"
	}
	return strings.ToValidUTF8(name, "")
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the browser has gone away
}
