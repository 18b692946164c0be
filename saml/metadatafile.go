package saml

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// MaxMetadataFile is how long a file with metadata may be, which may be UTF-16.
const MaxMetadataFile = 2*MaxMetadata + 2 //bound:body a file with metadata, in bytes

// ParseServiceProvider reads a service provider's metadata.
func ParseServiceProvider(data []byte) (ServiceProvider, error) {
	f, err := openMetadata(data, "SPSSODescriptor")
	if err != nil {
		return ServiceProvider{}, fmt.Errorf("read the metadata: %w", err)
	}
	sp := ServiceProvider{EntityID: f.entityID, ValidUntil: f.validUntil}
	var others []string // bindings of other services
	var first, plain, last []string
	for _, role := range f.roles {
		for _, acs := range children(role, nsMetadata, "AssertionConsumerService") {
			location := strings.TrimSpace(attr(acs, "Location"))
			isDefault := strings.TrimSpace(attr(acs, "isDefault"))
			switch {
			case attr(acs, "Binding") != BindingPOST || location == "":
				others = append(others, attr(acs, "Binding"))
			case isTrue(isDefault):
				first = append(first, location)
			case isDefault == "": // before those that say that they are not the default (SAML metadata §2.2.3)
				plain = append(plain, location)
			default:
				last = append(last, location)
			}
		}
	}
	sp.ACSURLs = slices.Concat(first, plain, last)
	if len(sp.ACSURLs) == 0 {
		return ServiceProvider{}, fmt.Errorf(
			"the metadata of %s has no AssertionConsumerService with the HTTP-POST binding%s: "+
				"have the service provider offer one", f.entityID, only(others),
		)
	}
	return sp, nil
}

// only names what a file has instead.
func only(bindings []string) string {
	if len(bindings) == 0 {
		return ""
	}
	slices.Sort(bindings)
	return ", only " + strings.Join(slices.Compact(bindings), " and ")
}

// ParseIdentityProvider reads an identity provider's metadata. Only signing keys of the
// IDPSSODescriptor count: Entra's document has WS-Federation roles with keys of their own. A
// signature over the document is not judged, since the administrator who uploads it is who vouches
// for it. A key that no signature could be verified with is left out, and named, as long as there
// is another.
func ParseIdentityProvider(data []byte) (IdentityProvider, error) {
	f, err := openMetadata(data, "IDPSSODescriptor")
	if err != nil {
		return IdentityProvider{}, fmt.Errorf("read the metadata: %w", err)
	}
	if len(f.roles) > 1 {
		return IdentityProvider{}, fmt.Errorf(
			"the metadata of %s has %d IDPSSODescriptors for SAML 2.0: upload one that has one; %s",
			f.entityID, len(f.roles), f.again(),
		)
	}
	idp := IdentityProvider{EntityID: f.entityID, ValidUntil: f.validUntil}
	var others []string
	for _, s := range children(f.roles[0], nsMetadata, "SingleSignOnService") {
		location := strings.TrimSpace(attr(s, "Location"))
		switch attr(s, "Binding") { // of several the first: none is better than the others
		case BindingRedirect:
			idp.SignInURL = cmp.Or(idp.SignInURL, location)
		case BindingPOST:
			idp.SignInPOST = cmp.Or(idp.SignInPOST, location)
		default:
			others = append(others, attr(s, "Binding"))
		}
	}
	idp.Certificates, idp.Ignored = signingCertificates(f.roles[0])
	switch {
	case idp.SignInURL == "" && idp.SignInPOST == "":
		return IdentityProvider{}, fmt.Errorf(
			"the metadata of %s has no SingleSignOnService with the HTTP-Redirect or the HTTP-POST binding%s; %s",
			f.entityID, only(others), f.again(),
		)
	case len(idp.Certificates) == 0 && len(idp.Ignored) == 0:
		return IdentityProvider{}, fmt.Errorf(
			"the metadata of %s has no signing certificate in its IDPSSODescriptor%s; %s", f.entityID,
			onlyForEncryption(f.roles[0]), f.again(),
		)
	case len(idp.Certificates) == 0:
		return IdentityProvider{}, fmt.Errorf(
			"the metadata of %s has no signing certificate that can be used: %s; give the identity provider "+
				"another signing key, and %s", f.entityID, strings.Join(idp.Ignored, "; "), f.again(),
		)
	}
	return idp, nil
}

