package awsapi

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

const maxQuery = 64 << 10 //bound:body an AWS request whose operation is named in its body, such as those to STS

// QueryService is a service of the query protocol, such as STS. Its requests come by GET and POST,
// signed in the header or in the query. Source: the Smithy protocol document "AWS query"; "Making
// Query API requests" in the IAM user guide.
type QueryService struct {
	SigningName string
	// Global is the host name of the service's endpoint for all Regions, whose requests are signed
	// for us-east-1; "": it has none.
	Global     string
	Version    string // of the API
	Namespace  string // of the XML answer
	Operations map[string]QueryOperation
	// Refused is told about requests that were refused, for the audit log. It is required.
	Refused func(ctx context.Context, who Caller, operation string, err error)
}

// marks are headers that only clients of AWS send.
var marks = []string{
	"X-Amz-Target", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Sso_bearer_token",
	"Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "X-Amz-User-Agent",
}

// Shaped says whether a request was meant for AWS: it is signed or is said to be, its headers are
// those of AWS's clients, or it names an action at the root. Who verifies identities by asking STS
// looks at the status first, so that a page would be taken for a yes.
func Shaped(r *http.Request) bool {
	for _, value := range r.Header["Authorization"] {
		if upper := strings.ToUpper(value[:min(len(value), 4)]); strings.HasPrefix(upper, "AWS") {
			return true
		}
	}
	for _, name := range marks {
		if len(r.Header[name]) > 0 {
			return true
		}
	}
	if strings.HasPrefix(r.Host, "sts") && ofSTS.MatchString(r.Host) {
		return true
	}
	if r.URL.RawQuery == "" {
		return false
	}
	query, _ := url.ParseQuery(r.URL.RawQuery) // what can be read of it is enough here
	root := path.Clean("/"+r.URL.Path) == "/"  // also as //, /. and /%2F
	acts, ofVersion := false, false
	for name, values := range query {
		lower := strings.ToLower(name)
		acts = acts || lower == "action"
		ofVersion = ofVersion || lower == "version" && apiVersion.MatchString(values[0])
		if strings.HasPrefix(lower, "x-amz-") || lower == "awsaccesskeyid" ||
			root && (lower == "action" || lower == "version") {
			return true
		}
	}
	return acts && ofVersion // at whatever address somebody looks for STS
}

// ofSTS are the names that STS has for those who sign: a verifier sends what it got under them. The
// names of load balancers and machines, which a center may have, are others.
var ofSTS = regexp.MustCompile(`^sts(-fips)?\.([a-z0-9-]+\.)?(amazonaws\.com(\.cn)?|api\.aws)(:\d+)?$`)

// apiVersion is how AWS names the versions of its APIs.
var apiVersion = regexp.MustCompile(`^\d{4}-\d\d-\d\d$`)

// Instead has a handler of AWS's APIs answer what was meant for AWS, at the root and wherever own
// has no API, and the other handler the rest: pages are for browsers. own may be nil.
func Instead(aws http.Handler, own *http.ServeMux, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !Shaped(r) || own != nil && r.URL.Path != "/" && has(own, r) {
			next.ServeHTTP(w, r)
			return
		}
		aws.ServeHTTP(w, r)
	})
}

// has says whether a mux has a request's very address; a mux knows others that it redirects.
func has(own *http.ServeMux, r *http.Request) bool {
	_, pattern := own.Handler(r)
	if strings.Contains(pattern, "{") { // a member of the input is part of the address
		at := r.URL.EscapedPath()
		return path.Clean(at) == at
	}
	return strings.HasSuffix(pattern, " "+r.URL.Path)
}

// nowhere refuses what is asked where no API is.
func (h *Handler) nowhere(w http.ResponseWriter, r *http.Request, requestID string) {
	e := &Error{
		Code:    "UnknownOperationException",
		Message: "there is no operation of AWS at this address and method",
		Status:  http.StatusNotFound,
	}
	if r.Header.Get("X-Amz-Target") != "" || r.Header.Get("X-Amz-Sso_bearer_token") != "" {
		h.fail(w, requestID, e)
		return
	}
	failQuery(w, r, requestID, "", e)
}

// parameters are those of a request, in its query and in the form that it carries, without those
// of a signature in the query. Where both have one it stands twice, and is refused with others
// that do.
func parameters(r *http.Request, body []byte) (url.Values, error) {
	all, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &Error{Code: "MalformedQueryString", Message: "The query string contains a syntax error."}
	}
	for _, name := range ofSignature {
		delete(all, name)
	}
	if len(body) > 0 {
		form, err := url.ParseQuery(string(body))
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || r.Method != http.MethodPost || kind != "application/x-www-form-urlencoded" {
			return nil, &Error{
				Code:    "MalformedInput",
				Message: "the body is not a form that was sent by POST, and X-Amz-Target names no operation",
			}
		}
		for name, values := range form {
			all[name] = append(all[name], values...)
		}
	}
	for _, name := range []string{"Action", "Version"} {
		if len(all[name]) > 1 {
			return nil, &Error{Code: "ValidationError", Message: "duplicate parameter: " + name}
		}
	}
	return all, nil
}

