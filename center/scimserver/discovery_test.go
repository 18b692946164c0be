package scimserver_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// described is an attribute as /Schemas describes it (RFC 7643 §7).
type described struct {
	Name            string      `json:"name"`
	Type            string      `json:"type"`
	Mutability      string      `json:"mutability"`
	Returned        string      `json:"returned"`
	Uniqueness      string      `json:"uniqueness"`
	MultiValued     *bool       `json:"multiValued"`
	Required        *bool       `json:"required"`
	CaseExact       *bool       `json:"caseExact"`
	CanonicalValues []string    `json:"canonicalValues"`
	ReferenceTypes  []string    `json:"referenceTypes"`
	SubAttributes   []described `json:"subAttributes"`
}

// walk compares what /Schemas says with what the server does.
type walk struct {
	*endpoint
	profile center.Profile
	urn     string
	at      string // Users/ or Groups/
	made    int
}

// TestSchemasSayWhatTheServerDoes walks all of /Schemas of both profiles.
func TestSchemasSayWhatTheServerDoes(t *testing.T) {
	for profile, e := range profiles(t) {
		count, w := 0, &walk{endpoint: e, profile: profile}
		for _, r := range e.want(200, "GET", "Schemas", "")["Resources"].([]any) {
			schema := r.(map[string]any)
			w.urn, w.at = schema["id"].(string), "Users"
			if w.urn == scim.GroupURN {
				w.at = "Groups"
			}
			alone := e.want(200, "GET", "Schemas/"+w.urn, "")
			if fmt.Sprint(alone) != fmt.Sprint(schema) {
				t.Errorf("%s %s alone is %v", profile, w.urn, alone)
			}
			data, err := json.Marshal(schema["attributes"])
			if err != nil {
				t.Fatal(err)
			}
			var list []described
			if err := json.Unmarshal(data, &list); err != nil {
				t.Fatal(err)
			}
			for _, a := range list {
				count++
				w.attribute(a, nil)
				for _, part := range a.SubAttributes {
					count++
					w.attribute(part, &a)
				}
			}
		}
		if want := map[center.Profile]int{center.ProfileAWS: 51, center.ProfileStandard: 83}[profile]; count != want {
			t.Errorf("%s: %d attributes, want %d", profile, count, want)
		}
	}
}

func (w *walk) errorf(path, format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("%s %s %s: %s", w.profile, w.urn, path, fmt.Sprintf(format, args...))
}

// attribute checks one attribute; in is the one that it is a part of.
func (w *walk) attribute(a described, in *described) {
	path := a.Name
	if in != nil {
		path = in.Name + "." + a.Name
	}
	w.shape(path, a)
	if a.Type == "complex" { // the parts say the rest
		w.required(path, a, in)
		w.wrongType(path, a, in)
		return
	}
	if a.Mutability == "readOnly" || in != nil && in.Mutability == "readOnly" {
		w.readOnly(path, a, in)
		return
	}
	w.written(path, a, in)
	w.changed(path, a, in)
	w.required(path, a, in)
	w.wrongType(path, a, in)
	w.uniqueness(path, a, in)
	w.letterCase(path, a, in)
	for _, value := range a.CanonicalValues {
		if status, body := w.post(w.resource(a, in, value)); status != 201 {
			w.errorf(path, "the canonical value %s: %d %v", value, status, body)
		}
	}
}

// shape checks that all is said that has to be, and that it makes a sense together.
func (w *walk) shape(path string, a described) {
	types := []string{"string", "boolean", "complex", "reference", "binary"}
	if !slices.Contains(types, a.Type) || a.MultiValued == nil || a.Required == nil || a.CaseExact == nil ||
		!slices.Contains([]string{"readWrite", "readOnly", "writeOnly", "immutable"}, a.Mutability) ||
		!slices.Contains([]string{"default", "never"}, a.Returned) ||
		!slices.Contains([]string{"none", "server"}, a.Uniqueness) {
		w.errorf(path, "incomplete: %+v", a)
	}
	if (a.Type == "complex") != (len(a.SubAttributes) > 0) || (a.Type == "reference") != (len(a.ReferenceTypes) > 0) ||
		(a.Mutability == "writeOnly") != (a.Returned == "never") {
		w.errorf(path, "contradicts itself: %+v", a)
	}
}

// sample is a value of an attribute; each number makes another one.
func (w *walk) sample(a described, in *described, n int) any {
	switch {
	case a.Type == "boolean":
		return true
	case a.Type == "reference":
		return fmt.Sprintf("https://x.example/%d/a", n)
	case a.Type == "binary":
		return fmt.Sprintf("AAA%c", 'A'+rune(n%26))
	case len(a.CanonicalValues) > 0:
		return a.CanonicalValues[0]
	case in != nil && in.Name == "emails" && a.Name == "value":
		return fmt.Sprintf("person%d@x.example", n)
	case in != nil && in.Name == "members" && a.Name == "value":
		_, user := w.postTo("Users", w.least("Users"))
		return user["id"]
	}
	return fmt.Sprintf("%s-%d", a.Name, n)
}

