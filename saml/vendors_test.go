package saml

import (
	"crypto/dsa" //nolint:staticcheck // such keys are to be refused
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// A certificate as metadata has it.
func base64Of(der []byte) string { return base64.StdEncoding.EncodeToString(der) }

func certificateOf(t *testing.T, public, signer any) []byte {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7),
		Subject:      pkix.Name{CommonName: "a key of the vendor"},
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// negative makes the serial number of a certificate negative, as some appliances write it. Nobody
// checks the signature over a self-signed certificate.
func negative(t *testing.T, der []byte) []byte {
	t.Helper()
	at := slices.Index(der, 7) // the serial number is the first seven
	if at < 2 || der[at-1] != 1 || der[at-2] != asn1.TagInteger {
		t.Fatal("the serial number is not where it was")
	}
	out := slices.Clone(der)
	out[at] = 0x87
	return out
}

// withDSA puts a DSA key into a certificate.
func withDSA(t *testing.T, der []byte) []byte {
	t.Helper()
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	var parts struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &parts); err != nil {
		t.Fatal(err)
	}
	numbers, err := asn1.Marshal(dsa.Parameters{P: big.NewInt(23), Q: big.NewInt(11), G: big.NewInt(4)})
	if err != nil {
		t.Fatal(err)
	}
	y, err := asn1.Marshal(big.NewInt(9))
	if err != nil {
		t.Fatal(err)
	}
	key, err := asn1.Marshal(struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}{
		pkix.AlgorithmIdentifier{
			Algorithm: asn1.ObjectIdentifier{1, 2, 840, 10040, 4, 1}, Parameters: asn1.RawValue{FullBytes: numbers},
		},
		asn1.BitString{Bytes: y, BitLength: 8 * len(y)},
	})
	if err != nil {
		t.Fatal(err)
	}
	inside := strings.Replace(string(parts.TBS.Bytes), string(cert.RawSubjectPublicKeyInfo), string(key), 1)
	tbs, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: []byte(inside)})
	if err != nil {
		t.Fatal(err)
	}
	parts.TBS = asn1.RawValue{FullBytes: tbs}
	out, err := asn1.Marshal(parts)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const (
	vendorID  = "https://idp.vendor.example/saml"
	vendorSSO = "https://idp.vendor.example/sso"
)

