package main

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

// administrator is a visitor who has signed in to a console.
func administrator(t *testing.T, d demoOutput, base string) visitor {
	t.Helper()
	v := newVisitor(t)
	if status, page := v.send(
		http.MethodPost, base+"/login", url.Values{"username": {d.Admin.UserName}, "password": {d.Admin.Password}},
	); status != http.StatusOK {
		t.Fatalf("sign in at %s: %d %s", base, status, page)
	}
	return v
}

// does posts a form and wants a text on the page that follows.
func (v visitor) does(address string, form url.Values, want string) string {
	v.t.Helper()
	_, page := v.send(http.MethodPost, address, form)
	if !strings.Contains(page, want) {
		v.t.Fatalf("POST %s: want %q on %s", address, want, page)
	}
	return page
}

var idInPath = regexp.MustCompile(`/(?:users|groups)/([0-9a-f-]{36})`)

func TestTheConsoleManagesTheBuiltInDirectory(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	console := d.Center.URL + "/console"
	v := administrator(t, d, console)
	person := url.Values{
		"username": {"grace"},
		"email":    {"grace@example.com"},
		"given":    {"Grace"},
		"family":   {"Hopper"},
		"display":  {"Grace Hopper"},
	}
	page := v.does(console+"/users", person, "The user is created.")
	user := console + "/users/" + idInPath.FindStringSubmatch(page)[1]
	v.does(
		console+"/users", url.Values{"username": {"GRACE"}, "given": {"G"}, "family": {"H"}, "display": {"G"}},
		"another user has this user name",
	)
	if _, page := v.send(http.MethodGet, console+"/users", nil); strings.Contains(page, "The user is created.") {
		t.Error("a notice is shown twice")
	}
	v.does(
		console+"/settings/sign-in", url.Values{"hours": {"2161"}, "mfa": {"DISABLED"}, "without": {"ALLOW"}},
		"15 minutes to 90 days",
	)
	v.does(
		console+"/settings/sign-in",
		url.Values{"hours": {"12"}, "mfa": {"DISABLED"}, "without": {"ALLOW"}, "apps": {"on"}},
		"The sign-in settings are changed.",
	)
	oneTime := html.UnescapeString(
		regexp.MustCompile(`not shown again, and[\s\S]*?<pre tabindex="0">([^<]+)`).FindStringSubmatch(v.does(
			user+"/one-time-password", nil, "one-time password",
		))[1],
	)
	const password = "a Long password 1!"
	login := d.Center.URL + "/platform/login"
	v.does(login, url.Values{"username": {"grace"}, "password": {oneTime}}, "Set a new password")
	v.does(login+"/password", url.Values{"password": {"short"}, "again": {"short"}}, "8 to 64 characters")
	v.does(login+"/password", url.Values{"password": {password}, "again": {password + "x"}}, "do not match")
	v.does(login+"/password", url.Values{"password": {password}, "again": {password}}, "No accounts yet")

	other := url.Values{
		"username": {"ida"},
		"email":    {"ida@example.com"},
		"given":    {"Ida"},
		"family":   {"Rhodes"},
		"display":  {"Ida Rhodes"},
		"password": {"once"},
	}
	page = v.does(console+"/users", other, "one-time password now")
	ida := console + "/users/" + idInPath.FindStringSubmatch(page)[1]
	other.Set("username", "mary")
	other.Set("email", "mary@example.com")
	other.Set("password", "mail")
	v.does(console+"/users", other, "an invitation is on its way")
	// a poll: mails are sent after their request
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, mails := v.send(http.MethodGet, d.Center.URL+"/mail", nil)
		if strings.Contains(mails, "mary@example.com") &&
			strings.Contains(mails, "Invitation to the AWS access portal") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the demo does not show the invitation: %s", mails)
		}
	}
	_, page = v.send(http.MethodGet, ida+"/device", nil)
	secret := regexp.MustCompile(`id="secret">([A-Z2-7]+)<`).FindStringSubmatch(page)[1]
	enrolment := regexp.MustCompile(`name="enrolment" value="([^"]+)"`).FindStringSubmatch(page)[1]
	code, err := totp.GenerateCode(secret, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	v.does(
		ida+"/device", url.Values{"enrolment": {enrolment}, "name": {"Ida's phone"}, "code": {code}},
		"The authenticator app is registered.",
	)
	v.does(ida+"/delete", nil, "The user is deleted.")

	groupForm := url.Values{"display": {"Admirals"}, "description": {"In charge"}}
	page = v.does(console+"/groups", groupForm, "The group is created.")
	group := console + "/groups/" + regexp.MustCompile(`--group-id ([0-9a-f-]{36})`).FindStringSubmatch(page)[1]
	page = v.does(group+"/members", url.Values{"username": {"grace"}}, "is now a member")
	membership := regexp.MustCompile(`/members/([0-9a-f-]{36})/delete`).FindStringSubmatch(page)[1]
	v.does(group+"/members", url.Values{"username": {"grace"}}, "a member already")
	v.does(group+"/members", url.Values{"username": {"nobody"}}, "no such user")

	v.does(console+"/accounts", url.Values{"id": {"12"}, "name": {"Bad"}}, "12 digits")
	v.does(console+"/accounts", url.Values{"id": {"999988887777"}, "name": {"Navy"}}, "The account is saved.")
	page = v.does(
		console+"/permission-sets",
		url.Values{"name": {"Command"}, "hours": {"4"}, "policy": {"arn:aws:iam::aws:policy/ReadOnlyAccess"}},
		"The permission set is created.",
	)
	set := regexp.MustCompile(`(arn:aws:sso:::permissionSet/[^<"]+)</code>`).FindStringSubmatch(page)[1]
	v.does(
		console+"/assignments",
		url.Values{"account": {"999988887777"}, "set": {set}, "type": {"GROUP"}, "principal": {"Admirals"}},
		"The assignment is created.",
	)
	v.does(console+"/permission-sets/delete", url.Values{"arn": {set}}, "is assigned")

	// The person signs in with the password, and sees the role.
	p := newVisitor(t)
	p.does(login, url.Values{"username": {"grace"}, "password": {"wrong"}}, "is incorrect")
	p.does(login, url.Values{"username": {"nobody"}, "password": {password}}, "is incorrect")
	p.does(
		login, url.Values{"username": {"Grace"}, "password": {password}, "return": {"https://evil.example/"}},
		"Command",
	)
	v.does(user+"/active", url.Values{"active": {"false"}}, "all sessions have ended")
	if _, page := p.send(http.MethodGet, d.Center.PortalURL, nil); !strings.Contains(page, "Sign in") {
		t.Errorf("a disabled person still sees %s", page)
	}
	p.does(login, url.Values{"username": {"grace"}, "password": {password}}, "is incorrect")
	v.does(user+"/active", url.Values{"active": {"true"}}, "can sign in again")
	p.does(login, url.Values{"username": {"grace"}, "password": {password}}, "Command")

	v.does(group+"/members/"+membership+"/delete", nil, "The member is removed.")
	if _, page := p.send(http.MethodGet, d.Center.PortalURL, nil); !strings.Contains(page, "No accounts yet") {
		t.Error("the role outlives the membership")
	}
	v.does(group+"/delete", nil, "The group is deleted.")
	v.does(user+"/delete", nil, "The user is deleted.")
	if _, page := v.send(http.MethodGet, console+"/assignments", nil); !strings.Contains(page, "deleted group") {
		t.Error("the assignment of the deleted group is not listed")
	}
	v.does(console+"/settings/identity-source", url.Values{"metadata": {"<nonsense/>"}}, "metadata cannot be used")
	v.does(console+"/settings/provisioning", nil, "external identity provider first")
	v.does(console+"/logout", nil, "Administrator sign-in")
}