// onlyForEncryption says of a role without signing keys that it has others.
func onlyForEncryption(role *etree.Element) string {
	if len(children(role, nsMetadata, "KeyDescriptor")) == 0 {
		return ""
	}
	return ", whose keys are only for encryption"
}

// metadataFile is one entity of a file with metadata.
type metadataFile struct {
	entityID   string
	roles      []*etree.Element // of the wanted kind, for SAML 2.0
	validUntil time.Time        // zero: it does not say
}

// openMetadata reads a file as vendors publish them and people save them, and finds the only entity
// in it with a role, which may stand in EntitiesDescriptors.
func openMetadata(data []byte, role string) (f metadataFile, err error) {
	if len(data) > MaxMetadataFile {
		return f, errTooLong
	}
	text, err := plainText(data)
	if err != nil {
		return f, err
	}
	if utf8.RuneCount(text) > MaxMetadata {
		return f, errTooLong
	}
	root, err := parse(text, len(text))
	if err != nil {
		return f, err
	}
	entities := entitiesOf(root)
	if len(entities) == 0 {
		return f, fmt.Errorf("the root is <%s> and not a SAML 2.0 EntityDescriptor: upload SAML metadata",
			root.FullTag())
	}
	var found, others []string
	for _, e := range entities {
		roles := rolesOf(e, role)
		if len(roles) == 0 {
			others = append(others, describe(e))
			continue
		}
		f = metadataFile{strings.TrimSpace(attr(e, "entityID")), roles, validUntil(roles)}
		found = append(found, f.entityID)
	}
	const named = 5 // of those that are too many
	switch {
	case len(found) == 0:
		return f, fmt.Errorf(
			"there is no %s for SAML 2.0 in it: it describes %s. %s", role, strings.Join(others[:min(len(others),
				named)], ", "),
			map[string]string{
				"IDPSSODescriptor": "Upload the identity provider's metadata",
				"SPSSODescriptor":  "Upload the service provider's metadata",
			}[role],
		)
	case len(found) > 1:
		return f, fmt.Errorf(
			"it describes %d entities with an %s (%s): upload the metadata of one", len(found), role,
			strings.Join(found[:min(len(found), named)], ", "),
		)
	case f.entityID == "":
		return f, errors.New("the EntityDescriptor has no entityID")
	}
	return f, nil
}

// validUntil is when roles, or something around them, say that they are no longer valid: the
// earliest of these times. One that cannot be read says nothing. Source: SAML metadata §2.3 and
// §2.4.1.
func validUntil(roles []*etree.Element) (earliest time.Time) {
	for _, e := range roles {
		for ; e != nil; e = e.Parent() {
			text := strings.TrimSpace(attr(e, "validUntil"))
			at, err := time.Parse(time.RFC3339, text)
			if err != nil { // XML's times need no zone, and all of SAML's are in UTC (SAML core §1.3.3)
				at, err = time.Parse("2006-01-02T15:04:05", text)
			}
			if err == nil && (earliest.IsZero() || at.Before(earliest)) {
				earliest = at.UTC()
			}
		}
	}
	return earliest
}

// Expired says of metadata that was valid until a time only what a person should know who reads it
// now; empty: nothing. It is taken all the same: vendors write the end of their certificate there,
// and do not write the file anew when they replace that one.
func Expired(until, now time.Time) string {
	if until.IsZero() || now.Before(until) {
		return ""
	}
	return "the metadata says that it was valid until " + until.Format("2006-01-02 15:04 MST") +
		": download it again, since newer metadata may have other keys or addresses"
}

