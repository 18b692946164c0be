package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestNoListIsCutOff: of what is more than a page, every list shows how much there is, leads to all
// of it, finds what is not on the page, and goes into a file as it is filtered.
func TestNoListIsCutOff(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v := s.Console()
	console := s.URL + "/console"
	for _, list := range fill(t, s) {
		t.Run(list, func(t *testing.T) {
			address := console + list
			page := v.Get(address)
			if !strings.Contains(page, "1–50 of 120") || len(page) > 100_000 {
				t.Errorf("%d bytes: %s", len(page), page)
			}
			if page = v.Get(address + "?offset=100"); !strings.Contains(page, "101–120 of 120") {
				t.Errorf("the last page: %s", page)
			}
			page = v.Get(address + "?q=" + url.QueryEscape("117 NUMBER"))
			page, _, _ = strings.Cut(page, `id="labels"`) // what is offered there is no list
			if !strings.Contains(page, "Number-117") || strings.Contains(page, "Number-116") {
				t.Errorf("searched: %s", page)
			}
			var all []map[string]string
			file := v.Get(address + "?format=json&q=number-1")
			if err := json.Unmarshal([]byte(file), &all); err != nil || len(all) != 20 {
				t.Errorf("%d in the file, %v", len(all), err)
			}
			if strings.Contains(page, `name="pick"`) {
				chosen(t, v, address, v.Get(address))
			}
		})
	}
	disabled := v.Get(console + "/users?status=disabled&access=without")
	if !strings.Contains(disabled, "1–12 of 12<") || strings.Contains(disabled, ">Enabled</span>") {
		t.Errorf("who is disabled: %s", disabled)
	}
	if last := v.Get(console + "/users?sort=-name"); !strings.Contains(last, "Number-119") ||
		!strings.Contains(last, `aria-sort="descending"`) {
		t.Errorf("in the other order: %s", last)
	}
}

// chosen chooses two rows of a page, of which a file has these two. Without any there is none.
func chosen(t *testing.T, v webtest.Visitor, address, page string) {
	t.Helper()
	picks := regexp.MustCompile(`name="pick" value="([^"]+)"`).FindAllStringSubmatch(page, 3)
	q := url.Values{"chosen": {"json"}}
	if none := v.Get(address + "?" + q.Encode()); !strings.Contains(none, "Choose at least one row to export") {
		t.Errorf("nothing was chosen: %s", none)
	}
	filtered := address + "?q=o"
	back := v.Do(http.MethodGet, address+"?"+q.Encode(), nil, "Referer: "+filtered)
	if back.URL.String() != filtered || !strings.Contains(back.Text, "Choose at least one row to export") {
		t.Errorf("nothing was chosen of what was filtered: it leads to %s", back.URL)
	}
	q["pick"] = []string{picks[0][1], picks[2][1]}
	var rows []map[string]string
	file := v.Get(address + "?" + q.Encode())
	if err := json.Unmarshal([]byte(file), &rows); err != nil || len(rows) != 2 {
		t.Errorf("of %s and %s the file has %s, %v", picks[0][1], picks[2][1], file, err)
	}
}

// fill makes 120 of everything, and returns the lists that have them.
func fill(t *testing.T, s *centertest.Server) []string {
	t.Helper()
	ctx, by := context.Background(), audit.SystemActor
	app, err := s.CreateApplication(ctx, by, center.Application{
		Name: "App", ProviderARN: center.ApplicationProviders[0].ARN, Enabled: true,
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	sets := strings.Replace(s.Instance.ARN, ":instance/", ":permissionSet/", 1)
	set := center.PermissionSet{ARN: sets + "/ps-0123456789abcdef", Name: "Reader"}
	if err := s.Store.Update(ctx, func(tx center.Tx) error {
		err := tx.AddGroup(center.Group{ID: "00000000-0000-4000-8000-000000000000", DisplayName: "All"})
		if err == nil {
			err = tx.PutPermissionSet(set)
		}
		for i := 0; i < 120 && err == nil; i++ {
			err = one(tx, i, app.ARN, set.ARN)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return []string{
		"/users", "/groups/00000000-0000-4000-8000-000000000000", "/accounts", "/access-keys",
		"/applications/" + app.ARN[strings.LastIndex(app.ARN, "/")+1:], "/permission-sets/ps-0123456789abcdef",
	}
}

// one makes the i-th of everything.
func one(tx center.Tx, i int, app, set string) error {
	name := fmt.Sprintf("Number-%03d", i)
	u := centertest.Person(name)
	u.ID, u.Active = center.UserID(fmt.Sprintf("10000000-0000-4000-8000-%012d", i)), i%10 != 0
	account := fmt.Sprintf("%012d", 111122220000+i)
	_, e1 := tx.AddUser(u)
	_, e2 := tx.AddMembers("00000000-0000-4000-8000-000000000000", []center.UserID{u.ID}, time.UnixMilli(1), "me")
	if err := errors.Join(e1, e2); err != nil {
		return err
	}
	for _, err := range []error{
		tx.PutAccount(center.Account{ID: account, Name: name}),
		tx.PutAccessKey(center.AccessKey{ID: fmt.Sprintf("AKIA%016d", i), Principal: name}),
		tx.PutApplicationAssignment(center.ApplicationAssignment{
			ApplicationARN: app, PrincipalType: center.PrincipalUser, PrincipalID: string(u.ID),
		}),
		tx.PutProvisioned(center.Provisioned{AccountID: account, PermissionSetARN: set, RoleName: "r" + account}),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// TestAssignmentsAreSortedByEachColumn: by name at first, and the file as the page.
func TestAssignmentsAreSortedByEachColumn(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v := s.Console()
	ctx := context.Background()
	if err := s.Store.Update(ctx, func(tx center.Tx) error {
		var err error
		for i, name := range []string{"b", "a", "c"} {
			u := centertest.Person("Person-" + string("zyx"[i]))
			u.ID = center.UserID(fmt.Sprintf("10000000-0000-4000-8000-%012d", i))
			account, set := fmt.Sprintf("%012d", i+1), s.Instance.ARN+"/"+name
			_, e := tx.AddUser(u)
			err = errors.Join(
				err, e, tx.PutAccount(center.Account{ID: account, Name: "Account-" + name}),
				tx.PutPermissionSet(center.PermissionSet{ARN: set, Name: "Set-" + string("yzx"[i])}),
				tx.PutAssignment(center.Assignment{
					AccountID: account, PermissionSetARN: set, PrincipalType: center.PrincipalUser,
					PrincipalID: string(u.ID),
				}),
			)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	list := s.URL + "/console/assignments"
	for sort, want := range map[string][]string{
		"": {"Account-a", "Account-b", "Account-c"}, "-account": {"Account-c", "Account-b", "Account-a"},
		"set": {"Set-x", "Set-y", "Set-z"}, "-who": {"Person-z", "Person-y", "Person-x"},
	} {
		inOrder := regexp.MustCompile(`(?s)<tbody>.*` + strings.Join(want, `.*`))
		page := v.Get(list + "?q=account&sort=" + sort)
		if !inOrder.MatchString(page) || !strings.Contains(page, "aria-sort") {
			t.Errorf("sorted by %q: %s", sort, page)
		}
		file := v.Get(list + "?format=csv&q=account&sort=" + sort)
		if inOrder = regexp.MustCompile(`(?s)` + strings.Join(want, `.*`)); !inOrder.MatchString(file) {
			t.Errorf("the file sorted by %q: %s", sort, file)
		}
	}
}
