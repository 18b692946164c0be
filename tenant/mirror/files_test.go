package mirror_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/mirror"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// filled is an empty tenant, and a function that reads files with some text into it.
func filled(t *testing.T) (*tenant.Tenant, func(users, groups, members string) error) {
	t.Helper()
	folder := t.TempDir()
	db, err := store.Open(context.Background(), filepath.Join(folder, "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	tn := tenanttest.On(t, db)
	write := func(name, text string) string {
		if text == "" {
			return ""
		}
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return tn, func(users, groups, members string) error {
		return mirror.ReadFiles(context.Background(), tn, mirror.Files{
			Users:   write("users.csv", users),
			Groups:  write("groups.csv", groups),
			Members: write("members.csv", members),
		})
	}
}

const adaID = "11111111-1111-4111-8111-111111111111"

func TestATenantIsFilledFromFiles(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tn, read := filled(t)
	for range 2 { // what is there is found again
		if err := read(
			"\ufeffuserPrincipalName,displayName,givenName,surname,objectId,accountEnabled,telephoneNumber,"+
				"mobile,officeLocation\n"+
				"ada@x.example,\"Lovelace, Ada\",Ada,Lovelace,"+adaID+
				",True,+1,+2,London\nbob@x.example,Bob,,,,FALSE,,,\n",
			"id,displayName\n,Engines\n,All\n",
			"group,member,memberId\nEngines,ADA@x.example,\nengines,,"+adaID+"\nAll,bob@x.example,\n",
		); err != nil {
			t.Fatal(err)
		}
	}
	users, e1 := tn.CountUsers(ctx)
	groups, e2 := tn.CountGroups(ctx)
	if users != 2 || groups != 2 {
		t.Errorf("%d users and %d groups, %v, %v; want 2 of each", users, groups, e1, e2)
	}
	ada, err := tn.UserByIDOrName(ctx, "ada@x.example")
	if err != nil || ada.ID != adaID || ada.DisplayName != "Lovelace, Ada" || ada.BusinessPhone != "+1" ||
		ada.MobilePhone != "+2" || ada.OfficeLocation != "London" || !ada.Enabled {
		t.Errorf("%+v, %v", ada, err)
	}
	if bob, err := tn.UserByIDOrName(ctx, "bob@x.example"); err != nil || bob.Enabled {
		t.Errorf("%+v, %v; want a disabled account", bob, err)
	}
	found, err := tn.GroupsByName(ctx, "engines")
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	if in, err := tn.Members(ctx, found[0].ID); err != nil || len(in) != 1 ||
		in[0].MemberID != tenant.PrincipalID(ada.ID) {
		t.Errorf("members %+v, %v", in, err)
	}
}

func TestFilesThatAreNotRightFillNothing(t *testing.T) {
	t.Parallel()
	tn, read := filled(t)
	const users = "userPrincipalName,displayName\n"
	for name, c := range map[string]struct{ users, groups, members, want string }{
		"a user without a name":  {users + ",x\n", "", "", "users.csv, line 2: userPrincipalName or displayName"},
		"a group without a name": {users, "id,displayName\n1,\n", "", "groups.csv, line 2: displayName"},
		"an unknown member": {
			users + "a@x.example,x\n", "displayName\nEngines\n", "group,member\nEngines,nobody@x\n",
			`"nobody@x" is not in the other files`,
		},
		"no CSV": {"a,\"b\n", "", "", "users.csv"},
	} {
		if err := read(c.users, c.groups, c.members); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if n, err := tn.CountUsers(context.Background()); n != 0 {
		t.Errorf("%d users, %v; want none", n, err)
	}
}

// TestAnotherLetterIsAnotherGroupOfFiles imports two groups whose names Unicode's lower case makes
// one.
func TestAnotherLetterIsAnotherGroupOfFiles(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tn, read := filled(t)
	if err := read(
		"userPrincipalName,displayName\nada@x.example,Ada\n", "displayName\nKings\n\u212aings\n",
		"group,member\nkings,ada@x.example\n",
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"KINGS": 1, "\u212aings": 0} {
		found, err := tn.GroupsByName(ctx, name)
		if err != nil || len(found) != 1 {
			t.Fatalf("%q: %v, %v", name, found, err)
		}
		if in, err := tn.MembersAfter(ctx, found[0].ID, "", 10); err != nil || len(in) != want {
			t.Errorf("%q has %d members, want %d (%v)", name, len(in), want, err)
		}
	}
}
