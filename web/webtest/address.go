package webtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
)

// nextPort is where FreeAddress looks next: below the ports that the system gives to connections,
// so that none is taken in between.
var nextPort atomic.Int32

// FreeAddress returns a loopback address that nothing listens on, and that no other test of the
// process is given: for programs that are told where to listen.
func FreeAddress(t testing.TB) string {
	t.Helper()
	nextPort.CompareAndSwap(0, 20_000+rand.Int32N(10_000)) // #nosec G404 -- a port, no secret
	for range 100 {
		address := fmt.Sprintf("127.0.0.1:%d", nextPort.Add(1))
		if l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}
