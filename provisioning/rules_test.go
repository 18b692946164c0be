package provisioning_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// told collects what an engine tells, in the order of the objects' names.
type told struct {
	mu      sync.Mutex
	entries []provisioning.Entry
}

func (l *told) tell(e provisioning.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries = append(l.entries, e)
}

// lines are what was done, without skips and ids: "create user ada".
func (l *told) lines() (lines []string) {
	for _, e := range l.entries {
		if e.Outcome == provisioning.Skipped {
			continue
		}
		line := fmt.Sprintf("%s %s %s", e.Action, e.Ref.Kind, e.Name)
		if e.Outcome == provisioning.Failure {
			line += " " + e.Code
		}
		for _, c := range e.Changes {
			if c.Path != "externalId" && e.Action == provisioning.Update {
				line += " " + c.String()
			}
		}
		for _, m := range e.Added {
			line += " +" + m
		}
		for _, m := range e.Removed {
			line += " -" + m
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

func (l *told) want(t *testing.T, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, l.lines(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("what was done (-want +have):\n%s", diff)
	}
}

func TestADryRunSaysWhatWouldBeDoneAndDoesNothing(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	c := &company{
		users:  []entry{user("ada"), user("bob"), user("eve"), user("kim")},
		groups: []entry{group("Eng", "ada", "bob"), group("Ops", "eve")},
	}
	if _, err := x.sync(t, c, m, nil); err != nil {
		t.Fatal(err)
	}
	c.users[0].directory["jobTitle"] = "Countess"
	c.users[0].directory["mail"] = ""
	c.users[0].Manager = "kim"
	c.users[1].Active, c.users[2].Gone = false, true
	c.users = append(c.users, user("new"))
	c.groups[0].Members = []string{"ada", "new"}
	c.groups[1].Gone = true
	before, memory := x.state(t), m.link(c.users[0].Ref)
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		if r.Method == http.MethodGet {
			return false
		}
		t.Errorf("a dry run sends %s %s", r.Method, r.URL.Path)
		w.WriteHeader(http.StatusTeapot)
		return true
	})
	var dry told
	planned, err := x.sync(t, c, m, func(e *provisioning.Engine) { e.DryRun, e.OnEntry = true, dry.tell })
	if err != nil {
		t.Fatal(err)
	}
	dry.want(
		t,
		`update User ada title: "" → "Countess" emails[type eq "work"].value: "ada@example.com" → ""`,
		`update User ada urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager: "" → "kim"`,
		"disable User bob",
		"delete User eve",
		"create User new",
		"update Group Eng +new",
		"update Group Eng -bob",
		"delete Group Ops",
	)
	if diff := cmp.Diff(before, x.state(t)); diff != "" || cmp.Diff(memory, m.link(c.users[0].Ref)) != "" ||
		seen(m) != "1" {
		t.Errorf("something has changed: %s", diff)
	}
	x.misbehave(nil)
	var carriedOut told
	done, err := x.sync(t, c, m, func(e *provisioning.Engine) { e.OnEntry = carriedOut.tell })
	if err != nil || done.Exported() != planned.Exported() {
		t.Errorf("planned %+v, done %+v, %v", planned, done, err)
	}
	carriedOut.want(t, dry.lines()...)
	x.want(t, "ada*", "bob", "kim*", "new*", "Eng=ada+new")
}

func TestACarefulEngineTouchesOnlyWhatItMade(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	ctx := context.Background()
	if _, err := x.center.CreateUser(ctx, centertest.Actor, centertest.Person("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Eng", "AWSAuditAccountAdmins"} {
		if _, err := x.center.CreateGroup(ctx, centertest.Actor, center.Group{DisplayName: name}); err != nil {
			t.Fatal(err)
		}
	}
	c := &company{
		users:  []entry{user("ada"), user("bob")},
		groups: []entry{group("Eng", "ada"), group("AWSAuditAccountAdmins", "ada"), group("Own", "bob")},
	}
	careful := func(adopt bool, l *told) func(*provisioning.Engine) {
		return func(e *provisioning.Engine) {
			e.Careful, e.Adopt = true, adopt
			e.OnEntry = l.tell
		}
	}
	var first, second, third told
	if result, err := x.sync(t, c, m, careful(false, &first)); err != nil || result.Failed != 3 || result.Created != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	if e := first.entries[slices.IndexFunc(first.entries, func(e provisioning.Entry) bool {
		return e.Code == "NotAdopted" && e.Ref.Kind == provisioning.User
	})]; !strings.Contains(e.Reason, "--adopt") ||
		len(e.Changes) == 0 {
		t.Errorf("the reason does not say what to do, or the difference is not shown: %+v", e)
	}
	x.want(t, "ada*", "bob*", "Eng=", "AWSAuditAccountAdmins=", "Own=bob")
	if result, err := x.sync(t, c, m, careful(true, &second)); err != nil || result.Failed != 1 {
		t.Fatalf("with adoption: %+v, %v", result, err)
	}
	x.want(t, "ada*", "bob*", "Eng=ada", "AWSAuditAccountAdmins=", "Own=bob")
	for i := range c.users {
		c.users[i].Gone = true
	}
	for i := range c.groups {
		c.groups[i].Assigned = false
	}
	if _, err := x.sync(t, c, m, careful(true, &third)); err != nil {
		t.Fatal(err)
	}
	x.want(t, "ada", "Eng=ada", "AWSAuditAccountAdmins=") // what was there is there
	// A memory that is lost does not make strangers of what was made here: externalId tells.
	c = &company{users: []entry{user("kim")}}
	if _, err := x.sync(t, c, newMemory(), careful(false, &told{})); err != nil {
		t.Fatal(err)
	}
	if result, err := x.sync(t, c, newMemory(), careful(false, &told{})); err != nil || result.Failed != 0 ||
		result.Skipped != 1 {
		t.Errorf("after the memory was lost: %+v, %v", result, err)
	}
}

func TestWhatWasChangedAtTheTargetIsPutRight(t *testing.T) {
	t.Parallel()
	x, m := newTarget(t), newMemory()
	ctx := context.Background()
	c := &company{users: []entry{user("ada"), user("bob"), user("eve")}, groups: []entry{group("Eng", "ada", "bob")}}
	c.users[2].Active = false
	if _, err := x.sync(t, c, m, nil); err != nil {
		t.Fatal(err)
	}
	x.misbehave(nil)
	reread := func(l *told) func(*provisioning.Engine) {
		return func(e *provisioning.Engine) { e.Reread, e.OnEntry = true, l.tell }
	}
	var idle, repaired, after told
	if _, err := x.sync(t, c, m, reread(&idle)); err != nil {
		t.Fatal(err)
	}
	idle.want(t)
	ada, bob := m.link(c.users[0].Ref).TargetID, m.link(c.users[1].Ref).TargetID
	_, e1 := x.center.UpdateUser(
		ctx, centertest.Actor, center.UserID(ada),
		func(u *center.User) error { u.DisplayName, u.Title = "Somebody", "Boss"; return nil },
	)
	e2 := x.center.DeleteUser(ctx, centertest.Actor, center.UserID(bob))
	if e1 != nil || e2 != nil {
		t.Fatal(e1, e2)
	}
	if result, err := x.sync(t, c, m, reread(&repaired)); err != nil || result.Created != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	repaired.want(t, `update User ada displayName: "Somebody" → "ada"`, "create User bob", "update Group Eng +bob")
	// what is not mapped, or has no value, was never sent
	if u, err := x.center.User(ctx, center.UserID(ada)); err != nil || u.DisplayName != "ada" || u.Title != "Boss" {
		t.Errorf("ada %+v, %v", u, err)
	}
	if _, err := x.sync(t, c, m, reread(&after)); err != nil {
		t.Fatal(err)
	}
	after.want(t)
	x.want(t, "ada*", "bob*", "Eng=ada+bob")
}

func TestNamesThatAreFreedInTheSameCycle(t *testing.T) {
	t.Parallel()
	name := func(e *entry, name string) { e.directory["userPrincipalName"] = name + "@example.com" }
	for what, x := range map[string]struct {
		change func(c *company)
		want   []string
		failed int
	}{
		"given to the next, in a chain": {
			func(c *company) {
				name(&c.users[0], "bob")
				name(&c.users[1], "eve")
				name(&c.users[2], "new")
			},
			[]string{"bob*", "eve*", "new*", "Eng=bob", "Ops="}, 0,
		},
		"given to a newcomer": {
			func(c *company) {
				newcomer := user("zoe")
				name(&newcomer, "ada")
				name(&c.users[0], "lovelace")
				c.users = append([]entry{newcomer}, c.users...)
			},
			[]string{"ada*", "lovelace*", "bob*", "eve*", "Eng=lovelace", "Ops="}, 0,
		},
		"wanted by two": {
			func(c *company) {
				twin := user("zoe")
				name(&twin, "ada")
				c.users = append(c.users, twin)
			},
			[]string{"ada*", "bob*", "eve*", "Eng=ada", "Ops="}, 1,
		},
		"a group's, while its members change": {
			func(c *company) {
				c.groups[0].directory["displayName"], c.groups[0].Members = "Ops", []string{"bob"}
				c.groups[1].directory["displayName"], c.groups[1].Members = "Eng", []string{"ada", "eve"}
				c.groups[1].directory["displayName"] = "Support"
			},
			[]string{"ada*", "bob*", "eve*", "Ops=bob", "Support=ada+eve"}, 0,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, dry := range []bool{false, true} {
				at, m := newTarget(t), newMemory()
				c := &company{
					users:  []entry{user("ada"), user("bob"), user("eve")},
					groups: []entry{group("Eng", "ada"), group("Ops")},
				}
				if _, err := at.sync(t, c, m, nil); err != nil {
					t.Fatal(err)
				}
				x.change(c)
				var l told
				result, err := at.sync(
					t, c, m, func(e *provisioning.Engine) {
						e.DryRun, e.Workers = dry, 1
						e.OnEntry = l.tell
					},
				)
				if err != nil || result.Failed != x.failed {
					t.Errorf("dry %v: %+v, %v: %v", dry, result, err, l.lines())
				}
				if !dry {
					at.want(t, x.want...)
				}
			}
		})
	}
}

func TestRulesOfAMapping(t *testing.T) {
	t.Parallel()
	edit := func(s *mapping.Schema, target string, change func(*mapping.Attribute)) {
		for i := range s.Objects[0].Attributes {
			if s.Objects[0].Attributes[i].Target == target {
				change(&s.Objects[0].Attributes[i])
			}
		}
	}
	remove := func(s *mapping.Schema, target string) {
		s.Objects[0].Attributes = slices.DeleteFunc(
			s.Objects[0].Attributes, func(a mapping.Attribute) bool { return a.Target == target },
		)
	}
	out := func(c *company) { c.users[0].Assigned = false }
	for name, x := range map[string]struct {
		schema func(*mapping.Schema)
		engine func(*provisioning.Engine)
		first  func(*company)
		then   func(*company)
		want   []string // done by the second cycle
	}{
		"sent once": {
			func(s *mapping.Schema) {
				edit(s, "displayName", func(a *mapping.Attribute) { a.OnlyOnce = true })
			},
			nil, nil,
			func(c *company) {
				c.users[0].directory["displayName"], c.users[0].directory["jobTitle"] = "Other", "Dr"
			},
			[]string{`update User ada title: "" → "Dr"`},
		},
		"a default stays until there is a value": {func(s *mapping.Schema) {
			edit(s, "title", func(a *mapping.Attribute) { a.Default = "none" })
		}, nil, nil,
			func(c *company) { c.users[0].directory["surname"] = "X" },
			[]string{`update User ada name.familyName: "F" → "X" name.formatted: "G F" → "G X"`}},
		"a default is replaced": {func(s *mapping.Schema) {
			edit(s, "title", func(a *mapping.Attribute) { a.Default = "none" })
		}, nil, nil,
			func(c *company) { c.users[0].directory["jobTitle"] = "Dr" },
			[]string{`update User ada title: "none" → "Dr"`}},
		"no updates": {func(s *mapping.Schema) {
			s.Objects[0].Flows = mapping.Add
		}, nil, nil, func(c *company) { c.users[0].directory["jobTitle"] = "Dr" }, nil},
		"no creations": {func(s *mapping.Schema) {
			s.Objects[0].Flows = mapping.Update
		}, nil, nil, func(*company) {}, nil},
		"no deletions": {func(s *mapping.Schema) {
			s.Objects[0].Flows = mapping.Add | mapping.Update
		}, nil, nil, func(c *company) { c.users[0].Gone = true }, nil},
		"active is not mapped":  {func(s *mapping.Schema) { remove(s, "active") }, nil, nil, out, nil},
		"out of scope":          {nil, nil, nil, out, []string{"disable User ada"}},
		"out of scope, skipped": {nil, func(e *provisioning.Engine) { e.SkipOutOfScope = true }, nil, out, nil},
		"what the target requires is missing": {nil, nil, func(c *company) {
			c.users[0].directory["surname"] = ""
		}, func(*company) {},
			[]string{"other User ada MissingValues"}},
		"what the target requires is taken away": {
			nil, nil, nil,
			func(c *company) {
				c.users[0].directory["surname"] = ""
			},
			[]string{"other User ada MissingValues"},
		},
		"nothing to match by": {nil, nil, func(c *company) {
			c.users[0].directory["userPrincipalName"] = ""
		}, func(*company) {}, []string{"other User ada ImportSkipped"}}, // a failure, which is tried again
		"an expression fails": {func(s *mapping.Schema) {
			edit(s, "title", func(a *mapping.Attribute) { a.Expression = `Mid([jobTitle], [surname], 2)` })
		}, nil, nil, func(c *company) { c.users[0].directory["jobTitle"] = "x" },
			[]string{"other User ada AttributeMappingError", "other User bob AttributeMappingError"}},
		"an expression takes too much, for one person": {
			func(s *mapping.Schema) {
				edit(s, "title", func(a *mapping.Attribute) {
					a.Expression = `Left(Replace([jobTitle],,"a*b|a",,"c",,),9)`
				})
			},
			nil, nil,
			func(c *company) {
				c.users[0].directory["jobTitle"], c.users[1].directory["jobTitle"] = strings.Repeat("a", 60<<10), "Dr"
			},
			[]string{"other User ada AttributeMappingError", `update User bob title: "" → "Dr"`},
		},
		"a filter takes too much, for one person": {func(s *mapping.Schema) {
			s.Objects[0].Scope = []mapping.Filter{{
				Clauses: []mapping.Clause{{
					Attribute: "department",
					Operator:  "NOT REGEX MATCH",
					Values:    []string{"(?:(?:ab?){20}){20}"},
				}},
			}}
		}, nil, func(c *company) {
			c.users[0].directory["department"], c.users[1].directory["department"] = "x", "x"
		}, func(c *company) { c.users[0].directory["department"] = strings.Repeat("a", 60<<10) },
			[]string{"other User ada AttributeMappingError"}},
		"what disables somebody fails": {func(s *mapping.Schema) {
			edit(s, "active", func(a *mapping.Attribute) {
				a.Expression = `IIF([IsSoftDeleted]="True",Mid("a",0,1),"True")`
			})
		}, nil, nil, out, []string{"other User ada AttributeMappingError"}},
		"disabled although it lacks what is required": {
			nil, nil, nil,
			func(c *company) {
				c.users[0].Active, c.users[0].directory["surname"] = false, ""
			},
			[]string{"disable User ada"},
		},
		"a manager who leaves": {nil, nil, func(c *company) {
			c.users[0].Manager = "bob"
		}, func(c *company) { c.users[0].Manager = "" },
			[]string{"update User ada " + enterprise + `:manager: "bob" → ""`}},
		"groups are not mapped": {func(s *mapping.Schema) {
			s.Objects[1].Enabled = false
		}, nil, nil, func(c *company) { c.groups = []entry{group("Eng")} }, nil},
		"the second matching attribute": {func(s *mapping.Schema) {
			edit(s, "userName", func(a *mapping.Attribute) { a.Matching = 2 })
			edit(s, "externalId", func(a *mapping.Attribute) { a.Matching = 1 })
		}, nil, nil, func(*company) {}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mapping.Default("rule")
			if x.schema != nil {
				x.schema(&s)
			}
			m, err := provisioning.Compile(s)
			if err != nil {
				t.Fatal(err)
			}
			at, memory := newTarget(t), newMemory()
			c := &company{users: []entry{user("ada"), user("bob")}}
			if x.first != nil {
				x.first(c)
			}
			var l told
			engine := func(l *told) func(*provisioning.Engine) {
				return func(e *provisioning.Engine) {
					e.Mappings, e.OnEntry = m, l.tell
					if x.engine != nil {
						x.engine(e)
					}
				}
			}
			if _, err := at.sync(t, c, memory, engine(&told{})); err != nil {
				t.Fatal(err)
			}
			x.then(c)
			if _, err := at.sync(t, c, memory, engine(&l)); err != nil {
				t.Fatal(err)
			}
			l.want(t, x.want...)
		})
	}
}

