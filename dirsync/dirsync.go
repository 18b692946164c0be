// Package dirsync keeps a SCIM service in sync with a directory behind Microsoft Graph: the real
// Entra ID and the real IAM Identity Center, or any two that speak the same protocols.
//
// Open prepares a synchronizer, Cycle reads what changed and writes it, Run repeats that, and
// Explain says how one person is provisioned. The directory is mirrored into a tenant, the state,
// and a job of that tenant updates the target. So a cycle needs few requests at both ends, and
// the next one completes a cycle that was interrupted.
//
// Sources: "Delta query overview"; "How provisioning works".
//
// It may import audit, graph, provisioning, provisioning/identitystore, provisioning/mapping,
// refusal, scim, tenant, tenant/mirror, tenant/syncjobs and terminal.
package dirsync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/provisioning"
	"github.com/gatehouse-id/gatehouse/provisioning/mapping"
	"github.com/gatehouse-id/gatehouse/scim"
	"github.com/gatehouse-id/gatehouse/tenant"
	"github.com/gatehouse-id/gatehouse/tenant/mirror"
	"github.com/gatehouse-id/gatehouse/tenant/syncjobs"
)

// What a person gets who says nothing else.
const (
	// LeaverGrace is how long Entra ID keeps who was deleted, too.
	LeaverGrace  = 30 * 24 * time.Hour //bound:wait people who have left, until they are deleted at an identity store
	MaxDeletions = 500                 //bound:list objects that a cycle disables or deletes, unless a setting says more
)

// Config says what is read, what is written, and how.
type Config struct {
	State  *tenant.Tenant // remembers what was read and sent; nothing else may write to it; Close closes it
	Source *graph.Client
	Target string // the SCIM endpoint; a query may name the dialect, as provisioning.DialectOf reads it
	Token  string // the target's access token
	// Store is a target that is no SCIM endpoint; Target and Token are empty then.
	Store provisioning.Target
	HTTP  *http.Client
	Log   *slog.Logger

	// Application limits the sync to users and groups that are assigned to an enterprise
	// application: its name, or the id of its service principal. Groups limits it to some groups
	// and their members, by names or ids; beside an application they are added to what it has. With
	// neither, everybody is provisioned.
	Application string
	Groups      []string
	Nested      bool            // members of a group in a group are members too
	Mappings    *mapping.Schema // nil: tenant.DefaultMappings

	Adopt          bool // take over objects that are at the target already and match
	DryRun         bool // change nothing at the target
	GiveBack       bool // a repair gives back what is held since the state was restored from a backup
	SkipOutOfScope bool // do not change objects that leave the scope
	// At an identity store: how long people who have left are kept, without memberships; and
	// whether members of groups whom somebody else has added are left alone when everything is
	// compared.
	LeaverGrace   time.Duration
	KeepStrangers bool
	MaxDeletions  int // how many objects a cycle may disable or delete; 0: any number
	// RemoveMissing lets those go, in the next cycle, who are held since a reading of everything
	// left out so much of the source that it was not believed.
	RemoveMissing bool

	// They are told how many objects were read so far and that reading has ended, what is done or
	// fails as it happens, and how far the writing is. OnEntry is called by several goroutines at
	// once. Each may be nil.
	OnRead     func(objects int, ended bool)
	OnEntry    func(provisioning.Entry)
	OnProgress func(provisioning.Progress)
}

// Synchronizer is a directory that is mirrored into the state, and the job of the state that brings
// the target into line with it.
type Synchronizer struct {
	config  Config
	mirror  *mirror.Mirror
	runner  *syncjobs.Runner
	job     tenant.Job
	dialect provisioning.Dialect
	remote  string                      // the service principal of the source whose assignments are followed, or empty
	groups  []tenant.GroupID            // to follow, in the order of the configuration
	missing map[string]tenant.GroupID   // of them, those that were deleted, by their names there
	told    map[string]bool             // of which of these it was said
	leftOut []mirror.LeftOut            // what cannot be read
	absent  map[tenant.Mark]bool        // who is held, since much is missing at the source
	ended   bool                        // the application is not there any more
	toldOut map[tenant.Mark]bool        // of which of these it was said
	strange map[tenant.PrincipalID]bool // who is assigned, or a member, and never comes
	spent   spent                       // without the source
	held    bool                        // the last cycle has held people back, and they were told of

	heard    atomic.Bool   // the source was read by this process
	news     atomic.Int64  // goes up with whatever comes from the source
	patience time.Duration // with a source that says nothing
	settles  time.Duration // until a server of the source knows what another one does
}

