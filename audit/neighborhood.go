package audit

import "net/netip"

// subscriberBits is the part of an IPv6 address that one subscriber holds at least: the network
// prefix of RFC 4291, section 2.5.4. The other 64 bits are the subscriber's own to change.
const subscriberBits = 64

// maxForeignAddress bounds what is kept of an address that is none, in bytes.
const maxForeignAddress = 64 //bound:text an address of a client that is none, in bytes

// Neighborhood is the name under which a client's address is counted: an IPv4 address is itself,
// even if it is written as IPv6, and an IPv6 address is its /64, since a subscriber with one
// address of it has 2^64. Text that is not an address is kept, up to 64 bytes of it.
func Neighborhood(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address[:min(len(address), maxForeignAddress)]
	}
	ip = ip.Unmap().WithZone("")
	if ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, subscriberBits).Masked().String()
}
