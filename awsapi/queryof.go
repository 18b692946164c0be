package awsapi

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
)

// maxName bounds how much of a parameter's name is repeated.
const maxName = 64 //bound:none of a message

// QueryOf reads the query of a request for an operation that takes its members from there, and says
// what is wrong with it, or "". AWS passes over parameters that it does not know; here they are
// refused, since they may be a control that the caller relies on, and so is one that stands twice.
func QueryOf(r *http.Request, known []string) (query url.Values, wrong string) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return query, "the query cannot be read"
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return query, "the parameter " + strconv.Quote(name[:min(len(name), maxName)]) +
				" is not known; Gatehouse refuses what it would otherwise ignore"
		}
		if len(values) > 1 {
			return query, "duplicate parameter: " + name
		}
	}
	return query, ""
}
