package samlidp_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

const (
	acs      = "https://app.example/acs"
	audience = "https://app.example/metadata"
	samlKind = "arn:aws:sso::aws:applicationProvider/custom-saml"
)

// application is a SAML application in the console.
type application struct {
	*centertest.Server
	t     *testing.T
	admin webtest.Visitor
	page  string // its address in the console
	id    string
}

// newApplication makes a SAML application on the console's pages, and ada, whom it is assigned to.
func newApplication(t *testing.T) application {
	t.Helper()
	s := centertest.Serve(t)
	s.NoMFA()
	ctx := context.Background()
	ada := centertest.Person("ada@example.com")
	ada.Emails = []center.Value{{Value: "lovelace@example.com", Primary: true}}
	ada, err := s.CreateUser(ctx, audit.SystemActor, ada)
	if err == nil {
		err = s.SetPassword(ctx, audit.SystemActor, ada.ID, centertest.Password)
	}
	if err != nil {
		t.Fatal(err)
	}
	admin := s.Console()
	page := admin.Does(
		s.URL+"/console/applications", url.Values{"name": {"Wiki"}, "provider": {samlKind}},
		"The application is created.",
	)
	id := webtest.Match(t, page, regexp.MustCompile(`action="/console/applications/(apl-[0-9a-f]+)"`))
	a := application{s, t, admin, s.URL + "/console/applications/" + id, id}
	if !strings.Contains(page, "Nobody can sign in before") {
		t.Errorf("the page does not say what is missing: %s", page)
	}
	admin.Does(a.page+"/assign", url.Values{"type": {"USER"}, "principal": {"ada@example.com"}},
		"The application is assigned.")
	return a
}

// identityProvider is what the application reads of the center's metadata.
func (a application) identityProvider() saml.IdentityProvider {
	a.t.Helper()
	text := webtest.New(a.t, nil).Get(a.URL + "/saml/metadata/" + a.id)
	idp, err := saml.ParseIdentityProvider([]byte(text))
	if err != nil || idp.EntityID != a.URL+"/saml/assertion/"+a.id || idp.SignInURL == "" || idp.SignInPOST == "" ||
		len(idp.Certificates) != 1 {
		a.t.Fatalf("%+v, %v: %s", idp, err, text)
	}
	return idp
}

// request is the address of a sign-in that the application asks for.
func (a application) request(change func(*saml.AuthnRequest)) string {
	a.t.Helper()
	r := saml.AuthnRequest{
		ID: "_1", IssueInstant: time.Now(), Issuer: audience, Destination: a.URL + "/saml/assertion/" + a.id,
		ACSURL: acs,
	}
	if change != nil {
		change(&r)
	}
	address, err := r.RedirectURL("where/to?a=b&c", nil)
	if err != nil {
		a.t.Fatal(err)
	}
	return address
}

// read verifies the response on a page as the application would.
func (a application) read(v webtest.Visitor, page string) (*saml.Assertion, url.Values) {
	a.t.Helper()
	action, form := v.Form(page, "SAMLResponse")
	idp := a.identityProvider()
	got, err := saml.VerifyPOST(form.Get("SAMLResponse"), saml.Expect{
		Issuer: idp.EntityID, Certificates: idp.Certificates, Audience: audience, Recipient: acs, Now: time.Now(),
	})
	if err != nil || action != acs {
		a.t.Fatalf("posted to %s, %v", action, err)
	}
	return got, form
}

