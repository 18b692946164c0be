package sqldb

import (
	"os"
	"syscall"
)

// syncData makes a file's content durable, and of its other properties only those that reading it
// needs: the log is written in place most of the time, and a sync of its times as well would cost
// another write elsewhere on the disk.
func syncData(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return err
		}
	}
}
