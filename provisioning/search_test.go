package provisioning_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/scim"
)

// TestOneRefusedSearchIsNotBelieved: a search is answered by 400 once, which does not say that the
// target does not search so. Nobody is made twice, or believed gone, or left in a group.
func TestOneRefusedSearchIsNotBelieved(t *testing.T) {
	t.Parallel()
	const byID = "GET /Users externalId"
	for name, c := range map[string]struct {
		oddities

		tale func(*storm)
	}{
		"and there are two of one person": {oddities{}, func(s *storm) {
			s.change(adding(user("eve")))
			s.goes("POST /Users", "half a minute late")
			s.change(named(eve, "eva"))
			_, _ = s.cycle()
			time.Sleep(42 * time.Second)
			s.once[byID] = "400"
			s.once[`GET /Users userName eq "eve`] = "400"
			s.rest(false)
			s.change(removing(eve))
		}},
		"and a proxy does not know somebody": {oddities{}, func(s *storm) {
			time.Sleep(time.Hour) // she was not made just now
			here := s.o.named(provisioning.User, "ada@example.com").Resource
			here["userName"] = "other@example.com"
			s.change(having(ada, "jobTitle", "Dr"))
			s.once[byID] = "400"
			s.goes("PATCH /Users/", "404 of a proxy")
			here["userName"] = "ada@example.com"
		}},
		"and members are not told": {oddities{HidesGroups: true}, func(s *storm) {
			s.change(adding(user("eve")))
			_, _ = s.cycle()
			eng := s.o.named(provisioning.Group, "Eng")
			eng.members = append(eng.members, s.o.named(provisioning.User, "eve@example.com").id)
			s.compare = comparison{wanted: true}
			s.goes(`GET /Groups members.value eq "1111`, "400")
		}},
		"the same, and the question was about nobody": {oddities{HidesGroups: true}, func(s *storm) {
			s.change(adding(user("eve")))
			_, _ = s.cycle()
			eng := s.o.named(provisioning.Group, "Eng")
			eng.members = append(eng.members, s.o.named(provisioning.User, "eve@example.com").id)
			s.compare = comparison{wanted: true}
			s.goes(`GET /Groups members.value eq "cycle`, "400")
		}},
	} {
		c.Page = 10
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStorm(t, 1)
				s.o, s.d = newOdd(c.oddities), newDirectory(user("ada"), user("bob"), group("Eng", "ada", "bob"))
				s.dialect, s.workers = provisioning.Plain, 1
				s.careful, s.hot = false, 0
				s.calm = true
				s.rest(false)
				s.check()
				c.tale(s)
				if len(s.once) > 0 {
					t.Errorf("it never came to %v", s.once)
				}
				s.rest(false)
				s.check()
			})
		})
	}
}

// TestOneRefusedListIsNotBelieved: a comparison sees what the target lists, though it is refused
// once. Otherwise nobody would look again.
func TestOneRefusedListIsNotBelieved(t *testing.T) {
	t.Parallel()
	for _, refusals := range []string{"400", "403"} {
		synctest.Test(t, func(t *testing.T) {
			s := newStorm(t, 1)
			s.o, s.d = newOdd(oddities{Page: 10}), newDirectory(user("ada"), group("Eng", "ada"))
			s.careful, s.hot = false, 0
			s.calm = true
			s.rest(false)
			s.compare = comparison{wanted: true}
			s.goes("GET /Groups ", refusals)
			if told := strings.Join(s.trace, "\n"); len(s.once) > 0 || strings.Contains(told, "ListUnread") {
				t.Errorf("after a %s the list is not read:\n%s", refusals, told)
			}
		})
	}
}

// renaming is a target that carries creations of a person out under another name, and does not
// answer. refuses says which searches it refuses.
func (x *target) renaming(refuses func(r *http.Request) bool) {
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		switch {
		case r.Method == http.MethodPost:
			body, _ := io.ReadAll(r.Body)
			body = bytes.ReplaceAll(body, []byte("@example.com"), []byte("@other.example"))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			x.door.ServeHTTP(httptest.NewRecorder(), r)
			cut(w)
			return true
		case r.URL.Query().Has("filter") && refuses(r):
			problemOf(w, http.StatusBadRequest, "invalidFilter")
			return true
		}
		return false
	})
}

// TestHoweverManySearchesAreRefusedNobodyIsMadeTwice: a creation has no answer, and the next
// searches, one or several, are refused.
func TestHoweverManySearchesAreRefusedNobodyIsMadeTwice(t *testing.T) {
	t.Parallel()
	for n := range 8 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			x := newTargetOf(t, center.ProfileStandard)
			d := newDirectory(user("ada"))
			m := &mortal{Volatile: provisioning.NewVolatile(), at: x}
			now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			x.sound(t, d, m, &now)
			d.add(user("eve"))
			var made, refused atomic.Int64
			x.renaming(func(*http.Request) bool {
				return x.count("POST") > 0 && refused.Add(1) <= int64(n)
			})
			_, _ = x.mortal(t, d, m, &now) // it may fail
			made.Store(int64(x.count("POST")))
			x.misbehave(nil)
			for range 4 {
				now = now.Add(2 * time.Minute)
				_, _ = x.mortal(t, d, m, &now)
			}
			if got := made.Load(); got != 1 || x.count("POST") > 0 {
				t.Errorf("%d creations were sent, and then %d", got, x.count("POST"))
			}
			x.equals(t, d, m)
		})
	}
}

// TestAServiceThatDoesNotSearchIsAskedLittleMore: many creations have no answer, at a service that
// never searches by external ids. It is found out once in a cycle; besides, there is one question
// for each.
func TestAServiceThatDoesNotSearchIsAskedLittleMore(t *testing.T) {
	t.Parallel()
	x := newTargetOf(t, center.ProfileStandard)
	d := newDirectory(user("ada"))
	m := newMemory()
	sync := func() {
		t.Helper()
		if _, err := x.sync(t, d, m, func(e *provisioning.Engine) { e.Hurry() }); err != nil {
			t.Fatal(err)
		}
	}
	sync()
	const people = 30
	for i := range people {
		d.add(user(fmt.Sprint("u", i)))
	}
	var questions, nobodys atomic.Int64
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		filter := r.URL.Query().Get("filter")
		switch {
		case r.Method == http.MethodPost:
			x.door.ServeHTTP(httptest.NewRecorder(), r)
			w.Header().Set("Content-Type", scim.ContentType)
			w.WriteHeader(http.StatusInternalServerError)
			return true
		case strings.Contains(filter, "made-up"):
			nobodys.Add(1)
		case strings.HasPrefix(filter, "externalId"):
			questions.Add(1)
		}
		if strings.HasPrefix(filter, "externalId") {
			problemOf(w, http.StatusBadRequest, "invalidFilter")
			return true
		}
		return false
	})
	sync()
	if n := x.count("POST"); n != people {
		t.Errorf("%d creations were sent for %d people", n, people)
	}
	// The test when a cycle begins; and two questions by external id, and one by name between them.
	if q, n := questions.Load(), nobodys.Load(); q != people || n != 4 {
		t.Errorf("%d questions by external ids, and %d about nobody", q, n)
	}
	x.equals(t, d, m)
}
