package center_test

import (
	"context"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// TestTheNearestLabelCounts: an account's own, then a tag's, then that of the nearest unit.
func TestTheNearestLabelCounts(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := centertest.New(t, "https://center.example")
	account := center.Account{
		ID: "111122223333", Name: "Production",
		Units: []center.Unit{{ID: "r-1", Name: "Root"}, {ID: "ou-1", Name: "Workloads"}},
		Tags:  []center.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}},
	}
	other := center.Account{ID: "222233334444", Name: "Other", Tags: []center.Tag{{Key: "a", Value: "1=b"}}}
	if err := c.PutAccounts(ctx, centertest.Actor, []center.Account{account, other}); err != nil {
		t.Fatal(err)
	}
	of := func(a center.Account) string {
		t.Helper()
		labels, err := c.AccountLabels(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return labels.Of(a).Environment
	}
	places := []center.Place{
		{Unit: "r-1"}, {Unit: "ou-1"}, {Tag: &center.Tag{Key: "b", Value: "2"}},
		{Tag: &center.Tag{Key: "a", Value: "1"}}, {AccountID: account.ID},
	}
	names := []string{"root", "unit", "second tag", "first tag", "own"}
	for i, at := range places {
		if err := c.PutAccountLabel(ctx, centertest.Actor, center.AccountLabel{
			Place: at, Environment: " " + names[i] + " ", Color: "red",
		}); err != nil {
			t.Fatal(err)
		}
		if got := of(account); got != names[i] {
			t.Errorf("with a label of %s it is %q", names[i], got)
		}
	}
	if got := of(other); got != "" {
		t.Errorf("a tag that reads alike is %q", got)
	}
	for i := len(places) - 1; i >= 0; i-- {
		if err := c.DeleteAccountLabel(ctx, centertest.Actor, places[i]); err != nil {
			t.Fatal(err)
		}
		want := ""
		if i > 0 {
			want = names[i-1]
		}
		if got := of(account); got != want {
			t.Errorf("without the label of %s it is %q", names[i], got)
		}
	}
	for name, bad := range map[string]center.AccountLabel{
		"nowhere":             {Environment: "x"},
		"two places":          {Place: center.Place{AccountID: account.ID, Unit: "r-1"}, Environment: "x"},
		"no account":          {Place: center.Place{AccountID: "999999999999"}, Environment: "x"},
		"no environment":      {Place: places[0], Environment: " "},
		"a line more":         {Place: places[0], Environment: "x\ncredential_process = y"},
		"writing that turns":  {Place: places[0], Environment: "x\u202ey"},
		"too long":            {Place: places[0], Environment: "123456789012345678901234567890123"},
		"an unknown color":    {Place: places[0], Environment: "x", Color: `red" onclick="`},
		"a tag without a key": {Place: center.Place{Tag: &center.Tag{Value: "x"}}, Environment: "x"},
	} {
		err := c.PutAccountLabel(ctx, centertest.Actor, bad)
		if kind := refusal.KindOf(err); kind != refusal.Invalid && kind != refusal.NotFound {
			t.Errorf("%s: %v", name, err)
		}
	}
}
