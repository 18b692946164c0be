package dirsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
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

// scope is whom a state is of: what was found at the source by the names in the configuration, when
// it was last read. With it, a sync goes on while the source is away, and knows a group that was
// there from one that never was.
type scope struct {
	Name   string            `json:"name"`   // of the application
	Remote string            `json:"remote"` // its service principal
	Groups map[string]string `json:"groups"` // ids by the names in the configuration
	Roles  bool              `json:"roles"`  // which app role each one has was read, too
}

// noteScope is the name of the note that has it.
const noteScope = "sync/scope"

// scope is the scope as it is in the configuration now.
func (s *Synchronizer) scope() scope {
	now := scope{s.config.Application, s.remote, map[string]string{}, s.config.Mappings.ReadsRoles()}
	for i, name := range s.config.Groups {
		now.Groups[name] = string(s.groups[i])
	}
	return now
}

func (a scope) equal(b scope) bool {
	return a.Name == b.Name && a.Remote == b.Remote && maps.Equal(a.Groups, b.Groups) && a.Roles == b.Roles
}

// knownScope is the scope that was last read. One that cannot be read is none.
func (s *Synchronizer) knownScope(ctx context.Context) (known scope, err error) {
	text, err := s.config.State.Note(ctx, noteScope)
	if err != nil || json.Unmarshal([]byte(text), &known) != nil {
		return scope{}, err
	}
	return known, nil
}

// rests says whether what is in the state can be brought to the target although the source could
// not be read.
func (s *Synchronizer) rests(ctx context.Context, unread error) (bool, error) {
	if errors.As(unread, new(*unclearError)) || ctx.Err() != nil {
		return false, nil
	}
	return s.sound(ctx)
}

// sound says whether what is in the state will do without the source: it is whole, with who is in
// scope, and of the scope that the configuration has. A target of which nothing is known is
// compared first, and that is done with the source: what is sent before is not told from what was
// there.
func (s *Synchronizer) sound(ctx context.Context) (bool, error) {
	whole, e1 := s.mirror.Whole(ctx)
	known, e2 := s.knownScope(ctx)
	job, e3 := s.config.State.Job(ctx, s.job.ServicePrincipalID, s.job.ID)
	return whole && known.equal(s.scope()) && !job.Unasked, errors.Join(e1, e2, e3)
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

// pull brings the mirror up to date. If it hurries, it ends when the source says nothing for a
// while and an object is to be tried again at the target.
func (s *Synchronizer) pull(ctx context.Context, hurries bool) (mirror.Pulled, error) {
	reading, end := context.WithCancelCause(ctx)
	defer end(nil)
	if hurries {
		go s.hurry(reading, end)
	}
	s.news.Add(1)
	pulled, err := s.mirror.Pull(reading)
	if s.config.OnRead != nil {
		s.config.OnRead(pulled.Objects, true)
	}
	if err == nil {
		err = s.assign(reading)
	}
	if err != nil {
		if cause := context.Cause(reading); errors.Is(cause, errSlow) {
			err = errors.Join(cause, err)
		}
		return pulled, fmt.Errorf("read %s: %w", s.config.Source.BaseURL, err)
	}
	return pulled, nil
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

// waits says whether something is to be tried again at the target, and can be without the source.
func (s *Synchronizer) waits(ctx context.Context) (bool, error) {
	e, err := s.engine(syncjobs.RetryDue)
	if err != nil {
		return false, err
	}
	sound, e1 := s.sound(ctx)
	failing, e2 := e.Memory.Failed(ctx)
	due := func(f provisioning.Failing) bool { return !f.RetryAt.After(s.config.State.Now()) }
	return sound && slices.ContainsFunc(failing, due), errors.Join(e1, e2)
}

// assign gives the job whom the application at the source has, and the groups that are followed.
// That, and that the directory is whole with it, is kept at once: if the process dies, what is here
// is that of before, or is not whole.
func (s *Synchronizer) assign(ctx context.Context) error {
	groups, err := s.followed(ctx)
	if err != nil {
		return err
	}
	var holders []tenant.Holder
	var roles []tenant.Role
	now := s.scope()
	if s.remote != "" {
		if holders, roles, err = s.mirror.Assignments(ctx, s.remote, now.Roles); err != nil {
			return err
		}
	}
	for _, id := range groups {
		holders = append(holders, tenant.Holder{Principal: tenant.PrincipalID(id)})
	}
	text, _ := json.Marshal(now) // plain fields always encode
	note := tenant.Note{Name: noteScope, Text: string(text)}
	whole, err := s.mirror.WholeNote(ctx)
	if err != nil {
		return err
	}
	if s.remote == "" && len(s.groups) == 0 { // everybody is in scope, whoever is assigned
		if err := s.config.State.SetNote(ctx, note); err != nil {
			return err
		}
		return s.config.State.SetNote(ctx, whole)
	}
	return s.config.State.SetAssigned(
		ctx, audit.SystemActor, s.job.ServicePrincipalID, holders, roles, note, whole,
	)
}

// followed are the groups that are followed, apart from those that were deleted at the source:
// their members have lost what they had by them. What was never there is a mistake in the
// configuration, and what cannot be read is not gone.
func (s *Synchronizer) followed(ctx context.Context) (there []tenant.GroupID, err error) {
	known, err := s.knownScope(ctx)
	if err != nil {
		return nil, err
	}
	missing := map[string]tenant.GroupID{}
	for i, id := range s.groups {
		name := s.config.Groups[i]
		_, err := s.config.State.Group(ctx, id)
		switch {
		case err == nil:
			there = append(there, id)
			continue
		case refusal.KindOf(err) != refusal.NotFound || known.Groups[name] != string(id):
			return nil, &unclearError{fmt.Errorf("the group %q: %w", name, err)}
		}
		err = s.config.Source.Do(ctx, "GET", "/groups/"+url.PathEscape(string(id))+"?$select=id", nil, nil)
		var refused *graph.Error
		switch {
		case err == nil:
			err = errors.New("it is there, and was not among the groups that were read")
			return nil, &unclearError{fmt.Errorf("the group %q: %w", name, err)}
		case !errors.As(err, &refused) || refused.Code != "Request_ResourceNotFound":
			return nil, &unclearError{fmt.Errorf("look for the group %q: %w", name, err)}
		}
		missing[name] = id
	}
	s.missing = missing
	return there, nil
}

// tellMissing says once which groups are followed no more, since they were deleted.
func (s *Synchronizer) tellMissing(e *provisioning.Engine) {
	maps.DeleteFunc(s.told, func(name string, _ bool) bool { return s.missing[name] == "" })
	for _, name := range slices.Sorted(maps.Keys(s.missing)) {
		if s.told[name] {
			continue
		}
		s.told[name] = true
		e.OnEntry(provisioning.Entry{
			Time:    e.Now(),
			Ref:     provisioning.Ref{Kind: provisioning.Group, ID: string(s.missing[name])},
			Name:    name,
			Action:  provisioning.Other,
			Outcome: provisioning.Skipped,
			Code:    "FollowedGroupGone",
			Reason:  "it was deleted at the source, and nobody is in scope by it any more; take it out of --group",
		})
	}
}
