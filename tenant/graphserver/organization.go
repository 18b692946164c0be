package graphserver

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// organizationCalls are the calls on the tenant as a whole: what it is subscribed to, its domains,
// what people have allowed programs, and what is demanded of people who sign in.
func (h *Handler) organizationCalls() []route {
	const defaults = "/policies/identitySecurityDefaultsEnforcementPolicy"
	return []route{
		{"GET /subscribedSkus", toReadTheOrganization, ofList, h.listSKUs},
		{"GET /domains", toReadDomains, ofList, h.listDomains},
		{"GET /domains/{id}", toReadDomains, ofOne, h.getDomain},
		{"GET /oauth2PermissionGrants", toReadGrants, ofList, h.listPermissionGrants},
		{"GET /oauth2PermissionGrants/{id}", toReadGrants, ofOne, h.getPermissionGrant},
		{"GET " + defaults, toReadPolicies, ofOne, h.getSecurityDefaults},
		{"PATCH " + defaults, toChangeSecurityDefaults, noOptions, h.updateSecurityDefaults},
	}
}

var (
	toReadDomains = ofMembers("Domain.Read.All", "Directory.Read.All", "Directory.ReadWrite.All")
	toReadGrants  = ofAdministrators("Directory.Read.All", "Directory.ReadWrite.All").
			orOf(append(applicationRoles, tenant.GlobalReader)...)
	toChangeSecurityDefaults = ofAdministrators("Policy.ReadWrite.SecurityDefaults")
)

var (
	skuType              = ofSample("subscribedSku", skuObject(tenant.Organization{}))
	domainType           = ofSample("domain", domainObject(""))
	permissionGrantType  = ofSample("oAuth2PermissionGrant", permissionGrantObject("", tenant.Grant{}))
	securityDefaultsType = ofSample("identitySecurityDefaultsEnforcementPolicy",
		securityDefaultsObject(tenant.SecurityDefaults{}))
)

// skuObject is what the tenant counts as subscribed to: groups can be assigned, and logs are kept
// for thirty days. Source: "Product names and service plan identifiers for licensing".
func skuObject(o tenant.Organization) object {
	const premium = "84a661c4-e949-4bd2-a560-ed7766fcaf2b"
	return object{
		"id": o.ID + "_" + premium, "skuId": premium, "skuPartNumber": "AAD_PREMIUM_P2", "accountId": o.ID,
		"accountName": o.DisplayName, "appliesTo": "User", "capabilityStatus": "Enabled", "consumedUnits": 0.0,
		"subscriptionIds": []string{}, "servicePlans": []object{},
		"prepaidUnits": object{"enabled": 1000.0, "suspended": 0.0, "warning": 0.0, "lockedOut": 0.0},
	}
}

func (h *Handler) listSKUs(_ context.Context, r request) (int, any, error) {
	return h.answerList(r, skuType(), []object{skuObject(h.Tenant.Organization)})
}

func domainObject(name string) object {
	return object{
		"id": name, "authenticationType": "Managed", "isAdminManaged": true, "isDefault": true, "isInitial": true,
		"isRoot": true, "isVerified": true, "supportedServices": []string{}, "availabilityStatus": nil,
		"passwordNotificationWindowInDays": nil, "passwordValidityPeriodInDays": nil, "state": nil,
	}
}

func (h *Handler) listDomains(_ context.Context, r request) (int, any, error) {
	return h.answerList(r, domainType(), []object{domainObject(h.Tenant.Organization.Domain)})
}

func (h *Handler) getDomain(_ context.Context, r request) (int, any, error) {
	if !strings.EqualFold(r.PathValue("id"), h.Tenant.Organization.Domain) {
		return 0, nil, notThere(r.PathValue("id"))
	}
	return one(h, r, domainType(), domainObject(h.Tenant.Organization.Domain))
}

// permissionGrantObject is what somebody has allowed a program. The resource is Graph, which has no
// service principal here: its application id stands for it.
func permissionGrantObject(id string, g tenant.Grant) object {
	return object{
		"id": id, "clientId": string(g.ClientID), "consentType": "Principal", "principalId": string(g.Account.ID),
		"resourceId": "00000003-0000-0000-c000-000000000000", "scope": strings.Join(g.Scopes, " "),
	}
}

const (
	grantsRead  = 500    //bound:none how many are read at a time
	maxFamilies = 20_000 //bound:rows grants of people that a list of Graph looks at
)

// permissionGrants are what people have allowed programs, once for each person and program.
func (h *Handler) permissionGrants(ctx context.Context) (all []object, err error) {
	at, after := map[string]int{}, ""
	for read := 0; read < maxFamilies; {
		families, err := h.Tenant.Families(ctx, after, grantsRead)
		if err != nil {
			return nil, err
		}
		for _, g := range families {
			after = g.Digest
			if g.Account.ID.IsAdministrator() { // they are not in the directory
				continue
			}
			id := string(g.ClientID) + "." + string(g.Account.ID)
			i, known := at[id]
			if !known {
				at[id], all = len(all), append(all, permissionGrantObject(id, g))
				continue
			}
			scopes := strings.Fields(all[i]["scope"].(string))
			for _, s := range g.Scopes {
				if !slices.Contains(scopes, s) {
					scopes = append(scopes, s)
				}
			}
			all[i]["scope"] = strings.Join(scopes, " ")
		}
		if read += len(families); len(families) < grantsRead {
			break
		}
	}
	return all, nil
}

func (h *Handler) listPermissionGrants(ctx context.Context, r request) (int, any, error) {
	all, err := h.permissionGrants(ctx)
	if err != nil {
		return 0, nil, err
	}
	return h.answerList(r, permissionGrantType(), all)
}

func (h *Handler) getPermissionGrant(ctx context.Context, r request) (int, any, error) {
	all, err := h.permissionGrants(ctx)
	if err != nil {
		return 0, nil, err
	}
	for _, x := range all {
		if x["id"] == r.PathValue("id") {
			return one(h, r, permissionGrantType(), x)
		}
	}
	return 0, nil, notThere(r.PathValue("id"))
}

func securityDefaultsObject(d tenant.SecurityDefaults) object {
	return object{
		"id": "00000000-0000-0000-0000-000000000005", "displayName": "Security Defaults",
		"description": "Security defaults is a set of basic identity security mechanisms.",
		"isEnabled":   d.Factor == tenant.DemandEverybody,
	}
}

func (h *Handler) getSecurityDefaults(ctx context.Context, r request) (int, any, error) {
	d, err := h.Tenant.SecurityDefaults(ctx)
	if err != nil {
		return 0, nil, err
	}
	return one(h, r, securityDefaultsType(), securityDefaultsObject(d))
}

func (h *Handler) updateSecurityDefaults(ctx context.Context, r request) (int, any, error) {
	var in struct {
		IsEnabled givenBool `json:"isEnabled"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	var enabled bool
	if err := in.IsEnabled.into("isEnabled", &enabled); err != nil {
		return 0, nil, err
	}
	if !in.IsEnabled.sent {
		return http.StatusNoContent, nil, nil
	}
	d := tenant.SecurityDefaults{}
	if enabled {
		d.Factor = tenant.DemandEverybody
	}
	return http.StatusNoContent, nil, h.Tenant.SetSecurityDefaults(ctx, r.by, d)
}
