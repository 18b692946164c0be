package graphserver

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Names of the synchronization rule and its directories. Source: a sample of this application's
// schema.
const (
	ruleName        = "USERGROUP_OUTBOUND_USERGROUP"
	sourceDirectory = "Azure Active Directory"
	targetDirectory = "AWSSingleSignon"
)

func (h *Handler) getSchema(ctx context.Context, r request) (int, any, error) {
	j, err := h.job(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, withBeside(schemaToWire(string(j.ID), j.Mappings()), j.Mappings()), nil
}

// putSchema replaces all of it: what is left out is gone. What has no meaning here is kept.
func (h *Handler) putSchema(ctx context.Context, r request) (int, any, error) {
	var in graph.SynchronizationSchema
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if len(in.Rules) != 1 {
		return 0, nil, badRequest("The schema must have exactly one synchronization rule.")
	}
	s, err := MappingsFromWire(in.Rules[0])
	if err != nil {
		return 0, nil, err
	}
	if s.Beside, err = besideOf(in); err != nil {
		return 0, nil, err
	}
	return h.changeJob(ctx, r, func(id tenant.JobID) error { return h.Tenant.SetMappings(ctx, r.by, id, s) })
}

func (h *Handler) deleteSchema(ctx context.Context, r request) (int, any, error) {
	return h.changeJob(ctx, r, func(id tenant.JobID) error { return h.Tenant.ResetMappings(ctx, r.by, id) })
}

var flowNames = []struct {
	flow mapping.Flow
	name string
}{{mapping.Add, "Add"}, {mapping.Update, "Update"}, {mapping.Delete, "Delete"}}

func schemaToWire(id string, s mapping.Schema) graph.SynchronizationSchema {
	rule := graph.SynchronizationRule{
		ID:                  s.RuleID,
		Name:                ruleName,
		Editable:            true,
		Priority:            1,
		SourceDirectoryName: sourceDirectory,
		TargetDirectoryName: targetDirectory,
		Metadata: []graph.KeyValue{
			{Key: "defaultSourceObjectMappings", Value: "User,Group"},
			{Key: "supportsProvisionOnDemand", Value: "true"},
		},
	}
	source, target := graph.DirectoryDefinition{
		ID:   "source",
		Name: sourceDirectory,
	}, graph.DirectoryDefinition{
		ID:   "target",
		Name: targetDirectory,
	}
	for _, o := range s.Objects {
		m := graph.ObjectMapping{
			Name:             o.Name,
			Enabled:          o.Enabled,
			SourceObjectName: o.Source,
			TargetObjectName: o.Target,
			Metadata:         []graph.KeyValue{},
			Scope:            scopeToWire(o.Scope),
		}
		m.FlowTypes = flowsToWire(o.Flows)
		for _, a := range o.Attributes {
			m.AttributeMappings = append(m.AttributeMappings, attributeToWire(a))
		}
		rule.ObjectMappings = append(rule.ObjectMappings, m)
		source.Objects = append(
			source.Objects, graph.ObjectDefinition{Name: o.Source, Attributes: sourceAttributes(o.Source)},
		)
		target.Objects = append(
			target.Objects, graph.ObjectDefinition{Name: o.Target, Attributes: targetAttributes(o.Source)},
		)
	}
	return graph.SynchronizationSchema{
		ID:          id,
		Version:     fmt.Sprintf("v1.%d", s.Version),
		Rules:       []graph.SynchronizationRule{rule},
		Directories: []graph.DirectoryDefinition{source, target},
	}
}

func attributeToWire(a mapping.Attribute) graph.AttributeMapping {
	out := graph.AttributeMapping{
		TargetAttributeName: a.Target,
		Source:              sourceToWire(a.Expression),
		MatchingPriority:    a.Matching,
		FlowType:            "Always",
		FlowBehavior:        "FlowWhenChanged",
	}
	if a.OnlyOnce {
		out.FlowType = "ObjectAddOnly"
	}
	if a.Default != "" {
		out.DefaultValue = &a.Default
	}
	return out
}

func sourceToWire(expression string) graph.AttributeSource {
	kind, name := mapping.Kind(expression)
	return graph.AttributeSource{Expression: expression, Name: name, Type: kind, Parameters: []graph.SourceParameter{}}
}

func scopeToWire(filters []mapping.Filter) *graph.ScopeFilter {
	if len(filters) == 0 {
		return nil
	}
	out := &graph.ScopeFilter{InputFilterGroups: []graph.FilterGroup{}, CategoryFilterGroups: []graph.FilterGroup{}}
	for _, f := range filters {
		g := graph.FilterGroup{Name: f.Name, Clauses: []graph.FilterClause{}}
		for _, c := range f.Clauses {
			g.Clauses = append(
				g.Clauses,
				graph.FilterClause{
					SourceOperandName: c.Attribute,
					OperatorName:      c.Operator,
					TargetOperand:     graph.FilterOperand{Values: append([]string{}, c.Values...)},
				},
			)
		}
		out.Groups = append(out.Groups, g)
	}
	return out
}

// MappingsFromWire reads the rule of a schema. What the target requires is not in it.
func MappingsFromWire(rule graph.SynchronizationRule) (s mapping.Schema, err error) {
	for _, m := range rule.ObjectMappings {
		o := mapping.Object{Name: m.Name, Source: m.SourceObjectName, Target: m.TargetObjectName, Enabled: m.Enabled}
		if o.Flows, err = flowsOf(m.FlowTypes); err != nil {
			return s, err
		}
		for _, a := range m.AttributeMappings {
			attribute, err := attributeFromWire(a)
			if err != nil {
				return s, err
			}
			o.Attributes = append(o.Attributes, attribute)
		}
		if m.Scope != nil {
			if len(m.Scope.InputFilterGroups) > 0 || len(m.Scope.CategoryFilterGroups) > 0 {
				return s, badRequest(
					"Only the groups of a scope are supported, not inputFilterGroups or categoryFilterGroups.",
				)
			}
			for _, g := range m.Scope.Groups {
				f := mapping.Filter{Name: g.Name}
				for _, c := range g.Clauses {
					f.Clauses = append(
						f.Clauses,
						mapping.Clause{
							Attribute: c.SourceOperandName,
							Operator:  c.OperatorName,
							Values:    c.TargetOperand.Values,
						},
					)
				}
				o.Scope = append(o.Scope, f)
			}
		}
		s.Objects = append(s.Objects, o)
	}
	return s, nil
}

// attributeFromWire goes by the expression; clients that write a name and a type instead mean an
// attribute or a constant.
func attributeFromWire(a graph.AttributeMapping) (mapping.Attribute, error) {
	switch a.FlowType {
	case "", "Always", "ObjectAddOnly":
	default:
		return mapping.Attribute{}, badRequest(
			"The flowType '" + quotable(a.FlowType) + "' is not supported: use Always or ObjectAddOnly.",
		)
	}
	if a.FlowBehavior != "" && a.FlowBehavior != "FlowWhenChanged" {
		return mapping.Attribute{}, badRequest(
			"The flowBehavior '" + quotable(a.FlowBehavior) + "' is not supported: use FlowWhenChanged.",
		)
	}
	if a.ExportMissingReferences {
		return mapping.Attribute{}, badRequest("exportMissingReferences is not supported.")
	}
	expression := a.Source.Expression
	if expression == "" && a.Source.Name != "" {
		expression = "[" + a.Source.Name + "]"
		if strings.EqualFold(a.Source.Type, "Constant") {
			expression = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(a.Source.Name) + `"`
		}
	}
	out := mapping.Attribute{
		Target:     a.TargetAttributeName,
		Expression: expression,
		Matching:   a.MatchingPriority,
		OnlyOnce:   a.FlowType == "ObjectAddOnly",
	}
	if a.DefaultValue != nil {
		out.Default = *a.DefaultValue
	}
	return out, nil
}

// sourceAttributes describe the attributes of the directory.
func sourceAttributes(kind string) (list []graph.AttributeDefinition) {
	for _, name := range tenant.SourceAttributes(tenant.ObjectKind(kind)) {
		d := graph.AttributeDefinition{Name: name, Type: "String", Anchor: name == "objectId", Mutability: "ReadOnly"}
		if name == "manager" || name == "members" {
			d.Type, d.Multivalued = "Reference", name == "members"
			d.ReferencedObjects = referenced(kind)
		}
		list = append(list, d)
	}
	return list
}

// referenced are the kinds that members and managers are of.
func referenced(kind string) []graph.ReferencedObject {
	if kind == string(tenant.KindGroup) {
		return []graph.ReferencedObject{{ObjectName: "User"}, {ObjectName: "Group"}}
	}
	return []graph.ReferencedObject{{ObjectName: "User"}}
}

// targetAttributes describe the attributes of the application.
func targetAttributes(kind string) (list []graph.AttributeDefinition) {
	list = append(list, graph.AttributeDefinition{Name: "id", Type: "String", Anchor: true, Mutability: "ReadOnly"})
	defaults := tenant.DefaultMappings()
	for _, name := range tenant.TargetAttributes(tenant.ObjectKind(kind)) {
		d := graph.AttributeDefinition{Name: name, Type: "String", Mutability: "ReadWrite"}
		d.Required = slices.ContainsFunc(
			defaults.Of(kind).Attributes, func(a mapping.Attribute) bool { return a.Target == name && a.Required },
		)
		switch {
		case name == "active":
			d.Type = "Boolean"
		case name == "members":
			d.Type, d.Multivalued = "Reference", true
			d.ReferencedObjects = referenced(kind)
		case name == "roles":
			d.Multivalued = true
		case strings.HasSuffix(name, ":manager"):
			d.Type = "Reference"
			d.ReferencedObjects = referenced(kind)
		}
		list = append(list, d)
	}
	return list
}

func (h *Handler) filterOperators(ctx context.Context, r request) (int, any, error) {
	if _, err := h.job(ctx, r); err != nil {
		return 0, nil, err
	}
	out := graph.Page[graph.FilterOperator]{Value: []graph.FilterOperator{}}
	for _, name := range mapping.Operators() {
		o := graph.FilterOperator{
			ID:                        name,
			Name:                      name,
			Arity:                     "Binary",
			MultivaluedComparisonType: "None",
			SupportedAttributeTypes:   []string{"String", "Integer", "Boolean"},
		}
		if strings.HasPrefix(name, "IS ") {
			o.Arity = "Unary"
		}
		out.Value = append(out.Value, o)
	}
	return http.StatusOK, out, nil
}

func (h *Handler) functions(ctx context.Context, r request) (int, any, error) {
	if _, err := h.job(ctx, r); err != nil {
		return 0, nil, err
	}
	out := graph.Page[graph.Function]{Value: []graph.Function{}}
	for _, name := range mapping.Functions() {
		out.Value = append(out.Value, graph.Function{ID: name, Name: name, Parameters: []graph.KeyValue{}})
	}
	return http.StatusOK, out, nil
}

// parseExpression tries an expression, with the values of an object that the body has, which may
// have attributes of its own.
func (h *Handler) parseExpression(ctx context.Context, r request) (int, any, error) {
	var in graph.ParseExpression
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	if _, err := h.job(ctx, r); err != nil {
		return 0, nil, err
	}
	out := graph.ParsedExpression{EvaluationResult: []string{}}
	values, given := map[string]mapping.Value{}, map[string]bool{}
	if in.TestInputObject != nil {
		for _, p := range in.TestInputObject.Properties {
			switch v := p.Value.(type) {
			case nil:
			case []any:
				for _, one := range v {
					values[p.Key] = append(values[p.Key], fmt.Sprint(one))
				}
			default:
				values[p.Key] = mapping.One(fmt.Sprint(v))
			}
			given[p.Key] = true
		}
	}
	problem := ""
	if err := mapping.Parse(in.Expression); err != nil {
		problem = err.Error()
	}
	for _, name := range mapping.SourcesOf(in.Expression) {
		if !given[name] {
			problem = cmp.Or(problem, tenant.SourceProblem(name))
		}
	}
	if problem != "" {
		out.Error = &graph.PublicError{Code: "ExpressionParsingError", Message: problem}
		return http.StatusOK, out, nil
	}
	parsed := sourceToWire(in.Expression)
	out.ParsingSucceeded, out.ParsedExpression = true, &parsed
	v, err := mapping.Evaluate(ctx, in.Expression, func(name string) mapping.Value {
		if name == mapping.DefaultDomain {
			return mapping.One(h.Tenant.Organization.Domain)
		}
		if v := values[name]; len(v) > 1 || v.Text() != "" {
			return v
		}
		return nil
	})
	if err != nil {
		out.Error = &graph.PublicError{Code: "ExpressionEvaluationError", Message: err.Error()}
		return http.StatusOK, out, nil
	}
	out.EvaluationSucceeded = true
	out.EvaluationResult = append(out.EvaluationResult, v...)
	return http.StatusOK, out, nil
}
