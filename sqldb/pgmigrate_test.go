package sqldb

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// withMigrations adds migrations to the first, numbered from 2.
func withMigrations(texts ...string) fs.FS {
	all := fstest.MapFS{"00001_notes.sql": notes["00001_notes.sql"]}
	for i, text := range texts {
		all["0000"+string(rune('2'+i))+"_more.sql"] = &fstest.MapFile{
			Data: []byte("-- +goose Up\n" + text + "\n-- +goose Down\nSELECT 1;\n"),
		}
	}
	return all
}

const (
	adds    = "ALTER TABLE notes ADD COLUMN more TEXT NOT NULL DEFAULT '';"
	removes = "-- +gatehouse oldest 2\nALTER TABLE notes DROP COLUMN more;"
)

// TestSeveralNodesMeetAnEmptyDatabase starts eight at once, twice: on nothing, and on the schema of
// the release before.
func TestSeveralNodesMeetAnEmptyDatabase(t *testing.T) {
	dsn := sqldbtest.Postgres(t)
	for _, migrations := range []fs.FS{notes, withMigrations(adds)} {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				db, err := Open(context.Background(), dsn, migrations)
				if err != nil {
					t.Error(err)
					return
				}
				_ = db.Close()
			})
		}
		all.Wait()
	}
	if err := note(openOn(t, dsn), "there"); err != nil {
		t.Error(err)
	}
}

// TestANodeThatIsKilledWhileItMigrates is not waited for.
func TestANodeThatIsKilledWhileItMigrates(t *testing.T) {
	const variable = "GATEHOUSE_MIGRATE"
	slow := withMigrations("CREATE TABLE more (id TEXT PRIMARY KEY);\nSELECT pg_sleep(120);")
	if dsn := os.Getenv(variable); dsn != "" { // the node
		_, err := Open(context.Background(), dsn, slow)
		t.Fatal(err)
	}
	server := sqldbtest.NewServer(t)
	node := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$") // #nosec G204 -- the test itself
	node.Env = append(os.Environ(), variable+"="+server.URL())
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); server.Read(
		t, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(120)%' AND pid <> pg_backend_pid()",
	) == "0"; time.Sleep(10 * time.Millisecond) { // between two looks at the condition
		if time.Now().After(deadline) {
			t.Fatal("the node does not migrate")
		}
	}
	if err := node.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = node.Wait()
	began := time.Now()
	db, err := Open(
		context.Background(), server.URL(), withMigrations("CREATE TABLE more (id TEXT PRIMARY KEY);"),
		Tell(func(text string) { t.Log(text) }),
	)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it only migrated
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the next node starts after %s", took)
	} else {
		t.Logf("the next node starts after %s", took)
	}
}

