package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// A reading of everything that leaves out much is not believed: those who are missing are held.
// They stay as they are known, with their memberships, all else goes on, and everything is read
// again from time to time. What is told of one of them by itself is believed.

// missing are those of a kind who are held.
type missing struct {
	IDs   []tenant.PrincipalID `json:"ids"`
	At    time.Time            `json:"at"`    // everything is read again then
	Tries int                  `json:"tries"` // how often everything was read, and left them out
}

// maxUnmet bounds how many objects are asked for that were not met when everything was read.
const maxUnmet = 1000 //bound:list objects that a full reading of a Graph leaves out, and that are asked for

func noteMissing(kind tenant.ObjectKind) string { return "missing/" + strings.ToLower(string(kind)) }

func (m *Mirror) missing(ctx context.Context, kind tenant.ObjectKind) (now missing, err error) {
	text, err := m.Tenant.Note(ctx, noteMissing(kind))
	if err != nil || text == "" || json.Unmarshal([]byte(text), &now) != nil {
		return missing{}, err
	}
	return now, nil
}

// keepMissing keeps who is held.
func (m *Mirror) keepMissing(ctx context.Context, kind tenant.ObjectKind, was, now missing) error {
	if len(was.IDs)+len(now.IDs) == 0 {
		return nil
	}
	text := ""
	if len(now.IDs) > 0 {
		data, _ := json.Marshal(now) // plain fields always encode
		text = string(data)
	}
	return m.Tenant.SetNote(ctx, tenant.Note{Name: noteMissing(kind), Text: text})
}

// after is when everything is read again.
func (m *Mirror) after(tries int) time.Time {
	return m.Tenant.Now().Add(lookLater << min(tries, maxDoublings))
}

// allAgain says whether everything of a kind is to be read again, since some are held. If that
// fails, the delta query goes on until the next time.
func (m *Mirror) allAgain(ctx context.Context, kind tenant.ObjectKind) (bool, error) {
	was, err := m.missing(ctx, kind)
	if err != nil || len(was.IDs) == 0 {
		return false, err
	}
	now := was
	now.At = m.after(was.Tries)
	if m.Tenant.Now().Before(was.At) && !was.At.After(now.At) { // or the clock was set back
		return false, nil
	}
	return true, m.keepMissing(ctx, kind, was, now)
}

// judge says which of those that were not met are asked for by themselves. All others are held: if
// much is missing, and who is held already, until something else is told of them.
func (m *Mirror) judge(
	ctx context.Context, c *census, kind tenant.ObjectKind, unmet []tenant.Mark,
) (asked []tenant.Mark, err error) {
	was, err := m.missing(ctx, kind)
	if err != nil {
		return nil, err
	}
	believed, err := m.believed(ctx, c, unmet)
	if err != nil {
		return nil, err
	}
	held := map[tenant.PrincipalID]bool{}
	for _, id := range was.IDs {
		held[id] = true
	}
	now := missing{At: m.after(was.Tries), Tries: was.Tries + 1}
	for _, x := range unmet {
		if believed && !held[x.ID] {
			asked = append(asked, x)
			continue
		}
		now.IDs = append(now.IDs, x.ID)
	}
	return asked, m.keepMissing(ctx, kind, was, now)
}

// believed says whether a reading of everything can be one: a directory in which nothing of a kind
// is left, or of which much is missing, is none. Somebody has to look at it. The last few of a kind
// may be gone, though, where that is sure of each of them.
func (m *Mirror) believed(ctx context.Context, c *census, unmet []tenant.Mark) (bool, error) {
	switch {
	case len(unmet) > maxUnmet:
		return false, nil
	case len(unmet) == 0 || len(c.objects) > 0:
		return true, nil
	}
	return m.surelyGone(ctx, unmet)
}

// maxLast is how many may be the last of a kind.
const maxLast = 10 //bound:list groups, or users, that may be gone from a Graph all at once, with none left

