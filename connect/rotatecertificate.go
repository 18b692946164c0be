package connect

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
)

// CertificateKeeper is a side whose trusted certificates are changed one by one.
type CertificateKeeper interface {
	ListCertificates(context.Context) ([]adminapi.Certificate, error)
	ImportCertificate(ctx context.Context, pem string) error
	DeleteCertificate(ctx context.Context, id, confirmation string) error
}

// SignInLog is a side that tells of sign-ins.
type SignInLog interface {
	LookupEvents(context.Context, adminapi.SearchEvents, func(adminapi.Event) bool) error
}

// settled is how long after its making the tenant signs with a certificate everywhere.
const settled = time.Hour //bound:wait a certificate to be used by all of the tenant

// ofTenant is a signing certificate of the application.
type ofTenant struct {
	thumbprint string // SHA-1, in hexadecimal, as Graph names it
	der        []byte
	start, end time.Time
}

// id is the certificate's at the center.
func (c ofTenant) id() string {
	sum := sha256.Sum256(c.der)
	return hex.EncodeToString(sum[:])
}

// certificateRotation replaces the certificate that the tenant signs with.
type certificateRotation struct {
	*Rotation

	keeper  CertificateKeeper
	all     []ofTenant
	active  ofTenant
	next    ofTenant // without a thumbprint: to be made
	trusted map[string]bool
}

// ObserveCertificateRotation says what is to be done to replace the certificate that the tenant
// signs with, if it ends within when; zero: whenever it ends. The center trusts both until a later
// run, when people have signed in with the new one.
func ObserveCertificateRotation(ctx context.Context, cfg Config, when time.Duration) (*Rotation, error) {
	p, err := observeConnected(ctx, cfg)
	if err != nil {
		return nil, err
	}
	keeper, ok := p.cfg.Center.(CertificateKeeper)
	if !ok {
		return nil, errors.New("this center does not take certificates one by one")
	}
	c := &certificateRotation{
		Rotation: &Rotation{plan: p, when: when}, keeper: keeper, trusted: map[string]bool{},
	}
	if p.State.Configuration.Status != adminapi.StatusEnabled {
		return nil, errors.New(
			"the center does not trust what the tenant signs with now: run gatehouse connect status, then repair",
		)
	}
	if err := c.read(ctx); err != nil {
		return nil, err
	}
	c.Ends = Expiry{"The tenant's SAML signing certificate", c.active.end}
	old := c.replacedOnes()
	if len(old) > 0 && (when == 0 || !c.due(c.active.end)) { // a rotation that is not finished
		return c.Rotation, c.finish(ctx, old)
	}
	if c.due(c.active.end) {
		c.steps()
	}
	return c.Rotation, nil
}

// read finds the certificates on both sides.
func (c *certificateRotation) read(ctx context.Context) error {
	p := c.plan
	if p.State.Principal.PreferredTokenSigningKeyThumbprint == nil {
		return errors.New("the application has no active signing certificate: run gatehouse connect repair")
	}
	// only a request for them brings the certificates themselves
	var sp graph.ServicePrincipal
	path := "/servicePrincipals/" + p.State.Principal.ID + "?$select=keyCredentials"
	if err := p.cfg.Graph.Do(ctx, http.MethodGet, path, nil, &sp); err != nil {
		return err
	}
	for _, k := range sp.KeyCredentials {
		found, err := certificateOf(k)
		if err != nil {
			return err
		}
		if k.Usage != "Verify" || len(found.der) == 0 {
			continue
		}
		c.all = append(c.all, found)
		if strings.EqualFold(found.thumbprint, *p.State.Principal.PreferredTokenSigningKeyThumbprint) {
			c.active = found
		}
	}
	if c.active.thumbprint == "" {
		return errors.New("the tenant does not show its active signing certificate")
	}
	for _, x := range c.all { // one that an interrupted run has made, or somebody else
		if x.end.After(c.active.end) && x.start.Before(c.plan.cfg.Now().Add(ClockSkew)) && x.end.After(c.next.end) {
			c.next = x
		}
	}
	list, err := c.keeper.ListCertificates(ctx)
	for _, x := range list {
		c.trusted[x.CertificateID] = true
	}
	return err
}

func certificateOf(k graph.KeyCredential) (ofTenant, error) {
	der, err := base64.StdEncoding.DecodeString(k.Key)
	if err != nil {
		return ofTenant{}, fmt.Errorf("the tenant's certificate %s cannot be read: %w", k.KeyID, err)
	}
	raw, err := base64.StdEncoding.DecodeString(k.CustomKeyIdentifier)
	thumbprint := cmp.Or(k.Thumbprint, hex.EncodeToString(raw))
	if err != nil && k.Thumbprint == "" {
		return ofTenant{}, fmt.Errorf("the tenant's certificate %s cannot be read: %w", k.KeyID, err)
	}
	return ofTenant{strings.ToUpper(thumbprint), der, k.StartDateTime, k.EndDateTime}, nil
}

