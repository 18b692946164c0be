// Package mirror fills a tenant with another one's directory: users, groups, members and the
// assignments of an application. It follows a Microsoft Graph, of the real Entra ID or any other
// that has delta queries, or reads the CSV files that you download from the Entra admin center. It
// is how `gatehouse sync` reads its source.
//
// Sources: "Delta query overview", user: delta, group: delta; "Bulk download users".
//
// It may import audit, graph, names, refusal and tenant.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Mirror reads another tenant.
type Mirror struct {
	Tenant   *tenant.Tenant
	Graph    *graph.Client
	Progress func(objects int) // how many have been read in this pull, after each answer; may be nil

	// Release has the next pull let those go who are held at its beginning, since a reading of
	// everything left them out: who is not there when asked for is gone.
	Release bool

	read    int
	namedAt time.Time // when who has lost their name was last looked for

	// In this pull: who has come, and was there; who was named as member or manager; and who was
	// asked for, and could not be read.
	met, named, tried map[tenant.Mark]bool
}

// Pulled is what a pull has found.
type Pulled struct {
	Full    bool // everything was read
	Objects int  // that were read
	// Unknown are some of those who were named as a member or a manager and are not there: they may
	// have come between the reading of one part and of the next, and come with another pull.
	Unknown []tenant.Mark
	// LeftOut are those that cannot be read, for good it seems. What was known of them stays.
	LeftOut []LeftOut
	// Missing are held: a reading of everything left out so much that it is not believed, and what
	// was known of them stays.
	Missing []tenant.Mark
}

// userProperties are those that are asked for: all that attribute mappings know, and the manager.
var userProperties = func() string {
	names := []string{"accountEnabled"}
	for _, t := range new(tenant.User).Texts() {
		names = append(names, t.Name)
	}
	return strings.Join(append(names, "businessPhones", "onPremisesExtensionAttributes", "manager"), ",")
}()

const groupProperties = "displayName,description,mailNickname,securityEnabled,members"

var actor = audit.SystemActor

// collection is one of the two delta queries.
type collection struct {
	kind  tenant.ObjectKind
	first string // the path that begins it
	note  string // the name under which the link to go on by is kept
}

var collections = []collection{
	{tenant.KindUser, "/users/delta?$select=" + userProperties, "delta-link/users"},
	{tenant.KindGroup, "/groups/delta?$select=" + groupProperties, "delta-link/groups"},
}

// Pull brings what has changed since the last pull, or everything. It may be repeated after any
// failure.
func (m *Mirror) Pull(ctx context.Context) (Pulled, error) {
	m.read = 0
	m.met, m.named = map[tenant.Mark]bool{}, map[tenant.Mark]bool{}
	m.tried = map[tenant.Mark]bool{}
	var out Pulled
	for _, c := range collections {
		full, err := m.pull(ctx, c)
		if err != nil {
			return out, fmt.Errorf("read the changes of %ss: %w", strings.ToLower(string(c.kind)), err)
		}
		out.Full = out.Full || full
		held, err := m.settle(ctx, c.kind)
		if err != nil {
			return out, fmt.Errorf("look for the %ss who are missing: %w", strings.ToLower(string(c.kind)), err)
		}
		out.Missing = append(out.Missing, held...)
	}
	m.Release = false
	out.Objects = m.read
	var e1, e2 error
	out.Unknown, e1 = m.unknown(ctx)
	out.LeftOut, e2 = m.leftOut(ctx)
	return out, errors.Join(e1, e2, m.stands(ctx))
}

// maxUnknown is how many are looked for that are not there: one is enough to pull again.
const maxUnknown = 1000 //bound:list people who are named and unknown, that a pull tells of

// unknown are those who were named in this pull and are not there.
func (m *Mirror) unknown(ctx context.Context) (list []tenant.Mark, err error) {
	for mark := range m.named {
		if m.met[mark] {
			continue
		}
		known, err := m.Known(ctx, mark.ID)
		if err != nil {
			return nil, err
		}
		if !known {
			list = append(list, mark)
		}
		if len(list) == maxUnknown {
			break
		}
	}
	return list, nil
}

// Known says whether somebody, or a group, is in the directory here.
func (m *Mirror) Known(ctx context.Context, id tenant.PrincipalID) (bool, error) {
	_, err := m.Tenant.User(ctx, tenant.UserID(id))
	if refusal.KindOf(err) == refusal.NotFound {
		_, err = m.Tenant.Group(ctx, tenant.GroupID(id))
	}
	if refusal.KindOf(err) == refusal.NotFound {
		return false, nil
	}
	return err == nil, err
}

