package scimserver

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

func (h *Handler) createUser(ctx context.Context, r *request) (answer, error) {
	in, err := readUser(r)
	if err != nil {
		return answer{}, err
	}
	u, err := h.Center.CreateUser(ctx, r.by, in.User, r.check)
	if err != nil {
		return answer{}, err
	}
	return h.showUser(ctx, r, http.StatusCreated, u)
}

// check is the profile's rules on top of the store's.
func (p profile) check(u center.User) error {
	if err := u.CheckEmails(); err != nil || p.standard {
		return err
	}
	return u.CheckAWS()
}

// showUser is the answer that shows one user.
func (h *Handler) showUser(ctx context.Context, r *request, status int, u center.User) (answer, error) {
	shown, err := h.groupsOfUser(ctx, r, &u, status)
	if err != nil {
		return answer{}, err
	}
	out := answer{status: status, body: r.appendUser(buffer(), &u, shown), tag: shown.tag}
	if status == http.StatusCreated {
		out.id, out.location = string(u.ID), r.base+"/Users/"+string(u.ID)
	}
	return r.projected(out, scim.UserSchema)
}

// groupsOfUser is what the standard profile shows as groups. Who was just made is in none.
func (h *Handler) groupsOfUser(
	ctx context.Context, r *request, u *center.User, status int,
) (shown versioned, err error) {
	switch {
	case !r.standard:
		return versioned{}, nil
	case status == http.StatusCreated:
		return versioned{tag: userTag(u, nil)}, nil
	case !r.projection().wants("groups"):
		return versioned{tag: partialTag(u)}, nil
	}
	err = h.Center.Store.View(ctx, func(rd center.Reader) (err error) {
		shown.references, err = groupsOf(rd, u.ID)
		return err
	})
	shown.tag = userTag(u, shown.references)
	return shown, err
}

func (h *Handler) getUser(ctx context.Context, r *request) (answer, error) {
	u, err := h.Center.User(ctx, center.UserID(r.id))
	if err != nil {
		return answer{}, err
	}
	return h.showUser(ctx, r, http.StatusOK, u)
}

// putUser replaces a user whole: what is left out is cleared, but for active: who is disabled stays
// so unless the client says otherwise. There is no upsert.
func (h *Handler) putUser(ctx context.Context, r *request) (answer, error) {
	in, err := readUser(r)
	if err != nil {
		return answer{}, err
	}
	precondition, err := h.userPrecondition(ctx, r)
	if err != nil {
		return answer{}, err
	}
	u, err := h.Center.UpdateUser(ctx, r.by, center.UserID(r.id), func(u *center.User) error {
		if err := precondition(*u); err != nil {
			return err
		}
		changed := in.User
		if !in.saysActive {
			changed.Active = u.Active
		}
		return r.replace(u, changed)
	})
	if err != nil {
		return answer{}, err
	}
	return h.showUser(ctx, r, http.StatusOK, u)
}

// replace puts a user as a client has sent it in the place of the one that is there.
func (p profile) replace(u *center.User, sent center.User) error {
	if err := p.check(sent); err != nil {
		return err
	}
	p.keepWhatSCIMCannotSay(&sent, *u)
	*u = sent
	return nil
}

func (h *Handler) deleteUser(ctx context.Context, r *request) (answer, error) {
	precondition, err := h.userPrecondition(ctx, r)
	if err != nil {
		return answer{}, err
	}
	err = h.Center.DeleteUser(ctx, r.by, center.UserID(r.id), precondition)
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
	precondition, err := h.userPrecondition(ctx, r)
	if err != nil {
		return answer{}, err
	}
	u, err := h.Center.UpdateUser(ctx, r.by, center.UserID(r.id), func(u *center.User) error {
		if err := precondition(*u); err != nil {
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
		if i < 0 || !ok || strings.TrimSpace(text) == "" { // an empty one may be required
			return false, nil
		}
		*texts[plainTexts[i].place].Value = text
	}
	*u = next
	return true, nil
}

// applyToWire makes any changes, on the user as it stands on the wire.
func (r *request) applyToWire(u *center.User, changes []scim.Change) error {
	wire, err := resourceOf(r.appendUser(nil, u, versioned{}))
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
	return r.replace(u, userFromWire(wire))
}

// userChanges parses a PATCH and applies the profile's rules for it. Source of AWS's: SCIM guide,
// PatchUser.
func (r *request) userChanges(patch scim.PatchRequest) (all []scim.Change, err error) {
	if len(patch.Operations) == 0 {
		return nil, bad(scim.InvalidSyntax, "Operations is missing or empty.")
	}
	seen := map[string]bool{}
	for _, op := range patch.Operations {
		changes, err := r.parseOperation(scim.UserSchema, op)
		if err != nil {
			return nil, err
		}
		for _, c := range changes {
			if err := patchRule(c); err != nil {
				return nil, err
			}
			if r.standard {
				continue
			}
			if err := awsPatchRule(c, seen); err != nil {
				return nil, err
			}
		}
		all = append(all, changes...)
	}
	return all, nil
}

// parseOperation parses an operation without what clients write back because they have read it: in
// AWS's profile the resource's own id and schemas, as in its example of PatchGroup and from Okta,
// and in the standard one all that is read-only. Beside these, AWS takes a single attribute.
func (r *request) parseOperation(schema scim.Schema, op scim.Operation) ([]scim.Change, error) {
	changes, err := schema.ParseOperation(op)
	if err != nil || (op.Path != "" && !strings.EqualFold(op.Path, schema.URN)) {
		return changes, err
	}
	own := changes[:0]
	for _, c := range changes {
		name := c.Path.Attribute.Name
		switch {
		case name == "schemas", r.standard && c.Path.Attribute.ReadOnly:
		case name == "id" && c.Value == r.id:
		case name == "id":
			return nil, bad(scim.Mutability, "The value's id is another resource's.")
		default:
			own = append(own, c)
		}
	}
	if len(own) != 1 && !r.standard {
		return nil, bad(
			scim.InvalidSyntax,
			"An operation allows omitting path only for Add and Replace with a value of a single attribute.",
		)
	}
	return own, nil
}

// patchRule is the rules of both profiles. Nobody is enabled because a request does not say what
// active is. Source: RFC 7644 §3.5.2.2, required and read-only attributes.
func patchRule(c scim.Change) error {
	name := c.Path.Attribute.Name
	switch {
	case c.Path.ReadOnly() || name == "schemas":
		return bad(scim.Mutability, c.Path.String()+" cannot be changed.")
	case (name == "userName" || name == "active") && c.Op == "remove":
		return bad(scim.Mutability, name+" cannot be removed.")
	case name == "active":
		if _, ok := scim.Bool(c.Value); !ok {
			return bad(scim.InvalidValue, "active is not a boolean.")
		}
	}
	return nil
}

func awsPatchRule(c scim.Change, seen map[string]bool) error {
	name := c.Path.Attribute.Name
	switch {
	case slices.Contains(unsupported, name):
		return bad(scim.InvalidPath, name+" is not supported.")
	case name == "roles":
		return bad(scim.Mutability, name+" cannot be changed.")
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
