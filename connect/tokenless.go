package connect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
)

// Writer writes users and groups to AWS's side itself, where the tenant does not provision: the
// engine behind gatehouse sync. It changes what it has made or what has the same name, and
// remembers what it has sent.
type Writer interface {
	// Preview says what Write would do. It changes nothing at AWS's side.
	Preview(context.Context, Scope) (Written, error)
	// Write brings AWS's side in step with the tenant, compared with all that is there now.
	Write(context.Context, Scope) (Written, error)
	// Next tells a person how it goes on when this run has ended.
	Next(Scope) ([]string, error)
	// End takes that back: what Next named writes nothing any more, until the next Write. It fails
	// with ErrWriterBusy while another process writes.
	End(context.Context) error
	// Ending says whether there is something to end, and what a person does about it by hand.
	Ending() (needed bool, byHand string, err error)
}

// ErrWriterBusy says that another process keeps AWS's side in step now.
var ErrWriterBusy = errors.New("gatehouse sync has the folder of its state open")

// Scope is whom a Writer writes: who is assigned to an application, and groups beside them. With
// neither it is everybody.
type Scope struct {
	Application string   // the id of the service principal
	Groups      []string // ids
}

// Written is what a Writer did, or would do. It counts objects.
type Written struct {
	Created, Updated, Disabled, Deleted int
	Failures                            []Failure
	Unread                              int // whom the tenant does not let be read; they stay as they were
}

// Changes says whether anything is different.
func (w Written) Changes() bool { return w.Created+w.Updated+w.Disabled+w.Deleted > 0 }

// String says what becomes of how many.
func (w Written) String() string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(w.Created, "created")
	add(w.Updated, "changed")
	add(w.Disabled, "disabled")
	add(w.Deleted, "deleted")
	add(len(w.Failures), "refused")
	add(w.Unread, "unread at the tenant")
	if len(parts) == 0 {
		return "nothing to change"
	}
	return strings.Join(parts, ", ")
}

// writing is what is known of the writing to AWS's side.
type writing struct {
	Written
	busy bool // another process does it
	done bool // by this run
}

// provisioner is what will write people to AWS's side.
func (p *Plan) provisioner() Provisioner {
	if p.cfg.Tokenless {
		return ByGatehouse
	}
	return ByTenant
}

// scope is whom the writer writes. Of an application that this run has made, the tenant's replicas
// may not know yet who is assigned to it.
func (p *Plan) scope() Scope {
	switch {
	case p.syncAll():
		return Scope{}
	case p.fresh:
		return Scope{Groups: p.State.Unassigned}
	}
	return Scope{p.State.Principal.ID, p.State.Unassigned}
}

// observeWriter asks what is to be written to AWS's side, and refused there.
func (p *Plan) observeWriter(ctx context.Context) (err error) {
	if p.cfg.Writer == nil {
		return nil
	}
	scope := p.scope()
	if scope.Application == "" && len(scope.Groups) == 0 && !p.syncAll() {
		return nil // nobody, as yet
	}
	p.writing.Written, err = p.cfg.Writer.Preview(ctx, scope)
	if errors.Is(err, ErrWriterBusy) {
		p.writing.busy = true
		return nil
	}
	return err
}

// writerStep is the step that writes. It comes before the identity source is changed: who is sent
// to the tenant then is known to AWS when they come back.
func (p *Plan) writerStep(add func(bool, string, string, string, func(context.Context) error)) {
	if p.cfg.Writer == nil {
		return
	}
	exists := "in step with the tenant"
	if p.writing.busy {
		exists = "gatehouse sync keeps them in step now"
	} else if but := p.writing.but(); but != "" {
		exists += ", but for " + but
	}
	add(
		!p.writing.Changes(), writerTitle, exists, "write them by AWS's API: "+p.writing.String(), p.write,
	)
}

// but says of how many it is not known that they are in step.
func (w Written) but() string {
	var parts []string
	if n := len(w.Failures); n > 0 {
		parts = append(parts, fmt.Sprintf("%d that AWS refuses", n))
	}
	if w.Unread > 0 {
		parts = append(parts, fmt.Sprintf("%d that the tenant does not let be read", w.Unread))
	}
	return strings.Join(parts, " and ")
}

const (
	writerTitle = "Users and groups at AWS"
	endTitle    = "Writing to AWS"
)

// missingNote is what a plan says of what AWS may still refuse.
const missingNote = "if AWS refuses somebody whom this plan does not name, the command stops before the identity " +
	"source changes, unless --allow-missing is given"

// write writes. That those are refused whom the plan names ends nothing. That others are ends it
// before the identity source changes, since nobody has accepted that they would be missing.
func (p *Plan) write(ctx context.Context) error {
	var written Written
	err := p.settled(ctx, func() (err error) {
		written, err = p.cfg.Writer.Write(ctx, p.scope())
		return err
	})
	if errors.Is(err, ErrWriterBusy) {
		p.writing.busy = true
		return nil
	}
	if err != nil {
		return err
	}
	others := p.writing.others(written.Failures)
	if len(others) > 0 && p.Changes && !p.cfg.AllowMissing {
		return fmt.Errorf(
			"AWS refused %d that the plan does not name, so the identity source stays as it is: %s. The first: %s. "+
				"Mend that and run this again, or add --allow-missing to go on without them", len(others),
			namesOf(others), others[0].Reason,
		)
	}
	if n := len(written.Failures); n > 0 && !written.Changes() && !p.cfg.AllowMissing {
		return fmt.Errorf("AWS refused all of %d: %s: %s", n, written.Failures[0].Name, written.Failures[0].Reason)
	}
	p.writing.Written, p.writing.done = written, true
	return nil
}

// others are the failures of whom nothing was foreseen.
func (w Written) others(failures []Failure) (out []Failure) {
	foreseen := map[string]bool{}
	for _, f := range w.Failures {
		foreseen[f.Name] = true
	}
	for _, f := range failures {
		if !foreseen[f.Name] {
			out = append(out, f)
		}
	}
	return out
}

func namesOf(failures []Failure) string {
	list := make([]string, len(failures))
	for i, f := range failures {
		list[i] = f.Name
	}
	return someOf(list)
}

// verifyWriter says what was written, and compares it with what is there.
func (p *Plan) verifyWriter(ctx context.Context, r *Result) error {
	if p.cfg.Writer == nil {
		return nil
	}
	r.Failures = p.writing.Failures
	switch {
	case p.writing.busy:
		r.Open = append(r.Open, "gatehouse sync runs elsewhere on this machine and writes to AWS")
	case p.writing.done:
		r.pass("First sync", p.writing.String())
	case p.writing.Unread == 0:
		r.pass("In step", "nothing to write")
	}
	if n := p.writing.Unread; n > 0 {
		r.Open = append(r.Open, names.Counted(
			"%d {user or group|users and groups} of the tenant cannot be read, and {stays|stay} at AWS as before: "+
				"gatehouse sync says why, and tries again", n,
		))
	}
	scope := Scope{Application: p.State.Principal.ID}
	if p.syncAll() {
		scope = Scope{}
	}
	var err error
	if r.Next, err = p.cfg.Writer.Next(scope); err != nil {
		return err
	}
	if p.cfg.Discover == nil {
		return nil
	}
	return p.verifyPeople(ctx, r, 0)
}
