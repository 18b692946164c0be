package main

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestAnAwkwardPersonConnectsAWS has the page in two tabs, brings metadata that has expired, uses
// nothing but the keyboard, and loses the browser in the middle.
func TestAnAwkwardPersonConnectsAWS(t *testing.T) {
	t.Parallel()
	p := newAssisted(t, newBrowser)
	p.connect()
	p.arrives()
	p.task("Begin to change")
	expired := strings.Replace(p.Metadata(), "entityID=", `validUntil="2020-01-01T00:00:00Z" entityID=`, 1)
	if err := os.WriteFile(filepath.Join(p.downloads, "expired.xml"), []byte(expired), 0o600); err != nil {
		t.Fatal(err)
	}
	p.says("expired.xml: the metadata says that it was valid until 2020-01-01")
	second, stop := chromedp.NewContext(p.guide.ctx)
	t.Cleanup(stop)
	if err := chromedp.Do(second); err != nil {
		t.Fatal(err)
	}
	first := p.guide
	p.guide = browser{t, second}
	p.guide.open(p.page())
	p.task("Begin to change")
	p.types("#field-acs", p.ACS()[0])
	p.task("Change the identity source") // in the one, and in the other
	p.guide = first
	p.task("Change the identity source")

	p.losesTheBrowser()
	p.task("Change the identity source")
	p.reaches("#link")
	p.follows()
	p.begins()
	p.reaches("#offer")
	p.strikes(kb.Enter)
	p.changes()
	endpoint, token := p.NewToken()
	p.token = token
	p.types("#field-scim", endpoint)
	p.says("Now paste the access token into the same field")
	p.types("#field-scim", token)
	p.reaches("#field-acs")
	p.types("#field-acs", strings.Join(p.ACS(), " "))
	p.task("Sign in once")
	p.SignIn(pairtest.Amara)
	p.finishes()
	p.keepsSecrets()
}

// strikes a key.
func (p *assisted) strikes(key string) {
	p.t.Helper()
	do(p.guide, "press a key", chromedp.KeyEvent(key))
}

// reaches goes from one to the next by the tabulator, until one has the focus.
func (p *assisted) reaches(selector string) {
	p.t.Helper()
	const most = 40
	for range most {
		here := do(p.guide, "see what has the focus", chromedp.Evaluate[bool](
			`document.activeElement === document.querySelector(`+quoteJS(selector)+`)`,
		))
		if here {
			return
		}
		p.strikes(kb.Tab)
	}
	p.t.Fatalf("the keyboard does not reach %s", selector)
}

// types a text into a field, and hands it over, by the keyboard.
func (p *assisted) types(selector, text string) {
	p.t.Helper()
	p.reaches(selector)
	do(p.guide, "type", chromedp.KeyEvent(text))
	if do(p.guide, "see what it is", chromedp.Evaluate[bool](`document.activeElement.tagName === "TEXTAREA"`)) {
		p.strikes(kb.Tab) // to the button: Enter is part of such a text
	}
	p.strikes(kb.Enter)
}

var anotherLink = regexp.MustCompile(`used a second time[^#]*?(http://127\.0\.0\.1:\d+/#[\w-]+)`)

// losesTheBrowser closes it, and comes back with another one: the link was used, so the terminal
// shows another.
func (p *assisted) losesTheBrowser() {
	p.t.Helper()
	used := firstLink.FindString(p.errOut.String())
	ctx := newBrowser(p.t, p.Rules)
	p.guide = browser{p.t, ctx}
	p.guide.open(used)
	p.says("Open the link that the terminal shows")
	p.waits("another link", func() bool { return anotherLink.MatchString(p.errOut.String()) })
	do(p.guide, "download into the folder", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
			Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: p.downloads,
		})
		return err
	}))
	p.guide.open("about:blank")
	p.guide.open(anotherLink.FindStringSubmatch(p.errOut.String())[1])
}

var firstLink = regexp.MustCompile(`http://127\.0\.0\.1:\d+/#[\w-]+`)
