package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
)

// TestThePagesOfTheLogLoseNothing: more events of one moment than a page has stand on the page
// where they begin.
func TestThePagesOfTheLogLoseNothing(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), centertest.Serve(t)
	v := s.Console()
	const many = 130
	moment := s.Now()
	if err := s.Store.Update(ctx, func(tx center.Tx) error {
		for i := range many {
			e := audit.Event{
				ID: s.NewID(), Time: moment, Actor: audit.SystemActor, Action: "Tested", Result: audit.Granted,
				Subject: fmt.Sprintf("subject-%03d.", i),
			}
			if err := tx.AppendEvent(e); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	subject := regexp.MustCompile(`subject-\d{3}\.`)
	next := regexp.MustCompile(`href="(\?at=[\d.]+)" rel="next"`)
	for query := ""; ; {
		page := v.Get(s.URL + "/console/audit" + query)
		for _, found := range subject.FindAllString(page, -1) {
			seen[found] = true
		}
		at := next.FindStringSubmatch(page)
		if at == nil {
			break
		}
		query = strings.ReplaceAll(at[1], "&amp;", "&")
	}
	if len(seen) != many {
		t.Errorf("%d of %d events are on the pages", len(seen), many)
	}
}

// TestTheAuditLogIsFilteredToItsBeginning: what is old and rare is found, by the name of the person
// whose id the event has, and a page that has not looked everywhere says so.
func TestTheAuditLogIsFilteredToItsBeginning(t *testing.T) {
	t.Parallel()
	ctx, s := context.Background(), centertest.Serve(t)
	v := s.Console()
	ada, err := s.CreateUser(ctx, audit.SystemActor, centertest.Person("ada"), center.User.CheckAWS)
	if err != nil {
		t.Fatal(err)
	}
	const many = 60_000
	begin := s.Now().Add(-48 * time.Hour)
	if err := s.Store.Update(ctx, func(tx center.Tx) error {
		for i := range many {
			e := audit.Event{
				ID: s.NewID(), Time: begin.Add(time.Duration(i) * time.Millisecond),
				Actor:  audit.Actor{Kind: audit.Provisioning, Name: "token", Address: "192.0.2.7", RequestID: "r"},
				Action: "UpdateUser", Result: audit.Granted, Subject: "somebody",
			}
			if i == 0 {
				e.Subject, e.Action = string(ada.ID), "DisableUser"
				e.Detail = "=2+2"
			}
			if err := tx.AppendEvent(e); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	log := s.URL + "/console/audit"
	to := begin.Add(24 * time.Hour).UTC().Format(time.DateOnly)
	page := v.Get(log + "?person=ADA&action=disableuser&to=" + to)
	if strings.Contains(page, "<span>DisableUser</span>") || !strings.Contains(page, "nothing so far") {
		t.Fatalf("the first page looks through everything, or does not say that it does not: %s", page)
	}
	further := regexp.MustCompile(`<a href="([^"]+)">Look further back`)
	for at := further.FindStringSubmatch(page); at != nil; at = further.FindStringSubmatch(page) {
		page = v.Get(log + html.UnescapeString(at[1]))
	}
	if !strings.Contains(page, `<span>DisableUser</span>`) || !strings.Contains(page, ">"+ada.UserName+"</a>") ||
		!strings.Contains(page, string(ada.ID)) {
		t.Errorf("the event is not found: %s", page)
	}
	if page = v.Get(log); len(page) > 100_000 || strings.Count(page, "<details>") != 50 {
		t.Errorf("a page has %d bytes and %d lines", len(page), strings.Count(page, "<details>"))
	}
	for query, want := range map[string]string{
		"?from=yesterday": "Write times like", "?at=x": "has no place in the log",
		"?person=nobody&from=2001-01-01&to=2001-01-02": "Nothing in the whole log is like that",
	} {
		if page := v.Get(log + query); !strings.Contains(page, want) {
			t.Errorf("%s: %s", query, page)
		}
	}
	file := v.Get(log + "?format=csv&person=ada&action=DisableUser")
	if rows := strings.Split(strings.TrimSpace(file), "\n"); len(rows) != 2 || !strings.Contains(rows[1], ",'=2+2,") ||
		!strings.Contains(rows[1], string(ada.ID)+","+ada.UserName) {
		t.Errorf("exported %s", file)
	}
	var list []map[string]string
	file = v.Get(log + "?format=json&action=UpdateUser&address=192.0.2.7")
	if err := json.Unmarshal([]byte(file), &list); err != nil || len(list) != many-1 {
		t.Errorf("%d events are exported, %v", len(list), err)
	}
}
