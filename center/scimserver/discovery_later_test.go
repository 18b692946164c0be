package scimserver_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// TestSchemasSayWhatBecomesOfAValue walks all of /Schemas of both profiles once more: what is said
// of an attribute holds when a value is replaced, removed, cleared, put, listed, selected and taken
// by somebody else, and not only when it is made.
func TestSchemasSayWhatBecomesOfAValue(t *testing.T) {
	for profile, e := range profiles(t) {
		w := &walk{endpoint: e, profile: profile}
		for _, r := range e.want(200, "GET", "Schemas", "")["Resources"].([]any) {
			schema := r.(map[string]any)
			w.urn, w.at = schema["id"].(string), "Users"
			if w.urn == scim.GroupURN {
				w.at = "Groups"
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
				w.becomes(a, nil)
				for _, part := range a.SubAttributes {
					w.becomes(part, &a)
				}
			}
		}
	}
}

// becomes checks one attribute; in is the one that it is a part of.
func (w *walk) becomes(a described, in *described) {
	path := a.Name
	if in != nil {
		path = in.Name + "." + a.Name
	}
	switch {
	case a.Type == "complex":
		w.several(path, a)
		return
	case a.Mutability == "readOnly" || in != nil && in.Mutability == "readOnly":
		w.staysOurs(path, a, in)
		return
	}
	w.put(path, a, in)
	w.cleared(path, a, in)
	w.listed(path, a, in)
	w.others(path, a, in)
	w.taken(path, a, in)
	w.removed(path, a, in)
}

// ofAWS says whether something is of AWS's profile.
func (w *walk) ofAWS() bool { return w.profile == center.ProfileAWS }

// saidAnyway says whether a resource has an attribute whatever a client sends: whether somebody is
// enabled, and what a member is.
func (w *walk) saidAnyway(path string) bool {
	return path == "active" && w.at == "Users" || path == "members.type"
}

// text is a value as JSON.
func (w *walk) text(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(data)
}

// made makes a resource with a value of an attribute, and gives its path.
func (w *walk) madeWith(path string, a described, in *described, value any) string {
	status, made := w.post(w.resource(a, in, value))
	if status != 201 {
		w.errorf(path, "%v is refused: %d %v", value, status, made)
		return ""
	}
	return w.at + "/" + made["id"].(string)
}

// now is the value that a resource has.
func (w *walk) now(at, path string) any { return w.value(w.want(200, "GET", at, ""), path) }

// put replaces a whole resource: with another value, and with none. AWS changes groups by PATCH
// only, and nobody is enabled or disabled by silence.
func (w *walk) put(path string, a described, in *described) {
	if w.at == "Groups" && w.ofAWS() {
		return
	}
	w.made += 2
	first, second := w.sample(a, in, w.made-1), w.sample(a, in, w.made)
	at := w.madeWith(path, a, in, first)
	if at == "" {
		return
	}
	status, body := w.send("PUT", at, w.text(w.resource(a, in, second)))
	if a.Returned == "never" {
		second = nil
	}
	if got := w.now(at, path); status/100 != 2 || got != second {
		w.errorf(path, "put: %d %v, now %v, want %v", status, body, got, second)
	}
	without := w.resource(a, in, nil)
	if in == nil && w.urn != scim.EnterpriseURN {
		delete(without, a.Name)
	}
	status, body = w.send("PUT", at, w.text(without))
	want := map[bool]int{true: 400, false: 200}[*a.Required]
	got := w.now(at, path)
	keeps := *a.Required || w.saidAnyway(path)
	if status != want || keeps != (got != nil) && a.Type != "boolean" {
		w.errorf(path, "put without it: %d %v, now %v, want %d", status, body, got, want)
	}
}