// Names of the notes that a state keeps.
const (
	noteSource   = "sync/source"
	noteJob      = "sync/service-principal"
	noteRepaired = "sync/repaired" // when
)

// Close closes the state.
func (s *Synchronizer) Close() error { return s.config.State.Store.Close() }

// Open finds or makes the job of the state, and brings it in line with the configuration. It asks
// the target what it is, and the source for the application or the groups, and changes neither.
func Open(ctx context.Context, c Config) (*Synchronizer, error) {
	s := &Synchronizer{
		config: c,
		mirror: &mirror.Mirror{Tenant: c.State, Graph: c.Source, Release: c.RemoveMissing},
		runner: syncjobs.New(c.State, c.Log, c.HTTP),
		told:   map[string]bool{},

		patience: patience,
		settles:  settles,
	}
	s.mirror.Progress = func(objects int) {
		if s.news.Add(1); c.OnRead != nil {
			c.OnRead(objects, false)
		}
	}
	if s.config.Mappings == nil {
		defaults := tenant.DefaultMappings()
		s.config.Mappings = &defaults
	}
	if c.Store != nil {
		s.runner.Own = c.Store
		s.config.Target = c.Store.Address()
	}
	address, _, _ := strings.Cut(s.config.Target, "?")
	if err := s.findDialect(ctx, address); err != nil {
		return nil, err
	}
	job, err := s.findJob(ctx, address)
	if err != nil {
		return nil, err
	}
	if err := s.configure(ctx, job, address); err != nil {
		return nil, err
	}
	if s.job, err = c.State.Job(ctx, job.ServicePrincipalID, job.ID); err != nil {
		return nil, err
	}
	if err := errors.Join(s.findScope(ctx), s.findDomain(ctx)); err != nil {
		return nil, err
	}
	return s, c.State.Sweep(ctx) // whoever runs single cycles, by cron for instance, never comes to Run
}

// findDialect asks the target for its dialect, unless the query of its address names one.
func (s *Synchronizer) findDialect(ctx context.Context, address string) (err error) {
	if s.config.Store != nil {
		s.dialect = provisioning.AWS
		return nil
	}
	if s.dialect = provisioning.DialectOf(s.config.Target); s.dialect == provisioning.Compliant {
		return nil
	}
	target := &scim.Client{BaseURL: address, Token: s.config.Token, HTTP: s.config.HTTP}
	if s.dialect, err = provisioning.Probe(ctx, target); err != nil {
		return fmt.Errorf("ask %s what it is: %w", address, err)
	}
	return nil
}

// findJob returns the job of the state, and makes it in a new one. A state belongs to one source
// and one target: with another, everything that it remembers would be deleted there.
func (s *Synchronizer) findJob(ctx context.Context, address string) (tenant.Job, error) {
	state := s.config.State
	here := s.config.Source.BaseURL + " → " + address
	was, err := state.Note(ctx, noteSource)
	if err != nil {
		return tenant.Job{}, err
	}
	// Earlier versions noted the source as it was typed, with a slash at the end or without.
	if was = strings.Replace(was, "/ → ", " → ", 1); was != "" && was != here {
		return tenant.Job{}, fmt.Errorf("the state is of %s, not of %s: use another folder", was, here)
	}
	if was == "" {
		if err := s.isNobodys(ctx); err != nil {
			return tenant.Job{}, err
		}
	}
	principal, err := state.Note(ctx, noteJob)
	if err == nil && principal == "" {
		principal, err = s.makeJob(ctx, here)
	}
	if err != nil {
		return tenant.Job{}, err
	}
	jobs, err := state.Jobs(ctx, tenant.ServicePrincipalID(principal))
	if err != nil {
		return tenant.Job{}, err
	}
	if len(jobs) != 1 {
		return tenant.Job{}, fmt.Errorf("the state is damaged: it has %d jobs", len(jobs))
	}
	return jobs[0], nil
}

