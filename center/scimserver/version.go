package scimserver

import (
	"context"
	"hash/fnv"
	"strconv"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Versions of resources (RFC 7644 §3.14), which only the standard profile has. A tag is weak, since
// the text of an answer may vary. What a resource shows of others belongs to its version: a group
// counts changes of its members, and a user's tag names the groups that it shows.

// versioned is the version of a resource, and what it shows of others.
type versioned struct {
	tag        string // "": none
	references []reference
}

// groupTag is the version of a group.
func groupTag(g center.Group) string { return `W/"` + strconv.FormatInt(g.Version+1, 10) + `"` }

// userTag is the version of a user who is shown with groups.
func userTag(u *center.User, groups []reference) string {
	tag := `W/"` + strconv.FormatInt(u.Version+1, 10)
	if len(groups) == 0 {
		return tag + `"`
	}
	sum := fnv.New64a()
	for _, g := range groups {
		_, _ = sum.Write([]byte(g.id + g.display + "\x00")) // a hash never fails
	}
	return tag + "-" + strconv.FormatUint(sum.Sum64(), 36) + `"`
}

// partialTag is the version of a user who is shown without groups, though there may be some.
func partialTag(u *center.User) string { return `W/"` + strconv.FormatInt(u.Version+1, 10) + `-"` }

// groupPrecondition refuses to change a group that is not in the version that If-Match names. AWS's
// profile has no versions and ignores it.
func (r *request) groupPrecondition(g center.Group) error {
	if !r.standard || r.ifMatch == "" || tagMatches(r.ifMatch, groupTag(g)) {
		return nil
	}
	return &refusal.Error{Code: center.VersionChanged, Subject: r.id}
}

// userPrecondition is groupPrecondition for users. The groups are read before the change: nobody
// changes them by it.
func (h *Handler) userPrecondition(ctx context.Context, r *request) (func(center.User) error, error) {
	if !r.standard || r.ifMatch == "" {
		return func(center.User) error { return nil }, nil
	}
	var groups []reference
	err := h.Center.Store.View(ctx, func(rd center.Reader) (err error) {
		groups, err = groupsOf(rd, center.UserID(r.id))
		return err
	})
	return func(u center.User) error {
		if tagMatches(r.ifMatch, userTag(&u, groups)) || tagMatches(r.ifMatch, partialTag(&u)) {
			return nil
		}
		return &refusal.Error{Code: center.VersionChanged, Subject: r.id}
	}, err
}
