package adminapi

import (
	"context"
	"time"
)

// HeldAccessInput asks by which ways users have permission sets: in an account, or of a user.
type HeldAccessInput struct {
	AccountID string `json:"AccountId,omitempty"`
	UserID    string `json:"UserId,omitempty"`
	// Administrative is only what can administer the account, or may: see Reach.
	Administrative bool   `json:",omitempty"`
	NextToken      string `json:",omitempty"`
}

// Reaches of a permission set.
const (
	ReachAdministers = "ADMINISTERS" // it allows everything, or to give oneself everything
	ReachUnread      = "UNREAD"      // it has customer managed policies, which are in the account only
)

// HeldAccess is one way by which a user has a permission set in an account.
type HeldAccess struct {
	UserID           string `json:"UserId"`
	UserName         string
	UserStatus       string // ENABLED or DISABLED
	AccountID        string `json:"AccountId"`
	AccountName      string
	PermissionSet    string
	PermissionSetARN string   `json:"PermissionSetArn"`
	Reach            string   `json:",omitempty"` // empty: nothing administrative is known of it
	Why              string   `json:",omitempty"` // the reach
	Way              string   // USER or GROUP
	GroupID          string   `json:"GroupId,omitempty"`
	GroupName        string   `json:",omitempty"`
	Rules            []string `json:",omitempty"` // ids of the assignment rules that want the assignment
	ByHand           bool     // somebody made the assignment, also where rules want it
	// LastUsed is when the user has opened the role last, by whatever way; nil: not since this is
	// noted.
	LastUsed *time.Time `json:",omitempty"`
	// Request is the ID of the request for access that made the assignment, and Until when that
	// ends.
	Request string     `json:",omitempty"`
	Until   *time.Time `json:",omitempty"`
}

// HeldAccessPage is a page of ways.
type HeldAccessPage struct {
	Ways      []HeldAccess
	Total     int
	NextToken string `json:",omitempty"`
}

// ListHeldAccess returns all pages of ways, up to most.
func (c *Client) ListHeldAccess(
	ctx context.Context, in HeldAccessInput, most int,
) (all []HeldAccess, total int, err error) {
	for {
		page, err := call[HeldAccessPage](ctx, c, "ListHeldAccess", in)
		if err != nil {
			return nil, 0, err
		}
		all, total = append(all, page.Ways...), page.Total
		if in.NextToken = page.NextToken; in.NextToken == "" || len(all) >= most {
			return all[:min(len(all), most)], total, nil
		}
	}
}
