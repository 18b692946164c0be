package oauth_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// debiansCLI is the Azure CLI of Debian's package.
const debiansCLI = "/usr/bin/az"

// debianCLI is Debian's Azure CLI with a folder of its own, which knows the tenant as a cloud.
type debianCLI struct {
	*secureTenant
	folder  string
	program *centertest.PythonProgram
}

// run runs a command and returns its output. It must succeed.
func (a debianCLI) run(args ...string) string {
	a.t.Helper()
	env := append(append(os.Environ(), centertest.PythonMemory()...),
		"AZURE_CONFIG_DIR="+a.folder, "REQUESTS_CA_BUNDLE="+a.caFile, "SSL_CERT_FILE="+a.caFile,
		"ARM_CLOUD_METADATA_URL="+a.url+"/metadata/endpoints?api-version=2019-05-01", "AZURE_CLOUD_NAME=Gatehouse",
		"AZURE_CORE_COLLECT_TELEMETRY=no", "AZURE_CORE_NO_COLOR=yes", "HOME="+a.folder)
	out, wrong, err := a.program.Run(a.t, env, args)
	if err != nil {
		a.t.Fatalf("az %s: %v\n%s", strings.Join(args, " "), err, wrong)
	}
	return string(out)
}

// TestTheAzureCLISignsInAsAServicePrincipal: Debian's Azure CLI, unmodified, as a program that acts
// for itself, reads the directory.
func TestTheAzureCLISignsInAsAServicePrincipal(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the Azure CLI needs seconds to start, each time")
	}
	if _, err := os.Stat(debiansCLI); err != nil {
		sqldbtest.Skip(t, "the Azure CLI is not installed (apt-get install azure-cli)")
	}
	s := newSecureTenant(t)
	a := debianCLI{s, t.TempDir(), &centertest.PythonProgram{Path: debiansCLI, Modules: []string{
		"azure.cli.core", "azure.cli.core.commands", "azure.cli.command_modules.role.custom",
	}}}
	login := []string{"login", "--service-principal", "-u", s.clientID, "--tenant", s.id, "--allow-no-subscriptions"}
	if out := a.run(append(login, "-p", s.secret)...); !strings.Contains(out, s.id) {
		t.Errorf("signed in: %s", out)
	}
	admin := s.graph(a.field(a.run("account", "get-access-token", "--resource-type", "ms-graph"), "accessToken"))
	var ada, team, application map[string]any
	for path, x := range map[string]struct {
		in   map[string]any
		into *map[string]any
	}{
		"/users": {map[string]any{"accountEnabled": true, "displayName": "Ada", "mailNickname": "ada",
			"userPrincipalName": "ada@northwind.example",
			"passwordProfile":   map[string]any{"password": "a long password"}}, &ada},
		"/groups": {map[string]any{"displayName": "Team", "mailNickname": "team", "mailEnabled": false,
			"securityEnabled": true}, &team},
		"/applicationTemplates/" + tenant.Gallery[0].ID + "/instantiate": {
			map[string]any{"displayName": "AWS"}, &application,
		},
	} {
		if err := admin.Do(context.Background(), http.MethodPost, path, x.in, x.into); err != nil {
			t.Fatal(err)
		}
	}
	principal, _ := application["servicePrincipal"].(map[string]any)
	id := principal["id"].(string)
	a.registers(ada["id"].(string))
	a.people()
	for command, want := range map[string]string{
		"ad user list": "ada@northwind.example", "ad user show --id ada@northwind.example": ada["id"].(string),
		"ad group list": team["id"].(string), "ad group show --group Team": team["id"].(string),
		"ad sp list --all": id, "ad sp show --id " + id: id,
	} {
		if out := a.run(strings.Fields(command)...); !strings.Contains(out, want) {
			t.Errorf("az %s lacks %s: %s", command, want, out)
		}
	}
}

