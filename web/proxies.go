package web

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Proxies says which proxies stand before a server, and in which header they write who their client
// is. The zero value trusts none: the address of the connection is the client's.
//
// A proxy writes at the right end: of a list in one line, or by a line of its own below the
// client's (HAProxy's option forwardfor). So the header is read from the right, over all its lines,
// and nothing is believed that stands left of what the outermost trusted proxy has written. What is
// no address (unknown, _hidden) ends the reading: the client is then the one before it.
type Proxies struct {
	Count     int            // how many stand in a row; 0: none, or those of Networks
	Networks  []netip.Prefix // where they are, instead of their number
	Forwarded bool           // they write Forwarded (RFC 7239) instead of X-Forwarded-For
}

// maxProxies is more than anybody puts in a row.
const maxProxies = 16 //bound:list trusted proxies in a row

// ParseProxies reads a setting: a number of proxies, or the networks and addresses that they have,
// separated by commas. header is the one that they write: X-Forwarded-For or Forwarded.
func ParseProxies(trusted, header string) (p Proxies, err error) {
	switch strings.ToLower(header) {
	case "x-forwarded-for":
	case "forwarded":
		p.Forwarded = true
	default:
		return p, fmt.Errorf("the header %q: use X-Forwarded-For or Forwarded", header)
	}
	if p.Count, err = strconv.Atoi(trusted); err == nil {
		if p.Count < 0 || p.Count > maxProxies {
			return p, fmt.Errorf("use 0 to %d proxies, or their networks", maxProxies)
		}
		return p, nil
	}
	for part := range strings.SplitSeq(trusted, ",") {
		part = strings.TrimSpace(part)
		network, err := netip.ParsePrefix(part)
		if ip, single := netip.ParseAddr(part); single == nil {
			network, err = netip.PrefixFrom(ip.Unmap().WithZone(""), ip.Unmap().BitLen()), nil
		}
		if err != nil {
			return p, fmt.Errorf("%q: use a number of proxies, or their networks, such as 10.0.0.0/8", part)
		}
		if network.Bits() == 0 {
			return p, errors.New(
				"a network of all addresses would let every client choose its own: name those of the proxies",
			)
		}
		p.Networks = append(p.Networks, network.Masked())
	}
	return p, nil
}

// None says whether no proxy is trusted.
func (p Proxies) None() bool { return p.Count == 0 && len(p.Networks) == 0 }

func (p Proxies) trusts(ip netip.Addr) bool {
	return slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// client returns the address of the client that sent a request.
func (p Proxies) client(r *http.Request) string {
	peer := connection(r)
	if p.None() {
		return peer
	}
	known, err := netip.ParseAddr(peer)
	if err != nil {
		return peer
	}
	known = known.Unmap()
	if p.Count == 0 && !p.trusts(known.WithZone("")) {
		return peer
	}
	name, entries := "X-Forwarded-For", fromTheRight
	if p.Forwarded {
		name, entries = "Forwarded", forwardedFromTheRight
	}
	left := p.Count
	entries(r.Header[name], func(ip netip.Addr) bool {
		if !ip.IsValid() {
			return false
		}
		known, left = ip, left-1
		return left > 0 || (p.Count == 0 && p.trusts(ip))
	})
	return known.String()
}

// connection is the address at the other end of the connection.
func connection(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// fromTheRight goes through the lists of X-Forwarded-For from the last entry of the last line to
// the first one of the first. An entry that is no address is the zero address.
func fromTheRight(lines []string, each func(netip.Addr) bool) {
	for _, line := range slices.Backward(lines) {
		for {
			comma := strings.LastIndexByte(line, ',')
			if !each(node(strings.TrimSpace(line[comma+1:]))) {
				return
			}
			if comma < 0 {
				break
			}
			line = line[:comma]
		}
	}
}

// forwardedFromTheRight does the same for Forwarded. A line that is not well-formed counts as one
// entry that is no address: a quote that a client has opened takes nothing of its proxy's along.
func forwardedFromTheRight(lines []string, each func(netip.Addr) bool) {
	for _, line := range slices.Backward(lines) {
		elements, ok := forwarded(line)
		if !ok {
			elements = []netip.Addr{{}}
		}
		for _, ip := range slices.Backward(elements) {
			if !each(ip) {
				return
			}
		}
	}
}

// forwarded returns what stands as "for" in each element of a line, by the grammar of RFC 7239,
// section 4: pairs of a token and a token or quoted string, with semicolons between the pairs and
// commas between the elements.
func forwarded(line string) (elements []netip.Addr, ok bool) {
	var ip netip.Addr
	seen := false
	rest := strings.TrimSpace(line)
	for {
		name, value, after, ok := pair(rest)
		if !ok {
			return nil, false
		}
		if strings.EqualFold(name, "for") {
			if seen { // each parameter occurs once
				return nil, false
			}
			ip, seen = node(value), true
		}
		switch rest = strings.TrimLeft(after, " \t"); {
		case rest == "":
			return append(elements, ip), true
		case rest[0] == ',':
			elements = append(elements, ip)
			ip = netip.Addr{}
			seen = false
		case rest[0] != ';':
			return nil, false
		}
		rest = strings.TrimLeft(rest[1:], " \t")
	}
}

// pair reads a name, an equals sign and a token or quoted string.
func pair(s string) (name, value, rest string, ok bool) {
	end := token(s)
	if end == 0 || end == len(s) || s[end] != '=' {
		return "", "", "", false
	}
	name, s = s[:end], s[end+1:]
	if !strings.HasPrefix(s, `"`) {
		end = token(s)
		return name, s[:end], s[end:], end > 0
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '"':
			return name, b.String(), s[i+1:], true
		case s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return "", "", "", false
}

// token returns how long the token is that s begins with (RFC 9110, section 5.6.2).
func token(s string) int {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return i
		}
	}
	return len(s)
}

// node reads an address as proxies write it: alone, with a port, or in brackets. Names such as
// unknown and _hidden, and addresses of one link, are none.
func node(s string) netip.Addr {
	ip, err := netip.ParseAddr(s)
	if err != nil {
		if at, withPort := netip.ParseAddrPort(s); withPort == nil {
			ip, err = at.Addr(), nil
		} else if inner, ok := strings.CutPrefix(s, "["); ok {
			if inner, ok = strings.CutSuffix(inner, "]"); ok {
				ip, err = netip.ParseAddr(inner)
			}
		}
	}
	if err != nil || ip.Zone() != "" {
		return netip.Addr{}
	}
	return ip.Unmap()
}
