package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestMembersAndAssigneesArePickedFromASearch: who is chosen stays so while the search goes on, who
// is there already is marked and cannot be chosen, and a form with both adds the others.
func TestMembersAndAssigneesArePickedFromASearch(t *testing.T) {
	t.Parallel()
	ctx, a := context.Background(), newAssigning(t)
	for i := range 12 {
		a.NewPerson(fmt.Sprintf("person-%02d", i))
	}
	x := center.Application{Name: "Wiki", Enabled: true, ProviderARN: center.ApplicationProviders[0].ARN}
	wiki, err := a.CreateApplication(ctx, centertest.Actor, x, "")
	if err != nil {
		t.Fatal(err)
	}
	who := regexp.MustCompile(`name="who" value="([^"]+)"( checked)?`)
	for at, want := range map[string]struct{ to, were string }{
		"/groups/" + string(a.group.ID):        {"/members", "were members already."},
		"/applications/" + path.Base(wiki.ARN): {"/assign", "had it already."},
	} {
		list := a.URL + "/console" + at
		page := a.v.Get(list + "?find=person-03")
		found := who.FindAllStringSubmatch(page, -1)
		if len(found) != 1 || found[0][2] != "" {
			t.Fatalf("%s: %v on %s", at, found, page)
		}
		page = a.v.Get(list + "?find=PERSON-04&who=USER:gone&who=" + found[0][1])
		if found = who.FindAllStringSubmatch(page, -1); len(found) != 2 || found[0][2] == "" || found[1][2] != "" {
			t.Fatalf("%s, with one chosen: %v on %s", at, found, page)
		}
		if some := who.FindAllString(a.v.Get(list+"?find=person"), -1); len(some) != 10 {
			t.Errorf("%s offers %d at once", at, len(some))
		}
		form := url.Values{"who": {found[0][1], found[1][1]}, "add": {"chosen"}}
		a.v.Does(list+want.to, form, "2 are added.")
		page = a.v.Get(list + "?find=person-03&who=" + found[1][1])
		if strings.Count(page, " already</span>") != 2 || who.MatchString(page) {
			t.Errorf("%s: who is there already can be chosen: %s", at, page)
		}
		other := who.FindStringSubmatch(a.v.Get(list + "?find=person-05"))
		form["who"] = append(form["who"], other[1], other[1])
		a.v.Does(list+want.to, form, "Added: 1 of 3. The others (2) "+want.were)
		a.v.Does(list+want.to, form, "Nothing is changed: all whom you named "+want.were)
		many := url.Values{"who": make([]string, 101)}
		refused(a.v, list+want.to, many, http.StatusBadRequest, "choose at most 100")
		refused(a.v, list+want.to, nil, http.StatusBadRequest, "choose or name somebody")
	}
	members := a.URL + "/console/groups/" + string(a.group.ID) + "/members"
	crowd := url.Values{"username": {strings.Repeat("nobody\n", 101)}} // before anybody is looked up
	refused(a.v, members, crowd, http.StatusBadRequest, "choose at most 100")
	half := url.Values{"username": {"person-06\nnobody"}}
	refused(a.v, members, half, http.StatusNotFound, "no such user")
	if n, err := a.CountMemberships(ctx, center.MembershipQuery{GroupID: a.group.ID}); err != nil || n != 4 {
		t.Errorf("one of two is not there: %d members, %v", n, err)
	}
	a.v.Does(members, url.Values{"username": {" person-06 \r\n\r\nperson-07\r\n"}}, "2 are added.")
	group := url.Values{"who": {"GROUP:" + string(a.group.ID)}}
	refused(a.v, members, group, http.StatusNotFound, "no such user")
	if page := a.v.Get(a.URL + "/console/groups/" + string(a.group.ID) + "?find=platform"); who.MatchString(page) {
		t.Errorf("a group can be chosen as a member: %s", page)
	}
}
