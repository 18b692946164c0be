//go:build unix

package sqldb

import (
	"os"
	"syscall"
)

// flock takes the lock of a file, which ends with the process.
func flock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // #nosec G115 -- file descriptors are small
}
