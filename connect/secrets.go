package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
)

// readSecrets reads what the tenant has saved for the job. Tokens are masked.
func (p *Plan) readSecrets(ctx context.Context) error {
	var secrets graph.Secrets
	if err := p.graph(ctx, http.MethodGet, p.sync("/secrets"), nil, &secrets); err != nil {
		return err
	}
	p.State.Secrets = map[string]string{}
	for _, kv := range secrets.Value {
		p.State.Secrets[kv.Key] = kv.Value
	}
	return nil
}

// sameAddress reads what is saved for the job again. It fails when the job writes to another center
// than it did: somebody has pointed it there.
func (p *Plan) sameAddress(ctx context.Context) error {
	if p.fresh { // what this run has made has none, and a replica may not know the job
		return nil
	}
	was := p.State.Secrets[graph.KeyBaseAddress]
	return p.confirmed(ctx, func() error {
		if err := p.readSecrets(ctx); err != nil {
			if was == "" && graph.NotFound(err) {
				return nil
			}
			return err
		}
		if now := p.State.Secrets[graph.KeyBaseAddress]; now != was && now != "" && !p.pointsHere() {
			return p.writesElsewhere(now)
		}
		return nil
	})
}

// writesElsewhere is the error where somebody has pointed the job at another center.
func (p *Plan) writesElsewhere(address string) error {
	return changed("the provisioning job of “%s” writes to %s now", p.State.Principal.DisplayName, address)
}

// writesHere reads what is saved for the job again. It fails when the job writes to another center.
func (p *Plan) writesHere(ctx context.Context) error {
	return p.confirmed(ctx, func() error {
		if err := p.readSecrets(ctx); err != nil || p.pointsHere() {
			return err
		}
		return p.writesElsewhere(p.State.Secrets[graph.KeyBaseAddress])
	})
}

// testSaved is Test Connection with what is saved. Only a refusal as a bad request says that it
// does not pass: a permission that is missing, or an answer that is lost, says nothing of it.
func (p *Plan) testSaved(ctx context.Context) {
	err := p.cfg.Graph.Do(
		ctx, http.MethodPost, p.sync("/jobs/"+p.State.Job.ID+"/validateCredentials"),
		graph.ValidateCredentials{UseSavedCredentials: true}, nil,
	)
	p.State.Connected, p.untested = err == nil, nil
	p.tokenRefused = refusesToken(err)
	if err != nil && !graph.BadRequest(err) {
		p.untested = fmt.Errorf("test the tenant's saved endpoint and token: %w", err)
	}
}

// refusesToken says whether Test Connection has failed because AWS's side refused the token, and
// not because the tenant could not reach it. The status is the same for both. The words are those
// of this tenant and of Microsoft's.
func refusesToken(err error) bool {
	var refused *graph.Error
	return errors.As(err, &refused) && refused.Status == http.StatusBadRequest &&
		(strings.Contains(refused.Message, "it does not accept the secret token") ||
			strings.Contains(refused.Message, "Response Status Code: Unauthorized"))
}

const notTested = "the saved endpoint and token were not tested, so nobody here knows whether they work"

// pointsHere says whether what the tenant has saved is this center's endpoint.
func (p *Plan) pointsHere() bool {
	return p.State.SCIM.TenantID != "" && sameEndpoint(p.State.Secrets[graph.KeyBaseAddress], p.State.SCIM.ScimEndpoint)
}

// address is what is saved as the endpoint: as it was written, if it is this one, since its query
// decides how the tenant writes.
func (p *Plan) address() string {
	if p.pointsHere() {
		return p.State.Secrets[graph.KeyBaseAddress]
	}
	return p.State.SCIM.ScimEndpoint
}

// withSaved adds to settings all others that are saved.
func (p *Plan) withSaved(settings []graph.KeyValue) graph.Secrets {
	var saved graph.Secrets
	for _, key := range slices.Sorted(maps.Keys(p.State.Secrets)) {
		saved.Value = append(saved.Value, graph.KeyValue{Key: key, Value: p.State.Secrets[key]})
	}
	return saved.With(settings...)
}

// notifying is the saved settings of notifications with mails to an address. All else in them
// stays, such as the protection against accidental deletions.
func notifying(saved, email string) (string, error) {
	settings := map[string]any{}
	if saved != "" {
		if err := json.Unmarshal([]byte(saved), &settings); err != nil || settings == nil {
			return "", fmt.Errorf(
				"the job's saved %s cannot be read, so --email does not change them: set the address in the tenant",
				graph.KeyNotification,
			)
		}
	}
	for key := range settings {
		if strings.EqualFold(key, "Enabled") || strings.EqualFold(key, "Recipients") {
			delete(settings, key)
		}
	}
	settings["Enabled"] = true
	settings["Recipients"] = email
	text, err := json.Marshal(settings)
	return string(text), err
}

// notifies says whether saved settings of notifications have mails sent.
func notifies(saved string) bool {
	var settings struct {
		Enabled    bool
		Recipients string
	}
	return json.Unmarshal([]byte(saved), &settings) == nil && settings.Enabled && settings.Recipients != ""
}
