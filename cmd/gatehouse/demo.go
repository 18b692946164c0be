package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/metrics"
	centerserver "github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/rehearse"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/datafolder"
	company "github.com/gatehouse-id/gatehouse/demo"
	"github.com/gatehouse-id/gatehouse/inbound"
	"github.com/gatehouse-id/gatehouse/mail"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/tenant"
	tenantmetrics "github.com/gatehouse-id/gatehouse/tenant/metrics"
	tenantserver "github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// demo is one run of the subcommand.
type demo struct {
	data, centerAddr, tenantAddr string
	people, groups               int
	noConnect, asJSON, published bool
	rehearsal                    rehearsal
	traces                       observe.Traces

	like    rehearse.Original // whose copy the pair is; the zero value: a company's
	w       *world
	out     io.Writer // the walk; nowhere with --json
	log     *slog.Logger
	sealer  *authn.Sealer
	center  *center.Center
	tenant  *tenant.Tenant
	jobs    *syncjobs.Runner
	secrets company.Keys // kept sealed in the data folder, for the next start
}

const (
	defaultPeople = 25
	defaultGroups = 6
)

func (w *world) demoCommand() *cobra.Command {
	d := &demo{w: w}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Run a center and a tenant on this machine, connected, with a small company",
		Long: `Starts a center and a tenant on loopback. It fills the tenant with a small company and the center
with four AWS accounts and three permission sets, then connects them live: the enterprise
application, SAML metadata both ways, the identity source, SCIM and the first provisioning cycle.
Press Ctrl-C to stop it.

It keeps nothing unless you name a folder with --data. With a folder, the next start continues
where this one stopped.`,
		Example: `  gatehouse demo
  gatehouse demo --data ./demo --people 1000 --groups 50
  gatehouse demo --no-connect                    # start both, and connect them yourself, step by step
  gatehouse demo --json | jq -r .aws.endpoint_url`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if d.people < 1 || d.groups < 1 {
				return terminal.UsageError{Err: errors.New("--people and --groups must be at least 1")}
			}
			if d.log, err = terminal.Logger(cmd, w.err, slog.LevelError); err != nil {
				return err
			}
			d.out = w.out
			if d.asJSON {
				d.out = io.Discard
			}
			return d.run(cmd.Context(), d.present)
		},
	}
	f := cmd.Flags()
	f.StringVar(
		&d.data, "data", "", "folder to keep the data in (default: a temporary folder that is removed at the end)",
	)
	f.StringVar(&d.centerAddr, "center", "127.0.0.1:8080", "address of the center")
	f.StringVar(&d.tenantAddr, "tenant", "127.0.0.1:8081", "address of the tenant")
	f.IntVar(&d.people, "people", defaultPeople, "number of people in the company")
	f.IntVar(&d.groups, "groups", defaultGroups, "number of groups in the company")
	d.rehearsal.flags(cmd)
	d.traces.Flags(f)
	f.BoolVar(&d.noConnect, "no-connect", false, "start both but do not connect them")
	f.BoolVar(
		&d.published, "published", false,
		"in a container: listen on all its addresses at the ports of --center and --tenant, as localhost; publish\n"+
			"them as the same ports of 127.0.0.1, since whoever reaches them can sign in",
	)
	f.BoolVar(&d.asJSON, "json", false, "print only one JSON object, when everything is ready")
	return cmd
}

// run serves both halves until the program is told to end, and presents them.
func (d *demo) run(ctx context.Context, present func(context.Context) error) error {
	if d.data == "" {
		dir, err := os.MkdirTemp("", "gatehouse-demo-")
		if err != nil {
			return fmt.Errorf("make a temporary folder: %w", err)
		}
		defer os.RemoveAll(dir) //nolint:errcheck // a leftover temporary folder is no failure
		d.data = dir
	}
	ctx, cancel := context.WithCancel(ctx)
	var servers sync.WaitGroup
	defer servers.Wait()
	defer cancel()
	failed := make(chan error, 2)
	serve := func(h *half, l *inbound.Listener, doors http.Handler, work func(context.Context)) {
		servers.Go(func() {
			if err := h.run(ctx, l, doors, work); err != nil {
				failed <- err
				cancel()
			}
		})
	}
	closeAll, err := d.open(ctx, serve)
	if err != nil {
		return err
	}
	defer func() { // after the servers and jobs have ended
		cancel()
		servers.Wait()
		closeAll()
	}()
	if err := present(ctx); err != nil {
		return errors.Join(err, drain(failed))
	}
	<-ctx.Done()
	return drain(failed)
}

// present connects the halves and says where they are.
func (d *demo) present(ctx context.Context) error {
	connected, err := d.walk(ctx)
	if err == nil {
		err = d.writeConfig(ctx)
	}
	switch {
	case err != nil:
		return err
	case d.asJSON:
		err = d.printJSON(ctx, connected.State)
	default:
		err = d.printPage(ctx, connected)
	}
	if d.noConnect && err == nil {
		go company.AssignWhenReady(ctx, d.center, d.log)
	}
	return err
}

