package mirror_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestWhoComesBackIsInTheirGroups: somebody was deleted and is back, which is told on one page, or
// by a reading of all users while groups tell only what has changed. Nobody tells their groups and
// their manager again, so both are asked for, once.
func TestWhoComesBackIsInTheirGroups(t *testing.T) {
	t.Parallel()
	ada := `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true,"jobTitle":"Dr"}`
	gone := `{"id":"a","@removed":{"reason":"deleted"}}`
	lost := `410 {"error":{"code":"resyncRequired"}}`
	page := func(objects, link string) string {
		return `{"value":[` + objects + `],"@odata.` + link + `"}`
	}
	others := `{"id":"b","userPrincipalName":"bob@x","displayName":"Bob","accountEnabled":true},
		{"id":"c","userPrincipalName":"cy@x","displayName":"Cy","accountEnabled":false}`
	told := map[string]string{
		"/users/a/memberOf": `{"value":[{"@odata.type":"#microsoft.graph.group","id":"g"}]}`,
		"/users/a/manager":  `{"id":"c"}`,
	}
	without := strings.NewReplacer("a=ada@x*(Dr,b,e,1) ", "", "G:ah", "G:h").Replace(began)
	for name, c := range map[string]struct {
		first, second map[string]string
		between       string
	}{
		"on one page": {
			map[string]string{"/users/delta?d1": page("", `deltaLink":"HOST/users/delta?d2`)},
			map[string]string{
				"/users/delta?d2": page(gone+","+ada, `deltaLink":"HOST/users/delta?d3`), "/users/a": ada,
			},
			began,
		},
		"on two pages": {
			map[string]string{"/users/delta?d1": page("", `deltaLink":"HOST/users/delta?d2`)},
			map[string]string{
				"/users/delta?d2": page(gone, `nextLink":"HOST/users/delta?p9`),
				"/users/delta?p9": page(ada, `deltaLink":"HOST/users/delta?d3`), "/users/a": ada,
			},
			began,
		},
		"in two pulls": {
			map[string]string{"/users/delta?d1": page(gone, `deltaLink":"HOST/users/delta?d2`)},
			map[string]string{"/users/delta?d2": page(ada, `deltaLink":"HOST/users/delta?d3`)},
			without,
		},
		"deleted in a delta, and back when all is read": {
			map[string]string{"/users/delta?d1": page(gone, `deltaLink":"HOST/users/delta?d2`)},
			map[string]string{
				"/users/delta?d2": lost, first: page(ada+","+others, `deltaLink":"HOST/users/delta?d3`),
			},
			without,
		},
		"deleted when all is read, and back in a delta": {
			map[string]string{
				"/users/delta?d1": lost, first: page(others, `deltaLink":"HOST/users/delta?d2`),
				"/directory/deletedItems/microsoft.graph.user": `{"value":[]}`,
			},
			map[string]string{"/users/delta?d2": page(ada, `deltaLink":"HOST/users/delta?d3`)},
			without,
		},
		"both when all is read": {
			map[string]string{"/users/delta?d1": lost, first: page(others, `deltaLink":"HOST/users/delta?d2`)},
			map[string]string{
				"/users/delta?d2": lost, first: page(ada+","+others, `deltaLink":"HOST/users/delta?d3`),
			},
			without,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			p.want(beginning, began)
			p.want(c.first, c.between)
			maps.Copy(c.second, told)
			back := strings.Replace(without, "b=bob", "a=ada@x*(Dr,c,,) b=bob", 1)
			back = strings.Replace(back, "G:h", "G:ah", 1)
			p.want(c.second, back)
			retired := map[string]string{"/users/delta?d3": page(`{"id":"a","jobTitle":"Prof"}`,
				`deltaLink":"HOST/users/delta?d4`)}
			maps.Copy(retired, told)
			p.want(retired, strings.Replace(back, "(Dr", "(Prof", 1))
			for _, asked := range p.asked {
				if strings.HasPrefix(asked, "/users/a/") {
					t.Errorf("asked for %s once more", asked)
				}
			}
		})
	}
}