// people makes somebody and a group, and takes both away again.
func (a debianCLI) people() {
	a.t.Helper()
	const bob = "bob@northwind.example"
	id := a.field(a.run("ad", "user", "create", "--display-name", "Bob", "--password", "Purple horse 18!",
		"--user-principal-name", bob, "--force-change-password-next-sign-in", "false"), "id")
	a.run("ad", "user", "update", "--id", bob, "--display-name", "Robert", "--account-enabled", "false")
	crew := a.field(a.run("ad", "group", "create", "--display-name", "Crew", "--mail-nickname", "crew"), "id")
	a.run("ad", "group", "member", "add", "-g", "Crew", "--member-id", id)
	a.run("ad", "group", "owner", "add", "-g", "Crew", "--owner-object-id", id)
	for _, x := range []struct{ command, want string }{
		{"ad user list --upn " + bob, "Robert"}, {"ad group member check -g Crew --member-id " + id, "true"},
		{"ad group member list -g Crew", bob}, {"ad group owner list -g Crew", bob},
		{"ad user get-member-groups --id " + bob, `"displayName": "Crew"`},
		{"ad group get-member-groups -g Crew", "[]"}, {"ad group member remove -g Crew --member-id " + id, ""},
		{"ad group member check -g Crew --member-id " + id, "false"}, {"ad group delete -g " + crew, ""},
		{"ad user delete --id " + bob, ""}, {"ad group list --display-name Crew", "[]"},
	} {
		if out := a.run(strings.Fields(x.command)...); !strings.Contains(out, x.want) {
			a.t.Errorf("az %s lacks %s: %s", x.command, x.want, out)
		}
	}
}

// registers makes an application with its service principal, gives it an owner, and deletes both.
func (a debianCLI) registers(owner string) {
	a.t.Helper()
	made := a.run("ad", "app", "create", "--display-name", "Wiki", "--identifier-uris", "https://wiki.example/saml",
		"--web-redirect-uris", "https://wiki.example/acs")
	id, appID := a.field(made, "id"), a.field(made, "appId")
	principal := a.field(a.run("ad", "sp", "create", "--id", appID), "id")
	const reads = "e1fe6dd8-ba31-4d61-89e7-88639da4683d"
	a.run("ad", "app", "permission", "add", "--id", appID, "--api", "00000003-0000-0000-c000-000000000000",
		"--api-permissions", reads+"=Scope")
	a.run("ad", "app", "update", "--id", appID, "--web-home-page-url", "https://wiki.example")
	a.run("ad", "app", "owner", "add", "--id", appID, "--owner-object-id", owner)
	for command, want := range map[string]string{
		"ad app show --id " + appID:            `"homePageUrl": "https://wiki.example"`,
		"ad app permission list --id " + appID: reads,
		"ad app list --app-id " + appID:        "https://wiki.example/acs", "ad app owner list --id " + appID: owner,
		"ad sp list --display-name Wiki": principal, "ad app list --identifier-uri https://wiki.example/saml": id,
	} {
		if out := a.run(strings.Fields(command)...); !strings.Contains(out, want) {
			a.t.Errorf("az %s lacks %s: %s", command, want, out)
		}
	}
	a.signsInBy(appID, a.field(a.run("ad", "app", "credential", "reset", "--id", appID, "--append"), "password"))
	made = a.run("ad", "sp", "credential", "reset", "--id", principal)
	a.signsInBy(appID, a.field(made, "password"))
	var all []map[string]any
	if err := json.Unmarshal([]byte(a.run("ad", "app", "credential", "list", "--id", appID)), &all); err != nil ||
		len(all) != 1 {
		a.t.Fatalf("passwords of the application: %v, %v", all, err)
	}
	a.run("ad", "app", "credential", "delete", "--id", appID, "--key-id", all[0]["keyId"].(string))
	if out := a.run("ad", "app", "credential", "list", "--id", appID); strings.TrimSpace(out) != "[]" {
		a.t.Errorf("after the last one was deleted: %s", out)
	}
	a.run("ad", "sp", "delete", "--id", principal)
	a.run("ad", "app", "delete", "--id", id)
	if out := a.run("ad", "app", "list", "--display-name", "Wiki"); strings.Contains(out, id) {
		a.t.Errorf("after its deletion: %s", out)
	}
}

