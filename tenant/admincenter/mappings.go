package admincenter

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/web"
)

// mappingData is the mapping of one kind of object as the page shows it.
type mappingData struct {
	mapping.Object
	Lines     []mappingLine
	Sources   []string
	Blank     mappingLine // to be filled in
	Targets   []string    // that are not mapped yet
	Operators []string
	Add, Update, Delete,
	MayDisable bool
}

type mappingLine struct {
	mapping.Attribute
	Type, Name string // Direct, Constant or Expression, and what of
	Sources    []string
}

type mappingsData struct {
	Job      *tenant.Job
	Objects  []mappingData
	Custom   bool
	Problems []string // of mappings that an earlier release saved
	Rows     [3]int   // of the form of a filter
	Tried    string   // an expression
	TriedFor string   // id or user principal name
	Of       string   // what the user is called
	Picker   web.Picker
	Result   string
	Problem  string
}

// The names of the portal for what Graph calls Attribute and Function.
var mappingTypes = map[string]string{"Attribute": "Direct", "Constant": "Constant", "Function": "Expression"}

func mappings(p page) error {
	j, err := p.job()
	if err != nil {
		return err
	}
	d := mappingsData{
		Job:      &j.Job,
		Custom:   j.Schema != nil,
		Problems: tenant.MappingProblems(j.Mappings()),
		Rows:     [3]int{0, 1, 2},
		Tried:    p.URL.Query().Get("expression"),
		TriedFor: cmp.Or(p.URL.Query().Get(web.Picked), p.URL.Query().Get("user")),
	}
	if d.Picker, err = p.userPicker(1, nil); err != nil {
		return err
	}
	for _, o := range j.Mappings().Objects {
		kind := tenant.ObjectKind(o.Source)
		m := mappingData{
			Object:     o,
			Sources:    tenant.SourceAttributes(kind),
			Operators:  mapping.Operators(),
			MayDisable: kind == tenant.KindGroup,
			Add:        o.Flows&mapping.Add != 0,
			Update:     o.Flows&mapping.Update != 0,
			Delete:     o.Flows&mapping.Delete != 0,
		}
		m.Blank = mappingLine{Type: "Direct", Sources: m.Sources}
		for _, x := range o.Attributes {
			kind, name := mapping.Kind(x.Expression)
			m.Lines = append(m.Lines, mappingLine{x, mappingTypes[kind], name, m.Sources})
		}
		for _, t := range tenant.TargetAttributes(kind) {
			if !slices.ContainsFunc(o.Attributes, func(x mapping.Attribute) bool { return x.Target == t }) {
				m.Targets = append(m.Targets, t)
			}
		}
		d.Objects = append(d.Objects, m)
	}
	if d.Tried != "" {
		if err := p.try(&d, j); err != nil {
			return err
		}
	}
	return p.Render("mappings", "Attribute mappings", "/admin/apps", p.of(j.app, "provisioning", d))
}

// try evaluates an expression for a user.
func (p page) try(d *mappingsData, j appJob) error {
	for _, name := range mapping.SourcesOf(d.Tried) {
		if d.Problem = tenant.SourceProblem(name); d.Problem != "" {
			return nil
		}
	}
	of := mapping.Texts(nil)
	if d.TriedFor != "" {
		u, err := p.h.Tenant.UserByIDOrName(p.Context(), strings.TrimSpace(d.TriedFor))
		if refusal.KindOf(err) == refusal.NotFound {
			d.Problem = "There is no such user: choose one."
			return nil
		}
		if err != nil {
			return err
		}
		d.Of = u.DisplayName + " (" + u.UserPrincipalName + ")"
		mark := tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(u.ID)}
		scope, err := p.h.Tenant.ScopedObject(p.Context(), j.Job, mark)
		if err != nil {
			return err
		}
		of = scope.Users[0].Attribute
	}
	if d.Problem = problemOf(d.Tried); d.Problem != "" {
		return nil
	}
	v, err := mapping.Evaluate(p.Context(), d.Tried, func(name string) mapping.Value {
		if name == mapping.DefaultDomain {
			return mapping.One(p.h.Tenant.Organization.Domain)
		}
		return of(name)
	})
	switch {
	case err != nil:
		d.Problem = err.Error()
	case len(v) == 0:
		d.Result = "null"
	default:
		d.Result = strings.Join(v, ", ")
	}
	return nil
}

// Functions are those that an expression may have.
func (mappingsData) Functions() []string { return mapping.Functions() }

