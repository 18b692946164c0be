package sqldb

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// A backup is an SQLite database, whichever engine it was taken from. Its header says that it is
// one of ours (application id) and of which format (user version); behind the last page stands a
// line with the SHA-256 of all that comes before. SQLite reads the number of pages from the header
// and does not look at that line. Backups of earlier releases, and copies of a database that was
// not in use, have neither mark nor line, and are restored too.
const (
	backupMark   = 0x47484266 // "GHBf"
	backupFormat = 1
	sealPrefix   = "\ngatehouse backup, sha256 "
	sealSize     = len(sealPrefix) + 2*sha256.Size + 1 //bound:none a format, not a bound

	formatOffset = 60  // of the user version in SQLite's header: sqlite.org/fileformat2.html, 1.3
	markOffset   = 68  // of the application id
	headerSize   = 100 //bound:none a format, not a bound
)

// errNoBackup says that a file cannot be restored, whatever else is right.
var errNoBackup = errors.New("it is not a backup that can be restored")

// seal marks a finished copy as a backup, writes its checksum, and puts it on the disk.
func seal(ctx context.Context, path string) (err error) {
	pragmas := []string{fmt.Sprintf("application_id = %d", backupMark), fmt.Sprintf("user_version = %d", backupFormat)}
	if err := settle(ctx, path, pragmas...); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0) // #nosec G304 -- our own copy
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	digest := sha256.New()
	if _, err := io.Copy(digest, contextReader{ctx, f}); err != nil {
		return err
	}
	if _, err := f.WriteString(sealPrefix + hex.EncodeToString(digest.Sum(nil)) + "\n"); err != nil {
		return err
	}
	return f.Sync()
}

// logSuffixes are the files that SQLite keeps beside a database and plays into it when it opens it:
// the write-ahead log, or the journal of a transaction that did not end.
var logSuffixes = []string{"-wal", "-journal"}

// besideSuffixes are all files that belong to a database.
var besideSuffixes = append([]string{"", "-shm"}, logSuffixes...)

// lockSuffix is the file whose lock a process holds that serves from a database.
const lockSuffix = ".lock"

