package sqldb

import (
	"fmt"
	"os"
)

// besides are the ends of the names of what must stay in its place while it is open.
var besides = [...]string{"", "-wal"}

// stand notes which file is open by a name.
func (d *sqliteDB) stand(which int) {
	if info, err := os.Stat(d.path + besides[which]); err == nil {
		d.stands[which].Store(&info)
	}
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
