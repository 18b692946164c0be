package oauth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

const (
	graphResource   = "https://graph.microsoft.com"
	lifetime        = 3599 * time.Second //bound:life an access token or id token of the tenant
	keyID           = "gatehouse-1"
	grantDeviceCode = "urn:ietf:params:oauth:grant-type:device_code"
	assertionType   = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// now is the time that clients share: access tokens and assertions are judged by it even where the
// tenant's own clock was moved.
func (h *Handler) now() time.Time {
	if h.Tenant.Clock != nil {
		return h.Tenant.Now().Add(-h.Tenant.Clock.Ahead())
	}
	return h.Tenant.Now()
}

// token is the token endpoint.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) {
	if !h.form(w, r) {
		return
	}
	by := h.actor(r, audit.Application, r.PostForm.Get("client_id"))
	var out map[string]any
	var err error
	switch r.PostForm.Get("grant_type") {
	case "client_credentials":
		out, err = h.clientCredentials(r, by)
	case "authorization_code":
		out, err = h.redeemCode(r, by)
	case grantDeviceCode, "device_code":
		out, err = h.redeem(r, by, tenant.GrantDevice, r.PostForm.Get("device_code"), nil)
	case "refresh_token":
		out, err = h.redeem(r, by, tenant.GrantRefresh, r.PostForm.Get("refresh_token"), nil)
	default:
		h.answer(
			w, r, http.StatusBadRequest, "unsupported_grant_type", 70003,
			"The app requested an unsupported grant type '"+printable(r.PostForm.Get("grant_type"))+"'.",
		)
		return
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, out)
}

// printable leaves of what a stranger has sent what an answer may repeat.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || strings.ContainsRune(`<>"'&`, r) {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), 64)]
}

// client finds who asks, and checks what it proves itself by. A public client proves nothing where
// a person has signed in.
func (h *Handler) client(r *http.Request, by audit.Actor, publicMay bool) (tenant.Client, error) {
	by.Name = r.PostForm.Get("client_id")
	secret := r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		by.Name, secret = user, password
	}
	id := tenant.ClientID(by.Name)
	var c tenant.Client
	err := oneProof(r)
	if err != nil {
		return c, err
	}
	switch assertion := r.PostForm.Get("client_assertion"); {
	case assertion != "":
		c, err = h.clientByAssertion(r.Context(), id, assertion, r.PostForm.Get("client_assertion_type"))
	case publicMay && secret == "":
		if c, err = h.Tenant.Client(r.Context(), id); err == nil && !c.Public {
			err = &refusal.Error{
				Code:    tenant.ClientInvalid,
				Subject: by.Name,
				Detail:  "The request must contain client_assertion or client_secret",
			}
		}
	default:
		c, err = h.Tenant.AuthenticateClient(r.Context(), id, secret)
	}
	if err != nil && failed(refusal.CodeOf(err)) == 0 {
		by.Kind = audit.Anonymous // it has proved nothing
		err = h.Tenant.Refuse(r.Context(), by, "Request token", by.Name, err)
	}
	return c, err
}

// maxAssertion bounds the life of a client assertion. Entra's libraries ask for ten minutes; more
// is taken.
const maxAssertion = 24 * time.Hour //bound:life a client assertion

