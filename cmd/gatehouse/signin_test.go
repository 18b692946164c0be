package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/saml"
)

// visitor is a browser without a screen: it keeps cookies and shows pages as text.
type visitor struct {
	t      *testing.T
	client *http.Client
}

func newVisitor(t *testing.T) visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return visitor{t, &http.Client{Jar: jar}}
}

func (v visitor) send(method, address string, form url.Values) (int, string) {
	v.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

var (
	hiddenField  = regexp.MustCompile(`name="(\w+)" value="([^"]*)"`)
	formAction   = regexp.MustCompile(`<form method="post" action="([^"]*)" data-auto>`)
	referenceTag = regexp.MustCompile(`Reference <code>([0-9a-f-]{36})</code>`)
)

func unescape(s string) string {
	return strings.NewReplacer("&#43;", "+", "&#39;", "'", "&amp;", "&", "&#34;", `"`).Replace(s)
}

// response signs a person in at the tenant and returns the form that would be posted to the center,
// without posting it.
func (v visitor) response(d demoOutput, start, userName string) (acs string, form url.Values) {
	v.t.Helper()
	status, page := v.send(http.MethodGet, start, nil)
	if strings.Contains(page, `name="passwd"`) {
		form := url.Values{"loginfmt": {userName}, "passwd": {d.People[0].Password}}
		for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
			form.Set(m[1], unescape(m[2]))
		}
		form.Set("loginfmt", userName)
		status, page = v.send(http.MethodPost, d.Tenant.URL+"/login", form)
	}
	action := formAction.FindStringSubmatch(page)
	if action == nil {
		v.t.Fatalf("no form for the center: %d %s", status, page)
	}
	form = url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], unescape(m[2]))
	}
	return unescape(action[1]), form
}

// auditOf reads the audit log's page for a reference.
func auditOf(t *testing.T, d demoOutput, reference string) string {
	t.Helper()
	admin := newVisitor(t)
	if status, page := admin.send(
		http.MethodPost, d.Center.URL+"/console/login",
		url.Values{"username": {d.Admin.UserName}, "password": {d.Admin.Password}},
	); status != http.StatusOK {
		t.Fatalf("the administrator cannot sign in: %d %s", status, page)
	}
	_, page := admin.send(http.MethodGet, d.Center.ConsoleURL+"audit?reference="+reference, nil)
	return page
}

