package graphserver

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The query options of routes. What a route does not know is refused: a $filter that is passed over
// gives everybody. $skip is among those of lists so that it is refused in Graph's words.
var (
	noOptions []string
	ofOne     = []string{"$select", "$expand"}
	ofUser    = append([]string{"$count"}, ofOne...) // which goes with $levels
	ofList    = append([]string{"$filter", "$search", "$orderby", "$top", "$skip", "$skiptoken", "$count"}, ofOne...)
	ofCount   = []string{"$filter", "$search", "$count"}
	ofDelta   = []string{"$select", "$filter", "$skiptoken", "$deltatoken"}
	ofLog     = []string{"$filter", "$orderby", "$top", "$skip", "$skiptoken", "$select"}
)

// systemOptions are the options that OData knows, in the letters in which they are kept.
var systemOptions = []string{"$count", "$deltatoken", "$expand", "$filter", "$format", "$orderby", "$search",
	"$select", "$skip", "$skiptoken", "$top"}

// withOptions refuses query options that a route does not know, or that are duplicated. Their
// letter case does not matter, nor does their dollar. Sources: OData 4.01 URL conventions, 5; "Use
// query parameters".
func withOptions(known []string, fn call) call {
	return func(ctx context.Context, r request) (int, any, error) {
		if r.URL.RawQuery == "" {
			return fn(ctx, r)
		}
		// semicolons are between the options of $expand
		query, err := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "%3B"))
		if err != nil {
			return 0, nil, badRequest("The query cannot be read.")
		}
		plain := url.Values{}
		for _, name := range slices.Sorted(maps.Keys(query)) {
			option := strings.ToLower(name)
			if slices.Contains(systemOptions, "$"+option) {
				option = "$" + option
			}
			if !slices.Contains(known, option) {
				return 0, nil, notSupportedHere(option, name)
			}
			if len(query[name]) > 1 || plain.Has(option) {
				return 0, nil, badRequest("Query option '" + option + "' was specified more than once, but it " +
					"must be specified at most once. It is duplicated.")
			}
			plain[option] = query[name]
		}
		address := *r.URL
		address.RawQuery = plain.Encode()
		inner := *r.Request
		inner.URL = &address
		r.Request = &inner
		return fn(ctx, r)
	}
}

func notSupportedHere(option, name string) error {
	if slices.Contains(systemOptions, option) {
		return badRequest("'" + option + "' is not supported by the service.")
	}
	return unsupported("The query option '" + quotable(name) +
		"' is not supported here: Gatehouse refuses what it would otherwise ignore.")
}

// one answers with what is selected of one resource.
func one[T any](h *Handler, r request, t *resource, v T) (int, any, error) {
	o, err := options(r, t)
	if err != nil {
		return 0, nil, err
	}
	x := objects([]T{v})
	id := x[0]["id"]
	x[0] = o.shape(x[0], nil)
	x[0]["id"] = id
	return http.StatusOK, x[0], h.expand(r.Context(), o, t, x)
}
