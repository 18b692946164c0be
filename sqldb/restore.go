package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// ErrOccupied says that a database is where one was to be restored.
var ErrOccupied = errors.New("a database already exists")

// ErrProblems is wrapped by what a half says of a copy in which its check has found something.
var ErrProblems = errors.New("the data is damaged")

// The names of the copy that is to become the database, and of what was there before.
const (
	copySuffix = ".new"
	keptSuffix = ".before-"
)

// Restoration is a backup that is to become a database.
type Restoration struct {
	Backup     string // the file
	Database   string // where to: a postgres:// URL or the path of an SQLite file
	Folder     string // on PostgreSQL: where the backup is copied to and looked at
	Kept       string // on PostgreSQL: what was there is kept beside this name
	Migrations fs.FS
	Table      string // one that no other backups have
	Occupied   string // on PostgreSQL: a query that finds a row where there is data
	Replace    bool   // whether data that is there gives way
	// Verify opens the copy, which may be of an earlier schema, and looks at all of it. What it
	// refuses is not restored.
	Verify func(ctx context.Context, copied string) error
	// Unread is told, if it is not nil, why what was there could not be read, and is not kept.
	Unread func(error)
	// Progress is told how much is done, if it is not nil.
	Progress func(done, total int)
	// Step, if it is not nil, is called before each thing that a kill could leave undone.
	Step func(what string)
}

// Restore makes a backup a database. Nothing that is there is touched until a copy of the backup
// has been verified and is on the disk.
//
// Over an SQLite database, the file that is there is never opened, since a damaged one is what
// people restore over: it gets another name, which is returned, and so do its logs, which SQLite
// would otherwise play into the new one. A kill at any moment leaves the old database with its
// logs, the whole backup, or no database beside remains, which Open does not take for a new
// beginning; the same call again then goes through. It fails with ErrInUse while a process serves
// from it.
//
// In PostgreSQL, a backup of what is there is written beside Kept first, which is returned too.
func Restore(ctx context.Context, r Restoration) (kept string, err error) {
	if r.Progress == nil {
		r.Progress = func(int, int) {}
	}
	if r.Unread == nil {
		r.Unread = func(error) {}
	}
	if r.Step == nil {
		r.Step = func(string) {}
	}
	if IsPostgres(r.Database) {
		return r.intoPostgres(ctx)
	}
	if r.Database, err = resolve(r.Database); err != nil {
		return "", err
	}
	fresh := r.Database + copySuffix
	if err := r.checkNames(); err != nil {
		return "", err
	}
	_, free := os.Lstat(r.Database + lockSuffix)
	lock, err := lockBeside(r.Database) // no server may begin in between
	if err != nil {
		return "", err
	}
	defer func() {
		if missing, _ := Missing(r.Database); missing &&
			free != nil { // a lock without a database says that one is lost
			err = errors.Join(err, os.Remove(r.Database+lockSuffix))
		}
		err = errors.Join(err, lock.Close())
	}()
	if err := r.prepare(ctx, fresh); err != nil {
		return "", errors.Join(err, removeCopy(fresh))
	}
	return r.swap(fresh)
}

// checkNames refuses what would be restored over itself, and what may not be replaced.
func (r *Restoration) checkNames() error {
	from, err := os.Stat(r.Backup)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoBackup, err)
	}
	if !from.Mode().IsRegular() { // before it is opened: a pipe would wait
		return fmt.Errorf("%w: it is no file", errNoBackup)
	}
	for _, suffix := range append([]string{copySuffix}, besideSuffixes...) {
		if to, err := os.Stat(r.Database + suffix); err == nil && os.SameFile(from, to) {
			return fmt.Errorf("%w: it is %s itself; give it another name first", errNoBackup, r.Database+suffix)
		}
	}
	if _, err := os.Lstat(r.Database); err == nil && !r.Replace {
		return ErrOccupied
	}
	return nil
}