// TestASAMLApplicationIsOpenedFromThePortal and by a request of its own, with what was mapped.
func TestASAMLApplicationIsOpenedFromThePortal(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	if tile := a.SignIn("ada@example.com").Get(a.URL + "/start/applications"); strings.Contains(tile,
		"/saml/assertion/") {
		t.Error("the portal opens what is not set up")
	}
	metadata, err := saml.ServiceProviderMetadata(saml.ServiceProvider{EntityID: audience, ACSURLs: []string{acs}})
	if err != nil {
		t.Fatal(err)
	}
	sp, err := saml.ParseServiceProvider(metadata)
	if err != nil {
		t.Fatal(err)
	}
	const saved = "The SAML settings are saved."
	a.admin.Does(a.page+"/saml", url.Values{"acs": sp.ACSURLs, "audience": {sp.EntityID}}, saved)
	a.admin.Does(a.page+"/saml/response", url.Values{"relaystate": {"home"}, "minutes": {"30"}}, saved)
	for name, value := range map[string]string{
		"mail": "${user:email}", "name": "${user:givenName} ${user:familyName}", "kind": "person",
		"none": "${user:middleName}",
	} {
		a.admin.Does(a.page+"/saml/mapping", url.Values{"name": {name}, "value": {value}, "format": {"basic"}}, saved)
	}
	a.admin.Does(a.page+"/saml/mapping", url.Values{
		"name": {"groups"}, "value": {"${user:groups}"}, "format": {"uri"},
	}, saved)
	a.admin.Does(a.page+"/saml/mapping", url.Values{
		"do": {"subject"}, "value": {"${user:email}"}, "format": {"emailAddress"},
	}, saved)
	ctx := context.Background()
	ada, err := a.UserByName(ctx, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, name := range []string{"Builders", "Readers"} {
		g, err := a.CreateGroup(ctx, audit.SystemActor, center.Group{DisplayName: name}, ada.ID)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, string(g.ID))
	}

	v := a.SignIn("ada@example.com")
	tiles := v.Get(a.URL + "/start/applications")
	open := webtest.Match(t, tiles, regexp.MustCompile(`href="(/saml/assertion/apl-[0-9a-f]+)"`))
	got, form := a.read(v, v.Get(a.URL+open))
	attributes := map[string][]string{}
	for _, at := range got.Attributes {
		attributes[at.Name+" "+path.Base(strings.ReplaceAll(at.NameFormat, ":", "/"))] = at.Values
	}
	groups := attributes["groups uri"]
	slices.Sort(groups)
	slices.Sort(ids)
	if got.NameID != "lovelace@example.com" || got.NameIDFormat != saml.FormatEmail || got.InResponseTo != "" ||
		form.Get("RelayState") != "home" || time.Until(got.SessionNotOnOrAfter) > 30*time.Minute ||
		len(attributes) != 4 || !slices.Equal(groups, ids) || attributes["kind basic"][0] != "person" ||
		attributes["mail basic"][0] != ada.PrimaryEmail() ||
		attributes["name basic"][0] != ada.Name.GivenName+" "+ada.Name.FamilyName {
		t.Errorf("the portal sends %+v with %s", got, form.Get("RelayState"))
	}

	// The application asks, of somebody who has not signed in yet.
	stranger := a.Visitor()
	page := stranger.Do(http.MethodGet, a.request(nil), nil)
	if !strings.Contains(page.Text, `name="password"`) {
		t.Fatalf("nobody is asked to sign in: %s", page.Text)
	}
	back := page.URL.Query().Get("return")
	_, text := stranger.Send(http.MethodPost, a.URL+"/platform/login", url.Values{
		"username": {"ada@example.com"}, "password": {centertest.Password}, "return": {back},
	})
	got, form = a.read(stranger, text)
	if got.InResponseTo != "_1" || form.Get("RelayState") != "where/to?a=b&c" {
		t.Errorf("the application is sent %+v with %s", got, form.Get("RelayState"))
	}
	field, err := saml.AuthnRequest{
		ID: "_2", IssueInstant: time.Now(), Issuer: audience, Destination: a.URL + open, ACSURL: acs,
	}.PostField(nil)
	if err != nil {
		t.Fatal(err)
	}
	_, text = stranger.Send(http.MethodPost, a.URL+open, url.Values{"SAMLRequest": {field}, "RelayState": {"x"}})
	if got, form = a.read(stranger, text); got.InResponseTo != "_2" || form.Get("RelayState") != "x" {
		t.Errorf("by HTTP-POST: %+v with %s", got, form.Get("RelayState"))
	}
}

