package dirsync

import (
	"bufio"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// foreign is a SCIM service that others wrote.
type foreign struct {
	*scim.Client
	t         *testing.T
	wantsMail bool // nobody can be without an address
}

// node starts a service of tools/scimservers, which ends with the test.
func node(script string) func(*testing.T) foreign {
	return func(t *testing.T) foreign {
		t.Helper()
		const folder = "../tools/scimservers"
		if _, err := os.Stat(folder + "/node_modules/better-auth"); err != nil {
			sqldbtest.Skip(t, "other people's SCIM servers are not there: run scripts/deps")
		}
		server := exec.CommandContext(t.Context(), "node", script)
		server.Dir, server.Stderr = folder, os.Stderr
		in, e1 := server.StdinPipe()
		out, e2 := server.StdoutPipe()
		if e1 != nil || e2 != nil || server.Start() != nil {
			t.Fatal("node does not start")
		}
		t.Cleanup(func() { _ = in.Close(); _ = server.Wait() })
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return foreign{&scim.Client{BaseURL: strings.TrimSpace(line), Token: "a-token"}, t, script == "betterauth.mjs"}
	}
}

// state is what the service has: users with all that is in them, groups with the names of their
// members. What the service itself makes of them is left out.
func (x foreign) state() map[string]any {
	x.t.Helper()
	ids, all := map[string]string{}, map[string]any{}
	users, groups := x.all("/Users", "userName"), x.all("/Groups", "displayName")
	for _, u := range users {
		ids[u.String("id")] = u.String("userName")
	}
	for _, u := range users {
		flat := map[string]string{}
		flatten(flat, "", map[string]any(u))
		if boss := flat[scim.EnterpriseURN+".manager.value"]; boss != "" {
			flat[scim.EnterpriseURN+".manager.value"] = ids[boss]
		}
		all["user "+u.String("userName")] = flat
	}
	for _, g := range groups {
		var whole scim.Resource
		if err := x.Do(ctx, http.MethodGet, scim.Item("/Groups", g.String("id")), nil, nil, &whole); err != nil {
			x.t.Fatal(err)
		}
		in := []string{}
		for _, m := range whole.List("members") {
			in = append(in, ids[scim.Resource(m.(map[string]any)).String("value")])
		}
		slices.Sort(in)
		all["group "+g.String("displayName")+" "+g.String("externalId")] = in
	}
	return all
}

// all lists the resources under a path; by their first letters, where a service does not page.
func (x foreign) all(path, attribute string) (list []scim.Resource) {
	x.t.Helper()
	page, err := x.List(ctx, path, 1, 100)
	if err != nil || page.TotalResults == nil {
		x.t.Fatal(page, err)
	}
	if list = page.Resources; len(list) == *page.TotalResults {
		return list
	}
	list = nil
	for letter := 'a'; letter <= 'z'; letter++ {
		var some scim.ListResponse
		query := url.Values{"filter": {attribute + " sw " + scim.Quote(string(letter))}}
		if err := x.Do(ctx, http.MethodGet, path, query, nil, &some); err != nil {
			x.t.Fatal(err)
		}
		list = append(list, some.Resources...)
	}
	if len(list) != *page.TotalResults {
		x.t.Fatalf("%d of %d are found", len(list), *page.TotalResults)
	}
	return list
}

// flatten writes values by their paths, such as emails[work].value.
func flatten(into map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, sub := range v {
			switch name {
			case "id", "schemas", "meta", "groups", "$ref", "display":
				continue
			}
			flatten(into, strings.TrimPrefix(path+"."+name, "."), sub)
		}
	case []any:
		for _, e := range v {
			kind := scim.Resource(e.(map[string]any)).String("type")
			rest := maps.Clone(e.(map[string]any))
			if kind == "" { // an address that Better Auth makes of the name where there is none
				continue
			}
			delete(rest, "type")
			flatten(into, path+"["+kind+"]", rest)
		}
	case bool:
		into[path] = strconv.FormatBool(v)
	case nil:
	default:
		if text := fmt.Sprint(v); text != "" {
			into[path] = text
		}
	}
}