// cleared sends nothing for a value: null, and the empty text.
func (w *walk) cleared(path string, a described, in *described) {
	for _, nothing := range []any{nil, ""} {
		if nothing == "" && a.Type != "string" {
			continue
		}
		r := w.resource(a, in, "")
		w.replace(r, in, a.Name, nothing)
		status, body := w.post(r)
		want := map[bool]int{true: 400, false: 201}[*a.Required]
		// AWS's profile refuses an empty text wherever it stands
		if nothing == "" && w.ofAWS() && status == 400 {
			continue
		}
		if status != want {
			w.errorf(path, "%#v: %d %v, want %d", nothing, status, body, want)
		} else if got := w.value(body, path); status == 201 && got != nil && a.Type != "boolean" &&
			!w.saidAnyway(path) {
			w.errorf(path, "%#v is kept as %v", nothing, got)
		}
	}
}

// replace sets a value in a resource that [walk.resource] made.
func (w *walk) replace(r map[string]any, in *described, name string, value any) {
	target := r
	if w.urn == scim.EnterpriseURN {
		target, _ = r[w.urn].(map[string]any)
	}
	if in != nil {
		if list, ok := target[in.Name].([]any); ok {
			target, _ = list[0].(map[string]any)
		} else {
			target, _ = target[in.Name].(map[string]any)
		}
	}
	target[name] = value
}

// listed looks for the value in a list, and where it is selected or left out.
func (w *walk) listed(path string, a described, in *described) {
	w.made++
	value := w.sample(a, in, w.made)
	at := w.madeWith(path, a, in, value)
	if at == "" {
		return
	}
	_, id, _ := strings.Cut(at, "/")
	shown := func(query string) any {
		w.t.Helper()
		filter := url.QueryEscape(fmt.Sprintf("id eq %q", id))
		list := w.want(200, "GET", w.at+"?filter="+filter+query, "")["Resources"]
		one, ok := list.([]any)
		if !ok || len(one) != 1 {
			w.errorf(path, "the list has %v", list)
			return nil
		}
		return w.value(one[0].(map[string]any), path)
	}
	if a.Returned == "never" {
		value = nil
	}
	if got := shown(""); got != value {
		w.errorf(path, "the list has %v, want %v", got, value)
	}
	if w.ofAWS() {
		return
	}
	name := path
	if w.urn == scim.EnterpriseURN {
		name = w.urn + ":" + path
	}
	if got := shown("&attributes=" + url.QueryEscape(name)); got != value {
		w.errorf(path, "selected: %v, want %v", got, value)
	}
	if got := shown("&excludedAttributes=" + url.QueryEscape(name)); got != nil {
		w.errorf(path, "left out: %v", got)
	}
}

// others has somebody else take the value, in these letters and in others, when they are made and
// later.
func (w *walk) others(path string, a described, in *described) {
	if a.Type == "boolean" || len(a.CanonicalValues) > 0 || a.Type == "binary" || path == "members.value" {
		return
	}
	w.made++
	value, _ := w.sample(a, in, w.made).(string)
	if w.madeWith(path, a, in, value) == "" {
		return
	}
	for text, unlike := range map[string]bool{value: false, strings.ToUpper(value): true} {
		taken := a.Uniqueness == "server" && (!unlike || !*a.CaseExact)
		want := map[bool]int{true: 409, false: 201}[taken]
		if status, body := w.post(w.resource(a, in, text)); status != want {
			w.errorf(path, "%s beside %s: %d %v, want %d", text, value, status, body, want)
		}
		if !taken || a.Returned == "never" {
			continue
		}
		_, other := w.post(w.least(w.at))
		at := w.at + "/" + other["id"].(string)
		op := fmt.Sprintf(`{"op":"add","path":"%s","value":%q}`, w.full(path, in), text)
		if status, body := w.send("PATCH", at, patch(op)); status != 409 {
			w.errorf(path, "%s: %d %v, want 409", op, status, body)
		}
		if w.at == "Groups" && w.ofAWS() {
			continue
		}
		if status, body := w.send("PUT", at, w.text(w.resource(a, in, text))); status != 409 {
			w.errorf(path, "put %s: %d %v, want 409", text, status, body)
		}
	}
}

