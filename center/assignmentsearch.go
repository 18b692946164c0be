package center

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/refusal"
)

const (
	// MaxOrderedAssignments bounds how many FindAssignments puts in the order of names.
	MaxOrderedAssignments = 20_000 //bound:list assignments that are put in the order of names
	// maxSearchWords bounds a search for assignments.
	maxSearchWords = 5 //bound:list words of a search for assignments
	// maxWordMatches bounds how many users and how many groups one word may match.
	maxWordMatches = 1_000 //bound:list users or groups that a word of a search for assignments matches
)

// AssignmentPage is a page of assignments, and how many there are in all.
type AssignmentPage struct {
	Items   []Assignment
	Total   int
	Ordered bool // as the query says; otherwise there are too many, and they are in the order of ids
}

// FindAssignments lists those assignments of a query that match every word of a text: part of the
// name or the id of an account, or of the name of a permission set, a user or a group. It returns
// how many there are in all, of which at most MaxOrderedAssignments are put in the order of names:
// each of these is looked up. It fails with InvalidValue when a word matches too many users or
// groups to look at.
func (c *Center) FindAssignments(ctx context.Context, q AssignmentQuery, text string) (p AssignmentPage, err error) {
	words := strings.Fields(strings.ToLower(text))
	if len(words) > maxSearchWords {
		return p, &refusal.Error{
			Code: InvalidValue, Field: "search", Detail: fmt.Sprintf("use at most %d words", maxSearchWords),
		}
	}
	err = c.Store.View(ctx, func(r Reader) error {
		q.Words = nil
		s, err := readSearched(r, len(words) > 0)
		if err != nil {
			return err
		}
		for _, word := range words {
			w, err := s.matches(r, word)
			if err != nil {
				return err
			}
			q.Words = append(q.Words, w)
		}
		if p.Total, err = r.CountAssignments(q); err != nil {
			return err
		}
		of := q
		if p.Ordered = p.Total <= MaxOrderedAssignments; !p.Ordered {
			of.By, of.Descending = ByAccountID, false
		}
		p.Items, err = r.Assignments(of)
		return err
	})
	return p, err
}

// searched is what the words of a search are compared with, read once for all of them.
type searched struct {
	accounts []Account
	sets     []PermissionSet
}

// readSearched reads it, when there is anything to compare.
func readSearched(r Reader, wanted bool) (s searched, err error) {
	if !wanted {
		return s, nil
	}
	var e1, e2 error
	s.accounts, e1 = r.Accounts()
	s.sets, e2 = r.PermissionSets(PermissionSetQuery{})
	return s, errors.Join(e1, e2)
}

// matches is what a word in lower case stands for.
func (s searched) matches(r Reader, word string) (w AssignmentWord, err error) {
	users, e1 := r.Users(UserQuery{Search: word, Limit: maxWordMatches + 1})
	groups, e2 := r.Groups(GroupQuery{Search: word, Limit: maxWordMatches + 1})
	if err := errors.Join(e1, e2); err != nil {
		return w, err
	}
	if len(users) > maxWordMatches || len(groups) > maxWordMatches {
		return w, &refusal.Error{
			Code: InvalidValue, Field: "search",
			Detail: fmt.Sprintf("more than %d users or groups match %q: type more of the name", maxWordMatches, word),
		}
	}
	for _, a := range s.accounts {
		if strings.Contains(strings.ToLower(a.Name), word) || strings.Contains(a.ID, word) {
			w.Accounts = append(w.Accounts, a.ID)
		}
	}
	for _, set := range s.sets {
		if strings.Contains(strings.ToLower(set.Name), word) {
			w.PermissionSets = append(w.PermissionSets, set.ARN)
		}
	}
	for _, u := range users {
		w.Principals = append(w.Principals, string(u.ID))
	}
	for _, g := range groups {
		w.Principals = append(w.Principals, string(g.ID))
	}
	return w, nil
}
