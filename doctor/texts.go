package doctor

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gatehouse-id/gatehouse/graph"
)

// attributeEmpty is the text that AWS found no value for a session.
const attributeEmpty = "attribute empty"

// text is what somebody may have seen, with what it means.
type text struct {
	name string
	// when are groups of words: one of each group must be in the text
	when [][]string
	// likely are checks, as name or name/kind, the most likely first
	likely []string
	// said when no check found the cause
	state  State
	means  string
	do     string
	whence string
}

func words(w ...string) []string { return w }

// texts are what people see, the more particular first. Sources: AWS's troubleshooting pages and
// SCIM developer guide, Entra's provisioning error codes.
var texts = []text{
	{
		"no user for the sign-in",
		[][]string{words("unexpected error has occurred", "it's not you", "it’s not you",
			"looks like this code isn't right",
			"looks like this code isn’t right", "no access to the portal", "something went wrong",
			"no user of that name", "your request could not be completed",
			"invalid mfa credentials", "couldn't sign you in", "signed in at")},
		[]string{"wrong-application", "saml-key", "issuer", "saml-certificate", "name-id", "wrong-match",
			"only-at-aws",
			"email-clash",
			"attributes", "characters", "address", "failing-objects", "filtered", "nested", "token", "endpoint",
			"network-controls", "quarantine", "job-off",
			"job-mapping", "not-there", "disabled-at-aws", "refused-assertions", "reply-url", "identifier",
			"token-encryption", "net-clock"},
		Broken, "AWS found no user of the NameID's name, or refused the assertion: both get this one sentence",
		"Ask doctor about the person: it shows the NameID beside the user name", awsGuide + "troubleshooting.html",
	},
	{
		"duplicate", [][]string{words("refused to create a new, duplicate resource", "409", "conflictexception",
			"duplicate", "uniqueness", "already exists")},
		[]string{"email-clash", "external-id-clash", "user-name-clash", "group-name-clash", "wrong-match", "two-jobs",
			"failing-objects"},
		Broken, "Another user or group at AWS has the user name, the email address, the external id, or the group " +
			"name",
		"Look the value up at AWS, also among users made by hand",
		"https://repost.aws/knowledge-center/iam-identity-center-provision",
	},
	{
		"violates schema", [][]string{words("violates schema", "syntactically incorrect", "missingvalues",
			"attribute name is required",
			"required attribute", "missing a required", "invalidvalue", "mandatory")},
		[]string{"attributes", "characters", "job-mapping/unknown attribute", "job-mapping/several values", "address",
			"failing-objects"},
		Broken, "A value that AWS requires is missing, or has what AWS refuses: first name, last name, display name " +
			"and user name are needed",
		"Look at the person's fields in Entra", learn + "saas-apps/aws-single-sign-on-provisioning-tutorial",
	},
	{
		"several values", [][]string{words("exceeds allowed limit of 1", "list attributes only allow single item",
			"only allow single")},
		[]string{"job-mapping/several values"},
		Broken, "The job sends two values where AWS takes one: two emails, or two phone numbers",
		"Keep one mapping of the list",
		learn + "saas-apps/aws-single-sign-on-provisioning-tutorial",
	},
	{
		"token refused", [][]string{words("credentialvalidation", "invalidcredentials", "unauthorized", " 401",
			"bearer token", "access token has expired", "invalid token", "token expired", "token is invalid")},
		[]string{"network-controls", "endpoint", "token", "provisioning-off", "quarantine"},
		Broken, "AWS refuses the access token: it ran out (one year), was deleted, or is of another endpoint",
		"Make a new token, save it in the job, test, restart", awsGuide + "rotate-token.html",
	},
	{
		"control policy", [][]string{words("explicit deny in a service control policy")}, []string{"control-policy"},
		OK, "A service control policy denies it. AWS recommends such policies beside provisioning; no permission of " +
			"yours helps",
		"Lift the policy for the rotation, or do it from the management account", awsGuide + "delegated-admin.html",
	},
	{
		"key policy", [][]string{words("kms:", "kmsaccessdenied", "kms key", "kms access")}, []string{"customer-key"},
		Broken, "The policy of the customer managed key leaves out the caller, the delegated administrator's " +
			"account or Identity Center",
		"Add the statements of the guide to the key policy", awsGuide + "encryption-at-rest.html",
	},
	{
		"members cannot be replaced", [][]string{words("replacing group memberships is not supported")},
		[]string{"two-programs"},
		Broken, "A SCIM client sends PATCH replace of members, which AWS does not take: it takes add and remove, " +
			"100 at a time",
		"Use a client that knows AWS's dialect",
		"https://docs.aws.amazon.com/singlesignon/latest/developerguide/limitations.html",
	},
	{
		"scim not found", [][]string{words(" 404", "resourcenotfound", "resource not found")},
		[]string{"endpoint", "provisioning-off", "orphaned-assignment"},
		Broken, "The address is not that of a SCIM endpoint, or the object was deleted at AWS",
		"Compare the tenant URL with the SCIM endpoint", awsGuide + "provision-automatically.html",
	},
	{
		"quarantine", [][]string{words("quarantine")}, []string{"network-controls", "endpoint", "token",
			"provisioning-off", "deletion-threshold", "job-mapping", "quarantine"},
		Broken, "Entra holds the job back because most of its requests fail", "Read the reason at the job",
		appProvisioning + "application-provisioning-quarantine-status",
	},
	{
		"not entitled", [][]string{words("noteffectivelyentitled", "not effectively entitled",
			"not assigned to the application", "skipped because")},
		[]string{"application-roles", "license", "nested", "filtered", "not-assigned"},
		OK, "The job skips who is not assigned, or does not pass the filter: that is no failure",
		"Assign the person, if they are meant", appProvisioning +
			"application-provisioning-config-problem-no-users-provisioned",
	},
	{
		"customer policy missing", [][]string{words("not attachable", "customer managed policy",
			"customer-managed policy")}, []string{"permission-set"},
		Broken, "The customer managed policy must be in the account before, with the same name and path",
		"Create it in each account", awsGuide + "permissionsetcustom.html",
	},
	{
		"account instance", [][]string{words("not supported for account instances", "account instance")},
		[]string{"account-instance"},
		Broken, "It is an instance of one account, without permission sets", "Use the organization's instance",
		awsGuide + "account-instances-identity-center.html",
	},
	{
		"management account", [][]string{words("provisioned in the management account", "management account and")},
		[]string{"delegated-administrator", "permission-set/management account"},
		Broken, "The delegated administrator may not touch permission sets that are provisioned in the management " +
			"account",
		"Do it from the management account, and keep permission sets of their own for it",
		awsGuide + "delegated-admin.html",
	},
	{
		"protected role", [][]string{words("protected role")}, nil,
		OK, "Roles named AWSReservedSSO_ belong to Identity Center: nobody else may change them",
		"Change the permission set instead", awsGuide + "troubleshooting.html",
	},
	{
		"session ended", [][]string{words(
			"session token not found", "sso session associated", "refresh failed", "error loading sso token",
			"session has expired", "unauthorizedexception",
		)}, nil,
		OK, "The sign-in of the command line ended, or was never made for this profile", "Run aws sso login",
		"https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html",
	},
	{
		"relay state", [][]string{words("relaystate", "relay state")}, []string{"sign-on-url"},
		Broken, "The tile of My Apps sends a relay state that is no address of the portal",
		"Empty the relay state of the application, or set a link of the portal",
		awsGuide + "idp-microsoft-entra.html",
	},
	{
		"metadata", [][]string{words("samlmetadata", "metadata file", "metadata document")},
		[]string{"saml-key/tenant metadata"},
		Broken, "AWS takes metadata of up to 75,000 characters with an entity ID, a certificate and a sign-on " +
			"service",
		"Download the federation metadata of the application, with ?appid=", awsGuide + "other-idps.html",
	},
	{
		"permission missing", [][]string{words("insufficient privileges", "authorization_requestdenied")},
		[]string{"consent"},
		Warning, "The program or the person lacks a permission of Graph, or an administrator has not consented to it",
		"docs/doctor.md names the permission of each call", learn + "enterprise-apps/grant-admin-consent",
	},
	{
		"cli region", [][]string{words(
			"invalid client provided", "invalidclient", "invalidrequestexception",
			"could not connect to the endpoint url",
		)},
		[]string{"cli-profile", "no-instance"},
		Broken, "The CLI asks another Region than the instance's: sso_region is wrong",
		"Set sso_region to the Region of Identity Center",
		"https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html",
	},
	{
		"cli role", [][]string{words("forbiddenexception", "no access")},
		[]string{"cli-profile", "no-access", "membership", "permission-set"},
		Broken, "The role of the profile is not assigned to the person in that account",
		"Compare sso_account_id and sso_role_name with what the portal shows",
		"https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html",
	},
	{
		"nothing assigned", [][]string{words("no applications", "you do not have any", "don't have any applications",
			"no accounts", "empty portal", "portal is empty", "nothing in the portal")},
		[]string{"membership", "group-made-again", "orphaned-assignment", "assignments-lost", "permission-set",
			"no-access"},
		Warning, "Being signed in gives no access: a permission set must be assigned to the person or a group of " +
			"theirs", "Assign a permission set", awsGuide + "assignusers.html",
	},
	{
		"IAM federation", [][]string{words("not authorized to perform sts:assumerolewithsaml",
			"your request included an invalid saml response", "signin.aws.amazon.com/saml", "saml provider")},
		[]string{"wrong-application", "reply-url"},
		Broken, "That is the page of IAM's own federation: the assertion went to the wrong application or reply URL",
		"Use AWS IAM Identity Center, not AWS Single-Account Access",
		learn + "saas-apps/aws-single-sign-on-tutorial",
	},
	{
		"stale request", [][]string{words("not a valid response for the provided request id")},
		[]string{"refused-assertions"},
		OK, "The response answers a request that was used before: the back button, a bookmark of a page between, or " +
			"a page left open", "Start again at the portal", awsGuide + "troubleshooting.html",
	},
	{
		"assertion too old", [][]string{words("assertion is no longer valid", "not yet valid")},
		[]string{"net-clock", "refused-assertions"},
		Broken, "A clock is wrong, or the page was left open for long", "Set the clocks",
		awsGuide + "troubleshooting.html",
	},
	{
		"encrypted assertion", [][]string{words("exactly one assertion")},
		[]string{"token-encryption", "refused-assertions"},
		Broken, "The response has no assertion that AWS can read: it is encrypted, or an error",
		"Deactivate token encryption", awsGuide + "other-idps.html",
	},
	{
		"deletion threshold", [][]string{words("accidental delet", "deletion threshold", "delete threshold")},
		[]string{"deletion-threshold"},
		Broken, "The cycle would delete more than the threshold",
		"Look who would go, then allow it or mend the scope",
		appProvisioning + "accidental-deletions",
	},
}

