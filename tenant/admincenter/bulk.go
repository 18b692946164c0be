package admincenter

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// What is done to several rows of a list, or for several names, at once. The question before it
// says to how many.

const maxPicked = 200 //bound:list rows or names that one form of the admin center changes

// rows reads the names of so many rows of a list, as the visit of its page has it.
type rows func(list page, limit int) ([]string, error)

// picked are the rows that were chosen, or all that their list has, where the form means these.
// Whoever asks for them must ask before it does anything to all. Without a way to read a list all
// of it cannot be meant.
func (p page) picked(all rows) ([]string, error) {
	if !p.Every() || all == nil {
		return few(p.PostForm[web.Pick], maxPicked, "choose at least one row")
	}
	list := p
	list.Visit = p.Listed()
	ids, err := all(list, web.MaxEvery+1)
	if err == nil {
		ids, err = few(ids, web.MaxEvery, "the list is empty now")
	}
	if err == nil {
		p.Settle(ids)
	}
	return ids, err
}

func few(list []string, most int, none string) ([]string, error) {
	switch {
	case len(list) == 0:
		return nil, &refusal.Error{Code: tenant.InvalidValue, Detail: none}
	case len(list) > most:
		return nil, &refusal.Error{
			Code: tenant.InvalidValue, Detail: fmt.Sprintf("take at most %d at once", most),
		}
	}
	return list, nil
}

// each does something to each of the chosen, users or groups, and goes back with what was done.
func (p page) each(of tenant.ObjectKind, ids []string, back, done string, do func(id string) error) error {
	name := func(id string) (string, error) {
		called, err := p.called(tenant.Mark{Kind: of, ID: tenant.PrincipalID(id)})
		if refusal.KindOf(err) == refusal.NotFound {
			called, err = p.calledBefore(id)
		}
		return called, err
	}
	all := web.Several{IDs: ids, Back: back, Name: name,
		Deed: func(_ context.Context, id string) error { return do(id) }}
	if done, err := all.Do(p.Visit); !done {
		return err
	}
	return p.Done(back, done)
}

// back is the list that a form comes back to, as it was filtered.
func (p page) back(otherwise string) string { return web.LocalPath(p.PostFormValue("back"), otherwise) }

// deed is what can be done to several users or groups.
type deed struct {
	ask, done string   // done follows how many they are
	lines     []string // without any, the chosen rows are not asked about
	do        func(ctx context.Context, p page, id string) error
	ends      bool // the session of whoever it is done to, too
}

// to does it to one of those who were chosen. Where these are several, whoever asks is none of them
// if it would take what they ask by: what comes after them would be refused, and nobody there to be
// told.
func (d deed) to(ctx context.Context, p page, id string, chosen int) error {
	if d.ends && chosen > 1 && id == p.by.Person {
		return &refusal.Error{Code: tenant.OwnAccount, Subject: id}
	}
	return d.do(ctx, p, id)
}

// setEnabled enables or disables a user.
func setEnabled(enabled bool) func(context.Context, page, string) error {
	return func(ctx context.Context, p page, id string) error {
		_, err := p.h.Tenant.UpdateUser(ctx, p.by, tenant.UserID(id), func(u *tenant.User) { u.Enabled = enabled })
		return err
	}
}

// listed is a list of users or groups, of whom several can be chosen.
type listed struct {
	kind       tenant.ObjectKind
	noun, back string
	all        rows
	deeds      map[string]deed
}

var listedUsers = listed{tenant.KindUser, "%d {user|users}", "/admin/users", page.usersListed, map[string]deed{
	"enable": {ask: "Enable", done: " enabled.", do: setEnabled(true)},
	"disable": {
		ask: "Disable", done: " disabled: sign-in is refused, and applications are told.", do: setEnabled(false),
		ends: true,
		lines: []string{
			"They cannot sign in, and provisioning disables them at applications. You can enable them again.",
		},
	},
	"delete": {
		ask: "Delete", done: " deleted. You can restore them for 30 days.", lines: []string{usersGo}, ends: true,
		do: func(ctx context.Context, p page, id string) error {
			return p.h.Tenant.DeleteUser(ctx, p.by, tenant.UserID(id))
		},
	},
}}

var listedGroups = listed{tenant.KindGroup, "%d {group|groups}", "/admin/groups", page.groupsListed, map[string]deed{
	"delete": {
		ask: "Delete", done: " deleted. You can restore them for 30 days.",
		lines: []string{"Their members lose what the groups give.", groupsGo},
		do: func(ctx context.Context, p page, id string) error {
			return p.h.Tenant.DeleteGroup(ctx, p.by, tenant.GroupID(id))
		},
	},
}}

// What becomes of users and groups who are deleted.
const (
	usersGo  = "They cannot sign in, and provisioning disables them at applications."
	groupsGo = "What is deleted here is deleted at once wherever it was provisioned, and made anew there when it is " +
		"restored."
)

