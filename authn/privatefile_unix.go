//go:build unix

package authn

import (
	"os"
	"syscall"
)

// noFollow refuses a link.
const noFollow = syscall.O_NOFOLLOW

// ownedByAnother says whether somebody else made a file: neither root nor whoever runs this.
func ownedByAnother(info os.FileInfo) bool {
	of, ok := info.Sys().(*syscall.Stat_t)
	return ok && of.Uid != 0 && int(of.Uid) != os.Geteuid()
}
