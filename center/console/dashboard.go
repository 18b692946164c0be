package console

import (
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/web"
)

type dashboardData struct {
	Users, Groups, Accounts, Sets int
	Instance                      center.Instance
	Events                        []audit.Event
	PortalURL                     string
	States                        []state
	SignIns                       *web.Plot // to the portal and to the console
	Arrived                       *web.Plot // by SCIM; nil: nothing can
	Growth                        *web.Series
	Access                        accessLine
}

// state is how one thing stands that administrators answer for.
type state struct {
	What, Link  string
	Class, Word string // of its badge
	Text        string
}

// How far back the dashboard counts sign-ins.
const (
	plotDays   = 14     //bound:list days in the plot of sign-ins
	growthDays = 90     //bound:list days in the plot of people and access
	plotEvents = 2_000  //bound:list events that a plot of the dashboard counts
	plotLooked = 10_000 //bound:list events that are looked through for it
	soon       = 90     //bound:none days before its end that something is to be renewed
)

func dashboard(p page) error {
	c, ctx := p.h.Center, p.Context()
	d := dashboardData{PortalURL: c.PortalURL(), Instance: c.Instance}
	err := c.Store.View(ctx, func(r center.Reader) error {
		users, e1 := r.CountUsers(center.UserQuery{})
		groups, e2 := r.CountGroups(center.GroupQuery{})
		accounts, e3 := r.CountAccounts()
		sets, e4 := r.CountPermissionSets()
		events, e5 := r.Events(center.EventQuery{Limit: 8})
		d.Users = users
		d.Groups = groups
		d.Accounts = accounts
		d.Sets = sets
		d.Events = events
		return errors.Join(e1, e2, e3, e4, e5)
	})
	if err != nil {
		return err
	}
	if d.SignIns, err = p.part(signInPart, "Sign-ins", "granted", "refused"); err != nil {
		return err
	}
	if d.Growth, err = p.growth(); err != nil {
		return err
	}
	if d.Access, err = lineOfAccess(p); err != nil {
		return err
	}
	source, err := sourceOf(p)
	if err != nil {
		return err
	}
	arrives, err := provisioningOf(p, "")
	if err != nil {
		return err
	}
	if arrives.Provisioning {
		if d.Arrived, err = p.part(scimPart, "Provisioning by SCIM", "taken", "refused"); err != nil {
			return err
		}
	}
	d.States = []state{signInState(source, c.Now()), provisioningState(arrives, c.Now())}
	return p.Render("dashboard", "Dashboard", "/console/", d)
}

// part counts the events of a part of the audit log in the last days. Each day leads to them.
func (p page) part(of web.LogPart, title, good, bad string) (*web.Plot, error) {
	plot := web.NewPlot(title, good, bad, p.h.Center.Now(), plotDays).LogOf("/console/audit?part=" + of.Name + "&")
	found, err := p.h.Center.FindEvents(p.Context(), audit.Query{
		Filter: audit.Filter{Actions: of.Actions, Kind: of.Kind, From: plot.Begin()},
		Limit:  plotEvents, Look: plotLooked,
	}, audit.Place{})
	if err != nil {
		return nil, err
	}
	plot.CountEvents(found)
	return plot.Draw(), nil
}

// growth shows how many people there were and how much access.
func (p page) growth() (*web.Series, error) {
	h, err := p.h.Center.History(p.Context())
	if err != nil {
		return nil, err
	}
	s := web.NewSeries("People and access", "People", "Groups", "Assignments")
	for _, d := range h.Days[max(0, len(h.Days)-growthDays):] {
		s.Add(d.Day, d.People, d.Groups, d.Assignments)
	}
	return s.Draw(), nil
}

// signInState says whether people can sign in, and until when.
func signInState(s sourceData, now time.Time) state {
	x := state{What: "Sign-in", Link: sourcePath, Class: "good", Word: "Ready"}
	if !s.External {
		x.Text = "People sign in with the built-in directory."
		return x
	}
	x.Text = "People sign in at " + s.Source.IdP.EntityID + "."
	var last time.Time
	for _, c := range s.Certificates {
		if c.NotAfter.After(last) {
			last = c.NotAfter
		}
	}
	days := int(last.Sub(now).Hours() / 24)
	switch {
	case last.Before(now):
		x.Class, x.Word = "bad", "Certificate expired"
	case days <= soon:
		x.Class, x.Word = "warn", names.Counted("Certificate: %d {day|days} left", days)
	}
	if len(s.Offered) > 0 {
		x.Class, x.Word = "warn", "New metadata"
		x.Text += " It publishes other metadata than what is trusted."
	}
	return x
}

// provisioningState says whether users and groups arrive, and until when they can.
func provisioningState(s provisioningData, now time.Time) state {
	x := state{What: "Provisioning", Link: provisioningPath, Word: "Off"}
	if !s.Provisioning {
		x.Text = "Users and groups are kept here."
		return x
	}
	var used, last time.Time
	for _, t := range s.Tokens {
		if t.LastUsedAt.After(used) {
			used = t.LastUsedAt
		}
		if t.ExpiresAt.After(last) {
			last = t.ExpiresAt
		}
	}
	x.Class, x.Word = "good", "On"
	days := int(last.Sub(now).Hours() / 24)
	switch {
	case len(s.Tokens) == 0:
		x.Class, x.Word = "bad", "No access token"
	case last.Before(now):
		x.Class, x.Word = "bad", "Token expired"
	case days <= soon:
		x.Class, x.Word = "warn", names.Counted("Token: %d {day|days} left", days)
	}
	x.Text = "By SCIM, users and groups are provisioned automatically. "
	if used.IsZero() {
		x.Text += "Nobody has used an access token yet."
	} else {
		x.Text += "The identity provider's last request: " + web.Ago(now.Sub(used)) + " ago."
	}
	return x
}
