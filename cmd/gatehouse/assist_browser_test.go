package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cdpbrowser "github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/internal/awsstandin"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// assisted is somebody with a browser who connects AWS: one tab has the page of connect, the other
// has AWS's console and portal.
type assisted struct {
	*awsstandin.AWS

	t               *testing.T
	program         string
	home, downloads string
	guide, console  browser
	clicks, pastes  int // at the guide
	command         *exec.Cmd
	out, errOut     *buffer
	ended           chan error
	machine         time.Duration // spent waiting for the program
	token           string
}

func newAssisted(t *testing.T, start func(t *testing.T, hosts string) context.Context) *assisted {
	t.Helper()
	p := &assisted{AWS: awsstandin.Start(t), t: t, program: build(t)}
	p.home, p.downloads = awsstandin.Folder(t)
	ctx := start(t, p.Rules)
	p.guide = browser{t, ctx}
	p.guide.open("about:blank")
	do(p.guide, "download into the folder", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := chromedp.Call(ctx, cdpbrowser.SetDownloadBehavior, cdpbrowser.SetDownloadBehaviorParams{
			Behavior: cdpbrowser.SetDownloadBehaviorBehaviorAllow, DownloadPath: p.downloads,
		})
		return err
	}))
	other, stop := chromedp.NewContext(ctx)
	t.Cleanup(stop)
	p.console = browser{t, other}
	if err := chromedp.Do(other); err != nil { // opens the tab; a limit on this call would be the tab's
		t.Fatal(err)
	}
	script := "#!/bin/sh\ncat \"$1\" > \"$HOME/opening\"; mv \"$HOME/opening\" \"$HOME/opened.html\"\n"
	// #nosec G306 -- it is run
	if err := os.WriteFile(filepath.Join(p.home, "browse"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return p
}

// connect starts the command, as the person types it.
func (p *assisted) connect() {
	p.t.Helper()
	_ = os.Remove(filepath.Join(p.home, "opened.html"))
	p.command = exec.Command( // #nosec G204 -- our own program
		p.program, "connect", "--center", "aws@"+awsstandin.Region, "--graph-url", p.Tenant.GraphURL, "--login-url",
		p.Tenant.URL+"/"+p.Tenant.TenantID, "--client-id", p.Tenant.ClientID, "--group", "Engineering", "--group",
		"Platform Engineering", "--accept",
	)
	p.command.Env = append(
		p.Env, "HOME="+p.home, "BROWSER="+filepath.Join(p.home, "browse"),
		"AWS_ACCESS_KEY_ID="+p.Output.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY="+p.Output.AWS.SecretAccessKey, "GATEHOUSE_CLIENT_SECRET="+p.Tenant.ClientSecret,
		"AWS_EC2_METADATA_DISABLED=true", "PATH="+os.Getenv("PATH"),
	)
	p.out, p.errOut = &buffer{}, &buffer{}
	p.command.Stdout, p.command.Stderr = p.out, p.errOut
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan error, 1)
	command, ended := p.command, p.ended
	go func() { ended <- command.Wait() }()
	p.t.Cleanup(func() { _ = command.Process.Kill() })
}

// arrives opens the page as the program asks the browser to.
func (p *assisted) arrives() {
	p.t.Helper()
	file := filepath.Join(p.home, "opened.html")
	p.waits("the browser to be opened", func() bool { _, err := os.Stat(file); return err == nil })
	p.guide.open("file://" + file)
}

// waits for the program.
func (p *assisted) waits(what string, holds func() bool) {
	p.t.Helper()
	began := time.Now()
	for deadline := began.Add(30 * time.Second); !holds(); {
		select {
		case err := <-p.ended:
			p.t.Fatalf("%s: the program has ended: %v\n%s\n%s", what, err, p.out, p.errOut)
		default:
		}
		if time.Now().After(deadline) {
			where, _ := chromedp.Run(p.guide.ctx, chromedp.Location())
			body, _ := chromedp.Run(p.guide.ctx, chromedp.Text(chromedp.CSS("body")))
			there, _ := chromedp.Run(p.console.ctx, chromedp.Location())
			shown, _ := chromedp.Run(p.console.ctx, chromedp.Text(chromedp.CSS("body")))
			p.t.Logf("the other tab is at %s: %s", there, shown)
			p.t.Fatalf("%s: it never came\nat %s: %s\n%s\n%s", what, where, body, p.out, p.errOut)
		}
		time.Sleep(5 * time.Millisecond) // between two looks at the condition
	}
	p.machine += time.Since(began)
}

