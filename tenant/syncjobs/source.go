package syncjobs

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// source is the tenant as a directory for the engine.
type source struct {
	tenant *tenant.Tenant
	job    tenant.Job
	domain string // the default one
}

// markOf is what the tenant calls an object of the engine.
func markOf(ref provisioning.Ref) tenant.Mark {
	return tenant.Mark{Kind: tenant.ObjectKind(ref.Kind), ID: tenant.PrincipalID(ref.ID)}
}

// refOf is what the engine calls the object of a link.
func refOf(l tenant.Link) provisioning.Ref {
	return provisioning.Ref{Kind: provisioning.Kind(l.Kind), ID: string(l.SourceID)}
}

// texts are ids as the engine has them.
func texts(ids []tenant.UserID) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return list
}

// Changes implements provisioning.Source.
func (s source) Changes(ctx context.Context, watermark string, also []provisioning.Ref) (provisioning.Changes, error) {
	marks := make([]tenant.Mark, len(also))
	for i, ref := range also {
		marks[i] = markOf(ref)
	}
	scope, err := s.tenant.ScopeSince(ctx, s.job, watermark, marks)
	if err != nil {
		return provisioning.Changes{}, err
	}
	out := provisioning.Changes{Watermark: scope.Watermark}
	for _, u := range scope.Users {
		out.Users = append(out.Users, s.userObject(u))
	}
	for _, g := range scope.Groups {
		out.Groups = append(out.Groups, s.groupObject(g))
	}
	return out, nil
}

// Object implements provisioning.Source.
func (s source) Object(ctx context.Context, ref provisioning.Ref) (provisioning.Object, error) {
	scope, err := s.tenant.ScopedObject(ctx, s.job, markOf(ref))
	switch {
	case err != nil:
		return provisioning.Object{}, err
	case ref.Kind == provisioning.Group:
		return s.groupObject(scope.Groups[0]), nil
	}
	return s.userObject(scope.Users[0]), nil
}

func (s source) userObject(u tenant.ScopedUser) provisioning.Object {
	return provisioning.Object{
		Ref:        provisioning.Ref{Kind: provisioning.User, ID: string(u.ID)},
		Name:       u.User.UserPrincipalName,
		Gone:       u.Gone,
		Deleted:    u.Deleted,
		Assigned:   u.InScope,
		Active:     u.User.Enabled && !u.Deleted,
		Attributes: s.withDomain(u.Attribute),
		Manager:    string(u.User.ManagerID),
		Trace:      u.Trace,
	}
}

// withDomain are attributes of an object, and the directory's default domain.
func (s source) withDomain(of mapping.Attributes) mapping.Attributes {
	return func(name string) mapping.Value {
		if name == mapping.DefaultDomain && s.domain != "" {
			return mapping.One(s.domain)
		}
		return of(name)
	}
}

func (s source) groupObject(g tenant.ScopedGroup) provisioning.Object {
	return provisioning.Object{
		Ref:        provisioning.Ref{Kind: provisioning.Group, ID: string(g.ID)},
		Name:       g.Group.DisplayName,
		Gone:       g.Gone,
		Assigned:   g.InScope,
		Active:     true,
		Attributes: s.withDomain(g.Group.Attribute),
		Members:    texts(g.Members),
		Trace:      g.Trace,
	}
}

// memory is the tenant's store as the engine's memory of one job.
type memory struct {
	tenant     *tenant.Tenant
	holding    tenant.Holding
	job        tenant.JobID
	evaluation int // of the job when the cycle began
	began      time.Time
	retry      Retry
	elsewhere  bool // the links are of another target, and count for nothing
}

// update writes, unless another node works on the job by now.
func (m memory) update(ctx context.Context, fn func(tenant.Tx) error) error {
	return m.tenant.Store.Update(ctx, func(tx tenant.Tx) error {
		if err := m.holding.Check(tx); err != nil {
			return err
		}
		return fn(tx)
	})
}

func (m memory) Watermark(ctx context.Context) (watermark string, err error) {
	err = m.tenant.Store.View(ctx, func(r tenant.Reader) error {
		j, err := r.Job(m.job)
		watermark = j.Watermark
		return err
	})
	return watermark, err
}

