package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
)

// forward moves the demo's clock.
func (e ends) forward(d time.Duration) {
	e.t.Helper()
	e.change(http.MethodPost, "/gatehouse/clock", map[string]float64{"forwardSeconds": d.Seconds()}, nil)
}

func TestFortyMinutesPassInAMoment(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--cycle", "40m")
	e := newEnds(t, d)
	const mei = "mei.tanaka@northwind.example"
	title := func() string { return e.find("/Users", "userName", mei).String("title") }
	cycle := func() (j graph.SynchronizationJob) { e.change(http.MethodGet, jobPath(d), nil, &j); return j }
	before := cycle().Status.LastExecution.ActivityIdentifier
	e.change(http.MethodPatch, "/users/"+mei, map[string]any{"jobTitle": "Wizard"}, nil)
	e.forward(39 * time.Minute)
	if now := cycle(); now.Status.LastExecution.ActivityIdentifier != before || title() != "Platform Engineer" {
		t.Errorf("a cycle has begun before its time: %+v", now.Status.LastExecution)
	}
	e.forward(time.Minute)
	e.soon("the next cycle, to its end", func() bool {
		return title() == "Wizard" && cycle().Status.LastExecution.ActivityIdentifier != before
	})

	// A token of a year expires, the job goes into quarantine; it is tried again when its time
	// comes, and switched off after four weeks.
	e.forward(366 * 24 * time.Hour)
	e.change(http.MethodPatch, "/users/"+mei, map[string]any{"jobTitle": "Witch"}, nil)
	e.soon("quarantine", func() bool { return cycle().Status.Code == "Quarantine" })
	first := cycle().Status.Quarantine
	if first.Error.Code != "SystemForCrossDomainIdentityManagementInvalidCredentials" {
		t.Errorf("quarantine %+v", first.Error)
	}
	e.forward(10 * time.Minute)
	e.soon("another attempt", func() bool { return cycle().Status.Quarantine.NextAttempt.After(first.NextAttempt) })
	e.forward(29 * 24 * time.Hour)
	e.soon("the end of the quarantine", func() bool { return cycle().Schedule.State == "Paused" })

	for want, seconds := range map[string]any{"at least 0": -1, "by ten years": 9e8, "wrong type": "x"} {
		err := e.graph.Do(
			context.Background(), http.MethodPost, "/gatehouse/clock", map[string]any{"forwardSeconds": seconds}, nil,
		)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", seconds, err, want)
		}
	}
}

func TestGraphIsAsSlowAsTheRealOne(t *testing.T) {
	t.Parallel()
	d, _ := startDemo(t, "--no-connect", "--graph-lag", "10m", "--graph-limit", "40")
	e := newEnds(t, d)
	var made graph.Group
	e.change(
		http.MethodPost, "/groups",
		map[string]any{"displayName": "New", "mailNickname": "new", "mailEnabled": false, "securityEnabled": true},
		&made,
	)
	seen := func() bool {
		err := e.graph.Do(context.Background(), http.MethodGet, "/groups/"+made.ID, nil, nil)
		if err != nil && !graph.NotFound(err) {
			t.Fatal(err)
		}
		return err == nil && len(e.list("/groups?$filter=displayName%20eq%20'New'", "id")) == 1
	}
	if seen() {
		t.Error("a group is known at once")
	}
	e.forward(11 * time.Minute)
	if !seen() {
		t.Error("a group is never known")
	}
	throttled := 0
	for range 60 {
		status, header, body := e.ask(http.MethodGet, "/organization", nil)
		if status == http.StatusTooManyRequests {
			throttled++
			if header.Get("Retry-After") == "" || !strings.Contains(body, "TooManyRequests") {
				t.Fatalf("throttled by %v %s", header, body)
			}
		}
	}
	if throttled < 20 {
		t.Errorf("%d of 60 requests were throttled", throttled)
	}
}

func TestOnlyARehearsalsClockMoves(t *testing.T) {
	t.Parallel()
	s := newSecureTenant(t)
	client := graph.NewClient(
		context.Background(), s.url+"/v1.0", s.url+"/"+s.id+"/oauth2/v2.0/token", s.clientID, s.secret, s.http,
	)
	var refused *graph.Error
	if err := client.Do(
		context.Background(), http.MethodPost, "/gatehouse/clock", map[string]float64{"forwardSeconds": 1}, nil,
	); !errors.As(err, &refused) ||
		refused.Status != http.StatusForbidden {
		t.Errorf("the clock of a tenant without --movable-clock: %v", err)
	}
}
