package doctor

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
)

// signing is the certificate that signs now, and those that wait: the tenant can sign with them.
func (l *look) signing() (active *graph.KeyCredential, waiting []graph.KeyCredential) {
	if l.sso == nil {
		return nil, nil
	}
	preferred := ""
	if t := l.sso.PreferredTokenSigningKeyThumbprint; t != nil {
		preferred = strings.ToUpper(*t)
	}
	for i, k := range l.sso.KeyCredentials {
		switch {
		case k.Usage == "Verify" && thumbprint(k) == preferred:
			active = &l.sso.KeyCredentials[i]
		case graph.SignsWith(l.sso.KeyCredentials, k):
			waiting = append(waiting, k)
		}
	}
	if active == nil && len(waiting) == 1 {
		return &waiting[0], nil
	}
	return active, waiting
}

// thumbprint is the SHA-1 of a certificate, in hexadecimal capitals.
func thumbprint(k graph.KeyCredential) string {
	if k.Thumbprint != "" {
		return strings.ToUpper(k.Thumbprint)
	}
	sum, err := base64.StdEncoding.DecodeString(k.CustomKeyIdentifier)
	if err != nil {
		return strings.ToUpper(k.CustomKeyIdentifier)
	}
	if len(sum) != 20 { // some clients get the hexadecimal form
		return strings.ToUpper(k.CustomKeyIdentifier)
	}
	return strings.ToUpper(hex.EncodeToString(sum))
}

// soon is how long before an end doctor warns: our own choice.
const soon = 30 * 24 * time.Hour //bound:none when a warning begins

func date(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func samlCertificate(l *look, a *answer) {
	active, waiting := l.signing()
	if active == nil || federatesIAM(*l.sso) {
		return
	}
	left := active.EndDateTime.Sub(l.Now)
	switch {
	case left <= 0:
		a.find(Broken, "expired", "the certificate that signs ended on "+date(active.EndDateTime),
			"The SAML signing certificate ran out: AWS refuses every assertion since then").
			value("Entra, active certificate", thumbprint(*active)+", until "+date(active.EndDateTime)).
			fix("Make a new certificate, import it at AWS, then activate it", "", l.admin(l.sso, "SignOn"))
	case left < soon:
		a.find(Warning, "soon", names.Counted("the certificate that signs ends in %d {day|days}", int(left.Hours()/24)),
			"Entra's certificates live three years, and nobody renews them by themselves").
			value("Entra, active certificate", thumbprint(*active)+", until "+date(active.EndDateTime)).
			fix("Make a new certificate, import it at AWS first, then activate it", "", l.admin(l.sso, "SignOn"))
	}
	for _, k := range waiting {
		if k.EndDateTime.After(active.EndDateTime) {
			a.find(OK, "roll-over", "a newer certificate waits to be made active",
				"A roll-over is under way. Import the new certificate at AWS before you activate it in Entra").
				value("active", thumbprint(*active)).value("waiting", thumbprint(k)).
				fix("Import it under Manage authentication, then activate it", "", l.console("settings"))
		}
	}
}

func issuer(l *look, a *answer) {
	if l.e.TenantID == "" {
		return
	}
	for _, c := range l.a.Configurations {
		if c.Status != adminapi.StatusEnabled || strings.Contains(c.EntityID, l.e.TenantID) {
			continue
		}
		a.find(Broken, "", "the center trusts the issuer "+c.EntityID,
			"The metadata that the center has is of another tenant, or of another identity provider").
			value("Entra, issuer", "https://sts.windows.net/"+l.e.TenantID+"/").value("center, issuer", c.EntityID).
			fix("Upload the federation metadata of the application", "", l.console("settings"))
	}
}

func samlKey(l *look, a *answer) {
	for _, c := range l.a.Configurations {
		if c.Status == adminapi.StatusEnabled {
			l.judgeKeys(a, c)
		}
	}
}

func (l *look) judgeKeys(a *answer, c adminapi.Configuration) {
	if l.sso == nil || len(c.Thumbprints) == 0 {
		return
	}
	trusted := slices.Clone(c.Thumbprints)
	for _, known := range l.a.Certificates {
		trusted = append(trusted, known.CertificateID)
	}
	var signs []string
	active, waiting := l.signing()
	if active != nil && active.Key != "" {
		if der, err := base64.StdEncoding.DecodeString(active.Key); err == nil {
			sum := sha256.Sum256(der)
			signs = []string{hex.EncodeToString(sum[:])}
		}
	}
	if m, ok := l.e.Metadata[l.sso.ID]; ok && len(signs) == 0 {
		signs = m.Thumbprints
	}
	has := func(list []string) func(string) bool {
		return func(s string) bool {
			return slices.ContainsFunc(list, func(o string) bool { return strings.EqualFold(s, o) })
		}
	}
	if len(signs) == 0 || slices.ContainsFunc(signs, has(trusted)) {
		return
	}
	kind, cause := "not imported",
		"A new certificate was made active in Entra before AWS had it, or was never given to AWS"
	if len(waiting) == 0 && active != nil && l.Now.Sub(active.StartDateTime) > 365*24*time.Hour {
		cause = "AWS never got the application's certificate"
	}
	if m := l.e.TenantMetadata; m != nil && slices.ContainsFunc(m.Thumbprints, has(trusted)) {
		kind = "tenant metadata"
		cause = "AWS was given the tenant's general federation metadata, without ?appid=: its keys are not those of " +
			"the application"
	}
	a.find(Broken, kind, "the center does not trust the key that Entra signs with", cause).
		value("Entra signs with (SHA-256)", strings.Join(signs, ", ")).
		value("center trusts", strings.Join(trusted, ", ")).
		fix("Import the application's certificate under Manage authentication", "", l.console("settings"))
}

func trustedCertificate(l *look, a *answer) {
	for _, c := range l.a.Certificates {
		left := c.NotAfter.Sub(l.Now)
		switch {
		case left <= 0 && len(l.a.Certificates) == 1:
			a.find(Broken, "expired", "the only certificate that the center trusts ended on "+date(c.NotAfter),
				"The certificate ran out at AWS's side").value("center", c.CertificateID).
				fix("Import the certificate that signs now", "", l.console("settings"))
		case left < soon && len(l.a.Certificates) == 1:
			a.find(Warning, "soon", "the only certificate that the center trusts ends on "+date(c.NotAfter),
				"No newer one was imported").value("center", c.CertificateID).
				fix("Import the next certificate before that", "", l.console("settings"))
		}
	}
}
