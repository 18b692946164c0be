package graphserver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// deltaState is what a link of a delta query carries. It names a place in the directory and in its
// journal, and nothing that its holder could not read anyway.
//
// Sources: "Delta query overview", user: delta, group: delta.
type deltaState struct {
	Kind    tenant.ObjectKind `json:"k"`
	Number  int64             `json:"n"`           // of the last change that has been seen
	Reading bool              `json:"r,omitempty"` // all objects are being read, for the first time
	After   string            `json:"a,omitempty"` // the last object that was read
	Member  string            `json:"m,omitempty"` // the last member that was read of the next one, a large group
	Issued  int64             `json:"t"`           // seconds since 1970
	Select  properties        `json:"s,omitempty"`
	IDs     []string          `json:"i,omitempty"` // only these objects
}

const (
	deltaPage = 200 //bound:list objects of a page of a delta query
	//bound:list members of a page of a delta query
	deltaMembers = 1000 // of all groups of a page
	//bound:list objects in the filter of a delta query
	maxDeltaIDs = 50      // in a filter
	maxState    = 8 << 10 //bound:text the state in the link of a delta query
)

func (h *Handler) usersDelta(ctx context.Context, r request) (int, any, error) {
	return h.delta(ctx, r, tenant.KindUser)
}

func (h *Handler) groupsDelta(ctx context.Context, r request) (int, any, error) {
	return h.delta(ctx, r, tenant.KindGroup)
}

// delta answers a page of a delta query: of all objects at first, then of what has changed since.
func (h *Handler) delta(ctx context.Context, r request, kind tenant.ObjectKind) (int, any, error) {
	s, err := h.deltaState(ctx, r, kind)
	if err != nil {
		return 0, nil, err
	}
	size, err := deltaSize(r)
	if err != nil {
		return 0, nil, err
	}
	page := graph.DeltaPage[object]{
		Context: h.Tenant.GraphURL() + "/$metadata#" + strings.ToLower(string(kind)) + "s",
		Value:   []object{},
	}
	read, err := h.readDelta(ctx, r, &s, size)
	if err != nil {
		return 0, nil, err
	}
	page.Value = append(page.Value, read.objects...)
	err = h.linkDelta(r, &page, s, read.more)
	return http.StatusOK, page, err
}

// readDelta reads the next page of one kind of object.
func (h *Handler) readDelta(ctx context.Context, r request, s *deltaState, size int) (read deltaRead, err error) {
	switch {
	case r.URL.Query().Get("$deltatoken") == "latest":
	case s.Reading:
		read, err = h.readAll(ctx, s, size)
	default:
		read, err = h.readChanges(ctx, s, size)
	}
	if s.Reading = s.Reading && read.more; !s.Reading {
		s.After, s.Member = "", ""
	}
	s.Issued = h.Tenant.Now().Unix()
	return read, err
}

// linkDelta puts the link into a page that leads on from a state.
func (h *Handler) linkDelta(r request, page *graph.DeltaPage[object], state any, more bool) error {
	token, err := json.Marshal(state)
	if err != nil {
		return err
	}
	link := func(name string) string {
		return h.Tenant.URL + strings.TrimSuffix(
			r.URL.Path, "()",
		) + "?" + encode(url.Values{name: {base64.RawURLEncoding.EncodeToString(token)}})
	}
	if more {
		page.NextLink = link("$skiptoken")
	} else {
		page.DeltaLink = link("$deltatoken")
	}
	return nil
}

// openDelta reads the token of a link, which no other query options may stand beside.
func openDelta(r request, into any) error {
	q := r.URL.Query()
	if q.Has("$select") || q.Has("$filter") || q.Has("$skiptoken") && q.Has("$deltatoken") {
		return badRequest("Use the link of a delta query as it is, without other query options.")
	}
	data, err := base64.RawURLEncoding.DecodeString(q.Get("$skiptoken") + q.Get("$deltatoken"))
	if err != nil || len(data) > maxState || json.Unmarshal(data, into) != nil {
		return errToken
	}
	return nil
}

var errToken = badRequest("Badly formed token.")

// fresh refuses a link that is too old to go on from. How old one is that a clock has made which
// was ahead, nobody knows.
func (h *Handler) fresh(r request, issued int64) error {
	if authn.Within(tenant.DeltaLife, time.Unix(issued, 0), h.Tenant.Now()) {
		return nil
	}
	return &wireError{
		status:   http.StatusGone,
		code:     "syncStateNotFound",
		message:  "The sync state generation is not found; full synchronization is required.",
		location: h.Tenant.URL + r.URL.Path,
	}
}

