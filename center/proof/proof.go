// Package proof signs what is known of the end of a leaver's access, and verifies such signatures:
// with the center's published keys, also without the center.
//
// It may import adminapi and center.
package proof

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
)

// Type is the type of the signature, so that it is taken for no other token of the center, and no
// other token for a proof. Source: RFC 8725, 3.11.
const Type = "gatehouse-revocation+jwt"

// signatureMember is where a file has the signature.
const signatureMember = "signature"

// MaxFile bounds a file with a proof or with keys.
const MaxFile = 8 << 20 //bound:body a file with a proof, or with the keys that verify it, in bytes

// Of returns the signed proof of a revocation, as of now. It fails with RevocationNotFound.
func Of(ctx context.Context, c *center.Center, id string) (adminapi.SignedProof, error) {
	p, err := c.Proof(ctx, id)
	if err != nil {
		return adminapi.SignedProof{}, err
	}
	signed := adminapi.SignedProof{Proof: statement(c, p)}
	signed.Signature, err = sign(ctx, c, signed.Proof)
	return signed, err
}

func sign(ctx context.Context, c *center.Center, p adminapi.Proof) (string, error) {
	signs, err := c.TokenSigner(ctx)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{
			Algorithm: jose.RS256,
			Key:       jose.JSONWebKey{Key: signs.Key, KeyID: signs.KeyID()},
		},
		(&jose.SignerOptions{}).WithType(Type),
	)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	signature, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signature.CompactSerialize()
}

// statement is a proof in the words of the API.
func statement(c *center.Center, p center.Proof) adminapi.Proof {
	s := adminapi.Proof{
		Issuer:      c.IssuerURL(),
		ID:          p.ID,
		UserID:      string(p.UserID),
		UserName:    p.UserName,
		DisplayName: p.DisplayName,
		Center:      c.URL,
		Action:      p.Action,
		By:          p.By,
		Began:       p.At.UTC(),
		Ended:       p.AsOf.UTC(),
		Complete:    p.Complete,
		SignIn:      "allowed",
		Sessions:    sessions(p.Sessions),
		Left:        sessions(p.Left),
		Since:       p.Since,
		Before:      access(p),
		After:       access(p),
		Roles:       []adminapi.ProvedRole{},
	}
	if p.SignIn != "" {
		s.SignIn = "refused: " + p.SignIn
	}
	s.After.DenyPolicy = p.Deny
	for _, r := range p.Roles {
		open := adminapi.OpenRole{
			AccountID: r.AccountID, RoleName: r.RoleName, PermissionSetARN: r.PermissionSetARN, SessionName: r.Name,
			Until: r.Until.UTC(),
		}
		proved := adminapi.ProvedRole{
			AccountID: r.AccountID, RoleName: r.RoleName, SessionName: r.Name, Until: r.Until.UTC(),
			State: string(r.State), By: r.By, Reason: r.Reason, Attempts: r.Attempts,
		}
		if at := r.RefusedAt.UTC(); !r.RefusedAt.IsZero() {
			proved.RefusedAt = &at
		}
		s.Roles, s.Before.Open = append(s.Roles, proved), append(s.Before.Open, open)
		switch {
		case r.State == center.RoleOpen:
			s.After.Open = append(s.After.Open, open)
		case r.State == center.RolePending, r.State == center.RoleRefuses && r.By == "IAM":
			s.After.Revoked = append(s.After.Revoked, adminapi.RevokedRole{
				OpenRole: open, Before: s.Began, InForce: r.State == center.RoleRefuses, Reason: r.Reason,
			})
		}
	}
	return s
}

// access is what nobody has open.
func access(p center.Proof) adminapi.RoleAccess {
	return adminapi.RoleAccess{
		UserID: string(p.UserID), Open: []adminapi.OpenRole{}, Revoked: []adminapi.RevokedRole{},
	}
}

func sessions(ended []center.EndedSession) []adminapi.UserSession {
	list := []adminapi.UserSession{}
	for _, s := range ended {
		list = append(list, adminapi.UserSession{
			SessionID: s.Digest, UserAgent: s.UserAgent, Address: s.Address,
			Program: s.Kind == center.ClientSession, CreatedAt: s.CreatedAt.UTC(), ExpiresAt: s.ExpiresAt.UTC(),
		})
	}
	return list
}

// Read returns the proof in a file, whatever its signature is: whose it says to be.
func Read(file []byte) (adminapi.SignedProof, error) {
	var signed adminapi.SignedProof
	if err := json.Unmarshal(file, &signed); err != nil || signed.Signature == "" {
		return signed, errors.New("the file is no signed proof: it has no signature")
	}
	return signed, nil
}

// Verify returns the proof in a file that one of the keys, a JSON Web Key Set, has signed. It fails
// where the signature, or anything beside it, is not what the center has signed.
func Verify(file, keys []byte) (adminapi.Proof, error) {
	signed, err := Read(file)
	if err != nil {
		return adminapi.Proof{}, err
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys, &set); err != nil || len(set.Keys) == 0 {
		return adminapi.Proof{}, errors.New("the keys are no JSON Web Key Set: gatehouse proof keys prints one")
	}
	payload, err := open(signed.Signature, set)
	if err != nil {
		return adminapi.Proof{}, err
	}
	if err := same(file, payload); err != nil {
		return adminapi.Proof{}, err
	}
	var p adminapi.Proof
	return p, json.Unmarshal(payload, &p)
}

// open returns what was signed.
func open(signature string, set jose.JSONWebKeySet) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(signature, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("the signature cannot be read")
	}
	header := jws.Signatures[0].Protected
	if kind, _ := header.ExtraHeaders[jose.HeaderType].(string); kind != Type {
		return nil, errors.New("the signature is that of something else than a proof")
	}
	matching := set.Key(header.KeyID)
	if len(matching) == 0 {
		return nil, fmt.Errorf("none of the keys is the one that signed, %q", header.KeyID)
	}
	for _, key := range matching {
		if payload, err := jws.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("the signature is not that of the center: the file was changed or made up")
}

// same fails where a file says something else than what was signed.
func same(file, payload []byte) error {
	var says, was map[string]any
	if err := errors.Join(decode(file, &says), decode(payload, &was)); err != nil {
		return err
	}
	delete(says, signatureMember)
	var changed []string
	for name := range says {
		if !reflect.DeepEqual(says[name], was[name]) {
			changed = append(changed, name)
		}
	}
	for name := range was {
		if _, there := says[name]; !there {
			changed = append(changed, name)
		}
	}
	if len(changed) > 0 {
		slices.Sort(changed)
		return fmt.Errorf(
			"the file was changed: %s is not what the center has signed", strings.Join(changed, ", "),
		)
	}
	return nil
}

func decode(text []byte, into *map[string]any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read the proof: %w", err)
	}
	lower := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(*into)) {
		other, twice := lower[strings.ToLower(name)]
		if twice {
			return fmt.Errorf("the file has two members %q and %q", other, name)
		}
		lower[strings.ToLower(name)] = name
	}
	return nil
}
