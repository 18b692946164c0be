package center

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Organization reads the accounts of an organization, with their units and tags. The implementation
// is center/organizations. progress is told how many have been read. An account that is closed or
// suspended comes as Suspended.
type Organization interface {
	Accounts(ctx context.Context, progress func(read int)) ([]Account, error)
}

// OrganizationImport is how far the last reading of the organization has come.
type OrganizationImport struct {
	RequestedAt time.Time // by somebody; zero: by the clock
	DryRun      bool
	Force       bool // also when more than half of the accounts have gone
	StartedAt   time.Time
	FinishedAt  time.Time // zero, or before StartedAt: it goes on
	LeasedUntil time.Time
	Read        int // accounts, while it goes on
	Total       int // changes that there were, or would be
	Changes     []AccountChange
	// Written is how many of them are made, where it did not come to its end: whoever goes on makes
	// the rest, and tells of all.
	Written int
	Error   string // why it failed
}

// organizationImportReader reads how the organization is imported.
type organizationImportReader interface {
	OrganizationImport() (OrganizationImport, error)
}

// organizationImportWriter writes how the organization is imported.
type organizationImportWriter interface {
	PutOrganizationImport(OrganizationImport) error
}

// Running says whether an import was asked for and has not ended.
func (o OrganizationImport) Running() bool {
	return o.RequestedAt.After(o.FinishedAt) || o.StartedAt.After(o.FinishedAt)
}

// judged is the import as it is to be judged by now. An end that is yet to come was noted by a
// clock that was ahead: what is asked for before it would not count as asked for.
func (o OrganizationImport) judged(now time.Time) OrganizationImport {
	if o.FinishedAt.After(now) {
		if !o.Running() { // what was done is done
			o.RequestedAt, o.StartedAt = time.Time{}, time.Time{}
		}
		o.FinishedAt = time.Time{}
	}
	return o
}

// AccountChange is what an import does to one account.
type AccountChange struct {
	Change  string // AccountAdded, AccountChanged or AccountGone
	Account Account
}

// The changes of accounts. One that has gone from the organization is kept, suspended: what was
// assigned in it stays known.
const (
	AccountAdded   = "add"
	AccountChanged = "change"
	AccountGone    = "suspend"
)

const (
	maxChangesShown = 200 //bound:list changes of an organization that are shown
	//bound:wait silence of the reader of an organization, before somebody else starts again
	organizationLap = 2 * time.Minute // how long a reader may be silent before somebody else starts again
	maxReading      = time.Hour       //bound:wait an organization to be read
)

// comparison is what an organization changes in the accounts that there are.
type comparison struct {
	changes        []AccountChange
	gone, imported int // accounts that have left it, of those that came from it
}

// compareAccounts compares an organization with the accounts that there are. Accounts that were
// made by hand become the organization's when it has them.
func compareAccounts(there, found []Account) (c comparison) {
	known := map[string]Account{}
	for _, a := range there {
		known[a.ID] = a
		if a.Imported && !a.Suspended {
			c.imported++
		}
	}
	for _, a := range found {
		a.Imported = true
		was, ok := known[a.ID]
		delete(known, a.ID)
		switch {
		case !ok:
			c.changes = append(c.changes, AccountChange{AccountAdded, a})
		case !was.equal(a):
			c.changes = append(c.changes, AccountChange{AccountChanged, a})
		}
	}
	for _, a := range there {
		if _, left := known[a.ID]; left && a.Imported && !a.Suspended {
			a.Suspended = true
			c.changes = append(c.changes, AccountChange{AccountGone, a})
			c.gone++
		}
	}
	return c
}

// StartOrganizationImport has the organization read soon, instead of when its time comes. It fails
// with OrganizationOff or OrganizationBusy.
func (c *Center) StartOrganizationImport(ctx context.Context, by audit.Actor, dryRun, force bool) error {
	err := c.change(ctx, by, ActionImportAccounts, func(tx Tx) (string, error) {
		if c.Organization == nil {
			return "", &refusal.Error{Code: OrganizationOff}
		}
		o, err := tx.OrganizationImport()
		if err != nil && !errors.Is(err, refusal.ErrNoRow) {
			return "", err
		}
		now, err := c.clock(tx)
		if err != nil {
			return "", err
		}
		if o = o.judged(now); o.Running() && o.leased(now) {
			return "", &refusal.Error{Code: OrganizationBusy}
		}
		o.RequestedAt = now
		if !now.After(o.FinishedAt) { // another has ended in the same millisecond
			o.RequestedAt = o.FinishedAt.Add(time.Millisecond)
		}
		if dryRun || !o.Running() {
			o.Written = 0
		}
		o.DryRun = dryRun
		o.Force = force
		o.LeasedUntil = time.Time{}
		return "", tx.PutOrganizationImport(o)
	})
	c.wakeOrganization()
	return err
}

