package connect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
)

// Rotation is what is to be done to replace a secret before it ends. The old one is good until the
// new one is proved. Runs remember nothing: the next one completes one that was interrupted.
type Rotation struct {
	Steps []Step
	Notes []string
	// Ends is when the one in use ends.
	Ends Expiry

	plan *Plan
	// when is how long before its end it is replaced; zero: now.
	when time.Duration
}

// Pending is how many steps are left.
func (r *Rotation) Pending() int { return pending(r.Steps) }

// Apply does what the steps say, in order.
func (r *Rotation) Apply(ctx context.Context, report func(step int, done bool)) error {
	return apply(ctx, r.Steps, report)
}

// Print shows it to a person.
func (r *Rotation) Print(out io.Writer) {
	if !r.Ends.At.IsZero() {
		days := int(r.Ends.At.Sub(r.plan.cfg.Now()).Hours() / 24)
		end := r.Ends.At.UTC().Format(time.DateOnly)
		fmt.Fprint(out, names.Counted("%s ends on %s, in %d {day|days}.\n", oneLine(r.Ends.What), end, days))
	}
	printSteps(out, r.Steps, "+")
	for _, note := range r.Notes {
		fmt.Fprintf(out, "Note: %s.\n", oneLine(note))
	}
}

// StepPrinter tells a person of each step that is done.
func (r *Rotation) StepPrinter(out io.Writer) func(step int, done bool) {
	return stepPrinter(out, r.Steps)
}

// Describe says which steps there are, for programs.
func (r *Rotation) Describe() RotationOutput {
	out := RotationOutput{Ends: r.Ends, Steps: []StepOutput{}, Notes: append([]string{}, r.Notes...)}
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, StepOutput{s.Title, s.Detail, s.Done})
	}
	return out
}

// RotationOutput is a rotation, for programs: fields are added, never changed.
type RotationOutput struct {
	Ends  Expiry       `json:"ends"`
	Steps []StepOutput `json:"steps"`
	Notes []string     `json:"notes"`
}

// due says whether something that ends then is to be replaced now.
func (r *Rotation) due(end time.Time) bool {
	return r.when == 0 || !end.IsZero() && end.Before(r.plan.cfg.Now().Add(r.when))
}

func (r *Rotation) add(title, detail string, do func(context.Context) error) {
	r.Steps = append(r.Steps, Step{Title: title, Detail: detail, do: do})
}

// tokenRotation replaces the access token of the job.
type tokenRotation struct {
	*Rotation

	current adminapi.BearerToken
	made    adminapi.BearerToken
}

// ObserveTokenRotation says what is to be done to replace the SCIM access token that the tenant's
// job has, if it ends within when; zero: whenever it ends.
func ObserveTokenRotation(ctx context.Context, cfg Config, when time.Duration) (*Rotation, error) {
	before, err := tokensOf(ctx, cfg.Center) // what follows uses the job's
	if err != nil {
		return nil, err
	}
	p, err := observeConnected(ctx, cfg)
	if err != nil {
		return nil, err
	}
	t := &tokenRotation{Rotation: &Rotation{plan: p, when: when}}
	if !p.State.Connected {
		return nil, errors.New(
			"the tenant's saved endpoint and token do not pass Test Connection: run gatehouse connect repair, which " +
				"makes a new token",
		)
	}
	if len(before) == 0 { // a side that learns of its endpoint from the tenant
		if before, err = tokensOf(ctx, p.cfg.Center); err != nil {
			return nil, err
		}
	}
	if len(before) == 0 {
		return nil, errors.New("the center does not tell which access tokens there are: run gatehouse connect")
	}
	finished, err := t.sort(ctx, before)
	if err != nil {
		return nil, err
	}
	t.Ends = Expiry{"The SCIM access token " + t.current.TokenID, t.current.ExpirationTime}
	if finished || !t.due(t.current.ExpirationTime) {
		return t.Rotation, nil
	}
	t.add("New access token", "make one, test it, and save it in the tenant", t.replace)
	t.add("Proof", "the tenant's job reaches the center with the new token", t.prove)
	old := "revoke the one that was made on " + clock(t.current.CreationTime) + ", after the cycle that runs"
	t.add("Old access token", old, func(ctx context.Context) error {
		return t.revoke(ctx, t.current)
	})
	return t.Rotation, nil
}

// tokensOf lists the access tokens of the center's endpoint.
func tokensOf(ctx context.Context, center Center) ([]adminapi.BearerToken, error) {
	tenants, err := center.Tenants(ctx)
	if err != nil || len(tenants) == 0 {
		return nil, err
	}
	return center.BearerTokens(ctx, tenants[0].TenantID)
}