func (m memory) SetWatermark(ctx context.Context, watermark string, compared bool) error {
	return m.update(ctx, func(tx tenant.Tx) error {
		j, err := tx.Job(m.job)
		if errors.Is(err, refusal.ErrNoRow) { // deleted while it ran
			return nil
		}
		if err != nil || j.Evaluation != m.evaluation { // what was asked for meanwhile has not been done by this cycle
			return err
		}
		if m.tenant.Now().Sub(m.began) > tenant.DeltaLife { // the journal may not go back so far
			watermark = ""
		}
		if j.Watermark = watermark; compared {
			j.Compare, j.Unasked = false, false
			j.Restored = false
			j.Unlisted, j.Uncompared = 0, 0
			j.ComparedAt = m.tenant.Now().UTC()
		}
		return tx.PutJob(j)
	})
}

func (m memory) Link(ctx context.Context, ref provisioning.Ref) (link provisioning.Link, err error) {
	if m.elsewhere {
		return link, provisioning.ErrUnknown
	}
	err = m.tenant.Store.View(ctx, func(r tenant.Reader) error {
		l, err := r.Link(m.job, tenant.ObjectKind(ref.Kind), tenant.PrincipalID(ref.ID))
		if errors.Is(err, refusal.ErrNoRow) {
			return provisioning.ErrUnknown
		}
		link = remembered(l)
		return err
	})
	return link, err
}

// Owner implements provisioning.Memory.
func (m memory) Owner(ctx context.Context, kind provisioning.Kind, targetID string) (ref provisioning.Ref, err error) {
	if m.elsewhere {
		return ref, provisioning.ErrUnknown
	}
	err = m.tenant.Store.View(ctx, func(r tenant.Reader) error {
		l, err := r.LinkTo(m.job, tenant.ObjectKind(kind), targetID)
		if errors.Is(err, refusal.ErrNoRow) {
			return provisioning.ErrUnknown
		}
		ref = provisioning.Ref{Kind: kind, ID: string(l.SourceID)}
		return err
	})
	return ref, err
}

// Reports implements provisioning.Memory.
func (m memory) Reports(ctx context.Context, manager string) (list []provisioning.Link, err error) {
	err = m.tenant.Store.View(ctx, func(r tenant.Reader) error {
		list = nil
		links, err := r.LinksOfReports(m.job, tenant.UserID(manager))
		for _, l := range links {
			list = append(list, remembered(l))
		}
		return err
	})
	return list, err
}

func remembered(l tenant.Link) provisioning.Link {
	return provisioning.Link{
		Ref:      refOf(l),
		Doubt:    (*provisioning.Doubt)(l.Doubt),
		Since:    l.Since,
		Batch:    l.Batch,
		TargetID: l.TargetID,
		Adopted:  l.Adopted,
		Sent:     l.Sent,
		Manager:  string(l.Manager),
		Members:  l.Members,
		Held:     l.Held,
		HeldOff:  l.HeldOff,
		Former:   l.Former,
		Failure:  l.Failure,
		Tries:    l.Tries,
		RetryAt:  l.RetryAt,
		Asked:    l.Asked,
		Wants:    l.Wants,
		Left:     l.Left,
		Counted:  l.Counted,
		Staged:   l.Staged,
	}
}

func (m memory) Keep(ctx context.Context, l provisioning.Link, entries ...provisioning.Entry) error {
	return m.update(ctx, func(tx tenant.Tx) error {
		return errors.Join(
			m.log(tx, entries),
			tx.PutLink(tenant.Link{
				JobID:    m.job,
				Kind:     tenant.ObjectKind(l.Kind),
				SourceID: tenant.PrincipalID(l.ID),
				TargetID: l.TargetID,
				Adopted:  l.Adopted,
				Sent:     l.Sent,
				Manager:  tenant.UserID(l.Manager),
				Members:  l.Members,
				Held:     l.Held,
				HeldOff:  l.HeldOff,
				Former:   l.Former,
				Failure:  l.Failure,
				Tries:    l.Tries,
				RetryAt:  l.RetryAt,
				Asked:    l.Asked,
				Wants:    l.Wants,
				Doubt:    (*tenant.Doubt)(l.Doubt),
				Since:    l.Since,
				Batch:    l.Batch,
				Left:     l.Left,
				Counted:  l.Counted,
				Staged:   l.Staged,
			}),
		)
	})
}

func (m memory) Forget(ctx context.Context, ref provisioning.Ref, entries ...provisioning.Entry) error {
	return m.update(ctx, func(tx tenant.Tx) error {
		return errors.Join(
			m.log(tx, entries), tx.DeleteLink(m.job, tenant.ObjectKind(ref.Kind), tenant.PrincipalID(ref.ID)),
		)
	})
}

