package center

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// lineFinder finds what a review is about.
type lineFinder struct {
	r        Reader
	review   AccessReview
	sets     map[string]PermissionSet
	accounts map[string]Account
	owners   map[string]Principal
	wanted   map[Assignment]bool // by rules or windows, perhaps not by hand
	named    map[Principal]string
	lines    []ReviewLine
}

// linesOf are the lines of a review, in the order of permission set, account and holder.
func linesOf(r Reader, v AccessReview) ([]ReviewLine, error) {
	f := lineFinder{
		r: r, review: v, sets: map[string]PermissionSet{}, accounts: map[string]Account{},
		owners: map[string]Principal{}, wanted: map[Assignment]bool{}, named: map[Principal]string{},
	}
	for _, step := range []func() error{
		f.read, f.readOwners, f.takeRules, f.takeWindows, f.takeAssignments, f.takeEntitlements,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(f.lines, func(a, b ReviewLine) int {
		return cmp.Or(
			cmp.Compare(names.Fold(a.PermissionSetName), names.Fold(b.PermissionSetName)),
			cmp.Compare(names.Fold(a.AccountName), names.Fold(b.AccountName)),
			cmp.Compare(names.Fold(a.PrincipalName), names.Fold(b.PrincipalName)),
		)
	})
	for i := range f.lines {
		f.lines[i].ReviewID, f.lines[i].Key = v.ID, fmt.Sprintf("%04d", i+1)
		f.lines[i].State = LineOpen
	}
	return f.lines, nil
}

func (f *lineFinder) read() error {
	v := f.review
	if v.PermissionSetARN != "" {
		if _, err := f.r.PermissionSet(v.PermissionSetARN); err != nil {
			return refusal.IfNoRow(err, PermissionSetNotFound, v.PermissionSetARN)
		}
	}
	sets, e1 := f.r.PermissionSets(PermissionSetQuery{})
	accounts, e2 := f.r.Accounts()
	for _, s := range sets {
		reach := s.Reach()
		if (v.PermissionSetARN == "" || v.PermissionSetARN == s.ARN) &&
			(!v.Administrative || reach.Administers || reach.Unread) {
			f.sets[s.ARN] = s
		}
	}
	for _, a := range accounts {
		f.accounts[a.ID] = a
	}
	if _, known := f.accounts[v.AccountID]; v.AccountID != "" && !known && e2 == nil {
		return &refusal.Error{Code: AccountNotFound, Subject: v.AccountID}
	}
	return errors.Join(e1, e2)
}

// readOwners reads the owners, but for those who have gone.
func (f *lineFinder) readOwners() error {
	owners, err := f.r.AccessOwners()
	for _, o := range owners {
		name, failed := f.name(o.Owner)
		if failed != nil {
			return failed
		}
		if name != "" {
			f.owners[o.Of()] = o.Owner
		}
	}
	return err
}

// name is what a principal is called; empty: it is deleted.
func (f *lineFinder) name(p Principal) (name string, err error) {
	name, known := f.named[p]
	if known {
		return name, nil
	}
	if p.Type == PrincipalGroup {
		var g Group
		g, err = f.r.Group(GroupID(p.ID))
		name = g.DisplayName
	} else {
		var u User
		u, err = f.r.User(UserID(p.ID))
		name = u.UserName
	}
	if errors.Is(err, refusal.ErrNoRow) {
		err = nil
	}
	f.named[p] = name
	return name, err
}

// add adds a line, unless the holder is deleted: nobody has it then.
func (f *lineFinder) add(l ReviewLine) error {
	a := l.Assignment
	name, err := f.name(Principal{a.PrincipalType, a.PrincipalID})
	if err != nil || name == "" {
		return err
	}
	l.PrincipalName, l.PermissionSetName = name, f.sets[a.PermissionSetARN].Name
	if l.Entitlement != nil {
		l.PermissionSetName = a.PermissionSetARN
	}
	l.AccountName = f.accounts[a.AccountID].Name
	owner, owned := f.owners[a.PermissionSetARN]
	if !owned && l.Way != ByRule { // which reaches beyond an account
		owner = f.owners[a.AccountID]
	}
	l.Owner = owner
	f.lines = append(f.lines, l)
	return nil
}

func (f *lineFinder) takeRules() error {
	rules, err := f.r.AssignmentRules()
	for _, rule := range rules {
		if _, wanted := f.sets[rule.PermissionSetARN]; !wanted || rule.Deleting {
			continue
		}
		accounts, failed := f.r.AccountsOfRule(rule.ID)
		if failed != nil {
			return failed
		}
		for _, id := range accounts {
			f.wanted[rule.assignment(id)] = true
		}
		if f.review.AccountID != "" && !slices.Contains(accounts, f.review.AccountID) || len(accounts) == 0 {
			continue
		}
		if err := f.add(ReviewLine{
			Way: ByRule, Assignment: rule.assignment(""), Rule: &rule, Accounts: len(accounts),
		}); err != nil {
			return err
		}
	}
	return err
}

func (f *lineFinder) takeWindows() error {
	live, err := f.r.AccessRequests(AccessRequestQuery{Live: true})
	for _, q := range live {
		a := q.assignment()
		if _, wanted := f.sets[a.PermissionSetARN]; !wanted || q.State != AccessActive {
			continue
		}
		f.wanted[a] = true
		if f.review.AccountID != "" && f.review.AccountID != a.AccountID {
			continue
		}
		if err := f.add(ReviewLine{Way: ByRequest, Assignment: a, RequestID: q.ID, Until: q.EndsAt}); err != nil {
			return err
		}
	}
	return err
}

// takeAssignments takes those that somebody has made by hand.
func (f *lineFinder) takeAssignments() error {
	all, err := f.r.Assignments(AssignmentQuery{
		AccountID: f.review.AccountID, PermissionSetARN: f.review.PermissionSetARN,
	})
	for _, a := range all {
		if _, wanted := f.sets[a.PermissionSetARN]; !wanted {
			continue
		}
		if f.wanted[a] {
			origins, failed := f.r.OriginsOf(a)
			if failed != nil {
				return failed
			}
			if len(origins) > 0 && origins[0] != byHand {
				continue
			}
		}
		way := ByUser
		if a.PrincipalType == PrincipalGroup {
			way = ByGroup
		}
		if err := f.add(ReviewLine{Way: way, Assignment: a}); err != nil {
			return err
		}
	}
	return err
}

// takeEntitlements takes those to roles that are not the center's. Nobody has read what such a role
// may do, so they count among what may administer an account.
func (f *lineFinder) takeEntitlements() error {
	if f.review.PermissionSetARN != "" {
		return nil
	}
	all, err := f.r.Entitlements(EntitlementQuery{AccountID: f.review.AccountID})
	for _, e := range all {
		a := Assignment{e.AccountID(), e.RoleARN, e.PrincipalType, e.PrincipalID}
		if err := f.add(ReviewLine{Way: ByRole, Assignment: a, Entitlement: &e}); err != nil {
			return err
		}
	}
	return err
}
