package console

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// The sections of the settings. Each has an address of its own and saves by itself.
const (
	settingsPath     = "/console/settings"
	sourcePath       = settingsPath + "/identity-source"
	reviewPath       = sourcePath + "/change"
	provisioningPath = settingsPath + "/provisioning"
	signInPath       = settingsPath + "/sign-in"
	sessionsPath     = settingsPath + "/sessions"
	networkPath      = settingsPath + "/network"
	mailPath         = settingsPath + "/mail"
	keepingPath      = settingsPath + "/audit"
	aboutPath        = settingsPath + "/about"
)

var sections = []web.NavItem{
	{Label: "Identity source", URL: sourcePath}, {Label: "Provisioning", URL: provisioningPath},
	{Label: "Sign-in", URL: signInPath}, {Label: "Sessions", URL: sessionsPath},
	{Label: "Network", URL: networkPath}, {Label: "Mail", URL: mailPath},
	{Label: "Administrators", URL: settingsPath + "/administrators"},
	{Label: "Audit", URL: keepingPath}, {Label: "About", URL: aboutPath},
}

// settingsPages are the pages and forms of the settings. Forms keep their addresses: a page that
// was open before an upgrade is sent after it.
var settingsPages = map[string]action{
	"GET " + sourcePath:       identitySource,
	"GET " + reviewPath:       reviewChange,
	"GET " + provisioningPath: provisioning,
	"GET " + signInPath:       signIn,
	"GET " + sessionsPath:     sessions,
	"GET " + networkPath:      network,
	"GET " + mailPath:         mail,
	"GET " + keepingPath:      keeping,
	"GET " + aboutPath:        about,

	"GET /console/settings/sp-metadata.xml":                   spMetadata,
	"POST /console/settings/identity-source":                  uploadMetadata,
	"POST /console/settings/identity-source/review":           reviewChange,
	"POST /console/settings/identity-source/change":           changeSource,
	"POST /console/settings/identity-source/values":           uploadValues,
	"POST /console/settings/identity-source/report.csv":       reportCSV,
	"POST /console/settings/identity-source/rehearse":         rehearse,
	"POST /console/settings/identity-source/undo":             undoChange,
	"POST /console/settings/networks/open":                    openNetworks,
	"POST /console/settings/metadata":                         watchMetadata,
	"POST /console/settings/metadata/accept":                  acceptMetadata,
	"POST /console/settings/requests":                         setRequests,
	"POST /console/settings/idp-initiated":                    allowIdPInitiated,
	"POST /console/settings/certificates":                     addCertificate,
	"POST /console/settings/certificates/{thumbprint}/delete": deleteCertificate,
	"POST /console/settings/provisioning":                     enableProvisioning,
	"POST /console/settings/provisioning/disable":             disableProvisioning,
	"POST /console/settings/tokens":                           createToken,
	"POST /console/settings/tokens/{id}/delete":               deleteToken,
	"POST /console/settings/sign-in":                          updateSignIn,
	"POST /console/settings/sessions":                         updateSessions,
	"POST /console/settings/access-control":                   updateAccessControl,
}

// sourceData is how people sign in.
type sourceData struct {
	EntityID, ACS, PortalURL string
	Source                   center.IdentitySource
	External                 bool
	Confirmation             string
	Certificates             []center.IdPCertificate
	Offered                  []string // how published metadata differs from what is trusted
	OfferedText              string
	CanUndo                  bool
	UndoUntil                time.Time
	Provisioning             bool
	Tokens                   []center.BearerToken // that an undo deletes
}

func sourceOf(p page) (sourceData, error) {
	c := p.h.Center
	d := sourceData{
		EntityID:     c.EntityID(),
		ACS:          c.ACSURL(),
		PortalURL:    c.PortalURL(),
		Confirmation: center.Confirmation,
	}
	var err error
	if d.Source, err = c.Source(p.Context()); err != nil {
		return d, err
	}
	d.External = d.Source.Type == center.ExternalIdP
	if d.Source.IdP != nil {
		d.Certificates = d.Source.IdP.CertificateList()
		if w := d.Source.Watch; w != nil && w.Offered != nil {
			d.Offered = d.Source.IdP.Differences(*w.Offered)
			d.OfferedText = strings.Join(d.Offered, "\n")
		}
	}
	if d.CanUndo = d.Source.CanUndo(c.Now()); d.CanUndo {
		d.UndoUntil = d.Source.Previous.ChangedAt.Add(center.UndoFor)
	}
	return d, nil
}

