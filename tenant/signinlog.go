package tenant

import (
	"context"
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

// scannedEvents bounds how far back the logs go that are read from the audit log.
const scannedEvents = 5000

// SignIns lists sign-ins, the newest first.
func (t *Tenant) SignIns(ctx context.Context, limit int) (list []SignIn, err error) {
	events, err := t.Events(ctx, scannedEvents)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		if len(list) == limit {
			break
		}
		s := SignIn{
			ID:        e.ID,
			RequestID: e.Actor.RequestID,
			Time:      e.Time,
			User:      e.Actor.Name,
			Address:   e.Actor.Address,
			Granted:   e.Result == audit.Granted,
		}
		switch e.Action {
		case "UserLoggedIn", "AdministratorLoggedIn":
		case ActionSignIn.name:
			if s.Application = e.Subject; !s.Granted {
				s.User, s.Application = e.Subject, ""
			}
		default:
			continue
		}
		if !s.Granted {
			s.AADSTS = AADSTS(Refusals.Named(e.Code))
			s.Reason = e.Detail
		}
		list = append(list, s)
	}
	return list, nil
}
