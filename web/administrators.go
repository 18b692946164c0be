package web

import (
	"context"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Administrators is what a half does for and with its administrators. Whatever changes something
// records who did it, and fails with an error that Explain explains.
type Administrators interface {
	administratorSignIn
	administratorList
	ownAdministrator
}

// administratorSignIn lets administrators in.
type administratorSignIn interface {
	// Waits says what a sign-in waits for, and Prove takes what was sent for it. Ended says whether
	// an error means that the sign-in must start again.
	Waits(r *http.Request, ticket string) (Waiting, error)
	Prove(r *http.Request, ticket string, proof Proof) (Entry, error)
	Ended(err error) bool
}

// administratorList is what administrators do for one another.
type administratorList interface {
	List(ctx context.Context) ([]authn.AdministratorSummary, error)
	// Add and ResetPassword return a one-time password.
	Add(v Visit, name string) (password string, err error)
	ResetPassword(v Visit, name string) (password string, err error)
	// Remove returns what else should be known, in a sentence.
	Remove(v Visit, name string) (notice string, err error)
	ResetFactors(v Visit, name string) error
	SignOut(v Visit, name string) error
}

// ownAdministrator is what administrators do for themselves.
type ownAdministrator interface {
	Account(v Visit, session string) (OwnAccount, error)
	ChangePassword(v Visit, current, password, session string) error
	Register(v Visit, d NewFactor) error
	DeleteDevice(v Visit, id string) error
	EndSession(v Visit, id string) error
	EndOthers(v Visit, session string) error
}

// OwnAccount is what administrators see of their own.
type OwnAccount struct {
	Devices  []OwnDevice
	Sessions []OwnSession
	Rule     string // for passwords
	App, Key FactorOffer
}

// OwnDevice is a second factor.
type OwnDevice struct {
	ID, Name, Kind        string
	CreatedAt, LastUsedAt time.Time
}

// OwnSession is a browser that is signed in.
type OwnSession struct {
	ID, UserAgent, Address string
	CreatedAt, ExpiresAt   time.Time
	Current                bool
}

// FactorOffer is a second factor that can be registered. Without a ticket there is none.
type FactorOffer struct {
	Ticket  string
	Options string       // of a security key, for the browser
	Secret  string       // of an authenticator app
	QR      template.URL // the same as a picture
}

// NewFactor is what somebody sends to register a second factor.
type NewFactor struct{ Ticket, Name, Code, Response string }

func (d *Desk) mountAdministrators(mux *http.ServeMux) {
	// The forms keep the address that the list had before it became a section of the settings.
	forms := d.Prefix + "/administrators"
	account, list := d.Prefix+"/account", d.administratorsPage()
	for pattern, fn := range map[string]func(Visit) error{
		"GET " + account:                       d.account,
		"POST " + account + "/password":        d.changePassword,
		"POST " + account + "/devices":         d.register,
		"POST " + account + "/devices/delete":  d.deleteDevice,
		"POST " + account + "/sessions/delete": d.endSession,
		"GET " + list:                          func(v Visit) error { return d.administrators(v, "", "") },
		"GET " + forms:                         func(v Visit) error { return v.Moved(list) },
		"GET " + d.settings():                  func(v Visit) error { return v.Moved(d.Settings[0].URL) },
		"POST " + forms:                        d.addAdministrator,
		"POST " + forms + "/remove":            d.removeAdministrator,
		"POST " + forms + "/{do}":              d.changeAdministrator,
	} {
		mux.Handle(pattern, d.Handle(fn))
	}
}

// settings is where the navigation's entry of the settings leads, and administratorsPage the
// section with the administrators.
func (d *Desk) settings() string           { return d.Prefix + "/settings" }
func (d *Desk) administratorsPage() string { return d.settings() + "/administrators" }

type administratorsData struct {
	Prefix, Self string
	List         []authn.AdministratorSummary
	Name         string // whose one-time password this is
	OneTime      string
}

// administrators shows the list, and a one-time password in the answer to the POST and nowhere
// else.
func (d *Desk) administrators(v Visit, name, oneTime string) error {
	list, err := d.Administrators.List(v.Context())
	if err != nil {
		return err
	}
	if v.Exports() {
		return exportAdministrators(v, list)
	}
	data := administratorsData{d.Prefix, v.Admin, list, name, oneTime}
	d.render(v, http.StatusOK, "administrators", "Administrators", d.administratorsPage(), data, "")
	return nil
}

func exportAdministrators(v Visit, list []authn.AdministratorSummary) error {
	columns := []string{"name", "createdAt", "createdBy", "lastSignInAt", "sessions", "secondFactors",
		"oneTimePassword"}
	return v.Export("administrators", columns, func(row func(...string) error) error {
		for _, a := range list {
			last := ""
			if !a.LastSignInAt.IsZero() {
				last = a.LastSignInAt.UTC().Format(time.RFC3339)
			}
			if err := row(a.Name, a.CreatedAt.UTC().Format(time.RFC3339), a.CreatedBy, last, strconv.Itoa(a.Sessions),
				strconv.Itoa(a.SecondFactors), strconv.FormatBool(a.OneTimePassword)); err != nil {
				return err
			}
		}
		return nil
	})
}

// render shows one of the pages that the desks of both halves share.
func (d *Desk) render(v Visit, status int, page, title, active string, data any, problem string) {
	view := v.view(title, active, data)
	view.Problem = problem
	v.offer(d.own, status, page, view)
}

func (d *Desk) addAdministrator(v Visit) error {
	name := strings.TrimSpace(v.PostFormValue("name"))
	password, err := d.Administrators.Add(v, name)
	if err != nil {
		return err
	}
	return d.administrators(v.At(d.administratorsPage()), name, password)
}

func (d *Desk) removeAdministrator(v Visit) error {
	name := v.PostFormValue("name")
	notice, err := d.Administrators.Remove(v, name)
	if err != nil {
		return err
	}
	return v.Done(d.administratorsPage(), strings.TrimSpace(name+" is removed, and signed out everywhere. "+notice))
}

func (d *Desk) changeAdministrator(v Visit) error {
	name, done := v.PostFormValue("name"), ""
	var err error
	switch v.PathValue("do") {
	case "password":
		password, err := d.Administrators.ResetPassword(v, name)
		if err != nil {
			return err
		}
		return d.administrators(v.At(d.administratorsPage()), name, password)
	case "factors":
		done = "The second factors of " + name + " are deleted, and the sessions have ended."
		err = d.Administrators.ResetFactors(v, name)
	case "sign-out":
		done, err = name+" is signed out everywhere.", d.Administrators.SignOut(v, name)
	default:
		http.NotFound(v.ResponseWriter, v.Request)
		return nil
	}
	if err != nil {
		return err
	}
	return v.Done(d.administratorsPage(), done)
}

type accountData struct {
	OwnAccount
	Prefix, Self string
}

func (d *Desk) account(v Visit) error { return d.showAccount(v, http.StatusOK, "") }

func (d *Desk) showAccount(v Visit, status int, problem string) error {
	own, err := d.Administrators.Account(v, CookieValue(v.Request, d.URL, d.Cookie))
	if err != nil {
		return err
	}
	d.render(v, status, "account", "Your account", d.Prefix+"/account", accountData{own, d.Prefix, v.Admin}, problem)
	return nil
}

// done says on the account page what was done, or what kept it from being done.
func (d *Desk) done(v Visit, err error, notice string) error {
	if err == nil {
		return v.Done(d.Prefix+"/account", notice)
	}
	_, lines := Explain(err)
	if len(lines) == 0 || d.unavailable(err) {
		return err
	}
	return d.showAccount(v, http.StatusBadRequest, refusal.Sentence(strings.Join(lines, " ")))
}

func (d *Desk) changePassword(v Visit) error {
	if v.PostFormValue("password") != v.PostFormValue("again") {
		return d.showAccount(v, http.StatusBadRequest, "The two new passwords do not match.")
	}
	session := CookieValue(v.Request, d.URL, d.Cookie)
	err := d.Administrators.ChangePassword(v, v.PostFormValue("current"), v.PostFormValue("password"), session)
	return d.done(v, err, "Your password is changed, and your other sessions have ended.")
}

func (d *Desk) register(v Visit) error {
	code := strings.TrimSpace(v.PostFormValue("code"))
	f := NewFactor{v.PostFormValue("ticket"), v.PostFormValue("name"), code, v.PostFormValue("response")}
	return d.done(v, d.Administrators.Register(v, f), "It is registered. From now on, you need it to sign in.")
}

func (d *Desk) deleteDevice(v Visit) error {
	return d.done(v, d.Administrators.DeleteDevice(v, v.PostFormValue("id")), "The second factor is deleted.")
}

func (d *Desk) endSession(v Visit) error {
	if id := v.PostFormValue("id"); id != "" {
		return d.done(v, d.Administrators.EndSession(v, id), "The session has ended.")
	}
	err := d.Administrators.EndOthers(v, CookieValue(v.Request, d.URL, d.Cookie))
	return d.done(v, err, "All other sessions have ended.")
}
