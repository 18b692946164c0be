package audit

// Observer is told of what transactions have kept, and of what they have removed.
type Observer interface {
	// Event is told of each event that was kept.
	Event(Event)
	// Swept is told of rows that were removed since they had expired.
	Swept(kind string, rows int)
}

// Noted is what a transaction keeps of events, and removes of rows, for an observer who hears of it
// once the transaction is kept. The zero value is that of one that begins.
type Noted struct {
	events []Event
	swept  []swept
}

type swept struct {
	kind string
	rows int
}

// Begin forgets everything: the transaction begins anew.
func (n *Noted) Begin() { n.events, n.swept = n.events[:0], n.swept[:0] }

// Event notes an event.
func (n *Noted) Event(e Event) { n.events = append(n.events, e) }

// Swept notes that so many rows were removed, if any were.
func (n *Noted) Swept(kind string, rows int) {
	if rows > 0 {
		n.swept = append(n.swept, swept{kind, rows})
	}
}

// Tell tells an observer of everything.
func (n *Noted) Tell(o Observer) {
	for _, e := range n.events {
		o.Event(e)
	}
	for _, s := range n.swept {
		o.Swept(s.kind, s.rows)
	}
}
