package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/gatehouse-id/gatehouse/graph"
)

// The checks of who is meant, and of how they look to AWS's side.
func scopeChecks() []Check {
	return []Check{
		{
			"license", "Groups are assigned, and the tenant has no license for that", []Source{Licenses, Assigned},
			Scope,
			nil, learn + "enterprise-apps/assign-user-or-group-access-portal", license,
		},
		{
			"application-roles", "The application has no role that an assignment can use", []Source{Apps}, Scope, nil,
			appProvisioning + "application-provisioning-config-problem-no-users-provisioned", applicationRoles,
		},
		{
			"nobody-in-scope", "Nobody is assigned, or nobody passes the scoping filter",
			[]Source{Apps, Assigned, People, Jobs}, Scope, []string{"job-missing", "two-applications"},
			appProvisioning + "define-conditional-rules-for-provisioning-user-accounts", nobodyInScope,
		},
		{
			"group-out-of-scope", "A group that has access at AWS is not in the job's scope",
			[]Source{Circles, Assigned, AWSGroups, Grants}, Scope, []string{"job-missing", "nobody-in-scope"},
			appProvisioning + "how-provisioning-works", groupOutOfScope,
		},
		{
			"nested", "People are reached only by a group in a group", []Source{Circles, Assigned, People}, Scope,
			nil,
			appProvisioning + "how-provisioning-works", nestedOnly,
		},
		{
			"filtered", "Somebody is assigned and does not pass the scoping filter",
			[]Source{Assigned, People, Jobs}, Scope, []string{"nobody-in-scope"},
			appProvisioning + "define-conditional-rules-for-provisioning-user-accounts", filtered,
		},
		{
			"user-name-clash", "Two people would get one user name", []Source{People, Assigned, Jobs}, Provision, nil,
			awsGuide + "provision-automatically.html", userNameClash,
		},
		{
			"external-id-clash", "Two people or groups would get one external id", []Source{People, Assigned, Jobs},
			Provision,
			nil, awsGuide + "provision-automatically.html", externalIDClash,
		},
		{
			"group-name-clash", "Two groups in scope have one name", []Source{Circles, Assigned}, Provision, nil,
			awsGuide + "provision-automatically.html", groupNameClash,
		},
		{
			"wrong-match", "Somebody was matched with another person's user", []Source{People, AWSUsers}, Provision,
			nil,
			appProvisioning + "customize-application-attributes", wrongMatch,
		},
		{
			"email-clash", "Another user of AWS's side has the email address", []Source{People, Assigned, AWSUsers},
			Provision,
			[]string{"wrong-match"}, "https://repost.aws/knowledge-center/iam-identity-center-provision", emailClash,
		},
		{
			"attributes", "A value that AWS requires is missing", []Source{People, Assigned, Jobs}, Provision, nil,
			learn + "saas-apps/aws-single-sign-on-provisioning-tutorial", requiredAttributes,
		},
		{
			"characters", "A value has characters that AWS refuses", []Source{People, Assigned, Jobs}, Provision, nil,
			"https://docs.aws.amazon.com/singlesignon/latest/developerguide/createuser.html", characters,
		},
		{
			"address", "An address lacks a part, or an email address is missing", []Source{People, Assigned, Jobs},
			Provision,
			nil, "https://docs.aws.amazon.com/singlesignon/latest/developerguide/createuser.html", addresses,
		},
		{
			"failing-objects", "The provisioning log has failures", []Source{ProvisionLog}, Provision,
			[]string{"attributes", "characters", "email-clash", "user-name-clash", "external-id-clash",
				"group-name-clash",
				"wrong-match", "job-mapping", "token", "endpoint", "network-controls", "quarantine", "two-jobs",
				"address"},
			appProvisioning + "application-provisioning-log-analytics", failingObjects,
		},
	}
}

