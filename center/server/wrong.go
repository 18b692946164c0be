package server

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

// ofTenant is how addresses of a tenant begin, or what stands behind a tenant's name in them.
var (
	ofTenant = []string{
		"/admin", "/myapps", "/login", "/v1.0", "/beta/", "/signin/", "/devicelogin", "/common/", "/organizations/",
	}
	belowTenant = []string{"oauth2", "saml2", "federationmetadata", "discovery"}
)

// wrong says what is wrong with an address that a center does not have: mostly it is the tenant's.
// programs has the addresses of AWS's APIs.
func wrong(c *center.Center, programs *http.ServeMux) func(*http.Request, int) (web.Wrong, bool) {
	site := &tenantSite{center: c}
	return func(r *http.Request, status int) (web.Wrong, bool) {
		switch {
		case status == http.StatusMethodNotAllowed && serves(programs, r):
			return web.Wrong{
				Title: "This address is for programs",
				Lines: []string{
					"The AWS CLI and SDKs use it, by another method than " + r.Method + ".",
					"What to do: begin at the start page, and use the links and buttons there.",
				},
				Answer: map[string]any{
					"__type":  "UnknownOperationException",
					"message": "there is no operation of AWS at this address and method",
				},
			}, true
		case status == http.StatusNotFound && isTenants(r.URL.Path):
			x := tenants(r.URL.Path)
			if there := site.same(r); there != "" {
				x.Link, x.LinkText = there, "Open it at the tenant"
			}
			return x, true
		default:
			return web.Wrong{}, false
		}
	}
}

// serves says whether a mux has an address by some method.
func serves(mux *http.ServeMux, r *http.Request) bool {
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodPatch} {
		other := *r
		other.Method = method
		if _, pattern := mux.Handler(&other); pattern != "" {
			return true
		}
	}
	return false
}

func isTenants(path string) bool {
	for _, of := range ofTenant {
		if strings.HasPrefix(path, of) {
			return true
		}
	}
	parts := strings.SplitN(strings.ToLower(path), "/", 4)
	for _, of := range belowTenant {
		if len(parts) > 1 && parts[1] == of || len(parts) > 2 && parts[2] == of {
			return true
		}
	}
	return false
}

// sitePatience is for a link that the page can do without.
const sitePatience = time.Second //bound:wait the database, for the link on the page of a wrong address

// siteKept is how long a new source of identities may take to be in the link.
const siteKept = 10 * time.Second //bound:none it is read again then

// tenantSite is where the tenant is by which people sign in. It is remembered: whoever tries
// addresses, also while the database is away, is answered without it.
type tenantSite struct {
	center  *center.Center
	reading sync.Mutex // held by the one who reads; others take what is remembered
	known   atomic.Pointer[knownSite]
}

type knownSite struct {
	url    url.URL // without a host: none is known
	readAt time.Time
}

// same is the address of the same page at the tenant, for a browser that opens it; "" when none is
// known. Only its path comes from the request: the host is the one that an administrator has
// configured, to which every sign-in leads anyway.
func (s *tenantSite) same(r *http.Request) string {
	if r.Method != http.MethodGet || !web.Opens(r) {
		return ""
	}
	at := s.read(r.Context())
	if at.Host == "" {
		return ""
	}
	at.Path = r.URL.Path
	return at.String()
}

// read is the site as it was a moment ago.
func (s *tenantSite) read(ctx context.Context) (at url.URL) {
	known := s.known.Load()
	if known != nil {
		at = known.url
	}
	if !s.reading.TryLock() {
		return at
	}
	defer s.reading.Unlock()
	now := s.center.Now()
	if known = s.known.Load(); known != nil && now.Sub(known.readAt) < siteKept {
		return known.url
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sitePatience)
	defer cancel()
	source, err := s.center.Source(ctx)
	if err == nil { // the page is worth more than its link
		at = siteOf(source)
	}
	s.known.Store(&knownSite{at, now})
	return at
}

// siteOf is where a tenant is that is the source of identities.
func siteOf(source center.IdentitySource) (none url.URL) {
	if source.Type != center.ExternalIdP || source.IdP == nil {
		return none
	}
	at, err := url.Parse(cmp.Or(source.IdP.SignInURL, source.IdP.SignInPOST))
	if err != nil || at.Scheme != "https" && at.Scheme != "http" || at.Host == "" ||
		!strings.HasSuffix(at.Path, "/saml2") || strings.Contains(at.Host, "microsoftonline") {
		return none // Microsoft has its admin center elsewhere
	}
	return url.URL{Scheme: at.Scheme, Host: at.Host}
}

// tenants is said of an address of the tenant.
func tenants(path string) web.Wrong {
	const (
		what = "This is an identity center. The address looks like one of the tenant that signs people in, such as " +
			"its admin center, sign-in page or Microsoft Graph."
		remedy = "use the same path at the tenant’s own host and port. Whoever runs the tenant knows them."
	)
	const whole = what + " What to do: " + remedy
	x := web.Wrong{
		Title:  "This address belongs to the tenant",
		Lines:  []string{what, "What to do: " + remedy},
		Answer: map[string]any{"error": "invalid_request", "error_description": whole},
	}
	if strings.HasPrefix(path, "/v1.0") || strings.HasPrefix(path, "/beta/") { // Graph has its own form
		x.Answer = map[string]any{"error": map[string]any{"code": "ResourceNotFound", "message": whole}}
	}
	return x
}
