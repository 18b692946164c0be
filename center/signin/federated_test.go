package signin_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

var referenceTag = regexp.MustCompile(`Reference <code>([0-9a-f-]{36})</code>`)

func TestSigningIn(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const who = "amara.okafor@northwind.example"
	v := webtest.New(t, nil)
	acs, form := e.Response(v, e.Center.PortalURL, who)

	// Every refusal shows the same page with a reference, opens no session, and leaves the reason
	// in the audit log.
	refused := func(name, code string, v webtest.Visitor, form url.Values) {
		t.Helper()
		status, page := v.Send(http.MethodPost, acs, form)
		ref := referenceTag.FindStringSubmatch(page)
		if status != http.StatusForbidden || ref == nil || !strings.Contains(page, "An unexpected error occurred") {
			t.Fatalf("%s: %d %s", name, status, page)
		}
		if log := e.Recorded(ref[1]); !strings.Contains(log, code) || !strings.Contains(log, "Refused") {
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
	_, page := v.Send(http.MethodPost, acs, changed)
	reference := referenceTag.FindStringSubmatch(page)[1]
	x, err := e.Admin.Explain(context.Background(), reference)
	if err != nil || len(x) != 1 || x[0].Check != "signature" || x[0].Remedy == "" {
		t.Errorf("the explanation is %+v, %v", x, err)
	}
	console := e.Administrator()
	if _, page := console.Send(
		http.MethodGet, e.Center.URL+"/console/audit?reference="+reference, nil,
	); !strings.Contains(page, "<dd><code>signature</code></dd>") ||
		!strings.Contains(page, "What to do") {
		t.Errorf("the console does not explain: %s", page)
	}
	refused("no response", "assertion-refused", v, url.Values{})
	refused("garbage", "assertion-refused", v, url.Values{"SAMLResponse": {"!!!"}})
	refused("another browser", "authn-request-unknown", webtest.New(t, nil), form)

	status, page := v.Send(http.MethodPost, acs, form)
	if status != http.StatusOK || !strings.Contains(page, "AWS accounts") ||
		!strings.Contains(page, "AdministratorAccess") {
		t.Fatalf("the good response: %d %s", status, page)
	}
	refused("a replay", "assertion-replayed", v, form)

	status, page = v.Send(
		http.MethodPost, e.Center.URL+"/start/accounts/111122223333/roles/AdministratorAccess/credentials", nil,
	)
	if status != http.StatusOK || !strings.Contains(page, "export AWS_SESSION_TOKEN=") {
		t.Fatalf("credentials: %d %s", status, page)
	}
	status, _ = v.Send(
		http.MethodPost, e.Center.URL+"/start/accounts/111122223333/roles/PowerUserAccess/credentials", nil,
	)
	if status != http.StatusForbidden {
		t.Errorf("a role that is not assigned: %d", status)
	}
	credentials := page

	// The tenant may start it too, and RelayState leads nowhere else.
	tile := webtest.New(t, nil)
	acs, form = e.Response(tile, e.Tenant.URL+"/signin/"+e.AppID(), who)
	form.Set("RelayState", "https://evil.example/")
	if status, page = tile.Send(http.MethodPost, acs, form); status != http.StatusOK ||
		!strings.Contains(page, "AWS accounts") {
		t.Errorf("from the tile: %d %s", status, page)
	}
	proveCredentials(t, e, credentials)
}

// proveCredentials takes the credentials from the portal's page and asks the center's STS who they
// are, with the real aws CLI.
func proveCredentials(t *testing.T, e pairtest.Ends, page string) {
	t.Helper()
	aws := e.CLI()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		m := regexp.MustCompile(`export ` + name + `=(?:&#34;|")([^&"]+)`).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("no %s on the page", name)
		}
		aws.Env = append(aws.Env, name+"="+m[1])
	}
	var identity struct{ Arn, Account string }
	aws.Run(&identity, "sts", "get-caller-identity")
	if identity.Account != "111122223333" ||
		!strings.Contains(identity.Arn, ":assumed-role/AWSReservedSSO_AdministratorAccess_") ||
		!strings.HasSuffix(identity.Arn, "/amara.okafor@northwind.example") {
		t.Errorf("identity %+v", identity)
	}
	aws.Fails("AccessDenied", "sso-admin", "list-instances")
}

// TestWhoIsVouchedForAndIsNoUserIsToldSo signs in as somebody whose user is gone, or is called
// something else, at the center.
func TestWhoIsVouchedForAndIsNoUserIsToldSo(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const who = "amara.okafor@northwind.example"
	id := e.Find("/Users", "userName", who).String("id")
	rename := map[string]any{
		"schemas":    []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"},
		"Operations": []any{map[string]any{"op": "replace", "path": "userName", "value": "another-name"}},
	}
	if err := e.SCIM.Do(context.Background(), http.MethodPatch, "/Users/"+id, nil, rename, nil); err != nil {
		t.Fatal(err)
	}
	v := webtest.New(t, nil)
	acs, form := e.Response(v, e.Center.PortalURL, who)
	status, page := v.Send(http.MethodPost, acs, form)
	ref := referenceTag.FindStringSubmatch(page)
	if status != http.StatusForbidden || ref == nil || !strings.Contains(page, "has no user of that name") ||
		!strings.Contains(page, strings.TrimPrefix(e.Tenant.URL, "http://")+" as "+who) {
		t.Fatalf("%d %s", status, page)
	}
	if strings.Contains(page, "another-name") {
		t.Errorf("the page tells who is here: %s", page)
	}
	if log := e.Recorded(ref[1]); !strings.Contains(log, "another-name") {
		t.Errorf("the audit log does not name the likely user: %s", log)
	}
	// without the browser that asked, nobody learns anything
	acs, form = e.Response(v, e.Center.PortalURL, who)
	if _, page = webtest.New(t, nil).Send(http.MethodPost, acs, form); strings.Contains(page, who) {
		t.Errorf("another browser is told the name: %s", page)
	}
}
