package center

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// HeldAccess is one way by which a user has a permission set in an account.
type HeldAccess struct {
	User          User
	Account       Account
	PermissionSet PermissionSet // or what stands for a role that is not the center's, with its ARN
	Reach         Reach
	Group         *Group   // by which the user has it; nil: it is assigned to the user
	Rules         []string // ids of assignment rules that want it
	ByHand        bool     // somebody made the assignment, also where rules want it
	LastUsed      time.Time
	Request       string    // id of the request for access that made the assignment; empty: none did
	Until         time.Time // when that ends
}

// Entitled says whether the user has a role that is not the center's.
func (h HeldAccess) Entitled() bool { return IsRoleARN(h.PermissionSet.ARN) }

// Title is what the permission set, or the role, is called.
func (h HeldAccess) Title() string { return NameOfRole(h.PermissionSet.Name) }

// HeldAccessQuery selects ways to a permission set: those into an account, or those of a user. One
// must be given.
type HeldAccessQuery struct {
	Account        string
	User           UserID
	Administrative bool // only where the set administers the account, or may
	By             HeldOrder
	Descending     bool // the other way round, where they are in an order of By
	Offset         int
	Limit          int
}

// HeldOrder is what ways are in order of, if they are not more than MaxOrderedWays.
type HeldOrder string

// The orders. What is equal in one is in the order of HeldAccess.
const (
	ByReach     HeldOrder = "" // of HeldAccess
	ByHolder    HeldOrder = "user"
	ByPlace     HeldOrder = "account"
	ByHeldSet   HeldOrder = "set"
	ByHeldGroup HeldOrder = "way" // what is assigned to the user comes first
)

// MaxOrderedWays bounds how many ways are put in the order of names: each is looked up for that.
const MaxOrderedWays = 5_000 //bound:list ways to accounts that are put in the order of names

const heldAccessAtOnce = 1_000 //bound:list ways to an account, or of a user, in one answer

// HeldAccess lists by which ways users have permission sets, and says how many ways there are.
// Within an account come those that administer it first, then those of which that is not known;
// each in the order of set, group and user. Users who are disabled are listed too: they have it
// again when they are enabled. It fails with AccountNotFound or UserNotFound.
func (c *Center) HeldAccess(ctx context.Context, q HeldAccessQuery) (list []HeldAccess, total int, err error) {
	if q.Limit <= 0 || q.Limit > heldAccessAtOnce {
		q.Limit = heldAccessAtOnce
	}
	err = c.Store.View(ctx, func(r Reader) error {
		f := newHeldFinder(r, q)
		if err := f.read(); err != nil {
			return err
		}
		ordered, err := f.inOrder()
		if err != nil {
			return err
		}
		if ordered {
			total = f.total
			f.cut(q.Offset, q.Limit)
			list = f.found
			return f.complete()
		}
		for _, a := range f.assigned {
			if err := f.take(a); err != nil {
				return err
			}
		}
		list, total = f.found, f.total
		return f.complete()
	})
	return list, total, err
}

// EachHeldAccess hands over all ways of a query, in the order of HeldAccess, as far as they are
// there while it reads. It looks once at what is assigned, and reads Limit ways at a time, so that
// whoever takes them slowly keeps no transaction open.
func (c *Center) EachHeldAccess(ctx context.Context, q HeldAccessQuery, row func(HeldAccess) error) error {
	if q.Limit <= 0 || q.Limit > heldAccessAtOnce {
		q.Limit = heldAccessAtOnce
	}
	if q.By != ByReach {
		if sent, err := c.eachInOrder(ctx, q, row); sent || err != nil {
			return err
		}
	}
	var f *heldFinder
	for next, offset := 0, 0; f == nil || next < len(f.assigned); {
		var part heldFinder
		at, from := next, offset
		err := c.Store.View(ctx, func(r Reader) (err error) {
			if part = newHeldFinder(r, q); f != nil {
				part.sets, part.reach = f.sets, f.reach
				part.assigned = f.assigned
			} else if err := part.read(); err != nil {
				return err
			}
			if at, from, err = part.takeFrom(next, offset); err != nil {
				return err
			}
			return part.complete()
		})
		if err != nil {
			return err
		}
		f = &part
		next, offset = at, from
		for _, h := range part.found {
			if err := row(h); err != nil {
				return err
			}
		}
	}
	return nil
}

