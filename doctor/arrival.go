package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/names"
)

// stopsAll are the checks whose findings keep everybody from arriving.
func stopsAll() []string {
	return []string{
		"quarantine", "job-off", "job-missing", "token", "endpoint", "network-controls", "provisioning-off",
		"deletion-threshold", "nobody-in-scope", "job-mapping", "wrong-application", "two-applications",
		"application-roles", "license", "two-jobs",
	}
}

// stopsOne are those whose findings keep single people from arriving, beside.
func stopsOne() []string {
	return append(stopsAll(), "attributes", "characters", "email-clash", "user-name-clash", "external-id-clash",
		"wrong-match", "failing-objects", "filtered", "address", "control-policy")
}

// The checks of what arrived: people, groups and memberships.
func arrivalChecks() []Check {
	stopped, person := stopsAll(), stopsOne()
	return []Check{
		{
			"not-there", "People are in scope and not at AWS's side", []Source{People, Assigned, Jobs, AWSUsers},
			Provision,
			person, appProvisioning + "application-provisioning-when-will-provisioning-finish-specific-user",
			notThere,
		},
		{
			"group-not-there", "Groups are in scope and not at AWS's side",
			[]Source{Circles, Assigned, Jobs, AWSGroups},
			Provision, append(slices.Clone(stopped), "group-name-clash", "failing-objects"),
			awsGuide + "provision-automatically.html", groupNotThere,
		},
		{
			"left-behind", "People who left are still enabled at AWS's side", []Source{People, Assigned, AWSUsers},
			Access, append(slices.Clone(stopped), "group-out-of-scope"),
			appProvisioning + "skip-out-of-scope-deletions", leftBehind,
		},
		{
			"disabled-at-aws", "People are enabled in Entra and disabled at AWS's side",
			[]Source{People, Assigned, AWSUsers},
			SignInAt, append(slices.Clone(stopped), "two-jobs"), awsGuide + "provision-users-from-scim.html",
			disabledAtAWS,
		},
		{
			"group-made-again", "A group was deleted and made again, and its access names the old one",
			[]Source{AWSGroups, Grants}, Access, nil, awsGuide + "troubleshooting.html", groupMadeAgain,
		},
		{
			"assignments-lost", "All assignments went with a change of the identity source", []Source{Trail, Grants},
			Access,
			nil, awsGuide + "manage-your-identity-source-considerations.html", assignmentsLost,
		},
		{
			"orphaned-assignment", "Assignments name users or groups that do not exist",
			[]Source{AWSUsers, AWSGroups, Grants}, Access, []string{"group-made-again", "nobody-in-scope"},
			awsGuide + "troubleshooting.html", orphaned,
		},
		{
			"two-programs", "Another program takes members out that provisioning put in", []Source{Trail},
			Memberships,
			nil,
			appProvisioning + "known-issues", twoPrograms,
		},
		{
			"membership", "Members of a group in Entra are not its members at AWS's side",
			[]Source{Circles, Assigned, AWSGroups, AWSMembers, AWSUsers}, Memberships,
			append(slices.Clone(stopped), "two-programs", "group-name-clash", "not-there"),
			appProvisioning + "known-issues", membership,
		},
		{
			"foreign-member", "Members at AWS's side are not members in Entra",
			[]Source{Circles, AWSGroups, AWSMembers, People},
			Memberships, append(slices.Clone(stopped), "left-behind", "group-name-clash"),
			appProvisioning + "known-issues", foreignMember,
		},
	}
}

// arrived says whether a change of a moment can have arrived: a cycle has ended since.
func (l *look) arrived(since time.Time) bool {
	return since.IsZero() || (!l.lastCycle().IsZero() && l.lastCycle().After(since))
}

// pending says whether something of an object was changed after the last cycle: what differs is on
// its way.
func (l *look) pending(id string) bool {
	last := l.lastCycle()
	return !last.IsZero() && l.changed[id].After(last)
}

