package center

import (
	"strings"

	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// OnlyNamed returns the id of the only one of a list that a person may mean by a text: its id, or
// its name in whatever letter case. What nothing is called is returned as it is, since it may be an
// id. It fails with InvalidValue when several have the name, and says the ids of a few of them;
// kind is what they are, in the plural.
func OnlyNamed[T any](list []T, text, kind string, of func(T) (id, name string)) (string, error) {
	var ids []string
	for _, one := range list {
		id, name := of(one)
		if id == text {
			return id, nil
		}
		if names.Equal(name, text) {
			ids = append(ids, id)
		}
	}
	switch len(ids) {
	case 0:
		return text, nil
	case 1:
		return ids[0], nil
	}
	few := strings.Join(ids[:min(len(ids), fewNamed)], ", ")
	return "", &refusal.Error{
		Code: InvalidValue, Detail: "several " + kind + " are called " + text + ": use one of " + few,
	}
}

// fewNamed is how many ids are said.
const fewNamed = 10 //bound:list ids of those with one name, in a refusal
