package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/graphserver"
	"github.com/gatehouse-id/gatehouse/tenant/mirror"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
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
		Args: noArgs,
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

// synchronizer is a directory that is mirrored into a tenant of its own, and the job that brings a
// target into line with it.
type synchronizer struct {
	settings *syncSettings
	tenant   *tenant.Tenant
	mirror   *mirror.Mirror
	runner   *syncjobs.Runner
	job      tenant.Job
	dialect  provisioning.Dialect
	remote   string   // service principal whose assignments are followed; may be empty
	groups   []string // ids of the groups to follow
	close    func() error
}

// check finds every mistake in the settings at once. They are no usage errors, whose exit code a
// dry run needs.
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
func (w *world) openSync(ctx context.Context, s *syncSettings, log *slog.Logger) (*synchronizer, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	y := &synchronizer{settings: s, close: func() error { return nil }}
	folder := s.state
	if folder == "" {
		temp, err := os.MkdirTemp("", "gatehouse-sync-")
		if err != nil {
			return nil, err
		}
		folder, y.close = temp, func() error { return os.RemoveAll(temp) }
	}
	t, err := openTenant(ctx, &half{data: folder, log: log}, w.env, "", "", nil)
	if err != nil {
		return nil, errors.Join(err, y.close())
	}
	removeTemporary := y.close
	y.close = func() error { return errors.Join(t.Store.Close(), removeTemporary()) }
	y.tenant = t
	client := outbound.Operator.Client(clientTimeout)
	from, err := s.source.client(ctx, client, w.say)
	if err == nil {
		y.mirror, y.runner = &mirror.Mirror{Tenant: t, Graph: from}, syncjobs.New(t, log, client)
		err = y.configure(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, y.close())
	}
	return y, nil
}

// Names of the notes that a state keeps.
const (
	noteSource = "sync/source"
	noteJob    = "sync/service-principal"
)

// configure finds or makes the job of the state, and brings it in line with the settings.
func (y *synchronizer) configure(ctx context.Context) error {
	s := y.settings
	address, _, _ := strings.Cut(s.to, "?")
	target := &scim.Client{BaseURL: address, Token: s.scimToken, HTTP: y.runner.HTTP}
	var err error
	if y.dialect = provisioning.DialectOf(s.to); y.dialect != provisioning.Compliant {
		if y.dialect, err = provisioning.Probe(ctx, target); err != nil {
			return fmt.Errorf("ask %s what it is: %w", address, err)
		}
	}
	here := s.source.graphURL + " → " + address
	if was, err := y.tenant.Note(ctx, noteSource); err != nil || (was != "" && was != here) {
		return errors.Join(
			err, fmt.Errorf("the state in %s is of %s, not of %s: use another folder", s.state, was, here),
		)
	}
	principal, err := y.tenant.Note(ctx, noteJob)
	if err != nil {
		return err
	}
	if principal == "" {
		if principal, err = y.makeJob(ctx, here); err != nil {
			return err
		}
	}
	jobs, err := y.tenant.Jobs(ctx, principal)
	if err != nil || len(jobs) != 1 {
		return errors.Join(err, fmt.Errorf("the state in %s is damaged: it has %d jobs", s.state, len(jobs)))
	}
	all := s.application == "" && len(s.groups) == 0
	settings := tenant.JobSettings{
		BaseAddress:     &address,
		SecretToken:     &s.scimToken,
		SyncAll:         &all,
		SkipOutOfScope:  &s.skipOutOfScope,
		FlattenGroups:   &s.nested,
		DeleteThreshold: &s.maxDeletions,
	}
	if err := y.tenant.ConfigureJob(ctx, audit.SystemActor, jobs[0].ID, settings); err != nil {
		return err
	}
	if err := y.setMappings(ctx, jobs[0]); err != nil {
		return err
	}
	if y.job, err = y.tenant.Job(ctx, principal, jobs[0].ID); err != nil {
		return err
	}
	return y.findScope(ctx)
}

func (y *synchronizer) makeJob(ctx context.Context, here string) (principal string, err error) {
	app, err := y.tenant.Instantiate(ctx, audit.SystemActor, tenant.Gallery[0], "sync")
	if err != nil {
		return "", err
	}
	if _, err := y.tenant.CreateJob(
		ctx, audit.SystemActor, app.ServicePrincipalID, tenant.Gallery[0].SyncTemplate,
	); err != nil {
		return "", err
	}
	return app.ServicePrincipalID, errors.Join(
		y.tenant.SetNote(ctx, tenant.Note{Name: noteSource, Text: here}),
		y.tenant.SetNote(ctx, tenant.Note{Name: noteJob, Text: app.ServicePrincipalID}),
	)
}

