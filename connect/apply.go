package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
)

// Confirmation is the word that lets Apply change the identity source.
const Confirmation = "ACCEPT"

// ErrLockout says that whoever asks would depend on what is changed.
var ErrLockout = errors.New(
	"your AWS credentials are those of a permission set, so a mistake would lock you out too. Use an IAM user, the " +
		"root user or a role outside of IAM Identity Center, or add --allow-lockout",
)

// keepSnapshot writes down what there was, where something is to be done. Nothing changes without.
func (p *Plan) keepSnapshot() error {
	if p.cfg.SnapshotFile == "" || p.People == nil || p.Pending() == 0 {
		return nil
	}
	if err := WriteFile(p.cfg.SnapshotFile, p.Snapshot); err != nil {
		return err
	}
	p.kept = p.cfg.SnapshotFile
	keeper, remembers := p.cfg.Center.(SnapshotKeeper)
	if !remembers {
		return nil
	}
	if first := p.firstSnapshot(); first != "" && p.begun() {
		p.kept, p.keptNow = first, p.cfg.SnapshotFile
		return nil
	}
	return keeper.RememberSnapshot(p.cfg.SnapshotFile)
}

// begun says whether there is something of a connection already.
func (p *Plan) begun() bool {
	s := p.State
	return s.Principal.ID != "" || s.SCIM.TenantID != "" || s.Directory.IdentitySource == adminapi.SourceExternal
}

// firstSnapshot is the file of what was there before the connection, if runs remember one that is
// there still.
func (p *Plan) firstSnapshot() string {
	keeper, remembers := p.cfg.Center.(SnapshotKeeper)
	if !remembers || keeper.FirstSnapshot() == "" {
		return ""
	}
	if _, err := os.Stat(keeper.FirstSnapshot()); err != nil {
		return ""
	}
	return keeper.FirstSnapshot()
}

// plan makes the steps of the walk out of what was observed, each with whether it is done.
func (p *Plan) plan() {
	s := &p.State
	add := func(done bool, title, exists, will string, do func(context.Context) error) {
		detail := will
		if done {
			detail = exists
		}
		p.Steps = append(p.Steps, Step{Title: title, Detail: detail, Done: done, do: do})
	}
	haveApp := s.Principal.ID != ""
	add(
		haveApp, partApplication, p.existing(),
		"create “"+p.cfg.AppName+"” from the gallery entry AWS IAM Identity Center", p.createApplication,
	)
	add(
		haveApp && p.samlDone(), "SAML settings in the tenant",
		"identifier, reply URL and sign-on URL are those of the center",
		"set identifier "+s.SP.EntityID+", its reply URL and sign-on URL", p.setSAML,
	)
	add(
		s.Principal.PreferredTokenSigningKeyThumbprint != nil, "SAML signing certificate",
		"an active certificate exists", "create one for three years and make it active", p.addCertificate,
	)
	add(
		haveApp && len(s.Unassigned) == 0, "Assigned groups", p.groupsText("%d {group is|groups are} assigned"),
		p.groupsText("%d {group|groups} will be assigned"), p.assignGroups,
	)
	p.writerStep(add)
	trusted := s.Configuration.ConfigurationID != ""
	add(
		trusted, "Identity provider metadata in the center", "the center has the tenant's current metadata",
		"upload the tenant's federation metadata", p.uploadMetadata,
	)
	p.Changes = !trusted || s.Configuration.Status != adminapi.StatusEnabled
	add(
		!p.Changes, "Identity source", "the tenant is the center's identity source",
		"change it from "+p.sourceName()+" to the tenant", p.enable,
	)
	if p.cfg.Tokenless {
		return
	}
	add(s.SCIM.TenantID != "", provisioningTitle, "enabled", "enable it", p.enableProvisioning)
	before := len(p.Steps)
	add(s.Job.ID != "", partJob, "exists", "create it", p.newJob)
	add(
		s.Connected && p.settingsDone(), partSaved, "saved, and Test Connection passes",
		"create an access token, test the connection and save both with the scope “"+scopeName(p.syncAll())+"”",
		p.saveCredentials,
	)
	on := isOn(s.Job) && s.Connected && p.settingsDone()
	add(on, "Provisioning status", "on", "turn it on and run a cycle", p.start)
	for i := range p.Steps[before:] {
		p.Steps[before+i].job = true
	}
}

