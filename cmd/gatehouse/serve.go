package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/server"
	"github.com/gatehouse-id/gatehouse/center/store"
)

func (w *world) serveCommand() *cobra.Command {
	h := &half{}
	post := &mailServer{}
	credentials := &credentialSettings{}
	var days retentionDays
	var region, metrics string
	first := &firstAdministrator{}
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
  gatehouse serve --database postgres://gatehouse@db/center --data /var/lib/gatehouse --listen :8080 --behind-proxy --url https://id.example.com`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if h.log, err = w.logger(cmd, slog.LevelInfo); err != nil {
				return err
			}
			if err := credentials.check(); err != nil {
				return err
			}
			keep, err := days.retention()
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			queue, err := post.queue(h.log)
			if err != nil {
				return err
			}
			if queue != nil {
				h.mailer = mailer{queue}
				go queue.Run(ctx)
			}
			l, err := h.open()
			if err != nil {
				return err
			}
			defer l.Close() //nolint:errcheck // serve has closed it
			c, err := openCenter(ctx, h, w.env, region)
			if err != nil {
				return err
			}
			defer c.Close() //nolint:errcheck // everything acknowledged is durable
			c.Keep = keep
			if err := w.firstStartOfCenter(ctx, c, h.data, first); err != nil {
				return err
			}
			defer h.takeOrders(centersAdministrators{c})()
			h.log.Info("the center is ready", "portal", c.PortalURL(), "console", c.ConsoleURL(), "endpoint", c.URL)
			if metrics != "" {
				if err := serveMetrics(ctx, metrics, c.Log, newCenterMetrics(c)); err != nil {
					return err
				}
			}
			if err := errors.Join(credentials.keepRoles(ctx, c), credentials.readOrganization(ctx, c)); err != nil {
				return err
			}
			roles, err := credentials.open(ctx, c)
			if err != nil {
				return err
			}
			cfg := server.Config{Roles: roles, Targets: h.targets(), Proxies: h.proxies}
			return h.run(ctx, l, server.Handler(c, cfg), c.Run)
		},
	}
	h.flags(cmd, "127.0.0.1:8080", "gatehouse-center")
	post.flags(cmd, "invitations, resets and codes", "AWS access portal <no-reply@localhost>")
	credentials.flags(cmd.Flags())
	days.flags(cmd.Flags())
	cmd.Flags().StringVar(&region, "region", center.DefaultRegion, "AWS region of a new instance, which clients sign requests for")
	cmd.Flags().StringVar(
		&metrics, "metrics", "", "loopback address to serve Prometheus metrics at, such as 127.0.0.1:9090 (default: none)",
	)
	first.flags(cmd)
	return cmd
}

// openCenter opens the center's data and reads or makes the instance.
func openCenter(ctx context.Context, h *half, env func(string) (string, bool), region string) (*center.Center, error) {
	sealer, err := h.folder(env)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, h.dsn(centerFile))
	if err != nil {
		return nil, err
	}
	c, err := center.Open(
		ctx, center.Config{Store: s, Sealer: sealer, Log: h.log, URL: h.url, Mailer: h.mailer, Region: region},
	)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return c, nil
}