func license(l *look, a *answer) {
	group := ""
	for _, x := range l.e.Assigned {
		if sp := l.meaning(); sp != nil && x.ResourceID == sp.ID && x.PrincipalType == "Group" {
			group = x.PrincipalDisplayName
		}
	}
	var have []string
	for _, s := range l.e.SubscribedSkus {
		if s.CapabilityStatus != "" && s.CapabilityStatus != "Enabled" && s.CapabilityStatus != "Warning" {
			have = append(have, s.SKUPartNumber+" ("+s.CapabilityStatus+")")
			continue
		}
		have = append(have, s.SKUPartNumber)
		if premium(s) {
			return
		}
	}
	fix := "Get Microsoft Entra ID P1, or assign people directly"
	if group == "" {
		if wants := l.about.Group; wants != "" {
			a.find(Warning, "", "the tenant has no Entra ID P1",
				"Groups cannot be assigned to applications without P1 or P2").
				value("Entra, licenses", strings.Join(have, ", ")).fix(fix, "", "").of(wants)
		}
		return
	}
	a.find(Broken, "", "groups are assigned, and the tenant has no Entra ID P1",
		"Assignments of groups count only with P1 or P2: it ran out, or was never there").
		value("Entra, licenses", strings.Join(have, ", ")).value("assigned group", group).fix(fix, "", "")
}

func premium(s SKU) bool {
	for _, sign := range []string{"AAD_PREMIUM", "ENTRA", "EMS", "SPE_", "SPB", "M365", "IDENTITY_GOVERNANCE",
		"ENTERPRISEPREMIUM_F"} {
		if strings.Contains(strings.ToUpper(s.SKUPartNumber), sign) {
			return true
		}
	}
	return slices.ContainsFunc(s.ServicePlans, func(p struct {
		ServicePlanName string `json:"servicePlanName"`
	}) bool {
		return strings.HasPrefix(p.ServicePlanName, "AAD_PREMIUM")
	})
}

func applicationRoles(l *look, a *answer) {
	sp := l.meaning()
	if sp == nil || len(sp.AppRoles) == 0 {
		return
	}
	roles := map[string]graph.AppRole{}
	usable := false
	for _, r := range sp.AppRoles {
		roles[r.ID] = r
		usable = usable || (r.IsEnabled && slices.Contains(r.AllowedMemberTypes, "User"))
	}
	f := (*Finding)(nil)
	for _, x := range l.e.Assigned {
		r, known := roles[x.AppRoleID]
		empty := x.AppRoleID == "00000000-0000-0000-0000-000000000000" || x.AppRoleID == ""
		if x.ResourceID != sp.ID || (!empty && known && r.IsEnabled) || (empty && !usable) {
			continue
		}
		if f == nil {
			f = a.find(Broken, "", "assignments have a role that the application does not offer",
				"An application with roles of its own makes the empty role (Default Access) invalid; a role that "+
					"was disabled or removed is too. Such assignments are skipped: NotEffectivelyEntitled").
				value("Entra, role of the assignment", x.AppRoleID).
				fix("Assign them again with the role User", "", l.admin(sp, "Users"))
		}
		f.of(x.PrincipalDisplayName)
	}
}

func nobodyInScope(l *look, a *answer) {
	sp := l.meaning()
	if sp == nil {
		return
	}
	scoped, passing := 0, 0
	for p := range l.everybody() {
		if p.scoped && p.enabled() {
			scoped++
			if p.unmet == "" {
				passing++
			}
		}
	}
	switch {
	case scoped == 0 && len(l.people) > 0:
		a.find(Broken, "nobody assigned", "nobody is assigned to "+sp.DisplayName,
			"The scope is \"assigned users and groups\", and there are none, or their groups have only groups as "+
				"members").
			value("Entra, scope", "assigned users and groups").
			fix("Assign people or their groups", "", l.admin(sp, "Users"))
	case scoped > 0 && passing == 0:
		unmet := ""
		for p := range l.everybody() {
			if p.scoped && p.unmet != "" {
				unmet = p.unmet
			}
		}
		a.find(Broken, "filter", "nobody passes the scoping filter",
			"The filter asks for what no one has: a typing error, a letter's case, or a value that was renamed").
			value("Entra, filter", unmet).value("people assigned", fmt.Sprint(scoped)).
			fix("Change the filter", "", l.admin(sp, "Provisioning"))
	}
}