func TestSigningIn(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	const who = "amara.okafor@northwind.example"
	v := newVisitor(t)
	acs, form := v.response(d, d.Center.PortalURL, who)

	// Every refusal shows the same page with a reference, opens no session, and leaves the reason
	// in the audit log.
	refused := func(name, code string, v visitor, form url.Values) {
		t.Helper()
		status, page := v.send(http.MethodPost, acs, form)
		ref := referenceTag.FindStringSubmatch(page)
		if status != http.StatusForbidden || ref == nil || !strings.Contains(page, "An unexpected error occurred") {
			t.Fatalf("%s: %d %s", name, status, page)
		}
		if log := auditOf(t, d, ref[1]); !strings.Contains(log, code) || !strings.Contains(log, "Refused") {
			t.Errorf("%s: the audit log does not say %s: %s", name, code, log)
		}
		if strings.Contains(page, code) {
			t.Errorf("%s: the page tells the reason", name)
		}
	}
	raw, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	changed := url.Values{
		"SAMLResponse": {
			base64.StdEncoding.EncodeToString(bytes.Replace(raw, []byte("amara.okafor@"), []byte("mei.tanaka@"), 1)),
		},
	}
	refused("an altered name", "assertion-refused", v, changed)
	_, page := v.send(http.MethodPost, acs, changed)
	reference := referenceTag.FindStringSubmatch(page)[1]
	env := map[string]string{"AWS_ACCESS_KEY_ID": d.AWS.AccessKeyID, "AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey}
	code, out, errOut := call(t, "", env, "explain", reference, "--center-url", d.Center.URL)
	for _, want := range []string{
		"ExternalIdPDirectoryLogin Refused", "check     signature", "expected  a valid signature",
		"to do     the identity provider signs with another certificate",
	} {
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("explain ended with %d and does not say %q: %s%s", code, want, out, errOut)
		}
	}
	console := administrator(t, d, d.Center.URL+"/console")
	if _, page := console.send(
		http.MethodGet, d.Center.URL+"/console/audit?reference="+reference, nil,
	); !strings.Contains(page, "<dd><code>signature</code></dd>") ||
		!strings.Contains(page, "What to do") {
		t.Errorf("the console does not explain: %s", page)
	}
	if code, _, errOut := call(
		t, "", env, "explain", "no-such-reference", "--center-url", d.Center.URL,
	); code == exitDone ||
		!strings.Contains(errOut, "no event has this reference") {
		t.Errorf("an unknown reference ended with %d: %s", code, errOut)
	}
	refused("no response", "assertion-refused", v, url.Values{})
	refused("garbage", "assertion-refused", v, url.Values{"SAMLResponse": {"!!!"}})
	refused("another browser", "authn-request-unknown", newVisitor(t), form)

	status, page := v.send(http.MethodPost, acs, form)
	if status != http.StatusOK || !strings.Contains(page, "AWS accounts") ||
		!strings.Contains(page, "AdministratorAccess") {
		t.Fatalf("the good response: %d %s", status, page)
	}
	refused("a replay", "assertion-replayed", v, form)

	status, page = v.send(
		http.MethodPost, d.Center.URL+"/start/accounts/111122223333/roles/AdministratorAccess/credentials", nil,
	)
	if status != http.StatusOK || !strings.Contains(page, "export AWS_SESSION_TOKEN=") {
		t.Fatalf("credentials: %d %s", status, page)
	}
	status, _ = v.send(
		http.MethodPost, d.Center.URL+"/start/accounts/111122223333/roles/PowerUserAccess/credentials", nil,
	)
	if status != http.StatusForbidden {
		t.Errorf("a role that is not assigned: %d", status)
	}
	proveCredentials(t, d, page)

	// The tenant may start it too, and RelayState leads nowhere else.
	tile := newVisitor(t)
	acs, form = tile.response(d, d.Tenant.URL+"/signin/"+appID(t, d), who)
	form.Set("RelayState", "https://evil.example/")
	if status, page = tile.send(http.MethodPost, acs, form); status != http.StatusOK ||
		!strings.Contains(page, "AWS accounts") {
		t.Errorf("from the tile: %d %s", status, page)
	}
}

// appID returns the client id of the demo's application, from the metadata that the tenant links
// to.
func appID(t *testing.T, d demoOutput) string {
	t.Helper()
	admin := newVisitor(t)
	admin.send(
		http.MethodPost, d.Tenant.URL+"/admin/login",
		url.Values{"username": {d.Admin.UserName}, "password": {d.Admin.Password}},
	)
	_, page := admin.send(http.MethodGet, d.Tenant.URL+"/admin/apps/"+d.Tenant.ApplicationID+"/saml", nil)
	m := regexp.MustCompile(`/signin/([0-9a-f-]{36})`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no user access URL on %s", page)
	}
	return m[1]
}

// proveCredentials takes the credentials from the portal's page and asks the center's STS who they
// are, with the real aws CLI.
func proveCredentials(t *testing.T, d demoOutput, page string) {
	t.Helper()
	aws := newAWS(t, d)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		m := regexp.MustCompile(`export ` + name + `=(?:&#34;|")([^&"]+)`).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("no %s on the page", name)
		}
		aws.env = append(aws.env, name+"="+m[1])
	}
	var identity struct{ Arn, Account string }
	aws.run(&identity, "sts", "get-caller-identity")
	if identity.Account != "111122223333" ||
		!strings.Contains(identity.Arn, ":assumed-role/AWSReservedSSO_AdministratorAccess_") ||
		!strings.HasSuffix(identity.Arn, "/amara.okafor@northwind.example") {
		t.Errorf("identity %+v", identity)
	}
	aws.fails("AccessDenied", "sso-admin", "list-instances")
}

