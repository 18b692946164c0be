package ssooidc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/signin"
	"github.com/gatehouse-id/gatehouse/center/sso"
	"github.com/gatehouse-id/gatehouse/center/ssooidc"
	"github.com/gatehouse-id/gatehouse/web"
)

const goodPassword = "Correct horse 7!"

// door is a center with its doors for programs and for signing in, a person, and a registered
// program. Each address that a request says it comes from is believed.
type door struct {
	*center.Center
	t          *testing.T
	user       center.User
	client     *http.Client // a browser that shows where it is sent, and does not go there
	id, secret string
}

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{Center: centertest.New(t, "http://127.0.0.1"), t: t}
	mux := http.NewServeMux()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from := r.Header.Get("Test-From"); from != "" {
			r.RemoteAddr = from
		}
		web.Middleware(mux, web.Options{Log: slog.New(slog.DiscardHandler)}).ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	d.URL = server.URL
	in := &signin.Handler{Center: d.Center, Log: slog.New(slog.DiscardHandler)}
	in.Mount(mux)
	(&ssooidc.Handler{
		Center:        d.Center,
		Log:           in.Log,
		RequireUser:   in.RequireUser,
		SessionSecret: in.SessionSecret,
	}).Mount(mux)
	(&sso.Handler{Center: d.Center, Log: in.Log}).Mount(mux)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d.client = &http.Client{
		Jar:           jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	ctx := context.Background()
	settings, err := d.SignInSettings(ctx)
	if err != nil {
		t.Fatal(err)
	}
	settings.MFA = center.MFANever
	if err := d.UpdateSignInSettings(ctx, centertest.Actor, settings); err != nil {
		t.Fatal(err)
	}
	if d.user, err = d.CreateUser(ctx, centertest.Actor, centertest.Person("ada")); err != nil {
		t.Fatal(err)
	}
	if err := d.SetPassword(ctx, centertest.Actor, d.user.ID, goodPassword); err != nil {
		t.Fatal(err)
	}
	out := d.call(
		"/client/register",
		"",
		map[string]any{
			"clientName":   "cli",
			"clientType":   "public",
			"scopes":       []string{"sso:account:access"},
			"redirectUris": []string{"http://127.0.0.1/cb"},
		},
	)
	d.id, d.secret = out["clientId"].(string), out["clientSecret"].(string)
	return d
}

func (d *door) send(req *http.Request) (int, string, string) {
	d.t.Helper()
	res, err := d.client.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(body), res.Header.Get("Location")
}

// call calls an operation of the API from an address.
func (d *door) call(path, from string, in map[string]any) map[string]any {
	d.t.Helper()
	data, err := json.Marshal(in)
	if err != nil {
		d.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, d.URL+path, bytes.NewReader(data))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Test-From", from)
	_, body, _ := d.send(req)
	var out map[string]any
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		d.t.Fatalf("%s: %v", body, err)
	}
	return out
}

func (d *door) device(from string) map[string]any {
	d.t.Helper()
	return d.call(
		"/device_authorization",
		from,
		map[string]any{"clientId": d.id, "clientSecret": d.secret, "startUrl": d.PortalURL()},
	)
}

func (d *door) token(from string, in map[string]any) map[string]any {
	d.t.Helper()
	all := map[string]any{"clientId": d.id, "clientSecret": d.secret}
	for k, v := range in {
		all[k] = v
	}
	return d.call("/token", from, all)
}

func (d *door) poll(from string, code any) map[string]any {
	d.t.Helper()
	return d.token(
		from,
		map[string]any{"grantType": "urn:ietf:params:oauth:grant-type:device_code", "deviceCode": code},
	)
}

func (d *door) page(method, path string, form url.Values) (int, string, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, d.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return d.send(req)
}

func (d *door) signIn() {
	d.t.Helper()
	if status, body, _ := d.page(
		http.MethodPost, "/platform/login", url.Values{"username": {"ada"}, "password": {goodPassword}},
	); status != http.StatusSeeOther &&
		status != http.StatusFound {
		d.t.Fatalf("no sign-in: %d %s", status, body)
	}
}

