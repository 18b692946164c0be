package console_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// What the pages below are filled with.
const (
	manyPeople, manyGroups, manyAccounts, manyEvents = 5_000, 500, 700, 100_000
	mostOfAPage                                      = 100_000 // bytes
)

// TestPagesStayLightWithManyPeople: with 5,000 people, 700 accounts and 100,000 events, each page
// has 100 KB at most. How long the server takes is printed: a busy machine proves nothing.
func TestPagesStayLightWithManyPeople(t *testing.T) {
	t.Parallel()
	s := centertest.Serve(t)
	v := s.Console()
	many(t, s)
	const person, group = "10000000-0000-4000-8000-000000000001", "20000000-0000-4000-8000-000000000001"
	const set = "/permission-sets/ps-0000000000000001"
	for _, path := range []string{
		"/", "/users", "/users?status=disabled&access=with", "/users?q=number-0117", "/users/" + person, "/groups",
		"/groups/" + group, "/accounts", "/accounts/111122220001", "/permission-sets", set, "/assignments",
		"/assignments?q=number-0117", "/access", "/access?account=111122220001&all=yes", "/access?user=" + person,
		"/assign", "/assign?who=GROUP:" + group, "/assign?who=GROUP:" + group + "&where=111122220001", "/requests",
		"/access-reviews", "/applications", "/access-keys", "/leavers", "/settings/identity-source",
		"/settings/provisioning", "/audit", "/audit?person=number-0117", "/audit?result=Refused",
		"/audit?person=number-0117&action=CreateUser&result=Refused",
	} {
		v.Get(s.URL + "/console" + path) // the first look reads what later ones remember
		began := time.Now()
		page := v.Get(s.URL + "/console" + path)
		t.Logf("%4d ms %6d bytes %s", time.Since(began).Milliseconds(), len(page), path)
		if len(page) > mostOfAPage {
			t.Errorf("%s has %d bytes, more than %d", path, len(page), mostOfAPage)
		}
	}
}

// many makes much of everything.
func many(t *testing.T, s *centertest.Server) {
	t.Helper()
	sets := make([]string, 20)
	if err := s.Store.Update(context.Background(), func(tx center.Tx) error {
		var all []error
		for i := range sets {
			set := center.PermissionSet{
				ARN: fmt.Sprintf(
					"%s/ps-%016d", strings.Replace(s.Instance.ARN, ":instance/", ":permissionSet/", 1), i,
				),
				Name: fmt.Sprintf("Set-%02d", i), ManagedPolicies: []string{"arn:aws:iam::aws:policy/ReadOnlyAccess"},
			}
			if i == 0 {
				set.ManagedPolicies = []string{"arn:aws:iam::aws:policy/AdministratorAccess"}
			}
			sets[i] = set.ARN
			all = append(all, tx.PutPermissionSet(set))
		}
		for i := range manyPeople {
			u := centertest.Person(fmt.Sprintf("number-%04d", i))
			u.ID, u.Active = center.UserID(fmt.Sprintf("10000000-0000-4000-8000-%012d", i)), i%10 != 0
			_, err := tx.AddUser(u)
			all = append(all, err)
		}
		for i := range manyGroups {
			id := center.GroupID(fmt.Sprintf("20000000-0000-4000-8000-%012d", i))
			all = append(all, tx.AddGroup(center.Group{ID: id, DisplayName: fmt.Sprintf("Team %03d", i)}))
			var members []center.UserID
			for m := range manyPeople / manyGroups {
				members = append(members, center.UserID(fmt.Sprintf("10000000-0000-4000-8000-%012d", i*10+m)))
			}
			_, err := tx.AddMembers(id, members, time.UnixMilli(1), "me")
			all = append(all, err)
		}
		return errors.Join(all...)
	}); err != nil {
		t.Fatal(err)
	}
	accounts(t, s, sets)
	events(t, s)
}

// accounts makes accounts, each with four groups assigned, and the first team with all of them.
func accounts(t *testing.T, s *centertest.Server, sets []string) {
	t.Helper()
	if err := s.Store.Update(context.Background(), func(tx center.Tx) error {
		var all []error
		for i := range manyAccounts {
			id := fmt.Sprintf("%012d", 111122220000+i)
			all = append(all, tx.PutAccount(center.Account{
				ID: id, Name: fmt.Sprintf("workload-%03d", i), Email: fmt.Sprintf("aws-%03d@x.example", i),
			}))
			for k := range 5 {
				group := 0
				if k > 0 {
					group = (i*4 + k) % manyGroups
				}
				all = append(all, tx.PutAssignment(center.Assignment{
					AccountID: id, PermissionSetARN: sets[(i+k)%len(sets)], PrincipalType: center.PrincipalGroup,
					PrincipalID: fmt.Sprintf("20000000-0000-4000-8000-%012d", group),
				}))
			}
		}
		return errors.Join(all...)
	}); err != nil {
		t.Fatal(err)
	}
}

// events makes a log that goes back for a hundred days.
func events(t *testing.T, s *centertest.Server) {
	t.Helper()
	kinds := []string{
		center.ActionExternalIdPDirectoryLogin.String(), "CreateUser", "UpdateUser", "CreateAccountAssignment",
	}
	begin := time.Now().Add(-100 * 24 * time.Hour)
	for part := range 10 {
		if err := s.Store.Update(context.Background(), func(tx center.Tx) error {
			for i := part * manyEvents / 10; i < (part+1)*manyEvents/10; i++ {
				who := fmt.Sprintf("number-%04d", i%manyPeople)
				e := audit.Event{
					ID: fmt.Sprintf("0190%04x-0000-7000-8000-%012d", i/10_000, i), Action: kinds[i%len(kinds)],
					Time: begin.Add(time.Duration(i) * 100 * 24 * time.Hour / manyEvents), Subject: who,
					Actor: audit.Actor{
						Kind: audit.User, Name: who, Address: "192.0.2.1", RequestID: fmt.Sprintf("r%d", i),
					},
					Result: audit.Granted,
				}
				if i%50 == 0 {
					e.Result, e.Detail = audit.Refused, "the user is disabled"
					e.Code = "user-disabled"
				}
				if err := tx.AppendEvent(e); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
}
