package main

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// onceShown is a place where a secret is shown once.
type onceShown struct {
	what   string
	page   string // where its form is
	fold   string // what is opened before; empty: nothing
	fields map[string]string
	button string // the form's
	secret string // where it stands
	again  string // said when the button is pressed on the page as it was before; empty: another one counts then
}

// TestWhatIsShownOnceIsShownOnce walks over every place where a secret is shown once, by the
// keyboard: the page says so, and what to do when it is lost; it is copied, and said to be; it is
// not in the address, the title or the log; coming back, reloading or pressing twice shows none and
// makes no second one.
func TestWhatIsShownOnceIsShownOnce(t *testing.T) {
	t.Parallel()
	s, w := oversight(t)
	ctx, by := context.Background(), audit.SystemActor
	if err := errors.Join(s.tenant.SetAdministrator(ctx, by, "admin", centertest.Password)); err != nil {
		t.Fatal(err)
	}
	console, admins := s.center.ConsoleURL(), s.tenant.URL+"/admin/"
	user := console + "users/" + string(w.Linus.ID)
	for _, place := range []onceShown{
		{"an access key", console + "access-keys", ".create > summary", map[string]string{"name": "robot"},
			`form[action="/console/access-keys"] button`, `#new-key .copy:nth-of-type(3) pre`, "Nothing was done"},
		{"the secret of a webhook", console + "requests", "",
			map[string]string{"url": "https://hooks.example.com/x"},
			`form[action="/console/requests/webhook"] button`, `#webhook-secret pre`, ""},
		{"the password of a user", user, "", nil, `form[action$="/one-time-password"] button`, `#password pre`, ""},
		{"the password of a new user", console + "users", ".create > summary", map[string]string{
			"username": "barbara", "email": "barbara@example.com", "given": "Barbara", "family": "Liskov",
			"display": "Barbara Liskov", "password": "once",
		}, `form[action="/console/users"] button`, `#password pre`, "rename or delete the other"},
		{"the password of an administrator", console + "settings/administrators", ".create > summary",
			map[string]string{"name": "grace"}, `form[action$="/administrators"] button`, `#one-time pre`, "already"},
		{"the password of a tenant's administrator", admins + "settings/administrators", ".create > summary",
			map[string]string{"name": "grace"}, `form[action$="/administrators"] button`, `#one-time pre`, "already"},
		{"the secret of a program", admins + "clients", ".create > summary", map[string]string{"name": "reporting"},
			`form[action="/admin/clients"] button`, `#new-client .copy:nth-of-type(3) pre`, "Nothing was done"},
	} {
		t.Run(place.what, func(t *testing.T) {
			t.Parallel()
			place.walk(t, s.hosts, centertest.Password, s.log)
		})
	}
}

// TestASCIMTokenIsShownOnce is the same for the token by which users and groups arrive.
func TestASCIMTokenIsShownOnce(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	onceShown{"a SCIM token", d.Center.ConsoleURL + "settings/provisioning", "", nil,
		`#provisioning form[action="/console/settings/tokens"] button`, `#new-token .copy:nth-of-type(3) pre`,
		"Nothing was done"}.walk(t, "", d.Admin.Password, &buffer{})
}

