package administer_test

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// opens gets credentials of a role, and returns who asks STS with them who they are.
func opens(t *testing.T, e pairtest.Ends, c pairtest.CommandLine, token *string) func() error {
	t.Helper()
	ctx := context.Background()
	account, role := c.AnyRole(token)
	got, err := c.SSO.GetRoleCredentials(ctx, &sso.GetRoleCredentialsInput{
		AccessToken: token, AccountId: &account, RoleName: &role,
	})
	if err != nil {
		t.Fatal(err)
	}
	k := got.RoleCredentials
	client := sts.New(sts.Options{
		Region:           e.AWS.Region,
		BaseEndpoint:     &e.Center.URL,
		RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(
			aws.ToString(k.AccessKeyId), aws.ToString(k.SecretAccessKey), aws.ToString(k.SessionToken),
		),
	})
	who := func() error {
		_, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
		return err
	}
	if err := who(); err != nil {
		t.Fatal(err)
	}
	return who
}

// TestALeaverIsOutAtOnce: live credentials of a role end by command, by the page's button, and when
// the directory disables the person; the proof says what was open.
func TestALeaverIsOutAtOnce(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	o := &office{t, map[string]string{
		"AWS_REGION": e.Center.Region, "AWS_ACCESS_KEY_ID": e.AWS.AccessKeyID,
		"AWS_SECRET_ACCESS_KEY": e.AWS.SecretAccessKey, "CENTER_URL": e.Center.URL,
	}}
	signIn := func() (pairtest.CommandLine, *string) {
		c := pairtest.NewCommandLine(e)
		in, _ := c.Device(c.Register("sso:account:access"), "allow")
		return c, c.Tokens(in).AccessToken
	}

	c, token := signIn()
	who := opens(t, e, c, token)
	proof := filepath.Join(t.TempDir(), "proof.json")
	o.want("and 1 of 1 roles.", "revoke", pairtest.Amara, "--proof", proof)
	if err := who(); err == nil || !strings.Contains(err.Error(), "InvalidClientTokenId") {
		t.Errorf("after the command: %v", err)
	}
	if _, refused := c.Accounts(token); refused != "UnauthorizedException" {
		t.Errorf("the token after the command: %q", refused)
	}
	var p struct {
		Complete bool
		Sessions []any
		Left     []any                                   `json:"sessions_left"`
		Before   struct{ Open []struct{ Until string } } `json:"roles_before"`
	}
	text, err := os.ReadFile(proof)
	if err != nil || json.Unmarshal(text, &p) != nil || !p.Complete || len(p.Sessions) < 2 || len(p.Left) != 0 ||
		len(p.Before.Open) != 1 {
		t.Errorf("the proof is %s, %v", text, err)
	}
	o.want("0 of 0 sessions", "revoke", pairtest.Amara)

	c, token = signIn()
	who = opens(t, e, c, token)
	id := e.Find("/Users", "userName", pairtest.Amara).String("id")
	admin, page := e.Administrator(), e.Center.URL+"/console/users/"+id
	if text := admin.Get(page); !strings.Contains(text, "AWSReservedSSO_") || !strings.Contains(text, ">Open<") {
		t.Errorf("the page does not show the open role: %s", text)
	}
	admin.Does(page+"/revoke", nil, "All that the user had open has ended.")
	if err := who(); err == nil {
		t.Error("after the button the credentials are good")
	}

	c, token = signIn()
	who = opens(t, e, c, token)
	e.Change(http.MethodPatch, "/users/"+pairtest.Amara, map[string]any{"accountEnabled": false}, nil)
	e.Soon("credentials end after the directory disabled the person", func() bool { return who() != nil })
}