// TestWhoMayEnterASAMLApplication: assignments decide, each time.
func TestWhoMayEnterASAMLApplication(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	open := a.URL + "/saml/assertion/" + a.id
	v := a.SignIn("ada@example.com")
	refused := func(v webtest.Visitor, status int, want string) {
		t.Helper()
		if got, page := v.Send(http.MethodGet, open, nil); got != status || !strings.Contains(page, want) ||
			strings.Contains(page, "SAMLResponse") {
			t.Errorf("%d %s; want %d %s", got, page, status, want)
		}
	}
	refused(v, http.StatusForbidden, "not set up")
	a.admin.Does(a.page+"/saml", url.Values{"acs": {acs}, "audience": {audience}}, "saved")
	a.read(v, v.Get(open))
	a.NewPerson("eve")
	eve := a.SignIn("eve")
	refused(eve, http.StatusForbidden, "not assigned to you")
	if events, err := a.Events(context.Background(), center.EventQuery{Limit: 1}); err != nil ||
		events[0].Code != center.ApplicationNotAssigned.String() || events[0].Actor.Name != "eve" {
		t.Errorf("the event: %+v, %v", events, err)
	}
	settings := url.Values{"name": {"Wiki"}, "enabled": {"yes"}, "everyone": {"yes"}}
	a.admin.Does(a.page, settings, "The application is changed.")
	a.read(eve, eve.Get(open))
	a.admin.Does(a.page, url.Values{"name": {"Wiki"}, "everyone": {"yes"}}, "The application is changed.")
	refused(eve, http.StatusForbidden, "disabled")
	settings.Del("everyone")
	a.admin.Does(a.page, settings, "The application is changed.")
	ada, err := a.UserByName(context.Background(), "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	a.admin.IsSure(
		a.page+"/unassign", url.Values{"type": {"USER"}, "principal": {string(ada.ID)}}, "The assignment is removed.",
	)
	refused(v, http.StatusForbidden, "not assigned to you")
	a.admin.Does(a.page+"/saml/mapping", url.Values{
		"do": {"subject"}, "value": {"${user:middleName}"}, "format": {"persistent"},
	}, "saved")
	a.admin.Does(a.page+"/assign", url.Values{"type": {"USER"}, "principal": {"ada@example.com"}}, "assigned")
	refused(v, http.StatusForbidden, "not set up for you")
	a.admin.Does(a.page+"/delete", url.Values{"sure": {"yes"}}, "deleted")
	refused(v, http.StatusNotFound, "no such application")
}