// sounds are complaints about what is sound.
var sounds = []text{
	{
		"mfa", [][]string{words("mfa", "multi-factor", "second factor"),
			words("no ", " no", "not ", "off", "disabled", "none", "never", "missing", "grey")}, nil,
		OK, "With an external identity provider AWS's own MFA is off, and its column says none: Entra asked for the " +
			"second factor, by its own policies",
		"Look at the sign-in log of Entra", awsGuide + "mfa-enable-how-to.html",
	},
	{
		"role suffix", [][]string{words("awsreservedsso", "suffix", "random characters", "role name", "role arn",
			"trust polic"), words("chang", "new", "differ", "suffix", "random", "other", "again")}, nil,
		OK, "AWS makes a role of a permission set in each account, AWSReservedSSO_NAME_ and a suffix; the suffix is " +
			"new whenever the role is made again",
		"Name such roles with a wildcard for the suffix, by aws:PrincipalArn",
		awsGuide + "referencingpermissionsets.html",
	},
	{
		"scim shows no members", [][]string{words("scim", "get /groups", "/groups"), words("member")}, nil,
		OK, "AWS's SCIM answers groups without their members, by design; they are there all the same",
		"List them with identitystore ListGroupMemberships",
		"https://docs.aws.amazon.com/singlesignon/latest/developerguide/limitations.html",
	},
	{
		"control tower", [][]string{words("control tower", "awscontroltower", "awsaccountfactory",
			"awsservicecatalog",
			"awssecurityaudit", "awslogarchive")}, nil,
		OK, "Those groups are AWS Control Tower's own: they are not in Entra, and nothing is wrong with them",
		"Leave them", awsGuide + "considerations-for-customizing.html",
	},
	{
		"role session", [][]string{words("still", "keeps", "continue", "remain", "hours after", "works after"),
			words("access", "session", "console", "signed in", "credential")}, nil,
		OK, "Role sessions that were opened before live on until their end, up to twelve hours: neither Entra nor " +
			"the end of the portal session stops them",
		"Where it must end at once: a deny policy on the role for tokens before now (aws:TokenIssueTime)",
		awsGuide + "authconcept-revoke-access.html",
	},
	{
		"console locked", [][]string{words("greyed", "grayed", "cannot edit", "can't edit", "cannot delete",
			"can't add", "cannot add", "managed by", "created by scim", "read-only", "unable to edit",
			"can't be edited")}, nil,
		OK, "With automatic provisioning the console leaves users and groups to the identity provider",
		"Change them in Entra", awsGuide + "provision-automatically.html",
	},
	{
		"application behind", [][]string{words("grafana", "quicksight", "redshift", "sagemaker", "amazon q", "kiro",
			"codecatalyst", "client vpn", "workspaces", "emr studio", "salesforce", "slack", "jira", "gitlab",
			"custom saml"), words("sign", "log", "sso", "saml", "access", "attribute", "assert", "permission", "role",
			"user", "group")}, nil,
		OK, "The sign-in to Identity Center works: the application behind it has its own rules on names, attributes " +
			"and assignments",
		"Look at the application's attribute mappings and its own users", awsGuide + "manage-your-applications.html",
	},
	{
		"next cycle", [][]string{words("how long", "when will", "not yet", "yet", "minutes", "slow", "takes", "delay",
			"interval", "immediately", "waiting"), words("sync", "provision", "propagat", "arriv", "appear", "show up",
			"cycle", "user", "group", "member", "change", "scim")}, nil,
		OK, "Entra's job runs every 40 minutes, and the interval cannot be changed",
		"Provision on demand what cannot wait", appProvisioning + "known-issues",
	},
	{
		"logs need a license", [][]string{words("premium license", "premium licence", "b2c", "requires p1",
			"azure ad premium")}, nil,
		OK, "The logs need a P1 license by Graph, or seven days of patience in the portal: it is not known, not " +
			"broken",
		"Look in the portal", learn + "monitoring-health/reference-reports-data-retention",
	},
	{
		"session length", [][]string{words("signed out", "logged out", "log in again", "sign in again", "expired",
			"expires"), words("session", "hour", "every", "sso", "credential")}, nil,
		OK, "The portal session and the role session have lengths of their own, eight hours and one hour by default",
		"Set them in the instance and in the permission set", awsGuide + "configure-user-session.html",
	},
	{
		"letter case", [][]string{words("upper", "lower", "capital", "case")}, nil,
		OK, "AWS compares user names without regard to the case of letters", "Leave it",
		awsGuide + "troubleshooting.html",
	},
	{
		"on purpose", [][]string{words("scp", "service control")}, nil,
		OK, "Service control policies that deny writes to the identity store beside provisioning are what AWS " +
			"recommends", "Leave them", awsGuide + "delegated-admin.html",
	},
	{
		"no single logout", [][]string{words("logout", "log out", "sign out", "single log")}, nil,
		OK, "Identity Center has no SAML single logout: signing out of the portal leaves the session at Entra, and " +
			"the other way round", "Sign out of both", awsGuide + "troubleshooting.html",
	},
}

