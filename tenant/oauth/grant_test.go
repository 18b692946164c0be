package oauth_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// works says whether Graph takes an access token.
func (o *office) works(tokens map[string]any) bool {
	o.t.Helper()
	token, _ := tokens["access_token"].(string)
	return o.graph(http.MethodGet, "/me", token, "").Status == http.StatusOK
}

func (o *office) refused(what string, a answer, number int) {
	o.t.Helper()
	if a.Status < 400 || !strings.Contains(a.Body, fmt.Sprintf("AADSTS%d:", number)) {
		o.t.Errorf("%s: %d %s, want AADSTS%d", what, a.Status, a.Body, number)
	}
}

// TestACodeThatComesTwiceEndsWhatItGave, by RFC 6749, 4.1.2: refresh tokens and access tokens.
func TestACodeThatComesTwiceEndsWhatItGave(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.signIn(ada)
	code := o.code()
	tokens, other := o.redeem(code).json(t), o.redeem(o.code()).json(t)
	if !o.works(tokens) || !o.works(other) {
		t.Fatalf("tokens %v", tokens)
	}
	renewed := o.refresh(tokens["refresh_token"]).json(t)
	o.refused("a code twice", o.redeem(code), 70000)
	if o.works(tokens) || o.works(renewed) {
		t.Error("the access tokens of the first use work on")
	}
	o.refused("the refresh token of the first use", o.refresh(renewed["refresh_token"]), 70000)
	if !o.works(other) || o.refresh(other["refresh_token"]).Status != http.StatusOK {
		t.Error("what another code gave has ended too")
	}
}

// TestRefreshTokensFollowOneAnother: each use gives the next; the one before is good until its
// successor is used, and used later it ends all.
func TestRefreshTokensFollowOneAnother(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.signIn(ada)
	first := o.redeem(o.code()).json(t)
	second := o.refresh(first["refresh_token"]).json(t)
	if second["refresh_token"] == first["refresh_token"] || second["refresh_token"] == nil {
		t.Fatalf("no new refresh token: %v", second)
	}
	again := o.refresh(first["refresh_token"]).json(t) // its answer got lost
	third := o.refresh(again["refresh_token"]).json(t)
	if !o.works(third) || !o.works(second) {
		t.Fatal("a lost answer ends the tokens")
	}
	o.refused("a token whose successor was used", o.refresh(first["refresh_token"]), 70000)
	o.refused("the newest token, after the theft was noticed", o.refresh(third["refresh_token"]), 70000)
	if o.works(third) {
		t.Error("the access token works on after the theft was noticed")
	}
}

// TestRefreshTokensHaveAnEnd: 90 days without use, and a year in all.
func TestRefreshTokensHaveAnEnd(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.signIn(ada)
	unused := o.redeem(o.code()).json(t)
	used := o.redeem(o.code()).json(t)
	for day := 60; day < 365; day += 60 {
		o.now = o.now.Add(60 * 24 * time.Hour)
		if used = o.refresh(used["refresh_token"]).json(t); used["refresh_token"] == nil {
			t.Fatalf("after %d days: %v", day, used)
		}
		if day == 120 {
			o.refused("a token that was not used for 120 days", o.refresh(unused["refresh_token"]), 70008)
		}
	}
	if seconds, _ := used["refresh_token_expires_in"].(float64); seconds > 66*24*3600 {
		t.Errorf("the last one says that it lasts %v seconds", seconds)
	}
	o.now = o.now.Add(70 * 24 * time.Hour)
	o.refused("after more than a year", o.refresh(used["refresh_token"]), 70008)
}

// TestAClockThatJumpsEndsNoRefreshToken for good: while the clock is a year ahead it has expired,
// and it is good again when the clock is put right, although others have signed in meanwhile.
func TestAClockThatJumpsEndsNoRefreshToken(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.signIn(ada)
	tokens := o.redeem(o.code()).json(t)
	if err := o.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	right := o.now
	o.now = right.AddDate(1, 0, 1)
	o.refused("a year ahead", o.refresh(tokens["refresh_token"]), 70008)
	o.signIn(ada)
	o.code()
	if err := o.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.now = right.Add(time.Minute)
	if again := o.refresh(tokens["refresh_token"]).json(t); again["refresh_token"] == nil {
		t.Errorf("when the clock is right again: %v", again)
	}
}

