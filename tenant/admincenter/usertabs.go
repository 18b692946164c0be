package admincenter

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// The page of a user has a tab for each thing that there is to know about somebody, each with an
// address of its own, as the page of an application has.

var userTabs = map[string]action{
	"GET /admin/users/{id}":                user,
	"GET /admin/users/{id}/groups":         groupsOfUser,
	"POST /admin/users/{id}/groups":        addToGroups,
	"POST /admin/users/{id}/groups/remove": removeFromGroups,
	"GET /admin/users/{id}/applications":   applicationsOfUser,
	"GET /admin/users/{id}/roles":          rolesOfUser,
	"GET /admin/users/{id}/authentication": authenticationOfUser,
	"POST /admin/users/{id}/factors":       resetFactors,
	"GET /admin/users/{id}/provisioning":   provisioningOfUser,
	"GET /admin/users/{id}/sign-ins":       signInsOfUser,
	"GET /admin/users/{id}/audit":          auditOfUser,
}

// userData is what the tabs of a user share.
type userData struct {
	access

	User    tenant.User
	Section string
	Data    any
}

// At is the address of a tab.
func (d userData) At(below string) string { return userAddress(d.User.ID, below) }

// Tabs are those that there are.
func (d userData) Tabs() []web.NavItem {
	return slices.DeleteFunc(slices.Clone(tabsOfUser), func(t web.NavItem) bool { return !d.Opens(d.At(t.URL)) })
}

// tabsOfUser have as URL what is below the address of the user.
var tabsOfUser = []web.NavItem{
	{Label: "Overview"}, {Label: "Groups", URL: "groups"}, {Label: "Applications", URL: "applications"},
	{Label: "Roles", URL: "roles"}, {Label: "Authentication", URL: "authentication"},
	{Label: "Provisioning", URL: "provisioning"}, {Label: "Sign-ins", URL: "sign-ins"}, {Label: "Audit", URL: "audit"},
}

func userAddress(id tenant.UserID, below string) string {
	return path.Join("/admin/users", string(id), below)
}

// tab shows a tab of the user whom the path names, with what read finds.
func (p page) tab(section string, read func(tenant.User) (any, error)) error {
	u, err := p.h.Tenant.UserByIDOrName(p.Context(), p.PathValue("id"))
	if err != nil {
		return err
	}
	at := userAddress(u.ID, section)
	if !p.Opens(at) { // a name with a slash makes the path another than the areas have
		return &refusal.Error{Code: tenant.NotAllowed, Subject: at, Detail: "no directory role of yours allows it"}
	}
	data, err := read(u)
	if errors.Is(err, errSent) {
		return nil
	}
	if err != nil {
		return err
	}
	name := "user-" + cmp.Or(section, "overview")
	return p.Render(name, u.DisplayName, "/admin/users", userData{p.access, u, section, data})
}

// errSent says that a file was sent: there is no page.
var errSent = errors.New("a file was sent")

func user(p page) error {
	return p.tab("", func(tenant.User) (any, error) { return nil, nil }) //nolint:nilnil // no more
}

// groupOfUser is a group that somebody is in, by themselves or by a group in it.
type groupOfUser struct {
	tenant.Group

	By tenant.Group // the group by which; zero: they are a member themselves
}

// Way is what a file says of how somebody is in it.
func (g groupOfUser) Way() string {
	if g.By.ID == "" {
		return "Direct"
	}
	return "Group " + g.By.DisplayName
}

// maxHeld bounds how many groups of somebody, or applications that they have, a page reads.
const maxHeld = 1_000 //bound:list groups, or assignments, of somebody that a page of the admin center reads

type groupsData struct {
	listing[groupOfUser]
	Most   int // more are not read; 0: there are no more
	Back   string
	Way    string
	Picker web.Picker
}

