package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi/trail"
	"github.com/gatehouse-id/gatehouse/names"
)

// The checks of signing in: the name that is sent beside the name that is there, and who refuses.
func signInChecks() []Check {
	return []Check{
		{
			"name-id", "The NameID of a sign-in is not the user name at AWS's side", []Source{Apps, People, AWSUsers},
			SignInAt, []string{"wrong-match", "wrong-application"}, awsGuide + "troubleshooting.html", nameID,
		},
		{
			"name-id-missing", "Somebody has no value for the NameID", []Source{Apps, People, Claims}, SignInAt, nil,
			learn + "../identity-platform/saml-claims-customization", nameIDMissing,
		},
		{
			"only-at-aws", "Users at AWS's side are unknown to the directory", []Source{People, AWSUsers}, SignInAt,
			nil,
			awsGuide + "manage-your-identity-source-considerations.html", onlyAtAWS,
		},
		{
			"sign-in-unassigned", "Everyone is provisioned, and only assigned people may sign in",
			[]Source{Apps, Assigned, Jobs, People}, SignInAt, nil,
			learn + "enterprise-apps/assign-user-or-group-access-portal", signInUnassigned,
		},
		{
			"conditional-access", "Conditional Access refuses people", []Source{SignInLog}, SignInAt, nil,
			learn + "conditional-access/troubleshoot-conditional-access", conditionalAccess,
		},
		{
			"refused-sign-ins", "Entra's log has refused sign-ins", []Source{SignInLog}, SignInAt,
			[]string{"identifier", "reply-url", "name-id-missing", "application-disabled", "sign-in-unassigned",
				"nested",
				"application-roles", "conditional-access", "license", "saml-mode", "two-applications"},
			learn + "../identity-platform/reference-error-codes", refusedSignIns,
		},
		{
			"refused-assertions", "AWS refuses assertions", []Source{Trail}, SignInAt,
			[]string{"name-id", "saml-key", "saml-certificate", "issuer", "net-clock", "only-at-aws", "identifier",
				"reply-url",
				"token-encryption", "wrong-match"},
			awsGuide + "troubleshooting.html", refusedAssertions,
		},
		{
			"role-claims", "The application sends roles of IAM, which Identity Center does not use",
			[]Source{Claims, Apps},
			Access, []string{"wrong-application"}, awsGuide + "idp-microsoft-entra.html", roleClaims,
		},
	}
}

// looksLike says whether a user that nobody owns seems to be the person, by the name.
func (p *person) looksLike(u *User) bool {
	local, _, _ := strings.Cut(p.UserPrincipalName, "@")
	return len(u.ExternalIDs) == 0 &&
		(strings.EqualFold(u.DisplayName, p.DisplayName) || strings.EqualFold(u.UserName, local))
}

// kinds of NameID that differ, with what is behind them.
func (l *look) mismatch(p *person, u *User) (kind, cause string) {
	local, _, _ := strings.Cut(p.UserPrincipalName, "@")
	sameLocal := func() bool {
		x, _, ok := strings.Cut(u.UserName, "@")
		y, _, ok2 := strings.Cut(p.nameID, "@")
		return ok && ok2 && strings.EqualFold(x, y)
	}
	employee := p.whole().EmployeeID
	switch {
	case p.guest():
		return "guest", "Guests keep #EXT# in the NameID, and provisioning sends the address that they were invited " +
			"by"
	case strings.EqualFold(u.UserName, p.ID) || strings.EqualFold(u.UserName, employee) ||
		strings.EqualFold(u.UserName, p.values.of("externalId")):
		return "mapping changed",
			"The mapping of userName was changed: user names at AWS are ids now, and the NameID still is a name"
	case p.nameID == p.ID || (employee != "" && p.nameID == employee) || l.subject.attribute == "objectid":
		return "claim", "The NameID was set to an id, and user names at AWS are addresses"
	case l.subject.method != "" && !strings.Contains(p.nameID, "@"):
		return "claim", "A transformation of the claim cuts the NameID, and AWS has the whole name"
	case !strings.Contains(u.UserName, "@") || strings.EqualFold(u.UserName, local):
		return "short name", "The user was made by hand, or by another program, with a short name"
	case strings.EqualFold(u.UserName, p.Mail) && !strings.EqualFold(p.Mail, p.UserPrincipalName) &&
		(!l.mapped(p) || len(u.ExternalIDs) == 0):
		return "mail and UPN", "User names at AWS are mail addresses, and the NameID is the user principal name"
	case l.subject.attribute == "mail" && !strings.EqualFold(p.Mail, p.UserPrincipalName):
		return "mail and UPN", "The NameID is the mail address, and user names at AWS are user principal names"
	case sameLocal():
		return "two domains",
			"The two names differ in their domain: a domain was changed in Entra and has not arrived, or mail and " +
				"UPN have two domains"
	}
	return "renamed", "The person was renamed in Entra and the new name has not arrived at AWS, or the user at AWS " +
		"was renamed by hand"
}

