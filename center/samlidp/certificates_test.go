package samlidp_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/saml"
)

// TestACertificateIsReplaced sets an application up over the admin API, and replaces its
// certificate: a response is always signed by the active one, and the way back is open.
func TestACertificateIsReplaced(t *testing.T) {
	t.Parallel()
	a := newApplication(t)
	ctx, api := t.Context(), a.Admin()
	metadata, err := saml.ServiceProviderMetadata(saml.ServiceProvider{EntityID: audience, ACSURLs: []string{acs}})
	if err != nil {
		t.Fatal(err)
	}
	text, minutes := string(metadata), 30
	s, err := api.UpdateApplicationSAML(ctx, adminapi.UpdateApplicationSAML{
		ApplicationArn: a.id, Metadata: &text, SessionMinutes: &minutes,
		Mappings: &[]adminapi.ApplicationMapping{{Name: "mail", Value: "${user:email}"}},
	})
	if err != nil || s.ACSURL != acs || s.Audience != audience || s.SessionMinutes != 30 || len(s.Mappings) != 1 ||
		len(s.Certificates) != 1 || s.Name != "Wiki" {
		t.Fatalf("%+v, %v", s, err)
	}
	signsIn := func(certificate string) {
		t.Helper()
		v := a.SignIn("ada@example.com")
		got, _ := a.read(v, v.Get(a.request(nil)))
		if got.NameID != "ada@example.com" {
			t.Errorf("signed in as %s", got.NameID)
		}
		s, err := api.ApplicationSAML(ctx, s.ApplicationArn)
		if err != nil || len(s.Certificates) == 0 || s.Certificates[0].CertificateID != certificate {
			t.Errorf("%+v, %v; want %s", s.Certificates, err, certificate)
		}
	}
	signsIn(s.Certificates[0].CertificateID)
	s, err = api.CreateApplicationCertificate(ctx, a.id)
	if err != nil || len(s.Certificates) != 2 || !s.Certificates[0].Active || s.Certificates[1].Active {
		t.Fatalf("%+v, %v", s.Certificates, err)
	}
	first, second := s.Certificates[0].CertificateID, s.Certificates[1].CertificateID
	signsIn(first)
	one := func(id string) adminapi.ApplicationInput {
		return adminapi.ApplicationInput{ApplicationArn: a.id, CertificateID: id}
	}
	for _, id := range []string{second, first, second, second} { // and back, and again
		if _, err := api.ActivateApplicationCertificate(ctx, one(id)); err != nil {
			t.Fatal(err)
		}
		signsIn(id)
	}
	for name, refused := range map[string]func() error{
		"a third":        func() error { _, err := api.CreateApplicationCertificate(ctx, a.id); return err },
		"another":        func() error { _, err := api.ActivateApplicationCertificate(ctx, one("00")); return err },
		"the active one": func() error { _, err := api.DeleteApplicationCertificate(ctx, one(second)); return err },
		"nobody's": func() error {
			_, err := api.CreateApplicationCertificate(ctx, "apl-0000000000000000")
			return err
		},
	} {
		if refused() == nil {
			t.Errorf("%s is not refused", name)
		}
	}
	if s, err = api.DeleteApplicationCertificate(ctx, one(first)); err != nil || len(s.Certificates) != 1 {
		t.Errorf("%+v, %v", s.Certificates, err)
	}
	signsIn(second)
}
