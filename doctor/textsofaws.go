package doctor

const cliGuide = "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html"

// textsOfAWS are what AWS's APIs, the programs that call them and CloudTrail say. They are more
// particular than texts, and come before. Sources: the errors sections of the API references of
// sso-admin, sso-oidc and identitystore, and the troubleshooting pages of the user guides.
var textsOfAWS = []text{
	{
		"NameID format", [][]string{words("name id policy", "nameid policy", "nameidpolicy", "name id format",
			"nameid format", "invalidnameidpolicy")},
		[]string{"name-id", "refused-assertions"},
		Broken, "The NameID has another format than AWS asks for: it takes emailAddress, and unspecified",
		"Set the format of the NameID to Email address under Attributes & Claims", awsGuide + "other-idps.html",
	},
	{
		"role session name", [][]string{words("rolesessionname")}, []string{"name-id/guest", "characters"},
		Broken, "A role session is named after the user, and takes only letters, digits and _ + = , . @ - up to 64: " +
			"guests' #EXT# and long names do not fit",
		"Use mail for guests, and shorter names",
		"https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithSAML.html",
	},
	{
		"still assigned", [][]string{words("applicationprofile", "application profile associated",
			"permissionset has", "still associated")}, nil,
		OK, "A permission set that is assigned or provisioned somewhere cannot be deleted",
		"Delete its assignments first, and wait for their end", awsGuide + "howtoremovepermissionset.html",
	},
	{
		"permission set exists", [][]string{words("permissionset with name", "permission set with name"),
			words("exists")}, nil,
		OK, "A permission set of that name is there already: names are unique in an instance",
		"Import it into the program that creates it, or choose another name",
		awsGuide + "permissionsetsconcept.html",
	},
	{
		"operation in process", [][]string{words("conflicting operation", "operation in process",
			"operation is in progress", "another operation", "concurrentmodification")}, nil,
		OK, "AWS still carries out another change of the same object", "Try again in a minute",
		"https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html",
	},
	{
		"account suspended", [][]string{words("obtaining permissions to manage",
			"takes longer than usual", "taking longer than usual")},
		[]string{"permission-set/account", "permission-set"},
		Broken, "AWS cannot reach the account: it is suspended, closing, or brand-new",
		"Leave suspended accounts out, and delete their assignments; try again for a new one",
		awsGuide + "troubleshooting.html",
	},
	{
		"two tokens", [][]string{words("maximum number of bearer tokens", "maximum number of access tokens",
			"two access tokens", "already two", "generate token is grey")}, []string{"token/not saved"},
		Warning, "A SCIM endpoint has two access tokens at most", "Delete the one that is not in use, then make one",
		awsGuide + "rotate-token.html",
	},
	{
		"quota", [][]string{words("servicequotaexceeded", "exceeded aws sso limits", "limitexceeded",
			"quota exceeded", "exceeded the quota", "cannot exceed quota")},
		[]string{"group-limit", "permission-set/quota"},
		Warning, "A quota is reached: of Identity Center, or of IAM in the account",
		"Raise the quota, or delete what is not used", awsGuide + "limits.html",
	},
	{
		"more than a hundred", [][]string{words("maximum of 100", "more than 100", "100 members", "exceeds 100")},
		[]string{"group-limit"},
		Broken, "AWS's SCIM takes 100 changes of members in a request: the client sends more",
		"Use a client that sends them in parts; Entra does",
		"https://docs.aws.amazon.com/singlesignon/latest/developerguide/patchgroup.html",
	},
	{
		"wrong grant", [][]string{words("invalid_grant", "invalidgrant", "invalid grant")},
		[]string{"cli-profile", "no-instance"},
		Broken, "The program asks another Region than the instance's, or the code was used or ran out",
		"Set sso_region to the Region of Identity Center, then sign in again", cliGuide,
	},
	{
		"device code", [][]string{words("device code", "device_code", "expiredtokenexception",
			"authorizationpending")}, []string{"cli-profile"},
		OK, "The code of a program is good for ten minutes and for one use", "Start the sign-in again", cliGuide,
	},
	{
		"caller's credentials", [][]string{words("unrecognizedclient", "security token included in the request is",
			"expiredtoken", "invalidclienttokenid", "unable to locate credentials", "could not load credentials",
			"no credential providers")}, nil,
		Warning, "The AWS credentials of the program that asks are wrong or ran out: it is nothing of the connection",
		"Sign in again, or set the profile",
		"https://docs.aws.amazon.com/cli/latest/userguide/cli-chap-troubleshooting.html",
	},
	{
		"no instance", [][]string{words("no identity center instance", "no sso instance", "no aws sso instance",
			"instance not found", "single sign-on instance", "sso is not enabled", "not enabled in this region",
			"need to enable iam identity center")}, []string{"no-instance", "account-instance", "cli-profile/region"},
		Warning, "The Region or the account that was asked has no instance of Identity Center",
		"Ask in the instance's Region, from the management account or the delegated administrator",
		awsGuide + "regions.html",
	},
	{
		"wrong id", [][]string{words("to be in the range (1 - 47)", "regex pattern", "failed to satisfy constraint",
			"member_id", "invalid length for parameter")}, nil,
		OK, "A program sends an id in the wrong form, such as STORE/ID where AWS takes ID",
		"Give it the id alone (in Terraform user_id or group_id)",
		"https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/welcome.html",
	},
	{
		"attributes for access control", [][]string{words("attributes for access control", "principaltags",
			"principal tags", "accesscontrol:", "abac", "session tags", "aws:principaltag")},
		nil,
		OK, "Attributes for access control come from the paths that the instance maps, such as " +
			"${path:enterprise.department}, and only of users who have the value; the assertion's own AccessControl " +
			"attributes count where the instance maps none",
		"Correct the path, and look at the user's value at AWS", awsGuide + "configure-abac.html",
	},
	{
		"metadata", [][]string{words("attributes from provided metadata", "metadata is invalid", "invalid metadata",
			"saml metadata is", "metadata object", "unable to parse metadata")}, []string{"saml-key/tenant metadata"},
		Broken, "AWS takes metadata of up to 75,000 characters with a whole entity ID, a certificate and an https " +
			"sign-on address", "Download the federation metadata of the application, with ?appid=",
		awsGuide + "other-idps.html",
	},
	{
		"permission missing", [][]string{words("accessdenied", "access denied", "not authorized to perform",
			"authorizationfailed"), words("sso:", "identitystore:", "organizations:", "sso-directory:", "listinstances",
			"accountassignment", "permissionset")},
		[]string{"control-policy", "delegated-administrator", "customer-key"},
		Warning, "The caller lacks that action of IAM; the management account's permission sets need it there",
		"Add the action to the caller's policy, or ask from the management account",
		awsGuide + "iam-auth-access-using-id-policies.html",
	},
	{
		"filter not supported", [][]string{words("incompatiblefiltering", "serviceincompatible", "not supported filter",
			"filter is not supported", "unsupported filter")}, []string{"job-mapping", "endpoint"},
		Broken, "The job searches by an attribute that AWS's SCIM does not filter by: users by userName " +
			"and externalId, " +
			"groups by displayName and externalId",
		"Match by userName or externalId in the attribute mappings",
		"https://docs.aws.amazon.com/singlesignon/latest/developerguide/listusers.html",
	},
	{
		"duplicate", [][]string{words("duplicatetargetentries", "entryconflict", "duplicatesourceentries",
			"more than one match")},
		[]string{"wrong-match", "external-id-clash", "user-name-clash", "email-clash", "failing-objects"},
		Broken, "Several users at one side match one of the other: the matching attribute is not unique",
		"Match by what is unique, and delete or rename the second one",
		appProvisioning + "customize-application-attributes",
	},
	{
		"disabled", [][]string{words("user must be active", "user is disabled", "has been disabled", "user disabled",
			"account is disabled", "userstatus")}, []string{"disabled-user", "disabled-at-aws", "filtered"},
		Warning, "The user is disabled at AWS: because the account is disabled or out of scope in Entra, or by hand",
		"Look whether the account is enabled and in scope, then provision it on demand",
		awsGuide + "disableuser.html",
	},
	{
		"no user for the sign-in", [][]string{words("couldn't verify your sign-in", "couldn’t verify your sign-in",
			"we couldn't complete your request", "verify your sign-in credentials")},
		[]string{"name-id", "only-at-aws", "not-there", "wrong-match", "disabled-at-aws", "saml-key",
			"saml-certificate", "identity-source", "refused-assertions"},
		Broken, "AWS found no user of that name, or asks for its own password: people of an external identity " +
			"provider have none there", "Begin at the portal, and let Entra ask", awsGuide + "troubleshooting.html",
	},
	{
		"IAM federation", [][]string{words("your authentication information is incorrect",
			"roleentitlement", "assumerolewithsaml", "issuer not present in specified provider")},
		[]string{"wrong-application", "reply-url"},
		Broken, "That is the sign-in of IAM in one account, with a password or by its own federation",
		"Use the access portal, and the application AWS IAM Identity Center",
		learn + "saas-apps/aws-single-sign-on-tutorial",
	},
	{
		"not started at the portal", [][]string{words("bad input", "badinput", "bad request"), words("input", "portal",
			"saml", "sign")}, []string{"sign-on-url", "reply-url", "refused-assertions"},
		Warning, "The address was opened in the middle of a sign-in: a bookmark, a saved link, or a wrong sign-on URL",
		"Start at the portal", awsGuide + "troubleshooting.html",
	},
	{
		"consent", [][]string{words("admin approval", "admin consent", "administrator consent", "aadsts90094",
			"aadsts65001", "approval required")}, []string{"consent"},
		Warning, "The program asks for permissions that only an administrator can consent to",
		"Grant admin consent under Permissions of the enterprise application",
		learn + "enterprise-apps/grant-admin-consent",
	},
}

