package oauth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// TestPeopleDoNotReadLogs signs a person in with the Azure CLI's client: what Entra gives to roles
// only is not for members of the directory.
func TestPeopleDoNotReadLogs(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	ctx := context.Background()
	secret, err := azidentity.NewClientSecretCredential(s.id, s.clientID, s.secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: s.options(), DisableInstanceDiscovery: true})
	if err != nil {
		t.Fatal(err)
	}
	program, err := s.token(secret, defaultScope)
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Do(ctx, http.MethodPost, "/users", map[string]any{
		"accountEnabled": true, "displayName": "Ada", "mailNickname": "ada",
		"userPrincipalName": "ada@northwind.example",
		"passwordProfile":   map[string]any{"password": "a long password"}}, nil); err != nil {
		t.Fatal(err)
	}
	code, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
		ClientOptions: s.options(), DisableInstanceDiscovery: true, TenantID: s.id,
		UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
			s.post(
				"/login",
				url.Values{
					"loginfmt": {"ada@northwind.example"},
					"passwd":   {"a long password"},
					"return":   {"/devicelogin"},
				},
			)
			s.post("/devicelogin", url.Values{"code": {m.UserCode}, "answer": {"allow"}})
			return nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	ada, err := s.token(code, defaultScope)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/me", "/users", "/groups", "/applications", "/servicePrincipals", "/organization"} {
		if err := ada.Do(ctx, http.MethodGet, path, nil, nil); err != nil {
			t.Errorf("members may read %s: %v", path, err)
		}
	}
	job := "/servicePrincipals/x/synchronization/jobs"
	for _, path := range []string{"/auditLogs/signIns", "/auditLogs/directoryAudits", "/auditLogs/provisioning",
		"/servicePrincipals/x/synchronization/secrets",
		"/servicePrincipals/x/synchronization/templates", job, job + "/j", job + "/j/schema"} {
		if err := ada.Do(ctx, http.MethodGet, path, nil, nil); err == nil ||
			!strings.Contains(err.Error(), "Authorization_RequestDenied") {
			t.Errorf("a member reads %s: %v", path, err)
		}
	}
	for _, path := range []string{"/auditLogs/signIns", "/auditLogs/directoryAudits", "/auditLogs/provisioning"} {
		if err := program.Do(ctx, http.MethodGet, path, nil, nil); err != nil {
			t.Errorf("a program with the permission reads %s: %v", path, err)
		}
	}
}
