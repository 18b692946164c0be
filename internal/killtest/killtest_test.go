package killtest

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/scim"
)

func TestWhatIsLost(t *testing.T) {
	t.Parallel()
	cut := errors.New("no answer")
	for _, x := range []struct {
		name string
		sent map[string]error
		is   string
		lost bool
	}{
		{"acknowledged and there", map[string]error{"b": nil}, "b", false},
		{"acknowledged and not there", map[string]error{"b": nil}, "a", true},
		{"not answered and there", map[string]error{"b": cut}, "b", false},
		{"not answered and not there", map[string]error{"b": cut}, "a", false},
		{"not answered, and something else there", map[string]error{"b": cut}, "c", true},
	} {
		v := value{known: "a"}
		for to, err := range x.sent {
			v.change(to, err)
		}
		if lost := v.settle(x.is); lost != x.lost {
			t.Errorf("%s: lost is %v", x.name, lost)
		}
		if v.settle(x.is) {
			t.Errorf("%s: it counts twice", x.name)
		}
	}
}

func TestWhatIsMissed(t *testing.T) {
	t.Parallel()
	if err := (Figures{Worst: Refused, Settled: Quiet}).Missed(); err != nil {
		t.Error(err)
	}
	for want, f := range map[string]Figures{
		"lost":    {Lost: 1},
		"equal":   {Apart: 1},
		"refused": {Worst: Refused + time.Millisecond},
	} {
		if err := f.Missed(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}

func TestHowPeopleAndGroupsDiffer(t *testing.T) {
	t.Parallel()
	u := graph.User{ID: "u", UserPrincipalName: "ada@x", DisplayName: "Ada", JobTitle: "Engineer"}
	c := scim.Resource{"id": "c", "userName": "ada@x", "displayName": "Ada", "title": "Baker"}
	there, by := map[string]scim.Resource{"u": c}, map[string]string{"c": "u"}
	c["name"] = map[string]any{"familyName": "", "givenName": ""}
	if list := (directory{}).person(u, "", c, by); len(list) != 1 || !strings.Contains(list[0], "Baker") {
		t.Errorf("differences %q", list)
	}
	s := source{users: map[string]graph.User{"u": u}, members: map[string][]string{"g": {"u"}}}
	g := scim.Resource{}
	if list := s.membership("g", g, by, there); len(list) != 1 || !strings.Contains(list[0], "no member") {
		t.Errorf("differences %q", list)
	}
	g["members"] = []any{map[string]any{"value": "c"}}
	if list := s.membership("g", g, by, there); len(list) != 0 {
		t.Errorf("differences %q", list)
	}
	s.members = nil
	if list := s.membership("g", g, by, there); len(list) != 1 || !strings.Contains(list[0], "should not be") {
		t.Errorf("differences %q", list)
	}
}
