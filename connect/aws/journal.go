package aws

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
)

// journal is what runs remember of an instance, since AWS does not tell: what a person brought from
// the console and what was proved. It has no secrets.
type journal struct {
	InstanceARN string   `json:"instance_arn"`
	AcsURLs     []string `json:"acs_urls,omitempty"`
	// Trust is the identity provider that AWS was given; its status says whether that is proved.
	Trust *adminapi.Configuration `json:"trust,omitempty"`
	// ProvedAt is when the change was proved, or when the sign-in was that proved it.
	ProvedAt time.Time `json:"proved_at,omitzero"`
	// SignedInAt is when somebody whom AWS had sent signed in since; zero: nobody did.
	SignedInAt time.Time `json:"signed_in_at,omitzero"`
	// Begun is when a person was first asked to change the identity source.
	Begun begun `json:"change_begun,omitzero"`
	// TakenBackAt is when the last connection was: who signed in before proves nothing any more.
	TakenBackAt time.Time `json:"taken_back_at,omitzero"`
	// Tokenless says that the connection goes without SCIM.
	Tokenless bool            `json:"tokenless,omitempty"`
	SCIM      adminapi.Tenant `json:"scim,omitzero"`
	TokenAt   time.Time       `json:"token_made_at,omitzero"` // when the token in use was brought
	// PastedAt is when one was that the tenant has not saved, as far as is known; ReplacedAt when
	// the one was that had been in use, until it is deleted. There is one of them at most, since
	// AWS has room for two.
	PastedAt   time.Time `json:"token_pasted_at,omitzero"`
	ReplacedAt time.Time `json:"token_replaced_made_at,omitzero"`
	// Snapshot is the file of what was there before the connection.
	Snapshot string `json:"snapshot,omitempty"`
	// Signing is the certificate that a rotation has the tenant sign with.
	Signing signing `json:"signing,omitzero"`
}

// signing is a certificate that the tenant signs with since a time.
type signing struct {
	ID       string    `json:"certificate"`
	At       time.Time `json:"at"`
	Unproved bool      `json:"unproved,omitempty"` // nobody has signed in with it yet
}

// isOf says whether a person brought an address at an endpoint.
func (j *journal) isOf(endpoint string) bool {
	at, err := url.Parse(endpoint)
	return err == nil && slices.ContainsFunc(append(j.AcsURLs, j.SCIM.ScimEndpoint), func(text string) bool {
		u, err := url.Parse(text)
		return err == nil && strings.EqualFold(u.Host, at.Host)
	})
}

// pasted notes a token that was brought just now. Beside one in use there was room for it only;
// when none is, one that an earlier run had generated may be there still.
func (j *journal) pasted() {
	switch {
	case !j.TokenAt.IsZero():
		j.ReplacedAt = time.Time{}
	case j.ReplacedAt.IsZero():
		j.ReplacedAt = j.PastedAt
	}
	j.PastedAt = time.Now().UTC()
}

// begun is when something was begun that a sign-in is to prove.
type begun struct {
	At   time.Time `json:"at"`
	Last time.Time `json:"last_sign_in,omitzero"` // the newest at that time, which proves nothing
	Seen int       `json:"sign_ins,omitempty"`    // how many there were: a log may have whole seconds
}

// proved says whether somebody has signed in since.
func (b begun) proved(now connect.SignIns) bool {
	return now.Last.After(b.Last) || (now.Last.Equal(b.Last) && now.Seen > b.Seen)
}

// remember reads the journal of earlier runs.
func (c *Center) remember() error {
	if c.file() == "" {
		return nil
	}
	var j journal
	err := connect.ReadFile(c.file(), &j)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("the journal of earlier runs: %w", err)
	case j.InstanceARN != c.Instance.ARN:
		return fmt.Errorf("%s is the journal of another instance, %s", c.file(), j.InstanceARN)
	}
	c.journal = j
	return nil
}

// Reread takes what another run has remembered meanwhile; see connect.Config.Hold.
func (c *Center) Reread() error { return c.remember() }

// note writes the journal down after a change.
func (c *Center) note(change func(*journal)) error {
	change(&c.journal)
	c.journal.InstanceARN = c.Instance.ARN
	if c.file() == "" {
		return nil
	}
	return connect.WriteFile(c.file(), c.journal)
}

// RememberTokenless has later runs know that the connection goes without SCIM, or that it does not.
func (c *Center) RememberTokenless(tokenless bool) error {
	return c.note(func(j *journal) { j.Tokenless = tokenless })
}

// FirstSnapshot implements connect.SnapshotKeeper.
func (c *Center) FirstSnapshot() string { return c.journal.Snapshot }

// RememberSnapshot implements connect.SnapshotKeeper.
func (c *Center) RememberSnapshot(file string) error {
	return c.note(func(j *journal) { j.Snapshot = file })
}

// TakenBack is when the connection was taken back; zero: it was not, or another one was begun.
func (c *Center) TakenBack() time.Time {
	if c.journal.Trust != nil {
		return time.Time{}
	}
	return c.journal.TakenBackAt
}
