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
		"the value is not valid for this attribute", "correct the value")
	MissingValue = Refusals.New("missing-value", refusal.Invalid,
		"a required attribute is missing", "send the attribute")
	NotSingleValued = Refusals.New("not-single-valued", refusal.Invalid,
		"a list attribute can have at most one value", "send a single value, such as the work email address")
	NotAllowed = Refusals.New("not-allowed", refusal.Denied,
		"the caller is not allowed to do this", "use the access key of an administrator")
	NetworkNotAllowed = Refusals.New("network-not-allowed", refusal.Denied,
		"the network controls do not allow requests from this address",
		"come from an allowed network, or have an administrator change the controls in the console's settings")
	VersionChanged = Refusals.New("version-changed", refusal.Conflict,
		"the object has changed since it was read", "read it again and repeat the change")
	QuotaExceeded = Refusals.New("quota-exceeded", refusal.Quota,
		"the instance has reached its limit", "delete what you no longer use")
	TokenReused = Refusals.New("client-token-reused", refusal.Conflict,
		"the client token was used for a different request", "use a new token for a new request")
	RequestNotFound = Refusals.New("request-not-found", refusal.NotFound,
		"there is no request with this ID", "use the ID that the operation returned when it started")
	RevocationNotFound = Refusals.New("revocation-not-found", refusal.NotFound,
		"there is no record of a revocation with this ID", "use an ID that ListRevocations returns; records are kept "+
			"for 400 days")
	StoreUnavailable = Refusals.New("store-unavailable", refusal.Unavailable,
		"the database is not available: it cannot be reached, or its disk is full",
		"try again in a few seconds; no confirmed change is lost")
	// ConcurrentChange may pass, unlike conflicts, which say that something is taken.
	ConcurrentChange = Refusals.New("concurrent-change", refusal.Unavailable,
		"others kept changing the same objects at the same time", "repeat the request; it changed nothing")
)

// Users, groups and memberships.
var (
	StoreNotFound = Refusals.New("identity-store-not-found", refusal.NotFound,
		"there is no such identity store", "use an ID from `aws sso-admin list-instances`")
	UserNotFound = Refusals.New("user-not-found", refusal.NotFound,
		"there is no such user", "check the ID or the name")
	GroupNotFound = Refusals.New("group-not-found", refusal.NotFound,
		"there is no such group", "check the ID or the name")
	MembershipNotFound = Refusals.New("membership-not-found", refusal.NotFound,
		"there is no such membership", "check the ID, or the group and the member")
	UserNameTaken = Refusals.New("user-name-taken", refusal.Conflict,
		"another user has this user name (letter case is ignored)", "rename or delete the other user first")
	EmailTaken = Refusals.New("email-taken", refusal.Conflict,
		"another user has this email address (letter case is ignored)", "change one of the two addresses")
	ExternalIDTaken = Refusals.New("external-id-taken", refusal.Conflict,
		"another object has this external ID", "find the object by its external ID and update it")
	GroupNameTaken = Refusals.New("group-name-taken", refusal.Conflict,
		"another group has this name (letter case is ignored)", "rename or delete the other group first")
	MembershipExists = Refusals.New("membership-exists", refusal.Conflict,
		"the user is already a member", "no action needed")
	UserDisabled = Refusals.New("user-disabled", refusal.Unauthenticated,
		"the user is disabled", "enable the user in the identity provider or the console")
	ManagedByProvisioning = Refusals.New("managed-by-provisioning", refusal.Denied,
		"automatic provisioning manages users and groups",
		"make the change in the identity provider, or through the identitystore API")
)

