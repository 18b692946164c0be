package admincenter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

const pageSize = 50 //bound:list rows of a page of the admin center

func overview(p page) error {
	var d struct {
		access

		Organization        tenant.Organization
		Users, Groups, Apps int
		MyApps              string
		Movable             bool
		Now                 time.Time
		Connections         []connection
		More                int
		SignIns, Cycles     *web.Plot
	}
	d.access = p.access
	d.Movable, d.Now = p.h.Tenant.Clock != nil, p.h.Tenant.Now()
	d.Organization, d.MyApps = p.h.Tenant.Organization, p.h.Tenant.URL+"/myapps"
	var all []tenant.Application
	err := p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		users, e1 := r.CountUsers(tenant.Query{})
		groups, e2 := r.CountGroups(tenant.Query{})
		apps, e3 := r.Applications()
		d.Users = users
		d.Groups = groups
		d.Apps, all = len(apps), apps
		return errors.Join(e1, e2, e3)
	})
	if err == nil {
		d.Connections, err = p.connections(all)
	}
	if err != nil {
		return err
	}
	if d.SignIns, err = p.signIns(); err != nil {
		return err
	}
	d.Cycles = p.cyclesOf(d.Connections, d.Now)
	d.More = max(len(d.Connections)-maxConnections, 0)
	d.Connections = d.Connections[:len(d.Connections)-d.More]
	return p.Render("overview", "Overview", "/admin/", d)
}

// moveClock moves the clock of a rehearsal forward.
func moveClock(p page) error {
	forward, err := time.ParseDuration(p.PostFormValue("forward"))
	if err != nil {
		return &refusal.Error{
			Code:    tenant.InvalidValue,
			Subject: "clock",
			Detail:  "it must be a duration such as 40m or 24h",
		}
	}
	if err := p.h.Tenant.MoveClock(p.Context(), p.by, forward); err != nil {
		return err
	}
	return p.Done("/admin/", "The clock moved forward by "+forward.String()+".")
}

// listing is a page of a list.
type listing[T any] struct {
	web.Listing
	Items  []T
	Pager  web.Pager
	Status string
	Has    string // with or without applications
}

// oneOf reads a filter that has two values; nil is any of both.
func oneOf(value, first string) *bool {
	if value == "" {
		return nil
	}
	is := value == first
	return &is
}

// assignable are the applications that can be given to people from a list.
func (p page) assignable() ([]tenant.Application, error) {
	all, err := p.h.Tenant.Applications(p.Context())
	all = slices.DeleteFunc(all, func(a tenant.Application) bool {
		return a.NoPrincipal || !p.Sends(addressOf(a, "assignments"))
	})
	slices.SortStableFunc(all, func(a, b tenant.Application) int {
		return strings.Compare(strings.ToLower(a.DisplayName), strings.ToLower(b.DisplayName))
	})
	return all[:min(len(all), maxPicked)], err
}

func createUser(p page) error {
	password := p.PostFormValue("password")
	if err := tenant.CheckPassword(password); err != nil { // also when there is none
		return err
	}
	u, err := p.h.Tenant.CreateUser(p.Context(), p.by, formUser(p, tenant.User{Enabled: true}), password)
	if err != nil {
		return err
	}
	return p.Done("/admin/users/"+string(u.ID), "The user is created.")
}

// formUser takes the form's fields over.
func formUser(p page, u tenant.User) tenant.User {
	for name, field := range map[string]*string{
		"upn":        &u.UserPrincipalName,
		"display":    &u.DisplayName,
		"given":      &u.GivenName,
		"surname":    &u.Surname,
		"mail":       &u.Mail,
		"title":      &u.JobTitle,
		"department": &u.Department,
	} {
		if p.PostForm.Has(name) || p.PostFormValue(name) != "" {
			*field = p.PostFormValue(name)
		}
	}
	return u
}

