package outlet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gatehouse-id/gatehouse/audit/chain"
)

// endpoint posts events. Whatever status of 200 to 299 comes back says that they are kept.
type endpoint struct {
	settings Settings
	client   *http.Client
}

func endpointAt(s Settings) (*endpoint, error) {
	client := *s.HTTP
	if s.CA != "" {
		config, err := trust(s.CA)
		if err != nil {
			return nil, err
		}
		client.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, MaxIdleConnsPerHost: 1,
			IdleConnTimeout: unconfirmedFor,
		}
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &endpoint{s, &client}, nil
}

// maxAnswer is how much of a receiver's answer is read, and maxTold how much of it is told.
const (
	maxAnswer = 64 << 10 //bound:body the answer of a receiver of audit events
	maxTold   = 200      //bound:text the answer of a receiver of audit events, in the log
)

// Deliver implements chain.Outlet. A receiver that finds a request too large is sent half of it,
// down to one event.
func (e *endpoint) Deliver(ctx context.Context, parcels []chain.Parcel) error {
	a, err := e.post(ctx, parcels)
	if err != nil {
		return err
	}
	if a.status == http.StatusRequestEntityTooLarge && len(parcels) > 1 {
		half := len(parcels) / 2
		if err := e.Deliver(ctx, parcels[:half]); err != nil {
			return err
		}
		return e.Deliver(ctx, parcels[half:])
	}
	if a.status < 200 || a.status > 299 {
		return fmt.Errorf("the receiver answered %d %s: %q", a.status, http.StatusText(a.status), a.said)
	}
	return nil
}

// answer is what a receiver has said.
type answer struct {
	status int
	said   string
}

func (e *endpoint) post(ctx context.Context, parcels []chain.Parcel) (a answer, err error) {
	body, kind := []byte(nil), "application/x-ndjson"
	if e.settings.List != "" {
		kind = "application/json"
		body, err = records(e.settings.List, e.settings.Format, parcels)
	} else {
		body, err = lines(e.settings.Format, parcels)
	}
	if err != nil {
		return a, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.settings.To, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	r.Header.Set("Content-Type", kind)
	r.Header.Set("User-Agent", "gatehouse")
	r.Header.Set("Gatehouse-First-Position", strconv.FormatInt(parcels[0].Position, 10))
	r.Header.Set("Gatehouse-Last-Position", strconv.FormatInt(parcels[len(parcels)-1].Position, 10))
	if e.settings.Authorization != "" {
		r.Header.Set("Authorization", e.settings.Authorization)
	}
	got, err := e.client.Do(r)
	var failed *url.Error
	if errors.As(err, &failed) { // without the address, which may have a secret in its query
		err = failed.Err
	}
	if err != nil {
		return a, err
	}
	defer got.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(got.Body, maxAnswer))
	if err != nil {
		return a, err
	}
	return answer{got.StatusCode, string(text[:min(len(text), maxTold)])}, nil
}

// records is events as the files of CloudTrail have them, or those of Azure Monitor, by the name of
// the list. Sources: CloudTrail User Guide, "CloudTrail record contents"; Azure Monitor, "Stream
// Azure monitoring data to an event hub".
func records(list string, format Format, parcels []chain.Parcel) ([]byte, error) {
	all := []byte(`{"` + list + `":[`)
	for i, p := range parcels {
		record, err := format(p)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			all = append(all, ',')
		}
		all = append(all, record...)
	}
	return append(all, `]}`...), nil
}
