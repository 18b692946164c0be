package graphserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

const graphID = "00000003-0000-0000-c000-000000000000"

// program is an application with its service principal, made by Graph.
type program struct{ id, appID, principal string }

func newProgram(e pairtest.Ends, redirect string) program {
	e.T.Helper()
	var app, principal map[string]any
	e.Change(http.MethodPost, "/applications", map[string]any{
		"displayName": "Wiki", "web": map[string]any{"redirectUris": []string{redirect}},
	}, &app)
	e.Change(http.MethodPost, "/servicePrincipals", map[string]any{"appId": app["appId"]}, &principal)
	return program{app["id"].(string), app["appId"].(string), principal["id"].(string)}
}

// tokenError is the number that Entra's token endpoint says, or "" for a token.
func tokenError(e pairtest.Ends, id, secret string) string {
	config := clientcredentials.Config{
		ClientID: id, ClientSecret: secret, TokenURL: e.Tenant.TokenURL,
		Scopes: []string{"https://graph.microsoft.com/.default"}, AuthStyle: oauth2.AuthStyleInParams,
	}
	_, err := config.Token(context.Background())
	var refused *oauth2.RetrieveError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &refused):
		number, _, _ := strings.Cut(refused.ErrorDescription, ":")
		return refused.ErrorCode + " " + number
	}
	return err.Error()
}

