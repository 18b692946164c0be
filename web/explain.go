package web

import (
	"net/http"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Explain says what a refusal means, in words for an administrator, and with which status a page
// answers. There are no lines for an error that is none: only the log has its text.
func Explain(err error) (status int, lines []string) {
	lines = refusal.ForPeople(err)
	if lines == nil {
		return 0, nil
	}
	switch refusal.KindOf(err) {
	case refusal.NotFound:
		return http.StatusNotFound, lines
	case refusal.Conflict:
		return http.StatusConflict, lines
	case refusal.Denied:
		return http.StatusForbidden, lines
	case refusal.Unavailable:
		return http.StatusServiceUnavailable, lines
	default:
		return http.StatusBadRequest, lines
	}
}
