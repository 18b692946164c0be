package connect

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
)

// Undoer is a side that brings back the identity source before the last change with its settings.
type Undoer interface {
	UndoSourceChange(context.Context, adminapi.ConfirmInput) error
}

// Restorer gives back what a change has taken away at AWS's side, and takes away what provisioning
// has made there, by AWS's public APIs.
type Restorer interface {
	Discover(ctx context.Context, progress func(done, total int)) (Snapshot, error)
	CreateAssignment(context.Context, Assignment) error
	DeleteUser(ctx context.Context, id string) error
	DeleteGroup(ctx context.Context, id string) error
}

// UndoOptions say how much is undone.
type UndoOptions struct {
	DeleteApplication bool // otherwise the application stays, without job and credentials
	// Before is what there was before; nil: assignments and people stay as they are.
	Before *Snapshot
	// DeleteProvisioned deletes users and groups that were not there before.
	DeleteProvisioned bool
	Restore           Restorer // with Before
}

// Undo is what is to be done to take a connection back.
type Undo struct {
	Steps []Step
	Notes []string

	plan    *Plan
	options UndoOptions
	// what is lost and what is new at AWS's side, compared with before
	lost      []Assignment
	newUsers  []StoreUser
	newGroups []StoreGroup
	// staying are the names of what is new, and not made by provisioning as far as anything says
	staying []string

	tokens  []adminapi.BearerToken // that the plan names
	jobGone bool                   // somebody else has deleted the job
	// doubter does not tell whether the tenant of this issuer is its identity source; else nil.
	doubter Doubter
	issuer  string
}

// ObserveUndo looks at both ends and says what is to be done to take a connection back. It changes
// nothing. What belongs to somebody else, such as another identity provider's trust, stays.
//
// The order is that of the evidence: what says that something is the connection's is taken away
// after it, so that the next run completes one that was interrupted.
func ObserveUndo(ctx context.Context, cfg Config, options UndoOptions) (*Undo, error) {
	u, err := observeUndo(ctx, cfg, options)
	return u, explain(err)
}

func observeUndo(ctx context.Context, cfg Config, options UndoOptions) (*Undo, error) {
	cfg.Groups = nil
	p := newPlan(cfg)
	u := &Undo{plan: p, options: options}
	if err := p.observeCenter(ctx); err != nil {
		return nil, fmt.Errorf("read the center: %w", err)
	}
	if err := p.observeTenant(ctx); err != nil {
		return nil, fmt.Errorf("read the tenant: %w", err)
	}
	u.leaveOthers()
	u.leaveUnknown()
	if err := u.observeSource(ctx); err != nil {
		return nil, fmt.Errorf("read the center: %w", err)
	}
	if p.State.SCIM.TenantID != "" {
		var err error
		if u.tokens, err = p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID); err != nil {
			return nil, fmt.Errorf("read the center: %w", err)
		}
	}
	if err := u.compare(ctx); err != nil {
		return nil, fmt.Errorf("compare with the snapshot: %w", err)
	}
	if err := u.writerStep(); err != nil {
		return nil, err
	}
	left, err := p.leftOf(ctx, u.tokens)
	if err != nil {
		return nil, fmt.Errorf("read the center: %w", err)
	}
	u.steps(u.tokens, left)
	if file := p.firstSnapshot(); file != "" && options.Before == nil {
		u.Notes = append(u.Notes, "what was there before is in "+file+": with --snapshot, assignments that are lost "+
			"are given back")
	}
	return u, nil
}

// writerStep ends what writes to AWS's side in the tenant's place, before anything that it would
// write again is taken away.
func (u *Undo) writerStep() error {
	w := u.plan.cfg.Writer
	if w == nil {
		return nil
	}
	needed, byHand, err := w.Ending()
	if err != nil {
		return err
	}
	detail := "gatehouse sync writes nothing for it"
	if needed {
		detail = "end it: gatehouse sync writes nothing for it any more"
		u.Notes = append(u.Notes, byHand)
	}
	u.Steps = append(u.Steps, Step{Title: endTitle, Detail: detail, Done: !needed, do: w.End})
	return nil
}