// TestRefreshTokensOfEarlierReleasesGoOn, and follow one another from then on.
func TestRefreshTokensOfEarlierReleasesGoOn(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	old := authn.NewSecret(32)
	err := o.Store.Update(context.Background(), func(tx tenant.Tx) error {
		return tx.PutGrant(
			tenant.Grant{
				Digest:     authn.Digest(old),
				Kind:       tenant.GrantRefresh,
				ClientID:   azureCLI,
				Account:    tenant.Account{ID: tenant.AccountID(o.user.ID), Name: ada},
				Scopes:     []string{"openid", "offline_access", "User.Read"},
				SignedInAt: o.now,
				ExpiresAt:  o.now.Add(time.Hour),
			},
		)
	})
	if err != nil {
		t.Fatal(err)
	}
	tokens := o.refresh(old).json(t)
	if !o.works(tokens) {
		t.Fatalf("%v", tokens)
	}
	if o.refresh(tokens["refresh_token"]).Status != http.StatusOK {
		t.Error("its successor is refused")
	}
	o.refused("the old one once more", o.refresh(old), 70000)
}

// TestTokensAreForWhatWasAllowed: a program may ask for less, and not for more.
func TestTokensAreForWhatWasAllowed(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.signIn(ada)
	tokens := o.redeem(o.code()).json(t)
	with := func(scope string) answer {
		text, _ := tokens["refresh_token"].(string)
		return o.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {text}, "scope": {scope}})
	}
	o.refused("more than was allowed", with("https://graph.microsoft.com/Application.ReadWrite.All"), 70011)
	for _, scope := range []string{
		"openid profile offline_access", "User.Read", "https://graph.microsoft.com/.default offline_access",
		"https://graph.microsoft.com/User.ReadWrite.All",
	} {
		if a := with(scope); a.Status != http.StatusOK {
			t.Errorf("%s: %s", scope, a.Body)
		}
	}
}

// TestParametersThatChangeTheMeaningAreRefused, and unknown ones are ignored.
func TestParametersThatChangeTheMeaningAreRefused(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.signIn(ada)
	for name, c := range map[string]struct {
		change url.Values
		want   string
	}{
		"twice":            {url.Values{"scope": {"openid", "User.Read"}}, "invalid_request"},
		"state twice":      {url.Values{"state": {"a", "b"}}, "invalid_request"},
		"request":          {url.Values{"request": {"eyJ"}}, "request_not_supported"},
		"request_uri":      {url.Values{"request_uri": {"https://evil.example/"}}, "request_uri_not_supported"},
		"resource":         {url.Values{"resource": {"https://management.azure.com"}}, "invalid_request"},
		"response_mode":    {url.Values{"response_mode": {"web_message"}}, "invalid_request"},
		"plain":            {url.Values{"code_challenge_method": {"plain"}}, "invalid_request"},
		"no S256 hash":     {url.Values{"code_challenge": {"short"}}, "invalid_request"},
		"a method alone":   {url.Values{"code_challenge": nil}, "invalid_request"},
		"max_age":          {url.Values{"max_age": {"soon"}}, "invalid_request"},
		"prompt":           {url.Values{"prompt": {"create"}}, "invalid_request"},
		"none and another": {url.Values{"prompt": {"none login"}}, "invalid_request"},
	} {
		if a := o.get(o.asking(c.change)); a.Status != http.StatusFound ||
			!strings.Contains(a.Location, "error="+c.want) ||
			!strings.HasPrefix(a.Location, "http://localhost:8400?") {
			t.Errorf("%s: %d to %s", name, a.Status, a.Location)
		}
	}
	for _, name := range []string{"client_id", "redirect_uri"} {
		if a := o.get(o.asking(nil) + "&" + url.Values{
			name: {"http://localhost:8400"},
		}.Encode()); a.Status != http.StatusBadRequest ||
			a.Location != "" {
			t.Errorf("%s twice: %d to %s", name, a.Status, a.Location)
		}
	}
	// what one reader passes over, another one reads
	for _, hidden := range []string{"&client_id=%zz", "&scope=a;scope=b"} {
		if a := o.get(o.asking(nil) + hidden); a.Status != http.StatusBadRequest || a.Location != "" {
			t.Errorf("%s: %d to %s", hidden, a.Status, a.Location)
		}
	}
	if a := o.get(o.asking(url.Values{
		"prompt":       {"select_account"},
		"x-client-SKU": {"MSAL"},
		"claims":       {"{}"},
		"login_hint":   {ada},
	})); a.Status != http.StatusOK {
		t.Errorf("what the official libraries send: %d %s", a.Status, a.Location)
	}
	code := o.code()
	form := url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code, "other"},
		"redirect_uri":  {"http://localhost:8400"},
		"code_verifier": {verifier},
	}
	o.refused("a code twice in the form", o.token(form), 9000411)
	form["code"], form["resource"] = []string{code}, []string{"x"}
	o.refused("a resource", o.token(form), 901002)
	form.Del("resource")
	form["client_secret"], form["client_assertion"] = []string{"x"}, []string{"y"}
	if a := o.token(form); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "invalid_request") {
		t.Errorf("two proofs: %d %s", a.Status, a.Body)
	}
	if a := o.redeem(code); a.Status != http.StatusOK {
		t.Errorf("the code after all of it: %s", a.Body)
	}
}

