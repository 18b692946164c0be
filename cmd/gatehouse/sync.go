package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/dirsync"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/graphserver"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// syncSettings are the flags of sync.
type syncSettings struct {
	source                                        microsoft
	to, scimToken                                 string
	state, application, mappings, metrics         string
	groups                                        []string
	nested, skipOutOfScope, adopt, repair, dryRun bool
	asJSON                                        bool
	maxDeletions                                  int
	every, repairEvery                            time.Duration
}

// flags adds what says where to read and where to write, which explain takes too.
func (s *syncSettings) flags(cmd *cobra.Command) {
	s.source.flags(
		cmd, "from", "https://graph.microsoft.com/v1.0",
		"Microsoft Graph with its version: the directory that is read",
	)
	f := cmd.Flags()
	f.StringVar(&s.to, "to", "", "the SCIM endpoint that is written")
	f.StringVar(&s.scimToken, "scim-token", "", "its access token (better: GATEHOUSE_SCIM_TOKEN)")
	f.StringVar(
		&s.state, "state", "",
		"folder that remembers what was read and sent; without it everything is read and matched anew",
	)
	f.StringVar(
		&s.application, "application", "",
		"only who is assigned to this enterprise application: its name, or the id of its service principal",
	)
	f.StringSliceVar(
		&s.groups, "group", nil, "only this group and its members, by its exact name or id; repeat for several",
	)
	f.BoolVar(&s.nested, "nested", false, "who is in a group in a group counts as its member, which Entra leaves out")
	f.StringVar(
		&s.mappings, "mappings", "",
		"file with attribute mappings and scoping filters, as Graph's …/jobs/{id}/schema gives them",
	)
}

func (w *world) syncCommand() *cobra.Command {
	s := &syncSettings{}
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Keep any SCIM service in step with any Microsoft Graph",
		Long: `Reads users, groups and memberships from Microsoft Graph by delta queries, the real Entra ID included, and brings a SCIM service into line: AWS IAM Identity
Center, a Gatehouse center, or any other. Once, or again and again with --every.

It takes over nothing that it did not make, unless --adopt says so, deletes nothing that it did not make, and never touches groups whose name begins with AWS, as
those of Control Tower. A cycle that would disable or delete more than --max-deletions objects does nothing. Attributes that are cleared are cleared.

--dry-run prints the exact difference and changes nothing. It exits with 0 when there is none, with 2 when there is, and with 1 when something went wrong, a mistake in
the settings included.

Give secrets by the environment: GATEHOUSE_CLIENT_SECRET and GATEHOUSE_SCIM_TOKEN.`,
		Example: `  gatehouse sync --login-url https://login.microsoftonline.com/TENANT_ID --client-id CLIENT_ID \
      --to https://scim.us-east-1.amazonaws.com/ID/scim/v2/ --application "AWS IAM Identity Center" --dry-run
  gatehouse sync … --state ./sync --every 10s             # and again, ten seconds after each cycle
  gatehouse sync … --repair --dry-run                     # what somebody changed at the target
  gatehouse explain ada@example.com --from … --to …       # why one person is, or is not, provisioned`,
		Annotations: map[string]string{changesExitTwo: ""},
		Args:        noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := w.logger(cmd, slog.LevelWarn)
			if err != nil {
				return err
			}
			return w.sync(cmd.Context(), s, log)
		},
	}
	s.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&s.dryRun, "dry-run", false, "print what would be done and change nothing")
	f.BoolVar(&s.adopt, "adopt", false, "take over objects that are at the target already and match")
	f.BoolVar(
		&s.repair, "repair", false, "compare with what the target has now, and put right what somebody changed there",
	)
	f.DurationVar(&s.repairEvery, "repair-every", 0, "do so this often, when running with --every")
	f.IntVar(&s.maxDeletions, "max-deletions", 500, "how many objects a cycle may disable or delete; 0: any number")
	f.BoolVar(&s.skipOutOfScope, "skip-out-of-scope", false, "leave who is not in scope any more as they are")
	f.DurationVar(&s.every, "every", 0, "run again this long after each cycle (default: once)")
	f.StringVar(&s.metrics, "metrics", "", "loopback address to serve Prometheus metrics at, such as 127.0.0.1:9090")
	f.BoolVar(&s.asJSON, "json", false, "print one JSON object a line for each change, and one for each cycle")
	return cmd
}

