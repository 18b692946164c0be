package terraform

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// marker is the file that says what an export has written in a folder.
const marker = ".gatehouse-export.json"

// written is what is in the marker: the digest of each file.
type written struct {
	Files map[string]string `json:"files"`
	// Next are those that a run is putting in their place: one that was interrupted leaves some of
	// either.
	Next map[string]string `json:"next,omitempty"`
}

// has says whether a digest is what an export has written under a name.
func (w written) has(name, sum string) bool { return sum == w.Files[name] || sum == w.Next[name] }

// names are all that an export has written, or was about to write.
func (w written) names() []string {
	all := map[string]bool{}
	for _, list := range []map[string]string{w.Files, w.Next} {
		for name := range list {
			all[name] = true
		}
	}
	return SortedKeys(all)
}

// Check says before anything is read whether an export can be written into a folder.
func Check(path string, options Options) error {
	f, err := openFolder(path, options.Force)
	if err != nil || options.DryRun {
		return err
	}
	there := f.path // the folder, or the one that it will be made in
	for {
		if _, err := os.Stat(there); err == nil || there == filepath.Dir(there) {
			break
		}
		there = filepath.Dir(there)
	}
	probe, err := os.CreateTemp(there, ".gatehouse-*")
	if err != nil {
		return fmt.Errorf("nothing can be written there: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// folder is where an export goes. Nothing in it changes before all files are written.
type folder struct {
	path  string
	aside string // where the files are written first
	made  map[string]string
	old   written
}

// openFolder refuses a folder that has something in it, unless an export has written it, and one in
// which somebody has changed an export's files, unless that is wanted.
func openFolder(path string, force bool) (*folder, error) {
	f := &folder{path: path, made: map[string]string{}}
	entries, err := os.ReadDir(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(path, marker)) // #nosec G304 -- named by the person who runs the command
	switch {
	case err == nil:
		if err := json.Unmarshal(data, &f.old); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(path, marker), err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	case len(entries) > 0 && !force:
		return nil, fmt.Errorf(
			"%s is not empty, and no export has written it: name another folder, or add --force to write into it", path,
		)
	}
	for _, name := range f.old.names() {
		if name != filepath.Base(name) {
			return nil, fmt.Errorf("%s names %q, which no export has written", filepath.Join(path, marker), name)
		}
	}
	if changed := f.edited(); len(changed) > 0 && !force {
		return nil, fmt.Errorf(
			"%v in %s changed since the export: keep your version elsewhere, or add --force to write over it",
			changed, path,
		)
	}
	return f, nil
}

// edited are the files of an earlier export that are not what it has written.
func (f *folder) edited() (names []string) {
	for _, name := range f.old.names() {
		sum, err := digestOf(filepath.Join(f.path, name))
		if err == nil && !f.old.has(name, sum) {
			names = append(names, name)
		}
	}
	return names
}

func digestOf(path string) (string, error) {
	in, err := os.Open(path) // #nosec G304 -- in the folder that the person names
	if err != nil {
		return "", err
	}
	defer in.Close() //nolint:errcheck // it was only read
	sum := sha256.New()
	_, err = io.Copy(sum, in)
	return hex.EncodeToString(sum.Sum(nil)), err
}

// write makes a file, with what fill writes.
func (f *folder) write(name string, fill func(*file)) error {
	path := filepath.Join(f.aside, name)
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) // #nosec G304 -- our own
	if err != nil {
		return err
	}
	sum := sha256.New()
	to := &file{out: bufio.NewWriter(io.MultiWriter(out, sum)), empty: true}
	fill(to)
	if err := errors.Join(to.err, to.out.Flush(), out.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	f.made[name] = hex.EncodeToString(sum.Sum(nil))
	return nil
}

// changes are the files that are new or other than before, and those that are no longer there.
func (f *folder) changes() (changed, gone []string) {
	for _, name := range SortedKeys(f.made) {
		if sum, err := digestOf(filepath.Join(f.path, name)); err != nil || sum != f.made[name] {
			changed = append(changed, name)
		}
	}
	for _, name := range f.old.names() {
		if _, still := f.made[name]; !still {
			gone = append(gone, name)
		}
	}
	return changed, gone
}

// commit puts the files in their place, and takes away those of the export before.
func (f *folder) commit() error {
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return err
	}
	changed, gone := f.changes()
	if err := f.mark(written{f.old.Files, f.made}); err != nil {
		return err
	}
	for _, name := range changed {
		if err := replace(filepath.Join(f.aside, name), filepath.Join(f.path, name)); err != nil {
			return err
		}
	}
	for _, name := range gone {
		if err := os.Remove(filepath.Join(f.path, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return f.mark(written{Files: f.made})
}

func (f *folder) mark(w written) error {
	data, err := json.MarshalIndent(w, "", "  ")
	if err != nil {
		return err
	}
	from := filepath.Join(f.aside, marker)
	if err := os.WriteFile(from, append(data, '\n'), 0o600); err != nil {
		return err
	}
	return replace(from, filepath.Join(f.path, marker))
}

// replace moves a file to where another may be, whole or not at all, also from another disk.
func replace(from, to string) error {
	in, err := os.Open(from) // #nosec G304 -- our own
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	// CreateTemp makes a file that only its owner reads
	out, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+"-*")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err = errors.Join(err, out.Close()); err == nil {
		err = os.Rename(out.Name(), to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return nil
}

// discard takes away what was written aside.
func (f *folder) discard() error { return os.RemoveAll(f.aside) }

// names are the files that were made.
func (f *folder) names() []string { return slices.Clone(SortedKeys(f.made)) }
