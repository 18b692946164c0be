package graph

// SignInCode is what a number of Entra's sign-in, such as AADSTS50105, means.
type SignInCode struct {
	// Cause and Do are for a person who meets it at a page: empty where none does.
	Cause, Do string
	// Run is what to do for who meets it where a program signs in; empty where none does.
	Run string
}

// SignInCodeOf is what a number means; zero: it is not one of those that this pair meets.
func SignInCodeOf(number int) SignInCode { return signInCodes[number] }

const (
	signInAgain = "sign in again (such as with az login), then run this again"
	makeAnother = "make a new client secret (App registrations > Certificates & secrets), give its value and not its id"
	condition   = "Conditional Access stops this sign-in: the entry in Entra's sign-in log names the policy"
	registered  = "look at --client-id and --login-url: the application is registered in another tenant, or was deleted"
)

// signInCodes are by the number. Source: "Microsoft Entra authentication and authorization error
// codes".
var signInCodes = map[int]SignInCode{
	50005: {
		Run: condition,
	},
	50011: {
		Cause: "The reply URL of the request is not among those of the application",
		Do:    "Add the ACS URLs of the metadata file",
	},
	50020: {
		Cause: "The account is of another tenant and no guest of this one",
		Do:    "Invite the person, or sign out of the other account",
		Run: "the account is no guest of this tenant: sign in with another one, or name its tenant with " +
			"--login-url",
	},
	50034: {
		Cause: "The tenant has no such account",
		Do:    "Look at the spelling; the account may be deleted",
		Run:   "this tenant has no such account: sign in with another one",
	},
	50053: {
		Cause: "The account is locked after wrong passwords, or its address has a bad name",
		Do:    "Wait, or unlock it",
	},
	50055: {
		Cause: "The password has expired",
		Do:    "Set a new one",
	},
	50057: {
		Cause: "The account is disabled",
		Do:    "Enable it, if the person is still here",
		Run:   "the account is disabled: sign in with another one",
	},
	50059: {
		Run: "look at --login-url: it has no tenant id",
	},
	50072: {
		Cause: "The person must register a second factor",
		Do:    "Register it",
		Run:   signInAgain + ": a second factor has to be registered first",
	},
	50074: {
		Cause: "A second factor is asked for",
		Do:    "Finish the sign-in with it",
	},
	50076: {
		Cause: "A second factor is asked for",
		Do:    "Finish the sign-in with it",
		Run:   signInAgain + ": a second factor is asked for",
	},
	50078: {
		Cause: "The second factor of the sign-in is too old for a policy",
		Do:    "Sign in again",
		Run:   signInAgain,
	},
	50079: {
		Cause: "The person must register a second factor",
		Do:    "Register it",
		Run:   signInAgain + ": a second factor has to be registered first",
	},
	50089: {
		Run: signInAgain,
	},
	50097: {
		Cause: "Conditional Access wants to know the device",
		Do:    "Use a registered device",
		Run:   condition,
	},
	50105: {
		Cause: "The person is not assigned to the application, or only by a group in a group",
		Do:    "Assign the person or their own group",
	},
	50126: {
		Cause: "The password or the user name is wrong",
		Do:    "Sign in again, or reset the password",
	},
	50131: {
		Cause: "Conditional Access or the risk of the sign-in blocks it",
		Do:    "Open the entry in the sign-in log",
		Run:   condition,
	},
	50132: {
		Run: signInAgain,
	},
	50133: {
		Run: signInAgain,
	},
	50158: {
		Cause: "An external challenge of Conditional Access was not met",
		Do:    "Open the entry in the sign-in log",
	},
	50173: {
		Cause: "The sign-in was revoked, such as by a new password",
		Do:    "Sign in again",
		Run:   signInAgain,
	},
	53000: {
		Cause: "Conditional Access wants a compliant device",
		Do:    "Use a managed device, or leave the application out of the policy",
		Run:   condition,
	},
	53001: {
		Cause: "Conditional Access wants a domain joined device",
		Do:    "Use such a device",
		Run:   condition,
	},
	53002: {
		Cause: "Conditional Access wants an approved app",
		Do:    "Use a browser or an app of its list",
		Run:   condition,
	},
	53003: {
		Cause: "Conditional Access blocks the sign-in",
		Do:    "Open the entry in the sign-in log: it names the policy",
		Run:   condition,
	},
	53004: {
		Cause: "The sign-in is too risky to register a second factor in it",
		Do:    "Have an administrator look at the risk",
		Run:   condition,
	},
	65001: {
		Cause: "Nobody consented to the permissions that the program asks for",
		Do:    "Have an administrator consent",
		Run:   "have an administrator grant consent to the application (API permissions > Grant admin consent)",
	},
	65002: {
		Cause: "The program is one of Microsoft's own, which may not ask for this permission",
		Do:    "Sign in by an application of your own (--client-id)",
		Run: "the client id is one of Microsoft's own, which may not ask for this: register an application of " +
			"yours, and give --client-id",
	},
	70000: {
		Run: signInAgain,
	},
	70002: {
		Run: makeAnother,
	},
	70008: {
		Run: signInAgain,
	},
	70043: {
		Cause: "The sign-in is older than Conditional Access lets it be",
		Do:    "Sign in again (such as with az login)",
		Run:   signInAgain,
	},
	70044: {
		Cause: "The sign-in is older than Conditional Access lets it be",
		Do:    "Sign in again (such as with az login)",
		Run:   signInAgain,
	},
	75005: {
		Cause: "The request is not one that Entra supports",
		Do:    "Start again at the portal",
	},
	75011: {
		Cause: "The request wants another way of signing in than the session has",
		Do:    "Send no RequestedAuthnContext",
	},
	76021: {
		Cause: "The application requires signed requests, and AWS signs none",
		Do:    "Switch \"Require verification certificates\" off",
	},
	76026: {
		Cause: "The request is too old: a bookmark of the sign-in page, or a wrong clock",
		Do:    "Bookmark the portal instead",
	},
	90002: {
		Cause: "The tenant of the address does not exist",
		Do:    "Look at the sign-in URL that AWS has",
		Run:   "look at --login-url: no tenant has this id",
	},
	90009: {
		Cause: "The application asks for a token for itself without an identifier",
		Do:    "Set the identifier",
	},
	90019: {
		Cause: "The sign-in names no tenant",
		Do:    "Look at the sign-in URL that AWS has: it has the tenant's id",
	},
	90072: {
		Cause: "The account is of another tenant and no guest of this one",
		Do:    "Invite the person, or sign out of the other account",
	},
	90094: {
		Cause: "Only an administrator may consent to what the program asks for",
		Do:    "Have an administrator consent",
		Run:   "have an administrator grant consent to the application (API permissions > Grant admin consent)",
	},
	500011: {
		Cause: "The resource is not known in the tenant",
		Do:    "Look at the identifier",
		Run:   "Microsoft Graph is not known to this tenant: name the right cloud with --login-url and --graph-url",
	},
	500021: {
		Cause: "A proxy's tenant restrictions do not list the tenant",
		Do:    "Have the tenant added to them",
		Run:   "a proxy's tenant restrictions do not list this tenant: have it added",
	},
	500022: {
		Run: "a proxy's tenant restrictions do not list this tenant: have it added",
	},
	500113: {
		Cause: "The application has no reply URL",
		Do:    "Add the ACS URLs",
	},
	500131: {
		Cause: "The assertion is meant for another application than the one that shows it",
		Do:    "Take the federation metadata and the identifier of one application on both sides",
	},
	500133: {
		Cause: "The assertion or token has expired, or a clock is wrong",
		Do:    "Set the clock, and sign in again",
		Run:   "the token that stands for the workload has expired, or a clock is wrong: set the clock",
	},
	501241: {
		Cause: "The attribute that the NameID is made of is empty for this person",
		Do:    "Fill it, or make the NameID of the user principal name",
	},
	530003: {
		Cause: "Conditional Access wants a managed device",
		Do:    "Use a managed device, or leave the application out of the policy",
		Run:   condition,
	},
	530032: {
		Cause: "A security policy of the tenant blocks the sign-in",
		Do:    "Open the entry in the sign-in log",
		Run:   condition,
	},
	530035: {
		Cause: "The tenant's security defaults block the sign-in",
		Do:    "Open the entry in the sign-in log",
		Run:   condition,
	},
	650056: {
		Cause: "The application is set up wrong: another account, or an identifier of another tenant",
		Do:    "Look at the identifier",
	},
	700011: {
		Run: registered,
	},
	700016: {
		Cause: "No application of the tenant has the identifier that the request names",
		Do:    "Set the identifier to the entity ID of the instance",
		Run:   registered,
	},
	700025: {
		Run: "the application is a public client and takes no secret: use --sign-in device-code or browser",
	},
	700027: {
		Cause: "The certificate or the assertion of the program is not one that its registration has",
		Do:    "Upload the program's certificate again",
		Run:   "the certificate or the assertion is not one of the application's registration: upload it again",
	},
	700082: {
		Cause: "The program's refresh token was not used for long and has ended",
		Do:    "Sign in again",
		Run:   signInAgain,
	},
	700084: {
		Run: signInAgain,
	},
	700213: {
		Run: "no federated credential of the application fits this workload's token: compare issuer and subject",
	},
	750054: {
		Cause: "A page of the application was opened without a SAML request",
		Do:    "Set the sign-on URL to the portal",
	},
	900023: {
		Run: "look at --login-url: no tenant has this id",
	},
	7000112: {
		Cause: "The application is disabled",
		Do:    "Enable it under Properties",
		Run:   "the application is disabled: enable it",
	},
	7000215: {
		Cause: "The client secret of the program is wrong or ran out",
		Do:    "Make a new client secret",
		Run:   makeAnother,
	},
	7000218: {
		Cause: "The application is no public client, and the request has no secret",
		Do:    "Allow public client flows, or sign in with a secret",
		Run: "the application is no public client: allow public client flows (Authentication), or use " +
			"--sign-in client",
	},
	7000222: {
		Cause: "The client secret of the program ran out",
		Do:    "Make a new client secret",
		Run:   makeAnother,
	},
	7500529: {
		Cause: "The id of the SAML request begins with a digit or has what an id may not have",
		Do:    "Have the program that sends the request make ids that begin with a letter",
	},
}
