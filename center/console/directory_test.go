package console_test

import (
	"html"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

var idInPath = regexp.MustCompile(`/(?:users|groups)/([0-9a-f-]{36})`)

func TestTheConsoleManagesTheBuiltInDirectory(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t, gatehousetest.Unconnected())
	console := e.Center.URL + "/console"
	v := e.Administrator()
	person := url.Values{
		"username": {"grace"},
		"email":    {"grace@example.com"},
		"given":    {"Grace"},
		"family":   {"Hopper"},
		"display":  {"Grace Hopper"},
	}
	page := v.Does(console+"/users", person, "The user is created.")
	user := console + "/users/" + idInPath.FindStringSubmatch(page)[1]
	v.Does(
		console+"/users", url.Values{"username": {"GRACE"}, "given": {"G"}, "family": {"H"}, "display": {"G"}},
		"Another user has this user name",
	)
	if _, page := v.Send(http.MethodGet, console+"/users", nil); strings.Contains(page, "The user is created.") {
		t.Error("a notice is shown twice")
	}
	v.Does(
		console+"/settings/sessions", url.Values{"hours": {"2161"}}, "15 minutes to 90 days",
	)
	v.Does(console+"/settings/sessions", url.Values{"hours": {"12"}}, "The length of sessions is changed.")
	v.Does(
		console+"/settings/sign-in",
		url.Values{"mfa": {"DISABLED"}, "without": {"ALLOW"}, "apps": {"on"}},
		"The sign-in settings are changed.",
	)
	oneTime := html.UnescapeString(
		regexp.MustCompile(`not shown again, and[\s\S]*?<pre tabindex="0">([^<]+)`).FindStringSubmatch(v.Does(
			user+"/one-time-password", nil, "one-time password",
		))[1],
	)
	const password = "a Long password 1!"
	login := e.Center.URL + "/platform/login"
	v.Does(login, url.Values{"username": {"grace"}, "password": {oneTime}}, "Set a new password")
	v.Does(login+"/password", url.Values{"password": {"short"}, "again": {"short"}}, "8 to 64 characters")
	v.Does(login+"/password", url.Values{"password": {password}, "again": {password + "x"}}, "do not match")
	v.Does(login+"/password", url.Values{"password": {password}, "again": {password}}, "No accounts yet")

	other := url.Values{
		"username": {"ida"},
		"email":    {"ida@example.com"},
		"given":    {"Ida"},
		"family":   {"Rhodes"},
		"display":  {"Ida Rhodes"},
		"password": {"once"},
	}
	page = v.Does(console+"/users", other, "one-time password now")
	ida := console + "/users/" + idInPath.FindStringSubmatch(page)[1]
	other.Set("username", "mary")
	other.Set("email", "mary@example.com")
	other.Set("password", "mail")
	v.Does(console+"/users", other, "an invitation is on its way")
	e.Soon("the invitation", func() bool {
		return slices.ContainsFunc(e.Mails(), func(m mail.Message) bool {
			return m.To == "mary@example.com" &&
				strings.Contains(m.Subject+m.Text, "Invitation to the AWS access portal")
		})
	})
	_, page = v.Send(http.MethodGet, ida+"/device", nil)
	secret := regexp.MustCompile(`id="secret">([A-Z2-7]+)<`).FindStringSubmatch(page)[1]
	enrolment := regexp.MustCompile(`name="enrolment" value="([^"]+)"`).FindStringSubmatch(page)[1]
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	v.Does(
		ida+"/device", url.Values{"enrolment": {enrolment}, "name": {"Ida's phone"}, "code": {code}},
		"The authenticator app is registered.",
	)
	v.IsSure(ida+"/delete", nil, "The user is deleted.")

	groupForm := url.Values{"display": {"Admirals"}, "description": {"In charge"}}
	page = v.Does(console+"/groups", groupForm, "The group is created.")
	group := console + "/groups/" + regexp.MustCompile(`--group-id ([0-9a-f-]{36})`).FindStringSubmatch(page)[1]
	page = v.Does(group+"/members", url.Values{"username": {"grace"}}, "is now a member")
	membership := regexp.MustCompile(`/members/([0-9a-f-]{36})/delete`).FindStringSubmatch(page)[1]
	v.Does(group+"/members", url.Values{"username": {"grace"}}, "already a member")
	v.Does(group+"/members", url.Values{"username": {"nobody"}}, "no such user")

	v.Does(console+"/accounts", url.Values{"id": {"12"}, "name": {"Bad"}}, "12 digits")
	v.Does(console+"/accounts", url.Values{"id": {"999988887777"}, "name": {"Navy"}}, "The account is saved.")
	page = v.Does(
		console+"/permission-sets",
		url.Values{"name": {"Command"}, "hours": {"4"}, "policy": {"arn:aws:iam::aws:policy/ReadOnlyAccess"}},
		"The permission set is created.",
	)
	set := regexp.MustCompile(`(arn:aws:sso:::permissionSet/[^<"]+)</code>`).FindStringSubmatch(page)[1]
	v.Does(
		console+"/assignments",
		url.Values{"where": {"999988887777"}, "set": {path.Base(set)}, "who": {"GROUP:" + path.Base(group)}},
		"The assignment is created.",
	)
	v.Does(console+"/permission-sets/delete", url.Values{"arn": {set}}, "is assigned")

	// The person signs in with the password, and sees the role.
	p := webtest.New(t, nil)
	p.Does(login, url.Values{"username": {"grace"}, "password": {"wrong"}}, "is incorrect")
	p.Does(login, url.Values{"username": {"nobody"}, "password": {password}}, "is incorrect")
	p.Does(
		login, url.Values{"username": {"Grace"}, "password": {password}, "return": {"https://evil.example/"}},
		"Command",
	)
	v.Does(user+"/active", url.Values{"active": {"false"}}, "all sessions have ended")
	if _, page := p.Send(http.MethodGet, e.Center.PortalURL, nil); !strings.Contains(page, "Sign in") {
		t.Errorf("a disabled person still sees %s", page)
	}
	p.Does(login, url.Values{"username": {"grace"}, "password": {password}}, "is incorrect")
	v.Does(user+"/active", url.Values{"active": {"true"}}, "can sign in again")
	p.Does(login, url.Values{"username": {"grace"}, "password": {password}}, "Command")

	v.IsSure(group+"/members/"+membership+"/delete", nil, "The member is removed.")
	if _, page := p.Send(http.MethodGet, e.Center.PortalURL, nil); !strings.Contains(page, "No accounts yet") {
		t.Error("the role outlives the membership")
	}
	v.IsSure(group+"/delete", nil, "The group is deleted.")
	v.IsSure(user+"/delete", nil, "The user is deleted.")
	if _, page := v.Send(http.MethodGet, console+"/assignments", nil); !strings.Contains(page, "deleted group") {
		t.Error("the assignment of the deleted group is not listed")
	}
	v.Does(console+"/settings/identity-source", url.Values{"metadata": {"<nonsense/>"}}, "metadata cannot be used")
	v.Does(console+"/settings/provisioning", nil, "external identity provider first")
	v.Does(console+"/logout", nil, "Administrator sign-in")
}

func TestTheConsoleIsReadOnlyUnderProvisioning(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	console := e.Center.URL + "/console"
	v := e.Administrator()
	_, page := v.Send(http.MethodGet, console+"/groups", nil)
	group := console + "/groups/" + idInPath.FindStringSubmatch(page)[1]
	for address, form := range map[string]url.Values{
		console + "/users":  {"username": {"x"}, "given": {"X"}, "family": {"Y"}, "display": {"Z"}},
		console + "/groups": {"display": {"X"}},
		group + "/members":  {"username": {"mei.tanaka@northwind.example"}}, group + "/delete": {"sure": {"yes"}},
	} {
		v.Does(address, form, "Automatic provisioning manages users and groups")
	}
	v.Does(
		console+"/settings/provisioning/disable",
		url.Values{"confirmation": {"DISABLE"}},
		"Access tokens still exist",
	)
}
