package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/audit/outlet"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/telemetry"
	"github.com/gatehouse-id/gatehouse/telemetry/tracing"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/entralogs"
	"github.com/gatehouse-id/gatehouse/tenant/metrics"
	"github.com/gatehouse-id/gatehouse/tenant/server"
	"github.com/gatehouse-id/gatehouse/tenant/store"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
	"github.com/gatehouse-id/gatehouse/terminal"
	"github.com/gatehouse-id/gatehouse/web"
)

func (w *world) tenantCommand() *cobra.Command {
	h := &half{}
	var days retentionDays
	var name, domain string
	first := &firstAdministrator{}
	var r rehearsal
	var out observe.AuditOut
	mails := &mailServer{}
	cmd := &cobra.Command{
		Use:   "tenant",
		Short: "Run the tenant: a small Entra ID",
		Long: `Runs the tenant. The first start creates an administrator of the admin center and a client for
Microsoft Graph, and writes both to first-start.txt in the data folder, which only you can read.
Give the administrator's password in GATEHOUSE_ADMIN_PASSWORD or --admin-password-file.
Otherwise the first start asks for it on a terminal, or generates one. Change it later with
"gatehouse tenant administrators".

Other machines cannot reach the tenant without TLS (--tls-cert, --tls-key) or --behind-proxy.`,
		Example: `  gatehouse tenant --data ./tenant --name "Example GmbH" --domain example.com`,
		Args:    terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if h.log, err = terminal.Logger(cmd, w.err, slog.LevelInfo); err != nil {
				return err
			}
			keep, err := days.retention()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			end, err := h.follow(ctx, w.env, "tenant", true)
			if err != nil {
				return err
			}
			defer end()
			l, err := h.open()
			if err != nil {
				return err
			}
			defer l.Close() //nolint:errcheck // serve has closed it
			counted := r.count(h)
			t, err := openTenant(ctx, h, w.env, name, domain, r.clock())
			if err != nil {
				return err
			}
			defer t.Close() //nolint:errcheck // everything acknowledged is durable
			t.Keep = keep
			if err := w.firstStart(ctx, beginningOfTenant(t), h.data, first); err != nil {
				return err
			}
			defer h.takeOrders(server.Controlled{Tenant: t})()
			if err := h.notify(t, mails); err != nil {
				return err
			}
			if err := h.handOn(ctx, t, &out, &r.metrics, counted); err != nil {
				return err
			}
			jobs := h.jobs(t)
			jobs.Interval = r.interval
			id, desk := t.Organization.ID, t.AdminCenterURL()
			h.log.InfoContext(ctx, "the tenant is ready", "admin_center", desk, "graph", t.GraphURL(), "tenant_id", id)
			return h.run(ctx, l, server.Handler(t, r.config(h, jobs)), t.Run)
		},
	}
	cmd.AddCommand(w.tenantImportCommand(), w.tenantAdministratorsCommand(), w.checkCommand(tenantInspection))
	cmd.AddCommand(w.backupCommands(tenantBackups)...)
	h.flags(cmd, "127.0.0.1:8081", "gatehouse-tenant")
	r.flags(cmd)
	h.traces.Flags(cmd.Flags())
	days.flags(cmd.Flags())
	out.Flags(cmd.Flags(), "json", observe.Entra)
	mails.flags(cmd, "quarantine notifications", "Provisioning <no-reply@localhost>")
	cmd.Flags().BoolVar(
		&r.movable, "movable-clock", false,
		"let administrators move the tenant's clock forward; other programs and service providers do not follow it",
	)
	cmd.Flags().StringVar(&name, "name", tenant.DefaultName, "name of a new tenant")
	cmd.Flags().StringVar(&domain, "domain", tenant.DefaultDomain, "verified domain of a new tenant")
	first.flags(cmd)
	return cmd
}

// notify has a tenant's mails sent, where there is a server for them.
func (h *half) notify(t *tenant.Tenant, mails *mailServer) error {
	queue, err := mails.queue(h.log)
	if err == nil && queue != nil {
		t.Notify = server.Notifier(queue)
	}
	return err
}

