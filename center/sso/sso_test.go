package sso_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestThePortalAPI(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	c := pairtest.NewCommandLine(e)
	ctx := context.Background()
	in, _ := c.Device(c.Register("sso:account:access"), "allow")
	token := c.Tokens(in).AccessToken

	seen := map[string]bool{}
	pages := sso.NewListAccountsPaginator(c.SSO, &sso.ListAccountsInput{AccessToken: token, MaxResults: aws.Int32(1)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page.AccountList {
			seen[*a.AccountId] = *a.AccountName != ""
		}
	}
	id, name := c.AnyRole(token)
	if len(seen) < 2 || !seen[id] {
		t.Fatalf("accounts %v over pages of one", seen)
	}
	account, role := &id, &name
	got, err := c.SSO.GetRoleCredentials(
		ctx, &sso.GetRoleCredentialsInput{AccessToken: token, AccountId: account, RoleName: role},
	)
	if err != nil || !strings.HasPrefix(*got.RoleCredentials.AccessKeyId, "ASIA") ||
		time.Until(time.UnixMilli(got.RoleCredentials.Expiration)) < time.Minute {
		t.Fatalf("credentials %+v, %v", got, err)
	}
	for name, x := range map[string]struct {
		in   sso.GetRoleCredentialsInput
		want string
	}{
		"a role of nobody": {
			sso.GetRoleCredentialsInput{AccessToken: token, AccountId: account, RoleName: aws.String("Nothing")},
			"ForbiddenException",
		},
		"an unknown account": {
			sso.GetRoleCredentialsInput{AccessToken: token, AccountId: aws.String("000000000000"), RoleName: role},
			"ForbiddenException",
		},
		"a forged token": {
			sso.GetRoleCredentialsInput{AccessToken: aws.String("x" + *token), AccountId: account, RoleName: role},
			"UnauthorizedException",
		},
		"another kind of token": {
			sso.GetRoleCredentialsInput{AccessToken: in.DeviceCode, AccountId: account, RoleName: role},
			"UnauthorizedException",
		},
		"a huge token": {
			sso.GetRoleCredentialsInput{
				AccessToken: aws.String(strings.Repeat("x", 20000)),
				AccountId:   account,
				RoleName:    role,
			},
			"UnauthorizedException",
		},
	} {
		_, err := c.SSO.GetRoleCredentials(ctx, &x.in)
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != x.want {
			t.Errorf("%s: %v, want %s", name, err, x.want)
		}
	}
	for _, path := range []string{
		"/assignment/accounts?max_result=0", "/assignment/accounts?max_result=x", "/assignment/accounts?next_token=x",
		"/assignment/roles", "/federation/credentials?account_id=1",
	} {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, e.Center.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Amz-Sso_bearer_token", *token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest || res.Header.Get("X-Amzn-Errortype") != "InvalidRequestException" {
			t.Errorf("%s: %s %s", path, res.Status, res.Header.Get("X-Amzn-Errortype"))
		}
	}

	// The Go SDK's own providers: a cached token is refreshed, and becomes credentials.
	cache := filepath.Join(t.TempDir(), "token.json")
	client := c.Register("sso:account:access")
	in, _ = c.Device(client, "allow")
	tokens := c.Tokens(in)
	text, err := json.Marshal(map[string]any{
		"accessToken":           "expired",
		"expiresAt":             time.Now().Add(-time.Hour).UTC().Format(time.RFC3339),
		"refreshToken":          *tokens.RefreshToken,
		"clientId":              *client.ClientId,
		"clientSecret":          *client.ClientSecret,
		"registrationExpiresAt": time.Now().Add(time.Hour).UTC().Format(time.RFC3339),
		"startUrl":              e.Center.PortalURL,
		"region":                e.AWS.Region,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cache, text, 0o600); err != nil {
		t.Fatal(err)
	}
	provider := ssocreds.New(
		c.SSO, *account, *role, e.Center.PortalURL,
		func(o *ssocreds.Options) { o.SSOTokenProvider = ssocreds.NewSSOTokenProvider(c.OIDC, cache) },
	)
	who, err := sts.New(sts.Options{
		Region:       e.AWS.Region,
		BaseEndpoint: &e.Center.URL,
		Credentials:  provider,
	}).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil || !strings.Contains(*who.Arn, ":assumed-role/AWSReservedSSO_"+*role+"_") ||
		!strings.HasSuffix(*who.Arn, "/"+pairtest.Amara) {
		t.Errorf("the SDK is %+v, %v", who, err)
	}

	if _, err := c.SSO.Logout(ctx, &sso.LogoutInput{AccessToken: token}); err != nil {
		t.Error(err)
	}
	if _, refused := c.Accounts(token); refused != "UnauthorizedException" {
		t.Errorf("after signing out: %q", refused)
	}
	// A person sees the programs among the sessions, and ends them.
	if _, page := c.Send(http.MethodGet, e.Center.URL+"/platform/account", nil); !strings.Contains(
		page, "botocore-client-test",
	) {
		t.Error("the program's session is not listed")
	}
	if status, _ := c.Send(
		http.MethodPost, e.Center.URL+"/platform/account/sessions/delete", nil,
	); status != http.StatusOK {
		t.Errorf("ending the others: %d", status)
	}
	if _, refused := c.Accounts(tokens.AccessToken); refused != "UnauthorizedException" {
		t.Errorf("after the session was ended: %q", refused)
	}
}