// wanted is the state that a service has when it is in line with a source in which nobody is
// disabled but those who are named, with what they had before.
func (from source) wanted(t *testing.T, disabled map[string]any) map[string]any {
	t.Helper()
	users, e1 := from.Users(ctx, tenant.Query{})
	groups, e2 := from.Groups(ctx, tenant.Query{})
	if e1 != nil || e2 != nil {
		t.Fatal(e1, e2)
	}
	all, names := maps.Clone(disabled), map[tenant.UserID]string{}
	if all == nil {
		all = map[string]any{}
	}
	for _, u := range users {
		names[u.ID] = u.UserPrincipalName
	}
	for _, u := range users {
		if !u.Enabled {
			continue
		}
		flat := map[string]string{
			"userName": u.UserPrincipalName, "displayName": u.DisplayName, "externalId": string(u.ID), "active": "true",
			"title": u.JobTitle, "name.givenName": u.GivenName, "name.familyName": u.Surname,
			"name.formatted":     strings.TrimSpace(u.GivenName + " " + u.Surname),
			"emails[work].value": u.Mail, "phoneNumbers[work].value": u.BusinessPhone,
			"addresses[work].locality": u.City, "addresses[work].streetAddress": u.StreetAddress,
			scim.EnterpriseURN + ".department": u.Department, scim.EnterpriseURN + ".employeeNumber": u.EmployeeID,
			scim.EnterpriseURN + ".manager.value": names[u.ManagerID],
		}
		maps.DeleteFunc(flat, func(_, v string) bool { return v == "" })
		for _, list := range []string{"emails", "phoneNumbers", "addresses"} {
			for path := range flat {
				if strings.HasPrefix(path, list+"[") {
					flat[list+"[work].primary"] = "true"
				}
			}
		}
		all["user "+u.UserPrincipalName] = flat
	}
	for _, g := range groups {
		members, err := from.Members(ctx, g.ID)
		if err != nil {
			t.Fatal(err)
		}
		in := []string{}
		for _, m := range members {
			if m.Kind == tenant.KindUser {
				in = append(in, names[tenant.UserID(m.MemberID)])
			}
		}
		slices.Sort(in)
		all["group "+g.DisplayName+" "+string(g.ID)] = in
	}
	return all
}

// company fills a source.
func foreignCompany(t *testing.T) source {
	t.Helper()
	from := newSource(t)
	add := func(id tenant.UserID, name string, edit func(*tenant.User)) tenant.User {
		u := tenant.User{
			ID: id, UserPrincipalName: name + "@example.com", Mail: name + "@example.com", DisplayName: name,
			GivenName: "G", Surname: "F", Enabled: true,
		}
		edit(&u)
		return u
	}
	company := tenant.Company{
		Users: []tenant.User{
			add("z1", "zoe", func(u *tenant.User) { u.JobTitle, u.City = "Head", "Kyiv" }),
			add("z2", "yan", func(u *tenant.User) {
				u.Department, u.ManagerID = "R&D <core>", "z1"
				u.StreetAddress, u.City = "1 Main St", "Oslo"
			}),
			add("z3", "xia", func(u *tenant.User) {
				u.ManagerID = "z1"
				u.BusinessPhone, u.EmployeeID = "+1 2", "007"
			}),
		},
		Groups: []tenant.Group{
			{ID: "g8", DisplayName: `R&D "<core>"`, SecurityEnabled: true},
			{ID: "g9", DisplayName: "Sales, EMEA", SecurityEnabled: true},
		},
		Members: []tenant.Member{
			{GroupID: "g8", MemberID: "z2", Kind: tenant.KindUser},
			{GroupID: "g8", MemberID: "z3", Kind: tenant.KindUser},
		},
	}
	for i := range 30 { // more than a page of those who page as they like
		id := fmt.Sprintf("%c%d", 'a'+i%20, i)
		company.Users = append(company.Users, add(tenant.UserID(id), id, func(*tenant.User) {}))
	}
	if err := from.Import(ctx, audit.SystemActor, company); err != nil {
		t.Fatal(err)
	}
	return from
}

