package provisioning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/identitystore"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// company is a source that a test changes as it likes. Every cycle names everything.
type company struct{ users, groups []entry }

// entry is an object with its attributes in the directory.
type entry struct {
	provisioning.Object
	directory map[string]string
}

func (e entry) object() provisioning.Object {
	e.Attributes = mapping.Texts(maps.Clone(e.directory))
	return e.Object
}

func (c *company) Changes(context.Context, string, []provisioning.Ref) (provisioning.Changes, error) {
	out := provisioning.Changes{Watermark: "1"}
	for _, u := range c.users {
		out.Users = append(out.Users, u.object())
	}
	for _, g := range c.groups {
		out.Groups = append(out.Groups, g.object())
	}
	return out, nil
}

func (c *company) Object(_ context.Context, ref provisioning.Ref) (provisioning.Object, error) {
	for _, e := range slices.Concat(c.users, c.groups) {
		if e.Ref == ref {
			return e.object(), nil
		}
	}
	return provisioning.Object{Ref: ref, Gone: true}, nil
}

func user(id string) entry {
	name := id + "@example.com"
	return entry{
		provisioning.Object{
			Ref:      provisioning.Ref{Kind: provisioning.User, ID: id},
			Name:     id,
			Assigned: true,
			Active:   true,
		},
		map[string]string{
			"userPrincipalName": name,
			"displayName":       id,
			"givenName":         "G",
			"surname":           "F",
			"mail":              name,
			"objectId":          id,
		},
	}
}

func group(id string, members ...string) entry {
	return entry{
		provisioning.Object{
			Ref:      provisioning.Ref{Kind: provisioning.Group, ID: id},
			Name:     id,
			Assigned: true,
			Active:   true,
			Members:  members,
		},
		map[string]string{"displayName": id, "objectId": id},
	}
}

// memory keeps what it is told as long as it lasts, like a store, and the log besides.
type memory struct {
	*provisioning.Volatile
	mu  sync.Mutex
	log []provisioning.Entry
}

func newMemory() *memory { return &memory{Volatile: provisioning.NewVolatile()} }

func (m *memory) append(entries []provisioning.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, entries...)
}

func (m *memory) Keep(ctx context.Context, l provisioning.Link, entries ...provisioning.Entry) error {
	m.append(entries)
	return m.Volatile.Keep(ctx, l)
}

func (m *memory) Forget(ctx context.Context, ref provisioning.Ref, entries ...provisioning.Entry) error {
	m.append(entries)
	return m.Volatile.Forget(ctx, ref)
}

// link is what is remembered of an object; the zero link when it is not known.
func (m *memory) link(ref provisioning.Ref) provisioning.Link {
	l, err := m.Link(context.Background(), ref)
	if err != nil {
		return provisioning.Link{}
	}
	return l
}

