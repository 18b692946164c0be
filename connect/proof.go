package connect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
)

const (
	sampleGroups = 20 //bound:list groups whose members are compared one by one
	maxNamed     = 10 //bound:list people that a message names
)

// verifyPeople reads AWS's side back: everybody in scope must be there, except for whom the plan
// says that AWS refuses and those whose failure is known, and the members of a sample of groups
// must be those of the tenant. In a connection that this run has not changed, who is not there yet
// may come with the next cycle.
//
// unnamed is how many failures are known without names.
func (p *Plan) verifyPeople(ctx context.Context, r *Result, unnamed int) error {
	found, err := p.cfg.Discover(ctx, p.cfg.Progress)
	if err != nil {
		return fmt.Errorf("read AWS's side back: %w", err)
	}
	d, err := p.readDirectory(ctx)
	if err != nil {
		return err
	}
	failed := map[string]bool{}
	for _, f := range r.Failures {
		failed[f.Name] = true
	}
	called := map[string]string{}
	for _, person := range d.People {
		called[person.ID] = person.DisplayName
	}
	var missing []string
	people, err := Compare(ctx, d.People, found, d.Groups, p.provisioner())
	if err != nil {
		return err
	}
	for _, f := range people.Fates {
		known := failed[called[f.PersonID]] || failed[f.UserName]
		if (f.Outcome == Created || f.Outcome == NoSignIn) && !known && f.UserID == "" {
			missing = append(missing, f.UserName)
		}
	}
	// everybody, by this run: of one that only mends settings, the last cycle may be of before
	brought := p.applied && !p.writing.busy && (p.started || p.cfg.Writer != nil)
	text := names.Counted("%d {person|people} in scope {is|are} not at AWS's side: %s", len(missing), someOf(missing))
	switch {
	case len(missing) > unnamed && brought:
		return errors.New(text)
	case len(missing) > 0:
		r.Open = append(r.Open, text+". The next cycle may bring them; gatehouse explain says why not")
	}
	there, memberships, err := sample(d, found)
	if err != nil && (!brought || unnamed > 0) {
		r.Open = append(r.Open, err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	if p.cfg.Writer != nil {
		r.Users, r.Groups = there, len(d.Groups)
	}
	r.pass("Counts", names.Counted(
		"%d {user is|users are} at AWS's side, and %d {membership|memberships} in %d {group|groups} are those of the "+
			"tenant", there, memberships, min(len(d.Groups), sampleGroups),
	))
	return nil
}

// sample counts who is in scope and there, and compares the members of some groups.
func sample(d Directory, s Snapshot) (people, memberships int, err error) {
	there := map[string]string{} // user ids by name
	for _, u := range s.Users {
		there[names.Fold(u.UserName)] = u.ID
	}
	ids := map[string]string{} // at AWS's side, by those of the tenant
	for _, p := range d.People {
		if id := there[names.Fold(p.UserName)]; id != "" && p.Reach == InScope && !p.Disabled {
			ids[p.ID] = id
		}
	}
	for _, name := range d.Groups[:min(len(d.Groups), sampleGroups)] {
		i := slices.IndexFunc(s.Groups, func(g StoreGroup) bool { return names.Equal(g.DisplayName, name) })
		if i < 0 {
			return 0, 0, fmt.Errorf("the group %q is not at AWS's side after the cycle", name)
		}
		for _, member := range d.members[name] {
			id := ids[member]
			if id == "" {
				continue
			}
			if _, is := slices.BinarySearch(s.Groups[i].Members, id); !is {
				return 0, 0, fmt.Errorf("a member of the group %q is not in it at AWS's side: user %s", name, id)
			}
			memberships++
		}
	}
	return len(ids), memberships, nil
}

// someOf is a list that a message can have.
func someOf(list []string) string {
	text := strings.Join(list[:min(len(list), maxNamed)], ", ")
	if n := len(list) - maxNamed; n > 0 {
		text += names.Counted(" and %d {other|others}", n)
	}
	return text
}
