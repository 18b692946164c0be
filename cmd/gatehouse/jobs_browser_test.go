package main

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// The everyday jobs, with their clicks counted: from the first page after the sign-in.

// consoleOf opens the console of a demo, and signs in.
func consoleOf(t *testing.T, d demoOutput) browser {
	t.Helper()
	return consoleIn(browser{t, newBrowser(t, "")}, d)
}

func consoleIn(b browser, d demoOutput) browser {
	b.t.Helper()
	b.login(d.Center.ConsoleURL, map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})
	b.sees("Dashboard")
	return b
}

// TestAGroupGetsANewPermissionSetInSixClicks: nothing is typed, and the policy is chosen by what it
// allows.
func TestAGroupGetsANewPermissionSetInSixClicks(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	b := consoleOf(t, d)
	job := &clicks{browser: b}
	job.press(`.side a[href="/console/groups"]`)
	job.press(`#list td a`)
	group := b.text("h1")
	b.accessible("a group with access")
	b.screenshot("group-page")
	job.press(`main .row a[href^="/console/assign"]`)
	b.screenshot("assign-where")
	job.press(`#list a[href*="where="]`)
	b.accessible("what a group can be given")
	b.screenshot("assign-what")
	job.press(`#list a[href*="new=job-function%2FBilling"]`)
	b.accessible("a review with a new permission set")
	b.screenshot("assign-review")
	job.press(`form[action="/console/assignments"] button`)
	b.sees("The assignment is created.")
	job.most(6, "a new permission set for one more group")
	b.sees("Billing")
	b.sees(group)
	b.accessible("the new permission set")
	b.screenshot("set-page")
}

// tenantOf opens the admin center of a demo, and signs in.
func tenantOf(t *testing.T, d demoOutput) browser {
	t.Helper()
	return tenantIn(browser{t, newBrowser(t, "")}, d)
}

func tenantIn(b browser, d demoOutput) browser {
	b.t.Helper()
	b.login(d.Tenant.AdminCenterURL, map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})
	b.sees("Connections")
	return b
}

// copied presses a copy button, and returns what it copies.
func (c *clicks) copied(button, text string) string {
	c.t.Helper()
	c.enter(button)
	return c.text(text)
}

// TestWhySomebodyHasNotArrivedIsOneClickAway: the overview counts those who fail, and leads to why.
func TestWhySomebodyHasNotArrivedIsOneClickAway(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	b := tenantOf(t, d)
	b.sees("1 failing")
	b.accessible("the overview with a connection")
	b.screenshot("overview")
	job := &clicks{browser: b}
	job.press(`#connections a[href*="status=failure"]`)
	b.sees("name.familyName")
	job.most(2, "why somebody has not arrived")
}

// TestTheIDsForTheCLIAreTwoClicksAway: each can be copied where it stands.
func TestTheIDsForTheCLIAreTwoClicksAway(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	b := consoleOf(t, d)
	b.accessible("the dashboard")
	b.screenshot("dashboard")
	job := &clicks{browser: b}
	if got := job.copied(`#ids dd:nth-of-type(3) button`, `#ids dd:nth-of-type(3) code`); got == "" {
		t.Error("there is no identity store id")
	}
	job.n = 0
	job.press(`.side a[href="/console/groups"]`)
	if got := job.copied(`#list tr:first-child td button`, `#list tr:first-child td code`); len(got) != 36 {
		t.Errorf("a group's id is %q", got)
	}
	job.most(2, "the ids for the CLI")
}

// TestTheSCIMTokenIsRotatedInSixClicks: a new token, its copy, saved at the tenant; the old one
// goes without a question once the new one is used.
func TestTheSCIMTokenIsRotatedInSixClicks(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	b, there := consoleOf(t, d), tenantOf(t, d)
	job := &clicks{browser: b}
	job.press(`#states a[href="/console/settings/provisioning"]`)
	old := b.text(`#provisioning tbody tr:first-child code`)
	job.press(`#provisioning form[action="/console/settings/tokens"] button`)
	token := job.copied(`#new-token .copy:nth-of-type(3) button`, `#new-token .copy:nth-of-type(3) pre`)
	job.browser = there
	job.press(`#connections a[href$="/provisioning"]`)
	job.paste(`form[action$="/provisioning"] [name=token]`, token)
	job.press(`form[action$="/provisioning"] button[value=save]`)
	there.sees("The provisioning settings are saved.")
	job.browser = b
	job.press(`#provisioning form[action="/console/settings/tokens/` + old + `/delete"] button`)
	b.sees("The access token is deleted.")
	job.most(6, "rotate the SCIM token")
}

// TestTheCertificateIsRolledInSixClicks: people sign in before, between and after.
func TestTheCertificateIsRolledInSixClicks(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := of(t, d)
	b, there := consoleOf(t, d), tenantOf(t, d)
	e.SignIn(pairtest.Amara)
	job := &clicks{browser: there}
	job.press(`#connections a[href$="/saml"]`)
	job.press(`form[action$="/saml/certificates"] button[value=new]`)
	there.accessible("a certificate that waits")
	there.screenshot("certificates")
	next := job.copied(`td .copy button`, `td .copy pre`)
	job.browser = b
	job.press(`.side a[href="/console/settings"]`)
	job.paste(`form[action="/console/settings/certificates"] [name=certificate]`, next)
	job.press(`form[action="/console/settings/certificates"] button`)
	b.sees("Added:")
	e.SignIn(pairtest.Amara)
	job.browser = there
	job.press(`form[action$="/saml/certificates"] button[value=activate]`)
	there.sees("is active")
	job.most(6, "roll the certificate")
	e.SignIn(pairtest.Amara)
}

// TestTheIdentitySourceIsUndoneInFourClicks: what has to go before goes with it.
func TestTheIdentitySourceIsUndoneInFourClicks(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	b := consoleOf(t, d)
	job := &clicks{browser: b}
	job.press(`.side a[href="/console/settings"]`)
	const form = `form[action$="/identity-source/undo"]`
	job.enter(`details:has(> ` + form + `) > summary`)
	b.sees("Automatic provisioning is disabled with it")
	job.paste(form+` [name=confirmation]`, "ACCEPT")
	b.screenshot("undo")
	job.press(form + " button")
	b.sees("The change is undone")
	b.sees("Identity Center directory")
	job.most(4, "undo the identity source")
}