// The identity source.
var (
	MetadataInvalid = Refusals.New("idp-metadata-invalid", refusal.Invalid,
		"the identity provider's metadata cannot be used",
		"correct what is named, or download the metadata from the identity provider again and upload it unchanged")
	SourceNotConfigured = Refusals.New("identity-source-not-configured", refusal.Conflict,
		"no identity provider metadata has been uploaded", "upload the metadata first")
	SourceUnchanged = Refusals.New("identity-source-unchanged", refusal.Conflict,
		"this is already the identity source", "no action needed")
	SourceMoved = Refusals.New("identity-source-moved", refusal.Conflict,
		"the identity source is another one than the request names", "look at the identity source, and decide again")
	ConfirmationMissing = Refusals.New("confirmation-missing", refusal.Invalid,
		"the change was not confirmed", "read the report and enter the word that it asks for")
	NothingToUndo = Refusals.New("nothing-to-undo", refusal.Conflict,
		"there is no change of the identity source to undo; you can undo one within 30 days",
		"change the identity source instead")
	CertificateInvalid = Refusals.New("certificate-invalid", refusal.Invalid,
		"the certificate cannot be used",
		"send one PEM or DER certificate with an RSA key of 2048 bits or more, or an elliptic-curve key")
	CertificateNotFound = Refusals.New("certificate-not-found", refusal.NotFound,
		"there is no such certificate",
		"see `gatehouse identity-source show` or `gatehouse applications show`; on a page, reload it")
	SpareCertificate = Refusals.New("spare-certificate", refusal.Conflict,
		"the application has a certificate that does not sign", "make it active or delete it first")
	LastCertificate = Refusals.New("last-certificate", refusal.Conflict,
		"this is the last certificate: without it, nobody could sign in", "add the new certificate first")
)

// Automatic provisioning.
var (
	ProvisioningOff = Refusals.New("automatic-provisioning-off", refusal.Conflict,
		"automatic provisioning is not enabled", "enable it in Settings, or with CreateProvisioningTenant")
	ProvisioningOn = Refusals.New("automatic-provisioning-on", refusal.Conflict,
		"automatic provisioning is already enabled",
		"`gatehouse provisioning status` shows its endpoint, and `gatehouse provisioning disable` removes it")
	TokensRemain = Refusals.New("access-tokens-remain", refusal.Conflict,
		"access tokens still exist",
		"delete the access tokens first; `gatehouse provisioning disable --revoke-tokens` does both")
	TooManyTokens = Refusals.New("too-many-access-tokens", refusal.Quota,
		"there are already two access tokens", "delete one of them first")
	TokenNotFound = Refusals.New("access-token-not-found", refusal.NotFound,
		"there is no such access token", "list the access tokens with `gatehouse scim-tokens list`")
	TokenInvalid = Refusals.New("access-token-invalid", refusal.Unauthenticated,
		"the access token is not valid for this endpoint",
		"generate a new access token and give it to the identity provider")
	TokenExpired = Refusals.New("access-token-expired", refusal.Unauthenticated,
		"the access token has expired", "generate a new access token and give it to the identity provider")
)

// Signing in.
var (
	SignInFailed = Refusals.New("sign-in-failed", refusal.Unauthenticated,
		"the user name or password is incorrect", "try again, or ask an administrator")
	SignInLocked = Refusals.New("sign-in-locked", refusal.Unauthenticated,
		"too many wrong passwords", "wait a few minutes and try again")
	SignInBusy = Refusals.New("sign-in-busy", refusal.Unavailable,
		"too many people are signing in at the moment, and this password was not checked", "try again in a few seconds")
	AssertionRefused = Refusals.New("assertion-refused", refusal.Unauthenticated,
		"the SAML response failed a check",
		"see the event's detail for the check, the expected value, and the received value")
	AssertionReplayed = Refusals.New("assertion-replayed", refusal.Unauthenticated,
		"the assertion was already used", "start the sign-in again")
	RequestUnknown = Refusals.New("authn-request-unknown", refusal.Unauthenticated,
		"the response answers a request that this browser did not make, or made too long ago",
		"start the sign-in again at the access portal")
	SessionInvalid = Refusals.New("session-invalid", refusal.Unauthenticated,
		"the session is no longer valid", "sign in again")
	TicketInvalid = Refusals.New("ticket-invalid", refusal.Unauthenticated,
		"the link or the sign-in is no longer valid: it was used, replaced, or is too old",
		"start again, or request another link")
)

