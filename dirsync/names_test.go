package dirsync

import (
	"sort"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// people are the users of the target: names with a star for those who may sign in, and whose
// account it is at the source.
func (x target) people(t *testing.T) string {
	t.Helper()
	all, err := x.center.Users(ctx, center.UserQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, u := range all {
		line := u.UserName + "=" + u.ExternalID
		if u.Active {
			line += "*"
		}
		lines = append(lines, line)
	}
	sort.Strings(lines)
	return strings.Join(lines, " ")
}

// TestAJoinerGetsTheNameOfSomebodyDeleted who can still be restored, at the target too: whether a
// cycle was between or not. Who comes back has another name.
func TestAJoinerGetsTheNameOfSomebodyDeleted(t *testing.T) {
	t.Parallel()
	for name, apart := range map[string]bool{"a cycle between": true, "in one cycle": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newSource(t), newTarget(t, center.ProfileStandard)
			config := between(from, to, newTenant(t, t.TempDir()))
			config.Groups = nil
			cycle(t, config, false)
			if err := from.DeleteUser(ctx, tenanttest.Actor, "u1"); err != nil {
				t.Fatal(err)
			}
			if apart {
				cycle(t, config, false)
				if got := to.people(t); !strings.Contains(got, "ada@example.com=u1 ") {
					t.Errorf("who was deleted is not disabled: %s", got)
				}
			}
			joiner, err := from.CreateUser(ctx, tenanttest.Actor, tenant.User{
				UserPrincipalName: "ada@example.com", MailNickname: "ada", GivenName: "Ada", Surname: "Byron",
				DisplayName: "Ada Byron", Enabled: true,
			}, "")
			if err != nil {
				t.Fatal(err)
			}
			want := "ada@example.com=" + string(joiner.ID) +
				"* bob@example.com=u2* eva@example.com=u3* teller@example.com=u4*"
			cycle(t, config, false)
			if r := cycle(t, config, false); r.Failed != 0 || to.people(t) != want {
				t.Fatalf("%+v\nhave %s\nwant %s", r, to.people(t), want)
			}
			if _, err := from.Restore(ctx, tenanttest.Actor, "u1", "lovelace@example.com"); err != nil {
				t.Fatal(err)
			}
			want = strings.Replace(want, " teller", " lovelace@example.com=u1* teller", 1)
			if r := cycle(t, config, false); r.Failed != 0 || to.people(t) != want {
				t.Errorf("%+v\nhave %s\nwant %s", r, to.people(t), want)
			}
		})
	}
}
