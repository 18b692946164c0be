// Package doctor says what is wrong between an Entra tenant and an IAM Identity Center, or that
// nothing is: Diagnose looks at facts that both sides gave, and asks nobody.
//
// Each check has a name, the sources that it needs, and findings: one sentence of fact, the cause,
// the values of both sides, the fix, and where the rule is written. A check whose sources did not
// answer says so, and which permission is missing. What is sound and often taken for broken has an
// explanation, which is no alarm.
//
// It may import adminapi, awsapi/trail, graph, names and provisioning/mapping.
package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// State is how bad a finding is.
type State string

// The states.
const (
	OK      State = "ok"      // sound; the finding explains what may look otherwise
	Warning State = "warning" // works, and will not for ever or not for everybody
	Broken  State = "broken"
	Unseen  State = "could not look"
)

// Stage is what a finding stops.
type Stage string

// The stages of a person's way, in their order. Setup concerns all of them.
const (
	Setup       Stage = "set-up"
	Scope       Stage = "scope"
	Provision   Stage = "provisioning"
	Memberships Stage = "memberships"
	SignInAt    Stage = "sign-in"
	Access      Stage = "access"
)

// Value is what one side has.
type Value struct {
	Where string `json:"where"`
	Value string `json:"value"`
}

// Fix is what to do about a finding.
type Fix struct {
	Do      string `json:"do"`
	Command string `json:"command,omitempty"`
	Link    string `json:"link,omitempty"`
}

// Finding is an answer of a check.
type Finding struct {
	Check     string   `json:"check"`
	Kind      string   `json:"kind,omitempty"` // which of the causes that the check knows
	State     State    `json:"state"`
	Stage     Stage    `json:"stage"`
	Fact      string   `json:"fact"`
	Cause     string   `json:"cause,omitempty"`
	Values    []Value  `json:"values,omitempty"`
	Fix       Fix      `json:"fix"`
	Reference string   `json:"reference,omitempty"`
	Subjects  []string `json:"subjects,omitempty"` // the first people, groups or accounts concerned
	Count     int      `json:"count,omitempty"`    // of all of them
	Behind    string   `json:"behind,omitempty"`   // the check whose finding explains this one
	Repairs   []Repair `json:"repairs,omitempty"`  // what an API can do about it

	concerns map[string]bool // everybody who is concerned, by name in lower case
	meant    int             // place among what the text that was asked about means; 0: not meant
	near     bool            // the person who was asked about lies behind this
	targets  []string        // attributes whose mappings are to be removed
}

// About is what somebody asks about. All of it may be empty.
type About struct {
	Person string `json:"person,omitempty"`
	Group  string `json:"group,omitempty"`
	Text   string `json:"text,omitempty"` // an error that a person saw, its number, or a complaint
}

// Check is one thing that doctor looks at.
type Check struct {
	Name  string
	Asks  string // what it finds, in one sentence
	Needs []Source
	Stage Stage
	// Behind are checks whose findings explain what this one finds.
	Behind    []string
	Reference string

	run func(*look, *answer)
}

// answer collects what a check finds.
type answer struct {
	check    Check
	findings []*Finding
}

func (a *answer) find(state State, kind, fact, cause string) *Finding {
	f := &Finding{
		Check: a.check.Name, Kind: kind, State: state, Stage: a.check.Stage, Fact: fact, Cause: cause,
		Reference: a.check.Reference,
	}
	a.findings = append(a.findings, f)
	return f
}

func (f *Finding) value(where, value string) *Finding {
	f.Values = append(f.Values, Value{where, cmp.Or(value, "(none)")})
	return f
}

func (f *Finding) fix(do, command, link string) *Finding {
	f.Fix = Fix{do, command, link}
	return f
}

// of names who is concerned. The finding shows the first few.
func (f *Finding) of(names ...string) *Finding {
	if f.concerns == nil {
		f.concerns = map[string]bool{}
	}
	for _, name := range names {
		if !f.concerns[fold(name)] {
			f.concerns[fold(name)] = true
			f.Count++
			if len(f.Subjects) < shown {
				f.Subjects = append(f.Subjects, name)
			}
		}
	}
	return f
}

// touch names who is concerned without being shown.
func (f *Finding) touch(names ...string) *Finding {
	if f.concerns == nil {
		f.concerns = map[string]bool{}
	}
	for _, name := range names {
		f.concerns[fold(name)] = true
	}
	return f
}

// shown bounds the names that a finding lists.
const shown = 10 //bound:list names that a finding of doctor lists

// Report is the diagnosis. The first finding is the most likely cause.
type Report struct {
	Findings []Finding `json:"findings"`
	// Steps is the way of the person or group that was asked about, through both sides.
	Steps []Step `json:"steps,omitempty"`
	// Sound are the checks that found nothing.
	Sound []string `json:"sound"`
}

