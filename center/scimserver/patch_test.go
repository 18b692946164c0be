package scimserver_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

const enterpriseURN = scim.EnterpriseURN

// profiles are an endpoint of each profile, on one center each.
func profiles(t *testing.T) map[center.Profile]*endpoint {
	t.Helper()
	return map[center.Profile]*endpoint{center.ProfileAWS: newEndpoint(t), center.ProfileStandard: newStandard(t)}
}

// TestAResourceMayNameItself sends what AWS's example of PatchGroup and Okta's group push send: the
// resource's own id, or schemas, beside what is changed, without a path.
func TestAResourceMayNameItself(t *testing.T) {
	for profile, e := range profiles(t) {
		user := e.ada()
		group := e.want(201, "POST", "Groups", `{"displayName":"Crew"}`)["id"].(string)
		for _, c := range []struct{ path, id, attribute string }{
			{"Users/" + user, user, "displayName"}, {"Users/" + user, user, "title"},
			{"Groups/" + group, group, "displayName"}, {"Groups/" + group, group, "externalId"},
		} {
			for _, op := range []string{"replace", "Add"} {
				for i, beside := range []string{`"id":"` + c.id + `"`, `"schemas":["urn:x"]`,
					`"id":"` + c.id + `","schemas":[]`} {
					value := fmt.Sprint(op, i)
					body := patch(fmt.Sprintf(`{"op":%q,"value":{%s,%q:%q}}`, op, beside, c.attribute, value))
					if status, answer := e.send("PATCH", c.path, body); status/100 != 2 {
						t.Errorf("%s %s: %d %v", profile, body, status, answer)
					}
					if got := e.want(200, "GET", c.path, "")[c.attribute]; got != value {
						t.Errorf("%s %s: now %v", profile, body, got)
					}
				}
			}
		}
		if profile != center.ProfileAWS {
			continue
		}
		for _, value := range []string{
			`{"id":"other","displayName":"x"}`, `{"id":7,"displayName":"x"}`, `{"id":"` + user + `"}`, `{"schemas":[]}`,
			`{"id":"` + user + `","displayName":"x","title":"y"}`, `{"meta":{},"displayName":"x"}`,
		} {
			e.want(400, "PATCH", "Users/"+user, patch(`{"op":"replace","value":`+value+`}`))
		}
		e.want(400, "PATCH", "Users/"+user, patch(`{"op":"replace","path":"id","value":"`+user+`"}`))
	}
}

// lists are the attributes with several values, with two values of each.
var lists = []struct{ name, one, two string }{
	{"emails", `"value":"a@x.example","type":"work"`, `"value":"b@x.example","type":"home"`},
	{"phoneNumbers", `"value":"+1","type":"work"`, `"value":"+2","type":"home"`},
	{"roles", `"value":"admin"`, `"value":"reader"`},
	{"photos", `"value":"https://x.example/1.png","type":"photo"`, `"value":"https://x.example/2.png"`},
	{"ims", `"value":"ada","type":"xmpp"`, `"value":"ada2","type":"aim"`},
	{"entitlements", `"value":"one"`, `"value":"two"`},
	{"x509Certificates", `"value":"AAAA"`, `"value":"AAAB"`},
	{"addresses", `"type":"work","locality":"London"`, `"type":"home","locality":"Paris"`},
}

// primaries is which entries of a list are primary.
func primaries(user map[string]any, list string) (out []bool) {
	entries, _ := user[list].([]any)
	for _, e := range entries {
		out = append(out, e.(map[string]any)["primary"] == true)
	}
	return out
}

func wantPrimaries(t *testing.T, what string, user map[string]any, list string, want ...bool) {
	t.Helper()
	if got := primaries(user, list); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: primary are %v of %v, want %v", what, got, user[list], want)
	}
}

