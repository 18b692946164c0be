package main

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestAnAdministratorRestoresAUser deletes a user by mistake, brings them back by the keyboard, and
// gives them a role; the pages are looked at as wide as a phone, and in the dark.
func TestAnAdministratorRestoresAUser(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := of(t, d)
	b := browser{t, newUndrawnBrowser(t, "")}
	const mei = "mei.tanaka@northwind.example"
	b.login(d.Tenant.AdminCenterURL, map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})
	user, group := e.User(mei), e.Group("Finance")
	b.open(d.Tenant.AdminCenterURL + "groups/" + group.ID + "?find=en")
	b.sees("Find users and groups")
	b.accessible("the search for members to add")
	b.screenshot("add-member")
	b.phone("add-member-phone")
	b.open(d.Tenant.AdminCenterURL + "users/" + user.ID)
	b.unfold()
	b.leave(`form[action$="/delete"] button`)
	b.sees("For 30 days you can restore them")
	b.accessible("the question before a user is deleted")
	b.phone("delete-user-phone")
	b.leave("main .danger")
	b.sees("The user is deleted")
	e.Change(http.MethodDelete, "/groups/"+group.ID, nil, nil)
	e.Soon("the user is disabled", func() bool { return e.Find("/Users", "userName", mei)["active"] == false })

	b.open(d.Tenant.AdminCenterURL + "deleted?of=groups")
	b.sees("Finance")
	b.open(d.Tenant.AdminCenterURL + "deleted")
	b.sees(mei)
	b.screenshot("deleted")
	b.unfold()
	b.accessible("the deleted users with all their forms")
	b.phone("deleted-phone")
	b.open(d.Tenant.AdminCenterURL + "deleted")
	restore := `form[action$="/` + user.ID + `/restore"] button`
	do(b, "mark the page", chromedp.Evaluate[bool](`window.leaving = true`))
	do(b, "reach the button", chromedp.Focus(chromedp.CSS(restore)))
	do(b, "press Enter", chromedp.KeyEvent(kb.Enter))
	b.until("leave the page", `!window.leaving && document.readyState === 'complete'`)
	b.sees("is restored, with memberships and assignments")
	e.Soon("the user is enabled", func() bool { return e.Find("/Users", "userName", mei)["active"] == true })
	b.open(d.Tenant.AdminCenterURL + "apps/" + d.Tenant.ApplicationID + "/provisioning")
	b.sees("Skip deleted users")
	b.accessible("deprovisioning")
	b.screenshot("deprovisioning")

	b.open(d.Tenant.AdminCenterURL + "roles")
	const globalReader = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	b.click(`.create > summary`)
	b.fill(`form[action$="/roles"]`, map[string]string{"role": globalReader})
	do(b, "search", chromedp.SendKeys(chromedp.CSS(`form[action$="/roles"] [name=find]`), "mei"))
	b.until("somebody is found", `document.querySelector('#found')?.textContent.includes(`+quoteJS(mei)+`)`)
	b.click(`#found input[name=who]`)
	b.leave(`form[action$="/roles"] button[name=add]`)
	b.sees("is a Global Reader now")
	b.screenshot("roles")
	b.accessible("the roles")
	b.phone("roles-phone")
}
