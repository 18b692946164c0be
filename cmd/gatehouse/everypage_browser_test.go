package main

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestEveryPageIsForEverybody follows every link of both halves' pages and of the portal. Each page
// is accessible in light, in the dark on a phone, at 200 % and in forced colors, and no wider than
// the window, nor are the lists of one that is read on a phone; what is told apart by color alone
// is told in words too.
func TestEveryPageIsForEverybody(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat(axePath); err != nil {
		sqldbtest.Skip(t, "axe-core is not installed (scripts/deps fetches it)")
	}
	d, _ := startDemo(t)
	hasOneOfEach(t, d)
	for name, site := range map[string]struct {
		sign  func(browser, demoOutput) browser
		begin []string
		least int
	}{
		"console": {consoleIn, []string{
			d.Center.ConsoleURL, d.Center.ConsoleURL + "account", d.Center.ConsoleURL + "nothing",
			d.Center.ConsoleURL + "login",
		}, 35},
		"admincenter": {tenantIn, []string{
			d.Tenant.AdminCenterURL, d.Tenant.AdminCenterURL + "account", d.Tenant.AdminCenterURL + "nothing",
			d.Tenant.AdminCenterURL + "login",
		}, 25},
		"portal": {personIn, []string{d.Center.PortalURL}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := site.sign(browser{t, newUndrawnBrowser(t, "")}, d)
			seen := b.everyPage(name, site.begin)
			if len(seen) < site.least {
				t.Errorf("only %d pages were found", len(seen))
			}
			for _, route := range pagesOf(t, name) {
				if !seen[route] {
					t.Errorf("%s is a page, and nothing that was looked at leads to it", route)
				}
			}
		})
	}
}

// personIn opens the portal of a demo as one of its people.
func personIn(b browser, d demoOutput) browser {
	b.t.Helper()
	b.open(d.Center.PortalURL)
	b.submit("main form", "button", map[string]string{"loginfmt": pairtest.Amara, "passwd": d.People[0].Password})
	b.sees("AWS accounts")
	return b
}

var (
	// anID is what stands for one thing of its kind in an address.
	anID = regexp.MustCompile(`[0-9A-Fa-f]{8}-[0-9A-Fa-f-]{27}|ps-[0-9a-f]{16}|apl-[0-9a-f]{16}|tti-[0-9a-f-]+|` +
		`\b[0-9]{12}\b|\b[0-9A-F]{40}\b`)
	// notPages are files, ways out, and what is another state of the same page.
	notPages = regexp.MustCompile(`\.xml|/\.well-known/|\.json|format=|/certificates/|/logout|/outbox|` +
		`/start/console|/platform/login`)
)

// hasOneOfEach makes of what a demo has none of one, so that its page can be looked at.
func hasOneOfEach(t *testing.T, d demoOutput) {
	t.Helper()
	e := of(t, d)
	e.SignIn(pairtest.Amara)
	console := d.Center.ConsoleURL
	v, _ := webtest.Office(strings.TrimSuffix(console, "/")).Enter(t, d.Admin.UserName, d.Admin.Password)
	kind := webtest.Match(
		t, v.Get(console+"applications"), regexp.MustCompile(`<option value="(arn:[^"]+applicationProvider/[^"]+)"`),
	)
	set := webtest.Match(t, v.Get(console+"access-reviews"), regexp.MustCompile(`<option value="(arn:[^"]+/ps-[^"]+)"`))
	person := e.Find("/Users", "userName", pairtest.Amara).String("id")
	for _, made := range []struct{ at, name, value, want string }{
		{"applications", "name=Wiki&url=https://wiki.example.com/&provider=", kind, "The application is created"},
		{"token-issuers", "name=Issuer&claim=sub&attribute=userName&issuer=", "https://tokens.example.com", "Issuer"},
		{"access-reviews/owners", "type=USER&owner=" + pairtest.Amara + "&set=", set, "reviews it"},
		{"access-reviews", "name=Year&until=", time.Now().AddDate(0, 0, 20).UTC().Format(time.DateOnly), "has begun"},
		{"users/" + person + "/revoke", "x=", "", "has ended"},
	} {
		form, err := url.ParseQuery(made.name + url.QueryEscape(made.value))
		if err != nil {
			t.Fatal(err)
		}
		v.Does(console+made.at, form, made.want)
	}
}

