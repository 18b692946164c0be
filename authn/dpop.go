package authn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"time"
)

// maxProof bounds a proof of possession, in bytes.
const maxProof = 4 << 10 //bound:body a proof of possession (DPoP)

// proofSkew is how far the clock of who made a proof may be off, either way.
const proofSkew = 5 * time.Minute //bound:wait the clock of a client that proves a key

// ErrProof says that a proof of possession is not one for this request.
var ErrProof = errors.New("the proof of possession (DPoP) is not valid for this request")

// DPoP verifies the proof that a client holds a key, which it sends with a POST to an address, and
// returns the key's thumbprint. The key is on P-256, as every client of AWS Sign-In has it.
//
// A proof may be sent twice: what it protects, a refresh token, is good once. Nonces are not asked
// for, since no client knows them.
//
// Source: RFC 9449; RFC 7638 for the thumbprint; the AWS CLI and SDKs for what differs from them:
// Go and Java leave zero bytes at the front of a coordinate out, and Go indents its JSON. Libraries
// for JOSE refuse both, so the signature is checked here.
func DPoP(proof, address string, now time.Time) (thumbprint string, err error) {
	parts := strings.Split(proof, ".")
	if len(proof) > maxProof || len(parts) != 3 {
		return "", ErrProof
	}
	var header struct {
		Typ, Alg string
		JWK      struct{ Kty, Crv, X, Y string }
	}
	var claims struct {
		HTM, HTU string
		IAT      int64
		JTI      string
	}
	if unseal(parts[0], &header) != nil || unseal(parts[1], &claims) != nil {
		return "", ErrProof
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	key := header.JWK
	if err != nil || header.Typ != "dpop+jwt" || header.Alg != "ES256" || key.Kty != "EC" || key.Crv != "P-256" {
		return "", ErrProof
	}
	x, e1 := coordinate(key.X)
	y, e2 := coordinate(key.Y)
	if e1 != nil || e2 != nil || !verifies(x, y, parts[0]+"."+parts[1], signature) {
		return "", ErrProof
	}
	made := time.Unix(claims.IAT, 0)
	if claims.HTM != "POST" || claims.JTI == "" || !sameAddress(claims.HTU, address) ||
		made.Before(now.Add(-proofSkew)) || made.After(now.Add(proofSkew)) {
		return "", ErrProof
	}
	return thumbprintOf(x, y), nil
}

func unseal(part string, into any) error {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// coordinate reads a coordinate of a point on P-256, and fills it up to its size.
func coordinate(text string) ([]byte, error) {
	const size = 32
	short, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(short) == 0 || len(short) > size {
		return nil, ErrProof
	}
	full := make([]byte, size)
	copy(full[size-len(short):], short)
	return full, nil
}

// verifies says whether a signature, which is r and s one after the other, is that of a text.
func verifies(x, y []byte, text string, signature []byte) bool {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	if err != nil || len(signature) != len(x)+len(y) {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	r, s := new(big.Int).SetBytes(signature[:len(x)]), new(big.Int).SetBytes(signature[len(x):])
	return ecdsa.Verify(key, sum[:], r, s)
}

// thumbprintOf is the thumbprint of a key. Source: RFC 7638, 3.
func thumbprintOf(x, y []byte) string {
	text := `{"crv":"P-256","kty":"EC","x":"` + base64.RawURLEncoding.EncodeToString(x) + `","y":"` +
		base64.RawURLEncoding.EncodeToString(y) + `"}`
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sameAddress compares where a proof says that it goes with where it went: without query, and with
// the port that goes without saying. Source: RFC 9449, 4.3.
func sameAddress(said, address string) bool {
	a, e1 := url.Parse(said)
	b, e2 := url.Parse(address)
	return e1 == nil && e2 == nil && strings.EqualFold(a.Scheme, b.Scheme) && hostOf(a) == hostOf(b) &&
		strings.TrimRight(a.Path, "/") == strings.TrimRight(b.Path, "/")
}

func hostOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)]
	}
	return strings.ToLower(u.Hostname()) + ":" + port
}
