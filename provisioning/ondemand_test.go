package provisioning_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

func TestOneObjectIsExplainedInFiveSteps(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	c := &company{
		users:  []entry{user("ada"), user("bob"), user("eve"), user("kim")},
		groups: []entry{group("Eng", "ada", "bob")},
	}
	c.users[1].Assigned, c.users[2].Active = false, false
	c.users[3].directory["surname"] = ""
	one := func(dry bool, ref provisioning.Ref, members ...string) provisioning.Explanation {
		t.Helper()
		engine := provisioning.Engine{
			Source:   c,
			Memory:   m,
			Target:   provisioning.SCIM(x.client, provisioning.Entra),
			Mappings: mappings(t),
			Now:      time.Now,
			NewID:    func() string { return "made-up" },
			DryRun:   dry,
		}
		out, err := engine.One(context.Background(), ref, members...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	steps := func(e provisioning.Explanation) (s string) {
		for _, step := range e.Steps {
			s += fmt.Sprint(step.Name, ":", step.Status, " ")
		}
		return s
	}
	for i, want := range []string{"connect:success import:success scope:success match:success act:success ",
		"connect:success import:success scope:skipped match:skipped act:skipped ",
		"connect:success import:success scope:skipped match:skipped act:skipped ",
		"connect:success import:success scope:success match:success act:failure "} {
		if got := steps(one(true, c.users[i].Ref)); got != want {
			t.Errorf("%s: %s, want %s", c.users[i].Name, got, want)
		}
	}
	x.want(t)
	if e := one(false, c.groups[0].Ref, "ada", "bob"); e.Outcome() != provisioning.Success {
		t.Errorf("the group: %+v", e)
	}
	x.want(t, "ada*", "Eng=ada")
	if e := one(true, provisioning.Ref{Kind: provisioning.User, ID: "nobody"}); e.Outcome() != provisioning.Skipped ||
		!strings.Contains(e.Steps[2].Reason, "no longer exists") {
		t.Errorf("nobody: %+v", e)
	}
	x.misbehave(func(_ int, _ *http.Request, w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	if e := one(true, c.users[0].Ref); steps(e) != "connect:failure " {
		t.Errorf("a refused token: %s", steps(e))
	}
}
