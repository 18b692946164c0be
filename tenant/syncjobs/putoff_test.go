package syncjobs_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/pairtest"
)

// TestAJobGoesOnWhenALimitIsOver: the target takes no more changes of one person for an hour. All
// others leave meanwhile, the person is left alone, and is disabled when the hour is over, though
// nothing happens then.
func TestAJobGoesOnWhenALimitIsOver(t *testing.T) {
	t.Parallel()
	e := pairtest.Start(t)
	const elena = "elena.popescu@northwind.example"
	center, err := url.Parse(e.Center.URL)
	if err != nil {
		t.Fatal(err)
	}
	of := "/Users/" + e.Find("/Users", "userName", meiName).String("id")
	var limited atomic.Bool
	var asked atomic.Int64
	through := httputil.NewSingleHostReverseProxy(center)
	way := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch && strings.HasSuffix(r.URL.Path, of) && limited.Load() {
			asked.Add(1)
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(way.Close)
	e.PutSecrets(strings.Replace(e.Center.SCIMEndpoint, e.Center.URL, way.URL, 1))
	active := func(name string) bool { return e.Find("/Users", "userName", name)["active"] == true }
	e.Change(http.MethodPatch, "/users/"+meiName, map[string]any{"jobTitle": "Wizard"}, nil)
	e.Soon("a title by the new way", func() bool {
		return e.Find("/Users", "userName", meiName).String("title") == "Wizard"
	})
	limited.Store(true)
	e.Change(http.MethodPatch, "/users/"+meiName, map[string]any{"accountEnabled": false}, nil)
	e.Soon("a change that is put off", func() bool { return asked.Load() > 0 })
	e.Change(http.MethodPatch, "/users/"+elena, map[string]any{"accountEnabled": false}, nil)
	e.Soon("another leaver", func() bool { return !active(elena) })
	e.Forward(58 * time.Minute)
	e.Change(http.MethodPatch, "/users/"+elena, map[string]any{"accountEnabled": true}, nil)
	e.Soon("another cycle", func() bool { return active(elena) })
	if n := asked.Load(); n != 1 {
		t.Errorf("the target was asked %d times within the hour", n)
	}
	limited.Store(false)
	e.Forward(3 * time.Minute)
	e.Soon("the leaver is disabled", func() bool { return !active(meiName) })
}
