package saml

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// verifier is xmlsec1 with a certificate.
type verifier struct {
	t   *testing.T
	key SigningKey
	dir string
}

func newVerifier(t *testing.T, key SigningKey) verifier {
	t.Helper()
	return verifier{t, key, keyFiles(t, key)}
}

// verifies says whether xmlsec1 verifies the signature of an element.
func (v verifier) verifies(message, element string) bool {
	v.t.Helper()
	file := filepath.Join(v.t.TempDir(), "message.xml")
	if err := os.WriteFile(file, []byte(message), 0o600); err != nil {
		v.t.Fatal(err)
	}
	// #nosec G204 -- test data
	return exec.Command(
		xmlsec1, "--verify", "--pubkey-cert-pem", filepath.Join(v.dir, "cert.pem"),
		"--node-xpath", "//*[local-name()='"+element+"']/*[local-name()='Signature']",
		"--id-attr:ID", nsAssertion+":Assertion", "--id-attr:ID", nsProtocol+":Response", file,
	).Run() == nil
}

// indented breaks base64 into lines that begin with blanks and tabs.
func indented(data []byte) string {
	s := base64.StdEncoding.EncodeToString(data)
	half := len(s) / 2
	return "\n   \t" + s[:half] + " \r\n\t\t  " + s[half:] + "\n  "
}

// sign signs the element with an empty signature in a message again, by its own methods.
func (v verifier) sign(message, element string) string {
	v.t.Helper()
	root, err := parse([]byte(message), MaxMessage)
	if err != nil {
		v.t.Fatal(err)
	}
	e := root
	if element == "Assertion" {
		e = child(root, nsAssertion, "Assertion")
	}
	signature := child(e, nsSignature, "Signature")
	info := child(signature, nsSignature, "SignedInfo")
	reference := child(info, nsSignature, "Reference")
	inside, err := canonicalizationOf(child(info, nsSignature, "CanonicalizationMethod"))
	if err != nil {
		v.t.Fatal(err)
	}
	outside := canonicalization{inclusive: true}
	if list := children(child(reference, nsSignature, "Transforms"), nsSignature, "Transform"); len(list) > 1 {
		if outside, err = canonicalizationOf(list[1]); err != nil {
			v.t.Fatal(err)
		}
		outside.comments = false
	}
	digested, err := canonical(e, outside, signature)
	if err != nil {
		v.t.Fatal(err)
	}
	h := digestMethods[attr(child(reference, nsSignature, "DigestMethod"), "Algorithm")].New()
	h.Write(digested)
	child(reference, nsSignature, "DigestValue").SetText(indented(h.Sum(nil)))
	signed, err := canonical(info, inside, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	hash := signatureMethods[attr(child(info, nsSignature, "SignatureMethod"), "Algorithm")].hash
	h = hash.New()
	h.Write(signed)
	child(signature, nsSignature, "SignatureValue").SetText(indented(v.value(h.Sum(nil), hash)))
	data, err := write(root)
	if err != nil {
		v.t.Fatal(err)
	}
	return string(data)
}

// value is a signature as XML signatures have it.
func (v verifier) value(digest []byte, hash crypto.Hash) []byte {
	v.t.Helper()
	if key, ok := v.key.Key.(*ecdsa.PrivateKey); ok {
		r, s, err := ecdsa.Sign(rand.Reader, key, digest)
		if err != nil {
			v.t.Fatal(err)
		}
		half := (key.Curve.Params().BitSize + 7) / 8
		return append(r.FillBytes(make([]byte, half)), s.FillBytes(make([]byte, half))...)
	}
	value, err := v.key.Key.Sign(rand.Reader, digest, hash)
	if err != nil {
		v.t.Fatal(err)
	}
	return value
}

func curveKey(t *testing.T, curve elliptic.Curve) SigningKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour),
		NotAfter: now.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return SigningKey{key, cert}
}

// change replaces texts, each of which must be there.
func change(t *testing.T, s string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(s, pairs[i]) {
			t.Fatalf("there is no %s in %s", pairs[i], s)
		}
		s = strings.Replace(s, pairs[i], pairs[i+1], 1)
	}
	return s
}

