package doctor

// textsOfOthers are what browsers, Terraform and other programs between the two sides say, and what
// AWS says to them. They come first. Sources: public threads of the AWS CLI, of Terraform's
// providers aws and azuread, and of programs that provision by SCIM.
var textsOfOthers = []text{
	{
		attributeEmpty, [][]string{words("user attribute: "), words("is empty")},
		[]string{"attributes", "address/no email", "job-mapping", "not-there"},
		Broken, "AWS fills a session with an attribute of the user, and the user has none: the job does not send it, " +
			"or the field is empty in Entra",
		"Fill the field in Entra and map it in the job, then provision the person on demand",
		awsGuide + "attributemappingsconcept.html",
	},
	{
		"provisioning deleted", [][]string{words("tenant does not exist", "tenant not found")},
		[]string{"provisioning-off", "endpoint"},
		Broken, "The SCIM endpoint is of automatic provisioning that was switched off, or of another instance: " +
			"switching it on again makes another endpoint",
		"Take the SCIM endpoint and a new access token from the console's settings",
		awsGuide + "provision-automatically.html",
	},
	{
		"not at AWS", [][]string{words("no identity store group", "no identity store user", "describegroup",
			"describeuser", "getgroupid", "getuserid", "group not found", "no matching group", "no matching user"),
			words("no identity store", "not found", "no matching", "notfound")},
		[]string{"group-not-there", "group-out-of-scope", notAssigned, "not-there", "nested", "user-name-clash"},
		Broken, "AWS has no group or user of that name or id: the job has not brought it yet, or it was made again " +
			"with another id",
		"Assign the group to the application and wait for a cycle; look it up by its display name, not by Entra's id",
		"https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_GetGroupId.html",
	},
	{
		"assigned to nobody", [][]string{words("assignee", "principal"), words("not found in directory",
			"was not found in", "does not exist in directory")}, []string{"orphaned-assignment"},
		Broken, "The assignment names a user or a group that was deleted at AWS, as provisioning does with leavers",
		"Delete the assignment in the console or in Terraform's state, and assign who is there now",
		awsGuide + "howtoremoveuser.html",
	},
	{
		"blocked in the browser", [][]string{words("failed to fetch", "networkerror when attempting to fetch",
			"content security policy", "err_blocked_by_client")}, nil,
		OK, "The browser, an extension in it or a proxy keeps the page from AWS's API: the pair is not concerned",
		"Try a private window without extensions; let *.amazonaws.com and *.awsapps.com through the proxy",
		awsGuide + "allowlists.html",
	},
	{
		"redirect loop", [][]string{words("redirects infinitely", "redirect loop", "too many redirects",
			"too_many_redirects", "endless loop", "infinite loop", "keeps redirecting", "redirected back and forth")},
		[]string{"sign-on-url", "wrong-application", "reply-url", "name-id", "conditional-access"},
		Broken, "The sign-on URL of the application leads to Entra instead of to the portal, or cookies of one side " +
			"are blocked",
		"Set the sign-on URL to the portal's address, and allow both sites' cookies",
		awsGuide + "idp-microsoft-entra.html",
	},
	{
		"endpoint refused", [][]string{words("scim endpoint", "tenant url"), words("invalid", "malformed", "not valid",
			"incorrect", "unreachable", "could not be reached")},
		[]string{"endpoint", "net-endpoint", "provisioning-off", "network-controls"},
		Broken, "The tenant URL is not the SCIM endpoint of this instance: it is cut, of another Region, or has a " +
			"slash at its end",
		"Copy the SCIM endpoint from the console's settings", awsGuide + "provision-automatically.html",
	},
	{
		"assignment failed", [][]string{words("internal service exception", "unexpected state 'failed'",
			"wanted target 'succeeded'")},
		[]string{"permission-set", "orphaned-assignment", "control-policy", "group-limit"},
		Warning, "AWS could not carry out an assignment: the caller may not make roles in that account, a policy of " +
			"the permission set does not exist there, or AWS itself failed",
		"Read FailureReason with describe-account-assignment-creation-status; try it once in the console as an " +
			"administrator of the management account",
		"https://docs.aws.amazon.com/singlesignon/latest/APIReference/" +
			"API_DescribeAccountAssignmentCreationStatus.html",
	},
	{
		"role of a permission set", [][]string{words("awsreservedsso", "aws-reserved/sso"), words("sts:assumerole ",
			"assumerole operation", "is not authorized to perform: sts:assumerole")}, nil,
		OK, "Nobody can assume the role of a permission set but Identity Center itself: its trust policy is AWS's, " +
			"also for the role's own sessions",
		"Use the profile's credentials as they are, or a role of your own whose trust policy names this one",
		awsGuide + "referencingpermissionsets.html",
	},
	{
		"throttled", [][]string{words("throttlingexception", "rate exceeded", "toomanyrequests", "too many requests",
			" 429")}, nil,
		OK, "More requests than AWS or Graph take in a second: nothing is broken, the rest has to come later",
		"Ask less at once (terraform apply -parallelism=5), and let the program wait and repeat",
		awsGuide + "limits.html",
	},
	{
		"synchronization permission", [][]string{words("synchronization job", "synchronization secret",
			"synchronizationjob", "azuread_synchronization"), words("401", "403", "unauthorized", "forbidden",
			"insufficient privileges")}, []string{"consent"},
		Broken, "The caller may not use the synchronization API of Graph: Synchronization.ReadWrite.All is missing, " +
			"or a managed identity was never granted it",
		"Grant Synchronization.ReadWrite.All and Application.ReadWrite.OwnedBy as application permissions",
		learn + "app-provisioning/application-provisioning-configuration-api",
	},
	{
		"does not arrive", [][]string{words("not propagat", "not syncing", "isn't syncing", "not being synced",
			"not synced", "does not sync", "doesn't sync", "not being provisioned", "not get provisioned",
			"is not provisioned", "user is added but")},
		[]string{"job-off", "quarantine", "token", "endpoint", "nobody-in-scope", "nested", "filtered", "attributes",
			"email-clash", "user-name-clash", "failing-objects", "group-out-of-scope", "not-there", "job-mapping"},
		Warning, "The job is off or in quarantine, or the person is not in scope (not assigned, or only by a nested " +
			"group), is filtered, or lacks a name that AWS requires",
		"Ask doctor about the person, with both sides; then provision them on demand",
		appProvisioning + "application-provisioning-config-problem-no-users-provisioned",
	},
}

// sentences are Entra's pages without the number, as people retell them.
var sentences = []struct {
	said string // in lower case
	code string
}{
	{"does not meet the criteria to access this resource", "53003"},
	{"you cannot access this right now", "53003"},
	{"is not assigned to a role for the application", "50105"},
	{"was not found in the directory", "700016"},
	{"specified in the request does not match the reply urls", "50011"},
	{"does not exist in tenant", "50020"},
	{"authentication method by which the user authenticated", "75011"},
	{"your account is blocked", "50053"},
	{"your account has been locked", "50053"},
}
