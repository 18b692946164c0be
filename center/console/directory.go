package console

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

const pageSize = 50 //bound:list rows of a page of the console

// listing is a page of a list.
type listing[T any] struct {
	web.Listing
	Items  []T
	Pager  web.Pager
	Status string // enabled, disabled or any
	Access string // with, without or any
	Locked bool
	Mail   bool // whether users can be invited by email
}

// MaxAssigned is how many of a list the path of an assignment takes, where the list has more.
func (l listing[T]) MaxAssigned() int {
	if l.Pager.Partly() && l.Pager.Total > maxChosen {
		return maxChosen
	}
	return 0
}

// oneOf reads a filter that has two values; nil is any of both.
func oneOf(value, first string) *bool {
	if value == "" {
		return nil
	}
	is := value == first
	return &is
}

func (p page) offset() int {
	n, err := strconv.Atoi(p.URL.Query().Get("offset"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// locked says whether automatic provisioning keeps users and groups read-only here.
func (p page) locked() (bool, error) {
	_, err := p.h.Center.ProvisioningTenant(p.Context())
	if refusal.CodeOf(err) == center.ProvisioningOff {
		return false, nil
	}
	return err == nil, err
}

// userQuery is what the address of the list selects.
func (p page) userQuery() (l listing[center.User], q center.UserQuery) {
	l = listing[center.User]{Listing: p.Listing("name", "display"), Mail: p.h.Center.Mailer != nil}
	l.Status, l.Access = l.Filter("status", "enabled", "disabled"), l.Filter("access", "with", "without")
	q = center.UserQuery{
		Search: l.Search, Offset: l.Offset, Limit: pageSize, Descending: l.Descending,
		Active: oneOf(l.Status, "enabled"), HasAccess: oneOf(l.Access, "with"),
	}
	q.By = map[string]center.Order{"name": center.ByName, "display": center.ByDisplayName}[l.Sort]
	return l, q
}

// usersListed are the ids of the users of the list.
func (p page) usersListed(limit int) (ids []string, err error) {
	_, q := p.userQuery()
	q.Offset, q.Limit = 0, limit
	list, err := p.h.Center.Users(p.Context(), q)
	for _, u := range list {
		ids = append(ids, string(u.ID))
	}
	return ids, err
}

func users(p page) error {
	ctx, c := p.Context(), p.h.Center
	l, q := p.userQuery()
	if p.Exports() {
		columns := []string{"userId", "userName", "displayName", "givenName", "familyName", "email", "status",
			"externalId", "createdAt", "updatedAt"}
		return p.Export("users", columns, func(row func(...string) error) error {
			return web.EachRow(func(offset, limit int) ([]center.User, error) {
				q.Offset, q.Limit = offset, limit
				return c.Users(ctx, q)
			}, func(u center.User) string { return string(u.ID) }, func(u center.User) error {
				status := "DISABLED"
				if u.Active {
					status = "ENABLED"
				}
				return row(string(u.ID), u.UserName, u.DisplayName, u.Name.GivenName, u.Name.FamilyName,
					u.PrimaryEmail(), status, u.ExternalID, u.CreatedAt.UTC().Format(time.RFC3339),
					u.UpdatedAt.UTC().Format(time.RFC3339))
			})
		})
	}
	locked, e1 := p.locked()
	total, e2 := c.CountUsers(ctx, q)
	list, e3 := c.Users(ctx, q)
	if err := errors.Join(e1, e2, e3); err != nil {
		return err
	}
	l.Locked, l.Items = locked, list
	l.Pager = l.Listing.Pager(len(list), pageSize, total)
	return p.Render("users", "Users", "/console/users", l)
}

func createUser(p page) error {
	u := center.User{
		UserName:    p.PostFormValue("username"),
		DisplayName: p.PostFormValue("display"),
		Active:      true,
		Name:        center.PersonName{GivenName: p.PostFormValue("given"), FamilyName: p.PostFormValue("family")},
	}
	if email := p.PostFormValue("email"); email != "" {
		u.Emails = []center.Value{{Value: email, Type: "work", Primary: true}}
	}
	switch p.PostFormValue("password") {
	case "mail":
		u, err := p.h.Center.CreateInvitedUser(p.Context(), p.by, u, center.User.CheckAWS)
		if err != nil {
			return err
		}
		return p.Done("/console/users/"+string(u.ID), "The user is created, and an invitation is on its way.")
	case "once":
		u, err := p.h.Center.CreateUserWithPassword(p.Context(), p.by, u, center.User.CheckAWS)
		if err != nil {
			return err
		}
		return showUser(p, u.ID, u.Password.Reveal())
	}
	u, err := p.h.Center.CreateUser(p.Context(), p.by, u, center.User.CheckAWS)
	if err != nil {
		return err
	}
	return p.Done("/console/users/"+string(u.ID), "The user is created.")
}

type userData struct {
	User    center.User
	Account center.Account // none: the ways are those to all accounts
	Labels  center.AccountLabels
	Groups  []center.Group
	waysTable
	History   web.History
	Directory bool
	Told      []told // what the identity provider says
	ToldAt    time.Time
	Mail      bool // whether links can be sent
	Devices   []web.OwnDevice
	Sessions  []web.OwnSession
	Roles     center.RoleAccess
	Deny      string              // the policy that refuses what is open, where an administrator has to
	Ended     []center.Revocation // the last times when all was ended
	OneTime   string              // a one-time password, shown once, right after it was made

	NewAddress bool // whether the email address is too new to prove the user
}

func user(p page) error { return showUser(p, center.UserID(p.PathValue("id")), "") }

func showUser(p page, id center.UserID, oneTime string) error {
	if oneTime != "" {
		p.Visit = p.At("/console/users/" + string(id))
	}
	ctx, c := p.Context(), p.h.Center
	d := userData{Mail: c.Mailer != nil, OneTime: oneTime}
	var err error
	if d.User, err = c.User(ctx, id); err != nil {
		return err
	}
	d.NewAddress = d.User.AddressIsNew(c.Now())
	source, err := c.Source(ctx)
	if err != nil {
		return err
	}
	d.Directory = source.Type == center.Directory
	ms, err := c.Memberships(ctx, center.MembershipQuery{UserID: d.User.ID})
	if err != nil {
		return err
	}
	for _, m := range ms {
		g, err := c.Group(ctx, m.GroupID)
		if err != nil {
			return err
		}
		d.Groups = append(d.Groups, g)
	}
	if d.waysTable, err = p.ways(center.HeldAccessQuery{User: d.User.ID}); d.sent || err != nil {
		return err
	}
	if d.Labels, err = c.AccountLabels(ctx); err != nil {
		return err
	}
	if d.History, err = p.history(d.User.UserName); err != nil {
		return err
	}
	devices, err := c.Devices(ctx, string(d.User.ID))
	if err != nil {
		return err
	}
	d.Devices = shownDevices(devices)
	sessions, err := c.Sessions(ctx, d.User.ID)
	if err != nil {
		return err
	}
	d.Sessions = shownSessions(sessions, "")
	d.Told, d.ToldAt = toldOf(d.User, sessions)
	if d.Roles, err = c.RoleAccess(ctx, d.User.ID); err != nil {
		return err
	}
	if d.Deny, err = c.DenyPolicy(d.Roles); err != nil {
		return err
	}
	if d.Ended, err = c.Revocations(ctx, center.RevocationQuery{UserID: d.User.ID, Limit: 5}); err != nil {
		return err
	}
	return p.Render("user", d.User.DisplayName, "/console/users", d)
}

// How much of the history of somebody their page shows, and how far it looks back for that: the log
// has all of it.
const (
	historyShown  = 8     //bound:list events on the page of a user or a group
	historyLooked = 5_000 //bound:list events that the page of a user or a group looks through
)

// history is the newest of what somebody did, and of what was done about them.
func (p page) history(name string) (web.History, error) {
	h := web.History{Title: "Sign-ins and changes", Log: "/console/audit", Person: name}
	q := audit.Query{Filter: audit.Filter{Person: name}, Limit: historyShown, Look: historyLooked}
	found, err := p.h.Center.FindEvents(p.Context(), q, audit.Place{})
	if err == nil {
		h.Lines, err = p.auditLines(found.Events)
	}
	return h, err
}

func setActive(p page) error {
	id := center.UserID(p.PathValue("id"))
	active := p.PostFormValue("active") == "true"
	if err := p.h.Center.SetUserActive(p.Context(), p.by, id, active); err != nil {
		return err
	}
	if active {
		return p.Done("/console/users/"+string(id), "The user can sign in again.")
	}
	rest, err := p.rolesLeft(string(id))
	if err != nil {
		return err
	}
	return p.ended(
		id, "/console/users/"+string(id), "The user is disabled: sign-in is refused and all sessions have ended."+rest,
	)
}

// rolesLeft says what is left of the roles that users had opened; nothing if nothing is.
func (p page) rolesLeft(ids ...string) (string, error) {
	open, pending := 0, 0
	for _, id := range ids {
		a, err := p.h.Center.RoleAccess(p.Context(), center.UserID(id))
		if err != nil {
			return "", err
		}
		open, pending = open+len(a.Open), pending+a.Pending()
	}
	switch {
	case open > 0 && len(ids) > 1:
		still := names.Counted("%d {role is|roles are}", open)
		return " " + still + " still open in AWS: the pages of the users say which.", nil
	case open > 0:
		return " " + names.Counted("%d {role is|roles are}", open) + " still open in AWS: see below.", nil
	case pending > 0:
		return " IAM is told to refuse " + names.Counted("%d open {role|roles}", pending) + ".", nil
	}
	return "", nil
}

func revoke(p page) error {
	id := center.UserID(p.PathValue("id"))
	if _, err := p.h.Center.RevokeUser(p.Context(), p.by, id); err != nil {
		return err
	}
	rest, err := p.rolesLeft(string(id))
	if err != nil {
		return err
	}
	return p.ended(id, "/console/users/"+string(id), "All that the user had open has ended."+rest)
}

func deleteUser(p page) error {
	id := center.UserID(p.PathValue("id"))
	u, err := p.h.Center.User(p.Context(), id)
	if err != nil {
		return err
	}
	lines, err := p.held(center.Principal{Type: center.PrincipalUser, ID: string(id)})
	if err != nil {
		return err
	}
	if len(lines) > 0 {
		lines = append([]string{"What is assigned to the user, not by a group, grants nothing any more:"}, lines...)
	}
	question := web.Question{
		Title: "Delete " + u.DisplayName + " (" + u.UserName + ")?",
		Lines: append(
			lines, "Memberships, second factors and the password are lost, and all that the user has open ends.",
			"It cannot be taken back: who is added again under this name is somebody else.",
		),
		Button: "Delete the user",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteUser(ctx, p.by, id)
	}); !done {
		return err
	}
	return p.ended(id, "/console/users", "The user is deleted.")
}

// groupQuery is what the address of the list selects.
func (p page) groupQuery() (l listing[center.Group], q center.GroupQuery) {
	l = listing[center.Group]{Listing: p.Listing("name")}
	l.Access = l.Filter("access", "with", "without")
	return l, center.GroupQuery{
		Search: l.Search, Offset: l.Offset, Limit: pageSize, By: center.ByName, Descending: l.Descending,
		HasAccess: oneOf(l.Access, "with"),
	}
}

// groupsListed are the ids of the groups of the list.
func (p page) groupsListed(limit int) (ids []string, err error) {
	_, q := p.groupQuery()
	q.Offset, q.Limit = 0, limit
	list, err := p.h.Center.Groups(p.Context(), q)
	for _, g := range list {
		ids = append(ids, string(g.ID))
	}
	return ids, err
}

func groups(p page) error {
	ctx, c := p.Context(), p.h.Center
	l, q := p.groupQuery()
	if p.Exports() {
		columns := []string{"groupId", "displayName", "description", "externalId", "createdAt"}
		return p.Export("groups", columns, func(row func(...string) error) error {
			return web.EachRow(func(offset, limit int) ([]center.Group, error) {
				q.Offset, q.Limit = offset, limit
				return c.Groups(ctx, q)
			}, func(g center.Group) string { return string(g.ID) }, func(g center.Group) error {
				created := g.CreatedAt.UTC().Format(time.RFC3339)
				return row(string(g.ID), g.DisplayName, g.Description, g.ExternalID, created)
			})
		})
	}
	locked, e1 := p.locked()
	total, e2 := c.CountGroups(ctx, q)
	list, e3 := c.Groups(ctx, q)
	if err := errors.Join(e1, e2, e3); err != nil {
		return err
	}
	l.Locked, l.Items = locked, list
	l.Pager = l.Listing.Pager(len(list), pageSize, total)
	return p.Render("groups", "Groups", "/console/groups", l)
}

func createGroup(p page) error {
	g, err := p.h.Center.CreateGroup(
		p.Context(), p.by,
		center.Group{DisplayName: p.PostFormValue("display"), Description: p.PostFormValue("description")},
	)
	if err != nil {
		return err
	}
	return p.Done("/console/groups/"+string(g.ID), "The group is created.")
}

type member struct {
	ID    center.MembershipID
	User  center.User
	Since time.Time
}

type groupData struct {
	Group   center.Group
	Members listing[member]
	Picker  web.Picker
	Command string
	Access  given
	Roles   entitlementTable // that are in accounts already
	History web.History
}

// given is what is assigned to somebody, or of something: the first of it, and how much there is.
type given struct {
	assignmentTable
	Rules []ruleLine
	Total int
	All   string // address of the list with all of it
}

// givenOf reads what is assigned to a principal, or of a permission set.
func (p page) givenOf(q center.AssignmentQuery, list, hide string) (g given, err error) {
	names, err := p.names()
	if err != nil {
		return g, err
	}
	q.Limit = pageSize
	found, err := p.h.Center.FindAssignments(p.Context(), q, "")
	if err != nil {
		return g, err
	}
	g.Total, g.All = found.Total, assignmentsPath+"?"+list
	g.Hide, g.Back = hide, p.URL.RequestURI()
	g.None = "Assigned nowhere yet."
	if g.Lines, err = p.assignmentLines(found.Items, names); err != nil {
		return g, err
	}
	g.Rules, err = p.ruleLines(center.AssignmentRule{
		PermissionSetARN: q.PermissionSetARN, PrincipalID: q.PrincipalID,
	}, names)
	return g, err
}

// memberQuery is what the address of the list of a group's members selects.
func (p page) memberQuery(id center.GroupID) (l listing[member], q center.MembershipQuery) {
	l = listing[member]{Listing: p.Listing("name")}
	return l, center.MembershipQuery{
		GroupID: id, Search: l.Search, ByName: true, Descending: l.Descending, Offset: l.Offset, Limit: pageSize,
	}
}

// membersListed are the ids of the memberships of the list.
func (p page) membersListed(limit int) (ids []string, err error) {
	_, q := p.memberQuery(center.GroupID(p.PathValue("id")))
	q.Offset, q.Limit = 0, limit
	list, err := p.h.Center.Memberships(p.Context(), q)
	for _, m := range list {
		ids = append(ids, string(m.ID))
	}
	return ids, err
}

func group(p page) error {
	ctx, c := p.Context(), p.h.Center
	d := groupData{}
	var err error
	if d.Group, err = c.Group(ctx, center.GroupID(p.PathValue("id"))); err != nil {
		return err
	}
	l, q := p.memberQuery(d.Group.ID)
	if p.Exports() {
		columns := []string{"membershipId", "userId", "userName", "displayName", "email", "since"}
		return p.Export("members", columns, func(row func(...string) error) error {
			return web.EachRow(func(offset, limit int) ([]member, error) {
				q.Offset, q.Limit = offset, limit
				return p.members(q)
			}, func(m member) string { return string(m.ID) }, func(m member) error {
				return row(string(m.ID), string(m.User.ID), m.User.UserName, m.User.DisplayName, m.User.PrimaryEmail(),
					m.Since.UTC().Format(time.RFC3339))
			})
		})
	}
	locked, e1 := p.locked()
	total, e2 := c.CountMemberships(ctx, q)
	list, e3 := p.members(q)
	if err := errors.Join(e1, e2, e3); err != nil {
		return err
	}
	l.Locked, l.Items = locked, list
	l.Pager = l.Listing.Pager(len(list), pageSize, total)
	d.Members = l
	if d.Picker, err = p.picker("users", false, p.isMember(d.Group.ID)); err != nil {
		return err
	}
	if d.Access, err = p.givenOf(center.AssignmentQuery{
		PrincipalType: center.PrincipalGroup, PrincipalID: string(d.Group.ID),
	}, "who=GROUP:"+string(d.Group.ID), "who"); err != nil {
		return err
	}
	if d.Roles, err = p.entitledOf(center.EntitlementQuery{
		PrincipalType: center.PrincipalGroup, PrincipalID: string(d.Group.ID),
	}); err != nil {
		return err
	}
	if d.History, err = p.history(d.Group.DisplayName); err != nil {
		return err
	}
	d.Command = "aws identitystore create-group-membership \\\n  --endpoint-url " + c.URL + " --region " +
		c.Instance.Region +
		" \\\n  --identity-store-id " + c.Instance.IdentityStoreID + " \\\n  --group-id " + string(
		d.Group.ID,
	) + " \\\n  --member-id UserId=USER_ID"
	return p.Render("group", d.Group.DisplayName, "/console/groups", d)
}

// members reads a part of the members of a group.
func (p page) members(q center.MembershipQuery) (list []member, err error) {
	err = p.h.Center.Store.View(p.Context(), func(r center.Reader) error {
		list = nil
		ms, err := r.Memberships(q)
		if err != nil {
			return err
		}
		for _, m := range ms {
			u, err := r.User(m.UserID)
			if err != nil {
				return err
			}
			list = append(list, member{m.ID, u, m.CreatedAt})
		}
		return nil
	})
	return list, err
}

func deleteGroup(p page) error {
	id := center.GroupID(p.PathValue("id"))
	g, err := p.h.Center.Group(p.Context(), id)
	if err != nil {
		return err
	}
	n, err := p.h.Center.CountMemberships(p.Context(), center.MembershipQuery{GroupID: id})
	if err != nil {
		return err
	}
	question := web.Question{
		Title:  "Delete the group " + g.DisplayName + "?",
		Lines:  []string{names.Counted("Its %d {member loses|members lose} what is assigned to the group.", n)},
		Button: "Delete the group",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteGroup(ctx, p.by, id)
	}); !done {
		return err
	}
	return p.Done("/console/groups", "The group is deleted.")
}
