package web

import (
	"net/http"
	"strings"
	"time"
)

// hostPrefix is before the name of every cookie of a site with TLS: a browser takes such a cookie
// from this very host only, over TLS and for all its paths, so that neither a neighbour under the
// same domain nor somebody on the way can put one in its place. Source: RFC 6265bis, section
// 4.1.3.2.
const hostPrefix = "__Host-"

// cookieName is what a cookie is called at a site at publicURL. Without TLS, which is loopback,
// browsers take no cookie with the prefix.
func cookieName(publicURL, name string) string {
	if strings.HasPrefix(publicURL, "https:") {
		return hostPrefix + name
	}
	return name
}

// Cookie makes a cookie for a site at publicURL. Its path is / and its domain this host: the prefix
// wants both.
func Cookie(publicURL, name, value string, lifetime time.Duration) *http.Cookie {
	return &http.Cookie{ // #nosec G124 -- Secure wherever the site has TLS; without it, it is loopback
		Name: cookieName(
			publicURL,
			name,
		),
		Value:    value,
		Path:     "/",
		HttpOnly: true,
		Secure:   strings.HasPrefix(publicURL, "https:"),
		SameSite: http.SameSiteLaxMode,
		MaxAge:   int(lifetime.Seconds()),
	}
}

// ClearCookie takes a cookie away, and under TLS also the one without the prefix, which earlier
// releases have set.
func ClearCookie(w http.ResponseWriter, publicURL, name string) {
	gone := Cookie(publicURL, name, "", -time.Second) // #nosec G124 -- as the cookie that goes
	http.SetCookie(w, gone)
	if gone.Name != name {
		gone.Name = name
		http.SetCookie(w, gone)
	}
}

// CookieValue returns the value of a cookie of a site at publicURL, or "". Under TLS one without
// the prefix is not looked at: anybody can have set it.
func CookieValue(r *http.Request, publicURL, name string) string {
	c, err := r.Cookie(cookieName(publicURL, name))
	if err != nil {
		return ""
	}
	return c.Value
}
