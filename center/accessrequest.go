package center

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// AccessState is how far a request for access has come.
type AccessState string

// The states.
const (
	AccessPending   AccessState = "PENDING"   // it waits for approval
	AccessScheduled AccessState = "SCHEDULED" // it is approved, and its window begins later
	AccessActive    AccessState = "ACTIVE"    // its window is open
	AccessEnded     AccessState = "ENDED"     // its window was open and is closed
	AccessDenied    AccessState = "DENIED"
	AccessCanceled  AccessState = "CANCELED" // who asked, or an administrator, took it back before it began
	AccessExpired   AccessState = "EXPIRED"  // nobody decided in time
	AccessFailed    AccessState = "FAILED"   // it was approved, but the assignment could not be made
)

// AccessRequest is what a person asks for: a permission set in an account, for a while. While its
// window is open there is an assignment like any other.
type AccessRequest struct {
	ID                string
	PolicyID          string
	PolicyName        string
	UserID            UserID
	UserName          string // when it was asked for
	AccountID         string
	AccountName       string
	PermissionSetARN  string
	PermissionSetName string
	Reason            string
	Ticket            string        `json:",omitempty"`
	Start             time.Time     `json:",omitzero"` // zero: as soon as it is approved
	Length            time.Duration // of the window, without extensions
	Emergency         bool          `json:",omitempty"`
	Approvers         GroupID
	Approvals         int // how many are needed
	Decisions         []AccessDecision
	State             AccessState
	CreatedAt         time.Time
	ExpiresAt         time.Time        // until when it waits for approval
	DecidedAt         time.Time        `json:",omitzero"` // when the last approval that was needed came
	StartedAt         time.Time        `json:",omitzero"`
	EndsAt            time.Time        `json:",omitzero"`
	EndedAt           time.Time        `json:",omitzero"`
	EndedBy           string           `json:",omitempty"`
	EndReason         string           `json:",omitempty"`
	Extension         *AccessExtension `json:",omitempty"` // which waits for approval
	Extensions        []AccessExtension
	Review            *AccessDecision `json:",omitempty"` // of emergency access
	// Creation is the request for the assignment, while the role is made in IAM.
	Creation string    `json:",omitempty"`
	LookAt   time.Time `json:",omitzero"` // when to look at that again
}

// AccessDecision is what an approver said.
type AccessDecision struct {
	By       UserID
	UserName string
	Approve  bool
	Comment  string `json:",omitempty"`
	At       time.Time
}

// AccessExtension has a window end later.
type AccessExtension struct {
	Length    time.Duration
	Reason    string
	AskedAt   time.Time
	Decisions []AccessDecision
}

// AccessRequestQuery selects requests, newest first. Fields that are set narrow the result
// together.
type AccessRequestQuery struct {
	UserID    UserID
	Approvers []GroupID // those that one of these groups decides on; nil: any
	Live      bool      // only those that somebody or the center has still to do something about
	Since     time.Time // only those that were made then or later
	Before    string    // only those whose id sorts before this one, which are older; empty: all
	Limit     int       // 0: all
}

// accessRequestReader reads requests for access.
type accessRequestReader interface {
	AccessRequest(id string) (AccessRequest, error)
	AccessRequests(AccessRequestQuery) ([]AccessRequest, error)
	// DueAccessRequests are those that the center has to do something about by now, those first
	// that are due for longest.
	DueAccessRequests(now time.Time, limit int) ([]AccessRequest, error)
	// AccessOpenedAfter are windows that are open since after a time, the last one first. A node of
	// the release before says of none when it was opened.
	AccessOpenedAfter(at time.Time, limit int) ([]AccessRequest, error)
	// Clock is the clock of the database where several processes share it, and now where there is
	// one process. DueAccessRequests goes by the same.
	Clock(now time.Time) (time.Time, error)
}

// accessRequestWriter writes requests for access.
type accessRequestWriter interface {
	PutAccessRequest(AccessRequest) error
	// DeleteAccessRequests removes up to limit requests that were made before and are over.
	DeleteAccessRequests(before time.Time, limit int) error
}

// Bounds of requests. The choices are ours.
const (
	maxLiveRequests   = 10                   //bound:rows requests for access of one person that are not over
	maxAskedADay      = 50                   //bound:rows requests for access that one person makes in a day
	maxExtensions     = 10                   //bound:rows extensions of one window of access
	maxReason         = 1000                 //bound:text the reason of a request for access, and a comment on one
	maxTicket         = 200                  //bound:text the ticket of a request for access
	maxAhead          = 30 * 24 * time.Hour  //bound:life how far ahead access can be asked for
	waitsForApproval  = 3 * 24 * time.Hour   //bound:life a request for access that nobody decides on
	accessRequestKept = 400 * 24 * time.Hour //bound:life requests for access that are over
	//bound:list requests for access that are shown at once
	maxRequestsShown = 200
)

// Live says whether somebody or the center has still to do something about a request.
func (r AccessRequest) Live() bool { return r.open() || r.ToReview() }

// open says whether a request may still give access, or does.
func (r AccessRequest) open() bool {
	return r.State == AccessPending || r.State == AccessScheduled || r.State == AccessActive
}

// finish says how a request came to an end.
func (r *AccessRequest) finish(state AccessState, at time.Time, by, why string) {
	r.State, r.Extension = state, nil
	r.EndedAt, r.EndedBy = at, by
	r.EndReason = why
}

