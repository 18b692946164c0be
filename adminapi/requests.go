package adminapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// RequestPolicy lets the members of a group ask for a permission set for a while: in one account,
// in those of an organizational unit, or in those with a tag.
type RequestPolicy struct {
	PolicyID         string `json:"PolicyId,omitempty"`
	Name             string
	EligibleGroupID  string `json:"EligibleGroupId"`
	PermissionSetARN string `json:"PermissionSetArn"`
	AccountID        string `json:"AccountId,omitempty"`
	Unit             string `json:"OrganizationalUnitId,omitempty"`
	Tag              *Tag   `json:",omitzero"`
	LongestSeconds   int64  // how long a window may be
	ApproverGroupID  string `json:"ApproverGroupId"`
	Approvals        int    // how many must approve: 1 or 2
	Emergency        bool   `json:",omitempty"` // access at once, reviewed afterwards

	// These are empty for what is deleted, and in what is asked for.
	EligibleGroupName string `json:",omitempty"`
	PermissionSetName string `json:",omitempty"`
	AccountName       string `json:",omitempty"`
	ApproverGroupName string `json:",omitempty"`
}

// RequestPolicies is the answer of ListRequestPolicies.
type RequestPolicies struct{ Policies []RequestPolicy }

// RequestPolicyInput names a policy.
type RequestPolicyInput struct {
	PolicyID string `json:"PolicyId"` // or its name
}

// AccessRequest is what a person asks for, or has, for a while.
type AccessRequest struct {
	RequestID         string `json:"RequestId"`
	Policy            string
	UserID            string `json:"UserId"`
	UserName          string
	AccountID         string `json:"AccountId"`
	AccountName       string
	PermissionSet     string
	PermissionSetARN  string `json:"PermissionSetArn"`
	State             string // PENDING, SCHEDULED, ACTIVE, ENDED, DENIED, CANCELED, EXPIRED or FAILED
	Seconds           int64
	Reason            string
	Ticket            string    `json:",omitempty"`
	Emergency         bool      `json:",omitempty"`
	ToReview          bool      `json:",omitempty"` // emergency access that nobody has reviewed
	CreatedAt         time.Time `json:",omitzero"`
	Start             time.Time `json:",omitzero"` // that was asked for
	StartedAt         time.Time `json:",omitzero"`
	EndsAt            time.Time `json:",omitzero"`
	EndedAt           time.Time `json:",omitzero"`
	EndedBy           string    `json:",omitempty"`
	EndReason         string    `json:",omitempty"`
	MoreSeconds       int64     `json:",omitempty"` // that an extension asks for
	Decisions         []AccessDecision
	ApprovalsNeeded   int
	WaitsForYou       bool   `json:",omitempty"` // in a person's own list: something is to be decided
	ReviewedBy        string `json:",omitempty"`
	ReviewedAsNotFine bool   `json:",omitempty"`
}

// AccessDecision is what an approver said.
type AccessDecision struct {
	UserName string
	Approve  bool
	Comment  string `json:",omitempty"`
	At       time.Time
}

// AccessRequests is a list of requests, newest first.
type AccessRequests struct{ Requests []AccessRequest }

// ListAccessRequestsInput selects requests.
type ListAccessRequestsInput struct {
	UserID string `json:"UserId,omitempty"`
	Open   bool   `json:",omitempty"` // only those about which something is still to be done
	Before string `json:",omitempty"` // only those that are older than the one with this id
}

// AccessRequestInput names a request, and says what there is to say about it.
type AccessRequestInput struct {
	RequestID string `json:"RequestId"`
	Comment   string `json:",omitempty"`
	Seconds   int64  `json:",omitempty"` // of ExtendAccess
	Right     bool   `json:",omitempty"` // of ReviewAccess
}

// RequestAccessInput is what a person asks for.
type RequestAccessInput struct {
	PolicyID      string `json:"PolicyId,omitempty"` // without one, the first by name that allows it
	AccountID     string `json:"AccountId"`
	PermissionSet string // its name or its ARN
	Seconds       int64
	Reason        string
	Ticket        string    `json:",omitempty"`
	Start         time.Time `json:",omitzero"`
	Emergency     bool      `json:",omitempty"`
}

// AccessOffer is what a person may ask for.
type AccessOffer struct {
	PolicyID       string `json:"PolicyId"`
	Policy         string
	PermissionSet  string
	LongestSeconds int64
	Emergency      bool `json:",omitempty"`
	Accounts       []Account
}