var (
	aadsts    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)AADSTS\s*(\d{4,8})`) })
	accountID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\b\d{12}\b`) })
)

func (t text) in(s string) bool {
	for _, group := range t.when {
		if !slices.ContainsFunc(group, func(w string) bool { return strings.Contains(s, w) }) {
			return false
		}
	}
	return true
}

// behindCodes are the findings that stand behind a number of Entra's sign-in. What it means, graph
// says.
var behindCodes = map[int][]string{
	50011: {"reply-url", "identifier-taken"},
	50020: {"not-assigned"},
	50034: {"recycle-bin", "not-assigned"},
	50097: {"conditional-access"},
	50105: {
		"application-disabled", "two-applications", "sign-in-unassigned", "nested", "license",
		"application-roles", "not-assigned",
	},
	50131:   {"conditional-access"},
	50158:   {"conditional-access"},
	53000:   {"conditional-access"},
	53001:   {"conditional-access"},
	53002:   {"conditional-access"},
	53003:   {"conditional-access"},
	53004:   {"conditional-access"},
	65001:   {"consent"},
	76026:   {"net-clock", "sign-on-url"},
	90002:   {"issuer"},
	90009:   {"identifier"},
	90019:   {"issuer"},
	90072:   {"not-assigned"},
	90094:   {"consent"},
	500011:  {"identifier"},
	500113:  {"reply-url"},
	500131:  {"wrong-application", "identifier"},
	500133:  {"net-clock"},
	501241:  {"name-id-missing"},
	530003:  {"conditional-access"},
	530032:  {"conditional-access"},
	650056:  {"identifier"},
	700016:  {"wrong-application", "identifier", "application-missing"},
	750054:  {"sign-on-url", "saml-mode"},
	7000112: {"application-disabled"},
}

