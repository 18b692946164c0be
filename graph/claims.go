package graph

import (
	"encoding/json"
	"strings"
)

// CustomClaims is the policy behind the portal's Attributes & Claims. Source: customClaimsPolicy
// resource type (beta).
type CustomClaims struct {
	Claims []struct {
		Type           string `json:"@odata.type"`
		NameIDFormat   string `json:"nameIdFormat,omitempty"`
		Configurations []struct {
			Condition json.RawMessage `json:"condition,omitempty"` // null: for everybody
			Attribute struct {
				ID    string `json:"id,omitempty"`
				Value string `json:"value,omitempty"`
			} `json:"attribute"`
			Transformations []struct {
				Type string `json:"@odata.type"`
			} `json:"transformations,omitempty"`
		} `json:"configurations"`
	} `json:"claims"`
}

// TypeOfNameID is the claim that is the NameID.
const TypeOfNameID = "#microsoft.graph.samlNameIdClaim"

// Beta is the same Graph in its beta version, which alone has some of the facts.
func (c *Client) Beta() *Client {
	base := strings.TrimSuffix(strings.TrimRight(c.BaseURL, "/"), "/v1.0") + "/beta"
	return &Client{BaseURL: base, HTTP: c.HTTP}
}