// deltaState begins a delta query, or goes on from a link.
func (h *Handler) deltaState(ctx context.Context, r request, kind tenant.ObjectKind) (s deltaState, err error) {
	q := r.URL.Query()
	token := q.Get("$skiptoken") + q.Get("$deltatoken")
	if token == "" || token == "latest" {
		s = deltaState{Kind: kind, Reading: token == ""}
		if s.Select, err = deltaSelection(kind, q.Get("$select")); err != nil {
			return s, err
		}
		if s.IDs, err = deltaIDs(q.Get("$filter")); err != nil {
			return s, err
		}
		s.Number, err = h.Tenant.LastChange(ctx)
		return s, err
	}
	if err := openDelta(r, &s); err != nil {
		return s, err
	}
	if s.Kind != kind || s.Number < 0 {
		return s, errToken
	}
	return s, h.fresh(r, s.Issued)
}

// deltaSelection reads $select, which may name the relation whose changes are told too: the manager
// of a user, the members of a group.
func deltaSelection(kind tenant.ObjectKind, text string) (names properties, err error) {
	t, relation := userType(), "manager"
	if kind == tenant.KindGroup {
		t, relation = groupType(), "members"
	}
	if names, err = t.selected(text); err != nil || names == nil {
		return nil, err
	}
	if slices.ContainsFunc(strings.Split(text, ","), func(name string) bool {
		return strings.EqualFold(strings.TrimSpace(name), relation)
	}) {
		names = append(names, relation)
	}
	return names, nil
}

// deltaSize reads the header Prefer: odata.maxpagesize=n.
func deltaSize(r request) (int, error) {
	for _, part := range strings.Split(r.Header.Get("Prefer"), ",") {
		if text, ok := strings.CutPrefix(strings.TrimSpace(part), "odata.maxpagesize="); ok {
			n, err := strconv.Atoi(text)
			if err != nil || n < 1 {
				return 0, badRequest("odata.maxpagesize must be a number.")
			}
			return min(n, maxTop), nil
		}
	}
	return deltaPage, nil
}

var deltaID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^id eq '([^']{1,64})'$`) })

// deltaIDs reads the only filter that is supported: id eq '…' or id eq '…'.
func deltaIDs(filter string) (ids []string, err error) {
	if filter == "" {
		return nil, nil
	}
	for _, part := range strings.Split(filter, " or ") {
		m := deltaID().FindStringSubmatch(strings.TrimSpace(part))
		if m == nil || len(ids) == maxDeltaIDs {
			return nil, unsupported("Delta queries can be filtered by at most 50 ids: id eq '…' or id eq '…'.")
		}
		ids = append(ids, m[1])
	}
	return ids, nil
}

func (s deltaState) wants(id string) bool { return len(s.IDs) == 0 || slices.Contains(s.IDs, id) }

// wantsRelation says whether a relation such as members is to be told: when nothing or the relation
// itself is selected.
func (s deltaState) wantsRelation(name string) bool {
	return s.Select == nil || slices.Contains(s.Select, name)
}

// tracks says whether a change is about something that is selected: an object of which other
// properties have changed does not appear. Source: "Use delta query", optional query parameters.
func (s deltaState) tracks(c tenant.Change) bool {
	switch {
	case c.Member.ID != "":
		return s.wantsRelation("members")
	case c.Properties == nil:
		return true
	case s.Select == nil:
		return len(c.Properties) > 0
	}
	return slices.ContainsFunc(c.Properties, func(name string) bool { return slices.Contains(s.Select, name) })
}

// deltaRead is what a page of changes says, and whether another one follows.
type deltaRead struct {
	objects []object
	more    bool
}

// readAll reads the next objects of all.
func (h *Handler) readAll(ctx context.Context, s *deltaState, size int) (deltaRead, error) {
	var page []object
	if s.Kind == tenant.KindUser {
		users, err := h.Tenant.Users(ctx, tenant.Query{After: s.After, Limit: size + 1})
		if err != nil {
			return deltaRead{}, err
		}
		for _, u := range users[:min(size, len(users))] {
			if s.After = string(u.ID); s.wants(string(u.ID)) {
				page = append(page, s.user(u))
			}
		}
		return deltaRead{page, len(users) > size}, nil
	}
	groups, err := h.Tenant.Groups(ctx, tenant.Query{After: s.After, Limit: size + 1})
	if err != nil {
		return deltaRead{}, err
	}
	left := deltaMembers
	for _, g := range groups[:min(size, len(groups))] {
		if !s.wants(string(g.ID)) {
			s.After, s.Member = string(g.ID), ""
			continue
		}
		x := s.Select.shape(groupObject(g), nil)
		page = append(page, x)
		if s.wantsRelation("members") {
			members, err := h.Tenant.MembersAfter(ctx, g.ID, tenant.PrincipalID(s.Member), left+1)
			if err != nil {
				return deltaRead{}, err
			}
			if len(members) > left { // the rest of this group comes on the next page, with the group again
				members = members[:left]
				if left > 0 {
					s.Member = string(members[left-1].MemberID)
				}
				x["members@delta"] = membersDelta(members)
				return deltaRead{page, true}, nil
			}
			left -= len(members)
			x["members@delta"] = membersDelta(members)
		}
		s.After, s.Member = string(g.ID), ""
	}
	return deltaRead{page, len(groups) > size}, nil
}