const (
	// The confirmation of the shapes, before its data.
	confirmation = `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">`
	inclusive    = `><ec:InclusiveNamespaces xmlns:ec="http://www.w3.org/2001/10/xml-exc-c14n#" ` +
		`PrefixList="%s"/></dsig:`
	method    = `<dsig:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"`
	transform = `<dsig:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"`

	canonicalMethod    = `<dsig:CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315`
	canonicalTransform = `<dsig:Transform Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315`
)

// otherConfirmation is one that is not for bearers here.
func otherConfirmation(kind, data string) string {
	return `<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:` + kind +
		`"><saml:SubjectConfirmationData ` + data + `/></saml:SubjectConfirmation>`
}

// TestWhatXMLSec1VerifiesIsTaken: a response in a form that others write, signed so that xmlsec1
// verifies it, is read; its twin, tampered with after it was signed, is refused by both.
func TestWhatXMLSec1VerifiesIsTaken(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/shapes/keycloak.xml")
	if err != nil {
		t.Fatal(err)
	}
	shape := strings.NewReplacer(
		"<dsig:KeyInfo><dsig:KeyName>a-key</dsig:KeyName><dsig:X509Data/><dsig:KeyValue/></dsig:KeyInfo>", "",
		"ACS", statement.ACSURL, "ISSUER", statement.Issuer, "AUDIENCE", statement.Audience,
	).Replace(string(data))
	key := newKey(t)
	list := func(prefixes string) string { return fmt.Sprintf(inclusive, prefixes) }
	sha := func(bits string) []string {
		return []string{"xmldsig-more#rsa-sha256", "xmldsig-more#" + bits}
	}
	const soon, other = `NotOnOrAfter="2026-11-23T12:04:58Z"`, `Recipient="https://other.example/acs"`
	for name, c := range map[string]struct {
		key    SigningKey
		before []string // pairs of what is changed before the response is signed
		after  []string // and what is tampered with, besides the name
	}{
		"indented base64": {key: key},
		"confirmed by the holder of a key too": {
			key, []string{confirmation, otherConfirmation("holder-of-key", "") + confirmation}, nil,
		},
		"confirmed for another recipient too": {
			key, []string{confirmation, otherConfirmation("bearer", soon+" "+other) + confirmation},
			[]string{`Recipient="https://other.example/acs"`, `Recipient="https://center.example/acs"`},
		},
		"confirmed for another time too": {
			key, []string{"</saml:Subject>", otherConfirmation("bearer",
				`NotOnOrAfter="2026-11-23T11:00:00Z" `+other) + "</saml:Subject>"},
			[]string{`NotOnOrAfter="2026-11-23T12:04:58.123Z"`, `NotOnOrAfter="2026-11-23T18:04:58.123Z"`},
		},
		"a PrefixList of the method": {
			key, []string{method + "/>", method + list("samlp saml #default") + "CanonicalizationMethod>"},
			[]string{`PrefixList="samlp saml #default"`, `PrefixList="dsig"`},
		},
		"a PrefixList of the transform": {
			key, []string{transform + "/>", transform + list("samlp #default xs") + "Transform>"},
			[]string{`PrefixList="samlp #default xs"`, `PrefixList="dsig"`},
		},
		"PrefixLists of both": {
			key, []string{
				method + "/>", method + list("saml") + "CanonicalizationMethod>",
				transform + "/>", transform + list("#default samlp") + "Transform>",
			}, []string{`PrefixList="saml"`, `PrefixList="saml samlp"`},
		},
		"superfluous xmlns": {
			key, []string{
				`xmlns:samlp=`, `xmlns="" xmlns:samlp=`, ">Blue<", `><note xmlns="">x<b xmlns=""/></note>Blue<`,
			}, []string{">Blue<", ">Red<"},
		},
		"superfluous xmlns where nothing is": {
			key, []string{
				` xmlns="urn:oasis:names:tc:SAML:2.0:assertion" ID="ID_2c7e"`, ` xmlns="" ID="ID_2c7e"`,
				">Blue<", `><note xmlns="">x<b/></note>Blue<`,
			}, []string{">x<", ">y<"},
		},
		"xmlns:xml": {
			key, []string{`xmlns:samlp=`, `xmlns:xml="` + nsXML + `" xmlns:samlp=`, ">Blue<", ` xml:lang="en">Blue<`},
			[]string{`xml:lang="en"`, `xml:lang="de"`},
		},
		"attributes of several namespaces": {
			key, []string{`<saml:Attribute FriendlyName`,
				`<saml:Attribute xmlns:z="urn:a" xmlns:a="urn:z" a:x="1" z:x="2" xml:space="preserve" x="3" ` +
					`FriendlyName`},
			[]string{`z:x="2"`, `z:x="1"`},
		},
		"attributes on several lines": {
			key, []string{`FriendlyName="team"`, "FriendlyName='the\n\tte\"am&#xA;&#9;&lt;&gt;&#13;'"},
			[]string{"&#xA;", " "},
		},
		"texts with signs": {
			key, []string{">Blue<", ">Blue<!-- and nothing else --><", "<saml:Conditions",
				"&#13;&gt;\r\n&amp;<saml:Conditions"}, []string{">Blue<", ">Red<"},
		},
		"a method that keeps comments": {
			key, []string{method, method[:len(method)-1] + `WithComments"`,
				"<dsig:SignedInfo>", "<dsig:SignedInfo><!-- a &amp; b\n-->"}, []string{"<!-- a", "<!-- b"},
		},
		"a transform that keeps comments": {
			key, []string{transform, transform[:len(transform)-1] + `WithComments"`,
				">Blue<", "><!-- a &amp; b -->Bl<!---->ue<"}, []string{"-->ue<", "-->nd<"},
		},
		"Canonical XML of both": {
			key, []string{method, canonicalMethod + `"`, transform, canonicalTransform + `"`,
				`xmlns:samlp=`, `xmlns:unused="urn:unused" xmlns:samlp=`}, []string{"urn:unused", "urn:other"},
		},
		"Canonical XML with comments": {
			key, []string{method, canonicalMethod + `#WithComments"`, transform, canonicalTransform + `#WithComments"`,
				">Blue<", "><x xmlns=\"\"/><!-- x -->Blue<"}, []string{"<x xmlns", "<y xmlns"},
		},
		"Canonical XML 1.1": {
			key, []string{method, `<dsig:CanonicalizationMethod Algorithm="http://www.w3.org/2006/12/xml-c14n11"`,
				transform, `<dsig:Transform Algorithm="http://www.w3.org/2006/12/xml-c14n11#WithComments"`},
			[]string{">Blue<", ">Red<"},
		},
		"no canonicalization": {
			key, []string{transform + "/>", ""}, []string{">Blue<", "><!-- -->Red<"},
		},
		"SHA-384":             {key, sha("rsa-sha384"), []string{">Blue<", ">Red<"}},
		"SHA-512":             {key, sha("rsa-sha512"), []string{">Blue<", ">Red<"}},
		"a digest by SHA-512": {key, []string{"xmlenc#sha256", "xmlenc#sha512"}, []string{">Blue<", ">Red<"}},
		"ECDSA with P-256":    {curveKey(t, elliptic.P256()), sha("ecdsa-sha256"), []string{">Blue<", ">Red<"}},
		"ECDSA with P-384":    {curveKey(t, elliptic.P384()), sha("ecdsa-sha384"), []string{">Blue<", ">Red<"}},
		"ECDSA with P-521":    {curveKey(t, elliptic.P521()), sha("ecdsa-sha512"), []string{">Blue<", ">Red<"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(t, c.key)
			message := v.sign(change(t, shape, c.before...), "Response")
			if !v.verifies(message, "Response") {
				t.Fatalf("xmlsec1 does not verify:\n%s", message)
			}
			a, err := VerifyPOST(indented([]byte(message)), expect(c.key))
			if err != nil {
				t.Fatalf("%v\n%s", err, message)
			}
			if a.NameID != "ada@example.com" || a.InResponseTo != "_request" || len(a.Attributes) != 1 ||
				a.Attributes[0].Values[0] != "Blue" || a.NotOnOrAfter.Minute() != 4 {
				t.Errorf("read %+v", a)
			}
			for _, pair := range [][]string{{"ada@", "eve@"}, c.after} {
				if pair == nil {
					continue
				}
				twin := change(t, message, pair...)
				if v.verifies(twin, "Response") {
					t.Errorf("xmlsec1 verifies it with %v", pair)
				}
				if got, err := Verify([]byte(twin), expect(c.key)); err == nil {
					t.Errorf("with %v it is read as %+v", pair, got)
				}
			}
		})
	}
}

