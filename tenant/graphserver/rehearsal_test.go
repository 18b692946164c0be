package graphserver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

func TestGraphIsAsSlowAsTheRealOne(t *testing.T) {
	t.Parallel()
	e := newDirectory(t, 1, 1, tenanttest.Movable, func(_ *tenant.Tenant, cfg *server.Config) {
		cfg.GraphLag, cfg.GraphLimit = 10*time.Minute, 40
	})
	var made graph.Group
	e.Change(
		http.MethodPost, "/groups",
		map[string]any{"displayName": "New", "mailNickname": "new", "mailEnabled": false, "securityEnabled": true},
		&made,
	)
	seen := func() bool {
		err := e.Client.Do(context.Background(), http.MethodGet, "/groups/"+made.ID, nil, nil)
		if err != nil && !graph.NotFound(err) {
			t.Fatal(err)
		}
		return err == nil && len(e.List("/groups?$filter=displayName%20eq%20'New'", "id")) == 1
	}
	if seen() {
		t.Error("a group is known at once")
	}
	e.Change(http.MethodPost, "/gatehouse/clock", map[string]float64{"forwardSeconds": 660}, nil)
	if !seen() {
		t.Error("a group is never known")
	}
	throttled := 0
	for range 60 {
		status, header, body := e.Ask(http.MethodGet, "/organization", nil)
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
	client := newDirectory(t, 1, 1).Client
	var refused *graph.Error
	if err := client.Do(
		context.Background(), http.MethodPost, "/gatehouse/clock", map[string]float64{"forwardSeconds": 1}, nil,
	); !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("the clock of a tenant without --movable-clock: %v", err)
	}
}
