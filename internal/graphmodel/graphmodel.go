// Package graphmodel checks requests to Microsoft Graph against its metadata: the path, the method,
// what a query selects and filters by, and the members of the body with their types. It is for
// tests of what talks to Microsoft's own Graph.
//
// The metadata is reduced to what Gatehouse asks for; its test makes it anew from Microsoft's.
// It imports nothing of ours.
package graphmodel

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

//go:embed v1.0.txt
var reduced string

// Model is a Graph's metadata.
type Model struct {
	types map[string]*typeOf
	enums map[string][]string
	roots map[string]string // entity sets and singletons, by name
}

// typeOf is an entity or a complex type.
type typeOf struct {
	base       string
	properties map[string]string // their types; a collection's begins with [
	navigation map[string]string
	actions    map[string]map[string]string // parameters by name, of what is done to it or to a collection of it
}

// V1 is the metadata of v1.0.
var V1 = sync.OnceValue(func() *Model { return parse(reduced) })

// parse reads the reduced form: a line for each type, indented ones for what it has.
func parse(text string) *Model {
	m := &Model{types: map[string]*typeOf{}, enums: map[string][]string{}, roots: map[string]string{}}
	var t *typeOf
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		of := strings.HasPrefix(line, " ") // of the type before
		switch {
		case len(words) < 2 || words[0] == "#":
		case words[0] == "type" && !of:
			t = &typeOf{
				properties: map[string]string{}, navigation: map[string]string{},
				actions: map[string]map[string]string{},
			}
			if m.types[words[1]] = t; len(words) > 2 {
				t.base = words[2]
			}
		case words[0] == "enum" && !of:
			m.enums[words[1]] = words[2:]
		case words[0] == "root" && !of:
			m.roots[words[1]] = words[2]
		case words[0] == ">":
			t.navigation[words[1]] = words[2]
		case words[0] == "!":
			parameters := map[string]string{}
			for _, p := range words[2:] {
				name, kind, _ := strings.Cut(p, ":")
				parameters[name] = kind
			}
			t.actions[words[1]] = parameters
		default:
			t.properties[words[0]] = words[1]
		}
	}
	return m
}

// find looks for something in a type or in what it is derived from.
func find[T any](m *Model, name string, in func(*typeOf) map[string]T, what string) (found T, ok bool) {
	for t := m.types[name]; t != nil; t = m.types[t.base] {
		if found, ok = in(t)[what]; ok {
			return found, true
		}
	}
	return found, false
}

func properties(t *typeOf) map[string]string { return t.properties }
func navigation(t *typeOf) map[string]string { return t.navigation }

func (m *Model) action(of, name string) (map[string]string, bool) {
	return find(m, of, func(t *typeOf) map[string]map[string]string { return t.actions }, name)
}

// member is the type of a property or a navigation property.
func (m *Model) member(of, name string) (string, bool) {
	if kind, ok := find(m, of, properties, name); ok {
		return kind, true
	}
	return find(m, of, navigation, name)
}

// place is what a path leads to.
type place struct {
	kind       string            // its type; a collection's begins with [
	parameters map[string]string // of an action
	reference  bool              // a $ref
	plain      bool              // a $count or a $value
	property   bool              // a property that is no entity
}

