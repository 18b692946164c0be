package sqldb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-id/gatehouse/sqldb/sqldbtest"
)

// requires is an update that requires a note, and does something then.
func requires(id string, then func(Tx) error) func(Tx) error {
	return func(t Tx) error {
		if err := t.Require("notes", "id = $1", id); err != nil {
			return err
		}
		return then(t)
	}
}

func writes(id string) func(Tx) error {
	return func(t Tx) error { return t.Do(`INSERT INTO notes (id, text) VALUES ($1, 'x')`, id) }
}

func asksFirst(id string) func(Tx) error {
	return func(t Tx) error {
		if _, err := t.Count(`SELECT COUNT(*) FROM notes WHERE id = $1`, "there"); err != nil {
			return err
		}
		return writes(id)(t)
	}
}

// TestATransactionIsKeptOnlyWithWhatItRequires, on each database, shared with nobody and by itself.
func TestATransactionIsKeptOnlyWithWhatItRequires(t *testing.T) {
	ctx := context.Background()
	lite, _ := open(t)
	shared := openOn(t, sqldbtest.Postgres(t))
	if err := errors.Join(note(lite, "there"), note(shared, "there")); err != nil {
		t.Fatal(err)
	}
	for name, update := range map[string]func(context.Context, func(Tx) error) error{
		"SQLite":            lite.Update,
		"PostgreSQL":        shared.Update,
		"PostgreSQL, alone": shared.engine.(*postgres).updateAlone,
	} {
		no := errors.New("no")
		for i, c := range []struct {
			requires string
			then     func(Tx) error
			want     error
		}{
			{"there", writes(name + " 1"), nil},
			{"there", asksFirst(name + " 2"), nil},
			{"gone", writes(name + " never"), ErrUnmet},
			{"gone", asksFirst(name + " never"), ErrUnmet},
			{"gone", func(Tx) error { return nil }, ErrUnmet},
			{"there", func(Tx) error { return nil }, nil},
			{"there", func(Tx) error { return no }, no},
		} {
			if err := update(ctx, requires(c.requires, c.then)); !errors.Is(err, c.want) {
				t.Errorf("%s, case %d: %v, want %v", name, i, err, c.want)
			}
		}
	}
	for _, db := range []*DB{lite, shared} {
		for id := range texts(t, db) {
			if strings.Contains(id, "never") {
				t.Errorf("kept: %s", id)
			}
		}
	}
	if kept := texts(t, shared); len(kept) != 5 {
		t.Errorf("kept: %v", kept)
	}
}

// TestWhatOneRequiresIsNobodyElsesMatter: updates that share a transaction require the same, what
// is not so, what another one of them deletes, and nothing, in either lane.
func TestWhatOneRequiresIsNobodyElsesMatter(t *testing.T) {
	db := patient(t, sqldbtest.Postgres(t))
	if err := errors.Join(note(db, "there"), note(db, "deleted"), note(db, "late")); err != nil {
		t.Fatal(err)
	}
	inLane := func(id string) func(Tx) error { // asks what depends on what others have written
		return func(t Tx) error {
			if err := writes(id)(t); err != nil {
				return err
			}
			_, err := t.Exec(`UPDATE notes SET text = text || 'y' WHERE id = $1`, "late")
			return err
		}
	}
	no := errors.New("no")
	cases := []struct {
		name string
		fn   func(Tx) error
		want error
	}{
		{"met 1", requires("there", writes("met 1")), nil},
		{"met 2", requires("there", asksFirst("met 2")), nil},
		{"unmet 1", requires("gone", writes("unmet 1")), ErrUnmet},
		{"unmet 2", requires("gone", asksFirst("unmet 2")), ErrUnmet},
		{"unmet 3", requires("lost", writes("unmet 3")), ErrUnmet},
		{"writes nothing", requires("gone", func(Tx) error { return nil }), ErrUnmet},
		{"refused", requires("there", func(Tx) error { return no }), no},
		{"met in order", requires("there", inLane("met 3")), nil},
		{"unmet in order", requires("gone", inLane("unmet 4")), ErrUnmet},
		{"deletes", func(t Tx) error { return t.Do(`DELETE FROM notes WHERE id = $1`, "deleted") }, nil},
		{"after it", requires("deleted", writes("unmet 5")), ErrUnmet},
	}
	updates := make([]func(Tx) error, 0, len(cases)+5)
	for _, c := range cases {
		updates = append(updates, c.fn)
	}
	for i := range 5 {
		updates = append(updates, writes(fmt.Sprint("plain ", i)))
	}
	for i, err := range together(t, db, updates) {
		name, want := "plain", error(nil)
		if i < len(cases) {
			name, want = cases[i].name, cases[i].want
		}
		met := name == "after it" && err == nil // it may have come before
		if !errors.Is(err, want) && !met {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	kept := texts(t, db)
	for _, id := range []string{"unmet 1", "unmet 2", "unmet 3", "unmet 4", "deleted"} {
		if _, ok := kept[id]; ok {
			t.Errorf("%s is kept", id)
		}
	}
	for _, id := range []string{"met 1", "met 2", "met 3", "plain 0", "plain 4", "there"} {
		if _, ok := kept[id]; !ok {
			t.Errorf("%s is not kept", id)
		}
	}
}

// TestWhatManyRequireTravelsOnce, before anything that they write.
func TestWhatManyRequireTravelsOnce(t *testing.T) {
	tx := &pgTx{pending: &pgx.Batch{}}
	g := &group{tx: tx}
	for i, id := range []string{"a", "b", "a", "a"} {
		d := &draft{member: &member{number: i, wrote: true}}
		if err := d.require("SELECT COUNT(*) FROM notes WHERE id = $1", []any{id}); err != nil {
			t.Fatal(err)
		}
		g.drafts = append(g.drafts, d)
	}
	g.drafts = append(g.drafts, &draft{ // refused: nobody asks for it
		member: &member{number: 4}, requires: []statement{{query: "SELECT COUNT(*) FROM notes WHERE id = $1"}},
	})
	g.require()
	if got := fmt.Sprint(tx.whose[0].required, tx.whose[1].required, len(tx.whose)); got != "[0 2 3] [1] 2" {
		t.Error(got)
	}
	if got := tx.pending.QueuedQueries[0].SQL; got != "SELECT 1 / COUNT(*) FROM notes WHERE id = $1" {
		t.Error(got)
	}
}
