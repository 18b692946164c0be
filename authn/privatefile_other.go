//go:build !unix

package authn

import "os"

// noFollow is nothing here.
const noFollow = 0

// ownedByAnother is unknown here.
func ownedByAnother(os.FileInfo) bool { return false }
