package provisioning_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
)

// change changes the source.
func (s *storm) change(what func(*directory)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	what(s.d)
}

// goes lets something happen to the next request of a method and a path, and runs a cycle.
func (s *storm) goes(request, what string) {
	s.mu.Lock()
	s.once[request], s.dead = what, false
	s.mu.Unlock()
	_, _ = s.cycle()
	s.mu.Lock()
	s.dead = false
	s.mu.Unlock()
	time.Sleep(2 * time.Second)
}

// lingers runs a cycle in which a group is put off for some seconds.
func (s *storm) lingers(group string) {
	s.picky["PATCH/Groups/"+s.o.named(provisioning.Group, group).id] = 10
	s.calm = false
	s.goes("", "")
	s.calm = true
}

// TestServicesDiffer goes through what services in wide use do, and RFC 7644 allows, each with what
// would leave somebody in place, or be tried for ever.
func TestServicesDiffer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		oddities

		tale func(*storm)
	}{
		"to remove who is no member is refused": {oddities{StrictTake: true}, func(s *storm) {
			s.change(members(eng, "ada"))
			s.goes("PATCH /Groups", "answer lost")
		}},
		"the same, and it tells no members": {oddities{StrictTake: true, HidesGroups: true}, func(s *storm) {
			s.change(members(eng, "ada"))
			s.goes("PATCH /Groups", "dies")
		}},
		"to add who is a member is refused": {oddities{StrictAdd: true, HidesGroups: true}, func(s *storm) {
			s.change(adding(user("eve")))
			s.change(members(eng, "ada", "bob", "eve"))
			s.goes("PATCH /Groups", "dies")
		}},
		"it does not search by external ids": {oddities{Unsearched: true}, func(s *storm) {
			s.change(adding(user("eve")))
			s.goes("POST /Users", "dies")
			s.change(removing(eve))
		}},
		"it keeps no external ids": {oddities{NoExternal: true}, func(s *storm) {
			s.change(adding(user("eve")))
			s.goes("POST /Users", "dies")
			s.change(removing(eve))
		}},
		"the same, and a search is refused once": {oddities{NoExternal: true}, func(s *storm) {
			s.change(adding(user("eve")))
			s.goes("POST /Users", "dies")
			s.goes(`GET /Users externalId eq "eve`, "hangs")
			time.Sleep(2 * time.Minute)
			s.change(removing(eve))
			s.goes(`GET /Users userName eq "eve`, "403")
		}},
		"it finds late, and a proxy does not know the group": {
			oddities{HidesGroups: true, Lag: 5 * time.Second}, func(s *storm) {
				s.change(adding(group("Ops", "ada", "bob")))
				s.goes("", "")
				s.change(members(ops, "ada"))
				s.goes("PATCH /Groups", "404 of a proxy")
			},
		},
		"a new name has no answer, and a proxy does not know who leaves": {oddities{Unsearched: true}, func(s *storm) {
			s.change(named(ada, "eva"))
			s.once["PATCH /Users/"] = "answer lost"
			s.goes("PATCH /Users", "answer lost")
			s.change(assigned(ada, false))
			s.goes("GET /Users/", "404 of a proxy")
		}},
		"a conflict is a 400": {oddities{Taken: 2}, func(s *storm) {
			s.change(func(d *directory) {
				named(ada, "bob")(d)
				named(bob, "ada")(d)
			})
		}},
		"a creation is late, and there are two of one person": {oddities{}, func(s *storm) {
			s.change(adding(user("eve")))
			s.goes("POST /Users", "half a minute late")
			s.change(named(eve, "eva"))
			s.rest(false)
			s.change(removing(eve))
		}},
		"the same, and a proxy does not know the second one": {oddities{}, func(s *storm) {
			s.change(adding(user("eve")))
			s.goes("POST /Users", "half a minute late")
			s.change(named(eve, "eva"))
			_, _ = s.cycle()
			time.Sleep(42 * time.Second)
			s.o.mu.Lock() // the late creation was another goroutine's
			s.o.named(provisioning.User, "eve@example.com").Resource["userName"] = "other@example.com"
			s.o.mu.Unlock()
			s.once["DELETE /Users"] = "404 of a proxy"
			s.rest(false)
			s.change(removing(eve))
		}},
		"a group is there twice, and its members are in doubt too": {oddities{}, func(s *storm) {
			s.change(adding(group("Ops", "ada")))
			s.once["PATCH /Groups"] = "answer lost"
			s.goes("POST /Groups", "half a minute late")
			s.change(editing(ops, func(e *entry) { e.directory["displayName"] = "Dev" }))
			s.goes("", "")
			time.Sleep(84 * time.Second)
			s.change(members(ops, "ada", "bob"))
			s.lingers("Dev")
		}},
		"somebody is added late, and the time comes meanwhile": {oddities{}, func(s *storm) {
			s.change(adding(user("eve")))
			s.change(members(eng, "ada", "bob", "eve"))
			s.goes("PATCH /Groups", "half a minute late")
			s.change(members(eng, "ada"))
			s.goes("", "")
			time.Sleep(84 * time.Second)
			s.change(members(eng, "ada", "bob"))
			s.lingers("Eng")
		}},
		"who was added is found late, and refused when added again": {
			oddities{HidesGroups: true, StrictAdd: true, Lag: 5 * time.Second}, func(s *storm) {
				s.change(adding(group("Ops", "ada", "bob")))
				_, _ = s.cycle()
				s.compare = comparison{wanted: true}
				s.goes("", "")
				s.change(members(ops, "ada"))
			},
		},
		"it was listed before somebody was deleted whose name another one has": {
			oddities{SoftDelete: true}, func(s *storm) {
				s.change(removing(ada))
				s.change(adding(newcomer("zoe", "ada")))
				s.compare = comparison{wanted: true}
				s.goes("DELETE /Users", "429 long")
			},
		},
		"somebody is enabled late, and was deleted": {oddities{SoftDelete: true}, func(s *storm) {
			s.change(active(ada, false))
			s.goes("", "")
			s.change(active(ada, true))
			s.goes("PATCH /Users", "half a minute late")
			s.change(removing(ada))
		}},
		"it keeps no external ids, and a group was made by two names": {
			oddities{NoExternal: true}, func(s *storm) {
				s.change(adding(group("Ops", "ada")))
				s.once["GET /Groups externalId"] = "404 of a proxy"
				s.goes("POST /Groups", "half a minute late")
				s.change(editing(ops, func(e *entry) { e.directory["displayName"] = "Dev" }))
				s.goes("POST /Groups", "dies")
				time.Sleep(40 * time.Second)
			},
		},
		"it keeps no external ids, and has renamed somebody unnoticed": {oddities{NoExternal: true}, func(s *storm) {
			amy := user("amy")
			s.change(adding(amy))
			s.goes("POST /Users", "403")
			s.change(named(bob, "zed"))
			s.goes("PATCH /Users", "dies")
			s.change(named(bob, "bea"))
			s.change(named(amy.Ref, "zed"))
			s.compare = comparison{wanted: true}
		}},
		"somebody has the name of one who was deleted": {oddities{}, func(s *storm) {
			s.change(editing(ada, func(e *entry) { e.Deleted, e.Active = true, false }))
			s.goes("", "")
			s.change(adding(newcomer("zoe", "ada")))
		}},
	} {
		c.Page = 10
		for _, dialect := range []provisioning.Dialect{provisioning.Entra, provisioning.Plain} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newStorm(t, 1)
					s.o, s.d = newOdd(c.oddities), newDirectory(user("ada"), user("bob"), group("Eng", "ada", "bob"))
					s.dialect, s.workers = dialect, 1
					s.careful, s.hot = false, 0
					s.calm = true
					s.rest(false)
					s.check()
					c.tale(s)
					s.rest(false)
					s.check()
				})
			})
		}
	}
}

