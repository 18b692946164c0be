package console

import (
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/saml"
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
	SignIn                   center.SignInSettings
	Hours                    string // the portal session's
}

// settingsOf collects the settings page. newToken is set once, right after it was made.
func settingsOf(p page, newToken string) (settingsData, error) {
	c, ctx := p.h.Center, p.Context()
	d := settingsData{Instance: c.Instance, EntityID: c.EntityID(), ACS: c.ACSURL(), PortalURL: c.PortalURL(), NewToken: newToken, Confirmation: center.Confirmation}
	var err error
	if d.Source, err = c.Source(ctx); err != nil {
		return d, err
	}
	d.External = d.Source.Type == center.ExternalIdP
	if d.SignIn, err = c.SignInSettings(ctx); err != nil {
		return d, err
	}
	d.Hours = strconv.FormatFloat(d.SignIn.PortalSession.Hours(), 'f', -1, 64)
	tenant, err := c.ProvisioningTenant(ctx)
	if center.CodeOf(err) == center.ProvisioningOff {
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

func spMetadata(p page) error {
	data, err := p.h.SPMetadata()
	if err != nil {
		return err
	}
	return p.Download("gatehouse-sp-metadata.xml", "application/samlmetadata+xml", data)
}

// parseIdP reads metadata into what the center keeps of an identity provider.
func parseIdP(metadata []byte) (center.IdPConfiguration, error) {
	idp, err := saml.ParseIdentityProvider(metadata)
	if err != nil {
		return center.IdPConfiguration{}, &center.Error{Code: center.MetadataInvalid, Detail: err.Error()}
	}
	out := center.IdPConfiguration{EntityID: idp.EntityID, SignInURL: idp.SignInURL}
	for _, cert := range idp.Certificates {
		out.Certificates = append(out.Certificates, cert.Raw)
	}
	return out, nil
}

// uploadMetadata takes the identity provider's metadata as a file or as pasted text.
func uploadMetadata(p page) error {
	text := []byte(p.PostFormValue("metadata"))
	if file, _, err := p.FormFile("file"); err == nil {
		defer file.Close() //nolint:errcheck // it was only read
		data, err := io.ReadAll(io.LimitReader(file, saml.MaxMetadata+1))
		if err != nil {
			return &center.Error{Code: center.InvalidRequest, Detail: "the file cannot be read"}
		}
		if len(data) > 0 {
			text = data
		}
	}
	idp, err := parseIdP(text)
	if err == nil {
		_, err = p.h.Center.CreateIdPConfiguration(p.Context(), p.by, idp)
	} else {
		err = p.h.Center.Refuse(p.Context(), p.by, "CreateExternalIdPConfigurationForDirectory", "", err)
	}
	if err != nil {
		return err
	}
	http.Redirect(p.ResponseWriter, p.Request, "/console/settings/identity-source", http.StatusSeeOther)
	return nil
}

type reviewData struct {
	To           center.SourceType
	Pending      *center.IdPConfiguration
	Report       center.ChangeReport
	Lines        []effectLine
	Known        int // how many user names of the identity provider were compared; 0: none were given
	Confirmation string
}

type effectLine struct {
	Effect center.Effect
	Count  int
	Text   string
}

// reviewChange shows what the change will do to each user, and asks for the word. When the administrator has given the user names that the
// identity provider knows, one a line, it also shows who matches nobody yet.
func reviewChange(p page) error {
	to := center.ExternalIdP
	if p.FormValue("to") == string(center.Directory) {
		to = center.Directory
	}
	var known map[string]bool
	names := strings.Fields(p.PostFormValue("known"))
	if len(names) > 0 {
		known = make(map[string]bool, len(names))
		for _, name := range names {
			known[center.Fold(name)] = true
		}
	}
	source, err := p.h.Center.Source(p.Context())
	if err != nil {
		return err
	}
	if to == center.ExternalIdP && source.Pending == nil {
		return &center.Error{Code: center.SourceNotConfigured}
	}
	report, err := p.h.Center.PreviewSourceChange(p.Context(), to, known)
	if err != nil {
		return err
	}
	d := reviewData{To: to, Pending: source.Pending, Report: report, Known: len(known), Confirmation: center.Confirmation}
	for _, e := range []center.Effect{center.StopsWorking, center.MatchesNobody, center.NeedsPassword, center.SignsInAtIdP, center.PasswordIsUsed} {
		if n := report.Counts[e]; n > 0 {
			d.Lines = append(d.Lines, effectLine{e, n, e.Explain()})
		}
	}
	return p.Render("review", "Change the identity source", "/console/settings", d)
}

func changeSource(p page) error {
	word := strings.TrimSpace(p.PostFormValue("confirmation"))
	if p.PostFormValue("to") == string(center.Directory) {
		if err := p.h.Center.DisableIdPConfiguration(p.Context(), p.by, word); err != nil {
			return err
		}
		return p.Done("/console/settings", "The identity source is the built-in directory again.")
	}
	if err := p.h.Center.EnableIdPConfiguration(p.Context(), p.by, p.PostFormValue("id"), word); err != nil {
		return err
	}
	return p.Done("/console/settings", "The identity source is now the external identity provider.")
}

func enableProvisioning(p page) error {
	if _, err := p.h.Center.CreateProvisioningTenant(p.Context(), p.by); err != nil {
		return err
	}
	return createToken(p)
}

func disableProvisioning(p page) error {
	if strings.TrimSpace(p.PostFormValue("confirmation")) != "DISABLE" {
		return &center.Error{Code: center.ConfirmationMissing, Detail: "the word is DISABLE"}
	}
	if err := p.h.Center.DeleteProvisioningTenant(p.Context(), p.by); err != nil {
		return err
	}
	return p.Done("/console/settings", "Automatic provisioning is off. Users and groups stay, and can be edited here.")
}

// createToken shows the new token in the answer to the POST and nowhere else: not in a URL, and not when the page is loaded again.
func createToken(p page) error {
	_, secret, err := p.h.Center.CreateBearerToken(p.Context(), p.by, center.Profile(p.PostFormValue("profile")))
	if err != nil {
		return err
	}
	d, err := settingsOf(p, secret.Reveal())
	if err != nil {
		return err
	}
	return p.Render("settings", "Settings", "/console/settings", d)
}

func deleteToken(p page) error {
	if err := p.h.Center.DeleteBearerToken(p.Context(), p.by, p.PathValue("id")); err != nil {
		return err
	}
	return p.Done("/console/settings", "The access token is deleted. Requests that use it are refused from now on.")
}
