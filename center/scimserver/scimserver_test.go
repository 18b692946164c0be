package scimserver_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/refusal"
)

var updateGolden = flag.Bool("update", false, "write the golden files")

// endpoint is a SCIM endpoint of a real center with a valid token.
type endpoint struct {
	t      testing.TB
	center *center.Center
	url    string // with its trailing slash
	token  string
	now    time.Time
}

func newEndpoint(t testing.TB) *endpoint {
	t.Helper()
	c := centertest.New(t, "http://127.0.0.1")
	e := &endpoint{t: t, center: c, now: time.Date(2026, 11, 23, 12, 0, 0, 160_000_000, time.UTC)}
	c.Now = func() time.Time { return e.now }
	h := &scimserver.Handler{
		Center:    c,
		Log:       slog.New(slog.DiscardHandler),
		RequestID: func(*http.Request) string { return "11111111-2222-3333-4444-555555555555" },
		Address:   func(*http.Request) string { return "127.0.0.1" },
	}
	centertest.ServeDoor(t, c, h)
	ctx := context.Background()
	centertest.Federate(t, c, "https://idp")
	tenant, err := c.CreateProvisioningTenant(ctx, centertest.Actor)
	if err != nil {
		t.Fatal(err)
	}
	token, err := c.CreateBearerToken(ctx, centertest.Actor, center.ProfileAWS)
	if err != nil {
		t.Fatal(err)
	}
	e.url, e.token = c.SCIMEndpoint(tenant), token.Secret.Reveal()
	return e
}

