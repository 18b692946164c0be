package graphserver_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/graphserver"
	"github.com/gatehouse-id/gatehouse/tenant/oauth"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
	"github.com/gatehouse-id/gatehouse/web"
)

const (
	oldPassword = "Correct horse 7!"
	newPassword = "Another horse 8!"
)

// api is a tenant's Graph, with a client that has all permissions, ada, and grace, whose name is
// taken.
type api struct {
	*tenant.Tenant
	t          *testing.T
	url, token string
	ada, grace tenant.User
	patience   time.Duration // how long a request may take; zero: as usual
}

func newAPI(t *testing.T) *api {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	a := &api{Tenant: tenanttest.On(t, s), t: t}
	mux := http.NewServeMux()
	inner := web.Middleware(mux, web.Options{Log: slog.New(slog.DiscardHandler)})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.patience > 0 {
			ctx, cancel := context.WithTimeout(r.Context(), a.patience)
			defer cancel()
			r = r.WithContext(ctx)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		_ = s.Close()
	})
	a.URL, a.url = server.URL, server.URL
	tokens := &oauth.Handler{Tenant: a.Tenant, Log: a.Log}
	tokens.Mount(mux)
	(&graphserver.Handler{Tenant: a.Tenant, Log: a.Log, Authenticate: tokens.Authenticate}).Mount(mux)
	var e1, e2 error
	a.ada, e1 = a.CreateUser(
		ctx,
		tenanttest.Actor,
		tenant.User{UserPrincipalName: "ada@northwind.example", DisplayName: "Ada", Enabled: true},
		oldPassword,
	)
	a.grace, e2 = a.CreateUser(
		ctx,
		tenanttest.Actor,
		tenant.User{UserPrincipalName: "grace@northwind.example", DisplayName: "Grace", Enabled: true},
		"",
	)
	c, e3 := a.CreateClient(ctx, tenanttest.Actor, "test")
	for _, err := range []error{e1, e2, e3} {
		if err != nil {
			t.Fatal(err)
		}
	}
	answer, err := http.PostForm(a.TokenURL(),
		url.Values{"grant_type": {"client_credentials"}, "client_id": {string(c.ID)},
			"client_secret": {c.Secret.Reveal()}, "scope": {"https://graph.microsoft.com/.default"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var token struct {
		Text string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&token); err != nil || token.Text == "" {
		t.Fatalf("no token: %v", err)
	}
	a.token = token.Text
	return a
}

// call sends a request and returns the status and the header Retry-After.
func (a *api) call(method, path, body string) (int, string) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, a.url+"/v1.0"+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+a.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("Retry-After")
}

func (a *api) accepts(password string) bool {
	a.t.Helper()
	e, err := a.SignInUser(
		context.Background(),
		audit.Actor{Kind: audit.Anonymous},
		a.ada.UserPrincipalName,
		password,
		"",
		false,
	)
	return err == nil && e.Session != ""
}

// TestAPatchOfAUserIsDoneWhollyOrNotAtAll: a request that is refused for one of its properties
// changes none, not even the password, and the user is not signed out.
func TestAPatchOfAUserIsDoneWhollyOrNotAtAll(t *testing.T) {
	a := newAPI(t)
	e, err := a.SignInUser(
		context.Background(),
		audit.Actor{Kind: audit.Anonymous},
		a.ada.UserPrincipalName,
		oldPassword,
		"",
		false,
	)
	if err != nil {
		t.Fatal(err)
	}
	for what, body := range map[string]string{
		"a taken name": `{"userPrincipalName":"grace@northwind.example","passwordProfile":{"password":"` +
			newPassword + `"}}`,
		"a password too short": `{"jobTitle":"Boss","passwordProfile":{"password":"short"}}`,
		"a password too long": `{"jobTitle":"Boss","passwordProfile":{"password":"` + strings.Repeat(
			"Aa1!", 65,
		) + `"}}`,
		"no password": `{"jobTitle":"Boss","passwordProfile":{}}`,
		"an invalid name": `{"userPrincipalName":"nonsense","passwordProfile":{"password":"` + newPassword +
			`"}}`,
		"an invalid text": `{"displayName":"` + strings.Repeat(
			"x", 300,
		) + `","passwordProfile":{"password":"` + newPassword + `"}}`,
		"a property of no user": `{"nonsense":"x","passwordProfile":{"password":"` + newPassword + `"}}`,
	} {
		if status, _ := a.call(http.MethodPatch, "/users/"+string(a.ada.ID), body); status != http.StatusBadRequest {
			t.Errorf("%s: %d", what, status)
		}
		if u, err := a.User(context.Background(), a.ada.ID); err != nil || u.JobTitle != "" ||
			!a.accepts(oldPassword) ||
			a.accepts(newPassword) {
			t.Errorf("%s: something was changed all the same: %+v, %v", what, u, err)
		}
	}
	if _, err := a.SessionUser(context.Background(), e.Session.Reveal()); err != nil {
		t.Errorf("the session has ended: %v", err)
	}
	both := `{"jobTitle":"Boss","passwordProfile":{"password":"` + newPassword + `"}}`
	if status, _ := a.call(http.MethodPatch, "/users/"+string(a.ada.ID), both); status != http.StatusNoContent {
		t.Fatalf("both: %d", status)
	}
	if u, err := a.User(context.Background(), a.ada.ID); err != nil || u.JobTitle != "Boss" || a.accepts(oldPassword) ||
		!a.accepts(newPassword) {
		t.Errorf("both: %+v, %v", u, err)
	}
	if _, err := a.SessionUser(
		context.Background(), e.Session.Reveal(),
	); refusal.CodeOf(err) != tenant.SessionInvalid {
		t.Errorf("the session of the old password: %v", err)
	}
}

// TestAGroupIsMadeWithItsMembersOrNotAtAll: also when it is changed together with them.
func TestAGroupIsMadeWithItsMembersOrNotAtAll(t *testing.T) {
	a := newAPI(t)
	group := func(name, member string) string {
		return `{"displayName":"` + name + `","mailNickname":"` + name +
			`","mailEnabled":false,"securityEnabled":true,` +
			`"members@odata.bind":["https://graph.microsoft.com/v1.0/users/` + string(a.ada.ID) +
			`","https://graph.microsoft.com/v1.0/users/` + member + `"]}`
	}
	if status, _ := a.call(http.MethodPost, "/groups", group("broken", "nobody")); status != http.StatusNotFound {
		t.Errorf("with a member that does not exist: %d", status)
	}
	if status, _ := a.call(
		http.MethodPost, "/groups", group("whole", string(a.grace.ID)),
	); status != http.StatusCreated {
		t.Errorf("with members: %d", status)
	}
	all, err := a.Groups(context.Background(), tenant.Query{})
	if err != nil || len(all) != 1 || all[0].DisplayName != "whole" {
		t.Fatalf("%+v, %v", all, err)
	}
	if members, err := a.Members(context.Background(), all[0].ID); err != nil || len(members) != 2 {
		t.Errorf("%+v, %v", members, err)
	}
	again := `{"displayName":"renamed","members@odata.bind":["https://graph.microsoft.com/v1.0/users/` +
		string(a.ada.ID) +
		`"]}`
	if status, _ := a.call(http.MethodPatch, "/groups/"+string(all[0].ID), again); status != http.StatusBadRequest {
		t.Errorf("with a member that is one already: %d", status)
	}
	if g, err := a.Group(context.Background(), all[0].ID); err != nil || g.DisplayName != "whole" {
		t.Errorf("the name was changed all the same: %+v, %v", g, err)
	}
}

// TestGraphAsksToTryAgainWhenTooManyHash: a program whose password could not be hashed is told so,
// and when to come again.
func TestGraphAsksToTryAgainWhenTooManyHash(t *testing.T) {
	a := newAPI(t)
	a.Places, a.patience = authn.NewPlaces(0), 200*time.Millisecond // nobody is ever served
	body := `{"passwordProfile":{"password":"` + newPassword + `"}}`
	if status, after := a.call(
		http.MethodPatch, "/users/"+string(a.ada.ID), body,
	); status != http.StatusServiceUnavailable ||
		after == "" {
		t.Errorf("%d, Retry-After %q", status, after)
	}
}
