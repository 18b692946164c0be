package syncjobs_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/scim"
)

const (
	meiName = "mei.tanaka@northwind.example"
	items   = "/directory/deletedItems/"
)

// TestADeletedUserIsDisabledAndComesBack: a deleted user is disabled at the target; one who is
// restored is the same as before, in the groups of before; one who is deleted for good is deleted.
func TestADeletedUserIsDisabledAndComesBack(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei := func() scim.Resource { return e.Find("/Users", "userName", meiName) }
	inTeam := func() bool { return e.IsMember(e.Find("/Groups", "displayName", "Platform Engineering"), mei()) }
	before, user := mei(), e.User(meiName)
	e.Change(http.MethodDelete, "/users/"+user.ID, nil, nil)
	e.Soon("disabled, and in no group", func() bool { return mei()["active"] == false && !inTeam() })

	e.Change(http.MethodPost, items+user.ID+"/restore", nil, nil)
	e.Soon("restored", func() bool { return mei()["active"] == true && inTeam() })
	if mei().String("id") != before.String("id") {
		t.Error("the user was made anew")
	}

	e.Change(http.MethodDelete, "/users/"+user.ID, nil, nil)
	e.Change(http.MethodDelete, items+user.ID, nil, nil)
	e.Soon("deleted for good", func() bool { return mei() == nil })
}

// TestADeletedGroupComesBackWithItsMembers: groups cannot be disabled, so the target loses it.
func TestADeletedGroupComesBackWithItsMembers(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	finance := func() scim.Resource { return e.Find("/Groups", "displayName", "Finance") }
	elena := func() scim.Resource { return e.Find("/Users", "userName", "elena.popescu@northwind.example") }
	group := e.Group("Finance")
	e.Change(http.MethodDelete, "/groups/"+group.ID, nil, nil)
	e.Soon("the group is gone and its people are disabled", func() bool {
		return finance() == nil && elena()["active"] == false
	})
	e.Change(http.MethodPost, items+group.ID+"/restore", nil, nil)
	e.Soon("the group with its people", func() bool {
		return finance() != nil && e.IsMember(finance(), elena()) && elena()["active"] == true
	})
}

// TestANamesakeOfADeletedUser: somebody gets the name of a user who was deleted. They are somebody
// else at the target too, who has nothing of what the other one was given.
func TestANamesakeOfADeletedUser(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei := func() scim.Resource { return e.Find("/Users", "userName", meiName) }
	before, old := mei().String("id"), e.User(meiName)
	e.Change(http.MethodDelete, "/users/"+old.ID, nil, nil)
	e.Soon("disabled", func() bool { return mei()["active"] == false })
	var made graph.User
	e.Change(http.MethodPost, "/users", map[string]any{
		"accountEnabled": true, "displayName": "Other Mei", "givenName": "Other", "surname": "Mei",
		"mailNickname": "mei", "userPrincipalName": meiName,
		"passwordProfile": map[string]any{"password": "a long password"},
	}, &made)
	members := "/groups/" + e.Group("Finance").ID + "/members/$ref"
	e.Change(http.MethodPost, members, graph.Reference{ID: "x/" + made.ID}, nil)
	e.Soon("the namesake", func() bool {
		return mei() != nil && mei()["active"] == true && mei().String("externalId") == made.ID
	})
	if mei().String("id") == before {
		t.Error("the namesake has the identity of the deleted user")
	}
	e.Change(http.MethodPost, items+old.ID+"/restore",
		map[string]any{"newUserPrincipalName": "old.mei@northwind.example"}, nil)
	e.Soon("the other one under another name", func() bool {
		return e.Find("/Users", "userName", "old.mei@northwind.example")["active"] == true
	})
}

// TestWhoCannotBeDisabledIsDeleted: where the mapping of active does not disable, a deletion is one
// at once.
func TestWhoCannotBeDisabledIsDeleted(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	var schema map[string]any
	e.Change(http.MethodGet, e.JobPath()+"/schema", nil, &schema)
	unmap(schema, "active")
	e.Change(http.MethodPut, e.JobPath()+"/schema", schema, nil)
	e.Change(http.MethodDelete, "/users/"+e.User(meiName).ID, nil, nil)
	e.Soon("deleted", func() bool { return e.Find("/Users", "userName", meiName) == nil })
}

// unmap takes the mapping of a target attribute out of a schema.
func unmap(x any, target string) {
	switch x := x.(type) {
	case map[string]any:
		for name, value := range x {
			list, isList := value.([]any)
			if name != "attributeMappings" || !isList {
				unmap(value, target)
				continue
			}
			var left []any
			for _, m := range list {
				if m.(map[string]any)["targetAttributeName"] != target {
					left = append(left, m)
				}
			}
			x[name] = left
		}
	case []any:
		for _, value := range x {
			unmap(value, target)
		}
	}
}

// TestDeletedUsersAreSkippedOnRequest: with the option they keep what they have until they are
// deleted for good; without it again they are disabled.
func TestDeletedUsersAreSkippedOnRequest(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei := func() scim.Resource { return e.Find("/Users", "userName", meiName) }
	setting := e.Tenant.URL + "/admin/apps/" + e.Tenant.ApplicationID + "/deprovisioning"
	v := e.TenantAdministrator()
	v.Does(setting, map[string][]string{"deleted": {"true"}}, "The deprovisioning settings are saved.")
	e.Change(http.MethodDelete, "/users/"+e.User(meiName).ID, nil, nil)
	e.Soon("the deletion is looked at", func() bool {
		return !e.IsMember(e.Find("/Groups", "displayName", "Platform Engineering"), mei())
	})
	if mei()["active"] != true {
		t.Error("the deleted user is disabled in spite of the option")
	}
	v.Does(setting, nil, "The deprovisioning settings are saved.")
	e.Soon("disabled without the option", func() bool { return mei()["active"] == false })
}
