package web_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/web"
)

// TestAnExportReadsNoFurtherThanWhatWasChosen: with the last chosen row the list is read no more.
// One that only looks like a chosen row is no reason to stop, and a row that has gone is left out.
func TestAnExportReadsNoFurtherThanWhatWasChosen(t *testing.T) {
	t.Parallel()
	list := [][]string{
		{"arn:x/one", "u1"}, {"u4", "its name is that of another"}, {"three", "u4"}, {"four", "u2"}, {"five", "u5"},
	}
	for query, want := range map[string]struct {
		rows []string
		read int
	}{
		"pick=one":             {[]string{"arn:x/one"}, 1},
		"pick=one&pick=one":    {[]string{"arn:x/one"}, 1},
		"pick=four&pick=one":   {[]string{"arn:x/one", "four"}, 4},
		"pick=three+u4":        {[]string{"three"}, 3},
		"pick=three+u5":        {nil, 5},
		"pick=three&pick=gone": {[]string{"three"}, 5},
		"pick=u1":              {[]string{"arn:x/one"}, 5}, // by another cell than the first
		"pick=u4&pick=three":   {[]string{"u4", "three"}, 3},
		"pick=":                {nil, 5},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			w := httptest.NewRecorder()
			read := 0
			err := web.Visit{
				ResponseWriter: w, Request: httptest.NewRequest(http.MethodGet, "/list?chosen=json&"+query, nil),
			}.Export("list", []string{"id", "who"}, func(row func(...string) error) error {
				for _, cells := range list {
					read++
					if err := row(cells...); err != nil {
						return fmt.Errorf("row %d: %w", read, err)
					}
				}
				return nil
			})
			var found []struct{ ID string }
			if err != nil || json.Unmarshal(w.Body.Bytes(), &found) != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
			var ids []string
			for _, x := range found {
				ids = append(ids, x.ID)
			}
			if !slices.Equal(ids, want.rows) || read != want.read {
				t.Errorf("%q after %d rows, want %q after %d", ids, read, want.rows, want.read)
			}
		})
	}
}