func groupOutOfScope(l *look, a *answer) {
	if l.prov == nil {
		return
	}
	for i := range l.a.Groups {
		g := &l.a.Groups[i]
		source := l.sourceOf(*g)
		if source == nil && len(g.ExternalIDs) > 0 && l.access[g.GroupID] > 0 && len(l.circles) > 0 {
			l.groupDeleted(a, g)
		}
		if l.access[g.GroupID] == 0 || source == nil || l.inScope[source.ID] {
			continue
		}
		a.find(Broken, "", "the group "+g.DisplayName+" has access at AWS, and is not assigned to the application",
			"It was unassigned, or was made by hand at AWS: changes of its members in Entra no longer arrive").
			value("Entra, assigned", "no").value("AWS, assignments", fmt.Sprint(l.access[g.GroupID])).
			fix("Assign the group to the application, or remove its access", "", l.admin(l.prov, "Users")).
			of(g.DisplayName)
	}
}

// sourceOf is the group of Entra that a group of AWS's side stands for, or nil.
func (l *look) sourceOf(g Group) *graph.Group {
	for _, x := range g.ExternalIDs {
		if source := l.circles[x.ID]; source != nil {
			return source
		}
	}
	if source := l.circleBy[fold(g.DisplayName)]; source != nil && !controlTower(g.DisplayName) {
		return source
	}
	return nil
}

// controlTower says whether a group is one that AWS Control Tower made.
func controlTower(name string) bool {
	return strings.HasPrefix(name, "AWSControlTower") || strings.HasPrefix(name, "AWSAccountFactory") ||
		strings.HasPrefix(name, "AWSServiceCatalog") || strings.HasPrefix(name, "AWSSecurityAudit") ||
		strings.HasPrefix(name, "AWSLogArchive") || strings.HasPrefix(name, "AWSAuditAccount")
}

func nestedOnly(l *look, a *answer) {
	var f *Finding
	for p := range l.everybody() {
		if p.nested == "" || p.assigned != "" || !p.enabled() || l.all {
			continue
		}
		if f == nil {
			f = a.find(Broken, "", "people are members only of a group inside of "+p.nested,
				"Entra does not cascade assignments: members of nested groups are neither provisioned nor signed in").
				value("Entra, assigned group", p.nested).
				fix("Assign the inner group too, or make the people direct members", "gatehouse sync --nested",
					l.admin(l.meaning(), "Users"))
		}
		f.of(p.UserPrincipalName)
	}
}

func filtered(l *look, a *answer) {
	l.filteredGroups(a)
	var f *Finding
	for p := range l.everybody() {
		if !p.scoped || p.unmet == "" || !p.enabled() {
			continue
		}
		if f == nil {
			f = a.find(Warning, "", "people are assigned and do not pass the scoping filter",
				"The filter leaves them out, perhaps since a department or a title was renamed: they are skipped, "+
					"and disabled where they were").
				value("Entra, filter", p.unmet).fix("Change the filter, or the attribute", "",
				l.admin(l.prov, "Provisioning"))
		}
		f.of(p.UserPrincipalName)
		if p.aws != nil || p.is(l.about.Person) {
			f.State = Broken
		}
	}
}

// sent are those whom the job means: in scope, enabled, and not filtered out.
func (l *look) sent() (out []*person) {
	for p := range l.everybody() {
		if p.scoped && p.enabled() && p.unmet == "" && l.prov != nil {
			out = append(out, p)
		}
	}
	return out
}