func nameID(l *look, a *answer) {
	if l.sso == nil {
		return
	}
	kinds := map[string]*Finding{}
	for p := range l.everybody() {
		u := p.aws
		if u == nil || !p.enabled() || p.nameID == "" || strings.EqualFold(p.nameID, u.UserName) {
			continue
		}
		if x := l.awsNames.find(fold(p.nameID)); len(x) > 0 && p.by == "email" {
			continue // the address is another question
		}
		if p.by == "email" && p.scoped && l.prov != nil && l.mapped(p) && !p.looksLike(u) {
			continue // the job will make a user of the right name; email-clash says what stops it
		}
		kind, cause := l.mismatch(p, u)
		f := kinds[kind]
		if f == nil {
			state := Broken
			if !l.subject.known && kind != "guest" && kind != "short name" && l.about.Person == "" {
				state = Warning // the claims could not be looked at
			}
			f = a.find(state, kind, "the NameID that Entra sends is not the user name at AWS", cause+
				": AWS finds no user, and says \"An unexpected error has occurred\" or \"It's not you, it's us\"").
				fix(nameIDFix(kind), "", cmp.Or(l.admin(l.sso, "SignOn"), l.console("users")))
			kinds[kind] = f
		}
		if f.of(p.UserPrincipalName, u.UserName); f.Count <= shown {
			f.value("Entra, NameID ("+l.subject.describe()+")", p.nameID).value("AWS, user name", u.UserName)
		}
	}
}

// mapped says whether the user name that is sent would be the NameID.
func (l *look) mapped(p *person) bool { return strings.EqualFold(p.values.of("userName"), p.nameID) }

func nameIDFix(kind string) string {
	switch kind {
	case "guest":
		return "Use mail, or user.localuserprincipalname without #EXT#, for both the NameID and userName; set the " +
			"claim for guests by a condition"
	case "mapping changed", "mail and UPN":
		return "Take the same attribute for the NameID (Attributes & Claims) and for the mapping of userName"
	case "claim":
		return "Set the NameID back to user.userprincipalname under Attributes & Claims: optional claims do not set " +
			"it"
	case "short name":
		return "Rename the user at AWS to the user principal name, or delete it and let provisioning make it"
	}
	return "Provision the person on demand, and look whether the user name changes"
}

func nameIDMissing(l *look, a *answer) {
	if l.sso == nil || l.subject.method != "" {
		return
	}
	var f *Finding
	for p := range l.everybody() {
		if !p.scoped || !p.enabled() || p.nameID != "" || (l.subject.conditional && p.guest()) {
			continue
		}
		if f == nil {
			f = a.find(Broken, "", "people have no value for the NameID",
				"The NameID is made of "+l.subject.describe()+", which is empty for them: Entra refuses with "+
					"AADSTS501241").
				value("Entra, NameID", l.subject.describe()).
				fix("Fill the attribute, or make the NameID of user.userprincipalname", "", l.admin(l.sso, "SignOn"))
		}
		f.of(p.UserPrincipalName)
	}
}

// unknown are the users of AWS's side whom nobody of the directory is.
func (l *look) unknown() (out []*User) {
	known := make(map[*User]bool, len(l.a.Users))
	for p := range l.everybody() {
		if p.aws != nil {
			known[p.aws] = true
		}
	}
	for i := range l.a.Users {
		if !known[&l.a.Users[i]] {
			out = append(out, &l.a.Users[i])
		}
	}
	return out
}