// TestTheIdentitySourceIsRehearsedAndKept uploads the tenant's metadata anew, rehearses it, and
// keeps its certificates, by the command and on the pages.
func TestTheIdentitySourceIsRehearsedAndKept(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	const who = "amara.okafor@northwind.example"
	env := map[string]string{"AWS_ACCESS_KEY_ID": d.AWS.AccessKeyID, "AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey}
	command := func(want string, args ...string) string {
		t.Helper()
		code, out, errOut := call(
			t,
			"",
			env,
			append(append([]string{"identity-source"}, args...), "--center-url", d.Center.URL)...)
		if !strings.Contains(out+errOut, want) {
			t.Fatalf("%v ended with %d and does not say %q: %s%s", args, code, want, out, errOut)
		}
		return out
	}
	admin := administrator(t, d, d.Center.URL+"/console")
	_, page := admin.send(http.MethodGet, d.Center.URL+"/console/settings", nil)
	thumbprint := regexp.MustCompile(`<code>([0-9a-f]{64})</code>`).FindStringSubmatch(page)[1]
	command(thumbprint, "show")
	command("nobody could sign in any more", "delete-certificate", thumbprint, "--confirm", "DELETE")

	_, metadata := newVisitor(t).send(
		http.MethodGet,
		d.Tenant.URL+"/"+d.Tenant.TenantID+"/federationmetadata/2007-06/federationmetadata.xml?appid="+appID(t, d),
		nil,
	)
	settings := d.Center.URL + "/console/settings"
	command("must start at the access portal", "idp-initiated", "off")
	command("Users must start at the access portal", "show")
	command("want on or off", "idp-initiated", "perhaps")
	command("may start at the identity provider", "idp-initiated", "on")
	admin.does(settings+"/identity-source", url.Values{"metadata": {metadata}}, "Rehearse")
	admin.does(settings+"/identity-source/rehearse", url.Values{"username": {"nobody"}}, "no such user")
	link := regexp.MustCompile(`http://\S+`).FindString(command("Open this link in a browser", "rehearse", who))
	v := newVisitor(t)
	acs, form := v.response(d, link, who)
	status, page := v.send(http.MethodPost, acs, form)
	if status != http.StatusOK || !strings.Contains(page, "The rehearsal worked") ||
		!strings.Contains(page, "Amara Okafor") {
		t.Errorf("the rehearsal: %d %s", status, page)
	}
	if _, page := v.send(http.MethodGet, d.Center.PortalURL, nil); strings.Contains(page, "AdministratorAccess") {
		t.Error("the rehearsal has opened a session")
	}
	if status, page := v.send(http.MethodPost, acs, form); status != http.StatusForbidden {
		t.Errorf("the response again: %d %s", status, page)
	}
	_, csv := admin.send(http.MethodPost, settings+"/identity-source/report.csv", url.Values{"known": {who}})
	if lines := strings.Count(csv, "\n"); lines < 20 ||
		!strings.Contains(csv, who+",Amara Okafor,"+who+",SignsInAtNewIdP,") ||
		!strings.Contains(csv, "MatchesNobody") {
		t.Errorf("%d lines: %s", lines, csv)
	}
	watchMetadata(t, admin, settings, metadata)
	admin.does(
		settings+"/identity-source/undo", url.Values{"confirmation": {"ACCEPT"}},
		"automatic provisioning is enabled already",
	)
	admin.does(
		settings+"/identity-source/values",
		url.Values{
			"issuer":      {"https://idp.example"},
			"signin":      {"https://idp.example/sso"},
			"certificate": {"nonsense"},
		},
		"neither PEM nor DER",
	)
	admin.does(settings+"/certificates", url.Values{"certificate": {"nonsense"}}, "neither PEM nor DER")
}

// watchMetadata publishes the metadata with a second certificate in it: it is offered, and trusted
// only when it is accepted as it was seen.
func watchMetadata(t *testing.T, admin visitor, settings, metadata string) {
	t.Helper()
	published := metadata
	server := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, published) }),
	)
	defer server.Close()
	admin.does(settings+"/metadata", url.Values{"url": {"http://idp.example/metadata"}}, "want an https address")
	if page := admin.does(settings+"/metadata", url.Values{"url": {server.URL}}, "every six hours"); strings.Contains(
		page, `id="offer"`,
	) {
		t.Error("what is trusted already is offered")
	}
	key, err := saml.NewSigningKey(time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	descriptor := `<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>` + base64.StdEncoding.EncodeToString(
		key.Certificate.Raw,
	) + `</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`
	published = strings.Replace(metadata, "<SingleLogoutService", descriptor+"<SingleLogoutService", 1)
	page := admin.does(
		settings+"/metadata", url.Values{"url": {server.URL}},
		"new certificate "+center.Thumbprint(key.Certificate.Raw),
	)
	if !strings.Contains(page, "published metadata has changed") {
		t.Error("no banner tells of the offer")
	}
	if strings.Count(page, " days left") > 2 { // the provider's certificate and the access token
		t.Error("the offer is trusted already")
	}
	admin.does(settings+"/metadata/accept", url.Values{"seen": {"something else"}}, "the offer has changed")
	admin.does(
		settings+"/metadata/accept",
		url.Values{"seen": {"new certificate " + center.Thumbprint(key.Certificate.Raw)}},
		"The metadata is accepted.",
	)
	published = "nonsense"
	admin.does(settings+"/metadata", url.Values{"url": {server.URL}}, "The last attempt failed")
	admin.does(settings+"/metadata", url.Values{"url": {""}}, "no longer watched")
}

