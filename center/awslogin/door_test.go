package awslogin_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

const (
	account  = "111122223333"
	verifier = "0123456789abcdefghijklmnopqrstuvwxyz-._~ABCDEFGHIJKLMNOPQRSTUVWX"
	loopback = "http://127.0.0.1:49152/oauth/callback"
)

// world is a center where ada, who is signed in, has the role Builder, and a program of hers.
type world struct {
	*centertest.Server
	t   *testing.T
	ada webtest.Visitor
	who center.User
	centertest.Program
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s := centertest.Serve(t)
	s.NoMFA()
	ada := s.NewPerson("ada")
	s.Assigned(ada, account, "Builder")
	program := centertest.Program{Key: centertest.NewKey(t, false)}
	return &world{Server: s, t: t, ada: s.SignIn("ada"), who: ada, Program: program}
}

// query is what the CLI sends a browser to /v1/authorize with.
func (w *world) query(change map[string]string) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {center.SameDeviceClient}, "state": {"a b&c"},
		"code_challenge_method": {"SHA-256"}, "scope": {"openid"}, "redirect_uri": {loopback},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	for name, value := range change {
		q.Set(name, value)
	}
	return q
}

// choose opens the page, and sends its form.
func (w *world) choose(change map[string]string, role, decision string) (at *url.URL, page string) {
	w.t.Helper()
	stays := w.ada.Stays()
	answer := stays.Do(http.MethodGet, w.URL+"/v1/authorize?"+w.query(change).Encode(), nil)
	if answer.Status != http.StatusOK {
		w.t.Fatalf("the page: %d %s", answer.Status, answer.Text)
	}
	form := url.Values{"role": {role}, "decision": {decision}}
	for name, value := range webtest.Hidden(answer.Text[strings.LastIndex(answer.Text, "<form method=\"post\""):]) {
		form[name] = value
	}
	sent := stays.Do(http.MethodPost, w.URL+"/v1/authorize", form)
	at, err := url.Parse(sent.Header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	return at, sent.Text
}

type answer struct {
	AccessToken struct{ AccessKeyID, SecretAccessKey, SessionToken string }
	TokenType   string
	ExpiresIn   int
	RefreshToken, IDToken,
	Type, Error, Message string
}

// ask sends a request for credentials.
func (w *world) ask(p centertest.Program, in map[string]string) (int, answer) {
	w.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.URL+"/v1/token", bytes.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("DPoP", p.Proof(w.t, w.URL+"/v1/token"))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // a read answer has nothing to lose
	var out answer
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		w.t.Fatalf("the answer is no JSON: %d %v", res.StatusCode, err)
	}
	out.Type = res.Header.Get("X-Amzn-Errortype")
	return res.StatusCode, out
}

func redemption(code string) map[string]string {
	return map[string]string{
		"clientId": center.SameDeviceClient, "grantType": "authorization_code", "code": code,
		"redirectUri": loopback, "codeVerifier": verifier,
	}
}

func renewal(token string) map[string]string {
	return map[string]string{
		"clientId": center.SameDeviceClient, "grantType": "refresh_token", "refreshToken": token,
	}
}

// login is a whole sign-in.
func (w *world) login() answer {
	w.t.Helper()
	at, page := w.choose(nil, account+"/Builder", "allow")
	code := at.Query().Get("code")
	if !strings.HasPrefix(at.String(), loopback) || at.Query().Get("state") != "a b&c" || code == "" {
		w.t.Fatalf("the browser went to %s: %s", at, page)
	}
	status, out := w.ask(w.Program, redemption(code))
	if status != http.StatusOK {
		w.t.Fatalf("the exchange: %d %+v", status, out)
	}
	return out
}

// identity is whose credentials somebody has.
func (w *world) identity(provider aws.CredentialsProvider) (string, error) {
	client := sts.New(sts.Options{
		Region: "us-east-1", BaseEndpoint: &w.URL, Credentials: provider, RetryMaxAttempts: 1,
	})
	out, err := client.GetCallerIdentity(w.t.Context(), &sts.GetCallerIdentityInput{})
	if err != nil {
		return "", err
	}
	return *out.Arn, nil
}

