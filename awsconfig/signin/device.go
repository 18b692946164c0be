package signin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc/types"
)

// deviceGrant is the grant of a code that a person types. Source: RFC 8628, 3.4.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// slower is by how much one asks less often when told to. Source: RFC 8628, 3.5.
const slower = 5 * time.Second //bound:none how often, not how much

// byDevice shows a code, which the person confirms on a page in any browser.
func (s Settings) byDevice(ctx context.Context, client *ssooidc.Client) (Token, error) {
	registered, err := s.register(ctx, client, deviceGrant)
	if err != nil {
		return Token{}, err
	}
	started, err := client.StartDeviceAuthorization(ctx, &ssooidc.StartDeviceAuthorizationInput{
		ClientId:     registered.ClientId,
		ClientSecret: registered.ClientSecret,
		StartUrl:     &s.Session.StartURL,
	})
	if err != nil {
		return Token{}, fmt.Errorf("begin to sign in at %s: %w", s.Session.StartURL, err)
	}
	s.Say(fmt.Sprintf(
		"Sign in at %s\nand confirm the code %s there, if you began this yourself.",
		aws.ToString(started.VerificationUriComplete), aws.ToString(started.UserCode),
	))
	every := max(time.Duration(started.Interval)*time.Second, time.Second)
	for {
		select {
		case <-ctx.Done():
			return Token{}, ctx.Err()
		case <-time.After(every):
		}
		out, err := client.CreateToken(ctx, &ssooidc.CreateTokenInput{
			ClientId:     registered.ClientId,
			ClientSecret: registered.ClientSecret,
			GrantType:    aws.String(deviceGrant),
			DeviceCode:   started.DeviceCode,
		})
		var pending *types.AuthorizationPendingException
		var often *types.SlowDownException
		var late *types.ExpiredTokenException
		var denied *types.AccessDeniedException
		switch {
		case err == nil:
			return s.token(registered, out), nil
		case errors.As(err, &pending):
		case errors.As(err, &often):
			every += slower
		case errors.As(err, &late):
			return Token{}, errors.New("the code has expired: run the command again")
		case errors.As(err, &denied):
			return Token{}, errDenied
		default:
			return Token{}, fmt.Errorf("sign in at %s: %w", s.Session.StartURL, err)
		}
	}
}

var errDenied = errors.New("the sign-in was denied in the browser, so nothing was done: run the command again")