// TestAGroupThatIsRestoredIsInItsGroups: a group was in another one, and was deleted. When it is
// back, the other one tells nothing.
func TestAGroupThatIsRestoredIsInItsGroups(t *testing.T) {
	t.Parallel()
	h := `{"id":"h","displayName":"H","securityEnabled":true}`
	gone := `{"id":"h","@removed":{"reason":"changed"}}`
	for name, deltas := range map[string][]string{
		"on one page": {"", gone + "," + h}, "in two pulls": {gone, h},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPages(t)
			p.want(beginning, began)
			want := strings.NewReplacer("G:ah h=H:", "G:a").Replace(began)
			if deltas[0] == "" {
				want = began
			}
			p.want(map[string]string{
				"/groups/delta?d1": `{"value":[` + deltas[0] + `],"@odata.deltaLink":"HOST/groups/delta?d2"}`,
			}, want)
			p.want(map[string]string{
				"/groups/delta?d2":  `{"value":[` + deltas[1] + `],"@odata.deltaLink":"HOST/groups/delta?d3"}`,
				"/groups/h":         h,
				"/groups/h/members": `{"value":[{"@odata.type":"#microsoft.graph.user","id":"b"}]}`,
				"/groups/h/memberOf": `{"value":[{"@odata.type":"#microsoft.graph.group","id":"g"},
					{"@odata.type":"#microsoft.graph.directoryRole","id":"r"}]}`,
			}, strings.Replace(began, "H:", "H:b", 1))
		})
	}
}

// TestAProcessThatDiesLosesNoMember: a group is restored that has more members than share a
// transaction, and so is somebody; the process dies at each of the changes. The next one has all.
func TestAProcessThatDiesLosesNoMember(t *testing.T) {
	t.Parallel()
	var members []string
	for i := range 2100 {
		members = append(members, fmt.Sprintf(`{"@odata.type":"#microsoft.graph.user","id":"m%d"}`, i))
	}
	ada := `{"id":"a","userPrincipalName":"ada@x","displayName":"Ada","accountEnabled":true,"jobTitle":"Dr"}`
	answer := map[string]string{
		"/users/delta?d2":    `{"value":[` + ada + `],"@odata.deltaLink":"HOST/users/delta?d3"}`,
		"/users/a":           ada,
		"/users/a/memberOf":  `{"value":[{"@odata.type":"#microsoft.graph.group","id":"g"}]}`,
		"/groups/delta?d2":   `{"value":[{"id":"h","displayName":"H"}],"@odata.deltaLink":"HOST/groups/delta?d3"}`,
		"/groups/h/members":  `{"value":[` + strings.Join(members, ",") + `]}`,
		"/groups/h/memberOf": `{"value":[{"@odata.type":"#microsoft.graph.group","id":"g"}]}`,
	}
	for lives := 0; ; lives++ {
		p := newPages(t)
		p.want(beginning, began)
		p.want(map[string]string{
			"/users/delta?d1": `{"value":[{"id":"a","@removed":{"reason":"changed"}}],
				"@odata.deltaLink":"HOST/users/delta?d2"}`,
			"/groups/delta?d1": `{"value":[{"id":"h","@removed":{"reason":"changed"}},{"id":"g","members@delta":[
				{"@odata.type":"#microsoft.graph.user","id":"a","@removed":{"reason":"deleted"}}]}],
				"@odata.deltaLink":"HOST/groups/delta?d2"}`,
		}, "a=ada@x(Dr,b,e,1) b=bob@x* c=cy@x g=G:")
		m := &mortal{p.mirror.Tenant.Store, lives}
		p.mirror.Tenant.Store = m
		_, died := p.pull(answer)
		m.lives = 1000
		state, err := p.pull(answer)
		if in := strings.Count(state, "m"); err != nil || in != len(members) || !strings.Contains(state, "g=G:ah") {
			t.Errorf("after %d changes, %d members; %v", lives, in, err)
		}
		if died == nil {
			return
		}
	}
}

// TestAGroupThatIsGoneLeavesNoMember: the process dies between two of the changes by which a new
// group with many members is kept, and the group is gone when the next one reads.
func TestAGroupThatIsGoneLeavesNoMember(t *testing.T) {
	t.Parallel()
	var members []string
	for i := range 1100 {
		members = append(members, fmt.Sprintf(`{"@odata.type":"#microsoft.graph.user","id":"m%d"}`, i))
	}
	told := func(what string) map[string]string {
		return map[string]string{
			"/users/delta?d1":  `{"value":[],"@odata.deltaLink":"HOST/users/delta?d1"}`,
			"/groups/delta?d1": `{"value":[{"id":"i",` + what + `}],"@odata.deltaLink":"HOST/groups/delta?d2"}`,
		}
	}
	p := newPages(t)
	p.want(beginning, began)
	m := &mortal{p.mirror.Tenant.Store, 2}
	p.mirror.Tenant.Store = m
	if _, err := p.pull(told(`"displayName":"I","members@delta":[` + strings.Join(members, ",") + `]`)); err == nil {
		t.Fatal("the process has not died")
	}
	left := func() (n int) {
		t.Helper()
		if err := m.View(t.Context(), func(r tenant.Reader) error {
			list, err := r.Members("i")
			n = len(list)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if left() == 0 {
		t.Fatal("it has died before it kept a member")
	}
	m.lives = 1000
	p.want(told(`"@removed":{"reason":"deleted"}`), began)
	if n := left(); n > 0 {
		t.Errorf("%d members are left of a group that is gone", n)
	}
}
