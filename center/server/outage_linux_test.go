package server_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/adminserver"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/center/ssoadmin"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// everywhere is a center with all its doors, and somebody who is signed in at each of them. Its
// routes are those of the mux, of SCIM, and the operations of the AWS APIs.
type everywhere struct {
	webtest.Caller
	t      *testing.T
	center *center.Center
	routes []string
	ids    map[string]string // of what stands in paths, by what begins the path
	json   map[string]string // what the routes of sso-oidc are sent
	query  map[string]url.Values
	bearer string // of a program that somebody has allowed
}

const (
	scimRoute = " scim "
	awsRoute  = "POST aws "
)

func newEverywhere(t *testing.T, dsn string, choices ...sqldb.Option) *everywhere {
	t.Helper()
	ctx := t.Context()
	s, err := store.Open(ctx, dsn, choices...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	served := centertest.ServeOn(t, s)
	// What a node knows of the networks that are let in gets old within seconds, and then those who
	// need no database otherwise need it for that.
	began := time.Now()
	served.Now = func() time.Time { return began }
	e := &everywhere{t: t, center: served.Center}
	e.routes = slices.Concat(scimRoutes(), awsRoutes(e.center), routesOf(t, e.center))
	slices.SortStableFunc(e.routes, func(a, b string) int { return rank(a) - rank(b) })
	fill(t, served, e)
	return e
}

// routesOf are the patterns of a center's mux.
func routesOf(t *testing.T, c *center.Center) []string {
	t.Helper()
	mux := http.NewServeMux()
	server.Mount(mux, http.NewServeMux(), c, server.Config{})
	routes := webtest.Routes(t, mux)
	return slices.DeleteFunc(routes, func(r string) bool { return r == "POST /{$}" }) // the operations stand for it
}

// rank is when a route is called: reading first, then what changes, deletes, and ends sessions.
func rank(route string) int {
	for i, part := range []string{
		"logout", "password", "sessions", "administrators", "active", "delete", "POST /console", "POST /platform",
		"POST /",
	} {
		if strings.Contains(route, part) {
			return 10 - i
		}
	}
	return 0
}

func scimRoutes() []string {
	routes := []string{
		"GET Users", "GET Users?filter=userName eq \"ada\"", "GET Users/{user}", "POST Users", "PUT Users/{user}",
		"PATCH Users/{user}", "GET Groups", "GET Groups?filter=displayName eq \"g\"", "GET Groups/{group}",
		"POST Groups",
		"PUT Groups/{group}", "PATCH Groups/{group}", "POST Users/.search", "POST Groups/.search", "POST .search",
		"POST Bulk", "GET ServiceProviderConfig", "GET Schemas", "GET ResourceTypes", "DELETE Groups/{group}",
		"DELETE Users/{other}",
	}
	for i := range routes {
		routes[i] = strings.Replace(routes[i], " ", scimRoute, 1)
	}
	return routes
}

// awsRoutes are the operations of the APIs with signatures.
func awsRoutes(c *center.Center) (routes []string) {
	metadata := func(context.Context) ([]byte, error) { return nil, nil }
	for _, s := range []awsapi.Service{
		(&identitystore.Handler{Center: c}).Service(), (&ssoadmin.Handler{Center: c}).Service(),
		(&adminserver.Handler{Center: c, SPMetadata: metadata}).Service(),
	} {
		for _, o := range s.Operations {
			routes = append(routes, awsRoute+s.SigningName+" "+s.Target+"."+o.Name)
		}
	}
	return routes
}

// withoutAWS leaves out the operations with signatures, which are many and all answered in one
// place.
func (e *everywhere) withoutAWS() {
	e.routes = slices.DeleteFunc(e.routes, func(r string) bool { return strings.HasPrefix(r, awsRoute) })
}

// fill makes one of everything, and signs in.
func fill(t *testing.T, s *centertest.Server, e *everywhere) {
	t.Helper()
	ctx := t.Context()
	s.NoMFA()
	ada, other := s.NewPerson("ada@example.com"), s.NewPerson("other@example.com")
	set := s.Assigned(ada, "123456789012", "Reader")
	group, e1 := s.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: "g"})
	member, e2 := s.CreateMembership(ctx, centertest.Actor, group.ID, ada.ID)
	app, e3 := s.CreateApplication(
		ctx, centertest.Actor,
		center.Application{Name: "app", ProviderARN: center.ApplicationProviders[0].ARN, Enabled: true}, "",
	)
	key, e4 := s.CreateAccessKey(ctx, centertest.Actor, "test", center.RoleAdministrator)
	ended, e5 := s.RevokeUser(ctx, centertest.Actor, other.ID)
	if err := errors.Join(e1, e2, e3, e4, e5, s.SetAdministrator(ctx, audit.SystemActor, centertest.AdminName,
		centertest.Password)); err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := webtest.Visitor{T: t, Client: &http.Client{Jar: jar}}
	for door, name := range map[string]string{"/platform/login": ada.UserName, "/console/login": centertest.AdminName} {
		form := url.Values{"username": {name}, "password": {centertest.Password}}
		if status, page := v.Send(http.MethodPost, s.URL+door, form); status != http.StatusOK {
			t.Fatalf("%s: %d %s", door, status, page)
		}
	}
	endpoint, token := centertest.Provisioned(t, s.Center, center.ProfileStandard)
	tokens, err := s.BearerTokens(ctx)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	e.ids = map[string]string{
		"/console/users/": string(ada.ID), "/console/groups/": string(group.ID), "mid": string(member.ID),
		"/console/applications/": path.Base(app.ARN), "/console/permission-sets/": path.Base(set.ARN),
		"/console/access-keys/": key.ID, "/console/revocations/": ended.ID,
		"/console/settings/tokens/": tokens[0].ID, "do": "add",
		"directory": s.Instance.IdentityStoreID, "tenant": s.Instance.SAMLTenantID, "account": "123456789012",
		"role": "Reader", "user": string(ada.ID), "other": string(other.ID), "group": string(group.ID),
	}
	e.Caller = webtest.Caller{URL: s.URL, Cookies: jar.Cookies(at), Parameter: e.parameter, Form: url.Values{
		"username": {ada.UserName}, "password": {centertest.Password}, "again": {centertest.Password},
		"current": {centertest.Password}, "name": {"new"}, "display": {"New"}, "given": {"G"}, "family": {"F"},
		"email": {"new@example.com"}, "description": {"d"}, "principal": {"user:" + string(ada.ID)},
		"id":      {"210987654321"},
		"account": {"123456789012"}, "account_id": {"123456789012"}, "role_name": {"Reader"}, "set": {set.ARN},
		"hours": {"2"}, "policy": {"{}"}, "type": {"directory"}, "role": {"read-only"}, "members": {string(other.ID)},
		"user_code": {"ABCD-EFGH"}, "code": {"ABCD-EFGH"}, "decision": {"allow"}, "confirmation": {center.Confirmation},
	}}
	keys := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.SecretAccessKey.Reveal()}
	e.Change = func(route string, r *http.Request) {
		ofPerson := strings.HasPrefix(route, "POST "+adminapi.PersonPath)
		page := strings.HasSuffix(route, "/authorize")
		// the portal's API
		if e.query[route] != nil && !page || route == "POST /logout" || ofPerson {
			r.Header.Set("x-amz-sso_bearer_token", e.bearer)
		}
		switch {
		case strings.Contains(route, scimRoute):
			e.asSCIM(route, r, endpoint, token)
		case strings.HasPrefix(route, awsRoute):
			e.asAWS(route, r, keys)
		case isAccountAccess(route):
			e.sign(r, "account-access", "{}", keys)
		case strings.HasPrefix(route, "GET /access"):
			r.Header.Set("Authorization", "Bearer "+e.bearer)
			r.URL.RawQuery = url.Values{"tenantId": {"aa-none"}}.Encode()
		case e.json[route] != "":
			r.Header.Set("Content-Type", "application/json")
			setBody(r, e.json[route])
			if route == "POST /v1/token" {
				program := centertest.Program{Key: centertest.NewKey(t, false)}
				r.Header.Set("DPoP", program.Proof(t, s.URL+"/v1/token"))
			}
		case e.query[route] != nil:
			r.URL.RawQuery = e.query[route].Encode()
		}
	}
	signInProgram(t, e)
}

