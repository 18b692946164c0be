package graphserver

import (
	"context"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
)

var update = flag.Bool("update", false, "write golden files")

// reads are the actions that change nothing.
var reads = regexp.MustCompile(`/(getByIds|checkMember(Groups|Objects)|getMember(Groups|Objects))$`)

// TestWhatRoutesNeed prints the whole table, so that a change of it is seen in review.
func TestWhatRoutesNeed(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# What the routes of Graph need\n\n")
	b.WriteString(
		"Written by `go test ./tenant/graphserver -run TestWhatRoutesNeed -update` from " +
			"`tenant/graphserver/calls.go`.\n",
	)
	b.WriteString(
		"A program needs one of the permissions. People for whom it acts are administrators of the admin center " +
			"or Global Administrators, or have one of the directory roles, or are members.\n\n",
	)
	b.WriteString("| route | one of | people |\n|---|---|---|\n")
	for _, r := range new(Handler).routes() {
		who := "administrators"
		if r.needs.members || r.needs.anyCaller {
			who = "members"
		}
		for _, id := range r.needs.roles {
			role, err := tenant.FindRole(id)
			if err != nil {
				t.Error(err)
			}
			who += ", " + role.DisplayName
		}
		permissions := strings.Join(r.needs.permissions, ", ")
		if r.needs.anyCaller {
			permissions = "any token"
		}
		b.WriteString("| `" + r.pattern + "` | " + permissions + " | " + who + " |\n")
		method, path, _ := strings.Cut(r.pattern, " ")
		if method != http.MethodGet && who == "members" && path != "/$batch" && !reads.MatchString(path) {
			t.Errorf("members may %s", r.pattern)
		}
		if len(r.needs.permissions) == 0 && !r.needs.anyCaller {
			t.Errorf("%s needs what nobody has", r.pattern)
		}
		for _, p := range r.needs.permissions {
			if p != "User.Read" && !slices.Contains(tenant.Permissions, p) {
				t.Errorf("%s needs %s, which nobody can be given", r.pattern, p)
			}
		}
	}
	const file = "../../docs/rights-graph.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil { // #nosec G306 -- a page of the docs
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("%s is not what the routes say; -update writes it anew:\n%s", file, b.String())
	}
}

// TestARouteThatSaysNothingIsClosed is what is left where a needs was not made by this package's
// functions.
func TestARouteThatSaysNothingIsClosed(t *testing.T) {
	t.Parallel()
	administrator := tenant.Account{ID: "administrator/admin", Administrator: true}
	for _, c := range []tenant.Caller{
		{}, {ClientID: "x", Permissions: tenant.Permissions},
		{Account: administrator, Permissions: tenant.Permissions},
	} {
		if (needs{}).allow(c) || ofAdministrators().allow(c) || ofMembers().allow(c) {
			t.Errorf("%+v may take a route that says nothing", c)
		}
	}
}