func (a answer) Retrieve(context.Context) (aws.Credentials, error) {
	k := a.AccessToken
	return aws.Credentials{
		AccessKeyID: k.AccessKeyID, SecretAccessKey: k.SecretAccessKey, SessionToken: k.SessionToken,
	}, nil
}

// Every dialect of the clients signs in, and the ID token names who GetCallerIdentity says it is.
func TestAProgramGetsTheRoleThatWasChosen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, p := range map[string]centertest.Program{
		"the CLI": {Key: centertest.NewKey(t, false)},
		"Go":      {Key: centertest.NewKey(t, true), Short: true, Indent: true},
		"Java":    {Key: centertest.NewKey(t, true), Short: true}, "JavaScript": {Key: centertest.NewKey(t, true)},
	} {
		w.Program = p
		got := w.login()
		arn, err := w.identity(got)
		if err != nil || !strings.HasPrefix(arn, "arn:aws:sts::"+account+":assumed-role/AWSReservedSSO_Builder_") ||
			!strings.HasSuffix(arn, "/ada") {
			t.Errorf("%s: the credentials are those of %s, %v", name, arn, err)
		}
		var claims struct{ Sub string }
		parts := strings.Split(got.IDToken, ".")
		data, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err != nil || len(parts) != 3 || json.Unmarshal(data, &claims) != nil || claims.Sub != arn {
			t.Errorf("%s: the ID token is about %s, %v", name, data, err)
		}
		if got.TokenType != "aws_sigv4" || got.ExpiresIn < 880 || got.ExpiresIn > 900 {
			t.Errorf("%s: %s for %d s", name, got.TokenType, got.ExpiresIn)
		}
		status, next := w.ask(p, renewal(got.RefreshToken))
		if status != http.StatusOK || next.RefreshToken == got.RefreshToken || next.IDToken != "" {
			t.Errorf("%s: renewed, %d %+v", name, status, next)
		}
		// another process of the person has the old one still
		if status, again := w.ask(p, renewal(got.RefreshToken)); status != http.StatusOK || again.RefreshToken == "" {
			t.Errorf("%s: a second process, %d %+v", name, status, again)
		}
	}
}