// userID is the id of the user that the path names.
func (p page) userID() tenant.UserID { return tenant.UserID(p.PathValue("id")) }

func updateUser(p page) error {
	if err := p.ParseForm(); err != nil {
		return &refusal.Error{Code: tenant.InvalidRequest}
	}
	id := p.userID()
	_, err := p.h.Tenant.UpdateUser(p.Context(), p.by, id, func(u *tenant.User) {
		*u = formUser(p, *u)
		if p.PostForm.Has("enabled") {
			u.Enabled = p.PostFormValue("enabled") == "true"
		}
	})
	if err != nil {
		return err
	}
	return p.Done("/admin/users/"+string(id), "The user is saved.")
}

func resetPassword(p page) error {
	id := p.userID()
	if err := p.h.Tenant.SetPassword(p.Context(), p.by, id, p.PostFormValue("password")); err != nil {
		return err
	}
	return p.Done(
		userAddress(id, "authentication"), "The password is set. Sessions that used the old password have ended.",
	)
}

func revokeSessions(p page) error {
	id := p.userID()
	if err := p.h.Tenant.RevokeSessions(p.Context(), p.by, id); err != nil {
		return err
	}
	return p.Done(
		userAddress(id, "authentication"),
		"All sessions and the refresh tokens of programs are revoked. Access tokens expire within the hour.",
	)
}

func resetFactors(p page) error {
	u, err := p.h.Tenant.User(p.Context(), p.userID())
	if err != nil {
		return err
	}
	question := web.Question{
		Title: "Remove all second factors of " + u.DisplayName + " (" + u.UserPrincipalName + ")?",
		Lines: []string{
			"Their sessions, and the refresh tokens of programs, end.",
			"Until they have registered a new factor, their password alone lets somebody in: be sure who asks you.",
		},
		Button: "Remove second factors",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Tenant.ResetFactors(ctx, p.by, u.ID)
	}); !done {
		return err
	}
	return p.Done(
		userAddress(u.ID, "authentication"),
		"The second factors are removed. They register new ones under My Apps, Security info.",
	)
}

// groupList is the list of groups.
type groupList struct {
	listing[tenant.Group]
	Back string
	Apps []tenant.Application // that can be assigned
}

// groupQuery is what the address of the list selects.
func (p page) groupQuery() (l groupList, q tenant.Query) {
	l.Listing, l.Back = p.Listing("name"), p.URL.RequestURI()
	l.Has = l.Filter("applications", "with", "without")
	return l, tenant.Query{
		Search: l.Search, By: tenant.ByName, Descending: l.Descending, Offset: l.Offset, Limit: pageSize,
		Assigned: oneOf(l.Has, "with"),
	}
}

// groupsListed are the ids of the groups of the list.
func (p page) groupsListed(limit int) (ids []string, err error) {
	_, q := p.groupQuery()
	q.Offset, q.Limit = 0, limit
	list, err := p.h.Tenant.Groups(p.Context(), q)
	for _, g := range list {
		ids = append(ids, string(g.ID))
	}
	return ids, err
}

func groups(p page) error {
	ctx, t := p.Context(), p.h.Tenant
	l, q := p.groupQuery()
	if p.Exports() {
		columns := []string{"id", "displayName", "description", "createdDateTime"}
		return p.Export("groups", columns, func(row func(...string) error) error {
			return web.EachRow(func(offset, limit int) ([]tenant.Group, error) {
				q.Offset, q.Limit = offset, limit
				return t.Groups(ctx, q)
			}, func(g tenant.Group) string { return string(g.ID) }, func(g tenant.Group) error {
				return row(string(g.ID), g.DisplayName, g.Description, g.CreatedAt.UTC().Format(time.RFC3339))
			})
		})
	}
	list, err := t.FindGroups(ctx, q)
	if err != nil {
		return err
	}
	l.Items = list.Items
	l.Pager = l.Listing.Pager(len(l.Items), pageSize, list.Total)
	if p.Sends("/admin/groups/chosen") {
		if l.Apps, err = p.assignable(); err != nil {
			return err
		}
	}
	return p.Render("groups", "Groups", "/admin/groups", l)
}

