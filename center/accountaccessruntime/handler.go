// Package accountaccessruntime is the center's door for the API with which programs list the roles
// that a person is entitled to by account access manager, and get credentials of them. The token
// comes from the sso-oidc door, with a scope for each of both.
//
// Source: API reference, account-access-runtime.
//
// It may import audit, authn, awsapi, center, refusal and web.
package accountaccessruntime

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// Handler serves the API.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
	Broker center.Broker
}

// request is one call with an access token.
type request struct {
	*http.Request
	query url.Values
	token string
}

// Parameters are those that each operation knows, beside the token.
var Parameters = map[string][]string{
	"ListRoles":          {"tenantId", "maxResults", "nextToken"},
	"GetRoleCredentials": {"tenantId", "roleArn", "accessType", "sessionName", "sessionDuration"},
}

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	people := awsapi.People{Log: h.Log, RequestID: web.RequestID, Answer: Answer}
	for _, op := range []struct {
		name, pattern string
		call          func(request) (any, error)
	}{
		{"ListRoles", "GET /access", h.listRoles},
		{"GetRoleCredentials", "GET /access/credentials", h.credentials},
	} {
		mux.HandleFunc(op.pattern, func(w http.ResponseWriter, r *http.Request) {
			in, err := read(r, Parameters[op.name])
			if err == nil {
				err = h.Center.LetIn(r.Context(), center.NetworkOfInstance, actor(r, audit.Anonymous), r.URL.Path)
			}
			var out any
			if err == nil {
				out, err = op.call(in)
			}
			people.Write(w, r, out, err)
		})
	}
}

func actor(r *http.Request, kind audit.Kind) audit.Actor {
	return audit.Actor{Kind: kind, Address: web.Address(r), RequestID: web.RequestID(r)}
}

func read(r *http.Request, known []string) (request, error) {
	query, wrong := awsapi.QueryOf(r, known)
	token, bears := authn.BearerToken(r.Header.Get("Authorization"))
	in := request{r, query, token}
	if !bears || len(r.Header.Values("Authorization")) != 1 {
		return in, &refusal.Error{Code: center.SessionInvalid}
	}
	if wrong != "" {
		return in, invalid(wrong)
	}
	return in, nil
}

func invalid(message string) error {
	return &awsapi.Error{Code: "ValidationException", Message: message}
}

// Answer maps an error to the wire. It is the only place that does. The API has five exceptions.
func Answer(err error) *awsapi.Error {
	var wire *awsapi.Error
	code, kind := refusal.CodeOf(err), refusal.KindOf(err)
	switch {
	case code == center.RoleNotAssigned, code != refusal.None && kind == refusal.Denied, code == center.ScopeNotGranted,
		code == center.AccountSuspended:
		return &awsapi.Error{Code: "AccessDeniedException", Status: http.StatusForbidden, Message: code.What()}
	case code != refusal.None && kind == refusal.Unauthenticated:
		return &awsapi.Error{
			Code: "UnauthorizedException", Status: http.StatusUnauthorized, Message: "The access token is not valid",
		}
	case code != refusal.None && kind == refusal.Quota:
		return &awsapi.Error{Code: "ThrottlingException", Status: http.StatusTooManyRequests, Message: code.What()}
	case code != refusal.None && kind == refusal.Unavailable:
		return &awsapi.Error{
			Code: "InternalServerException", Status: http.StatusServiceUnavailable, Message: code.What(),
		}
	case code != refusal.None:
		return &awsapi.Error{
			Code: "ValidationException", Status: http.StatusBadRequest, Message: refusal.Detail(err),
		}
	case errors.As(err, &wire):
		return &awsapi.Error{Code: wire.Code, Status: http.StatusBadRequest, Message: wire.Message}
	}
	return &awsapi.Error{
		Code: "InternalServerException", Status: http.StatusInternalServerError, Message: "internal error",
	}
}

