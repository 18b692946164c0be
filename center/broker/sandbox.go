// Package broker holds the ways to get credentials for a role: implementations of center.Broker.
//
// It may import authn, center, refusal and saml.
package broker

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
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
	Under           *time.Time    `json:",omitempty"` // the user's RolesSince then; of an earlier release's: nil
	RefusedUnder    *time.Time    `json:",omitempty"` // the role's RefusedSince then; of an earlier release's: nil
	Expiration      time.Time
	// Assumed says that AssumeRole was asked for it: it ends when the role is no longer the user's.
	Assumed        bool         `json:",omitempty"`
	SourceIdentity string       `json:",omitempty"`
	Tags           []center.Tag `json:",omitempty"`
	Padding        string       `json:",omitempty"` // to the size that was asked for
}

const purpose = "sandbox-session"

// Credentials implements center.Broker.
func (s *Sandbox) Credentials(_ context.Context, r center.RoleRequest) (center.RoleCredentials, error) {
	return s.seal(s.begin(r))
}

// Assumption is what the caller of AssumeRole says of the session.
type Assumption struct {
	SessionName    string
	SourceIdentity string
	Tags           []center.Tag
	MinimumSize    int // of the session token, in bytes
}

// Assume opens a role under the name that the caller gives to the session.
func (s *Sandbox) Assume(r center.RoleRequest, as Assumption) (RoleSession, center.RoleCredentials, error) {
	session := s.begin(r)
	session.SessionName, session.SourceIdentity = as.SessionName, as.SourceIdentity
	session.Assumed, session.Tags = true, as.Tags
	credentials, err := s.seal(session)
	if short := as.MinimumSize - len(credentials.SessionToken); err == nil && short > 0 {
		session.Padding = strings.Repeat("0", short)
		credentials, err = s.seal(session)
	}
	return session, credentials, err
}

func (s *Sandbox) begin(r center.RoleRequest) RoleSession {
	session := RoleSession{
		AccessKeyID:     "ASIA" + center.KeyIDSuffix(),
		SecretAccessKey: authn.NewSecret(30),
		AccountID:       r.Account.ID,
		RoleName:        r.RoleName,
		SessionName:     r.Name(),
		UserID:          r.UserID,
		IssuedAt:        s.Now().UTC(),
		Under:           &r.RolesSince,
		RefusedUnder:    &r.RefusedSince,
		Expiration:      s.Now().UTC().Add(r.Duration).Truncate(time.Second),
	}
	if r.Called != "" {
		session.SourceIdentity = r.Identity()
	}
	return session
}

// seal makes the credentials of a session.
func (s *Sandbox) seal(session RoleSession) (center.RoleCredentials, error) {
	plain, err := json.Marshal(session)
	if err != nil {
		return center.RoleCredentials{}, fmt.Errorf("encode a session: %w", err)
	}
	return center.RoleCredentials{
		AccessKeyID:     session.AccessKeyID,
		SecretAccessKey: authn.Secret(session.SecretAccessKey),
		SessionToken:    authn.Secret(s.Sealer.Seal(purpose, plain)),
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
	if now := s.Now(); !now.Before(session.Expiration) || authn.Ahead(session.IssuedAt, now) {
		return RoleSession{}, ErrExpired
	}
	return session, nil
}

// ARN is the assumed role's ARN, as GetCallerIdentity shows it.
func (r RoleSession) ARN() string {
	return "arn:aws:sts::" + r.AccountID + ":assumed-role/" + r.RoleName + "/" + r.SessionName
}

// ID is the assumed role's id, as GetCallerIdentity shows it: that of the role, which begins
// with AROA and is the same for all of its sessions, and the session's name. Verifiers such as
// HashiCorp Vault bind roles by it. Source: IAM User Guide, IAM identifiers.
func (r RoleSession) ID() string {
	sum := sha256.Sum256([]byte(r.AccountID + "/" + r.RoleName))
	return "AROA" + base32.StdEncoding.EncodeToString(sum[:])[:17] + ":" + r.SessionName
}
