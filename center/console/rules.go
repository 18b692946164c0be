package console

import (
	"context"

	"github.com/gatehouse-id/gatehouse/web"
)

func deleteRule(p page) error {
	question := web.Question{
		Title:  "Delete the rule?",
		Lines:  []string{"Its assignments are removed in all its accounts, unless another rule wants them."},
		Button: "Delete the rule",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteAssignmentRule(ctx, p.by, p.PostFormValue("id"))
	}); !done {
		return err
	}
	return p.Done("/console/assignments", "The rule is deleted, and its assignments are removed.")
}
