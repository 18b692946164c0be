package server_test

import (
	"os"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestATenantBeginsOnce: its first start leaves an administrator, and the only copy of a secret.
func TestATenantBeginsOnce(t *testing.T) {
	t.Parallel()
	tn := server.Controlled{Tenant: tenanttest.New(t, "https://tenant.example")}
	if begun, err := tn.Begun(t.Context()); err != nil || begun {
		t.Fatalf("a new tenant has begun: %v, %v", begun, err)
	}
	password := control.FirstPassword{Text: tenant.NewPassword()} // somebody has chosen it
	path, err := control.FirstStart(t.Context(), tn, "tenant", t.TempDir(), "root", password)
	if err != nil {
		t.Fatal(err)
	}
	if begun, err := tn.Begun(t.Context()); err != nil || !begun {
		t.Errorf("it has begun: %v, %v", begun, err)
	}
	if same, err := tn.AdministratorPasswordIs(t.Context(), "root", password.Text); err != nil || !same {
		t.Errorf("the password is the administrator's: %v, %v", same, err)
	}
	text, err := os.ReadFile(path) // #nosec G304 -- the test's own
	if err != nil {
		t.Fatal(err)
	}
	clients, err := tn.Clients(t.Context())
	if err != nil || len(clients) != 1 {
		t.Fatal(clients, err)
	}
	_, secret, _ := strings.Cut(string(text), "client secret ")
	if c, err := tn.AuthenticateClient(t.Context(), clients[0].ID, strings.TrimSpace(secret)); err != nil ||
		c.ID != clients[0].ID {
		t.Errorf("the secret in the file opens nothing: %v in %s", err, text)
	}
	if strings.Contains(string(text), password.Text) {
		t.Error("a password that somebody has chosen is in the file")
	}
	if err := tn.Unknown("bob"); !strings.Contains(err.Error(), "bob") {
		t.Errorf("nobody is told whom nobody knows: %v", err)
	}
}