// TestPrimaryIsHandedOver: who is made primary takes that from the others (RFC 7644 §3.5.2).
func TestPrimaryIsHandedOver(t *testing.T) {
	e := newStandard(t)
	for _, l := range lists {
		made := e.want(201, "POST", "Users", fmt.Sprintf(`{"userName":"u-%s",%q:[{%s,"primary":true},{%s}]}`,
			l.name, l.name, l.one, l.two))
		path, filter := "Users/"+made["id"].(string), strings.Split(strings.Trim(l.two, `"`), `"`)
		second := fmt.Sprintf(`%s[%s eq \"%s\"]`, l.name, filter[0], filter[2])
		change := func(op string) map[string]any { return e.want(200, "PATCH", path, patch(op)) }
		wantPrimaries(t, "by path", change(`{"op":"replace","path":"`+second+`.primary","value":true}`), l.name,
			false, true)
		wantPrimaries(t, "by value", change(`{"op":"add","path":"`+l.name+`","value":[{`+l.one+`,"primary":"True"}]}`),
			l.name, true, false)
		wantPrimaries(t, "by entry", change(`{"op":"replace","path":"`+second+`","value":{"primary":true}}`),
			l.name, false, true)
		third := strings.NewReplacer("b@x", "c@x", "+2", "+3", "reader", "writer", "2.png", "3.png", "ada2", "ada3",
			"two", "three", "AAAB", "AAAC", "Paris", "Rome").Replace(l.two)
		wantPrimaries(t, "a new one", change(`{"op":"add","value":{"`+l.name+`":[{`+third+`,"primary":true}]}}`),
			l.name, false, false, true)
		two := `"path":"` + l.name + `","value":[{` + l.one + `,"primary":true},{` + l.two + `,"primary":true}]}`
		for name, op := range map[string]string{
			"two at once":   `{"op":"add",` + two,
			"all":           `{"op":"replace","path":"` + l.name + `.primary","value":true}`,
			"two in a list": `{"op":"replace",` + two,
		} {
			if status, body := e.send("PATCH", path, patch(op)); status != 400 || body["scimType"] != "invalidValue" {
				t.Errorf("%s %s: %d %v", l.name, name, status, body)
			}
		}
		wantPrimaries(t, "after what was refused", e.want(200, "GET", path, ""), l.name, false, false, true)
	}
}

