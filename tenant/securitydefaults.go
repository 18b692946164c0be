package tenant

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Demand says of whom the tenant demands a second factor. Whoever has one is asked for it in any
// case; who has none and is meant must register one before they get anywhere.
type Demand string

// The demands. Source: "Security defaults in Microsoft Entra ID".
const (
	DemandNobody         Demand = ""
	DemandAdministrators Demand = "administrators" // people with a directory role
	DemandEverybody      Demand = "everybody"      // security defaults
)

// SecurityDefaults are what the tenant demands of people who sign in.
type SecurityDefaults struct{ Factor Demand }

// securityReader reads what is demanded of people who sign in.
type securityReader interface {
	SecurityDefaults() (SecurityDefaults, error)
}

// securityWriter writes what is demanded of people who sign in.
type securityWriter interface {
	PutSecurityDefaults(SecurityDefaults) error
}

// SecurityDefaults returns what is demanded of people who sign in.
func (t *Tenant) SecurityDefaults(ctx context.Context) (d SecurityDefaults, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		d, err = securityDefaults(r)
		return err
	})
	return d, err
}

func securityDefaults(r securityReader) (SecurityDefaults, error) {
	d, err := r.SecurityDefaults()
	return d, nilIfNoRow(err)
}

// SetSecurityDefaults changes what is demanded of people who sign in, from their next request on.
// It fails with InvalidValue.
func (t *Tenant) SetSecurityDefaults(ctx context.Context, by audit.Actor, d SecurityDefaults) error {
	return t.change(ctx, by, ActionSetSecurityDefaults, func(tx Tx, _ *Touched) (string, error) {
		if !slices.Contains([]Demand{DemandNobody, DemandAdministrators, DemandEverybody}, d.Factor) {
			return string(d.Factor), &refusal.Error{Code: InvalidValue, Subject: "second factor"}
		}
		return string(d.Factor), tx.PutSecurityDefaults(d)
	})
}

// mustRegister says whether somebody must register a second factor before they get anywhere.
func mustRegister(r Reader, id UserID) (bool, error) {
	d, err := securityDefaults(r)
	if err != nil || d.Factor == DemandNobody {
		return false, err
	}
	held, e1 := r.RoleAssignmentsOf(id)
	f, e2 := factors(r, AccountID(id))
	return !f.Any() && (d.Factor == DemandEverybody || len(held) > 0), errors.Join(e1, e2)
}
