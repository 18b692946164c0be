package connect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/saml"
)

// Check is one proof that the connection works.
type Check struct {
	Title  string
	Detail string
}

// Failure is an object that could not be provisioned, with the target's reason.
type Failure struct{ Name, Reason string }

// Result is what Verify proved.
type Result struct {
	Checks        []Check
	Users, Groups int // provisioned
	Failures      []Failure
	Open          []string // what is not proved yet
	Expires       []Expiry
	Since         time.Time // when the first cycle had brought everything
	Application   string    // what is connected
	Instance      string
	Job           graph.SynchronizationJob
	Next          []string // what a person does so that it goes on
	Again         []string // the flags by which a later command means the same connection
	Snapshot      string   // the file of what was there before, if this run has changed something
}

// Verify proves that the connection works: the credentials, the trust in both directions, the first
// cycle and its counts. progress is called while the cycle runs. It fails with the first proof that
// does not hold.
func (p *Plan) Verify(ctx context.Context, progress func(done, total int)) (Result, error) {
	r, err := p.verify(ctx, progress)
	r.Snapshot = p.kept
	return r, explain(err)
}

func (p *Plan) verify(ctx context.Context, progress func(done, total int)) (r Result, err error) {
	if !p.cfg.Tokenless {
		job := p.sync("/jobs/" + p.State.Job.ID)
		if err := p.graph(
			ctx, http.MethodPost, job+"/validateCredentials", graph.ValidateCredentials{UseSavedCredentials: true}, nil,
		); err != nil {
			return r, fmt.Errorf("test the connection: %w", err)
		}
		r.pass("Test Connection", "the saved tenant URL and token are accepted")
	}
	if err := p.verifyTrust(ctx); err != nil {
		return r, err
	}
	r.pass("Metadata on both sides", "issuer, keys, identifier and reply URL agree")
	if err := p.verifySignIn(ctx); err != nil {
		return r, err
	}
	r.pass("Sign-in request", "the tenant accepts the center's request and shows its sign-in page")
	r.Application, r.Instance = p.State.Principal.DisplayName, p.State.Directory.InstanceArn
	bring := func() error { return p.verifyCycle(ctx, &r, progress) }
	if p.cfg.Tokenless {
		bring = func() error { return p.verifyWriter(ctx, &r) }
	}
	if err := bring(); err != nil {
		return r, err
	}
	if err := p.verifyRealSignIn(ctx, &r); err != nil {
		return r, err
	}
	r.Expires, err = p.expiries(ctx)
	return r, err
}

// pass keeps a proof.
func (r *Result) pass(title, detail string) { r.Checks = append(r.Checks, Check{title, detail}) }

// verifyCycle waits for the first cycle, and compares what it brought.
func (p *Plan) verifyCycle(ctx context.Context, r *Result, progress func(done, total int)) error {
	waiting, stop := context.WithTimeout(ctx, p.cfg.CycleWait)
	defer stop()
	done, err := p.waitForCycle(waiting, progress)
	if err != nil {
		return err
	}
	r.Job, r.Since = done, done.Status.SteadyStateFirstAchievedTime
	r.pass("First cycle", "finished "+r.Since.Format(time.RFC3339))
	for _, c := range done.Status.SynchronizedEntryCountByType {
		if c.Key == "User" {
			r.Users = c.Value
		} else {
			r.Groups = c.Value
		}
	}
	unnamed := 0
	if r.Failures, err = p.failures(ctx, done); errors.Is(err, errUnlogged) {
		unnamed = done.Status.LastExecution.CountEscrowed
		r.Open = append(r.Open, names.Counted("%d {object was|objects were} not provisioned: ", unnamed)+err.Error())
	} else if err != nil {
		return err
	}
	if _, counts := p.cfg.Center.(Previewer); !counts {
		if p.cfg.Discover == nil {
			r.Open = append(r.Open, "who is at AWS's side was not read back")
			return nil
		}
		return p.verifyPeople(ctx, r, unnamed)
	}
	text, err := p.verifyCounts(ctx, r.Users, r.Groups)
	if err == nil {
		r.pass("Counts", text)
	}
	return err
}

