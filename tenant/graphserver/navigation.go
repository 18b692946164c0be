package graphserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// emptyRelations are relations of Graph's types that lead to what a tenant here has none of, so
// that they are empty. Source: the navigation properties of the v1.0 metadata.
var emptyRelations = map[string][]string{
	"users": {
		"agreementAcceptances", "createdObjects", "extensions", "licenseDetails", "ownedDevices", "permissionGrants",
		"registeredDevices", "scopedRoleMemberOf", "sponsors",
	},
	"groups": {
		"extensions", "groupLifecyclePolicies", "membersWithLicenseErrors", "permissionGrants", "settings",
	},
	"applications": {
		"appManagementPolicies", "extensionProperties", "federatedIdentityCredentials", "homeRealmDiscoveryPolicies",
		"tokenLifetimePolicies",
	},
	"servicePrincipals": {
		"appManagementPolicies", "createdObjects", "delegatedPermissionClassifications", "endpoints",
		"federatedIdentityCredentials", "homeRealmDiscoveryPolicies", "tokenLifetimePolicies",
	},
	"directoryRoles": {"scopedMembers"},
	"organization":   {"certificateBasedAuthConfiguration", "extensions"},
}

// notServed are names that stand behind an object of Graph's, and that a tenant here does not have:
// mail and files, devices, credentials of programs, and what only the real service does. Source:
// the navigation properties, actions and functions of the v1.0 metadata.
var notServed = map[string][]string{
	"users": {
		"activities", "adhocCalls", "assignLicense", "authentication", "calendar", "calendarGroups", "calendarView",
		"calendars", "changePassword", "chats", "cloudClipboard", "cloudPCs", "contactFolders", "contacts",
		"dataSecurityAndGovernance", "deviceManagementTroubleshootingEvents", "drive", "drives", "employeeExperience",
		"events", "exportDeviceAndAppManagementData", "exportPersonalData", "findMeetingTimes", "followedSites",
		"getMailTips", "getManagedAppDiagnosticStatuses", "getManagedAppPolicies", "getManagedDevicesWithAppFailures",
		"inferenceClassification", "insights", "joinedTeams", "mailFolders",
		"managedAppRegistrations", "managedDevices", "messages", "onPremisesSyncBehavior", "onenote",
		"onlineMeetings", "outlook", "people", "planner", "presence", "reminderView",
		"removeAllDevicesFromManagement", "reprocessLicenseAssignment", "retryServiceProvisioning", "sendMail",
		"settings", "solutions", "teamwork", "todo", "transitiveReports", "translateExchangeIds", "mailboxSettings",
		"wipeManagedAppRegistrationsByDeviceTag", "invitedBy",
	},
	"groups": {
		"acceptedSenders", "addFavorite", "assignLicense", "calendar", "calendarView", "checkGrantedPermissionsForApp",
		"conversations", "createdOnBehalfOf", "drive", "drives", "events", "onPremisesSyncBehavior", "onenote",
		"planner", "rejectedSenders", "removeFavorite", "renew", "resetUnseenCount",
		"retryServiceProvisioning", "sites", "subscribeByMail", "team", "threads", "unsubscribeByMail",
		"validateProperties",
	},
	"applications": {
		"addKey", "createdOnBehalfOf", "logo", "removeKey", "setVerifiedPublisher",
		"unsetVerifiedPublisher", "connectorGroup",
	},
	"servicePrincipals": {
		"addKey", "claimsPolicy", "remoteDesktopSecurityConfiguration", "removeKey",
	},
	"domains": {
		"domainNameReferences", "federationConfiguration", "forceDelete", "promote", "rootDomain",
		"serviceConfigurationRecords", "verificationDnsRecords", "verify",
	},
	"organization":   {"branding", "setMobileDeviceManagementAuthority"},
	"directoryRoles": {"checkMemberObjects", "getMemberObjects", "checkMemberGroups", "getMemberGroups"},
}

