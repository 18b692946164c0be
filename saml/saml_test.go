package saml

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

var (
	now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

	statement = Statement{
		Issuer: "https://sts.windows.net/t/", Audience: "https://center.example/platform/saml/d-1234567890",
		ACSURL:       "https://center.example/acs",
		InResponseTo: "_request", NameID: "ada@example.com", AuthnInstant: now, Now: now,
		Attributes: []Attribute{
			{Name: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", Values: []string{"Ada"}},
		},
	}
)

func newKey(t testing.TB) SigningKey {
	t.Helper()
	key, err := NewSigningKey(now, now.AddDate(3, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// maxAssertion is what the caller demands in these tests.
const maxAssertion = 50_000

func expect(key SigningKey) Expect {
	return Expect{
		Issuer:        statement.Issuer,
		Certificates:  []*x509.Certificate{key.Certificate},
		Audience:      statement.Audience,
		Recipient:     statement.ACSURL,
		Now:           now,
		NameIDFormats: []string{FormatEmail},
		MaxAssertion:  maxAssertion,
		NameID: func(name string) error {
			if !strings.HasSuffix(name, ".example") && !strings.HasSuffix(name, "@example.com") {
				return errors.New("a name at example.com")
			}
			return nil
		},
	}
}

// TestWhatTheCallerDemands: without its demands, what only they refuse is taken.
func TestWhatTheCallerDemands(t *testing.T) {
	key := newKey(t)
	for name, change := range map[string]func(*etree.Element){
		"another name": func(a *etree.Element) { path(a, "//NameID").SetText("ada") },
		"another format": func(a *etree.Element) {
			path(a, "//NameID").CreateAttr("Format", FormatPersistent)
		},
		"a long assertion": func(a *etree.Element) {
			path(a, "//AttributeValue").SetText(strings.Repeat("x", maxAssertion))
		},
	} {
		message := resign(t, key, change)
		demanding := expect(key)
		if a, err := Verify(message, demanding); err == nil {
			t.Errorf("%s: accepted %+v", name, a)
		}
		demanding.NameID = nil
		demanding.NameIDFormats = nil
		demanding.MaxAssertion = 0
		if _, err := Verify(message, demanding); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, format := range []string{FormatUnspecified, ""} {
		message := resign(t, key, func(a *etree.Element) { path(a, "//NameID").CreateAttr("Format", format) })
		if _, err := Verify(message, expect(key)); err != nil {
			t.Errorf("the format %q says nothing, and was refused: %v", format, err)
		}
	}
}

func TestVerifyReturnsWhatWasSigned(t *testing.T) {
	key := newKey(t)
	response, err := Response(statement, key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := VerifyPOST(base64.StdEncoding.EncodeToString(response), expect(key))
	if err != nil {
		t.Fatal(err)
	}
	if a.NameID != statement.NameID || a.InResponseTo != "_request" || len(a.Attributes) != 1 ||
		a.Attributes[0].Values[0] != "Ada" {
		t.Errorf("assertion %+v", a)
	}
}

// TestWhatIsSigned: a response may be signed, or its assertion, or both; a signature that is
// broken, or none at all, is refused.
func TestWhatIsSigned(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for name, c := range map[string]struct {
		unsigned, response bool
		signatures         int
	}{
		"the assertion": {false, false, 1},
		"the response":  {true, true, 1},
		"both":          {false, true, 2},
		"nothing":       {true, false, 0},
	} {
		s := statement
		s.Unsigned, s.SignResponse = c.unsigned, c.response
		response, err := Response(s, key)
		if err != nil || strings.Count(string(response), "<SignatureValue>") != c.signatures {
			t.Errorf("%s: %s, %v", name, response, err)
			continue
		}
		a, err := VerifyPOST(base64.StdEncoding.EncodeToString(response), expect(key))
		if (err == nil) != (c.signatures > 0) || (err == nil && a.NameID != statement.NameID) {
			t.Errorf("%s: %+v, %v", name, a, err)
		}
		broken := strings.Replace(string(response), "ada@example.com", "eve@example.com", 1)
		if _, err := VerifyPOST(base64.StdEncoding.EncodeToString([]byte(broken)), expect(key)); err == nil {
			t.Errorf("%s: an altered name is taken", name)
		}
	}
}

// resign makes a response from a changed statement or assertion, signed with the right key, so that
// only the check under test can refuse it.
func resign(t *testing.T, key SigningKey, change func(*etree.Element)) []byte {
	t.Helper()
	a := assertionElement(statement)
	change(a)
	signed, err := key.sign(a, 1)
	if err != nil {
		t.Fatal(err)
	}
	response, err := Response(statement, key)
	if err != nil {
		t.Fatal(err)
	}
	root, err := parse(response, MaxMessage)
	if err != nil {
		t.Fatal(err)
	}
	root.RemoveChild(child(root, nsAssertion, "Assertion"))
	root.AddChild(signed)
	data, err := write(root)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func path(e *etree.Element, p string) *etree.Element { return e.FindElement(p) }

func TestVerifyRefusesByTheRightCheck(t *testing.T) {
	key, foreign := newKey(t), newKey(t)
	edit := func(change func(*etree.Element)) func(*testing.T) []byte {
		return func(t *testing.T) []byte { return resign(t, key, change) }
	}
	raw := func(change func(string) string) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			response, err := Response(statement, key)
			if err != nil {
				t.Fatal(err)
			}
			changed := change(string(response))
			if changed == string(response) {
				t.Fatal("the mutation changed nothing")
			}
			return []byte(changed)
		}
	}
	with := func(change func(*Statement), by SigningKey) func(*testing.T) []byte {
		return func(t *testing.T) []byte {
			s := statement
			change(&s)
			response, err := Response(s, by)
			if err != nil {
				t.Fatal(err)
			}
			return response
		}
	}
	for name, c := range map[string]struct {
		make  func(*testing.T) []byte
		check Check
	}{
		"no XML":    {func(*testing.T) []byte { return []byte("hello") }, CheckDocument},
		"a DOCTYPE": {raw(func(s string) string { return "<!DOCTYPE r>" + s }), CheckDocument},
		"an entity": {raw(func(s string) string {
			return `<!DOCTYPE r [<!ENTITY e "x">]>` + s
		}), CheckDocument},
		"a processing instruction": {raw(func(s string) string {
			return strings.Replace(s, "ada@", "ada<?x y?>@", 1)
		}), CheckDocument},
		"a second root":       {raw(func(s string) string { return s + "<a/>" }), CheckDocument},
		"text after the root": {raw(func(s string) string { return s + "x" }), CheckDocument},
		"another message": {raw(func(s string) string {
			return strings.ReplaceAll(s, "samlp:Response", "samlp:LogoutResponse")
		}), CheckDocument},
		"a failure status": {raw(func(s string) string {
			return strings.Replace(s, "status:Success", "status:Requester", 1)
		}), CheckStatus},
		"unsigned": {func(t *testing.T) []byte { return withoutSignature(t, key) }, CheckSignature},
		"altered name": {raw(func(s string) string {
			return strings.Replace(s, "ada@example.com", "eve@example.com", 1)
		}), CheckSignature},
		"a comment splits the name": {raw(func(s string) string {
			return strings.Replace(s, "ada@example.com", "a@b.c<!---->.evil", 1)
		}), CheckSignature},
		"a foreign key":       {with(func(*Statement) {}, foreign), CheckSignature},
		"a second assertion":  {func(t *testing.T) []byte { return wrapped(t, key, false) }, CheckAssertions},
		"a wrapped assertion": {func(t *testing.T) []byte { return wrapped(t, key, true) }, CheckAssertions},
		"an encrypted assertion": {raw(func(s string) string {
			return strings.Replace(
				s, "<samlp:Status>", `<EncryptedAssertion xmlns="`+nsAssertion+`"/><samlp:Status>`, 1,
			)
		}), CheckEncrypted},
		"SHA-1 signature":    {func(t *testing.T) []byte { return weak(t, key) }, CheckAlgorithm},
		"a foreign issuer":   {with(func(s *Statement) { s.Issuer = "https://evil.example/" }, key), CheckIssuer},
		"a foreign audience": {with(func(s *Statement) { s.Audience = "https://other.example/" }, key), CheckAudience},
		"another recipient": {edit(func(a *etree.Element) {
			path(a, "//SubjectConfirmationData").CreateAttr("Recipient", "https://other.example/")
		}), CheckRecipient},
		"another destination": {raw(func(s string) string {
			return strings.Replace(s, `Destination="https://center.example/acs"`, `Destination="https://x.example/"`, 1)
		}), CheckDestination},
		"expired":       {with(func(s *Statement) { s.Now = now.Add(-2 * time.Hour) }, key), CheckTime},
		"not yet valid": {with(func(s *Statement) { s.Now = now.Add(time.Hour) }, key), CheckTime},
		"no conditions": {edit(func(a *etree.Element) {
			a.RemoveChild(path(a, "Conditions"))
		}), CheckAudience},
		"no audience restriction": {edit(func(a *etree.Element) {
			c := path(a, "Conditions")
			c.RemoveChild(path(c, "AudienceRestriction"))
		}), CheckAudience},
		"not a bearer": {edit(func(a *etree.Element) {
			path(a, "//SubjectConfirmation").CreateAttr("Method", "urn:oasis:names:tc:SAML:2.0:cm:sender-vouches")
		}), CheckMethod},
		"no expiry of confirmation": {edit(func(a *etree.Element) {
			path(a, "//SubjectConfirmationData").RemoveAttr("NotOnOrAfter")
		}), CheckTime},
		"no subject":               {edit(func(a *etree.Element) { a.RemoveChild(path(a, "Subject")) }), CheckSubject},
		"version 1.1":              {edit(func(a *etree.Element) { a.CreateAttr("Version", "1.1") }), CheckVersion},
		"an empty name":            {edit(func(a *etree.Element) { path(a, "//NameID").SetText(" ") }), CheckNameID},
		"a name that is not taken": {edit(func(a *etree.Element) { path(a, "//NameID").SetText("ada") }), CheckNameID},
		"a long assertion": {edit(func(a *etree.Element) {
			path(a, "//AttributeValue").SetText(strings.Repeat("x", maxAssertion))
		}), CheckSize},
		"a persistent name": {edit(func(a *etree.Element) {
			path(a, "//NameID").CreateAttr("Format", FormatPersistent)
		}), CheckNameID},
		"unsigned InResponseTo": {raw(func(s string) string {
			return strings.Replace(s, `InResponseTo="_request"`, `InResponseTo="_other"`, 1)
		}), CheckInResponse},
		"a session that is over": {edit(func(a *etree.Element) {
			path(a, "AuthnStatement").CreateAttr("SessionNotOnOrAfter", "2026-11-23T10:00:00Z")
		}), CheckTime},
		"deeply nested": {raw(func(s string) string {
			return strings.Replace(
				s, "<samlp:Status>", strings.Repeat("<a>", 100)+strings.Repeat("</a>", 100)+"<samlp:Status>", 1,
			)
		}), CheckDocument},
		"duplicate IDs": {raw(func(s string) string {
			return strings.Replace(s, "<samlp:Status>", `<a ID="x"/><b ID="x"/><samlp:Status>`, 1)
		}), CheckDocument},
		"signature refers to nothing": {raw(func(s string) string {
			i := strings.Index(s, `URI="#`)
			j := strings.Index(s[i+5:], `"`)
			return s[:i] + `URI="` + s[i+5+j:]
		}), CheckSignature},
		"one transform less": {raw(func(s string) string {
			return strings.Replace(s, `<Transform Algorithm="`+enveloped+`"/>`, "", 1)
		}), CheckAlgorithm},
		"canonicalization with comments": {raw(func(s string) string {
			return strings.Replace(
				s, `CanonicalizationMethod Algorithm="`+exclusiveC14N,
				`CanonicalizationMethod Algorithm="`+exclusiveC14N+"WithComments", 1,
			)
		}), CheckSignature},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := Verify(c.make(t), expect(key))
			var refusal *Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("accepted %+v, or failed otherwise: %v", a, err)
			}
			if refusal.Check != c.check {
				t.Errorf("refused by %s (%v), want %s", refusal.Check, err, c.check)
			}
		})
	}
}

func withoutSignature(t *testing.T, key SigningKey) []byte {
	t.Helper()
	response, _ := Response(statement, key)
	root, err := parse(response, MaxMessage)
	if err != nil {
		t.Fatal(err)
	}
	a := child(root, nsAssertion, "Assertion")
	a.RemoveChild(child(a, nsSignature, "Signature"))
	data, _ := write(root)
	return data
}

// wrapped puts a forged assertion beside the signed one, or the signed one inside the forged one.
func wrapped(t *testing.T, key SigningKey, inside bool) []byte {
	t.Helper()
	response, _ := Response(statement, key)
	root, err := parse(response, MaxMessage)
	if err != nil {
		t.Fatal(err)
	}
	good := child(root, nsAssertion, "Assertion")
	forged := statement
	forged.NameID = "admin@example.com"
	evil := assertionElement(forged)
	if inside {
		root.RemoveChild(good)
		evil.CreateElement("Advice").AddChild(good)
	}
	root.AddChild(evil)
	data, _ := write(root)
	return data
}

func weak(t *testing.T, key SigningKey) []byte {
	t.Helper()
	ctx, err := dsig.NewSigningContext(key.Key, [][]byte{key.Certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	if err := ctx.SetSignatureMethod(dsig.RSASHA1SignatureMethod); err != nil {
		t.Fatal(err)
	}
	signed, err := ctx.SignEnveloped(assertionElement(statement))
	if err != nil {
		t.Fatal(err)
	}
	response, _ := Response(statement, key)
	root, _ := parse(response, MaxMessage)
	root.RemoveChild(child(root, nsAssertion, "Assertion"))
	root.AddChild(signed)
	data, _ := write(root)
	return data
}

func TestMetadataRoundTrips(t *testing.T) {
	key := newKey(t)
	idp := IdentityProvider{
		EntityID:   "https://sts.windows.net/t/",
		SignInURL:  "https://login.example/t/saml2",
		SignInPOST: "https://login.example/t/saml2",
	}
	data, err := FederationMetadata(idp, "https://login.example/t/wsfed", key)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte("\ufeff<?xml")) {
		t.Error("no byte order mark, though Entra writes one")
	}
	got, err := ParseIdentityProvider(data)
	if err != nil {
		t.Fatal(err)
	}
	if got.EntityID != idp.EntityID || got.SignInURL != idp.SignInURL || len(got.Certificates) != 1 ||
		!got.Certificates[0].Equal(key.Certificate) {
		t.Errorf("read back %+v", got)
	}
	sp := ServiceProvider{
		EntityID: "https://center.example/saml",
		ACSURLs:  []string{"https://center.example/acs", "https://second.example/acs"},
	}
	data, err = ServiceProviderMetadata(sp)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseServiceProvider(data)
	if err != nil || back.EntityID != sp.EntityID || len(back.ACSURLs) != 2 || back.ACSURLs[0] != sp.ACSURLs[0] {
		t.Errorf("read back %+v, %v", back, err)
	}
	if _, err := ParseIdentityProvider(data); err == nil {
		t.Error("a service provider's metadata was taken for an identity provider's")
	}
}

func TestAuthnRequestSurvivesTheRedirect(t *testing.T) {
	r := AuthnRequest{
		ID:           NewID(),
		IssueInstant: now,
		Issuer:       "https://center.example/saml",
		Destination:  "https://login.example/saml2?x=1",
		ACSURL:       "https://center.example/acs",
		Binding:      BindingPOST,
		NameIDFormat: FormatEmail,
	}
	u, err := r.RedirectURL("state", nil)
	if err != nil {
		t.Fatal(err)
	}
	parsed := mustURL(t, u)
	got, err := ParseRedirect(parsed.Get("SAMLRequest"))
	if err != nil || !reflect.DeepEqual(got, r) || parsed.Get("RelayState") != "state" || parsed.Get("x") != "1" {
		t.Errorf("got %+v %v, want %+v", got, err, r)
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey(f)
	good, err := Response(statement, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol"/>`))
	want := expect(key)
	f.Fuzz(func(t *testing.T, data []byte) {
		if a, err := Verify(data, want); err == nil && a.NameID != statement.NameID {
			t.Fatalf("accepted the name %q that was never signed", a.NameID)
		}
	})
}

func mustURL(t *testing.T, s string) url.Values {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

func BenchmarkVerify(b *testing.B) {
	key := newKey(b)
	response, err := Response(statement, key)
	if err != nil {
		b.Fatal(err)
	}
	want := expect(key)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Verify(response, want); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSignedRequests: the query's signature is over what is sent, and the form's is one that an
// identity provider can check.
func TestSignedRequests(t *testing.T) {
	key := newKey(t)
	r := AuthnRequest{
		ID:           NewID(),
		IssueInstant: now,
		Issuer:       "https://center.example/saml",
		Destination:  "https://login.example/saml2?x=1",
		ACSURL:       "https://center.example/acs",
		Binding:      BindingPOST,
		NameIDFormat: FormatEmail,
		ForceAuthn:   true,
	}
	address, err := r.RedirectURL("a b&c", &key)
	if err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(address, "?x=1&")
	signed, value, _ := strings.Cut(query, "&Signature=")
	raw, err := url.QueryUnescape(value)
	if err != nil || !strings.HasPrefix(signed, "SAMLRequest=") ||
		!strings.Contains(signed, "&RelayState=a+b%26c&SigAlg=") {
		t.Fatalf("the query is %s, %v", query, err)
	}
	signature, err := base64.StdEncoding.DecodeString(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Certificate.CheckSignature(x509.SHA256WithRSA, []byte(signed), signature); err != nil {
		t.Errorf("the query's signature: %v", err)
	}
	if got, err := ParseRedirect(mustURL(t, address).Get("SAMLRequest")); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("read back %+v, %v", got, err)
	}
	field, err := r.PostField(&key)
	if err != nil {
		t.Fatal(err)
	}
	r.Signed = true
	if got, err := ParsePOST(field); err != nil || !reflect.DeepEqual(got, r) {
		t.Errorf("read back %+v, %v", got, err)
	}
	data, err := base64.StdEncoding.DecodeString(field)
	if err != nil {
		t.Fatal(err)
	}
	root, err := parse(data, MaxMessage)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifySignature(root, child(root, nsSignature, "Signature"), expect(key)); err != nil {
		t.Errorf("the form's signature: %v", err)
	}
	metadata, err := ServiceProviderMetadata(ServiceProvider{
		EntityID: "https://center.example/saml",
		ACSURLs:  []string{"https://center.example/acs"},
		Key:      &key,
	})
	if err != nil || !bytes.Contains(metadata, []byte(`AuthnRequestsSigned="true"`)) ||
		!bytes.Contains(metadata, []byte("<md:KeyDescriptor use=\"signing\">")) ||
		!bytes.Contains(metadata, []byte(base64.StdEncoding.EncodeToString(key.Certificate.Raw))) {
		t.Errorf("the metadata: %s, %v", metadata, err)
	}
}
