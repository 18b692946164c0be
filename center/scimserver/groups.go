package scimserver

import (
	"context"
	"net/http"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/scim"
)

func (h *Handler) createGroup(ctx context.Context, r *request) (answer, error) {
	in, err := readGroup(r)
	if err != nil {
		return answer{}, err
	}
	g, err := h.Center.CreateGroup(ctx, r.by, in.Group, in.members...)
	if err != nil {
		return answer{}, err
	}
	return h.showGroup(ctx, r, http.StatusCreated, g)
}

// wholeGroup is a group with its members.
type wholeGroup struct {
	center.Group
	members []center.UserID
}

// readGroup reads a whole group. Entra adds attributes of its own; they are dropped.
func readGroup(r *request) (wholeGroup, error) {
	var body scim.Resource
	if err := scim.Decode(r.body, &body); err != nil {
		return wholeGroup{}, err
	}
	wire, _, err := scim.GroupSchema.Normalize(body)
	if err != nil {
		return wholeGroup{}, err
	}
	if id := wire.String("id"); r.id != "" && id != "" && id != r.id {
		return wholeGroup{}, bad(scim.Mutability, "The body's id is another group's.")
	}
	members, err := r.memberIDs(wire["members"])
	if err != nil {
		return wholeGroup{}, err
	}
	if err := r.fewEnough(len(members)); err != nil {
		return wholeGroup{}, err
	}
	g := center.Group{DisplayName: wire.String("displayName"), ExternalID: wire.String("externalId")}
	return wholeGroup{g, members}, nil
}

// fewEnough bounds the memberships of one request. Source of AWS's bound: SCIM guide, CreateGroup
// and PatchGroup.
func (p profile) fewEnough(n int) error {
	if n <= p.maxMembers {
		return nil
	}
	if p.standard {
		return bad(scim.TooMany, "More than 20,000 membership changes.")
	}
	return bad(scim.TooMany, "More than 100 membership changes.")
}

// showGroup is the answer that shows one group, in the standard profile with its members.
func (h *Handler) showGroup(ctx context.Context, r *request, status int, g center.Group) (answer, error) {
	members, err := h.shownMembers(ctx, r, g.ID)
	if err != nil {
		return answer{}, err
	}
	out := answer{status: status, body: r.appendGroup(buffer(), &g, members), tag: groupTag(g)}
	if status == http.StatusCreated {
		out.id, out.location = string(g.ID), r.base+"/Groups/"+string(g.ID)
	}
	return r.projected(out, scim.GroupSchema)
}

// shownMembers is what the standard profile shows as members. They can be many, and are read only
// where they are shown.
func (h *Handler) shownMembers(ctx context.Context, r *request, id center.GroupID) (list []reference, err error) {
	if !r.standard || !r.projection().wants("members") {
		return nil, nil
	}
	err = h.Center.Store.View(ctx, func(rd center.Reader) (err error) {
		list, err = membersOf(rd, id)
		return err
	})
	return list, err
}

// appendGroup writes a group. AWS never returns members.
func (r *request) appendGroup(b []byte, g *center.Group, members []reference) []byte {
	o := &object{b: b}
	o.begin()
	o.text("id", string(g.ID))
	o.text("externalId", g.ExternalID)
	r.meta(o, "Group", string(g.ID), g.CreatedAt, g.UpdatedAt, groupTag(*g))
	o.name("schemas")
	o.b = append(o.b, `["`+scim.GroupURN+`"]`...)
	o.text("displayName", g.DisplayName)
	if members != nil {
		r.references(o, "members", "Users", "User", members)
	}
	o.shut()
	return o.b
}

func (h *Handler) getGroup(ctx context.Context, r *request) (answer, error) {
	g, err := h.Center.Group(ctx, center.GroupID(r.id))
	if err != nil {
		return answer{}, err
	}
	return h.showGroup(ctx, r, http.StatusOK, g)
}

// putGroup replaces a group with its members. Only the standard profile has it.
func (h *Handler) putGroup(ctx context.Context, r *request) (answer, error) {
	in, err := readGroup(r)
	if err != nil {
		return answer{}, err
	}
	g, err := h.Center.UpdateGroup(
		ctx,
		r.by,
		center.GroupID(r.id),
		center.MembershipChange{Clear: true, Add: in.members},
		func(g *center.Group) error {
			if err := r.groupPrecondition(*g); err != nil {
				return err
			}
			g.DisplayName, g.ExternalID = in.DisplayName, in.ExternalID
			return nil
		},
	)
	if err != nil {
		return answer{}, err
	}
	return h.showGroup(ctx, r, http.StatusOK, g)
}

func (h *Handler) deleteGroup(ctx context.Context, r *request) (answer, error) {
	err := h.Center.DeleteGroup(ctx, r.by, center.GroupID(r.id), r.groupPrecondition)
	return answer{status: http.StatusNoContent}, err
}

// patchGroup answers with 204, also in the standard profile, where the members could be many,
// unless attributes asks for the group (RFC 7644 §3.5.2).
func (h *Handler) patchGroup(ctx context.Context, r *request) (answer, error) {
	var patch scim.PatchRequest
	if err := scim.Decode(r.body, &patch); err != nil {
		return answer{}, err
	}
	edit, err := r.groupChanges(patch)
	if err != nil {
		return answer{}, err
	}
	g, err := h.Center.UpdateGroup(ctx, r.by, center.GroupID(r.id), edit.change(), func(g *center.Group) error {
		if err := r.groupPrecondition(*g); err != nil {
			return err
		}
		if edit.name != nil {
			g.DisplayName = *edit.name
		}
		if edit.externalID != nil {
			g.ExternalID = *edit.externalID
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	if r.standard && r.query.Has("attributes") {
		return h.showGroup(ctx, r, http.StatusOK, g)
	}
	return answer{status: http.StatusNoContent, tag: groupTag(g)}, nil
}