func (p *Plan) sourceName() string {
	switch p.State.Directory.IdentitySource {
	case adminapi.SourceExternal:
		return "another identity provider"
	case adminapi.SourceDirectory:
		return "the built-in directory"
	}
	return unknownSource
}

const provisioningTitle = "Automatic provisioning in the center"

// unknownSource is what AWS's side says of its identity source.
const unknownSource = "what it is (AWS does not tell)"

// syncedAll says whether the job provisions everyone, as it is saved.
func (p *Plan) syncedAll() bool { return p.State.Secrets[graph.KeySyncAll] == "true" }

// syncAll says whether the job is to provision everyone.
func (p *Plan) syncAll() bool {
	if p.cfg.KeepSettings {
		return p.syncedAll()
	}
	return p.cfg.SyncAll
}

func scopeName(all bool) string {
	if all {
		return "all users and groups"
	}
	return "assigned users and groups"
}

func (p *Plan) groupsText(format string) string {
	if len(p.cfg.Groups) == 0 {
		return "no groups named"
	}
	return names.Counted(format, len(p.cfg.Groups))
}

func (p *Plan) samlDone() bool {
	sp, app := p.State.Principal, p.State.Application
	return sp.PreferredSingleSignOnMode != nil && *sp.PreferredSingleSignOnMode == "saml" &&
		p.leadsHere(sp.LoginURL) && slices.Equal(app.IdentifierURIs, []string{p.State.SP.EntityID}) &&
		p.repliesHere(app.Web)
}

func (p *Plan) settingsDone() bool {
	return p.cfg.KeepSettings || p.syncedAll() == p.cfg.SyncAll &&
		(p.cfg.Email == "" || notifies(p.State.Secrets[graph.KeyNotification]))
}

// Apply does what the plan says, in order, and calls report before and after each step.
// confirmation must be the word ACCEPT when the plan changes the identity source.
func (p *Plan) Apply(ctx context.Context, confirmation string, report func(step int, done bool)) error {
	if p.Changes && confirmation != Confirmation {
		return fmt.Errorf("to change the identity source, confirm with %s", Confirmation)
	}
	if p.locksOut() {
		return ErrLockout
	}
	if p.Changes { // before anything is done for it
		if err := p.sameSource(ctx); err != nil {
			return err
		}
	}
	if err := p.keepSnapshot(); err != nil {
		return err
	}
	p.applied = p.Pending() > 0
	return p.goOn(ctx, p.applySteps(ctx, report))
}

func (p *Plan) applySteps(ctx context.Context, report func(step int, done bool)) error {
	replay := p.cfg.Replay
	if replay == nil {
		return apply(ctx, p.Steps, report)
	}
	if err := replay.begin(p); err != nil {
		return err
	}
	for i, step := range p.Steps {
		if step.Done {
			continue
		}
		began := time.Now()
		if err := apply(ctx, p.Steps[i:i+1], func(_ int, done bool) { report(i, done) }); err != nil {
			return err
		}
		if err := replay.after(ctx, p, step.Title, time.Since(began)); err != nil {
			return fmt.Errorf("%s: %w", step.Title, explain(err))
		}
	}
	return nil
}

// apply does the steps that are not done, in order. What is left over of one stops none of the
// others.
func apply(ctx context.Context, steps []Step, report func(step int, done bool)) error {
	var left []error
	for i := range steps {
		if steps[i].Done {
			continue
		}
		report(i, false)
		if err := steps[i].do(ctx); err != nil {
			left = append(left, fmt.Errorf("%s: %w", steps[i].Title, explain(err)))
			var some leftover
			if !errors.As(err, &some) {
				break
			}
			continue
		}
		steps[i].Done = true
		report(i, true)
	}
	return errors.Join(left...)
}

