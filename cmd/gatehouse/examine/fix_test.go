package examine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/repair"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestFixPlansAsksAndRepairs: a plan that is not accepted changes nothing; an accepted one is
// carried out, and the second look says what is sound now.
func TestFixPlansAsksAndRepairs(t *testing.T) {
	e := pairtest.Start(t)
	if code, out := ask(t, &e, "--fix"); code != 0 || !strings.Contains(out, "Nothing can be repaired by API") {
		t.Errorf("a sound pair: %d\n%s", code, out)
	}
	e.Change(http.MethodPatch, "/servicePrincipals/"+e.Tenant.ServicePrincipalID, map[string]any{
		"accountEnabled": false, "loginUrl": "https://login.microsoftonline.com/common/saml2",
	}, nil)
	e.Change(http.MethodPost, e.JobPath()+"/pause", nil, nil)
	code, out := ask(t, &e, "--fix", "--dry-run")
	for _, want := range []string{"The plan", "gives access to: ", pairtest.Amara, "Start the job", "Only a person"} {
		if code != 2 || !strings.Contains(out, want) {
			t.Errorf("the plan does not say %q: %d\n%s", want, code, out)
		}
	}
	ctx := context.Background()
	if code, out = answered(t, ctx, &e, "yes\n", "--fix"); code != 1 || strings.Contains(out, "Sound now") {
		t.Errorf("not accepted: %d\n%s", code, out)
	}
	if code, out = answered(t, ctx, &e, "ACCEPT\n", "--fix", "--only", "sign-on-url"); code != 0 ||
		!strings.Contains(out, "Sound now\n ✓ sign-on-url") {
		t.Errorf("only one: %d\n%s", code, out)
	}
	code, out = ask(t, &e, "--fix", "--accept", "--json")
	var fixed struct {
		Before, After doctor.Report
		Plan          []doctor.Repair
		Done          []repair.Outcome
	}
	line := out[strings.LastIndex(strings.TrimSpace(out), "\n")+1:]
	if err := json.Unmarshal([]byte(line), &fixed); err != nil || code != 0 ||
		fixed.Before.Worst() != doctor.Broken || fixed.After.Worst() != doctor.OK || len(fixed.Done) != 2 {
		t.Errorf("as JSON: %d %v\n%s", code, err, out)
	}
	for _, args := range [][]string{
		{"--dry-run"}, {"--fix", pairtest.Amara}, {"--every", "1m", "--fix"}, {"--metrics", "127.0.0.1:1"},
	} {
		if code, out := ask(t, &e, args...); code != 1 {
			t.Errorf("%v: %d\n%s", args, code, out)
		}
	}
}

var (
	servedMutex sync.Mutex
	served      = map[string]*prometheus.Registry{}
)

// serveMetrics keeps what would be served at an address.
func serveMetrics(
	_ context.Context, address string, own prometheus.Collector,
) (func(context.Context), error) {
	r := prometheus.NewRegistry()
	if err := r.Register(own); err != nil {
		return nil, err
	}
	servedMutex.Lock()
	served[address] = r
	servedMutex.Unlock()
	return func(context.Context) {}, nil
}

func scraped(address string) string {
	servedMutex.Lock()
	r := served[address]
	servedMutex.Unlock()
	if r == nil {
		return ""
	}
	server := httptest.NewServer(promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	defer server.Close()
	res, err := http.Get(server.URL)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestEveryLooksAgain: the metrics follow what is broken and mended.
func TestEveryLooksAgain(t *testing.T) {
	e := pairtest.Start(t)
	ctx, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	address := t.Name()
	ended.Go(func() {
		if code, out := answered(t, ctx, &e, "", "--every", "20ms", "--metrics", address); code != 0 ||
			!strings.Contains(out, "✗ job-off") || !strings.Contains(out, "job-off: sound again") {
			t.Errorf("%d\n%s", code, out)
		}
	})
	soon := func(want string) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) { // a poll
			text := scraped(address)
			if strings.Contains(text, want) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("no %s in\n%s", want, text)
			}
		}
	}
	off := func(state doctor.State, value int) string {
		return fmt.Sprintf("gatehouse_doctor_check{check=\"job-off\",state=\"%s\"} %d", state, value)
	}
	soon(off(doctor.OK, 1))
	soon("gatehouse_doctor_days_left{name=")
	soon("gatehouse_doctor_look_seconds ")
	e.Change(http.MethodPost, e.JobPath()+"/pause", nil, nil)
	soon(off(doctor.Broken, 1))
	e.Change(http.MethodPost, e.JobPath()+"/start", nil, nil)
	soon(off(doctor.OK, 1))
	stop()
	ended.Wait()
}

// TestALookThatCannotBeHadDoesNotEndIt asks sides that nobody is at.
func TestALookThatCannotBeHadDoesNotEndIt(t *testing.T) {
	ctx, stop := context.WithTimeout(context.Background(), 3*time.Second)
	defer stop()
	address := t.Name()
	code, out := answered(
		t, ctx, nil, "", "--scim-url", "http://127.0.0.1:1/scim/v2", "--scim-token", "x", "--every", "10ms",
		"--metrics", address, "--json",
	)
	if code != 0 || strings.Count(out, "\n") < 2 {
		t.Errorf("%d\n%s", code, out)
	}
	want := `gatehouse_doctor_check{check="net-endpoint",state="broken"} 1`
	if text := scraped(address); !strings.Contains(text, want) {
		t.Errorf("the metrics:\n%s", text)
	}
}
