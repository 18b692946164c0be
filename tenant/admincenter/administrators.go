package admincenter

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// administrators is what the pages for and about administrators ask of the tenant.
type administrators struct{ t *tenant.Tenant }

var _ web.Administrators = administrators{}

// passwordRule is how pages say what a password must be.
const passwordRule = "8 to 256 characters" // #nosec G101 -- a rule

func entry(e tenant.Entry) web.Entry {
	return web.Entry{
		Secret:         e.Session.Reveal(),
		Lifetime:       e.Lifetime,
		Ticket:         e.Challenge.Ticket,
		TicketLifetime: e.Challenge.Lifetime,
		Known:          e.Known.Reveal(),
		KnownLifetime:  e.KnownLifetime,
	}
}

// busy is the desk's error for a password that was not looked at.
func busy(err error) error {
	if refusal.CodeOf(err) == tenant.SignInBusy {
		err = errors.Join(web.ErrBusy, err)
	}
	return err
}

func browser(r *http.Request, known string) tenant.Browser {
	return tenant.Browser{Known: known, UserAgent: r.UserAgent()}
}

func (a administrators) signIn(r *http.Request, name, password, known string) (web.Entry, error) {
	signIn := a.t.SignInAdministrator
	if isPerson(name) {
		signIn = a.t.SignInRoleHolder
	}
	e, err := signIn(r.Context(), actor(r, audit.Anonymous, name), name, password, browser(r, known))
	if code := refusal.CodeOf(err); code != refusal.None && code.Kind() != refusal.Unavailable {
		err = errors.Join(web.ErrRefused, err)
	}
	return entry(e), busy(err)
}

// Waits implements web.Administrators.
func (a administrators) Waits(r *http.Request, ticket string) (web.Waiting, error) {
	c, err := a.t.PendingChallenge(r.Context(), ticket)
	return web.Waiting{Password: c.NewPassword, Rule: passwordRule, Codes: c.Code, Key: c.KeyOptions}, err
}

// Prove implements web.Administrators.
func (a administrators) Prove(r *http.Request, ticket string, proof web.Proof) (web.Entry, error) {
	by := actor(r, audit.Anonymous, "")
	if proof.Password != "" {
		e, err := a.t.ReplaceOneTime(r.Context(), by, ticket, proof.Password)
		return entry(e), busy(err)
	}
	from := browser(r, web.CookieValue(r, a.t.URL, cookieName+"_known"))
	e, err := a.t.VerifyFactor(r.Context(), by, ticket, proof.Code, proof.Response, from)
	return entry(e), busy(err)
}

// Ended implements web.Administrators.
func (administrators) Ended(err error) bool { return refusal.CodeOf(err) == tenant.SessionInvalid }

// List implements web.Administrators.
func (a administrators) List(ctx context.Context) ([]authn.AdministratorSummary, error) {
	return a.t.Administrators(ctx)
}

// self is the actor of what an administrator does. Of somebody of the directory the roles count;
// who cannot be found has none.
func (a administrators) self(v web.Visit) audit.Actor {
	by := actor(v.Request, audit.Administrator, v.Admin)
	id, err := personOf(v.Context(), a.t, v.Admin)
	if by.Person = id; err != nil {
		by.Person = nobody
	}
	return by
}

// Add implements web.Administrators.
func (a administrators) Add(v web.Visit, name string) (string, error) {
	password, err := a.t.AddAdministrator(v.Context(), a.self(v), name)
	return password.Reveal(), err
}

// ResetPassword implements web.Administrators.
func (a administrators) ResetPassword(v web.Visit, name string) (string, error) {
	password, err := a.t.ResetAdministratorPassword(v.Context(), a.self(v), name)
	return password.Reveal(), err
}

// Remove implements web.Administrators.
func (a administrators) Remove(v web.Visit, name string) (string, error) {
	return "", a.t.RemoveAdministrator(v.Context(), a.self(v), name)
}

