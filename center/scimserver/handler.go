package scimserver

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// Handler serves SCIM.
type Handler struct {
	Center    *center.Center
	Log       *slog.Logger
	RequestID func(*http.Request) string
	Address   func(*http.Request) string
}

// maxBody bounds a request; ServiceProviderConfig announces the same number.
const maxBody = 1 << 20

// Mount adds the door to mux. The rest of the path is taken apart here, since clients double slashes and vary letter case.
func (h *Handler) Mount(mux *http.ServeMux) {
	mux.Handle("/{tenant}/scim/v2/{rest...}", h)
	mux.Handle("/{tenant}/scim/v2", h)
}

// answer is what a successful call returns. A nil body with status 204 is no body.
type answer struct {
	status int
	body   any
}

type request struct {
	*http.Request
	by     audit.Actor
	action string // AWS's name of the operation, for the audit log
	id     string
}

type call func(ctx context.Context, r request) (answer, error)

// route finds the operation for a method and the path below the base.
func (h *Handler) route(method, path string) (string, string, call) {
	parts := strings.FieldsFunc(path, func(c rune) bool { return c == '/' })
	if len(parts) == 0 || len(parts) > 2 {
		return "", "", nil
	}
	id := ""
	if len(parts) == 2 {
		id = parts[1]
	}
	key := method + " " + strings.ToLower(parts[0])
	if id != "" {
		key += "/{id}"
	}
	operations := map[string]struct {
		name string
		call call
	}{
		"POST users": {"CreateUser", h.createUser}, "GET users": {"ListUsers", h.listUsers},
		"GET users/{id}": {"GetUser", h.getUser}, "PUT users/{id}": {"PutUser", h.putUser},
		"PATCH users/{id}": {"PatchUser", h.patchUser}, "DELETE users/{id}": {"DeleteUser", h.deleteUser},
		"POST groups": {"CreateGroup", h.createGroup}, "GET groups": {"ListGroups", h.listGroups},
		"GET groups/{id}": {"GetGroup", h.getGroup}, "PATCH groups/{id}": {"PatchGroup", h.patchGroup},
		"DELETE groups/{id}":        {"DeleteGroup", h.deleteGroup},
		"GET serviceproviderconfig": {"ServiceProviderConfig", h.serviceProviderConfig},
		"GET resourcetypes":         {"ListResourceTypes", h.resourceTypes},
		"GET schemas":               {"ListSchemas", h.schemas}, "GET schemas/{id}": {"GetSchema", h.schema},
	}
	op := operations[key]
	return op.name, id, op.call
}

// ServeHTTP implements http.Handler: it bounds, authenticates, calls and answers.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, requestID := r.Context(), h.RequestID(r)
	w.Header().Set("X-Amzn-Requestid", requestID)
	by := audit.Actor{Kind: audit.Provisioning, Address: h.Address(r), RequestID: requestID}
	name, id, call := h.route(r.Method, r.PathValue("rest"))
	secret, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token, err := h.Center.AuthenticateToken(ctx, r.PathValue("tenant"), strings.TrimSpace(secret))
	if err != nil { // before anything else, also for paths that do not exist
		by.Kind = audit.Anonymous
		h.fail(w, requestID, h.Center.Refuse(ctx, by, "SCIM "+r.Method+" "+name, r.PathValue("tenant"), err))
		return
	}
	by.Name = token.ID
	if call == nil {
		h.fail(w, requestID, h.Center.Refuse(ctx, by, "SCIM "+r.Method, r.URL.Path, unparsable("there is no such operation")))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	out, err := call(ctx, request{r, by, name, id})
	if err != nil {
		var wire *scim.Error
		if errors.As(err, &wire) && center.CodeOf(err) == "" { // refused before it reached a rule
			err = h.Center.Refuse(ctx, by, name, id, err)
		}
		h.fail(w, requestID, err)
		return
	}
	write(w, out.status, out.body)
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	if body == nil {
		w.WriteHeader(status)
		return
	}
	data, err := json.Marshal(body)
	if err != nil { // our own maps and structs always encode
		panic(err)
	}
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client has gone away
}

// The texts that clients and runbooks match on. Source: SCIM guide; bodies seen in public issue threads.
const (
	textUnparsable = "Request is unparsable, syntactically incorrect, or violates schema."
	textDuplicate  = "Refused to create a new, duplicate resource."
	textMembers    = "Replacing group memberships is not supported."
)

// unparsable is the catch-all 400. The reason goes behind AWS's text, where people find it and no client compares it.
func unparsable(reason string) *scim.Error {
	return &scim.Error{Status: http.StatusBadRequest, Detail: textUnparsable + " " + reason}
}

var byKind = map[center.Kind]scim.Error{
	center.Internal:        {Status: http.StatusInternalServerError, Detail: "Internal error."},
	center.Invalid:         {Status: http.StatusBadRequest, Type: scim.InvalidValue, Detail: textUnparsable},
	center.NotFound:        {Status: http.StatusNotFound, Detail: "Resource not found."},
	center.Conflict:        {Status: http.StatusConflict, Type: scim.Uniqueness, Detail: textDuplicate},
	center.Denied:          {Status: http.StatusForbidden, Detail: "Access denied."},
	center.Unauthenticated: {Status: http.StatusUnauthorized, Detail: "Unauthorized: the bearer token is missing, not valid for this endpoint, or expired."},
	center.Quota:           {Status: http.StatusBadRequest, Detail: textUnparsable},
}

// answerTo maps an error to the wire. It is the only place that does.
func answerTo(err error) *scim.Error {
	var refused *center.Error
	if errors.As(err, &refused) {
		e := byKind[center.KindOf(err)]
		if e.Status == http.StatusBadRequest { // which attribute, and why: the sender knows the values
			e.Detail += " " + refused.Error()
		}
		return &e
	}
	var wire *scim.Error
	if errors.As(err, &wire) {
		if wire.Status == http.StatusBadRequest && !strings.HasPrefix(wire.Detail, textUnparsable) && wire.Detail != textMembers {
			return &scim.Error{Status: wire.Status, Type: wire.Type, Detail: textUnparsable + " " + wire.Detail}
		}
		return wire
	}
	e := byKind[center.Internal]
	return &e
}

// fail writes an error as AWS does: both schema and schemas, the status as text, the time without a zone.
func (h *Handler) fail(w http.ResponseWriter, requestID string, err error) {
	e := answerTo(err)
	if e.Status >= 500 {
		h.Log.Error("SCIM request failed", "request_id", requestID, "error", err)
	}
	stamp := h.Center.Now().UTC().Format("2006-01-02 15:04:05.000")
	body := map[string]any{
		"schema": []string{scim.ErrorURN}, "schemas": []string{scim.ErrorURN}, "detail": e.Detail, "status": strconv.Itoa(e.Status),
		"exceptionRequestId": requestID, "timeStamp": strings.TrimRight(strings.TrimRight(stamp, "0"), "."),
	}
	if e.Type != "" {
		body["scimType"] = e.Type
	}
	if e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="SCIM"`)
	}
	write(w, e.Status, body)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
