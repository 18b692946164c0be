package scimserver_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
)

// TestASchemeInAnyLetterCase: the scheme of a token is needed, and has no letter case (RFC 9110
// §11.1).
func TestASchemeInAnyLetterCase(t *testing.T) {
	e := newEndpoint(t)
	for authorization, want := range map[string]int{
		"bearer " + e.token: 200, "BEARER  " + e.token: 200, "Bearer " + e.token + " ": 200,
		e.token: 401, "Bearer" + e.token: 401, "Token " + e.token: 401, "Bearer": 401, " ": 401,
	} {
		if status, body := e.raw("GET", e.url+"Users", "", authorization); status != want {
			t.Errorf("%.10s: %d %s, want %d", authorization, status, body, want)
		}
	}
}

// TestABodyInAnotherMediaTypeIsRefused: 415, and nothing is made of it.
func TestABodyInAnotherMediaTypeIsRefused(t *testing.T) {
	for profile, e := range profiles(t) {
		path := "Users/" + e.ada()
		for kind, want := range map[string]int{
			"text/plain": 415, "application/xml": 415, "application/x-www-form-urlencoded": 415,
			"multipart/form-data; boundary=x": 415, "application/jsonp": 415, "text/json": 415, "json": 415, ";": 415,
			"application/json": 200, "application/scim+json": 200, "Application/SCIM+JSON; charset=utf-8": 200,
			"application/json;charset=UTF-8": 200, "": 200,
		} {
			for method, body := range map[string]string{
				"PATCH": patch(`{"op":"replace","path":"title","value":"Dr"}`), "PUT": ada,
			} {
				res, text := e.do(method, e.url+path, body, map[string]string{
					"Authorization": "Bearer " + e.token, "Content-Type": kind,
				})
				if res.StatusCode != want || want == 415 && !strings.Contains(text, `"status":"415"`) {
					t.Errorf("%s %s %q: %d %s, want %d", profile, method, kind, res.StatusCode, text, want)
				}
			}
		}
		if res, text := e.header("PUT", path, "Content-Encoding", "gzip", ada); res.StatusCode != 415 {
			t.Errorf("%s gzip: %d %s", profile, res.StatusCode, text)
		}
		if res, text := e.do("DELETE", e.url+path, "", map[string]string{
			"Authorization": "Bearer " + e.token, "Content-Type": "text/plain",
		}); res.StatusCode != 204 {
			t.Errorf("%s DELETE needs no media type: %d %s", profile, res.StatusCode, text)
		}
	}
}

// TestQueryStringsAsRFC3986HasThem: a semicolon separates nothing, and an error names what is
// wrong.
func TestQueryStringsAsRFC3986HasThem(t *testing.T) {
	for profile, e := range profiles(t) {
		for _, name := range []string{"R;D", "R&D", "R=D", "R+D", "50%", "a;b;c", "ä;ö"} {
			e.want(201, "POST", "Groups", fmt.Sprintf(`{"displayName":%q}`, name))
			raw := strings.NewReplacer("%", "%25", "&", "%26", "+", "%2B").Replace(name)
			for _, query := range []string{
				"filter=" + url.QueryEscape(`displayName eq "`+name+`"`),
				"filter=displayName%20eq%20%22" + raw + "%22",
				"count=5&&filter=displayName+eq+%22" + raw + "%22&aadOptscim062020",
			} {
				if got := e.want(200, "GET", "Groups?"+query, ""); dig(got["Resources"], "displayName") != name {
					t.Errorf("%s %s: %v", profile, query, got)
				}
			}
		}
		for query, want := range map[string]string{
			`filter=displayName eq "50%"`: "query string", "count=%zz": "query string", "count=1&count=1": "count",
			"filter=displayName eq &filter=x": "filter",
		} {
			status, text := e.raw("GET", e.url+"Groups?"+query, "", "Bearer "+e.token)
			if status != 400 || !strings.Contains(text, want) || strings.Contains(text, "MiB") {
				t.Errorf("%s %s: %d %s", profile, query, status, text)
			}
		}
	}
}

// TestACursorBelongsToItsList: one that was made up, changed, or given by another list is refused.
func TestACursorBelongsToItsList(t *testing.T) {
	for profile, e := range profiles(t) {
		for i := range 5 {
			e.want(201, "POST", "Users", fmt.Sprintf(
				`{"userName":"u%d","displayName":"U","name":{"givenName":"U","familyName":"U"}}`, i))
			e.want(201, "POST", "Groups", fmt.Sprintf(`{"displayName":"g%d"}`, i))
		}
		first := e.want(200, "GET", "Users?count=2&cursor=", "")
		cursor := first["nextCursor"].(string)
		if rest := e.want(200, "GET", "Users?count=9&cursor="+cursor, ""); len(rest["Resources"].([]any)) != 3 {
			t.Errorf("%s: %v", profile, rest)
		}
		foreign := []string{
			"Users?cursor=!!", "Users?cursor=" + "MDE5", "Users?cursor=" + cursor[1:], "Groups?cursor=" + cursor,
			"Users?cursor=x" + cursor,
			"Users?cursor=" + strings.Repeat("A", 86), "Users?cursor=" + strings.Repeat("A", 9999),
			`Users?filter=groups.value eq "x"&cursor=` + cursor,
		}
		if profile == center.ProfileStandard {
			foreign = append(
				foreign, "Users?filter=title pr&cursor="+cursor, "Users?sortBy=userName&cursor="+cursor,
			)
		}
		for _, path := range foreign {
			if status, body := e.send("GET", path, ""); status != 400 || body["scimType"] != "invalidCursor" {
				t.Errorf("%s %.60s: %d %v", profile, path, status, body)
			}
		}
		other := newEndpoint(t)
		if status, body := other.send("GET", "Users?cursor="+cursor, ""); status != 400 {
			t.Errorf("another center: %d %v", status, body)
		}
	}
}

