package admincenter_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

const mei = "mei.tanaka@northwind.example"

// refused posts a form that must be turned away with a word.
func refused(v webtest.Visitor, address string, form url.Values, word string) {
	v.T.Helper()
	if status, page := v.Send(http.MethodPost, address, form); status < 400 || !strings.Contains(page, word) {
		v.T.Errorf("POST %s %v: %d, want %q on %s", address, form, status, word, page)
	}
}

// shows wants texts on a page.
func shows(v webtest.Visitor, address string, texts ...string) {
	v.T.Helper()
	page := v.Get(address)
	for _, text := range texts {
		if !strings.Contains(page, text) {
			v.T.Errorf("%s does not show %q: %s", address, text, page)
		}
	}
}

func TestTheAdminCenterShowsWhatThereIs(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	v, admin := e.TenantAdministrator(), e.Tenant.URL+"/admin"
	app := admin + "/apps/" + e.Tenant.ApplicationID
	e.SignIn(mei)
	for address, texts := range map[string][]string{
		admin + "/":                          {"Northwind Traders", e.Tenant.TenantID},
		admin + "/users":                     {"Mei Tanaka"},
		admin + "/users?q=tanaka":            {mei},
		admin + "/groups":                    {"Platform Engineering"},
		admin + "/apps":                      {"AWS IAM Identity Center"},
		admin + "/apps/gallery?q=AWS":        {"AWS IAM Identity Center"},
		admin + "/sign-in-logs":              {mei},
		admin + "/audit":                     {"Granted"},
		admin + "/clients":                   {e.Tenant.ClientID},
		app:                                  {e.Tenant.ServicePrincipalID},
		app + "/saml":                        {e.Center.URL},
		app + "/assignments":                 {"Platform Engineering"},
		app + "/provisioning":                {e.Center.SCIMEndpoint, mei},
		app + "/provisioning?status=failure": {"teller@northwind.example"},
		app + "/provisioning/mappings":       {"userPrincipalName", "emails"},
		app + "/provisioning/ondemand":       {"Provision on demand"},
		app + "/saml/federationmetadata.xml": {"EntityDescriptor"},
	} {
		shows(v, address, texts...)
	}
	if status, _ := v.Send(http.MethodGet, admin+"/apps/nothing", nil); status != http.StatusNotFound {
		t.Errorf("an application that is not there: %d", status)
	}
}