func notThere(l *look, a *answer) {
	var f *Finding
	for _, p := range l.sent() {
		if (p.aws != nil && p.by != "email") || !l.arrived(p.since) || l.pending(p.ID) || len(p.missing) > 0 {
			continue
		}
		if f == nil {
			f = a.find(Broken, "", "people are in scope and not at AWS",
				"The job has not sent them, or AWS refused them: the provisioning log of each says why").
				fix("Provision one of them on demand, and read the answer", "gatehouse explain USER",
					l.admin(l.prov, "Provisioning"))
		}
		if f.of(p.UserPrincipalName); f.Count <= shown {
			f.value("Entra", p.UserPrincipalName+", assigned by "+p.assigned).value("AWS", "")
		}
	}
}

func groupNotThere(l *look, a *answer) {
	for id, in := range l.inScope {
		g := l.circles[id]
		if g == nil || !in || l.unmetByGroup(g) != "" || l.counterpart(id) != nil ||
			l.lastCycle().IsZero() || !l.arrived(l.assignedSince(id)) {
			continue
		}
		a.find(Broken, "", "the group "+g.DisplayName+" is in scope and not at AWS",
			"The job has not sent it, or it was deleted at AWS since: the job does not look again until it changes").
			value("Entra, group", g.DisplayName).value("AWS, group", "").
			fix("Provision it on demand, or restart the job", "", l.admin(l.prov, "Provisioning")).of(g.DisplayName)
	}
}

func (l *look) assignedSince(id string) (at time.Time) {
	for _, x := range l.e.Assigned {
		if x.PrincipalID == id && x.CreatedDateTime != nil {
			at = *x.CreatedDateTime
		}
	}
	return at
}

// counterpart is the group of AWS's side that a group of Entra is, or nil.
func (l *look) counterpart(id string) *Group {
	if g := l.groupExt[id]; g != nil {
		return g
	}
	if g := l.circles[id]; g != nil {
		return l.groupsBy[fold(g.DisplayName)]
	}
	return nil
}

func leftBehind(l *look, a *answer) {
	if l.prov == nil {
		return
	}
	for p := range l.everybody() {
		u := p.aws
		gone := !p.enabled() || (!p.scoped && p.nested == "") || (p.unmet != "" && p.scoped)
		if u == nil || !gone || l.pending(p.ID) || strings.EqualFold(u.UserStatus, "DISABLED") || p.by == "email" ||
			(p.unmet != "" && p.enabled()) {
			continue
		}
		n := l.grants(u)
		why := map[bool]string{true: "deleted", false: "disabled"}[p.deleted]
		if p.enabled() {
			why = "no longer assigned"
		}
		kind, cause := "", "The change has not arrived"
		switch {
		case strings.EqualFold(l.secret(l.prov.ID, "SkipOutOfScopeDeletions"), "true") || l.skips():
			kind, cause = "skipped",
				"SkipOutOfScopeDeletions is on: the job leaves people who go out of scope as they are"
		case len(u.ExternalIDs) == 0:
			kind, cause = "not owned",
				"The user was made by hand, and the job never owned it: it does not disable it either"
		case p.enabled() && n == 0:
			continue
		}
		a.find(Broken, kind, names.Counted("%s is %s in Entra, and enabled at AWS with %d {assignment|assignments}",
			p.UserPrincipalName, why, n), cause).
			value("Entra", why).value("AWS, user", u.UserName+", enabled").
			fix("Disable or delete the user at AWS; end running sessions",
				l.ofStore("delete-user", "--user-id", u.UserID), l.console("users")).
			of(p.UserPrincipalName, u.UserName)
	}
}

func (l *look) skips() bool {
	if l.job == nil {
		return false
	}
	for _, rule := range l.e.Schemas[l.job.ID].Rules {
		for _, kv := range rule.Metadata {
			if strings.EqualFold(kv.Key, "SkipOutOfScopeDeletions") &&
				strings.Contains(strings.ToLower(kv.Value), "true") {
				return true
			}
		}
	}
	return false
}

