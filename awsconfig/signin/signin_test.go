package signin_test

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

	"github.com/gatehouse-id/gatehouse/awsconfig"
	"github.com/gatehouse-id/gatehouse/awsconfig/signin"
	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// The names are those that the AWS CLI gives the files.
func TestTokensAreWhereTheCLIKeepsThem(t *testing.T) {
	for want, s := range map[string]awsconfig.Session{
		"d033e22ae348aeb5660fc2140aec35850c4da997.json": {Name: "admin", StartURL: "https://x.awsapps.com/start"},
		"7487b5b67d5fa1132cf33fa93ae51ef38cc37752.json": {StartURL: "https://d-1234567890.awsapps.com/start"},
	} {
		if got := filepath.Base(signin.File("", s)); got != want {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
	}
	folder := t.TempDir()
	s := awsconfig.Session{Name: "admin"}
	if _, err := signin.Kept(folder, s); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
	for name, text := range map[string]string{"cut": `{"accessToken": "x"`, "large": strings.Repeat(" ", 1<<20)} {
		if err := os.WriteFile(signin.File(folder, s), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := signin.Kept(folder, s); err == nil {
			t.Errorf("a %s file is a token", name)
		}
	}
}

// A token that has run out is renewed without the person, for the AWS CLI too.
func TestATokenIsRenewedWithoutThePerson(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	c := pairtest.NewCommandLine(e)
	client := c.Register(awsconfig.AccessScope)
	in, _ := c.Device(client, "allow")
	out := c.Tokens(in)
	s := awsconfig.Session{
		Name: "corp", StartURL: e.Center.PortalURL, Region: e.AWS.Region, Endpoint: e.Center.URL,
	}
	folder := t.TempDir()
	old := signin.Token{
		StartURL:              s.StartURL,
		Region:                s.Region,
		AccessToken:           *out.AccessToken,
		ExpiresAt:             time.Now().Add(-time.Minute),
		ClientID:              *client.ClientId,
		ClientSecret:          *client.ClientSecret,
		RegistrationExpiresAt: time.Unix(client.ClientSecretExpiresAt, 0),
		RefreshToken:          *out.RefreshToken,
	}
	data, err := json.Marshal(old)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(signin.File(folder, s), data, 0o600); err != nil {
		t.Fatal(err)
	}
	settings := signin.Settings{
		Session: s,
		HTTP:    http.DefaultClient,
		Folder:  folder,
		Say:     func(text string) { t.Errorf("the person is asked: %s", text) },
	}
	token, err := settings.Token(context.Background(), "")
	if err != nil || token == old.AccessToken {
		t.Fatalf("the token is the old one, %v", err)
	}
	if _, refused := c.Accounts(aws.String(token)); refused != "" {
		t.Errorf("the new one is refused: %s", refused)
	}
	kept, err := signin.Kept(folder, s)
	if err != nil || kept.AccessToken != token || !kept.ExpiresAt.After(time.Now()) {
		t.Errorf("kept is one until %s, %v", kept.ExpiresAt, err)
	}
}
