//go:build !linux && !darwin

package sqldb

import "math"

// freeSpace is not asked here: the log is folded when the disk is full.
func freeSpace(string) (int64, error) { return math.MaxInt64 / 2, nil }