// TestWhatChangesNothingIsNoChange adds what is there, and sets what is so: no second value, no new
// version, no later time (RFC 7644 §3.5.2.1).
func TestWhatChangesNothingIsNoChange(t *testing.T) {
	e := newStandard(t)
	var attributes []string
	for _, l := range lists {
		attributes = append(attributes, fmt.Sprintf(`%q:[{%s,"primary":true},{%s}]`, l.name, l.one, l.two))
	}
	whole := `{"userName":"ada","title":"Dr","name":{"givenName":"Ada"},"active":true,"` + enterpriseURN +
		`":{"department":"Numbers","manager":{"value":"m"}},` + strings.Join(attributes, ",") + `}`
	made := e.want(201, "POST", "Users", whole)
	path := "Users/" + made["id"].(string)
	group := e.want(201, "POST", "Groups", `{"displayName":"Crew","externalId":"x","members":[{"value":"`+
		made["id"].(string)+`"}]}`)
	groupPath, member := "Groups/"+group["id"].(string), `{"value":"`+made["id"].(string)+`"}`
	e.now = e.now.Add(time.Hour)
	before, groupBefore := e.want(200, "GET", path, ""), e.want(200, "GET", groupPath, "")
	operations := []string{
		`{"op":"add","path":"title","value":"Dr"}`, `{"op":"replace","path":"active","value":"True"}`,
		`{"op":"add","value":{"name":{"givenName":"Ada"},"title":"Dr"}}`,
		`{"op":"replace","path":"` + enterpriseURN + `","value":{"department":"Numbers"}}`,
		`{"op":"add","path":"manager","value":"m"}`, `{"op":"remove","path":"nickName"}`,
		`{"op":"remove","path":"emails[type eq \"other\"]"}`, `{"op":"replace","path":"nickName","value":null}`,
	}
	for _, l := range lists {
		operations = append(
			operations,
			fmt.Sprintf(`{"op":"add","path":%q,"value":[{%s}]}`, l.name, l.one),
			fmt.Sprintf(`{"op":"add","path":%q,"value":{%s,"primary":true}}`, l.name, l.one),
			fmt.Sprintf(`{"op":"add","value":{%q:[{%s},{%s},{%s}]}}`, l.name, l.two, l.one, l.two),
			fmt.Sprintf(`{"op":"add","path":%q,"value":null}`, l.name),
			fmt.Sprintf(`{"op":"add","path":%q,"value":[]}`, l.name),
			fmt.Sprintf(`{"op":"replace","path":%q,"value":[{%s,"primary":true},{%s}]}`, l.name, l.one, l.two),
		)
	}
	operations = append(
		operations, `{"op":"add","path":"emails","value":[{"value":"A@X.example"}]}`,
		`{"op":"add","path":"emails","value":["b@x.example"]}`, `{"op":"add","path":"title","value":null}`,
	)
	for _, op := range operations {
		if got := e.want(200, "PATCH", path, patch(op)); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("%s made\n%v of\n%v", op, got, before)
		}
	}
	if got := e.want(200, "PUT", path, whole); fmt.Sprint(got) != fmt.Sprint(before) {
		t.Errorf("PUT of the same made\n%v of\n%v", got, before)
	}
	for _, op := range []string{
		`{"op":"add","path":"members","value":[` + member + `]}`,
		`{"op":"replace","path":"members","value":[` + member + `]}`,
		`{"op":"remove","path":"members[value eq \"nobody\"]"}`, `{"op":"add","path":"members","value":null}`,
		`{"op":"replace","path":"displayName","value":"Crew"}`, `{"op":"remove","path":"members[display eq \"x\"]"}`,
		`{"op":"add","value":{"externalId":"x","members":` + member + `}}`,
		`{"op":"remove","path":"members","value":[]}`,
	} {
		e.want(204, "PATCH", groupPath, patch(op))
		if got := e.want(200, "GET", groupPath, ""); fmt.Sprint(got) != fmt.Sprint(groupBefore) {
			t.Errorf("%s made\n%v of\n%v", op, got, groupBefore)
		}
	}
	same := e.want(200, "PUT", groupPath, `{"displayName":"Crew","externalId":"x","members":[`+member+`]}`)
	if fmt.Sprint(same) != fmt.Sprint(groupBefore) {
		t.Errorf("PUT of the same made\n%v of\n%v", same, groupBefore)
	}
}

// TestAddOfNullIsNoError: a null adds nothing, to whatever there is.
func TestAddOfNullIsNoError(t *testing.T) {
	for profile, e := range profiles(t) {
		path := "Users/" + e.ada()
		before := e.want(200, "GET", path, "")
		for _, name := range []string{"emails", "phoneNumbers", "addresses", "title", "name", "name.formatted",
			`emails[type eq \"work\"].value`, `phoneNumbers[type eq \"work\"].value`, `addresses[type eq \"work\"]`,
			`addresses[type eq \"work\"].locality`, enterpriseURN + ":manager", enterpriseURN} {
			status, got := e.send("PATCH", path, patch(`{"op":"add","path":"`+name+`","value":null}`))
			if status != 200 || fmt.Sprint(got) != fmt.Sprint(before) {
				t.Errorf("%s %s: %d %v", profile, name, status, got)
			}
		}
	}
}

