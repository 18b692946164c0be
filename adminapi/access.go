package adminapi

import (
	"context"
	"strings"
	"time"
)

// Account is an AWS account that permission sets can be assigned in.
type Account struct {
	ID     string `json:"Id"`
	Name   string
	Email  string `json:",omitempty"`
	Status string // ACTIVE or SUSPENDED
	// OrganizationalUnits are the root and the units that the account is in, from the root down.
	OrganizationalUnits []OrganizationalUnit `json:",omitempty"`
	Tags                []Tag                `json:",omitempty"` // in the order of their keys
	// from AWS Organizations, with which it is kept in step
	Imported bool `json:",omitempty"`
	// Environment and Color are those of the account's label, which PutAccounts does not change.
	Environment string `json:",omitempty"`
	Color       string `json:",omitempty"`
}

// OrganizationalUnit is one of AWS Organizations, or its root.
type OrganizationalUnit struct {
	ID   string `json:"Id"`
	Name string
}

// Tag is a key and a value.
type Tag struct{ Key, Value string }

// Text is the tag as KEY=VALUE, as people write it. A key that has an equals sign stands in double
// quotes, which neither keys nor values can have.
func (t Tag) Text() string {
	if strings.Contains(t.Key, "=") {
		return `"` + t.Key + `"=` + t.Value
	}
	return t.Key + "=" + t.Value
}

// ReadTag reads what Text writes.
func ReadTag(text string) *Tag {
	separator := "="
	if quoted, ok := strings.CutPrefix(text, `"`); ok {
		text, separator = quoted, `"=`
	}
	key, value, _ := strings.Cut(text, separator)
	return &Tag{key, value}
}

// Accounts is the input of PutAccounts, at most 100 of them, and the answer of ListAccounts, all of
// them. The members are those of AWS Organizations.
type Accounts struct{ Accounts []Account }

// MaxAccountsAtOnce bounds the input of PutAccounts.
const MaxAccountsAtOnce = 100 //bound:list accounts in one request of the administration API

// The statuses of an account.
const (
	AccountActive    = "ACTIVE"
	AccountSuspended = "SUSPENDED"
)

// ImportInput has the organization read. DryRun only says what would change; Force is for an
// organization that more than half of the accounts have left.
type ImportInput struct {
	DryRun bool `json:",omitempty"`
	Force  bool `json:",omitempty"`
}

// Import is how far the last reading of the organization has come.
type Import struct {
	Running    bool
	DryRun     bool       `json:",omitempty"`
	FinishedAt *time.Time `json:",omitempty"`
	Read       int        // accounts, while it goes on
	Total      int        // changes that were made, or would be
	Changes    []AccountChange
	Error      string `json:",omitempty"`
}

// AccountChange is what an import does to one account: add, change or suspend it.
type AccountChange struct {
	Change  string
	Account Account
}

// Rule assigns a permission set in all accounts of an organizational unit, or in all that have a
// tag.
type Rule struct {
	RuleID           string `json:"RuleId,omitempty"`
	Unit             string `json:"OrganizationalUnitId,omitempty"`
	Tag              *Tag   `json:",omitzero"`
	PermissionSetARN string `json:"PermissionSetArn"`
	PrincipalType    string // PrincipalUser or PrincipalGroup
	PrincipalID      string `json:"PrincipalId"`
	Problem          string `json:",omitempty"` // what kept it from being expanded in full

	// PermissionSetName and PrincipalName are empty for what is deleted, and in what is asked for.
	PermissionSetName string `json:",omitempty"`
	PrincipalName     string `json:",omitempty"`
}

// Who a rule can be for.
const (
	PrincipalUser  = "USER"
	PrincipalGroup = "GROUP"
)

// Rules is the answer of ListAssignmentRules.
type Rules struct{ Rules []Rule }

// RuleInput names a rule.
type RuleInput struct {
	RuleID string `json:"RuleId"`
}

// AccountInput names an AWS account.
type AccountInput struct {
	AccountID string `json:"AccountId"`
}

// AccountRoles are the roles that an AWS account must have for what is assigned in it, and the SAML
// provider that they trust.
type AccountRoles struct {
	AccountID        string `json:"AccountId"`
	SAMLProviderName string
	SAMLMetadata     string
	Roles            []Role
}

// Role is the role of a permission set.
type Role struct {
	RoleName, PermissionSet, Description string
	ManagedPolicyARNs                    []string // customer managed ones as ARNs of the account too
	InlinePolicy                         string   `json:",omitempty"` // JSON
	PermissionsBoundary                  string   `json:",omitempty"` // an ARN
}

// RoleTemplateInput asks for a template of what an AWS account must have. RolePath is the path of
// the roles in IAM, and HubRole the ARN of the role that opens them, if one does.
type RoleTemplateInput struct {
	AccountID string `json:"AccountId"`
	Format    string // TemplateCloudFormation or TemplateTerraform
	RolePath  string `json:",omitempty"` // default: /
	HubRole   string `json:",omitempty"`
}

// The formats of a template.
const (
	TemplateCloudFormation = "cloudformation"
	TemplateTerraform      = "terraform" // in its JSON syntax
)

// RoleTemplate is a template.
type RoleTemplate struct{ Template string }

// ListRolesInput selects roles: of one account or ("") of all, all of them or those that are not as
// they should be. NextToken goes on after a page.
type ListRolesInput struct {
	AccountID string `json:"AccountId,omitempty"`
	Drifted   bool   `json:",omitempty"`
	NextToken string `json:",omitempty"`
}

