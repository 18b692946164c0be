package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// The steps at the tenant. Each looks again at what it is about to make or to overwrite: hours may
// have gone by since the plan, and an earlier run may have done it without an answer.

func (p *Plan) patchPrincipal(ctx context.Context, body map[string]any) error {
	return p.graph(ctx, http.MethodPatch, "/servicePrincipals/"+p.State.Principal.ID, body, nil)
}

// setSAML sets the mode first: a tenant policy may refuse foreign identifiers on applications that
// are not in SAML mode.
func (p *Plan) setSAML(ctx context.Context) error {
	if err := p.sameApplication(ctx); err != nil {
		return err
	}
	if p.samlDone() {
		return nil
	}
	sp, mode := p.State.SP, "saml"
	if err := p.patchPrincipal(ctx, map[string]any{"preferredSingleSignOnMode": mode}); err != nil {
		return err
	}
	p.State.Principal.PreferredSingleSignOnMode = &mode
	app := p.State.Application
	app.IdentifierURIs = []string{sp.EntityID}
	body := map[string]any{"identifierUris": app.IdentifierURIs}
	if hasMark(app) { // everybody finds it by its identifier now
		body["serviceManagementReference"] = nil
		app.ServiceManagementReference = nil
	}
	if len(sp.AcsURLs) > 0 {
		web := graph.Web{}
		if app.Web != nil {
			web = *app.Web
		}
		web.RedirectURIs = p.replies(app.Web)
		body["web"] = map[string]any{"redirectUris": web.RedirectURIs}
		app.Web = &web
	}
	err := p.graph(ctx, http.MethodPatch, "/applications/"+app.ID, body, nil)
	if graph.BadRequest(err) && hasMark(p.State.Application) { // it must have a reference
		delete(body, "serviceManagementReference")
		app.ServiceManagementReference = p.State.Application.ServiceManagementReference
		err = p.graph(ctx, http.MethodPatch, "/applications/"+app.ID, body, nil)
	}
	if err != nil {
		return p.taken(ctx, err)
	}
	p.State.Application = app
	p.forgetFound(ctx)
	if p.leadsHere(p.State.Principal.LoginURL) {
		return nil
	}
	if err := p.patchPrincipal(ctx, map[string]any{"loginUrl": sp.SignInURL}); err != nil {
		return err
	}
	p.State.Principal.LoginURL = &sp.SignInURL
	return nil
}

// lastsFor is how long a certificate that is there already must be good for, to be taken instead of
// a new one.
const lastsFor = 365 * 24 * time.Hour //bound:none which of two certificates is taken

// addCertificate makes the certificate and has the tenant sign with it. One that somebody has made
// active meanwhile stays so; one that nobody has made active, such as that of a run which ended
// early, is taken.
func (p *Plan) addCertificate(ctx context.Context) error {
	var now graph.ServicePrincipal
	path := "/servicePrincipals/" + p.State.Principal.ID + "?$select=keyCredentials,preferredTokenSigningKeyThumbprint"
	if err := p.graph(ctx, http.MethodGet, path, nil, &now); err != nil {
		return err
	}
	if active := now.PreferredTokenSigningKeyThumbprint; active != nil {
		p.State.Principal.PreferredTokenSigningKeyThumbprint = active
		return nil
	}
	thumbprint := p.idle(now.KeyCredentials)
	if thumbprint == "" {
		var made graph.KeyCredential
		err := p.makes(
			ctx, "/servicePrincipals/"+p.State.Principal.ID+"/addTokenSigningCertificate",
			map[string]any{"displayName": "CN=" + p.cfg.Cert}, &made,
			func(ctx context.Context) (bool, error) {
				err := p.graph(ctx, http.MethodGet, path, nil, &now)
				thumbprint = p.idle(now.KeyCredentials)
				return thumbprint != "", err
			},
		)
		if err != nil {
			return err
		}
		thumbprint = cmp.Or(made.Thumbprint, thumbprint)
	}
	p.State.Principal.PreferredTokenSigningKeyThumbprint = &thumbprint
	return p.patchPrincipal(ctx, map[string]any{"preferredTokenSigningKeyThumbprint": thumbprint})
}

// idle is the thumbprint of the certificate that lasts longest, if it lasts long, and that the
// tenant has the key of: others are those of programs that sign in as the application.
func (p *Plan) idle(keys []graph.KeyCredential) (thumbprint string) {
	until, begun := p.cfg.Now().Add(lastsFor), p.cfg.Now().Add(ClockSkew)
	for _, k := range keys {
		found, err := certificateOf(k)
		if err == nil && graph.SignsWith(keys, k) && found.start.Before(begun) && found.end.After(until) {
			thumbprint, until = found.thumbprint, found.end
		}
	}
	return thumbprint
}

// assigned are the ids of who is assigned to the application.
func (p *Plan) assigned(ctx context.Context) (ids map[string]bool, err error) {
	ids = map[string]bool{}
	list, err := graph.All[graph.AppRoleAssignment](
		ctx, p.cfg.Graph, "/servicePrincipals/"+p.State.Principal.ID+"/appRoleAssignedTo",
	)
	for _, a := range list {
		ids[a.PrincipalID] = true
	}
	return ids, err
}

// assignGroups assigns who is not assigned. That somebody else has done so meanwhile is as good.
func (p *Plan) assignGroups(ctx context.Context) error {
	role := graph.UserRoleID
	for _, r := range p.State.Principal.AppRoles {
		if r.DisplayName == "User" {
			role = r.ID
		}
	}
	for _, id := range p.State.Unassigned {
		in := graph.AppRoleAssignment{PrincipalID: id, ResourceID: p.State.Principal.ID, AppRoleID: role}
		err := p.settled(ctx, func() error {
			err := p.cfg.Graph.Do(
				ctx, http.MethodPost, "/servicePrincipals/"+p.State.Principal.ID+"/appRoleAssignedTo", in, nil,
			)
			var refused *graph.Error
			if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError {
				if now, failed := p.assigned(ctx); failed == nil && now[id] {
					return nil
				}
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("assign the group %q: %w", p.groups[id], err)
		}
	}
	return nil
}

// jobs are the provisioning jobs of the application.
func (p *Plan) jobs(ctx context.Context) ([]graph.SynchronizationJob, error) {
	return graph.All[graph.SynchronizationJob](ctx, p.cfg.Graph, p.sync("/jobs"))
}

// createJob makes the job, unless there is one by now.
func (p *Plan) createJob(ctx context.Context) error {
	take := func(ctx context.Context) (bool, error) {
		jobs, err := p.jobs(ctx)
		if err == nil && len(jobs) > 0 {
			p.State.Job = jobs[0]
		}
		return len(jobs) > 0, err
	}
	if !p.fresh {
		if there, err := take(ctx); there || err != nil {
			return err
		}
	}
	err := p.makes(
		ctx, p.sync("/jobs"), graph.SynchronizationJob{TemplateID: graph.AWSSyncTemplate}, &p.State.Job, take,
	)
	var refused *graph.Error
	if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError { // somebody was quicker
		if there, failed := take(ctx); there && failed == nil {
			return nil
		}
	}
	return err
}
