package provisioning

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/scim"
)

// Foresee says what a first cycle would do with some objects at a target, and what would be refused
// and why, without a job: for a plan that is made before there is one. Nothing is changed. A target
// may be a Snapshot.
func Foresee(ctx context.Context, users, groups []Object, m Mappings, target Target) ([]Entry, Result, error) {
	var entries []Entry
	var ids atomic.Int64
	e := Engine{
		Source:   listed{users, groups},
		Target:   target,
		Memory:   NewVolatile(),
		Mappings: m,
		Now:      time.Now,
		NewID:    func() string { return "foreseen-" + strconv.FormatInt(ids.Add(1), 10) },
		Workers:  1, // entries come one after the other
		DryRun:   true,
		OnEntry:  func(e Entry) { entries = append(entries, e) },
	}
	result, err := e.Run(ctx)
	return entries, result, err
}

// listed is a source that is all in memory.
type listed struct{ users, groups []Object }

func (l listed) Changes(context.Context, string, []Ref) (Changes, error) {
	return Changes{Users: l.users, Groups: l.groups, Watermark: "1"}, nil
}

func (l listed) Object(_ context.Context, ref Ref) (Object, error) {
	list := l.users
	if ref.Kind == Group {
		list = l.groups
	}
	for _, o := range list {
		if o.Ref == ref {
			return o, nil
		}
	}
	return Object{Ref: ref, Gone: true}, nil
}

// Snapshot is what a target had at some time, as SCIM resources: a target for Foresee. Groups may
// have their members.
type Snapshot struct {
	Name          string // for people
	Users, Groups []scim.Resource
	Refuses       Rules
}

var errSnapshot = errors.New("a snapshot cannot be changed")

// Address implements Target.
func (s *Snapshot) Address() string { return s.Name }

// Traits implements Target.
func (s *Snapshot) Traits() Traits { return Traits{} }

// Rules implements Target.
func (s *Snapshot) Rules(context.Context) (Rules, error) { return s.Refuses, nil }

func (s *Snapshot) of(kind Kind) []scim.Resource {
	if kind == User {
		return s.Users
	}
	return s.Groups
}

// Find implements Target.
func (s *Snapshot) Find(_ context.Context, kind Kind, attribute, value string) (found []scim.Resource, _ error) {
	for _, r := range s.of(kind) {
		if key(attribute, uniqueValue(r, attribute)) == key(attribute, value) {
			found = append(found, r)
		}
	}
	return found, nil
}

// Page implements Target.
func (s *Snapshot) Page(_ context.Context, kind Kind, _ string) (Page, error) {
	return Page{Resources: s.of(kind), Total: len(s.of(kind))}, nil
}

// Get implements Target.
func (s *Snapshot) Get(_ context.Context, kind Kind, id string) (scim.Resource, error) {
	for _, r := range s.of(kind) {
		if r.String("id") == id {
			return r, nil
		}
	}
	return nil, missing(id)
}

// Members implements Target.
func (s *Snapshot) Members(ctx context.Context, group string) (ids []string, told bool, err error) {
	r, err := s.Get(ctx, Group, group)
	for _, m := range r.List(membersPath) {
		ids = append(ids, text(m))
	}
	return ids, true, err
}

// HasMember implements Target.
func (s *Snapshot) HasMember(context.Context, string, string) (bool, error) { return false, nil }

// Create implements Target.
func (s *Snapshot) Create(context.Context, Kind, map[string]string) (string, error) {
	return "", errSnapshot
}

// Update implements Target.
func (s *Snapshot) Update(context.Context, Kind, string, []Change, map[string]string) error {
	return errSnapshot
}

// Delete implements Target.
func (s *Snapshot) Delete(context.Context, Kind, string) error { return errSnapshot }

// ChangeMembers implements Target.
func (s *Snapshot) ChangeMembers(context.Context, string, bool, []string) error { return errSnapshot }
