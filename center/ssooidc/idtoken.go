package ssooidc

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/center"
)

// idClaims are what an ID token says of a person. Source: AWS's examples of decoded ID tokens, in
// the S3 user guide ("S3 Access Grants and corporate directory identities") and in the OIDC API
// reference; OpenID Connect Core, 2.
type idClaims struct {
	jwt.Claims
	Nonce    string   `json:"nonce,omitempty"`
	AuthTime string   `json:"auth_time"` // AWS writes it as text
	Act      *idActor `json:"act,omitzero"`

	StoreID      string `json:"aws:identity_store_id,omitempty"`
	StoreARN     string `json:"aws:identity_store_arn,omitempty"`
	InstanceARN  string `json:"aws:instance_arn,omitempty"`
	Account      string `json:"aws:instance_account,omitempty"`
	Application  string `json:"aws:application_arn,omitempty"`
	CredentialID string `json:"aws:credential_id,omitempty"`
	Context      string `json:"sts:identity_context,omitempty"`
	AuditContext string `json:"sts:audit_context,omitempty"`
}

// idActor is who has named the person. Source: RFC 8693, 4.1.
type idActor struct {
	Subject string `json:"sub"`
}

// idToken makes the ID token of a person for an application. aws says whether it tells of the
// instance and the application.
func (h *Handler) idToken(ctx context.Context, of center.IdentityOf, aws bool) (string, error) {
	signs, err := h.Center.TokenSigner(ctx)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{
			Algorithm: jose.RS256,
			Key:       jose.JSONWebKey{Key: signs.Key, KeyID: signs.KeyID()},
		},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		return "", err
	}
	claims := idClaims{
		Claims: jwt.Claims{
			Issuer:   h.Center.IssuerURL(),
			Subject:  string(of.User),
			Audience: jwt.Audience{of.Application},
			IssuedAt: jwt.NewNumericDate(of.IssuedAt),
			Expiry:   jwt.NewNumericDate(of.Expires),
		},
		Nonce:    of.Nonce,
		AuthTime: of.SignedInAt.UTC().Format(time.RFC3339),
		Context:  of.Context.Reveal(),
	}
	if of.Actor != "" {
		claims.Act = &idActor{of.Actor}
	}
	if i := h.Center.Instance; aws {
		claims.StoreID, claims.StoreARN = i.IdentityStoreID, i.IdentityStoreARN()
		claims.InstanceARN, claims.Account = i.ARN, i.OwnerAccountID
		claims.Application, claims.CredentialID = of.Application, of.Credential
		claims.AuditContext = of.AuditContext.Reveal()
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// The addresses at which the center publishes how its ID tokens are verified. Source: OpenID
// Connect Discovery 1.0.
const (
	configurationPath = "/.well-known/openid-configuration"
	keysPath          = "/.well-known/jwks.json"
)

// mountIssuer adds what the issuer of ID tokens publishes.
func (h *Handler) mountIssuer(mux *http.ServeMux) {
	mux.HandleFunc("GET /"+h.Center.InstanceID()+configurationPath, h.configuration)
	mux.HandleFunc("GET /"+h.Center.InstanceID()+keysPath, h.keys)
}

func (h *Handler) configuration(w http.ResponseWriter, r *http.Request) {
	h.publish(w, r, map[string]any{
		"issuer":                                h.Center.IssuerURL(),
		"authorization_endpoint":                h.Center.URL + authorizePath,
		"token_endpoint":                        h.Center.URL + "/token?aws_iam=t",
		"jwks_uri":                              h.Center.IssuerURL() + keysPath,
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{string(jose.RS256)},
		"scopes_supported": []string{
			center.ScopeOpenID, center.ScopeAWS, center.ScopeIdentityContext,
		},
		"code_challenge_methods_supported": []string{"S256"},
		"grant_types_supported": []center.GrantType{
			center.GrantAuthorizationCode, center.GrantRefreshToken, center.GrantJWTBearer, center.GrantTokenExchange,
		},
	}, nil)
}

func (h *Handler) keys(w http.ResponseWriter, r *http.Request) {
	signs, err := h.Center.TokenSigner(r.Context())
	if err != nil {
		h.publish(w, r, nil, err)
		return
	}
	h.publish(w, r, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{
		Key: signs.Key.Public(), KeyID: signs.KeyID(), Algorithm: string(jose.RS256), Use: "sig",
	}}}, nil)
}

// publish answers with a document that programs may keep for a while.
func (h *Handler) publish(w http.ResponseWriter, r *http.Request, document any, err error) {
	if err != nil {
		h.answer(w, r, nil, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "public, max-age=300")
	_ = json.NewEncoder(w).Encode(document) // the client has gone away
}
