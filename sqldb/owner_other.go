//go:build !unix

package sqldb

import "os"

// withoutWaiting is nothing here: no file makes one wait.
const withoutWaiting = 0

// ownedByAnother is unknown here.
func ownedByAnother(os.FileInfo) bool { return false }

// identity is unknown here.
func identity(os.FileInfo) string { return "" }

// sameOwner is unknown here.
func sameOwner(os.FileInfo, os.FileInfo) bool { return true }

// belong gives nothing: there is no root here whose files a service could not open.
func belong(*os.File) error { return nil }
