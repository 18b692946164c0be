package web

import (
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// LogKeeping is what the settings say of a half's log of events.
type LogKeeping struct {
	Kept    audit.Kept      // at all nodes; 0: forever, and as long as other events
	Told    audit.Retention // what this node was told
	Chained int64           // how many events the chain has, as far as this node knows; 0: it does not
	Outlets []LogOutlet
}

// LogOutlet is where a log is handed on to. The numbers are of this node.
type LogOutlet struct {
	Name                         string
	Delivered, Failures, Waiting int64
	Oldest                       time.Time // of the events that wait; zero: none waits
}

// NewLogOutlet reads the counters of a courier; oldest is in milliseconds, 0 when none waits.
func NewLogOutlet(name string, delivered, failures, waiting, oldest *atomic.Int64) LogOutlet {
	o := LogOutlet{
		Name: name, Delivered: delivered.Load(), Failures: failures.Load(), Waiting: waiting.Load(),
	}
	if ms := oldest.Load(); ms > 0 {
		o.Oldest = time.UnixMilli(ms)
	}
	return o
}
