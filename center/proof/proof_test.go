package proof_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/proof"
)

// TestNoOtherTokenIsAProof: what the same key has signed for another purpose is no proof, however
// much it looks like one, and a proof without a signature is none either.
func TestNoOtherTokenIsAProof(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := centertest.New(t, "https://center.example")
	u, err := c.CreateUser(ctx, centertest.Actor, centertest.Person("ada"))
	if err != nil {
		t.Fatal(err)
	}
	ended, err := c.RevokeUser(ctx, centertest.Actor, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := proof.Of(ctx, c, ended.ID)
	if err != nil {
		t.Fatal(err)
	}
	signs, err := c.TokenSigner(ctx)
	if err != nil {
		t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: signs.Key.Public(), KeyID: signs.KeyID(), Algorithm: string(jose.RS256), Use: "sig"}
	file := func(signature string) []byte {
		signed.Signature = signature
		text, err := json.Marshal(signed)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	if err != nil {
		t.Fatal(err)
	}
	good := signed.Signature
	if p, err := proof.Verify(file(good), keys); err != nil || p.ID != ended.ID || p.SignIn != "allowed" {
		t.Errorf("what was signed: %+v, %v", p, err)
	}
	for _, kind := range []jose.ContentType{"JWT", "", proof.Type + "2"} {
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: signs.Key, KeyID: signs.KeyID()}},
			(&jose.SignerOptions{}).WithType(kind),
		)
		if err != nil {
			t.Fatal(err)
		}
		other, err := jwt.Signed(signer).Claims(signed.Proof).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := proof.Verify(file(other), keys); err == nil {
			t.Errorf("a token of type %q is taken for a proof", kind)
		}
	}
	for _, bad := range []string{"", "x", good + ".", strings.ToUpper(good), "eyJhbGciOiJub25lIn0.e30."} {
		if _, err := proof.Verify(file(bad), keys); err == nil {
			t.Errorf("the signature %q is taken", bad)
		}
	}
}
