package provisioning

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Step is one of the five steps in which one object is provisioned: connect, import, scope, match
// and act. Source: "On-demand provisioning".
type Step struct {
	Name    string
	Status  Outcome
	Reason  string
	Details []Detail
}

// Detail is a value that a step has met.
type Detail struct{ Name, Value string }

// Explanation is how one object is provisioned, step by step. A step that fails, or finds that no
// action is needed, is the last one except for act.
type Explanation struct {
	Object  Object
	Steps   []Step
	Entries []Entry // what was done, or would be

	RetryAt time.Time // when an object of the job is to be tried again; zero: none is
}

// Outcome is how it went in the end.
func (x Explanation) Outcome() Outcome {
	for _, e := range x.Entries {
		if e.Outcome == Failure {
			return Failure
		}
	}
	for _, s := range x.Steps {
		if s.Status != Success {
			return s.Status
		}
	}
	return Success
}

// Wrote says whether something at the target was changed, or would be.
func (x Explanation) Wrote() bool {
	return slices.ContainsFunc(x.Entries, func(e Entry) bool { return e.Outcome == Success })
}

func (x *Explanation) add(name string, failure error, details ...Detail) bool {
	s := Step{Name: name, Status: Success, Details: details}
	if failure != nil {
		s.Status, s.Reason = Failure, failure.Error()
	}
	x.Steps = append(x.Steps, s)
	return failure == nil
}

// One provisions one object at once, and the named members of a group with it, whatever the
// watermark is. In a dry run it only says what would be done. The error is one of the memory; what
// the source or the target refuses is in the explanation.
func (e *Engine) One(ctx context.Context, ref Ref, members ...string) (x Explanation, err error) {
	own := *e
	told := e.OnEntry
	own.OnEntry = func(entry Entry) {
		x.Entries = append(x.Entries, entry)
		if told != nil {
			told(entry)
		}
	}
	c := own.cycle(false)
	c.doubts = true // whoever asks for one object wants it as it should be, whatever was remembered
	c.pace.most = 1 // entries come one after the other
	if !x.add(
		"connect", c.test(ctx),
		Detail{"target", c.Target.Address()},
	) {
		return x, ctx.Err()
	}
	m := c.Mappings.of(ref.Kind)
	if m == nil {
		x.add("import", fmt.Errorf("%ss are not mapped", strings.ToLower(string(ref.Kind))))
		return x, nil
	}
	o, err := c.Source.Object(ctx, ref)
	if err != nil {
		x.add("import", err)
		return x, ctx.Err()
	}
	x.Object = o
	candidate := evaluate(ctx, o, m)
	if err := ctx.Err(); err != nil {
		return x, err
	}
	x.add("import", candidate.failure, candidate.imported()...)
	link, err := c.Memory.Link(ctx, ref)
	known := err == nil
	if err != nil && err != ErrUnknown { //nolint:errorlint // this very value is promised
		return x, err
	}
	x.Steps = append(x.Steps, candidate.scoped())
	if !c.explainMatch(ctx, &x, candidate, link, known) {
		return x, ctx.Err()
	}
	for _, id := range members {
		if err := c.oneMember(ctx, id); err != nil {
			return x, err
		}
	}
	err = errors.Join(c.act(ctx, candidate, members), c.broughtAlong(ctx, link), c.end(ctx))
	x.Steps = append(x.Steps, acted(x.Entries, ref))
	var unread error
	x.RetryAt, unread = c.earliest(ctx)
	if stops(err) != nil {
		return x, nil
	}
	return x, errors.Join(err, unread)
}

// broughtAlong has the next cycle bring the references to an object along that was made anew: its
// groups or its members, and its reports.
func (c *cycle) broughtAlong(ctx context.Context, before Link) error {
	if before.TargetID == "" {
		return nil
	}
	link, err := c.Memory.Link(ctx, before.Ref)
	if errors.Is(err, ErrUnknown) || (err == nil && (link.TargetID == "" || link.TargetID == before.TargetID)) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.missLink(ctx, link)
}

func (o candidate) imported() (details []Detail) {
	for _, name := range o.mapping.Sources() {
		if o.Attributes == nil {
			break
		}
		if v := o.Attributes(name); len(v) > 0 {
			details = append(details, Detail{name, strings.Join(v, ", ")})
		}
	}
	return details
}

