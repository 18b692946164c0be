package dirsync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/mirror"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
)

// rests says what of the state can be brought to the target although the source could not be read;
// nil is nothing of it. Where a part was read, or nobody knows who is in scope, whoever
// was disabled or deleted at the source loses access all the same. A target of which nothing is
// known is compared first, and that is done with the source: what is sent before is not told from
// what was there. Access is taken from it, though.
func (s *Synchronizer) rests(ctx context.Context, unread error) (*provisioning.Removals, error) {
	if ctx.Err() != nil {
		return nil, nil //nolint:nilnil // nothing
	}
	whole, e1 := s.mirror.Whole(ctx)
	known, e2 := s.knownScope(ctx)
	job, e3 := s.config.State.Job(ctx, s.job.ServicePrincipalID, s.job.ID)
	if err := errors.Join(e1, e2, e3); err != nil {
		return nil, err
	}
	limit := provisioning.Unlimited
	switch {
	case job.Restored && !s.heard.Load(): // what is here may be older than what the target has
		return nil, nil //nolint:nilnil // nothing
	case !whole, !known.equal(s.scope()), errors.As(unread, new(*unclearError)), errors.As(unread, new(*endedError)):
		limit = provisioning.LeaversOnly
	case job.Unasked:
		limit = provisioning.RemovalsOnly
	}
	return &limit, nil
}

// spent is what was done without the source, so that it is not done again and again.
type spent struct {
	change int64 // the last one at that time
	limit  provisioning.Removals
}

// spends is what is spent by a cycle that takes access away only, without the source; nil where it
// would do nothing, since it was done, until the next time.
func (s *Synchronizer) spends(ctx context.Context, e *provisioning.Engine) (*spent, time.Time, error) {
	last, e1 := s.config.State.LastChange(ctx)
	next, e2 := e.Next(ctx)
	now := spent{last, e.Only}
	if err := errors.Join(e1, e2); err != nil || (s.spent == now && !s.due(next)) {
		return nil, next, err
	}
	return &now, next, nil
}

// due says whether the time has come at which somebody is to be tried again; zero is none.
func (s *Synchronizer) due(next time.Time) bool {
	return !next.IsZero() && !next.After(s.config.State.Now())
}

// unclearError means that nobody knows who is in scope.
type unclearError struct{ error }

// Unwrap returns why.
func (u *unclearError) Unwrap() error { return u.error }

// errSlow ends the reading of a source that keeps others waiting.
var errSlow = errors.New("it does not answer, or asks to wait, and something is to be written meanwhile")

// How long the source may keep those waiting who are to be tried again at the target.
const (
	patience  = 15 * time.Second //bound:wait a source that says nothing, when something is due at the target
	patiently = time.Second      //bound:none how often, not how much
)

// The parts of a directory are read one after the other, and may change meanwhile: somebody who was
// made after the users were read is named by the groups, or by who is assigned. Then all is read
// again, which tells only what has changed.
const (
	maxPulls = 3                      //bound:depth how often a cycle of a sync reads its source
	again    = 250 * time.Millisecond //bound:none the first pause before it does; the next one is longer
	settles  = time.Second            //bound:wait a server of the source that is behind, before it is asked again
)

// pull brings the mirror up to date. If it hurries, it ends when the source says nothing for a
// while and an object is to be tried again at the target.
func (s *Synchronizer) pull(ctx context.Context, hurries bool) (pulled mirror.Pulled, err error) {
	reading, end := context.WithCancelCause(ctx)
	defer end(nil)
	if hurries {
		go s.hurry(reading, end)
	}
	for round, whole := 1, false; err == nil && !whole; round++ {
		var now mirror.Pulled
		s.news.Add(1)
		if now, err = s.mirror.Pull(reading); err == nil {
			s.heard.Store(true)
			s.absent = setOf(now.Missing)
		}
		pulled.Full, pulled.Objects = pulled.Full || now.Full, pulled.Objects+now.Objects
		pulled.Unknown = append(pulled.Unknown, now.Unknown...)
		if err == nil {
			whole, err = s.assign(reading, pulled.Unknown, round == maxPulls)
		}
		if err == nil {
			s.leftOut = now.LeftOut
		}
		if err == nil && !whole {
			err = pausing(reading, again<<(round-1))
		}
	}
	if s.config.OnRead != nil {
		s.config.OnRead(pulled.Objects, true)
	}
	if err != nil {
		if cause := context.Cause(reading); errors.Is(cause, errSlow) {
			err = errors.Join(cause, err)
		}
		return pulled, fmt.Errorf("read %s: %w", s.config.Source.BaseURL, err)
	}
	return pulled, nil
}

