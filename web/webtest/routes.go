package webtest

import (
	"net/http"
	"reflect"
	"slices"
	"testing"
)

// Routes returns the patterns of a mux, in order. net/http keeps them to itself, so they are read
// out of its index; a test of every route fails when a release of Go keeps them elsewhere.
func Routes(t testing.TB, mux *http.ServeMux) []string {
	t.Helper()
	index := reflect.ValueOf(mux).Elem().FieldByName("index")
	if !index.IsValid() {
		t.Fatal("http.ServeMux has no index any more")
	}
	seen := map[string]bool{}
	add := func(patterns reflect.Value) {
		for i := range patterns.Len() {
			seen[patterns.Index(i).Elem().FieldByName("str").String()] = true
		}
	}
	for segments := index.FieldByName("segments").MapRange(); segments.Next(); {
		add(segments.Value())
	}
	add(index.FieldByName("multis"))
	routes := make([]string, 0, len(seen))
	for pattern := range seen {
		routes = append(routes, pattern)
	}
	slices.Sort(routes)
	return routes
}