func causeOfCode(n int) string { return graph.SignInCodeOf(n).Cause }
func fixOfCode(n int) string   { return graph.SignInCodeOf(n).Do }

// errorCode is how Entra's pages show the number of an error.
var errorCode = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`error code:? ?(\d{5,7})`) })

// meaning of what somebody saw: the first entry that fits.
func meaning(s string) (text, bool) {
	if m := aadsts().FindStringSubmatch(s); m != nil {
		return codeText(m[1])
	}
	if n, err := strconv.Atoi(strings.TrimSpace(s)); err == nil && causeOfCode(n) != "" {
		return codeText(strings.TrimSpace(s))
	}
	lower := " " + strings.ToLower(s)
	if m := errorCode().FindStringSubmatch(lower); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil && causeOfCode(n) != "" {
			return codeText(m[1])
		}
	}
	for _, x := range sentences {
		if strings.Contains(lower, x.said) {
			return codeText(x.code)
		}
	}
	for _, list := range [][]text{textsOfPrograms, textsOfOthers, textsOfAWS, texts, soundsOfAWS} {
		if t, ok := saidIn(list, lower); ok {
			return t, true
		}
	}
	if kind, ok := retold(s); ok {
		return ofKind(kind)
	}
	return saidIn(sounds, lower)
}

