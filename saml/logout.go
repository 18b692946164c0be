package saml

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	dsig "github.com/russellhaering/goxmldsig"
)

// LogoutRequest is a service provider's request to end a session.
type LogoutRequest struct {
	ID           string
	IssueInstant time.Time
	Issuer       string
	Destination  string // where it was sent to; it may be empty where the request is not signed
	Signed       bool   // by a signature in the message, which is not verified
	NameID       string
	NotOnOrAfter time.Time // when it is over; zero: not said
}

// IsLogout says whether the SAMLRequest parameter of the HTTP-Redirect binding is a LogoutRequest.
func IsLogout(param string) bool {
	data, err := inflate(param)
	if err != nil {
		return false
	}
	root, err := parse(data, MaxMessage)
	return err == nil && is(root, nsProtocol, "LogoutRequest")
}

// ParseLogout reads a LogoutRequest from the SAMLRequest parameter of the HTTP-Redirect binding.
func ParseLogout(param string) (LogoutRequest, error) {
	data, err := inflate(param)
	if err != nil {
		return LogoutRequest{}, err
	}
	root, err := parse(data, MaxMessage)
	if err != nil {
		return LogoutRequest{}, err
	}
	if !is(root, nsProtocol, "LogoutRequest") || attr(root, "Version") != "2.0" {
		return LogoutRequest{}, errors.New("the message is not a SAML 2.0 LogoutRequest")
	}
	r := LogoutRequest{
		ID:          attr(root, "ID"),
		Destination: attr(root, "Destination"),
		Signed:      len(children(root, nsSignature, "Signature")) > 0,
		Issuer:      text(child(root, nsAssertion, "Issuer")),
		NameID:      text(child(root, nsAssertion, "NameID")),
	}
	if r.IssueInstant, err = parseTime(attr(root, "IssueInstant")); err != nil {
		return LogoutRequest{}, fmt.Errorf("IssueInstant: %w", err)
	}
	if end := attr(root, "NotOnOrAfter"); end != "" {
		if r.NotOnOrAfter, err = parseTime(end); err != nil {
			return LogoutRequest{}, fmt.Errorf("NotOnOrAfter: %w", err)
		}
	}
	if r.ID == "" || r.Issuer == "" {
		return LogoutRequest{}, errors.New("the LogoutRequest has no ID or no Issuer")
	}
	return r, nil
}

// LogoutResponseURL is where to send the browser with the answer to a LogoutRequest, by the
// HTTP-Redirect binding, signed by key (SAML bindings §3.4.4.1) in the way of Entra ID: what is
// escaped is in lower case, and signed so, and Signature stands before SigAlg. Who verifies must
// take the query as it came, which is what many first learn from the real one. Source: reports of
// php-saml, ruby-saml and pysaml2 about Entra ID and AD FS.
func LogoutResponseURL(
	destination, issuer, inResponseTo, relayState string, now time.Time, key SigningKey,
) (string, error) {
	root := responseElement("samlp:LogoutResponse", destination, issuer, inResponseTo, now)
	root.CreateElement("samlp:Status").CreateElement("samlp:StatusCode").CreateAttr("Value", statusSuccess)
	data, err := write(root)
	if err != nil {
		return "", err
	}
	param, err := deflate(data)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(destination)
	if err != nil {
		return "", err
	}
	query := "SAMLResponse=" + lowerEscape(param)
	if relayState != "" {
		query += "&RelayState=" + lowerEscape(relayState)
	}
	algorithm := "&SigAlg=" + lowerEscape(dsig.RSASHA256SignatureMethod)
	signature, err := key.signQuery(query + algorithm)
	if err != nil {
		return "", err
	}
	query += "&Signature=" + lowerEscape(signature) + algorithm
	if u.RawQuery != "" {
		query = u.RawQuery + "&" + query
	}
	u.RawQuery = query
	return u.String(), nil
}

// lowerEscape escapes a value of a query as .NET's HttpUtility does.
func lowerEscape(s string) string {
	return escapes().ReplaceAllStringFunc(url.QueryEscape(s), func(code string) string {
		switch code {
		case "%21", "%2A", "%28", "%29":
			plain, _ := url.QueryUnescape(code) // it is one
			return plain
		case "~":
			return "%7e"
		}
		return strings.ToLower(code)
	})
}

var escapes = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`%[0-9A-F]{2}|~`) })