// leaveOthers lets go of an application that has the name and is another center's: it does not have
// the identifier, and provisions elsewhere.
func (u *Undo) leaveOthers() {
	s := &u.plan.State
	elsewhere := s.Secrets[graph.KeyBaseAddress]
	if s.Principal.ID == "" || slices.Contains(s.Principal.ServicePrincipalNames, s.SP.EntityID) || elsewhere == "" ||
		sameEndpoint(elsewhere, s.SCIM.ScimEndpoint) {
		return
	}
	u.Notes = append(
		u.Notes, "“"+s.Principal.DisplayName+"” is not this center's, and stays as it is: it provisions "+elsewhere,
	)
	s.Principal, s.Application = graph.ServicePrincipal{}, graph.Application{}
	s.Job = graph.SynchronizationJob{}
}

// leaveUnknown lets go of an application of which nothing but its name says that it is the
// connection's: somebody may have made it for another center, and not set it up yet. The gallery
// proposes that name to everybody, also in the minutes in which a run asked for one without an
// answer.
func (u *Undo) leaveUnknown() {
	p := u.plan
	s := &p.State
	leave := func(sp graph.ServicePrincipal, when string) {
		u.Notes = append(u.Notes, fmt.Sprintf(
			"“%s” (%s%s) has neither this center's identifier nor its endpoint, so nobody can tell whether it is this "+
				"connection's: it stays as it is. If nobody needs it, delete it in Entra", sp.DisplayName, sp.ID, when,
		))
	}
	for _, x := range p.strange {
		leave(x.ServicePrincipal, madeOn(x.at)+"; an earlier run asked for one on "+clock(p.asked().At)+
			", and got no answer")
	}
	if s.Principal.ID == "" || p.isOurs(s.Principal) || p.pointsHere() || p.early {
		return
	}
	leave(s.Principal, madeOn(createdAt([]graph.Application{s.Application})))
	s.Principal, s.Application = graph.ServicePrincipal{}, graph.Application{}
	s.Job = graph.SynchronizationJob{}
}

// pointsHere says whether the tenant's job provisions this center.
func (u *Undo) pointsHere() bool {
	return u.plan.State.Job.ID != "" && u.plan.pointsHere()
}

// toDirectory says whether users will sign in with passwords of the center again. Automatic
// provisioning must be off then.
func (u *Undo) toDirectory() bool {
	return u.plan.Changes && !u.toOther(u.plan.State.Directory)
}

// toOther says whether there was another identity provider before the tenant. What was before the
// last change may be the tenant too, with an older certificate.
func (u *Undo) toOther(d adminapi.Directory) bool {
	_, undoes := u.plan.cfg.Center.(Undoer)
	return undoes && d.UndoUntil != nil && d.UndoTo == adminapi.SourceExternal &&
		d.UndoToEntityID != u.plan.State.Configuration.EntityID
}

// steps makes the steps out of what was observed.
func (u *Undo) steps(tokens []adminapi.BearerToken, left leftovers) {
	p, s := u.plan, u.plan.State
	add := func(needed bool, title, will, exists string, do func(context.Context) error) {
		detail := exists
		if needed {
			detail = will
		}
		u.Steps = append(u.Steps, Step{Title: title, Detail: detail, Done: !needed, do: do})
	}
	add(
		s.Job.ID != "" && p.running(), "Provisioning in the tenant", "stop the job, after the cycle that runs",
		"the job does not run", u.stopJob,
	)
	scim := u.pointsHere() && !p.Changes || s.SCIM.TenantID != "" && u.toDirectory()
	add(
		scim, "Automatic provisioning in the center",
		fmt.Sprintf("revoke %s and remove the endpoint", tokensText(tokens)), u.keptEndpoint(), u.disableProvisioning,
	)
	if p.Changes && !u.toDirectory() && u.pointsHere() {
		u.tokenStep(add, tokens, left)
	}
	to := "the built-in directory"
	if !u.toDirectory() {
		to = "the identity provider before"
	}
	if u.doubter == nil {
		add(p.Changes, sourceTitle, "change it from the tenant to "+to, "it is not the tenant", u.restoreSource)
	}
	if u.options.Before != nil {
		add(
			len(u.lost) > 0, "Assignments", fmt.Sprintf("give back %d that were there before", len(u.lost)),
			"all that were there before are there", u.giveBack,
		)
	}
	u.peopleSteps(add)
	add(
		s.Job.ID != "", "Provisioning job and saved credentials in the tenant", "remove them", "there are none",
		u.removeJob,
	)
	add(
		s.Principal.ID != "" && u.options.DeleteApplication, "Enterprise application",
		"delete “"+s.Principal.DisplayName+"”; the tenant can restore it for 30 days", u.keptApplication(),
		u.deleteApplication,
	)
}