// IsXML says whether a file begins like XML, in UTF-8 or in UTF-16, with or without a byte order
// mark: like metadata, and not like a certificate, which begins with a dash (PEM), with 0x30 (DER)
// or with M (base64), or an address.
func IsXML(file []byte) bool {
	const blank = 1 << 10 //bound:none what is looked at
	start := bytes.TrimLeft(file[:min(len(file), blank)], "\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
	return bytes.HasPrefix(start, []byte("<"))
}

var errTooLong = fmt.Errorf("the document is longer than %d characters", MaxMetadata)

// entitiesOf are the entities of a document. A document that has one entity around which there are
// EntitiesDescriptors says the same as that entity alone.
func entitiesOf(e *etree.Element) (list []*etree.Element) {
	if is(e, nsMetadata, "EntityDescriptor") {
		return []*etree.Element{e}
	}
	if is(e, nsMetadata, "EntitiesDescriptor") {
		for _, c := range e.ChildElements() {
			list = append(list, entitiesOf(c)...)
		}
	}
	return list
}

// rolesOf are the roles of one kind that an entity has in SAML 2.0. The same kind may stand beside
// it for SAML 1.1, with addresses and keys of its own (SAML metadata §2.4.1). One that does not say
// what it is for is taken for what its kind says.
func rolesOf(entity *etree.Element, role string) (list []*etree.Element) {
	for _, r := range children(entity, nsMetadata, role) {
		protocols := strings.Fields(attr(r, "protocolSupportEnumeration"))
		if len(protocols) == 0 || slices.Contains(protocols, nsProtocol) {
			list = append(list, r)
		}
	}
	return list
}

// describe says which roles an entity has.
func describe(entity *etree.Element) string {
	var roles []string
	for _, c := range entity.ChildElements() {
		if kind, ok := strings.CutSuffix(c.Tag, "Descriptor"); ok && kind != "" {
			roles = append(roles, strings.TrimSpace(c.Tag+" "+attr(c, "protocolSupportEnumeration")))
		}
	}
	slices.Sort(roles)
	return fmt.Sprintf("%q with %s", attr(entity, "entityID"), cmp.Or(strings.Join(slices.Compact(roles), ", "),
		"no role"))
}

// again says where the vendor of an identity provider has its metadata, as far as the entity id
// tells who that is. Sources: the vendors' own pages.
func (f metadataFile) again() string {
	for _, v := range []struct{ part, where string }{
		{"sts.windows.net/", "in Entra ID it is Federation Metadata XML on the application's Single sign-on page"},
		{"/adfs/", "AD FS has it at /FederationMetadata/2007-06/FederationMetadata.xml"},
		{"okta.com/", "in Okta it is behind View IdP metadata on the application's Sign On tab"},
		{"onelogin.com/", "in OneLogin it is SAML Metadata among the application's More Actions"},
		{"accounts.google.com/", "in Google Workspace it is Download metadata on the SAML app's page"},
		{"/realms/", "Keycloak has it at /realms/NAME/protocol/saml/descriptor"},
		{"/idp/shibboleth", "Shibboleth has it in metadata/idp-metadata.xml of its folder"},
		{"simplesaml", "SimpleSAMLphp has it on the metadata page of its identity provider"},
		{"pingone", "in PingOne it is Download Metadata on the application's Configuration tab"},
		{"jumpcloud", "in JumpCloud it is Export Metadata on the application's SSO tab"},
	} {
		if strings.Contains(strings.ToLower(f.entityID), v.part) {
			return v.where
		}
	}
	return "download the metadata from the identity provider again"
}

// encodingOf finds the encoding in an XML declaration at the beginning.
var encodingOf = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^<\?xml[^>?]{1,100}?(\sencoding\s*=\s*["']([A-Za-z0-9._-]{1,40})["'])`)
})

// plainText turns a file with metadata into UTF-8 that begins with its declaration or its root. It
// came from an administrator or an address that one has named, and nobody else reads it: here it is
// enough that there is one way to read it. Messages, which strangers send, get none of this.
//
//   - UTF-16 is told by its byte order mark, or by the first letter (XML 1.0 appendix F), as
//     PowerShell's Out-File and Windows' editors write it. What the declaration says of the
//     encoding is then what it was before.
//   - A declaration may say UTF-16 although the bytes are UTF-8, as .NET's strings do when they are
//     saved: bytes that can be read are no UTF-16.
//   - ISO-8859-1 and US-ASCII have one letter for each byte.
//   - Blank lines before the declaration come from copying.
func plainText(data []byte) ([]byte, error) {
	data, decoded := utf8Of(data)
	data = bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\ufeff")), " \t\r\n")
	if err := otherThanXML(data); err != nil {
		return nil, err
	}
	at := encodingOf().FindSubmatchIndex(data)
	if at == nil {
		return data, nil
	}
	switch name := strings.ToLower(string(data[at[4]:at[5]])); {
	case name == "utf-8":
		return data, nil
	case decoded, name == "utf-16", name == "us-ascii":
	case name == "iso-8859-1":
		letters := make([]rune, len(data))
		for i, b := range data {
			letters[i] = rune(b)
		}
		data = []byte(string(letters)) // the declaration is ASCII, and stays where it is
	default:
		return nil, fmt.Errorf("its encoding is %s: save it as UTF-8", name)
	}
	return slices.Concat(data[:at[2]], data[at[3]:]), nil
}

// UTF8 turns a file in UTF-16 into UTF-8, and leaves any other as it is, without a byte order mark.
// It is for who hands on what a file says as a text.
func UTF8(file []byte) []byte {
	text, _ := utf8Of(file)
	return bytes.TrimPrefix(text, []byte("\ufeff"))
}

func utf8Of(data []byte) (text []byte, decoded bool) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("<\x00")):
		return fromUTF16(data, binary.LittleEndian), true
	case bytes.HasPrefix(data, []byte("\xfe\xff")), bytes.HasPrefix(data, []byte("\x00<")):
		return fromUTF16(data, binary.BigEndian), true
	}
	return data, false
}