// Attributes are those of a user that an expression may have.
func (mappingsData) Attributes() []string { return tenant.SourceAttributes(tenant.KindUser) }

// problemOf says what is wrong with an expression; "" for nothing.
func problemOf(expression string) string {
	if err := mapping.Parse(expression); err != nil {
		return err.Error()
	}
	return ""
}

// saveMappings changes one thing of the mapping of one kind of object.
func saveMappings(p page) error {
	j, err := p.job()
	if err != nil {
		return err
	}
	back := "/admin/apps/" + string(j.app.ID) + "/provisioning/mappings"
	do := p.PostFormValue("do")
	if do == "reset" {
		if err := p.h.Tenant.ResetMappings(p.Context(), p.by, j.ID); err != nil {
			return err
		}
		return p.Done(back, "The default mappings are restored. All users and groups are evaluated again.")
	}
	s := j.Mappings()
	s.Objects = slices.Clone(s.Objects)
	o := s.Of(p.PostFormValue("kind"))
	if o == nil {
		return &refusal.Error{Code: tenant.InvalidRequest, Detail: "there is no such mapping"}
	}
	o.Attributes, o.Scope = slices.Clone(o.Attributes), slices.Clone(o.Scope)
	if err := p.edit(o, do); err != nil {
		return err
	}
	if err := p.h.Tenant.SetMappings(p.Context(), p.by, j.ID, s); err != nil {
		return err
	}
	return p.Done(back, "The mapping is saved. All users and groups are evaluated again.")
}

func (p page) edit(o *mapping.Object, do string) error {
	target := p.PostFormValue("target")
	at := slices.IndexFunc(o.Attributes, func(a mapping.Attribute) bool { return a.Target == target })
	switch do {
	case "attribute":
		made, err := p.formAttribute(target)
		if err != nil {
			return err
		}
		if at < 0 {
			o.Attributes = append(o.Attributes, made)
		} else {
			o.Attributes[at] = made
		}
	case "delete-attribute":
		if at >= 0 {
			o.Attributes = slices.Delete(o.Attributes, at, at+1)
		}
	case "actions":
		o.Flows, o.Enabled = 0, p.PostFormValue("enabled") != "false"
		for name, flow := range map[string]mapping.Flow{
			"add":    mapping.Add,
			"update": mapping.Update,
			"delete": mapping.Delete,
		} {
			if p.PostFormValue(name) == "true" {
				o.Flows |= flow
			}
		}
	case "filter":
		o.Scope = append(o.Scope, p.formFilter())
	case "delete-filter":
		n, err := strconv.Atoi(p.PostFormValue("filter"))
		if err != nil || n < 0 || n >= len(o.Scope) {
			return &refusal.Error{Code: tenant.InvalidRequest, Detail: "there is no such filter"}
		}
		o.Scope = slices.Delete(o.Scope, n, n+1)
	default:
		return &refusal.Error{Code: tenant.InvalidRequest, Detail: do}
	}
	return nil
}

func (p page) formAttribute(target string) (a mapping.Attribute, err error) {
	a = mapping.Attribute{
		Target:   target,
		Default:  p.PostFormValue("default"),
		OnlyOnce: p.PostFormValue("apply") == "once",
	}
	switch text := strings.TrimSpace(p.PostFormValue("text")); p.PostFormValue("type") {
	case "Direct":
		a.Expression = "[" + p.PostFormValue("source") + "]"
	case "Constant":
		a.Expression = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	default:
		a.Expression = text
	}
	if p.PostFormValue("match") == "true" {
		if a.Matching, err = strconv.Atoi(p.PostFormValue("precedence")); err != nil || a.Matching < 1 ||
			a.Matching > 100 {
			return a, &refusal.Error{
				Code:    tenant.InvalidValue,
				Subject: "matching precedence",
				Detail:  "it must be 1 to 100",
			}
		}
	}
	return a, nil
}

// formFilter reads the rows of the form that have an attribute.
func (p page) formFilter() mapping.Filter {
	f := mapping.Filter{Name: strings.TrimSpace(p.PostFormValue("name"))}
	for i, attribute := range p.PostForm["attribute"] {
		if attribute == "" || i >= len(p.PostForm["operator"]) || i >= len(p.PostForm["value"]) {
			continue
		}
		c := mapping.Clause{Attribute: attribute, Operator: p.PostForm["operator"][i]}
		if v := p.PostForm["value"][i]; v != "" {
			c.Values = []string{v}
		}
		f.Clauses = append(f.Clauses, c)
	}
	return f
}