// collectionsNotServed are beside the objects. Source: the entity sets and singletons of the v1.0
// metadata.
var collectionsNotServed = []string{
	"$metadata", "admin", "administrativeUnits", "agreements", "appCatalogs",
	"authenticationMethodConfigurations", "authenticationMethodsPolicy", "certificateBasedAuthConfiguration", "chats",
	"communications", "compliance", "connections", "copilot", "dataPolicyOperations",
	"deviceAppManagement", "deviceManagement",
	"domainDnsRecords", "drive", "drives", "education", "employeeExperience", "external",
	"filterOperators", "functions", "groupSettingTemplates", "identity",
	"identityGovernance", "identityProtection", "identityProviders", "informationProtection", "invitations",
	"localizations", "permissionGrants", "places", "planner", "print", "privacy",
	"reports", "rolePermissions", "schemaExtensions", "scopedRoleMemberships", "search", "security",
	"servicePrincipalsWithUniqueName", "shares", "sites", "solutions", "storage", "subscriptions",
	"teams", "teamsTemplates", "teamwork", "tenantRelationships",
	"directory/attributeSets", "directory/customSecurityAttributeDefinitions",
	"directory/deviceLocalCredentials", "directory/onPremisesSynchronization",
	"directory/publicKeyInfrastructure",
	"policies/activityBasedTimeoutPolicies", "policies/adminConsentRequestPolicy", "policies/appManagementPolicies",
	"policies/authenticationFlowsPolicy", "policies/authenticationMethodsPolicy",
	"policies/authenticationStrengthPolicies", "policies/authorizationPolicy", "policies/conditionalAccessPolicies",
	"policies/crossTenantAccessPolicy", "policies/defaultAppManagementPolicy", "policies/deviceRegistrationPolicy",
	"policies/featureRolloutPolicies", "policies/homeRealmDiscoveryPolicies", "policies/permissionGrantPolicies",
	"policies/roleManagementPolicies", "policies/roleManagementPolicyAssignments", "policies/tokenLifetimePolicies",
	"roleManagement/cloudPC", "roleManagement/deviceManagement", "roleManagement/entitlementManagement",
	"roleManagement/enterpriseApps", "roleManagement/exchange",
}

// emptyCollections are collections of what a tenant here has none of. Changes of them are refused.
// Source: the answers of a tenant without any.
var emptyCollections = []string{
	"contacts", "contracts", "devices", "groupLifecyclePolicies", "groupSettings", "directory/administrativeUnits",
	"directory/deletedItems/microsoft.graph.administrativeUnit", "directory/deletedItems/microsoft.graph.device",
	"directory/federationConfigurations", "directory/subscriptions",
}

// deltasNotServed are collections whose delta the metadata has, and the real Graph refuses in these
// words. Source: the answers of a tenant, published in August 2026.
var deltasNotServed = map[string]string{
	"contracts": "Contract", "directoryRoleTemplates": "DirectoryRoleTemplate", "organization": "Organization",
	"groupSettingTemplates": "SettingTemplate", "permissionGrants": "ResourceSpecificPermissionGrant",
}

// refused answers with an error whatever is asked.
func refused(err error) call {
	return func(context.Context, request) (int, any, error) { return 0, nil, err }
}

// nothing answers with an empty list.
func (h *Handler) nothing(ctx context.Context, r request) (int, any, error) {
	return h.answerRelation(ctx, r, nil)
}

var errNoSearch = unsupported(
	"Searches against this resource are not supported. Only specific instances can be queried.",
)

// refusedReads are the addresses that the metadata has, and that no tenant answers, and the
// collections of which there is nothing.
func (h *Handler) refusedReads() (list []route) {
	for _, path := range []string{"/directoryObjects", "/directory/deletedItems"} {
		list = append(list, route{"GET " + path, toReadObjects, ofList, refused(errNoSearch)})
	}
	for name, kind := range deltasNotServed {
		err := unsupported("Differential query is not supported for entity type: " + kind)
		list = append(list, route{"GET /" + name + "/delta", anyCaller, ofDelta, refused(err)})
	}
	for _, path := range emptyCollections {
		list = append(list, route{"GET /" + path, toReadObjects, ofList, h.nothing})
	}
	return list
}

// actionsNotServed are actions that are bound to collections.
var actionsNotServed = []string{
	"getAvailableExtensionProperties", "getUserOwnedObjects", "validateProperties",
}

// rolesNotServed are what else Graph has of directory roles.
var rolesNotServed = []string{
	"resourceNamespaces", "roleAssignmentScheduleInstances", "roleAssignmentScheduleRequests",
	"roleAssignmentSchedules", "roleEligibilityScheduleInstances", "roleEligibilityScheduleRequests",
	"roleEligibilitySchedules", "transitiveRoleAssignments", "principal", "roleDefinition", "directoryScope",
	"appScope", "inheritsPermissionsFrom",
}

