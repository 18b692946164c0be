package tenant

import "errors"

// Kind is the coarse class of a refusal. The zero value is Internal.
type Kind uint8

// The kinds of refusal.
const (
	Internal Kind = iota
	Invalid
	NotFound
	Conflict
	Denied
	Unauthenticated
	Unavailable // nobody's fault but the machine's, and it may pass
)

// Code names one reason for a refusal. Codes are stable: audit events and tests use them.
type Code string

// The codes.
const (
	InvalidRequest      Code = "invalid-request"
	InvalidValue        Code = "invalid-value"
	NotAllowed          Code = "not-allowed"
	UserNotFound        Code = "user-not-found"
	GroupNotFound       Code = "group-not-found"
	MemberNotFound      Code = "member-not-found"
	ApplicationNotFound Code = "application-not-found"
	TemplateNotFound    Code = "application-template-not-found"
	AssignmentNotFound  Code = "app-role-assignment-not-found"
	JobNotFound         Code = "synchronization-job-not-found"
	UPNTaken            Code = "user-principal-name-taken"
	IdentifierTaken     Code = "identifier-uri-taken"
	MemberExists        Code = "member-exists"
	AssignmentExists    Code = "app-role-assignment-exists"
	JobExists           Code = "synchronization-job-exists"
	CredentialsMissing  Code = "provisioning-credentials-missing"
	CredentialsInvalid  Code = "provisioning-credentials-invalid"
	ClientInvalid       Code = "client-invalid"
	TokenInvalid        Code = "access-token-invalid"
	SignInFailed        Code = "sign-in-failed"
	SignInLocked        Code = "sign-in-locked"
	SignInBusy          Code = "sign-in-busy"
	SessionInvalid      Code = "session-invalid"
	SAMLInvalid         Code = "saml-request-invalid"
	IdentifierUnknown   Code = "saml-identifier-unknown"
	ReplyURLMismatch    Code = "saml-reply-url-mismatch"
	NameIDPolicyInvalid Code = "saml-name-id-policy-invalid"
	NotAssigned         Code = "user-not-assigned"
	ApplicationDisabled Code = "application-disabled"
	SigningKeyMissing   Code = "signing-key-missing"
	RequestWithoutSAML  Code = "saml-request-missing"
	RequestExpired      Code = "saml-request-expired"

	LogoutInvalid Code = "saml-logout-invalid"
	LogoutExpired Code = "saml-logout-expired"
	FactorWrong   Code = "second-factor-wrong"

	AdministratorNotFound Code = "administrator-not-found"
	AdministratorTaken    Code = "administrator-name-taken"
	LastAdministrator     Code = "last-administrator"
	OwnAdministrator      Code = "own-administrator"

	NameIDMissing  Code = "saml-name-id-missing"
	PolicyNotFound Code = "policy-not-found"
	PolicyAttached Code = "policy-attached"

	ClientUnknown         Code = "client-unknown"
	AssertionInvalid      Code = "client-assertion-invalid"
	AssertionExpired      Code = "client-assertion-expired"
	RedirectMismatch      Code = "redirect-uri-mismatch"
	ScopeInvalid          Code = "scope-invalid"
	ScopeNotDefault       Code = "scope-not-default"
	GrantInvalid          Code = "grant-invalid"
	GrantExpired          Code = "grant-expired"
	GrantRevoked          Code = "grant-revoked"
	ContextMismatch       Code = "authentication-context-mismatch"
	VerifierWrong         Code = "code-verifier-wrong"
	AuthorizationPending  Code = "authorization-pending"
	SlowDown              Code = "slow-down"
	AuthorizationDeclined Code = "authorization-declined"
)

// Reason explains a code: its class, Entra's number of it where there is one, what happened, and
// what to do next.
type Reason struct {
	Kind         Kind
	AADSTS       int
	What, Remedy string
}