// takeFrom takes assignments from one of them on, of which some members were taken before, until
// the page is full. It returns where the next page begins.
func (f *heldFinder) takeFrom(at, offset int) (next, from int, err error) {
	for ; at < len(f.assigned) && len(f.found) < f.q.Limit; at++ {
		counted, had := f.total, len(f.found)
		f.q.Offset = counted + offset
		if err := f.take(f.assigned[at]); err != nil {
			return 0, 0, err
		}
		taken := len(f.found) - had
		if offset += taken; taken > 0 && offset < f.total-counted {
			return at, offset, nil
		}
		offset = 0
	}
	return at, 0, nil
}

// heldFinder goes through assignments, and expands those groups of which something is on the page.
type heldFinder struct {
	r        Reader
	q        HeldAccessQuery
	assigned []Assignment
	sets     map[string]PermissionSet
	reach    map[string]Reach
	accounts map[string]Account
	found    []HeldAccess
	origins  []Assignment // of what was found
	total    int
}

func newHeldFinder(r Reader, q HeldAccessQuery) heldFinder {
	return heldFinder{
		r: r, q: q, sets: map[string]PermissionSet{}, reach: map[string]Reach{}, accounts: map[string]Account{},
	}
}

func (f *heldFinder) read() error {
	if f.q.Account != "" {
		a, err := f.r.Account(f.q.Account)
		if err != nil {
			return refusal.IfNoRow(err, AccountNotFound, f.q.Account)
		}
		f.accounts[a.ID] = a
	}
	if f.q.User != "" {
		if _, err := f.r.User(f.q.User); err != nil {
			return refusal.IfNoRow(err, UserNotFound, string(f.q.User))
		}
	}
	if f.q.User == "" && f.q.Account == "" {
		return &refusal.Error{Code: InvalidValue, Field: "AccountId", Detail: "name an account or a user"}
	}
	sets, e1 := f.r.PermissionSets(PermissionSetQuery{})
	assigned, e2 := f.r.Assignments(AssignmentQuery{AccountID: f.q.Account, HeldBy: f.q.User})
	entitled, e3 := f.r.Entitlements(EntitlementQuery{AccountID: f.q.Account, HeldBy: f.q.User})
	for _, e := range entitled { // whose roles stand among permission sets, called by their ARNs
		f.sets[e.RoleARN] = PermissionSet{ARN: e.RoleARN, Name: e.RoleARN}
		f.reach[e.RoleARN] = f.sets[e.RoleARN].Reach()
		assigned = append(assigned, Assignment{e.AccountID(), e.RoleARN, e.PrincipalType, e.PrincipalID})
	}
	for _, s := range sets {
		if reach := s.Reach(); !f.q.Administrative || reach.Administers || reach.Unread {
			f.sets[s.ARN], f.reach[s.ARN] = s, reach
		}
	}
	f.assigned = slices.DeleteFunc(assigned, func(a Assignment) bool {
		_, wanted := f.sets[a.PermissionSetARN]
		return !wanted
	})
	slices.SortStableFunc(f.assigned, func(a, b Assignment) int {
		return cmp.Or(cmp.Compare(a.AccountID, b.AccountID), f.rank(a)-f.rank(b),
			cmp.Compare(f.sets[a.PermissionSetARN].Name, f.sets[b.PermissionSetARN].Name))
	})
	return errors.Join(e1, e2, e3)
}

// rank is where the ways of an assignment stand: what administers the account comes first.
func (f *heldFinder) rank(a Assignment) int {
	switch reach := f.reach[a.PermissionSetARN]; {
	case reach.Administers:
		return 0
	case reach.Unread:
		return 1
	}
	return 2
}

