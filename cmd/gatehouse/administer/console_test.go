package administer_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center/adminserver"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/center/ssoadmin"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/access"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/oversee"
)

var update = flag.Bool("update", false, "write the table of commands into docs/administration.md")

// deed is something that the console does: the form, what it is for, the command, and the operation
// behind it, of the admin API or of AWS's.
type deed struct{ form, what, command, operation string }

// deeds are all forms of the console, and its files. A form without a line here fails the test.
var deeds = []deed{
	{"POST settings/identity-source", "upload an identity provider's metadata",
		"gatehouse identity-source set-metadata", "CreateExternalIdPConfigurationForDirectory"},
	{"POST settings/identity-source/values", "name an identity provider by three values",
		"gatehouse identity-source set-metadata", "CreateExternalIdPConfigurationForDirectory"},
	{"POST settings/identity-source/review", "report what a change does to each user",
		"gatehouse identity-source report", "PreviewIdentitySourceChange"},
	{"POST settings/identity-source/report.csv", "the same as CSV",
		"gatehouse identity-source report", "PreviewIdentitySourceChange"},
	{"POST settings/identity-source/rehearse", "rehearse a sign-in",
		"gatehouse identity-source rehearse", "StartRehearsal"},
	{"POST settings/identity-source/change", "change the identity source",
		"gatehouse identity-source set", "EnableExternalIdPConfigurationForDirectory"},
	{"POST settings/identity-source/undo", "undo the change",
		"gatehouse identity-source undo", "UndoIdentitySourceChange"},
	{"GET settings/sp-metadata.xml", "the service provider's metadata",
		"gatehouse identity-source sp-metadata", "GetAWSSPConfigurationForDirectory"},
	{"POST settings/metadata", "watch published metadata", "gatehouse identity-source watch", "WatchIdPMetadata"},
	{"POST settings/metadata/accept", "accept its changes", "gatehouse identity-source accept", "AcceptIdPMetadata"},
	{"POST settings/requests", "sign requests, choose their binding",
		"gatehouse identity-source requests", "UpdateExternalIdPConfigurationForDirectory"},
	{"POST settings/idp-initiated", "say where users may start",
		"gatehouse identity-source idp-initiated", "UpdateExternalIdPConfigurationForDirectory"},
	{"POST settings/certificates", "add a certificate",
		"gatehouse identity-source add-certificate", "ImportExternalIdPCertificate"},
	{"POST settings/certificates/{thumbprint}/delete", "delete a certificate",
		"gatehouse identity-source delete-certificate", "DeleteExternalIdPCertificate"},
	{"POST settings/provisioning", "enable automatic provisioning",
		"gatehouse provisioning enable", "CreateProvisioningTenant"},
	{"POST settings/provisioning/disable", "disable automatic provisioning",
		"gatehouse provisioning disable", "DeleteProvisioningTenant"},
	{"POST settings/tokens", "create a SCIM access token", "gatehouse scim-tokens create", "CreateBearerToken"},
	{"POST settings/tokens/{id}/delete", "revoke it", "gatehouse scim-tokens delete", "DeleteBearerToken"},
	{"POST settings/sign-in", "settings of sign-in", "gatehouse settings update", "UpdateSignInSettings"},
	{"POST settings/sessions", "how long sessions last", "gatehouse settings update", "UpdateSignInSettings"},
	{"POST settings/access-control", "attributes for access control",
		"gatehouse settings update", "UpdateSignInSettings"},
	{"POST settings/networks/open", "remove network controls",
		"gatehouse settings remove-network-controls", "RemoveNetworkControls"},
	{"POST users", "create a user", "aws identitystore create-user", "CreateUser"},
	{"POST users/{id}/delete", "delete a user", "aws identitystore delete-user", "DeleteUser"},
	{"POST users/{id}/active", "disable and enable a user", "gatehouse users disable", "DisableUser"},
	{"POST users/active", "the same with several", "gatehouse users disable", "DisableUser"},
	{"POST users/{id}/invite", "send a link to set a password", "gatehouse users invite", "UpdatePassword"},
	{"POST users/{id}/one-time-password", "make a one-time password",
		"gatehouse users one-time-password", "UpdatePassword"},
	{"POST users/{id}/sessions/delete", "end sessions", "gatehouse sessions end", "DeleteSession"},
	{"POST users/{id}/revoke", "end all that a user has open", "gatehouse revoke", "RevokeUser"},
	{"POST leavers/remove", "remove what a leaver has left", "gatehouse leavers remove", "RemoveAccess"},
	{"POST leavers/relink", "give what a deleted one had to who came back",
		"gatehouse leavers relink", "RelinkAssignments"},
	{"POST users/{id}/device", "register an authenticator app",
		"gatehouse users register-device", "CompleteVirtualMfaDeviceRegistration"},
	{"POST users/{id}/devices/{did}/delete", "delete a second factor",
		"gatehouse users delete-device", "DeleteMfaDeviceForUser"},
	{"POST groups", "create a group", "aws identitystore create-group", "CreateGroup"},
	{"POST groups/{id}/delete", "delete a group", "aws identitystore delete-group", "DeleteGroup"},
	{"POST groups/{id}/members", "add a member",
		"aws identitystore create-group-membership", "CreateGroupMembership"},
	{"POST groups/{id}/members/remove", "remove several",
		"aws identitystore delete-group-membership", "DeleteGroupMembership"},
	{"POST groups/{id}/members/{mid}/delete", "remove a member",
		"aws identitystore delete-group-membership", "DeleteGroupMembership"},
	{"POST access-keys", "create an access key", "gatehouse access-keys create", "CreateAccessKey"},
	{"POST access-keys/{id}/status", "disable and enable it", "gatehouse access-keys disable", "UpdateAccessKey"},
	{"POST access-keys/{id}/delete", "delete it", "gatehouse access-keys delete", "DeleteAccessKey"},
	{"POST accounts", "add and change an AWS account", "gatehouse accounts import", "PutAccounts"},
	{"POST account-access/enable", "make the application of account access",
		"gatehouse account-access enable", "EnableAccountAccess"},
	{"POST account-access/disable", "delete it", "gatehouse account-access disable", "DisableAccountAccess"},
	{"POST account-access", "entitle somebody to an existing role",
		"gatehouse account-access give", "CreateEntitlement"},
	{"POST account-access/delete", "take it back", "gatehouse account-access remove", "DeleteEntitlement"},
	{"POST account-labels", "label accounts with an environment and a color",
		"gatehouse accounts label set", "PutAccountLabel"},
	{"POST account-labels/delete", "delete a label", "gatehouse accounts label delete", "DeleteAccountLabel"},
	{"POST accounts/organization", "read AWS Organizations now", "gatehouse accounts sync", "ImportAccounts"},
	{"POST permission-sets", "create a permission set",
		"aws sso-admin create-permission-set", "CreatePermissionSet"},
	{"POST permission-sets/delete", "delete it", "aws sso-admin delete-permission-set", "DeletePermissionSet"},
	{"POST permission-sets/{id}", "change it", "aws sso-admin update-permission-set", "UpdatePermissionSet"},
	{"POST permission-sets/{id}/policies", "its managed policies",
		"aws sso-admin attach-managed-policy-to-permission-set", "AttachManagedPolicyToPermissionSet"},
	{"POST permission-sets/{id}/inline", "its inline policy",
		"aws sso-admin put-inline-policy-to-permission-set", "PutInlinePolicyToPermissionSet"},
	{"POST permission-sets/{id}/boundary", "its permissions boundary",
		"aws sso-admin put-permissions-boundary-to-permission-set", "PutPermissionsBoundaryToPermissionSet"},
	{"POST permission-sets/{id}/provision", "provision its roles", "gatehouse roles provision", "ProvisionRoles"},
	{"POST permission-sets/{id}/check", "compare its roles with IAM", "gatehouse roles check", "RecheckRoles"},
	{"POST assignments", "assign a permission set",
		"aws sso-admin create-account-assignment", "CreateAccountAssignment"},
	{"POST assignments/delete", "remove the assignment",
		"aws sso-admin delete-account-assignment", "DeleteAccountAssignment"},
	{"POST rules/delete", "delete an assignment rule", "gatehouse rules delete", "DeleteAssignmentRule"},
	{"POST requests/{id}/end", "end access that somebody has asked for",
		"gatehouse access end", "EndAccess"},
	{"POST request-policies", "say who may ask for access", "gatehouse access policy create", "CreateRequestPolicy"},
	{"POST request-policies/delete", "delete such a policy", "gatehouse access policy delete", "DeleteRequestPolicy"},
	{"POST requests/webhook", "post notices of requests", "gatehouse access webhook set", "PutRequestWebhook"},
	{"POST requests/webhook/disable", "post none", "gatehouse access webhook remove", "PutRequestWebhook"},
	{"POST access-reviews", "start a review of who has what", "gatehouse access review start", "StartAccessReview"},
	{"POST access-reviews/owners", "say who reviews what", "gatehouse access owner set", "PutAccessOwner"},
	{"POST access-reviews/{id}/decide", "confirm, remove or give back what people have",
		"gatehouse access review remove", "DecideReview"},
	{"POST access-reviews/{id}/close", "close a review now", "gatehouse access review close", "CloseAccessReview"},
	{"POST applications", "create an application", "aws sso-admin create-application", "CreateApplication"},
	{"POST applications/{id}", "change it", "aws sso-admin update-application", "UpdateApplication"},
	{"POST applications/{id}/delete", "delete it", "aws sso-admin delete-application", "DeleteApplication"},
	{"POST applications/{id}/assign", "assign it",
		"aws sso-admin create-application-assignment", "CreateApplicationAssignment"},
	{"POST applications/{id}/unassign", "remove the assignment",
		"aws sso-admin delete-application-assignment", "DeleteApplicationAssignment"},
	{"GET audit", "search the audit log", "gatehouse audit search", "LookupEvents"},
	{"POST applications/{id}/saml", "SAML application: ACS URL and audience",
		"gatehouse applications set", "UpdateApplicationSaml"},
	{"POST applications/{id}/saml/response", "SAML application: relay state, session",
		"gatehouse applications set", "UpdateApplicationSaml"},
	{"POST applications/{id}/saml/mapping", "SAML application: attributes",
		"gatehouse applications set", "UpdateApplicationSaml"},
	{"POST applications/{id}/saml/certificates", "SAML application: certificates",
		"gatehouse applications new-certificate", "CreateApplicationInstanceCertificate"},
	{"POST applications/{id}/actor-policy", "OAuth application: who may ask for tokens",
		"aws sso-admin put-application-authentication-method", "PutApplicationAuthenticationMethod"},
	{"POST applications/{id}/grants", "OAuth application: grants",
		"aws sso-admin put-application-grant", "PutApplicationGrant"},
	{"POST applications/{id}/scopes", "OAuth application: access scopes",
		"aws sso-admin put-application-access-scope", "PutApplicationAccessScope"},
	{"POST applications/{id}/scopes/delete", "delete a scope",
		"aws sso-admin delete-application-access-scope", "DeleteApplicationAccessScope"},
	{"POST applications/{id}/sessions", "OAuth application: background sessions",
		"aws sso-admin put-application-session-configuration", "PutApplicationSessionConfiguration"},
	{"POST token-issuers", "create a trusted token issuer",
		"aws sso-admin create-trusted-token-issuer", "CreateTrustedTokenIssuer"},
	{"POST token-issuers/{id}", "change it",
		"aws sso-admin update-trusted-token-issuer", "UpdateTrustedTokenIssuer"},
	{"POST token-issuers/{id}/delete", "delete it",
		"aws sso-admin delete-trusted-token-issuer", "DeleteTrustedTokenIssuer"},
}

