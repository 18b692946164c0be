//go:build linux || darwin

package sqldb

import "golang.org/x/sys/unix"

// freeSpace is how many bytes the file system of a folder has left for us.
func freeSpace(folder string) (int64, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(folder, &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil // #nosec G115 -- no disk is that large
}