// Worst is the state that counts for the exit code: Broken, Unseen or OK. What no public API has,
// and nobody can therefore look at, does not count.
func (r Report) Worst() State {
	worst := OK
	for _, f := range r.Findings {
		switch {
		case f.State == Broken:
			return Broken
		case f.State == Unseen && f.Kind != noAPI:
			worst = Unseen
		}
	}
	return worst
}

// NoAnswer is what is missing where a service did not answer.
const NoAnswer = "the service to answer"

// NoSignIn is what is missing where nobody is signed in.
const NoSignIn = "a sign-in"

// noAPI is the kind of an Unseen finding that no permission helps with.
const noAPI = "nobody can"

// Diagnose runs every check, or those that only names, and orders what they find: about what was
// asked first, causes before their consequences, failures before the rest.
func Diagnose(f Facts, about About, only ...string) Report {
	l := newLook(f, about)
	r := Report{Sound: []string{}}
	var found []*Finding
	blind := map[Source][]string{}
	for _, c := range Checks() {
		if len(only) > 0 && !slices.ContainsFunc(only, func(o string) bool { return strings.HasPrefix(c.Name, o) }) {
			continue
		}
		if i := slices.IndexFunc(c.Needs, func(s Source) bool { return !l.read(s) }); i >= 0 {
			if s := cmp.Or(l.Unread[c.Needs[i]].Behind, c.Needs[i]); l.asked(s) {
				blind[s] = append(blind[s], c.Name)
			}
			continue
		}
		a := &answer{check: c}
		c.run(l, a)
		if len(a.findings) == 0 {
			r.Sound = append(r.Sound, c.Name)
		}
		found = append(found, a.findings...)
	}
	r.Steps = l.steps()
	found = append(found, l.unseen(blind)...)
	explain(found)
	l.mend(found)
	found = l.answers(found)
	l.order(found)
	r.Findings = make([]Finding, 0, len(found))
	for _, x := range found {
		r.Findings = append(r.Findings, *x)
	}
	return r
}

// unseen has a finding for each source that some check would have needed.
func (l *look) unseen(blind map[Source][]string) (out []*Finding) {
	for _, info := range Sources() {
		checks := blind[info.Source]
		if len(checks) == 0 {
			continue
		}
		u, unread := l.Unread[info.Source]
		kind, do := "", "Ask for the permission "+cmp.Or(u.Missing, info.Permission)
		switch {
		case !unread:
			continue // what it says is judged, and the rest is behind that
		case u.Missing == "":
			kind, do = noAPI, "Nothing: no permission opens it"
		case u.Do != "":
			do = u.Do
		case u.Missing == NoAnswer:
			do = "Look at the address, and look again when it answers"
		}
		fact := "could not look at " + info.Asks
		if info.Source == TenantSignIn {
			fact = "could not sign in to the tenant, so that nothing of Entra's side was looked at"
		}
		out = append(out, &Finding{
			Check: string(info.Source), Kind: kind, State: Unseen, Stage: Setup,
			Fact:  fact + ": " + u.Reason,
			Cause: fmt.Sprintf("not judged for it: %s", strings.Join(checks, ", ")),
			Fix:   Fix{Do: do},
		})
	}
	return out
}

// explain marks findings that another one explains.
func explain(found []*Finding) {
	causes := map[string][]*Finding{}
	for _, f := range found {
		if f.State == Broken || f.State == Warning {
			causes[f.Check] = append(causes[f.Check], f)
		}
	}
	for _, f := range found {
		for _, c := range Checks() {
			if c.Name != f.Check {
				continue
			}
			for _, cause := range c.Behind {
				if f.Behind == "" && slices.ContainsFunc(causes[cause], f.follows) {
					f.Behind = cause
				}
			}
		}
	}
}

// follows says whether another finding can explain this one: it concerns all, or somebody of whom
// this one speaks.
func (f *Finding) follows(cause *Finding) bool {
	if f.State == Broken && cause.State != Broken {
		return false
	}
	if len(cause.concerns) == 0 || len(f.concerns) == 0 {
		return true
	}
	for name := range f.concerns {
		if cause.concerns[name] {
			return true
		}
	}
	return false
}

// order sorts findings; each keeps the order of the checks where nothing else decides.
func (l *look) order(found []*Finding) {
	place := map[string]int{}
	for i, c := range Checks() {
		place[c.Name] = i
	}
	stage := l.stopped()
	weight := map[State]int{Broken: 0, Warning: 1, Unseen: 2, OK: 3}
	key := func(f *Finding) []int {
		concern := 1
		if l.about != (About{}) {
			concern = l.concern(f, stage)
		}
		behind := 0
		if f.Behind != "" {
			behind = 1
		}
		at, known := place[f.Check]
		if !known {
			at = len(place)
		}
		state := weight[f.State]
		if l.about != (About{}) && concern <= 1 && f.State == OK {
			state = 0 // the explanation is the answer
		}
		return []int{concern, behind, f.meant, state, at}
	}
	slices.SortStableFunc(found, func(a, b *Finding) int { return slices.Compare(key(a), key(b)) })
}
