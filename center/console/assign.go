package console

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/web"
)

// The path by which somebody is given something: who, where, what, and a look at all of it. What
// was chosen is in the address, so each step can be shared, and left by the browser's Back.

const assignPath, assignmentsPath = "/console/assign", "/console/assignments"

// How much can be given at once.
const (
	maxAssigned = 200 //bound:list assignments that one form of the console makes
	maxChosen   = 100 //bound:list people, accounts or permission sets that one form of the console names
)

// The steps.
const (
	stepWho    = "who"
	stepWhere  = "where"
	stepWhat   = "set"
	stepReview = "review"
)

// choice is something that can be chosen in a step: a principal, a place or a permission set.
type choice struct {
	Key        string // as addresses have it, such as GROUP:ID, unit:ID or ps-0123456789abcdef
	Name, Kind string
	About      string // what it is, in a few words
	Warn       string // what to think of first
	Already    string // why there is nothing to choose, such as "has it already"
	Link       string // chooses it alone beside what is chosen, and goes on
}

// chosenPlan is what was chosen so far.
type chosenPlan struct {
	Who, Where, What []choice
	New              *managedPolicy // of which a permission set is made
	NewName          string
}

type assignData struct {
	chosenPlan
	Step     string
	Search   string
	Found    []choice
	Policies []managedPolicy
	More     int // that match too, and are not shown
	Making   int // assignments
	There    int // of these, those that are there already
	Rules    int // that will be made
	Steps    []assignStep
	query    url.Values
}

// assignStep is a step as the head of the page shows it.
type assignStep struct {
	Name, Chosen, Link string
	Now                bool
}

func assign(p page) error {
	q := p.URL.Query()
	if q.Has(web.Pick) || p.Every() {
		return p.assignPicked(q)
	}
	d := assignData{Search: strings.TrimSpace(q.Get("q")), query: q}
	var err error
	if d.chosenPlan, err = p.chosen(q); err != nil {
		return err
	}
	d.Step = d.next(q.Get("step"), q.Get("next") != "")
	if err := d.fill(p); err != nil {
		return err
	}
	d.head()
	return p.Render("assign", "Assign", assignmentsPath, &d)
}

// assignPicked begins the path with the rows that were picked in a list, or with all of it.
func (p page) assignPicked(q url.Values) error {
	all := map[string]rows{
		string(center.PrincipalUser): page.usersListed, string(center.PrincipalGroup): page.groupsListed,
	}
	if read := all[q.Get("of")]; read != nil && p.Every() {
		list := p
		list.Visit = p.Listed()
		picks, err := read(list, maxChosen+1) // too many are refused where the path begins
		if err != nil {
			return err
		}
		q[web.Pick] = picks
	}
	return p.Moved(assignPath + "?" + pickedIn(q).Encode())
}

// pickedIn are the choices of a list whose rows were picked: the form says of what it is a list.
func pickedIn(q url.Values) url.Values {
	of := q.Get("of")
	step, prefix := stepWho, of+":"
	if of == stepWhere || of == stepWhat {
		step, prefix = of, ""
	}
	chosen := url.Values{}
	for _, key := range q[web.Pick] {
		chosen.Add(step, prefix+key)
	}
	return chosen
}

// next is the step to show: the one that was asked for, the one behind it, or the first that has
// nothing chosen.
func (c chosenPlan) next(asked string, behind bool) string {
	empty := func(step string) bool {
		return step == stepWho && len(c.Who) == 0 || step == stepWhere && len(c.Where) == 0 ||
			step == stepWhat && len(c.What) == 0 && c.New == nil
	}
	steps := []string{stepWho, stepWhere, stepWhat}
	if slices.Contains(steps, asked) && !behind {
		return asked
	}
	for _, step := range steps {
		if empty(step) {
			return step
		}
	}
	return stepReview
}

// chosen reads what an address or a form names.
func (p page) chosen(q url.Values) (c chosenPlan, err error) {
	for _, part := range []struct {
		name string
		read func(string) (choice, error)
		into *[]choice
	}{{stepWho, p.principalChoice, &c.Who}, {stepWhere, p.placeChoice, &c.Where}, {stepWhat, p.setChoice, &c.What}} {
		keys := slices.Compact(slices.Sorted(slices.Values(q[part.name])))
		if len(keys) > maxChosen {
			return c, &refusal.Error{
				Code: center.InvalidValue, Field: part.name, Detail: fmt.Sprintf("choose at most %d", maxChosen),
			}
		}
		for _, key := range keys {
			x, err := part.read(key)
			if err != nil {
				return c, err
			}
			*part.into = append(*part.into, x)
		}
	}
	if name := q.Get("new"); name != "" {
		at := slices.IndexFunc(managedPolicies, func(m managedPolicy) bool { return m.Name == name })
		if at < 0 {
			return c, &refusal.Error{Code: center.InvalidValue, Field: "new", Detail: "no such policy in the list"}
		}
		c.New, c.NewName = &managedPolicies[at], strings.TrimSpace(cmp.Or(q.Get("name"), managedPolicies[at].Short()))
	}
	return c, nil
}

