package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

var notes = fstest.MapFS{
	"00001_notes.sql": {
		Data: []byte(
			"-- +goose Up\nCREATE TABLE notes (id TEXT PRIMARY KEY, text TEXT NOT NULL);\n-- +goose Down\nSELECT 1;\n",
		),
	},
}

func open(t *testing.T) (*DB, *sqliteDB) {
	t.Helper()
	db, err := Open(context.Background(), filepath.Join(t.TempDir(), "notes.db"), notes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, db.engine.(*sqliteDB)
}

func note(db *DB, id string) error {
	return db.Update(
		context.Background(),
		func(t Tx) error { return t.Do(`INSERT INTO notes (id, text) VALUES ($1, $2)`, id, "x") },
	)
}

func count(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.View(context.Background(), func(t Tx) (err error) {
		n, err = t.Count(`SELECT COUNT(*) FROM notes`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAnUpdateIsAnsweredOnlyWhenItIsDurable holds the sync back and sees that nobody is answered,
// those who were refused included.
func TestAnUpdateIsAnsweredOnlyWhenItIsDurable(t *testing.T) {
	db, engine := open(t)
	if err := note(db, "first"); err != nil {
		t.Fatal(err)
	}
	syncing, release := make(chan struct{}), make(chan struct{})
	var synced atomic.Bool
	syncLog := engine.syncLog
	engine.syncLog = func() error {
		syncing <- struct{}{}
		<-release
		synced.Store(true)
		return syncLog()
	}
	answers := make(chan error, 2)
	refusal := errors.New("refused")
	go func() { answers <- note(db, "second") }()
	<-syncing
	select {
	case err := <-answers:
		t.Fatalf("answered before the sync: %v", err)
	default:
	}
	go func() {
		answers <- db.Update(context.Background(), func(t Tx) error {
			if _, err := t.Count(`SELECT COUNT(*) FROM notes WHERE id = 'second'`); err != nil {
				return err
			}
			return refusal // because of what is not durable yet
		})
	}()
	close(release)
	if err := <-answers; err != nil || !synced.Load() {
		t.Errorf("the first answer %v, synced %t", err, synced.Load())
	}
	<-syncing // the refused one waits for a sync of its own
	if err := <-answers; !errors.Is(err, refusal) {
		t.Errorf("the second answer %v", err)
	}
	engine.syncLog = syncLog
}

// TestAFailedSyncStopsCommitsUntilItIsMended: after a sync failed nothing in the log may be relied
// on, so it is folded into the file first.
func TestAFailedSyncStopsCommitsUntilItIsMended(t *testing.T) {
	db, engine := open(t)
	syncLog := engine.syncLog
	engine.syncLog = func() error { return errors.New("input/output error") }
	if err := note(db, "lost or not"); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatalf("a commit that was not synced was answered with %v", err)
	}
	nothing := func(tx Tx) error { _, err := tx.Count(`SELECT COUNT(*) FROM notes`); return err }
	engine.unsynced.Store(false)
	err := db.Update(context.Background(), nothing)
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrUnknownOutcome) {
		t.Errorf("who has only read was answered with %v", err)
	}
	engine.syncLog = syncLog
	if !engine.unsynced.Load() {
		t.Fatal("the failure is forgotten")
	}
	if err := note(db, "after"); err != nil || engine.unsynced.Load() {
		t.Fatalf("serving does not resume: %v", err)
	}
	if n := count(t, db); n != 2 {
		t.Errorf("%d notes, want both", n)
	}
}

// TestManyWritersShareTheirSyncs: one sync serves a group.
func TestManyWritersShareTheirSyncs(t *testing.T) {
	db, engine := open(t)
	var syncs atomic.Int32
	syncLog := engine.syncLog
	// a disk of the slow kind
	engine.syncLog = func() error { syncs.Add(1); time.Sleep(time.Millisecond); return syncLog() }
	const writers, each = 32, 20
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				if err := note(db, fmt.Sprint(w, ".", i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := count(t, db); n != writers*each {
		t.Errorf("%d notes, want %d", n, writers*each)
	}
	if n := syncs.Load(); n > writers*each/2 {
		t.Errorf("%d syncs for %d updates", n, writers*each)
	}
	engine.syncLog = syncLog
}

// TestWhoWasAnsweredTogetherSharesTheNextCommitToo, although one of them comes first and no sync
// keeps it waiting. One who comes alone afterwards is answered too.
func TestWhoWasAnsweredTogetherSharesTheNextCommitToo(t *testing.T) {
	db, engine := open(t)
	const writers = 5
	var all sync.WaitGroup
	begin := func(name string) {
		all.Go(func() {
			if err := note(db, name); err != nil {
				t.Error(err)
			}
		})
	}
	inWriter := func(do func()) {
		if err := db.Update(context.Background(), func(Tx) error { do(); return nil }); err != nil {
			t.Error(err)
		}
	}
	inWriter(func() {
		engine.gather = func(time.Duration) time.Duration { return time.Hour }
		for i := range writers - 1 {
			begin(fmt.Sprint("together ", i))
		}
		for len(engine.queue) < writers-1 {
			time.Sleep(time.Millisecond) // between two looks at who queues
		}
	})
	all.Wait()
	before := engine.version.Load()
	for free := range 2 { // the first one finds no sync on its way, and has begun when the others come
		for len(engine.idle) == free {
			time.Sleep(time.Millisecond) // between two looks at it
		}
		if free == 0 {
			begin("again, first")
		}
	}
	for i := range writers - 1 {
		begin(fmt.Sprint("again ", i))
	}
	all.Wait()
	if n := engine.version.Load() - before; n != 1 {
		t.Errorf("%d updates were made in %d commits", writers, n)
	}
	inWriter(func() { engine.gather = gatherFor })
}

// TestAnUpdateThatFailsAfterItWroteTakesNobodyWithIt runs it in one group with others.
func TestAnUpdateThatFailsAfterItWroteTakesNobodyWithIt(t *testing.T) {
	db, engine := open(t)
	hold, held := make(chan struct{}), make(chan struct{}, 1)
	syncLog := engine.syncLog
	engine.syncLog = func() error {
		select {
		case held <- struct{}{}:
			<-hold
		default:
		}
		return syncLog()
	}
	first := make(chan error, 1)
	go func() { first <- note(db, "first") }()
	<-held // what comes now waits in one group
	boom := errors.New("boom")
	results := make(chan error, 3)
	for i := range 3 {
		go func() {
			results <- db.Update(context.Background(), func(t Tx) error {
				if err := t.Do(`INSERT INTO notes (id, text) VALUES ($1, '')`, fmt.Sprint("n", i)); err != nil {
					return err
				}
				if i == 1 {
					return boom
				}
				return nil
			})
		}()
	}
	close(hold)
	failed := 0
	for range 3 {
		if err := <-results; errors.Is(err, boom) {
			failed++
		} else if err != nil {
			t.Error(err)
		}
	}
	if err := <-first; err != nil || failed != 1 {
		t.Errorf("the first %v, %d failed; want one", err, failed)
	}
	if n := count(t, db); n != 3 {
		t.Errorf("%d notes, want the first and two of three", n)
	}
}

// TestTheLogIsFolded: the write-ahead log does not grow for ever while it is written to, and is
// folded whole when it is quiet.
func TestTheLogIsFolded(t *testing.T) {
	db, engine := open(t)
	engine.maxLog = 4 << 20
	text := strings.Repeat("x", 1<<20)
	pages := func() (n int) {
		t.Helper()
		var busy, folded int
		c, err := engine.open(readerCache)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close() //nolint:errcheck // it only looked
		err = c.query(
			context.Background(), `PRAGMA wal_checkpoint(NOOP)`, nil,
			func(r Row) error { return r.Scan(&busy, &n, &folded) },
		)
		if err != nil {
			t.Fatal(err)
		}
		return n - folded
	}
	most := 0
	for i := range 100 {
		if err := db.Update(context.Background(), func(t Tx) error {
			return t.Do(
				`INSERT INTO notes (id, text) VALUES ('big', $1) ON CONFLICT (id) DO UPDATE SET text = excluded.text`,
				text[:len(text)-i],
			)
		}); err != nil {
			t.Fatal(err)
		}
		most = max(most, pages())
	}
	if most > 90*256 { // 100 MiB were written
		t.Errorf("%d pages were not folded meanwhile", most)
	}
	for deadline := time.Now().Add(time.Minute); pages() > 0; time.Sleep(50 * time.Millisecond) { // between two looks
		if time.Now().After(deadline) {
			t.Fatalf("%d pages are not folded though nobody writes", pages())
		}
	}
	if n := count(t, db); n != 1 {
		t.Errorf("%d notes", n)
	}
}

// TestTheLogIsFoldedWhileLittleIsWritten writes a little, without a pause of a second: the log is
// folded into the file all the same.
func TestTheLogIsFoldedWhileLittleIsWritten(t *testing.T) {
	db, engine := open(t)
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(engine.path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	text, before := strings.Repeat("x", 64<<10), size()
	for began, i := time.Now(), 0; size() == before; i++ {
		if time.Since(began) > 20*time.Second {
			t.Fatalf("after %d writes in %s nothing is folded", i, time.Since(began))
		}
		if err := db.Update(context.Background(), func(t Tx) error {
			return t.Do(`INSERT INTO notes (id, text) VALUES ($1, $2)`, fmt.Sprint(i), text)
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // the pace of a quiet day
	}
}

func TestADatabaseServesOneProcessAndIsSeenBesideIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notes.db")
	first, err := Open(context.Background(), path, notes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), path, notes); !errors.Is(err, ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
	if err := note(first, "seen beside"); err != nil {
		t.Fatal(err)
	}
	beside, err := OpenBeside(context.Background(), path, notes, "notes")
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, beside); n != 1 {
		t.Errorf("%d notes are seen beside the server, want 1", n)
	}
	if err := errors.Join(beside.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	if err := note(first, "late"); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

// TestALostServerIsToldAndComesBack stops PostgreSQL under a running program. What was acknowledged
// is there afterwards, and nobody restarts anything.
func TestALostServerIsToldAndComesBack(t *testing.T) {
	server := sqldbtest.NewServer(t)
	db, err := Open(context.Background(), server.URL(), notes)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the server goes away anyway
	if err := note(db, "before"); err != nil {
		t.Fatal(err)
	}
	server.Stop(t)
	if err := note(db, "meanwhile"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without a server: %v, want ErrUnavailable", err)
	}
	if err := db.View(context.Background(), func(t Tx) error {
		_, err := t.Count(`SELECT COUNT(*) FROM notes`)
		return err
	}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("a view without a server: %v, want ErrUnavailable", err)
	}
	server.Start(t)
	if err := note(db, "after"); err != nil {
		t.Errorf("the server is back: %v", err)
	}
	if n := count(t, db); n != 2 {
		t.Errorf("%d notes, want the two that were acknowledged", n)
	}
}
