package center

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Departed is a user or a group that was deleted while something was assigned to it: what is left
// of the name by which the assignments are understood.
type Departed struct {
	PrincipalType PrincipalType
	PrincipalID   string
	Name          string
	ExternalID    string
	At            time.Time
}

// departedReader reads who was deleted while something was assigned.
type departedReader interface {
	// HoldsAssignments says whether an account or an application is assigned to somebody, not by a
	// group.
	HoldsAssignments(of PrincipalType, id string) (bool, error)
	Departed(of PrincipalType, id string) (Departed, error)
}

// departedWriter writes it.
type departedWriter interface {
	PutDeparted(Departed) error
	DeleteDeparted(of PrincipalType, id string) error
}

// Departed is what is known of somebody who was deleted; empty where nothing is.
func (c *Center) Departed(ctx context.Context, of Principal) (d Departed, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		d, err = r.Departed(of.Type, of.ID)
		if errors.Is(err, refusal.ErrNoRow) {
			return nil
		}
		return err
	})
	return d, err
}

// keepDeparted keeps the name of who is deleted, if something is assigned to them.
func (c *Center) keepDeparted(tx Tx, of PrincipalType, id, name, external string) error {
	held, err := tx.HoldsAssignments(of, id)
	if err != nil || !held {
		return err
	}
	return tx.PutDeparted(Departed{of, id, name, external, c.now()})
}