// signInProgram lets a program act for whom is signed in, as the AWS CLI does.
func signInProgram(t *testing.T, e *everywhere) {
	t.Helper()
	post := func(path, body string) map[string]any {
		t.Helper()
		e.json = map[string]string{"POST " + path: body}
		var out map[string]any
		if a := e.Call(t, "POST "+path); json.Unmarshal([]byte(a.Body), &out) != nil || a.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", path, a.Status, a.Body)
		}
		return out
	}
	const redirect = "http://127.0.0.1:1/"
	program := post("/client/register", `{"clientName":"cli","clientType":"public","redirectUris":["`+redirect+
		`"],"grantTypes":["authorization_code","refresh_token"],"scopes":["sso:account:access"]}`)
	who := fmt.Sprintf(`"clientId":%q,"clientSecret":%q`, program["clientId"], program["clientSecret"])
	ask := fmt.Sprintf(`{%s,"startUrl":%q}`, who, e.center.PortalURL())
	device := post("/device_authorization", ask)
	e.Form.Set("user_code", device["userCode"].(string))
	if a := e.Call(t, "POST /start/device"); a.Status != http.StatusOK {
		t.Fatalf("allow the program: %d %s", a.Status, a.Body)
	}
	token := post("/token", fmt.Sprintf(
		`{%s,"grantType":"urn:ietf:params:oauth:grant-type:device_code","deviceCode":%q}`, who, device["deviceCode"],
	))
	e.bearer = token["accessToken"].(string)
	e.json = map[string]string{
		"POST /client/register":      `{"clientName":"cli","clientType":"public"}`,
		"POST /device_authorization": ask,
		"POST /v1/token": `{"clientId":"` + center.SameDeviceClient +
			`","grantType":"authorization_code"}`,
		"POST /token": fmt.Sprintf(
			`{%s,"grantType":"refresh_token","refreshToken":%q}`, who, token["refreshToken"],
		),
	}
	for _, deed := range []string{"Approve", "Deny", "Review", "End", "Extend"} {
		e.json["POST "+adminapi.PersonPath+deed+"Access"] = `{"RequestId":"none"}`
	}
	e.json["POST "+adminapi.PersonPath+"RequestAccess"] = `{"AccountId":"123456789012","PermissionSet":"Reader",
		"Reason":"r","Seconds":60}`
	e.json["POST "+adminapi.PersonPath+"ListAccessOffers"] = `{}`
	e.json["POST "+adminapi.PersonPath+"ListAccessRequests"] = `{}`
	e.query = map[string]url.Values{
		"GET /assignment/accounts":    {},
		"GET /assignment/roles":       {"account_id": {"123456789012"}},
		"GET /federation/credentials": {"account_id": {"123456789012"}, "role_name": {"Reader"}},
		"GET /authorize": {"response_type": {"code"}, "client_id": {program["clientId"].(string)}, "state": {"s"},
			"redirect_uri": {redirect}, "scopes": {"sso:account:access"}, "code_challenge_method": {"S256"},
			"code_challenge": {strings.Repeat("a", 43)}},
		"GET /v1/authorize": {"response_type": {"code"}, "client_id": {center.SameDeviceClient}, "state": {"s"},
			"redirect_uri": {"http://127.0.0.1:1/oauth/callback"}, "scope": {"openid"},
			"code_challenge_method": {"SHA-256"}, "code_challenge": {strings.Repeat("a", 43)}},
	}
}

