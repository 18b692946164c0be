package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	centerserver "github.com/gatehouse-id/gatehouse/center/server"
	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantserver "github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// Two sites under TLS: cookies that work between two ports of one localhost do not work across
// these.
const (
	centerHost = "center.gatehouse.test"
	tenantHost = "login.northwind.test"
)

// sites is a center and a tenant on different sites, not connected yet.
type sites struct {
	center *center.Center
	tenant *tenant.Tenant
	hosts  string // Chromium's --host-resolver-rules
}

// startSites serves both halves by the same functions as the subcommands, with a certificate made
// for the test.
func startSites(t *testing.T) sites {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile, pool := testCertificate(t, dir)
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	var ended []chan struct{}
	start := func(host string) (*half, *inbound.Listener) {
		h := &half{
			listen:  webtest.FreeAddress(t),
			data:    filepath.Join(dir, host),
			tlsCert: certFile,
			tlsKey:  keyFile,
			log:     log,
		}
		_, port, _ := net.SplitHostPort(h.listen)
		h.url = "https://" + host + ":" + port
		l, err := h.open()
		if err != nil {
			t.Fatal(err)
		}
		return h, l
	}
	serve := func(h *half, l *inbound.Listener, doors http.Handler, work func(context.Context)) {
		done := make(chan struct{})
		ended = append(ended, done)
		go func() {
			defer close(done)
			if err := h.run(ctx, l, doors, work); err != nil {
				t.Error(err)
			}
		}()
	}
	ch, cl := start(centerHost)
	th, tl := start(tenantHost)
	c, err := openCenter(ctx, ch, noEnv, center.DefaultRegion)
	if err != nil {
		t.Fatal(err)
	}
	tn, err := openTenant(ctx, th, noEnv, "", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		for _, done := range ended {
			<-done
		}
		_ = c.Close()
		_ = tn.Close()
	})
	dialer := &net.Dialer{}
	client := &http.Client{
		Timeout: 30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
			// the two names are this machine
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				_, port, err := net.SplitHostPort(address)
				if err != nil {
					return nil, err
				}
				return dialer.DialContext(ctx, network, "127.0.0.1:"+port)
			}},
	}
	jobs := syncjobs.New(tn, log, client)
	serve(ch, cl, centerserver.Handler(c, centerserver.Config{Targets: outbound.Policy{Loopback: true}}), c.Run)
	serve(th, tl, tenantserver.Handler(tn, tenantserver.Config{Jobs: jobs}), tn.Run)
	return sites{c, tn, "MAP " + centerHost + " 127.0.0.1,MAP " + tenantHost + " 127.0.0.1"}
}

func testCertificate(t *testing.T, dir string) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "Gatehouse tests"},
		DNSNames: []string{
			centerHost, tenantHost, "oidc.us-east-1.amazonaws.com", "portal.sso.us-east-1.amazonaws.com",
		},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, data := range map[string][]byte{
		certFile: certPEM,
		keyFile:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}

// newBrowser starts a real Chromium. downloads is where files go.
func newBrowser(t *testing.T, hosts string) (ctx context.Context) {
	t.Helper()
	path := ""
	for _, p := range []string{"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"} {
		if _, err := os.Stat(p); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		sqldbtest.Skip(t, "Chromium is not installed (apt-get install chromium)")
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
		chromedp.WindowSize(1280, 900),
		chromedp.UserDataDir(t.TempDir()),
	)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil { // starts the browser; a limit on this call would be the browser's
		t.Fatal(err)
	}
	ctx, stopTimer := context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(func() { stopTimer(); stop(); stopAllocator() })
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
		where, _ := chromedp.Run(b.ctx, chromedp.Location())
		body, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
		b.t.Fatalf("%s: %v\nat %s\n%s", what, err, where, body)
	}
	return v
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
			where, _ := chromedp.Run(b.ctx, chromedp.Location())
			body, _ := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
			b.t.Fatalf("%s: it never came (%v)\nat %s\n%s", what, err, where, body)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}

