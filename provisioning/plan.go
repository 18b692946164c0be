package provisioning

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

const (
	managerPath = scim.EnterpriseURN + ":manager"
	membersPath = "members"
	activePath  = "active"
	externalID  = "externalId"
)

// candidate is an object with what its mapping makes of it.
type candidate struct {
	Object
	mapping  *mapping.Compiled
	inScope  bool              // assigned, and a scoping filter is met
	unmet    string            // the clause of a filter that is not
	wanted   map[string]string // SCIM path → value, for an object that is in scope and active
	creating map[string]string // the same with the defaults of a creation
	disabled string            // what active is for anybody else; empty: it is not mapped
	failure  error             // of an expression
	unjudged bool              // a scoping filter has failed, so that nobody knows whether the object is in scope
	off      bool              // whoever is disabled at the target is not enabled
	away     bool              // whoever is not at the target is not made anew
}

// of is the object as the source has it.
func (o candidate) of() Object { return o.Object }

// leaves says that an object is to have no access.
func (o candidate) leaves() bool { return (o.Gone || !o.inScope || !o.Active) && !o.unjudged }

// evaluate applies the mappings. Objects of a kind that is not mapped are left out. The error means
// that the cycle was told to stop: what an expression does is in its candidate.
func (c *cycle) evaluate(ctx context.Context, objects []Object) ([]candidate, error) {
	list := make([]candidate, 0, len(objects))
	for _, o := range objects {
		if m := c.Mappings.of(o.Kind); m != nil {
			list = append(list, evaluate(ctx, o, m))
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func evaluate(ctx context.Context, o Object, m *mapping.Compiled) candidate {
	x := candidate{Object: o, mapping: m}
	if o.Kind == User {
		// As if it were disabled already: what active would then be is sent when it leaves the
		// scope, where the rest of its mapping is not evaluated.
		x.disabled, x.failure = m.Value(ctx, activePath, x.attributes("True"))
	}
	if o.Gone || o.Deleted || !o.Assigned {
		return x
	}
	var err error
	if x.inScope, x.unmet, err = m.InScope(ctx, x.attributes("False")); err != nil {
		x.unjudged, x.failure = true, err
	}
	if !x.inScope {
		return x
	}
	x.wanted, x.creating, err = m.Map(ctx, x.attributes("False"))
	if o.Active || err != nil { // else what disables it counts
		x.failure = err
	}
	return x
}

// attributes are those of the directory, and whether the object is one that is to be disabled:
// unassigned, not in a filter, deleted or disabled.
func (o candidate) attributes(softDeleted string) mapping.Attributes {
	return func(name string) mapping.Value {
		if name == "IsSoftDeleted" {
			return mapping.One(softDeleted)
		}
		if o.Attributes == nil {
			return nil
		}
		return o.Attributes(name)
	}
}

// key is the first matching attribute that an object has a value of; all are tried.
func (o candidate) keys() (keys []string) {
	for _, path := range o.mapping.Matching() {
		if o.creating[path] != "" {
			keys = append(keys, path)
		}
	}
	return keys
}

// redundant is Entra's word for what the target has already.
const redundant = "RedundantExport"

// step is what to do with one object: the plan, made before anything is sent.
type step struct {
	action  Action
	changes []Change
	sent    map[string]string // what the target has afterwards
	code    string            // Entra's, of what is skipped and should not be
	reason  string            // why nothing is done
	unfit   *unfit            // why it cannot be done
}

// unfit means that an object cannot be provisioned as the source has it; nothing is sent. Source of
// the codes: provisioning logs page.
type unfit struct{ code, reason string }

func (u *unfit) Error() string { return u.reason }

// plan compares what is wanted with what was last sent.
func (c *cycle) plan(o candidate, link Link) step {
	linked := link.TargetID != ""
	flows := o.mapping.Flows
	switch {
	// First: a filter that fails must not have anybody disabled or deleted.
	case o.unjudged:
		return o.unmapped()
	case !linked && (o.Gone || !o.inScope):
		return step{action: Other, reason: o.whyOut()}
	case !linked && !o.Active:
		return step{action: Other, reason: "NotEffectivelyEntitled: disabled users are not created"}
	case o.Deleted && c.SkipDeleted:
		return step{action: Other, reason: "deleted users are skipped until they are deleted for good"}
	case !o.Gone && !o.inScope && !o.Deleted && c.SkipOutOfScope:
		return step{action: Other, reason: "out of scope, and SkipOutOfScopeDeletions is set"}
	case c.deaf(o.Kind) && (o.Gone || !o.inScope || !o.Active):
		return c.planLeaving(link)
	case o.Deleted:
		return c.planSoftDeletion(o, link, flows)
	// A group has nothing like active, so one that leaves the scope can only be deleted. Users are
	// deleted when the source has deleted them, and disabled before. Source: "How provisioning
	// works", deprovisioning.
	case o.Gone, !o.inScope && o.Kind == Group:
		return c.planDeletion(o, link, flows)
	case !o.inScope || !o.Active:
		return planDisabling(o, link, flows)
	case o.failure != nil:
		return o.unmapped()
	case len(o.keys()) == 0:
		return step{
			action: Other,
			unfit: &unfit{
				"ImportSkipped",
				"no value of the matching attribute " + strings.Join(o.mapping.Matching(), ", "),
			},
		}
	}
	if missing := o.mapping.Missing(o.creating); len(missing) > 0 {
		return step{
			action: Other,
			unfit: &unfit{
				"MissingValues",
				"the target requires " + strings.Join(missing, ", ") + ", but the source has no value for it",
			},
		}
	}
	if !linked && flows&mapping.Add == 0 {
		return step{action: Other, reason: "creations are turned off in the mapping"}
	}
	if !linked {
		return step{action: Create, sent: o.creating, changes: difference(nil, o.creating)}
	}
	wanted := o.toBe(link.Sent)
	changes := difference(link.Sent, wanted)
	if !link.Left.IsZero() {
		changes = append(changes, Change{activePath, "False", "True"})
	}
	switch {
	case len(changes) == 0:
		return step{action: Other, reason: redundant}
	case flows&mapping.Update == 0:
		return step{action: Other, reason: "updates are turned off in the mapping"}
	}
	return step{action: Update, changes: changes, sent: wanted}
}

// unmapped is what is done with an object that its mapping fails for: nothing, and that is said.
func (o candidate) unmapped() step {
	return step{action: Other, unfit: &unfit{"AttributeMappingError", o.failure.Error()}}
}

func (o candidate) whyOut() string {
	switch {
	case o.Gone:
		return "NotEffectivelyEntitled: it no longer exists"
	case o.Deleted:
		return "NotEffectivelyEntitled: it was deleted"
	case !o.Assigned:
		return "NotEffectivelyEntitled: not assigned"
	}
	return "EntrySynchronizationSkipped: a scoping filter is not met: " + o.unmet
}

func (c *cycle) planDeletion(o candidate, link Link, flows mapping.Flow) step {
	switch {
	// What was there before may be needed by others: the most that is done is to disable it.
	case c.Careful && link.Adopted && o.Kind == User:
		return planDisabling(o, link, flows)
	case c.Careful && link.Adopted:
		return step{action: Other, reason: "it existed at the target before, so it is not deleted"}
	case flows&mapping.Delete == 0:
		return step{action: Other, reason: "deletions are turned off in the mapping"}
	}
	return step{action: Delete, changes: difference(link.Sent, nil)}
}

// planSoftDeletion disables a user who was deleted and can be restored. Whoever cannot be disabled
// is deleted: a deletion ends the access at once, whatever the mapping lacks. Source: "How
// provisioning works", deprovisioning.
func (c *cycle) planSoftDeletion(o candidate, link Link, flows mapping.Flow) step {
	planned := planDisabling(o, link, flows)
	ends := planned.action == Disable || planned.reason == redundant
	if ends && strings.EqualFold(o.disabled, "false") {
		return planned
	}
	return c.planDeletion(o, link, flows)
}

// deaf says whether the target cannot be told that an object of a kind is disabled.
func (c *cycle) deaf(kind Kind) bool { return kind == User && c.Target.Traits().Deaf }

// stays says whether a user who has left is not deleted, however long ago that was.
func (c *cycle) stays(link Link) bool {
	return (c.Careful && link.Adopted) || c.Mappings.Users.Flows&mapping.Delete == 0
}

// planLeaving ends the memberships of a user at a target that cannot be told that somebody is
// disabled, and deletes the user when the grace is over. Who has left in a time to come, by a clock
// that was ahead, leaves now.
func (c *cycle) planLeaving(link Link) step {
	if link.LeftAhead(c.Now()) {
		link.Left = time.Time{}
	}
	end := link.Left.Add(c.LeaverGrace)
	over := c.LeaverGrace == 0 || (!link.Left.IsZero() && !c.Now().Before(end))
	switch {
	case over && !c.stays(link):
		return step{action: Delete, changes: difference(link.Sent, nil)}
	case !link.Left.IsZero():
		return step{action: Other, reason: redundant}
	case c.Mappings.Users.Flows&mapping.Update == 0:
		return step{action: Other, reason: "updates are turned off in the mapping"}
	}
	return step{
		action:  Disable,
		changes: []Change{{activePath, "True", "False"}},
		sent:    link.Sent,
		reason:  "all memberships end",
	}
}

func planDisabling(o candidate, link Link, flows mapping.Flow) step {
	switch {
	case o.disabled == "" && o.failure != nil && o.mapping.Maps(activePath):
		return o.unmapped()
	case o.disabled == "":
		return step{action: Other, reason: "active is not mapped, so users are not disabled"}
	case link.Sent[activePath] == o.disabled:
		return step{action: Other, reason: redundant}
	case flows&mapping.Update == 0:
		return step{action: Other, reason: "updates are turned off in the mapping"}
	}
	sent := maps.Clone(link.Sent)
	if sent == nil {
		sent = map[string]string{}
	}
	// Nothing else is sent: out of scope, the rest was not evaluated.
	sent[activePath] = o.disabled
	return step{action: Disable, changes: []Change{{activePath, link.Sent[activePath], o.disabled}}, sent: sent}
}

// toBe is what an object that was sent before must have: what is sent only once stays, as do
// defaults that nothing has replaced, and the manager, who is sent apart.
func (o candidate) toBe(sent map[string]string) map[string]string {
	wanted := maps.Clone(o.wanted)
	for path, old := range sent {
		whenNull, always := o.mapping.Keeps(path)
		if always || path == managerPath || (whenNull && wanted[path] == "") {
			wanted[path] = old
		}
		if whenNull && mapping.RolesTarget(path) && !sameRoles(old, wanted[path]) {
			wanted[path] = withRoles(old, wanted[path])
		}
	}
	// An attribute that is sent with creations only is not sent when it was mapped afterwards.
	for path := range wanted {
		if _, always := o.mapping.Keeps(path); always && sent[path] == "" {
			delete(wanted, path)
		}
	}
	return wanted
}

// difference is the changes that turn sent into wanted, in a stable order: what is set first, then
// what is removed. An attribute that has no value any more is removed, which Entra does not do.
func difference(sent, wanted map[string]string) (changes []Change) {
	for _, path := range slices.Sorted(maps.Keys(wanted)) {
		if sent[path] != wanted[path] && (!mapping.RolesTarget(path) || !sameRoles(sent[path], wanted[path])) {
			changes = append(changes, Change{path, sent[path], wanted[path]})
		}
	}
	for _, path := range slices.Sorted(maps.Keys(sent)) {
		if wanted[path] == "" && sent[path] != "" && (wanted != nil || path != managerPath) {
			changes = append(changes, Change{path, sent[path], ""})
		}
	}
	return changes
}

func (c Change) String() string { return fmt.Sprintf("%s: %q → %q", c.Path, c.Old, c.New) }
