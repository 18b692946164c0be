package mirror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// tell says that the Graph has answered, which may be long after the last page of a delta query.
func (m *Mirror) tell() {
	if m.Progress != nil {
		m.Progress(m.read)
	}
}

// tellRefusal says that the Graph has answered with an error; one of the way to it is no answer.
func (m *Mirror) tellRefusal(err error) {
	if errors.As(err, new(*graph.Error)) {
		m.tell()
	}
}

// get asks for one object.
func (m *Mirror) get(ctx context.Context, path string, out any) error {
	err := m.Graph.Do(ctx, http.MethodGet, path, nil, out)
	if m.tellRefusal(err); err == nil {
		m.tell()
	}
	return err
}

// list reads the pages of a list, which is never nil.
func list[T any](ctx context.Context, m *Mirror, path string) (all []T, err error) {
	all = []T{}
	err = graph.Pages(ctx, m.Graph, path, func(page []T) {
		all = append(all, page...)
		m.tell()
	})
	m.tellRefusal(err)
	return all, err
}

// readOne reads a user or a group by itself. One that is not found may be restored. whole says that
// a user comes with the groups that they are in and their manager, also where they were here
// before. in is who is in a group, where that was asked for already. It fails with errLeftOut where
// the pull goes on without it.
func (m *Mirror) readOne(
	ctx context.Context, mark tenant.Mark, whole bool, in []tenant.Change,
) (tenant.Replica, error) {
	x, err := m.ask(ctx, mark)
	switch {
	case graph.NoResource(err) && mark.Kind == tenant.KindUser:
		return tenant.Replica{Removed: []tenant.UserID{tenant.UserID(mark.ID)}}, nil
	case graph.NoResource(err):
		return tenant.Replica{Gone: []tenant.Mark{mark}}, nil
	case err != nil:
		return tenant.Replica{}, m.leaveOut(ctx, mark, err)
	case mark.Kind == tenant.KindGroup:
		return m.group(ctx, tenant.GroupID(mark.ID), x, nil, false, in)
	}
	here, _, err := m.stored(ctx, tenant.UserID(mark.ID))
	if err != nil {
		return tenant.Replica{}, err
	}
	if !whole {
		left, err := m.Tenant.Left(ctx)
		if whole = left[here.ID]; err != nil {
			return tenant.Replica{}, err
		}
	}
	return m.arrive(ctx, here, x, false, whole)
}

// stored is a user as they are here, or as they begin; known says whether they are here.
func (m *Mirror) stored(ctx context.Context, id tenant.UserID) (u tenant.User, known bool, err error) {
	u, err = m.Tenant.User(ctx, id)
	if refusal.KindOf(err) == refusal.NotFound {
		return tenant.User{ID: id, CreatedAt: m.Tenant.Now().UTC()}, false, nil
	}
	return u, err == nil, err
}

// pathOf is where a Graph has an object.
func pathOf(mark tenant.Mark) string {
	return "/" + strings.ToLower(string(mark.Kind)) + "s/" + url.PathEscape(string(mark.ID))
}

// ask asks for the properties of a user or a group.
func (m *Mirror) ask(ctx context.Context, mark tenant.Mark) (x map[string]any, err error) {
	names := strings.TrimSuffix(userProperties, ",manager")
	if mark.Kind == tenant.KindGroup {
		names = strings.TrimSuffix(groupProperties, ",members")
	}
	err = m.get(ctx, pathOf(mark)+"?$select=id,"+names, &x)
	if id, _ := x["id"].(string); err == nil && !strings.EqualFold(id, string(mark.ID)) {
		return nil, fmt.Errorf("asked for %s, it answers with %.100q", mark.ID, id)
	}
	return x, err
}

// refused says that a Graph does not want to answer, now and later. One that is throttled, or does
// not know who asks, or not yet of whom, says nothing like that.
func refused(err error) bool {
	var e *graph.Error
	return errors.As(err, &e) && e.Status == http.StatusForbidden
}

