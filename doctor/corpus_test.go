package doctor_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
)

// scenario is a case of the corpus: a state of both sides, who is asked about, and the cause that
// was right in the end. Each is written after the kind of thing that happens to people; the names
// and the words are our own.
type scenario struct {
	Scenario string       `json:"scenario"`
	About    doctor.About `json:"about"`
	Cause    string       `json:"cause"` // a check, or check/kind; empty: nothing to say
	Sound    bool         `json:"sound"` // an alarm would be wrong
	Edits    [][]any      `json:"edits"` // of the sound base state
}

// idKeys are the members that name an element of a list.
var idKeys = []string{
	"id", "UserId", "GroupId", "ConfigurationId", "InstanceArn", "PermissionSetArn", "key", "targetAttributeName",
	"MemberId", "keyId",
}

// TestTheCorpusIsDiagnosed asks about each case and counts how often the cause that was right
// comes first. Of the sound ones, none may raise an alarm.
func TestTheCorpusIsDiagnosed(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.json")
	if err != nil {
		t.Fatal(err)
	}
	var right, sound, person, alarms int
	for _, file := range files {
		s := read[scenario](t, file)
		facts := state(t, s.Edits)
		report := doctor.Diagnose(facts, s.About)
		if s.Sound {
			sound++
		}
		if s.About.Person != "" {
			person++
		}
		if s.Sound && report.Worst() == doctor.Broken {
			alarms++
			t.Errorf("%s is sound, and raises an alarm:\n%s", file, told(report, 3))
		}
		if !s.Sound && report.Worst() == doctor.OK && s.Cause != "role-claims" && s.Cause != "no-access" {
			t.Errorf("%s is broken, and nothing says so:\n%s", file, told(report, 3))
		}
		if first(report, s.Cause) {
			right++
			continue
		}
		t.Logf("%s: %s was not first:\n%s", file, s.Cause, told(report, 4))
	}
	if len(files) < 60 || sound < 15 || person < 15 {
		t.Errorf("the corpus has %d cases, %d sound, %d about one person", len(files), sound, person)
	}
	if right*100 < len(files)*90 {
		t.Errorf("%d of %d have the right cause first", right, len(files))
	}
	t.Logf(
		"%d of %d cases (%d %%) have the right cause first; %d of %d sound ones raise an alarm; %d are about one "+
			"person",
		right, len(files), right*100/len(files), alarms, sound, person,
	)
}

// TestACertificateOfAProgramDoesNotWait: the tenant has no key of it and never signs with it.
func TestACertificateOfAProgramDoesNotWait(t *testing.T) {
	s := read[scenario](t, "testdata/cases/a-program-has-a-certificate.json")
	if report := doctor.Diagnose(state(t, s.Edits), s.About); len(report.Findings) > 0 {
		t.Error(told(report, 3))
	}
}

func first(r doctor.Report, cause string) bool {
	if cause == "" {
		return len(r.Findings) == 0
	}
	if len(r.Findings) == 0 {
		return false
	}
	f := r.Findings[0]
	return cause == f.Check || cause == f.Check+"/"+f.Kind
}

func told(r doctor.Report, n int) string {
	var out strings.Builder
	for i, f := range r.Findings {
		if i == n {
			break
		}
		fmt.Fprintf(&out, "   %s/%s %s: %s (behind %q) %v\n", f.Check, f.Kind, f.State, f.Fact, f.Behind, f.Subjects)
	}
	return out.String()
}

func read[T any](t *testing.T, file string) (out T) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&out); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return out
}

// state is the base state with edits: "set", "add" and "remove", each with a path. An element of a
// list is named by its place, or by what names it; a ~1 stands for a slash.
func state(t *testing.T, edits [][]any) (f doctor.Facts) {
	t.Helper()
	tree := read[any](t, "testdata/base.json")
	for _, e := range edits {
		verb, path := e[0].(string), strings.Split(e[1].(string), "/")
		for i := range path {
			path[i] = strings.ReplaceAll(path[i], "~1", "/")
		}
		var value any
		if len(e) > 2 {
			value = e[2]
		}
		var err error
		if tree, err = edit(tree, path, verb, value); err != nil {
			t.Fatalf("%v: %v", e[:2], err)
		}
	}
	data, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

func edit(node any, path []string, verb string, value any) (any, error) {
	if len(path) == 0 {
		if list, ok := node.([]any); ok && verb == "add" {
			return append(list, value), nil
		}
		if verb == "add" {
			return []any{value}, nil
		}
		return value, nil
	}
	switch node := node.(type) {
	case nil:
		node2, err := edit(nil, path[1:], verb, value)
		return map[string]any{path[0]: node2}, err
	case map[string]any:
		if len(path) == 1 && (verb == "remove" || (verb == "set" && value == nil)) {
			delete(node, path[0])
			return node, nil
		}
		next, err := edit(node[path[0]], path[1:], verb, value)
		node[path[0]] = next
		return node, err
	case []any:
		i := place(node, path[0])
		if i < 0 {
			return nil, fmt.Errorf("nothing is named %s", path[0])
		}
		if len(path) == 1 && verb == "remove" {
			return slices.Delete(node, i, i+1), nil
		}
		next, err := edit(node[i], path[1:], verb, value)
		node[i] = next
		return node, err
	}
	return nil, fmt.Errorf("%s is inside of a value", path[0])
}

func place(list []any, name string) int {
	if i, err := strconv.Atoi(name); err == nil && i < len(list) {
		return i
	}
	for _, key := range idKeys {
		for i, x := range list {
			if m, ok := x.(map[string]any); ok && m[key] == name {
				return i
			}
		}
	}
	return -1
}