// Passwords, links and second factors.
var (
	PasswordUnfit = Refusals.New("password-unfit", refusal.Invalid,
		"the password cannot be used", "choose a password that meets the rules")
	PasswordReused = Refusals.New("password-reused", refusal.Invalid,
		"the password cannot be used: it is one of the last three passwords", "choose another password")
	LinkSent = Refusals.New("link-sent-already", refusal.Quota,
		"a link was sent to the user a moment ago",
		"wait two minutes before you request another link; if someone else keeps requesting links, no "+
			"action needed: the password does not change")
	MailOff = Refusals.New("mail-not-configured", refusal.Conflict,
		"email cannot be sent: no SMTP server is configured",
		"start with --smtp-server, or give the user a one-time password")
	AddressNew = Refusals.New("address-new", refusal.Conflict,
		"the user's email address is less than a day old and proves nothing yet",
		"make sure that the address is the user's and send the link from the user's page, or wait a day")
	NoAddress = Refusals.New("no-email-address", refusal.Conflict,
		"the user has no email address", "add an address, or give the user a one-time password")
	DeviceNotFound = Refusals.New("mfa-device-not-found", refusal.NotFound,
		"there is no such MFA device", "`gatehouse users show USER` lists those of a user; on a page, reload it")
	TooManyDevices = Refusals.New("too-many-mfa-devices", refusal.Quota,
		"no more MFA devices can be registered: the limit is two authenticator apps and six security "+
			"keys, and the settings may exclude one kind",
		"delete a device that you no longer use")
	FactorRefused = Refusals.New("second-factor-refused", refusal.Unauthenticated,
		"the second factor is incorrect",
		"try again with the next code; if it fails again, delete the device and register it again")
	NoDevice = Refusals.New("no-mfa-device", refusal.Unauthenticated,
		"the user has no MFA device, and the settings do not let such users sign in",
		"register a device for the user, or change the setting for users without one")
)

// Administrators and access keys.
var (
	AdministratorNotFound = Refusals.New("administrator-not-found", refusal.NotFound,
		"there is no administrator with this name",
		"list administrators on the console's page, or with gatehouse administrators list")
	AdministratorTaken = Refusals.New("administrator-name-taken", refusal.Conflict,
		"an administrator with this name already exists (letter case is ignored)",
		"choose another name, or reset that administrator's password")
	LastAdministrator = Refusals.New("last-administrator", refusal.Conflict,
		"this is the last administrator: without one, nobody could sign in to the console",
		"add another administrator first")
	OwnAdministrator = Refusals.New("own-administrator", refusal.Conflict,
		"you cannot change your own rights",
		"ask another administrator; your own password and devices are on your account page")
	KeyNotFound = Refusals.New("access-key-not-found", refusal.NotFound,
		"there is no such access key", "list the access keys with `gatehouse access-keys list`")
	TooManyKeys = Refusals.New("too-many-access-keys", refusal.Quota,
		"the center has reached its limit of access keys", "delete a key that you no longer use")
	LastAdministratorKey = Refusals.New("last-administrator-key", refusal.Conflict,
		"this is the last enabled access key of an administrator", "create another one first")
)

