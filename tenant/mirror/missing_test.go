package mirror_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// many are so many objects of a kind that a reading which leaves them out is not believed, and one
// more. The first of them is in the group G, and so is the last.
const many = 1001

func manyOf(kind string) (r tenant.Replica) {
	for i := range many {
		id := fmt.Sprint("x", i)
		member := tenant.Mark{Kind: tenant.KindUser, ID: tenant.PrincipalID(id)}
		if kind == "users" {
			r.Users = append(r.Users, tenant.User{ID: tenant.UserID(id), UserPrincipalName: id, Enabled: true})
		} else {
			member.Kind = tenant.KindGroup
			r.Groups = append(r.Groups, tenant.Group{ID: tenant.GroupID(id), DisplayName: id})
		}
		if i == 0 || i == many-1 {
			r.Members = append(r.Members, tenant.Change{
				Mark: tenant.Mark{Kind: tenant.KindGroup, ID: "g"}, Member: member,
			})
		}
	}
	return r
}

const joiner = `{"id":"n","userPrincipalName":"new@x","displayName":"New","accountEnabled":true}`

// lostMany is a mirror after a reading of everything that has left out so many, and told of
// somebody new and of a change.
func lostMany(t *testing.T, kind string) *pages {
	t.Helper()
	p := newPages(t)
	p.want(beginning, began)
	if err := p.mirror.Tenant.Replicate(t.Context(), audit.SystemActor, manyOf(kind), tenant.Note{}); err != nil {
		t.Fatal(err)
	}
	lost := `410 {"error":{"code":"resyncRequired"}}`
	answer := maps.Clone(beginning)
	answer["/users/delta?d1"], answer["/groups/delta?d1"] = lost, lost
	answer["/users/delta?p2"] = strings.Replace(answer["/users/delta?p2"], `"value":[`, `"value":[`+joiner+",", 1)
	answer[firstGroups] = strings.Replace(answer[firstGroups], `"displayName":"H"`, `"displayName":"Hall"`, 1)
	state, err := p.pull(answer)
	if err != nil || !strings.Contains(state, "n=new@x* ") || !strings.Contains(state, "h=Hall") {
		t.Fatalf("the rest does not go on: %v", err)
	}
	p.heldAre(many)
	if !strings.Contains(state, "g=G:ahx0x1000") {
		t.Errorf("who is held has lost a membership")
	}
	return p
}

// heldAre tells when not so many are held, or somebody of them was asked for.
func (p *pages) heldAre(want int) {
	p.t.Helper()
	if held := p.pulled.Missing; len(held) != want {
		p.t.Errorf("%d are held, want %d", len(held), want)
	}
	for _, asked := range p.asked {
		if strings.Contains(asked, "s/x9") {
			p.t.Errorf("asked for %s", asked)
		}
	}
}

// TestMuchThatIsMissingIsHeld: a reading of everything leaves out much. That stays, in its groups
// too, and all else goes on. What a delta says of one of them is believed, and somebody who comes
// is read alone, since what they were meanwhile is told by no delta.
func TestMuchThatIsMissingIsHeld(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"users", "groups"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := lostMany(t, kind)
			object := `"id":"x1","userPrincipalName":"one@x","displayName":"One","accountEnabled":true`
			deltas := map[string]string{
				"/" + kind + "/delta?d1": `{"value":[{"id":"x0","@removed":{"reason":"deleted"}},{` + object +
					`}],"@odata.deltaLink":"HOST/` + kind + `/delta?d2"}`,
				"/" + kind + "/x1":  `{` + object + `}`,
				"/users/x1/manager": `{"id":"c"}`,
			}
			state, err := p.pull(deltas)
			if err != nil || strings.Contains(state, "x0=") || !strings.Contains(state, "g=G:ahx1000 ") {
				t.Errorf("who is told to be gone is not: %v", err)
			}
			want := map[string]string{"users": "x1=one@x*(,c,,) ", "groups": "x1=One: "}[kind]
			if !strings.Contains(state, want) {
				t.Errorf("who has come is not looked at")
			}
			p.heldAre(many - 2)
			if _, err = p.pull(nil); err != nil {
				t.Error(err)
			}
			p.heldAre(many - 2)
		})
	}
}

// TestWhoIsHeldIsGoneWhenSomebodySaysSo, if they are not there when they are asked for either. It
// holds for those of whom it was known, and for one pull.
func TestWhoIsHeldIsGoneWhenSomebodySaysSo(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"users", "groups"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := lostMany(t, kind)
			p.mirror.Release = true
			state, err := p.pull(map[string]string{
				"/" + kind + "/x1": `{"id":"x1","userPrincipalName":"one@x","displayName":"One","accountEnabled":true}`,
			})
			if err != nil || len(p.pulled.Missing) > 0 || strings.Count(state, "x")-strings.Count(state, "@x") != 1 ||
				!strings.Contains(state, "x1=") {
				t.Errorf("%d are held, %v", len(p.pulled.Missing), err)
			}
			if p.mirror.Release {
				t.Error("whoever is missing later is let go, too")
			}
		})
	}
}

