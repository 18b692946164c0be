package syncjobs

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// maxTold bounds what Test Connection tells of a target's own words, in characters.
const maxTold = 200 //bound:text the answer of a target that Test Connection tells

// told is what whoever tests a connection learns of a failure: enough to mend it, and not what
// stands at an address that they have named. Of an answer that is the class of its status, and a
// SCIM service's own reason; of a connection that failed, the kind.
func told(err error) string {
	var refused *outbound.Refused
	var answer *scim.Problem
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var network net.Error
	var dial *net.OpError
	switch {
	case errors.As(err, &refused):
		return refused.Error()
	case errors.As(err, &answer):
		return answered(answer)
	case errors.Is(err, provisioning.ErrNoFilter):
		return err.Error()
	case errors.As(err, &name):
		return "the host name is not known"
	case errors.As(err, &certificate):
		return "the TLS certificate is not valid for this host, or not issued by an authority that this machine knows"
	case errors.As(err, &network) && network.Timeout():
		return "it does not answer in time"
	case errors.As(err, &dial) && dial.Op == "dial":
		return "it cannot be reached"
	}
	return "it does not answer as a SCIM service over https"
}

func answered(p *scim.Problem) string {
	class := fmt.Sprintf("it answers with a status of %d00 to %d99", p.Status/100, p.Status/100)
	switch {
	case p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden:
		class = "it does not accept the secret token (a status of 400 to 499)"
	case p.Status/100 == 2:
		class = "it does not answer as a SCIM service does"
	}
	return strings.TrimSuffix(class+": "+audit.Cut(p.Detail, maxTold), ": ")
}