// AccessOffers is the answer of ListAccessOffers.
type AccessOffers struct{ Offers []AccessOffer }

// RequestWebhook is where notices of requests are posted.
type RequestWebhook struct {
	URL      string    `json:"Url,omitempty"` // empty: nowhere
	Secret   string    `json:",omitempty"`    // with which they are signed, once
	Problem  string    `json:",omitempty"`    // why the last one was not taken
	PostedAt time.Time `json:",omitzero"`     // when one was taken last
}

// RequestPolicies lists the policies.
func (c *Client) RequestPolicies(ctx context.Context) ([]RequestPolicy, error) {
	out, err := call[RequestPolicies](ctx, c, "ListRequestPolicies", None{})
	return out.Policies, err
}

// CreateRequestPolicy makes a policy.
func (c *Client) CreateRequestPolicy(ctx context.Context, p RequestPolicy) (RequestPolicy, error) {
	return call[RequestPolicy](ctx, c, "CreateRequestPolicy", p)
}

// DeleteRequestPolicy deletes a policy.
func (c *Client) DeleteRequestPolicy(ctx context.Context, id string) error {
	return c.Call(ctx, "DeleteRequestPolicy", RequestPolicyInput{PolicyID: id}, nil)
}

// AccessRequests lists requests, at most 200, newest first.
func (c *Client) AccessRequests(ctx context.Context, in ListAccessRequestsInput) ([]AccessRequest, error) {
	out, err := call[AccessRequests](ctx, c, "ListAccessRequests", in)
	return out.Requests, err
}

// EndAccess ends a window, or takes a request back.
func (c *Client) EndAccess(ctx context.Context, id, reason string) (AccessRequest, error) {
	return call[AccessRequest](ctx, c, "EndAccess", AccessRequestInput{RequestID: id, Comment: reason})
}

// RequestWebhook says where notices of requests are posted.
func (c *Client) RequestWebhook(ctx context.Context) (RequestWebhook, error) {
	return call[RequestWebhook](ctx, c, "GetRequestWebhook", None{})
}

// PutRequestWebhook has notices posted to an address, or ("") to none.
func (c *Client) PutRequestWebhook(ctx context.Context, address string) (RequestWebhook, error) {
	return call[RequestWebhook](ctx, c, "PutRequestWebhook", RequestWebhook{URL: address})
}

// PersonPath is where a center serves what people do about requests for access, each operation
// under its name, and PersonToken the header with the access token.
const (
	PersonPath  = "/access-requests/"
	PersonToken = "X-Amz-Sso_bearer_token" // #nosec G101 -- a name
)

// Person is somebody at a center, by an access token as `aws sso login` gets it.
type Person struct {
	URL   string // of the center
	Token string
	HTTP  *http.Client
}

// Refusal is the body of an answer that refuses.
type Refusal struct {
	Reason  string
	Message string
}

// TokenError says that an access token is not good anymore.
type TokenError struct{ Refusal }

func (e *TokenError) Error() string { return e.Message }

// ErrNoOperation says that the center does not have an operation: it is of an older release.
var ErrNoOperation = errors.New("the center does not have this operation")

// maxPersonAnswer bounds an answer to a person.
const maxPersonAnswer = 16 << 20 //bound:body an answer to a person's program

// Do calls an operation.
func (p *Person) Do(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	address := strings.TrimRight(p.URL, "/") + PersonPath + operation
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(PersonToken, p.Token)
	answer, err := p.HTTP.Do(r) // #nosec G704 -- the address that the person named
	if err != nil {
		return fmt.Errorf("ask the center at %s: %w", p.URL, err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxPersonAnswer))
	if err != nil {
		return fmt.Errorf("read the center's answer: %w", err)
	}
	if answer.StatusCode != http.StatusOK {
		var refused Refusal
		if json.Unmarshal(data, &refused) != nil || refused.Message == "" {
			if answer.StatusCode == http.StatusNotFound {
				return fmt.Errorf("%s, %s: %w", p.URL, operation, ErrNoOperation)
			}
			refused.Message = "the center at " + p.URL + " answered " + answer.Status
		}
		if answer.StatusCode == http.StatusUnauthorized {
			return &TokenError{refused}
		}
		return fmt.Errorf("%s", refused.Message)
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("the center's answer to %s is not the JSON that was expected: %w", operation, err)
	}
	return nil
}
