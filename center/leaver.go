package center

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Leaver is a user who is disabled, with what would open something again when the user is enabled,
// or opens something still.
type Leaver struct {
	User         User
	Assignments  int     // to the user, not by a group; and entitlements to roles
	Applications int     // assigned to the user, not by a group
	Groups       []Group // whose members the identity provider does not keep: nobody else takes the user out
	Sessions     int
	Roles        int      // whose credentials nobody refuses
	Keys         []string // access keys of the center under the user's name
	Console      bool     // an administrator of the console has the user's name
}

// Orphan is a user or a group that is deleted, to which something is still assigned. It grants
// nothing, since ids are never used again.
type Orphan struct {
	Departed         // without a name when an earlier release deleted it
	Assignments  int // those of rules too, and entitlements to roles
	Applications int
	Rules        int
	// Successor is who came back under another id: with the same external id, or else the same
	// name; empty: nobody is known.
	Successor     string
	SuccessorName string
}

// Principal names a user or a group. Lists of principals are in the order of type and id.
type Principal struct {
	Type PrincipalType
	ID   string
}

// leaverReader reads who left with something.
type leaverReader interface {
	// DisabledWithAccess are disabled users who have something, and those of ids who are disabled,
	// in the order of the query.
	DisabledWithAccess(now int64, ids []UserID, q LeaverQuery) ([]User, error)
	// OrphansOfAssignments are principals of assignments to accounts and applications that are
	// neither users nor groups, with what is known of them.
	OrphansOfAssignments(after Principal, limit int) ([]Departed, error)
}

// LeaverQuery selects leavers.
type LeaverQuery struct {
	Search     string // words that are all in the user's name, display name and id
	After      UserID
	ByName     bool   // in the order of user names, which AfterName pages, instead of that of ids
	Descending bool   // the other way round, where they are in the order of names
	AfterName  string // only those whose user name comes after this one; empty: all
	Limit      int
}

// OrphanQuery selects orphans.
type OrphanQuery struct {
	Search     string // words that are all in the name and the id
	After      Principal
	By         OrphanOrder
	Descending bool // the other way round, where they are in an order of By
	Offset     int  // in an order of By
	Limit      int
}

// OrphanOrder is what orphans are in order of, if they are not more than OrphansSought.
type OrphanOrder string

// The orders. What is equal in one is in the order of type and id.
const (
	ByPrincipal   OrphanOrder = ""
	ByOrphanName  OrphanOrder = "name"
	ByDeletedTime OrphanOrder = "deleted"
)

// OrphanPage is a page of orphans in an order.
type OrphanPage struct {
	Items   []Orphan
	Total   int  // that the search finds
	Ordered bool // otherwise there are too many, and nothing is read: page them in the order of ids
}

