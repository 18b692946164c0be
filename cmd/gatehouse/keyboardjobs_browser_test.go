package main

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// again types over what a field has.
func (c *clicks) again(selector, text string) {
	c.t.Helper()
	c.focus(selector)
	c.strike(kb.End)
	c.strike(kb.Home, chromedp.KeyModifiers(chromedp.ModifierShift))
	c.strike(text)
}

// submits by Enter in the field that has the focus, which leads to another page.
func (c *clicks) submits(selector string) {
	c.t.Helper()
	c.press(selector)
}

// isAsked wants the focus at what does nothing, and answers.
func (c *clicks) isAsked() {
	c.t.Helper()
	if !c.isAt(`main a.button.quiet`) {
		c.t.Error("a question does not begin at Cancel")
	}
	c.focusIsSeen("a question")
	c.press(`main .danger`)
}

// refused wants the focus in a field, which says what is wrong with it.
func (c *clicks) refused(field string) {
	c.t.Helper()
	if !c.isAt(field) {
		c.t.Errorf("after a refusal the focus is not in %s but at %s", field, do(c.browser, "look where it is",
			chromedp.Evaluate[string](`document.activeElement.outerHTML.slice(0, 200)`)))
	}
	if says := do(c.browser, "read what describes it", chromedp.Evaluate[string](
		`document.getElementById(document.activeElement.getAttribute('aria-describedby'))?.textContent ?? ''`,
	)); says == "" {
		c.t.Errorf("%s does not say what is wrong with it", field)
	}
}

// TestTheConsolesNewPagesByKeyboardAlone entitles, makes a policy, disables whom it has chosen, and
// removes what they have left.
func TestTheConsolesNewPagesByKeyboardAlone(t *testing.T) {
	t.Parallel()
	s, _ := oversight(t)
	job := &clicks{browser: s.admin(t, "account-access")}
	job.press(`form[action$="/enable"] button`)
	job.sees("People can be entitled")
	const entitle = `form[action="/console/account-access"][method=post]`
	if !do(job.browser, "look", chromedp.Evaluate[bool](`!!document.querySelector('.create').open`)) {
		job.opens(`.create > summary`)
	}
	job.types(entitle+` [name=role]`, "arn:aws:iam::111122223333:role/ops/Reader")
	job.focus(entitle + ` [name=type]`)
	job.strike(kb.End)
	job.strike(kb.Home)
	job.until("a group", `document.querySelector('[name=type]').value === 'GROUP'`)
	job.types(entitle+` [name=who]`, "Nobody")
	job.submits(entitle + ` [name=who]`)
	job.refused(entitle + ` [name=who]`)
	job.accessible("an entitlement for nobody")
	job.screenshot("refused-field")
	job.phone("refused-field-phone")
	job.again(entitle+` [name=who]`, "Engineers")
	job.submits(entitle + ` [name=who]`)
	job.sees("Engineers may open Reader")

	job.press(`.side a[href="/console/requests"]`)
	job.opens(`.create > summary`)
	const policy = `form[action="/console/request-policies"]`
	job.types(policy+` [name=name]`, "By keyboard")
	job.types(policy+` [name=eligible]`, "Nobody")
	job.focus(policy + ` [name=account]`)
	job.strike(kb.ArrowDown)
	job.until("a place", `document.querySelector('[name=account]').value !== ''`)
	job.types(policy+` [name=approvers]`, "Approvers")
	job.submits(policy + ` [name=approvers]`)
	job.refused(policy + ` [name=eligible]`)
	job.again(policy+` [name=eligible]`, "Engineers")
	job.submits(policy + ` [name=eligible]`)
	job.sees("The policy is created")

	job.press(`.side a[href="/console/users"]`)
	job.key("/")
	if !job.isAt(`main input[type=search]`) {
		t.Error("the slash does not lead to the search")
	}
	job.strike("linus")
	job.until("the list is short", `document.querySelectorAll('#list tbody tr').length === 1`)
	job.checks(`#list tbody [type=checkbox]`)
	job.back(`#list [data-all]`)
	job.press(`#bulk button[value=false]`)
	job.isAsked()
	job.sees("disabled")

	job.press(`.side a[href="/console/leavers"]`)
	job.press(`main a[href="/console/revocations"]`)
	job.key("/")
	job.strike("linus")
	job.until("the list is short", `document.querySelectorAll('#list tbody tr').length === 1`)
	job.press(`#list tbody a`)
	job.sees("Everything has ended")
}

