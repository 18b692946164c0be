package sqldb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrRemains is wrapped by what Open returns where a database is missing but was: a new one in its
// place would hide the loss, and might have the log of the old one played into it.
var ErrRemains = errors.New("the database is missing, and these files of it are left")

// Missing says whether no database is at path, or an empty file, which SQLite would fill with a new
// one.
func Missing(path string) (bool, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return info.Mode().IsRegular() && info.Size() == 0, nil
}

// Remains are the names of what is left beside path of a database that was there. The lock is made
// after the database: where there is one without even an empty file, there was a database.
func Remains(path string) (found []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(path)
	gone := errors.Is(err, fs.ErrNotExist)
	for _, e := range entries {
		suffix, ours := strings.CutPrefix(e.Name(), filepath.Base(path))
		if !ours || suffix == "" {
			continue
		}
		if !gone && suffix == "-journal" && isBlank(e) {
			continue
		}
		left := strings.HasPrefix(suffix, keptSuffix) || strings.HasPrefix(suffix, copySuffix)
		if left || slices.Contains(besideSuffixes, suffix) || (gone && suffix == lockSuffix) {
			found = append(found, e.Name())
		}
	}
	return found, nil
}

// journalHeader is how long a journal is at most that has no page.
const journalHeader = 512 //bound:none a format

// isBlank says whether a journal has no page of a database, which SQLite would put back: beside an
// empty file it is that of a first start which has died.
func isBlank(journal fs.DirEntry) bool {
	info, err := journal.Info()
	return err == nil && info.Mode().IsRegular() && info.Size() <= journalHeader
}

// checkRemains refuses to make a database at path where there was one.
func checkRemains(path string) error {
	if missing, err := Missing(path); err != nil || !missing {
		return err
	}
	found, err := Remains(path)
	if err != nil || len(found) == 0 {
		return nil //nolint:nilerr // Open says in plain words what is wrong with the folder
	}
	return fmt.Errorf("%w: %s", ErrRemains, strings.Join(found, ", "))
}
