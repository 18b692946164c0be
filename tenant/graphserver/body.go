package graphserver

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/gatehouse-id/gatehouse/graph"
)

// maxNesting bounds how deep a body is nested.
const maxNesting = 32 //bound:depth nesting of the body of a request to Microsoft Graph

// decode reads exactly one JSON object. A property that the door does not know is refused, at every
// depth: it may be a control that the caller relies on. So are names that stand twice. Annotations
// such as @odata.type say nothing about what is to be done, and are passed over. Source: OData JSON
// format 4.01, 4.6.
func decode(r request, into any) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return &wireError{
			status:  http.StatusRequestEntityTooLarge,
			code:    "Request_BadRequest",
			message: "The body is too large.",
		}
	}
	kind := resourceType(r.URL.Path)
	if _, parts := into.(*graph.Batch); !parts { // the bodies of its parts are read on their own
		if data, err = plainBody(data, kind, into); err != nil {
			return err
		}
	}
	if data = bytes.TrimSpace(data); len(data) == 0 || data[0] != '{' {
		return errNotJSON
	}
	err = json.Unmarshal(data, into, json.RejectUnknownMembers(true))
	var wrong *json.SemanticError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return errNotJSON
	}
	path := strings.Join(slices.Collect(wrong.JSONPointer.Tokens()), "/")
	if errors.Is(wrong.Err, json.ErrUnknownName) {
		return noProperty(kind, path)
	}
	return badRequest("Property '" + quotable(path) + "' has a value of the wrong type.")
}

var errNotJSON = badRequest(
	"Unable to read JSON request payload. Ensure Content-Type header is set and payload is of valid JSON format.",
)

// noProperty refuses a property by its path. Graph says the first half.
func noProperty(kind, path string) error {
	name := "Property '" + quotable(path) + "'"
	if slices.Contains(notKept[kind], path) {
		return badRequest(name + " of " + typeName(kind) +
			" is not stored by Gatehouse, which refuses what it would otherwise ignore.")
	}
	return badRequest(name + " does not exist on " + typeName(kind) +
		", or Gatehouse does not know it: it refuses what it would otherwise ignore.")
}

// invalidValue are Graph's words for a value that a property cannot have.
func invalidValue(kind, property string) string {
	return "Invalid value specified for property '" + quotable(property) + "' of resource '" +
		strings.ToUpper(kind[:1]) + kind[1:] + "'."
}

// quotable is the beginning of a name from outside, as a message may repeat it.
func quotable(name string) string {
	return strings.ToValidUTF8(name[:min(len(name), 128)], "")
}

// resourceType is the type of the resource that a path names: of users/{id} it is user. It is ""
// for everything else.
func resourceType(path string) string {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(path, root), "/"), "/")
	if len(parts) > 2 {
		return ""
	}
	return map[string]string{
		"users":             "user",
		"groups":            "group",
		"applications":      "application",
		"servicePrincipals": "servicePrincipal",
	}[parts[0]]
}

func typeName(kind string) string {
	if kind == "" {
		return "the type of this request"
	}
	return "type 'microsoft.graph." + kind + "'"
}

// notKept are properties that Graph has and this tenant has not. One that is sent without a value
// asks for what is so anyway, as clients do that send all they know; another is refused. Source:
// the resource types of the Graph reference.
var notKept = map[string][]string{
	"user": {
		"aboutMe",
		"ageGroup",
		"assignedLicenses",
		"birthday",
		"consentProvidedForMinor",
		"customSecurityAttributes",
		"employeeHireDate",
		"employeeLeaveDateTime",
		"employeeOrgData",
		"employeeType",
		"faxNumber",
		"identities",
		"interests",
		"mySite",
		"onPremisesImmutableId",
		"otherMails",
		"passwordPolicies",
		"pastProjects",
		"preferredDataLocation",
		"preferredName",
		"responsibilities",
		"schools",
		"showInAddressList",
		"skills",
	},
	"group": {"accessType", "allowExternalSenders", "assignedLabels", "assignedLicenses", "classification",
		"hideFromAddressLists", "isAssignableToRole", "isManagementRestricted", "mail", "membershipRule",
		"membershipRuleProcessingState", "preferredDataLocation", "preferredLanguage", "resourceBehaviorOptions",
		"resourceProvisioningOptions", "theme", "uniqueName", "visibility", "writebackConfiguration"},
	"application": {
		"addIns",
		"api",
		"certification",
		"defaultRedirectUri",
		"description",
		"groupMembershipClaims",
		"info",
		"isDeviceOnlyAuthSupported",
		"isFallbackPublicClient",
		"notes",
		"optionalClaims",
		"parentalControlSettings",
		"passwordCredentials",
		"publicClient",
		"requestSignatureVerification",
		"samlMetadataUrl",
		"spa",
		"tags",
		"uniqueName",
	},
	"servicePrincipal": {"addIns", "alternativeNames", "description", "homepage", "notes", "passwordCredentials",
		"samlSingleSignOnSettings", "tokenEncryptionKeyId"},
}

