package mirror

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// lookLater is after what time an object is looked at again of which the source has said two
// things: what one of its servers knows, all do by then.
const lookLater = 2 * time.Minute //bound:wait a second look at an object that a Graph contradicts itself about

// What cannot be read is looked at again after longer and longer times.
const (
	maxDoublings = 5                         //bound:depth how often the time until the next look is doubled
	longestLook  = lookLater << maxDoublings //bound:wait the next look at an object that cannot be read
)

// noteLater is the name of the note with the objects that are looked at again.
const noteLater = "look-again"

// second is a look that is still to come.
type second struct {
	Mark  tenant.Mark `json:"mark"`
	At    time.Time   `json:"at"`
	Why   string      `json:"why,omitempty"`   // it could not be read
	Tries int         `json:"tries,omitempty"` // how often
	// Missed says that a reading of everything went on without it, so that what it has lost
	// meanwhile is told by no delta.
	Missed bool `json:"missed,omitempty"`
}

const (
	//bound:list objects that a mirror looks at again later
	maxLater = 1000
	//bound:text why an object could not be read
	maxWhy = 300
)

func (m *Mirror) toCome(ctx context.Context) (list []second, err error) {
	text, err := m.Tenant.Note(ctx, noteLater)
	if err != nil || text == "" || json.Unmarshal([]byte(text), &list) != nil {
		return nil, err
	}
	return list, nil
}

func (m *Mirror) keepLater(ctx context.Context, list []second) error {
	text, _ := json.Marshal(list) // plain fields always encode
	return m.Tenant.SetNote(ctx, tenant.Note{Name: noteLater, Text: string(text)})
}

// later has an object looked at again.
func (m *Mirror) later(ctx context.Context, mark tenant.Mark) error {
	list, err := m.toCome(ctx)
	if err != nil {
		return err
	}
	return m.putLater(ctx, list, second{Mark: mark, At: m.Tenant.Now().Add(lookLater)})
}

// putLater puts a look in the place of the one that is to come of the same object. Where there are
// too many, the oldest go of those of objects that could be read, and were not missed: of others
// nothing would tell any more that they are to be read.
func (m *Mirror) putLater(ctx context.Context, list []second, look second) error {
	for _, s := range list {
		look.Missed = look.Missed || (s.Mark == look.Mark && s.Missed)
	}
	list = slices.DeleteFunc(list, func(s second) bool { return s.Mark == look.Mark })
	list = append(list, look)
	more := len(list) - maxLater
	list = slices.DeleteFunc(list, func(s second) bool {
		drop := more > 0 && s.Why == "" && !s.Missed
		if drop {
			more--
		}
		return drop
	})
	return m.keepLater(ctx, list[max(0, more):])
}

// errLeftOut says that an object cannot be read, and that the pull goes on without it.
var errLeftOut = errors.New("it cannot be read")

// leaveOut has the pull go on without an object that cannot be read for good: what is known of it
// stays, and it is looked at again later. Where that is not so, or so many cannot be read that it
// is not for what they are, it returns the error.
func (m *Mirror) leaveOut(ctx context.Context, mark tenant.Mark, err error) error {
	if err == nil || passes(ctx, err) {
		return err
	}
	list, unread := m.toCome(ctx)
	if unread != nil {
		return unread
	}
	known := slices.ContainsFunc(list, func(s second) bool { return s.Mark == mark && s.Why != "" })
	if !known && !graph.Lasting(err) {
		if stumbles, unread := m.stumbles(ctx, mark); unread != nil || !stumbles {
			return cmp.Or(unread, err)
		}
	}
	look, pause := second{Mark: mark, Why: err.Error(), Tries: 1}, lookLater
	for _, s := range list {
		if s.Mark == mark {
			look.Tries += s.Tries
			pause <<= min(s.Tries, maxDoublings)
		}
	}
	if len(list) >= maxLater && look.Tries == 1 {
		return err
	}
	look.At, look.Why = m.Tenant.Now().Add(pause), look.Why[:min(len(look.Why), maxWhy)]
	if kept := m.putLater(ctx, list, look); kept != nil {
		return kept
	}
	m.tried[mark] = true
	return errLeftOut
}

// passes says that an error is not about what was asked for: the Graph asks to wait, or who asks is
// not known, or does not want to know any more.
func passes(ctx context.Context, err error) bool {
	var e *graph.Error
	if errors.As(err, &e) && (e.Status == http.StatusUnauthorized || e.RetryAfter > 0) {
		return true
	}
	return ctx.Err() != nil || errors.As(err, new(*graph.SignInError))
}

// What cannot be read now may be so for good: an error of the Graph's own that comes each time, or
// an answer that is none. Who is the last thing that several pulls have come to is left out.
const (
	maxStumbles = 3          //bound:depth pulls that end one after the other at the same object
	noteStumble = "stumbled" // the name of the note with it
)

// stumble is where pulls have ended.
type stumble struct {
	Mark  tenant.Mark `json:"mark"`
	Times int         `json:"times"`
}

