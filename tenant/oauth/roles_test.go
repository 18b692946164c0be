package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/gatehouse-id/gatehouse/graph"
)

const (
	globalAdministrator = "62e90394-69f5-4237-9190-012177145e10"
	userAdministrator   = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	privilegedRoles     = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	cloudApplications   = "158c047a-c907-4556-b7ef-446551a6b5f7"
	globalReader        = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	personsPassword     = "a long password"
)

// program is Graph for the tenant's own client.
func (s *secureTenant) program() *graph.Client {
	s.t.Helper()
	secret, err := azidentity.NewClientSecretCredential(s.id, s.clientID, s.secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: s.options(), DisableInstanceDiscovery: true})
	if err != nil {
		s.t.Fatal(err)
	}
	g, err := s.token(secret, defaultScope)
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

// person makes somebody.
func (s *secureTenant) person(g *graph.Client, name string) graph.User {
	s.t.Helper()
	var u graph.User
	if err := g.Do(context.Background(), http.MethodPost, "/users", newPerson(name), &u); err != nil {
		s.t.Fatal(err)
	}
	return u
}

func newPerson(name string) map[string]any {
	return map[string]any{
		"accountEnabled": true, "displayName": name, "mailNickname": name, "userPrincipalName": upnOf(name),
		"passwordProfile": map[string]any{"password": personsPassword},
	}
}

func upnOf(name string) string { return name + "@northwind.example" }

// as is Graph for somebody who has allowed the Azure CLI to act for them.
func (s *secureTenant) as(name string) *graph.Client {
	s.t.Helper()
	code, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
		ClientOptions: s.options(), DisableInstanceDiscovery: true, TenantID: s.id,
		UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
			s.post("/login", url.Values{
				"loginfmt": {upnOf(name)}, "passwd": {personsPassword}, "return": {"/devicelogin"},
			})
			s.post("/devicelogin", url.Values{"code": {m.UserCode}, "answer": {"allow"}})
			return nil
		}})
	if err != nil {
		s.t.Fatal(err)
	}
	g, err := s.token(code, defaultScope)
	if err != nil {
		s.t.Fatal(err)
	}
	return g
}

