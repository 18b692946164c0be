package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/names"
)

// Condition is how a connection, or a part of it, stands.
type Condition string

// The conditions, the worst last.
const (
	Converged Condition = "converged" // both sides are as they should be
	Drifted   Condition = "drifted"   // it works, and something is not as it should be
	Broken    Condition = "broken"    // people cannot sign in, or changes do not arrive
	Unknown   Condition = "unknown"   // too little may be read to say; nothing that may be is wrong
)

// Finding is something that is not as it should be.
type Finding struct {
	Part      string    `json:"part"`
	Condition Condition `json:"condition"`
	Detail    string    `json:"detail"` // what differs, or why it does not work
	Next      string    `json:"next"`   // what to do
}

// Health is how a connection stands, for programs: fields are added, never changed.
type Health struct {
	Condition Condition   `json:"condition"`
	Findings  []Finding   `json:"findings"`
	Expires   []Expiry    `json:"expires"`
	Jobs      []JobStatus `json:"jobs"`
	// Unread is what could not be looked at.
	Unread []Unread `json:"unread,omitempty"`
}

// ObserveHealth looks at both ends and says what of a connection is not as it should be. It changes
// nothing.
func ObserveHealth(ctx context.Context, cfg Config) (Health, error) {
	h := Health{Condition: Converged, Findings: []Finding{}, Expires: []Expiry{}, Jobs: []JobStatus{}}
	cfg.looking = true
	p, err := observeConnected(ctx, cfg)
	if errors.Is(err, ErrNotConnected) {
		h.find("Connection", Broken, err.Error(), "nothing, if that was meant; gatehouse connect connects it again")
		return h, nil
	}
	if err != nil {
		return h, err
	}
	if h.Unread = p.unread; p.tooLittle() || p.hidden(partSaved) {
		h.Condition = Unknown
	}
	for _, s := range p.Steps {
		if s.Done || !p.known(s) {
			continue
		}
		condition := Broken
		if p.unproved(s) {
			condition = Drifted // it may well work
		}
		if slices.Contains([]string{"Assigned groups", "Provisioning status", writerTitle, leftTitle}, s.Title) {
			condition = Drifted
		}
		detail, next := p.why(s), "gatehouse connect repair will "+s.Detail
		if s.Title == "Identity source" {
			if who := p.changedBy(ctx); who != "" { // perhaps on purpose
				detail, next = detail+"; "+who, "nothing, if that was meant; "+next
			}
		}
		h.find(s.Title, condition, detail, next)
	}
	h.unseen(ctx, p)
	if p.State.Job.ID != "" {
		h.job(jobStatus(p.State.Principal.DisplayName, p.State.Job))
	}
	if h.Expires, err = p.expiries(ctx); err != nil {
		return h, err
	}
	if err := h.untested(ctx, p); err != nil {
		return h, err
	}
	for _, e := range h.Expires {
		if !e.At.IsZero() && e.At.Before(p.cfg.Now()) {
			h.find(e.What, Broken, "it expired on "+e.At.UTC().Format(time.DateOnly), "gatehouse rotate replaces it")
		}
	}
	return h, nil
}

// unseen says where nobody has signed in since the identity source was changed, at a side that does
// not tell what it is. Who may not read the tenant's log is told nothing.
func (h *Health) unseen(ctx context.Context, p *Plan) {
	side, doubts := p.cfg.Center.(interface{ Unproved() time.Time })
	if !doubts || side.Unproved().IsZero() {
		return
	}
	since := side.Unproved()
	if seen, err := p.SignIns(ctx, since); err != nil || seen.Succeeded > 0 {
		return
	}
	h.find(
		"Identity source", Drifted, "it was changed on "+clock(since)+", and the tenant's log has no sign-in since: "+
			"only that proves that AWS sends people to the tenant", "sign in once at "+p.State.Directory.PortalURL+
			". If AWS leads elsewhere than to the tenant, change the identity source in its console, or run gatehouse "+
			"connect undo and connect it again",
	)
}

// ErrNotConnected says that there is nothing that could be mended.
var ErrNotConnected = errors.New("it is not connected")

// observeConnected is observeKept for what is not about people.
func observeConnected(ctx context.Context, cfg Config) (*Plan, error) {
	cfg.Discover = nil
	return observeKept(ctx, cfg)
}

