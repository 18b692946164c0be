package portal

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// requestsPath is the page on access that ends.
const requestsPath = "/start/requests"

// mountRequests adds the pages on requests for access.
func (h *Handler) mountRequests(mux *http.ServeMux) {
	mux.Handle("GET "+requestsPath, h.RequireUser(h.requests))
	mux.Handle("POST "+requestsPath, h.RequireUser(h.ask))
	for deed, do := range deeds {
		mux.Handle("POST "+requestsPath+"/{id}/"+deed, h.RequireUser(h.does(do)))
	}
}

// maxChoices bounds the accounts that the form offers. More are found by typing.
const maxChoices = 200 //bound:list accounts that the form for access offers

// lengths are those that the form offers, as far as a policy allows them.
var lengths = []time.Duration{
	15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 3 * 24 * time.Hour, 7 * 24 * time.Hour, 30 * 24 * time.Hour,
}

// choice is one thing that may be asked for.
type choice struct {
	Value    string // the policy's id and the account's
	Label    string
	Selected bool
}

// choices are those of one policy.
type choices struct {
	Label string
	List  []choice
}

type length struct {
	Value, Label string
	Selected     bool
}

type requestsData struct {
	Desk      center.AccessDesk
	Offers    []choices
	Offered   int // accounts, of all policies
	Shown     int
	Search    string
	Lengths   []length
	Emergency bool // some policy allows it
	Sent      url.Values
	Now       time.Time
}

func (h *Handler) requests(w http.ResponseWriter, r *http.Request, u center.User) {
	h.showRequests(w, r, u, http.StatusOK, "", url.Values{})
}

// showRequests shows the page, above it what was wrong with what was sent, and in the form what was
// typed.
func (h *Handler) showRequests(
	w http.ResponseWriter, r *http.Request, u center.User, status int, problem string, sent url.Values,
) {
	d := requestsData{Sent: sent, Search: strings.TrimSpace(r.URL.Query().Get("q")), Now: h.Center.Now()}
	offers, e1 := h.Center.AccessOffers(r.Context(), u.ID)
	desk, e2 := h.Center.AccessDesk(r.Context(), u.ID)
	if err := errors.Join(e1, e2); err != nil {
		h.fail(w, r, u, err)
		return
	}
	d.Desk = desk
	d.offer(offers)
	v := h.view(u, "Requests", d)
	v.Active, v.Problem = requestsPath, problem
	v.Notice = web.TakeNotice(w, r, h.Center.URL)
	h.pages.Render(w, status, "requests", v)
}

// offer fills in what may be asked for.
func (d *requestsData) offer(offers []center.AccessOffer) {
	longest := time.Duration(0)
	wanted := cmp.Or(d.Sent.Get("length"), time.Hour.String())
	for _, o := range offers {
		longest = max(longest, o.Policy.Longest)
		d.Emergency = d.Emergency || o.Policy.Emergency
		most := web.Length(o.Policy.Longest)
		group := choices{Label: o.PermissionSet.Name + " · " + o.Policy.Name + ", at most " + most}
		for _, a := range o.Accounts {
			d.Offered++
			text := names.Fold(a.Name + " " + a.ID + " " + o.PermissionSet.Name + " " + o.Policy.Name)
			if !strings.Contains(text, names.Fold(d.Search)) || d.Shown == maxChoices {
				continue
			}
			d.Shown++
			value := o.Policy.ID + "/" + a.ID
			group.List = append(group.List, choice{
				value, o.PermissionSet.Name + " in " + a.Name + " (" + a.ID + ")", value == d.Sent.Get("what"),
			})
		}
		if len(group.List) > 0 {
			d.Offers = append(d.Offers, group)
		}
	}
	list := slices.DeleteFunc(slices.Clone(lengths), func(l time.Duration) bool { return l > longest })
	if longest > 0 && !slices.Contains(list, longest) {
		list = append(list, longest)
	}
	slices.Sort(list)
	for i, l := range list {
		last := i == len(list)-1 && l < time.Hour && wanted == time.Hour.String()
		d.Lengths = append(d.Lengths, length{l.String(), web.Length(l), l.String() == wanted || last})
	}
}

// startFormat is what browsers send of a date and a time. The form says that it is UTC.
const startFormat = "2006-01-02T15:04"

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, u center.User) {
	if err := r.ParseForm(); err != nil {
		h.showRequests(w, r, u, http.StatusBadRequest, "The form cannot be read.", url.Values{})
		return
	}
	sent := r.PostForm
	policy, account, _ := strings.Cut(sent.Get("what"), "/")
	ask := center.AccessAsk{
		PolicyID:  policy,
		AccountID: account,
		Reason:    strings.TrimSpace(sent.Get("reason")),
		Ticket:    strings.TrimSpace(sent.Get("ticket")),
		Emergency: sent.Get("emergency") == "on",
	}
	var err error
	if ask.Length, err = time.ParseDuration(sent.Get("length")); err != nil {
		err = &refusal.Error{Code: center.InvalidValue, Field: "Length"}
	}
	if start := sent.Get("start"); start != "" && err == nil {
		if ask.Start, err = time.Parse(startFormat, start); err != nil {
			err = &refusal.Error{Code: center.InvalidValue, Field: "Start", Detail: "use a date and a time"}
		}
	}
	var made center.AccessRequest
	if err == nil {
		made, err = h.Center.RequestAccess(r.Context(), h.actor(r, u), u.ID, ask)
	}
	if err != nil {
		h.refuse(w, r, u, err, sent)
		return
	}
	notice := "You have asked for " + made.PermissionSetName + " in " + made.AccountName + ". The approvers decide."
	if made.State == center.AccessActive {
		notice = "You have " + made.PermissionSetName + " in " + made.AccountName + " until " +
			made.EndsAt.UTC().Format("15:04 UTC") + ". The approvers are alerted."
	}
	h.done(w, r, notice)
}

