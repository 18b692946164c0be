package console_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/saml"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestAWSAccountsLearnWhoTheCenterIs reads the metadata that an account's SAML provider is made of.
func TestAWSAccountsLearnWhoTheCenterIs(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	v := webtest.New(t, nil)
	address := e.Center.URL + "/platform/saml/aws/" + e.Center.IdentityStoreID
	status, first := v.Send(http.MethodGet, address, nil)
	idp, err := saml.ParseIdentityProvider([]byte(first))
	if status != http.StatusOK || err != nil || idp.EntityID != address || len(idp.Certificates) != 1 {
		t.Fatalf("%d, %v: %s", status, err, first)
	}
	if _, again := v.Send(http.MethodGet, address, nil); again != first {
		t.Error("the key is another one at the second look")
	}
	if status, _ := v.Send(
		http.MethodGet, e.Center.URL+"/platform/saml/aws/d-0000000000", nil,
	); status != http.StatusNotFound {
		t.Errorf("another directory's: %d", status)
	}
}