func groupsOfUser(p page) error {
	return p.tab("groups", func(u tenant.User) (any, error) {
		d := groupsData{listing: listing[groupOfUser]{Listing: p.Listing("name", "way")}, Back: p.URL.RequestURI()}
		d.Way = d.Filter("way", "direct", "group")
		all, more, err := p.groupsOf(u.ID)
		if err != nil {
			return nil, err
		}
		if more {
			d.Most = maxHeld
		}
		all = slices.DeleteFunc(all, func(g groupOfUser) bool {
			return d.Way != "" && (d.Way == "direct") != (g.By.ID == "")
		})
		all = web.Found(d.Listing, all, func(g groupOfUser) []string { return []string{g.DisplayName, g.Description} })
		d.Items, d.Pager = web.Page(d.Listing, all, pageSize, func(g groupOfUser, by string) string {
			if by == "way" {
				return g.Way()
			}
			return g.DisplayName
		})
		if p.Exports() {
			return nil, cmp.Or(p.exportGroupsOf(d.Items), errSent)
		}
		d.Picker, err = p.groupPicker(u)
		return d, err
	})
}

func (p page) exportGroupsOf(list []groupOfUser) error {
	columns := []string{"id", "displayName", "description", "way"}
	return p.Export("groups", columns, func(row func(...string) error) error {
		for _, g := range list {
			if err := row(string(g.ID), g.DisplayName, g.Description, g.Way()); err != nil {
				return err
			}
		}
		return nil
	})
}

// groupsOf are the groups that somebody is in, the direct ones first, and those that these are in.
func (p page) groupsOf(id tenant.UserID) (all []groupOfUser, more bool, err error) {
	err = p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		all, more = nil, false
		seen := map[tenant.GroupID]bool{}
		for next := []groupOfUser{{Group: tenant.Group{ID: tenant.GroupID(id)}}}; len(next) > 0; next = next[1:] {
			in, err := r.MemberOf(tenant.PrincipalID(next[0].ID))
			if err != nil {
				return err
			}
			for _, m := range in {
				if seen[m.GroupID] {
					continue
				}
				if len(all) == maxHeld {
					more = true
					return nil
				}
				seen[m.GroupID] = true
				x := groupOfUser{}
				if x.Group, err = r.Group(m.GroupID); err != nil {
					return err
				}
				if next[0].ID != tenant.GroupID(id) {
					x.By = next[0].Group
				}
				all, next = append(all, x), append(next, x)
			}
		}
		return nil
	})
	return all, more, err
}

// groupPicker finds groups to put somebody into.
func (p page) groupPicker(u tenant.User) (web.Picker, error) {
	return p.Picker(web.PickFrom{
		Of: "groups", Most: maxPicked,
		Named: func(id string) (web.Pickable, error) {
			g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(id))
			if refusal.KindOf(err) == refusal.NotFound {
				return web.Pickable{}, nil
			}
			return web.Pickable{ID: id, Name: g.DisplayName, Detail: g.Description}, err
		},
		Like: func(search string) (list []web.Pickable, err error) {
			of := tenant.Query{Search: search, By: tenant.ByName, Limit: maxFound}
			found, err := p.h.Tenant.Groups(p.Context(), of)
			for _, g := range found {
				list = append(list, web.Pickable{ID: string(g.ID), Name: g.DisplayName, Detail: g.Description})
			}
			return list, err
		},
		Held: func(x web.Pickable) (string, error) {
			return p.isMember(tenant.GroupID(x.ID))(tenant.PrincipalID(u.ID))
		},
	})
}

// addToGroups puts somebody into the groups that were chosen. Of several, they may be in some
// already.
func addToGroups(p page) error {
	_ = p.PostFormValue(web.Picked) // reads the form
	ids, err := few(p.PostForm[web.Picked], maxPicked, "choose a group")
	if err != nil {
		return err
	}
	member := tenant.PrincipalID(p.userID())
	const done = "The user is in every group that you chose."
	return p.each(tenant.KindGroup, ids, p.back(userAddress(p.userID(), "groups")), done, func(id string) error {
		err := p.h.Tenant.AddMember(p.Context(), p.by, tenant.GroupID(id), member)
		if refusal.CodeOf(err) == tenant.MemberExists && len(ids) > 1 {
			return nil
		}
		return err
	})
}

