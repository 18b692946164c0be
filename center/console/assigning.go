package console

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// work is what a plan makes: assignments, and rules for places that are more than one account.
type work struct {
	made  []center.Assignment // one to the permission set that is yet to be made has no ARN
	rules []center.AssignmentRule
	done  int // how many of both were made
	had   int // of the assignments, those that were there already
	waits int // of these, those that take effect later
}

func (w *work) size() int { return len(w.made) + len(w.rules) }

func (c chosenPlan) work(p page) (*work, error) {
	w := &work{}
	what := make([]string, 0, len(c.What)+1)
	for _, s := range c.What {
		what = append(what, p.setARNOf(s.Key))
	}
	if c.New != nil {
		what = append(what, "")
	}
	for _, who := range c.Who {
		of, id, _ := strings.Cut(who.Key, ":")
		for _, where := range c.Where {
			for _, set := range what {
				a := center.Assignment{
					AccountID: where.Key, PermissionSetARN: set,
					PrincipalType: center.PrincipalType(of), PrincipalID: id,
				}
				if where.Kind == "account" {
					w.made = append(w.made, a)
				} else {
					w.rules = append(w.rules, ruleAt(where.Key, a))
				}
			}
		}
	}
	if n := w.size(); n > maxAssigned {
		return nil, &refusal.Error{
			Code: center.InvalidValue, Field: "assignments",
			Detail: fmt.Sprintf("%d at once are too many: make at most %d, or choose a unit or a tag", n, maxAssigned),
		}
	}
	return w, nil
}

// ruleAt is the rule for a place, which is unit:ID, or tag: and a tag as text.
func ruleAt(place string, a center.Assignment) center.AssignmentRule {
	rule := center.AssignmentRule{
		PermissionSetARN: a.PermissionSetARN, PrincipalType: a.PrincipalType, PrincipalID: a.PrincipalID,
	}
	at := placeOf(place)
	rule.Tag, rule.Unit = at.Tag, at.Unit
	return rule
}

// look counts what the plan makes, and what of it is there already.
func (d *assignData) look(p page) error {
	w, err := d.work(p)
	if err != nil {
		return err
	}
	d.Rules, d.Making = len(w.rules), len(w.made)
	d.There, err = w.there(p)
	return err
}

// there counts what of the assignments is there already.
func (w *work) there(p page) (n int, err error) {
	err = p.h.Center.Store.View(p.Context(), func(r center.Reader) error {
		n = 0
		for _, a := range w.made {
			if a.PermissionSetARN == "" {
				continue
			}
			found, err := r.Assignments(center.AssignmentQuery{
				AccountID: a.AccountID, PermissionSetARN: a.PermissionSetARN, PrincipalType: a.PrincipalType,
				PrincipalID: a.PrincipalID, Limit: 1,
			})
			if err != nil {
				return err
			}
			n += len(found)
		}
		return nil
	})
	return n, err
}

// maxMarked bounds what a step asks the store for its marks. A plan that is larger goes without
// them, and its review says how much of it is there already.
const maxMarked = 200 //bound:list assignments that a step of the console's path of assigning looks for

// markThere marks what the step offers of which nothing is left to make, once the other steps have
// something chosen.
func (d *assignData) markThere(p page) error {
	for i := range d.Found {
		plan, one := chosenPlan{Who: d.Who, Where: d.Where, What: d.What}, d.Found[i:i+1]
		switch d.Step {
		case stepWho:
			plan.Who = one
		case stepWhere:
			plan.Where = one
		default:
			plan.What = one
		}
		size := len(plan.Who) * len(plan.Where) * len(plan.What)
		if size*len(d.Found) > maxMarked || d.Step != stepWhat && d.New != nil {
			return nil
		}
		w, err := plan.work(p)
		if err != nil {
			return err
		}
		if size == 0 || len(w.rules) > 0 {
			continue
		}
		n, err := w.there(p)
		if err != nil {
			return err
		}
		if n == size {
			d.Found[i].Already = "assigned already"
		}
	}
	return nil
}

// createAssignments makes what was chosen. What was done stays done when something fails: the page
// says how far it came, and doing it again does the rest.
func createAssignments(p page) error {
	_ = p.PostFormValue(stepWho) // reads the form
	c, err := p.chosen(p.PostForm)
	if err != nil {
		return err
	}
	w, err := c.work(p)
	if err != nil {
		return err
	}
	if w.size() == 0 {
		return &refusal.Error{Code: center.MissingValue, Field: "assignments", Detail: "choose who, where and what"}
	}
	arn := ""
	if c.New != nil {
		set, err := p.h.Center.CreatePermissionSet(p.Context(), p.by, center.PermissionSet{
			Name: c.NewName, Description: "Allows " + c.New.Allows, ManagedPolicies: []string{c.New.ARN()},
		})
		if err != nil {
			return err
		}
		arn = set.ARN
	}
	if w.had, err = w.there(p); err != nil {
		return err
	}
	err = w.carryOut(p, arn)
	_, lines := web.Explain(err)
	if err != nil && (lines == nil || w.done == 0 && arn == "") {
		return err
	}
	if err != nil {
		return p.Failed(c.after(arn), fmt.Sprintf(
			"%d of %d were made, and then one was refused: %s", w.done, w.size(), strings.Join(lines, " ")))
	}
	return p.Done(c.after(arn), w.says())
}

// carryOut makes assignments and rules, one after the other, until one is refused. arn is the
// permission set that was made for them.
func (w *work) carryOut(p page, arn string) error {
	ctx, c := p.Context(), p.h.Center
	for _, a := range w.made {
		a.PermissionSetARN = cmp.Or(a.PermissionSetARN, arn)
		r, err := c.CreateAssignment(ctx, p.by, a)
		if err != nil {
			return err
		}
		w.done++
		if r.Status == center.InProgress {
			w.waits++
		}
	}
	for _, rule := range w.rules {
		rule.PermissionSetARN = cmp.Or(rule.PermissionSetARN, arn)
		r, err := c.CreateAssignmentRule(ctx, p.by, rule)
		if err != nil {
			return err
		}
		w.done++
		if r.Problem != "" {
			w.waits++
		}
	}
	return nil
}

// says what was done.
func (w *work) says() string {
	var parts []string
	switch n := len(w.rules); {
	case n == 1:
		parts = append(parts, "The rule is created.")
	case n > 1:
		parts = append(parts, strconv.Itoa(n)+" rules are created.")
	}
	switch n := len(w.made) - w.had; {
	case n == 1:
		parts = append(parts, "The assignment is created.")
	case n > 1:
		parts = append(parts, strconv.Itoa(n)+" assignments are created.")
	}
	if w.had > 0 {
		parts = append(parts, names.Counted("%d {assignment was|assignments were} there already.", w.had))
	}
	if w.waits > 0 {
		parts = append(parts, "Not all of it takes effect at once: roles are being created in accounts.")
	}
	return strings.Join(parts, " ")
}

// after is the page that shows what was made: of the permission set or the principal, if it is one.
func (c chosenPlan) after(arn string) string {
	switch {
	case arn != "":
		return setURL(arn)
	case len(c.Who) == 1:
		of, id, _ := strings.Cut(c.Who[0].Key, ":")
		return principalURL(center.PrincipalType(of), id)
	case len(c.What) == 1:
		return setURL(c.What[0].Key)
	}
	return assignmentsPath
}

// principalURL is the page of a user or a group.
func principalURL(of center.PrincipalType, id string) string {
	if of == center.PrincipalGroup {
		return "/console/groups/" + id
	}
	return "/console/users/" + id
}
