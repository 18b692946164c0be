package signin_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/signin"
)

// held is a store whose changes wait. Who reads does not ask whether the request has ended.
type held struct {
	center.Store

	begun, end chan struct{} // nil: changes do not wait
}

func (s *held) Update(ctx context.Context, fn func(center.Tx) error) error {
	if s.begun != nil {
		s.begun <- struct{}{}
		<-s.end
	}
	return s.Store.Update(ctx, fn)
}

func (s *held) View(ctx context.Context, fn func(center.Reader) error) error {
	return s.Store.View(context.WithoutCancel(ctx), fn)
}

func (s *held) Get(ctx context.Context, fn func(center.Reader) error) error {
	return s.Store.Get(context.WithoutCancel(ctx), fn)
}

// waits is a context that says when somebody waits for its end.
type waits struct {
	context.Context //nolint:containedctx // it is one

	asked chan struct{}
}

func (w waits) Done() <-chan struct{} {
	select {
	case w.asked <- struct{}{}:
	default:
	}
	return w.Context.Done()
}

// TestAPressThatIsMadeTwiceIsDoneOnce: the second click comes while the first is worked on, and
// both lead to the same page, of the same session.
func TestAPressThatIsMadeTwiceIsDoneOnce(t *testing.T) {
	t.Parallel()
	const next = "Wrong donkey 8?"
	for name, form := range map[string]url.Values{
		"/platform/login": credentials,
		signin.AccountPath + "/password": {
			"current": credentials["password"], "password": {next}, "again": {next},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mux, c := door(t, func(s *center.SignInSettings) { s.MFA = center.MFANever })
			s := &held{Store: c.Store}
			c.Store = s
			var cookies []*http.Cookie
			if form.Has("current") {
				cookies = post(mux, "/platform/login", credentials, same).Cookies()
			}
			s.begun, s.end = make(chan struct{}, 10), make(chan struct{})
			press := func(ctx context.Context) *http.Response {
				return post(mux, name, form, func(r *http.Request) {
					for _, c := range cookies {
						r.AddCookie(c)
					}
					*r = *r.WithContext(ctx)
				})
			}
			answers := make(chan *http.Response, 2)
			go func() { answers <- press(t.Context()) }()
			<-s.begun
			second := waits{t.Context(), make(chan struct{}, 1)}
			go func() { answers <- press(second) }()
			<-second.asked
			close(s.end)
			one, two := <-answers, <-answers
			if one.StatusCode != http.StatusSeeOther || two.StatusCode != http.StatusSeeOther ||
				one.Header.Get("Location") != two.Header.Get("Location") ||
				!slices.Equal(one.Header["Set-Cookie"], two.Header["Set-Cookie"]) || len(one.Cookies()) == 0 {
				t.Errorf("the answers are %d %v and %d %v", one.StatusCode, one.Header, two.StatusCode, two.Header)
			}
		})
	}
}