// TestASecondAccountIsDisabledWhereNothingIsDeleted: a creation was carried out late, and there are
// two accounts of one person. The mapping has no deletions.
func TestASecondAccountIsDisabledWhereNothingIsDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStorm(t, 1)
		s.o, s.d = newOdd(oddities{Page: 10}), newDirectory(user("eve"))
		s.careful, s.hot = false, 0
		s.calm = true
		schema := mapping.Default("rule")
		schema.Objects[0].Flows = mapping.Add | mapping.Update
		var err error
		if s.mapped, err = provisioning.Compile(schema); err != nil {
			t.Fatal(err)
		}
		s.goes("POST /Users", "half a minute late")
		s.change(named(eve, "eva"))
		s.rest(false)
		active := map[string]bool{}
		for _, a := range s.o.order {
			active[a.String("userName")] = a.Resource["active"] == true
		}
		if want := map[string]bool{"eva@example.com": true, "eve@example.com": false}; !maps.Equal(active, want) {
			t.Errorf("%v", active)
		}
	})
}

// TestWhoeverFailedBeforeIsFollowedWhereverTheProcessDies: somebody, or a group, could not be made,
// or was deleted at the target. When it is made at last, the process dies, at each moment in turn.
// Whatever refers to it follows, although nothing changes at the source any more.
func TestWhoeverFailedBeforeIsFollowedWhereverTheProcessDies(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]func(*storm){
		"a person was refused": func(s *storm) {
			s.change(adding(user("eve")))
			s.change(members(eng, "ada", "bob", "eve"))
			s.change(editing(bob, func(e *entry) { e.Manager = "eve" }))
			s.goes("POST /Users", "403")
		},
		"a group was refused": func(s *storm) {
			s.change(adding(group("Ops", "ada", "bob")))
			s.goes("POST /Groups", "403")
		},
		"a person was deleted there": func(s *storm) {
			s.o.remove(s.o.named(provisioning.User, "ada@example.com"))
			s.change(having(ada, "jobTitle", "Dr"))
			s.goes("GET /Users userName eq \"ada", "403")
		},
		"a group was deleted there": func(s *storm) {
			s.o.remove(s.o.named(provisioning.Group, "Eng"))
			s.change(members(eng, "ada"))
			s.goes("GET /Groups displayName", "403")
		},
	} {
		for lines := range 25 {
			t.Run(fmt.Sprint(name, lines), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newStorm(t, 1)
					s.o = newOdd(oddities{Page: 10})
					s.d = newDirectory(user("ada"), user("bob"), group("Eng", "ada", "bob"))
					s.dialect, s.workers = provisioning.Plain, 1
					s.careful, s.hot = false, 0
					s.calm = true
					s.rest(false)
					before(s)
					time.Sleep(2 * time.Minute)
					s.lines = lines
					_, _ = s.cycle()
					s.lines, s.dead = 0, false
					s.rest(false)
					s.check()
				})
			})
		}
	}
}
