package connect

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// logEach is how many looks at a job's state one look at the sign-in log costs: Graph answers the
// logs five times in ten seconds. Source: "Microsoft Graph service-specific throttling limits".
const logEach = 12 //bound:none how often, not how much

// ClockSkew is how far the tenant's clock and this machine's may be apart.
const ClockSkew = 2 * time.Minute //bound:none how far clocks may be apart

// signInLog is what was read of the log last.
type signInLog struct {
	read time.Time
	list []graph.SignIn
}

// SignIns reads the tenant's log of sign-ins to the application.
func (p *Plan) SignIns(ctx context.Context, since time.Time) (SignIns, error) {
	var out SignIns
	if time.Since(p.log.read) > logEach*p.cfg.PollEach {
		var page graph.Page[graph.SignIn]
		path := "/auditLogs/signIns" + graph.Filter("appDisplayName", p.State.Principal.DisplayName) + "&$top=50"
		if err := p.cfg.Graph.Do(ctx, http.MethodGet, path, nil, &page); err != nil {
			var refused *graph.Error
			if errors.As(err, &refused) && refused.Status == http.StatusForbidden {
				err = fmt.Errorf("%w: it needs AuditLog.Read.All and Entra ID P1 (%w)", ErrUnseen, err)
			}
			return out, err
		}
		p.log = signInLog{time.Now(), page.Value}
	}
	for _, s := range p.log.list { // the newest first
		at, err := time.Parse(time.RFC3339, s.CreatedDateTime)
		ours := s.AppID == "" || s.AppID == p.State.Principal.AppID
		if err != nil || !ours || at.Before(since.Add(-ClockSkew)) {
			continue
		}
		out.Seen++
		if at.After(out.Last) {
			out.Last = at
		}
		switch {
		case s.Status.ErrorCode == 0:
			if out.Succeeded++; out.Who == "" {
				out.Who, out.At = s.UserPrincipalName, at
			}
		case out.Refused == "":
			out.Refused = fmt.Sprintf("AADSTS%d: %s", s.Status.ErrorCode, s.Status.FailureReason)
		}
	}
	return out, nil
}