// saveCredentials makes a token, proves it with Test Connection and saves it. A token that an
// interrupted run made and never used is deleted first when there is no room for another. One in
// use is touched only when it is the job's own and the new one has taken its place: Graph does not
// give a saved token back, so settings cannot be changed without a new one.
//
// The job is paused last of all: a person may take hours for a token, and people who leave must not
// keep their access for so long.
func (p *Plan) saveCredentials(ctx context.Context) error {
	// The plan may be old. Between a token and its PUT there are as few requests as can be.
	done, err := p.sameJob(ctx)
	if done || err != nil {
		return err
	}
	before, err := p.makeRoom(ctx)
	if err != nil {
		return err
	}
	if err := p.otherJobs(ctx); err != nil {
		return err
	}
	if err := p.sameAddress(ctx); err != nil {
		return err
	}
	p.replacing, p.replaced = p.State.Connected && len(before) == 1, ""
	if p.replacing {
		p.replaced = before[0].TokenID
	}
	token, made, err := p.makeToken(ctx, "", p.replaced, before)
	if err != nil {
		return err
	}
	settings, err := p.testedSettings(ctx, token)
	if err != nil {
		p.discard(ctx, token)
		return err
	}
	if err := p.putToken(ctx, token, made, settings); err != nil {
		return err
	}
	if err := p.tokenSaved(p.replacing); err != nil {
		return err
	}
	p.State.SCIMToken, p.State.Connected = token.Value, true
	beside, err := p.keptBeside(ctx)
	if beside != nil {
		p.replacing, p.replaced = true, beside[1].TokenID
	}
	return err
}

// testedSettings are what is saved with a token that has passed Test Connection.
func (p *Plan) testedSettings(ctx context.Context, token adminapi.BearerToken) (graph.Secrets, error) {
	if err := p.sameAddress(ctx); err != nil { // a person may have taken hours for the token
		return graph.Secrets{}, err
	}
	credentials := []graph.KeyValue{
		{Key: graph.KeyBaseAddress, Value: p.address()},
		{Key: graph.KeySecretToken, Value: token.Value},
	}
	if err := p.readyFor(ctx, credentials); err != nil {
		return graph.Secrets{}, err
	}
	scope := "false"
	if p.syncAll() {
		scope = "true"
	}
	settings := append(credentials, graph.KeyValue{Key: graph.KeySyncAll, Value: scope})
	if p.cfg.Email != "" {
		text, err := notifying(p.State.Secrets[graph.KeyNotification], p.cfg.Email)
		if err != nil {
			return graph.Secrets{}, err
		}
		settings = append(settings, graph.KeyValue{Key: graph.KeyNotification, Value: text})
	}
	return p.withSaved(settings), nil
}

// readyFor tests credentials, and stops a job that runs so that they can be saved.
func (p *Plan) readyFor(ctx context.Context, credentials []graph.KeyValue) error {
	path := p.sync("/jobs/" + p.State.Job.ID + "/validateCredentials")
	in := graph.ValidateCredentials{Credentials: credentials}
	if err := p.graph(ctx, http.MethodPost, path, in, nil); err != nil {
		return fmt.Errorf("test the connection: %w", err)
	}
	if !p.running() {
		return nil
	}
	if err := p.quiesce(ctx); err != nil {
		return err
	}
	return p.sameAddress(ctx) // a cycle may have taken hours
}

// running says whether the job is on, or a cycle of it goes on.
func (p *Plan) running() bool {
	j := p.State.Job
	return isOn(j) || j.Status != nil && len(j.Status.Progress) > 0
}

// maxApplications bounds how many other applications of the template are asked for their jobs.
const maxApplications = 20 //bound:list other applications that are asked whether they provision the same center

// otherJobs fails when another application of the template provisions the same endpoint: two jobs
// would undo what each other does.
func (p *Plan) otherJobs(ctx context.Context) error {
	all, err := graph.All[graph.ServicePrincipal](
		ctx, p.cfg.Graph, "/servicePrincipals"+graph.Filter("applicationTemplateId", graph.AWSTemplateID),
	)
	if err != nil {
		return err
	}
	for _, other := range all[:min(len(all), maxApplications)] {
		if other.ID == p.State.Principal.ID {
			continue
		}
		sync := "/servicePrincipals/" + other.ID + "/synchronization"
		jobs, err := graph.All[graph.SynchronizationJob](ctx, p.cfg.Graph, sync+"/jobs")
		if err != nil {
			return err
		}
		var secrets graph.Secrets
		if len(jobs) > 0 {
			if err := p.cfg.Graph.Do(ctx, http.MethodGet, sync+"/secrets", nil, &secrets); err != nil {
				return err
			}
		}
		for _, kv := range secrets.Value {
			if kv.Key == graph.KeyBaseAddress && sameEndpoint(kv.Value, p.State.SCIM.ScimEndpoint) {
				return fmt.Errorf(
					"another application, %q (%s), provisions the same SCIM endpoint, and each of the two would undo "+
						"what the other does: delete its provisioning job, or connect that application with --name",
					other.DisplayName, other.ID,
				)
			}
		}
	}
	return nil
}

