// Package sso is the center's door for the portal API: the accounts and roles that the holder of an
// access token has, credentials for them, and signing out. The token comes from the sso-oidc door.
//
// Source: the published service model, API version 2019-06-10; what the SDKs send.
//
// It may import audit, awsapi, center, refusal and web.
package sso

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// Handler serves the portal API.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
	Broker center.Broker
}

// tokenHeader carries the access token.
const tokenHeader = "X-Amz-Sso_bearer_token" // #nosec G101 -- a name

// request is one call with an access token.
type request struct {
	*http.Request
	query url.Values
	token string
	user  center.User // of operations that must know before they begin
}

// Parameters are those that each operation knows, beside the token.
var Parameters = map[string][]string{
	"ListAccounts":       {"max_result", "next_token"},
	"ListAccountRoles":   {"account_id", "max_result", "next_token"},
	"GetRoleCredentials": {"account_id", "role_name"},
	"Logout":             nil,
}

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	people := awsapi.People{Log: h.Log, RequestID: web.RequestID, Answer: Answer}
	for _, op := range []struct {
		name, pattern string
		call          func(request) (any, error)
	}{
		{"ListAccounts", "GET /assignment/accounts", h.ofUser(h.listAccounts)},
		{"ListAccountRoles", "GET /assignment/roles", h.ofUser(h.listRoles)},
		{"GetRoleCredentials", "GET /federation/credentials", h.credentials},
		{"Logout", "POST /logout", h.ofUser(h.logout)},
	} {
		mux.HandleFunc(op.pattern, func(w http.ResponseWriter, r *http.Request) {
			in, err := read(r, Parameters[op.name])
			if err == nil {
				err = h.Center.LetIn(r.Context(), center.NetworkOfInstance, audit.Actor{
					Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r),
				}, r.URL.Path)
			}
			var out any
			if err == nil {
				out, err = op.call(in)
			}
			people.Write(w, r, out, err)
		})
	}
}

func read(r *http.Request, known []string) (request, error) {
	query, wrong := awsapi.QueryOf(r, known)
	in := request{Request: r, query: query, token: r.Header.Get(tokenHeader)}
	if in.token == "" {
		return in, invalid("the header x-amz-sso_bearer_token is missing")
	}
	if wrong != "" {
		return in, invalid(wrong)
	}
	return in, nil
}

// ofUser looks up whose token it is first.
func (h *Handler) ofUser(fn func(request) (any, error)) func(request) (any, error) {
	return func(r request) (out any, err error) {
		if r.user, err = h.Center.TokenUser(r.Context(), r.token); err != nil {
			return nil, err
		}
		return fn(r)
	}
}

func (r request) actor() audit.Actor {
	return audit.Actor{
		Kind:      audit.User,
		Name:      r.user.UserName,
		Address:   web.Address(r.Request),
		RequestID: web.RequestID(r.Request),
	}
}

func invalid(message string) error {
	return &awsapi.Error{Code: "InvalidRequestException", Status: http.StatusBadRequest, Message: message}
}

// Answer maps an error to the wire. It is the only place that does. ForbiddenException is not in
// the model; the real service sends it all the same.
func Answer(err error) *awsapi.Error {
	var wire *awsapi.Error
	switch code := refusal.CodeOf(err); {
	case code == center.RoleNotAssigned || code == center.AccountSuspended || code == center.NetworkNotAllowed:
		return &awsapi.Error{Code: "ForbiddenException", Status: http.StatusForbidden, Message: "No access"}
	case code == center.SessionInvalid || refusal.KindOf(err) == refusal.Unauthenticated:
		return &awsapi.Error{
			Code:    "UnauthorizedException",
			Status:  http.StatusUnauthorized,
			Message: "Session token not found or invalid",
		}
	case refusal.KindOf(err) == refusal.NotFound:
		return &awsapi.Error{
			Code:    "ResourceNotFoundException",
			Status:  http.StatusNotFound,
			Message: code.What(),
		}
	case refusal.KindOf(err) == refusal.Quota:
		return &awsapi.Error{
			Code:    "TooManyRequestsException",
			Status:  http.StatusTooManyRequests,
			Message: code.What(),
		}
	case refusal.KindOf(err) == refusal.Unavailable:
		return &awsapi.Error{
			Code:    "InternalServerException",
			Status:  http.StatusServiceUnavailable,
			Message: code.What(),
		}
	case code != refusal.None:
		return &awsapi.Error{
			Code:    "InvalidRequestException",
			Status:  http.StatusBadRequest,
			Message: code.What(),
		}
	case errors.As(err, &wire):
		if wire.Status == 0 { // a page token, which awsapi refuses in another service's words
			return &awsapi.Error{Code: "InvalidRequestException", Status: http.StatusBadRequest, Message: wire.Message}
		}
		return wire
	}
	return &awsapi.Error{
		Code:    "InternalServerException",
		Status:  http.StatusInternalServerError,
		Message: "internal error",
	}
}

