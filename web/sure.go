package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Question is what an administrator is asked before something that cannot be taken back.
type Question struct {
	Title  string
	Lines  []string // what will be lost, and for how many
	Button string   // says what will be done
}

// The fields by which the answer comes, and with it the page of the form: that of the question
// cannot be opened again.
const (
	sure      = "sure"
	askedFrom = "asked-from"
)

type questionData struct {
	Question
	Action, Back string
	Fields       []struct{ Name, Value string }
}

// Answered says whether the administrator has answered a question that Sure asks.
func (v Visit) Answered() bool { return v.PostFormValue(sure) == "yes" }

// Sure says whether the administrator has answered the question. If not, it is shown, with all that
// the form had sent, and the action ends with the error: nil unless the page failed.
func (v Visit) Sure(q Question) (bool, error) {
	if v.Answered() {
		return true, nil
	}
	q.Lines = append(v.changed(), q.Lines...)
	d := questionData{Question: q, Action: v.URL.RequestURI(), Back: cmp.Or(v.from(), v.desk.Prefix+"/")}
	for _, name := range slices.Sorted(maps.Keys(v.PostForm)) {
		if name == sure || name == askedFrom {
			continue // of a question before this one
		}
		for _, value := range v.PostForm[name] {
			d.Fields = append(d.Fields, struct{ Name, Value string }{name, value})
		}
	}
	d.Fields = append(d.Fields, []struct{ Name, Value string }{{askedFrom, v.from()}, {sure, "yes"}}...)
	v.offer(v.desk.own, http.StatusOK, "sure", v.view(q.Title, "", d))
	return false, nil
}

// SureOf asks before a deed, which is one change, and carries it out when that is answered. A deed
// that would be refused is refused instead of the question: nobody answers one for nothing.
func (v Visit) SureOf(q Question, deed func(context.Context) error) (done bool, err error) {
	if !v.Answered() {
		if err := refusal.Try(v.Context(), deed); err != nil {
			return false, err
		}
		return v.Sure(q)
	}
	err = deed(v.Context())
	return err == nil, err
}
