package examine

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/gather"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// metrics are what Prometheus is told of the last look.
type metrics struct {
	mu      sync.Mutex
	report  *doctor.Report
	ends    []doctor.End
	now     time.Time // of the facts
	at      time.Time // when the last look that could be had ended
	seconds float64
	looks   map[bool]float64 // by whether they could be had

	checks, subjects, days, lastLook, took, total *prometheus.Desc
}

func newMetrics() *metrics {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("gatehouse_doctor_"+name, help, labels, nil)
	}
	return &metrics{
		looks: map[bool]float64{},
		checks: desc("check", "1 for the worst state of each check: ok, warning, broken or could not look; 0 for the "+
			"other states.", "check", "state"),
		subjects: desc("subjects", "People, groups or accounts that the findings of a check concern.", "check"),
		days: desc("days_left", "Days until a certificate or an access token ends; negative afterwards.", "what",
			"name"),
		lastLook: desc("last_look_timestamp_seconds", "When the last look ended, in Unix time; 0: none has."),
		took:     desc("look_seconds", "How long the last look took."),
		total:    desc("looks_total", "Looks by whether they could be had.", "status"),
	}
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.checks, m.subjects, m.days, m.lastLook, m.took, m.total} {
		out <- d
	}
}

// states are those of a check, the worst first.
var states = []doctor.State{doctor.Broken, doctor.Unseen, doctor.Warning, doctor.OK}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(out chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for status, ok := range map[string]bool{"succeeded": true, "failed": false} {
		out <- prometheus.MustNewConstMetric(m.total, prometheus.CounterValue, m.looks[ok], status)
	}
	if m.report == nil {
		gauge(m.lastLook, 0)
		return
	}
	gauge(m.lastLook, float64(m.at.Unix()))
	gauge(m.took, m.seconds)
	worst, subjects := worstStates(*m.report)
	for check, state := range worst {
		for _, s := range states {
			value := 0.0
			if s == state {
				value = 1
			}
			gauge(m.checks, value, check, string(s))
		}
		gauge(m.subjects, float64(subjects[check]), check)
	}
	seen := map[doctor.End]bool{}
	for _, e := range m.ends {
		key := doctor.End{What: e.What, Name: e.Name}
		if !seen[key] {
			seen[key] = true
			gauge(m.days, e.At.Sub(m.now).Hours()/24, e.What, e.Name)
		}
	}
}

// worstStates are the worst state of each check that ran or could not, and how many it concerns.
// What no API has counts as seen.
func worstStates(r doctor.Report) (worst map[string]doctor.State, subjects map[string]int) {
	worst, subjects = map[string]doctor.State{}, map[string]int{}
	for _, check := range r.Sound {
		worst[check] = doctor.OK
	}
	rank := map[doctor.State]int{}
	for i, s := range states {
		rank[s] = i
	}
	for _, f := range r.Findings {
		state := f.State
		if state == doctor.Unseen && f.Kind != "" {
			state = doctor.OK
		}
		if have, ok := worst[f.Check]; !ok || rank[state] < rank[have] {
			worst[f.Check] = state
		}
		subjects[f.Check] += f.Count
	}
	return worst, subjects
}

func (m *metrics) looked(r doctor.Report, f doctor.Facts, took time.Duration) {
	ends := f.Ends()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.report, m.ends = &r, ends
	m.now = f.Now
	m.at, m.seconds = time.Now(), took.Seconds()
	m.looks[true]++
}

func (m *metrics) failed() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks[false]++
}

// line is what --every prints for a look, as JSON.
type line struct {
	Time    time.Time     `json:"time"`
	Seconds float64       `json:"seconds"`
	Worst   doctor.State  `json:"worst"`
	Report  doctor.Report `json:"report"`
}

// watch looks again and again until ctx is done. A look that cannot be had is told, and the next
// one comes all the same.
func (s *settings) watch(ctx context.Context, c gather.Config) error {
	c.Told = nil
	m := newMetrics()
	if s.metricsAddress != "" {
		serve, err := s.serveMetrics(ctx, s.metricsAddress, m)
		if err != nil {
			return err
		}
		go serve(ctx)
	}
	var before map[string]doctor.State
	for {
		if err := s.look(ctx, c, m, &before); err != nil && ctx.Err() == nil {
			m.failed()
			fmt.Fprintf(s.Err, "could not look; the next look comes in %s: %s\n", s.every, terminal.Paragraph(err))
		}
		select {
		case <-time.After(s.every):
		case <-ctx.Done():
			return nil
		}
	}
}

// look looks once. For a person it prints only what has changed.
func (s *settings) look(
	ctx context.Context, c gather.Config, m *metrics, before *map[string]doctor.State,
) error {
	began := time.Now()
	facts, err := gather.Gather(ctx, c)
	if err != nil {
		return err
	}
	report := doctor.Diagnose(facts, doctor.About{}, s.only...)
	took := time.Since(began)
	m.looked(report, facts, took)
	if s.asJSON {
		return json.NewEncoder(s.Out).Encode(line{time.Now().UTC(), took.Seconds(), report.Worst(), report})
	}
	now, _ := worstStates(report)
	if *before == nil {
		s.print(report)
	} else {
		s.printChanges(report, *before, now)
	}
	*before = now
	return nil
}

// printChanges prints the checks whose state is another than before.
func (s *settings) printChanges(r doctor.Report, before, now map[string]doctor.State) {
	said := map[string]bool{}
	for _, f := range r.Findings {
		if before[f.Check] != now[f.Check] && !said[f.Check] && f.State == now[f.Check] {
			said[f.Check] = true
			fmt.Fprintf(s.Out, "%s ", time.Now().UTC().Format(time.RFC3339))
			s.finding(mark(f.State), f)
		}
	}
	for check, state := range before {
		if now[check] != state && !said[check] {
			fmt.Fprintf(s.Out, "%s  %s %s: sound again\n", time.Now().UTC().Format(time.RFC3339),
				mark(doctor.OK), check)
		}
	}
}

func mark(state doctor.State) string {
	for _, g := range groups {
		if g.state == state {
			return g.mark
		}
	}
	return ""
}
