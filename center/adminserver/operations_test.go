package adminserver_test

import (
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/saml"
)

func TestAccessKeysAreMadeSwitchedOffAndDeleted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	admin := centertest.Serve(t).Admin()
	made, err := admin.CreateAccessKey(ctx, "terraform", string(center.RoleUserAdministrator))
	if err != nil || made.SecretAccessKey == "" || made.Role != string(center.RoleUserAdministrator) {
		t.Fatalf("%+v, %v", made, err)
	}
	program := *admin
	program.AccessKeyID, program.SecretAccessKey = made.AccessKeyID, made.SecretAccessKey
	listed := func() (adminapi.AccessKey, bool) {
		t.Helper()
		keys, err := admin.AccessKeys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(keys, func(k adminapi.AccessKey) bool { return k.AccessKeyID == made.AccessKeyID })
		if i < 0 {
			return adminapi.AccessKey{}, false
		}
		return keys[i], true
	}
	if _, err := program.DescribeDirectory(ctx); err != nil {
		t.Errorf("a call with the key: %v", err)
	}
	if k, ok := listed(); !ok || k.Status != adminapi.KeyActive || k.SecretAccessKey != "" || k.LastUsedDate == nil {
		t.Errorf("listed as %+v, %v", k, ok)
	}
	if err := admin.UpdateAccessKey(ctx, made.AccessKeyID, "Off"); reason(err) != "invalid-value" {
		t.Errorf("a status that there is not: %v", err)
	}
	if err := admin.UpdateAccessKey(ctx, made.AccessKeyID, adminapi.KeyInactive); err != nil {
		t.Fatal(err)
	}
	if k, ok := listed(); !ok || k.Status != adminapi.KeyInactive {
		t.Errorf("switched off, it is %+v, %v", k, ok)
	}
	if _, err := program.DescribeDirectory(ctx); err == nil {
		t.Error("a key that is switched off is taken")
	}
	if err := admin.DeleteAccessKey(ctx, made.AccessKeyID); err != nil {
		t.Fatal(err)
	}
	if k, ok := listed(); ok {
		t.Errorf("deleted, it is listed: %+v", k)
	}
}

func TestARuleGivesRolesInTheAccountsOfItsUnit(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := centertest.Serve(t)
	admin := s.Admin()
	u, e1 := s.CreateUser(ctx, audit.SystemActor, centertest.Person("ada@example.com"))
	set, e2 := s.CreatePermissionSet(ctx, audit.SystemActor, center.PermissionSet{Name: "Readers"})
	e3 := admin.PutAccounts(ctx, []adminapi.Account{
		{
			ID:                  "111122223333",
			Name:                "Production",
			OrganizationalUnits: []adminapi.OrganizationalUnit{{ID: "ou-prod", Name: "Production"}},
		},
		{ID: "222233334444", Name: "Other", Status: adminapi.AccountSuspended},
	})
	if err := errors.Join(e1, e2, e3); err != nil {
		t.Fatal(err)
	}
	if err := admin.PutAccounts(ctx, nil); reason(err) != "invalid-value" {
		t.Errorf("no accounts: %v", err)
	}
	if err := admin.PutAccounts(ctx, []adminapi.Account{{ID: "111122223333", Status: "OPEN"}}); reason(err) !=
		"invalid-value" {
		t.Errorf("a status that there is not: %v", err)
	}
	rule := adminapi.Rule{
		Unit: "ou-prod", PermissionSetARN: set.ARN, PrincipalType: "USER", PrincipalID: string(u.ID),
	}
	seen, err := admin.PreviewRule(ctx, rule)
	if err != nil || len(seen) != 1 || seen[0].ID != "111122223333" {
		t.Errorf("the preview: %+v, %v", seen, err)
	}
	chosen := rule
	chosen.RuleID = "mine"
	if _, err := admin.CreateRule(ctx, chosen); reason(err) != "invalid-value" {
		t.Errorf("a rule with an id of the caller's: %v", err)
	}
	made, err := admin.CreateRule(ctx, rule)
	if err != nil || made.RuleID == "" || made.Problem != "" {
		t.Fatalf("%+v, %v", made, err)
	}
	if rules, err := admin.Rules(ctx); err != nil || len(rules) != 1 || rules[0].RuleID != made.RuleID {
		t.Errorf("rules %+v, %v", rules, err)
	}
	status := func() string {
		t.Helper()
		roles, err := admin.Roles(ctx, "", false)
		if err != nil || len(roles) != 1 || roles[0].PermissionSet != "Readers" {
			t.Fatalf("roles %+v, %v", roles, err)
		}
		return roles[0].Status
	}
	if got := status(); got != adminapi.RoleLatest {
		t.Errorf("the role is %s", got)
	}
	e1 = s.UpdatePermissionSet(ctx, audit.SystemActor, center.ActionUpdatePermissionSet, set.ARN,
		func(p *center.PermissionSet) error { p.Description = "They read"; return nil })
	if got := status(); e1 != nil || got != adminapi.RoleChanged {
		t.Errorf("after a change of the permission set the role is %s, %v", got, e1)
	}
	work, err := admin.ProvisionRoles(ctx, set.ARN, "111122223333")
	if err == nil {
		work, err = admin.RoleRequest(ctx, work.RequestID)
	}
	if got := status(); err != nil || work.Status != "SUCCEEDED" || got != adminapi.RoleLatest {
		t.Errorf("provisioned, the role is %s; %+v, %v", got, work, err)
	}
	roles, err := admin.AccountRoles(ctx, "111122223333")
	if err != nil || len(roles.Roles) != 1 || roles.Roles[0].Description != "They read" || roles.SAMLMetadata == "" {
		t.Errorf("what the account must have: %+v, %v", roles, err)
	}
	for format, want := range map[string]string{
		adminapi.TemplateCloudFormation: `"RoleName": "` + roles.Roles[0].RoleName + `"`,
		adminapi.TemplateTerraform:      `"name": "` + roles.Roles[0].RoleName + `"`,
	} {
		in := adminapi.RoleTemplateInput{AccountID: "111122223333", Format: format, RolePath: "/people/"}
		text, err := admin.RoleTemplate(ctx, in)
		if err != nil || !strings.Contains(text, want) || !strings.Contains(text, `ath": "/people/"`) {
			t.Errorf("the template for %s is %s, %v", format, text, err)
		}
	}
	var refused *adminapi.Error
	yaml := adminapi.RoleTemplateInput{AccountID: "111122223333", Format: "yaml"}
	if _, err := admin.RoleTemplate(ctx, yaml); !errors.As(err, &refused) {
		t.Errorf("a template in another format: %v", err)
	}
	if err := admin.DeleteRule(ctx, made.RuleID); err != nil {
		t.Fatal(err)
	}
	if rules, err := admin.Rules(ctx); err != nil || len(rules) != 0 {
		t.Errorf("rules %+v, %v", rules, err)
	}
}

