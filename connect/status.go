package connect

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
)

// JobStatus is how a provisioning job of an application stands, for programs: fields are added,
// never changed.
type JobStatus struct {
	Application string `json:"application"`
	Job         string `json:"job"`
	Code        string `json:"code"` // Active, Paused, Quarantine, NotRun or NotConfigured
	// InStep says whether the target is known to have what the directory has; null where the tenant
	// does not say, as Microsoft's does not.
	InStep     *bool      `json:"in_step"`
	Since      *time.Time `json:"since,omitempty"`
	Uncertain  int        `json:"uncertain"`
	Failing    int        `json:"failing"`
	Pending    int        `json:"pending"`
	ComparedAt *time.Time `json:"compared_at,omitempty"`
	LastCycle  string     `json:"last_cycle,omitempty"`
	LastEnded  *time.Time `json:"last_ended,omitempty"`
	Quarantine string     `json:"quarantine,omitempty"` // the reason
}

// Status reads how the provisioning jobs of an application stand.
func Status(ctx context.Context, g *graph.Client, application string) ([]JobStatus, error) {
	found, err := graph.All[graph.ServicePrincipal](
		ctx, g, "/servicePrincipals"+graph.Filter("displayName", application),
	)
	if err != nil {
		return nil, fmt.Errorf("find the application %q: %w", application, explain(err))
	}
	list := []JobStatus{}
	for _, principal := range found {
		jobs, err := graph.All[graph.SynchronizationJob](
			ctx, g, "/servicePrincipals/"+url.PathEscape(principal.ID)+"/synchronization/jobs",
		)
		if err != nil {
			return nil, fmt.Errorf("read the provisioning jobs of %q: %w", application, explain(err))
		}
		for _, j := range jobs {
			list = append(list, jobStatus(principal.DisplayName, j))
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("no application %q has a provisioning job: give its name with --name", application)
	}
	return list, nil
}

func jobStatus(application string, j graph.SynchronizationJob) JobStatus {
	out := JobStatus{Application: application, Job: j.ID}
	if j.Status == nil {
		return out
	}
	out.Code = j.Status.Code
	if q := j.Status.Quarantine; q != nil {
		out.Quarantine = q.Reason
	}
	if x := j.Status.LastExecution; x != nil {
		out.LastCycle, out.LastEnded = x.State, at(x.TimeEnded)
	}
	if s := j.Status.InStep; s != nil {
		out.InStep, out.Since = &s.Equal, at(s.Since)
		out.Uncertain = s.Uncertain
		out.Failing = s.Failing
		out.Pending = s.Pending
		out.ComparedAt = at(s.ComparedAt)
	}
	return out
}

// at is a time, or nil for none.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Lines say it to a person.
func (s JobStatus) Lines() []string {
	text := s.Application + ": "
	switch {
	case s.InStep == nil:
		text += "this tenant does not say whether the two sides are in step"
	case *s.InStep:
		text += "in step since " + stamp(s.Since)
	default:
		text += names.Counted(
			"not in step since %s: %d uncertain, %d failing, %d {change|changes} pending", stamp(s.Since), s.Uncertain,
			s.Failing, s.Pending,
		)
	}
	lines := []string{text}
	if s.InStep != nil {
		lines = append(lines, "  compared with what the target has: "+stamp(s.ComparedAt))
	}
	last := "  no cycle has run yet"
	if s.LastCycle != "" {
		last = "  last cycle: " + s.LastCycle + ", ended " + stamp(s.LastEnded)
	}
	lines = append(lines, last)
	if s.Quarantine != "" {
		lines = append(lines, "  in quarantine: "+s.Quarantine)
	}
	return lines
}

func stamp(t *time.Time) string {
	if t == nil {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