func saidIn(list []text, lower string) (text, bool) {
	for _, t := range list {
		if t.in(lower) {
			return t, true
		}
	}
	return text{}, false
}

func codeText(number string) (text, bool) {
	n, _ := strconv.Atoi(number)
	c := graph.SignInCodeOf(n)
	if c.Cause == "" {
		return text{
			name:   "AADSTS" + number,
			state:  Warning,
			means:  "Entra refused the sign-in; the number is not one that this pair usually meets",
			do:     "Look the number up",
			whence: "https://login.microsoftonline.com/error?code=" + number,
		}, true
	}
	return text{
		name: "AADSTS" + number, state: Broken,
		likely: append(slices.Clone(behindCodes[n]), "refused-sign-ins/"+number),
		means:  c.Cause, do: c.Do,
		whence: "https://login.microsoftonline.com/error?code=" + number,
	}, true
}

// explainFailure says what an entry of the provisioning log means.
func explainFailure(errorCode, reason string) (kind, cause, do string) {
	both := strings.ToLower(errorCode + " " + reason)
	switch {
	case strings.Contains(both, "missingvalue"), strings.Contains(both, "required"), strings.Contains(both, "schema"):
		return "missing values", "A value that AWS requires is empty", "Fill the fields in Entra"
	case strings.Contains(both, "duplicate"), strings.Contains(both, "conflict"), strings.Contains(both, "409"),
		strings.Contains(both, "unique"):
		return "duplicate", "Another object at AWS has the name, the address or the external id",
			"Find it, also among users made by hand"
	case strings.Contains(both, "401"), strings.Contains(both, "unauthorized"), strings.Contains(both, "credential"):
		return "credentials", "AWS refuses the access token", "Save a new token in the job"
	case strings.Contains(both, "404"), strings.Contains(both, "notfound"), strings.Contains(both, "not found"):
		return "not found", "The object was deleted at AWS, and the job still knows it", "Restart the job"
	case strings.Contains(both, "429"), strings.Contains(both, "throttl"):
		return "throttled", "AWS takes no more requests for a while; the job tries again", "Wait for the next cycle"
	case strings.Contains(both, "limit of 1"), strings.Contains(both, "single"):
		return "several values", "The job sends several values where AWS takes one", "Keep one mapping of the list"
	}
	return "", "AWS refused the object: " + reason, "Read the answer in the provisioning log"
}

// outside are account numbers in a text that the organization does not have.
func (l *look) outside(s string) (numbers []string) {
	for _, n := range accountID().FindAllString(s, -1) {
		if len(l.a.Accounts) > 0 && !slices.ContainsFunc(l.a.Accounts, func(a Account) bool { return a.ID == n }) {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