// The instance.
var (
	InstanceNotFound = Refusals.New("instance-not-found", refusal.NotFound,
		"there is no such instance", "use an ARN from `aws sso-admin list-instances`")
	InstanceExists = Refusals.New("instance-exists", refusal.Conflict,
		"this center already is an instance, and cannot have another",
		"use the instance that `aws sso-admin list-instances` shows")
	InstanceInUse = Refusals.New("instance-in-use", refusal.Conflict,
		"the center holds something already, and cannot become the copy of another instance",
		"use an empty data folder")
	InstanceStays = Refusals.New("instance-stays", refusal.Conflict,
		"the instance is the center itself and cannot be deleted", "stop the center and delete its data folder instead")
	RegionExists = Refusals.New("region-exists", refusal.Conflict,
		"the Region was already added", "no action needed")
	RegionNotFound = Refusals.New("region-not-found", refusal.NotFound,
		"the Region was not added", "use a name from `aws sso-admin list-regions`")
	RegionPrimary = Refusals.New("region-primary", refusal.Conflict,
		"the primary Region cannot be removed", "keep the primary Region")
	AccessControlOn = Refusals.New("access-control-on", refusal.Conflict,
		"attributes for access control are already enabled", "update the configuration instead")
	AccessControlOff = Refusals.New("access-control-off", refusal.NotFound,
		"attributes for access control are not enabled", "create the configuration first")
)

// Permission sets, accounts and assignments.
var (
	PermissionSetNotFound = Refusals.New("permission-set-not-found", refusal.NotFound,
		"there is no such permission set", "use an ARN from `aws sso-admin list-permission-sets`")
	PermissionSetsOff = Refusals.New("permission-sets-not-enabled", refusal.Invalid,
		"permission sets are not enabled for this instance",
		"enable them: `aws sso-admin update-instance --permission-sets-enabled`")
	PermissionSetTaken = Refusals.New("permission-set-name-taken", refusal.Conflict,
		"another permission set has this name", "choose another name")
	PermissionSetInUse = Refusals.New("permission-set-in-use", refusal.Conflict,
		"the permission set is assigned", "delete its account assignments first")
	PolicyAttached = Refusals.New("policy-attached", refusal.Conflict,
		"the policy is already attached", "no action needed")
	PolicyNotAttached = Refusals.New("policy-not-attached", refusal.NotFound,
		"the policy is not attached", "no action needed")
	TooManyPolicies = Refusals.New("too-many-policies", refusal.Quota,
		"no more policies can be attached to the permission set", "detach one first, or use the inline policy")
	PolicyTooLarge = Refusals.New("policy-too-large", refusal.Invalid,
		"the policy is too large", "shorten it, or attach managed policies instead")
	BoundaryNotFound = Refusals.New("permissions-boundary-not-found", refusal.NotFound,
		"the permission set has no permissions boundary", "no action needed")
	AccountNotFound = Refusals.New("account-not-found", refusal.NotFound,
		"this AWS account is not in the center", "add the account in the console first")
	AccountSuspended = Refusals.New("account-suspended", refusal.Denied,
		"the account is suspended", "wait until AWS reopens the account; until then, no role in it can be opened")
	PrincipalStays = Refusals.New("principal-stays", refusal.Conflict,
		"the user or the group is still there", "use it for deleted users and groups; disable a user before you "+
			"remove what the user has")
	RoleNotAssigned = Refusals.New("role-not-assigned", refusal.Denied,
		"the role is not assigned to the user", "ask an administrator for the assignment")
	RoleNotAssumable = Refusals.New("role-not-assumable", refusal.Denied,
		"the role does not trust the caller to open it for the user of this application",
		"sign with an administrator's access key, or give the application the scope sso:account:access")
	ContextInvalid = Refusals.New("identity-context-invalid", refusal.Denied,
		"the identity context is not valid any more",
		"get new tokens of the application with CreateTokenWithIAM")
	SessionTooLong = Refusals.New("role-session-too-long", refusal.Invalid,
		"the session would be longer than the permission set allows",
		"ask for less, or raise the session duration of the permission set")
	AssignmentNotFound = Refusals.New("assignment-not-found", refusal.NotFound,
		"there is no such assignment", "no action needed")
	AssignmentStays = Refusals.New("assignment-stays", refusal.Conflict,
		"the assignment cannot be deleted",
		"if it follows an assignment rule, delete the rule, or move the account out of it")
	AssignmentRuleNotFound = Refusals.New("assignment-rule-not-found", refusal.NotFound,
		"there is no such assignment rule", "list the rules with gatehouse rules list")
	AssignmentRuleTaken = Refusals.New("assignment-rule-taken", refusal.Conflict,
		"this assignment rule already exists", "no action needed")
	AccountLabelNotFound = Refusals.New("account-label-not-found", refusal.NotFound,
		"there is no such label of accounts", "list the labels with gatehouse accounts label list")
)

