package portal

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

// reviewsPath is the page on which owners review who has what.
const reviewsPath = "/start/reviews"

// mountReviews adds the pages on reviews of access.
func (h *Handler) mountReviews(mux *http.ServeMux) {
	mux.Handle("GET "+reviewsPath, h.RequireUser(h.reviews))
	mux.Handle("POST "+reviewsPath+"/{id}", h.RequireUser(h.decideReview))
}

// ownReviewsPage is what the page shows.
type ownReviewsPage struct {
	Reviews []center.OwnReview
	After   string // the page is the one after this line
}

// Next is the key after which the next page of a review begins, or "".
func (ownReviewsPage) Next(v center.OwnReview) string {
	const full = 200
	if len(v.Lines) < full {
		return ""
	}
	return v.Lines[len(v.Lines)-1].Key
}

func (h *Handler) reviews(w http.ResponseWriter, r *http.Request, u center.User) {
	h.showReviews(w, r, u, http.StatusOK, "")
}

func (h *Handler) showReviews(w http.ResponseWriter, r *http.Request, u center.User, status int, problem string) {
	d := ownReviewsPage{After: r.URL.Query().Get("after")}
	var err error
	if d.Reviews, err = h.Center.OwnReviews(r.Context(), u.ID, d.After); err != nil {
		h.fail(w, r, u, err)
		return
	}
	v := h.view(u, "Reviews", d)
	v.Active, v.Problem = reviewsPath, problem
	v.Notice = web.TakeNotice(w, r, h.Center.URL)
	h.pages.Render(w, status, "reviews", v)
}

// verdicts are what the buttons of the form say.
var verdicts = map[string]center.ReviewVerdict{
	"confirm": center.VerdictConfirm, "remove": center.VerdictRemove, "restore": center.VerdictRestore,
}

// decideReview carries out what a person says of the lines that are chosen.
func (h *Handler) decideReview(w http.ResponseWriter, r *http.Request, u center.User) {
	if err := r.ParseForm(); err != nil {
		h.showReviews(w, r, u, http.StatusBadRequest, "The form cannot be read.")
		return
	}
	lines, err := h.Center.DecideReview(
		r.Context(), h.actor(r, u), u.ID, r.PathValue("id"), verdicts[r.PostForm.Get("verdict")], r.PostForm["line"],
		strings.TrimSpace(r.PostForm.Get("comment")),
	)
	if err != nil {
		h.refuseReview(w, r, u, err)
		return
	}
	done := map[string]string{"confirm": "confirmed", "remove": "removed", "restore": "given back"}
	web.SetNotice(
		w, h.Center.URL, strconv.Itoa(len(lines))+" "+done[r.PostForm.Get("verdict")]+".",
	)
	to := reviewsPath
	if after := r.PostForm.Get("after"); after != "" {
		to += "?" + url.Values{"after": {after}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// refuseReview shows the page with what was refused, and why.
func (h *Handler) refuseReview(w http.ResponseWriter, r *http.Request, u center.User, err error) {
	status, text, known := refused(err)
	if !known {
		h.fail(w, r, u, err)
		return
	}
	h.showReviews(w, r, u, status, text)
}