func createGroup(p page) error {
	g, err := p.h.Tenant.CreateGroup(
		p.Context(),
		p.by,
		tenant.Group{
			DisplayName:     p.PostFormValue("display"),
			Description:     p.PostFormValue("description"),
			SecurityEnabled: true,
		},
	)
	if err != nil {
		return err
	}
	return p.Done("/admin/groups/"+string(g.ID), "The group is created.")
}

// principals is a page of a list of users and groups: members, or whom an application is assigned
// to.
type principals struct {
	listing[tenant.Principal]
	Kind string // User, Group or empty
	Back string // where what is done to the list comes back to
	sent bool   // as a file: there is no page
}

// extra are the columns that a list has beside those of the user or group: those by which it can be
// put in order, and those of a file.
type extra struct {
	orders  []string
	columns []string
	cells   func(tenant.Principal) []string
}

// principalOrders are the columns by which such lists can be put in order.
var principalOrders = map[string]tenant.Order{
	"name": tenant.ByName, "type": tenant.ByKind, "role": tenant.ByRole, "provisioning": tenant.ByLinkState,
}

// principalQuery adds to a query what the address of the list selects.
func (p page) principalQuery(q tenant.PrincipalQuery, more extra) (principals, tenant.PrincipalQuery) {
	var d principals
	d.Listing = p.Listing(append([]string{"name", "type"}, more.orders...)...)
	d.Back = p.URL.RequestURI()
	d.Kind = d.Filter("kind", string(tenant.KindUser), string(tenant.KindGroup))
	q.Kind = tenant.ObjectKind(d.Kind)
	q.Search, q.By = d.Search, principalOrders[d.Sort]
	q.Descending = d.Descending
	return d, q
}

// principalsListed are the rows of the list, by name.
func (p page) principalsListed(
	q tenant.PrincipalQuery, limit int, name func(tenant.Principal) string,
) (rows []string, err error) {
	_, q = p.principalQuery(q, extra{orders: slices.Collect(maps.Keys(principalOrders))})
	q.Offset, q.Limit = 0, limit
	list, err := p.h.Tenant.FindPrincipals(p.Context(), q)
	for _, x := range list.Items {
		rows = append(rows, name(x))
	}
	return rows, err
}

// membersListed are the ids of the members of the list.
func (p page) membersListed(limit int) ([]string, error) {
	q := tenant.PrincipalQuery{GroupID: tenant.GroupID(p.PathValue("id"))}
	return p.principalsListed(q, limit, func(x tenant.Principal) string { return string(x.ID) })
}

// principals reads the page, or sends the list as a file.
func (p page) principals(q tenant.PrincipalQuery, name string, more extra) (d principals, err error) {
	ctx, t := p.Context(), p.h.Tenant
	d, q = p.principalQuery(q, more)
	if p.Exports() {
		columns := append([]string{"id", "type", "displayName", "userPrincipalName"}, more.columns...)
		d.sent = true
		return d, p.Export(name, columns, func(row func(...string) error) error {
			return web.EachRow(
				func(offset, limit int) ([]tenant.Principal, error) {
					q.Offset, q.Limit = offset, limit
					list, err := t.FindPrincipals(ctx, q)
					return list.Items, err
				},
				func(x tenant.Principal) string { return string(x.ID) },
				func(x tenant.Principal) error {
					cells := []string{string(x.ID), string(x.Kind), x.Name(), x.User.UserPrincipalName}
					if more.cells != nil {
						cells = append(cells, more.cells(x)...)
					}
					return row(cells...)
				},
			)
		})
	}
	q.Offset, q.Limit = d.Offset, pageSize
	list, err := t.FindPrincipals(ctx, q)
	d.Items = list.Items
	d.Pager = d.Listing.Pager(len(d.Items), pageSize, list.Total)
	return d, err
}

