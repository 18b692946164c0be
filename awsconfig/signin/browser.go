package signin

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"golang.org/x/oauth2"

	"github.com/gatehouse-id/gatehouse/awsconfig"
)

// callback is where the browser comes back to. The port is added when it is known: an address of
// the machine itself may have any. Source: RFC 8252, 7.3.
const callback = "/oauth/callback"

// back is what the browser came back with.
type back struct {
	code string
	err  error
}

// byBrowser opens the page of the portal in the person's browser, which comes back to this machine
// with a code. Only who began it can use the code. Source: RFC 8252, RFC 7636.
func (s Settings) byBrowser(ctx context.Context, client *ssooidc.Client) (Token, error) {
	registered, err := s.register(ctx, client, "authorization_code", "http://127.0.0.1"+callback)
	if err != nil {
		return Token{}, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return Token{}, fmt.Errorf("wait for the browser: %w", err)
	}
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	came := make(chan back, 1)
	server := &http.Server{Handler: waiting(state, came), ReadHeaderTimeout: headerTimeout}
	go func() { _ = server.Serve(listener) }() // until it is shut down
	defer func() {                             // the page that thanks is still on its way
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_ = server.Shutdown(ctx)
	}()
	redirect := "http://" + listener.Addr().String() + callback
	address, err := s.authorize(ctx, client, url.Values{
		"response_type":         {"code"},
		"client_id":             {aws.ToString(registered.ClientId)},
		"redirect_uri":          {redirect},
		"state":                 {state},
		"scopes":                {awsconfig.AccessScope}, // AWS's name of it
		"code_challenge_method": {"S256"},
		"code_challenge":        {oauth2.S256ChallengeFromVerifier(verifier)},
	})
	if err != nil {
		return Token{}, err
	}
	s.Say("Sign in in the browser. If it has not opened, go to:\n" + address)
	done, err := s.Open(ctx, address)
	defer done()
	if err != nil {
		s.Say("The browser cannot be opened: " + err.Error())
	}
	select {
	case <-ctx.Done():
		return Token{}, ctx.Err()
	case answer := <-came:
		if answer.err != nil {
			return Token{}, answer.err
		}
		out, err := client.CreateToken(ctx, &ssooidc.CreateTokenInput{
			ClientId:     registered.ClientId,
			ClientSecret: registered.ClientSecret,
			GrantType:    aws.String("authorization_code"),
			Code:         &answer.code,
			RedirectUri:  &redirect,
			CodeVerifier: &verifier,
		})
		if err != nil {
			return Token{}, fmt.Errorf("sign in at %s: %w", s.Session.StartURL, err)
		}
		return s.token(registered, out), nil
	}
}

// authorize is the address of the page on which a person lets a program sign in.
func (s Settings) authorize(ctx context.Context, client *ssooidc.Client, q url.Values) (string, error) {
	base := s.Session.Endpoint
	if base == "" {
		at, err := client.Options().EndpointResolverV2.ResolveEndpoint(
			ctx, ssooidc.EndpointParameters{Region: &s.Session.Region},
		)
		if err != nil {
			return "", fmt.Errorf("where to sign in in %s: %w", s.Session.Region, err)
		}
		base = at.URI.String()
	}
	u, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	u = u.JoinPath("authorize")
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// goodbye bounds how long the browser takes to read that the person is signed in.
const goodbye = time.Second //bound:wait the last page for a browser

// headerTimeout bounds how long the browser takes to say where it comes back to.
const headerTimeout = 10 * time.Second //bound:wait the header of a browser that comes back

// waiting answers the browser that comes back, once. What does not have the state is somebody
// else's, and ends nothing.
func waiting(state string, came chan<- back) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callback, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		head := w.Header()
		head.Set("Content-Security-Policy", "default-src 'none'")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-store")
		head.Set("Content-Type", "text/plain; charset=utf-8")
		if subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(state)) != 1 {
			http.Error(w, "This is not the sign-in that the program waits for.", http.StatusBadRequest)
			return
		}
		answer, text := back{code: q.Get("code")}, "You are signed in. Go back to the terminal; this tab can be closed."
		if answer.code == "" {
			text = "You are not signed in. The terminal says why."
			answer.err = errors.New("the browser came back without a code: " +
				cmp.Or(q.Get("error_description"), q.Get("error"), "no reason was given"))
			if q.Get("error") == "access_denied" {
				answer.err = errDenied
			}
		}
		_, _ = fmt.Fprintln(w, text)
		select {
		case came <- answer:
		default: // the first answer counts
		}
	})
	return mux
}
