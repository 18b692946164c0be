package authn

import (
	"errors"
	"fmt"
	"os"
)

// private is the mode of a file that nobody else may read.
const private = 0o600

// PrivateFile opens a file to overwrite it. Nobody else may read it, from its first byte on, even
// if it existed before with other permissions. A link that another user made is not followed: it
// would choose what root overwrites. A file of another user is not taken: they could change it.
func PrivateFile(path string) (*os.File, error) {
	follow := noFollow // no link that comes after this look
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSymlink != 0 {
		if ownedByAnother(info) {
			return nil, fmt.Errorf("%s is a link that another user made: name the file itself", path)
		}
		follow = 0 // such as /dev/stdout
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|follow, private) // #nosec G304 -- named by the operator
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil || !info.Mode().IsRegular(): // a terminal or a pipe
	case ownedByAnother(info):
		err = fmt.Errorf("%s belongs to another user: choose another name, or remove it first", path)
	default:
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