// Requests for access that ends.
var (
	RequestPolicyNotFound = Refusals.New("request-policy-not-found", refusal.NotFound,
		"there is no such policy for requests", "list the policies with gatehouse access policy list")
	RequestPolicyTaken = Refusals.New("request-policy-name-taken", refusal.Conflict,
		"another policy for requests has this name (letter case is ignored)", "choose another name")
	AccessNotOffered = Refusals.New("access-not-offered", refusal.Denied,
		"no policy lets this person ask for this access",
		"ask an administrator for a policy, or for a place in the group that it names")
	AccessRequestNotFound = Refusals.New("access-request-not-found", refusal.NotFound,
		"there is no such request for access", "list the requests with gatehouse access list")
	AccessRequestOpen = Refusals.New("access-request-open", refusal.Conflict,
		"you have asked for this access already, and the request is open",
		"wait for the decision, or end that request first")
	AccessRequestClosed = Refusals.New("access-request-closed", refusal.Conflict,
		"nothing can be decided on this request anymore", "look at the request; a new one can be made")
	AccessDecidedAlready = Refusals.New("access-decided-already", refusal.Conflict,
		"you have approved this request already", "wait for the second approver")
	OwnAccessRequest = Refusals.New("own-access-request", refusal.Denied,
		"nobody decides on a request of their own", "ask another approver")
	NotApprover = Refusals.New("not-an-approver", refusal.Denied,
		"this person is not among the approvers of the request", "ask somebody in the policy's group of approvers")
	TooManyAccessRequests = Refusals.New("too-many-access-requests", refusal.Quota,
		"there are too many requests for access", "end requests that you do not need, or wait until tomorrow")
	AccessReviewNotFound = Refusals.New("access-review-not-found", refusal.NotFound,
		"there is no such review of access", "list the reviews with gatehouse access review list")
	ReviewLineNotFound = Refusals.New("review-line-not-found", refusal.NotFound,
		"the review has no such line", "list the lines with gatehouse access review show")
	AccessReviewClosed = Refusals.New("access-review-closed", refusal.Conflict,
		"nothing can be decided on this anymore", "start another review, or restore what was taken")
	NothingToReview = Refusals.New("nothing-to-review", refusal.Conflict,
		"nobody has anything that the review would be about", "choose another permission set or account")
	NothingToRestore = Refusals.New("nothing-to-restore", refusal.Conflict,
		"this cannot be given back", "assign it anew")
	NotReviewOwner = Refusals.New("not-the-owner", refusal.Denied,
		"this person is not the owner who reviews this", "ask the owner, or an administrator")
	OwnReviewedAccess = Refusals.New("own-reviewed-access", refusal.Denied,
		"nobody confirms access of their own", "ask another owner, or an administrator")
	WebhookInvalid = Refusals.New("webhook-invalid", refusal.Invalid,
		"notices cannot be posted to this address", "use an https address that this center may reach")
)

