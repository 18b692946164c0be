//go:build unix

package control

import (
	"io/fs"
	"syscall"
)

// sameOwner says whether two folders are of one user, and the first is closed to all others.
func sameOwner(folder, other fs.FileInfo) bool {
	a, ok := folder.Sys().(*syscall.Stat_t)
	b, known := other.Sys().(*syscall.Stat_t)
	return ok && known && a.Uid == b.Uid && folder.Mode().Perm()&0o077 == 0
}
