package console

import (
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

// createRule makes a rule from the form for assignments: where is unit:ID, or tag:KEY=VALUE.
func createRule(p page, where string, a center.Assignment) error {
	rule := center.AssignmentRule{
		PermissionSetARN: a.PermissionSetARN,
		PrincipalType:    a.PrincipalType,
		PrincipalID:      a.PrincipalID,
	}
	if tag, ok := strings.CutPrefix(where, "tag:"); ok {
		key, value, _ := strings.Cut(tag, "=")
		rule.Tag = &center.Tag{Key: key, Value: value}
	} else {
		rule.Unit = strings.TrimPrefix(where, "unit:")
	}
	made, err := p.h.Center.CreateAssignmentRule(p.Context(), p.by, rule)
	if err != nil {
		return err
	}
	if made.Problem != "" {
		return p.Done("/console/assignments", "The rule is created, but not applied everywhere: "+made.Problem)
	}
	return p.Done("/console/assignments", "The rule is created.")
}

func deleteRule(p page) error {
	question := web.Question{
		Title:  "Delete the rule?",
		Lines:  []string{"Its assignments are removed in all its accounts, unless another rule wants them."},
		Button: "Delete the rule",
	}
	if sure, err := p.Sure(question); !sure {
		return err
	}
	if err := p.h.Center.DeleteAssignmentRule(p.Context(), p.by, p.PostFormValue("id")); err != nil {
		return err
	}
	return p.Done("/console/assignments", "The rule is deleted, and its assignments are removed.")
}