// isNobodys refuses a state that is to be a new one and is somebody's directory: the people of the
// source would take the place of those who are there.
func (s *Synchronizer) isNobodys(ctx context.Context) error {
	state, one := s.config.State, tenant.Query{Limit: 1}
	users, e1 := state.Users(ctx, one)
	groups, e2 := state.Groups(ctx, one)
	administrators, e3 := state.Administrators(ctx)
	if err := errors.Join(e1, e2, e3); err != nil || len(users)+len(groups)+len(administrators) == 0 {
		return err
	}
	return errors.New("the folder of --state has the data of a tenant, and no sync has begun there: " +
		"the people of the source would take the place of its own. Nothing was changed. Use another folder")
}

func (s *Synchronizer) makeJob(ctx context.Context, here string) (principal string, err error) {
	state := s.config.State
	template := tenant.Gallery[0]
	app, err := state.Instantiate(ctx, audit.SystemActor, template, "sync")
	if err != nil {
		return "", err
	}
	if _, err := state.CreateJob(ctx, audit.SystemActor, app.ServicePrincipalID, template.SyncTemplate); err != nil {
		return "", err
	}
	return string(app.ServicePrincipalID), errors.Join(
		state.SetNote(ctx, tenant.Note{Name: noteSource, Text: here}),
		state.SetNote(ctx, tenant.Note{Name: noteJob, Text: string(app.ServicePrincipalID)}),
	)
}

// configure brings the job in line with the configuration.
func (s *Synchronizer) configure(ctx context.Context, job tenant.Job, address string) error {
	c := s.config
	all := c.Application == "" && len(c.Groups) == 0
	settings := tenant.JobSettings{
		BaseAddress:     &address,
		SecretToken:     &c.Token,
		SyncAll:         &all,
		SkipOutOfScope:  &c.SkipOutOfScope,
		FlattenGroups:   &c.Nested,
		DeleteThreshold: &c.MaxDeletions,
	}
	if c.Store != nil { // it has neither
		settings.BaseAddress, settings.SecretToken = nil, nil
	}
	if problems := tenant.MappingProblems(*c.Mappings); len(problems) > 0 {
		return fmt.Errorf("the mappings cannot be carried out: %s", strings.Join(problems, "; "))
	}
	if c.Application == "" && c.Mappings.MapsRoles() {
		return errors.New("the mappings send the app roles of people: name the application with --application")
	}
	if !sameMappings(*c.Mappings, job.Mappings()) {
		if err := c.State.SetMappings(ctx, audit.SystemActor, job.ID, *c.Mappings); err != nil {
			return err
		}
	}
	return c.State.ConfigureJob(ctx, audit.SystemActor, job.ID, settings)
}

// findDomain asks the source for its default domain, where an expression wants it.
func (s *Synchronizer) findDomain(ctx context.Context) error {
	if !s.config.Mappings.Calls("DefaultDomain") {
		return nil
	}
	type organization struct {
		Domains []struct {
			Name      string `json:"name"`
			IsDefault bool   `json:"isDefault"`
		} `json:"verifiedDomains"`
	}
	list, err := graph.All[organization](ctx, s.config.Source, "/organization?$select=id,verifiedDomains")
	if err != nil {
		return fmt.Errorf("read the default domain, which the mappings use: %w", err)
	}
	for _, o := range list {
		for _, d := range o.Domains {
			if d.IsDefault {
				s.runner.Domain = d.Name
				return nil
			}
		}
	}
	return errors.New("the source does not say which of its domains is the default one, which the mappings use")
}

// sameMappings compares what people write: not the versions, and not what the target requires. New
// mappings have everything compared again, so the same ones must not count as new.
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