// idpKey is a KeyDescriptor for signing.
func idpKey(certificate string) string {
	return `<md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="` + nsSignature + `"><ds:X509Data>` +
		`<ds:X509Certificate>` + certificate + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>`
}

func service(tag, binding, location, more string) string {
	return `<md:` + tag + ` Binding="` + binding + `" Location="` + location + `" ` + more + `/>`
}

func role(tag, protocols, inside string) string {
	return `<md:` + tag + ` protocolSupportEnumeration="` + protocols + `">` + inside + `</md:` + tag + `>`
}

func entityOf(id, attributes, inside string) string {
	return `<md:EntityDescriptor xmlns:md="` + nsMetadata + `" entityID="` + id + `" ` + attributes + `>` + inside +
		`</md:EntityDescriptor>`
}

func group(inside string) string {
	return `<md:EntitiesDescriptor xmlns:md="` + nsMetadata + `" Name="ours">` + inside + `</md:EntitiesDescriptor>`
}

// utf16As writes text as UTF-16, with a byte order mark.
func utf16As(order binary.AppendByteOrder, s string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune("\ufeff" + s)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

const declaration = `<?xml version="1.0" encoding="UTF-8"?>`

// TestIdentityProvidersFilesAreRead: files as vendors publish them and people save them.
func TestIdentityProvidersFilesAreRead(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	good := base64Of(key.Certificate.Raw)
	redirect := service("SingleSignOnService", BindingRedirect, vendorSSO, "")
	idp := func(inside string) string { return role("IDPSSODescriptor", nsProtocol, inside) }
	usual := entityOf(vendorID, "", idp(idpKey(good)+redirect))
	old := role("IDPSSODescriptor", "urn:oasis:names:tc:SAML:1.1:protocol urn:mace:shibboleth:1.0",
		idpKey(base64Of(newKey(t).Certificate.Raw))+
			service("SingleSignOnService", "urn:mace:shibboleth:1.0:profiles:AuthnRequest", "https://old.example/", ""))
	armored := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: key.Certificate.Raw}))
	for name, file := range map[string]string{
		"the usual one": declaration + usual,
		"xmlns:xml declared": declaration + entityOf(vendorID, `xmlns:xml="`+nsXML+`" xml:lang="en"`,
			idp(idpKey(good)+redirect)),
		"blank lines first":   "\r\n\r\n  " + declaration + "\r\n" + usual + "\r\n",
		"a byte order mark":   "\ufeff" + declaration + usual,
		"both":                "\ufeff\n" + declaration + usual,
		"UTF-16":              string(utf16As(binary.LittleEndian, `<?xml version="1.0" encoding="utf-16"?>`+usual)),
		"UTF-16, big":         string(utf16As(binary.BigEndian, `<?xml version="1.0" encoding="utf-16"?>`+usual)),
		"UTF-16 by a shell":   string(utf16As(binary.LittleEndian, declaration+"\r\n"+usual)),
		"UTF-16 without mark": string(utf16As(binary.LittleEndian, usual)[2:]),
		"a .NET string":       `<?xml version="1.0" encoding="utf-16"?>` + usual,
		"Latin-1": `<?xml version='1.0' encoding='ISO-8859-1' standalone="yes"?><!-- B` + "\xfc" +
			`ro -->` + usual,
		"ASCII":      `<?xml version="1.0" encoding="us-ascii"?>` + usual,
		"in a group": declaration + group(usual),
		"in a group beside a service provider": group(usual + entityOf("https://sp.example/", "",
			role("SPSSODescriptor", nsProtocol, service("AssertionConsumerService", BindingPOST,
				"https://sp.example/acs", "")))),
		"in groups":      group(group(usual)),
		"1.1 beside 2.0": entityOf(vendorID, "", old+idp(idpKey(good)+redirect)),
		"2.0 before 1.1": entityOf(vendorID, "", idp(idpKey(good)+redirect)+old),
		"one role for both": entityOf(vendorID, "", role("IDPSSODescriptor",
			"urn:oasis:names:tc:SAML:1.1:protocol "+nsProtocol, idpKey(good)+redirect)),
		"PEM inside": entityOf(vendorID, "", idp(idpKey("\n"+armored)+redirect)),
		"PEM on one line": entityOf(vendorID, "",
			idp(idpKey("-----BEGIN CERTIFICATE-----"+good+"-----END CERTIFICATE-----")+redirect)),
		"base64 indented": entityOf(vendorID, "",
			idp(idpKey("\n\t\t"+good[:76]+"\n\t\t"+good[76:]+"\n\t")+redirect)),
		"the same key twice": entityOf(vendorID, "", idp(idpKey(good)+idpKey(good)+redirect)),
		"several addresses": entityOf(vendorID, "", idp(idpKey(good)+redirect+service("SingleSignOnService",
			BindingRedirect, "https://second.example/", ""))),
		"SOAP and artifact also": entityOf(vendorID, "", idp(idpKey(good)+service("SingleSignOnService",
			"urn:oasis:names:tc:SAML:2.0:bindings:SOAP", "https://soap.example/", "")+redirect)),
	} {
		got, err := ParseIdentityProvider([]byte(file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got.EntityID != vendorID || got.SignInURL != vendorSSO || len(got.Certificates) != 1 ||
			!got.Certificates[0].Equal(key.Certificate) || len(got.Ignored) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
	posts := entityOf(vendorID, "", idp(idpKey(good)+service("SingleSignOnService", BindingPOST, vendorSSO, "")))
	if got, err := ParseIdentityProvider([]byte(posts)); err != nil || got.SignInPOST != vendorSSO ||
		got.SignInURL != "" {
		t.Errorf("HTTP-POST only: %+v, %v", got, err)
	}
}

// TestKeysThatCannotVerifyAreNamed: beside a good one they are left out, alone they are the reason.
func TestKeysThatCannotVerifyAreNamed(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	good := base64Of(key.Certificate.Raw)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	edwards, edwardsKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plain := certificateOf(t, key.Key.Public(), key.Key)
	redirect := service("SingleSignOnService", BindingRedirect, vendorSSO, "")
	for name, c := range map[string]struct{ key, want string }{
		"a negative serial number": {idpKey(base64Of(negative(t, plain))), "negative serial number"},
		"a short key":              {idpKey(base64Of(certificateOf(t, &weak.PublicKey, weak))), "RSA key of 1024 bits"},
		"Ed25519":                  {idpKey(base64Of(certificateOf(t, edwards, edwardsKey))), "kind Ed25519"},
		"DSA":                      {idpKey(base64Of(withDSA(t, plain))), "kind DSA"},
		"no base64":                {idpKey("###"), "not base64"},
		"no certificate":           {idpKey("AAAA"), "cannot be read"},
		"a key alone": {
			`<md:KeyDescriptor><ds:KeyInfo xmlns:ds="` + nsSignature +
				`"><ds:KeyValue/></ds:KeyInfo></md:KeyDescriptor>`,
			"no X509Certificate",
		},
	} {
		for _, keys := range []string{c.key + idpKey(good), idpKey(good) + c.key} {
			got, err := ParseIdentityProvider([]byte(entityOf(vendorID, "", role("IDPSSODescriptor", nsProtocol,
				keys+redirect))))
			if err != nil || len(got.Certificates) != 1 || !got.Certificates[0].Equal(key.Certificate) ||
				len(got.Ignored) != 1 || !strings.Contains(got.Ignored[0], c.want) {
				t.Errorf("%s beside a good one: %+v, %v", name, got.Ignored, err)
			}
		}
		_, err := ParseIdentityProvider([]byte(entityOf(vendorID, "", role("IDPSSODescriptor", nsProtocol,
			c.key+redirect))))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s alone: %v", name, err)
		}
	}
}