// Check says what is wrong with a request, whose path begins after the version.
func (m *Model) Check(method, path string, query url.Values, body []byte) error {
	at, err := m.walk(path)
	if err == nil {
		err = m.method(method, at)
	}
	if err == nil {
		err = m.query(query, strings.TrimPrefix(at.kind, "["))
	}
	if err == nil && len(bytes.TrimSpace(body)) > 0 {
		err = m.body(method, at, body)
	}
	if err == nil && at.parameters == nil {
		err = required(method, path, body)
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// walk follows a path, segment by segment.
func (m *Model) walk(path string) (at place, err error) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	root, ok := m.roots[segments[0]]
	if !ok {
		return at, fmt.Errorf("there is no %q", segments[0])
	}
	at.kind = root
	for i, segment := range segments[1:] {
		last := i == len(segments)-2
		of, many := strings.CutPrefix(at.kind, "[")
		switch parameters, isAction := m.action(of, segment); {
		case at.parameters != nil || at.plain || at.reference:
			return at, fmt.Errorf("nothing follows %q", segments[i])
		case isAction && last:
			at.parameters = parameters
		case segment == "$ref":
			at.reference = true
		case segment == "$count" || segment == "$value":
			at.plain = true
		case strings.HasPrefix(segment, "microsoft.graph."):
			at.kind = at.kind[:len(at.kind)-len(of)] + strings.TrimPrefix(segment, "microsoft.graph.")
		case many && !at.property:
			at.kind = of // a key
		default:
			kind, known := find(m, of, navigation, segment)
			if !known {
				kind, known = find(m, of, properties, segment)
				at.property = true
			}
			if !known {
				return at, fmt.Errorf("%s has no %q", of, segment)
			}
			at.kind = kind
		}
	}
	return at, nil
}

// method says whether something may be done at a place. Source: OData 4.01 protocol, 11.4.
func (m *Model) method(method string, at place) error {
	allowed := []string{http.MethodGet, http.MethodPatch, http.MethodDelete}
	switch {
	case at.parameters != nil:
		allowed = []string{http.MethodPost}
	case at.plain:
		allowed = []string{http.MethodGet}
	case at.reference:
		allowed = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete}
	case at.property:
		allowed = []string{http.MethodGet, http.MethodPut}
	case strings.HasPrefix(at.kind, "["):
		allowed = []string{http.MethodGet, http.MethodPost}
	}
	if !slices.Contains(allowed, method) {
		return fmt.Errorf("%s is not for %s", method, at.kind)
	}
	return nil
}

var filtered = regexp.MustCompile(`(?:^|[\s(])([a-zA-Z][\w/]*)\s+(?:eq|ne|ge|le|gt|lt|in)\s`)

// query checks the names in system query options.
func (m *Model) query(query url.Values, of string) error {
	for _, option := range slices.Sorted(maps.Keys(query)) {
		value := query.Get(option)
		var names []string
		switch option {
		case "$select":
			names = strings.Split(value, ",")
		case "$filter":
			for _, found := range filtered.FindAllStringSubmatch(value, -1) {
				names = append(names, found[1])
			}
			if len(names) == 0 && !strings.Contains(value, "(") {
				return fmt.Errorf("$filter=%s compares nothing", value)
			}
		case "$orderby":
			for part := range strings.SplitSeq(value, ",") {
				names = append(names, strings.Fields(part)[0])
			}
		case "$top":
			if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 999 {
				return fmt.Errorf("$top=%s is not from 1 to 999", value)
			}
		case "$count", "$search", "$expand", "$skiptoken", "$deltatoken":
		default:
			return fmt.Errorf("there is no query option %q", option)
		}
		for _, name := range names {
			if err := m.path(of, name); err != nil {
				return fmt.Errorf("%s: %w", option, err)
			}
		}
	}
	return nil
}

// path follows a property path such as status/errorCode. What every object of a directory can be
// asked for, such as a user's name in a list of members, is looked for in users too.
func (m *Model) path(of, path string) error {
	for name := range strings.SplitSeq(path, "/") {
		kind, ok := m.member(of, name)
		if !ok && of == "directoryObject" {
			kind, ok = m.member("user", name)
		}
		if !ok {
			return fmt.Errorf("%s has no %q", of, name)
		}
		of = strings.TrimPrefix(kind, "[")
	}
	return nil
}

