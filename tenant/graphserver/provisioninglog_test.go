package graphserver_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestTheProvisioningLog(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	times := func(query string) (list []time.Time) {
		t.Helper()
		for _, text := range e.List("/auditLogs/provisioning"+query, "activityDateTime") {
			at, err := time.Parse(time.RFC3339, text)
			if err != nil {
				t.Error(err)
			}
			list = append(list, at)
		}
		return list
	}
	all := e.List("/auditLogs/provisioning?$top=999", "id")
	if len(all) < 25 {
		t.Fatalf("%d entries", len(all))
	}
	if paged := e.List("/auditLogs/provisioning?$top=7", "id"); !slices.Equal(paged, all) {
		t.Errorf("%d entries in pages, %d at once", len(paged), len(all))
	}
	descending := func(a, b time.Time) int { return b.Compare(a) }
	if got := times("?$top=10"); !slices.IsSortedFunc(got, descending) {
		t.Errorf("not the newest first: %v", got)
	}
	if got := times("?$orderby=activityDateTime&$top=10"); !slices.IsSortedFunc(got, time.Time.Compare) ||
		len(got) != len(all) {
		t.Errorf("not the oldest first: %v", got)
	}
	if got := times("?$orderby=ActivityDateTime%20desc"); !slices.IsSortedFunc(got, descending) {
		t.Errorf("not the newest first: %v", got)
	}
	where := func(filter string) int {
		t.Helper()
		return len(e.List("/auditLogs/provisioning?$top=4&$filter="+url.QueryEscape(filter), "id"))
	}
	for filter, want := range map[string]int{
		"jobId eq '" + e.Tenant.JobID + "'":                              len(all),
		"jobId eq '" + e.Tenant.JobID + "' and sourceIdentity/id ne 'x'": len(all),
		"jobId eq 'x' or contains(jobId,'" + e.Tenant.JobID[:20] + "')":  len(all),
		"jobId eq 'another'":                       0,
		"activityDateTime gt 2001-01-01T00:00:00Z": len(all),
		"activityDateTime lt 2001-01-01":           0,
		"sourceIdentity/displayName eq 'mei.tanaka@northwind.example' and provisioningAction eq 'create'": 1,
		"tenantId eq 'x'": 0,
		"modifiedProperties/any(m:m/displayName eq 'userName' and endswith(m/newValue,'tanaka@northwind.example'))": 1,
		"modifiedProperties/any(p:p/newValue eq 'mei.tanaka@northwind.example' and p/displayName eq 'userName')":    1,
		"provisioningSteps/any(s:s/provisioningStepType eq 'export' and s/status eq 'failure')": where(
			"provisioningStatusInfo/status eq 'failure'",
		),
	} {
		if got := where(filter); got != want {
			t.Errorf("%s: %d, want %d", filter, got, want)
		}
	}
	for path, code := range map[string]string{
		"?$filter=nonsense%20eq%20'x'": "BadRequest", "?$orderby=jobId": "Request_UnsupportedQuery",
		"?$skiptoken=x": "Request_BadRequest", "?$skip=1": "Request_BadRequest", "?$top=0": "Request_UnsupportedQuery",
		"?$filter=activityDateTime%20gt%20'x'": "BadRequest",
	} {
		status, _, body := e.Ask(http.MethodGet, "/auditLogs/provisioning"+path, nil)
		var answer graph.ErrorBody
		if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusBadRequest ||
			answer.Error.Code != code {
			t.Errorf("%s: %d %s, want %s", path, status, body, code)
		}
	}
	_, _, body := e.Ask(http.MethodGet, "/auditLogs/provisioning?$top=1&$filter="+url.QueryEscape(
		"provisioningAction eq 'create' and sourceIdentity/identityType eq 'User'"), nil)
	for _, property := range []string{
		"id", "activityDateTime", "tenantId", "jobId", "cycleId", "changeId", "provisioningAction",
		"durationInMilliseconds", "initiatedBy", "servicePrincipal", "sourceSystem", "targetSystem", "sourceIdentity",
		"targetIdentity", "provisioningStatusInfo", "provisioningSteps", "modifiedProperties", "errorInformation",
		"ServicePrincipalId", "EntryImportAdd", "EntryExportAdd", "initiatorType", "ReportableIdentifier",
	} {
		if !strings.Contains(body, `"`+property+`"`) {
			t.Errorf("without %s: %s", property, body)
		}
	}
	if !strings.Contains(body, `"oldValue":null`) || strings.Contains(body, `"tenantId":""`) {
		t.Errorf("%s", body)
	}
}