// RoleStates is the answer of ListRoles, a page of it.
type RoleStates struct {
	Roles     []RoleState
	NextToken string `json:",omitempty"`
}

// RoleState is a permission set's role in an account, or one that is being made or retired.
type RoleState struct {
	AccountID        string `json:"AccountId"`
	PermissionSet    string
	PermissionSetARN string `json:"PermissionSetArn"`
	RoleName         string
	Status           string
	CheckedAt        *time.Time `json:",omitempty"` // when it was last compared with IAM
	Drift            []string   // how it differed then
	Reason           string     `json:",omitempty"` // why IAM could not be brought to it yet
}

// The statuses of a role.
const (
	RoleLatest   = "LATEST"   // it is what the permission set is, as far as the center knows
	RoleChanged  = "CHANGED"  // the permission set was changed since it was provisioned
	RoleDrifted  = "DRIFTED"  // somebody changed it in IAM
	RoleWorking  = "WORKING"  // it is being made or brought up to date
	RoleRetiring = "RETIRING" // no one has it anymore, and it is being removed
)

// ProvisionRolesInput names a permission set to bring to an account, or ("") to all where it is
// provisioned.
type ProvisionRolesInput struct {
	PermissionSetARN string `json:"PermissionSetArn"`
	AccountID        string `json:"AccountId,omitempty"`
}

// RoleRequestInput names work on roles.
type RoleRequestInput struct {
	RequestID string `json:"RequestId"`
}

// The statuses of work on roles, as those of AWS's requests; a third one is SUCCEEDED.
const (
	RequestInProgress = "IN_PROGRESS"
	RequestFailed     = "FAILED"
)

// RoleRequest is work on roles.
type RoleRequest struct {
	RequestID     string `json:"RequestId"`
	Status        string `json:",omitempty"`
	FailureReason string `json:",omitempty"`
}

// Accounts lists the AWS accounts.
func (c *Client) Accounts(ctx context.Context) ([]Account, error) {
	out, err := call[Accounts](ctx, c, "ListAccounts", None{})
	return out.Accounts, err
}

// PutAccounts adds or changes AWS accounts, all or none of them.
func (c *Client) PutAccounts(ctx context.Context, accounts []Account) error {
	_, err := call[None](ctx, c, "PutAccounts", Accounts{accounts})
	return err
}

// RoleTemplate returns a template that makes the roles of an AWS account.
func (c *Client) RoleTemplate(ctx context.Context, in RoleTemplateInput) (string, error) {
	answer, err := call[RoleTemplate](ctx, c, "GetRoleTemplate", in)
	return answer.Template, err
}

// AccountRoles returns the roles that an AWS account must have.
func (c *Client) AccountRoles(ctx context.Context, account string) (AccountRoles, error) {
	return call[AccountRoles](ctx, c, "ListAccountRoles", AccountInput{account})
}

// StartImport has the organization read soon.
func (c *Client) StartImport(ctx context.Context, dryRun, force bool) error {
	_, err := call[None](ctx, c, "ImportAccounts", ImportInput{dryRun, force})
	return err
}

// LastImport returns how far the last reading of the organization has come.
func (c *Client) LastImport(ctx context.Context) (Import, error) {
	return call[Import](ctx, c, "DescribeAccountImport", None{})
}

// Rules lists the assignment rules.
func (c *Client) Rules(ctx context.Context) ([]Rule, error) {
	out, err := call[Rules](ctx, c, "ListAssignmentRules", None{})
	return out.Rules, err
}

// PreviewRule lists the accounts that a rule would assign in.
func (c *Client) PreviewRule(ctx context.Context, r Rule) ([]Account, error) {
	out, err := call[Accounts](ctx, c, "PreviewAssignmentRule", r)
	return out.Accounts, err
}

// CreateRule makes a rule and expands it.
func (c *Client) CreateRule(ctx context.Context, r Rule) (Rule, error) {
	return call[Rule](ctx, c, "CreateAssignmentRule", r)
}

// DeleteRule takes back what a rule has assigned, and deletes it.
func (c *Client) DeleteRule(ctx context.Context, id string) error {
	_, err := call[None](ctx, c, "DeleteAssignmentRule", RuleInput{id})
	return err
}

// Roles lists the roles of an account or ("") of all.
func (c *Client) Roles(ctx context.Context, account string, drifted bool) (all []RoleState, err error) {
	in := ListRolesInput{AccountID: account, Drifted: drifted}
	for {
		out, err := call[RoleStates](ctx, c, "ListRoles", in)
		all = append(all, out.Roles...)
		if err != nil || out.NextToken == "" {
			return all, err
		}
		in.NextToken = out.NextToken
	}
}

// RecheckRoles has the roles of an account or ("") of all compared with IAM soon.
func (c *Client) RecheckRoles(ctx context.Context, account string) error {
	_, err := call[None](ctx, c, "RecheckRoles", AccountInput{account})
	return err
}

// ProvisionRoles brings a permission set to an account, or ("") to all where it is provisioned.
func (c *Client) ProvisionRoles(ctx context.Context, permissionSet, account string) (RoleRequest, error) {
	return call[RoleRequest](ctx, c, "ProvisionRoles", ProvisionRolesInput{permissionSet, account})
}

// RoleRequest returns how far work on roles has come.
func (c *Client) RoleRequest(ctx context.Context, id string) (RoleRequest, error) {
	return call[RoleRequest](ctx, c, "DescribeRoleRequest", RoleRequestInput{id})
}
