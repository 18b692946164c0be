package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/outbound"
)

const (
	webhookPatience = 10 * time.Second //bound:wait a webhook that takes a notice
	maxWebhookBody  = 4 << 10          //bound:body what a webhook answers, which nobody reads
)

// webhooks posts notices to addresses that an administrator has named, as far as the policy lets
// it.
type webhooks struct {
	targets outbound.Policy
	client  *http.Client
}

func newWebhooks(targets outbound.Policy) center.Webhooks {
	return &webhooks{targets, targets.Client(webhookPatience)}
}

// Check implements center.Webhooks.
func (w *webhooks) Check(address string) error { return w.targets.Check(address) }

// Post implements center.Webhooks. Whatever is not a success is a failure; a redirect is not
// followed.
func (w *webhooks) Post(ctx context.Context, address, signature string, body []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Gatehouse")
	r.Header.Set("Gatehouse-Signature", signature)
	answer, err := w.client.Do(r) // #nosec G704 -- judged at the dial
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	_, _ = io.CopyN(io.Discard, answer.Body, maxWebhookBody)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the webhook answered %s", answer.Status)
	}
	return nil
}
