package graphserver

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/web"
)

// maxBatch is how many requests a batch may have. Source: "Combine multiple HTTP requests using
// JSON batching".
const maxBatch = 20 //bound:list requests of a batch

// batch serves several requests in one, each as if it had come alone, with the credentials of the
// whole.
func (h *Handler) batch(_ context.Context, r request) (int, any, error) {
	var in graph.Batch
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if len(in.Requests) == 0 || len(in.Requests) > maxBatch {
		return 0, nil, badRequest("Number of batch request steps must be between 1 and 20.")
	}
	status := map[string]int{} // of those that are done
	for i, part := range in.Requests {
		if part.ID == "" ||
			slices.ContainsFunc(in.Requests[:i], func(p graph.BatchRequest) bool { return p.ID == part.ID }) {
			return 0, nil, badRequest("Each request of a batch needs a unique id.")
		}
	}
	out := graph.BatchAnswer{Responses: []graph.BatchResponse{}}
	for waiting := in.Requests; len(waiting) > 0; {
		var later []graph.BatchRequest
		for _, part := range waiting {
			if slices.ContainsFunc(part.DependsOn, func(id string) bool { return status[id] == 0 }) {
				later = append(later, part)
				continue
			}
			answer := h.servePart(r, part, status)
			status[part.ID] = answer.Status
			out.Responses = append(out.Responses, answer)
		}
		if len(later) == len(waiting) {
			return 0, nil, badRequest("A request of the batch depends on one that does not exist, or on itself.")
		}
		waiting = later
	}
	return http.StatusOK, out, nil
}

// servePart serves one request of a batch.
func (h *Handler) servePart(r request, part graph.BatchRequest, status map[string]int) graph.BatchResponse {
	out := graph.BatchResponse{ID: part.ID, Headers: map[string]string{}}
	problem := func(code int, text string) graph.BatchResponse {
		out.Status = code
		// it always encodes
		out.Body, _ = json.Marshal(graph.ErrorBody{Error: graph.ErrorDetail{Code: "Request_BadRequest", Message: text}})
		return out
	}
	if slices.ContainsFunc(part.DependsOn, func(id string) bool { return status[id] >= http.StatusBadRequest }) {
		return problem(http.StatusFailedDependency, "A request that this one depends on has failed.")
	}
	path := "/" + strings.TrimPrefix(part.URL, "/")
	inner, err := http.NewRequestWithContext(
		r.Context(), strings.ToUpper(part.Method), root+path, bytes.NewReader(part.Body),
	)
	if err != nil || strings.HasPrefix(inner.URL.Path, root+"/$batch") || inner.URL.Host != "" {
		return problem(
			http.StatusBadRequest,
			"The method or the url of the request is not valid; the url must be relative, and not a batch.",
		)
	}
	for name, value := range part.Headers {
		inner.Header.Set(name, value)
	}
	inner.Header.Set("Authorization", r.Header.Get("Authorization"))
	inner.RemoteAddr, inner.Host = r.RemoteAddr, r.Host
	w := web.NewKept()
	addressed{h.mux, h.plainPath}.ServeHTTP(w, inner)
	out.Status = w.Status
	for _, name := range []string{"Content-Type", "Location", "Retry-After"} {
		if v := w.Header().Get(name); v != "" {
			out.Headers[name] = v
		}
	}
	if json.Valid(w.Body.Bytes()) {
		out.Body = w.Body.Bytes()
	}
	return out
}
