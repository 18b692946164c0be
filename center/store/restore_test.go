package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/centertest"
	"github.com/gatehouse-id/gatehouse/center/store"
)

// people opens the data at path, makes users of some names, and returns how many there are.
func people(t *testing.T, path string, names ...string) int {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	c := centertest.On(t, s, "http://127.0.0.1")
	for _, name := range names {
		_, made := c.CreateUser(ctx, centertest.Actor, centertest.Person(name))
		err = errors.Join(err, made)
	}
	n, counted := c.CountUsers(ctx, center.UserQuery{})
	if err := errors.Join(err, counted, s.Close()); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOnlyAGoodBackupIsRestored(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	opens := func(center.Reader) error { return nil }
	folder := t.TempDir()
	backup, data := filepath.Join(folder, "backup.db"), filepath.Join(folder, "center.db")
	people(t, backup, "ada@example.com", "bob@example.com")
	people(t, data, "eva@example.com")

	garbage, damaged := filepath.Join(folder, "garbage.db"), filepath.Join(folder, "damaged.db")
	if err := os.WriteFile(garbage, []byte("SQLite format 3\x00 but not really"), 0o600); err != nil {
		t.Fatal(err)
	}
	people(t, damaged, "ada@example.com")
	s, err := store.Open(ctx, damaged)
	if err == nil {
		err = errors.Join(s.Damage(ctx, `UPDATE users SET user_name = 'somebody else'`), s.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	wrongKey := errors.New("another master key")
	for name, c := range map[string]struct {
		file    string
		replace bool
		opens   func(center.Reader) error
		want    string
	}{
		"no database":        {garbage, true, opens, "is not a backup that can be restored"},
		"nothing":            {filepath.Join(folder, "x"), true, opens, "is not a backup that can be restored"},
		"damaged":            {damaged, true, opens, "the data is damaged: "},
		"another master key": {backup, true, func(center.Reader) error { return wrongKey }, wrongKey.Error()},
		"over other data":    {backup, false, opens, store.ErrOccupied.Error()},
	} {
		_, err := store.Restore(
			ctx, store.Restoration{Backup: c.file, Database: data, Replace: c.replace, Opens: c.opens},
		)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if n := people(t, data); n != 1 {
		t.Errorf("after refusals there are %d users, want the 1 that was there", n)
	}

	elsewhere := filepath.Join(folder, "accepted.db")
	r := store.Restoration{Backup: damaged, Database: elsewhere, Accept: true, Opens: opens}
	if _, err := store.Restore(ctx, r); err != nil {
		t.Errorf("what breaks a rule and is accepted: %v", err)
	}
	r.Backup = garbage
	if _, err := store.Restore(ctx, r); err == nil {
		t.Error("a damaged file is accepted")
	}

	asked := 0
	count := func(r center.Reader) error {
		asked++
		_, err := r.AccessKeys()
		return err
	}
	kept, err := store.Restore(
		ctx, store.Restoration{Backup: backup, Database: data, Replace: true, Opens: count},
	)
	if err != nil || asked != 1 {
		t.Fatalf("asked %d times, %v", asked, err)
	}
	if now, before := people(t, data), people(t, kept); now != 2 || before != 1 {
		t.Errorf("%d users, and %d in the data before; want 2 and 1", now, before)
	}
}