func (l *look) clash(target string) map[string][]*person {
	holders := map[string][]*person{}
	for _, p := range l.sent() {
		if v := fold(p.values.of(target)); v != "" {
			holders[v] = append(holders[v], p)
		}
	}
	return holders
}

func userNameClash(l *look, a *answer) {
	for name, who := range l.clash("userName") {
		if len(who) < 2 {
			continue
		}
		f := a.find(Broken, "", "several people would get the user name "+name,
			"The mapping of userName gives one value to both: the second is matched with the first one's user, or "+
				"is refused with 409").
			value("AWS, userName", name).fix("Map userName from what is unique, such as userPrincipalName", "",
			l.admin(l.prov, "Provisioning"))
		for _, p := range who {
			f.value("Entra", p.UserPrincipalName).of(p.UserPrincipalName)
		}
	}
}

func externalIDClash(l *look, a *answer) {
	for id, who := range l.clash("externalId") {
		if len(who) < 2 {
			continue
		}
		f := a.find(Broken, "", "several people would get the external id "+id,
			"externalId is mapped from an attribute that people share: AWS takes each id once, and answers 409").
			value("AWS, externalId", id).fix("Map externalId from objectId", "", l.admin(l.prov, "Provisioning"))
		for _, p := range who {
			f.value("Entra", p.UserPrincipalName).of(p.UserPrincipalName)
		}
	}
}

func groupNameClash(l *look, a *answer) {
	names := map[string][]*graph.Group{}
	for i := range l.e.Groups {
		if g := &l.e.Groups[i]; l.inScope[g.ID] {
			names[fold(g.DisplayName)] = append(names[fold(g.DisplayName)], g)
		}
	}
	for _, groups := range names {
		if len(groups) < 2 {
			continue
		}
		f := a.find(Broken, "", "several groups in scope are named "+groups[0].DisplayName,
			"Groups are matched by their name, which is unique at AWS: the second one is refused, or takes over the "+
				"first one's members").
			fix("Rename one of them", "", l.admin(l.prov, "Users")).of(groups[0].DisplayName)
		for _, g := range groups {
			f.value("Entra, group", g.ID)
		}
	}
}

// connected is how a person was matched whom a job remembers.
const connected = "connection"

// forgotten finds whom a job remembers as a user that is there no more.
func forgotten(l *look, a *answer) {
	for _, c := range l.e.Connections {
		p := l.byID(c.SourceID)
		if p == nil || p.deleted || c.TargetID == "" || l.awsUser(c.TargetID) != nil {
			continue
		}
		f := a.find(Warning, "gone", "the job takes a user that is not at AWS for "+p.UserPrincipalName,
			"The user was deleted at AWS, or the identity store is another one: the job writes to an id that nobody "+
				"has until it evaluates the person again").
			value("Entra, the job's target", c.TargetID).value("AWS, user of this id", "").
			fix("Delete the connection of the object, or restart the job; then provision the person on demand", "",
				l.admin(l.prov, "Provisioning")).
			of(p.UserPrincipalName)
		if p.aws != nil {
			f.value("AWS, user of this name", p.aws.UserName+" ("+p.aws.UserID+")").of(p.aws.UserName)
		}
	}
}

