package console

import (
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// TestWhatIsKeptStandsBesideWhatTheIdentityProviderSaid: of the newest sign-in, by the attribute's
// name in any letter case; what differs is marked, and what is only said is shown too.
func TestWhatIsKeptStandsBesideWhatTheIdentityProviderSaid(t *testing.T) {
	t.Parallel()
	u := center.User{
		UserName: "ada", Title: "Countess", Enterprise: center.Enterprise{CostCenter: "7", Manager: "m1"},
		Emails: []center.Value{{Value: "ada@example.com"}, {Value: "a@example.com"}},
	}
	at := time.UnixMilli(1_000)
	list, when := toldOf(u, []center.Session{
		{CreatedAt: at, Attributes: map[string]string{"costcenter": "8", "Team": "blue", "title": "Countess"}},
		{CreatedAt: at.Add(-time.Second), Attributes: map[string]string{"Team": "red"}},
		{CreatedAt: at.Add(time.Second)}, // says nothing
	})
	want := []told{
		{Name: "userName", Here: "ada"}, {Name: "title", Here: "Countess", Said: "Countess"},
		{Name: "enterprise.costCenter", Here: "7", Said: "8", Contradicts: true},
		{Name: "enterprise.manager", Here: "m1"}, {Name: "emails", Here: "ada@example.com, a@example.com"},
		{Name: "Team", Said: "blue"},
	}
	if !slices.Equal(list, want) || !when.Equal(at) {
		t.Errorf("at %s: %+v", when, list)
	}
}
