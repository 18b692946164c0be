// Command bench measures the program from outside and prints each figure beside what plain net/http does on the same machine in the same run.
// Machines differ and are shared: the ratios mean something, the absolute numbers little.
//
// It may import everything, and uses the wire clients only.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sort"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/graph"
)

const (
	connections = 16
	rounds      = 3
	roundLength = 2 * time.Second
)

func main() {
	program := flag.String("program", "bin/gatehouse", "the program to measure")
	hello := flag.Bool("hello", false, "be the plain net/http server")
	asJSON := flag.Bool("json", false, "print JSON lines")
	flag.Parse()
	var err error
	if *hello {
		err = serveHello()
	} else {
		err = measure(*program, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// serveHello is the floor: it reads the body and answers a few bytes of JSON.
func serveHello() error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"totalResults":0,"Resources":[]}`))
	})}
	return server.Serve(l)
}

// process is a started program and the first line that it printed.
type process struct {
	cmd   *exec.Cmd
	line  []byte
	ready time.Duration
}

func start(path string, args ...string) (*process, error) {
	began := time.Now()
	cmd := exec.CommandContext(context.Background(), path, args...) // #nosec G204 -- what the person who runs the benchmark named
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReaderSize(out, 1<<22).ReadBytes('\n')
	if err != nil {
		return nil, fmt.Errorf("%s printed no line: %w", path, err)
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return &process{cmd, bytes.TrimSpace(line), time.Since(began)}, nil
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(os.Interrupt)
	_ = p.cmd.Wait()
}

// resident is the process's resident memory in MiB.
func (p *process) resident() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(data), "\n") {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb / 1024
		}
	}
	return 0
}

// demo is the part of the demo's JSON that is used here.
type demo struct {
	Center struct {
		URL          string `json:"url"`
		SCIMEndpoint string `json:"scim_endpoint"`
		SCIMToken    string `json:"scim_token"`
		Region       string `json:"region"`
	} `json:"center"`
	AWS struct {
		AccessKeyID     string `json:"access_key_id"`
		SecretAccessKey string `json:"secret_access_key"`
	} `json:"aws"`
	Tenant struct {
		URL          string `json:"url"`
		TenantID     string `json:"tenant_id"`
		GraphURL     string `json:"graph_url"`
		TokenURL     string `json:"token_url"`
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	} `json:"tenant"`
}

func startDemo(program string, more ...string) (*process, demo, error) {
	p, err := start(program, append([]string{"demo", "--json", "--center", "127.0.0.1:0", "--tenant", "127.0.0.1:0"}, more...)...)
	if err != nil {
		return nil, demo{}, err
	}
	var d demo
	return p, d, json.Unmarshal(p.line, &d)
}

// figure is one line of the result.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Floor float64 `json:"floor"` // plain net/http in the same run; 0: none
	Ratio float64 `json:"ratio"` // value over floor
	Aim   string  `json:"aim,omitempty"`
}

func measure(program string, asJSON bool) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	hello, err := start(self, "-hello")
	if err != nil {
		return err
	}
	defer hello.stop()
	floor := "http://" + string(hello.line)
	var figures []figure
	for _, part := range []func(string, string, string) ([]figure, error){startUp, cycle, scimRates} {
		more, err := part(program, self, floor)
		if err != nil {
			return err
		}
		figures = append(figures, more...)
	}
	if info, err := os.Stat(program); err == nil {
		figures = append(figures, figure{Name: "binary", Value: float64(info.Size()) / (1 << 20), Unit: "MiB", Aim: "< 60"})
	}
	return show(figures, asJSON)
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
	fmt.Fprintln(t, "what\tmeasured\tplain net/http\tratio\taim")
	for _, f := range figures {
		floor, ratio := "", ""
		if f.Floor > 0 {
			floor, ratio = fmt.Sprintf("%.4g %s", f.Floor, f.Unit), fmt.Sprintf("%.3f", f.Ratio)
		}
		fmt.Fprintf(t, "%s\t%.4g %s\t%s\t%s\t%s\n", f.Name, f.Value, f.Unit, floor, ratio, f.Aim)
	}
	return t.Flush()
}

func median(values []float64) float64 {
	sort.Float64s(values)
	return values[len(values)/2]
}

// startUp measures from the start of the process to the demo's line, and to the plain server's.
func startUp(program, self, _ string) ([]figure, error) {
	var ready, plain, memory []float64
	for range rounds + 2 {
		h, err := start(self, "-hello")
		if err != nil {
			return nil, err
		}
		plain = append(plain, h.ready.Seconds())
		h.stop()
		p, _, err := startDemo(program)
		if err != nil {
			return nil, err
		}
		ready, memory = append(ready, p.ready.Seconds()), append(memory, p.resident())
		p.stop()
	}
	a, b := median(ready), median(plain)
	return []figure{{"demo start to ready", a, "s", b, a / b, "< 3"}, {"demo resident memory", median(memory), "MiB", 0, 0, "< 120"}}, nil
}

const people, groups = 1000, 50

// cycle measures a full provisioning cycle: from the start of the job to all users, groups and members at the center. The floor is as many plain
// requests as the cycle takes: a query and a creation for each object, and a request for each group's members.
func cycle(program, _, floor string) ([]figure, error) {
	var took, plain []float64
	var memory float64
	for range rounds {
		p, d, err := startDemo(program, "--no-connect", "--people", fmt.Sprint(people), "--groups", fmt.Sprint(groups))
		if err != nil {
			return nil, err
		}
		seconds, err := connectAll(d)
		memory = p.resident()
		p.stop()
		if err != nil {
			return nil, err
		}
		took = append(took, seconds)
		began := time.Now()
		requests(floor, 2*(people+groups)+people+groups) // the manager of each person, and one batch of members a group
		plain = append(plain, time.Since(began).Seconds())
	}
	a, b := median(took), median(plain)
	return []figure{{fmt.Sprintf("full cycle, %d users and %d groups", people, groups), a, "s", b, a / b, ""}, {"resident memory after it", memory, "MiB", 0, 0, "< 120"}}, nil
}

func connectAll(d demo) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	plan, err := connect.Observe(ctx, connect.Config{
		Graph:    graph.NewClient(ctx, d.Tenant.GraphURL, d.Tenant.TokenURL, d.Tenant.ClientID, d.Tenant.ClientSecret, nil),
		Admin:    &adminapi.Client{URL: d.Center.URL, Region: d.Center.Region, AccessKeyID: d.AWS.AccessKeyID, SecretAccessKey: d.AWS.SecretAccessKey},
		LoginURL: d.Tenant.URL + "/" + d.Tenant.TenantID, AppName: "AWS", SyncAll: true, Cert: "AWS", PollEach: 20 * time.Millisecond,
	})
	if err != nil {
		return 0, err
	}
	if err := plan.Apply(ctx, connect.Confirmation, func(int, bool) {}); err != nil {
		return 0, err
	}
	result, err := plan.Verify(ctx, func(int, int) {})
	if err != nil {
		return 0, err
	}
	x := result.Job.Status.LastExecution
	return x.TimeEnded.Sub(x.TimeBegan).Seconds(), nil
}

// requests sends n plain requests over the connections.
func requests(address string, n int) {
	var all sync.WaitGroup
	queue := make(chan struct{}, n)
	for range n {
		queue <- struct{}{}
	}
	close(queue)
	client := newClient()
	for range connections {
		all.Go(func() {
			for range queue {
				_ = send(client, http.MethodPost, address, "", []byte(`{}`))
			}
		})
	}
	all.Wait()
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections}}
}

func send(client *http.Client, method, address, token string, body []byte) error {
	req, err := http.NewRequestWithContext(context.Background(), method, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s answered %s", method, address, res.Status)
	}
	return nil
}

// rate runs a closed loop for one round and returns requests per second.
func rate(next func(worker, i int) (method, address, token string, body []byte)) (float64, error) {
	var all sync.WaitGroup
	counts, failures := make([]int, connections), make([]error, connections)
	client := newClient()
	began := time.Now()
	for w := range connections {
		all.Go(func() {
			for i := 0; time.Since(began) < roundLength; i++ {
				method, address, token, body := next(w, i)
				if failures[w] = send(client, method, address, token, body); failures[w] != nil {
					return
				}
				counts[w]++
			}
		})
	}
	all.Wait()
	total := 0
	for w, n := range counts {
		if failures[w] != nil {
			return 0, failures[w]
		}
		total += n
	}
	return float64(total) / time.Since(began).Seconds(), nil
}

// scimRates measures SCIM creations and filter queries in rounds that alternate with the plain server's.
func scimRates(program, _, floor string) ([]figure, error) {
	p, d, err := startDemo(program)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	var create, filter, plain []float64
	for round := range rounds {
		for _, part := range []struct {
			into *[]float64
			next func(w, i int) (string, string, string, []byte)
		}{
			{&plain, func(int, int) (string, string, string, []byte) {
				return http.MethodPost, floor, "", []byte(`{"userName":"x"}`)
			}},
			{&create, func(w, i int) (string, string, string, []byte) {
				name := fmt.Sprintf("r%d.w%d.n%d@example.com", round, w, i)
				return http.MethodPost, d.Center.SCIMEndpoint + "Users", d.Center.SCIMToken, []byte(`{"userName":"` + name + `","displayName":"N","name":{"givenName":"G","familyName":"F"},"emails":[{"value":"` + name + `","type":"work","primary":true}]}`)
			}},
			{&filter, func(w, i int) (string, string, string, []byte) {
				return http.MethodGet, d.Center.SCIMEndpoint + fmt.Sprintf("Users?filter=userName%%20eq%%20%%22r%d.w%d.n%d@example.com%%22", round, w, i%200), d.Center.SCIMToken, nil
			}},
		} {
			r, err := rate(part.next)
			if err != nil {
				return nil, err
			}
			*part.into = append(*part.into, r)
		}
	}
	a, b, c := median(create), median(filter), median(plain)
	return []figure{{"SCIM create, durable", a, "/s", c, a / c, ""}, {"SCIM filter by userName", b, "/s", c, b / c, ""}, {"resident memory after them", p.resident(), "MiB", 0, 0, "< 120"}}, nil
}
