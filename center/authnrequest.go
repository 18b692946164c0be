package center

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// AuthnRequest is a sign-in that has been sent to the identity provider. The browser that sent it
// keeps it, sealed, until it is answered: strangers could otherwise fill the store by asking for
// sign-ins, and nobody else can bring along what they have not got.
type AuthnRequest struct {
	ID          string
	ReturnTo    string    // path on this center to go to afterwards
	Rehearsal   string    // the pending identity provider that it went to; empty: the one in force
	RehearsedBy UserID    // who is to rehearse
	ForcedAt    time.Time // when the identity provider was told to ask for credentials again; zero: it was not
	ExpiresAt   time.Time
}

// AuthnRequestLifetime is how long the identity provider may take to answer.
const AuthnRequestLifetime = 10 * time.Minute //bound:life a sign-in at the identity provider

// maxOutstanding is how many sign-ins one browser may have on their way, in as many tabs; the
// oldest is forgotten. A cookie has room for them.
const maxOutstanding = 4 //bound:list sign-ins of one browser under way at the identity provider

// maxOutstandingSize is how long they may be together: browsers drop cookies of more than 4096
// bytes. Where people go afterward may be long, as the request of an application is.
const maxOutstandingSize = 3500 //bound:text sign-ins of one browser under way, in bytes

const (
	requestPurpose  = "authn-request" // of the seal
	outstandingStop = "."             // between requests; it is in no sealed text
)

// Outgoing is a request on its way to an identity provider, and what the browser must bring along
// with the answer.
type Outgoing struct {
	AuthnRequest
	To          IdPConfiguration
	Outstanding authn.Secret // the requests of this browser that are not answered, this one among them
}

// StartAuthnRequest begins a sign-in at the identity provider. outstanding is what this browser has
// kept of earlier ones. force requires the identity provider to ask for credentials again: a
// response that does not say so is refused. It fails with SourceNotConfigured.
func (c *Center) StartAuthnRequest(ctx context.Context, outstanding, returnTo string, force bool) (Outgoing, error) {
	s, err := c.Source(ctx)
	if err != nil {
		return Outgoing{}, err
	}
	if s.Type != ExternalIdP || s.IdP == nil {
		return Outgoing{}, &refusal.Error{Code: SourceNotConfigured}
	}
	request := AuthnRequest{ReturnTo: returnTo}
	if force {
		request.ForcedAt = c.now()
	}
	return c.outgoing(outstanding, request, *s.IdP)
}

func (c *Center) outgoing(outstanding string, request AuthnRequest, to IdPConfiguration) (Outgoing, error) {
	request.ID, request.ExpiresAt = "_"+c.NewID(), c.now().Add(AuthnRequestLifetime)
	plain, err := json.Marshal(request)
	if err != nil {
		return Outgoing{}, err
	}
	kept := []string{c.Sealer.Seal(requestPurpose, plain)}
	size := len(kept[0])
	for sealed := range strings.SplitSeq(outstanding, outstandingStop) {
		if _, ok := c.outstanding(sealed); ok && len(kept) < maxOutstanding &&
			size+len(sealed) <= maxOutstandingSize {
			kept, size = append(kept, sealed), size+len(sealed)
		}
	}
	return Outgoing{request, to, authn.Secret(strings.Join(kept, outstandingStop))}, nil
}

// waits says whether a request may be answered still. One that waits for longer than any was made
// by a clock that was ahead.
func (r AuthnRequest) waits(now time.Time) bool {
	return now.Before(r.ExpiresAt) && !authn.Ahead(r.ExpiresAt, now.Add(AuthnRequestLifetime))
}

// outstanding opens a request that a browser has kept, unless it is too old.
func (c *Center) outstanding(sealed string) (r AuthnRequest, ok bool) {
	plain, err := c.Sealer.Open(requestPurpose, sealed)
	return r, err == nil && json.Unmarshal(plain, &r) == nil && r.waits(c.now())
}

// consumeAssertion checks what takes memory: that an assertion is used once, and that the request
// that it answers, if any, is this browser's and was not answered before. It returns that request;
// where the identity provider has started the sign-in, an empty one.
func (c *Center) consumeAssertion(tx Tx, a VerifiedAssertion, from Browser) (request AuthnRequest, err error) {
	// first: a replay also answers a request that was answered
	if err := unused(tx, a.ID, &refusal.Error{Code: AssertionReplayed, Subject: a.ID}); err != nil {
		return request, err
	}
	if a.InResponseTo == "" {
		return request, nil
	}
	found := false
	// A browser may bring along more than the maxOutstanding that it was given.
	for i, sealed := range strings.Split(from.Outstanding, outstandingStop) {
		if i < maxOutstanding && !found {
			request, found = c.outstanding(sealed)
			found = found && request.ID == a.InResponseTo
		}
	}
	switch {
	case !found:
		return AuthnRequest{}, &refusal.Error{
			Code:    RequestUnknown,
			Subject: a.InResponseTo,
			Detail:  "this browser sent no such request, or sent it too long ago",
		}
	case !request.ForcedAt.IsZero() && a.AuthnInstant.Before(request.ForcedAt.Add(-clockSkew)):
		return request, &refusal.Error{
			Code:   AssertionRefused,
			Check:  checkFresh,
			Want:   "a sign-in at the identity provider after " + request.ForcedAt.Format(time.RFC3339),
			Got:    a.AuthnInstant.Format(time.RFC3339),
			Detail: "the identity provider did not ask for credentials again, as ForceAuthn requires",
		}
	}
	used := usedRequest + request.ID
	if err := unused(
		tx, used, &refusal.Error{Code: RequestUnknown, Subject: request.ID, Detail: "the request was already answered"},
	); err != nil {
		return request, err
	}
	return request, tx.PutUsedAssertion(UsedAssertion{used, request.ExpiresAt})
}

// usedRequest is before the ids of requests, where those of assertions stand too: no id has a
// blank.
const usedRequest = "request "

func unused(r assertionReader, id string, refused error) error {
	_, err := r.UsedAssertion(id)
	switch {
	case err == nil:
		return refused
	case errors.Is(err, refusal.ErrNoRow):
		return nil
	}
	return err
}
