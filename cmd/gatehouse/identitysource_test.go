package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestTheIdentitySourceIsRehearsedAndKept rehearses the tenant's metadata, and keeps its
// certificates, by the command.
func TestTheIdentitySourceIsRehearsedAndKept(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := of(t, d)
	const who = "amara.okafor@northwind.example"
	env := map[string]string{"AWS_ACCESS_KEY_ID": e.AWS.AccessKeyID, "AWS_SECRET_ACCESS_KEY": e.AWS.SecretAccessKey}
	command := func(want string, args ...string) string {
		t.Helper()
		code, out, errOut := call(
			t,
			"",
			env,
			append(append([]string{"identity-source"}, args...), "--center-url", e.Center.URL)...)
		if !strings.Contains(out+errOut, want) {
			t.Fatalf("%v ended with %d and does not say %q: %s%s", args, code, want, out, errOut)
		}
		return out
	}
	admin := e.Administrator()
	_, page := admin.Send(http.MethodGet, e.Center.URL+"/console/settings", nil)
	thumbprint := regexp.MustCompile(`<code>([0-9a-f]{64})</code>`).FindStringSubmatch(page)[1]
	command(thumbprint, "show")
	command("nobody could sign in", "delete-certificate", thumbprint, "--confirm", "DELETE")

	_, metadata := webtest.New(t, nil).Send(
		http.MethodGet,
		e.Tenant.URL+"/"+e.Tenant.TenantID+"/federationmetadata/2007-06/federationmetadata.xml?appid="+e.AppID(),
		nil,
	)
	settings := e.Center.URL + "/console/settings"
	command("must start at the access portal", "idp-initiated", "off")
	command("Users must start at the access portal", "show")
	command("use on or off", "idp-initiated", "perhaps")
	command("may start at the identity provider", "idp-initiated", "on")
	admin.Does(settings+"/identity-source", url.Values{"metadata": {metadata}}, "Rehearse")
	command("no such user", "rehearse", "nobody")
	link := regexp.MustCompile(`http://\S+`).FindString(command("Open this link in a browser", "rehearse", who))
	acs, form := e.Response(webtest.New(t, nil), link, who)
	if acs == "" || form.Get("RelayState") == "" {
		t.Errorf("the link leads to %s with %v", acs, form)
	}
}