// Begin implements provisioning.Memory.
func (m memory) Begin(ctx context.Context, b provisioning.Batch, over ...string) error {
	noted := tenant.Batch{JobID: m.job, ID: b.ID, Began: b.Began, Intents: make([]tenant.Intent, len(b.Intents))}
	for i, x := range b.Intents {
		noted.Intents[i] = tenant.Intent{
			Kind:     tenant.ObjectKind(x.Kind),
			SourceID: tenant.PrincipalID(x.ID),
			Keys:     x.Keys,
			Members:  x.Members,
		}
	}
	return m.update(ctx, func(tx tenant.Tx) error {
		return errors.Join(m.drop(tx, over), tx.PutBatch(noted))
	})
}

// End implements provisioning.Memory.
func (m memory) End(ctx context.Context, over ...string) error {
	return m.update(ctx, func(tx tenant.Tx) error { return m.drop(tx, over) })
}

func (m memory) drop(tx tenant.Tx, batches []string) (err error) {
	for _, id := range batches {
		err = errors.Join(err, tx.DeleteBatch(m.job, id))
	}
	return err
}

// Begun implements provisioning.Memory.
func (m memory) Begun(ctx context.Context) (list []provisioning.Batch, err error) {
	err = m.tenant.Store.View(ctx, func(r tenant.Reader) error {
		list = nil
		batches, err := r.Batches(m.job)
		for _, b := range batches {
			intents := make([]provisioning.Intent, len(b.Intents))
			for i, x := range b.Intents {
				intents[i] = provisioning.Intent{
					Ref:     provisioning.Ref{Kind: provisioning.Kind(x.Kind), ID: string(x.SourceID)},
					Keys:    x.Keys,
					Members: x.Members,
				}
			}
			list = append(list, provisioning.Batch{ID: b.ID, Began: b.Began, Intents: intents})
		}
		return err
	})
	return list, err
}

// Failed implements provisioning.Memory.
func (m memory) Failed(ctx context.Context) (list []provisioning.Failing, err error) {
	err = m.tenant.Store.View(ctx, func(r tenant.Reader) error {
		list = nil
		links, err := r.FailedLinks(m.job)
		now := m.tenant.Now()
		for _, l := range links {
			at, link := l.RetryAt, remembered(l)
			waits := at.Sub(now) > provisioning.LongestPause(l.Tries, l.Asked)+tenant.ClockSlack
			if graced := !l.Left.IsZero() && l.Failure == ""; link.LeftAhead(now) || waits && !graced {
				at = now // it was noted by a clock that was set back since
			}
			list = append(list, provisioning.Failing{
				Ref: link.Ref, RetryAt: at, Now: m.retry.takes(l, now), Early: link.MayBeEarly(),
				Counted: l.Counted, Wants: l.Wants,
			})
		}
		return err
	})
	return list, err
}

// Known implements provisioning.Memory.
func (m memory) Known(ctx context.Context) (refs []provisioning.Ref, err error) {
	err = m.tenant.Store.View(ctx, func(r tenant.Reader) error {
		refs = nil
		links, err := r.Links(m.job)
		for _, l := range links {
			refs = append(refs, refOf(l))
		}
		return err
	})
	return refs, err
}

// log keeps everything but what was skipped for a good reason: with all users in scope most entries
// would be skips.
func (m memory) log(tx tenant.Tx, entries []provisioning.Entry) error {
	var kept []tenant.LogEntry
	for _, e := range entries {
		if e.Outcome == provisioning.Skipped && e.Code == "" && e.Action != provisioning.StagedDelete {
			continue
		}
		changes := make([]tenant.AttributeChange, len(e.Changes))
		for i, c := range e.Changes {
			changes[i] = tenant.AttributeChange(c)
		}
		kept = append(kept, tenant.LogEntry{
			ID:       m.tenant.NewID(),
			JobID:    m.job,
			CycleID:  e.Cycle,
			Time:     e.Time.UTC(),
			Kind:     tenant.ObjectKind(e.Ref.Kind),
			SourceID: tenant.PrincipalID(e.Ref.ID),
			TargetID: e.TargetID,
			Name:     e.Name,
			Action:   string(e.Action),
			Status:   string(e.Outcome),
			Code:     e.Code,
			Reason:   e.Reason,
			Changes:  changes,
			Added:    e.Added,
			Removed:  e.Removed,
			Duration: e.Duration,
		})
	}
	return tx.AppendLog(kept)
}
