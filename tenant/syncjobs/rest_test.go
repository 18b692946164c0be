package syncjobs_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// moody is a way to a target that fails what has some text in it, and counts lists.
type moody struct {
	mu    sync.Mutex
	fails []string
	lists int
	heard int // requests that failed
}

func (m *moody) RoundTrip(r *http.Request) (*http.Response, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	q := r.URL.Query()
	said := r.Method + " " + r.URL.Path + "?" + q.Get("filter") + string(body)
	if r.Method == http.MethodGet && q.Get("startIndex")+q.Get("count") != "" && !q.Has("filter") {
		m.lists++
	}
	for _, word := range m.fails {
		if strings.Contains(said, word) {
			m.heard++
			answer := httptest.NewRecorder()
			answer.WriteHeader(http.StatusInternalServerError)
			return answer.Result(), nil
		}
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestWhatFailsInAFirstComparisonIsTheRestOfIt: in the first cycle of a job one person and one
// group fail. All else was compared, and the next cycles try these two only. When they do not fail
// any more, the group has lost whom it should not have.
func TestWhatFailsInAFirstComparisonIsTheRestOfIt(t *testing.T) {
	t.Parallel()
	for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
		t.Run(string(profile), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, profile)
			h.join("Eng", "bob")
			app := h.application("Eng", "Ops")
			j := h.job(app)
			h.want("ada*", "bob*", "eva*", "Eng=ada+bob+eva", "Ops=bob")
			h.must(h.tenant.DeleteJob(t.Context(), tenanttest.Actor, j.ID))
			h.must(h.tenant.RemoveMember(t.Context(), tenanttest.Actor, h.groups["Eng"], h.id("bob")))
			h.enable("ada", false)
			h.hire("kim")
			h.join("Ops", "kim")

			var ahead time.Duration
			h.tenant.Now = func() time.Time { return time.Now().Add(ahead) }
			groups, err := h.center.Groups(t.Context(), center.GroupQuery{})
			h.must(err)
			way := &moody{fails: []string{"kim@northwind"}}
			for _, g := range groups {
				if g.DisplayName == "Eng" {
					way.fails = append(way.fails, "/Groups/"+string(g.ID))
				}
			}
			h.runner.HTTP = &http.Client{Transport: way}
			j, err = h.tenant.CreateJob(t.Context(), tenanttest.Actor, app, tenant.Gallery[0].SyncTemplate)
			h.must(err)
			h.to(j, h.endpoint, h.token)
			h.must(h.tenant.StartJob(t.Context(), tenanttest.Actor, j.ID))
			cycle := func(state string) {
				t.Helper()
				h.must(h.runner.RunJob(t.Context(), j))
				j, err = h.tenant.Job(t.Context(), app, j.ID)
				h.must(err)
				if j.Last.State != state {
					t.Errorf("it ends as %+v", j.Last)
				}
				ahead += 2 * time.Minute
			}
			cycle("EntryLevelErrors")
			if j.Unasked || j.ComparedAt.IsZero() || !j.Rest {
				t.Errorf("what had its answer is not compared: %+v", j)
			}
			lists, heard := way.lists, way.heard
			cycle("EntryLevelErrors")
			if way.lists != lists || way.heard == heard {
				t.Errorf("%d lists more, %d requests that failed", way.lists-lists, way.heard-heard)
			}
			h.want("ada", "bob*", "eva*", "Eng=ada+bob+eva", "Ops=bob")
			way.fails = nil
			cycle("Succeeded")
			cycle("Succeeded")
			h.want("ada", "bob*", "eva*", "kim*", "Eng=ada+eva", "Ops=bob+kim")
			if j.Rest || j.Unasked {
				t.Errorf("the rest is not done: %+v", j)
			}
		})
	}
}