func identitySource(p page) error {
	if p.URL.Query().Has("to") { // the review was here
		return p.Moved(reviewPath + "?" + p.URL.RawQuery)
	}
	d, err := sourceOf(p)
	if err != nil {
		return err
	}
	arrives, err := provisioningOf(p, "")
	if err != nil {
		return err
	}
	d.Provisioning, d.Tokens = arrives.Provisioning, arrives.Tokens
	return p.Render("settings-source", "Identity source", sourcePath, d)
}

// provisioningData is how users and groups arrive.
type provisioningData struct {
	External     bool
	Provisioning bool
	Endpoint     string
	Tokens       []center.BearerToken
	NewToken     string
}

// Seen is the tokens that the page has.
func (d provisioningData) Seen() string { return web.Seen(tokenIDs(d.Tokens)) }

func tokenIDs(list []center.BearerToken) (ids []string) {
	for _, t := range list {
		ids = append(ids, t.ID)
	}
	return ids
}

// provisioningOf collects it. newToken is set once, right after it was made.
func provisioningOf(p page, newToken string) (provisioningData, error) {
	c, ctx := p.h.Center, p.Context()
	d := provisioningData{NewToken: newToken}
	source, err := c.Source(ctx)
	if err != nil {
		return d, err
	}
	d.External = source.Type == center.ExternalIdP
	tenant, err := c.ProvisioningTenant(ctx)
	if refusal.CodeOf(err) == center.ProvisioningOff {
		return d, nil
	}
	if err != nil {
		return d, err
	}
	d.Provisioning, d.Endpoint = true, c.SCIMEndpoint(tenant)
	d.Tokens, err = c.BearerTokens(ctx)
	return d, err
}

func provisioning(p page) error { return showProvisioning(p, "") }

func showProvisioning(p page, newToken string) error {
	d, err := provisioningOf(p, newToken)
	if err != nil {
		return err
	}
	return p.Render("settings-provisioning", "Automatic provisioning", provisioningPath, d)
}

func signIn(p page) error {
	source, err := p.h.Center.Source(p.Context())
	if err != nil {
		return err
	}
	s, err := p.h.Center.SignInSettings(p.Context())
	if err != nil {
		return err
	}
	return p.Render("settings-sign-in", "Sign-in", signInPath, struct {
		SignIn   center.SignInSettings
		External bool
	}{s, source.Type == center.ExternalIdP})
}

func sessions(p page) error {
	s, err := p.h.Center.SignInSettings(p.Context())
	if err != nil {
		return err
	}
	instance, err := p.h.Center.InstanceSettings(p.Context())
	if err != nil {
		return err
	}
	return p.Render("settings-sessions", "Sessions", sessionsPath, struct {
		SignIn     center.SignInSettings
		Hours      string
		Attributes []center.AccessControlAttribute
	}{s, strconv.FormatFloat(s.PortalSession.Hours(), 'f', -1, 64), instance.AccessControl})
}

func network(p page) error {
	controls, err := p.h.Center.InstanceControls(p.Context())
	if err != nil {
		return err
	}
	return p.Render("settings-network", "Network", networkPath, struct{ Controls center.InstanceControls }{controls})
}

func mail(p page) error {
	return p.Render("settings-mail", "Mail", mailPath, struct{ Sends bool }{p.h.Center.Mailer != nil})
}

func keeping(p page) error {
	c := p.h.Center
	kept, err := c.Kept(p.Context())
	if err != nil {
		return err
	}
	d := web.LogKeeping{Kept: kept, Told: c.Keep, Chained: c.Chain.Figures.Position()}
	for _, x := range c.Couriers() {
		d.Outlets = append(d.Outlets, web.NewLogOutlet(x.Name, &x.Delivered, &x.Failures, &x.Waiting, &x.Oldest))
	}
	return p.Render("settings-audit", "Audit", keepingPath, d)
}

