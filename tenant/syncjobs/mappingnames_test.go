package syncjobs_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// TestWhatEarlierReleasesTookClearsNothing runs jobs whose saved mappings name attributes that do
// not exist, which earlier releases took for empty.
func TestWhatEarlierReleasesTookClearsNothing(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var sent []string
	created := nobody(func() {})
	c := newCluster(t, sqldbtest.Postgres(t), func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			body, _ := io.ReadAll(r.Body)
			mu.Lock()
			sent = append(sent, r.Method+" "+string(body))
			mu.Unlock()
		}
		created(w, r)
	})
	ctx := context.Background()
	cycle := func() string {
		t.Helper()
		mu.Lock()
		sent = nil
		mu.Unlock()
		if err := c.jobs[0].RunJob(ctx, c.job); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(sent, "\n")
	}
	saved := func(edit func(users *mapping.Object)) {
		t.Helper()
		err := c.tenants[0].Store.Update(ctx, func(tx tenant.Tx) error {
			j, err := tx.Job(c.job.ID)
			if err != nil {
				return err
			}
			s := tenant.DefaultMappings()
			edit(&s.Objects[0])
			j.Schema, j.Watermark = &s, ""
			j.Evaluation++
			return tx.PutJob(j)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	c.newUser(t, "ada")
	if out := cycle(); !strings.Contains(out, "POST") || !strings.Contains(out, `"displayName":"ada"`) {
		t.Fatalf("at first: %s", out)
	}

	saved(func(users *mapping.Object) {
		for i := range users.Attributes {
			if users.Attributes[i].Target == "name.givenName" {
				users.Attributes[i].Expression = "[GivenName]"
			}
		}
	})
	if out := cycle(); strings.Contains(out, "givenName") {
		t.Errorf("an attribute that does not exist: %s", out)
	}
	saved(func(users *mapping.Object) {
		users.Scope = []mapping.Filter{{Name: "data", Clauses: []mapping.Clause{
			{Attribute: "Department", Operator: "IS NOT NULL"},
		}}}
	})
	if out := cycle(); strings.Contains(out, "active") {
		t.Errorf("a filter on an attribute that does not exist: %s", out)
	}
}
