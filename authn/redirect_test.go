package authn_test

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/authn"
)

// hostile are texts that some parser of URLs reads as another host than some other one, or that are
// no redirect URIs at all.
var hostile = []string{
	"", "localhost", "//localhost/cb", "http:localhost/cb", "http:/localhost/cb", "http:///localhost/cb",
	"http:\\\\localhost/cb", "javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://localhost/",
	"HTTP://localhost/cb", " http://localhost/cb", "http://localhost/cb ", "ht\ntp://localhost/",
	"http://local\thost/cb", "http://localhost\r\n/cb", "http://localhost/\x00", "http://localhost/\u00e9",
	"http://localhost:x@evil.example/cb", "http://localhost@evil.example/cb", "http://localhost:80@evil.example/cb",
	"http://localhost:@evil.example/", "http://@localhost/cb", "http://:@localhost/cb",
	"http://evil.example\\@localhost/cb", "http://localhost\\.evil.example/cb", "http://localhost\\@evil.example/cb",
	"http://localhost/\\evil.example", "http://localhost%40evil.example/", "http://localhost%2f@evil.example/",
	"http://localhost#@evil.example/", "http://localhost?@evil.example/#x", "http://localhost/cb#",
	"http://localhost/cb#x", "http://localhost/%", "http://localhost/%4", "http://localhost/<x>",
	"http://localhost/a b",
	"http://localhost:/cb", "http://localhost:0/cb", "http://localhost:65536/cb", "http://localhost:080/cb",
	"http://localhost:+80/cb", "http://localhost:8o/cb", "http://localhost:80:80/cb", "http://localhost:-1/",
	"http://localhost./cb", "http://127.1/cb", "http://127.0.0.1./cb", "http://0x7f000001/cb", "http://0x7f.1/cb",
	"http://2130706433/cb", "http://127.0.0.01/cb", "http://1.2.3.4.5/", "http://127.0.0.1.5/",
	"http://[::1/cb", "http://::1/cb", "http://[::1]evil/cb", "http://[::1%25eth0]/cb", "http://[::1%eth0]/cb",
	"http://[127.0.0.1]/cb", "http://[v1.a]/", "http://%6cocalhost/cb", "http://localho\u017ft/cb",
	"http://\u212aelvin.example/",
	"http://\uff4cocalhost/cb", "http://-a.example/", "http://a-.example/", "http://a..example/", "http://.example/",
	"https://", "http://", "http://?x", "http://a_b,c/", "http://a'b/", "http://a;b/", "http://a$b/",
	"https://" + strings.Repeat("a", 254) + "/", "http://localhost/" + strings.Repeat("a", authn.MaxRedirectURI),
}

func TestWhatIsNoRedirectURI(t *testing.T) {
	t.Parallel()
	for _, text := range hostile {
		u, err := authn.ParseRedirectURI(text)
		here := strings.Contains(text, "?@evil.example") && u.Authority() == "localhost"
		if err == nil && !here {
			t.Errorf("%q is taken, host %q", text, u.Authority())
		}
	}
}

func TestRedirectURIsByTheirRule(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		registered, asked string
		want              bool
	}{
		{"http://localhost", "http://localhost", true}, {"http://localhost", "http://localhost/", true},
		{"http://localhost", "http://localhost:8400", true}, {"http://localhost", "http://localhost:1/", true},
		{"http://localhost/", "http://localhost:65535", true},
		{"http://localhost:3000/cb", "http://localhost:4000/cb", true},
		{"http://127.0.0.1/oauth/callback", "http://127.0.0.1:49152/oauth/callback", true},
		{"http://[::1]/x", "http://[::1]:9/x", true}, {"http://localhost", "http://LOCALHOST:1", true},
		{"http://localhost", "http://localhost:1/cb", false}, {"http://localhost/cb", "http://localhost/CB", false},
		{"http://localhost/cb", "http://localhost/cb/", false}, {"http://localhost/cb", "http://localhost/%63b", false},
		{"http://localhost/cb", "http://localhost/cb?x=1", false}, {"http://localhost", "http://localhost?", false},
		{"http://localhost", "http://127.0.0.1", false}, {"http://localhost", "https://localhost", false},
		{"https://localhost", "http://localhost", false}, {"https://localhost:1/cb", "https://localhost:2/cb", false},
		{"http://localhost", "http://localhost.evil.example", false},
		{"http://localhost", "http://localhost:x@evil.example/cb", false},
		{"http://localhost", "http://evil.example", false},
		{"https://app.example/cb", "https://app.example/cb", true},
		{"https://app.example/cb?a=b", "https://app.example/cb?a=b", true},
		{"https://app.example/cb", "https://app.example/cb?a=b", false},
		{"https://app.example/cb", "https://app.example:444/cb", false},
		{"https://app.example", "https://app.example/", false},
		{"https://app.example/cb", "https://app.example/cb/../x", false},
		{"http://127.0.0.2/cb", "http://127.0.0.2:1/cb", false},
	} {
		registered, err := authn.ParseRedirectURI(c.registered)
		if err != nil {
			t.Errorf("%s cannot be registered: %v", c.registered, err)
			continue
		}
		asked, err := authn.ParseRedirectURI(c.asked)
		if got := err == nil && registered.Receives(asked); got != c.want {
			t.Errorf("%s for %s: %v (%v)", c.asked, c.registered, got, err)
		}
	}
	var none authn.RedirectURI
	if none.Receives(none) || none.Confidential() {
		t.Error("no address receives")
	}
}

