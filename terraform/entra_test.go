package terraform_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/terraform"
)

// arguments are those of the AzureAD provider 3.9, required ones first. Source: its documentation.
var arguments = map[string]struct{ required, optional string }{
	"azuread_application_from_template":  {"display_name template_id", ""},
	"azuread_application_identifier_uri": {"application_id identifier_uri", ""},
	"azuread_application_redirect_uris":  {"application_id redirect_uris type", ""},
	"azuread_service_principal": {"client_id", "account_enabled alternative_names app_role_assignment_required " +
		"description feature_tags login_url notes notification_email_addresses owners preferred_single_sign_on_mode " +
		"saml_single_sign_on tags use_existing"},
	"azuread_service_principal_token_signing_certificate": {"service_principal_id", "display_name end_date"},
	"azuread_claims_mapping_policy":                       {"definition display_name", ""},
	"azuread_service_principal_claims_mapping_policy_assignment": {
		"claims_mapping_policy_id service_principal_id", "",
	},
	"azuread_synchronization_job": {"service_principal_id template_id", "enabled"},
	"azuread_app_role_assignment": {"app_role_id principal_object_id resource_object_id", ""},
}

// tenantSide is a tenant's side with all that there can be, twice where there can be several.
func tenantSide() *terraform.Entra {
	off := false
	return &terraform.Entra{
		TenantID: "t", Owners: []string{"o-1"}, MetadataURL: "https://login.example/t/federationmetadata.xml?appid=1",
		Application: terraform.EntraApplication{
			ID: "a", AppID: "1", ApplicationTemplateID: graph.AWSTemplateID, DisplayName: `AWS "${x}"`,
			IdentifierURIs: []string{
				"https://eu-west-1.signin.aws.amazon.com/platform/saml/d-1", "https://example.com/${x}",
			},
			Web: &graph.Web{RedirectURIs: []string{"https://b", "https://a"}},
		},
		Principal: terraform.EntraPrincipal{
			ID: "p", AppID: "1", DisplayName: "AWS\n}", Description: "d", Notes: "n ${n}", AccountEnabled: &off,
			AlternativeNames: []string{"x"}, NotificationEmailAddresses: []string{"a@example.com"},
			PreferredSingleSignOnMode: "saml", LoginURL: "https://x.awsapps.com/start",
			KeyCredentials: []graph.KeyCredential{
				{KeyID: "k-1", Usage: "Verify", DisplayName: "CN=one", EndDateTime: time.Unix(2e9, 0)},
				{KeyID: "k-2", Usage: "Sign", DisplayName: "CN=one", EndDateTime: time.Unix(2e9, 0)},
				{KeyID: "k-3", Usage: "Verify", DisplayName: "CN=one", EndDateTime: time.Unix(2e9, 0)},
			},
			AppRoles: []graph.AppRole{{ID: "r-1", DisplayName: "User\nresource"}},
			SAML:     &terraform.EntraSAML{RelayState: "https://console.aws.amazon.com/"},
		},
		Policies: []graph.ClaimsPolicy{
			{ID: "c-1", DisplayName: "Claims", Definition: []string{`{"${a}":1}`}}, {ID: "c-2", DisplayName: "Claims"},
		},
		Jobs: []graph.SynchronizationJob{
			{ID: "j-1", TemplateID: "aWSSingleSignon", Schedule: &graph.Schedule{State: "Active"}}, {ID: "j-2"},
		},
		Assigned: []graph.AppRoleAssignment{
			{ID: "g-1", AppRoleID: "r-1", PrincipalID: "1", PrincipalType: "Group", PrincipalDisplayName: "Ops ${x}"},
			{ID: "g-2", AppRoleID: "r-1", PrincipalID: "2", PrincipalType: "Group", PrincipalDisplayName: "Ops ${x}"},
		},
	}
}

// TestTheTenantsSideHasTheProvidersArguments: what is written is what the provider takes.
func TestTheTenantsSideHasTheProvidersArguments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := terraform.Write(dir, small(), terraform.Options{
		Entra: tenantSide(), Ends: []terraform.End{{What: "SCIM access token ${x}", At: time.Unix(2e9, 0)}},
		Facts: []string{"SCIM endpoint\nresource"},
	})
	must(t, s, err)
	seen, addresses := map[string]bool{}, map[string]bool{}
	for name, text := range files(t, dir) {
		if !strings.HasSuffix(name, ".tf") {
			continue
		}
		parsed, problems := hclsyntax.ParseConfig([]byte(text), name, hcl.InitialPos)
		if problems.HasErrors() {
			t.Errorf("%s: %v: %s", name, problems, text)
			continue
		}
		for _, block := range parsed.Body.(*hclsyntax.Body).Blocks {
			address := block.Type + " " + strings.Join(block.Labels, ".")
			if block.Type != "import" && len(block.Labels) > 0 && addresses[address] {
				t.Errorf("%s is there twice", address)
			}
			addresses[address] = true
			if block.Type == "resource" && strings.HasPrefix(block.Labels[0], "azuread_") {
				seen[block.Labels[0]] = true
				fits(t, block)
			}
		}
	}
	if len(seen) != len(arguments) {
		t.Errorf("it has %v of %v", seen, arguments)
	}
}

// fits checks a resource's arguments.
func fits(t *testing.T, block *hclsyntax.Block) {
	t.Helper()
	known := arguments[block.Labels[0]]
	required := strings.Fields(known.required)
	taken := slices.Concat(required, strings.Fields(known.optional), []string{"for_each", "lifecycle"})
	for _, name := range required {
		if block.Body.Attributes[name] == nil {
			t.Errorf("%s has no %s", block.Labels, name)
		}
	}
	for name := range block.Body.Attributes {
		if !slices.Contains(taken, name) {
			t.Errorf("%s has %s, which the provider does not know", block.Labels, name)
		}
	}
	for _, inner := range block.Body.Blocks {
		if !slices.Contains(taken, inner.Type) {
			t.Errorf("%s has %s, which the provider does not know", block.Labels, inner.Type)
		}
	}
}

// TestOfTheTenantTooWhatMayNotBeReadIsNamed: owners that are not known are left as they are.
func TestOfTheTenantTooWhatMayNotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	e, o := tenantSide(), small()
	e.Owners = nil
	e.Unread = []terraform.Unread{{What: "owners", Permission: "Application.Read.All", Reason: "403"}}
	o.Unread = e.Unread
	dir := t.TempDir()
	s, err := terraform.Write(dir, o, terraform.Options{Entra: e})
	must(t, s, err)
	if text := files(t, dir); !strings.Contains(text["entra.tf"], "ignore_changes  = [owners]") ||
		!strings.Contains(text["main.tf"], "owners (Application.Read.All)") {
		t.Errorf("it has %s %s", text["main.tf"], text["entra.tf"])
	}
}