func TestTheConsoleIsReadOnlyUnderProvisioning(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	console := d.Center.URL + "/console"
	v := administrator(t, d, console)
	_, page := v.send(http.MethodGet, console+"/groups", nil)
	group := console + "/groups/" + idInPath.FindStringSubmatch(page)[1]
	for address, form := range map[string]url.Values{
		console + "/users":  {"username": {"x"}, "given": {"X"}, "family": {"Y"}, "display": {"Z"}},
		console + "/groups": {"display": {"X"}},
		group + "/members":  {"username": {"mei.tanaka@northwind.example"}}, group + "/delete": nil,
	} {
		v.does(address, form, "automatic provisioning owns users and groups")
	}
	v.does(console+"/settings/provisioning/disable", url.Values{"confirmation": {"DISABLE"}}, "access tokens remain")
}

func TestTheAdminCenterManagesTheDirectory(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	admin := d.Tenant.URL + "/admin"
	v := administrator(t, d, admin)
	form := url.Values{
		"upn":      {"grace@northwind.example"},
		"display":  {"Grace Hopper"},
		"given":    {"Grace"},
		"surname":  {"Hopper"},
		"password": {"a long password"},
	}
	page := v.does(admin+"/users", form, "The user is created.")
	user := admin + "/users/" + regexp.MustCompile(`object ID <code>([0-9a-f-]{36})`).FindStringSubmatch(page)[1]
	v.does(admin+"/users", form, "another object has this user principal name")
	v.does(user, url.Values{"title": {"Rear admiral"}, "enabled": {"false"}}, "The user is saved.")
	page = v.does(admin+"/groups", url.Values{"display": {"Admirals"}}, "The group is created.")
	group := admin + "/groups/" + regexp.MustCompile(`object ID <code>([0-9a-f-]{36})`).FindStringSubmatch(page)[1]
	page = v.does(group+"/members", url.Values{"name": {"grace@northwind.example"}}, "The member is added.")
	v.does(group+"/members", url.Values{"name": {"Engineering"}}, "nested: not provisioned")
	v.does(
		group+"/members/"+regexp.MustCompile(`/members/([0-9a-f-]{36})/delete`).FindStringSubmatch(page)[1]+"/delete",
		nil, "The member is removed.",
	)
	app := admin + "/apps/" + d.Tenant.ApplicationID
	for do, want := range map[string]string{
		"pause":   "Provisioning is paused",
		"start":   "Provisioning is on",
		"restart": "from the beginning",
		"explode": "not well-formed",
	} {
		v.does(app+"/provisioning/"+do, nil, want)
	}
	v.does(group+"/delete", nil, "The group is deleted.")
	v.does(user+"/delete", nil, "The user is deleted.")
	if _, page := v.send(http.MethodGet, admin+"/audit", nil); !strings.Contains(page, "Delete user") {
		t.Error("the audit log lacks the deletion")
	}
	if _, page := v.send(http.MethodGet, app+"/provisioning?status=failure", nil); !strings.Contains(
		page, "teller@northwind.example",
	) {
		t.Error("the provisioning log lacks the failure")
	}
}

