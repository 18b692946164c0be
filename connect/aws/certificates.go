package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
)

var (
	_ connect.CertificateKeeper = (*Center)(nil)
	_ connect.CertificateProver = (*Center)(nil)
)

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
			"Choose file: the one below, and Import certificate. In another account or with another file, nobody " +
				"could sign in",
			"See that the list has two, and type DONE below",
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

// BeginCertificate implements connect.CertificateProver.
func (c *Center) BeginCertificate(id string) error {
	return c.note(func(j *journal) { j.Signing = signing{ID: id, At: time.Now().UTC(), Unproved: true} })
}

// CertificateSince implements connect.CertificateProver.
func (c *Center) CertificateSince(id string) (at time.Time, unproved bool) {
	if s := c.journal.Signing; s.ID == id {
		return s.At, s.Unproved
	}
	return time.Time{}, false
}

// What a person says of a sign-in that only they can see at once. AWS's record comes later.
const (
	refusedWord = "REFUSED"
	inWord      = "IN"
)

// ProveCertificate has a person sign in, and waits for what CloudTrail says of it. A refusal ends
// the wait, the person's word for one too. That they are in is believed for now when CloudTrail may
// not be read, or has said nothing until ctx ends.
func (c *Center) ProveCertificate(ctx context.Context, id string) error {
	asking, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	since := time.Now().Truncate(time.Second)  // as CloudTrail counts
	before, _ := c.RecordedSignIns(ctx, since) // in the same second: they prove nothing
	recorded := false
	err := c.do(asking, Task{
		Title: "Sign in with the new certificate",
		Why: "AWS does not tell which certificates it trusts. Your tenant signs with the new one now: if AWS does " +
			"not have it, nobody can sign in, and the old one is set back as soon as that is known, or if you stop.",
		Link: c.addresses.Portal,
		Clicks: []string{
			"Open " + c.addresses.Portal + " in a private window, and sign in as somebody who is assigned to the " +
				"application",
			"Type " + inWord + " below if you see the portal, and " + refusedWord + " if AWS shows an error. " +
				"CloudTrail confirms it minutes later",
		},
		Wants: []Want{c.wantOutcome(refuse)},
		Proved: func(ctx context.Context) (bool, error) {
			seen, err := c.RecordedSignIns(ctx, since)
			switch {
			case errors.Is(err, connect.ErrUnrecorded) && c.saidSo():
				return true, nil
			case err != nil:
				return false, err
			case seen.Seen-seen.Succeeded > before.Seen-before.Succeeded && !seen.At.After(seen.RefusedAt):
				err = fmt.Errorf("AWS refused what the tenant sent: %s", seen.Refused)
				refuse(err)
				return false, err
			}
			recorded = seen.Succeeded > before.Succeeded
			return recorded, nil
		},
	})
	if cause := context.Cause(asking); err != nil && cause != nil {
		err = cause
	}
	if c.saidSo() && errors.Is(err, context.DeadlineExceeded) {
		err = nil
	}
	return errors.Join(err, c.note(func(j *journal) {
		j.Signing.Unproved = !recorded
		if err != nil {
			j.Signing = signing{}
			j.untrust(id)
		}
	}))
}

// wantOutcome asks what a person saw.
func (c *Center) wantOutcome(refuse context.CancelCauseFunc) Want {
	w := c.word()
	w.Label = inWord + " if you see the portal, " + refusedWord + " if AWS shows an error"
	w.Take = func(_ context.Context, value []byte) error {
		switch strings.ToUpper(strings.TrimSpace(string(value))) {
		case refusedWord:
			refuse(errors.New("AWS refused the sign-in with the new certificate: import it once more"))
			return nil
		case inWord:
			c.hand.mu.Lock()
			defer c.hand.mu.Unlock()
			c.hand.proved = true
			return nil
		}
		return fmt.Errorf("type %s or %s", inWord, refusedWord)
	}
	return w
}

// untrust forgets a certificate that AWS was given.
func (j *journal) untrust(id string) {
	if j.Trust != nil {
		j.Trust.Thumbprints = slices.DeleteFunc(j.Trust.Thumbprints, func(x string) bool { return x == id })
	}
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
	return c.note(func(j *journal) { j.untrust(id) })
}