// surelyGone says whether a Graph that has none of a kind says so of each by itself, and answers at
// the same time for something of the other kind that is here: then it is not without a directory.
func (m *Mirror) surelyGone(ctx context.Context, unmet []tenant.Mark) (bool, error) {
	if len(unmet) > maxLast {
		return false, nil
	}
	for _, mark := range unmet {
		if _, err := m.ask(ctx, mark); !graph.NoResource(err) {
			return false, ctx.Err()
		}
	}
	others, err := m.some(ctx, unmet[0].Kind)
	if err != nil {
		return false, err
	}
	for _, mark := range others {
		if _, err := m.ask(ctx, mark); err == nil {
			return true, nil
		}
	}
	return false, ctx.Err()
}

// heldOf are those of all kinds who are held.
func (m *Mirror) heldOf(ctx context.Context) (map[tenant.PrincipalID]bool, error) {
	all := map[tenant.PrincipalID]bool{}
	for _, c := range collections {
		now, err := m.missing(ctx, c.kind)
		if err != nil {
			return nil, err
		}
		for _, id := range now.IDs {
			all[id] = true
		}
	}
	return all, nil
}

// settle sees to those of a kind who are held, when a pull has read what there is of it: whom it
// has told of are so no more, and nobody is when somebody lets them go. It returns who is.
func (m *Mirror) settle(ctx context.Context, kind tenant.ObjectKind) (held []tenant.Mark, err error) {
	was, err := m.missing(ctx, kind)
	if err != nil || len(was.IDs) == 0 {
		return nil, err
	}
	now := was
	now.IDs = nil
	for _, id := range was.IDs {
		mark := tenant.Mark{Kind: kind, ID: id}
		there, told := m.met[mark]
		if !told {
			now.IDs = append(now.IDs, id)
			continue
		}
		if there { // what they were when all was read, no delta tells
			if err := m.lookAt(ctx, mark); err != nil {
				return nil, err
			}
		}
	}
	if len(now.IDs) < len(was.IDs) {
		if err := m.keepMissing(ctx, kind, was, now); err != nil {
			return nil, err
		}
	}
	if m.Release {
		return nil, m.letGo(ctx, kind, now)
	}
	for _, id := range now.IDs {
		held = append(held, tenant.Mark{Kind: kind, ID: id})
	}
	return held, nil
}

// lookAt looks at somebody who was held. Who cannot be read stays as known, and is looked at later.
func (m *Mirror) lookAt(ctx context.Context, mark tenant.Mark) error {
	err := m.look(ctx, second{Mark: mark, Missed: true}, nil)
	if errors.Is(err, errLeftOut) {
		return m.missed(ctx, mark)
	}
	return err
}

// letGoAtOnce is how many of those who are let go share a transaction.
const letGoAtOnce = 100 //bound:none how many at once, not how many

// letGo asks for each of those who are held: who is not there is gone.
func (m *Mirror) letGo(ctx context.Context, kind tenant.ObjectKind, was missing) error {
	var restorable map[string]bool
	var err error
	if kind == tenant.KindUser && len(was.IDs) > 0 {
		if restorable, err = m.deleted(ctx); err != nil {
			return err
		}
	}
	for len(was.IDs) > 0 {
		some := was.IDs[:min(len(was.IDs), letGoAtOnce)]
		marks := make([]tenant.Mark, len(some))
		for i, id := range some {
			marks[i] = tenant.Mark{Kind: kind, ID: id}
		}
		var r tenant.Replica
		if kind == tenant.KindGroup {
			err = m.askGroups(ctx, marks, &r)
		} else {
			err = m.askUsers(ctx, marks, restorable, &r)
		}
		if err == nil {
			err = m.keep(ctx, r, tenant.Note{})
		}
		if err != nil {
			return err
		}
		rest := was
		rest.IDs = was.IDs[len(some):]
		if err := m.keepMissing(ctx, kind, was, rest); err != nil {
			return err
		}
		was = rest
	}
	return nil
}

// Stays says in words what could not be read, or is missing and held, and stays as it was known.
func (p Pulled) Stays() (all []string) {
	for _, x := range p.LeftOut {
		all = append(all, "Left out: "+x.String())
	}
	if len(p.Missing) > 0 {
		all = append(all, names.Counted(
			"Held: %d {object|objects} {is|are} missing from a reading of everything, which is not believed; "+
				"what is here of {it|them} stays", len(p.Missing),
		))
	}
	return all
}
