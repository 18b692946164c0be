package dirsync

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// noteDoubt is the name of the note since when the source, or something of it, could not be read.
const noteDoubt = "sync/doubt"

// inStep is whether the target is known to have what the source has: what the state says, unless
// the source was not read, or not all of it. A cycle that was told to end has not read it either,
// and nobody knows why: it raises no doubt, and ends none.
func (s *Synchronizer) inStep(ctx context.Context, unread error, ended bool) (tenant.InStep, error) {
	now, err := s.config.State.InStep(ctx, s.job.ID)
	if err != nil {
		return now, err
	}
	unknown := len(s.leftOut)+len(s.absent) > 0 || s.ended
	since, err := s.doubtSince(ctx, (unread != nil && !ended) || unknown, unread == nil)
	if since.IsZero() || err != nil {
		return now, err
	}
	if now.Equal || since.Before(now.Since) {
		now.Since = since
	}
	now.Equal = false
	return now, nil
}

// doubtSince notes whether there is a doubt about the source, and returns since when; zero: there
// is none. Only who has read it ends one.
func (s *Synchronizer) doubtSince(ctx context.Context, doubted, read bool) (since time.Time, err error) {
	text, err := s.config.State.Note(ctx, noteDoubt)
	if err != nil || (text == "" && !doubted) {
		return time.Time{}, err
	}
	if !doubted && read {
		return time.Time{}, s.config.State.SetNote(ctx, tenant.Note{Name: noteDoubt})
	}
	now := s.config.State.Now().UTC()
	if since, err = time.Parse(time.RFC3339Nano, text); err == nil && !since.After(now) {
		return since, nil
	}
	return now, s.config.State.SetNote(ctx, tenant.Note{Name: noteDoubt, Text: now.Format(time.RFC3339Nano)})
}

// heardOf says whether somebody is told of what a cycle does: not of one that is only tried before,
// whose report has all.
func (s *Synchronizer) heardOf(e *provisioning.Engine) bool { return e.DryRun == s.config.DryRun }

// tellLeftOut says once of each object that cannot be read.
func (s *Synchronizer) tellLeftOut(ctx context.Context, e *provisioning.Engine) error {
	out := map[tenant.Mark]bool{}
	for _, x := range s.leftOut {
		if out[x.Mark] = true; s.toldOut[x.Mark] {
			continue
		}
		name, err := s.nameOf(ctx, x.Mark)
		if err != nil {
			return err
		}
		tellSkipped(e, x.Mark, name, "SourceUnreadable",
			"the source does not let it be read, and it stays as it was known; it is tried again: "+x.Why)
	}
	if s.heardOf(e) {
		s.toldOut = out
	}
	return nil
}

// nameOf is what an object is called here that cannot be read there.
func (s *Synchronizer) nameOf(ctx context.Context, mark tenant.Mark) (string, error) {
	name := string(mark.ID)
	var err error
	if mark.Kind == tenant.KindGroup {
		var g tenant.Group
		if g, err = s.config.State.Group(ctx, tenant.GroupID(name)); err == nil {
			name = g.DisplayName
		}
	} else {
		var u tenant.User
		if u, err = s.config.State.User(ctx, tenant.UserID(name)); err == nil {
			name = u.UserPrincipalName
		}
	}
	if refusal.KindOf(err) == refusal.NotFound {
		err = nil
	}
	return name, err
}

// tellMissing says once which groups are followed no more, since they were deleted.
func (s *Synchronizer) tellMissing(e *provisioning.Engine) {
	maps.DeleteFunc(s.told, func(name string, _ bool) bool { return s.missing[name] == "" })
	for _, name := range slices.Sorted(maps.Keys(s.missing)) {
		if s.told[name] {
			continue
		}
		if s.heardOf(e) {
			s.told[name] = true
		}
		mark := tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(s.missing[name])}
		tellSkipped(e, mark, name, "FollowedGroupGone",
			"it was deleted at the source, and nobody is in scope by it any more; take it out of --group")
	}
}

// tellSkipped says of an object that it is not provisioned, and why.
func tellSkipped(e *provisioning.Engine, mark tenant.Mark, name, code, reason string) {
	e.OnEntry(provisioning.Entry{
		Time:    e.Now(),
		Ref:     provisioning.Ref{Kind: provisioning.Kind(mark.Kind), ID: string(mark.ID)},
		Name:    name,
		Action:  provisioning.Other,
		Outcome: provisioning.Skipped,
		Code:    code,
		Reason:  reason,
	})
}