// What AWS is asked for: credentials, roles and organizations.
var (
	BrokerRefused = Refusals.New("aws-refused", refusal.Denied,
		"AWS refused to open the role",
		"see the event's detail; most often, the account's SAML provider or role does not trust this center yet")
	BrokerUnavailable = Refusals.New("aws-unavailable", refusal.Unavailable,
		"AWS did not answer",
		"try again in a moment; if it persists, check this machine's internet access and the AWS health page")
	RolesNotKept = Refusals.New("roles-not-kept", refusal.Conflict,
		"this center does not manage roles in IAM",
		"start it with --provisioning-role, or create the roles with gatehouse roles template")
	AccessManagerExists = Refusals.New("account-access-exists", refusal.Conflict,
		"there is an account access application for this instance already, with other tags",
		"use the one that `gatehouse account-access status` shows, or change its tags")
	AccessManagerNotFound = Refusals.New("account-access-not-found", refusal.NotFound,
		"there is no such account access application", "make it with `gatehouse account-access enable`")
	EntitlementsRemain = Refusals.New("entitlements-remain", refusal.Conflict,
		"there are entitlements still", "delete the entitlements first")
	EntitlementNotFound = Refusals.New("entitlement-not-found", refusal.NotFound,
		"there is no such entitlement", "use an ID that `gatehouse account-access list` shows")
	RoleUntrusting = Refusals.New("role-untrusting", refusal.Invalid,
		"the role does not let this center open it", "add the statement that is named to the role's trust policy")
	RoleRefused = Refusals.New("iam-refused", refusal.Denied,
		"IAM refused to change a role",
		"see the detail; most often, this center cannot assume its role in the account, or a policy that "+
			"the permission set names does not exist")
	RoleUnavailable = Refusals.New("iam-unavailable", refusal.Unavailable,
		"IAM did not answer",
		"Gatehouse retries automatically; if it persists, check this machine's internet access and the AWS health page")
	OrganizationOff = Refusals.New("organization-off", refusal.Conflict,
		"this center does not read an organization",
		"start it with --organizations, or import accounts with gatehouse accounts import")
	OrganizationBusy = Refusals.New("organization-busy", refusal.Conflict,
		"the organization is already being read", "wait until that has ended")
	OrganizationShrunk = Refusals.New("organization-shrunk", refusal.Conflict,
		"more than half of the accounts have disappeared from the organization",
		"check that the right organization was read; if it was, run gatehouse accounts sync --force")
)

// Applications and trusted token issuers.
var (
	ApplicationNotFound = Refusals.New("application-not-found", refusal.NotFound,
		"there is no such application", "use an ARN from `aws sso-admin list-applications`")
	ApplicationProviderNotFound = Refusals.New("application-provider-not-found", refusal.NotFound,
		"there is no such application provider", "use an ARN from `aws sso-admin list-application-providers`")
	ApplicationAssignmentNotFound = Refusals.New("application-assignment-not-found", refusal.NotFound,
		"the application is not assigned to this principal", "no action needed")
	ApplicationNotAssigned = Refusals.New("application-not-assigned", refusal.Denied,
		"the application is not assigned to the user or to a group of the user",
		"assign the application to the user or to a group on its page in the console")
	ApplicationDisabled = Refusals.New("application-disabled", refusal.Denied,
		"the application is disabled", "enable the application on its page in the console")
	SAMLNotConfigured = Refusals.New("saml-application-not-configured", refusal.Conflict,
		"the application has no ACS URL and no audience yet",
		"upload the application's SAML metadata on its page in the console")
	SAMLRequestInvalid = Refusals.New("saml-application-request-invalid", refusal.Invalid,
		"the application's sign-in request cannot be answered",
		"compare the application's entity ID, ACS URL and clock with its page in the console")
	SAMLSubjectMissing = Refusals.New("saml-application-subject-missing", refusal.Invalid,
		"the user has no value for the subject of the application's assertion",
		"give the user the value, or change the subject on the application's page in the console")
	AccessScopeNotFound = Refusals.New("access-scope-not-found", refusal.NotFound,
		"the application has no such access scope", "no action needed")
	GrantNotFound = Refusals.New("grant-not-found", refusal.NotFound,
		"the application has no such grant", "no action needed")
	AuthMethodNotFound = Refusals.New("authentication-method-not-found", refusal.NotFound,
		"the application has no such authentication method", "no action needed")
	GrantNotAllowed = Refusals.New("application-grant-missing", refusal.Denied,
		"the application does not have this grant",
		"add the grant to the application with `aws sso-admin put-application-grant`")
	ActorNotAllowed = Refusals.New("application-actor-not-allowed", refusal.Denied,
		"the application's authentication method does not let the caller ask for tokens",
		"name the caller in the actor policy: `aws sso-admin put-application-authentication-method`")
	ScopeNotGranted = Refusals.New("application-scope-missing", refusal.Invalid,
		"the application or the token that is renewed does not have this scope",
		"ask for less, or add the scope with `aws sso-admin put-application-access-scope`")
	AssertionUntrusted = Refusals.New("issued-token-refused", refusal.Denied,
		"the token of the trusted token issuer failed a check",
		"see the event's detail for the check, the expected value, and the received value")
	TokenIssuerUnavailable = Refusals.New("token-issuer-unavailable", refusal.Unavailable,
		"the trusted token issuer does not publish the keys of its tokens at the moment",
		"check that its /.well-known/openid-configuration can be reached from here, and try again")
	TokenIssuerNotFound = Refusals.New("token-issuer-not-found", refusal.NotFound,
		"there is no such trusted token issuer", "use an ARN from `aws sso-admin list-trusted-token-issuers`")
	TokenIssuerTaken = Refusals.New("token-issuer-taken", refusal.Conflict,
		"another trusted token issuer has this issuer URL", "update that issuer")
	TokenIssuerInUse = Refusals.New("token-issuer-in-use", refusal.Conflict,
		"an application accepts tokens from this issuer", "delete that grant first")
)

