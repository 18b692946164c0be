package connect

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
)

// identitySource is what a center has: its identity source, and what somebody has uploaded and not
// enabled. The built-in directory has no more than an id. Both are empty where a side does not
// tell.
type identitySource struct{ inForce, pending adminapi.Configuration }

func (p *Plan) readSource(ctx context.Context) (s identitySource, err error) {
	if _, doubts := p.cfg.Center.(Doubter); doubts {
		return s, nil
	}
	list, err := p.cfg.Center.Configurations(ctx)
	s.inForce.ConfigurationID = adminapi.SourceDirectory
	for _, c := range list {
		if c.Status == adminapi.StatusEnabled {
			s.inForce = c
		} else {
			s.pending = c
		}
	}
	return s, err
}

// called names an identity source.
func called(c adminapi.Configuration) string {
	if c.EntityID == "" {
		return "the built-in directory"
	}
	return c.EntityID
}

// noteReplaced names what the plan replaces and no step tells.
func (p *Plan) noteReplaced() {
	c := p.had.pending
	if c.ConfigurationID != "" && p.State.Configuration.ConfigurationID == "" &&
		!isOf(c, lastPart(p.cfg.LoginURL)) {
		p.Notes = append(p.Notes, "the center has metadata of "+called(c)+", which nobody has enabled: it is replaced")
	}
	elsewhere := p.State.Secrets[graph.KeyBaseAddress]
	if _, learns := p.cfg.Center.(Learner); !learns && elsewhere != "" && !p.pointsHere() {
		p.Notes = append(p.Notes, "the provisioning job writes to "+elsewhere+", and will write to this center")
	}
}

// sourceMoved is the error where the identity source is another one than the plan was made of: who
// signs in there now has agreed to nothing.
func sourceMoved(now adminapi.Configuration) error {
	return changed("the center's identity source is %s now", called(now))
}

// sameSource fails when the identity source is another one than the plan was made of.
func (p *Plan) sameSource(ctx context.Context) error {
	now, err := p.readSource(ctx)
	if err != nil || now.inForce.ConfigurationID == p.had.inForce.ConfigurationID || p.matches(now.inForce) {
		return err
	}
	return sourceMoved(now.inForce)
}

// uploadMetadata hands over what the tenant publishes. What somebody else has uploaded meanwhile,
// to change to another identity provider, stays.
func (p *Plan) uploadMetadata(ctx context.Context) error {
	if err := p.fetchCurrent(ctx); err != nil {
		return err
	}
	now, err := p.readSource(ctx)
	if err != nil {
		return err
	}
	for _, c := range []adminapi.Configuration{now.inForce, now.pending} {
		if p.matches(c) { // another run was quicker
			p.State.Configuration = c
			return p.refreshSAML(ctx)
		}
	}
	switch {
	case now.inForce.ConfigurationID != p.had.inForce.ConfigurationID:
		return sourceMoved(now.inForce)
	case now.pending.ConfigurationID != "" && now.pending.ConfigurationID != p.had.pending.ConfigurationID:
		return changed("the center has metadata of %s, which is to be enabled", called(now.pending))
	}
	p.State.Configuration, err = p.cfg.Center.CreateConfiguration(ctx, p.State.MetadataText())
	if err != nil {
		return err
	}
	return p.refreshSAML(ctx)
}

var errBehind = errors.New("the tenant does not publish the certificate yet that it signs with: run this again")

// fetchCurrent reads what the tenant publishes when it has the certificate that the tenant signs
// with: for a while after that was made there are others, such as those of the whole tenant.
func (p *Plan) fetchCurrent(ctx context.Context) error {
	err := p.looksAgain(ctx, is(errBehind), func() error {
		err := p.fetchMetadata(ctx)
		if err == nil && !p.published(p.State.Principal.PreferredTokenSigningKeyThumbprint) {
			err = errBehind
		}
		return err
	})
	if !errors.Is(err, errBehind) {
		return err
	}
	var now graph.ServicePrincipal // somebody may have chosen another one since the plan was made
	path := "/servicePrincipals/" + p.State.Principal.ID + "?$select=preferredTokenSigningKeyThumbprint"
	if failed := p.graph(ctx, http.MethodGet, path, nil, &now); failed != nil {
		return failed
	}
	if text(now.PreferredTokenSigningKeyThumbprint) == "" || !p.published(now.PreferredTokenSigningKeyThumbprint) {
		return err
	}
	p.State.Principal.PreferredTokenSigningKeyThumbprint = now.PreferredTokenSigningKeyThumbprint
	return nil
}