// sort finds out which token is the job's, and whether another one is left of a run that was
// interrupted: finished says that only its last step was missing.
func (t *tokenRotation) sort(ctx context.Context, tokens []adminapi.BearerToken) (finished bool, err error) {
	t.current = tokens[0]
	if len(tokens) == 1 {
		return false, nil
	}
	if _, remembers := t.plan.cfg.Center.(TokenKeeper); remembers {
		return t.sortKept(tokens[1]), nil
	}
	left, err := t.plan.leftOf(ctx, tokens)
	if err != nil {
		return false, err
	}
	if len(tokens) == maxTokens && len(left.unused) == 1 {
		return t.sortLeft(tokens, left.unused[0]), nil
	}
	other, err := t.whose(ctx, tokens)
	if err != nil {
		return false, err
	}
	if slices.Contains(left.either, other.TokenID) {
		return t.sortLeft(tokens, other.TokenID), nil
	}
	own, err := t.plan.own(ctx, other.TokenID)
	if err != nil {
		return false, err
	}
	switch {
	case own && (other.LastUsedTime == nil || unsaved(other, t.current)):
		t.add(leftTitle, "revoke the one that an interrupted run made and never saved",
			func(ctx context.Context) error { return t.revoke(ctx, other) })
		return false, nil
	case replaced(other, t.current):
		t.add("Old access token", "revoke the one that an interrupted run has replaced",
			func(ctx context.Context) error { return t.revoke(ctx, other) })
		return true, nil
	case other.LastUsedTime == nil:
		return false, fmt.Errorf(
			"the center has two access tokens, and nobody has used %s, which was made on %s: somebody may be about "+
				"to. If not, delete it (gatehouse scim-tokens delete)", other.TokenID, clock(other.CreationTime),
		)
	}
	return false, fmt.Errorf(
		"the center has two access tokens, and another client uses %s: delete it (gatehouse scim-tokens delete), or "+
			"let that client share the tenant's", other.TokenID,
	)
}

// sortLeft is sort where runs remember which of two tokens is left.
func (t *tokenRotation) sortLeft(tokens []adminapi.BearerToken, left string) (finished bool) {
	t.current = tokens[0]
	other := tokens[1]
	if t.current.TokenID == left {
		t.current, other = other, t.current
	}
	t.add(leftTitle, "revoke what an interrupted run made or replaced, and the tenant does not use",
		func(ctx context.Context) error { return t.revoke(ctx, other) })
	return other.CreationTime.Before(t.current.CreationTime)
}

// sortKept is sort where the side remembers which token the tenant has.
func (t *tokenRotation) sortKept(other adminapi.BearerToken) (finished bool) {
	title := "Old access token"
	if finished = !other.CreationTime.After(t.current.CreationTime); !finished {
		title = leftTitle
	}
	t.add(title, "delete the one "+other.TokenID, func(ctx context.Context) error { return t.deleteLeft(ctx, other) })
	return finished
}

// deleteLeft deletes a token that the tenant does not have, as far as runs remember. It may have it
// all the same: an answer was lost, or somebody gave it back. That shows when it is deleted, and
// the tenant gets another at once. So it does where the one that it has does not work before.
func (t *tokenRotation) deleteLeft(ctx context.Context, left adminapi.BearerToken) error {
	err := t.prove(ctx)
	if err != nil && !refusesToken(err) { // such as a tenant that cannot reach AWS just now
		return err
	}
	if err == nil {
		if err := t.revoke(ctx, left); err != nil {
			return err
		}
		err = t.prove(ctx)
	}
	if !graph.BadRequest(err) {
		return err
	}
	if err := t.replace(ctx); err != nil {
		return err
	}
	if err := t.prove(ctx); err != nil {
		return err
	}
	return t.revoke(ctx, t.current)
}

// Signs of an interrupted run.
const (
	// provedWithin is how long after its making a token is tested by the run that made it.
	provedWithin = 10 * time.Minute //bound:none tells a token that was made and only tested
	// inUseUntil is how long before it was replaced a job's token was used: Entra's cycles begin
	// every 40 minutes.
	inUseUntil = 2 * time.Hour //bound:none tells a token that was replaced from one of another client
)

// unsaved says whether a token was only tested by the run that made it.
func unsaved(other, current adminapi.BearerToken) bool {
	return other.CreationTime.After(current.CreationTime) &&
		other.LastUsedTime.Before(other.CreationTime.Add(provedWithin))
}

