package dirsync

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestOneWhoCannotBeReadKeepsNobodyWaiting: somebody is restored, and the source does not let them
// be read, for good it seems. Whoever else leaves loses access, and it is said, once; the two sides
// are not in step. When they can be read they are back, with their groups.
func TestOneWhoCannotBeReadKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, _ := byWays(t, from, to)
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := s.Cycle(ctx, false); err != nil || !r.InStep.Equal {
		t.Fatalf("%+v, %v", r, err)
	}
	deleting(t, from)
	if r, err := s.Cycle(ctx, false); err != nil || r.Disabled != 1 || !r.InStep.Equal {
		t.Fatalf("%+v, %v", r, err)
	}
	if _, err := from.Restore(ctx, tenanttest.Actor, "u2", ""); err != nil {
		t.Fatal(err)
	}
	from.disable(t, "u1")
	graph.set(failsAt("/users/u2", func() (*http.Response, error) {
		return answered(http.StatusUnprocessableEntity, `{"error":{"code":"Odd","message":"no"}}`), nil
	}))
	r, err := s.Cycle(ctx, false)
	if e := changes(t, r, "bob@example.com"); err != nil || e.Code != "SourceUnreadable" || r.Unread != 1 ||
		!strings.Contains(e.Reason, "422 Odd: no") || r.InStep.Equal {
		t.Errorf("%+v, %v", r, err)
	}
	if to.active(t, "ada@example.com") || to.active(t, "bob@example.com") {
		t.Error("who has left has access")
	}
	since := r.InStep.Since
	if r, err := s.Cycle(ctx, false); err != nil || len(r.Objects) > 0 || r.Unread != 1 || r.InStep.Equal ||
		!r.InStep.Since.Equal(since) {
		t.Errorf("once more: %+v, %v", r, err)
	}
	graph.set(nil)
	at := time.Now().Add(10 * time.Minute)
	config.State.Now = func() time.Time { return at }
	r, err = s.Cycle(ctx, false)
	if err != nil || r.Unread > 0 || !r.InStep.Equal || !to.active(t, "bob@example.com") {
		t.Errorf("when they can be read: %+v, %v", r, err)
	}
	if _, _, members := to.counts(t, "Art"); members != 1 {
		t.Errorf("Art has %d members", members)
	}
}

// TestWithoutTheSourceNobodyKnowsThatTheSidesAreInStep: it is away, or what it says is not
// believed, for this process and the next. They are in step again when it was read.
func TestWithoutTheSourceNobodyKnowsThatTheSidesAreInStep(t *testing.T) {
	t.Parallel()
	noUsers := func(r *http.Request) (*http.Response, error) {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/users/delta"):
			return nil, nil //nolint:nilnil // it does not fail
		case strings.Contains(r.URL.RawQuery, "token"):
			return answered(http.StatusGone, `{"error":{"code":"resyncRequired"}}`), nil
		}
		return answered(http.StatusOK, `{"value":[],"@odata.deltaLink":"http://`+r.URL.Host+r.URL.Path+`?d"}`), nil
	}
	for name, fail := range map[string]func(*http.Request) (*http.Response, error){
		"it is away": away, "it has nobody": noUsers, "its groups are not read": failsAt("/groups/delta", func() (
			*http.Response, error,
		) {
			return nil, errGone
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := newSource(t), newTarget(t, center.ProfileStandard)
			config, graph, _ := byWays(t, from, to)
			began := cycle(t, config, false).InStep
			graph.set(fail)
			var since time.Time
			for range 2 {
				s, err := Open(ctx, config)
				if err != nil {
					t.Fatal(err)
				}
				for range 2 {
					r, err := s.Cycle(ctx, false)
					if (err == nil && r.Missing == 0) || r.Changes || r.InStep.Equal ||
						r.InStep.Since.Before(began.Since) || (!since.IsZero() && !since.Equal(r.InStep.Since)) {
						t.Errorf("%+v, %v", r, err)
					}
					since = r.InStep.Since
				}
			}
			graph.set(nil)
			if r := cycle(t, config, false); r.InStep != began {
				t.Errorf("in the end %+v, and %+v before", r.InStep, began)
			}
		})
	}
}

