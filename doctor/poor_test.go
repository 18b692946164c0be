package doctor_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
)

// paths are the paths of every value in a tree.
func paths(node any, at []string, found *[][]string) {
	visit := func(name string, child any) {
		path := append(append([]string{}, at...), name)
		*found = append(*found, path)
		paths(child, path, found)
	}
	switch node := node.(type) {
	case map[string]any:
		for name, child := range node {
			visit(name, child)
		}
	case []any:
		for i, child := range node {
			visit(fmt.Sprint(i), child)
		}
	}
}

// TestNothingIsTooPoorToBeJudged leaves out each value of the base state in turn: answers may lack
// anything, and doctor says what it can. Who is asked about may be gone as well.
func TestNothingIsTooPoorToBeJudged(t *testing.T) {
	var all [][]string
	paths(read[any](t, "testdata/base.json"), nil, &all)
	for _, path := range all {
		tree, err := edit(read[any](t, "testdata/base.json"), path, "remove", nil)
		if err != nil {
			t.Fatal(path, err)
		}
		data, err := json.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		var f doctor.Facts
		if err := json.Unmarshal(data, &f); err != nil {
			t.Fatal(path, err)
		}
		for _, about := range []doctor.About{
			{}, {Person: "bo.lind@harbor.example", Text: "An unexpected error has occurred"}, {Group: "Developers"},
		} {
			_ = doctor.Diagnose(f, about) // it must not panic
		}
		_ = doctor.Asked(f, []string{"bo.lind@harbor.example", "Developers", "?", ""})
	}
	if len(all) < 300 {
		t.Errorf("only %d values were left out", len(all))
	}
}

// TestAMissingValueAndOneThatLooksEmptyAreToldApart: each with the people whom it is about.
func TestAMissingValueAndOneThatLooksEmptyAreToldApart(t *testing.T) {
	f := state(t, [][]any{
		{"set", "entra/users/u-ines/surname", nil}, {"set", "entra/users/u-bo/surname", "\u3164"},
	})
	got := map[string]string{}
	for _, x := range doctor.Diagnose(f, doctor.About{}).Findings {
		if x.Check == "attributes" {
			got[x.Kind] = fmt.Sprint(x.Subjects)
		}
	}
	want := map[string]string{"missing": "[ines.moreau@harbor.example]", "looks empty": "[bo.lind@harbor.example]"}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