// door is the door of a real tenant where the token says who calls.
func door(t *testing.T) http.Handler {
	t.Helper()
	s, err := store.Open(context.Background(), t.TempDir()+"/tenant.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	all := tenant.Permissions
	callers := map[string]tenant.Caller{
		"program": {ClientID: "p", Permissions: all},
		"reader":  {ClientID: "r", Permissions: []string{"User.Read.All"}},
		"member": {
			ClientID:    "c",
			Permissions: all,
			Account:     tenant.Account{ID: "u1", Name: "ada@northwind.example"},
		},
		"administrator": {
			ClientID:    "c",
			Permissions: all,
			Account:     tenant.Account{ID: "administrator/a", Administrator: true},
		},
	}
	sealer, err := authn.NewSealer(make([]byte, authn.MasterKeySize))
	if err != nil {
		t.Fatal(err)
	}
	tn, err := tenant.Open(context.Background(), tenant.Config{Store: s, Sealer: sealer, URL: "http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	h := &Handler{
		Tenant: tn,
		Authenticate: func(_ context.Context, token string) (tenant.Caller, error) {
			c, ok := callers[token]
			if !ok {
				return c, &refusal.Error{Code: tenant.TokenInvalid}
			}
			return c, nil
		},
	}
	h.Log, h.Progress = slog.New(slog.DiscardHandler), func(string) (int, int, bool) { return 0, 0, false }
	mux := http.NewServeMux()
	h.Mount(mux)
	return mux
}

func ask(h http.Handler, token, method, path, body string) (int, string) {
	req := httptest.NewRequest(method, root+path, strings.NewReader(body))
	req.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Code, w.Body.String()
}

var parameter = regexp.MustCompile(`\{[^}]*\}`)

// TestEveryRouteAsksWhoCalls takes every route as a stranger, as a program without the permission
// and as a member of the directory.
func TestEveryRouteAsksWhoCalls(t *testing.T) {
	t.Parallel()
	h := door(t)
	for _, r := range new(Handler).routes() {
		method, path, _ := strings.Cut(r.pattern, " ")
		path = parameter.ReplaceAllString(path, "x")
		if status, body := ask(h, "", method, path, "{}"); status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d %s", r.pattern, status, body)
		}
		for _, token := range []string{"reader", "member", "program", "administrator"} {
			allowed := r.needs.anyCaller || token == "program" || token == "administrator" ||
				(token == "member" && r.needs.members) || (token == "reader" &&
				slices.Contains(r.needs.permissions, "User.Read.All"))
			status, body := ask(h, token, method, path, "{")
			denied := status == http.StatusForbidden && strings.Contains(body, "Authorization_RequestDenied")
			if denied == allowed {
				t.Errorf("%s as %s: %d %s", r.pattern, token, status, body)
			}
		}
	}
}

// TestASchemeInAnyLetterCase: the scheme of a token is needed, and has no letter case (RFC 9110
// §11.1).
func TestASchemeInAnyLetterCase(t *testing.T) {
	t.Parallel()
	h := door(t)
	for authorization, allowed := range map[string]bool{
		"Bearer program": true, "bearer program": true, "BEARER  program": true,
		"program": false, "Basic program": false, "Bearerprogram": false,
	} {
		req := httptest.NewRequest(http.MethodGet, root+"/users", http.NoBody)
		req.Header.Set("Authorization", authorization)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, req)
		if (w.Code == http.StatusOK) != allowed || !allowed && w.Code != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", authorization, w.Code, w.Body)
		}
	}
}

// TestWhatIsNotThereIsSaidToThoseWithATokenOnly: a stranger does not learn which paths there are.
func TestWhatIsNotThereIsSaidToThoseWithATokenOnly(t *testing.T) {
	t.Parallel()
	h := door(t)
	for call, want := range map[[2]string]int{
		{"GET", "/nothing"}: http.StatusBadRequest, {"POST", "/organization"}: http.StatusMethodNotAllowed,
		{"DELETE", "/auditLogs/signIns"}: http.StatusMethodNotAllowed, {"GET", "/auditLogs"}: http.StatusBadRequest,
		{"PATCH", "/users"}: http.StatusMethodNotAllowed, {"GET", "/subscriptions"}: http.StatusNotImplemented,
	} {
		if status, _ := ask(h, "", call[0], call[1], ""); status != http.StatusUnauthorized {
			t.Errorf("%s without a token: %d", call, status)
		}
		if status, _ := ask(h, "member", call[0], call[1], ""); status != want {
			t.Errorf("%s: %d, want %d", call, status, want)
		}
	}
}

// TestThePartsOfABatchAreAuthorizedEach sends what a member may and may not in one request.
func TestThePartsOfABatchAreAuthorizedEach(t *testing.T) {
	t.Parallel()
	status, body := ask(door(t), "member", http.MethodPost, "/$batch", `{"requests":[
		{"id":"1","method":"GET","url":"/users"},
		{"id":"2","method":"GET","url":"/auditLogs/signIns"},
		{"id":"3","method":"POST","url":"/groups","body":{"displayName":"X"},
		"headers":{"Authorization":"Bearer administrator","Content-Type":"application/json"}},
		{"id":"4","method":"GET","url":"/servicePrincipals/x/synchronization/secrets"},
		{"id":"5","method":"GET","url":"/$batch"},
		{"id":"6","method":"POST","url":"/%24batch","body":{"requests":[{"id":"1","method":"GET","url":"/users"}]}}]}`)
	if status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	for _, want := range []string{
		`"id":"1","status":200`, `"id":"2","status":403`, `"id":"3","status":403`, `"id":"4","status":403`,
		`"id":"5","status":400`, `"id":"6","status":400`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in %s", want, body)
		}
	}
}
