package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"time"
)

const (
	connections    = 16
	maxConnections = 64
	groupWriters   = 8 // connections, and groups, of the workloads on groups
)

// target is one server that is measured, with what is in it.
type target struct {
	name    string
	process *process
	address string
	prefix  string // of the paths
	headers string
	users   []string // ids
	groups  []string // ids of groups that nobody is a member of yet
	center  *identityCenter
	made    int // names given so far, so that each is given once
}

// workload is one figure.
type workload struct {
	name        string
	connections int
	against     string // the figure that ratio is of: hello, echo, peer
	must, more  float64
	unit        string
	each        float64                                   // how many units one request is; 0: 1
	prepare     func(t *target) error                     // before each window
	build       func(t *target) (next request, limit int) // limit: requests of a connection; 0: no limit
	targets     func(name string) bool                    // which of the servers; nil: all that are not floors
	also        []struct {
		against    string
		must, more float64
	} // further ratios
}

// The SCIM schemas of a user, RFC 7643 section 8.7.
const (
	coreUser       = "urn:ietf:params:scim:schemas:core:2.0:User"
	enterpriseUser = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
)

func userBody(buf []byte, name string, n int) []byte {
	return fmt.Appendf(
		buf,
		`{"schemas":["`+coreUser+`","`+enterpriseUser+`"],"externalId":"%08x-0000-4000-%04x-%012x",`+
			`"userName":"%s","displayName":"Given%d Family%d","title":"Engineer","locale":"en-GB",`+
			`"timezone":"Europe/London","active":true,"name":{"givenName":"Given%d","familyName":"Family%d"},`+
			`"emails":[{"value":"%s","type":"work","primary":true}],`+
			`"`+enterpriseUser+`":{"employeeNumber":"%d","department":"Engineering"}}`,
		rand.Uint32(), rand.Uint32()>>16, n, name, n, n, n, n, name, n,
	)
}

func knownName(n int) string { return fmt.Sprintf("user%07d@example.com", n) }

// fill makes n users and remembers their ids.
func (t *target) fill(n int) error {
	each := (n + connections - 1) / connections
	bodies := make([][]byte, connections)
	_, err := closedLoop(t.address, connections, time.Hour, each, func(buf []byte, c, i int) []byte {
		bodies[c] = userBody(bodies[c][:0], knownName(c*each+i), c*each+i)
		return message(buf, "POST", t.prefix+"Users", t.headers, bodies[c])
	})
	if err != nil {
		return fmt.Errorf("fill %s: %w", t.name, err)
	}
	t.users, err = ids(t.address, t.prefix+"Users", t.center.bearer(), n)
	return err
}

func (c *identityCenter) bearer() string {
	if c == nil {
		return ""
	}
	return c.token
}

// newGroups makes groups that have no members yet.
func (t *target) newGroups() error {
	t.groups = nil
	for range groupWriters {
		t.made++
		id, err := created(
			t.address,
			message(
				nil,
				"POST",
				t.prefix+"Groups",
				t.headers,
				fmt.Appendf(
					nil, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Group %d"}`,
					t.made,
				),
			),
		)
		if err != nil {
			return err
		}
		t.groups = append(t.groups, id)
	}
	return nil
}

func get(path func(t *target) string) func(*target) (request, int) {
	return func(t *target) (request, int) {
		return func(buf []byte, _, _ int) []byte { return message(buf, "GET", t.prefix+path(t), t.headers, nil) }, 0
	}
}

func (t *target) anyUser() string { return t.users[rand.IntN(len(t.users))] }

func getUser(t *target) string { return "Users/" + t.anyUser() }
func findUser(t *target) string {
	return "Users?filter=userName%20eq%20%22" + knownName(rand.IntN(len(t.users))) + "%22"
}
func listUsers(t *target) string {
	return fmt.Sprintf("Users?startIndex=%d&count=100", 1+rand.IntN(max(1, min(len(t.users), 10_000)-100)))
}

