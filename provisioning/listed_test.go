package provisioning_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// logged are the objects that the log names with a code.
func logged(m *memory, code string) (ids []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.log {
		if e.Code == code {
			ids = append(ids, e.Ref.ID)
		}
	}
	return ids
}

// rewritten has lists of a kind given otherwise than they are: change sees what was asked for, and
// has the answer to the same question without a number and a cursor, for 50 objects.
func (x *target) rewritten(t *testing.T, path string, change func(asked url.Values, list map[string]any)) {
	t.Helper()
	x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
		asked := r.URL.Query()
		if !strings.HasSuffix(r.URL.Path, path) || asked.Has("filter") || r.Method != http.MethodGet {
			return false
		}
		again := r.Clone(r.Context())
		again.URL.RawQuery = url.Values{"count": {"50"}}.Encode()
		out := httptest.NewRecorder()
		x.door.ServeHTTP(out, again)
		list := map[string]any{}
		if err := json.Unmarshal(out.Body.Bytes(), &list); err != nil {
			t.Error(err)
		}
		change(asked, list)
		_ = json.NewEncoder(w).Encode(list)
		return true
	})
}

// TestAListThatIsNotWholeIsNotTakenForIt: a target ignores which page it is asked for, by number
// and by cursor, and says of itself whatever it likes. A comparison ends, asks for each of those
// who are not on the first page, does what there is to do about them and nothing else, and says
// that it has not seen all.
func TestAListThatIsNotWholeIsNotTakenForIt(t *testing.T) {
	t.Parallel()
	const people = 120
	for name, change := range map[string]func(asked url.Values, list map[string]any){
		"it says nothing of the page": func(_ url.Values, list map[string]any) { delete(list, "startIndex") },
		"it says that it is the page": func(asked url.Values, list map[string]any) {
			if list["startIndex"] = 1; asked.Has("startIndex") {
				list["startIndex"] = json.Number(asked.Get("startIndex"))
			}
		},
		"its total is that of the page": func(asked url.Values, list map[string]any) {
			delete(list, "startIndex")
			list["totalResults"] = 50
		},
		"the cursor stays the same": func(asked url.Values, list map[string]any) {
			if list["startIndex"] = 1; asked.Has("cursor") {
				delete(list, "totalResults")
				list["nextCursor"] = "more"
			}
		},
		"cursors go in a ring": func(asked url.Values, list map[string]any) {
			if list["startIndex"] = 1; asked.Has("cursor") {
				delete(list, "totalResults")
				list["nextCursor"] = map[string]string{"": "a", "a": "b", "b": "a"}[asked.Get("cursor")]
			}
		},
		"it has fewer than it says": func(asked url.Values, list map[string]any) {
			if delete(list, "startIndex"); asked.Get("startIndex") != "1" {
				list["Resources"] = []any{}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, m := newTarget(t), newMemory()
			d := newDirectory()
			for i := range people {
				d.add(user(fmt.Sprintf("u%03d", i)))
			}
			if _, err := x.sync(t, d, m, nil); err != nil {
				t.Fatal(err)
			}
			var leavers []string
			for i := 0; i < people; i += 7 {
				id := fmt.Sprintf("u%03d", i)
				active(user(id).Ref, false)(d)
				leavers = append(leavers, id)
			}
			x.rewritten(t, "/Users", change)
			result, err := x.sync(t, d, m, func(e *provisioning.Engine) { e.Reread = true })
			if err != nil || result.Disabled != len(leavers) || result.Created+result.Deleted+result.Failed > 0 {
				t.Errorf("%+v, %v", result, err)
			}
			if n := x.count(""); n > 3*people {
				t.Errorf("%d requests", n)
			}
			x.misbehave(nil)
			for _, has := range x.state(t) {
				name, active := strings.CutSuffix(has, "*")
				if slices.Contains(leavers, name) == active {
					t.Errorf("the target has %s", has)
				}
			}
			if told := logged(m, "ListUnread"); len(told) != 1 {
				t.Errorf("it says %d times that the list was not whole", len(told))
			}
		})
	}
}

