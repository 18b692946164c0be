package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/broker"
	"github.com/gatehouse-id/gatehouse/center/console"
	"github.com/gatehouse-id/gatehouse/center/identitystore"
	"github.com/gatehouse-id/gatehouse/center/portal"
	"github.com/gatehouse-id/gatehouse/center/scimserver"
	"github.com/gatehouse-id/gatehouse/center/signin"
	"github.com/gatehouse-id/gatehouse/center/sso"
	"github.com/gatehouse-id/gatehouse/center/ssoadmin"
	"github.com/gatehouse-id/gatehouse/center/ssooidc"
	"github.com/gatehouse-id/gatehouse/center/store"
	"github.com/gatehouse-id/gatehouse/center/sts"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/web"
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
		Long: `Runs the center. The first start makes an administrator of the console and an access key for the
aws CLI, and writes both to first-start.txt in the data folder, which only you can read. The password is
GATEHOUSE_ADMIN_PASSWORD, or what --admin-password-file has, or is asked for on a terminal, or is made.
Later, "gatehouse administrators" changes it.

Nothing is reachable from other machines without TLS (--tls-cert, --tls-key) or --behind-proxy.`,
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
			defer closeCenter(c)
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
			go c.Run(ctx)
			go sweepCenter(ctx, c, h.targets())
			sandbox := newSandbox(c)
			roles, err := credentials.open(ctx, c, sandbox)
			if err != nil {
				return err
			}
			return h.serve(
				ctx, l,
				func(mux *http.ServeMux) http.Handler { return mountCenter(mux, c, sandbox, roles, h.targets()) },
			)
		},
	}
	h.flags(cmd, "127.0.0.1:8080", "gatehouse-center")
	post.flags(cmd, "invitations, resets and codes", "AWS access portal <no-reply@localhost>")
	credentials.flags(cmd.Flags())
	days.flags(cmd.Flags())
	cmd.Flags().StringVar(&region, "region", center.DefaultRegion, "AWS region of a new instance; clients sign for it")
	cmd.Flags().StringVar(
		&metrics, "metrics", "", "loopback address for Prometheus, such as 127.0.0.1:9090 (default: none)",
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

func newSandbox(c *center.Center) *broker.Sandbox {
	return &broker.Sandbox{Sealer: c.Sealer, Now: c.Now}
}

// mountSandboxed is mountCenter with the sandbox's credentials, on this machine.
func mountSandboxed(mux *http.ServeMux, c *center.Center) http.Handler {
	sandbox := newSandbox(c)
	roles, err := (&credentialSettings{}).open(context.Background(), c, sandbox)
	if err != nil {
		panic(err) // the sandbox needs nothing
	}
	return mountCenter(mux, c, sandbox, roles, outbound.Policy{Loopback: true})
}

// mountCenter is the only list of what the center serves. roles may be the sandbox, or another
// broker; the sandbox's credentials are known to sts all the same.
func mountCenter(
	mux *http.ServeMux, c *center.Center, sandbox *broker.Sandbox, roles center.Broker, asks outbound.Policy,
) http.Handler {
	in := &signin.Handler{Center: c, Log: c.Log}
	pages := &console.Handler{
		Center:     c,
		Log:        c.Log,
		Metadata:   asks.Client(console.FetchTimeout),
		SPMetadata: func(ctx context.Context) ([]byte, error) { return signin.SPMetadata(ctx, c) },
	}
	for _, d := range []door{
		in,
		&portal.Handler{
			Center:        c,
			Log:           c.Log,
			Broker:        roles,
			RequireUser:   in.RequireUser,
			SessionSecret: in.SessionSecret,
			Sandbox:       roles == center.Broker(sandbox),
		},
		&ssooidc.Handler{Center: c, Log: c.Log, RequireUser: in.RequireUser, SessionSecret: in.SessionSecret},
		&sso.Handler{Center: c, Log: c.Log, Broker: roles},
		pages,
	} {
		d.Mount(mux)
	}
	mux.Handle("POST /{$}", &awsapi.Handler{
		Verify: &awsapi.Verifier{Region: c.Instance.Region, Now: time.Now, Lookup: lookupKey(c, sandbox)},
		Services: []awsapi.Service{
			(&identitystore.Handler{Center: c}).Service(),
			(&ssoadmin.Handler{Center: c}).Service(),
			pages.Service(),
		},
		Query: []awsapi.QueryService{sts.Service()},
		Log:   c.Log, RequestID: web.RequestID, Address: web.Address,
		Used: func(ctx context.Context, who awsapi.Caller, service string) {
			if !who.Administrator { // a role's session, which is no access key of ours
				return
			}
			if err := c.AccessKeyUsed(ctx, who.AccessKeyID, who.LastUsed, service, who.Address); err != nil {
				c.Log.Warn("note the use of an access key", "error", err)
			}
		},
	})
	return (&scimserver.Handler{Center: c, Log: c.Log, RequestID: web.RequestID, Address: web.Address}).Before(mux)
}

// lookupKey finds the secret of an access key: a long-term one of an administrator, or one that the
// sandbox broker issued.
func lookupKey(
	c *center.Center, sandbox *broker.Sandbox,
) func(context.Context, string, string) (string, awsapi.Caller, error) {
	return func(ctx context.Context, id, token string) (string, awsapi.Caller, error) {
		unknown := &awsapi.Error{
			Code:    "UnrecognizedClientException",
			Message: "The security token included in the request is invalid.",
			Status:  http.StatusForbidden,
		}
		if token != "" {
			s, err := sandbox.Session(id, token)
			if errors.Is(err, broker.ErrExpired) {
				return "", awsapi.Caller{}, &awsapi.Error{
					Code:    "ExpiredTokenException",
					Message: "The security token included in the request is expired.",
					Status:  http.StatusForbidden,
				}
			}
			if err != nil {
				return "", awsapi.Caller{}, unknown
			}
			return s.SecretAccessKey, awsapi.Caller{
				AccessKeyID: id,
				Principal:   s.SessionName,
				AccountID:   s.AccountID,
				ARN:         s.ARN(),
				UserID:      "AROA" + id[4:] + ":" + s.SessionName,
			}, nil
		}
		key, secret, err := c.AccessKeySecret(ctx, id)
		if center.CodeOf(err) == center.NotAllowed {
			return "", awsapi.Caller{}, unknown
		}
		if err != nil {
			return "", awsapi.Caller{}, err
		}
		return secret.Reveal(), awsapi.Caller{
			AccessKeyID:   id,
			Principal:     key.Principal,
			AccountID:     c.Instance.OwnerAccountID,
			Role:          string(key.Role),
			LastUsed:      key.LastUsedAt,
			ARN:           "arn:aws:iam::" + c.Instance.OwnerAccountID + ":user/" + key.Principal,
			UserID:        "AIDA" + id[4:],
			Administrator: true,
		}, nil
	}
}
