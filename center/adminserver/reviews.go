package adminserver

import (
	"context"
	"errors"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
)

// reviewOperations are those on reviews of access.
func (h *Handler) reviewOperations() []awsapi.Operation {
	return []awsapi.Operation{
		awsapi.Op("ListAccessOwners", awsapi.Reads, h.listOwners),
		awsapi.Op("PutAccessOwner", awsapi.Changes, h.putOwner),
		awsapi.Op("DeleteAccessOwner", awsapi.Changes, h.deleteOwner),
		awsapi.Op("StartAccessReview", awsapi.Changes, h.startReview),
		awsapi.Op("ListAccessReviews", awsapi.Reads, h.listReviews),
		awsapi.Op("ListReviewLines", awsapi.Reads, h.listLines),
		awsapi.Op("DecideReview", awsapi.Changes, h.decideReview),
		awsapi.Op("CloseAccessReview", awsapi.Changes, h.closeReview),
	}
}

func (h *Handler) listOwners(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.AccessOwners, error) {
	list, err := h.Center.AccessOwners(ctx)
	out, n := adminapi.AccessOwners{Owners: []adminapi.AccessOwner{}}, h.namer(ctx)
	for _, o := range list {
		out.Owners = append(out.Owners, adminapi.AccessOwner{
			PermissionSetARN: o.PermissionSetARN, AccountID: o.AccountID, OwnerType: string(o.Owner.Type),
			OwnerID: o.Owner.ID, PermissionSetName: n.set(o.PermissionSetARN), AccountName: n.account(o.AccountID),
			OwnerName: n.principal(string(o.Owner.Type), o.Owner.ID),
		})
	}
	return out, errors.Join(err, n.err)
}

func (h *Handler) putOwner(
	ctx context.Context, who awsapi.Caller, in adminapi.AccessOwner,
) (adminapi.None, error) {
	owner, e1 := h.principalNamed(ctx, in.OwnerType, in.OwnerID)
	set, e2 := h.optionalSet(ctx, in.PermissionSetARN)
	account, e3 := h.accountNamed(ctx, in.AccountID)
	if err := errors.Join(e1, e2, e3); err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.PutAccessOwner(ctx, awsdoor.Actor(who), center.AccessOwner{
		PermissionSetARN: set, AccountID: account,
		Owner: center.Principal{Type: center.PrincipalType(in.OwnerType), ID: owner},
	})
}

// optionalSet is setNamed where there may be none.
func (h *Handler) optionalSet(ctx context.Context, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return h.setNamed(ctx, text)
}

func (h *Handler) deleteOwner(
	ctx context.Context, who awsapi.Caller, in adminapi.AccessOwner,
) (adminapi.None, error) {
	set, e1 := h.optionalSet(ctx, in.PermissionSetARN)
	account, e2 := h.accountNamed(ctx, in.AccountID)
	if err := errors.Join(e1, e2); err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.DeleteAccessOwner(ctx, awsdoor.Actor(who), set+account)
}

func (h *Handler) startReview(
	ctx context.Context, who awsapi.Caller, in adminapi.AccessReview,
) (adminapi.AccessReview, error) {
	set, e1 := h.optionalSet(ctx, in.PermissionSetARN)
	account, e2 := h.accountNamed(ctx, in.AccountID)
	if err := errors.Join(e1, e2); err != nil {
		return in, err
	}
	v, err := h.Center.StartAccessReview(ctx, awsdoor.Actor(who), center.AccessReview{
		Name: in.Name, PermissionSetARN: set, AccountID: account, Administrative: in.Administrative,
		EndUnconfirmed: in.EndUnconfirmed, Deadline: in.Deadline, RestoreDays: in.RestoreDays,
	})
	return h.ShowReview(v), err
}

func (h *Handler) listReviews(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.AccessReviews, error) {
	list, err := h.Center.AccessReviews(ctx)
	out := adminapi.AccessReviews{Reviews: []adminapi.AccessReview{}}
	for _, v := range list {
		out.Reviews = append(out.Reviews, h.ShowReview(v))
	}
	return out, err
}

func (h *Handler) listLines(
	ctx context.Context, _ awsapi.Caller, in adminapi.ReviewInput,
) (adminapi.ReviewLines, error) {
	id, err := h.reviewNamed(ctx, in.ReviewID)
	if err == nil {
		_, err = h.Center.AccessReview(ctx, id)
	}
	if err != nil {
		return adminapi.ReviewLines{}, err
	}
	list, err := h.Center.ReviewLines(ctx, center.ReviewLineQuery{
		ReviewID: id, State: center.LineState(in.State), After: in.After,
	})
	return h.ShowReviewLines(list), err
}

func (h *Handler) decideReview(
	ctx context.Context, who awsapi.Caller, in adminapi.DecideReviewInput,
) (adminapi.ReviewLines, error) {
	id, err := h.reviewNamed(ctx, in.ReviewID)
	if err != nil {
		return adminapi.ReviewLines{}, err
	}
	done, err := h.Center.DecideReview(
		ctx, awsdoor.Actor(who), "", id, center.ReviewVerdict(in.Verdict), in.Lines, in.Comment,
	)
	return h.ShowReviewLines(center.DecidedLines(done)), err
}

func (h *Handler) closeReview(
	ctx context.Context, who awsapi.Caller, in adminapi.ReviewInput,
) (adminapi.AccessReview, error) {
	id, err := h.reviewNamed(ctx, in.ReviewID)
	if err != nil {
		return adminapi.AccessReview{}, err
	}
	v, err := h.Center.CloseAccessReview(ctx, awsdoor.Actor(who), id, in.Keep)
	return h.ShowReview(v), err
}