// verifyRealSignIn has somebody sign in, where a person is there, and reads it back on both sides.
// It waits for the person as long as it may; the next run asks again.
func (p *Plan) verifyRealSignIn(ctx context.Context, r *Result) error {
	prover, proves := p.cfg.Center.(Prover)
	if !proves {
		return nil
	}
	began := p.cfg.Now()
	asking, stop := context.WithTimeout(ctx, p.cfg.SignInWait)
	defer stop()
	seen, err := prover.ProveSignIn(asking)
	switch {
	case seen.Succeeded > 0:
		r.pass("A real sign-in", seen.Who+" signed in, as the tenant's log says")
		p.verifyRecord(ctx, r, cmp.Or(seen.At, began))
		return nil
	case errors.Is(err, ErrUnseen):
		r.Open = append(r.Open, "a real sign-in was not proved: "+err.Error())
		return nil
	case err != nil && (asking.Err() == nil || ctx.Err() != nil):
		return fmt.Errorf("prove a sign-in: %w", err)
	}
	text := "nobody has signed in yet, as the tenant's log says: sign in at " + p.State.SP.SignInURL +
		", and run this again to see the proof"
	if seen.Refused != "" {
		text += " (the last one was refused: " + seen.Refused + ")"
	}
	r.Open = append(r.Open, text)
	return nil
}

// verifyRecord looks for the sign-in in what AWS's side has recorded. It waits for nothing: the
// record may come an hour later.
func (p *Plan) verifyRecord(ctx context.Context, r *Result, since time.Time) {
	recorder, records := p.cfg.Center.(Recorder)
	if !records {
		return
	}
	seen, err := recorder.RecordedSignIns(ctx, since.Add(-ClockSkew))
	switch {
	case err != nil:
		r.Open = append(r.Open, "the sign-in was not looked for in AWS's record: "+err.Error())
	case seen.Succeeded > 0:
		who := "somebody"
		if seen.Who != "" {
			who = seen.Who
		}
		r.pass("The sign-in at AWS", who+" came in, as CloudTrail says")
	case seen.Refused != "":
		r.Open = append(r.Open, "the tenant let somebody in, and AWS refused what the tenant sent: "+seen.Refused)
	default:
		r.Open = append(r.Open, "CloudTrail does not have the sign-in yet: it is minutes late, at times more than an "+
			"hour. Run this again to see it")
	}
}

// expiries are what ends one day and stops people or provisioning then.
func (p *Plan) expiries(ctx context.Context) (list []Expiry, err error) {
	for _, cert := range p.State.IdP.Certificates {
		list = append(list, Expiry{"The tenant's SAML signing certificate", cert.NotAfter})
	}
	tokens, err := p.cfg.Center.BearerTokens(ctx, p.State.SCIM.TenantID)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		list = append(list, Expiry{"The SCIM access token " + t.TokenID, t.ExpirationTime})
	}
	return list, nil
}

// errDisagree marks what a replica of the tenant may say that is behind.
var errDisagree = errors.New("the two sides do not agree")

// verifyTrust compares what each side has of the other, until they agree.
func (p *Plan) verifyTrust(ctx context.Context) error {
	return p.looksAgain(ctx, is(errDisagree), func() error { return p.trusts(ctx) })
}

// trusts compares what each side has of the other now.
func (p *Plan) trusts(ctx context.Context) error {
	if err := p.fetchMetadata(ctx); err != nil {
		return err
	}
	configurations, err := p.cfg.Center.Configurations(ctx)
	if err != nil {
		return err
	}
	trusted := false
	for _, c := range configurations {
		trusted = trusted || (c.Status == adminapi.StatusEnabled && p.matches(c))
	}
	if !trusted {
		return fmt.Errorf("%w: the center's identity source is not the tenant's current metadata", errDisagree)
	}
	sp := saml.ServiceProvider{EntityID: p.State.SP.EntityID, ACSURLs: p.State.SP.AcsURLs}
	if text := p.State.SP.MetadataXML; text != "" {
		if sp, err = saml.ParseServiceProvider([]byte(text)); err != nil {
			return fmt.Errorf("the center's metadata: %w", err)
		}
	}
	var app graph.Application
	if err := p.graph(ctx, http.MethodGet, "/applications/"+p.State.Application.ID, nil, &app); err != nil {
		return err
	}
	if len(app.IdentifierURIs) == 0 || app.IdentifierURIs[0] != sp.EntityID || app.Web == nil ||
		!slices.Contains(app.Web.RedirectURIs, sp.ACSURLs[0]) {
		return fmt.Errorf(
			"%w: the application's identifier or reply URL is not that of the center's metadata", errDisagree,
		)
	}
	return nil
}

