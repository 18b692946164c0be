package main

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/scim"
)

// ends are clients for both ends of a demo.
type ends struct {
	t     *testing.T
	d     demoOutput
	graph *graph.Client
	scim  *scim.Client
	admin *adminapi.Client
}

func newEnds(t *testing.T, d demoOutput) ends {
	t.Helper()
	ctx := context.Background()
	return ends{
		t,
		d,
		graph.NewClient(ctx, d.Tenant.GraphURL, d.Tenant.TokenURL, d.Tenant.ClientID, d.Tenant.ClientSecret, nil),
		&scim.Client{BaseURL: d.Center.SCIMEndpoint, Token: d.Center.SCIMToken},
		&adminapi.Client{
			URL:             d.Center.URL,
			Region:          d.Center.Region,
			AccessKeyID:     d.AWS.AccessKeyID,
			SecretAccessKey: d.AWS.SecretAccessKey,
		},
	}
}

// change sends a Graph request that must succeed.
func (e ends) change(method, path string, in, out any) {
	e.t.Helper()
	if err := e.graph.Do(context.Background(), method, path, in, out); err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// find looks an object up at the center; nil when there is none.
func (e ends) find(path, attribute, value string) scim.Resource {
	e.t.Helper()
	found, err := e.scim.Find(context.Background(), path, attribute, value)
	if err != nil {
		e.t.Fatalf("find %s: %v", value, err)
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func (e ends) isMember(group, user scim.Resource) bool {
	e.t.Helper()
	var list scim.ListResponse
	query := map[string][]string{
		"filter": {`id eq "` + group.String("id") + `" and members eq "` + user.String("id") + `"`},
	}
	if err := e.scim.Do(context.Background(), http.MethodGet, "/Groups", query, nil, &list); err != nil {
		e.t.Fatal(err)
	}
	return len(list.Resources) == 1
}

// soon waits for a condition at the other end.
func (e ends) soon(what string, condition func() bool) {
	e.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			e.t.Fatalf("it never came: %s", what)
		}
		time.Sleep(20 * time.Millisecond) // between two looks at the condition
	}
}

func (e ends) group(name string) graph.Group {
	e.t.Helper()
	found, err := graph.All[graph.Group](context.Background(), e.graph, "/groups"+graph.Filter("displayName", name))
	if err != nil || len(found) != 1 {
		e.t.Fatalf("group %s: %v, %v", name, found, err)
	}
	return found[0]
}

func (e ends) user(upn string) graph.User {
	e.t.Helper()
	var u graph.User
	e.change(http.MethodGet, "/users/"+upn, nil, &u)
	return u
}

func TestTheCenterFollowsTheTenant(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	const domain = "@northwind.example"
	mei, finance := e.user("mei.tanaka"+domain), e.group("Finance")

	e.change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Principal Engineer"}, nil)
	e.soon("a changed title", func() bool {
		return e.find("/Users", "userName", "mei.tanaka"+domain).String("title") == "Principal Engineer"
	})

	e.change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": ""}, nil)
	e.soon(
		"a cleared title",
		func() bool { return e.find("/Users", "userName", "mei.tanaka"+domain).String("title") == "" },
	)

	id := e.find("/Users", "userName", "mei.tanaka"+domain).String("id")
	e.change(
		http.MethodPatch, "/users/"+mei.ID,
		map[string]any{"userPrincipalName": "mei.sato" + domain, "surname": "Sato", "mail": "mei.sato" + domain}, nil,
	)
	e.soon("a new name with the old id", func() bool {
		u := e.find("/Users", "userName", "mei.sato"+domain)
		return u != nil && u.String("id") == id
	})

	e.change(
		http.MethodPost, "/groups/"+finance.ID+"/members/$ref",
		graph.Reference{ID: e.graph.BaseURL + "/directoryObjects/" + mei.ID}, nil,
	)
	e.soon("a new member", func() bool {
		return e.isMember(e.find("/Groups", "displayName", "Finance"), e.find("/Users", "userName", "mei.sato"+domain))
	})
	e.change(http.MethodDelete, "/groups/"+finance.ID+"/members/"+mei.ID+"/$ref", nil, nil)
	e.soon("a removed member", func() bool {
		return !e.isMember(e.find("/Groups", "displayName", "Finance"), e.find("/Users", "userName", "mei.sato"+domain))
	})

	e.change(http.MethodPatch, "/groups/"+finance.ID, map[string]any{"displayName": "Treasury"}, nil)
	e.soon("a renamed group", func() bool {
		return e.find("/Groups", "displayName", "Treasury") != nil && e.find("/Groups", "displayName", "Finance") == nil
	})

	e.change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"accountEnabled": false}, nil)
	e.soon("a disabled user", func() bool { return e.find("/Users", "userName", "mei.sato"+domain)["active"] == false })
	e.change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"accountEnabled": true}, nil)
	e.soon("an enabled user", func() bool { return e.find("/Users", "userName", "mei.sato"+domain)["active"] == true })

	teller := e.user("teller" + domain)
	e.change(http.MethodPatch, "/users/"+teller.ID, map[string]any{"surname": "Penn"}, nil)
	e.soon("the person who lacked a last name, in the group", func() bool {
		u := e.find("/Users", "userName", "teller"+domain)
		return u != nil && e.isMember(e.find("/Groups", "displayName", "Support"), u)
	})

	var newcomer graph.User
	e.change(
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
	e.change(http.MethodPost, "/groups/"+finance.ID+"/members/$ref", graph.Reference{ID: "x/" + newcomer.ID}, nil)
	e.soon("a newcomer by way of the group", func() bool {
		u := e.find("/Users", "userName", "new.comer"+domain)
		return u != nil && e.isMember(e.find("/Groups", "displayName", "Treasury"), u)
	})
	e.change(http.MethodDelete, "/users/"+newcomer.ID, nil, nil)
	e.soon("a deleted user", func() bool { return e.find("/Users", "userName", "new.comer"+domain) == nil })

	assignments, err := graph.All[graph.AppRoleAssignment](
		context.Background(), e.graph, "/servicePrincipals/"+d.Tenant.ServicePrincipalID+"/appRoleAssignedTo",
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range assignments {
		if a.PrincipalID == finance.ID {
			e.change(
				http.MethodDelete, "/servicePrincipals/"+d.Tenant.ServicePrincipalID+"/appRoleAssignedTo/"+a.ID, nil,
				nil,
			)
		}
	}
	e.soon("an unassigned group is gone and its people are disabled", func() bool {
		return e.find("/Groups", "displayName", "Treasury") == nil &&
			e.find("/Users", "userName", "elena.popescu"+domain)["active"] == false
	})
}

// TestAManagerWhoEntersTheScopeLate: a person's manager is sent when the manager comes to the
// target, although nothing about the person has changed; again when the manager has been deleted
// there and made anew.
func TestAManagerWhoEntersTheScopeLate(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	const domain = "@northwind.example"
	mei, finance := e.user("mei.tanaka"+domain), e.group("Finance")
	var boss graph.User
	e.change(
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
	e.change(http.MethodPut, "/users/"+mei.ID+"/manager/$ref", graph.Reference{ID: "x/" + boss.ID}, nil)
	e.change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Wizard"}, nil)
	e.soon("the person without the manager", func() bool {
		return e.find("/Users", "userName", "mei.tanaka"+domain).String("title") == "Wizard"
	})
	if e.find("/Users", "userName", "late.boss"+domain) != nil {
		t.Fatal("the manager is there too early")
	}
	managedBy := func() string {
		extension, _ := e.find("/Users", "userName", "mei.tanaka"+domain)[scim.EnterpriseURN].(map[string]any)
		manager, _ := extension["manager"].(map[string]any)
		id, _ := manager["value"].(string)
		return id
	}
	reported := func() bool {
		found := e.find("/Users", "userName", "late.boss"+domain)
		return found != nil && found.String("id") == managedBy()
	}
	e.change(http.MethodPost, "/groups/"+finance.ID+"/members/$ref", graph.Reference{ID: "x/" + boss.ID}, nil)
	e.soon("the late manager", reported)

	first := managedBy()
	if err := e.scim.Delete(context.Background(), "/Users/"+first); err != nil {
		t.Fatal(err)
	}
	e.change(http.MethodPatch, "/users/"+boss.ID, map[string]any{"jobTitle": "Director"}, nil)
	e.soon("the manager made anew", func() bool { return reported() && managedBy() != first })
}

func TestARevokedTokenQuarantinesTheJobAndANewOneLiftsIt(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	ctx := context.Background()
	tenants, err := e.admin.Tenants(ctx)
	if err != nil || len(tenants) != 1 {
		t.Fatal(tenants, err)
	}
	tokens, err := e.admin.BearerTokens(ctx, tenants[0].TenantID)
	if err != nil || len(tokens) != 1 || tokens[0].LastUsedTime == nil {
		t.Fatalf("tokens %+v, %v", tokens, err)
	}
	if err := e.admin.DeleteBearerToken(ctx, tenants[0].TenantID, tokens[0].TokenID); err != nil {
		t.Fatal(err)
	}
	mei := e.user("mei.tanaka@northwind.example")
	e.change(http.MethodPatch, "/users/"+mei.ID, map[string]any{"jobTitle": "Waiting"}, nil)
	job := "/servicePrincipals/" + d.Tenant.ServicePrincipalID + "/synchronization/jobs/" + d.Tenant.JobID
	status := func() (j graph.SynchronizationJob) { e.change(http.MethodGet, job, nil, &j); return j }
	e.soon("quarantine", func() bool { return status().Status.Code == "Quarantine" })
	if q := status().Status.Quarantine; q.Error.Code != "SystemForCrossDomainIdentityManagementInvalidCredentials" {
		t.Errorf("quarantine %+v", q.Error)
	}

	env, args := connectArgs(d, "--accept")
	code, out, errOut := call(t, "", env, args...)
	if code != exitDone {
		t.Fatalf("connect does not mend it: %d %s %s", code, out, errOut)
	}
	tokens, err = e.admin.BearerTokens(ctx, tenants[0].TenantID)
	if err != nil || len(tokens) != 1 {
		t.Errorf("tokens %+v, %v", tokens, err)
	}
	e.soon("the job is active again", func() bool { return status().Status.Code == "Active" })
	var users struct{ Users []struct{ Title string } }
	newAWS(t, d).run(
		&users, "identitystore", "list-users", "--identity-store-id", d.Center.IdentityStoreID, "--filters",
		"AttributePath=UserName,AttributeValue=mei.tanaka@northwind.example",
	)
	if len(users.Users) != 1 || users.Users[0].Title != "Waiting" {
		t.Errorf("what waited did not arrive: %+v", users)
	}
}

func TestTheAdminAPIRefusesWithReasons(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	ctx := context.Background()
	tenants, err := e.admin.Tenants(ctx)
	if err != nil {
		t.Fatal(err)
	}
	id := tenants[0].TenantID
	second, err := e.admin.CreateBearerToken(ctx, id, "")
	if err != nil || len(second.Value) < 500 {
		t.Fatalf("a second token: %v", err)
	}
	stranger := *e.admin
	stranger.SecretAccessKey = "wrong"
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a third token":         {errOf(e.admin.CreateBearerToken(ctx, id, "")), "too-many-access-tokens"},
		"disabling with tokens": {e.admin.DeleteTenant(ctx, id), "access-tokens-remain"},
		"a second endpoint":     {errOf(e.admin.CreateTenant(ctx)), "automatic-provisioning-on"},
		"broken metadata": {
			errOf(e.admin.CreateConfiguration(ctx, "<EntityDescriptor/>")), "idp-metadata-invalid",
		},
		"metadata with a DOCTYPE": {
			errOf(e.admin.CreateConfiguration(ctx, "<!DOCTYPE x><x/>")), "idp-metadata-invalid",
		},
		"enabling what is not there": {
			e.admin.EnableConfiguration(ctx, adminapi.ChangeInput{ConfigurationID: "x", Confirmation: "ACCEPT"}),
			"identity-source-not-configured",
		},
		"a change without the word": {
			e.admin.EnableConfiguration(ctx, adminapi.ChangeInput{ConfigurationID: "x", Confirmation: "yes"}),
			"confirmation-missing",
		},
		"going back under SCIM": {
			e.admin.DisableConfiguration(ctx, adminapi.ConfirmInput{Confirmation: "ACCEPT"}),
			"automatic-provisioning-on",
		},
		"a token that is not there": {e.admin.DeleteBearerToken(ctx, id, "x"), "access-token-not-found"},
		"a wrong secret":            {errOf(stranger.DescribeDirectory(ctx)), ""},
	} {
		var refused *adminapi.Error
		if c.err == nil || !asError(c.err, &refused) || refused.Reason != c.want {
			t.Errorf("%s: %v, want the reason %q", name, c.err, c.want)
		}
	}
	list, err := e.admin.BearerTokens(ctx, id)
	if err != nil || len(list) != 2 || list[0].Value != "" || list[1].Value != "" {
		t.Errorf("listed tokens %+v, %v", list, err)
	}
}

func errOf[T any](_ T, err error) error { return err }

func asError(err error, target **adminapi.Error) bool { return errors.As(err, target) }
