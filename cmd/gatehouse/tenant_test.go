package main

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/saml"
)

func TestTheTenantsGraph(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	ctx := context.Background()

	for _, query := range []string{
		"?$filter=contains(displayName,'AWS%20IAM')",
		"?$filter=displayName%20eq%20'" + url.PathEscape(graph.AWSTemplateName) + "'",
	} {
		found, err := graph.All[graph.ApplicationTemplate](ctx, e.graph, "/applicationTemplates"+query)
		if err != nil || len(found) != 1 || found[0].ID != graph.AWSTemplateID {
			t.Errorf("%s: %+v, %v", query, found, err)
		}
	}
	none, err := graph.All[graph.ApplicationTemplate](
		ctx, e.graph, "/applicationTemplates?$filter=displayName%20eq%20'Nothing'",
	)
	if err != nil || len(none) != 0 {
		t.Errorf("an unknown template: %+v, %v; want an empty list", none, err)
	}
	users, err := graph.All[graph.User](ctx, e.graph, "/users?$top=7") // four pages
	if err != nil || len(users) != 25 {
		t.Errorf("%d users over pages of seven, %v", len(users), err)
	}
	var counted graph.Page[graph.User]
	e.change(http.MethodGet, "/users?$count=true&$top=1", nil, &counted)
	if counted.Count == nil || *counted.Count != 25 || counted.NextLink == "" {
		t.Errorf("counted %+v", counted.Count)
	}
	engineering := e.group("Engineering")
	members, err := graph.All[graph.DirectoryObject](ctx, e.graph, "/groups/"+engineering.ID+"/members?$top=3")
	kinds := map[string]int{}
	for _, m := range members {
		kinds[m.ODataType]++
	}
	if err != nil || kinds[graph.DirectoryUserType] != 7 || kinds[graph.DirectoryGroupType] != 1 {
		t.Errorf("members by type %v, %v; want seven people and the nested group", kinds, err)
	}
	var secrets graph.Secrets
	e.change(
		http.MethodGet, "/servicePrincipals/"+d.Tenant.ServicePrincipalID+"/synchronization/secrets", nil, &secrets,
	)
	for _, kv := range secrets.Value {
		if strings.Contains(kv.Value, d.Center.SCIMToken) {
			t.Error("the secret token is given back")
		}
	}
	var boss graph.User
	e.change(http.MethodGet, "/users/mei.tanaka@northwind.example/manager", nil, &boss)
	if boss.UserPrincipalName != "amara.okafor@northwind.example" {
		t.Errorf("manager %+v", boss)
	}

	for name, c := range map[string]struct {
		method, path string
		body         any
		status       int
		code         string
	}{
		"an unknown user":    {"GET", "/users/nobody@northwind.example", nil, 404, "Request_ResourceNotFound"},
		"an unknown segment": {"GET", "/nonsense", nil, 404, "Request_ResourceNotFound"},
		"an unsupported filter": {
			"GET", "/users?$filter=length(city)%20eq%201", nil, 400, "Request_UnsupportedQuery",
		},
		"a broken filter":          {"GET", "/users?$filter=nonsense", nil, 400, "Request_UnsupportedQuery"},
		"a page that is too large": {"GET", "/users?$top=1000", nil, 400, "Request_BadRequest"},
		"a broken token":           {"GET", "/users?$skiptoken=!", nil, 400, "Request_BadRequest"},
		"a user without a password": {
			"POST", "/users",
			map[string]any{
				"accountEnabled":    true,
				"displayName":       "X",
				"mailNickname":      "x",
				"userPrincipalName": "x@northwind.example",
			},
			400, "Request_BadRequest",
		},
		"a second user of one name": {
			"POST", "/users",
			map[string]any{
				"accountEnabled":    true,
				"displayName":       "X",
				"mailNickname":      "x",
				"userPrincipalName": "MEI.tanaka@northwind.example",
				"passwordProfile":   map[string]any{"password": "a long one"},
			},
			400, "Request_BadRequest",
		},
		"no JSON": {"POST", "/groups", "x", 400, "Request_BadRequest"},
		"a mail group": {
			"POST", "/groups",
			map[string]any{"displayName": "X", "mailNickname": "x", "mailEnabled": true, "securityEnabled": true},
			400, "Request_BadRequest",
		},
		"a member twice": {
			"POST", "/groups/" + engineering.ID + "/members/$ref", graph.Reference{ID: "x/" + members[0].ID}, 400,
			"Request_BadRequest",
		},
		"an unknown property": {
			"PATCH", "/users/mei.tanaka@northwind.example", map[string]any{"shoeSize": "42"}, 400,
			"Request_BadRequest",
		},
		"a redirect URI with a script": {
			"PATCH", "/applications/" + d.Tenant.ApplicationID,
			map[string]any{"web": map[string]any{"redirectUris": []string{"javascript:alert(1)"}}}, 400,
			"Request_BadRequest",
		},
		"an assignment twice": {
			"POST", "/servicePrincipals/" + d.Tenant.ServicePrincipalID + "/appRoleAssignedTo",
			graph.AppRoleAssignment{
				PrincipalID: engineering.ID,
				ResourceID:  d.Tenant.ServicePrincipalID,
				AppRoleID:   graph.UserRoleID,
			},
			400, "Request_BadRequest",
		},
		"an unknown thumbprint": {
			"PATCH", "/servicePrincipals/" + d.Tenant.ServicePrincipalID,
			map[string]any{"preferredTokenSigningKeyThumbprint": "00"}, 400, "Request_BadRequest",
		},
		"a certificate without CN": {
			"POST", "/servicePrincipals/" + d.Tenant.ServicePrincipalID + "/addTokenSigningCertificate",
			map[string]any{"displayName": "x"}, 400, "Request_BadRequest",
		},
		"credentials that do not work": {
			"POST",
			"/servicePrincipals/" + d.Tenant.ServicePrincipalID + "/synchronization/jobs/" + d.Tenant.JobID +
				"/validateCredentials",
			graph.ValidateCredentials{
				Credentials: []graph.KeyValue{
					{Key: "BaseAddress", Value: d.Center.SCIMEndpoint}, {Key: "SecretToken", Value: "wrong"},
				},
			},
			400, "SystemForCrossDomainIdentityManagementCredentialValidationUnavailable",
		},
		"a second job": {
			"POST", "/servicePrincipals/" + d.Tenant.ServicePrincipalID + "/synchronization/jobs",
			graph.SynchronizationJob{TemplateID: graph.AWSSyncTemplate}, 400, "Request_BadRequest",
		},
	} {
		err := e.graph.Do(ctx, c.method, c.path, c.body, nil)
		var refused *graph.Error
		if !errors.As(err, &refused) || refused.Status != c.status || refused.Code != c.code || refused.Message == "" ||
			refused.Request == "" {
			t.Errorf("%s: %v, want %d %s", name, err, c.status, c.code)
		}
	}
}

