package names_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/names"
)

func TestWhatIsCountedHasTheFormOfItsNumber(t *testing.T) {
	for _, each := range []struct {
		format string
		args   []any
		want   string
	}{
		{"%d {user|users} {is|are} left", []any{1}, "1 user is left"},
		{"%d {user|users} {is|are} left", []any{0}, "0 users are left"},
		{"%d {user|users} and %d {group|groups}", []any{21, 1}, "21 users and 1 group"},
		{"%s has %d {person|people}", []any{"{1|2} %d", int64(1)}, "{1|2} %d has 1 person"},
		{"%d of %d {step|steps}, 100%%", []any{1, 2}, "1 of 2 steps, 100%"},
		{"nothing to count", nil, "nothing to count"},
	} {
		if got := names.Counted(each.format, each.args...); got != each.want {
			t.Errorf("%q: %q, want %q", each.format, got, each.want)
		}
	}
}
