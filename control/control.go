// Package control makes a half's first administrator, and lets a command manage the administrators
// with or without a running server: on the half's data, or through the server that has it open.
//
// With SQLite, only the server may write to its data folder. It takes orders over a socket in that
// folder, which only those can reach who could write the database itself. If a database is shared,
// commands write to it beside the server.
//
// It may import audit, authn, names and sqldb.
package control

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// Administrators are those of one half. The methods with Administrator in their name are the half's
// own.
type Administrators interface {
	Administrators(ctx context.Context) ([]authn.AdministratorSummary, error)
	// Unknown is the half's refusal of a name that no administrator has.
	Unknown(name string) error
	AddAdministrator(ctx context.Context, by audit.Actor, name string) (authn.Secret, error)
	SetAdministrator(ctx context.Context, by audit.Actor, name, password string) error
	ResetAdministratorPassword(ctx context.Context, by audit.Actor, name string) (authn.Secret, error)
	ResetAdministratorMFA(ctx context.Context, by audit.Actor, name string) error
	SignOutAdministrator(ctx context.Context, by audit.Actor, name string) error
	// Remove also returns what the person who orders it must know.
	Remove(ctx context.Context, by audit.Actor, name string) (notice string, err error)
}

// Data is a half's data that a command has opened.
type Data struct {
	On    Administrators
	Close func() error
}

// Open opens a half's data, or fails with sqldb.ErrInUse where a server has it open.
type Open func(ctx context.Context) (Data, error)

// Order is what a command asks for.
type Order struct{ Do, Name, Password, By string }

// Answer is what came of an order.
type Answer struct {
	List     []authn.AdministratorSummary
	Password string // a one-time password
	Notice   string
	Refused  string // why a server refused the order
}

// What can be ordered.
const (
	List            = "list"
	Add             = "add"
	SetPassword     = "set-password"
	OneTimePassword = "one-time-password"
	Remove          = "remove"
	ResetMFA        = "reset-mfa"
	SignOut         = "sign-out"
)

// carryOut carries out an order.
func carryOut(ctx context.Context, on Administrators, o Order) (a Answer, err error) {
	by := audit.Actor{Kind: audit.System, Name: o.By}
	var secret authn.Secret
	switch o.Do {
	case List:
		a.List, err = on.Administrators(ctx)
	case Add:
		secret, err = on.AddAdministrator(ctx, by, o.Name)
	case SetPassword:
		err = setPassword(ctx, on, by, o)
	case OneTimePassword:
		secret, err = on.ResetAdministratorPassword(ctx, by, o.Name)
	case Remove:
		a.Notice, err = on.Remove(ctx, by, o.Name)
	case ResetMFA:
		err = on.ResetAdministratorMFA(ctx, by, o.Name)
	case SignOut:
		err = on.SignOutAdministrator(ctx, by, o.Name)
	default:
		err = fmt.Errorf("there is no order %q", o.Do)
	}
	a.Password = secret.Reveal()
	return a, err
}

// setPassword sets the password of an administrator who is there: the halves would make a new one,
// as a first start has it.
func setPassword(ctx context.Context, on Administrators, by audit.Actor, o Order) error {
	all, err := on.Administrators(ctx)
	if err != nil {
		return err
	}
	for _, a := range all {
		if names.Fold(a.Name) == names.Fold(o.Name) {
			return on.SetAdministrator(ctx, by, o.Name, o.Password)
		}
	}
	return on.Unknown(o.Name)
}

// patience is how long a command waits for a server that begins or ends.
const patience = 2 * time.Second //bound:none a command's own wait

// Run carries out an order on what open opens, or where a server has the data folder open, by that
// server.
func Run(ctx context.Context, folder string, o Order, open Open) (Answer, error) {
	for deadline := time.Now().Add(patience); ; {
		answer, err := runOnce(ctx, folder, o, open)
		// A server that begins or ends has the folder and takes no orders.
		if !errors.Is(err, errNoOrders) || time.Now().After(deadline) {
			return answer, err
		}
		select {
		case <-ctx.Done():
			return answer, ctx.Err()
		case <-time.After(patience / 20):
		}
	}
}

func runOnce(ctx context.Context, folder string, o Order, open Open) (Answer, error) {
	opened, err := open(ctx)
	if errors.Is(err, sqldb.ErrInUse) {
		return send(ctx, folder, o)
	}
	if err != nil {
		return Answer{}, err
	}
	answer, err := carryOut(ctx, opened.On, o)
	return answer, errors.Join(err, opened.Close())
}
