package identitystore_test

import (
	"os"
	"strings"
	"testing"
)

// TestTheBytesOfAUser compares what is sent byte by byte: some clients keep answers and compare
// them.
func TestTheBytesOfAUser(t *testing.T) {
	a := newAPI(t)
	id := a.must("CreateUser", full)["UserId"].(string)
	ask := `{"IdentityStoreId":"STORE","UserId":"` + id + `","Extensions":["aws:identitystore:enterprise"]}`
	_, data := a.raw("DescribeUser", ask)
	got := strings.NewReplacer(a.center.Instance.IdentityStoreID, "STORE", id, "ID").Replace(string(data))
	if *update {
		if err := os.WriteFile("testdata/user-bytes.json", []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/user-bytes.json")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the user is\n%s\nwant\n%s", got, want)
	}
}