func TestTheTenantsTokens(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect")
	ask := func(form url.Values) (int, map[string]any) {
		res, err := http.PostForm(d.Tenant.TokenURL, form)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close() //nolint:errcheck // read to its end
		var body map[string]any
		if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, body
	}
	good := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {d.Tenant.ClientID},
		"client_secret": {d.Tenant.ClientSecret},
		"scope":         {"https://graph.microsoft.com/.default"},
	}
	status, body := ask(good)
	token, _ := body["access_token"].(string)
	if status != http.StatusOK || body["token_type"] != "Bearer" || body["expires_in"] != 3599.0 {
		t.Fatalf("%d %v", status, body)
	}
	for name, c := range map[string]struct {
		key, value, code string
		number           float64
	}{
		"a wrong secret": {"client_secret", "wrong", "invalid_client", 7000215},
		"another client": {"client_id", "00000000-0000-0000-0000-000000000000", "unauthorized_client", 700016},
		"another grant":  {"grant_type", "password", "unsupported_grant_type", 70003},
		"another scope":  {"scope", "https://vault.azure.net/.default", "invalid_scope", 1002012},
	} {
		form := url.Values{}
		for k, v := range good {
			form[k] = v
		}
		form.Set(c.key, c.value)
		status, body := ask(form)
		numbers, _ := body["error_codes"].([]any)
		if status < 400 || body["error"] != c.code || len(numbers) != 1 || numbers[0] != c.number ||
			!strings.HasPrefix(fmt.Sprint(body["error_description"]), fmt.Sprintf("AADSTS%.0f: ", c.number)) {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	header, payload, _ := strings.Cut(token, ".")
	for name, bearer := range map[string]string{
		"none":            "",
		"garbage":         "x.y.z",
		"a changed token": header + "." + "A" + payload,
		"no signature":    token[:strings.LastIndex(token, ".")+1],
	} {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, d.Tenant.GraphURL+"/users", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(text), "InvalidAuthenticationToken") {
			t.Errorf("%s: %d %s", name, res.StatusCode, text)
		}
	}
}