func TestAnApplicationIsAssignedAndProvisionedByThePages(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	v := e.TenantAdministrator()
	app := e.Tenant.URL + "/admin/apps/" + e.Tenant.ApplicationID
	page := v.Does(app+"/assignments", url.Values{"name": {mei}}, "The assignment is created.")
	refused(v, app+"/assignments", url.Values{"name": {mei}}, "")
	refused(v, app+"/assignments", url.Values{"who": {"nobody@northwind.example"}}, "")
	own := regexp.MustCompile(`(?s)Mei Tanaka.*?name="assignment" value="([^"]+)"`)
	v.IsSure(app+"/assignments/delete", url.Values{"assignment": {webtest.Match(t, page, own)}},
		"The assignment is removed.")

	provisioning := app + "/provisioning"
	form := url.Values{"do": {"test"}, "url": {e.Center.SCIMEndpoint}, "token": {e.Center.SCIMToken}}
	v.Does(provisioning, form, "The supplied credentials are authorized")
	form.Set("token", "wrong")
	refused(v, provisioning, form, "")
	form = url.Values{"url": {e.Center.SCIMEndpoint}, "scope": {"all"}, "prevent": {"true"}, "threshold": {"0"}}
	refused(v, provisioning, form, "1 or more")
	form.Set("threshold", "100")
	v.Does(provisioning, form, "The provisioning settings are saved.")

	onDemand := provisioning + "/ondemand"
	found := func(name string) string {
		t.Helper()
		page := v.Get(onDemand + "?find=" + name)
		return webtest.Match(t, page, regexp.MustCompile(`name="who" value="([^"]+)"`))
	}
	one := found(mei)
	v.Does(onDemand, url.Values{"do": {"preview"}, "who": {one}}, "Determine if user is in scope")
	v.Does(onDemand, url.Values{"who": {found("Finance"), found("thabo.dlamini")}}, "Determine if group is in scope")
	refused(v, onDemand, url.Values{"who": {one, one}}, "only groups have members")
	refused(v, onDemand, url.Values{"who": {"Finance"}}, "search again")
	refused(v, onDemand, url.Values{"who": {"nobody@northwind.example"}}, "")
	refused(v, provisioning+"/explode", nil, "")

	mappings := provisioning + "/mappings"
	v.Does(mappings, url.Values{
		"do": {"attribute"}, "kind": {"User"}, "target": {"title"}, "type": {"Expression"},
		"text": {`Append([jobTitle], "!")`},
	}, "The mapping is saved.")
	e.Soon("the title by the expression", func() bool {
		return e.Find("/Users", "userName", mei).String("title") == "Platform Engineer!"
	})
	refused(v, mappings, url.Values{
		"do": {"attribute"}, "kind": {"User"}, "target": {"title"}, "type": {"Expression"}, "text": {"Append("},
	}, "character")
	refused(v, mappings, url.Values{
		"do": {"attribute"}, "kind": {"User"}, "target": {"title"}, "type": {"Expression"}, "text": {"[JobTitle]"},
	}, "did you mean jobTitle?")
	refused(v, mappings, url.Values{
		"do": {"filter"}, "kind": {"User"}, "name": {"x"}, "attribute": {"JobTitle"}, "operator": {"IS NOT NULL"},
		"value": {""},
	}, "did you mean jobTitle?")
	refused(v, mappings, url.Values{
		"do": {"attribute"}, "kind": {"User"}, "target": {"title"}, "match": {"true"}, "precedence": {"0"},
	}, "1 to 100")
	refused(v, mappings, url.Values{"do": {"attribute"}, "kind": {"device"}}, "no such mapping")
	refused(v, mappings, url.Values{"do": {"delete-filter"}, "kind": {"User"}, "filter": {"3"}}, "no such filter")
	v.Does(mappings, url.Values{
		"do": {"filter"}, "kind": {"User"}, "name": {"data people"}, "attribute": {"department", ""},
		"operator": {"EQUALS", "EQUALS"}, "value": {"Data", ""},
	}, "The mapping is saved.")
	e.Soon("who is outside the filter is disabled", func() bool {
		return e.Find("/Users", "userName", mei)["active"] == false
	})
	v.Does(mappings, url.Values{"do": {"delete-filter"}, "kind": {"User"}, "filter": {"0"}}, "The mapping is saved.")
	v.Does(mappings, url.Values{"do": {"delete-attribute"}, "kind": {"User"}, "target": {"title"}},
		"The mapping is saved.")
	v.Does(mappings, url.Values{
		"do": {"actions"}, "kind": {"Group"}, "enabled": {"false"}, "add": {"true"}, "update": {"true"},
	}, "The mapping is saved.")
	v.Does(mappings, url.Values{"do": {"reset"}}, "The default mappings are restored.")
	try := url.Values{"expression": {`ToUpper([department])`}, "user": {mei}}
	shows(v, mappings+"?"+try.Encode(), "PLATFORM ENGINEERING")
}

func TestProgramsAreRegisteredByThePages(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	v, clients := e.TenantAdministrator(), e.Tenant.URL+"/admin/clients"
	page := v.Does(clients, url.Values{"name": {"Reader"}, "permission": {"User.Read.All"}}, "Reader")
	deletes := regexp.MustCompile(`(?s)<td data-label="Display name">Reader.*?clients/([^/"]+)/delete`)
	v.IsSure(clients+"/"+webtest.Match(t, page, deletes)+"/delete", nil, "The registration is deleted.")
	refused(v, clients, url.Values{"name": {"By certificate"}, "certificate": {"nonsense"}}, "must be PEM")
	refused(v, clients, url.Values{"name": {""}}, "")
	refused(v, clients+"/nobody/delete", url.Values{"sure": {"yes"}}, "")
	group := e.Group("Finance").ID
	admin := e.Tenant.URL + "/admin"
	v.IsSure(admin+"/groups/"+group+"/delete", nil, "deleted")
	v.IsSure(admin+"/users/"+e.User("ben.oneill@northwind.example").ID+"/delete", nil, "deleted")
	refused(v, admin+"/users/"+group+"/delete", nil, "")
}