// TestNoConfirmationIsEnough: several that are not satisfied do not make one that is.
func TestNoConfirmationIsEnough(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	set := func(name, value string) func(*etree.Element) {
		return func(e *etree.Element) { path(e, "SubjectConfirmationData").CreateAttr(name, value) }
	}
	method := func(m string) func(*etree.Element) {
		return func(e *etree.Element) { e.CreateAttr("Method", "urn:oasis:names:tc:SAML:2.0:cm:"+m) }
	}
	for name, c := range map[string]struct {
		each  []func(*etree.Element)
		check Check
	}{
		"one late, one for others": {
			[]func(*etree.Element){set("NotOnOrAfter", "2026-11-23T10:00:00Z"), set("Recipient", "https://x/")},
			CheckTime,
		},
		"one for others, one late": {
			[]func(*etree.Element){set("Recipient", "https://x/"), set("NotOnOrAfter", "2026-11-23T10:00:00Z")},
			CheckRecipient,
		},
		"one for holders, one early": {
			[]func(*etree.Element){method("holder-of-key"), set("NotBefore", "2026-11-23T10:00:00Z")}, CheckTime,
		},
		"one for senders, one to another request": {
			[]func(*etree.Element){method("sender-vouches"), set("InResponseTo", "_other")}, CheckInResponse,
		},
		"none for bearers": {[]func(*etree.Element){method("holder-of-key"), method("sender-vouches")}, CheckMethod},
		"none":             {nil, CheckMethod},
	} {
		message := resign(t, key, func(a *etree.Element) {
			subject := path(a, "Subject")
			only := path(subject, "SubjectConfirmation")
			subject.RemoveChild(only)
			for _, edit := range c.each {
				e := only.Copy()
				edit(e)
				subject.AddChild(e)
			}
		})
		_, err := Verify(message, expect(key))
		if refused := new(Refusal); !errors.As(err, &refused) || refused.Check != c.check {
			t.Errorf("%s: %v; want %s", name, err, c.check)
		}
	}
}

