package doctor

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// heaviest is what somebody on both sides may take in memory, with ten memberships on each.
const heaviest = 1600

// TestWhatAPersonTakesInMemory holds what doctor keeps of a large organization at its peak, while
// it judges: facts of both sides and what follows from them.
func TestWhatAPersonTakesInMemory(t *testing.T) {
	const people, groups, each = 20_000, 2_000, 100
	held := func() uint64 {
		runtime.GC()
		runtime.GC() // the first one's finalizers hold some
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	uuid := func(kind, i int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", kind, i) }
	e, a := &Entra{Members: &Roster{}}, &AWS{Region: "eu-west-1", Memberships: &Roster{}}
	on, now := true, time.Now()
	for i := range people {
		upn := fmt.Sprintf("first.last%d@harbor.example", i)
		e.Users = append(e.Users, Pack(graph.User{
			ID: e.Members.One(uuid(1, i)), AccountEnabled: &on, UserPrincipalName: upn, Mail: upn,
			DisplayName: fmt.Sprint("First Last ", i), GivenName: "First", Surname: fmt.Sprint("Last ", i),
			MailNickname: fmt.Sprint("first.last", i), JobTitle: "Engineer", Department: "Platform",
			CompanyName: "Harbor", City: "Porto", Country: "Portugal", UserType: "Member",
		}))
		at := now.Add(time.Duration(i))
		a.Users = append(a.Users, User{
			UserID: a.Memberships.One(uuid(2, i)), UserName: e.Users[i].UserPrincipalName,
			DisplayName: e.Users[i].DisplayName, Emails: []Email{{Value: e.Users[i].Mail}}, UserStatus: "ENABLED",
			ExternalIDs: []ExternalID{{Issuer: "https://scim.aws.com/t", ID: e.Users[i].ID}}, CreatedBy: "SCIM",
			CreatedAt: &at,
		})
	}
	for g := range groups {
		circle, group := uuid(3, g), uuid(4, g)
		e.Groups = append(e.Groups, graph.Group{ID: circle, DisplayName: fmt.Sprint("Group ", g)})
		a.Groups = append(a.Groups, Group{
			GroupID: group, DisplayName: fmt.Sprint("Group ", g), ExternalIDs: []ExternalID{{ID: circle}},
		})
		for k := range each {
			i := (g*people/groups + k) % people
			e.Members.Add(circle, uuid(1, i))
			a.Memberships.Add(group, uuid(2, i))
		}
	}
	facts := Facts{Now: now, Entra: e, AWS: a}
	l := newLook(facts, About{})
	took := int(held()-before) / people
	if n := len(l.people); n != people || l.people[0].aws == nil {
		t.Fatalf("%d people, the first of them is %v", n, l.people[0].aws)
	}
	if took > heaviest {
		t.Errorf("a person takes %d bytes, more than %d", took, heaviest)
	}
	t.Logf("a person with ten memberships on both sides takes %d bytes", took)
	runtime.KeepAlive(l)
}
