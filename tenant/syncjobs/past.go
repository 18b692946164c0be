package syncjobs

import (
	"context"
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Remembers implements provisioning.Historian: by the log of the job, and of jobs that are no more;
// by the links of targets that these have left; by the links of those that write to the same
// target; and by the journal of the directory.
func (m memory) Remembers(
	ctx context.Context, claims []provisioning.Claim,
) (past map[provisioning.Ref]provisioning.Past, err error) {
	err = m.tenant.Store.View(ctx, func(r tenant.Reader) error {
		past = map[provisioning.Ref]provisioning.Past{}
		jobs, e1 := r.Jobs("")
		marks, _, e2 := r.Marks(0)
		proof, e3 := m.proof(r, jobs, claims)
		if err := errors.Join(e1, e2, e3); err != nil {
			return err
		}
		seen := map[tenant.Mark]bool{}
		for _, mark := range marks {
			seen[mark] = true
		}
		neighbors := m.neighbors(jobs)
		for _, claim := range claims {
			mark := markOf(claim.Ref)
			if seen[mark] {
				past[claim.Ref] = provisioning.Seen
			}
			if proven := proof.of(claim); proven != provisioning.Unknown {
				past[claim.Ref] = proven
			}
			for _, j := range neighbors {
				_, unlinked := r.LinkTo(j.ID, mark.Kind, claim.TargetID)
				switch {
				case unlinked == nil:
					past[claim.Ref] = provisioning.Others
				case !errors.Is(unlinked, refusal.ErrNoRow):
					return unlinked
				}
			}
		}
		return nil
	})
	return past, err
}

// neighbors are the other jobs that write to the same target.
func (m memory) neighbors(jobs []tenant.Job) (list []tenant.Job) {
	at := slices.IndexFunc(jobs, func(j tenant.Job) bool { return j.ID == m.job })
	for i, j := range jobs {
		if at >= 0 && i != at && j.Credentials.SameTarget(jobs[at].Credentials) {
			list = append(list, j)
		}
	}
	return list
}

// proof is who was written by a job, or by those that are no more: with their ids at the target.
type proof struct {
	written map[tenant.Written]bool
	adopted map[tenant.Written]bool // those that were there before
	maybe   map[tenant.Mark]bool    // who may have been made, under whatever id
}

func (p proof) of(claim provisioning.Claim) provisioning.Past {
	mark := markOf(claim.Ref)
	w := tenant.Written{Mark: mark, TargetID: claim.TargetID}
	switch {
	case p.written[w], p.maybe[mark]:
		return provisioning.Written
	case p.adopted[w]:
		return provisioning.TakenOver
	}
	return provisioning.Unknown
}

// unlikely is how long an id is, at least, that two targets do not give to two objects. Shorter
// ones may be numbers, with which each service begins at one.
const unlikely = 16 //bound:none of a comparison

// proof gathers what proves who was written at the target that the job has now. An id that was
// given at another one proves nothing where it may be somebody else's here.
func (m memory) proof(r tenant.Reader, jobs []tenant.Job, claims []provisioning.Claim) (p proof, err error) {
	p = proof{map[tenant.Written]bool{}, map[tenant.Written]bool{}, map[tenant.Mark]bool{}}
	written, e1 := r.Written()
	formers, e2 := r.Formers()
	if err := errors.Join(e1, e2); err != nil {
		return p, err
	}
	others := map[tenant.JobID]bool{}
	here := ""
	for _, j := range jobs {
		if others[j.ID] = j.ID != m.job; j.ID == m.job {
			here = j.LinkedTo
		}
	}
	been := map[tenant.JobID]bool{}      // which of those that are no more have written here
	elsewhere := map[tenant.JobID]bool{} // which have written to another target
	for _, f := range formers {
		if others[f.JobID] {
			continue
		}
		same := f.Place == here && here != ""
		been[f.JobID] = been[f.JobID] || same
		elsewhere[f.JobID] = elsewhere[f.JobID] || !same
		links, err := r.Links(f.Links())
		if err != nil {
			return p, err
		}
		for _, l := range links {
			into := p.written
			if l.Adopted {
				into = p.adopted
			}
			if same || len(l.TargetID) >= unlikely {
				into[tenant.Written{Mark: tenant.Mark{Kind: l.Kind, ID: l.SourceID}, TargetID: l.TargetID}] = true
			}
		}
	}
	renamed := slices.ContainsFunc(claims, func(c provisioning.Claim) bool { // it is the same service
		return len(c.TargetID) >= unlikely && p.of(c) != provisioning.Unknown
	})
	for _, w := range written {
		own := w.JobID == m.job && (!elsewhere[m.job] || renamed)
		switch {
		case others[w.JobID]:
		case w.TargetID == "":
			if own {
				p.maybe[w.Mark] = true
			}
		case own, been[w.JobID] && !elsewhere[w.JobID], len(w.TargetID) >= unlikely:
			w.JobID = ""
			p.written[w] = true
		}
	}
	return p, nil
}
