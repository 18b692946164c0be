package mirror_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/mirror"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// pages answers delta queries with what a test says. The command's tests go against the real door
// of a tenant; here is what that one does not say, and what none should.
type pages struct {
	t      *testing.T
	mirror *mirror.Mirror
	answer map[string]string // by path and query; HOST stands for the server
	asked  []string
	pulled mirror.Pulled
}

func newPages(t *testing.T) *pages {
	t.Helper()
	p := &pages{t: t}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.URL.Path + "?" + r.URL.RawQuery
		if strings.Contains(key, "$select") {
			key = r.URL.Path
		}
		p.asked = append(p.asked, key)
		body, ok := p.answer[key]
		if path := strings.Split(r.URL.Path, "/"); !ok && len(path) == 3 && path[2] != "delta" {
			body, ok = nobody, true
		}
		if status, text, found := strings.Cut(body, " "); found && len(status) == 3 {
			code := 0
			_, _ = fmt.Sscan(status, &code)
			w.WriteHeader(code)
			body = text
		}
		if !ok {
			body = `{"value":[],"@odata.deltaLink":"HOST` + r.URL.Path + `?idle"}`
		}
		_, _ = w.Write([]byte(strings.ReplaceAll(body, "HOST", "http://"+r.Host)))
	}))
	t.Cleanup(server.Close)
	db, err := store.Open(context.Background(), filepath.Join(t.TempDir(), "tenant.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	p.mirror = &mirror.Mirror{
		Tenant: tenanttest.On(t, db),
		Graph:  &graph.Client{BaseURL: server.URL, HTTP: server.Client()},
	}
	return p
}

// pull answers with pages, and returns what is there afterwards: names with a star for those who
// may sign in, managers, and groups with their members.
func (p *pages) pull(answer map[string]string) (state string, err error) {
	p.t.Helper()
	ctx := context.Background()
	p.answer, p.asked = answer, nil
	p.pulled, err = p.mirror.Pull(ctx)
	tn := p.mirror.Tenant
	users, e1 := tn.Users(ctx, tenant.Query{})
	groups, e2 := tn.Groups(ctx, tenant.Query{})
	if e1 != nil || e2 != nil {
		p.t.Fatal(e1, e2)
	}
	var lines []string
	for _, u := range users {
		line := string(u.ID) + "=" + u.UserPrincipalName
		if u.Enabled {
			line += "*"
		}
		if u.JobTitle+string(u.ManagerID)+u.Extensions[0]+u.BusinessPhone != "" {
			line += fmt.Sprintf("(%s,%s,%s,%s)", u.JobTitle, u.ManagerID, u.Extensions[0], u.BusinessPhone)
		}
		lines = append(lines, line)
	}
	for _, g := range groups {
		members, err := tn.Members(ctx, g.ID)
		if err != nil {
			p.t.Fatal(err)
		}
		line := string(g.ID+"=") + g.DisplayName + ":"
		for _, m := range members {
			line += string(m.MemberID)
		}
		lines = append(lines, line)
	}
	sort.Strings(lines)
	return strings.Join(lines, " "), err
}

func (p *pages) want(answer map[string]string, want string) {
	p.t.Helper()
	if got, err := p.pull(answer); err != nil || got != want {
		p.t.Errorf("have %s, %v\nwant %s", got, err, want)
	}
}

const nobody = `404 {"error":{"code":"Request_ResourceNotFound","message":"no such object"}}`

const first, firstGroups = "/users/delta", "/groups/delta"

var beginning = map[string]string{
	first: `{"value":[{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true,
		"jobTitle":"Dr","manager@delta":[{"id":"b"}],"onPremisesExtensionAttributes":{"extensionAttribute1":"e"},
		"businessPhones":["1"]}],"@odata.nextLink":"HOST/users/delta?p2"}`,
	"/users/delta?p2": `{"value":[{"id":"b","userPrincipalName":"bob@x","displayName":"Bob","accountEnabled":true},
		{"id":"c","userPrincipalName":"cy@x","displayName":"Cy","accountEnabled":false}],
		"@odata.deltaLink":"HOST/users/delta?d1"}`,
	firstGroups: `{"value":[{"id":"g","displayName":"G","securityEnabled":true,
		"members@delta":[{"@odata.type":"#microsoft.graph.user","id":"a"},{"@odata.type":"#microsoft.graph.device",
		"id":"d"}]},
		{"id":"g","displayName":"G","securityEnabled":true,"members@delta":[{"@odata.type":"#microsoft.graph.group",
		"id":"h"}]},{"id":"h","displayName":"H","securityEnabled":true}],"@odata.deltaLink":"HOST/groups/delta?d1"}`,
}

