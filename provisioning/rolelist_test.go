package provisioning_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/identitystore"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// withRoles is a company whose people have app roles.
type withRoles struct {
	*company
	roles map[string][]mapping.Role
}

func (c withRoles) with(o provisioning.Object) provisioning.Object {
	of := o.Attributes
	o.Attributes = func(name string) mapping.Value {
		if name != "appRoleAssignments" {
			return of(name)
		}
		var texts mapping.Value
		for _, r := range c.roles[o.ID] {
			texts = append(texts, r.Text())
		}
		return texts
	}
	return o
}

func (c withRoles) Changes(ctx context.Context, w string, also []provisioning.Ref) (provisioning.Changes, error) {
	out, err := c.company.Changes(ctx, w, also)
	for i := range out.Users {
		out.Users[i] = c.with(out.Users[i])
	}
	return out, err
}

func (c withRoles) Object(ctx context.Context, ref provisioning.Ref) (provisioning.Object, error) {
	o, err := c.company.Object(ctx, ref)
	return c.with(o), err
}

// mapped are the default mappings with more of users.
func mapped(t *testing.T, more ...mapping.Attribute) provisioning.Mappings {
	t.Helper()
	s := mapping.Default("rule")
	s.Of("User").Attributes = append(s.Of("User").Attributes, more...)
	m, err := provisioning.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// bodies records what is written of users.
func (x *target) bodies() *[]string {
	var list []string
	x.misbehave(func(_ int, r *http.Request, _ http.ResponseWriter) bool {
		if data, err := io.ReadAll(r.Body); err == nil && strings.Contains(r.URL.Path, "/Users") && len(data) > 0 {
			list = append(list, r.Method+" "+string(data))
			r.Body = io.NopCloser(bytes.NewReader(data))
		}
		return false
	})
	return &list
}

var (
	admin  = mapping.Role{ID: "1", Value: "Admin", DisplayName: "Admin"}
	reader = mapping.Role{ID: "2", Value: "Reader", DisplayName: "Reader"}
	auditR = mapping.Role{ID: "3", Value: "25", DisplayName: "Auditor"}
)

// TestRolesAreWrittenAsEntraDocuments: the examples of "Customizing user provisioning
// attribute-mappings", and what other services are sent instead.
func TestRolesAreWrittenAsEntraDocuments(t *testing.T) {
	t.Parallel()
	const complexRoles, assertive = "AppRoleAssignmentsComplex", "AssertiveAppRoleAssignmentsComplex"
	for name, c := range map[string]struct {
		function     string
		dialect      provisioning.Dialect
		post, change string
	}{
		"Entra, added": {complexRoles, provisioning.Entra,
			`[{"displayName":"Admin","primary":false,"type":"WindowsAzureActiveDirectoryRole","value":"Admin"}]`,
			`{"op":"Add","path":"roles","value":[` +
				`{"value":"{\"id\":\"1\",\"value\":\"Admin\",\"displayName\":\"Admin\"}"},` +
				`{"value":"{\"id\":\"2\",\"value\":\"Reader\",\"displayName\":\"Reader\"}"}]}`},
		"Entra, replaced": {assertive, provisioning.Entra,
			`[{"display":"Admin","primary":false,"type":"WindowsAzureActiveDirectoryRole","value":"Admin"}]`,
			`{"op":"Replace","path":"roles","value":[` +
				`{"display":"Reader","primary":false,"type":"WindowsAzureActiveDirectoryRole","value":"Reader"}]}`},
		"flag, added": {complexRoles, provisioning.Compliant,
			`[{"displayName":"Admin","primary":false,"type":"WindowsAzureActiveDirectoryRole","value":"Admin"}]`,
			`{"op":"add","path":"roles","value":[` +
				`{"displayName":"Admin","primary":false,"type":"WindowsAzureActiveDirectoryRole","value":"Admin"},` +
				`{"displayName":"Reader","primary":false,"type":"WindowsAzureActiveDirectoryRole","value":"Reader"}]}`},
		"any service, added": {complexRoles, provisioning.Plain,
			`[{"display":"Admin","value":"Admin"}]`,
			`{"op":"add","path":"roles","value":[` +
				`{"display":"Admin","value":"Admin"},{"display":"Reader","value":"Reader"}]}`},
		"AWS, replaced": {assertive, provisioning.AWS, // which takes it with a creation only
			`[{"primary":false,"type":"WindowsAzureActiveDirectoryRole","value":"Admin"}]`,
			`{"op":"replace","path":"roles","value":[` +
				`{"primary":false,"type":"WindowsAzureActiveDirectoryRole","value":"Reader"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			profile := center.ProfileStandard
			if c.dialect == provisioning.AWS {
				profile = center.ProfileAWS
			}
			x, m := newTargetOf(t, profile), newMemory()
			people := withRoles{&company{users: []entry{user("ada")}}, map[string][]mapping.Role{"ada": {admin}}}
			roles := mapping.Attribute{Target: "roles", Expression: c.function + "([appRoleAssignments])"}
			engine := func(e *provisioning.Engine) {
				e.Target, e.Mappings = provisioning.SCIM(x.client, c.dialect), mapped(t, roles)
			}
			sent := x.bodies()
			for _, next := range [][]mapping.Role{{admin}, {reader}} {
				people.roles["ada"] = next
				if _, err := x.sync(t, people, m, engine); err != nil {
					t.Fatal(err)
				}
			}
			if len(*sent) != 2 || !strings.Contains(canonical(t, (*sent)[0]), `"roles":`+c.post) ||
				!strings.Contains(canonical(t, (*sent)[1]), `"Operations":[`+c.change+`]`) {
				t.Errorf("%s", strings.Join(*sent, "\n"))
			}
		})
	}
}

// canonical writes a recorded body with its names in order.
func canonical(t *testing.T, line string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(line[strings.Index(line, "{"):]), &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestRolesFollowTheDirectory: added ones stay, and replaced ones go; a dry run says the same.
func TestRolesFollowTheDirectory(t *testing.T) {
	t.Parallel()
	for function, want := range map[string][]string{
		"AppRoleAssignmentsComplex":          {"25,Admin", "25,Admin", "25,Admin,Reader", "25,Admin,Reader"},
		"AssertiveAppRoleAssignmentsComplex": {"25,Admin", "25", "25,Reader", ""},
	} {
		x, m := newTargetOf(t, center.ProfileStandard), newMemory()
		c := withRoles{&company{users: []entry{user("ada")}}, map[string][]mapping.Role{}}
		roles := mapping.Attribute{Target: "roles", Expression: function + "([appRoleAssignments])"}
		for i, next := range [][]mapping.Role{{admin, auditR}, {auditR}, {auditR, reader}, nil} {
			c.roles["ada"] = next
			var foreseen, done []string
			for _, dry := range []bool{true, false} {
				var l told
				_, err := x.sync(t, c, m, func(e *provisioning.Engine) {
					e.Target = provisioning.SCIM(x.client, provisioning.Plain)
					e.DryRun, e.OnEntry = dry, l.tell
					e.Mappings = mapped(t, roles)
				})
				if err != nil {
					t.Fatal(err)
				}
				foreseen, done = done, l.lines()
			}
			if diff := cmp.Diff(foreseen, done); diff != "" {
				t.Errorf("%s, %d: foreseen and done: %s", function, i, diff)
			}
			if got := x.rolesOf(t); got != want[i] {
				t.Errorf("%s, %d: %q, want %q", function, i, got, want[i])
			}
			var l told
			_, err := x.sync(t, c, m, func(e *provisioning.Engine) {
				e.Target = provisioning.SCIM(x.client, provisioning.Plain)
				e.Reread, e.OnEntry = true, l.tell
				e.Mappings = mapped(t, roles)
			})
			if err != nil || len(l.lines()) > 0 {
				t.Errorf("%s, %d: a repair finds %v, %v", function, i, l.lines(), err)
			}
		}
	}
}

func (x *target) rolesOf(t *testing.T) string {
	t.Helper()
	users, err := x.center.Users(context.Background(), center.UserQuery{})
	if err != nil || len(users) != 1 {
		t.Fatal(users, err)
	}
	var names []string
	for _, r := range users[0].Roles {
		names = append(names, r.Value)
	}
	slices.Sort(names)
	return strings.Join(names, ",")
}

// TestWhatAWSRefusesOfRolesIsForeseen: AWS takes one role, with a creation, and without a display
// name, which Entra's own dialect sends.
func TestWhatAWSRefusesOfRolesIsForeseen(t *testing.T) {
	t.Parallel()
	roles := mapping.Attribute{Target: "roles", Expression: "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])"}
	for name, c := range map[string]struct {
		dialect provisioning.Dialect
		steps   [][]mapping.Role
		want    string
	}{
		"two":     {provisioning.AWS, [][]mapping.Role{{admin, reader}}, "one value only"},
		"changed": {provisioning.AWS, [][]mapping.Role{{admin}, {reader}}, "cannot be changed"},
		"named":   {provisioning.Entra, [][]mapping.Role{{admin}}, "roles.display"},
	} {
		x, m := newTarget(t), newMemory()
		people := withRoles{&company{users: []entry{user("ada")}}, map[string][]mapping.Role{}}
		for i, next := range c.steps {
			people.roles["ada"] = next
			for _, dry := range []bool{true, false} {
				var l told
				result, err := x.sync(t, people, m, func(e *provisioning.Engine) {
					e.Target = provisioning.SCIM(x.client, c.dialect)
					e.DryRun, e.OnEntry = dry, l.tell
					e.Mappings = mapped(t, roles)
				})
				if err != nil || (result.Failed == 1) != (i == len(c.steps)-1) {
					t.Errorf("%s, %d, dry run %v: %v, %v", name, i, dry, l.lines(), err)
				}
				if dry && result.Failed > 0 && !strings.Contains(l.entries[0].Reason, c.want) {
					t.Errorf("%s: %s", name, l.entries[0].Reason)
				}
			}
		}
	}
}

// TestWhatFlowsIsWhatTheExpressionSays: an attribute that is dropped from the flow stays as it is,
// and a redacted value is in no log.
func TestWhatFlowsIsWhatTheExpressionSays(t *testing.T) {
	t.Parallel()
	x, m := newTargetOf(t, center.ProfileStandard), newMemory()
	c := &company{users: []entry{user("ada")}}
	c.users[0].directory["department"], c.users[0].directory["city"] = "Secret", "Oslo"
	s := mapping.Default("rule")
	for i, a := range s.Of("User").Attributes {
		switch {
		case strings.HasSuffix(a.Target, ":department"):
			s.Of("User").Attributes[i].Expression = `Redact([department])`
		case strings.HasSuffix(a.Target, ".locality"):
			s.Of("User").Attributes[i].Expression = `IgnoreFlowIfNullOrEmpty([city])`
		}
	}
	ready, err := provisioning.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	sync := func() *told {
		var l told
		_, err := x.sync(t, c, m, func(e *provisioning.Engine) { e.Mappings, e.OnEntry = ready, l.tell })
		if err != nil {
			t.Fatal(err)
		}
		return &l
	}
	for _, e := range sync().entries {
		for _, change := range e.Changes {
			if strings.Contains(change.String(), "Secret") {
				t.Errorf("the log has %v", change)
			}
			if strings.HasSuffix(change.Path, ":department") && change.New != "[Redact]" {
				t.Errorf("the log has %v", change)
			}
		}
	}
	delete(c.users[0].directory, "city")
	delete(c.users[0].directory, "department")
	l := sync()
	l.want(t, `update User ada urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department: "[Redact]" → ""`)
	users, err := x.center.Users(context.Background(), center.UserQuery{})
	if err != nil || users[0].Addresses[0].Locality != "Oslo" {
		t.Error(users, err)
	}
}

// TestAnIdentityStoreTakesARole, and one that changes; a free value is looked up by listing, since
// the store finds people by few attributes.
func TestAnIdentityStoreTakesARole(t *testing.T) {
	t.Parallel()
	x, m := newStore(t), newMemory()
	holder := centertest.Person("somebody@example.com")
	holder.NickName = "A"
	if _, err := x.center.CreateUser(context.Background(), centertest.Actor, holder); err != nil {
		t.Fatal(err)
	}
	c := withRoles{&company{users: []entry{user("ada")}}, map[string][]mapping.Role{}}
	s := identitystore.Mappings(mapping.Default("rule"))
	s.Of("User").Attributes = append(s.Of("User").Attributes,
		mapping.Attribute{Target: "roles", Expression: "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])"},
		mapping.Attribute{Target: "nickName", Expression: `SelectUniqueValue("a", "b")`, OnlyOnce: true})
	ready, err := provisioning.Compile(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, next := range [][]mapping.Role{{admin}, {reader}, nil, {auditR}} {
		c.roles["ada"] = next
		for _, dry := range []bool{true, false} {
			result, err := x.sync(t, c, m, func(e *provisioning.Engine) {
				e.Target, e.Mappings = x.store, ready
				e.DryRun = dry
			})
			if err != nil || result.Failed > 0 {
				t.Fatalf("%+v, %v", result, err)
			}
		}
		users, err := x.center.Users(context.Background(), center.UserQuery{})
		if err != nil {
			t.Fatal(err)
		}
		u := users[slices.IndexFunc(users, func(u center.User) bool { return u.UserName == "ada@example.com" })]
		want := ""
		for _, r := range next {
			want = r.Value
		}
		have := ""
		for _, r := range u.Roles {
			have = r.Value
		}
		if have != want || u.NickName != "b" {
			t.Errorf("%q, want %q; %+v", have, want, u)
		}
	}
}
