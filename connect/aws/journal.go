package aws

import (
	"errors"
	"fmt"
	"io/fs"
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
	Trust    *adminapi.Configuration `json:"trust,omitempty"`
	ProvedAt time.Time               `json:"proved_at,omitzero"`
	// Tokenless says that the connection goes without SCIM.
	Tokenless bool            `json:"tokenless,omitempty"`
	SCIM      adminapi.Tenant `json:"scim,omitzero"`
	TokenAt   time.Time       `json:"token_made_at,omitzero"` // when the token in use was brought
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

// note writes the journal down after a change.
func (c *Center) note(change func(*journal)) error {
	change(&c.journal)
	c.journal.InstanceARN = c.Instance.ARN
	if c.file() == "" {
		return nil
	}
	return connect.WriteFile(c.file(), c.journal)
}
