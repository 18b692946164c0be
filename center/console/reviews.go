package console

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
)

const reviewsPath = "/console/access-reviews"

// reviewPages are the pages on reviews of access.
var reviewPages = map[string]action{
	"GET /console/access-reviews":              accessReviews,
	"POST /console/access-reviews":             startReview,
	"POST /console/access-reviews/owners":      putOwner,
	"GET /console/access-reviews/{id}":         accessReview,
	"POST /console/access-reviews/{id}/decide": decideReview,
	"POST /console/access-reviews/{id}/close":  closeReview,
}

// ownerLine is an owner with names.
type ownerLine struct{ Of, Owner string }

type reviewsData struct {
	Reviews  []center.AccessReview
	Owners   []ownerLine
	Accounts []center.Account
	Sets     []center.PermissionSet
	Today    string
}

func accessReviews(p page) (err error) {
	ctx, c := p.Context(), p.h.Center
	d := reviewsData{Today: c.Now().UTC().Format(time.DateOnly)}
	if d.Reviews, err = c.AccessReviews(ctx); err != nil {
		return err
	}
	if d.Accounts, err = c.Accounts(ctx); err != nil {
		return err
	}
	if d.Sets, err = c.PermissionSets(ctx, center.PermissionSetQuery{}); err != nil {
		return err
	}
	owners, err := c.AccessOwners(ctx)
	if err != nil {
		return err
	}
	of := map[string]string{}
	for _, s := range d.Sets {
		of[s.ARN] = s.Name
	}
	for _, a := range d.Accounts {
		of[a.ID] = a.Name + " (" + a.ID + ")"
	}
	for _, o := range owners {
		name, err := p.principalName(center.Assignment{PrincipalType: o.Owner.Type, PrincipalID: o.Owner.ID})
		if err != nil {
			return err
		}
		d.Owners = append(d.Owners, ownerLine{of[o.Of()], name})
	}
	return p.Render("access-reviews", "Reviews of access", reviewsPath, d)
}

func startReview(p page) error {
	form := p.PostFormValue
	until, err := time.Parse(time.DateOnly, form("until"))
	if err != nil {
		return &refusal.Error{Code: center.InvalidValue, Field: "Deadline", Detail: "use a date"}
	}
	v, err := p.h.Center.StartAccessReview(p.Context(), p.by, center.AccessReview{
		Name: strings.TrimSpace(form("name")), PermissionSetARN: form("set"), AccountID: form("account"),
		Administrative: form("administrative") == "on", EndUnconfirmed: form("end") == "on",
		Deadline: until.Add(24*time.Hour - time.Second), // the whole day
	})
	if err != nil {
		return err
	}
	return p.Done(reviewsPath+"/"+v.ID, "The review has begun. Its owners are told.")
}

// putOwner sets an owner, or with an empty name takes it away.
func putOwner(p page) error {
	form := p.PostFormValue
	o := center.AccessOwner{PermissionSetARN: form("set"), AccountID: form("account")}
	name := strings.TrimSpace(form("owner"))
	if name == "" {
		if err := p.h.Center.DeleteAccessOwner(p.Context(), p.by, o.Of()); err != nil {
			return err
		}
		return p.Done(reviewsPath, "Administrators review it now.")
	}
	o.Owner.Type = center.PrincipalType(form("type"))
	id, err := p.principalByName(o.Owner.Type, name)
	if err != nil {
		return err
	}
	o.Owner.ID = id
	if err := p.h.Center.PutAccessOwner(p.Context(), p.by, o); err != nil {
		return err
	}
	return p.Done(reviewsPath, name+" reviews it from the next review on.")
}

type accessReviewData struct {
	Review center.AccessReview
	Lines  []center.ShownLine
	Open   int
	Next   string // address of the next page
	File   string // address of the whole as a file
}

func accessReview(p page) (err error) {
	ctx, c := p.Context(), p.h.Center
	d := accessReviewData{File: "?format=csv"}
	if d.Review, err = c.AccessReview(ctx, p.PathValue("id")); err != nil {
		return err
	}
	q := center.ReviewLineQuery{ReviewID: d.Review.ID, After: p.URL.Query().Get("after"), Limit: pageSize}
	if p.Exports() {
		return p.Export("access-review", center.ReviewColumns, func(row func(...string) error) error {
			return p.eachLine(q.ReviewID, row)
		})
	}
	if d.Lines, err = c.ReviewLines(ctx, q); err != nil {
		return err
	}
	if len(d.Lines) == pageSize {
		d.Next = "?" + url.Values{"after": {d.Lines[pageSize-1].Key}}.Encode()
	}
	return p.Render("access-review", d.Review.Name, reviewsPath, d)
}

// eachLine hands over all lines of a review.
func (p page) eachLine(review string, row func(...string) error) error {
	q := center.ReviewLineQuery{ReviewID: review}
	for {
		list, err := p.h.Center.ReviewLines(p.Context(), q)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, l := range list {
			if err := row(l.Cells()...); err != nil {
				return err
			}
		}
		q.After = list[len(list)-1].Key
	}
}

func decideReview(p page) error {
	if err := p.ParseForm(); err != nil {
		return &refusal.Error{Code: center.InvalidRequest, Detail: "the form cannot be read"}
	}
	lines, err := p.h.Center.DecideReview(
		p.Context(), p.by, "", p.PathValue("id"), center.ReviewVerdict(p.PostFormValue("verdict")),
		p.PostForm["line"], strings.TrimSpace(p.PostFormValue("comment")),
	)
	if err != nil {
		return err
	}
	return p.Done(reviewsPath+"/"+p.PathValue("id"), strconv.Itoa(len(lines))+" decided.")
}

func closeReview(p page) error {
	keep := p.PostFormValue("keep") == "on"
	if _, err := p.h.Center.CloseAccessReview(p.Context(), p.by, p.PathValue("id"), keep); err != nil {
		return err
	}
	return p.Done(reviewsPath+"/"+p.PathValue("id"), "The review closes.")
}