// task waits until the guide's page shows a task.
func (p *assisted) task(title string) {
	p.t.Helper()
	p.waits(title, func() bool {
		now, err := chromedp.Run(p.guide.ctx, chromedp.Evaluate[string](
			`document.getElementById("title")?.textContent ?? ""`,
		))
		return err == nil && strings.HasPrefix(now, title)
	})
}

// follows opens what the guide links to.
func (p *assisted) follows() {
	p.t.Helper()
	p.clicks++
	link := do(p.guide, "read the link", chromedp.Evaluate[string](`document.getElementById("link").href`))
	p.console.open(link)
}

// presses a button of the guide.
func (p *assisted) presses(selector string) {
	p.t.Helper()
	p.clicks++
	p.guide.click(selector)
}

// pastes a text into a field of the guide.
func (p *assisted) pastesInto(want, text string) {
	p.t.Helper()
	p.pastes++
	do(p.guide, "paste", chromedp.Evaluate[bool](`(() => {
		const data = new DataTransfer();
		data.setData("text", `+quoteJS(text)+`);
		const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
		document.getElementById("field-`+want+`").dispatchEvent(event);
		return true;
	})()`))
}

// says waits for a text on the guide's page.
func (p *assisted) says(text string) {
	p.t.Helper()
	p.guide.sees(text)
}

// begins to change the identity source at the console.
func (p *assisted) begins() {
	p.t.Helper()
	p.console.sees("Identity source")
	p.console.click("#actions summary")
	p.console.leave(`a[href="/choose"]`)
	p.console.click(`input[value=external]`)
	p.console.leave("form button")
}

// changes the identity source, with the file that the guide gave.
func (p *assisted) changes() {
	p.t.Helper()
	file := filepath.Join(p.downloads, "entra-for-aws.xml")
	p.waits("the prepared file", func() bool { _, err := os.Stat(file); return err == nil })
	p.console.upload("input[type=file]", file)
	p.console.leave("form button")
	p.console.submit("form", "button", map[string]string{"confirmation": "ACCEPT"})
	p.console.sees("successfully changed")
}

// provisions enables automatic provisioning, and brings the endpoint and the token.
func (p *assisted) provisions() {
	p.t.Helper()
	p.console.leave("#automatic button")
	p.console.click("#show summary")
	p.token = p.console.text("#token")
	p.pastesInto("scim", p.console.text("#dialog")) // all of it, as somebody selects it
}

// signsIn through the portal.
func (p *assisted) signsIn() {
	p.t.Helper()
	p.console.open(do(p.guide, "read the link", chromedp.Evaluate[string](`document.getElementById("link").href`)))
	p.console.submit("main form", "button", map[string]string{
		"loginfmt": pairtest.Amara, "passwd": p.People[0].Password, // everybody has the same
	})
	p.clicks++
}

// finishes waits for the end of the program, which the page has shown by then.
func (p *assisted) finishes() {
	p.t.Helper()
	began := time.Now()
	select {
	case err := <-p.ended:
		if err != nil {
			p.t.Fatalf("the program ended with %v\n%s\n%s", err, p.out, p.errOut)
		}
	case <-time.After(time.Minute):
		p.t.Fatalf("the program does not end\n%s\n%s", p.out, p.errOut)
	}
	p.machine += time.Since(began)
	p.task("Done")
	if text := p.out.String() + p.errOut.String(); !strings.Contains(text, "Connected.") {
		p.t.Errorf("it says %s", text)
	}
}

// TestAPersonConnectsAWSInABrowser is the whole of it, from the command to the proof, with a
// stopwatch. The metadata file comes by the download folder.
func TestAPersonConnectsAWSInABrowser(t *testing.T) {
	t.Parallel()
	p := newAssisted(t, newUndrawnBrowser)
	p.Early = true
	p.connect()
	p.arrives()
	p.task("Begin to change")
	p.pictures("assist-begin")
	p.guide.accessible("the first task")
	p.follows()
	p.begins()
	p.console.click("#download") // the guide takes the file from the folder
	p.task("Change the identity source")
	p.pictures("assist-change")
	p.guide.accessible("the second task")
	p.presses("#offer")
	p.presses("#copy")
	p.changes()
	p.provisions()
	p.task("Sign in once")
	p.pictures("assist-sign-in")
	p.signsIn()
	p.finishes()
	p.pictures("assist-done")
	p.guide.accessible("the last page")
	t.Logf(
		"at the guide: %d clicks, %d pastes; the machine took %s", p.clicks, p.pastes,
		p.machine.Round(100*time.Millisecond),
	)
	if p.clicks > 6 || p.pastes > 2 { // the time is only told: machines differ
		t.Errorf("%d clicks, %d pastes; want 6 and 2 at most", p.clicks, p.pastes)
	}
	p.keepsSecrets()
}

