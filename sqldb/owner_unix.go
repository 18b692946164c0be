//go:build unix

package sqldb

import (
	"os"
	"path/filepath"
	"syscall"
)

// belong gives a file that this process has just made to whoever the folder belongs to. Root, who
// restores or looks at the data of a service, would otherwise leave files there that the service
// cannot open.
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
	return f.Chown(int(of.Uid), int(of.Gid))
}