func (s deltaState) user(u tenant.User) object {
	x := s.Select.shape(userObject(u), userDefaults)
	if s.Select != nil && slices.Contains(s.Select, "manager") {
		x["manager@delta"] = []object{}
		if u.ManagerID != "" {
			x["manager@delta"] = []object{{"@odata.type": graph.DirectoryUserType, "id": string(u.ManagerID)}}
		}
	}
	return x
}

func membersDelta(members []tenant.Member) []object {
	list := make([]object, len(members))
	for i, m := range members {
		list[i] = memberDelta(tenant.Mark{Kind: m.Kind, ID: m.MemberID}, false)
	}
	return list
}

func memberDelta(m tenant.Mark, removed bool) object {
	x := object{"@odata.type": graph.DirectoryUserType, "id": string(m.ID)}
	if m.Kind == tenant.KindGroup {
		x["@odata.type"] = graph.DirectoryGroupType
	}
	if removed {
		x["@removed"] = object{"reason": "deleted"}
	}
	return x
}

// readChanges reads the next changes: each object once, as it is now, with the members that came
// and left.
func (h *Handler) readChanges(ctx context.Context, s *deltaState, size int) (deltaRead, error) {
	changes, err := h.Tenant.Journal(ctx, s.Kind, s.Number, size+1)
	if err != nil {
		return deltaRead{}, err
	}
	var page []object
	at := map[tenant.PrincipalID]int{} // index in page
	members := map[tenant.PrincipalID]map[tenant.Mark]bool{}
	for _, c := range changes[:min(size, len(changes))] {
		s.Number = c.Number
		if !s.wants(string(c.ID)) || !s.tracks(c) {
			continue
		}
		if _, seen := at[c.ID]; !seen {
			x, err := h.changedObject(ctx, s, c.Mark)
			if err != nil {
				return deltaRead{}, err
			}
			at[c.ID], page = len(page), append(page, x)
			members[c.ID] = map[tenant.Mark]bool{}
		}
		if c.Member.ID != "" {
			members[c.ID][c.Member] = c.Removed // the last one counts
		}
	}
	for id, changed := range members {
		x := page[at[id]]
		if _, gone := x["@removed"]; gone || len(changed) == 0 || !s.wantsRelation("members") {
			continue
		}
		list := []object{}
		for m, removed := range changed {
			list = append(list, memberDelta(m, removed))
		}
		slices.SortFunc(list, func(a, b object) int { return strings.Compare(a["id"].(string), b["id"].(string)) })
		x["members@delta"] = list
	}
	return deltaRead{page, len(changes) > size}, nil
}

// changedObject is an object as it is now, or that it is not there any more.
func (h *Handler) changedObject(ctx context.Context, s *deltaState, m tenant.Mark) (object, error) {
	if m.Kind == tenant.KindUser {
		u, err := h.Tenant.User(ctx, tenant.UserID(m.ID))
		switch {
		case err == nil:
			return s.user(u), nil
		case refusal.KindOf(err) == refusal.NotFound:
			return h.removedObject(ctx, m)
		}
		return nil, err
	}
	g, err := h.Tenant.Group(ctx, tenant.GroupID(m.ID))
	switch {
	case err == nil:
		return s.Select.shape(groupObject(g), nil), nil
	case refusal.KindOf(err) == refusal.NotFound:
		return h.removedObject(ctx, m)
	}
	return nil, err
}

// removedObject says that an object is not there any more, and whether it can be restored. Source:
// "Delta query overview", resource representation.
func (h *Handler) removedObject(ctx context.Context, m tenant.Mark) (object, error) {
	reason := "changed"
	_, err := h.Tenant.DeletedItem(ctx, string(m.ID))
	if refusal.KindOf(err) == refusal.NotFound {
		reason, err = "deleted", nil
	}
	return object{"id": string(m.ID), "@removed": object{"reason": reason}}, err
}
