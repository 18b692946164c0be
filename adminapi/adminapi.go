// Package adminapi is the API for what AWS offers only in its console: the identity source, the
// identity provider's metadata, the SCIM endpoint and its access tokens. The operations have the
// names of AWS's own IAM actions and CloudTrail events (sso-directory), over the same awsJson1.1
// and SigV4 as the public APIs, so one key and one set of rules serves all.
//
// The types and the client are here; center/adminserver serves them. It imports nothing of ours.
package adminapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// The wire names. AWS's console calls its private service by this target; the exact form is not
// public.
const (
	Target      = "SWBUPService"
	SigningName = "sso-directory"
)

// Source types and configuration states.
const (
	SourceDirectory = "DIRECTORY"
	SourceExternal  = "EXTERNAL_IDP"

	StatusEnabled = "ENABLED"
	StatusPending = "PENDING"
)

// Directory is the answer of DescribeDirectory.
type Directory struct {
	InstanceArn     string
	IdentityStoreID string `json:"IdentityStoreId"`
	Region          string
	AccountID       string `json:"AccountId"`
	IdentitySource  string // DIRECTORY or EXTERNAL_IDP
	PortalURL       string `json:"PortalUrl"`
	ConsoleURL      string `json:"ConsoleUrl"`
	IssuerURL       string `json:"IssuerUrl"` // of ID tokens and proofs: below it are the keys that verify them
	UserCount       int
	GroupCount      int
	// IdPInitiatedSignIn says whether users may start at the external identity provider.
	IdPInitiatedSignIn *bool      `json:",omitempty"`
	UndoUntil          *time.Time `json:",omitempty"` // until when the last change of the identity source can be undone
	UndoTo             string     `json:",omitempty"` // the identity source then: DIRECTORY or EXTERNAL_IDP
	// UndoToEntityID is that of the identity provider then.
	UndoToEntityID string `json:"UndoToEntityId,omitempty"`
}

// ServiceProvider is the answer of GetAWSSPConfigurationForDirectory.
type ServiceProvider struct {
	EntityID    string   `json:"EntityId"`
	AcsURLs     []string `json:"AcsUrls"`
	SignInURL   string   `json:"SignInUrl"`
	MetadataXML string   `json:"MetadataXml"`
}

// Configuration is an identity provider that the center knows.
type Configuration struct {
	ConfigurationID string   `json:"ConfigurationId"`
	EntityID        string   `json:"EntityId"`
	SignInURL       string   `json:"SignInUrl"`
	Thumbprints     []string // SHA-256 of the certificates, in hexadecimal
	Notes           []string `json:",omitempty"` // what an administrator should know about the metadata
	Status          string   // ENABLED or PENDING

	// Of the one that is enabled.
	SignedRequests bool           `json:",omitempty"` // authentication requests are signed
	RequestBinding string         `json:",omitempty"` // HTTP-Redirect or HTTP-POST
	Published      *PublishedNote `json:",omitzero"`  // nil: no address is watched
}

// Bindings of authentication requests.
const (
	BindingRedirect = "HTTP-Redirect"
	BindingPOST     = "HTTP-POST"
)

// PublishedNote is what is known of the metadata that the identity provider publishes.
type PublishedNote struct {
	URL       string     `json:"Url"`
	CheckedAt *time.Time `json:",omitempty"`
	Problem   string     `json:",omitempty"`
	// Differences are how it differs from what is trusted; empty when it does not.
	Differences []string `json:",omitempty"`
}

// UserEffect is one line of a report.
type UserEffect struct {
	UserID      string `json:"UserId"`
	UserName    string
	DisplayName string
	Effect      string // StopsWorking, SignsInAtIdP, SignsInAtNewIdP, MatchesNobody, PasswordIsUsed or NeedsPassword
	Explanation string
	// Administrator says that the user has AdministratorAccess in an AWS account.
	Administrator bool `json:",omitempty"`
}

// Report says what a change of the identity source does to existing users.
type Report struct {
	From, To string
	Total    int
	Counts   map[string]int // by effect, over all users
	// LockedOut is how many administrators of AWS accounts lose access.
	LockedOut int
	Users     []UserEffect // 1,000 at a time
	NextToken string       `json:",omitempty"` // for the users that follow
}

