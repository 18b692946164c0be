package ssooidc

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// signingName is what requests for tokens of applications are signed for. Source: the service
// model, CreateTokenWithIAM.
const signingName = "sso-oauth"

// The types of token. Source: RFC 8693, 3.
const (
	typeAccessToken  = "urn:ietf:params:oauth:token-type:access_token"  // #nosec G101 -- a name
	typeRefreshToken = "urn:ietf:params:oauth:token-type:refresh_token" // #nosec G101 -- a name
)

// How often tokens of trusted token issuers are taken, which costs more than others. Source: user
// guide, quotas.
const (
	assertionsEach  = 10 //bound:rate tokens of trusted token issuers that one application brings, in a second
	assertionsBurst = 20 //bound:rate … and at once
)

// maxScopes bounds the scopes that a request names.
const maxScopes = 100 //bound:list scopes of a request for tokens of an application

type iamInput struct {
	ClientID           string   `json:"clientId"`
	GrantType          string   `json:"grantType"`
	Assertion          string   `json:"assertion"`
	Code               string   `json:"code"`
	CodeVerifier       string   `json:"codeVerifier"`
	RedirectURI        string   `json:"redirectUri"`
	RefreshToken       string   `json:"refreshToken"`
	RequestedTokenType string   `json:"requestedTokenType"`
	Scope              []string `json:"scope"`
	SubjectToken       string   `json:"subjectToken"`
	SubjectTokenType   string   `json:"subjectTokenType"`
}

type additionalDetails struct {
	IdentityContext string `json:"identityContext,omitempty"`
}

type iamOutput struct {
	AccessToken          string             `json:"accessToken"`
	AwsAdditionalDetails *additionalDetails `json:"awsAdditionalDetails,omitzero"`
	ExpiresIn            int                `json:"expiresIn"`
	IDToken              string             `json:"idToken,omitempty"`
	IssuedTokenType      string             `json:"issuedTokenType"`
	RefreshToken         string             `json:"refreshToken,omitempty"`
	Scope                []string           `json:"scope"`
	TokenType            string             `json:"tokenType"`
}

