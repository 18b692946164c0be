package authn

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// MasterKey says where the master key of a half is.
type MasterKey struct {
	Text   string // the key itself, as base64; empty: it is in the file
	File   string
	Loaded *Sealer // instead of the two
}

// Why a half does not start.
var (
	ErrNoMasterKey    = errors.New("the master key is missing")
	ErrOtherMasterKey = errors.New("this is not the master key that the data was sealed with")
)

// remedy ends the sentences about a key that is missing or another one.
const remedy = "Copy master.key from the node or the backup that the data comes from, or set GATEHOUSE_MASTER_KEY to " +
	"its text; all nodes on one database need the same key"

// Load reads the key. It fails with ErrNoMasterKey where there is none, and makes none.
func (k MasterKey) Load() (*Sealer, error) {
	if k.Loaded != nil {
		return k.Loaded, nil
	}
	text := k.Text
	if text == "" {
		data, err := os.ReadFile(k.File) // #nosec G304 -- the operator's own data folder
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf(
				"%w: there is no %s. Without it nobody can open the secrets in the data, and with a "+
					"new one they would be lost, so nothing was started, and no key was made. %s", ErrNoMasterKey,
				k.File, remedy)
		}
		if err != nil {
			return nil, fmt.Errorf("read the master key: %w", err)
		}
		text = string(data)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("the master key is not base64 text of 32 bytes")
	}
	return NewSealer(key)
}

// LoadFor reads the key for data that it has sealed; opens tries it. It fails with ErrNoMasterKey
// or ErrOtherMasterKey, in sentences that say what to do.
func (k MasterKey) LoadFor(opens func(*Sealer) error) (*Sealer, error) {
	s, err := k.Load()
	if err != nil {
		return nil, err
	}
	return s, k.Other(opens(s))
}

// Other turns what opening a sealed value failed with into ErrOtherMasterKey, in a sentence that
// says what to do.
func (k MasterKey) Other(err error) error {
	if !errors.Is(err, ErrSealed) {
		return err
	}
	where := k.File
	if k.Text != "" {
		where = "GATEHOUSE_MASTER_KEY"
	}
	return fmt.Errorf("%w: %s has another one. It opens no secret in the data, so nothing was started, and no key "+
		"was made. %s", ErrOtherMasterKey, where, remedy)
}

// LoadOrMake reads the key for empty data, or makes the file (mode 0600).
func (k MasterKey) LoadOrMake() (*Sealer, error) {
	s, err := k.Load()
	if !errors.Is(err, ErrNoMasterKey) {
		return s, err
	}
	if err := k.write(); err != nil {
		return nil, fmt.Errorf("write the master key: %w", err)
	}
	return k.Load() // which may be that of another process, which was faster
}

// write makes a key file that is whole or absent: it is written beside its place, synced and linked
// there. One that is there by now stays.
func (k MasterKey) write() error {
	key := make([]byte, MasterKeySize)
	_, _ = rand.Read(key) // never fails: crypto/rand
	f, err := os.CreateTemp(filepath.Dir(k.File), ".master-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // the temporary name is gone on success
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	err = os.Link(f.Name(), k.File)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil { // some file systems have no links
		if err := os.Rename(f.Name(), k.File); err != nil {
			return err
		}
	}
	return syncName(k.File)
}

// syncName has a new file's name outlast a power failure: what is sealed with a key may be
// durable elsewhere at once. Windows has no such call, and needs none.
func syncName(file string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