func (h *Handler) serveQuery(w http.ResponseWriter, r *http.Request, requestID string) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		failQuery(w, r, requestID, "", &Error{
			Code:    "UnsupportedProtocol",
			Message: "AWS's query protocol is spoken over GET and POST",
			Status:  http.StatusMethodNotAllowed,
		})
		return
	}
	body, err := readBody(w, r, maxQuery) // the service stands in the body
	var form url.Values
	if err == nil {
		form, err = parameters(r, body)
	}
	var wire *Error
	if errors.As(err, &wire) {
		failQuery(w, r, requestID, "", wire)
		return
	}
	action, version := form.Get("Action"), form.Get("Version")
	for _, s := range h.Query {
		op, ok := s.Operations[action]
		if version != s.Version {
			continue
		}
		if !ok && action != "" { // nobody has looked at the signature, if there is one
			s.Refused(
				r.Context(), Caller{RequestID: requestID, Address: h.Address(r)}, action[:min(len(action), maxAction)],
				unknownAction(action, version),
			)
		}
		if !ok {
			continue
		}
		h.named(r.Context(), s.SigningName, action)
		result, err := h.query(r, s, op, body, form, requestID)
		if err != nil {
			failQuery(w, r, requestID, s.Namespace, h.queryError(r, action, requestID, err))
			return
		}
		answerQuery(w, r, s.Namespace, action, result, requestID)
		return
	}
	failQuery(w, r, requestID, "", unknownAction(action, version))
}

// query runs an operation of a service.
func (h *Handler) query(
	r *http.Request, s QueryService, op QueryOperation, body []byte, form url.Values, requestID string,
) (any, error) {
	var who Caller
	var err error
	if !op.Anonymous {
		who, err = h.Verify.verifyQuery(r, body, s)
		err = ofQuery(err)
	}
	who.RequestID, who.Address = requestID, h.Address(r)
	var result any
	if err == nil && !op.Anonymous {
		h.Used(r.Context(), who, s.SigningName)
	}
	if err == nil {
		result, err = op.run(r.Context(), who, form)
	}
	if wire := new(Error); errors.As(err, &wire) && !wire.Noted {
		s.Refused(r.Context(), who, form.Get("Action"), err)
	}
	return result, err
}

// maxAction bounds how much of an action's name is repeated.
const maxAction = 64 //bound:none of a message

func unknownAction(action, version string) *Error {
	if action == "" {
		return &Error{Code: "MissingAction", Message: "the request names no operation: neither X-Amz-Target nor Action"}
	}
	if version == "" {
		version = "NO_VERSION_SPECIFIED"
	}
	return &Error{Code: "InvalidAction", Message: "Could not find operation " +
		strconv.Quote(action[:min(len(action), maxAction)]) + " for version " +
		strconv.Quote(version[:min(len(version), maxAction)])}
}

// signatureErrors are the names that query services use for errors of signatures.
var signatureErrors = map[string]string{
	"UnrecognizedClientException":         "InvalidClientTokenId",
	"InvalidSignatureException":           "SignatureDoesNotMatch",
	"MissingAuthenticationTokenException": "MissingAuthenticationToken",
	"IncompleteSignatureException":        "IncompleteSignature",
	"ExpiredTokenException":               "ExpiredToken",
}

// queryError is the error of an operation as query services have it.
func (h *Handler) queryError(r *http.Request, action, requestID string, err error) *Error {
	var wire *Error
	if !errors.As(err, &wire) {
		h.Log.ErrorContext(
			r.Context(), "operation failed", "operation", action, "request_id", requestID, "error", err,
		)
		return &Error{Code: "InternalFailure", Message: "internal error", Status: http.StatusInternalServerError}
	}
	return wire
}

// ofQuery is what a query service calls what is wrong with a signature.
func ofQuery(err error) error {
	var wire *Error
	if !errors.As(err, &wire) {
		return err
	}
	if name, ok := signatureErrors[wire.Code]; ok {
		return &Error{Code: name, Message: wire.Message, Status: http.StatusForbidden}
	}
	return wire
}

type queryAnswer struct {
	XMLName   xml.Name
	Result    any
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

// answerQuery writes a result, in JSON for who asks for it: aws-iam-authenticator and Teleport do.
// The namespace and the names of the elements are the service's.
func answerQuery(w http.ResponseWriter, r *http.Request, namespace, action string, result any, requestID string) {
	if wantsJSON(r) {
		writeQueryJSON(w, http.StatusOK, map[string]any{action + "Response": map[string]any{
			action + "Result":  result,
			"ResponseMetadata": map[string]string{"RequestId": requestID},
		}})
		return
	}
	writeXML(w, http.StatusOK, queryAnswer{
		XMLName:   xml.Name{Space: namespace, Local: action + "Response"},
		Result:    result,
		RequestID: requestID,
	})
}

// wantsJSON says whether the client asks for JSON and not for XML.
func wantsJSON(r *http.Request) bool {
	accept := strings.ToLower(r.Header.Get("Accept"))
	return strings.Contains(accept, "application/json") && !strings.Contains(accept, "xml")
}

type queryFailure struct {
	XMLName   xml.Name
	Type      string `xml:"Error>Type"`
	Code      string `xml:"Error>Code"`
	Message   string `xml:"Error>Message"`
	RequestID string `xml:"RequestId"`
}

func failQuery(w http.ResponseWriter, r *http.Request, requestID, namespace string, e *Error) {
	status := e.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	fault := "Sender"
	if status >= 500 {
		fault = "Receiver"
	}
	if wantsJSON(r) {
		writeQueryJSON(w, status, map[string]any{
			"Error":     map[string]string{"Type": fault, "Code": e.Code, "Message": e.Message},
			"RequestId": requestID,
		})
		return
	}
	writeXML(
		w, status,
		queryFailure{xml.Name{Space: namespace, Local: "ErrorResponse"}, fault, e.Code, e.Message, requestID},
	)
}

func writeQueryJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body, json.Deterministic(true))
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", body, err))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

func writeXML(w http.ResponseWriter, status int, body any) {
	data, err := xml.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("encode %T: %v", body, err))
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