func wrongMatch(l *look, a *answer) {
	forgotten(l, a)
	for p := range l.everybody() {
		u := p.aws
		if u == nil || p.by == "externalId" || (!p.scoped && p.by != connected) {
			continue
		}
		for _, x := range u.ExternalIDs {
			other := l.byID(x.ID)
			if other == p || x.ID == p.values.of("externalId") || p.by == "email" {
				continue
			}
			kind, holder := "made again", "an id that nobody in Entra has"
			cause := "The person was deleted and made again in Entra, or comes from another tenant: the user at AWS " +
				"still has the old id, so it is not theirs to the job"
			if other != nil {
				kind, holder = "another person", other.UserPrincipalName
				cause = "The job matched by the user name, which now belongs to somebody else: one person gets the " +
					"other's access"
			}
			a.find(Broken, kind, "the user "+u.UserName+" at AWS belongs to another object than "+p.UserPrincipalName,
				cause).
				value("Entra, object id", p.ID).value("AWS, external id", x.ID+" ("+holder+")").
				fix("Give the user the right external id, or delete it and let the job make it again", "",
					l.console("users")).
				of(p.UserPrincipalName, u.UserName)
		}
		expected := p.values.of("userName")
		if p.by == connected && expected != "" && !strings.EqualFold(expected, u.UserName) && p.Mail != "" &&
			!strings.EqualFold(p.Mail, u.UserName) {
			a.find(Broken, "connection", "the job takes "+u.UserName+" for "+p.UserPrincipalName,
				"An earlier matching attribute joined two different people; the job keeps that").
				value("Entra, user name", expected).value("AWS, user name", u.UserName).
				fix("Delete the connection of the object, then provision the person on demand", "",
					l.admin(l.prov, "Provisioning")).
				of(p.UserPrincipalName, u.UserName)
		}
	}
}

const workMail = `emails[type eq "work"].value`

// mailToSend is the address that the job sends.
func (p *person) mailToSend() string {
	return cmp.Or(p.values.of(workMail), p.Mail)
}

func requiredAttributes(l *look, a *answer) {
	var missing, empty *Finding // people without a value, and with one that only looks like none
	for _, p := range l.sent() {
		var blank []string
		for _, t := range []string{"userName", "displayName", "name.givenName", "name.familyName"} {
			if v := p.values.of(t); v != "" && strings.TrimFunc(v, invisible) == "" {
				blank = append(blank, t)
			}
		}
		if len(p.missing) > 0 {
			if missing == nil {
				missing = lacking(l, a, "missing", "Shared mailboxes, service accounts and people with one name have "+
					"empty fields: the log says MissingValues, or AWS answers that the request violates its schema")
			}
			missing.ofWhoLacks(l, p, "no ", p.missing)
		}
		if len(blank) > 0 {
			if empty == nil {
				empty = lacking(l, a, "looks empty", "The value is there and has only spaces or invisible characters, "+
					"which AWS takes for empty")
			}
			empty.ofWhoLacks(l, p, "only blanks in ", blank)
		}
	}
}

func lacking(l *look, a *answer, kind, cause string) *Finding {
	return a.find(Warning, kind, "people lack what AWS requires: first name, last name, display name and user name",
		cause).
		fix("Fill the fields in Entra, or map them with a default value", "", l.admin(l.prov, "Provisioning"))
}

// ofWhoLacks adds a person. It is more than a warning for who is at AWS already, or is asked about.
func (f *Finding) ofWhoLacks(l *look, p *person, what string, targets []string) {
	if f.of(p.UserPrincipalName); f.Count <= shown {
		f.value("Entra, "+p.UserPrincipalName, what+strings.Join(targets, ", "))
	}
	if p.aws != nil || p.is(l.about.Person) {
		f.State = Broken
	}
}

// invisible says whether a character shows nothing.
func invisible(r rune) bool {
	return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == '\u3164' || r == '\u2800'
}

func characters(l *look, a *answer) {
	for _, p := range l.sent() {
		for _, t := range []string{"userName", "displayName", "name.givenName", "name.familyName", "title"} {
			i := strings.IndexFunc(p.values.of(t), func(r rune) bool {
				return strings.ContainsRune("<>;:%\t\n\r", r) ||
					unicode.IsControl(r)
			})
			if i < 0 {
				continue
			}
			a.find(Broken, "", fmt.Sprintf("%s of %s has a character that AWS refuses", t, p.UserPrincipalName),
				"AWS takes no tabs, line ends or any of < > ; : % in names").
				value("Entra, "+t, fmt.Sprintf("%q", p.values.of(t))).
				fix("Change the value, or take the character out with Replace() in the mapping", "",
					l.admin(l.prov, "Provisioning")).
				of(p.UserPrincipalName)
		}
	}
}