// untold forgives that it is not told who is in a group, in which ones somebody is, or who their
// manager is: the Graph does not want to, does not know of them yet, or cannot. Then they are
// looked at again later, unless it does not want to.
func (m *Mirror) untold(ctx context.Context, mark tenant.Mark, err error) error {
	switch {
	case refused(err):
		return nil
	case graph.NoResource(err):
		return m.later(ctx, mark)
	}
	if err = m.leaveOut(ctx, mark, err); errors.Is(err, errLeftOut) {
		return nil
	}
	return err
}

// objects are those of a list of a user or a group; nil: that is not told.
func (m *Mirror) objects(
	ctx context.Context, mark tenant.Mark, which string,
) (all []graph.DirectoryObject, err error) {
	if all, err = list[graph.DirectoryObject](ctx, m, pathOf(mark)+which+"?$select=id&$top=999"); err != nil {
		return nil, m.untold(ctx, mark, err)
	}
	return all, nil
}

// groupsOf are the groups here that a user or a group is in there; nil: that is not told.
func (m *Mirror) groupsOf(ctx context.Context, mark tenant.Mark) (list []tenant.Change, err error) {
	in, err := m.objects(ctx, mark, "/memberOf")
	if in != nil {
		list = []tenant.Change{}
	}
	for _, g := range in {
		_, err := m.Tenant.Group(ctx, tenant.GroupID(g.ID))
		switch {
		case err == nil:
			list = append(list, tenant.Change{
				Mark: tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(g.ID)}, Member: mark,
			})
		case refusal.KindOf(err) != refusal.NotFound:
			return nil, err
		}
	}
	return list, err
}

// membersOf are the users and groups in a group there; nil: that is not told.
func (m *Mirror) membersOf(ctx context.Context, id tenant.GroupID) (list []tenant.Change, err error) {
	group := tenant.Mark{Kind: tenant.KindGroup, ID: tenant.PrincipalID(id)}
	in, err := m.objects(ctx, group, "/members")
	if in != nil {
		list = []tenant.Change{}
	}
	for _, x := range in {
		if kind := kinds[x.ODataType]; kind != "" && x.ID != "" {
			list = append(list, tenant.Change{
				Mark: group, Member: tenant.Mark{Kind: kind, ID: tenant.PrincipalID(x.ID)},
			})
		}
	}
	return list, err
}

// kinds are the types of members that matter.
var kinds = map[string]tenant.ObjectKind{
	graph.DirectoryUserType:  tenant.KindUser,
	graph.DirectoryGroupType: tenant.KindGroup,
}

// managerOf is who manages a user there, or nobody; nil: that is not told. Who has none is answered
// as who is not there, so that counts only of a user who is known there, by another answer.
func (m *Mirror) managerOf(ctx context.Context, id tenant.UserID, known bool) (*tenant.UserID, error) {
	user := tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(id)}
	var x graph.DirectoryObject
	err := m.get(ctx, pathOf(user)+"/manager?$select=id", &x)
	switch {
	case err != nil && !graph.NoResource(err):
		return nil, m.untold(ctx, user, err)
	case err == nil && x.ID == "", err != nil && !known:
		return nil, nil //nolint:nilnil // it is not told
	}
	boss := tenant.UserID(x.ID)
	return &boss, nil
}

// rejoin asks for the groups and the manager of a user who was away, or of whom it is not known
// what they are: no delta tells them again. The note that they were away goes when both were told.
// A server that does not know their groups yet does not know their manager either: both are asked
// for again then.
func (m *Mirror) rejoin(ctx context.Context, u *tenant.User, withManager bool, who *tenant.Replica) error {
	in, err := m.groupsOf(ctx, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)})
	if who.Members = append(who.Members, in...); err != nil {
		return err
	}
	boss := &u.ManagerID
	if withManager {
		if boss, err = m.managerOf(ctx, u.ID, in != nil); err != nil {
			return err
		}
	}
	if boss != nil {
		u.ManagerID = *boss
	}
	if in != nil && boss != nil {
		who.Settled = append(who.Settled, u.ID)
	}
	return nil
}
