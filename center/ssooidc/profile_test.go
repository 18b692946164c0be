package ssooidc_test

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestTheProfileOfThePortalWorksAsItStands gives AWS's own SDK the configuration that the portal
// shows, and the token that `aws sso login` would keep.
func TestTheProfileOfThePortalWorksAsItStands(t *testing.T) {
	e := pairtest.Start(t)
	c := pairtest.NewCommandLine(e)
	client := c.Register("sso:account:access")
	in, _ := c.Device(client, "allow")
	tokens := c.Tokens(in)
	account, role := c.AnyRole(tokens.AccessToken)

	_, page := c.Send(
		http.MethodPost, e.Center.URL+"/start/accounts/"+account+"/roles/"+role+"/credentials", nil,
	)
	text := html.UnescapeString(webtest.Match(t, page, regexp.MustCompile(`(?s)<pre[^>]*>(\[sso-session .*?)</pre>`)))
	name := webtest.Match(t, text, regexp.MustCompile(`\[profile ([^\]]+)\]`))
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(home, ".aws", "config"))
	cache, err := ssocreds.StandardCachedTokenFilepath("gatehouse")
	if err != nil {
		t.Fatal(err)
	}
	token, err := json.Marshal(map[string]any{
		"accessToken": tokens.AccessToken, "expiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		"clientId": client.ClientId, "clientSecret": client.ClientSecret, "refreshToken": tokens.RefreshToken,
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range map[string][]byte{os.Getenv("AWS_CONFIG_FILE"): []byte(text), cache: token} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx, config.WithSharedConfigProfile(name))
	if err != nil {
		t.Fatal(err)
	}
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, nil)
	if err != nil {
		t.Fatalf("%v, with\n%s", err, text)
	}
	if !strings.Contains(*who.Arn, ":assumed-role/AWSReservedSSO_"+role+"_") {
		t.Errorf("the profile is %s", *who.Arn)
	}
}