// TestCanonicalWritesWhatGoxmldsigWrites compares two canonicalizations that nobody wrote together,
// where goxmldsig's is right.
func TestCanonicalWritesWhatGoxmldsigWrites(t *testing.T) {
	t.Parallel()
	shapes, err := filepath.Glob("testdata/shapes/*.xml")
	if err != nil {
		t.Fatal(err)
	}
	for _, shape := range shapes {
		data, err := os.ReadFile(shape) // #nosec G304 -- test data
		if err != nil {
			t.Fatal(err)
		}
		for _, prefixes := range []string{"", "xs", "samlp saml", "saml2 xs ds"} {
			root, err := parse(data, MaxMessage)
			if err != nil {
				t.Fatal(err)
			}
			got, err := canonical(root, canonicalization{prefixes: prefixes}, nil)
			if err != nil {
				t.Fatal(err)
			}
			want, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList(prefixes).Canonicalize(root)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s with %q:\n%s\n%s", shape, prefixes, got, want)
			}
		}
	}
}

// TestAShortRSAKeyVerifiesNothing, wherever its certificate came from.
func TestAShortRSAKeyVerifiesNothing(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(certificateOf(t, key.Public(), key))
	if err != nil {
		t.Fatal(err)
	}
	weak := SigningKey{key, cert}
	message, err := Response(statement, weak)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(message, expect(weak)); err == nil {
		t.Error("accepted")
	}
}
