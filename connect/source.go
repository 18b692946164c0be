package connect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/saml"
)

// Doubter is a side that does not tell what its identity source is. What is known of it is from
// runs on this machine, and somebody may have changed it since, or from another one.
type Doubter interface {
	// HandedOver says whether a run on this machine has given it a tenant's metadata.
	HandedOver() bool
	// TakenBack is when a run on this machine changed it back; zero: none did, or it was connected
	// again.
	TakenBack() time.Time
	// ChangeBackFrom has a person look what the identity source is, and change it back if it is of
	// this issuer.
	ChangeBackFrom(ctx context.Context, issuer string) error
}

var tenantIDIn = regexp.MustCompile(`(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// tenantID is the id of the tenant at LoginURL, from what it publishes: the URL may have a domain
// of the tenant, or its id in capitals. It must be the one that the Graph is signed in to.
func (p *Plan) tenantID(ctx context.Context) (string, error) {
	if p.State.IdP.EntityID == "" {
		about := "" // the tenant in general has the same issuer
		if sp := p.State.Principal; sp.PreferredTokenSigningKeyThumbprint != nil {
			about = "?appid=" + sp.AppID
		}
		_, idp, err := p.metadataAt(ctx, about)
		if err != nil {
			return "", fmt.Errorf("see which tenant --login-url is of: %w", err)
		}
		p.State.IdP = idp
	}
	id := tenantIDIn.FindString(p.State.IdP.EntityID)
	if id == "" {
		return "", fmt.Errorf(
			"--login-url %s is of no single tenant (its issuer is %s): give the URL with the tenant's id",
			p.cfg.LoginURL, p.State.IdP.EntityID,
		)
	}
	found, err := graph.All[graph.NamedObject](ctx, p.cfg.Graph, "/organization?$select=id,displayName")
	var refused *graph.Error
	if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
		return id, nil // the sign-in host has told
	}
	if err != nil {
		return "", err
	}
	if len(found) == 1 && !strings.EqualFold(found[0].ID, id) {
		return "", fmt.Errorf(
			"--login-url is of the tenant %s, and Microsoft Graph is signed in to %s: use the same tenant for both",
			id, found[0].ID,
		)
	}
	return id, nil
}

// metadataAt reads what the sign-in host publishes of an application, or of the tenant in general.
func (p *Plan) metadataAt(ctx context.Context, query string) ([]byte, saml.IdentityProvider, error) {
	address := strings.TrimRight(p.cfg.LoginURL, "/") + "/federationmetadata/2007-06/federationmetadata.xml" + query
	var idp saml.IdentityProvider
	data, err := p.get(ctx, address)
	if err == nil {
		if idp, err = saml.ParseIdentityProvider(data); err != nil {
			err = fmt.Errorf("the tenant's federation metadata: %w", err)
		}
	}
	return data, idp, err
}

// isOf says whether a configuration is of the tenant, whichever its keys are.
func isOf(c adminapi.Configuration, id string) bool {
	of := func(address string) bool { return strings.Contains(strings.ToLower(address), strings.ToLower(id)) }
	return of(c.EntityID) || of(c.SignInURL)
}

// source is the identity provider in force, if that is the tenant. Another of its keys may be
// trusted, or of its applications.
func (p *Plan) source(ctx context.Context) (source adminapi.Configuration, ours bool, err error) {
	configurations, err := p.cfg.Center.Configurations(ctx)
	if err != nil {
		return source, false, err
	}
	for _, c := range configurations {
		if c.Status != adminapi.StatusEnabled {
			continue
		}
		id, err := p.tenantID(ctx)
		if err != nil {
			return source, false, fmt.Errorf("tell whether the identity source is the tenant: %w", err)
		}
		if isOf(c, id) {
			source, ours = c, true
		}
	}
	return source, ours, nil
}

// observeSource finds out whether the identity source in force is the tenant. It is by its issuer:
// a connection whose keys do not fit any more is taken back, too.
func (u *Undo) observeSource(ctx context.Context) error {
	p := u.plan
	if p.State.Directory.IdentitySource == adminapi.SourceExternal {
		c, ours, err := p.source(ctx)
		if ours {
			p.State.Configuration, p.Changes = c, true
		}
		if ours || err != nil {
			return err
		}
	}
	side, doubts := p.cfg.Center.(Doubter)
	if !doubts {
		return nil
	}
	unsure, err := u.mayBeTrusted(ctx, side)
	if err != nil || !unsure {
		return err
	}
	id, err := p.tenantID(ctx)
	if err != nil {
		return fmt.Errorf("tell whose identity source it may be: %w", err)
	}
	u.doubter, u.issuer = side, p.State.IdP.EntityID
	u.Steps = append(u.Steps, Step{
		Title: sourceTitle,
		Detail: "AWS does not tell what it is: look in the console, and change it back if it is the tenant " + id +
			"; all else waits for that",
		do: u.restoreSource,
	})
	return nil
}

const sourceTitle = "Identity source"

// mayBeTrusted says whether a side that does not tell may have the tenant as its identity source.
// It does not only if there is nothing of a connection, or this machine has taken it back and
// nothing shows that it was connected again.
func (u *Undo) mayBeTrusted(ctx context.Context, side Doubter) (bool, error) {
	p := u.plan
	back := side.TakenBack()
	switch {
	case side.HandedOver():
		return true, nil
	case p.State.Principal.ID == "":
		return false, nil
	case back.IsZero(), p.State.Job.ID != "" && p.running():
		return true, nil
	}
	seen, err := p.SignIns(ctx, back.Add(2*ClockSkew)) // it reads from a skew before
	if errors.Is(err, ErrUnseen) {
		return false, nil
	}
	return seen.Seen > 0, err
}

// MetadataText is the metadata without its byte order mark, for the center's upload.
func (s State) MetadataText() string {
	return string(bytes.TrimPrefix(s.Metadata, []byte("\ufeff")))
}
