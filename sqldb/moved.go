package sqldb

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// besides are the ends of the names of what must stay in its place while it is open.
var besides = [...]string{"", "-wal"}

// stand notes which file is open by a name.
func (d *sqliteDB) stand(which int) {
	if info, err := os.Stat(d.path + besides[which]); err == nil {
		d.stands[which].Store(&info)
		d.tellStands()
	}
}

// tellStands writes into the lock which files are open, for those who look at the database beside
// this process. It is no matter if it cannot be written: then they do not know.
func (d *sqliteDB) tellStands() {
	var lines []string
	for which := range besides {
		line := ""
		if opened := d.stands[which].Load(); opened != nil {
			line = identity(*opened)
		}
		lines = append(lines, line)
	}
	if d.lock.Truncate(0) == nil {
		_, _ = d.lock.WriteAt([]byte(strings.Join(lines, "\n")), 0)
	}
}

// How often a lock is looked at: another one who looks has it for a moment.
const (
	lockLooks = 5                     //bound:none how often, not how much
	lockLook  = 20 * time.Millisecond //bound:wait another one who looks at a lock
)

// notReplaced fails where another process has the database open, and something else stands in the
// place of the file or of its log: SQLite would read the one by the other, and remove the log.
func notReplaced(path string) error {
	lock, err := os.OpenFile(path+lockSuffix, os.O_RDONLY|withoutWaiting, 0) // #nosec G304 -- of this database
	if err != nil {
		return nil //nolint:nilerr // nobody has it open, or we may not know
	}
	defer lock.Close() //nolint:errcheck // it was only read
	for range lockLooks {
		if !errors.Is(flock(lock), syscall.EWOULDBLOCK) {
			return nil // nobody has it open, or no lock can be asked for here, as on some file systems
		}
		moved := movedFrom(path, lock)
		if moved == "" {
			return nil
		}
		err = fmt.Errorf(
			"%w: %s was moved, removed or replaced while another process has it open: put it back, or end that process",
			ErrUnavailable, moved,
		)
		time.Sleep(lockLook)
	}
	return err
}

// movedFrom returns the first path at which something else stands than what the lock names; empty:
// everything is in its place, or nobody knows.
func movedFrom(path string, lock io.ReaderAt) string {
	text := make([]byte, 128)
	n, _ := lock.ReadAt(text, 0) // less than that is there
	for which, opened := range strings.Split(string(text[:n]), "\n") {
		if opened == "" || which >= len(besides) {
			continue
		}
		if info, err := os.Stat(path + besides[which]); err != nil || identity(info) != opened {
			return path + besides[which]
		}
	}
	return ""
}

// inPlace fails where somebody has moved, removed or replaced the database, or its log, while it is
// open. What is written then is gone after the next start, and a new connection would read another
// file by this one's log. At its end this process folds the log into the file, wherever it is.
func (d *sqliteDB) inPlace() error {
	for which, suffix := range besides {
		opened := d.stands[which].Load()
		if opened == nil {
			continue
		}
		if info, err := os.Stat(d.path + suffix); err != nil || !os.SameFile(info, *opened) {
			return fmt.Errorf(
				"%w: %s was moved, removed or replaced while it is open: put it back, or end this process",
				ErrUnavailable, d.path+suffix,
			)
		}
	}
	return nil
}
