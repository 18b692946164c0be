package graphserver

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant"
)

func BenchmarkUserObject(b *testing.B) {
	u := tenant.User{ID: "u", UserPrincipalName: "ada@example.com", DisplayName: "Ada Lovelace", Department: "Engines"}
	b.ReportAllocs()
	for b.Loop() {
		if userObject(u)["department"] != "Engines" {
			b.Fatal("no department")
		}
	}
}

// TestEveryPropertyIsSetAndShown goes through the table of properties.
func TestEveryPropertyIsSetAndShown(t *testing.T) {
	var u tenant.User
	sent := map[string]any{}
	for _, p := range u.Texts() {
		sent[p.Name] = "a " + p.Name
	}
	for name, value := range map[string]string{"mailNickname": "ada", "usageLocation": "DE", "userType": "Guest"} {
		sent[name] = value
	}
	if err := apply(&u, sent); err != nil {
		t.Fatal(err)
	}
	shown := userObject(u)
	for name, value := range sent {
		if shown[name] != value {
			t.Errorf("%s is shown as %v", name, shown[name])
		}
	}
	if err := apply(&u, map[string]any{"physicalDeliveryOfficeName": "x"}); err == nil {
		t.Error("a name of attribute mappings is taken for one of Graph's")
	}
}
