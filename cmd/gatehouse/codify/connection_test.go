package codify_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/codify"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/upkeep"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/internal/terraformtest"
)

// export runs the command under connect about a pair.
func export(e *pairtest.Ends, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := codify.Connection(upkeep.World{
		Out: &out, Err: &out, Differs: errDiffers, Connect: func() upkeep.Connection {
			return upkeep.Connection{
				Flags: func(*cobra.Command) {},
				Config: func(context.Context) (connect.Config, error) {
					return connect.Config{
						Graph: e.Client, Center: e.Admin, LoginURL: e.Tenant.URL + "/" + e.Tenant.TenantID,
						AppName: "AWS IAM Identity Center",
					}, nil
				},
			}
		},
	})
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(context.Background())
	return out.String(), err
}

// claims gives the application a claims mapping policy with a hostile name.
func claims(e *pairtest.Ends) {
	var made graph.ClaimsPolicy
	e.Change(http.MethodPost, "/policies/claimsMappingPolicies", map[string]any{
		"displayName": `Mail as NameID ${a} "b"`,
		"definition": []string{`{"ClaimsMappingPolicy":{"Version":1,"IncludeBasicClaimSet":"true","ClaimsSchema":[` +
			`{"Source":"user","ID":"mail","SamlClaimType":` +
			`"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier"}]}}`},
	}, &made)
	sp := "/servicePrincipals/" + e.Tenant.ServicePrincipalID
	e.Change(http.MethodPost, sp+"/claimsMappingPolicies/$ref", map[string]any{
		"@odata.id": e.Tenant.GraphURL + "/policies/claimsMappingPolicies/" + made.ID,
	}, nil)
	e.Change(http.MethodPatch, sp, map[string]any{
		"notificationEmailAddresses": []string{"it@northwind.example", "a+${b}@northwind.example"},
	}, nil)
}

// azure is the tenant behind what the AzureAD provider asks for: TLS, and the metadata of a cloud.
func azure(t *testing.T, e *pairtest.Ends) (host, certificates string) {
	t.Helper()
	at, err := url.Parse(e.Tenant.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }}
	mux := http.NewServeMux()
	s := httptest.NewTLSServer(mux)
	t.Cleanup(s.Close)
	mux.Handle("/", proxy)
	mux.HandleFunc("GET /metadata/endpoints", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{
			"name": "Gatehouse", "resourceManager": s.URL, "microsoftGraphResourceId": s.URL,
			"authentication": map[string]any{
				"loginEndpoint": s.URL, "audiences": []string{s.URL}, "tenant": e.Tenant.TenantID,
				"identityProvider": "AAD",
			},
		})
	})
	// it asks for a token for what it takes for the Graph
	mux.HandleFunc("POST /{tenant}/oauth2/v2.0/token", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		r.PostForm.Set("scope", "https://graph.microsoft.com/.default")
		body := r.PostForm.Encode()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		proxy.ServeHTTP(w, r)
	})
	// the provider asks the beta for this alone, and the tenant has no beta
	mux.HandleFunc("GET /beta/servicePrincipals/{id}", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"id": r.PathValue("id"), "samlMetadataUrl": nil})
	})
	certificates = filepath.Join(t.TempDir(), "ca.pem")
	data := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(certificates, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(s.URL, "https://"), certificates
}

// TestThePlanOfAConnectionImportsAndChangesNothing has the real providers of both sides import a
// connection. Machines that have no AzureAD provider check what it can without.
func TestThePlanOfAConnectionImportsAndChangesNothing(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	claims(&e)
	dir := filepath.Join(t.TempDir(), "pair")
	out, err := export(&e, "--terraform", dir, "--json")
	if err != nil {
		t.Fatal(err, out)
	}
	var s struct{ Resources map[string]int }
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{
		"application_from_template", "application_identifier_uri", "application_redirect_uris", "service_principal",
		"service_principal_token_signing_certificate", "claims_mapping_policy",
		"service_principal_claims_mapping_policy_assignment", "synchronization_job", "app_role_assignment",
	} {
		if s.Resources["azuread_"+kind] == 0 {
			t.Errorf("it has no azuread_%s: %v", kind, s.Resources)
		}
	}
	secrets(t, &e, dir)
	if out, err := export(&e, "--terraform", dir, "--dry-run"); err != nil {
		t.Errorf("another export: %v, %s", err, out)
	}
	if testing.Short() {
		return
	}
	tf := terraformtest.New(t, "aws", "azuread")
	if tf == nil {
		return
	}
	host, certificates := azure(t, &e)
	tf.Dir = dir
	tf.Env = append(
		tf.Env, "AWS_ACCESS_KEY_ID="+e.AWS.AccessKeyID, "AWS_SECRET_ACCESS_KEY="+e.AWS.SecretAccessKey,
		"ARM_METADATA_HOSTNAME="+host, "ARM_CLIENT_ID="+e.Tenant.ClientID, "ARM_CLIENT_SECRET="+e.Tenant.ClientSecret,
		"SSL_CERT_FILE="+certificates,
	)
	n := 0
	for _, times := range s.Resources {
		n += times
	}
	out = tf.Must("apply", "-auto-approve", "-parallelism=30")
	if want := fmt.Sprintf("%d imported, 0 added, 0 changed, 0 destroyed", n); !strings.Contains(out, want) {
		t.Errorf("the apply does not end in %q: %s", want, out)
	}
	if strings.Contains(out, "Check block assertion failed") {
		t.Errorf("a check of a sound pair fails: %s", out)
	}
	if out, code := tf.Run("plan", "-no-color", "-detailed-exitcode"); code != 0 {
		t.Errorf("the plan after it is not empty (exit code %d): %s", code, out)
	}
	secrets(t, &e, dir) // the state too
}

// secrets checks that no file in a folder has one.
func secrets(t *testing.T, e *pairtest.Ends, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		data, err := os.ReadFile(filepath.Join(dir, entry.Name())) // #nosec G304 -- the test's own
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{e.AWS.SecretAccessKey, e.Tenant.ClientSecret, e.Center.SCIMToken} {
			if secret == "" || bytes.Contains(data, []byte(secret)) {
				t.Errorf("%s has a secret", entry.Name())
			}
		}
	}
}
