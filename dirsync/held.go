package dirsync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// endedError means that the application whose people are provisioned is not there any more. In
// Entra ID the provisioning job goes with it: nobody is removed, and nobody is added.
type endedError struct{ error }

// Unwrap returns what the source has said.
func (e *endedError) Unwrap() error { return e.error }

// end says whether an application that nobody is known to be assigned to is gone: it was there, and
// the source says that it is not. One that never was is a mistake in the configuration.
func (s *Synchronizer) end(ctx context.Context, unread error) error {
	known, err := s.knownScope(ctx)
	if err != nil {
		return err
	}
	if known.Remote != s.remote || !graph.NoResource(s.exists(ctx, applications, s.remote)) {
		return cmp.Or(ctx.Err(), unread)
	}
	return &endedError{fmt.Errorf("the application %q was deleted at the source: %w", s.config.Application, unread)}
}

// holds are the assignments here of those who are held: the source has lost these with them.
func (s *Synchronizer) holds(here []tenant.Assignment) (holders []tenant.Holder) {
	for _, a := range here {
		if s.absent[tenant.Mark{Kind: a.PrincipalKind, ID: a.PrincipalID}] {
			holders = append(holders, tenant.Holder{Principal: a.PrincipalID, Role: a.RoleID})
		}
	}
	return holders
}

// tellAbsent says in a dry run which of those who are held the target has: they would lose access.
func (s *Synchronizer) tellAbsent(ctx context.Context, e *provisioning.Engine) error {
	if !e.DryRun {
		return nil
	}
	for _, mark := range slices.SortedFunc(maps.Keys(s.absent), func(a, b tenant.Mark) int {
		return cmp.Compare(a.ID, b.ID)
	}) {
		_, err := e.Memory.Link(ctx, provisioning.Ref{Kind: provisioning.Kind(mark.Kind), ID: string(mark.ID)})
		if errors.Is(err, provisioning.ErrUnknown) {
			continue
		}
		if err != nil {
			return err
		}
		name, err := s.nameOf(ctx, mark)
		if err != nil {
			return err
		}
		tellSkipped(e, mark, name, "SourceMissing",
			"a reading of everything left it out, with much else; it keeps what it has until --remove-missing")
	}
	return nil
}

// What somebody has to do.
const (
	toDoEnded = "the application was deleted at the source: nobody is removed or added, and whoever is disabled or " +
		"deleted there loses access. Restore it (Entra ID keeps it for 30 days), or name another one by its id, with " +
		"--application"
	toDoMissing = "%d {object|objects} of the source {is|are} missing and {keeps|keep} what {it has|they have}: a " +
		"reading of everything left out so much that it is not believed. Look whether the sync may still read " +
		"everything; if {it is|they are} gone, run it once with --remove-missing (--dry-run lists who is provisioned)"
)

// ToDo says what somebody has to do before all is provisioned.
func (r Report) ToDo() (list []string) {
	if r.Ended {
		list = append(list, toDoEnded)
	}
	if r.Missing > 0 {
		list = append(list, terminal.Counted(toDoMissing, r.Missing))
	}
	return list
}