// replacedOnes are the application's own certificates that the center trusts beside the active one,
// and that end no later. What somebody else has added is not among them.
func (c *certificateRotation) replacedOnes() []ofTenant {
	return slices.DeleteFunc(slices.Clone(c.all), func(x ofTenant) bool {
		return x.thumbprint == c.active.thumbprint || !c.trusted[x.id()] || x.end.After(c.active.end)
	})
}

// steps replace the active certificate.
func (c *certificateRotation) steps() {
	if c.next.thumbprint == "" {
		c.add("New certificate in the tenant", "make one for three years; the old one goes on to sign", c.create)
	} else {
		c.Notes = append(c.Notes, "the tenant has a newer certificate already, which is used")
	}
	if c.next.thumbprint == "" || !c.trusted[c.next.id()] {
		c.add("Trust in the center", "add the new certificate beside the old one", c.trust)
	}
	c.add("Active certificate", "have the tenant sign with the new one", c.activate)
	c.add("Proof", "both sides agree on the new certificate, and the tenant takes a sign-in request", c.prove)
	c.Notes = append(c.Notes, "the center trusts the old certificate until a later run, an hour or more from now, "+
		"finds that somebody has signed in with the new one")
}

func (c *certificateRotation) create(ctx context.Context) error {
	var made graph.KeyCredential
	path := "/servicePrincipals/" + c.plan.State.Principal.ID + "/addTokenSigningCertificate"
	body := map[string]any{"displayName": "CN=" + c.plan.cfg.Cert}
	err := c.plan.cfg.Graph.Do(ctx, http.MethodPost, path, body, &made)
	if err != nil {
		return err
	}
	if c.next, err = certificateOf(made); err == nil && len(c.next.der) == 0 {
		err = errors.New("the tenant does not show the certificate that it has made: run this again")
	}
	return err
}

func (c *certificateRotation) trust(ctx context.Context) error {
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.next.der})
	return c.keeper.ImportCertificate(ctx, string(text))
}

func (c *certificateRotation) activate(ctx context.Context) error {
	c.plan.State.Principal.PreferredTokenSigningKeyThumbprint = &c.next.thumbprint
	return c.plan.patchPrincipal(ctx, map[string]any{"preferredTokenSigningKeyThumbprint": c.next.thumbprint})
}

// prove waits until the tenant publishes the new certificate, and has the trust checked.
func (c *certificateRotation) prove(ctx context.Context) error {
	p := c.plan
	for deadline := time.Now().Add(p.cfg.Settle); ; {
		if err := p.fetchMetadata(ctx); err != nil {
			return err
		}
		if slices.ContainsFunc(p.thumbprints(), func(id string) bool { return id == c.next.id() }) {
			break
		}
		if time.Now().After(deadline) {
			return errors.New("the tenant does not publish the new certificate yet: run this again")
		}
		if err := p.pause(ctx); err != nil {
			return err
		}
	}
	if err := p.verifyTrust(ctx); err != nil {
		return err
	}
	return p.verifySignIn(ctx)
}

// finish ends the center's trust in what was replaced, once somebody has signed in.
func (c *certificateRotation) finish(ctx context.Context, old []ofTenant) error {
	since := c.active.start.Add(settled)
	who := ""
	log, tells := c.plan.cfg.Center.(SignInLog)
	switch {
	case c.plan.cfg.Now().Before(since):
	case !tells: // the tenant does, of what it has signed
		seen, err := c.plan.SignIns(ctx, since)
		if err != nil {
			return err
		}
		who = seen.Who
	default:
		in := adminapi.SearchEvents{
			EventName: "ExternalIdPDirectoryLogin", Result: "Granted", StartTime: &since, MaxResults: 1,
		}
		if err := log.LookupEvents(ctx, in, func(e adminapi.Event) bool {
			who = e.ActorName
			return false
		}); err != nil {
			return err
		}
	}
	if who == "" {
		c.Notes = append(c.Notes, fmt.Sprintf(
			"the center still trusts %d replaced certificate(s), until somebody has signed in after %s", len(old),
			since.UTC().Format("2006-01-02 15:04 UTC"),
		))
		return nil
	}
	for _, x := range old {
		c.add(
			"Old certificate in the center",
			"end the trust in "+x.thumbprint+"; "+who+" has signed in with the new one",
			func(ctx context.Context) error { return c.keeper.DeleteCertificate(ctx, x.id(), "DELETE") },
		)
	}
	return nil
}
