package administer_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/saml"
)

func TestASAMLApplicationIsSetUpByCommand(t *testing.T) {
	o, s := newOffice(t)
	a, err := s.CreateApplication(context.Background(), audit.SystemActor, center.Application{
		Name: "Wiki", ProviderARN: "arn:aws:sso::aws:applicationProvider/custom-saml", Enabled: true,
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := saml.ServiceProviderMetadata(saml.ServiceProvider{
		EntityID: "https://wiki.example", ACSURLs: []string{"https://wiki.example/acs"},
	})
	file := filepath.Join(t.TempDir(), "wiki.xml")
	if err == nil {
		err = os.WriteFile(file, metadata, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	o.want("https://wiki.example/acs", "applications", "set", a.ID(), "--metadata", file, "--map", "mail=${user:email}",
		"--map", "name=${user:name}", "--subject", "${user:email}", "--subject-format", "emailAddress",
		"--session-minutes", "30", "--relay-state", "home")
	o.want("30 minutes", "applications", "set", a.ARN, "--unmap", "name", "--map", "mail=${user:preferredUsername}")
	x := read[adminapi.ApplicationSAML](o, "applications", "show", strings.ToUpper(a.Name))
	if len(x.Mappings) != 1 || x.Mappings[0].Value != "${user:preferredUsername}" || x.RelayState != "home" ||
		x.Subject.Format != "emailAddress" || x.Audience != "https://wiki.example" {
		t.Errorf("it is set up as %+v", x)
	}
	expired := strings.Replace(string(metadata), ` entityID="`, ` validUntil="2020-01-01T00:00:00Z" entityID="`, 1)
	if err := os.WriteFile(file, []byte(asUTF16(expired)), 0o600); err != nil {
		t.Fatal(err)
	}
	o.want("valid until 2020-01-01", "applications", "set", a.ID(), "--metadata", file)
	o.want("certificate that signs", "applications", "new-certificate", a.Name)
	x = read[adminapi.ApplicationSAML](o, "applications", "new-certificate", a.ID())
	if len(x.Certificates) != 2 {
		t.Fatalf("the certificates are %+v", x.Certificates)
	}
	first, second := x.Certificates[0].CertificateID, x.Certificates[1].CertificateID
	o.refused("delete it first", "", "applications", "new-certificate", a.ID())
	o.refused("the one that signs", "", "applications", "delete-certificate", a.ID(), first)
	o.want("certificate that waits  "+first, "applications", "activate-certificate", a.ID(), second)
	o.want(second, "applications", "delete-certificate", a.ID(), first)
	o.refused("NAME=VALUE", "", "applications", "set", a.ID(), "--map", "mail")
	o.refused("no such application", "", "applications", "show", "apl-0000000000000000")
}
