package scimserver

import (
	"context"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

func (h *Handler) createUser(ctx context.Context, r *request) (answer, error) {
	u, err := readUser(r)
	if err != nil {
		return answer{}, err
	}
	u, err = h.Center.CreateUser(ctx, r.by, u, r.check)
	if err != nil {
		return answer{}, err
	}
	return h.showUser(ctx, r, http.StatusCreated, u)
}

// check is the profile's rules on top of the store's.
func (p profile) check(u center.User) error {
	if p.standard {
		return nil
	}
	return u.CheckAWS()
}

// showUser is the answer that shows one user.
func (h *Handler) showUser(ctx context.Context, r *request, status int, u center.User) (answer, error) {
	groups, err := h.groupsOfUser(ctx, r, u.ID, status)
	if err != nil {
		return answer{}, err
	}
	out := answer{status: status, body: r.appendUser(buffer(), &u, groups), version: u.Version + 1}
	if status == http.StatusCreated {
		out.id, out.location = string(u.ID), r.base+"/Users/"+string(u.ID)
	}
	return r.projected(out, scim.UserSchema)
}

// groupsOfUser is what the standard profile shows as groups. Who was just made is in none.
func (h *Handler) groupsOfUser(
	ctx context.Context, r *request, id center.UserID, status int,
) (list []reference, err error) {
	if !r.standard || status == http.StatusCreated || !r.projection().wants("groups") {
		return nil, nil
	}
	err = h.Center.Store.View(ctx, func(rd center.Reader) (err error) {
		list, err = groupsOf(rd, id)
		return err
	})
	return list, err
}

func (h *Handler) getUser(ctx context.Context, r *request) (answer, error) {
	u, err := h.Center.User(ctx, center.UserID(r.id))
	if err != nil {
		return answer{}, err
	}
	return h.showUser(ctx, r, http.StatusOK, u)
}

// putUser replaces a user whole: what is left out is cleared. There is no upsert.
func (h *Handler) putUser(ctx context.Context, r *request) (answer, error) {
	in, err := readUser(r)
	if err != nil {
		return answer{}, err
	}
	u, err := h.Center.UpdateUser(ctx, r.by, center.UserID(r.id), func(u *center.User) error {
		if err := r.precondition(u.Version, r.id); err != nil {
			return err
		}
		changed := in
		r.keepWhatSCIMCannotSay(&changed, *u)
		*u = changed
		return r.check(changed)
	})
	if err != nil {
		return answer{}, err
	}
	return h.showUser(ctx, r, http.StatusOK, u)
}

func (h *Handler) deleteUser(ctx context.Context, r *request) (answer, error) {
	err := h.Center.DeleteUser(
		ctx, r.by, center.UserID(r.id), func(u center.User) error { return r.precondition(u.Version, r.id) },
	)
	return answer{status: http.StatusNoContent}, err
}

func (h *Handler) patchUser(ctx context.Context, r *request) (answer, error) {
	var patch scim.PatchRequest
	if err := scim.Decode(r.body, &patch); err != nil {
		return answer{}, err
	}
	changes, err := r.userChanges(patch)
	if err != nil {
		return answer{}, err
	}
	u, err := h.Center.UpdateUser(ctx, r.by, center.UserID(r.id), func(u *center.User) error {
		if err := r.precondition(u.Version, r.id); err != nil {
			return err
		}
		if done, err := applyPlain(u, changes); done || err != nil {
			return err
		}
		return r.applyToWire(u, changes)
	})
	if err != nil {
		return answer{}, err
	}
	return h.showUser(ctx, r, http.StatusOK, u)
}

// applyPlain makes changes that only set active or single texts, which most are. done is false, and
// nothing is changed, when there are others.
func applyPlain(u *center.User, changes []scim.Change) (done bool, err error) {
	next := *u
	texts := next.TextAttributes()
	for _, c := range changes {
		if c.Path.URN != "" || c.Path.Sub != "" || c.Op == "remove" {
			return false, nil
		}
		if c.Path.Attribute.Name == "active" {
			var ok bool
			if next.Active, ok = scim.Bool(c.Value); !ok {
				return false, bad(scim.InvalidValue, "active is not a boolean.")
			}
			continue
		}
		i := slices.IndexFunc(plainTexts, func(t wireText) bool { return t.name == c.Path.Attribute.Name })
		text, ok := c.Value.(string)
		if i < 0 || !ok {
			return false, nil
		}
		*texts[plainTexts[i].place].Value = text
	}
	*u = next
	return true, nil
}

// applyToWire makes any changes, on the user as it stands on the wire.
func (r *request) applyToWire(u *center.User, changes []scim.Change) error {
	wire, err := resourceOf(r.appendUser(nil, u, nil))
	if err != nil {
		return err
	}
	for _, c := range changes {
		if err := c.Apply(wire); err != nil {
			return err
		}
	}
	if !r.standard {
		if err := refuseUnsupported(wire); err != nil {
			return err
		}
	}
	changed := userFromWire(wire)
	r.keepWhatSCIMCannotSay(&changed, *u)
	*u = changed
	return r.check(changed)
}

// userChanges parses a PATCH and applies the profile's rules for it. Source of AWS's: SCIM guide,
// PatchUser.
func (r *request) userChanges(patch scim.PatchRequest) ([]scim.Change, error) {
	if len(patch.Operations) == 0 {
		return nil, bad(scim.InvalidSyntax, "Operations is missing or empty.")
	}
	var all []scim.Change
	seen := map[string]bool{}
	for _, op := range patch.Operations {
		changes, err := scim.UserSchema.ParseOperation(op)
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			if c.Path.Attribute.ReadOnly || c.Path.Attribute.Name == "schemas" {
				if r.standard && op.Path == "" { // a whole resource, as clients write back what they read
					continue
				}
				return nil, bad(scim.Mutability, c.Path.Attribute.Name+" cannot be changed.")
			}
			if !r.standard {
				if err := awsPatchRule(c, seen); err != nil {
					return nil, err
				}
			}
			all = append(all, c)
		}
		if op.Path == "" && len(changes) != 1 && !r.standard {
			return nil, bad(
				scim.InvalidSyntax,
				"An operation allows omitting path only for Add and Replace with a value of a single attribute.",
			)
		}
	}
	return all, nil
}

func awsPatchRule(c scim.Change, seen map[string]bool) error {
	name := c.Path.Attribute.Name
	switch {
	case slices.Contains(unsupported, name):
		return bad(scim.InvalidPath, name+" is not supported.")
	case name == "roles":
		return bad(scim.Mutability, name+" cannot be changed.")
	case (name == "userName" || name == "active") && c.Op == "remove":
		return bad(scim.Mutability, name+" cannot be removed.")
	case (name == "userName" || name == "active") && seen[name]:
		return bad(scim.InvalidValue, "Two operations change "+name+".")
	case !onlyEquals(c.Path.Filter):
		return bad(scim.InvalidFilter, "Only eq is allowed inside brackets.")
	}
	seen[name] = true
	return nil
}

func onlyEquals(f scim.Filter) bool {
	switch f := f.(type) {
	case nil:
		return true
	case scim.And:
		return onlyEquals(f.Left) && onlyEquals(f.Right)
	case scim.Compare:
		return f.Op == "eq"
	}
	return false
}
