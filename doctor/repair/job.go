package repair

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/doctor"
	"github.com/gatehouse-id/gatehouse/graph"
)

func (w *worker) pauseJob(ctx context.Context, r doctor.Repair) error {
	return w.post(ctx, job(r)+"/pause", nil, nil)
}

func (w *worker) startJob(ctx context.Context, r doctor.Repair) error {
	return w.post(ctx, job(r)+"/start", nil, nil)
}

// restartJob restarts a job, and starts it where it is switched off: a restart alone need not.
func (w *worker) restartJob(ctx context.Context, r doctor.Repair) error {
	var in graph.Restart
	in.Criteria.ResetScope = r.With["resetScope"]
	if err := w.post(ctx, job(r)+"/restart", in, nil); err != nil {
		return err
	}
	var now graph.SynchronizationJob
	if err := w.Graph.Do(ctx, http.MethodGet, job(r), nil, &now); err != nil {
		return err
	}
	if now.Schedule != nil && now.Schedule.State != "Active" {
		return w.startJob(ctx, r)
	}
	return nil
}

// createJob makes a job where there is none: a run before this one may have made it.
func (w *worker) createJob(ctx context.Context, r doctor.Repair) error {
	jobs, err := graph.All[graph.SynchronizationJob](ctx, w.Graph, principal(r)+"/synchronization/jobs")
	if err != nil {
		return err
	}
	var made graph.SynchronizationJob
	if len(jobs) > 0 {
		made = jobs[0]
	} else if err := w.post(ctx, principal(r)+"/synchronization/jobs",
		graph.SynchronizationJob{TemplateID: graph.AWSSyncTemplate}, &made); err != nil {
		return err
	}
	if err := w.giveToken(ctx, r, made.ID); err != nil {
		return err
	}
	return w.post(ctx, principal(r)+"/synchronization/jobs/"+made.ID+"/start", nil, nil)
}

// saveToken gives a job a token that works, with the endpoint.
func (w *worker) saveToken(ctx context.Context, r doctor.Repair) error {
	jobs, err := graph.All[graph.SynchronizationJob](ctx, w.Graph, principal(r)+"/synchronization/jobs")
	if err != nil {
		return err
	}
	if len(jobs) == 0 {
		return errors.New("the application has no provisioning job")
	}
	return w.giveToken(ctx, r, jobs[0].ID)
}

const (
	// tries are how often a token is made anew that somebody else's repair has taken away.
	tries = 3 //bound:none how often, and the center has two tokens at most
	// underWay is how long a token that nobody has used may be that of a repair that goes on.
	underWay = 20 * time.Second //bound:wait a token that another repair has just made
)

var (
	errTokensInUse = errors.New("there are two access tokens, and both are in use: delete one")
	errUseless     = errors.New("the new access token was saved, and does not pass Test Connection")
)

// giveToken makes an access token at the center and saves it in a job, unless the saved one works
// and lasts. A token that a run before this one made and did not save was never used, and makes
// room. The job uses the new one at once, since the same may be repaired twice at a time: neither
// may take the other's token for one that is left over. One that was taken is made anew.
func (w *worker) giveToken(ctx context.Context, r doctor.Repair, job string) error {
	tenants, err := w.Admin.Tenants(ctx)
	if err != nil {
		return err
	}
	var tenant adminapi.Tenant
	if len(tenants) > 0 {
		tenant = tenants[0]
	} else if tenant, err = w.Admin.CreateTenant(ctx); err != nil {
		return err
	}
	for range tries {
		old, full := w.leftOver(ctx, tenant)
		lasts := false
		if lasts, err = w.lasts(ctx, r, job, tenant); err != nil || lasts {
			return err
		}
		if full != nil {
			return full
		}
		var token adminapi.BearerToken
		if token, err = w.makeToken(ctx, tenant, old); adminapi.ReasonOf(err) == "too-many-access-tokens" {
			continue // another repair has made one
		}
		if err != nil {
			return err
		}
		if err = w.putToken(ctx, r, tenant, token); err != nil {
			return err
		}
		works := false
		if works, err = w.works(ctx, r, job, tenant); err != nil || works {
			return err
		}
		var tokens []adminapi.BearerToken
		if tokens, err = w.Admin.BearerTokens(ctx, tenant.TenantID); err != nil {
			return err
		}
		err = errUseless
		if slices.ContainsFunc(tokens, func(t adminapi.BearerToken) bool { return t.TokenID == token.TokenID }) {
			return err // nobody took it: another one would fare no better
		}
	}
	return err
}

