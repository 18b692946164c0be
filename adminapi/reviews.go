package adminapi

import (
	"context"
	"time"
)

// AccessOwner reviews who has a permission set, or what people have in an account.
type AccessOwner struct {
	PermissionSetARN string `json:"PermissionSetArn,omitempty"` // or its name
	AccountID        string `json:"AccountId,omitempty"`
	OwnerType        string // USER or GROUP
	OwnerID          string `json:"OwnerId"` // or its name

	// These are empty for what is deleted, and in what is asked for.
	PermissionSetName string `json:",omitempty"`
	AccountName       string `json:",omitempty"`
	OwnerName         string `json:",omitempty"`
}

// AccessOwners is the answer of ListAccessOwners.
type AccessOwners struct{ Owners []AccessOwner }

// AccessReview has owners confirm or remove, by a date, what people had when it began.
type AccessReview struct {
	ReviewID         string `json:"ReviewId,omitempty"`
	Name             string
	PermissionSetARN string `json:"PermissionSetArn,omitempty"` // or its name; empty: any
	AccountID        string `json:"AccountId,omitempty"`
	Administrative   bool   `json:",omitempty"` // only permission sets that administer an account, or may
	EndUnconfirmed   bool   // what nobody confirms ends
	Deadline         time.Time
	RestoreDays      int          `json:",omitempty"`
	State            string       `json:",omitempty"` // OPEN, CLOSING or CLOSED
	CreatedAt        time.Time    `json:",omitzero"`
	CreatedBy        string       `json:",omitempty"`
	ClosedAt         time.Time    `json:",omitzero"`
	ClosedBy         string       `json:",omitempty"`
	Waiting          int          `json:",omitempty"` // lines that wait for the person who asks
	Lines            []ReviewLine `json:",omitempty"` // those of the person who asks
}

// AccessReviews is a list of reviews, newest first.
type AccessReviews struct{ Reviews []AccessReview }

// ReviewLine is one way by which somebody has access.
type ReviewLine struct {
	Line             string
	PermissionSet    string
	PermissionSetARN string `json:"PermissionSetArn"`
	AccountID        string `json:"AccountId,omitempty"` // empty: all that a rule matches
	AccountName      string `json:",omitempty"`
	PrincipalType    string
	PrincipalID      string `json:"PrincipalId"`
	PrincipalName    string
	Way              string // USER, GROUP, RULE or REQUEST
	Members          int    `json:",omitempty"`
	Disabled         bool   `json:",omitempty"`
	// Until is when a window ends by itself.
	Until      time.Time `json:",omitzero"`
	LastUsed   time.Time `json:",omitzero"`
	LastUsedBy string    `json:",omitempty"`
	Owner      string    `json:",omitempty"`
	State      string    // OPEN, CONFIRMED, REMOVED, ENDED, KEPT, GONE or RESTORED
	DecidedBy  string    `json:",omitempty"`
	DecidedAt  time.Time `json:",omitzero"`
	Comment    string    `json:",omitempty"`
	Removing   string    // what removing it does
	Cells      []string  // of the export
}

// ReviewLines is a page of lines; the next one is after the last of these.
type ReviewLines struct {
	Columns []string // of the export
	Lines   []ReviewLine
}

// ReviewInput names a review, and selects lines of it.
type ReviewInput struct {
	ReviewID string `json:"ReviewId,omitempty"`
	State    string `json:",omitempty"`
	After    string `json:",omitempty"` // only lines after this one
	Keep     bool   `json:",omitempty"` // of CloseAccessReview: what nobody has confirmed stays
}

// DecideReviewInput says something of lines of a review.
type DecideReviewInput struct {
	ReviewID string `json:"ReviewId"`
	Verdict  string // CONFIRM, REMOVE or RESTORE
	Lines    []string
	Comment  string `json:",omitempty"`
}

// AccessOwners lists the owners.
func (c *Client) AccessOwners(ctx context.Context) ([]AccessOwner, error) {
	out, err := call[AccessOwners](ctx, c, "ListAccessOwners", None{})
	return out.Owners, err
}

// PutAccessOwner says who reviews something.
func (c *Client) PutAccessOwner(ctx context.Context, o AccessOwner) error {
	return c.Call(ctx, "PutAccessOwner", o, nil)
}

// DeleteAccessOwner leaves the review of something to administrators.
func (c *Client) DeleteAccessOwner(ctx context.Context, o AccessOwner) error {
	return c.Call(ctx, "DeleteAccessOwner", o, nil)
}

// StartAccessReview begins a review.
func (c *Client) StartAccessReview(ctx context.Context, v AccessReview) (AccessReview, error) {
	return call[AccessReview](ctx, c, "StartAccessReview", v)
}

// AccessReviews lists reviews, newest first.
func (c *Client) AccessReviews(ctx context.Context) ([]AccessReview, error) {
	out, err := call[AccessReviews](ctx, c, "ListAccessReviews", None{})
	return out.Reviews, err
}

// ReviewLines lists lines of a review, at most 200.
func (c *Client) ReviewLines(ctx context.Context, in ReviewInput) (ReviewLines, error) {
	return call[ReviewLines](ctx, c, "ListReviewLines", in)
}

// DecideReview confirms, removes or restores lines of a review.
func (c *Client) DecideReview(ctx context.Context, in DecideReviewInput) (ReviewLines, error) {
	return call[ReviewLines](ctx, c, "DecideReview", in)
}

// CloseAccessReview brings the deadline of a review to now.
func (c *Client) CloseAccessReview(ctx context.Context, id string, keep bool) (AccessReview, error) {
	return call[AccessReview](ctx, c, "CloseAccessReview", ReviewInput{ReviewID: id, Keep: keep})
}
