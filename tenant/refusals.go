package tenant

import (
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Refusals is the catalogue of why a tenant refuses. Each refusal is declared here and nowhere
// else: its name, its class, what happened, what to do next, and Entra's number of it where there
// is one. Source of the numbers: Entra's error-code list.
var Refusals refusal.Catalogue

var numbers = map[refusal.Code]int{}

// numbered declares Entra's number of a refusal.
func numbered(number int, code refusal.Code) refusal.Code {
	numbers[code] = number
	return code
}

// AADSTS returns Entra's number of a refusal, or 0.
func AADSTS(code refusal.Code) int { return numbers[code] }

// Requests of all kinds.
var (
	InvalidRequest = numbered(900144, Refusals.New("invalid-request", refusal.Invalid,
		"the request is not well-formed", "correct the request"))
	InvalidValue = Refusals.New("invalid-value", refusal.Invalid,
		"a property has an invalid value", "correct the value")
	NotAllowed = Refusals.New("not-allowed", refusal.Denied,
		"insufficient privileges to complete the operation",
		"sign in as an administrator, or give the client the permission")
	StoreUnavailable = numbered(90033, Refusals.New("store-unavailable", refusal.Unavailable,
		"the database is not available: it cannot be reached, or its disk is full",
		"try again in a few seconds; no confirmed change is lost"))
	// ConcurrentChange may pass, unlike Graph's conflicts, which say that a name is taken.
	ConcurrentChange = numbered(90033, Refusals.New("concurrent-change", refusal.Unavailable,
		"others kept changing the same objects at the same time", "repeat the request; it changed nothing"))
)

// The directory.
var (
	UserNotFound = numbered(50034, Refusals.New("user-not-found", refusal.NotFound,
		"the user does not exist", "check the ID or the user principal name"))
	GroupNotFound = Refusals.New("group-not-found", refusal.NotFound,
		"the group does not exist", "check the ID")
	MemberNotFound = Refusals.New("member-not-found", refusal.NotFound,
		"the member does not exist in the group", "check the IDs")
	UPNTaken = Refusals.New("user-principal-name-taken", refusal.Conflict,
		"another object has this user principal name", "choose another name")
	DeletedItemNotFound = Refusals.New("deleted-item-not-found", refusal.NotFound,
		"no deleted object with this ID can be restored",
		"check the ID; objects can be restored for 30 days after they were deleted")
	RoleNotFound = Refusals.New("directory-role-not-found", refusal.NotFound,
		"the directory role does not exist", "use the template ID of one of the roles that the tenant lists")
	RoleAssignmentNotFound = Refusals.New("role-assignment-not-found", refusal.NotFound,
		"the role assignment does not exist", "check the ID")
	RoleAssignmentExists = Refusals.New("role-assignment-exists", refusal.Conflict,
		"a role assignment with these values already exists", "no action needed")
	PermissionGrantNotFound = Refusals.New("permission-grant-not-found", refusal.NotFound,
		"there is no such permission grant", "use the id of one in the list of grants")
	MemberExists = Refusals.New("member-exists", refusal.Conflict,
		"the object is already a member", "no action needed")
	OwnAccount = Refusals.New("own-account", refusal.Conflict,
		"this is your own account, and without it the others would be refused to you",
		"do the others first, and this on the page of the account")
	LastOwner = Refusals.New("last-owner", refusal.Invalid,
		"the last owner of a group cannot be removed", "add another owner first")
)

// Applications, assignments and policies.
var (
	ApplicationNotFound = numbered(700016, Refusals.New("application-not-found", refusal.NotFound,
		"the application does not exist", "check the ID"))
	TemplateNotFound = Refusals.New("application-template-not-found", refusal.NotFound,
		"the application template does not exist", "search the gallery by name")
	AssignmentNotFound = Refusals.New("app-role-assignment-not-found", refusal.NotFound,
		"the app role assignment does not exist", "check the ID")
	IdentifierTaken = Refusals.New("identifier-uri-taken", refusal.Conflict,
		"another application has this identifier URI", "remove it from that application first")
	AssignmentExists = Refusals.New("app-role-assignment-exists", refusal.Conflict,
		"permission being assigned already exists on the object", "no action needed")
	AppRoleNotFound = Refusals.New("app-role-not-found", refusal.Invalid,
		"the application has no such app role, or it is disabled", "use the ID of an enabled role of the application")
	AppRoleEnabled = Refusals.New("app-role-enabled", refusal.Invalid,
		"an app role cannot be deleted while it is enabled", "disable the role first")
	PrincipalExists = Refusals.New("service-principal-exists", refusal.Conflict,
		"the application has a service principal", "no action needed")
	PolicyNotFound = Refusals.New("policy-not-found", refusal.NotFound,
		"the policy does not exist", "check the ID")
	PolicyAttached = Refusals.New("policy-attached", refusal.Conflict,
		"an application already has a policy of this kind", "detach that policy first")
)

// Provisioning.
var (
	JobNotFound = Refusals.New("synchronization-job-not-found", refusal.NotFound,
		"the synchronization job does not exist", "create it from a template")
	JobExists = Refusals.New("synchronization-job-exists", refusal.Conflict,
		"the application already has a synchronization job", "use the existing job")
	CredentialsMissing = Refusals.New("provisioning-credentials-missing", refusal.Invalid,
		"the tenant URL or the secret token is missing", "save both, then start provisioning")
	CredentialsInvalid = Refusals.New("provisioning-credentials-invalid", refusal.Invalid,
		"the provisioning endpoint did not accept the credentials",
		"check the tenant URL, generate a new access token, and save it")
)

// Signing in.
var (
	SignInFailed = numbered(50126, Refusals.New("sign-in-failed", refusal.Unauthenticated,
		"the user name or password is incorrect", "try again"))
	SignInLocked = numbered(50053, Refusals.New("sign-in-locked", refusal.Unauthenticated,
		"too many wrong passwords", "wait a few minutes and try again"))
	SignInBusy = numbered(90033, Refusals.New("sign-in-busy", refusal.Unavailable,
		"too many people are signing in at the moment, and this password was not checked",
		"try again in a few seconds"))
	SessionInvalid = numbered(50058, Refusals.New("session-invalid", refusal.Unauthenticated,
		"the session is no longer valid", "sign in again"))
	FactorMissing = numbered(50079, Refusals.New("second-factor-missing", refusal.Denied,
		"the user must register a second factor", "register one under My Apps, Security info"))
	FactorWrong = numbered(500121, Refusals.New("second-factor-wrong", refusal.Unauthenticated,
		"authentication failed during the strong authentication request",
		"try again with a new code, or use another method"))
)

// Administrators.
var (
	AdministratorNotFound = Refusals.New("administrator-not-found", refusal.NotFound,
		"there is no administrator with this name",
		"list administrators on the page, or with gatehouse tenant administrators list")
	AdministratorTaken = Refusals.New("administrator-name-taken", refusal.Conflict,
		"an administrator with this name already exists (letter case is ignored)",
		"choose another name, or reset that administrator's password")
	LastAdministrator = Refusals.New("last-administrator", refusal.Conflict,
		"this is the last administrator: without one, nobody could sign in to the admin center",
		"add another administrator first")
	OwnAdministrator = Refusals.New("own-administrator", refusal.Conflict,
		"you cannot change your own rights",
		"ask another administrator; your own password and sign-in methods are on your account page")
)

// SAML.
var (
	SAMLInvalid = numbered(75005, Refusals.New("saml-request-invalid", refusal.Invalid,
		"the SAML request is not valid", "correct the request"))
	SAMLIDInvalid = numbered(7500529, Refusals.New("saml-id-invalid", refusal.Invalid,
		"the value is not a valid SAML ID: it must be an NCName, which does not begin with a number",
		"put a letter or an underscore before the ID"))
	SAMLNotDeflated = numbered(750055, Refusals.New("saml-request-not-deflated", refusal.Invalid,
		"the SAML message was not properly DEFLATE-encoded",
		"deflate the message before base64 in the HTTP-Redirect binding, or use HTTP-POST"))
	SAMLNotBase64 = numbered(750056, Refusals.New("saml-request-not-base64", refusal.Invalid,
		"the SAML message was not properly base64-encoded", "encode the message as base64, and then for the URL"))
	BindingUnsupported = numbered(75003, Refusals.New("saml-binding-unsupported", refusal.Invalid,
		"the response to a SAML request cannot be sent by a binding other than HTTP POST",
		"have the application ask for the HTTP-POST binding, or for none"))
	DestinationUnexpected = numbered(75008, Refusals.New("saml-destination-unexpected", refusal.Denied,
		"the request was denied because it has an unexpected destination",
		"send the request to the address that its Destination names, which is the tenant's sign-in URL"))
	RequestWithoutSAML = numbered(750054, Refusals.New("saml-request-missing", refusal.Invalid,
		"SAMLRequest or SAMLResponse must be present as query string parameters",
		"start the sign-in at the application"))
	RequestExpired = numbered(76026, Refusals.New("saml-request-expired", refusal.Invalid,
		"the request's IssueInstant has expired", "start the sign-in again at the application"))
	IdentifierUnknown = numbered(700016, Refusals.New("saml-identifier-unknown", refusal.Invalid,
		"no application with this identifier was found in the directory",
		"set the application's identifier to the service provider's entity ID"))
	ReplyURLMismatch = numbered(50011, Refusals.New("saml-reply-url-mismatch", refusal.Invalid,
		"the reply URL in the request is not one of the application's",
		"add the service provider's ACS URL to the reply URLs"))
	NameIDPolicyInvalid = numbered(75016, Refusals.New("saml-name-id-policy-invalid", refusal.Invalid,
		"the NameIDPolicy is not supported", "use emailAddress, persistent, transient, unspecified, or none"))
	NameIDMissing = numbered(501241, Refusals.New("saml-name-id-missing", refusal.Invalid,
		"the NameID cannot be issued because the user has no value for its source attribute",
		"give the user a value for the attribute, or choose another source for the NameID"))
	ContextMismatch = numbered(75011, Refusals.New("authentication-context-mismatch", refusal.Invalid,
		"the authentication method by which the user signed in does not match the requested one",
		"have the application drop RequestedAuthnContext, or send ForceAuthn"))
	NotAssigned = numbered(50105, Refusals.New("user-not-assigned", refusal.Denied,
		"the signed in user is not assigned to a role for the application",
		"assign the user or a group that the user is a direct member of"))
	ApplicationDisabled = numbered(7000112, Refusals.New("application-disabled", refusal.Denied,
		"the application is disabled", "enable it for users to sign in"))
	SigningKeyNotFound = Refusals.New("signing-key-not-found", refusal.NotFound,
		"the application has no signing certificate with this thumbprint", "use the thumbprint of one in its list")
	SigningKeyMissing = numbered(50003, Refusals.New("signing-key-missing", refusal.Invalid,
		"the application has no active signing certificate", "add a signing certificate and make it active"))
	LogoutInvalid = numbered(50061, Refusals.New("saml-logout-invalid", refusal.Invalid,
		"the sign-out request is not valid", "correct the request, and set the application's logout URL"))
	LogoutExpired = numbered(50071, Refusals.New("saml-logout-expired", refusal.Invalid,
		"the sign-out request has expired", "start the sign-out again at the application"))
)

// OAuth.
var (
	ClientInvalid = numbered(7000215, Refusals.New("client-invalid", refusal.Unauthenticated,
		"the client ID or secret is incorrect", "check the client's credentials"))
	SecretExpired = numbered(7000222, Refusals.New("client-secret-expired", refusal.Unauthenticated,
		"the client secret has expired", "add a password to the application, and use its secret"))
	ClientUnknown = numbered(700016, Refusals.New("client-unknown", refusal.Unauthenticated,
		"no application with this ID was found in the directory",
		"check the client ID, and that the application is registered in this tenant"))
	AssertionInvalid = numbered(700027, Refusals.New("client-assertion-invalid", refusal.Unauthenticated,
		"the client assertion's signature or contents are not valid",
		"sign with the key of a registered certificate, for this token endpoint"))
	AssertionExpired = numbered(700024, Refusals.New("client-assertion-expired", refusal.Unauthenticated,
		"the client assertion is not within its valid time range", "check the clock, and sign a new assertion"))
	TokenInvalid = Refusals.New("access-token-invalid", refusal.Unauthenticated,
		"the access token is missing, expired or not for this tenant", "request a new token")
	RedirectMismatch = numbered(50011, Refusals.New("redirect-uri-mismatch", refusal.Invalid,
		"the redirect URI is not one of the application's", "register it with the application"))
	ScopeInvalid = numbered(70011, Refusals.New("scope-invalid", refusal.Invalid,
		"the scope is not valid", "request https://graph.microsoft.com/.default, or delegated permissions of Graph"))
	ScopeNotDefault = numbered(1002012, Refusals.New("scope-not-default", refusal.Invalid,
		"the scope is not valid: client credential flows must have a scope that ends in /.default",
		"request https://graph.microsoft.com/.default"))
	ResourceUnknown = numbered(500011, Refusals.New("resource-unknown", refusal.Invalid,
		"the resource principal was not found in the tenant", "request https://graph.microsoft.com/.default"))
	GrantInvalid = numbered(70000, Refusals.New("grant-invalid", refusal.Invalid,
		"the code or token is not valid, was issued to another application, or has been redeemed",
		"start the sign-in again"))
	GrantExpired = numbered(70008, Refusals.New("grant-expired", refusal.Invalid,
		"the code or token has expired", "start the sign-in again"))
	GrantRevoked = numbered(50173, Refusals.New("grant-revoked", refusal.Invalid,
		"the grant was revoked: the password was reset, or the sessions were revoked", "sign in again"))
	VerifierWrong = numbered(50148, Refusals.New("code-verifier-wrong", refusal.Invalid,
		"the code verifier does not match the code challenge", "send the verifier that the challenge was made from"))
	AuthorizationPending = numbered(70016, Refusals.New("authorization-pending", refusal.Invalid,
		"authorization is pending", "continue polling"))
	SlowDown = numbered(70016, Refusals.New("slow-down", refusal.Invalid,
		"the program polls too often", "wait for the interval between polls"))
	AuthorizationDeclined = numbered(70018, Refusals.New("authorization-declined", refusal.Denied,
		"the user declined", "start the sign-in again"))
)