// TestSortedListsHaveCursors pages through a sorted list.
func TestSortedListsHaveCursors(t *testing.T) {
	e := newStandard(t)
	for _, name := range []string{"c", "a", "e", "b", "d"} {
		e.want(201, "POST", "Users", `{"userName":"`+name+`"}`)
	}
	var seen, cursor string
	for range 4 {
		page := e.want(200, "GET", "Users?sortBy=userName&count=2&cursor="+cursor, "")
		for _, r := range page["Resources"].([]any) {
			seen += r.(map[string]any)["userName"].(string)
		}
		var more bool
		if cursor, more = page["nextCursor"].(string); !more {
			break
		}
	}
	if seen != "abcde" {
		t.Errorf("saw %s", seen)
	}
}

// TestQuestionsWithoutSenseAreRefused: what a list cannot answer is an error, not another list.
func TestQuestionsWithoutSenseAreRefused(t *testing.T) {
	e := newStandard(t)
	path := "Users/" + e.ada()
	for _, c := range []struct{ method, path, body string }{
		{"GET", path + "?attributes=userName&excludedAttributes=emails", ""},
		{"GET", "Users?attributes=userName&excludedAttributes=emails", ""},
		{"PATCH", path + "?attributes=title&excludedAttributes=name", patch(`{"op":"add","path":"title","value":"x"}`)},
		{"POST", "Users/.search", `{"attributes":["title"],"excludedAttributes":["name"]}`},
		{"POST", ".search", `{"attributes":["title"],"excludedAttributes":["name"]}`},
		{"POST", ".search", `{"filter":"shoeSize ne \"x\""}`}, {"POST", ".search", `{"sortBy":"shoeSize"}`},
		{"GET", "Users?sortBy=shoeSize", ""}, {"GET", "Users?filter=shoeSize ne 1", ""},
		{"GET", `Users?filter=active eq "maybe"`, ""}, {"GET", "Users?filter=userName gt true", ""},
		{"GET", `Users?filter=meta.created ge "2026-13-45"`, ""}, {"GET", `Users?filter=name eq "x"`, ""},
		{"GET", `Users?filter=emails.primary ne "x"`, ""}, {"GET", `Users?filter=emails[primary eq 2]`, ""},
		{"GET", `Groups?filter=not (members eq false)`, ""}, {"GET", "Users?filter=userName eq \"\xff\"", ""},
	} {
		if status, body := e.send(c.method, c.path, c.body); status != 400 || body["scimType"] == nil {
			t.Errorf("%s %s %s: %d %v", c.method, c.path, c.body, status, body)
		}
	}
	if got := e.want(200, "GET", path, ""); got["title"] != nil {
		t.Errorf("a refused request changed the title to %v", got["title"])
	}
	bulk := e.want(200, "POST", "Bulk", `{"Operations":[{"method":"PATCH","path":"/`+path+
		`?attributes=title&excludedAttributes=name","data":`+patch(`{"op":"add","path":"title","value":"x"}`)+`}]}`)
	if dig(bulk["Operations"], "status") != "400" {
		t.Errorf("bulk: %v", bulk)
	}
	newEndpointOn(e, center.ProfileAWS).want(200, "GET", path+"?attributes=userName&excludedAttributes=emails", "")
}

