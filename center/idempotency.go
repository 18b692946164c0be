package center

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// IdempotencyToken remembers what a creation made, so that a client that repeats the request makes
// nothing twice.
type IdempotencyToken struct {
	ID        string // the operation and the client's token
	Asked     string // digest of what was asked for
	ARN       string // what was made
	ExpiresAt time.Time
}

// idempotencyReader reads idempotency tokens.
type idempotencyReader interface {
	IdempotencyToken(id string) (IdempotencyToken, error)
}

// idempotencyWriter writes idempotency tokens.
type idempotencyWriter interface {
	PutIdempotencyToken(IdempotencyToken) error
}

// clientTokenLifetime is how long repetitions are recognised. Source: EC2's guide, "Ensuring
// idempotency"; the service says nothing.
const clientTokenLifetime = 24 * time.Hour //bound:life a client token, which makes repeated AWS requests one

// idempotentARN returns arn at the first call with a client token, and what was given then at every
// later one. Without a token each call is the first. It fails with TokenReused when the token was
// used to ask for something else.
func (c *Center) idempotentARN(tx Tx, operation, token string, asked any, arn string) (string, error) {
	if token == "" {
		return arn, nil
	}
	text, err := json.Marshal(asked)
	if err != nil {
		return "", err
	}
	t := IdempotencyToken{
		ID:        operation + "/" + token,
		Asked:     authn.Digest(string(text)),
		ARN:       arn,
		ExpiresAt: c.now().Add(clientTokenLifetime),
	}
	known, err := tx.IdempotencyToken(t.ID)
	switch {
	case errors.Is(err, refusal.ErrNoRow):
		return arn, tx.PutIdempotencyToken(t)
	case err != nil:
		return "", err
	case known.Asked != t.Asked:
		return "", &refusal.Error{Code: TokenReused, Subject: token}
	}
	return known.ARN, nil
}
