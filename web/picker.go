package web

import "strings"

// Picker is the search of a form for users and groups to add to something. Who is chosen stays
// chosen while the search goes on, and who has been added before cannot be chosen.
type Picker struct {
	Of   string // what is looked for, such as users and groups
	Find string
	One  bool // only one can be chosen
	Rows []Pickable
}

// Pickable is a user or a group that can be chosen.
type Pickable struct {
	ID, Name, Detail string
	Chosen           bool
	Already          string // why it cannot be chosen, such as "a member already"
}

// Picked is the field of those who were chosen in a picker.
const Picked = "who"

// PickFrom are the people and groups that a picker finds.
type PickFrom struct {
	Of    string
	Most  int                                          // how many may be chosen
	Named func(id string) (Pickable, error)            // one without an id: it is gone
	Like  func(search string) ([]Pickable, error)      // for what was typed
	Held  func(x Pickable) (already string, err error) // whether it has been added before
}

// Picker finds whom the page's address searches for.
func (v Visit) Picker(from PickFrom) (Picker, error) {
	q := v.URL.Query()
	d := Picker{Of: from.Of, Find: strings.TrimSpace(q.Get("find")), One: from.Most == 1}
	var all []Pickable
	for _, id := range q[Picked][:min(len(q[Picked]), from.Most)] {
		x, err := from.Named(id)
		if err != nil {
			return d, err
		}
		if x.Chosen = true; x.ID != "" {
			all = append(all, x)
		}
	}
	if d.Find != "" {
		found, err := from.Like(d.Find)
		if err != nil {
			return d, err
		}
		all = append(all, found...)
	}
	seen := map[string]bool{}
	for _, x := range all {
		if seen[x.ID] {
			continue
		}
		seen[x.ID] = true
		var err error
		if x.Already, err = from.Held(x); err != nil {
			return d, err
		}
		d.Rows = append(d.Rows, x)
	}
	return d, nil
}
