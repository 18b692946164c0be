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
}

const cliSSO = "https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html"