// pagesOf reads from a site's code which pages it has.
func pagesOf(t *testing.T, site string) (list []string) {
	t.Helper()
	folder, ok := map[string]string{
		"console": "../../center/console", "admincenter": "../../tenant/admincenter",
	}[site]
	if !ok {
		return nil
	}
	files, err := filepath.Glob(folder + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	routes := regexp.MustCompile(`"GET (/(?:console|admin)[^"]*)"`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range routes.FindAllStringSubmatch(string(text), -1) {
			route := regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(strings.TrimSuffix(m[1], "/{$}"), "{id}")
			if !notPages.MatchString(route) && !elsewhere.MatchString(route) {
				list = append(list, route)
			}
		}
	}
	if len(list) < 20 {
		t.Errorf("only %v are read from %s", list, folder)
	}
	return list
}

// elsewhere are pages that a demo cannot have, which other tests look at: the review of another
// identity source, and the device of somebody whose password is the center's; and what is asked
// with a choice in the address.
var elsewhere = regexp.MustCompile(`/review$|/device$|/assign$|/saml/certificate$`)

// everyPage looks at each kind of page that the pages lead to, and says which there were.
func (b browser) everyPage(site string, begin []string) map[string]bool {
	b.t.Helper()
	home, err := url.Parse(begin[0])
	if err != nil {
		b.t.Fatal(err)
	}
	seen, waiting := map[string]bool{}, slices.Clone(begin)
	frames := map[string]bool{}
	for len(waiting) > 0 {
		at := waiting[0]
		waiting = waiting[1:]
		u, err := home.Parse(at)
		if err != nil || u.Host != home.Host || notPages.MatchString(at) {
			continue
		}
		kind := anID.ReplaceAllString(u.Path, "{id}")
		if q := u.Query(); strings.HasSuffix(u.Path, "/assign") { // what was chosen is in the query
			q.Del("step")
			kind += "?" + strings.Join(slices.Sorted(maps.Keys(q)), "&")
		}
		if kind = strings.TrimSuffix(kind, "/"); seen[kind] {
			continue
		}
		seen[kind] = true
		b.open(u.String())
		b.looks(site + kind)
		b.walksByKeyboard(site+kind, frames)
		waiting = append(waiting, do(b, "read the links", chromedp.Evaluate[[]string](
			// of links in a plot, href is an object
			`[...document.querySelectorAll('a[href]:not([download])')].map(a =>
				new URL(a.getAttribute('href'), location).href)`))...)
	}
	return seen
}

// look is a way in which somebody sees a page.
type look struct {
	name     string
	width    int64
	features []*emulation.MediaFeature
	rules    string // of axe, as its options have them
	of       string // an expression: the elements that they are about
}

// looks are those in which each page is checked. A window of 640 pixels has what one of 1280 has at
// 200 %.
var looks = []look{
	{"light", 1280, media("prefers-color-scheme", "light"), `{}`, everything},
	{"at 200 %", 640, media("prefers-color-scheme", "light"),
		`{runOnly: ['target-size', 'scrollable-region-focusable']}`, everything},
	{"dark, on a phone", 390, media("prefers-color-scheme", "dark"),
		`{runOnly: ['color-contrast', 'target-size', 'scrollable-region-focusable']}`, everything},
	// Where the browser gives an element its colors, they are good.
	{"in forced colors", 1280, media("forced-colors", "active"), `{runOnly: ['color-contrast']}`,
		`[...document.body.querySelectorAll('*')].filter(e => getComputedStyle(e).forcedColorAdjust !== 'auto')`},
}

// everything is what is looked at of a page.
const everything = `[document]`

func media(name, value string) []*emulation.MediaFeature {
	return []*emulation.MediaFeature{{Name: name, Value: value}}
}

// looks checks the page that is shown in every look.
func (b browser) looks(page string) {
	b.t.Helper()
	source, err := os.ReadFile(axePath)
	if err != nil {
		b.t.Fatal(err)
	}
	do(b, "load axe", chromedp.Evaluate[bool](string(source)+"; true"))
	for _, l := range looks {
		do(b, "be "+l.name, chromedp.EmulateViewport(l.width, 900))
		do(b, "be "+l.name, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
			_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia,
				emulation.SetEmulatedMediaParams{Features: l.features})
			return err
		}))
		found := do(b, "check "+page, chromedp.Evaluate[string](
			`(async of => of.length == 0 ? '' : (await axe.run(of, `+l.rules+`)).violations.map(v => v.id + ': ' +
				v.help + ' ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | ')).join('\n'))(`+l.of+`)`,
			chromedp.EvalAwaitPromise,
		))
		if found != "" {
			b.t.Errorf("%s, %s: %s", page, l.name, found)
		}
		if wide := do(b, "measure "+page, chromedp.Evaluate[string](
			`document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1 ? '' :
				[...document.querySelectorAll('main *')].filter(e => !e.closest('.scroll') &&
				e.getBoundingClientRect().right > document.documentElement.clientWidth + 1).map(e =>
				e.outerHTML.slice(0, 200)).slice(0, 3).join(' | ') || 'somewhere'`,
		)); wide != "" {
			b.t.Errorf("%s, %s, is wider than the window: %s", page, l.name, wide)
		}
		if l.width < 400 {
			if wide := do(b, "measure the lists of "+page, chromedp.Evaluate[string](
				`[...document.querySelectorAll('.scroll:has(table)')].filter(e => e.scrollWidth > e.clientWidth + 1)
					.map(e => e.getAttribute('aria-label')).join()`,
			)); wide != "" {
				b.t.Errorf("%s, %s: one has to scroll sideways to read %s", page, l.name, wide)
			}
		}
		b.picture(page + ", " + l.name)
	}
}

// picture writes a picture of the whole page when GATEHOUSE_PICTURES names a folder.
func (b browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("GATEHOUSE_PICTURES")
	if dir == "" {
		return
	}
	file := regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(name, "-")
	jpg := do(b, "take a picture", chromedp.FullScreenshot(60))
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(file, ".jpg")), jpg, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