// offByDefault are those of them whose false is no value either.
var offByDefault = []string{
	"isAssignableToRole",
	"isManagementRestricted",
	"isFallbackPublicClient",
	"isDeviceOnlyAuthSupported",
}

// plainBody leaves annotations out of a body, and properties that are not kept and have no value.
func plainBody(data []byte, kind string, into any) ([]byte, error) {
	_, reference := into.(*graph.Reference)
	var out bytes.Buffer
	d, e := jsontext.NewDecoder(bytes.NewReader(data)), jsontext.NewEncoder(&out)
	for {
		if d.StackDepth() > maxNesting {
			return nil, badRequest("The body is nested too deeply.")
		}
		in, n := d.StackIndex(d.StackDepth())
		isName := in == jsontext.KindBeginObject && n%2 == 0 && d.PeekKind() == jsontext.KindString
		token, err := d.ReadToken()
		if errors.Is(err, io.EOF) {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, errNotJSON
		}
		if isName {
			name := token.String()
			if token = jsontext.String(name); annotation(name) && (!reference || name != "@odata.id") {
				err = d.SkipValue()
				token = jsontext.Token{}
			} else if d.StackDepth() == 1 && slices.Contains(notKept[kind], name) {
				var value jsontext.Value
				if value, err = d.ReadValue(); err == nil && !empty(name, value) {
					return nil, noProperty(kind, name)
				}
				token = jsontext.Token{}
			}
		}
		if err == nil && token.Kind() != jsontext.KindInvalid {
			err = e.WriteToken(token)
		}
		if err != nil {
			return nil, errNotJSON
		}
	}
}

// annotation says whether a name is one of OData's annotations. A binding such as
// members@odata.bind is none: it asks for something.
func annotation(name string) bool {
	_, rest, ok := strings.Cut(name, "@")
	return ok && strings.HasPrefix(rest, "odata.") && rest != "odata.bind"
}

// empty says whether a value asks for nothing.
func empty(name string, value jsontext.Value) bool {
	return nothing(value) && (string(value) != "false" || slices.Contains(offByDefault, name))
}

// nothing says whether a value within a property asks for nothing: it is empty, or has nothing but
// empty values. Terraform sends all that it knows.
func nothing(value jsontext.Value) bool {
	switch text := string(value); text {
	case "null", `""`, "[]", "{}", "false":
		return true
	default:
		if value.Kind() != jsontext.KindBeginObject {
			return false
		}
	}
	d := jsontext.NewDecoder(strings.NewReader(string(value)))
	if _, err := d.ReadToken(); err != nil {
		return false
	}
	for d.PeekKind() == jsontext.KindString {
		_, e1 := d.ReadToken()
		inner, e2 := d.ReadValue()
		if e1 != nil || e2 != nil || !nothing(inner) {
			return false
		}
	}
	return true
}

// given is a property of a PATCH: whether it was sent, and its value, which is the zero value for
// null.
type given[T any] struct {
	sent  bool
	value T
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (g *given[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	g.sent = true
	return json.UnmarshalDecode(d, &g.value)
}

// into sets what was sent.
func (g given[T]) into(to *T) {
	if g.sent {
		*to = g.value
	}
}

// givenBool is a truth of a PATCH, which cannot be null.
type givenBool struct{ given[*bool] }

func (f givenBool) into(name string, to *bool) error {
	if !f.sent {
		return nil
	}
	if f.value == nil {
		return wrongType(name)
	}
	*to = *f.value
	return nil
}