// Programs that sign users in by OAuth.
var (
	ClientInvalid = Refusals.New("oauth-client-invalid", refusal.Unauthenticated,
		"the client is not registered here, or its registration has expired",
		"delete the registrations in ~/.aws/sso/cache and sign in again")
	ClientMetadataInvalid = Refusals.New("oauth-client-metadata-invalid", refusal.Invalid,
		"the client registration is not valid", "correct the registration")
	ScopeInvalid = Refusals.New("scope-invalid", refusal.Invalid,
		"this scope is not supported", "request sso:account:access")
	RedirectInvalid = Refusals.New("redirect-uri-invalid", refusal.Invalid,
		"the redirect URI does not lead to this machine, or the client did not register it",
		"use http://127.0.0.1 with the registered path")
	StartURLUnknown = Refusals.New("start-url-unknown", refusal.Invalid,
		"the start URL is not that of this center", "use the start URL of the access portal")
	ChallengeMissing = Refusals.New("code-challenge-missing", refusal.Invalid,
		"an authorization request needs a PKCE challenge (S256)", "send code_challenge and code_challenge_method=S256")
	GrantPending = Refusals.New("authorization-pending", refusal.Denied,
		"the user has not decided yet", "poll again in a moment")
	GrantDenied = Refusals.New("authorization-denied", refusal.Denied,
		"the user denied the request", "start again if that was a mistake")
	GrantExpired = Refusals.New("authorization-expired", refusal.Denied,
		"nobody allowed the request in time", "start again")
	GrantInvalid = Refusals.New("grant-invalid", refusal.Denied,
		"the code or refresh token is not valid", "sign in again")
	ClientTokenExpired = Refusals.New("client-token-expired", refusal.Denied,
		"the token has expired", "get a new one")
	UserCodeUnknown = Refusals.New("user-code-unknown", refusal.Unauthenticated,
		"no device is waiting with this code",
		"compare it with the code that the device shows; a code is valid for ten minutes")
	SlowDown = Refusals.New("slow-down", refusal.Quota,
		"there are too many requests", "wait a moment before the next request")
	GrantTypeUnsupported = Refusals.New("grant-type-unsupported", refusal.Invalid,
		"this grant type is not supported", "use a device code, an authorization code, or a refresh token")
)
