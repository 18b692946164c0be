package datafolder

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/sqldb"
)

// The names of the files that say which center and which tenant the folder belongs to: what is in
// PostgreSQL leaves nothing else there that tells of it.
const (
	CenterID = "center.id"
	TenantID = "tenant.id"
)

// begins stands there instead while a first start has made nothing yet. Where it is killed, the
// master key that is there then opens nothing that was lost.
const begins = "first start"

// nobody is whose folder it is by a file that says nothing: something was here.
const nobody = "nobody's"

// Why a half does not begin, or go on.
var (
	ErrLost  = errors.New("the database is empty, and there was data before")
	ErrOther = errors.New("the database has the data of another")
)

// Place is where a half has its data. It knows whose data that is, and lets no other be taken for
// it. The methods say so to the half.
type Place struct {
	Folder      Folder
	File, Other string // the name that the half's database has in the folder, and the other half's
}

// idFile is the name of the file with the id of the half whose database has that name.
func idFile(file string) string { return strings.TrimSuffix(file, filepath.Ext(file)) + ".id" }

// known reads whose folder this is; empty: nothing says so.
func (f Folder) known(file string) (string, error) {
	path := filepath.Join(f.Path, idFile(file))
	text, err := sqldb.ReadSmall(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read whose data folder this is: %w", err)
	}
	return cmp.Or(strings.TrimSpace(text), nobody), nil
}

// Admit refuses data of another than the one whose folder this is, and for an empty id, that of an
// empty database, to begin anew where there was data.
func (p Place) Admit(id string) error {
	known, err := p.Folder.known(p.File)
	if err != nil {
		return err
	}
	half := strings.TrimSuffix(p.File, filepath.Ext(p.File))
	path := filepath.Join(p.Folder.Path, idFile(p.File))
	switch {
	case id == "":
		return p.admitNew(known)
	case slices.Contains([]string{"", begins, nobody, id}, known):
		return nil
	}
	return fmt.Errorf(
		"%w %s: it has %s, and by %s the one of this folder is %q. Nothing was started. Name the right database and "+
			"folder, or restore a backup: %s. If the database is right, as after a restore by another node, remove "+
			"%s first", ErrOther, half, id, path, known, p.restoreWith(), path,
	)
}

// admitNew refuses to begin anew where something says that there was data.
func (p Place) admitNew(known string) error {
	if known == begins {
		return nil
	}
	var left []string
	if known != "" {
		left = append(left, idFile(p.File))
	}
	if p.Folder.Database != "" {
		found, err := p.leftOfPostgres()
		if err != nil {
			return err
		}
		left = append(left, found...)
	}
	if len(left) > 0 {
		return fmt.Errorf(
			"%s: %w, by what is here: %s. Nothing was started: other keys would be made, and nobody would notice "+
				"what is lost. Name the right database, or restore a backup: %s. To begin with empty data, move "+
				"those files away first", p.Folder.Path, ErrLost, strings.Join(left, ", "), p.restoreWith(),
		)
	}
	return p.write(begins)
}

// leftOfPostgres are the names of files that tell of data in PostgreSQL: copies of a restore, and a
// master key that is not the other half's.
func (p Place) leftOfPostgres() (left []string, err error) {
	for _, of := range []string{p.File, sqldb.RestoreCopy} {
		found, err := sqldb.Remains(filepath.Join(p.Folder.Path, of))
		if err != nil {
			return nil, err
		}
		left = append(left, found...)
	}
	lone, err := p.Folder.loneKey(p.Other)
	if lone {
		left = append(left, MasterKey)
	}
	return left, err
}

// loneKey says whether the master key is there, and nothing of the other half that it may be of.
func (f Folder) loneKey(other string) (bool, error) {
	if _, err := os.Stat(filepath.Join(f.Path, MasterKey)); err != nil {
		return false, nil //nolint:nilerr // whoever needs the key says what is wrong with it
	}
	if known, err := f.known(other); err != nil || known != "" {
		return false, err
	}
	return sqldb.Missing(filepath.Join(f.Path, other))
}

// Keep has the folder be of the half with this id.
func (p Place) Keep(id string) error {
	known, err := p.Folder.known(p.File)
	if err == nil && known != id {
		err = p.write(id)
	}
	if err != nil {
		return fmt.Errorf("note in the data folder whose it is: %w", err)
	}
	return nil
}

func (p Place) write(text string) error {
	return sqldb.WriteSmall(filepath.Join(p.Folder.Path, idFile(p.File)), text+"\n")
}

// restoreWith is the command that brings the half's database back.
func (p Place) restoreWith() string {
	command := RestoreWith[p.File] + " FILE --data " + p.Folder.Path
	if p.Folder.Database != "" {
		command += " --database …"
	}
	return command
}
