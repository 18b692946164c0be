// Package graphserver is the tenant's Microsoft Graph v1.0 door: the users, groups, applications,
// assignments and synchronization jobs that it takes to connect an enterprise application.
// docs/fidelity.md lists what is there.
//
// Sources: Microsoft Graph reference and tutorials.
//
// It may import audit, authn, graph, provisioning, provisioning/mapping, refusal, saml, tenant and
// web.
package graphserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// Handler serves Graph.
type Handler struct {
	Tenant *tenant.Tenant
	Log    *slog.Logger
	// Authenticate returns who is behind an access token, and what they may. The OAuth door
	// provides it.
	Authenticate func(ctx context.Context, token string) (tenant.Caller, error)
	// Test is Test Connection; Progress says how far a running cycle is. The job runner provides
	// both.
	Test     func(ctx context.Context, target tenant.Target) error
	Progress func(jobID string) (done, total int, ok bool)
	// OnDemand provisions one object of a job, and of a group the named members. The job runner
	// provides it.
	OnDemand func(
		ctx context.Context, j tenant.Job, what tenant.Mark, members []tenant.UserID, dryRun bool,
	) (provisioning.Explanation, error)

	// Rehearsal makes it behave as the real one does under load. The zero value does nothing.
	Rehearsal Rehearsal

	mux   *http.ServeMux    // of this door
	names map[string]string // of the segments of its paths, by their small letters
}

const (
	root    = "/v1.0"
	maxBody = 4 << 20 //bound:body a request to Graph
)

// request is one authenticated request.
type request struct {
	*http.Request
	by     audit.Actor
	caller tenant.Caller
}

// call returns a status and a body, or an error. A nil body is no body.
type call func(ctx context.Context, r request) (status int, body any, err error)

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	h.mux = http.NewServeMux()
	h.Rehearsal.began = h.Tenant.Now()
	mux.Handle(root+"/", addressed{h.mux, h.plainPath})
	mux.HandleFunc("/beta/", h.otherVersion)
	routes := h.routes()
	h.names = segmentNames(routes)
	for _, route := range routes {
		method, path, _ := strings.Cut(route.pattern, " ")
		h.mux.HandleFunc(method+" "+root+path, h.handle(route.needs, withOptions(route.options, route.call)))
	}
	h.mux.HandleFunc(root+"/", h.handle(anyCaller, h.elsewhere))
	mux.HandleFunc("GET "+customClaimsPath, h.handle(toReadClaims, withOptions(noOptions, h.customClaims)))
}

// route is a method and a path, what they need, the query options that they know, and what they do.
type route struct {
	pattern string
	needs   needs
	options []string
	call    call
}

// routes are all that the door knows. Every other path is not there, for whoever has a token.
func (h *Handler) routes() []route {
	return slices.Concat(
		h.directoryCalls(), h.objectCalls(), h.applicationCalls(), h.deletedItemCalls(), h.roleCalls(),
		h.registrationCalls(),
		h.organizationCalls(), h.permissionGrantCalls(), h.passwordCalls(),
		h.navigationCalls(),
	)
}

// wireError is an error that is known on this wire only.
type wireError struct {
	status        int
	code, message string
	location      string // where to go on; may be empty
}

func (e *wireError) Error() string { return e.code + ": " + e.message }

func badRequest(message string) error {
	return &wireError{status: http.StatusBadRequest, code: "Request_BadRequest", message: message}
}

// handle bounds, authenticates, authorizes, calls and answers.
func (h *Handler) handle(needs needs, fn call) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := web.RequestID(r)
		web.Name(r.Context(), "graph", r.Pattern)
		w.Header().Set("Request-Id", id)
		w.Header().Set("Client-Request-Id", clientRequestID(r, id))
		by := audit.Actor{Kind: audit.Application, Address: web.Address(r), RequestID: id}
		token, _ := authn.BearerToken(r.Header.Get("Authorization"))
		caller, err := h.Authenticate(r.Context(), token)
		if err != nil {
			by.Kind = audit.Anonymous
			h.fail(w, r, h.Tenant.Refuse(r.Context(), by, r.Method+" "+r.URL.Path, "", err))
			return
		}
		by.Name, by.Person = caller.Name(), string(caller.Account.ID)
		if !needs.allow(caller) {
			h.fail(
				w, r,
				h.Tenant.Refuse(r.Context(), by, r.Method+" "+r.URL.Path, "", &refusal.Error{Code: tenant.NotAllowed}),
			)
			return
		}
		if wait := h.Rehearsal.admit(time.Now()); wait > 0 {
			retryAfter(w, wait)
			h.fail(w, r, errThrottled)
			return
		}
		if err := h.notYetVisible(r.Context(), strings.TrimPrefix(r.URL.Path, root)); err != nil {
			h.fail(w, r, err)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		status, body, err := fn(r.Context(), request{r, by, caller})
		if err != nil {
			var wire *wireError
			// refused on the wire, before a rule could record it
			if errors.As(err, &wire) && r.Method != http.MethodGet {
				err = h.Tenant.Refuse(r.Context(), by, r.Method+" "+r.URL.Path, "", err)
			}
			h.fail(w, r, err)
			return
		}
		writeJSON(w, status, body)
	}
}

