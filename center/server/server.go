// Package server puts the doors of a center together: everything that a center serves, as one
// http.Handler. It is the only list of a center's doors. It also connects a center to AWS, and to
// the commands that work on its data.
//
// It may import audit, awsapi, center, center/accountaccess, center/accountaccessruntime,
// center/adminserver, center/awsdoor, center/awslogin,
// center/broker, center/console, center/iam, center/identitystore, center/idpmetadata,
// center/issuerkeys, center/organizations, center/orgserver, center/portal, center/requestserver,
// center/samlidp, center/scimserver, center/signin, center/sso, center/ssoadmin, center/ssooidc,
// center/sts, control, mail, outbound, refusal and web.
package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/accountaccess"
	"github.com/gatehouse-id/gatehouse/center/accountaccessruntime"
	"github.com/gatehouse-id/gatehouse/center/adminserver"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/center/awslogin"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/console"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/center/idpmetadata"
	"github.com/gatehouse-id/gatehouse/center/issuerkeys"
	"github.com/gatehouse-id/gatehouse/center/orgserver"
	"github.com/gatehouse-id/gatehouse/center/portal"
	"github.com/gatehouse-id/gatehouse/center/requestserver"
	"github.com/gatehouse-id/gatehouse/center/samlidp"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/center/signin"
	"github.com/gatehouse-id/gatehouse/center/sso"
	"github.com/gatehouse-id/gatehouse/center/ssoadmin"
	"github.com/gatehouse-id/gatehouse/center/ssooidc"
	"github.com/gatehouse-id/gatehouse/center/sts"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/web"
)

// Config is what the doors of a center need beside the center. The zero value serves the sandbox's
// credentials, takes no proxy's word, and asks hosts on the internet only.
type Config struct {
	// Roles opens roles in accounts; nil: the sandbox does.
	Roles center.Broker
	// Targets says which addresses are asked for an administrator.
	Targets outbound.Policy
	// Proxies are those that say who the client is.
	Proxies web.Proxies
	// AWSLimits answers beyond the request rates that AWS publishes as AWS does.
	AWSLimits bool
	// Observe is told of each answer; nil: nobody is.
	Observe web.Observe
	// Version is the program's, which the console shows; empty: it shows none.
	Version string
	// Trace follows each request; nil: nobody does.
	Trace web.Trace
	// More adds pages of the caller's own; nil: none.
	More func(*http.ServeMux)
}

// NewSandbox returns a broker whose credentials only this center's own STS knows. Its console is a
// page of the portal.
func NewSandbox(c *center.Center) *broker.Sandbox {
	return &broker.Sandbox{
		Sealer: c.Sealer,
		Now:    c.Now,
		Federation: broker.Federation{
			Center:   c,
			URL:      c.URL + portal.SandboxConsole,
			Audience: c.URL + portal.SandboxConsole,
			RolePath: "/",
		},
	}
}

// Handler serves a center: every door, the style sheet, and what each request gets on its way in.
// It also has the center refresh the identity provider's metadata and post notices, so call it
// before center.Run.
func Handler(c *center.Center, cfg Config) http.Handler {
	c.Webhooks = newWebhooks(cfg.Targets)
	mux := http.NewServeMux()
	web.MountStatic(mux)
	if cfg.More != nil {
		cfg.More(mux)
	}
	programs := http.NewServeMux() // AWS's APIs that have addresses of their own
	return web.Middleware(Mount(mux, programs, c, cfg), web.Options{
		Log:     c.Log,
		Proxies: cfg.Proxies,
		Secure:  strings.HasPrefix(c.URL, "https:"),
		Observe: cfg.Observe,
		Trace:   cfg.Trace,
		Site: web.Site{
			Product: "Gatehouse identity center", Theme: "center", Home: "/start", Desk: "/console/",
			Mark: c.Instance.Mark(), Wrong: wrong(c, programs),
		},
	})
}