// least is a resource with what is required and nothing else.
func (w *walk) least(at string) map[string]any {
	w.made++
	name := fmt.Sprintf("least-%d", w.made)
	switch {
	case at == "Groups":
		return map[string]any{"displayName": name}
	case w.profile == center.ProfileStandard:
		return map[string]any{"userName": name}
	}
	return map[string]any{
		"userName": name, "displayName": name, "name": map[string]any{"givenName": name, "familyName": name},
	}
}

// resource has an attribute with a value, and what is required beside it.
func (w *walk) resource(a described, in *described, value any) map[string]any {
	r := w.least(w.at)
	target := r
	if w.urn == scim.EnterpriseURN {
		target = map[string]any{}
		r[w.urn] = target
	}
	if in == nil {
		target[a.Name] = value
		return r
	}
	entry, _ := target[in.Name].(map[string]any)
	if entry == nil {
		entry = map[string]any{}
	}
	for _, other := range in.SubAttributes {
		if *other.Required && entry[other.Name] == nil {
			w.made++
			entry[other.Name] = w.sample(other, in, w.made)
		}
	}
	if entry[a.Name] = value; value == nil {
		delete(entry, a.Name)
	}
	target[in.Name] = any(entry)
	if *in.MultiValued {
		target[in.Name] = []any{entry}
	}
	return r
}

func (w *walk) post(r map[string]any) (int, map[string]any) { return w.postTo(w.at, r) }

func (w *walk) postTo(at string, r map[string]any) (int, map[string]any) {
	w.t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.send("POST", at, string(data))
}

// value reads an attribute of a resource.
func (w *walk) value(r map[string]any, path string) any {
	if w.urn == scim.EnterpriseURN {
		return dig(r, w.urn+"|"+path)
	}
	return dig(r, path)
}

// written checks that a value which is sent is kept, and returned as it is said.
func (w *walk) written(path string, a described, in *described) {
	w.made++
	value := w.sample(a, in, w.made)
	status, made := w.post(w.resource(a, in, value))
	if status != 201 {
		w.errorf(path, "%v is refused: %d %v", value, status, made)
		return
	}
	want := value
	if a.Returned == "never" {
		want = nil
	}
	for what, r := range map[string]map[string]any{
		"answer": made, "GET": w.want(200, "GET", w.at+"/"+made["id"].(string), ""),
	} {
		if got := w.value(r, path); got != want {
			w.errorf(path, "the %s has %v, want %v", what, got, want)
		}
	}
	if a.Returned == "never" && path == "members.value" { // it is kept all the same
		filter := url.QueryEscape(fmt.Sprintf(`members.value eq "%s"`, value))
		if got := w.want(200, "GET", "Groups?filter="+filter, ""); got["totalResults"] != 1.0 {
			w.errorf(path, "not kept: %v", got)
		}
	}
}

// full is the path of a PATCH.
func (w *walk) full(path string, in *described) string {
	if in != nil && *in.MultiValued {
		path = strings.Replace(path, ".", `[type eq \"x\"].`, 1)
	}
	if w.urn == scim.EnterpriseURN {
		return w.urn + ":" + path
	}
	return path
}

// changed checks that a value can be changed later, or cannot, as it is said. AWS's profile changes
// roles by PUT only.
func (w *walk) changed(path string, a described, in *described) {
	_, made := w.post(w.least(w.at))
	at := w.at + "/" + made["id"].(string)
	w.made++
	value, err := json.Marshal(w.sample(a, in, w.made))
	if err != nil {
		w.t.Fatal(err)
	}
	ops := fmt.Sprintf(`{"op":"add","path":"%s","value":%s}`, w.full(path, in), value)
	isValue := func(d described) bool { return d.Name == "value" }
	if in != nil && *in.MultiValued && !isValue(a) && slices.ContainsFunc(in.SubAttributes, isValue) {
		first := strings.Replace(path, "."+a.Name, ".value", 1)
		ops = fmt.Sprintf(`{"op":"add","path":"%s","value":"v%d@x.example"},`, w.full(first, in), w.made) + ops
		if in.Name == "x509Certificates" {
			ops = strings.Replace(ops, fmt.Sprintf("v%d@x.example", w.made), "AAAA", 1)
		}
	}
	status, body := w.send("PATCH", at, patch(ops))
	switch {
	case a.Mutability == "immutable" || a.Returned == "never":
		if status != 400 {
			w.errorf(path, "changed though it is %s: %d", a.Mutability, status)
		}
	case in != nil && in.Name == "roles" && w.profile == center.ProfileAWS:
		if status != 400 {
			w.errorf(path, "AWS changes roles: %d", status)
		}
	case status/100 != 2:
		w.errorf(path, "%s: %d %v", ops, status, body)
	default:
		now, err := json.Marshal(w.value(w.want(200, "GET", at, ""), path))
		if err != nil || a.Name != "type" && string(now) != string(value) {
			w.errorf(path, "now %s, want %s, %v", now, value, err)
		}
	}
}