func (m *Mirror) pull(ctx context.Context, c collection) (full bool, err error) {
	link, err := m.Tenant.Note(ctx, c.note)
	if err != nil {
		return false, err
	}
	if link != "" && !m.Graph.Has(link) {
		return false, fmt.Errorf(
			"this directory was read from another Microsoft Graph than %s, and the token is not sent there: "+
				"use the Graph that it was read from, or start with an empty data folder",
			m.Graph.BaseURL,
		)
	}
	again, err := m.allAgain(ctx, c.kind)
	if err != nil {
		return false, err
	}
	for try := 1; link != "" && !again && try <= maxFollows; try++ {
		pages, err := m.follow(ctx, c, link, newRound(nil))
		if err == nil {
			err = m.lookAgain(ctx, c.kind)
		}
		if err == nil && c.kind == tenant.KindUser {
			err = m.nameAgain(ctx)
		}
		if !errors.As(err, new(*lostError)) {
			return false, err
		}
		if pages == 0 { // the place of the last time, and not that of a page
			break
		}
	}
	r := newRound(&census{objects: map[string]bool{}, members: map[string]map[string]bool{}})
	_, err = m.follow(ctx, c, c.first, r)
	if err == nil {
		err = m.makeSure(ctx, r)
	}
	if err != nil {
		return true, err
	}
	return true, m.forgetUnseen(ctx, c, r.seen)
}

// maxFollows is how often a delta query begins where it has ended the last time, if its pages get
// lost on the way.
const maxFollows = 2 //bound:depth how often a delta query is begun again, before everything is read

// lostError says that a Graph does not know any more, or not yet, what a link stands for, so that
// it is of no use to follow it once more.
type lostError struct{ error }

// Unwrap returns what the Graph has said.
func (l *lostError) Unwrap() error { return l.error }

// lost marks an answer to a link of a delta query, if the link is lost. Tokens live for seven days
// and those of pages for minutes; what is answered then is a 400, 404 or 410, with codes in any
// letter case. Source: "Delta query overview", "Duration of change tracking tokens".
func lost(err error) error {
	var refused *graph.Error
	if !errors.As(err, &refused) {
		return err
	}
	gone := refused.Status == http.StatusGone
	ours := (refused.Status == http.StatusBadRequest || refused.Status == http.StatusNotFound) && refused.Code != ""
	resync := strings.EqualFold(refused.Code, "syncStateNotFound") || strings.EqualFold(refused.Code, "resyncRequired")
	if gone || ours || resync {
		return &lostError{err}
	}
	return err
}

// maxPages bounds a delta query: a million objects in the smallest pages that are met.
const maxPages = 20_000 //bound:list pages of a delta query that are read

// follow reads pages until the link for the next time, which is kept with the last page. It returns
// how many it has read.
func (m *Mirror) follow(ctx context.Context, c collection, path string, r *round) (pages int, err error) {
	been := graph.Trail{}
	for ; pages < maxPages; pages++ {
		var page graph.DeltaPage[map[string]any]
		if err := m.Graph.Do(ctx, http.MethodGet, path, nil, &page); err != nil {
			m.tellRefusal(err)
			return pages, lost(err)
		}
		m.read += len(page.Value)
		m.tell()
		next := page.NextLink
		if next == "" {
			next = page.DeltaLink
		}
		if !m.Graph.Has(next) {
			return pages, fmt.Errorf(
				"the next page is not at %s, and the token is not sent elsewhere", m.Graph.BaseURL,
			)
		}
		note := tenant.Note{}
		switch {
		case page.NextLink == "" && r.seen == nil:
			note = tenant.Note{Name: c.note, Text: next}
		case page.NextLink == "":
			r.seen.next = next
		}
		if err := m.take(ctx, c.kind, page.Value, r, note); err != nil || page.NextLink == "" {
			return pages, err
		}
		if err := been.Onward(path, next); err != nil {
			return pages, &lostError{err}
		}
		path = next
	}
	return pages, errors.New("the delta query does not end")
}

// take keeps what is on a page, in its order: an object may come more than once on it, and what
// comes later is about what has come before. The note is kept last.
func (m *Mirror) take(
	ctx context.Context, kind tenant.ObjectKind, objects []map[string]any, r *round, note tenant.Note,
) error {
	parts := apart(objects)
	for i, part := range parts {
		replica, err := m.translate(ctx, kind, part, r)
		if err != nil {
			return err
		}
		last := tenant.Note{}
		if i == len(parts)-1 && len(r.unsure) == 0 {
			last = note
		}
		if err := m.keep(ctx, replica, last); err != nil {
			return err
		}
	}
	if note.Name == "" || (len(r.unsure) == 0 && len(parts) > 0) {
		return nil
	}
	if err := m.makeSure(ctx, r); err != nil {
		return err
	}
	return m.keep(ctx, tenant.Replica{}, note)
}

