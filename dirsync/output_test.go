package dirsync_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gatehouse-id/gatehouse/dirsync"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
)

func TestWhatProgramsAreTold(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	line := dirsync.Describe(provisioning.Entry{
		Time:    at,
		Cycle:   "c",
		Ref:     provisioning.Ref{Kind: provisioning.User, ID: "1"},
		Name:    "ada",
		Action:  provisioning.Update,
		Outcome: provisioning.Success,
		Changes: []provisioning.Change{{Path: "title", Old: "", New: "Boss"}},
	})
	report := dirsync.Report{
		Cycle:   "c",
		Read:    2,
		Updated: 1,
		Took:    1500 * time.Millisecond,
		InStep:  tenant.InStep{Since: at, Failing: 1},
	}
	for want, told := range map[string]any{
		`{"time":"2026-11-28T12:00:00Z","cycle":"c","kind":"User","id":"1","name":"ada","action":"Update",` +
			`"status":"Success","changes":[{"path":"title","old":"","new":"Boss"}]}`: line,
		`{"cycle":"c","dry_run":true,"full":false,"read":2,"created":0,"updated":1,"disabled":0,"deleted":0,` +
			`"failed":0,"seconds":1.5,"in_step":false,"since":"2026-11-28T12:00:00Z","uncertain":0,"failing":1,` +
			`"pending":0}`: report.Summary(true),
	} {
		if got, err := json.Marshal(told); err != nil || !strings.EqualFold(string(got), want) {
			t.Errorf("it is told %s, %v; want %s", got, err, want)
		}
	}
}

func TestWhatPrometheusIsTold(t *testing.T) {
	t.Parallel()
	m := dirsync.NewMetrics()
	m.Entry(provisioning.Entry{Action: provisioning.Create, Outcome: provisioning.Success})
	m.Entry(provisioning.Entry{Action: provisioning.Create, Outcome: provisioning.Skipped})
	equal := time.Unix(1_800_000_000, 0)
	m.Cycle(dirsync.Report{InStep: tenant.InStep{Equal: true, Since: equal}}, nil)
	if got := gathered(t, m)["in_step_since_timestamp_seconds"]; got != float64(equal.Unix()) {
		t.Errorf("in step since %v", got)
	}
	m.Cycle(dirsync.Report{
		Failed: 3, Took: 2 * time.Second, Missing: 1204, Ended: true,
		InStep: tenant.InStep{Since: time.Now(), Pending: 4},
	}, nil)
	m.Cycle(dirsync.Report{}, errors.New("the source did not answer"))
	got := gathered(t, m)
	for name, want := range map[string]float64{
		"objects_total create success": 1,
		"objects_total create skipped": 0,
		"cycles_total succeeded":       2,
		"cycles_total failed":          1,
		"cycle_seconds":                2,
		"failed_objects":               3,
		"out_of_step missing":          1204,
		"out_of_step ended":            1,
		"out_of_step pending":          4,

		"in_step_since_timestamp_seconds": 0,
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
}

// gathered is what Prometheus is told, by names without their prefix, and labels.
func gathered(t *testing.T, m *dirsync.Metrics) map[string]float64 {
	t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(m.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, one := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "gatehouse_sync_")
			for _, l := range one.GetLabel() {
				name += " " + strings.ToLower(l.GetValue())
			}
			got[name] = one.GetCounter().GetValue() + one.GetGauge().GetValue()
		}
	}
	return got
}

// TestWhatSomebodyHasToDoIsSaidOnce to a person, and with each summary to a program.
func TestWhatSomebodyHasToDoIsSaidOnce(t *testing.T) {
	t.Parallel()
	for _, asJSON := range []bool{false, true} {
		var out strings.Builder
		p := dirsync.NewPrinter(&out, asJSON, false, true)
		report := dirsync.Report{Missing: 1204, Ended: true}
		p.Report(report, nil)
		p.Report(report, nil)
		times := map[bool]int{false: 1, true: 2}[asJSON]
		for _, said := range []string{
			"1204 objects of the source are missing", "--remove-missing", "Entra ID keeps it for 30 days",
		} {
			if n := strings.Count(out.String(), said); n != times {
				t.Errorf("%q is said %d times, want %d: %s", said, n, times, out.String())
			}
		}
		p.Report(dirsync.Report{}, nil)
		before := out.Len()
		if p.Report(report, nil); !strings.Contains(out.String()[before:], "--remove-missing") {
			t.Error("it is not said when it happens again")
		}
	}
}