// TestAPatchWithoutSenseIsRefused: nothing is invented, cleared or enabled that the request does
// not say.
func TestAPatchWithoutSenseIsRefused(t *testing.T) {
	for profile, e := range profiles(t) {
		made := e.want(201, "POST", "Users", strings.Replace(ada, `"active":true`, `"active":false,"title":"Dr"`, 1))
		user := "Users/" + made["id"].(string)
		group := "Groups/" + e.want(
			201, "POST", "Groups", `{"displayName":"Crew","members":[{"value":"`+made["id"].(string)+`"}]}`,
		)["id"].(string)
		before, groupBefore := e.want(200, "GET", user, ""), e.want(200, "GET", group, "")
		for _, c := range []struct{ path, op, scimType string }{
			{user, `{"op":"remove","path":"active"}`, "mutability"},
			{user, `{"op":"Remove","path":"Active","value":[{"value":"False"}]}`, "mutability"},
			{user, `{"op":"replace","path":"active","value":null}`, "invalidValue"},
			{user, `{"op":"replace","value":{"active":null}}`, "invalidValue"},
			{user, `{"op":"replace","path":"active","value":""}`, "invalidValue"},
			{user, `{"op":"replace","path":"active","value":[]}`, "invalidValue"},
			{user, `{"op":"add","path":"active","value":{"value":"yes"}}`, "invalidValue"},
			{user, `{"op":"replace","path":"active","value":"1"}`, "invalidValue"},
			{user, `{"op":"add","path":"active","value":[{"value":"t"}]}`, "invalidValue"},
			{user, `{"op":"replace","path":"userName","value":""}`, "invalidValue"},
			{user, `{"op":"replace","path":"title.","value":"x"}`, "invalidPath"},
			{user, `{"op":"replace","path":"name.","value":{"givenName":"x"}}`, "invalidPath"},
			{user, `{"op":"remove","path":"emails[primary eq \"maybe\"]"}`, "invalidFilter"},
			{group, `{"op":"remove","path":"members[value eq true]"}`, "invalidFilter"},
			{user, `{"op":"remove","path":"userName"}`, "mutability"},
			{user, `{"op":"add","path":"title"}`, "invalidValue"},
			{user, `{"op":"replace","path":"title"}`, "invalidValue"},
			{user, `{"op":"replace","path":"emails"}`, "invalidValue"},
			{user, `{"op":"add","path":"name.givenName"}`, "invalidValue"},
			{user, `{"op":"replace"}`, "invalidValue"},
			{user, `{"op":"replace","value":"x"}`, "noTarget"},
			{user, `{"op":"remove"}`, "noTarget"},
			{user, `{"op":"replace","path":"emails[value eq \"nobody\"]","value":{"value":"n@x.example"}}`, "noTarget"},
			{user, `{"op":"replace","path":"emails[value eq \"nobody\"].value","value":"n@x.example"}`, "noTarget"},
			{user, `{"op":"add","path":"emails[value eq \"n@x.example\"].type","value":"home"}`, "noTarget"},
			{user, `{"op":"replace","path":"addresses[locality eq \"Nowhere\"].country","value":"GB"}`, "noTarget"},
			{user, `{"op":"replace","path":"phoneNumbers[primary eq true].value","value":"+1"}`, "noTarget"},
			{user, `{"op":"add","path":"ims[type eq \"a\" and value eq \"b\"].value","value":"+1"}`, "noTarget"},
			{user, `{"op":"add","path":"phoneNumbers.value","value":"+1"}`, "noTarget"},
			{user, `{"op":"replace","path":"manager[value eq \"x\"]","value":"y"}`, "noTarget"},
			{user, `{"op":"remove","path":"emails[shoeSize ne \"x\"]"}`, "invalidFilter"},
			{user, `{"op":"remove","path":"emails[type eq \"work\"]value"}`, "invalidPath"},
			{user, `{"op":"replace","path":"manager.displayName","value":"x"}`, "mutability"},
			{user, `{"op":"replace","path":"` + enterpriseURN + `:manager.$ref","value":"x"}`, "mutability"},
			{user, `{"op":"replace","path":"meta.version","value":"x"}`, "mutability"},
			{user, `{"op":"remove","path":"emails","value":[{}]}`, "invalidValue"},
			{user, `{"op":"add","path":"emails[type eq \"work\"]","value":{"shoeSize":"x"}}`, "invalidPath"},
			{user, `{"op":"replace","path":"` + enterpriseURN + `","value":"x"}`, "invalidValue"},
			{user, `{"op":"replace","path":"password","value":"secret"}`, "invalidPath"},
			{group, `{"op":"add","path":"members"}`, "invalidValue"},
			{group, `{"op":"replace","path":"displayName"}`, "invalidValue"},
			{group, `{"op":"remove","path":"displayName"}`, "mutability"},
			{group, `{"op":"remove","path":"members.value"}`, "mutability"},
			{group, `{"op":"remove","path":"members[value eq \"x\"].display"}`, "mutability"},
			{group, `{"op":"remove","path":"members.display"}`, "mutability"},
			{group, `{"op":"replace","path":"members[value eq \"x\"]","value":{"value":"y"}}`, "mutability"},
			{group, `{"op":"add","path":"members[value eq \"x\"].type","value":"User"}`, "mutability"},
			{group, `{"op":"remove","path":"members[shoeSize ne \"x\"]"}`, "invalidFilter"},
		} {
			status, body := e.send("PATCH", c.path, patch(c.op))
			if status != 400 || profile == center.ProfileStandard && body["scimType"] != c.scimType {
				t.Errorf("%s %s: %d %v, want %s", profile, c.op, status, body, c.scimType)
			}
		}
		for _, name := range []string{"displayName", "name.familyName"} { // which AWS requires
			for _, value := range []string{`""`, `" "`, "null"} {
				if profile == center.ProfileAWS {
					e.want(400, "PATCH", user, patch(`{"op":"replace","path":"`+name+`","value":`+value+`}`))
				}
			}
		}
		if got := e.want(200, "GET", user, ""); fmt.Sprint(got) != fmt.Sprint(before) {
			t.Errorf("%s: the user became\n%v, was\n%v", profile, got, before)
		}
		if got := e.want(200, "GET", group, ""); fmt.Sprint(got) != fmt.Sprint(groupBefore) {
			t.Errorf("%s: the group became\n%v, was\n%v", profile, got, groupBefore)
		}
		// A whole user that does not say it enables nobody either.
		if got := e.want(200, "PUT", user, strings.Replace(ada, `"active":true,`, "", 1)); got["active"] != false {
			t.Errorf("%s: PUT without active: %v", profile, got["active"])
		}
		e.want(200, "PUT", user, strings.Replace(ada, `"active":true`, `"active":null`, 1))
		if got := e.want(200, "PUT", user, ada); got["active"] != true {
			t.Errorf("%s: PUT with active: %v", profile, got["active"])
		}
	}
}