func setBody(r *http.Request, text string) {
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
}

func (e *everywhere) parameter(route, name string) string {
	if id, ok := e.ids[name]; ok {
		return id
	}
	for prefix, id := range e.ids {
		if name == "id" && strings.HasPrefix(prefix, "/") && strings.Contains(route, prefix) {
			return id
		}
	}
	return "x"
}

func (e *everywhere) asSCIM(route string, r *http.Request, endpoint, token string) {
	method, rest, _ := strings.Cut(route, scimRoute)
	for name, id := range e.ids {
		rest = strings.ReplaceAll(rest, "{"+name+"}", id)
	}
	resource, query, _ := strings.Cut(rest, "?filter=")
	to, err := url.Parse(endpoint + resource)
	if err != nil {
		e.t.Fatal(err)
	}
	if query != "" {
		to.RawQuery = url.Values{"filter": {query}}.Encode()
	}
	r.Method, r.URL = method, to
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/scim+json")
	if method != http.MethodGet && method != http.MethodDelete {
		setBody(r, map[bool]string{
			true: `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"replace",` +
				`"path":"displayName","value":"z"}]}`,
			false: `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"new","displayName":"new",` +
				`"name":{"givenName":"G","familyName":"F"}}`,
		}[method == http.MethodPatch])
	}
}

