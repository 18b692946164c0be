//go:build unix

package connect

import (
	"os"
	"syscall"
)

// lock takes the lock of a file, which ends with the process.
func lock(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // #nosec G115 -- file descriptors are small
}