// published says whether the tenant's metadata has a certificate, where one is named.
func (p *Plan) published(thumbprint *string) bool {
	return text(thumbprint) == "" || slices.ContainsFunc(p.State.IdP.Certificates, func(c *x509.Certificate) bool {
		return strings.EqualFold(graph.Thumbprint(c.Raw), *thumbprint)
	})
}

// refreshSAML sets the reply URLs of a side that has told them only now.
func (p *Plan) refreshSAML(ctx context.Context) error {
	sp, err := p.cfg.Center.ServiceProvider(ctx)
	if err != nil || slices.Equal(sp.AcsURLs, p.State.SP.AcsURLs) {
		return err
	}
	p.State.SP = sp
	return p.setSAML(ctx)
}

// enable changes the identity source from the one that the plan was made of, and from no other.
func (p *Plan) enable(ctx context.Context) error {
	now, err := p.readSource(ctx)
	if err != nil {
		return err
	}
	if p.matches(now.inForce) { // another run was quicker
		return p.refreshSAML(ctx)
	}
	if err := p.sameSource(ctx); err != nil {
		return err
	}
	err = p.cfg.Center.EnableConfiguration(ctx, adminapi.ChangeInput{
		ConfigurationID: p.State.Configuration.ConfigurationID, Confirmation: Confirmation,
		InForce: p.had.inForce.ConfigurationID,
	})
	switch adminapi.ReasonOf(err) {
	case "identity-source-moved", "request-not-found", "identity-source-not-configured":
		if now, failed := p.readSource(ctx); failed == nil && p.matches(now.inForce) { // as above
			return p.refreshSAML(ctx)
		}
		return changed("the center has another identity source, or other metadata, than the plan says (%v)", err)
	}
	if err != nil {
		return err
	}
	return p.refreshSAML(ctx)
}

// enableProvisioning enables it, unless that is done by now.
func (p *Plan) enableProvisioning(ctx context.Context) error {
	made, err := p.cfg.Center.CreateTenant(ctx)
	if adminapi.ReasonOf(err) == "automatic-provisioning-on" {
		var tenants []adminapi.Tenant
		if tenants, err = p.cfg.Center.Tenants(ctx); err == nil && len(tenants) > 0 {
			made = tenants[0]
		}
	}
	p.State.SCIM = made
	return err
}

// newJob makes the job, and waits until the tenant shows it: a replica may not know it yet, which
// does not say that somebody has deleted it.
func (p *Plan) newJob(ctx context.Context) error {
	if err := p.createJob(ctx); err != nil || p.fresh {
		return err
	}
	return p.looksAgain(ctx, graph.NotFound, func() error {
		var job graph.SynchronizationJob
		return p.graph(ctx, http.MethodGet, p.sync("/jobs/"+p.State.Job.ID), nil, &job)
	})
}

// sameJob reads the job and what is saved for it again. It fails when the job writes elsewhere than
// it did, or somebody has paused it, and says whether somebody else has done meanwhile what is to
// be done.
func (p *Plan) sameJob(ctx context.Context) (done bool, err error) {
	wasOn := isOn(p.State.Job)
	err = p.confirmed(ctx, func() error {
		err := p.graph(ctx, http.MethodGet, p.sync("/jobs/"+p.State.Job.ID), nil, &p.State.Job)
		if graph.NotFound(err) {
			return changed("the provisioning job of “%s” is deleted", p.State.Principal.DisplayName)
		}
		if err == nil && wasOn && !isOn(p.State.Job) && !p.paused {
			return changed("the provisioning job of “%s” is paused", p.State.Principal.DisplayName)
		}
		return err
	})
	if err == nil {
		err = p.sameAddress(ctx)
	}
	if err == nil && !p.State.Connected && p.pointsHere() && p.State.Secrets[graph.KeySecretToken] != "" {
		p.testSaved(ctx)
		return p.State.Connected && p.settingsDone(), nil
	}
	return false, err
}

func isOn(j graph.SynchronizationJob) bool { return j.Schedule != nil && j.Schedule.State == "Active" }