const began = "a=ada@x*(Dr,b,e,1) b=bob@x* c=cy@x g=G:ah h=H:"

func TestDeltasAreMerged(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	ctx := context.Background()
	last, err := p.mirror.Tenant.LastChange(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// The same once more, in another order and twice, is no change.
	p.want(
		map[string]string{
			"/users/delta?d1":  strings.Replace(beginning[first], "nextLink", "deltaLink", 1),
			"/groups/delta?d1": beginning[firstGroups],
		},
		began,
	)
	if now, err := p.mirror.Tenant.LastChange(ctx); err != nil || now != last {
		t.Errorf("a page that comes twice is %d changes, %v", now-last, err)
	}
	p.want(map[string]string{
		// Two names change hands, in the order in which that is hardest; only what has changed
		// comes; who can be restored stays, disabled.
		"/users/delta?p2": `{"value":[{"id":"b","userPrincipalName":"ada@x"},{"id":"a","userPrincipalName":"bob@x",
			"jobTitle":null,"businessPhones":[],"manager@delta":[{"id":"b","@removed":{"reason":"changed"}}]},
			{"id":"c","@removed":{"reason":"changed"}}],"@odata.deltaLink":"HOST/users/delta?d2"}`,
		"/groups/delta?d1": `{"value":[{"id":"g","members@delta":[{"@odata.type":"#microsoft.graph.user","id":"a",
			"@removed":{"reason":"deleted"}},{"@odata.type":"#microsoft.graph.user","id":"b"}]},{"id":"h",
			"@removed":{"reason":"changed"}}],"@odata.deltaLink":"HOST/groups/delta?d2"}`,
	}, "a=bob@x*(,,e,) b=ada@x* c=cy@x g=G:b")
	p.want(
		map[string]string{
			"/users/delta?d2": `{"value":[{"id":"c","@removed":{"reason":"deleted"}},{"id":"b",
				"@removed":{"reason":"deleted"}},{"id":"z","@removed":{"reason":"changed"}}],
				"@odata.deltaLink":"HOST/users/delta?d3"}`,
		},
		"a=bob@x*(,,e,) g=G:",
	)
}

// TestANameOfSomebodyDeletedGoesToWhoeverHasItNow, in whatever order they come: the joiner has it,
// and the leaver, who stands in the way at a target, is gone.
func TestANameOfSomebodyDeletedGoesToWhoeverHasItNow(t *testing.T) {
	t.Parallel()
	joiner := `{"id":"z","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true}`
	leaver := `{"id":"a","@removed":{"reason":"changed"}}`
	other := `{"id":"b","jobTitle":"Dr"}`
	for name, deltas := range map[string][]string{
		"the joiner first":               {joiner + "," + leaver},
		"the leaver first":               {leaver + "," + joiner},
		"the leaver in a pull before":    {leaver, joiner + "," + leaver},
		"the joiner on a page before":    {joiner, leaver},
		"and the leaver's once more":     {leaver, joiner, leaver},
		"with somebody who only studies": {other + "," + joiner + "," + leaver},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			p.want(beginning, began)
			at := "/users/delta?p2"
			p.want(map[string]string{"/users/delta?d1": `{"value":[],"@odata.deltaLink":"HOST` + at + `"}`}, began)
			want := "b=bob@x* c=cy@x g=G:h h=H: z=ada@x*"
			if strings.Contains(deltas[0], "Dr") {
				want = strings.Replace(want, "bob@x*", "bob@x*(Dr,,,)", 1)
			}
			for i, delta := range deltas {
				next := fmt.Sprint("/users/delta?n", i)
				page := `{"value":[` + delta + `],"@odata.deltaLink":"HOST` + next + `"}`
				state, err := p.pull(map[string]string{at: page})
				if err != nil {
					t.Fatal(err)
				}
				if at = next; i == len(deltas)-1 && state != want {
					t.Errorf("have %s\nwant %s", state, want)
				}
			}
		})
	}
}

