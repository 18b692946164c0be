package center

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// RoleSession is what is known of the credentials of a role that a user got, until the last of them
// have run out. AWS knows nothing of the center's sessions: they go on when those end.
type RoleSession struct {
	UserID           UserID
	Name             string // and the source identity: RoleSessionName of what the user was called then
	AccountID        string
	RoleName         string    // of a role that the user is entitled to: its ARN
	PermissionSetARN string    // of such a role: its ARN
	Until            time.Time // not before the last credentials have run out

	// Who can refuse the credentials depends on who issued them, not on the settings of the node
	// that is asked to: both false if AWS did, for a role that the center does not keep. A node of
	// an earlier release noted neither. Whose its sessions are, nobody can say for certain, so that
	// they count as AWS's.
	Own  bool `json:",omitempty"` // the center's own STS issued them, and asks RoleSessionOpen
	Kept bool `json:",omitempty"` // AWS did, and the center keeps its roles in IAM
}

// RoleRevocation has a role deny everything to the credentials that a user got before a moment.
// Where roles are kept in IAM, the deny stands in the role until they have run out.
type RoleRevocation struct {
	RoleName         string
	AccountID        string
	PermissionSetARN string
	UserID           UserID
	Name             string // the source identity
	Before           time.Time
	Until            time.Time
	InForce          bool // IAM has it
	Queued           bool `json:",omitempty"` // IAM was to have it
}

// roleSessionReader reads which roles users have opened.
type roleSessionReader interface {
	RoleSessionsOf(user UserID) ([]RoleSession, error) // in the order of account and role
	RoleRevocations(roleName string) ([]RoleRevocation, error)
	RoleRevocationsOf(user UserID) ([]RoleRevocation, error)
	// EndedRoleRevocations are those whose credentials have all run out.
	EndedRoleRevocations(now time.Time, limit int) ([]RoleRevocation, error)
}

// roleSessionWriter writes which roles users have opened.
type roleSessionWriter interface {
	// ExtendRoleSession adds a session, or has the one of that name end later. It counts as no
	// write.
	ExtendRoleSession(RoleSession) error
	DeleteRoleSessionsOf(user UserID) error
	DeleteRoleSession(RoleSession) error
	PutRoleRevocation(RoleRevocation) error
	DeleteRoleRevocation(RoleRevocation) error
}

