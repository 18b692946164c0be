package graphserver_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// officials are people by the letters of their roles; M has none.
var officials = map[string]tenant.RoleTemplateID{
	"GA": tenant.GlobalAdministrator, "GR": tenant.GlobalReader, "PR": tenant.PrivilegedRoleAdministrator,
	"UA": tenant.UserAdministrator, "HA": tenant.HelpdeskAdministrator, "GrA": tenant.GroupsAdministrator,
	"AuA": tenant.AuthenticationAdministrator,
	"AA":  tenant.ApplicationAdministrator, "CA": tenant.CloudApplicationAdministrator, "RR": tenant.ReportsReader,
	"M": "",
}

// office is a tenant with somebody for each role, and a program that has what they allow it.
type office struct {
	pairtest.Ends
	program
	config oauth2.Config
	tokens map[string]string
	ids    map[string]string
	made   int
	again  string // somebody whom the deed before this one has not changed
}

func (o *office) give(user string, role tenant.RoleTemplateID) {
	o.Change(http.MethodPost, "/roleManagement/directory/roleAssignments", map[string]any{
		"principalId": user, "roleDefinitionId": role, "directoryScopeId": "/",
	}, nil)
}

const officialPassword = "Purple horse 17!"

// newUser makes somebody, with a directory role where one is given.
func (o *office) newUser(role tenant.RoleTemplateID) (id, name string) {
	o.T.Helper()
	o.made++
	nick := fmt.Sprint("official", o.made)
	name = nick + "@northwind.example"
	var u map[string]any
	o.Change(http.MethodPost, "/users", map[string]any{
		"accountEnabled": true, "displayName": nick, "mailNickname": nick, "userPrincipalName": name,
		"passwordProfile": map[string]any{"password": officialPassword, "forceChangePasswordNextSignIn": false},
	}, &u)
	id = u["id"].(string)
	if role != "" {
		o.give(id, role)
	}
	return id, name
}

func (o *office) newGroup() string {
	o.T.Helper()
	o.made++
	var g map[string]any
	nick := fmt.Sprint("circle", o.made)
	o.Change(http.MethodPost, "/groups", map[string]any{
		"displayName": nick, "mailEnabled": false, "mailNickname": nick, "securityEnabled": true,
	}, &g)
	return g["id"].(string)
}

// newApplication makes one, and gives the ids of it and of its service principal.
func (o *office) newApplication() (id, principal string) {
	o.T.Helper()
	p := newProgram(o.Ends, "https://wiki.example/callback")
	return p.id, p.principal
}

func newOffice(t *testing.T) *office {
	t.Helper()
	e := pairtest.Start(t)
	const redirect = "https://wiki.example/callback"
	o := &office{Ends: e, program: newProgram(e, redirect), tokens: map[string]string{}, ids: map[string]string{}}
	var password map[string]any
	e.Change(http.MethodPost, "/applications/"+o.id+"/addPassword", map[string]any{}, &password)
	o.config = oauth2.Config{
		ClientID: o.appID, ClientSecret: password["secretText"].(string), RedirectURL: redirect,
		Scopes: append([]string{"User.Read"}, tenant.Permissions...),
		Endpoint: oauth2.Endpoint{
			AuthURL: strings.TrimSuffix(e.Tenant.TokenURL, "token") + "authorize", TokenURL: e.Tenant.TokenURL,
			AuthStyle: oauth2.AuthStyleInParams,
		},
	}
	for letters, role := range officials {
		id, name := o.newUser(role)
		o.ids[letters], o.tokens[letters] = id, o.signIn(id, name)
	}
	return o
}

// signIn gets a token that a person allows the program, with every permission that there is.
func (o *office) signIn(id, name string) string {
	o.T.Helper()
	v := webtest.New(o.T, nil)
	path := strings.TrimPrefix(o.config.AuthCodeURL("s"), o.Tenant.URL)
	v.Do(http.MethodPost, o.Tenant.URL+"/login", url.Values{
		"loginfmt": {name}, "passwd": {officialPassword}, "return": {path},
	})
	o.Change(http.MethodPost, "/oauth2PermissionGrants", map[string]any{
		"clientId": o.principal, "consentType": "Principal", "principalId": id, "resourceId": graphID,
		"scope": strings.Join(o.config.Scopes, " "),
	}, nil)
	answer := v.Stays().Do(http.MethodGet, o.Tenant.URL+path, nil)
	if answer.Header.Get("Location") == "" { // whoever has a role is asked
		answer = v.Stays().Do(http.MethodPost, o.Tenant.URL+path, url.Values{"answer": {"allow"}})
	}
	at, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || at.Query().Get("code") == "" {
		o.T.Fatalf("no code: %d, to %s, %v: %s", answer.Status, at, err, answer.Text)
	}
	token, err := o.config.Exchange(o.T.Context(), at.Query().Get("code"))
	if err != nil {
		o.T.Fatal(err)
	}
	return token.AccessToken
}