// TestTheSDKRenewsByItself has AWS's own provider read the file that the CLI would have written.
func TestTheSDKRenewsByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	// As the CLI, which sends all bytes of the key. The SDK will not.
	w.Program = centertest.Program{Key: centertest.NewKey(t, true)}
	got := w.login()
	der, err := x509.MarshalECPrivateKey(w.Key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token.json")
	data, err := json.Marshal(map[string]any{
		"accessToken": map[string]any{
			"accessKeyId": got.AccessToken.AccessKeyID, "secretAccessKey": got.AccessToken.SecretAccessKey,
			"sessionToken": got.AccessToken.SessionToken, "accountId": account,
			"expiresAt": time.Now().Add(-time.Minute),
		},
		"tokenType": "aws_sigv4", "clientId": center.SameDeviceClient, "refreshToken": got.RefreshToken,
		"identityToken": got.IDToken,
		"dpopKey":       string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	client := signin.New(signin.Options{Region: "eu-west-1", BaseEndpoint: &w.URL, RetryMaxAttempts: 1})
	provider := logincreds.New(client, file)
	arn, err := w.identity(provider)
	if err != nil || !strings.HasSuffix(arn, "/ada") {
		t.Fatalf("the SDK is %s, %v", arn, err)
	}
	after, err := os.ReadFile(file)
	if err != nil || bytes.Equal(after, data) {
		t.Errorf("nothing was renewed: %v", err)
	}
}

func TestTheCodeIsCopiedToAnotherMachine(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	remote := map[string]string{
		"client_id": center.CrossDeviceClient, "redirect_uri": w.URL + center.ConfirmationPath,
	}
	at, page := w.choose(remote, account+"/Builder", "allow")
	if at.Path != center.ConfirmationPath {
		t.Fatalf("the browser went to %s: %s", at, page)
	}
	shown := w.ada.Get(at.String())
	text := shown[strings.Index(shown, "<pre"):]
	text = text[strings.Index(text, ">")+1 : strings.Index(text, "</pre>")]
	text = strings.ReplaceAll(text, "&#43;", "+")
	query, err := base64.StdEncoding.DecodeString(text)
	values, e2 := url.ParseQuery(string(query))
	if err != nil || e2 != nil || values.Get("state") != "a b&c" {
		t.Fatalf("the page shows %q: %s, %v, %v", text, query, err, e2)
	}
	in := redemption(values.Get("code"))
	in["clientId"], in["redirectUri"] = remote["client_id"], remote["redirect_uri"]
	if status, out := w.ask(w.Program, in); status != http.StatusOK {
		t.Errorf("%d %+v", status, out)
	}
}

// Nobody is sent anywhere before the client and the address are known to be right.
func TestWhatIsSentNowhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, change := range map[string]map[string]string{
		"an unknown client":    {"client_id": "arn:aws:signin:::devtools/other"},
		"another host":         {"redirect_uri": "http://evil.example/oauth/callback"},
		"another path":         {"redirect_uri": "http://127.0.0.1:1/other"},
		"a user in front":      {"redirect_uri": "http://127.0.0.1@evil.example/oauth/callback"},
		"the other's address":  {"redirect_uri": w.URL + center.ConfirmationPath},
		"loopback from remote": {"client_id": center.CrossDeviceClient},
		"another center": {
			"client_id": center.CrossDeviceClient, "redirect_uri": "https://evil.example" + center.ConfirmationPath,
		},
		"a long state": {"state": strings.Repeat("x", 2000)},
	} {
		got := w.ada.Stays().Do(http.MethodGet, w.URL+"/v1/authorize?"+w.query(change).Encode(), nil)
		if got.Status != http.StatusBadRequest || got.Header.Get("Location") != "" {
			t.Errorf("%s: %d to %s", name, got.Status, got.Header.Get("Location"))
		}
	}
	for want, change := range map[string]map[string]string{
		"unsupported_response_type": {"response_type": "token"}, "invalid_scope": {"scope": "admin"},
		"invalid_request": {"code_challenge_method": "plain"},
	} {
		got := w.ada.Stays().Do(http.MethodGet, w.URL+"/v1/authorize?"+w.query(change).Encode(), nil)
		if at := got.Header.Get("Location"); got.Status != http.StatusFound || !strings.Contains(at, "error="+want) {
			t.Errorf("%s: %d to %s", want, got.Status, at)
		}
	}
	if at, _ := w.choose(nil, account+"/Builder", "deny"); at.Query().Get("error") != "access_denied" {
		t.Errorf("denied: to %s", at)
	}
	for name, role := range map[string]string{
		"somebody else's": account + "/Admin", "another account's": "222233334444/Builder", "none": "",
	} {
		at, page := w.choose(nil, role, "allow")
		if at.String() != "" || !strings.Contains(page, "do not have this role") {
			t.Errorf("%s role: to %s: %s", name, at, page)
		}
	}
}

// What comes with anything wrong gets nothing, and an error that the clients have words for.
func TestWhoGetsNoCredentials(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := centertest.Program{Key: centertest.NewKey(t, false)}
	says := func(change func(header, claims map[string]any)) centertest.Program {
		return centertest.Program{Key: w.Key, Change: change}
	}
	code := func() string {
		at, _ := w.choose(nil, account+"/Builder", "allow")
		return at.Query().Get("code")
	}
	with := func(in map[string]string, name, value string) map[string]string {
		in = maps.Clone(in)
		in[name] = value
		return in
	}
	const late, dead, bad = "401 AUTHCODE_EXPIRED", "401 TOKEN_EXPIRED", "400 INVALID_REQUEST"
	claim := func(name string, value any) centertest.Program {
		return says(func(_, claims map[string]any) { claims[name] = value })
	}
	point := func(x, y []byte) centertest.Program {
		text := base64.RawURLEncoding.EncodeToString
		return says(func(header, _ map[string]any) {
			header["jwk"] = map[string]string{"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)}
		})
	}
	x, y := centertest.Coordinates(t, other.Key)
	for name, c := range map[string]struct {
		program centertest.Program
		in      map[string]string
		want    string
	}{
		"an unknown code":  {w.Program, redemption("x"), late},
		"another verifier": {w.Program, with(redemption(code()), "codeVerifier", strings.Repeat("x", 64)), late},
		"another address":  {w.Program, with(redemption(code()), "redirectUri", loopback+"x"), late},
		"the other client": {w.Program, with(redemption(code()), "clientId", center.CrossDeviceClient), late},
		"no client":        {w.Program, with(redemption(code()), "clientId", "x"), bad},
		"no grant":         {w.Program, with(redemption(code()), "grantType", "password"), bad},
		"a forged token":   {w.Program, renewal("x"), dead},
		"another key":      {other, renewal(w.login().RefreshToken), dead},

		"another's key in the proof": {point(x, y), redemption(code()), bad},
		"a point off the curve":      {point([]byte{1}, []byte{1}), redemption(code()), bad},
		"no coordinate":              {point(nil, y), redemption(code()), bad},
		"a proof for elsewhere":      {claim("htu", "https://evil.example/v1/token"), redemption(code()), bad},
		"an old proof":               {claim("iat", time.Now().Add(-time.Hour).Unix()), redemption(code()), bad},
		"a proof for later":          {claim("iat", time.Now().Add(time.Hour).Unix()), redemption(code()), bad},
		"a proof for GET":            {claim("htm", "GET"), redemption(code()), bad},
		"a proof without a name":     {claim("jti", ""), redemption(code()), bad},
		"no algorithm":               {says(func(h, _ map[string]any) { h["alg"] = "none" }), redemption(code()), bad},
	} {
		status, out := w.ask(c.program, c.in)
		got := fmt.Sprint(status, " ", out.Error)
		if got != c.want || out.AccessToken.AccessKeyID != "" || out.Type == "" {
			t.Errorf("%s: %s %+v, want %s", name, got, out, c.want)
		}
	}
}

// A sign-in ends with everything that it hangs on.
func TestASignInEnds(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(w *world, code string){
		"the code comes twice": func(w *world, code string) { w.ask(w.Program, redemption(code)) },
		"the person signs out": func(w *world, _ string) {
			w.ada.Send(http.MethodPost, w.URL+"/platform/logout", nil)
		},
		"the person is disabled": func(w *world, _ string) { w.disable() },
		"all sessions are taken away": func(w *world, _ string) {
			if err := w.EndSessions(w.t.Context(), centertest.Actor, w.who.ID, ""); err != nil {
				w.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			at, _ := w.choose(nil, account+"/Builder", "allow")
			code := at.Query().Get("code")
			_, got := w.ask(w.Program, redemption(code))
			if got.RefreshToken == "" {
				t.Fatal("no sign-in")
			}
			end(w, code)
			status, out := w.ask(w.Program, renewal(got.RefreshToken))
			if status != http.StatusUnauthorized || out.Error != "TOKEN_EXPIRED" {
				t.Errorf("renewed: %d %+v", status, out)
			}
		})
	}
}

func (w *world) disable() {
	w.t.Helper()
	_, err := w.UpdateUser(w.t.Context(), centertest.Actor, w.who.ID, func(u *center.User) error {
		u.Active = false
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// The other operations of the same address are refused in the protocol's form, never by a page.
func TestOtherOperationsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, query := range []string{
		"?x-amz-client-auth-method=iam", "?x-amz-oauth-token-method=token-exchange", "?x-amz-token-request-type=bearer",
	} {
		for _, body := range []string{"{}", "", strings.Repeat("x", 1<<20)} {
			res, err := http.Post(w.URL+"/v1/token"+query, "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			kind := fmt.Sprint(res.StatusCode, " ", res.Header.Get("X-Amzn-Errortype"))
			if kind != "400 ValidationException" {
				t.Errorf("%s with %.10s: %s", query, body, kind)
			}
		}
	}
}
