package graphserver

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// deletedItemCalls are the calls on what was deleted and can be restored. The cast to a type is a
// part of the address that lists need.
//
// Sources: directory resource type; List deletedItems, Get, Restore and Permanently delete item.
func (h *Handler) deletedItemCalls() []route {
	calls := []route{
		{"DELETE /applications/{id}", toChangeApplications, noOptions, h.deleteApplication},
		{"DELETE /servicePrincipals/{id}", toChangeApplications, noOptions, h.deleteApplication},
	}
	const items = "/directory/deletedItems"
	calls = append(calls,
		route{"GET " + items + "/{id}", toReadDeletedItems, ofOne, h.getDeletedItem},
		route{"DELETE " + items + "/{id}", toChangeDeletedItems, noOptions, h.hardDelete},
		route{"POST " + items + "/{id}/restore", toChangeDeletedItems, noOptions, h.restore},
	)
	for _, t := range deletedTypes {
		cast := items + "/" + strings.TrimPrefix(t.odata, "#")
		calls = append(calls,
			route{"GET " + cast, t.toRead, ofList, h.deletedList(t, h.list)},
			route{"GET " + cast + "/$count", t.toRead, ofCount, h.deletedList(t, h.countOf)},
			route{"GET " + cast + "/{id}", t.toRead, ofOne, h.getDeletedItem},
		)
	}
	return calls
}

// deletedType is a type of deleted object.
type deletedType struct {
	kind             tenant.ObjectKind
	odata            string
	toRead, toChange needs
	resource         func() *resource
	defaults         properties
	object           func(tenant.DeletedItem) object
}

// deletedTypes are the types that are kept, in the order in which an item that is two of them is
// one. Source of the permissions: "Restore deleted item", "List deletedItems"; people who are no
// administrators may not look at them.
var deletedTypes = []deletedType{
	{
		tenant.KindUser, graph.DirectoryUserType,
		ofAdministrators("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All").
			orOf(tenant.GlobalReader, tenant.UserAdministrator),
		toDeleteUsers,
		deletedResource(userType), append(properties{"deletedDateTime"}, userDefaults...), deletedUser,
	},
	{
		tenant.KindGroup, graph.DirectoryGroupType,
		ofAdministrators("Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All").
			orOf(tenant.GlobalReader, tenant.UserAdministrator, tenant.GroupsAdministrator),
		toChangeGroups,
		deletedResource(groupType), nil, func(i tenant.DeletedItem) object { return groupObject(*i.Group) },
	},
	{
		tenant.KindApplication, "#microsoft.graph.application",
		ofAdministrators("Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All").
			orOf(append(applicationRoles, tenant.GlobalReader)...),
		toChangeApplications,
		deletedResource(applicationType), nil, func(i tenant.DeletedItem) object {
			return objects([]graph.Application{applicationToWire(*i.Application)})[0]
		},
	},
	{
		tenant.KindApplication, "#microsoft.graph.servicePrincipal",
		ofAdministrators("Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All").
			orOf(append(applicationRoles, tenant.GlobalReader)...),
		toChangeApplications,
		deletedResource(principalType), nil, func(i tenant.DeletedItem) object {
			return objects([]graph.ServicePrincipal{principalToWire(*i.Application)})[0]
		},
	},
}

// What the calls need that find out what an item is. The right permission is asked for then.
var (
	toReadDeletedItems   = anyOf(func(t deletedType) needs { return t.toRead })
	toChangeDeletedItems = anyOf(func(t deletedType) needs { return t.toChange })
)

func anyOf(needed func(deletedType) needs) needs {
	var all needs
	for _, t := range deletedTypes {
		all.permissions = append(all.permissions, needed(t).permissions...)
		all.roles = append(all.roles, needed(t).roles...)
	}
	slices.Sort(all.permissions)
	slices.Sort(all.roles)
	all.permissions, all.roles = slices.Compact(all.permissions), slices.Compact(all.roles)
	return all
}

// deletedResource is a type with the time of the deletion, and without relations.
func deletedResource(of func() *resource) func() *resource {
	return sync.OnceValue(func() *resource {
		t := *of()
		t.Properties = maps.Clone(t.Properties)
		t.Properties["deletedDateTime"] = graph.Property{Kind: graph.Moment}
		t.relations = nil
		return &t
	})
}

// deletedUser is a user whose name is free for others: the object id stands before it.
func deletedUser(i tenant.DeletedItem) object {
	x := userObject(*i.User)
	x["userPrincipalName"] = strings.ReplaceAll(i.ID, "-", "") + i.User.UserPrincipalName
	return x
}

// of is a deleted item as an object of a type.
func (t deletedType) of(i tenant.DeletedItem) object {
	x := t.object(i)
	x["deletedDateTime"] = i.DeletedAt.Format(time.RFC3339)
	return x
}

// deletedList serves the collection of the deleted objects of a type. Its properties are looked up
// when somebody asks.
func (h *Handler) deletedList(t deletedType, serve func(collection) call) call {
	return func(ctx context.Context, r request) (int, any, error) { return serve(h.deletedItems(t))(ctx, r) }
}

