package centertest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
)

// searchedLists keeps 23 users, of whom every fifth is disabled and the first ten are members of a
// group that has access, and reads them as the pages of lists do.
func searchedLists(t *testing.T, s center.Store) {
	update(t, s, func(tx center.Tx) error {
		var all []error
		var members []center.UserID
		for i := range 4 {
			id := center.GroupID(fmt.Sprintf("g%d", i))
			all = append(all, tx.AddGroup(center.Group{ID: id, DisplayName: fmt.Sprintf("Group %d", 3-i)}))
		}
		for i := range 23 {
			id := center.UserID(fmt.Sprintf("u%02d", i))
			all = append(all, addUser(tx, center.User{
				ID: id, UserName: fmt.Sprintf("p%02d", i), DisplayName: fmt.Sprintf("Tanaka Mei %02d", 22-i),
				Active: i%5 != 0, Title: `"Active":true`,
			}))
			if i < 10 {
				members = append(members, id)
			}
		}
		_, err := tx.AddMembers("g1", members, time.UnixMilli(1), "me")
		all = append(all, err)
		for of, id := range map[center.PrincipalType]string{center.PrincipalGroup: "g1", center.PrincipalUser: "u20"} {
			all = append(all, tx.PutAssignment(center.Assignment{
				AccountID: "111122223333", PermissionSetARN: "set", PrincipalType: of, PrincipalID: id,
			}))
		}
		return errors.Join(all...)
	})
	yes, no := true, false
	for _, x := range []struct {
		q     center.UserQuery
		total int
		want  string
	}{
		{center.UserQuery{By: center.ByName, Descending: true, Limit: 2}, 23, "u22 u21"},
		{center.UserQuery{By: center.ByDisplayName, Limit: 2}, 23, "u22 u21"},
		{center.UserQuery{By: center.ByDisplayName, Descending: true, Offset: 21, Limit: 5}, 23, "u21 u22"},
		{center.UserQuery{Search: "MEI p07 tanaka"}, 1, "u07"},
		{center.UserQuery{Active: &no}, 5, "u00 u05 u10 u15 u20"},
		{center.UserQuery{Active: &yes, HasAccess: &yes, By: center.ByName, Limit: 3}, 8, "u01 u02 u03"},
		{center.UserQuery{HasAccess: &yes, After: "u09"}, 11, "u20"},
		{center.UserQuery{HasAccess: &no, Active: &no}, 2, "u10 u15"},
	} {
		view(t, s, func(r center.Reader) error {
			list, e1 := r.Users(x.q)
			total, e2 := r.CountUsers(x.q)
			var ids []string
			for _, u := range list {
				ids = append(ids, string(u.ID))
			}
			if got := strings.Join(ids, " "); got != x.want || total != x.total {
				t.Errorf("%+v: %s of %d, want %s of %d", x.q, got, total, x.want, x.total)
			}
			return errors.Join(e1, e2)
		})
	}
	view(t, s, func(r center.Reader) error {
		groups, e1 := r.Groups(center.GroupQuery{By: center.ByName, Search: "GROUP", HasAccess: &no})
		members := center.MembershipQuery{GroupID: "g1", Search: "mei p0", ByName: true, Descending: true, Limit: 2}
		list, e2 := r.Memberships(members)
		total, e3 := r.CountMemberships(members)
		if len(groups) != 3 || groups[0].ID != "g3" {
			t.Errorf("groups without access: %+v", groups)
		}
		if total != 10 || len(list) != 2 || list[0].UserID != "u09" {
			t.Errorf("%d members: %+v", total, list)
		}
		return errors.Join(e1, e2, e3)
	})
}
