package web_test

import (
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/web"
)

// TestADayOfAPlotLeadsToWhatItCounts: a day on which nothing was leads nowhere.
func TestADayOfAPlotLeadsToWhatItCounts(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	p := web.NewPlot("Sign-ins", "granted", "refused", now, 2).LogOf("/log?part=sign-ins&")
	p.Count(now, 1, false)
	if d := p.Draw().Days; d[0].Link != "" || d[1].Link != "/log?part=sign-ins&from=2026-11-29&to=2026-11-29" {
		t.Errorf("%+v", d)
	}
}