func (p page) principalChoice(key string) (choice, error) {
	of, id, _ := strings.Cut(key, ":")
	if center.PrincipalType(of) == center.PrincipalGroup {
		g, err := p.h.Center.Group(p.Context(), center.GroupID(id))
		if err != nil {
			return choice{}, err
		}
		n, err := p.h.Center.CountMemberships(p.Context(), center.MembershipQuery{GroupID: g.ID})
		x := groupChoice(g)
		x.About = names.Counted("%d {member|members}", n)
		return x, err
	}
	u, err := p.h.Center.User(p.Context(), center.UserID(id))
	return userChoice(u), err
}

func groupChoice(g center.Group) choice {
	return choice{
		Key: string(center.PrincipalGroup) + ":" + string(g.ID), Name: g.DisplayName, Kind: "group",
		About: g.Description,
	}
}

func userChoice(u center.User) choice {
	x := choice{
		Key: string(center.PrincipalUser) + ":" + string(u.ID), Name: u.UserName, Kind: "user", About: u.DisplayName,
	}
	if !u.Active {
		x.Warn = "disabled"
	}
	return x
}

// placeChoice is an account, or all accounts of a unit or with a tag.
func (p page) placeChoice(key string) (choice, error) {
	if !strings.Contains(key, ":") {
		a, err := p.h.Center.Account(p.Context(), key)
		return accountChoice(a), err
	}
	all, err := p.h.Center.Accounts(p.Context())
	if err != nil {
		return choice{}, err
	}
	for _, x := range groupedPlaces(all) {
		if x.Key == key {
			return x, nil
		}
	}
	return choice{}, &refusal.Error{Code: center.InvalidValue, Field: stepWhere, Detail: "no account is in " + key}
}

func accountChoice(a center.Account) choice {
	x := choice{Key: a.ID, Name: a.Name, Kind: "account", About: a.ID}
	if a.Suspended {
		x.Warn = "suspended"
	}
	return x
}

// groupedPlaces are the units and the tags of accounts, as places for rules.
func groupedPlaces(all []center.Account) (list []choice) {
	units, tags := places(all)
	inAll := func(n int) string {
		return "all its accounts, now " + strconv.Itoa(n) + ", and those that come later"
	}
	for _, u := range units {
		n := 0
		for _, a := range all {
			if slices.Contains(a.Units, u) {
				n++
			}
		}
		list = append(list, choice{Key: "unit:" + u.ID, Name: u.Name, Kind: "unit", About: inAll(n)})
	}
	for _, t := range tags {
		n := 0
		for _, a := range all {
			if slices.Contains(a.Tags, t) {
				n++
			}
		}
		list = append(list, choice{
			Key: "tag:" + t.Text(), Name: t.Key + " = " + t.Value, Kind: "tag", About: inAll(n),
		})
	}
	return list
}

func (p page) setChoice(key string) (choice, error) {
	set, err := p.h.Center.PermissionSet(p.Context(), p.setARNOf(key))
	return setChoice(set), err
}

func setChoice(s center.PermissionSet) choice {
	x := choice{Key: path.Base(s.ARN), Name: s.Name, Kind: "permission set", About: s.Description}
	if s.Reach().Administers {
		x.Warn = "administers"
	}
	return x
}

// setARNOf is the ARN of which an address has the last part.
func (p page) setARNOf(last string) string {
	return strings.Replace(p.h.Center.Instance.ARN, ":instance/", ":permissionSet/", 1) + "/" + last
}

// address is that of a step with one more choice.
func (d *assignData) address(name, key, step string) string {
	q := url.Values{}
	for _, part := range []string{stepWho, stepWhere, stepWhat, "new", "name"} {
		if values := d.query[part]; len(values) > 0 {
			q[part] = slices.Clone(values)
		}
	}
	if name != "" && !slices.Contains(q[name], key) {
		q.Add(name, key)
	}
	if step != "" {
		q.Set("step", step)
	}
	return assignPath + "?" + q.Encode()
}