// TestEntrasOlderDialect sends what Entra ID has sent for years and what no other client sends.
func TestEntrasOlderDialect(t *testing.T) {
	for profile, e := range profiles(t) {
		path := "Users/" + e.ada()
		for _, c := range []struct {
			op, attribute string
			want          any
		}{
			{`{"op":"Replace","path":"active","value":[{"$ref":null,"value":"False"}]}`, "active", false},
			{`{"op":"Replace","path":"active","value":[{"value":"True"}]}`, "active", true},
			{`{"op":"Replace","path":"title","value":[{"$ref":null,"value":"Dr"}]}`, "title", "Dr"},
			{`{"op":"Add","path":"name.familyName","value":[{"$ref":null,"value":"King"}]}`, "name.familyName", "King"},
			{`{"op":"Replace","path":"emails[type eq \"work\"].value","value":[{"value":"n@x.example"}]}`,
				"emails.value", "n@x.example"},
			{`{"op":"Add","path":"manager","value":[{"$ref":null,"value":"m1"}]}`,
				enterpriseURN + "|manager.value", "m1"},
			{`{"op":"Remove","path":"manager[value eq \"m2\"]"}`, enterpriseURN + "|manager.value", "m1"},
			{`{"op":"Replace","path":"manager[value eq \"m1\"].value","value":"m2"}`,
				enterpriseURN + "|manager.value", "m2"},
			{`{"op":"Remove","path":"manager[value eq \"m2\"]"}`, enterpriseURN + "|manager", nil},
			{`{"op":"Add","path":"` + enterpriseURN + `:manager","value":{"value":"m3"}}`,
				enterpriseURN + "|manager.value", "m3"},
			{`{"op":"Remove","path":"` + enterpriseURN + `:manager[value eq \"m3\"]","value":[{"value":"m3"}]}`,
				enterpriseURN + "|manager", nil},
			{`{"op":"Replace","path":"` + enterpriseURN + `","value":{"department":"A","costCenter":"B"}}`,
				enterpriseURN + "|costCenter", "B"},
			{`{"op":"Add","path":"` + strings.ToLower(enterpriseURN) + `","value":{"costCenter":"C"}}`,
				enterpriseURN + "|department", "A"},
			{`{"op":"Remove","path":"` + enterpriseURN + `"}`, enterpriseURN, nil},
			{`{"op":"Add","path":"phoneNumbers[type eq \"work\"].value","value":"+1"}`, "phoneNumbers.value", "+1"},
			{`{"op":"Remove","path":"phoneNumbers[type eq \"work\"].value"}`, "phoneNumbers", nil},
			{`{"op":"Add","path":"addresses[type eq \"work\"].locality","value":"London"}`,
				"addresses.locality", "London"},
			{`{"op":"Remove","path":"addresses[type eq \"work\"].locality"}`, "addresses", nil},
			{`{"op":"Replace","path":"addresses[type eq \"work\"].country","value":"GB"}`, "addresses.type", "work"},
			{`{"op":"Replace","path":"name","value":{"middleName":"Byron"}}`, "name.givenName", "Ada"},
		} {
			status, body := e.send("PATCH", path, patch(c.op))
			if status != 200 || fmt.Sprint(dig(body, c.attribute)) != fmt.Sprint(c.want) {
				t.Errorf("%s %s: %d, %s is %v, want %v: %v", profile, c.op, status, c.attribute, dig(body, c.attribute),
					c.want, body["detail"])
			}
		}
	}
	e := newStandard(t)
	path := "Users/" + e.ada()
	const role = `{"op":"Add","path":"roles[primary eq \"True\"].value","value":"admin"}`
	if got := e.want(200, "PATCH", path, patch(role)); dig(got, "roles.value") != "admin" ||
		dig(got, "roles.primary") != true {
		t.Errorf("roles %v", got["roles"])
	}
}