// TestWhoHasLostTheirNameIsReadAgain, once: a state of an earlier release gave the joiner's name to
// somebody who was deleted, who is gone then.
func TestWhoHasLostTheirNameIsReadAgain(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	err := p.mirror.Tenant.Replicate(context.Background(), audit.SystemActor, tenant.Replica{Users: []tenant.User{
		{ID: "z", UserPrincipalName: "z" + tenant.NameTaken, DisplayName: "Zoe", Enabled: true},
		{ID: "c", UserPrincipalName: "cy@x", DisplayName: "Cy"},
	}}, tenant.Note{})
	if err != nil {
		t.Fatal(err)
	}
	p.mirror = &mirror.Mirror{Tenant: p.mirror.Tenant, Graph: p.mirror.Graph} // of the next start
	answer := map[string]string{
		"/users/z": `{"id":"z","userPrincipalName":"cy@x","displayName":"Zoe","accountEnabled":true}`,
		"/users/c": `404 {"error":{"code":"Request_ResourceNotFound","message":"no such user"}}`,
	}
	healed := strings.Replace(began, "c=cy@x ", "", 1) + " z=cy@x*"
	p.want(answer, healed)
	if p.want(answer, healed); len(p.asked) != 2 {
		t.Errorf("they are read again and again: %v", p.asked)
	}
}

// TestWhoLosesTheirNameLaterIsReadAgain: an answer that was older than what was known gave the name
// of somebody to another, and no delta tells it again. A process that runs on reads it.
func TestWhoLosesTheirNameLaterIsReadAgain(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	at := time.Now()
	p.mirror.Tenant.Now = func() time.Time { return at }
	p.want(nil, began)
	err := p.mirror.Tenant.Replicate(t.Context(), audit.SystemActor, tenant.Replica{Users: []tenant.User{
		{ID: "c", UserPrincipalName: "bob@x", DisplayName: "Cy"},
	}}, tenant.Note{})
	if err != nil {
		t.Fatal(err)
	}
	answer := map[string]string{
		"/users/b": `{"id":"b","userPrincipalName":"bob@x","displayName":"Bob","accountEnabled":true}`,
		"/users/c": `{"id":"c","userPrincipalName":"cy@x","displayName":"Cy","accountEnabled":false}`,
	}
	p.want(answer, "a=ada@x*(Dr,b,e,1) b=b@renamed.invalid* c=bob@x g=G:ah h=H:")
	at = at.Add(time.Hour)
	p.want(answer, began)
}

// TestOnlyWhatHasComeIsChanged: somebody of whom a title comes does not take a name back that the
// same page gives to another, and whose new name comes later.
func TestOnlyWhatHasComeIsChanged(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	p.want(map[string]string{
		"/users/delta?d1": `{"value":[{"id":"b","userPrincipalName":"ada@x"},{"id":"a","jobTitle":"Prof"}],
			"@odata.nextLink":"HOST/users/delta?p9"}`,
		"/users/delta?p9": `{"value":[{"id":"a","userPrincipalName":"ada.l@x"}],
			"@odata.deltaLink":"HOST/users/delta?d9"}`,
	}, "a=ada.l@x*(Prof,b,e,1) b=ada@x* c=cy@x g=G:ah h=H:")
}

// TestAContradictionIsLookedAtAgain: it was said of somebody that they were deleted and that they
// are there, in this order or the other, and who asks for them hears something else than what was
// said last. Nobody gets access because of that, and two minutes later whoever is there has it.
func TestAContradictionIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	here := `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true,"jobTitle":"Dr"}`
	removed := `{"id":"a","@removed":{"reason":"changed"}}`
	without := strings.Replace(began, "ada@x*", "ada@x", 1)
	for name, c := range map[string]struct {
		delta, now, then string
		state            string
	}{
		"deleted at last, and restored": {here + "," + removed, here, here, began},
		"deleted at last":               {here + "," + removed, here, nobody, without},
		"there at last, and restored":   {removed + "," + here, nobody, here, began},
		"there at last":                 {removed + "," + here, nobody, nobody, without},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			p.want(beginning, began)
			p.want(map[string]string{
				"/users/delta?d1": `{"value":[` + c.delta + `],"@odata.deltaLink":"HOST/users/delta?d2"}`,
				"/users/a":        c.now,
			}, without)
			p.want(map[string]string{"/users/a": c.then}, without)
			at := time.Now().Add(2 * time.Minute)
			p.mirror.Tenant.Now = func() time.Time { return at }
			p.want(map[string]string{"/users/a": c.then}, c.state)
			p.want(map[string]string{"/users/a": nobody}, c.state)
		})
	}
}

