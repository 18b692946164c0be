package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// TestAnAdministratorManagesProvisioning edits mappings and filters in the admin center, provisions
// on demand, registers a program, and reads the logs.
func TestAnAdministratorManagesProvisioning(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := of(t, d)
	b := browser{t, newBrowser(t, "")}
	const mei, grace = "mei.tanaka@northwind.example", "grace.kim@northwind.example"
	provisioning := d.Tenant.AdminCenterURL + "apps/" + d.Tenant.ApplicationID + "/provisioning"
	b.login(d.Tenant.AdminCenterURL, map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})

	b.open(provisioning + "/mappings")
	b.screenshot("mappings")
	b.accessible("the mappings")
	b.unfold()
	b.accessible("the mappings with all their forms")
	b.submit(
		`form:has(input[value="title"])`, "button[value=attribute]",
		map[string]string{"type": "Expression", "text": `Append([jobTitle], " at Northwind"`},
	)
	b.until("what was wrong stands above the form", `document.activeElement.matches('[role=alert]')`)
	b.until(
		"the form has what was typed",
		`(form => form.elements.text.value === 'Append([jobTitle], " at Northwind"' &&
			form.elements.type.value === 'Expression')(document.activeElement.parentElement)`,
	)
	b.screenshot("refused-form")
	b.accessible("a form that was refused")
	b.submit(
		`form:has(input[value="title"])`, "button[value=attribute]",
		map[string]string{"type": "Expression", "text": `Append([jobTitle], " at Northwind")`},
	)
	b.sees("All users and groups are evaluated again")
	e.Soon("the value of the expression", func() bool {
		return e.Find("/Users", "userName", mei).String("title") == "Platform Engineer at Northwind"
	})
	b.unfold()
	b.submit(
		`#User form:has(select[name=target])`, "button",
		map[string]string{"target": "locale", "type": "Constant", "text": "en-GB", "apply": "once"},
	)
	b.sees("only during object creation")
	b.unfold()
	b.submit(
		`#User form:has(select[name=attribute])`, "button",
		map[string]string{"name": "no auditors", "attribute": "jobTitle", "operator": "NOT EQUALS", "value": "Auditor"},
	)
	b.sees("jobTitle NOT EQUALS Auditor")
	e.Soon(
		"who is outside the filter is disabled",
		func() bool { return e.Find("/Users", "userName", grace)["active"] == false },
	)
	b.open(provisioning + "/mappings?find=" + mei)
	b.click(`#try input[name=who]`)
	b.submit("#try form", "button[name=try]", map[string]string{"expression": `Join(".", [givenName], [surname])`})
	b.sees("Result: Mei.Tanaka")
	b.submit("#try form", "button[name=try]", map[string]string{"expression": `Join(`})
	b.sees("at character 6")
	b.unfold()
	b.submit(`form:has(input[value="userName"])`, "button[value=delete-attribute]", nil)
	b.sees("no matching attribute")

	b.open(provisioning + "/ondemand?find=grace.kim")
	b.click(`#found input[name=who]`)
	b.leave(`button[value=preview]`)
	b.sees("no auditors jobTitle NOT EQUALS Auditor")
	b.sees("Nothing was changed")
	b.screenshot("on-demand")
	b.unfold()
	b.accessible("provisioning on demand")
	b.open(provisioning + "/ondemand?find=ingrid&who=" + e.Group("Data").ID)
	b.click(`#found input[name=who]:not(:checked)`)
	b.leave(`button[value=provision]`)
	b.sees("Match group between source and target system")

	b.open(provisioning + "/mappings")
	b.leave(`button[value="reset"]`)
	b.sees("The default mappings are restored")
	e.Soon(
		"who was outside the filter is enabled",
		func() bool { return e.Find("/Users", "userName", grace)["active"] == true },
	)
	e.Soon("the end of the cycle, during which the page renews itself", func() bool {
		var j graph.SynchronizationJob
		e.Change(http.MethodGet, e.JobPath(), nil, &j)
		return len(j.Status.Progress) == 0
	})
	b.open(provisioning)
	b.unfold()
	b.sees("Modified properties")
	b.accessible("provisioning with its log")
	b.click(`input[name="prevent"]`)
	b.submit(`form:has(input[name="threshold"])`, "button[value=save]", map[string]string{"threshold": "2"})
	b.sees("The provisioning settings are saved")
	e.Change(http.MethodDelete, "/groups/"+e.Group("Finance").ID, nil, nil)
	e.Soon("quarantine", func() bool {
		var j graph.SynchronizationJob
		e.Change(http.MethodGet, e.JobPath(), nil, &j)
		return j.Status.Code == "Quarantine"
	})
	b.open(provisioning)
	b.sees("allow the deletions")
	b.accessible("provisioning in quarantine")
	b.leave(`form[action$="allow-deletes"] button`)
	b.sees("carries out the deletions that were held back")
	e.Soon("the deletion", func() bool { return e.Find("/Groups", "displayName", "Finance") == nil })

	b.open(d.Tenant.AdminCenterURL + "clients")
	b.unfold()
	b.accessible("the registrations")
	b.click(`input[value="User.Read.All"]`)
	b.submit(`form[action="/admin/clients"]`, "button", map[string]string{"name": "reporting"})
	b.sees("Copy the client secret now. It is not shown again")
	b.open(d.Tenant.AdminCenterURL + "sign-in-logs")
	b.sees("Sign-in logs")
	b.accessible("the sign-in log")
	logs, err := graph.All[map[string]any](t.Context(), e.Client, "/auditLogs/signIns?$top=5")
	if err != nil || len(logs) == 0 {
		t.Errorf("the sign-in log by Graph: %v, %v", logs, err)
	}
	audits, err := graph.All[map[string]any](
		t.Context(), e.Client,
		"/auditLogs/directoryAudits?$filter=activityDisplayName%20eq%20'Update%20attribute%20mappings%20or%20scope'",
	)
	if err != nil || len(audits) < 4 || audits[0]["result"] == nil {
		t.Errorf("the audit log by Graph: %v, %v", audits, err)
	}
	if at, err := time.Parse(time.RFC3339, audits[0]["activityDateTime"].(string)); err != nil ||
		time.Since(at) > time.Hour {
		t.Errorf("the newest entry is of %v, %v", at, err)
	}
}