// removeFromGroups takes somebody out of the chosen groups, or out of one.
func removeFromGroups(p page) error {
	ids, err := p.chosen(p.PostFormValue("group"), nil)
	if err != nil {
		return err
	}
	u, err := p.h.Tenant.User(p.Context(), p.userID())
	if err != nil {
		return err
	}
	all := web.Several{IDs: ids, Back: p.back(userAddress(u.ID, "groups")),
		Name: func(id string) (string, error) {
			g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(id))
			return g.DisplayName, err
		},
		Deed: func(ctx context.Context, id string) error {
			return p.h.Tenant.RemoveMember(ctx, p.by, tenant.GroupID(id), tenant.PrincipalID(u.ID))
		}}
	if sure, err := all.SureOf(p.Visit, func(ids []string) (web.Question, error) {
		lines, err := web.Called(ids, p.whatItGives)
		n := names.Counted("%d {group|groups}", len(ids))
		return web.Question{
			Title:  "Remove " + u.DisplayName + " (" + u.UserPrincipalName + ") from " + n + "?",
			Lines:  append(lines, "They lose what these groups give. You can add them again."),
			Button: "Remove from " + n,
		}, err
	}); !sure {
		return err
	}
	if done, err := all.Do(p.Visit); !done {
		return err
	}
	return p.Done(all.Back, "Removed from "+names.Counted("%d {group|groups}", len(all.IDs))+".")
}

// whatItGives is what a question calls a group, with the applications that it gives.
func (p page) whatItGives(id string) (string, error) {
	g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(id))
	if err != nil {
		return "", err
	}
	gives, err := p.given(g)
	if gives == "" {
		return g.DisplayName, err
	}
	return g.DisplayName + ", which gives " + gives, err
}

// heldApplication is an application that somebody has, in a role and by a way.
type heldApplication struct {
	App        tenant.Application
	Role       string
	By         tenant.Group // zero: assigned themselves
	Assignment tenant.Assignment
}

// At is the address of the page where the application is given.
func (h heldApplication) At() string { return addressOf(h.App, "assignments") }

// heldTable is the table of what somebody or a group has.
type heldTable struct {
	Held     []heldApplication
	Pager    web.Pager
	More     bool   // that are not shown
	Rest     string // where these are; empty: nowhere
	Back     string
	NoneHeld string // what it says when it is empty
}

type applicationsData struct {
	heldTable

	Apps []tenant.Application // that can be assigned
}

func applicationsOfUser(p page) error {
	return p.tab("applications", func(u tenant.User) (any, error) {
		var d applicationsData
		d.Back, d.NoneHeld = p.URL.RequestURI(), "No application is assigned, neither directly nor by a group."
		all, more, err := p.applicationsOf(tenant.PrincipalID(u.ID), maxHeld)
		if err != nil {
			return nil, err
		}
		d.More = more
		name := func(x heldApplication, _ string) string { return x.App.DisplayName }
		d.Held, d.Pager = web.Page(p.Listing("name"), all, pageSize, name)
		d.Pager.CSV, d.Pager.JSON = "", ""
		if p.Sends("/admin/users/chosen") {
			d.Apps, err = p.assignable()
		}
		return d, err
	})
}

// applicationsOf are so many at most of those that somebody or a group has, by name. Groups in
// groups give none.
func (p page) applicationsOf(id tenant.PrincipalID, most int) (list []heldApplication, more bool, err error) {
	err = p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		list, more = nil, false
		known := map[tenant.ServicePrincipalID]tenant.Application{}
		holders := []tenant.Member{{}}
		if _, err := r.User(tenant.UserID(id)); err == nil {
			in, err := r.MemberOf(id)
			if err != nil {
				return err
			}
			more = len(in) > maxHeld
			holders = append(holders, in[:min(len(in), maxHeld)]...)
		} else if !errors.Is(err, refusal.ErrNoRow) {
			return err
		}
		for _, holder := range holders {
			by, of := tenant.Group{}, id
			var err error
			if holder.GroupID != "" {
				of = tenant.PrincipalID(holder.GroupID)
				if by, err = r.Group(holder.GroupID); err != nil {
					return err
				}
			}
			assigned, err := r.Assignments(tenant.AssignmentQuery{PrincipalID: of})
			if err != nil {
				return err
			}
			for _, x := range assigned {
				if len(list) == most {
					more = true
					return nil
				}
				a, read := known[x.ServicePrincipalID]
				if !read {
					if a, err = r.Application(tenant.AnyApplicationID(x.ServicePrincipalID)); err != nil {
						return err
					}
					known[x.ServicePrincipalID] = a
				}
				list = append(list, heldApplication{a, roleName(a, x.RoleID), by, x})
			}
		}
		return nil
	})
	slices.SortStableFunc(list, func(a, b heldApplication) int {
		return strings.Compare(strings.ToLower(a.App.DisplayName), strings.ToLower(b.App.DisplayName))
	})
	return list, more, err
}

