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

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	connectaws "github.com/gatehouse-id/gatehouse/connect/aws"
	"github.com/gatehouse-id/gatehouse/connect/tokenless"
	"github.com/gatehouse-id/gatehouse/dirsync"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/identitystore"
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
	accept, giveBack, removeMissing               bool
	store                                         storeSettings
	asJSON                                        bool
	maxDeletions                                  int
	every, repairEvery                            time.Duration
}

// flags adds what says where to read and where to write, which explain takes too.
func (s *syncSettings) flags(cmd *cobra.Command) {
	s.source.flags(
		cmd, "from", "https://graph.microsoft.com/v1.0",
		"URL of the Microsoft Graph to read, with its version",
	)
	f := cmd.Flags()
	f.StringVar(
		&s.to, "to", "",
		"where to write: the URL of a SCIM endpoint, or identitystore:STORE[@REGION] with AWS credentials",
	)
	f.StringVar(&s.scimToken, "scim-token", "", "access token of the SCIM endpoint; set it with GATEHOUSE_SCIM_TOKEN")
	f.StringVar(
		&s.state, "state", "",
		"folder that remembers what was read and sent (default: read and match everything again)",
	)
	f.StringVar(
		&s.application, "application", "",
		"only users and groups assigned to this enterprise application: its name or service principal ID",
	)
	f.StringArrayVar(
		&s.groups, "group", nil, "only this group and its members: its exact name or ID; can be repeated",
	)
	f.BoolVar(&s.nested, "nested", false, "include members of nested groups, which Entra ID leaves out")
	f.StringVar(
		&s.mappings, "mappings", "",
		"`file` with attribute mappings and scoping filters, as Graph's …/jobs/{id}/schema returns them",
	)
}

