package centertest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"
)

// Program signs in as the AWS CLI does, in the dialect of one of the SDKs.
type Program struct {
	Key    *ecdsa.PrivateKey
	Short  bool // it leaves zero bytes out, as Go and Java do
	Indent bool // it indents its JSON, as Go does
	Change func(header, claims map[string]any)
}

// NewKey makes a key, with a zero byte at the front of a coordinate or without.
func NewKey(t testing.TB, zero bool) *ecdsa.PrivateKey {
	t.Helper()
	for {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := Coordinates(t, key)
		if (x[0] == 0) == zero {
			return key
		}
	}
}

// Coordinates are those of the public point.
func Coordinates(t testing.TB, key *ecdsa.PrivateKey) (x, y []byte) {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return point[1:33], point[33:]
}

// Proof is the program's DPoP header.
func (p Program) Proof(t testing.TB, address string) string {
	t.Helper()
	x, y := Coordinates(t, p.Key)
	if p.Short {
		x, y = bytes.TrimLeft(x, "\x00"), bytes.TrimLeft(y, "\x00")
	}
	text := base64.RawURLEncoding.EncodeToString
	header := map[string]any{"typ": "dpop+jwt", "alg": "ES256", "jwk": map[string]string{
		"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y),
	}}
	claims := map[string]any{"htm": "POST", "htu": address, "iat": time.Now().Unix(), "jti": rand.Text()}
	if p.Change != nil {
		p.Change(header, claims)
	}
	part := func(v any) string {
		data, err := json.Marshal(v)
		if p.Indent {
			data, err = json.MarshalIndent(v, "", "  ")
		}
		if err != nil {
			t.Fatal(err)
		}
		return text(data)
	}
	signed := part(header) + "." + part(claims)
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, p.Key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + text(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}
