package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
)

// The checks of what people may do who arrived.
func accessChecks() []Check {
	return []Check{
		{
			"permission-set", "A permission set could not be provisioned", []Source{Sets}, Access, nil,
			awsGuide + "howtoviewandchangepermissionset.html", permissionSet,
		},
		{
			"permission-set-outdated", "A permission set was changed and not provisioned again", []Source{Sets},
			Access,
			[]string{"permission-set"}, awsGuide + "howtoviewandchangepermissionset.html", outdated,
		},
		{
			"delegated-administrator",
			"The delegated administrator may not touch what reaches the management account",
			[]Source{Trail, AWSAccounts}, Access, nil, awsGuide + "delegated-admin.html", delegated,
		},
		{
			"no-access", "Somebody can sign in and is assigned nothing", []Source{AWSUsers, Grants}, Access,
			append(stopsOne(), "membership", "group-made-again", "orphaned-assignment", "assignments-lost",
				"not-there",
				"group-out-of-scope", "nested"),
			awsGuide + "assignusers.html", noAccess,
		},
		{
			"access-of-the-disabled", "People who are disabled hold assignments of their own",
			[]Source{AWSUsers, Grants}, Access,
			nil, awsGuide + "authconcept-revoke-access.html", accessOfTheDisabled,
		},
		{
			"group-limit", "Something has more groups than AWS takes", []Source{Grants}, Access, nil,
			awsGuide + "limits.html", groupLimit,
		},
		{
			"break-glass", "Nobody reaches AWS when Entra does not answer", []Source{Instances}, Setup, nil,
			awsGuide + "emergency-access.html", breakGlass,
		},
		{
			"cli-profile", "A profile of the AWS CLI does not fit the instance", []Source{Profiles, Instances},
			Access,
			nil,
			"https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sso.html", cliProfile,
		},
	}
}

func permissionSet(l *look, a *answer) {
	seen := map[string]bool{}
	for _, r := range l.a.Failed {
		kind, cause, do := explainProvisioning(r.FailureReason)
		if seen[kind+r.PermissionSetArn] {
			continue
		}
		seen[kind+r.PermissionSetArn] = true
		name := cmp.Or(l.setNames[r.PermissionSetArn], r.PermissionSetArn)
		f := a.find(Broken, kind, fmt.Sprintf("the permission set %s could not be provisioned to %s", name,
			r.AccountID), cause).
			value("AWS, reason", r.FailureReason).value("account", r.AccountID).
			fix(do, l.ofInstance("provision-permission-set", "--target-type", "AWS_ACCOUNT", "--target-id", r.AccountID,
				"--permission-set-arn", r.PermissionSetArn), l.console("permissionSets")).of(name, r.AccountID)
		if u := l.awsUser(r.PrincipalID); u != nil {
			f.of(u.UserName)
		}
	}
}

func explainProvisioning(reason string) (kind, cause, do string) {
	lower := strings.ToLower(reason)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(lower, w) })
	}
	switch {
	case has("obtaining permissions to manage", "longer than usual"):
		return "account", "AWS cannot reach the account: it is suspended, closing, or so new that it is not ready",
			"Leave suspended accounts out and delete their assignments; try again for a new one"
	case has("arn:aws:iam::aws:policy", "arn:aws-us-gov:iam::aws:policy", "arn:aws-cn:iam::aws:policy") &&
		has("not attachable", "does not exist", "not found", "404"):
		return "managed policy missing",
			"The AWS managed policy does not exist: its name or path is misspelt, it was retired, or it is of " +
				"another partition",
			"Correct the ARN of the policy in the permission set"
	case has("service control", "explicit deny"):
		return "control policy", "A service control policy of the account denies it",
			"Exempt the roles of Identity Center in the policy"
	case has("quota", "limit", "exceed", "cannot attach more"):
		return "quota", "A quota of IAM in the account is reached: roles, policies of a role, or the size of a " +
				"policy",
			"Raise the quota in the account, or use fewer policies"
	case has("not attachable", "nosuchentity", "does not exist", "not found", "could not be found") &&
		!has("principal", "account "):
		return "customer policy missing",
			"A customer managed policy, or its path, is not in the account: it must be there before, with the same " +
				"name", "Create the policy in each account, with the same name and path"
	case has("malformed", "syntax", "invalid policy", "policy document", "must contain"):
		return "invalid policy", "IAM refuses the inline policy", "Correct the policy"
	case has("suspended", "closed", "account not"):
		return "account", "The account is suspended or left the organization", "Delete the assignment"
	case has("management account", "master", "samlprovider", "saml provider", "not authorized", "access denied",
		"accessdenied"):
		return "management account",
			"The management account takes it only from a caller with IAM rights of its own: iam:CreateRole and " +
				"others there, or from somebody else than the delegated administrator",
			"Do it in the management account with the IAM rights of the guide"
	}
	return "", "AWS refused it", "Read the reason, and provision again"
}

func outdated(l *look, a *answer) {
	for _, s := range l.a.PermissionSets {
		if len(s.Outdated) > 0 {
			a.find(Broken, "", names.Counted(
				"%s was changed, and %d {account has|accounts have} its role as it was before", s.Name, len(s.Outdated),
			),
				"A change of a permission set counts in an account only after it is provisioned there").
				value("accounts", strings.Join(s.Outdated[:min(len(s.Outdated), shown)], ", ")).
				fix("Provision it", l.ofInstance("provision-permission-set", "--target-type",
					"ALL_PROVISIONED_ACCOUNTS", "--permission-set-arn", s.PermissionSetArn), "").of(s.Name)
		}
	}
}

