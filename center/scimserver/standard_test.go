package scimserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// newStandard is an endpoint whose token speaks the standard profile.
func newStandard(t testing.TB) *endpoint {
	t.Helper()
	e := newEndpoint(t)
	made, err := e.center.CreateBearerToken(context.Background(), centertest.Actor, center.ProfileStandard)
	if err != nil {
		t.Fatal(err)
	}
	e.token = made.Secret.Reveal()
	return e
}

// header sends a request with one more header and returns the answer with its body.
func (e *endpoint) header(method, path, name, value, body string) (*http.Response, string) {
	e.t.Helper()
	return e.do(method, e.url+path, body, map[string]string{"Authorization": "Bearer " + e.token, name: value})
}

const grace = `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"grace","title":"Admiral",
	"emails":[{"value":"grace@navy.example","type":"work","primary":true},
 {"value":"grace@home.example","type":"home","display":"Home"}],"phoneNumbers":[{"value":"+1"},{"value":"+2"}],
 "photos":[{"value":"https://x/1.png"}],"active":false}`

func TestTheStandardProfileKeepsWhatAWSRefuses(t *testing.T) {
	e := newStandard(t)
	made := e.want(201, "POST", "Users", grace)
	if made["displayName"] != nil || len(made["emails"].([]any)) != 2 || len(made["phoneNumbers"].([]any)) != 2 ||
		len(made["photos"].([]any)) != 1 {
		t.Errorf("made as %v", made)
	}
	id := made["id"].(string)
	if location := dig(made, "meta.location"); location != e.url+"Users/"+id || dig(made, "meta.version") != `W/"1"` {
		t.Errorf("meta %v", made["meta"])
	}
	e.want(201, "POST", "Users", `{"userName":"unknown.attributes.are.ignored","shoeSize":1}`)
	got := e.want(
		200,
		"PATCH",
		"Users/"+id,
		patch(
			`{"op":"replace","path":"emails[type eq \"home\"].value","value":"g@home.example"},{"op":"remove",
				"path":"phoneNumbers[value eq \"+1\"]"},{"op":"add","value":{"nickName":"Amazing",
				"title":"Rear admiral"}}`,
		),
	)
	if got["nickName"] != "Amazing" || got["title"] != "Rear admiral" || len(got["phoneNumbers"].([]any)) != 1 ||
		!strings.Contains(fmt.Sprint(got["emails"]), "g@home.example") {
		t.Errorf("patched to %v", got)
	}
	aws := newEndpointOn(e, center.ProfileAWS)
	if seen := aws.want(200, "GET", "Users/"+id, ""); len(seen["emails"].([]any)) != 1 ||
		dig(seen, "emails.value") != "grace@navy.example" || seen["photos"] != nil {
		t.Errorf("AWS's profile shows %v; want the primary address and no photos", seen)
	}
	aws.want(400, "POST", "Users", grace)
}

// newEndpointOn is the same center with a token of a profile, in the place of the first one.
func newEndpointOn(e *endpoint, profile center.Profile) *endpoint {
	e.t.Helper()
	ctx := context.Background()
	tokens, err := e.center.BearerTokens(ctx)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, t := range tokens {
		if t.Profile == profile {
			if err := e.center.DeleteBearerToken(ctx, centertest.Actor, t.ID); err != nil {
				e.t.Fatal(err)
			}
		}
	}
	made, err := e.center.CreateBearerToken(ctx, centertest.Actor, profile)
	if err != nil {
		e.t.Fatal(err)
	}
	other := *e
	other.token = made.Secret.Reveal()
	return &other
}

