package web

import (
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/authn"
)

// seenField is what a list had when the page of a form was made.
const seenField = "seen"

// Seen is what a list has, for a hidden field of that name.
func Seen(ids []string) string {
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	return authn.Digest(strings.Join(sorted, " "))
}

// Once makes what is shown only once, unless it was made already: a button that is pressed twice,
// or in two tabs, makes one. That is known by the list that the page had, which is not the one that
// there is. Presses wait for each other on one node; two that two nodes take at the same moment may
// make two. A program that sends no such list gets what it asks for.
func (v Visit) Once(list func() ([]string, error), create func() error) (again bool, err error) {
	select {
	case v.desk.alone <- struct{}{}:
		defer func() { <-v.desk.alone }()
	case <-v.Context().Done():
		return false, v.Context().Err()
	}
	if seen := v.PostFormValue(seenField); seen != "" {
		ids, err := list()
		if err != nil {
			return false, err
		}
		if Seen(ids) != seen {
			return true, nil
		}
	}
	return false, create()
}
