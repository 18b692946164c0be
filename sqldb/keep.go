package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"zombiezen.com/go/sqlite"
)

// RestoreCopy is what the names of files begin with that a restore into PostgreSQL needs while it
// runs.
const RestoreCopy = "restore.db"

// keep writes a backup of what a transaction is about to replace, so that nobody can change it in
// between. It gets its name before anything is replaced; the name is returned. What cannot be read,
// which is what people restore over, is not kept. If it cannot be written, nothing may be replaced.
func (r *Restoration) keep(ctx context.Context, tx pgx.Tx) (kept string, err error) {
	r.Step("copy what is there")
	partial := filepath.Join(r.Folder, RestoreCopy+keptSuffix+"copy")
	if err := removeCopy(partial); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, removeCopy(partial)) }()
	f, err := os.OpenFile(partial, os.O_CREATE|os.O_EXCL, 0o600) // #nosec G304 -- in the operator's folder
	if err != nil {
		return "", notKept(err)
	}
	if err := errors.Join(belong(f), f.Close()); err != nil {
		return "", notKept(err)
	}

	reading, err := tx.Begin(ctx) // a savepoint: a failure to read is not the end of the transaction
	if err != nil {
		return "", err
	}
	err = copyAll(ctx, reading, partial, Copying{Migrations: r.Migrations, Progress: func(int, int) {}})
	if back := reading.Rollback(ctx); back != nil {
		return "", errors.Join(err, back)
	}
	if isUnreadable(err) {
		r.Unread(err)
		return "", nil
	}
	if err != nil {
		return "", notKept(err)
	}

	r.Step("seal what is there")
	if err := seal(ctx, partial); err != nil {
		return "", notKept(err)
	}
	name, err := freeName(r.Kept)
	if err != nil {
		return "", notKept(err)
	}
	r.Step("name what is there")
	if err := errors.Join(nameAnew(partial, name), syncFolder(filepath.Dir(name))); err != nil {
		return "", notKept(err)
	}
	return name, nil
}

func notKept(err error) error {
	return fmt.Errorf("what is there could not be written down, so nothing was replaced: %w", err)
}

// isUnreadable says whether data is damaged, as opposed to a server that is away or a disk here
// that is full: the server cannot read it, or the copy's tables do not take it.
func isUnreadable(err error) bool {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return fateOfCode(said) == refused || strings.HasPrefix(said.Code, "58") // of its files
	}
	return sqlite.ErrCode(err).ToPrimary() == sqlite.ResultConstraint
}
