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
	v.Does(admin+"/users", form, "Another object has this user principal name")
	v.Does(user, url.Values{"title": {"Rear admiral"}, "enabled": {"false"}}, "The user is saved.")
	page = v.Does(admin+"/groups", url.Values{"display": {"Admirals"}}, "The group is created.")
	group := admin + "/groups/" + regexp.MustCompile(`object ID <code>([0-9a-f-]{36})`).FindStringSubmatch(page)[1]
	page = v.Does(group+"/members", url.Values{"name": {"grace@northwind.example"}}, "The member is added.")
	v.Does(group+"/members", url.Values{"name": {"Engineering"}}, "nested: not provisioned")
	v.IsSure(
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
	v.IsSure(group+"/delete", nil, "The group is deleted. You can restore it for 30 days, under Deleted items.")
	v.IsSure(user+"/delete", nil, "The user is deleted. You can restore them for 30 days, under Deleted items.")
	if _, page := v.Send(http.MethodGet, admin+"/audit", nil); !strings.Contains(page, "Delete user") {
		t.Error("the audit log lacks the deletion")
	}
	if _, page := v.Send(http.MethodGet, app+"/provisioning?status=failure", nil); !strings.Contains(
		page, "teller@northwind.example",
	) {
		t.Error("the provisioning log lacks the failure")
	}
}

// TestTheAdminCenterRestoresWhatWasDeleted: users, groups and applications are listed, come back
// with what they had, and go for good.
func TestTheAdminCenterRestoresWhatWasDeleted(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const mei = "mei.tanaka@northwind.example"
	admin, v := e.Tenant.URL+"/admin", e.TenantAdministrator()
	user, group := e.User(mei), e.Group("Platform Engineering")
	app := admin + "/apps/" + e.Tenant.ApplicationID
	v.IsSure(admin+"/users/"+user.ID+"/delete", nil, "The user is deleted.")
	v.IsSure(admin+"/groups/"+group.ID+"/delete", nil, "The group is deleted.")
	v.IsSure(app+"/delete", nil, "is deleted. You can restore it for 30 days, under Deleted items.")
	for of, want := range map[string]string{
		"users": mei, "groups": "Platform Engineering", "applications": "AWS IAM Identity Center",
	} {
		if page := v.Get(admin + "/deleted?of=" + of); !strings.Contains(page, want) {
			t.Errorf("the page of deleted %s lacks %s", of, want)
		}
	}
	if page := v.Get(admin + "/users"); strings.Contains(page, mei) {
		t.Error("a deleted user is still listed")
	}
	page := v.Does(admin+"/deleted/"+group.ID+"/restore", nil, "Platform Engineering is restored")
	if strings.Contains(page, mei) {
		t.Error("a deleted user is a member of the restored group")
	}
	v.Does(admin+"/users", url.Values{
		"upn": {mei}, "display": {"Another Mei"}, "password": {"a long password"},
	}, "The user is created.")
	v.Does(admin+"/deleted/"+user.ID+"/restore", nil, "Another object has this user principal name")
	v.Does(admin+"/deleted/"+user.ID+"/restore", url.Values{"upn": {"mei.2@northwind.example"}}, "is restored")
	if page := v.Get(admin + "/groups/" + group.ID); !strings.Contains(page, "mei.2@northwind.example") {
		t.Error("the restored user is not a member of the restored group")
	}
	v.Does(app+"/saml", nil, "The application does not exist")
	v.Does(admin+"/deleted/"+e.Tenant.ApplicationID+"/restore", nil, "Its provisioning is off")
	if page := v.Get(app + "/assignments"); !strings.Contains(page, "Platform Engineering") {
		t.Error("the restored application has lost its assignments")
	}
	v.Does(app+"/deprovisioning", url.Values{"deleted": {"true"}}, "The deprovisioning settings are saved.")
	if page := v.Get(app + "/provisioning"); !strings.Contains(page, `name="deleted" value="true" checked`) {
		t.Error("the setting is not kept")
	}
	v.IsSure(admin+"/users/"+user.ID+"/delete", nil, "The user is deleted.")
	v.IsSure(admin+"/deleted/"+user.ID+"/delete", nil, "is permanently deleted.")
	v.Does(admin+"/deleted/"+user.ID+"/restore", nil, "No deleted object with this ID")
}
