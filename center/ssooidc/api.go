package ssooidc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	jsonv2 "github.com/go-json-experiment/json"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = 64 << 10 //bound:body a request to register a client, and for tokens

// interval is how often a device may ask, in seconds. Source: seen in AWS's answers.
const interval = 1

// The grant types of CreateToken.
const (
	deviceGrant  = "urn:ietf:params:oauth:grant-type:device_code"
	codeGrant    = "authorization_code"
	refreshGrant = "refresh_token"
)

// Inputs are the bodies of the operations, by whose fields they are read.
var Inputs = map[string]reflect.Type{
	"RegisterClient":           reflect.TypeFor[registration](),
	"StartDeviceAuthorization": reflect.TypeFor[deviceInput](),
	"CreateToken":              reflect.TypeFor[tokenInput](),
	"CreateTokenWithIAM":       reflect.TypeFor[iamInput](),
}

func (h *Handler) actor(r *http.Request) audit.Actor {
	return audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
}

// operation is one of the API. Its answer is JSON; a nil answer with no error is an empty object.
type operation[In any] func(r *http.Request, in In) (any, error)

// serve reads the input of an operation and writes its answer. Errors get the header that makes
// them typed ones for the SDKs, and the body of OAuth.
func serve[In any](h *Handler, fn operation[In]) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err == nil {
			err = jsonv2.Unmarshal(body, &in, jsonv2.RejectUnknownMembers(true))
		}
		var out any
		if err != nil {
			err = unreadable(err)
		} else {
			err = h.Center.LetIn(r.Context(), center.NetworkOfInstance, h.actor(r), r.URL.Path)
		}
		if err == nil {
			out, err = fn(r, in)
		}
		h.answer(w, r, out, err)
	}
}

// answer writes what an operation has come to.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, out any, err error) {
	status := http.StatusOK
	if err != nil {
		answer := Answer(err)
		if answer.Status == http.StatusInternalServerError {
			h.Log.ErrorContext(
				r.Context(), "operation failed", "path", r.URL.Path, "request_id", web.RequestID(r), "error", err,
			)
		}
		status, out = answer.Status, answer
		w.Header().Set("X-Amzn-Errortype", answer.Exception)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Amzn-Requestid", web.RequestID(r))
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // the client has gone away
}

// unreadable says what is wrong with a body. AWS passes over members that it does not know; here
// they are refused, since they may be a control that the caller relies on.
func unreadable(err error) error {
	refused := &refusal.Error{Code: center.InvalidRequest, Detail: "the body is not a JSON object of this operation"}
	var wrong *jsonv2.SemanticError
	if errors.As(err, &wrong) && errors.Is(wrong.Err, jsonv2.ErrUnknownName) {
		name := string(wrong.JSONPointer.LastToken())
		refused.Field = "the member " + strconv.Quote(name[:min(len(name), maxName)]) + " is not known"
		refused.Detail = "Gatehouse refuses what it would otherwise ignore"
	}
	return refused
}

// maxName bounds how much of a member's name is repeated.
const maxName = 64 //bound:none of a message