// TestWithoutAnEarlyDownloadItTakesTwoPastes, by the same stopwatch: the ACS URL comes by the
// clipboard, and the metadata file only after ACCEPT.
func TestWithoutAnEarlyDownloadItTakesTwoPastes(t *testing.T) {
	t.Parallel()
	p := newAssisted(t, newUndrawnBrowser)
	p.connect()
	p.arrives()
	p.task("Begin to change")
	p.follows()
	p.begins()
	p.pastesInto("acs", p.console.text("#acs"))
	p.task("Change the identity source")
	p.presses("#offer")
	p.presses("#copy")
	p.changes()
	p.provisions()
	p.console.click("#close")
	p.console.sees("Identity source")
	p.console.click("#actions summary")
	p.console.leave(`a[href="/authentication"]`)
	p.console.click("#download") // the guide takes the file from the folder
	p.task("Sign in once")
	p.signsIn()
	p.finishes()
	t.Logf(
		"at the guide: %d clicks, %d pastes; the machine took %s", p.clicks, p.pastes,
		p.machine.Round(100*time.Millisecond),
	)
	if p.clicks > 6 || p.pastes > 2 { // the time is only told: machines differ
		t.Errorf("%d clicks, %d pastes; want 6 and 2 at most", p.clicks, p.pastes)
	}
}

// pictures takes those of the documentation.
func (p *assisted) pictures(name string) {
	p.t.Helper()
	do(p.guide, "be as wide as the pictures", chromedp.EmulateViewport(1000, 860))
	for _, scheme := range []string{"dark", "light"} {
		p.guide.scheme(scheme)
		p.guide.screenshot(name + strings.TrimSuffix("-"+scheme, "-light"))
	}
}

// keepsSecrets looks for the token where it should not be: in what the program printed and kept.
func (p *assisted) keepsSecrets() {
	p.t.Helper()
	if p.token == "" || strings.Contains(p.out.String()+p.errOut.String(), p.token) {
		p.t.Error("the program printed the token")
	}
	err := filepath.WalkDir(p.home, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path) // #nosec G304 G122 -- the test's own folder
		if err == nil && bytes.Contains(data, []byte(p.token)) {
			p.t.Errorf("%s has the token", path)
		}
		return err
	})
	if err != nil {
		p.t.Error(err)
	}
}

// TestAnInterruptedPersonGoesOn: a file of another instance comes first, the program is killed, the
// page is closed and opened again, a token is wrong, and the metadata file comes only after ACCEPT.
func TestAnInterruptedPersonGoesOn(t *testing.T) {
	t.Parallel()
	p := newAssisted(t, newUndrawnBrowser)
	p.connect()
	p.arrives()
	p.task("Begin to change")
	other := strings.ReplaceAll(p.Metadata(), p.Center.IdentityStoreID, "d-9067000000")
	if err := os.WriteFile(filepath.Join(p.downloads, "other.xml"), []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	p.says("other.xml: this is the metadata of another instance")
	p.pastesInto("acs", "https://ap-northeast-1.signin.aws/platform/saml/acs/0123456789")
	p.says("this ACS URL is of ap-northeast-1")
	p.pastesInto("acs", p.ACS()[0])
	p.task("Change the identity source")
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.says("The command has ended")
	if err := <-p.ended; err == nil {
		t.Fatal("the program that was killed ended well")
	}
	p.connect()
	p.arrives()
	p.task("Change the identity source") // the ACS URL is remembered
	p.follows()
	p.begins()
	p.presses("#offer")
	p.changes()
	p.pastesInto("scim", strings.Repeat("wrong-token", 9))
	p.says("The access token is here. Now paste the SCIM endpoint") // there is nothing yet to try it at
	p.guide.open("about:blank")
	p.guide.open(p.page())
	p.task("Change the identity source")
	p.console.leave("#automatic button")
	p.token = p.console.text("#token")
	p.pastesInto("scim", p.console.text("#endpoint"))
	p.says("AWS does not take this token")
	p.pastesInto("scim", p.token)
	p.follows()
	p.console.click("#actions summary")
	p.console.leave(`a[href="/authentication"]`)
	p.console.click("#download")
	p.task("Sign in once")
	p.signsIn()
	p.finishes()
	p.keepsSecrets()
}

// page is the address of the guide's page, as the browser's history has it.
func (p *assisted) page() string {
	address, _, _ := strings.Cut(p.errOut.String()[strings.Index(p.errOut.String(), "http://127.0.0.1"):], "#")
	return address
}
