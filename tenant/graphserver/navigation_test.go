package graphserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// documented are the navigation properties of Graph's v1.0 types that a tenant has objects of, and
// the functions that are bound to their collections. Source: v1.0 metadata, August 2026.
var documented = map[string]string{
	"users": `activities agreementAcceptances appRoleAssignments authentication calendar calendarGroups calendarView
		calendars chats cloudClipboard cloudPCs contactFolders contacts createdObjects dataSecurityAndGovernance
		deviceManagementTroubleshootingEvents directReports drive drives employeeExperience events extensions
		followedSites inferenceClassification insights joinedTeams licenseDetails mailFolders managedAppRegistrations
		managedDevices manager memberOf messages oauth2PermissionGrants onPremisesSyncBehavior onenote onlineMeetings
		outlook ownedDevices ownedObjects people permissionGrants photo photos planner presence registeredDevices
		scopedRoleMemberOf settings solutions sponsors teamwork todo transitiveMemberOf manager/$ref displayName
		displayName/$value accountEnabled businessPhones`,
	"groups": `acceptedSenders appRoleAssignments calendar calendarView conversations createdOnBehalfOf drive drives
		events extensions groupLifecyclePolicies memberOf members membersWithLicenseErrors onPremisesSyncBehavior
		onenote owners permissionGrants photo photos planner rejectedSenders settings sites team threads
		transitiveMemberOf transitiveMembers displayName securityEnabled/$value`,
	"applications": `appManagementPolicies createdOnBehalfOf extensionProperties federatedIdentityCredentials
		homeRealmDiscoveryPolicies logo owners synchronization/templates tokenIssuancePolicies tokenLifetimePolicies
		appId identifierUris`,
	"servicePrincipals": `appManagementPolicies appRoleAssignedTo appRoleAssignments claimsMappingPolicies
		createdObjects delegatedPermissionClassifications endpoints federatedIdentityCredentials
		homeRealmDiscoveryPolicies memberOf oauth2PermissionGrants ownedObjects owners
		remoteDesktopSecurityConfiguration synchronization/jobs synchronization/secrets synchronization/templates
		tokenIssuancePolicies tokenLifetimePolicies transitiveMemberOf appId`,
	"organization":   "branding certificateBasedAuthConfiguration extensions displayName",
	"directoryRoles": "members scopedMembers displayName",
	"domains":        "domainNameReferences federationConfiguration rootDomain verificationDnsRecords isDefault",
	"": `users groups applications servicePrincipals organization directoryRoles directoryRoleTemplates domains
		subscribedSkus oauth2PermissionGrants users/delta groups/delta applications/delta servicePrincipals/delta
		directoryRoles/delta users/$count groups/$count applications/$count
		servicePrincipals/$count devices contacts contracts directory/administrativeUnits directory/deletedItems/x
		policies/authorizationPolicy policies/conditionalAccessPolicies policies/claimsMappingPolicies
		roleManagement/directory/roleDefinitions roleManagement/directory/roleAssignments
		roleManagement/directory/roleEligibilitySchedules identityGovernance auditLogs/signIns
		auditLogs/directoryAudits auditLogs/provisioning groupSettings invitations security sites teams`,
}

