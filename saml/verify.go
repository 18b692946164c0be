package saml

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Skew is the difference between clocks that is allowed for.
const Skew = 3 * time.Minute //bound:life a SAML message, beyond its time

// Expect is everything that an honest response must agree with. The fields up to Now are required.
type Expect struct {
	Issuer       string
	Certificates []*x509.Certificate // the only keys trusted; KeyInfo in the message is ignored
	Audience     string              // our entity id
	Recipient    string              // the assertion consumer service that received the response
	Now          time.Time

	// What the caller demands beyond SAML. The zero values demand nothing.

	NameID        func(name string) error // refuses a name, with a text that says what is wanted
	NameIDFormats []string                // accepted ones, in addition to unspecified and none; empty: any
	MaxAssertion  int                     // how long the assertion may be, in characters; 0: as the message
	RequestedOnly bool                    // responses that answer no request are refused
}

// Assertion is a checked assertion. Only Verify makes one. That InResponseTo answers a request of
// this browser, and that ID is used once, needs memory: the caller must check it.
type Assertion struct {
	ID                  string
	NameID              string
	NameIDFormat        string
	InResponseTo        string // empty: the identity provider started the sign-in
	NotOnOrAfter        time.Time
	AuthnInstant        time.Time // when the person signed in at the identity provider
	SessionNotOnOrAfter time.Time // zero: not said
	Attributes          []Attribute
}

// Check is one condition of Verify. Only this package makes checks, so that Checks has all of them:
// code that explains refusals can prove that none is forgotten.
type Check struct{ name string }

// String returns the check's name, which is stable: audit events have it.
func (c Check) String() string { return c.name }

var checks []Check

func newCheck(name string) Check {
	checks = append(checks, Check{name})
	return Check{name}
}

// Checks returns every check.
func Checks() []Check { return slices.Clone(checks) }

// The checks.
var (
	CheckEncoding        = newCheck("encoding")
	CheckDocument        = newCheck("document")
	CheckStatus          = newCheck("status")
	CheckAssertions      = newCheck("one-assertion")
	CheckEncrypted       = newCheck("not-encrypted")
	CheckSignature       = newCheck("signature")
	CheckAlgorithm       = newCheck("algorithm")
	CheckSize            = newCheck("size")
	CheckDestination     = newCheck("destination")
	CheckVersion         = newCheck("version")
	CheckIssuer          = newCheck("issuer")
	CheckSubject         = newCheck("subject")
	CheckMethod          = newCheck("bearer")
	CheckRecipient       = newCheck("recipient")
	CheckTime            = newCheck("time")
	CheckInResponse      = newCheck("in-response-to")
	CheckAudience        = newCheck("audience")
	CheckNameID          = newCheck("name-id")
	CheckResponseVersion = newCheck("response-version")
	CheckIssueInstant    = newCheck("issue-instant")
	CheckCondition       = newCheck("condition")
	CheckValidity        = newCheck("validity")
	CheckAuthnStatement  = newCheck("authn-statement")
	CheckAuthnInstant    = newCheck("authn-instant")
	CheckIdPInitiated    = newCheck("idp-initiated")
)

// How old a response and its assertion may be, and how long they may be valid: our own choice.
// Entra and AD FS write an hour, most others five minutes.
const (
	maxAge      = time.Hour      //bound:life a SAML response, since it was issued
	maxValidity = 24 * time.Hour //bound:life a SAML assertion, by its own conditions
)

// Refusal says which check failed. It is for the audit log; people see a reference id.
type Refusal struct {
	Check     Check
	Want, Got string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("check %s: expected %s, received %q", r.Check, r.Want, r.Got)
}

// maxGot bounds what a refusal repeats of a message, in bytes.
const maxGot = 200 //bound:text what a refusal repeats of a SAML message, in bytes

func refuse(check Check, want, got string) error {
	if len(got) > maxGot {
		got = got[:maxGot] + "…"
	}
	return &Refusal{check, want, got}
}

// VerifyPOST checks the SAMLResponse field of the HTTP-POST binding and returns its assertion, or a
// *Refusal.
func VerifyPOST(field string, want Expect) (*Assertion, error) {
	data, err := decodeBase64(field)
	if err != nil {
		return nil, refuse(CheckEncoding, "base64 text", err.Error())
	}
	return Verify(data, want)
}

