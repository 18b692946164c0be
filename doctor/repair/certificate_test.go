package repair_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/doctor/repair"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// credentialed is a tenant where a program signs in as the application, with a certificate of its
// own. The tenant has no private key of it.
type credentialed struct{ program graph.KeyCredential }

func (x credentialed) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || r.URL.Query().Get("$select") != "keyCredentials" {
		return res, err
	}
	var sp map[string]any
	if err := json.NewDecoder(res.Body).Decode(&sp); err != nil {
		return nil, err
	}
	sp["keyCredentials"] = append([]any{x.program}, sp["keyCredentials"].([]any)...)
	text, err := json.Marshal(sp)
	res.Header.Del("Content-Length")
	res.ContentLength, res.Body = int64(len(text)), io.NopCloser(bytes.NewReader(text))
	return res, err
}

// TestACertificateOfAProgramIsNotTakenForOneThatSigns: to have the tenant sign with a certificate
// that it has no key of would end every sign-in.
func TestACertificateOfAProgramIsNotTakenForOneThatSigns(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	var sp graph.ServicePrincipal
	at := "/servicePrincipals/" + e.Tenant.ServicePrincipalID
	e.Change(http.MethodGet, at+"?$select=keyCredentials,preferredTokenSigningKeyThumbprint", nil, &sp)
	now := time.Now()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: now.AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	program := graph.KeyCredential{
		Usage: "Verify", Type: "AsymmetricX509Cert", KeyID: "program", Key: base64.StdEncoding.EncodeToString(der),
		CustomKeyIdentifier: base64.StdEncoding.EncodeToString([]byte("a program's")),
		StartDateTime:       now.Add(-time.Hour), EndDateTime: now.AddDate(10, 0, 0),
	}
	client := graph.NewClient(
		context.Background(), e.Tenant.GraphURL, e.Tenant.TokenURL, e.Tenant.ClientID, e.Tenant.ClientSecret,
		&http.Client{Transport: credentialed{program}},
	)
	sides := repair.Sides{Graph: client, Admin: e.Admin}.Of(doctor.Facts{Now: now})
	was := *sp.PreferredTokenSigningKeyThumbprint
	if why := apply(t, sides, doctor.Repair{Action: doctor.NewCertificate, With: map[string]string{
		"servicePrincipalId": e.Tenant.ServicePrincipalID, "was": was,
		"until": now.AddDate(3, 0, 0).Format(time.DateOnly),
	}}); why != "" {
		t.Fatal(why)
	}
	e.Change(http.MethodGet, at+"?$select=keyCredentials,preferredTokenSigningKeyThumbprint", nil, &sp)
	if is := *sp.PreferredTokenSigningKeyThumbprint; strings.EqualFold(is, was) || len(sp.KeyCredentials) != 4 {
		t.Errorf("it signs with %s of %d keys; before it was %s", is, len(sp.KeyCredentials), was)
	}
}
