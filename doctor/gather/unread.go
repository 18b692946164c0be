package gather

import (
	"errors"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph"
)

// noLicense is Graph's code for a tenant without Entra ID P1. Source: "List signIns".
const noLicense = "Authentication_RequestFromNonPremiumTenantOrB2CTenant"

// unread says why a source did not answer, and what to do about it.
func (g *gathering) unread(s doctor.Source, err error) doctor.Unread {
	u := doctor.Unread{Reason: reason(err), Missing: doctor.NoAnswer}
	var unsigned *graph.SignInError
	var refused *graph.Error
	var other *graph.NotGraphError
	switch {
	case errors.As(err, &unsigned):
		u = doctor.Unread{
			Reason: unsigned.Say, Missing: doctor.NoSignIn, Do: unsigned.Do, Behind: doctor.TenantSignIn,
		}
	case errors.As(err, &refused):
		g.refused(&u, s, refused)
	case errors.As(err, &other):
		u.Do = "Look at --graph-url, and at the proxy that stands between: something else than Graph answers"
	default:
		g.refusedByAWS(&u, s, err)
	}
	return u
}

// signedIn leaves each source its own finding where Graph took the token for another one: a gateway
// or a policy refused that source, and nobody needs to hear that all of Entra was closed.
func (g *gathering) signedIn() {
	g.keep(func(f *doctor.Facts) {
		taken := false
		for _, asked := range []doctor.Source{doctor.Organizations, doctor.Licenses, doctor.Apps, doctor.People} {
			taken = taken || f.Unread[asked].Behind != doctor.TenantSignIn
		}
		if !taken {
			return
		}
		delete(f.Unread, doctor.TenantSignIn)
		for s, u := range f.Unread {
			if u.Behind == doctor.TenantSignIn {
				u.Behind = ""
				f.Unread[s] = u
			}
		}
	})
}

// refused is what Graph's no means.
func (g *gathering) refused(u *doctor.Unread, s doctor.Source, e *graph.Error) {
	switch {
	case e.Status == http.StatusUnauthorized:
		u.Missing, u.Behind = doctor.NoSignIn, doctor.TenantSignIn
		u.Do = "Sign in again: Graph does not take the token, which ended, was revoked, or is of another place"
	case e.Code == noLicense:
		u.Missing, u.Do = "an Entra ID P1 license", "Nothing but a license of Entra ID P1 opens it: the tenant has none"
	case e.Status == http.StatusForbidden:
		u.Missing = permission(s)
		if g.ClientID != "" {
			return // a program: its permission alone decides
		}
		u.Do = "Ask for the permission " + u.Missing + ". A person needs a role too (such as Cloud Application " +
			"Administrator), activated where PIM gives it"
		if s == doctor.Jobs || s == doctor.Claims || s == doctor.Connected {
			u.Do += ". " + graph.FixedPermissions
		}
	}
}

// refusedByAWS is what AWS's no means.
func (g *gathering) refusedByAWS(u *doctor.Unread, s doctor.Source, err error) {
	var api smithy.APIError
	denied := errors.As(err, &api) &&
		(strings.Contains(api.ErrorCode(), "AccessDenied") || strings.Contains(api.ErrorCode(), "NotAuthorized"))
	if denied {
		u.Missing = permission(s)
	}
	// No permission of the caller's opens what another policy denies.
	if do := g.Remedy(err); do != "" && (!denied || strings.Contains(api.ErrorMessage(), "policy")) {
		u.Do = strings.ToUpper(do[:1]) + do[1:]
	}
}

func permission(s doctor.Source) string {
	for _, info := range doctor.Sources() {
		if info.Source == s {
			return info.Permission
		}
	}
	return ""
}
