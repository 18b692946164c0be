package center

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// An identity provider that publishes its metadata at an address can be watched: what it offers is
// kept beside what is trusted, and an administrator decides. Nothing that was fetched is trusted by
// itself, since whoever controls that address could otherwise sign anybody in.

// Watch is what is known of published metadata.
type Watch struct {
	URL       string
	FetchedAt time.Time         // zero: not yet
	Problem   string            // why the last attempt failed; empty: it did not
	Offered   *IdPConfiguration `json:",omitempty"` // what differs from what is trusted; nil when nothing does
}

// watchEach is how often published metadata is looked at.
const watchEach = 6 * time.Hour //bound:none how often, not how much

// WatchMetadata sets the address at which the identity provider in force publishes its metadata; an
// empty one ends the watch. It fails with InvalidValue for an address without TLS.
func (c *Center) WatchMetadata(ctx context.Context, by audit.Actor, address string) error {
	return c.changeIdP(ctx, by, ActionWatchIdPMetadata, address, func(_ Tx, s *IdentitySource) (string, error) {
		if address == "" {
			s.Watch = nil
			return address, nil
		}
		if u := confidential(address); u == nil || u.User != nil {
			return address, &refusal.Error{Code: InvalidValue, Field: "metadata URL", Detail: "use an https address"}
		}
		s.Watch = &Watch{URL: address}
		return address, nil
	})
}

// WatchDue returns the address that is to be looked at now; empty when none is.
func (s IdentitySource) WatchDue(now time.Time) string {
	if s.IdP == nil || s.Watch == nil || authn.Within(watchEach, s.Watch.FetchedAt, now) {
		return ""
	}
	return s.Watch.URL
}

// Fetched notes what was found at the watched address, or why nothing was. What differs is offered,
// with an event for each new offer.
func (c *Center) Fetched(ctx context.Context, address string, found IdPConfiguration, problem error) error {
	return c.Store.Update(ctx, func(tx Tx) error {
		s, err := currentSource(tx)
		if err != nil || s.IdP == nil || s.Watch == nil || s.Watch.URL != address { // changed meanwhile
			return err
		}
		before := s.Watch.Offered
		w := Watch{URL: address, FetchedAt: c.now()}
		switch {
		case problem != nil:
			w.Problem, w.Offered = problem.Error(), before
		case found.EntityID != s.IdP.EntityID:
			w.Problem = fmt.Sprintf("it is the metadata of %q, not of %q", found.EntityID, s.IdP.EntityID)
		case len(s.IdP.Differences(found)) > 0:
			w.Offered = &found
		}
		s.Watch = &w
		if err := tx.PutIdentitySource(s); err != nil || w.Offered == nil ||
			(before != nil && len(before.Differences(*w.Offered)) == 0) {
			return err
		}
		e := c.event(audit.SystemActor, "IdPMetadataChanged", s.IdP.EntityID, nil)
		e.Detail = strings.Join(
			s.IdP.Differences(found), "; ",
		) + ". Nothing in it is trusted until an administrator accepts it"
		return tx.AppendEvent(e)
	})
}

// Differences says in words how another configuration of the same identity provider differs.
func (i IdPConfiguration) Differences(other IdPConfiguration) (list []string) {
	if i.SignInURL != other.SignInURL {
		list = append(list, "sign-in URL "+other.SignInURL+" instead of "+i.SignInURL)
	}
	if i.SignInPOST != other.SignInPOST {
		list = append(list, "sign-in URL for HTTP-POST "+other.SignInPOST+" instead of "+i.SignInPOST)
	}
	for _, der := range other.Certificates {
		if !i.hasCertificate(der) {
			list = append(list, "new certificate "+Thumbprint(der))
		}
	}
	for _, der := range i.Certificates {
		if !other.hasCertificate(der) {
			list = append(list, "without certificate "+Thumbprint(der))
		}
	}
	return list
}

// AcceptMetadata trusts what was offered, which the administrator has seen: seen are its
// differences, joined by line breaks, so that what has changed since is not accepted unseen. It
// fails with RequestNotFound then, or when nothing is offered.
func (c *Center) AcceptMetadata(ctx context.Context, by audit.Actor, seen string) error {
	return c.change(ctx, by, ActionAcceptIdPMetadata, func(tx Tx) (string, error) {
		s, err := currentSource(tx)
		if err != nil {
			return "", err
		}
		if s.IdP == nil || s.Watch == nil || s.Watch.Offered == nil ||
			strings.Join(s.IdP.Differences(*s.Watch.Offered), "\n") != seen {
			return "", &refusal.Error{Code: RequestNotFound, Detail: "the offered metadata changed: review it again"}
		}
		accepted := *s.IdP
		accepted.SignInURL = s.Watch.Offered.SignInURL
		accepted.SignInPOST = s.Watch.Offered.SignInPOST
		accepted.Certificates = s.Watch.Offered.Certificates
		accepted.Notes = s.Watch.Offered.Notes
		accepted = accepted.withBinding()
		watch := *s.Watch
		watch.Offered = nil
		s.IdP = &accepted
		s.Watch = &watch
		if err := accepted.check(); err != nil {
			return accepted.EntityID, err
		}
		return accepted.EntityID, tx.PutIdentitySource(s)
	})
}