func addresses(l *look, a *answer) {
	var noMail *Finding
	for _, p := range l.sent() {
		if p.mailToSend() == "" && l.users != nil && l.users.Maps(workMail) {
			if noMail == nil {
				noMail = a.find(Warning, "no email", "people have no email address",
					"Role sessions, applications and one-time codes need one; access to accounts works without").
					fix("Fill mail in Entra, or map emails from userPrincipalName", "",
						l.admin(l.prov, "Provisioning"))
			}
			noMail.of(p.UserPrincipalName)
			if asked, ok := meaning(l.about.Text); ok && asked.name == attributeEmpty && p.is(l.about.Person) {
				noMail.State = Broken // that is what refuses them
			}
		}
		l.halfAddress(a, p)
	}
}

// halfAddress finds an address without its country, where the log says that AWS refused somebody
// for it.
func (l *look) halfAddress(a *answer, p *person) {
	country := `addresses[type eq "work"].country`
	if p.values.of(country) != "" {
		return
	}
	for i, value := range p.values.values {
		target := (*p.values.targets)[i]
		if strings.HasPrefix(target, "addresses[") && value != "" && l.logSays(p, "address") {
			a.find(Broken, "no country", "the address of "+p.UserPrincipalName+" has no country",
				"AWS refuses an address without one").
				value("Entra, "+target, value).value("Entra, country", "").
				fix("Fill the country, or remove the mappings of addresses", "", l.admin(l.prov, "Provisioning")).
				of(p.UserPrincipalName)
			return
		}
	}
}

// logSays says whether the newest entry of the provisioning log about somebody is a failure that
// speaks of something.
func (l *look) logSays(p *person, what string) bool {
	for _, e := range l.e.Provisioning {
		if e.SourceIdentity.ID == p.ID {
			x := e.StatusInfo.ErrorInformation
			return x != nil && strings.Contains(strings.ToLower(x.Reason), what)
		}
	}
	return false
}

func failingObjects(l *look, a *answer) {
	judged := map[string]bool{}
	causes := map[string]*Finding{}
	for _, e := range l.e.Provisioning {
		if judged[e.SourceIdentity.ID] {
			continue
		}
		judged[e.SourceIdentity.ID] = true
		x := e.StatusInfo.ErrorInformation
		if e.StatusInfo.Status != "failure" || x == nil {
			continue
		}
		name := e.SourceIdentity.DisplayName
		if p := l.byID(e.SourceIdentity.ID); p != nil {
			name = p.UserPrincipalName
			if !p.scoped || l.overcome(p, e) {
				continue
			}
		}
		f := causes[x.ErrorCode]
		if f == nil {
			kind, cause, do := explainFailure(x.ErrorCode, x.Reason)
			f = a.find(Broken, kind, "provisioning fails: "+x.ErrorCode, cause).value("Entra's log", x.Reason).
				fix(do, "", l.admin(l.prov, "Provisioning"))
			causes[x.ErrorCode] = f
			switch kind {
			case "missing values":
				f.State = Warning
			case "throttled":
				f.State = OK
			}
		}
		f.of(name)
	}
}

// overcome says whether a refused duplicate is history: the person is there by now, with the id and
// the name that the job sends, and a cycle has ended since.
func (l *look) overcome(p *person, e graph.ProvisioningObjectSummary) bool {
	kind, _, _ := explainFailure(e.StatusInfo.ErrorInformation.ErrorCode, e.StatusInfo.ErrorInformation.Reason)
	return kind == "duplicate" && p.aws != nil && p.by == "externalId" && l.lastCycle().After(e.ActivityDateTime) &&
		strings.EqualFold(p.values.of("userName"), p.aws.UserName) &&
		slices.ContainsFunc(p.aws.ExternalIDs, func(x ExternalID) bool { return x.ID == p.values.of("externalId") })
}