var consoleForm = regexp.MustCompile(`"((?:GET|POST) )/console/([^"]+)":`)

// TestWhatTheConsoleDoesACommandDoes: every form of the console has a command and an operation that
// exist, and docs/administration.md says which.
func TestWhatTheConsoleDoesACommandDoes(t *testing.T) {
	listed := map[string]bool{}
	for _, d := range deeds {
		listed[d.form] = true
	}
	served := formsOfTheConsole(t)
	for form := range served {
		if !listed[form] && strings.HasPrefix(form, "POST ") {
			t.Errorf("the console has %q, for which no command is named", form)
		}
	}
	operations := map[string]bool{}
	for _, s := range []awsapi.Service{
		(&adminserver.Handler{}).Service(), (&identitystore.Handler{}).Service(), (&ssoadmin.Handler{}).Service(),
	} {
		for _, op := range s.Operations {
			operations[op.Name] = true
		}
	}
	root := &cobra.Command{Use: "gatehouse"}
	root.AddCommand(administer.Commands(administer.World{}, administer.Explainer{Flags: func(*cobra.Command) {}})...)
	oversee.Add(root, administer.World{})
	access.Add(root, administer.World{})
	for _, d := range deeds {
		if !served[d.form] {
			t.Errorf("the console has no %q", d.form)
		}
		if d.operation != "" && !operations[d.operation] {
			t.Errorf("%s: there is no operation %s", d.command, d.operation)
		}
		words := strings.Fields(d.command)
		switch {
		case d.command == "":
		case words[0] == "aws":
			if name := strings.ReplaceAll(words[2], "-", ""); !strings.EqualFold(name, d.operation) {
				t.Errorf("%s is not %s", d.command, d.operation)
			}
		default:
			found, _, err := root.Find(words[1:])
			if err != nil || found.CommandPath() != d.command || found.RunE == nil || found.Short == "" {
				t.Errorf("there is no %s: %v", d.command, err)
			}
		}
	}
	writeDeeds(t)
}

func formsOfTheConsole(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("../../../center/console/*.go")
	if err != nil {
		t.Fatal(err)
	}
	served := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range consoleForm.FindAllStringSubmatch(string(text), -1) {
			served[m[1]+m[2]] = true
		}
	}
	return served
}

func writeDeeds(t *testing.T) {
	t.Helper()
	const (
		page  = "../../../docs/administration.md"
		begin = "<!-- commands: go test ./cmd/gatehouse/administer -run TestWhatTheConsoleDoes -update -->\n"
		end   = "<!-- end of commands -->\n"
	)
	var table strings.Builder
	table.WriteString("\n| in the console | command | operation |\n|---|---|---|\n")
	for _, d := range deeds {
		if d.command != "" {
			fmt.Fprintf(&table, "| %s | `%s` | `%s` |\n", d.what, d.command, d.operation)
		}
	}
	table.WriteString("\n")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, closed := strings.Cut(rest, end)
	switch {
	case !ok || !closed:
		t.Fatalf("%s lost the comments between which the commands stand", page)
	case got == table.String():
	case !*update:
		t.Errorf("%s is not what the commands are: run this test with -update", page)
	default:
		if err := os.WriteFile(page, []byte(before+begin+table.String()+end+after), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
