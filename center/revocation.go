package center

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Revocation is what a user had open when all of it was ended, and who asked for that. It is kept
// for the proof, also when the user is deleted.
type Revocation struct {
	ID          string // sorts by time
	UserID      UserID
	UserName    string
	DisplayName string
	ExternalID  string
	Action      string // which ended it: RevokeUser, DisableUser, UpdateUser or DeleteUser
	By          string // who asked for it, as events name them
	At          time.Time
	Sessions    []EndedSession `json:",omitempty"`
	Roles       []EndedRole    `json:",omitempty"`
}

// EndedSession is a session that was open.
type EndedSession struct {
	Digest    string
	Kind      SessionKind
	Address   string
	UserAgent string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// EndedRole is a role whose credentials had not run out.
type EndedRole struct {
	AccountID        string
	RoleName         string
	PermissionSetARN string
	Name             string // the source identity
	Until            time.Time
	RefusedAt        time.Time `json:",omitzero"`  // when IAM, or the center's own STS, had it; zero: not yet
	Gone             bool      `json:",omitempty"` // the role had been removed from IAM: its credentials allow nothing
	Own              bool      `json:",omitempty"` // the center's own STS had issued the credentials
}

// RevocationQuery selects revocations, newest first.
type RevocationQuery struct {
	UserID UserID // empty: of everybody
	Before string // only those whose id sorts before this one, which are older; empty: all
	Limit  int
}

// revocationReader reads what was open when access was ended.
type revocationReader interface {
	Revocation(id string) (Revocation, error)
	Revocations(RevocationQuery) ([]Revocation, error)
}

// revocationWriter writes it.
type revocationWriter interface {
	PutRevocation(Revocation) error
	// DeleteRevocations removes up to so many from before a time.
	DeleteRevocations(before time.Time, limit int) error
}

const (
	// revocationsKept is as long as audit events usually are: auditors ask for a year.
	revocationsKept = 400 * 24 * time.Hour //bound:life the record of what a leaver had open
	// revocationsSwept bounds what one sweep removes; the next one goes on.
	revocationsSwept = 1_000 //bound:rows records of leavers that one sweep removes
	// revocationsOfRole bounds in how many records of a user the answer of IAM is written down.
	revocationsOfRole = 20 //bound:list records of a leaver that IAM's answer is noted in
	// revocationsShown bounds a page of records.
	revocationsShown = 1_000 //bound:list records of leavers on a page
)

// revoke returns what a user has open, ends windows, and has roles refuse the user. The caller
// keeps what it returns, and ends the sessions, when nothing is left to ask. It goes by the shared
// clock: a node whose own is slow would deny too little.
func (c *Center) revoke(
	tx Tx, by audit.Actor, action Action, u User, open Opened,
) (r Revocation, err error) {
	r = Revocation{
		ID:          c.NewID(),
		UserID:      u.ID,
		UserName:    u.UserName,
		DisplayName: u.DisplayName,
		ExternalID:  u.ExternalID,
		Action:      action.String(),
		By:          string(by.Kind) + "/" + by.Name,
		At:          open.At,
	}
	for _, s := range open.Sessions {
		if s.ExpiresAt.After(r.At) {
			r.Sessions = append(
				r.Sessions, EndedSession{s.Digest, s.Kind, s.Address, s.UserAgent, s.CreatedAt, s.ExpiresAt},
			)
		}
	}
	r.Roles, err = c.revokeRoles(tx, open)
	return r, err
}

// noteRefused writes into the records of a user that a role refuses what was open in it.
func noteRefused(tx Tx, v RoleRevocation, now time.Time) error {
	list, err := tx.Revocations(RevocationQuery{UserID: v.UserID, Limit: revocationsOfRole})
	for _, r := range list {
		changed := false
		for i := range r.Roles {
			role := &r.Roles[i]
			if role.RoleName == v.RoleName && role.Name == v.Name && role.RefusedAt.IsZero() {
				role.RefusedAt, changed = now, true
			}
		}
		if changed {
			err = errors.Join(err, tx.PutRevocation(r))
		}
	}
	return err
}

// Revocations lists what was open when access was ended, newest first.
func (c *Center) Revocations(ctx context.Context, q RevocationQuery) (list []Revocation, err error) {
	if q.Limit <= 0 || q.Limit > revocationsShown {
		q.Limit = revocationsShown
	}
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.Revocations(q)
		return err
	})
	return list, err
}

// RoleState is how a role answers the credentials that were open in it.
type RoleState string

// The states of a role.
const (
	RoleRefuses RoleState = "refused"      // by IAM, or by the center's own STS
	RolePending RoleState = "not-yet"      // IAM has not taken the denial
	RoleOpen    RoleState = "open"         // nobody denies it: the center does not keep the role
	RoleRunOut  RoleState = "run-out"      // the credentials have run out
	RoleGone    RoleState = "role-removed" // the role is not there any more
)

