package awsapi

import (
	"log/slog"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// People writes the answers of APIs whose callers are people with an access token, and who sign
// nothing: sso and account-access-runtime.
type People struct {
	Log       *slog.Logger
	RequestID func(*http.Request) string
	Answer    func(error) *Error // the exception that an error is, with its status
}

// Write answers with the output of an operation, with nothing where it has none, or with an
// exception. What went wrong here is written into the log, and nowhere else.
func (p People) Write(w http.ResponseWriter, r *http.Request, out any, err error) {
	status := http.StatusOK
	w.Header().Set("X-Amzn-Requestid", p.RequestID(r))
	if err != nil {
		wrong := p.Answer(err)
		if wrong.Status >= http.StatusInternalServerError {
			p.Log.ErrorContext(
				r.Context(), "operation failed", "path", r.URL.Path, "request_id", p.RequestID(r), "error", err,
			)
		}
		status, out = wrong.Status, map[string]string{"message": wrong.Message, "__type": wrong.Code}
		w.Header().Set("X-Amzn-Errortype", wrong.Code)
	}
	if out == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// the client has gone away
	_ = json.MarshalWrite(w, out, json.Deterministic(true), jsontext.EscapeForHTML(false))
}
