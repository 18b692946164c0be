package graphserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestWhatIsWrittenIsKept reads back what was acknowledged.
func TestWhatIsWrittenIsKept(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
	mei, ben := e.User("mei.tanaka@northwind.example"), e.User("ben.oneill@northwind.example")
	data := e.Group("Data")
	at := e.Client.BaseURL
	var made graph.Group
	e.Change(http.MethodPost, "/groups", map[string]any{
		"displayName": "Bound", "mailNickname": "bound", "mailEnabled": false, "securityEnabled": true,
		"members@odata.bind": []string{at + "/users/" + mei.ID, at + "/directoryObjects('" + data.ID + "')"},
		"owners@odata.bind":  []string{at + "/users/" + ben.ID},
	}, &made)
	group := "/groups/" + made.ID
	members := []string{mei.ID, data.ID}
	slices.Sort(members)
	if got := e.List(group+"/members", "id"); !slices.Equal(got, members) {
		t.Errorf("members %v, want %v", got, members)
	}
	if got := e.List(group+"/owners", "id"); !slices.Equal(got, []string{ben.ID}) {
		t.Errorf("owners %v", got)
	}
	changes := map[string]any{
		"displayName": "Renamed", "description": "What it is for", "mailNickname": "renamed", "securityEnabled": false,
	}
	e.Change(http.MethodPatch, group, changes, nil)
	kept(e, group, changes)
	person := map[string]any{
		"displayName": "May", "givenName": "May", "surname": "T", "jobTitle": "Fellow", "department": "D",
		"employeeId": "42", "mobilePhone": "+49 1", "businessPhones": []any{"+49 2"}, "companyName": "C",
		"officeLocation": "O", "streetAddress": "S 1", "city": "Berlin", "state": "BE", "postalCode": "10115",
		"country": "Germany", "usageLocation": "DE", "userType": "Guest", "preferredLanguage": "de-DE",
		"mail": "may@northwind.example", "mailNickname": "may", "accountEnabled": false,
	}
	e.Change(http.MethodPatch, "/users/mei.tanaka@northwind.example", person, nil)
	kept(e, "/users/"+mei.ID, person)
	e.Change(http.MethodPut, "/users/ben.oneill@northwind.example/manager/$ref", graph.Reference{
		ID: at + "/users('" + mei.ID + "')",
	}, nil)
	var manager graph.User
	if e.Change(http.MethodGet, "/users/"+ben.ID+"/manager", nil, &manager); manager.ID != mei.ID {
		t.Errorf("the manager is %+v", manager)
	}
	e.Change(http.MethodDelete, "/users/ben.oneill@northwind.example/manager/$ref", nil, nil)
	e.Change(http.MethodDelete, "/users/ben.oneill@northwind.example", nil, nil)
	if status, _, _ := e.Ask(http.MethodGet, "/users/"+ben.ID, nil); status != http.StatusNotFound {
		t.Errorf("a user who was deleted by name: %d", status)
	}
}

// kept checks that an object has the properties that were written.
func kept(e directory, path string, want map[string]any) {
	e.T.Helper()
	var names []string
	for name := range want {
		names = append(names, name)
	}
	var got map[string]any
	e.Change(http.MethodGet, path+"?$select="+strings.Join(names, ","), nil, &got)
	for name, value := range want {
		if fmt.Sprint(got[name]) != fmt.Sprint(value) {
			e.T.Errorf("%s has %s %v, want %v", path, name, got[name], value)
		}
	}
}