// token serves both operations that have its address: CreateTokenWithIAM is told by its query.
func (h *Handler) token() http.HandlerFunc {
	public := serve(h, h.createToken)
	return func(w http.ResponseWriter, r *http.Request) {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil || !query.Has("aws_iam") {
			public(w, r)
			return
		}
		body, who, err := h.signatory(w, r)
		if err != nil {
			h.answer(w, r, nil, h.refused(r, who, err))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		serve(h, func(r *http.Request, in iamInput) (any, error) { return h.createTokenWithIAM(r, who, in) })(w, r)
	}
}

// refused records a request that did not reach a rule, unless there are too many of them only.
func (h *Handler) refused(r *http.Request, who awsapi.Caller, err error) error {
	if refusal.CodeOf(err) == center.SlowDown {
		return err
	}
	return h.Center.Refuse(r.Context(), awsdoor.Actor(who), center.ActionCreateTokenWithIAM.String(), "", err)
}

// signatory returns who has signed a request, and its body.
func (h *Handler) signatory(w http.ResponseWriter, r *http.Request) ([]byte, awsapi.Caller, error) {
	nobody := awsapi.Caller{Address: web.Address(r), RequestID: web.RequestID(r)}
	if !h.tokens.Allow(web.Neighborhood(web.Address(r))) {
		return nil, nobody, &refusal.Error{Code: center.SlowDown}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		return nil, nobody, unreadable(err)
	}
	who, err := h.Verify.Verify(r, body, signingName)
	who.Address, who.RequestID = nobody.Address, nobody.RequestID
	if err != nil {
		return nil, who, err
	}
	h.Used(r.Context(), who, signingName)
	return body, who, nil
}

func (h *Handler) createTokenWithIAM(r *http.Request, who awsapi.Caller, in iamInput) (any, error) {
	grants := []center.GrantType{
		center.GrantAuthorizationCode, center.GrantRefreshToken, center.GrantJWTBearer, center.GrantTokenExchange,
	}
	grant := center.GrantType(in.GrantType)
	err := in.check(grant)
	switch {
	case in.GrantType != "" && !slices.Contains(grants, grant):
		err = &refusal.Error{Code: center.GrantTypeUnsupported, Subject: in.GrantType[:min(len(in.GrantType), maxName)]}
	case err == nil && grant == center.GrantJWTBearer && !h.assertions.Allow(in.ClientID+" "+who.ARN):
		err = &refusal.Error{Code: center.SlowDown}
	}
	if err != nil {
		return nil, h.refused(r, who, err)
	}
	t, err := h.Center.ApplicationTokens(
		r.Context(),
		h.actor(r),
		center.Signatory{
			ARN:        who.ARN,
			AccountID:  who.AccountID,
			Everything: who.Role == string(center.RoleAdministrator),
		},
		center.ApplicationRequest{
			Application:  in.ClientID,
			Grant:        grant,
			Scopes:       in.Scope,
			Code:         in.Code,
			RedirectURI:  in.RedirectURI,
			Verifier:     in.CodeVerifier,
			RefreshToken: in.RefreshToken,
			Assertion:    in.Assertion,
			SubjectToken: in.SubjectToken,
			Refreshes:    in.RequestedTokenType == typeRefreshToken,
		},
	)
	if err != nil {
		return nil, err
	}
	out := iamOutput{
		AccessToken:     t.Access.Reveal(),
		ExpiresIn:       int(t.ExpiresIn / time.Second),
		IssuedTokenType: typeAccessToken,
		RefreshToken:    t.Refresh.Reveal(),
		Scope:           append([]string{}, t.Scopes...),
		TokenType:       "Bearer",
	}
	if out.RefreshToken != "" {
		out.IssuedTokenType = typeRefreshToken
	}
	if t.Identity == nil {
		return out, nil
	}
	if known := t.Identity.Context.Reveal(); known != "" {
		out.AwsAdditionalDetails = &additionalDetails{known}
	}
	if slices.Contains(t.Scopes, center.ScopeOpenID) {
		out.IDToken, err = h.idToken(r.Context(), *t.Identity, slices.Contains(t.Scopes, center.ScopeAWS))
	}
	return out, err
}

// check refuses a request without what its grant needs, and with what belongs to another one.
func (in iamInput) check(grant center.GrantType) error {
	bad := func(field, detail string) error {
		return &refusal.Error{Code: center.InvalidRequest, Field: field, Detail: detail}
	}
	if in.ClientID == "" || in.GrantType == "" {
		return bad("clientId and grantType", "required")
	}
	if len(in.ClientID) > maxARN {
		return bad("clientId", "too long")
	}
	if len(in.Scope) > maxScopes {
		return bad("scope", "at most 100")
	}
	for _, member := range []struct {
		name, value string
		of          center.GrantType
		required    bool
	}{
		{"code", in.Code, center.GrantAuthorizationCode, true},
		{"redirectUri", in.RedirectURI, center.GrantAuthorizationCode, true},
		{"codeVerifier", in.CodeVerifier, center.GrantAuthorizationCode, false},
		{"refreshToken", in.RefreshToken, center.GrantRefreshToken, true},
		{"assertion", in.Assertion, center.GrantJWTBearer, true},
		{"subjectToken", in.SubjectToken, center.GrantTokenExchange, true},
		{"subjectTokenType", in.SubjectTokenType, center.GrantTokenExchange, true},
		{"requestedTokenType", in.RequestedTokenType, center.GrantTokenExchange, false},
	} {
		if member.of == grant && member.required && member.value == "" {
			return bad(member.name, "the grant needs it")
		}
		if member.of != grant && member.value != "" {
			return bad(member.name, "it belongs to another grant")
		}
	}
	if grant == center.GrantTokenExchange && in.SubjectTokenType != typeAccessToken {
		return bad("subjectTokenType", "use "+typeAccessToken)
	}
	if in.RequestedTokenType != "" && in.RequestedTokenType != typeAccessToken &&
		in.RequestedTokenType != typeRefreshToken {
		return bad("requestedTokenType", "use a type of token that may be requested")
	}
	return nil
}

// maxARN bounds the ARN of an application. Source: the service model of sso-admin.
const maxARN = 1224 //bound:text the ARN of an application that tokens are asked for, in bytes

// wireError is a signature that was refused, as AWS answers it at the door of all its services.
func wireError(err error) (Failure, bool) {
	var wire *awsapi.Error
	if !errors.As(err, &wire) {
		return Failure{}, false
	}
	status := wire.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	return Failure{wire.Code, status, "invalid_request", wire.Message}, true
}
