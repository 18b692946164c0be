package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// FirstStartFile is the file in the data folder with what a first start has made. The secrets are
// never printed: what prints to a journal is kept there.
const FirstStartFile = "first-start.txt"

// Beginner is a half that may not have begun: it has no administrator, and no key for programs.
type Beginner interface {
	// Begun says whether there was a first start, and it was completed.
	Begun(ctx context.Context) (bool, error)
	AdministratorPasswordIs(ctx context.Context, name, password string) (bool, error)
	// Begin makes the administrator and a key for programs, both or none, and writes them into the
	// file: the password before it holds. It fails with ErrBegun, and makes nothing, where another
	// node was faster.
	Begin(ctx context.Context, f *SecretFile, name string, p FirstPassword) error
}

// ErrBegun says that another node has begun meanwhile.
var ErrBegun = errors.New("another node was faster with the first start")

// FirstPassword is the first administrator's.
type FirstPassword struct {
	Text      string
	Generated bool // nobody knows it yet
}

// Shown is the password as the file may show it: one that somebody chose is kept nowhere.
func (p FirstPassword) Shown() string {
	if p.Generated {
		return p.Text
	}
	return "(the one that you gave)"
}

// SecretFile is a file that only its owner can read, from its first byte on.
type SecretFile struct{ file *os.File }

// newSecretFile makes the file for the secrets of a first start. One of a first start that was
// interrupted goes: what is in it opens nothing.
func newSecretFile(path string) (*SecretFile, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("replace the file with the secrets of the first start: %w", err)
	}
	const fresh = os.O_CREATE | os.O_EXCL | os.O_WRONLY
	f, err := os.OpenFile(path, fresh, 0o600) // #nosec G304 -- in the operator's own data folder
	if err != nil {
		return nil, fmt.Errorf("write the secrets of the first start: %w", err)
	}
	return &SecretFile{f}, nil
}

// Add writes lines that are on the disk when it returns.
func (f *SecretFile) Add(format string, args ...any) error {
	_, err := fmt.Fprintf(f.file, format, args...)
	return errors.Join(err, f.file.Sync())
}

// FirstStart makes the first administrator of a half, a key for programs, and the file with their
// secrets. It returns the path of the file. half is how the file calls it. Where it fails with
// ErrBegun there is no file: what it said would open nothing.
func FirstStart(
	ctx context.Context, b Beginner, half, folder, name string, p FirstPassword,
) (path string, err error) {
	if path, err = filepath.Abs(filepath.Join(folder, FirstStartFile)); err != nil {
		return "", err
	}
	f, err := newSecretFile(path)
	if err != nil {
		return "", err
	}
	defer func() {
		err = errors.Join(err, f.file.Close())
		if errors.Is(err, ErrBegun) {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if err := f.Add("First start of the %s, %s\n\n", half, time.Now().UTC().Format(time.RFC3339)); err != nil {
		return "", err
	}
	return path, b.Begin(ctx, f, name, p)
}
