// Package graphserver is the tenant's Microsoft Graph v1.0 door: the users, groups, applications, assignments and synchronization jobs that it
// takes to connect an enterprise application. docs/fidelity.md lists what is there.
//
// Sources: Microsoft Graph reference and tutorials. It may import tenant, graph, saml, web, audit, and of the engine what an explanation
// and a mapping are.
package graphserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// Handler serves Graph.
type Handler struct {
	Tenant *tenant.Tenant
	Log    *slog.Logger
	// Authenticate returns the client behind an access token. The OAuth door provides it.
	Authenticate func(ctx context.Context, token string) (clientID string, err error)
	// Test is Test Connection; Progress says how far a running cycle is. The job runner provides both.
	Test     func(ctx context.Context, baseAddress, secretToken string) error
	Progress func(jobID string) (done, total int, ok bool)
	// OnDemand provisions one object of a job, and of a group the named members. The job runner provides it.
	OnDemand func(ctx context.Context, j tenant.Job, kind tenant.ObjectKind, id string, members []string, dryRun bool) (provisioning.Explanation, error)
}

const (
	root    = "/v1.0"
	maxBody = 4 << 20
)

// request is one authenticated request.
type request struct {
	*http.Request
	by audit.Actor
}

// call returns a status and a body, or an error. A nil body is no body.
type call func(ctx context.Context, r request) (status int, body any, err error)

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	const (
		sp   = "/servicePrincipals/{id}"
		sync = sp + "/synchronization"
		job  = sync + "/jobs/{job}"
	)
	for pattern, fn := range map[string]call{
		"GET /organization":                                h.organization,
		"GET /users":                                       h.listUsers,
		"POST /users":                                      h.createUser,
		"GET /users/{id}":                                  h.getUser,
		"PATCH /users/{id}":                                h.updateUser,
		"DELETE /users/{id}":                               h.deleteUser,
		"GET /users/{id}/manager":                          h.getManager,
		"PUT /users/{id}/manager/$ref":                     h.setManager,
		"DELETE /users/{id}/manager/$ref":                  h.deleteManager,
		"GET /groups":                                      h.listGroups,
		"POST /groups":                                     h.createGroup,
		"GET /groups/{id}":                                 h.getGroup,
		"PATCH /groups/{id}":                               h.updateGroup,
		"DELETE /groups/{id}":                              h.deleteGroup,
		"GET /groups/{id}/members":                         h.listMembers,
		"POST /groups/{id}/members/$ref":                   h.addMember,
		"DELETE /groups/{id}/members/{member}/$ref":        h.removeMember,
		"GET /applicationTemplates":                        h.listTemplates,
		"GET /applicationTemplates/{id}":                   h.getTemplate,
		"POST /applicationTemplates/{id}/instantiate":      h.instantiate,
		"GET /applications":                                h.listApplications,
		"GET /applications/{id}":                           h.getApplication,
		"PATCH /applications/{id}":                         h.updateApplication,
		"GET /servicePrincipals":                           h.listServicePrincipals,
		"GET " + sp:                                        h.getServicePrincipal,
		"PATCH " + sp:                                      h.updateServicePrincipal,
		"POST " + sp + "/addTokenSigningCertificate":       h.addTokenSigningCertificate,
		"GET " + sp + "/appRoleAssignedTo":                 h.listAssignments,
		"POST " + sp + "/appRoleAssignedTo":                h.assign,
		"DELETE " + sp + "/appRoleAssignedTo/{assignment}": h.unassign,
		"GET " + sync + "/templates":                       h.syncTemplates,
		"GET " + sync + "/secrets":                         h.getSecrets,
		"PUT " + sync + "/secrets":                         h.putSecrets,
		"GET " + sync + "/jobs":                            h.listJobs,
		"POST " + sync + "/jobs":                           h.createJob,
		"POST " + sync + "/jobs/validateCredentials":       h.validateCredentials,
		"GET " + job:                                       h.getJob,
		"DELETE " + job:                                    h.deleteJob,
		"POST " + job + "/start":                           h.startJob,
		"POST " + job + "/pause":                           h.pauseJob,
		"POST " + job + "/restart":                         h.restartJob,
		"POST " + job + "/validateCredentials":             h.validateCredentials,
		"POST " + job + "/provisionOnDemand":               h.provisionOnDemand,
		"GET " + job + "/schema":                           h.getSchema,
		"PUT " + job + "/schema":                           h.putSchema,
		"DELETE " + job + "/schema":                        h.deleteSchema,
		"GET " + job + "/schema/filterOperators()":         h.filterOperators,
		"GET " + job + "/schema/functions()":               h.functions,
		"POST " + job + "/schema/parseExpression":          h.parseExpression,
		"GET /auditLogs/provisioning":                      h.provisioningLog,
	} {
		method, path, _ := strings.Cut(pattern, " ")
		mux.HandleFunc(method+" "+root+path, h.handle(fn))
	}
	mux.HandleFunc(root+"/", h.handle(func(context.Context, request) (int, any, error) { return 0, nil, errNoResource }))
}

