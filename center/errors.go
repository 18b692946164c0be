package center

import (
	"errors"
	"fmt"
)

// Kind is the coarse class of a refusal. The zero value is Internal: what nobody classified is our
// fault, and strangers are not told about it.
type Kind uint8

// The kinds of refusal.
const (
	Internal Kind = iota
	Invalid
	NotFound
	Conflict
	Denied
	Unauthenticated
	Quota
	Unavailable // nobody's fault but the machine's, and it may pass
)

// Code names one reason for a refusal. Codes are stable: audit events and tests use them.
type Code string

// The codes.
const (
	InvalidRequest                Code = "invalid-request"
	InvalidValue                  Code = "invalid-value"
	MissingValue                  Code = "missing-value"
	NotSingleValued               Code = "not-single-valued"
	UserNotFound                  Code = "user-not-found"
	GroupNotFound                 Code = "group-not-found"
	MembershipNotFound            Code = "membership-not-found"
	StoreNotFound                 Code = "identity-store-not-found"
	InstanceNotFound              Code = "instance-not-found"
	UserNameTaken                 Code = "user-name-taken"
	EmailTaken                    Code = "email-taken"
	ExternalIDTaken               Code = "external-id-taken"
	GroupNameTaken                Code = "group-name-taken"
	MembershipExists              Code = "membership-exists"
	ManagedByProvisioning         Code = "managed-by-provisioning"
	NotAllowed                    Code = "not-allowed"
	PermissionSetNotFound         Code = "permission-set-not-found"
	PermissionSetTaken            Code = "permission-set-name-taken"
	PermissionSetInUse            Code = "permission-set-in-use"
	PolicyAttached                Code = "policy-attached"
	PolicyNotAttached             Code = "policy-not-attached"
	AccountNotFound               Code = "account-not-found"
	RequestNotFound               Code = "request-not-found"
	MetadataInvalid               Code = "idp-metadata-invalid"
	SourceNotConfigured           Code = "identity-source-not-configured"
	SourceUnchanged               Code = "identity-source-unchanged"
	ConfirmationMissing           Code = "confirmation-missing"
	NothingToUndo                 Code = "nothing-to-undo"
	CertificateInvalid            Code = "certificate-invalid"
	CertificateNotFound           Code = "certificate-not-found"
	LastCertificate               Code = "last-certificate"
	ProvisioningOff               Code = "automatic-provisioning-off"
	ProvisioningOn                Code = "automatic-provisioning-on"
	TokensRemain                  Code = "access-tokens-remain"
	TooManyTokens                 Code = "too-many-access-tokens"
	TokenNotFound                 Code = "access-token-not-found"
	TokenInvalid                  Code = "access-token-invalid"
	TokenExpired                  Code = "access-token-expired"
	SignInFailed                  Code = "sign-in-failed"
	SignInLocked                  Code = "sign-in-locked"
	SignInBusy                    Code = "sign-in-busy"
	UserDisabled                  Code = "user-disabled"
	AssertionRefused              Code = "assertion-refused"
	AssertionReplayed             Code = "assertion-replayed"
	RequestUnknown                Code = "authn-request-unknown"
	SessionInvalid                Code = "session-invalid"
	AdministratorNotFound         Code = "administrator-not-found"
	AdministratorTaken            Code = "administrator-name-taken"
	LastAdministrator             Code = "last-administrator"
	OwnAdministrator              Code = "own-administrator"
	RoleNotAssigned               Code = "role-not-assigned"
	KeyNotFound                   Code = "access-key-not-found"
	TooManyKeys                   Code = "too-many-access-keys"
	LastAdministratorKey          Code = "last-administrator-key"
	VersionChanged                Code = "version-changed"
	StoreUnavailable              Code = "store-unavailable"
	ConcurrentChange              Code = "concurrent-change"
	TicketInvalid                 Code = "ticket-invalid"
	PasswordUnfit                 Code = "password-unfit"
	PasswordReused                Code = "password-reused"
	LinkSent                      Code = "link-sent-already"
	MailOff                       Code = "mail-not-configured"
	AddressNew                    Code = "address-new"
	NoAddress                     Code = "no-email-address"
	DeviceNotFound                Code = "mfa-device-not-found"
	TooManyDevices                Code = "too-many-mfa-devices"
	FactorRefused                 Code = "second-factor-refused"
	NoDevice                      Code = "no-mfa-device"
	QuotaExceeded                 Code = "quota-exceeded"
	BoundaryNotFound              Code = "permissions-boundary-not-found"
	RegionExists                  Code = "region-exists"
	RegionNotFound                Code = "region-not-found"
	RegionPrimary                 Code = "region-primary"
	InstanceExists                Code = "instance-exists"
	InstanceStays                 Code = "instance-stays"
	AccessControlOn               Code = "access-control-on"
	AccessControlOff              Code = "access-control-off"
	ApplicationNotFound           Code = "application-not-found"
	ApplicationProviderNotFound   Code = "application-provider-not-found"
	ApplicationAssignmentNotFound Code = "application-assignment-not-found"
	AccessScopeNotFound           Code = "access-scope-not-found"
	GrantNotFound                 Code = "grant-not-found"
	AuthMethodNotFound            Code = "authentication-method-not-found"
	TokenIssuerNotFound           Code = "token-issuer-not-found"
	TokenIssuerTaken              Code = "token-issuer-taken" // #nosec G101 -- a code
	TokenIssuerInUse              Code = "token-issuer-in-use"
	TokenReused                   Code = "client-token-reused" // #nosec G101 -- a code
	ClientInvalid                 Code = "oauth-client-invalid"
	ClientMetadataInvalid         Code = "oauth-client-metadata-invalid"
	ScopeInvalid                  Code = "scope-invalid"
	RedirectInvalid               Code = "redirect-uri-invalid"
	StartURLUnknown               Code = "start-url-unknown"
	ChallengeMissing              Code = "code-challenge-missing"
	GrantPending                  Code = "authorization-pending"
	GrantDenied                   Code = "authorization-denied"
	GrantExpired                  Code = "authorization-expired"
	GrantInvalid                  Code = "grant-invalid"
	UserCodeUnknown               Code = "user-code-unknown"
	SlowDown                      Code = "slow-down"
	GrantTypeUnsupported          Code = "grant-type-unsupported"
	AccountSuspended              Code = "account-suspended"
	BrokerRefused                 Code = "aws-refused"
	BrokerUnavailable             Code = "aws-unavailable"
	AssignmentRuleNotFound        Code = "assignment-rule-not-found"
	AssignmentRuleTaken           Code = "assignment-rule-taken"
	OrganizationOff               Code = "organization-off"
	OrganizationBusy              Code = "organization-busy"
	OrganizationShrunk            Code = "organization-shrunk"
	RolesNotKept                  Code = "roles-not-kept"
	RoleRefused                   Code = "iam-refused"
	RoleUnavailable               Code = "iam-unavailable"
)

