// Package awsapi is AWS's API protocols on the wire, server side: Signature Version 4, the
// awsJson1.1 and query codecs, error bodies, and page tokens. What the operations are and do
// belongs to the doors.
//
// Sources: the Smithy protocol documents, the SigV4 pages of the IAM user guide, and what the aws
// CLI and SDKs send. It imports nothing of ours.
package awsapi

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxBody bounds the body of a request, in bytes.
const MaxBody = 1 << 20 //bound:body an AWS request

// Caller is who signed a request.
type Caller struct {
	AccessKeyID string
	Principal   string // as audit events name it
	AccountID   string
	ARN         string    // as GetCallerIdentity shows it
	UserID      string    // as GetCallerIdentity shows it
	Role        string    // what the access key allows, in the words of Verifier.Lookup
	LastUsed    time.Time // of the access key, as far as it was noted
	RequestID   string
	Address     string
}

// Error is an error on the wire.
type Error struct {
	Code    string // the exception's name, such as ResourceNotFoundException
	Message string
	Status  int            // 400 when zero
	Members map[string]any // further members of the body, such as Reason
	Noted   bool           // a rule has refused it, and has left an event
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Timestamp encodes as epoch seconds with milliseconds, as awsJson1.1 has it.
type Timestamp time.Time

// MarshalJSON implements json.Marshaler.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Time(t).UnixMilli())/1000, 'f', 3, 64), nil
}

// DateTime encodes as a text, as services have it whose model says date-time. Source: Smithy,
// "Protocol traits", timestampFormat.
type DateTime time.Time