// TestAWholeListIsTakenForIt: whatever the pages are like, and though a target refuses the number
// of a page that it does not have, or fails, nobody is told that there may be more.
func TestAWholeListIsTakenForIt(t *testing.T) {
	t.Parallel()
	for _, people := range []int{1, 60, 100, 150, 230} {
		for _, how := range []string{"numbers", "cursors", "strict numbers", "failing numbers"} {
			t.Run(fmt.Sprint(people, " by ", how), func(t *testing.T) {
				t.Parallel()
				x, m := newTarget(t), newMemory()
				d := newDirectory()
				for i := range people {
					d.add(user(fmt.Sprintf("u%03d", i)))
				}
				if _, err := x.sync(t, d, m, nil); err != nil {
					t.Fatal(err)
				}
				x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
					q := r.URL.Query()
					start, _ := strconv.Atoi(q.Get("startIndex"))
					refused := strings.HasSuffix(how, " numbers") && (q.Has("cursor") || start > max(people, 1))
					switch {
					case refused && how == "failing numbers":
						w.WriteHeader(http.StatusInternalServerError)
					case refused:
						w.WriteHeader(http.StatusBadRequest)
					case how == "cursors":
						q.Del("startIndex")
						r.URL.RawQuery = q.Encode()
					}
					return refused
				})
				if _, err := x.sync(t, d, m, func(e *provisioning.Engine) { e.Reread = true }); err != nil {
					t.Fatal(err)
				}
				if told := logged(m, "ListUnread"); len(told) > 0 {
					t.Errorf("the list was not whole: %v", told)
				}
				if n := x.count(""); n > 12 {
					t.Errorf("%d requests: %v", n, x.requests)
				}
			})
		}
	}
}

// TestOneWhoIsDeletedWhileAListIsReadIsNoGap: the target says how many it has, gives them by cursor
// only, and one of them is deleted before it is their turn.
func TestOneWhoIsDeletedWhileAListIsReadIsNoGap(t *testing.T) {
	t.Parallel()
	const people = 45
	x, m := newTarget(t), newMemory()
	d := newDirectory()
	for i := range people {
		d.add(user(fmt.Sprintf("u%03d", i)))
	}
	if _, err := x.sync(t, d, m, nil); err != nil {
		t.Fatal(err)
	}
	x.rewritten(t, "/Users", func(asked url.Values, list map[string]any) {
		all, _ := list["Resources"].([]any)
		if list["startIndex"], list["Resources"] = 1, all[:20]; !asked.Has("cursor") {
			return
		}
		delete(list, "totalResults")
		if list["nextCursor"] = "rest"; asked.Get("cursor") == "rest" {
			delete(list, "nextCursor")
			list["Resources"] = all[20 : people-1]
		}
	})
	if _, err := x.sync(t, d, m, func(e *provisioning.Engine) { e.Reread = true }); err != nil {
		t.Fatal(err)
	}
	if told := logged(m, "ListUnread"); len(told) > 0 {
		t.Errorf("the list was not whole: %v", told)
	}
}

// TestAListThatFailsBeyondItsEndIsRead: the target fails where a number is beyond what it has, and
// is listed by a dry run, or since it does not search by an attribute. Nobody fails because of it.
func TestAListThatFailsBeyondItsEndIsRead(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(*testing.T, *provisioning.Engine){
		"a dry run": func(_ *testing.T, e *provisioning.Engine) { e.DryRun = true },
		"a free value": func(t *testing.T, e *provisioning.Engine) {
			t.Helper()
			e.Mappings = mapped(t, mapping.Attribute{
				Target: "nickName", Expression: `SelectUniqueValue([objectId], "b")`, OnlyOnce: true,
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const people, newcomers = 60, 20
			x, m := newTargetOf(t, center.ProfileStandard), newMemory()
			d := newDirectory()
			for i := range people {
				d.add(user(fmt.Sprintf("u%03d", i)))
			}
			if _, err := x.sync(t, d, m, nil); err != nil {
				t.Fatal(err)
			}
			for i := range newcomers {
				d.add(user(fmt.Sprintf("new%03d", i)))
			}
			x.misbehave(func(_ int, r *http.Request, w http.ResponseWriter) bool {
				q := r.URL.Query()
				start, _ := strconv.Atoi(q.Get("startIndex"))
				switch {
				case start > people || q.Has("cursor"):
					w.WriteHeader(http.StatusInternalServerError)
				case strings.Contains(q.Get("filter"), "nickName"):
					w.WriteHeader(http.StatusBadRequest)
				default:
					return false
				}
				return true
			})
			result, err := x.sync(t, d, m, func(e *provisioning.Engine) { set(t, e) })
			if err != nil || result.Created != newcomers || result.Failed > 0 {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}
