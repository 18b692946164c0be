// Package datafolder is the folder in which a half keeps what it must not lose: its database,
// unless that is in PostgreSQL, and the master key. It says what belongs there, keeps others from
// reading it, and refuses to begin anew where data has gone.
//
// It may import authn, control and sqldb.
package datafolder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/control"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// The names of what a data folder has.
const (
	Center    = "center.db"
	Tenant    = "tenant.db"
	MasterKey = "master.key"
	DemoKeys  = "demo.sealed"
)

// own are what stands in a data folder and nobody else may read.
var own = []string{MasterKey, Center, Tenant, CenterID, TenantID, DemoKeys, control.FirstStartFile}

// RestoreWith is the command that brings a half's database back.
var RestoreWith = map[string]string{Center: "gatehouse restore", Tenant: "gatehouse tenant restore"}

// Folder is the data folder of a half, or of both.
type Folder struct {
	Path     string
	Database string // URL of PostgreSQL; empty: SQLite, in the folder
}

// Where says in words where the data is.
func (f Folder) Where() string {
	if f.Database != "" {
		return "the database"
	}
	return f.Path
}

// DSN is where the database of a half is. file is its name in the folder.
func (f Folder) DSN(file string) string {
	if f.Database != "" {
		return f.Database
	}
	return filepath.Join(f.Path, file)
}

// MasterKey says where the master key is: in a text that is given, or in a file in the folder.
func (f Folder) MasterKey(text string) authn.MasterKey {
	return authn.MasterKey{Text: text, File: filepath.Join(f.Path, MasterKey)}
}

// Make makes the folder, for its owner alone.
func (f Folder) Make() error {
	if err := sqldb.LeadsHome(f.Path); err != nil {
		return err
	}
	if err := os.MkdirAll(f.Path, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}
	return nil
}

// KeepPrivate takes the rights of others to the folder and its files away: a copy or a volume may
// have brought them. Databases do so by themselves. A folder of something else, in which nothing of
// ours is yet, is left as it is.
func (f Folder) KeepPrivate() error {
	entries, err := os.ReadDir(f.Path)
	ours := err == nil && len(entries) == 0
	for _, e := range entries {
		ours = ours || slices.Contains(own, e.Name())
	}
	if !ours {
		return err
	}
	folder, err := filepath.EvalSymlinks(f.Path) // that is the operator's
	if err != nil {
		return err
	}
	err = sqldb.KeepPrivate(folder)
	for _, name := range own {
		err = errors.Join(err, sqldb.KeepPrivate(filepath.Join(folder, name)))
	}
	old, _ := filepath.Glob(filepath.Join(folder, "*.db.before-*")) // the pattern is a good one
	for _, path := range old {
		err = errors.Join(err, sqldb.KeepPrivate(path))
	}
	return err
}

// Place is where a half has its data. It refuses a folder from which the half's database has gone:
// a start would begin anew there, with other keys, and nobody would notice that everything is lost.
// The master key may also be that of the other half, whose data stands beside it. Of a database in
// PostgreSQL the half itself says whether it is empty, when it has opened it: see Place.Admit.
func (f Folder) Place(file, other string) (Place, error) {
	p := Place{Folder: f, File: file, Other: other}
	if f.Database != "" {
		return p, nil
	}
	lost, err := sqldb.Missing(f.DSN(file))
	if err != nil || !lost {
		return p, err
	}
	left, err := sqldb.Remains(f.DSN(file))
	if err != nil {
		return p, err
	}
	known, err := f.known(file)
	if err != nil {
		return p, err
	}
	if known != "" && known != begins {
		left = append(left, idFile(file))
	}
	lone, err := f.loneKey(other)
	if err != nil {
		return p, err
	}
	if lone {
		left = append(left, MasterKey)
	}
	if len(left) == 0 {
		return p, nil
	}
	return p, fmt.Errorf(
		"%s: %w: %s. Nothing was started and nothing was changed. Put %s back, or restore a backup: "+
			"%s. To begin with empty data, move those files away first",
		f.Path, sqldb.ErrRemains, strings.Join(left, ", "), file, p.restoreWith(),
	)
}
