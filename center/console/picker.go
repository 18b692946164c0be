package console

import (
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// maxFound bounds how many users, and how many groups, the search of a form offers.
const maxFound = 10 //bound:list users or groups that the search of a form of the console offers

// principalKey names a principal in a form, such as GROUP:ID.
func principalKey(of center.Principal) string { return string(of.Type) + ":" + of.ID }

func ofKey(key string) center.Principal {
	of, id, _ := strings.Cut(key, ":")
	return center.Principal{Type: center.PrincipalType(of), ID: id}
}

// picker finds users, or users and groups, to add to something that says who has been added before.
func (p page) picker(of string, groupsToo bool, held func(center.Principal) (string, error)) (web.Picker, error) {
	return p.Picker(web.PickFrom{
		Of: of, Most: maxChosen,
		Named: func(key string) (web.Pickable, error) {
			x, err := p.principalChoice(key)
			if refusal.KindOf(err) == refusal.NotFound {
				return web.Pickable{}, nil
			}
			return ofChoice(x), err
		},
		Like: func(search string) ([]web.Pickable, error) { return p.pickables(search, groupsToo) },
		Held: func(x web.Pickable) (string, error) { return held(ofKey(x.ID)) },
	})
}

// pickables are the users, and maybe the groups, that a search finds.
func (p page) pickables(search string, groupsToo bool) (list []web.Pickable, err error) {
	ctx, c := p.Context(), p.h.Center
	users, err := c.Users(ctx, center.UserQuery{Search: search, By: center.ByName, Limit: maxFound})
	for _, u := range users {
		list = append(list, ofChoice(userChoice(u)))
	}
	if !groupsToo || err != nil {
		return list, err
	}
	groups, err := c.Groups(ctx, center.GroupQuery{Search: search, By: center.ByName, Limit: maxFound})
	for _, g := range groups {
		list = append(list, ofChoice(groupChoice(g)))
	}
	return list, err
}

func ofChoice(x choice) web.Pickable {
	about := []string{x.About, x.Warn}
	if x.Kind == "group" {
		about = []string{"group", x.About}
	}
	detail := strings.Trim(strings.Join(about, " · "), " ·")
	return web.Pickable{ID: x.Key, Name: x.Name, Detail: detail}
}

// isMember says of a group who is in it.
func (p page) isMember(group center.GroupID) func(center.Principal) (string, error) {
	return func(of center.Principal) (string, error) {
		_, err := p.h.Center.MembershipOf(p.Context(), group, center.UserID(of.ID))
		if refusal.CodeOf(err) == center.MembershipNotFound {
			return "", nil
		}
		return "a member already", err
	}
}

// isAssigned says of an application who has it.
func (p page) isAssigned(arn string) func(center.Principal) (string, error) {
	return func(of center.Principal) (string, error) {
		err := p.h.Center.FindApplicationAssignment(p.Context(), center.ApplicationAssignment{
			ApplicationARN: arn, PrincipalType: of.Type, PrincipalID: of.ID,
		})
		if refusal.CodeOf(err) == center.ApplicationAssignmentNotFound {
			return "", nil
		}
		return "assigned already", err
	}
}

// chosenToAdd are those who were chosen in a picker, and those whom lines of the form name. It
// fails before anything is done when one of them is not there.
func (p page) chosenToAdd(of center.PrincipalType, field string) (list []choice, err error) {
	var lines []string
	for line := range strings.Lines(p.PostFormValue(field)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	picked := p.PostForm[web.Picked]
	switch n := len(lines) + len(picked); {
	case n == 0:
		return nil, &refusal.Error{Code: center.MissingValue, Field: field, Detail: "choose or name somebody"}
	case n > maxChosen:
		return nil, &refusal.Error{
			Code: center.InvalidValue, Field: field, Detail: fmt.Sprintf("choose at most %d", maxChosen),
		}
	}
	var keys []string
	for _, line := range lines {
		id, err := p.principalByName(of, line)
		if err != nil {
			return nil, err
		}
		keys = append(keys, principalKey(center.Principal{Type: of, ID: id}))
	}
	keys = append(keys, picked...)
	seen := map[string]bool{}
	for _, key := range keys {
		if seen[key] {
			continue
		}
		seen[key] = true
		x, err := p.principalChoice(key)
		if err != nil {
			return nil, err
		}
		list = append(list, x)
	}
	return list, nil
}

// addAll adds the chosen to something, one after the other. Who has been added before stays, and
// the others go on; one that is refused ends it, and the page says how far it came.
func (p page) addAll(list []choice, back, were string, add func(center.Principal) (added bool, err error)) error {
	added, had := 0, 0
	for n, x := range list {
		if n > 0 && !p.HasTime() {
			return p.Failed(back, fmt.Sprintf(
				"Added: %d of %d. %s", added, len(list), web.NoTime(len(list)-n)))
		}
		did, err := add(ofKey(x.Key))
		switch {
		case err == nil && did:
			added++
		case err == nil:
			had++
		default:
			_, lines := web.Explain(err)
			if added == 0 || lines == nil {
				return err
			}
			return p.Failed(back, fmt.Sprintf("Added: %d of %d. Then %s was refused: %s",
				added, len(list), x.Name, strings.Join(lines, " ")))
		}
	}
	switch {
	case had == 0:
		return p.Done(back, names.Counted("%d {is|are} added.", added))
	case added == 0:
		return p.Done(back, "Nothing is changed: all whom you named "+were+" already.")
	}
	return p.Done(back, fmt.Sprintf("Added: %d of %d. The others (%d) %s already.", added, len(list), had, were))
}

// addMember puts users into a group.
func addMember(p page) error {
	id := center.GroupID(p.PathValue("id"))
	list, err := p.chosenToAdd(center.PrincipalUser, "username")
	if err != nil {
		return err
	}
	at := "/console/groups/" + string(id)
	if len(list) == 1 {
		user := center.UserID(ofKey(list[0].Key).ID)
		if _, err := p.h.Center.CreateMembership(p.Context(), p.by, id, user); err != nil {
			return err
		}
		return p.Done(at, list[0].Name+" is now a member.")
	}
	return p.addAll(list, at, "were members", func(of center.Principal) (bool, error) {
		_, err := p.h.Center.CreateMembership(p.Context(), p.by, id, center.UserID(of.ID))
		if refusal.CodeOf(err) == center.MembershipExists {
			return false, nil
		}
		return err == nil, err
	})
}

// assignApplication gives an application to users and groups.
func assignApplication(p page) error {
	arn := p.applicationARN()
	list, err := p.chosenToAdd(center.PrincipalType(p.PostFormValue("type")), "principal")
	if err != nil {
		return err
	}
	has := p.isAssigned(arn)
	assign := func(of center.Principal) (bool, error) {
		already, err := has(of)
		if err != nil || already != "" {
			return false, err
		}
		return true, p.h.Center.AssignApplication(p.Context(), p.by, center.ApplicationAssignment{
			ApplicationARN: arn, PrincipalType: of.Type, PrincipalID: of.ID,
		})
	}
	if len(list) == 1 {
		done := "The application is assigned."
		added, err := assign(ofKey(list[0].Key))
		if err != nil {
			return err
		}
		if !added {
			done = list[0].Name + " had the application already."
		}
		return p.Done(applicationURL(arn), done)
	}
	return p.addAll(list, applicationURL(arn), "had it", assign)
}
