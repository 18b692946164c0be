package connect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
)

// Journal is what a run left behind: after each of its steps, what both ends have then. It names no
// address of the two ends, so that a run on a copy can be compared with one on the original.
type Journal struct {
	Version  int           `json:"version"`
	Made     time.Time     `json:"made"`
	Instance string        `json:"instance_arn"`
	Tenant   string        `json:"tenant"` // its id
	Steps    []JournalStep `json:"steps"`
	Proof    *JournalProof `json:"proof,omitempty"`
}

// JournalStep is what there is after a step.
type JournalStep struct {
	Title   string            `json:"title"`
	Seconds float64           `json:"seconds"`
	Left    map[string]string `json:"left"`
}

// JournalProof is what the first cycle brought.
type JournalProof struct {
	Users    int       `json:"users"`
	Groups   int       `json:"groups"`
	Failures []Failure `json:"failures,omitempty"`
}

// journalVersion changes when what is left behind is told otherwise.
const journalVersion = 1

// ErrOtherwise says that a step, or the proof, went otherwise than it was rehearsed.
var ErrOtherwise = errors.New("this is not what the rehearsal left")

// journal is the beginning of the plan's own.
func (p *Plan) journal() Journal {
	return Journal{
		Version: journalVersion, Made: p.cfg.Now().UTC().Truncate(time.Second),
		Instance: p.State.Directory.InstanceArn, Tenant: lastPart(p.cfg.LoginURL),
	}
}

// Replay compares the run with a rehearsal, and keeps a journal of its own.
type Replay struct {
	// Rehearsed is the journal to compare with; nil: none.
	Rehearsed *Journal
	// Keep is called with the plan's own journal after each step; nil: nobody is.
	Keep func(Journal) error

	own Journal
}

// begin says whether the plan may be run after the rehearsal at all.
func (r *Replay) begin(p *Plan) error {
	r.own = p.journal()
	if r.Rehearsed == nil {
		return nil
	}
	switch {
	case r.Rehearsed.Version != journalVersion:
		return fmt.Errorf("the rehearsal was made by another version of this program (%d): rehearse again",
			r.Rehearsed.Version)
	case r.Rehearsed.Instance != r.own.Instance || r.Rehearsed.Tenant != r.own.Tenant:
		return fmt.Errorf("%w: it was of the instance %s and the tenant %s, and this is %s and %s", ErrOtherwise,
			r.Rehearsed.Instance, r.Rehearsed.Tenant, r.own.Instance, r.own.Tenant)
	}
	for _, s := range p.Steps {
		// what a run left that was interrupted here could not be rehearsed
		if _, rehearsed := r.Rehearsed.step(s.Title); !s.Done && !rehearsed && s.Title != leftTitle {
			return fmt.Errorf("%w: it had no step “%s”. Rehearse again", ErrOtherwise, s.Title)
		}
	}
	return nil
}

func (j *Journal) step(title string) (JournalStep, bool) {
	i := slices.IndexFunc(j.Steps, func(s JournalStep) bool { return s.Title == title })
	if i < 0 {
		return JournalStep{}, false
	}
	return j.Steps[i], true
}

// Continue puts the steps of an earlier journal of the same pair before its own: a run that was
// interrupted has some of them.
func (j *Journal) Continue(earlier Journal) {
	if earlier.Version != j.Version || earlier.Instance != j.Instance || earlier.Tenant != j.Tenant {
		return
	}
	var before []JournalStep
	for _, s := range earlier.Steps {
		if _, again := j.step(s.Title); !again {
			before = append(before, s)
		}
	}
	j.Steps = append(before, j.Steps...)
}

// after notes what there is after a step, and compares it with the rehearsal. A directory takes a
// while to know everywhere what was just made, so what differs is looked at again.
func (r *Replay) after(ctx context.Context, p *Plan, title string, took time.Duration) error {
	for deadline := time.Now().Add(p.cfg.Settle); ; {
		left, err := p.left(ctx)
		if err != nil {
			return fmt.Errorf("read what the step left: %w", err)
		}
		var different []string
		if r.Rehearsed != nil {
			step, _ := r.Rehearsed.step(title)
			different = differences(step.Left, left)
		}
		if len(different) > 0 && time.Now().Before(deadline) {
			if err := p.pause(ctx); err != nil {
				return err
			}
			continue
		}
		r.own.Steps = append(r.own.Steps, JournalStep{title, took.Seconds(), left})
		if r.Keep != nil {
			if err := r.Keep(r.own); err != nil {
				return err
			}
		}
		if len(different) > 0 {
			return fmt.Errorf("%w: %s. The step is done, and no other was begun", ErrOtherwise,
				strings.Join(different, "; "))
		}
		return nil
	}
}

// differences are between what both tell. What one of them does not tell is none.
func differences(rehearsed, now map[string]string) (texts []string) {
	for _, what := range slices.Sorted(maps.Keys(rehearsed)) {
		if is, told := now[what]; told && is != rehearsed[what] {
			texts = append(texts, fmt.Sprintf("%s is %q, and was %q", what, is, rehearsed[what]))
		}
	}
	return texts
}