// navigationCalls are the relations that most programs never ask for.
func (h *Handler) navigationCalls() []route {
	list := []route{
		{"GET /organization/{id}", toReadTheOrganization, ofOne, h.getOrganization},
		{"GET /applications/$count", toReadApplications, ofCount, h.countApplications},
		{"GET /servicePrincipals/$count", toReadApplications, ofCount, h.countApplications},
		{"GET /directoryRoles/delta", toReadRoles, ofDelta, h.rolesDelta},
		{"GET /directoryObjects/delta", toReadObjects, ofDelta, h.objectsDelta},
		{"GET /applications/delta", toReadApplications, ofDelta, h.applicationsDelta},
		{"GET /servicePrincipals/delta", toReadApplications, ofDelta, h.applicationsDelta},
		{"GET /servicePrincipals/{id}/tokenIssuancePolicies", toReadApplications, ofList, h.policiesOf},
		{"GET /users/{id}/manager/$ref", toReadUsers, noOptions, h.managerRef},
		{"GET /me/manager/$ref", toReadOneself, noOptions, mine(h.managerRef)},
		{"GET /auditLogs/signIns/{id}", toReadLogs, ofOne, h.logEntry(h.signIns)},
		{"GET /auditLogs/directoryAudits/{id}", toReadLogs, ofOne, h.logEntry(h.directoryAudits)},
		{"GET /auditLogs/provisioning/{id}", toReadLogs, ofOne, h.logEntry(h.provisioningLog)},
	}
	list = append(list, h.refusedReads()...)
	for _, path := range []string{"templates", "templates/{template}", "templates/{template}/schema"} {
		call := map[string]call{"templates": h.syncTemplates, "templates/{template}": h.syncTemplate}[path]
		options := ofList
		if call == nil {
			call, options = h.templateSchema, noOptions
		}
		list = append(list, route{
			"GET /applications/{id}/synchronization/" + path, toReadSynchronization, options, call,
		})
	}
	reads := map[string]needs{
		"users": toReadUsers, "groups": toReadGroups, "applications": toReadApplications,
		"servicePrincipals": toReadApplications, "directoryRoles": toReadRoles, "organization": toReadTheOrganization,
	}
	for collection, relations := range emptyRelations {
		for _, name := range relations {
			call := h.emptyRelation(collection)
			list = append(list, route{"GET /" + collection + "/{id}/" + name, reads[collection], ofList, call})
			if collection == "users" {
				list = append(list, route{"GET /me/" + name, toReadOneself, ofList, mine(call)})
			}
		}
	}
	slices.SortFunc(list, func(a, b route) int { return strings.Compare(a.pattern, b.pattern) })
	return list
}

// logEntry is one entry of a log.
func (h *Handler) logEntry(list call) call {
	return func(ctx context.Context, r request) (int, any, error) {
		id := r.PathValue("id")
		inner := *r.Request
		address := *r.URL
		q := address.Query()
		q.Set("$filter", "id eq '"+strings.ReplaceAll(id, "'", "''")+"'")
		address.RawQuery, inner.URL = q.Encode(), &address
		status, body, err := list(ctx, request{&inner, r.by, r.caller})
		if err != nil {
			return 0, nil, err
		}
		data, err := json.Marshal(body)
		var page graph.Page[object]
		if err == nil {
			err = json.Unmarshal(data, &page)
		}
		if err == nil && len(page.Value) == 0 {
			err = notThere(id)
		}
		if err != nil {
			return 0, nil, err
		}
		return status, page.Value[0], nil
	}
}

// emptyRelation answers nothing for an object that is there.
func (h *Handler) emptyRelation(collection string) call {
	return func(ctx context.Context, r request) (int, any, error) {
		var err error
		switch collection {
		case "users":
			_, err = h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
		case "groups":
			_, err = h.Tenant.Group(ctx, tenant.GroupID(r.PathValue("id")))
		case "directoryRoles":
			_, err = r.role()
		case "organization":
			err = h.isOrganization(r)
		default:
			_, err = h.application(ctx, r)
		}
		if err != nil {
			return 0, nil, err
		}
		return h.answerList(r, objectType(), nil)
	}
}