// send sends a request and returns status and body.
func (e *endpoint) send(method, path, body string) (int, map[string]any) {
	e.t.Helper()
	status, text := e.raw(method, e.url+path, body, "Bearer "+e.token)
	var out map[string]any
	if text != "" {
		if err := json.Unmarshal([]byte(text), &out); err != nil {
			e.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	return status, out
}

func (e *endpoint) raw(method, url, body, authorization string) (int, string) {
	e.t.Helper()
	res, text := e.do(method, url, body, map[string]string{"Authorization": authorization})
	return res.StatusCode, text
}

// do sends a request with headers and returns the answer with its body.
func (e *endpoint) do(method, url, body string, header map[string]string) (*http.Response, string) {
	e.t.Helper()
	req, err := http.NewRequestWithContext(
		context.Background(), method, strings.ReplaceAll(url, " ", "%20"), strings.NewReader(body),
	)
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/scim+json")
	for name, value := range header {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	data, err := io.ReadAll(res.Body)
	if err != nil {
		e.t.Fatal(err)
	}
	return res, string(data)
}

// want sends a request that must be answered with the status.
func (e *endpoint) want(status int, method, path, body string) map[string]any {
	e.t.Helper()
	got, out := e.send(method, path, body)
	if got != status {
		e.t.Fatalf("%s %s %s: %d %v, want %d", method, path, body, got, out, status)
	}
	return out
}

const ada = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User",
	"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],"externalId":"ext-1","userName":"Ada@example.com",
 "name":{"givenName":"Ada","familyName":"Lovelace"},"displayName":"Ada Lovelace","active":true,
 "emails":[{"value":"ada@example.com","type":"work","primary":true}],
 "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Engines"},"meta":{"resourceType":"User"}}`

func (e *endpoint) ada() string { return e.want(201, "POST", "Users", ada)["id"].(string) }

func patch(ops string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + ops + `]}`
}

func TestWhatEntraSendsToChangeAUser(t *testing.T) {
	const urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	for name, c := range map[string]struct {
		ops  string
		path string // of the answer, dotted, [0] for list entries
		want any
	}{
		"capitals and active as text": {`{"op":"Replace","path":"active","value":"False"}`, "active", false},
		"active as a boolean":         {`{"op":"replace","path":"active","value":false}`, "active", false},
		"a sub-attribute": {
			`{"op":"Replace","path":"name.givenName","value":"Augusta"}`, "name.givenName", "Augusta",
		},
		"an entry that exists": {
			`{"op":"Replace","path":"emails[type eq \"work\"].value","value":"a@b.example"}`, "emails.value",
			"a@b.example",
		},
		"an entry that does not exist": {
			`{"op":"Add","path":"phoneNumbers[type eq \"work\"].value","value":"+44 1"}`, "phoneNumbers.value",
			"+44 1",
		},
		"the type of the new entry": {
			`{"op":"Replace","path":"addresses[type eq \"work\"].locality","value":"London"}`, "addresses.type",
			"work",
		},
		"an enterprise attribute": {
			`{"op":"Replace","path":"` + urn + `:department","value":"Numbers"}`, urn + "|department", "Numbers",
		},
		"a manager as a bare id": {
			`{"op":"Add","path":"` + urn + `:manager","value":"boss"}`, urn + "|manager.value", "boss",
		},
		"a manager without the URN": {`{"op":"Add","path":"manager","value":"boss"}`, urn + "|manager.value", "boss"},
		"a manager as a list": {
			`{"op":"Add","path":"` + urn + `:manager","value":[{"$ref":"x","value":"boss"}]}`, urn + "|manager.value",
			"boss",
		},
		"no path and one attribute": {`{"op":"replace","value":{"displayName":"Countess"}}`, "displayName", "Countess"},
		"no path and a dotted key":  {`{"op":"replace","value":{"name.familyName":"King"}}`, "name.familyName", "King"},
		"a removal":                 {`{"op":"Remove","path":"` + urn + `:department"}`, urn + "|department", nil},
		"a removal of an entry":     {`{"op":"Remove","path":"emails[type eq \"work\"]"}`, "emails", nil},
		"several operations": {
			`{"op":"Add","path":"title","value":"Dr"},{"op":"Replace","path":"title","value":"Lady"}`, "title",
			"Lady",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t)
			id := e.ada()
			for what, body := range map[string]map[string]any{
				"the answer":  e.want(200, "PATCH", "Users/"+id, patch(c.ops)),
				"a later GET": e.want(200, "GET", "Users/"+id, ""),
			} {
				if got := dig(body, c.path); fmt.Sprint(got) != fmt.Sprint(c.want) {
					t.Errorf("%s has %s = %v, want %v", what, c.path, got, c.want)
				}
			}
		})
	}
}

// dig follows a path of names through objects and the first entries of lists; a bar ends a name
// with dots in it.
func dig(v any, path string) any {
	head, rest, more := strings.Cut(path, "|")
	if !more {
		head, rest, more = strings.Cut(path, ".")
	}
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	m, _ := v.(map[string]any)
	if !more {
		return m[head]
	}
	return dig(m[head], rest)
}

func TestWhatIsRefused(t *testing.T) {
	user := func(change string) string {
		return `{"userName":"x","name":{"givenName":"X","familyName":"Y"},"displayName":"Z"` + change + `}`
	}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		detail             string
	}{
		"no JSON":         {"POST", "Users", `{`, 400, "unparsable"},
		"two JSON values": {"POST", "Users", user("") + `{}`, 400, "unparsable"},
		"a list":          {"POST", "Users", `[]`, 400, "unparsable"},
		"deep nesting": {
			"POST", "Users", strings.Repeat(`{"a":`, 50) + "1" + strings.Repeat("}", 50), 400, "nested",
		},
		"no last name": {
			"POST", "Users", `{"userName":"x","name":{"givenName":"X"},"displayName":"Z"}`, 400, "name.familyName",
		},
		"no user name": {
			"POST", "Users", `{"name":{"givenName":"X","familyName":"Y"},"displayName":"Z"}`, 400, "userName",
		},
		"a blank in the user name": {"POST", "Users", strings.Replace(user(""), `"x"`, `"x y"`, 1), 400, "spaces"},
		"two e-mail addresses": {
			"POST", "Users", user(`,"emails":[{"value":"a@b.c"},{"value":"d@e.f"}]`), 400, "at most one",
		},
		"a display of an e-mail": {
			"POST", "Users", user(`,"emails":[{"value":"a@b.c","display":"x"}]`), 400, "emails.display",
		},
		"a display of a telephone": {
			"POST", "Users", user(`,"phoneNumbers":[{"value":"1","display":"x"}]`), 400, "phoneNumbers.display",
		},
		"a display of a member": {
			"PATCH", "Groups/GROUP", patch(`{"op":"add","path":"members","value":[{"value":"USER","display":"x"}]}`),
			400, "members.display",
		},
		"a group as a member": {
			"PATCH", "Groups/GROUP",
			patch(`{"op":"add","path":"members","value":[{"value":"GROUP","type":"Group"}]}`), 400,
			"Groups cannot be members",
		},
		"101 members of a new group": {
			"POST", "Groups",
			`{"displayName":"big","members":[` + strings.Repeat(`{"value":"x"},`, 100) + `{"value":"x"}]}`, 400,
			"100",
		},
		"50 members twice and one": {
			"PATCH", "Groups/GROUP",
			patch(strings.Repeat(
				`{"op":"add","path":"members","value":[`+strings.Repeat(`{"value":"x"},`, 49)+`{"value":"x"}]},`, 2,
			) + `{"op":"remove","path":"members","value":[{"value":"x"}]}`),
			400, "100",
		},
		"10 MB": {
			"POST", "Users", user(`,"title":"` + strings.Repeat("x", 10<<20) + `"`), 400, "1 MiB",
		},
		"a name twice":          {"POST", "Users", user(`,"title":"a","title":"b"`), 400, "duplicate"},
		"a zero byte":           {"POST", "Users", user(`,"title":"a\u0000b"`), 400, "control characters"},
		"what is not UTF-8":     {"POST", "Users", user(",\"title\":\"\xff\""), 400, "UTF-8"},
		"half a surrogate":      {"POST", "Users", user(`,"title":"\ud83d"`), 400, "unparsable"},
		"a number out of range": {"POST", "Users", user(`,"active":1e999`), 400, "unparsable"},
		"a password":            {"POST", "Users", user(`,"password":"secret"`), 400, "password"},
		"an unknown attribute":  {"POST", "Users", user(`,"shoeSize":42`), 400, "shoeSize"},
		"a number for a text":   {"POST", "Users", user(`,"title":42`), 400, "title"},
		"the same name, other case": {
			"POST", "Users", strings.Replace(user(""), `"x"`, `"ADA@example.COM"`, 1), 409,
			"Refused to create a new, duplicate resource.",
		},
		"the same e-mail":        {"POST", "Users", user(`,"emails":[{"value":"ADA@example.com"}]`), 409, "duplicate"},
		"the same external id":   {"POST", "Users", user(`,"externalId":"ext-1"`), 409, "duplicate"},
		"an unknown user":        {"GET", "Users/99999999-2222-3333-4444-555555555555", "", 404, "not found"},
		"PUT of an unknown user": {"PUT", "Users/99999999-2222-3333-4444-555555555555", user(""), 404, "not found"},
		"PUT of a group":         {"PUT", "Groups/GROUP", `{"displayName":"x"}`, 400, "no such operation"},
		"bulk":                   {"POST", "Bulk", `{}`, 400, "no such operation"},
		"no operations":          {"PATCH", "Users/USER", patch(""), 400, "Operations"},
		"an unknown operation": {
			"PATCH", "Users/USER", patch(`{"op":"move","path":"title","value":"x"}`), 400, "move",
		},
		"no path and two attributes": {
			"PATCH", "Users/USER", patch(`{"op":"replace","value":{"title":"x","displayName":"y"}}`), 400,
			"single attribute",
		},
		"removal of active": {"PATCH", "Users/USER", patch(`{"op":"remove","path":"active"}`), 400, "active"},
		"active twice": {
			"PATCH", "Users/USER",
			patch(`{"op":"replace","path":"active","value":true},{"op":"replace","path":"active","value":false}`),
			400, "Two operations",
		},
		"active as a word": {
			"PATCH", "Users/USER", patch(`{"op":"replace","path":"active","value":"perhaps"}`), 400, "active",
		},
		"a second e-mail by PATCH": {
			"PATCH", "Users/USER", patch(`{"op":"add","path":"emails[type eq \"home\"].value","value":"x@y.z"}`), 400,
			"at most one",
		},
		"another operator in brackets": {
			"PATCH", "Users/USER", patch(`{"op":"replace","path":"emails[type ne \"home\"].value","value":"x@y.z"}`),
			400, "eq",
		},
		"half of a PATCH": {
			"PATCH", "Users/USER",
			patch(`{"op":"replace","path":"title","value":"kept?"},{"op":"replace","path":"shoeSize","value":"x"}`),
			400, "shoeSize",
		},
		"replacing members": {
			"PATCH", "Groups/GROUP", patch(`{"op":"replace","path":"members","value":[]}`), 400,
			"Replacing group memberships is not supported.",
		},
		"removing all members": {
			"PATCH", "Groups/GROUP", patch(`{"op":"remove","path":"members"}`), 400,
			"Replacing group memberships is not supported.",
		},
		"101 members": {
			"PATCH", "Groups/GROUP",
			patch(`{"op":"add","path":"members","value":[` + strings.Repeat(`{"value":"x"},`, 100) + `{"value":"x"}]}`),
			400, "100",
		},
		"a member that does not exist": {
			"PATCH", "Groups/GROUP", patch(`{"op":"add","path":"members","value":[{"value":"nobody"}]}`), 404,
			"not found",
		},
		"a taken group name":       {"POST", "Groups", `{"displayName":"ENGINEERS"}`, 409, "duplicate"},
		"another filter attribute": {"GET", `Users?filter=title eq "x"`, "", 400, "not supported"},
		"another operator":         {"GET", `Users?filter=userName co "x"`, "", 400, "equality"},
		"or":                       {"GET", `Users?filter=userName eq "x" or userName eq "y"`, "", 400, "equality"},
		"a broken filter":          {"GET", `Users?filter=userName eq "x`, "", 400, "quotes"},
		"a filter without end":     {"GET", `Users?filter=` + strings.Repeat("(", 5000), "", 400, "nested"},
		"an unknown member": {
			"GET", `Groups?filter=id eq "GROUP" and members eq "nobody"`, "", 404, "not found",
		},
		"an empty member":           {"GET", `Groups?filter=id eq "GROUP" and members eq ""`, "", 400, "empty"},
		"a count that is no number": {"GET", "Users?count=many", "", 400, "count"},
		"a condition of a PATCH": {
			"PATCH", "Users/USER", patch(`{"op":"replace","path":"title","value":"x","if":"y"}`), 400,
			"is not a member",
		},
		"a member beside Operations": {
			"PATCH", "Users/USER", `{"Operations":[{"op":"replace","path":"title","value":"x"}],"dryRun":true}`, 400,
			"is not a member",
		},
		"two filters": {
			"GET", `Users?filter=userName eq "x"&filter=userName eq "y"`, "", 400, "Duplicate parameter: filter",
		},
		"a broken cursor": {"GET", "Users?cursor=!!", "", 400, "cursor"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t)
			id := e.ada()
			group := e.want(201, "POST", "Groups", `{"displayName":"Engineers"}`)["id"].(string)
			before := e.want(200, "GET", "Users/"+id, "")
			path := strings.NewReplacer("USER", id, "GROUP", group).Replace(c.path)
			status, body := e.send(c.method, path, strings.NewReplacer("USER", id, "GROUP", group).Replace(c.body))
			if status != c.status || !strings.Contains(fmt.Sprint(body["detail"]), c.detail) {
				t.Errorf("%d %v, want %d and %q", status, body, c.status, c.detail)
			}
			if body["status"] != fmt.Sprint(c.status) || body["schema"] == nil || body["schemas"] == nil {
				t.Errorf("the error's shape is not AWS's: %v", body)
			}
			if after := e.want(200, "GET", "Users/"+id, ""); fmt.Sprint(after) != fmt.Sprint(before) {
				t.Errorf("a refused request changed the user: %v, was %v", after, before)
			}
			if n := e.want(200, "GET", "Users", "")["totalResults"]; n != 1.0 {
				t.Errorf("%v users, want 1", n)
			}
			if c.method != "GET" || c.status == 400 {
				e.wantEvent(audit.Refused)
			}
		})
	}
}

