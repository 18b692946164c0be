package console_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/console"
	"github.com/gatehouse-id/gatehouse/web"
)

// TestEveryPageWarnsOfATokenThatExpires moves the clock to 90 days before the end, and past it.
func TestEveryPageWarnsOfATokenThatExpires(t *testing.T) {
	c := centertest.New(t, "http://127.0.0.1")
	made := time.Now().Truncate(time.Second)
	now := made
	c.Now = func() time.Time { return now }
	mux := http.NewServeMux()
	server := httptest.NewServer(web.Middleware(mux, web.Options{Log: slog.New(slog.DiscardHandler)}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	(&console.Handler{Center: c, Log: slog.New(slog.DiscardHandler), SPMetadata: func(context.Context) ([]byte, error) {
		return nil, nil
	}}).Mount(mux)
	ctx := context.Background()
	idp, err := c.CreateIdPConfiguration(
		ctx, centertest.Actor,
		center.IdPConfiguration{EntityID: "https://idp", SignInURL: "https://idp/sso", Certificates: [][]byte{{1}}},
	)
	if err == nil {
		err = c.EnableIdPConfiguration(ctx, centertest.Actor, idp.ID, center.Accepted)
	}
	if err == nil {
		_, err = c.CreateProvisioningTenant(ctx, centertest.Actor)
	}
	if err == nil {
		_, err = c.CreateBearerToken(ctx, centertest.Actor, "")
	}
	if err == nil {
		err = c.SetAdministrator(ctx, audit.SystemActor, "admin", "Correct horse battery 1!")
	}
	if err != nil {
		t.Fatal(err)
	}
	page := func(path string) string {
		t.Helper()
		signedIn, err := c.SignInAdministrator(
			ctx, audit.Actor{Kind: audit.Anonymous}, "admin", "Correct horse battery 1!", "", center.Browser{},
		)
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.AddCookie(&http.Cookie{Name: "gatehouse_console", Value: signedIn.Session.Reveal()})
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %v", path, res.StatusCode, err)
		}
		return string(body)
	}
	for _, c := range []struct {
		days int
		want string
	}{{0, ""}, {274, ""}, {275, "expires in 90 days"}, {360, "expires in 5 days"}, {366, "has expired"}} {
		now = made.Add(time.Duration(c.days) * 24 * time.Hour)
		for _, path := range []string{"/console/", "/console/users", "/console/settings"} {
			text := page(path)
			if c.want != "" && !strings.Contains(text, c.want) || c.want == "" && strings.Contains(text, "Rotate it") {
				t.Errorf("%s after %d days: want %q", path, c.days, c.want)
			}
		}
	}
}