func (h *Handler) isOrganization(r request) error {
	if id := r.PathValue("id"); !strings.EqualFold(id, h.Tenant.Organization.ID) {
		return notThere(id)
	}
	return nil
}

func (h *Handler) getOrganization(_ context.Context, r request) (int, any, error) {
	if err := h.isOrganization(r); err != nil {
		return 0, nil, err
	}
	return one(h, r, organizationType(), organizationObject(h.Tenant.Organization))
}

func (h *Handler) countApplications(ctx context.Context, r request) (int, any, error) {
	t := applicationType()
	if r.ofPrincipals() {
		t = principalType()
	}
	all, err := h.applicationObjects(ctx, r.ofPrincipals())
	if err != nil {
		return 0, nil, err
	}
	o, err := options(r, t)
	if err != nil {
		return 0, nil, err
	}
	if n := len(all); !o.narrows() {
		return answerCount(r, n)
	}
	o.count = true
	_, n, err := o.collect(func(after string, limit int) (batch []object, err error) {
		for _, x := range all {
			if x["id"].(string) > after && len(batch) < limit {
				batch = append(batch, x)
			}
		}
		return batch, nil
	})
	if err != nil {
		return 0, nil, err
	}
	return answerCount(r, n)
}

// ofPrincipals says that a path is about service principals, not applications.
func (r request) ofPrincipals() bool {
	return strings.HasPrefix(r.URL.Path, root+"/servicePrincipals/")
}

// applicationObjects are all applications, or all service principals, by their ids.
func (h *Handler) applicationObjects(ctx context.Context, principals bool) (list []object, err error) {
	all, err := h.Tenant.Applications(ctx)
	for _, a := range all {
		switch {
		case !principals:
			list = append(list, objects([]graph.Application{applicationToWire(a)})...)
		case !a.NoPrincipal:
			list = append(list, objects([]graph.ServicePrincipal{principalToWire(a)})...)
		}
	}
	slices.SortFunc(list, func(a, b object) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
	return list, err
}

// managerRef is the address of a user's manager.
func (h *Handler) managerRef(ctx context.Context, r request) (int, any, error) {
	u, err := h.Tenant.UserByIDOrName(ctx, r.PathValue("id"))
	if err != nil {
		return 0, nil, err
	}
	if u.ManagerID == "" {
		return 0, nil, notThere("manager")
	}
	return http.StatusOK, object{
		"@odata.context": h.Tenant.GraphURL() + "/$metadata#$ref",
		"@odata.id":      h.Tenant.GraphURL() + "/directoryObjects/" + string(u.ManagerID),
	}, nil
}

// elsewhere answers what no route is for: a property of an object, what a tenant here does not
// have, another method, or an address that Graph does not have either. None looks like an object
// that is missing.
func (h *Handler) elsewhere(_ context.Context, r request) (int, any, error) {
	parts := strings.Split(strings.Trim(strings.TrimPrefix(r.URL.Path, root), "/"), "/")
	if last := parts[len(parts)-1]; among(actionsNotServed, last) {
		return 0, nil, notHere(last)
	}
	name := strings.Join(parts[:min(2, len(parts))], "/")
	served := func(list []string) bool { return among(list, parts[0]) || among(list, name) }
	if served(emptyCollections) { // and nothing can be added
		return 0, nil, notHere(name)
	}
	if h.otherMethod(r.Request) {
		return 0, nil, &wireError{
			status:  http.StatusMethodNotAllowed,
			code:    "Request_BadRequest",
			message: "Specified HTTP method is not allowed for the request target.",
		}
	}
	here := parts[0]
	at := 2 // of the name behind an object
	if here == "me" {
		here, at = "users", 1
	}
	if served(collectionsNotServed) {
		return 0, nil, notHere(name)
	}
	if here == "roleManagement" && among(rolesNotServed, parts[len(parts)-1]) {
		return 0, nil, notHere(parts[len(parts)-1])
	}
	if len(parts) <= at {
		return 0, nil, noSegment(parts[len(parts)-1])
	}
	if (here == "users" || here == "groups") && (parts[at] == "photo" || parts[at] == "photos") {
		return 0, nil, errNoPhoto
	}
	if among(notServed[here], parts[at]) {
		return 0, nil, notHere(parts[at])
	}
	if r.Method == http.MethodGet && len(parts) <= at+2 && (len(parts) == at+1 || parts[at+1] == "$value") {
		if status, body, err := h.property(r, parts, at); status != 0 || err != nil {
			return status, body, err
		}
	}
	return 0, nil, noSegment(parts[len(parts)-1])
}

func among(list []string, name string) bool {
	return slices.ContainsFunc(list, func(n string) bool { return strings.EqualFold(n, name) })
}

// noSegment are Graph's words for an address that it does not have.
func noSegment(name string) error {
	return &wireError{
		status: http.StatusBadRequest, code: "BadRequest",
		message: "Resource not found for the segment '" + quotable(name) + "'.",
	}
}

// notHere refuses what Graph has and a tenant here has not. Source: "Microsoft Graph error
// responses", 501.
func notHere(name string) error {
	return &wireError{
		status: http.StatusNotImplemented, code: "notSupported",
		message: "Gatehouse does not have '" + quotable(name) + "' of Microsoft Graph.",
	}
}

// otherVersion answers Graph's other version in its words, since clients read its errors as JSON.
func (h *Handler) otherVersion(w http.ResponseWriter, r *http.Request) {
	h.fail(w, r, &wireError{
		status: http.StatusBadRequest, code: "BadRequest",
		message: "Invalid version: beta. Gatehouse has v1.0 of Microsoft Graph.",
	})
}

// errNoPhoto are Graph's words for somebody without a picture, as everybody is here.
var errNoPhoto = &wireError{
	status: http.StatusNotFound, code: "ImageNotFound",
	message: "Exception of type 'Microsoft.Fast.Profile.Core.Exception.ImageNotFoundException' was thrown.",
}

var methods = []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodPut, http.MethodDelete}