// setMappings reads the file with mappings. What AWS requires is required of AWS only.
func (y *synchronizer) setMappings(ctx context.Context, j tenant.Job) error {
	wanted := tenant.DefaultMappings()
	if y.settings.mappings != "" {
		data, err := os.ReadFile(y.settings.mappings)
		if err != nil {
			return fmt.Errorf("--mappings: %w", err)
		}
		var wire graph.SynchronizationSchema
		if err := json.Unmarshal(data, &wire); err != nil || len(wire.Rules) != 1 {
			return errors.Join(
				fmt.Errorf("--mappings: %s is no synchronization schema with one rule", y.settings.mappings), err,
			)
		}
		if wanted, err = graphserver.MappingsFromWire(wire.Rules[0]); err != nil {
			return fmt.Errorf("--mappings: %w", err)
		}
	}
	if sameMappings(wanted, j.Mappings()) {
		return nil
	}
	return y.tenant.SetMappings(ctx, audit.SystemActor, j.ID, wanted)
}

// sameMappings compares what people write; versions and what the target requires are not among it.
func sameMappings(a, b mapping.Schema) bool {
	text := func(s mapping.Schema) string {
		objects := make([]mapping.Object, len(s.Objects))
		for i, o := range s.Objects {
			o.Attributes = append([]mapping.Attribute{}, o.Attributes...)
			for k := range o.Attributes {
				o.Attributes[k].Required = false
			}
			objects[i] = o
		}
		data, _ := json.Marshal(objects) // plain fields always encode
		return string(data)
	}
	return text(a) == text(b)
}

// findScope finds the application or the groups that the settings name.
func (y *synchronizer) findScope(ctx context.Context) error {
	if name := y.settings.application; name != "" {
		found, err := graph.All[graph.ServicePrincipal](
			ctx, y.mirror.Graph, "/servicePrincipals"+graph.Filter("displayName", name),
		)
		if err != nil {
			return fmt.Errorf("find the application %q: %w", name, err)
		}
		switch len(found) {
		case 0:
			y.remote = name
		case 1:
			y.remote = found[0].ID
		default:
			return fmt.Errorf(
				"there are %d applications named %q: give the id of a service principal", len(found), name,
			)
		}
	}
	for _, name := range y.settings.groups {
		found, err := graph.All[graph.Group](ctx, y.mirror.Graph, "/groups"+graph.Filter("displayName", name))
		switch {
		case err != nil:
			return fmt.Errorf("find the group %q: %w", name, err)
		case len(found) > 1:
			return fmt.Errorf("there are %d groups named %q: give an id", len(found), name)
		case len(found) == 1:
			y.groups = append(y.groups, found[0].ID)
		default:
			y.groups = append(y.groups, name)
		}
	}
	return nil
}

// pull brings the mirror up to date.
func (y *synchronizer) pull(ctx context.Context) (mirror.Pulled, error) {
	pulled, err := y.mirror.Pull(ctx)
	if err != nil {
		return pulled, err
	}
	switch {
	case y.remote != "":
		err = y.mirror.Assigned(ctx, y.remote, y.job.ServicePrincipalID)
	case len(y.groups) > 0:
		for _, id := range y.groups {
			if _, err := y.tenant.Group(ctx, id); err != nil {
				return pulled, fmt.Errorf("--group %q: %w", id, err)
			}
		}
		err = y.tenant.SetAssigned(ctx, audit.SystemActor, y.job.ServicePrincipalID, y.groups)
	}
	return pulled, err
}

// engine is the engine of the job with what only sync can do.
func (y *synchronizer) engine() (*provisioning.Engine, error) {
	e, err := y.runner.Engine(y.job)
	if err != nil {
		return nil, err
	}
	e.Dialect = y.dialect
	e.Careful = true
	e.Adopt = y.settings.adopt
	e.DryRun = y.settings.dryRun
	if y.dialect != provisioning.AWS { // others require a user name only
		schema := y.job.Mappings()
		for i := range schema.Objects {
			for k := range schema.Objects[i].Attributes {
				a := &schema.Objects[i].Attributes[k]
				a.Required = a.Required && a.Matching > 0
			}
		}
		e.Mappings, err = provisioning.Compile(schema)
	}
	return e, err
}
