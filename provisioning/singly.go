package provisioning

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/scim"
)

// changeSingly is for members who are all at the target, and whom it has refused to add or remove
// together. Some services refuse to add who is a member, or to remove who is none, as after an
// answer that was lost, and with that all others of the same request. It returns those who are as
// they should be, and why others are not.
func (c *cycle) changeSingly(
	ctx context.Context, link *Link, op string, ids []string, refused error,
) (done []string, err error) {
	p := new(scim.Problem)
	if !errors.As(refused, &p) || !slices.Contains(aboutMembers, p.Status) || misdirected(refused) {
		return nil, refused
	}
	var now []string
	told := false
	err = c.retry(ctx, func() (err error) {
		now, told, err = c.Target.Members(ctx, link.TargetID)
		return err
	})
	if stops(err) != nil {
		return nil, err
	}
	rest := ids
	if told && err == nil {
		if rest = without(ids, now); op == "Remove" {
			rest = within(ids, now)
		}
		done = without(ids, rest)
	}
	var why error
	for tried, in := 0, 0; tried < len(rest) && in < fewObjects; tried++ {
		id, err := rest[tried], refused
		if len(ids) > 1 { // else that is what was refused
			err = c.changeAtTarget(ctx, link, op, []string{id})
		}
		if isRefusal(err) && !misdirected(err) && !told {
			err = c.unlessSo(ctx, link.TargetID, op, id, err)
		}
		switch {
		case err == nil:
			done = append(done, id)
			in = 0
			continue
		case stops(err) != nil || MayPass(err):
			return done, err
		}
		why = err
		in++ // so many in a row are refused for another reason
	}
	if why == nil && len(done) < len(ids) {
		why = refused
	}
	return done, why
}

// aboutMembers are the statuses of answers that may be about one member of several.
var aboutMembers = []int{
	http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusPreconditionFailed,
	http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
}

// unlessSo is a refusal to add or remove a member, unless they are one, or are none, already.
func (c *cycle) unlessSo(ctx context.Context, group, op, id string, refused error) error {
	is := false
	err := c.retry(ctx, func() (err error) {
		is, err = c.Target.HasMember(ctx, group, id)
		return err
	})
	switch {
	case stops(err) != nil:
		return err
	case err == nil && is == (op == "Add"):
		return nil
	}
	return refused
}

// changed are members who were added, or removed, by name where it is known.
func (c *cycle) changed(op string, done []string) (added, removed []string) {
	switch {
	case len(done) == 0:
		return nil, nil
	case op == "Add":
		return c.named(done), nil
	}
	return nil, c.named(done)
}