func disabledAtAWS(l *look, a *answer) {
	var f *Finding
	for _, p := range l.sent() {
		if p.aws == nil || p.by == "email" || !strings.EqualFold(p.aws.UserStatus, "DISABLED") ||
			!l.arrived(p.since) {
			continue
		}
		if f == nil {
			f = a.find(Broken, "", "people are enabled in Entra and disabled at AWS",
				"Somebody disabled them at AWS, or they were out of scope for a while and the job has not enabled "+
					"them again").
				value("Entra", "enabled, in scope").value("AWS", "DISABLED").
				fix("Provision them on demand", "", l.admin(l.prov, "Provisioning"))
		}
		f.of(p.UserPrincipalName, p.aws.UserName)
	}
}

// orphans are the assignments whose principal does not exist, by principal.
func (l *look) orphans() map[string][]Assignment {
	out := map[string][]Assignment{}
	for _, x := range l.a.Assignments {
		switch {
		case x.PrincipalType == "USER" && l.awsUser(x.PrincipalID) == nil,
			x.PrincipalType == "GROUP" && l.awsGroup[x.PrincipalID] == nil:
			out[x.PrincipalID] = append(out[x.PrincipalID], x)
		}
	}
	return out
}

func groupMadeAgain(l *look, a *answer) {
	orphans := l.orphans()
	for _, e := range l.events("DeleteGroup") {
		old := cmp.Or(detail(e.RequestParameters, "groupId"), detail(e.RequestParameters, "id"))
		if len(orphans[old]) == 0 {
			continue
		}
		for i := range l.a.Groups {
			g := &l.a.Groups[i]
			if g.CreatedAt != nil && l.access[g.GroupID] == 0 && g.CreatedAt.Sub(e.EventTime).Abs() < 24*time.Hour {
				f := a.find(Broken, "", "the group "+g.DisplayName+" was made again, and access names the old one",
					"It was renamed by deleting and creating it, by hand or by a program: assignments go by the id").
					value("assignments name", old).value("the group now", g.GroupID).
					fix("Assign the permission sets to the new group, and delete the old assignments", "",
						l.console("accounts")).of(g.DisplayName).touch(old)
				for member := range l.a.Memberships.Of(g.GroupID) {
					if u := l.awsUser(member); u != nil {
						f.touch(u.UserName)
					}
				}
			}
		}
	}
}

func assignmentsLost(l *look, a *answer) {
	changes := l.events("AssociateDirectory", "DisassociateDirectory")
	if len(changes) == 0 || len(l.a.Assignments) > 0 || len(l.a.PermissionSets) == 0 {
		return
	}
	a.find(Broken, "", "there are permission sets and not one assignment",
		"The identity source was changed to or from Active Directory, which removes all users, groups and "+
			"assignments").
		value("CloudTrail", changes[0].EventName+" on "+date(changes[0].EventTime)).value("AWS, assignments", "0").
		fix("Make the assignments again, from a snapshot, Terraform or CloudTrail's CreateAccountAssignment", "",
			l.console("accounts"))
}

func orphaned(l *look, a *answer) {
	orphans := l.orphans()
	if len(orphans) == 0 {
		return
	}
	f := a.find(Broken, "", "assignments name users or groups that do not exist",
		"They were deleted, or deleted and made again with another id, and their assignments stayed").
		fix("Delete the assignments (--fix does); assign the new user or group", "", l.console("accounts"))
	all := 0
	for _, id := range slices.Sorted(maps.Keys(orphans)) {
		list := orphans[id]
		if all += len(list); f.Fix.Command == "" {
			f.Fix.Command = l.deleteAssignment(list[0])
		}
		if f.of(id); f.Count <= shown {
			f.value("AWS, principal", id).value("assignments",
				fmt.Sprintf("%d, such as %s in %s", len(list), l.setNames[list[0].PermissionSetArn],
					list[0].AccountID))
		}
	}
	if all > 1 {
		f.Fix.Do += fmt.Sprintf(". The command deletes the first of %d", all)
	}
	if p := l.person(); p != nil && p.aws != nil && l.grants(p.aws) == 0 { // perhaps who was made again
		f.touch(p.aws.UserName)
	}
}

