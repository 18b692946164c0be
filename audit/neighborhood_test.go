package audit

import (
	"strings"
	"testing"
)

func TestNeighborhoodIsWhatOneClientHolds(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.7":                  "192.0.2.7",
		"::ffff:192.0.2.7":           "192.0.2.7",
		"::ffff:c000:207":            "192.0.2.7",
		"2001:db8:1:2::1":            "2001:db8:1:2::/64",
		"2001:DB8:1:2:ffff:ffff::1":  "2001:db8:1:2::/64",
		"2001:db8:1:3::1":            "2001:db8:1:3::/64",
		"fe80::1%eth0":               "fe80::/64",
		"::1":                        "::/64",
		"":                           "",
		"@":                          "@",
		"192.0.2.7:80":               "192.0.2.7:80",
		strings.Repeat("x", 100_000): strings.Repeat("x", 64),
	} {
		if got := Neighborhood(address); got != want {
			t.Errorf("%.40s: %s, want %s", address, got, want)
		}
	}
}
