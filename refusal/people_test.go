package refusal_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/refusal"
)

func TestAPersonReadsWhatIsWrong(t *testing.T) {
	var all refusal.Catalogue
	wrong := all.New("invalid-value", refusal.Invalid, "the value is not valid", "correct the value")
	missing := all.New("missing-value", refusal.Invalid, "an attribute is missing", "send it")
	taken := all.New("name-taken", refusal.Conflict, "the name is taken", "choose another")
	for _, c := range []struct {
		err  error
		want []string
	}{
		{&refusal.Error{Code: wrong, Detail: "choose a row"}, []string{"choose a row."}},
		{&refusal.Error{Code: wrong, Field: "userName", Detail: "no blanks."}, []string{"User name: no blanks."}},
		{&refusal.Error{Code: wrong, Field: "RoleArn", Detail: "use an ARN"}, []string{"Role ARN: use an ARN."}},
		{&refusal.Error{Code: wrong, Subject: "url", Detail: "use https"}, []string{"URL: use https."}},
		{&refusal.Error{Code: wrong, Field: "metadata URL", Detail: "use https"}, []string{"metadata URL: use https."}},
		{&refusal.Error{Code: wrong, Field: "name"}, []string{
			"the value is not valid: name.", "What to do: correct the value."}},
		{&refusal.Error{Code: missing, Field: "PermissionSetARN"}, []string{"Permission set ARN is missing."}},
		{&refusal.Error{Code: missing, Detail: "choose a row"}, []string{"choose a row."}},
		{fmt.Errorf("later: %w", &refusal.Error{Code: taken, Subject: "ada"}), []string{
			"the name is taken (ada).", "What to do: choose another."}},
		{errors.New("the disk is full"), nil},
		{nil, nil},
	} {
		if got := refusal.ForPeople(c.err); !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
}
