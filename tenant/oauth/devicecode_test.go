package oauth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// TestDeviceCodes: the official library shows a code, a person types it in.
func TestDeviceCodes(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	for answer, want := range map[string]string{"allow": "", "deny": "authentication failed"} {
		credential, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
			ClientOptions:            s.options(),
			DisableInstanceDiscovery: true,
			TenantID:                 s.id,
			UserPrompt: func(_ context.Context, m azidentity.DeviceCodeMessage) error {
				if !strings.HasPrefix(m.VerificationURL, s.url) || !strings.Contains(m.Message, m.UserCode) {
					t.Errorf("the message is %q", m.Message)
				}
				if _, page := s.post(
					"/login", url.Values{"loginfmt": {"admin"}, "passwd": {s.admin}, "return": {"/devicelogin"}},
				); !strings.Contains(page, "Enter code") {
					t.Errorf("after the sign-in: %s", page)
				}
				if _, page := s.post("/devicelogin", url.Values{"code": {"NOSUCHCOD"}}); !strings.Contains(
					page, "did not work",
				) {
					t.Errorf("a wrong code: %s", page)
				}
				if _, page := s.post(
					"/devicelogin", url.Values{"code": {strings.ToLower(m.UserCode)}},
				); !strings.Contains(page, "Are you trying to sign in to Microsoft Azure CLI?") {
					t.Errorf("before the answer: %s", page)
				}
				s.post("/devicelogin", url.Values{"code": {m.UserCode}, "answer": {answer}})
				return nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		g, err := s.token(credential, defaultScope)
		if want != "" {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", answer, err, want)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var me map[string]any
		if err := g.Do(context.Background(), http.MethodGet, "/me", nil, &me); err != nil ||
			me["displayName"] != "admin" {
			t.Errorf("me: %v, %v", me, err)
		}
		if err := g.Do(
			context.Background(), http.MethodPost, "/groups",
			map[string]any{"displayName": "X", "mailNickname": "x", "mailEnabled": false, "securityEnabled": true},
			nil,
		); err != nil {
			t.Errorf("an administrator may write: %v", err)
		}
	}
}
