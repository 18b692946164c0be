package saml

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha512" // SHA-384 and SHA-512 of signatures
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
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
	// From here on only what verifySignature has returned is read: it is made of the bytes that
	// were digested, whatever else the tree has.
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

// verifySignature checks an enveloped signature of e, which is a child of it, and returns e read
// anew from the bytes that were digested. What the signature says of itself is read from the bytes
// that its value covers. KeyInfo is not read: the key is ours to know, not the message's to say.
func verifySignature(e, signature *etree.Element, want Expect) (*etree.Element, error) {
	info := child(signature, nsSignature, "SignedInfo")
	value := child(signature, nsSignature, "SignatureValue")
	if info == nil || value == nil {
		return nil, refuse(CheckSignature, "one SignedInfo and one SignatureValue", "another shape")
	}
	// The method and its PrefixList decide only which bytes must have been signed.
	how, err := canonicalizationOf(child(info, nsSignature, "CanonicalizationMethod"))
	if err != nil {
		return nil, err
	}
	signed, err := canonical(info, how, nil)
	if err != nil {
		return nil, refuse(CheckDocument, "namespaces that resolve", err.Error())
	}
	if info, err = reread(signed); err != nil {
		return nil, refuse(CheckDocument, "a SignedInfo", err.Error())
	}
	r, err := readReference(info, attr(e, "ID"))
	if err != nil {
		return nil, err
	}
	if err := want.trusts(r.method, signed, text(value)); err != nil {
		return nil, refuse(CheckSignature, "a valid signature by the identity provider's key", err.Error())
	}
	digested, err := canonical(e, r.how, signature)
	if err != nil {
		return nil, refuse(CheckDocument, "namespaces that resolve", err.Error())
	}
	h := r.digest.New()
	h.Write(digested)
	if !bytes.Equal(h.Sum(nil), r.value) {
		return nil, refuse(CheckSignature, "what was signed, unchanged", "it has changed since it was signed")
	}
	if e, err = reread(digested); err != nil {
		return nil, refuse(CheckDocument, "a plain XML document", err.Error())
	}
	return e, nil
}

// trusts says whether one of the certificates' keys has signed. The value may be broken and
// indented: its blanks are no part of what it says (XML Schema 2 §3.2.16).
func (want Expect) trusts(method signatureMethod, signed []byte, value string) error {
	signature, err := unspacedBase64(value)
	if err != nil {
		return errors.New("the SignatureValue is not base64")
	}
	h := method.hash.New()
	h.Write(signed)
	digest := h.Sum(nil)
	last := errors.New("no usable certificate is configured")
	for _, cert := range want.Certificates {
		if want.Now.Before(cert.NotBefore) || want.Now.After(cert.NotAfter) {
			last = errors.New("the certificate is not valid at this time")
			continue
		}
		if last = method.verify(cert, digest, signature); last == nil {
			return nil
		}
	}
	return last
}

// signatureMethod is how a signature is made.
type signatureMethod struct {
	hash  crypto.Hash
	curve bool // ECDSA; else RSA
}

var errNotVerified = errors.New("verification error")

func (m signatureMethod) verify(cert *x509.Certificate, digest, signature []byte) error {
	switch key := cert.PublicKey.(type) {
	case *rsa.PublicKey:
		if m.curve || key.N.BitLen() < minRSA {
			return errNotVerified
		}
		return rsa.VerifyPKCS1v15(key, m.hash, digest, signature)
	case *ecdsa.PublicKey:
		if m.curve && verifyCurve(key, digest, signature) {
			return nil
		}
	}
	return errNotVerified
}

// verifyCurve takes the two numbers one after the other, as XML signatures have them (XML signature
// 1.1 §6.4.3). Some signers write them as ASN.1 instead, which says the same two numbers: a
// signature is no less by the key for it.
func verifyCurve(key *ecdsa.PublicKey, digest, signature []byte) bool {
	half := (key.Curve.Params().BitSize + 7) / 8
	if len(signature) == 2*half {
		r, s := new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
		if ecdsa.Verify(key, digest, r, s) {
			return true
		}
	}
	return ecdsa.VerifyASN1(key, digest, signature)
}

var (
	signatureMethods = map[string]signatureMethod{
		dsig.RSASHA256SignatureMethod:   {crypto.SHA256, false},
		dsig.RSASHA384SignatureMethod:   {crypto.SHA384, false},
		dsig.RSASHA512SignatureMethod:   {crypto.SHA512, false},
		dsig.ECDSASHA256SignatureMethod: {crypto.SHA256, true},
		dsig.ECDSASHA384SignatureMethod: {crypto.SHA384, true},
		dsig.ECDSASHA512SignatureMethod: {crypto.SHA512, true},
	}
	digestMethods = map[string]crypto.Hash{
		"http://www.w3.org/2001/04/xmlenc#sha256":       crypto.SHA256,
		"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
		"http://www.w3.org/2001/04/xmlenc#sha512":       crypto.SHA512,
	}
)

