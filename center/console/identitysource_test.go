package console_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestTheIdentitySourceIsRehearsedOnThePages uploads the tenant's metadata anew, rehearses it, and
// keeps its certificates.
func TestTheIdentitySourceIsRehearsedOnThePages(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const who = "amara.okafor@northwind.example"
	admin := e.Administrator()
	_, metadata := webtest.New(t, nil).Send(
		http.MethodGet,
		e.Tenant.URL+"/"+e.Tenant.TenantID+"/federationmetadata/2007-06/federationmetadata.xml?appid="+e.AppID(),
		nil,
	)
	settings := e.Center.URL + "/console/settings"
	admin.Does(settings+"/idp-initiated", url.Values{}, "Users start at the access portal")
	admin.Does(settings+"/idp-initiated", url.Values{"allow": {"on"}}, "Users can start at the identity provider.")
	admin.Does(settings+"/requests", url.Values{"sign": {"on"}, "binding": {"post"}}, "Saved.")
	admin.Does(settings+"/requests", url.Values{"binding": {"redirect"}}, "Saved.")
	admin.Does(settings+"/identity-source", url.Values{"metadata": {metadata}}, "Rehearse")
	admin.Does(settings+"/identity-source/rehearse", url.Values{"username": {"nobody"}}, "no such user")
	page := admin.Does(settings+"/identity-source/rehearse", url.Values{"username": {who}}, "/rehearse?ticket=")
	link := webtest.Match(t, page, regexp.MustCompile(`(http://[^\s"<]+/rehearse\?ticket=[^\s"<]+)`))
	v := webtest.New(t, nil)
	acs, form := e.Response(v, link, who)
	status, page := v.Send(http.MethodPost, acs, form)
	if status != http.StatusOK || !strings.Contains(page, "The rehearsal worked") ||
		!strings.Contains(page, "Amara Okafor") {
		t.Errorf("the rehearsal: %d %s", status, page)
	}
	if _, page := v.Send(http.MethodGet, e.Center.PortalURL, nil); strings.Contains(page, "AdministratorAccess") {
		t.Error("the rehearsal has opened a session")
	}
	if status, page := v.Send(http.MethodPost, acs, form); status != http.StatusForbidden {
		t.Errorf("the response again: %d %s", status, page)
	}
	_, csv := admin.Send(http.MethodPost, settings+"/identity-source/report.csv", url.Values{"known": {who}})
	if lines := strings.Count(csv, "\n"); lines < 20 ||
		!strings.Contains(csv, who+",Amara Okafor,"+who+",SignsInAtNewIdP,") ||
		!strings.Contains(csv, "MatchesNobody") {
		t.Errorf("%d lines: %s", lines, csv)
	}
	watchMetadata(t, admin, settings, metadata)
	admin.Does(settings+"/identity-source/undo", url.Values{"confirmation": {"UNDO"}}, "The change was not confirmed")
	if page := admin.Get(settings + "/provisioning"); !strings.Contains(page, `id="provisioning"`) ||
		!strings.Contains(page, "SCIM endpoint") {
		t.Errorf("an undo that was refused took provisioning with it: %s", page)
	}
	admin.Does(
		settings+"/identity-source/values",
		url.Values{
			"issuer":      {"https://idp.example"},
			"signin":      {"https://idp.example/sso"},
			"certificate": {"nonsense"},
		},
		"neither PEM nor DER",
	)
	admin.Does(settings+"/certificates", url.Values{"certificate": {"nonsense"}}, "neither PEM nor DER")

	// The way back takes automatic provisioning and its tokens with it.
	admin.Does(settings+"/identity-source/undo", url.Values{"confirmation": {"ACCEPT"}}, "The change is undone")
	if page := admin.Get(settings + "/provisioning"); strings.Contains(page, "SCIM endpoint") {
		t.Errorf("automatic provisioning is still on: %s", page)
	}
}

// TestAFormThatIsSentTwiceDoesNotUndoItsOwnUndo: a double click sends it twice. Nor does a page of
// before the change take anything away.
func TestAFormThatIsSentTwiceDoesNotUndoItsOwnUndo(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	admin := e.Administrator()
	settings := e.Center.URL + "/console/settings"
	form := func(path string) url.Values {
		_, in := admin.Form(admin.Get(settings+path), "in-force")
		in.Set("confirmation", "ACCEPT")
		return in
	}
	const refused = "another one than the request names"
	in := form("/identity-source")
	admin.Does(settings+"/identity-source/undo", in, "The change is undone")
	admin.Does(settings+"/identity-source/undo", in, refused)
	if page := admin.Get(settings + "/identity-source"); !strings.Contains(page, "Identity Center directory") {
		t.Errorf("the tenant is back: %s", page)
	}
	in = form("/identity-source")
	admin.Does(settings+"/identity-source/undo", in, "The change is undone") // which is meant
	admin.Does(settings+"/provisioning", nil, "SCIM endpoint")
	admin.Does(settings+"/identity-source/undo", in, refused)
	if page := admin.Get(settings + "/provisioning"); !strings.Contains(page, "SCIM endpoint") {
		t.Errorf("automatic provisioning is off: %s", page)
	}
	review := form("/identity-source/change?to=DIRECTORY")
	review.Set("in-force", in.Get("in-force"))
	admin.Does(settings+"/identity-source/change", review, refused)
}

// watchMetadata publishes the metadata with a second certificate in it: it is offered, and trusted
// only when it is accepted as it was seen.
func watchMetadata(t *testing.T, admin webtest.Visitor, settings, metadata string) {
	t.Helper()
	published := metadata
	server := httptest.NewServer(
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, published) }),
	)
	defer server.Close()
	admin.Does(settings+"/metadata", url.Values{"url": {"http://idp.example/metadata"}}, "use an https address")
	if page := admin.Does(settings+"/metadata", url.Values{"url": {server.URL}}, "every six hours"); strings.Contains(
		page, `id="offer"`,
	) {
		t.Error("what is trusted already is offered")
	}
	key, err := saml.NewSigningKey(time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	published = withKey(metadata, key.Certificate)
	page := admin.Does(
		settings+"/metadata", url.Values{"url": {server.URL}},
		"new certificate "+center.Thumbprint(key.Certificate.Raw),
	)
	if !strings.Contains(page, "published metadata has changed") {
		t.Error("no banner tells of the offer")
	}
	if strings.Count(page, " days left") > 1 { // the provider's certificate
		t.Error("the offer is trusted already")
	}
	admin.Does(settings+"/metadata/accept", url.Values{"seen": {"something else"}}, "the offered metadata changed")
	admin.Does(
		settings+"/metadata/accept",
		url.Values{"seen": {"new certificate " + center.Thumbprint(key.Certificate.Raw)}},
		"The metadata is accepted.",
	)
	published = "nonsense"
	admin.Does(settings+"/metadata", url.Values{"url": {server.URL}}, "The last attempt failed")
	admin.Does(settings+"/metadata", url.Values{"url": {""}}, "no longer watched")
}
