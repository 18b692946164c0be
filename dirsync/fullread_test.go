package dirsync

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
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
		held   bool
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
				if err != nil || (r.Missing > 0) != c.held || r.InStep.Equal == c.held || r.Disabled > 0 ||
					!to.active(t, "bob@example.com") {
					t.Errorf("%+v, %v; bob is active: %v", r, err, to.active(t, "bob@example.com"))
				}
			}
			graph.set(nil)
			if r, err := s.Cycle(ctx, false); err != nil || r.Disabled > 0 || !to.active(t, "bob@example.com") {
				t.Errorf("when all is well again: %+v, %v", r, err)
			} else if r.Missing > 0 || !r.InStep.Equal {
				t.Errorf("when all is well again: %+v", r)
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

// TestAGroupThatMattersAndDoesNotComeIsNotLeftOut: it is assigned, or followed, and there, and does
// not come among the groups; nor does who is in it among the users. It is read by itself. While it,
// or who is in it, cannot be read, nobody knows who is in scope, until the source says that it is
// gone.
func TestAGroupThatMattersAndDoesNotComeIsNotLeftOut(t *testing.T) {
	t.Parallel()
	refused := func() (*http.Response, error) {
		return answered(http.StatusForbidden, `{"error":{"code":"Authorization_RequestDenied"}}`), nil
	}
	gone := func() (*http.Response, error) {
		return answered(http.StatusNotFound, `{"error":{"code":"Request_ResourceNotFound"}}`), nil
	}
	for what, set := range map[string]func(*Config){
		"assigned": func(c *Config) { c.Application = "Cloud" },
		"followed": func(c *Config) { c.Groups = []string{"Engineering", "Art"} },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			from, to := newSource(t), newTarget(t, center.ProfileStandard)
			config, graph, _ := byWays(t, from, to)
			from.assign(t, &tenant.Application{}, "g1", "g3")
			set(&config)
			idle := lostGroups(`{"id":"g1","displayName":"Engineering","securityEnabled":true}`)
			config.Source.HTTP.Transport = altering(config.Source.HTTP.Transport, without("u2"))
			s, err := Open(ctx, config)
			if err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{"/groups/g3", "/groups/g3/members"} {
				fails := failsAt(path, refused)
				graph.set(func(r *http.Request) (*http.Response, error) {
					if answer, err := fails(r); answer != nil {
						return answer, err
					}
					return idle(r)
				})
				r, err := s.Cycle(ctx, false)
				if !errors.As(err, new(*unclearError)) || r.Changes || r.InStep.Equal {
					t.Errorf("%s: %+v, %v", path, r, err)
				}
			}
			graph.set(idle)
			if r, err := s.Cycle(ctx, false); err != nil || r.Failed > 0 || !to.active(t, "bob@example.com") {
				t.Errorf("when it can be read: %+v, %v", r, err)
			}
			if _, _, members := to.counts(t, "Art"); members != 1 {
				t.Errorf("Art has %d members", members)
			}
		})
	}
	t.Run("gone", func(t *testing.T) {
		t.Parallel()
		from, to := newSource(t), newTarget(t, center.ProfileStandard)
		config, graph, _ := byWays(t, from, to)
		from.assign(t, &tenant.Application{}, "g1", "g3")
		config.Application = "Cloud"
		idle := lostGroups(`{"id":"g1","displayName":"Engineering","securityEnabled":true}`)
		fails := failsAt("/groups/g3", gone)
		graph.set(func(r *http.Request) (*http.Response, error) {
			if answer, err := fails(r); answer != nil {
				return answer, err
			}
			return idle(r)
		})
		if r := cycle(t, config, false); r.Created == 0 {
			t.Errorf("%+v", r)
		}
	})
}

// without has deltas tell nothing of somebody.
func without(id string) func(r *http.Request, body object) {
	return func(r *http.Request, body object) {
		if list, _ := body["value"].([]any); strings.HasSuffix(r.URL.Path, "/users/delta") {
			body["value"] = slices.DeleteFunc(list, func(x any) bool { return x.(object)["id"] == id })
		}
	}
}

// TestSomebodyWhoIsAssignedAndDoesNotComeIsReadByThemselves.
func TestSomebodyWhoIsAssignedAndDoesNotComeIsReadByThemselves(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, _, _ := byWays(t, from, to)
	from.assign(t, &tenant.Application{}, "u2")
	config.Application = "Cloud"
	config.Source.HTTP.Transport = altering(config.Source.HTTP.Transport, without("u2"))
	if r := cycle(t, config, false); r.Created != 1 || !to.active(t, "bob@example.com") {
		t.Errorf("%+v", r)
	}
}

// TestSomebodyAfterManyWhoNeverComeIsReadInTime: so many are assigned who are not there that not
// all are asked for in one cycle. Who was not yet is in the next.
func TestSomebodyAfterManyWhoNeverComeIsReadInTime(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, _, _ := byWays(t, from, to)
	kim := from.hire(t, "kim") // whom no group names
	from.assign(t, &tenant.Application{}, kim)
	config.Application = "Cloud"
	hides := without(string(kim))
	config.Source.HTTP.Transport = altering(config.Source.HTTP.Transport, func(r *http.Request, body object) {
		hides(r, body)
		if !strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo") {
			return
		}
		var all []any
		for i := range maxFetched {
			all = append(all, object{"principalId": fmt.Sprint("ghost", i), "principalType": "User"})
		}
		list, _ := body["value"].([]any)
		body["value"] = append(all, list...)
	})
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{0, 1, 0} {
		if r, err := s.Cycle(ctx, false); err != nil || r.Created != want || r.Failed > 0 {
			t.Errorf("%+v, %v, want %d who are created", r, err, want)
		}
	}
	if !to.active(t, "kim@example.com") {
		t.Error("kim has no access")
	}
}