// Failure is an error on the wire.
type Failure struct {
	Exception   string `json:"-"`
	Status      int    `json:"-"`
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// Answer maps an error to the wire. It is the only place that does. Source: OIDC API reference; RFC
// 6749, 5.2; RFC 8628, 3.5.
func Answer(err error) Failure {
	code := refusal.CodeOf(err)
	if f, ok := wireError(err); ok && code == refusal.None {
		return f
	}
	f, ok := map[refusal.Code]Failure{
		center.ClientInvalid:         {"InvalidClientException", http.StatusUnauthorized, "invalid_client", ""},
		center.ClientMetadataInvalid: {"InvalidClientMetadataException", 0, "invalid_client_metadata", ""},
		center.ScopeInvalid:          {"InvalidScopeException", 0, "invalid_scope", ""},
		center.RedirectInvalid:       {"InvalidRedirectUriException", 0, "invalid_redirect_uri", ""},
		center.GrantPending:          {"AuthorizationPendingException", 0, "authorization_pending", ""},
		center.GrantDenied:           {"AccessDeniedException", 0, "access_denied", ""},
		center.NetworkNotAllowed:     {"AccessDeniedException", 0, "access_denied", ""},
		center.GrantExpired:          {"ExpiredTokenException", 0, "expired_token", ""},
		center.GrantInvalid:          {"InvalidGrantException", 0, "invalid_grant", ""},
		center.SlowDown:              {"SlowDownException", 0, "slow_down", ""},
		center.GrantTypeUnsupported:  {"UnsupportedGrantTypeException", 0, "unsupported_grant_type", ""},

		center.ApplicationNotFound:    {"InvalidClientException", http.StatusUnauthorized, "invalid_client", ""},
		center.ActorNotAllowed:        {"AccessDeniedException", 0, "access_denied", ""},
		center.ApplicationNotAssigned: {"AccessDeniedException", 0, "access_denied", ""},
		center.ApplicationDisabled:    {"UnauthorizedClientException", 0, "unauthorized_client", ""},
		center.GrantNotAllowed:        {"UnauthorizedClientException", 0, "unauthorized_client", ""},
		center.ScopeNotGranted:        {"InvalidScopeException", 0, "invalid_scope", ""},
		center.AssertionUntrusted:     {"InvalidGrantException", 0, "invalid_grant", ""},
		center.ClientTokenExpired:     {"ExpiredTokenException", 0, "expired_token", ""},
	}[code]
	switch {
	case ok:
	case code.Kind() == refusal.Unavailable:
		f = Failure{"InternalServerException", http.StatusServiceUnavailable, "server_error", ""}
	case code == refusal.None:
		return Failure{"InternalServerException", http.StatusInternalServerError, "server_error", "internal error"}
	default:
		f = Failure{"InvalidRequestException", 0, "invalid_request", ""}
	}
	if f.Status == 0 {
		f.Status = http.StatusBadRequest
	}
	// not the detail, which is for administrators
	f.Description = code.What() + "; " + code.Remedy()
	var refused *refusal.Error
	if errors.As(err, &refused) && f.Exception == "InvalidRequestException" && refused.Field != "" {
		f.Description = refused.Field + ": " + f.Description
	}
	return f
}

type registration struct {
	ClientName   string   `json:"clientName"`
	ClientType   string   `json:"clientType"`
	Scopes       []string `json:"scopes"`
	RedirectURIs []string `json:"redirectUris"`
	GrantTypes   []string `json:"grantTypes"`
	IssuerURL    string   `json:"issuerUrl"`
	Application  string   `json:"entitledApplicationArn"`
}

type registered struct {
	ClientID              string `json:"clientId"`
	ClientSecret          string `json:"clientSecret"`
	ClientIDIssuedAt      int64  `json:"clientIdIssuedAt"`
	ClientSecretExpiresAt int64  `json:"clientSecretExpiresAt"`
	AuthorizationEndpoint string `json:"authorizationEndpoint"`
	TokenEndpoint         string `json:"tokenEndpoint"`
}

func (h *Handler) register(r *http.Request, in registration) (any, error) {
	if !h.registrations.Allow(web.Neighborhood(web.Address(r))) {
		return nil, &refusal.Error{Code: center.SlowDown}
	}
	if in.ClientType != "public" {
		return nil, &refusal.Error{Code: center.ClientMetadataInvalid, Field: "clientType"}
	}
	for _, g := range in.GrantTypes {
		if g != deviceGrant && g != codeGrant && g != refreshGrant {
			return nil, &refusal.Error{Code: center.ClientMetadataInvalid, Field: "grantTypes"}
		}
	}
	client, err := h.Center.RegisterOAuthClient(r.Context(), center.OAuthClient{
		Name:         in.ClientName,
		Scopes:       in.Scopes,
		RedirectURIs: in.RedirectURIs,
		StartURL:     in.IssuerURL,
		Application:  in.Application,
	})
	return registered{
		client.ID, client.Secret.Reveal(), h.Center.Now().Unix(), client.ExpiresAt.Unix(), h.Center.URL + "/authorize",
		h.Center.URL + "/token",
	}, err
}

type deviceInput struct {
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	StartURL     string `json:"startUrl"`
}

type deviceOutput struct {
	DeviceCode              string `json:"deviceCode"`
	UserCode                string `json:"userCode"`
	VerificationURI         string `json:"verificationUri"`
	VerificationURIComplete string `json:"verificationUriComplete"`
	ExpiresIn               int    `json:"expiresIn"`
	Interval                int    `json:"interval"`
}

func (h *Handler) startDevice(r *http.Request, in deviceInput) (any, error) {
	if !h.devices.Allow(web.Neighborhood(web.Address(r))) {
		return nil, &refusal.Error{Code: center.SlowDown}
	}
	d, err := h.Center.StartDevice(r.Context(), web.Address(r), in.ClientID, in.ClientSecret, in.StartURL)
	page := h.Center.URL + DevicePath
	return deviceOutput{
		d.DeviceCode.Reveal(), d.UserCode, page, page + "?user_code=" + d.UserCode, int(d.ExpiresIn / time.Second),
		interval,
	}, err
}

type tokenInput struct {
	ClientID     string `json:"clientId"`
	ClientSecret string `json:"clientSecret"`
	GrantType    string `json:"grantType"`
	DeviceCode   string `json:"deviceCode"`
	Code         string `json:"code"`
	RefreshToken string `json:"refreshToken"`
	RedirectURI  string `json:"redirectUri"`
	CodeVerifier string `json:"codeVerifier"`

	// Scope has no effect at AWS either: a token always has the scopes of the registration. Source:
	// CreateToken.
	Scope []string `json:"scope"`
}

type tokenOutput struct {
	AccessToken  string `json:"accessToken"`
	TokenType    string `json:"tokenType"`
	ExpiresIn    int    `json:"expiresIn"`
	RefreshToken string `json:"refreshToken,omitempty"`
}

func (h *Handler) createToken(r *http.Request, in tokenInput) (any, error) {
	if !h.tokens.Allow(web.Neighborhood(web.Address(r))) {
		return nil, &refusal.Error{Code: center.SlowDown}
	}
	if in.GrantType == deviceGrant {
		if err := h.mayPoll(in); err != nil {
			return nil, err
		}
	}
	request := center.TokenRequest{
		ClientID:     in.ClientID,
		ClientSecret: in.ClientSecret,
		DeviceCode:   in.DeviceCode,
		Code:         in.Code,
		RedirectURI:  in.RedirectURI,
		Verifier:     in.CodeVerifier,
		RefreshToken: in.RefreshToken,
	}
	redeem, ok := map[string]func(context.Context, audit.Actor, center.TokenRequest) (center.Tokens, error){
		deviceGrant:  h.Center.TokensForDevice,
		codeGrant:    h.Center.TokensForCode,
		refreshGrant: h.Center.RefreshTokens,
	}[in.GrantType]
	if !ok {
		return nil, &refusal.Error{Code: center.GrantTypeUnsupported, Subject: in.GrantType}
	}
	t, err := redeem(r.Context(), h.actor(r), request)
	return tokenOutput{t.Access.Reveal(), "Bearer", int(t.ExpiresIn / time.Second), t.Refresh.Reveal()}, err
}

// mayPoll bounds how often a device asks, by its code: the CLI asks twice before it waits. What is
// remembered has one size whatever was sent, and only registered clients are remembered at all.
func (h *Handler) mayPoll(in tokenInput) error {
	if err := h.Center.AuthenticateClient(in.ClientID, in.ClientSecret); err != nil {
		return err
	}
	if !h.polls.Allow(authn.Digest(in.DeviceCode)) {
		return &refusal.Error{Code: center.SlowDown}
	}
	return nil
}
