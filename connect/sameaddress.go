package connect

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
)

// Addressed is a side that has several addresses for one thing, such as one for each kind of IP
// address and Region.
type Addressed interface {
	// IsPortal says whether an address is its access portal's.
	IsPortal(address string) bool
	// IsACS says whether a reply URL is one more at which it takes what it takes at those known.
	IsACS(address string, known []string) bool
}

// dualStack are how AWS's hosts end for IPv4, and for both IPv4 and IPv6. Source: "AWS IAM Identity
// Center endpoints and quotas".
var dualStack = [][2]string{
	{".amazonaws.com", ".api.aws"}, {".amazonaws.com.cn", ".api.amazonwebservices.com.cn"},
}

// endpointOf is what two addresses of one SCIM endpoint have in common: a slash at the end, and
// Entra's feature flags in the query, make no difference, nor does AWS's host for IPv6.
func endpointOf(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return address
	}
	host := strings.ToLower(u.Host)
	for _, ends := range dualStack {
		if rest, dual := strings.CutSuffix(host, ends[1]); dual && strings.HasPrefix(host, "scim.") {
			host = rest + ends[0]
		}
	}
	return strings.ToLower(u.Scheme) + "://" + host + strings.TrimRight(u.Path, "/")
}

// sameEndpoint says whether two addresses are of one SCIM endpoint.
func sameEndpoint(a, b string) bool { return a != "" && endpointOf(a) == endpointOf(b) }

// leadsHere says whether a sign-on URL is the access portal's.
func (p *Plan) leadsHere(address *string) bool {
	if address == nil {
		return false
	}
	side, several := p.cfg.Center.(Addressed)
	return *address == p.State.SP.SignInURL || several && side.IsPortal(*address)
}

// replies are the reply URLs that the application is to have: the side's, and others of its that
// somebody has added, such as for IPv6. Whoever comes by one that is missing is refused.
func (p *Plan) replies(web *graph.Web) []string {
	want := p.State.SP.AcsURLs
	side, several := p.cfg.Center.(Addressed)
	if !several || web == nil {
		return want
	}
	all := slices.Clone(want)
	for _, have := range web.RedirectURIs {
		if !slices.Contains(all, have) && side.IsACS(have, want) {
			all = append(all, have)
		}
	}
	return all
}

// repliesHere says whether reply URLs are the side's, in any order.
func (p *Plan) repliesHere(web *graph.Web) bool {
	if len(p.State.SP.AcsURLs) == 0 {
		return true
	}
	return web != nil && sameSet(web.RedirectURIs, p.replies(web))
}
