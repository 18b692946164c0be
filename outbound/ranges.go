package outbound

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// prefixes reads networks that are known to be well written.
func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, text := range list {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// PrivateNetworks are those that an operator may allow: RFC 1918, shared address space (RFC 6598)
// and unique local addresses (RFC 4193).
var PrivateNetworks = prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")

// What is never asked, whatever is allowed. Sources: IANA's special-purpose address registries for
// IPv4 and IPv6, RFC 6890, and the pages of the clouds about their instance metadata.
var (
	// metadata are the services that hand an instance its credentials, where they are not
	// link-local: AWS (also its pods' credentials), Google Cloud, Azure's wire server, Alibaba
	// Cloud.
	metadata = prefixes("fd00:ec2::/32", "fd20:ce::/32", "168.63.129.16/32", "100.100.100.200/32")

	linkLocal = prefixes("169.254.0.0/16", "fe80::/10", "fec0::/10")

	// special is what no host on the internet has: this network, protocol assignments,
	// documentation, benchmarks, the relays and tunnels that lead to addresses of their own (6to4,
	// Teredo), multicast, and what is reserved.
	special = prefixes(
		"0.0.0.0/8",
		"192.0.0.0/24",
		"192.0.2.0/24",
		"192.88.99.0/24",
		"198.18.0.0/15",
		"198.51.100.0/24",
		"203.0.113.0/24",
		"224.0.0.0/4",
		"240.0.0.0/4",
		"2001::/23",
		"2001:db8::/32",
		"2002::/16",
		"3fff::/20",
	)

	// global is all of IPv6 that is given out: everything else is special (RFC 4291, section 2.4).
	global = netip.MustParsePrefix("2000::/3")

	// nat64 stands before an IPv4 address that a translator asks (RFC 6052).
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

func within(ip netip.Addr, networks []netip.Prefix) bool {
	return slices.ContainsFunc(networks, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// judge returns why an address may not be asked, and whether a setting allows it; "" when it may.
func (p Policy) judge(ip netip.Addr) (reason string, settable bool) {
	if ip.Zone() != "" {
		return "is on a link of this machine", false
	}
	ip = ip.Unmap()
	if p.onlyLoopback && !ip.IsLoopback() {
		return "is not this machine, and http is allowed only for this machine", false
	}
	translated := nat64.Contains(ip)
	if translated {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	switch {
	case within(ip, metadata):
		return "is a cloud's metadata service", false
	case within(ip, linkLocal):
		return "is link-local, where clouds hand out credentials", false
	case ip.IsLoopback():
		if p.Loopback && !translated {
			return "", false
		}
		return "is this machine itself, which only a server on loopback can reach", false
	case within(ip, PrivateNetworks):
		if within(ip, p.Networks) {
			return "", false
		}
		return "is in a private network", true
	case !ip.IsValid() || within(ip, special) || ip.Is6() && !global.Contains(ip):
		return "is not the address of a host on the internet", false
	}
	return "", false
}

// Networks reads what an operator allows: a list of networks, separated by commas, each within the
// private ones; "true" for all of those, and "false" or nothing for none.
func Networks(text string) (list []netip.Prefix, err error) {
	switch text = strings.TrimSpace(text); text {
	case "true":
		return PrivateNetworks, nil
	case "", "false":
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("%q is not a network, such as 10.1.0.0/16", part)
		}
		if !slices.ContainsFunc(
			PrivateNetworks,
			func(of netip.Prefix) bool { return of.Contains(p.Addr()) && of.Bits() <= p.Bits() },
		) {
			return nil, fmt.Errorf(
				"%s is not within a private network (%s): all other networks are already allowed, or never",
				p,
				join(PrivateNetworks),
			)
		}
		list = append(list, p.Masked())
	}
	return list, nil
}

func join(networks []netip.Prefix) string {
	texts := make([]string, len(networks))
	for i, p := range networks {
		texts[i] = p.String()
	}
	return strings.Join(texts, ", ")
}