// TestServicesThatOthersWrote provisions SCIM services that nobody of this house wrote, and
// compares after each cycle all that they have with all that the source has.
func TestServicesThatOthersWrote(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) foreign{
		"SCIMMY": node("scimmy.mjs"), "Better Auth": node("betterauth.mjs"), "elimity": elimity,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			foreignStory(t, start(t))
		})
	}
}

// whatever stands for any number of failures.
const whatever = -1

func foreignStory(t *testing.T, to foreign) {
	t.Helper()
	from := foreignCompany(t)
	config := between(from, target{endpoint: to.BaseURL, token: to.Token}, newTenant(t, t.TempDir()))
	var disabled map[string]any
	step := func(what string, c Config, repair bool, failed int) (r Report) {
		t.Helper()
		dry := c
		dry.DryRun = true
		foreseen := cycle(t, dry, repair)
		if r = cycle(t, c, repair); r.Created != foreseen.Created || r.Updated != foreseen.Updated ||
			r.Disabled != foreseen.Disabled || r.Deleted != foreseen.Deleted || r.Failed != foreseen.Failed {
			t.Fatalf("%s: foreseen %+v, done %+v", what, foreseen.Objects, r.Objects)
		}
		if failed == whatever {
			return r
		}
		if r.Failed != failed {
			t.Fatalf("%s: %d failed: %+v", what, r.Failed, r.Objects)
		}
		if diff := cmp.Diff(from.wanted(t, disabled), to.state()); diff != "" && failed == 0 {
			t.Fatalf("%s (-want +have):\n%s\n%+v", what, diff, r.Objects)
		}
		return r
	}
	user := func(id tenant.UserID, edit func(*tenant.User)) {
		t.Helper()
		if _, err := from.UpdateUser(ctx, tenanttest.Actor, id, edit); err != nil {
			t.Fatal(err)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(to.make("/Users", scim.Resource{
		"schemas": []string{scim.UserURN}, "userName": "zoe@example.com", "title": "Somebody", "active": true,
		"name": map[string]any{"givenName": "Z", "familyName": "Y"},
	}))
	must(to.make("/Groups", scim.Resource{"schemas": []string{scim.GroupURN}, "displayName": "Sales, EMEA"}))
	step("what was there before is left alone", config, false, 2)
	adopting := config
	adopting.Adopt = true
	step("and taken over", adopting, false, 0)
	if r := step("nothing has changed", config, false, 0); r.Changes {
		t.Errorf("a cycle without a change: %+v", r.Objects)
	}
	if r := step("nothing differs", config, true, 0); r.Changes {
		t.Errorf("a repair without a difference: %+v", r.Objects)
	}

	user("z1", func(u *tenant.User) {
		u.UserPrincipalName, u.Mail = "zora@example.com", "zora@example.com"
		u.DisplayName, u.JobTitle = "Zora & <Co>", ""
		u.City = ""
	})
	user("z2", func(u *tenant.User) {
		u.ManagerID = "z3"
		u.City, u.BusinessPhone = "", "+3"
	})
	if !to.wantsMail {
		user("z2", func(u *tenant.User) { u.Mail = "" })
	}
	user("z3", func(u *tenant.User) {
		u.ManagerID = ""
		u.BusinessPhone, u.Department = "", "Sales"
	})
	_, err := from.UpdateGroup(ctx, tenanttest.Actor, "g9", func(g *tenant.Group) { g.DisplayName = "Sales & <more>" })
	must(err)
	must(from.AddMembers(ctx, tenanttest.Actor, "g9", []tenant.PrincipalID{"z1", "z2", "u1"}))
	must(from.RemoveMember(ctx, tenanttest.Actor, "g8", "z3"))
	step("renamed, cleared, moved", config, false, 0)

	must(to.make("/Users", scim.Resource{
		"schemas": []string{scim.UserURN}, "userName": "taken@example.com", "active": true,
		"name":   map[string]any{"givenName": "T", "familyName": "N"},
		"emails": []any{map[string]any{"value": "taken@example.com", "type": "work"}},
	}))
	user("u2", func(u *tenant.User) { u.UserPrincipalName = "taken@example.com" })
	step("renamed to a name that somebody has", config, false, whatever)
	user("u2", func(u *tenant.User) { u.UserPrincipalName = "bob@example.com" })
	to.lose("/Users", "userName", "taken@example.com")
	step("and back", config, false, 0)

	user("u2", func(u *tenant.User) { u.Enabled = false })
	off := maps.Clone(to.state()["user bob@example.com"].(map[string]string))
	off["active"] = "false"
	disabled = map[string]any{"user bob@example.com": off}
	step("disabled", config, false, 0)
	user("u2", func(u *tenant.User) { u.Enabled = true })
	disabled = nil
	step("enabled", config, false, 0)

	must(from.DeleteUser(ctx, tenanttest.Actor, "z3")) // who is Yan's manager
	must(from.HardDelete(ctx, tenanttest.Actor, "z3"))
	must(from.DeleteGroup(ctx, tenanttest.Actor, "g3"))
	step("deleted", config, false, 0)

	to.lose("/Users", "userName", "yan@example.com")
	to.lose("/Groups", "displayName", "Sales & <more>")
	must(from.AddMembers(ctx, tenanttest.Actor, "g2", []tenant.PrincipalID{"z2"}))
	must(from.AddMembers(ctx, tenanttest.Actor, "g9", []tenant.PrincipalID{"u2"}))
	step("deleted at the target, and touched", config, false, 0)

	to.lose("/Users", "userName", "bob@example.com")
	to.lose("/Groups", "displayName", "Platform")
	to.spoil("yan@example.com")
	step("repaired", config, true, 0)
	fresh := config
	fresh.State = newTenant(t, t.TempDir())
	// No dry run foresees that: elimity does not find names with quotes, and refuses to make them.
	r := cycle(t, fresh, false)
	if diff := cmp.Diff(from.wanted(t, disabled), to.state()); r.Created+r.Failed > 0 || diff != "" {
		t.Errorf("what is remembered is lost: %+v\n%s", r.Objects, diff)
	}
}

func (x foreign) make(path string, r scim.Resource) error {
	_, err := x.Create(ctx, path, r)
	return err
}

// lose deletes an object at the service.
func (x foreign) lose(path, attribute, value string) {
	x.t.Helper()
	found, err := x.Find(ctx, path, attribute, value)
	if err != nil || len(found) != 1 {
		x.t.Fatal(value, found, err)
	}
	if err := x.Delete(ctx, scim.Item(path, found[0].String("id"))); err != nil {
		x.t.Fatal(err)
	}
}

// spoil changes a person at the service, and puts them into a group.
func (x foreign) spoil(userName string) {
	x.t.Helper()
	found, e1 := x.Find(ctx, "/Users", "userName", userName)
	groups, e2 := x.Find(ctx, "/Groups", "displayName", "Engineering")
	if e1 != nil || e2 != nil || len(found) != 1 || len(groups) != 1 {
		x.t.Fatal(found, groups, e1, e2)
	}
	id := found[0].String("id")
	e1 = x.Patch(ctx, scim.Item("/Users", id),
		scim.Operation{Op: "replace", Path: "name.givenName", Value: []byte(`"Intruder"`)},
		scim.Operation{Op: "replace", Path: "displayName", Value: []byte(`"Nobody"`)})
	e2 = x.Patch(ctx, scim.Item("/Groups", groups[0].String("id")),
		scim.Operation{Op: "add", Path: "members", Value: []byte(`[{"value":"` + id + `"}]`)})
	if e1 != nil || e2 != nil {
		x.t.Fatal(e1, e2)
	}
}
