package doctor

// textsOfPrograms are what programs on somebody's machine say, and pages of both portals that say
// little. They come before the others: some of their words are in those, too. Sources: public
// threads of the AWS CLI, its toolkits, aws-sso-cli, saml2aws and aws-adfs; AWS's troubleshooting.
var textsOfPrograms = []text{
	{
		"session ended", [][]string{words("session token not found", "unauthorizedssotoken")}, nil,
		OK, "The sign-in of the command line ended, or was never made for this profile",
		"Run aws sso login, or delete what the program remembers and sign in again", cliSSO,
	},
	{
		"profile missing", [][]string{words("profile"), words("could not be "+
			"found", "does not exist", "not configured",
			"is not found", "failed to find")}, []string{"cli-profile"},
		OK, "The AWS configuration file of this machine has no profile of that name, or the program reads " +
			"another file",
		"Compare AWS_PROFILE and AWS_CONFIG_FILE with [profile NAME] in ~/.aws/config", cliSSO,
	},
	{
		"start URL", [][]string{words("ssooidc", "sso oidc", "startdeviceauthorization"), words("null (service",
			"status code: 400", "invalidrequest")}, []string{"cli-profile"},
		Broken, "The start URL is not the portal's (such as a link of My Apps), or the Region is another one " +
			"than the " +
			"instance's",
		"Set sso_start_url to https://…awsapps.com/start and sso_region to the Region of Identity Center", cliSSO,
	},
	{
		"IAM federation", [][]string{words("no roles to assume", "no role to assume", "does not have access to any "+
			"roles", "unable to find any roles")}, []string{"wrong-application"},
		Broken, "The program speaks IAM's own federation, with roles in the assertion: Identity Center's has none",
		"Sign in with aws sso login instead; or use AWS Single-Account Access for IAM's federation", cliSSO,
	},
	{
		"certificate of a proxy", [][]string{words("certificate_verify_failed", "certificate verify failed",
			"self signed certificate", "self-signed certificate", "unable to get local issuer",
			"certificate signed by unknown authority")}, nil,
		OK, "A proxy between this machine and AWS shows a certificate of its own, which the program does not trust",
		"Give the program the proxy's authority (AWS_CA_BUNDLE), or let AWS's names through untouched",
		awsGuide + "allowlists.html",
	},
	{
		"principal missing", [][]string{words("principal", "group with id", "user with id"), words("not supported "+
			"principaltype", "not found in identity store", "not found in the identity "+
			"store", "does not exist in the "+
			"identity store")}, []string{"orphaned-assignment", "group-made-again", "group-not-there", "not-there"},
		Broken, "AWS has no user or group of that id: it was deleted, or made again with another id, or the id " +
			"is Entra's",
		"Look the group up at AWS by its display name, and use the id that it has there",
		"https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetGroupId.html",
	},
	{
		"nothing assigned", [][]string{words("do not have access to any", "don't have access to any")},
		[]string{"membership", "group-made-again", "orphaned-assignment", "assignments-lost", "permission-set",
			"no-access"},
		Warning, "Being signed in gives no access: a permission set must be assigned to the person or a group of " +
			"theirs",
		"Assign a permission set", awsGuide + "assignusers.html",
	},
	{
		"wrong answer of the endpoint", [][]string{words("rather than the expected "+
			"http/200", "ensure that the tenant "+
			"url is correct", "tenant url is usually")}, []string{"endpoint", "provisioning-off", "net-endpoint"},
		Broken, "The tenant URL is not the SCIM endpoint of the instance: it is cut, has a word too many or too " +
			"few, or " +
			"automatic provisioning was switched off and on",
		"Copy the SCIM endpoint from the console again, without a slash at its " +
			"end", awsGuide + "idp-microsoft-entra.html",
	},
	{
		"token refused", [][]string{words("entered invalid credentials", "using the correct information for an "+
			"administrative account")}, []string{"network-controls", "endpoint", "token", "provisioning-off"},
		Broken, "Test Connection failed: the access token ran out (one year), was cut or deleted, or the SCIM " +
			"endpoint is " +
			"another one",
		"Copy both again, the token whole; make a new token if it is gone", awsGuide + "rotate-token.html",
	},
	{
		"secrets too large", [][]string{words("update external "+
			"secrets", "updateexternalsecrets", "external secrets")},
		nil,
		Warning, "Entra could not keep the job's secrets: all of them together may have 1 KB, or it is the entry " +
			"of a " +
			"save that was repeated and went well",
		"Test the connection: if it passes, the entry means nothing; otherwise save the token again",
		learn + "app-provisioning/known-issues",
	},
	{
		"matched nobody", [][]string{words("failed to match an entry", "matching entry", "more than one entry",
			"joining property")},
		[]string{"group-name-clash", "user-name-clash", "email-clash", "external-id-clash", "job-mapping"},
		Broken, "The job finds none or several at AWS for its matching attribute, such as two groups of one name",
		"Rename or delete the other one at AWS, or match by another attribute, then provision on demand",
		appProvisioning + "customize-application-attributes",
	},
	{
		"delegated administrator", [][]string{words("not a delegated administrator", "not registered as a delegated",
			"not the management account")}, []string{"delegated-administrator"},
		Broken, "Only the organization's management account and the delegated administrator of IAM Identity " +
			"Center may do " +
			"that", "Use credentials of one of them, or register the account", awsGuide + "delegated-admin.html",
	},
	{
		"operation in process", [][]string{words("internalfailure", "internal failure"), words("permissionset",
			"permission set", "accountassignment", "assignment")}, nil,
		Warning, "Two changes of one permission set at the same time: AWS answers a conflict, at times as an " +
			"internal " +
			"failure", "Make changes of one permission set one after the other, and repeat what failed",
		"https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_AttachManagedPolicyToPermissionSet.html",
	},
	{
		"reply URL's number", [][]string{words("must be a valid number")}, []string{"reply-url"},
		OK, "The address stands in the field Index beside the reply URL", "Put it into the field Reply URL",
		awsGuide + "idp-microsoft-entra.html",
	},
	{
		"profile missing", [][]string{words("missing the following required sso", "sso_start_url, sso_region",
			"sso configuration values")}, []string{"cli-profile"},
		OK, "The profile lacks start URL, Region, account or role, or names an sso-session that is not there",
		"Write the profile anew with aws configure sso, or gatehouse profiles write", cliSSO,
	},
	{
		"program's registration", [][]string{words("client is not registered", "registration has expired",
			"client registration")}, nil,
		OK, "The program registers itself for 90 days, and goes on with a registration that has ended or is of " +
			"another Region",
		"Delete what the program remembers (~/.aws/sso/cache) and sign in again", cliSSO,
	},
	{
		"SAML provider of the account", [][]string{words("do_not_delete")}, nil,
		Broken, "Somebody deleted or changed the SAML provider or a role that Identity Center made in the account",
		"Provision the permission set to the account again: Identity Center makes what is missing",
		awsGuide + "troubleshooting.html",
	},
	{
		"unknown certificate", [][]string{words("signature"), words("validation failed", "unknown certificate",
			"could not be verified", "verification failed", "invalid signature in response")},
		[]string{"saml-key", "saml-certificate", "trusted-certificate", "issuer"},
		Broken, "The identity provider signs with a key that the other side does not have: a new certificate was " +
			"made active, or the metadata of another application was uploaded",
		"Give AWS the application's own federation metadata (with ?appid=), or import the new certificate",
		awsGuide + "managesamlcerts.html",
	},
	{
		"refused by Entra", [][]string{words("status:responder", "status:requester", "status:authnfailed",
			"invalid status code in response")}, []string{"refused-sign-ins", "conditional-access", "not-assigned"},
		Broken, "Entra answered the sign-in with a refusal instead of an assertion",
		"Look the sign-in up in Entra's log: it has the AADSTS number", awsGuide + "troubleshooting.html",
	},
	{
		"not started at the portal", [][]string{words("inresponseto", "in response to")}, []string{"net-clock"},
		OK, "The answer is to a request that was not made, was answered before, or was made in another browser: an " +
			"old tab, the back button, or cookies that are blocked",
		"Close the tabs and begin at the portal", awsGuide + "using-the-portal.html",
	},
	{
		"missing values", [][]string{words("missingrequiredattribute", "attribute"), words("missingrequired",
			"is missing for", "is required but", "missing for user")}, []string{"attributes", "job-mapping"},
		Broken, "A value that AWS requires is empty: first name, last name, display name or user name",
		"Fill the field in Entra, or map it with a default value",
		learn + "saas-apps/aws-single-sign-on-provisioning-tutorial",
	},
	{
		"group too large", [][]string{words("group"), words("too large", "members exceed", "exceeds the number of "+
			"members", "maximum number of members")}, []string{"group-limit"},
		Broken, "The group has more members than AWS takes in a group or in a request",
		"Split the group", awsGuide + "limits.html",
	},
	{
		"another Region", [][]string{words("selected region", "not available in this region", "not enabled in this "+
			"region")}, nil,
		OK, "The application or the account is of another Region than the one chosen in the portal or the console",
		"Choose the Region where Identity Center or the application is", awsGuide + "regions.html",
	},
	{
		"nothing to do", [][]string{words("redundantexport", "redundantimport", "no changes to export")}, nil,
		OK, "AWS has what Entra would send: that is no failure", "Nothing",
		appProvisioning + "application-provisioning-quarantine-status",
	},
	{
		"portal does not load", [][]string{words("problem loading your accounts", "unable to load your",
			"failed to load resource", "couldn't load your accounts")}, nil,
		Warning, "The browser, an extension or a proxy keeps the portal from AWS's API, or the session has ended",
		"Sign out, try a private window, and let *.amazonaws.com and *.awsapps.com through",
		awsGuide + "allowlists.html",
	},
	{
		"disabled at AWS", [][]string{words("disabled", "deactivated", "inactive"), words("licen", "unassigned",
			"removed from the group", "out of scope", "after removing")},
		[]string{"disabled-at-aws", "group-out-of-scope", "nested", "license", "not-assigned"},
		Warning, "Who leaves the scope is disabled: by losing the group, the assignment, or the licence for groups",
		"Assign the person again, or a group of theirs, then provision on demand",
		appProvisioning + "how-provisioning-works",
	},
	{
		"nested group", [][]string{words("nested group", "group in a group", "group within a group")},
		[]string{"nested"},
		Broken, "Entra follows no groups in groups, neither for assignments nor for provisioning",
		"Assign the inner group or the person", appProvisioning + "how-provisioning-works",
	},
	{
		"session ended", [][]string{words("sso token has expired", "run aws sso login", "aws sso login with")}, nil,
		OK, "The sign-in of the command line ended, or was never made for this profile", "Run aws sso login", cliSSO,
	},
	{
		"nothing assigned", [][]string{words("no aws accounts available", "no accounts available")},
		[]string{"membership", "group-made-again", "orphaned-assignment", "assignments-lost", "no-access"},
		Warning, "Being signed in gives no access: a permission set must be assigned to the person or a group of " +
			"theirs",
		"Assign a permission set", awsGuide + "assignusers.html",
	},
	{
		"gone at AWS", [][]string{words("invalidanchor", "deleted in the target")},
		[]string{"not-there", "group-not-there"},
		Broken, "Somebody deleted the object at AWS, and the job still knows it by its old id",
		"Restart provisioning: the job then matches everybody again",
		appProvisioning + "application-provisioning-quarantine-status",
	},
	{
		"certificate expired", [][]string{words("certificate"), words("expired", "has run out")},
		[]string{"saml-certificate", "trusted-certificate", "saml-key"},
		Broken, "The SAML signing certificate has ended: Entra's, or the one that AWS trusts",
		"Make a new certificate, import it at AWS, then make it active (gatehouse rotate certificate)",
		awsGuide + "managesamlcerts.html",
	},
	{
		attributeEmpty, [][]string{words("no email attribute", "email is missing", "without an email")},
		[]string{"attributes", "address/no email", "job-mapping", "name-id-missing"},
		Broken, "The person has no mail in Entra, or the job does not map it",
		"Fill the field in Entra and map it in the job, then provision the person on demand",
		awsGuide + "attributemappingsconcept.html",
	},
	{
		"name is fixed", [][]string{words("username", "user name"), words("cannot be changed", "can not be changed",
			"is immutable")}, []string{"user-name-clash", "wrong-match", "job-mapping"},
		Broken, "Another user has the name already, or the job matches by it and finds somebody else",
		"Rename or delete the other user at AWS, then provision on demand", awsGuide + "provision-automatically.html",
	},
	{
		"too long", [][]string{words("max length", "maximum length", "too long")},
		[]string{"characters", "attributes"},
		Broken, "A value is longer than AWS takes", "Shorten it in Entra, or by an expression in the mapping",
		"https://docs.aws.amazon.com/singlesignon/latest/developerguide/limitations.html",
	},
	{
		"shut out by address", [][]string{words("ip allow list", "ip address is not allowed", "blocked by an ip",
			"not from an allowed", "source ip")}, []string{"network-controls", "conditional-access"},
		Broken, "AWS's network controls of the identity store, or Conditional Access, let certain addresses in only",
		"Let the addresses of Entra's provisioning (service tag AzureActiveDirectory) and of your people in",
		awsGuide + "allowlists.html",
	},
	{
		"disabled at AWS", [][]string{words("account is inactive", "user is inactive", "account is disabled",
			"account has been disabled")}, []string{"disabled-at-aws", "not-assigned", "left-behind"},
		Broken, "The user is disabled at AWS, as who leaves the job's scope is, or in Entra",
		"Assign the person again and provision on demand, or enable the account",
		appProvisioning + "how-provisioning-works",
	},
	{
		"does not arrive", [][]string{words("membership", "member"), words("not updat", "not reflected", "not showing",
			"missing in aws", "does not appear", "not appear")},
		[]string{"membership", "job-off", "quarantine", "nested", "group-out-of-scope", "not-there", "two-programs"},
		Warning, "The group or the person is not in scope, the next cycle has not come (40 minutes), or the " +
			"person came into scope after the group",
		"Ask doctor about the person and the group, with both sides; then provision the group on demand",
		appProvisioning + "application-provisioning-config-problem-no-users-provisioned",
	},
}

const cliSSO = "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html"
