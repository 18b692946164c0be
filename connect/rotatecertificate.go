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
	signs      bool // the tenant has its key
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
	before  ofTenant // the one to go back to
	trusted map[string]bool
	prover  CertificateProver // nil where the center tells what it trusts
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
	c.prover, _ = p.cfg.Center.(CertificateProver)
	if p.State.Configuration.Status != adminapi.StatusEnabled {
		return nil, errors.New(
			"the center does not trust what the tenant signs with now: run gatehouse connect status, then repair",
		)
	}
	if err := c.read(ctx); err != nil {
		return nil, err
	}
	c.see()
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
		return explain(err)
	}
	c.all, c.next = nil, ofTenant{}
	for _, k := range sp.KeyCredentials {
		found, err := certificateOf(k)
		if err != nil {
			return err
		}
		if k.Usage != "Verify" || len(found.der) == 0 {
			continue
		}
		found.signs = graph.SignsWith(sp.KeyCredentials, k)
		c.all = append(c.all, found)
		if strings.EqualFold(found.thumbprint, *p.State.Principal.PreferredTokenSigningKeyThumbprint) {
			c.active = found
		}
	}
	if c.active.thumbprint == "" {
		return errors.New("the tenant does not show its active signing certificate")
	}
	for _, x := range c.all { // one that an interrupted run has made, or somebody else
		begun := x.start.Before(c.plan.cfg.Now().Add(ClockSkew))
		if x.signs && begun && x.end.After(c.active.end) && x.end.After(c.next.end) {
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
	return ofTenant{strings.ToUpper(thumbprint), der, k.StartDateTime, k.EndDateTime, true}, nil
}

// replacedOnes are the application's own certificates that the center trusts beside the active one,
// and that end no later. What somebody else has added is not among them.
func (c *certificateRotation) replacedOnes() []ofTenant {
	return slices.DeleteFunc(slices.Clone(c.all), func(x ofTenant) bool {
		return x.thumbprint == c.active.thumbprint || !c.trusted[x.id()] || x.end.After(c.active.end)
	})
}

// signInProof is what proves a certificate where a side does not tell what it trusts.
const signInProof = "somebody signs in with the new one, as AWS's own record says; otherwise the tenant signs with " +
	"the old one again"

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
	c.before = c.active
	proof := "both sides agree on the new certificate, and the tenant takes a sign-in request"
	if c.prover != nil {
		proof = signInProof
	}
	c.add("Active certificate", "have the tenant sign with the new one", c.activate)
	c.add("Proof", proof, c.prove)
	c.Notes = append(c.Notes, "the center trusts the old certificate until a later run, an hour or more from now, "+
		"finds that somebody has signed in with the new one")
}

