package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestListsOfWhatHappenedAreSearchedToTheirEnd: requests, those whose access was ended, and leavers
// are read from one to the next. A search finds what is on no page yet, and each list goes into a
// file as it is filtered.
func TestListsOfWhatHappenedAreSearchedToTheirEnd(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v := s.Console()
	lasting(t, s)
	next := regexp.MustCompile(`href="(\?[^"]*after=[^"]*)" rel="next"`)
	for list, want := range map[string]struct {
		found int
		one   string
	}{
		"/requests?state=over": {60, "number-004"}, "/requests?state=all": {120, "number-004"},
		"/requests?": {60, "number-003"}, "/revocations?": {120, "number-003"}, "/leavers?": {120, "number-003"},
	} {
		t.Run(list, func(t *testing.T) {
			address := s.URL + "/console" + list
			page := v.Get(address)
			if n := strings.Count(page, ">number-"); n != 50 {
				t.Errorf("the page has %d rows: %s", n, page)
			}
			path, _, _ := strings.Cut(address, "?")
			if m := next.FindStringSubmatch(page); m == nil {
				t.Errorf("it leads nowhere: %s", page)
			} else {
				after := v.Get(path + strings.ReplaceAll(m[1], "&amp;", "&"))
				if strings.Count(after, ">number-") < 10 {
					t.Errorf("the page after it: %s", after)
				}
			}
			only := v.Get(address + "&q=" + strings.ToUpper(want.one))
			if strings.Count(only, ">number-") != 1 || !strings.Contains(only, ">"+want.one) {
				t.Errorf("searched: %s", only)
			}
			var rows []map[string]string
			file := v.Get(address + "&format=json")
			if err := json.Unmarshal([]byte(file), &rows); err != nil || len(rows) != want.found {
				t.Errorf("%d in the file, %v", len(rows), err)
			}
			if strings.Contains(page, `name="pick"`) && strings.HasSuffix(list, "?") {
				chosen(t, v, path, page)
			}
		})
	}
}

