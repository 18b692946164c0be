package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
)

var _ connect.CertificateKeeper = (*Center)(nil)

// ListCertificates has those that AWS was given, as far as runs remember. AWS does not tell.
func (c *Center) ListCertificates(context.Context) ([]adminapi.Certificate, error) {
	var list []adminapi.Certificate
	if t := c.journal.Trust; t != nil {
		for _, id := range t.Thumbprints {
			list = append(list, adminapi.Certificate{CertificateID: id})
		}
	}
	return list, nil
}

// ImportCertificate has a person add a certificate. Every imported one is trusted at once. Source:
// user guide, "Manage SAML 2.0 certificates".
func (c *Center) ImportCertificate(ctx context.Context, text string) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil || c.journal.Trust == nil {
		return errors.New("no certificate, or no identity provider that it could be added to")
	}
	sum := sha256.Sum256(block.Bytes)
	id := hex.EncodeToString(sum[:])
	err := c.do(ctx, Task{
		Title: "Import the new certificate",
		Why:   "The tenant will sign with it. AWS trusts it beside the old one, so nobody notices.",
		Link:  c.settings(),
		Clicks: []string{
			"Identity source tab: Actions > Manage authentication", "Manage SAML 2.0 certificates > Import certificate",
			"Choose file: the one below, and Import certificate", "Type DONE below",
		},
		Offer:  &File{Name: "gatehouse-" + id[:8] + ".pem", Data: []byte(text)},
		Wants:  []Want{c.word()},
		Proved: func(context.Context) (bool, error) { return c.saidSo(), nil },
	})
	if err != nil {
		return err
	}
	return c.note(func(j *journal) {
		if !slices.Contains(j.Trust.Thumbprints, id) {
			j.Trust.Thumbprints = append(j.Trust.Thumbprints, id)
		}
	})
}

// DeleteCertificate has a person delete one that is no longer used.
func (c *Center) DeleteCertificate(ctx context.Context, id, _ string) error {
	err := c.do(ctx, Task{
		Title: "Delete the old certificate",
		Why:   "The tenant signs with another one. The old one is that which expires first.",
		Link:  c.settings(),
		Clicks: []string{
			"Identity source tab: Actions > Manage authentication",
			"Manage SAML 2.0 certificates: select the one that expires first, and Delete",
			"Type DELETE and confirm", "Type DONE below",
		},
		Copy:   "DELETE",
		Wants:  []Want{c.word()},
		Proved: func(context.Context) (bool, error) { return c.saidSo(), nil },
	})
	if err != nil {
		return err
	}
	return c.note(func(j *journal) {
		if j.Trust != nil {
			j.Trust.Thumbprints = slices.DeleteFunc(j.Trust.Thumbprints, func(x string) bool { return x == id })
		}
	})
}