// mappings are the default ones.
func mappings(t *testing.T) provisioning.Mappings {
	t.Helper()
	m, err := provisioning.Compile(mapping.Default("rule"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// target is a real center's SCIM endpoint, with a record of the requests that arrive and a way to
// misbehave.
type target struct {
	center   *center.Center
	client   *scim.Client
	mu       sync.Mutex
	requests []string
	// answers itself and returns true, or lets the request through
	trouble func(n int, r *http.Request, w http.ResponseWriter) bool
	door    http.Handler // the center's, without trouble
	// of a target that is an identity store
	store *identitystore.Target
	grace time.Duration // for which people who leave it are kept
	// what it had when its first tale began; nil: none has
	begun *beginning
}

func newTarget(t *testing.T) *target {
	t.Helper()
	return newTargetOf(t, center.ProfileAWS)
}

func newTargetOf(t *testing.T, profile center.Profile) *target {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	x := &target{center: c}
	door := (&scimserver.Handler{Center: c, Log: slog.New(slog.DiscardHandler), RequestID: func(*http.Request) string {
		return "id"
	}, Address: func(*http.Request) string { return "" }}).Before(http.NotFoundHandler())
	x.door = door
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		x.requests = append(x.requests, r.Method+" "+strings.SplitN(r.URL.Path, "/v2", 2)[1])
		n, trouble := len(x.requests), x.trouble
		x.mu.Unlock()
		if trouble == nil || !trouble(n, r, w) {
			door.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	c.URL = server.URL
	endpoint, token := centertest.Provisioned(t, c, profile)
	// connections of its own: those that all tests share end with the servers of others
	x.client = &scim.Client{BaseURL: endpoint, Token: token, HTTP: server.Client()}
	return x
}

func (x *target) misbehave(trouble func(int, *http.Request, http.ResponseWriter) bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.trouble, x.requests = trouble, nil
}

func run(t *testing.T, source provisioning.Source, m *memory, x *target) (provisioning.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	n := 0
	engine := provisioning.Engine{
		Source:   source,
		Memory:   m,
		Target:   provisioning.SCIM(x.client, provisioning.Entra),
		Mappings: mappings(t),
		Now:      time.Now,
		Workers:  1,
		NewID:    func() string { n++; return fmt.Sprintf("id-%d", n) },
	}
	return engine.Run(ctx)
}

// state is what the center has: user names with a star for the active ones, and groups with their
// members.
func (x *target) state(t *testing.T) (out []string) {
	t.Helper()
	ctx := context.Background()
	users, err := x.center.Users(ctx, center.UserQuery{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[center.UserID]string{}
	for _, u := range users {
		names[u.ID] = strings.TrimSuffix(u.UserName, "@example.com")
		mark := ""
		if u.Active {
			mark = "*"
		}
		out = append(out, names[u.ID]+mark)
	}
	groups, err := x.center.Groups(ctx, center.GroupQuery{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		ms, err := x.center.Memberships(ctx, center.MembershipQuery{GroupID: g.ID})
		if err != nil {
			t.Fatal(err)
		}
		in := []string{}
		for _, m := range ms {
			in = append(in, names[m.UserID])
		}
		sort.Strings(in)
		out = append(out, g.DisplayName+"="+strings.Join(in, "+"))
	}
	sort.Strings(out)
	return out
}

func (x *target) want(t *testing.T, want ...string) {
	t.Helper()
	sort.Strings(want)
	if diff := cmp.Diff(want, x.state(t)); diff != "" {
		t.Errorf("the center differs (-want +have):\n%s", diff)
	}
}

func TestCycles(t *testing.T) {
	x, m := newTarget(t), newMemory()
	c := &company{users: []entry{user("ada"), user("bob"), user("eve")}, groups: []entry{group("Eng", "ada", "bob")}}
	result, err := run(t, c, m, x)
	if err != nil || result.Created != 4 || !result.Initial {
		t.Fatalf("first cycle %+v, %v", result, err)
	}
	x.want(t, "ada*", "bob*", "eve*", "Eng=ada+bob")

	x.misbehave(nil)
	if result, err = run(t, c, m, x); err != nil || result.Exported() != 0 || result.Initial {
		t.Errorf("nothing changed, but %+v, %v", result, err)
	}
	if diff := cmp.Diff([]string{"GET /Users"}, x.requests); diff != "" { // the test of the connection and nothing else
		t.Errorf("an idle cycle sends:\n%s", diff)
	}

	c.users[0].directory["displayName"], c.users[0].Manager = "Augusta", "bob"
	c.users[1].Active, c.users[2].Assigned = false, false
	c.groups[0].Members, c.groups[0].directory["displayName"] = []string{"ada", "eve"}, "Mechanics"
	if result, err = run(t, c, m, x); err != nil || result.Disabled != 2 {
		t.Errorf("changes: %+v, %v", result, err)
	}
	x.want(t, "ada*", "bob", "eve", "Mechanics=ada+eve")
	if u, err := x.center.UserByName(context.Background(), "ada@example.com"); err != nil ||
		u.DisplayName != "Augusta" || u.Enterprise.Manager == "" {
		t.Errorf("ada %+v, %v", u, err)
	}

	c.users[1].Gone = true
	c.users[2].Assigned = true
	c.groups[0].Gone = true
	if result, err = run(t, c, m, x); err != nil || result.Deleted != 2 {
		t.Errorf("deletions: %+v, %v", result, err)
	}
	x.want(t, "ada*", "eve*")
}

func TestMembersGoInBatchesOfAHundred(t *testing.T) {
	x, m := newTarget(t), newMemory()
	c := &company{}
	var members []string
	for i := range 250 {
		u := user(fmt.Sprintf("u%03d", i))
		c.users, members = append(c.users, u), append(members, u.ID)
	}
	c.groups = []entry{group("All", members...)}
	if _, err := run(t, c, m, x); err != nil {
		t.Fatal(err)
	}
	patches := 0
	for _, r := range x.requests {
		if strings.HasPrefix(r, "PATCH /Groups/") {
			patches++
		}
	}
	if n := len(m.link(c.groups[0].Ref).Members); patches != 3 || n != 250 {
		t.Errorf("%d requests for %d members, want 3 for 250", patches, n)
	}
}

func TestAnExistingUserIsAdopted(t *testing.T) {
	x, m := newTarget(t), newMemory()
	ctx := context.Background()
	old, err := x.center.CreateUser(ctx, centertest.Actor, centertest.Person("ADA@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if result, err := run(t, &company{users: []entry{user("ada")}}, m, x); err != nil || result.Created != 0 ||
		result.Updated != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	u, err := x.center.User(ctx, old.ID)
	if err != nil || u.ExternalID != "ada" || u.UserName != "ada@example.com" {
		t.Errorf("adopted as %+v, %v", u, err)
	}
}

// TestACycleThatIsKilledAnywhereIsCompletedByTheNext cuts the connection at every request in turn,
// both before the center sees the request and after it has answered, so that what was sent is not
// remembered.
func TestACycleThatIsKilledAnywhereIsCompletedByTheNext(t *testing.T) {
	for at := 1; at <= 14; at++ {
		for _, after := range []bool{false, true} {
			x, m := newTarget(t), newMemory()
			c := &company{users: []entry{user("ada"), user("bob")}, groups: []entry{group("Eng", "ada", "bob")}}
			c.users[0].Manager = "bob"
			x.misbehave(func(n int, r *http.Request, w http.ResponseWriter) bool {
				if n < at {
					return false
				}
				if after && n == at {
					x.door.ServeHTTP(httptest.NewRecorder(), r)
				}
				cut(w)
				return true
			})
			if result, err := run(t, c, m, x); err == nil && result.Failed == 0 && at < 10 {
				t.Fatalf("cut at request %d, but the cycle succeeded: %+v", at, result)
			}
			x.misbehave(nil)
			if _, err := run(t, c, m, x); err != nil {
				t.Fatalf("after a cut at request %d: %v", at, err)
			}
			x.want(t, "ada*", "bob*", "Eng=ada+bob")
		}
	}
}

func seen(m *memory) string {
	w, _ := m.Watermark(context.Background()) // it never fails
	return w
}

// TestAHostileTarget: whatever a target answers, the cycle ends, what failed is in the log and is
// tried again, and nothing else is blocked by it.
func TestAHostileTarget(t *testing.T) {
	t.Parallel()
	answer := func(status int, header, body string) func(w http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			if name, value, ok := strings.Cut(header, ":"); ok {
				w.Header().Set(name, value)
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	const forEver = 1 << 30
	for name, c := range map[string]struct {
		times   int // that it misbehaves about ada
		trouble func(http.ResponseWriter)
		code    string // in the log; empty: it works in the end
		stops   bool
	}{
		"throttling, for a while":  {3, answer(429, "Retry-After:0.01", `{}`), "", false},
		"unavailable, for a while": {2, answer(503, "Retry-After:0.01", `{}`), "", false},
		"an error, once":           {1, answer(500, "", `{}`), "", false},
		"an error, always":         {forEver, answer(500, "", `not JSON`), "InternalServerError", false},
		"a gateway's error":        {forEver, answer(502, "", `<html>`), "InternalServerError", false},
		"garbage": {
			forEver, answer(200, "", "<html>"), "SystemForCrossDomainIdentityManagementServiceIncompatible", false,
		},
		"an empty answer": {
			forEver, answer(201, "", ""), "SystemForCrossDomainIdentityManagementServiceIncompatible", false,
		},
		"an object without an id": {
			forEver, answer(201, "", `{"userName":"ada"}`),
			"SystemForCrossDomainIdentityManagementServiceIncompatible", false,
		},
		"a refusal": {
			forEver, answer(400, "", `{"detail":"no"}`), "SystemForCrossDomainIdentityManagementBadRequest", false,
		},
		"not found":              {forEver, answer(404, "", `{}`), "InvalidAnchor", false},
		"a conflict with nobody": {forEver, answer(409, "", `{}`), "EntryConflict", false},
		"not implemented":        {forEver, answer(501, "", `{}`), "NotImplemented", false},
		"the token is revoked":   {forEver, answer(401, "", `{}`), "", true},
		"forbidden":              {forEver, answer(403, "", `{}`), "InsufficientRights", false},
		"a redirect to nowhere": {
			forEver, answer(302, "Location:http://127.0.0.1:1/", ``), "WebExceptionProtocolError", false,
		},
		"half a body": {forEver, func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"id":"`))
		}, "WebExceptionProtocolError", false},
		"a closed connection": {forEver, func(w http.ResponseWriter) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = conn.Close()
			}
		}, "WebExceptionProtocolError", false},
		// longer than the client waits
		"nothing": {forEver, func(http.ResponseWriter) {
			time.Sleep(2 * time.Second)
		}, "WebExceptionProtocolError", false},
		"a slow answer": {1, func(w http.ResponseWriter) {
			time.Sleep(100 * time.Millisecond) // what is simulated
			answer(429, "Retry-After:0.01", "{}")(w)
		}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, m := newTarget(t), newMemory()
			x.client.HTTP = &http.Client{Timeout: time.Second}
			left := c.times
			x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				if r.Method != http.MethodPost || !bytes.Contains(body, []byte(`"ada@example.com"`)) || left == 0 {
					return false
				}
				left--
				c.trouble(w)
				return true
			})
			company := &company{users: []entry{user("ada"), user("bob")}, groups: []entry{group("Eng", "ada", "bob")}}
			result, err := run(t, company, m, x)
			var refused *provisioning.CredentialsError
			if c.stops {
				if !errors.As(err, &refused) || seen(m) != "" {
					t.Errorf("went on with %v, watermark %q", err, seen(m))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.code == "" {
				x.want(t, "ada*", "bob*", "Eng=ada+bob")
				return
			}
			x.want(t, "bob*", "Eng=bob") // nobody else is kept waiting
			at := slices.IndexFunc(m.log, func(e provisioning.Entry) bool { return e.Outcome == provisioning.Failure })
			if link := m.link(user("ada").Ref); result.Failed != 1 || at < 0 || m.log[at].Code != c.code ||
				link.Failure == "" || link.RetryAt.IsZero() {
				t.Errorf("result %+v, log %+v", result, m.log)
			}
			x.misbehave(nil)
			if result, err = run(t, company, m, x); err != nil || result.Failed != 0 {
				t.Errorf("once it is well: %+v, %v", result, err)
			}
			x.want(t, "ada*", "bob*", "Eng=ada+bob")
		})
	}
}

// TestSeveralMatchesAreNotGuessed: a target with two objects that match is asked for a decision of
// its administrator's.
func TestSeveralMatchesAreNotGuessed(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Query().Get("filter"), "ada") {
			return false
		}
		_, _ = w.Write([]byte(`{"totalResults":2,"Resources":[{"id":"1"},{"id":"2"}]}`))
		return true
	})
	result, err := run(t, &company{users: []entry{user("ada"), user("bob")}}, m, x)
	if err != nil || result.Failed != 1 || result.Created != 1 || m.log[0].Code != "DuplicateTargetEntries" {
		t.Errorf("%+v, %v, %+v", result, err, m.log)
	}
}

// TestRequestsAreInEntrasDialect compares a PATCH with what the real service sends: capitals, one
// attribute each, "False" as text.
func TestRequestsAreInEntrasDialect(t *testing.T) {
	x, m := newTarget(t), newMemory()
	c := &company{users: []entry{user("ada")}}
	if _, err := run(t, c, m, x); err != nil {
		t.Fatal(err)
	}
	var bodies []scim.PatchRequest
	x.misbehave(func(_ int, r *http.Request, _ http.ResponseWriter) bool {
		if r.Method == http.MethodPatch {
			var p scim.PatchRequest
			if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
				t.Error(err)
			}
			bodies = append(bodies, p)
		}
		return false
	})
	c.users[0].directory["jobTitle"] = "Dr"
	c.users[0].directory["displayName"] = "Countess"
	c.users[0].directory["mail"] = ""
	_, _ = run(t, c, m, x) // the body is read here, so the center refuses; the request is what counts
	c.users[0].Active = false
	_, _ = run(t, c, m, x)
	want := []scim.PatchRequest{
		{Schemas: []string{scim.PatchURN}, Operations: []scim.Operation{
			{
				Op:    "Replace",
				Path:  "displayName",
				Value: jsontext.Value(`"Countess"`),
			},
			{Op: "Add", Path: "title", Value: jsontext.Value(`"Dr"`)},
			{Op: "Remove", Path: `emails[type eq "work"]`},
		}},
		{
			Schemas:    []string{scim.PatchURN},
			Operations: []scim.Operation{{Op: "Replace", Path: "active", Value: jsontext.Value(`"False"`)}},
		},
	}
	if diff := cmp.Diff(want, bodies); diff != "" {
		t.Errorf("requests (-want +sent):\n%s", diff)
	}
}
