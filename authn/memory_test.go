package authn

import (
	"runtime"
	"testing"
)

// TestHashesLeaveNoGarbage hashes passwords in a process whose collector has no reason to run: the
// memory of none lies about.
func TestHashesLeaveNoGarbage(t *testing.T) {
	ballast := make([]byte, 512<<20) // which nobody touches
	runtime.GC()
	inUse := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := inUse()
	for range 10 {
		CheckPassword("", "a guess")
		if now := inUse(); now > before+uint64(cost.memory)<<10 {
			t.Fatalf("%d MiB more than before are in use", (now-before)>>20)
		}
	}
	runtime.KeepAlive(ballast)
}
