package mirror

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// round is one delta query, from its first page to its last one.
type round struct {
	seen   *census                // everything is read; nil: what has changed
	unsure map[tenant.Mark]bool   // objects of which was said that they are there, and that they are not
	left   map[tenant.UserID]bool // who was forgotten before this part of it
}

func newRound(seen *census) *round { return &round{seen: seen, unsure: map[tenant.Mark]bool{}} }

// meet notes what a page says of an object. Of all that can be restored, nothing is gone.
func (m *Mirror) meet(in *round, mark tenant.Mark, reason string) {
	if was, come := m.met[mark]; come && was != (reason == "") {
		in.unsure[mark] = true
	}
	m.met[mark] = reason == ""
	if in.seen != nil && (reason == "" || (reason == "changed" && mark.Kind == tenant.KindUser)) {
		in.seen.objects[string(mark.ID)] = true
	}
}

// makeSure asks for those of whom was said, in one round, that they are there and that they are
// not: the order in which that comes need not be the one in which it has happened. Whoever was
// removed at last stays so. Where the answer says something else, it may be an older one: they are
// looked at again later.
func (m *Mirror) makeSure(ctx context.Context, r *round) error {
	for mark := range r.unsure {
		page, err := m.readOne(ctx, mark, false, nil)
		if errors.Is(err, errLeftOut) { // what was kept of the page stays, until it can be read
			continue
		}
		if err != nil {
			return err
		}
		if there := len(page.Users)+len(page.Groups) > 0; there != m.met[mark] {
			err = m.later(ctx, mark)
		}
		if err == nil && m.met[mark] {
			err = m.keep(ctx, page, tenant.Note{})
		}
		if err != nil {
			return err
		}
	}
	clear(r.unsure)
	return nil
}

// come is user, for one who has come. Of one who is not here all is asked for, where a delta tells
// only what has changed. So it is of one who was deleted: what comes may be told once more, from
// before, and it may be a part. It fails with errNobody when there is nobody, and with errLeftOut
// where the pull goes on without them.
func (m *Mirror) come(
	ctx context.Context, id tenant.UserID, x map[string]any, in *round, anew bool,
) (who tenant.Replica, err error) {
	here, known, err := m.stored(ctx, id)
	if err != nil {
		return who, err
	}
	_, named := x["userPrincipalName"].(string)
	_, able := x["accountEnabled"].(bool)
	if mark := (tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(id)}); here.Removed ||
		(!known && in.seen == nil && (!named || !able)) {
		whole, err := m.ask(ctx, mark)
		switch {
		case err == nil && here.Removed:
			maps.Copy(x, whole)
		case err == nil:
			maps.Copy(whole, x)
			x = whole
		case graph.NoResource(err):
			return who, errNobody
		case !named || !refused(err) || (here.Removed && (!able || in.unsure[mark])):
			return who, m.leaveOut(ctx, mark, err)
		}
	}
	return m.arrive(ctx, here, x, anew, in.left[id])
}

// arrive is user, for one of whom all has come that is to be known. Who was deleted, or is back
// after they were forgotten, is in the groups again in which they were, and has the manager whom
// they had; that is asked for, as it is where no delta tells it for another reason.
func (m *Mirror) arrive(
	ctx context.Context, here tenant.User, x map[string]any, anew, back bool,
) (who tenant.Replica, err error) {
	u, err := m.user(here, x, anew)
	if err != nil {
		return who, m.leaveOut(ctx, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(here.ID)}, err)
	}
	if here.Removed || back {
		err = m.rejoin(ctx, &u, x["manager@delta"] == nil, &who)
	}
	who.Users = []tenant.User{u}
	return who, err
}

// errNobody says that somebody of whom something has changed is not there.
var errNobody = errors.New("there is nobody")

// namelessAge is how often it is looked for who has lost their name.
const namelessAge = time.Hour //bound:wait somebody who has lost their name to an older answer

// nameAgain reads those again who have lost their name, when a process starts, and from time to
// time.
func (m *Mirror) nameAgain(ctx context.Context) error {
	now := m.Tenant.Now()
	if since := now.Sub(m.namedAt); !m.namedAt.IsZero() && since >= 0 && since < namelessAge {
		return nil
	}
	read, err := m.readNameless(ctx)
	if read {
		m.namedAt = now
	}
	return err
}

// readNameless reads those again whose name somebody else has taken here, and who have not come
// with another one since: earlier releases took names of people who had them, and so does an
// answer that is older than what is known. Who is not there is gone, and who cannot be read is left
// for later: read is false. A name that is given back may be taken from somebody, hence the second
// look.
func (m *Mirror) readNameless(ctx context.Context) (read bool, err error) {
	read = true
	for range 2 {
		users, err := m.Tenant.Users(ctx, tenant.Query{Search: tenant.NameTaken, Limit: keepSize})
		if err != nil {
			return false, err
		}
		for _, u := range users {
			if u.UserPrincipalName != string(u.ID)+tenant.NameTaken {
				continue
			}
			page, err := m.readOne(ctx, tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)}, false, nil)
			if err != nil {
				read = read && errors.Is(err, errLeftOut)
				continue
			}
			if err := m.keep(ctx, page, tenant.Note{}); err != nil {
				return false, err
			}
		}
	}
	return read, nil
}
