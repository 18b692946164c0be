package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
)

// unfold opens what is folded, so that its forms can be used.
func (b browser) unfold() {
	b.t.Helper()
	do(b, "unfold", chromedp.Evaluate[bool](`document.querySelectorAll('details').forEach(d => d.open = true), true`))
}

// TestAnAdministratorManagesAccessInTheConsole makes a permission set with everything it can have,
// a rule for a unit, and an application.
func TestAnAdministratorManagesAccessInTheConsole(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	ctx, by := context.Background(), audit.SystemActor
	const password = "Correct horse 1!"
	unit := []center.Unit{{ID: "r-1", Name: "Root"}, {ID: "ou-1", Name: "Workloads"}}
	for _, err := range []error{
		s.center.SetAdministrator(ctx, by, "admin", password),
		s.center.PutAccounts(
			ctx, by,
			[]center.Account{
				{
					ID:       "111122223333",
					Name:     "Production",
					Units:    unit,
					Tags:     []center.Tag{{Key: "env", Value: "prod"}},
					Imported: true,
				},
				{ID: "222233334444", Name: "Staging", Units: unit, Imported: true},
			},
		),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	ada, e1 := s.center.CreateUser(
		ctx,
		by,
		center.User{
			UserName:    "ada",
			DisplayName: "Ada Lovelace",
			Name:        center.PersonName{GivenName: "Ada", FamilyName: "Lovelace"},
			Active:      true,
		},
	)
	_, e2 := s.center.CreateGroup(ctx, by, center.Group{DisplayName: "Platform"})
	if err := errors.Join(e1, e2); err != nil {
		t.Fatal(err)
	}
	b := browser{t, newUndrawnBrowser(t, s.hosts)}
	b.login(s.center.ConsoleURL()+"permission-sets", map[string]string{"username": "admin", "password": password})
	b.unfold()
	b.submit(
		`form[action="/console/permission-sets"]`, "button",
		map[string]string{"name": "Operators", "description": "Runs things"},
	)
	b.sees("The permission set is created.")
	b.unfold()
	b.submit(
		"form:has(input[name=hours])", "button",
		map[string]string{"hours": "4", "relay": "https://console.aws.amazon.com/ec2/"},
	)
	b.sees("The permission set is changed.")
	b.unfold()
	b.submit(
		"form:has(button[value=attach])", "button",
		map[string]string{"managed": "ReadOnlyAccess"},
	)
	b.sees("The policies are changed.")
	b.unfold()
	b.submit(
		"form:has(input[name=name]):has(button[value=attach-own])", "button",
		map[string]string{"name": "operators", "path": "/team/"},
	)
	b.sees("/team/operators")
	b.unfold()
	b.submit("form[action$='/inline']", "button", map[string]string{"policy": "{"})
	b.sees("not JSON: line 1, column 2")
	set, err := s.center.PermissionSets(ctx, center.PermissionSetQuery{})
	if err != nil || len(set) != 1 {
		t.Fatalf("the permission sets are %+v, %v", set, err)
	}
	page := s.center.URL + "/console/permission-sets/" + set[0].ARN[len(set[0].ARN)-19:]
	b.open(page)
	b.unfold()
	b.submit(
		"form[action$='/inline']",
		"button",
		map[string]string{
			"policy": `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"iam:*","Resource":"*"}]}`,
		},
	)
	b.sees("The inline policy is saved.")
	b.unfold()
	b.submit(
		"form[action$='/boundary']", "button",
		map[string]string{"managed": "arn:aws:iam::aws:policy/PowerUserAccess"},
	)
	b.sees("The permissions boundary is set.")

	// A rule assigns it in the unit; then the set changes, and is provisioned.
	b.leave(`main .row a[href^="/console/assign"]`)
	b.accessible("who gets something")
	b.leave(`#list a[href*="USER"]`)
	b.accessible("where somebody gets it")
	b.screenshot("assign-where")
	b.leave(`#list a[href*="ou-1"]`)
	b.sees("1 rule")
	b.accessible("a look at all of it")
	b.leave(`form[action="/console/assignments"] button`)
	b.sees("The rule is created.")
	b.accessible("a user with access by a rule")
	b.screenshot("user")
	b.open(s.center.ConsoleURL() + "assignments")
	b.sees("Staging")
	b.accessible("assignments with a rule")
	b.open(page)
	b.unfold()
	b.submit("form:has(button[value=detach])", "button", nil)
	b.sees("Not up to date everywhere")
	b.screenshot("permission-set")
	b.accessible("a permission set")
	b.unfold()
	b.submit("form[action$='/provision']", "button", nil)
	b.sees("The permission set is provisioned in all its accounts.")
	got, err := s.center.PermissionSet(ctx, set[0].ARN)
	if err != nil || got.SessionDuration != 4*time.Hour || len(got.ManagedPolicies) != 0 ||
		len(got.CustomerPolicies) != 1 || got.Boundary == nil || got.InlinePolicy == "" {
		t.Errorf("the permission set is %+v, %v", got, err)
	}
	roles, err := s.center.RolesOf(ctx, ada.ID, "222233334444")
	if err != nil || len(roles) != 1 {
		t.Errorf("the rule gives %+v, %v", roles, err)
	}
	b.open(s.center.ConsoleURL() + "assignments")
	b.unfold()
	b.submit(`form[action="/console/assignments/delete"]`, "button", nil)
	b.sees("follows the assignment rule") // what will be refused is not asked about
	b.open(s.center.ConsoleURL() + "assignments")
	b.unfold()
	b.submit(`form[action="/console/rules/delete"]`, "button", nil)
	b.sees("Cancel")
	b.accessible("the question before a deletion")
	b.screenshot("sure")
	b.leave("main .danger")
	b.sees("No assignments yet.")
	b.open(s.center.ConsoleURL() + "accounts")
	b.sees("Workloads")
	b.accessible("accounts with units and tags")
	b.screenshot("accounts")
	b.leave(`main td a[href^="/console/accounts/"]`)
	b.sees("Who may do what")
	b.accessible("an account")
	b.screenshot("account-page")

	b.open(s.center.ConsoleURL() + "applications")
	b.unfold()
	b.submit(
		`form[action="/console/applications"]`, "button",
		map[string]string{"name": "Wiki", "description": "What we know", "url": "https://wiki.example.com/"},
	)
	b.sees("The application is created.")
	b.unfold()
	b.submit("form[action$='/assign']", "button", map[string]string{"type": "GROUP", "principal": "Nobody"})
	b.sees("What to do")
	apps, err := s.center.Applications(ctx, "", 2)
	if err != nil || len(apps) != 1 {
		t.Fatalf("the applications are %+v, %v", apps, err)
	}
	b.open(s.center.ConsoleURL() + "applications/" + apps[0].ARN[len(apps[0].ARN)-20:])
	b.unfold()
	b.submit("form[action$='/assign']", "button", map[string]string{"type": "GROUP", "principal": "Platform"})
	b.sees("The application is assigned.")
	b.accessible("an application")
	b.open(s.center.ConsoleURL() + "applications/" + apps[0].ARN[len(apps[0].ARN)-20:] + "?find=a")
	b.sees("assigned already")
	b.accessible("the search for whom to assign an application to")
	b.screenshot("assign-application")
	b.phone("assign-application-phone")
	b.open(s.center.ConsoleURL() + "applications/" + apps[0].ARN[len(apps[0].ARN)-20:])
	b.unfold()
	b.submit("form[action$='/unassign']", "button", nil)
	b.sees("Remove Platform from ")
	b.leave("main .danger")
	b.sees("Not assigned to anyone.")
	b.unfold()
	b.submit("form[action$='/delete']", "button", nil)
	b.leave("main .danger")
	b.sees("No applications yet.")
	b.accessible("no applications")
}
