package scimserver

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// AnswerTo returns the status and the text that an error is answered with.
func AnswerTo(err error) (int, string) {
	e := answerTo(err)
	return e.Status, e.Detail
}

// PatchUser is the operation without its door.
func PatchUser(h *Handler) func(*http.Request, string) {
	return func(r *http.Request, id string) {
		_, _ = h.patchUser(r.Context(), request{r, centertest.Actor, "PatchUser", id})
	}
}