func about(p page) error {
	c := p.h.Center
	controls, err := c.InstanceControls(p.Context())
	if err != nil {
		return err
	}
	settings, err := c.InstanceSettings(p.Context())
	if err != nil {
		return err
	}
	return p.Render("settings-about", "About", aboutPath, struct {
		Instance                 center.Instance
		Controls                 center.InstanceControls
		Name, PortalURL, Version string
		Organization             bool
	}{c.Instance, controls, settings.Name, c.PortalURL(), p.h.Version, c.Organization != nil})
}

// openNetworks is the way back for administrators who have shut themselves out.
func openNetworks(p page) error {
	question := web.Question{
		Title:  "Remove the network controls?",
		Lines:  []string{"Requests are let in from everywhere from then on. The networks are not kept."},
		Button: "Remove the network controls",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.OpenNetworks(ctx, p.by)
	}); !done {
		return err
	}
	return p.Done(networkPath, "The network controls are removed. Requests are let in from everywhere.")
}

func spMetadata(p page) error {
	data, err := p.h.SPMetadata(p.Context())
	if err != nil {
		return err
	}
	return p.Download("gatehouse-sp-metadata.xml", "application/samlmetadata+xml", data)
}

func enableProvisioning(p page) error {
	if _, err := p.h.Center.CreateProvisioningTenant(p.Context(), p.by); err != nil {
		return err
	}
	return createToken(p)
}

func disableProvisioning(p page) error {
	if strings.TrimSpace(p.PostFormValue("confirmation")) != "DISABLE" {
		return &refusal.Error{Code: center.ConfirmationMissing, Detail: "the word is DISABLE"}
	}
	if err := p.h.Center.DeleteProvisioningTenant(p.Context(), p.by); err != nil {
		return err
	}
	return p.Done(
		provisioningPath, "Automatic provisioning is off. Users and groups stay, and you can edit them here.",
	)
}

// createToken shows the new token in the answer to the POST and nowhere else: not in a URL, and not
// when the page is loaded again.
func createToken(p page) error {
	var token center.NewBearerToken
	again, err := p.Once(func() ([]string, error) {
		list, err := p.h.Center.BearerTokens(p.Context())
		return tokenIDs(list), err
	}, func() (err error) {
		token, err = p.h.Center.CreateBearerToken(p.Context(), p.by, center.Profile(p.PostFormValue("profile")))
		return err
	})
	switch {
	case err != nil:
		return err
	case again:
		return p.Failed(provisioningPath, "Nothing was done: the tokens are not those that the page had when you "+
			"pressed the button. A token that you do not have can be deleted below.")
	}
	p.Visit = p.At(provisioningPath)
	return showProvisioning(p, token.Secret.Reveal())
}

func deleteToken(p page) error {
	tokens, err := p.h.Center.BearerTokens(p.Context())
	if err != nil {
		return err
	}
	lines := []string{"Requests that use it are refused from then on."}
	used := func(id string) (at time.Time) {
		for _, t := range tokens {
			if t.ID == id {
				at = t.LastUsedAt
			}
		}
		return at
	}
	id := p.PathValue("id")
	// Rotated: who had the old one has begun to use another, so that nothing stops.
	rotated := slices.ContainsFunc(tokens, func(t center.BearerToken) bool {
		return t.ID != id && !t.LastUsedAt.IsZero() && t.LastUsedAt.After(used(id))
	})
	if len(tokens) == 1 {
		lines = append(lines, "It is the only one: provisioning stops until you generate another one and give it "+
			"to the identity provider.")
	}
	question := web.Question{Title: "Delete the access token?", Lines: lines, Button: "Delete the access token"}
	deletes := func(ctx context.Context) error { return p.h.Center.DeleteBearerToken(ctx, p.by, id) }
	done := rotated
	if rotated {
		err = deletes(p.Context())
	} else {
		done, err = p.SureOf(question, deletes)
	}
	if !done || err != nil {
		return err
	}
	return p.Done(provisioningPath, "The access token is deleted. Requests that use it are refused from now on.")
}
