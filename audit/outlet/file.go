package outlet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"github.com/gatehouse-id/gatehouse/audit/chain"
)

// file appends events to a file, a line each. The file may be moved away at any time, as programs
// that rotate logs do: the next events begin a new one.
type file struct {
	path   string
	format Format
	open   *os.File
	sync   func(folder string) error // has the names in a folder on the disk
}

// Deliver implements chain.Outlet. What it has written is on the disk.
func (f *file) Deliver(_ context.Context, parcels []chain.Parcel) error {
	text, err := lines(f.format, parcels)
	if err != nil {
		return err
	}
	if err := f.reopen(); err != nil {
		return err
	}
	if _, err := f.open.Write(text); err != nil {
		return errors.Join(err, f.close())
	}
	if err := f.open.Sync(); err != nil && !knowsNone(err) { // a pipe has no disk
		return errors.Join(err, f.close())
	}
	return nil
}

// syncFolder has the names in a folder on the disk: after a power failure, a file that was made
// just before would not be there, with all that a receiver was said to have. Windows does so by
// itself. Who may write into a folder and not read it cannot ask for it, and some file systems do
// not know it.
func syncFolder(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	folder, err := os.Open(path) // #nosec G304 -- the operator names it
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	if err = folder.Sync(); knowsNone(err) {
		err = nil
	}
	return errors.Join(err, folder.Close())
}

// knowsNone says whether a sync failed because there is none of what it was asked of.
func knowsNone(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

// reopen opens the file, unless it is open and still has its name, which is on the disk before
// anything is in it: what a sync fails after was written, and would be written again.
func (f *file) reopen() error {
	if f.open != nil {
		here, e1 := f.open.Stat()
		there, e2 := os.Stat(f.path)
		if e1 == nil && e2 == nil && os.SameFile(here, there) {
			return nil
		}
		if err := f.close(); err != nil {
			return err
		}
	}
	open, err := os.OpenFile(f.path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.sync(filepath.Dir(f.path)), endLine(open)); err != nil {
		return errors.Join(err, open.Close())
	}
	f.open = open
	return nil
}

func (f *file) close() error {
	open := f.open
	f.open = nil
	return open.Close()
}

// torn is how much of a file's end is looked at for a line that a kill has torn.
const torn = 64 << 10 //bound:none events are shorter

// endLine removes the beginning of a line at the end of a file: whoever wrote it was killed, and
// the event comes again.
func endLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return err
	}
	from := max(0, info.Size()-torn)
	end := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(end, from); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	at := bytes.LastIndexByte(end, '\n')
	if at < 0 && from > 0 {
		return fmt.Errorf("%s is no log with an event on each line", f.Name())
	}
	return f.Truncate(from + int64(at) + 1)
}