func onlyAtAWS(l *look, a *answer) {
	if len(l.e.Users) == 0 {
		return
	}
	var local, former *Finding
	for _, u := range l.unknown() {
		if twin := l.twin(u); twin != nil && len(u.ExternalIDs) > 0 {
			if former == nil {
				former = a.find(Broken, "former tenant",
					"people are there twice: once with ids that this tenant does not know",
					"They were provisioned from another tenant, before a move: their old users keep the access, and "+
						"the new ones have none").
					fix("Give the new users the access of the old ones, then delete those", "", l.console("users"))
			}
			former.value("AWS", u.UserName).value("Entra", twin.UserPrincipalName).
				of(u.UserName, twin.UserPrincipalName)
			continue
		}
		if local == nil {
			local = a.find(Warning, "", "users at AWS are unknown to the directory",
				"They were made by hand, or by another program, or stayed when they left the directory: they cannot "+
					"sign in by Entra, and their access stays").
				fix("Delete those who are gone; give the others an account in Entra of the same name", "",
					l.console("users"))
		}
		local.of(u.UserName)
		if local.Count <= shown {
			local.value("AWS", names.Counted("%s, made by %s, %d {assignment|assignments} of their own", u.UserName,
				cmp.Or(u.CreatedBy, "unknown"), l.access[u.UserID]))
		}
		if fold(l.about.Person) == fold(u.UserName) && l.about.Person != "" {
			local.State = Broken
		}
	}
}

// twin is somebody of the directory with the display name or the local part of a user's address.
func (l *look) twin(u *User) *person {
	local, _, _ := strings.Cut(fold(u.UserName), "@")
	locals, displays := l.twins()
	for _, p := range []*person{l.last(locals.find(local)), l.last(displays.find(fold(u.DisplayName)))} {
		if p != nil && p.aws != u {
			return p
		}
	}
	return nil
}

func signInUnassigned(l *look, a *answer) {
	if l.sso == nil || !l.all || l.sso.AppRoleAssignmentRequired == nil || !*l.sso.AppRoleAssignmentRequired {
		return
	}
	var f *Finding
	for p := range l.everybody() {
		if p.assigned != "" || !p.enabled() || (p.aws == nil && !p.is(l.about.Person)) {
			continue
		}
		if f == nil {
			f = a.find(Broken, "", "everyone is provisioned, and only assigned people may sign in",
				"The job's scope is all users, while the application requires an assignment: the others are there "+
					"and get AADSTS50105").
				value("Entra, scope of provisioning", "all users and groups").
				value("Entra, assignment required", "Yes").
				fix("Assign people, or switch \"Assignment required\" off, or narrow the scope", "",
					l.admin(l.sso, "Users"))
		}
		f.of(p.UserPrincipalName)
	}
}

// conditional are the codes of Conditional Access and of what it asks for.
var conditional = []int{53003, 53000, 53001, 53002, 53004, 530032, 530034, 530021, 50158, 50005, 53011, 50131, 530035}

// recent is how far back a refused sign-in counts.
const recent = 7 * 24 * time.Hour //bound:none what counts as now

// lastSignIns are each person's newest entry for the application.
func (l *look) lastSignIns() map[string]SignIn {
	out := map[string]SignIn{}
	for _, s := range l.e.SignIns {
		elsewhere := l.sso != nil && ((s.AppID != "" && s.AppID != l.sso.AppID) ||
			(s.AppID == "" && s.AppDisplayName != l.sso.DisplayName))
		if l.Now.Sub(s.CreatedDateTime) > recent || elsewhere {
			continue
		}
		if s.CreatedDateTime.After(out[fold(s.UserPrincipalName)].CreatedDateTime) {
			out[fold(s.UserPrincipalName)] = s
		}
	}
	return out
}

func conditionalAccess(l *look, a *answer) {
	for _, s := range sorted(l.lastSignIns()) {
		if !slices.Contains(conditional, s.Status.ErrorCode) {
			continue
		}
		a.find(Broken, fmt.Sprint(s.Status.ErrorCode), fmt.Sprintf("Conditional Access refused %s (AADSTS%d)",
			s.UserPrincipalName, s.Status.ErrorCode),
			"A policy asks for what this sign-in did not have: a device, a place, or another factor. It concerns "+
				"this person, not the connection").
			value("Entra, sign-in log", cmp.Or(s.Status.FailureReason, "refused")).value("from", s.IPAddress).
			fix("Open the entry in the sign-in log: it names the policy", "",
				"https://entra.microsoft.com/#view/Microsoft_AAD_IAM/SignInLogsList.ReactView").
			of(s.UserPrincipalName)
	}
}

func sorted(m map[string]SignIn) (out []SignIn) {
	for _, s := range m {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b SignIn) int { return strings.Compare(a.UserPrincipalName, b.UserPrincipalName) })
	return out
}

// interrupts are codes of the log that are steps of a sign-in, or a person's own mistake.
var interrupts = []int{0, 50125, 50140, 50074, 50076, 50079, 50055, 50072, 50126, 50053, 50057, 50058, 50144, 16000,
	16001, 65001, 50097, 500121}

