package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/web/webtest"
)

// TestWhoIsSignedInFillsNoDisk has a person of the portal, a SCIM client and a client of Graph
// refused again and again. Each is named, all is in the events or counted, and the events are few.
func TestWhoIsSignedInFillsNoDisk(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d, stop := startDemo(t, "--data", data)
	e := of(t, d)
	const who, each = "amara.okafor@northwind.example", 500
	v := webtest.New(t, nil)
	acs, form := of(t, d).Response(v, d.Center.PortalURL, who)
	if status, page := v.Send(http.MethodPost, acs, form); status != http.StatusOK {
		t.Fatalf("sign in: %d %s", status, page)
	}
	address := d.Center.URL + "/start/console?" + url.Values{
		"account_id": {"999900001111"},
		"role_name":  {"x"},
	}.Encode()
	for i := range each {
		if status, _ := v.Send(http.MethodGet, address, nil); status != http.StatusForbidden {
			t.Fatalf("the portal: %d", status)
		}
		err := e.SCIM.Do(context.Background(), http.MethodGet, "/Users?filter=zzz", nil, nil, nil)
		if err == nil || !strings.Contains(err.Error(), "400") {
			t.Fatalf("SCIM: %v", err)
		}
		body := map[string]any{"displayName": fmt.Sprint("x", i)}
		if status, _, answer := e.Ask(http.MethodPost, "/users", body); status != http.StatusBadRequest {
			t.Fatalf("Graph: %d %s", status, answer)
		}
	}
	stop()
	for _, half := range []struct {
		name   string
		events []audit.Event
		kinds  []audit.Kind
	}{
		{"center", centerEvents(t, filepath.Join(data, "center.db")), []audit.Kind{audit.User, audit.Provisioning}},
		{"tenant", tenantEvents(t, filepath.Join(data, "tenant.db")), []audit.Kind{audit.Application}},
	} {
		for _, kind := range half.kinds {
			lines, all := 0, 0
			for _, e := range half.events {
				if e.Result == audit.Refused && e.Actor.Kind == kind && e.Actor.Name != "" {
					lines++
					all += max(1, e.Count)
				}
			}
			if all != each {
				t.Errorf("%s: %d of %d refusals of %s are in the events", half.name, all, each, kind)
			}
			if lines > 250 { // of a minute, or of a few on a slow machine
				t.Errorf("%s: %d events of what %s was refused", half.name, lines, kind)
			}
		}
	}
}
