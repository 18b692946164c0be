// Command bench measures Gatehouse from outside and prints every figure beside what plain net/http
// and another SCIM server do on the same machine in the same run. Machines differ and are shared,
// so rely on the ratios and not on the absolute numbers.
//
// It is a module of its own and uses the wire clients only.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Settings of a run.
type settings struct {
	program  string
	length   time.Duration // of one window
	rounds   int
	users    int // present unless a workload says otherwise
	large    []int
	database string // PostgreSQL, or empty
	assigned int    // account assignments
	match    string // only workloads with this in their names
	part     string // walk, store, …: what is run now
}

func main() {
	var s settings
	flag.StringVar(&s.program, "program", "bin/gatehouse", "the program to measure")
	flag.DurationVar(&s.length, "window", 2*time.Second, "how long each closed loop runs")
	flag.IntVar(&s.rounds, "rounds", 3, "interleaved rounds; the median counts")
	flag.IntVar(&s.users, "users", 10_000, "users present")
	flag.StringVar(
		&s.database, "database", "", "postgres:// URL of an empty database, to measure the center on it as well",
	)
	large := flag.String("large", "100000", "further sizes, separated by commas; 1000000 takes a few minutes")
	flag.IntVar(&s.assigned, "assignments", 50_000, "account assignments; 1000000 takes a quarter of an hour to make")
	only := flag.String(
		"only", "walk,store,signin,access,sync,revoke",
		"which parts to run: walk, store, signin, access, sync, revoke, leavers, doctor, rehearse, hot; "+
			"nodes needs -database, an empty one",
	)
	flag.StringVar(&s.match, "match", "", "only the workloads on the identity store with this in their names")
	asJSON := flag.Bool("json", false, "print JSON lines")
	serve := flag.String(
		"serve", "",
		"be one of the servers to compare with, or to measure against: hello, echo, peer, scim, scim-10ms, scim-20",
	)
	flag.Parse()
	err := func() error {
		if *serve != "" {
			return serveFloor(*serve)
		}
		for text := range strings.SplitSeq(*large, ",") {
			var n int
			if _, err := fmt.Sscan(text, &n); err == nil && n > s.users {
				s.large = append(s.large, n)
			}
		}
		return run(s, strings.Split(*only, ","), *asJSON)
	}()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// serveFloor is one of the servers that figures are compared with. It prints its address.
func serveFloor(name string) error {
	handlers := map[string]http.Handler{"hello": http.HandlerFunc(hello), "echo": http.HandlerFunc(echo)}
	if s, ok := stubs[name]; ok {
		handlers[name] = s()
	}
	if name == "peer" {
		p, err := peer()
		if err != nil {
			return err
		}
		handlers["peer"] = p
	}
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return (&http.Server{ReadHeaderTimeout: time.Minute, Handler: handlers[name]}).Serve(l)
}

func run(s settings, parts []string, asJSON bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var figures []figure
	for _, part := range []struct {
		name    string
		measure func(settings, string) ([]figure, error)
	}{
		{"walk", walk}, {"store", identityStore}, {"signin", signIn}, {"access", access}, {"sync", syncs},
		{"revoke", revocations}, {"leavers", leaverReports},
		{"doctor", doctors}, {"rehearse", rehearsals},
		{"nodes", nodes}, {"hot", hot},
	} {
		if !slices.Contains(parts, part.name) {
			continue
		}
		s.part = part.name
		more, err := part.measure(s, self)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		figures = append(figures, more...)
	}
	return show(figures, asJSON)
}

// figure is one line of the result.
type figure struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Against string  `json:"against,omitempty"` // what it is compared with
	Floor   float64 `json:"floor,omitempty"`   // that thing's figure in the same run
	Ratio   float64 `json:"ratio,omitempty"`   // value over floor
	Aim     string  `json:"aim,omitempty"`
	More    string  `json:"more,omitempty"` // latencies, processor time
}

func show(figures []figure, asJSON bool) error {
	if asJSON {
		for _, f := range figures {
			if err := json.NewEncoder(os.Stdout).Encode(f); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(os.Stdout, 0, 4, 3, ' ', 0)
	fmt.Fprintln(t, "what\tmeasured\tcompared with\tratio\taim\t")
	for _, f := range figures {
		floor, ratio := "", ""
		if f.Floor > 0 {
			floor, ratio = fmt.Sprintf("%s %.4g", f.Against, f.Floor), fmt.Sprintf("%.2f", f.Ratio)
		}
		fmt.Fprintf(t, "%s\t%.4g %s\t%s\t%s\t%s\t%s\n", f.Name, f.Value, f.Unit, floor, ratio, f.Aim, f.More)
	}
	return t.Flush()
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
