package repair

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph"
)

// What a PUT of a schema does not have is gone. A real job's has more members than any type of
// ours: which attributes refer to other objects, what fills an empty value, where groups are
// filtered. So it is edited as it came. Source: "Update synchronizationSchema".

// member is an object of a document, whose members nobody knows all of.
type member = map[string]any

// editMapping enables a mapping, maps an attribute, or removes what maps it.
func (w *worker) editMapping(ctx context.Context, r doctor.Repair) error {
	var schema member
	if err := w.Graph.Do(ctx, http.MethodGet, job(r)+"/schema", nil, &schema); err != nil {
		return err
	}
	var source member
	if text := r.With["expression"]; text != "" {
		var err error
		if source, err = w.parse(ctx, r, text); err != nil {
			return err
		}
	}
	found := false
	for _, rule := range members(schema["synchronizationRules"]) {
		for _, object := range members(rule["objectMappings"]) {
			if name, _ := object["sourceObjectName"].(string); strings.EqualFold(name, r.With["object"]) {
				found = true
				editObject(object, r.With["target"], source)
			}
		}
	}
	if !found {
		return fmt.Errorf("the job maps no objects of the kind %s", r.With["object"])
	}
	delete(schema, "@odata.context")
	return w.Graph.Do(ctx, http.MethodPut, job(r)+"/schema", schema, nil)
}

// parse has the job's own parser read an expression: a mapping has its parts beside the text.
func (w *worker) parse(ctx context.Context, r doctor.Repair, text string) (member, error) {
	var parsed struct {
		ParsingSucceeded bool
		ParsedExpression member
		Error            *graph.PublicError
	}
	err := w.post(ctx, job(r)+"/schema/parseExpression", graph.ParseExpression{Expression: text}, &parsed)
	switch {
	case err != nil:
		return nil, err
	case parsed.Error != nil && !parsed.ParsingSucceeded:
		return nil, fmt.Errorf("the expression %s is not understood: %s", text, parsed.Error.Message)
	case parsed.ParsedExpression == nil:
		return nil, errors.New("the expression " + text + " is not understood")
	}
	return parsed.ParsedExpression, nil
}

// editObject changes what one kind of object is mapped by. Without a target it is enabled; without
// a source the mapping of the target goes.
func editObject(object member, target string, source member) {
	if target == "" {
		object["enabled"] = true
		return
	}
	list, _ := object["attributeMappings"].([]any)
	to := func(m any) bool {
		mapping, _ := m.(member)
		return mapping["targetAttributeName"] == target
	}
	if source == nil {
		object["attributeMappings"] = slices.DeleteFunc(list, to)
		return
	}
	for _, m := range list {
		if mapping, _ := m.(member); to(m) {
			mapping["source"] = source
		}
	}
	if !slices.ContainsFunc(list, to) {
		object["attributeMappings"] = append(list, member{
			"targetAttributeName": target, "source": source, "matchingPriority": 0, "flowType": "Always",
			"flowBehavior": "FlowWhenChanged", "defaultValue": nil, "exportMissingReferences": false,
		})
	}
}

// members are the objects of a list.
func members(list any) (all []member) {
	items, _ := list.([]any)
	for _, item := range items {
		if m, ok := item.(member); ok {
			all = append(all, m)
		}
	}
	return all
}
