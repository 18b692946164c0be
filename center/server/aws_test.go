package server_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestCredentialsComeFromWhereTheSettingsSay: STS is asked where the SDK's settings lead, signed
// only where there is something to sign with.
func TestCredentialsComeFromWhereTheSettingsSay(t *testing.T) {
	var asked, signature string
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, signature = r.FormValue("Action")+" "+r.FormValue("RoleArn"), r.Header.Get("Authorization")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write(
			[]byte(`<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>`),
		)
	}))
	defer sts.Close()
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAHUB")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	c := centertest.New(t, "https://center.example")
	request := center.RoleRequest{
		Role: center.Role{
			Account:  center.Account{ID: "111122223333"},
			RoleName: "AWSReservedSSO_Admin_0123456789abcdef",
		},
		SessionName: "ada",
		Duration:    time.Hour,
	}
	for from, want := range map[string]struct {
		action string
		signed bool
	}{server.FromSAML: {"AssumeRoleWithSAML", false}, server.FromAssumeRole: {"AssumeRole", true}} {
		s := server.AWS{From: from, SignInURL: broker.SignInEndpoint, RolePath: "/gatehouse/"}
		b, err := s.Broker(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Credentials(t.Context(), request)
		if refusal.CodeOf(err) != center.BrokerRefused ||
			asked != want.action+" arn:aws:iam::111122223333:role/gatehouse/AWSReservedSSO_Admin_0123456789abcdef" ||
			strings.Contains(signature, "AKIAHUB") != want.signed {
			t.Errorf("%s: asked %q with %q, %v", from, asked, signature, err)
		}
		form, err := b.SignIn(t.Context(), request, "https://console.aws.amazon.com/")
		if err != nil || form.URL != broker.SignInEndpoint || form.Response == "" {
			t.Errorf("%s: the console's form is %+v, %v", from, form, err)
		}
	}
}
