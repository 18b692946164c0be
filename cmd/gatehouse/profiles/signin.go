package profiles

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// SignIn is a person at a center's access portal, for commands that act for the person.
type SignIn struct{ writing }

// NewSignIn returns one whose flags are not read yet.
func NewSignIn(w administer.World) *SignIn { return &SignIn{writing{place: place{World: w}}} }

// Flags adds the flags that say where to sign in, and how.
func (s *SignIn) Flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&s.startURL, "start-url", "", "the access portal's address (default: that of the session in the file)")
	f.StringVar(&s.region, "region", "", "the Region of the center (default: the session's, else AWS_REGION)")
	f.StringVar(&s.session, "session", "", "name of the sso-session (default: the file's only one, or the portal's)")
	f.StringVar(&s.file, "file", "", "the AWS CLI's settings `file` (default: AWS_CONFIG_FILE, else ~/.aws/config)")
	f.BoolVar(&s.noBrowser, "no-browser", false, "show a code to type in a browser on any machine")
}

// Token returns where the center is, and an access token of the person that is not the one that was
// refused: the one that the AWS CLI keeps, or a new one for which the person signs in.
func (s *SignIn) Token(ctx context.Context, refused string) (address, token string, err error) {
	_, _, file, err := s.read()
	if err != nil {
		return "", "", err
	}
	session, err := s.where(ctx, file)
	if err != nil {
		return "", "", err
	}
	if session.Endpoint == "" {
		return "", "", terminal.UsageError{Err: errors.New(
			"requests for access are a center's: say where its access portal is by --start-url")}
	}
	settings, err := s.signIn(session)
	if err != nil {
		return "", "", err
	}
	token, err = settings.Token(ctx, refused)
	return session.Endpoint, token, err
}
