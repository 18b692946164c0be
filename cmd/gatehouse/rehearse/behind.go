package rehearse

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// behind is what another center has beside what AWS's APIs tell. It stays there.
type behind struct {
	admin *adminapi.Client
	// windows are the assignments that requests for access have made, with when that ends.
	windows map[center.Assignment]time.Time
	texts   []string
	unread  error // the requests could not be read
}

// lookBehind reads what stays at another center; nil: it is AWS, which tells nothing of that kind.
func lookBehind(ctx context.Context, c *adminapi.Client) (*behind, error) {
	if c == nil {
		return nil, nil
	}
	b := &behind{admin: c, windows: map[center.Assignment]time.Time{}}
	open, now := 0, time.Now()
	for before := ""; ; {
		list, err := c.AccessRequests(ctx, adminapi.ListAccessRequestsInput{Before: before})
		if err != nil {
			b.unread = err
			break
		}
		for _, r := range list {
			switch {
			case r.EndedAt.IsZero():
				open++
			case r.StartedAt.IsZero():
				continue
			}
			a := center.Assignment{
				AccountID: r.AccountID, PermissionSetARN: r.PermissionSetARN, PrincipalType: center.PrincipalUser,
				PrincipalID: r.UserID,
			}
			if end := r.EndsAt; end.After(b.windows[a]) && !r.StartedAt.IsZero() {
				b.windows[a] = end
			}
		}
		if len(list) == 0 || list[len(list)-1].RequestID == before { // or a center that has no pages
			break
		}
		before = list[len(list)-1].RequestID
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	running := 0
	for _, end := range b.windows {
		if end.After(now) {
			running++
		}
	}
	b.say(open, "open {request|requests} for access (%d of them in force)", running)
	b.count(ctx)
	return b, nil
}

// count says how much there is of the rest. What cannot be read is not counted: the note names it.
func (b *behind) count(ctx context.Context) {
	if list, err := b.admin.RequestPolicies(ctx); err == nil {
		b.say(len(list), "{policy|policies} of who may ask for access")
	}
	if list, err := b.admin.AccessReviews(ctx); err == nil {
		b.say(len(list), "access {review|reviews}")
	}
	if list, err := b.admin.Rules(ctx); err == nil {
		b.say(len(list), "assignment {rule|rules}; what {it has|they have} assigned is brought, and stays assigned")
	}
	if list, err := b.admin.Entitlements(ctx); err == nil {
		b.say(len(list), "{entitlement|entitlements} of account access")
	}
}

// lines say it.
func (b *behind) lines() []string {
	if b == nil {
		return nil
	}
	if b.unread != nil {
		return append(b.texts, "the requests for access, which could not be read ("+b.unread.Error()+"): what they "+
			"have given is brought, and would not end. End them there first, or remove the assignments here")
	}
	return b.texts
}

func (b *behind) say(n int, what string, more ...any) {
	if n > 0 {
		b.texts = append(b.texts, terminal.Counted("%d "+what, append([]any{n}, more...)...))
	}
}

// mostWays is how many ways of one person to their access are looked through.
const mostWays = 10_000 //bound:list ways of a person to access that an import looks through

// ends says until when an assignment is there, if nothing but a request for access has made it.
// What was read of the assignments may be older than its end.
func (b *behind) ends(ctx context.Context, a center.Assignment) (until time.Time, ends bool, err error) {
	until, ends = b.windows[a]
	if !ends {
		return until, false, nil
	}
	ways, _, err := b.admin.ListHeldAccess(ctx, adminapi.HeldAccessInput{UserID: a.PrincipalID}, mostWays)
	if err != nil {
		return until, true, fmt.Errorf("read whether access ends: %w", err)
	}
	for _, w := range ways {
		if w.AccountID == a.AccountID && w.PermissionSetARN == a.PermissionSetARN && w.GroupID == "" &&
			(w.ByHand || len(w.Rules) > 0) {
			return until, false, nil
		}
	}
	return until, true, nil
}
