package syncjobs_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/scim"
)

func TestTheCenterFollowsTheTenant(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const domain = "@northwind.example"
	mei, finance := e.User("mei.tanaka"+domain), e.Group("Finance")

	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Principal Engineer"}, nil)
	e.Soon("a changed title", func() bool {
		return e.Find("/Users", "userName", "mei.tanaka"+domain).String("title") == "Principal Engineer"
	})

	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": nil}, nil)
	e.Soon(
		"a cleared title",
		func() bool { return e.Find("/Users", "userName", "mei.tanaka"+domain).String("title") == "" },
	)

	id := e.Find("/Users", "userName", "mei.tanaka"+domain).String("id")
	e.Change(
		http.MethodPatch, "/users/"+mei.ID,
		map[string]any{"userPrincipalName": "mei.sato" + domain, "surname": "Sato", "mail": "mei.sato" + domain}, nil,
	)
	e.Soon("a new name with the old id", func() bool {
		u := e.Find("/Users", "userName", "mei.sato"+domain)
		return u != nil && u.String("id") == id
	})

	e.Change(
		http.MethodPost, "/groups/"+finance.ID+"/members/$ref",
		graph.Reference{ID: e.Client.BaseURL + "/directoryObjects/" + mei.ID}, nil,
	)
	e.Soon("a new member", func() bool {
		return e.IsMember(e.Find("/Groups", "displayName", "Finance"), e.Find("/Users", "userName", "mei.sato"+domain))
	})
	e.Change(http.MethodDelete, "/groups/"+finance.ID+"/members/"+mei.ID+"/$ref", nil, nil)
	e.Soon("a removed member", func() bool {
		return !e.IsMember(e.Find("/Groups", "displayName", "Finance"), e.Find("/Users", "userName", "mei.sato"+domain))
	})

	e.Change(http.MethodPatch, "/groups/"+finance.ID, map[string]any{"displayName": "Treasury"}, nil)
	e.Soon("a renamed group", func() bool {
		return e.Find("/Groups", "displayName", "Treasury") != nil && e.Find("/Groups", "displayName", "Finance") == nil
	})

	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"accountEnabled": false}, nil)
	e.Soon("a disabled user", func() bool { return e.Find("/Users", "userName", "mei.sato"+domain)["active"] == false })
	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"accountEnabled": true}, nil)
	e.Soon("an enabled user", func() bool { return e.Find("/Users", "userName", "mei.sato"+domain)["active"] == true })

	teller := e.User("teller" + domain)
	e.Change(http.MethodPatch, "/users/"+teller.ID, map[string]any{"surname": "Penn"}, nil)
	e.Soon("the person who lacked a last name, in the group", func() bool {
		u := e.Find("/Users", "userName", "teller"+domain)
		return u != nil && e.IsMember(e.Find("/Groups", "displayName", "Support"), u)
	})

	var newcomer graph.User
	e.Change(
		http.MethodPost,
		"/users",
		map[string]any{
			"accountEnabled":    true,
			"displayName":       "New Comer",
			"givenName":         "New",
			"surname":           "Comer",
			"mailNickname":      "new",
			"userPrincipalName": "new.comer" + domain,
			"passwordProfile":   map[string]any{"password": "a long password"},
		},
		&newcomer,
	)
	e.Change(http.MethodPost, "/groups/"+finance.ID+"/members/$ref", graph.Reference{ID: "x/" + newcomer.ID}, nil)
	e.Soon("a newcomer by way of the group", func() bool {
		u := e.Find("/Users", "userName", "new.comer"+domain)
		return u != nil && e.IsMember(e.Find("/Groups", "displayName", "Treasury"), u)
	})
	e.Change(http.MethodDelete, "/users/"+newcomer.ID, nil, nil)
	e.Soon("a deleted user is disabled", func() bool {
		return e.Find("/Users", "userName", "new.comer"+domain)["active"] == false
	})
	e.Change(http.MethodDelete, "/directory/deletedItems/"+newcomer.ID, nil, nil)
	e.Soon("and gone for good", func() bool { return e.Find("/Users", "userName", "new.comer"+domain) == nil })

	assignments, err := graph.All[graph.AppRoleAssignment](
		context.Background(), e.Client, "/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/appRoleAssignedTo",
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range assignments {
		if a.PrincipalID == finance.ID {
			e.Change(
				http.MethodDelete, "/servicePrincipals/"+e.Tenant.ServicePrincipalID+"/appRoleAssignedTo/"+a.ID, nil,
				nil,
			)
		}
	}
	e.Soon("an unassigned group is gone and its people are disabled", func() bool {
		return e.Find("/Groups", "displayName", "Treasury") == nil &&
			e.Find("/Users", "userName", "elena.popescu"+domain)["active"] == false
	})
}

// TestAManagerWhoEntersTheScopeLate: a person's manager is sent when the manager comes to the
// target, although nothing about the person has changed; again when the manager has been deleted
// there and made anew.
func TestAManagerWhoEntersTheScopeLate(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const domain = "@northwind.example"
	mei, finance := e.User("mei.tanaka"+domain), e.Group("Finance")
	var boss graph.User
	e.Change(
		http.MethodPost,
		"/users",
		map[string]any{
			"accountEnabled":    true,
			"displayName":       "Late Boss",
			"givenName":         "Late",
			"surname":           "Boss",
			"mailNickname":      "late",
			"userPrincipalName": "late.boss" + domain,
			"passwordProfile":   map[string]any{"password": "a long password"},
		},
		&boss,
	)
	e.Change(http.MethodPut, "/users/"+mei.ID+"/manager/$ref", graph.Reference{ID: "x/" + boss.ID}, nil)
	e.Change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Wizard"}, nil)
	e.Soon("the person without the manager", func() bool {
		return e.Find("/Users", "userName", "mei.tanaka"+domain).String("title") == "Wizard"
	})
	if e.Find("/Users", "userName", "late.boss"+domain) != nil {
		t.Fatal("the manager is there too early")
	}
	managedBy := func() string {
		extension, _ := e.Find("/Users", "userName", "mei.tanaka"+domain)[scim.EnterpriseURN].(map[string]any)
		manager, _ := extension["manager"].(map[string]any)
		id, _ := manager["value"].(string)
		return id
	}
	reported := func() bool {
		found := e.Find("/Users", "userName", "late.boss"+domain)
		return found != nil && found.String("id") == managedBy()
	}
	e.Change(http.MethodPost, "/groups/"+finance.ID+"/members/$ref", graph.Reference{ID: "x/" + boss.ID}, nil)
	e.Soon("the late manager", reported)

	first := managedBy()
	if err := e.SCIM.Delete(context.Background(), "/Users/"+first); err != nil {
		t.Fatal(err)
	}
	e.Change(http.MethodPatch, "/users/"+boss.ID, map[string]any{"jobTitle": "Director"}, nil)
	e.Soon("the manager made anew", func() bool { return reported() && managedBy() != first })
}
