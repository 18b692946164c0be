package accountaccess_test

import (
	"crypto/sha1" // #nosec G505 -- the name of the CLI's cache
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

func TestMain(m *testing.M) { sqldbtest.Main(m) }

// models has the CLI know both services, which Debian's does not yet: testdata says of them what
// AWS's documents and models do.
func models(t *testing.T, cli *centertest.AWSCLI) {
	t.Helper()
	dir, err := filepath.Abs("testdata/models")
	if err != nil {
		t.Fatal(err)
	}
	cli.Env = append(cli.Env, "AWS_DATA_PATH="+dir)
}

// entitlementJSON is an entitlement of a user to a role, as the CLI takes it.
func entitlementJSON(kind, id, role string) string {
	return `{"principalRole":{"principal":{"identityCenter":{"` + kind + `":"` + id + `"}},"roleArn":"` + role + `"}}`
}

// TestTheRealAWSCLIManagesEntitlements runs all eleven operations with the aws CLI, its paginator
// and its waiter, and then opens a role with the token of somebody who is entitled to it.
func TestTheRealAWSCLIManagesEntitlements(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	cli := e.CLI()
	models(t, cli)
	api := func(into any, args ...string) {
		t.Helper()
		cli.Run(into, append([]string{"account-access"}, args...)...)
	}
	var instances struct {
		Instances []struct{ InstanceArn, IdentityStoreId string }
	}
	cli.Run(&instances, "sso-admin", "list-instances")
	source := `{"identityCenter":{"instanceArn":"` + instances.Instances[0].InstanceArn + `"}}`
	var made struct {
		ApplicationArn string
		TenantID       string
		Status         string
	}
	api(&made, "create-application", "--identity-source", source)
	arn := made.ApplicationArn
	api(&made, "create-application", "--identity-source", source)
	if made.ApplicationArn != arn {
		t.Errorf("the same again is %s, not %s", made.ApplicationArn, arn)
	}
	cli.Fails("AlreadyCreatedException", "account-access", "create-application", "--identity-source", source,
		"--tags", "team=iam")
	api(nil, "wait", "application-active", "--application-arn", arn)
	api(&made, "get-application", "--application-arn", arn)
	if made.Status != "ACTIVE" || !strings.HasPrefix(made.TenantID, "aa-") {
		t.Errorf("the application is %+v", made)
	}
	api(nil, "tag-resource", "--resource-arn", arn, "--tags", "team=iam,env=prod")
	api(nil, "untag-resource", "--resource-arn", arn, "--tag-keys", "env", "none")
	var tags struct{ Tags map[string]string }
	if api(&tags, "list-tags-for-resource", "--resource-arn", arn); len(tags.Tags) != 1 || tags.Tags["team"] != "iam" {
		t.Errorf("tags %v", tags.Tags)
	}

	user, account := e.Find("/Users", "userName", pairtest.Amara).String("id"), firstAccount(t, cli)
	role := func(name string) string { return "arn:aws:iam::" + account + ":role/ops/" + name }
	var ids [3]struct{ EntitlementID string }
	for i, name := range []string{"Reader", "Writer", "Writer"} {
		api(&ids[i], "create-entitlement", "--application-arn", arn, "--entitlement",
			entitlementJSON("userId", user, role(name)))
	}
	if ids[1] != ids[2] || ids[0] == ids[1] {
		t.Errorf("entitlements %v", ids)
	}
	var list struct {
		Entitlements []struct {
			EntitlementID string
			Entitlement   struct {
				PrincipalRole struct{ RoleArn, Account, AccountName string }
			}
		}
	}
	api(&list, "list-entitlements", "--application-arn", arn, "--page-size", "1", "--filter",
		`{"principalRole":{"account":"`+account+`"}}`)
	if len(list.Entitlements) != 2 || list.Entitlements[1].Entitlement.PrincipalRole.RoleArn != role("Writer") ||
		list.Entitlements[0].Entitlement.PrincipalRole.AccountName == "" {
		t.Errorf("entitlements, one a page: %+v", list)
	}
	for refused, args := range map[string][]string{
		"filter must have": {
			"list-entitlements", "--application-arn", arn, "--filter", `{"principalRole":{}}`,
		},
		"Entitlement not found":     {"get-entitlement", "--application-arn", arn, "--entitlement-id", "none"},
		"ResourceNotFoundException": {"get-application", "--application-arn", arn + "0"},
		"ConflictException":         {"delete-application", "--application-arn", arn},
		"ValidationException": {
			"create-entitlement", "--application-arn", arn,
			"--entitlement", entitlementJSON("userId", "nobody", role("R")),
		},
	} {
		cli.Fails(refused, append([]string{"account-access"}, args...)...)
	}
	runtime(t, e, cli, made.TenantID, role("Reader"))
	for _, id := range ids[:2] {
		api(nil, "delete-entitlement", "--application-arn", arn, "--entitlement-id", id.EntitlementID)
	}
	api(nil, "delete-application", "--application-arn", arn)
	var applications struct {
		Applications []struct{ ApplicationArn string }
	}
	if api(&applications, "list-applications"); len(applications.Applications) != 0 {
		t.Errorf("applications in the end: %+v", applications)
	}
}

func firstAccount(t *testing.T, cli *centertest.AWSCLI) string {
	t.Helper()
	var accounts struct{ Accounts []struct{ Id string } }
	cli.Run(&accounts, "organizations", "list-accounts")
	if len(accounts.Accounts) == 0 {
		t.Fatal("no accounts")
	}
	return accounts.Accounts[0].Id
}

// runtime lists roles and opens one with a token of Amara's, which the CLI finds where `aws sso
// login` leaves it.
func runtime(t *testing.T, e pairtest.Ends, cli *centertest.AWSCLI, tenant, role string) {
	t.Helper()
	home := strings.TrimPrefix(cli.Env[0], "HOME=")
	if err := os.MkdirAll(filepath.Join(home, ".aws", "sso", "cache"), 0o700); err != nil {
		t.Fatal(err)
	}
	c := pairtest.NewCommandLine(e)
	config, token := "", ""
	for name, scopes := range map[string][]string{
		"all":  {center.ScopeEntitlementsRead, center.ScopeEntitlementsAssume},
		"read": {center.ScopeEntitlementsRead},
		"sso":  {center.ScopeAccountAccess},
	} {
		in, _ := c.Device(c.Register(scopes...), "allow")
		got := c.Tokens(in)
		if name == "all" {
			token = *got.AccessToken
		}
		if n, refused := c.Accounts(got.AccessToken); (name == "sso") != (n > 0 && refused == "") {
			t.Errorf("%s lists %d accounts, %s", name, n, refused)
		}
		config += "[profile " + name + "]\nsso_session = " + name + "\nsso_account_id = 1\nsso_role_name = x\n" +
			"[sso-session " + name + "]\nsso_start_url = " + e.Center.PortalURL + "\nsso_region = " +
			e.AWS.Region + "\n"
		sum := sha1.Sum([]byte(name)) // #nosec G401 -- the name of the CLI's cache
		cached, err := json.Marshal(map[string]string{
			"startUrl": e.Center.PortalURL, "region": e.AWS.Region, "accessToken": *got.AccessToken,
			"expiresAt": time.Now().Add(time.Hour).UTC().Format("2006-01-02T15:04:05Z"),
		})
		if err == nil {
			path := filepath.Join(home, ".aws", "sso", "cache", hex.EncodeToString(sum[:])+".json")
			err = os.WriteFile(path, cached, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(home, ".aws", "config"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	of := func(profile string, args ...string) []string {
		return append([]string{"account-access-runtime", "--profile", profile}, args...)
	}
	var list struct {
		Roles []struct{ RoleArn, AccountName string }
	}
	cli.Run(&list, of("read", "list-roles", "--tenant-id", tenant, "--page-size", "1")...)
	if len(list.Roles) != 2 || list.Roles[0].RoleArn != role || list.Roles[0].AccountName == "" {
		t.Errorf("roles %+v", list)
	}
	get := []string{
		"get-role-credentials", "--tenant-id", tenant, "--access-type", "PROGRAMMATIC_ACCESS", "--role-arn", role,
	}
	var got struct {
		CredentialsDetails struct {
			ProgrammaticAccess struct {
				AccessKeyID, SecretAccessKey, SessionToken string
				ExpiresAt                                  time.Time
			}
		}
	}
	cli.Run(&got, of("all", append(get, "--session-name", "batch-7", "--session-duration", "900")...)...)
	keys := got.CredentialsDetails.ProgrammaticAccess
	if left := time.Until(keys.ExpiresAt); left < 10*time.Minute || left > 15*time.Minute+5*time.Second {
		t.Errorf("the credentials last %s", left)
	}
	opened := centertest.NewAWSCLI(t, e.AWS.EndpointURL, e.AWS.Region, keys.AccessKeyID, keys.SecretAccessKey)
	opened.Env = append(opened.Env, "AWS_SESSION_TOKEN="+keys.SessionToken)
	var who struct{ Arn string }
	opened.Run(&who, "sts", "get-caller-identity")
	if !strings.HasSuffix(who.Arn, ":assumed-role/Reader/batch-7") {
		t.Errorf("the credentials are those of %s", who.Arn)
	}
	cli.Fails("AccessDeniedException", of("read", get...)...)
	cli.Fails("AccessDeniedException", of("sso", "list-roles", "--tenant-id", tenant)...)
	cli.Fails("AccessDeniedException", of("all", "list-roles", "--tenant-id", "aa-000000000")...)
	cli.Fails("ValidationException", of("all", append(get, "--session-duration", "7200")...)...)
	get[len(get)-1] = strings.ReplaceAll(role, "Reader", "Other")
	cli.Fails("AccessDeniedException", of("all", get...)...)
	for authorization, want := range map[string]int{
		"": http.StatusUnauthorized, token: http.StatusUnauthorized, "Basic " + token: http.StatusUnauthorized,
		"Bearer " + token: http.StatusOK, "bearer " + token: http.StatusOK, "BEARER  " + token: http.StatusOK,
	} {
		page := c.Do(
			http.MethodGet, e.Center.URL+"/access?tenantId="+tenant, nil, "Authorization: "+authorization,
		)
		if page.Status != want {
			t.Errorf("with the header %.12q: %d, want %d", authorization, page.Status, want)
		}
	}
}
