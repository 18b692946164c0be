package connect

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Saved is a plan in a file: what somebody may review, and another run applies if the world is
// still what it was.
type Saved struct {
	Version  int          `json:"version"`
	Made     time.Time    `json:"made"`
	Instance string       `json:"instance_arn"`
	Tenant   string       `json:"tenant"` // the sign-in URL with the tenant's id
	Settings Settings     `json:"settings"`
	Changes  bool         `json:"changes_identity_source"`
	Steps    []StepOutput `json:"steps"`
	People   *People      `json:"people,omitempty"`
	Notes    []string     `json:"notes,omitempty"`
	// Identifier and Source are what the steps' details say of the pair itself: the center's entity
	// ID, and the identity source before. Plans of earlier releases do not have them.
	Identifier string `json:"identifier,omitempty"`
	Source     string `json:"identity_source,omitempty"`
}

// Settings are what of a Config decides what a plan does.
type Settings struct {
	AppName string   `json:"name"`
	Groups  []string `json:"groups,omitempty"`
	SyncAll bool     `json:"sync_all,omitempty"`
	Email   string   `json:"email,omitempty"`
}

// Over is a Config with the settings that a plan was saved with; the same one when there is none.
func (s *Saved) Over(cfg Config) Config {
	if s == nil {
		return cfg
	}
	cfg.AppName, cfg.Cert = s.Settings.AppName, s.Settings.AppName
	cfg.Groups, cfg.SyncAll = s.Settings.Groups, s.Settings.SyncAll
	cfg.Email = s.Settings.Email
	return cfg
}

// savedVersion changes when a saved plan would mean something else.
const savedVersion = 1

// Save is the plan for a file.
func (p *Plan) Save() Saved {
	return Saved{
		Version:  savedVersion,
		Made:     time.Now().UTC().Truncate(time.Second),
		Instance: p.State.Directory.InstanceArn,
		Tenant:   p.cfg.LoginURL,
		Settings: Settings{p.cfg.AppName, p.cfg.Groups, p.cfg.SyncAll, p.cfg.Email},
		Changes:  p.Changes,
		Steps:    p.Describe(0, nil).Steps,
		People:   p.People,
		Notes:    p.Notes,

		Identifier: p.State.SP.EntityID,
		Source:     p.sourceName(),
	}
}

// SaveTo writes the plan to a file, if one is named.
func (p *Plan) SaveTo(file string) error {
	if file == "" {
		return nil
	}
	return WriteFile(file, p.Save())
}

// ErrMoved says that a plan is not what was saved, or agreed to.
var ErrMoved = errors.New("the world has moved since the plan was made")

// Matches fails when the plan is another one than was saved, and says how. A plan that was saved
// for the copy of a pair, or for the pair that a copy is of, is the same plan: both have the same
// instance, tenant and people, and other addresses.
func (p *Plan) Matches(s Saved) error {
	if s.Version != savedVersion {
		return fmt.Errorf("the plan was saved by another version of this program (%d): make it anew", s.Version)
	}
	now := p.Save()
	moved := now.since(s)
	if moved == nil && now.Changes != s.Changes && (now.Changes || now.same(s)) {
		moved = []string{"whether the identity source changes"}
	}
	if len(moved) == 0 {
		moved = s.People.moved(now.People)
	}
	if len(moved) > 0 {
		return fmt.Errorf("%w: %s. Make the plan anew and review it", ErrMoved, strings.Join(moved, "; "))
	}
	return nil
}

// same says whether a plan was saved for the same pair, not for its copy.
func (s Saved) same(before Saved) bool {
	return s.Tenant == before.Tenant && (before.Identifier == "" || s.Identifier == before.Identifier)
}

// since says how the world and the steps are other ones than before.
func (s Saved) since(before Saved) (moved []string) {
	differ := func(format string, args ...any) { moved = append(moved, fmt.Sprintf(format, args...)) }
	same := s.same(before)
	switch {
	case s.Instance != before.Instance:
		differ("it was for the instance %s, and this is %s", before.Instance, s.Instance)
	case !same && (before.Identifier == "" || lastPart(s.Tenant) != lastPart(before.Tenant)):
		differ("it was for the tenant at %s, and this is %s", before.Tenant, s.Tenant)
	case len(s.Steps) != len(before.Steps):
		differ("the number of its steps was %d, and now there are %d", len(before.Steps), len(s.Steps))
	default:
		for i, step := range s.Steps {
			was := before.Steps[i]
			if !same {
				step.Detail, was.Detail = s.neutral(step.Detail, before), before.neutral(was.Detail, s)
				// A copy has no secrets, so there may be more to do there. Less is never hidden.
				if step.Title == was.Title && step.Done && !was.Done {
					continue
				}
			}
			if step != was {
				differ("step %q: it was %q, and is %q", step.Title, was.Detail, step.Detail)
			}
		}
	}
	return moved
}

// neutral says what to do without what differs between a pair and its copy. Where one of them does
// not tell its identity source, that is no difference.
func (s Saved) neutral(detail string, other Saved) string {
	detail = strings.ReplaceAll(detail, s.Identifier, "{identifier}")
	if s.Source == unknownSource || other.Source == unknownSource {
		detail = strings.ReplaceAll(detail, s.Source, "{identity source}")
	}
	return detail
}

// moved says for whom the plan is another one now.
func (p *People) moved(now *People) (texts []string) {
	if p == nil || now == nil {
		if p != now {
			return []string{"one of the plans says nothing about people"}
		}
		return nil
	}
	before := map[string]Fate{}
	key := func(f Fate) string { return f.UserID + " " + f.PersonID }
	for _, f := range p.Fates {
		before[key(f)] = f
	}
	var names []string
	for _, f := range now.Fates {
		if was, ok := before[key(f)]; !ok || !reflect.DeepEqual(was, f) {
			names = append(names, f.UserName)
		}
		delete(before, key(f))
	}
	for _, f := range p.Fates {
		if _, gone := before[key(f)]; gone {
			names = append(names, f.UserName)
		}
	}
	if len(names) > 0 {
		texts = append(texts, "people: "+someOf(names))
	}
	if p.Adopted != now.Adopted || p.New != now.New {
		texts = append(texts, "the groups at AWS's side")
	}
	return texts
}