// signsInBy signs in by a password that was made, beside the one that is signed in.
func (a debianCLI) signsInBy(appID, password string) {
	a.t.Helper()
	other := debianCLI{a.secureTenant, a.t.TempDir(), &centertest.PythonProgram{Path: debiansCLI}}
	if out := other.run("login", "--service-principal", "-u", appID, "-p", password, "--tenant", a.id,
		"--allow-no-subscriptions"); !strings.Contains(out, a.id) {
		a.t.Errorf("signed in by a password: %s", out)
	}
}

// field is a text of a JSON object.
func (a debianCLI) field(text, name string) string {
	a.t.Helper()
	var x map[string]any
	if err := json.Unmarshal([]byte(text), &x); err != nil {
		a.t.Fatalf("%v in %s", err, text)
	}
	value, _ := x[name].(string)
	return value
}

// TestWhereEverythingIs: the document from which Terraform's providers and the Azure CLI learn the
// addresses of a cloud, and tokens for its resources.
func TestWhereEverythingIs(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	for version, want := range map[string]string{
		"2022-09-01": `"microsoftGraphResourceId":"` + s.url + `/"`, "2019-05-01": `[{"authentication":`,
		"2015-01-01": `"graphEndpoint":"` + s.url + `/"`, "": "MissingApiVersionParameter",
	} {
		res, err := s.http.Get(s.url + "/metadata/endpoints?api-version=" + version)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if !strings.Contains(string(text), want) {
			t.Errorf("version %q: %s", version, text)
		}
	}
	for _, x := range []struct {
		scope, problem string
		graph          bool
	}{
		{"https://graph.microsoft.com/.default", "", true},
		{"https://graph.microsoft.com//.default", "", true},
		{"00000003-0000-0000-c000-000000000000/.default", "", true},
		{s.url + "//.default", "", true},
		{"https://management.core.windows.net//.default", "", false},
		{"https://management.azure.com/.default openid profile offline_access", "", false},
		{"https://vault.azure.net/.default", "AADSTS500011", false},
		{"https://graph.microsoft.com///.default", "AADSTS500011", false},
		{"https://graph.microsoft.com/User.Read", "AADSTS1002012", false},
		{"https://graph.microsoft.com/.default https://management.azure.com/.default", "AADSTS1002012", false},
	} {
		_, text := s.post("/"+s.id+"/oauth2/v2.0/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {s.clientID}, "client_secret": {s.secret},
			"scope": {x.scope},
		})
		var out struct {
			Token string `json:"access_token"`
		}
		if err := json.Unmarshal([]byte(text), &out); err != nil || (out.Token == "") != (x.problem != "") ||
			!strings.Contains(text, x.problem) {
			t.Errorf("%s: %s", x.scope, text)
		}
		if x.problem != "" {
			continue
		}
		err := s.graph(out.Token).Do(context.Background(), http.MethodGet, "/users", nil, nil)
		if (err == nil) != x.graph {
			t.Errorf("Graph with a token for %s: %v", x.scope, err)
		}
		for path, want := range map[string]string{
			"/subscriptions?api-version=2022-12-01": `{"value":[]}`, "/tenants?api-version=2022-12-01": s.id,
		} {
			req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, s.url+path, nil)
			req.Header.Set("Authorization", "Bearer "+out.Token)
			if res, page := s.page(req); res.StatusCode != http.StatusOK || !strings.Contains(page, want) {
				t.Errorf("%s: %d %s", path, res.StatusCode, page)
			}
			req.Header.Del("Authorization")
			if res, page := s.page(req); res.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s without a token: %d %s", path, res.StatusCode, page)
			}
		}
	}
}
