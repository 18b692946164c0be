package web

import (
	"net/http"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/authn"
)

const maxPresses = 1000 //bound:queue forms that are worked on, and are not done again when they are sent twice

// Presses are forms that are worked on: one that is sent again meanwhile, by a second click of
// somebody who means it once, is done once, and both answers lead to the same page. What is
// answered with a page of its own, such as a refusal or a secret that is shown once, is asked
// again. They are those of one node. After the answer, the page itself drops a second click.
type Presses struct {
	mu sync.Mutex
	of map[string]*press
}

// press is one form that is sent.
type press struct {
	answered chan struct{} // closed then
	leads    http.Header   // where to; nil: to no other page
}

// begin says whether a form is the first of its kind, or which one was. It is nil where there are
// too many.
func (p *Presses) begin(form string) (one *press, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if one = p.of[form]; one != nil {
		return one, false
	}
	if len(p.of) >= maxPresses {
		return nil, true
	}
	if p.of == nil {
		p.of = map[string]*press{}
	}
	one = &press{answered: make(chan struct{})}
	p.of[form] = one
	return one, true
}

// answer is the answer to a form. It notes where it leads.
type answer struct {
	http.ResponseWriter

	leads http.Header
}

// WriteHeader implements http.ResponseWriter.
func (a *answer) WriteHeader(status int) {
	if status == http.StatusSeeOther {
		a.leads = http.Header{}
		for _, name := range []string{"Location", "Set-Cookie"} {
			a.leads[name] = a.Header()[name]
		}
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap is asked by http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Once hands a form to next, or gives the answer of the same one of a session that is sent already.
func (p *Presses) Once(w http.ResponseWriter, r *http.Request, session string, next func(http.ResponseWriter)) {
	plain := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	if r.Method != http.MethodPost || !plain || r.ParseForm() != nil {
		next(w)
		return
	}
	form := authn.Digest(session + "\n" + r.URL.RequestURI() + "\n" + r.PostForm.Encode())
	one, first := p.begin(form)
	if !first {
		select {
		case <-one.answered:
		case <-r.Context().Done():
			return
		}
		if one.leads == nil {
			next(w)
			return
		}
		for name, values := range one.leads {
			w.Header()[name] = values
		}
		w.WriteHeader(http.StatusSeeOther)
		return
	}
	if one == nil {
		next(w)
		return
	}
	a := &answer{ResponseWriter: w}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.of, form)
		one.leads = a.leads
		close(one.answered)
	}()
	next(a)
}
