package metrics_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/metrics"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// gathered is what Prometheus is told, by names without their prefix and the reason, if there is
// one.
func gathered(t *testing.T, of *tenant.Tenant) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.New(of))
	answer := httptest.NewRecorder()
	promhttp.HandlerFor(
		registry, promhttp.HandlerOpts{},
	).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	values := map[string]float64{}
	sample := regexp.MustCompile(`(?m)^gatehouse_(\w+)(?:\{job="[^"]+"(?:,why="(\w+)")?\})? (\S+)$`)
	for _, m := range sample.FindAllStringSubmatch(answer.Body.String(), -1) {
		value, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		name := m[1]
		if m[2] != "" {
			name += "." + m[2]
		}
		values[name] = value
	}
	return values
}

// TestHowAJobStandsIsTold: nothing is known before the first cycle; after one that did everything
// both sides are equal; a change, a failure and a request without an answer are counted, and time
// goes by.
func TestHowAJobStandsIsTold(t *testing.T) {
	t.Parallel()
	x := tenanttest.New(t, "http://127.0.0.1")
	ctx := context.Background()
	app, err := x.Instantiate(ctx, audit.SystemActor, tenant.Gallery[0], "AWS")
	if err != nil {
		t.Fatal(err)
	}
	j, err := x.CreateJob(ctx, audit.SystemActor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate)
	if err != nil {
		t.Fatal(err)
	}
	if m := gathered(t, x); m["provisioning_seconds_since_in_step"] <= 0 || m["tenant_store_up"] != 1 {
		t.Errorf("before the first cycle: %v", m)
	}
	cycle := func(links ...tenant.Link) {
		t.Helper()
		if err := x.Store.Update(ctx, func(tx tenant.Tx) error {
			_, last, err := tx.Marks(0)
			if err != nil {
				return err
			}
			for _, l := range links {
				l.JobID = j.ID
				if err := tx.PutLink(l); err != nil {
					return err
				}
			}
			now, err := tx.Job(j.ID)
			if err != nil {
				return err
			}
			now.Watermark = strconv.FormatInt(last, 10)
			return tx.PutJob(now)
		}); err != nil {
			t.Fatal(err)
		}
		done := tenant.Execution{State: "Succeeded", Began: x.Now(), Ended: x.Now(), Exported: len(links)}
		if err := x.FinishCycle(ctx, tenant.Holding{}, j, done, nil, ""); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := x.CreateGroup(ctx, audit.SystemActor, tenant.Group{DisplayName: "Eng"}); err != nil {
		t.Fatal(err)
	}
	cycle()
	equal := x.Now().Unix()
	m := gathered(t, x)
	if m["provisioning_seconds_since_in_step"] != 0 || m["provisioning_out_of_step.pending"] != 0 {
		t.Errorf("after a cycle: %v", m)
	}
	if since := int64(m["provisioning_in_step_since_timestamp_seconds"]); since == 0 || since > equal {
		t.Errorf("in step since %d, by %d", since, equal)
	}
	if _, err := x.CreateGroup(ctx, audit.SystemActor, tenant.Group{DisplayName: "Ops"}); err != nil {
		t.Fatal(err)
	}
	if m := gathered(t, x); m["provisioning_seconds_since_in_step"] <= 0 || m["provisioning_out_of_step.pending"] == 0 {
		t.Errorf("after a change: %v", m)
	}
	hour := x.Now().Add(-time.Hour)
	cycle(
		tenant.Link{Kind: tenant.KindUser, SourceID: "1", Failure: "no", Since: hour},
		tenant.Link{
			Kind:     tenant.KindUser,
			SourceID: "2",
			Failure:  "cut",
			Doubt:    &tenant.Doubt{Since: hour},
			Since:    hour,
		},
		tenant.Link{Kind: tenant.KindUser, SourceID: "3", Doubt: &tenant.Doubt{Since: hour, Looked: true}},
	)
	m = gathered(t, x)
	if since, told := m["provisioning_in_step_since_timestamp_seconds"]; since != 0 || !told {
		t.Errorf("in step since %v (told: %v), though it is not", since, told)
	}
	if m["provisioning_out_of_step.failing"] != 1 || m["provisioning_out_of_step.uncertain"] != 1 ||
		m["provisioning_out_of_step.pending"] != 0 || m["provisioning_seconds_since_in_step"] < 3600 {
		t.Errorf("after failures: %v", m)
	}
}
