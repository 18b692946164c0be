package center

import (
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Refusals is the catalogue of why a center refuses. Each refusal is declared here and nowhere
// else: its name, its class, what happened, and what to do next.
var Refusals refusal.Catalogue

// Requests of all kinds.
var (
	InvalidRequest = Refusals.New("invalid-request", refusal.Invalid,
		"the request is not well-formed", "correct the request")
	InvalidValue = Refusals.New("invalid-value", refusal.Invalid,
		"a value breaks the attribute's rule", "correct the value")
	MissingValue = Refusals.New("missing-value", refusal.Invalid,
		"a required attribute is missing", "send the attribute")
	NotSingleValued = Refusals.New("not-single-valued", refusal.Invalid,
		"list attributes hold at most one value", "send a single value, such as the work e-mail address")
	NotAllowed = Refusals.New("not-allowed", refusal.Denied,
		"the caller may not do this", "use the access key of an administrator")
	VersionChanged = Refusals.New("version-changed", refusal.Conflict,
		"the object has been changed since it was read", "read it again and repeat the change")
	QuotaExceeded = Refusals.New("quota-exceeded", refusal.Quota,
		"there are as many as an instance may have", "delete what is not used any more")
	TokenReused = Refusals.New("client-token-reused", refusal.Conflict,
		"the client token was used to ask for something else", "use a new token for a new request")
	RequestNotFound = Refusals.New("request-not-found", refusal.NotFound,
		"there is no request with this id", "take the id from the operation that started it")
	StoreUnavailable = Refusals.New("store-unavailable", refusal.Unavailable,
		"the database is not available: it cannot be reached, or its disk is full",
		"try again in a few seconds; nothing that was confirmed is lost")
	ConcurrentChange = Refusals.New("concurrent-change", refusal.Conflict,
		"others changed the same objects at the same time, again and again",
		"repeat the request; nothing of it was done")
)

// Users, groups and memberships.
var (
	StoreNotFound = Refusals.New("identity-store-not-found", refusal.NotFound,
		"there is no such identity store", "take the id from `aws sso-admin list-instances`")
	UserNotFound = Refusals.New("user-not-found", refusal.NotFound,
		"there is no such user", "check the id or the name")
	GroupNotFound = Refusals.New("group-not-found", refusal.NotFound,
		"there is no such group", "check the id or the name")
	MembershipNotFound = Refusals.New("membership-not-found", refusal.NotFound,
		"there is no such membership", "check the id, or the group and the member")
	UserNameTaken = Refusals.New("user-name-taken", refusal.Conflict,
		"another user has this user name, ignoring letter case", "rename or delete the other user first")
	EmailTaken = Refusals.New("email-taken", refusal.Conflict,
		"another user has this e-mail address, ignoring letter case", "change the address of one of them")
	ExternalIDTaken = Refusals.New("external-id-taken", refusal.Conflict,
		"another object has this external id", "find the object by its external id and update it")
	GroupNameTaken = Refusals.New("group-name-taken", refusal.Conflict,
		"another group has this name, ignoring letter case", "rename or delete the other group first")
	MembershipExists = Refusals.New("membership-exists", refusal.Conflict,
		"the user is a member already", "nothing needs to be done")
	UserDisabled = Refusals.New("user-disabled", refusal.Unauthenticated,
		"the user is disabled", "enable the user in the identity provider or the console")
	ManagedByProvisioning = Refusals.New("managed-by-provisioning", refusal.Denied,
		"automatic provisioning owns users and groups",
		"change it in the identity provider, or through the identitystore API")
)

// The identity source.
var (
	MetadataInvalid = Refusals.New("idp-metadata-invalid", refusal.Invalid,
		"the identity provider's metadata cannot be used",
		"download the application's Federation Metadata XML again and upload it unchanged")
	SourceNotConfigured = Refusals.New("identity-source-not-configured", refusal.Conflict,
		"no identity provider metadata has been uploaded", "upload the metadata first")
	SourceUnchanged = Refusals.New("identity-source-unchanged", refusal.Conflict,
		"this is the identity source already", "nothing needs to be done")
	ConfirmationMissing = Refusals.New("confirmation-missing", refusal.Invalid,
		"the change was not confirmed", "read the report and send the word that it asks for")
	NothingToUndo = Refusals.New("nothing-to-undo", refusal.Conflict,
		"there is no change of the identity source that could be undone; thirty days are the limit",
		"change the identity source instead")
	CertificateInvalid = Refusals.New("certificate-invalid", refusal.Invalid,
		"the certificate cannot be used",
		"send one PEM or DER certificate with an RSA key of 2048 bits or more, or an elliptic-curve key")
	CertificateNotFound = Refusals.New("certificate-not-found", refusal.NotFound,
		"there is no such certificate", "load the page again")
	LastCertificate = Refusals.New("last-certificate", refusal.Conflict,
		"it is the last certificate: nobody could sign in any more", "add the new one first")
)

// Automatic provisioning.
var (
	ProvisioningOff = Refusals.New("automatic-provisioning-off", refusal.Conflict,
		"automatic provisioning is not enabled", "enable it in Settings, or with CreateProvisioningTenant")
	ProvisioningOn = Refusals.New("automatic-provisioning-on", refusal.Conflict,
		"automatic provisioning is enabled already", "use the existing endpoint")
	TokensRemain = Refusals.New("access-tokens-remain", refusal.Conflict,
		"access tokens remain", "delete the access tokens first")
	TooManyTokens = Refusals.New("too-many-access-tokens", refusal.Quota,
		"there are two access tokens already", "delete one of them first")
	TokenNotFound = Refusals.New("access-token-not-found", refusal.NotFound,
		"there is no such access token", "take the id from ListBearerTokens")
	TokenInvalid = Refusals.New("access-token-invalid", refusal.Unauthenticated,
		"the access token is not valid for this endpoint",
		"generate a new access token and give it to the identity provider")
	TokenExpired = Refusals.New("access-token-expired", refusal.Unauthenticated,
		"the access token has expired", "generate a new access token and give it to the identity provider")
)

// Signing in.
var (
	SignInFailed = Refusals.New("sign-in-failed", refusal.Unauthenticated,
		"the user name or password is not right", "try again, or ask an administrator")
	SignInLocked = Refusals.New("sign-in-locked", refusal.Unauthenticated,
		"too many wrong passwords", "wait a few minutes and try again")
	SignInBusy = Refusals.New("sign-in-busy", refusal.Unavailable,
		"too many passwords are being checked at the moment, and this one was not looked at",
		"try again in a few seconds")
	AssertionRefused = Refusals.New("assertion-refused", refusal.Unauthenticated,
		"the SAML response failed a check", "see the event's detail for the check and both values")
	AssertionReplayed = Refusals.New("assertion-replayed", refusal.Unauthenticated,
		"the assertion has been used before", "start the sign-in again")
	RequestUnknown = Refusals.New("authn-request-unknown", refusal.Unauthenticated,
		"the response answers a request that this browser did not make, or made too long ago",
		"start the sign-in again at the access portal")
	SessionInvalid = Refusals.New("session-invalid", refusal.Unauthenticated,
		"the session is not valid any more", "sign in again")
	TicketInvalid = Refusals.New("ticket-invalid", refusal.Unauthenticated,
		"the link or the sign-in is not valid any more: it was used, replaced, or is too old",
		"begin again, or ask for another link")
)

// Passwords, links and second factors.
var (
	PasswordUnfit = Refusals.New("password-unfit", refusal.Invalid,
		"the password cannot be used", "choose one that fulfils the rules")
	PasswordReused = Refusals.New("password-reused", refusal.Invalid,
		"the password cannot be used: it is one of the last three passwords", "choose another password")
	LinkSent = Refusals.New("link-sent-already", refusal.Quota,
		"a link was sent to the user a moment ago",
		"wait two minutes before asking again; if somebody else asks again and again, nothing needs to be "+
			"done: the password stays as it is")
	MailOff = Refusals.New("mail-not-configured", refusal.Conflict,
		"no mail can be sent: no mail server is configured",
		"start with --smtp-server, or hand over a one-time password")
	AddressNew = Refusals.New("address-new", refusal.Conflict,
		"the user's e-mail address is less than a day old, so that it proves nobody",
		"make sure that the address is the user's and send the link from the user's page, or wait a day")
	NoAddress = Refusals.New("no-email-address", refusal.Conflict,
		"the user has no e-mail address", "add an address, or hand over a one-time password")
	DeviceNotFound = Refusals.New("mfa-device-not-found", refusal.NotFound,
		"there is no such MFA device", "load the page again")
	TooManyDevices = Refusals.New("too-many-mfa-devices", refusal.Quota,
		"no further MFA device can be registered: two authenticator apps and six security keys are allowed, "+
			"and the settings may exclude one kind",
		"delete one that is not used any more")
	FactorRefused = Refusals.New("second-factor-refused", refusal.Unauthenticated,
		"the second factor is not right",
		"try again with the next code; if it goes on, delete the device and register it anew")
	NoDevice = Refusals.New("no-mfa-device", refusal.Unauthenticated,
		"the user has no MFA device, and the settings do not let such users in",
		"register a device for the user, or change what happens to users without one")
)

// Administrators and access keys.
var (
	AdministratorNotFound = Refusals.New("administrator-not-found", refusal.NotFound,
		"there is no administrator of this name",
		"list them on the console's page, or with gatehouse administrators list")
	AdministratorTaken = Refusals.New("administrator-name-taken", refusal.Conflict,
		"there is an administrator of this name, ignoring letter case",
		"choose another name, or give that one another password")
	LastAdministrator = Refusals.New("last-administrator", refusal.Conflict,
		"it is the last administrator: nobody could sign in to the console any more", "add another one first")
	OwnAdministrator = Refusals.New("own-administrator", refusal.Conflict,
		"these are your own rights: this is for others to do",
		"ask another administrator; your own password and devices are on your account page")
	KeyNotFound = Refusals.New("access-key-not-found", refusal.NotFound,
		"there is no such access key", "take the id from ListAccessKeys")
	TooManyKeys = Refusals.New("too-many-access-keys", refusal.Quota,
		"there are as many access keys as a center may have", "delete one that is not used any more")
	LastAdministratorKey = Refusals.New("last-administrator-key", refusal.Conflict,
		"it is the last enabled access key of an administrator", "make another one first")
)

// The instance.
var (
	InstanceNotFound = Refusals.New("instance-not-found", refusal.NotFound,
		"there is no such instance", "take the ARN from `aws sso-admin list-instances`")
	InstanceExists = Refusals.New("instance-exists", refusal.Conflict,
		"this center is an instance already, and has no other",
		"use the instance that `aws sso-admin list-instances` shows")
	InstanceStays = Refusals.New("instance-stays", refusal.Conflict,
		"the instance is the center itself", "stop the center instead, and delete its data folder")
	RegionExists = Refusals.New("region-exists", refusal.Conflict,
		"the Region was added already", "nothing needs to be done")
	RegionNotFound = Refusals.New("region-not-found", refusal.NotFound,
		"the Region was not added", "take the name from `aws sso-admin list-regions`")
	RegionPrimary = Refusals.New("region-primary", refusal.Conflict,
		"the primary Region cannot be removed", "leave it")
	AccessControlOn = Refusals.New("access-control-on", refusal.Conflict,
		"attributes for access control are enabled already", "update the configuration instead")
	AccessControlOff = Refusals.New("access-control-off", refusal.NotFound,
		"attributes for access control are not enabled", "create the configuration first")
)

// Permission sets, accounts and assignments.
var (
	PermissionSetNotFound = Refusals.New("permission-set-not-found", refusal.NotFound,
		"there is no such permission set", "take the ARN from `aws sso-admin list-permission-sets`")
	PermissionSetTaken = Refusals.New("permission-set-name-taken", refusal.Conflict,
		"another permission set has this name", "choose another name")
	PermissionSetInUse = Refusals.New("permission-set-in-use", refusal.Conflict,
		"the permission set is assigned", "delete its account assignments first")
	PolicyAttached = Refusals.New("policy-attached", refusal.Conflict,
		"the policy is attached already", "nothing needs to be done")
	PolicyNotAttached = Refusals.New("policy-not-attached", refusal.NotFound,
		"the policy is not attached", "nothing needs to be done")
	BoundaryNotFound = Refusals.New("permissions-boundary-not-found", refusal.NotFound,
		"the permission set has no permissions boundary", "nothing needs to be done")
	AccountNotFound = Refusals.New("account-not-found", refusal.NotFound,
		"there is no such AWS account here", "add the account in the console first")
	AccountSuspended = Refusals.New("account-suspended", refusal.Denied,
		"the account is suspended", "nothing can be opened in it until AWS reopens it")
	RoleNotAssigned = Refusals.New("role-not-assigned", refusal.Denied,
		"the role is not assigned to the user", "ask an administrator for the assignment")
	AssignmentRuleNotFound = Refusals.New("assignment-rule-not-found", refusal.NotFound,
		"there is no such assignment rule", "list them with gatehouse rules list")
	AssignmentRuleTaken = Refusals.New("assignment-rule-taken", refusal.Conflict,
		"there is such an assignment rule already", "nothing is to be done")
)

// What AWS is asked for: credentials, roles and organizations.
var (
	BrokerRefused = Refusals.New("aws-refused", refusal.Denied,
		"AWS has refused to open the role",
		"see the event's detail; most often the account's SAML provider or role does not trust this center yet")
	BrokerUnavailable = Refusals.New("aws-unavailable", refusal.Unavailable,
		"AWS has not answered",
		"try again in a moment; if it goes on, look at this machine's way to the internet and at AWS's health page")
	RolesNotKept = Refusals.New("roles-not-kept", refusal.Conflict,
		"this center does not keep roles in IAM",
		"start it with --provisioning-role, or make the roles with gatehouse roles template")
	RoleRefused = Refusals.New("iam-refused", refusal.Denied,
		"IAM has refused a change of a role",
		"see the detail; most often this center may not assume its role in the account, or a policy that the "+
			"permission set names is not there")
	RoleUnavailable = Refusals.New("iam-unavailable", refusal.Unavailable,
		"IAM has not answered",
		"it is tried again by itself; if it goes on, look at this machine's way to the internet and at AWS's "+
			"health page")
	OrganizationOff = Refusals.New("organization-off", refusal.Conflict,
		"this center does not read an organization",
		"start it with --organizations, or import accounts with gatehouse accounts import")
	OrganizationBusy = Refusals.New("organization-busy", refusal.Conflict,
		"the organization is being read already", "wait until that has ended")
	OrganizationShrunk = Refusals.New("organization-shrunk", refusal.Conflict,
		"more than half of the accounts have gone from the organization",
		"see whether the right organization was read; if so, run gatehouse accounts sync --force")
)

// Applications and trusted token issuers.
var (
	ApplicationNotFound = Refusals.New("application-not-found", refusal.NotFound,
		"there is no such application", "take the ARN from `aws sso-admin list-applications`")
	ApplicationProviderNotFound = Refusals.New("application-provider-not-found", refusal.NotFound,
		"there is no such application provider", "take the ARN from `aws sso-admin list-application-providers`")
	ApplicationAssignmentNotFound = Refusals.New("application-assignment-not-found", refusal.NotFound,
		"the application is not assigned to this principal", "nothing needs to be done")
	AccessScopeNotFound = Refusals.New("access-scope-not-found", refusal.NotFound,
		"the application has no such access scope", "nothing needs to be done")
	GrantNotFound = Refusals.New("grant-not-found", refusal.NotFound,
		"the application has no such grant", "nothing needs to be done")
	AuthMethodNotFound = Refusals.New("authentication-method-not-found", refusal.NotFound,
		"the application has no such authentication method", "nothing needs to be done")
	TokenIssuerNotFound = Refusals.New("token-issuer-not-found", refusal.NotFound,
		"there is no such trusted token issuer", "take the ARN from `aws sso-admin list-trusted-token-issuers`")
	TokenIssuerTaken = Refusals.New("token-issuer-taken", refusal.Conflict,
		"another trusted token issuer has this issuer URL", "update that one")
	TokenIssuerInUse = Refusals.New("token-issuer-in-use", refusal.Conflict,
		"an application accepts tokens of this issuer", "delete that grant first")
)

// Programs that sign users in by OAuth.
var (
	ClientInvalid = Refusals.New("oauth-client-invalid", refusal.Unauthenticated,
		"the client is not registered here, or its registration has expired",
		"delete the registrations in ~/.aws/sso/cache and sign in again")
	ClientMetadataInvalid = Refusals.New("oauth-client-metadata-invalid", refusal.Invalid,
		"the client cannot be registered like this", "correct the registration")
	ScopeInvalid = Refusals.New("scope-invalid", refusal.Invalid,
		"there is no such scope here", "ask for sso:account:access")
	RedirectInvalid = Refusals.New("redirect-uri-invalid", refusal.Invalid,
		"the redirect URI does not lead to this machine, or is not one that the client registered",
		"use http://127.0.0.1 with the path that was registered")
	StartURLUnknown = Refusals.New("start-url-unknown", refusal.Invalid,
		"the start URL is not that of this center", "take the start URL from the access portal")
	ChallengeMissing = Refusals.New("code-challenge-missing", refusal.Invalid,
		"an authorization needs a PKCE challenge by S256", "send code_challenge and code_challenge_method=S256")
	GrantPending = Refusals.New("authorization-pending", refusal.Denied,
		"the user has not decided yet", "ask again in a moment")
	GrantDenied = Refusals.New("authorization-denied", refusal.Denied,
		"the user has denied the request", "start again, if that was a mistake")
	GrantExpired = Refusals.New("authorization-expired", refusal.Denied,
		"nobody has allowed the request in time", "start again")
	GrantInvalid = Refusals.New("grant-invalid", refusal.Denied,
		"the code or refresh token is not valid", "sign in again")
	UserCodeUnknown = Refusals.New("user-code-unknown", refusal.Unauthenticated,
		"no device waits with this code", "compare it with what the device shows; it is good for ten minutes")
	SlowDown = Refusals.New("slow-down", refusal.Quota,
		"requests come too fast", "wait a little before the next one")
	GrantTypeUnsupported = Refusals.New("grant-type-unsupported", refusal.Invalid,
		"there is no such grant type here", "use a device code, an authorization code or a refresh token")
)
