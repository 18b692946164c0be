package ballast

import "testing"

func TestAllButTheDemoHaveBallast(t *testing.T) {
	for _, c := range []struct {
		args []string
		size int
	}{
		{[]string{"gatehouse"}, size},
		{[]string{"gatehouse", "serve", "--data", "demo"}, size},
		{[]string{"gatehouse", "demo", "--json"}, 0},
	} {
		if got := len(heldBy(c.args)); got != c.size {
			t.Errorf("%v: %d bytes, not %d", c.args, got, c.size)
		}
	}
}