// create makes the new certificate, unless there is one by now.
func (c *certificateRotation) create(ctx context.Context) error {
	if err := c.signsWith(ctx, c.before); err != nil {
		return err
	}
	there := func(ctx context.Context) (bool, error) {
		err := c.read(ctx)
		return c.next.thumbprint != "", err
	}
	if is, err := there(ctx); is || err != nil {
		return err
	}
	var made graph.KeyCredential
	path := "/servicePrincipals/" + c.plan.State.Principal.ID + "/addTokenSigningCertificate"
	body := map[string]any{"displayName": "CN=" + c.plan.cfg.Cert}
	err := c.plan.makes(ctx, path, body, &made, there)
	if err != nil || c.next.thumbprint != "" {
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

// signsWith fails when the tenant signs with none of these any more: somebody else may have chosen
// another one, which the center trusts or not.
func (c *certificateRotation) signsWith(ctx context.Context, these ...ofTenant) error {
	return c.plan.confirmed(ctx, func() error { return c.signsNow(ctx, these...) })
}

func (c *certificateRotation) signsNow(ctx context.Context, these ...ofTenant) error {
	var sp graph.ServicePrincipal
	path := "/servicePrincipals/" + c.plan.State.Principal.ID + "?$select=preferredTokenSigningKeyThumbprint"
	if err := c.plan.cfg.Graph.Do(ctx, http.MethodGet, path, nil, &sp); err != nil {
		return err
	}
	now := text(sp.PreferredTokenSigningKeyThumbprint)
	if !slices.ContainsFunc(these, func(x ofTenant) bool { return strings.EqualFold(x.thumbprint, now) }) {
		return changed("the tenant signs with the certificate %q now", now)
	}
	return nil
}

func (c *certificateRotation) activate(ctx context.Context) error {
	if err := c.signsWith(ctx, c.before, c.next); err != nil {
		return err
	}
	if c.prover != nil {
		if err := c.prover.BeginCertificate(c.next.id()); err != nil {
			return err
		}
	}
	err := c.sign(ctx, &c.next)
	if err == nil && c.prover == nil {
		c.plan.rememberSigning(c.next.id())
	}
	if err != nil && c.prover != nil { // the tenant may have done it
		return c.goBack(ctx, err)
	}
	return err
}

// sign has the tenant sign with a certificate.
func (c *certificateRotation) sign(ctx context.Context, with *ofTenant) error {
	c.plan.State.Principal.PreferredTokenSigningKeyThumbprint = &with.thumbprint
	return c.plan.patchPrincipal(ctx, map[string]any{"preferredTokenSigningKeyThumbprint": with.thumbprint})
}

// prove has both sides compared and, where one does not tell what it trusts, somebody sign in.
// While that is not proved nobody may be able to, so everything but a proof brings the old
// certificate back.
func (c *certificateRotation) prove(ctx context.Context) error {
	err := c.compare(ctx)
	if c.prover == nil {
		return err
	}
	if err == nil {
		asking, stop := context.WithTimeout(ctx, c.plan.cfg.SignInWait)
		defer stop()
		err = c.prover.ProveCertificate(asking, c.next.id())
	}
	if err != nil {
		return c.goBack(ctx, err)
	}
	return nil
}

const backTime = time.Minute //bound:wait a tenant to sign with the certificate before

// goBack has the tenant sign with the certificate before, even when a person has stopped the run.
// One that somebody else has chosen meanwhile stays. A look that fails says nothing of that.
func (c *certificateRotation) goBack(ctx context.Context, why error) error {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), backTime)
	defer stop()
	if err := c.signsNow(ctx, c.next, c.before); errors.Is(err, ErrChanged) {
		return fmt.Errorf("%w. The tenant was not set back to the old certificate: %w", why, err)
	}
	if err := c.sign(ctx, &c.before); err != nil {
		return fmt.Errorf(
			"%w. The tenant may still sign with the new certificate, and AWS may refuse it: in Entra, make %s the "+
				"active one (SAML certificates). It could not be set back: %w", why, c.before.thumbprint, err,
		)
	}
	return fmt.Errorf("%w. The tenant signs with the old certificate again", why)
}

