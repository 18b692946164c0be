package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/provisioning"
)

// guard is how many may be disabled or deleted in one cycle, and who is held back.
type guard struct {
	most        int
	allow, told bool
	held        map[provisioning.Ref]bool
}

// decide is what an administrator does about that.
func (s *storm) decide() {
	switch s.r.IntN(12) {
	case 0, 1, 2:
		s.guard.most = s.r.IntN(3)
		s.say("at most %d may go", s.guard.most)
	case 3:
		s.guard.allow = true
		s.say("somebody lets them go")
	}
}

// guards notes who is held back.
func (s *storm) guards(e provisioning.Entry) {
	if e.Action != provisioning.StagedDelete {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.guard.held == nil {
		s.guard.held = map[provisioning.Ref]bool{}
	}
	s.guard.held[e.Ref] = true
}

// restHeld runs cycles until nothing is left to be done but what is held back, and checks that all
// else is done. Then somebody lets them go.
func (s *storm) restHeld() {
	defer func() {
		s.guard.most = 0
		s.say("any number may go")
	}()
	var before string
	for n := 0; s.guard.most > 0; n++ {
		s.guard.told = false
		s.guard.held = nil
		result, err := s.cycle()
		if err == nil {
			return
		}
		s.mu.Lock()
		late, lone := s.late, s.compare.wanted && (s.compare.unasked || s.compare.restored)
		s.mu.Unlock()
		over := errors.As(err, new(*provisioning.TooManyDeletesError)) && !provisioning.MayPass(err) && late == 0
		now := s.shown()
		if over && before != "" && now != before {
			s.t.Errorf("who is held back is changed, from %s to %s", before, now)
		}
		if before = ""; over {
			before = now
		}
		switch {
		case over && (lone || s.tampers && (n > 3 || result.RetryAt.IsZero())): // a comparison is to come
			return
		case over && (result.RetryAt.IsZero() || n > 30):
			s.withNames()
			s.say("held back: %v", s.guard.held)
			s.checkBut(s.guard.held)
			return
		case n > 100:
			s.t.Errorf("it does not come to rest with some held back: %v, %v", err, s.failures())
			return
		}
		time.Sleep(max(time.Until(result.RetryAt), 10*time.Second))
	}
}

// shown is what the target has of those who are held back.
func (s *storm) shown() string {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	var list []string
	for _, a := range s.o.order {
		ref, err := s.Owner(context.Background(), a.kind, a.id)
		if err != nil || !s.guard.held[ref] {
			continue
		}
		var in []string
		for _, g := range s.o.order {
			if slices.Contains(g.members, a.id) {
				in = append(in, g.id)
			}
		}
		list = append(list, fmt.Sprint(ref, a.id, a.String("userName"), a.Resource["active"], in))
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

// withNames adds those to the held back who fail since they want the name of one, and so on.
func (s *storm) withNames() {
	s.o.mu.Lock()
	defer s.o.mu.Unlock()
	names := map[string]bool{}
	for more := true; more; {
		for _, a := range s.o.order {
			ref, err := s.Owner(context.Background(), a.kind, a.id)
			if err != nil { // nobody has taken it over yet
				ref = provisioning.Ref{Kind: a.kind, ID: a.String("externalId")}
			}
			if s.guard.held[ref] {
				names[nameOf(a)] = true
			}
		}
		more = false
		for ref, o := range s.d.objects {
			l, _ := s.Link(context.Background(), ref)
			name := strings.ToLower(o.directory["userPrincipalName"])
			if ref.Kind == provisioning.Group {
				name = strings.ToLower(o.directory["displayName"])
			}
			if l.Failure != "" && names[name] && !s.guard.held[ref] {
				s.say("%v waits for the name of one", ref)
				s.guard.held[ref], more = true, true
			}
		}
	}
}

func nameOf(a *account) string {
	if a.kind == provisioning.User {
		return strings.ToLower(a.String("userName"))
	}
	return strings.ToLower(a.String("displayName"))
}
