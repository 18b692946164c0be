package mirror

import (
	"cmp"
	"context"
	"sync"

	"github.com/gatehouse-id/gatehouse/awsapi/inventory"
	"github.com/gatehouse-id/gatehouse/center"
)

// maxHeld bounds the memberships that wait for their users: what AWS's rate lets one read while
// 200,000 users are read, 13 MiB of them.
const maxHeld = 200_000 //bound:memory memberships that an import holds until it has the users

// held are memberships that were read before all users were there. AWS limits each operation on its
// own, so users and memberships are read at the same time.
type held struct {
	mu   sync.Mutex
	list []center.Members
	n    int
}

// groups copies the groups of a page, then their members.
func (m *Mirror) groups(ctx context.Context) error {
	for page, err := range m.Reader.Groups(ctx, m.next(Groups)) {
		if denied(err) != nil { // what was read stays
			return cmp.Or(m.release(ctx), err)
		}
		if err != nil {
			return err
		}
		groups := make([]center.Group, len(page.Items))
		for i, g := range page.Items {
			groups[i] = groupOf(g)
		}
		err = put(ctx, m, Groups, groups, func(l []center.Group) center.Replica { return center.Replica{Groups: l} },
			func(g center.Group) string { return g.DisplayName })
		if err != nil {
			return err
		}
		if err := m.members(ctx, groups); err != nil {
			return err
		}
		if !m.hasEverybody() {
			continue // what is held is lost with the process: the page is not done
		}
		if err := m.release(ctx); err != nil {
			return err
		}
		if err := m.goOn(Groups, page.Next, nil); err != nil {
			return err
		}
	}
	return m.release(ctx)
}

// members copies the members of groups, page by page: a group may have everybody.
func (m *Mirror) members(ctx context.Context, groups []center.Group) error {
	return inventory.Parallel(ctx, inventory.List(groups), func(ctx context.Context, g center.Group) error {
		for page, err := range m.Reader.Members(ctx, string(g.ID), "") {
			if err != nil {
				return m.without(err)
			}
			of := center.Members{Group: g.ID}
			for _, x := range page.Items {
				if id := inventory.MemberID(x); id != "" {
					of.Users = append(of.Users, center.UserID(id))
				}
			}
			if len(of.Users) == 0 {
				continue
			}
			m.count(Memberships, len(of.Users))
			if err := m.putMembers(ctx, of); err != nil {
				return err
			}
		}
		return nil
	})
}

// putMembers puts memberships into the center, or holds them while users are still missing.
func (m *Mirror) putMembers(ctx context.Context, of center.Members) error {
	if !m.hasEverybody() && m.held.take(of) {
		return nil
	}
	if err := m.waitForEverybody(ctx); err != nil {
		return err
	}
	return m.Center.Replicate(ctx, actor, center.Replica{Members: []center.Members{of}})
}

// take holds memberships, unless it has enough.
func (h *held) take(of center.Members) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n+len(of.Users) > maxHeld {
		return false
	}
	h.list, h.n = append(h.list, of), h.n+len(of.Users)
	return true
}

// release puts the memberships that were held into the center, as soon as all users are there.
func (m *Mirror) release(ctx context.Context) error {
	if err := m.waitForEverybody(ctx); err != nil {
		return err
	}
	m.held.mu.Lock()
	list := m.held.list
	m.held.list, m.held.n = nil, 0
	m.held.mu.Unlock()
	for _, of := range list {
		if err := m.Center.Replicate(ctx, actor, center.Replica{Members: []center.Members{of}}); err != nil {
			return err
		}
	}
	return nil
}

func (m *Mirror) hasEverybody() bool {
	select {
	case <-m.everybody:
		return true
	default:
		return false
	}
}

func (m *Mirror) waitForEverybody(ctx context.Context) error {
	select {
	case <-m.everybody:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
