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
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Mirror reads another tenant.
type Mirror struct {
	Tenant   *tenant.Tenant
	Graph    *graph.Client
	Progress func(objects int) // how many have been read in this pull; may be nil

	read      int
	lookedFor bool // who has lost their name, once

	met, named map[tenant.Mark]bool // in this pull: who has come, and who was named as member or manager
}

// Pulled is what a pull has found.
type Pulled struct {
	Full    bool // everything was read
	Objects int  // that were read
	// Unknown are some of those who were named as a member or a manager and are not there: they may
	// have come between the reading of one part and of the next, and come with another pull.
	Unknown []tenant.PrincipalID
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
	var out Pulled
	for _, c := range collections {
		full, err := m.pull(ctx, c)
		if err != nil {
			return out, fmt.Errorf("read the changes of %ss: %w", strings.ToLower(string(c.kind)), err)
		}
		out.Full = out.Full || full
	}
	out.Objects = m.read
	var err error
	out.Unknown, err = m.unknown(ctx)
	return out, err
}

// maxUnknown is how many are looked for that are not there: one is enough to pull again.
const maxUnknown = 1000 //bound:list people who are named and unknown, that a pull tells of

// unknown are those who were named in this pull and are not there.
func (m *Mirror) unknown(ctx context.Context) (list []tenant.PrincipalID, err error) {
	for mark := range m.named {
		if m.met[mark] {
			continue
		}
		known, err := m.Known(ctx, mark.ID)
		if err != nil {
			return nil, err
		}
		if !known {
			list = append(list, mark.ID)
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
	if link != "" {
		if !m.Graph.Has(link) {
			return false, fmt.Errorf(
				"this directory was read from another Microsoft Graph than %s, and the token is not sent there: "+
					"use the Graph that it was read from, or start with an empty data folder",
				m.Graph.BaseURL,
			)
		}
		err := m.follow(ctx, c, link, nil)
		if err == nil && c.kind == tenant.KindUser && !m.lookedFor {
			m.lookedFor, err = m.readNameless(ctx)
		}
		var refused *graph.Error
		if !errors.As(err, &refused) ||
			(refused.Status != http.StatusGone && refused.Code != "syncStateNotFound" &&
				refused.Code != "resyncRequired") {
			return false, err
		}
	}
	seen := &census{objects: map[string]bool{}, members: map[string]map[string]bool{}}
	if err := m.follow(ctx, c, c.first, seen); err != nil {
		return true, err
	}
	return true, m.forgetUnseen(ctx, c, seen)
}

// census has the objects that were met while everything was read: all others here no longer exist
// there.
type census struct {
	objects map[string]bool
	members map[string]map[string]bool
	next    string // the link to go on by, kept when what was not met is gone
}

// maxPages bounds a delta query: a million objects in the smallest pages that are met.
const maxPages = 20_000 //bound:list pages of a delta query that are read

// follow reads pages until the link for the next time, which is kept with the last page.
func (m *Mirror) follow(ctx context.Context, c collection, path string, seen *census) error {
	for range maxPages {
		var page graph.DeltaPage[map[string]any]
		if err := m.Graph.Do(ctx, http.MethodGet, path, nil, &page); err != nil {
			return err
		}
		replica, err := m.translate(ctx, c.kind, page.Value, seen)
		if err != nil {
			return err
		}
		m.read += len(page.Value)
		if m.Progress != nil {
			m.Progress(m.read)
		}
		next := page.NextLink
		if next == "" {
			next = page.DeltaLink
		}
		if !m.Graph.Has(next) {
			return fmt.Errorf("the next page is not at %s, and the token is not sent elsewhere", m.Graph.BaseURL)
		}
		note := tenant.Note{}
		switch {
		case page.NextLink == "" && seen == nil:
			note = tenant.Note{Name: c.note, Text: next}
		case page.NextLink == "":
			seen.next = next
		}
		if len(page.Value) > 0 || note.Name != "" {
			if err := m.keep(ctx, replica, note); err != nil {
				return err
			}
		}
		if page.NextLink == "" {
			return nil
		}
		if err := graph.Onward(path, next); err != nil {
			return err
		}
		path = next
	}
	return errors.New("the delta query does not end")
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

// keep writes a page, which may have a great many members, and its note last.
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
	page.Members = nil
	for batch := range slices.Chunk(members, keepSize) {
		page.Members = batch
		if err := m.Tenant.Replicate(ctx, actor, page, tenant.Note{}); err != nil {
			return err
		}
		page = tenant.Replica{}
	}
	if len(members) > 0 && note.Name == "" {
		return nil
	}
	return m.Tenant.Replicate(ctx, actor, page, note)
}

// translate makes of a page what the directory keeps. An object has the properties that have
// changed, at least: the others stay.
func (m *Mirror) translate(
	ctx context.Context, kind tenant.ObjectKind, objects []map[string]any, seen *census,
) (r tenant.Replica, err error) {
	for _, x := range objects {
		id, _ := x["id"].(string)
		if id == "" {
			return r, errors.New("an object without an id")
		}
		reason := ""
		if removed, ok := x["@removed"].(map[string]any); ok {
			reason, _ = removed["reason"].(string)
			if reason != "changed" {
				reason = "deleted"
			}
		}
		anew := seen != nil && !seen.objects[id] // one with many members comes on several pages
		if seen != nil && reason == "" {
			seen.objects[id] = true
		}
		if reason == "" {
			m.met[tenant.Mark{Kind: kind, ID: tenant.PrincipalID(id)}] = true
		}
		switch {
		case kind == tenant.KindUser && reason == "changed":
			r.Removed = append(r.Removed, tenant.UserID(id))
		case kind == tenant.KindUser && reason == "":
			u, err := m.user(ctx, tenant.UserID(id), x, anew)
			if err != nil {
				return r, err
			}
			r.Users = append(r.Users, u)
			if u.ManagerID != "" && x["manager@delta"] != nil {
				m.named[tenant.Mark{Kind: kind, ID: tenant.PrincipalID(u.ManagerID)}] = true
			}
		case reason != "":
			r.Gone = append(r.Gone, tenant.Mark{Kind: kind, ID: tenant.PrincipalID(id)})
		default:
			g, err := m.group(ctx, tenant.GroupID(id), x, anew)
			if err != nil {
				return r, err
			}
			r.Groups = append(r.Groups, g)
			for _, c := range members(id, x, seen) {
				r.Members = append(r.Members, c)
				if !c.Removed {
					m.named[c.Member] = true
				}
			}
		}
	}
	return r, nil
}

// user merges what has come into the user as it is here; where everything is read anew, what has
// not come is not there.
func (m *Mirror) user(ctx context.Context, id tenant.UserID, x map[string]any, anew bool) (tenant.User, error) {
	u, err := m.Tenant.User(ctx, id)
	switch {
	case refusal.KindOf(err) == refusal.NotFound:
		u = tenant.User{ID: id, CreatedAt: m.Tenant.Now().UTC()}
	case err != nil:
		return u, err
	case anew:
		u = tenant.User{ID: id, CreatedAt: u.CreatedAt}
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
		return u, fmt.Errorf("user %s has no userPrincipalName", id)
	}
	if _, come := x["userPrincipalName"]; !come { // the page may give it to somebody else before
		u.UserPrincipalName = ""
	}
	return u, nil
}

// readNameless reads those again whose name somebody else has taken here, and who have not come
// with another one since: earlier releases took names of people who had them. Who is not there is
// gone, and who cannot be read is left for later: read is false. A name that is given back may be
// taken from somebody, hence the second look.
func (m *Mirror) readNameless(ctx context.Context) (read bool, err error) {
	read = true
	for range 2 {
		users, err := m.Tenant.Users(ctx, tenant.Query{Search: tenant.NameTaken, Limit: keepSize})
		if err != nil {
			return false, err
		}
		for _, u := range users {
			if u.UserPrincipalName != string(u.ID)+tenant.NameTaken {
				continue
			}
			page := tenant.Replica{Gone: []tenant.Mark{{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)}}}
			var x map[string]any
			properties := strings.TrimSuffix(userProperties, ",manager")
			path := "/users/" + url.PathEscape(string(u.ID)) + "?$select=" + properties
			err := m.Graph.Do(ctx, http.MethodGet, path, nil, &x)
			if err == nil {
				u, err = m.user(ctx, u.ID, x, false)
				page = tenant.Replica{Users: []tenant.User{u}}
			}
			var refused *graph.Error
			gone := errors.As(err, &refused) && refused.Code == "Request_ResourceNotFound"
			if err != nil && !gone {
				read = false
				continue
			}
			if err := m.keep(ctx, page, tenant.Note{}); err != nil {
				return false, err
			}
		}
	}
	return read, nil
}

func (m *Mirror) group(ctx context.Context, id tenant.GroupID, x map[string]any, anew bool) (tenant.Group, error) {
	g, err := m.Tenant.Group(ctx, id)
	switch {
	case refusal.KindOf(err) == refusal.NotFound:
		g, err = tenant.Group{ID: id, CreatedAt: m.Tenant.Now().UTC()}, nil
	case anew:
		g = tenant.Group{ID: id, CreatedAt: g.CreatedAt}
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
	return g, err
}

// members are the users and groups that came to a group or left it; devices and the like are no
// concern of provisioning.
func members(groupID string, x map[string]any, seen *census) (changes []tenant.Change) {
	list, _ := x["members@delta"].([]any)
	for _, v := range list {
		member, _ := v.(map[string]any)
		id, _ := member["id"].(string)
		kind := map[any]tenant.ObjectKind{
			graph.DirectoryUserType:  tenant.KindUser,
			graph.DirectoryGroupType: tenant.KindGroup,
		}[member["@odata.type"]]
		if id == "" || kind == "" {
			continue
		}
		_, removed := member["@removed"]
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

// forgetUnseen removes what was not met when everything was read, and keeps the link to go on by:
// if it did not come to that, everything is read again.
func (m *Mirror) forgetUnseen(ctx context.Context, c collection, seen *census) error {
	var r tenant.Replica
	kind, note := c.kind, tenant.Note{Name: c.note, Text: seen.next}
	if kind == tenant.KindUser {
		users, err := m.Tenant.Users(ctx, tenant.Query{})
		if err != nil {
			return err
		}
		for _, u := range users {
			if !seen.objects[string(u.ID)] {
				r.Gone = append(r.Gone, tenant.Mark{Kind: kind, ID: tenant.PrincipalID(u.ID)})
			}
		}
		return m.keep(ctx, r, note)
	}
	groups, err := m.Tenant.Groups(ctx, tenant.Query{})
	if err != nil {
		return err
	}
	for _, g := range groups {
		if !seen.objects[string(g.ID)] {
			r.Gone = append(r.Gone, tenant.Mark{Kind: kind, ID: tenant.PrincipalID(g.ID)})
			continue
		}
		there, err := m.Tenant.Members(ctx, g.ID)
		if err != nil {
			return err
		}
		for _, x := range there {
			if !seen.members[string(g.ID)][string(x.MemberID)] {
				r.Members = append(
					r.Members,
					tenant.Change{
						Mark:    tenant.Mark{Kind: kind, ID: tenant.PrincipalID(g.ID)},
						Member:  tenant.Mark{Kind: x.Kind, ID: x.MemberID},
						Removed: true,
					},
				)
			}
		}
	}
	return m.keep(ctx, r, note)
}

// Assignments are who is assigned to an application there, and its app roles where they matter.
func (m *Mirror) Assignments(
	ctx context.Context, there string, withRoles bool,
) (holders []tenant.Holder, roles []tenant.Role, err error) {
	var app graph.ServicePrincipal
	path := "/servicePrincipals/" + url.PathEscape(there)
	if withRoles {
		if err := m.Graph.Do(ctx, http.MethodGet, path+"?$select=id,appRoles", nil, &app); err != nil {
			return nil, nil, fmt.Errorf("read the app roles: %w", err)
		}
	}
	roles = make([]tenant.Role, len(app.AppRoles))
	for i, r := range app.AppRoles {
		roles[i] = tenant.Role{ID: tenant.AppRoleID(r.ID), DisplayName: r.DisplayName, Disabled: !r.IsEnabled}
		if r.Value != nil {
			roles[i].Value = *r.Value
		}
	}
	list, err := graph.All[graph.AppRoleAssignment](ctx, m.Graph, path+"/appRoleAssignedTo?$top=999")
	if err != nil {
		return nil, nil, fmt.Errorf("read the assignments: %w", err)
	}
	holders = make([]tenant.Holder, 0, len(list))
	for _, a := range list {
		if a.PrincipalType != "ServicePrincipal" {
			h := tenant.Holder{Principal: tenant.PrincipalID(a.PrincipalID)}
			if withRoles {
				h.Role = tenant.AppRoleID(a.AppRoleID)
			}
			holders = append(holders, h)
		}
	}
	return holders, roles, nil
}
