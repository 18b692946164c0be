package main

import (
	"testing"
)

// The everyday jobs, with their clicks counted: from the first page after the sign-in.

// console opens the console of a demo, and signs in.
func consoleOf(t *testing.T, d demoOutput) browser {
	t.Helper()
	b := browser{t, newBrowser(t, "")}
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