// as asks for somebody.
func (o *office) as(letters, method, path string, body any) (int, string) {
	o.T.Helper()
	data, err := json.Marshal(body)
	if err != nil {
		o.T.Fatal(err)
	}
	r, err := http.NewRequestWithContext(o.T.Context(), method, o.Tenant.GraphURL+path, bytes.NewReader(data))
	if err != nil {
		o.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+o.tokens[letters])
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		o.T.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(res.Body)
	if err != nil {
		o.T.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// deed is what somebody tries, on something that is made for it.
type deed struct {
	what, method string
	on           func(o *office, by string) (path string, body any)
	may          string // the letters of who may; all: everybody
}

const all = "GA GR PR UA HA AuA GrA AA CA RR M"

// onUser is a change of somebody who was made for it and has a role, or none.
func onUser(role tenant.RoleTemplateID, body func(o *office) any) func(*office, string) (string, any) {
	return func(o *office, _ string) (string, any) { return "/users/" + o.someone(role), body(o) }
}

// someone is a new user with a role, or the last one whom nobody was allowed to change: passwords
// are slow to make.
func (o *office) someone(role tenant.RoleTemplateID) string {
	o.T.Helper()
	if o.again == "" {
		o.again, _ = o.newUser(role)
	}
	return o.again
}

func fixed(path string, body any) func(*office, string) (string, any) {
	return func(*office, string) (string, any) { return path, body }
}

// phone is another number each time.
func phone(o *office) any {
	o.made++
	return map[string]any{"mobilePhone": fmt.Sprint("+1 555 0", o.made)}
}

func title(*office) any { return map[string]any{"jobTitle": "Clerk"} }

func anotherPassword(*office) any {
	return map[string]any{"passwordProfile": map[string]any{"password": "Another horse 18!"}}
}

// deeds is what the roles may. Sources: the actions of each role in "Microsoft Entra built-in
// roles", and the tables of "Who can reset passwords" and "Who can perform sensitive actions".
func deeds() []deed {
	const patch, post, remove, get = http.MethodPatch, http.MethodPost, http.MethodDelete, http.MethodGet
	const ofApplications = "GA AA CA"
	return []deed{
		{"add a user", post, func(o *office, _ string) (string, any) {
			o.made++
			nick := fmt.Sprint("added", o.made)
			return "/users", map[string]any{
				"accountEnabled": true, "displayName": nick, "mailNickname": nick,
				"userPrincipalName": nick + "@northwind.example",
				"passwordProfile":   map[string]any{"password": officialPassword},
			}
		}, "GA UA"},
		{"a member's title", patch, onUser("", title), "GA UA"},
		{"a member's phone", patch, onUser("", phone), "GA UA HA AuA"},
		{"a member's phone and title", patch, onUser("", func(o *office) any {
			body, _ := phone(o).(map[string]any)
			body["jobTitle"] = "Clerk"
			return body
		}), "GA UA"},
		{"a member's password", patch, onUser("", anotherPassword), "GA UA HA AuA"},
		{"disable a member", patch, onUser("", func(*office) any {
			return map[string]any{"accountEnabled": false}
		}), "GA UA"},
		{"an administrator's title", patch, onUser(tenant.GlobalAdministrator, title), "GA UA"},
		{"an administrator's phone", patch, onUser(tenant.GlobalAdministrator, phone), "GA"},
		{"an administrator's business phone", patch, onUser(tenant.ApplicationAdministrator, func(*office) any {
			return map[string]any{"businessPhones": []string{"+1 555 0100"}}
		}), "GA"},
		{"an administrator's password", patch, onUser(tenant.PrivilegedRoleAdministrator, anotherPassword), "GA"},
		{"disable an administrator", patch, onUser(tenant.GlobalReader, func(*office) any {
			return map[string]any{"accountEnabled": false}
		}), "GA"},
		{"rename an administrator", patch, onUser(tenant.CloudApplicationAdministrator, func(o *office) any {
			o.made++
			return map[string]any{"userPrincipalName": fmt.Sprint("renamed", o.made, "@northwind.example")}
		}), "GA"},
		{"a reports reader's password", patch, onUser(tenant.ReportsReader, anotherPassword), "GA UA HA AuA"},
		{"a helper's password", patch, onUser(tenant.HelpdeskAdministrator, anotherPassword), "GA UA HA"},
		{"a groups administrator's password", patch, onUser(tenant.GroupsAdministrator, anotherPassword), "GA UA"},
		{"a user administrator's password", patch, onUser(tenant.UserAdministrator, anotherPassword), "GA UA"},
		{"revoke a member's sessions", post, sessionsOf(""), "GA UA HA AuA"},
		{"revoke an administrator's sessions", post, sessionsOf(tenant.GlobalAdministrator), "GA"},
		{"delete a member", remove, onUser("", nothing), "GA UA"},
		{"delete an administrator", remove, onUser(tenant.GlobalReader, nothing), "GA"},
		{"restore a member", post, deletedUser("", "/restore"), "GA UA"},
		{"restore an administrator", post, deletedUser(tenant.GlobalReader, "/restore"), "GA"},
		{"delete a member for ever", remove, deletedUser("", ""), "GA UA"},
		{"a manager", http.MethodPut, func(o *office, _ string) (string, any) {
			return "/users/" + o.someone("") + "/manager/$ref", o.reference("/users/" + o.ids["M"])
		}, "GA UA"},

		{"add a group", post, func(o *office, _ string) (string, any) {
			o.made++
			nick := fmt.Sprint("circle", o.made)
			return "/groups", map[string]any{
				"displayName": nick, "mailEnabled": false, "mailNickname": nick, "securityEnabled": true,
			}
		}, "GA UA GrA"},
		{"rename a group", patch, func(o *office, _ string) (string, any) {
			return "/groups/" + o.newGroup(), map[string]any{"displayName": fmt.Sprint("Circle ", o.made)}
		}, "GA UA GrA"},
		{"a member of a group", post, func(o *office, _ string) (string, any) {
			return "/groups/" + o.newGroup() + "/members/$ref", o.reference("/directoryObjects/" + o.ids["M"])
		}, "GA UA GrA"},
		{"an owner of a group", post, func(o *office, _ string) (string, any) {
			return "/groups/" + o.newGroup() + "/owners/$ref", o.reference("/users/" + o.ids["M"])
		}, "GA UA GrA"},
		{"delete a group", remove, func(o *office, _ string) (string, any) { return "/groups/" + o.newGroup(), nil },
			"GA UA GrA"},
		{"restore a group", post, deletedGroup("/restore"), "GA UA GrA"},
		{"delete a group for ever", remove, deletedGroup(""), "GA GrA"},

		{"add an application", post, fixed("/applications", map[string]any{"displayName": "Wiki"}), ofApplications},
		{"a password of an application", post, func(o *office, _ string) (string, any) {
			id, _ := o.newApplication()
			return "/applications/" + id + "/addPassword", map[string]any{}
		}, ofApplications},
		{"delete an application", remove, func(o *office, _ string) (string, any) {
			id, _ := o.newApplication()
			return "/applications/" + id, nil
		}, ofApplications},
		{"assign an application", post, func(o *office, _ string) (string, any) {
			_, principal := o.newApplication()
			var has struct{ AppRoles []struct{ ID string } }
			o.Change(http.MethodGet, "/servicePrincipals/"+principal, nil, &has)
			return "/servicePrincipals/" + principal + "/appRoleAssignedTo", map[string]any{
				"principalId": o.ids["M"], "resourceId": principal, "appRoleId": has.AppRoles[0].ID,
			}
		}, "GA AA CA UA PR"},
		{"grant a program something", post, grantOf("Group.Read.All"), "GA AA CA UA PR"},
		{"grant a program the power over roles", post, grantOf("RoleManagement.ReadWrite.Directory"), "GA PR"},
		{"a claims policy", post, fixed("/policies/claimsMappingPolicies", map[string]any{
			"displayName": "Claims", "definition": []string{
				`{"ClaimsMappingPolicy":{"Version":1,"IncludeBasicClaimSet":"true","ClaimsSchema":[]}}`},
		}), ofApplications},
		{"read provisioning", get, jobs, "GA AA CA GR"},
		{"read the secrets of provisioning", get, secrets, ofApplications},
		{"start provisioning", post, func(o *office, _ string) (string, any) { return o.JobPath() + "/start", nil },
			ofApplications},

		{"give somebody a role", post, roleFor("M"), "GA PR"},
		{"turn security defaults off", patch, fixed("/policies/identitySecurityDefaultsEnforcementPolicy",
			map[string]any{"isEnabled": false}), "GA"},

		{"read users", get, fixed("/users", nil), all},
		{"read groups", get, fixed("/groups", nil), all},
		{"read applications", get, fixed("/applications", nil), all},
		{"read roles", get, fixed("/directoryRoles", nil), all},
		{"read grants", get, fixed("/oauth2PermissionGrants", nil), "GA GR AA CA UA PR"},
		{"read sign-ins", get, fixed("/auditLogs/signIns", nil), "GA GR RR AA CA"},
		{"read the audit log", get, fixed("/auditLogs/directoryAudits", nil), "GA GR RR AA CA"},
		{"read the provisioning log", get, fixed("/auditLogs/provisioning", nil), "GA GR RR AA CA"},
		{"read deleted users", get, fixed("/directory/deletedItems/microsoft.graph.user", nil), "GA GR UA"},
		{"read deleted groups", get, fixed("/directory/deletedItems/microsoft.graph.group", nil), "GA GR UA GrA"},
		{"read deleted applications", get, fixed("/directory/deletedItems/microsoft.graph.application", nil),
			"GA GR AA CA"},
		{"give oneself a role", post, roleFor(""), "GA PR"}, // the last: it changes what they may
	}
}

func nothing(*office) any { return nil }

func (o *office) reference(path string) any {
	return map[string]any{"@odata.id": o.Tenant.GraphURL + path}
}

func sessionsOf(role tenant.RoleTemplateID) func(*office, string) (string, any) {
	return func(o *office, _ string) (string, any) {
		return "/users/" + o.someone(role) + "/revokeSignInSessions", nil
	}
}

// deletedUser is somebody whom a Global Administrator has deleted.
func deletedUser(role tenant.RoleTemplateID, call string) func(*office, string) (string, any) {
	return func(o *office, _ string) (string, any) {
		if o.again == "" {
			path := "/users/" + o.someone(role)
			if status, text := o.as("GA", http.MethodDelete, path, nil); status != http.StatusNoContent {
				o.T.Fatal(status, text)
			}
		}
		return "/directory/deletedItems/" + o.again + call, map[string]any{}
	}
}

func deletedGroup(call string) func(*office, string) (string, any) {
	return func(o *office, _ string) (string, any) {
		id := o.newGroup()
		o.Change(http.MethodDelete, "/groups/"+id, nil, nil)
		return "/directory/deletedItems/" + id + call, map[string]any{}
	}
}

func grantOf(scope string) func(*office, string) (string, any) {
	return func(o *office, _ string) (string, any) {
		_, principal := o.newApplication()
		return "/oauth2PermissionGrants", map[string]any{
			"clientId": principal, "consentType": "AllPrincipals", "resourceId": graphID, "scope": scope,
		}
	}
}

func jobs(o *office, _ string) (string, any) {
	return o.JobPath()[:strings.LastIndexByte(o.JobPath(), '/')], nil
}

func secrets(o *office, by string) (string, any) {
	path, _ := jobs(o, by)
	return strings.TrimSuffix(path, "jobs") + "secrets", nil
}

// roleFor gives a new colleague a role, or whoever asks one that nobody has.
func roleFor(whom string) func(*office, string) (string, any) {
	return func(o *office, by string) (string, any) {
		id := o.ids[by]
		if whom != "" {
			id = o.someone("")
		}
		role := tenant.ReportsReader
		if by == "RR" {
			role = tenant.GlobalReader
		}
		return "/roleManagement/directory/roleAssignments", map[string]any{
			"principalId": id, "roleDefinitionId": role, "directoryScopeId": "/",
		}
	}
}

// TestWhatEachDirectoryRoleMayByGraph: people sign in to a program that was granted everything, and
// it may for them what their roles allow.
func TestWhatEachDirectoryRoleMayByGraph(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	for _, d := range deeds() {
		may := strings.Fields(d.may)
		o.again = ""
		for letters := range officials {
			path, body := d.on(o, letters)
			status, text := o.as(letters, d.method, path, body)
			if status/100 == 2 {
				o.again = ""
			}
			if allowed := slices.Contains(may, letters); allowed && status/100 != 2 ||
				!allowed && (status != http.StatusForbidden || !strings.Contains(text, "Authorization_RequestDenied")) {
				t.Errorf("%s: %s is answered %d %s", letters, d.what, status, text)
			}
		}
	}
}