// PreviewInput asks for a report. KnownUserNames are the names that the identity provider has; nil
// when they are not known.
type PreviewInput struct {
	IdentitySource string
	KnownUserNames []string `json:",omitempty"`
	NextToken      string   `json:",omitempty"`
}

// CreateConfigurationInput uploads metadata, or the three values that stand for it.
type CreateConfigurationInput struct {
	MetadataXML          string `json:"MetadataXml,omitempty"`
	EntityID             string `json:"EntityId,omitempty"`
	SignInURL            string `json:"SignInUrl,omitempty"`
	X509CertificateInPem string `json:",omitempty"`
}

// ChangeInput enables a configuration. Confirmation is the word ACCEPT. With InForce, the id of the
// configuration in force or DIRECTORY, nothing changes unless that is so still.
type ChangeInput struct {
	ConfigurationID string `json:"ConfigurationId,omitempty"`
	Confirmation    string
	InForce         string `json:",omitempty"`
}

// UpdateConfigurationInput changes how the identity provider in force is dealt with: where a
// sign-in may begin, or how requests go to it. One request is for one of the two.
type UpdateConfigurationInput struct {
	IdPInitiatedSignIn *bool   `json:",omitempty"`
	SignedRequests     *bool   `json:",omitempty"`
	RequestBinding     *string `json:",omitempty"`
}

// ConfirmInput goes back to another identity source. Confirmation is the word ACCEPT. With InForce,
// the id of the configuration in force or DIRECTORY, nothing changes unless that is so still: an
// undo that is sent twice brings back what it has taken away.
type ConfirmInput struct {
	Confirmation string
	InForce      string `json:",omitempty"`
}

// Certificate is one whose key may sign for the identity provider in force.
type Certificate struct {
	CertificateID       string `json:"CertificateId,omitempty"` // the SHA-256 thumbprint, in hexadecimal
	Subject             string `json:",omitempty"`
	NotBefore, NotAfter time.Time
}

// NewCertificate is the input of ImportExternalIdPCertificate.
type NewCertificate struct{ X509CertificateInPem string }

// CertificateInput is the input of DeleteExternalIdPCertificate. Confirmation is the word DELETE.
type CertificateInput struct {
	CertificateID string `json:"CertificateId"`
	Confirmation  string `json:",omitempty"`
}

// Certificates is the answer of ListExternalIdPCertificates, those that end first at the front.
type Certificates struct {
	Certificates []Certificate
}

// RehearsalInput asks a user to sign in at the pending identity provider.
type RehearsalInput struct {
	UserName string `json:",omitempty"`
}

// Rehearsal is the answer of StartRehearsal: the link for the user.
type Rehearsal struct {
	Link string `json:",omitempty"`
}

// Configurations is the answer of ListExternalIdPConfigurationsForDirectory.
type Configurations struct {
	Configurations []Configuration
}

// ReferenceInput names a request by the reference that its answer or error page carried.
type ReferenceInput struct {
	Reference string
}

// Event is one line of the audit log, with what to do about it.
type Event struct {
	EventTime                 time.Time
	EventName                 string
	Subject                   string `json:",omitempty"`
	ActorType, ActorName      string
	SourceIPAddress           string
	Result                    string // Granted or Refused
	ErrorCode                 string `json:",omitempty"`
	What, Detail, Remedy      string `json:",omitempty"`
	Check, Expected, Received string `json:",omitempty"`
	Reference                 string `json:",omitempty"` // of the request
	Count                     int    `json:",omitempty"` // of refusals that the event stands for
}

// Events is the answer of ExplainReference, in the order in which they happened.
type Events struct {
	Events []Event
}

// Tenant is a SCIM endpoint.
type Tenant struct {
	TenantID     string `json:"TenantId"`
	ScimEndpoint string
	CreationTime time.Time
}

// Tenants is the answer of ListProvisioningTenants: none or one.
type Tenants struct {
	Tenants []Tenant
}

// TenantInput names a tenant; ("") means the one that there is.
type TenantInput struct {
	TenantID string `json:"TenantId,omitempty"`
}

// NewToken says what a new token is for.
type NewToken struct {
	TenantID string `json:"TenantId,omitempty"`
	Profile  string `json:",omitempty"` // aws, the default, or standard
}