// deletedItems is the collection of the deleted objects of a type.
func (h *Handler) deletedItems(t deletedType) collection {
	return collection{
		after: func(ctx context.Context, _ query) func(after string, limit int) ([]object, error) {
			return func(after string, limit int) (list []object, err error) {
				items, err := h.Tenant.DeletedItems(ctx, t.kind, after, limit)
				for _, i := range items {
					list = append(list, t.of(i))
				}
				return list, err
			}
		},
		count:    func(ctx context.Context) (int, error) { return h.Tenant.CountDeletedItems(ctx, t.kind) },
		defaults: t.defaults,
		resource: t.resource(),
	}
}

// deletedItem finds an item and its type, for a caller who may do something with it.
func (h *Handler) deletedItem(
	ctx context.Context, r request, needed func(deletedType) needs,
) (i tenant.DeletedItem, t deletedType, err error) {
	id := r.PathValue("id")
	if i, err = h.Tenant.DeletedItem(ctx, id); err != nil {
		return i, t, err
	}
	for _, t = range deletedTypes {
		if t.kind == i.Kind && (id == i.ID) == (t.odata != "#microsoft.graph.servicePrincipal") {
			break
		}
	}
	if !needed(t).allow(r.caller) {
		err = h.Tenant.Refuse(ctx, r.by, r.Method+" "+r.URL.Path, id, &refusal.Error{Code: tenant.NotAllowed})
	}
	return i, t, err
}

func (h *Handler) getDeletedItem(ctx context.Context, r request) (int, any, error) {
	i, t, err := h.deletedItem(ctx, r, func(t deletedType) needs { return t.toRead })
	if err != nil {
		return 0, nil, err
	}
	if cast := strings.Split(r.URL.Path, "/")[4]; cast != i.ID && cast != r.PathValue("id") &&
		cast != strings.TrimPrefix(t.odata, "#") {
		return 0, nil, &refusal.Error{Code: tenant.DeletedItemNotFound, Subject: r.PathValue("id")}
	}
	o, err := options(r, t.resource())
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, o.shape(typed(t.of(i), t.odata), t.defaults), nil
}

// deleteApplication deletes an application with its service principal. To delete the application
// after its service principal, as programs do that made both, changes nothing more.
func (h *Handler) deleteApplication(ctx context.Context, r request) (int, any, error) {
	a, err := h.application(ctx, r)
	if err != nil {
		id := r.PathValue("id")
		i, e := h.Tenant.DeletedItem(ctx, id)
		if e == nil && i.Application != nil && string(i.Application.ID) == id && !r.ofPrincipal() {
			return http.StatusNoContent, nil, nil
		}
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.Tenant.DeleteApplication(ctx, r.by, tenant.AnyApplicationID(a.ID))
}

func (h *Handler) hardDelete(ctx context.Context, r request) (int, any, error) {
	i, _, err := h.deletedItem(ctx, r, func(t deletedType) needs { return t.toChange })
	if err != nil {
		return 0, nil, err
	}
	return http.StatusNoContent, nil, h.Tenant.HardDelete(ctx, r.by, i.ID)
}

// restore brings an item back. An application and its service principal come back together: to ask
// for the second as well, as programs must of Entra, changes nothing.
func (h *Handler) restore(ctx context.Context, r request) (int, any, error) {
	var in struct {
		NewUserPrincipalName        string `json:"newUserPrincipalName"`
		AutoReconcileProxyConflict  bool   `json:"autoReconcileProxyConflict"` // nobody has proxy addresses
		AutoReconcileProxyConflicts bool   `json:"autoReconcileProxyConflicts"`
	}
	if r.ContentLength != 0 {
		if err := decode(r, &in); err != nil {
			return 0, nil, err
		}
	}
	i, t, err := h.deletedItem(ctx, r, func(t deletedType) needs { return t.toChange })
	if refusal.CodeOf(err) == tenant.DeletedItemNotFound {
		return h.restoredWith(ctx, r, err)
	}
	if err != nil {
		return 0, nil, err
	}
	if in.NewUserPrincipalName != "" && i.User == nil {
		return 0, nil, badRequest("Only a user can be restored under a new userPrincipalName.")
	}
	if i, err = h.Tenant.Restore(ctx, r.by, i.ID, in.NewUserPrincipalName); err != nil {
		return 0, nil, err
	}
	x := t.object(i)
	if i.User != nil {
		x = userObject(*i.User)
	}
	return http.StatusOK, typed(t.defaults.shape(x, nil), t.odata), nil
}

// restoredWith answers for the half of an application that came back with the other one.
func (h *Handler) restoredWith(ctx context.Context, r request, missing error) (int, any, error) {
	a, err := h.application(ctx, r)
	if refusal.KindOf(err) == refusal.NotFound || !toChangeApplications.allow(r.caller) {
		return 0, nil, missing
	}
	if err != nil {
		return 0, nil, err
	}
	if r.PathValue("id") == string(a.ServicePrincipalID) {
		return http.StatusOK, typed(objects([]graph.ServicePrincipal{principalToWire(a)})[0],
			"#microsoft.graph.servicePrincipal"), nil
	}
	return 0, nil, missing
}