func twoPrograms(l *look, a *answer) {
	adders, removers := map[string]string{}, map[string]string{}
	for _, e := range l.a.Events {
		if e.ErrorCode != "" {
			continue
		}
		scim := e.EventSource == "identitystore-scim.amazonaws.com"
		group := cmp.Or(detail(e.RequestParameters, "groupId"), detail(e.RequestParameters, "id"))
		switch {
		case e.EventName == "PatchGroup" && scim, e.EventName == "CreateGroupMembership":
			adders[group] = e.EventSource
		case e.EventName == "DeleteGroupMembership":
			removers[cmp.Or(group, "")] = cmp.Or(detail(e.UserIdentity, "arn"), detail(e.UserIdentity, "userName"),
				e.EventSource)
		}
	}
	for _, group := range slices.Sorted(maps.Keys(removers)) {
		if _, both := adders[group]; !both {
			continue
		}
		name := group
		if g := l.awsGroup[group]; g != nil {
			name = g.DisplayName
		}
		a.find(Broken, "", "members of "+name+" are put in by provisioning and taken out by another program",
			"Two programs keep the same group: Terraform, a script or another sync tool removes whom the job adds, "+
				"and the other way round").
			value("puts in", adders[group]).value("takes out", removers[group]).
			fix("Leave the group to one of them", "", "").of(name)
	}
}

func membership(l *look, a *answer) {
	for id, in := range l.inScope {
		g := l.counterpart(id)
		if !in || g == nil {
			continue
		}
		var late *Finding
		for _, n := range l.e.Members.numbers(id) {
			p := l.member[n]
			if p == nil || p.aws == nil || p.by == "email" || p.unmet != "" || !p.enabled() || l.pending(p.ID) ||
				l.groupsOf.has(p.aws.UserID, g.GroupID) {
				continue
			}
			if u := p.aws; u.CreatedAt != nil && l.lastCycle().IsZero() {
				continue
			}
			if late == nil {
				late = a.find(Broken, "", "members of "+g.DisplayName+" in Entra are not its members at AWS",
					"They came into scope after the group was evaluated, or were taken out at AWS: Entra sends a "+
						"membership once, and does not look again").
					fix("Restart the job, or provision the group on demand with these members", "",
						l.admin(l.prov, "Provisioning"))
			}
			if late.of(p.UserPrincipalName, p.aws.UserName, g.DisplayName); late.Count <= shown*3 {
				late.value("Entra, member of "+g.DisplayName, p.UserPrincipalName).
					value("AWS, member of "+g.DisplayName, "no")
			}
		}
	}
}

func foreignMember(l *look, a *answer) {
	sources := map[string]string{}
	for id, in := range l.inScope {
		if g := l.counterpart(id); in && g != nil {
			sources[g.GroupID] = id
		}
	}
	owner := make([]*person, l.a.Memberships.size()) // by the number of their user
	for p := range l.everybody() {
		if p.aws == nil {
			continue
		}
		if n, known := l.a.Memberships.find(p.aws.UserID); known {
			owner[n] = p
		}
	}
	for group, source := range sources {
		var f *Finding
		for _, n := range l.a.Memberships.numbers(group) {
			p := owner[n]
			if p != nil && (l.circleOf.has(p.ID, source) || !p.enabled()) {
				continue
			}
			u := l.awsUser(l.a.Memberships.ids[n])
			if u == nil {
				continue
			}
			if f == nil {
				f = a.find(Warning, "",
					"the group "+l.awsGroup[group].DisplayName+" has members at AWS who are not in it in Entra",
					"They were put in at AWS, by hand or by a program: the job does not remove whom it did not "+
						"send, and they keep the group's access").
					fix("Take them out at AWS, or add them in Entra", "", l.console("groups"))
				if l.access[group] > 0 {
					f.State = Broken
				}
			}
			if f.of(u.UserName, l.awsGroup[group].DisplayName); f.Count <= shown {
				f.value("AWS, member", u.UserName).value("Entra, member", "no")
			}
		}
	}
}