func fromUTF16(data []byte, order binary.ByteOrder) []byte {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return []byte(string(utf16.Decode(units)))
}

// otherThanXML says what a file is that people upload instead of metadata.
func otherThanXML(data []byte) error {
	head := strings.ToLower(string(data[:min(len(data), 100)]))
	for _, kind := range []struct{ begin, what string }{
		{"-----begin", "it is a PEM file, such as a certificate: upload SAML metadata, which is XML"},
		{"0\ufffd", "it is a certificate in DER: upload SAML metadata, which is XML"},
		{"pk\x03\x04", "it is a ZIP archive: upload the XML file in it"},
		{`{\rtf`, "it is a word processor's document (RTF): save it as plain text, with the XML alone in it"},
		{"{", "it is JSON, such as OpenID Connect's configuration: upload SAML metadata, which is XML"},
		{"<!doctype html", "it is a web page, such as a sign-in page: upload the XML document itself"},
		{"<html", "it is a web page, such as a sign-in page: upload the XML document itself"},
	} {
		if strings.HasPrefix(head, kind.begin) {
			return errors.New(kind.what)
		}
	}
	switch {
	case head == "":
		return errors.New("it is empty")
	case strings.HasPrefix(head, "https://"), strings.HasPrefix(head, "http://"):
		return errors.New("it is an address: download what is there, and upload that")
	case strings.HasPrefix(head, "&lt;"):
		return errors.New("its angle brackets are escaped, as on a page that shows XML: download the file itself")
	case head[0] != '<': // also base64, PDF, YAML and what word processors save
		return errors.New("it is not XML, since it does not begin with \"<\": upload SAML metadata, which is XML")
	case !bytes.HasSuffix(bytes.TrimRight(data, " \t\r\n"), []byte(">")):
		return errors.New("it ends before its root element does: download it again, and upload all of it")
	}
	return nil
}