func TestStandardFilters(t *testing.T) {
	e := newStandard(t)
	for i, extra := range []string{`"title":"Chief Architect","emails":[{"value":"one@a.example","type":"work"}]`,
		`"title":"architect","active":false,"emails":[{"value":"two@b.example","type":"home"}]`,
		`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Ops","manager":{"value":"m1"}}`,
		`"name":{"familyName":"Zuse"},"nickName":"Z"`} {
		e.want(201, "POST", "Users", fmt.Sprintf(`{"userName":"user%d","externalId":"X%d",%s}`, i, i, extra))
	}
	users := e.want(200, "GET", "Users?sortBy=userName", "")["Resources"].([]any)
	group := e.want(
		201,
		"POST",
		"Groups",
		fmt.Sprintf(
			`{"displayName":"Builders","members":[{"value":%q},{"value":%q}]}`, users[0].(map[string]any)["id"],
			users[2].(map[string]any)["id"],
		),
	)
	for filter, want := range map[string]string{
		`userName eq "USER1"`: "1", `userName ne "user1"`: "0 2 3", `title co "ARCH"`: "0 1", `title sw "chief"`: "0",
		`title ew "itect"`: "0 1", `title pr`: "0 1", `not (title pr)`: "2 3",
		`userName gt "user1"`: "2 3", `userName ge "user1"`: "1 2 3", `userName lt "user1"`: "0",
		`userName le "user1"`: "0 1", `externalId eq "x1"`: "", `externalId eq "X1"`: "1",
		`active eq false`: "1", `active eq true and (title pr or nickName pr)`: "0 3",
		`title eq "architect" or nickName eq "z"`:   "1 3",
		`emails[type eq "work" and value co "@a."]`: "0", `emails.value ew "b.example"`: "1", `emails co "one@"`: "0",
		`name.familyName eq "ZUSE"`: "3",
		`urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "ops"`: "2",
		`department eq "ops"`: "2", `urn:ietf:params:scim:schemas:core:2.0:User:userName eq "user3"`: "3",
		`meta.created gt "2026-11-23T11:59:59Z"`: "0 1 2 3", `meta.lastModified lt "2026-11-23T11:59:59Z"`: "",
		`userName eq "user2" and title pr`: "", `groups.value eq "` + group["id"].(string) + `"`: "0 2",
		`groups[display eq "builders"]`: "0 2", `groups.value eq "nobody"`: "",
	} {
		got := e.want(
			200, "GET",
			"Users?sortBy=userName&filter="+strings.ReplaceAll(strings.ReplaceAll(filter, "+", "%2B"), "&", "%26"),
			"",
		)
		var names []string
		for _, r := range got["Resources"].([]any) {
			names = append(names, strings.TrimPrefix(r.(map[string]any)["userName"].(string), "user"))
		}
		if strings.Join(names, " ") != want || got["totalResults"] != float64(len(names)) {
			t.Errorf("%s: %v of %v, want %q", filter, names, got["totalResults"], want)
		}
	}
	if got := e.want(200, "GET", `Groups?filter=members.value eq "nobody"`, ""); got["totalResults"] != 0.0 {
		t.Errorf("groups of nobody: %v; want an empty list, not AWS's 404", got)
	}
	for _, filter := range []string{
		`shoeSize eq 1`, `active gt true`, `title[value eq "x"]`, `userName xx "y"`, `userName eq`, `(userName pr`,
		strings.Repeat(`userName eq "x" or `, 2000) + `title pr`,
	} {
		status, body := e.send("GET", "Users?filter="+strings.ReplaceAll(filter, " ", "%20"), "")
		if status != 400 || body["scimType"] != "invalidFilter" {
			t.Errorf("%.40s: %d %v, want invalidFilter", filter, status, body)
		}
	}
}

