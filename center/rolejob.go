package center

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// RoleKeeper creates, repairs and removes roles in the IAM of AWS accounts, with the center as the
// SAML provider that they trust. The implementation is center/iam. Its functions may be called
// again after they failed or were cut off, and then complete. They fail with RoleRefused when AWS
// refuses for good, and with RoleUnavailable when it does not answer or asks to wait.
type RoleKeeper interface {
	// Keep makes the role, or brings it to what it should be. When it fails, a role that was not
	// there is not there, as far as IAM lets it, and one that was is as it was.
	Keep(ctx context.Context, r AccountRole) error
	// Revoke has a role that is there deny what was revoked, and nothing that is not any more. It
	// changes nothing else.
	Revoke(ctx context.Context, r AccountRole) error
	// Retire removes the role, if there is one, and with the last of an account the SAML provider.
	Retire(ctx context.Context, r AccountRole, last bool) error
	// Drift says in words how the role differs from what it should be.
	Drift(ctx context.Context, r AccountRole) ([]string, error)
	// Inspect looks at a role that somebody else has made. Where that lets the center in, it makes
	// the center known to the account.
	Inspect(ctx context.Context, arn string) (ExistingRole, error)
}

// RoleJob is work on one role that is to be done in IAM. A role that exists (Provisioned) is
// brought up to date or retired; one that does not is made, and exists when that is done.
type RoleJob struct {
	RoleName         string
	AccountID        string
	PermissionSetARN string
	Retire           bool
	Due              time.Time
	LeasedUntil      time.Time // who works on it has so long
	Attempts         int
	Reason           string // why the last attempt failed
}

// RoleJobQuery selects jobs, in the order of account, permission set and role.
type RoleJobQuery struct {
	AccountID        string
	PermissionSetARN string
	Retire           *bool
	Limit            int // 0: all
}

// roleJobReader reads the work on roles in IAM and who waits for it.
type roleJobReader interface {
	RoleJob(roleName string) (RoleJob, error)
	// NextRoleJob is the one that has been due for longest, in an account where none is being
	// worked on. What is due, or leased, later than never was noted by a clock that was ahead: that
	// has come.
	NextRoleJob(now, never time.Time) (RoleJob, error)
	RoleJobs(RoleJobQuery) ([]RoleJob, error)
	// WaitingFor returns the requests that wait for a role's job, and CountRoleWaits for how many
	// jobs a request waits.
	WaitingFor(roleName string) ([]AssignmentRequest, error)
	CountRoleWaits(request string) (int, error)
}

// roleJobWriter writes the work on roles in IAM and who waits for it.
type roleJobWriter interface {
	PutRoleJob(RoleJob) error
	DeleteRoleJob(roleName string) error
	// QueueRoles makes a job for a permission set's roles, in one account or ("") in all where it
	// is provisioned, which a request waits for. It returns how many.
	QueueRoles(permissionSet, account, request string, due time.Time) (int, error)
	PutRoleWait(roleName, request string) error
	DeleteRoleWaits(roleName string) error
}

const (
	//bound:queue accounts whose roles are worked on at once
	roleWorkers = 8               // in different accounts
	roleLease   = 3 * time.Minute //bound:wait a node that works on a role, before another takes over
	//bound:wait one piece of work on a role
	rolePatience = 2 * time.Minute // for one job, before its lease ends
	//bound:none how often, not how much
	rolePoll = 5 * time.Second // for jobs that other processes have queued, or that were put off
	//bound:depth tries at a role before a request fails
	maxRoleTries = 5         // before a request fails because IAM does not answer
	maxRolePause = time.Hour //bound:wait the next try at a role, at the most
)

// queueNewRole has a request wait for a role that is not there yet, and queues the making unless
// that is queued already.
func (c *Center) queueNewRole(tx Tx, account string, set PermissionSet, request string) error {
	jobs, err := tx.RoleJobs(RoleJobQuery{AccountID: account, PermissionSetARN: set.ARN, Retire: new(bool), Limit: 1})
	if err != nil {
		return err
	}
	if len(jobs) == 0 {
		if err := roomForRole(tx, account); err != nil {
			return err
		}
		jobs = []RoleJob{{RoleName: set.newRoleName(), AccountID: account, PermissionSetARN: set.ARN}}
	}
	return errors.Join(c.putDueJob(tx, jobs[0]), tx.PutRoleWait(jobs[0].RoleName, request))
}