// TestDocumentedAddressesAreServedOrRefused: no address that Graph has looks like an object that is
// missing. What is served is in the first list, the rest is refused as a feature that is not there.
func TestDocumentedAddressesAreServedOrRefused(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	var org graph.Page[map[string]any]
	e.Change(http.MethodGet, "/organization", nil, &org)
	var groups graph.Page[graph.Group]
	e.Change(http.MethodGet, "/groups?$top=1", nil, &groups)
	at := map[string]string{
		"users": "mei.tanaka@northwind.example", "groups": groups.Value[0].ID, "applications": e.Tenant.ApplicationID,
		"servicePrincipals": e.Tenant.ServicePrincipalID, "organization": org.Value[0]["id"].(string),
		"directoryRoles": "62e90394-69f5-4237-9190-012177145e10", "domains": "northwind.example",
	}
	for collection, names := range documented {
		for name := range strings.FieldsSeq(names) {
			path := "/" + name
			if collection != "" {
				path = "/" + collection + "/" + at[collection] + path
			}
			status, code := refusalOf(e, http.MethodGet, path)
			advanced := strings.HasSuffix(name, "$count") && code == "Request_BadRequest"
			missing := strings.HasSuffix(name, "deletedItems/x") && code == "Request_ResourceNotFound"
			if status/100 != 2 && code != "notSupported" && code != "ImageNotFound" && !missing && !advanced {
				t.Errorf("GET %s: %d %s", path, status, code)
			}
		}
	}
	user := "/users/" + at["users"]
	for _, c := range []struct{ method, path, code string }{
		{"GET", user + "/nonsense", "BadRequest"}, {"GET", user + "/displayName/nonsense", "BadRequest"},
		{"GET", "/groups/" + at["groups"] + "/members/nonsense", "BadRequest"},
		{"GET", user + "/businessPhones/$value", "Request_BadRequest"},
		{"PATCH", user + "/manager", "Request_BadRequest"}, {"POST", "/organization", "Request_BadRequest"},
		{"POST", "/directory/deletedItems/getUserOwnedObjects", "notSupported"},
		{"POST", "/directoryObjects/validateProperties", "notSupported"},
		{"POST", user + "/sendMail", "notSupported"}, {"POST", "/devices", "notSupported"},
		{"GET", "/users/nobody@northwind.example/sponsors", "Request_ResourceNotFound"},
		{"GET", "/users/nobody@northwind.example/displayName", "Request_ResourceNotFound"},
		{"GET", "/applications/" + at["servicePrincipals"] + "/extensionProperties", "Request_ResourceNotFound"},
		{"GET", "/organization/x", "Request_ResourceNotFound"},
	} {
		if status, code := refusalOf(e, c.method, c.path); code != c.code {
			t.Errorf("%s %s: %d %s, want %s", c.method, c.path, status, code, c.code)
		}
	}
	if status, body := get(t, strings.TrimSuffix(e.Tenant.GraphURL, "/v1.0")+"/beta/users"); status != 400 ||
		!strings.Contains(body, `"code":"BadRequest"`) {
		t.Errorf("another version: %d %s", status, body)
	}
	var name struct {
		Context string `json:"@odata.context"`
		Value   string `json:"value"`
	}
	e.Change(http.MethodGet, user+"/displayName", nil, &name)
	if name.Value != "Mei Tanaka" || !strings.HasSuffix(name.Context, "/displayName") {
		t.Errorf("a property: %+v", name)
	}
}

// TestWhatNoTenantAnswers is refused in Graph's words, and what a tenant has none of is an empty
// list.
func TestWhatNoTenantAnswers(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	for path, words := range map[string]string{
		"/directoryObjects":             "Only specific instances can be queried",
		"/directory/deletedItems":       "Only specific instances can be queried",
		"/directoryObjects/delta":       "without a valid resource type or id filter",
		"/directoryRoleTemplates/delta": "not supported for entity type: DirectoryRoleTemplate",
		"/organization/delta":           "not supported for entity type: Organization",
		"/contracts/delta()":            "not supported for entity type: Contract",
		"/groupSettingTemplates/delta":  "not supported for entity type: SettingTemplate",
		"/permissionGrants/delta":       "not supported for entity type: ResourceSpecificPermissionGrant",
	} {
		status, _, text := e.Ask(http.MethodGet, path, nil)
		if status != http.StatusBadRequest || !strings.Contains(text, `"Request_UnsupportedQuery"`) ||
			!strings.Contains(text, words) {
			t.Errorf("GET %s: %d %s", path, status, text)
		}
	}
	for name := range strings.FieldsSeq(`devices contacts contracts groupSettings groupLifecyclePolicies
		directory/administrativeUnits directory/deletedItems/microsoft.graph.device directory/subscriptions
		directory/deletedItems/microsoft.graph.administrativeUnit directory/federationConfigurations`) {
		if list := e.List("/"+name+"?$select=id&$top=5", "id"); len(list) != 0 {
			t.Errorf("%s: %v", name, list)
		}
	}
}

