package admincenter

import (
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// The sections of the settings. Each has an address of its own and saves by itself.
const (
	settingsPath = "/admin/settings"
	signInPath   = settingsPath + "/sign-in"
	mailPath     = settingsPath + "/mail"
	keepingPath  = settingsPath + "/audit"
	aboutPath    = settingsPath + "/about"
)

var sections = []web.NavItem{
	{Label: "Sign-in", URL: signInPath}, {Label: "Mail", URL: mailPath},
	{Label: "Administrators", URL: settingsPath + "/administrators"},
	{Label: "Audit", URL: keepingPath}, {Label: "About", URL: aboutPath},
}

var settingsPages = map[string]action{
	"GET " + signInPath:  signInSettings,
	"GET " + mailPath:    mailSettings,
	"GET " + keepingPath: keeping,
	"GET " + aboutPath:   about,
}

func signInSettings(p page) error {
	d, err := p.h.Tenant.SecurityDefaults(p.Context())
	if err != nil {
		return err
	}
	return p.Render("settings-sign-in", "Sign-in", signInPath, struct{ Demand tenant.Demand }{d.Factor})
}

func mailSettings(p page) error {
	return p.Render("settings-mail", "Mail", mailPath, struct{ Sends bool }{p.h.Tenant.Notify != nil})
}

func keeping(p page) error {
	t := p.h.Tenant
	kept, err := t.Kept(p.Context())
	if err != nil {
		return err
	}
	d := web.LogKeeping{Kept: kept, Told: t.Keep, Chained: t.Chain.Figures.Position()}
	for _, x := range t.Couriers() {
		d.Outlets = append(d.Outlets, web.NewLogOutlet(x.Name, &x.Delivered, &x.Failures, &x.Waiting, &x.Oldest))
	}
	return p.Render("settings-audit", "Audit", keepingPath, d)
}

func about(p page) error {
	t := p.h.Tenant
	return p.Render("settings-about", "About", aboutPath, struct {
		Organization                  tenant.Organization
		Graph, Token, MyApps, Version string
	}{
		t.Organization, t.URL + "/v1.0", t.URL + "/" + t.Organization.ID + "/oauth2/v2.0/token", t.URL + "/myapps",
		p.h.Version,
	})
}