type userRolesData struct {
	Held []heldRole
	Free []tenant.DirectoryRole // that they do not have
	Back string
}

type heldRole struct {
	tenant.DirectoryRole

	Assignment tenant.RoleAssignment
}

func rolesOfUser(p page) error {
	return p.tab("roles", func(u tenant.User) (any, error) {
		d := userRolesData{Back: p.URL.RequestURI()}
		list, err := p.h.Tenant.RoleAssignments(p.Context())
		for _, role := range tenant.DirectoryRoles {
			i := slices.IndexFunc(list, func(a tenant.RoleAssignment) bool {
				return a.PrincipalID == u.ID && a.RoleID == role.ID
			})
			if i < 0 {
				d.Free = append(d.Free, role)
			} else {
				d.Held = append(d.Held, heldRole{role, list[i]})
			}
		}
		return d, err
	})
}

type authenticationData struct {
	Factors  tenant.Factors
	Sessions []tenant.Session
}

func authenticationOfUser(p page) error {
	return p.tab("authentication", func(u tenant.User) (any, error) {
		var d authenticationData
		err := p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
			var e1, e2 error
			d.Factors, e1 = r.Factors(tenant.AccountID(u.ID))
			if errors.Is(e1, refusal.ErrNoRow) {
				e1 = nil
			}
			d.Sessions, e2 = r.SessionsOf(tenant.AccountID(u.ID))
			return errors.Join(e1, e2)
		})
		now := p.h.Tenant.Now()
		d.Sessions = slices.DeleteFunc(d.Sessions, func(s tenant.Session) bool {
			return s.SetsPassword || s.Over(now) || !s.IsOf(u)
		})
		slices.SortFunc(d.Sessions, func(a, b tenant.Session) int { return b.CreatedAt.Compare(a.CreatedAt) })
		return d, err
	})
}

func provisioningOfUser(p page) error {
	return p.tab("provisioning", func(u tenant.User) (any, error) {
		return p.standings(tenant.KindUser, tenant.PrincipalID(u.ID))
	})
}

func signInsOfUser(p page) error {
	return p.tab("sign-ins", func(u tenant.User) (any, error) {
		q := audit.Query{Filter: audit.Filter{Person: u.UserPrincipalName, Actions: tenant.SignInActions}}
		return p.history(web.History{Title: "Sign-ins", Log: "/admin/sign-in-logs"}, q, p.signInLines)
	})
}

func auditOfUser(p page) error {
	return p.tab("audit", func(u tenant.User) (any, error) {
		q := audit.Query{Filter: audit.Filter{Person: u.UserPrincipalName}}
		return p.history(web.History{Title: "What they did, and what was done about them", Log: "/admin/audit"}, q,
			p.auditLines)
	})
}

// How much of a log the page of somebody shows, and how far it looks back for that: the log has all
// of it.
const (
	historyShown  = 25    //bound:list events on a tab of a user of the admin center
	historyLooked = 5_000 //bound:list events that a tab of a user looks through
)

// history is the newest part of a log that a query selects.
func (p page) history(
	h web.History, q audit.Query, lines func([]audit.Event) ([]web.LogLine, error),
) (web.History, error) {
	h.Person = q.Person
	q.Limit, q.Look = historyShown, historyLooked
	found, err := p.h.Tenant.FindEvents(p.Context(), q, audit.Place{})
	if err == nil {
		h.Lines, err = lines(found.Events)
	}
	return h, err
}