const maxRequestID = 64 //bound:text the id that a client of Graph gives a request, in bytes

func clientRequestID(r *http.Request, fallback string) string {
	if id := r.Header.Get("Client-Request-Id"); id != "" && len(id) <= maxRequestID {
		return id
	}
	return fallback
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	if text, ok := body.(plain); ok {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, string(text))
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
var byKind = map[refusal.Kind]wireError{
	refusal.Internal: {status: http.StatusInternalServerError, code: "UnknownError", message: "Internal error."},
	refusal.Invalid:  {status: http.StatusBadRequest, code: "Request_BadRequest", message: ""},
	refusal.NotFound: {status: http.StatusNotFound, code: "Request_ResourceNotFound", message: ""},
	// Graph answers duplicates with 400
	refusal.Conflict:        {status: http.StatusBadRequest, code: "Request_BadRequest", message: ""},
	refusal.Denied:          {status: http.StatusForbidden, code: "Authorization_RequestDenied", message: ""},
	refusal.Unauthenticated: {status: http.StatusUnauthorized, code: "InvalidAuthenticationToken", message: ""},
	// Source: Graph error responses
	refusal.Unavailable: {
		status:  http.StatusServiceUnavailable,
		code:    "serviceNotAvailable",
		message: "The service is not available. Try the request again after a delay.",
	},
}

// inGraphsWords are refusals that clients know by their text.
var inGraphsWords = map[refusal.Code]string{
	tenant.UPNTaken:         "Another object with the same value for property userPrincipalName already exists.",
	tenant.IdentifierTaken:  "Another object with the same value for property identifierUris already exists.",
	tenant.AppRoleNotFound:  "Permission being assigned was not found on application.",
	tenant.AppRoleEnabled:   "Permission (scope or role) cannot be deleted or updated unless disabled first.",
	tenant.AssignmentExists: "Permission being assigned already exists on the object",
	tenant.MemberExists: "One or more added object references already exist for the following modified properties: " +
		"'members'.",
	tenant.LastOwner: "The group must have at least one owner, hence this owner cannot be removed.",
}

// answerTo maps an error to the wire. It is the only place that does.
func answerTo(err error) *wireError {
	var refused *refusal.Error
	var wire *wireError
	switch {
	case errors.As(err, &refused):
		e := byKind[refusal.KindOf(err)]
		words, known := inGraphsWords[refused.Code]
		switch {
		case known:
			e.message = words
		case e.status == http.StatusNotFound && refused.Subject != "":
			return notThere(refused.Subject)
		case e.message == "":
			e.message = refused.Error() + "."
		}
		if refused.Code == tenant.CredentialsInvalid {
			e.code = "SystemForCrossDomainIdentityManagementCredentialValidationUnavailable"
		}
		return &e
	case errors.As(err, &wire):
		return wire
	}
	e := byKind[refusal.Internal]
	return &e
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	e, id := *answerTo(err), web.RequestID(r)
	if kind := resourceType(r.URL.Path); kind != "" && refusal.CodeOf(err) == tenant.InvalidValue {
		var refused *refusal.Error
		if errors.As(err, &refused) && refused.Subject != "" {
			e.message = invalidValue(kind, refused.Subject) + " " + refused.Detail + "."
		}
	}
	if e.status >= 500 {
		h.Log.ErrorContext(r.Context(), "Graph request failed", "request_id", id, "error", err)
	}
	if e.location != "" {
		w.Header().Set("Location", e.location)
	}
	if e.status == http.StatusServiceUnavailable {
		web.RetryLater(w)
	}
	writeJSON(
		w,
		e.status,
		graph.ErrorBody{Error: graph.ErrorDetail{
			Code:    e.code,
			Message: e.message,
			InnerError: graph.InnerError{
				Date:            h.Tenant.Now().UTC().Format("2006-01-02T15:04:05"),
				RequestID:       id,
				ClientRequestID: clientRequestID(r, id),
			},
		}},
	)
}

func (h *Handler) organization(_ context.Context, r request) (int, any, error) {
	return h.answerList(r, organizationType(), []object{organizationObject(h.Tenant.Organization)})
}

func organizationObject(o tenant.Organization) object {
	return object{
		"id":              o.ID,
		"displayName":     o.DisplayName,
		"createdDateTime": o.CreatedAt.Format(time.RFC3339),
		"verifiedDomains": []map[string]any{
			{"name": o.Domain, "isDefault": true, "isInitial": true, "type": "Managed"},
		},
	}
}
