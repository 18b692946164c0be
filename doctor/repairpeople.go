package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
)

// concerned are the people of a finding, all of them.
func (l *look) concerned(f *Finding) (out []*person) {
	for p := range l.everybody() {
		if f.concerns[fold(p.UserPrincipalName)] && !p.deleted {
			out = append(out, p)
		}
	}
	return out
}

// userRole is the role of the application that assignments take; "" where none is enabled.
func userRole(sp *graph.ServicePrincipal) string {
	for _, r := range sp.AppRoles {
		if r.IsEnabled && slices.Contains(r.AllowedMemberTypes, "User") {
			return r.ID
		}
	}
	return ""
}

// assigning gives an application to somebody or to a group.
func (l *look) assigning(sp *graph.ServicePrincipal, id, name string, gives []string) Repair {
	return Repair{
		Action: Assign, What: "Assign " + sp.DisplayName + " to " + name,
		With:  map[string]string{withPrincipal: sp.ID, withObject: id, "appRoleId": userRole(sp)},
		Gives: gives,
	}
}

func (l *look) assignAgain(f *Finding) (out []Repair) {
	sp := l.meaning()
	for _, x := range l.e.Assigned {
		if x.ResourceID == sp.ID && f.concerns[fold(x.PrincipalDisplayName)] && x.AppRoleID != userRole(sp) &&
			userRole(sp) != "" {
			r := l.assigning(sp, x.PrincipalID, x.PrincipalDisplayName, []string{x.PrincipalDisplayName})
			r.What += " with the role User, instead of one that it does not offer"
			r.With["instead"] = x.ID
			out = append(out, r)
		}
	}
	return out
}

func (l *look) assignInner(f *Finding) (out []Repair) {
	sp := l.meaning()
	inner := map[string][]string{}
	for _, p := range l.concerned(f) {
		for outer, in := range l.inScope {
			for id := range l.e.Members.Of(outer) {
				direct := l.e.Members.Has(id, p.ID)
				if in && direct && l.circles[id] != nil && !slices.Contains(inner[id], p.UserPrincipalName) {
					inner[id] = append(inner[id], p.UserPrincipalName)
				}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(inner)) {
		out = append(out, l.assigning(sp, id, "the inner group "+l.circles[id].DisplayName, inner[id]))
	}
	return out
}

// most is how many people a repair names one by one. More are a person's decision.
const most = 50 //bound:list people whom doctor assigns or provisions one by one

func (l *look) assignPeople(f *Finding) (out []Repair) {
	if f.Count > most {
		return nil
	}
	for _, p := range l.concerned(f) {
		out = append(out, l.assigning(l.sso, p.ID, p.UserPrincipalName, []string{p.UserPrincipalName}))
	}
	return out
}

func (l *look) onDemand(p *person, gives []string) Repair {
	r := l.jobRepair(ProvisionPerson, "Provision "+p.UserPrincipalName+" on demand by the job", "")
	r.With[withObject] = p.ID
	r.Gives = gives
	return r
}

func (l *look) provision(f *Finding) (out []Repair) {
	if f.Count > most {
		return l.restartWhole(f)
	}
	for _, p := range l.concerned(f) {
		out = append(out, l.onDemand(p, nil))
	}
	return out
}

func (l *look) enableUsers(f *Finding) (out []Repair) {
	for _, p := range l.concerned(f) {
		if p.aws == nil {
			continue
		}
		if !l.ours() {
			out = append(out, l.onDemand(p, []string{p.UserPrincipalName}))
			continue
		}
		out = append(out, Repair{
			Action: EnableUser, What: "Enable the user " + p.aws.UserName + " at the center",
			With: map[string]string{withUser: p.aws.UserID}, Gives: []string{p.UserPrincipalName},
		})
	}
	return out
}

// disableUsers disables those who left. AWS has no API for that.
func (l *look) disableUsers(f *Finding) (out []Repair) {
	for p := range l.everybody() {
		if !l.ours() || p.aws == nil || !f.concerns[fold(p.UserPrincipalName)] {
			continue
		}
		out = append(out, Repair{
			Action: DisableUser, What: "Disable the user " + p.aws.UserName + " at the center",
			With: map[string]string{withUser: p.aws.UserID}, Takes: []string{p.UserPrincipalName},
		})
	}
	return out
}

func (l *look) addMembers(f *Finding) (out []Repair) {
	for id, in := range l.inScope {
		g := l.counterpart(id)
		if !in || g == nil || !f.concerns[fold(g.DisplayName)] {
			continue
		}
		for _, n := range l.e.Members.numbers(id) {
			p := l.member[n]
			if p == nil || p.aws == nil || !f.concerns[fold(p.UserPrincipalName)] ||
				l.groupsOf.has(p.aws.UserID, g.GroupID) {
				continue
			}
			out = append(out, Repair{
				Action: AddMember, What: "Make " + p.aws.UserName + " a member of " + g.DisplayName + " at AWS",
				With:  map[string]string{withUser: p.aws.UserID, withGroup: g.GroupID},
				Gives: []string{p.UserPrincipalName},
			})
		}
	}
	return out
}

func (l *look) removeMembers(f *Finding) (out []Repair) {
	for i := range l.a.Groups {
		g := &l.a.Groups[i]
		if !f.concerns[fold(g.DisplayName)] {
			continue
		}
		for id := range l.a.Memberships.Of(g.GroupID) {
			if u := l.awsUser(id); u != nil && f.concerns[fold(u.UserName)] {
				out = append(out, Repair{
					Action: RemoveMember, What: "Take " + u.UserName + " out of " + g.DisplayName + " at AWS",
					With:  map[string]string{withUser: id, withGroup: g.GroupID},
					Takes: []string{u.UserName},
				})
			}
		}
	}
	return out
}

func (l *look) provisionSets(f *Finding) (out []Repair) {
	for _, s := range l.a.PermissionSets {
		if len(s.Outdated) > 0 && f.concerns[fold(s.Name)] {
			out = append(out, Repair{
				Action: ProvisionSet,
				What:   fmt.Sprintf("Provision %s to the accounts that have it as it was before", s.Name),
				With:   map[string]string{withSet: s.PermissionSetArn},
			})
		}
	}
	return out
}

// deleteOrphans deletes assignments of principals that do not exist, which name nobody.
func (l *look) deleteOrphans(*Finding) (out []Repair) {
	orphans := l.orphans()
	for _, id := range slices.Sorted(maps.Keys(orphans)) {
		for _, x := range orphans[id] {
			out = append(out, Repair{
				Action: DeleteAssignment,
				What: fmt.Sprintf("Delete the assignment of %s in %s to the %s %s, which does not exist",
					cmp.Or(l.setNames[x.PermissionSetArn], x.PermissionSetArn), x.AccountID,
					strings.ToLower(x.PrincipalType), id),
				With: map[string]string{
					withSet: x.PermissionSetArn, "AccountId": x.AccountID, "PrincipalId": id,
					"PrincipalType": x.PrincipalType,
				},
			})
		}
	}
	return out
}
