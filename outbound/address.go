package outbound

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// maxAddress bounds an address that is asked, in bytes.
const maxAddress = 2048 //bound:text an address that is asked

// Parse reads an address that a secret may be sent to, or that a caller has named: https, or http
// to this machine by its loopback name or number. Anything that two readers could take for two
// hosts is refused: user info, a fragment, letters beyond ASCII (give the xn-- form), a port that
// is none.
func Parse(address string) (*url.URL, error) {
	if len(address) > maxAddress {
		return nil, errors.New("the address is longer than 2048 bytes")
	}
	u, err := url.Parse(address)
	switch {
	case err != nil:
		return nil, errors.New("it is not a URL")
	case strings.Contains(address, "#"):
		return nil, errors.New("a fragment (#…) is not allowed")
	}
	return u, inspect(u)
}

func inspect(u *url.URL) error {
	switch {
	case u.Opaque != "" || u.Hostname() == "":
		return errors.New("use an https address with a host")
	case u.User != nil:
		return errors.New("a user name or password in the address is not allowed: remove the part before the @")
	case !plainHost(u.Host):
		return errors.New("the host must be written in ASCII letters, digits, dots and hyphens")
	case !rightPort(u):
		return errors.New("the port must be a number from 1 to 65535")
	case u.Scheme != "https" && (u.Scheme != "http" || !IsLoopbackHost(u.Hostname())):
		return errors.New("use an https address; http is allowed only for this machine (127.0.0.1, localhost)")
	}
	return nil
}

// Canonical is the one form of an address in which two of them are compared: scheme and host in
// lower case, the port only where it is not the scheme's own, the path without slashes at its end,
// and no query, since a client of ours replaces it. It fails where Parse does.
func Canonical(address string) (string, error) {
	u, err := Parse(address)
	if err != nil {
		return "", err
	}
	host := lower(u.Host)
	if port := u.Port(); port != "" {
		host = strings.TrimSuffix(host, ":"+port)
		n, _ := strconv.Atoi(port) // it is a number
		usual := u.Scheme == "https" && n == 443 || u.Scheme == "http" && n == 80
		if !usual {
			host += ":" + strconv.Itoa(n)
		}
	}
	return u.Scheme + "://" + strings.TrimSuffix(host, ":") + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// IsLoopbackHost says whether a host is this machine by its name or number.
func IsLoopbackHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return lower(host) == "localhost" || (err == nil && ip.Zone() == "" && ip.Unmap().IsLoopback())
}

// plainHost says whether a host, with its port, has only what names and numbers are made of.
func plainHost(host string) bool {
	for _, c := range []byte(host) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune(".-_:[]", rune(c)) {
			return false
		}
	}
	return true
}

func rightPort(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return true
	}
	n, err := strconv.Atoi(port)
	return err == nil && n > 0 && n < 1<<16
}

// lower changes ASCII letters only: other letters would become other names.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}