func TestStandardSortingPagingAndProjection(t *testing.T) {
	e := newStandard(t)
	for _, u := range []string{
		`"userName":"c","title":"b"`, `"userName":"a","title":"B2"`, `"userName":"d"`, `"userName":"b","title":"a"`,
	} {
		e.want(201, "POST", "Users", "{"+u+`,"emails":[{"value":"x`+u[12:13]+`@y.z","type":"work"}]}`)
	}
	order := func(query string) string {
		var names []string
		for _, r := range e.want(200, "GET", "Users?"+query, "")["Resources"].([]any) {
			names = append(names, r.(map[string]any)["userName"].(string))
		}
		return strings.Join(names, "")
	}
	for query, want := range map[string]string{
		"sortBy=userName": "abcd", "sortBy=userName&sortOrder=descending": "dcba", "sortBy=title": "bcad",
		"sortBy=title&sortOrder=descending": "dacb", "sortBy=emails.value": "abcd", "sortBy=emails": "abcd",
		"sortBy=userName&startIndex=2&count=2": "bc", "count=0": "", "sortBy=userName&startIndex=9": "",
	} {
		if got := order(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	page := e.want(200, "GET", "Users?count=0", "")
	if page["totalResults"] != 4.0 || page["itemsPerPage"] != 0.0 {
		t.Errorf("count=0: %v", page)
	}
	got := e.want(
		200, "GET", "Users?attributes=userName,emails.value&count=1", "",
	)["Resources"].([]any)[0].(map[string]any)
	if len(got) != 4 || got["title"] != nil || dig(got, "emails.type") != nil || dig(got, "emails.value") == nil {
		t.Errorf("attributes: %v; want id, schemas and what was asked for", got)
	}
	got = e.want(
		200, "GET", "Users?excludedAttributes=emails,meta,id&count=1", "",
	)["Resources"].([]any)[0].(map[string]any)
	if got["emails"] != nil || got["meta"] != nil || got["id"] == nil {
		t.Errorf("excludedAttributes: %v; want all but emails and meta, and always the id", got)
	}
	found := e.want(
		200, "POST", "Users/.search",
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],"filter":"title pr","sortBy":"userName",
			"attributes":["userName"],"startIndex":1,"count":2}`,
	)
	if found["totalResults"] != 3.0 || len(found["Resources"].([]any)) != 2 {
		t.Errorf("search: %v", found)
	}
	e.want(201, "POST", "Groups", `{"displayName":"a"}`)
	both := e.want(200, "POST", ".search", `{"filter":"displayName eq \"a\" or userName eq \"a\""}`)
	if both["totalResults"] != 2.0 {
		t.Errorf("search over all with an attribute that groups do not have: %v", both)
	}
	if both = e.want(200, "POST", ".search", `{"filter":"meta.created pr"}`); both["totalResults"] != 5.0 {
		t.Errorf("search over all: %v", both)
	}
	for _, filter := range []string{"", "&filter=userName pr"} {
		seen, cursor := 0, ""
		for range 4 {
			p := e.want(200, "GET", "Users?count=3&cursor="+cursor+filter, "")
			seen += len(p["Resources"].([]any))
			var more bool
			if cursor, more = p["nextCursor"].(string); !more {
				break
			}
		}
		if seen != 4 {
			t.Errorf("by cursor%s: %d, want 4", filter, seen)
		}
	}
}

func TestStandardGroups(t *testing.T) {
	e := newStandard(t)
	var ids []string
	for i := range 3 {
		ids = append(
			ids,
			e.want(201, "POST", "Users", fmt.Sprintf(`{"userName":"u%d","displayName":"U %d"}`, i, i))["id"].(string),
		)
	}
	member := func(i int) string { return `{"value":"` + ids[i] + `"}` }
	group := e.want(201, "POST", "Groups", `{"displayName":"Crew","members":[`+member(0)+`]}`)
	path := "Groups/" + group["id"].(string)
	members := func(want string) {
		t.Helper()
		var names []string
		list, _ := e.want(200, "GET", path, "")["members"].([]any)
		for _, m := range list {
			names = append(names, m.(map[string]any)["display"].(string))
		}
		if got := strings.Join(names, ","); got != want {
			t.Errorf("members %q, want %q", got, want)
		}
	}
	members("U 0")
	if user := e.want(200, "GET", "Users/"+ids[0], ""); dig(user, "groups.display") != "Crew" {
		t.Errorf("the user shows groups %v", user["groups"])
	}
	e.want(204, "PATCH", path, patch(`{"op":"replace","path":"members","value":[`+member(1)+`,`+member(2)+`]}`))
	members("U 1,U 2")
	put := e.want(200, "PUT", path, `{"displayName":"Team","members":[`+member(0)+`,`+member(2)+`]}`)
	if put["displayName"] != "Team" || len(put["members"].([]any)) != 2 {
		t.Errorf("put: %v", put)
	}
	e.want(204, "PATCH", path, patch(`{"op":"remove","path":"members"}`))
	members("")
	e.want(404, "PATCH", path, patch(`{"op":"add","path":"members","value":[{"value":"nobody"}]}`))
	if shown := e.want(
		200, "PATCH", path+"?attributes=displayName",
		patch(`{"op":"replace","value":{"displayName":"Squad","id":"x","schemas":[]}}`),
	); shown["displayName"] != "Squad" {
		t.Errorf("patched with attributes: %v", shown)
	}
	e.want(
		204,
		"PATCH",
		path,
		patch(
			`{"op":"add","path":"members","value":[`+member(0)+`]},{"op":"remove","path":"members","value":[`+member(
				0,
			)+`]},{"op":"add","path":"members","value":[`+member(1)+`]}`,
		),
	)
	members("U 1")
	if got := e.want(200, "GET", path+"?excludedAttributes=members", ""); got["members"] != nil {
		t.Errorf("members are shown though excluded: %v", got)
	}
	for _, name := range []string{"members", "MEMBERS.value", "urn:ietf:params:scim:schemas:core:2.0:Group:members"} {
		if got := e.want(200, "GET", path+"?attributes="+name, ""); dig(got, "members.value") != ids[1] ||
			got["displayName"] != nil {
			t.Errorf("%s shows %v, want the members alone", name, got)
		}
	}
	if got := e.want(200, "GET", "Users/"+ids[1]+"?attributes=userName", ""); got["groups"] != nil {
		t.Errorf("groups are shown though not asked for: %v", got)
	}
}

// TestMessagesHaveNoOtherMembers: what RFC 7644 does not define in its own messages is refused;
// unknown query parameters it says to pass over (§3.4.2).
func TestMessagesHaveNoOtherMembers(t *testing.T) {
	e := newStandard(t)
	for path, body := range map[string]string{
		"Users/.search": `{"fliter":"userName eq \"x\""}`, ".search": `{"filter":"userName pr","limit":1}`,
		"Groups/.search": `{"sortBy":"displayName","sortOrder":"down"}`, "Bulk": `{"Operations":[],"atomic":true}`,
	} {
		e.want(400, "POST", path, body)
	}
	e.want(400, "GET", "Users?sortBy=userName&sortOrder=desc", "")
	e.want(400, "GET", "Users?count=1&count=2", "")
	e.want(200, "GET", "Users?colour=red&colour=blue", "")
}

func TestETagsGuardChanges(t *testing.T) {
	e := newStandard(t)
	res, body := e.header("POST", "Users", "X-None", "", grace)
	var made map[string]any
	if err := json.Unmarshal([]byte(body), &made); err != nil {
		t.Fatal(err)
	}
	tag, path := res.Header.Get("ETag"), "Users/"+made["id"].(string)
	if tag != `W/"1"` || res.Header.Get("Location") != e.url+path ||
		res.Header.Get("Content-Type") != "application/scim+json" {
		t.Errorf("headers %v", res.Header)
	}
	for _, c := range []struct {
		method, header, value, body string
		status                      int
	}{
		{"GET", "If-None-Match", tag, "", 304}, {"GET", "If-None-Match", `W/"9"`, "", 200},
		{"PATCH", "If-Match", `W/"9"`, patch(`{"op":"replace","path":"title","value":"no"}`), 412},
		{"PATCH", "If-Match", tag, patch(`{"op":"replace","path":"title","value":"yes"}`), 200},
		{"PUT", "If-Match", tag, `{"userName":"grace"}`, 412}, {"DELETE", "If-Match", tag, "", 412},
		{"PUT", "If-Match", `W/"2", W/"7"`, `{"userName":"grace","title":"last"}`, 200},
		{"DELETE", "If-Match", "*", "", 204},
	} {
		res, body := e.header(c.method, path, c.header, c.value, c.body)
		if res.StatusCode != c.status {
			t.Errorf("%s with %s %s: %d %s, want %d", c.method, c.header, c.value, res.StatusCode, body, c.status)
		}
	}
}

func TestBulk(t *testing.T) {
	e := newStandard(t)
	run := func(body string) []any { return e.want(200, "POST", "Bulk", body)["Operations"].([]any) }
	// The group comes first and waits for the users that it names.
	results := run(`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],"Operations":[
	 {"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"Bulk","members":[{"value":"bulkId:u1"},
	 {"value":"bulkId:u2"}]}},
	 {"method":"POST","path":"/Users","bulkId":"u1","data":{"userName":"b1"}}, {"method":"post","path":"/Users",
	 "bulkId":"u2","data":{"userName":"b2"}},
	 {"method":"PATCH","path":"/Users/bulkId:u1","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
	 "Operations":[{"op":"add","path":"title","value":"Boss"}]}},
	 {"method":"POST","path":"/Users","bulkId":"twin","data":{"userName":"B1"}}]}`)
	status := map[string]string{}
	for _, r := range results {
		m := r.(map[string]any)
		status[fmt.Sprint(m["method"], " ", m["bulkId"])] = m["status"].(string)
	}
	if status["POST g"] != "201" || status["POST u1"] != "201" || status["post u2"] != "201" ||
		status["PATCH <nil>"] != "200" || status["POST twin"] != "409" {
		t.Errorf("results %v", results)
	}
	group := e.want(200, "GET", `Groups?filter=displayName eq "Bulk"`, "")["Resources"].([]any)[0].(map[string]any)
	if len(group["members"].([]any)) != 2 {
		t.Errorf("the group is %v", group)
	}
	if boss := e.want(
		200, "GET", `Users?filter=userName eq "b1"`, "",
	)["Resources"].([]any)[0].(map[string]any); boss["title"] != "Boss" {
		t.Errorf("the user is %v", boss)
	}
	if results = run(
		`{"failOnErrors":1,"Operations":[{"method":"DELETE","path":"/Users/nobody"},{"method":"POST","path":"/Users",
			"bulkId":"x","data":{"userName":"never"}}]}`,
	); len(results) != 1 {
		t.Errorf("after the first error it went on: %v", results)
	}
	results = run(
		`{"Operations":[{"method":"POST","path":"/Groups","bulkId":"a","data":{"displayName":"A",
			"members":[{"value":"bulkId:b"}]}},{"method":"POST","path":"/Groups","bulkId":"b",
			"data":{"displayName":"B","members":[{"value":"bulkId:a"}]}},
	 {"method":"GET","path":"/Users"},{"method":"POST","path":"/Bulk","bulkId":"z","data":{}},{"method":"POST",
	 "path":"/Users","data":{"userName":"no id"}}]}`,
	)
	for _, r := range results {
		if s := r.(map[string]any)["status"]; s != "404" && s != "409" && s != "400" {
			t.Errorf("accepted: %v", r)
		}
	}
	e.want(413, "POST", "Bulk", `{"Operations":[`+strings.Repeat(`{},`, 1000)+`{}]}`)
	if status, _ := newEndpoint(t).send("POST", "Bulk", `{}`); status != 400 {
		t.Errorf("AWS's profile has bulk: %d", status)
	}
}

func TestStandardDiscoveryAndRefusals(t *testing.T) {
	e := newStandard(t)
	config := e.want(200, "GET", "ServiceProviderConfig", "")
	for _, feature := range []string{"patch", "bulk", "filter", "sort", "etag"} {
		if dig(config, feature+".supported") != true {
			t.Errorf("%s is not announced: %v", feature, config[feature])
		}
	}
	e.want(200, "GET", "ResourceTypes/User", "")
	if schema := e.want(200, "GET", "Schemas/urn:ietf:params:scim:schemas:core:2.0:User", ""); !strings.Contains(
		fmt.Sprint(schema), "x509Certificates",
	) {
		t.Errorf("the user's schema lacks attributes: %v", schema)
	}
	for name, c := range map[string]struct {
		method, path, body string
		status             int
		scimType           any
	}{
		"me":                  {"GET", "Me", "", 501, nil},
		"an unknown endpoint": {"GET", "Nonsense", "", 404, nil},
		"an unknown schema":   {"GET", "Schemas/urn:x", "", 404, nil},
		"two primaries": {
			"POST", "Users",
			`{"userName":"x","emails":[{"value":"a@b.c","primary":true},{"value":"d@e.f","primary":true}]}`, 400,
			"invalidValue",
		},
		"no user name":        {"POST", "Users", `{"displayName":"x"}`, 400, "invalidValue"},
		"a name twice":        {"POST", "Users", `{"userName":"x","userName":"y"}`, 400, "invalidSyntax"},
		"a name in two cases": {"POST", "Users", `{"userName":"x","USERNAME":"y"}`, 400, "invalidSyntax"},
		"a read-only path": {
			"PATCH", "Users/USER", patch(`{"op":"replace","path":"id","value":"x"}`), 400, "mutability",
		},
		"an unknown path": {
			"PATCH", "Users/USER", patch(`{"op":"replace","path":"shoeSize","value":"x"}`), 400, "invalidPath",
		},
		"a taken name":     {"POST", "Users", `{"userName":"ADA@example.com"}`, 409, "uniqueness"},
		"a body too large": {"POST", "Users", `{"userName":"` + strings.Repeat("x", 2<<20) + `"}`, 413, nil},
	} {
		id := e.want(201, "POST", "Users", strings.ReplaceAll(ada, "ada@example.com", "ada@example.com"))["id"].(string)
		status, body := e.send(c.method, strings.ReplaceAll(c.path, "USER", id), c.body)
		if status != c.status || body["scimType"] != c.scimType || body["schemas"] == nil || body["detail"] == "" {
			t.Errorf("%s: %d %v, want %d %v", name, status, body, c.status, c.scimType)
		}
		e.want(204, "DELETE", "Users/"+id, "")
	}
}

// TestAnAttributeOfAPatchStandsOnce names attributes twice in the value of an operation without a
// path, where letter case makes no other name.
func TestAnAttributeOfAPatchStandsOnce(t *testing.T) {
	e := newStandard(t)
	path := "Users/" + e.want(201, "POST", "Users", `{"userName":"eve","active":true}`)["id"].(string)
	const enterprise = `"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`
	for _, value := range []string{
		`{"active":false,"Active":true}`, `{"name.familyName":"A","Name.familyName":"B"}`,
		`{` + enterprise + `:division":"A",` + enterprise + `":{"division":"B"}}`,
	} {
		status, body := e.send("PATCH", path, patch(`{"op":"replace","value":`+value+`}`))
		if status != 400 || !strings.Contains(fmt.Sprint(body), "duplicate attribute") {
			t.Errorf("%s: %d %v", value, status, body)
		}
	}
	if u := e.want(200, "GET", path, ""); u["active"] != true || u["name"] != nil {
		t.Errorf("changed to %v", u)
	}
	const both = `{"op":"replace","value":{"emails[type eq \"work\"].value":"a@example.com","title":"Dr"}}`
	e.want(200, "PATCH", path, patch(both))
}

