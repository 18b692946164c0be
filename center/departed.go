package center

import (
	"time"
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
}

// departedWriter writes it.
type departedWriter interface {
	PutDeparted(Departed) error
	DeleteDeparted(of PrincipalType, id string) error
}

// keepDeparted keeps the name of who is deleted, if something is assigned to them.
func (c *Center) keepDeparted(tx Tx, of PrincipalType, id, name, external string) error {
	held, err := tx.HoldsAssignments(of, id)
	if err != nil || !held {
		return err
	}
	return tx.PutDeparted(Departed{of, id, name, external, c.now()})
}