// TestANodeSaysWhomItWaitsFor, and goes on when that one is done.
func TestANodeSaysWhomItWaitsFor(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	openOn(t, dsn)
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx) //nolint:errcheck // the test is over
	for _, statement := range []string{
		"UPDATE gatehouse_schema SET note = 'process 7 at elsewhere' WHERE id = 3", "BEGIN",
		"SELECT id FROM gatehouse_schema WHERE id = 1 FOR UPDATE",
	} {
		if _, err := c.Exec(ctx, statement); err != nil {
			t.Fatal(err)
		}
	}
	told := make(chan string, 16)
	opened := make(chan error, 1)
	go func() {
		db, err := Open(ctx, dsn, withMigrations(adds), Tell(func(text string) { told <- text }))
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}()
	if text := <-told; !strings.Contains(text, "process 7 at elsewhere") {
		t.Errorf("it says %q", text)
	}
	select {
	case err := <-opened:
		t.Fatalf("it did not wait: %v", err)
	default:
	}
	if _, err := c.Exec(ctx, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// TestANodeThatStartsBeforeItsServerWaits, and says so, where somebody is told. A server that
// refuses it is not waited for.
func TestANodeThatStartsBeforeItsServerWaits(t *testing.T) {
	ctx := context.Background()
	server := sqldbtest.NewServer(t)
	server.Stop(t)
	if db, err := Open(ctx, server.URL(), withMigrations(adds)); err == nil {
		t.Errorf("where nobody is told: %v", errors.Join(err, db.Close()))
	}
	told := make(chan string, 16)
	opened := make(chan error, 1)
	open := func(dsn string) {
		db, err := Open(ctx, dsn, withMigrations(adds), Tell(func(text string) { told <- text }))
		if err == nil {
			err = db.Close()
		}
		opened <- err
	}
	go open(server.URL())
	if text := <-told; !strings.Contains(text, "not ready yet") {
		t.Errorf("it says %q", text)
	}
	server.Start(t)
	if err := <-opened; err != nil {
		t.Error(err)
	}
	open(strings.Replace(server.URL(), "/postgres?", "/nothing?", 1))
	if err := <-opened; err == nil || len(told) != 0 {
		t.Errorf("a database that is not there: %v, and was waited for %d times", err, len(told))
	}
}

// TestAnOlderReleaseServesFromWhatWasAdded, and not from what it would miss.
func TestAnOlderReleaseServesFromWhatWasAdded(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	serve := func(migrations fs.FS) (told string, err error) {
		t.Helper()
		db, err := Open(ctx, dsn, migrations, Tell(func(text string) { told += text }))
		if err != nil {
			return told, err
		}
		return told, errors.Join(note(db, time.Now().String()), db.Close())
	}
	first := fs.FS(notes)
	second, third := withMigrations(adds), withMigrations(adds, removes)
	for _, step := range []struct {
		release fs.FS
		says    string
		err     error
	}{
		{first, "", nil},
		{second, "", nil},
		{first, "schema 2 of a newer release. This one knows 1", nil},
		{third, "", nil},
		{second, "schema 3 of a newer release. This one knows 2", nil},
		{first, "", ErrNewerSchema},
		{third, "", nil},
	} {
		told, err := serve(step.release)
		if !errors.Is(err, step.err) || (step.says == "") != (told == "") || !strings.Contains(told, step.says) {
			t.Errorf("%v, told %q; want %v, %q", err, told, step.err, step.says)
		}
	}
}

// TestAMigrationWaitsForNobodyLong: a long query is in the way of a change of its table. The change
// gives way, so that others do not queue behind it, and is made when the query is over.
func TestAMigrationWaitsForNobodyLong(t *testing.T) {
	dsn, ctx := sqldbtest.Postgres(t), context.Background()
	db := openOn(t, dsn)
	if err := note(db, "there"); err != nil {
		t.Fatal(err)
	}
	reading, read := make(chan struct{}), make(chan error, 1)
	go func() {
		read <- db.View(ctx, func(t Tx) error {
			err := t.Query(`SELECT id FROM notes`, nil, func(Row) error { return nil })
			close(reading)
			if err != nil {
				return err
			}
			var nothing string
			return t.Row(`SELECT CAST(pg_sleep(4) AS TEXT)`, nil, &nothing)
		})
	}()
	<-reading
	migrated := make(chan error, 1)
	go func() {
		db, err := Open(ctx, dsn, withMigrations(adds))
		if err == nil {
			err = db.Close()
		}
		migrated <- err
	}()
	var longest time.Duration
	for waiting := true; waiting; {
		began := time.Now()
		if err := note(db, began.String()); err != nil {
			t.Error(err)
		}
		longest = max(longest, time.Since(began))
		select {
		case err := <-migrated:
			if waiting = false; err != nil {
				t.Error(err)
			}
		default:
		}
	}
	if err := <-read; err != nil {
		t.Error(err)
	}
	if longest > 3500*time.Millisecond {
		t.Errorf("a write waited %s behind the migration", longest)
	}
}