// putToken saves an access token in a job, beside all else that is saved there.
func (w *worker) putToken(
	ctx context.Context, r doctor.Repair, tenant adminapi.Tenant, token adminapi.BearerToken,
) error {
	saved, err := w.saved(ctx, r)
	if err != nil {
		return err
	}
	return w.Graph.Do(ctx, http.MethodPut, principal(r)+"/synchronization/secrets", saved.With(
		graph.KeyValue{Key: graph.KeyBaseAddress, Value: tenant.ScimEndpoint},
		graph.KeyValue{Key: graph.KeySecretToken, Value: token.Value},
	), nil)
}

// saved is what is saved for the application's job.
func (w *worker) saved(ctx context.Context, r doctor.Repair) (saved graph.Secrets, err error) {
	err = w.Graph.Do(ctx, http.MethodGet, principal(r)+"/synchronization/secrets", nil, &saved)
	return saved, err
}

// makeToken makes an access token, in the place of an old one if that is named.
func (w *worker) makeToken(
	ctx context.Context, tenant adminapi.Tenant, old string,
) (token adminapi.BearerToken, err error) {
	if old != "" {
		err = w.Admin.DeleteBearerToken(ctx, tenant.TenantID, old)
		if err != nil && adminapi.ReasonOf(err) != "access-token-not-found" {
			return token, err
		}
	}
	return w.Admin.CreateBearerToken(ctx, tenant.TenantID, "")
}

// lasts says whether the saved token works, and doctor would not warn of its end.
func (w *worker) lasts(ctx context.Context, r doctor.Repair, job string, tenant adminapi.Tenant) (bool, error) {
	works, err := w.works(ctx, r, job, tenant)
	if err != nil || !works {
		return false, err
	}
	tokens, err := w.Admin.BearerTokens(ctx, tenant.TenantID)
	return err == nil && doctor.EndingToken(tokens, w.now) == nil, err
}

// works says whether a job has saved the endpoint, with a token that passes Test Connection.
func (w *worker) works(ctx context.Context, r doctor.Repair, job string, tenant adminapi.Tenant) (bool, error) {
	saved, err := w.saved(ctx, r)
	if err != nil {
		return false, err
	}
	here := slices.ContainsFunc(saved.Value, func(kv graph.KeyValue) bool {
		return kv.Key == graph.KeyBaseAddress &&
			strings.TrimRight(kv.Value, "/") == strings.TrimRight(tenant.ScimEndpoint, "/")
	})
	if !here {
		return false, nil
	}
	err = w.post(ctx, principal(r)+"/synchronization/jobs/"+job+"/validateCredentials",
		graph.ValidateCredentials{UseSavedCredentials: true}, nil)
	if graph.BadRequest(err) {
		return false, nil
	}
	return err == nil, err
}

// mostTokens is how many tokens a SCIM endpoint has. Source: AWS's quotas.
const mostTokens = 2 //bound:none AWS's, not ours