// TestMembersAreRemovedByAnyFilter uses every operator that the standard profile promises.
func TestMembersAreRemovedByAnyFilter(t *testing.T) {
	e := newStandard(t)
	ids := map[string]string{}
	for _, name := range []string{"Ann", "Bob", "Cid"} {
		body := fmt.Sprintf(`{"userName":%q,"displayName":%q}`, name, name)
		ids[name] = e.want(201, "POST", "Users", body)["id"].(string)
	}
	named := func(text string) string {
		for name, id := range ids {
			text = strings.ReplaceAll(text, "ID("+name+")", id)
		}
		return strings.ReplaceAll(text, `"`, `\"`)
	}
	path := "Groups/" + e.want(201, "POST", "Groups", `{"displayName":"Crew"}`)["id"].(string)
	everybody := fmt.Sprintf(`{"op":"replace","path":"members","value":[{"value":%q},{"value":%q},{"value":%q}]}`,
		ids["Ann"], ids["Bob"], ids["Cid"])
	members := func() string {
		var names []string
		list, _ := e.want(200, "GET", path, "")["members"].([]any)
		for _, m := range list {
			names = append(names, m.(map[string]any)["display"].(string))
		}
		return strings.Join(names, " ")
	}
	for filter, stay := range map[string]string{
		`value eq "ID(Ann)" or value eq "ID(Bob)"`: "Cid", `value eq "ID(Ann)"`: "Bob Cid", `value ne "ID(Ann)"`: "Ann",
		`not (value eq "ID(Ann)")`: "Ann", `display sw "A" or display ew "b"`: "Cid", `display co "I"`: "Ann Bob",
		`display gt "ann"`: "Ann", `display ge "bob"`: "Ann", `display lt "bob"`: "Bob Cid", `display le "bob"`: "Cid",
		`display pr and value eq "ID(Cid)"`: "Ann Bob", `type eq "User"`: "", `type eq "Group"`: "Ann Bob Cid",
		`(value eq "ID(Ann)" or display eq "cid") and not (display eq "cid")`: "Bob Cid",
		`value eq "nobody"`: "Ann Bob Cid", `value eq "nobody" or display eq "Bob"`: "Ann Cid",
	} {
		e.want(204, "PATCH", path, patch(everybody))
		e.want(204, "PATCH", path, patch(`{"op":"remove","path":"members[`+named(filter)+`]"}`))
		if got := members(); got != stay {
			t.Errorf("%s leaves %q, want %q", filter, got, stay)
		}
	}
	// In the order of the operations, over the members as they are then.
	e.want(204, "PATCH", path, patch(`{"op":"remove","path":"members"},`+
		`{"op":"add","path":"members","value":[{"value":"`+
		ids["Ann"]+`"},{"value":"`+ids["Bob"]+`"}]},{"op":"remove","path":"members[display eq \"ann\"]"},`+
		`{"op":"add","path":"members","value":[{"value":"`+ids["Cid"]+`"}]}`))
	if got := members(); got != "Bob Cid" {
		t.Errorf("members %q, want Bob and Cid", got)
	}
	const everyone = `{"op":"remove","path":"members[display pr]"}`
	e.want(404, "PATCH", path, patch(everyone+`,{"op":"add","path":"members","value":["nobody"]}`))
	for _, many := range []string{
		strings.TrimSuffix(strings.Repeat(everyone+",", 51), ","),
		`{"op":"remove","path":"members[` + strings.Repeat("display pr or ", 50) + `type pr]"}`,
	} {
		if status, body := e.send("PATCH", path, patch(many)); status != 400 || body["scimType"] != "tooMany" {
			t.Errorf("51 comparisons: %d %v", status, body)
		}
	}
	if got := members(); got != "Bob Cid" {
		t.Errorf("after what was refused: %q", got)
	}
	// Who stays a member keeps the membership.
	aws := newEndpointOn(e, center.ProfileAWS)
	aws.want(400, "PATCH", path, patch(everyone))
	aws.want(204, "PATCH", path, patch(`{"op":"remove","path":"members[`+named(`value eq "ID(Bob)"`)+`]"}`))
	if got := members(); got != "Cid" {
		t.Errorf("after AWS's profile removed Bob: %q", got)
	}
}

