package repair_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/repair"
	"github.com/gatehouse-id/gatehouse/graph"
)

// entrasSchema has members that Microsoft documents and no type of ours has.
const entrasSchema = `{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#x","id":"job","version":"v7",
	"provisioningTaskIdentifier":"task","synchronizationRules":[{"id":"rule","name":"USER_OUTBOUND_USER","priority":1,
	"editable":true,"containerFilter":{"includedContainers":["OU=a"]},"groupFilter":{"includedGroups":["g"]},
	"metadata":[],"sourceDirectoryName":"Azure Active Directory","targetDirectoryName":"AWS","objectMappings":[
	{"enabled":false,"flowTypes":"Add, Update, Delete","metadata":[{"key":"a","value":"b"}],"name":"Groups",
	"scope":null,"sourceObjectName":"Group","targetObjectName":"Group","attributeMappings":[]},
	{"enabled":true,"flowTypes":"Add","name":"Users","scope":null,"sourceObjectName":"User","targetObjectName":"User",
	"attributeMappings":[{"defaultValue":"","exportMissingReferences":false,"flowBehavior":"FlowWhenChanged",
	"flowType":"Always","matchingPriority":1,"source":{"expression":"[mail]","name":"mail","parameters":[],
	"type":"Attribute"},"targetAttributeName":"userName"},{"matchingPriority":0,"source":{"expression":"[a]"},
	"targetAttributeName":"title"}]}]}],"directories":[{"id":"d","name":"AWS","readOnly":false,"version":"1",
	"discoverabilities":"AttributeNames","discoveryDateTime":null,"objects":[{"name":"User","supportedApis":["x"],
	"metadata":[],"attributes":[{"anchor":false,"apiExpressions":[],"caseExact":false,"defaultValue":null,
	"flowNullValues":true,"metadata":[],"multivalued":true,"mutability":"ReadWrite","name":"manager",
	"referencedObjects":[{"referencedObjectName":"User","referencedProperty":"objectId"}],"required":false,
	"type":"Reference"}]}]}]}`

// TestAnEditedSchemaKeepsWhatNobodyAskedToChange: a PUT replaces all of a schema.
func TestAnEditedSchemaKeepsWhatNobodyAskedToChange(t *testing.T) {
	mappings := func(schema map[string]any, i int) map[string]any {
		rule := schema["synchronizationRules"].([]any)[0].(map[string]any)
		return rule["objectMappings"].([]any)[i].(map[string]any)
	}
	source := map[string]any{
		"expression": "ToLower([upn])", "name": "ToLower", "type": "Function", "parameters": []any{"x"},
	}
	for name, c := range map[string]struct {
		object, target, expression string
		want                       func(schema map[string]any)
		refused                    string
	}{
		"groups are enabled": {object: "Group", want: func(s map[string]any) { mappings(s, 0)["enabled"] = true }},
		"a mapping goes": {object: "User", target: "title", want: func(s map[string]any) {
			users := mappings(s, 1)
			users["attributeMappings"] = users["attributeMappings"].([]any)[:1]
		}},
		"an attribute is mapped otherwise": {
			object: "User", target: "userName", expression: "ToLower([upn])",
			want: func(s map[string]any) {
				mappings(s, 1)["attributeMappings"].([]any)[0].(map[string]any)["source"] = source
			},
		},
		"an attribute is mapped that was not": {
			object: "User", target: "nickName", expression: "ToLower([upn])",
			want: func(s map[string]any) {
				users := mappings(s, 1)
				users["attributeMappings"] = append(users["attributeMappings"].([]any), map[string]any{
					"targetAttributeName": "nickName", "source": source, "matchingPriority": 0.0, "flowType": "Always",
					"flowBehavior": "FlowWhenChanged", "defaultValue": nil, "exportMissingReferences": false,
				})
			},
		},
		"a kind that is not mapped": {object: "Device", refused: "no objects of the kind Device"},
		"an expression that is not understood": {
			object: "User", target: "userName", expression: "Lower(", refused: "a )",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var put map[string]any
			entra := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				w.Header().Set("Content-Type", "application/json")
				switch {
				case !strings.HasPrefix(r.URL.Path, "/servicePrincipals/app/synchronization/jobs/job/schema"):
					t.Errorf("%s is asked for", r.URL)
				case r.Method == http.MethodGet:
					_, _ = io.WriteString(w, entrasSchema)
				case r.Method == http.MethodPut:
					if err := json.Unmarshal(body, &put); err != nil {
						t.Error(err)
					}
					w.WriteHeader(http.StatusNoContent)
				case strings.Contains(string(body), "ToLower"):
					data, _ := json.Marshal(map[string]any{"parsingSucceeded": true, "parsedExpression": source})
					_, _ = w.Write(data)
				default:
					_, _ = io.WriteString(
						w, `{"parsingSucceeded":false,"error":{"code":"x","message":"a ) is missing"}}`,
					)
				}
			}))
			defer entra.Close()
			why := apply(t, repair.Sides{Graph: &graph.Client{BaseURL: entra.URL, HTTP: entra.Client()}}, doctor.Repair{
				Action: doctor.EditMapping,
				With: map[string]string{
					"servicePrincipalId": "app", "jobId": "job",
					"object": c.object, "target": c.target, "expression": c.expression,
				},
			})
			if c.refused != "" {
				if !strings.Contains(why, c.refused) || put != nil {
					t.Errorf("it says %q, and wrote %v", why, put)
				}
				return
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(entrasSchema), &want); err != nil {
				t.Fatal(err)
			}
			delete(want, "@odata.context")
			c.want(want)
			if why != "" || !reflect.DeepEqual(put, want) {
				t.Errorf("%s: it wrote\n%v\nwant\n%v", why, put, want)
			}
		})
	}
}
