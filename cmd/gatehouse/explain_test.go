package main

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestExplainSaysWhatToDo explains a sign-in that was refused, by the reference of its page.
func TestExplainSaysWhatToDo(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	v := webtest.New(t, nil)
	acs, form := of(t, d).Response(v, d.Center.PortalURL, "amara.okafor@northwind.example")
	response, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(response, []byte("amara.okafor@"), []byte("mei.tanaka@"), 1)
	_, page := v.Send(http.MethodPost, acs, url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(changed)}})
	reference := webtest.Match(t, page, regexp.MustCompile(`Reference <code>([0-9a-f-]{36})</code>`))
	env := map[string]string{"AWS_ACCESS_KEY_ID": d.AWS.AccessKeyID, "AWS_SECRET_ACCESS_KEY": d.AWS.SecretAccessKey}
	code, out, errOut := call(t, "", env, "explain", reference, "--center-url", d.Center.URL)
	for _, want := range []string{
		"ExternalIdPDirectoryLogin Refused", "check     signature", "expected  what was signed, unchanged",
		"to do     ",
	} {
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("explain ended with %d and does not say %q: %s%s", code, want, out, errOut)
		}
	}
	code, _, errOut = call(t, "", env, "explain", "no-such-reference", "--center-url", d.Center.URL)
	if code == exitDone || !strings.Contains(errOut, "no event has this reference") {
		t.Errorf("an unknown reference ended with %d: %s", code, errOut)
	}
}
