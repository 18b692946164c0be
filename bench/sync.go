package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
)

// stub is a SCIM service that has nobody and takes everybody: after a pause, a few at a time, or so
// many a second.
type stub struct {
	pause    time.Duration
	slots    chan struct{} // nil: any number under way
	rate     float64       // requests a second; zero: any number
	requests atomic.Int64
	refused  atomic.Int64
	mu       sync.Mutex
	tokens   float64
	last     time.Time
}

var stubs = map[string]func() *stub{
	"scim":      func() *stub { return &stub{} },
	"scim-10ms": func() *stub { return &stub{pause: 10 * time.Millisecond, slots: make(chan struct{}, 16)} },
	"scim-20":   func() *stub { return &stub{rate: 20, tokens: 1, last: time.Now()} },
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/counted" {
		_ = json.NewEncoder(w).Encode([]int64{s.requests.Load(), s.refused.Load()})
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	n := s.requests.Add(1)
	if s.rate > 0 && !s.take() {
		s.refused.Add(1)
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return
	}
	if s.slots != nil {
		s.slots <- struct{}{}
		defer func() { <-s.slots }()
	}
	time.Sleep(s.pause) // what is simulated
	w.Header().Set("Content-Type", scim.ContentType)
	switch r.Method {
	case http.MethodGet:
		_, _ = w.Write(
			[]byte(
				`{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":0,"Resources":[]}`,
			),
		)
	case http.MethodPost:
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"id":"` + strconv.FormatInt(n, 10) + `"}`))
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// take takes a token from the bucket, which holds those of a tenth of a second.
func (s *stub) take() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.tokens, s.last = min(s.rate/10, s.tokens+s.rate*now.Sub(s.last).Seconds()), now
	if s.tokens < 1 {
		return false
	}
	s.tokens--
	return true
}

// directory is a source that has everybody at once.
type directory struct{ users, groups []provisioning.Object }

func newDirectory(users, groups, each int) *directory {
	d := &directory{}
	for i := range users {
		id := fmt.Sprintf("u%07d", i)
		d.users = append(
			d.users,
			provisioning.Object{
				Ref:      provisioning.Ref{Kind: provisioning.User, ID: id},
				Name:     id,
				Assigned: true,
				Active:   true,
				Attributes: mapping.Texts(map[string]string{
					"userPrincipalName": id + "@example.com",
					"displayName":       "User " + id,
					"givenName":         "User",
					"surname":           id,
					"mail":              id + "@example.com",
					"objectId":          id,
				}),
			},
		)
	}
	for i := range groups {
		id := fmt.Sprintf("g%07d", i)
		g := provisioning.Object{
			Ref:        provisioning.Ref{Kind: provisioning.Group, ID: id},
			Name:       id,
			Assigned:   true,
			Active:     true,
			Attributes: mapping.Texts(map[string]string{"displayName": "Group " + id, "objectId": id}),
		}
		for k := range each {
			g.Members = append(g.Members, d.users[(i*each+k)%users].ID)
		}
		d.groups = append(d.groups, g)
	}
	return d
}

func (d *directory) Changes(context.Context, string, []provisioning.Ref) (provisioning.Changes, error) {
	return provisioning.Changes{Users: d.users, Groups: d.groups, Watermark: "1"}, nil
}

func (d *directory) Object(_ context.Context, ref provisioning.Ref) (provisioning.Object, error) {
	return provisioning.Object{Ref: ref, Gone: true}, nil
}

// bound is the least number of requests that a first sync takes: one for each object, and one for
// each hundred members of a group.
func (d *directory) bound() int {
	n := len(d.users) + len(d.groups)
	for _, g := range d.groups {
		n += (len(g.Members) + provisioning.MaxMembers - 1) / provisioning.MaxMembers
	}
	return n
}

// syncs measures the provisioning engine: into services that behave as they like, and from the
// tenant to the center.
func syncs(s settings, self string) (figures []figure, err error) {
	for _, x := range []struct {
		title, server string
		d             *directory
		rounds        int
		floor         func(*directory) float64 // seconds
		aim           string
	}{
		{
			"first sync, 2,000 users, 100 groups, 10,000 members, instant service", "scim",
			newDirectory(2000, 100, 100), s.rounds, nil, "≤ 1.1 s, goal 0.45 s",
		},
		{"first sync, 500 users, 50 groups, 2,500 members, 10 ms a request, 16 at once", "scim-10ms",
			newDirectory(500, 50, 50), s.rounds, func(d *directory) float64 {
				return float64(d.bound()) * 0.010 / 16
			}, "≤ 0.85 s, goal 0.57 s"},
		{"the first set again, 20 requests/s", "scim-20", newDirectory(2000, 100, 100), 1, func(d *directory) float64 {
			return float64(d.bound()) / 20
		}, "≤ 1.1 × bound, goal 1.03"},
	} {
		run := s
		run.rounds = x.rounds
		more, err := run.firstSync(x.title, x.server, self, x.d, x.floor, x.aim)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.title, err)
		}
		figures = append(figures, more...)
	}
	s.say("tenant to center, %s users and %s groups", thousands(tenantPeople), thousands(tenantGroups))
	more, err := tenantToCenter(s)
	return append(figures, more...), err
}

// firstSync measures first syncs of a directory into a service that this program is.
func (s settings) firstSync(
	title, server, self string, d *directory, floor func(*directory) float64, aim string,
) ([]figure, error) {
	var took []float64
	var counted [2]int64
	for i := range s.rounds {
		s.sayRound(title, i)
		p, err := start(self, "-serve", server)
		if err != nil {
			return nil, err
		}
		client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
		n := 0
		mappings, err := provisioning.Compile(mapping.Default("rule"))
		if err != nil {
			return nil, err
		}
		engine := provisioning.Engine{
			Source: d,
			Target: provisioning.SCIM(
				&scim.Client{BaseURL: "http://" + string(p.line), Token: "t", HTTP: client}, provisioning.Entra,
			),
			Memory:   provisioning.NewVolatile(),
			Mappings: mappings,
			Now:      time.Now,
			NewID:    func() string { n++; return fmt.Sprint(n) },
		}
		began := time.Now()
		result, err := engine.Run(context.Background())
		took = append(took, time.Since(began).Seconds())
		if err == nil && (result.Failed > 0 || result.Created != len(d.users)+len(d.groups)) {
			err = fmt.Errorf("the cycle ended with %+v", result)
		}
		if err == nil {
			err = readJSON("http://"+string(p.line)+"/counted", &counted)
		}
		p.stop()
		if err != nil {
			return nil, err
		}
	}
	time := figure{Name: title, Value: median(took), Unit: "s", Aim: aim}
	if floor != nil {
		time.Against, time.Floor = "bound", floor(d)
		time.Ratio = time.Value / time.Floor
	}
	requests := float64(counted[0])
	return []figure{
		time,
		{
			Name:    "its requests",
			Value:   requests,
			Unit:    "",
			Against: "bound",
			Floor:   float64(d.bound()),
			Ratio:   requests / float64(d.bound()),
			Aim:     "≤ 1.05",
			More:    fmt.Sprint(counted[1], " of them refused"),
		},
	}, nil
}

func readJSON(url string, into any) error {
	res, err := http.Get(url) //nolint:gosec,noctx // the server that was started here
	if err != nil {
		return err
	}
	defer res.Body.Close() //nolint:errcheck // a read body has nothing to lose
	return json.NewDecoder(res.Body).Decode(into)
}

// How many people and groups the tenant has, and how many are disabled one after the other.
const (
	tenantPeople   = 10_000
	tenantGroups   = 1_000
	tenantDisabled = 100
)

// tenantToCenter measures a first cycle from the tenant to the center, both at work on this
// machine, and how soon the center refuses a person who was disabled in the tenant.
func tenantToCenter(s settings) ([]figure, error) {
	d, err := startDemo(
		s.program, "--no-connect", "--people", fmt.Sprint(tenantPeople), "--groups", fmt.Sprint(tenantGroups),
	)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	seconds, err := connectAll(d.demo)
	if err != nil {
		return nil, err
	}
	s.say("%d cycles without a change", idleCycles)
	idleCPU, err := idle(d)
	if err != nil {
		return nil, err
	}
	memory := d.resident()
	s.say("disabling %d people, one after the other", tenantDisabled)
	latencies, err := disable(d.demo)
	if err != nil {
		return nil, err
	}
	slices.Sort(latencies)
	return []figure{
		{
			Name:  fmt.Sprintf("first cycle, tenant to center, %d users and %d groups", tenantPeople, tenantGroups),
			Value: seconds,
			Unit:  "s",
			Aim:   "≤ 30 s",
		},
		{
			Name: fmt.Sprintf(
				"a cycle when nothing has changed, %d objects, processor time", tenantPeople+tenantGroups,
			),
			Value: float64(idleCPU.Microseconds()) / 1000,
			Unit:  "ms",
			Aim:   "goal ≤ 5 ms",
			More:  fmt.Sprintf("both halves in %.0f MiB", memory),
		},
		{
			Name:  "disabled in the tenant, inactive at the center",
			Value: latencies[len(latencies)/2].Seconds(),
			Unit:  "s",
			Aim:   "≤ 1 s, p99 3 s; goal 0.2 s, 1 s",
			More:  fmt.Sprintf("p99 %.2f s", latencies[len(latencies)*99/100].Seconds()),
		},
	}, nil
}

// idleCycles is how many cycles without a change are measured together: the processor's time is
// counted in hundredths of a second.
const idleCycles = 200

// idle measures the processor time of a cycle when nothing has changed, the two Graph requests that
// start and watch it included.
func idle(d runningDemo) (each time.Duration, err error) {
	ctx := context.Background()
	g := graph.NewClient(ctx, d.Tenant.GraphURL, d.Tenant.TokenURL, d.Tenant.ClientID, d.Tenant.ClientSecret, nil)
	apps, err := graph.All[graph.ServicePrincipal](ctx, g, "/servicePrincipals")
	if err != nil {
		return 0, err
	}
	jobs := "/servicePrincipals/" + apps[0].ID + "/synchronization/jobs"
	list, err := graph.All[graph.SynchronizationJob](ctx, g, jobs)
	if err != nil {
		return 0, err
	}
	last := func() (string, error) {
		var j graph.SynchronizationJob
		err := g.Do(ctx, http.MethodGet, jobs+"/"+list[0].ID, nil, &j)
		if err != nil || j.Status.LastExecution == nil {
			return "", err
		}
		return j.Status.LastExecution.ActivityIdentifier, nil
	}
	before := d.cpu()
	for range idleCycles {
		was, err := last()
		if err == nil {
			err = g.Do(ctx, http.MethodPost, jobs+"/"+list[0].ID+"/start", nil, nil)
		}
		for now := was; err == nil && now == was; now, err = last() {
			time.Sleep(50 * time.Millisecond) // between two looks
		}
		if err != nil {
			return 0, err
		}
	}
	return (d.cpu() - before) / idleCycles, nil
}

// disable disables people and looks until the center has them inactive.
func disable(d demo) (latencies []time.Duration, err error) {
	ctx := context.Background()
	g := graph.NewClient(ctx, d.Tenant.GraphURL, d.Tenant.TokenURL, d.Tenant.ClientID, d.Tenant.ClientSecret, nil)
	admin := &adminapi.Client{
		URL:             d.Center.URL,
		Region:          d.Center.Region,
		AccessKeyID:     d.AWS.AccessKeyID,
		SecretAccessKey: d.AWS.SecretAccessKey,
	}
	tenants, err := admin.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	token, err := admin.CreateBearerToken(ctx, tenants[0].TenantID, "")
	if err != nil {
		return nil, err
	}
	target := &scim.Client{BaseURL: tenants[0].ScimEndpoint, Token: token.Value}
	var page graph.Page[graph.User]
	if err := g.Do(ctx, http.MethodGet, fmt.Sprint("/users?$top=", tenantDisabled), nil, &page); err != nil {
		return nil, err
	}
	no := false
	for _, u := range page.Value {
		there, err := target.Find(ctx, "/Users", "userName", u.UserPrincipalName)
		if err != nil {
			return nil, err
		}
		// some cannot be provisioned: the demo's company has those too
		if len(there) != 1 || there[0]["active"] != true {
			continue
		}
		began := time.Now()
		if err := g.Do(ctx, http.MethodPatch, "/users/"+u.ID, graph.User{AccountEnabled: &no}, nil); err != nil {
			return nil, err
		}
		for {
			found, err := target.Find(ctx, "/Users", "userName", u.UserPrincipalName)
			if err != nil {
				return nil, err
			}
			if len(found) == 1 && found[0]["active"] == false {
				break
			}
			if time.Since(began) > time.Minute {
				return nil, fmt.Errorf("%s stays active: %v", u.UserPrincipalName, found)
			}
		}
		latencies = append(latencies, time.Since(began))
	}
	return latencies, nil
}
