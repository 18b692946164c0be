package tenant

import (
	"context"
	"errors"
	"math"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
)

// JobState says whether a job is on.
type JobState string

// The states.
const (
	JobActive JobState = "Active"
	JobPaused JobState = "Paused"
)

// Job is a synchronization job: the automatic provisioning of one application.
type Job struct {
	ID                 string // <template>.<tenant id without dashes>.<UUID>
	ServicePrincipalID string
	TemplateID         string
	State              JobState
	Credentials        Credentials
	NotificationEmail  string
	SyncAll            bool // all users and groups instead of the assigned ones
	Watermark          string
	Evaluation         int // goes up whenever everything is to be looked at again, so that a cycle under way does not count as that
	Last               *Execution
	LastSuccess        *Execution
	SteadyFirst        time.Time // when the first full cycle was done
	SteadyLast         time.Time
	Quarantine         *Quarantine
	Users, Groups      int // synchronized and still linked
	CreatedAt          time.Time
}

// reset makes the next cycle look at everything.
func (j *Job) reset() { j.Watermark, j.Evaluation = "", j.Evaluation+1 }

// Credentials are how a job reaches the target.
type Credentials struct {
	BaseAddress string
	SealedToken string // sealed for the purpose "secret-token/" + job id
}

// Execution is one cycle.
type Execution struct {
	ID                                     string
	State                                  string // Succeeded, Failed or EntryLevelErrors
	Began, Ended                           time.Time
	Imported, Exported, Escrowed, Entitled int
	ErrorCode, ErrorMessage                string
}

// Quarantine says why a job is held back.
type Quarantine struct {
	Reason, Code, Message string
	Began, NextAttempt    time.Time
	Tries                 int
}

// Link is what a job remembers of an object.
type Link struct {
	JobID    string
	Kind     ObjectKind
	SourceID string
	TargetID string
	Sent     map[string]string
	Members  []string
	Failure  string
	Tries    int
	RetryAt  time.Time // when a failed object is tried again
}

// LogEntry is a line of the provisioning log.
type LogEntry struct {
	ID, JobID, CycleID   string
	Time                 time.Time
	Kind                 ObjectKind
	SourceID, TargetID   string
	Name, Action, Status string
	Code, Reason         string
	Duration             time.Duration
}

// CreateJob makes the provisioning job of an application, paused. It fails with JobExists when there is one.
func (t *Tenant) CreateJob(ctx context.Context, by audit.Actor, servicePrincipalID, templateID string) (Job, error) {
	j := Job{ServicePrincipalID: servicePrincipalID, TemplateID: templateID, State: JobPaused, CreatedAt: t.now(),
		ID: templateID + "." + strings.ReplaceAll(t.Organization.ID, "-", "") + "." + t.NewID()}
	err := t.change(ctx, by, "Add provisioning configuration", func(tx Tx, _ *Touched) (string, error) {
		if _, err := tx.Application(servicePrincipalID); err != nil {
			return servicePrincipalID, orRefuse(err, ApplicationNotFound, servicePrincipalID)
		}
		existing, err := tx.Jobs(servicePrincipalID)
		if err != nil {
			return servicePrincipalID, err
		}
		if len(existing) > 0 {
			return servicePrincipalID, &Error{Code: JobExists, Subject: existing[0].ID}
		}
		return j.ID, tx.PutJob(j)
	})
	return j, err
}

// JobSettings are what an administrator sets. Nil fields stay as they are.
type JobSettings struct {
	BaseAddress, SecretToken, NotificationEmail *string
	SyncAll                                     *bool
}