// leftOver waits for a repair that goes on elsewhere, and returns the token that makes room for one
// more: it ended or was never used. There is none where there is room.
func (w *worker) leftOver(ctx context.Context, tenant adminapi.Tenant) (id string, err error) {
	wait := cmp.Or(w.Wait, underWay)
	for began := time.Now(); ; {
		tokens, err := w.Admin.BearerTokens(ctx, tenant.TenantID)
		if err != nil || len(tokens) < mostTokens {
			return "", err
		}
		ended := slices.IndexFunc(tokens, func(t adminapi.BearerToken) bool { return t.ExpirationTime.Before(w.now) })
		if ended >= 0 {
			return tokens[ended].TokenID, nil
		}
		unused := slices.IndexFunc(tokens, func(t adminapi.BearerToken) bool { return t.LastUsedTime == nil })
		if unused < 0 {
			return "", errTokensInUse
		}
		if tokens[unused].CreationTime.Before(w.now.Add(-wait)) || time.Since(began) > wait {
			return tokens[unused].TokenID, nil
		}
		select {
		case <-time.After(min(time.Second/4, wait)):
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

// importCertificate gives the center a certificate, unless it has it.
func (w *worker) importCertificate(ctx context.Context, r doctor.Repair) error {
	return w.trust(ctx, r.With["certificate"])
}

func (w *worker) trust(ctx context.Context, text string) error {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return errors.New("the plan has no certificate")
	}
	have, err := w.Admin.ListCertificates(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(have, func(c adminapi.Certificate) bool {
		return strings.EqualFold(c.CertificateID, fingerprint(block.Bytes))
	}) {
		return nil
	}
	return w.Admin.ImportCertificate(ctx, text)
}

// clockSkew is how far the tenant's clock and this machine's may be apart.
const clockSkew = 2 * time.Minute //bound:none how far clocks may be apart

// newCertificate takes a certificate that waits, such as one of a run before this one, or makes
// one; the center gets it before it signs.
func (w *worker) newCertificate(ctx context.Context, r doctor.Repair) error {
	until, err := time.Parse(time.DateOnly, r.With["until"])
	if err != nil {
		return err
	}
	signs, err := w.principal(ctx, r)
	if err != nil {
		return err
	}
	active := aws.ToString(signs.PreferredTokenSigningKeyThumbprint)
	if _, err := r.Needed([]string{active}, nil); err != nil {
		return err
	}
	key, err := w.waiting(ctx, r, active, until.AddDate(-2, 0, 0))
	if err == nil && key.Key == "" {
		err = w.post(ctx, principal(r)+"/addTokenSigningCertificate", map[string]any{
			"displayName": "CN=Microsoft Azure Federated SSO Certificate",
			"endDateTime": until.UTC().Format(time.RFC3339),
		}, &key)
	}
	if err != nil {
		return err
	}
	der, err := base64.StdEncoding.DecodeString(key.Key)
	if err != nil || len(der) == 0 {
		return errors.New("the tenant has made a certificate, and does not say which: run this again")
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := w.trust(ctx, string(text)); err != nil {
		return err
	}
	return w.patch(ctx, principal(r), map[string]any{"preferredTokenSigningKeyThumbprint": graph.Thumbprint(der)})
}

// waiting is the certificate that lasts longest beyond a time, of those beside the active one that
// the tenant can sign with now.
func (w *worker) waiting(
	ctx context.Context, r doctor.Repair, active string, beyond time.Time,
) (key graph.KeyCredential, err error) {
	var sp graph.ServicePrincipal
	if err := w.Graph.Do(ctx, http.MethodGet, principal(r)+"?$select=keyCredentials", nil, &sp); err != nil {
		return key, err
	}
	begun := w.now.Add(clockSkew)
	for _, k := range sp.KeyCredentials {
		der, unreadable := base64.StdEncoding.DecodeString(k.Key)
		other := unreadable == nil && len(der) > 0 && !strings.EqualFold(graph.Thumbprint(der), active)
		if other && graph.SignsWith(sp.KeyCredentials, k) && k.StartDateTime.Before(begun) &&
			k.EndDateTime.After(beyond) {
			key, beyond = k, k.EndDateTime
		}
	}
	return key, nil
}

func (w *worker) provisionPerson(ctx context.Context, r doctor.Repair) error {
	var schema graph.SynchronizationSchema
	if err := w.Graph.Do(ctx, http.MethodGet, job(r)+"/schema", nil, &schema); err != nil {
		return err
	}
	if len(schema.Rules) == 0 {
		return errors.New("the job has no rules")
	}
	subject := graph.Subject{ObjectID: r.With["objectId"], ObjectTypeName: "User"}
	in := map[string]any{"parameters": []any{
		map[string]any{"ruleId": schema.Rules[0].ID, "subjects": []graph.Subject{subject}},
	}}
	var out graph.KeyValue
	if err := w.post(ctx, job(r)+"/provisionOnDemand", in, &out); err != nil {
		return err
	}
	return onDemand(out)
}

// onDemand reads what came of a provisioning on demand: Graph answers 200 whatever that is. Who is
// in step already is skipped as redundant. Source: synchronizationJob: provisionOnDemand.
func onDemand(answer graph.KeyValue) error {
	var came struct {
		Result  string `json:"result"`
		Details struct {
			ErrorCode    string `json:"errorCode"`
			ErrorMessage string `json:"errorMessage"`
		} `json:"details"`
	}
	if err := json.Unmarshal([]byte(answer.Key), &came); err != nil {
		return fmt.Errorf("the tenant does not say what came of it: %w", err)
	}
	why := strings.TrimSpace(came.Details.ErrorCode + " " + came.Details.ErrorMessage)
	switch {
	case strings.EqualFold(came.Result, "Success"),
		strings.EqualFold(came.Result, "Skipped") && strings.Contains(why, "Redundant"):
		return nil
	}
	return fmt.Errorf("provisioning on demand ended with %s: %s", cmp.Or(came.Result, "no result"), why)
}
