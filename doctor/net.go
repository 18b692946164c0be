package doctor

import (
	"fmt"
	"net/http"
	"time"
)

func scimService(l *look, a *answer) {
	p := l.a.Probe
	kind, cause := "", "The service does not answer as SCIM does"
	do := "Look at the service's own log"
	switch p.Status {
	case http.StatusOK:
		return
	case http.StatusUnauthorized:
		kind, do = "token", "Make a new token"
		cause = "The access token ran out (AWS's live one year), was deleted, or is of another endpoint"
	case http.StatusForbidden:
		kind, do = "shut out", "Look at the network controls, and at the token's endpoint"
		cause = "The token is of another endpoint, or network controls shut this address out"
	case http.StatusNotFound:
		kind, do = "address", "Copy the SCIM endpoint from Manage provisioning"
		cause = "The address is not that of the SCIM endpoint: it ends in /scim/v2"
	}
	a.find(Broken, kind, fmt.Sprintf("the SCIM service answers %d", p.Status), cause).
		value("address", p.URL).value("answer", p.Detail).fix(do, "", l.console("settings"))
}

func netEndpoint(l *look, a *answer) {
	for _, e := range l.Endpoints {
		if e.Error != "" {
			a.find(Broken, "", e.URL+" does not answer", e.Error).value("address", e.URL).
				fix("Look at DNS, the firewall and the certificate of the address", "curl -v "+e.URL, "")
			continue
		}
		if !e.NotAfter.IsZero() && e.NotAfter.Sub(l.Now) < 14*24*time.Hour {
			a.find(Warning, "certificate", "the TLS certificate of "+e.URL+" ends on "+date(e.NotAfter),
				"It was not renewed").
				value("address", e.URL).fix("Renew it", "", "")
		}
	}
}

func netClock(l *look, a *answer) {
	for _, e := range l.Endpoints {
		if skew := e.Date.Sub(e.Asked).Abs(); !e.Date.IsZero() && skew > 5*time.Minute {
			a.find(Broken, "", fmt.Sprintf("the clock of %s is %s away from ours", e.URL, skew.Round(time.Second)),
				"Assertions and signatures are good for minutes: one of the clocks is wrong").
				value("its clock", date(e.Date)).value("our clock", date(e.Asked)).fix("Set both by NTP", "", "")
		}
	}
}
