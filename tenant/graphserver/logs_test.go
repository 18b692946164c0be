package graphserver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestTheLogsAreFilteredToTheirBeginning: a filter finds the first event of a log behind thousands
// of others, and pages lead to all of them, in both directions.
func TestTheLogsAreFilteredToTheirBeginning(t *testing.T) {
	t.Parallel()
	s := tenanttest.Serve(t)
	e := s.Graph()
	const many = 7_000
	begin := time.Now().Add(-24 * time.Hour).Truncate(time.Second)
	if err := s.Store.Update(context.Background(), func(tx tenant.Tx) error {
		for i := range many {
			name, action := "bo@northwind.example", "Update user"
			if i == 0 {
				name = "Ada@northwind.example"
			}
			if i%2 == 0 {
				action = "UserLoggedIn"
			}
			if err := tx.AppendEvent(audit.Event{
				ID: fmt.Sprintf("event-%04d", i), Time: begin.Add(time.Duration(i/3) * time.Millisecond),
				Actor:  audit.Actor{Kind: audit.User, Name: name, Address: "192.0.2.7", RequestID: "r"},
				Action: action, Result: audit.Granted,
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	between := fmt.Sprintf("ge %s and %%s le %s", begin.UTC().Format(time.RFC3339),
		begin.Add(time.Minute).UTC().Format(time.RFC3339))
	for filter, want := range map[string]int{
		"signIns?userPrincipalName eq 'ada@northwind.example'":                               1,
		"signIns?userPrincipalName eq 'bo@northwind.example' and ipAddress eq '192.0.2.7'":   many/2 - 1,
		"signIns?ipAddress eq '192.0.2.70'":                                                  0,
		"signIns?createdDateTime " + fmt.Sprintf(between, "createdDateTime"):                 many / 2,
		"signIns?createdDateTime lt " + begin.UTC().Format(time.RFC3339):                     0,
		"signIns?userPrincipalName eq 'ada@northwind.example' or id eq 'event-0002'":         2,
		"signIns?id eq 'event-0000'":                                                         1,
		"directoryAudits?initiatedBy/user/userPrincipalName eq 'ada@northwind.example'":      1,
		"directoryAudits?activityDisplayName eq 'UPDATE USER' and correlationId eq 'r'":      many / 2,
		"directoryAudits?result eq 'failure' and activityDisplayName eq 'Update user'":       0,
		"directoryAudits?activityDateTime " + fmt.Sprintf(between, "activityDateTime"):       many,
		"directoryAudits?startswith(initiatedBy/user/userPrincipalName,'ada')":               1,
		"directoryAudits?not(activityDisplayName eq 'Update user') and correlationId eq 'r'": many / 2,
	} {
		log, condition, _ := strings.Cut(filter, "?")
		path := "/auditLogs/" + log + "?$top=500&$filter=" + url.QueryEscape(condition)
		ids := e.List(path, "id")
		if len(ids) != want {
			t.Errorf("%s: %d, want %d", filter, len(ids), want)
		}
		property := map[string]string{"signIns": "createdDateTime", "directoryAudits": "activityDateTime"}[log]
		oldestFirst := e.List(path+"&$orderby="+property, "id")
		slices.Sort(ids)
		slices.Sort(oldestFirst)
		if !slices.Equal(ids, oldestFirst) || len(slices.Compact(ids)) != want {
			t.Errorf("%s: %d, the oldest first %d, want %d, each once", filter, len(ids), len(oldestFirst), want)
		}
	}
	for _, path := range []string{"/auditLogs/signIns?$orderby=ipAddress", "/auditLogs/signIns?$skip=5"} {
		if status, _, body := e.Ask(http.MethodGet, path, nil); status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}
