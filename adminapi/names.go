package adminapi

import (
	"context"
	"strings"
)

// Kinds of what has a name.
const (
	NamesOfUsers          = "USER"
	NamesOfGroups         = "GROUP"
	NamesOfAccounts       = "ACCOUNT"
	NamesOfPermissionSets = "PERMISSION_SET"
	NamesOfApplications   = "APPLICATION"
	NamesOfAccessKeys     = "ACCESS_KEY"
	NamesOfPolicies       = "POLICY" // of requests for access
	NamesOfReviews        = "REVIEW" // of access

	// KindsOfNames says which there are.
	KindsOfNames = "use USER, GROUP, ACCOUNT, PERMISSION_SET, APPLICATION, ACCESS_KEY, POLICY or REVIEW"
)

// NamesInput selects names.
type NamesInput struct {
	Kind   string
	Prefix string // of the name or the id, ignoring letter case; empty: any
}

// Name is what one of a kind is called.
type Name struct {
	ID   string `json:"Id"` // or the ARN
	Name string
}

// Names are up to 100 of one kind.
type Names struct{ Names []Name }

// ListNames lists names that begin with a text, for somebody who types one.
func (c *Client) ListNames(ctx context.Context, kind, prefix string) ([]Name, error) {
	out, err := call[Names](ctx, c, "ListNames", NamesInput{Kind: kind, Prefix: prefix})
	return out.Names, err
}

// Begins says whether a text begins with another one, ignoring letter case.
func Begins(text, with string) bool {
	return len(text) >= len(with) && strings.EqualFold(text[:len(with)], with)
}

// IsAccountID says whether a text is the id of an AWS account, rather than its name.
func IsAccountID(text string) bool {
	return len(text) == 12 && strings.Trim(text, "0123456789") == ""
}