// TestRefusalsSayWhatIsInTheFile: and what to do for its vendor.
func TestRefusalsSayWhatIsInTheFile(t *testing.T) {
	t.Parallel()
	good := idpKey(base64Of(newKey(t).Certificate.Raw))
	redirect := service("SingleSignOnService", BindingRedirect, vendorSSO, "")
	acs := service("AssertionConsumerService", BindingPOST, "https://sp.example/acs", "")
	idp := role("IDPSSODescriptor", nsProtocol, good+redirect)
	sp := role("SPSSODescriptor", nsProtocol, acs)
	usual := entityOf(vendorID, "", idp)
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"nothing":       {" \n", []string{"empty"}},
		"a web page":    {"<!DOCTYPE html><html></html>", []string{"web page"}},
		"a certificate": {"-----BEGIN CERTIFICATE-----\nAAAA", []string{"PEM"}},
		"DER":           {"0\x82\x03\x10", []string{"DER"}},
		"an archive":    {"PK\x03\x04....", []string{"ZIP"}},
		"JSON":          {`{"issuer":"https://idp.example"}`, []string{"JSON"}},
		"an address":    {"https://idp.example/metadata\n", []string{"it is an address", "download"}},
		"escaped":       {strings.ReplaceAll(usual, "<", "&lt;"), []string{"escaped"}},
		"a document":    {`{\rtf1\ansi <md:EntityDescriptor/>}`, []string{"RTF"}},
		"base64":        {base64Of([]byte(usual)), []string{"not XML"}},
		"YAML":          {"entityID: https://idp.example/ # <a>\n", []string{"not XML"}},
		"cut off":       {usual[:len(usual)-30], []string{"ends before"}},
		"an empty certificate": {
			entityOf(vendorID, "", role("IDPSSODescriptor", nsProtocol, idpKey(" \n")+redirect)),
			[]string{"certificate 1 is empty"},
		},
		"keys for encryption": {
			entityOf(vendorID, "", role("IDPSSODescriptor", nsProtocol, strings.ReplaceAll(good, `"signing"`,
				`"encryption"`)+redirect)),
			[]string{"only for encryption"},
		},
		"another document": {"<rss/>", []string{"<rss>", "EntityDescriptor"}},
		"broken":           {"<a>\n<b>\n</a>", []string{"line 3"}},
		"an ampersand":     {entityOf("https://idp.example/?a=1&b=2", "", idp), []string{"line 1", "&amp;"}},
		"an encoding": {`<?xml version="1.0" encoding="windows-1252"?>` + usual, []string{"windows-1252",
			"UTF-8"}},
		"xmlns:xml is wrong": {entityOf(vendorID, `xmlns:xml="urn:x"`, idp), []string{"reserved"}},
		"another name for xml": {
			entityOf(vendorID, `xmlns:x="`+nsXML+`"`, idp), []string{"reserved"},
		},
		"xml as the default": {
			usual[:len(usual)-len("</md:EntityDescriptor>")] +
				`<x xmlns="&#104;ttp://www.w3.org/XML/1998/namespace"/></md:EntityDescriptor>`,
			[]string{"reserved"},
		},
		"a service provider's": {entityOf("https://sp.example/", "", sp), []string{"https://sp.example/",
			"SPSSODescriptor", "identity provider's"}},
		"for SAML 1.1 only": {
			entityOf(vendorID, "", role("IDPSSODescriptor", "urn:oasis:names:tc:SAML:1.1:protocol", good+redirect)),
			[]string{"IDPSSODescriptor urn:oasis:names:tc:SAML:1.1:protocol"},
		},
		"two in a group": {
			group(usual + entityOf("https://second.example/", "", idp)),
			[]string{"2 entities", vendorID, "https://second.example/"},
		},
		"two roles": {entityOf(vendorID, "", idp+idp), []string{"2 IDPSSODescriptors"}},
		"no name":   {entityOf("", "", idp), []string{"entityID"}},
		"no service": {
			entityOf("https://keycloak.example/realms/main", "", role("IDPSSODescriptor", nsProtocol, good+
				service("SingleSignOnService", "urn:oasis:names:tc:SAML:2.0:bindings:SOAP", vendorSSO, ""))),
			[]string{"realms/main", "only urn:oasis:names:tc:SAML:2.0:bindings:SOAP", "/protocol/saml/descriptor"},
		},
		"no key, Okta": {
			entityOf("http://www.okta.com/exk1", "", role("IDPSSODescriptor", nsProtocol, redirect)),
			[]string{"no signing certificate", "View IdP metadata"},
		},
		"no key, Entra": {
			entityOf("https://sts.windows.net/1/", "", role("IDPSSODescriptor", nsProtocol, redirect)),
			[]string{"no signing certificate", "Federation Metadata XML"},
		},
		"too long": {usual + strings.Repeat(" ", MaxMetadata), []string{"75000 characters"}},
	} {
		_, err := ParseIdentityProvider([]byte(c.file))
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", name, err, want)
			}
		}
		if err != nil && strings.Contains(err.Error(), "Federation Metadata XML") && !strings.Contains(c.file,
			"sts.windows.net") {
			t.Errorf("%s: Entra's words for another vendor: %v", name, err)
		}
	}
}

