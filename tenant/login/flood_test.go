package login_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/admincenter"
	"github.com/gatehouse-id/gatehouse/tenant/login"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
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
	form := url.Values{"username": {name}, "password": {password}, "loginfmt": {name}, "passwd": {password}}
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

const password = "Correct horse 7!"

// tenantOn returns a tenant with two people and an administrator, and its doors at the address that
// it returns.
func tenantOn(t *testing.T) (*tenant.Tenant, string) {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	tn := tenanttest.On(t, s)
	for _, name := range []string{"ada", "grace"} {
		u := tenant.User{UserPrincipalName: name + "@northwind.example", DisplayName: name, Enabled: true}
		u, failed := tn.CreateUser(ctx, tenanttest.Actor, u, "")
		if err == nil {
			err = failed
		}
		if err == nil {
			err = tn.SetPassword(ctx, tenanttest.Actor, u.ID, password)
		}
	}
	if err == nil {
		err = tn.SetAdministrator(ctx, audit.SystemActor, "admin", password)
	}
	if err != nil {
		t.Fatal(err)
	}
	mux, quiet := http.NewServeMux(), slog.New(slog.DiscardHandler)
	(&login.Handler{Tenant: tn, Log: quiet}).Mount(mux)
	(&admincenter.Handler{Tenant: tn, Log: quiet}).Mount(mux)
	inner := web.Middleware(mux, web.Options{Log: quiet})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RemoteAddr = r.Header.Get("Test-Address") + ":1"
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return tn, server.URL
}

// TestAFloodOfStrangersKeepsNobodyOut: eighty connections of one address send wrong passwords for
// invented names, and whoever comes from elsewhere, in a known browser, or as an administrator,
// signs in meanwhile, each time.
func TestAFloodOfStrangersKeepsNobodyOut(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what takes long")
	}
	defer authn.HashAsShipped()()
	_, site := tenantOn(t)
	come := func(address string) *visitor { return &visitor{t: t, url: site, address: address} }
	known := come("198.51.100.66")
	known.signIn("/login", "grace@northwind.example", password)

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
				path := [2]string{"/login", "/admin/login"}[invented.Load()%2]
				answer := bot.signIn(path, fmt.Sprint("nobody", invented.Add(1), "@northwind.example"), "a guess")
				if answer.StatusCode == http.StatusServiceUnavailable && answer.Header.Get("Retry-After") != "" {
					busy.Add(1)
				} else if answer.StatusCode != http.StatusUnauthorized {
					t.Errorf("a stranger is answered %d", answer.StatusCode)
				}
			}
		})
	}
	elsewhere, admin := come("203.0.113.7"), come("198.51.100.66")
	for range 4 {
		for what, answer := range map[string]*http.Response{
			"a person elsewhere":                     elsewhere.signIn("/login", "ada@northwind.example", password),
			"a person in a known browser":            known.signIn("/login", "grace@northwind.example", password),
			"an administrator in an unknown browser": come("198.51.100.66").signIn("/admin/login", "admin", password),
			"an administrator in a known browser":    admin.signIn("/login", "admin", password),
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

// TestAPersonHasSoManySessions signs somebody in again and again, as a script without cookies does.
func TestAPersonHasSoManySessions(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what takes long")
	}
	t.Parallel()
	tn, address := tenantOn(t)
	const name, most = "ada@northwind.example", 100
	v := &visitor{t: t, url: address, address: "192.0.2.7"}
	var last string
	for range most + 5 {
		answer := v.signIn("/login", name, password)
		if answer.StatusCode != http.StatusSeeOther {
			t.Fatalf("sign in: %s", answer.Status)
		}
		for _, c := range answer.Cookies() {
			if c.Name == "gatehouse_tenant" {
				last = c.Value
			}
		}
	}
	in, err := tn.SessionUser(context.Background(), last)
	if err != nil {
		t.Fatalf("the last session is gone: %v", err)
	}
	if err := tn.Store.View(context.Background(), func(r tenant.Reader) error {
		sessions, err := r.SessionsOf(tenant.AccountID(in.User.ID))
		if len(sessions) != most {
			t.Errorf("%d sessions are kept, want %d", len(sessions), most)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
