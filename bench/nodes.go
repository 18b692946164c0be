package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	manyNodes = 3
	// far is how much longer the database's answers take: with less, two cores would be what limits
	// three nodes.
	far = 10 * time.Millisecond
)

// nodes compares what three nodes of a center read with what one reads, on a PostgreSQL that is so
// far away that the machine is not the limit.
func nodes(s settings, self string) ([]figure, error) {
	if s.database == "" {
		s.say("no -database, nothing to measure")
		return nil, nil
	}
	config, err := pgx.ParseConfig(s.database)
	if err != nil {
		return nil, err
	}
	away, err := delayed(pgxAddress(config))
	if err != nil {
		return nil, err
	}
	defer away.Close() //nolint:errcheck // nothing is left to be sent
	database := fmt.Sprintf(
		"postgres://%s:%s@%s/%s?sslmode=disable", config.User, config.Password, away.Addr(), config.Database,
	)
	b, err := newBench(s, self)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	all, err := b.startNodes(database)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, w := range workloads() {
		if w.name != "GET user by id" && w.name != "DescribeUser, SigV4" {
			continue
		}
		var one, many []float64
		for i := range s.rounds {
			s.sayRound(w.name, i)
			alone, err := b.together(w, all[:1])
			if err != nil {
				return nil, err
			}
			rates, err := b.together(w, all)
			if err != nil {
				return nil, err
			}
			one, many = append(one, alone), append(many, rates)
		}
		figures = append(figures, figure{
			Name:    fmt.Sprintf("%s, %d nodes, database %s away", w.name, manyNodes, far),
			Value:   median(many),
			Unit:    "/s",
			Against: "one node",
			Floor:   median(one),
			Ratio:   median(many) / median(one),
			Aim:     "≥ 2.5",
		})
	}
	return figures, nil
}

// startNodes starts nodes on one database with users in it.
func (b *bench) startNodes(database string) ([]*target, error) {
	first, err := b.startCenter("node 1", database)
	if err != nil {
		return nil, err
	}
	b.say("making %s users", thousands(b.users))
	if err := first.fill(b.users); err != nil {
		return nil, err
	}
	all := []*target{first}
	// #nosec G304 -- the benchmark's own folder
	key, err := os.ReadFile(filepath.Join(b.dir, "1", "center", "master.key"))
	if err != nil {
		return nil, err
	}
	for i := 2; i <= manyNodes; i++ {
		next := *first
		next.name = fmt.Sprintf("node %d", i)
		center := *first.center
		next.center = &center
		folder := filepath.Join(b.dir, next.name)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(folder, "master.key"), key, 0o600); err != nil {
			return nil, err
		}
		if center.address, err = freeAddress(); err != nil {
			return nil, err
		}
		// the nodes are one center: they have its URL
		center.args = []string{
			"serve", "--listen", center.address, "--url", "http://" + first.address, "--data", folder,
			"--database", database, "--log-level", "warn",
		}
		if err := next.center.run(b.program, io.Discard); err != nil {
			return nil, err
		}
		next.address, next.process = center.address, next.center.process
		b.started = append(b.started, next.process)
		all = append(all, &next)
	}
	return all, nil
}

// together runs a workload at several nodes at once, and returns the sum of their rates.
func (b *bench) together(w workload, all []*target) (sum float64, err error) {
	windows, failures := make([]window, len(all)), make([]error, len(all))
	var running sync.WaitGroup
	for i, t := range all {
		running.Go(func() { windows[i], failures[i] = b.window(w, t) })
	}
	running.Wait()
	for _, w := range windows {
		sum += w.Rate
	}
	return sum, errors.Join(failures...)
}

func pgxAddress(c *pgx.ConnConfig) (network, address string) {
	if filepath.IsAbs(c.Host) {
		return "unix", filepath.Join(c.Host, fmt.Sprintf(".s.PGSQL.%d", c.Port))
	}
	return "tcp", net.JoinHostPort(c.Host, fmt.Sprint(c.Port))
}

// delayed listens on loopback and passes connections on, with answers that come later.
func delayed(network, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			go func() {
				_, _ = io.Copy(server, client)
				_ = server.Close()
			}()
			go later(client, server)
		}
	}()
	return l, nil
}

// answer is what a server has sent, and when it is passed on.
type answer struct {
	bytes []byte
	at    time.Time
}

func later(client, server net.Conn) {
	answers := make(chan answer, 1024)
	go func() {
		defer close(answers)
		for {
			buf := make([]byte, 32<<10)
			n, err := server.Read(buf)
			if n > 0 {
				answers <- answer{buf[:n], time.Now().Add(far)}
			}
			if err != nil {
				return
			}
		}
	}()
	for a := range answers {
		time.Sleep(time.Until(a.at))
		_, _ = client.Write(a.bytes) // the reader ends by itself when the connection does
	}
	_ = client.Close()
}
