package connect

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

func TestWhatIsDescribed(t *testing.T) {
	t.Parallel()
	p := &Plan{Steps: []Step{{Title: "application", Detail: "made", Done: true}, {Title: "job"}}}
	for want, r := range map[string]*Result{
		`{"changes":1,"steps":[{"title":"application","detail":"made","done":true},` +
			`{"title":"job","detail":"","done":false}],"effects":null,"verified":false,"checks":[],"users":0,` +
			`"groups":0,"failures":[]}`: nil,
		`{"changes":1,"steps":[{"title":"application","detail":"made","done":true},` +
			`{"title":"job","detail":"","done":false}],"effects":null,"verified":true,"checks":["Counts"],"users":2,` +
			`"groups":1,"failures":[{"Name":"ada","Reason":"taken"}]}`: {
			Checks: []Check{{"Counts", "equal"}}, Users: 2, Groups: 1, Failures: []Failure{{"ada", "taken"}},
		},
	} {
		if got, err := json.Marshal(p.Describe(1, r)); err != nil || string(got) != want {
			t.Errorf("it is %s, %v; want %s", got, err, want)
		}
	}
}

func TestTheWorstEffectComesFirst(t *testing.T) {
	t.Parallel()
	ada := adminapi.UserEffect{UserName: "ada", Effect: "StopsWorking", Explanation: "has no user name there"}
	bob := adminapi.UserEffect{UserName: "bob", Effect: "SignsInAtIdP", Explanation: "signs in there"}
	eve := adminapi.UserEffect{UserName: "eve", Effect: "MatchesNobody", Explanation: "is nobody there"}
	p := &Plan{Report: adminapi.Report{
		Counts: map[string]int{"SignsInAtIdP": 3, "StopsWorking": 2, "MatchesNobody": 1, "SignsInAtNewIdP": 0},
		Users:  []adminapi.UserEffect{bob, ada, eve},
	}}
	want := []Effect{{2, ada.Explanation}, {1, eve.Explanation}, {3, bob.Explanation}}
	if got := p.Effects(); !reflect.DeepEqual(got, want) {
		t.Errorf("the effects are %v, want %v", got, want)
	}
	if got := p.Losing(1); !reflect.DeepEqual(got, []adminapi.UserEffect{ada}) {
		t.Errorf("who loses access is %v", got)
	}
	if got := p.Losing(9); !reflect.DeepEqual(got, []adminapi.UserEffect{ada, eve}) {
		t.Errorf("who loses access is %v", got)
	}
}

// TestTheCommandsForAfterwardsCanBePasted: a shell takes the flags for what they were.
func TestTheCommandsForAfterwardsCanBePasted(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	Result{Again: []string{"--center", "aws@eu-west-1", "--name", "Bo's AWS"}}.Print(&out, 1)
	for _, want := range []string{"connect status", "connect undo"} {
		if want += ` --center aws@eu-west-1 --name 'Bo'\''s AWS'`; !strings.Contains(out.String(), want) {
			t.Errorf("want %q in %s", want, out.String())
		}
	}
}
