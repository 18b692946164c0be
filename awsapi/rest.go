package awsapi

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

// Route is where an operation of a service is that speaks restJson1: its address and method, and
// which members of the input stand there. All others are in the body.
type Route struct {
	Pattern string   // as http.ServeMux has them, with members in braces
	Query   []string // members that are parameters of the query, each once
	Lists   []string // … and those that may stand there several times
	Status  int      // of an answer that is no error; 0: 200
}

// MountREST adds the operations of a service to mux, each at its route. Source: Smithy, "AWS
// restJson1 protocol" and "HTTP bindings".
func (h *Handler) MountREST(mux *http.ServeMux, s Service, routes map[string]Route) {
	for _, op := range s.Operations {
		route, ok := routes[op.Name]
		if !ok {
			panic("there is no route to " + op.Name)
		}
		if route.Status == 0 {
			route.Status = http.StatusOK
		}
		mux.HandleFunc(route.Pattern, func(w http.ResponseWriter, r *http.Request) {
			requestID := h.RequestID(r)
			w.Header().Set("X-Amzn-Requestid", requestID)
			w.Header().Set("Content-Type", "application/json")
			who, body, ok := h.admit(w, r, s, op.Name, requestID)
			if !ok {
				return
			}
			whole, err := route.input(r, body)
			if err != nil {
				s.Refused(r.Context(), who, op.Name, err)
				h.fail(w, requestID, s.Answer(err))
				return
			}
			h.run(w, r, s, op, call{who, whole, requestID, route.Status})
		})
	}
}

// labels are the names in braces of a pattern.
func (route Route) labels() (names []string) {
	for part := range strings.SplitSeq(route.Pattern, "/") {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// input is the body with the members that stand elsewhere. One that stands in both is refused with
// others that stand twice.
func (route Route) input(r *http.Request, body []byte) ([]byte, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, serialization("the query cannot be read")
	}
	members := map[string]any{}
	for _, name := range route.labels() {
		members[name] = r.PathValue(name)
	}
	for name, values := range query {
		switch {
		case slices.Contains(route.Lists, name):
			members[name] = values
		case !slices.Contains(route.Query, name):
			return nil, unknown(name).in("the operation")
		case len(values) > 1:
			return nil, serialization("the parameter " + strconv.Quote(name) + " stands twice")
		default:
			members[name] = values[0]
		}
	}
	body = bytes.TrimSpace(body)
	if len(members) == 0 || len(body) > 0 && body[0] != '{' {
		return body, nil // what is no object is refused where the body is read
	}
	first, err := json.Marshal(members, json.Deterministic(true))
	if err != nil { // texts, always
		return nil, serialization("the request is not UTF-8")
	}
	if len(body) == 0 {
		return first, nil
	}
	first = first[:len(first)-1]
	if rest := bytes.TrimSpace(body[1:]); len(rest) > 0 && rest[0] != '}' {
		first = append(first, ',')
	}
	return append(first, body[1:]...), nil
}
