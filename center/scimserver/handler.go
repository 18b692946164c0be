package scimserver

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/scim"
)

// Handler serves SCIM.
type Handler struct {
	Center    *center.Center
	Log       *slog.Logger
	RequestID func(*http.Request) string
	Address   func(*http.Request) string
	// Throttled says that an operation is called too often now; nil: never.
	Throttled func(operation string) bool
	// Named is told of each operation that is known; nil: nobody is.
	Named func(ctx context.Context, door, operation string)
}

// maxBody bounds a request; ServiceProviderConfig announces the same number.
const maxBody = 1 << 20 //bound:body a SCIM request

// Before answers the requests below /{tenant}/scim/v2 and hands all others to next. The paths are
// taken apart here, since clients double slashes and vary letter case.
func (h *Handler) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tenant, rest, ok := splitPath(r.URL.Path); ok {
			h.serve(w, r, tenant, rest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func splitPath(path string) (tenant, rest string, ok bool) {
	tenant, rest, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	rest, ok = strings.CutPrefix(rest, "scim/v2")
	return tenant, rest, ok && tenant != "" && (rest == "" || rest[0] == '/')
}

// request is one operation: a request of its own, or one of a bulk request.
type request struct {
	profile
	by          audit.Actor
	base        string // the endpoint's URL, without a slash at its end
	action      string // AWS's name of the operation, for the audit log
	id          string
	query       url.Values
	body        []byte
	ifMatch     string
	ifNoneMatch string
}

// answer is what a successful call returns. A nil body is no body.
type answer struct {
	status   int
	body     []byte
	tag      string // of the resource's version; "": none
	location string // of a resource that was made
	id       string // of a resource that was made
}

// encode makes a 200 of what encodes by itself.
func encode(body any) (answer, error) {
	data, err := json.Marshal(body, json.Deterministic(true))
	return answer{status: http.StatusOK, body: data}, err
}

type call func(h *Handler, ctx context.Context, r *request) (answer, error)

// operation is what a method does to a path.
type operation struct {
	name     string
	call     call
	standard bool // only the standard profile has it
}

// changes says whether an operation makes one change.
func (o operation) changes() bool {
	return slices.ContainsFunc([]string{"Create", "Put", "Patch", "Delete"}, func(verb string) bool {
		return strings.HasPrefix(o.name, verb)
	})
}

// operations are all that the door knows, by method, resource in lower case, and whether an id
// follows it.
var operations = map[string]operation{
	"POST users":                {"CreateUser", (*Handler).createUser, false},
	"GET users":                 {"ListUsers", (*Handler).listUsers, false},
	"GET users/":                {"GetUser", (*Handler).getUser, false},
	"PUT users/":                {"PutUser", (*Handler).putUser, false},
	"PATCH users/":              {"PatchUser", (*Handler).patchUser, false},
	"DELETE users/":             {"DeleteUser", (*Handler).deleteUser, false},
	"POST groups":               {"CreateGroup", (*Handler).createGroup, false},
	"GET groups":                {"ListGroups", (*Handler).listGroups, false},
	"GET groups/":               {"GetGroup", (*Handler).getGroup, false},
	"PATCH groups/":             {"PatchGroup", (*Handler).patchGroup, false},
	"DELETE groups/":            {"DeleteGroup", (*Handler).deleteGroup, false},
	"PUT groups/":               {"PutGroup", (*Handler).putGroup, true},
	"GET serviceproviderconfig": {"ServiceProviderConfig", (*Handler).serviceProviderConfig, false},
	"GET resourcetypes":         {"ListResourceTypes", (*Handler).resourceTypes, false},
	"GET resourcetypes/":        {"GetResourceType", (*Handler).resourceType, true},
	"GET schemas":               {"ListSchemas", (*Handler).schemas, false},
	"GET schemas/":              {"GetSchema", (*Handler).schema, false},
	"POST users/.search":        {"SearchUsers", (*Handler).searchUsers, true},
	"POST groups/.search":       {"SearchGroups", (*Handler).searchGroups, true},
	"POST .search":              {"Search", (*Handler).searchAll, true},
}

func init() { // it calls operations itself
	operations["POST bulk"] = operation{"Bulk", (*Handler).bulk, true}
}

// routed is an operation and the id in its path.
type routed struct {
	operation
	id string
}

// route finds the operation for a method and the path below the base.
func route(method, path string) (to routed, ok bool) {
	first, rest, _ := strings.Cut(strings.Trim(path, "/"), "/")
	id := strings.TrimLeft(rest, "/")
	key := method + " " + strings.ToLower(first)
	switch {
	case id == ".search":
		key += "/.search"
	case strings.Contains(id, "/"):
		return routed{id: id}, false
	case id != "":
		key += "/"
	}
	op, ok := operations[key]
	return routed{op, id}, ok
}

// serve bounds, authenticates, calls and answers.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, tenant, rest string) {
	ctx, requestID := h.Center.Moment(r.Context()), h.RequestID(r)
	w.Header()["X-Amzn-Requestid"] = []string{requestID}
	by := audit.Actor{Kind: audit.Provisioning, Address: h.Address(r), RequestID: requestID}
	op, known := route(r.Method, rest)
	if known && h.Named != nil {
		h.Named(ctx, "scim", op.name)
	}
	if op.changes() {
		h.Center.Trust(ctx)
	}
	secret, _ := authn.BearerToken(r.Header.Get("Authorization"))
	token, err := h.Center.AuthenticateToken(ctx, tenant, secret, by.Address)
	turnAway := func(err error) {
		if refusal.KindOf(err) == refusal.Unauthenticated {
			by.Kind, by.Name = audit.Anonymous, ""
			err = h.Center.Refuse(ctx, by, "SCIM "+r.Method+" "+op.name, tenant, err)
		}
		h.fail(ctx, w, aws, requestID, err)
	}
	if err != nil { // before anything else, also for paths that do not exist
		turnAway(err)
		return
	}
	by.Name = token.ID
	if err := h.Center.LetIn(ctx, center.NetworkOfSCIM, by, op.name); err != nil {
		h.fail(ctx, w, profileOf(token), requestID, err)
		return
	}
	in := &request{
		profile: profileOf(token),
		by:      by,
		action:  op.name,
		id:      op.id,
		base:    h.Center.URL + "/" + tenant + "/scim/v2",
	}
	in.ifMatch, in.ifNoneMatch = r.Header.Get("If-Match"), r.Header.Get("If-None-Match")
	err = in.readQuery(r.URL.RawQuery)
	if err == nil && r.Method != http.MethodGet && r.Method != http.MethodDelete {
		err = in.readBody(w, r)
	}
	switch {
	case err != nil:
	case strings.EqualFold(strings.Trim(rest, "/"), "me"):
		err = in.noMe()
	case !known || (op.standard && !in.standard):
		in.action = "SCIM " + r.Method
		in.id = r.URL.Path
		err = in.noOperation()
	}
	if err == nil && h.Throttled != nil && h.Throttled(op.name) {
		h.fail(ctx, w, in.profile, requestID, &scim.Error{Status: http.StatusTooManyRequests, Detail: textThrottled})
		return
	}
	out, err := center.OnTrust(ctx, h.Center, func() (answer, error) {
		if err != nil {
			return answer{}, err
		}
		return op.call(h, ctx, in)
	})
	if no := new(center.NotLetIn); errors.As(err, &no) {
		turnAway(no.Err)
		return
	}
	if err != nil {
		h.fail(ctx, w, in.profile, requestID, h.recorded(ctx, in, err))
		return
	}
	h.answer(w, in, out)
}

// readQuery reads the parameters of a request, of which each may stand once: two readers could take
// it for different things. Only & separates them: RFC 3986 §3.4 lets a semicolon stand in a value.
func (r *request) readQuery(raw string) error {
	if raw == "" {
		return nil
	}
	r.query = url.Values{}
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err := cmp.Or(err1, err2); err != nil {
			return bad(scim.InvalidSyntax, "The query string cannot be read: "+err.Error()+".")
		}
		if !utf8.ValidString(name + value) {
			return bad(scim.InvalidSyntax, "The query string cannot be read: it is not UTF-8.")
		}
		if r.query.Has(name) && slices.Contains(queryParameters, name) {
			return bad(scim.InvalidSyntax, "Duplicate parameter: "+name+".")
		}
		r.query[name] = append(r.query[name], value)
	}
	return r.projection().check(r.profile)
}