func (w *world) syncCommand() *cobra.Command {
	s := &syncSettings{}
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Keep a SCIM service or an identity store in step with any Microsoft Graph",
		Long: `Reads users, groups and memberships from Microsoft Graph with delta queries and updates a SCIM
service to match: AWS IAM Identity Center, a Gatehouse center, or any other. The Graph can be the
real Entra ID. It runs once, or repeatedly with --every.

With --to identitystore:STORE[@REGION], it writes to an identity store of AWS by its API instead of
SCIM: with the AWS credentials of the environment, a profile or a role, and no token that runs out.
It needs --state to know what is its own. People who leave lose all memberships at once and are
deleted after --leaver-grace, since this API cannot disable anybody. Members of groups whom others
added are reported by --repair, or removed with --strangers remove.

The first run against a target that has users or groups already prints the difference and asks for
ACCEPT. --accept skips the question. Without --state, every run is a first one.

It changes only objects that it created, unless you add --adopt, and never deletes others. Who has
left, and is not known from --state, may be another sync's: a first run and --repair report such
people, and --repair --adopt disables them. It never changes groups whose name starts with AWS, such
as those of Control Tower. A cycle that would disable or delete more than --max-deletions objects
leaves these alone, does all else and fails. When an attribute is cleared at the source, it is
removed at the target.

--dry-run prints the exact difference and changes nothing. It also says what the target would
refuse, and why: who has a name or an address already, which value is missing, too long or has
characters that are not allowed. The exit code is 0 if there is no difference, 2 if there are
changes, and 1 if something went wrong, including mistakes in the settings or on the command line.

Pass secrets through the environment: GATEHOUSE_CLIENT_SECRET and GATEHOUSE_SCIM_TOKEN.`,
		Example: `  gatehouse sync --login-url https://login.microsoftonline.com/TENANT_ID --client-id CLIENT_ID \
      --to https://scim.us-east-1.amazonaws.com/ID/scim/v2/ --application "AWS IAM Identity Center" --dry-run
  gatehouse sync … --to identitystore:d-1234567890@us-east-1 --state ./sync --repair --dry-run
  gatehouse sync … --state ./sync --every 10s             # repeat, ten seconds after each cycle
  gatehouse sync … --repair --dry-run                     # show what was changed at the target
  gatehouse explain ada@example.com --from … --to …       # why a person is or is not provisioned`,
		Args: terminal.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := terminal.Logger(cmd, w.err, slog.LevelWarn)
			if err != nil {
				return err
			}
			return w.sync(cmd.Context(), s, log)
		},
	}
	s.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&s.dryRun, "dry-run", false, "print the difference and change nothing")
	f.BoolVar(
		&s.accept, "accept", false, "do not ask before the first run against a target that has users or groups already",
	)
	f.BoolVar(&s.adopt, "adopt", false, "take over matching objects that exist at the target")
	f.BoolVar(&s.repair, "repair", false, "compare with the target's current objects and revert changes made there")
	f.BoolVar(&s.giveBack, "give-back", false, "with --repair: also give back what is held since a restore")
	f.BoolVar(&s.removeMissing, "remove-missing", false, "believe that what is held as missing at the source is gone")
	f.DurationVar(&s.repairEvery, "repair-every", 0, "how often to repair, with --every; a restart does not begin anew")
	f.IntVar(
		&s.maxDeletions, "max-deletions", dirsync.MaxDeletions,
		"maximum number of objects that a cycle may disable or delete; 0: no limit",
	)
	f.BoolVar(
		&s.skipOutOfScope, "skip-out-of-scope", false, "leave users and groups unchanged when they leave the scope",
	)
	f.DurationVar(
		&s.store.leaverGrace, "leaver-grace", dirsync.LeaverGrace,
		"at an identity store: how long people who leave are kept, without memberships, before they are deleted",
	)
	f.StringVar(
		&s.store.strangers, "strangers", "keep",
		"at an identity store: keep members of groups whom others added, or remove them with --repair",
	)
	f.Float64Var(
		&s.store.rate, "rate", identitystore.Rate,
		"at an identity store: requests per second of each operation; 0: no limit",
	)
	f.DurationVar(&s.every, "every", 0, "time between cycles (default: run once)")
	f.StringVar(&s.metrics, "metrics", "", "loopback address to serve Prometheus metrics at, such as 127.0.0.1:9090")
	f.BoolVar(&s.asJSON, "json", false, "print one line of JSON for each change and each cycle")
	return cmd
}

// storeSettings are the flags for an identity store.
type storeSettings struct {
	leaverGrace time.Duration
	strangers   string
	rate        float64
}

func (s storeSettings) check() error {
	if s.leaverGrace < 0 || s.rate < 0 || (s.strangers != "keep" && s.strangers != "remove") {
		return errors.New("--leaver-grace and --rate must not be negative, and --strangers is keep or remove")
	}
	return nil
}

// check finds every mistake in the settings at once.
func (s *syncSettings) check() error {
	mistakes := s.source.check()
	if identitystore.Names(s.to) {
		_, _, err := identitystore.ParsePlace(s.to)
		mistakes = append(mistakes, err, s.store.check())
		if s.state == "" && !s.dryRun {
			mistakes = append(mistakes, errors.New("--state is missing: only there an identity store's own is known"))
		}
	} else if u, err := url.Parse(s.to); err != nil || u.Host == "" {
		mistakes = append(
			mistakes, errors.New("--to is missing: the URL of a SCIM endpoint, or identitystore:STORE@REGION"),
		)
	} else if err := outbound.Operator.Check(s.to); err != nil {
		mistakes = append(mistakes, fmt.Errorf("--to: %w", err))
	}
	if s.scimToken == "" && !identitystore.Names(s.to) {
		mistakes = append(mistakes, errors.New("the SCIM token is missing: set GATEHOUSE_SCIM_TOKEN"))
	}
	if s.application != "" && len(s.groups) > 0 {
		mistakes = append(mistakes, errors.New("use --application or --group, not both"))
	}
	if s.every < 0 || s.repairEvery < 0 || s.maxDeletions < 0 || (s.every > 0 && s.dryRun) {
		mistakes = append(
			mistakes, errors.New("times and numbers must not be negative, and --dry-run does not work with --every"),
		)
	}
	if s.giveBack && (!s.repair || s.every > 0) {
		mistakes = append(mistakes, errors.New("--give-back works with --repair, and without --every"))
	}
	if s.removeMissing && (s.state == "" || s.every > 0 || s.dryRun) {
		mistakes = append(mistakes, errors.New("--remove-missing works with --state, without --every and --dry-run"))
	}
	return errors.Join(mistakes...)
}