// Proved notes what the first cycle brought, and compares it with the rehearsal.
func (r *Replay) Proved(result Result) error {
	proof := JournalProof{result.Users, result.Groups, result.Failures}
	r.own.Proof = &proof
	if r.Keep != nil {
		if err := r.Keep(r.own); err != nil {
			return err
		}
	}
	if r.Rehearsed == nil || r.Rehearsed.Proof == nil {
		return nil
	}
	was := *r.Rehearsed.Proof
	var different []string
	if was.Users != proof.Users || was.Groups != proof.Groups {
		different = append(different, names.Counted("%d {user|users} and %d {group|groups} were provisioned, and "+
			"in the rehearsal %d and %d", proof.Users, proof.Groups, was.Users, was.Groups))
	}
	if more := without(proof.Failures, was.Failures); len(more) > 0 {
		different = append(different, "these failed, and did not in the rehearsal: "+someOf(more))
	}
	if fewer := without(was.Failures, proof.Failures); len(fewer) > 0 {
		different = append(different, "these failed in the rehearsal, and did not now: "+someOf(fewer))
	}
	if len(different) > 0 {
		return fmt.Errorf("%w: %s", ErrOtherwise, strings.Join(different, "; "))
	}
	return nil
}

func without(list, others []Failure) (names []string) {
	for _, f := range list {
		if !slices.ContainsFunc(others, func(o Failure) bool { return o.Name == f.Name }) {
			names = append(names, f.Name)
		}
	}
	return names
}

// left is what both ends have now, without their addresses.
func (p *Plan) left(ctx context.Context) (map[string]string, error) {
	out := map[string]string{}
	d, err := p.cfg.Center.DescribeDirectory(ctx)
	if err != nil {
		return nil, err
	}
	tenants, err := p.cfg.Center.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	if d.IdentitySource != "" { // AWS's side does not tell everything
		out["the identity source"] = d.IdentitySource
	}
	if _, learns := p.cfg.Center.(Learner); !learns || len(tenants) > 0 {
		out["automatic provisioning"] = onOff(len(tenants) > 0)
	}
	if p.State.Principal.ID == "" {
		return out, nil
	}
	if err := p.leftAtApplication(ctx, out); err != nil {
		return nil, err
	}
	return out, p.leftOfJob(ctx, out)
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (p *Plan) leftAtApplication(ctx context.Context, out map[string]string) error {
	var sp graph.ServicePrincipal
	at := "/servicePrincipals/" + p.State.Principal.ID
	if err := p.graph(ctx, http.MethodGet, at, nil, &sp); err != nil {
		return err
	}
	var app graph.Application
	if err := p.graph(ctx, http.MethodGet, "/applications/"+p.State.Application.ID, nil, &app); err != nil {
		return err
	}
	assigned, err := graph.All[graph.AppRoleAssignment](ctx, p.cfg.Graph, at+"/appRoleAssignedTo?$top=999")
	if err != nil {
		return err
	}
	out["the application's name"] = sp.DisplayName
	out["the application"] = onOff(sp.AccountEnabled == nil || *sp.AccountEnabled)
	out["single sign-on"] = text(sp.PreferredSingleSignOnMode)
	out["the identifier"] = instead("the center's", app.IdentifierURIs, []string{p.State.SP.EntityID})
	out["the sign-on URL"] = text(sp.LoginURL)
	if p.leadsHere(sp.LoginURL) {
		out["the sign-on URL"] = "the portal's"
	}
	if app.Web != nil && len(p.State.SP.AcsURLs) > 0 {
		out["the reply URLs"] = strings.Join(app.Web.RedirectURIs, ", ")
		if p.repliesHere(app.Web) {
			out["the reply URLs"] = "the center's"
		}
	}
	out["an active signing certificate"] = onOff(sp.PreferredTokenSigningKeyThumbprint != nil)
	var names, ids []string
	for _, a := range assigned {
		names, ids = append(names, a.PrincipalDisplayName), append(ids, a.PrincipalID)
	}
	slices.Sort(names)
	slices.Sort(ids)
	sum := sha256.Sum256([]byte(strings.Join(ids, "\n")))
	out["who is assigned"] = fmt.Sprintf("%d (%s) %s", len(ids), hex.EncodeToString(sum[:4]), someOf(names))
	return nil
}

func (p *Plan) leftOfJob(ctx context.Context, out map[string]string) error {
	jobs, err := graph.All[graph.SynchronizationJob](ctx, p.cfg.Graph, p.sync("/jobs"))
	if err != nil {
		return err
	}
	out["provisioning jobs"] = strconv.Itoa(len(jobs))
	for _, j := range jobs {
		out["the job's template"] = j.TemplateID
		if j.Schedule != nil {
			out["the job"] = j.Schedule.State
		}
	}
	if len(jobs) == 0 {
		return nil
	}
	var secrets graph.Secrets
	if err := p.graph(ctx, http.MethodGet, p.sync("/secrets"), nil, &secrets); err != nil {
		return err
	}
	for _, kv := range secrets.Value {
		switch kv.Key {
		case graph.KeyBaseAddress:
			out["the job's address"] = kv.Value
			if sameEndpoint(kv.Value, p.State.SCIM.ScimEndpoint) {
				out["the job's address"] = "the center's"
			}
		case graph.KeySyncAll:
			out["the job's scope"] = map[bool]string{true: "all", false: "assigned"}[kv.Value == "true"]
		case graph.KeyNotification:
			out["notifications"] = kv.Value
		}
	}
	return nil
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// instead is a word for addresses that are those of one end, which a copy has otherwise.
func instead(word string, list, own []string) string {
	if slices.Equal(list, own) {
		return word
	}
	return strings.Join(list, ", ")
}

// lastPart is a tenant's id in its sign-in URL.
func lastPart(address string) string {
	address = strings.TrimRight(address, "/")
	return strings.ToLower(address[strings.LastIndexByte(address, '/')+1:])
}