func delegated(l *look, a *answer) {
	o := l.a.Organization
	if o == nil || l.a.Caller.Account == o.MasterAccountID || !slices.Contains(o.Delegated, l.a.Caller.Account) {
		return
	}
	for _, e := range l.a.Events {
		if e.EventSource == "sso.amazonaws.com" && strings.Contains(e.ErrorCode, "AccessDenied") &&
			!strings.Contains(e.ErrorMessage, "service control") {
			a.find(Broken, "", e.EventName+" was denied to the delegated administrator",
				"A delegated administrator may not touch permission sets that are provisioned in the management "+
					"account, nor assign anything there").
				value("caller", l.a.Caller.Account).value("management account", o.MasterAccountID).
				value("CloudTrail", e.ErrorMessage).
				fix("Do it from the management account, and keep permission sets of their own for it", "", "")
			return
		}
	}
}

// grants is how many assignments somebody has, by themselves and by their groups.
func (l *look) grants(u *User) int {
	n := l.access[u.UserID]
	for g := range l.groupsOf.of(u.UserID) {
		n += l.access[g]
	}
	return n
}

func noAccess(l *look, a *answer) {
	p := l.person()
	if p == nil || p.aws == nil || len(l.a.PermissionSets) == 0 {
		return
	}
	if l.grants(p.aws) > 0 {
		return
	}
	var groups []string
	for g := range l.groupsOf.of(p.aws.UserID) {
		if x := l.awsGroup[g]; x != nil {
			groups = append(groups, x.DisplayName)
		}
	}
	slices.Sort(groups)
	a.find(Warning, "", p.UserPrincipalName+" is at AWS and is assigned nothing",
		"Being provisioned gives no access: a permission set must be assigned to the person or to one of their "+
			"groups. The portal shows no accounts until then").
		value("AWS, groups", strings.Join(groups, ", ")).value("assignments of these", "0").
		fix("Assign a permission set in an account", "", l.console("accounts")).
		of(p.UserPrincipalName, p.aws.UserName)
}

func accessOfTheDisabled(l *look, a *answer) {
	var f *Finding
	for _, u := range l.a.Users {
		if l.access[u.UserID] == 0 || !strings.EqualFold(u.UserStatus, "DISABLED") {
			continue
		}
		if f == nil {
			f = a.find(Warning, "", "disabled users hold assignments of their own",
				"Disabling keeps assignments: they are in force again when the user is enabled").
				fix("Delete the assignments of those who left", l.accessOf(u.UserID),
					l.console("accounts"))
		}
		f.of(u.UserName)
	}
}

// groupsPerSet is how many groups can have one permission set in one account. Source: AWS's quotas.
const groupsPerSet = 100

func groupLimit(l *look, a *answer) {
	groups := map[string]int{}
	for _, x := range l.a.Assignments {
		if x.PrincipalType == "GROUP" {
			groups[x.AccountID+" "+x.PermissionSetArn]++
		}
	}
	for where, n := range groups {
		if account, set, _ := strings.Cut(where, " "); n >= groupsPerSet {
			a.find(Broken, "", fmt.Sprintf("%d groups have %s in %s", n, l.setNames[set], account),
				"AWS takes 100 groups for a permission set in an account").
				value("groups", fmt.Sprint(n)).value("AWS takes", fmt.Sprint(groupsPerSet)).
				fix("Join groups, or make a second permission set", "", "").of(l.setNames[set], account)
		}
	}
}

func breakGlass(l *look, a *answer) {
	arn := l.a.Caller.Arn
	if !strings.Contains(arn, "AWSReservedSSO_") {
		return
	}
	a.find(Warning, "", "you reach AWS by Identity Center itself",
		"When the identity source changes or Entra does not answer, you are outside too").
		value("caller", arn).fix("Have a user or role of IAM that can sign in without Identity Center, and try it",
		"",
		"")
}

func cliProfile(l *look, a *answer) {
	home := cmp.Or(append(l.regions(), "")...)
	for _, p := range l.Profiles {
		store := ""
		if l.instance != nil {
			store = l.instance.IdentityStoreID
		}
		ours := strings.Contains(p.StartURL, store) || (l.a.Directory != nil &&
			strings.HasPrefix(p.StartURL, l.a.Directory.PortalURL))
		switch {
		case store == "" || p.StartURL == "":
		case strings.Contains(p.StartURL, "console.aws") || !strings.Contains(p.StartURL, "://"):
			a.find(Warning, "start URL", "the profile "+p.Name+" has a start URL that is no portal",
				"The address of the console was taken for the portal's").
				value("profile", p.StartURL).fix("Set sso_start_url to the access portal's URL",
				shell("aws", "configure", "sso", "--profile", p.Name), "").of(p.Name)
		case ours && home != "" && p.Region != home && !slices.Contains(l.regions(), p.Region):
			a.find(Broken, "region", "the profile "+p.Name+" names another Region than the instance's",
				"sso_region is the Region of Identity Center, not that of the work: the CLI says \"Invalid client "+
					"provided\" or finds no instance").
				value("profile, sso_region", p.Region).value("AWS, instance", home).
				fix("Set sso_region", shell("aws", "configure", "set", "sso_region", home, "--profile", p.Name), "").
				of(p.Name)
		case ours && p.RoleName != "" && len(l.a.PermissionSets) > 0 &&
			!slices.ContainsFunc(l.a.PermissionSets, func(s PermissionSet) bool { return s.Name == p.RoleName }):
			a.find(Broken, "role name", "the profile "+p.Name+" names a role that no permission set has",
				"sso_role_name is the name of the permission set, without AWSReservedSSO_ and the suffix: the CLI "+
					"says \"ForbiddenException: No access\"").
				value("profile, sso_role_name", p.RoleName).fix("Set sso_role_name to the permission set's name",
				shell("aws", "configure", "sso", "--profile", p.Name), "").of(p.Name)
		}
	}
}
