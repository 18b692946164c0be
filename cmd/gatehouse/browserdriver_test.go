package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// startBrowser starts a browser. On a busy machine one crashes now and then before it has begun:
// then another one is started.
func startBrowser(t *testing.T, options []chromedp.ExecAllocatorOption) (context.Context, func()) {
	t.Helper()
	for tries := 1; ; tries++ {
		allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
		ctx, stop := chromedp.NewContext(allocator)
		err := chromedp.Do(ctx) // a limit on this call would be the browser's
		if err == nil {
			return ctx, func() { stop(); stopAllocator() }
		}
		stop()
		stopAllocator()
		if tries == 3 || !strings.Contains(err.Error(), "chrome failed to start") {
			t.Fatal(err)
		}
	}
}

// newBrowser starts a real Chromium that draws what it shows, as autofocus and scrolling want.
func newBrowser(t *testing.T, hosts string) (ctx context.Context) {
	t.Helper()
	return newChromium(t, hosts)
}

// newUndrawnBrowser starts a real Chromium that draws no page, unless pictures are wanted: to draw
// takes a third of what a page takes. Scripts, styles, layout and clicks are as ever. Where the
// focus is when a page opens is not, which would fail whoever looks for it.
func newUndrawnBrowser(t *testing.T, hosts string) (ctx context.Context) {
	t.Helper()
	if os.Getenv("GATEHOUSE_SCREENSHOTS") != "" {
		return newChromium(t, hosts)
	}
	return newChromium(t, hosts, chromedp.Flag("disable-threaded-compositing", true))
}

func newChromium(t *testing.T, hosts string, more ...chromedp.ExecAllocatorOption) (ctx context.Context) {
	t.Helper()
	path := ""
	for _, p := range []string{ // the first is the same browser without windows, and takes less of the processor
		"/usr/bin/chromium-headless-shell", "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome",
	} {
		if _, err := os.Stat(p); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		sqldbtest.Skip(t, "Chromium is not installed (apt-get install chromium-headless-shell)")
	}
	options := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.NoSandbox,
		chromedp.Flag("host-resolver-rules", hosts),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("in-process-gpu", true),
		chromedp.Flag("no-zygote", true), // which pays where many pages are opened, each in a process of its own
		// Pages are small and soon left: to optimize their scripts takes longer than to run them.
		chromedp.Flag("js-flags", "--no-opt --no-maglev"),
		chromedp.WindowSize(1280, 900),
		chromedp.UserDataDir(t.TempDir()),
	)
	ctx, stop := startBrowser(t, append(options, more...))
	if _, err := chromedp.Run(ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{
			Enabled: true, // a page in a window keeps the focus when Tab goes past its end
		})
		return err
	})); err != nil {
		t.Fatal(err)
	}
	wrong := make(chan string, 20)
	if err := chromedp.Listen(ctx, func(ev any) {
		if thrown, ok := ev.(*runtime.EventExceptionThrown); ok {
			select {
			case wrong <- thrown.ExceptionDetails.Text + " at " + thrown.ExceptionDetails.URL:
			default: // the first are enough
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for len(wrong) > 0 {
			t.Errorf("a script failed: %s", <-wrong)
		}
	})
	ctx, stopTimer := context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(func() { stopTimer(); stop() })
	return ctx
}

// browser drives one tab and fails the test at the first step that does not work, naming it.
type browser struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // chromedp's tab is its context
}

// do runs an action and returns its value.
func do[T any](b browser, what string, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.fails(what, err)
	}
	return v
}

// fails ends the test, and says where the browser is and what it shows.
func (b browser) fails(what string, err error) {
	b.t.Helper()
	where, _ := chromedp.Run(b.ctx, chromedp.Location())
	body, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
	b.t.Fatalf("%s: %v\nat %s\n%s", what, err, where, body)
}

func (b browser) open(url string) {
	b.t.Helper()
	do(b, "open "+url, chromedp.Navigate(url))
}

// sees waits until the page shows a text.
func (b browser) sees(text string) {
	b.t.Helper()
	b.until(
		"see "+text,
		`!!document.body && document.readyState === 'complete' && document.body.innerText.includes(`+quoteJS(text)+`)`,
	)
}

// until waits for a condition, across whatever navigation is under way.
func (b browser) until(what, condition string) {
	b.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		holds, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](condition))
		if err == nil && holds {
			return
		}
		if time.Now().After(deadline) || b.ctx.Err() != nil {
			b.fails(what, fmt.Errorf("it never came (%w)", err))
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}

func quoteJS(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(s) + "'"
}

func (b browser) text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(do(b, "read "+selector, chromedp.TextContent(chromedp.CSS(selector))))
}

// click clicks, once more when the page renewed the part between the look and the click.
func (b browser) click(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	for {
		_, err := chromedp.Run(ctx, chromedp.Click(chromedp.CSS(selector)))
		if err == nil {
			return
		}
		if ctx.Err() != nil || !strings.Contains(err.Error(), "Could not find node") {
			b.fails("click "+selector, err)
		}
	}
}

// fill fills a form's fields by name.
func (b browser) fill(form string, fields map[string]string) {
	b.t.Helper()
	for name, value := range fields {
		do(b, "fill "+name, chromedp.SetValue(chromedp.CSS(form+` [name="`+name+`"]`), value))
	}
}

// submit fills a form's fields by name and presses the button. A form that is folded is opened
// first, as people do.
func (b browser) submit(form, button string, fields map[string]string) {
	b.t.Helper()
	if do(b, "look for "+form, chromedp.Evaluate[bool](
		`!!document.querySelector(`+quoteJS(form)+`)?.closest('.create:not([open])')`,
	)) {
		b.click(`.create:has(` + form + `) > summary`)
	}
	b.fill(form, fields)
	b.leave(form + " " + button)
}

// leave clicks on what leads to another page, and waits until this one is gone.
func (b browser) leave(selector string) {
	b.t.Helper()
	do(b, "mark the page", chromedp.Evaluate[bool](`window.leaving = true`))
	b.click(selector)
	b.until("leave the page", `!window.leaving && document.readyState === 'complete'`)
}

// screenshot writes a picture for the documentation when GATEHOUSE_SCREENSHOTS names a folder.
func (b browser) screenshot(name string) {
	b.t.Helper()
	dir := os.Getenv("GATEHOUSE_SCREENSHOTS")
	if dir == "" {
		return
	}
	png := do(b, "screenshot", chromedp.CaptureScreenshot())
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// download returns what a link on the page leads to, fetched by the page itself with its cookies.
func (b browser) download(selector, name string) string {
	b.t.Helper()
	body := do(
		b,
		"download "+name,
		chromedp.Evaluate[string](
			`fetch(document.querySelector(`+quoteJS(selector)+`).href).then(r => r.text())`,
			chromedp.EvalAwaitPromise,
		),
	)
	path := filepath.Join(b.t.TempDir(), name)
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		b.t.Fatal(err)
	}
	return path
}

func (b browser) upload(selector, path string) {
	b.t.Helper()
	do(b, "choose "+path, chromedp.SetUploadFiles(chromedp.CSS(selector), []string{path}))
}

func (b browser) login(url string, fields map[string]string) {
	b.t.Helper()
	b.open(url)
	b.submit("main form", "button", fields)
}
