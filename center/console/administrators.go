package console

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// administrators is what the pages for and about administrators ask of the center.
type administrators struct{ c *center.Center }

var _ web.Administrators = administrators{}

// passwordRule is how pages say what a password must be.
const passwordRule = "8 to 64 characters, with a lowercase letter, an uppercase letter, a digit and a " +
	"punctuation mark; not one of your last three passwords"

func entry(p center.Progress) web.Entry {
	return web.Entry{
		Secret:         p.Session.Reveal(),
		Lifetime:       p.Lifetime,
		Ticket:         p.Ticket.Reveal(),
		TicketLifetime: p.TicketLifetime,
		Known:          p.Known.Reveal(),
		KnownLifetime:  p.KnownLifetime,
	}
}

func browser(r *http.Request, known string) center.Browser {
	return center.Browser{Known: known, UserAgent: r.UserAgent(), Console: true}
}

// busy is the desk's error for a password that was not looked at.
func busy(err error) error {
	if refusal.CodeOf(err) == center.SignInBusy {
		err = errors.Join(web.ErrBusy, err)
	}
	return err
}

func (a administrators) signIn(r *http.Request, name, password, known string) (web.Entry, error) {
	by := actor(r, audit.Anonymous, name)
	p, err := a.c.SignInAdministrator(r.Context(), by, name, password, "", browser(r, known))
	if code := refusal.CodeOf(err); code != refusal.None && code.Kind() != refusal.Unavailable {
		err = errors.Join(web.ErrRefused, err)
	}
	return entry(p), busy(err)
}

// Waits implements web.Administrators.
func (a administrators) Waits(r *http.Request, ticket string) (web.Waiting, error) {
	p, err := a.c.PendingSignIn(r.Context(), ticket)
	w := web.Waiting{Password: p.Step == center.StepPassword, Rule: passwordRule}
	if err != nil || w.Password {
		return w, err
	}
	for _, d := range p.Devices {
		w.Codes = w.Codes || d.Type == center.Authenticator
	}
	w.Key, err = a.c.KeyOptions(r.Context(), ticket)
	return w, err
}

// Prove implements web.Administrators.
func (a administrators) Prove(r *http.Request, ticket string, proof web.Proof) (web.Entry, error) {
	by, from := actor(r, audit.Anonymous, ""), browser(r, web.CookieValue(r, a.c.URL, cookieName+"_known"))
	var p center.Progress
	var err error
	switch {
	case proof.Password != "":
		p, err = a.c.SignInWithNewPassword(r.Context(), by, ticket, proof.Password, from)
	case proof.Response != "":
		p, err = a.c.SignInWithKey(r.Context(), by, ticket, []byte(proof.Response), false, from)
	default:
		p, err = a.c.SignInWithCode(r.Context(), by, ticket, proof.Code, false, from)
	}
	return entry(p), busy(err)
}

// Ended implements web.Administrators.
func (administrators) Ended(err error) bool { return refusal.CodeOf(err) == center.TicketInvalid }

// List implements web.Administrators.
func (a administrators) List(ctx context.Context) ([]authn.AdministratorSummary, error) {
	return a.c.Administrators(ctx)
}

// self is the actor of what an administrator does.
func self(v web.Visit) audit.Actor { return actor(v.Request, audit.Administrator, v.Admin) }

// Add implements web.Administrators.
func (a administrators) Add(v web.Visit, name string) (string, error) {
	password, err := a.c.AddAdministrator(v.Context(), self(v), name)
	return password.Reveal(), err
}

// ResetPassword implements web.Administrators.
func (a administrators) ResetPassword(v web.Visit, name string) (string, error) {
	password, err := a.c.ResetAdministratorPassword(v.Context(), self(v), name)
	return password.Reveal(), err
}

// Remove implements web.Administrators.
func (a administrators) Remove(v web.Visit, name string) (string, error) {
	left, err := a.c.RemoveAdministrator(v.Context(), self(v), name)
	return KeysLeft(left), err
}

// KeysLeft says that access keys of an administrator who was removed stay enabled; "" for none.
func KeysLeft(left []center.AccessKey) string {
	if len(left) == 0 {
		return ""
	}
	ids := make([]string, len(left))
	for i, k := range left {
		ids[i] = k.ID
	}
	return "The access key " + strings.Join(ids, ", ") +
		" is the last one with the administrator role and stays enabled. Create another one, then delete it."
}