// TestListedValuesAreRemovedAlone removes values by a list of them: just those.
func TestListedValuesAreRemovedAlone(t *testing.T) {
	e := newStandard(t)
	for _, l := range lists {
		whole := fmt.Sprintf(`{"userName":"u-%s",%q:[{%s},{%s}]}`, l.name, l.name, l.one, l.two)
		made := e.want(201, "POST", "Users", whole)
		path := "Users/" + made["id"].(string)
		got := e.want(200, "PATCH", path, patch(fmt.Sprintf(`{"op":"remove","path":%q,"value":[{%s}]}`, l.name, l.one)))
		second := made[l.name].([]any)[1]
		if left, _ := got[l.name].([]any); len(left) != 1 || fmt.Sprint(left[0]) != fmt.Sprint(second) {
			t.Errorf("%s: left are %v of %v", l.name, got[l.name], made[l.name])
		}
		got = e.want(200, "PATCH", path, patch(fmt.Sprintf(`{"op":"remove","path":%q}`, l.name)))
		if got[l.name] != nil {
			t.Errorf("%s: left are %v", l.name, got[l.name])
		}
	}
}

// TestAWSsProfileLeavesOtherValuesAlone changes a user with several values of each attribute by a
// token that sees one of them.
func TestAWSsProfileLeavesOtherValuesAlone(t *testing.T) {
	e := newStandard(t)
	made := e.want(201, "POST", "Users", `{"userName":"ada","displayName":"Ada",
		"name":{"givenName":"A","familyName":"L"},
		"emails":[{"value":"a@x.example"},{"value":"b@x.example","display":"B","primary":true}],
		"phoneNumbers":[{"value":"+1"},{"value":"+2"}],"addresses":[{"locality":"Paris"},{"locality":"Rome"}]}`)
	path := "Users/" + made["id"].(string)
	aws := newEndpointOn(e, center.ProfileAWS)
	aws.want(200, "PATCH", path, patch(`{"op":"replace","path":"name.givenName","value":"Ada"}`))
	got := e.want(200, "GET", path, "")
	for _, name := range []string{"emails", "phoneNumbers", "addresses"} {
		if fmt.Sprint(got[name]) != fmt.Sprint(made[name]) {
			t.Errorf("another change made %v of %v", got[name], made[name])
		}
	}
	aws.want(200, "PATCH", path, patch(`{"op":"replace","path":"emails[primary eq true].value","value":"c@x.example"}`))
	aws.want(200, "PATCH", path, patch(`{"op":"remove","path":"phoneNumbers"}`))
	got = e.want(200, "GET", path, "")
	if emails := fmt.Sprint(got["emails"]); !strings.Contains(emails, "a@x") || !strings.Contains(emails, "c@x") ||
		strings.Contains(emails, "b@x") || dig(got, "phoneNumbers.value") != "+2" {
		t.Errorf("now %v and %v", got["emails"], got["phoneNumbers"])
	}
}

