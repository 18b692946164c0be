package provisioning_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/provisioning"
)

// What a target is said to answer, though it does not: by a proxy in between, or by one of several
// servers that does not know everything yet.
var falseAnswers = map[string]func(http.ResponseWriter, *http.Request){
	"a proxy without a backend": func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "404 page not found", http.StatusNotFound)
	},
	"a gateway": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"message":"no Route matched with those values"}`)
	},
	"a maintenance page": func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<!doctype html><title>Maintenance</title>")
	},
	"a gateway that is content": func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			_, _ = io.WriteString(w, `{}`)
			return
		}
		_, _ = io.WriteString(w, "<html>")
	},
	"a server that does not know it yet": func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet && r.URL.Query().Get("filter") != "":
			_, _ = io.WriteString(w, `{"totalResults":0,"Resources":[]}`)
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"404"}`)
		}
	},
}

// TestAFalseAnswerIsNotBelieved: in one cycle, requests are answered by something else than the
// service that knows. Whatever the source wanted then, the target has it in the end, and without
// the requests of a comparison.
func TestAFalseAnswerIsNotBelieved(t *testing.T) {
	t.Parallel()
	for answer, falsely := range falseAnswers {
		for what, change := range map[string]func(*directory){
			"disabled":   active(ada, false),
			"unassigned": assigned(ada, false),
			"deleted":    removing(ada),
			"no member":  members(eng, "bob"),
			"a rename, and no member": func(d *directory) {
				members(eng, "bob")(d)
				having(eng, "displayName", "Mechanics")(d)
			},
			"a group goes": assigned(eng, false),
			"a title":      having(bob, "jobTitle", "Dr"),
			"no manager":   managedBy(ada, ""),
			"all at once": func(d *directory) {
				removing(bob)(d)
				active(ada, false)(d)
				having(eng, "displayName", "Mechanics")(d)
			},
		} {
			for _, profile := range []center.Profile{center.ProfileAWS, center.ProfileStandard} {
				for _, reads := range []bool{false, true} {
					t.Run(answer+"/"+what+"/"+string(profile), func(t *testing.T) {
						t.Parallel()
						x := newTargetOf(t, profile)
						d := newDirectory(user("ada"), user("bob"), user("eve"), group("Eng", "ada", "bob"))
						d.edit(ada, func(e *entry) { e.Manager = "eve" })
						m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
						now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
						x.sound(t, d, m, &now)
						x.misbehave(func(n int, r *http.Request, w http.ResponseWriter) bool {
							if n == 1 || (r.Method == http.MethodGet && !reads) { // the first is the test
								return false
							}
							falsely(w, r)
							return true
						})
						change(d)
						_, _ = x.mortal(t, d, m, &now) // it may fail
						x.misbehave(nil)
						quiet := false
						for range 4 {
							now = now.Add(2 * time.Minute)
							result, err := x.mortal(t, d, m, &now)
							if quiet = err == nil && result.Failed == 0 && result.RetryAt.IsZero(); quiet {
								break
							}
						}
						if !quiet {
							t.Errorf("it does not come to rest: %v", failures(m))
						}
						x.equals(t, d, m)
						if n := len(x.requests); n > 40 {
							t.Errorf("%d requests:\n%s", n, strings.Join(x.requests, "\n"))
						}
					})
				}
			}
		}
	}
}