func (e *everywhere) asAWS(route string, r *http.Request, as aws.Credentials) {
	service, target, _ := strings.Cut(strings.TrimPrefix(route, awsRoute), " ")
	to, err := url.Parse(e.URL + "/")
	if err != nil {
		e.t.Fatal(err)
	}
	r.Method, r.URL = http.MethodPost, to
	r.Header = http.Header{"X-Amz-Target": {target}, "Content-Type": {"application/x-amz-json-1.1"}}
	e.sign(r, service, "{}", as)
}

// isAccountAccess says whether a route is of account-access, whose operations have addresses.
func isAccountAccess(route string) bool {
	_, path, _ := strings.Cut(route, " ")
	part, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return slices.Contains(
		[]string{"applications", "applications-list", "entitlements", "entitlements-list", "tags"}, part,
	)
}

func (e *everywhere) sign(r *http.Request, service, body string, as aws.Credentials) {
	if r.Method == http.MethodGet || r.Method == http.MethodDelete {
		body = ""
	}
	setBody(r, body)
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(
		e.t.Context(), as, r, hex.EncodeToString(sum[:]), service, e.center.Instance.Region, time.Now(),
	); err != nil {
		e.t.Fatal(err)
	}
}

// oidc are the routes of sso-oidc.
var oidc = map[string]bool{"POST /client/register": true, "POST /device_authorization": true, "POST /token": true}

// words are what a door says in an outage.
func words(route string) string {
	switch {
	case strings.Contains(route, scimRoute):
		return `"status":"503"`
	case strings.HasPrefix(route, awsRoute+"sso-directory"):
		return "the database is not available"
	case strings.HasPrefix(route, awsRoute):
		return `"RetryAfterSeconds":2`
	case isAccountAccess(route), strings.HasPrefix(route, "GET /access"):
		return "the database is not available"
	case route == "POST /v1/token":
		return `"error":"service_unavailable"`
	case oidc[route]:
		return `"error":"server_error"`
	case strings.Contains(route, " /assignment/"), strings.Contains(route, " /federation/"), route == "POST /logout",
		strings.Contains(route, adminapi.PersonPath):
		return "the database is not available"
	}
	return "not available"
}

// withoutDatabase are the routes that need none, with what they answer while there is none.
var withoutDatabase = map[string]int{
	"GET /{$}": http.StatusFound, "GET /start/{$}": http.StatusOK, "HEAD /start": http.StatusFound,
	"HEAD /start/{$}": http.StatusFound, "GET /console/login": http.StatusOK, "GET /platform/forgot": http.StatusOK,
	"POST /platform/forgot": http.StatusOK, "POST /client/register": http.StatusOK, // all of it is in what it gets
	"GET /{instance}/.well-known/openid-configuration": http.StatusOK,
}

