package signin_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

const (
	xmlTime  = "2006-01-02T15:04:05.000Z"
	samlName = "urn:oasis:names:tc:SAML:2.0:assertion"
)

// responder makes signed responses of an identity provider of its own, for one center.
type responder struct {
	t     *testing.T
	c     *center.Center
	key   saml.SigningKey
	door  http.Handler
	posts int
}

const responderIssuer = "https://idp.example/"

func newResponder(t *testing.T) *responder {
	t.Helper()
	ctx, c := context.Background(), centertest.Serve(t).Center
	key, err := saml.NewSigningKey(time.Now(), time.Now().AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	ada := center.User{
		UserName:    idpUser,
		DisplayName: "Ada Lovelace",
		Name:        center.PersonName{GivenName: "Ada", FamilyName: "Lovelace"},
		Active:      true,
	}
	if _, err := c.CreateUser(ctx, audit.SystemActor, ada); err != nil {
		t.Fatal(err)
	}
	idp, err := c.CreateIdPConfiguration(
		ctx,
		audit.SystemActor,
		center.IdPConfiguration{
			EntityID:     responderIssuer,
			SignInURL:    "https://idp.example/sso",
			Certificates: [][]byte{key.Certificate.Raw},
		},
	)
	if err == nil {
		err = c.EnableIdPConfiguration(ctx, audit.SystemActor, idp.ID, center.Accepted)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &responder{
		t:    t,
		c:    c,
		key:  key,
		door: server.Handler(c, server.Config{Targets: outbound.Policy{Loopback: true}}),
	}
}

// make makes a response, changed before it is signed: assertion before the assertion is, response
// afterwards.
func (i *responder) make(assertion, response func(*etree.Element)) string {
	i.t.Helper()
	plain, err := saml.Response(
		saml.Statement{
			Issuer:       responderIssuer,
			Audience:     i.c.EntityID(),
			ACSURL:       i.c.ACSURL(),
			NameID:       idpUser,
			AuthnInstant: time.Now().Add(-72 * time.Hour),
			Now:          time.Now(),
			Unsigned:     true,
			Attributes:   []saml.Attribute{{Name: "a", Values: []string{"b"}}},
		},
		i.key,
	)
	doc := etree.NewDocument()
	if err == nil {
		err = doc.ReadFromBytes(plain)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	a := doc.FindElement("//Assertion")
	if assertion != nil {
		assertion(a)
	}
	ctx, err := dsig.NewSigningContext(i.key.Key, [][]byte{i.key.Certificate.Raw})
	if err != nil {
		i.t.Fatal(err)
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := ctx.SetSignatureMethod(dsig.RSASHA256SignatureMethod); err != nil {
		i.t.Fatal(err)
	}
	signature, err := ctx.ConstructSignature(a, true)
	if err != nil {
		i.t.Fatal(err)
	}
	a.InsertChildAt(1, signature)
	if response != nil {
		response(doc.Root())
	}
	text, err := doc.WriteToString()
	if err != nil {
		i.t.Fatal(err)
	}
	return text
}

// post posts a response as a browser does that has asked for nothing, each from another address,
// since an event is not made of each refusal of one; and gives the status and what the last event
// says.
func (i *responder) post(response string) (status int, x center.Explanation) {
	i.t.Helper()
	form := url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(response))}}
	r := httptest.NewRequest(http.MethodPost, i.c.ACSURL(), strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	i.posts++
	r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1234", i.posts)
	w := httptest.NewRecorder()
	i.door.ServeHTTP(w, r)
	events, err := i.c.Events(context.Background(), center.EventQuery{Limit: 1})
	if err != nil || len(events) != 1 {
		i.t.Fatal(events, err)
	}
	return w.Code, center.ExplainEvent(events[0])
}

// attribute sets an attribute of the element at a path.
func attribute(path, name, value string) func(*etree.Element) {
	return func(e *etree.Element) {
		if path != "" {
			e = e.FindElement(path)
		}
		e.CreateAttr(name, value)
	}
}

// condition puts an element among the conditions.
func condition(text string) func(*etree.Element) {
	return func(e *etree.Element) {
		d := etree.NewDocument()
		if err := d.ReadFromString(text); err != nil {
			panic(err)
		}
		e.FindElement("Conditions").AddChild(d.Root())
	}
}

// TestResponsesThatBreakARuleOfSAMLAreRefusedByName posts responses with the right signature that
// break one rule each: the event names the check, and explain says what to do.
func TestResponsesThatBreakARuleOfSAMLAreRefusedByName(t *testing.T) {
	t.Parallel()
	i := newResponder(t)
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(xmlTime) }
	const year = 365 * 24 * time.Hour
	remove := func(path string) func(*etree.Element) {
		return func(e *etree.Element) { e.RemoveChild(e.FindElement(path)) }
	}
	const xsi = ` xmlns="` + samlName +
		`" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:x="urn:x" xmlns:s="` + samlName + `"`
	for name, c := range map[string]struct {
		assertion, response func(*etree.Element)
		check               saml.Check
	}{
		"a response of version 1.1": {nil, attribute("", "Version", "1.1"), saml.CheckResponseVersion},
		"a response without a version": {nil, func(e *etree.Element) {
			e.RemoveAttr("Version")
		}, saml.CheckResponseVersion},
		"a response of yesterday": {nil, attribute("", "IssueInstant", at(-24*time.Hour)), saml.CheckIssueInstant},
		"a response of tomorrow":  {nil, attribute("", "IssueInstant", at(24*time.Hour)), saml.CheckIssueInstant},
		"a response of ten minutes ahead": {
			nil, attribute("", "IssueInstant", at(10*time.Minute)), saml.CheckIssueInstant,
		},
		"a response of no time": {nil, func(e *etree.Element) {
			e.RemoveAttr("IssueInstant")
		}, saml.CheckIssueInstant},
		"an assertion of yesterday": {attribute("", "IssueInstant", at(-24*time.Hour)), nil, saml.CheckIssueInstant},
		"an assertion of tomorrow":  {attribute("", "IssueInstant", at(24*time.Hour)), nil, saml.CheckIssueInstant},
		"an assertion of no time": {func(e *etree.Element) {
			e.RemoveAttr("IssueInstant")
		}, nil, saml.CheckIssueInstant},
		"no AuthnStatement": {remove("AuthnStatement"), nil, saml.CheckAuthnStatement},
		"an AuthnStatement without instant": {func(e *etree.Element) {
			e.FindElement("AuthnStatement").RemoveAttr("AuthnInstant")
		}, nil, saml.CheckAuthnStatement},
		"a sign-in in the future": {
			attribute("AuthnStatement", "AuthnInstant", at(time.Hour)), nil, saml.CheckAuthnInstant,
		},
		"an unknown condition": {
			condition(`<Condition` + xsi + ` xsi:type="x:Weather"/>`), nil, saml.CheckCondition,
		},
		"a condition of another namespace": {condition(`<x:Weather` + xsi + `/>`), nil, saml.CheckCondition},
		"a condition by another type": {
			condition(`<OneTimeUse` + xsi + ` xsi:type="x:OneTimeUseType"/>`), nil, saml.CheckCondition,
		},
		"a ProxyRestriction of 0": {
			condition(`<ProxyRestriction xmlns="` + samlName + `" Count="0"/>`), nil, saml.CheckCondition,
		},
		"a ProxyRestriction with audiences": {
			condition(`<ProxyRestriction xmlns="` + samlName +
				`"><Audience>https://a.example/</Audience></ProxyRestriction>`),
			nil, saml.CheckCondition,
		},
		"a ProxyRestriction without a count": {
			condition(`<ProxyRestriction xmlns="` + samlName + `" Count="many"/>`), nil, saml.CheckCondition,
		},
		"confirmed for ten years": {
			attribute(".//SubjectConfirmationData", "NotOnOrAfter", at(10*year)), nil, saml.CheckValidity,
		},
		"conditions of ten years": {attribute("Conditions", "NotOnOrAfter", at(10*year)), nil, saml.CheckValidity},
	} {
		status, x := i.post(i.make(c.assertion, c.response))
		if status != http.StatusForbidden || x.Code != center.AssertionRefused.String() || x.Check != c.check.String() {
			t.Errorf("%s: %d, %s by check %q (%s); want %s", name, status, x.Code, x.Check, x.Detail, c.check)
		}
		if x.Remedy == "" || x.Remedy == center.AssertionRefused.Remedy() {
			t.Errorf("%s: explain has no remedy of its own", name)
		}
	}
	// What honest identity providers send is taken: the sign-in was three days ago in all of these.
	for name, assertion := range map[string]func(*etree.Element){
		"as Entra":                    nil,
		"a clock two minutes ahead":   attribute("", "IssueInstant", at(2*time.Minute)),
		"a sign-in two minutes ahead": attribute("AuthnStatement", "AuthnInstant", at(2*time.Minute)),
		"OneTimeUse":                  condition(`<OneTimeUse xmlns="` + samlName + `"/>`),
		"OneTimeUse with its own type": condition(`<s:OneTimeUse` + strings.Replace(
			xsi, ` xmlns="`+samlName+`"`, "", 1,
		) + ` xsi:type="s:OneTimeUseType"/>`),
		"a ProxyRestriction of 2":     condition(`<ProxyRestriction xmlns="` + samlName + `" Count="2"/>`),
		"conditions of a working day": attribute("Conditions", "NotOnOrAfter", at(10*time.Hour)),
		"conditions without an end": func(e *etree.Element) {
			e.FindElement("Conditions").RemoveAttr("NotOnOrAfter")
		},
		"a session of ten hours":          attribute("AuthnStatement", "SessionNotOnOrAfter", at(10*time.Hour)),
		"a session of a month":            attribute("AuthnStatement", "SessionNotOnOrAfter", at(30*24*time.Hour)),
		"times without fractions":         attribute("", "IssueInstant", time.Now().UTC().Format(time.RFC3339)),
		"issued before a slow form, once": attribute("", "IssueInstant", at(-30*time.Minute)),
	} {
		if status, x := i.post(i.make(assertion, nil)); status != http.StatusSeeOther {
			t.Errorf("%s: %d, %s by check %q: %s", name, status, x.Code, x.Check, x.Detail)
		}
	}
}

// TestSignInThatTheIdentityProviderStartsCanBeSwitchedOff by the console's page, by the command and
// by its API.
func TestSignInThatTheIdentityProviderStartsCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	i := newResponder(t)
	ctx := context.Background()
	if status, x := i.post(i.make(nil, nil)); status != http.StatusSeeOther {
		t.Fatalf("by default: %d %s", status, x.Detail)
	}
	if err := i.c.SetAdministrator(ctx, audit.SystemActor, "admin", "Correct horse 1!"); err != nil {
		t.Fatal(err)
	}
	admin := webtest.New(t, nil)
	admin.Send(
		http.MethodPost,
		i.c.ConsoleURL()+"login",
		url.Values{"username": {"admin"}, "password": {"Correct horse 1!"}},
	)
	admin.Does(i.c.URL+"/console/settings/idp-initiated", url.Values{}, "Users start at the access portal")
	status, x := i.post(i.make(nil, nil))
	if status != http.StatusForbidden || x.Check != saml.CheckIdPInitiated.String() ||
		!strings.Contains(x.Remedy, "idp-initiated on") {
		t.Errorf("switched off: %d, check %q, %s", status, x.Check, x.Remedy)
	}
	// A response to a request of the portal is not concerned.
	v := webtest.New(t, nil)
	v.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := v.Client.Get(i.c.URL + "/platform/login")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	to, err := res.Location()
	if err != nil {
		t.Fatal(err)
	}
	request, err := saml.ParseRedirect(to.Query().Get("SAMLRequest"))
	if err != nil {
		t.Fatal(err)
	}
	answer := i.make(
		attribute(".//SubjectConfirmationData", "InResponseTo", request.ID),
		attribute("", "InResponseTo", request.ID),
	)
	if status, page := v.Send(
		http.MethodPost, i.c.ACSURL(),
		url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(answer))}},
	); status != http.StatusSeeOther {
		t.Errorf("the answer to a request: %d %s", status, page)
	}
	// Another identity provider does not switch it on again.
	next, err := i.c.CreateIdPConfiguration(
		ctx,
		audit.SystemActor,
		center.IdPConfiguration{
			EntityID:     "https://other.example/",
			SignInURL:    "https://other.example/sso",
			Certificates: [][]byte{i.key.Certificate.Raw},
		},
	)
	if err == nil {
		err = i.c.EnableIdPConfiguration(ctx, audit.SystemActor, next.ID, center.Accepted)
	}
	if s, err2 := i.c.Source(ctx); err != nil || err2 != nil || !s.RequestedOnly {
		t.Errorf("after a change of the identity provider: %+v, %v", s, err)
	}
}
