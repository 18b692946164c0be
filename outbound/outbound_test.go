package outbound

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAddressesThatAreAsked(t *testing.T) {
	private, err := Networks("10.1.0.0/16,fd12:3456::/32")
	if err != nil {
		t.Fatal(err)
	}
	internet := Policy{}
	some := Policy{Networks: private}
	home := Policy{Loopback: true}
	for _, c := range []struct {
		address              string
		internet, some, home bool
	}{
		{"1.1.1.1", true, true, true}, {"2606:4700::1111", true, true, true}, {"::ffff:1.1.1.1", true, true, true},
		{"64:ff9b::101:101", true, true, true},
		{"10.1.2.3", false, true, false}, {"::ffff:10.1.2.3", false, true, false},
		{"64:ff9b::a01:203", false, true, false}, {"10.2.0.1", false, false, false},
		{"fd12:3456::1", false, true, false}, {"fd99::1", false, false, false}, {"172.16.0.1", false, false, false},
		{"192.168.1.1", false, false, false},
		{"100.64.0.1", false, false, false}, {"127.0.0.1", false, false, true}, {"127.9.9.9", false, false, true},
		{"::1", false, false, true},
		{"::ffff:127.0.0.1", false, false, true}, {"64:ff9b::7f00:1", false, false, false},
		{"::7f00:1", false, false, false}, {"::", false, false, false},
		{"0.0.0.0", false, false, false}, {"0.1.2.3", false, false, false}, {"169.254.169.254", false, false, false},
		{"169.254.170.2", false, false, false},
		{"::ffff:169.254.169.254", false, false, false}, {"64:ff9b::a9fe:a9fe", false, false, false},
		{"2002:a9fe:a9fe::1", false, false, false},
		{"2002:a00:1::1", false, false, false}, {"2001:0:a00:1::1", false, false, false},
		{"fd00:ec2::254", false, false, false}, {"168.63.129.16", false, false, false},
		{"100.100.100.200", false, false, false}, {"fe80::1", false, false, false}, {"fec0::1", false, false, false},
		{"ff02::1", false, false, false},
		{"224.0.0.1", false, false, false}, {"240.0.0.1", false, false, false},
		{"255.255.255.255", false, false, false}, {"198.18.0.1", false, false, false},
		{"192.0.0.192", false, false, false}, {"2001:db8::1", false, false, false},
		{"64:ff9b:1::a00:1", false, false, false}, {"100::1", false, false, false},
	} {
		for name, p := range map[string]struct {
			policy Policy
			want   bool
		}{"internet": {internet, c.internet}, "some": {some, c.some}, "home": {home, c.home}} {
			ip := netip.MustParseAddr(c.address)
			err := p.policy.control(context.Background(), "tcp6", netip.AddrPortFrom(ip, 443).String(), nil)
			if (err == nil) != p.want {
				t.Errorf("%s from %s: %v", c.address, name, err)
			}
			host := c.address
			if ip.Is6() {
				host = "[" + host + "]"
			}
			if early := p.policy.Check("https://" + host + "/x"); (early == nil) != p.want {
				t.Errorf("%s from %s, by its text: %v", c.address, name, early)
			}
		}
	}
	for _, p := range []Policy{{Loopback: true, Networks: PrivateNetworks}, Operator} { // whatever is allowed
		for _, never := range []string{"169.254.169.254", "fd00:ec2::254", "100.100.100.200", "fe80::1", "0.0.0.0"} {
			if err := p.control(
				context.Background(), "tcp6", netip.AddrPortFrom(netip.MustParseAddr(never), 80).String(), nil,
			); err == nil {
				t.Errorf("%s may be asked", never)
			}
		}
	}
}