// Verify checks a response and returns its assertion, or a *Refusal. Sources: SAML profiles
// §4.1.4.3; user guide, rules for responses.
func Verify(response []byte, want Expect) (*Assertion, error) {
	root, err := parse(response, MaxMessage)
	if err != nil {
		return nil, refuse(CheckDocument, "a plain XML document", err.Error())
	}
	if !is(root, nsProtocol, "Response") {
		return nil, refuse(CheckDocument, "a SAML 2.0 Response", root.Tag)
	}
	status := child(child(root, nsProtocol, "Status"), nsProtocol, "StatusCode")
	// Before the signature: a failure has no assertion and often no signature, and people need to
	// know what it says. It can only lead to a refusal.
	if attr(status, "Value") != statusSuccess {
		return nil, refuse(
			CheckStatus, "Success",
			attr(status, "Value")+" "+text(child(child(root, nsProtocol, "Status"), nsProtocol, "StatusMessage")),
		)
	}
	// Before the signature: wrapping needs a second assertion, for the reader or the verifier to
	// find (Somorovsky and others, "On Breaking SAML", 2012).
	if err := onlyAssertion(root); err != nil {
		return nil, err
	}
	assertion, signed, err := signedAssertion(root, want)
	if err != nil {
		return nil, err
	}
	if want.MaxAssertion > 0 && len(response) > want.MaxAssertion { // else it cannot be longer
		if text, err := write(assertion.Copy()); err != nil || utf8.RuneCount(text) > want.MaxAssertion {
			return nil, refuse(
				CheckSize, fmt.Sprint("an assertion of at most ", want.MaxAssertion, " characters"),
				fmt.Sprint(utf8.RuneCount(text)),
			)
		}
	}
	envelope := root // unsigned: what it says can only lead to a refusal
	if signed != nil {
		envelope = signed
	}
	// SAML bindings §3.5.5.2: a signed message must name where it goes. An unsigned one may.
	if got := attr(envelope, "Destination"); got != want.Recipient && (got != "" || signed != nil) {
		return nil, refuse(CheckDestination, want.Recipient, got)
	}
	if v := attr(envelope, "Version"); v != "2.0" {
		return nil, refuse(CheckResponseVersion, "a response of version 2.0", v)
	}
	if issuer := child(envelope, nsAssertion, "Issuer"); issuer != nil && text(issuer) != want.Issuer {
		return nil, refuse(CheckIssuer, want.Issuer, text(issuer))
	}
	out, err := readAssertion(assertion, attr(envelope, "InResponseTo"), want)
	if err != nil {
		return nil, err
	}
	if err := want.issued("Response", envelope); err != nil { // after the times in the assertion, which say more
		return nil, err
	}
	if err := want.issued("Assertion", assertion); err != nil {
		return nil, err
	}
	return out, nil
}

// issued refuses what was issued too long ago, in the future, or nobody knows when.
func (want Expect) issued(what string, e *etree.Element) error {
	s := attr(e, "IssueInstant")
	if t, err := parseTime(s); err != nil || want.Now.Sub(t) > maxAge+Skew || t.Sub(want.Now) > Skew {
		return refuse(
			CheckIssueInstant, what+"/IssueInstant within an hour before "+want.Now.UTC().Format(timeFormat), s,
		)
	}
	return nil
}

// valid reads until when something is valid. It must not be over, nor last for longer than anybody
// needs.
func (want Expect) valid(what, s string) (time.Time, error) {
	end, err := parseTime(s)
	if err != nil || !want.Now.Before(end.Add(Skew)) {
		return end, refuse(CheckTime, what+" after "+want.Now.UTC().Format(timeFormat), s)
	}
	if latest := want.Now.Add(maxValidity + Skew); end.After(latest) {
		return end, refuse(CheckValidity, what+" within a day, not after "+latest.UTC().Format(timeFormat), s)
	}
	return end, nil
}

// onlyAssertion demands exactly one assertion in the whole document, as a direct child of the
// response, and no encrypted one.
func onlyAssertion(root *etree.Element) error {
	var plain, encrypted int
	var count func(e *etree.Element)
	count = func(e *etree.Element) {
		for _, c := range e.ChildElements() {
			switch {
			case is(c, nsAssertion, "Assertion"):
				plain++
			case is(c, nsAssertion, "EncryptedAssertion"):
				encrypted++
			}
			count(c)
		}
	}
	count(root)
	if encrypted > 0 {
		return refuse(CheckEncrypted, "a plain assertion", "an EncryptedAssertion")
	}
	if plain != 1 || child(root, nsAssertion, "Assertion") == nil {
		return refuse(CheckAssertions, "exactly one assertion in the response", fmt.Sprint(plain))
	}
	return nil
}

