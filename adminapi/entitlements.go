package adminapi

import (
	"context"
	"time"
)

// AccountAccess is the application of account access manager.
type AccountAccess struct {
	ApplicationArn string
	TenantID       string `json:"TenantId"`
	CreatedAt      time.Time
}

// Entitlement lets a user or a group open a role that is in an account already.
type Entitlement struct {
	EntitlementID string `json:"EntitlementId,omitempty"` // empty in a plan: still to be made
	RoleArn       string
	AccountName   string `json:",omitempty"`
	PrincipalType string // USER or GROUP
	PrincipalID   string `json:"PrincipalId"` // or a name, where it is created
	PrincipalName string `json:",omitempty"`  // empty: who is deleted
	// Migrated says that a migration from permission sets made it.
	Migrated bool `json:",omitempty"`
}

// Entitlements is a page of entitlements.
type Entitlements struct {
	Entitlements []Entitlement
	NextToken    string `json:",omitempty"`
}

// EntitlementInput names an entitlement by its id.
type EntitlementInput struct {
	EntitlementID string `json:"EntitlementId"`
}

// MigrationInput says which assignments are to become entitlements. What is empty means all.
type MigrationInput struct {
	AccountID string `json:"AccountId,omitempty"` // or its name
	Path      string `json:",omitempty"`          // of the roles; empty: /
}

// MigratingRole is a role that must be in an account.
type MigratingRole struct {
	RoleArn       string
	PermissionSet string
	Needs, Lost   []string
}

// StayingAssignment is an assignment that cannot become an entitlement.
type StayingAssignment struct {
	AccountID     string `json:"AccountId"`
	PermissionSet string
	PrincipalType string
	PrincipalID   string `json:"PrincipalId"`
	Why           string
}

// Migration is what becomes of assignments.
type Migration struct {
	Entitlements []Entitlement
	Roles        []MigratingRole
	Stays        []StayingAssignment
}

// EnableAccountAccess makes the application, or returns the one that there is.
func (c *Client) EnableAccountAccess(ctx context.Context) (AccountAccess, error) {
	return call[AccountAccess](ctx, c, "EnableAccountAccess", None{})
}

// DescribeAccountAccess returns the application.
func (c *Client) DescribeAccountAccess(ctx context.Context) (AccountAccess, error) {
	return call[AccountAccess](ctx, c, "DescribeAccountAccess", None{})
}

// DisableAccountAccess deletes the application, when no entitlement is left.
func (c *Client) DisableAccountAccess(ctx context.Context) error {
	_, err := call[None](ctx, c, "DisableAccountAccess", None{})
	return err
}

// Entitlements lists all entitlements.
func (c *Client) Entitlements(ctx context.Context) (all []Entitlement, err error) {
	for next := ""; ; {
		page, err := call[Entitlements](ctx, c, "ListEntitlements", PageInput{next})
		if err != nil {
			return nil, err
		}
		all = append(all, page.Entitlements...)
		if next = page.NextToken; next == "" {
			return all, nil
		}
	}
}

// CreateEntitlement entitles a user or a group to a role.
func (c *Client) CreateEntitlement(ctx context.Context, e Entitlement) (Entitlement, error) {
	return call[Entitlement](ctx, c, "CreateEntitlement", e)
}

// DeleteEntitlement takes a role from a user or a group.
func (c *Client) DeleteEntitlement(ctx context.Context, id string) error {
	_, err := call[None](ctx, c, "DeleteEntitlement", EntitlementInput{id})
	return err
}

// PreviewMigration says which assignments become which entitlements.
func (c *Client) PreviewMigration(ctx context.Context, in MigrationInput) (Migration, error) {
	return call[Migration](ctx, c, "PreviewMigration", in)
}