// TestWritesThatGraphRefuses writes what Graph takes for a mistake; nothing of it is kept.
func TestWritesThatGraphRefuses(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	mei, data := e.User("mei.tanaka@northwind.example").ID, e.Group("Data").ID
	app, sp := e.Tenant.ApplicationID, e.Tenant.ServicePrincipalID
	fill := strings.NewReplacer("USER", "/users/"+mei, "GROUP", "/groups/"+data, "APP", "/applications/"+app,
		"ASSIGN", "/servicePrincipals/"+sp+"/appRoleAssignedTo", "LONG", strings.Repeat("x", 65),
		"NEW", `"displayName":"X","mailNickname":"x","mailEnabled":false,"securityEnabled":true`,
		"MANY", strings.Repeat(`"x/1",`, 20)+`"x/2"`,
		"WHO", `"principalId":"`+mei+`","resourceId":"`+sp+`","appRoleId":"`+graph.UserRoleID+`"`)
	for _, line := range []string{
		`PATCH USER {"jobTitle":""} => Invalid value specified for property 'jobTitle' of resource 'User'.`,
		`PATCH USER {"department":"LONG"} => Invalid value specified for property 'department'`,
		`PATCH USER {"mailNickname":"a b"} => Invalid value specified for property 'mailNickname'`,
		`PATCH USER {"usageLocation":"Germany"} => Invalid value specified for property 'usageLocation'`,
		`PATCH USER {"userType":"Admin"} => Invalid value specified for property 'userType'`,
		`PATCH USER {"displayName":null} => Invalid value specified for property 'displayName' of resource 'User'.`,
		`PATCH USER {"userPrincipalName":"nobody"} => Invalid value specified for property 'userPrincipalName'`,
		`PATCH USER {"businessPhones":[""]} => Invalid value specified for property 'businessPhones'`,
		`PATCH USER {"userPrincipalName":"grace.kim@northwind.example"} => property userPrincipalName already exists.`,
		`PATCH USER {"passwordProfile":{"forceChangePasswordNextSignInWithMfa":true}} => is not stored`,
		`PATCH GROUP {"description":""} => Invalid value specified for property 'description' of resource 'Group'.`,
		`PATCH GROUP {"mailNickname":null} => Invalid value specified for property 'mailNickname'`,
		`PATCH GROUP {"mailNickname":"@"} => Invalid value specified for property 'mailNickname'`,
		`PATCH GROUP {"displayName":""} => Invalid value specified for property 'displayName'`,
		`POST /groups {"displayName":"X"} => A value is required for property 'mailEnabled' of resource 'Group'.`,
		`POST /groups {"mailEnabled":false} => A value is required for property 'displayName' of resource 'Group'.`,
		`POST /groups {NEW,"members@odata.bind":[MANY]} => At most 20`,
		`POST /groups {NEW,"owners@odata.bind":["x/1","x/1"]} => duplicated`,
		`POST GROUP/members/$ref {"@odata.id":""} => Invalid URL format`,
		`PATCH APP {"web":null} => wrong type`,
		`PATCH APP {"keyCredentials":null} => wrong type`,
		`PATCH APP {"keyCredentials":[{"usage":"Encrypt"},{"usage":"Encrypt"}]} => one application key`,
		`POST ASSIGN {WHO,"principalType":"Group"} => principalType`,
		`POST ASSIGN {WHO,"id":"mine"} => read-only`,
		`POST /policies/claimsMappingPolicies {"displayName":"x","definition":[]} => one definition`,
	} {
		body, want, _ := strings.Cut(fill.Replace(line), " => ")
		method, rest, _ := strings.Cut(body, " ")
		path, text, _ := strings.Cut(rest, " ")
		status, _, answer := e.Ask(method, path, json.RawMessage(text))
		var refused graph.ErrorBody
		if err := json.Unmarshal([]byte(answer), &refused); err != nil || status != http.StatusBadRequest ||
			refused.Error.Code != "Request_BadRequest" || !strings.Contains(refused.Error.Message, want) {
			t.Errorf("%.120s: %d %s, want %q", body, status, answer, want)
		}
	}
	status, _, answer := e.Ask(http.MethodPost, "/groups/"+data+"/members/$ref", graph.Reference{ID: "x/nobody"})
	if status != http.StatusNotFound || !strings.Contains(answer, "Resource 'nobody' does not exist or one of its") {
		t.Errorf("a member who does not exist: %d %s", status, answer)
	}
}

// TestPasswordsThatMustBeReplaced signs somebody in with a password that is good for one sign-in.
func TestPasswordsThatMustBeReplaced(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 25, 6)
	const name, first, second = "new.person@northwind.example", "the first of all passwords", "one of her own choice"
	e.Change(http.MethodPost, "/users", map[string]any{
		"accountEnabled": true, "displayName": "New", "mailNickname": "new", "userPrincipalName": name,
		"passwordProfile": map[string]any{"password": first, "forceChangePasswordNextSignIn": true},
	}, nil)
	v := e.server.Visitor()
	signIn := func(password string) (int, string) {
		return v.Send(http.MethodPost, e.server.URL+"/login", url.Values{"loginfmt": {name}, "passwd": {password}})
	}
	_, page := signIn(first)
	if !strings.Contains(page, "Update your password") {
		t.Fatalf("it need not be replaced: %.300s", page)
	}
	if _, page := v.Send(http.MethodGet, e.server.URL+"/myapps", nil); !strings.Contains(page, "loginfmt") {
		t.Errorf("signed in without another password: %.300s", page)
	}
	_, rest, _ := strings.Cut(page, `name="ticket" value="`)
	ticket, _, _ := strings.Cut(rest, `"`)
	replace := func(password string) (int, string) {
		return v.Send(http.MethodPost, e.server.URL+"/login/password", url.Values{
			"ticket": {ticket}, "return": {"/myapps"}, "password": {password}, "again": {password},
		})
	}
	if status, page := replace(first); status != http.StatusUnauthorized {
		t.Errorf("the same password: %d %.300s", status, page)
	}
	if _, page := replace(second); !strings.Contains(page, "My Apps") {
		t.Errorf("another password: %.300s", page)
	}
	if status, _ := replace(second); status == http.StatusOK {
		t.Error("the ticket is good once more")
	}
	v = e.server.Visitor()
	if _, page := signIn(second); !strings.Contains(page, "My Apps") {
		t.Errorf("with the password that was chosen: %.300s", page)
	}
	e.Change(http.MethodPatch, "/users/"+name, map[string]any{
		"passwordProfile": map[string]any{"forceChangePasswordNextSignIn": true},
	}, nil)
	v = e.server.Visitor()
	if _, page := signIn(second); !strings.Contains(page, "Update your password") {
		t.Errorf("it need not be replaced, though it was said: %.300s", page)
	}
}
