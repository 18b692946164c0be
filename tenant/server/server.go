// Package server puts the doors of a tenant together: everything that a tenant serves, as one
// http.Handler. It is the only list of a tenant's doors.
//
// It may import audit, awsapi, control, mail, refusal, tenant, tenant/admincenter,
// tenant/graphserver, tenant/login, tenant/oauth, tenant/samlidp, tenant/syncjobs and web.
package server

import (
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/admincenter"
	"github.com/gatehouse-id/gatehouse/tenant/graphserver"
	"github.com/gatehouse-id/gatehouse/tenant/login"
	"github.com/gatehouse-id/gatehouse/tenant/oauth"
	"github.com/gatehouse-id/gatehouse/tenant/samlidp"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/web"
)

// Config is what the doors of a tenant need beside the tenant.
type Config struct {
	// Jobs runs what the doors ask of provisioning.
	Jobs *syncjobs.Runner
	// GraphLimit is how many Graph requests are taken in ten seconds; 0: any number.
	GraphLimit int
	// GraphLag is how long Graph does not know yet what was made.
	GraphLag time.Duration
	// Observe is told of each answer; nil: nobody is.
	Observe web.Observe
	// Version is the program's, which the admin center shows; empty: it shows none.
	Version string
	// Trace follows each request; nil: nobody does.
	Trace web.Trace
	// Proxies are those that say who the client is.
	Proxies web.Proxies
}

// Handler serves a tenant: every door, the style sheet, and what each request gets on its way in.
// It also has the tenant run the jobs, so call it before tenant.Run.
func Handler(t *tenant.Tenant, cfg Config) http.Handler {
	t.Provision = cfg.Jobs.Run
	mux := http.NewServeMux()
	web.MountStatic(mux)
	tokens := Mount(mux, t, cfg)
	// a tenant has no API of AWS's, and says so in AWS's form
	aws := &awsapi.Handler{Log: t.Log, RequestID: web.RequestID, Address: web.Address}
	return web.Middleware(awsapi.Instead(aws, nil, mux), web.Options{
		Log:     t.Log,
		Proxies: cfg.Proxies,
		Secure:  strings.HasPrefix(t.URL, "https:"),
		Observe: cfg.Observe,
		Trace:   cfg.Trace,
		Site: web.Site{
			Product: t.Organization.DisplayName, Theme: "tenant", Home: "/myapps", Desk: "/admin/",
			Mark: t.Organization.Mark(), Wrong: wrong(tokens),
		},
	})
}

// Mount puts the doors on a mux, without what Handler puts around every request. It returns that of
// tokens, which knows what a tenant's addresses are.
func Mount(mux *http.ServeMux, t *tenant.Tenant, cfg Config) *oauth.Handler {
	people := &login.Handler{Tenant: t, Log: t.Log}
	tokens := &oauth.Handler{Tenant: t, Log: t.Log, RequireAccount: people.RequireAccount}
	idp := &samlidp.Handler{
		Tenant:      t,
		Log:         t.Log,
		User:        people.User,
		RequireUser: people.RequireUser,
		EndSession:  people.EndSession,
	}
	for _, door := range []interface{ Mount(mux *http.ServeMux) }{
		people,
		tokens,
		idp,
		&graphserver.Handler{
			Tenant:       t,
			Log:          t.Log,
			Authenticate: tokens.Authenticate,
			Test:         cfg.Jobs.Test,
			Progress:     cfg.Jobs.Progress,
			OnDemand:     cfg.Jobs.OnDemand,
			Rehearsal:    graphserver.Rehearsal{Requests: cfg.GraphLimit, Lag: cfg.GraphLag},
		},
		&admincenter.Handler{
			Tenant:   t,
			Log:      t.Log,
			Metadata: idp.Metadata,
			Test:     cfg.Jobs.Test,
			Progress: cfg.Jobs.Progress,
			Standing: cfg.Jobs.Standing,
			OnDemand: cfg.Jobs.OnDemand,
			Version:  cfg.Version,
		},
	} {
		door.Mount(mux)
	}
	return tokens
}
