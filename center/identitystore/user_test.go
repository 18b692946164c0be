package identitystore_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
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

// TestEveryTextOfAUserIsAnAttributeHere writes each attribute of center's table in both ways there
// are, and reads it.
func TestEveryTextOfAUserIsAnAttributeHere(t *testing.T) {
	a := newAPI(t)
	const enterprise = "aws:identitystore:enterprise"
	value := func(path, text string) string {
		switch path {
		case "birthdate":
			return map[string]string{"first": "1815-12-10", "second": "1852-11-27"}[text]
		case "userName":
			return text
		}
		return text + " " + path
	}
	member := func(name string) string { return strings.ToUpper(name[:1]) + name[1:] }
	person := map[string]any{}
	name, extension := map[string]any{}, map[string]any{}
	var operations []map[string]any
	for _, text := range new(center.User).TextAttributes() {
		path, part := text.Path, strings.TrimPrefix(text.Path, center.NamePrefix)
		if path == "externalId" { // shown in a list, and set by provisioning only
			continue
		}
		v := value(path, "first")
		if rest, ok := strings.CutPrefix(path, center.EnterprisePrefix); ok {
			path = enterprise + "." + rest
			extension[rest] = v
			if rest == "manager.value" {
				delete(extension, rest)
				extension["manager"] = map[string]any{"value": v}
			}
		} else if part != path {
			name[member(part)] = v
		} else {
			person[member(path)] = v
		}
		operations = append(operations, map[string]any{
			"AttributePath": path, "AttributeValue": value(text.Path, "second"),
		})
	}
	person["Name"], person["Extensions"] = name, map[string]any{enterprise: extension}
	person["IdentityStoreId"] = a.center.Instance.IdentityStoreID
	send := func(operation string, body map[string]any) map[string]any {
		data, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return a.must(operation, string(data))
	}
	id := send("CreateUser", person)["UserId"].(string)
	for _, round := range []string{"first", "second"} {
		u, err := a.center.User(context.Background(), center.UserID(id))
		if err != nil {
			t.Fatal(err)
		}
		shown, err := json.Marshal(a.must("DescribeUser", `{"IdentityStoreId":"STORE","UserId":"`+id+
			`","Extensions":["`+enterprise+`"]}`))
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range u.TextAttributes() {
			if text.Path == "externalId" {
				continue
			}
			want := value(text.Path, round)
			if *text.Value != want || !strings.Contains(string(shown), `"`+want+`"`) {
				t.Errorf("%s: %s is kept as %q, want %q, and shown in\n%s", round, text.Path, *text.Value, want, shown)
			}
		}
		send("UpdateUser", map[string]any{
			"IdentityStoreId": person["IdentityStoreId"], "UserId": id, "Operations": operations,
		})
	}
}