// verifySignIn sends the request that the center would send. The tenant must answer with its
// sign-in page, not with an error.
func (p *Plan) verifySignIn(ctx context.Context) error {
	address, err := saml.AuthnRequest{
		ID:           saml.NewID(),
		IssueInstant: p.cfg.Now(),
		Issuer:       p.State.SP.EntityID,
		Destination:  p.State.IdP.SignInURL,
		ACSURL:       p.State.SP.AcsURLs[0],
		NameIDFormat: saml.FormatEmail,
	}.RedirectURL("", nil)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	res, err := p.cfg.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("send a sign-in request: %w", err)
	}
	_ = res.Body.Close()
	if res.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("the tenant refused the center's sign-in request with %s", res.Status)
	}
	return nil
}

// waitForCycle waits until a whole cycle has succeeded. A job in quarantine does not get there; its
// reason is the error.
func (p *Plan) waitForCycle(ctx context.Context, progress func(done, total int)) (graph.SynchronizationJob, error) {
	path := p.sync("/jobs/" + p.State.Job.ID)
	for looks := 1; ; looks++ {
		var j graph.SynchronizationJob
		if err := p.graph(ctx, http.MethodGet, path, nil, &j); err != nil {
			return j, err
		}
		if q := j.Status.Quarantine; q != nil && q.Error != nil {
			return j, fmt.Errorf("provisioning is in quarantine: %s", q.Error.Message)
		}
		if len(j.Status.Progress) > 0 {
			progress(j.Status.Progress[0].CompletedUnits, j.Status.Progress[0].TotalUnits)
		} else if x := j.Status.LastExecution; x != nil && x.ActivityIdentifier != p.State.OldCycle {
			if x.State != "Failed" {
				progress(x.CountImported, x.CountImported)
				return j, nil
			}
			return j, fmt.Errorf("the cycle failed: %s", x.Error.Message)
		}
		// A first cycle takes from seconds to most of an hour.
		for range min(looks, 20) {
			if err := p.pause(ctx); err != nil {
				return j, fmt.Errorf(
					"the first cycle has not finished: %w. It goes on without this command; run it again to see "+
						"the proof", err,
				)
			}
		}
	}
}

// verifyCounts compares how many objects the tenant has provisioned with how many the center has.
// Users that the center had before and the tenant does not know are counted apart.
func (p *Plan) verifyCounts(ctx context.Context, users, groups int) (string, error) {
	d, err := p.cfg.Center.DescribeDirectory(ctx)
	if err != nil {
		return "", err
	}
	if previewer, asks := p.cfg.Center.(Previewer); asks {
		if err := p.report(ctx, previewer); err != nil {
			return "", err
		}
	}
	others := p.Report.Counts["StopsWorking"] + p.Report.Counts["MatchesNobody"]
	if d.UserCount-others != users || d.GroupCount < groups {
		return "", errors.New(names.Counted(
			"the tenant provisioned %d {user|users} and %d {group|groups}, but the center has %d and %d (and %d "+
				"{user|users} that the tenant does not have)",
			users, groups, d.UserCount-others, d.GroupCount, others,
		))
	}
	return names.Counted("%d {user|users} and %d {group|groups} on both sides", users, groups), nil
}

// errUnlogged says that nobody may read why objects were not provisioned.
var errUnlogged = errors.New(
	"the tenant's provisioning log, which names them, needs AuditLog.Read.All and Entra ID P1. See them in Entra, " +
		"under the application's provisioning",
)

func (p *Plan) failures(ctx context.Context, j graph.SynchronizationJob) ([]Failure, error) {
	if j.Status.LastExecution.CountEscrowed == 0 {
		return nil, nil
	}
	var page graph.Page[graph.ProvisioningObjectSummary]
	query := "/auditLogs/provisioning?$top=20&$filter=" + "jobId%20eq%20'" + j.ID +
		"'%20and%20provisioningStatusInfo/status%20eq%20'failure'"
	err := p.graph(ctx, http.MethodGet, query, nil, &page)
	var refused *graph.Error
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusForbidden:
		return nil, fmt.Errorf("%w (%w)", errUnlogged, err)
	case err != nil:
		return nil, err
	}
	seen := map[string]bool{}
	var out []Failure
	for _, e := range page.Value {
		if seen[e.SourceIdentity.ID] || e.StatusInfo.ErrorInformation == nil {
			continue
		}
		seen[e.SourceIdentity.ID] = true
		out = append(out, Failure{e.SourceIdentity.DisplayName, e.StatusInfo.ErrorInformation.Reason})
	}
	return out, nil
}
