package console_test

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// ordered looks at a list in each of its orders: the page and both files have the rows in it, the
// head of the column says so, and leads to the other way round. names are those of the rows in the
// order of the column, as they stand in a file.
func ordered(t *testing.T, v webtest.Visitor, list string, orders map[string][]string) {
	t.Helper()
	with := func(more url.Values) string {
		sep := "?"
		if strings.Contains(list, "?") {
			sep = "&"
		}
		return list + sep + more.Encode()
	}
	for order, names := range orders {
		for _, descending := range []bool{false, true} {
			want := slices.Clone(names)
			sort, aria := order, "ascending"
			if descending {
				slices.Reverse(want)
				sort, aria = "-"+order, "descending"
			}
			page := v.Get(with(url.Values{"sort": {sort}}))
			if strings.Count(page, `aria-sort="`+aria+`"`) != 1 {
				t.Errorf("%s: no column is %s: %s", sort, aria, page)
			}
			_, table, _ := strings.Cut(page, `aria-sort="`)
			for at, text := range map[string]string{
				"page": table, "csv": v.Get(with(url.Values{"sort": {sort}, "format": {"csv"}})),
				"json": v.Get(with(url.Values{"sort": {sort}, "format": {"json"}})),
			} {
				if got := inOrder(t, text, names); !slices.Equal(got, want) {
					t.Errorf("%s, %s: %v, want %v in %s", sort, at, got, want, text)
				}
			}
		}
	}
	_, unknown, _ := strings.Cut(v.Get(with(url.Values{"sort": {"-shoe"}})), "<table")
	_, begin, _ := strings.Cut(v.Get(list), "<table")
	heads := regexp.MustCompile(`aria-sort="\w+"`)
	if !slices.Equal(heads.FindAllString(unknown, -1), heads.FindAllString(begin, -1)) {
		t.Errorf("%s: an unknown column: %s", list, unknown)
	}
}

// inOrder are names in the order in which a text has them first. It has all of them.
func inOrder(t *testing.T, text string, names []string) []string {
	t.Helper()
	for _, name := range names {
		if !strings.Contains(text, name) {
			t.Errorf("%q is not in %s", name, text)
		}
	}
	got := slices.Clone(names)
	slices.SortStableFunc(got, func(a, b string) int { return strings.Index(text, a) - strings.Index(text, b) })
	return got
}

