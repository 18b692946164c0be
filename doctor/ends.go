package doctor

import (
	"time"
)

// End is the moment when something that the two sides rest on ends.
type End struct {
	What string // signing certificate, trusted certificate, access token or TLS certificate
	Name string
	At   time.Time
}

// Ends are those of the certificates and the access tokens that the facts name. AWS tells when a
// token was made only in CloudTrail; it lives a year.
func (f Facts) Ends() (out []End) {
	l := newLook(f, About{})
	if active, _ := l.signing(); active != nil && !federatesIAM(*l.sso) {
		out = append(out, End{"signing certificate", thumbprint(*active), active.EndDateTime})
	}
	for _, c := range l.a.Certificates {
		out = append(out, End{"trusted certificate", c.CertificateID, c.NotAfter})
	}
	for _, t := range l.a.Tokens {
		out = append(out, End{"access token", t.TokenID, t.ExpirationTime})
	}
	if made := l.events("CreateBearerToken"); len(l.a.Tokens) == 0 && len(made) > 0 && made[0].ErrorCode == "" {
		out = append(out, End{"access token", "made last", made[0].EventTime.Add(tokenLife)})
	}
	for _, e := range l.Endpoints {
		if !e.NotAfter.IsZero() {
			out = append(out, End{"TLS certificate", e.URL, e.NotAfter})
		}
	}
	return out
}
