// Package issuerkeys reads the tokens of trusted token issuers: JWTs, which it verifies with the
// keys that their issuers publish by OpenID Connect discovery. The center decides which issuers are
// trusted, for which application and audience, and whom a token names.
//
// Sources: OpenID Connect Discovery 1.0; RFC 7517 (keys), RFC 7519 and RFC 8725 (tokens), RFC 7523
// (assertions).
//
// It is no door of its own.
//
// It may import center, outbound and refusal.
package issuerkeys

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Bounds of what comes from outside.
const (
	maxToken     = 16 << 10        //bound:text a token of a trusted token issuer, in bytes
	maxPublished = 256 << 10       //bound:body what a trusted token issuer publishes, each document
	maxKeys      = 100             //bound:list keys of a trusted token issuer that are looked at
	maxTried     = 5               //bound:list keys of a trusted token issuer that one token is verified with
	maxIssuers   = 64              //bound:memory trusted token issuers whose keys are remembered
	fetchTimeout = 5 * time.Second //bound:wait what a trusted token issuer publishes, both documents
	minRSA       = 2048            //bound:none bits of a key, at the least. Source: RFC 7518, 3.3
)

// How long keys are remembered, how often a key that is not among them is looked for, and how often
// an issuer is asked that does not answer.
const (
	keptFor    = time.Hour        //bound:life the keys of a trusted token issuer
	anewEach   = time.Minute      //bound:rate a token with an unknown key has its issuer asked, once in
	failedEach = 10 * time.Second //bound:rate an issuer that fails is asked again, once in
	//bound:life a token of a trusted token issuer after its end, for the issuer's clock
	leeway = time.Minute // Source: RFC 7519, 4.1.4: a few minutes at most
)

// algorithms are those of public keys: a key that is published must not be one that signs, and no
// token is taken on its own word. Source: RFC 8725, 3.1 and 3.2.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512,
	jose.EdDSA,
}

// Reader is center.AssertionReader.
type Reader struct {
	client *http.Client
	now    func() time.Time

	mu      sync.Mutex
	issuers map[string]*published
}

// published are the keys of one issuer. Who needs them while they are asked for waits.
type published struct {
	mu     sync.Mutex
	keys   []jose.JSONWebKey
	at     time.Time // when they were read
	asked  time.Time // when the issuer was asked last
	failed error     // what came of it
}

// NewReader returns a reader. asks says which addresses may be asked.
func NewReader(asks outbound.Policy, now func() time.Time) *Reader {
	return &Reader{client: asks.Client(fetchTimeout), now: now, issuers: map[string]*published{}}
}

func untrusted(check, detail string) error {
	return &refusal.Error{Code: center.AssertionUntrusted, Check: check, Detail: detail}
}

func parse(token string) (*jwt.JSONWebToken, error) {
	if len(token) > maxToken {
		return nil, untrusted("form", "the token is larger than 16 KiB")
	}
	parsed, err := jwt.ParseSigned(token, algorithms)
	if err != nil || len(parsed.Headers) != 1 {
		return nil, untrusted("form", "it is no JWT, or is signed by an algorithm that is not taken")
	}
	return parsed, nil
}

// Issuer returns who a token says has issued it.
func (r *Reader) Issuer(token string) (string, error) {
	parsed, err := parse(token)
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil || claims.Issuer == "" {
		return "", untrusted("issuer", "the token has no issuer")
	}
	return claims.Issuer, nil
}

// Read verifies a token of an issuer.
func (r *Reader) Read(ctx context.Context, issuerURL, token string) (out center.Assertion, err error) {
	parsed, err := parse(token)
	if err != nil {
		return out, err
	}
	keys, err := r.keysOf(ctx, issuerURL, parsed.Headers[0].KeyID)
	if err != nil {
		return out, err
	}
	var claims jwt.Claims
	verified := false
	for _, key := range fitting(keys, parsed.Headers[0]) {
		if err := parsed.Claims(key.Key, &claims, &out.Claims); err == nil {
			verified = true
			break
		}
	}
	if !verified {
		return out, untrusted("signature", "no key that the issuer publishes has signed the token")
	}
	if claims.Expiry == nil {
		return out, untrusted("times", "the token has no end")
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Issuer: issuerURL, Time: r.now()}, leeway); err != nil {
		return out, untrusted("times", err.Error())
	}
	out.Audiences = claims.Audience
	if claims.IssuedAt != nil {
		out.IssuedAt = claims.IssuedAt.Time().UTC()
	}
	return out, nil
}

