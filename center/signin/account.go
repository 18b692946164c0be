package signin

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// AccountPath is the page where people look after their own password, devices and sessions.
const AccountPath = "/platform/account"

func (h *Handler) mountAccount(mux *http.ServeMux) {
	mux.Handle("GET "+AccountPath, h.RequireUser(func(w http.ResponseWriter, r *http.Request, u center.User) {
		h.account(w, r, u, http.StatusOK, web.TakeNotice(w, r, h.Center.URL), "")
	}))
	mux.Handle("GET "+AccountPath+"/device", h.RequireUser(h.addDevice))
	for pattern, fn := range map[string]change{
		"POST " + AccountPath + "/password":             h.changePassword,
		"POST " + AccountPath + "/device":               h.registerDevice,
		"POST " + AccountPath + "/devices/{id}/rename":  h.renameDevice,
		"POST " + AccountPath + "/devices/{id}/delete":  h.deleteDevice,
		"POST " + AccountPath + "/sessions/{id}/delete": h.endSession,
		"POST " + AccountPath + "/sessions/delete":      h.endOthers,
	} {
		mux.Handle(pattern, h.RequireUser(func(w http.ResponseWriter, r *http.Request, u center.User) {
			notice, err := fn(r, h.selfActor(r, u), u)
			switch code := refusal.CodeOf(err); {
			case err == nil:
				web.SetNotice(w, h.Center.URL, notice)
				http.Redirect(w, r, AccountPath, http.StatusSeeOther)
			case code == refusal.None || code == center.StoreUnavailable || code == center.ConcurrentChange:
				h.Fail(w, r, err)
			case code == center.SignInFailed || code == center.SignInLocked:
				h.account(
					w, r, u, http.StatusBadRequest, "",
					"The current password is incorrect. After several failed attempts, wait a few minutes.",
				)
			default:
				h.account(w, r, u, refused(err, http.StatusBadRequest), "", explain(err))
			}
		}))
	}
}

// selfActor is the actor of what people do for themselves.
func (h *Handler) selfActor(r *http.Request, u center.User) audit.Actor {
	by := h.actor(r)
	by.Kind, by.Name = audit.User, u.UserName
	return by
}

// change is something that people change of their account. It returns what to tell them.
type change func(r *http.Request, by audit.Actor, u center.User) (notice string, err error)

type accountData struct {
	User       center.User
	Directory  bool // whether they sign in here
	Settings   center.SignInSettings
	Devices    []web.OwnDevice
	Sessions   []web.OwnSession
	Attributes map[string]string // of this session
}

// addDevices takes what the page shows of second factors, whose secrets stay away from it.
func (d *accountData) addDevices(devices []center.MFADevice) {
	for _, device := range devices {
		kind := "security key"
		if device.Type == center.Authenticator {
			kind = "authenticator app"
		}
		d.Devices = append(d.Devices, web.OwnDevice{
			ID:         device.ID,
			Name:       device.Name,
			Kind:       kind,
			CreatedAt:  device.CreatedAt,
			LastUsedAt: device.LastUsedAt,
		})
	}
}

// addSessions takes what the page shows of sessions. current is the digest of the one that looks.
func (d *accountData) addSessions(sessions []center.Session, current string) {
	for _, s := range sessions {
		d.Sessions = append(d.Sessions, web.OwnSession{
			ID:        s.Digest,
			UserAgent: s.UserAgent,
			Address:   s.Address,
			CreatedAt: s.CreatedAt,
			ExpiresAt: s.ExpiresAt,
			Current:   s.Digest == current,
		})
		if s.Digest == current {
			d.Attributes = s.Attributes
		}
	}
}

func (h *Handler) account(w http.ResponseWriter, r *http.Request, u center.User, status int, notice, problem string) {
	ctx := r.Context()
	d := accountData{User: u}
	source, err := h.Center.Source(ctx)
	if err == nil {
		d.Directory = source.Type == center.Directory
		d.Settings, err = h.Center.SignInSettings(ctx)
	}
	var devices []center.MFADevice
	if err == nil {
		devices, err = h.Center.Devices(ctx, string(u.ID))
	}
	var sessions []center.Session
	if err == nil {
		sessions, err = h.Center.Sessions(ctx, u.ID)
	}
	if err != nil {
		h.Fail(w, r, err)
		return
	}
	d.addDevices(devices)
	d.addSessions(sessions, authn.Digest(web.CookieValue(r, h.Center.URL, sessionCookie)))
	v := h.accountView(u, "Your account", d)
	v.Notice, v.Problem = notice, problem
	h.pages.Render(w, status, "account", v)
}

func (h *Handler) accountView(u center.User, title string, data any) web.View {
	v := web.PortalPage(u.DisplayName, title, data)
	v.Narrow = false
	return v
}

func (h *Handler) addDevice(w http.ResponseWriter, r *http.Request, u center.User) {
	e, err := h.Center.Enrol(r.Context(), string(u.ID), u.UserName)
	switch code := refusal.CodeOf(err); {
	case err == nil:
		v := h.accountView(
			u, "Register an MFA device", nextData{User: u, Enrolment: showEnrolment(e, AccountPath+"/device")},
		)
		v.Narrow = true
		h.pages.Render(w, http.StatusOK, "register", v)
	case code == refusal.None || code == center.StoreUnavailable || code == center.ConcurrentChange:
		h.Fail(w, r, err)
	default:
		h.account(w, r, u, http.StatusConflict, "", explain(err))
	}
}

func (h *Handler) registerDevice(r *http.Request, by audit.Actor, u center.User) (string, error) {
	return "The device is registered.", h.Center.FinishEnrolment(r.Context(), by, string(u.ID), newDevice(r))
}

func (h *Handler) renameDevice(r *http.Request, by audit.Actor, u center.User) (string, error) {
	return "The device is renamed.", h.Center.RenameDevice(
		r.Context(), by, string(u.ID), r.PathValue("id"), r.PostFormValue("name"),
	)
}

func (h *Handler) deleteDevice(r *http.Request, by audit.Actor, u center.User) (string, error) {
	return "The device is deleted, and your other sessions have ended.",
		h.Center.DeleteDevice(r.Context(), by, string(u.ID), r.PathValue("id"), authn.Digest(h.SessionSecret(r)))
}

func (h *Handler) endSession(r *http.Request, by audit.Actor, u center.User) (string, error) {
	return "The session has ended, and so have the programs that were allowed in it.", h.Center.EndSession(
		r.Context(), by, u.ID, r.PathValue("id"),
	)
}

func (h *Handler) endOthers(r *http.Request, by audit.Actor, u center.User) (string, error) {
	return "All other sessions have ended.", h.Center.EndSessions(
		r.Context(), by, u.ID, authn.Digest(web.CookieValue(r, h.Center.URL, sessionCookie)),
	)
}

func (h *Handler) changePassword(r *http.Request, by audit.Actor, u center.User) (string, error) {
	password, err := repeatedPassword(r)
	if err != nil {
		return "", err
	}
	return "Your password is changed, and your other sessions have ended.",
		h.Center.ChangePassword(
			r.Context(), by, u.ID, r.PostFormValue("current"), password, h.SessionSecret(r), h.browser(r).Known,
		)
}
