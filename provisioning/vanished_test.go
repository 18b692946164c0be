package provisioning_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// vanish deletes objects at the target.
func (x *target) vanish(t *testing.T, refs ...provisioning.Ref) {
	t.Helper()
	ctx := context.Background()
	users, e1 := x.center.Users(ctx, center.UserQuery{})
	groups, e2 := x.center.Groups(ctx, center.GroupQuery{})
	err := errors.Join(e1, e2)
	for _, u := range users {
		if slices.Contains(refs, provisioning.Ref{Kind: provisioning.User, ID: u.ExternalID}) {
			err = errors.Join(err, x.center.DeleteUser(ctx, centertest.Actor, u.ID))
		}
	}
	for _, g := range groups {
		if slices.Contains(refs, provisioning.Ref{Kind: provisioning.Group, ID: g.ExternalID}) {
			err = errors.Join(err, x.center.DeleteGroup(ctx, centertest.Actor, g.ID))
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestWhatWasDeletedAtTheTargetIsMadeAnew deletes objects there, and changes something at the
// source that touches them. One cycle makes them anew with all that refers to them, and no change
// of another object is lost.
func TestWhatWasDeletedAtTheTargetIsMadeAnew(t *testing.T) {
	t.Parallel()
	many := func(n int) (ids []string, users []entry) {
		for i := range n {
			ids = append(ids, fmt.Sprint("u", i))
			users = append(users, user(ids[i]))
		}
		return ids, users
	}
	ids, crowd := many(120)
	// Whoever is not made anew is looked for once more, and nothing comes of it.
	again := map[string]bool{"a user is disabled": true, "a group is unassigned": true, "a member is deleted": true}
	for name, c := range map[string]struct {
		gone []provisioning.Ref
		then func(*directory)
	}{
		"a user's attribute":     {[]provisioning.Ref{bob}, having(bob, "jobTitle", "Dr")},
		"a user joins a group":   {[]provisioning.Ref{bob}, members(ops, "ada", "bob")},
		"a user leaves a group":  {[]provisioning.Ref{bob}, members(eng, "ada", "eve")},
		"another joins with one": {[]provisioning.Ref{bob, eve}, members(ops, "ada", "bob", "eve")},
		"a user is disabled": {[]provisioning.Ref{bob}, func(d *directory) {
			active(bob, false)(d)
			d.objects[eve].Manager = "" // as far as the target goes
		}},
		"a user gets a manager":   {[]provisioning.Ref{bob}, managedBy(bob, "ada")},
		"a user loses a manager":  {[]provisioning.Ref{eve}, managedBy(eve, "")},
		"a manager gets a report": {[]provisioning.Ref{bob}, managedBy(ada, "bob")},
		"manager and report":      {[]provisioning.Ref{ada, bob}, managedBy(ada, "bob")},
		"a group is renamed":      {[]provisioning.Ref{eng}, having(eng, "displayName", "Mechanics")},
		"a group gets a member":   {[]provisioning.Ref{ops}, members(ops, "ada", "bob")},
		"a group loses a member":  {[]provisioning.Ref{eng}, members(eng, "ada", "eve")},
		"a group and its member":  {[]provisioning.Ref{ops, bob}, members(ops, "ada", "bob")},
		"a group is unassigned":   {[]provisioning.Ref{eng}, assigned(eng, false)},
		"a member is deleted": {[]provisioning.Ref{bob}, func(d *directory) {
			d.remove(bob)
			d.objects[eve].Manager = ""
		}},
		"a batch of members": {[]provisioning.Ref{
			{Kind: provisioning.User, ID: "u0"}, {Kind: provisioning.User, ID: "u7"},
			{Kind: provisioning.User, ID: "u119"},
		}, members(ops, ids...)},
		"all of a batch": {[]provisioning.Ref{bob, eve}, members(ops, "ada", "bob", "eve")},
	} {
		for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
			t.Run(fmt.Sprint(name, " ", profile), func(t *testing.T) {
				t.Parallel()
				x := newTargetOf(t, profile)
				d := newDirectory(user("ada"), user("bob"), user("eve"))
				d.add(group("Eng", "ada", "bob", "eve"), group("Ops", "ada"))
				if name == "a batch of members" {
					d.add(crowd...)
				}
				d.edit(eve, func(e *entry) { e.Manager = "bob" })
				m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
				now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				if result, err := x.mortal(t, d, m, &now); err != nil || result.Failed > 0 {
					t.Fatalf("%+v, %v", result, err)
				}
				x.vanish(t, c.gone...)
				c.then(d)
				result, err := x.mortal(t, d, m, &now)
				if err != nil || result.Failed > 0 || result.RetryAt.IsZero() == again[name] {
					t.Errorf("%+v, %v", result, err)
				}
				x.equals(t, d, m)
				now = now.Add(2 * time.Minute)
				result, err = x.mortal(t, d, m, &now)
				if err != nil || result.Exported()+result.Failed > 0 || !result.RetryAt.IsZero() {
					t.Errorf("later %+v, %v", result, err)
				}
				x.equals(t, d, m)
			})
		}
	}
}

// TestAManagersReferenceGoesWithTheManager: whoever is deleted at the source is nobody's manager at
// the target, though the source may still name them, as Graph's delta queries do.
func TestAManagersReferenceGoesWithTheManager(t *testing.T) {
	t.Parallel()
	x := newTarget(t)
	d := newDirectory(user("ada"), user("bob"), user("eve"))
	for _, ref := range []provisioning.Ref{ada, eve} {
		d.edit(ref, func(e *entry) { e.Manager = "bob" })
	}
	m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, then := range []func(*directory){
		func(*directory) {},
		func(d *directory) { d.remove(bob) },                 // ada and eve are not named as changed
		func(d *directory) { having(ada, "jobTitle", "Dr") }, // and nothing comes back
	} {
		then(d)
		if result, err := x.mortal(t, d, m, &now); err != nil || result.Failed > 0 {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	for _, name := range []string{"ada", "eve"} {
		if u, err := x.center.UserByName(t.Context(), name+"@example.com"); err != nil || u.Enterprise.Manager != "" {
			t.Errorf("%s: %+v, %v", name, u.Enterprise, err)
		}
	}
}

// TestEntriesOfListsAreProper creates a user whose mapping has entries of lists in all forms, again
// and again: it is always the same user.
func TestEntriesOfListsAreProper(t *testing.T) {
	t.Parallel()
	const custom = "urn:ietf:params:scim:schemas:extension:northwind:2.0:User"
	schema := mapping.Default("rule")
	users := &schema.Objects[0]
	for target, expression := range map[string]string{
		`roles[primary eq "True"].value`:                      `"Admin"`,
		`roles[primary eq "True"].display`:                    `"Administrator"`,
		`emails[type eq "home"].value`:                        `"home@example.com"`,
		`emails[type eq "other"].value`:                       `"other@example.com"`,
		`phoneNumbers[type eq "mobile"].value`:                `"+1"`,
		`phoneNumbers[type eq "fax"].value`:                   `"+2"`,
		`ims[type eq "work" and primary eq true].value`:       `"@ada"`,
		`photos[type eq "a]b"].value`:                         `"https://x/y"`,
		`entitlements[type eq "x"].value`:                     `"e"`,
		"urn:ietf:params:scim:schemas:core:2.0:User:nickName": `"Countess"`,
		`entitlements[type eq "y"].primary`:                   `"True"`,
		custom + `:badge`:                                     `"7"`,
		custom + `:desk.floor`:                                `"3"`,
		custom + `:tags[type eq "a:b"].value`:                 `"t"`,
	} {
		users.Attributes = append(users.Attributes, mapping.Attribute{Target: target, Expression: expression})
	}
	compiled, err := provisioning.Compile(schema)
	if err != nil {
		t.Fatal(err)
	}
	attributes := func(pairs ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	want := map[string]any{
		"roles": []any{attributes("primary", true, "value", "Admin", "display", "Administrator")},
		"emails": []any{
			attributes("type", "home", "value", "home@example.com"),
			attributes("type", "other", "value", "other@example.com"),
			attributes("type", "work", "value", "ada@example.com", "primary", true),
		},
		"phoneNumbers": []any{
			attributes("type", "fax", "value", "+2", "primary", true), attributes("type", "mobile", "value", "+1"),
		},
		"ims":          []any{attributes("type", "work", "primary", true, "value", "@ada")},
		"photos":       []any{attributes("type", "a]b", "value", "https://x/y", "primary", true)},
		"entitlements": []any{attributes("type", "x", "value", "e"), attributes("type", "y", "primary", true)},
		custom: map[string]any{
			"badge": "7", "desk": map[string]any{"floor": "3"},
			"tags": []any{attributes("type", "a:b", "value", "t", "primary", true)},
		},
		"nickName": "Countess",
		"schemas": []any{
			"urn:ietf:params:scim:schemas:core:2.0:User", enterprise, custom,
		},
	}
	for range 10 {
		var made map[string]any
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				_, _ = io.WriteString(w, `{"totalResults":0,"Resources":[]}`)
				return
			}
			if err := json.NewDecoder(r.Body).Decode(&made); err != nil {
				t.Error(err)
			}
			w.Header().Set("Location", "/Users/1")
			w.WriteHeader(http.StatusCreated)
		}))
		x := &target{client: &scim.Client{BaseURL: server.URL, HTTP: server.Client()}}
		c := &company{users: []entry{user("ada")}}
		result, err := x.sync(t, c, newMemory(), func(e *provisioning.Engine) { e.Mappings = compiled })
		if err != nil || result.Created != 1 {
			t.Fatalf("%+v, %v", result, err)
		}
		server.Close()
		have := map[string]any{}
		for name := range want {
			have[name] = made[name]
		}
		if diff := cmp.Diff(want, have); diff != "" {
			t.Fatalf("what is created (-want +have):\n%s", diff)
		}
	}
	for _, path := range []string{
		`emails[type ne "work"].value`, `emails[type eq "work" or primary eq true].value`,
		`emails[type eq "work".value`, `emails[type].value`,
	} {
		wrong := mapping.Default("rule")
		wrong.Objects[0].Attributes = append(
			wrong.Objects[0].Attributes, mapping.Attribute{Target: path, Expression: `"x"`},
		)
		if _, err := provisioning.Compile(wrong); err == nil {
			t.Errorf("%s is taken", path)
		}
	}
}
