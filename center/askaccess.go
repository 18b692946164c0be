package center

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// AccessAsk is what a person fills in.
type AccessAsk struct {
	PolicyID         string // empty: the first one by name that allows it
	AccountID        string
	PermissionSetARN string // or its name; may be empty where there is a policy
	Start            time.Time
	Length           time.Duration
	Reason           string
	Ticket           string
	Emergency        bool
}

func (a AccessAsk) check(now time.Time) error {
	refuse := func(field, detail string) error {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: detail}
	}
	switch {
	case a.PolicyID == "" && a.PermissionSetARN == "": // or somebody would get what comes first by name
		return &refusal.Error{Code: MissingValue, Field: "PermissionSetArn"}
	case strings.TrimSpace(a.Reason) == "":
		return &refusal.Error{Code: MissingValue, Field: "Reason", Detail: "say what the access is for"}
	case a.Length < MinWindow:
		return refuse("Length", "ask for one minute at least")
	case !a.Start.IsZero() && a.Start.After(now.Add(maxAhead)):
		return refuse("Start", "ask for a start within 30 days")
	case !a.Start.IsZero() && !a.Start.Add(a.Length).After(now):
		return refuse("Start", "the time would be over already")
	case a.Emergency && !a.Start.IsZero():
		return refuse("Start", "emergency access begins at once")
	}
	return errors.Join(
		checkProse("Reason", a.Reason, maxReason), checkText("Ticket", a.Ticket, maxTicket),
	)
}

// clock is the time that windows of access go by: that of the database where several nodes share
// it, since their own clocks may differ.
func (c *Center) clock(r Reader) (time.Time, error) { return r.Clock(c.now()) }

// RequestAccess asks for access on behalf of a person. In an emergency the access is there when it
// returns. It fails with AccessNotOffered, AccessRequestOpen, TooManyAccessRequests, UserNotFound,
// or a code of kind Invalid.
func (c *Center) RequestAccess(
	ctx context.Context, by audit.Actor, user UserID, ask AccessAsk,
) (request AccessRequest, err error) {
	id := c.NewID()
	err = c.change(ctx, by, ActionRequestAccess, func(tx Tx) (string, error) {
		request = AccessRequest{}
		subject := ask.AccountID + "/" + ask.PermissionSetARN
		now, err := c.clock(tx)
		if err != nil {
			return subject, err
		}
		if err := ask.check(now); err != nil {
			return subject, err
		}
		u, err := activeUser(tx, user)
		if err != nil {
			return subject, err
		}
		p, set, err := offered(tx, u.ID, ask)
		if err != nil {
			return subject, err
		}
		account, err := openAccount(tx, ask.AccountID)
		if err != nil {
			return subject, err
		}
		request = AccessRequest{
			ID: id, PolicyID: p.ID, PolicyName: p.Name, UserID: u.ID, UserName: u.UserName,
			AccountID: account.ID, AccountName: account.Name,
			PermissionSetARN: set.ARN, PermissionSetName: set.Name,
			Reason: ask.Reason, Ticket: ask.Ticket, Start: ask.Start, Length: ask.Length,
			Emergency: ask.Emergency, Approvers: p.Approvers, Approvals: p.Approvals,
			State: AccessPending, CreatedAt: now, ExpiresAt: now.Add(waitsForApproval),
		}
		if end := ask.Start.Add(ask.Length); !ask.Start.IsZero() && end.Before(request.ExpiresAt) {
			request.ExpiresAt = end
		}
		if err := roomToAsk(tx, request, now); err != nil {
			return request.subject(), err
		}
		if request.Emergency {
			err := c.openWindow(tx, &request, now)
			return request.subject(), errors.Join(err, c.tell(tx, NoticeEmergency, request))
		}
		return request.subject(), errors.Join(tx.PutAccessRequest(request), c.tell(tx, NoticeAsked, request))
	})
	c.wakeRoleWorkers()
	c.wakeAccess()
	return request, err
}

// activeUser returns a user who may sign in.
func activeUser(r Reader, id UserID) (User, error) {
	u, err := r.User(id)
	if err == nil && !u.Active {
		err = &refusal.Error{Code: NotAllowed, Subject: u.UserName, Detail: "the user is disabled"}
	}
	return u, refusal.IfNoRow(err, UserNotFound, string(id))
}

// openAccount returns an account that roles can be opened in.
func openAccount(r Reader, id string) (Account, error) {
	a, err := r.Account(id)
	if err == nil && a.Suspended {
		err = &refusal.Error{Code: AccountSuspended, Subject: id}
	}
	return a, refusal.IfNoRow(err, AccountNotFound, id)
}