// otherMethod says whether an address is served for another method.
func (h *Handler) otherMethod(r *http.Request) bool {
	for _, method := range methods {
		if method == r.Method {
			continue
		}
		other := *r
		other.Method = method
		if _, pattern := h.mux.Handler(&other); pattern != "" && pattern != root+"/" {
			return true
		}
	}
	return false
}

// propertied are the collections of whose objects a property has an address of its own.
var propertied = map[string]func() *resource{
	"users": userType, "groups": groupType, "applications": applicationType, "servicePrincipals": principalType,
	"organization": organizationType, "directoryRoles": roleType, "me": userType,
	"domains": domainType,
}

// property is one property of an object: users/{id}/displayName, or its bare value. The object is
// asked for as its own address is, with what that needs. Source: OData 4.01 protocol, 11.2.4.
func (h *Handler) property(r request, parts []string, at int) (int, any, error) {
	of := propertied[parts[0]]
	if of == nil {
		return 0, nil, nil
	}
	name, kind, ok := of().Properties.Path(parts[at])
	if !ok || strings.Contains(name, "/") {
		return 0, nil, nil
	}
	path := root
	for _, part := range parts[:at] {
		path += "/" + url.PathEscape(part)
	}
	inner, err := http.NewRequestWithContext(r.Context(), http.MethodGet, path+"?$select="+url.QueryEscape(name), nil)
	if err != nil {
		return 0, nil, err
	}
	inner.Header = r.Header.Clone()
	inner.RemoteAddr, inner.Host = r.RemoteAddr, r.Host
	kept := web.NewKept()
	h.mux.ServeHTTP(kept, inner)
	var answer map[string]any
	if err := json.Unmarshal(kept.Body.Bytes(), &answer); err != nil {
		return 0, nil, fmt.Errorf("read an object for its property: %w", err)
	}
	value := answer[name]
	switch {
	case kept.Status != http.StatusOK:
		return kept.Status, answer, nil
	case value == nil:
		return http.StatusNoContent, nil, nil
	case len(parts) == at+2 && (kind.Many || kind.Of != nil):
		return 0, nil, badRequest("The property '" + name + "' has no value that is a text.")
	case len(parts) == at+2:
		return http.StatusOK, plain(fmt.Sprint(value)), nil
	}
	return http.StatusOK, object{
		"@odata.context": h.Tenant.GraphURL() + "/$metadata#" + strings.Join(parts[:at], "/") + "/" + name,
		"value":          value,
	}, nil
}