func postUser(t *target) (request, int) {
	t.made++
	round := t.made
	bodies := make([][]byte, maxConnections)
	return func(buf []byte, c, i int) []byte {
		bodies[c] = userBody(bodies[c][:0], fmt.Sprintf("new%d.%d.%d@example.com", round, c, i), i)
		return message(buf, "POST", t.prefix+"Users", t.headers, bodies[c])
	}, 0
}

const patchURN = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`

func patchActive(t *target) (request, int) {
	return func(buf []byte, _, i int) []byte {
		return message(
			buf, "PATCH", t.prefix+"Users/"+t.anyUser(), t.headers,
			fmt.Appendf(nil, patchURN+`{"op":"replace","path":"active","value":%t}]}`, i%2 == 1),
		)
	}, 0
}

// addMembers sends n members a request to the connection's own group, which begins empty.
func addMembers(n, limit int) func(*target) (request, int) {
	return func(t *target) (request, int) {
		bodies := make([][]byte, groupWriters)
		return func(buf []byte, c, i int) []byte {
			b := append(bodies[c][:0], patchURN+`{"op":"add","path":"members","value":[`...)
			for k := range n {
				if k > 0 {
					b = append(b, ',')
				}
				b = append(append(append(b, `{"value":"`...), t.users[(i*n+k)%len(t.users)]...), `"}`...)
			}
			bodies[c] = append(b, `]}]}`...)
			return message(buf, "PATCH", t.prefix+"Groups/"+t.groups[c], t.headers, bodies[c])
		}, limit
	}
}

func workloads() []workload {
	return []workload{
		{name: "GET user by id", against: "peer", must: 1.2, also: ratios("hello", 0, 0.75), build: get(getUser)},
		{
			name:    "GET users, userName eq",
			against: "peer",
			must:    3,
			also:    ratios("hello", 0, 0.65),
			build:   get(findUser),
		},
		{name: "list of 100 users", against: "peer", must: 3, more: 10, build: get(listUsers)},
		{name: "PATCH active, durable", against: "peer", must: 1, also: ratios("echo", 0, 0.45), build: patchActive},
		{
			name:        "PATCH group, +1 member",
			connections: groupWriters,
			against:     "peer",
			must:        1,
			more:        2,
			prepare:     (*target).newGroups,
			build:       addMembers(1, 0),
		},
		{
			name:        "PATCH group, +100 members",
			connections: groupWriters,
			against:     "peer",
			must:        1.5,
			more:        5,
			unit:        "members/s",
			each:        100,
			prepare:     (*target).newGroups,
			build:       addMembers(100, 100),
		},
		{
			name:    "GetUserId, SigV4",
			against: "hello",
			must:    0.25,
			more:    0.5,
			targets: signs,
			build:   signedReads(getUserID),
		},
		{
			name:    "DescribeUser, SigV4",
			against: "hello",
			must:    0.25,
			more:    0.5,
			targets: signs,
			build:   signedReads(describeUser),
		},
		{
			name:        "CreateGroupMembership, SigV4, durable",
			connections: groupWriters,
			against:     "echo",
			must:        0.2,
			more:        0.45,
			targets:     signs,
			prepare:     (*target).newGroups,
			build:       signedMemberships,
		},
		{
			name:    "CreateUser, SigV4, durable",
			against: "echo",
			must:    0.2,
			more:    0.45,
			targets: signs,
			build:   signedUsers,
		},
		{
			name:    "POST user, durable",
			against: "peer",
			must:    0.6,
			more:    1.2,
			also:    ratios("echo", 0, 0.45),
			build:   postUser,
		},
	}
}

func ratios(against string, must, more float64) []struct {
	against    string
	must, more float64
} {
	return []struct {
		against    string
		must, more float64
	}{{against, must, more}}
}

func signs(name string) bool { return name != "peer" }

// identityStore measures the center's identity store beside the floors and the peer.
func identityStore(s settings, self string) ([]figure, error) {
	b, err := newBench(s, self)
	if err != nil {
		return nil, err
	}
	defer b.stop()
	if err := b.startFloors(); err != nil {
		return nil, err
	}
	peer, err := b.startPeer()
	if err != nil {
		return nil, err
	}
	empty, err := b.startCenter("center", "")
	if err != nil {
		return nil, err
	}
	s.say("start times, %d rounds", s.rounds+2)
	figures, err := b.startTimes(empty)
	if err != nil {
		return nil, err
	}
	for _, t := range []*target{peer, empty} {
		s.say("making %s users, %s", thousands(s.users), t.name)
		if err := t.fill(s.users); err != nil {
			return nil, err
		}
	}
	targets := []*target{peer, empty}
	if s.database != "" {
		pg, err := b.startCenter("center on PostgreSQL", s.database)
		if err != nil {
			return nil, err
		}
		s.say("making %s users, %s", thousands(s.users), pg.name)
		if err := pg.fill(s.users); err != nil {
			return nil, err
		}
		targets = append(targets, pg)
	}
	for _, w := range workloads() {
		if !strings.Contains(w.name, s.match) {
			continue
		}
		more, err := b.measure(w, targets)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
		figures = append(figures, more...)
	}
	for _, n := range s.large {
		more, err := b.atSize(n)
		if err != nil {
			return nil, fmt.Errorf("at %d users: %w", n, err)
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

// bench is the servers of one run.
type bench struct {
	settings
	self, dir string
	floors    map[string]*target
	started   []*process
	centers   int
}

func newBench(s settings, self string) (*bench, error) {
	dir, err := os.MkdirTemp("", "gatehouse-bench-")
	return &bench{settings: s, self: self, dir: dir, floors: map[string]*target{}}, err
}

// stop stops the servers and removes what they have written.
func (b *bench) stop() {
	for _, p := range b.started {
		p.stop()
	}
	_ = os.RemoveAll(b.dir) // a leftover temporary folder is no failure
}

func (b *bench) startFloors() error {
	for _, name := range []string{"hello", "echo"} {
		p, err := start(b.self, "-serve", name)
		if err != nil {
			return err
		}
		b.started = append(b.started, p)
		b.floors[name] = &target{
			name:    name,
			process: p,
			address: string(p.line),
			prefix:  "/",
			headers: "Content-Type: application/json\r\n",
		}
	}
	return nil
}

func (b *bench) startPeer() (*target, error) {
	p, err := start(b.self, "-serve", "peer")
	if err != nil {
		return nil, err
	}
	b.started = append(b.started, p)
	return &target{
		name:    "peer",
		process: p,
		address: string(p.line),
		prefix:  "/",
		headers: "Content-Type: application/scim+json\r\n",
	}, nil
}

func (b *bench) startCenter(name, database string) (*target, error) {
	b.centers++
	c, err := startCenter(b.program, fmt.Sprintf("%s/%d", b.dir, b.centers), database)
	if err != nil {
		return nil, err
	}
	b.started = append(b.started, c.process)
	return &target{
		name:    name,
		process: c.process,
		address: c.address,
		prefix:  c.scimPath,
		center:  c,
		headers: "Authorization: Bearer " + c.token + "\r\nContent-Type: application/scim+json\r\n",
	}, nil
}

// startTimes compares the start of an empty center with that of a plain server. The center has been
// started before: its schema is there.
func (b *bench) startTimes(t *target) ([]figure, error) {
	var own, plain []float64
	for range b.rounds + 2 {
		p, err := start(b.self, "-serve", "hello")
		if err != nil {
			return nil, err
		}
		plain = append(plain, p.ready.Seconds()*1000)
		p.stop()
		if err := b.restart(t); err != nil {
			return nil, err
		}
		own = append(own, t.process.ready.Seconds()*1000)
	}
	a, floor := median(own), median(plain)
	return []figure{
		{
			Name:    "start to first answer, empty",
			Value:   a,
			Unit:    "ms",
			Against: "hello",
			Floor:   floor,
			Ratio:   a / floor,
			Aim:     "≤ 50 ms; ≤ 3",
		},
	}, nil
}

// restart stops a center and starts it on the same data.
func (b *bench) restart(t *target) error {
	t.process.stop()
	if err := t.center.run(b.program, os.Stdout); err != nil {
		return err
	}
	for i, p := range b.started {
		if p == t.process {
			b.started[i] = t.center.process
		}
	}
	t.process = t.center.process
	return nil
}

// window runs one closed loop against a server.
func (b *bench) window(w workload, t *target) (window, error) {
	if w.prepare != nil {
		if err := w.prepare(t); err != nil {
			return window{}, err
		}
	}
	next, limit := w.build(t)
	length := b.length
	if limit > 0 {
		length = time.Minute
	}
	if w.connections == 0 {
		w.connections = connections
	}
	before := t.process.cpu()
	out, err := closedLoop(t.address, w.connections, length, limit, next)
	if err != nil {
		return out, fmt.Errorf("%s: %w", t.name, err)
	}
	out.CPU = (t.process.cpu() - before) / time.Duration(max(1, out.Requests))
	return out, nil
}

// measure runs a workload in interleaved rounds: the floors, the peer and the centers one after the
// other in each.
func (b *bench) measure(w workload, targets []*target) ([]figure, error) {
	windows := map[string][]window{}
	for i := range b.rounds {
		b.sayRound(w.name, i)
		for _, name := range []string{"hello", "echo"} {
			floor := workload{name: name, connections: w.connections, build: get(func(*target) string { return "" })}
			if name == "echo" {
				floor.build = postUser
			}
			out, err := b.window(floor, b.floors[name])
			if err != nil {
				return nil, err
			}
			windows[name] = append(windows[name], out)
		}
		for _, t := range targets {
			if w.targets != nil && !w.targets(t.name) {
				continue
			}
			out, err := b.window(w, t)
			if err != nil {
				return nil, err
			}
			windows[t.name] = append(windows[t.name], out)
		}
	}
	var figures []figure
	for _, t := range targets {
		if own, ok := windows[t.name]; ok && t.name != "peer" {
			figures = append(figures, compare(w, t.name, own, windows)...)
		}
	}
	return figures, nil
}

// compare makes a figure of the medians.
func compare(w workload, name string, own []window, windows map[string][]window) []figure {
	each, unit := 1.0, "/s"
	if w.each > 0 {
		each, unit = w.each, w.unit
	}
	value := rate(own) * each
	title := w.name
	if name != "center" {
		title += " (" + name + ")"
	}
	var figures []figure
	for i, r := range append(ratios(w.against, w.must, w.more), w.also...) {
		f := figure{Name: title, Value: value, Unit: unit, Against: r.against, Floor: rate(windows[r.against])}
		if r.against == "peer" {
			f.Floor *= each
		}
		f.Ratio = value / f.Floor
		if r.must > 0 {
			f.Aim = fmt.Sprintf("≥ %.3g", r.must)
		}
		if r.more > 0 {
			f.Aim += fmt.Sprintf(" (goal %.3g)", r.more)
		}
		if i == 0 {
			f.More = latencies(own)
		}
		figures = append(figures, f)
	}
	return figures
}

func rate(windows []window) float64 {
	var rates []float64
	for _, w := range windows {
		rates = append(rates, w.Rate)
	}
	return median(rates)
}

func latencies(windows []window) string {
	var p50, p99, cpu []float64
	for _, w := range windows {
		p50 = append(p50, w.P50.Seconds()*1e3)
		p99 = append(p99, w.P99.Seconds()*1e3)
		cpu = append(cpu, w.CPU.Seconds()*1e6)
	}
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms, %.0f µs CPU", median(p50), median(p99), median(cpu))
}