// TestAListIsBoundedWhileAPatchChangesIt adds values by the thousand and has each filter look at
// all of them: that took a minute, in the transaction that all other changes wait for.
func TestAListIsBoundedWhileAPatchChangesIt(t *testing.T) {
	e := newStandard(t)
	path := "Users/" + e.want(201, "POST", "Users", `{"userName":"eve","active":true}`)["id"].(string)
	many := func(n int) string { return strings.TrimSuffix(strings.Repeat(`{"value":"a"},`, n), ",") }
	const gone = `{"op":"remove","path":"emails[value eq \"a\"]"}`
	var filtered, twos strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&filtered, `{"op":"add","path":"emails[type eq \"%d\"].value","value":"a"},`, i)
		fmt.Fprintf(&twos, `{"op":"add","path":"emails","value":[{"value":"a%d"},{"value":"b%d"}]},`, i, i)
	}
	for name, operations := range map[string]string{
		"by filter": filtered.String() + gone,
		"at once":   `{"op":"add","path":"emails","value":[` + many(2000) + `]},` + gone,
		"in place":  `{"op":"replace","path":"emails","value":[` + many(2000) + `]},` + gone,
		"by itself": `{"op":"add","value":{"emails":[` + many(2000) + `]}},` + gone,
		"by twos":   twos.String() + gone,
	} {
		if status, body := e.send("PATCH", path, patch(operations)); status != 400 ||
			body["scimType"] != "invalidValue" {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	e.want(200, "PATCH", path, patch(`{"op":"add","path":"emails","value":[`+many(60)+`]},`+gone))
}

// TestALongChainOfABulkRequest sends as many operations as there may be, each of which waits for
// the next one: looking for what can run took longer with the third power of their number. Ids that
// begin with another one are ids of their own.
func TestALongChainOfABulkRequest(t *testing.T) {
	e := newStandard(t)
	var operations []string
	for i := range 1000 {
		operations = append(operations, fmt.Sprintf(`{"method":"POST","path":"/Groups","bulkId":"%d","data":`+
			`{"displayName":"chain %d","externalId":"bulkId:%d"},"version":%q}`, i, i, i+1,
			strings.Repeat("bulkI", 150)))
	}
	began := time.Now()
	results := e.want(200, "POST", "Bulk", `{"Operations":[`+strings.Join(operations, ",")+`]}`)["Operations"].([]any)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	for _, r := range results {
		if m := r.(map[string]any); m["status"] != "201" {
			t.Fatalf("refused: %v", m)
		}
	}
	first := e.want(200, "GET", `Groups?filter=displayName eq "chain 0"`, "")["Resources"].([]any)[0].(map[string]any)
	second := e.want(200, "GET", `Groups?filter=displayName eq "chain 1"`, "")["Resources"].([]any)[0].(map[string]any)
	if first["externalId"] != second["id"] {
		t.Errorf("the first is %v, the second %v", first, second)
	}
}