// readBody reads a body in one of the two media types of SCIM (RFC 7644 §3.1 and §8.1), or in none
// that is named.
func (r *request) readBody(w http.ResponseWriter, in *http.Request) (err error) {
	if kind := in.Header.Get("Content-Type"); !isSCIM(kind) {
		return &scim.Error{
			Status: http.StatusUnsupportedMediaType,
			Detail: "The body's media type is neither " + scim.ContentType + " nor application/json.",
		}
	}
	if coding := in.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return &scim.Error{
			Status: http.StatusUnsupportedMediaType,
			Detail: "The body is encoded. Send it as it is.",
		}
	}
	r.body, err = io.ReadAll(http.MaxBytesReader(w, in.Body, maxBody))
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		return r.tooLarge()
	}
	if err != nil {
		return bad(scim.InvalidSyntax, "The body cannot be read to its end.")
	}
	return nil
}

func isSCIM(contentType string) bool {
	kind, _, _ := strings.Cut(contentType, ";")
	kind = strings.TrimSpace(kind)
	return contentType == "" || strings.EqualFold(kind, scim.ContentType) || strings.EqualFold(kind, "application/json")
}

// queryParameters are those that SCIM defines. Others are passed over, as RFC 7644 §3.4.2 says.
var queryParameters = []string{
	"filter", "sortBy", "sortOrder", "startIndex", "count", "cursor", "attributes", "excludedAttributes",
}

