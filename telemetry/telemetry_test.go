package telemetry_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/telemetry"
)

func half() *telemetry.Half {
	return telemetry.New("center", telemetry.Names{
		Actions: []string{"CreateUser", "Login", "Federate"}, SignIns: []string{"Login"},
		Credentials: []string{"Federate"},
	})
}

// TestWhatIsCountedIsTold, and what strangers send makes no label.
func TestWhatIsCountedIsTold(t *testing.T) {
	h := half()
	h.Request("scim", "CreateUser", 201, time.Millisecond)
	h.Request("scim", "CreateUser", 201, time.Millisecond)
	h.Request("scim", "CreateUser", 70_000, time.Millisecond)
	h.Event(audit.Event{Action: "CreateUser", Result: audit.Granted})
	h.Event(audit.Event{Action: "SCIM PURGE", Result: audit.Refused})
	h.Event(audit.Event{Action: "CreateUser", Result: audit.Refused, Count: 7})
	h.Event(audit.Event{Action: "Federate", Result: audit.Granted})
	h.Event(audit.Event{Action: "Federate", Result: audit.Refused})
	h.Event(audit.Event{Action: "Login", Result: audit.Refused, Check: "signature"})
	h.Event(audit.Event{Action: "Login", Result: audit.Refused, Code: "NoSuchUser"})
	runs := func(n int, err error) func(func()) error {
		return func(began func()) error {
			for range n {
				began()
			}
			return err
		}
	}
	broken := errors.New("broken")
	failed := func(err error) bool { return errors.Is(err, broken) }
	if err := h.Watched("update", failed, runs(3, nil)); err != nil {
		t.Error(err)
	}
	if err := h.Watched("update", failed, runs(1, broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
	_ = h.Watched("update", failed, runs(1, errors.New("refused")))
	want := `
# HELP gatehouse_http_requests_total Requests that were answered, by door, operation and status.
# TYPE gatehouse_http_requests_total counter
gatehouse_http_requests_total{code="0",door="scim",half="center",operation="CreateUser"} 1
gatehouse_http_requests_total{code="201",door="scim",half="center",operation="CreateUser"} 2
# HELP gatehouse_audit_events_total Events of the audit log, by action and result.
# TYPE gatehouse_audit_events_total counter
gatehouse_audit_events_total{action="CreateUser",half="center",result="Granted"} 1
gatehouse_audit_events_total{action="Federate",half="center",result="Granted"} 1
gatehouse_audit_events_total{action="Federate",half="center",result="Refused"} 1
gatehouse_audit_events_total{action="Login",half="center",result="Refused"} 2
gatehouse_audit_events_total{action="other",half="center",result="Refused"} 1
# HELP gatehouse_refusals_total Refusals of strangers that were only counted, beside their events.
# TYPE gatehouse_refusals_total counter
gatehouse_refusals_total{action="CreateUser",half="center"} 7
# HELP gatehouse_credentials_vended_total Times that credentials of a role were handed out.
# TYPE gatehouse_credentials_vended_total counter
gatehouse_credentials_vended_total{action="Federate",half="center"} 1
# HELP gatehouse_sign_ins_total Sign-ins by kind and result; check is which one a message failed.
# TYPE gatehouse_sign_ins_total counter
gatehouse_sign_ins_total{check="NoSuchUser",half="center",kind="Login",result="Refused"} 1
gatehouse_sign_ins_total{check="signature",half="center",kind="Login",result="Refused"} 1
# HELP gatehouse_store_transaction_reruns_total Transactions that were run again, because others had changed the same.
# TYPE gatehouse_store_transaction_reruns_total counter
gatehouse_store_transaction_reruns_total{half="center",kind="update"} 2
# HELP gatehouse_store_transaction_failures_total Transactions that the database could not do.
# TYPE gatehouse_store_transaction_failures_total counter
gatehouse_store_transaction_failures_total{half="center",kind="update"} 1
`
	var names []string
	for line := range strings.Lines(want) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			names = append(names, strings.Fields(name)[0])
		}
	}
	if err := testutil.CollectAndCompare(h, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	problems, err := testutil.CollectAndLint(h)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}

// TestChecksAreBounded: the codes of refusals are ours, and yet nothing may grow without an end.
func TestChecksAreBounded(t *testing.T) {
	h := half()
	for i := range 1000 {
		h.Event(audit.Event{Action: "Login", Result: audit.Refused, Check: fmt.Sprint("check ", i)})
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(h)
	if n, err := testutil.GatherAndCount(registry, "gatehouse_sign_ins_total"); err != nil || n > 61 {
		t.Errorf("%d series, %v", n, err)
	}
}
