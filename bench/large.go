package main

import (
	"errors"
	"fmt"
	"time"
)

// atSize measures a center with many users beside one with the usual number, both on SQLite.
func (b *bench) atSize(n int) (figures []figure, err error) {
	small, err := b.startCenter("usual size", "")
	if err != nil {
		return nil, err
	}
	b.say("making %s users, %s", thousands(b.users), small.name)
	if err := small.fill(b.users); err != nil {
		return nil, err
	}
	large, err := b.startCenter("large", "")
	if err != nil {
		return nil, err
	}
	defer func() {
		small.process.stop()
		large.process.stop()
	}()
	memory, err := b.memoryOf(large, n)
	if err != nil {
		return nil, err
	}
	rates, err := b.ratesOf(small, large, n)
	if err != nil {
		return nil, err
	}
	figures = append([]figure{memory}, rates...)
	if n >= 50_000 {
		more, err := b.bigGroups(large)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more)
	}
	b.say("%s users: start", thousands(n))
	if err := b.restart(large); err != nil {
		return nil, err
	}
	return append(
		figures,
		figure{
			Name:  fmt.Sprintf("start to first answer, %d users", n),
			Value: large.process.ready.Seconds() * 1000,
			Unit:  "ms",
			Aim:   "≤ 1500 (goal ≤ 400)",
		},
	), nil
}

const bigGroup = 50_000

// bigGroups compares adding one member to groups of many members with adding one to empty groups.
func (b *bench) bigGroups(t *target) (figure, error) {
	if len(t.users) < 2*bigGroup-1 {
		return figure{}, errors.New("too few users for big groups")
	}
	one := workload{connections: groupWriters, build: addMembers(1, 0), prepare: (*target).newGroups}
	var small, big []window
	for i := range b.rounds {
		b.sayRound(fmt.Sprintf("PATCH group, +1 member, groups of %s", thousands(bigGroup)), i)
		out, err := b.window(one, t)
		if err != nil {
			return figure{}, err
		}
		small = append(small, out)
		if err := t.newGroups(); err != nil {
			return figure{}, err
		}
		next, limit := addMembers(100, bigGroup/100)(t)
		if _, err := closedLoop(t.address, groupWriters, time.Hour, limit, next); err != nil {
			return figure{}, err
		}
		out, err = b.window(workload{
			connections: groupWriters,
			build: func(t *target) (request, int) {
				add, limit := addMembers(1, 0)(t)
				return func(buf []byte, c, i int) []byte { return add(buf, c, i+bigGroup) }, limit
			},
		}, t)
		if err != nil {
			return figure{}, err
		}
		big = append(big, out)
	}
	a, floor := rate(big), rate(small)
	return figure{
		Name:    fmt.Sprintf("PATCH group, +1 member, groups of %d", bigGroup),
		Value:   a,
		Unit:    "/s",
		Against: "empty groups",
		Floor:   floor,
		Ratio:   a / floor,
		Aim:     "(goal 0.9)",
		More:    latencies(big),
	}, nil
}

// memoryOf fills a center with n users, and says how much memory each takes; beside the peer where
// that fits into memory.
func (b *bench) memoryOf(large *target, n int) (figure, error) {
	b.say("making %s users, %s", thousands(n), large.name)
	before := large.process.resident()
	if err := large.fill(n); err != nil {
		return figure{}, err
	}
	each := (large.process.resident() - before) * 1024 / float64(n)
	memory := figure{
		Name:  fmt.Sprintf("resident memory per user at %d", n),
		Value: each,
		Unit:  "KiB",
		Aim:   "≤ 0.5 (goal ≤ 1.5 KiB)",
	}
	if n <= 100_000 { // the peer keeps everything in memory
		peer, err := b.startPeer()
		if err != nil {
			return figure{}, err
		}
		b.say("making %s users, %s", thousands(n), peer.name)
		before := peer.process.resident()
		if err := peer.fill(n); err != nil {
			return figure{}, err
		}
		memory.Against, memory.Floor = "peer", (peer.process.resident()-before)*1024/float64(n)
		memory.Ratio = memory.Value / memory.Floor
		peer.process.stop()
	}
	return memory, nil
}

// ratesOf measures a center with n users beside one of the usual size.
func (b *bench) ratesOf(small, large *target, n int) (figures []figure, err error) {
	for _, w := range workloads() {
		switch w.name {
		case "GET user by id", "GET users, userName eq", "PATCH active, durable", "POST user, durable":
		default:
			continue
		}
		rates := map[string][]window{}
		for i := range b.rounds {
			b.sayRound(fmt.Sprintf("%s users: %s", thousands(n), w.name), i)
			for _, t := range []*target{small, large} {
				out, err := b.window(w, t)
				if err != nil {
					return nil, err
				}
				rates[t.name] = append(rates[t.name], out)
			}
		}
		own, usual := rate(rates["large"]), rate(rates["usual size"])
		figures = append(figures, figure{
			Name:    fmt.Sprintf("%s, %d users", w.name, n),
			Value:   own,
			Unit:    "/s",
			Against: fmt.Sprintf("own at %d", b.users),
			Floor:   usual,
			Ratio:   own / usual,
			Aim:     "≥ 0.8 (goal 0.9)",
			More:    latencies(rates["large"]),
		})
	}
	return figures, nil
}
