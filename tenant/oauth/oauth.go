// Package oauth is the tenant's door for tokens: Entra ID's OAuth 2.0 endpoints with client
// credentials (by secret or certificate), device codes, authorization codes with PKCE and refresh
// tokens, its keys and its metadata. The Graph door is given the function that checks what it
// issued.
//
// Sources: "Microsoft identity platform and OAuth 2.0" pages; RFC 6749, 7523, 7636, 8628.
//
// It may import audit, authn, refusal, tenant and web.
package oauth

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

//go:embed pages/*.html
var files embed.FS

// Handler serves tokens.
type Handler struct {
	Tenant *tenant.Tenant
	Log    *slog.Logger
	// RequireAccount hands over who has signed in, or sends the browser to sign in and back. The
	// sign-in door provides it.
	RequireAccount func(w http.ResponseWriter, r *http.Request, returnTo string) (tenant.Account, bool)

	pages   *web.Pages
	typed   web.Limiter // user codes that people type, by who they are
	devices web.Limiter // device codes, by the neighborhood that asks
}

const maxForm = 64 << 10 //bound:body a request for tokens or a form at the tenant's OAuth endpoints

// How often a person and an address may ask, in a second, and at once. An office shares an address.
const (
	typedEach    = 1  //bound:rate user codes that a person types at the tenant, in a second
	typedBurst   = 10 //bound:rate … and at once
	devicesEach  = 20 //bound:rate device codes that an address asks the tenant for, in a second
	devicesBurst = 40 //bound:rate … and at once
)

// DevicePath is where people type the code that a device shows.
const DevicePath = "/devicelogin"

// Mount adds the door to mux. The tenant may be named by id or by domain, or as the one that people
// of any tenant are sent to.
func (h *Handler) Mount(mux *http.ServeMux) {
	dir, err := fs.Sub(files, "pages")
	if err != nil {
		panic(err)
	}
	h.pages = web.NewPages(dir, h.Log)
	h.typed = web.Limiter{PerSecond: typedEach, Burst: typedBurst}
	h.devices = web.Limiter{PerSecond: devicesEach, Burst: devicesBurst}
	for _, tenant := range append([]string{"common", "organizations"}, h.Tenant.PathSegments()...) {
		mux.HandleFunc("POST /"+tenant+"/oauth2/v2.0/token", h.token)
		mux.HandleFunc("POST /"+tenant+"/oauth2/v2.0/devicecode", h.deviceCode)
		mux.Handle("GET /"+tenant+"/oauth2/v2.0/authorize", web.Guard(h.Tenant.URL, http.HandlerFunc(h.authorize)))
		mux.Handle("POST /"+tenant+"/oauth2/v2.0/authorize", web.Guard(h.Tenant.URL, http.HandlerFunc(h.consent)))
		mux.HandleFunc("GET /"+tenant+"/v2.0/.well-known/openid-configuration", h.configuration)
		mux.HandleFunc("GET /"+tenant+"/discovery/v2.0/keys", h.keys)
	}
	mux.HandleFunc("GET /common/discovery/instance", h.instance)
	h.mountAzure(mux)
	mux.Handle("GET "+DevicePath, web.Guard(h.Tenant.URL, http.HandlerFunc(h.devicePage)))
	mux.Handle("POST "+DevicePath, web.Guard(h.Tenant.URL, http.HandlerFunc(h.answerDevice)))
}

func (h *Handler) actor(r *http.Request, kind audit.Kind, name string) audit.Actor {
	return audit.Actor{Kind: kind, Name: name, Address: web.Address(r), RequestID: web.RequestID(r)}
}

// base is the authority: the address of the tenant.
func (h *Handler) base() string { return h.Tenant.URL + "/" + h.Tenant.Organization.ID }

// issuer is that of tokens of version 2.0.
func (h *Handler) issuer() string { return h.base() + "/v2.0" }

func (h *Handler) configuration(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                        h.issuer(),
		"authorization_endpoint":        h.base() + "/oauth2/v2.0/authorize",
		"token_endpoint":                h.Tenant.TokenURL(),
		"device_authorization_endpoint": h.base() + "/oauth2/v2.0/devicecode",
		"jwks_uri":                      h.base() + "/discovery/v2.0/keys",
		"end_session_endpoint":          h.Tenant.URL + "/logout",
		"token_endpoint_auth_methods_supported": []string{
			"client_secret_post", "private_key_jwt", "client_secret_basic",
		},
		"response_modes_supported":              []string{"query", "fragment", "form_post"},
		"response_types_supported":              []string{"code"},
		"scopes_supported":                      []string{"openid", "profile", "email", "offline_access"},
		"subject_types_supported":               []string{"pairwise"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"request_uri_parameter_supported":       false,
		"code_challenge_methods_supported":      []string{"S256"},
		"grant_types_supported": []string{
			"authorization_code", "client_credentials", "refresh_token", grantDeviceCode,
		},
		"claims_supported": []string{
			"sub", "iss", "aud", "exp", "iat", "nonce", "preferred_username", "name", "tid", "oid",
		},
		"tenant_region_scope": nil,
	})
}

