package console

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

type settingsData struct {
	Instance                 center.Instance
	EntityID, ACS, PortalURL string
	Source                   center.IdentitySource
	External                 bool
	Provisioning             bool
	Endpoint                 string
	Tokens                   []center.BearerToken
	NewToken                 string
	Confirmation             string
	Certificates             []center.IdPCertificate
	Offered                  []string // how published metadata differs from what is trusted
	OfferedText              string
	CanUndo                  bool
	UndoUntil                time.Time
	SignIn                   center.SignInSettings
	Controls                 center.InstanceControls
	Hours                    string // the portal session's
}

// settingsOf collects the settings page. newToken is set once, right after it was made.
func settingsOf(p page, newToken string) (settingsData, error) {
	c, ctx := p.h.Center, p.Context()
	d := settingsData{
		Instance:     c.Instance,
		EntityID:     c.EntityID(),
		ACS:          c.ACSURL(),
		PortalURL:    c.PortalURL(),
		NewToken:     newToken,
		Confirmation: center.Confirmation,
	}
	var err error
	if d.Source, err = c.Source(ctx); err != nil {
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
	if d.Controls, err = c.InstanceControls(ctx); err != nil {
		return d, err
	}
	if d.SignIn, err = c.SignInSettings(ctx); err != nil {
		return d, err
	}
	d.Hours = strconv.FormatFloat(d.SignIn.PortalSession.Hours(), 'f', -1, 64)
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

func settings(p page) error {
	d, err := settingsOf(p, "")
	if err != nil {
		return err
	}
	return p.Render("settings", "Settings", "/console/settings", d)
}

// openNetworks is the way back for administrators who have shut themselves out.
func openNetworks(p page) error {
	if err := p.h.Center.OpenNetworks(p.Context(), p.by); err != nil {
		return err
	}
	return p.Done("/console/settings", "The network controls are removed. Requests are let in from everywhere.")
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
		"/console/settings", "Automatic provisioning is off. Users and groups stay, and you can edit them here.",
	)
}

// createToken shows the new token in the answer to the POST and nowhere else: not in a URL, and not
// when the page is loaded again.
func createToken(p page) error {
	token, err := p.h.Center.CreateBearerToken(p.Context(), p.by, center.Profile(p.PostFormValue("profile")))
	if err != nil {
		return err
	}
	d, err := settingsOf(p, token.Secret.Reveal())
	if err != nil {
		return err
	}
	return p.Render("settings", "Settings", "/console/settings", d)
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
	if !rotated {
		if sure, err := p.Sure(question); !sure {
			return err
		}
	}
	if err := p.h.Center.DeleteBearerToken(p.Context(), p.by, id); err != nil {
		return err
	}
	return p.Done("/console/settings", "The access token is deleted. Requests that use it are refused from now on.")
}
