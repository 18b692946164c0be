package sqldb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// KeepPrivate takes the rights of others to a file or a folder away. One that is missing, and what
// is neither, such as a socket, is no error. Whoever runs this may be root in the folder of a
// service: a link in it is not followed out of it, and what was looked at is what is changed.
func KeepPrivate(path string) error {
	at, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return without(err, fs.ErrNotExist)
	}
	name := filepath.Base(path)
	return errors.Join(keepPrivateIn(at, name), at.Close())
}

func keepPrivateIn(folder *os.Root, name string) error {
	info, err := folder.Lstat(name)
	if err != nil || !info.Mode().IsRegular() && !info.IsDir() || info.Mode().Perm()&0o077 == 0 {
		return without(err, fs.ErrNotExist)
	}
	f, err := folder.OpenFile(name, os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return without(err, fs.ErrNotExist)
	}
	if info, err = f.Stat(); err == nil && (info.Mode().IsRegular() || info.IsDir()) {
		err = f.Chmod(info.Mode().Perm() & 0o700)
	}
	return errors.Join(err, f.Close())
}

// without is an error unless it is a certain one.
func without(err, certain error) error {
	if errors.Is(err, certain) {
		return nil
	}
	return err
}

// WriteSmall writes a file in a data folder that is whole, or as before, and on the disk when it
// returns. It belongs to whoever the folder belongs to, and nobody else may read it.
func WriteSmall(path, text string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.WriteString(text)
	if err := errors.Join(err, belong(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// maxSmall bounds what is read of a small file in a data folder.
const maxSmall = 4 << 10 //bound:text a note in a data folder, in bytes

// ReadSmall reads a file that WriteSmall has written. Whoever the folder belongs to may have put
// something else there: a link is not followed out of the folder, and a pipe not waited for.
func ReadSmall(path string) (text string, err error) {
	folder, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	f, err := folder.OpenFile(filepath.Base(path), os.O_RDONLY|withoutWaiting, 0)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("%s is no file", path))
	}
	data, err := io.ReadAll(io.LimitReader(f, maxSmall+1))
	if err == nil && len(data) > maxSmall {
		err = fmt.Errorf("%s is too large for what this program writes there", path)
	}
	return string(data), err
}