// retireRole takes a role from what there is. Where roles are kept in IAM the request waits until
// it has gone from there too; what waited for the role fails.
func (c *Center) retireRole(tx Tx, request *AssignmentRequest) error {
	a := request.Assignment
	p, err := tx.Provisioned(a.AccountID, a.PermissionSetARN)
	if err == nil {
		err = tx.DeleteProvisioned(a.AccountID, a.PermissionSetARN)
	}
	if err != nil {
		return err
	}
	if kept, err := c.rolesAreKept(tx); err != nil || !kept {
		return err
	}
	job, err := tx.RoleJob(p.RoleName)
	if errors.Is(err, refusal.ErrNoRow) {
		job, err = RoleJob{RoleName: p.RoleName, AccountID: a.AccountID, PermissionSetARN: a.PermissionSetARN}, nil
	}
	if err != nil {
		return err
	}
	if err := endWaiting(
		tx, job.RoleName, "the last assignment of the permission set in the account was deleted in the meantime",
	); err != nil {
		return err
	}
	job.Retire = true
	job.Attempts = 0
	if c.Roles == nil {
		return c.putDueJob(tx, job)
	}
	request.Status = InProgress
	return errors.Join(c.putDueJob(tx, job), tx.PutRoleWait(job.RoleName, request.ID))
}

// retireAgain has a deletion of what is deleted already wait for roles that could not be removed
// from IAM, which are tried again. Where there are none the request fails.
func (c *Center) retireAgain(tx Tx, request *AssignmentRequest) error {
	yes := true
	jobs, err := tx.RoleJobs(RoleJobQuery{
		AccountID:        request.Assignment.AccountID,
		PermissionSetARN: request.Assignment.PermissionSetARN,
		Retire:           &yes,
	})
	if err != nil {
		return err
	}
	request.Status = InProgress
	if len(jobs) == 0 {
		request.Status, request.FailureReason = Failed, c.noAssignment(request.Assignment)
	}
	for _, job := range jobs {
		job.Attempts = 0
		if err := errors.Join(c.putDueJob(tx, job), tx.PutRoleWait(job.RoleName, request.ID)); err != nil {
			return err
		}
	}
	return tx.PutAssignmentRequest(*request)
}

// endWaiting ends the wait of requests for a role's job: with reason they fail. One that waits for
// other roles too goes on, and fails in the end.
func endWaiting(tx Tx, roleName, reason string) error {
	waiting, err := tx.WaitingFor(roleName)
	if err != nil {
		return err
	}
	if err := tx.DeleteRoleWaits(roleName); err != nil {
		return err
	}
	for _, r := range waiting {
		if reason != "" {
			r.FailureReason = reason
		}
		left, err := tx.CountRoleWaits(r.ID)
		if err != nil {
			return err
		}
		switch {
		case left > 0:
		case r.FailureReason != "":
			r.Status = Failed
		default:
			r.Status = Succeeded
		}
		if err := tx.PutAssignmentRequest(r); err != nil {
			return err
		}
	}
	return nil
}

// wakeRoleWorkers has the workers of this process look for jobs.
func (c *Center) wakeRoleWorkers() {
	for c.Roles != nil {
		select {
		case c.roleWork <- struct{}{}:
		default:
			return // all will look
		}
	}
}

// WorkOnRole does the job that has been due for longest, and says whether there was one. What IAM
// says is kept with the requests that wait and in the audit log; the error is only that of the
// store.
func (c *Center) WorkOnRole(ctx context.Context) (bool, error) {
	leased, err := c.takeRoleJob(ctx)
	if errors.Is(err, refusal.ErrNoRow) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	limited, cancel := context.WithTimeout(ctx, rolePatience)
	defer cancel()
	job := leased.job
	role := leased.set.RoleIn(job.AccountID, job.RoleName)
	role.Revoked = leased.revoked
	switch {
	case job.Retire:
		err = c.Roles.Retire(limited, role, leased.last)
	case leased.only:
		err = c.Roles.Revoke(limited, role)
	default:
		err = c.Roles.Keep(limited, role)
	}
	if ctx.Err() != nil { // somebody else does the job again, and need not wait until the lease ends
		return false, errors.Join(ctx.Err(), c.giveBackRoleJob(ctx, job))
	}
	return true, c.concludeRoleJob(ctx, leased, err)
}

// giveBackWait bounds how long the end of the program waits for a lease to be given back.
const giveBackWait = 3 * time.Second //bound:wait a lease that is given back, at the end

// giveBackRoleJob ends the lease of a job that was not finished, as if it had not been taken.
func (c *Center) giveBackRoleJob(ctx context.Context, taken RoleJob) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackWait)
	defer cancel()
	return c.Store.Update(ctx, func(tx Tx) error {
		job, err := tx.RoleJob(taken.RoleName)
		if errors.Is(err, refusal.ErrNoRow) || (err == nil && !job.LeasedUntil.Equal(taken.LeasedUntil)) {
			return nil // somebody else has it
		}
		if err != nil {
			return err
		}
		job.LeasedUntil, job.Attempts = time.Time{}, job.Attempts-1
		return tx.PutRoleJob(job)
	})
}