// jobs makes what runs a tenant's jobs.
func (h *half) jobs(t *tenant.Tenant) *syncjobs.Runner {
	r := syncjobs.New(t, h.log, h.targets().Client(syncjobs.AnswerTimeout))
	if h.trace != nil {
		t.Trace, r.Trace = tracing.Traceparent, h.trace.Work
	}
	if h.watch != nil {
		r.Counted = h.watch
	}
	return r
}

// handOn begins to hand the audit log on, and to tell Prometheus of the tenant.
func (h *half) handOn(
	ctx context.Context, t *tenant.Tenant, out *observe.AuditOut, m *observe.Metrics, counted *telemetry.Half,
) error {
	formats := map[string]outlet.Format{"json": outlet.JSON, observe.Entra: entralogs.Format(t.Organization.ID)}
	couriers, err := out.Open(formats, outbound.Operator.Client(0), t.HandOn)
	if err != nil {
		return err
	}
	told := append(h.collectors(), metrics.New(t), counted, observe.AuditMetrics("tenant", t.Chain, couriers))
	return h.serveMetrics(ctx, m, told...)
}

// rehearsal is the settings that make a tenant as inconvenient as the real one, or faster than its
// clock, and where it is watched.
type rehearsal struct {
	interval, lag time.Duration
	requests      int
	movable       bool
	metrics       observe.Metrics
	observe       web.Observe // told of each answer; nil: nobody asks for metrics
}

// count makes the counters of a tenant, and has them count where somebody asks for metrics.
func (r *rehearsal) count(h *half) *telemetry.Half {
	counted := telemetry.New("tenant", telemetry.Names{
		Actions: tenant.ActionNames(), SignIns: tenant.SignInActions,
	})
	if r.metrics.Address != "" {
		h.watch, r.observe = counted, counted.Request
	}
	return counted
}

func (r *rehearsal) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	r.metrics.Flags(f, "127.0.0.1:9091")
	f.DurationVar(
		&r.interval, "cycle", 0,
		"time between provisioning cycles, such as Entra ID's 40m (default: a cycle starts when something changes)",
	)
	f.IntVar(
		&r.requests, "graph-limit", 0,
		"limit Graph to N requests per 10 s; further requests get 429 (default: no limit)",
	)
	f.DurationVar(&r.lag, "graph-lag", 0, "how long Graph does not return new objects")
}

func (r *rehearsal) config(h *half, jobs *syncjobs.Runner) server.Config {
	return server.Config{
		Jobs: jobs, GraphLimit: r.requests, GraphLag: r.lag, Proxies: h.proxies, Observe: r.observe,
		Version: stamp().Version, Trace: observe.Requests(h.trace),
	}
}

func (r *rehearsal) clock() *tenant.Clock {
	if !r.movable {
		return nil
	}
	return &tenant.Clock{}
}

// openTenant opens the tenant's data and reads or makes the organization.
func openTenant(
	ctx context.Context, h *half, env func(string) (string, bool), name, domain string, clock *tenant.Clock,
) (*tenant.Tenant, error) {
	return tenantAs(ctx, h, env, tenant.Config{DisplayName: name, Domain: domain, Clock: clock})
}

func tenantAs(ctx context.Context, h *half, env func(string) (string, bool), of tenant.Config) (*tenant.Tenant, error) {
	place, err := h.place(datafolder.Tenant, datafolder.Center)
	if err != nil {
		return nil, err
	}
	of.Key, of.Place = h.masterKey(env), place
	s, err := store.Open(
		ctx, h.folder().DSN(datafolder.Tenant), append(h.openOptions(ctx), store.Before(of.Admits))...,
	)
	if err != nil {
		return nil, err
	}
	of.Store = s
	if h.watch != nil {
		of.Store = tenant.Observed(s, h.watch)
		h.pool = s.Pool
	}
	of.Log, of.URL = h.log, h.url
	t, err := tenant.Open(ctx, of)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	h.health.Look = t.Ready
	return t, nil
}
