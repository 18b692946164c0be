//go:build unix

package sqldb

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
)

// withoutWaiting opens a pipe that nobody writes to, instead of waiting for somebody.
const withoutWaiting = syscall.O_NONBLOCK

// ownedByAnother says whether somebody else made a file: neither root nor whoever runs this.
func ownedByAnother(info os.FileInfo) bool {
	of, ok := info.Sys().(*syscall.Stat_t)
	return ok && of.Uid != 0 && int(of.Uid) != os.Geteuid()
}

// identity tells a file from all others of its file system that are there at the same time.
func identity(info os.FileInfo) string {
	of, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return strconv.FormatUint(of.Ino, 10)
}

// sameOwner says whether two files are one user's.
func sameOwner(a, b os.FileInfo) bool {
	x, e1 := a.Sys().(*syscall.Stat_t)
	y, e2 := b.Sys().(*syscall.Stat_t)
	return e1 && e2 && x.Uid == y.Uid
}

// belong gives a file that this process has just made to whoever the folder belongs to. Root, who
// restores or looks at the data of a service, would otherwise leave files there that the service
// cannot open. A root who may not give files away, as in a container without that right or on NFS,
// keeps them.
func belong(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	of, ok := info.Sys().(*syscall.Stat_t)
	if !ok || of.Uid == 0 {
		return nil
	}
	if err := f.Chown(int(of.Uid), int(of.Gid)); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}
