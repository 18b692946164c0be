package requestserver

import (
	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// ownReviews are the reviews in which somebody owns lines.
func ownReviews(c call, in adminapi.ReviewInput) (any, error) {
	list, err := c.center.OwnReviews(c, c.user.ID, in.After)
	out := adminapi.AccessReviews{Reviews: []adminapi.AccessReview{}}
	id := in.ReviewID
	if err == nil && id != "" {
		id, err = ownNamed(list, id)
	}
	if err != nil {
		return out, err
	}
	for _, v := range list {
		if id != "" && id != v.ID {
			continue
		}
		one := ShowReview(v.AccessReview)
		one.Waiting, one.Lines = v.Open, ShowReviewLines(v.Lines).Lines
		out.Reviews = append(out.Reviews, one)
	}
	return out, nil
}

// ownNamed takes the name of a review in which somebody owns lines.
func ownNamed(list []center.OwnReview, text string) (id string, err error) {
	return center.OnlyNamed(list, text, "reviews", func(v center.OwnReview) (id, name string) { return v.ID, v.Name })
}

func decideReview(c call, in adminapi.DecideReviewInput) (any, error) {
	id := in.ReviewID
	if _, err := c.center.AccessReview(c, id); refusal.CodeOf(err) == center.AccessReviewNotFound {
		list, err := c.center.OwnReviews(c, c.user.ID, "") // with their lines, which an id does not need
		if err != nil {
			return nil, err
		}
		if id, err = ownNamed(list, id); err != nil {
			return nil, err
		}
	}
	done, err := c.center.DecideReview(
		c, c.by, c.user.ID, id, center.ReviewVerdict(in.Verdict), in.Lines, in.Comment,
	)
	return ShowReviewLines(center.DecidedLines(done)), err
}

// ShowReview is a review on the wire.
func ShowReview(v center.AccessReview) adminapi.AccessReview {
	return adminapi.AccessReview{
		ReviewID: v.ID, Name: v.Name, PermissionSetARN: v.PermissionSetARN, AccountID: v.AccountID,
		Administrative: v.Administrative, EndUnconfirmed: v.EndUnconfirmed, Deadline: v.Deadline,
		RestoreDays: v.RestoreDays, State: string(v.State), CreatedAt: v.CreatedAt, CreatedBy: v.CreatedBy,
		ClosedAt: v.ClosedAt, ClosedBy: v.ClosedBy,
	}
}

// ShowReviewLines are lines of a review on the wire.
func ShowReviewLines(list []center.ShownLine) adminapi.ReviewLines {
	out := adminapi.ReviewLines{Columns: center.ReviewColumns, Lines: []adminapi.ReviewLine{}}
	for _, l := range list {
		a := l.Assignment
		out.Lines = append(out.Lines, adminapi.ReviewLine{
			Line: l.Key, PermissionSet: l.PermissionSetName, PermissionSetARN: a.PermissionSetARN,
			AccountID: a.AccountID, AccountName: l.AccountName, PrincipalType: string(a.PrincipalType),
			PrincipalID: a.PrincipalID, PrincipalName: l.PrincipalName, Way: string(l.Way), Members: l.Members,
			Disabled: l.Disabled, Until: l.Until, LastUsed: l.LastUsed, LastUsedBy: l.LastUsedBy, Owner: l.OwnerName,
			State: string(l.State), DecidedBy: l.DecidedBy, DecidedAt: l.DecidedAt, Comment: l.Comment,
			Removing: l.Removal(), Cells: l.Cells(),
		})
	}
	return out
}