// TestADeltaQueryFollowsApplications: what is new, changed and gone, each once.
func TestADeltaQueryFollowsApplications(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	for _, collection := range []string{"applications", "servicePrincipals"} {
		next := "/" + collection + "/delta?$select=displayName"
		step := func(what string, want ...string) {
			t.Helper()
			var page graph.DeltaPage[map[string]any]
			e.Change(http.MethodGet, next, nil, &page)
			var have []string
			for _, x := range page.Value {
				text, _ := x["displayName"].(string)
				if removed, gone := x["@removed"].(map[string]any); gone {
					text = "gone: " + removed["reason"].(string)
				}
				have = append(have, text)
			}
			slices.Sort(have)
			if !slices.Equal(have, want) {
				t.Errorf("%s, %s: %q, want %q", collection, what, have, want)
			}
			next = page.DeltaLink
		}
		step("at first", "AWS IAM Identity Center")
		step("nothing")
		var made graph.ApplicationServicePrincipal
		e.Change(http.MethodPost, "/applicationTemplates/8adf8e6e-67b2-4cf2-a259-e3dc5476c621/instantiate",
			map[string]any{"displayName": "Wiki"}, &made)
		step("a new one", "Wiki")
		e.Change(http.MethodPatch, "/applications/"+made.Application.ID, map[string]any{"displayName": "Our wiki"}, nil)
		step("another name", "Our wiki")
		e.Change(http.MethodPatch, "/servicePrincipals/"+made.ServicePrincipal.ID,
			map[string]any{"notificationEmailAddresses": []string{"a@example.com"}}, nil)
		step("what is not selected")
		e.Change(http.MethodDelete, "/applications/"+made.Application.ID, nil, nil)
		step("deleted", "gone: changed")
		step("nothing again")
		_, code := refusalOf(e, http.MethodGet, "/"+collection+"/delta?$deltatoken=nonsense")
		if code != "Request_BadRequest" {
			t.Errorf("a token that nobody gave: %s", code)
		}
	}
}

// refusalOf is how a request is answered: its status, and Graph's code for a refusal.
func refusalOf(e pairtest.Ends, method, path string) (status int, code string) {
	err := e.Client.Do(context.Background(), method, path, nil, nil)
	var refused *graph.Error
	if errors.As(err, &refused) {
		return refused.Status, refused.Code
	}
	if err != nil {
		e.T.Error(method, path, err)
	}
	return http.StatusOK, ""
}

// TestWhatToolsReadOfGraph: what programs that look at a tenant ask for beside the objects.
func TestWhatToolsReadOfGraph(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei := e.User("mei.tanaka@northwind.example")
	const reader = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	e.Change(http.MethodPost, "/roleManagement/directory/roleAssignments", map[string]any{
		"principalId": mei.ID, "roleDefinitionId": reader, "directoryScopeId": "/",
	}, nil)
	var audits graph.Page[map[string]any]
	e.Change(http.MethodGet, "/auditLogs/directoryAudits?$top=1", nil, &audits)
	app, principal := "/applications/"+e.Tenant.ApplicationID, "/servicePrincipals/"+e.Tenant.ServicePrincipalID
	for _, c := range []struct{ path, want string }{
		{"/roleManagement/directory/roleAssignments?$expand=principal",
			`"userPrincipalName":"` + mei.UserPrincipalName},
		{"/roleManagement/directory/roleAssignments?$expand=roleDefinition($select=displayName)",
			"Global Reader"},
		{"/directoryRoles?$expand=members($select=displayName)",
			"Mei Tanaka"},
		{"/directoryRoles(roleTemplateId='" + reader + "')",
			"Global Reader"},
		{"/directoryRoles(roleTemplateId='" + reader + "')/members",
			"Mei Tanaka"},
		{"/auditLogs/directoryAudits/" + audits.Value[0]["id"].(string),
			"activityDisplayName"},
		{app + "?$select=passwordCredentials,requiredResourceAccess,tags",
			`"requiredResourceAccess":[]`},
		{app + "?$select=tokenEncryptionKeyId,createdDateTime",
			`"tokenEncryptionKeyId":null`},
		{principal + "?$select=appDisplayName",
			"AWS IAM Identity Center"},
		{principal + "?$select=oauth2PermissionScopes,notes",
			`"oauth2PermissionScopes":[]`},
		{"/organization?$select=tenantType",
			`"tenantType":null`},
		{"/users/" + mei.ID + "/memberOf/$ref",
			"/directoryObjects/"},
		{"/users/" + mei.ID + "/manager/$ref",
			"/directoryObjects/"},
		{"/applications/delta?$filter=id+eq+'" + e.Tenant.ApplicationID + "'",
			e.Tenant.ApplicationID},
	} {
		var answer map[string]any
		e.Change(http.MethodGet, c.path, nil, &answer)
		data, err := json.Marshal(answer)
		if err != nil || !strings.Contains(string(data), c.want) {
			t.Errorf("%s: %s, %v", c.path, data, err)
		}
	}
	err := e.Client.Do(t.Context(), http.MethodPost, "/directoryRoles", map[string]any{"roleTemplateId": reader}, nil)
	if err == nil || !strings.Contains(err.Error(), "conflicting object") {
		t.Errorf("a role that is active: %v", err)
	}
	_, code := refusalOf(e, http.MethodGet, "/auditLogs/directoryAudits/unknown")
	if code != "Request_ResourceNotFound" {
		t.Errorf("an entry that is not there: %s", code)
	}
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(data)
}
