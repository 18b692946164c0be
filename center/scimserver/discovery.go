package scimserver

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

// serviceProviderConfig says what the endpoint can do, as AWS says it (maxResults is still the old 50 there, though 100 are served).
func (h *Handler) serviceProviderConfig(context.Context, request) (answer, error) {
	off := map[string]any{"supported": false}
	return answer{http.StatusOK, map[string]any{
		"schemas": []string{scim.ConfigURN}, "documentationUri": "https://docs.aws.amazon.com/singlesignon/latest/userguide/manage-your-identity-source-idp.html",
		"authenticationSchemes": []map[string]any{{
			"type": "oauthbearertoken", "name": "OAuth Bearer Token", "description": "Authentication scheme using the OAuth Bearer Token Standard",
			"specUri": "https://www.rfc-editor.org/info/rfc6750", "documentationUri": "https://docs.aws.amazon.com/singlesignon/latest/userguide/provision-automatically.html", "primary": true}},
		"patch": map[string]any{"supported": true}, "bulk": map[string]any{"supported": false, "maxOperations": 1, "maxPayloadSize": maxBody},
		"filter": map[string]any{"supported": true, "maxResults": 50}, "changePassword": off, "sort": off, "etag": off,
	}}, nil
}

func listOf(resources []scim.Resource) scim.ListResponse {
	return page{start: 1}.list(resources, len(resources))
}

func (h *Handler) resourceTypes(_ context.Context, r request) (answer, error) {
	base := h.Center.URL + "/" + r.PathValue("tenant") + "/scim/v2"
	kind := func(name, endpoint, schema string) scim.Resource {
		return scim.Resource{
			"schemas": []string{scim.ResourceTypeURN}, "id": name, "name": name, "endpoint": endpoint, "description": name, "schema": schema,
			"meta": map[string]any{"resourceType": "ResourceType", "location": base + "/ResourceTypes/" + name}}
	}
	user := kind("User", "/Users", scim.UserURN)
	user["schemaExtensions"] = []map[string]any{{"schema": scim.EnterpriseURN, "required": true}}
	return answer{http.StatusOK, listOf([]scim.Resource{user, kind("Group", "/Groups", scim.GroupURN)})}, nil
}

// definitions are the schemas, made from the attribute tables that the parser uses.
func definitions() []scim.Resource {
	return []scim.Resource{
		definition(scim.UserURN, "User", "User Account", scim.UserSchema.Attributes),
		definition(scim.GroupURN, "Group", "Group", scim.GroupSchema.Attributes),
		definition(scim.EnterpriseURN, "EnterpriseUser", "Enterprise User", scim.UserSchema.Extensions[scim.EnterpriseURN]),
	}
}

func definition(urn, name, description string, list []scim.Attribute) scim.Resource {
	return scim.Resource{
		"schemas": []string{scim.SchemaURN}, "id": urn, "name": name, "description": description, "attributes": attributes(list),
		"meta": map[string]any{"resourceType": "Schema", "location": "/v2/Schemas/" + urn}}
}

var required = map[string]bool{"userName": true, "displayName": true, "givenName": true, "familyName": true}

func attributes(list []scim.Attribute) []map[string]any {
	types := map[scim.Kind]string{scim.Text: "string", scim.Boolean: "boolean", scim.Complex: "complex", scim.ComplexList: "complex"}
	out := []map[string]any{}
	for _, a := range list {
		if a.Name == "schemas" || a.Name == "id" || a.Name == "meta" || slices.Contains(unsupported, a.Name) {
			continue
		}
		m := map[string]any{
			"name": a.Name, "type": types[a.Kind], "multiValued": a.Kind == scim.ComplexList, "required": required[a.Name],
			"caseExact": a.Name == "externalId", "mutability": "readWrite", "returned": "default", "uniqueness": "none"}
		if a.Name == "userName" {
			m["uniqueness"] = "server"
		}
		if len(a.Sub) > 0 {
			m["subAttributes"] = attributes(a.Sub)
		}
		out = append(out, m)
	}
	return out
}

func (h *Handler) schemas(context.Context, request) (answer, error) {
	return answer{http.StatusOK, listOf(definitions())}, nil
}

func (h *Handler) schema(_ context.Context, r request) (answer, error) {
	for _, d := range definitions() {
		if strings.EqualFold(d.String("id"), r.id) {
			return answer{http.StatusOK, d}, nil
		}
	}
	return answer{}, &center.Error{Code: center.RequestNotFound, Subject: r.id}
}
