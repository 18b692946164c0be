package admincenter

import (
	"net/url"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// How far back the overview counts sign-ins.
const (
	plotEvents = 2_000  //bound:list sign-ins that the overview's plot counts
	plotLooked = 10_000 //bound:list events that are looked through for it
)

// signIns counts the sign-ins of the last days.
func (p page) signIns() (*web.Plot, error) {
	plot := web.NewPlot("Sign-ins", "granted", "refused", p.h.Tenant.Now(), tenant.JobDays)
	if p.Opens("/admin/sign-in-logs") {
		plot.LogOf("/admin/sign-in-logs?")
	}
	found, err := p.h.Tenant.FindEvents(p.Context(), audit.Query{Filter: audit.Filter{
		Actions: tenant.SignInActions, From: plot.Begin(),
	}, Limit: plotEvents, Look: plotLooked}, audit.Place{})
	if err != nil {
		return nil, err
	}
	plot.CountEvents(found)
	return plot.Draw(), nil
}

// cyclesOf counts the cycles of all jobs of the last days; nil where there is no job.
func (p page) cyclesOf(connections []connection, now time.Time) *web.Plot {
	plot := web.NewPlot("Provisioning cycles", "without a failure", "with failures", now, tenant.JobDays)
	jobs, last := 0, time.Time{}
	var one connection
	for _, c := range connections {
		if c.Job == nil {
			continue
		}
		jobs, one = jobs+1, c
		for _, d := range c.Job.Days {
			plot.Count(d.Day, d.Well, true)
			plot.Count(d.Day, d.Ill, false)
		}
		if x := c.Job.LastSuccess; x != nil && x.Escrowed == 0 && x.Ended.After(last) {
			last = x.Ended
		}
	}
	if jobs == 0 {
		return nil
	}
	if jobs == 1 && p.Opens(one.At("provisioning")) { // of several, no page has all
		plot.Link = func(day time.Time) string { return one.LogBefore(day.AddDate(0, 0, 1)) }
	}
	plot.Last = last // of the days only the beginning is known
	return plot.Draw()
}

// LogBefore is the address of the log of the connection's job, from before a moment on backwards.
func (c connection) LogBefore(at time.Time) string {
	after := strconv.FormatInt(at.UnixMilli(), 10) + " " + tenant.LastID
	return c.At("provisioning") + "?" + url.Values{"after": {after}}.Encode() + "#logs"
}