// TokenInput names a token.
type TokenInput struct {
	TenantID string `json:"TenantId,omitempty"`
	TokenID  string `json:"TokenId,omitempty"`
}

// BearerToken is an access token. Value is set only in the answer of CreateBearerToken.
type BearerToken struct {
	TokenID         string `json:"TokenId"`
	TenantID        string `json:"TenantId"`
	Value           string `json:"BearerToken,omitempty"`
	CreationTime    time.Time
	ExpirationTime  time.Time
	Profile         string     // aws or standard
	LastUsedTime    *time.Time `json:",omitempty"`
	LastUsedAddress string     `json:",omitempty"`
}

// BearerTokens is the answer of ListBearerTokens.
type BearerTokens struct {
	BearerTokens []BearerToken
}

// NewKey says what a new access key is to be.
type NewKey struct {
	UserName string `json:",omitempty"` // who it is for, as the audit log names it
	Role     string `json:",omitempty"` // administrator, user-administrator or read-only
}

// KeyStatus makes an access key Active or Inactive.
type KeyStatus struct {
	AccessKeyID string `json:"AccessKeyId"`
	Status      string
}

// KeyInput names an access key.
type KeyInput struct {
	AccessKeyID string `json:"AccessKeyId,omitempty"`
}

// States of access keys, as IAM names them.
const (
	KeyActive   = "Active"
	KeyInactive = "Inactive"
)

// AccessKey is a SigV4 key of the center. SecretAccessKey is set only in the answer of
// CreateAccessKey.
type AccessKey struct {
	AccessKeyID     string `json:"AccessKeyId"`
	SecretAccessKey string `json:",omitempty"`
	UserName        string
	Role            string
	Status          string
	CreateDate      time.Time
	LastUsedDate    *time.Time `json:",omitempty"`
	LastUsedService string     `json:",omitempty"`
	LastUsedAddress string     `json:",omitempty"`
}

// AccessKeys is the answer of ListAccessKeys.
type AccessKeys struct{ AccessKeyMetadata []AccessKey }

// None is the input or output of operations without any.
type None struct{}

// Client calls the API.
type Client struct {
	URL             string // the center's URL
	Region          string
	AccessKeyID     string
	SecretAccessKey string
	HTTP            *http.Client // http.DefaultClient when nil
	Now             func() time.Time
}

// Error is an answer that is no success.
type Error struct {
	Status  int
	Code    string `json:"__type"`
	Message string
	Reason  string // the center's stable code, such as too-many-access-tokens
	Request string `json:"RequestId"`
}

func (e *Error) Error() string {
	text := fmt.Sprintf("the center answered %s: %s (request %s)", e.Code, e.Message, e.Request)
	if remedy := remedies[e.Code]; remedy != "" {
		text += ": " + remedy
	}
	return text
}

// remedies are what to do about answers that are not about what was asked for.
var remedies = map[string]string{
	"UnknownOperationException": "is this the address of a center, of this release or a later one? A tenant, and a " +
		"page such as /console/, are none; --center-url or AWS_ENDPOINT_URL names the center",
	"UnrecognizedClientException": "the access key is disabled, deleted or another center's: an administrator makes " +
		"one with gatehouse access-keys create, or in the console",
	"InvalidSignatureException": "set AWS_SECRET_ACCESS_KEY to the secret of this access key, AWS_REGION to the " +
		"center's Region, and look at this machine's clock",
}

