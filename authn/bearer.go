package authn

import "strings"

// BearerToken reads a token from an Authorization header: the scheme in any letter case and blanks
// behind it. ok is false for another scheme, and for a token without one. Sources: RFC 9110 §11.1
// and §11.4, RFC 6750 §2.1.
func BearerToken(header string) (token string, ok bool) {
	const scheme = "bearer"
	if len(header) <= len(scheme) || header[len(scheme)] != ' ' || !strings.EqualFold(header[:len(scheme)], scheme) {
		return "", false
	}
	token = strings.Trim(header[len(scheme):], " ")
	return token, token != ""
}