// saysLater asks every route that there is, while none has a database.
func (e *everywhere) saysLater() {
	e.t.Helper()
	for _, route := range e.routes {
		a := e.Call(e.t, route)
		if status, none := withoutDatabase[strings.Replace(route, e.center.InstanceID(), "{instance}", 1)]; none {
			if a.Status != status {
				e.t.Errorf("%s: %d, want %d, since it needs no database", route, a.Status, status)
			}
		} else if wrong := a.Later(route, words(route)); wrong != "" {
			e.t.Errorf("%s: %s: %d %s", route, wrong, a.Status, a.Body)
		}
	}
}

// TestEveryRouteSaysThatTheDatabaseIsGone stops PostgreSQL under a center that serves, and asks
// every route that there is.
func TestEveryRouteSaysThatTheDatabaseIsGone(t *testing.T) {
	postgres := sqldbtest.NewServer(t)
	e := newEverywhere(t, postgres.URL())
	postgres.Stop(t)
	e.saysLater()
	postgres.Start(t)
	if a := e.Call(t, "GET /start"); a.Status != http.StatusOK {
		t.Errorf("the database is back, and the session is open: %d %s", a.Status, a.Body)
	}
}

// TestEveryRouteWaitsForTheClock: the machine's falls to a time before any while the center serves.
func TestEveryRouteWaitsForTheClock(t *testing.T) {
	var unset atomic.Bool
	e := newEverywhere(t, filepath.Join(t.TempDir(), "center.db"), sqldb.While(func() error {
		if unset.Load() {
			return errors.New("the clock says 1970")
		}
		return nil
	}))
	unset.Store(true)
	e.saysLater()
	unset.Store(false)
	if a := e.Call(t, "GET /start"); a.Status != http.StatusOK {
		t.Errorf("the clock is back, and the session is open: %d %s", a.Status, a.Body)
	}
}

// TestNoRouteBlamesTheClient asks every route while a part of the database works: connections are
// cut before each request, it is read-only, the disk takes no writes, or answers with
// errors, or with other bytes.
// What a healthy center answers is right, and so is to ask to come back later.
func TestNoRouteBlamesTheClient(t *testing.T) {
	well := newEverywhere(t, filepath.Join(t.TempDir(), "center.db"))
	healthy, good := map[string]webtest.Answer{}, 0
	for _, route := range well.routes {
		healthy[route] = well.Call(t, route)
		if healthy[route].Status < http.StatusBadRequest {
			good++
		} else {
			t.Logf("%s: %d %.80s", route, healthy[route].Status, healthy[route].Body)
		}
		// the identity provider that the tests have is none whose signatures can be read
		if healthy[route].Status >= http.StatusInternalServerError && !strings.Contains(route, "/saml/acs/") {
			t.Errorf("%s: %d %s", route, healthy[route].Status, healthy[route].Body)
		}
	}
	if t.Logf("%d of %d requests are in order", good, len(well.routes)); good < len(well.routes)/4 {
		t.Error("most requests are refused whatever the database does")
	}
	// walk asks in a fault, which mend ends.
	walk := func(t *testing.T, e *everywhere, before, mend func()) {
		t.Helper()
		doubts, later := map[string]webtest.Answer{}, 0
		for _, route := range e.routes {
			before()
			a := e.Call(t, route)
			if a.Wrong(route, words(route), healthy[route]) != "" {
				doubts[route] = a
			}
			if a.Status == http.StatusServiceUnavailable {
				later++
			}
		}
		mend()
		t.Logf("%d of %d requests are to be repeated", later, len(e.routes))
		for route, a := range doubts { // perhaps the requests before it have changed something at the healthy one
			fresh := newEverywhere(t, filepath.Join(t.TempDir(), "center.db"))
			if wrong := a.Wrong(route, words(route), fresh.Call(t, route)); wrong != "" {
				t.Errorf("%s: %s: %d %s", route, wrong, a.Status, a.Body)
			}
		}
	}
	t.Run("connections are cut", func(t *testing.T) {
		dsn, cut := sqldbtest.Cut(t, sqldbtest.Postgres(t))
		e := newEverywhere(t, dsn)
		e.withoutAWS()
		walk(t, e, cut, func() {})
	})
	t.Run("read-only", func(t *testing.T) {
		postgres := sqldbtest.NewServer(t)
		e := newEverywhere(t, postgres.URL())
		e.withoutAWS()
		postgres.Exec(t, `ALTER SYSTEM SET default_transaction_read_only = on; SELECT pg_reload_conf()`)
		walk(t, e, func() {}, func() {})
	})
	t.Run("the disk answers with errors", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "center.db")
		e := newEverywhere(t, file)
		walk(t, e, func() {}, sqldbtest.BreakDisk(t, file))
	})
	t.Run("the disk takes no writes", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "center.db")
		e := newEverywhere(t, file)
		walk(t, e, func() {}, sqldbtest.RefuseWrites(t, file))
	})
	t.Run("the database is damaged", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "center.db")
		e := newEverywhere(t, file)
		walk(t, e, func() {}, sqldbtest.DamageDisk(t, file))
	})
}