func TestAddressesAsTheyAreWritten(t *testing.T) {
	for _, wrong := range []string{
		"", "x", "scim.example.com", "http://scim.example.com/", "ftp://scim.example.com", "https:///scim",
		"https://a@scim.example.com/", "https://127.0.0.1:x@evil.example/",
		"https://scim.example.com/#x", "https://scim.example.com/#", "https://scim.example.com:0/",
		"https://scim.example.com:99999/", "https://scim.example.com:/x y\n",
		"https://exämple.com/", "https://\u212aa.example/", "http://localhost.evil.example/",
		"http://127.0.0.1.evil.example/", "https:scim.example.com", "//scim.example.com/",
		"https://scim.example.com%00.evil.example/", "https://[fe80::1%25eth0]/",
		"https://scim.example.com/" + strings.Repeat("x", 3000), "http://[::ffff:10.0.0.1]/", "javascript:alert(1)",
	} {
		if u, err := Parse(wrong); err == nil {
			t.Errorf("%.60q is taken: %v", wrong, u)
		}
	}
	same := [][]string{
		{
			"https://scim.example.com/v2",
			"HTTPS://SCIM.example.com/v2/",
			"https://scim.example.com:443/v2//",
			"https://scim.example.com:0443/v2?x=y",
			"https://scim.example.com:/v2",
		},
		{"https://scim.example.com/V2"}, {"https://scim.example.com:8443/v2"}, {"https://scim.example.com./v2"},
		{"https://scim.example.com/v2%2f"},
		{"https://scim.example.com/v2/../x"},
		{"http://127.0.0.1/v2", "http://127.0.0.1:80/v2/"}, {"http://localhost/v2", "http://LOCALHOST/v2"},
		{"https://127.0.0.1/v2"},
		{"https://[::1]:443/v2", "https://[::1]/v2"},
	}
	seen := map[string]int{}
	for i, list := range same {
		for _, address := range list {
			got, err := Canonical(address)
			if err != nil {
				t.Errorf("%s: %v", address, err)
				continue
			}
			if first, ok := seen[got]; ok != (address != list[0]) || (ok && first != i) {
				t.Errorf("%s is %s", address, got)
			}
			seen[got] = i
		}
	}
}

// TestNamesAreJudgedByWhatTheyAre asks real listeners: a name is judged by what it is resolved to.
func TestNamesAreJudgedByWhatTheyAre(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	t.Setenv("HTTP_PROXY", server.URL)
	t.Setenv("HTTPS_PROXY", server.URL)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	home, away := Policy{Loopback: true}.Client(time.Second), Policy{}.Client(time.Second)
	res, err := home.Get("http://localhost:" + port + "/away")
	if err != nil || res.StatusCode != http.StatusTemporaryRedirect || asked != 1 {
		t.Fatalf("%v, %v; asked %d times: want the redirect itself", res, err, asked)
	}
	_ = res.Body.Close()
	for _, address := range []string{
		"http://localhost:" + port, "http://127.0.0.1:" + port, "https://localhost:" + port, "https://127.1:" + port,
		"https://2130706433:" + port, "https://0x7f000001:" + port,
	} {
		res, err := away.Get(address)
		if err == nil {
			_ = res.Body.Close()
			t.Errorf("%s was asked", address)
		}
		var refused *Refused
		var unknown *net.DNSError
		if !errors.As(err, &refused) && !errors.As(err, &unknown) {
			t.Errorf("%s: %v", address, err)
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times: want once", asked)
	}
	// A name of this machine that is not written so: plain http is refused before it is resolved.
	if _, err := home.Get("http://localhost.localdomain:" + port); err == nil {
		t.Error("http to a name was sent")
	}
}

func TestNoSecretOnPlainConnectionsToElsewhere(t *testing.T) {
	p := Policy{
		Loopback:     true,
		Networks:     PrivateNetworks,
		onlyLoopback: true,
	} // as if localhost were resolved to another machine
	for _, elsewhere := range []string{"10.0.0.1:80", "1.1.1.1:80", "[fd12::1]:80"} {
		if err := p.control(context.Background(), "tcp4", elsewhere, nil); err == nil {
			t.Errorf("plain http to %s", elsewhere)
		}
	}
}

func TestAProxyIsTakenOnlyWhereItIsMeant(t *testing.T) {
	var connects []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connects = append(connects, r.Method+" "+r.Host)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer proxy.Close()
	to, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{Proxy: http.ProxyURL(to)}
	for _, address := range []string{
		"https://scim.example/", "https://169.254.169.254/", "https://10.0.0.1/", "http://127.0.0.1:1/",
	} {
		if res, err := p.Client(time.Second).Get(address); err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			t.Errorf("%s was answered", address)
		}
	}
	if len(connects) != 1 || connects[0] != "CONNECT scim.example:443" {
		t.Errorf("the proxy was asked for %v", connects)
	}
}

