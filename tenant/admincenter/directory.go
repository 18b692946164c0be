package admincenter

import (
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

const pageSize = 50 //bound:list rows of a page of the admin center

func overview(p page) error {
	var d struct {
		Organization        tenant.Organization
		Users, Groups, Apps int
		MyApps              string
		Movable             bool
		Now                 time.Time
	}
	d.Movable, d.Now = p.h.Tenant.Clock != nil, p.h.Tenant.Now()
	d.Organization, d.MyApps = p.h.Tenant.Organization, p.h.Tenant.URL+"/myapps"
	err := p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		users, e1 := r.CountUsers()
		groups, e2 := r.CountGroups()
		apps, e3 := r.Applications()
		d.Users = users
		d.Groups = groups
		d.Apps = len(apps)
		return errors.Join(e1, e2, e3)
	})
	if err != nil {
		return err
	}
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

type listing[T any] struct {
	Items        []T
	Search, Next string
}

func users(p page) error {
	q := p.URL.Query()
	l := listing[tenant.User]{Search: q.Get("q")}
	var err error
	if l.Items, err = p.h.Tenant.Users(
		p.Context(), tenant.Query{Search: l.Search, After: q.Get("after"), Limit: pageSize + 1},
	); err != nil {
		return err
	}
	if len(l.Items) > pageSize {
		l.Items = l.Items[:pageSize]
		l.Next = string(l.Items[pageSize-1].ID)
	}
	return p.Render("users", "Users", "/admin/users", l)
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

func user(p page) error {
	u, err := p.h.Tenant.UserByIDOrName(p.Context(), p.PathValue("id"))
	if err != nil {
		return err
	}
	d := struct {
		User   tenant.User
		Groups []tenant.Group
	}{User: u}
	err = p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		d.Groups = nil
		in, err := r.MemberOf(tenant.PrincipalID(u.ID))
		for _, m := range in {
			g, err := r.Group(m.GroupID)
			if err != nil {
				return err
			}
			d.Groups = append(d.Groups, g)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.Render("user", u.DisplayName, "/admin/users", d)
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
	return p.Done("/admin/users/"+string(id), "The password is set. Sessions that used the old password have ended.")
}

func revokeSessions(p page) error {
	id := p.userID()
	if err := p.h.Tenant.RevokeSessions(p.Context(), p.by, id); err != nil {
		return err
	}
	return p.Done(
		"/admin/users/"+string(id),
		"All sessions and the refresh tokens of programs are revoked. Access tokens expire within the hour.",
	)
}

func deleteUser(p page) error {
	if err := p.h.Tenant.DeleteUser(p.Context(), p.by, p.userID()); err != nil {
		return err
	}
	return p.Done("/admin/users", "The user is deleted. You can restore them for 30 days.")
}

func groups(p page) error {
	q := p.URL.Query()
	l := listing[tenant.Group]{Search: q.Get("q")}
	var err error
	if l.Items, err = p.h.Tenant.Groups(
		p.Context(), tenant.Query{Search: l.Search, After: q.Get("after"), Limit: pageSize + 1},
	); err != nil {
		return err
	}
	if len(l.Items) > pageSize {
		l.Items = l.Items[:pageSize]
		l.Next = string(l.Items[pageSize-1].ID)
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

// maxShown is how many members a group's page lists.
const maxShown = 200 //bound:list members on a page of the admin center

type memberLine struct {
	ID                 tenant.PrincipalID
	Name, Detail, Kind string
}

// line describes a user or a group for a table.
func line(r tenant.Reader, kind tenant.ObjectKind, id tenant.PrincipalID) (memberLine, error) {
	if kind == tenant.KindGroup {
		g, err := r.Group(tenant.GroupID(id))
		return memberLine{id, g.DisplayName, g.Description, string(kind)}, err
	}
	u, err := r.User(tenant.UserID(id))
	return memberLine{id, u.DisplayName, u.UserPrincipalName, string(kind)}, err
}

func group(p page) error {
	var d struct {
		Group   tenant.Group
		Members []memberLine
		Total   int
	}
	var err error
	if d.Group, err = p.h.Tenant.Group(p.Context(), tenant.GroupID(p.PathValue("id"))); err != nil {
		return err
	}
	err = p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		d.Members = nil
		members, err := r.Members(d.Group.ID)
		d.Total = len(members)
		for _, m := range members[:min(len(members), maxShown)] {
			l, err := line(r, m.Kind, m.MemberID)
			if err != nil {
				return err
			}
			d.Members = append(d.Members, l)
		}
		return err
	})
	if err != nil {
		return err
	}
	return p.Render("group", d.Group.DisplayName, "/admin/groups", d)
}

// principal finds a user by user principal name or a group by its exact name.
func (p page) principal(name string) (tenant.Mark, error) {
	u, err := p.h.Tenant.UserByIDOrName(p.Context(), name)
	if err == nil {
		return tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)}, nil
	}
	if refusal.KindOf(err) != refusal.NotFound {
		return tenant.Mark{}, err
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

func addMember(p page) error {
	member, err := p.principal(p.PostFormValue("name"))
	if err != nil {
		return err
	}
	if err := p.h.Tenant.AddMember(p.Context(), p.by, tenant.GroupID(p.PathValue("id")), member.ID); err != nil {
		return err
	}
	return p.Done("/admin/groups/"+p.PathValue("id"), "The member is added.")
}

func removeMember(p page) error {
	if err := p.h.Tenant.RemoveMember(
		p.Context(), p.by, tenant.GroupID(p.PathValue("id")), tenant.PrincipalID(p.PathValue("mid")),
	); err != nil {
		return err
	}
	return p.Done("/admin/groups/"+p.PathValue("id"), "The member is removed.")
}

func deleteGroup(p page) error {
	if err := p.h.Tenant.DeleteGroup(p.Context(), p.by, tenant.GroupID(p.PathValue("id"))); err != nil {
		return err
	}
	return p.Done("/admin/groups", "The group is deleted. You can restore it for 30 days.")
}

func auditLog(p page) error {
	events, err := p.h.Tenant.Events(p.Context(), 100)
	if err != nil {
		return err
	}
	return p.Render("audit", "Audit logs", "/admin/audit", struct{ Events []audit.Event }{events})
}

// shownSignIns is how many lines the page of the sign-in log has.
const shownSignIns = 200

func signInLogs(p page) error {
	list, err := p.h.Tenant.SignIns(p.Context(), shownSignIns)
	if err != nil {
		return err
	}
	return p.Render("signinlogs", "Sign-in logs", "/admin/sign-in-logs", list)
}