// apart splits objects into parts in which none comes twice.
func apart(objects []map[string]any) (parts [][]map[string]any) {
	in, from := map[string]bool{}, 0
	for i, x := range objects {
		id, _ := x["id"].(string)
		if in[id] {
			parts, from = append(parts, objects[from:i]), i
			clear(in)
		}
		in[id] = true
	}
	if from < len(objects) {
		parts = append(parts, objects[from:])
	}
	return parts
}

// keepSize is how many changes share a transaction.
const keepSize = 1000 //bound:none how many share a transaction

// Write puts a directory from somewhere else into a tenant, so many objects at a time.
func Write(ctx context.Context, t *tenant.Tenant, all tenant.Replica) error {
	m := &Mirror{Tenant: t}
	for users := range slices.Chunk(all.Users, keepSize) {
		if err := m.keep(ctx, tenant.Replica{Users: users}, tenant.Note{}); err != nil {
			return err
		}
	}
	for groups := range slices.Chunk(all.Groups, keepSize) {
		if err := m.keep(ctx, tenant.Replica{Groups: groups}, tenant.Note{}); err != nil {
			return err
		}
	}
	return m.keep(ctx, tenant.Replica{Members: all.Members}, tenant.Note{})
}

// keep writes a page, which may have a great many members: these first, since nobody asks again for
// the members of what is here already. Its note comes last.
func (m *Mirror) keep(ctx context.Context, page tenant.Replica, note tenant.Note) error {
	members := page.Members
	if len(page.Users)+len(page.Groups)+len(members)+len(page.Gone)+len(page.Removed) == 0 {
		if note.Name == "" {
			return nil
		}
		return m.goOn(ctx, note)
	}
	if err := m.part(ctx); err != nil {
		return err
	}
	for len(members) > keepSize {
		first := tenant.Replica{Members: members[:keepSize]}
		if err := m.Tenant.Replicate(ctx, actor, first, tenant.Note{}); err != nil {
			return err
		}
		members = members[keepSize:]
	}
	page.Members = members
	return m.Tenant.Replicate(ctx, actor, page, note)
}

// translate makes of a part of a page what the directory keeps. An object has the properties that
// have changed, at least: the others stay.
func (m *Mirror) translate(
	ctx context.Context, kind tenant.ObjectKind, objects []map[string]any, in *round,
) (r tenant.Replica, err error) {
	if kind == tenant.KindUser && len(objects) > 0 {
		if in.left, err = m.Tenant.Left(ctx); err != nil {
			return r, err
		}
	}
	for _, x := range objects {
		id, _ := x["id"].(string)
		if id == "" {
			return r, errors.New("an object without an id")
		}
		mark := tenant.Mark{Kind: kind, ID: tenant.PrincipalID(id)}
		reason := removal(x)
		anew := in.seen != nil && !in.seen.objects[id] // one with many members comes on several pages
		m.meet(in, mark, reason)
		switch {
		case kind == tenant.KindUser && reason == "changed":
			r.Removed = append(r.Removed, tenant.UserID(id))
		case kind == tenant.KindUser && reason == "":
			who, err := m.come(ctx, tenant.UserID(id), x, in, anew)
			switch {
			case errors.Is(err, errNobody):
				m.met[mark], err = false, m.later(ctx, mark)
			case errors.Is(err, errLeftOut):
				err = nil
			}
			if err != nil {
				return r, err
			}
			r.Users, r.Members = append(r.Users, who.Users...), append(r.Members, who.Members...)
			r.Settled = append(r.Settled, who.Settled...)
			for _, u := range who.Users {
				if u.ManagerID != "" && x["manager@delta"] != nil {
					m.named[tenant.Mark{Kind: kind, ID: tenant.PrincipalID(u.ManagerID)}] = true
				}
			}
		case reason != "":
			r.Gone = append(r.Gone, mark)
		default:
			g, err := m.group(ctx, tenant.GroupID(id), x, in.seen, anew, nil)
			if err != nil {
				return r, err
			}
			r.Groups, r.Members = append(r.Groups, g.Groups...), append(r.Members, g.Members...)
			for _, c := range g.Members {
				if !c.Removed && !m.met[c.Member] {
					m.named[c.Member] = true
				}
			}
		}
	}
	return r, nil
}

// removal is why an object is not there any more: "changed" can be restored, "deleted" cannot; ""
// for one that is there.
func removal(x map[string]any) string {
	if x["@removed"] == nil {
		return ""
	}
	removed, _ := x["@removed"].(map[string]any)
	if removed["reason"] == "changed" {
		return "changed"
	}
	return "deleted"
}