// MarshalJSON implements json.Marshaler.
func (t DateTime) MarshalJSON() ([]byte, error) {
	return []byte(`"` + time.Time(t).UTC().Format(time.RFC3339) + `"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Timestamp) UnmarshalJSON(data []byte) error {
	seconds, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return fmt.Errorf("%s is not epoch seconds", data)
	}
	*t = Timestamp(time.UnixMilli(int64(seconds * 1000)).UTC())
	return nil
}

// Access is what an operation does. Every operation must say it; the zero value is refused.
type Access uint8

// The kinds of access.
const (
	Reads Access = iota + 1
	Changes
)

// Operation is one operation of an awsJson1.1 service.
type Operation struct {
	Name   string
	Access Access
	Input  *Shape       // nil: nothing is said of it
	Output reflect.Type // of the answer
	call   func(ctx context.Context, who Caller, body []byte) (any, error)
}

// Op makes an operation of a typed function: the body is decoded into In, and Out is the answer.
func Op[In, Out any](name string, access Access, fn func(context.Context, Caller, In) (Out, error)) Operation {
	return OpOf(name, access, nil, fn)
}

// OpOf is Op with the model's shape of the input, which a body must have. It panics when the shape
// has a member that In has no field for: the operation would ignore what it says it knows. It
// panics too when Out has a structure that would not be written when it is set and empty.
func OpOf[In, Out any](name string, access Access, shape *Shape,
	fn func(context.Context, Caller, In) (Out, error)) Operation {
	if missing := shape.missing(reflect.TypeFor[In](), ""); missing != "" {
		panic(name + " ignores the member " + missing)
	}
	if field := unwritten(reflect.TypeFor[Out](), ""); field != "" {
		panic(name + " does not write " + field + " when it is set and empty: use omitzero")
	}
	return Operation{name, access, shape, reflect.TypeFor[Out](), func(
		ctx context.Context, who Caller, body []byte,
	) (any, error) {
		var in In
		var err error
		if shape != nil {
			err = shape.Check(body)
		}
		if err == nil {
			err = decode(body, &in)
		}
		var unknown *unknownMember
		if errors.As(err, &unknown) {
			err = unknown.in(name)
		}
		if err != nil {
			return nil, err
		}
		return fn(ctx, who, in)
	}}
}

// Behind returns the operation behind a check, which may refuse every call.
func (o Operation) Behind(check func(context.Context) error) Operation {
	call := o.call
	o.call = func(ctx context.Context, who Caller, body []byte) (any, error) {
		if err := check(ctx); err != nil {
			return nil, err
		}
		return call(ctx, who, body)
	}
	return o
}

// Empty is the answer of operations that return nothing.
type Empty struct{}

// unknownMember is a member that an operation has no use for. AWS ignores it; here it is refused,
// since it may be a control that the caller relies on.
type unknownMember struct{ path string }

func (e *unknownMember) Error() string { return "the member " + e.path + " is not known" }

// in is the answer of an operation to the member.
func (e *unknownMember) in(operation string) error {
	return &Error{
		Code: "ValidationException",
		Message: operation + " does not know the member " + e.path +
			"; Gatehouse refuses what it would otherwise ignore",
	}
}

// maxPath bounds how much of a member's path is repeated.
const maxPath = 128 //bound:none of a message

func unknown(path string) *unknownMember {
	path = strings.ToValidUTF8(path[:min(len(path), maxPath)], "")
	return &unknownMember{strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, path)}
}

// decode reads a body. Names that stand twice, names that are not known, and text that is not
// UTF-8, are refused: two readers could take them for different things.
func decode(body []byte, in any) error {
	body = bytes.TrimSpace(body)
	if len(body) == 0 {
		return nil
	}
	if body[0] != '{' {
		return serialization("the body is not a JSON object")
	}
	err := json.Unmarshal(body, in, json.RejectUnknownMembers(true))
	var wrong *json.SemanticError
	var syntax *jsontext.SyntacticError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &wrong):
		path := strings.Join(slices.Collect(wrong.JSONPointer.Tokens()), ".")
		if errors.Is(wrong.Err, json.ErrUnknownName) {
			return unknown(path)
		}
		return serialization(orBody(path) + " has the wrong type")
	case errors.As(err, &syntax):
		return serialization(fmt.Sprintf("the body is not JSON: %v at byte %d", syntax.Err, syntax.ByteOffset))
	}
	return serialization("the body is not a JSON object of this operation")
}

// Service is an awsJson1.1 service.
type Service struct {
	Target      string // the prefix of X-Amz-Target, such as AWSIdentityStore
	SigningName string // the service in the credential scope
	Operations  []Operation
	// Admit refuses a caller who may use no operation at all, known or not. It is required.
	Admit func(ctx context.Context, who Caller, operation string) error
	// Authorize refuses a caller who may not use operations of a kind. It is required.
	Authorize func(who Caller, operation string, access Access) error
	// Throttled says that an operation is called too often now; nil: never.
	Throttled func(operation string) bool
	// Answer maps an error of the domain to an error on the wire. It never returns nil.
	Answer func(error) *Error
	// Begins is told, before the signature is looked at, that an operation changes something; nil:
	// nobody is.
	Begins func(ctx context.Context)
	// Around runs an operation that changes something, and may run it again; nil: it is just run.
	Around func(ctx context.Context, run func() (any, error)) (any, error)
	// Refused is told about requests that were turned away before they reached an operation, for
	// the audit log.
	Refused func(ctx context.Context, who Caller, operation string, err error)
}

// Handler serves all AWS services of an endpoint, at its root. What is asked elsewhere is refused
// in the form of AWS's errors.
type Handler struct {
	Verify    *Verifier
	Services  []Service
	Query     []QueryService
	Log       *slog.Logger
	RequestID func(*http.Request) string
	Address   func(*http.Request) string
	// Used is told about each request whose signature is good, before its operation runs; service
	// is the signing name.
	Used func(ctx context.Context, who Caller, service string)
	// Named is told of each operation that is known, before it runs; nil: nobody is.
	Named func(ctx context.Context, service, operation string)
}

// named tells of an operation.
func (h *Handler) named(ctx context.Context, service, operation string) {
	if h.Named != nil {
		h.Named(ctx, service, operation)
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	requestID := h.RequestID(r)
	w.Header().Set("X-Amzn-Requestid", requestID)
	target := r.Header.Get("X-Amz-Target")
	if r.URL.Path != "/" || target != "" && r.Method != http.MethodPost {
		h.nowhere(w, r, requestID)
		return
	}
	if target == "" {
		h.serveQuery(w, r, requestID)
		return
	}
	prefix, name, _ := strings.Cut(target, ".")
	for _, s := range h.Services {
		if s.Target == prefix {
			h.serveJSON(w, r, s, name, requestID)
			return
		}
	}
	h.fail(
		w, requestID,
		&Error{Code: "UnknownOperationException", Message: "X-Amz-Target names no service of this endpoint"},
	)
}

// usualBody is the room that is made for a body before it comes.
const usualBody = 8 << 10 //bound:memory room for the body of an AWS request before it comes, in bytes

// readBody reads a body of which a stranger says how large it is, and leaves little garbage.
func readBody(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	var body bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= usualBody { // a larger one may be a claim only
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, most)); err != nil {
		return nil, &Error{
			Code:    "RequestEntityTooLargeException",
			Status:  http.StatusRequestEntityTooLarge,
			Message: fmt.Sprintf("the body is larger than %d KiB, or did not arrive", most>>10),
		}
	}
	return body.Bytes(), nil
}

func (h *Handler) serveJSON(w http.ResponseWriter, r *http.Request, s Service, name, requestID string) {
	who, body, ok := h.admit(w, r, s, name, requestID)
	if !ok {
		return
	}
	for _, op := range s.Operations {
		if op.Name == name {
			h.run(w, r, s, op, call{who, body, requestID, http.StatusOK})
			return
		}
	}
	unknown := &Error{Code: "UnknownOperationException", Message: "there is no operation " + strconv.Quote(name)}
	s.Refused(r.Context(), who, name, unknown)
	h.fail(w, requestID, unknown)
}

// admit reads a request and says who has signed it, or answers.
func (h *Handler) admit(
	w http.ResponseWriter, r *http.Request, s Service, name, requestID string,
) (who Caller, body []byte, ok bool) {
	ctx := r.Context()
	if i := slices.IndexFunc(s.Operations, func(op Operation) bool { return op.Name == name }); i >= 0 {
		h.named(ctx, s.SigningName, name)
		if s.Begins != nil && s.Operations[i].Access == Changes {
			s.Begins(ctx)
		}
	}
	claim, err := h.Verify.claim(r, s.SigningName)
	who = claim.of
	if err == nil {
		body, err = readBody(w, r, MaxBody)
	}
	if err == nil {
		who, err = h.Verify.prove(claim, r, body)
	}
	who.RequestID, who.Address = requestID, h.Address(r)
	if err == nil {
		err = s.Admit(ctx, who, name)
	}
	if err != nil {
		s.Refused(ctx, who, name, err)
		h.fail(w, requestID, s.Answer(err))
		return who, nil, false
	}
	h.Used(ctx, who, s.SigningName)
	return who, body, true
}

// call is a request whose caller is known.
type call struct {
	who       Caller
	body      []byte // the members of the input, as JSON
	requestID string
	status    int // of an answer that is no error
}

func (h *Handler) run(w http.ResponseWriter, r *http.Request, s Service, op Operation, c call) {
	ctx := r.Context()
	if s.Throttled != nil && s.Throttled(op.Name) {
		h.fail(w, c.requestID, throttled())
		return
	}
	if err := s.Authorize(c.who, op.Name, op.Access); err != nil {
		s.Refused(ctx, c.who, op.Name, err)
		h.fail(w, c.requestID, s.Answer(err))
		return
	}
	out, err := s.do(ctx, op, c)
	if err != nil {
		var wire *Error
		if errors.As(err, &wire) { // refused on the wire, before a rule could record it
			s.Refused(ctx, c.who, op.Name, err)
		}
		answer := s.Answer(err)
		if answer.Status >= 500 {
			h.Log.ErrorContext(ctx, "operation failed", "operation", op.Name, "request_id", c.requestID, "error", err)
		}
		h.fail(w, c.requestID, answer)
		return
	}
	if c.status == http.StatusNoContent {
		w.WriteHeader(c.status)
		return
	}
	writeJSON(w, c.status, out)
}

func (s *Service) do(ctx context.Context, op Operation, c call) (any, error) {
	run := func() (any, error) { return op.call(ctx, c.who, c.body) }
	if s.Around == nil || op.Access != Changes {
		return run()
	}
	return s.Around(ctx, run)
}

// throttled is what SDKs send again after a pause. It leaves no event: there would be as many as
// requests.
func throttled() *Error {
	return &Error{
		Code:    "ThrottlingException",
		Message: "Rate exceeded",
		Members: map[string]any{"RetryAfterSeconds": 1},
	}
}

func (h *Handler) fail(w http.ResponseWriter, requestID string, e *Error) {
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	body := map[string]any{"__type": e.Code, "Message": e.Message, "message": e.Message, "RequestId": requestID}
	for k, v := range e.Members {
		body[k] = v
	}
	w.Header().Set("X-Amzn-Errortype", e.Code)
	writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body, json.Deterministic(true), jsontext.EscapeForHTML(false))
	if err != nil { // our own structs always encode
		panic(fmt.Sprintf("encode %T: %v", body, err))
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	}
	w.WriteHeader(status)
	_, _ = w.Write(data) // the client has gone away
}

// EncodeToken makes a page token of a key. The operation is part of it, so that a token is of no
// use elsewhere.
func EncodeToken(operation, key string) string {
	if key == "" {
		return ""
	}
	return base64.URLEncoding.EncodeToString([]byte(operation + "\x00" + key))
}

// DecodeToken returns the key of a page token that EncodeToken made for the operation; "" for an
// empty token.
func DecodeToken(operation, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	data, err := base64.URLEncoding.DecodeString(token)
	name, key, ok := strings.Cut(string(data), "\x00")
	if err != nil || !ok || name != operation || key == "" {
		return "", &Error{Code: "ValidationException", Message: "NextToken is not a token of this operation"}
	}
	return key, nil
}

// PageSize checks MaxResults: 1 to 100, and 100 when absent.
func PageSize(maxResults *int) (int, error) {
	if maxResults == nil {
		return 100, nil
	}
	if *maxResults < 1 || *maxResults > 100 {
		return 0, &Error{Code: "ValidationException", Message: "MaxResults must be between 1 and 100"}
	}
	return *maxResults, nil
}
