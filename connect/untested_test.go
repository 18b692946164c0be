package connect_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/gatehousetest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/scim"
)

// TestStatusClaimsNothingOfATokenThatItMayNotTest: the center has a token that is valid, and that
// may be another client's. What is known is said, and what is not.
func TestStatusClaimsNothingOfATokenThatItMayNotTest(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	if err := m.connect(http.DefaultTransport, false); err != nil {
		t.Fatal(err)
	}
	status := func() (connect.Health, string) {
		t.Helper()
		client := &http.Client{Transport: &withheld{"/validateCredentials", http.StatusForbidden}}
		h, err := connect.ObserveHealth(t.Context(), config(m.Ends, client))
		if err != nil || len(h.Unread) != 1 {
			t.Fatal(h, err)
		}
		var out strings.Builder
		h.Print(&out)
		return h, out.String()
	}
	says := func(said string, words ...string) {
		t.Helper()
		for _, want := range words {
			if !strings.Contains(said, want) {
				t.Errorf("it does not say %q:\n%s", want, said)
			}
		}
	}
	h, said := status()
	if h.Condition != connect.Converged {
		t.Errorf("it is %s: %+v", h.Condition, h)
	}
	says(said, "nobody here knows whether they work: the center has 1 token that is valid, last used on 20")

	// another client has one too, and goes on when the tenant's is revoked
	old := m.tokens()[0]
	other, err := m.Admin.CreateBearerToken(t.Context(), old.TenantID, "")
	if err != nil {
		t.Fatal(err)
	}
	m.Forward(48 * time.Hour)
	m.revoke(old)
	m.SCIM = &scim.Client{BaseURL: m.endpoint(), Token: other.Value}
	m.Find("/Users", "userName", pairtest.Amara)
	h, said = status()
	if h.Condition != connect.Unknown {
		t.Errorf("it is %s: %+v", h.Condition, h)
	}
	says(said, "Whether changes arrive is not known", "revoked one on 20",
		"nothing says that the job has written since")
}

// TestStatusDoubtsATokenThatNobodyUses: the one with which the job wrote is another.
func TestStatusDoubtsATokenThatNobodyUses(t *testing.T) {
	t.Parallel()
	m := remembering{pairtest.Start(t, gatehousetest.Unconnected()), t, t.TempDir()}
	if err := m.connect(http.DefaultTransport, false); err != nil {
		t.Fatal(err)
	}
	old := m.tokens()[0]
	if _, err := m.Admin.CreateBearerToken(t.Context(), old.TenantID, ""); err != nil {
		t.Fatal(err)
	}
	m.revoke(old)
	client := &http.Client{Transport: &withheld{"/validateCredentials", http.StatusForbidden}}
	h, err := connect.ObserveHealth(t.Context(), config(m.Ends, client))
	if err != nil || h.Condition != connect.Drifted || !slices.ContainsFunc(h.Findings, func(f connect.Finding) bool {
		return f.Part == "Access token in the center" && strings.Contains(f.Detail, "the tenant may have another one")
	}) {
		t.Errorf("it is %+v, %v", h, err)
	}
}

func (m remembering) revoke(x adminapi.BearerToken) {
	m.t.Helper()
	if err := m.Admin.DeleteBearerToken(m.t.Context(), x.TenantID, x.TokenID); err != nil {
		m.t.Fatal(err)
	}
}

func (m remembering) endpoint() string {
	m.t.Helper()
	tenants, err := m.Admin.Tenants(m.t.Context())
	if err != nil || len(tenants) != 1 {
		m.t.Fatal(tenants, err)
	}
	return tenants[0].ScimEndpoint
}