// required checks that exactly what is required is missed.
func (w *walk) required(path string, a described, in *described) {
	r := w.resource(a, in, nil)
	if in == nil && w.urn != scim.EnterpriseURN {
		delete(r, a.Name)
	}
	status, body := w.post(r)
	if want := map[bool]int{true: 400, false: 201}[*a.Required]; status != want {
		w.errorf(path, "without it %d %v, want %d", status, body, want)
	}
}

func (w *walk) wrongType(path string, a described, in *described) {
	for _, value := range []any{7, []any{map[string]any{"value": "a"}, map[string]any{"value": "b"}}} {
		if _, isList := value.([]any); isList && *a.MultiValued {
			continue
		}
		if status, body := w.post(w.resource(a, in, value)); status != 400 {
			w.errorf(path, "%v instead of a %s: %d %v", value, a.Type, status, body)
		}
	}
}

// uniqueness gives two resources the same value.
func (w *walk) uniqueness(path string, a described, in *described) {
	if a.Type == "boolean" || len(a.CanonicalValues) > 0 {
		return
	}
	w.made++
	value := w.sample(a, in, w.made)
	var status int
	for range 2 {
		status, _ = w.post(w.resource(a, in, value))
	}
	if want := map[string]int{"server": 409, "none": 201}[a.Uniqueness]; status != want {
		w.errorf(path, "twice: %d, want %d", status, want)
	}
}

// letterCase looks for a value in other letters, where the profile has a filter for that.
func (w *walk) letterCase(path string, a described, in *described) {
	awsFilters := []string{"userName", "externalId", "displayName"}
	if a.Type == "boolean" || a.Type == "binary" || a.Returned == "never" ||
		w.profile == center.ProfileAWS && (in != nil || !slices.Contains(awsFilters, path) ||
			path == "displayName" && w.at == "Users" || w.urn == scim.EnterpriseURN) {
		return
	}
	w.made++
	value := w.sample(a, in, w.made)
	w.post(w.resource(a, in, value))
	name := path
	if w.urn == scim.EnterpriseURN {
		name = w.urn + ":" + path
	}
	found := func(text string) bool {
		filter := url.QueryEscape(fmt.Sprintf(`%s eq "%s"`, name, text))
		return w.want(200, "GET", w.at+"?filter="+filter, "")["totalResults"] != 0.0
	}
	text := value.(string)
	if !found(text) || found(strings.ToUpper(text)) == *a.CaseExact {
		w.errorf(path, "%s is found: %t, in capital letters: %t", text, found(text), found(strings.ToUpper(text)))
	}
}

// readOnly checks that what a client sends is not taken, and that it cannot be changed.
func (w *walk) readOnly(path string, a described, in *described) {
	var sent any = "mine"
	status, made := w.post(w.resource(a, in, sent))
	if status != 201 || w.value(made, path) == sent {
		w.errorf(path, "sent by a client: %d %v", status, made)
		return
	}
	full := w.full(path, nil)
	status, body := w.send("PATCH", w.at+"/"+made["id"].(string),
		patch(fmt.Sprintf(`{"op":"add","path":"%s","value":"mine"}`, full)))
	if status != 400 || body["scimType"] != "mutability" {
		w.errorf(path, "changed: %d %v", status, body)
	}
}

// TestWhatSchemasDoNotListIsNotTaken: an attribute of RFC 7643 that a profile does not list is not
// acknowledged.
func TestWhatSchemasDoNotListIsNotTaken(t *testing.T) {
	aws := newEndpoint(t)
	whole := func(more string) string { return strings.TrimSuffix(ada, "}") + "," + more + "}" }
	for _, more := range []string{
		`"password":"x"`, `"ims":[{"value":"x"}]`, `"photos":[{"value":"x"}]`, `"entitlements":[{"value":"x"}]`,
		`"x509Certificates":[{"value":"AAAA"}]`, `"groups":[{"value":"x"}]`, `"roles":[{"value":"x","display":"X"}]`,
		`"phoneNumbers":[{"value":"x","display":"X"}]`,
	} {
		aws.want(400, "POST", "Users", whole(more))
	}
	aws.want(400, "POST", "Users", strings.Replace(ada, `"department":"Engines"`,
		`"manager":{"value":"x","displayName":"X"}`, 1))
	aws.want(201, "POST", "Users", whole(
		`"password":null,"ims":[],"groups":[],"phoneNumbers":[{"value":"+1","$ref":null}]`))
	e := newStandard(t)
	made := e.want(201, "POST", "Users", whole(`"password":"x","shoeSize":1`))
	if keys := slices.Collect(maps.Keys(made)); slices.Contains(keys, "password") || slices.Contains(keys, "shoeSize") {
		t.Errorf("shown: %v", keys)
	}
	e.want(400, "PATCH", "Users/"+made["id"].(string), patch(`{"op":"add","path":"password","value":"x"}`))
}
