package center

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

var update = flag.Bool("update", false, "write golden files")

// kindsAndRoles are all actors that there are.
var kindsAndRoles = []struct {
	title string
	by    audit.Actor
}{
	{"system", audit.Actor{Kind: audit.System}},
	{"console", audit.Actor{Kind: audit.Administrator}},
	{"administrator key", audit.Actor{Kind: audit.AccessKey, Role: string(RoleAdministrator)}},
	{"user-administrator key", audit.Actor{Kind: audit.AccessKey, Role: string(RoleUserAdministrator)}},
	{"read-only key", audit.Actor{Kind: audit.AccessKey, Role: string(RoleReadOnly)}},
	{"key without a role", audit.Actor{Kind: audit.AccessKey}},
	{"SCIM token", audit.Actor{Kind: audit.Provisioning}},
	{"person", audit.Actor{Kind: audit.User}},
	{"stranger", audit.Actor{Kind: audit.Anonymous}},
	{"tenant client", audit.Actor{Kind: audit.Application}},
	{"unknown kind", audit.Actor{Kind: "Visitor", Role: string(RoleAdministrator)}},
}

// tenants is a store that has a provisioning tenant or none.
type tenants struct {
	Reader
	on bool
}

func (t tenants) ProvisioningTenant() (p ProvisioningTenant, err error) {
	if !t.on {
		err = refusal.ErrNoRow
	}
	return p, err
}

// TestWhoMayDoWhat prints the whole table of rights, so that a change of it is seen in review.
func TestWhoMayDoWhat(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Who may do what at the center\n\n")
	b.WriteString(
		"Written by `go test ./center -run TestWhoMayDoWhat -update` from `center/actions.go`. What is not here " +
			"is refused.\n",
	)
	b.WriteString("\"By hand\" means: not while automatic provisioning is on.\n\n| change |")
	for _, k := range kindsAndRoles {
		b.WriteString(" " + k.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(kindsAndRoles)) + "\n")
	var c Center
	seen := map[string]bool{}
	for _, a := range actions {
		if seen[a.name] || a.name == "" {
			t.Errorf("the action %q has two lines or no name", a.name)
		}
		seen[a.name] = true
		b.WriteString("| " + a.name + " |")
		for _, k := range kindsAndRoles {
			off, on := c.authorize(tenants{on: false}, k.by, a), c.authorize(tenants{on: true}, k.by, a)
			switch {
			case off == nil && on == nil:
				b.WriteString(" yes |")
			case off == nil && refusal.CodeOf(on) == ManagedByProvisioning:
				b.WriteString(" by hand |")
			case refusal.CodeOf(off) == NotAllowed && refusal.CodeOf(on) == NotAllowed:
				b.WriteString(" |")
			default:
				t.Errorf("%s, %s: %v and %v", a, k.title, off, on)
			}
		}
		b.WriteString("\n")
	}
	golden(t, "../docs/rights-center.md", b.String())
}

// TestWhatHasNoLineIsRefused asks for actions that no line of the table allows.
func TestWhatHasNoLineIsRefused(t *testing.T) {
	var c Center
	for _, a := range []Action{{}, {name: "CreateUsr"}, {name: "CreateUser"}} {
		for _, k := range kindsAndRoles {
			err := c.authorize(tenants{}, k.by, a)
			if k.by.Kind == audit.System {
				if err != nil {
					t.Errorf("the system itself: %v", err)
				}
				continue
			}
			if refusal.CodeOf(err) != NotAllowed {
				t.Errorf("%s may do %q, which has no line: %v", k.title, a, err)
			}
		}
	}
}

// TestAFailingStoreDoesNotOpenTheConsole is the case that the table cannot show.
func TestAFailingStoreDoesNotOpenTheConsole(t *testing.T) {
	var c Center
	err := c.authorize(broken{}, audit.Actor{Kind: audit.Administrator}, ActionCreateUser)
	if !errors.Is(err, errBroken) {
		t.Errorf("%v", err)
	}
}

var errBroken = errors.New("the disk is gone")

type broken struct{ Reader }

func (broken) ProvisioningTenant() (ProvisioningTenant, error) {
	return ProvisioningTenant{}, errBroken
}

// golden compares a text with a file, or writes it with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil { // #nosec G306 -- a page of the docs
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file) // #nosec G304 -- named by the test
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s is not what the table says; -update writes it anew%s", file, firstDifference(string(want), got))
	}
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf(":\nin the file: %s\nin the code: %s", w[i], g[i])
		}
	}
	return fmt.Sprintf(": %d lines, and %d in the code", len(w), len(g))
}
