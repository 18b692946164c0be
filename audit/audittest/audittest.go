// Package audittest is the part of both halves' store contracts that is about their logs.
//
// It may import audit.
package audittest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// first is the time of the first event.
var first = time.UnixMilli(1_800_000_000_000)

// Find appends events, many of one moment, and expects that each filter finds all that it selects,
// on pages of every size, in both directions, however short a part of the log a page looks through.
func Find(t *testing.T, update func(func(audit.Appender) error), view func(func(audit.Reader) error)) {
	t.Helper()
	all := events()
	update(func(tx audit.Appender) error { return audit.AppendAll(tx, all) })
	for name, f := range filters() {
		var want []string
		for _, e := range all {
			if f.Meets(e) {
				want = append(want, e.ID)
			}
		}
		slices.Sort(want)
		for _, oldestFirst := range []bool{false, true} {
			for _, size := range []int{3, 50} {
				q := audit.Query{Filter: f, OldestFirst: oldestFirst, Limit: size, Look: 3 * size}
				have := walk(t, view, q)
				if !inOrder(have, oldestFirst) {
					t.Errorf("%s, pages of %d: not in order", name, size)
				}
				if ids := ids(have); !slices.Equal(ids, want) {
					t.Errorf("%s, pages of %d, oldest first %v: %d events, want %d", name, size, oldestFirst, len(ids),
						len(want))
				}
			}
		}
	}
}

func ids(events []audit.Event) (all []string) {
	for _, e := range events {
		all = append(all, e.ID)
	}
	slices.Sort(all)
	return all
}

func inOrder(events []audit.Event, oldestFirst bool) bool {
	return slices.IsSortedFunc(events, func(a, b audit.Event) int {
		if oldestFirst {
			return a.Time.Compare(b.Time)
		}
		return b.Time.Compare(a.Time)
	})
}

// walk reads all pages.
func walk(t *testing.T, view func(func(audit.Reader) error), q audit.Query) (all []audit.Event) {
	t.Helper()
	at := audit.Place{}
	for pages := 0; ; pages++ {
		if pages > 5000 {
			t.Fatal("the pages do not end")
		}
		var p audit.Page
		view(func(r audit.Reader) (err error) {
			p, err = audit.Find(r, q, at)
			return err
		})
		if all = append(all, p.Events...); p.Next == (audit.Place{}) {
			return all
		}
		again, ok := audit.ParsePlace(p.Next.String())
		if !ok || !again.At.Equal(p.Next.At) || again.Shown != p.Next.Shown {
			t.Fatalf("the place %v reads as %v", p.Next, again)
		}
		at = again
	}
}

// events are such as people cause, with names that are awkward in JSON and in patterns.
func events() (all []audit.Event) {
	random := rand.New(rand.NewPCG(3, 4)) // #nosec G404 -- the same each time
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	for i := range 400 {
		e := audit.Event{
			ID:   fmt.Sprintf("e%03d", i),
			Time: first.Add(time.Duration(random.IntN(60)) * time.Millisecond),
			Actor: audit.Actor{
				Kind:    []audit.Kind{audit.User, audit.Provisioning, audit.AccessKey}[i%3],
				Name:    pick("Ada", "MÜLLER", `o'"Neil\\`, "100%_sure", "<b>&amp;"),
				Address: pick("192.0.2.1", "192.0.2.10", "2001:db8::1"), RequestID: pick("r1", "r2", "r3"),
			},
			Action: pick("CreateUser", "Sign-in activity", "UserLoggedIn"), Subject: pick("id-1", "id-2", "ada", ""),
			Result: audit.Granted,
		}
		if random.IntN(9) == 0 {
			e.Result, e.Code = audit.Refused, "NoSuchUser"
			e.Detail = strings.Repeat("why ", random.IntN(90))
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b audit.Event) int { return a.Time.Compare(b.Time) })
	return all
}

func filters() map[string]audit.Filter {
	at := func(ms int) time.Time { return first.Add(time.Duration(ms) * time.Millisecond) }
	return map[string]audit.Filter{
		"everything":        {},
		"a name":            {Person: "aDA"},
		"a name and an id":  {Person: "ada", IDs: []string{"id-1"}},
		"other letters":     {Person: "müller"},
		"quotes":            {Person: `"neil\\`},
		"signs of patterns": {Person: "0%_S"},
		"signs of pages":    {Person: "<B>&"},
		"nobody":            {Person: "nobody"},
		"part of an action": {Action: "LOGGED"},
		"some actions":      {Actions: []string{"CreateUser", "UserLoggedIn"}},
		"a kind of actor":   {Kind: audit.Provisioning},
		"refusals":          {Result: audit.Refused},
		"an address":        {Address: "192.0.2.1"},
		"a network":         {Address: "192.0."},
		"a request":         {Reference: "r2"},
		"one event":         {ID: "e123"},
		"a time":            {From: at(10), To: at(20)},
		"all together": {
			Person: "a", Actions: []string{"CreateUser"}, Result: audit.Granted, Address: "192", Reference: "r1",
			From: at(5), To: at(55),
		},
	}
}