// offered finds the policy by which a person may have what is asked for: the one that is named, or
// the first by name.
func offered(r Reader, user UserID, ask AccessAsk) (RequestPolicy, PermissionSet, error) {
	none := PermissionSet{}
	account, err := openAccount(r, ask.AccountID)
	if err != nil {
		return RequestPolicy{}, none, err
	}
	all, e1 := r.RequestPolicies()
	mine, e2 := groupsOf(r, user)
	if err := errors.Join(e1, e2); err != nil {
		return RequestPolicy{}, none, err
	}
	sortPolicies(all)
	var short *RequestPolicy // one that would do for less
	for _, p := range all {
		if !mine[p.Eligible] || !p.covers(account) || ask.PolicyID != "" && p.ID != ask.PolicyID {
			continue
		}
		set, err := r.PermissionSet(p.PermissionSetARN)
		if errors.Is(err, refusal.ErrNoRow) {
			continue
		}
		if err != nil {
			return p, none, err
		}
		if ask.PermissionSetARN != "" && ask.PermissionSetARN != set.ARN && ask.PermissionSetARN != set.Name {
			continue
		}
		switch {
		case ask.Emergency && !p.Emergency:
		case ask.Length > p.Longest:
			if short == nil || p.Longest > short.Longest {
				short = &p
			}
		default:
			return p, set, nil
		}
	}
	if short != nil {
		return *short, none, &refusal.Error{
			Code: InvalidValue, Field: "Length",
			Detail: fmt.Sprintf("the policy %s allows %s at most", short.Name, inShort(short.Longest)),
		}
	}
	what := cmp.Or(ask.PermissionSetARN, ask.PolicyID) + " in " + account.ID
	if ask.Emergency {
		what += ", in an emergency"
	}
	return RequestPolicy{}, none, &refusal.Error{Code: AccessNotOffered, Subject: what}
}

// inShort is a length without the parts that are zero.
func inShort(d time.Duration) string {
	text := d.Round(time.Second).String()
	for _, zero := range []string{"0s", "0m"} {
		if short := strings.TrimSuffix(text, zero); strings.HasSuffix(short, "m") || strings.HasSuffix(short, "h") {
			text = short
		}
	}
	return text
}

// roomToAsk refuses a request that is there already, or one too many.
func roomToAsk(tx Tx, request AccessRequest, now time.Time) error {
	today, err := tx.AccessRequests(AccessRequestQuery{
		UserID: request.UserID, Since: now.Add(-24 * time.Hour), Limit: maxAskedADay,
	})
	if err != nil {
		return err
	}
	if len(today) >= maxAskedADay {
		return &refusal.Error{
			Code:   TooManyAccessRequests,
			Detail: fmt.Sprintf("you made %d requests within a day, which is the limit", maxAskedADay),
		}
	}
	live, err := tx.AccessRequests(AccessRequestQuery{UserID: request.UserID, Live: true})
	if err != nil {
		return err
	}
	live = slices.DeleteFunc(live, func(r AccessRequest) bool { return !r.open() })
	if slices.ContainsFunc(live, func(r AccessRequest) bool { return r.assignment() == request.assignment() }) {
		return &refusal.Error{Code: AccessRequestOpen, Subject: request.subject()}
	}
	if len(live) >= maxLiveRequests {
		return &refusal.Error{
			Code:   TooManyAccessRequests,
			Detail: fmt.Sprintf("%d of your requests are open, which is the limit", maxLiveRequests),
		}
	}
	return nil
}

// ExtendAccess asks that an open window end later by length. The approvers decide, as on the
// request itself: no window reaches further from their approval than the policy's longest. It fails
// with AccessRequestNotFound, AccessRequestClosed, AccessRequestOpen, AccessNotOffered or a code of
// kind Invalid.
func (c *Center) ExtendAccess(
	ctx context.Context, by audit.Actor, user UserID, id string, length time.Duration, reason string,
) (request AccessRequest, err error) {
	err = c.change(ctx, by, ActionExtendAccess, func(tx Tx) (string, error) {
		request, err = ownRequest(tx, user, id)
		if err != nil {
			return id, err
		}
		now, err := c.clock(tx)
		if err != nil {
			return request.subject(), err
		}
		p, err := tx.RequestPolicy(request.PolicyID)
		if err != nil {
			return request.subject(), refusal.IfNoRow(err, AccessNotOffered, request.PolicyName)
		}
		if err := request.checkExtension(p, now, length, reason); err != nil {
			return request.subject(), err
		}
		request.Extension = &AccessExtension{Length: length, Reason: reason, AskedAt: now}
		return request.subject(), errors.Join(
			tx.PutAccessRequest(request), c.tell(tx, NoticeExtension, request),
		)
	})
	return request, err
}

// checkExtension refuses an extension that may not be asked for.
func (r AccessRequest) checkExtension(p RequestPolicy, now time.Time, length time.Duration, reason string) error {
	switch {
	case r.State != AccessActive || !now.Before(r.EndsAt):
		return &refusal.Error{Code: AccessRequestClosed, Detail: "only an open window can be extended"}
	case r.Extension != nil:
		return &refusal.Error{Code: AccessRequestOpen, Detail: "an extension waits for approval already"}
	case len(r.Extensions) >= maxExtensions:
		return &refusal.Error{
			Code: TooManyAccessRequests, Detail: fmt.Sprintf("a window is extended %d times at most", maxExtensions),
		}
	case strings.TrimSpace(reason) == "":
		return &refusal.Error{Code: MissingValue, Field: "Reason", Detail: "say why the access is still needed"}
	case length < MinWindow || length > p.Longest || r.EndsAt.Add(length).Sub(now) > p.Longest:
		return &refusal.Error{
			Code: InvalidValue, Field: "Length",
			Detail: fmt.Sprintf("the policy %s allows %s from now at most", p.Name, inShort(p.Longest)),
		}
	}
	return checkProse("Reason", reason, maxReason)
}

// ownRequest returns a request of a person. Those of others are none.
func ownRequest(r Reader, user UserID, id string) (AccessRequest, error) {
	request, err := r.AccessRequest(id)
	if err == nil && request.UserID != user {
		err = refusal.ErrNoRow
	}
	return request, refusal.IfNoRow(err, AccessRequestNotFound, id)
}
