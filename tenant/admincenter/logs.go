package admincenter

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

func auditLog(p page) error {
	l := p.Log(web.LogWords{
		Title: "Audit logs", Who: "Initiated by", Action: "Activity", On: "Target", Actions: tenant.ActionNames(),
	})
	return p.log(l, "audit-logs", "/admin/audit", p.auditLines)
}

func signInLogs(p page) error {
	l := p.Log(web.LogWords{Title: "Sign-in logs", Who: "User", Action: "Application", On: "Reason"})
	l.Query.Actions = tenant.SignInActions
	return p.log(l, "sign-in-logs", "/admin/sign-in-logs", p.signInLines)
}

// log shows a page of a log, or sends all that the address selects as a file.
func (p page) log(
	l *web.Log, name, active string, lines func([]audit.Event) ([]web.LogLine, error),
) error {
	find := func(q audit.Query, at audit.Place) (audit.Page, error) {
		return p.h.Tenant.FindEvents(p.Context(), q, at)
	}
	if l.Problem != "" {
		return p.Render("log", l.Title, active, l)
	}
	if p.Exports() {
		return p.ExportLog(name, l.Query, find, lines)
	}
	found, err := find(l.Query, l.Place)
	if err != nil {
		return err
	}
	if l.Lines, err = lines(found.Events); err != nil {
		return err
	}
	if err = p.link(l.Lines); err != nil {
		return err
	}
	l.End(found)
	return p.Render("log", l.Title, active, l)
}

func (p page) auditLines(events []audit.Event) (lines []web.LogLine, err error) {
	names := map[string]web.Thing{}
	err = p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		lines = nil
		for _, e := range events {
			x := web.LineOf(e, remedyOf(e))
			var err error
			if x.On, err = named(r, names, e.Subject); err != nil {
				return err
			}
			if e.Actor.Kind == audit.Application {
				if x.Who, err = named(r, names, e.Actor.Name); err != nil {
					return err
				}
			}
			lines = append(lines, x)
		}
		return nil
	})
	return lines, err
}

func remedyOf(e audit.Event) string {
	if e.Result != audit.Refused {
		return ""
	}
	return tenant.Refusals.Named(e.Code).Remedy()
}

// named is what a subject that is an id stands for, by the name that it has now. What is gone has
// its id only.
func named(r tenant.Reader, known map[string]web.Thing, subject string) (web.Thing, error) {
	if _, err := uuid.Parse(subject); err != nil {
		return web.Thing{Name: subject}, nil
	}
	if x, ok := known[subject]; ok {
		return x, nil
	}
	x := web.Thing{ID: subject}
	u, e1 := r.User(tenant.UserID(subject))
	if e1 == nil {
		x.Name, x.Link = cmp.Or(u.UserPrincipalName, u.DisplayName), "/admin/users/"+subject
	}
	g, e2 := r.Group(tenant.GroupID(subject))
	if e2 == nil {
		x.Name, x.Link = g.DisplayName, "/admin/groups/"+subject
	}
	a, e3 := r.Application(tenant.AnyApplicationID(subject))
	if e3 == nil {
		x.Name, x.Link = a.DisplayName, "/admin/apps/"+string(a.ID)
	}
	c, e4 := r.Client(tenant.ClientID(subject))
	if e4 == nil {
		x.Name, x.Link = c.DisplayName, "/admin/clients"
	}
	for _, err := range []error{e1, e2, e3, e4} {
		if err != nil && !errors.Is(err, refusal.ErrNoRow) {
			return x, err
		}
	}
	known[subject] = x
	return x, nil
}

func (p page) signInLines(events []audit.Event) (lines []web.LogLine, err error) {
	for _, e := range events {
		s := tenant.SignInOf(e)
		x := web.LineOf(e, remedyOf(e))
		x.Who.Name, x.On.Name = s.User, s.Reason
		x.Code, x.Action = "", cmp.Or(s.Application, "–")
		x.Details = slices.DeleteFunc(x.Details, func(d web.Detail) bool { return d.Text == s.Reason })
		if x.Result = "Success"; !s.Granted {
			x.Result = "Failure"
			if s.AADSTS != 0 {
				x.Code = strconv.Itoa(s.AADSTS)
			}
		}
		lines = append(lines, x)
	}
	return lines, nil
}

// link leads from names of users to their pages.
func (p page) link(lines []web.LogLine) error {
	known := map[string]string{}
	return p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		for i := range lines {
			who := &lines[i].Who
			link, ok := known[who.Name]
			if !ok && strings.Contains(who.Name, "@") {
				u, err := r.UserByPrincipalName(who.Name)
				if err != nil && !errors.Is(err, refusal.ErrNoRow) {
					return err
				}
				if err == nil {
					link = "/admin/users/" + string(u.ID)
				}
				known[who.Name] = link
			}
			who.Link = cmp.Or(who.Link, link)
		}
		return nil
	})
}