func changeUsers(p page) error  { return p.change(listedUsers) }
func changeGroups(p page) error { return p.change(listedGroups) }

// change does to the chosen rows of a list what the form says.
func (p page) change(list listed) error {
	ids, err := p.picked(list.all)
	if err != nil {
		return err
	}
	name := func(id string) (string, error) {
		return p.called(tenant.Mark{Kind: list.kind, ID: tenant.PrincipalID(id)})
	}
	if p.PostFormValue("do") == "assign" {
		return p.assignPicked(ids, name, names.Counted(list.noun, len(ids)), list.back)
	}
	d, known := list.deeds[p.PostFormValue("do")]
	if !known {
		return &refusal.Error{Code: tenant.InvalidRequest, Detail: "say what to do with the chosen"}
	}
	all := web.Several{IDs: ids, Back: p.back(list.back), Name: name,
		Deed: func(ctx context.Context, id string) error { return d.to(ctx, p, id, len(ids)) }}
	if d.lines != nil || p.Every() {
		if _, err := web.Called(ids, name); err != nil { // one that is not there is no part of an answer
			return err
		}
		if sure, err := all.SureOf(p.Visit, func(ids []string) (web.Question, error) {
			n := names.Counted(list.noun, len(ids))
			who, err := web.Called(ids, name)
			return web.Question{
				Title: d.ask + " " + n + "?", Lines: append(who, d.lines...), Button: d.ask + " " + n,
			}, err
		}); !sure {
			return err
		}
	}
	if done, err := all.Do(p.Visit); !done {
		return err
	}
	return p.Done(all.Back, names.Counted(list.noun, len(all.IDs))+d.done)
}

// assignPicked gives an application to the chosen users or groups.
func (p page) assignPicked(ids []string, name func(id string) (string, error), n, back string) error {
	a, err := p.h.Tenant.Application(p.Context(), tenant.AnyApplicationID(p.PostFormValue("application")))
	if err != nil {
		return err
	}
	if at := addressOf(a, "assignments"); !p.may(http.MethodPost, at) {
		return &refusal.Error{Code: tenant.NotAllowed, Subject: at, Detail: "no directory role of yours allows it"}
	}
	if p.Every() {
		who, err := web.Called(ids, name)
		if err != nil {
			return err
		}
		if sure, err := p.Sure(web.Question{
			Title: "Assign " + a.DisplayName + " to " + n + "?", Lines: who, Button: "Assign to " + n,
		}); !sure {
			return err
		}
	}
	list := make([]tenant.PrincipalID, len(ids))
	for i, id := range ids {
		list[i] = tenant.PrincipalID(id)
	}
	return p.assignAll(a, list, p.back(back))
}

// assignAll gives an application to users and groups. Who has it already keeps it.
func (p page) assignAll(a tenant.Application, list []tenant.PrincipalID, back string) error {
	role, had := p.roleOf(a, cmp.Or(p.PostFormValue("give"), p.PostFormValue("role"))), 0
	for n, id := range list {
		if n > 0 && !p.HasTime() {
			return p.Failed(back, fmt.Sprintf(
				"Assigned: %d of %d. %s", n-had, len(list), web.NoTime(len(list)-n)))
		}
		_, err := p.h.Tenant.Assign(p.Context(), p.by, a.ServicePrincipalID, id, role)
		switch {
		case refusal.CodeOf(err) == tenant.AssignmentExists && len(list) > 1:
			had++
		case err != nil:
			_, lines := web.Explain(err)
			if n == had || lines == nil {
				return err
			}
			return p.Failed(back, fmt.Sprintf(
				"Assigned: %d of %d. Then one was refused: %s", n-had, len(list), strings.Join(lines, " ")))
		}
	}
	switch {
	case len(list) == 1:
		return p.Done(back, "The assignment is created.")
	case had > 0:
		return p.Done(back, fmt.Sprintf(
			"Assigned: %d of %d. The others (%d) had it already.", len(list)-had, len(list), had))
	default:
		return p.Done(back, names.Counted("%d {assignment is|assignments are} created.", len(list)))
	}
}

// named are the users and groups that a form names, one in each line, or that were chosen in it. It
// fails before anything is done when one of them is not there.
func (p page) named() (list []tenant.PrincipalID, err error) {
	var lines []string
	for line := range strings.Lines(p.PostFormValue("name")) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	typed := len(lines)
	lines = append(lines, p.PostForm[web.Picked]...)
	if lines, err = few(lines, maxPicked, "name a user or a group"); err != nil {
		return nil, err
	}
	seen := map[tenant.PrincipalID]bool{}
	for n, name := range lines {
		find := p.principal
		if n >= typed {
			find = p.pickedMark
		}
		x, err := find(name)
		if err != nil {
			return nil, err
		}
		if !seen[x.ID] {
			seen[x.ID] = true
			list = append(list, x.ID)
		}
	}
	return list, nil
}
