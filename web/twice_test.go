package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// TestAFormThatIsSentTwiceIsDoneOnce: a second click comes while the first is worked on. Both lead
// to the same page, and it says what was done. Another form, or one of another session, is another
// one; so is what was refused, and what comes after the answer.
func TestAFormThatIsSentTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body, session string // of the second
		refused       bool
		done          int
	}{
		"the same":               {"name=Engineering", "s1", false, 1},
		"another form":           {"name=Finance", "s1", false, 2},
		"one of another session": {"name=Engineering", "s2", false, 2},
		"one that was refused":   {"name=Engineering", "s1", true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			desk := &Desk{
				URL: "http://127.0.0.1", Prefix: "/console", Cookie: "session",
				Session: func(_ context.Context, secret string) (string, error) { return "admin of " + secret, nil },
			}
			desk.MountSignIn(http.NewServeMux())
			var mu sync.Mutex
			done := 0
			begun, end := make(chan struct{}), make(chan struct{})
			once := sync.OnceFunc(func() { close(begun) })
			handler := desk.Handle(func(v Visit) error {
				mu.Lock()
				done++
				mu.Unlock()
				once()
				<-end
				if test.refused {
					v.WriteHeader(http.StatusConflict)
					return nil
				}
				return v.Done("/console/groups/1", "The group is created.")
			})
			send := func(ctx context.Context, body, session string) *httptest.ResponseRecorder {
				r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/console/groups", strings.NewReader(body))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.AddCookie(&http.Cookie{Name: "session", Value: session})
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				return w
			}
			answers := make(chan *httptest.ResponseRecorder, 3)
			go func() { answers <- send(t.Context(), "name=Engineering", "s1") }()
			<-begun
			gone, leave := context.WithCancel(t.Context())
			leave()
			if test.done == 1 { // whose browser has gone away waits for nothing
				send(gone, test.body, test.session)
			}
			waits := waiting{t.Context(), make(chan struct{}, 10)}
			go func() { answers <- send(waits, test.body, test.session) }()
			if test.done == 1 || test.refused {
				<-waits.asked
			}
			close(end)
			all := []*httptest.ResponseRecorder{<-answers, <-answers}
			all = append(all, send(t.Context(), "name=Engineering", "s1"))
			want := test.done + 1 // the last came after the answer
			for _, w := range all {
				if test.refused != (w.Code == http.StatusConflict) || !test.refused &&
					(w.Header().Get("Location") != "/console/groups/1" || len(w.Result().Cookies()) != 1) {
					t.Errorf("%d %v", w.Code, w.Header())
				}
			}
			if done != want {
				t.Errorf("it is done %d times, want %d", done, want)
			}
		})
	}
}

// waiting is a context that says when somebody waits for its end.
type waiting struct {
	context.Context //nolint:containedctx // it is one

	asked chan struct{}
}

func (w waiting) Done() <-chan struct{} {
	select {
	case w.asked <- struct{}{}:
	default:
	}
	return w.Context.Done()
}

// TestTooManyFormsAreNotRemembered, and done.
func TestTooManyFormsAreNotRemembered(t *testing.T) {
	t.Parallel()
	var p Presses
	for i := range maxPresses {
		if one, first := p.begin(strings.Repeat("x", i)); one == nil || !first {
			t.Fatal(i, one, first)
		}
	}
	if one, first := p.begin("another"); one != nil || !first {
		t.Error("it is remembered", one, first)
	}
}