// recorded leaves an event for what was refused before it reached a rule: rules record their
// refusals themselves.
func (h *Handler) recorded(ctx context.Context, r *request, err error) error {
	var wire *scim.Error
	if errors.As(err, &wire) && refusal.CodeOf(err) == refusal.None {
		return h.Center.Refuse(ctx, r.by, r.action, r.id, err)
	}
	return err
}

func (h *Handler) answer(w http.ResponseWriter, r *request, out answer) {
	header := w.Header()
	if r.standard && out.tag != "" {
		header["Etag"] = []string{out.tag}
		if out.status == http.StatusOK && r.ifNoneMatch != "" && tagMatches(r.ifNoneMatch, out.tag) {
			out.status, out.body = http.StatusNotModified, nil
		}
	}
	if r.standard && out.location != "" {
		header["Location"] = []string{out.location}
	}
	header["Content-Type"] = r.contentType
	if out.body != nil {
		header["Content-Length"] = []string{strconv.Itoa(len(out.body))}
	}
	w.WriteHeader(out.status)
	if out.body != nil {
		_, _ = w.Write(out.body) // the client has gone away
		spareBuffer(out.body)
	}
}

// buffers are the bodies of answers that were sent, to write the next ones into.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// buffer returns an empty buffer.
func buffer() []byte {
	return (*buffers.Get().(*[]byte))[:0] // nothing else is put there
}

// maxSpare bounds a buffer that is kept: a list of 100 users needs about 80 KiB.
const maxSpare = 256 << 10 //bound:memory a buffer that is kept for the next SCIM answer, in bytes

func spareBuffer(b []byte) {
	if cap(b) <= maxSpare {
		buffers.Put(&b)
	}
}

// tagMatches compares a list of entity tags with one.
func tagMatches(tags, current string) bool {
	want := strings.TrimPrefix(current, "W/")
	for tag := range strings.SplitSeq(tags, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == want {
			return true
		}
	}
	return false
}

// The texts that clients and runbooks match on. Source: SCIM guide; bodies seen in public issue
// threads.
const (
	textUnparsable = "Request is unparsable, syntactically incorrect, or violates schema."
	textDuplicate  = "Refused to create a new, duplicate resource."
	textMembers    = "Replacing group memberships is not supported."
	textThrottled  = "Rate exceeded."
)