// ResetFactors implements web.Administrators.
func (a administrators) ResetFactors(v web.Visit, name string) error {
	return a.t.ResetAdministratorMFA(v.Context(), a.self(v), name)
}

// SignOut implements web.Administrators.
func (a administrators) SignOut(v web.Visit, name string) error {
	return a.t.SignOutAdministrator(v.Context(), a.self(v), name)
}

// theApp is how the pages name the authenticator app, of which there is one.
const theApp = "app"

// Account implements web.Administrators.
func (a administrators) Account(v web.Visit, session string) (own web.OwnAccount, err error) {
	if err := ownElsewhere(v); err != nil {
		return own, err
	}
	own.Rule = passwordRule
	me := tenant.AdministratorAccount(v.Admin)
	f, err := a.t.Factors(v.Context(), me.ID)
	if err != nil {
		return own, err
	}
	if f.SealedSecret != "" {
		app := web.OwnDevice{ID: theApp, Name: "Authenticator app", Kind: "authenticator app"}
		own.Devices = append(own.Devices, app)
	}
	for _, k := range f.Keys {
		key := web.OwnDevice{ID: k.ID, Name: k.Name, Kind: "security key", CreatedAt: k.CreatedAt}
		own.Devices = append(own.Devices, key)
	}
	sessions, err := a.t.AdministratorSessions(v.Context(), v.Admin)
	if err != nil {
		return own, err
	}
	for _, s := range sessions {
		own.Sessions = append(own.Sessions, web.OwnSession{
			ID:        s.Digest,
			UserAgent: s.UserAgent,
			Address:   s.Address,
			CreatedAt: s.CreatedAt,
			ExpiresAt: s.ExpiresAt,
			Current:   s.Digest == authn.Digest(session),
		})
	}
	key, err := a.t.NewKey(v.Context(), me)
	if err != nil {
		return own, err
	}
	own.Key.Options, own.Key.Ticket = key.Options, key.Ticket
	if f.SealedSecret != "" {
		return own, nil
	}
	app, err := a.t.NewAuthenticator(me)
	own.App = web.FactorOffer{Ticket: app.Ticket, Secret: app.Secret, QR: web.PNG(app.QR)}
	return own, err
}

// ChangePassword implements web.Administrators.
func (a administrators) ChangePassword(v web.Visit, current, password, session string) error {
	if err := ownElsewhere(v); err != nil {
		return err
	}
	return a.t.ChangeAdministratorPassword(v.Context(), a.self(v), v.Admin, current, password, session,
		web.CookieValue(v.Request, a.t.URL, cookieName+"_known"))
}

// Register implements web.Administrators.
func (a administrators) Register(v web.Visit, f web.NewFactor) error {
	if err := ownElsewhere(v); err != nil {
		return err
	}
	me := tenant.AdministratorAccount(v.Admin)
	if f.Response != "" {
		return a.t.AddKey(v.Context(), a.self(v), me, f.Ticket, f.Response, f.Name)
	}
	return a.t.AddAuthenticator(v.Context(), a.self(v), me, f.Ticket, f.Code)
}

// DeleteDevice implements web.Administrators.
func (a administrators) DeleteDevice(v web.Visit, id string) error {
	if err := ownElsewhere(v); err != nil {
		return err
	}
	if id == theApp {
		id = ""
	}
	return a.t.RemoveFactor(v.Context(), a.self(v), tenant.AdministratorAccount(v.Admin), id)
}

// EndSession implements web.Administrators.
func (a administrators) EndSession(v web.Visit, id string) error {
	if err := ownElsewhere(v); err != nil {
		return err
	}
	return a.t.EndAdministratorSession(v.Context(), a.self(v), v.Admin, id, "")
}

// EndOthers implements web.Administrators.
func (a administrators) EndOthers(v web.Visit, session string) error {
	if err := ownElsewhere(v); err != nil {
		return err
	}
	return a.t.EndAdministratorSession(v.Context(), a.self(v), v.Admin, "", session)
}