// check finds every mistake in the settings at once.
func (s *syncSettings) check() error {
	mistakes := s.source.check()
	if u, err := url.Parse(s.to); err != nil || u.Host == "" {
		mistakes = append(mistakes, errors.New("--to is missing: the URL of a SCIM endpoint"))
	} else if err := outbound.Operator.Check(s.to); err != nil {
		mistakes = append(mistakes, fmt.Errorf("--to: %w", err))
	}
	if s.scimToken == "" {
		mistakes = append(mistakes, errors.New("the SCIM token is missing: set GATEHOUSE_SCIM_TOKEN"))
	}
	if s.application != "" && len(s.groups) > 0 {
		mistakes = append(mistakes, errors.New("--application and --group exclude each other"))
	}
	if s.every < 0 || s.repairEvery < 0 || s.maxDeletions < 0 || (s.every > 0 && s.dryRun) {
		mistakes = append(mistakes, errors.New("times and numbers must not be negative, and --dry-run runs once"))
	}
	return errors.Join(mistakes...)
}

// openSync opens the state and reads the settings into it.
func (w *world) openSync(
	ctx context.Context, s *syncSettings, log *slog.Logger, onEntry func(provisioning.Entry),
) (y *dirsync.Synchronizer, closeState func() error, err error) {
	mappings, err := s.readMappings()
	if err := errors.Join(s.check(), err); err != nil {
		return nil, nil, err
	}
	state, closeState, err := w.openState(ctx, s.state, log)
	if err != nil {
		return nil, nil, err
	}
	progress := &syncProgress{world: w}
	client := outbound.Operator.Client(clientTimeout)
	source, err := s.source.client(ctx, client, w.say)
	if err == nil {
		y, err = dirsync.Open(ctx, dirsync.Config{
			State:          state,
			Source:         source,
			Target:         s.to,
			Token:          s.scimToken,
			HTTP:           client,
			Log:            log,
			Application:    s.application,
			Groups:         s.groups,
			Nested:         s.nested,
			Mappings:       mappings,
			Adopt:          s.adopt,
			DryRun:         s.dryRun,
			SkipOutOfScope: s.skipOutOfScope,
			MaxDeletions:   s.maxDeletions,
			OnRead:         progress.read,
			OnEntry:        onEntry,
			OnProgress:     progress.write,
		})
	}
	if err != nil {
		return nil, nil, errors.Join(err, closeState())
	}
	return y, closeState, nil
}

// openState opens the folder that remembers, or a temporary one.
func (w *world) openState(ctx context.Context, folder string, log *slog.Logger) (
	t *tenant.Tenant, closeState func() error, err error,
) {
	remove := func() error { return nil }
	if folder == "" {
		temp, err := os.MkdirTemp("", "gatehouse-sync-")
		if err != nil {
			return nil, nil, err
		}
		folder = temp
		remove = func() error { return os.RemoveAll(temp) }
	}
	if t, err = openTenant(ctx, &half{data: folder, log: log}, w.env, "", "", nil); err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return t, func() error { return errors.Join(t.Store.Close(), remove()) }, nil
}

// syncProgress draws how many objects were read, then how far the writing is. Both begin again with
// each cycle.
type syncProgress struct {
	*world
	mu   sync.Mutex // several requests are under way at once
	bar  *progressbar.ProgressBar
	draw func(done, total int)
}

func (p *syncProgress) read(objects int, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil {
		p.bar = terminal.Counter(p.err, "read")
	}
	_ = p.bar.Set(objects) // only a display
	if ended {
		_ = p.bar.Finish()
		p.bar = nil
		p.draw = terminal.Bar(p.err, "sync")
	}
}

func (p *syncProgress) write(at provisioning.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw(at.Done, at.Total)
}

// readMappings reads the file with mappings; without one it returns nil.
func (s *syncSettings) readMappings() (*mapping.Schema, error) {
	if s.mappings == "" {
		return nil, nil
	}
	data, err := os.ReadFile(s.mappings)
	if err != nil {
		return nil, fmt.Errorf("--mappings: %w", err)
	}
	var wire graph.SynchronizationSchema
	if err := json.Unmarshal(data, &wire); err != nil || len(wire.Rules) != 1 {
		return nil, errors.Join(
			fmt.Errorf("--mappings: %s is no synchronization schema with one rule", s.mappings), err,
		)
	}
	wanted, err := graphserver.MappingsFromWire(wire.Rules[0])
	if err != nil {
		return nil, fmt.Errorf("--mappings: %w", err)
	}
	return &wanted, nil
}
