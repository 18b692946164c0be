package saml

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	_ "crypto/sha1" // #nosec G505 -- an attack
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/beevik/etree"
	roundtrip "github.com/mattermost/xml-roundtrip-validator"
	dsig "github.com/russellhaering/goxmldsig"
)

// attacker makes messages from a good one.
type attacker struct {
	t    *testing.T
	key  SigningKey // the identity provider's, which an attacker does not have: it signs the message that is attacked
	evil SigningKey
}

// good is an honest response, as a tree.
func (a attacker) good() (response, assertion, signature *etree.Element) {
	a.t.Helper()
	data, err := Response(statement, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.parts(data)
}

func (a attacker) parts(data []byte) (response, assertion, signature *etree.Element) {
	a.t.Helper()
	response, err := parse(data, MaxMessage)
	if err != nil {
		a.t.Fatal(err)
	}
	assertion = child(response, nsAssertion, "Assertion")
	return response, assertion, child(assertion, nsSignature, "Signature")
}

func (a attacker) text(e *etree.Element) string {
	a.t.Helper()
	data, err := write(e)
	if err != nil {
		a.t.Fatal(err)
	}
	return string(data)
}

// forged is an unsigned assertion that names the administrator.
func forged() *etree.Element {
	s := statement
	s.NameID = "admin@example.com"
	return assertionElement(s)
}

// edit changes an honest response as text.
func (a attacker) edit(change func(string) string) string {
	a.t.Helper()
	response, _, _ := a.good()
	before := a.text(response)
	after := change(before)
	if before == after {
		a.t.Fatal("nothing was changed")
	}
	return after
}

func (a attacker) replace(old, with string) string {
	a.t.Helper()
	return a.edit(func(s string) string { return strings.Replace(s, old, with, 1) })
}

// sign signs an assertion in another way than honest providers do, with the identity provider's own
// key: what is refused is the way.
func (a attacker) sign(method crypto.Hash, methodURI string, transforms ...string) string {
	a.t.Helper()
	response, _, signature := a.good()
	info := child(signature, nsSignature, "SignedInfo")
	if methodURI != "" {
		child(info, nsSignature, "SignatureMethod").CreateAttr("Algorithm", methodURI)
	}
	reference := child(info, nsSignature, "Reference")
	if transforms != nil {
		list := child(reference, nsSignature, "Transforms")
		for _, t := range list.ChildElements() {
			list.RemoveChild(t)
		}
		for _, t := range transforms {
			list.CreateElement("Transform").CreateAttr("Algorithm", t)
		}
	}
	canonical, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(info)
	if err != nil {
		a.t.Fatal(err)
	}
	h := method.New()
	h.Write(canonical)
	value, err := a.key.Key.Sign(nil, h.Sum(nil), method)
	if err != nil {
		a.t.Fatal(err)
	}
	child(signature, nsSignature, "SignatureValue").SetText(base64.StdEncoding.EncodeToString(value))
	return a.text(response)
}

// Why wrappings are refused.
const (
	sameID        = "two elements have the same ID"
	twoAssertions = "2"
	notThatDigest = "changed since it was signed"
	notThatValue  = "verification error"
)

// wrapping is a message whose signature is good for something else than a careless reader reads.
type wrapping struct {
	message string
	check   Check  // that refuses it
	got     string // what the check has found
}

// wrappings are the known forms of signature wrapping: a forged assertion is where a careless
// reader looks, the signed one where its signature finds it.
func wrappings(a attacker) map[string]wrapping {
	takeID := func(e, from *etree.Element) *etree.Element {
		e.CreateAttr("ID", attr(from, "ID"))
		return e
	}
	out := map[string]wrapping{}
	build := func(
		name string, check Check, got string, wrap func(response, assertion, signature, evil *etree.Element),
	) {
		response, assertion, signature := a.good()
		wrap(response, assertion, signature, forged())
		out[name] = wrapping{a.text(response), check, got}
	}
	build("the forged one before", CheckAssertions, twoAssertions, func(r, as, _, evil *etree.Element) {
		r.InsertChildAt(as.Index(), evil)
	})
	build("the forged one after", CheckAssertions, twoAssertions, func(r, _, _, evil *etree.Element) {
		r.AddChild(evil)
	})
	build("the forged one before, with the same ID", CheckDocument, sameID, func(r, as, _, evil *etree.Element) {
		r.InsertChildAt(as.Index(), takeID(evil, as))
	})
	build("the forged one after, with the same ID", CheckDocument, sameID, func(r, as, _, evil *etree.Element) {
		r.AddChild(takeID(evil, as))
	})
	build("the signed one inside the forged one", CheckAssertions, twoAssertions, func(r, as, _, evil *etree.Element) {
		r.RemoveChild(as)
		evil.AddChild(as)
		r.AddChild(evil)
	})
	build("the signed one in the forged one's signature", CheckAssertions, twoAssertions,
		func(r, as, sig, evil *etree.Element) {
			r.RemoveChild(as)
			as.RemoveChild(sig)
			evil.InsertChildAt(1, sig)
			sig.CreateElement("Object").AddChild(as)
			r.AddChild(evil)
		})
	build("the forged one takes the signature, the signed one stays beside it", CheckAssertions, twoAssertions,
		func(r, as, sig, evil *etree.Element) {
			as.RemoveChild(sig)
			evil.InsertChildAt(1, sig)
			r.AddChild(evil)
		})
	build("the forged one takes the signature", CheckSignature, "#", func(r, as, sig, evil *etree.Element) {
		as.RemoveChild(sig)
		evil.InsertChildAt(1, sig)
		r.RemoveChild(as)
		r.AddChild(evil)
	})
	build("the forged one takes the signature and the ID", CheckSignature, notThatDigest,
		func(r, as, sig, evil *etree.Element) {
			as.RemoveChild(sig)
			takeID(evil, as).InsertChildAt(1, sig)
			r.RemoveChild(as)
			r.AddChild(evil)
		})
	build("the signed one in the response's extensions", CheckAssertions, twoAssertions,
		func(r, as, _, evil *etree.Element) {
			r.RemoveChild(as)
			r.CreateElement("samlp:Extensions").AddChild(as)
			r.AddChild(evil)
		})
	build("the signed one in the status detail", CheckAssertions, twoAssertions, func(r, as, _, evil *etree.Element) {
		r.RemoveChild(as)
		child(r, nsProtocol, "Status").CreateElement("samlp:StatusDetail").AddChild(as)
		r.AddChild(evil)
	})
	build("the whole response in an object of a second signature", CheckAssertions, twoAssertions,
		func(r, as, sig, evil *etree.Element) {
			whole := r.Copy()
			r.CreateAttr("ID", "_outer") // the signed one keeps its own
			r.RemoveChild(as)
			evil.InsertChildAt(1, sig.Copy())
			object := etree.NewElement("ds:Object")
			object.CreateAttr("xmlns:ds", nsSignature)
			object.AddChild(whole)
			r.AddChild(object)
			r.AddChild(evil)
		})
	build("a response in the response", CheckAssertions, twoAssertions, func(r, as, _, evil *etree.Element) {
		whole := r.Copy()
		r.CreateAttr("ID", "_outer")
		r.RemoveChild(as)
		r.AddChild(whole)
		r.AddChild(evil)
	})
	build("a forged subject beside the signed one", CheckSignature, notThatDigest, func(_, as, _, evil *etree.Element) {
		as.AddChild(child(evil, nsAssertion, "Subject"))
	})
	build("a forged name beside the signed one", CheckSignature, notThatDigest, func(_, as, _, evil *etree.Element) {
		child(as, nsAssertion, "Subject").AddChild(child(child(evil, nsAssertion, "Subject"), nsAssertion, "NameID"))
	})
	build("a name inside the signed information", CheckSignature, notThatValue, func(_, _, sig, evil *etree.Element) {
		child(sig, nsSignature, "SignedInfo").CreateElement("Object").AddChild(child(evil, nsAssertion, "Subject"))
	})
	const around = "a signed response without an assertion in the signature of a forged one"
	message, id := a.aroundNoPassive(false)
	out[around] = wrapping{message, CheckSignature, "#" + id}
	message, _ = a.aroundNoPassive(true)
	out[around+", with its ID"] = wrapping{message, CheckDocument, sameID}
	return out
}

// aroundNoPassive is a forged response with the only assertion, and with the signature of an honest
// response that has none, in whose object that one stands, with this ID: nothing is there twice but
// the ID, where the forged one takes it.
func (a attacker) aroundNoPassive(takeID bool) (message, id string) {
	a.t.Helper()
	data, err := NoPassive(statement, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	signed, _, _ := a.parts(data)
	signature := child(signed, nsSignature, "Signature")
	signed.RemoveChild(signature)
	outer, assertion, _ := a.good()
	outer.RemoveChild(assertion)
	outer.AddChild(forged())
	id = attr(signed, "ID")
	if takeID {
		outer.CreateAttr("ID", id)
	}
	signature.CreateElement("Object").AddChild(signed)
	outer.InsertChildAt(1, signature)
	return a.text(outer), id
}

// TestSignatureWrappingIsRefused: whatever stands beside, around or inside the signed assertion,
// the check refuses it that is there for it.
func TestSignatureWrappingIsRefused(t *testing.T) {
	a := attacker{t, newKey(t), newKey(t)}
	for name, w := range wrappings(a) {
		t.Run(name, func(t *testing.T) {
			got, err := Verify([]byte(w.message), expect(a.key))
			var refusal *Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("accepted %+v, or failed otherwise: %v", got, err)
			}
			if refusal.Check != w.check || !strings.Contains(refusal.Got, w.got) {
				t.Errorf("refused by %s (%v), want %s: %s", refusal.Check, err, w.check, w.got)
			}
		})
	}
}

// TestASubjectInTheSignatureIsNotRead: a signature does not cover itself, so anybody can put into
// it what they like. It is not read.
func TestASubjectInTheSignatureIsNotRead(t *testing.T) {
	a := attacker{t, newKey(t), newKey(t)}
	response, _, signature := a.good()
	signature.CreateElement("Object").AddChild(child(forged(), nsAssertion, "Subject"))
	got, err := Verify([]byte(a.text(response)), expect(a.key))
	if err != nil || got.NameID != statement.NameID {
		t.Errorf("%+v, %v; want the signed name", got, err)
	}
}

// TestTricksAreRefused are attacks on algorithms, keys, encodings and parsers.
func TestTricksAreRefused(t *testing.T) {
	a := attacker{t, newKey(t), newKey(t)}
	honest := a.edit(func(s string) string { return s + "\n" })
	signedBy := func(key SigningKey) string {
		s := statement
		s.NameID = "admin@example.com"
		data, err := Response(s, key)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	hmacOf := func() string { // the public key as an HMAC secret
		response, _, signature := a.good()
		info := child(signature, nsSignature, "SignedInfo")
		child(
			info, nsSignature, "SignatureMethod",
		).CreateAttr("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
		canonical, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(info)
		if err != nil {
			t.Fatal(err)
		}
		mac := hmac.New(sha256.New, a.key.Certificate.Raw)
		mac.Write(canonical)
		child(signature, nsSignature, "SignatureValue").SetText(base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		return a.text(response)
	}
	for name, c := range map[string]struct {
		message string
		check   Check
	}{
		"a certificate of the attacker's in KeyInfo": {signedBy(a.evil), CheckSignature},
		"KeyInfo says the right certificate, another key": {
			strings.ReplaceAll(
				signedBy(a.evil), base64.StdEncoding.EncodeToString(a.evil.Certificate.Raw),
				base64.StdEncoding.EncodeToString(a.key.Certificate.Raw),
			),
			CheckSignature,
		},
		"HMAC with the public key": {hmacOf(), CheckAlgorithm},
		"SHA-1":                    {a.sign(crypto.SHA1, dsig.RSASHA1SignatureMethod), CheckAlgorithm},
		"a SHA-1 digest": {
			a.replace(
				`DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"`,
				`DigestMethod Algorithm="http://www.w3.org/2000/09/xmldsig#sha1"`,
			),
			CheckAlgorithm,
		},
		"an unknown method": {a.replace(dsig.RSASHA256SignatureMethod, "urn:none"), CheckAlgorithm},
		"no transforms":     {a.sign(crypto.SHA256, "", []string{}...), CheckAlgorithm},
		"an XPath transform": {
			a.sign(crypto.SHA256, "", enveloped, "http://www.w3.org/TR/1999/REC-xpath-19991116"), CheckAlgorithm,
		},
		"an XSLT transform": {
			a.sign(crypto.SHA256, "", enveloped, exclusiveC14N, "http://www.w3.org/TR/1999/REC-xslt-19991116"),
			CheckAlgorithm,
		},
		"another canonicalization than what was digested": {
			a.sign(crypto.SHA256, "", enveloped, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"), CheckSignature,
		},
		"a comment in what is signed with comments": {
			strings.Replace(
				a.sign(crypto.SHA256, "", enveloped, exclusiveC14N+"WithComments"), "ada@example.com",
				"admin@example.com<!-- -->", 1,
			),
			CheckSignature,
		},
		"a canonicalization that nobody knows": {
			a.sign(crypto.SHA256, "", enveloped, "http://www.w3.org/2010/xml-c14n2"), CheckAlgorithm,
		},
		"a canonicalization after another": {
			a.sign(crypto.SHA256, "", enveloped, exclusiveC14N, exclusiveC14N), CheckAlgorithm,
		},
		"canonicalization only":             {a.sign(crypto.SHA256, "", exclusiveC14N), CheckAlgorithm},
		"the transforms in the other order": {a.sign(crypto.SHA256, "", exclusiveC14N, enveloped), CheckAlgorithm},
		"a reference to the whole document": {a.edit(func(s string) string {
			i := strings.Index(s, `URI="#`)
			return s[:i] + `URI=""` + s[i+len(`URI="#_`)+33:]
		}), CheckSignature},
		"two references": {a.edit(func(s string) string {
			i, j := strings.Index(s, "<Reference"), strings.Index(s, "</Reference>")+len("</Reference>")
			return s[:j] + s[i:j] + s[j:]
		}), CheckSignature},
		"two signatures": {a.edit(func(s string) string {
			i, j := strings.Index(s, "<Signature "), strings.Index(s, "</Signature>")+len("</Signature>")
			return s[:j] + s[i:j] + s[j:]
		}), CheckSignature},
		"an empty signature value": {a.edit(func(s string) string {
			i, j := strings.Index(s, "<SignatureValue>"), strings.Index(s, "</SignatureValue>")
			return s[:i+16] + s[j:]
		}), CheckSignature},
		"a signature in another place": {a.edit(func(s string) string {
			i, j := strings.Index(s, "<Signature "), strings.Index(s, "</Signature>")+12
			return strings.Replace(s[:i]+s[j:], "<samlp:Status>", s[i:j]+"<samlp:Status>", 1)
		}), CheckSignature},
		"a signature without namespace": {
			a.replace(`<Signature xmlns="`+nsSignature+`">`, `<Signature xmlns="urn:x">`), CheckSignature,
		},
		"an assertion of another namespace": {
			a.replace(`<Assertion xmlns="`+nsAssertion+`"`, `<Assertion xmlns="urn:oasis:names:tc:SAML:1.0:assertion"`),
			CheckAssertions,
		},
		"the prefix moved to another namespace": {
			a.replace(`xmlns:samlp="`+nsProtocol+`"`, `xmlns:samlp="urn:x"`), CheckDocument,
		},
		"a prefix taken back": {a.replace("<samlp:Status>", `<samlp:Status xmlns:x="">`), CheckDocument},
		"xmlns as a prefix": {
			a.replace("<samlp:Status>", `<samlp:Status xmlns:xmlns="urn:x">`), CheckDocument,
		},
		"a name with two colons":        {a.replace("<samlp:Status>", `<samlp:Status a:b:c="">`), CheckDocument},
		"a name that ends with a colon": {a.replace("<samlp:Status>", `<samlp:Status><x:/>`), CheckDocument},
		"an attribute twice":            {a.replace("<samlp:Status>", `<samlp:Status a="1" a="2">`), CheckDocument},
		"the same ID in another case": {a.edit(func(s string) string {
			id := s[strings.Index(s, `URI="#`)+6:][:33]
			return strings.Replace(s, "<samlp:Status>", `<samlp:Status id="`+id+`">`, 1)
		}), CheckDocument},
		"a processing instruction in the name": {
			a.replace("ada@example.com", "admin@example.com<?x?>.evil.example"), CheckDocument,
		},
		"a CDATA section in the name": {a.replace("ada@example.com", "<![CDATA[admin@example.com]]>"), CheckDocument},
		"an element in the name":      {a.replace("ada@example.com", "admin@example.com<x/>"), CheckSignature},
		"an unknown entity":           {a.replace("ada@example.com", "&admin;"), CheckDocument},
		"an entity that names a file": {
			`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + strings.Replace(
				honest, "ada@example.com", "&x;", 1,
			),
			CheckDocument,
		},
		"entities that multiply": {
			`<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>` + strings.Replace(
				honest, "ada@example.com", "&b;", 1,
			),
			CheckDocument,
		},
		"a reference to a character that is none": {a.replace("ada@example.com", "&#0;"), CheckDocument},
		"a zero byte":              {a.replace("ada@example.com", "ada@example.com\x00"), CheckDocument},
		"UTF-16":                   {utf16Of(honest), CheckDocument},
		"Latin-1, said so":         {`<?xml version="1.0" encoding="ISO-8859-1"?>` + honest, CheckDocument},
		"bytes that are not UTF-8": {a.replace("Ada", "Ad\xe4"), CheckDocument},
		"XML 1.1":                  {`<?xml version="1.1"?>` + honest, CheckDocument},
		"a style sheet":            {`<?xml version="1.0"?><?xml-stylesheet href="x"?>` + honest, CheckDocument},
		"very deep": {
			a.replace("<samlp:Status>", strings.Repeat("<a>", 5000)+strings.Repeat("</a>", 5000)+"<samlp:Status>"),
			CheckDocument,
		},
		"very wide": {a.replace("<samlp:Status>", strings.Repeat("<a/>", 20_000)+"<samlp:Status>"), CheckDocument},
		"very long": {
			a.replace("<samlp:Status>", "<a>"+strings.Repeat("x", MaxMessage)+"</a><samlp:Status>"), CheckDocument,
		},
		"cut off":              {honest[:len(honest)/2], CheckDocument},
		"tags that cross":      {a.replace("<samlp:Status>", "<a><b></a></b><samlp:Status>"), CheckDocument},
		"text before the root": {"x" + honest, CheckDocument},
		"an unsigned response with a signed Destination only in an attribute": {
			a.replace(
				`Destination="https://center.example/acs"`,
				`destination="https://center.example/acs" Destination="https://evil.example/"`,
			),
			CheckDestination,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Verify([]byte(c.message), expect(a.key))
			var refusal *Refusal
			if !errors.As(err, &refusal) {
				t.Fatalf("accepted %+v, or failed otherwise: %v", got, err)
			}
			if refusal.Check != c.check {
				t.Errorf("refused by %s (%v), want %s", refusal.Check, err, c.check)
			}
		})
	}
	if got, err := Verify([]byte(honest), expect(a.key)); err != nil || got.NameID != statement.NameID {
		t.Errorf("the honest one: %+v, %v", got, err)
	}
}

func utf16Of(s string) string {
	var b bytes.Buffer
	b.WriteString("\xff\xfe")
	for _, u := range utf16.Encode([]rune(s)) {
		b.WriteByte(byte(u))      // #nosec G115 -- the low half
		b.WriteByte(byte(u >> 8)) // #nosec G115 -- the high half
	}
	return b.String()
}

// TestANameThatIsSignedWithACommentIsReadWhole: canonicalization drops comments, so that a
// signature does not notice one. What counts is that the name is read as it was signed.
func TestANameThatIsSignedWithACommentIsReadWhole(t *testing.T) {
	key := newKey(t)
	s := statement
	s.NameID = "admin@example.com.evil.example"
	data, err := Response(s, key)
	if err != nil {
		t.Fatal(err)
	}
	split := strings.Replace(string(data), "admin@example.com.evil", "admin@example.com<!-- -->.evil", 1)
	got, err := Verify([]byte(split), expect(key))
	if err != nil || got.NameID != s.NameID {
		t.Errorf("%+v, %v; want the whole name", got, err)
	}
}

// TestSeveralCertificatesAndAnEmptyList: each of them is accepted, and none means nobody.
func TestSeveralCertificatesAndAnEmptyList(t *testing.T) {
	old, current := newKey(t), newKey(t)
	want := expect(old)
	want.Certificates = append(want.Certificates, current.Certificate)
	for _, key := range []SigningKey{old, current} {
		data, err := Response(statement, key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(data, want); err != nil {
			t.Errorf("by one of two certificates: %v", err)
		}
		want := want
		want.Certificates = nil
		if _, err := Verify(data, want); err == nil {
			t.Error("accepted without any certificate")
		}
		want.Certificates = []*x509.Certificate{newKey(t).Certificate}
		if _, err := Verify(data, want); err == nil {
			t.Error("accepted by another certificate")
		}
	}
}

// FuzzScan keeps scan as strict as what it stands in for: what it accepts, encoding/xml reads to
// its end, and it survives being written again.
func FuzzScan(f *testing.F) {
	key := newKey(f)
	good, err := Response(statement, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, seed := range []string{
		`<a/>`, `<?xml version="1.0" encoding="utf-8"?><a b='c'>&#x41;&amp;<!-- x --></a>`,
		`<a:b xmlns:a="u" a:c="d"/>`, `<a><![CDATA[x]]></a>`, `<a>]]></a>`, `<a b="<"/>`, `<x::y/>`, `<:x/>`,
		`<a xmlns:="x"/>`, "<a b='1\n\t2'/>", "<a\r\n b=\"1\"\t/>", `<a>&#xD800;</a>`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if data = bytes.Clone(data); scan(data) != nil {
			return
		}
		d := xml.NewDecoder(bytes.NewReader(data))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("scan accepts what encoding/xml does not: %v", err)
			}
		}
		if err := roundtrip.Validate(bytes.NewReader(data)); err != nil {
			t.Fatalf("scan accepts what changes when it is written again: %v", err)
		}
	})
}