// compare waits until the tenant publishes the new certificate, and has the trust checked.
func (c *certificateRotation) compare(ctx context.Context) error {
	p := c.plan
	err := p.looksAgain(ctx, is(errBehind), func() error {
		err := p.fetchMetadata(ctx)
		if err == nil && !slices.Contains(p.thumbprints(), c.next.id()) {
			err = errBehind
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := p.verifyTrust(ctx); err != nil {
		return err
	}
	return p.verifySignIn(ctx)
}

// finish ends the center's trust in what was replaced, once somebody has signed in.
func (c *certificateRotation) finish(ctx context.Context, old []ofTenant) error {
	since := c.active.start
	c.next, c.before = c.active, old[0]
	for _, x := range old {
		if x.end.After(c.before.end) {
			c.before = x
		}
	}
	if c.prover != nil {
		at, unproved := c.prover.CertificateSince(c.active.id())
		if at.After(since) { // it may have been made long before
			since = at
		}
		if unproved {
			c.add("Proof", signInProof, c.prove)
			return nil
		}
	}
	learned, err := c.learned(ctx)
	if err != nil {
		return err
	}
	if learned.After(since) {
		since = learned
	}
	since = since.Add(settled)
	var seen SignIns
	if !c.plan.cfg.Now().Before(since) {
		seen, err = c.signedIn(ctx, since)
		if errors.Is(err, ErrUnseen) || errors.Is(err, ErrUnrecorded) {
			c.Notes = append(c.Notes, err.Error())
			c.endTrust(old, "nobody here can tell whether somebody has signed in with the new one since "+
				clock(since)+": sign in first, in a private window")
			return nil
		}
		if err != nil {
			return err
		}
	}
	switch {
	case seen.Succeeded > 0:
		c.endTrust(old, cmp.Or(seen.Who, "somebody")+" has signed in with the new one")
	case seen.Refused != "":
		c.add("Active certificate", "have the tenant sign with the old one again: AWS refuses what it sends ("+
			seen.Refused+")", c.signAsBefore)
	default:
		c.Notes = append(c.Notes, fmt.Sprintf(
			"the center still trusts %d replaced certificate(s), until somebody has signed in after %s", len(old),
			clock(since),
		))
	}
	return nil
}

// see notes since when the tenant signs with the active certificate, as far as this machine can
// know: since now, unless it has noted that before. Another machine, a person or a run that was
// killed may have made it active a moment ago.
func (c *certificateRotation) see() {
	if c.prover == nil && c.plan.signing().ID != c.active.id() { // a prover remembers it itself
		c.plan.rememberSigning(c.active.id())
	}
}

// learned is when the active certificate was the center's, or this machine saw the tenant sign with
// it first, whichever was later. It may have been made long before: until then people signed in
// with the old one.
func (c *certificateRotation) learned(ctx context.Context) (at time.Time, err error) {
	if s := c.plan.signing(); s.ID == c.active.id() {
		at = s.At
	}
	log, tells := c.plan.cfg.Center.(SignInLog)
	if !tells {
		return at, nil
	}
	in := adminapi.SearchEvents{
		EventName: "ImportExternalIdPCertificate", Subject: c.active.id(), Result: "Granted", MaxResults: 1,
	}
	return at, log.LookupEvents(ctx, in, func(e adminapi.Event) bool { // the newest first
		if e.EventTime.After(at) {
			at = e.EventTime
		}
		return false
	})
}

// signing is a certificate that the tenant signs with, and when a run has seen that first.
type signing struct {
	ID string    `json:"certificate"`
	At time.Time `json:"at"`
}

// signing is what the last run has remembered of it.
func (p *Plan) signing() (s signing) {
	file := p.file("-signing")
	if file == "" || ReadFile(file, &s) != nil || s.At.After(p.cfg.Now().Add(ClockSkew)) {
		return signing{} // of a time to come, a clock has noted it that was ahead
	}
	return s
}

// rememberSigning notes that the tenant signs with a certificate from now on.
func (p *Plan) rememberSigning(id string) {
	if file := p.file("-signing"); file != "" {
		_ = WriteFile(file, signing{id, p.cfg.Now().UTC()}) // unwritten, it begins anew with each run
	}
}

func clock(at time.Time) string { return at.UTC().Format("2006-01-02 15:04 UTC") }

// endTrust ends the center's trust in certificates that were replaced.
func (c *certificateRotation) endTrust(old []ofTenant, because string) {
	for _, x := range old {
		c.add(
			"Old certificate in the center", "end the trust in "+x.thumbprint+"; "+because,
			func(ctx context.Context) error { return c.untrust(ctx, x) },
		)
	}
}

// untrust ends the trust in a certificate that the tenant does not sign with.
func (c *certificateRotation) untrust(ctx context.Context, old ofTenant) error {
	if err := c.signsWith(ctx, c.active); err != nil {
		return err
	}
	err := c.keeper.DeleteCertificate(ctx, old.id(), "DELETE")
	if adminapi.ReasonOf(err) == "certificate-not-found" { // somebody else has done it
		return nil
	}
	return err
}

func (c *certificateRotation) signAsBefore(ctx context.Context) error {
	if err := c.signsWith(ctx, c.active, c.before); err != nil {
		return err
	}
	return c.sign(ctx, &c.before)
}

// signedIn says who came in since, as the side has it. The tenant's log does not say whether its
// word was taken, so it is asked only where the side has no record of its own.
func (c *certificateRotation) signedIn(ctx context.Context, since time.Time) (seen SignIns, err error) {
	switch side := c.plan.cfg.Center.(type) {
	case SignInLog:
		in := adminapi.SearchEvents{
			EventName: "ExternalIdPDirectoryLogin", Result: "Granted", StartTime: &since, MaxResults: 1,
		}
		err = side.LookupEvents(ctx, in, func(e adminapi.Event) bool {
			seen.Succeeded, seen.Who = 1, e.ActorName
			return false
		})
		return seen, err
	case Recorder:
		return side.RecordedSignIns(ctx, since)
	}
	return c.plan.SignIns(ctx, since)
}