// TestSomebodyUnknownIsAskedFor: only what has changed comes of somebody who is not here. All of
// them is read; and who is not there is nobody.
func TestSomebodyUnknownIsAskedFor(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	p.want(map[string]string{
		"/users/delta?d1": `{"value":[{"id":"y","jobTitle":"Dr"},{"id":"z","jobTitle":"Dr"}],
			"@odata.deltaLink":"HOST/users/delta?d2"}`,
		"/users/y": `{"id":"y","userPrincipalName":"yan@x","displayName":"Yan","accountEnabled":true}`,
		"/users/z": `404 {"error":{"code":"Request_ResourceNotFound","message":"no such user"}}`,
	}, began+" y=yan@x*(Dr,,,)")
}

func TestALostDeltaIsReadFromTheBeginning(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	gone := `410 {"error":{"code":"syncStateNotFound","message":"full synchronization is required"}}`
	p.want(map[string]string{
		"/users/delta?d1": gone, "/groups/delta?d1": gone,
		first: `{"value":[{"id":"a","userPrincipalName":"ada@x","accountEnabled":true}],
			"@odata.deltaLink":"HOST/users/delta?d2"}`,
		firstGroups: `{"value":[{"id":"g","displayName":"G","members@delta":[{"@odata.type":"#microsoft.graph.user",
			"id":"a"}]}],"@odata.deltaLink":"HOST/groups/delta?d2"}`,
	}, "a=ada@x* g=G:a") // who and what does not come again has gone
}

// mortal is a store that fails from one of its changes on.
type mortal struct {
	tenant.Store

	lives int
}

var errDead = errors.New("dead")

func (m *mortal) Update(ctx context.Context, fn func(tenant.Tx) error) error {
	if m.lives--; m.lives < 0 {
		return errDead
	}
	return m.Store.Update(ctx, fn)
}

// TestAPullThatDiesIsRepeated: the process dies at each of the changes of a pull, in which all was
// to be read again, or has come in several pages. The next one is as good as if it had not; and the
// directory is said to be whole as long as nothing of it was kept, and when what belongs to it is.
func TestAPullThatDiesIsRepeated(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	gone := `410 {"error":{"code":"syncStateNotFound"}}`
	for name, c := range map[string]struct {
		answer map[string]string
		want   string
	}{
		"all is read again": {map[string]string{
			"/users/delta?d1": gone, "/groups/delta?d1": gone,
			first: `{"value":[{"id":"a","userPrincipalName":"ada@x","accountEnabled":true}],
				"@odata.deltaLink":"HOST/users/delta?d2"}`,
			firstGroups: `{"value":[{"id":"g","displayName":"G"}],"@odata.nextLink":"HOST/groups/delta?p2"}`,
			"/groups/delta?p2": `{"value":[{"id":"g","members@delta":[{"@odata.type":"#microsoft.graph.user",
				"id":"a"}]}],"@odata.deltaLink":"HOST/groups/delta?d2"}`,
		}, "a=ada@x* g=G:a"},
		"several pages": {map[string]string{
			"/users/delta?d1": `{"value":[{"id":"b","userPrincipalName":"ada@x"}],
				"@odata.nextLink":"HOST/users/delta?p9"}`,
			"/users/delta?p9": `{"value":[{"id":"a","userPrincipalName":"ada.l@x"}],
				"@odata.deltaLink":"HOST/users/delta?d9"}`,
			"/groups/delta?d1": `{"value":[{"id":"h","@removed":{"reason":"deleted"}}],
				"@odata.deltaLink":"HOST/groups/delta?d9"}`,
		}, "a=ada.l@x*(Dr,b,e,1) b=ada@x* c=cy@x g=G:a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for lives := 0; ; lives++ {
				p := newPages(t)
				p.want(beginning, began)
				p.whole(t)
				m := &mortal{p.mirror.Tenant.Store, lives}
				p.mirror.Tenant.Store = m
				state, err := p.pull(c.answer)
				m.lives = 1000
				whole, unread := p.mirror.Whole(ctx)
				wrong := (whole && (state != began || err == nil)) || (lives == 0 && !whole)
				if unread != nil || wrong {
					t.Errorf("after %d changes whole: %v, %v; %s", lives, whole, unread, state)
				}
				p.want(c.answer, c.want)
				p.whole(t)
				if err == nil {
					return
				}
			}
		})
	}
}

// whole notes that what belongs to the directory was kept, too.
func (p *pages) whole(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	note, err := p.mirror.WholeNote(ctx)
	if err == nil {
		err = p.mirror.Tenant.SetNote(ctx, note)
	}
	if whole, unread := p.mirror.Whole(ctx); err != nil || unread != nil || !whole {
		t.Errorf("it is not whole: %v, %v", err, unread)
	}
}