// leasedRole is a job that is leased, with what it takes to do it.
type leasedRole struct {
	job     RoleJob
	set     PermissionSet    // of a role to keep
	revoked []RoleRevocation // which stand in it
	only    bool             // nothing but those is to be brought to it
	last    bool             // of a role to retire: the account has no other
}

// takeRoleJob leases the next job.
func (c *Center) takeRoleJob(ctx context.Context) (leased leasedRole, err error) {
	job := &leased.job
	var now time.Time
	next := func(r Reader) (err error) {
		if now, err = c.clock(r); err == nil {
			*job, err = r.NextRoleJob(now, now.Add(longerThanAll))
		}
		return err
	}
	if err = c.Store.View(ctx, next); err != nil { // most often there is none, and nothing to write
		return leased, err
	}
	err = c.Store.Update(ctx, func(tx Tx) error {
		if err := next(tx); err != nil {
			return err
		}
		if job.Retire {
			roles, e1 := tx.ProvisionedRoles(ProvisionedQuery{AccountID: job.AccountID, Limit: 1})
			jobs, e2 := tx.RoleJobs(RoleJobQuery{AccountID: job.AccountID, Limit: 2})
			entitled, e3 := tx.Entitlements(EntitlementQuery{AccountID: job.AccountID, Limit: 1})
			if err := errors.Join(e1, e2, e3); err != nil {
				return err
			}
			leased.last = len(roles)+len(entitled) == 0 && len(jobs) == 1
		} else if leased.set, err = worksFor(tx, *job); err != nil {
			return fmt.Errorf(
				"the permission set of role %s: %w", job.RoleName,
				refusal.IfNoRow(err, PermissionSetNotFound, job.PermissionSetARN),
			)
		} else if leased.revoked, leased.only, err = revocationsOf(tx, *job); err != nil {
			return err
		}
		job.LeasedUntil = now.Add(roleLease)
		job.Attempts++
		return tx.PutRoleJob(*job)
	})
	return leased, err
}

// worksFor is the permission set that a job is about. That of a role which somebody is entitled to
// is a stand-in: no job changes anything of that role but who is refused.
func worksFor(r permissionSetReader, job RoleJob) (PermissionSet, error) {
	if IsRoleARN(job.RoleName) {
		return PermissionSet{ARN: job.RoleName}, nil
	}
	return r.PermissionSet(job.PermissionSetARN)
}

// concludeRoleJob writes down what came of a job, together with its event. said is what the keeper
// said. A job that has been changed or taken by somebody else meanwhile stays.
func (c *Center) concludeRoleJob(ctx context.Context, leased leasedRole, said error) error {
	done := leased.job
	return c.Store.Update(ctx, func(tx Tx) error {
		job, err := tx.RoleJob(done.RoleName)
		if errors.Is(err, refusal.ErrNoRow) || (err == nil && !job.LeasedUntil.Equal(done.LeasedUntil)) {
			return nil
		}
		if err != nil {
			return err
		}
		job.LeasedUntil = time.Time{}
		action := "ProvisionRole"
		switch {
		case done.Retire:
			action = "RetireRole"
			err = c.concludeRetirement(tx, job, said)
		case job.Retire: // it was to be made or mended, and is to go now
			err = tx.PutRoleJob(job)
		case said != nil:
			err = c.concludeFailure(tx, job, said)
		default:
			err = c.concludeSuccess(tx, job, leased)
		}
		if said == nil || reasonOf(said) != done.Reason { // not every try of the same kind is an event
			err = errors.Join(
				err, tx.AppendEvent(c.event(audit.SystemActor, action, job.AccountID+"/"+job.RoleName, said)),
			)
		}
		return err
	})
}

// concludeSuccess is for a role that is now what the permission set was when the work began.
func (c *Center) concludeSuccess(tx Tx, job RoleJob, leased leasedRole) error {
	worked := leased.set
	set, err := worksFor(tx, job)
	if err != nil {
		return err
	}
	more, err := c.concludeRevocations(tx, job.RoleName, leased.revoked)
	if err == nil && leased.only && !more {
		return c.concludeOnlyRevocations(tx, job)
	}
	if err != nil {
		return err
	}
	if set.Revision != worked.Revision || more {
		return c.putDueJob(tx, job)
	}
	if err := tx.DeleteRoleJob(job.RoleName); err != nil {
		return err
	}
	_, err = tx.Provisioned(job.AccountID, job.PermissionSetARN)
	if errors.Is(err, refusal.ErrNoRow) {
		return c.assignNewRole(tx, job, worked.Revision)
	}
	return errors.Join(
		err, tx.MarkProvisioned(job.PermissionSetARN, job.AccountID, worked.Revision),
		tx.PutDrift(job.RoleName, c.now(), nil), endWaiting(tx, job.RoleName, ""),
	)
}

