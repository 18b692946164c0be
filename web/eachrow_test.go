package web_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/web"
)

// TestAFileLeavesOutNoRowThatStays changes the list between its parts.
func TestAFileLeavesOutNoRowThatStays(t *testing.T) {
	some := func(from, to int) (list []string) {
		for i := from; i < to; i++ {
			list = append(list, "row"+strconv.Itoa(i))
		}
		return list
	}
	for name, c := range map[string]struct {
		size    int
		changes []func([]string) []string // after the first part, the second, …
		missing int
	}{
		"nothing changes":      {size: 3500},
		"an empty list":        {size: 0},
		"exactly one part":     {size: 1000},
		"one more than a part": {size: 1001},
		"a row goes from what was read": {
			size:    3500,
			changes: []func([]string) []string{func(l []string) []string { return slices.Delete(l, 5, 6) }},
		},
		"the last row that was read goes": {
			size:    3500,
			changes: []func([]string) []string{func(l []string) []string { return slices.Delete(l, 999, 1000) }},
		},
		"most of what was read goes": {
			size: 4500,
			changes: []func([]string) []string{
				nil, func(l []string) []string { return slices.Delete(l, 0, 1900) },
			},
		},
		"all that was read goes": {
			size:    1500,
			changes: []func([]string) []string{func(l []string) []string { return slices.Delete(l, 0, 1000) }},
		},
		"rows go again and again": {
			size: 4500,
			changes: []func([]string) []string{
				func(l []string) []string { return slices.Delete(l, 0, 3) },
				func(l []string) []string { return slices.Delete(l, 0, 3) },
				func(l []string) []string { return slices.Delete(l, 0, 3) },
			},
		},
		"a row comes in before": {
			size:    2500,
			changes: []func([]string) []string{func(l []string) []string { return slices.Insert(l, 0, "new") }},
			missing: 1,
		},
		"a row goes that was not read": {
			size:    1500,
			changes: []func([]string) []string{func(l []string) []string { return slices.Delete(l, 1200, 1201) }},
			missing: 1,
		},
	} {
		list, part := some(0, c.size), 0
		all := map[string]bool{}
		note := func() {
			for _, x := range list {
				all[x] = true
			}
		}
		note()
		var got []string
		err := web.EachRow(func(offset, limit int) ([]string, error) {
			if part > 0 && part <= len(c.changes) && c.changes[part-1] != nil {
				list = c.changes[part-1](slices.Clone(list))
				note()
			}
			part++
			from := min(offset, len(list))
			return list[from:min(from+limit, len(list))], nil
		}, strings.Clone, func(x string) error { got = append(got, x); return nil })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		sorted := slices.Sorted(slices.Values(got))
		if len(slices.Compact(sorted)) != len(got) {
			t.Errorf("%s: a row is there twice", name)
		}
		for _, x := range list {
			if x != "new" && !slices.Contains(got, x) {
				t.Errorf("%s: %s stayed, and is left out", name, x)
				break
			}
		}
		if len(all)-len(got) != c.missing {
			t.Errorf("%s: %d of %d rows, want %d less", name, len(got), len(all), c.missing)
		}
	}
}

// TestAFileEndsWithTheFirstFailure, also when the list never stops losing rows.
func TestAFileEndsWithTheFirstFailure(t *testing.T) {
	broken := errors.New("broken")
	read := func(_, limit int) ([]int, error) { return make([]int, limit), nil }
	if err := web.EachRow(read, strconv.Itoa, func(int) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("the row's failure: %v", err)
	}
	reads := 0
	moving := func(_, limit int) (list []int, _ error) {
		for i := range limit {
			list = append(list, reads*limit+i)
		}
		reads++
		return list, nil
	}
	if err := web.EachRow(moving, strconv.Itoa, func(int) error { return nil }); err == nil {
		t.Error("a list that moves without end is read to its end")
	}
}
