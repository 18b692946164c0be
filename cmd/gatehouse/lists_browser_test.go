package main

import (
	"fmt"
	"net/http"
	"testing"
)

// TestAllThatAListHasIsChosenInABrowser: one box chooses all, also what is on other pages, and
// whoever takes a row out again means rows. Columns are chosen too.
func TestAllThatAListHasIsChosenInABrowser(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := of(t, d)
	b := browser{t, newUndrawnBrowser(t, "")}
	for i := range 60 {
		e.Change(http.MethodPost, "/groups", map[string]any{
			"displayName": fmt.Sprintf("Crowd %02d", i), "mailNickname": fmt.Sprintf("crowd%02d", i),
			"mailEnabled": false, "securityEnabled": true,
		}, nil)
	}
	b.login(d.Tenant.AdminCenterURL, map[string]string{"username": d.Admin.UserName, "password": d.Admin.Password})
	b.open(d.Tenant.AdminCenterURL + "groups?q=crowd")
	b.sees("All 60 of the list")
	b.accessible("a list of which all can be chosen")
	b.phone("every-phone")
	b.click(`[data-every]`)
	b.until("all rows are chosen", `document.querySelectorAll('[name=pick]:checked').length === 50`)
	b.screenshot("every")
	b.click(`[name=pick]`)
	b.until("not all are", `!document.querySelector('[data-every]').checked &&
		document.querySelectorAll('[name=pick]:checked').length === 49`)
	b.click(`[data-every]`)
	b.leave(`#bulk button[value=delete]`)
	b.sees("Delete 60 groups?")
	b.accessible("the question about all")
	b.phone("every-question-phone")
	b.leave(`main form button.danger`)
	b.sees("60 groups deleted.")

	b.open(d.Tenant.AdminCenterURL + "users")
	b.click(`.columns summary`)
	b.click(`.columns input[value=mail]`)
	b.leave(`.columns button`)
	b.until("the column is there", `[...document.querySelectorAll('th')].some(h => h.textContent.trim() === 'Email')`)
	b.accessible("the columns that were chosen")
}