// pending puts device codes into the store that wait since a moment, from addresses.
func (d *door) pending(n int, since time.Time, from func(i int) string) (digests []string) {
	d.t.Helper()
	err := d.Store.Update(context.Background(), func(tx center.Tx) error {
		for i := range n {
			g := center.ClientGrant{
				Digest:    authn.NewHex(16),
				UserCode:  authn.NewHex(16),
				Client:    "x",
				Address:   from(i),
				CreatedAt: since,
				ExpiresAt: since.Add(10 * time.Minute),
			}
			if err := tx.PutClientGrant(g); err != nil {
				return err
			}
			digests = append(digests, g.Digest)
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return digests
}

// left counts the grants that are there still.
func (d *door) left(digests []string) (n int) {
	d.t.Helper()
	err := d.Store.View(context.Background(), func(r center.Reader) error {
		n = 0
		for _, digest := range digests {
			if _, err := r.ClientGrant(digest); err == nil {
				n++
			}
		}
		return nil
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// TestNobodyStopsTheSignInOfOthers: however many device codes wait, a new one is given, the oldest
// goes, and what one address asks for displaces nobody else's.
func TestNobodyStopsTheSignInOfOthers(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	now := time.Now()
	anywhere := func(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255) }
	d.pending(20_000, now.Add(-time.Minute), anywhere)    // of strangers
	d.pending(10_000, now.Add(-12*time.Minute), anywhere) // expired, and remembered for an hour
	mine := d.device("192.0.2.1:1")
	if mine["deviceCode"] == nil {
		t.Fatalf("20,000 codes stop everybody: %v", mine)
	}
	if got := d.poll("192.0.2.1:1", mine["deviceCode"]); got["error"] != "authorization_pending" {
		t.Errorf("the new code: %v", got)
	}
	d.pending(2_000, now, func(i int) string { return fmt.Sprintf("2001:db8::%x", i) }) // of one subscriber
	for i := range 30 {
		if got := d.device(fmt.Sprintf("[2001:db8::f:%x]:1", i)); got["deviceCode"] == nil {
			t.Fatalf("the subscriber's own new code: %v", got)
		}
	}
	if got := d.poll("192.0.2.1:1", mine["deviceCode"]); got["error"] != "authorization_pending" {
		t.Errorf("after another address asked for 2,000 codes: %v", got)
	}
	d.signIn()
	if status, body, _ := d.page(
		http.MethodPost, "/start/device", url.Values{"user_code": {mine["userCode"].(string)}, "decision": {"allow"}},
	); status != http.StatusOK {
		t.Errorf("allowing it: %d %s", status, body)
	}
	d.pending(25_000, now.Add(time.Minute), anywhere) // what is allowed waits for nobody, and is displaced by nobody
	d.device("192.0.2.7:1")
	if got := d.poll("192.0.2.1:1", mine["deviceCode"]); got["accessToken"] == nil {
		t.Errorf("after it was allowed: %v", got)
	}
}

// TestOneAddressHoldsItsShare: an address that asks without end keeps a bounded number of rows.
func TestOneAddressHoldsItsShare(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	codes := d.pending(
		5_000,
		time.Now().Add(-time.Minute),
		func(i int) string { return fmt.Sprintf("2001:db8::%x", i) },
	)
	others := d.pending(
		10,
		time.Now().Add(-9*time.Minute),
		func(i int) string { return fmt.Sprintf("2001:db8:1:%x::1", i) },
	)
	d.device("[2001:db8::1]:9")
	if n := d.left(codes); n != 199 {
		t.Errorf("beside the new one, one /64 holds %d device codes", n)
	}
	if n := d.left(others); n != 10 {
		t.Errorf("%d of 10 codes of others are left", n)
	}
}

// TestDeviceCodesOfStrangersAreNotRemembered: what is sent as a device code neither comes into a
// limiter before the client is known, nor at its own length.
func TestDeviceCodesOfStrangersAreNotRemembered(t *testing.T) {
	d := newDoor(t)
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for i := range 700 {
		in := map[string]any{
			"grantType":  "urn:ietf:params:oauth:grant-type:device_code",
			"deviceCode": fmt.Sprintf("%060000d", i),
		}
		from := fmt.Sprintf("10.0.%d.%d:1", i>>8, i&255)
		want := "invalid_grant"
		if i%2 == 0 { // a client that nobody has registered
			in["clientId"], in["clientSecret"] = "x", "y"
			want = "invalid_client"
		}
		if got := d.token(from, in); got["error"] != want {
			t.Fatalf("%v, want %s", got, want)
		}
	}
	if grown := int64(heap()) - int64(before); grown > 15<<20 {
		t.Errorf("700 device codes of 60 kB are remembered in %d kB", grown>>10)
	}
}

// TestLinksWithWrongCodesMakeNobodyWait: only what a person types and sends counts.
func TestLinksWithWrongCodesMakeNobodyWait(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.signIn()
	mine := d.device("192.0.2.1:1")
	code := mine["userCode"].(string)
	if _, body, _ := d.page(http.MethodGet, "/start/device?user_code="+strings.ToLower(code), nil); !strings.Contains(
		body,
		"Authorization requested",
	) {
		t.Errorf("the link that the CLI opens: %s", body)
	}
	for range 20 {
		d.page(http.MethodGet, "/start/device?user_code=BBBB-BBBB", nil)
	}
	if status, body, _ := d.page(
		http.MethodPost, "/start/device", url.Values{"user_code": {code}},
	); status != http.StatusOK ||
		!strings.Contains(body, "Authorization requested") {
		t.Errorf("the right code after twenty links with a wrong one: %d %s", status, body)
	}
	if status, body, _ := d.page(http.MethodGet, "/start/device?user_code="+code, nil); status != http.StatusOK ||
		strings.Contains(body, "Authorization requested") ||
		!strings.Contains(body, `value="`+code+`"`) {
		t.Errorf("a link after too many: the person is to send the form, but %d %s", status, body)
	}
	for range 6 {
		d.page(http.MethodPost, "/start/device", url.Values{"user_code": {"BBBB-BBBB"}})
	}
	if status, body, _ := d.page(
		http.MethodPost, "/start/device", url.Values{"user_code": {code}},
	); status != http.StatusBadRequest ||
		!strings.Contains(body, "Too many wrong codes") {
		t.Errorf("after six wrong codes that were typed: %d %s", status, body)
	}
}

// TestACodeThatComesTwiceEndsWhatItGave, by RFC 6749, 4.1.2.
func TestACodeThatComesTwiceEndsWhatItGave(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.signIn()
	const verifier = "a-verifier-which-is-longer-than-forty-three-characters"
	code := func() string {
		t.Helper()
		form := url.Values{
			"client_id":             {d.id},
			"redirect_uri":          {"http://127.0.0.1:7/cb"},
			"response_type":         {"code"},
			"scopes":                {"sso:account:access"},
			"code_challenge":        {challengeOf(verifier)},
			"code_challenge_method": {"S256"},
			"decision":              {"allow"},
		}
		_, body, to := d.page(http.MethodPost, "/authorize", form)
		at, err := url.Parse(to)
		if err != nil || at.Query().Get("code") == "" {
			t.Fatalf("no code: %s %s", to, body)
		}
		return at.Query().Get("code")
	}
	redeem := func(code string) map[string]any {
		t.Helper()
		return d.token(
			"",
			map[string]any{
				"grantType":    "authorization_code",
				"code":         code,
				"redirectUri":  "http://127.0.0.1:7/cb",
				"codeVerifier": verifier,
			},
		)
	}
	works := func(tokens map[string]any) bool {
		_, err := d.TokenUser(context.Background(), tokens["accessToken"].(string))
		return err == nil
	}
	first := code()
	tokens, other := redeem(first), redeem(code())
	if !works(tokens) || !works(other) {
		t.Fatalf("tokens %v", tokens)
	}
	if got := redeem(first); got["error"] != "invalid_grant" {
		t.Errorf("a code twice: %v", got)
	}
	if works(tokens) {
		t.Error("the access token of the first use works on")
	}
	if got := d.token(
		"", map[string]any{"grantType": "refresh_token", "refreshToken": tokens["refreshToken"]},
	); got["error"] != "invalid_grant" {
		t.Errorf("the refresh token of the first use: %v", got)
	}
	if !works(other) {
		t.Error("what another code gave has ended too")
	}
	if got := redeem(first); got["error"] != "invalid_grant" {
		t.Errorf("a third time: %v", got)
	}
	events, err := d.Events(context.Background(), center.EventQuery{Limit: 50})
	ended := false
	for _, e := range events {
		ended = ended || e.Action == "DeleteSession" && e.Result != audit.Refused
	}
	if err != nil || !ended {
		t.Errorf("nobody wrote down that a session was ended: %v", err)
	}

	device := d.device("")
	d.page(
		http.MethodPost,
		"/start/device",
		url.Values{"user_code": {device["userCode"].(string)}, "decision": {"allow"}},
	)
	got := d.poll("", device["deviceCode"])
	if again := d.poll("", device["deviceCode"]); again["error"] != "invalid_grant" || !works(got) {
		t.Errorf("a device that asks once more: %v, and its session has ended", again)
	}
}

func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