// openState opens the folder in which a sync remembers.
func (w *world) openState(ctx context.Context, folder string) (*tenant.Tenant, error) {
	log := slog.New(slog.NewTextHandler(w.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	return openTenant(ctx, &half{data: folder, log: log}, w.env, "", "", nil)
}

// openSync opens the state and reads the settings into it.
func (w *world) openSync(
	ctx context.Context, s *syncSettings, log *slog.Logger, onEntry func(provisioning.Entry),
) (*synchronizer, error) {
	mappings, err := s.readMappings()
	if err := errors.Join(s.check(), err); err != nil {
		return nil, terminal.UsageError{Err: err}
	}
	client := outbound.Operator.Client(administer.Timeout)
	source, err := s.source.client(ctx, client, w.say)
	if err != nil {
		return nil, err
	}
	y := &synchronizer{}
	var store provisioning.Target
	if identitystore.Names(s.to) {
		store, err = identitystore.Settings{
			Address: s.to, Rate: s.store.rate, HTTP: client, Explain: connectaws.Explain,
		}.Open(ctx)
		if err != nil {
			return nil, err
		}
	}
	folder := s.state
	if folder == "" {
		if folder, err = os.MkdirTemp("", "gatehouse-sync-"); err != nil {
			return nil, err
		}
		y.temporary = folder
	}
	state, err := openTenant(ctx, &half{data: folder, log: log}, w.env, "", "", nil)
	if err != nil {
		return nil, errors.Join(err, y.Close())
	}
	if err := tokenless.Ended(folder); err != nil && !s.dryRun {
		return nil, errors.Join(err, state.Store.Close(), y.Close())
	}
	progress := &syncProgress{world: w}
	y.Synchronizer, err = dirsync.Open(ctx, dirsync.Config{
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
		RemoveMissing:  s.removeMissing,
		Store:          store,
		LeaverGrace:    s.store.leaverGrace,
		KeepStrangers:  s.store.strangers == "keep",
		GiveBack:       s.giveBack,
		OnRead:         progress.read,
		OnEntry:        onEntry,
		OnProgress:     progress.write,
	})
	if err != nil {
		return nil, errors.Join(err, state.Store.Close(), y.Close())
	}
	return y, nil
}

// synchronizer is one whose state is in a folder that remembers, or in a temporary one.
type synchronizer struct {
	*dirsync.Synchronizer
	temporary string // removed at the end; empty: none
}

// Close closes the state.
func (y *synchronizer) Close() (err error) {
	if y.Synchronizer != nil {
		err = y.Synchronizer.Close()
	}
	if y.temporary != "" {
		err = errors.Join(err, os.RemoveAll(y.temporary))
	}
	return err
}

// syncProgress draws how many objects were read, then how far the writing is. Both begin again with
// each cycle.
type syncProgress struct {
	*world
	mu   sync.Mutex // several requests are under way at once
	bar  *terminal.Progress
	draw func(done, total int)
}

func (p *syncProgress) read(objects int, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar == nil {
		p.bar = terminal.Counter(p.err, "read")
	}
	p.bar.Set(objects)
	if ended {
		p.bar.Finish()
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
			fmt.Errorf("--mappings: %s is not a synchronization schema with one rule", s.mappings), err,
		)
	}
	wanted, err := graphserver.MappingsFromWire(wire.Rules[0])
	if err != nil {
		return nil, fmt.Errorf("--mappings: %w", err)
	}
	return &wanted, nil
}