// tokenStep revokes the job's token where the endpoint stays, and what runs have left. Which of two
// it is nobody can say unless runs remember.
func (u *Undo) tokenStep(
	add func(bool, string, string, string, func(context.Context) error), tokens []adminapi.BearerToken,
	left leftovers,
) {
	others := len(tokens) - len(left.unused) - len(left.either)
	if u.plan.State.Connected && (others == 1 && len(left.either) == 0 || others == 0 && len(tokens) > 0) {
		add(true, "Access token in the center", "revoke "+tokensText(tokens), "", func(ctx context.Context) error {
			for _, t := range tokens {
				if err := u.plan.deleteToken(ctx, t.TokenID); err != nil {
					return err
				}
			}
			return nil
		})
	} else if len(tokens) > 0 {
		u.Notes = append(u.Notes, "revoke the tenant's access token in the center; this run cannot tell which it is")
	}
}

func tokensText(tokens []adminapi.BearerToken) string {
	if len(tokens) == 0 {
		return "no access token"
	}
	texts := make([]string, len(tokens))
	for i, t := range tokens {
		texts[i] = "the access token last used " + stamp(t.LastUsedTime)
	}
	return strings.Join(texts, " and ")
}

func (u *Undo) keptEndpoint() string {
	switch {
	case u.plan.State.SCIM.TenantID == "":
		return "there is none"
	case u.pointsHere():
		return "it stays for the identity provider before"
	}
	return "it is not the tenant's, and stays"
}

func (u *Undo) keptApplication() string {
	if u.plan.State.Principal.ID == "" {
		return "there is none"
	}
	return "“" + u.plan.State.Principal.DisplayName + "” stays"
}

// Pending is how many steps are left.
func (u *Undo) Pending() int { return pending(u.Steps) }

// Apply does what the steps say, in order. confirmation must be the word ACCEPT.
func (u *Undo) Apply(ctx context.Context, confirmation string, report func(step int, done bool)) error {
	if confirmation != Confirmation {
		return fmt.Errorf("to take the connection back, confirm with %s", Confirmation)
	}
	if u.plan.Changes { // before anything is taken away
		if _, err := u.sameSource(ctx); err != nil {
			return err
		}
	}
	err := apply(ctx, u.Steps, report)
	if err != nil && u.plan.paused {
		return fmt.Errorf("%w\n%s this is done, or gatehouse connect repair turns it on again", err, isOff)
	}
	keeper, remembers := u.plan.cfg.Center.(SnapshotKeeper)
	if err != nil || !remembers {
		return err
	}
	return keeper.RememberSnapshot("") // the next connection has one of its own
}

// UndoOutput is what is to be undone, for programs: fields are added, never changed.
type UndoOutput struct {
	Steps []StepOutput `json:"steps"`
	Notes []string     `json:"notes"`
	// DeleteUsers and DeleteGroups are the names of what is deleted, Staying of what is new and
	// stays because nothing says that provisioning made it.
	DeleteUsers  []string `json:"delete_users,omitempty"`
	DeleteGroups []string `json:"delete_groups,omitempty"`
	Staying      []string `json:"staying,omitempty"`
}

// Describe says which steps there are, and which are done.
func (u *Undo) Describe() UndoOutput {
	out := UndoOutput{Steps: []StepOutput{}, Notes: append([]string{}, u.Notes...)}
	for _, s := range u.Steps {
		out.Steps = append(out.Steps, StepOutput{s.Title, s.Detail, s.Done})
	}
	if u.options.DeleteProvisioned {
		out.DeleteUsers, out.DeleteGroups = u.newNames()
		out.Staying = u.staying
	}
	return out
}
