package graph

import "strings"

// ClaimsPolicy is a claims mapping policy. Source: claimsMappingPolicy resource type.
type ClaimsPolicy struct {
	ID          string   `json:"id"`
	DisplayName string   `json:"displayName"`
	Definition  []string `json:"definition"` // one text of JSON
}

// SubscribedSKU is what a tenant is subscribed to. Source: subscribedSku resource type.
type SubscribedSKU struct {
	SKUPartNumber    string        `json:"skuPartNumber"`
	CapabilityStatus string        `json:"capabilityStatus"` // Enabled, Warning, Suspended, Deleted or LockedOut
	ServicePlans     []ServicePlan `json:"servicePlans"`
}

// ServicePlan is a part of a subscription.
type ServicePlan struct {
	ServicePlanName string `json:"servicePlanName"`
}

// Premium says whether it has Entra ID P1 or P2. Source: "Product names and service plan
// identifiers for licensing".
func (s SubscribedSKU) Premium() bool {
	premium := strings.HasPrefix(s.SKUPartNumber, "AAD_PREMIUM")
	for _, plan := range s.ServicePlans {
		premium = premium || strings.HasPrefix(plan.ServicePlanName, "AAD_PREMIUM")
	}
	return premium && (s.CapabilityStatus == "Enabled" || s.CapabilityStatus == "Warning")
}

// SignIn is an entry of the sign-in log. Source: signIn resource type.
type SignIn struct {
	ID                string       `json:"id"`
	CreatedDateTime   string       `json:"createdDateTime"`
	UserPrincipalName string       `json:"userPrincipalName"`
	AppID             string       `json:"appId"`
	AppDisplayName    string       `json:"appDisplayName"`
	Status            SignInStatus `json:"status"`
}

// SignInStatus is how a sign-in ended: error code 0 is success.
type SignInStatus struct {
	ErrorCode     int    `json:"errorCode"`
	FailureReason string `json:"failureReason"`
}
