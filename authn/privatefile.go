package authn

import (
	"errors"
	"os"
)

// private is the mode of a file that nobody else may read.
const private = 0o600

// PrivateFile opens a file to overwrite it. Nobody else may read it, from its first byte on, even
// if it existed before with other permissions.
func PrivateFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, private) // #nosec G304 -- named by the operator
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() { // and not a terminal or a pipe
		if info.Mode().Perm()&0o077 != 0 {
			err = f.Chmod(private)
		}
		err = errors.Join(err, f.Truncate(0))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// WritePrivate writes a file that nobody else may read.
func WritePrivate(path string, data []byte) error {
	f, err := PrivateFile(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// KeepPrivate removes the permissions of others on a file or a folder. A missing one is not an
// error.
func KeepPrivate(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil || info.Mode().Perm()&0o077 == 0 {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()&0o700)
}