// does makes a form's target of what is done to a request, and says what was done.
func (h *Handler) does(
	do func(h *Handler, r *http.Request, u center.User, id, comment string) (string, error),
) func(http.ResponseWriter, *http.Request, center.User) {
	return func(w http.ResponseWriter, r *http.Request, u center.User) {
		notice, err := do(h, r, u, r.PathValue("id"), strings.TrimSpace(r.PostFormValue("comment")))
		if err != nil {
			h.refuse(w, r, u, err, url.Values{})
			return
		}
		h.done(w, r, notice)
	}
}

func (h *Handler) done(w http.ResponseWriter, r *http.Request, notice string) {
	web.SetNotice(w, h.Center.URL, notice)
	http.Redirect(w, r, requestsPath, http.StatusSeeOther)
}

// deeds are what people do about requests.
var deeds = map[string]func(h *Handler, r *http.Request, u center.User, id, comment string) (string, error){
	"approve": func(h *Handler, r *http.Request, u center.User, id, comment string) (string, error) {
		q, err := h.Center.ApproveAccess(r.Context(), h.actor(r, u), u.ID, id, comment)
		switch q.State {
		case center.AccessPending:
			return "You have approved. Somebody else must approve too.", err
		case center.AccessDenied:
			return "The request is denied: " + q.EndReason + ".", err
		case center.AccessScheduled:
			return q.UserName + " will have " + q.PermissionSetName + " from " + q.Start.UTC().Format(time.DateTime) +
				" UTC.", err
		default:
			return q.UserName + " has " + q.PermissionSetName + " in " + q.AccountName + " until " +
				q.EndsAt.UTC().Format("15:04 UTC") + ".", err
		}
	},
	"deny": func(h *Handler, r *http.Request, u center.User, id, comment string) (string, error) {
		_, err := h.Center.DenyAccess(r.Context(), h.actor(r, u), u.ID, id, comment)
		return "The request is denied.", err
	},
	"right": func(h *Handler, r *http.Request, u center.User, id, comment string) (string, error) {
		_, err := h.Center.ReviewAccess(r.Context(), h.actor(r, u), u.ID, id, true, comment)
		return "The emergency access is reviewed.", err
	},
	"wrong": func(h *Handler, r *http.Request, u center.User, id, comment string) (string, error) {
		_, err := h.Center.ReviewAccess(r.Context(), h.actor(r, u), u.ID, id, false, comment)
		return "The emergency access is reviewed, and ended.", err
	},
	"end": func(h *Handler, r *http.Request, u center.User, id, comment string) (string, error) {
		q, err := h.Center.EndAccess(r.Context(), h.actor(r, u), u.ID, id, comment)
		if q.State == center.AccessCanceled {
			return "The request is taken back.", err
		}
		return "The access has ended.", err
	},
	"extend": func(h *Handler, r *http.Request, u center.User, id, comment string) (string, error) {
		length, err := time.ParseDuration(r.PostFormValue("length"))
		if err != nil {
			return "", &refusal.Error{Code: center.InvalidValue, Field: "Length"}
		}
		_, err = h.Center.ExtendAccess(r.Context(), h.actor(r, u), u.ID, id, length, comment)
		return "You have asked for more time. The approvers decide.", err
	},
}

// refuse shows the page with what was refused, and why: it is about the person's own doing, so the
// reason may be known.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, u center.User, err error, sent url.Values) {
	status, text, known := refused(err)
	if !known {
		h.fail(w, r, u, err)
		return
	}
	h.showRequests(w, r, u, status, text, sent)
}

// refused is how a refusal of what a person does is shown, where its reason may be known.
func refused(err error) (status int, text string, known bool) {
	code := refusal.CodeOf(err)
	status, known = map[refusal.Kind]int{
		refusal.Invalid: http.StatusBadRequest, refusal.Denied: http.StatusForbidden,
		refusal.NotFound: http.StatusNotFound, refusal.Conflict: http.StatusConflict,
		refusal.Quota: http.StatusTooManyRequests,
	}[code.Kind()]
	if code == refusal.None || !known {
		return 0, "", false
	}
	return status, refusal.Sentence(strings.Join(refusal.ForPeople(err), " ")), true
}