func TestTheIdentitySourceIsChangedAndChangedBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := centertest.Serve(t)
	admin := s.Admin()
	if _, err := s.CreateUser(ctx, audit.SystemActor, centertest.Person("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	key, err := saml.NewSigningKey(time.Now(), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := saml.IdentityProviderMetadata(
		saml.IdentityProvider{EntityID: "https://idp.example/", SignInURL: "https://idp.example/sso"}, key,
	)
	if err != nil {
		t.Fatal(err)
	}
	pending, err := admin.CreateConfiguration(ctx, string(metadata))
	if err != nil || pending.Status != adminapi.StatusPending || len(pending.Thumbprints) != 1 {
		t.Fatalf("%+v, %v", pending, err)
	}
	report, err := admin.Preview(ctx, adminapi.PreviewInput{
		IdentitySource: adminapi.SourceExternal, KnownUserNames: []string{"ADA@example.com"},
	})
	if err != nil || report.Total != 1 || report.Counts["SignsInAtIdP"] != 1 || len(report.Users) != 1 {
		t.Errorf("the report: %+v, %v", report, err)
	}
	if _, err := admin.Preview(ctx, adminapi.PreviewInput{IdentitySource: "LDAP"}); reason(err) != "invalid-value" {
		t.Errorf("a source that there is not: %v", err)
	}
	if err := admin.EnableConfiguration(ctx, adminapi.ChangeInput{
		ConfigurationID: pending.ConfigurationID, Confirmation: "ACCEPT",
	}); err != nil {
		t.Fatal(err)
	}
	if err := admin.AllowIdPInitiated(ctx, false); err != nil {
		t.Fatal(err)
	}
	d, err := admin.DescribeDirectory(ctx)
	if err != nil || d.IdentitySource != adminapi.SourceExternal || d.UserCount != 1 || d.UndoUntil == nil ||
		d.IdPInitiatedSignIn == nil || *d.IdPInitiatedSignIn {
		t.Errorf("the directory: %+v, %v", d, err)
	}
	list, err := admin.Configurations(ctx)
	if err != nil || len(list) != 1 || list[0].Status != adminapi.StatusEnabled {
		t.Errorf("configurations %+v, %v", list, err)
	}
	second, err := saml.NewSigningKey(time.Now(), time.Now().Add(2*time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: second.Certificate.Raw})
	if err := admin.ImportCertificate(ctx, string(text)); err != nil {
		t.Fatal(err)
	}
	certificates, err := admin.ListCertificates(ctx)
	if err != nil || len(certificates) != 2 || certificates[0].CertificateID != pending.Thumbprints[0] {
		t.Fatalf("certificates, those that end first at the front: %+v, %v", certificates, err)
	}
	if err := admin.DeleteCertificate(ctx, certificates[0].CertificateID, "DELETE"); err != nil {
		t.Errorf("delete a certificate: %v", err)
	}
	if err := admin.UndoIdentitySourceChange(ctx, "ACCEPT"); err != nil {
		t.Fatal(err)
	}
	if d, err := admin.DescribeDirectory(ctx); err != nil || d.IdentitySource != adminapi.SourceDirectory {
		t.Errorf("undone, the directory is %+v, %v", d, err)
	}
	again := adminapi.ConfirmInput{Confirmation: "ACCEPT", InForce: pending.ConfigurationID}
	if err := admin.UndoSourceChange(ctx, again); reason(err) != "identity-source-moved" {
		t.Errorf("an undo that is sent twice: %v", err)
	}
	if d, err := admin.DescribeDirectory(ctx); err != nil || d.IdentitySource != adminapi.SourceDirectory {
		t.Errorf("undone twice, the directory is %+v, %v", d, err)
	}
	again.InForce = adminapi.SourceDirectory
	if err := admin.UndoSourceChange(ctx, again); err != nil {
		t.Errorf("back to the identity provider: %v", err)
	}
}

// reason is the stable code of a refusal.
func reason(err error) string {
	var refused *adminapi.Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}