// TestWhoeverEndsACycleEndsNoDoubt: the source is away, and the sync is told to end while it asks.
// Nothing was read, so the two sides are not in step, since when they were not. A doubt that nobody
// had does not begin by that.
func TestWhoeverEndsACycleEndsNoDoubt(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, _ := byWays(t, from, to)
	began := cycle(t, config, false).InStep
	ended := func() tenant.InStep {
		t.Helper()
		s, err := Open(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		told, end := context.WithCancel(ctx)
		graph.set(func(*http.Request) (*http.Response, error) {
			end()
			return nil, context.Canceled
		})
		r, err := s.Cycle(told, false)
		if err == nil {
			t.Error("it has read the source")
		}
		return r.InStep
	}
	if now := ended(); now != began {
		t.Errorf("%+v, and %+v before", now, began)
	}
	graph.set(away)
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	r, _ := s.Cycle(ctx, false)
	if now := ended(); now.Equal || now != r.InStep {
		t.Errorf("%+v, and %+v before", now, r.InStep)
	}
}

// TestWhatAPreviewTellsIsToldAgain: somebody looks at what a cycle would do, and has it done. Who
// is told of each object then hears also of what cannot be read, and of a followed group that is
// gone.
func TestWhatAPreviewTellsIsToldAgain(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, graph, _ := byWays(t, from, to)
	config.Groups = []string{"Engineering", "Art"}
	cycle(t, config, false)
	deleting(t, from)
	cycle(t, config, false)
	if _, err := from.Restore(ctx, tenanttest.Actor, "u2", ""); err != nil {
		t.Fatal(err)
	}
	from.deleteGroup(t, "g1")
	graph.set(failsAt("/users/u2", func() (*http.Response, error) {
		return answered(http.StatusUnprocessableEntity, `{"error":{"code":"Odd","message":"no"}}`), nil
	}))
	var told []string
	config.OnEntry = func(e provisioning.Entry) {
		if e.Code != "" {
			told = append(told, e.Code)
		}
	}
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		r, err := s.Preview(ctx, false)
		if e := changes(t, r, "bob@example.com"); err != nil || e.Code != "SourceUnreadable" || len(told) > 0 {
			t.Errorf("%+v, %v, told %v", r, err, told)
		}
	}
	for range 2 {
		if _, err := s.Cycle(ctx, false); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(told, " "); got != "SourceUnreadable FollowedGroupGone" {
		t.Errorf("told %q", got)
	}
}

// TestAServerThatIsBehindIsGivenTime: it says what was, and says so again when it is asked at once.
func TestAServerThatIsBehindIsGivenTime(t *testing.T) {
	t.Parallel()
	from, to := newSource(t), newTarget(t, center.ProfileStandard)
	config, _, _ := byWays(t, from, to)
	config.Application = "Cloud"
	app := &tenant.Application{}
	from.assign(t, app, "g1")
	var last, older any
	var until time.Time // when it knows
	config.Source.HTTP.Transport = altering(config.Source.HTTP.Transport, func(r *http.Request, body object) {
		if !strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo") {
			return
		}
		last = body["value"]
		if older == nil {
			return
		}
		if until.IsZero() {
			until = time.Now().Add(300 * time.Millisecond)
		}
		if time.Now().Before(until) {
			body["value"] = older
		}
	})
	s, err := Open(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Cycle(ctx, false); err != nil {
		t.Fatal(err)
	}
	without := last
	from.assign(t, app, "g1", "g3")
	if _, err := s.Cycle(ctx, false); err != nil || !to.active(t, "bob@example.com") {
		t.Fatalf("bob has no access: %v", err)
	}
	older = without
	if r, err := s.Cycle(ctx, false); err != nil || r.Disabled > 0 || !to.active(t, "bob@example.com") {
		t.Errorf("%+v, %v", r, err)
	}
}