// scoped is the third step. Source of the names: "On-demand provisioning", scope.
func (o candidate) scoped() Step {
	truth := func(b bool) string { return map[bool]string{true: "True", false: "False"}[b] }
	out := Step{
		Name:   "scope",
		Status: Success,
		Details: []Detail{
			{"Active in source system", truth(o.Active && !o.Gone)},
			{"Assigned to application", truth(o.Assigned)},
		},
	}
	if o.Assigned {
		filter := "True"
		if o.unmet != "" {
			filter = "False: " + o.unmet
		}
		out.Details = append(out.Details, Detail{"Scoping filter evaluation", filter})
	}
	switch {
	case !o.inScope:
		out.Status, out.Reason = Skipped, o.whyOut()
	case !o.Active:
		out.Status, out.Reason = Skipped, "the account is disabled"
	}
	return out
}

// explainMatch is the fourth step: the link, or what the target has with the matching values.
func (c *cycle) explainMatch(ctx context.Context, x *Explanation, o candidate, link Link, known bool) bool {
	if known && link.TargetID != "" {
		return x.add("match", nil, Detail{"linked to", link.TargetID})
	}
	if !o.inScope || !o.Active {
		x.Steps = append(
			x.Steps,
			Step{Name: "match", Status: Skipped, Reason: "an object that is not provisioned is not matched"},
		)
		return true
	}
	var details []Detail
	for _, attribute := range o.keys() {
		found, err := c.ask(ctx, o.Kind, attribute, o.creating[attribute])
		if err != nil {
			return x.add("match", err, details...)
		}
		ids := make([]string, len(found))
		for i, r := range found {
			ids[i] = r.String("id")
		}
		details = append(
			details,
			Detail{
				attribute + " eq " + o.shown(attribute, o.creating[attribute]),
				fmt.Sprintf("%d found %s", len(found), strings.Join(ids, ", ")),
			},
		)
	}
	return x.add("match", nil, details...)
}

// shown is a value of a target's attribute as people are told of it.
func (o candidate) shown(path, value string) string {
	return o.redacted(Change{Path: path, New: value}).New
}

// oneMember provisions a user who is to be put into a group on demand.
func (c *cycle) oneMember(ctx context.Context, id string) error {
	o, err := c.Source.Object(ctx, Ref{User, id})
	if err != nil || c.Mappings.Users == nil {
		return err
	}
	member := evaluate(ctx, o, c.Mappings.Users)
	if err := ctx.Err(); err != nil {
		return err
	}
	return c.provisionAll(ctx, []candidate{member})
}

func (c *cycle) act(ctx context.Context, o candidate, members []string) error {
	if err := c.provisionAll(ctx, []candidate{o}); err != nil {
		return err
	}
	if o.Kind == User {
		return announced(ctx, c, 1, c.withManager([]candidate{o}), c.planManager, c.manager)
	}
	if len(c.withMembers([]candidate{o})) == 0 || len(members) == 0 {
		return nil
	}
	link, err := c.Memory.Link(ctx, o.Ref)
	if err != nil {
		return nil //nolint:nilerr // it was not provisioned, which its entry says
	}
	var ids []string
	for _, id := range members {
		m, err := c.Memory.Link(ctx, Ref{User, id})
		if err == nil && m.TargetID != "" && slices.Contains(o.Members, id) &&
			!slices.Contains(link.Members, m.TargetID) {
			ids = append(ids, m.TargetID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	_, err = c.changeMembers(ctx, o, &link, "Add", ids, noted{}, false)
	return err
}

// acted is the fifth step.
func acted(entries []Entry, ref Ref) Step {
	s := Step{Name: "act", Status: Skipped}
	for _, e := range entries {
		if e.Ref != ref {
			continue
		}
		if s.Status == Skipped || e.Outcome == Failure {
			s.Status, s.Reason = e.Outcome, e.Reason
		}
		s.Details = append(s.Details, Detail{"action", string(e.Action)})
		for _, c := range e.Changes {
			s.Details = append(s.Details, Detail{c.Path, c.Old + " → " + c.New})
		}
		for _, name := range e.Added {
			s.Details = append(s.Details, Detail{"member added", name})
		}
	}
	return s
}