// ResetFactors implements web.Administrators.
func (a administrators) ResetFactors(v web.Visit, name string) error {
	return a.c.ResetAdministratorMFA(v.Context(), self(v), name)
}

// SignOut implements web.Administrators.
func (a administrators) SignOut(v web.Visit, name string) error {
	return a.c.SignOutAdministrator(v.Context(), self(v), name)
}

// Account implements web.Administrators.
func (a administrators) Account(v web.Visit, session string) (own web.OwnAccount, err error) {
	own.Rule = passwordRule
	principal := center.AdministratorPrincipal(v.Admin)
	devices, err := a.c.Devices(v.Context(), principal)
	if err != nil {
		return own, err
	}
	own.Devices = shownDevices(devices)
	sessions, err := a.c.Sessions(v.Context(), center.UserID(principal))
	if err != nil {
		return own, err
	}
	own.Sessions = shownSessions(sessions, authn.Digest(session))
	e, err := a.c.Enrol(v.Context(), principal, v.Admin)
	switch {
	case refusal.CodeOf(err) == center.TooManyDevices:
		return own, nil
	case err != nil:
		return own, err
	}
	if e.TOTP != nil {
		own.App = web.FactorOffer{Ticket: e.Ticket.Reveal(), Secret: e.TOTP.Secret, QR: web.PNG(e.TOTP.QR)}
	}
	if e.KeyOptions != "" {
		own.Key = web.FactorOffer{Ticket: e.Ticket.Reveal(), Options: e.KeyOptions}
	}
	return own, nil
}

// shownDevices is what a page shows of second factors, whose secrets stay away from it.
func shownDevices(devices []center.MFADevice) (shown []web.OwnDevice) {
	for _, d := range devices {
		kind := "security key"
		if d.Type == center.Authenticator {
			kind = "authenticator app"
		}
		shown = append(shown,
			web.OwnDevice{ID: d.ID, Name: d.Name, Kind: kind, CreatedAt: d.CreatedAt, LastUsedAt: d.LastUsedAt})
	}
	return shown
}

// shownSessions is what a page shows of sessions. current is the digest of the one that looks.
func shownSessions(sessions []center.Session, current string) (shown []web.OwnSession) {
	for _, s := range sessions {
		shown = append(shown, web.OwnSession{
			ID:        s.Digest,
			UserAgent: s.UserAgent,
			Address:   s.Address,
			CreatedAt: s.CreatedAt,
			ExpiresAt: s.ExpiresAt,
			Current:   s.Digest == current,
		})
	}
	return shown
}

// ChangePassword implements web.Administrators.
func (a administrators) ChangePassword(v web.Visit, current, password, session string) error {
	return a.c.ChangeAdministratorPassword(v.Context(), self(v), v.Admin, current, password, session,
		web.CookieValue(v.Request, a.c.URL, cookieName+"_known"))
}

// Register implements web.Administrators.
func (a administrators) Register(v web.Visit, f web.NewFactor) error {
	return a.c.FinishEnrolment(v.Context(), self(v), center.AdministratorPrincipal(v.Admin),
		center.NewDevice{Ticket: f.Ticket, Name: f.Name, Code: f.Code, Response: []byte(f.Response)})
}

// DeleteDevice implements web.Administrators.
func (a administrators) DeleteDevice(v web.Visit, id string) error {
	kept := authn.Digest(web.CookieValue(v.Request, a.c.URL, cookieName))
	return a.c.DeleteDevice(v.Context(), self(v), center.AdministratorPrincipal(v.Admin), id, kept)
}

// EndSession implements web.Administrators.
func (a administrators) EndSession(v web.Visit, id string) error {
	return a.c.EndSession(v.Context(), self(v), center.UserID(center.AdministratorPrincipal(v.Admin)), id)
}

// EndOthers implements web.Administrators.
func (a administrators) EndOthers(v web.Visit, session string) error {
	principal := center.UserID(center.AdministratorPrincipal(v.Admin))
	return a.c.EndSessions(v.Context(), self(v), principal, authn.Digest(session))
}
