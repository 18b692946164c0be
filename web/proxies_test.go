package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
)

// seenBy is the address that a handler sees behind Middleware.
func seenBy(t *testing.T, p Proxies, peer string, headers ...[2]string) string {
	t.Helper()
	var seen string
	h := Middleware(
		http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = Address(r) }),
		Options{Log: slog.New(slog.DiscardHandler), Proxies: p},
	)
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for _, h := range headers {
		r.Header.Add(h[0], h[1])
	}
	h.ServeHTTP(httptest.NewRecorder(), r)
	return seen
}

func TestTheAddressOfAClient(t *testing.T) {
	const xff, fwd, peer, client = "X-Forwarded-For", "Forwarded", "10.0.0.1:5000", "203.0.113.9"
	type lines = [][2]string
	for name, c := range map[string]struct {
		trusted, header string
		lines           lines
		want            string
	}{
		"none is trusted":                   {"0", xff, lines{{xff, client}, {fwd, "for=" + client}}, "10.0.0.1"},
		"HAProxy adds a line":               {"1", xff, lines{{xff, "6.6.6.6"}, {xff, client}}, client},
		"nginx adds to the line":            {"1", xff, lines{{xff, "6.6.6.6, " + client}}, client},
		"no header":                         {"1", xff, nil, "10.0.0.1"},
		"an empty one":                      {"1", xff, lines{{xff, ""}}, "10.0.0.1"},
		"the client's Forwarded":            {"1", xff, lines{{fwd, "for=6.6.6.6"}, {xff, client}}, client},
		"only the client's Forwarded":       {"1", xff, lines{{fwd, "for=6.6.6.6"}}, "10.0.0.1"},
		"the client's X-Forwarded-For":      {"1", fwd, lines{{xff, "6.6.6.6"}, {fwd, "for=" + client}}, client},
		"only the client's X-Forwarded-For": {"1", fwd, lines{{xff, "6.6.6.6"}}, "10.0.0.1"},
		"two proxies":                       {"2", xff, lines{{xff, "6.6.6.6, " + client + ", 10.0.0.2"}}, client},
		"two proxies, a line each": {
			"2", xff, lines{{xff, "6.6.6.6"}, {xff, client}, {xff, "10.0.0.2"}}, client,
		},
		"two proxies, and one was passed": {"2", xff, lines{{xff, client}}, client},
		"two, and the outer one hides":    {"2", xff, lines{{xff, "6.6.6.6, unknown, 10.0.0.2"}}, "10.0.0.2"},
		"by networks": {
			"10.0.0.0/8", xff, lines{{xff, "6.6.6.6, " + client + ", 10.0.0.3, 10.0.0.2"}}, client,
		},
		"by address":                       {"10.0.0.1", xff, lines{{xff, "6.6.6.6, 10.0.0.2"}}, "10.0.0.2"},
		"a peer that is not trusted":       {"192.0.2.0/24", xff, lines{{xff, "6.6.6.6"}}, "10.0.0.1"},
		"all are proxies":                  {"10.0.0.0/8", xff, lines{{xff, "10.0.0.3, 10.0.0.2"}}, "10.0.0.3"},
		"a trusted address after nonsense": {"10.0.0.0/8", xff, lines{{xff, "6.6.6.6, x, 10.0.0.2"}}, "10.0.0.2"},
		"with a port":                      {"1", xff, lines{{xff, client + ":4711"}}, client},
		"IPv6":                             {"1", xff, lines{{xff, "2001:DB8::9"}}, "2001:db8::9"},
		"IPv6 with a port":                 {"1", xff, lines{{xff, "[2001:db8::9]:4711"}}, "2001:db8::9"},
		"IPv6 in brackets":                 {"1", xff, lines{{xff, "[2001:db8::9]"}}, "2001:db8::9"},
		"IPv4 as IPv6":                     {"1", xff, lines{{xff, "::ffff:203.0.113.9"}}, client},
		"a zone is none":                   {"1", xff, lines{{xff, "fe80::1%eth0"}}, "10.0.0.1"},
		"a name is none":                   {"1", xff, lines{{xff, client + ", evil.example"}}, "10.0.0.1"},
		"an entry that is empty":           {"1", xff, lines{{xff, client + ","}}, "10.0.0.1"},
		"Forwarded, a line of the client": {
			"1", fwd, lines{{fwd, "for=6.6.6.6"}, {fwd, "proto=https;for=" + client + ";by=10.0.0.1"}}, client,
		},
		"Forwarded, the same line":      {"1", fwd, lines{{fwd, "for=6.6.6.6, For=" + client}}, client},
		"Forwarded, IPv6 with a port":   {"1", fwd, lines{{fwd, `for="[2001:db8::9]:4711"`}}, "2001:db8::9"},
		"Forwarded, IPv4 with a port":   {"1", fwd, lines{{fwd, `for="203.0.113.9:4711"`}}, client},
		"Forwarded, hidden":             {"1", fwd, lines{{fwd, "for=6.6.6.6, for=_hidden"}}, "10.0.0.1"},
		"Forwarded, hidden with a port": {"1", fwd, lines{{fwd, `for=6.6.6.6, for="_hidden:_port"`}}, "10.0.0.1"},
		"Forwarded, unknown":            {"1", fwd, lines{{fwd, "for=6.6.6.6, for=unknown"}}, "10.0.0.1"},
		"Forwarded without a for":       {"1", fwd, lines{{fwd, "for=6.6.6.6, proto=https"}}, "10.0.0.1"},
		"Forwarded, for twice":          {"1", fwd, lines{{fwd, "for=" + client + ";for=6.6.6.6"}}, "10.0.0.1"},
		"Forwarded, two proxies": {
			"2", fwd, lines{{fwd, "for=6.6.6.6, for=" + client + ", for=10.0.0.2"}}, client,
		},
		"Forwarded, a comma in quotes": {
			"1", fwd, lines{{fwd, `for=6.6.6.6;x="a, for=7.7.7.7", for=` + client}}, client,
		},
		"Forwarded, a quote that stays open":  {"1", fwd, lines{{fwd, `for=6.6.6.6;x=", for=` + client}}, "10.0.0.1"},
		"Forwarded, and a proxy's own quotes": {"1", fwd, lines{{fwd, `x=", for="[2001:db8::9]"`}}, "10.0.0.1"},
		"Forwarded, a client's line is wrong": {"1", fwd, lines{{fwd, `for="`}, {fwd, "for=" + client}}, client},
		"Forwarded, an escaped quote":         {"1", fwd, lines{{fwd, `x="\", for=6.6.6.6", for=` + client}}, client},
	} {
		p, err := ParseProxies(c.trusted, c.header)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := seenBy(t, p, peer, c.lines...); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestProxiesThatCannotBeTrusted(t *testing.T) {
	for _, wrong := range []string{
		"", "-1", "17", "x", "10.0.0.0/33", "0.0.0.0/0", "::/0", "10.0.0.0/8,", "1,10.0.0.0/8", "proxy.example.com",
	} {
		if p, err := ParseProxies(wrong, "X-Forwarded-For"); err == nil {
			t.Errorf("%q: %+v", wrong, p)
		}
	}
	if _, err := ParseProxies("1", "X-Real-IP"); err == nil {
		t.Error("another header is taken")
	}
}

// FuzzForwarded: whatever a client sends before what its proxy adds, it is not believed.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{
		"6.6.6.6", "for=6.6.6.6", `for="`, `x="\`, `for="[::1]:1"`, "for=_x;by=6.6.6.6", ",",
		"for=6.6.6.6;for=6.6.6.6,", `x="a, for=6.6.6.6"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		const client, peer = "203.0.113.9", "10.0.0.1"
		for _, network := range []string{"1", peer} {
			for _, c := range [][]string{
				{"X-Forwarded-For", client}, {"Forwarded", "for=" + client}, {"Forwarded", `for="` + client + `:1"`},
			} {
				p, err := ParseProxies(network, c[0])
				if err != nil {
					t.Fatal(err)
				}
				if got := seenBy(t, p, peer+":1", [2]string{c[0], sent}, [2]string{c[0], c[1]}); got != client {
					t.Errorf("a line of its own: %s", got)
				}
				if got := seenBy(t, p, peer+":1", [2]string{c[0], sent + ", " + c[1]}); got != client && got != peer {
					t.Errorf("in one line: %s", got)
				}
			}
		}
	})
}
