package admincenter

import (
	"cmp"
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

const (
	maxPicked = 200 //bound:list rows or names that one form of the admin center changes
	maxNamed  = 10  //bound:list names in a question about several rows
)

// picked are the rows that were chosen.
func (p page) picked() ([]string, error) {
	_ = p.PostFormValue(web.Pick) // reads the form
	return few(p.PostForm[web.Pick], "choose at least one row")
}

func few(list []string, none string) ([]string, error) {
	switch {
	case len(list) == 0:
		return nil, &refusal.Error{Code: tenant.InvalidValue, Subject: web.Pick, Detail: none}
	case len(list) > maxPicked:
		return nil, &refusal.Error{
			Code: tenant.InvalidValue, Subject: web.Pick, Detail: fmt.Sprintf("take at most %d at once", maxPicked),
		}
	}
	return list, nil
}

// each does something to each of the chosen, and goes back with what was done. One that is refused
// ends it, and says how many were done before.
func (p page) each(ids []string, back, done string, do func(id string) error) error {
	for n, id := range ids {
		if err := do(id); err != nil {
			_, lines := explain(err)
			if n == 0 || lines == nil {
				return err
			}
			return p.Failed(back, fmt.Sprintf(
				"Done: %d of %d. Then one was refused: %s", n, len(ids), strings.Join(lines, " ")))
		}
	}
	return p.Done(back, done)
}

// back is the list that a form comes back to, as it was filtered.
func (p page) back(otherwise string) string { return web.LocalPath(p.PostFormValue("back"), otherwise) }

// deed is what can be done to several users.
type deed struct {
	ask, done string // done follows how many they are
	lines     []string
	do        func(p page, id tenant.UserID) error
}

// setEnabled enables or disables a user.
func setEnabled(enabled bool) func(page, tenant.UserID) error {
	return func(p page, id tenant.UserID) error {
		_, err := p.h.Tenant.UpdateUser(p.Context(), p.by, id, func(u *tenant.User) { u.Enabled = enabled })
		return err
	}
}

var deeds = map[string]deed{
	"enable": {done: " enabled.", do: setEnabled(true)},
	"disable": {
		ask: "Disable", done: " disabled: sign-in is refused, and applications are told.", do: setEnabled(false),
		lines: []string{
			"They cannot sign in, and provisioning disables them at applications. You can enable them again.",
		},
	},
	"delete": {
		ask: "Delete", done: " deleted. You can restore them for 30 days.",
		lines: []string{"They cannot sign in, and provisioning disables them at applications."},
		do: func(p page, id tenant.UserID) error {
			return p.h.Tenant.DeleteUser(p.Context(), p.by, id)
		},
	},
}

// changeUsers does to the chosen users what the form says.
func changeUsers(p page) error {
	ids, err := p.picked()
	if err != nil {
		return err
	}
	if p.PostFormValue("do") == "assign" {
		return assignPicked(p, ids)
	}
	d, known := deeds[p.PostFormValue("do")]
	if !known {
		return &refusal.Error{Code: tenant.InvalidRequest, Detail: "say what to do with the chosen"}
	}
	n := names.Counted("%d {user|users}", len(ids))
	if d.ask != "" {
		who, err := p.namesOf(ids)
		if err != nil {
			return err
		}
		if sure, err := p.Sure(web.Question{
			Title: d.ask + " " + n + "?", Lines: append(who, d.lines...), Button: d.ask + " " + n,
		}); !sure {
			return err
		}
	}
	return p.each(ids, p.back("/admin/users"), n+d.done, func(id string) error { return d.do(p, tenant.UserID(id)) })
}

// namesOf are the names of users, of which some stand for all.
func (p page) namesOf(ids []string) (list []string, err error) {
	for _, id := range ids[:min(len(ids), maxNamed)] {
		u, err := p.h.Tenant.UserByIDOrName(p.Context(), id)
		if err != nil {
			return nil, err
		}
		list = append(list, u.DisplayName+" ("+u.UserPrincipalName+")")
	}
	if more := len(ids) - maxNamed; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return list, nil
}

// assignPicked gives an application to the chosen users.
func assignPicked(p page, ids []string) error {
	a, err := p.h.Tenant.Application(p.Context(), tenant.AnyApplicationID(p.PostFormValue("application")))
	if err != nil {
		return err
	}
	if at := addressOf(a, "assignments"); !p.may(http.MethodPost, at) {
		return &refusal.Error{Code: tenant.NotAllowed, Subject: at, Detail: "no directory role of yours allows it"}
	}
	list := make([]tenant.PrincipalID, len(ids))
	for i, id := range ids {
		list[i] = tenant.PrincipalID(id)
	}
	return p.assignAll(a, list, p.back("/admin/users"))
}

// assignAll gives an application to users and groups. Who has it already keeps it.
func (p page) assignAll(a tenant.Application, list []tenant.PrincipalID, back string) error {
	role, had := p.roleOf(a, cmp.Or(p.PostFormValue("give"), p.PostFormValue("role"))), 0
	for n, id := range list {
		_, err := p.h.Tenant.Assign(p.Context(), p.by, a.ServicePrincipalID, id, role)
		switch {
		case refusal.CodeOf(err) == tenant.AssignmentExists && len(list) > 1:
			had++
		case err != nil:
			_, lines := explain(err)
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
	lines = append(lines, p.PostForm[web.Picked]...)
	if lines, err = few(lines, "name a user or a group"); err != nil {
		return nil, err
	}
	seen := map[tenant.PrincipalID]bool{}
	for _, name := range lines {
		x, err := p.principal(name)
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
