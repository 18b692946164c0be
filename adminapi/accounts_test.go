package adminapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/server"
)

func TestReadAccounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []adminapi.Account
	}{
		"what the aws CLI prints": {
			`{"Accounts":[{"Id":"222233334444","Arn":"arn:x","Name":"Production","Status":"SUSPENDED"},
				{"Id":"555566667777","Name":"New","Email":"new@example.com","Status":"ACTIVE"},
				{"Id":"666677778888","Name":"Old","Status":"PENDING_CLOSURE"}]}`,
			[]adminapi.Account{
				{ID: "222233334444", Name: "Production", Status: adminapi.AccountSuspended},
				{ID: "555566667777", Name: "New", Email: "new@example.com", Status: adminapi.AccountActive},
				{ID: "666677778888", Name: "Old", Status: adminapi.AccountSuspended},
			},
		},
		"CSV, an id without its zeros": {
			"\ufeffName, ID ,tags,email\nSmall,123,b=2;a=1;c,s@example.com\n",
			[]adminapi.Account{{
				ID:     "000000000123",
				Name:   "Small",
				Email:  "s@example.com",
				Status: adminapi.AccountActive,
				Tags:   []adminapi.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}, {Key: "c"}},
			}},
		},
	} {
		got, err := adminapi.ReadAccounts(strings.NewReader(c.text))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for text, want := range map[string]string{
		"x,y\n1,2\n":                 `"id" is missing`,
		"id\n1\n":                    `"name" is missing`,
		"id,name\n":                  "no accounts",
		"{":                          "list-accounts",
		"{\"Accounts\":[]}":          "no accounts",
		"":                           "not CSV",
		"id,name\n1,2,3\n":           "not CSV",
		strings.Repeat("x", 17<<20):  "16 MiB",
		"id,name\n\"1,\"2\",\n\n\"x": "not CSV",
	} {
		if _, err := adminapi.ReadAccounts(strings.NewReader(text)); err == nil ||
			!strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v, want %q", text, err, want)
		}
	}
}

func TestAccountsAreComparedAndApplied(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := centertest.New(t, "http://127.0.0.1")
	site := httptest.NewServer(server.Handler(c, server.Config{}))
	t.Cleanup(site.Close)
	key, err := c.CreateAccessKey(ctx, centertest.Actor, "test", center.RoleAdministrator)
	if err != nil {
		t.Fatal(err)
	}
	client := &adminapi.Client{
		URL:             site.URL,
		Region:          c.Instance.Region,
		AccessKeyID:     key.ID,
		SecretAccessKey: key.SecretAccessKey.Reveal(),
		HTTP:            http.DefaultClient,
	}
	changes := func(wanted ...adminapi.Account) []adminapi.AccountChange {
		t.Helper()
		list, err := client.CompareAccounts(ctx, wanted)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	first := adminapi.Account{
		ID:     "111122223333",
		Name:   "First",
		Status: adminapi.AccountActive,
		Tags:   []adminapi.Tag{{Key: "env", Value: "prod"}},
	}
	second := adminapi.Account{ID: "222233334444", Name: "Second", Status: adminapi.AccountActive}
	list := changes(first, second)
	if len(list) != 2 || list[0].Change != "add" || list[1].Change != "add" {
		t.Fatalf("changes %+v, want two to add", list)
	}
	var told []int
	if err := client.ApplyAccounts(ctx, list, func(done int) { told = append(told, done) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int{2}, told); diff != "" {
		t.Errorf("progress %s", diff)
	}
	first.Tags = nil // a file that says nothing of tags leaves them as they are
	second.Name = "Renamed"
	if list := changes(first, second); len(list) != 1 || list[0].Change != "change" ||
		list[0].Account.Name != "Renamed" {
		t.Errorf("changes %+v, want one to change", list)
	}
	bad := adminapi.AccountChange{Change: "add", Account: adminapi.Account{ID: "x", Name: "Bad"}}
	if err := client.ApplyAccounts(ctx, []adminapi.AccountChange{bad}, func(int) {}); err == nil ||
		!strings.Contains(err.Error(), "accounts x to x") {
		t.Errorf("a wrong account: %v", err)
	}
}