// take counts an assignment, and expands what of it is on the page.
func (f *heldFinder) take(a Assignment) error {
	if a.PrincipalType == PrincipalUser || f.q.User != "" {
		return f.takeOne(a)
	}
	group, err := f.r.Group(GroupID(a.PrincipalID))
	if errors.Is(err, refusal.ErrNoRow) {
		return nil // deleted: nobody has it
	}
	if err != nil {
		return err
	}
	n, err := f.r.CountMemberships(MembershipQuery{GroupID: group.ID})
	if err != nil {
		return err
	}
	from := max(f.q.Offset-f.total, 0)
	room := f.q.Limit - len(f.found)
	f.total += n
	if from >= n || room <= 0 {
		return nil
	}
	members, err := f.r.Memberships(MembershipQuery{GroupID: group.ID, Offset: from, Limit: room})
	if err != nil || len(members) == 0 {
		return err
	}
	ids := make([]UserID, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	users, err := f.r.Users(UserQuery{IDs: ids})
	if err != nil {
		return err
	}
	known := map[UserID]User{}
	for _, u := range users {
		known[u.ID] = u
	}
	for _, id := range ids {
		f.add(known[id], a, &group)
	}
	return nil
}

// takeOne takes an assignment by which one user has something.
func (f *heldFinder) takeOne(a Assignment) error {
	id := UserID(a.PrincipalID)
	var group *Group
	if a.PrincipalType == PrincipalGroup {
		g, err := f.r.Group(GroupID(a.PrincipalID))
		if errors.Is(err, refusal.ErrNoRow) {
			return nil // deleted since the assignments were read
		}
		if err != nil {
			return err
		}
		id, group = f.q.User, &g
	}
	u, err := f.r.User(id)
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	if f.total++; f.total > f.q.Offset && len(f.found) < f.q.Limit {
		f.add(u, a, group)
	}
	return nil
}

func (f *heldFinder) add(u User, a Assignment, group *Group) {
	f.found = append(f.found, HeldAccess{
		User: u, Account: Account{ID: a.AccountID}, PermissionSet: f.sets[a.PermissionSetARN],
		Reach: f.reach[a.PermissionSetARN], Group: group,
	})
	f.origins = append(f.origins, a)
}

// heldKey is a permission set in an account, of a user.
type heldKey struct {
	account, set string
	user         UserID
}

// complete reads the rest of what is on the page.
func (f *heldFinder) complete() error {
	uses, err := f.uses()
	if err != nil {
		return err
	}
	used := map[heldKey]time.Time{}
	for _, u := range uses {
		used[heldKey{u.AccountID, u.PermissionSetARN, u.UserID}] = u.At
	}
	rules := map[Assignment][]string{}
	for i := range f.found {
		h, a := &f.found[i], f.origins[i]
		of := heldKey{a.AccountID, a.PermissionSetARN, h.User.ID}
		h.LastUsed = used[of]
		account, known := f.accounts[a.AccountID]
		if !known {
			if account, err = f.r.Account(a.AccountID); err != nil {
				return err
			}
			f.accounts[a.AccountID] = account
		}
		h.Account = account
		origins, known := rules[a]
		if !known {
			if origins, err = f.r.OriginsOf(a); err != nil {
				return err
			}
			rules[a] = origins
		}
		if err := f.wanted(h, origins); err != nil {
			return err
		}
	}
	return nil
}

// uses are those of whom is on the page, not of all who have ever opened a role in the account.
func (f *heldFinder) uses() ([]RoleUse, error) {
	of := map[UserID]struct{}{}
	for _, h := range f.found {
		of[h.User.ID] = struct{}{}
	}
	if len(of) == 0 {
		return nil, nil
	}
	return f.r.RoleUses(RoleUsesQuery{AccountID: f.q.Account, Users: slices.Sorted(maps.Keys(of))})
}

// wanted says who wants an assignment: somebody by hand, rules, or the window of a request.
func (f *heldFinder) wanted(h *HeldAccess, origins []string) error {
	h.ByHand = len(origins) == 0
	for _, o := range origins {
		id, window := strings.CutPrefix(o, windowOrigin)
		switch {
		case o == byHand:
			h.ByHand = true
		case window:
			w, err := f.r.AccessRequest(id)
			if err != nil && !errors.Is(err, refusal.ErrNoRow) {
				return err
			}
			h.Request, h.Until = w.ID, w.EndsAt
		default:
			h.Rules = append(h.Rules, o)
		}
	}
	return nil
}

// StandingAdministrators counts the enabled users who can administer at least one account, by what
// is assigned to them and to their groups.
func (c *Center) StandingAdministrators(ctx context.Context) (n int, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		sets, err := r.PermissionSets(PermissionSetQuery{})
		if err != nil {
			return err
		}
		var wanted []string
		for _, s := range sets {
			if s.Reach().Administers {
				wanted = append(wanted, s.ARN)
			}
		}
		n, err = r.CountHolders(wanted)
		return err
	})
	return n, err
}
