package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// round is one delta query, from its first page to its last one.
type round struct {
	seen   *census              // everything is read; nil: what has changed
	unsure map[tenant.Mark]bool // objects of which was said that they are there, and that they are not
}

func newRound(seen *census) *round { return &round{seen, map[tenant.Mark]bool{}} }

// meet notes what a page says of an object. Of all that can be restored, nothing is gone.
func (m *Mirror) meet(in *round, mark tenant.Mark, reason string) {
	if was, come := m.met[mark]; come && was != (reason == "") {
		in.unsure[mark] = true
	}
	m.met[mark] = reason == ""
	if in.seen != nil && (reason == "" || (reason == "changed" && mark.Kind == tenant.KindUser)) {
		in.seen.objects[string(mark.ID)] = true
	}
}

// makeSure asks for those of whom was said, in one round, that they are there and that they are
// not: the order in which that comes need not be the one in which it has happened. Whoever was
// removed at last stays so. Where the answer says something else, it may be an older one: they are
// looked at again later.
func (m *Mirror) makeSure(ctx context.Context, r *round) error {
	for mark := range r.unsure {
		page, err := m.readOne(ctx, mark)
		if err != nil {
			return err
		}
		if there := len(page.Users)+len(page.Groups) > 0; there != m.met[mark] {
			err = m.later(ctx, mark)
		}
		if err == nil && m.met[mark] {
			err = m.keep(ctx, page, tenant.Note{})
		}
		if err != nil {
			return err
		}
	}
	clear(r.unsure)
	return nil
}

// readOne reads a user or a group by itself. One that is not found may be restored.
func (m *Mirror) readOne(ctx context.Context, mark tenant.Mark) (tenant.Replica, error) {
	x, err := m.ask(ctx, mark)
	switch {
	case graph.NoResource(err) && mark.Kind == tenant.KindUser:
		return tenant.Replica{Removed: []tenant.UserID{tenant.UserID(mark.ID)}}, nil
	case graph.NoResource(err):
		return tenant.Replica{Gone: []tenant.Mark{mark}}, nil
	case err != nil:
		return tenant.Replica{}, err
	case mark.Kind == tenant.KindGroup:
		return m.group(ctx, tenant.GroupID(mark.ID), x, nil, false)
	}
	here, known, err := m.stored(ctx, tenant.UserID(mark.ID))
	if err != nil {
		return tenant.Replica{}, err
	}
	return m.arrive(ctx, here, x, known, false)
}

// stored is a user as they are here, or as they begin; known says whether they are here.
func (m *Mirror) stored(ctx context.Context, id tenant.UserID) (u tenant.User, known bool, err error) {
	u, err = m.Tenant.User(ctx, id)
	if refusal.KindOf(err) == refusal.NotFound {
		return tenant.User{ID: id, CreatedAt: m.Tenant.Now().UTC()}, false, nil
	}
	return u, err == nil, err
}

// ask asks for the properties of a user or a group.
func (m *Mirror) ask(ctx context.Context, mark tenant.Mark) (x map[string]any, err error) {
	path, names := "/users/", strings.TrimSuffix(userProperties, ",manager")
	if mark.Kind == tenant.KindGroup {
		path, names = "/groups/", strings.TrimSuffix(groupProperties, ",members")
	}
	path += url.PathEscape(string(mark.ID)) + "?$select=id," + names
	err = m.Graph.Do(ctx, http.MethodGet, path, nil, &x)
	if id, _ := x["id"].(string); err == nil && !strings.EqualFold(id, string(mark.ID)) {
		return nil, fmt.Errorf("asked for %s, it answers with %.100q", mark.ID, id)
	}
	return x, err
}

// lookLater is after what time an object is looked at again of which the source has said two
// things: what one of its servers knows, all do by then.
const lookLater = 2 * time.Minute //bound:wait a second look at an object that a Graph contradicts itself about

// noteLater is the name of the note with the objects that are looked at again.
const noteLater = "look-again"

// second is a look that is still to come.
type second struct {
	Mark tenant.Mark `json:"mark"`
	At   time.Time   `json:"at"`
}

// maxLater bounds how many are.
const maxLater = 1000 //bound:list objects that a mirror looks at again later

func (m *Mirror) toCome(ctx context.Context) (list []second, err error) {
	text, err := m.Tenant.Note(ctx, noteLater)
	if err != nil || text == "" || json.Unmarshal([]byte(text), &list) != nil {
		return nil, err
	}
	return list, nil
}

func (m *Mirror) keepLater(ctx context.Context, list []second) error {
	text, _ := json.Marshal(list) // plain fields always encode
	return m.Tenant.SetNote(ctx, tenant.Note{Name: noteLater, Text: string(text)})
}

// later has an object looked at again.
func (m *Mirror) later(ctx context.Context, mark tenant.Mark) error {
	list, err := m.toCome(ctx)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(s second) bool { return s.Mark == mark })
	list = append(list, second{mark, m.Tenant.Now().Add(lookLater)})
	return m.keepLater(ctx, list[max(0, len(list)-maxLater):])
}

