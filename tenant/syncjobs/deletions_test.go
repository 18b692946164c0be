package syncjobs_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/mail"
)

func TestTooManyDeletionsAreHeldBack(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	job := e.JobPath()
	status := func() (j graph.SynchronizationJob) { e.Change(http.MethodGet, job, nil, &j); return j }
	e.PutSecrets(e.Center.SCIMEndpoint,
		graph.KeyValue{
			Key: graph.KeyNotification,
			Value: `{"Enabled":true,"Recipients":"a@example.com",` +
				`"DeleteThresholdEnabled":true,"DeleteThresholdValue":2}`,
		},
	)
	e.Unassign(e.Group("Finance"))
	e.Soon("quarantine", func() bool { return status().Status.Code == "Quarantine" })
	if q := status().Status.Quarantine; q.Reason != "TooManyDeletes" ||
		!strings.Contains(q.Error.Message, "4 objects") {
		t.Errorf("quarantine %+v %+v", q, q.Error)
	}
	const mei = "mei.tanaka@northwind.example"
	for _, title := range []string{"Architect", "Fellow"} {
		e.Change(http.MethodPatch, "/users/"+e.User(mei).ID, map[string]any{"jobTitle": title}, nil)
		e.Soon("a change of somebody else", func() bool {
			return e.Find("/Users", "userName", mei).String("title") == title
		})
	}
	if e.Find("/Groups", "displayName", "Finance") == nil || status().Status.Code != "Quarantine" {
		t.Error("the group is gone all the same")
	}
	e.Soon("a mail to whom the settings name", func() bool {
		return slices.ContainsFunc(e.Mails(), func(m mail.Message) bool {
			return strings.Contains(m.Subject+m.Text, "Provisioning is in quarantine") &&
				m.To == "a@example.com" && strings.Contains(m.Text, "TooManyDeletes")
		})
	})
	staged, err := graph.All[graph.ProvisioningObjectSummary](
		context.Background(), e.Client,
		"/auditLogs/provisioning?$filter=provisioningStatusInfo/status%20eq%20'skipped'",
	)
	if err != nil || len(staged) < 4 || staged[0].ProvisioningAction != "stagedDelete" {
		t.Errorf("staged deletions %+v, %v", staged, err)
	}
	e.Change(
		http.MethodPost, job+"/restart", map[string]any{"criteria": map[string]string{"resetScope": "ForceDeletes"}},
		nil,
	)
	e.Soon("the deletions are let through", func() bool {
		return e.Find("/Groups", "displayName", "Finance") == nil && status().Status.Code == "Active"
	})
	var secrets graph.Secrets
	e.Change(
		http.MethodGet, "/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/synchronization/secrets", nil, &secrets,
	)
	if text, _ := json.Marshal(secrets); !strings.Contains(string(text), `DeleteThresholdValue\":2`) {
		t.Errorf("settings %s", text)
	}
}

// TestALeaverIsNotHeldBackWithOthers: nothing can be changed at the target when somebody leaves,
// and then far too many are to. They are held back, for minutes at least; the leaver is not, as
// soon as the target takes changes again.
func TestALeaverIsNotHeldBackWithOthers(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	way := pairtest.NewWay(t, e.Center.SCIMEndpoint)
	e.PutSecrets(way.URL, graph.KeyValue{
		Key: graph.KeyNotification, Value: `{"DeleteThresholdEnabled":true,"DeleteThresholdValue":1}`,
	})
	status := func() (j graph.SynchronizationJob) { e.Change(http.MethodGet, e.JobPath(), nil, &j); return j }
	active := func(name string) bool { return e.Find("/Users", "userName", name)["active"] == true }
	e.Change(http.MethodPatch, "/users/"+meiName, map[string]any{"jobTitle": "Wizard"}, nil)
	e.Soon("a title by the new way", func() bool {
		return e.Find("/Users", "userName", meiName).String("title") == "Wizard"
	})
	says(t, e, "Next cycle: when something changes")
	cycle := status().Status.LastExecution.ActivityIdentifier
	way.Break(pairtest.ReadOnly)
	e.Change(http.MethodPatch, "/users/"+meiName, map[string]any{"accountEnabled": false}, nil)
	e.Soon("a cycle that fails", func() bool { return status().Status.LastExecution.ActivityIdentifier != cycle })
	e.Unassign(e.Group("Finance"))
	e.Soon("quarantine", func() bool { return status().Status.Code == "Quarantine" })
	before := status().Status.Quarantine
	if before.Reason != "TooManyDeletes" || strings.Contains(before.Error.Message, "5 objects") {
		t.Errorf("quarantine %+v %+v", before, before.Error)
	}
	way.Break(pairtest.Whole)
	e.Soon("the leaver is disabled", func() bool { return !active(meiName) })
	now := status().Status
	if now.Code != "Quarantine" || !now.Quarantine.NextAttempt.Equal(before.NextAttempt) {
		t.Errorf("quarantine %+v, before %+v", now.Quarantine, before)
	}
	if e.Find("/Groups", "displayName", "Finance") == nil {
		t.Error("the group is gone all the same")
	}
}

// TestTheFlagOfTheTenantURL: what Entra sends with aadOptscim062020 AWS takes for one attribute,
// and refuses for several, since they have no path.
func TestTheFlagOfTheTenantURL(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	e.PutSecrets(e.Center.SCIMEndpoint + "?aadOptscim062020")
	const mei = "mei.tanaka@northwind.example"
	user, group := e.User(mei), e.Group("Platform Engineering")
	e.Change(http.MethodPatch, "/users/"+user.ID, map[string]any{"jobTitle": "Architect"}, nil)
	e.Soon("one attribute", func() bool { return e.Find("/Users", "userName", mei).String("title") == "Architect" })
	e.Change(
		http.MethodPatch, "/users/"+user.ID, map[string]any{"jobTitle": "Fellow", "displayName": "May Tanaka"}, nil,
	)
	e.Soon("a refusal of several", func() bool {
		failed, err := graph.All[graph.ProvisioningObjectSummary](
			context.Background(), e.Client,
			"/auditLogs/provisioning?$top=1&$filter=provisioningStatusInfo/status%20eq%20'failure'",
		)
		return err == nil && failed[0].SourceIdentity.DisplayName == mei &&
			strings.Contains(failed[0].StatusInfo.ErrorInformation.Reason, "omitting path only")
	})
	e.Change(http.MethodDelete, "/groups/"+group.ID+"/members/"+user.ID+"/$ref", nil, nil)
	e.Soon("a member is removed by a filter", func() bool {
		return !e.IsMember(e.Find("/Groups", "displayName", "Platform Engineering"), e.Find("/Users", "userName", mei))
	})
	e.Soon(
		"and disabled, since nothing else assigns",
		func() bool { return e.Find("/Users", "userName", mei)["active"] == false },
	)
}