// user merges what has come into the user as it is here; where everything is read anew, what has
// not come is not there.
func (m *Mirror) user(u tenant.User, x map[string]any, anew bool) (tenant.User, error) {
	if anew { // what cannot be read is not gone
		u = tenant.User{ID: u.ID, CreatedAt: u.CreatedAt, Enabled: u.Enabled}
	}
	u.Removed = false // it is back
	for _, t := range u.Texts() {
		if v, come := x[t.Name]; come {
			*t.Value, _ = v.(string)
		}
	}
	if v, come := x["accountEnabled"].(bool); come {
		u.Enabled = v
	}
	if list, come := x["businessPhones"].([]any); come {
		u.BusinessPhone = ""
		if len(list) > 0 {
			u.BusinessPhone, _ = list[0].(string)
		}
	}
	if extensions, come := x["onPremisesExtensionAttributes"].(map[string]any); come {
		for i := range u.Extensions {
			u.Extensions[i], _ = extensions[fmt.Sprint("extensionAttribute", i+1)].(string)
		}
	}
	if list, come := x["manager@delta"].([]any); come {
		for _, v := range list {
			boss, _ := v.(map[string]any)
			id, _ := boss["id"].(string)
			if _, left := boss["@removed"]; left {
				if u.ManagerID == tenant.UserID(id) {
					u.ManagerID = ""
				}
				continue
			}
			u.ManagerID = tenant.UserID(id)
		}
		if len(list) == 0 {
			u.ManagerID = ""
		}
	}
	if u.UserPrincipalName == "" {
		return u, fmt.Errorf("user %s has no userPrincipalName", u.ID)
	}
	if _, come := x["userPrincipalName"]; !come { // the page may give it to somebody else before
		u.UserPrincipalName = ""
	}
	return u, nil
}

// group merges what has come into the group as it is here, and says who came to it and who left it.
// One that is not here, though its members are not read anew, may have been restored: who its
// members are is asked for, unless in tells, and which groups it is a member of.
func (m *Mirror) group(
	ctx context.Context, id tenant.GroupID, x map[string]any, seen *census, anew bool, in []tenant.Change,
) (tenant.Replica, error) {
	var changes []tenant.Change
	g, err := m.Tenant.Group(ctx, id)
	switch {
	case refusal.KindOf(err) == refusal.NotFound:
		g, err = tenant.Group{ID: id, CreatedAt: m.Tenant.Now().UTC()}, nil
		if seen == nil {
			changes, err = m.around(ctx, id, in)
		}
	case err == nil && anew:
		g = tenant.Group{ID: id, CreatedAt: g.CreatedAt}
	}
	if err != nil {
		return tenant.Replica{}, err
	}
	for name, field := range map[string]*string{
		"displayName":  &g.DisplayName,
		"description":  &g.Description,
		"mailNickname": &g.MailNickname,
	} {
		if v, come := x[name]; come {
			*field, _ = v.(string)
		}
	}
	if v, come := x["securityEnabled"].(bool); come {
		g.SecurityEnabled = v
	}
	changes = append(changes, members(string(id), x, seen)...)
	return tenant.Replica{Groups: []tenant.Group{g}, Members: changes}, nil
}

// around are the members of a group, who are asked for where they are not known, and the groups
// that it is a member of, as far as that is told.
func (m *Mirror) around(ctx context.Context, id tenant.GroupID, members []tenant.Change) ([]tenant.Change, error) {
	if members == nil {
		var err error
		if members, err = m.membersOf(ctx, id); err != nil {
			return nil, err
		}
	}
	in, err := m.groupsOf(ctx, tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(id)})
	return append(members, in...), err
}

// members are the users and groups that came to a group or left it; devices and the like are no
// concern of provisioning.
func members(groupID string, x map[string]any, seen *census) (changes []tenant.Change) {
	list, _ := x["members@delta"].([]any)
	for _, v := range list {
		member, _ := v.(map[string]any)
		id, _ := member["id"].(string)
		named, _ := member["@odata.type"].(string)
		kind := kinds[named]
		_, removed := member["@removed"]
		if id == "" || (kind == "" && !removed) { // whoever leaves need not say what they are
			continue
		}
		changes = append(
			changes,
			tenant.Change{
				Mark:    tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(groupID)},
				Member:  tenant.Mark{Kind: kind, ID: tenant.PrincipalID(id)},
				Removed: removed,
			},
		)
		if seen != nil && !removed {
			if seen.members[groupID] == nil {
				seen.members[groupID] = map[string]bool{}
			}
			seen.members[groupID][id] = true
		}
	}
	return changes
}
