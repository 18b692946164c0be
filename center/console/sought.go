package console

import (
	"github.com/gatehouse-id/gatehouse/web"
)

// What a page of a list looks through that is read from one row to the next: lists that nobody
// counts, of which a search may leave out most.
const (
	soughtPart   = 100   //bound:none they are read one part after the other
	soughtAtOnce = 5_000 //bound:list rows that a search in a list of requests or ended access looks through for a page
)

// seeking reads a list part by part, each after a row, by the name that the row has in addresses.
type seeking[T any] struct {
	Read func(after string, limit int) ([]T, error)
	Name func(T) string
	Keep func(T) bool
}

// sought is a page of a list that is read from one row to the next.
type sought[T any] struct {
	Items []T
	Next  string // after which row the next page begins; empty: there is no more

	Unordered bool // there are too many to be put in order
}

// pages reads the page of a list after a row, with at most so many rows.
type pages[T any] func(after string, limit int) (sought[T], error)

// all hands over what is on all pages.
func (read pages[T]) all(row func(T) error) error {
	for after := ""; ; {
		found, err := read(after, soughtPart)
		if err != nil {
			return err
		}
		for _, x := range found.Items {
			if err := row(x); err != nil {
				return err
			}
		}
		if after = found.Next; after == "" {
			return nil
		}
	}
}

// page reads the page after a row.
func (s seeking[T]) page(after string) (found sought[T], err error) {
	for looked := 0; looked < soughtAtOnce; {
		part, err := s.Read(after, soughtPart)
		if err != nil {
			return found, err
		}
		for _, x := range part {
			if len(found.Items) == pageSize {
				return found, nil
			}
			after = s.Name(x)
			if s.Keep(x) {
				found.Items = append(found.Items, x)
			}
			found.Next = after
		}
		if looked += len(part); len(part) < soughtPart {
			found.Next = ""
			return found, nil
		}
	}
	return found, nil
}

// all hands over all that is kept.
func (s seeking[T]) all(row func(T) error) error {
	for after := ""; ; {
		part, err := s.Read(after, soughtPart)
		if err != nil {
			return err
		}
		for _, x := range part {
			if after = s.Name(x); s.Keep(x) {
				if err := row(x); err != nil {
					return err
				}
			}
		}
		if len(part) < soughtPart {
			return nil
		}
	}
}

// keeps is a search of a list, in some texts of each row.
func keeps[T any](l web.Listing, texts func(T) []string) func(T) bool {
	return func(x T) bool { return len(web.Found(l, []T{x}, texts)) > 0 }
}
