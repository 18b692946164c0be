// Package scim is SCIM 2.0 on the wire (RFC 7643, RFC 7644): resources, the filter and path
// grammar, PATCH, errors, and a client. It knows how identity providers really write these things,
// such as "active": "False" and capitalized operations, but has no storage and no policy: what a
// service provider allows is decided elsewhere.
//
// It may import names.
package scim

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The schema and message URNs. Sources: RFC 7643 §10, RFC 7644 §8.2.
const (
	UserURN         = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURN        = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseURN   = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	SearchURN       = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	BulkRequestURN  = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	BulkResponseURN = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	ErrorURN        = "urn:ietf:params:scim:api:messages:2.0:Error"
	ListURN         = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	PatchURN        = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	ConfigURN       = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	ResourceTypeURN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	SchemaURN       = "urn:ietf:params:scim:schemas:core:2.0:Schema"
)

// ContentType is the media type of requests. AWS answers with application/json.
const ContentType = "application/scim+json"

// Resource is a resource as JSON has it: strings, bools, float64, []any and map[string]any.
type Resource map[string]any

// String returns the text at the name, or "" when there is none.
func (r Resource) String(name string) string {
	s, _ := r[name].(string)
	return s
}

// Object returns the complex attribute at the name, or an empty one.
func (r Resource) Object(name string) Resource {
	m, _ := r[name].(map[string]any)
	return m
}

// List returns the entries of a multi-valued attribute. A single object counts as a list of one.
func (r Resource) List(name string) []any {
	switch v := r[name].(type) {
	case []any:
		return v
	case map[string]any:
		return []any{v}
	}
	return nil
}

// Bool reads a boolean that may have been sent as the text "True" or "False", as Entra does; ok is
// false when it is neither: 1 is no truth, nor is t.
func Bool(v any) (b, ok bool) {
	switch v := v.(type) {
	case bool:
		return v, true
	case string:
		b = strings.EqualFold(v, "true")
		return b, b || strings.EqualFold(v, "false")
	}
	return false, false
}

// Error is a SCIM error (RFC 7644 §3.12).
type Error struct {
	Status int
	Type   string // scimType, such as uniqueness or invalidFilter; may be empty
	Detail string
}

func (e *Error) Error() string {
	return strings.TrimSpace(fmt.Sprintf("SCIM %d %s %s", e.Status, e.Type, e.Detail))
}

// The scimType values that are used here. Source: RFC 7644, table 9.
const (
	InvalidFilter = "invalidFilter"
	InvalidSyntax = "invalidSyntax"
	InvalidPath   = "invalidPath"
	InvalidValue  = "invalidValue"
	NoTarget      = "noTarget"
	Mutability    = "mutability"
	TooMany       = "tooMany"
	Uniqueness    = "uniqueness"
)

func invalid(scimType, format string, args ...any) *Error {
	return &Error{Status: 400, Type: scimType, Detail: fmt.Sprintf(format, args...)}
}

// Decode reads exactly one JSON value, whose size the caller has bounded, into v. Duplicate names
// in an object, text that is not UTF-8 and deep nesting are refused: two readers could understand
// them differently. So are members of a message, such as a PATCH or a search, that SCIM does not
// define: the caller may rely on a member that would be ignored.
func Decode(data []byte, v any) error {
	if depth(data) > maxDepth {
		return invalid(InvalidSyntax, "the body is nested too deeply")
	}
	if err := json.Unmarshal(
		data, v, json.MatchCaseInsensitiveNames(true), json.RejectUnknownMembers(true),
	); err != nil {
		var wrong *json.SemanticError
		if errors.As(err, &wrong) && errors.Is(wrong.Err, json.ErrUnknownName) {
			name := wrong.JSONPointer.LastToken()
			return invalid(InvalidSyntax, "%.64q is not a member of this message", name)
		}
		var syntax *jsontext.SyntacticError
		if errors.As(err, &syntax) {
			return invalid(
				InvalidSyntax, "the body is not the JSON that was expected: %v at byte %d", syntax.Err,
				syntax.ByteOffset,
			)
		}
		return invalid(InvalidSyntax, "the body is not the JSON that was expected")
	}
	return nil
}

const maxDepth = 32 //bound:depth nesting of a SCIM request

// depth is how deep brackets are nested, an upper bound that counts those in strings too.
func depth(data []byte) int {
	level, deepest := 0, 0
	for _, c := range data {
		switch c {
		case '{', '[':
			level++
			deepest = max(deepest, level)
		case '}', ']':
			level--
		}
	}
	return deepest
}

// ListResponse is the answer to a query. TotalResults is a pointer since cursor pages leave it out.
type ListResponse struct {
	TotalResults *int       `json:"totalResults,omitempty"`
	ItemsPerPage int        `json:"itemsPerPage"`
	StartIndex   int        `json:"startIndex,omitempty"`
	NextCursor   string     `json:"nextCursor,omitempty"`
	Schemas      []string   `json:"schemas"`
	Resources    []Resource `json:"Resources"`
}

// Operation is one change of a PATCH request, as it was sent.
type Operation struct {
	Op    string         `json:"op"`
	Path  string         `json:"path,omitempty"`
	Value jsontext.Value `json:"value,omitzero"`
}

// PatchRequest is the body of a PATCH.
type PatchRequest struct {
	Schemas    []string    `json:"schemas"`
	Operations []Operation `json:"Operations"`
}
