package mirror_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestWhoIsReadAloneHasAManager: somebody comes with no delta, or one told of them while a server
// of the source did not know them yet. No delta tells their manager again, so that is asked for.
func TestWhoIsReadAloneHasAManager(t *testing.T) {
	t.Parallel()
	alone := map[string]string{
		"/users/y":         `{"id":"y","userPrincipalName":"yan@x","displayName":"Yan","accountEnabled":true}`,
		"/users/y/manager": `{"id":"b"}`,
	}
	want := began + " y=yan@x*(,b,,)"
	t.Run("named", func(t *testing.T) {
		t.Parallel()
		p := newPages(t)
		p.want(beginning, began)
		p.answer = alone
		mark := tenant.Mark{Kind: tenant.KindUser, ID: "y"}
		if here, err := p.mirror.Fetch(t.Context(), mark); err != nil || !here {
			t.Fatal(here, err)
		}
		p.want(nil, want)
	})
	t.Run("told too early", func(t *testing.T) {
		t.Parallel()
		p := newPages(t)
		p.want(beginning, began)
		p.want(map[string]string{
			"/users/delta?d1": `{"value":[{"id":"y","manager@delta":[{"id":"b"}]}],
				"@odata.deltaLink":"HOST/users/delta?d2"}`,
		}, began)
		at := time.Now().Add(10 * time.Minute)
		p.mirror.Tenant.Now = func() time.Time { return at }
		p.want(alone, want)
	})
	t.Run("named, while a server does not know them yet", func(t *testing.T) {
		t.Parallel()
		p := newPages(t)
		p.want(beginning, began)
		p.answer = map[string]string{
			"/users/y": alone["/users/y"], "/users/y/memberOf": nobody, "/users/y/manager": nobody,
		}
		mark := tenant.Mark{Kind: tenant.KindUser, ID: "y"}
		if here, err := p.mirror.Fetch(t.Context(), mark); err != nil || !here {
			t.Fatal(here, err)
		}
		at := time.Now().Add(3 * time.Minute)
		p.mirror.Tenant.Now = func() time.Time { return at }
		p.want(alone, want)
	})
}

// TestWhoIsRestoredKeepsTheirManagerUntilItIsTold: a server that does not know their groups does
// not know their manager either, whom they keep until it is asked again.
func TestWhoIsRestoredKeepsTheirManagerUntilItIsTold(t *testing.T) {
	t.Parallel()
	ada := `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true,"jobTitle":"Dr"}`
	p := newPages(t)
	p.want(beginning, began)
	p.want(map[string]string{
		"/users/delta?d1": `{"value":[{"id":"a","@removed":{"reason":"changed"}}],
			"@odata.deltaLink":"HOST/users/delta?d2"}`,
	}, strings.Replace(began, "ada@x*", "ada@x", 1))
	p.want(map[string]string{
		"/users/delta?d2": `{"value":[` + ada + `],"@odata.deltaLink":"HOST/users/delta?d3"}`,
		"/users/a":        ada, "/users/a/memberOf": nobody, "/users/a/manager": nobody,
	}, began)
	at := time.Now().Add(3 * time.Minute)
	p.mirror.Tenant.Now = func() time.Time { return at }
	p.want(map[string]string{
		"/users/a": ada, "/users/a/memberOf": `{"value":[]}`, "/users/a/manager": `{"id":"c"}`,
	}, strings.Replace(began, "(Dr,b,", "(Dr,c,", 1))
}
