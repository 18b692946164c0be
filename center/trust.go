package center

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center/memory"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// A request that changes something is let in by a credential that is remembered, although nobody
// has asked yet whether it is so still: the transaction that makes the change requires it, which
// spares a way to the database. Whatever is answered without such a transaction is proven first.

// ErrNoLongerSo is what Store.Update fails with when a credential that the transaction requires has
// been changed.
var ErrNoLongerSo = errors.New("the credential was changed")

// claim is that a credential is so still.
type claim struct {
	require func(Tx) error              // has a transaction kept only while it is so
	kept    func() bool                 // whether it is remembered so still, asked after a proof
	again   func(context.Context) error // refuses unless it is so, by what is stored

	state atomic.Int32 // claimed, proven or doubted
}

const (
	claimed int32 = iota
	proven
	doubted
)

// Trust lets a request that is about to begin, and changes something, be let in by what is
// remembered. The context is one of Moment, and whoever calls it calls OnTrust too.
func (c *Center) Trust(ctx context.Context) {
	if m, _ := ctx.Value(momentKey{}).(*moment); m != nil {
		m.trusts.Store(true)
	}
}

// NotLetIn is the refusal of a request whose credential was good when it was let in by it.
type NotLetIn struct{ Err error }

func (e *NotLetIn) Error() string { return "no longer let in: " + e.Err.Error() }

// Unwrap returns the refusal of the credential.
func (e *NotLetIn) Unwrap() error { return e.Err }

// OnTrust does what a request asks for, which may have been let in by what is remembered. It fails
// with NotLetIn when that is not so. What was not done because of a doubt is done then.
func OnTrust[T any](ctx context.Context, c *Center, do func() (T, error)) (out T, err error) {
	out, err = do()
	if failedStore(err) || c.settled(ctx) {
		return out, err
	}
	m, _ := ctx.Value(momentKey{}).(*moment)
	doubt := m.claim.Load()
	m.trusts.Store(false)
	if no := doubt.again(ctx); no != nil {
		var none T
		return none, &NotLetIn{no}
	}
	doubt.state.Store(proven)
	if errors.Is(err, ErrNoLongerSo) {
		return do()
	}
	return out, err
}

// trusted is known for the credential that a request is let in by; trust makes a claim of it, or
// returns nil where it has to be proven at once.
func trusted[V any](
	ctx context.Context, c *Center, in *memory.Map[V], key string, trust func(V) *claim,
) (v V, ok bool) {
	m, _ := ctx.Value(momentKey{}).(*moment)
	if m == nil || !m.trusts.Load() || m.claim.Load() != nil || m.proven.Load() != 0 {
		return known(ctx, c, in, key)
	}
	if v, ok = in.Get(key); ok {
		if made := trust(v); made != nil {
			m.claim.Store(made)
			return v, true
		}
	}
	return known(ctx, c, in, key)
}

// trustToken claims that a token is as it was read.
func (c *Center) trustToken(t BearerToken) *claim {
	if t.Stored == "" || !authn.Within(lastUsedStep, t.LastUsedAt, c.now()) { // its use will be noted
		return nil
	}
	return &claim{
		require: func(tx Tx) error { return tx.RequireBearerToken(t) },
		kept: func() bool {
			now, ok := c.remembered.tokens.Get(t.Digest)
			return ok && now.Stored == t.Stored
		},
		again: func(ctx context.Context) error {
			now, err := c.bearerToken(ctx, t.Digest)
			if err == nil && !t.sameRights(now) {
				err = &refusal.Error{Code: TokenInvalid, Subject: t.ID, Detail: "the token was changed"}
			}
			return err
		},
	}
}

// trustKey claims that an access key is as it was read.
func (c *Center) trustKey(k OpenedKey) *claim {
	if k.Stored == "" || !authn.Within(lastUsedStep, k.LastUsedAt, c.now()) {
		return nil
	}
	return &claim{
		require: func(tx Tx) error { return tx.RequireAccessKey(k.AccessKey) },
		kept: func() bool {
			now, ok := c.remembered.keys.Get(k.ID)
			return ok && now.Stored == k.Stored
		},
		again: func(ctx context.Context) error {
			now, err := c.AccessKeySecret(ctx, k.ID)
			if err == nil && !k.sameRights(now) {
				err = noSuchKey(k.ID)
			}
			return err
		},
	}
}

// claimOf is what a change has to require; nil: nothing.
func claimOf(ctx context.Context) *claim {
	m, _ := ctx.Value(momentKey{}).(*moment)
	if m == nil {
		return nil
	}
	made := m.claim.Load()
	if made == nil || made.state.Load() == proven {
		return nil
	}
	return made
}

// settled proves what a request was let in by, unless that was done. It returns false where that
// must be read anew.
func (c *Center) settled(ctx context.Context) bool {
	made := claimOf(ctx)
	if made == nil {
		return true
	}
	if made.state.Load() == claimed && !c.current(ctx) {
		made.state.Store(doubted)
	}
	return made.state.Load() == proven
}

// judge says what a proof makes of a claim. Whoever has changed the credential had it forgotten.
func (l *claim) judge() {
	next := doubted
	if l.kept() {
		next = proven
	}
	l.state.CompareAndSwap(claimed, next)
}

// requiredBy has a transaction kept only while the claim is so.
func (l *claim) requiredBy(tx Tx) error {
	if l == nil {
		return nil
	}
	if l.state.Load() == doubted {
		return ErrNoLongerSo
	}
	return l.require(tx)
}

// judged goes by the end of a transaction that has required what a request was let in by. Where the
// transaction does not say it, a proof does: nobody is refused, and nothing recorded, by a doubt.
func (c *Center) judged(ctx context.Context, made *claim, err error) error {
	switch {
	case made == nil:
		return err
	case err == nil:
		made.state.Store(proven)
		return nil
	case errors.Is(err, ErrNoLongerSo):
		made.state.Store(doubted)
		c.remembered.forget()
		return err
	case failedStore(err), c.settled(ctx):
		return err
	}
	return ErrNoLongerSo
}