// readAssertion checks and reads an assertion that a signature covers. Nothing outside it is used
// but the response's InResponseTo, which must then agree with the signed one.
func readAssertion(a *etree.Element, responseTo string, want Expect) (*Assertion, error) {
	if v := attr(a, "Version"); v != "2.0" {
		return nil, refuse(CheckVersion, "2.0", v)
	}
	if got := text(child(a, nsAssertion, "Issuer")); got != want.Issuer {
		return nil, refuse(CheckIssuer, want.Issuer, got)
	}
	out := &Assertion{ID: attr(a, "ID")}
	subject := child(a, nsAssertion, "Subject")
	name := child(subject, nsAssertion, "NameID")
	if name == nil {
		return nil, refuse(CheckSubject, "a Subject with a NameID", "none")
	}
	out.NameID, out.NameIDFormat = text(name), attr(name, "Format")
	if out.NameID == "" || len(out.NameID) > maxNameID || len(name.ChildElements()) > 0 {
		return nil, refuse(CheckNameID, "a user name", out.NameID)
	}
	if want.NameID != nil {
		if err := want.NameID(out.NameID); err != nil {
			return nil, refuse(CheckNameID, err.Error(), out.NameID)
		}
	}
	if !want.takesFormat(out.NameIDFormat) {
		return nil, refuse(CheckNameID, "the format "+strings.Join(want.NameIDFormats, " or "), out.NameIDFormat)
	}
	if err := out.confirmed(children(subject, nsAssertion, "SubjectConfirmation"), responseTo, want); err != nil {
		return nil, err
	}
	if want.RequestedOnly && out.InResponseTo == "" {
		return nil, refuse(
			CheckIdPInitiated, "a response to a request of the access portal", "a response that nobody requested",
		)
	}
	if err := out.conditions(child(a, nsAssertion, "Conditions"), want); err != nil {
		return nil, err
	}
	return out, out.statements(a, want)
}

// takesFormat says whether a name may be of a format. Unspecified and none say nothing of it (SAML
// core §8.3.1), so there is nothing to refuse.
func (want Expect) takesFormat(format string) bool {
	return len(want.NameIDFormats) == 0 || format == "" || format == FormatUnspecified ||
		slices.Contains(want.NameIDFormats, format)
}

// confirmed demands that one of the confirmations is satisfied: a subject may be confirmed in other
// ways too, such as for a second recipient or by the holder of a key (SAML core §2.4.1: each of
// them is enough; profiles §4.1.4.2: at least one is for bearers). All of them are signed, so that
// nobody but the identity provider can add one. Only what the satisfied one says is used. What is
// said of none is what the first one for bearers lacks.
func (out *Assertion) confirmed(list []*etree.Element, responseTo string, want Expect) error {
	var first error
	for _, confirmation := range list {
		err := out.confirm(confirmation, responseTo, want)
		if err == nil {
			return nil
		}
		if attr(confirmation, "Method") == methodBearer && first == nil {
			first = err
		}
	}
	if first != nil {
		return first
	}
	method := "none"
	if len(list) > 0 {
		method = attr(list[0], "Method")
	}
	return refuse(CheckMethod, methodBearer, method)
}

func (out *Assertion) confirm(confirmation *etree.Element, responseTo string, want Expect) error {
	if m := attr(confirmation, "Method"); m != methodBearer {
		return refuse(CheckMethod, methodBearer, m)
	}
	data := child(confirmation, nsAssertion, "SubjectConfirmationData")
	if got := attr(data, "Recipient"); got != want.Recipient {
		return refuse(CheckRecipient, want.Recipient, got)
	}
	// SAML profiles §4.1.4.2.
	if attr(data, "NotBefore") != "" {
		return refuse(CheckTime, "no NotBefore in SubjectConfirmationData", attr(data, "NotBefore"))
	}
	end, err := want.valid("SubjectConfirmationData/NotOnOrAfter", attr(data, "NotOnOrAfter"))
	if err != nil {
		return err
	}
	// The response may be unsigned, so only the assertion's value counts. Where they differ,
	// somebody has put the assertion into another response.
	asked := attr(data, "InResponseTo")
	if responseTo != asked {
		return refuse(CheckInResponse, asked, responseTo)
	}
	out.InResponseTo, out.NotOnOrAfter = asked, end
	return nil
}

func (out *Assertion) conditions(c *etree.Element, want Expect) error {
	if c == nil {
		return refuse(CheckAudience, want.Audience, "no Conditions")
	}
	if s := attr(c, "NotBefore"); s != "" {
		if start, err := parseTime(s); err != nil || want.Now.Add(Skew).Before(start) {
			return refuse(CheckTime, "Conditions/NotBefore not after "+want.Now.UTC().Format(timeFormat), s)
		}
	}
	if s := attr(c, "NotOnOrAfter"); s != "" {
		if _, err := want.valid("Conditions/NotOnOrAfter", s); err != nil {
			return err
		}
	}
	if err := knownConditions(c); err != nil {
		return err
	}
	restrictions := children(c, nsAssertion, "AudienceRestriction")
	if len(restrictions) == 0 {
		return refuse(CheckAudience, want.Audience, "no AudienceRestriction")
	}
	for _, r := range restrictions { // each restriction must name us (SAML core §2.5.1.4)
		var got []string
		for _, a := range children(r, nsAssertion, "Audience") {
			got = append(got, text(a))
		}
		if !slices.Contains(got, want.Audience) {
			return refuse(CheckAudience, want.Audience, strings.Join(got, ", "))
		}
	}
	return nil
}

