package admincenter

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// standing is how an object stands at an application that it is provisioned to: what the
// application was told of it, beside what is here.
type standing struct {
	access

	App  tenant.Application
	Link tenant.Link // zero: it was never looked at
	Sent []sentValue
}

// sentValue is a value that an application was sent.
type sentValue struct{ Path, Value string }

// At is the address of a page of the application.
func (s standing) At(below string) string { return addressOf(s.App, below) }

// Class and Word are those of the badge.
func (s standing) Class() string { return stateBadge{s.Link.State()}.Class() }

// Word is what the badge says.
func (s standing) Word() string { return stateBadge{s.Link.State()}.Word() }

// stateBadge is the badge of how an object stands at a target.
type stateBadge struct{ State tenant.LinkState }

// Class is that of the badge.
func (b stateBadge) Class() string {
	return map[tenant.LinkState]string{
		tenant.LinkFails: "bad", tenant.LinkUncertain: "warn", tenant.LinkLeft: "warn", tenant.LinkProvisioned: "good",
	}[b.State]
}

// Word is what it says.
func (b stateBadge) Word() string {
	return map[tenant.LinkState]string{
		tenant.LinkFails: "Fails", tenant.LinkUncertain: "Uncertain", tenant.LinkLeft: "Left",
		tenant.LinkProvisioned: "Provisioned", tenant.LinkNone: "Not provisioned",
	}[b.State]
}

// standings is how an object stands at each application that has a provisioning job.
func (p page) standings(kind tenant.ObjectKind, id tenant.PrincipalID) (list []standing, err error) {
	jobs, err := p.h.Tenant.Jobs(p.Context(), "")
	if err != nil {
		return nil, err
	}
	err = p.h.Tenant.Store.View(p.Context(), func(r tenant.Reader) error {
		list = nil
		apps, err := r.Applications()
		if err != nil {
			return err
		}
		for _, j := range jobs {
			at := slices.IndexFunc(apps, func(a tenant.Application) bool {
				return a.ServicePrincipalID == j.ServicePrincipalID
			})
			if at < 0 {
				continue
			}
			s := standing{access: p.access, App: apps[at]}
			if s.Link, err = r.Link(j.ID, kind, id); err != nil && !errors.Is(err, refusal.ErrNoRow) {
				return err
			}
			for _, path := range slices.Sorted(maps.Keys(s.Link.Sent)) {
				s.Sent = append(s.Sent, sentValue{path, s.Link.Sent[path]})
			}
			list = append(list, s)
		}
		return nil
	})
	slices.SortFunc(list, func(a, b standing) int { return cmp.Compare(a.App.DisplayName, b.App.DisplayName) })
	return list, err
}