// clientByAssertion checks a JWT that the client has signed with the key of one of its
// certificates. Source: "Application authentication certificate credentials".
func (h *Handler) clientByAssertion(
	ctx context.Context, id tenant.ClientID, assertion, kind string,
) (tenant.Client, error) {
	refused := func(code refusal.Code, detail string) (tenant.Client, error) {
		return tenant.Client{}, &refusal.Error{Code: code, Subject: string(id), Detail: detail}
	}
	parsed, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.RS256, jose.PS256})
	if err != nil || kind != assertionType {
		return refused(tenant.AssertionInvalid, "It is not a JWT signed with RS256 or PS256")
	}
	var claims jwt.Claims
	if id == "" && parsed.UnsafeClaimsWithoutVerification(&claims) == nil {
		id = tenant.ClientID(claims.Subject)
	}
	c, err := h.Tenant.Client(ctx, id)
	if err != nil {
		return c, err
	}
	ended := false // the tenant's clock decides, since certificates are rehearsed by it
	verified := slices.ContainsFunc(c.Certificates, func(der []byte) bool {
		certificate, err := x509.ParseCertificate(der)
		if err != nil || parsed.Claims(certificate.PublicKey, &claims) != nil {
			return false
		}
		ended = !h.Tenant.Now().Before(certificate.NotAfter) || h.Tenant.Now().Before(certificate.NotBefore)
		return !ended
	})
	audiences := []string{h.Tenant.TokenURL(), h.issuer(), h.base()}
	for _, segment := range h.Tenant.PathSegments() {
		audiences = append(audiences, h.Tenant.URL+"/"+segment+"/oauth2/v2.0/token")
	}
	switch {
	case ended && !verified:
		return refused(tenant.AssertionInvalid, "The key used is expired, or is not valid yet")
	case !verified:
		return refused(tenant.AssertionInvalid, "The key was not found, or the signature is wrong")
	case !strings.EqualFold(claims.Subject, string(c.ID)) || !strings.EqualFold(claims.Issuer, string(c.ID)):
		return refused(tenant.AssertionInvalid, "iss and sub must be the client id")
	case !slices.ContainsFunc(claims.Audience, func(a string) bool { return slices.Contains(audiences, a) }):
		return refused(tenant.AssertionInvalid, "aud must be the token endpoint")
	case claims.Expiry == nil || claims.Expiry.Time().After(h.now().Add(maxAssertion)):
		return refused(tenant.AssertionExpired, "exp is missing or too far away")
	case claims.ValidateWithLeeway(jwt.Expected{Time: h.now()}, 5*time.Minute) != nil:
		return refused(tenant.AssertionExpired, "")
	}
	return c, nil
}

func (h *Handler) clientCredentials(r *http.Request, by audit.Actor) (map[string]any, error) {
	// the official libraries always add those
	scopes := slices.DeleteFunc(
		strings.Fields(r.PostForm.Get("scope")), func(s string) bool { return slices.Contains(openID, s) },
	)
	if len(scopes) != 1 {
		return nil, &refusal.Error{Code: tenant.ScopeNotDefault}
	}
	audience, err := h.audience(scopes[0])
	if err != nil {
		return nil, err
	}
	c, err := h.client(r, by, false)
	if err != nil {
		return nil, err
	}
	token, err := h.sign(forAudience(h.claims(c, tenant.Account{}, nil), audience))
	return map[string]any{
		"token_type":     "Bearer",
		"expires_in":     seconds(lifetime),
		"ext_expires_in": seconds(lifetime),
		"access_token":   token,
	}, err
}

// redeemCode is the authorization code grant; PKCE is demanded of public clients.
func (h *Handler) redeemCode(r *http.Request, by audit.Actor) (map[string]any, error) {
	return h.redeem(r, by, tenant.GrantCode, r.PostForm.Get("code"), func(g tenant.Grant, c tenant.Client) error {
		verifier := r.PostForm.Get("code_verifier")
		sum := sha256.Sum256([]byte(verifier))
		challenge := base64.RawURLEncoding.EncodeToString(sum[:])
		switch {
		case g.RedirectURI != r.PostForm.Get("redirect_uri"):
			return &refusal.Error{Code: tenant.RedirectMismatch}
		case g.Challenge == "" && (c.Public || verifier != ""),
			g.Challenge != "" && !isVerifier(verifier),
			g.Challenge != "" && subtle.ConstantTimeCompare([]byte(challenge), []byte(g.Challenge)) != 1:
			return &refusal.Error{Code: tenant.VerifierWrong}
		}
		return nil
	})
}

// redeem exchanges what a person has allowed for tokens.
func (h *Handler) redeem(
	r *http.Request, by audit.Actor, kind tenant.GrantKind, secret string,
	check func(tenant.Grant, tenant.Client) error,
) (map[string]any, error) {
	c, err := h.client(r, by, true)
	if err != nil {
		return nil, err
	}
	if c.Public { // anybody may say that they are it
		by.Kind = audit.Anonymous
	}
	out, err := h.Tenant.Redeem(r.Context(), by, tenant.Redemption{
		Kind:     kind,
		ClientID: c.ID,
		Secret:   secret,

		Application: c.Application,
		Check: func(g tenant.Grant) error {
			_, err := h.narrowScopes(g.Scopes, r.PostForm.Get("scope"))
			if err == nil && check != nil {
				err = check(g, c)
			}
			return err
		},
	})
	if err == nil {
		out.Scopes, err = h.narrowScopes(out.Scopes, r.PostForm.Get("scope"))
	}
	if err != nil {
		return nil, err
	}
	return h.delegated(r, c, out.Grant, out.Refresh)
}

