package web

import (
	"context"
	"net/http"
	"strings"
	"time"
)

// Followed is a request that is followed: the context to go on with, the traceparent of what it
// causes, empty where nothing is recorded, and what is called at its end.
type Followed struct {
	Context     context.Context //nolint:containedctx // of the request that it belongs to
	Traceparent string
	End         func(door, operation string, status int)
}

// Trace follows a request. It is given the traceparent that came with it, if one did, and the
// request's id.
type Trace func(r *http.Request, traceparent, id string) Followed

// Browsers send no traceparent when they go from page to page. A sign-in is many pages, on two
// sites: it is one trace because its doors say that what the browser does next belongs to it, by a
// cookie on their own site and, where the browser is sent to another one, by the address.
const (
	traceCookie = "gatehouse_trace_" // and the half: both may have one host on somebody's own machine
	traceParam  = "traceparent"
	traceLife   = 10 * time.Minute //bound:life the trace of a sign-in, from one page to the next
)

// follow begins to follow a request, with the first traceparent that is there: of its headers, of
// its address, of the page before.
func (c *requestContext) follow(w http.ResponseWriter, r *http.Request, o Options) {
	publicURL := "http:"
	if o.Secure {
		publicURL = "https:"
	}
	before := r.Header.Get("Traceparent")
	if before == "" && r.Method == http.MethodGet && strings.Contains(r.URL.RawQuery, traceParam+"=") {
		before = r.URL.Query().Get(traceParam)
	}
	c.cookie = traceCookie + o.Site.Theme
	if kept := CookieValue(r, publicURL, c.cookie); kept != "" {
		ClearCookie(w, publicURL, c.cookie)
		if before == "" {
			before = kept
		}
	}
	c.traced = o.Trace(r, before, c.info.ID)
	c.Context = c.traced.Context
}

// Follow has the request that the browser sends next to a site at publicURL belong to the same
// trace as this one, where this one is recorded.
func Follow(w http.ResponseWriter, r *http.Request, publicURL string) {
	c, ok := r.Context().(*requestContext)
	if !ok || c.traced.Traceparent == "" {
		return
	}
	// #nosec G124 -- None only under TLS, and Secure there
	cookie := Cookie(publicURL, c.cookie, c.traced.Traceparent, traceLife)
	if cookie.Secure { // an identity provider's response is a cross-site POST
		cookie.SameSite = http.SameSiteNoneMode
	}
	http.SetCookie(w, cookie)
}

// Following is the address of another site, to which this request sends a browser, so that what is
// done there belongs to the same trace, where this one is recorded.
func Following(r *http.Request, address string) string {
	c, ok := r.Context().(*requestContext)
	if !ok || c.traced.Traceparent == "" {
		return address
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + traceParam + "=" + c.traced.Traceparent
}