// wantEvent checks that the newest event of a change or refusal has the result.
func (e *endpoint) wantEvent(result string) {
	e.t.Helper()
	events, err := e.center.Events(context.Background(), center.EventQuery{Limit: 100})
	if err != nil {
		e.t.Fatal(err)
	}
	for _, event := range events {
		if event.Result == result && event.Actor.RequestID != "test-request" {
			return
		}
	}
	e.t.Errorf("no %s event was left", result)
}

func TestTokens(t *testing.T) {
	e := newEndpoint(t)
	for name, c := range map[string]struct{ url, authorization string }{
		"none":              {e.url + "Users", ""},
		"wrong":             {e.url + "Users", "Bearer wrong"},
		"another scheme":    {e.url + "Users", "Basic " + e.token},
		"another tenant":    {strings.Replace(e.url, "/scim/", "x/scim/", 1) + "Users", "Bearer " + e.token},
		"an unknown path":   {e.url + "Nonsense", "Bearer wrong"},
		"discovery as well": {e.url + "ServiceProviderConfig", "Bearer wrong"},
	} {
		if status, body := e.raw("GET", c.url, "", c.authorization); status != http.StatusUnauthorized ||
			!strings.Contains(body, `"status":"401"`) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	e.wantEvent(audit.Refused)
	e.now = e.now.Add(center.TokenLifetime)
	if status, _ := e.raw("GET", e.url+"Users", "", "Bearer "+e.token); status != http.StatusUnauthorized {
		t.Errorf("an expired token: %d", status)
	}
	e.now = e.now.Add(-time.Second)
	e.want(200, "GET", "Users", "")
	tokens, err := e.center.BearerTokens(context.Background())
	if err != nil || tokens[0].LastUsedAt.IsZero() {
		t.Errorf("last use %v, %v", tokens[0].LastUsedAt, err)
	}
	if err := e.center.DeleteBearerToken(context.Background(), centertest.Actor, tokens[0].ID); err != nil {
		t.Fatal(err)
	}
	if status, _ := e.raw("GET", e.url+"Users", "", "Bearer "+e.token); status != http.StatusUnauthorized {
		t.Errorf("a deleted token: %d", status)
	}
}

func TestMembersAreTakenButNeverReturned(t *testing.T) {
	e := newEndpoint(t)
	id := e.ada()
	member := `{"value":"` + id + `"}`
	group := e.want(201, "POST", "Groups", `{"displayName":"Engineers","externalId":"g-1","members":[`+member+`]}`)
	if group["members"] != nil {
		t.Errorf("the created group shows members: %v", group)
	}
	path := "Groups/" + group["id"].(string)
	pair := `Groups?filter=id eq "` + group["id"].(string) + `" and members eq "` + id + `"`
	isMember := func(want float64) {
		t.Helper()
		if got := e.want(200, "GET", pair, "")["totalResults"]; got != want {
			t.Errorf("membership %v, want %v", got, want)
		}
	}
	isMember(1)
	for _, remove := range []string{
		`{"op":"Remove","path":"members","value":[` + member + `]}`,
		`{"op":"remove","path":"members[value eq \"` + id + `\"]"}`,
	} {
		// a member already: no error
		e.want(204, "PATCH", path, patch(`{"op":"Add","path":"members","value":[`+member+`]}`))
		isMember(1)
		e.want(204, "PATCH", path, patch(remove))
		isMember(0)
		e.want(204, "PATCH", path, patch(remove)) // gone already: no error
	}
	e.want(204, "PATCH", path, patch(`{"op":"Add","path":"members","value":[]}`))
	e.want(204, "PATCH", path, patch(`{"op":"replace","value":{"displayName":"Mechanics"}}`))
	if got := e.want(
		200, "GET", `Groups?filter=displayName eq "mechanics"`, "",
	)["Resources"].([]any)[0].(map[string]any); got["displayName"] != "Mechanics" ||
		fmt.Sprint(got["members"]) != "[]" {
		t.Errorf("listed as %v", got)
	}
	e.want(204, "DELETE", path, "")
	e.want(404, "DELETE", path, "")
}

func TestListsFilterAndPage(t *testing.T) {
	e := newEndpoint(t)
	for i := range 7 {
		e.want(
			201,
			"POST",
			"Users",
			fmt.Sprintf(
				`{"userName":"user%d","externalId":"x%d","name":{"givenName":"U","familyName":"%d"},
					"displayName":"U %d"}`,
				i, i, i, i,
			),
		)
	}
	for query, want := range map[string]float64{
		`?filter=userName eq "USER3"`: 1, `?filter=userName eq "nobody"`: 0, `?filter=externalId eq "x3"`: 1,
		`?filter=externalId eq "X3"`: 0, "": 7, "?unknown=1": 7,
	} {
		if got := e.want(200, "GET", "Users"+query, ""); got["totalResults"] != want {
			t.Errorf("%s: %v, want %v", query, got["totalResults"], want)
		}
	}
	page := e.want(200, "GET", "Users?startIndex=6&count=5", "")
	if page["itemsPerPage"] != 2.0 || page["totalResults"] != 7.0 || page["startIndex"] != 6.0 {
		t.Errorf("index page %v", page)
	}
	seen, cursor := map[string]bool{}, ""
	for range 10 {
		page = e.want(200, "GET", "Users?count=3&cursor="+cursor, "")
		if _, has := page["totalResults"]; has {
			t.Error("a cursor page has a total")
		}
		for _, r := range page["Resources"].([]any) {
			seen[r.(map[string]any)["userName"].(string)] = true
		}
		if page["nextCursor"] == nil {
			break
		}
		cursor = page["nextCursor"].(string)
	}
	if len(seen) != 7 {
		t.Errorf("cursor paging saw %d users, want 7", len(seen))
	}
	if status, _ := e.raw("GET", strings.TrimSuffix(e.url, "/")+"//users", "", "Bearer "+e.token); status != 200 {
		t.Errorf("doubled slash and lower case: %d", status)
	}
}

func TestDisablingAUserEndsSessions(t *testing.T) {
	e := newEndpoint(t)
	id := e.ada()
	ctx := context.Background()
	secret, _, _, err := e.center.SignInWithAssertion(
		ctx,
		audit.Actor{Kind: audit.Anonymous},
		center.VerifiedAssertion{
			Issuer:      "https://idp",
			ID:          "a1",
			NameID:      "ada@example.com",
			UsableUntil: e.now.Add(time.Hour),
		},
		center.Browser{},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.center.PortalUser(ctx, secret.Reveal()); err != nil {
		t.Fatal(err)
	}
	e.want(200, "PATCH", "Users/"+id, patch(`{"op":"Replace","path":"active","value":"False"}`))
	if _, err := e.center.PortalUser(ctx, secret.Reveal()); refusal.CodeOf(err) != center.SessionInvalid {
		t.Errorf("the session goes on: %v", err)
	}
	if _, _, _, err := e.center.SignInWithAssertion(
		ctx, audit.Actor{Kind: audit.Anonymous},
		center.VerifiedAssertion{Issuer: "https://idp", ID: "a2", NameID: "ada@example.com"}, center.Browser{},
	); refusal.CodeOf(err) != center.UserDisabled {
		t.Errorf("sign-in: %v, want it refused", err)
	}
}

// TestEveryReasonHasAnAnswer: whatever the center refuses, SCIM clients get a SCIM error with a
// status and a text.
func TestEveryReasonHasAnAnswer(t *testing.T) {
	for _, code := range center.Refusals.All() {
		status, detail := scimserver.AnswerTo(&refusal.Error{Code: code})
		if status < 400 || detail == "" {
			t.Errorf("%s: %d %q", code, status, detail)
		}
	}
	if status, detail := scimserver.AnswerTo(io.ErrUnexpectedEOF); status != 500 || strings.Contains(detail, "EOF") {
		t.Errorf("an unknown error: %d %q; its text is not for strangers", status, detail)
	}
}

func FuzzPatchUser(f *testing.F) {
	for _, ops := range []string{
		`{"op":"Replace","path":"active","value":"False"}`,
		`{"op":"add","path":"emails[type eq \"work\"].value","value":"x@y"}`,
		`{"op":"remove","path":"name.givenName"}`, `{"op":"add","value":{"a":1}}`,
	} {
		f.Add([]byte(patch(ops)))
	}
	c := centertest.New(f, "http://127.0.0.1")
	u, err := c.CreateUser(context.Background(), centertest.Actor, centertest.Person("ada@example.com"))
	if err != nil {
		f.Fatal(err)
	}
	h := &scimserver.Handler{Center: c, Log: slog.New(slog.DiscardHandler)}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
			_ = scimserver.Call(h, profile, http.MethodPatch, "Users/"+string(u.ID), body) // must not panic
		}
		if _, err := c.User(context.Background(), u.ID); err != nil {
			t.Fatal(err)
		}
	})
}