const (
	exclusiveC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
	enveloped     = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
)

// canonicalizations are those by which elements may be written to be signed. SAML core §5.4.3 wants
// the exclusive one, with or without comments. The others are what some identity providers can be
// set to; each of them covers the whole of the element.
var canonicalizations = map[string]canonicalization{
	exclusiveC14N:                                                  {},
	exclusiveC14N + "WithComments":                                 {comments: true},
	"http://www.w3.org/TR/2001/REC-xml-c14n-20010315":              {inclusive: true},
	"http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments": {inclusive: true, comments: true},
	"http://www.w3.org/2006/12/xml-c14n11":                         {inclusive: true},
	"http://www.w3.org/2006/12/xml-c14n11#WithComments":            {inclusive: true, comments: true},
}

// canonicalizationOf reads a CanonicalizationMethod, or a Transform that is one.
func canonicalizationOf(method *etree.Element) (canonicalization, error) {
	name := attr(method, "Algorithm")
	how, known := canonicalizations[name]
	if !known {
		return how, refuse(CheckAlgorithm, exclusiveC14N, name)
	}
	inside := method.ChildElements()
	if len(inside) > 1 || len(inside) == 1 && (how.inclusive || !is(inside[0], exclusiveC14N, "InclusiveNamespaces")) {
		return how, refuse(CheckAlgorithm, "at most one InclusiveNamespaces", "another parameter")
	}
	if len(inside) == 1 {
		how.prefixes = attr(inside[0], "PrefixList")
	}
	return how, nil
}

// signedReference is what a signature says of itself.
type signedReference struct {
	method signatureMethod
	digest crypto.Hash
	value  []byte           // of the digest
	how    canonicalization // of what is signed
}

// readReference reads a SignedInfo, which must refer to the element with an ID, and to nothing
// else.
func readReference(info *etree.Element, id string) (r signedReference, err error) {
	e := child(info, nsSignature, "Reference")
	if e == nil {
		return r, refuse(CheckSignature, "one SignedInfo with one Reference", "another shape")
	}
	// An empty URI means the whole document (XML signature §4.4.3.1), another one another element:
	// in both cases the element would be read without being signed.
	if id == "" || attr(e, "URI") != "#"+id {
		return r, refuse(CheckSignature, "a reference to #"+id, attr(e, "URI"))
	}
	name, known := attr(child(info, nsSignature, "SignatureMethod"), "Algorithm"), false
	if r.method, known = signatureMethods[name]; !known {
		return r, refuse(CheckAlgorithm, "SHA-256 or stronger with RSA or ECDSA", name)
	}
	name = attr(child(e, nsSignature, "DigestMethod"), "Algorithm")
	if r.digest, known = digestMethods[name]; !known {
		return r, refuse(CheckAlgorithm, "a SHA-256 digest or stronger", name)
	}
	transforms := children(child(e, nsSignature, "Transforms"), nsSignature, "Transform")
	algorithms := make([]string, len(transforms))
	for i, t := range transforms {
		algorithms[i] = attr(t, "Algorithm")
	}
	// SAML core §5.4.4 wants no others: XPath and XSLT cut out of the digest what a reader still
	// sees. Where no canonicalization is named it is Canonical XML 1.0 (XML signature §4.4.3.2).
	switch {
	case len(transforms) == 1 && algorithms[0] == enveloped:
		r.how.inclusive = true
	case len(transforms) == 2 && algorithms[0] == enveloped:
		if r.how, err = canonicalizationOf(transforms[1]); err != nil {
			return r, err
		}
	default:
		return r, refuse(
			CheckAlgorithm, "enveloped-signature, then exclusive canonicalization", strings.Join(algorithms, ", "),
		)
	}
	r.how.comments = false // #ID means the element without its comments (XML signature §4.4.3.3)
	if r.value, err = unspacedBase64(text(child(e, nsSignature, "DigestValue"))); err != nil {
		return r, refuse(CheckSignature, "a digest in base64", err.Error())
	}
	return r, nil
}

// unspacedBase64 reads base64 that is broken into lines and indented as XML allows (XML Schema 2
// §3.2.16).
func unspacedBase64(s string) ([]byte, error) {
	return base64.StdEncoding.DecodeString(blanks.Replace(s))
}

var blanks = strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "")