// prepare makes a copy of the backup that is whole, verified, of this release's schema, and on the
// disk.
func (r *Restoration) prepare(ctx context.Context, fresh string) error {
	r.Step("remove an earlier copy")
	if err := removeCopy(fresh); err != nil {
		return err
	}
	r.Step("copy")
	if err := copyBackup(ctx, r.Backup, fresh, r.Progress); err != nil {
		return err
	}
	r.Step("fold the copy's log")
	if err := settle(ctx, fresh, "application_id = 0", "user_version = 0"); err != nil {
		return notRestorable(err)
	}
	if err := r.checkKind(fresh); err != nil {
		return err
	}
	r.Step("verify")
	if err := r.Verify(ctx, fresh); err != nil {
		return err
	}
	r.Step("fold the verified copy's log")
	if err := settle(ctx, fresh); err != nil {
		return err
	}
	if err := os.Remove(fresh + lockSuffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r.Step("sync the copy")
	return errors.Join(syncFile(fresh), syncFolder(filepath.Dir(fresh)))
}

// notRestorable keeps apart what is wrong with the copy from what is wrong with the disk.
func notRestorable(err error) error {
	if !isDamaged(err) && errors.Is(sqliteError(err), ErrUnavailable) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", errNoBackup, err)
}

// checkKind refuses a database of something else, which migrations would make one of ours.
func (r *Restoration) checkKind(path string) (err error) {
	c, err := sqlite.OpenConn(path, sqlite.OpenReadOnly)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	found := false
	err = sqlitex.ExecuteTransient(
		c, `SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?`,
		&sqlitex.ExecOptions{
			Args:       []any{r.Table},
			ResultFunc: func(*sqlite.Stmt) error { found = true; return nil },
		},
	)
	if err != nil {
		return notRestorable(err)
	}
	if !found {
		return fmt.Errorf("%w: it has other data (no table %s)", errNoBackup, r.Table)
	}
	return nil
}

// swap puts the copy in the place of the database. First all old files get a second name, so that
// they stay together whatever happens next; then the database loses its own before its logs do,
// since a database without its log would be an older one, or no whole one.
func (r *Restoration) swap(fresh string) (kept string, err error) {
	path, folder := r.Database, filepath.Dir(r.Database)
	name, err := freeName(path)
	if err != nil {
		return "", err
	}
	for _, suffix := range besideSuffixes {
		r.Step("keep " + suffix)
		switch err := os.Link(path+suffix, name+suffix); {
		case errors.Is(err, fs.ErrNotExist):
		case err == nil:
			kept = name
		default: // some file systems have no links: there, a kill may leave old files under two names
			if err := os.Rename(path+suffix, name+suffix); err != nil {
				return "", err
			}
			kept = name
		}
	}
	r.Step("sync what is kept")
	if err := syncFolder(folder); err != nil {
		return "", err
	}
	for _, suffix := range besideSuffixes {
		r.Step("remove " + suffix)
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if suffix == "" { // the order must be the disk's too
			if err := syncFolder(folder); err != nil {
				return "", err
			}
		}
	}
	r.Step("sync before the new name")
	if err := syncFolder(folder); err != nil {
		return "", err
	}
	r.Step("rename")
	if err := os.Rename(fresh, path); err != nil {
		return "", err
	}
	r.Step("sync the new name")
	return kept, syncFolder(folder)
}

// freeName is where what was there is kept: a name that tells when.
func freeName(path string) (string, error) {
	name := path + keptSuffix + time.Now().UTC().Format("20060102T150405Z")
	for try := 1; ; try++ {
		candidate := name
		if try > 1 {
			candidate = fmt.Sprintf("%s-%d", name, try)
		}
		free := true
		for _, suffix := range besideSuffixes {
			_, err := os.Lstat(candidate + suffix)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return "", err
			}
			free = free && err != nil
		}
		if free {
			return candidate, nil
		}
	}
}
