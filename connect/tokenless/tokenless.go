// Package tokenless writes users and groups to AWS's identity store by its public API, where a
// connection goes without SCIM: the engine behind gatehouse sync, with the settings that a person
// finds there.
//
// It may import authn, connect, dirsync, graph, provisioning, provisioning/identitystore, sqldb and
// tenant.
package tokenless

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/dirsync"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/identitystore"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// Writer implements connect.Writer.
type Writer struct {
	Graph *graph.Client
	// SDK reaches the store: with credentials, the store's Region and AWS's rates.
	SDK   aws.Config
	Store string // the id of the identity store
	// Folder has the state, which remembers what was read and what is the engine's own; OpenState
	// opens it.
	Folder    string
	OpenState func(ctx context.Context, folder string) (*tenant.Tenant, error)
	HTTP      *http.Client
	Log       *slog.Logger
	// SignIn are the flags by which gatehouse sync signs in to the tenant; AsPerson says that they
	// stand for somebody, whose sign-in ends one day.
	SignIn   []string
	AsPerson bool
	// Explain says what to do about an error of AWS's.
	Explain func(doing string, err error) error
	// Remember is told, before the first change, that the connection goes without a token, and at
	// its end that it does not any more; may be nil.
	Remember func(tokenless bool) error
	// OnProgress is told how far the writing is.
	OnProgress func(provisioning.Progress)
}

var _ connect.Writer = (*Writer)(nil)

func (w *Writer) address() string { return "identitystore:" + w.Store + "@" + w.SDK.Region }

// open opens the state and the store, for a scope.
func (w *Writer) open(ctx context.Context, scope connect.Scope, dryRun bool) (*dirsync.Synchronizer, error) {
	store, err := identitystore.Open(ctx, identitystore.Config{SDK: w.SDK, StoreID: w.Store, Explain: w.Explain})
	if err != nil {
		return nil, err
	}
	state, err := w.OpenState(ctx, w.Folder)
	if errors.Is(err, sqldb.ErrInUse) {
		return nil, fmt.Errorf("%w: %s", connect.ErrWriterBusy, w.Folder)
	}
	if err != nil {
		return nil, err
	}
	var progress func(provisioning.Progress)
	if !dryRun {
		progress = w.OnProgress
	}
	y, err := dirsync.Open(ctx, dirsync.Config{
		State: state, Source: w.Graph, Store: store, HTTP: w.HTTP, Log: w.Log,
		Application: scope.Application, Groups: scope.Groups,
		// The plan has said who has the same name, and somebody has typed ACCEPT.
		Adopt: true, DryRun: dryRun, KeepStrangers: true,
		LeaverGrace: dirsync.LeaverGrace, MaxDeletions: dirsync.MaxDeletions,
		OnProgress: progress,
	})
	if err != nil {
		return nil, errors.Join(err, state.Store.Close())
	}
	return y, nil
}

// Preview implements connect.Writer.
func (w *Writer) Preview(ctx context.Context, scope connect.Scope) (connect.Written, error) {
	return w.cycle(ctx, scope, true)
}

// Write implements connect.Writer.
func (w *Writer) Write(ctx context.Context, scope connect.Scope) (connect.Written, error) {
	if err := errors.Join(w.remember(true), removeIfThere(w.mark())); err != nil {
		return connect.Written{}, err
	}
	return w.cycle(ctx, scope, false)
}

func (w *Writer) remember(tokenless bool) error {
	if w.Remember == nil {
		return nil
	}
	return w.Remember(tokenless)
}

func (w *Writer) cycle(ctx context.Context, scope connect.Scope, dryRun bool) (out connect.Written, err error) {
	y, err := w.open(ctx, scope, dryRun)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, y.Close()) }()
	r, err := y.Cycle(ctx, true)
	out = connect.Written{
		Created: r.Created, Updated: r.Updated, Disabled: r.Disabled, Deleted: r.Deleted, Unread: r.Unread + r.Missing,
	}
	if err == nil && r.Ended {
		err = r.Rest()
	}
	for _, e := range r.Objects {
		if e.Outcome == provisioning.Failure {
			out.Failures = append(out.Failures, connect.Failure{Name: e.Name, Reason: e.Reason})
		}
	}
	return out, err
}

// How often it goes on.
const (
	every       = "10m"
	repairEvery = "24h"
)

// Next implements connect.Writer: the command that goes on, for a service or for cron.
func (w *Writer) Next(scope connect.Scope) ([]string, error) {
	arguments := append([]string{"gatehouse", "sync", "--to", w.address(), "--state", w.Folder}, w.SignIn...)
	if scope.Application != "" {
		arguments = append(arguments, "--application", scope.Application)
	}
	for _, id := range scope.Groups {
		arguments = append(arguments, "--group", id)
	}
	for i, a := range arguments {
		if strings.ContainsAny(a, " \t\"'\\$") {
			arguments[i] = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(a) + `"`
		}
	}
	once := strings.Join(arguments, " ")
	forever := once + " --every " + every + " --repair-every " + repairEvery
	cron := strings.ReplaceAll(once, "%", `\%`) // which ends a line of cron's
	unit := w.unit()
	text := fmt.Appendf(nil, unitText, w.Folder, strings.TrimPrefix(forever, "gatehouse "))
	if err := authn.WritePrivate(unit, text); err != nil {
		return nil, fmt.Errorf("write the unit for systemd: %w", err)
	}
	lines := []string{
		"From now on, this keeps AWS in step with the tenant:",
		"  " + forever,
		"As a service of systemd: " + unit + " says where it goes. By cron, the second to undo what was changed there:",
		"  */10 * * * * " + cron, "  5 3 * * * " + cron + " --repair",
	}
	if w.AsPerson {
		lines = append(
			lines, "Your own sign-in to the tenant ends one day: give what runs by itself one of its own (--sign-in "+
				"client, managed-identity or workload-identity), and AWS credentials of a role.",
		)
	}
	return lines, nil
}

// unitText is the unit for systemd, with the folder and the arguments.
const unitText = `# Copy this to /etc/systemd/system/gatehouse-sync.service, say there who runs it (User=) and where
# the program is, put GATEHOUSE_CLIENT_SECRET and the AWS credentials or AWS_PROFILE into the environment file, then:
#   systemctl daemon-reload && systemctl enable --now gatehouse-sync
[Unit]
Description=Gatehouse keeps AWS IAM Identity Center in step with Entra ID
Wants=network-online.target
After=network-online.target

[Service]
EnvironmentFile=-%s.environment
ExecStart=/usr/local/bin/gatehouse %s
Restart=on-failure
RestartSec=60

[Install]
WantedBy=multi-user.target
`