// bomb is a short parameter that inflates to twenty megabytes.
func bomb(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(bytes.Repeat([]byte("A"), 20<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// TestTheTenantsRulesForSAMLRequests: Entra's own page with Entra's number for each request that it
// does not take.
func TestTheTenantsRulesForSAMLRequests(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	e := newEnds(t, d)
	sp, err := e.admin.ServiceProvider(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	signIn := d.Tenant.URL + "/" + d.Tenant.TenantID + "/saml2"
	request := func(change func(*saml.AuthnRequest)) string {
		r := saml.AuthnRequest{
			ID:           saml.NewID(),
			IssueInstant: time.Now(),
			Issuer:       sp.EntityID,
			Destination:  signIn,
			ACSURL:       sp.AcsURLs[0],
			NameIDFormat: saml.FormatEmail,
		}
		change(&r)
		address, err := r.RedirectURL("state", nil)
		if err != nil {
			t.Fatal(err)
		}
		return address
	}
	v := newVisitor(t)
	for name, c := range map[string]struct{ address, want string }{
		"a good one": {request(func(*saml.AuthnRequest) {}), "with your Northwind Traders account"},
		"without an ACS URL": {request(func(r *saml.AuthnRequest) {
			r.ACSURL = ""
		}), "with your Northwind Traders account"},
		"an unknown issuer": {request(func(r *saml.AuthnRequest) {
			r.Issuer = "https://evil.example/"
		}), "AADSTS700016"},
		"another ACS URL": {request(func(r *saml.AuthnRequest) {
			r.ACSURL = "https://evil.example/acs"
		}), "AADSTS50011"},
		"an ID that begins with a digit": {request(func(r *saml.AuthnRequest) {
			r.ID = "1" + r.ID
		}), "AADSTS75005"},
		"a foreign NameID format": {request(func(r *saml.AuthnRequest) {
			r.NameIDFormat = "urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"
		}), "AADSTS75016"},
		"an old request": {request(func(r *saml.AuthnRequest) {
			r.IssueInstant = time.Now().Add(-time.Hour)
		}), "AADSTS76026"},
		"the domain's Destination": {request(func(r *saml.AuthnRequest) {
			r.Destination = d.Tenant.URL + "/northwind.example/saml2"
		}), "with your Northwind Traders account"},
		"another Destination": {strings.Replace(request(func(r *saml.AuthnRequest) {
			r.Destination = "https://evil.example/saml2"
		}), "https://evil.example/saml2", signIn, 1), "AADSTS75005"},
		"no request": {signIn, "AADSTS750054"},
		"garbage":    {signIn + "?SAMLRequest=!!", "AADSTS75005"},
		"a bomb":     {signIn + "?SAMLRequest=" + url.QueryEscape(bomb(t)), "AADSTS75005"},
		"metadata of an unknown application": {
			d.Tenant.URL + "/" + d.Tenant.TenantID + "/federationmetadata/2007-06/federationmetadata.xml?appid=x",
			"AADSTS700016",
		},
	} {
		if _, page := v.send(http.MethodGet, c.address, nil); !strings.Contains(page, c.want) {
			t.Errorf("%s: want %s on %s", name, c.want, page)
		}
	}
	if _, page := v.send(http.MethodPost, signIn, url.Values{"SAMLRequest": {"!!"}}); !strings.Contains(
		page, "AADSTS75005",
	) {
		t.Errorf("garbage by POST: %s", page)
	}
	// Somebody who is signed in but not assigned is told so, and the audit log knows.
	finance := e.group("Finance")
	list, err := graph.All[graph.AppRoleAssignment](
		context.Background(), e.graph, "/servicePrincipals/"+d.Tenant.ServicePrincipalID+"/appRoleAssignedTo",
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if a.PrincipalID == finance.ID {
			e.change(
				http.MethodDelete, "/servicePrincipals/"+d.Tenant.ServicePrincipalID+"/appRoleAssignedTo/"+a.ID, nil,
				nil,
			)
		}
	}
	form := url.Values{
		"loginfmt": {"elena.popescu@northwind.example"},
		"passwd":   {d.People[0].Password},
		"return":   {strings.TrimPrefix(request(func(*saml.AuthnRequest) {}), d.Tenant.URL)},
	}
	v.does(d.Tenant.URL+"/login", form, "AADSTS50105")
	admin := administrator(t, d, d.Tenant.URL+"/admin")
	if _, page := admin.send(http.MethodGet, d.Tenant.URL+"/admin/audit", nil); !strings.Contains(
		page, "user-not-assigned",
	) {
		t.Error("the audit log does not say why")
	}
}
