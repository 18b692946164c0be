package oversee_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestAccountsAreLabeledByCommand: an account by its name, a tag, a unit; again, and away.
func TestAccountsAreLabeledByCommand(t *testing.T) {
	t.Parallel()
	o, s := newOffice(t)
	if err := s.PutAccounts(t.Context(), centertest.Actor, []center.Account{
		{ID: "111122223333", Name: "Production"}, {ID: "222233334444", Name: "Staging"},
	}); err != nil {
		t.Fatal(err)
	}
	set := func(more ...string) []string { return append([]string{"accounts", "label", "set"}, more...) }
	o.want("Production is labeled Live", set("--account", "Production", "--environment", "Live", "--color", "red")...)
	o.want("", set("--tag", "stage=dev=1", "--environment", "Development")...)
	o.want("", set("--unit", "ou-1", "--environment", "Sandbox", "--color", "lightBlue")...)
	o.want("unit ou-1", "accounts", "label", "list")
	list := read[[]adminapi.AccountLabel](o, "accounts", "label", "list")
	if len(list) != 3 || list[0].AccountID != "111122223333" || list[0].Color != "red" ||
		list[1].Tag == nil || *list[1].Tag != (adminapi.Tag{Key: "stage", Value: "dev=1"}) {
		t.Errorf("the labels are %+v", list)
	}
	o.refused("exactly one", "", set("--environment", "x")...)
	o.refused("exactly one", "", set("--account", "Production", "--unit", "ou-1", "--environment", "x")...)
	o.refused("one of pink", "", set("--account", "Production", "--environment", "x", "--color", "puce")...)
	o.refused("letters, digits", "", set("--account", "Production", "--environment", "a\nb")...)
	o.refused("not in the center", "", set("--account", "Nowhere", "--environment", "x")...)
	o.want(`"Done": "tag stage=dev=1 has no label`, "accounts", "label", "delete", "--tag", "stage=dev=1", "--json")
	o.refused("no such label", "", "accounts", "label", "delete", "--tag", "stage=dev=1")
	odd := adminapi.Tag{Key: "team=a", Value: "b=c"} // AWS has equals signs in keys too
	o.want("", set("--tag", `"team=a"=b=c`, "--environment", "Odd")...)
	o.want(`tag "team=a"=b=c`, "accounts", "label", "list")
	list = read[[]adminapi.AccountLabel](o, "accounts", "label", "list")
	if !slices.ContainsFunc(list, func(l adminapi.AccountLabel) bool { return l.Tag != nil && *l.Tag == odd }) {
		t.Errorf("the labels are %+v", list)
	}
	o.refused("no such label", "", "accounts", "label", "delete", "--tag", "team=a=b=c")
	o.want("", "accounts", "label", "delete", "--tag", `"team=a"=b=c`)
	client := s.Admin()
	all, err := client.Accounts(t.Context())
	if err != nil || len(all) != 2 || all[0].Environment != "Live" || all[0].Color != "red" ||
		all[1].Environment != "" {
		t.Fatalf("the accounts are %+v, %v", all, err)
	}
	// a file of accounts changes nothing about labels, and does not see them as changes
	changes, err := client.CompareAccounts(t.Context(), []adminapi.Account{
		{ID: "111122223333", Name: "Production", Status: adminapi.AccountActive},
		{ID: "222233334444", Name: "Stage", Status: adminapi.AccountActive},
	})
	if err != nil || len(changes) != 1 {
		t.Errorf("the changes are %+v, %v", changes, err)
	}
	changes[0].Account.Environment = "Elsewhere"
	if err := client.ApplyAccounts(t.Context(), changes, func(int) {}); err != nil {
		t.Error(err)
	}
	if err := client.PutAccounts(t.Context(), all[:1]); err == nil {
		t.Error("PutAccounts takes a label without a word")
	}
}