// Reason explains a code: its class, what happened, and what to do next.
type Reason struct {
	Kind         Kind
	What, Remedy string
}

// Reasons is the catalogue of all codes.
var Reasons = map[Code]Reason{
	InvalidRequest: {Invalid, "the request is not well-formed", "correct the request"},
	InvalidValue:   {Invalid, "a value breaks the attribute's rule", "correct the value"},
	MissingValue:   {Invalid, "a required attribute is missing", "send the attribute"},
	NotSingleValued: {
		Invalid, "list attributes hold at most one value", "send a single value, such as the work e-mail address",
	},
	UserNotFound:  {NotFound, "there is no such user", "check the id or the name"},
	GroupNotFound: {NotFound, "there is no such group", "check the id or the name"},
	MembershipNotFound: {
		NotFound, "there is no such membership", "check the id, or the group and the member",
	},
	StoreNotFound: {
		NotFound, "there is no such identity store", "take the id from `aws sso-admin list-instances`",
	},
	InstanceNotFound: {
		NotFound, "there is no such instance", "take the ARN from `aws sso-admin list-instances`",
	},
	UserNameTaken: {
		Conflict, "another user has this user name, ignoring letter case", "rename or delete the other user first",
	},
	EmailTaken: {
		Conflict, "another user has this e-mail address, ignoring letter case", "change the address of one of them",
	},
	ExternalIDTaken: {
		Conflict, "another object has this external id", "find the object by its external id and update it",
	},
	GroupNameTaken: {
		Conflict, "another group has this name, ignoring letter case", "rename or delete the other group first",
	},
	MembershipExists: {Conflict, "the user is a member already", "nothing needs to be done"},
	ManagedByProvisioning: {
		Denied, "automatic provisioning owns users and groups",
		"change it in the identity provider, or through the identitystore API",
	},
	NotAllowed: {Denied, "the caller may not do this", "use the access key of an administrator"},
	PermissionSetNotFound: {
		NotFound, "there is no such permission set", "take the ARN from `aws sso-admin list-permission-sets`",
	},
	PermissionSetTaken: {Conflict, "another permission set has this name", "choose another name"},
	PermissionSetInUse: {Conflict, "the permission set is assigned", "delete its account assignments first"},
	PolicyAttached:     {Conflict, "the policy is attached already", "nothing needs to be done"},
	PolicyNotAttached:  {NotFound, "the policy is not attached", "nothing needs to be done"},
	AccountNotFound: {
		NotFound, "there is no such AWS account here", "add the account in the console first",
	},
	RequestNotFound: {
		NotFound, "there is no request with this id", "take the id from the operation that started it",
	},
	MetadataInvalid: {
		Invalid, "the identity provider's metadata cannot be used",
		"download the application's Federation Metadata XML again and upload it unchanged",
	},
	SourceNotConfigured: {
		Conflict, "no identity provider metadata has been uploaded", "upload the metadata first",
	},
	SourceUnchanged: {Conflict, "this is the identity source already", "nothing needs to be done"},
	ConfirmationMissing: {
		Invalid, "the change was not confirmed", "read the report and send the word that it asks for",
	},
	NothingToUndo: {
		Conflict, "there is no change of the identity source that could be undone; thirty days are the limit",
		"change the identity source instead",
	},
	CertificateInvalid: {
		Invalid, "the certificate cannot be used",
		"send one PEM or DER certificate with an RSA key of 2048 bits or more, or an elliptic-curve key",
	},
	CertificateNotFound: {NotFound, "there is no such certificate", "load the page again"},
	LastCertificate: {
		Conflict, "it is the last certificate: nobody could sign in any more", "add the new one first",
	},
	ProvisioningOff: {
		Conflict, "automatic provisioning is not enabled", "enable it in Settings, or with CreateProvisioningTenant",
	},
	ProvisioningOn: {Conflict, "automatic provisioning is enabled already", "use the existing endpoint"},
	TokensRemain:   {Conflict, "access tokens remain", "delete the access tokens first"},
	TooManyTokens:  {Quota, "there are two access tokens already", "delete one of them first"},
	TokenNotFound:  {NotFound, "there is no such access token", "take the id from ListBearerTokens"},
	TokenInvalid: {
		Unauthenticated, "the access token is not valid for this endpoint",
		"generate a new access token and give it to the identity provider",
	},
	TokenExpired: {
		Unauthenticated, "the access token has expired",
		"generate a new access token and give it to the identity provider",
	},
	SignInFailed: {
		Unauthenticated, "the user name or password is not right", "try again, or ask an administrator",
	},
	SignInLocked: {Unauthenticated, "too many wrong passwords", "wait a few minutes and try again"},
	SignInBusy: {
		Unavailable, "too many passwords are being checked at the moment, and this one was not looked at",
		"try again in a few seconds",
	},
	UserDisabled: {
		Unauthenticated, "the user is disabled", "enable the user in the identity provider or the console",
	},
	AssertionRefused: {
		Unauthenticated, "the SAML response failed a check", "see the event's detail for the check and both values",
	},
	AssertionReplayed: {Unauthenticated, "the assertion has been used before", "start the sign-in again"},
	RequestUnknown: {
		Unauthenticated, "the response answers a request that this browser did not make, or made too long ago",
		"start the sign-in again at the access portal",
	},
	SessionInvalid: {Unauthenticated, "the session is not valid any more", "sign in again"},
	KeyNotFound:    {NotFound, "there is no such access key", "take the id from ListAccessKeys"},
	TooManyKeys: {
		Quota, "there are as many access keys as a center may have", "delete one that is not used any more",
	},
	LastAdministratorKey: {
		Conflict, "it is the last enabled access key of an administrator", "make another one first",
	},
	VersionChanged: {
		Conflict, "the object has been changed since it was read", "read it again and repeat the change",
	},
	StoreUnavailable: {
		Unavailable, "the database is not available: it cannot be reached, or its disk is full",
		"try again in a few seconds; nothing that was confirmed is lost",
	},
	ConcurrentChange: {
		Conflict, "others changed the same objects at the same time, again and again",
		"repeat the request; nothing of it was done",
	},
	TicketInvalid: {
		Unauthenticated, "the link or the sign-in is not valid any more: it was used, replaced, or is too old",
		"begin again, or ask for another link",
	},
	PasswordUnfit: {Invalid, "the password cannot be used", "choose one that fulfils the rules"},
	PasswordReused: {
		Invalid, "the password cannot be used: it is one of the last three passwords", "choose another password",
	},
	LinkSent: {
		Quota, "a link was sent to the user a moment ago",
		"wait two minutes before asking again; if somebody else asks again and again, nothing needs to be done: " +
			"the password stays as it is",
	},
	MailOff: {
		Conflict, "no mail can be sent: no mail server is configured",
		"start with --smtp-server, or hand over a one-time password",
	},
	AddressNew: {
		Conflict, "the user's e-mail address is less than a day old, so that it proves nobody",
		"make sure that the address is the user's and send the link from the user's page, or wait a day",
	},
	NoAddress: {
		Conflict, "the user has no e-mail address", "add an address, or hand over a one-time password",
	},
	DeviceNotFound: {NotFound, "there is no such MFA device", "load the page again"},
	TooManyDevices: {
		Quota,
		"no further MFA device can be registered: two authenticator apps and six security keys are allowed, and " +
			"the settings may exclude one kind",
		"delete one that is not used any more",
	},
	FactorRefused: {
		Unauthenticated, "the second factor is not right",
		"try again with the next code; if it goes on, delete the device and register it anew",
	},
	NoDevice: {
		Unauthenticated, "the user has no MFA device, and the settings do not let such users in",
		"register a device for the user, or change what happens to users without one",
	},
	QuotaExceeded: {
		Quota, "there are as many as an instance may have", "delete what is not used any more",
	},
	BoundaryNotFound: {
		NotFound, "the permission set has no permissions boundary", "nothing needs to be done",
	},
	RegionExists: {Conflict, "the Region was added already", "nothing needs to be done"},
	RegionNotFound: {
		NotFound, "the Region was not added", "take the name from `aws sso-admin list-regions`",
	},
	RegionPrimary: {Conflict, "the primary Region cannot be removed", "leave it"},
	InstanceExists: {
		Conflict, "this center is an instance already, and has no other",
		"use the instance that `aws sso-admin list-instances` shows",
	},
	InstanceStays: {
		Conflict, "the instance is the center itself", "stop the center instead, and delete its data folder",
	},
	AccessControlOn: {
		Conflict, "attributes for access control are enabled already", "update the configuration instead",
	},
	AccessControlOff: {
		NotFound, "attributes for access control are not enabled", "create the configuration first",
	},
	ApplicationNotFound: {
		NotFound, "there is no such application", "take the ARN from `aws sso-admin list-applications`",
	},
	ApplicationProviderNotFound: {
		NotFound, "there is no such application provider",
		"take the ARN from `aws sso-admin list-application-providers`",
	},
	ApplicationAssignmentNotFound: {
		NotFound, "the application is not assigned to this principal", "nothing needs to be done",
	},
	AccessScopeNotFound: {NotFound, "the application has no such access scope", "nothing needs to be done"},
	GrantNotFound:       {NotFound, "the application has no such grant", "nothing needs to be done"},
	AuthMethodNotFound: {
		NotFound, "the application has no such authentication method", "nothing needs to be done",
	},
	TokenIssuerNotFound: {
		NotFound, "there is no such trusted token issuer",
		"take the ARN from `aws sso-admin list-trusted-token-issuers`",
	},
	TokenIssuerTaken: {Conflict, "another trusted token issuer has this issuer URL", "update that one"},
	TokenIssuerInUse: {
		Conflict, "an application accepts tokens of this issuer", "delete that grant first",
	},
	TokenReused: {
		Conflict, "the client token was used to ask for something else", "use a new token for a new request",
	},
	ClientInvalid: {
		Unauthenticated, "the client is not registered here, or its registration has expired",
		"delete the registrations in ~/.aws/sso/cache and sign in again",
	},
	ClientMetadataInvalid: {Invalid, "the client cannot be registered like this", "correct the registration"},
	ScopeInvalid:          {Invalid, "there is no such scope here", "ask for sso:account:access"},
	RedirectInvalid: {
		Invalid, "the redirect URI does not lead to this machine, or is not one that the client registered",
		"use http://127.0.0.1 with the path that was registered",
	},
	StartURLUnknown: {
		Invalid, "the start URL is not that of this center", "take the start URL from the access portal",
	},
	ChallengeMissing: {
		Invalid, "an authorization needs a PKCE challenge by S256",
		"send code_challenge and code_challenge_method=S256",
	},
	GrantPending: {Denied, "the user has not decided yet", "ask again in a moment"},
	GrantDenied:  {Denied, "the user has denied the request", "start again, if that was a mistake"},
	GrantExpired: {Denied, "nobody has allowed the request in time", "start again"},
	GrantInvalid: {Denied, "the code or refresh token is not valid", "sign in again"},
	UserCodeUnknown: {
		Unauthenticated, "no device waits with this code",
		"compare it with what the device shows; it is good for ten minutes",
	},
	SlowDown: {Quota, "requests come too fast", "wait a little before the next one"},
	GrantTypeUnsupported: {
		Invalid, "there is no such grant type here", "use a device code, an authorization code or a refresh token",
	},
	BrokerRefused: {
		Denied, "AWS has refused to open the role",
		"see the event's detail; most often the account's SAML provider or role does not trust this center yet",
	},
	AssignmentRuleNotFound: {
		NotFound, "there is no such assignment rule", "list them with gatehouse rules list",
	},
	AssignmentRuleTaken: {Conflict, "there is such an assignment rule already", "nothing is to be done"},
	OrganizationOff: {
		Conflict, "this center does not read an organization",
		"start it with --organizations, or import accounts with gatehouse accounts import",
	},
	OrganizationBusy: {Conflict, "the organization is being read already", "wait until that has ended"},
	OrganizationShrunk: {
		Conflict, "more than half of the accounts have gone from the organization",
		"see whether the right organization was read; if so, run gatehouse accounts sync --force",
	},
	RolesNotKept: {
		Conflict, "this center does not keep roles in IAM",
		"start it with --provisioning-role, or make the roles with gatehouse roles template",
	},
	RoleRefused: {
		Denied, "IAM has refused a change of a role",
		"see the detail; most often this center may not assume its role in the account, or a policy that the " +
			"permission set names is not there",
	},
	RoleUnavailable: {
		Unavailable, "IAM has not answered",
		"it is tried again by itself; if it goes on, look at this machine's way to the internet and at AWS's " +
			"health page",
	},
	BrokerUnavailable: {
		Unavailable, "AWS has not answered",
		"try again in a moment; if it goes on, look at this machine's way to the internet and at AWS's health page",
	},
	AccountSuspended: {
		Denied, "the account is suspended", "nothing can be opened in it until AWS reopens it",
	},
	AdministratorNotFound: {
		NotFound, "there is no administrator of this name",
		"list them on the console's page, or with gatehouse administrators list",
	},
	AdministratorTaken: {
		Conflict, "there is an administrator of this name, ignoring letter case",
		"choose another name, or give that one another password",
	},
	LastAdministrator: {
		Conflict, "it is the last administrator: nobody could sign in to the console any more",
		"add another one first",
	},
	OwnAdministrator: {
		Conflict, "these are your own rights: this is for others to do",
		"ask another administrator; your own password and devices are on your account page",
	},
	RoleNotAssigned: {
		Denied, "the role is not assigned to the user", "ask an administrator for the assignment",
	},
}

// Error is a refusal.
type Error struct {
	Code    Code
	Subject string // the object concerned: an id or a name
	Field   string // the attribute concerned
	Detail  string // more about the reason, for administrators

	// Of a message that failed a check: which one, the value that was expected and the one that was
	// received.
	Check     string
	Want, Got string
}

func (e *Error) Error() string {
	text := Reasons[e.Code].What
	if e.Field != "" {
		text += ": " + e.Field
	}
	if e.Subject != "" {
		text += fmt.Sprintf(" (%s)", e.Subject)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// CodeOf returns the code of a refusal, or "" for any other error.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// KindOf returns the class of an error; Internal for what is no refusal.
func KindOf(err error) Kind { return Reasons[CodeOf(err)].Kind }

// Detail returns the reason in words, for the audit log.
func Detail(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Error()
	}
	return ""
}

// ErrNoRow is what a Reader returns when there is no such row.
var ErrNoRow = errors.New("no such row")

// orRefuse turns the store's "no such row" into a refusal and leaves every other error alone.
func orRefuse(err error, code Code, subject string) error {
	if errors.Is(err, ErrNoRow) {
		return &Error{Code: code, Subject: subject}
	}
	return err
}
