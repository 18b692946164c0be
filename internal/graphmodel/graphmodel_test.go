package graphmodel_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/graphmodel"
)

// TestWhatMicrosoftsGraphWouldNotKnow has a line for each kind of mistake, and requests of the
// reference's own examples, which have none.
func TestWhatMicrosoftsGraphWouldNotKnow(t *testing.T) {
	t.Parallel()
	const sp = "/servicePrincipals/00000000-0000-0000-0000-000000000001"
	for _, c := range []struct{ method, path, query, body, want string }{
		{"GET", "/users", "$select=id,displayName&$top=999", "", ""},
		{"GET", "/users", "$select=id,surename", "", `no "surename"`},
		{"GET", "/users", "$top=1000", "", "from 1 to 999"},
		{"GET", "/users", "$pagesize=5", "", `no query option "$pagesize"`},
		{"GET", "/user", "", "", `no "user"`},
		{"GET", "/servicePrincipals", "$filter=applicationTemplateId eq 'x'", "", ""},
		{"GET", "/servicePrincipals", "$filter=templateId eq 'x'", "", `no "templateId"`},
		{"GET", "/groups/1/members", "$select=id,userPrincipalName", "", ""},
		{"GET", "/groups/1/membrs", "", "", `no "membrs"`},
		{"GET", sp + "/claimsMappingPolicies", "", "", ""},
		{"GET", "/auditLogs/signIns", "$filter=appDisplayName eq 'x'", "", ""},
		{"POST", "/applicationTemplates/1/instantiate", "", `{"displayName":"x"}`, ""},
		{"GET", "/applicationTemplates/1/instantiate", "", "", "GET is not for"},
		{"POST", "/applicationTemplates/1/instantiate", "", `{"name":"x"}`, `no parameter "name"`},
		{"PATCH", sp, "", `{"preferredSingleSignOnMode":"saml"}`, ""},
		{"PATCH", sp, "", `{"preferredSingleSignOnMode":true}`, "Edm.String"},
		{"PATCH", sp, "", `{"preferedSingleSignOnMode":"saml"}`, "has no"},
		{"PUT", sp, "", `{"loginUrl":"x"}`, "PUT is not for"},
		{"PATCH", "/applications/1", "", `{"web":{"redirectUris":["https://x"]}}`, ""},
		{"PATCH", "/applications/1", "", `{"web":{"redirectUris":"https://x"}}`, "is a list"},
		{"PATCH", "/applications/1", "", `{"web":{"redirectUrls":[]}}`, `no "web.redirectUrls"`},
		{"POST", sp + "/synchronization/jobs", "", `{"templateId":"aWSSingleSignOn"}`, ""},
		{"POST", sp + "/synchronization/jobs", "", `{}`, "templateId is required"},
		{"PUT", sp + "/synchronization/secrets", "", `{"value":[{"key":"BaseAddress","value":"x"}]}`, ""},
		{"PUT", sp + "/synchronization/secrets", "", `{"value":[{"key":"Street","value":"x"}]}`, "not one of"},
		{"POST", sp + "/synchronization/jobs/1/validateCredentials", "", `{"useSavedCredentials":true}`, ""},
		{"POST", sp + "/synchronization/jobs/1/start", "", "", ""},
		{"POST", sp + "/synchronization/jobs/1/begin", "", "", `no "begin"`},
		{"POST", "/groups/1/members/$ref", "", `{"@odata.id":"https://x/1"}`, ""},
		{"POST", "/groups/1/members/$ref", "", `{"id":"1"}`, "a reference"},
		{"POST", sp + "/appRoleAssignedTo", "", `{"principalId":"x","resourceId":"x","appRoleId":"x"}`, "Edm.Guid"},
		{"GET", sp, "", `{}`, "takes no body"},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		err = graphmodel.V1().Check(c.method, c.path, query, []byte(c.body))
		if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s %s?%s %s: %v, want %q", c.method, c.path, c.query, c.body, err, c.want)
		}
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://graph.example/other", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if err := graphmodel.CheckRequest(r); err != nil {
		t.Errorf("what is no Graph: %v", err)
	}
}