func TestPagesResistOtherSites(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	admin := newVisitor(t)
	admin.send(
		http.MethodPost, d.Center.URL+"/console/login",
		url.Values{"username": {d.Admin.UserName}, "password": {d.Admin.Password}},
	)
	req, err := http.NewRequestWithContext(
		context.Background(), http.MethodPost, d.Center.URL+"/console/accounts",
		strings.NewReader("id=999999999999&name=Evil"),
	)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", "https://evil.example")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := admin.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusForbidden {
		t.Errorf("a cross-site POST was answered with %d", res.StatusCode)
	}
	status, page := admin.send(http.MethodGet, d.Center.URL+"/console/accounts", nil)
	if status != http.StatusOK || strings.Contains(page, "Evil") {
		t.Error("the cross-site POST had its way")
	}
	for _, address := range []string{d.Center.ConsoleURL, d.Center.PortalURL, d.Tenant.AdminCenterURL} {
		res, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") ||
			!strings.Contains(csp, "default-src 'none'") {
			t.Errorf("%s: policy %q", address, csp)
		}
	}
	if status, _ := newVisitor(t).send(http.MethodGet, d.Center.URL+"/console/users", nil); status != http.StatusOK {
		t.Errorf("without a session: %d, want the sign-in page", status)
	}
	// Nothing tells a name that exists from one that does not.
	attempt := func(name, password string) (int, string) {
		return newVisitor(
			t,
		).send(http.MethodPost, d.Center.URL+"/console/login", url.Values{"username": {name}, "password": {password}})
	}
	for range 7 {
		status, page = attempt(d.Admin.UserName, "wrong")
		otherStatus, otherPage := attempt("nobody", "wrong")
		if status != http.StatusUnauthorized || status != otherStatus || page != otherPage {
			t.Fatalf("%d for a name that exists, %d for one that does not, or the pages differ", status, otherStatus)
		}
	}
}

// TestResettingAPasswordSignsOut: at the tenant whoever was signed in has to sign in again, with
// the new password.
func TestResettingAPasswordSignsOut(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	const name = "mei.tanaka@northwind.example"
	mei := d.Tenant.URL + "/admin/users/" + e.user(name).ID
	admin := administrator(t, d, d.Tenant.URL+"/admin")
	v := newVisitor(t)
	signedIn := func() bool {
		t.Helper()
		_, page := v.send(http.MethodGet, d.Tenant.URL+"/myapps", nil)
		return !strings.Contains(page, "loginfmt")
	}
	signIn := func(password string) {
		t.Helper()
		v.send(
			http.MethodPost, d.Tenant.URL+"/login",
			url.Values{"loginfmt": {name}, "passwd": {password}, "return": {"/myapps"}},
		)
	}
	if signIn(d.People[0].Password); !signedIn() {
		t.Fatal("nobody is signed in")
	}
	admin.does(mei+"/password", url.Values{"password": {"short"}}, "8 to 256 characters")
	if !signedIn() {
		t.Error("a password that is refused signs out")
	}
	admin.does(mei+"/password", url.Values{"password": {"another long password"}}, "The password is set.")
	if signedIn() {
		t.Error("still signed in after the reset")
	}
	if signIn(d.People[0].Password); signedIn() {
		t.Error("the old password is good")
	}
	if signIn("another long password"); !signedIn() {
		t.Error("the new password is not good")
	}
	admin.does(mei+"/revoke", nil, "All sessions and the refresh tokens of programs are revoked")
	if signedIn() {
		t.Error("still signed in after the sessions were revoked")
	}
}