// replaced says whether a token was in use until another took its place, and no longer.
func replaced(other, current adminapi.BearerToken) bool {
	return other.CreationTime.Before(current.CreationTime) &&
		other.LastUsedTime.After(current.CreationTime.Add(-inUseUntil)) &&
		other.LastUsedTime.Before(current.CreationTime.Add(provedWithin))
}

// patience is how long it may take to see which of two tokens the job uses. The center records
// uses once a minute.
const patience = 3 * time.Minute //bound:wait which of two tokens the tenant's job uses

// probeEach is how many looks at a job's state go by between two requests with the saved token.
const probeEach = 20 //bound:none how often, not how much

// whose has the tenant use its saved token until the center has recorded which one that is, and
// returns the other. tokens are as they were before the tenant was asked.
func (t *tokenRotation) whose(ctx context.Context, tokens []adminapi.BearerToken) (adminapi.BearerToken, error) {
	used := func(x adminapi.BearerToken) time.Time {
		if x.LastUsedTime == nil {
			return time.Time{}
		}
		return *x.LastUsedTime
	}
	for deadline := time.Now().Add(patience); ; {
		now, err := t.plan.cfg.Center.BearerTokens(ctx, t.plan.State.SCIM.TenantID)
		if err != nil {
			return adminapi.BearerToken{}, err
		}
		if len(now) != len(tokens) {
			return adminapi.BearerToken{}, errors.New("the access tokens changed meanwhile: run this again")
		}
		if len(now) != 2 {
			return adminapi.BearerToken{}, fmt.Errorf("the center has %d access tokens: delete one", len(now))
		}
		first, second := used(now[0]).After(used(tokens[0])), used(now[1]).After(used(tokens[1]))
		if now[0].LastUsedTime == nil || now[1].LastUsedTime == nil { // the job's has been used
			first, second = now[0].LastUsedTime != nil, now[1].LastUsedTime != nil
		}
		switch {
		case first && !second:
			t.current = now[0]
			return now[1], nil
		case second && !first:
			t.current = now[1]
			return now[0], nil
		}
		if time.Now().After(deadline) {
			return adminapi.BearerToken{}, errors.New(
				"the center has two access tokens, and both are in use: delete the one that is not the tenant's",
			)
		}
		for range probeEach {
			if err := t.plan.pause(ctx); err != nil {
				return adminapi.BearerToken{}, err
			}
		}
		if err := t.prove(ctx); err != nil {
			return adminapi.BearerToken{}, err
		}
	}
}

func (t *tokenRotation) job(path string) string {
	return t.plan.sync("/jobs/" + t.plan.State.Job.ID + path)
}

// replace saves a new token that has passed Test Connection.
func (t *tokenRotation) replace(ctx context.Context) (err error) {
	p := t.plan
	if err := p.writesHere(ctx); err != nil {
		return err
	}
	before, err := p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID)
	if err != nil {
		return err
	}
	var made madeToken
	if t.made, made, err = p.makeToken(ctx, t.current.Profile, t.current.TokenID, before); err != nil {
		return err
	}
	credentials := []graph.KeyValue{
		{Key: graph.KeyBaseAddress, Value: p.address()},
		{Key: graph.KeySecretToken, Value: t.made.Value},
	}
	in := graph.ValidateCredentials{Credentials: credentials}
	if err := p.cfg.Graph.Do(ctx, http.MethodPost, t.job("/validateCredentials"), in, nil); err != nil {
		p.discard(ctx, t.made)
		return fmt.Errorf("test the new token: %w", err)
	}
	if err := p.writesHere(ctx); err != nil { // a person may have taken hours for the token
		p.discard(ctx, t.made)
		return err
	}
	if err := p.putToken(ctx, t.made, made, p.withSaved(credentials)); err != nil {
		return err
	}
	return p.tokenSaved(true)
}

// prove has the tenant send a request with the token that it has saved.
func (t *tokenRotation) prove(ctx context.Context) error {
	in := graph.ValidateCredentials{UseSavedCredentials: true}
	if err := t.plan.cfg.Graph.Do(ctx, http.MethodPost, t.job("/validateCredentials"), in, nil); err != nil {
		return fmt.Errorf("test the saved token: %w", err)
	}
	return nil
}

// revoke ends a token once no cycle runs that began with it.
func (t *tokenRotation) revoke(ctx context.Context, token adminapi.BearerToken) error {
	for {
		var j graph.SynchronizationJob
		if err := t.plan.cfg.Graph.Do(ctx, http.MethodGet, t.job(""), nil, &j); err != nil {
			return err
		}
		if j.Status == nil || len(j.Status.Progress) == 0 {
			return t.plan.deleteToken(ctx, token.TokenID)
		}
		if err := t.plan.pause(ctx); err != nil {
			return err
		}
	}
}
