package dirsync

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestANameIsWhatItWas: what a sync follows by its name is renamed at the source, and somebody else
// gives the name to something of their own, which anybody may in an Entra ID. Those who are started
// anew follow what was followed before, and nobody else gets access.
func TestANameIsWhatItWas(t *testing.T) {
	t.Parallel()
	for kind, config := range map[string]func(*Config){
		"an application": func(c *Config) { c.Application = "Cloud" },
		"a group":        func(c *Config) { c.Groups = []string{"Art"} },
	} {
		for name, c := range map[string]struct{ renamed, taken bool }{
			"renamed":                            {true, false},
			"there is another of the name":       {false, true},
			"renamed, and another has that name": {true, true},
		} {
			t.Run(kind+", "+name, func(t *testing.T) {
				t.Parallel()
				from, to := newSource(t), newTarget(t, center.ProfileStandard)
				app := &tenant.Application{}
				from.assign(t, app, "g3")
				ours := between(from, to, newTenant(t, t.TempDir()))
				config(&ours)
				cycle(t, ours, false)
				if c.renamed {
					from.rename(t, app)
				}
				if c.taken {
					own := tenant.Group{DisplayName: "Art", SecurityEnabled: true}
					made, err := from.CreateGroup(ctx, tenanttest.Actor, own, "u3")
					if err != nil {
						t.Fatal(err)
					}
					from.assign(t, &tenant.Application{}, tenant.PrincipalID(made.ID))
				}
				if r := cycle(t, ours, false); r.Disabled+r.Created > 0 || !to.active(t, "bob@example.com") {
					t.Errorf("%+v", r)
				}
				from.disable(t, "u2")
				if r := cycle(t, ours, false); r.Disabled != 1 {
					t.Errorf("who leaves: %+v", r)
				}
			})
		}
	}
}

// rename renames an application, and the group of art.
func (from source) rename(t *testing.T, app *tenant.Application) {
	t.Helper()
	name := "Clouds"
	_, err := from.UpdateGroup(ctx, tenanttest.Actor, "g3", func(g *tenant.Group) { g.DisplayName = "Arts" })
	if err == nil {
		rename := func(a *tenant.Application) error {
			a.DisplayName = name
			return nil
		}
		_, err = from.UpdateApplication(ctx, tenanttest.Actor, tenant.AnyApplicationID(app.ID), rename)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnIDIsNoName: the configuration gives an id, and somebody calls something of their own so.
func TestAnIDIsNoName(t *testing.T) {
	t.Parallel()
	from := newSource(t)
	app := &tenant.Application{}
	from.assign(t, app, "g3")
	genuine := tenant.Group{DisplayName: "Genuine", SecurityEnabled: true}
	made, err := from.CreateGroup(ctx, tenanttest.Actor, genuine, "u2")
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{string(made.ID), string(app.ServicePrincipalID)} {
		own := tenant.Group{DisplayName: id, SecurityEnabled: true}
		if _, err := from.CreateGroup(ctx, tenanttest.Actor, own, "u3"); err != nil {
			t.Fatal(err)
		}
	}
	for name, set := range map[string]func(*Config){
		"a group":        func(c *Config) { c.Groups = []string{string(made.ID)} },
		"an application": func(c *Config) { c.Application = string(app.ServicePrincipalID) },
	} {
		to := newTarget(t, center.ProfileStandard)
		config := between(from, to, newTenant(t, t.TempDir()))
		config.Source.HTTP.Transport = altering(config.Source.HTTP.Transport, func(r *http.Request, body object) {
			if strings.HasSuffix(r.URL.Path, "/servicePrincipals") {
				body["value"] = []any{object{"id": "somebody-elses", "displayName": string(app.ServicePrincipalID)}}
			}
		})
		set(&config)
		cycle(t, config, false)
		if users, _, _ := to.counts(t, ""); users != 1 || !to.active(t, "bob@example.com") {
			t.Errorf("%s: %d users", name, users)
		}
	}
}

// TestAGroupThatIsMadeAnewIsFollowed: the one that was followed is gone, and another has its name.
// That is said: it may be anybody's.
func TestAGroupThatIsMadeAnewIsFollowed(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config := between(from, to, newTenant(t, t.TempDir()))
	config.Groups = []string{"Art"}
	var said strings.Builder
	config.Log = slog.New(slog.NewTextHandler(&said, nil))
	cycle(t, config, false)
	if err := from.DeleteGroup(ctx, audit.SystemActor, "g3"); err != nil {
		t.Fatal(err)
	}
	own := tenant.Group{DisplayName: "Art", SecurityEnabled: true}
	made, err := from.CreateGroup(ctx, tenanttest.Actor, own, "u2")
	if err != nil {
		t.Fatal(err)
	}
	if r := cycle(t, config, false); r.Disabled > 0 || !to.active(t, "bob@example.com") {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(said.String(), "id="+string(made.ID)) {
		t.Errorf("nobody is told that another is followed: %s", said.String())
	}
}
