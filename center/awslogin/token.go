package awslogin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// tokenInput is CreateOAuth2Token's.
type tokenInput struct {
	ClientID     string `json:"clientId"`
	GrantType    string `json:"grantType"`
	Code         string `json:"code"`
	RedirectURI  string `json:"redirectUri"`
	CodeVerifier string `json:"codeVerifier"`
	RefreshToken string `json:"refreshToken"`

	key string // thumbprint of the key that the program proves to hold
}

// keys are credentials on the wire.
type keys struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"` // #nosec G117 -- the answer's purpose
	SessionToken    string `json:"sessionToken"`    // #nosec G117 -- the answer's purpose
}

// tokenOutput is CreateOAuth2Token's.
type tokenOutput struct {
	AccessToken  keys   `json:"accessToken"` // #nosec G117 -- the answer's purpose
	TokenType    string `json:"tokenType"`
	ExpiresIn    int    `json:"expiresIn"`         // seconds
	RefreshToken string `json:"refreshToken"`      // #nosec G117 -- the answer's purpose
	IDToken      string `json:"idToken,omitempty"` // of the first answer only
}

// failure is an error on the wire. Source: the model's errors, with the member error.
type failure struct {
	Type    string `json:"__type"`
	Error   string `json:"error"`
	Message string `json:"message"`
	status  int
}

// maxBody bounds a request for credentials, in bytes.
const maxBody = 16 << 10 //bound:body a request of aws login for credentials

// maxLifetime is what expiresIn says at most, in seconds. Source: the model.
const maxLifetime = 900 //bound:none the model's

func (h *Handler) token(w http.ResponseWriter, r *http.Request) {
	head := w.Header()
	head.Set("Content-Type", "application/json")
	head.Set("Cache-Control", "no-store")
	head.Set("X-Amzn-Requestid", web.RequestID(r))
	out, err := h.create(r)
	if err != nil {
		answer := wire(err)
		if answer.status >= http.StatusInternalServerError {
			h.logFailure(r.Context(), r, err)
		}
		if answer.status == http.StatusServiceUnavailable {
			web.RetryLater(w)
		}
		head.Set("X-Amzn-Errortype", answer.Type)
		w.WriteHeader(answer.status)
		_ = json.NewEncoder(w).Encode(answer) // the client has gone away
		return
	}
	_ = json.NewEncoder(w).Encode(out) // #nosec G117 -- the answer's purpose; the client may have gone away
}

// create is CreateOAuth2Token.
func (h *Handler) create(r *http.Request) (out tokenOutput, err error) {
	if !h.tokens.Allow(web.Address(r)) {
		return out, &refusal.Error{Code: center.SlowDown}
	}
	by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
	if err := h.Center.LetIn(r.Context(), center.NetworkOfInstance, by, r.URL.Path); err != nil {
		return out, err
	}
	in, err := h.input(r)
	if err != nil {
		return out, err
	}
	asked := center.TokenRequest{
		ClientID:     in.ClientID,
		Code:         in.Code,
		RedirectURI:  in.RedirectURI,
		Verifier:     in.CodeVerifier,
		RefreshToken: in.RefreshToken,
	}
	var got center.RoleKeys
	switch in.GrantType {
	case "authorization_code":
		got, err = h.Center.RoleKeysForCode(r.Context(), by, h.Broker, asked, in.key)
		if refusal.CodeOf(err) == center.GrantInvalid {
			err = usedCode{err}
		}
		if err == nil {
			out.IDToken, err = h.idToken(r, in.ClientID, got)
		}
	case "refresh_token":
		got, err = h.Center.RenewRoleKeys(r.Context(), by, h.Broker, asked, in.key)
	default:
		err = &refusal.Error{Code: center.InvalidRequest, Field: "grantType"}
	}
	if err != nil {
		return out, err
	}
	out.AccessToken = keys{got.AccessKeyID, got.SecretAccessKey.Reveal(), got.SessionToken.Reveal()}
	out.TokenType = "aws_sigv4"
	left := got.Expiration.Sub(h.Center.Now())
	out.ExpiresIn = min(max(int(left/time.Second), 1), maxLifetime)
	out.RefreshToken = got.Refresh.Reveal()
	return out, nil
}

// usedCode marks what is wrong with a code, which the CLI has words for.
type usedCode struct{ error }

func (u usedCode) Unwrap() error { return u.error }

// input reads a request, and the key that the program proves to hold. The same address has other
// operations, told apart by the query, which are not done here.
func (h *Handler) input(r *http.Request) (in tokenInput, err error) {
	invalid := func(detail string) error { return &refusal.Error{Code: center.InvalidRequest, Detail: detail} }
	if r.URL.RawQuery != "" {
		return in, invalid("only CreateOAuth2Token is done here, which has no query")
	}
	if media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); !strings.EqualFold(media, "application/json") {
		return in, invalid("the body must be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil || json.Unmarshal(body, &in) != nil {
		return in, invalid("the body is not a JSON object of this operation")
	}
	in.key, err = authn.DPoP(r.Header.Get("DPoP"), h.Center.URL+tokenPath, h.Center.Now())
	if err != nil {
		err = invalid(err.Error())
	}
	return in, err
}

// idToken says who the program is: its subject is the session of the role, which programs take the
// account from.
func (h *Handler) idToken(r *http.Request, client string, got center.RoleKeys) (string, error) {
	signs, err := h.Center.TokenSigner(r.Context())
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: signs.Key}, (&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(map[string]any{
		"sub":         got.ARN,
		"session_arn": got.ARN,
		"iss":         h.Center.IssuerURL(),
		"aud":         client,
		"iat":         h.Center.Now().Unix(),
		"exp":         got.Expiration.Unix(),
	}).Serialize()
}

// wire maps an error to the wire. It is the only place that does. Source: the model's errors; the
// CLI and SDKs have words for the four reasons of AccessDeniedException.
func wire(err error) failure {
	code := refusal.CodeOf(err)
	denied := func(reason string, status int) failure {
		return failure{"AccessDeniedException", reason, err.Error(), status}
	}
	var used usedCode
	switch {
	case errors.As(err, &used):
		return denied("AUTHCODE_EXPIRED", http.StatusUnauthorized)
	case code == center.GrantInvalid, code == center.SessionInvalid:
		return denied("TOKEN_EXPIRED", http.StatusUnauthorized)
	case code == center.RoleNotAssigned, code == center.AccountSuspended, code == center.NetworkNotAllowed,
		code == center.BrokerRefused:
		return denied("INSUFFICIENT_PERMISSIONS", http.StatusForbidden)
	case code == center.SlowDown:
		return failure{"TooManyRequestsError", "INVALID_REQUEST", err.Error(), http.StatusTooManyRequests}
	case code == refusal.None:
		return failure{"InternalServerException", "server_error", "internal error", http.StatusInternalServerError}
	case code.Kind() == refusal.Unavailable:
		return failure{"InternalServerException", "service_unavailable", err.Error(), http.StatusServiceUnavailable}
	}
	return failure{"ValidationException", "INVALID_REQUEST", err.Error(), http.StatusBadRequest}
}
