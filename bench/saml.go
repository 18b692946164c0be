package main

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"runtime"
	"time"

	"github.com/beevik/etree"
	crewjam "github.com/crewjam/saml"
	gosaml2 "github.com/russellhaering/gosaml2"
	dsig "github.com/russellhaering/goxmldsig"

	"github.com/gatehouse-id/gatehouse/saml"
)

// checkEmail is what the center demands of a name.
func checkEmail(name string) error {
	if address, err := mail.ParseAddress(name); err != nil || address.Address != name {
		return errors.New("an email address")
	}
	return nil
}

// The response that all verify: Entra's shape, the assertion signed with RSA-2048 and SHA-256.
const (
	samlIssuer   = "https://sts.windows.net/tenant/"
	samlAudience = "https://center.example/platform/saml/d-1234567890"
	samlACS      = "https://center.example/platform/saml/acs/1"
	samlRequest  = "_request"
)

// verifications measures one signed response with all checks, on one core, beside other libraries
// and the floor: the RSA verification and one canonicalization of the same bytes.
func verifications(s settings, _ string) ([]figure, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	now := time.Now()
	key, err := saml.NewSigningKey(now, now.AddDate(3, 0, 0))
	if err != nil {
		return nil, err
	}
	response, err := saml.Response(adasSignIn(now), key)
	if err != nil {
		return nil, err
	}
	floor, err := signatureFloor(response)
	if err != nil {
		return nil, err
	}
	encoded := base64.StdEncoding.EncodeToString(response)
	want := saml.Expect{
		Issuer:        samlIssuer,
		Certificates:  []*x509.Certificate{key.Certificate},
		Audience:      samlAudience,
		Recipient:     samlACS,
		Now:           now,
		NameID:        checkEmail,
		NameIDFormats: []string{saml.FormatEmail},
		MaxAssertion:  50_000,
	}
	tasks := []struct {
		name string
		do   func() error
	}{
		{"Gatehouse", func() error { _, err := saml.VerifyPOST(encoded, want); return err }},
		{"crewjam/saml", crewjamVerifies(response, key)},
		{"gosaml2", gosaml2Verifies(encoded, key)},
		{"RSA and one canonicalization", floor},
	}
	times, allocated := make([][]float64, len(tasks)), make([]float64, len(tasks))
	for range s.rounds {
		for i, t := range tasks {
			cost, err := timed(s.length, t.do)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", t.name, err)
			}
			times[i], allocated[i] = append(times[i], cost.each), cost.allocated
		}
	}
	own := median(times[0])
	var figures []figure
	for i, aim := range []string{1: "≤ 0.5 (goal 0.2)", 2: "", 3: "(goal 2.3)"} {
		if i == 0 {
			continue
		}
		figures = append(figures, figure{
			Name:    "one SAML response, all checks",
			Value:   own,
			Unit:    "ms",
			Against: tasks[i].name,
			Floor:   median(times[i]),
			Ratio:   own / median(times[i]),
			Aim:     aim,
			More:    fmt.Sprintf("%.0f KiB allocated, there %.0f", allocated[0]/1024, allocated[i]/1024),
		})
	}
	return figures, nil
}

// adasSignIn is what the measured response says.
func adasSignIn(now time.Time) saml.Statement {
	return saml.Statement{
		Issuer:       samlIssuer,
		Audience:     samlAudience,
		ACSURL:       samlACS,
		InResponseTo: samlRequest,
		NameID:       "ada@example.com",
		AuthnInstant: now,
		Now:          now,
		Attributes: []saml.Attribute{
			{Name: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", Values: []string{"Ada"}},
			{Name: "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", Values: []string{"Lovelace"}},
		},
	}
}

// cost is what one of many takes.
type cost struct {
	each      float64 // milliseconds
	allocated float64 // bytes
}

// timed repeats do and returns what one takes.
func timed(length time.Duration, do func() error) (cost, error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began, n := time.Now(), 0
	for ; time.Since(began) < length; n++ {
		if err := do(); err != nil {
			return cost{}, err
		}
	}
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return cost{
		each:      took.Seconds() * 1000 / float64(n),
		allocated: float64(after.TotalAlloc-before.TotalAlloc) / float64(n),
	}, nil
}

func crewjamVerifies(response []byte, key saml.SigningKey) func() error {
	acs, _ := url.Parse(samlACS)
	certificate := base64.StdEncoding.EncodeToString(key.Certificate.Raw)
	sp := crewjam.ServiceProvider{
		EntityID: samlAudience,
		AcsURL:   *acs,
		IDPMetadata: &crewjam.EntityDescriptor{
			EntityID: samlIssuer,
			IDPSSODescriptors: []crewjam.IDPSSODescriptor{{
				SSODescriptor: crewjam.SSODescriptor{
					RoleDescriptor: crewjam.RoleDescriptor{KeyDescriptors: []crewjam.KeyDescriptor{{Use: "signing",
						KeyInfo: crewjam.KeyInfo{
							X509Data: crewjam.X509Data{
								X509Certificates: []crewjam.X509Certificate{{Data: certificate}},
							},
						}}}},
				}}},
		},
	}
	return func() error {
		_, err := sp.ParseXMLResponse(response, []string{samlRequest}, *acs)
		var invalid *crewjam.InvalidResponseError
		if errors.As(err, &invalid) {
			return invalid.PrivateErr
		}
		return err
	}
}

func gosaml2Verifies(encoded string, key saml.SigningKey) func() error {
	sp := gosaml2.SAMLServiceProvider{
		IdentityProviderIssuer:      samlIssuer,
		AssertionConsumerServiceURL: samlACS,
		AudienceURI:                 samlAudience,
		IDPCertificateStore:         &dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{key.Certificate}},
	}
	return func() error { _, err := sp.RetrieveAssertionInfo(encoded); return err }
}

// signatureFloor is what nobody can do without: canonicalize the assertion once, and verify one RSA
// signature over its digest.
func signatureFloor(response []byte) (func() error, error) {
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(response); err != nil {
		return nil, err
	}
	assertion := doc.FindElement("//Assertion")
	if assertion == nil {
		return nil, errors.New("no assertion")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	c14n := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	bytesOf := func() ([]byte, error) { return c14n.Canonicalize(assertion.Copy()) }
	data, err := bytesOf()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(data)
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, err
	}
	return func() error {
		again, err := bytesOf()
		if err != nil || !bytes.Equal(again, data) {
			return cmp.Or(err, errors.New("it canonicalizes differently"))
		}
		sum := sha256.Sum256(again)
		return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature)
	}, nil
}