var byKind = map[refusal.Kind]scim.Error{
	refusal.Internal: {Status: http.StatusInternalServerError, Detail: "Internal error."},
	refusal.Invalid:  {Status: http.StatusBadRequest, Type: scim.InvalidValue},
	refusal.NotFound: {Status: http.StatusNotFound, Detail: "Resource not found."},
	refusal.Conflict: {Status: http.StatusConflict, Type: scim.Uniqueness, Detail: textDuplicate},
	refusal.Denied:   {Status: http.StatusForbidden, Detail: "Access denied."},
	refusal.Unauthenticated: {
		Status: http.StatusUnauthorized,
		Detail: "Unauthorized: the bearer token is missing, not valid for this endpoint, or expired.",
	},
	refusal.Quota: {Status: http.StatusBadRequest},
	refusal.Unavailable: {
		Status: http.StatusServiceUnavailable,
		Detail: "The service is not available at the moment. Try again in a few seconds.",
	},
}

// answerTo maps an error to the wire. It is the only place that does.
func answerTo(p profile, err error) *scim.Error {
	var refused *refusal.Error
	var wire *scim.Error
	var e scim.Error
	switch {
	case errors.As(err, &refused):
		e = byKind[refusal.KindOf(err)]
		switch {
		case refused.Code == center.VersionChanged:
			e = scim.Error{Status: http.StatusPreconditionFailed, Detail: refused.Error() + "."}
		case e.Status == http.StatusBadRequest: // which attribute, and why: the sender knows the values
			e.Detail = refused.Error()
		case p.standard && e.Status == http.StatusConflict:
			e.Detail = refused.Error() + "."
		}
	case errors.As(err, &wire):
		e = *wire
	default:
		e = byKind[refusal.Internal]
	}
	// the reason goes behind AWS's text, which no client compares whole
	if !p.standard && e.Status == http.StatusBadRequest && e.Detail != textMembers {
		e.Detail = strings.TrimSpace(textUnparsable + " " + e.Detail)
	}
	return &e
}

// failure is the body of an error. AWS has both schema and schemas, and the time without a zone.
type failure struct {
	Schema             []string `json:"schema,omitempty"`
	Schemas            []string `json:"schemas"`
	SCIMType           string   `json:"scimType,omitempty"`
	Detail             string   `json:"detail"`
	Status             string   `json:"status"`
	ExceptionRequestID string   `json:"exceptionRequestId,omitempty"`
	TimeStamp          string   `json:"timeStamp,omitempty"`
}

func (h *Handler) failureOf(ctx context.Context, p profile, requestID string, err error) (int, failure) {
	e := answerTo(p, err)
	if e.Status >= 500 && e.Status != http.StatusNotImplemented {
		h.Log.ErrorContext(ctx, "SCIM request failed", "request_id", requestID, "error", err)
	}
	body := failure{
		Schemas:  []string{scim.ErrorURN},
		SCIMType: e.Type,
		Detail:   e.Detail,
		Status:   strconv.Itoa(e.Status),
	}
	if !p.standard {
		body.Schema, body.ExceptionRequestID = body.Schemas, requestID
		stamp := h.Center.Now().UTC().Format("2006-01-02 15:04:05.000")
		body.TimeStamp = strings.TrimRight(strings.TrimRight(stamp, "0"), ".")
	}
	return e.Status, body
}

func (h *Handler) fail(ctx context.Context, w http.ResponseWriter, p profile, requestID string, err error) {
	status, body := h.failureOf(ctx, p, requestID, err)
	switch status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Bearer realm="SCIM"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "2")
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	}
	data, err := json.Marshal(body)
	if err != nil { // texts always encode
		panic(err)
	}
	w.Header()["Content-Type"] = p.contentType
	w.WriteHeader(status)
	_, _ = w.Write(data) // #nosec G705 -- JSON under its own content type, which nosniff makes browsers believe
}

// listOf reads a comma-separated parameter.
func listOf(text string) []string {
	if text == "" {
		return nil
	}
	return slices.DeleteFunc(
		strings.Split(strings.ReplaceAll(text, " ", ""), ","), func(s string) bool { return s == "" },
	)
}
