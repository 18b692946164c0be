package server_test

import (
	"os"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/control"
)

// TestACenterBeginsOnce: its first start leaves an administrator, and the only copy of a key.
func TestACenterBeginsOnce(t *testing.T) {
	t.Parallel()
	c := server.Controlled{Center: centertest.New(t, "https://center.example")}
	if begun, err := c.Begun(t.Context()); err != nil || begun {
		t.Fatalf("a new center has begun: %v, %v", begun, err)
	}
	password := control.FirstPassword{Text: center.NewPassword(), Generated: true}
	path, err := control.FirstStart(t.Context(), c, "center", t.TempDir(), "root", password)
	if err != nil {
		t.Fatal(err)
	}
	if begun, err := c.Begun(t.Context()); err != nil || !begun {
		t.Errorf("it has begun: %v, %v", begun, err)
	}
	if same, err := c.AdministratorPasswordIs(t.Context(), "root", password.Text); err != nil || !same {
		t.Errorf("the password is the administrator's: %v, %v", same, err)
	}
	text, err := os.ReadFile(path) // #nosec G304 -- the test's own
	if err != nil {
		t.Fatal(err)
	}
	keys, err := c.AccessKeys(t.Context())
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	opened, err := c.AccessKeySecret(t.Context(), keys[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{c.ConsoleURL(), password.Text, keys[0].ID, opened.SecretAccessKey.Reveal()} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the file has no %s: %s", want, text)
		}
	}
}

// TestWhoRemovesAnAdministratorIsToldOfTheKeyThatStays: without it nothing could call the APIs.
func TestWhoRemovesAnAdministratorIsToldOfTheKeyThatStays(t *testing.T) {
	t.Parallel()
	c := server.Controlled{Center: centertest.New(t, "https://center.example")}
	for _, name := range []string{"root", "bob"} {
		if err := c.SetAdministrator(t.Context(), audit.SystemActor, name, center.NewPassword()); err != nil {
			t.Fatal(err)
		}
	}
	key, err := c.CreateAccessKey(t.Context(), audit.SystemActor, "bob", center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	notice, err := c.Remove(t.Context(), audit.SystemActor, "bob")
	if err != nil || !strings.Contains(notice, key.ID) {
		t.Errorf("it says %q, %v", notice, err)
	}
	if err := c.Unknown("bob"); !strings.Contains(err.Error(), "bob") {
		t.Errorf("nobody is told whom nobody knows: %v", err)
	}
}
