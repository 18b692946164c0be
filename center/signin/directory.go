package signin

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// The built-in directory's pages. A sign-in that needs more than a password goes on at nextPath,
// where the ticket in the cookie says with what.

const (
	nextPath   = loginPath + "/next"
	forgotPath = "/platform/forgot"
)

func (h *Handler) mountDirectory(mux *http.ServeMux, guard func(http.HandlerFunc) http.Handler) {
	mux.Handle("POST "+loginPath, guard(h.password))
	mux.Handle("GET "+nextPath, guard(func(w http.ResponseWriter, r *http.Request) { h.next(w, r, http.StatusOK, "") }))
	for name, step := range map[string]step{
		"password": h.newPassword,
		"code":     h.code,
		"key":      h.key,
		"device":   h.device,
	} {
		mux.Handle("POST "+loginPath+"/"+name, guard(h.step(step)))
	}
	mux.Handle("GET "+forgotPath, guard(func(w http.ResponseWriter, _ *http.Request) {
		h.pages.Render(w, http.StatusOK, "forgot", h.view("Forgot your password?", nil))
	}))
	mux.Handle("POST "+forgotPath, guard(h.forgot))
	mux.Handle(
		"GET "+center.PasswordPath,
		guard(func(w http.ResponseWriter, r *http.Request) { h.linkPage(w, r, http.StatusOK, "") }),
	)
	mux.Handle("POST "+center.PasswordPath, guard(h.setLinked))
}

type formData struct {
	ReturnTo, UserName string
	Mail               bool // whether a forgotten password can be replaced by email
}

func (h *Handler) form(w http.ResponseWriter, r *http.Request, status int, d formData, problem string) {
	d.Mail = h.Center.Mailer != nil
	v := h.view("Sign in", d)
	v.Problem, v.Notice = problem, web.TakeNotice(w, r, h.Center.URL)
	h.pages.Render(w, status, "login", v)
}

// password checks the user name and the password. Whatever was wrong with them, people see the
// same.
func (h *Handler) password(w http.ResponseWriter, r *http.Request) {
	d := formData{
		ReturnTo: web.LocalPath(r.PostFormValue("return"), "/start"),
		UserName: strings.TrimSpace(r.PostFormValue("username")),
	}
	p, err := h.Center.SignInUser(
		r.Context(), h.actor(r), d.UserName, r.PostFormValue("password"), d.ReturnTo, h.browser(r),
	)
	switch code := refusal.CodeOf(err); {
	case code == center.NoDevice: // the password was right
		h.form(
			w,
			r,
			http.StatusForbidden,
			d,
			"You need an MFA device to sign in, and you have none. Ask an administrator to register one for you. "+
				"Reference: "+web.RequestID(r),
		)
	case code == center.SignInBusy:
		h.form(w, r, http.StatusServiceUnavailable, d, web.Busy)
	case code != refusal.None && code.Kind() != refusal.Unavailable:
		h.form(w, r, http.StatusUnauthorized, d, web.WrongPassword)
	case err != nil:
		h.Fail(w, r, err)
	default:
		h.finishStep(w, r, p)
	}
}

// finishStep keeps what a step has given, and leads to the next page.
func (h *Handler) finishStep(w http.ResponseWriter, r *http.Request, p center.Progress) {
	if p.Known != "" {
		http.SetCookie(w, web.Cookie(h.Center.URL, knownCookie, p.Known.Reveal(), p.KnownLifetime))
	}
	if p.Step == center.StepDone {
		web.ClearCookie(w, h.Center.URL, ticketCookie)
		h.welcome(w, r, p.Session, p.Lifetime, p.ReturnTo)
		return
	}
	if p.Ticket != "" {
		http.SetCookie(w, web.Cookie(h.Center.URL, ticketCookie, p.Ticket.Reveal(), p.TicketLifetime))
	}
	http.Redirect(w, r, nextPath, http.StatusSeeOther)
}

// step takes what the page of a step has sent.
type step func(r *http.Request, ticket string) (center.Progress, error)

