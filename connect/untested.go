package connect

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
)

// untested adds what the center itself says of its access tokens, where nobody could test the one
// that the tenant has saved. That one of them is valid does not say that the tenant has it.
func (h *Health) untested(ctx context.Context, p *Plan) error {
	_, keeps := p.cfg.Center.(TokenKeeper) // what that remembers is no evidence
	if keeps || p.State.Job.ID == "" || !p.hidden(partTest) && !p.hidden(partSaved) {
		return nil
	}
	tokens, err := p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID)
	if err != nil {
		return err
	}
	now := p.cfg.Now()
	tokens = slices.DeleteFunc(tokens, func(t adminapi.BearerToken) bool { return !t.ExpirationTime.After(now) })
	const part, next = "Access token in the center", "gatehouse connect repair makes another"
	if len(tokens) == 0 {
		h.find(part, Broken, "there is none that is valid, so the tenant has none that works", next)
		return nil
	}
	last := lastUse(tokens)
	known := names.Counted("the center has %d {token|tokens} that {is|are} valid, and nobody has used {it|them}",
		len(tokens))
	if !last.IsZero() {
		known = names.Counted("the center has %d {token|tokens} that {is|are} valid, last used on %s by the tenant or "+
			"another client", len(tokens), clock(last))
	}
	wrote := p.lastWrote()
	if who := p.revoked(ctx, tokens, wrote); who != "" {
		known += ". " + who + ", perhaps the tenant's, and nothing says that the job has written since"
		if h.Condition == Converged {
			h.Condition = Unknown
		}
	}
	for i, u := range h.Unread {
		if u.Part == partTest || u.Part == partSaved {
			h.Unread[i].Detail += ": " + known
		}
	}
	if !wrote.IsZero() && last.Before(wrote.Add(-2*ClockSkew)) {
		h.find(part, Drifted, "the job's last cycle that wrote something began on "+clock(wrote)+", and none that is "+
			"valid was used since, so the tenant may have another one", "gatehouse connect repair tests it, and "+
			"replaces it if it does not work")
	}
	return nil
}

func lastUse(tokens []adminapi.BearerToken) (last time.Time) {
	for _, t := range tokens {
		if t.LastUsedTime != nil && t.LastUsedTime.After(last) {
			last = *t.LastUsedTime
		}
	}
	return last
}

// revoked says who has revoked an access token since the job has written something; empty: nobody
// has, or another one took its place at that time, or the center's log may not be read.
func (p *Plan) revoked(ctx context.Context, tokens []adminapi.BearerToken, wrote time.Time) string {
	log, keeps := p.cfg.Center.(searcher)
	if !keeps {
		return ""
	}
	var last adminapi.Event
	in := adminapi.SearchEvents{EventName: "DeleteBearerToken", Result: "Granted", MaxResults: 1}
	err := log.LookupEvents(ctx, in, func(e adminapi.Event) bool { last = e; return false })
	if err != nil || last.EventTime.IsZero() || wrote.After(last.EventTime) {
		return ""
	}
	for _, t := range tokens {
		if t.LastUsedTime != nil && t.CreationTime.After(last.EventTime.Add(-longestRun)) {
			return ""
		}
	}
	return cmp.Or(last.ActorName, "somebody") + " revoked one on " + clock(last.EventTime)
}

// lastWrote is when the last cycle began that wrote something to the center; zero where the tenant
// does not say. A cycle that has nothing to write needs no token.
func (p *Plan) lastWrote() (at time.Time) {
	s := p.State.Job.Status
	if s == nil {
		return at
	}
	for _, x := range []*graph.Execution{
		s.LastSuccessfulExecutionWithExports, s.LastSuccessfulExecution, s.LastExecution,
	} {
		if x != nil && x.CountExported > 0 && x.TimeBegan.After(at) {
			at = x.TimeBegan
		}
	}
	return at
}

// onlyUntested says whether all that could not be read is about the saved credentials.
func (h Health) onlyUntested() bool {
	return !slices.ContainsFunc(h.Unread, func(u Unread) bool { return u.Part != partTest && u.Part != partSaved })
}