// delegated makes the tokens of a program that acts for a person.
func (h *Handler) delegated(
	r *http.Request, c tenant.Client, g tenant.Grant, refresh authn.Secret,
) (map[string]any, error) {
	granted, _ := h.permissions(g.Scopes)
	claims := forAudience(h.claims(c, g.Account, granted), h.delegatedAudience(r, g))
	claims["sid"] = g.Family
	access, err := h.sign(claims)
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"token_type":     "Bearer",
		"expires_in":     seconds(lifetime),
		"ext_expires_in": seconds(lifetime),
		"access_token":   access,
		"scope":          strings.Join(g.Scopes, " "),
	}
	if slices.Contains(g.Scopes, "openid") {
		now := h.now()
		if out["id_token"], err = h.sign(map[string]any{
			"iss":                h.issuer(),
			"aud":                string(c.ID),
			"sub":                string(g.Account.ID),
			"oid":                string(g.Account.ID),
			"tid":                h.Tenant.Organization.ID,
			"ver":                "2.0",
			"name":               g.Account.DisplayName,
			"preferred_username": g.Account.Name,
			"iat":                now.Unix(),
			"nbf":                now.Unix(),
			"exp":                now.Add(lifetime).Unix(),
			"nonce":              g.Nonce,
		}); err != nil {
			return nil, err
		}
	}
	if refresh != "" {
		out["refresh_token"], out["refresh_token_expires_in"] = refresh.Reveal(), seconds(h.Tenant.RefreshLifetime(g))
	}
	if r.PostForm.Get("client_info") == "1" { // the official libraries name accounts by it
		// texts always encode
		info, _ := json.Marshal(map[string]string{"uid": string(g.Account.ID), "utid": h.Tenant.Organization.ID})
		out["client_info"] = base64.RawURLEncoding.EncodeToString(info)
	}
	return out, nil
}

// openID are the scopes that say what the program learns of the person.
var openID = []string{"openid", "profile", "email", "offline_access"}

// permissions reads scopes: those of Graph by their names, all of them for .default. ok is false
// when one is not known.
func (h *Handler) permissions(scopes []string) (granted []string, ok bool) {
	for _, s := range scopes {
		name := strings.TrimPrefix(s, graphResource+"/")
		switch {
		case slices.Contains(openID, s):
		case name == ".default" || strings.HasSuffix(s, "/.default"):
			if _, err := h.audience(s); err != nil && s != ".default" {
				return nil, false
			}
			granted = append(granted, tenant.Permissions...)
		case name == "User.Read" || slices.Contains(tenant.Permissions, name):
			granted = append(granted, name)
		default:
			return nil, false
		}
	}
	return granted, true
}

// claims are those of an access token for Graph. Source: access token claims reference.
func (h *Handler) claims(c tenant.Client, a tenant.Account, scopes []string) map[string]any {
	now := h.now()
	out := map[string]any{
		"iss":             h.Tenant.Issuer(),
		"aud":             graphResource,
		"jti":             h.Tenant.NewID(),
		"iat":             now.Unix(),
		"nbf":             now.Add(-5 * time.Minute).Unix(),
		"exp":             now.Add(lifetime).Unix(),
		"appid":           string(c.ID),
		"app_displayname": c.DisplayName,
		"tid":             h.Tenant.Organization.ID,
		"ver":             "1.0",
	}
	if a.ID == "" {
		out["sub"] = string(c.ID)
		out["oid"] = string(c.ID)
		out["idtyp"] = "app"
		if granted := c.Granted(); len(granted) > 0 {
			out["roles"] = granted
		}
		if c.Application != nil {
			out["sub"], out["oid"] = string(c.Application.ServicePrincipalID), string(c.Application.ServicePrincipalID)
		}
		return out
	}
	out["sub"] = string(a.ID)
	out["oid"] = string(a.ID)
	out["idtyp"] = "user"
	out["upn"] = a.Name
	out["name"] = a.DisplayName
	out["scp"] = strings.Join(scopes, " ")
	wids := a.Roles
	if a.Administrator {
		wids = []tenant.RoleTemplateID{tenant.GlobalAdministrator}
	}
	if len(wids) > 0 {
		out["wids"], out[signedInClaim] = wids, a.SignedInAt.UnixMilli()
		if a.Under != nil {
			out[underClaim] = *a.Under
		}
	}
	return out
}