func TestTheConsoleAdministersKeysAndTokens(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	console := d.Center.URL + "/console"
	v := administrator(t, d, console)
	page := v.does(
		console+"/access-keys", url.Values{"name": {"<terraform>"}, "role": {"user-administrator"}},
		"It is not shown again",
	)
	if !strings.Contains(page, "&lt;terraform&gt;") {
		t.Errorf("the name is not on the page: %s", page)
	}
	id := regexp.MustCompile(`id="new-key"[\s\S]*?(AKIA[0-9A-F]{16})`).FindStringSubmatch(page)[1]
	if _, page := v.send(http.MethodGet, console+"/access-keys", nil); strings.Contains(page, "new-key") ||
		!strings.Contains(page, id) {
		t.Error("a secret is shown again, or its key is missing")
	}
	v.does(console+"/access-keys/"+id+"/status", url.Values{"enabled": {"false"}}, "The access key is disabled")
	v.does(console+"/access-keys/"+id+"/status", url.Values{"enabled": {"true"}}, "The access key is enabled")
	v.does(console+"/access-keys/"+id+"/delete", nil, "The access key is deleted")
	v.does(console+"/access-keys/"+d.AWS.AccessKeyID+"/delete", nil, "the last enabled access key of an administrator")
	v.does(
		console+"/access-keys", url.Values{"name": {"x"}, "role": {"emperor"}},
		"want administrator, user-administrator or read-only",
	)
	if _, page := v.send(http.MethodGet, console+"/settings", nil); strings.Contains(page, "access token expires in") {
		t.Error("a token of a year is called soon to expire")
	}
	page = v.does(console+"/settings/tokens", url.Values{"profile": {"standard"}}, "It is not shown again")
	if !strings.Contains(page, "standard profile") || !strings.Contains(page, "AWS profile") ||
		!strings.Contains(page, "from 127.0.0.1") {
		t.Errorf("tokens are shown without their profiles and last use: %s", page)
	}
}