// like says whether the search of a query finds who is deleted.
func (q OrphanQuery) like(d Departed) bool {
	text := strings.ToLower(d.Name + " " + d.PrincipalID)
	for _, word := range strings.Fields(strings.ToLower(q.Search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

const (
	leaversShown = 200 //bound:list leavers on a page
	// relinkedAtOnce bounds one request; what is left is said, and the next one goes on.
	relinkedAtOnce = 500 //bound:list assignments that one request moves or removes
)

// OrphansSought is how many orphans a search looks through for a page.
const OrphansSought = 5_000 //bound:list who is deleted that a search in leavers looks through

// Leavers lists disabled users with what they have left, in the order of ids or names.
func (c *Center) Leavers(ctx context.Context, q LeaverQuery) (list []Leaver, err error) {
	q.Limit = min(max(q.Limit, 1), leaversShown)
	err = c.Store.View(ctx, func(r Reader) error {
		list = nil
		keys, admins, named, err := namedLikeUsers(r)
		if err != nil {
			return err
		}
		users, err := r.DisabledWithAccess(c.now().UnixMilli(), named, q)
		if err != nil {
			return err
		}
		for _, u := range users {
			l := Leaver{User: u, Keys: keys[strings.ToLower(u.UserName)], Console: admins[strings.ToLower(u.UserName)]}
			if err := c.countLeft(r, &l); err != nil {
				return err
			}
			list = append(list, l)
		}
		return nil
	})
	return list, err
}

// namedLikeUsers are the access keys and the administrators of the console that have the names of
// users, and these users.
func namedLikeUsers(r Reader) (keys map[string][]string, admins map[string]bool, users []UserID, err error) {
	all, e1 := r.AccessKeys()
	console, e2 := r.Administrators()
	if err := errors.Join(e1, e2); err != nil {
		return nil, nil, nil, err
	}
	keys, admins = map[string][]string{}, map[string]bool{}
	for _, k := range all {
		if !k.Disabled {
			name := strings.ToLower(k.Principal)
			keys[name] = append(keys[name], k.ID)
		}
	}
	for _, a := range console {
		admins[strings.ToLower(a.Name)] = true
	}
	names := map[string]struct{}{}
	for name := range keys {
		names[name] = struct{}{}
	}
	for name := range admins {
		names[name] = struct{}{}
	}
	for name := range names {
		u, err := r.UserByName(name)
		switch {
		case err == nil:
			users = append(users, u.ID)
		case !errors.Is(err, refusal.ErrNoRow):
			return nil, nil, nil, err
		}
	}
	slices.Sort(users)
	return keys, admins, users, nil
}

// countLeft counts what a leaver has left.
func (c *Center) countLeft(r Reader, l *Leaver) error {
	u := l.User
	n, e1 := r.CountAssignments(AssignmentQuery{PrincipalType: PrincipalUser, PrincipalID: string(u.ID)})
	applications, e2 := r.ApplicationAssignments(
		ApplicationAssignmentQuery{PrincipalType: PrincipalUser, PrincipalID: string(u.ID)},
	)
	groups, e3 := r.GroupsOf(u.ID)
	sessions, e4 := r.SessionsOf(u.ID)
	roles, e5 := r.RoleSessionsOf(u.ID)
	entitled, e6 := r.Entitlements(EntitlementQuery{PrincipalType: PrincipalUser, PrincipalID: string(u.ID)})
	l.Assignments, l.Applications = n+len(entitled), len(applications)
	for _, g := range groups {
		if g.ExternalID == "" {
			l.Groups = append(l.Groups, g)
		}
	}
	for _, s := range sessions {
		if s.ExpiresAt.After(c.now()) {
			l.Sessions++
		}
	}
	for _, s := range roles {
		if s.Until.After(c.now()) {
			l.Roles++
		}
	}
	return errors.Join(e1, e2, e3, e4, e5, e6)
}

// Orphans lists who is deleted and still assigned to something, in the order of type and id. next
// is after whom to go on, and nobody when there are no more: a search may have found nobody yet.
func (c *Center) Orphans(ctx context.Context, q OrphanQuery) (list []Orphan, next Principal, err error) {
	q.Limit = min(max(q.Limit, 1), leaversShown)
	looked := q.Limit + 1
	if q.Search != "" {
		looked = OrphansSought
	}
	err = c.Store.View(ctx, func(r Reader) error {
		list, next = nil, Principal{}
		found, e1 := r.OrphansOfAssignments(q.After, looked)
		rules, e2 := r.AssignmentRules()
		if err := errors.Join(e1, e2); err != nil {
			return err
		}
		for _, d := range found {
			if len(list) == q.Limit {
				return nil
			}
			next = Principal{d.PrincipalType, d.PrincipalID}
			if !q.like(d) {
				continue
			}
			o, err := orphan(r, d, rules)
			if err != nil {
				return err
			}
			list = append(list, o)
		}
		if len(found) < looked {
			next = Principal{}
		}
		return nil
	})
	return list, next, err
}

// OrphansInOrder lists orphans in an order of names or times. All of them are read for it.
func (c *Center) OrphansInOrder(ctx context.Context, q OrphanQuery) (p OrphanPage, err error) {
	err = c.Store.View(ctx, func(r Reader) error {
		p = OrphanPage{}
		all, e1 := r.OrphansOfAssignments(Principal{}, OrphansSought+1)
		rules, e2 := r.AssignmentRules()
		if err := errors.Join(e1, e2); err != nil || len(all) > OrphansSought {
			return err
		}
		all = slices.DeleteFunc(all, func(d Departed) bool { return !q.like(d) })
		slices.SortStableFunc(all, func(a, b Departed) int {
			order := cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
			if q.By == ByDeletedTime {
				order = a.At.Compare(b.At)
			}
			if q.Descending {
				return -order
			}
			return order
		})
		p.Total, p.Ordered = len(all), true
		from := min(q.Offset, len(all))
		for _, d := range all[from:min(from+q.Limit, len(all))] {
			o, err := orphan(r, d, rules)
			if err != nil {
				return err
			}
			p.Items = append(p.Items, o)
		}
		return nil
	})
	return p, err
}

// orphan says what is assigned to who is deleted, and who came back.
func orphan(r Reader, d Departed, rules []AssignmentRule) (o Orphan, err error) {
	o.Departed = d
	p := Principal{d.PrincipalType, d.PrincipalID}
	n, e1 := r.CountAssignments(AssignmentQuery{PrincipalType: p.Type, PrincipalID: p.ID})
	applications, e2 := r.ApplicationAssignments(
		ApplicationAssignmentQuery{PrincipalType: p.Type, PrincipalID: p.ID},
	)
	entitled, e3 := r.Entitlements(EntitlementQuery{PrincipalType: p.Type, PrincipalID: p.ID})
	o.Assignments, o.Applications = n+len(entitled), len(applications)
	for _, rule := range rules {
		if rule.PrincipalType == p.Type && rule.PrincipalID == p.ID && !rule.Deleting {
			o.Rules++
		}
	}
	return o, errors.Join(e1, e2, e3, o.findSuccessor(r))
}

// findSuccessor looks for who came back under another id.
func (o *Orphan) findSuccessor(r Reader) error {
	if o.Name == "" {
		return nil
	}
	finds := []func() (string, string, error){
		func() (string, string, error) {
			u, err := r.UserByExternalID(o.ExternalID)
			return string(u.ID), u.UserName, err
		},
		func() (string, string, error) {
			u, err := r.UserByName(o.Name)
			return string(u.ID), u.UserName, err
		},
	}
	if o.PrincipalType == PrincipalGroup {
		finds = []func() (string, string, error){
			func() (string, string, error) {
				g, err := r.GroupByExternalID(o.ExternalID)
				return string(g.ID), g.DisplayName, err
			},
			func() (string, string, error) {
				g, err := r.GroupByName(o.Name)
				return string(g.ID), g.DisplayName, err
			},
		}
	}
	if o.ExternalID == "" {
		finds = finds[1:]
	}
	for _, find := range finds {
		id, name, err := find()
		switch {
		case err == nil:
			o.Successor, o.SuccessorName = id, name
			return nil
		case !errors.Is(err, refusal.ErrNoRow):
			return err
		}
	}
	return nil
}

// Moved is what became of the assignments of a principal.
type Moved struct {
	Assignments, Applications, Rules, Memberships int
	Left                                          int      // what the next request goes on with
	Problems                                      []string // what cannot be moved or removed, and why
}

// Relink gives what is assigned to a deleted user or group to one that is there, and takes it from
// the deleted one: rules first, since their assignments follow. When it is cut off, what is moved
// is moved; it may be repeated. It fails with PrincipalStays where the first one is not deleted,
// and with UserNotFound or GroupNotFound.
func (c *Center) Relink(ctx context.Context, by audit.Actor, from Principal, to string) (Moved, error) {
	if err := c.CheckRelink(ctx, from, to); err != nil {
		return Moved{}, err
	}
	return c.move(ctx, by, from, to)
}

// CheckRelink fails as Relink would.
func (c *Center) CheckRelink(ctx context.Context, from Principal, to string) error {
	if err := c.checkMove(ctx, from, false); err != nil {
		return err
	}
	return c.Store.View(ctx, func(r Reader) error { return checkPrincipal(r, from.Type, to) })
}

// CheckRemoveAccess fails as RemoveAccess would.
func (c *Center) CheckRemoveAccess(ctx context.Context, of Principal) error {
	return c.checkMove(ctx, of, true)
}

// RemoveAccess removes what is assigned to a deleted user or group, or to a disabled user, whom it
// also removes from the groups that the identity provider does not keep. It may be repeated. It
// fails with PrincipalStays.
func (c *Center) RemoveAccess(ctx context.Context, by audit.Actor, of Principal) (Moved, error) {
	if err := c.CheckRemoveAccess(ctx, of); err != nil {
		return Moved{}, err
	}
	m, err := c.move(ctx, by, of, "")
	if err != nil || of.Type != PrincipalUser {
		return m, err
	}
	var groups []Group
	if err := c.Store.Get(ctx, func(r Reader) (err error) {
		groups, err = r.GroupsOf(UserID(of.ID))
		return err
	}); err != nil {
		return m, err
	}
	for _, g := range groups {
		if g.ExternalID != "" {
			continue
		}
		member, err := c.MembershipOf(ctx, g.ID, UserID(of.ID))
		if err == nil {
			err = c.DeleteMembership(ctx, by, member.ID)
		}
		switch {
		case err == nil:
			m.Memberships++
		case !ofOne(err):
			return m, err
		default:
			m.Problems = append(m.Problems, g.DisplayName+": "+refusal.Detail(err))
		}
	}
	return m, nil
}

// checkMove refuses to touch what a principal has who is there and may use it.
func (c *Center) checkMove(ctx context.Context, p Principal, disabledToo bool) error {
	return c.Store.View(ctx, func(r Reader) error {
		switch p.Type {
		case PrincipalUser:
			u, err := r.User(UserID(p.ID))
			if err == nil && (u.Active || !disabledToo) {
				return &refusal.Error{Code: PrincipalStays, Subject: p.ID, Detail: u.UserName + " is not deleted"}
			}
			if err != nil && !errors.Is(err, refusal.ErrNoRow) {
				return err
			}
			return nil
		case PrincipalGroup:
			g, err := r.Group(GroupID(p.ID))
			if err == nil {
				return &refusal.Error{Code: PrincipalStays, Subject: p.ID, Detail: g.DisplayName + " is not deleted"}
			}
			if !errors.Is(err, refusal.ErrNoRow) {
				return err
			}
			return nil
		}
		return &refusal.Error{Code: InvalidValue, Field: "PrincipalType", Detail: "use USER or GROUP"}
	})
}

// move gives what is assigned to somebody to another one, or ("") to nobody.
func (c *Center) move(ctx context.Context, by audit.Actor, from Principal, to string) (m Moved, err error) {
	if err := c.moveRules(ctx, by, from, to, &m); err != nil {
		return m, err
	}
	var list []Assignment
	var applications []ApplicationAssignment
	if err := c.moveEntitlements(ctx, by, from, to, &m); err != nil {
		return m, err
	}
	if err := c.Store.View(ctx, func(r Reader) error {
		var e1, e2 error
		list, e1 = r.Assignments(
			AssignmentQuery{PrincipalType: from.Type, PrincipalID: from.ID, Limit: relinkedAtOnce},
		)
		applications, e2 = r.ApplicationAssignments(
			ApplicationAssignmentQuery{PrincipalType: from.Type, PrincipalID: from.ID, Limit: relinkedAtOnce},
		)
		return errors.Join(e1, e2)
	}); err != nil {
		return m, err
	}
	for _, a := range list {
		if err := c.moveAssignment(ctx, by, a, to, &m); err != nil {
			return m, err
		}
	}
	for _, a := range applications {
		err := c.moveApplication(ctx, by, a, to)
		switch {
		case err == nil:
			m.Applications++
		case !ofOne(err):
			return m, err
		default:
			m.Problems = append(m.Problems, a.ApplicationARN+": "+refusal.Detail(err))
		}
	}
	return m, c.concludeMove(ctx, from, &m)
}

// ofOne says whether a failure is that of one assignment, so that the others go on.
func ofOne(err error) bool {
	code := refusal.CodeOf(err)
	return code != refusal.None && code.Kind() != refusal.Denied && code.Kind() != refusal.Unavailable
}

// moveRules makes the rules of somebody those of another one, or deletes them.
func (c *Center) moveRules(ctx context.Context, by audit.Actor, from Principal, to string, m *Moved) error {
	rules, err := c.AssignmentRules(ctx)
	if err != nil {
		return err
	}
	for _, rule := range rules {
		if rule.PrincipalType != from.Type || rule.PrincipalID != from.ID || rule.Deleting {
			continue
		}
		if to != "" {
			anew := rule
			anew.PrincipalID = to
			_, err := c.CreateAssignmentRule(ctx, by, anew)
			if err != nil && refusal.CodeOf(err) != AssignmentRuleTaken {
				return err
			}
		}
		if err := c.DeleteAssignmentRule(ctx, by, rule.ID); err != nil {
			return err
		}
		m.Rules++
	}
	return nil
}

// moveAssignment gives an assignment to another one, or to nobody.
func (c *Center) moveAssignment(ctx context.Context, by audit.Actor, a Assignment, to string, m *Moved) error {
	problem := ""
	var err error
	if to != "" {
		anew := a
		anew.PrincipalID = to
		_, err = c.CreateAssignment(ctx, by, anew)
	}
	if err == nil {
		var request AssignmentRequest
		request, err = c.DeleteAssignment(ctx, by, a)
		problem = request.FailureReason
	}
	switch {
	case err == nil && problem == "":
		m.Assignments++
		return nil
	case err != nil && !ofOne(err):
		return err
	case err != nil:
		problem = refusal.Detail(err)
	}
	m.Problems = append(m.Problems, a.AccountID+": "+problem)
	return nil
}

func (c *Center) moveApplication(ctx context.Context, by audit.Actor, a ApplicationAssignment, to string) error {
	if to != "" {
		anew := a
		anew.PrincipalID = to
		if err := c.AssignApplication(ctx, by, anew); err != nil {
			return err
		}
	}
	return c.UnassignApplication(ctx, by, a)
}

// concludeMove counts what is left of a deleted one's assignments, and forgets the name with the
// last of them.
func (c *Center) concludeMove(ctx context.Context, from Principal, m *Moved) error {
	return c.Store.Update(ctx, func(tx Tx) error {
		n, e1 := tx.CountAssignments(AssignmentQuery{PrincipalType: from.Type, PrincipalID: from.ID})
		applications, e2 := tx.ApplicationAssignments(
			ApplicationAssignmentQuery{PrincipalType: from.Type, PrincipalID: from.ID},
		)
		entitled, e3 := tx.Entitlements(EntitlementQuery{PrincipalType: from.Type, PrincipalID: from.ID})
		m.Left = n + len(applications) + len(entitled)
		if err := errors.Join(e1, e2, e3); err != nil || m.Left > 0 {
			return err
		}
		return tx.DeleteDeparted(from.Type, from.ID)
	})
}
