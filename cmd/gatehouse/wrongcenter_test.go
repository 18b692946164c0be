package main

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const anotherCenter = "--center-url or AWS_ENDPOINT_URL names"

// TestAWrongCenterOrKeyIsSaidWithWhatToDo: the tenant's address, a page, another program, nobody; a
// key that is disabled, and the secret of another one.
func TestAWrongCenterOrKeyIsSaidWithWhatToDo(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	right := map[string]string{
		"AWS_ACCESS_KEY_ID":       d.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY":   d.AWS.SecretAccessKey,
		"AWS_REGION":              d.AWS.Region,
		"GATEHOUSE_CENTER_URL":    d.Center.URL,
		"GATEHOUSE_CLIENT_SECRET": d.Tenant.ClientSecret,
		"GATEHOUSE_GRAPH_URL":     d.Tenant.GraphURL,
		"GATEHOUSE_LOGIN_URL":     d.Tenant.URL + "/" + d.Tenant.TenantID,
		"GATEHOUSE_CLIENT_ID":     d.Tenant.ClientID,
	}
	for name, c := range map[string]struct{ variable, value, want string }{
		"a tenant":          {"GATEHOUSE_CENTER_URL", d.Tenant.URL, anotherCenter},
		"a Graph":           {"GATEHOUSE_CENTER_URL", d.Tenant.GraphURL, anotherCenter},
		"a page":            {"GATEHOUSE_CENTER_URL", d.Center.URL + "/console/", anotherCenter},
		"another program":   {"GATEHOUSE_CENTER_URL", other.URL, anotherCenter},
		"nobody":            {"GATEHOUSE_CENTER_URL", away.URL, away.URL},
		"no such key":       {"AWS_ACCESS_KEY_ID", "AKIA0000000000000000", "gatehouse access-keys create"},
		"another secret":    {"AWS_SECRET_ACCESS_KEY", "another", "set AWS_SECRET_ACCESS_KEY"},
		"another Region":    {"AWS_REGION", "eu-west-1", "AWS_REGION"},
		"no key at all":     {"AWS_ACCESS_KEY_ID", "", "set AWS_ACCESS_KEY_ID"},
		"an address of old": {"GATEHOUSE_CENTER_URL", "http://id.example.com", "use an https address"},
	} {
		env := maps.Clone(right)
		env[c.variable] = c.value
		for _, command := range []string{
			"users list", "rules list", "accounts list", "access of ada", "access policy list", "proof list", "leavers",
			"explain 01a229d8-d78c-7748-be87-928b4ff43246", "connect status", "access migrate --to account-access",
			"access review list --as-administrator", "settings show", "audit search",
		} {
			code, out, said := call(t, "", env, strings.Fields(command)...)
			if code != exitFailed || out != "" || !strings.Contains(said, c.want) {
				t.Errorf("%s: %s: exit %d, out %q, want %q in %s", name, command, code, out, c.want, said)
			}
		}
	}
}