func pausing(ctx context.Context, pause time.Duration) error {
	select {
	case <-time.After(pause):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// hurry ends a pull that has brought nothing for a while, when something is due.
func (s *Synchronizer) hurry(ctx context.Context, end context.CancelCauseFunc) {
	tick := time.NewTicker(patiently)
	defer tick.Stop()
	var seen int64
	since := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := s.news.Load(); now != seen {
			seen, since = now, time.Now()
		}
		if time.Since(since) < s.patience {
			continue
		}
		if waits, err := s.waits(ctx); err == nil && waits {
			end(errSlow)
			return
		}
	}
}

// waits says whether something is to be tried again at the target, or somebody who has left is to
// lose access there, and that can be without the source.
func (s *Synchronizer) waits(ctx context.Context) (bool, error) {
	e, err := s.engine(syncjobs.RetryDue)
	if err != nil {
		return false, err
	}
	if leaving, err := e.Leaving(ctx); err != nil || leaving {
		return leaving, err
	}
	limit, err := s.rests(ctx, nil)
	if err != nil || limit == nil {
		return false, err
	}
	e.Only = *limit
	next, err := e.Next(ctx)
	return s.due(next), err
}

// assign gives the job whom the application at the source has, and the groups that are followed.
// That, and that the directory is whole with it, is kept at once: if the process dies, what is here
// is that of before, or is not whole.
//
// If somebody is named whom nobody knows here, it keeps nothing and is not done, unless this is the
// last try. Whoever is left out then is not waited for again; a group is left out only if the
// source says that it is not there.
func (s *Synchronizer) assign(ctx context.Context, named []tenant.Mark, last bool) (done bool, err error) {
	groups, err := s.followed(ctx, last)
	if errors.Is(err, errPassedOver) && !last {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var theirs mirror.Assigned
	now := s.scope()
	here, err := s.config.State.Assignments(
		ctx, tenant.AssignmentQuery{ServicePrincipalID: s.job.ServicePrincipalID},
	)
	if err == nil && s.remote != "" {
		if theirs, err = s.assigned(ctx, here); graph.NoResource(err) {
			err = s.end(ctx, err)
		}
	}
	if err != nil {
		return false, err
	}
	holders := slices.Concat(theirs.Holders, s.holds(here))
	for _, id := range groups {
		holders = append(holders, tenant.Holder{Principal: tenant.PrincipalID(id)})
	}
	for _, h := range holders {
		mark := tenant.Mark{Kind: tenant.KindUser, ID: h.Principal}
		if theirs.Groups[h.Principal] {
			mark.Kind = tenant.KindGroup
		}
		named = append(named, mark)
	}
	unknown, err := s.unknown(ctx, here, named)
	if err != nil {
		return false, err
	}
	news := func(x tenant.Mark) bool { return !s.strange[x.ID] }
	if !last && slices.ContainsFunc(unknown, news) {
		return false, nil
	}
	if s.strange, err = s.fetch(ctx, unknown, theirs.Groups); err != nil {
		return false, err
	}
	text, _ := json.Marshal(now) // plain fields always encode
	note := tenant.Note{Name: noteScope, Text: string(text)}
	whole, err := s.mirror.WholeNote(ctx)
	if err != nil {
		return false, err
	}
	if s.remote == "" && len(s.groups) == 0 { // everybody is in scope, whoever is assigned
		if err := s.config.State.SetNote(ctx, note); err != nil {
			return false, err
		}
		return true, s.config.State.SetNote(ctx, whole)
	}
	return true, s.config.State.SetAssigned(
		ctx, audit.SystemActor, s.job.ServicePrincipalID, holders, theirs.Roles, note, whole,
	)
}

// assigned reads who is assigned, and the roles of the application where these matter. Of a
// directory that several servers have, one may answer that does not know yet what another one has
// said: who is assigned and was not, or was and is not, counts when two answers agree. All else
// waits for another cycle. The second answer is asked for after a pause, since one that comes at
// once is likely to be of the same server, which may know by then.
func (s *Synchronizer) assigned(
	ctx context.Context, here []tenant.Assignment,
) (all mirror.Assigned, err error) {
	roles := s.scope().Roles
	if all, err = s.mirror.Assignments(ctx, s.remote, roles); err != nil || len(here) == 0 {
		return all, err
	}
	was, is := map[tenant.Holder]bool{}, setOf(all.Holders)
	for _, a := range here {
		h := tenant.Holder{Principal: a.PrincipalID}
		if roles {
			h.Role = a.RoleID
		}
		kept := s.absent[tenant.Mark{Kind: a.PrincipalKind, ID: a.PrincipalID}]
		if is[h] || (!kept && !slices.Contains(s.groups, tenant.GroupID(a.PrincipalID))) { // else by being followed
			was[h] = true
		}
	}
	for h := range is {
		if s.strange[h.Principal] {
			was[h] = true
		}
	}
	if maps.Equal(was, is) {
		return all, nil
	}
	if err := pausing(ctx, s.settles); err != nil {
		return all, err
	}
	second, err := s.mirror.Assignments(ctx, s.remote, roles)
	if err != nil {
		return all, err
	}
	still := setOf(second.Holders)
	maps.Copy(second.Groups, all.Groups)
	second.Holders = nil
	for h := range union(was, is, still) {
		if (is[h] && still[h]) || (was[h] && (is[h] || still[h])) {
			second.Holders = append(second.Holders, h)
		}
	}
	return second, nil
}

func setOf[T comparable](list []T) map[T]bool {
	set := map[T]bool{}
	for _, x := range list {
		set[x] = true
	}
	return set
}

func union(sets ...map[tenant.Holder]bool) map[tenant.Holder]bool {
	all := map[tenant.Holder]bool{}
	for _, set := range sets {
		maps.Copy(all, set)
	}
	return all
}

// unknown are those of some people and groups who are not in the directory here. Whoever is
// assigned in it is.
func (s *Synchronizer) unknown(
	ctx context.Context, here []tenant.Assignment, named []tenant.Mark,
) (unknown []tenant.Mark, err error) {
	looked := map[tenant.PrincipalID]bool{}
	for _, a := range here {
		looked[a.PrincipalID] = true
	}
	for _, x := range named {
		if looked[x.ID] {
			continue
		}
		looked[x.ID] = true
		known, err := s.mirror.Known(ctx, x.ID)
		if err != nil {
			return nil, err
		}
		if !known {
			unknown = append(unknown, x)
		}
	}
	return unknown, nil
}

// maxFetched bounds who is read by themselves, since they are named and come with no delta.
const maxFetched = 1000 //bound:list people and groups who are named and unknown, and are read alone

// fetch reads those by themselves who are named and have come with no delta: a reading of
// everything may have left them out, and no delta tells of them then before something of them
// changes. It returns who was asked for, now or before, and is not there either: who was not yet is
// asked for in the next cycle. A group that is assigned, is there and cannot be read leaves it
// unclear who is in scope.
func (s *Synchronizer) fetch(
	ctx context.Context, unknown []tenant.Mark, assigned map[tenant.PrincipalID]bool,
) (strange map[tenant.PrincipalID]bool, err error) {
	strange = map[tenant.PrincipalID]bool{}
	fetched := 0
	for len(unknown) > 0 {
		x := unknown[0]
		unknown = unknown[1:]
		asked := s.strange[x.ID]
		if !asked && fetched < maxFetched {
			fetched++
			asked = true
			here, err := s.mirror.Fetch(ctx, x)
			if err != nil {
				return nil, err
			}
			if here {
				within, err := s.unknownIn(ctx, x)
				if err != nil {
					return nil, err
				}
				unknown = append(unknown, within...)
				continue
			}
		}
		if asked {
			strange[x.ID] = true
		}
		if !assigned[x.ID] {
			continue
		}
		if err := s.gone(ctx, x.ID, string(x.ID)); err != nil {
			return nil, err
		}
	}
	return strange, nil
}

// errPassedOver says that a group that matters came with no delta.
var errPassedOver = errors.New("it is there, and was not among the groups that were read")

// unknownIn are the members of a group who are not here.
func (s *Synchronizer) unknownIn(ctx context.Context, group tenant.Mark) ([]tenant.Mark, error) {
	if group.Kind != tenant.KindGroup {
		return nil, nil
	}
	members, err := s.config.State.Members(ctx, tenant.GroupID(group.ID))
	if err != nil {
		return nil, err
	}
	named := make([]tenant.Mark, len(members))
	for i, x := range members {
		named[i] = tenant.Mark{Kind: x.Kind, ID: x.MemberID}
	}
	return s.unknown(ctx, nil, named)
}

// followed are the groups that are followed, apart from those that were deleted at the source:
// their members have lost what they had by them. What was never there is a mistake in the
// configuration, and what cannot be read is not gone.
func (s *Synchronizer) followed(ctx context.Context, last bool) (there []tenant.GroupID, err error) {
	known, err := s.knownScope(ctx)
	if err != nil {
		return nil, err
	}
	missing := map[string]tenant.GroupID{}
	for i, id := range s.groups {
		name := s.config.Groups[i]
		_, unknown := s.config.State.Group(ctx, id)
		if unknown == nil {
			there = append(there, id)
			continue
		}
		err := s.gone(ctx, tenant.PrincipalID(id), name)
		switch {
		case refusal.KindOf(unknown) != refusal.NotFound || (err == nil && known.Groups[name] != string(id)):
			return nil, &unclearError{fmt.Errorf("the group %q: %w", name, unknown)}
		case err == nil:
			missing[name] = id
		case errors.Is(err, errPassedOver) && last:
			x := tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(id)}
			gone, unread := s.fetch(ctx, []tenant.Mark{x}, map[tenant.PrincipalID]bool{x.ID: true})
			if unread != nil || gone[x.ID] { // or it has gone meanwhile, and the next cycle says so
				return nil, cmp.Or(unread, err)
			}
			there = append(there, id)
		default:
			return nil, err
		}
	}
	s.missing = missing
	return there, nil
}

// gone says that a group that has not come is not there, by what one server of the source answers:
// one that is behind may not know it yet. It fails with an unclearError if it is there, or if that
// cannot be read.
func (s *Synchronizer) gone(ctx context.Context, id tenant.PrincipalID, name string) error {
	err := s.exists(ctx, groups, string(id))
	s.news.Add(1)
	switch {
	case err == nil:
		return &unclearError{fmt.Errorf("the group %q: %w", name, errPassedOver)}
	case !graph.NoResource(err):
		return &unclearError{fmt.Errorf("look for the group %q: %w", name, err)}
	}
	return nil
}
