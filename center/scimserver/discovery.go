package scimserver

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/scim"
)

// awsGuide is where AWS describes its endpoint.
const awsGuide = "https://docs.aws.amazon.com/singlesignon/latest/userguide/"

// ownGuide is where this endpoint is described. By it a client knows a center.
const ownGuide = "https://github.com/gatehouse-id/gatehouse/blob/main/docs/scim.md"

// serviceProviderConfig says what the endpoint can do: as AWS says it (maxResults is still the old
// 50 there, though 100 are served), or what the standard profile does.
func (h *Handler) serviceProviderConfig(_ context.Context, r *request) (answer, error) {
	supported := func(yes bool) map[string]any { return map[string]any{"supported": yes} }
	bulk, results := map[string]any{"supported": r.standard, "maxOperations": 1, "maxPayloadSize": maxBody}, 50
	if r.standard {
		bulk["maxOperations"], results = maxBulk, r.maxCount
	}
	body := map[string]any{
		"schemas":          []string{scim.ConfigURN},
		"documentationUri": awsGuide + "manage-your-identity-source-idp.html",
		"authenticationSchemes": []map[string]any{{
			"type":             "oauthbearertoken",
			"name":             "OAuth Bearer Token",
			"description":      "Authentication scheme using the OAuth Bearer Token Standard",
			"specUri":          "https://www.rfc-editor.org/info/rfc6750",
			"documentationUri": awsGuide + "provision-automatically.html",
			"primary":          true,
		}},
		"patch":          supported(true),
		"bulk":           bulk,
		"filter":         map[string]any{"supported": true, "maxResults": results},
		"changePassword": supported(false),
		"sort":           supported(r.standard),
		"etag":           supported(r.standard),
	}
	if r.standard {
		body["documentationUri"] = ownGuide
		body["meta"] = map[string]any{
			"resourceType": "ServiceProviderConfig",
			"location":     r.base + "/ServiceProviderConfig",
		}
		body["pagination"] = map[string]any{
			"cursor":                  true,
			"index":                   true,
			"defaultPaginationMethod": "index",
			"defaultPageSize":         100,
			"maxPageSize":             r.maxCount,
		}
	}
	return encode(body)
}

// listOfAll is a list of discovery documents, which is never cut into pages.
func listOfAll(resources []scim.Resource) (answer, error) {
	n := len(resources)
	return encode(scim.ListResponse{
		Schemas:      []string{scim.ListURN},
		TotalResults: &n,
		ItemsPerPage: n,
		StartIndex:   1,
		Resources:    resources,
	})
}

func (r *request) types() []scim.Resource {
	kind := func(name, endpoint, schema string) scim.Resource {
		return scim.Resource{
			"schemas":     []string{scim.ResourceTypeURN},
			"id":          name,
			"name":        name,
			"endpoint":    endpoint,
			"description": name,
			"schema":      schema,
			"meta": map[string]any{
				"resourceType": "ResourceType",
				"location":     r.base + "/ResourceTypes/" + name,
			},
		}
	}
	user := kind("User", "/Users", scim.UserURN)
	// AWS says that the extension is required, and does not enforce it.
	user["schemaExtensions"] = []map[string]any{{"schema": scim.EnterpriseURN, "required": !r.standard}}
	return []scim.Resource{user, kind("Group", "/Groups", scim.GroupURN)}
}

func (h *Handler) resourceTypes(_ context.Context, r *request) (answer, error) {
	return listOfAll(r.types())
}

func (h *Handler) resourceType(_ context.Context, r *request) (answer, error) {
	return r.oneOf(r.types())
}

// oneOf answers with the document that has the request's id.
func (r *request) oneOf(all []scim.Resource) (answer, error) {
	for _, d := range all {
		if strings.EqualFold(d.String("id"), r.id) {
			return encode(d)
		}
	}
	return answer{}, &scim.Error{Status: http.StatusNotFound, Detail: "Resource not found."}
}

// definitions are the schemas, made from the attribute tables that the parser uses.
func (r *request) definitions() []scim.Resource {
	return []scim.Resource{
		r.definition(scim.UserURN, "User", "User Account", scim.UserSchema.Attributes),
		r.definition(scim.GroupURN, "Group", "Group", scim.GroupSchema.Attributes),
		r.definition(
			scim.EnterpriseURN, "EnterpriseUser", "Enterprise User", scim.UserSchema.Extensions[scim.EnterpriseURN],
		),
	}
}

func (r *request) definition(urn, name, description string, list []scim.Attribute) scim.Resource {
	location := "/v2/Schemas/" + urn
	if r.standard {
		location = r.base + "/Schemas/" + urn
	}
	return scim.Resource{
		"schemas":     []string{scim.SchemaURN},
		"id":          urn,
		"name":        name,
		"description": description,
		"attributes":  r.describe("", list),
		"meta":        map[string]any{"resourceType": "Schema", "location": location},
	}
}

// What AWS's profile does in a way of its own, by path: it makes no user without some attributes,
// takes what it does not show, and neither shows nor needs the addresses of references.
var (
	awsRequires = []string{"userName", "displayName", "name", "name.givenName", "name.familyName"}
	awsHides    = []string{"members", "members.value", "members.type"}
	awsDrops    = []string{"manager.$ref", "members.$ref", "members.display"}
)

// knows says whether the profile has the attribute at a path.
func (p profile) knows(path string) bool {
	return p.standard || !slices.Contains(unsupported, path) && !slices.Contains(unsupportedParts, path) &&
		!slices.Contains(awsDrops, path)
}

// describe says of attributes what the server does with them (RFC 7643 §7); prefix is the path of
// the attribute that they are parts of, with a dot.
func (r *request) describe(prefix string, list []scim.Attribute) []map[string]any {
	types := map[scim.Kind]string{
		scim.Text:        "string",
		scim.Boolean:     "boolean",
		scim.Complex:     "complex",
		scim.ComplexList: "complex",
	}
	out := []map[string]any{}
	for _, a := range list {
		path := prefix + a.Name
		if path == "schemas" || path == "id" || path == "meta" || !r.knows(path) {
			continue
		}
		m := map[string]any{
			"name":        a.Name,
			"type":        cmp.Or(a.Type, types[a.Kind]),
			"multiValued": a.Kind == scim.ComplexList,
			"required":    a.Required || !r.standard && slices.Contains(awsRequires, path),
			"caseExact":   a.CaseExact,
			"mutability":  mutability(a),
			"returned":    "default",
			"uniqueness":  "none",
		}
		if a.Unique {
			m["uniqueness"] = "server"
		}
		if len(a.Values) > 0 {
			m["canonicalValues"] = a.Values
		}
		if len(a.References) > 0 {
			m["referenceTypes"] = a.References
		}
		if r.standard {
			m["description"] = path
		} else if slices.Contains(awsHides, path) {
			m["mutability"], m["returned"] = "writeOnly", "never"
		}
		if len(a.Sub) > 0 {
			m["subAttributes"] = r.describe(path+".", a.Sub)
		}
		out = append(out, m)
	}
	return out
}

func mutability(a scim.Attribute) string {
	switch {
	case a.ReadOnly:
		return "readOnly"
	case a.Immutable:
		return "immutable"
	}
	return "readWrite"
}

func (h *Handler) schemas(_ context.Context, r *request) (answer, error) {
	return listOfAll(r.definitions())
}

func (h *Handler) schema(_ context.Context, r *request) (answer, error) {
	return r.oneOf(r.definitions())
}
