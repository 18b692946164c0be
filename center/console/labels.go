package console

import (
	"context"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/web"
)

// labelPages are the forms for labels of accounts.
var labelPages = map[string]action{
	"POST /console/account-labels":        putLabel,
	"POST /console/account-labels/delete": deleteLabel,
}

// labelLine is a label with what its place is called.
type labelLine struct {
	center.AccountLabel
	Key   string // of its place, as the form has it
	Where string
}

// labelsOf are the labels of accounts by their ids.
func (p page) labelsOf(accounts []center.Account) (map[string]center.AccountLabel, error) {
	labels, err := p.h.Center.AccountLabels(p.Context())
	of := make(map[string]center.AccountLabel, len(accounts))
	for _, a := range accounts {
		of[a.ID] = labels.Of(a)
	}
	return of, err
}

// labelLines are the labels in the order in which they are looked for.
func labelLines(labels center.AccountLabels, accounts []center.Account, units []center.Unit) (lines []labelLine) {
	names := map[string]string{}
	for _, a := range accounts {
		names[a.ID] = a.Name
	}
	for _, u := range units {
		names[u.ID] = u.Name
	}
	for _, l := range labels.List() {
		line := labelLine{AccountLabel: l}
		switch {
		case l.Tag != nil:
			line.Key, line.Where = "tag:"+l.Tag.Text(), "tag "+l.Tag.Key+" = "+l.Tag.Value
		case l.Unit != "":
			line.Key, line.Where = "unit:"+l.Unit, strings.TrimSpace("unit "+names[l.Unit]+" "+l.Unit)
		default:
			line.Key, line.Where = l.AccountID, strings.TrimSpace(names[l.AccountID]+" "+l.AccountID)
		}
		lines = append(lines, line)
	}
	return lines
}

// placeOf reads where something counts from a form: an account's id, unit:ID, or tag: and a tag
// as center.Tag.Text writes it.
func placeOf(text string) (at center.Place) {
	if tag, ok := strings.CutPrefix(text, "tag:"); ok {
		read := center.ReadTag(tag)
		at.Tag = &read
	} else if unit, ok := strings.CutPrefix(text, "unit:"); ok {
		at.Unit = unit
	} else {
		at.AccountID = text
	}
	return at
}

func putLabel(p page) error {
	l := center.AccountLabel{
		Place: placeOf(p.PostFormValue("account")), Environment: p.PostFormValue("environment"),
		Color: center.AccountColor(p.PostFormValue("color")),
	}
	if err := p.h.Center.PutAccountLabel(p.Context(), p.by, l); err != nil {
		return err
	}
	return p.Done(p.back("/console/accounts"), "The label is saved.")
}

func deleteLabel(p page) error {
	question := web.Question{
		Title: "Delete the label?",
		Lines: []string{
			"Nobody gains or loses access. Accounts fall back to the label of a tag or unit, if there is one.",
		},
		Button: "Delete the label",
	}
	if done, err := p.SureOf(question, func(ctx context.Context) error {
		return p.h.Center.DeleteAccountLabel(ctx, p.by, placeOf(p.PostFormValue("account")))
	}); !done {
		return err
	}
	return p.Done(p.back("/console/accounts"), "The label is deleted.")
}