// observeKept is Observe of what was connected once, with the settings that it has.
func observeKept(ctx context.Context, cfg Config) (*Plan, error) {
	cfg.Groups = nil
	cfg.KeepSettings = true
	if side, remembers := cfg.Center.(interface{ TakenBack() time.Time }); remembers && !side.TakenBack().IsZero() {
		return nil, fmt.Errorf(
			"%w: gatehouse connect undo took it back on %s", ErrNotConnected,
			side.TakenBack().Format("2006-01-02 15:04 UTC"),
		)
	}
	p, err := Observe(ctx, cfg)
	switch {
	case err != nil:
		return p, err
	case p.State.Principal.ID == "" && !p.hidden(partApplication):
		return nil, fmt.Errorf("%w: the tenant has no application of this center", ErrNotConnected)
	}
	left, err := p.leftAlone(ctx)
	if err == nil && left {
		err = fmt.Errorf("%w: %s", ErrNotConnected, p.leftBecause(ctx))
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// leftAlone says whether an application is all that there is of a connection, as it is after undo:
// nothing provisions, and a center that tells says that its people do not sign in at the tenant.
func (p *Plan) leftAlone(ctx context.Context) (bool, error) {
	if p.State.Job.ID != "" || p.pointsHere() || p.cfg.Writer != nil || p.tooLittle() {
		return false, nil
	}
	switch p.State.Directory.IdentitySource {
	case adminapi.SourceDirectory:
		return true, nil
	case adminapi.SourceExternal:
		_, ours, err := p.source(ctx)
		return !ours, err
	}
	return false, nil
}

// searcher is a side with an audit log.
type searcher interface {
	LookupEvents(context.Context, adminapi.SearchEvents, func(adminapi.Event) bool) error
}

// leftBecause says since when a center's people sign in elsewhere, and who changed that.
func (p *Plan) leftBecause(ctx context.Context) string {
	text := "“" + p.State.Principal.DisplayName + "” has no provisioning job, and the identity source is " +
		p.sourceName()
	if who := p.changedBy(ctx); who != "" {
		return who + ": " + text
	}
	return text
}

// changedBy says who has taken a center's identity source back, and when; it is empty where nobody
// has, or nobody tells.
func (p *Plan) changedBy(ctx context.Context) string {
	log, keeps := p.cfg.Center.(searcher)
	if !keeps {
		return ""
	}
	var last adminapi.Event
	for _, name := range []string{"DisableExternalIdPConfigurationForDirectory", "UndoIdentitySourceChange"} {
		err := log.LookupEvents(ctx, adminapi.SearchEvents{EventName: name, Result: "Granted", MaxResults: 1},
			func(e adminapi.Event) bool {
				if e.EventTime.After(last.EventTime) {
					last = e
				}
				return false
			})
		if err != nil {
			return "" // who may not read the log learns the rest
		}
	}
	if last.EventTime.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s took it back on %s", cmp.Or(last.ActorName, "somebody"),
		last.EventTime.UTC().Format("2006-01-02 15:04 UTC"))
}

// unproved says whether a step is of what AWS does not tell, and no run has proved.
func (p *Plan) unproved(s Step) bool {
	return p.State.Directory.IdentitySource == "" &&
		slices.Contains([]string{"Identity provider metadata in the center", "Identity source"}, s.Title)
}

// why says what is the matter where a step is not done.
func (p *Plan) why(s Step) string {
	if p.unproved(s) {
		return "AWS does not tell, and no run on this machine has proved it"
	}
	switch s.Title {
	case writerTitle:
		return p.writing.String()
	case leftTitle:
		return "a run that ended early has left one that the tenant does not use"
	case "SAML settings in the tenant":
		return p.samlDifference()
	case "Identity provider metadata in the center":
		return "the center does not trust the certificate that the tenant signs with"
	case "Identity source":
		return "users do not sign in at the tenant: the center's identity source is " + p.sourceName()
	case partSaved:
		if p.State.Job.ID != "" && !p.State.Connected {
			return "the tenant's saved endpoint and token do not pass Test Connection"
		}
	case "Provisioning status":
		if p.State.Connected {
			return "provisioning is off"
		}
		return "provisioning is off, or has no credentials that work"
	}
	return "it is missing"
}

// samlDifference says how the application's settings differ from the center's.
func (p *Plan) samlDifference() string {
	var list []string
	compare := func(what string, is, want []string) {
		if !slices.Equal(is, want) {
			list = append(list, fmt.Sprintf("%s is %q instead of %q", what, is, want))
		}
	}
	sp := p.State.Principal
	if sp.PreferredSingleSignOnMode == nil || *sp.PreferredSingleSignOnMode != "saml" {
		list = append(list, "the application is not in SAML mode")
	}
	compare("the identifier", p.State.Application.IdentifierURIs, []string{p.State.SP.EntityID})
	if w := p.State.Application.Web; w != nil && !p.repliesHere(w) {
		compare("the reply URL", w.RedirectURIs, p.State.SP.AcsURLs)
	}
	if !p.leadsHere(sp.LoginURL) {
		compare("the sign-on URL", []string{text(sp.LoginURL)}, []string{p.State.SP.SignInURL})
	}
	return strings.Join(list, "; ")
}

// job adds what a provisioning job says of itself.
func (h *Health) job(j JobStatus) {
	h.Jobs = append(h.Jobs, j)
	const part = "Provisioning"
	switch {
	case j.Quarantine != "":
		h.find(part, Broken, "in quarantine: "+j.Quarantine, "gatehouse connect repair")
	case j.Failing > 0:
		objects := "objects"
		if j.Failing == 1 {
			objects = "object"
		}
		h.find(part, Drifted, fmt.Sprintf("%d %s cannot be provisioned", j.Failing, objects),
			"see the tenant's provisioning logs for each, or gatehouse explain USER")
	case j.InStep != nil && !*j.InStep:
		h.find(part, Drifted, names.Counted("%d {change has|changes have} not arrived", j.Pending+j.Uncertain),
			"wait for the next cycle")
	}
}

func (h *Health) find(part string, condition Condition, detail, next string) {
	h.Findings = append(h.Findings, Finding{part, condition, detail, next})
	if condition == Broken || h.Condition == Converged || h.Condition == Unknown {
		h.Condition = condition
	}
}

// Print shows it to a person.
func (h Health) Print(out io.Writer) {
	switch {
	case h.Condition != Unknown:
		fmt.Fprintf(out, "The connection is %s.\n", h.Condition)
	case h.onlyUntested():
		fmt.Fprintln(out, "What may be read of the connection is as it should be. Whether changes arrive is not known.")
	default:
		fmt.Fprintln(out, "Too little of the connection may be read to say how it stands.")
	}
	for _, f := range h.Findings {
		fmt.Fprintf(
			out, " ! %s (%s): %s\n     next: %s\n", oneLine(f.Part), f.Condition, oneLine(f.Detail), oneLine(f.Next),
		)
	}
	for _, u := range h.Unread {
		fmt.Fprintf(
			out, " ? %s: %s; it needs the permission %s\n", oneLine(u.Part), oneLine(u.Detail), oneLine(u.Permission),
		)
	}
	for _, j := range h.Jobs {
		for _, line := range j.Lines() {
			fmt.Fprintln(out, oneLine(line))
		}
	}
	for _, e := range h.Expires {
		fmt.Fprintf(out, "%s ends on %s.\n", oneLine(e.What), e.At.UTC().Format(time.DateOnly))
	}
}

// ObserveRepair is the plan that brings a connection back to what it should be. It changes neither
// the job's scope nor its notifications, and makes no second application. Where it changes the
// identity source, it says and keeps what Observe does. It fails with ErrNotConnected.
func ObserveRepair(ctx context.Context, cfg Config) (*Plan, error) {
	p, err := observeConnected(ctx, cfg)
	if err == nil && p.Changes && cfg.Discover != nil {
		p, err = observeKept(ctx, cfg)
	}
	if err != nil {
		return nil, err
	}
	p.cfg.Discover = cfg.Discover // for Verify
	if status := p.State.Job.Status; status != nil && status.Quarantine != nil {
		p.Steps = append(p.Steps, Step{
			Title:  "Quarantine",
			Detail: "end it, and let the job go on (" + status.Quarantine.Reason + ")",
			do:     p.release,
		})
	}
	return p, nil
}

// release ends a job's quarantine and has it go on.
func (p *Plan) release(ctx context.Context) error {
	if x := p.State.Job.Status.LastExecution; x != nil {
		p.State.OldCycle = x.ActivityIdentifier
	}
	body := map[string]any{"criteria": map[string]string{"resetScope": "QuarantineState"}}
	p.started = true
	return p.cfg.Graph.Do(ctx, http.MethodPost, p.sync("/jobs/"+p.State.Job.ID+"/restart"), body, nil)
}
