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

// AccessOwner reviews who has a permission set anywhere, or what people have in an account: exactly
// one of PermissionSetARN and AccountID is set. The owner of the permission set comes before the
// owner of the account. AWS has nothing of the kind.
type AccessOwner struct {
	PermissionSetARN string `json:",omitempty"`
	AccountID        string `json:",omitempty"`
	Owner            Principal
}

// Of is what is owned.
func (o AccessOwner) Of() string { return o.PermissionSetARN + o.AccountID }

// ReviewState is how far a review has come.
type ReviewState string

// The states of a review.
const (
	ReviewOpen    ReviewState = "OPEN"
	ReviewClosing ReviewState = "CLOSING" // its time is over, and the center does what is to be done
	ReviewClosed  ReviewState = "CLOSED"
)

// AccessReview has owners confirm or remove, by a date, what people had when it began.
type AccessReview struct {
	ID               string
	Name             string
	PermissionSetARN string `json:",omitempty"` // only this one; empty: any
	AccountID        string `json:",omitempty"` // only in this one; empty: any
	Administrative   bool   `json:",omitempty"` // only permission sets that administer the account, or may
	EndUnconfirmed   bool   `json:",omitempty"` // what nobody has confirmed by the deadline ends
	Deadline         time.Time
	RemindAt         time.Time `json:",omitzero"` // zero: owners were reminded
	RestoreDays      int       // for how many days what it took can be given back
	State            ReviewState
	CreatedAt        time.Time
	CreatedBy        string
	ClosedAt         time.Time `json:",omitzero"`
	ClosedBy         string    `json:",omitempty"` // empty: its time was over
}

// ReviewWay is how people have what a line of a review is about.
type ReviewWay string

// The ways.
const (
	ByUser    ReviewWay = "USER"    // an assignment to a user
	ByGroup   ReviewWay = "GROUP"   // an assignment to a group
	ByRule    ReviewWay = "RULE"    // an assignment rule, in all accounts that it matches
	ByRequest ReviewWay = "REQUEST" // a window that somebody has asked for
	ByRole    ReviewWay = "ROLE"    // an entitlement of a user or a group to a role that is not the center's
)

// LineState is what became of a line of a review.
type LineState string

// The states of a line.
const (
	LineOpen      LineState = "OPEN"
	LineConfirmed LineState = "CONFIRMED"
	LineRemoved   LineState = "REMOVED"
	LineEnded     LineState = "ENDED"    // nobody confirmed it in time
	LineKept      LineState = "KEPT"     // nobody confirmed it in time, and the review ends nothing
	LineGone      LineState = "GONE"     // somebody else had taken it already
	LineRestored  LineState = "RESTORED" // the review took it, and somebody gave it back
)

// ReviewLine is one way by which somebody has access, as it was when the review began.
type ReviewLine struct {
	ReviewID          string
	Key               string // within the review
	Way               ReviewWay
	Assignment        Assignment // of a rule, without an account
	Rule              *AssignmentRule
	Entitlement       *Entitlement `json:",omitempty"` // then the assignment has the role's ARN
	RequestID         string       `json:",omitempty"`
	Until             time.Time    `json:",omitzero"` // when the window ends by itself
	PrincipalName     string
	PermissionSetName string
	AccountName       string `json:",omitempty"`
	Accounts          int    // in how many a rule gives it
	Owner             Principal
	State             LineState
	DecidedBy         string    `json:",omitempty"`
	DecidedAt         time.Time `json:",omitzero"`
	Comment           string    `json:",omitempty"`
}

// ReviewLineQuery selects lines, in the order of their keys.
type ReviewLineQuery struct {
	ReviewID string
	Owners   []Principal // of one of these; nil: any
	State    LineState   // empty: any
	After    string      // only those with a later key
	Limit    int         // 0: all
}

// OwnedLines is how many lines of a review wait for an owner.
type OwnedLines struct {
	Owner Principal
	Lines int
}

// accessReviewReader reads reviews and owners.
type accessReviewReader interface {
	AccessOwners() ([]AccessOwner, error)
	AccessReview(id string) (AccessReview, error)
	AccessReviews(limit int) ([]AccessReview, error) // newest first
	// DueAccessReviews are those that the center has to do something about by now, by Clock.
	DueAccessReviews(now time.Time, limit int) ([]AccessReview, error)
	ReviewLine(review, key string) (ReviewLine, error)
	ReviewLines(ReviewLineQuery) ([]ReviewLine, error)
	CountReviewLines(ReviewLineQuery) (int, error)
	// OpenLinesOfOwners are in the order of the owners.
	OpenLinesOfOwners(review string) ([]OwnedLines, error)
}