func quoteJS(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func (b browser) text(selector string) string {
	b.t.Helper()
	return strings.TrimSpace(do(b, "read "+selector, chromedp.TextContent(chromedp.CSS(selector))))
}

func (b browser) click(selector string) {
	b.t.Helper()
	do(b, "click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// submit fills a form's fields by name and presses the button.
func (b browser) submit(form, button string, fields map[string]string) {
	b.t.Helper()
	for name, value := range fields {
		do(b, "fill "+name, chromedp.SetValue(chromedp.CSS(form+` [name="`+name+`"]`), value))
	}
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

// TestTheWalkByHandAcrossSites does every click of the walk, on two sites under TLS.
func TestTheWalkByHandAcrossSites(t *testing.T) {
	t.Parallel()
	s := startSites(t)
	ctx, by := context.Background(), audit.SystemActor
	const password = "Correct horse 1!"
	hash := authn.HashPassword(password)
	people := company.NewCompany(25, 6, s.tenant.Organization.Domain)
	people.PasswordHash = hash
	admin := map[string]string{"username": "admin", "password": password}
	for _, err := range []error{
		s.tenant.SetAdministrator(ctx, by, "admin", password), s.center.SetAdministrator(ctx, by, "admin", password),
		s.tenant.Import(ctx, by, people),
		s.center.PutAccount(ctx, by, center.Account{ID: "111122223333", Name: "Production"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.center.CreateUser(
		ctx, by,
		center.User{
			UserName:    "oldtimer",
			DisplayName: "Old Timer",
			Name:        center.PersonName{GivenName: "Old", FamilyName: "Timer"},
			Active:      true,
		},
	); err != nil {
		t.Fatal(err)
	}
	if _, err := s.center.CreateUser(
		ctx, by,
		center.User{
			UserName:    "stranger@example.com",
			DisplayName: "A Stranger",
			Name:        center.PersonName{GivenName: "A", FamilyName: "Stranger"},
			Active:      true,
		},
	); err != nil {
		t.Fatal(err)
	}
	b := browser{t, newBrowser(t, s.hosts)}

	// 1. In the tenant: the application, from the gallery.
	b.login(s.tenant.URL+"/admin/apps/gallery?q=aws", map[string]string{"username": "admin", "password": password})
	b.sees("AWS IAM Identity Center")
	b.screenshot("gallery")
	b.submit("main form[method=post]", "button", map[string]string{"name": "AWS"})
	b.sees("Getting started")
	app, _, _ := strings.Cut(do(b, "read the address", chromedp.Location()), "?")
	b.open(app + "/assignments")
	for _, group := range []string{"Platform Engineering", "Support"} {
		b.submit(`form[action$="/assignments"]`, "button", map[string]string{"name": group})
		b.sees("The assignment is created.")
	}

	// 2. In the center: the service provider's metadata.
	b.login(s.center.URL+"/console/settings", admin)
	b.sees("Identity Center directory")
	spMetadata := b.download(`a[href$="sp-metadata.xml"]`, "sp.xml")

	// 3. In the tenant: upload it, set the sign-on URL, download the federation metadata.
	b.open(app + "/saml")
	b.upload(`input[name=file]`, spMetadata)
	b.submit(`form[action$="/saml/metadata"]`, "button", nil)
	b.sees("The SAML settings are saved.")
	b.submit(`form[action$="/saml"]`, "button", map[string]string{"signon": s.center.PortalURL()})
	b.sees("The SAML settings are saved.")
	b.screenshot("saml")
	idpMetadata := b.download(`a[href$="federationmetadata.xml"]`, "idp.xml")

	// 4. In the center: upload it, read what happens to existing users, type ACCEPT.
	b.open(s.center.URL + "/console/settings")
	b.upload(`input[name=file]`, idpMetadata)
	b.submit(`form[action$="/identity-source"]`, "button", nil)
	b.sees("oldtimer")
	b.sees("will stop working")
	b.screenshot("review")
	b.click("main details summary")
	b.submit(`form[action$="/review"]`, "button", map[string]string{"known": "mei.tanaka@northwind.example"})
	b.sees("1 names were compared")
	b.sees("has no user with this user name")
	b.submit(`form[action$="/change"]`, "button", map[string]string{"confirmation": "ACCEPT"})
	b.sees("External identity provider")

	// 5. In the center: automatic provisioning, with the token shown once.
	b.submit(`form[action$="/settings/provisioning"]`, "button", nil)
	b.sees("Copy the access token now")
	endpoint, token := b.text("#new-token .copy:nth-of-type(2) pre"), b.text("#new-token .copy:nth-of-type(3) pre")
	if !strings.HasSuffix(endpoint, "/scim/v2/") || len(token) < 500 {
		t.Fatalf("endpoint %q, token of %d characters", endpoint, len(token))
	}
	b.open(s.center.URL + "/console/settings")
	b.sees("Access tokens")
	if body := b.text("body"); strings.Contains(body, token) {
		t.Error("the token is shown a second time")
	}

	// 6. In the tenant: provisioning.
	b.open(app + "/provisioning")
	form := map[string]string{"url": endpoint, "token": "wrong", "email": "admin@example.com", "scope": "assigned"}
	b.submit(`form[action$="/provisioning"]`, "button[value=test]", form)
	b.sees("did not accept the credentials")
	b.open(app + "/provisioning")
	form["token"] = token
	b.submit(`form[action$="/provisioning"]`, "button[value=test]", form)
	b.sees("The supplied credentials are authorized")
	b.submit(`form[action$="/provisioning"]`, "button[value=save]", form)
	b.sees("The provisioning settings are saved.")
	b.submit(`form[action$="/provisioning/start"]`, "button", nil)
	b.sees("Provisioning is on.")
	for !strings.Contains(b.text("main"), "Last cycle: EntryLevelErrors") { // the tab's own limit ends it
		do(b, "reload", chromedp.Reload())
	}
	b.sees("name.familyName") // why the person without a last name failed
	b.screenshot("provisioning")

	// 7. Users and groups are there, and read-only.
	b.open(s.center.URL + "/console/groups")
	b.sees("Automatic provisioning is on")
	do(b, "open the group", chromedp.Click(chromedp.Search(`//a[text()="Platform Engineering"]`)))
	b.sees("aws identitystore create-group-membership")
	b.sees("Members (4)")
	b.screenshot("group")
	group, err := s.center.GroupByName(ctx, "Platform Engineering")
	if err != nil {
		t.Fatal(err)
	}
	set, err := s.center.CreatePermissionSet(
		ctx, by, center.PermissionSet{Name: "AdministratorAccess", Description: "Everything"},
	)
	if err != nil {
		t.Fatal(err)
	}
	b.open(s.center.URL + "/console/assignments")
	b.click("details summary")
	b.submit(
		`form[action="/console/assignments"]`, "button",
		map[string]string{"account": "111122223333", "set": set.ARN, "type": "GROUP", "principal": group.DisplayName},
	)
	b.sees("The assignment is created.")

	// 8. A person signs in across the sites and gets credentials.
	b.open(s.center.URL + "/start")
	b.sees("with your Northwind Traders account")
	b.screenshot("signin")
	b.submit("main form", "button", map[string]string{"loginfmt": "mei.tanaka@northwind.example", "passwd": "wrong"})
	b.sees("AADSTS50126")
	b.submit("main form", "button", map[string]string{"loginfmt": "mei.tanaka@northwind.example", "passwd": password})
	b.sees("AWS accounts")
	b.sees("AdministratorAccess")
	b.leave(`#accounts form[action$="/credentials"] button`)
	b.sees("Option 1: environment variables")
	b.sees("export AWS_ACCESS_KEY_ID=")
	b.screenshot("credentials")

	// Sign out, and in again from the tenant's tile, which the session of the tenant makes a single
	// click.
	b.open(s.center.URL + "/start")
	b.leave("header form button")
	b.sees("You are signed out")
	b.open(s.tenant.URL + "/myapps")
	b.leave(".tile")
	b.sees("AdministratorAccess")

	// Somebody who is not assigned gets no further than the tenant.
	b.open(s.tenant.URL + "/myapps")
	b.leave("header form button")
	b.sees("with your Northwind Traders account")
	b.login(s.tenant.URL+"/login", map[string]string{"loginfmt": "elena.popescu@northwind.example", "passwd": password})
	b.sees("No applications are assigned to you.")
	b.open(s.center.URL + "/start")
	b.leave("header form button")
	b.sees("You are signed out")
	b.open(s.center.URL + "/start")
	b.sees("AADSTS50105")

	b.open(s.center.URL + "/console/audit")
	b.sees("ExternalIdPDirectoryLogin")
	b.screenshot("audit")
	phoneInTheDark(b, s)
}

// phoneInTheDark takes the pictures that show the pages on a small dark screen, and checks that
// nothing runs over its edge.
func phoneInTheDark(b browser, s sites) {
	b.t.Helper()
	do(b, "a phone", chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile))
	do(b, "in the dark", chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(
			ctx,
			tab,
			emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
			},
		)
		return err
	}))
	for name, url := range map[string]string{
		"console": s.center.URL + "/console/settings",
		"users":   s.center.URL + "/console/users",
		"keys":    s.center.URL + "/console/access-keys",
		"admin":   s.tenant.URL + "/admin/users",
	} {
		b.open(url)
		if do(
			b, "measure",
			chromedp.Evaluate[bool](`document.documentElement.scrollWidth > document.documentElement.clientWidth + 1`),
		) {
			b.t.Errorf(
				"%s is wider than a phone: %s",
				url,
				do(
					b,
					"find what",
					chromedp.Evaluate[string](
						`[...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1 && !e.closest('.scroll')).map(e => e.outerHTML.slice(0, 200)).slice(0, 3).join(' | ')`,
					),
				),
			)
		}
		if name == "console" {
			b.screenshot("phone")
		}
	}
	everyPageIsAccessible(b, s)
}

// everyPageIsAccessible checks the administrators' pages of both halves.
func everyPageIsAccessible(b browser, s sites) {
	b.t.Helper()
	for _, page := range []string{
		"", "users", "groups", "accounts", "permission-sets", "assignments", "applications", "access-keys",
		"settings", "audit",
	} {
		b.open(s.center.ConsoleURL() + page)
		b.accessible("the console's page " + page)
	}
	for _, page := range []string{"", "apps", "apps/gallery", "users", "groups", "audit"} {
		b.open(s.tenant.AdminCenterURL() + page)
		b.accessible("the admin center's page " + page)
	}
}