func (h *Handler) step(take step) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := take(r, web.CookieValue(r, h.Center.URL, ticketCookie))
		switch code := refusal.CodeOf(err); {
		case err == nil:
			h.finishStep(w, r, p)
		case code == center.TicketInvalid:
			h.startOver(w, r)
		case code == refusal.None || code == center.StoreUnavailable || code == center.ConcurrentChange:
			h.Fail(w, r, err)
		default:
			h.next(w, r, refused(err, http.StatusUnauthorized), explain(err))
		}
	}
}

// refused is the status of a page that says what was wrong, mostly otherwise.
func refused(err error, otherwise int) int {
	if refusal.CodeOf(err) == center.SignInBusy {
		return http.StatusServiceUnavailable
	}
	return otherwise
}

// explain says to the person who is signing in, who has shown a password, what was wrong.
func explain(err error) string {
	switch refusal.CodeOf(err) {
	case center.FactorRefused:
		return "That did not match. Try again. If you use an authenticator app, wait for the next code."
	case center.SignInBusy:
		return web.Busy
	case center.SignInLocked:
		return "Too many wrong codes. Wait a few minutes and try again."
	default:
		return refusal.Sentence(refusal.Detail(err))
	}
}

// startOver sends somebody back to the beginning whose sign-in is too old, or has failed too often.
func (h *Handler) startOver(w http.ResponseWriter, r *http.Request) {
	web.ClearCookie(w, h.Center.URL, ticketCookie)
	h.form(
		w, r, http.StatusUnauthorized, formData{ReturnTo: "/start"},
		"This sign-in has ended: it took too long, or there were too many wrong codes. Sign in again.",
	)
}

type nextData struct {
	User      center.User
	Codes     bool // whether an authenticator app is registered
	Trust     bool // whether the browser may be declared trusted
	Key       string
	Enrolment enrolment
}

// enrolment is how a page shows a device that may be registered.
type enrolment struct {
	Ticket, Action string
	Secret         string // of an authenticator app, in groups of four
	QR             template.URL
	Key            string
}

func showEnrolment(e center.Enrolment, action string) enrolment {
	out := enrolment{Ticket: e.Ticket.Reveal(), Action: action, Key: e.KeyOptions}
	if e.TOTP != nil {
		for i := 0; i < len(e.TOTP.Secret); i += 4 {
			out.Secret += e.TOTP.Secret[i:min(i+4, len(e.TOTP.Secret))] + " "
		}
		out.QR = web.PNG(e.TOTP.QR)
	}
	return out
}

// next shows the page that a sign-in waits at.
func (h *Handler) next(w http.ResponseWriter, r *http.Request, status int, problem string) {
	ctx, ticket := r.Context(), web.CookieValue(r, h.Center.URL, ticketCookie)
	p, err := h.Center.PendingSignIn(ctx, ticket)
	d := nextData{User: p.User, Trust: p.Settings.MFA == center.MFAContextAware}
	title, page := "Verify your identity", string(p.Step)
	switch {
	case err != nil:
	case p.Step == center.StepFactor:
		for _, device := range p.Devices {
			d.Codes = d.Codes || device.Type == center.Authenticator
		}
		d.Key, err = h.Center.KeyOptions(ctx, ticket)
	case p.Step == center.StepRegister:
		var e center.Enrolment
		e, err = h.Center.EnrolSigningIn(ctx, ticket)
		title, d.Enrolment = "Register an MFA device", showEnrolment(e, loginPath+"/device")
	case p.Step == center.StepPassword:
		title, page = "Set a new password", "newpassword"
	}
	switch {
	case refusal.CodeOf(err) == center.TicketInvalid:
		h.startOver(w, r)
	case err != nil:
		h.Fail(w, r, err)
	default:
		v := h.view(title, d)
		v.Problem = problem
		h.pages.Render(w, status, page, v)
	}
}

// repeatedPassword returns a password that was typed twice.
func repeatedPassword(r *http.Request) (string, error) {
	password := r.PostFormValue("password")
	if password != r.PostFormValue("again") {
		return "", &refusal.Error{Code: center.PasswordUnfit, Detail: "the two passwords do not match"}
	}
	return password, nil
}

