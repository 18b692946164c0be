package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// ErrOccupied says that a database is where one was to be restored.
var ErrOccupied = errors.New("a database already exists")

// Restore makes a copy of a backup the SQLite database at path. An existing database is refused
// with ErrOccupied, unless replace is set: then it stays beside the new one, under the name that is
// returned. Restore fails with ErrInUse while a process serves from it.
//
// After a crash at any point the old database or the whole backup is at path: the copy is on the
// disk before anything else changes, and takes the place of the old file in one step. When Restore
// returns, the folder is on the disk too.
func Restore(
	ctx context.Context, backup, path string, migrations fs.FS, replace bool,
) (kept string, err error) {
	_, err = os.Lstat(path)
	occupied := err == nil
	if occupied && !replace {
		return "", ErrOccupied
	}
	if occupied {
		if err := foldIfSound(ctx, path, migrations); err != nil {
			return "", err
		}
	}
	lock, err := lockBeside(path) // no server may begin in between
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	fresh := path + ".new"
	if err := copyFile(backup, fresh); err != nil {
		return "", err
	}
	kept = path + ".before-" + time.Now().UTC().Format("20060102T150405Z")
	if err := setAside(path, kept, occupied); err != nil {
		return "", errors.Join(err, os.Remove(fresh))
	}
	if err := os.Rename(fresh, path); err != nil {
		return "", err
	}
	if !occupied {
		kept = ""
	}
	return kept, syncFolder(filepath.Dir(path))
}

// foldIfSound folds the log of a database into its file, which then is the whole database. It is no
// matter if that fails, but for a process that serves from it: a damaged one is what people restore
// over, and its log is kept with it.
func foldIfSound(ctx context.Context, path string, migrations fs.FS) error {
	old, err := Open(ctx, path, migrations)
	if errors.Is(err, ErrInUse) || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	if err == nil {
		_ = old.Close()
	}
	return nil
}

// setAside gives a database a second name, beside the one that is about to be replaced, and moves
// what is left of its log there too: SQLite would take that for the new database's.
func setAside(path, kept string, occupied bool) error {
	if occupied {
		if _, err := os.Lstat(kept); err == nil {
			return fmt.Errorf("%s already exists", kept)
		}
		// Some file systems have no links: there, the file has no name of its own for a moment.
		if os.Link(path, kept) != nil {
			if err := os.Rename(path, kept); err != nil {
				return err
			}
		}
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Rename(path+suffix, kept+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyFile copies a file to a new one that nobody else may read, and that is on the disk when it
// returns. A copy that was interrupted goes.
func copyFile(from, to string) error {
	in, err := os.Open(from) // #nosec G304 -- named by the person who runs the command
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// #nosec G304 -- in the operator's own data folder
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return errors.Join(err, os.Remove(to))
	}
	return nil
}

// syncFolder has the names in a folder on the disk. Windows does so by itself, and opens no folder.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(path) // #nosec G304 -- the operator's own data folder
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
