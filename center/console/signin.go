package console

import (
	"html/template"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// What administrators do about sign-in: settings, people's passwords, devices and sessions.

func invite(p page) error {
	id := p.PathValue("id")
	if err := p.h.Center.Invite(p.Context(), p.by, center.UserID(id), p.PostFormValue("theirs") == "on"); err != nil {
		return err
	}
	return p.Done("/console/users/"+id, "An email with a link to set a password is on its way.")
}

// oneTimePassword shows the password in the answer to the POST and nowhere else.
func oneTimePassword(p page) error {
	secret, err := p.h.Center.OneTimePassword(p.Context(), p.by, center.UserID(p.PathValue("id")))
	if err != nil {
		return err
	}
	return showUser(p, center.UserID(p.PathValue("id")), secret.Reveal())
}

func endSessions(p page) error {
	id := p.PathValue("id")
	if err := p.h.Center.EndSessions(p.Context(), p.by, center.UserID(id), ""); err != nil {
		return err
	}
	return p.Done(
		"/console/users/"+id, "The user’s sessions have ended, and so have those of programs that the user allowed.",
	)
}

func deleteUsersDevice(p page) error {
	id := p.PathValue("id")
	if err := p.h.Center.DeleteDevice(p.Context(), p.by, id, p.PathValue("did"), ""); err != nil {
		return err
	}
	return p.Done(
		"/console/users/"+id,
		"The device is deleted, and the user’s sessions have ended. The user can register another at the next "+
			"sign-in, if the settings ask for one.",
	)
}

// updateSignIn takes the form of the section with the second factors.
func updateSignIn(p page) error {
	_ = p.PostFormValue("hours") // reads the form
	if p.PostForm.Has("hours") {
		// The form of a release that had sessions and access control in it: whether a box is empty
		// or was not there, nobody can say.
		return &refusal.Error{
			Code:   center.VersionChanged,
			Field:  "settings",
			Detail: "the page is of an earlier release: reload it, and save again",
		}
	}
	if err := p.h.Center.EditSignInSettings(p.Context(), p.by, func(s *center.SignInSettings) {
		s.MFA = center.MFAMode(p.PostFormValue("mfa"))
		s.WithoutDevice = center.WithoutDevice(p.PostFormValue("without"))
		s.SecurityKeys = p.PostFormValue("keys") == "on"
		s.Authenticator = p.PostFormValue("apps") == "on"
		s.SelfService = p.PostFormValue("self") == "on"
	}); err != nil {
		return err
	}
	return p.Done(signInPath, "The sign-in settings are changed.")
}

// sessionLength is that of the portal's sessions, as a form has it.
func (p page) sessionLength() (time.Duration, error) {
	hours, err := strconv.ParseFloat(p.PostFormValue("hours"), 64)
	if err != nil {
		return 0, &refusal.Error{
			Code:   center.InvalidValue,
			Field:  "portal session",
			Detail: "it must be a number of hours",
		}
	}
	return time.Duration(hours * float64(time.Hour)).Round(time.Minute), nil
}

// updateSessions takes the length of the portal's sessions.
func updateSessions(p page) error {
	length, err := p.sessionLength()
	if err != nil {
		return err
	}
	if err := p.h.Center.EditSignInSettings(p.Context(), p.by, func(s *center.SignInSettings) {
		s.PortalSession = length
	}); err != nil {
		return err
	}
	return p.Done(sessionsPath, "The length of sessions is changed. Open sessions keep theirs.")
}

// updateAccessControl says whether attributes of people become tags of their sessions.
func updateAccessControl(p page) error {
	on := p.PostFormValue("access") == "on"
	if err := p.h.Center.EditSignInSettings(p.Context(), p.by, func(s *center.SignInSettings) {
		s.AccessControl = on
	}); err != nil {
		return err
	}
	if on {
		return p.Done(sessionsPath, "Attributes for access control are on, from the next sign-in of each user.")
	}
	return p.Done(sessionsPath, "Attributes for access control are off.")
}

// appData is an authenticator app that may be registered; without a secret there is none.
type appData struct {
	Action, Enrolment, Secret string
	QR                        template.URL
	Open                      bool
}

// newApp begins to register an authenticator app for a principal, called name.
func newApp(p page, principal, name, action string) (appData, error) {
	e, err := p.h.Center.Enrol(p.Context(), principal, name)
	if refusal.CodeOf(err) == center.TooManyDevices {
		err = nil
	}
	if err != nil || e.TOTP == nil {
		return appData{}, err
	}
	qr := web.PNG(e.TOTP.QR)
	return appData{Action: action, Enrolment: e.Ticket.Reveal(), Secret: e.TOTP.Secret, QR: qr}, nil
}

func finishApp(p page, principal string) error {
	return p.h.Center.FinishEnrolment(
		p.Context(),
		p.by,
		principal,
		center.NewDevice{
			Ticket: p.PostFormValue("enrolment"),
			Name:   p.PostFormValue("name"),
			Code:   p.PostFormValue("code"),
		},
	)
}

type deviceData struct {
	User center.User
	App  appData
}

// userDevice registers an authenticator app for a user who is present, or to whom the secret is
// given.
func userDevice(p page) error {
	u, err := p.h.Center.User(p.Context(), center.UserID(p.PathValue("id")))
	if err != nil {
		return err
	}
	app, err := newApp(p, string(u.ID), u.UserName, "/console/users/"+string(u.ID)+"/device")
	if err != nil {
		return err
	}
	app.Open = true
	return p.Render("device", "Register an MFA device", "/console/users", deviceData{u, app})
}

func registerUsersDevice(p page) error {
	id := p.PathValue("id")
	if _, err := p.h.Center.User(p.Context(), center.UserID(id)); err != nil {
		return err
	}
	if err := finishApp(p, id); err != nil {
		return err
	}
	return p.Done("/console/users/"+id, "The authenticator app is registered.")
}
