// Package metrics tells Prometheus of a center: when its SCIM access tokens and the certificates of
// its identity provider expire, when the tokens were used, how many people can administer an
// account, and whether its database answers.
//
// It may import center.
package metrics

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/center"
)

// collector reads what Prometheus asks for at the moment when it asks.
type collector struct {
	center                        *center.Center
	expires, daysLeft, used, fail *prometheus.Desc
	certificate                   *prometheus.Desc
	administrators                *prometheus.Desc
	requests, approval, sessions  *prometheus.Desc
	reviews                       *prometheus.Desc

	mu       sync.Mutex
	standing int  // administrators, when they were counted
	stands   bool // they were
	counted  time.Time
	rows     rows // when they were counted
	rowsAt   time.Time
}

// rows are what is counted in the database.
type rows struct {
	sessions center.SessionCount
	lines    int
	access   center.AccessCount
}

// rowsEach is how often rows are counted, however often Prometheus asks.
const rowsEach = 30 * time.Second //bound:none how often, not how much

// scrapeTimeout is within what Prometheus waits.
const scrapeTimeout = 8 * time.Second //bound:wait what one scrape asks the database of a center

// count counts rows, not more often than that. A failure is another scrape's to tell.
func (m *collector) count(ctx context.Context) (r rows, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.rowsAt.IsZero() && time.Since(m.rowsAt) < rowsEach {
		return m.rows, true
	}
	err := m.center.Store.View(ctx, func(reader center.Reader) (err error) {
		r.sessions, err = reader.CountSessions(m.center.Now())
		return err
	})
	lines, e2 := m.center.CountOpenReviewLines(ctx)
	access, e3 := m.center.CountAccess(ctx)
	if errors.Join(err, e2, e3) != nil {
		return r, false
	}
	r.lines, r.access = lines, access
	m.rows, m.rowsAt = r, time.Now()
	return r, true
}

// countedEach is how often administrators are counted: it reads all assignments.
const countedEach = 5 * time.Minute //bound:none how often, not how much

// countStanding counts those who can administer an account, not more often than that, also when
// there was too little time.
func (m *collector) countStanding(ctx context.Context) (n int, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.counted.IsZero() || time.Since(m.counted) >= countedEach {
		n, err := m.center.StandingAdministrators(ctx)
		if m.standing, m.stands = n, err == nil; m.stands || ctx.Err() != nil {
			m.counted = time.Now()
		}
	}
	return m.standing, m.stands
}

// New returns the metrics of a center.
func New(c *center.Center) prometheus.Collector {
	labels := []string{"token_id", "profile"}
	return &collector{center: c,
		expires: prometheus.NewDesc(
			"gatehouse_scim_token_expiry_timestamp_seconds", "When a SCIM access token expires, in Unix time.",
			labels, nil,
		),
		daysLeft: prometheus.NewDesc(
			"gatehouse_scim_token_days_left", "Whole days until a SCIM access token expires; negative afterwards.",
			labels, nil,
		),
		used: prometheus.NewDesc(
			"gatehouse_scim_token_last_used_timestamp_seconds",
			"When a SCIM access token was used last, to the minute; 0: never.", labels, nil,
		),
		fail: prometheus.NewDesc("gatehouse_store_up", "Whether the database answered.", nil, nil),
		certificate: prometheus.NewDesc(
			"gatehouse_idp_certificate_expiry_timestamp_seconds",
			"When a certificate of the identity provider expires, in Unix time.", []string{"thumbprint"}, nil,
		),
		administrators: prometheus.NewDesc(
			"gatehouse_standing_administrators",
			"Enabled users who can administer an AWS account by what is assigned to them; counted every five minutes.",
			nil, nil,
		),
		requests: prometheus.NewDesc(
			"gatehouse_access_requests", "Requests for access about which something is still to be done, by state.",
			[]string{"state"}, nil,
		),
		sessions: prometheus.NewDesc(
			"gatehouse_sessions",
			"Sessions that are open, of people and of administrators; counted every 30 seconds.", []string{"of"}, nil,
		),
		reviews: prometheus.NewDesc(
			"gatehouse_access_review_lines_open", "Lines of reviews of access that nobody has decided on.", nil, nil,
		),
		approval: prometheus.NewDesc(
			"gatehouse_access_approval_seconds_median",
			"How long the last approved requests for access waited, in the middle; absent without any.", nil, nil,
		),
	}
}

// Describe implements prometheus.Collector.
func (m *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		m.expires, m.daysLeft, m.used, m.certificate, m.administrators, m.fail, m.requests, m.approval, m.reviews,
		m.sessions,
	} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	ctx, done := context.WithTimeout(context.Background(), scrapeTimeout) // Prometheus hands none over
	defer done()
	tokens, err := m.center.BearerTokens(ctx)
	if err != nil {
		gauge(m.fail, 0)
		return
	}
	gauge(m.fail, 1)
	if source, err := m.center.Source(ctx); err == nil && source.IdP != nil {
		for _, c := range source.IdP.CertificateList() {
			if !c.NotAfter.IsZero() { // else it verifies nothing
				gauge(m.certificate, float64(c.NotAfter.Unix()), c.Thumbprint)
			}
		}
	}
	m.collectRows(ctx, gauge)
	for _, t := range tokens {
		profile := string(center.ProfileAWS)
		if t.Standard() {
			profile = string(center.ProfileStandard)
		}
		gauge(m.expires, float64(t.ExpiresAt.Unix()), t.ID, profile)
		gauge(m.daysLeft, float64(t.DaysLeft(m.center.Now())), t.ID, profile)
		used := 0.0
		if !t.LastUsedAt.IsZero() {
			used = float64(t.LastUsedAt.Unix())
		}
		gauge(m.used, used, t.ID, profile)
	}
	if n, ok := m.countStanding(ctx); ok { // the last, since it may take all the time that is left
		gauge(m.administrators, float64(n))
	}
}

// collectRows tells of sessions, and of requests for access and their reviews.
func (m *collector) collectRows(ctx context.Context, gauge func(*prometheus.Desc, float64, ...string)) {
	r, ok := m.count(ctx)
	if !ok {
		return
	}
	gauge(m.sessions, float64(r.sessions.People), "people")
	gauge(m.sessions, float64(r.sessions.Administrators), "administrators")
	gauge(m.reviews, float64(r.lines))
	for state, n := range r.access.ByState {
		gauge(m.requests, float64(n), string(state))
	}
	gauge(m.requests, float64(r.access.ToReview), "TO_REVIEW")
	if r.access.Approval > 0 {
		gauge(m.approval, r.access.Approval.Seconds())
	}
}