// body checks what is sent.
func (m *Model) body(method string, at place, body []byte) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return fmt.Errorf("the body is no JSON: %w", err)
	}
	object, isObject := value.(map[string]any)
	switch {
	case method == http.MethodGet || method == http.MethodDelete:
		return fmt.Errorf("%s takes no body", method)
	case !isObject:
		return fmt.Errorf("the body is no object")
	case at.reference:
		if _, ok := object["@odata.id"].(string); !ok || len(object) != 1 {
			return fmt.Errorf("a reference has an @odata.id and nothing else")
		}
		return nil
	case at.parameters != nil:
		for _, name := range slices.Sorted(maps.Keys(object)) {
			kind, ok := at.parameters[name]
			if !ok {
				return fmt.Errorf("the action has no parameter %q", name)
			}
			if err := m.value(kind, name, object[name]); err != nil {
				return err
			}
		}
		return nil
	case at.property && strings.HasPrefix(at.kind, "["):
		if len(object) != 1 {
			return fmt.Errorf("a list of values has one member, value")
		}
		return m.value(at.kind, "value", object["value"])
	}
	return m.value(strings.TrimPrefix(at.kind, "["), "", value)
}

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// value checks a value against a type.
func (m *Model) value(kind, at string, v any) error {
	if of, many := strings.CutPrefix(kind, "["); many {
		list, ok := v.([]any)
		if !ok {
			return fmt.Errorf("%s is a list of %s", at, of)
		}
		for _, item := range list {
			if err := m.value(of, at+"[]", item); err != nil {
				return err
			}
		}
		return nil
	}
	if v == nil {
		return nil
	}
	text, isText := v.(string)
	number, isNumber := v.(json.Number)
	fits := isText
	switch kind {
	case "Edm.Boolean":
		_, fits = v.(bool)
	case "Edm.Int16", "Edm.Int32", "Edm.Int64":
		_, err := number.Int64()
		fits = isNumber && err == nil
	case "Edm.Double", "Edm.Single", "Edm.Decimal":
		fits = isNumber
	case "Edm.Guid":
		fits = guid.MatchString(text)
	case "Edm.DateTimeOffset":
		_, err := time.Parse(time.RFC3339, text)
		fits = err == nil
	case "Edm.String", "Edm.Binary", "Edm.Date", "Edm.TimeOfDay", "Edm.Duration", "Edm.Stream":
	case "Edm.Untyped":
		fits = true
	default:
		return m.structured(kind, at, v)
	}
	if !fits {
		return fmt.Errorf("%s is an %s, not a %T", at, kind, v)
	}
	return nil
}

func (m *Model) structured(kind, at string, v any) error {
	if values, ok := m.enums[kind]; ok {
		if text, _ := v.(string); !slices.Contains(values, text) {
			return fmt.Errorf("%s is not one of the %s: %v", at, kind, v)
		}
		return nil
	}
	object, ok := v.(map[string]any)
	if !ok || m.types[kind] == nil {
		return fmt.Errorf("%s is a %s, not a %T", at, kind, v)
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if name == "@odata.type" || strings.HasSuffix(name, "@odata.bind") {
			continue
		}
		of, ok := m.member(kind, name)
		if !ok {
			return fmt.Errorf("%s has no %q", kind, strings.TrimPrefix(at+"."+name, "."))
		}
		if err := m.value(of, strings.TrimPrefix(at+"."+name, "."), object[name]); err != nil {
			return err
		}
	}
	return nil
}

// needed are the members that the reference pages require and the metadata does not: by the end of
// the path.
var needed = map[string][]string{
	"/appRoleAssignedTo":    {"principalId", "resourceId", "appRoleId"},
	"/synchronization/jobs": {"templateId"},
	"/groups":               {"displayName", "mailEnabled", "mailNickname", "securityEnabled"},
	"/users":                {"accountEnabled", "displayName", "mailNickname", "userPrincipalName", "passwordProfile"},
	"/applications":         {"displayName"},
	"/servicePrincipals":    {"appId"},
}

func required(method, path string, body []byte) error {
	if method != http.MethodPost {
		return nil
	}
	var has map[string]json.RawMessage
	_ = json.Unmarshal(body, &has) // checked before
	for _, end := range slices.Sorted(maps.Keys(needed)) {
		if !strings.HasSuffix(path, end) {
			continue
		}
		for _, name := range needed[end] {
			if _, ok := has[name]; !ok {
				return fmt.Errorf("%s is required", name)
			}
		}
	}
	return nil
}

// Transport has a test fail with each request to a Graph that Microsoft's would not know. Requests
// to other paths than those of the Graph go by.
func Transport(t testing.TB, next http.RoundTripper) http.RoundTripper { return transport{t, next} }

type transport struct {
	t    testing.TB
	next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (x transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := CheckRequest(r); err != nil {
		x.t.Error(err)
	}
	return x.next.RoundTrip(r)
}

// CheckRequest says what is wrong with a request, if it is one to a Graph. Its body can be read
// afterwards.
func CheckRequest(r *http.Request) error {
	path, ok := strings.CutPrefix(r.URL.Path, "/v1.0/")
	if !ok {
		return nil
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	return V1().Check(r.Method, "/"+path, r.URL.Query(), body)
}
