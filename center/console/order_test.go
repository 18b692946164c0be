package console_test

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

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
				if got := inOrder(text, names); !slices.Equal(got, want) {
					t.Errorf("%s, %s: %v, want %v in %s", sort, at, got, want, text)
				}
			}
		}
	}
	unknown := v.Get(with(url.Values{"sort": {"-shoe"}}))
	if first := regexp.MustCompile(`aria-sort="(\w+)"`).FindStringSubmatch(unknown); first == nil ||
		first[1] != "ascending" {
		t.Errorf("%s: an unknown column: %s", list, unknown)
	}
}

// inOrder are names in the order in which a text has them first.
func inOrder(text string, names []string) []string {
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
