package admincenter_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestTheAdminCenterManagesTheDirectory(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	admin := e.Tenant.URL + "/admin"
	v := e.TenantAdministrator()
	form := url.Values{
		"upn":      {"grace@northwind.example"},
		"display":  {"Grace Hopper"},
		"given":    {"Grace"},
		"surname":  {"Hopper"},
		"password": {"a long password"},
	}
	page := v.Does(admin+"/users", form, "The user is created.")
	user := admin + "/users/" + regexp.MustCompile(`object ID <code>([0-9a-f-]{36})`).FindStringSubmatch(page)[1]
	v.Does(admin+"/users", form, "another object has this user principal name")
	v.Does(user, url.Values{"title": {"Rear admiral"}, "enabled": {"false"}}, "The user is saved.")
	page = v.Does(admin+"/groups", url.Values{"display": {"Admirals"}}, "The group is created.")
	group := admin + "/groups/" + regexp.MustCompile(`object ID <code>([0-9a-f-]{36})`).FindStringSubmatch(page)[1]
	page = v.Does(group+"/members", url.Values{"name": {"grace@northwind.example"}}, "The member is added.")
	v.Does(group+"/members", url.Values{"name": {"Engineering"}}, "nested: not provisioned")
	v.Does(
		group+"/members/"+regexp.MustCompile(`/members/([0-9a-f-]{36})/delete`).FindStringSubmatch(page)[1]+"/delete",
		nil, "The member is removed.",
	)
	app := admin + "/apps/" + e.Tenant.ApplicationID
	for do, want := range map[string]string{
		"pause":   "Provisioning is paused",
		"start":   "Provisioning is on",
		"restart": "compared with what the target has",
		"explode": "not well-formed",
	} {
		v.Does(app+"/provisioning/"+do, nil, want)
	}
	v.Does(group+"/delete", nil, "The group is deleted.")
	v.Does(user+"/delete", nil, "The user is deleted.")
	if _, page := v.Send(http.MethodGet, admin+"/audit", nil); !strings.Contains(page, "Delete user") {
		t.Error("the audit log lacks the deletion")
	}
	if _, page := v.Send(http.MethodGet, app+"/provisioning?status=failure", nil); !strings.Contains(
		page, "teller@northwind.example",
	) {
		t.Error("the provisioning log lacks the failure")
	}
}
