// Package oauth is the tenant's door for tokens: the OAuth 2.0 token endpoint with client credentials, its keys and its metadata. The Graph
// door is given the function that checks what it issued.
//
// It may import tenant, web and audit.
package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// Handler serves tokens.
type Handler struct {
	Tenant *tenant.Tenant
	Log    *slog.Logger
}

const (
	audience = "https://graph.microsoft.com"
	lifetime = 3599 * time.Second
	maxForm  = 64 << 10
)

// roles are the application permissions of every registered client: what connecting an enterprise application takes.
var roles = []string{
	"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "Synchronization.ReadWrite.All", "User.ReadWrite.All", "Group.ReadWrite.All", "AuditLog.Read.All",
}

// Mount adds the door to mux. The tenant may be named by id or by domain.
func (h *Handler) Mount(mux *http.ServeMux) {
	for _, tenant := range h.Tenant.Segments() {
		mux.HandleFunc("POST /"+tenant+"/oauth2/v2.0/token", h.token)
		mux.HandleFunc("GET /"+tenant+"/v2.0/.well-known/openid-configuration", h.configuration)
		mux.HandleFunc("GET /"+tenant+"/discovery/v2.0/keys", h.keys)
	}
}

type claims struct {
	jwt.Claims
	AppID    string   `json:"appid"`
	TenantID string   `json:"tid"`
	Roles    []string `json:"roles"`
	Name     string   `json:"app_displayname"`
}

func (h *Handler) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	by := audit.Actor{Kind: audit.Application, Address: web.Address(r), RequestID: web.RequestID(r)}
	if err := r.ParseForm(); err != nil {
		h.fail(w, r, http.StatusBadRequest, "invalid_request", 900144, "The request body is not a form.")
		return
	}
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, secret = user, password
	}
	switch {
	case r.PostForm.Get("grant_type") != "client_credentials":
		h.fail(w, r, http.StatusBadRequest, "unsupported_grant_type", 70003, "Only the grant type client_credentials is supported.")
		return
	case r.PostForm.Get("scope") != audience+"/.default" && r.PostForm.Get("scope") != h.Tenant.URL+"/.default":
		h.fail(w, r, http.StatusBadRequest, "invalid_scope", 1002012, "The scope must be "+audience+"/.default.")
		return
	}
	by.Name = id
	client, err := h.Tenant.AuthenticateClient(r.Context(), id, secret)
	if err != nil {
		_ = h.Tenant.Refuse(r.Context(), by, "Request token", id, err) // answered below
		h.fail(w, r, http.StatusUnauthorized, "invalid_client", 7000215, "Invalid client secret provided.")
		return
	}
	token, err := h.sign(client)
	if err != nil {
		h.Log.Error("sign a token", "request_id", web.RequestID(r), "error", err)
		h.fail(w, r, http.StatusInternalServerError, "server_error", 90033, "A transient error has occurred.")
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": int(lifetime.Seconds()), "ext_expires_in": int(lifetime.Seconds()), "access_token": token})
}

func (h *Handler) sign(client tenant.Client) (string, error) {
	key := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: h.Tenant.TokenKey, KeyID: keyID}}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	now := h.Tenant.Now()
	return jwt.Signed(signer).Claims(claims{
		Claims: jwt.Claims{Issuer: h.Tenant.Issuer(), Audience: jwt.Audience{audience}, Subject: client.ID, ID: h.Tenant.NewID(),
			IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-5 * time.Minute)), Expiry: jwt.NewNumericDate(now.Add(lifetime))},
		AppID: client.ID, TenantID: h.Tenant.Organization.ID, Roles: roles, Name: client.DisplayName,
	}).Serialize()
}

const keyID = "gatehouse-1"

// Authenticate returns the client behind an access token that this door issued, or TokenInvalid.
func (h *Handler) Authenticate(_ context.Context, token string) (clientID string, err error) {
	refused := func(detail string) (string, error) {
		return "", &tenant.Error{Code: tenant.TokenInvalid, Detail: detail}
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return refused("not a signed token")
	}
	var c claims
	if err := parsed.Claims(&h.Tenant.TokenKey.PublicKey, &c); err != nil {
		return refused("the signature is not valid")
	}
	if err := c.ValidateWithLeeway(jwt.Expected{Issuer: h.Tenant.Issuer(), AnyAudience: jwt.Audience{audience}, Time: h.Tenant.Now()}, time.Minute); err != nil {
		return refused(err.Error())
	}
	return c.AppID, nil
}

func (h *Handler) configuration(w http.ResponseWriter, _ *http.Request) {
	base := h.Tenant.URL + "/" + h.Tenant.Organization.ID
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": h.Tenant.Issuer(), "token_endpoint": h.Tenant.TokenURL(), "jwks_uri": base + "/discovery/v2.0/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post", "client_secret_basic"}, "grant_types_supported": []string{"client_credentials"},
		"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{}, "subject_types_supported": []string{"pairwise"},
	})
}

func (h *Handler) keys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: h.Tenant.TokenKey.Public(), KeyID: keyID, Use: "sig", Algorithm: string(jose.RS256)}}})
}

// fail answers as Entra does. Source: error codes page; clients branch on the number.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, status int, code string, number int, text string) {
	id := web.RequestID(r)
	stamp := h.Tenant.Now().UTC().Format("2006-01-02 15:04:05Z")
	writeJSON(w, status, map[string]any{
		"error": code, "error_codes": []int{number}, "timestamp": stamp, "trace_id": id, "correlation_id": id,
		"error_description": fmt.Sprintf("AADSTS%d: %s Trace ID: %s Correlation ID: %s Timestamp: %s", number, text, id, id, stamp),
	})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil { // our own maps always encode
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(data)
}
