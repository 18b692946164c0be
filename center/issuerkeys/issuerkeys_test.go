package issuerkeys_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/issuerkeys"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// publisher is an issuer that changes its keys.
type publisher struct {
	*httptest.Server
	keys  map[string]*rsa.PrivateKey
	asked int
	down  bool
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{keys: map[string]*rsa.PrivateKey{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked++
		if p.down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		if r.URL.Path != "/keys" {
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
			return
		}
		set := jose.JSONWebKeySet{}
		for id, key := range p.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id})
		}
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(p.Close)
	return p
}

// token is signed by a key, which is published where the issuer says so.
func (p *publisher) token(t *testing.T, id string, bits int, now time.Time) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	p.keys[id] = key
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil,
	)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: p.URL, Audience: jwt.Audience{"a"}, Expiry: jwt.NewNumericDate(now.Add(24 * time.Hour)),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestKeysAreRememberedAndRollOver: a new key is found, one that is gone is not trusted for long,
// and an issuer is not asked for each token.
func TestKeysAreRememberedAndRollOver(t *testing.T) {
	now := time.Now()
	p := newPublisher(t)
	r := issuerkeys.NewReader(outbound.Policy{Loopback: true}, func() time.Time { return now })
	reads := func(token string) refusal.Code {
		t.Helper()
		out, err := r.Read(context.Background(), p.URL, token)
		if err == nil && (len(out.Audiences) != 1 || !out.IssuedAt.IsZero()) {
			t.Errorf("read %+v", out)
		}
		return refusal.CodeOf(err)
	}
	expect := func(what string, got, want refusal.Code, asked int) {
		t.Helper()
		if got != want || p.asked != asked {
			t.Errorf("%s: %v, want %v; asked %d times, want %d", what, got, want, p.asked, asked)
		}
	}
	first := p.token(t, "one", 2048, now)
	expect("the first", reads(first), refusal.None, 2)
	expect("again", reads(first), refusal.None, 2)
	second := p.token(t, "two", 2048, now)
	expect("a new key, at once", reads(second), center.AssertionUntrusted, 2)
	now = now.Add(time.Minute)
	expect("a new key, after a minute", reads(second), refusal.None, 4)
	weak := p.token(t, "weak", 1024, now)
	now = now.Add(time.Minute)
	expect("a weak key", reads(weak), center.AssertionUntrusted, 6)

	delete(p.keys, "one")
	expect("a key that is gone, for a while", reads(first), refusal.None, 6)
	now = now.Add(time.Hour)
	expect("a key that is gone", reads(first), center.AssertionUntrusted, 8)

	p.down = true
	expect("keys that are known, of an issuer that is down", reads(second), refusal.None, 8)
	now = now.Add(time.Hour)
	expect("an issuer that is down", reads(second), center.TokenIssuerUnavailable, 9)
	expect("it is not asked again at once", reads(second), center.TokenIssuerUnavailable, 9)
	p.down, now = false, now.Add(10*time.Second)
	expect("it is back", reads(second), refusal.None, 11)
}

// TestOnlyAllowedAddressesAreAsked: the policy decides at the dial, as for all that leaves the
// house.
func TestOnlyAllowedAddressesAreAsked(t *testing.T) {
	p := newPublisher(t)
	token := p.token(t, "one", 2048, time.Now())
	r := issuerkeys.NewReader(outbound.Policy{}, time.Now)
	if _, err := r.Read(context.Background(), p.URL, token); refusal.CodeOf(err) != center.AssertionUntrusted {
		t.Errorf("loopback: %v", err)
	}
	if p.asked > 0 {
		t.Error("the issuer on loopback was asked")
	}
}