// ConfigureJob saves settings. New credentials lift a quarantine; a change of scope is evaluated from the beginning.
func (t *Tenant) ConfigureJob(ctx context.Context, by audit.Actor, id string, s JobSettings) error {
	return t.updateJob(ctx, by, "Update provisioning setting or credentials", id, func(j *Job) error {
		if s.BaseAddress != nil {
			if err := checkAddress(*s.BaseAddress); err != nil {
				return err
			}
			j.Credentials.BaseAddress, j.Quarantine = *s.BaseAddress, nil
		}
		if s.SecretToken != nil {
			j.Credentials.SealedToken, j.Quarantine = "", nil
			if *s.SecretToken != "" {
				j.Credentials.SealedToken = t.Sealer.Seal("secret-token/"+id, []byte(*s.SecretToken))
			}
		}
		if s.NotificationEmail != nil {
			if _, err := mail.ParseAddress(*s.NotificationEmail); err != nil && *s.NotificationEmail != "" {
				return &Error{Code: InvalidValue, Subject: "notification e-mail", Detail: "not an e-mail address"}
			}
			j.NotificationEmail = *s.NotificationEmail
		}
		if s.SyncAll != nil && *s.SyncAll != j.SyncAll {
			j.SyncAll = *s.SyncAll
			j.reset()
		}
		return nil
	})
}

// checkAddress accepts the tenant URLs that the real service does, and http on loopback.
func checkAddress(s string) error {
	u, err := url.Parse(s)
	if s == "" || (err == nil && u.Host != "" && webAddress(s)) {
		return nil
	}
	return &Error{Code: InvalidValue, Subject: "tenant URL", Detail: "want an https address"}
}

func (t *Tenant) updateJob(ctx context.Context, by audit.Actor, action, id string, edit func(*Job) error) error {
	err := t.change(ctx, by, action, func(tx Tx, _ *Touched) (string, error) {
		j, err := tx.Job(id)
		if err != nil {
			return id, orRefuse(err, JobNotFound, id)
		}
		if err := edit(&j); err != nil {
			return id, err
		}
		return id, tx.PutJob(j)
	})
	if err == nil && t.Changed != nil {
		t.Changed()
	}
	return err
}

// StartJob turns provisioning on, and lifts a quarantine. It fails with CredentialsMissing.
func (t *Tenant) StartJob(ctx context.Context, by audit.Actor, id string) error {
	return t.updateJob(ctx, by, "Enable/start provisioning configuration", id, func(j *Job) error {
		if j.Credentials.BaseAddress == "" || j.Credentials.SealedToken == "" {
			return &Error{Code: CredentialsMissing, Subject: id}
		}
		j.State, j.Quarantine = JobActive, nil
		return nil
	})
}

// PauseJob turns provisioning off. A running cycle finishes; everything is remembered.
func (t *Tenant) PauseJob(ctx context.Context, by audit.Actor, id string) error {
	return t.updateJob(ctx, by, "Disable/pause provisioning configuration", id, func(j *Job) error {
		j.State = JobPaused
		return nil
	})
}

// RestartJob evaluates everything from the beginning. Links stay unless forget is set, so nothing is matched anew.
func (t *Tenant) RestartJob(ctx context.Context, by audit.Actor, id string, forget bool) error {
	err := t.change(ctx, by, "Enable/restart provisioning configuration", func(tx Tx, _ *Touched) (string, error) {
		j, err := tx.Job(id)
		if err != nil {
			return id, orRefuse(err, JobNotFound, id)
		}
		j.reset()
		j.Quarantine = nil
		if forget {
			links, err := tx.Links(id)
			if err != nil {
				return id, err
			}
			for _, l := range links {
				if err := tx.DeleteLink(id, l.Kind, l.SourceID); err != nil {
					return id, err
				}
			}
			j.Users, j.Groups = 0, 0
		}
		return id, tx.PutJob(j)
	})
	if err == nil && t.Changed != nil {
		t.Changed()
	}
	return err
}

// DeleteJob removes a job with its memory.
func (t *Tenant) DeleteJob(ctx context.Context, by audit.Actor, id string) error {
	return t.change(ctx, by, "Delete provisioning configuration", func(tx Tx, _ *Touched) (string, error) {
		if _, err := tx.Job(id); err != nil {
			return id, orRefuse(err, JobNotFound, id)
		}
		return id, tx.DeleteJob(id)
	})
}

