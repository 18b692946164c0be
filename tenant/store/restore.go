package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// ErrOccupied says that there is data where a backup was to be restored.
var ErrOccupied = sqldb.ErrOccupied

// OpenBeside opens the store to look at it, also while another process serves from it; see
// sqldb.OpenBeside.
func OpenBeside(ctx context.Context, dsn string) (*Store, error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, err
	}
	db, err := sqldb.OpenBeside(ctx, dsn, dir, ownTable)
	if err != nil {
		return nil, err
	}
	return &Store{db}, nil
}

// Backup writes a consistent copy to a new file while the store is in use; see sqldb.DB.Backup. The
// copy is checked as a restore will check it. With accept, objects that break a rule are no reason
// to have no backup; a database that is damaged always is.
func (s *Store) Backup(ctx context.Context, path string, accept bool, progress func(done, total int)) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	verify := func(ctx context.Context, copied string) error { return checkCopy(ctx, copied, accept, nil) }
	return s.db.Backup(ctx, path, sqldb.Copying{Migrations: dir, Verify: verify, Progress: progress})
}

// BackupBeside is Backup of the data at dsn, which others may serve from.
func BackupBeside(
	ctx context.Context, dsn, path string, accept bool, progress func(done, total int),
) error {
	s, err := OpenBeside(ctx, dsn)
	if err != nil {
		return err
	}
	defer s.Close() //nolint:errcheck // nothing was written to it
	return s.Backup(ctx, path, accept, progress)
}

// Restoration is a backup that is to become a tenant's data.
type Restoration struct {
	Backup   string // the file
	Database string // where to: a postgres:// URL or the path of an SQLite file
	Beside   string // on PostgreSQL: the path of a file beside which copies are made, and what was there is kept
	Replace  bool   // whether data that is there gives way
	Accept   bool   // whether objects that break a rule are restored too; a damaged database never is
	// Opens says whether secrets that the backup has can be opened: without its master key it would
	// be worth little.
	Opens func(tenant.Reader) error
	// Unread is told why what was there could not be read, and is not kept.
	Unread func(error)
	// Progress is told how much is done, if it is not nil.
	Progress func(done, total int)
}

// Restore makes a backup the data of a tenant, as sqldb.Restore does it. Nothing is changed by a
// backup that is damaged, of a newer release, of something else, or refused by Opens.
func Restore(ctx context.Context, r Restoration) (kept string, err error) {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return "", err
	}
	kept, err = sqldb.Restore(ctx, sqldb.Restoration{
		Backup:     r.Backup,
		Database:   r.Database,
		Folder:     filepath.Dir(r.Beside),
		Kept:       r.Beside,
		Unread:     r.Unread,
		Migrations: dir,
		Table:      ownTable,
		Occupied:   `SELECT doc FROM documents WHERE kind = '` + kindOrganization + `'`,
		Replace:    r.Replace,
		Verify: func(ctx context.Context, copied string) error {
			if err := checkCopy(ctx, copied, r.Accept, r.Opens); err != nil {
				return err
			}
			return restored(ctx, copied)
		},
		Progress: r.Progress,
	})
	if err != nil && !errors.Is(err, ErrOccupied) && !errors.Is(err, sqldb.ErrInUse) {
		err = fmt.Errorf("%s was not restored: %w", r.Backup, err)
	}
	return kept, err
}

// restored prepares a copy to be the data of a tenant.
func restored(ctx context.Context, path string) (err error) {
	s, err := Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Update(ctx, tenant.Restored)
}

// checkCopy brings a copy to this release's schema and looks at all of it.
func checkCopy(ctx context.Context, path string, accept bool, opens func(tenant.Reader) error) (err error) {
	s, err := Open(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	check := s.db.Check
	if !accept {
		check = func(ctx context.Context) ([]string, error) { return s.Check(ctx, func(int) {}) }
	}
	problems, err := check(ctx)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %s", sqldb.ErrProblems, strings.Join(problems, "; "))
	}
	if opens == nil {
		return nil
	}
	return s.View(ctx, opens)
}
