// Package broker holds the ways to get credentials for a role: implementations of center.Broker.
//
// It may import authn, center, refusal and saml.
package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
)

// Sandbox issues credentials that only the center's own STS knows. They prove the whole way to a
// role offline, and open nothing at AWS.
//
// Nothing is stored: the session token is the sealed description of the session, secret key
// included, so any node with the same master key recognises it until it expires.
type Sandbox struct {
	Sealer     *authn.Sealer
	Now        func() time.Time
	Federation // signs people in to a console that there is not: the center's own page stands for it
}

// RoleSession is what a session token says.
type RoleSession struct {
	AccessKeyID     string
	SecretAccessKey string
	AccountID       string
	RoleName        string
	SessionName     string
	UserID          center.UserID `json:",omitzero"` // whose it is; of an earlier release's: nobody's
	IssuedAt        time.Time     `json:",omitzero"`
	Expiration      time.Time
}

const purpose = "sandbox-session"

// Credentials implements center.Broker.
func (s *Sandbox) Credentials(_ context.Context, r center.RoleRequest) (center.RoleCredentials, error) {
	session := RoleSession{
		AccessKeyID:     "ASIA" + center.KeyIDSuffix(),
		SecretAccessKey: authn.NewSecret(30),
		AccountID:       r.Account.ID,
		RoleName:        r.RoleName,
		SessionName:     center.RoleSessionName(r.SessionName),
		UserID:          r.UserID,
		IssuedAt:        s.Now().UTC(),
		Expiration:      s.Now().UTC().Add(r.Duration).Truncate(time.Second),
	}
	plain, err := json.Marshal(session)
	if err != nil {
		return center.RoleCredentials{}, fmt.Errorf("encode a session: %w", err)
	}
	token := s.Sealer.Seal(purpose, plain)
	return center.RoleCredentials{
		AccessKeyID:     session.AccessKeyID,
		SecretAccessKey: authn.Secret(session.SecretAccessKey),
		SessionToken:    authn.Secret(token),
		Expiration:      session.Expiration,
	}, nil
}

// Refusals of Session.
var (
	ErrInvalid = errors.New("the session token is not valid for the access key")
	ErrExpired = errors.New("the session has expired")
)

// Session returns what a session token says, when it belongs to the access key and has not expired.
func (s *Sandbox) Session(accessKeyID, token string) (RoleSession, error) {
	var session RoleSession
	plain, err := s.Sealer.Open(purpose, token)
	if err != nil || json.Unmarshal(plain, &session) != nil || !authn.Equal(session.AccessKeyID, accessKeyID) {
		return RoleSession{}, ErrInvalid
	}
	if !s.Now().Before(session.Expiration) {
		return RoleSession{}, ErrExpired
	}
	return session, nil
}

// ARN is the assumed role's ARN, as GetCallerIdentity shows it.
func (r RoleSession) ARN() string {
	return "arn:aws:sts::" + r.AccountID + ":assumed-role/" + r.RoleName + "/" + r.SessionName
}
