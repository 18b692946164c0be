package connect

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
)

// The steps of an undo. Each looks again at what it takes away: what is somebody else's by now
// stays, and what is away already is no error.

// stopJob stops the job, if it is there still.
func (u *Undo) stopJob(ctx context.Context) (err error) {
	u.jobGone, err = u.takeAway(ctx, func() error { return u.plan.quiesce(ctx) })
	u.plan.paused = u.plan.paused && !u.jobGone // there is none to be turned on again
	return err
}

// disableProvisioning revokes the tokens where the center does not remove an endpoint that has
// some. Where a person does it, they go in the same task.
func (u *Undo) disableProvisioning(ctx context.Context) error {
	center, id := u.plan.cfg.Center, u.plan.State.SCIM.TenantID
	tenants, err := center.Tenants(ctx)
	switch {
	case err != nil:
		return err
	case len(tenants) == 0: // it is away already
		u.plan.forgetAll()
		return nil
	case tenants[0].TenantID != id:
		return changed("the center has another SCIM endpoint, %s", tenants[0].ScimEndpoint)
	}
	tokens, err := u.sameTokens(ctx)
	if err != nil {
		return err
	}
	err = center.DeleteTenant(ctx, id)
	if adminapi.ReasonOf(err) == "access-tokens-remain" {
		for _, t := range tokens {
			if err := u.plan.deleteToken(ctx, t.TokenID); err != nil {
				return err
			}
		}
		err = center.DeleteTenant(ctx, id)
	}
	if adminapi.ReasonOf(err) == "automatic-provisioning-off" {
		err = nil
	}
	if err == nil {
		u.plan.forgetAll()
		err = u.isOff(ctx)
	}
	return err
}

var errStillOn = errors.New("the SCIM endpoint still takes the tenant's token, so automatic provisioning is on, or " +
	"the token is not deleted: do it in the console, and run this again")

// isOff has the tenant test its token where a person was to end it. Who may not test is believed.
func (u *Undo) isOff(ctx context.Context) error {
	p := u.plan
	if _, learns := p.cfg.Center.(Learner); !learns || !p.State.Connected {
		return nil
	}
	return p.looksAgain(ctx, is(errStillOn), func() error {
		if p.testSaved(ctx); p.State.Connected {
			return errStillOn
		}
		return nil
	})
}

// sameTokens reads the access tokens again. One that the plan does not name is somebody's who needs
// it.
func (u *Undo) sameTokens(ctx context.Context) ([]adminapi.BearerToken, error) {
	tokens, err := u.plan.cfg.Center.BearerTokens(ctx, u.plan.State.SCIM.TenantID)
	for _, t := range tokens {
		if !slices.ContainsFunc(u.tokens, func(known adminapi.BearerToken) bool { return known.TokenID == t.TokenID }) {
			return nil, changed("the center has an access token more, %s, which was made on %s", t.TokenID,
				clock(t.CreationTime))
		}
	}
	return tokens, err
}

// restoreSource changes the identity source back, if it is still what the plan says. Undoing twice
// would bring the tenant back.
func (u *Undo) restoreSource(ctx context.Context) error {
	if u.doubter != nil {
		return u.doubter.ChangeBackFrom(ctx, u.issuer)
	}
	p := u.plan
	done, err := u.sameSource(ctx)
	if done || err != nil {
		return err
	}
	now, err := p.readSource(ctx)
	if err != nil {
		return err
	}
	d, err := p.cfg.Center.DescribeDirectory(ctx)
	if err != nil {
		return err
	}
	if was := p.State.Directory; d.UndoTo != was.UndoTo || d.UndoToEntityID != was.UndoToEntityID {
		return changed("the identity source before the tenant is another one (%s)", cmp.Or(d.UndoToEntityID, d.UndoTo))
	}
	in := adminapi.ConfirmInput{Confirmation: Confirmation, InForce: now.inForce.ConfigurationID}
	change := p.cfg.Center.DisableConfiguration
	undoer, undoes := p.cfg.Center.(Undoer)
	if undoes && d.UndoUntil != nil && (u.toOther(d) || d.UndoTo == adminapi.SourceDirectory) {
		change = undoer.UndoSourceChange
	}
	if err = change(ctx, in); adminapi.ReasonOf(err) == "identity-source-moved" {
		if done, failed := u.sameSource(ctx); done || failed != nil {
			return failed
		}
	}
	return err
}

// sameSource fails when the identity source is another one than the plan says. done says that it is
// what was before the tenant: somebody else has changed it back.
func (u *Undo) sameSource(ctx context.Context) (done bool, err error) {
	now, err := u.plan.readSource(ctx)
	if err != nil {
		return false, err
	}
	done = now.inForce.ConfigurationID == adminapi.SourceDirectory
	if was := u.plan.State.Directory; u.toOther(was) {
		done = now.inForce.EntityID == was.UndoToEntityID
	}
	if done {
		return true, nil
	}
	return false, u.plan.sameSource(ctx)
}

// removeJob clears the credentials and deletes the job. A tenant that takes no empty credentials
// keeps what is good for nothing: the token is revoked.
func (u *Undo) removeJob(ctx context.Context) error {
	p := u.plan
	if u.jobGone {
		return nil
	}
	was := p.State.Secrets[graph.KeyBaseAddress]
	away, err := u.takeAway(ctx, func() error {
		err := p.readSecrets(ctx)
		if now := p.State.Secrets[graph.KeyBaseAddress]; err == nil && now != was && now != "" {
			return p.writesElsewhere(now)
		}
		return err
	})
	if err == nil && !away {
		empty := graph.Secrets{Value: []graph.KeyValue{{Key: graph.KeyBaseAddress}, {Key: graph.KeySecretToken}}}
		err = p.cfg.Graph.Do(ctx, http.MethodPut, p.sync("/secrets"), empty, nil)
	}
	if err != nil && !graph.NotFound(err) && !graph.BadRequest(err) {
		return err
	}
	remove := func() error {
		return p.cfg.Graph.Do(ctx, http.MethodDelete, p.sync("/jobs/"+p.State.Job.ID), nil, nil)
	}
	if !away {
		_, err = u.takeAway(ctx, remove)
	} else if err = remove(); graph.NotFound(err) { // that was looked for long enough
		err = nil
	}
	p.paused = p.paused && err != nil // there is none to be turned on again
	return err
}

// deleteApplication deletes it, unless somebody has made another center's of it.
func (u *Undo) deleteApplication(ctx context.Context) error {
	p := u.plan
	was := p.State.Application.IdentifierURIs
	_, err := u.takeAway(ctx, func() error {
		app, err := p.readApplication(ctx)
		switch {
		case err != nil:
			return err
		case len(app.IdentifierURIs) > 0 && !sameSet(app.IdentifierURIs, was):
			return changed("the identifier of “%s” is %q now", app.DisplayName, app.IdentifierURIs)
		}
		return p.cfg.Graph.Do(ctx, http.MethodDelete, "/applications/"+app.ID, nil, nil)
	})
	if err == nil {
		p.forgetAsked()
	}
	return err
}

// takeAway does what takes something away. What is away already is no error, and is believed when a
// replica that is behind would know it by now: it may have been made minutes ago, of an application
// however old.
func (u *Undo) takeAway(ctx context.Context, do func() error) (away bool, err error) {
	behind := func(err error) bool { return graph.NotFound(err) || errors.Is(err, ErrChanged) }
	err = u.plan.looksAgain(ctx, behind, do)
	if away = graph.NotFound(err); away {
		err = nil
	}
	return away, err
}
