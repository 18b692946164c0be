package center

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// ShownLine is a line of a review with what helps to decide on it.
type ShownLine struct {
	ReviewLine
	OwnerName  string    // empty: administrators, or the owner is deleted
	LastUsed   time.Time // when credentials were last got by it; zero: never, or before that was noted
	LastUsedBy string    // who did
	Members    int       // of the group that has it
	Disabled   bool      // the user who has it is disabled
}

// ReviewLines lists lines, at most 200, with evidence as it is now.
func (c *Center) ReviewLines(ctx context.Context, q ReviewLineQuery) (list []ShownLine, err error) {
	if q.Limit <= 0 || q.Limit > reviewLinesAtOnce {
		q.Limit = reviewLinesAtOnce
	}
	err = c.Store.View(ctx, func(r Reader) error {
		list, err = shownLines(r, q)
		return err
	})
	return list, err
}

func shownLines(r Reader, q ReviewLineQuery) ([]ShownLine, error) {
	lines, err := r.ReviewLines(q)
	if err != nil {
		return nil, err
	}
	list := make([]ShownLine, len(lines))
	f := lineFinder{r: r, named: map[Principal]string{}}
	for i, l := range lines {
		list[i].ReviewLine = l
		if l.Owner.ID != "" {
			if list[i].OwnerName, err = f.name(l.Owner); err != nil {
				return nil, err
			}
		}
		if err := list[i].evidence(r, f); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// evidence reads when what a line gives was used last, and who has it.
func (l *ShownLine) evidence(r Reader, f lineFinder) error {
	a := l.Assignment
	q := RoleUseQuery{AccountID: a.AccountID, PermissionSetARN: a.PermissionSetARN}
	if a.PrincipalType == PrincipalGroup {
		q.Group = GroupID(a.PrincipalID)
		n, err := r.CountMemberships(MembershipQuery{GroupID: q.Group})
		if err != nil {
			return err
		}
		l.Members = n
	} else {
		q.User = UserID(a.PrincipalID)
		u, err := r.User(q.User)
		if err != nil && !errors.Is(err, refusal.ErrNoRow) {
			return err
		}
		l.Disabled = err == nil && !u.Active
	}
	use, err := r.LastRoleUse(q)
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	if err == nil {
		l.LastUsed = use.At
		l.LastUsedBy, err = f.name(Principal{PrincipalUser, string(use.UserID)})
	}
	return err
}

// OwnReview is a review as an owner sees it.
type OwnReview struct {
	AccessReview
	Open  int // lines that wait for this person
	Lines []ShownLine
}

// OwnReviews lists the reviews that are open in which somebody owns lines, the next deadline last,
// with those lines: at most 200 of each, the open ones after a key first.
func (c *Center) OwnReviews(ctx context.Context, user UserID, after string) (list []OwnReview, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		list = nil
		groups, e1 := r.GroupsOf(user)
		reviews, e2 := r.AccessReviews(0)
		if err := errors.Join(e1, e2); err != nil {
			return err
		}
		owners := []Principal{{PrincipalUser, string(user)}}
		for _, g := range groups {
			owners = append(owners, Principal{PrincipalGroup, string(g.ID)})
		}
		for _, v := range reviews {
			if v.State != ReviewOpen {
				continue
			}
			q := ReviewLineQuery{ReviewID: v.ID, Owners: owners, After: after, Limit: reviewLinesAtOnce}
			lines, e1 := shownLines(r, q)
			q.After, q.State = "", LineOpen
			open, e2 := r.CountReviewLines(q)
			if err := errors.Join(e1, e2); err != nil {
				return err
			}
			if len(lines) > 0 {
				list = append(list, OwnReview{v, open, lines})
			}
		}
		return nil
	})
	return list, err
}

// ReviewColumns are the columns of a review's export, and Cells those of a line.
var ReviewColumns = []string{
	"Line", "Permission set", "Account", "Account ID", "Who", "Type", "ID", "Way", "Members", "Until", "Last used",
	"Last used by", "Owner", "State", "Decided by", "Decided at", "Comment", "Removing",
}

// Cells are a line in the order of ReviewColumns.
func (l ShownLine) Cells() []string {
	moment := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	members := ""
	if l.Assignment.PrincipalType == PrincipalGroup {
		members = strconv.Itoa(l.Members)
	}
	return []string{
		l.Key, l.PermissionSetName, l.AccountName, l.Assignment.AccountID, l.PrincipalName,
		string(l.Assignment.PrincipalType), l.Assignment.PrincipalID, string(l.Way), members, moment(l.Until),
		moment(l.LastUsed), l.LastUsedBy, l.OwnerName, string(l.State), l.DecidedBy, moment(l.DecidedAt), l.Comment,
		l.Removal(),
	}
}

// DecidedLines are lines without evidence.
func DecidedLines(lines []ReviewLine) []ShownLine {
	list := make([]ShownLine, len(lines))
	for i, l := range lines {
		list[i].ReviewLine = l
	}
	return list
}
