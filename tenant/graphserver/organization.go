package graphserver

import (
	"context"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// organizationCalls are the calls on the tenant as a whole: what it is subscribed to, its domains,
// and what is demanded of people who sign in.
func (h *Handler) organizationCalls() []route {
	const defaults = "/policies/identitySecurityDefaultsEnforcementPolicy"
	return []route{
		{"GET /subscribedSkus", toReadTheOrganization, ofList, h.listSKUs},
		{"GET /domains", toReadDomains, ofList, h.listDomains},
		{"GET /domains/{id}", toReadDomains, ofOne, h.getDomain},
		{"GET " + defaults, toReadPolicies, ofOne, h.getSecurityDefaults},
		{"PATCH " + defaults, toChangeSecurityDefaults, noOptions, h.updateSecurityDefaults},
	}
}

var (
	toReadDomains            = ofMembers("Domain.Read.All", "Directory.Read.All", "Directory.ReadWrite.All")
	toChangeSecurityDefaults = ofAdministrators("Policy.ReadWrite.SecurityDefaults")
)

var (
	skuType              = ofSample("subscribedSku", skuObject(tenant.Organization{}))
	domainType           = ofSample("domain", domainObject(""))
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
