package dirsync

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestAFullReadingWithoutGroupsDisablesNobody: the token of the groups has expired, and when all is
// read again none comes, or only some. Who is assigned by the others keeps access.
func TestAFullReadingWithoutGroupsDisablesNobody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		groups string
		fails  bool
	}{
		"none": {``, true},
		"only one": {`{"id":"g1","displayName":"Engineering","members@delta":[
			{"@odata.type":"#microsoft.graph.user","id":"u1"},{"@odata.type":"#microsoft.graph.group","id":"g2"}]}`,
			false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newSource(t), newTarget(t, center.ProfileStandard)
			config, graph, _ := byWays(t, from, to)
			from.assign(t, &tenant.Application{}, "g1", "g3")
			config.Application = "Cloud"
			cycle(t, config, false)
			graph.set(lostGroups(c.groups))
			s, err := Open(ctx, config)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				r, err := s.Cycle(ctx, false)
				if (err != nil) != c.fails || r.Disabled > 0 ||
					!to.active(t, "bob@example.com") {
					t.Errorf("%+v, %v; bob is active: %v", r, err, to.active(t, "bob@example.com"))
				}
			}
			graph.set(nil)
			if r, err := s.Cycle(ctx, false); err != nil || r.Disabled > 0 || !to.active(t, "bob@example.com") {
				t.Errorf("when all is well again: %+v, %v", r, err)
			}
		})
	}
}

// lostGroups loses the place in the delta query of groups, and answers the query with some.
func lostGroups(groups string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/groups/delta"):
			return nil, nil //nolint:nilnil // it does not fail
		case strings.Contains(r.URL.RawQuery, "token"):
			return answered(http.StatusGone, `{"error":{"code":"resyncRequired"}}`), nil
		}
		link := "http://" + r.URL.Host + r.URL.Path + "?$deltatoken=next"
		return answered(http.StatusOK, `{"value":[`+groups+`],"@odata.deltaLink":"`+link+`"}`), nil
	}
}

// TestAnAssignedGroupThatDoesNotComeIsNotLeftOut: it is assigned and there, and does not come among
// the groups. Nobody knows who is in scope, until it comes, or the source says that it is gone.
func TestAnAssignedGroupThatDoesNotComeIsNotLeftOut(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, _ := byWays(t, from, to)
	from.assign(t, &tenant.Application{}, "g1", "g3")
	config.Application = "Cloud"
	idle := lostGroups(`{"id":"g1","displayName":"Engineering","securityEnabled":true}`)
	graph.set(idle)
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Cycle(ctx, false); !errors.As(err, new(*unclearError)) || r.Changes || r.InStep.Equal {
		t.Errorf("%+v, %v", r, err)
	}
	graph.set(func(r *http.Request) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "/groups/g3") {
			return answered(http.StatusNotFound, `{"error":{"code":"Request_ResourceNotFound"}}`), nil
		}
		return idle(r)
	})
	if r, err := s.Cycle(ctx, false); err != nil || r.Created == 0 {
		t.Errorf("when it is gone: %+v, %v", r, err)
	}
}