// TestExistingRolesAreInTheOrderOfAColumn: of accounts, of roles without their paths, or of people.
func TestExistingRolesAreInTheOrderOfAColumn(t *testing.T) {
	t.Parallel()
	a := newAssigning(t)
	const audit, read = "arn:aws:iam::222233334444:role/z/Audit", "arn:aws:iam::111122223333:role/a/Read"
	a.Entitled(a.NewPerson("zoe"), audit)
	bob := a.NewPerson("bob")
	arn, err := a.AccessManager(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateEntitlement(context.Background(), centertest.Actor, a.AccessManagerARN(arn),
		center.Entitlement{RoleARN: read, PrincipalType: center.PrincipalUser, PrincipalID: string(bob.ID)},
	); err != nil {
		t.Fatal(err)
	}
	ordered(t, a.v, a.URL+"/console/account-access", map[string][]string{
		"account": {audit, read}, "set": {audit, read}, "who": {read, audit},
	})
	narrowed := a.v.Get(a.URL + "/console/account-access?sort=-who&account=Production")
	if !strings.Contains(narrowed, `name="sort" value="-who"`) || strings.Contains(narrowed, audit) {
		t.Errorf("the filters lose the order: %s", narrowed)
	}
}

// TestWaysAreInTheOrderOfAColumn: of an account and of a person, with the files; those that
// administer come first at the beginning.
func TestWaysAreInTheOrderOfAColumn(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	zoe := a.NewPerson("zoe")
	zeus, err := a.CreatePermissionSet(ctx, centertest.Actor, center.PermissionSet{
		Name: "Zeus", ManagedPolicies: []string{"arn:aws:iam::aws:policy/AdministratorAccess"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []center.Assignment{
		{AccountID: "111122223333", PermissionSetARN: zeus.ARN, PrincipalType: "USER", PrincipalID: string(zoe.ID)},
		{
			AccountID: "111122223333", PermissionSetARN: a.set.ARN, PrincipalType: "GROUP",
			PrincipalID: string(a.group.ID),
		},
		{AccountID: "222233334444", PermissionSetARN: a.set.ARN, PrincipalType: "USER", PrincipalID: string(zoe.ID)},
	} {
		if _, err := a.CreateAssignment(ctx, centertest.Actor, x); err != nil {
			t.Fatal(err)
		}
	}
	console := a.URL + "/console/"
	for _, list := range []string{"accounts/111122223333", "access?all=yes&account=111122223333"} {
		ordered(t, a.v, console+list, map[string][]string{
			"user": {"ada", "zoe"}, "set": {"Builder", "Zeus"}, "way": {"zoe", "Platform"},
		})
		if page := a.v.Get(console + list); strings.Contains(page, `aria-sort="`) ||
			strings.Index(page, ">zoe<") > strings.Index(page, ">ada<") {
			t.Errorf("%s does not begin with who administers it: %s", list, page)
		}
	}
	for _, list := range []string{"users/" + string(zoe.ID), "access?user=" + string(zoe.ID)} {
		ordered(t, a.v, console+list, map[string][]string{
			"account": {"Production", "Staging"}, "set": {"Builder", "Zeus"},
		})
	}
}

// TestTooManyWaysHaveNoOrder: to read all of a large group for a page is not offered, nor done for
// who asks for it by the address.
func TestTooManyWaysHaveNoOrder(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	var ids []center.UserID
	if err := a.Store.Update(ctx, func(tx center.Tx) error {
		ids = nil
		for i := range center.MaxOrderedWays + 1 {
			u := center.User{ID: center.UserID(fmt.Sprintf("u%05d", i)), UserName: fmt.Sprintf("many-%05d", i)}
			if _, err := tx.AddUser(u); err != nil {
				return err
			}
			ids = append(ids, u.ID)
		}
		_, err := tx.AddMembers(a.group.ID, ids, time.Now(), "t")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.CreateAssignment(ctx, centertest.Actor, center.Assignment{
		AccountID: "111122223333", PermissionSetARN: a.set.ARN, PrincipalType: "GROUP", PrincipalID: string(a.group.ID),
	}); err != nil {
		t.Fatal(err)
	}
	list := a.URL + "/console/access?all=yes&account=111122223333&sort=-user"
	page := a.v.Get(list)
	if !strings.Contains(page, "cannot be sorted by a column") || strings.Contains(page, "sort=user") ||
		!strings.Contains(page, ">ada<") || !strings.Contains(page, "of 5002<") {
		t.Errorf("too many ways: %s", page)
	}
	if file := a.v.Get(list + "&format=csv"); strings.Count(file, "\n") != 5003 {
		t.Errorf("the file has %d lines", strings.Count(file, "\n"))
	}
}

// TestLeaversAreInTheOrderOfAColumn: the disabled by name, the deleted by name or time; their pages
// and files too.
func TestLeaversAreInTheOrderOfAColumn(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	people := map[string]center.User{}
	for _, name := range []string{"d-zoe", "d-Bob", "g-zac", "g-Amy"} { // amy is deleted after zac
		people[name] = a.NewPerson(name)
		if _, err := a.CreateAssignment(ctx, centertest.Actor, center.Assignment{
			AccountID: "111122223333", PermissionSetARN: a.set.ARN, PrincipalType: "USER",
			PrincipalID: string(people[name].ID),
		}); err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"g-zac", "g-Amy"} {
		at := time.Now().Add(time.Duration(i) * time.Hour)
		if err := a.DeleteUser(ctx, centertest.Actor, people[name].ID); err != nil {
			t.Fatal(err)
		}
		if err := a.Store.Update(ctx, func(tx center.Tx) error {
			return tx.PutDeparted(center.Departed{
				PrincipalType: "USER", PrincipalID: string(people[name].ID), Name: name, At: at,
			})
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"d-zoe", "d-Bob"} {
		if err := a.SetUserActive(ctx, centertest.Actor, people[name].ID, false); err != nil {
			t.Fatal(err)
		}
	}
	list := a.URL + "/console/leavers"
	for sort, want := range map[string][]string{
		"": {"d-Bob", "d-zoe", "g-Amy", "g-zac"}, "shoe": {"d-Bob", "d-zoe", "g-Amy", "g-zac"},
		"-user": {"d-zoe", "d-Bob", "g-Amy", "g-zac"}, "-name": {"d-Bob", "d-zoe", "g-zac", "g-Amy"},
		"deleted": {"d-Bob", "d-zoe", "g-zac", "g-Amy"}, "-deleted": {"d-Bob", "d-zoe", "g-Amy", "g-zac"},
	} {
		page := a.v.Get(list + "?sort=" + sort)
		if got := inOrder(t, page, want); !slices.Equal(got, want) || strings.Count(page, "aria-sort=") != 2 {
			t.Errorf("%q: %v, want %v on %s", sort, got, want, page)
		}
		for of, part := range map[string][]string{"": want[:2], "deleted": want[2:]} {
			file := a.v.Get(list + "?format=csv&sort=" + sort + "&of=" + of)
			if got := inOrder(t, file, part); !slices.Equal(got, part) || strings.Count(file, "\n") != 3 {
				t.Errorf("%q of %q: %v, want %v in %s", sort, of, got, part, file)
			}
		}
	}
	if page := a.v.Get(list + "?sort=-user&after=d-zoe"); !strings.Contains(page, ">d-Bob<") ||
		strings.Contains(page, ">d-zoe<") || strings.Contains(page, "g-Amy") {
		t.Errorf("the page after one: %s", page)
	}
	page := a.v.Get(list + "?sort=-deleted&of=deleted&after=1")
	if strings.Contains(page, "g-Amy") || !strings.Contains(page, "g-zac") || strings.Contains(page, "d-Bob") {
		t.Errorf("the page after the first: %s", page)
	}
}