// accessReviewWriter writes reviews and owners.
type accessReviewWriter interface {
	PutAccessOwner(AccessOwner) error
	DeleteAccessOwner(of string) error
	PutAccessReview(AccessReview) error
	PutReviewLines([]ReviewLine) error
	// DeleteAccessReviews removes up to limit reviews that were made before and are closed, with
	// their lines.
	DeleteAccessReviews(before time.Time, limit int) error
}

// Bounds of reviews. The choices are ours.
const (
	maxAccessOwners   = 5000                 //bound:rows owners of permission sets and accounts
	maxReviewLines    = 5000                 //bound:rows lines of one review of access
	maxOpenReviews    = 50                   //bound:rows reviews of access that are open
	maxReviewName     = 64                   //bound:text the name of a review of access
	minReviewTime     = time.Hour            //bound:life a review of access, at the least
	maxReviewTime     = 365 * 24 * time.Hour //bound:life a review of access, at the most
	maxRestoreDays    = 90                   //bound:none days in which a review's removals can be given back
	restoreDays       = 30                   //bound:none the same, where nobody says otherwise
	accessReviewKept  = 400 * 24 * time.Hour //bound:life reviews of access that are closed
	reviewsShown      = 100                  //bound:list reviews of access that are shown at once
	reviewLinesAtOnce = 200                  //bound:list lines of a review that are shown or decided at once
	remindBefore      = 3 * 24 * time.Hour   //bound:none owners are reminded so long before the deadline
)

// Due is when the center itself has something to do; zero: never.
func (v AccessReview) Due() time.Time {
	switch {
	case v.State == ReviewClosed:
		return time.Time{}
	case v.State == ReviewOpen && !v.RemindAt.IsZero():
		return v.RemindAt
	}
	return v.Deadline
}

func (v AccessReview) subject() string { return v.ID + ": " + v.Name }

func (l ReviewLine) subject() string {
	where := l.Assignment.AccountID
	if l.Way == ByRule {
		where = "rule " + l.Rule.ID
	}
	return l.ReviewID + "/" + l.Key + ": " + where + "/" + l.PermissionSetName + "/" + l.PrincipalName
}

// Taken says whether a review has taken what a line is about.
func (l ReviewLine) Taken() bool { return l.State == LineRemoved || l.State == LineEnded }

// Removal says what removing does, which differs by the way.
func (l ReviewLine) Removal() string {
	switch l.Way {
	case ByGroup:
		return "the assignment goes: all members of " + l.PrincipalName +
			" lose it. To take it from one person, take the person out of the group"
	case ByRule:
		return fmt.Sprintf("the rule is deleted: %s loses it in all accounts that the rule matches, now %d",
			l.PrincipalName, l.Accounts)
	case ByRequest:
		return "the window is closed now; it would end by itself"
	case ByRole:
		who := l.PrincipalName
		if l.Assignment.PrincipalType == PrincipalGroup {
			who = "all members of " + who
		}
		return "the entitlement goes: " + who + " may open the role no more, which stays in its account"
	case ByUser:
	}
	return "the assignment to " + l.PrincipalName + " goes, and the role refuses the credentials that are out"
}

// AccessOwners lists the owners.
func (c *Center) AccessOwners(ctx context.Context) (list []AccessOwner, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.AccessOwners()
		return err
	})
	return list, err
}

// PutAccessOwner says who reviews a permission set or an account. Reviews that are open keep the
// owners that they began with. It fails with PermissionSetNotFound, AccountNotFound, UserNotFound,
// GroupNotFound, QuotaExceeded or a code of kind Invalid.
func (c *Center) PutAccessOwner(ctx context.Context, by audit.Actor, o AccessOwner) error {
	return c.change(ctx, by, ActionPutAccessOwner, func(tx Tx) (string, error) {
		if (o.PermissionSetARN == "") == (o.AccountID == "") {
			return "", &refusal.Error{
				Code: InvalidValue, Field: "PermissionSetArn",
				Detail: "use exactly one of a permission set and an account",
			}
		}
		if o.AccountID != "" {
			if _, err := tx.Account(o.AccountID); err != nil {
				return o.Of(), refusal.IfNoRow(err, AccountNotFound, o.AccountID)
			}
		} else if _, err := tx.PermissionSet(o.PermissionSetARN); err != nil {
			return o.Of(), refusal.IfNoRow(err, PermissionSetNotFound, o.PermissionSetARN)
		}
		if err := checkPrincipal(tx, o.Owner.Type, o.Owner.ID); err != nil {
			return o.Of(), err
		}
		all, err := tx.AccessOwners()
		if err == nil && len(all) >= maxAccessOwners &&
			!slices.ContainsFunc(all, func(x AccessOwner) bool { return x.Of() == o.Of() }) {
			err = &refusal.Error{Code: QuotaExceeded, Subject: o.Of(), Detail: "at most 5000 owners"}
		}
		return o.Of(), errors.Join(err, tx.PutAccessOwner(o))
	})
}