// copyBackup copies a backup, and proves its checksum on the way. A file without one is taken to be
// a database that was copied by hand, and its logs come with it.
func copyBackup(ctx context.Context, from, to string, progress func(done, total int)) error {
	in, err := os.Open(from) // #nosec G304 -- named by the person who runs the command
	if err != nil {
		return fmt.Errorf("%w: %w", errNoBackup, err)
	}
	defer in.Close() //nolint:errcheck // it was only read
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: it is no file", errNoBackup)
	}
	want, err := sealOf(in, info.Size())
	if err != nil {
		return err
	}
	size := info.Size()
	if want != "" {
		size -= int64(sealSize)
	}
	digest := sha256.New()
	source := io.TeeReader(io.NewSectionReader(in, 0, size), digest)
	if err := writeCopy(contextReader{ctx, source}, to, size, progress); err != nil {
		return err
	}
	if want != "" {
		if hex.EncodeToString(digest.Sum(nil)) != want {
			return fmt.Errorf("%w: its checksum is wrong: it was damaged after it was written", errNoBackup)
		}
		return nil
	}
	for _, suffix := range logSuffixes {
		err := copyLog(ctx, from+suffix, to+suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// sealOf reads the checksum that stands at the end of a backup; it is empty in a file of another
// origin. A backup that has lost it is refused.
func sealOf(f io.ReaderAt, size int64) (string, error) {
	header := make([]byte, headerSize)
	if _, err := f.ReadAt(header, 0); err != nil {
		return "", fmt.Errorf("%w: it is too short for one", errNoBackup)
	}
	if string(header[:16]) != "SQLite format 3\x00" {
		return "", fmt.Errorf("%w: it has another format", errNoBackup)
	}
	line := make([]byte, sealSize)
	if _, err := f.ReadAt(line, max(0, size-int64(sealSize))); err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	digest, found := strings.CutPrefix(string(line), sealPrefix)
	switch {
	case found:
	case binary.BigEndian.Uint32(header[markOffset:]) == backupMark:
		return "", fmt.Errorf("%w: its end is missing", errNoBackup)
	default:
		return "", nil
	}
	if format := binary.BigEndian.Uint32(header[formatOffset:]); format > backupFormat {
		return "", fmt.Errorf("%w: its format is %d, and this release reads %d", errNoBackup, format, backupFormat)
	}
	return strings.TrimSuffix(digest, "\n"), nil
}

func copyLog(ctx context.Context, from, to string) error {
	in, err := os.Open(from) // #nosec G304 -- beside what the person named
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	return writeCopy(contextReader{ctx, in}, to, 0, nil)
}

// writeCopy writes a new file that nobody else may read, and that is on the disk when it returns.
func writeCopy(from io.Reader, to string, size int64, progress func(done, total int)) error {
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- in the operator's folder
	if err != nil {
		return err
	}
	var target io.Writer = out
	if progress != nil {
		target = &progressWriter{out, 0, size, progress}
	}
	_, err = io.Copy(target, from)
	return errors.Join(err, belong(out), out.Sync(), out.Close())
}

// progressWriter tells how many KiB have been written.
type progressWriter struct {
	io.Writer
	done, total int64
	progress    func(done, total int)
}

func (w *progressWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	w.done += int64(n)
	w.progress(int(w.done>>10), int(w.total>>10))
	return n, err
}

// contextReader ends a long copy when its command is ended.
type contextReader struct {
	ctx context.Context //nolint:containedctx // it lives as long as the call that it belongs to
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// settle plays the logs of a copy into it, after which its one file is all of it, and sets what
// else is asked for. The copy must be nobody else's.
func settle(ctx context.Context, path string, pragmas ...string) (err error) {
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.SetInterrupt(ctx.Done())
	mode := ""
	err = sqlitex.ExecuteTransient(c, "PRAGMA journal_mode = delete", &sqlitex.ExecOptions{
		ResultFunc: func(s *sqlite.Stmt) error { mode = s.ColumnText(0); return nil },
	})
	if err == nil && mode != "delete" {
		err = fmt.Errorf("its log cannot be folded: its mode stays %s", mode)
	}
	for _, p := range pragmas {
		if err == nil {
			err = sqlitex.ExecuteTransient(c, "PRAGMA "+p, nil)
		}
	}
	return err
}

// removeCopy removes a copy and all that stands beside it.
func removeCopy(path string) (err error) {
	for _, suffix := range append([]string{lockSuffix}, besideSuffixes...) {
		if gone := os.Remove(path + suffix); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// syncFile puts a file on the disk.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0) // #nosec G304 -- our own copy
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
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

// resolve follows a symbolic link to where a database is, or is to be: SQLite keeps the logs beside
// the file, not beside the link.
func resolve(path string) (string, error) {
	for range 32 {
		if err := LeadsHome(path); err != nil {
			return "", err
		}
		target, err := os.Readlink(path)
		if err != nil { // no link, or nothing there
			return path, nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	return "", fmt.Errorf("%s is a symbolic link that leads nowhere", path)
}

// LeadsHome refuses a path with a link on its way that another user made, unless what it leads to
// is theirs too, or of whoever runs this: root would otherwise change, by way of a service's
// folder, what the service may not.
func LeadsHome(path string) error {
	path, err := filepath.Abs(path)
	for at := path; err == nil && at != filepath.Dir(at); at = filepath.Dir(at) {
		if of, missing := os.Lstat(at); missing == nil && of.Mode()&os.ModeSymlink != 0 && ownedByAnother(of) {
			err = leadsHome(at, of)
		}
	}
	return err
}

func leadsHome(link string, of os.FileInfo) error {
	to, err := os.Stat(link)
	what := "to what is not theirs, and"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		what = "and that leads to nothing: it"
	case err != nil:
		return err
	case sameOwner(of, to), os.Geteuid() != 0 && !ownedByAnother(to):
		return nil
	}
	return fmt.Errorf(
		"%s is a link that another user made %s is not followed. Run this as that user, or name the folder of the "+
			"file itself", link, what,
	)
}
