package doctor

import (
	"fmt"
	"time"
)

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
