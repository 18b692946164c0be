package signin_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/console"
	"github.com/gatehouse-id/gatehouse/center/signin"
	"github.com/gatehouse-id/gatehouse/web"
)

// visitor signs in from an address, which a header says to the server below.
type visitor struct {
	t       *testing.T
	url     string
	address string
	cookies []*http.Cookie // of browsers that are known
}

func (v *visitor) signIn(path, name, password string) *http.Response {
	form := url.Values{"username": {name}, "password": {password}}
	r, err := http.NewRequestWithContext(
		context.Background(),
		http.MethodPost,
		v.url+path,
		strings.NewReader(form.Encode()),
	)
	if err != nil {
		v.t.Error(err)
		return &http.Response{}
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Test-Address", v.address)
	for _, c := range v.cookies {
		r.AddCookie(c)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		v.t.Error(err)
		return &http.Response{}
	}
	_ = answer.Body.Close()
	for _, c := range answer.Cookies() {
		if strings.Contains(c.Name, "known") {
			v.cookies = append(v.cookies, c)
		}
	}
	return answer
}

// TestAFloodOfStrangersKeepsNobodyOut: eighty connections of one address send wrong passwords for
// invented names, and whoever comes from elsewhere, in a known browser, or as an administrator,
// signs in meanwhile, each time.
func TestAFloodOfStrangersKeepsNobodyOut(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what takes long")
	}
	defer authn.HashAsShipped()()
	c, ctx := centertest.New(t, "http://127.0.0.1"), context.Background()
	settings, err := c.SignInSettings(ctx)
	settings.MFA = center.MFANever
	if err == nil {
		err = c.UpdateSignInSettings(ctx, centertest.Actor, settings)
	}
	for _, name := range []string{"ada", "grace", "mei"} {
		u, failed := c.CreateUser(ctx, centertest.Actor, centertest.Person(name))
		if err == nil {
			err = failed
		}
		if err == nil {
			err = c.SetPassword(ctx, centertest.Actor, u.ID, "Correct horse 7!")
		}
	}
	if err == nil {
		err = c.SetAdministrator(ctx, audit.SystemActor, "admin", "Correct horse 7!")
	}
	if err != nil {
		t.Fatal(err)
	}
	mux, quiet := http.NewServeMux(), slog.New(slog.DiscardHandler)
	(&signin.Handler{Center: c, Log: quiet}).Mount(mux)
	(&console.Handler{Center: c, Log: quiet}).Mount(mux)
	inner := web.Middleware(mux, web.Options{Log: quiet})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = r.Header.Get("Test-Address") + ":1"
		inner.ServeHTTP(w, r)
	}))
	defer server.Close()
	come := func(address string) *visitor { return &visitor{t: t, url: server.URL, address: address} }
	known := come("198.51.100.66")
	known.signIn("/platform/login", "grace", "Correct horse 7!")

	var invented, busy atomic.Int32
	var flood sync.WaitGroup
	stop := make(chan struct{})
	for range 80 {
		flood.Go(func() {
			bot := come("198.51.100.66")
			for {
				select {
				case <-stop:
					return
				default:
				}
				path := [2]string{"/platform/login", "/console/login"}[invented.Load()%2]
				answer := bot.signIn(path, fmt.Sprint("nobody", invented.Add(1)), "a guess")
				if answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "" {
					busy.Add(1)
				} else if answer.StatusCode != http.StatusUnauthorized {
					t.Errorf("a stranger is answered %d", answer.StatusCode)
				}
			}
		})
	}
	elsewhere, admin := come("203.0.113.7"), come("198.51.100.66")
	for range 8 {
		for what, answer := range map[string]*http.Response{
			"a person elsewhere":          elsewhere.signIn("/platform/login", "ada", "Correct horse 7!"),
			"a person in a known browser": known.signIn("/platform/login", "grace", "Correct horse 7!"),
			"an administrator in an unknown browser": come("198.51.100.66").signIn(
				"/console/login", "admin", "Correct horse 7!",
			),
			"an administrator in a known browser": admin.signIn("/console/login", "admin", "Correct horse 7!"),
		} {
			if answer.StatusCode != http.StatusSeeOther {
				t.Errorf("%s is answered %d", what, answer.StatusCode)
			}
		}
	}
	close(stop)
	flood.Wait()
	if busy.Load() == 0 {
		t.Error("the flood was none: nobody was turned away")
	}
	t.Logf("%d wrong ones meanwhile, of which %d were turned away", invented.Load(), busy.Load())
}