// lasting makes 120 people who are disabled and have an assignment; of each, access was ended, and
// there is a request, every other of which is over.
func lasting(t *testing.T, s *centertest.Server) {
	t.Helper()
	set := strings.Replace(s.Instance.ARN, ":instance/", ":permissionSet/", 1) + "/ps-0123456789abcdef"
	if err := s.Store.Update(context.Background(), func(tx center.Tx) error {
		if err := tx.PutAccount(center.Account{ID: "111122223333", Name: "Production"}); err != nil {
			return err
		}
		for i := range 120 {
			u := centertest.Person(fmt.Sprintf("number-%03d", i))
			u.ID, u.Active = center.UserID(fmt.Sprintf("10000000-0000-4000-8000-%012d", i)), false
			state := center.AccessActive
			if i%2 == 0 {
				state = center.AccessEnded
			}
			_, err := tx.AddUser(u)
			for _, err := range []error{
				err,
				tx.PutRevocation(center.Revocation{
					ID: fmt.Sprintf("r%012d", i), UserID: u.ID, UserName: u.UserName, At: time.UnixMilli(int64(i)),
				}),
				tx.PutAccessRequest(center.AccessRequest{
					ID: fmt.Sprintf("a%012d", i), UserID: u.ID, UserName: u.UserName, AccountID: "111122223333",
					AccountName: "Production", PermissionSetARN: set, PermissionSetName: "Reader", State: state,
					EndsAt: time.Now().Add(time.Hour), CreatedAt: time.UnixMilli(int64(i)),
				}),
				tx.PutAssignment(center.Assignment{
					AccountID: "111122223333", PermissionSetARN: set, PrincipalType: center.PrincipalUser,
					PrincipalID: string(u.ID),
				}),
			} {
				if err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestASearchThatLooksThroughNoMoreSaysSo: 5,000 rows are looked through for a page. Where none of
// them is like what is searched for, the page does not say that there is none, and leads on to it.
func TestASearchThatLooksThroughNoMoreSaysSo(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v := s.Console()
	if err := s.Store.Update(context.Background(), func(tx center.Tx) (err error) {
		set := strings.Replace(s.Instance.ARN, ":instance/", ":permissionSet/", 1) + "/ps-0123456789abcdef"
		for i := range 5_001 {
			name := "one-of-many"
			if i == 0 || i == 5_000 {
				name = fmt.Sprintf("number-%04d", i)
			}
			user := fmt.Sprintf("10000000-0000-4000-8000-%012d", i)
			err = errors.Join(
				err,
				tx.PutAccessRequest(center.AccessRequest{
					ID: fmt.Sprintf("a%012d", i), UserID: center.UserID(user), UserName: name,
					State: center.AccessActive, EndsAt: time.Now().Add(time.Hour),
				}),
				tx.PutRevocation(center.Revocation{
					ID: fmt.Sprintf("r%012d", i), UserID: center.UserID(user), UserName: name,
					At: time.UnixMilli(int64(i)),
				}),
				tx.PutAssignment(center.Assignment{
					AccountID: "111122223333", PermissionSetARN: set, PrincipalType: center.PrincipalUser,
					PrincipalID: user,
				}),
				tx.PutDeparted(center.Departed{PrincipalType: center.PrincipalUser, PrincipalID: user, Name: name}),
			)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	next := regexp.MustCompile(`href="(\?[^"]*after=[^"]*)" rel="next"`)
	for list, want := range map[string]string{ // the newest requests come first
		"/requests": "number-0000", "/revocations": "number-0000", "/leavers": "number-5000",
	} {
		t.Run(list, func(t *testing.T) {
			page := v.Get(s.URL + "/console" + list + "?q=" + want)
			if strings.Contains(page, want+"<") || !strings.Contains(page, "None of the 5,000 that were looked") ||
				strings.Contains(page, "No requests are like") || strings.Contains(page, "Nothing here is like") {
				t.Errorf("the first page: %s", page)
			}
			after := v.Get(s.URL + "/console" + list + html.UnescapeString(webtest.Match(t, page, next)))
			if !strings.Contains(after, want) || strings.Contains(after, "looked through") || next.MatchString(after) {
				t.Errorf("the page after it: %s", after)
			}
			if list == "/leavers" && (strings.Contains(after, ">Disabled<") || !strings.Contains(after, "Both lists")) {
				t.Errorf("a page of one list: %s", after)
			}
		})
	}
}

// TestAFormOfEarlierSettingsIsRefused: a page that was open before the settings became sections
// sends the length of sessions with the second factors, and no word of access control where that is
// off. Nothing of it is saved.
func TestAFormOfEarlierSettingsIsRefused(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v := s.Console()
	v.Does(s.URL+"/console/settings/access-control", url.Values{"access": {"on"}}, "access control are on")
	before, err := s.SignInSettings(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"mfa": {"ALWAYS_ON"}, "without": {"ALLOW"}, "keys": {"on"}, "apps": {"on"}}
	for _, hours := range []string{"3", ""} {
		form.Set("hours", hours)
		refused(v, s.URL+"/console/settings/sign-in", form, 409, "reload it, and save again")
	}
	if got, err := s.SignInSettings(context.Background()); err != nil || got != before || !got.AccessControl {
		t.Errorf("%+v, %v; before: %+v", got, err, before)
	}
	form.Del("hours")
	v.Does(s.URL+"/console/settings/sign-in", form, "The sign-in settings are changed.")
}

// TestWhatSeveralLeaversHaveIsRemovedAtOnce: of both lists of leavers, the chosen rows go together.
func TestWhatSeveralLeaversHaveIsRemovedAtOnce(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v := s.Console()
	lasting(t, s)
	ctx, list := context.Background(), s.URL+"/console/leavers"
	set := strings.Replace(s.Instance.ARN, ":instance/", ":permissionSet/", 1) + "/ps-0123456789abcdef"
	if err := s.Store.Update(ctx, func(tx center.Tx) error {
		return tx.PutPermissionSet(center.PermissionSet{ARN: set, Name: "Reader"})
	}); err != nil {
		t.Fatal(err)
	}
	left := func() int {
		t.Helper()
		all, err := s.Assignments(ctx, center.AssignmentQuery{})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	id := func(i int) string { return fmt.Sprintf("10000000-0000-4000-8000-%012d", i) }
	form := url.Values{"pick": {id(3), id(4)}}
	asked := v.Does(list+"/remove", form, "2 users and groups?")
	if !strings.Contains(asked, "number-003") || left() != 120 {
		t.Errorf("%d are left before the answer to %s", left(), asked)
	}
	v.IsSure(list+"/remove", form, "2 assignments")
	if left() != 118 {
		t.Errorf("%d are left", left())
	}
	for _, i := range []int{6, 8} {
		if err := s.DeleteUser(ctx, centertest.Actor, center.UserID(id(i))); err != nil {
			t.Fatal(err)
		}
	}
	page := v.Get(list)
	for _, i := range []int{6, 8} {
		if !strings.Contains(page, `form="deleted" name="pick" value="USER `+id(i)+`"`) {
			t.Errorf("%s cannot be chosen: %s", id(i), page)
		}
	}
	file := v.Get(list + "?of=deleted&chosen=csv&" + url.Values{"pick": {"USER " + id(6)}}.Encode())
	if strings.Count(file, "\n") != 2 || !strings.Contains(file, id(6)) {
		t.Errorf("the file of one of them: %s", file)
	}
	both := url.Values{"pick": {"USER " + id(6), "USER " + id(8)}}
	asked = v.Does(list+"/remove", both, "2 users and groups?")
	if !strings.Contains(asked, "number-006 ("+id(6)) || !strings.Contains(asked, "number-008 ("+id(8)) {
		t.Errorf("who is deleted is not named: %s", asked)
	}
	if status, text := v.Send(http.MethodPost, list+"/remove", nil); status != http.StatusBadRequest ||
		!strings.Contains(text, "Choose at least one row") {
		t.Errorf("with no row chosen: %d %s", status, text)
	}
	v.IsSure(list+"/remove", both, "2 assignments")
	if left() != 116 {
		t.Errorf("%d are left", left())
	}
}