// TestTheLiveCycleLeavesTheFormAlone: while a cycle runs its status and its log renew themselves,
// and what somebody types beside them stays.
func TestTheLiveCycleLeavesTheFormAlone(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := of(t, d)
	hold := make(chan struct{})
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "application/scim+json")
		if r.Method != http.MethodGet {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(
				w,
				`{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"400",
					"detail":"not on a Wednesday"}`,
			)
			return
		}
		_, _ = io.WriteString(
			w,
			`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"startIndex":1,
				"itemsPerPage":0,"Resources":[]}`,
		)
	}))
	t.Cleanup(target.Close)
	e.PutSecrets(target.URL)
	e.Change(
		http.MethodPost, e.JobPath()+"/restart", map[string]any{"criteria": map[string]any{"resetScope": "Full"}}, nil,
	)
	e.Soon("a cycle", func() bool {
		var j graph.SynchronizationJob
		e.Change(http.MethodGet, e.JobPath(), nil, &j)
		return len(j.Status.Progress) > 0
	})
	b := browser{t, newUndrawnBrowser(t, "")}
	b.login(d.Tenant.AdminCenterURL, map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})
	b.open(d.Tenant.AdminCenterURL + "apps/" + d.Tenant.ApplicationID + "/provisioning")
	b.until("see that it is live", `!!document.querySelector('#status[data-refresh="1"]')`)
	b.until("type", `!!(document.querySelector('[name=email]').value = 'half@typed')`)
	close(hold)
	b.until(
		"see the end",
		`!document.querySelector('[data-refresh="1"]') &&
			document.querySelector('#logs').innerText.includes('not on a Wednesday')`,
	)
	b.until("find what was typed", `document.querySelector('[name=email]').value === 'half@typed'`)
}