func TestNetworksThatAnOperatorMayAllow(t *testing.T) {
	for text, want := range map[string]int{
		"":                        0,
		"false":                   0,
		"true":                    len(PrivateNetworks),
		"10.0.0.0/8":              1,
		" 10.1.2.3/24 , fd00::/8": 2,
	} {
		if got, err := Networks(text); err != nil || len(got) != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, wrong := range []string{
		"yes", "10.0.0.1", "127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/0", "8.0.0.0/8", "::/0", "10.0.0.0/7",
		"::ffff:10.0.0.0/104", "10.0.0.0/8,,",
	} {
		if got, err := Networks(wrong); err == nil {
			t.Errorf("%q: %v", wrong, got)
		}
	}
}

// FuzzDialCheck gives the dial's check addresses in every form of text, and as sixteen bytes: what
// it accepts is, by netip's own predicates, a host on the internet, and so is an IPv4 address
// within it.
func FuzzDialCheck(f *testing.F) {
	for _, seed := range []string{
		"127.0.0.1:80", "[::1]:80", "[::ffff:169.254.169.254]:80", "[64:ff9b::a9fe:a9fe]:443", "[fe80::1%eth0]:80",
		"10.0.0.1:443", "1.1.1.1:443", "[2606:4700::1111]:443",
		"[::]:1", "0.0.0.0:1", "[fd00:ec2::254]:80", "[2002:7f00:1::]:80", "[::127.0.0.1]:80", "127.1:80", "0x7f.1:80",
		"[::ffff:7f00:1]:80", "[fec0::1]:80", "[64:ff9b:1::1]:80",
	} {
		f.Add(seed, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		texts := []string{text}
		if len(raw) >= 16 {
			ip := netip.AddrFrom16([16]byte(raw[:16]))
			for _, form := range []string{
				ip.String(), ip.StringExpanded(), ip.Unmap().String(), ip.WithZone("eth0").String(),
				"::ffff:" + netip.AddrFrom4([4]byte(raw[:4])).String(),
			} {
				texts = append(texts, net.JoinHostPort(form, "443"))
			}
			texts = append(texts, netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[:4])), 443).String())
		}
		for _, address := range texts {
			for _, network := range []string{"tcp4", "tcp6"} {
				if (Policy{}).control(t.Context(), network, address, nil) != nil {
					continue
				}
				at, err := netip.ParseAddrPort(address)
				if err != nil {
					t.Fatalf("%q was accepted and is no address", address)
				}
				onTheInternet(t, address, at.Addr())
			}
			host, _, err := net.SplitHostPort(address)
			if err != nil || (Policy{}).Check("https://"+net.JoinHostPort(host, "443")+"/") != nil {
				continue
			}
			if ip, err := netip.ParseAddr(host); err == nil {
				onTheInternet(t, address, ip)
			}
		}
	})
}

func onTheInternet(t *testing.T, address string, ip netip.Addr) {
	t.Helper()
	all := []netip.Addr{ip, ip.Unmap()}
	if b := ip.As16(); nat64.Contains(ip) {
		all = append(all, netip.AddrFrom4([4]byte(b[12:])))
	} else if ip.Is6() && !ip.Is4In6() && (b[0]>>5 != 1 || b[0] == 0x20 && b[1] == 2) { // 2000::/3 without 6to4
		t.Errorf("%q: %s was accepted", address, ip)
	}
	for _, ip := range all {
		if !ip.IsValid() || ip.Zone() != "" || ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() ||
			ip.IsLinkLocalMulticast() ||
			ip.IsInterfaceLocalMulticast() ||
			ip.IsMulticast() ||
			ip.IsUnspecified() ||
			!ip.IsGlobalUnicast() {
			t.Errorf("%q: %s was accepted", address, ip)
		}
	}
}