// TestServiceProvidersFilesAreRead: the default address comes first, whichever way it is said.
func TestServiceProvidersFilesAreRead(t *testing.T) {
	t.Parallel()
	acs := func(location, more string) string {
		return service("AssertionConsumerService", BindingPOST, "https://sp.example/"+location, more)
	}
	artifact := service("AssertionConsumerService", "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact",
		"https://sp.example/artifact", `index="9" isDefault="true"`)
	sp := func(inside string) string {
		return entityOf("https://sp.example/", `xmlns:xml="`+nsXML+`"`, role("SPSSODescriptor", nsProtocol, inside))
	}
	for name, c := range map[string]struct{ file, want string }{
		"true":          {sp(acs("a", "") + acs("b", `isDefault="true"`)), "b a"},
		"1":             {sp(acs("a", "") + acs("b", `isDefault="1"`)), "b a"},
		"with blanks":   {sp(acs("a", "") + acs("b", `isDefault=" 1 "`)), "b a"},
		"false":         {sp(acs("a", `isDefault="0"`) + acs("b", "")), "b a"},
		"two":           {sp(acs("a", `isDefault="1"`) + acs("b", `isDefault="true"`)), "a b"},
		"none":          {sp(acs("a", "") + acs("b", "")), "a b"},
		"artifact also": {sp(artifact + acs("a", "")), "a"},
		"in a group":    {group(sp(acs("a", ""))), "a"},
		"1.1 beside it": {
			entityOf("https://sp.example/", "", role("SPSSODescriptor", "urn:oasis:names:tc:SAML:1.1:protocol",
				acs("old", ""))+
				role("SPSSODescriptor", nsProtocol, acs("a", ""))), "a",
		},
		"UTF-16": {string(utf16As(binary.LittleEndian, sp(acs("a", "")))), "a"},
	} {
		got, err := ParseServiceProvider([]byte(c.file))
		locations := strings.ReplaceAll(strings.Join(got.ACSURLs, " "), "https://sp.example/", "")
		if err != nil || got.EntityID != "https://sp.example/" || locations != c.want {
			t.Errorf("%s: %+v, %v; want %s", name, got, err, c.want)
		}
	}
	if _, err := ParseServiceProvider([]byte(sp(artifact))); err == nil || !strings.Contains(err.Error(),
		"HTTP-Artifact") {
		t.Errorf("artifact only: %v", err)
	}
}

