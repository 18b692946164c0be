package console

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/center/iam"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// serveFederationMetadata is for everybody: AWS's administrators take it from here.
func (h *Handler) serveFederationMetadata(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("directory") != h.Center.Instance.IdentityStoreID {
		http.NotFound(w, r)
		return
	}
	data, err := iam.ProviderMetadata(r.Context(), h.Center)
	if err != nil {
		h.Log.ErrorContext(r.Context(), "federation metadata", "request_id", web.RequestID(r), "error", err)
		status, text := http.StatusInternalServerError, "Internal error."
		if refusal.KindOf(err) == refusal.Unavailable {
			status, text = http.StatusServiceUnavailable, web.Unavailable
		}
		http.Error(w, text+" Reference: "+web.RequestID(r), status)
		return
	}
	w.Header().Set("Content-Type", "application/samlmetadata+xml")
	w.Header().Set("Content-Disposition", `attachment; filename="`+h.Center.SAMLProviderName()+`.xml"`)
	_, _ = w.Write(data) // the client has gone away
}