// TestTheCompliantDialect compares the bodies of requests with what Entra sends with the flag
// aadOptscim062020.
func TestTheCompliantDialect(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]provisioning.Dialect{
		"https://a/scim/?aadOptscim062020":    provisioning.Compliant,
		"https://a/scim?x=1&AADOPTSCIM062020": provisioning.Compliant,
		"https://a/scim":                      provisioning.Entra,
	} {
		if provisioning.DialectOf(url) != want {
			t.Errorf("%s", url)
		}
	}
	var mu sync.Mutex
	var bodies []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		switch r.Method {
		case http.MethodGet:
			_, _ = w.Write([]byte(`{"totalResults":0,"Resources":[]}`))
		case http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprintf(w, `{"id":"t%d"}`, len(bodies))
		case http.MethodPatch:
			var p struct{ Operations json.RawMessage }
			_ = json.Unmarshal(body, &p)
			bodies = append(bodies, string(p.Operations))
		}
	}))
	t.Cleanup(server.Close)
	x, m := &target{client: &scim.Client{BaseURL: server.URL, Token: "t", HTTP: server.Client()}}, newMemory()
	c := &company{users: []entry{user("ada")}, groups: []entry{group("Eng", "ada")}}
	compliant := func(e *provisioning.Engine) {
		e.Target, e.Workers = provisioning.SCIM(x.client, provisioning.Compliant), 1
	}
	for _, change := range []func(){
		func() {}, func() {
			c.users[0].directory["jobTitle"] = "Dr"
			c.users[0].directory["givenName"] = "A"
			c.users[0].directory["department"] = "R"
			c.users[0].directory["mail"] = "new@example.com"
		},
		func() { c.users[0].directory["mail"], c.users[0].directory["jobTitle"] = "", "" },
		func() { c.users[0].Active = false }, func() { c.users[0].Active = true; c.groups[0].Members = nil },
	} {
		change()
		if result, err := x.sync(t, c, m, compliant); err != nil || result.Failed != 0 {
			t.Fatalf("%+v, %v", result, err)
		}
	}
	if diff := cmp.Diff([]string{
		`[{"op":"add","path":"members","value":[{"value":"t0"}]}]`,
		`[{"op":"replace","path":"emails[type eq \"work\"].value","value":"new@example.com"},` +
			`{"op":"replace","value":{"name.formatted":"A F","name.givenName":"A","title":"Dr","` +
			enterprise + `:department":"R"}}]`,
		`[{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"remove","path":"title"}]`,
		`[{"op":"replace","path":"active","value":false}]`,
		`[{"op":"remove","path":"members[value eq \"t0\"]"}]`, // access is taken away first
		`[{"op":"replace","path":"active","value":true}]`,
	}, bodies); diff != "" {
		t.Errorf("bodies (-want +sent):\n%s", diff)
	}
}

func TestAGroupOfTwoHundredThousandMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out what takes long")
	}
	t.Parallel()
	const people = 200_000
	batches := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch r.Method {
		case http.MethodGet:
			_, _ = w.Write([]byte(`{"totalResults":0,"Resources":[]}`))
		case http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"id":"group"}`))
		case http.MethodPatch: // one group: one after the other
			batches++
		}
	}))
	t.Cleanup(server.Close)
	x, m := &target{client: &scim.Client{BaseURL: server.URL, Token: "t", HTTP: server.Client()}}, newMemory()
	ids := make([]string, people)
	for i := range ids {
		ids[i] = fmt.Sprint("u", i)
		if err := m.Volatile.Keep(
			context.Background(),
			provisioning.Link{Ref: provisioning.Ref{Kind: provisioning.User, ID: ids[i]}, TargetID: "t" + ids[i]},
		); err != nil {
			t.Fatal(err)
		}
	}
	c := &company{groups: []entry{group("All", ids...)}}
	began := time.Now()
	if _, err := x.sync(t, c, m, nil); err != nil || batches != people/provisioning.MaxMembers {
		t.Fatalf("%d batches, %v", batches, err)
	}
	c.groups[0].Members = nil
	if _, err := x.sync(t, c, m, nil); err != nil || batches != 2*people/provisioning.MaxMembers ||
		len(m.link(c.groups[0].Ref).Members) != 0 {
		t.Errorf("%d batches, %v", batches, err)
	}
	t.Logf("in and out in %s", time.Since(began).Round(time.Millisecond))
}

// enterprise is the schema of the enterprise extension, RFC 7643 section 4.3.
const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
