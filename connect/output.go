package connect

import (
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

// Output is what was planned and proved, for programs: fields are added, never changed.
type Output struct {
	Changes  int            `json:"changes"`
	Steps    []StepOutput   `json:"steps"`
	Effects  map[string]int `json:"effects"` // of the change of the identity source, by effect
	Verified bool           `json:"verified"`
	Checks   []string       `json:"checks"`
	Users    int            `json:"users"`
	Groups   int            `json:"groups"`
	Failures []Failure      `json:"failures"`
	People   *People        `json:"people,omitempty"` // what becomes of everybody
	Notes    []string       `json:"notes,omitempty"`
	Open     []string       `json:"open,omitempty"` // what is not proved yet
	Expires  []Expiry       `json:"expires,omitempty"`
	Next     []string       `json:"next,omitempty"`     // what a person does so that it goes on
	Snapshot string         `json:"snapshot,omitempty"` // the file of what was there before
}

// Expiry is something that ends.
type Expiry struct {
	What string    `json:"what"`
	At   time.Time `json:"at"`
}

// StepOutput is a step of the plan.
type StepOutput struct {
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Done   bool   `json:"done"`
}

// Describe says what was planned, and with a result what was proved. changes is how many steps were
// to be done.
func (p *Plan) Describe(changes int, r *Result) Output {
	out := Output{Changes: changes, Effects: p.Report.Counts, Checks: []string{}, Failures: []Failure{}}
	for _, s := range p.Steps {
		out.Steps = append(out.Steps, StepOutput{s.Title, s.Detail, s.Done})
	}
	out.People, out.Notes = p.People, p.Notes
	out.Snapshot = p.kept
	if r == nil {
		return out
	}
	out.Open, out.Expires = r.Open, r.Expires
	out.Next = r.Next
	out.Verified = true
	out.Users = r.Users
	out.Groups = r.Groups
	out.Failures = append(out.Failures, r.Failures...)
	for _, c := range r.Checks {
		out.Checks = append(out.Checks, c.Title)
	}
	return out
}

// Effect is what a change of the identity source does to some of the center's users.
type Effect struct {
	Users       int
	Explanation string
}

// Whoever loses access, and who goes on.
var (
	losing = []string{"StopsWorking", "MatchesNobody"}
	going  = []string{"SignsInAtIdP", "SignsInAtNewIdP"}
)

// Effects are what the change of the identity source does, the worst first.
func (p *Plan) Effects() (effects []Effect) {
	for _, name := range append(slices.Clone(losing), going...) {
		n := p.Report.Counts[name]
		if n == 0 {
			continue
		}
		explanation := name
		for _, u := range p.Report.Users {
			if u.Effect == name {
				explanation = u.Explanation
				break
			}
		}
		effects = append(effects, Effect{n, explanation})
	}
	return effects
}

// Losing are the first of the users who lose access, most at a time.
func (p *Plan) Losing(most int) (users []adminapi.UserEffect) {
	for _, u := range p.Report.Users {
		if slices.Contains(losing, u.Effect) && len(users) < most {
			users = append(users, u)
		}
	}
	return users
}