// lookAgain looks at those of a kind whose time has come.
func (m *Mirror) lookAgain(ctx context.Context, kind tenant.ObjectKind) error {
	list, err := m.toCome(ctx)
	if err != nil {
		return err
	}
	now := m.Tenant.Now()
	var due []second
	for _, s := range list {
		if s.Mark.Kind == kind && (!s.At.After(now) || s.At.Sub(now) > lookLater) { // or the clock was set back
			due = append(due, s)
		}
	}
	for _, s := range due {
		if err := m.look(ctx, s.Mark); err != nil {
			return err
		}
		list, err := m.toCome(ctx) // it may be in it once more
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(x second) bool { return x.Mark == s.Mark && x.At.Equal(s.At) })
		if err := m.keepLater(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// look looks at an object, and at who is in it, or what it is in.
func (m *Mirror) look(ctx context.Context, mark tenant.Mark) error {
	page, err := m.readOne(ctx, mark)
	var more []tenant.Change
	switch {
	case err == nil && len(page.Groups) > 0:
		more, _, err = m.membersOf(ctx, tenant.GroupID(mark.ID))
	case err == nil && len(page.Users) > 0:
		more, err = m.groupsOf(ctx, tenant.UserID(mark.ID))
	}
	if err != nil {
		return err
	}
	page.Members = append(page.Members, more...)
	return m.keep(ctx, page, tenant.Note{})
}

// come is user, for one who has come. Of one who is not here all is asked for, where a delta tells
// only what has changed. So it is of one who was deleted: what comes may be told once more, from
// before, and it may be a part. It fails with errNobody when there is nobody.
func (m *Mirror) come(
	ctx context.Context, id tenant.UserID, x map[string]any, full, anew bool,
) (who tenant.Replica, err error) {
	here, known, err := m.stored(ctx, id)
	if err != nil {
		return who, err
	}
	known = known || full
	_, named := x["userPrincipalName"].(string)
	_, able := x["accountEnabled"].(bool)
	if here.Removed || (!known && (!named || !able)) {
		whole, err := m.ask(ctx, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(id)})
		switch {
		case err == nil && here.Removed:
			maps.Copy(x, whole)
		case err == nil:
			maps.Copy(whole, x)
			x = whole
		case graph.NoResource(err):
			return who, errNobody
		case !named || !refused(err) || (here.Removed && !able):
			return who, err
		}
	}
	return m.arrive(ctx, here, x, known, anew)
}

// arrive is user, for one of whom all has come that is to be known. Who was deleted, or forgotten,
// and is restored, is in the groups again in which they were.
func (m *Mirror) arrive(
	ctx context.Context, here tenant.User, x map[string]any, known, anew bool,
) (who tenant.Replica, err error) {
	u, err := m.user(here, x, anew)
	if err != nil {
		return who, err
	}
	if who.Users = []tenant.User{u}; known && !here.Removed {
		return who, nil
	}
	left, err := m.Tenant.Note(ctx, tenant.LeftNote(here.ID))
	if err == nil && (left != "" || here.Removed) {
		who.Members, err = m.groupsOf(ctx, here.ID)
	}
	return who, err
}

// errNobody says that somebody of whom something has changed is not there.
var errNobody = errors.New("there is nobody")

// refused says that a Graph does not want to answer, now and later. One that is throttled, or does
// not know who asks, or not yet of whom, says nothing like that.
func refused(err error) bool { return status(err) == http.StatusForbidden }

// status is the status of an answer that is no success; 0 is another error.
func status(err error) int {
	var e *graph.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Status
}

// untold forgives that it is not told who is in a group, or in which ones somebody is: the Graph
// does not want to, or does not know of them yet. Then they are looked at again later.
func (m *Mirror) untold(ctx context.Context, mark tenant.Mark, err error) error {
	switch {
	case refused(err):
		return nil
	case graph.NoResource(err):
		return m.later(ctx, mark)
	}
	return err
}

// groupsOf are the groups here that a user is in there.
func (m *Mirror) groupsOf(ctx context.Context, id tenant.UserID) (list []tenant.Change, err error) {
	in, err := graph.All[graph.DirectoryObject](
		ctx, m.Graph, "/users/"+url.PathEscape(string(id))+"/memberOf?$select=id&$top=999",
	)
	if err != nil {
		return nil, m.untold(ctx, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(id)}, err)
	}
	for _, g := range in {
		_, err := m.Tenant.Group(ctx, tenant.GroupID(g.ID))
		switch {
		case err == nil:
			list = append(list, tenant.Change{
				Mark:   tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(g.ID)},
				Member: tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(id)},
			})
		case refusal.KindOf(err) != refusal.NotFound:
			return nil, err
		}
	}
	return list, nil
}

// membersOf are the users and groups in a group there, if that is told.
func (m *Mirror) membersOf(ctx context.Context, id tenant.GroupID) (list []tenant.Change, told bool, err error) {
	in, err := graph.All[graph.DirectoryObject](
		ctx, m.Graph, "/groups/"+url.PathEscape(string(id))+"/members?$select=id&$top=999",
	)
	if err != nil {
		return nil, false, m.untold(ctx, tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(id)}, err)
	}
	for _, x := range in {
		if kind := kinds[x.ODataType]; kind != "" && x.ID != "" {
			list = append(list, tenant.Change{
				Mark:   tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(id)},
				Member: tenant.Mark{Kind: kind, ID: tenant.PrincipalID(x.ID)},
			})
		}
	}
	return list, true, nil
}

// kinds are the types of members that matter.
var kinds = map[string]tenant.ObjectKind{
	graph.DirectoryUserType:  tenant.KindUser,
	graph.DirectoryGroupType: tenant.KindGroup,
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
			page, err := m.readOne(ctx, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)})
			if err != nil {
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
