package tenant

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

var update = flag.Bool("update", false, "write golden files")

// kinds are all actors that there are.
var kinds = []struct {
	title string
	kind  audit.Kind
}{
	{"system", audit.System}, {"admin center", audit.Administrator}, {"Graph client", audit.Application},
	{"person", audit.User}, {"stranger", audit.Anonymous}, {"center's key", audit.AccessKey},
	{"SCIM token", audit.Provisioning}, {"unknown kind", "Visitor"},
}

// TestWhoMayDoWhat prints the whole table of rights, so that a change of it is seen in review.
func TestWhoMayDoWhat(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Who may do what at the tenant\n\n")
	b.WriteString(
		"Written by `go test ./tenant -run TestWhoMayDoWhat -update` from `tenant/actions.go`. What is not here " +
			"is refused.\n",
	)
	b.WriteString("A Graph client needs the permission of the route as well.\n\n| change |")
	for _, k := range kinds {
		b.WriteString(" " + k.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(kinds)) + "\n")
	seen := map[string]bool{}
	for _, a := range actions {
		if seen[a.name] || a.name == "" {
			t.Errorf("the action %q has two lines or no name", a.name)
		}
		seen[a.name] = true
		b.WriteString("| " + a.name + " |")
		for _, k := range kinds {
			switch err := authorize(audit.Actor{Kind: k.kind}, a); {
			case err == nil:
				b.WriteString(" yes |")
			case refusal.CodeOf(err) == NotAllowed:
				b.WriteString(" |")
			default:
				t.Errorf("%s, %s: %v", a, k.title, err)
			}
		}
		b.WriteString("\n")
	}
	const file = "../docs/rights-tenant.md"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil { // #nosec G306 -- a page of the docs
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("%s is not what the table says; -update writes it anew:\n%s", file, b.String())
	}
}

// TestWhatHasNoLineIsRefused asks for actions that no line of the table allows.
func TestWhatHasNoLineIsRefused(t *testing.T) {
	for _, a := range []Action{{}, {name: "Add usr"}, {name: "Add user"}} {
		for _, k := range kinds {
			err := authorize(audit.Actor{Kind: k.kind}, a)
			if allowed := err == nil; allowed != (k.kind == audit.System) {
				t.Errorf("%s asks for %q, which has no line: %v", k.title, a, err)
			}
		}
	}
}
