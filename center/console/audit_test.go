package console_test

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

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
	next := regexp.MustCompile(`href="(\?before=\d+)"`)
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
