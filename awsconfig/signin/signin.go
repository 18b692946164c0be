// Package signin signs a program on somebody's machine in at IAM Identity Center, AWS's or a
// center's, and keeps the token where the AWS CLI and SDKs look for it: after either has signed in,
// the other one need not.
//
// It may import awsconfig.
package signin

import (
	"context"
	"crypto/sha1" // #nosec G505 -- the CLI names its files by it
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"

	"github.com/gatehouse-id/gatehouse/awsconfig"
)

// Settings say where to sign in, and how.
type Settings struct {
	Session awsconfig.Session
	HTTP    *http.Client
	Folder  string // of tokens: ~/.aws/sso/cache
	// Open shows an address in the person's browser, which then comes back to this machine. Without
	// it, the person types a code on a page that any browser can open. done is called when the
	// browser has come back.
	Open func(ctx context.Context, address string) (done func(), err error)
	Say  func(string) // tells the person what to do
}

// Token is what a session has given, in the form in which the CLI keeps it. Source: the files that
// AWS CLI 2 writes.
type Token struct {
	StartURL              string    `json:"startUrl"`
	Region                string    `json:"region"`
	AccessToken           string    `json:"accessToken"` // #nosec G117 -- kept as the CLI keeps it
	ExpiresAt             time.Time `json:"expiresAt"`
	ClientID              string    `json:"clientId,omitempty"`
	ClientSecret          string    `json:"clientSecret,omitempty"` // #nosec G117 -- as above
	RegistrationExpiresAt time.Time `json:"registrationExpiresAt,omitzero"`
	RefreshToken          string    `json:"refreshToken,omitempty"` // #nosec G117 -- as above
}

// timeout bounds how long somebody may take to sign in.
const timeout = 10 * time.Minute //bound:wait somebody who signs in

// maxToken bounds a kept token, in bytes.
const maxToken = 64 << 10 //bound:body a file with a token of the AWS CLI

// File is where the CLI keeps the token of a session, or of a start URL where a profile has none.
func File(folder string, s awsconfig.Session) string {
	key := s.Name
	if key == "" {
		key = s.StartURL
	}
	sum := sha1.Sum([]byte(key)) // #nosec G401 -- the CLI names its files by it
	return filepath.Join(folder, hex.EncodeToString(sum[:])+".json")
}

// Kept reads the token of a session. Its error is fs.ErrNotExist when there is none.
func Kept(folder string, s awsconfig.Session) (t Token, err error) {
	name := File(folder, s)
	data, err := awsconfig.ReadFile(name, maxToken)
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(data, &t); err != nil {
		return t, fmt.Errorf("%s is no token: %w", name, err)
	}
	return t, nil
}

// Token returns a token that is good for now: the kept one, that one renewed, or a new one for
// which the person signs in. One of another start URL, or that the session has refused, is no good.
func (s Settings) Token(ctx context.Context, refused string) (string, error) {
	client := s.client()
	kept, err := Kept(s.Folder, s.Session)
	if err == nil && kept.StartURL == s.Session.StartURL && kept.AccessToken != refused {
		renewing := ssocreds.NewSSOTokenProvider(client, File(s.Folder, s.Session))
		if renewed, err := renewing.RetrieveBearerToken(ctx); err == nil {
			return renewed.Value, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	t, err := s.signIn(ctx, client)
	if err != nil {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", fmt.Errorf("nobody has signed in within %s: run the command again", timeout)
		}
		return "", err
	}
	return t.AccessToken, s.keep(t)
}

func (s Settings) client() *ssooidc.Client {
	o := ssooidc.Options{Region: s.Session.Region, HTTPClient: s.HTTP}
	if s.Session.Endpoint != "" {
		o.BaseEndpoint = aws.String(s.Session.Endpoint)
	}
	return ssooidc.New(o)
}

func (s Settings) signIn(ctx context.Context, client *ssooidc.Client) (Token, error) {
	if s.Open == nil {
		return s.byDevice(ctx, client)
	}
	return s.byBrowser(ctx, client)
}

// keep writes a token for the CLI, whole or not at all.
func (s Settings) keep(t Token) error {
	data, err := json.Marshal(t) // #nosec G117 -- for the person alone, as the CLI does
	if err != nil {
		return err
	}
	return awsconfig.WriteFile(File(s.Folder, s.Session), data, 0o600)
}

// clientName is shown to the person who is asked whether the program may have the roles.
const clientName = "gatehouse"

// register makes a client of this program, as the CLI does.
func (s Settings) register(
	ctx context.Context, client *ssooidc.Client, grant string, redirects ...string,
) (*ssooidc.RegisterClientOutput, error) {
	in := &ssooidc.RegisterClientInput{
		ClientName: aws.String(clientName),
		ClientType: aws.String("public"),
		GrantTypes: []string{grant, "refresh_token"},
		Scopes:     []string{awsconfig.AccessScope},
	}
	if len(redirects) > 0 {
		in.RedirectUris = redirects
		in.IssuerUrl = &s.Session.StartURL
	}
	out, err := client.RegisterClient(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("register at %s: %w", s.Session.StartURL, err)
	}
	return out, nil
}

// token is what an answer gives a client.
func (s Settings) token(registered *ssooidc.RegisterClientOutput, out *ssooidc.CreateTokenOutput) Token {
	return Token{
		StartURL:              s.Session.StartURL,
		Region:                s.Session.Region,
		AccessToken:           aws.ToString(out.AccessToken),
		ExpiresAt:             time.Now().UTC().Truncate(time.Second).Add(time.Duration(out.ExpiresIn) * time.Second),
		ClientID:              aws.ToString(registered.ClientId),
		ClientSecret:          aws.ToString(registered.ClientSecret),
		RegistrationExpiresAt: time.Unix(registered.ClientSecretExpiresAt, 0).UTC(),
		RefreshToken:          aws.ToString(out.RefreshToken),
	}
}