// LastOrganizationImport returns the last import, or one that has never run.
func (c *Center) LastOrganizationImport(ctx context.Context) (o OrganizationImport, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		o, err = r.OrganizationImport()
		return err
	})
	if errors.Is(err, refusal.ErrNoRow) {
		err = nil
	}
	return o, err
}

// due says whether the organization is to be read now.
func (o OrganizationImport) due(now time.Time, each time.Duration) bool {
	return !o.leased(now) && (o.Running() || now.Sub(o.FinishedAt) >= each)
}

// leased says whether somebody reads the organization.
func (o OrganizationImport) leased(now time.Time) bool {
	left := o.LeasedUntil.Sub(now)
	return left > 0 && left <= organizationLap+clocksApart
}

// errImportLost says that another node reads the organization by now.
var errImportLost = errors.New("another node reads the organization now")

var errSlowOrganization = errors.New("the organization could not be read within an hour")

// ImportOrganization reads the organization when that was asked for or is due, and says whether it
// did. What the organization answered is kept with the import; the error is only that of the store.
// A node that stood still, and of which another has taken the import meanwhile, changes nothing.
func (c *Center) ImportOrganization(ctx context.Context) (bool, error) {
	o, err := c.takeImport(ctx)
	if err != nil || o.LeasedUntil.IsZero() {
		return false, err
	}
	found, said := c.readOrganization(ctx, &o)
	if ctx.Err() != nil { // somebody else reads again, and need not wait until the lease ends
		return false, errors.Join(ctx.Err(), c.giveBackImport(ctx, o.LeasedUntil))
	}
	if err := c.keepImport(ctx, &o, false); err != nil {
		return false, notLost(err)
	}
	o.Changes = o.Changes[:min(o.Written, len(o.Changes))]
	o.Total = o.Written
	o.Error = ""
	if said == nil {
		said = c.importAccounts(ctx, &o, found)
	}
	if errors.Is(said, errImportLost) || refusal.CodeOf(said).Kind() == refusal.Unavailable {
		return false, notLost(said) // of the store: somebody reads again when the lease has ended
	}
	if said != nil {
		o.Error = reasonOf(said)
		c.Log.ErrorContext(ctx, "read the organization", "error", said)
	}
	return true, notLost(c.keepImport(ctx, &o, true))
}

// readOrganization reads the accounts, and notes now and then how far that has come. Where nothing
// can be noted for a while it goes on: who has the import is asked again before anything is
// written.
func (c *Center) readOrganization(ctx context.Context, o *OrganizationImport) ([]Account, error) {
	limited, cancel := context.WithTimeoutCause(ctx, maxReading, errSlowOrganization)
	defer cancel()
	limited, stop := context.WithCancelCause(limited)
	defer stop(nil)
	found, err := c.Organization.Accounts(limited, func(read int) {
		o.Read = read
		if err := c.keepImport(limited, o, false); errors.Is(err, errImportLost) {
			stop(err)
		} else if err != nil && limited.Err() == nil {
			c.Log.WarnContext(ctx, "note how far the organization is read", "error", err)
		}
	})
	if err != nil && limited.Err() != nil { // what it ran into is not why
		err = context.Cause(limited)
	}
	return found, err
}

func notLost(err error) error {
	if errors.Is(err, errImportLost) {
		return nil
	}
	return err
}