func (h *Handler) newPassword(r *http.Request, ticket string) (center.Progress, error) {
	password, err := repeatedPassword(r)
	if err != nil {
		return center.Progress{}, err
	}
	return h.Center.SignInWithNewPassword(r.Context(), h.actor(r), ticket, password, h.browser(r))
}

func (h *Handler) code(r *http.Request, ticket string) (center.Progress, error) {
	return h.Center.SignInWithCode(
		r.Context(), h.actor(r), ticket, strings.TrimSpace(r.PostFormValue("code")), r.PostFormValue("trust") == "on",
		h.browser(r),
	)
}

func (h *Handler) key(r *http.Request, ticket string) (center.Progress, error) {
	return h.Center.SignInWithKey(
		r.Context(), h.actor(r), ticket, []byte(r.PostFormValue("response")), r.PostFormValue("trust") == "on",
		h.browser(r),
	)
}

func newDevice(r *http.Request) center.NewDevice {
	return center.NewDevice{
		Ticket:   r.PostFormValue("enrolment"),
		Name:     r.PostFormValue("name"),
		Code:     strings.TrimSpace(r.PostFormValue("code")),
		Response: []byte(r.PostFormValue("response")),
	}
}

func (h *Handler) device(r *http.Request, ticket string) (center.Progress, error) {
	return h.Center.SignInWithNewDevice(r.Context(), h.actor(r), ticket, newDevice(r), h.browser(r))
}

// forgot answers the same whoever is asked for.
func (h *Handler) forgot(w http.ResponseWriter, r *http.Request) {
	if name := strings.TrimSpace(r.PostFormValue("username")); name != "" && h.Center.Mailer != nil {
		h.Center.ForgotPassword(r.Context(), h.actor(r), name)
	}
	h.pages.Render(w, http.StatusOK, "message", h.view("Check your email", web.Message{
		Title: "Check your email",
		Lines: []string{
			"If a user with this name signs in here, an email with a link is on its way to the user’s address. " +
				"The link works for one hour.",
			"No email? Check your spam folder and the user name, or ask your administrator.",
		},
		Link:     "/start",
		LinkText: "Back to sign-in",
	}))
}

type linkedData struct {
	User   center.User
	Ticket string
}

// linkPage is where a link in a mail leads. The ticket stands in the address, because mails have
// nothing else; it is used once, and neither logged nor sent on as a referrer.
func (h *Handler) linkPage(w http.ResponseWriter, r *http.Request, status int, problem string) {
	ticket := r.FormValue("ticket")
	u, err := h.Center.PasswordTicket(r.Context(), ticket)
	switch {
	case refusal.CodeOf(err) == center.TicketInvalid:
		h.pages.Render(
			w,
			http.StatusGone,
			"message",
			h.view("Link not valid", web.Message{
				Title:    "This link no longer works",
				Lines:    []string{"It was used, was replaced by a newer one, or has expired. Request a new one."},
				Link:     forgotPath,
				LinkText: "Request a new link",
			}),
		)
	case err != nil:
		h.Fail(w, r, err)
	default:
		v := h.view("Set your password", linkedData{u, ticket})
		v.Problem = problem
		h.pages.Render(w, status, "linked", v)
	}
}

func (h *Handler) setLinked(w http.ResponseWriter, r *http.Request) {
	password, err := repeatedPassword(r)
	if err == nil {
		err = h.Center.SetPasswordWithTicket(r.Context(), h.actor(r), r.PostFormValue("ticket"), password)
	}
	switch code := refusal.CodeOf(err); {
	case err == nil:
		web.SetNotice(w, h.Center.URL, "Your password is set. Sign in with it.")
		http.Redirect(w, r, loginPath+"?return="+url.QueryEscape("/start"), http.StatusSeeOther)
	case code == center.PasswordUnfit || code == center.PasswordReused || code == center.TicketInvalid ||
		code == center.SignInBusy:
		h.linkPage(w, r, refused(err, http.StatusBadRequest), explain(err))
	default:
		h.Fail(w, r, err)
	}
}