// TestRequestsOfASAMLApplicationAreChecked, and nothing goes to an address that nobody has entered.
func TestRequestsOfASAMLApplicationAreChecked(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	a.admin.Does(a.page+"/saml", url.Values{"acs": {acs}, "audience": {audience}}, "saved")
	v := a.SignIn("ada@example.com")
	for what, change := range map[string]func(*saml.AuthnRequest){
		"another issuer":     func(r *saml.AuthnRequest) { r.Issuer = "https://evil.example/" },
		"another ACS":        func(r *saml.AuthnRequest) { r.ACSURL = "https://evil.example/acs" },
		"an ACS that begins": func(r *saml.AuthnRequest) { r.ACSURL = acs + ".evil.example" },
		"the artifact": func(r *saml.AuthnRequest) {
			r.Binding = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact"
		},
		"an ID with a digit":  func(r *saml.AuthnRequest) { r.ID = "1" },
		"an old one":          func(r *saml.AuthnRequest) { r.IssueInstant = time.Now().Add(-time.Hour) },
		"one of the future":   func(r *saml.AuthnRequest) { r.IssueInstant = time.Now().Add(time.Hour) },
		"another Destination": nil,
	} {
		address := a.request(change)
		if change == nil {
			address = strings.Replace(a.request(func(r *saml.AuthnRequest) {
				r.Destination = "https://other.example/saml/assertion/" + a.id
			}), "https://other.example", a.URL, 1)
		}
		status, page := v.Send(http.MethodGet, address, nil)
		if status != http.StatusBadRequest || strings.Contains(page, "SAMLResponse") {
			t.Errorf("%s: %d %s", what, status, page)
		}
	}
	open := a.URL + "/saml/assertion/" + a.id
	for what, address := range map[string]string{
		"garbage":                 open + "?SAMLRequest=%21%21",
		"a request of its making": open + "?request=AAAA",
		"a long RelayState":       a.request(nil) + strings.Repeat("x", 2000),
	} {
		if status, page := v.Send(http.MethodGet, address, nil); strings.Contains(page, "SAMLResponse") ||
			status != http.StatusBadRequest && what != "a long RelayState" {
			t.Errorf("%s: %d %s", what, status, page)
		}
	}
	// A request of one application is none of another.
	other := a.admin.Does(
		a.URL+"/console/applications", url.Values{"name": {"Other"}, "provider": {samlKind}}, "created",
	)
	id := webtest.Match(t, other, regexp.MustCompile(`action="/console/applications/(apl-[0-9a-f]+)"`))
	to := v.Stays().Do(http.MethodGet, a.request(nil), nil).Header.Get("Location")
	if status, page := v.Send(http.MethodGet, a.URL+strings.Replace(to, a.id, id, 1),
		nil); status != http.StatusBadRequest {
		t.Errorf("another application's request: %d %s", status, page)
	}
	a.read(v, v.Get(a.URL+to))
	// The keys are of one application each.
	mine, theirs := a.identityProvider(), webtest.New(t, nil).Get(a.URL+"/saml/metadata/"+id)
	if strings.Contains(theirs, base64.StdEncoding.EncodeToString(mine.Certificates[0].Raw)) {
		t.Error("two applications have one certificate")
	}
	for _, address := range []string{"/saml/metadata/apl-0", "/saml/assertion/apl-0", "/saml/metadata/..%2f"} {
		if status, _ := v.Send(http.MethodGet, a.URL+address, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d", address, status)
		}
	}
}

// TestHowASAMLApplicationWantsThePersonToSignIn: passive, or anew.
func TestHowASAMLApplicationWantsThePersonToSignIn(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	a.admin.Does(a.page+"/saml", url.Values{"acs": {acs}, "audience": {audience}}, "saved")
	passive := func(r *saml.AuthnRequest) { r.IsPassive = true }
	answer := func(v webtest.Visitor, change func(*saml.AuthnRequest)) string {
		t.Helper()
		field, err := func() (string, error) {
			r := saml.AuthnRequest{ID: "_p", IssueInstant: time.Now(), Issuer: audience, ACSURL: acs}
			change(&r)
			return r.PostField(nil)
		}()
		if err != nil {
			t.Fatal(err)
		}
		text, err := base64.StdEncoding.DecodeString(field)
		if err != nil {
			t.Fatal(err)
		}
		asked := strings.Replace(string(text), " ID=", ` IsPassive="true" ID=`, 1)
		_, page := v.Send(http.MethodPost, a.URL+"/saml/assertion/"+a.id, url.Values{
			"SAMLRequest": {base64.StdEncoding.EncodeToString([]byte(strings.Replace(asked, ` Destination=""`, "",
				1)))},
		})
		_, form := v.Form(page, "SAMLResponse")
		plain, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
		if err != nil {
			t.Fatal(err)
		}
		return string(plain)
	}
	if text := answer(a.Visitor(), passive); !strings.Contains(text, "status:NoPassive") ||
		strings.Contains(text, "<Assertion") {
		t.Errorf("nobody may be asked: %s", text)
	}
	v := a.SignIn("ada@example.com")
	if text := answer(v, passive); !strings.Contains(text, "<Assertion") {
		t.Errorf("who is signed in: %s", text)
	}
	if text := answer(v, func(r *saml.AuthnRequest) { r.ForceAuthn = true }); !strings.Contains(text,
		"status:NoPassive") {
		t.Errorf("anew, and not to be asked: %s", text)
	}
	page := v.Do(http.MethodGet, a.request(func(r *saml.AuthnRequest) { r.ForceAuthn = true }), nil)
	if !strings.Contains(page.Text, `name="password"`) {
		t.Fatalf("who is signed in is not asked anew: %s", page.Text)
	}
	_, text := v.Send(http.MethodPost, a.URL+"/platform/login", url.Values{
		"username": {"ada@example.com"}, "password": {centertest.Password}, "return": {page.URL.Query().Get("return")},
	})
	if got, _ := a.read(v, text); got.InResponseTo != "_1" || time.Since(got.AuthnInstant) > time.Minute {
		t.Errorf("after a new sign-in: %+v", got)
	}
}

