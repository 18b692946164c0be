package saml_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/saml"
)

// A service provider verifies what an identity provider has signed. Nothing but Verify and
// VerifyPOST makes an Assertion.
func ExampleVerify() {
	now := time.Now()
	key, err := saml.NewSigningKey(now, now.AddDate(3, 0, 0))
	if err != nil {
		fmt.Println(err)
		return
	}
	response, err := saml.Response(saml.Statement{
		Issuer:       "https://idp.example.com",
		Audience:     "https://sp.example.com/metadata",
		ACSURL:       "https://sp.example.com/acs",
		InResponseTo: "_request",
		NameID:       "ada@example.com",
		AuthnInstant: now,
		Now:          now,
	}, key)
	if err != nil {
		fmt.Println(err)
		return
	}
	want := saml.Expect{
		Issuer:       "https://idp.example.com",
		Certificates: []*x509.Certificate{key.Certificate},
		Audience:     "https://sp.example.com/metadata",
		Recipient:    "https://sp.example.com/acs",
		Now:          now,
	}
	assertion, err := saml.Verify(response, want)
	fmt.Println(assertion.NameID, assertion.InResponseTo, err)

	forged := strings.Replace(string(response), "ada@example.com", "eve@example.com", 1)
	_, err = saml.Verify([]byte(forged), want)
	var refusal *saml.Refusal
	fmt.Println(errors.As(err, &refusal), refusal.Check)
	// Output:
	// ada@example.com _request <nil>
	// true signature
}
