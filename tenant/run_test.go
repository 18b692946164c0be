package tenant_test

import (
	"context"
	"database/sql"
	"maps"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/tenanttest"
)

// TestRunRemovesWhatIsOver counts the rows that people and programs leave in the database, while
// the tenant runs, when it runs a year later, and for a day then: the clock is doubted first.
func TestRunRemovesWhatIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		file := filepath.Join(t.TempDir(), "tenant.db")
		s, err := store.Open(ctx, file)
		if err != nil {
			t.Fatal(err)
		}
		tn := tenanttest.On(t, s)
		var ahead time.Duration
		tn.Now = func() time.Time { return time.Now().Add(ahead) }
		tn.Keep = audit.Retention{Events: 360 * 24 * time.Hour, Refusals: 24 * time.Hour}
		visit(t, tn)
		want := map[string]int{"sessions": 3, "grants": 1, "provisioning_log": 1, "marks": 2, "users": 2}
		for _, x := range []struct {
			ahead, runs time.Duration
			events      bool
			rows        map[string]int
		}{
			{0, 11 * time.Minute, true, want},
			{365 * 24 * time.Hour, 11 * time.Minute, true, want},
			// numbers go on from the newest mark
			{365 * 24 * time.Hour, 24 * time.Hour, false, map[string]int{"users": 2, "marks": 1}},
		} {
			ahead = x.ahead
			running, stop := context.WithCancel(ctx)
			go tn.Run(running)
			time.Sleep(x.runs) // of the test's own clock
			stop()
			synctest.Wait() // for Run to have ended
			have := rows(t, file, "sessions", "grants", "provisioning_log", "marks", "users")
			if events := rows(t, file, "events")["events"] > 0; events != x.events || !maps.Equal(have, x.rows) {
				t.Errorf("%s ahead: events %v, rows %v, want %v and %v", x.ahead, events, have, x.events, x.rows)
			}
		}
		if err := tn.Close(); err != nil {
			t.Error(err)
		}
	})
}

// visit leaves a row of every kind that is only kept for a while.
func visit(t *testing.T, tn *tenant.Tenant) {
	t.Helper()
	ctx := t.Context()
	for _, name := range []string{"ada", "bob"} {
		u := tenant.User{UserPrincipalName: name + "@northwind.example", DisplayName: name, Enabled: true}
		if _, err := tn.CreateUser(ctx, tenanttest.Actor, u, "Correct horse 1!"); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		by := audit.Actor{Kind: audit.Anonymous, Address: "192.0.2.1"}
		if _, err := tn.SignInUser(ctx, by, "ada@northwind.example", "Correct horse 1!", "", false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tn.IssueGrant(ctx, tenant.Grant{Kind: tenant.GrantDevice}); err != nil {
		t.Fatal(err)
	}
	if err := tn.Store.Update(ctx, func(tx tenant.Tx) error {
		return tx.AppendLog([]tenant.LogEntry{{ID: "entry", JobID: "job", Time: tn.Now()}})
	}); err != nil {
		t.Fatal(err)
	}
}

// rows counts the rows of tables that have any.
func rows(t *testing.T, file string, tables ...string) map[string]int {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was only read
	count := map[string]int{}
	for _, table := range tables {
		var n int
		if err := db.QueryRow("SELECT COUNT(*) FROM " + table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			count[table] = n
		}
	}
	return count
}

// TestAJobThatIsNotRunDoesNotHoldTheJournal makes changes that a paused job has not seen, and waits
// for longer than the journal goes back.
func TestAJobThatIsNotRunDoesNotHoldTheJournal(t *testing.T) {
	ctx := t.Context()
	tn := tenanttest.New(t, "http://127.0.0.1")
	var ahead time.Duration
	tn.Now = func() time.Time { return time.Now().Add(ahead) }
	app, err := tn.Instantiate(ctx, tenanttest.Actor, tenant.Gallery[0], "App")
	if err != nil {
		t.Fatal(err)
	}
	j, err := tn.CreateJob(ctx, tenanttest.Actor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate)
	if err != nil {
		t.Fatal(err)
	}
	job := func() tenant.Job {
		t.Helper()
		now, err := tn.Job(ctx, j.ServicePrincipalID, j.ID)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	left := func() (n int) {
		t.Helper()
		if err := tn.Store.View(ctx, func(r tenant.Reader) error {
			marks, _, err := r.Marks(0)
			n = len(marks)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	read := func(watermark string) {
		t.Helper()
		now := job()
		now.Watermark = watermark
		if err := tn.Store.Update(ctx, func(tx tenant.Tx) error { return tx.PutJob(now) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		u := tenant.User{UserPrincipalName: name + "@northwind.example", DisplayName: name}
		if _, err := tn.CreateUser(ctx, tenanttest.Actor, u, ""); err != nil {
			t.Fatal(err)
		}
	}
	passes := func(d time.Duration) {
		t.Helper()
		for end := ahead + d; ahead < end; {
			ahead = min(end, ahead+20*time.Hour) // a clock that jumps is doubted
			if err := tn.Sweep(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, x := range []struct {
		name, watermark string
		ahead           time.Duration
		after           string
		left            int
	}{
		{"fresh marks stay", "1", tenant.DeltaLife, "1", 4},
		{"what has been read goes", "3", tenant.DeltaLife + 2*time.Hour, "3", 1},
	} {
		read(x.watermark)
		if passes(x.ahead - ahead); job().Watermark != x.after || left() != x.left {
			t.Errorf("%s: the job has read to %q, %d marks are left", x.name, job().Watermark, left())
		}
	}
	for _, name := range []string{"e", "f"} {
		u := tenant.User{UserPrincipalName: name + "@northwind.example", DisplayName: name}
		if _, err := tn.CreateUser(ctx, tenanttest.Actor, u, ""); err != nil {
			t.Fatal(err)
		}
	}
	before := job().Evaluation
	if passes(tenant.DeltaLife + 2*time.Hour); left() != 1 {
		t.Errorf("a job that is paused holds %d marks", left())
	}
	if now := job(); now.Watermark != "" || now.Evaluation == before {
		t.Errorf("the job has read to %q, and would go on from there", now.Watermark)
	}
	if err := tn.Sweep(ctx); err != nil || job().Evaluation != before+1 {
		t.Errorf("it is reset again and again: %v", err)
	}
}