// taken sends a value that is none of the canonical ones: where the schema has some there are no
// others, and one is refused or passed over (RFC 7643 §7).
func (w *walk) taken(path string, a described, in *described) {
	if len(a.CanonicalValues) == 0 {
		return
	}
	status, body := w.post(w.resource(a, in, "none-of-them"))
	if status != 400 && w.value(body, path) == "none-of-them" {
		w.errorf(path, "a value that is not canonical: %d %v", status, body)
	}
}

// removed takes a value away by PATCH: what is required stays, and whether somebody is enabled is
// always said.
func (w *walk) removed(path string, a described, in *described) {
	if w.ofAWS() && in != nil && in.Name == "roles" || a.Returned == "never" || a.Mutability == "immutable" {
		return
	}
	w.made++
	r := w.resource(a, in, w.sample(a, in, w.made))
	if in != nil && *in.MultiValued {
		w.replace(r, in, "type", "x")
		if a.Name == "type" {
			return // it is how the value is found
		}
	}
	status, made := w.post(r)
	if status != 201 {
		w.errorf(path, "%v is refused: %d %v", r, status, made)
		return
	}
	at := w.at + "/" + made["id"].(string)
	before := w.now(at, path)
	status, body := w.send("PATCH", at, patch(fmt.Sprintf(`{"op":"remove","path":"%s"}`, w.full(path, in))))
	stays := *a.Required && (in == nil || !*in.MultiValued) || w.saidAnyway(path)
	got := w.now(at, path)
	switch {
	case stays && (status != 400 || got != before):
		w.errorf(path, "removed: %d %v, now %v, want 400", status, body, got)
	case !stays && (status/100 != 2 || got != nil && got != false):
		w.errorf(path, "removed: %d %v, now %v", status, body, got)
	}
}

// several sends two values.
func (w *walk) several(path string, a described) {
	if a.Mutability == "readOnly" || a.Returned == "never" {
		return
	}
	entry := func() map[string]any {
		e := map[string]any{}
		for _, part := range a.SubAttributes {
			w.made++
			if part.Type == "boolean" || part.Mutability == "readOnly" || part.Name == "$ref" {
				continue
			}
			e[part.Name] = w.sample(part, &a, w.made)
		}
		return e
	}
	r := w.least(w.at)
	target := r
	if w.urn == scim.EnterpriseURN {
		target = map[string]any{}
		r[w.urn] = target
	}
	target[a.Name] = []any{entry(), entry()}
	status, body := w.post(r)
	want := 400
	if *a.MultiValued && !w.ofAWS() { // AWS's guide: one of each
		want = 201
	}
	if status != want {
		w.errorf(path, "two values: %d %v, want %d", status, body, want)
		return
	}
	if list, _ := w.value(body, path).([]any); status == 201 && len(list) != 2 {
		w.errorf(path, "of two values there are %v", w.value(body, path))
	}
}

// staysOurs sends a value of what clients cannot write.
func (w *walk) staysOurs(path string, a described, in *described) {
	_, made := w.post(w.least(w.at))
	at := w.at + "/" + made["id"].(string)
	if w.at != "Groups" || !w.ofAWS() {
		if status, body := w.send("PUT", at, w.text(w.resource(a, in, "mine"))); status/100 != 2 ||
			w.value(body, path) == "mine" {
			w.errorf(path, "put: %d %v", status, body)
		}
	}
	for _, op := range []string{`"op":"replace","value":"mine"`, `"op":"remove"`} {
		text := fmt.Sprintf(`{%s,"path":"%s"}`, op, w.full(path, nil))
		status, body := w.send("PATCH", at, patch(text))
		if status != 400 || body["scimType"] != "mutability" {
			w.errorf(path, "%s: %d %v", text, status, body)
		}
	}
}
