package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/audit/outlet"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/cloudtrail"
	"github.com/gatehouse-id/gatehouse/center/metrics"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/observe"
	"github.com/gatehouse-id/gatehouse/datafolder"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/telemetry"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// serveSettings are the flags of serve.
type serveSettings struct {
	half        half
	post        mailServer
	credentials credentialSettings
	days        retentionDays
	first       firstAdministrator
	region      string
	metrics     observe.Metrics
	audit       observe.AuditOut
	awsLimits   bool
	sets        bool // permission sets in a new instance
}

func (w *world) serveCommand() *cobra.Command {
	s := &serveSettings{}
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the center: an IAM Identity Center",
		Long: `Runs the center. The first start creates an administrator of the console and an access key for
the AWS CLI, and writes both to first-start.txt in the data folder, which only you can read.
Give the administrator's password in GATEHOUSE_ADMIN_PASSWORD or --admin-password-file.
Otherwise the first start asks for it on a terminal, or generates one. Change it later with
"gatehouse administrators".

Other machines cannot reach the center without TLS (--tls-cert, --tls-key) or --behind-proxy.`,
		Example: `  gatehouse serve --data ./center
  gatehouse serve --listen :443 --url https://id.example.com --tls-cert cert.pem --tls-key key.pem
  gatehouse serve --database postgres://gatehouse@db/center --data /var/lib/gatehouse \
      --listen :8080 --behind-proxy --url https://id.example.com`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if s.half.log, err = terminal.Logger(cmd, w.err, slog.LevelInfo); err != nil {
				return err
			}
			return w.serve(cmd.Context(), s)
		},
	}
	s.half.flags(cmd, "127.0.0.1:8080", "gatehouse-center")
	s.post.flags(cmd, "invitations, resets and codes", "AWS access portal <no-reply@localhost>")
	s.credentials.flags(cmd.Flags())
	s.days.flags(cmd.Flags())
	s.first.flags(cmd)
	f := cmd.Flags()
	s.audit.Flags(f, "json", observe.CloudTrail)
	f.StringVar(
		&s.region, "region", center.DefaultRegion, "AWS region of a new instance, which clients sign requests for",
	)
	f.BoolVar(
		&s.awsLimits, "aws-limits", false,
		"throttle as AWS does: ThrottlingException and SCIM's 429 beyond the request rates that AWS publishes",
	)
	f.BoolVar(
		&s.sets, "permission-sets", true,
		"permission sets in a new instance; false: none until `aws sso-admin update-instance "+
			"--permission-sets-enabled`",
	)
	s.metrics.Flags(f, "127.0.0.1:9090")
	s.half.traces.Flags(f)
	return cmd
}

// serve runs a center until ctx is done.
func (w *world) serve(ctx context.Context, s *serveSettings) error {
	h := &s.half
	keep, err := s.days.retention()
	if err := errors.Join(s.credentials.check(), err); err != nil {
		return err
	}
	end, err := h.follow(ctx, w.env, "center", true)
	if err != nil {
		return err
	}
	defer end()
	queue, err := s.post.queue(h.log)
	if err != nil {
		return err
	}
	if queue != nil {
		h.mailer = server.Mailer(queue)
		h.background = append(h.background, queue.Run)
	}
	l, err := h.open()
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // serve has closed it
	counted := countsOfCenter()
	cfg := server.Config{Targets: h.targets(), Proxies: h.proxies, AWSLimits: s.awsLimits, Version: stamp().Version}
	cfg.Trace = observe.Requests(h.trace)
	if s.metrics.Address != "" {
		h.watch = counted
		cfg.Observe = counted.Request
	}
	c, err := openCenter(ctx, h, w.env, center.Config{Region: s.region, WithoutPermissionSets: !s.sets})
	if err != nil {
		return err
	}
	defer c.Close() //nolint:errcheck // everything acknowledged is durable
	c.Keep = keep
	if err := w.firstStart(ctx, beginningOfCenter(c), h.data, &s.first); err != nil {
		return err
	}
	formats := map[string]outlet.Format{"json": outlet.JSON, observe.CloudTrail: cloudtrail.Format(c.Instance)}
	couriers, err := s.audit.Open(formats, outbound.Operator.Client(0), c.HandOn)
	if err != nil {
		return err
	}
	defer h.takeOrders(server.Controlled{Center: c})()
	told := []prometheus.Collector{metrics.New(c), counted, observe.AuditMetrics("center", c.Chain, couriers)}
	if err := h.serveMetrics(ctx, &s.metrics, append(told, h.collectors()...)...); err != nil {
		return err
	}
	if err := s.credentials.Connect(ctx, c); err != nil {
		return err
	}
	if cfg.Roles, err = s.credentials.Broker(ctx, c); err != nil {
		return err
	}
	if err := c.Begin(ctx, s.credentials.Settings()); err != nil {
		return err
	}
	h.log.InfoContext(ctx, "the center is ready", "portal", c.PortalURL(), "console", c.ConsoleURL(), "endpoint", c.URL)
	return h.run(ctx, l, server.Handler(c, cfg), c.Run)
}

// countsOfCenter makes the counters of a center.
func countsOfCenter() *telemetry.Half {
	return telemetry.New("center", telemetry.Names{
		Actions: center.ActionNames(), SignIns: center.SignInActions, Credentials: center.CredentialActions,
	})
}

// openCenter opens the center's data and reads or makes the instance. cfg says how a new one
// begins.
func openCenter(
	ctx context.Context, h *half, env func(string) (string, bool), cfg center.Config,
) (*center.Center, error) {
	place, err := h.place(datafolder.Center, datafolder.Tenant)
	if err != nil {
		return nil, err
	}
	cfg.Key, cfg.Place = h.masterKey(env), place
	s, err := store.Open(
		ctx, h.folder().DSN(datafolder.Center), append(h.openOptions(ctx), store.Before(cfg.Admits))...,
	)
	if err != nil {
		return nil, err
	}
	cfg.Store = s
	if h.watch != nil {
		cfg.Store = center.Observed(s, h.watch)
		h.pool = s.Pool
	}
	cfg.Log = h.log
	cfg.URL = h.url
	cfg.Mailer = h.mailer
	c, err := center.Open(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	h.health.Look = c.Ready
	return c, nil
}