// signedInClaim says of the token of somebody who may change things when the sign-in was that it
// goes back to, in milliseconds: so exactly is known from when on sign-ins are good.
const signedInClaim = "gatehouse_signed_in"

// underClaim says of such a token under which end of all sessions the sign-in was: nodes whose
// clocks differ agree on that. Tokens of earlier releases have none.
const underClaim = "gatehouse_under"

func (h *Handler) sign(claims map[string]any) (string, error) {
	key := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: h.Tenant.TokenKey, KeyID: keyID}}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

// Authenticate returns who is behind an access token for Graph that this door issued and what they
// may, or TokenInvalid.
func (h *Handler) Authenticate(ctx context.Context, token string) (tenant.Caller, error) {
	return h.authenticate(ctx, token, graphAudiences)
}

func (h *Handler) authenticate(ctx context.Context, token string, audiences jwt.Audience) (tenant.Caller, error) {
	refused := func(detail string) (tenant.Caller, error) {
		return tenant.Caller{}, &refusal.Error{Code: tenant.TokenInvalid, Detail: detail}
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return refused("not a signed token")
	}
	var c struct {
		jwt.Claims
		AppID    tenant.ClientID         `json:"appid"`
		ObjectID tenant.AccountID        `json:"oid"`
		Type     string                  `json:"idtyp"`
		Name     string                  `json:"upn"`
		Roles    []string                `json:"roles"`
		Scopes   string                  `json:"scp"`
		Wids     []tenant.RoleTemplateID `json:"wids"`
		SignedIn int64                   `json:"gatehouse_signed_in"`
		Under    *int64                  `json:"gatehouse_under"`
		Family   string                  `json:"sid"`
	}
	if err := parsed.Claims(&h.Tenant.TokenKey.PublicKey, &c); err != nil {
		return refused("the signature is not valid")
	}
	if err := c.ValidateWithLeeway(
		jwt.Expected{Issuer: h.Tenant.Issuer(), AnyAudience: audiences, Time: h.now()}, time.Minute,
	); err != nil {
		return refused(err.Error())
	}
	if _, err := h.Tenant.Client(ctx, c.AppID); err != nil {
		if failed(refusal.CodeOf(err)) == 0 {
			return refused("the client is no longer registered")
		}
		return tenant.Caller{}, err
	}
	if c.Type != "user" {
		return tenant.Caller{ClientID: c.AppID, Permissions: c.Roles}, nil
	}
	if ended, err := h.Tenant.FamilyEnded(ctx, c.Family); err != nil || ended {
		if ended {
			return refused("its code or refresh token was used twice, so its tokens are revoked")
		}
		return tenant.Caller{}, err
	}
	account := tenant.Account{
		ID:            c.ObjectID,
		Name:          c.Name,
		Administrator: c.ObjectID.IsAdministrator() && len(c.Wids) > 0,
		SignedInAt:    time.UnixMilli(c.SignedIn),
		Under:         c.Under,
	}
	if c.SignedIn == 0 && c.IssuedAt != nil { // of an earlier release, good for an hour
		account.SignedInAt = c.IssuedAt.Time()
	}
	if len(c.Wids) > 0 && !account.Administrator { // those that the token has, and that the person still has
		held, err := h.Tenant.RolesOf(ctx, account.ID)
		if err != nil {
			return tenant.Caller{}, err
		}
		lost := func(r tenant.RoleTemplateID) bool { return !slices.Contains(c.Wids, r) }
		account.Roles = slices.DeleteFunc(held, lost)
	}
	if err := h.Tenant.StillGranted(ctx, account); err != nil {
		if failed(refusal.CodeOf(err)) == 0 {
			return refused("the administrator was removed, disabled, or signed out everywhere")
		}
		return tenant.Caller{}, err
	}
	return tenant.Caller{ClientID: c.AppID, Permissions: strings.Fields(c.Scopes), Account: account}, nil
}