// fitting are the keys that a token may be signed with: the one that it names, or any where it
// names none.
func fitting(keys []jose.JSONWebKey, header jose.Header) (fit []jose.JSONWebKey) {
	for _, key := range keys {
		named := header.KeyID == "" || key.KeyID == header.KeyID
		if named && (key.Algorithm == "" || key.Algorithm == header.Algorithm) && len(fit) < maxTried {
			fit = append(fit, key)
		}
	}
	return fit
}

// has says whether a key is among those that are known.
func has(keys []jose.JSONWebKey, id string) bool {
	for _, key := range keys {
		if id == "" || key.KeyID == id {
			return true
		}
	}
	return false
}

// keysOf returns the keys of an issuer. Tokens whose key is not known have it asked, but not each
// of them.
func (r *Reader) keysOf(ctx context.Context, issuerURL, id string) ([]jose.JSONWebKey, error) {
	r.mu.Lock()
	p := r.issuers[issuerURL]
	if p == nil {
		if len(r.issuers) >= maxIssuers {
			clear(r.issuers)
		}
		p = &published{}
		r.issuers[issuerURL] = p
	}
	r.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := r.now()
	fresh := p.keys != nil && now.Sub(p.at) < keptFor
	switch {
	case fresh && (has(p.keys, id) || now.Sub(p.asked) < anewEach):
		return p.keys, nil
	case p.failed != nil && now.Sub(p.asked) < failedEach:
		return nil, p.failed
	}
	keys, err := r.fetch(ctx, issuerURL)
	p.asked, p.failed = r.now(), err
	if err == nil {
		p.keys, p.at = keys, now
	} else if fresh { // the keys that are known are good still; this one is not among them
		return p.keys, nil
	}
	return keys, err
}

// fetch reads the keys that an issuer publishes. Whoever asks first may go away; others wait for
// the same answer.
func (r *Reader) fetch(ctx context.Context, issuerURL string) ([]jose.JSONWebKey, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	address := strings.TrimSuffix(issuerURL, "/") + "/.well-known/openid-configuration"
	if err := r.get(ctx, address, &about); err != nil {
		return nil, err
	}
	if about.Issuer != issuerURL { // Source: OpenID Connect Discovery 1.0, 4.3
		return nil, &refusal.Error{
			Code:  center.AssertionUntrusted,
			Check: "discovery",
			Want:  issuerURL,
			Got:   about.Issuer[:min(len(about.Issuer), maxGot)],
		}
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := r.get(ctx, about.Keys, &set); err != nil {
		return nil, err
	}
	keys := []jose.JSONWebKey{}
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		var key jose.JSONWebKey // of a kind that is not known: others may be
		if key.UnmarshalJSON(raw) == nil && usable(key) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// maxGot bounds how much of an issuer's name is repeated.
const maxGot = 200 //bound:none of a message

// usable says whether signatures are verified with a key.
func usable(key jose.JSONWebKey) bool {
	if !key.Valid() || !key.IsPublic() || key.Use != "" && key.Use != "sig" {
		return false
	}
	public, isRSA := key.Key.(*rsa.PublicKey)
	return !isRSA || public.N.BitLen() >= minRSA
}

// get reads a document. Redirects are not followed: the administrator named the issuer, and nobody
// else is to name another.
func (r *Reader) get(ctx context.Context, address string, into any) error {
	unavailable := func(detail string) error {
		return &refusal.Error{Code: center.TokenIssuerUnavailable, Detail: detail}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return untrusted("discovery", "the issuer publishes no address")
	}
	req.Header.Set("Accept", "application/json")
	res, err := r.client.Do(req)
	if refused := new(outbound.Refused); errors.As(err, &refused) {
		return untrusted("address", refused.Error())
	}
	if err != nil {
		return unavailable("it cannot be fetched: " + err.Error())
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode != http.StatusOK {
		return unavailable(fmt.Sprintf("%s answered %d", req.URL.Host, res.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, maxPublished+1))
	if err != nil {
		return unavailable("it cannot be read: " + err.Error())
	}
	if len(data) > maxPublished {
		return unavailable("it is larger than 256 KiB")
	}
	if err := json.Unmarshal(data, into); err != nil {
		return unavailable("it is not the JSON of OpenID Connect discovery")
	}
	return nil
}