func refusedSignIns(l *look, a *answer) {
	byCode := map[int]*Finding{}
	for _, s := range sorted(l.lastSignIns()) {
		code := s.Status.ErrorCode
		if slices.Contains(interrupts, code) || slices.Contains(conditional, code) {
			continue
		}
		p := l.byName(s.UserPrincipalName)
		if code == 50105 && p != nil && p.assigned == "" && p.nested == "" && !l.all {
			continue // not assigned, and refused: as it should be
		}
		f := byCode[code]
		if f == nil {
			f = a.find(Broken, fmt.Sprint(code), fmt.Sprintf("Entra refuses sign-ins with AADSTS%d", code),
				cmp.Or(causeOfCode(code), s.Status.FailureReason)).
				value("Entra, sign-in log", s.Status.FailureReason).
				fix(cmp.Or(fixOfCode(code), "Look the number up"), "",
					fmt.Sprintf("https://login.microsoftonline.com/error?code=%d", code))
			if l.about.Text == "" && p != nil && l.Now.Sub(s.CreatedDateTime) > 24*time.Hour {
				f.State = Warning
			}
			byCode[code] = f
		}
		f.of(s.UserPrincipalName)
	}
}

// refusals are failed sign-ins at AWS's side with nothing that succeeded after them.
func (l *look) refusals() (out []trail.Event) {
	good := time.Time{}
	for _, e := range l.events(trail.ProviderLogin) {
		switch {
		case e.Succeeded():
			good = e.EventTime
		case detail(e.ResponseElements, trail.ProviderLogin) == "Failure" && e.EventTime.After(good) &&
			l.Now.Sub(e.EventTime) < recent:
			out = append(out, e)
		}
		if !good.IsZero() {
			break // newest first
		}
	}
	return out
}

// refused says what a refusal of CloudTrail means.
type refused struct {
	kind, cause, do string
	signs           []string // texts of the record
}

var refusedKinds = []refused{
	{
		"clock", "The assertion was too old or too new: a clock is wrong, or a page was left open",
		"Set the clock of the identity provider, or try again", words("no longer valid", "not yet valid", "expired"),
	},
	{
		"key", "The signature is of a key that AWS does not have: the certificate was rolled over in Entra only",
		"Import the application's certificate under Manage authentication", words("signature", "certificate"),
	},
	{
		"stale request", "The response answers a request that was used before: the back button, a bookmark, or a " +
			"page left open", "Start again at the portal", words("request id", "inresponseto"),
	},
	{
		"NameID format", "The NameID has another format than AWS asks for: it takes emailAddress, and unspecified",
		"Set the format of the NameID to Email address under Attributes & Claims",
		words("name id policy", "nameid", "name id format"),
	},
	{
		"assertion", "The response has no assertion, or an encrypted one", "Deactivate token encryption",
		words("exactly one assertion"),
	},
	{
		"audience", "The audience is not the entity ID of this instance", "Set the identifier of the application",
		words("audience"),
	},
	{
		"", "AWS found no user for the NameID, or refused the assertion",
		"Ask doctor about the person who was refused",
		words(""),
	},
}

func refusedAssertions(l *look, a *answer) {
	seen := map[string]bool{}
	for _, e := range l.refusals() {
		text := cmp.Or(e.ErrorMessage, "no reason given")
		i := slices.IndexFunc(refusedKinds, func(r refused) bool {
			return slices.ContainsFunc(r.signs, func(s string) bool {
				return strings.Contains(strings.ToLower(text),
					s)
			})
		})
		r := refusedKinds[i]
		if seen[r.kind] {
			continue
		}
		seen[r.kind] = true
		state := Broken
		if r.kind == "stale request" {
			state = OK
		}
		a.find(state, r.kind, "AWS refused an assertion on "+date(e.EventTime), r.cause).value("CloudTrail", text).
			fix(r.do, "", l.console("settings"))
	}
}

func roleClaims(l *look, a *answer) {
	if l.sso == nil || federatesIAM(*l.sso) {
		return
	}
	for _, policy := range l.e.ClaimsPolicies[l.sso.ID] {
		if slices.ContainsFunc(policy.Definition, func(d string) bool {
			return strings.Contains(d,
				"aws.amazon.com/SAML/Attributes/Role")
		}) {
			a.find(Warning, "", "the application sends the claim https://aws.amazon.com/SAML/Attributes/Role",
				"That claim is for IAM. Identity Center takes access from assignments of permission sets, and "+
					"ignores roles in the assertion").
				value("Entra, claims policy", policy.DisplayName).
				value("AWS takes access from", "account assignments").
				fix("Assign permission sets to users or groups at AWS", "", l.console("accounts"))
		}
	}
}