// TestOneRuleOfCharacters: what is not seen is refused, whatever the attribute, and what an earlier
// release has taken may stay.
func TestOneRuleOfCharacters(t *testing.T) {
	for profile, e := range profiles(t) {
		path := "Users/" + e.ada()
		for _, bad := range []string{"\u200b", "\u00ad", "\u202e", "\ufeff", "\u2028", "\ue000", "\u200d"} {
			for _, name := range []string{"title", "displayName", "name.givenName", "nickName", "externalId",
				`emails[type eq \"work\"].value`, `emails[type eq \"work\"].type`, `phoneNumbers[type eq \"x\"].value`,
				`addresses[type eq \"x\"].locality`, enterpriseURN + ":department", "manager", "userName"} {
				status, body := e.send("PATCH", path, patch(`{"op":"add","path":"`+name+`","value":"a@b`+bad+`"}`))
				if status != 400 {
					t.Errorf("%s %s with %+q: %d %v", profile, name, bad, status, body)
				}
			}
			if status, body := e.send("POST", "Groups", `{"displayName":"a`+bad+`"}`); status != 400 {
				t.Errorf("%s: a group with %+q: %d %v", profile, bad, status, body)
			}
		}
		good := "a b\u00a0\u3000\u00e9\u65e5\U0001f600\n\tc"
		if got := e.want(200, "PATCH", path, patch(fmt.Sprintf(`{"op":"add","path":"title","value":%q}`,
			good))); got["title"] != good {
			t.Errorf("%s: the title is %+q", profile, got["title"])
		}
		e.want(400, "PATCH", path, patch(`{"op":"replace","path":"emails[type eq \"work\"].value","value":"a@b\nc"}`))
		e.want(400, "POST", "Groups", `{"displayName":"a\u3000b"}`)
	}
}

// TestACertificateIsBase64: what the schema calls binary is nothing else (RFC 7643 §2.3.6).
func TestACertificateIsBase64(t *testing.T) {
	e := newStandard(t)
	e.want(400, "POST", "Users", `{"userName":"x","x509Certificates":[{"value":"no base64!"}]}`)
	e.want(201, "POST", "Users", `{"userName":"x","x509Certificates":[{"value":"AAEC/w=="},`+
		`{"value":"AA-_"},{"value":"AA EC\n AAEC"}]}`)
}