// fill finds what the step offers.
func (d *assignData) fill(p page) (err error) {
	switch d.Step {
	case stepWho:
		err = d.findPrincipals(p)
	case stepWhere:
		err = d.findPlaces(p)
	case stepWhat:
		err = d.findSets(p)
	default:
		return d.look(p)
	}
	chosen := append(slices.Clone(d.Who), append(slices.Clone(d.Where), d.What...)...)
	d.Found = slices.DeleteFunc(d.Found, func(x choice) bool {
		return slices.ContainsFunc(chosen, func(c choice) bool { return c.Key == x.Key })
	})
	if len(d.Found) > pageSize {
		d.Found, d.More = d.Found[:pageSize], d.More+len(d.Found)-pageSize
	}
	for i := range d.Found {
		d.Found[i].Link = d.address(d.Step, d.Found[i].Key, "")
	}
	if err != nil {
		return err
	}
	return d.markThere(p)
}

func (d *assignData) findPrincipals(p page) error {
	ctx, c := p.Context(), p.h.Center
	const half = pageSize / 2
	gq := center.GroupQuery{Search: d.Search, By: center.ByName, Limit: half}
	uq := center.UserQuery{Search: d.Search, By: center.ByName, Limit: half}
	groups, e1 := c.Groups(ctx, gq)
	users, e2 := c.Users(ctx, uq)
	allGroups, e3 := c.CountGroups(ctx, gq)
	allUsers, e4 := c.CountUsers(ctx, uq)
	for _, g := range groups {
		d.Found = append(d.Found, groupChoice(g))
	}
	for _, u := range users {
		d.Found = append(d.Found, userChoice(u))
	}
	d.More = allGroups + allUsers - len(groups) - len(users)
	return errors.Join(e1, e2, e3, e4)
}

func (d *assignData) findPlaces(p page) error {
	all, err := p.h.Center.Accounts(p.Context())
	slices.SortFunc(all, func(a, b center.Account) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	for _, a := range all {
		d.Found = append(d.Found, accountChoice(a))
	}
	d.Found = d.narrowed(append(groupedPlaces(all), d.Found...))
	return err
}

func (d *assignData) findSets(p page) error {
	sets, err := p.h.Center.PermissionSets(p.Context(), center.PermissionSetQuery{})
	slices.SortFunc(sets, func(a, b center.PermissionSet) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	for _, s := range sets {
		d.Found = append(d.Found, setChoice(s))
	}
	d.Found, d.Policies = d.narrowed(d.Found), foundPolicies(d.Search)
	return err
}

func (d *assignData) narrowed(list []choice) []choice {
	return web.Found(web.Listing{Search: d.Search}, list, func(x choice) []string {
		return []string{x.Name, x.About, x.Kind}
	})
}

// PolicyLink makes a permission set of a policy, and goes on.
func (d *assignData) PolicyLink(m managedPolicy) string {
	with := *d
	with.query = url.Values{stepWho: d.query[stepWho], stepWhere: d.query[stepWhere], stepWhat: d.query[stepWhat]}
	return with.address("new", m.Name, "")
}

// Hint says what can be searched for.
func (d *assignData) Hint() string {
	return map[string]string{
		stepWho: "group or user", stepWhere: "account, unit or tag", stepWhat: "permission set or policy",
	}[d.Step]
}

// Chosen is what was chosen in the step that is shown.
func (d *assignData) Chosen() []choice {
	return map[string][]choice{stepWho: d.Who, stepWhere: d.Where, stepWhat: d.What}[d.Step]
}

// Kept is what was chosen in the other steps, for the form to carry on.
func (d *assignData) Kept() (list []struct{ Name, Key string }) {
	for _, part := range []string{stepWho, stepWhere, stepWhat, "new", "name"} {
		for _, key := range d.query[part] {
			if part != d.Step {
				list = append(list, struct{ Name, Key string }{part, key})
			}
		}
	}
	return list
}

// head says how far the path is.
func (d *assignData) head() {
	for _, s := range []struct {
		step, name string
		chosen     []choice
	}{{stepWho, "Who", d.Who}, {stepWhere, "Where", d.Where}, {stepWhat, "What", d.What}} {
		x := assignStep{Name: s.name, Now: d.Step == s.step, Link: d.address("", "", s.step)}
		switch {
		case len(s.chosen) == 1:
			x.Chosen = s.chosen[0].Name
		case len(s.chosen) > 1:
			x.Chosen = fmt.Sprintf("%s and %d more", s.chosen[0].Name, len(s.chosen)-1)
		}
		if s.step == stepWhat && d.New != nil {
			x.Chosen = strings.Join(slices.DeleteFunc([]string{x.Chosen, "new: " + d.NewName}, func(s string) bool {
				return s == ""
			}), ", ")
		}
		d.Steps = append(d.Steps, x)
	}
	d.Steps = append(d.Steps, assignStep{Name: "Review", Now: d.Step == stepReview})
}