// instance tells the official libraries that this authority is one. Source: what they ask before
// their first sign-in.
func (h *Handler) instance(w http.ResponseWriter, r *http.Request) {
	u, err := url.Parse(h.Tenant.URL)
	if err != nil {
		h.fail(w, r, &refusal.Error{Code: tenant.InvalidRequest})
		return
	}
	writeJSON(
		w,
		http.StatusOK,
		map[string]any{
			"tenant_discovery_endpoint": h.base() + "/v2.0/.well-known/openid-configuration",
			"api-version":               "1.1",
			"metadata": []map[string]any{
				{"preferred_network": u.Host, "preferred_cache": u.Host, "aliases": []string{u.Host}},
			},
		},
	)
}

func (h *Handler) keys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(
		w,
		http.StatusOK,
		jose.JSONWebKeySet{
			Keys: []jose.JSONWebKey{
				{Key: h.Tenant.TokenKey.Public(), KeyID: keyID, Use: "sig", Algorithm: string(jose.RS256)},
			},
		},
	)
}

// oauthErrors are the names of RFC 6749 and 8628 for refusals; the others are invalid_request.
var oauthErrors = map[refusal.Code]string{
	tenant.ClientInvalid:         "invalid_client",
	tenant.AssertionInvalid:      "invalid_client",
	tenant.AssertionExpired:      "invalid_client",
	tenant.SecretExpired:         "invalid_client",
	tenant.ClientUnknown:         "unauthorized_client",
	tenant.ApplicationDisabled:   "unauthorized_client",
	tenant.NotAssigned:           "invalid_grant",
	tenant.ScopeInvalid:          "invalid_scope",
	tenant.ScopeNotDefault:       "invalid_scope",
	tenant.ResourceUnknown:       "invalid_resource",
	tenant.GrantInvalid:          "invalid_grant",
	tenant.VerifierWrong:         "invalid_grant",
	tenant.GrantExpired:          "expired_token",
	tenant.GrantRevoked:          "invalid_grant",
	tenant.SessionInvalid:        "invalid_grant",
	tenant.AuthorizationPending:  "authorization_pending",
	tenant.SlowDown:              "slow_down",
	tenant.AuthorizationDeclined: "authorization_declined",
}

// What Entra says when it is not the program's or the person's fault.
const (
	transient     = 90033
	transientText = "A transient error has occurred. Please try again."
)

// failed is the status of what is nobody's fault but the tenant's; 0 for refusals.
func failed(code refusal.Code) int {
	switch {
	case code == refusal.None:
		return http.StatusInternalServerError
	case code.Kind() == refusal.Unavailable:
		return http.StatusServiceUnavailable
	}
	return 0
}

// fail answers as Entra does. Clients branch on the number. Source: error codes page.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	code := refusal.CodeOf(err)
	if status := failed(code); status != 0 {
		h.Log.ErrorContext(r.Context(), "issue a token", "request_id", web.RequestID(r), "error", err)
		name := "server_error"
		if status == http.StatusServiceUnavailable {
			name = "temporarily_unavailable"
		}
		h.answer(w, r, status, name, transient, transientText)
		return
	}
	name := oauthErrors[code]
	if name == "" {
		name = "invalid_request"
	}
	status := http.StatusBadRequest
	if name == "invalid_client" {
		status = http.StatusUnauthorized
	}
	if grant := r.PostForm.Get("grant_type"); name == "expired_token" && grant != grantDeviceCode {
		name = "invalid_grant"
	}
	text := refusal.Sentence(code.What())
	if detail := new(refusal.Error); errors.As(err, &detail) && detail.Detail != "" {
		text += " " + detail.Detail + "."
	}
	h.answer(w, r, status, name, tenant.AADSTS(code), text)
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, status int, code string, number int, text string) {
	writeJSON(w, status, h.problem(r, code, number, text))
}

// problem is an error as Entra's endpoints write it.
func (h *Handler) problem(r *http.Request, code string, number int, text string) map[string]any {
	id := web.RequestID(r)
	stamp := h.Tenant.Now().UTC().Format("2006-01-02 15:04:05Z")
	return map[string]any{
		"error": code,
		"error_description": fmt.Sprintf(
			"AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", number, text, id, id, stamp,
		),
		"error_codes":    []int{number},
		"timestamp":      stamp,
		"trace_id":       id,
		"correlation_id": id,
	}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil { // our own maps always encode
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store, no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}

// seconds is a lifetime as the wire has it.
func seconds(d time.Duration) int { return int(d / time.Second) }