// page is where a page begins and how many entries it has.
type page struct {
	after string
	size  int
}

// page reads which page of a list is asked for.
func (r request) page(list string) (p page, err error) {
	var limit *int
	if text := r.query.Get("max_result"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return p, invalid("max_result is not a number")
		}
		limit = &n
	}
	if p.size, err = awsapi.PageSize(limit); err != nil {
		return p, err
	}
	p.after, err = awsapi.DecodeToken(list, r.query.Get("next_token"))
	return p, err
}

type account struct {
	AccountID    string `json:"accountId"`
	AccountName  string `json:"accountName"`
	EmailAddress string `json:"emailAddress,omitempty"`
}

type accountsOutput struct {
	AccountList []account `json:"accountList"`
	NextToken   string    `json:"nextToken,omitempty"`
}

func (h *Handler) listAccounts(r request) (any, error) {
	p, err := r.page("ListAccounts")
	if err != nil {
		return nil, err
	}
	q := center.AccessQuery{User: r.user.ID, After: p.after, Limit: p.size + 1}
	list, err := h.Center.AccountsOf(r.Context(), q)
	out := accountsOutput{AccountList: []account{}}
	if len(list) > p.size {
		list = list[:p.size]
		out.NextToken = awsapi.EncodeToken("ListAccounts", list[p.size-1].ID)
	}
	for _, a := range list {
		out.AccountList = append(out.AccountList, account{a.ID, a.Name, a.Email})
	}
	return out, err
}

type role struct {
	RoleName  string `json:"roleName"`
	AccountID string `json:"accountId"`
}

type rolesOutput struct {
	RoleList  []role `json:"roleList"`
	NextToken string `json:"nextToken,omitempty"`
}

// listRoles reads all roles of the account, at most a few hundred, and answers with a page of them.
func (h *Handler) listRoles(r request) (any, error) {
	id := r.query.Get("account_id")
	if id == "" {
		return nil, invalid("account_id is missing")
	}
	list := "ListAccountRoles/" + id
	p, err := r.page(list)
	if err != nil {
		return nil, err
	}
	sets, err := h.Center.RolesOf(r.Context(), r.user.ID, id)
	if err == nil && len(sets) == 0 {
		err = &refusal.Error{Code: center.RoleNotAssigned, Subject: id}
	}
	out := rolesOutput{RoleList: []role{}}
	for _, s := range sets {
		if s.Name <= p.after {
			continue
		}
		if len(out.RoleList) == p.size {
			out.NextToken = awsapi.EncodeToken(list, out.RoleList[p.size-1].RoleName)
			break
		}
		out.RoleList = append(out.RoleList, role{s.Name, id})
	}
	return out, err
}

type credentials struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
	Expiration      int64  `json:"expiration"` // milliseconds
}

type credentialsOutput struct {
	RoleCredentials credentials `json:"roleCredentials"`
}

func (h *Handler) credentials(r request) (any, error) {
	id, name := r.query.Get("account_id"), r.query.Get("role_name")
	if id == "" || name == "" {
		return nil, invalid("account_id and role_name are required")
	}
	session, err := h.Center.TokenSession(r.token)
	if err == nil && center.IsRoleARN(name) { // this API has no roles that people are entitled to
		err = &refusal.Error{Code: center.RoleNotAssigned, Subject: id + "/" + name}
	}
	if err != nil {
		return nil, err
	}
	c, err := h.Center.RoleCredentials(
		r.Context(), r.actor(), h.Broker, center.RoleChoice{Session: session, Account: id, PermissionSet: name},
	)
	return credentialsOutput{
		credentials{c.AccessKeyID, c.SecretAccessKey.Reveal(), c.SessionToken.Reveal(), c.Expiration.UnixMilli()},
	}, err
}

func (h *Handler) logout(r request) (any, error) {
	return nil, h.Center.EndTokens(r.Context(), r.actor(), r.token)
}
