package graphserver

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// resource is a type of resource as queries see it.
type resource struct {
	graph.Schema
	relations []string // that can be expanded
	// directory says that it is an object of the directory, whose queries have rules of their own.
	// Source: "Advanced query capabilities on Microsoft Entra ID objects".
	directory bool
	// filters has for each property the operators that it can be filtered by; nil: all, by any but
	// contains. Each is a letter: e for eq and any, g for ge and gt, l for le and lt, i for in,
	// s for startsWith and 0 for null. A capital one asks for an advanced query.
	filters map[string]string
	skips   bool // $skip is known
}

// wire is the type of a resource that has a struct of its own.
func wire[T any](name string, relations ...string) resource {
	properties := graph.PropertiesOf(reflect.TypeFor[T]())
	return resource{Schema: graph.Schema{Type: name, Properties: properties}, relations: relations}
}

// ofDirectory makes it one of the directory.
func (t resource) ofDirectory() *resource { t.directory = true; return &t }

// kinds are GUIDs among texts: properties that hold ids of other objects.
func (t resource) withGUIDs(names ...string) resource {
	for _, name := range names {
		t.Properties[name] = graph.Property{Kind: graph.GUID}
	}
	return t
}

// The types are made when a query first asks for one.
var (
	userType  = sync.OnceValue(newUserType)
	groupType = sync.OnceValue(newGroupType)

	objectType = sync.OnceValue(func() *resource {
		all := maps.Clone(userType().Properties)
		maps.Copy(all, groupType().Properties)
		return &resource{Schema: graph.Schema{Type: "directoryObject", Properties: all}, directory: true}
	})
	applicationType = sync.OnceValue(func() *resource {
		return wire[graph.Application]("application", "owners", "tokenIssuancePolicies").ofDirectory().withUnkept()
	})
	principalType = sync.OnceValue(func() *resource {
		return wire[graph.ServicePrincipal]("servicePrincipal", "appRoleAssignedTo", "appRoleAssignments",
			"claimsMappingPolicies", "memberOf", "owners").ofDirectory().withUnkept()
	})
	assignmentType = sync.OnceValue(func() *resource {
		return wire[graph.AppRoleAssignment]("appRoleAssignment").
			withGUIDs("appRoleId", "principalId", "resourceId").ofDirectory()
	})
	templateType = sync.OnceValue(func() *resource {
		t := wire[graph.ApplicationTemplate]("applicationTemplate")
		t.skips = true
		return &t
	})
	jobType = sync.OnceValue(func() *resource {
		t := wire[graph.SynchronizationJob]("synchronizationJob")
		return &t
	})
	policyType       = ofSample("stsPolicy", policyObject(tenant.Policy{}))
	organizationType = sync.OnceValue(func() *resource {
		return ofSample("organization", organizationObject(tenant.Organization{}))().withUnkept()
	})
	syncTemplateType = ofSample("synchronizationTemplate", syncTemplateObject(tenant.Template{}))
	signInType       = ofSample("signIn", signInObject(tenant.SignIn{}))
	auditType        = ofSample("directoryAudit", auditSample())
	logType          = sync.OnceValue(func() *resource {
		t := wire[graph.ProvisioningObjectSummary]("provisioningObjectSummary")
		return &t
	})
)

// ofSample is the type of a resource that is made as an object: with what a sample of it has.
func ofSample(name string, sample object) func() *resource {
	return sync.OnceValue(func() *resource {
		return &resource{Schema: graph.Schema{Type: name, Properties: propertiesOf(sample)}}
	})
}

func propertiesOf(sample object) graph.Properties {
	out := graph.Properties{}
	for name, value := range sample {
		p := graph.Property{Kind: graph.Text}
		switch v := value.(type) {
		case bool:
			p.Kind = graph.Truth
		case float64:
			p.Kind = graph.Number
		case object:
			p.Kind, p.Of = graph.Complex, propertiesOf(v)
		case []object:
			p.Kind, p.Many = graph.Complex, true
			if len(v) > 0 {
				p.Of = propertiesOf(v[0])
			}
		case []string:
			p.Many = true
		}
		if strings.HasSuffix(name, "DateTime") {
			p.Kind = graph.Moment
		}
		out[name] = p
	}
	return out
}