// TestPasswordsOfApplications are made and removed as Graph documents, said once, and good at the
// token endpoint for as long as they say.
func TestPasswordsOfApplications(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	p := newProgram(e, "https://wiki.example/callback")
	const unknown, wrong = "unauthorized_client AADSTS700016", "invalid_client AADSTS7000215"
	if have := tokenError(e, p.appID, "x"); have != unknown {
		t.Errorf("an application without a password: %q", have)
	}
	type password struct {
		KeyID         string    `json:"keyId"`
		SecretText    *string   `json:"secretText"`
		Hint          string    `json:"hint"`
		DisplayName   *string   `json:"displayName"`
		StartDateTime time.Time `json:"startDateTime"`
		EndDateTime   time.Time `json:"endDateTime"`
		Custom        any       `json:"customKeyIdentifier"`
	}
	add := func(path string, body any) (made password) {
		t.Helper()
		status, _, text := e.Ask(http.MethodPost, path+"/addPassword", body)
		if err := json.Unmarshal([]byte(text), &made); status != http.StatusOK || err != nil ||
			!strings.Contains(text, "$metadata#microsoft.graph.passwordCredential") {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		return made
	}
	app, byAppID := "/applications/"+p.id, "/applications(appId='"+p.appID+"')"
	named := add(app, map[string]any{"passwordCredential": map[string]any{"displayName": "CI"}})
	if s := named.SecretText; s == nil || len(*s) < 16 || len(*s) > 64 || named.Hint != (*s)[:3] ||
		*named.DisplayName != "CI" || !named.StartDateTime.AddDate(2, 0, 0).Equal(named.EndDateTime) {
		t.Errorf("the password is %+v", named)
	}
	plain := add(byAppID, map[string]any{})
	ofPrincipal := add("/servicePrincipals/"+p.principal, map[string]any{"passwordCredential": map[string]any{
		"endDateTime": time.Now().Add(time.Hour).Format(time.RFC3339),
	}})
	for _, made := range []password{named, plain, ofPrincipal} {
		if have := tokenError(e, p.appID, *made.SecretText); have != "" {
			t.Errorf("%s: %s", made.KeyID, have)
		}
	}
	if have := tokenError(e, p.appID, "x"); have != wrong {
		t.Errorf("a wrong secret: %q", have)
	}
	for path, want := range map[string][]password{
		app: {named, plain}, "/servicePrincipals/" + p.principal: {ofPrincipal},
	} {
		_, _, text := e.Ask(http.MethodGet, path, nil)
		var seen struct {
			All []password `json:"passwordCredentials"`
		}
		if err := json.Unmarshal([]byte(text), &seen); err != nil || len(seen.All) != len(want) ||
			seen.All[0].KeyID != want[0].KeyID || seen.All[0].SecretText != nil ||
			strings.Contains(text, *named.SecretText) {
			t.Errorf("%s has %s", path, text)
		}
	}
	e.Forward(2 * time.Hour)
	if have := tokenError(e, p.appID, *ofPrincipal.SecretText); have != "invalid_client AADSTS7000222" {
		t.Errorf("after its end: %q", have)
	}
	e.Change(http.MethodPost, app+"/removePassword", map[string]any{"keyId": strings.ToUpper(named.KeyID)}, nil)
	if have := tokenError(e, p.appID, *named.SecretText); have != wrong {
		t.Errorf("after it was removed: %q", have)
	}
	// A token says whose it is, and opens nothing: nobody has granted the application anything.
	config := clientcredentials.Config{
		ClientID: p.appID, ClientSecret: *plain.SecretText, TokenURL: e.Tenant.TokenURL,
		Scopes: []string{"https://graph.microsoft.com/.default"}, AuthStyle: oauth2.AuthStyleInParams,
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.Tenant.GraphURL+"/users", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := config.Client(t.Context()).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if _ = answer.Body.Close(); answer.StatusCode != http.StatusForbidden {
		t.Errorf("the directory is read by an application that was granted nothing: %s", answer.Status)
	}
	e.Change(http.MethodPatch, "/servicePrincipals/"+p.principal, map[string]any{"accountEnabled": false}, nil)
	if have := tokenError(e, p.appID, *plain.SecretText); have != "unauthorized_client AADSTS7000112" {
		t.Errorf("while it is disabled: %q", have)
	}
	mei := e.User("mei.tanaka@northwind.example").ID
	keyID := func(p password) any { return map[string]any{"keyId": p.KeyID} }
	ends := func(at string) any { return map[string]any{"passwordCredential": map[string]any{"endDateTime": at}} }
	for name, x := range map[string]struct {
		path string
		body any
		want int
	}{
		"a secret of one's own": {app + "/addPassword", map[string]any{"passwordCredential": map[string]any{
			"secretText": "mine"}}, http.StatusBadRequest},
		"an end before its start": {app + "/addPassword", ends("2001-01-01T00:00:00Z"), http.StatusBadRequest},
		"an end that is no date":  {app + "/addPassword", ends("soon"), http.StatusBadRequest},
		"a long name": {app + "/addPassword", map[string]any{"passwordCredential": map[string]any{
			"displayName": strings.Repeat("x", 257)}}, http.StatusBadRequest},
		"an unknown member":      {app + "/addPassword", map[string]any{"password": "x"}, http.StatusBadRequest},
		"nobody's application":   {"/applications/" + mei + "/addPassword", map[string]any{}, http.StatusNotFound},
		"a password that is not": {app + "/removePassword", keyID(named), http.StatusBadRequest},
		"one of the other":       {app + "/removePassword", keyID(ofPrincipal), http.StatusBadRequest},
		"no keyId":               {app + "/removePassword", map[string]any{}, http.StatusBadRequest},
	} {
		if status, _, text := e.Ask(http.MethodPost, x.path, x.body); status != x.want {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	for range 49 {
		add(app, map[string]any{})
	}
	status, _, text := e.Ask(http.MethodPost, app+"/addPassword", map[string]any{})
	if status != http.StatusBadRequest {
		t.Errorf("the 51st: %d %s", status, text)
	}
}

// TestPermissionGrants are made, listed, changed and deleted as Graph documents. Who has one is not
// asked at the sign-in, and when it is deleted what the program renews ends.
func TestPermissionGrants(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	ada, redirect := e.People[0], "https://wiki.example/callback"
	p := newProgram(e, redirect)
	var password map[string]any
	e.Change(http.MethodPost, "/applications/"+p.id+"/addPassword", map[string]any{}, &password)
	config := oauth2.Config{
		ClientID: p.appID, ClientSecret: password["secretText"].(string), RedirectURL: redirect,
		Scopes: []string{"openid", "offline_access", "User.Read"},
		Endpoint: oauth2.Endpoint{
			AuthURL: strings.TrimSuffix(e.Tenant.TokenURL, "token") + "authorize", TokenURL: e.Tenant.TokenURL,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	v := webtest.New(t, nil)
	path := strings.TrimPrefix(config.AuthCodeURL("s"), e.Tenant.URL)
	v.Do(http.MethodPost, e.Tenant.URL+"/login", url.Values{
		"loginfmt": {ada.UserName}, "passwd": {ada.Password}, "return": {path},
	})
	redeem := func(answer webtest.Page) *oauth2.Token {
		t.Helper()
		at, err := url.Parse(answer.Header.Get("Location"))
		if err != nil || at.Query().Get("code") == "" {
			t.Fatalf("no code: %d, to %s, %v", answer.Status, at, err)
		}
		token, err := config.Exchange(t.Context(), at.Query().Get("code"))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	asked := func() bool {
		t.Helper()
		answer := v.Stays().Do(http.MethodGet, e.Tenant.URL+path, nil)
		return answer.Status == http.StatusOK && strings.Contains(answer.Text, "Wiki")
	}
	ofPrincipal := "/servicePrincipals/" + p.principal + "/oauth2PermissionGrants"
	grants := func() (list []map[string]any) {
		t.Helper()
		var page struct{ Value []map[string]any }
		_, _, text := e.Ask(http.MethodGet, ofPrincipal, nil)
		if err := json.Unmarshal([]byte(text), &page); err != nil {
			t.Fatal(err, text)
		}
		return page.Value
	}
	renewed := func(token *oauth2.Token) error {
		_, err := config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
		return err
	}
	if !asked() {
		t.Error("nobody has allowed the program, and the person is not asked")
	}
	token := redeem(v.Stays().Do(http.MethodPost, e.Tenant.URL+path, url.Values{"answer": {"allow"}}))
	own := grants()
	if len(own) != 1 || own[0]["consentType"] != "Principal" || own[0]["clientId"] != p.principal ||
		own[0]["resourceId"] != graphID || own[0]["scope"] != "openid offline_access User.Read" {
		t.Fatalf("what a person has allowed: %v", own)
	}
	if err := renewed(token); err != nil {
		t.Error(err)
	}
	e.Change(http.MethodDelete, "/oauth2PermissionGrants/"+own[0]["id"].(string), nil, nil)
	if err := renewed(token); err == nil || len(grants()) != 0 {
		t.Errorf("after the consent was revoked: %v, %v", err, grants())
	}

	body := map[string]any{
		"clientId": p.principal, "consentType": "AllPrincipals", "principalId": nil, "resourceId": graphID,
		"scope": "User.Read",
	}
	var made map[string]any
	e.Change(http.MethodPost, "/oauth2PermissionGrants", body, &made)
	if have := grants(); len(have) != 1 || have[0]["id"] != made["id"] || have[0]["principalId"] != nil {
		t.Errorf("what an administrator has given: %v", have)
	}
	token = redeem(v.Stays().Do(http.MethodGet, e.Tenant.URL+path, nil))
	one := "/oauth2PermissionGrants/" + made["id"].(string)
	e.Change(http.MethodPatch, one, map[string]any{"scope": "Group.Read.All"}, nil)
	if !asked() {
		t.Error("the person is not asked for what nobody has given")
	}
	for name, x := range map[string]struct {
		change map[string]any
		want   int
	}{
		"twice":                  {nil, http.StatusConflict},
		"no scope":               {map[string]any{"scope": " "}, http.StatusBadRequest},
		"an unknown scope":       {map[string]any{"scope": "Mail.Read"}, http.StatusBadRequest},
		"another resource":       {map[string]any{"resourceId": p.principal}, http.StatusNotFound},
		"a client that is not":   {map[string]any{"clientId": p.id}, http.StatusNotFound},
		"everybody and somebody": {map[string]any{"principalId": p.id}, http.StatusBadRequest},
		"a person who is not": {map[string]any{"consentType": "Principal", "principalId": p.id},
			http.StatusNotFound},
	} {
		in := map[string]any{}
		for k, v := range body {
			in[k] = v
		}
		for k, v := range x.change {
			in[k] = v
		}
		if status, _, text := e.Ask(http.MethodPost, "/oauth2PermissionGrants", in); status != x.want {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	e.Change(http.MethodDelete, one, nil, nil)
	if status, _, _ := e.Ask(http.MethodGet, one, nil); status != http.StatusNotFound || renewed(token) == nil {
		t.Errorf("after it was deleted: %d, %v", status, renewed(token))
	}
}

// TestNobodyWithARoleIsSignedInUnasked: a grant for everybody lends a program nobody's rights but
// those of people who have none.
func TestNobodyWithARoleIsSignedInUnasked(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	ada, redirect := e.People[0], "https://wiki.example/callback"
	p := newProgram(e, redirect)
	e.Change(http.MethodPost, "/applications/"+p.id+"/addPassword", map[string]any{}, nil)
	e.Change(http.MethodPost, "/oauth2PermissionGrants", map[string]any{
		"clientId": p.principal, "consentType": "AllPrincipals", "resourceId": graphID,
		"scope": "Directory.ReadWrite.All",
	}, nil)
	e.Change(http.MethodPost, "/roleManagement/directory/roleAssignments", map[string]any{
		"principalId": e.User(ada.UserName).ID, "roleDefinitionId": "62e90394-69f5-4237-9190-012177145e10",
		"directoryScopeId": "/",
	}, nil)
	config := oauth2.Config{
		ClientID: p.appID, RedirectURL: redirect, Scopes: []string{"Directory.ReadWrite.All"},
		Endpoint: oauth2.Endpoint{AuthURL: strings.TrimSuffix(e.Tenant.TokenURL, "token") + "authorize"},
	}
	v := webtest.New(t, nil)
	path := strings.TrimPrefix(config.AuthCodeURL("s"), e.Tenant.URL)
	v.Do(http.MethodPost, e.Tenant.URL+"/login", url.Values{
		"loginfmt": {ada.UserName}, "passwd": {ada.Password}, "return": {path},
	})
	if answer := v.Stays().Do(http.MethodGet, e.Tenant.URL+path, nil); answer.Header.Get("Location") != "" {
		t.Errorf("sent on to %s", answer.Header.Get("Location"))
	}
}