// Job returns one job of an application, or JobNotFound.
func (t *Tenant) Job(ctx context.Context, servicePrincipalID, id string) (j Job, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		j, err = r.Job(id)
		if err == nil && j.ServicePrincipalID != servicePrincipalID {
			err = ErrNoRow
		}
		return orRefuse(err, JobNotFound, id)
	})
	return j, err
}

// Jobs lists the jobs of an application, or all of them.
func (t *Tenant) Jobs(ctx context.Context, servicePrincipalID string) (jobs []Job, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		jobs, err = r.Jobs(servicePrincipalID)
		return err
	})
	return jobs, err
}

// SecretToken returns the token that a job presents to the target, or CredentialsMissing.
func (t *Tenant) SecretToken(j Job) (authn.Secret, error) {
	if j.Credentials.SealedToken == "" {
		return "", &Error{Code: CredentialsMissing, Subject: j.ID}
	}
	token, err := t.Sealer.Open("secret-token/"+j.ID, j.Credentials.SealedToken)
	return authn.Secret(token), err
}

// quarantineWaits are the times between attempts while credentials are refused. Source: quarantine page; the first is that of an API sample.
var quarantineWaits = []time.Duration{5 * time.Minute, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// FinishCycle records how a cycle of a job went. failure is nil, or why the cycle as a whole could not be done; with refused set the target
// refused the credentials, which puts the job in quarantine. The number of linked objects is counted anew.
func (t *Tenant) FinishCycle(ctx context.Context, id string, x Execution, failure error, refused bool) error {
	return t.Store.Update(ctx, func(tx Tx) error {
		j, err := tx.Job(id)
		if errors.Is(err, ErrNoRow) { // deleted while it ran
			return nil
		}
		if err != nil {
			return err
		}
		users, e1 := tx.CountLinks(id, KindUser)
		groups, e2 := tx.CountLinks(id, KindGroup)
		if err := errors.Join(e1, e2, t.forget(tx)); err != nil {
			return err
		}
		j.Users, j.Groups, j.Last = users, groups, &x
		switch {
		case failure == nil:
			j.LastSuccess, j.SteadyLast, j.Quarantine = &x, x.Ended, nil
			if j.SteadyFirst.IsZero() {
				j.SteadyFirst = x.Ended
			}
		case refused:
			q := Quarantine{Reason: "EncounteredQuarantineException", Code: x.ErrorCode, Message: x.ErrorMessage, Began: t.now()}
			if j.Quarantine != nil {
				q.Began, q.Tries = j.Quarantine.Began, j.Quarantine.Tries+1
			}
			q.NextAttempt = t.now().Add(quarantineWaits[min(q.Tries, len(quarantineWaits)-1)])
			j.Quarantine = &q
		}
		return tx.PutJob(j)
	})
}

// logRetention is how long the provisioning log is kept. Source: provisioning logs page, premium retention.
const logRetention = 30 * 24 * time.Hour

// forget removes old entries of the provisioning log, and the marks that every job has seen. The newest mark stays, since numbers go on from it.
func (t *Tenant) forget(tx Tx) error {
	jobs, err := tx.Jobs("")
	if err != nil {
		return err
	}
	seen := int64(math.MaxInt64)
	for _, j := range jobs {
		n, _ := strconv.ParseInt(j.Watermark, 10, 64) // empty: nothing seen yet, and nothing is removed
		seen = min(seen, n)
	}
	if len(jobs) > 0 {
		err = tx.DeleteMarks(seen)
	}
	return errors.Join(err, tx.DeleteLog(t.now().Add(-logRetention)))
}

// ProvisioningLog lists entries of the provisioning log, newest first.
func (t *Tenant) ProvisioningLog(ctx context.Context, q LogQuery) (entries []LogEntry, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		entries, err = r.Log(q)
		return err
	})
	return entries, err
}