// TestReadsGoOnWhereNothingCanBeWritten asks what only reads, twice, when the last use of all
// that was used is due to be noted and cannot be.
func TestReadsGoOnWhereNothingCanBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "center.db")
	e := newEverywhere(t, file)
	healthy := map[string]webtest.Answer{}
	for _, route := range e.routes {
		if !onlyReads(route) {
			continue
		}
		if a := e.Call(t, route); a.Status < http.StatusBadRequest {
			healthy[route] = a
		}
	}
	if t.Logf("%d routes only read", len(healthy)); len(healthy) < 80 {
		t.Errorf("only %d routes are read from", len(healthy))
	}
	later := time.Now().Add(61 * time.Second).UTC().Truncate(time.Millisecond)
	e.center.Now = func() time.Time { return later }
	mend := sqldbtest.RefuseWrites(t, file)
	for range 2 {
		for route, before := range healthy {
			if a := e.Call(t, route); a.Status != before.Status {
				t.Errorf("%s: %d %.200s, want %d", route, a.Status, a.Body, before.Status)
			}
		}
	}
	mend()
	later = later.Add(time.Minute)
	for _, route := range []string{"GET scim Users", awsRoute + "identitystore AWSIdentityStore.ListUsers"} {
		e.Call(t, route)
	}
	tokens, e1 := e.center.BearerTokens(t.Context())
	keys, e2 := e.center.AccessKeys(t.Context())
	if err := errors.Join(e1, e2); err != nil {
		t.Fatal(err)
	}
	if !tokens[0].LastUsedAt.Equal(later) || !keys[0].LastUsedAt.Equal(later) {
		t.Errorf("last used %s and %s, want %s", tokens[0].LastUsedAt, keys[0].LastUsedAt, later)
	}
}

// onlyReads says whether a route changes nothing, by its name. Some pages and one route begin
// something with which the next request goes on.
func onlyReads(route string) bool {
	if name, ok := strings.CutPrefix(route, awsRoute); ok {
		_, operation, _ := strings.Cut(name, ".")
		return strings.HasPrefix(operation, "List") || strings.HasPrefix(operation, "Describe") ||
			strings.HasPrefix(operation, "Get")
	}
	begins := []string{
		"GET /console/account", "GET /console/users/{id}/device", "GET /platform/account/device", "GET /start/console",
		"GET /federation/credentials",
	}
	return strings.HasPrefix(route, "GET ") && !slices.Contains(begins, route) || strings.HasSuffix(route, ".search")
}