// TestWhoIsHeldIsReadAgain: everything is read from time to time while somebody is held, and after
// longer and longer times. Who comes then is held no more; a deletion of one more is believed.
func TestWhoIsHeldIsReadAgain(t *testing.T) {
	t.Parallel()
	p := lostMany(t, "users")
	now := time.Now()
	p.mirror.Tenant.Now = func() time.Time { return now }
	again := func() bool { return slices.Contains(p.asked, first) }
	answer := maps.Clone(beginning)
	answer["/users/delta?p2"] = strings.Replace(answer["/users/delta?p2"], `"value":[`, `"value":[`+joiner+",", 1)
	for _, wait := range []time.Duration{2, 4, 8} {
		now = now.Add(wait*time.Minute - time.Second)
		if _, err := p.pull(answer); err != nil || again() {
			t.Errorf("all is read too early: %v", err)
		}
		now = now.Add(2 * time.Second)
		if _, err := p.pull(answer); err != nil || !again() {
			t.Errorf("all is not read again: %v", err)
		}
		p.heldAre(many)
	}
	bob := `{"id":"b","userPrincipalName":"bob@x","displayName":"Bob","accountEnabled":true},`
	without := maps.Clone(answer)
	without["/users/delta?p2"] = strings.Replace(answer["/users/delta?p2"], bob, "", 1)
	now = now.Add(time.Hour)
	if state, err := p.pull(without); err != nil || !strings.Contains(state, "b=bob@x*") {
		t.Errorf("one more is believed to be gone: %v", err)
	}
	p.heldAre(many + 1)
	now = now.Add(2 * time.Hour)
	var come []string
	for i := range many - 1 {
		come = append(come, fmt.Sprintf(`{"id":"x%d","userPrincipalName":"x%d","accountEnabled":true}`, i, i))
	}
	answer[first] = strings.Replace(answer[first], `"value":[`, `"value":[`+strings.Join(come, ",")+",", 1)
	answer["/users/delta?p2"] = `{"value":[` + bob + joiner + `],"@odata.deltaLink":"HOST/users/delta?d1"}`
	state, err := p.pull(answer)
	if err != nil || len(p.pulled.Missing) != 1 || strings.Contains(state, "c=cy") ||
		!strings.Contains(state, "x1000=x1000*") {
		t.Errorf("%v are held, %v", p.pulled.Missing, err)
	}
}

// TestWhoIsSaidToBeDeletedIsNotHeld: the Graph lists them among those that can be restored, however
// many they are.
func TestWhoIsSaidToBeDeletedIsNotHeld(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	if err := p.mirror.Tenant.Replicate(t.Context(), audit.SystemActor, manyOf("users"), tenant.Note{}); err != nil {
		t.Fatal(err)
	}
	var deleted []string
	for i := range many {
		deleted = append(deleted, fmt.Sprintf(`{"id":"x%d"}`, i))
	}
	answer := maps.Clone(beginning)
	answer["/users/delta?d1"] = `410 {"error":{"code":"resyncRequired"}}`
	answer["/directory/deletedItems/microsoft.graph.user"] = `{"value":[` + strings.Join(deleted, ",") + `]}`
	state, err := p.pull(answer)
	if err != nil || !strings.Contains(state, "x1000=x1000 ") && !strings.HasSuffix(state, "x1000=x1000") {
		t.Error(err)
	}
	p.heldAre(0)
}

// TestAGroupThatIsReadAloneIsAskedForItsMembersOnce.
func TestAGroupThatIsReadAloneIsAskedForItsMembersOnce(t *testing.T) {
	t.Parallel()
	p := newPages(t)
	p.want(beginning, began)
	p.answer, p.asked = map[string]string{
		"/groups/i":         `{"id":"i","displayName":"I","securityEnabled":true}`,
		"/groups/i/members": `{"value":[{"@odata.type":"#microsoft.graph.user","id":"b"}]}`,
	}, nil
	mark := tenant.Mark{Kind: tenant.KindGroup, ID: "i"}
	if here, err := p.mirror.Fetch(t.Context(), mark); err != nil || !here {
		t.Fatal(here, err)
	}
	slices.Sort(p.asked)
	if want := []string{"/groups/i", "/groups/i/memberOf", "/groups/i/members"}; !slices.Equal(p.asked, want) {
		t.Errorf("asked for %v, want %v", p.asked, want)
	}
	p.want(nil, began+" i=I:b")
}