var errNoResource = &wireError{http.StatusNotFound, "Request_ResourceNotFound", "Resource not found for the segment."}

// wireError is an error that is known on this wire only.
type wireError struct {
	status        int
	code, message string
}

func (e *wireError) Error() string { return e.code + ": " + e.message }

func badRequest(message string) error {
	return &wireError{http.StatusBadRequest, "Request_BadRequest", message}
}

// handle bounds, authenticates, calls and answers.
func (h *Handler) handle(fn call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := web.RequestID(r)
		w.Header().Set("Request-Id", id)
		w.Header().Set("Client-Request-Id", clientRequestID(r, id))
		by := audit.Actor{Kind: audit.Application, Address: web.Address(r), RequestID: id}
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		client, err := h.Authenticate(r.Context(), token)
		if err != nil {
			by.Kind = audit.Anonymous
			h.fail(w, r, h.Tenant.Refuse(r.Context(), by, r.Method+" "+r.URL.Path, "", err))
			return
		}
		by.Name = client
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		status, body, err := fn(r.Context(), request{r, by})
		if err != nil {
			var wire *wireError
			if errors.As(err, &wire) && r.Method != http.MethodGet { // refused on the wire, before a rule could record it
				err = h.Tenant.Refuse(r.Context(), by, r.Method+" "+r.URL.Path, "", err)
			}
			h.fail(w, r, err)
			return
		}
		writeJSON(w, status, body)
	}
}

