// Package requestserver is the center's door for people's own programs that ask for access and
// decide on it, with an access token as `aws sso login` gets it: what the portal does, for the
// command line. The types are adminapi's.
//
// It may import adminapi, audit, center, refusal and web.
package requestserver

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// Handler serves the operations.
type Handler struct {
	Center *center.Center
	Log    *slog.Logger
}

// maxBody bounds a request.
const maxBody = 64 << 10 //bound:body a person's request for access

// call is one request of somebody.
type call struct {
	context.Context
	center *center.Center
	user   center.User
	by     audit.Actor
}

// operation reads its input and does what it is for.
type operation func(call, *json.Decoder) (any, error)

// operations are all there are, by name.
var operations = map[string]operation{
	"ListAccessOffers":   op(offers),
	"ListAccessRequests": op(list),
	"RequestAccess":      op(ask),
	"ListOwnAccounts":    op(ownAccounts),
	"ListOwnReviews":     op(ownReviews),
	"DecideReview":       op(decideReview),
	"ApproveAccess": op(func(c call, in adminapi.AccessRequestInput) (any, error) {
		return shown(c.center.ApproveAccess(c, c.by, c.user.ID, in.RequestID, in.Comment))
	}),
	"DenyAccess": op(func(c call, in adminapi.AccessRequestInput) (any, error) {
		return shown(c.center.DenyAccess(c, c.by, c.user.ID, in.RequestID, in.Comment))
	}),
	"ReviewAccess": op(func(c call, in adminapi.AccessRequestInput) (any, error) {
		return shown(c.center.ReviewAccess(c, c.by, c.user.ID, in.RequestID, in.Right, in.Comment))
	}),
	"EndAccess": op(func(c call, in adminapi.AccessRequestInput) (any, error) {
		return shown(c.center.EndAccess(c, c.by, c.user.ID, in.RequestID, in.Comment))
	}),
	"ExtendAccess": op(func(c call, in adminapi.AccessRequestInput) (any, error) {
		length := time.Duration(in.Seconds) * time.Second
		return shown(c.center.ExtendAccess(c, c.by, c.user.ID, in.RequestID, length, in.Comment))
	}),
}

func op[In any](do func(call, In) (any, error)) operation {
	return func(c call, body *json.Decoder) (any, error) {
		var in In
		if err := body.Decode(&in); err != nil {
			return nil, &refusal.Error{Code: center.InvalidRequest, Detail: "the body is not the JSON that is expected"}
		}
		if _, err := body.Token(); !errors.Is(err, io.EOF) {
			return nil, &refusal.Error{Code: center.InvalidRequest, Detail: "there is something after the JSON"}
		}
		return do(c, in)
	}
}

// Mount adds the door to mux.
func (h *Handler) Mount(mux *http.ServeMux) {
	for name, do := range operations {
		mux.HandleFunc("POST "+adminapi.PersonPath+name, func(w http.ResponseWriter, r *http.Request) {
			out, err := h.serve(w, r, do)
			h.answer(w, r, out, err)
		})
	}
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request, do operation) (any, error) {
	by := audit.Actor{Kind: audit.Anonymous, Address: web.Address(r), RequestID: web.RequestID(r)}
	if err := h.Center.LetIn(r.Context(), center.NetworkOfInstance, by, r.URL.Path); err != nil {
		return nil, err
	}
	u, err := h.Center.ClientUser(r.Context(), r.Header.Get(adminapi.PersonToken))
	if err != nil {
		return nil, err
	}
	by.Kind, by.Name = audit.User, u.UserName
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	body.DisallowUnknownFields()
	return do(call{r.Context(), h.Center, u, by}, body)
}

// answer writes what came of a request. It is the only place that maps refusals to the wire.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, out any, err error) {
	status := http.StatusOK
	if err != nil {
		status, out = Answer(err)
		if status >= http.StatusInternalServerError {
			h.Log.ErrorContext(
				r.Context(), "operation failed", "path", r.URL.Path, "request_id", web.RequestID(r), "error", err,
			)
		}
		if status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "5")
		}
	}
	w.Header().Set("X-Amzn-Requestid", web.RequestID(r))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(out) // the client has gone away
}

// Answer maps an error to a status and a body.
func Answer(err error) (int, adminapi.Refusal) {
	code := refusal.CodeOf(err)
	switch status, known := map[refusal.Kind]int{
		refusal.Invalid: http.StatusBadRequest, refusal.Denied: http.StatusForbidden,
		refusal.Unauthenticated: http.StatusUnauthorized, refusal.NotFound: http.StatusNotFound,
		refusal.Conflict: http.StatusConflict, refusal.Quota: http.StatusTooManyRequests,
		refusal.Unavailable: http.StatusServiceUnavailable,
	}[code.Kind()]; {
	case code == refusal.None, !known:
		return http.StatusInternalServerError, adminapi.Refusal{
			Reason: "internal", Message: "something went wrong at the center; its log says what",
		}
	default:
		return status, adminapi.Refusal{Reason: code.String(), Message: refusal.Detail(err) + "; " + code.Remedy()}
	}
}