// unkept are properties of people and groups that Graph has and this tenant has not: nobody has a
// value of one. An asterisk marks a collection. Source: user and group resource types.
var unkept = sync.OnceValue(func() graph.Properties {
	out := graph.Properties{}
	for kind, list := range map[graph.Kind]string{
		graph.Text: `aboutMe ageGroup classification consentProvidedForMinor creationType employeeType
			externalUserState faxNumber imAddresses* infoCatalogs* interests* legalAgeGroupClassification
			membershipRule membershipRuleProcessingState mySite onPremisesDistinguishedName onPremisesDomainName
			onPremisesImmutableId onPremisesNetBiosName onPremisesSamAccountName onPremisesSecurityIdentifier
			onPremisesUserPrincipalName otherMails* passwordPolicies pastProjects* preferredDataLocation
			preferredName proxyAddresses* resourceBehaviorOptions* resourceProvisioningOptions* responsibilities*
			schools* securityIdentifier skills* theme uniqueName`,
		graph.Truth: `isAssignableToRole isManagementRestricted isResourceAccount onPremisesSyncEnabled
			showInAddressList`,
		graph.Moment: `birthday deletedDateTime employeeHireDate employeeLeaveDateTime expirationDateTime
			externalUserStateChangeDateTime hireDate lastPasswordChangeDateTime onPremisesLastSyncDateTime
			refreshTokensValidFromDateTime renewedDateTime`,
	} {
		for _, name := range strings.Fields(list) {
			name, many := strings.CutSuffix(name, "*")
			out[name] = graph.Property{Kind: kind, Many: many}
		}
	}
	parts := func(many bool, kind graph.Kind, names ...string) graph.Property {
		of := graph.Properties{}
		for _, name := range names {
			of[name] = graph.Property{Kind: kind}
		}
		return graph.Property{Kind: graph.Complex, Many: many, Of: of}
	}
	out["assignedLabels"] = parts(true, graph.Text, "labelId", "displayName")
	out["assignedLicenses"] = parts(true, graph.GUID, "skuId")
	out["assignedPlans"] = parts(true, graph.GUID, "servicePlanId")
	out["authorizationInfo"] = parts(false, graph.Text)
	out["customSecurityAttributes"] = parts(false, graph.Text)
	out["employeeOrgData"] = parts(false, graph.Text, "costCenter", "division")
	out["identities"] = parts(true, graph.Text, "issuer", "issuerAssignedId", "signInType")
	out["licenseAssignmentStates"] = parts(true, graph.Text)
	out["licenseProcessingState"] = parts(false, graph.Text)
	out["onPremisesProvisioningErrors"] = parts(true, graph.Text, "category")
	out["passwordProfile"] = parts(false, graph.Truth, "forceChangePasswordNextSignIn")
	out["provisionedPlans"] = parts(true, graph.Text)
	out["serviceProvisioningErrors"] = parts(true, graph.Text)
	out["signInActivity"] = parts(false, graph.Moment, "lastSignInDateTime", "lastNonInteractiveSignInDateTime")
	return out
})

// newUserType has the operators of "Support for filter by properties of directory objects" and of
// the user resource type.
func newUserType() *resource {
	properties := propertiesOf(userObject(tenant.User{}))
	for name, p := range unkept() {
		if _, kept := properties[name]; !kept {
			properties[name] = p
		}
	}
	filters := map[string]string{"accountEnabled": "eGLi", "ageGroup": "ei", "assignedLicenses": "e",
		"assignedPlans": "e", "businessPhones": "egls", "consentProvidedForMinor": "ei", "createdDateTime": "eglI",
		"creationType": "ei", "deletedDateTime": "eglI", "employeeType": "EGLIS", "externalUserState": "ei",
		"id": "ei", "identities": "e", "imAddresses": "egls", "isResourceAccount": "e",
		"onPremisesExtensionAttributes": "EGLI0", "onPremisesSamAccountName": "EGLIS", "onPremisesSyncEnabled": "eGLi0",
		"onPremisesSecurityIdentifier": "ei0", "onPremisesLastSyncDateTime": "EGLI", "passwordPolicies": "E0",
		"proxyAddresses": "egls", "showInAddressList": "EGLI", "signInActivity": "egl", "userType": "ei0"}
	for _, name := range strings.Fields(`city country department displayName employeeId givenName jobTitle mail
		mailNickname onPremisesUserPrincipalName otherMails state surname usageLocation userPrincipalName`) {
		filters[name] = "eglis0"
	}
	for _, name := range strings.Fields(`companyName employeeHireDate mobilePhone officeLocation onPremisesImmutableId
		postalCode preferredLanguage streetAddress`) {
		filters[name] = "EGLIS0"
	}
	return &resource{
		Schema:    graph.Schema{Type: "user", Properties: properties},
		relations: []string{"appRoleAssignments", "directReports", "manager", "memberOf", "transitiveMemberOf"},
		directory: true,
		filters:   filters,
	}
}

func newGroupType() *resource {
	properties := propertiesOf(groupObject(tenant.Group{}))
	for name, p := range unkept() {
		if _, kept := properties[name]; !kept {
			properties[name] = p
		}
	}
	return &resource{
		Schema: graph.Schema{Type: "group", Properties: properties},
		relations: []string{"appRoleAssignments", "memberOf", "members", "owners", "transitiveMemberOf",
			"transitiveMembers"},
		directory: true,
	}
}

// sortable are the properties of objects of the directory that can be put in order, with whether
// that asks for an advanced query. Source: "Support for sorting by properties".
func (t *resource) sortable(name string) (known, advanced bool) {
	switch {
	case !t.directory:
		p, ok := t.Properties[name]
		return ok && !p.Many && p.Kind != graph.Complex, false
	case t.Type == "appRoleAssignment":
		return slices.Contains([]string{"createdDateTime", "principalDisplayName"}, name), false
	case name == "createdDateTime", name == "deletedDateTime":
		return true, true
	case name == "displayName":
		return true, t.Type != "user" && t.Type != "group"
	}
	return name == "userPrincipalName" && t.Type == "user", false
}

// Name is how the directory's errors call the type, such as User.
func (t *resource) errorName() string { return strings.ToUpper(t.Type[:1]) + t.Type[1:] }