// Reasons is the catalogue of all codes. Sources of the numbers: Entra's error-code list.
var Reasons = map[Code]Reason{
	InvalidRequest: {Invalid, 900144, "the request is not well-formed", "correct the request"},
	InvalidValue:   {Invalid, 0, "a property has an invalid value", "correct the value"},
	NotAllowed: {
		Denied, 0, "insufficient privileges to complete the operation",
		"sign in as an administrator, or give the client the permission",
	},
	UserNotFound:        {NotFound, 50034, "the user does not exist", "check the id or the user principal name"},
	GroupNotFound:       {NotFound, 0, "the group does not exist", "check the id"},
	MemberNotFound:      {NotFound, 0, "the member does not exist in the group", "check the ids"},
	ApplicationNotFound: {NotFound, 700016, "the application does not exist", "check the id"},
	TemplateNotFound:    {NotFound, 0, "the application template does not exist", "search the gallery by name"},
	AssignmentNotFound:  {NotFound, 0, "the app role assignment does not exist", "check the id"},
	JobNotFound:         {NotFound, 0, "the synchronization job does not exist", "create it from a template"},
	UPNTaken:            {Conflict, 0, "another object has this user principal name", "choose another name"},
	IdentifierTaken:     {Conflict, 0, "another application has this identifier URI", "remove it there first"},
	MemberExists:        {Conflict, 0, "the object is a member already", "nothing needs to be done"},
	AssignmentExists: {
		Conflict, 0, "permission being assigned already exists on the object", "nothing needs to be done",
	},
	JobExists: {Conflict, 0, "the application has a synchronization job already", "use the existing job"},
	CredentialsMissing: {
		Invalid, 0, "the tenant URL or the secret token is missing", "save both, then start provisioning",
	},
	CredentialsInvalid: {
		Invalid, 0, "the provisioning endpoint did not accept the credentials",
		"check the tenant URL, generate a new access token and save it",
	},
	ClientInvalid: {
		Unauthenticated, 7000215, "the client id or secret is not right", "check the client's credentials",
	},
	TokenInvalid: {
		Unauthenticated, 0, "the access token is missing, expired or not for this tenant", "request a new token",
	},
	SignInFailed: {Unauthenticated, 50126, "the user name or password is not right", "try again"},
	SignInLocked: {Unauthenticated, 50053, "too many wrong passwords", "wait a few minutes and try again"},
	SignInBusy: {
		Unavailable, 90033, "too many passwords are being checked at the moment, and this one was not looked at",
		"try again in a few seconds",
	},
	SessionInvalid: {Unauthenticated, 50058, "the session is not valid any more", "sign in again"},
	SAMLInvalid:    {Invalid, 75005, "the SAML request is not valid", "correct the request"},
	IdentifierUnknown: {
		Invalid, 700016, "no application with this identifier was found in the directory",
		"set the application's identifier to the service provider's entity ID",
	},
	ReplyURLMismatch: {
		Invalid, 50011, "the reply URL in the request is not one of the application's",
		"add the service provider's ACS URL to the reply URLs",
	},
	NameIDPolicyInvalid: {
		Invalid, 75016, "the NameIDPolicy is not supported",
		"use emailAddress, persistent, transient, unspecified or none",
	},
	NotAssigned: {
		Denied, 50105, "the signed in user is not assigned to a role for the application",
		"assign the user or a group that the user is a direct member of",
	},
	ApplicationDisabled: {Denied, 7000112, "the application is disabled", "enable it for users to sign in"},
	SigningKeyMissing: {
		Invalid, 50003, "the application has no active signing certificate",
		"add a signing certificate and make it active",
	},
	RequestWithoutSAML: {
		Invalid, 750054, "SAMLRequest or SAMLResponse must be present as query string parameters",
		"start the sign-in at the application",
	},
	LogoutInvalid: {
		Invalid, 50061, "the sign-out request is not valid",
		"correct the request, and set the application's logout URL",
	},
	LogoutExpired: {
		Invalid, 50071, "the sign-out request has expired", "start the sign-out again at the application",
	},
	FactorWrong: {
		Unauthenticated, 500121, "authentication failed during the strong authentication request",
		"try again with a new code, or use another method",
	},
	PolicyNotFound: {NotFound, 0, "the policy does not exist", "check the id"},
	PolicyAttached: {Conflict, 0, "an application has a policy of this kind already", "detach it first"},
	NameIDMissing: {
		Invalid, 75008, "the NameID cannot be issued, since the user lacks the attribute that it is made of",
		"give the user the attribute, or choose another source of the NameID",
	},
	AdministratorNotFound: {
		NotFound, 0, "there is no administrator of this name",
		"list them on the page, or with gatehouse tenant administrators list",
	},
	AdministratorTaken: {
		Conflict, 0, "there is an administrator of this name, ignoring letter case",
		"choose another name, or give that one another password",
	},
	LastAdministrator: {
		Conflict, 0, "it is the last administrator: nobody could sign in to the admin center any more",
		"add another one first",
	},
	OwnAdministrator: {
		Conflict, 0, "these are your own rights: this is for others to do",
		"ask another administrator; your own password and sign-in methods are on your account page",
	},
	ClientUnknown: {
		Unauthenticated, 700016, "no application with this id was found in the directory",
		"check the client id, and that it is registered in this tenant",
	},
	AssertionInvalid: {
		Unauthenticated, 700027, "the client assertion's signature or contents are not valid",
		"sign with the key of a registered certificate, for this token endpoint",
	},
	AssertionExpired: {
		Unauthenticated, 700024, "the client assertion is not within its valid time range",
		"check the clock, and sign anew",
	},
	RedirectMismatch: {
		Invalid, 50011, "the redirect URI is not one of the application's", "register it with the application",
	},
	ScopeInvalid: {
		Invalid, 70011, "the scope is not valid",
		"ask for https://graph.microsoft.com/.default, or for delegated permissions of Graph",
	},
	ScopeNotDefault: {
		Invalid, 1002012, "the scope is not valid: client credential flows must have a scope that ends in /.default",
		"ask for https://graph.microsoft.com/.default",
	},
	GrantInvalid: {
		Invalid, 70000, "the code or token is not valid, was issued to another application, or has been redeemed",
		"start the sign-in again",
	},
	GrantExpired: {Invalid, 70008, "the code or token has expired", "start the sign-in again"},
	GrantRevoked: {
		Invalid, 50173, "the grant was revoked: the password was reset, or the sessions were revoked",
		"sign in again",
	},
	VerifierWrong: {
		Invalid, 50148, "the code verifier does not match the code challenge",
		"send the verifier that the challenge was made of",
	},
	AuthorizationPending:  {Invalid, 70016, "authorization is pending", "go on polling"},
	SlowDown:              {Invalid, 70016, "this comes too often", "wait for the interval between polls"},
	AuthorizationDeclined: {Denied, 70018, "the person has declined", "start the sign-in again"},
	ContextMismatch: {
		Invalid, 75011, "the authentication method by which the user signed in does not match the requested one",
		"have the application drop RequestedAuthnContext, or send ForceAuthn",
	},
	RequestExpired: {
		Invalid, 76026, "the request's IssueInstant has expired", "start the sign-in again at the application",
	},
}

// Error is a refusal.
type Error struct {
	Code    Code
	Subject string
	Detail  string
}

func (e *Error) Error() string {
	text := Reasons[e.Code].What
	if e.Subject != "" {
		text += " (" + e.Subject + ")"
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

// ErrNoRow is what a Reader returns when there is no such row.
var ErrNoRow = errors.New("no such row")

// orRefuse turns the store's "no such row" into a refusal and leaves every other error alone.
func orRefuse(err error, code Code, subject string) error {
	if errors.Is(err, ErrNoRow) {
		return &Error{Code: code, Subject: subject}
	}
	return err
}