// TestWhatTheConsoleRefusesOfASAMLApplication says what to write instead.
func TestWhatTheConsoleRefusesOfASAMLApplication(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	for want, form := range map[string]url.Values{
		"use an https address":  {"acs": {"javascript:alert(1)"}, "audience": {audience}},
		"address with a host":   {"acs": {"https://{your-host}/acs"}, "audience": {audience}},
		"an https address":      {"acs": {"http://app.example/acs"}, "audience": {audience}},
		"1 to 1024 characters":  {"acs": {acs}, "audience": {""}},
		"The SAML settings are": {"acs": {acs}, "audience": {audience}},
	} {
		a.admin.Does(a.page+"/saml", form, want)
	}
	a.admin.Does(a.page+"/saml", url.Values{"acs": {acs}, "audience": {audience}}, "saved")
	for want, form := range map[string]url.Values{
		"${user:email}, $":        {"name": {"x"}, "value": {"${user:password}"}, "format": {"basic"}},
		"or cannot stand here":    {"name": {"x"}, "value": {"a ${user:groups}"}, "format": {"basic"}},
		"is not known, or cannot": {"do": {"subject"}, "value": {"${user:groups}"}, "format": {"persistent"}},
		"use a format out of":     {"name": {"x"}, "value": {"y"}, "format": {"emailAddress"}},
		"the value is missing":    {"name": {"x"}, "value": {""}, "format": {"basic"}},
		"use each name once":      {"name": {""}, "value": {"y"}, "format": {"basic"}},
	} {
		a.admin.Does(a.page+"/saml/mapping", form, want)
	}
	a.admin.Does(a.page+"/saml/response", url.Values{"minutes": {"10"}}, "15 minutes to 12 hours")
	a.admin.Does(a.page+"/saml/response", url.Values{"minutes": {"721"}}, "15 minutes to 12 hours")
	a.admin.Does(a.page+"/saml/response", url.Values{"minutes": {"15"}, "relaystate": {strings.Repeat("x", 1025)}},
		"1024")
	page := a.admin.Get(a.page + "/saml/certificate")
	if !strings.Contains(page, "-----BEGIN CERTIFICATE-----") {
		t.Errorf("the certificate: %s", page)
	}
	oauth := a.admin.Does(a.URL+"/console/applications", url.Values{
		"name": {"OAuth"}, "provider": {"arn:aws:sso::aws:applicationProvider/custom"},
	}, "created")
	id := webtest.Match(t, oauth, regexp.MustCompile(`action="/console/applications/(apl-[0-9a-f]+)"`))
	a.admin.Does(a.URL+"/console/applications/"+id+"/saml", url.Values{"acs": {acs}, "audience": {audience}},
		"no SAML application")
	if status, _ := a.Visitor().Send(http.MethodGet, a.URL+"/saml/metadata/"+id, nil); status != http.StatusNotFound {
		t.Errorf("metadata of an OAuth application: %d", status)
	}
}