// try says how Graph answers: "" is yes, else the code.
func try(g *graph.Client, method, path string, in any) string {
	err := g.Do(context.Background(), method, path, in, nil)
	var failed *graph.Error
	if errors.As(err, &failed) {
		return failed.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

const roleAssignments = "/roleManagement/directory/roleAssignments"

func assignment(u graph.User, role string) map[string]any {
	return map[string]any{"principalId": u.ID, "roleDefinitionId": role, "directoryScopeId": "/"}
}

// TestDirectoryRolesDecideWhatProgramsMayDoForPeople: what a delegated token is good for goes by
// the person's roles as they are now, and nobody gets further than that.
func TestDirectoryRolesDecideWhatProgramsMayDoForPeople(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	app := s.program()
	ada, bob := s.person(app, "ada"), s.person(app, "bob")
	carl, dora := s.person(app, "carl"), s.person(app, "dora")
	eve, greta := s.person(app, "eve"), s.person(app, "greta")
	s.person(app, "frank")
	for _, in := range []map[string]any{
		assignment(ada, globalAdministrator), assignment(bob, userAdministrator), assignment(carl, cloudApplications),
		assignment(dora, privilegedRoles), assignment(eve, globalReader),
	} {
		if code := try(app, http.MethodPost, roleAssignments, in); code != "" {
			t.Fatalf("assign %v: %s", in, code)
		}
	}
	password := map[string]any{"passwordProfile": map[string]any{"password": "another long password"}}
	const denied = "Authorization_RequestDenied"
	asks := map[string][]struct {
		method, path string
		in           any
		want         string
	}{
		"frank": {
			{http.MethodGet, "/directoryRoles", nil, ""},
			{http.MethodPost, "/users", newPerson("x1"), denied},
			{http.MethodPost, roleAssignments, assignment(bob, globalReader), denied},
			{http.MethodGet, "/auditLogs/signIns", nil, denied},
		},
		"bob": {
			{http.MethodPost, "/users", newPerson("x2"), ""},
			{http.MethodPatch, "/users/" + upnOf("frank"), map[string]any{"jobTitle": "Clerk"}, ""},
			{http.MethodPatch, "/users/" + upnOf("ada"), password, denied},
			{http.MethodPatch, "/users/" + upnOf("dora"), map[string]any{"accountEnabled": false}, denied},
			{http.MethodPatch, "/users/" + upnOf("ada"), map[string]any{"userPrincipalName": upnOf("x9")}, denied},
			{http.MethodDelete, "/users/" + ada.ID, nil, denied},
			{http.MethodPost, "/users/" + ada.ID + "/revokeSignInSessions", nil, denied},
			{http.MethodPost, roleAssignments, assignment(bob, globalAdministrator), denied},
			{http.MethodPost, "/directoryRoles/" + globalAdministrator + "/members/$ref",
				graph.Reference{ID: "x/" + bob.ID}, denied},
			{http.MethodPost, "/applicationTemplates/21ed01d2-ec13-4e9e-86c1-cd546719ebc4/instantiate",
				map[string]any{"displayName": "x"}, denied},
			{http.MethodGet, "/auditLogs/directoryAudits", nil, denied},
		},
		"carl": {
			{http.MethodPost, "/applicationTemplates/21ed01d2-ec13-4e9e-86c1-cd546719ebc4/instantiate",
				map[string]any{"displayName": "AWS"}, ""},
			{http.MethodPost, "/users", newPerson("x3"), denied},
			{http.MethodGet, "/auditLogs/provisioning", nil, ""},
		},
		"dora": {
			{http.MethodPost, "/users", newPerson("x4"), denied},
			{http.MethodDelete, "/users/" + bob.ID, nil, denied},
			{http.MethodPost, roleAssignments, assignment(dora, globalAdministrator), ""},
		},
		"eve": {
			{http.MethodGet, "/auditLogs/signIns", nil, ""},
			{http.MethodGet, "/directory/deletedItems/microsoft.graph.user", nil, ""},
			{http.MethodPost, "/users", newPerson("x5"), denied},
			{http.MethodDelete, "/users/" + upnOf("frank"), nil, denied},
		},
		"ada": {
			{http.MethodPost, roleAssignments, assignment(greta, userAdministrator), ""},
			{http.MethodPatch, "/users/" + upnOf("dora"), password, ""},
		},
	}
	// Ada is the last: after her, Dora has another password.
	for _, name := range []string{"frank", "bob", "carl", "dora", "eve", "ada"} {
		g := s.as(name)
		for _, x := range asks[name] {
			if got := try(g, x.method, x.path, x.in); got != x.want {
				t.Errorf("%s: %s %s: %q, want %q", name, x.method, x.path, got, x.want)
			}
		}
	}
	for _, path := range []string{"/users/" + ada.ID, "/users/" + bob.ID} { // a program alone
		if code := try(app, http.MethodDelete, path, nil); code != denied {
			t.Errorf("a program deletes an administrator: %q", code)
		}
	}
	// What a token was good for ends with the role.
	bobs := s.as("bob")
	var list graph.Page[map[string]any]
	if err := app.Do(context.Background(), http.MethodGet,
		roleAssignments+"?$filter="+url.QueryEscape("principalId eq '"+bob.ID+"'"), nil, &list); err != nil ||
		len(list.Value) != 1 {
		t.Fatalf("assignments of one person: %v, %v", list.Value, err)
	}
	if code := try(app, http.MethodDelete, roleAssignments+"/"+list.Value[0]["id"].(string), nil); code != "" {
		t.Fatal(code)
	}
	if code := try(bobs, http.MethodPost, "/users", newPerson("x6")); code != denied {
		t.Errorf("with the role of before: %q", code)
	}
	carls := s.as("carl")
	disabled := map[string]any{"accountEnabled": false}
	if code := try(s.as("ada"), http.MethodPatch, "/users/"+carl.ID, disabled); code != "" {
		t.Fatal(code)
	}
	if code := try(carls, http.MethodGet, "/users", nil); code != "InvalidAuthenticationToken" {
		t.Errorf("with the token of a disabled administrator: %q", code)
	}
}