// knownConditions refuses conditions that are not understood: an assertion with one must not be
// relied on (SAML core §2.5.1.1). That an assertion is used once, as OneTimeUse asks for, holds for
// all. ProxyRestriction bounds who may state the same of the person on the ground of this
// assertion, which is what the access portal does at AWS, so that one that forbids it is refused
// (§2.5.1.6).
func knownConditions(c *etree.Element) error {
	counts := map[string]int{}
	for _, condition := range c.ChildElements() {
		name := condition.Tag
		known := condition.NamespaceURI() == nsAssertion &&
			(name == "AudienceRestriction" || name == "OneTimeUse" || name == "ProxyRestriction")
		if kind := typeOf(condition); !known || (kind != "" && kind != name+"Type") {
			return refuse(
				CheckCondition, "AudienceRestriction, OneTimeUse or ProxyRestriction",
				strings.TrimSpace(name+" "+kind),
			)
		}
		if counts[name]++; counts[name] > 1 && name != "AudienceRestriction" { // §2.5.1.5 and §2.5.1.6
			return refuse(CheckCondition, "at most one "+name, fmt.Sprint(counts[name]))
		}
		if name != "ProxyRestriction" {
			continue
		}
		if count := attr(condition, "Count"); count != "" {
			if n, err := strconv.ParseUint(count, 10, 64); err != nil || n == 0 {
				return refuse(
					CheckCondition, "a ProxyRestriction that lets the access portal sign people in at AWS",
					"Count "+count,
				)
			}
		}
		if len(children(condition, nsAssertion, "Audience")) > 0 {
			return refuse(
				CheckCondition, "a ProxyRestriction that lets the access portal sign people in at AWS",
				"its own audiences",
			)
		}
	}
	return nil
}

// typeOf is the local name of an element's xsi:type, "?" when that is of a namespace that is not
// SAML's, and "" when there is none.
func typeOf(e *etree.Element) string {
	for _, a := range e.Attr {
		if a.Key != "type" || a.NamespaceURI() != "http://www.w3.org/2001/XMLSchema-instance" {
			continue
		}
		prefix, name, prefixed := strings.Cut(strings.TrimSpace(a.Value), ":")
		if !prefixed {
			prefix, name = "", prefix
		}
		if scopeOf(e).find(prefix) != nsAssertion {
			return "?"
		}
		return name
	}
	return ""
}

// authenticated reads the statements that the person has signed in, one of which there must be
// (SAML profiles §4.1.4.2), and when. That may be days ago, where a session of the identity
// provider has lasted so long, but not in the future.
func (out *Assertion) authenticated(statements []*etree.Element, want Expect) error {
	if len(statements) == 0 {
		return refuse(CheckAuthnStatement, "an AuthnStatement", "none")
	}
	for _, s := range statements {
		instant, err := parseTime(attr(s, "AuthnInstant"))
		if err != nil {
			return refuse(CheckAuthnStatement, "an AuthnStatement with a time in AuthnInstant", attr(s, "AuthnInstant"))
		}
		if instant.Sub(want.Now) > Skew {
			return refuse(
				CheckAuthnInstant, "AuthnInstant not after "+want.Now.UTC().Format(timeFormat),
				attr(s, "AuthnInstant"),
			)
		}
		out.AuthnInstant = instant
		t := attr(s, "SessionNotOnOrAfter")
		if t == "" {
			continue
		}
		end, err := parseTime(t)
		if err != nil || !want.Now.Before(end.Add(Skew)) {
			return refuse(CheckTime, "SessionNotOnOrAfter after "+want.Now.UTC().Format(timeFormat), t)
		}
		if out.SessionNotOnOrAfter.IsZero() || end.Before(out.SessionNotOnOrAfter) {
			out.SessionNotOnOrAfter = end
		}
	}
	return nil
}

func (out *Assertion) statements(a *etree.Element, want Expect) error {
	if err := out.authenticated(children(a, nsAssertion, "AuthnStatement"), want); err != nil {
		return err
	}
	for _, s := range children(a, nsAssertion, "AttributeStatement") {
		for _, e := range children(s, nsAssertion, "Attribute") {
			at := Attribute{Name: attr(e, "Name"), NameFormat: attr(e, "NameFormat")}
			for _, v := range children(e, nsAssertion, "AttributeValue") {
				at.Values = append(at.Values, text(v))
				at.Structured = at.Structured || len(v.ChildElements()) > 0
			}
			out.Attributes = append(out.Attributes, at)
		}
	}
	return nil
}