func clientRequestID(r *http.Request, fallback string) string {
	if id := r.Header.Get("Client-Request-Id"); id != "" && len(id) <= 64 {
		return id
	}
	return fallback
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	data, err := json.Marshal(body)
	if err != nil { // our own structs always encode
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json;odata.metadata=minimal;charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// byKind are Graph's status and code for each class of refusal.
var byKind = map[tenant.Kind]wireError{
	tenant.Internal:        {http.StatusInternalServerError, "UnknownError", "Internal error."},
	tenant.Invalid:         {http.StatusBadRequest, "Request_BadRequest", ""},
	tenant.NotFound:        {http.StatusNotFound, "Request_ResourceNotFound", ""},
	tenant.Conflict:        {http.StatusBadRequest, "Request_BadRequest", ""}, // Graph answers duplicates with 400
	tenant.Denied:          {http.StatusForbidden, "Authorization_RequestDenied", ""},
	tenant.Unauthenticated: {http.StatusUnauthorized, "InvalidAuthenticationToken", ""},
}

// answerTo maps an error to the wire. It is the only place that does.
func answerTo(err error) *wireError {
	var refused *tenant.Error
	var wire *wireError
	switch {
	case errors.As(err, &refused):
		e := byKind[tenant.KindOf(err)]
		e.message = refused.Error() + "."
		if refused.Code == tenant.CredentialsInvalid {
			e.code = "SystemForCrossDomainIdentityManagementCredentialValidationUnavailable"
		}
		return &e
	case errors.As(err, &wire):
		return wire
	}
	e := byKind[tenant.Internal]
	return &e
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, id := answerTo(err), web.RequestID(r)
	if e.status >= 500 {
		h.Log.Error("Graph request failed", "request_id", id, "error", err)
	}
	writeJSON(w, e.status, graph.ErrorBody{Error: graph.ErrorDetail{Code: e.code, Message: e.message, InnerError: graph.InnerError{
		Date: h.Tenant.Now().UTC().Format("2006-01-02T15:04:05"), RequestID: id, ClientRequestID: clientRequestID(r, id)}}})
}

// decode reads exactly one JSON object.
func decode(r request, into any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return &wireError{http.StatusRequestEntityTooLarge, "Request_BadRequest", "The body is too large."}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return badRequest("Unable to read JSON request payload. Ensure Content-Type header is set and payload is of valid JSON format.")
	}
	return nil
}

// odata is the query options that are understood here.
type odata struct {
	property, value string // $filter=property eq 'value'
	search          string // $filter=contains(displayName,'…') or startswith(…)
	top             int
	after           string // from $skiptoken
}

var (
	equality = regexp.MustCompile(`^\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*$`)
	function = regexp.MustCompile(`^\s*(?:contains|startswith)\(\s*\w+\s*,\s*'((?:[^']|'')*)'\s*\)\s*$`)
)

const (
	defaultTop = 100
	maxTop     = 999
)

// pageSize reads $top.
func pageSize(r request) (int, error) {
	text := r.URL.Query().Get("$top")
	if text == "" {
		return defaultTop, nil
	}
	top, err := strconv.Atoi(text)
	if err != nil || top < 1 || top > maxTop {
		return 0, badRequest("Invalid page size specified: '" + text + "'. Must be between 1 and 999 inclusive.")
	}
	return top, nil
}

func options(r request) (o odata, err error) {
	q := r.URL.Query()
	if o.top, err = pageSize(r); err != nil {
		return o, err
	}
	if token := q.Get("$skiptoken"); token != "" {
		key, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(key) == 0 || len(key) > 64 {
			return o, badRequest("The $skiptoken is not valid.")
		}
		o.after = string(key)
	}
	filter := q.Get("$filter")
	if filter == "" {
		return o, nil
	}
	unquote := func(s string) string { return strings.ReplaceAll(s, "''", "'") }
	if m := equality.FindStringSubmatch(filter); m != nil && len(filter) < 1024 {
		o.property, o.value = m[1], unquote(m[2])
		return o, nil
	}
	if m := function.FindStringSubmatch(filter); m != nil && len(filter) < 1024 {
		o.search = unquote(m[1])
		return o, nil
	}
	return o, &wireError{http.StatusBadRequest, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause specified."}
}

// unsupported refuses a filter on a property that cannot be filtered here, instead of answering with everything.
func (o odata) unsupported() error {
	return &wireError{http.StatusBadRequest, "Request_UnsupportedQuery", "Unsupported Query: the property '" + o.property + "' cannot be filtered."}
}

// page makes a page of a list that was read with one more than asked, and the link to the next one.
func page[T any](h *Handler, r request, o odata, items []T, id func(T) string) graph.Page[T] {
	p := graph.Page[T]{Context: h.Tenant.GraphURL() + "/$metadata#" + strings.TrimPrefix(r.URL.Path, root+"/"), Value: items}
	if len(items) > o.top {
		p.Value = items[:o.top]
		q := r.URL.Query()
		q.Set("$skiptoken", base64.RawURLEncoding.EncodeToString([]byte(id(items[o.top-1]))))
		p.NextLink = h.Tenant.URL + r.URL.Path + "?" + encode(q)
	}
	if p.Value == nil {
		p.Value = []T{}
	}
	return p
}

// encode leaves the dollar of OData's options readable, as Graph does.
func encode(q url.Values) string { return strings.ReplaceAll(q.Encode(), "%24", "$") }

func (h *Handler) organization(context.Context, request) (int, any, error) {
	o := h.Tenant.Organization
	return http.StatusOK, graph.Page[map[string]any]{Value: []map[string]any{{
		"id": o.ID, "displayName": o.DisplayName, "createdDateTime": o.CreatedAt.Format(time.RFC3339),
		"verifiedDomains": []map[string]any{{"name": o.Domain, "isDefault": true, "isInitial": true, "type": "Managed"}}}}}, nil
}