// tenant is the form of a tenant's id. Source: API reference, ListRoles.
var tenant = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^aa-[a-z0-9-]{0,21}$`) })

// user is whose token it is, if that has a scope and the tenant is the application's. Nobody else
// learns of tenants.
func (h *Handler) user(r request, scope string) (center.User, error) {
	u, err := h.Center.RuntimeUser(r.Context(), r.token, scope)
	if err != nil {
		return u, err
	}
	return u, h.checkTenant(r)
}

// checkTenant refuses another tenant than the application's.
func (h *Handler) checkTenant(r request) error {
	id := r.query.Get("tenantId")
	if !tenant().MatchString(id) {
		return invalid("tenantId must begin with aa-, and have 3 to 24 lowercase letters, numbers and hyphens")
	}
	a, err := h.Center.AccessManager(r.Context())
	if refusal.CodeOf(err) == center.AccessManagerNotFound || err == nil && a.TenantID != id {
		return &refusal.Error{Code: center.RoleNotAssigned, Subject: id}
	}
	return err
}

type role struct {
	AccountID   string `json:"accountId"`
	RoleArn     string `json:"roleArn"`
	AccountName string `json:"accountName,omitempty"`
}

type rolesOutput struct {
	Roles     []role `json:"roles"`
	NextToken string `json:"nextToken,omitempty"`
}

func (h *Handler) listRoles(r request) (any, error) {
	u, err := h.user(r, center.ScopeEntitlementsRead)
	if err != nil {
		return nil, err
	}
	var most *int
	if text := r.query.Get("maxResults"); text != "" {
		n, bad := strconv.Atoi(text)
		if bad != nil {
			return nil, invalid("maxResults is not a number")
		}
		most = &n
	}
	size, err := awsapi.PageSize(most)
	if err != nil {
		return nil, err
	}
	q := center.EntitledQuery{User: u.ID, Limit: size + 1}
	if q.After, err = awsapi.DecodeToken("ListRoles", r.query.Get("nextToken")); err != nil {
		return nil, err
	}
	list, err := h.Center.EntitledRoles(r.Context(), q)
	out := rolesOutput{Roles: []role{}}
	if len(list) > size {
		list = list[:size]
		out.NextToken = awsapi.EncodeToken("ListRoles", list[size-1].RoleARN)
	}
	for _, e := range list {
		out.Roles = append(out.Roles, role{e.Account.ID, e.RoleARN, e.Account.Name})
	}
	return out, err
}

type programmaticAccess struct {
	AccessKeyID     string           `json:"accessKeyId"`
	SecretAccessKey string           `json:"secretAccessKey"`
	SessionToken    string           `json:"sessionToken"`
	ExpiresAt       awsapi.Timestamp `json:"expiresAt"`
}

type credentialsDetails struct {
	ProgrammaticAccess programmaticAccess `json:"programmaticAccess"`
}

type credentialsOutput struct {
	CredentialsDetails credentialsDetails `json:"credentialsDetails"`
}

// sessionName is the form of a session's name. Source: API reference, GetRoleCredentials.
var sessionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9+=,.@-]{2,64}$`) })

// How long credentials may be asked for. Source: the same.
const (
	shortestSession = 900    //bound:none seconds
	longestSession  = 43_200 //bound:life credentials of a role that somebody is entitled to, in seconds
)

func (h *Handler) credentials(r request) (any, error) {
	if _, err := h.user(r, center.ScopeEntitlementsAssume); err != nil {
		return nil, err
	}
	choice := center.RoleChoice{PermissionSet: r.query.Get("roleArn"), Called: r.query.Get("sessionName")}
	switch {
	case r.query.Get("accessType") != "PROGRAMMATIC_ACCESS":
		return nil, invalid("accessType must be PROGRAMMATIC_ACCESS")
	case !center.IsRoleARN(choice.PermissionSet):
		return nil, invalid("roleArn must be the ARN of a role")
	case choice.Called != "" && !sessionName().MatchString(choice.Called):
		return nil, invalid("sessionName must have 2 to 64 letters, numbers, and + = , . @ -")
	}
	if text := r.query.Get("sessionDuration"); text != "" {
		seconds, err := strconv.Atoi(text)
		if err != nil || seconds < shortestSession || seconds > longestSession {
			return nil, invalid("sessionDuration must be between 900 and 43200")
		}
		choice.Longest = time.Duration(seconds) * time.Second
	}
	c, err := h.Center.RuntimeCredentials(r.Context(), actor(r.Request, audit.User), h.Broker, r.token, choice)
	if err != nil {
		return nil, err
	}
	return credentialsOutput{credentialsDetails{programmaticAccess{
		c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), awsapi.Timestamp(c.Expiration),
	}}}, nil
}