func shown(r center.AccessRequest, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	return Show(r), nil
}

func offers(c call, _ adminapi.None) (any, error) {
	all, err := c.center.AccessOffers(c, c.user.ID)
	out := adminapi.AccessOffers{Offers: []adminapi.AccessOffer{}}
	for _, o := range all {
		offer := adminapi.AccessOffer{
			PolicyID: o.Policy.ID, Policy: o.Policy.Name, PermissionSet: o.PermissionSet.Name,
			LongestSeconds: int64(o.Policy.Longest / time.Second), Emergency: o.Policy.Emergency,
			Accounts: []adminapi.Account{},
		}
		for _, a := range o.Accounts {
			offer.Accounts = append(offer.Accounts, adminapi.Account{
				ID: a.ID, Name: a.Name, Status: adminapi.AccountActive,
			})
		}
		out.Offers = append(out.Offers, offer)
	}
	return out, err
}

// ownAccounts are those of a person that have a label.
func ownAccounts(c call, _ adminapi.None) (any, error) {
	list, err := c.center.OwnAccounts(c, c.user.ID)
	out := adminapi.OwnAccounts{Accounts: []adminapi.Account{}}
	for _, a := range list {
		shown := adminapi.Account{
			ID: a.ID, Name: a.Name, Status: adminapi.AccountActive,
			Environment: a.Label.Environment, Color: string(a.Label.Color),
		}
		if a.Suspended {
			shown.Status = adminapi.AccountSuspended
		}
		out.Accounts = append(out.Accounts, shown)
	}
	return out, err
}

func list(c call, in adminapi.ListAccessRequestsInput) (any, error) {
	if in.UserID != "" || in.Before != "" {
		return nil, &refusal.Error{Code: center.InvalidValue, Field: "UserId", Detail: "the list is your own"}
	}
	desk, err := c.center.AccessDesk(c, c.user.ID)
	out := adminapi.AccessRequests{Requests: []adminapi.AccessRequest{}}
	for _, r := range desk.ToDo {
		one := Show(r)
		one.WaitsForYou = true
		out.Requests = append(out.Requests, one)
	}
	for _, r := range append(desk.Decided, desk.Mine...) {
		if !in.Open || r.Live() {
			out.Requests = append(out.Requests, Show(r))
		}
	}
	return out, err
}

func ask(c call, in adminapi.RequestAccessInput) (any, error) {
	return shown(c.center.RequestAccess(c, c.by, c.user.ID, center.AccessAsk{
		PolicyID: in.PolicyID, AccountID: in.AccountID, PermissionSetARN: in.PermissionSet, Start: in.Start,
		Length: time.Duration(in.Seconds) * time.Second, Reason: in.Reason, Ticket: in.Ticket, Emergency: in.Emergency,
	}))
}

// Show is a request on the wire.
func Show(r center.AccessRequest) adminapi.AccessRequest {
	out := adminapi.AccessRequest{
		RequestID: r.ID, Policy: r.PolicyName, UserID: string(r.UserID), UserName: r.UserName,
		AccountID: r.AccountID, AccountName: r.AccountName, PermissionSet: r.PermissionSetName,
		PermissionSetARN: r.PermissionSetARN, State: string(r.State), Seconds: int64(r.Length / time.Second),
		Reason: r.Reason, Ticket: r.Ticket, Emergency: r.Emergency, ToReview: r.ToReview(), CreatedAt: r.CreatedAt,
		Start: r.Start, StartedAt: r.StartedAt, EndsAt: r.EndsAt, EndedAt: r.EndedAt, EndedBy: r.EndedBy,
		EndReason: r.EndReason, Decisions: []adminapi.AccessDecision{}, ApprovalsNeeded: r.Approvals,
	}
	if r.Extension != nil {
		out.MoreSeconds = int64(r.Extension.Length / time.Second)
	}
	if r.Review != nil {
		out.ReviewedBy, out.ReviewedAsNotFine = r.Review.UserName, !r.Review.Approve
	}
	for _, d := range r.Decisions {
		out.Decisions = append(out.Decisions, adminapi.AccessDecision{
			UserName: d.UserName, Approve: d.Approve, Comment: d.Comment, At: d.At,
		})
	}
	return out
}