func TestAnAnswerIsAddedToARedirectURI(t *testing.T) {
	t.Parallel()
	answer := url.Values{"code": {"a b"}, "state": {"&x=y#z"}}
	for text, want := range map[string]string{
		"https://a.example":        "https://a.example?code=a+b&state=%26x%3Dy%23z",
		"https://a.example/cb?t=1": "https://a.example/cb?t=1&code=a+b&state=%26x%3Dy%23z",
		"https://a.example/cb?":    "https://a.example/cb?code=a+b&state=%26x%3Dy%23z",
	} {
		u, err := authn.ParseRedirectURI(text)
		if got := u.With(answer); err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	u, err := authn.ParseRedirectURI("http://localhost:1/cb?x")
	if got := u.WithFragment(url.Values{"code": {"c"}}); err != nil || got != "http://localhost:1/cb?x#code=c" {
		t.Errorf("in the fragment: %s, %v", got, err)
	}
	if u.Origin() != "http://localhost:1" || u.Authority() != "localhost:1" || !u.Loopback() || u.Secure() ||
		!u.HasQuery() {
		t.Errorf("its parts: %q %q", u.Origin(), u.Authority())
	}
}

// browserHost is the host and port that a browser asks, written from the WHATWG URL standard and
// from nothing else: blanks at the ends and tabs and line ends anywhere are dropped, a backslash is
// a slash, any number of slashes may follow the scheme, and the host begins after the last @.
func browserHost(text string) (host, port string) {
	text = strings.TrimFunc(text, func(r rune) bool { return r <= ' ' })
	text = strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(text)
	scheme, rest, found := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "http" && scheme != "https" {
		return "", ""
	}
	rest = strings.TrimLeft(rest, "/")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	rest = rest[strings.LastIndex(rest, "@")+1:]
	host = rest
	if i := strings.LastIndex(rest, ":"); i > strings.LastIndex(rest, "]") {
		host, port = rest[:i], rest[i+1:]
	}
	if decoded, err := url.PathUnescape(host); err == nil {
		host = decoded
	}
	if port == map[string]string{"http": "80", "https": "443"}[scheme] {
		port = ""
	}
	return canonical(host), port
}

// canonical is a host as it is compared: an address by its value, a name in small letters.
func canonical(host string) string {
	if ip, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return ip.String()
	}
	return strings.ToLower(host)
}

func FuzzRedirectURI(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	for _, text := range []string{
		"http://localhost:8400/", "https://app.example/cb?a=b", "http://[::1]:9/x", "http://127.0.0.1/oauth/callback",
		"https://login.microsoftonline.com/common/oauth2/nativeclient",
	} {
		f.Add(text)
	}
	loopback, err := authn.ParseRedirectURI("http://localhost")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := authn.ParseRedirectURI(text)
		if err != nil {
			return
		}
		sent := u.With(url.Values{"code": {"secret"}})
		for _, address := range []string{text, sent, u.WithFragment(url.Values{"code": {"secret"}}), u.Origin()} {
			parsed, err := url.Parse(address)
			if err != nil {
				t.Fatalf("%q is taken and is no URL: %v", address, err)
			}
			host, port := browserHost(address)
			own, ownPort := u.Authority(), ""
			if i := strings.LastIndex(own, ":"); i > strings.LastIndex(own, "]") {
				own, ownPort = own[:i], own[i+1:]
			}
			if host != canonical(own) || canonical(parsed.Hostname()) != canonical(own) {
				t.Fatalf("%q: host %q here, %q for Go, %q for a browser", address, own, parsed.Hostname(), host)
			}
			usual := port == "" && (ownPort == "80" || ownPort == "443")
			if parsed.Port() != ownPort || port != ownPort && !usual {
				t.Fatalf("%q: port %q here, %q for Go, %q for a browser", address, ownPort, parsed.Port(), port)
			}
			if parsed.User != nil || parsed.Scheme != "http" && parsed.Scheme != "https" {
				t.Fatalf("%q is taken", address)
			}
		}
		if host, _ := browserHost(sent); loopback.Receives(u) && host != "localhost" {
			t.Fatalf("%q leads to %q and not to this machine", sent, host)
		}
	})
}
