package server

import (
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/signin"
	"github.com/gatehouse-id/gatehouse/web"
)

// fromNetworks lets in who comes from a network that the controls of the instance allow. Others are
// shown why not.
func fromNetworks(c *center.Center, in *signin.Handler, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hasOwnControls(r) {
			by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
			if err := c.LetIn(r.Context(), center.NetworkOfInstance, by, r.URL.Path); err != nil {
				in.Fail(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// hasOwnControls says whether a request is judged by its door, which refuses it in the words of its
// protocol, or by nobody: administrators in the console can open what was shut by mistake. Every
// other path is people's.
func hasOwnControls(r *http.Request) bool {
	switch path := r.URL.Path; path {
	case "/": // the AWS services, of which each has its own; a browser is sent on to the portal
		return r.Method == http.MethodPost
	case "/assignment/accounts", "/assignment/roles", "/federation/credentials", "/logout",
		"/client/register", "/device_authorization", "/token", "/v1/token", // sso, sso-oidc, signin
		"/applications", "/applications-list", "/entitlements", "/entitlements-list", // account-access
		"/access", "/access/credentials": // account-access-runtime
		return true
	default:
		for _, under := range []string{"/console/", web.StaticPath, "/applications/", "/entitlements/", "/tags/"} {
			if strings.HasPrefix(path, under) {
				return true
			}
		}
		return path == "/console"
	}
}