// assignNewRole makes the assignments that waited for a role. Those whose principal has gone
// meanwhile fail; when none is left the role is retired again.
func (c *Center) assignNewRole(tx Tx, job RoleJob, revision int64) error {
	waiting, err := tx.WaitingFor(job.RoleName)
	if err != nil {
		return err
	}
	assigned := false
	for _, r := range waiting {
		_, err := checkAssignment(tx, r.Assignment)
		if err == nil {
			err = checkGroups(tx, r.Assignment)
		}
		if err == nil {
			err = stillWanted(tx, r)
		}
		switch {
		case err == nil:
			assigned, err = true, tx.PutAssignment(r.Assignment)
		case refusal.CodeOf(err) != refusal.None:
			r.FailureReason = err.Error()
			err = tx.PutAssignmentRequest(r)
		}
		if err != nil {
			return err
		}
	}
	if err := endWaiting(tx, job.RoleName, ""); err != nil {
		return err
	}
	if !assigned {
		job.Retire = true
		job.Attempts = 0
		job.Reason = ""
		return c.putDueJob(tx, job)
	}
	return errors.Join(
		tx.PutProvisioned(Provisioned{
			AccountID:        job.AccountID,
			PermissionSetARN: job.PermissionSetARN,
			Revision:         revision,
			RoleName:         job.RoleName,
		}),
		tx.PutDrift(job.RoleName, c.now(), nil),
	)
}

// concludeFailure puts a job off when IAM may answer later. Otherwise what waits for it fails, and
// what may have been made of a new role is removed.
func (c *Center) concludeFailure(tx Tx, job RoleJob, said error) error {
	if job.Attempts < maxRoleTries && refusal.CodeOf(said) != RoleRefused || IsRoleARN(job.RoleName) {
		return c.postponeRoleJob(tx, job, said) // somebody else's role is never removed
	}
	if err := endWaiting(tx, job.RoleName, reasonOf(said)); err != nil {
		return err
	}
	revoked, err := tx.RoleRevocations(job.RoleName)
	if err != nil || slices.ContainsFunc(revoked, func(r RoleRevocation) bool { return !r.InForce }) {
		return errors.Join(err, c.postponeRoleJob(tx, job, said)) // for ever: somebody has access who must not
	}
	_, err = tx.Provisioned(job.AccountID, job.PermissionSetARN)
	if errors.Is(err, refusal.ErrNoRow) {
		job.Retire = true
		job.Attempts = 0
		job.Reason = ""
		return c.putDueJob(tx, job)
	}
	return errors.Join(err, tx.DeleteRoleJob(job.RoleName))
}

// concludeRetirement tries for ever: a role that nobody has must not stay. Whoever waits is told
// when IAM refuses, or does not answer for long.
func (c *Center) concludeRetirement(tx Tx, job RoleJob, said error) error {
	if said == nil { // what was open in it allows nothing any more
		revoked, err := tx.RoleRevocations(job.RoleName)
		if err == nil {
			_, err = c.concludeRevocations(tx, job.RoleName, revoked)
		}
		return errors.Join(err, tx.DeleteRoleJob(job.RoleName), endWaiting(tx, job.RoleName, ""))
	}
	err := c.postponeRoleJob(tx, job, said)
	if job.Attempts >= maxRoleTries || refusal.CodeOf(said) == RoleRefused {
		err = errors.Join(err, endWaiting(tx, job.RoleName, reasonOf(said)))
	}
	return err
}

// postponeRoleJob has a job done later: after a second, two, four … an hour.
func (c *Center) postponeRoleJob(tx Tx, job RoleJob, said error) error {
	pause := min(time.Second<<min(max(job.Attempts-1, 0), 20), maxRolePause)
	now, err := c.clock(tx)
	job.Due, job.Reason = now.Add(pause), reasonOf(said)
	return errors.Join(err, tx.PutRoleJob(job))
}

// putDueJob has a job done at once, by the clock that all nodes share: by its own, a node that is
// fast would keep it from the others, and take theirs.
func (c *Center) putDueJob(tx Tx, job RoleJob) error {
	now, err := c.clock(tx)
	job.Due = now
	return errors.Join(err, tx.PutRoleJob(job))
}

// reasonOf is what a person reads of why a job failed. It is never empty.
func reasonOf(said error) string {
	var e *refusal.Error
	if errors.As(said, &e) && e.Detail != "" {
		return e.Detail
	}
	return said.Error()
}