// quiesce pauses a job that is on and waits until its running cycle is done, so that the next cycle
// is the first with the new settings. The last step turns the job on again, or goOn.
func (p *Plan) quiesce(ctx context.Context) error {
	path := p.sync("/jobs/" + p.State.Job.ID)
	if isOn(p.State.Job) {
		p.paused = true // also if only the answer is lost
		if err := p.graph(ctx, http.MethodPost, path+"/pause", nil, nil); err != nil {
			return err
		}
	}
	for {
		if err := p.graph(ctx, http.MethodGet, path, nil, &p.State.Job); err != nil {
			return err
		}
		if len(p.State.Job.Status.Progress) == 0 {
			return nil
		}
		if err := p.pause(ctx); err != nil {
			return err
		}
	}
}

const maxTokens = 2 //bound:none the quota of SCIM tokens, as the guide has it

// tokenSaved tells a side that does not see it that the tenant has the token that was made last.
func (p *Plan) tokenSaved(before bool) error {
	if keeper, remembers := p.cfg.Center.(TokenKeeper); remembers {
		return keeper.TokenSaved(before)
	}
	return nil
}

// makeRoom returns the tokens that there are, after making sure that one more can be made.
func (p *Plan) makeRoom(ctx context.Context) ([]adminapi.BearerToken, error) {
	tokens, err := p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID)
	if err == nil {
		tokens, err = p.clearLeft(ctx, tokens)
	}
	if err != nil || len(tokens) < maxTokens {
		return tokens, err
	}
	if _, remembers := p.cfg.Center.(TokenKeeper); remembers { // the person makes room, and knows which goes
		return tokens[:1], nil
	}
	// The saved credentials do not work, or their settings change: of two tokens the one used
	// longer ago is the one to go.
	oldest := slices.MinFunc(tokens, func(a, b adminapi.BearerToken) int {
		switch {
		case a.LastUsedTime == nil:
			return -1
		case b.LastUsedTime == nil:
			return 1
		}
		return a.LastUsedTime.Compare(*b.LastUsedTime)
	})
	if oldest.LastUsedTime != nil {
		return nil, fmt.Errorf(
			"the center has two access tokens, both have been used, and nobody can tell which the tenant has: see " +
				"first whether the tenant can reach the center, then delete the one that you do not need (Settings, " +
				"Access tokens) and run this again",
		)
	}
	if own, err := p.own(ctx, oldest.TokenID); err != nil || !own {
		return nil, cmp.Or(err, fmt.Errorf(
			"the center has two access tokens, and nobody has used %s, which was made on %s: somebody may be about "+
				"to. If not, delete it (Settings, Access tokens) and run this again", oldest.TokenID,
			clock(oldest.CreationTime),
		))
	}
	rest := slices.DeleteFunc(tokens, func(t adminapi.BearerToken) bool { return t.TokenID == oldest.TokenID })
	return rest, p.deleteToken(ctx, oldest.TokenID)
}

// start turns the job on. Then the token is deleted that another one has replaced: at AWS a person
// does it, and provisioning goes on meanwhile.
func (p *Plan) start(ctx context.Context) error {
	if status := p.State.Job.Status; status != nil && status.LastExecution != nil {
		p.State.OldCycle = status.LastExecution.ActivityIdentifier
	}
	if err := p.turnOn(ctx); err != nil || !p.replacing {
		return err
	}
	p.replacing = false
	return p.deleteToken(ctx, p.replaced)
}

func (p *Plan) turnOn(ctx context.Context) error {
	err := p.graph(ctx, http.MethodPost, p.sync("/jobs/"+p.State.Job.ID+"/start"), nil, nil)
	if err == nil {
		p.started = true
		p.paused = false
	}
	return err
}

// goingOn is how long starting a job again may take after an error, or after Ctrl-C.
const goingOn = 30 * time.Second //bound:wait a job that this run has paused to be started again

// goOn starts the job again that this run has paused, when it ends with an error. Otherwise people
// who leave would keep their access until somebody runs it again.
func (p *Plan) goOn(ctx context.Context, err error) error {
	if err == nil || !p.paused {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goingOn)
	defer cancel()
	if failed := p.turnOn(ctx); failed != nil {
		return fmt.Errorf("%w\n%s this command or gatehouse connect repair turns it on (%w)", err, isOff, failed)
	}
	return fmt.Errorf("%w\nThe provisioning job, which this run had paused, goes on", err)
}

const isOff = "Provisioning is off: who leaves in the tenant keeps their access until"
