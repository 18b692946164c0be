package console

import (
	"cmp"
	"errors"
	"path"
	"regexp"
	"sync"

	"github.com/google/uuid"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

type auditData struct {
	Log       *web.Log
	Explained []center.Explanation // the events of one reference
}

// The parts of the log that the dashboard counts.
var (
	signInPart = web.LogPart{Name: "sign-ins", Label: "sign-ins", Actions: []string{
		center.ActionExternalIdPDirectoryLogin.String(), center.ActionCredentialVerification.String(),
	}}
	scimPart   = web.LogPart{Name: "provisioning", Label: "what SCIM brought", Kind: audit.Provisioning}
	auditParts = []web.LogPart{signInPart, scimPart}
)

func auditLog(p page) error {
	words := web.LogWords{
		Title: "Audit", Who: "Who", Action: "Action", On: "Subject", Actions: center.ActionNames(), Parts: auditParts,
	}
	l := p.Log(words)
	find := func(q audit.Query, at audit.Place) (audit.Page, error) {
		return p.h.Center.FindEvents(p.Context(), q, at)
	}
	d := auditData{Log: l}
	if l.Problem != "" {
		return p.Render("audit", "Audit", "/console/audit", d)
	}
	if p.Exports() {
		return p.ExportLog("audit", l.Query, find, p.auditLines)
	}
	found, err := find(l.Query, l.Place)
	if err != nil {
		return err
	}
	events := found.Events
	if reference := l.Query.Reference; reference != "" {
		if d.Explained, err = p.explained(reference, events); err != nil {
			return err
		}
		events = nil
		for _, x := range d.Explained {
			events = append(events, x.Event)
		}
	}
	if l.Lines, err = p.auditLines(events); err != nil {
		return err
	}
	l.End(found)
	return p.Render("audit", "Audit", "/console/audit", d)
}

// explained says what the events of a reference mean. Without events it may be one of many that
// were only counted.
func (p page) explained(reference string, events []audit.Event) ([]center.Explanation, error) {
	var list []center.Explanation
	for _, e := range events {
		list = append(list, center.ExplainEvent(e))
	}
	if len(events) > 0 {
		return list, nil
	}
	list, err := p.h.Center.Explain(p.Context(), reference)
	if err != nil && refusal.CodeOf(err) != center.RequestNotFound {
		return nil, err
	}
	return list, nil
}

func (p page) auditLines(events []audit.Event) (lines []web.LogLine, err error) {
	err = p.h.Center.Store.View(p.Context(), func(r center.Reader) error {
		lines = nil
		known := map[string]web.Thing{}
		for _, e := range events {
			x := web.LineOf(e, center.ExplainEvent(e).Remedy)
			var e1, e2 error
			x.On, e1 = named(r, known, e.Subject)
			x.Who, e2 = actorOf(r, known, e.Actor, x.Who)
			if err := errors.Join(e1, e2); err != nil {
				return err
			}
			lines = append(lines, x)
		}
		return nil
	})
	return lines, err
}

// named is what a subject that is an id stands for, by the name that it has now. What is gone has
// its id only.
func named(r center.Reader, known map[string]web.Thing, subject string) (web.Thing, error) {
	if x, ok := known[subject]; ok {
		return x, nil
	}
	x, err := lookUp(r, known, subject)
	known[subject] = x
	return x, actual(err)
}

var (
	accountID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d{12}$`) })
	setARN    = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^arn:aws:sso:::permissionSet/[^/]+/[^/]+$`)
	})
	assignment = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(\d{12})/(arn:aws:sso:::permissionSet/[^/]+/[^/]+)/(.+)$`)
	})
)

func lookUp(r center.Reader, known map[string]web.Thing, subject string) (web.Thing, error) {
	x := web.Thing{ID: subject}
	if _, err := uuid.Parse(subject); err == nil {
		u, err := r.User(center.UserID(subject))
		if err == nil {
			x.Name, x.Link = u.UserName, "/console/users/"+subject
		}
		if !errors.Is(err, refusal.ErrNoRow) {
			return x, err
		}
		g, err := r.Group(center.GroupID(subject))
		if err == nil {
			x.Name, x.Link = g.DisplayName, "/console/groups/"+subject
		}
		return x, err
	}
	if accountID().MatchString(subject) {
		a, err := r.Account(subject)
		x.Name = a.Name
		return x, err
	}
	if setARN().MatchString(subject) {
		set, err := r.PermissionSet(subject)
		if err == nil {
			x.Name, x.Link = set.Name, "/console/permission-sets/"+path.Base(subject)
		}
		return x, err
	}
	if parts := assignment().FindStringSubmatch(subject); parts != nil {
		account, e1 := named(r, known, parts[1])
		set, e2 := named(r, known, parts[2])
		who, e3 := named(r, known, parts[3])
		x.Name = cmp.Or(who.Name, who.ID) + ": " + cmp.Or(set.Name, path.Base(set.ID)) + " in " +
			cmp.Or(account.Name, account.ID)
		return x, errors.Join(e1, e2, e3)
	}
	return web.Thing{Name: subject}, nil
}

// actual is an error that is more than the absence of a row.
func actual(err error) error {
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	return err
}

// actorOf is who acted: a person by the user name, a program by what its key is for.
func actorOf(r center.Reader, known map[string]web.Thing, a audit.Actor, x web.Thing) (web.Thing, error) {
	key := string(a.Kind) + "/" + a.Name
	if x, ok := known[key]; ok {
		return x, nil
	}
	var err error
	switch a.Kind {
	case audit.User:
		var u center.User
		if u, err = r.UserByName(a.Name); err == nil {
			x.Link = "/console/users/" + string(u.ID)
		}
	case audit.AccessKey:
		var k center.AccessKey
		if k, err = r.AccessKey(a.Name); err == nil {
			x.Name, x.ID = k.Principal, a.Name
		}
	case audit.Provisioning:
		x.Name, x.ID = "SCIM client", a.Name
	case audit.System, audit.Administrator, audit.Application, audit.Anonymous:
	}
	known[key] = x
	return x, actual(err)
}
