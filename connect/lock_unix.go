//go:build unix

package connect

import (
	"errors"
	"os"
	"syscall"
)

// lock takes the lock of a file, which ends with the process. It fails with errBusy when another
// has it, and with something else where there are no locks, as on some file systems.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) // #nosec G115 -- file descriptors are small
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return errBusy
	}
	return err
}