// soundsOfAWS are complaints about what is sound at AWS's side and in programs.
var soundsOfAWS = []text{
	{
		"no mail", [][]string{words("mail", "invitation"), words("not receiv", "do not receive", "don't receive",
			"never receive", "no invitation", "does not send", "never got", "not get")}, nil,
		OK, "AWS sends no mail to people of an external identity provider: no invitation, no password, no code",
		"Tell people the address of the portal", awsGuide + "manage-your-identity-source-idp.html",
	},
	{
		"password at Entra", [][]string{words("password"), words("reset", "forgot", "change", "set a",
			"no passwords")}, nil,
		OK, "With an external identity provider AWS has no passwords: they are Entra's",
		"Reset it in Entra", awsGuide + "manage-your-identity-source-idp.html",
	},
	{
		"roles are AWS's", [][]string{words("app role", "approle", "roles claim", "role claim"),
			words("permission set", "map", "identity center", "aws")}, []string{"role-claims"},
		OK, "Identity Center takes no roles from Entra: permission sets are assigned at AWS, to groups " +
			"that Entra sends",
		"Assign permission sets to the groups", awsGuide + "assignusers.html",
	},
	{
		"session length", [][]string{words("durationseconds", "maxsessionduration", "session duration",
			"one hour", "1 hour", "12 hours", "session length")}, nil,
		OK, "The length of role sessions is a setting of the permission set, one hour by default and twelve at most; " +
			"that of the portal is one of the instance",
		"Set the session duration of the permission set", awsGuide + "howtosessionduration.html",
	},
	{
		"role suffix", [][]string{words("awsreservedsso", "aws-auth", "eks", "assumed role", "iam role"),
			words("recreat", "broke", "break", "replaced", "renamed", "chang", "new", "differ", "unauthorized")}, nil,
		OK, "AWS makes a role of a permission set in each account, with a suffix that is new whenever the " +
			"role is made " +
			"again: when its last assignment there goes and comes back",
		"Name such roles with a wildcard for the suffix, or keep an assignment in place while you change others",
		awsGuide + "referencingpermissionsets.html",
	},
	{
		"application behind", [][]string{words("saml/assertion", "saml application", "custom application",
			"customer managed application", "service provider", "do not have access to this", "application says",
			"tableau", "datadog", "metabase", "snipe", "odoo", "opensearch", "kibana", "athena", "superset")}, nil,
		OK, "The sign-in to Identity Center works: the application behind it has its own rules on names, attributes " +
			"and assignments",
		"Look at the application's attribute mappings and its own users", awsGuide + "manage-your-applications.html",
	},
	{
		"browser", [][]string{words("browser not supported", "browser is not supported", "unsupported browser",
			"cookies", "private window", "incognito", "cache")}, nil,
		OK, "The browser keeps an old session or blocks what the page needs: it is nothing of the connection",
		"Try a private window, or another browser", awsGuide + "troubleshooting.html",
	},
	{
		"primary group", [][]string{words("domain users", "primary group")}, nil,
		OK, "Members of a primary group of Active Directory are not listed as members: no synchronization sees them",
		"Use another group", awsGuide + "troubleshooting.html",
	},
	{
		"MFA codes", [][]string{words("authenticator app", "register a device", "security key")}, nil,
		OK, "With an external identity provider AWS asks for no second factor of its own: Entra does",
		"Register it at Entra", awsGuide + "mfa-enable-how-to.html",
	},
	{
		"attribute stays", [][]string{words("attribute", "value", "field", "phone", "title", "manager"),
			words("removed", "cleared", "empty", "blank", "deleted"), words("still", "remains", "stays", "not removed",
				"old")}, nil,
		OK, "Entra sends no empty values: what was cleared there stays at AWS, by Entra's design",
		"Overwrite it with another value, or change it at AWS", awsGuide + "azure-ad-idp.html",
	},
	{
		"photo", [][]string{words("photo", "avatar", "picture")}, nil,
		OK, "AWS's SCIM keeps no photos", "Leave it",
		"https://docs.aws.amazon.com/singlesignon/latest/developerguide/limitations.html",
	},
	{
		"price", [][]string{words("cost", "price", "billing", "charge", "free"), words("identity center", "scim",
			"entra",
			"sso", "license")}, nil,
		OK, "Identity Center costs nothing; Entra asks for P1 where groups are assigned or logs are read",
		"Nothing", "https://aws.amazon.com/iam/identity-center/",
	},
}