func group(p page) error {
	var d struct {
		heldTable

		SeesHeld  bool
		HeldOnly  bool // the page is the list of all applications
		Group     tenant.Group
		Members   principals
		Standings []standing
		Picker    web.Picker
	}
	var err error
	if d.Group, err = p.h.Tenant.Group(p.Context(), tenant.GroupID(p.PathValue("id"))); err != nil {
		return err
	}
	l := p.Listing("name")
	d.SeesHeld = p.holds(seeAssignments)
	if d.HeldOnly = d.SeesHeld && l.Filter("show", "applications") != ""; d.HeldOnly {
		if d.heldTable, err = p.heldByGroup(d.Group.ID, maxHeld); err != nil {
			return err
		}
		name := func(x heldApplication, _ string) string { return x.App.DisplayName }
		d.Held, d.Pager = web.Page(l, d.Held, pageSize, name)
		d.Pager.CSV, d.Pager.JSON = "", ""
		return p.Render("group", d.Group.DisplayName, "/admin/groups", d)
	}
	q := tenant.PrincipalQuery{GroupID: d.Group.ID}
	d.Members, err = p.principals(q, "members", extra{})
	if d.Members.sent || err != nil {
		return err
	}
	if d.Picker, err = p.picker(p.isMember(d.Group.ID)); err != nil {
		return err
	}
	if d.Standings, err = p.standings(tenant.KindGroup, tenant.PrincipalID(d.Group.ID)); err != nil {
		return err
	}
	if d.SeesHeld {
		if d.heldTable, err = p.heldByGroup(d.Group.ID, pageSize); err != nil {
			return err
		}
		d.Rest = p.URL.Path + "?show=applications"
	}
	return p.Render("group", d.Group.DisplayName, "/admin/groups", d)
}

// heldByGroup is so many at most of the applications that a group has.
func (p page) heldByGroup(id tenant.GroupID, most int) (h heldTable, err error) {
	h.Back, h.NoneHeld = p.URL.RequestURI(), "No application is assigned to the group."
	h.Held, h.More, err = p.applicationsOf(tenant.PrincipalID(id), most)
	return h, err
}

// principal finds whom a line names: a user by user principal name, or a group by its exact name.
// The id of something that is there is no name of something else.
func (p page) principal(name string) (tenant.Mark, error) {
	u, err := p.h.Tenant.UserByIDOrName(p.Context(), name)
	if err == nil {
		return tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)}, nil
	}
	if refusal.KindOf(err) != refusal.NotFound {
		return tenant.Mark{}, err
	}
	if g, err := p.h.Tenant.Group(p.Context(), tenant.GroupID(name)); err == nil {
		return tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(g.ID)}, nil
	}
	var groups []tenant.Group
	err = p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) (err error) {
		groups, err = r.GroupsByName(name)
		return err
	})
	if err == nil && len(groups) != 1 {
		err = &refusal.Error{
			Code:    tenant.UserNotFound,
			Subject: name,
			Detail:  "no user principal name and no single group has this name",
		}
	}
	if err != nil {
		return tenant.Mark{}, err
	}
	return tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(groups[0].ID)}, nil
}

// addMember puts users and groups into a group. Who is in it stays.
func addMember(p page) error {
	list, err := p.named()
	if err != nil {
		return err
	}
	id := tenant.GroupID(p.PathValue("id"))
	added, err := p.h.Tenant.AddOtherMembers(p.Context(), p.by, id, list)
	if err != nil {
		return err
	}
	done := names.Counted("%d {member is|members are} added.", added)
	switch were := len(list) - added; {
	case were > 0:
		done = fmt.Sprintf("Added: %d of %d. The others (%d) were members already.", added, len(list), were)
	case added == 1:
		done = "The member is added."
	}
	return p.Done("/admin/groups/"+string(id), done)
}
