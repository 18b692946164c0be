package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// ErrOccupied says that there is data where a backup was to be restored.
var ErrOccupied = sqldb.ErrOccupied

// Restore makes a backup the SQLite database at path, as sqldb.Restore does it, after it has looked
// at all of it: nothing is changed by a backup that is damaged, of another release, or refused by
// opens. That one says whether secrets that the backup has can be opened here, since a copy of the
// data without its master key would be worth little.
func Restore(
	ctx context.Context, backup, path string, replace bool, opens func(center.Reader) error,
) (kept string, err error) {
	from, err := OpenBeside(ctx, backup)
	if err != nil {
		return "", fmt.Errorf("%s is not a backup that can be restored: %w", backup, err)
	}
	problems, err := from.Check(ctx, func(int) {})
	if err == nil {
		err = from.View(ctx, opens)
	}
	if err := errors.Join(err, from.Close()); err != nil {
		return "", fmt.Errorf("%s cannot be restored into %s: %w", backup, filepath.Dir(path), err)
	}
	if len(problems) > 0 {
		return "", fmt.Errorf("%s is damaged, nothing was changed: %s", backup, problems[0])
	}
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return "", err
	}
	return sqldb.Restore(ctx, backup, path, dir, replace)
}
