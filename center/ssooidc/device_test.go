package ssooidc_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

func TestDevicesSignIn(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	c := pairtest.NewCommandLine(e)
	client := c.Register("sso-portal:*") // as Granted does: no refresh tokens

	in, code := c.Device(client, "")
	c.TokenError("before the decision", in, "AuthorizationPendingException")
	c.TokenError("the second time at once", in, "AuthorizationPendingException")
	c.TokenError("the third time at once", in, "AuthorizationPendingException")
	c.TokenError("too fast", in, "SlowDownException")
	other := c.Register()
	in2, _ := c.Device(client, "allow")
	stolen := *in2
	stolen.ClientId, stolen.ClientSecret = other.ClientId, other.ClientSecret
	c.TokenError("another client's code", &stolen, "InvalidGrantException")
	wrong := *in2
	wrong.ClientSecret = other.ClientSecret
	c.TokenError("another client's secret", &wrong, "InvalidClientException")
	in2, _ = c.Device(client, "allow")
	got := c.Tokens(in2)
	if got.RefreshToken != nil || got.ExpiresIn < 3600 || *got.TokenType != "Bearer" {
		t.Errorf("a client without scopes got %+v", got)
	}
	c.TokenError("a code twice", in2, "InvalidGrantException")
	if n, refused := c.Accounts(got.AccessToken); n == 0 || refused != "" {
		t.Errorf("%d accounts, %s", n, refused)
	}
	denied, _ := c.Device(client, "deny")
	c.TokenError("after denial", denied, "AccessDeniedException")
	unknown := *in
	unknown.DeviceCode, unknown.GrantType = aws.String("x"), aws.String("password")
	c.TokenError("another grant type", &unknown, "UnsupportedGrantTypeException")

	// The code may be typed without its dash and in small letters. Wrong ones are counted.
	status, page := c.Send(
		http.MethodGet, e.Center.URL+"/start/device?user_code="+strings.ToLower(strings.ReplaceAll(code, "-", "")),
		nil,
	)
	if status != http.StatusOK || !strings.Contains(page, "Authorization requested") {
		t.Errorf("the code as it is typed: %d %s", status, page)
	}
	for range 6 {
		status, page = c.Send(http.MethodPost, e.Center.URL+"/start/device", url.Values{"user_code": {"BBBB-BBBB"}})
	}
	if status != http.StatusBadRequest || !strings.Contains(page, "Too many wrong codes") {
		t.Errorf("the sixth wrong code: %d %s", status, page)
	}
	if status, page = c.Send(
		http.MethodGet, e.Center.URL+"/start/device?user_code="+code, nil,
	); status != http.StatusBadRequest ||
		strings.Contains(page, "botocore") {
		t.Errorf("the right code during the lock-out: %d %s", status, page)
	}
	for _, start := range []string{"https://d-0000000000.awsapps.com/start", "https://evil.example/start", ""} {
		_, err := c.OIDC.StartDeviceAuthorization(
			context.Background(),
			&ssooidc.StartDeviceAuthorizationInput{
				ClientId:     client.ClientId,
				ClientSecret: client.ClientSecret,
				StartUrl:     &start,
			},
		)
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != "InvalidRequestException" {
			t.Errorf("start URL %q: %v", start, err)
		}
	}
}