// pair serves the copy of another pair, and hands it over.
func (w *world) pair(ctx context.Context, p rehearse.Place, use func(context.Context, rehearse.Pair) error) error {
	d := &demo{w: w, data: p.Data, centerAddr: p.Center, tenantAddr: p.Tenant, like: p.Original, log: p.Log}
	return d.run(ctx, func(ctx context.Context) error {
		return use(ctx, rehearse.Pair{Center: d.center, Tenant: d.tenant, Keys: d.secrets})
	})
}

func drain(failed chan error) error {
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

// open starts both halves on the data folder.
func (d *demo) open(
	ctx context.Context, serve func(*half, *inbound.Listener, http.Handler, func(context.Context)),
) (func(), error) {
	outbox := &mail.Outbox{}
	queue := mail.NewQueue(outbox, d.log)
	go queue.Run(ctx)
	c := &half{
		listen: d.centerAddr,
		data:   d.data,
		log:    d.log.With("half", "center"),
		mailer: centerserver.Mailer(queue),
	}
	t := &half{listen: d.tenantAddr, data: d.data, log: d.log.With("half", "tenant")}
	endTraces, err := d.ready(ctx, c, t)
	if err != nil {
		return nil, err
	}
	cl, err := c.open()
	if err != nil {
		return nil, err
	}
	tl, err := t.open()
	if err != nil {
		return nil, errors.Join(err, cl.Close())
	}
	stop := func(err error) error { return errors.Join(err, cl.Close(), tl.Close()) }
	counted := d.rehearsal.count(t)
	if t.watch != nil {
		c.watch = countsOfCenter()
	}
	if d.center, err = openCenter(ctx, c, d.w.env, center.Config{Identity: d.like.Instance, Copy: true}); err != nil {
		return nil, stop(err)
	}
	d.sealer = d.center.Sealer
	clock := &tenant.Clock{} // of both halves
	d.center.Now, d.center.Ahead = clock.Now, clock.Ahead
	d.like.Tenant.Clock = clock
	if d.tenant, err = tenantAs(ctx, t, d.w.env, d.like.Tenant); err != nil {
		return nil, errors.Join(stop(err), d.center.Store.Close())
	}
	closeAll := func() {
		_ = errors.Join(d.center.Close(), d.tenant.Close()) // everything acknowledged is durable
		endTraces()
	}
	d.secrets, err = company.Kept(ctx, d.keysFile(), d.sealer, d.center, d.tenant, d.people, d.groups)
	if err != nil {
		closeAll()
		return nil, stop(err)
	}
	d.tenant.Notify = tenantserver.Notifier(queue)
	d.jobs = t.jobs(d.tenant)
	d.jobs.Interval = d.rehearsal.interval
	own := []prometheus.Collector{metrics.New(d.center), tenantmetrics.New(d.tenant), counted}
	cfg := centerserver.Config{
		Targets: c.targets(), Version: stamp().Version, Trace: observe.Requests(c.trace),
		More: func(mux *http.ServeMux) { company.MountOutbox(mux, d.center, outbox) },
	}
	if c.watch != nil {
		own = append(own, c.watch, observe.AuditMetrics("center", d.center.Chain, nil))
		cfg.Observe = c.watch.Request
	}
	if err := t.serveMetrics(ctx, &d.rehearsal.metrics, own...); err != nil {
		closeAll()
		return nil, stop(err)
	}
	serve(c, cl, centerserver.Handler(d.center, cfg), d.center.Run)
	serve(t, tl, tenantserver.Handler(d.tenant, d.rehearsal.config(t, d.jobs)), d.tenant.Run)
	return closeAll, nil
}

// ready prepares both halves before they are opened: where they listen in a container, and that
// their traces are sent, if that is wanted.
func (d *demo) ready(ctx context.Context, c, t *half) (end func(), err error) {
	if d.published {
		for _, h := range []*half{c, t} {
			if _, port, err := net.SplitHostPort(h.listen); err == nil { // else open says what is wrong
				h.listen, h.published = ":"+port, true
			}
		}
	}
	c.traces, t.traces = d.traces, d.traces
	endCenter, e1 := c.follow(ctx, d.w.env, "center", false)
	endTenant, e2 := t.follow(ctx, d.w.env, "tenant", false)
	return func() {
		endCenter()
		endTenant()
	}, errors.Join(e1, e2)
}

// walk connects the halves over the wire.
func (d *demo) walk(ctx context.Context) (company.Connected, error) {
	fmt.Fprintf(d.out, "Tenant   %s\nCenter   %s\n\n", d.tenant.AdminCenterURL(), d.center.ConsoleURL())
	if d.noConnect {
		return company.Connected{}, nil
	}
	client := outbound.Operator.Client(administer.Timeout)
	connected, err := d.secrets.Connect(ctx, d.center, d.tenant, client, company.Watch{
		Planned:  func(p *connect.Plan) func(int, bool) { return p.StepPrinter(d.out) },
		NewToken: func(k company.Keys) error { return k.Keep(d.keysFile(), d.sealer) },
		Cycle:    terminal.Bar(d.w.err, "Provisioning"),
	})
	if err == nil {
		connected.Result.PrintChecks(d.out)
	}
	return connected, err
}

func (d *demo) keysFile() string { return filepath.Join(d.data, datafolder.DemoKeys) }