// DeleteAccessOwner has a permission set or an account reviewed by nobody but administrators.
func (c *Center) DeleteAccessOwner(ctx context.Context, by audit.Actor, of string) error {
	return c.change(ctx, by, ActionDeleteAccessOwner, func(tx Tx) (string, error) {
		return of, tx.DeleteAccessOwner(of)
	})
}

// check refuses a review that cannot be, and fills in what was left to the center.
func (v *AccessReview) check(now time.Time) error {
	refuse := func(field, detail string) error {
		return &refusal.Error{Code: InvalidValue, Field: field, Detail: detail}
	}
	v.RestoreDays = cmp.Or(v.RestoreDays, restoreDays)
	switch left := v.Deadline.Sub(now); {
	case strings.TrimSpace(v.Name) == "":
		return &refusal.Error{Code: MissingValue, Field: "Name"}
	case left < minReviewTime || left > maxReviewTime:
		return refuse("Deadline", "use a date at least one hour and at most a year ahead")
	case v.RestoreDays < 1 || v.RestoreDays > maxRestoreDays:
		return refuse("RestoreDays", "use 1 to 90 days")
	case left > 2*remindBefore:
		v.RemindAt = v.Deadline.Add(-remindBefore)
	default:
		v.RemindAt = v.Deadline.Add(-left / 2)
	}
	return checkText("Name", v.Name, maxReviewName)
}

// StartAccessReview begins a review of what people have now, and tells the owners. What comes later
// is not in it. It fails with PermissionSetNotFound, AccountNotFound, NothingToReview,
// QuotaExceeded or a code of kind Invalid.
func (c *Center) StartAccessReview(ctx context.Context, by audit.Actor, v AccessReview) (AccessReview, error) {
	v.ID = c.NewID()
	err := c.change(ctx, by, ActionStartAccessReview, func(tx Tx) (string, error) {
		now, err := c.clock(tx)
		if err != nil {
			return v.Name, err
		}
		v.State = ReviewOpen
		v.CreatedAt, v.CreatedBy = now, by.Name
		v.ClosedAt, v.ClosedBy = time.Time{}, ""
		if err := v.check(now); err != nil {
			return v.Name, err
		}
		reviews, err := tx.AccessReviews(0)
		open := 0
		for _, other := range reviews {
			if other.State != ReviewClosed {
				open++
			}
		}
		if err == nil && open >= maxOpenReviews {
			err = &refusal.Error{Code: QuotaExceeded, Subject: v.Name, Detail: "at most 50 reviews are open at a time"}
		}
		if err != nil {
			return v.Name, err
		}
		lines, err := linesOf(tx, v)
		switch {
		case err != nil:
			return v.Name, err
		case len(lines) == 0:
			return v.Name, &refusal.Error{Code: NothingToReview, Subject: v.Name}
		case len(lines) > maxReviewLines:
			return v.Name, &refusal.Error{
				Code: QuotaExceeded, Subject: v.Name,
				Detail: fmt.Sprintf("%d lines; a review has at most %d: review one permission set or account at a time",
					len(lines), maxReviewLines),
			}
		}
		return v.subject(), errors.Join(
			tx.PutAccessReview(v), tx.PutReviewLines(lines), c.tellOwners(tx, NoticeReviewStarted, v),
		)
	})
	wake(c.noticeWork)
	return v, err
}

// AccessReviews lists reviews, newest first, at most 100.
func (c *Center) AccessReviews(ctx context.Context) (list []AccessReview, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		list, err = r.AccessReviews(reviewsShown)
		return err
	})
	return list, err
}

// AccessReview returns one review, or AccessReviewNotFound.
func (c *Center) AccessReview(ctx context.Context, id string) (v AccessReview, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		v, err = r.AccessReview(id)
		return refusal.IfNoRow(err, AccessReviewNotFound, id)
	})
	return v, err
}

// CountOpenReviewLines says how many lines of reviews somebody has to decide on still.
func (c *Center) CountOpenReviewLines(ctx context.Context) (n int, err error) {
	err = c.Store.Get(ctx, func(r Reader) (err error) {
		n, err = r.CountReviewLines(ReviewLineQuery{State: LineOpen})
		return err
	})
	return n, err
}
