package web

import (
	"maps"
	"slices"
)

// Which columns a list shows is in its address, as its filters are: it can be shared, and stays
// when the list is put in another order, and for a file.

// columnField is the field by which columns are chosen. The first column is always there, so that
// an address that has the field chooses, even where it chooses no other.
const columnField = "column"

// ListColumn is a column that a list can show.
type ListColumn struct {
	Name, Label string
	Sort        string // what the list's order by it is called; empty: it has none
	Class       string // while nobody has chosen the columns
	Shown       bool
}

// ColumnChoice is the form by which the columns of a list are chosen.
type ColumnChoice struct {
	All    []ListColumn
	Chosen bool        // by the address; otherwise these are the ones at the beginning
	Kept   []FormField // of the address beside that
	Reset  string      // address of the list with the columns at the beginning
}

// FormField is a field of a form that is sent along.
type FormField struct{ Name, Value string }

// ChooseColumns reads from the address which of the columns the list shows. The first always is;
// without a choice, those are that are marked so.
func (l Listing) ChooseColumns(all ...ListColumn) ColumnChoice {
	chosen := l.query[columnField]
	c := ColumnChoice{All: slices.Clone(all), Chosen: len(chosen) > 0, Reset: l.With(columnField, "").address("", "")}
	if c.Chosen {
		for i := range c.All {
			c.All[i].Shown = i == 0 || slices.Contains(chosen, c.All[i].Name)
			c.All[i].Class = ""
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.query)) {
		if slices.Contains([]string{columnField, "offset", "after", "format", "chosen", Pick, every, matching}, name) {
			continue
		}
		for _, value := range l.query[name] {
			c.Kept = append(c.Kept, FormField{name, value})
		}
	}
	return c
}

// First is the column that is always shown.
func (c ColumnChoice) First() ListColumn { return c.All[0] }

// Others are those that can be left out.
func (c ColumnChoice) Others() []ListColumn { return c.All[1:] }

// Shown are the columns that the list shows.
func (c ColumnChoice) Shown() (list []ListColumn) {
	return slices.DeleteFunc(slices.Clone(c.All), func(x ListColumn) bool { return !x.Shown })
}

// maxColumns bounds what an address can choose that other forms of the page carry.
const maxColumns = 64 //bound:list columns of a list that its address chooses

// ChosenColumns are those that the address chooses, for the other forms of the list to keep them.
func (l Listing) ChosenColumns() []FormField {
	var list []FormField
	for _, value := range l.query[columnField][:min(len(l.query[columnField]), maxColumns)] {
		list = append(list, FormField{columnField, value})
	}
	return list
}