// outsideSessionName is what AWS does not take in the name of a session. Source: STS API reference,
// RoleSessionName.
var outsideSessionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^\w+=,.@-]`) })

// Bounds of the name of a session. Source: STS API reference, RoleSessionName and SourceIdentity.
const (
	minSessionName = 2  //bound:none the shortest that STS takes
	maxSessionName = 64 //bound:text the name of a role's session
)

// marked is how the name of a session ends that is no user name as it stands.
var marked = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`=[0-9a-f]{20}$`) })

// RoleSessionName is a user name as the name of a session, and as the source identity by which
// CloudTrail tells people apart: another one for each name. One that STS takes is left as it is.
// Another one is cut and has its digest at the end, and so has one that looks as if it had, so that
// nobody can be named like that.
func RoleSessionName(userName string) string {
	name := outsideSessionName().ReplaceAllString(userName, "-")
	if name == userName && len(name) >= minSessionName && len(name) <= maxSessionName && !marked().MatchString(name) {
		return name
	}
	sum := sha256.Sum256([]byte(userName))
	mark := "=" + hex.EncodeToString(sum[:10])
	return name[:min(len(name), maxSessionName-len(mark))] + mark
}

const (
	// roleSessionSlack is how much later than its credentials a session is kept: a session that is
	// opened again within it is not written again.
	roleSessionSlack = 5 * time.Minute //bound:life a session of a role, after its credentials
	// revocationSlack is how long after a revocation credentials may still be issued to a request
	// that was granted before: as long as STS may take, and clocks may differ.
	longestRoleSession = 12 * time.Hour   //bound:life the credentials of a role, as AWS has it
	revocationSlack    = 30 * time.Second //bound:none it is added to a moment
	// clocksApart is how far the clocks of nodes may be from the database's. What has expired is
	// forgotten so much later: an assertion that was used must be known until no node takes it.
	clocksApart = 10 * time.Minute //bound:life what has expired, after that
	// longerThanAll is longer than any pause or lease of work that the center queues, and than the
	// clocks of nodes are apart.
	longerThanAll = 24 * time.Hour //bound:none of a comparison
	// endedAtOnce bounds what one sweep takes back; the next one goes on.
	endedAtOnce = 500 //bound:list revocations that one sweep takes back
)

// noteRoleSession keeps that a user opens a role, and returns until when that is known.
func (c *Center) noteRoleSession(tx Tx, request RoleRequest, known time.Time) (time.Time, error) {
	now, err := c.clock(tx) // revocations go by it: of a slow node's session they would think that it is over
	if err != nil {
		return known, err
	}
	ends := now.Add(request.Duration)
	if !known.Before(ends) {
		return known, nil
	}
	kept := false
	if !c.OwnSTS {
		if kept, err = c.rolesAreKept(tx); err != nil {
			return known, err
		}
	}
	until := ends.Add(roleSessionSlack)
	return until, errors.Join(tx.NoteRoleUse(RoleUse{
		AccountID:        request.Account.ID,
		PermissionSetARN: request.PermissionSet.ARN,
		UserID:           request.UserID,
		At:               now,
	}), tx.ExtendRoleSession(RoleSession{
		UserID:           request.UserID,
		Name:             RoleSessionName(request.SessionName),
		AccountID:        request.Account.ID,
		RoleName:         request.kept(),
		PermissionSetARN: request.PermissionSet.ARN,
		Until:            until,
		Own:              c.OwnSTS,
		Kept:             kept,
	}))
}

// rolesAreKept says whether the roles are kept in IAM: by this node, or by one with other settings,
// which is left to do it.
func (c *Center) rolesAreKept(r Reader) (bool, error) {
	if c.Roles != nil {
		return true, nil
	}
	s, err := setup(r)
	return s.KeepsRoles, err
}

// RoleAccess is what credentials of roles a user has: those that open something, and those that are
// refused.
type RoleAccess struct {
	AsOf    time.Time // by the database's clock
	Open    []RoleSession
	Revoked []RoleRevocation
	Reasons map[string]string // why IAM has not taken a revocation yet, by role name
}

// Pending are the revocations that IAM does not have yet.
func (a RoleAccess) Pending() (n int) {
	for _, r := range a.Revoked {
		if !r.InForce {
			n++
		}
	}
	return n
}

// RoleAccess says which roles a user has opened whose credentials have not run out. It knows users
// that are deleted.
func (c *Center) RoleAccess(ctx context.Context, user UserID) (a RoleAccess, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		now, err := c.clock(r)
		if err != nil {
			return err
		}
		a = RoleAccess{AsOf: now, Reasons: map[string]string{}}
		sessions, e1 := r.RoleSessionsOf(user)
		revoked, e2 := r.RoleRevocationsOf(user)
		for _, s := range sessions {
			if s.Until.After(now) {
				a.Open = append(a.Open, s)
			}
		}
		for _, v := range revoked {
			job, err := r.RoleJob(v.RoleName)
			switch {
			case err == nil:
				a.Reasons[v.RoleName] = job.Reason
			case !errors.Is(err, refusal.ErrNoRow):
				return err
			}
			if v.Until.After(now) {
				a.Revoked = append(a.Revoked, v)
			}
		}
		return errors.Join(e1, e2)
	})
	return a, err
}

// RoleSessionOpen says whether credentials that the center itself issued to a user are good still:
// the user is there and enabled, and nothing was revoked since. It fails with NotAllowed. under is
// the user's RolesSince when they were issued: nodes whose clocks differ agree on it. Credentials
// of an earlier release have none, and are judged by when they were issued.
func (c *Center) RoleSessionOpen(ctx context.Context, user UserID, issued time.Time, under *time.Time) error {
	u, err := c.User(ctx, user)
	switch {
	case refusal.CodeOf(err) == UserNotFound:
		return &refusal.Error{Code: NotAllowed, Subject: string(user), Detail: "the user is deleted"}
	case err != nil:
		return err
	}
	if why := u.refusesRoles(issued, under); why != "" {
		return &refusal.Error{Code: NotAllowed, Subject: string(user), Detail: why}
	}
	return nil
}

// RoleStillOpen says whether a role that the center itself issued credentials of is the user's
// still: a window of access that has closed since, or a review, took them back. It fails with
// NotAllowed. under is the role's RefusedSince when they were issued, as with RoleSessionOpen.
func (c *Center) RoleStillOpen(
	ctx context.Context, user UserID, roleName string, issued time.Time, under *time.Time,
) error {
	return c.Store.Get(ctx, func(r Reader) error {
		since, err := refusedSince(r, user, roleName)
		if under == nil && issued.Before(since) || under != nil && under.Before(since) {
			return &refusal.Error{Code: NotAllowed, Subject: roleName, Detail: "the access has ended"}
		}
		return err
	})
}

// refusedSince is what stands against a user's credentials of a role; zero: nothing. What stood
// against credentials that have run out is forgotten.
func refusedSince(r Reader, user UserID, roleName string) (since time.Time, err error) {
	list, err := r.RoleRevocations(roleName)
	for _, v := range list {
		if v.UserID == user && v.Before.After(since) {
			since = v.Before
		}
	}
	return since, err
}

// another is now as what stands against credentials: never what has stood before, which those carry
// that were got since, also where the clock was ahead then.
func another(now, before time.Time) time.Time {
	if now.After(before) {
		return now
	}
	return before.Add(time.Millisecond)
}

// refusesRoles says why credentials of roles that a user got are not good any more, or "".
func (u User) refusesRoles(issued time.Time, under *time.Time) string {
	switch {
	case !u.Active:
		return "the user is disabled"
	case under == nil && issued.Before(u.RolesSince), under != nil && !under.Equal(u.RolesSince):
		return "the credentials were revoked"
	}
	return ""
}

// RevokeUser ends all that a user has open: sessions, what programs were granted, and the
// credentials of roles. The user stays as enabled as before. It returns what was open. It fails
// with UserNotFound.
func (c *Center) RevokeUser(ctx context.Context, by audit.Actor, id UserID) (ended Revocation, err error) {
	defer c.users.Forget(string(id))
	err = c.change(ctx, by, ActionRevokeUser, func(tx Tx) (string, error) {
		u, err := tx.User(id)
		if err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		open, err := tx.OpenedBy(string(id), c.now())
		if err != nil {
			return string(id), err
		}
		if ended, err = c.revoke(tx, by, ActionRevokeUser, u, open); err != nil {
			return string(id), err
		}
		u.RolesSince = another(ended.At, u.RolesSince)
		return string(id), errors.Join(tx.PutRevocation(ended), open.end(tx, string(id), ""), tx.PutUserKeepingKeys(u))
	})
	c.wakeRoleWorkers()
	return ended, err
}

// canBeTold says whether IAM can be told to refuse a session's credentials: by this node, or by the
// one that had the role opened, which keeps the roles even if this one has other settings.
func (c *Center) canBeTold(s RoleSession) bool { return !s.Own && (s.Kept || c.Roles != nil) }

// revokeRoles has the roles that a user has opened refuse the user's credentials, and returns them.
// The center's own STS asks RoleSessionOpen about what it has issued; IAM must be told where the
// center keeps the roles. Where nobody can be told, the sessions stay, so that an administrator
// sees what goes on.
func (c *Center) revokeRoles(tx Tx, open Opened) (ended []EndedRole, err error) {
	if err := c.endWindows(tx, open.Requests); err != nil { // which take back assignments too
		return nil, err
	}
	before := open.At.Add(revocationSlack)
	for _, s := range open.Roles {
		if !s.Until.After(open.At) {
			continue
		}
		role := EndedRole{
			AccountID: s.AccountID, RoleName: s.RoleName, PermissionSetARN: s.PermissionSetARN,
			Name: s.Name, Until: s.Until, Own: s.Own,
		}
		switch {
		case s.Own:
			role.RefusedAt = open.At
		case c.canBeTold(s):
			if role.Gone, err = c.refuseSession(tx, s, before); err != nil {
				return nil, err
			}
		default:
			ended = append(ended, role)
			continue
		}
		if err := tx.DeleteRoleSession(s); err != nil {
			return nil, err
		}
		ended = append(ended, role)
	}
	return ended, nil
}

// revocation denies a session what it got before a moment.
func (s RoleSession) revocation(before time.Time, inForce bool) RoleRevocation {
	return RoleRevocation{
		RoleName:         s.RoleName,
		AccountID:        s.AccountID,
		PermissionSetARN: s.PermissionSetARN,
		UserID:           s.UserID,
		Name:             s.Name,
		Before:           before,
		Until:            s.Until.Add(revocationSlack),
		InForce:          inForce,
		Queued:           !inForce,
	}
}

// refuseSession has IAM told to refuse a session, and says whether the role is not there any more.
func (c *Center) refuseSession(tx Tx, s RoleSession, before time.Time) (gone bool, err error) {
	queued, err := c.queueRole(tx, s.AccountID, s.PermissionSetARN, s.RoleName)
	if err != nil || !queued {
		return !queued, err
	}
	return false, putRevocation(tx, s.revocation(before, false))
}

// putRevocation keeps a revocation in place of what stands for the same role, user and name. It
// holds as long as the longer of both and against whatever either is against: an earlier one may
// be about credentials that outlive those of the new one. What IAM was to have, it is still told.
func putRevocation(tx Tx, r RoleRevocation) error {
	list, err := tx.RoleRevocations(r.RoleName)
	if err != nil {
		return err
	}
	for _, old := range list {
		if old.UserID != r.UserID || old.Name != r.Name {
			continue
		}
		if old.Until.After(r.Until) {
			r.Until = old.Until
		}
		if old.Before.After(r.Before) {
			r.Before = old.Before
		}
		r.InForce = r.InForce && (old.InForce || !old.Queued)
		r.Queued = r.Queued || old.Queued
	}
	return tx.PutRoleRevocation(r)
}

// queueRole has a role that exists brought to what it should be, and says whether it is there. One
// that is to go needs nothing: what its credentials allow goes with it.
func (c *Center) queueRole(tx Tx, account, permissionSet, name string) (there bool, err error) {
	p, e1 := tx.Provisioned(account, permissionSet)
	job, e2 := tx.RoleJob(name)
	for _, err := range []error{e1, e2} {
		if err != nil && !errors.Is(err, refusal.ErrNoRow) {
			return false, err
		}
	}
	switch {
	case e2 == nil && job.Retire:
		return true, nil
	case IsRoleARN(name): // somebody else's role, which gets revocations and nothing else
		if e2 != nil {
			job = RoleJob{RoleName: name, AccountID: account, PermissionSetARN: name}
		}
	case e1 != nil || p.RoleName != name:
		return e2 == nil, nil
	case e2 != nil:
		job = RoleJob{RoleName: name, AccountID: account, PermissionSetARN: permissionSet}
	}
	job.Attempts = 0
	return true, c.putDueJob(tx, job)
}

// endRevocations takes back what stands against credentials that have all run out: a day later,
// since a clock that goes ahead by less is not doubted, and AWS goes by its own. What was not in
// force may go too.
func (c *Center) endRevocations(ctx context.Context) error {
	ended := false
	err := c.Store.Update(ctx, func(tx Tx) error {
		now, err := c.clock(tx) // a node whose clock is fast would take back what is needed still
		if err != nil {
			return err
		}
		list, err := tx.EndedRoleRevocations(now.Add(-audit.DoubtAhead), endedAtOnce)
		ended = len(list) > 0
		for _, r := range list {
			err = errors.Join(err, tx.DeleteRoleRevocation(r))
			if c.Roles != nil || r.Queued {
				_, queued := c.queueRole(tx, r.AccountID, r.PermissionSetARN, r.RoleName)
				err = errors.Join(err, queued)
			}
		}
		return err
	})
	if ended {
		c.wakeRoleWorkers()
	}
	return err
}

// revocationsOf are those that stand in a role, and whether its job is for nothing else: the role
// is there, and no request waits for it to follow its permission set.
func revocationsOf(tx Tx, job RoleJob) (list []RoleRevocation, only bool, err error) {
	list, e1 := tx.RoleRevocations(job.RoleName)
	if IsRoleARN(job.RoleName) {
		return list, true, e1
	}
	_, e2 := tx.Provisioned(job.AccountID, job.PermissionSetARN)
	waiting, e3 := tx.WaitingFor(job.RoleName)
	only = e2 == nil && len(waiting) == 0
	if errors.Is(e2, refusal.ErrNoRow) {
		e2 = nil
	}
	return list, only, errors.Join(e1, e2, e3)
}

// concludeOnlyRevocations ends a job that has brought a role nothing but revocations. A request
// that waits since then has the job done again.
func (c *Center) concludeOnlyRevocations(tx Tx, job RoleJob) error {
	waiting, err := tx.WaitingFor(job.RoleName)
	if err != nil {
		return err
	}
	if len(waiting) == 0 {
		return tx.DeleteRoleJob(job.RoleName)
	}
	job.Attempts = 0
	return c.putDueJob(tx, job)
}

// concludeRevocations notes that IAM has what stood in a role when the work on it began, and says
// whether something has come since.
func (c *Center) concludeRevocations(tx Tx, roleName string, worked []RoleRevocation) (more bool, err error) {
	now, e1 := c.clock(tx)
	list, e2 := tx.RoleRevocations(roleName)
	err = errors.Join(e1, e2)
	for _, r := range list {
		switch {
		case !slices.ContainsFunc(worked, r.same):
			more = true
		case !r.InForce:
			r.InForce = true
			err = errors.Join(err, tx.PutRoleRevocation(r), noteRefused(tx, r, now))
		}
	}
	return more || len(list) < len(worked), err
}

// same says whether another one denies the same.
func (r RoleRevocation) same(other RoleRevocation) bool {
	return r.UserID == other.UserID && r.Name == other.Name && r.Before.Equal(other.Before)
}