// TestWhatIsWholeStaysSoUntilSomethingComes: the links alone do not say it. Some sources give
// another one each time, and one that gives the same with something new is not to be relied upon.
func TestWhatIsWholeStaysSoUntilSomethingComes(t *testing.T) {
	t.Parallel()
	idle := func(kind, link string) string {
		return `{"value":[],"@odata.deltaLink":"HOST/` + kind + `/delta?` + link + `"}`
	}
	renamed := `{"value":[{"id":"b","userPrincipalName":"rob@x"}],"@odata.deltaLink":"HOST/users/delta?d1"}`
	refused := `403 {"error":{"code":"Authorization_RequestDenied"}}`
	for name, c := range map[string]struct {
		users, groups string
		whole         bool
	}{
		"nothing":                              {idle("users", "d1"), idle("groups", "d1"), true},
		"nothing, with other links":            {idle("users", "d2"), idle("groups", "d2"), true},
		"nothing, and then a refusal":          {idle("users", "d2"), refused, true},
		"a refusal":                            {refused, refused, true},
		"a change, with the link of before":    {renamed, idle("groups", "d1"), false},
		"a change, and then a refusal":         {renamed, refused, false},
		"a change, and then with another link": {renamed, idle("groups", "d2"), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			if whole, err := p.mirror.Whole(t.Context()); err != nil || whole {
				t.Errorf("what was never read is whole: %v, %v", whole, err)
			}
			p.want(beginning, began)
			p.whole(t)
			_, _ = p.pull(map[string]string{"/users/delta?d1": c.users, "/groups/delta?d1": c.groups})
			if whole, err := p.mirror.Whole(t.Context()); err != nil || whole != c.whole {
				t.Errorf("whole: %v, %v", whole, err)
			}
		})
	}
}

func TestWhatIsNotADirectory(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ body, want string }{
		"another host": {`{"value":[],"@odata.nextLink":"https://evil.example/users/delta?x"}`, "not sent elsewhere"},
		"no link":      {`{"value":[]}`, "not sent elsewhere"},
		"no id":        {`{"value":[{"displayName":"x"}],"@odata.deltaLink":"HOST/users/delta?d"}`, "without an id"},
		"no name":      {`{"value":[{"id":"x"}],"@odata.deltaLink":"HOST/users/delta?d"}`, "no userPrincipalName"},
		"garbage":      {`<html>`, "not the JSON"},
		"half a body":  {`{"value":[{"id":`, "not the JSON"},
		"a refusal": {
			`403 {"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}}`,
			"Insufficient privileges",
		},
		"an id that is a list": {
			`{"value":[{"id":[]},{"id":[]}],"@odata.deltaLink":"HOST/users/delta?d"}`, "without an id",
		},
		"a list of texts":   {`{"value":["x"],"@odata.deltaLink":"HOST/users/delta?d"}`, "not the JSON"},
		"pages in a circle": {`{"value":[],"@odata.nextLink":"HOST/users/delta?p2"}`, "does not end"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			answer := map[string]string{first: c.body}
			if name == "pages in a circle" {
				answer["/users/delta?p2"] = c.body
			}
			if state, err := p.pull(answer); err == nil || !strings.Contains(err.Error(), c.want) || state != "" {
				t.Errorf("%v, %q; want %q", err, state, c.want)
			}
		})
	}
}

func TestAssignmentsAreReplicated(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	ctx := context.Background()
	tn := p.mirror.Tenant
	app, err := tn.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "x")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ there, want string }{{
		`[{"principalId":"a","principalType":"User"},{"principalId":"g","principalType":"Group"},{"principalId":"a",
			"principalType":"User"},{"principalId":"s","principalType":"ServicePrincipal"},{"principalId":"unknown"}]`,
		"a g",
	},
		{`[{"principalId":"h"}]`, "h"}, {`[]`, ""}} {
		p.answer = map[string]string{"/servicePrincipals/sp/appRoleAssignedTo?$top=999": `{"value":` + c.there + `}`}
		all, err := p.mirror.Assignments(ctx, "sp", false)
		if err != nil {
			t.Fatal(err)
		}
		if err := tn.SetAssigned(ctx, audit.SystemActor, app.ServicePrincipalID, all.Holders, nil); err != nil {
			t.Fatal(err)
		}
		list, err := tn.Assignments(ctx, tenant.AssignmentQuery{ServicePrincipalID: app.ServicePrincipalID})
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, a := range list {
			ids = append(ids, string(a.PrincipalID))
		}
		sort.Strings(ids)
		if diff := cmp.Diff(c.want, strings.Join(ids, " ")); diff != "" {
			t.Error(diff)
		}
	}
}
