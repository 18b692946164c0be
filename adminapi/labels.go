package adminapi

import (
	"context"
)

// AccountPlace is in one account, in those of an organizational unit or of the root, or in those
// with a tag: exactly one of the three is set.
type AccountPlace struct {
	AccountID string `json:"AccountId,omitempty"` // or its name, where it is sent
	Unit      string `json:"OrganizationalUnitId,omitempty"`
	Tag       *Tag   `json:",omitzero"`
}

// AccountLabel says what the accounts of a place are for.
type AccountLabel struct {
	AccountPlace
	Environment string
	// Color is one of those of AWS's console: pink, purple, darkBlue, lightBlue, teal, green,
	// yellow, orange, red; empty: none.
	Color string `json:",omitempty"`
}

// AccountLabels is the answer of ListAccountLabels.
type AccountLabels struct{ Labels []AccountLabel }

// OwnAccounts is what people are told of the accounts in which they have roles, where these have a
// label: of each the Id, the Name, the Status and the label.
type OwnAccounts struct{ Accounts []Account }

// AccountLabels lists all labels.
func (c *Client) AccountLabels(ctx context.Context) ([]AccountLabel, error) {
	out, err := call[AccountLabels](ctx, c, "ListAccountLabels", None{})
	return out.Labels, err
}

// PutAccountLabel labels the accounts of a place, in place of the label that it has.
func (c *Client) PutAccountLabel(ctx context.Context, l AccountLabel) error {
	return c.Call(ctx, "PutAccountLabel", l, nil)
}

// DeleteAccountLabel takes a place's label away.
func (c *Client) DeleteAccountLabel(ctx context.Context, at AccountPlace) error {
	return c.Call(ctx, "DeleteAccountLabel", at, nil)
}
