package console

import "github.com/gatehouse-id/gatehouse/web"

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