// stumbles notes that a pull ends at an object, and says whether as many have as are enough.
func (m *Mirror) stumbles(ctx context.Context, mark tenant.Mark) (bool, error) {
	text, err := m.Tenant.Note(ctx, noteStumble)
	if err != nil {
		return false, err
	}
	var at stumble
	if json.Unmarshal([]byte(text), &at) != nil || at.Mark != mark {
		at = stumble{Mark: mark}
	}
	at.Times++
	data, _ := json.Marshal(at) // plain fields always encode
	return at.Times >= maxStumbles, m.Tenant.SetNote(ctx, tenant.Note{Name: noteStumble, Text: string(data)})
}

// stands notes that a pull has ended well.
func (m *Mirror) stands(ctx context.Context) error {
	text, err := m.Tenant.Note(ctx, noteStumble)
	if err != nil || text == "" {
		return err
	}
	return m.Tenant.SetNote(ctx, tenant.Note{Name: noteStumble})
}

// missed notes of an object that was left out that a reading of everything goes on without it.
func (m *Mirror) missed(ctx context.Context, mark tenant.Mark) error {
	list, err := m.toCome(ctx)
	for i := range list {
		if list[i].Mark == mark && !list[i].Missed {
			list[i].Missed = true
			return m.keepLater(ctx, list)
		}
	}
	return err
}

// LeftOut is a user or a group that cannot be read, of which stays what was known.
type LeftOut struct {
	Mark tenant.Mark
	Why  string
}

// String says so in words.
func (x LeftOut) String() string {
	return fmt.Sprintf("the %s %s cannot be read: %s", strings.ToLower(string(x.Mark.Kind)), x.Mark.ID, x.Why)
}

// leftOut are those that could not be read when they were last looked at.
func (m *Mirror) leftOut(ctx context.Context) (out []LeftOut, err error) {
	list, err := m.toCome(ctx)
	for _, s := range list {
		if s.Why != "" {
			out = append(out, LeftOut{s.Mark, s.Why})
		}
	}
	return out, err
}

// retold is what the source has told, in this pull, of an object that could not be read, unless it
// was asked for since and could not be read again.
func (m *Mirror) retold(s second) (there, told bool) {
	there, told = m.met[s.Mark]
	return there, told && s.Why != "" && !m.tried[s.Mark]
}

// lookAgain looks at those of a kind whose time has come, or of which the source has told since.
// What is gone by that is not looked for.
func (m *Mirror) lookAgain(ctx context.Context, kind tenant.ObjectKind) error {
	list, err := m.toCome(ctx)
	if err != nil {
		return err
	}
	now := m.Tenant.Now()
	var due []second
	for _, s := range list {
		longest := lookLater << min(max(s.Tries-1, 0), maxDoublings)
		come := !s.At.After(now) || s.At.Sub(now) > longest // or the clock was set back
		if _, told := m.retold(s); s.Mark.Kind == kind && (come || told) {
			due = append(due, s)
		}
	}
	for _, s := range due {
		if there, told := m.retold(s); there || !told {
			if err := m.look(ctx, s, nil); err != nil && !errors.Is(err, errLeftOut) {
				return err
			}
		}
		list, err := m.toCome(ctx) // it may be in it once more
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(x second) bool { return x.Mark == s.Mark && x.At.Equal(s.At) })
		if err := m.keepLater(ctx, list); err != nil {
			return err
		}
	}
	return nil
}

// Fetch reads somebody by themselves, or a group and who is in it, of whom no delta has told, and
// says whether they are here then. A group comes with its members: it does not where they are not
// told.
func (m *Mirror) Fetch(ctx context.Context, mark tenant.Mark) (here bool, err error) {
	var members []tenant.Change
	if mark.Kind == tenant.KindGroup {
		if members, err = m.membersOf(ctx, tenant.GroupID(mark.ID)); members == nil {
			return false, err
		}
	}
	if err := m.look(ctx, second{Mark: mark}, members); err != nil {
		if errors.Is(err, errLeftOut) {
			err = nil
		}
		return false, err
	}
	return m.Known(ctx, mark.ID)
}

// look looks at an object, and at who is in it, or what it is in, and who its manager is: a delta
// may have told that in vain, or a server may not have known it when it was asked. in is who is in
// a group, where that was asked for already.
func (m *Mirror) look(ctx context.Context, s second, in []tenant.Change) error {
	known, err := m.Known(ctx, s.Mark.ID)
	if err != nil {
		return err
	}
	page, err := m.readOne(ctx, s.Mark, true, in)
	if err != nil {
		return err
	}
	if len(page.Groups) > 0 && (known || s.Missed) { // readOne has asked for the members of one that was not known
		id := tenant.GroupID(s.Mark.ID)
		members := in
		if members == nil {
			members, err = m.membersOf(ctx, id)
		}
		if page.Members = append(page.Members, members...); err != nil {
			return err
		}
		if members != nil && s.Missed {
			held, err := m.heldOf(ctx)
			if err == nil {
				err = m.leave(ctx, id, idsOf(members), held, &page)
			}
			if err != nil {
				return err
			}
		}
	}
	return m.keep(ctx, page, tenant.Note{})
}
