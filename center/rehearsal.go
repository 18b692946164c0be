package center

import (
	"context"
	"errors"
	"net/url"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// A rehearsal signs one chosen user in at an identity provider that is uploaded but not in force.
// It opens no session and changes nothing: it shows that metadata, certificate, audience and the
// user's name fit, before everybody depends on them.

// RehearsalPath is where a rehearsal begins. The sign-in door serves it.
const RehearsalPath = "/platform/rehearse"

// StartRehearsal makes a link, for an hour, with which a user rehearses the sign-in at the pending
// identity provider. It fails with SourceNotConfigured when none is pending, and with UserNotFound.
func (c *Center) StartRehearsal(ctx context.Context, by audit.Actor, userName string) (link authn.Secret, err error) {
	secret := authn.NewSecret(32)
	err = c.change(ctx, by, ActionStartRehearsal, func(tx Tx) (string, error) {
		s, err := currentSource(tx)
		if err != nil {
			return userName, err
		}
		if s.Pending == nil {
			return userName, &refusal.Error{Code: SourceNotConfigured}
		}
		u, err := tx.UserByName(userName)
		if err != nil {
			return userName, refusal.IfNoRow(err, UserNotFound, userName)
		}
		return userName, tx.PutTicket(Ticket{
			Digest:    authn.Digest(secret),
			Purpose:   Rehearses,
			Principal: string(u.ID),
			ExpiresAt: c.now().Add(resetLifetime),
		})
	})
	return authn.Secret(c.URL + RehearsalPath + "?ticket=" + url.QueryEscape(secret)), err
}

// RehearseAuthnRequest is StartAuthnRequest for the holder of a rehearsal's link, at the pending
// identity provider. It fails with TicketInvalid or SourceNotConfigured.
func (c *Center) RehearseAuthnRequest(ctx context.Context, outstanding, ticket string) (out Outgoing, err error) {
	var t Ticket
	var s IdentitySource
	err = c.Store.View(ctx, func(r Reader) (err error) {
		if t, err = c.ticket(r, Rehearses, ticket); err != nil {
			return err
		}
		s, err = currentSource(r)
		return err
	})
	if err != nil {
		return out, err
	}
	if s.Pending == nil {
		return out, &refusal.Error{Code: SourceNotConfigured}
	}
	return c.outgoing(outstanding, AuthnRequest{Rehearsal: s.Pending.ID, RehearsedBy: UserID(t.Principal)}, *s.Pending)
}

// FinishRehearsal says who a verified assertion of the pending identity provider would have signed
// in. It fails as SignInWithAssertion does, and with UserNotFound when it names somebody else than
// the chosen user.
func (c *Center) FinishRehearsal(
	ctx context.Context, by audit.Actor, a VerifiedAssertion, from Browser,
) (u User, err error) {
	by.Kind, by.Name = audit.User, a.NameID
	err = c.change(ctx, by, ActionRehearseIdentitySource, func(tx Tx) (string, error) {
		request, err := c.consumeAssertion(tx, a, from)
		if err != nil {
			return a.NameID, err
		}
		s, err := currentSource(tx)
		if err != nil {
			return a.NameID, err
		}
		if s.Pending == nil || s.Pending.EntityID != a.Issuer || request.Rehearsal != s.Pending.ID {
			return a.NameID, &refusal.Error{
				Code:    RequestUnknown,
				Subject: a.InResponseTo,
				Detail:  "this is not a rehearsal, or another identity provider was uploaded since",
			}
		}
		if u, err = tx.UserByName(a.NameID); errors.Is(err, refusal.ErrNoRow) {
			return a.NameID, unmatched(tx, a.NameID)
		}
		if err != nil {
			return a.NameID, err
		}
		if u.ID != request.RehearsedBy {
			chosen, err := tx.User(request.RehearsedBy)
			return a.NameID, errors.Join(
				&refusal.Error{
					Code:    UserNotFound,
					Subject: a.NameID,
					Want:    chosen.UserName,
					Got:     a.NameID,
					Detail:  "the identity provider named a different user than the one chosen for the rehearsal",
				},
				refusal.IfNoRow(err, UserNotFound, string(request.RehearsedBy)),
			)
		}
		return a.NameID, tx.PutUsedAssertion(UsedAssertion{a.ID, a.UsableUntil})
	})
	return u, err
}