// takeImport leases the import, if it is due, by the clock that all nodes share; otherwise it
// returns the zero value.
func (c *Center) takeImport(ctx context.Context) (o OrganizationImport, err error) {
	var now time.Time
	due := false
	look := func(r Reader) (err error) {
		if now, err = c.clock(r); err != nil {
			return err
		}
		if o, err = r.OrganizationImport(); errors.Is(err, refusal.ErrNoRow) {
			err = nil
		}
		o = o.judged(now)
		if due = err == nil && o.due(now, c.OrganizationEach); !due {
			o = OrganizationImport{}
		}
		return err
	}
	if err := c.Store.View(ctx, look); err != nil || !due { // most often it is not, and there is nothing to write
		return o, err
	}
	err = c.Store.Update(ctx, func(tx Tx) error {
		if err := look(tx); err != nil || !due {
			return err
		}
		if !o.Running() { // by the clock
			o.RequestedAt = time.Time{}
			o.DryRun = false
			o.Force = false
			o.Written = 0
		}
		o.StartedAt, o.LeasedUntil = now, now.Add(organizationLap)
		o.Read = 0
		return tx.PutOrganizationImport(o)
	})
	return o, err
}

// keepImport notes how far an import has come, or that it is over. It fails with errImportLost
// where another node has it.
func (c *Center) keepImport(ctx context.Context, o *OrganizationImport, over bool) error {
	kept := *o
	err := c.Store.Update(ctx, func(tx Tx) error {
		now, err := c.holdImport(tx, *o)
		if err != nil {
			return err
		}
		if kept.LeasedUntil = now.Add(organizationLap); over {
			kept.FinishedAt, kept.LeasedUntil = now, time.Time{}
			kept.Written = 0
			if kept.Running() { // a clock was ahead that has been put right
				kept.RequestedAt, kept.StartedAt = time.Time{}, now
			}
		}
		return tx.PutOrganizationImport(kept)
	})
	if err == nil {
		*o = kept
	}
	return err
}

// holdImport says what time it is, and fails with errImportLost where another node has the import.
func (c *Center) holdImport(tx Tx, o OrganizationImport) (now time.Time, err error) {
	there, err := tx.OrganizationImport()
	if err == nil && !there.LeasedUntil.Equal(o.LeasedUntil) {
		err = errImportLost
	}
	if err != nil {
		return now, err
	}
	return c.clock(tx)
}

// giveBackImport ends the lease of an import that was not finished.
func (c *Center) giveBackImport(ctx context.Context, leasedUntil time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackWait)
	defer cancel()
	return c.Store.Update(ctx, func(tx Tx) error {
		o, err := tx.OrganizationImport()
		if err != nil || !o.LeasedUntil.Equal(leasedUntil) { // somebody else has it
			return err
		}
		o.LeasedUntil = time.Time{}
		return tx.PutOrganizationImport(o)
	})
}

// importAccounts makes the changes, or says what they would be. With each part of them it proves
// that this node has the import still, and holds on to it.
func (c *Center) importAccounts(ctx context.Context, o *OrganizationImport, found []Account) error {
	there, err := c.Accounts(ctx)
	if err != nil {
		return err
	}
	compared := compareAccounts(there, found)
	o.shows(compared.changes)
	if compared.gone > compared.imported/2 && !o.Force {
		return &refusal.Error{
			Code: OrganizationShrunk,
			Detail: names.Counted(
				"%d of the accounts no longer {exists|exist}, of %d that were imported; nothing was changed",
				compared.gone, compared.imported,
			),
		}
	}
	if o.DryRun {
		return nil
	}
	for some := range slices.Chunk(compared.changes, atOnce) {
		list := make([]Account, len(some))
		for i, change := range some {
			list[i] = change.Account
		}
		held := o.LeasedUntil
		err := c.putAccounts(ctx, audit.SystemActor, list, func(tx Tx) error {
			there := *o
			now, err := c.holdImport(tx, there)
			if err != nil {
				return err
			}
			held = now.Add(organizationLap)
			there.LeasedUntil, there.Written = held, o.Written+len(some)
			return tx.PutOrganizationImport(there)
		})
		if err != nil {
			return err
		}
		o.LeasedUntil = held
		o.Written += len(some)
	}
	return nil
}

// shows adds changes to those that were made before it was interrupted.
func (o *OrganizationImport) shows(more []AccountChange) {
	o.Total += len(more)
	room := max(0, maxChangesShown-len(o.Changes))
	o.Changes = slices.Concat(o.Changes, more[:min(room, len(more))])
}
