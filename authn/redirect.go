package authn

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// RedirectURI is an address that a browser may be sent to with an answer: a redirect URI of OAuth,
// an assertion consumer service, a page of an application. Only ParseRedirectURI makes one, so code
// that holds one knows which host the browser will ask.
//
// Sources: RFC 6749, 3.1.2 (absolute, no fragment); RFC 8252, 7.3 and RFC 9700, 2.1 (compared as
// text, but for the port of the loopback interface); Entra ID, "Redirect URI restrictions"; the
// WHATWG URL standard, for what a browser makes of a text.
type RedirectURI struct {
	text string
	host string // in small letters; an IPv6 address without brackets
	port string // "": the scheme's own
	rest string // path, query and fragment, as they were sent
}

// MaxRedirectURI bounds a redirect URI, in bytes. Source: our own choice.
const MaxRedirectURI = 2048 //bound:text a redirect URI of an application or a client

// maxHost is RFC 1035's bound of a name.
const maxHost = 253 //bound:text the host of a redirect URI

// hostName is a name of labels between dots, the last of which has a letter: a browser reads any
// other one, such as 127.1 or 0x7f000001, as an IPv4 address.
var hostName = regexp.MustCompile(`^([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?\.)*[a-z_]([a-z0-9_-]*[a-z0-9_])?$`)

// restOfURI is what may follow the host: the characters of RFC 3986, each % with its two digits.
var restOfURI = regexp.MustCompile(`^([/?#]([A-Za-z0-9._~!$&'()*+,;=:@/?#-]|%[0-9A-Fa-f]{2})*)?$`)

var errRedirect = errors.New("use http or https, a host without a user name, a port from 1 to 65535 and no fragment")

// ParseRedirectURI reads a redirect URI: http or https, a plain host, no user information, a port
// in numbers, no fragment, and only characters that every parser of URLs reads in the same way.
func ParseRedirectURI(text string) (RedirectURI, error) {
	u, err := ParseWebAddress(text)
	if err == nil && strings.Contains(u.rest, "#") {
		err = errRedirect
	}
	if err != nil {
		return RedirectURI{}, err
	}
	return u, nil
}

// ParseWebAddress is ParseRedirectURI for the address of a page, which may have a fragment.
func ParseWebAddress(text string) (RedirectURI, error) {
	if len(text) > MaxRedirectURI || strings.IndexFunc(text, notInURIs) >= 0 {
		return RedirectURI{}, errRedirect
	}
	rest, ok := strings.CutPrefix(text, "https://")
	if !ok {
		if rest, ok = strings.CutPrefix(text, "http://"); !ok {
			return RedirectURI{}, errRedirect
		}
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	u := RedirectURI{text: text, rest: rest[end:]}
	if u.host, u.port, ok = splitHost(strings.ToLower(rest[:end])); !ok || !restOfURI.MatchString(u.rest) {
		return RedirectURI{}, errRedirect
	}
	if parsed, err := url.Parse(text); err != nil || parsed.User != nil || !strings.EqualFold(parsed.Host, rest[:end]) {
		return RedirectURI{}, errRedirect // what Go makes of it must agree
	}
	return u, nil
}

// notInURIs says of a character that it is in no URI: blanks and control characters, which browsers
// drop, and letters that a folding would turn into others.
func notInURIs(r rune) bool { return r <= ' ' || r > '~' }

// splitHost takes an authority apart. It knows no user information: an @ is in no host.
func splitHost(authority string) (host, port string, ok bool) {
	host = authority
	if i := strings.LastIndexByte(authority, ':'); i > strings.LastIndexByte(authority, ']') {
		host, port = authority[:i], authority[i+1:]
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", false
		}
	}
	if inner, found := strings.CutPrefix(host, "["); found {
		inner, found = strings.CutSuffix(inner, "]")
		ip, err := netip.ParseAddr(inner)
		return inner, port, found && err == nil && ip.Is6() && ip.Zone() == ""
	}
	ip, err := netip.ParseAddr(host)
	return host, port, err == nil && ip.Is4() || len(host) <= maxHost && hostName.MatchString(host)
}

// String is the address as it was registered or sent.
func (u RedirectURI) String() string { return u.text }

// Origin is scheme, host and port: what a person is told, and what a content security policy names.
func (u RedirectURI) Origin() string { return u.text[:len(u.text)-len(u.rest)] }

// Authority is host and port, as a person reads them.
func (u RedirectURI) Authority() string {
	_, authority, _ := strings.Cut(u.Origin(), "://")
	return authority
}

// Secure says whether the address has TLS.
func (u RedirectURI) Secure() bool { return strings.HasPrefix(u.text, "https:") }

// Loopback says whether the address is on the machine of the browser, by one of the names that
// cannot lead elsewhere: RFC 8252, 7.3 and 8.3.
func (u RedirectURI) Loopback() bool {
	return u.host == "localhost" || u.host == "127.0.0.1" || u.host == "::1"
}

// Confidential says whether nobody on the way can read what is sent there: it has TLS, or does not
// leave the machine.
func (u RedirectURI) Confidential() bool {
	return u.text != "" && (u.Secure() || u.Loopback())
}

// Receives says whether a registered address allows an asked one: they are the same text. Of a
// registered address on loopback without TLS every port is meant, since a native program takes the
// one that is free; a path of "/" is the same as none there. Sources: RFC 8252, 7.3; RFC 9700, 2.1;
// Entra ID, "Redirect URI restrictions", localhost exceptions.
func (u RedirectURI) Receives(asked RedirectURI) bool {
	if u.text == "" || !u.Loopback() || u.Secure() || asked.Secure() {
		return u.text != "" && u.text == asked.text
	}
	slash := func(rest string) string {
		if rest == "" {
			return "/"
		}
		return rest
	}
	return u.host == asked.host && slash(u.rest) == slash(asked.rest)
}

// HasQuery says whether the address has a query.
func (u RedirectURI) HasQuery() bool { return strings.Contains(u.rest, "?") }

// With is the address with an answer in its query.
func (u RedirectURI) With(answer url.Values) string {
	switch {
	case !strings.Contains(u.text, "?"):
		return u.text + "?" + answer.Encode()
	case strings.HasSuffix(u.text, "?"), strings.HasSuffix(u.text, "&"):
		return u.text + answer.Encode()
	}
	return u.text + "&" + answer.Encode()
}

// WithFragment is the address with an answer in its fragment, which browsers keep to themselves.
func (u RedirectURI) WithFragment(answer url.Values) string { return u.text + "#" + answer.Encode() }