// TestTheFilterOfAJobThatMatchesByAddress is what Entra ID asks when a job matches people by their
// address.
func TestTheFilterOfAJobThatMatchesByAddress(t *testing.T) {
	for profile, e := range profiles(t) {
		e.ada()
		for filter, want := range map[string]float64{
			`emails[type eq "work"].value eq "ada@example.com"`:   1,
			`emails[type eq "work"].value eq "ADA@example.com"`:   1,
			`Emails[Type eq "Work"].Value Eq "ada@example.com"`:   1,
			`emails[type eq "home"].value eq "ada@example.com"`:   0,
			`emails[type eq "work"].value eq "nobody@x.example"`:  0,
			`emails[type eq "work"].value eq "ada@example.comx"`:  0,
			`emails[type eq "work"].value eq "Ada Lovelace; & +"`: 0,
		} {
			if got := e.want(200, "GET", "Users?filter="+url.QueryEscape(filter), ""); got["totalResults"] != want ||
				len(got["Resources"].([]any)) != int(want) {
				t.Errorf("%s %s: %v", profile, filter, got)
			}
		}
	}
	e := newStandard(t)
	e.want(201, "POST", "Users", grace)
	for filter, want := range map[string]float64{
		`emails[type eq "home"].value sw "grace@"`: 1, `emails[type eq "home"].display pr`: 1,
		`emails[type eq "work"].display pr`: 0, `title pr and emails[type eq "work" or type eq "x"].value co "navy"`: 1,
	} {
		if got := e.want(200, "GET", "Users?filter="+url.QueryEscape(filter), ""); got["totalResults"] != want {
			t.Errorf("%s: %v, want %v", filter, got["totalResults"], want)
		}
	}
	for _, filter := range []string{`emails[type eq "work"].value`, `emails[type eq "work"].shoeSize pr`,
		`emails[type eq "work"].value eq`, `emails[type eq "work"] eq "x"`} {
		e.want(400, "GET", "Users?filter="+url.QueryEscape(filter), "")
	}
	newEndpointOn(e, center.ProfileAWS).want(400, "GET", `Users?filter=phoneNumbers[type eq "work"].value eq "1"`, "")
}

// TestARepresentationThatChangedHasANewVersion: what a resource shows of others is part of it.
func TestARepresentationThatChangedHasANewVersion(t *testing.T) {
	e := newStandard(t)
	ann := "Users/" + e.want(201, "POST", "Users", `{"userName":"ann","displayName":"Ann"}`)["id"].(string)
	bob := "Users/" + e.want(201, "POST", "Users", `{"userName":"bob","displayName":"Bob"}`)["id"].(string)
	id := func(path string) string { return `{"value":"` + strings.TrimPrefix(path, "Users/") + `"}` }
	group := "Groups/" + e.want(201, "POST", "Groups", `{"displayName":"Crew"}`)["id"].(string)
	tags := map[string]string{}
	// changed makes a change and says which resources have a new version; of each, the old one is
	// good for nothing any more.
	changed := func(what string, want []string, method, path, body string) {
		t.Helper()
		if status, answer := e.send(method, path, body); status/100 != 2 {
			t.Fatalf("%s: %d %v", what, status, answer)
		}
		for _, p := range []string{ann, bob, group} {
			res, text := e.header("GET", p, "If-None-Match", tags[p], "")
			now := res.Header.Get("ETag")
			fresh := 304
			for _, w := range want {
				if w == p {
					fresh = 200
				}
			}
			if res.StatusCode == 404 {
				continue
			}
			if res.StatusCode != fresh || (fresh == 200) != (now != tags[p]) {
				t.Errorf("%s: %s answers %d with %s, was %s", what, p, res.StatusCode, now, tags[p])
			}
			if fresh == 200 && !strings.Contains(text, strings.ReplaceAll(now, `"`, `\"`)) {
				t.Errorf("%s: meta.version is not %s: %s", what, now, text)
			}
			if old := tags[p]; fresh == 200 && old != "" {
				if res, _ := e.header("PATCH", p, "If-Match", old,
					patch(`{"op":"add","path":"externalId","value":"lost"}`)); res.StatusCode != 412 {
					t.Errorf("%s: %s is changed in its old version %s: %d", what, p, old, res.StatusCode)
				}
			}
			if res, text := e.header("PATCH", p, "If-Match", now,
				patch(`{"op":"remove","path":"externalId"}`)); res.StatusCode/100 != 2 {
				t.Errorf("%s: %s in its version %s: %d %s", what, p, now, res.StatusCode, text)
			}
			tags[p] = now
		}
	}
	everyone := []string{ann, bob, group}
	changed("nothing", everyone, "GET", group, "")
	changed("Ann becomes a member", []string{ann, group}, "PATCH", group,
		patch(`{"op":"add","path":"members","value":[`+id(ann)+`]}`))
	changed("Bob becomes a member", []string{bob, group}, "PATCH", group,
		patch(`{"op":"add","path":"members","value":[`+id(bob)+`]}`))
	changed("Ann is renamed", []string{ann, group}, "PATCH", ann,
		patch(`{"op":"replace","path":"displayName","value":"A"}`))
	changed("Ann's title", []string{ann}, "PATCH", ann, patch(`{"op":"replace","path":"title","value":"Dr"}`))
	changed("the group is renamed", everyone, "PATCH", group,
		patch(`{"op":"replace","path":"displayName","value":"Team"}`))
	changed("Ann is deleted", []string{group}, "DELETE", ann, "")
	changed("the group is deleted", []string{bob}, "DELETE", group, "")
	part, _ := e.header("GET", bob+"?excludedAttributes=groups", "X-None", "", "")
	if res, text := e.header("PATCH", bob, "If-Match", part.Header.Get("ETag"),
		patch(`{"op":"add","path":"title","value":"Mr"}`)); res.StatusCode != 200 {
		t.Errorf("with the version of a part: %d %s", res.StatusCode, text)
	}
}
