package console

import (
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

// accessLine is what the dashboard says of access: how much of it stands, and what waits.
type accessLine struct {
	Standing int    // people who can administer an account without asking
	Open     int    // requests that may still give access, or do
	Reviews  int    // lines of reviews that wait for an owner or an administrator
	Approval string // how long the last requests waited for approval, in the middle
}

func lineOfAccess(p page) (l accessLine, err error) {
	if l.Standing, err = p.h.Center.StandingAdministrators(p.Context()); err != nil {
		return l, err
	}
	if l.Reviews, err = p.h.Center.CountOpenReviewLines(p.Context()); err != nil {
		return l, err
	}
	count, err := p.h.Center.CountAccess(p.Context())
	l.Open = count.Open()
	l.Approval = untilApproval(count)
	return l, err
}

func untilApproval(count center.AccessCount) string {
	switch {
	case count.Approval == 0:
		return "–"
	case count.Approval < time.Minute:
		return "< 1 min"
	}
	return web.Length(count.Approval.Round(time.Minute))
}
