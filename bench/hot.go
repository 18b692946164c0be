package main

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// hotWriters are the connections that change one group without a pause.
const hotWriters = 16

// hot changes one group over many connections, beside one connection that changes people, and says
// how long both wait. On PostgreSQL all that change one row go one after the other.
func hot(s settings, self string) ([]figure, error) {
	b, err := newBench(s, self)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	on := "SQLite"
	if s.database != "" {
		on = "PostgreSQL"
	}
	t, err := b.startCenter("center on "+on, s.database)
	if err != nil {
		return nil, err
	}
	b.say("making %s users", thousands(b.users))
	if err := t.fill(b.users); err != nil {
		return nil, err
	}
	if err := t.newGroups(); err != nil {
		return nil, err
	}
	return b.hotGroup(t, on)
}

func (b *bench) hotGroup(t *target, on string) ([]figure, error) {
	other, _ := patchActive(t)
	alone, err := closedLoop(t.address, 1, b.length, 0, other)
	if err != nil {
		return nil, err
	}
	var group, person window
	var groupFailed, personFailed error
	var both sync.WaitGroup
	both.Go(func() { group, groupFailed = closedLoop(t.address, hotWriters, b.length, 0, addToOneGroup(t)) })
	both.Go(func() { person, personFailed = closedLoop(t.address, 1, b.length, 0, other) })
	both.Wait()
	if err := errors.Join(groupFailed, personFailed); err != nil {
		return nil, err
	}
	worst, before := ms(person.P99), ms(alone.P99)
	return []figure{
		{
			Name:  fmt.Sprintf("one group, %d connections change it, %s: p99", hotWriters, on),
			Value: ms(group.P99),
			Unit:  "ms",
			Aim:   "≤ 250 ms",
			More:  fmt.Sprintf("p50 %.1f ms, %.0f/s", ms(group.P50), group.Rate),
		},
		{
			Name:    "… another one changes people meanwhile: p99",
			Value:   worst,
			Unit:    "ms",
			Against: "alone",
			Floor:   before,
			Ratio:   worst / before,
			More:    fmt.Sprintf("p50 %.1f ms, %.0f/s", ms(person.P50), person.Rate),
		},
	}, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }

// addToOneGroup adds a member to the same group with each request.
func addToOneGroup(t *target) request {
	return func(buf []byte, c, i int) []byte {
		body := patchURN + `{"op":"add","path":"members","value":[{"value":"` +
			t.users[(i*hotWriters+c)%len(t.users)] + `"}]}]}`
		return message(buf, "PATCH", t.prefix+"Groups/"+t.groups[0], t.headers, []byte(body))
	}
}