// ToReview says whether a request gave access in an emergency that nobody has reviewed yet.
func (r AccessRequest) ToReview() bool {
	return r.Emergency && !r.StartedAt.IsZero() && r.Review == nil
}

// ToDecide says whether approvers are to approve or deny something.
func (r AccessRequest) ToDecide() bool {
	return r.State == AccessPending || r.State == AccessActive && r.Extension != nil
}

// Due is when the center itself has something to do; zero: never.
func (r AccessRequest) Due() time.Time {
	switch r.State {
	case AccessPending:
		return r.ExpiresAt
	case AccessScheduled:
		return r.Start
	case AccessActive:
		if r.Creation != "" && r.LookAt.Before(r.EndsAt) {
			return r.LookAt
		}
		return r.EndsAt
	case AccessEnded, AccessDenied, AccessCanceled, AccessExpired, AccessFailed:
	}
	return time.Time{}
}

// ahead says whether a window was opened by a clock that was ahead: it would stay open for as long
// as that was.
func (r AccessRequest) ahead(now time.Time) bool {
	return r.State == AccessActive && authn.Ahead(r.StartedAt, now)
}

func (r AccessRequest) assignment() Assignment {
	return Assignment{
		AccountID:        r.AccountID,
		PermissionSetARN: r.PermissionSetARN,
		PrincipalType:    PrincipalUser,
		PrincipalID:      string(r.UserID),
	}
}

func (r AccessRequest) subject() string {
	return r.ID + ": " + r.AccountID + "/" + r.PermissionSetName + "/" + r.UserName
}

// windowOrigin begins what wants an assignment where that is a request.
const windowOrigin = "request:"

// origin is the request among those that want an assignment.
func (r AccessRequest) origin() string { return windowOrigin + r.ID }

// AccessRequest returns one request, or AccessRequestNotFound.
func (c *Center) AccessRequest(ctx context.Context, id string) (a AccessRequest, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		a, err = r.AccessRequest(id)
		return refusal.IfNoRow(err, AccessRequestNotFound, id)
	})
	return a, err
}

// AccessRequests lists requests, newest first, at most 200.
func (c *Center) AccessRequests(ctx context.Context, q AccessRequestQuery) (list []AccessRequest, err error) {
	if q.Limit == 0 || q.Limit > maxRequestsShown {
		q.Limit = maxRequestsShown
	}
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.AccessRequests(q)
		return err
	})
	return list, err
}

// AccessDesk is what a person sees of requests.
type AccessDesk struct {
	Mine    []AccessRequest // newest first
	ToDo    []AccessRequest // what waits for this person to decide on or review
	Decided []AccessRequest // open windows of others that this person may end
}

// AccessDesk lists a person's own requests, and those that wait for the person.
func (c *Center) AccessDesk(ctx context.Context, user UserID) (d AccessDesk, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		d = AccessDesk{}
		groups, e1 := r.GroupsOf(user)
		mine, e2 := r.AccessRequests(AccessRequestQuery{UserID: user, Limit: maxRequestsShown})
		if err := errors.Join(e1, e2); err != nil {
			return err
		}
		d.Mine = mine
		ids := make([]GroupID, 0, len(groups))
		for _, g := range groups {
			ids = append(ids, g.ID)
		}
		if len(ids) == 0 {
			return nil
		}
		live, err := r.AccessRequests(AccessRequestQuery{Approvers: ids, Live: true, Limit: maxRequestsShown})
		for _, q := range live {
			switch {
			case q.UserID == user:
			case q.ToDecide() && !q.decidedBy(user), q.ToReview():
				d.ToDo = append(d.ToDo, q)
			case q.open():
				d.Decided = append(d.Decided, q)
			}
		}
		return err
	})
	return d, err
}

// AccessCount is how many requests there are about which something is still to be done.
type AccessCount struct {
	ByState  map[AccessState]int // those that may still give access, or do
	ToReview int
	Approval time.Duration // how long the last ones waited for approval, in the middle; 0: there were none
}

// Open is how many requests may still give access, or do.
func (n AccessCount) Open() (open int) {
	for _, of := range n.ByState {
		open += of
	}
	return open
}

// CountAccess counts requests. The time to approval is that of the newest 200.
func (c *Center) CountAccess(ctx context.Context) (n AccessCount, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		n = AccessCount{ByState: map[AccessState]int{AccessPending: 0, AccessScheduled: 0, AccessActive: 0}}
		live, e1 := r.AccessRequests(AccessRequestQuery{Live: true})
		newest, e2 := r.AccessRequests(AccessRequestQuery{Limit: maxRequestsShown})
		for _, q := range live {
			if q.open() {
				n.ByState[q.State]++
			}
			if q.ToReview() {
				n.ToReview++
			}
		}
		var waited []time.Duration
		for _, q := range newest {
			if !q.DecidedAt.IsZero() {
				waited = append(waited, q.DecidedAt.Sub(q.CreatedAt))
			}
		}
		if slices.Sort(waited); len(waited) > 0 {
			n.Approval = max(waited[len(waited)/2], time.Millisecond)
		}
		return errors.Join(e1, e2)
	})
	return n, err
}

// decidedBy says whether somebody has approved what is to be decided on.
func (r AccessRequest) decidedBy(user UserID) bool {
	decisions := r.Decisions
	if r.State == AccessActive && r.Extension != nil {
		decisions = r.Extension.Decisions
	}
	return slices.ContainsFunc(decisions, func(d AccessDecision) bool { return d.By == user })
}