// TestAccessIsAskedForAndDecidedByKeyboardAlone, with a refusal on the way.
func TestAccessIsAskedForAndDecidedByKeyboardAlone(t *testing.T) {
	t.Parallel()
	s, w := oversight(t)
	ada, grace := &clicks{browser: s.person(t, "ada")}, &clicks{browser: s.person(t, "grace")}
	ada.press(`nav a[href="/start/requests"]`)
	ada.types(`[name=reason]`, "The queue is stuck")
	ada.opens(`form[action="/start/requests"] summary`)
	ada.checks(`[name=emergency]`)
	ada.strike(" ")
	ada.press(`form[action="/start/requests"] button`)
	ada.sees("The approvers decide")
	ada.enter(`form[action="/start/requests"] button`) // nothing is said of why
	ada.until("the reason is asked for", `document.activeElement?.name === 'reason'`)
	grace.press(`nav a[href="/start/requests"]`)
	grace.press(`button[formaction$="/approve"]`)
	grace.sees("ada has Admin in Production until")
	if !w.Has(t) {
		t.Error("ada does not have it")
	}
	ada.open(s.center.PortalURL() + "/requests")
	ada.press(`form[action$="/end"] button`)
	ada.sees("The access has ended")
}

// TestMembersArePickedByKeyboardAlone: found, chosen, added, and removed again.
func TestMembersArePickedByKeyboardAlone(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	b := tenantOf(t, d)
	b.open(d.Tenant.AdminCenterURL + "groups/" + of(t, d).Group("Finance").ID)
	job := &clicks{browser: b}
	job.opens(`.create > summary`)
	job.types(`[name=find]`, "mei")
	job.until("she is found", `document.querySelector('#found')?.innerText.includes('Mei Tanaka')`)
	job.checks(`#found [type=checkbox]`)
	job.press(`button[name=add]`)
	job.sees("Mei Tanaka")
	job.opens(`.create > summary`)
	job.types(`textarea[name=name]`, "nobody@example.com")
	job.press(`form:has(textarea[name=name]) button`)
	job.refused(`textarea[name=name]`)
	job.press(`#list th a[href]`) // as a link of the page that the form is on
	job.key("/")
	job.strike("mei")
	job.until("the list is short", `document.querySelectorAll('#list tbody tr').length === 1`)
	job.checks(`#list tbody [type=checkbox]`)
	job.press(`#bulk .danger`)
	job.isAsked()
	job.sees("removed")
}

// TestHelpAndCopiesByKeyboardAlone: the help gives the focus back, once and not twice, and what is
// copied is said to be.
func TestHelpAndCopiesByKeyboardAlone(t *testing.T) {
	t.Parallel()
	s, _ := oversight(t)
	job := &clicks{browser: s.admin(t, "groups")}
	const copies = `#list tbody tr:first-child button[data-copy]`
	job.focus(copies)
	job.key("?")
	job.until("the help is there", `!!document.querySelector('dialog[open]')`)
	job.key("?")
	if n := do(job.browser, "count", chromedp.Evaluate[int](`document.querySelectorAll('dialog').length`)); n != 1 {
		t.Errorf("%d helps are open", n)
	}
	job.focusIsSeen("the help")
	job.strike(kb.Escape)
	job.until("the help is gone", `!document.querySelector('dialog')`)
	if !job.isAt(copies) {
		t.Error("the help does not give the focus back")
	}
	job.strike(kb.Enter)
	job.until("it is said", `/Copied|Selected/.test(document.querySelector('body > .hidden[role=status]').textContent)`)
	if !job.isAt(copies) {
		t.Error("copying takes the focus away")
	}
}
