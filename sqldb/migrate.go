package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pressly/goose/v3"
)

// migrate brings a schema to the newest version.
func migrate(
	ctx context.Context, db *sql.DB, dialect goose.Dialect, migrations fs.FS, options ...goose.ProviderOption,
) error {
	p, err := goose.NewProvider(dialect, db, migrations, append(options, goose.WithVerbose(false))...)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	sources := p.ListSources()
	if len(sources) > 0 && have > sources[len(sources)-1].Version {
		return fmt.Errorf(
			"%w (schema %d, this release knows %d)", ErrNewerSchema, have, sources[len(sources)-1].Version,
		)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}

// newest is the highest version among the migrations.
func newest(migrations fs.FS) (int64, error) {
	files, err := fs.ReadDir(migrations, ".")
	if err != nil {
		return 0, err
	}
	var version int64
	for _, f := range files {
		digits, _, _ := strings.Cut(f.Name(), "_")
		if n, err := strconv.ParseInt(digits, 10, 64); err == nil {
			version = max(version, n)
		}
	}
	return version, nil
}

// both is the migrations of both engines and those of one, as one folder.
type both struct {
	fs.FS
	engine string
}

func (b both) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return b.FS.Open(path.Join(b.engine, name))
	}
	return f, err
}

// ReadDir implements fs.ReadDirFS.
func (b both) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(b.FS, name)
	if err != nil || name != "." {
		return all, err
	}
	own, err := fs.ReadDir(b.FS, b.engine)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	all = append(all, own...) // goose applies them in the order of their names
	slices.SortFunc(all, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return all, err
}
