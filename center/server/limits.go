package server

import (
	"strings"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/web"
)

// The rates that AWS publishes, in requests a second. Membership changes inside of SCIM's group
// operations count against another rate there, which is not published. Source: user guide,
// "Quotas".
const (
	ssoAdminRate      = 20 //bound:rate requests to sso-admin, all operations together, with --aws-limits
	identityStoreRate = 20 //bound:rate requests to an operation of identitystore, with --aws-limits
	scimReadRate      = 40 //bound:rate SCIM reads of one kind, with --aws-limits
	scimWriteRate     = 25 //bound:rate SCIM writes of one kind, with --aws-limits
)

// limiter lets so many requests a second through, and as many at once.
func limiter(perSecond int) *web.Limiter {
	return &web.Limiter{PerSecond: float64(perSecond), Burst: perSecond}
}

// together throttles a service's operations by one rate for all.
func together(s awsapi.Service, perSecond int) awsapi.Service {
	l := limiter(perSecond)
	s.Throttled = func(string) bool { return !l.Allow("") }
	return s
}

// apart throttles each of a service's operations by a rate of its own.
func apart(s awsapi.Service, perSecond int) awsapi.Service {
	l := limiter(perSecond)
	s.Throttled = func(operation string) bool { return !l.Allow(operation) }
	return s
}

// throttleSCIM throttles each SCIM operation by the rate of reads or of writes.
func throttleSCIM(h *scimserver.Handler) {
	reads, writes := limiter(scimReadRate), limiter(scimWriteRate)
	h.Throttled = func(operation string) bool {
		for _, verb := range []string{"Get", "List", "Search", "ServiceProviderConfig"} {
			if strings.HasPrefix(operation, verb) {
				return !reads.Allow(operation)
			}
		}
		return !writes.Allow(operation)
	}
}