// walk makes the secret, and looks at what becomes of it.
func (o onceShown) walk(t *testing.T, hosts, password string, log *buffer) {
	t.Helper()
	job := &clicks{browser: browser{t, newBrowser(t, hosts)}}
	job.login(o.page, map[string]string{"username": "admin", "password": password})
	o.fill(job)
	before := do(job.browser, "read the form", chromedp.Evaluate[string](`new URLSearchParams(new FormData(
		document.querySelector(`+quoteJS(o.button)+`).form)).toString()`))
	action := do(job.browser, "read the form", chromedp.Evaluate[string](
		`document.querySelector(`+quoteJS(o.button)+`).form.action`))
	job.focus(o.button)
	do(job.browser, "mark the page", chromedp.Evaluate[bool](`window.leaving = true`))
	job.strike(kb.Enter)
	job.strike(kb.Enter) // twice
	job.until("leave the page", `!window.leaving && document.readyState === 'complete'`)
	job.focusIsSeen("after " + o.button)
	if !job.isAt("[data-once]") {
		t.Error("the focus is not at what says that it is shown once")
	}
	if says := job.text("[data-once]"); !strings.Contains(says, "not shown again") ||
		!strings.Contains(says, "another") {
		t.Errorf("the page says %q", says)
	}
	secret := job.text(o.secret)
	if len(secret) < 10 {
		t.Fatalf("the secret is %q", secret)
	}
	job.accessible(o.what)
	job.copies(o.secret)
	o.isGone(job, secret, "the address and the title", `location.href + document.title`)
	if strings.Contains(log.String(), secret) {
		t.Error("the log has the secret")
	}
	o.isGone(job, secret, "the audit log", `await fetch('/`+strings.Split(o.page, "/")[3]+
		`/audit?format=json').then(a => a.text())`)
	here := do(job.browser, "read the address", chromedp.Location())

	do(job.browser, "leave", chromedp.Navigate("about:blank"))
	do(job.browser, "come back", chromedp.NavigateBack())
	job.until("come back", `document.readyState === 'complete' && !!document.querySelector('main')`)
	o.isGone(job, secret, "the page that was come back to", `document.documentElement.outerHTML`)
	made := o.stays(job)
	do(job.browser, "reload", chromedp.Reload())
	job.until("reload", `document.readyState === 'complete' && !!document.querySelector('main')`)
	o.isGone(job, secret, "the page that was reloaded", `document.documentElement.outerHTML`)
	if now := o.stays(job); now != made {
		t.Errorf("reloading changes the page from %s to %s", made, now)
	}
	if now := do(job.browser, "read the address", chromedp.Location()); now != here {
		t.Errorf("the page was at %s, and is at %s", here, now)
	}
	if o.again == "" {
		return
	}
	if says := do(job.browser, "press in another tab", chromedp.Evaluate[string](
		`fetch(`+quoteJS(action)+`, {method: 'POST', body: new URLSearchParams(`+quoteJS(before)+
			`)}).then(a => a.text())`, chromedp.EvalAwaitPromise)); !strings.Contains(says, o.again) {
		t.Errorf("a second press says %s", says)
	}
}

// fill fills the form in.
func (o onceShown) fill(job *clicks) {
	job.t.Helper()
	if o.fold != "" && !do(job.browser, "look", chromedp.Evaluate[bool](
		`document.querySelector(`+quoteJS(o.fold)+`).parentElement.open`)) {
		job.opens(o.fold)
	}
	form := strings.TrimSuffix(o.button, " button")
	job.fill(form, o.fields)
}

// signIns are what the page of administrators tells of them, which changes whenever one signs in.
var signIns = regexp.MustCompile(`(Sessions|Last sign-in)\s+[–\d][-: \d]*`)

// stays reads what nobody but this walk changes: the other places sign in meanwhile.
func (o onceShown) stays(job *clicks) string {
	job.t.Helper()
	return signIns.ReplaceAllString(job.text("main"), "$1")
}

// isGone wants a secret nowhere in a text of the page.
func (o onceShown) isGone(job *clicks, secret, where, text string) {
	job.t.Helper()
	if do(job.browser, "look at "+where, chromedp.Evaluate[bool](
		`(async () => (`+text+`).includes(`+quoteJS(secret)+`))()`, chromedp.EvalAwaitPromise)) {
		job.t.Errorf("%s has the secret", where)
	}
}

// copies copies a text by its button, and wants to be told.
func (c *clicks) copies(text string) {
	c.t.Helper()
	c.focus(strings.TrimSuffix(text, "pre") + "button")
	c.strike(kb.Enter)
	c.until("it is said", `/Copied|Selected/.test(document.querySelector('body > .hidden[role=status]').textContent)`)
	c.focusIsSeen("after it was copied")
}
