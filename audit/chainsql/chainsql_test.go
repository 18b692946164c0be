package chainsql_test

import (
	"testing"
	"testing/fstest"

	"github.com/gatehouse-id/gatehouse/audit/chain"
	"github.com/gatehouse-id/gatehouse/audit/chainsql"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// TestLinesAreReadInTheOrderOfTimeAndKey pages through lines of one moment; package chain's tests
// have the rest, on both engines.
func TestLinesAreReadInTheOrderOfTimeAndKey(t *testing.T) {
	db, err := sqldb.Open(t.Context(), t.TempDir()+"/log.db", fstest.MapFS{"00001_log.sql": {Data: []byte(`-- +goose Up
CREATE TABLE events (seq INTEGER PRIMARY KEY, time BIGINT, request_id TEXT, stranger INTEGER, doc TEXT);
INSERT INTO events VALUES (9, 5, 'r', 0, 'a'), (10, 5, 'r', 1, 'b'), (11, 4, 'r', 0, 'c'), (12, 6, 'r', 0, 'd');
`)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	table := chainsql.Table{Key: "seq", Number: true, Request: "request_id"}
	got := ""
	if err := db.View(t.Context(), func(tx sqldb.Tx) error {
		l := table.Log(tx)
		for after, more := (chain.Place{Time: -1}), true; more; {
			lines, err := l.EventLines(after, 5, true, 2)
			if err != nil {
				return err
			}
			for _, line := range lines {
				got += line.Doc
				after = chain.Place{Time: line.Time, Key: line.Key}
			}
			more = len(lines) > 0
		}
		if _, err := l.EventLinesOf([]string{"x"}); err == nil {
			t.Error("a key that is no number is looked for")
		}
		lines, err := l.EventLinesOf([]string{"10", "13"})
		if err != nil || len(lines) != 1 || !lines[0].Stranger || lines[0].Request != "r" {
			t.Errorf("%+v, %v", lines, err)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got != "cab" {
		t.Errorf("read in the order %q", got)
	}
}