// Mount puts the doors on a mux, and AWS's APIs that have addresses of their own on programs too,
// without what Handler puts around every request.
func Mount(mux, programs *http.ServeMux, c *center.Center, cfg Config) http.Handler {
	sandbox, sandboxed := cfg.Roles.(*broker.Sandbox)
	if sandbox == nil { // its credentials are known to STS all the same
		sandbox = NewSandbox(c)
	}
	if cfg.Roles == nil {
		cfg.Roles, sandboxed = sandbox, true
	}
	c.OwnSTS = sandboxed
	opens := sandbox // what AssumeRole opens is in the sandbox, or it is AWS's to open
	if !sandboxed {
		opens = nil
	}
	in := &signin.Handler{Center: c, Log: c.Log}
	metadata := idpmetadata.NewWatcher(c, cfg.Targets)
	c.RefreshMetadata = metadata.LookIfDue
	spMetadata := func(ctx context.Context) ([]byte, error) { return signin.SPMetadata(ctx, c) }
	verifier := &awsapi.Verifier{Region: c.Instance.Region, Now: time.Now, Lookup: awsdoor.Lookup(c, sandbox)}
	c.Assertions = issuerkeys.NewReader(cfg.Targets, time.Now)
	oidc := &ssooidc.Handler{
		Center:        c,
		Log:           c.Log,
		RequireUser:   in.RequireUser,
		SessionSecret: in.SessionSecret,
		Verify:        verifier,
		Used:          awsdoor.Used(c),
	}
	login := &awslogin.Handler{Center: c, Log: c.Log, Broker: cfg.Roles}
	login.RequireUser, login.SessionSecret = in.RequireUser, in.SessionSecret
	roles := &sso.Handler{Center: c, Log: c.Log, Broker: cfg.Roles}
	requests := &requestserver.Handler{Center: c, Log: c.Log}
	administration := &adminserver.Handler{Center: c, SPMetadata: spMetadata, Metadata: metadata}
	administration.ShowRequest = requestserver.Show
	administration.ShowReview, administration.ShowReviewLines = requestserver.ShowReview, requestserver.ShowReviewLines
	for _, door := range []interface{ Mount(mux *http.ServeMux) }{
		in,
		&portal.Handler{
			Center:        c,
			Log:           c.Log,
			Broker:        cfg.Roles,
			RequireUser:   in.RequireUser,
			SessionSecret: in.SessionSecret,
			Sandbox:       sandboxed,
		},
		&samlidp.Handler{Center: c, Log: c.Log, RequireUser: in.RequireUser, SessionSecret: in.SessionSecret},
		oidc,
		login,
		roles,
		&accountaccessruntime.Handler{Center: c, Log: c.Log, Broker: cfg.Roles},
		requests,
		&console.Handler{Center: c, Log: c.Log, Metadata: metadata, SPMetadata: spMetadata, Version: cfg.Version},
	} {
		door.Mount(mux)
	}
	store, admin := (&identitystore.Handler{Center: c}).Service(), (&ssoadmin.Handler{Center: c}).Service()
	provisioning := &scimserver.Handler{Center: c, Log: c.Log, RequestID: web.RequestID, Address: web.Address}
	provisioning.Named = web.Name
	if cfg.AWSLimits {
		store, admin = apart(store, identityStoreRate), together(admin, ssoAdminRate)
		throttleSCIM(provisioning)
	}
	apis := &awsapi.Handler{
		Verify:   verifier,
		Services: []awsapi.Service{store, admin, (&orgserver.Handler{Center: c}).Service(), administration.Service()},
		Query:    []awsapi.QueryService{(&sts.Handler{Center: c, Sandbox: opens}).Service()},
		Log:      c.Log,
		Named:    web.Name,
		Used:     awsdoor.Used(c),
	}
	apis.RequestID, apis.Address = web.RequestID, web.Address
	aws := atOneMoment(c, apis)
	mux.Handle("POST /{$}", aws)
	mountREST(apis, c, mux, programs)
	roles.Mount(programs)
	requests.Mount(programs)
	oidc.MountAPI(programs)
	login.MountAPI(programs)
	return provisioning.Before(awsapi.Instead(aws, programs, fromNetworks(c, in, mux)))
}

// mountREST adds the services of AWS that speak restJson1.
func mountREST(apis *awsapi.Handler, c *center.Center, all ...*http.ServeMux) {
	for _, mux := range all {
		apis.MountREST(mux, (&accountaccess.Handler{Center: c}).Service(), accountaccess.Routes)
	}
}

// atOneMoment has what a request reads of the center's memory proven once.
func atOneMoment(c *center.Center, next http.Handler) http.Handler {
	if !c.Store.Shared() {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(c.Moment(r.Context())))
	})
}
