package tenant

import (
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/names"
)

// SignIn is a line of the sign-in log: a sign-in that was tried, with a password or on to an
// application.
type SignIn struct {
	ID, RequestID     string
	Time              time.Time
	User, Application string // Application is empty for the sign-in itself
	Address           string
	Granted           bool
	AADSTS            int // Entra's number of the refusal
	Reason            string
}

// PrincipalName is the name as names are compared: it is nobody else's.
func (s SignIn) PrincipalName() string { return names.Fold(s.User) }

// SignInActions are the actions that the sign-in log is made of.
var SignInActions = []string{ActionUserLoggedIn.name, ActionAdministratorLoggedIn.name, ActionSignIn.name}

// SignInOf is the line of the sign-in log that an event is.
func SignInOf(e audit.Event) SignIn {
	s := SignIn{
		ID:        e.ID,
		RequestID: e.Actor.RequestID,
		Time:      e.Time,
		User:      e.Actor.Name,
		Address:   e.Actor.Address,
		Granted:   e.Result == audit.Granted,
	}
	if e.Action == ActionSignIn.name {
		if s.Application = e.Subject; !s.Granted {
			s.User, s.Application = e.Subject, ""
		}
	}
	if !s.Granted {
		s.AADSTS = AADSTS(Refusals.Named(e.Code))
		s.Reason = e.Detail
	}
	return s
}