// CodeOf is the exception of an answer that is no success, such as ResourceNotFoundException; ""
// for any other error.
func CodeOf(err error) string {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// ReasonOf is the center's stable code of a refusal, such as automatic-provisioning-on; "" for any
// other error.
func ReasonOf(err error) string {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

const maxAnswer = 16 << 20 //bound:body an answer of the administration API that a command reads

// Call sends one operation. in and out are the operation's types; out is nil where the answer says
// nothing.
func (c *Client) Call(ctx context.Context, operation string, in, out any) error {
	return c.send(ctx, Target, SigningName, operation, in, out)
}

// send sends an operation of a service that the center serves.
func (c *Client) send(ctx context.Context, target, signing, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode %s: %w", operation, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("X-Amz-Target", target+"."+operation)
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	sum := sha256.Sum256(body)
	now := time.Now
	if c.Now != nil {
		now = c.Now
	}
	credentials := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey}
	if err := v4.NewSigner().SignHTTP(
		ctx, credentials, req, hex.EncodeToString(sum[:]), signing, c.Region, now().UTC(),
	); err != nil {
		return fmt.Errorf("sign %s: %w", operation, err)
	}
	client := http.Client{}
	if c.HTTP != nil {
		client = *c.HTTP
	}
	// nobody else gets what was signed
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("reach the center: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the center's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		failure := &Error{Status: res.StatusCode}
		if err := json.Unmarshal(data, failure); err != nil || failure.Code == "" {
			return fmt.Errorf(
				"%s answered %s: that is no center; --center-url or AWS_ENDPOINT_URL names it", c.URL, res.Status,
			)
		}
		return failure
	}
	if out == nil {
		out = &None{}
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("the center's answer to %s is not the JSON that was expected: %w", operation, err)
	}
	return nil
}

func call[Out any](ctx context.Context, c *Client, operation string, in any) (out Out, err error) {
	err = c.Call(ctx, operation, in, &out)
	return out, err
}

// DescribeDirectory tells about the instance.
func (c *Client) DescribeDirectory(ctx context.Context) (Directory, error) {
	return call[Directory](ctx, c, "DescribeDirectory", None{})
}

// ServiceProvider returns the service provider's metadata.
func (c *Client) ServiceProvider(ctx context.Context) (ServiceProvider, error) {
	return call[ServiceProvider](ctx, c, "GetAWSSPConfigurationForDirectory", None{})
}

// Preview reports what changing the identity source would do. AWS has no such operation; the name
// is ours.
func (c *Client) Preview(ctx context.Context, in PreviewInput) (Report, error) {
	return call[Report](ctx, c, "PreviewIdentitySourceChange", in)
}

// CreateConfiguration uploads an identity provider's metadata, to be enabled later.
func (c *Client) CreateConfiguration(ctx context.Context, metadata string) (Configuration, error) {
	return c.CreateConfigurationOf(ctx, CreateConfigurationInput{MetadataXML: metadata})
}

// EnableConfiguration changes the identity source to the uploaded identity provider.
func (c *Client) EnableConfiguration(ctx context.Context, in ChangeInput) error {
	plain := in
	plain.InForce = ""
	return c.changeSource(ctx, "EnableExternalIdPConfigurationForDirectory", in, plain)
}

// changeSource sends a change of the identity source. A center of an earlier release does not know
// InForce, and is asked without.
func (c *Client) changeSource(ctx context.Context, operation string, in, plain any) error {
	_, err := call[None](ctx, c, operation, in)
	if CodeOf(err) == "ValidationException" && strings.Contains(err.Error(), "the member InForce") {
		_, err = call[None](ctx, c, operation, plain)
	}
	return err
}

// DisableConfiguration changes the identity source back to the built-in directory.
func (c *Client) DisableConfiguration(ctx context.Context, in ConfirmInput) error {
	plain := ConfirmInput{Confirmation: in.Confirmation}
	return c.changeSource(ctx, "DisableExternalIdPConfigurationForDirectory", in, plain)
}

// Configurations lists the identity providers that the center knows: at most one enabled and one
// pending.
func (c *Client) Configurations(ctx context.Context) ([]Configuration, error) {
	out, err := call[Configurations](ctx, c, "ListExternalIdPConfigurationsForDirectory", None{})
	return out.Configurations, err
}

// Tenants lists the SCIM endpoints: none or one.
func (c *Client) Tenants(ctx context.Context) ([]Tenant, error) {
	out, err := call[Tenants](ctx, c, "ListProvisioningTenants", None{})
	return out.Tenants, err
}

// CreateTenant enables automatic provisioning.
func (c *Client) CreateTenant(ctx context.Context) (Tenant, error) {
	return call[Tenant](ctx, c, "CreateProvisioningTenant", None{})
}

// DeleteTenant disables automatic provisioning.
func (c *Client) DeleteTenant(ctx context.Context, id string) error {
	_, err := call[None](ctx, c, "DeleteProvisioningTenant", TenantInput{id})
	return err
}

// BearerTokens lists the access tokens, without their values.
func (c *Client) BearerTokens(ctx context.Context, tenant string) ([]BearerToken, error) {
	out, err := call[BearerTokens](ctx, c, "ListBearerTokens", TenantInput{tenant})
	return out.BearerTokens, err
}

// CreateBearerToken makes an access token for a profile, aws or standard (empty: aws); its value is
// in this answer only.
func (c *Client) CreateBearerToken(ctx context.Context, tenant, profile string) (BearerToken, error) {
	return call[BearerToken](ctx, c, "CreateBearerToken", NewToken{tenant, profile})
}

// DeleteBearerToken revokes an access token.
func (c *Client) DeleteBearerToken(ctx context.Context, tenant, id string) error {
	_, err := call[None](ctx, c, "DeleteBearerToken", TokenInput{TenantID: tenant, TokenID: id})
	return err
}

// AccessKeys lists the access keys, without their secrets.
func (c *Client) AccessKeys(ctx context.Context) ([]AccessKey, error) {
	out, err := call[AccessKeys](ctx, c, "ListAccessKeys", None{})
	return out.AccessKeyMetadata, err
}

// CreateAccessKey makes an access key for somebody; its secret is in this answer only.
func (c *Client) CreateAccessKey(ctx context.Context, userName, role string) (AccessKey, error) {
	return call[AccessKey](ctx, c, "CreateAccessKey", NewKey{userName, role})
}

// UpdateAccessKey makes an access key Active or Inactive.
func (c *Client) UpdateAccessKey(ctx context.Context, id, status string) error {
	_, err := call[None](ctx, c, "UpdateAccessKey", KeyStatus{id, status})
	return err
}

// DeleteAccessKey deletes an access key.
func (c *Client) DeleteAccessKey(ctx context.Context, id string) error {
	_, err := call[None](ctx, c, "DeleteAccessKey", KeyInput{AccessKeyID: id})
	return err
}

// Explain says what was done and refused in the request of a reference.
func (c *Client) Explain(ctx context.Context, reference string) ([]Event, error) {
	var out Events
	err := c.Call(ctx, "ExplainReference", ReferenceInput{reference}, &out)
	return out.Events, err
}

// UndoIdentitySourceChange brings back the identity source before the last change.
func (c *Client) UndoIdentitySourceChange(ctx context.Context, confirmation string) error {
	return c.UndoSourceChange(ctx, ConfirmInput{Confirmation: confirmation})
}

// UndoSourceChange is UndoIdentitySourceChange of a source that is named.
func (c *Client) UndoSourceChange(ctx context.Context, in ConfirmInput) error {
	plain := ConfirmInput{Confirmation: in.Confirmation}
	return c.changeSource(ctx, "UndoIdentitySourceChange", in, plain)
}

// AllowIdPInitiated says whether users may start at the identity provider in force.
func (c *Client) AllowIdPInitiated(ctx context.Context, allow bool) error {
	return c.UpdateConfiguration(ctx, UpdateConfigurationInput{IdPInitiatedSignIn: &allow})
}

// ImportCertificate adds a certificate, PEM, to the identity provider in force.
func (c *Client) ImportCertificate(ctx context.Context, pem string) error {
	_, err := call[None](ctx, c, "ImportExternalIdPCertificate", NewCertificate{pem})
	return err
}

// ListCertificates lists the certificates of the identity provider in force.
func (c *Client) ListCertificates(ctx context.Context) ([]Certificate, error) {
	var out Certificates
	err := c.Call(ctx, "ListExternalIdPCertificates", None{}, &out)
	return out.Certificates, err
}

// DeleteCertificate takes a certificate away. confirmation is the word DELETE.
func (c *Client) DeleteCertificate(ctx context.Context, id, confirmation string) error {
	_, err := call[None](ctx, c, "DeleteExternalIdPCertificate", CertificateInput{id, confirmation})
	return err
}

// StartRehearsal makes a link with which a user signs in at the pending identity provider, to see
// whether it works.
func (c *Client) StartRehearsal(ctx context.Context, userName string) (link string, err error) {
	var out Rehearsal
	err = c.Call(ctx, "StartRehearsal", RehearsalInput{userName}, &out)
	return out.Link, err
}
