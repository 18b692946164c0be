package sqldb

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// ledgerWith makes a database with so many rows, and returns them.
func ledgerWith(t *testing.T, dsn string, n int) []ledgerRow {
	t.Helper()
	db := openLedger(t, dsn)
	if err := fill(db, n); err != nil {
		t.Fatal(err)
	}
	rows := rowsOf(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return rows
}

// wantLedger looks whether a database has these rows.
func wantLedger(t *testing.T, name, dsn string, want []ledgerRow) {
	t.Helper()
	db := openLedger(t, dsn)
	if got := rowsOf(t, db); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %d rows, want %d, or others", name, len(got), len(want))
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestWhatWasInPostgreSQLIsKept restores over data: a backup of that is written first, and can be
// restored. Where it cannot be written, nothing is replaced; what cannot be read is replaced, and
// the command is told why.
func TestWhatWasInPostgreSQLIsKept(t *testing.T) {
	server, folder := sqldbtest.NewServer(t), t.TempDir()
	dsn := server.URL()
	source := filepath.Join(t.TempDir(), "ledger.db")
	restoredRows := ledgerWith(t, source, 50)
	db := openLedger(t, source)
	r := ledgerRestoration(backupLedger(t, db), dsn, folder)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	old := ledgerWith(t, dsn, 7)
	var unread error
	r.Replace, r.Unread = true, func(err error) { unread = err }

	r.Kept = filepath.Join(folder, "no folder", "ledger.db")
	_, err := Restore(context.Background(), r)
	if err == nil || !strings.Contains(err.Error(), "nothing was replaced") {
		t.Errorf("where nothing can be written: %v", err)
	}
	wantLedger(t, "where nothing can be written", dsn, old)

	r.Kept = filepath.Join(folder, "ledger.db")
	kept, err := Restore(context.Background(), r)
	if err != nil || !strings.HasPrefix(kept, r.Kept+keptSuffix) || unread != nil {
		t.Fatalf("kept as %q, %v, %v", kept, err, unread)
	}
	wantLedger(t, "restored", dsn, restoredRows)
	if info, err := os.Stat(kept); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s is %v, %v", kept, info.Mode(), err)
	}
	if found := left(t, folder+"/"); len(found) != 1 {
		t.Errorf("in the folder there are %v", found)
	}
	r.Backup = kept
	if _, err := Restore(context.Background(), r); err != nil {
		t.Fatal(err)
	}
	wantLedger(t, "what was there", dsn, old)

	at := filepath.Join(
		server.Read(t, `SELECT setting FROM pg_settings WHERE name = 'data_directory'`),
		server.Read(t, `SELECT pg_relation_filepath('pairs')`),
	)
	server.Stop(t)
	write(t, at, bytes.Repeat([]byte{0xff}, 2*8192))
	server.Start(t)
	again, err := Restore(context.Background(), r)
	if err != nil || again != "" || unread == nil {
		t.Errorf("what cannot be read: %q, %v, told %v", again, err, unread)
	}
	wantLedger(t, "over what cannot be read", dsn, old)
}

// TestAServerDoesNotEndARestoreThatSeals: a server may end transactions in which nothing is asked
// for a while, and what is there is read anew, and written down, while one is open.
func TestAServerDoesNotEndARestoreThatSeals(t *testing.T) {
	server, folder := sqldbtest.NewServer(t), t.TempDir()
	source := filepath.Join(t.TempDir(), "ledger.db")
	rows := ledgerWith(t, source, 5)
	db := openLedger(t, source)
	r := ledgerRestoration(backupLedger(t, db), server.URL(), folder)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	ledgerWith(t, server.URL(), 7)
	server.Exec(t, `ALTER SYSTEM SET idle_in_transaction_session_timeout = '50ms'; SELECT pg_reload_conf()`)
	r.Replace, r.Kept = true, filepath.Join(folder, "ledger.db")
	r.Step = func(what string) {
		if what == "seal what is there" {
			server.Read(t, `SELECT pg_sleep(1)`) // as a large one takes
		}
	}
	if kept, err := Restore(context.Background(), r); err != nil || kept == "" {
		t.Fatalf("kept as %q, %v", kept, err)
	}
	wantLedger(t, "restored", server.URL(), rows)
}