// Proof says what answers now to what a user had open.
type Proof struct {
	Revocation
	AsOf     time.Time
	SignIn   string         // empty: the user may sign in; else why not
	Left     []EndedSession // of those that were open
	Since    int            // sessions that the user has opened since
	Roles    []ProvedRole   // in the order of the revocation's
	Deny     string         // the policy that refuses what is open, in roles that the center does not keep
	Complete bool           // nothing of what was open opens anything any more
}

// ProvedRole is a role that was open, and how it answers now.
type ProvedRole struct {
	EndedRole
	State    RoleState
	By       string // who refuses: IAM or the center's STS
	Reason   string // why not yet
	Attempts int    // how often IAM was asked without success
}

// Proof looks at what answers now to what a user had open at a revocation. It fails with
// RevocationNotFound.
func (c *Center) Proof(ctx context.Context, id string) (p Proof, err error) {
	err = c.Store.View(ctx, func(r Reader) (err error) {
		now, err := c.clock(r)
		if err != nil {
			return err
		}
		p = Proof{AsOf: now}
		if p.Revocation, err = r.Revocation(id); err != nil {
			return refusal.IfNoRow(err, RevocationNotFound, id)
		}
		if err := c.proveSessions(r, &p); err != nil {
			return err
		}
		return c.proveRoles(r, &p)
	})
	if err != nil {
		return p, err
	}
	p.Complete = len(p.Left) == 0
	var open []RoleSession
	for _, role := range p.Roles {
		switch role.State {
		case RoleOpen:
			open = append(open, RoleSession{Name: role.Name, Own: role.Own})
			p.Complete = false
		case RolePending:
			p.Complete = false
		}
	}
	p.Deny, err = c.DenyPolicy(RoleAccess{AsOf: p.AsOf, Open: open})
	return p, err
}

// proveSessions looks who may sign in, and which sessions there are.
func (c *Center) proveSessions(r Reader, p *Proof) error {
	u, err := r.User(p.UserID)
	switch {
	case errors.Is(err, refusal.ErrNoRow):
		p.SignIn = "the user is deleted"
	case err != nil:
		return err
	case !u.Active:
		p.SignIn = "the user is disabled"
	}
	now, err := r.SessionsOf(p.UserID)
	open := map[string]bool{}
	for _, s := range now {
		if s.ExpiresAt.After(p.AsOf) {
			open[s.Digest] = true
		}
	}
	for _, s := range p.Sessions {
		if open[s.Digest] {
			p.Left = append(p.Left, s)
			delete(open, s.Digest)
		}
	}
	p.Since = len(open)
	return err
}

// proveRoles looks how the roles answer.
func (c *Center) proveRoles(r Reader, p *Proof) error {
	standing, err := r.RoleRevocationsOf(p.UserID)
	if err != nil {
		return err
	}
	for _, ended := range p.Revocation.Roles {
		role := ProvedRole{EndedRole: ended, State: RoleOpen}
		var stands *RoleRevocation
		for i, v := range standing {
			if v.RoleName == ended.RoleName && v.Name == ended.Name && ended.isRefusedBy(v, p.At) {
				stands = &standing[i]
			}
		}
		switch {
		case !ended.Until.After(p.AsOf):
			role.State = RoleRunOut
		case ended.Gone:
			role.State = RoleGone
		case stands != nil && !stands.InForce:
			role.State = RolePending
			job, err := r.RoleJob(ended.RoleName)
			if err != nil && !errors.Is(err, refusal.ErrNoRow) {
				return err
			}
			role.Attempts, role.Reason = job.Attempts, job.Reason
		case stands != nil:
			role.State, role.By = RoleRefuses, "IAM"
			if ended.Own {
				role.By = "the center's STS"
			}
		case ended.Own && !ended.RefusedAt.IsZero():
			if err := c.rolesRefuse(r, p); err != nil {
				role.Reason = err.Error()
				break
			}
			role.State, role.By = RoleRefuses, "the center's STS"
		}
		p.Roles = append(p.Roles, role)
	}
	return nil
}

// isRefusedBy says whether a revocation is about who issued the credentials: IAM was to have it, or
// the center's own STS asks for it. An earlier release did not note which. There, IAM has said when
// it had it, and of its own STS a center said so at once, also about credentials of AWS's.
func (e EndedRole) isRefusedBy(v RoleRevocation, at time.Time) bool {
	if e.Own {
		return !v.Queued
	}
	return v.Queued || !v.InForce || !e.RefusedAt.IsZero() && !e.RefusedAt.Equal(at)
}

// rolesRefuse asks what the center's own STS asks of credentials from before a revocation, and
// fails when they would be good.
func (c *Center) rolesRefuse(r Reader, p *Proof) error {
	u, err := r.User(p.UserID)
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	if err == nil && u.refusesRoles(p.At.Add(-time.Nanosecond), nil) == "" {
		err = fmt.Errorf("credentials from before %s are good", p.At.UTC().Format(time.RFC3339))
	}
	return err
}
