package saml

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// signedAssertion returns the assertion as the signature covers it, and the response as its own
// signature covers it, or nil when it has none.
func signedAssertion(root *etree.Element, want Expect) (assertion, response *etree.Element, err error) {
	var signatures int
	var count func(e *etree.Element)
	count = func(e *etree.Element) {
		for _, c := range e.ChildElements() {
			if is(c, nsSignature, "Signature") {
				signatures++
			}
			count(c)
		}
	}
	count(root)
	assertion = child(root, nsAssertion, "Assertion")
	onResponse, onAssertion := children(root, nsSignature, "Signature"), children(assertion, nsSignature, "Signature")
	if len(onResponse) > 1 || len(onAssertion) > 1 || signatures != len(onResponse)+len(onAssertion) {
		return nil, nil, refuse(
			CheckSignature, "at most one signature, on the response or the assertion", fmt.Sprint(signatures),
		)
	}
	if signatures == 0 {
		return nil, nil, refuse(CheckSignature, "a signature", "none")
	}
	// From here on only what Validate has returned is read: it is made of the bytes that were
	// digested, whatever else the tree has.
	if len(onResponse) == 1 {
		if response, err = verifySignature(root, onResponse[0], want); err != nil {
			return nil, nil, err
		}
		if assertion = child(response, nsAssertion, "Assertion"); assertion == nil {
			return nil, nil, refuse(CheckAssertions, "an assertion under the response's signature", "none")
		}
		onAssertion = children(assertion, nsSignature, "Signature")
	}
	if len(onAssertion) == 1 {
		assertion, err = verifySignature(assertion, onAssertion[0], want)
	}
	return assertion, response, err
}

// verifySignature checks an enveloped signature of e and returns e as it was signed. What goxmldsig
// would let pass is refused first: SHA-1, other transforms, references to elsewhere. It
// canonicalizes e by itself, so e takes along the namespaces that are declared around it.
func verifySignature(e, signature *etree.Element, want Expect) (*etree.Element, error) {
	if err := checkSignatureShape(e, signature); err != nil {
		return nil, err
	}
	context, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		return nil, refuse(CheckDocument, "namespaces that resolve", err.Error())
	}
	detached, err := etreeutils.NSDetatch(context, e)
	if err != nil {
		return nil, refuse(CheckDocument, "namespaces that resolve", err.Error())
	}
	if s := child(detached, nsSignature, "Signature"); s != nil { // the key is ours to know, not the message's to say
		for _, info := range children(s, nsSignature, "KeyInfo") {
			s.RemoveChild(info)
		}
	}
	var last error
	for _, cert := range want.Certificates {
		if key, ok := cert.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() < minRSA {
			continue
		}
		// One certificate at a time: without KeyInfo goxmldsig takes the only one that it is given.
		ctx := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{cert}})
		ctx.IdAttribute = "ID"
		ctx.Clock = dsig.NewFakeClockAt(want.Now)
		verified, err := ctx.Validate(detached)
		if err == nil {
			return verified, nil
		}
		last = err
	}
	if last == nil {
		last = fmt.Errorf("no usable certificate is configured")
	}
	return nil, refuse(CheckSignature, "a valid signature by the identity provider's key", last.Error())
}

var (
	signatureMethods = []string{
		dsig.RSASHA256SignatureMethod, dsig.RSASHA384SignatureMethod, dsig.RSASHA512SignatureMethod,
		dsig.ECDSASHA256SignatureMethod, dsig.ECDSASHA384SignatureMethod, dsig.ECDSASHA512SignatureMethod,
	}
	digestMethods = []string{
		"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384",
		"http://www.w3.org/2001/04/xmlenc#sha512",
	}
)

const (
	exclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
	enveloped     = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
)

func checkSignatureShape(e, signature *etree.Element) error {
	info := child(signature, nsSignature, "SignedInfo")
	reference := child(info, nsSignature, "Reference")
	if info == nil || reference == nil {
		return refuse(CheckSignature, "one SignedInfo with one Reference", "another shape")
	}
	// An empty URI means the whole document (XML signature §4.4.3.1), another one another element:
	// in both cases e would be read without being signed.
	if id := attr(e, "ID"); id == "" || attr(reference, "URI") != "#"+id {
		return refuse(CheckSignature, "a reference to #"+id, attr(reference, "URI"))
	}
	if m := attr(child(info, nsSignature, "SignatureMethod"), "Algorithm"); !slices.Contains(signatureMethods, m) {
		return refuse(CheckAlgorithm, "SHA-256 or stronger with RSA or ECDSA", m)
	}
	if m := attr(child(reference, nsSignature, "DigestMethod"), "Algorithm"); !slices.Contains(digestMethods, m) {
		return refuse(CheckAlgorithm, "a SHA-256 digest or stronger", m)
	}
	if m := attr(child(info, nsSignature, "CanonicalizationMethod"), "Algorithm"); m != exclusiveC14N {
		return refuse(CheckAlgorithm, exclusiveC14N, m)
	}
	var transforms []string
	for _, t := range children(child(reference, nsSignature, "Transforms"), nsSignature, "Transform") {
		transforms = append(transforms, attr(t, "Algorithm"))
	}
	// SAML core §5.4.4 wants no others: XPath and XSLT cut out of the digest what a reader still
	// sees.
	if !slices.Equal(transforms, []string{enveloped, exclusiveC14N}) {
		return refuse(
			CheckAlgorithm, "enveloped-signature, then exclusive canonicalization", strings.Join(transforms, ", "),
		)
	}
	return nil
}