// TestCertificatesOfClientsHaveAnEnd: outside its time a certificate proves nothing.
func TestCertificatesOfClientsHaveAnEnd(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		from, until time.Duration
		good        bool
	}{
		"valid":     {-time.Hour, time.Hour, true},
		"ended":     {-2 * time.Hour, -time.Hour, false},
		"not begun": {time.Hour, 2 * time.Hour, false},
	} {
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1),
			Subject:      pkix.Name{CommonName: "robot"},
			NotBefore:    o.now.Add(c.from),
			NotAfter:     o.now.Add(c.until),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		client, err := o.RegisterClient(
			context.Background(),
			tenanttest.Actor,
			tenant.Client{DisplayName: name, Certificates: [][]byte{der}},
			false,
		)
		if err != nil {
			t.Fatal(err)
		}
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, nil)
		if err != nil {
			t.Fatal(err)
		}
		assertion, err := jwt.Signed(signer).Claims(
			jwt.Claims{
				Issuer:    string(client.ID),
				Subject:   string(client.ID),
				Audience:  jwt.Audience{o.TokenURL()},
				Expiry:    jwt.NewNumericDate(o.now.Add(time.Minute)),
				NotBefore: jwt.NewNumericDate(o.now.Add(-time.Minute)),
			},
		).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		a := o.token(
			url.Values{
				"grant_type":            {"client_credentials"},
				"client_id":             {string(client.ID)},
				"scope":                 {"https://graph.microsoft.com/.default"},
				"client_assertion":      {assertion},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			},
		)
		if c.good && a.Status != http.StatusOK {
			t.Errorf("%s: %s", name, a.Body)
		}
		if !c.good {
			o.refused("a certificate that is "+name, a, 700027)
		}
	}
}

// TestNobodyStopsTheSignInOfOthers: strangers' device codes are bounded by address and in all, and
// the oldest go.
func TestNobodyStopsTheSignInOfOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what takes long")
	}
	t.Parallel()
	o := newOffice(t)
	ask := func() map[string]any {
		return o.post(
			o.endpoint("devicecode"),
			url.Values{"client_id": {azureCLI}, "scope": {"openid offline_access User.Read"}},
		).json(t)
	}
	pending := func(n int, since time.Time, from func(i int) string) (digests []string) {
		t.Helper()
		err := o.Store.Update(context.Background(), func(tx tenant.Tx) error {
			for i := range n {
				g := tenant.Grant{
					Digest:    authn.NewHex(16),
					UserCode:  authn.NewHex(8),
					Kind:      tenant.GrantDevice,
					ClientID:  azureCLI,
					Address:   from(i),
					ExpiresAt: since.Add(15 * time.Minute),
				}
				digests = append(digests, g.Digest)
				if err := tx.PutGrant(g); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return digests
	}
	left := func(digests []string) (n int) {
		t.Helper()
		_ = o.Store.View(context.Background(), func(r tenant.Reader) error {
			n = 0
			for _, d := range digests {
				if _, err := r.Grant(d); err == nil {
					n++
				}
			}
			return nil
		})
		return n
	}
	anywhere := func(i int) string { return fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255) }
	others := pending(20_000, o.now.Add(-time.Minute), anywhere)
	here := pending(2_000, o.now.Add(-time.Second), func(int) string { return "127.0.0.1" })
	mine := ask()
	if mine["device_code"] == nil || left(here) != 1 || left(others) != 899 {
		t.Errorf("%v; of one address %d are left, of the others %d", mine, left(here), left(others))
	}
	poll := func() answer {
		o.now = o.now.Add(6 * time.Second)
		text, _ := mine["device_code"].(string)
		return o.token(
			url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {text}},
		)
	}
	o.refused("before the answer", poll(), 70016)
	o.signIn(ada)
	o.post("/devicelogin", url.Values{"code": {mine["user_code"].(string)}, "answer": {"allow"}})
	pending(21_000, o.now.Add(time.Minute), anywhere) // what is allowed waits for nobody, and is displaced by nobody
	ask()
	if tokens := poll().json(t); !o.works(tokens) || tokens["refresh_token"] == nil {
		t.Errorf("the device's tokens: %v", tokens)
	}
}

// TestOneAddressAsksForSoManyDeviceCodes asks several at once, until one is told that it is too
// often.
func TestOneAddressAsksForSoManyDeviceCodes(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	form := url.Values{"client_id": {azureCLI}, "scope": {"User.Read"}}
	var told atomic.Bool
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for n := 0; n < 200 && !told.Load(); n++ {
				told.CompareAndSwap(false, o.post(o.endpoint("devicecode"), form).Status == http.StatusTooManyRequests)
			}
		})
	}
	all.Wait()
	if !told.Load() {
		t.Error("one address is given device codes without a limit")
	}
}