// TestMessagesGetNoneOfThis: what a file may do, a stranger's message may not.
func TestMessagesGetNoneOfThis(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	good, err := Response(statement, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, message := range map[string][]byte{
		"UTF-16":       utf16As(binary.LittleEndian, string(good)),
		"a .NET text":  append([]byte(`<?xml version="1.0" encoding="utf-16"?>`), good...),
		"Latin-1":      append([]byte(`<?xml version="1.0" encoding="iso-8859-1"?>`), good...),
		"a blank line": append([]byte("\n"+declaration), good...),
	} {
		if _, err := Verify(message, expect(key)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestExpiredMetadataIsNamed: the earliest time counts of what stands around a role, and one that
// cannot be read says nothing.
func TestExpiredMetadataIsNamed(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	redirect := service("SingleSignOnService", BindingRedirect, vendorSSO, "")
	inside := idpKey(base64Of(newKey(t).Certificate.Raw)) + redirect
	until := func(at string) string { return `validUntil="` + at + `"` }
	idp := func(at string) string {
		return strings.Replace(role("IDPSSODescriptor", nsProtocol, inside), "<md:IDPSSODescriptor ",
			"<md:IDPSSODescriptor "+until(at)+" ", 1)
	}
	plain := role("IDPSSODescriptor", nsProtocol, inside)
	for name, c := range map[string]struct{ file, want string }{
		"nothing said":  {entityOf(vendorID, "", plain), ""},
		"later":         {entityOf(vendorID, until("2031-01-01T00:00:00.000Z"), plain), ""},
		"unreadable":    {entityOf(vendorID, until("soon"), plain), ""},
		"on the entity": {entityOf(vendorID, until("2026-04-30T23:59:59Z"), plain), "2026-04-30 23:59 UTC"},
		"on the role": {
			entityOf(vendorID, until("2031-01-01T00:00:00Z"), idp("2025-01-01T00:00:00Z")), "2025-01-01",
		},
		"another zone":   {entityOf(vendorID, until("2026-05-01T13:00:00+02:00"), plain), "2026-05-01 11:00 UTC"},
		"without a zone": {entityOf(vendorID, until("2026-05-01T11:00:00"), plain), "2026-05-01 11:00 UTC"},
		"around entities": {
			strings.Replace(group(entityOf(vendorID, "", plain)), "Name=", until("2020-01-01T00:00:00Z")+" Name=", 1),
			"2020-01-01",
		},
		"on another role": {entityOf(vendorID, "", plain+strings.Replace(
			role("SPSSODescriptor", nsProtocol, service("AssertionConsumerService", BindingPOST, vendorSSO, "")),
			"<md:SPSSODescriptor ", "<md:SPSSODescriptor "+until("2020-01-01T00:00:00Z")+" ", 1)), ""},
	} {
		got, err := ParseIdentityProvider([]byte(c.file))
		note := Expired(got.ValidUntil, now)
		if err != nil || (note == "") != (c.want == "") || !strings.Contains(note, c.want) {
			t.Errorf("%s: %q, %v; want %q", name, note, err, c.want)
		}
	}
	sp, err := ParseServiceProvider([]byte(entityOf("https://sp.example/", until("2020-01-01T00:00:00Z"),
		role("SPSSODescriptor", nsProtocol, service("AssertionConsumerService", BindingPOST, vendorSSO, "")))))
	if err != nil || Expired(sp.ValidUntil, now) == "" {
		t.Errorf("a service provider's: %v, %v", sp.ValidUntil, err)
	}
}
