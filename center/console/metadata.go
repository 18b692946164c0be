package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/saml"
)

// FetchTimeout bounds how long published metadata is waited for.
const FetchTimeout = 15 * time.Second //bound:wait published metadata

// maxProblem bounds what is told of metadata that is none, in characters.
const maxProblem = 200 //bound:text what is wrong with published metadata

// LookAtMetadata looks at the metadata that the identity provider publishes, when it is time to. A
// background job calls it now and then.
func (h *Handler) LookAtMetadata(ctx context.Context) error {
	s, err := h.Center.Source(ctx)
	if err != nil {
		return err
	}
	address := s.WatchDue(h.Center.Now())
	if address == "" {
		return nil
	}
	return h.fetch(ctx, address)
}

func (h *Handler) fetch(ctx context.Context, address string) error {
	found, problem := h.fetchMetadata(ctx, address)
	return h.Center.Fetched(ctx, address, found, problem)
}

// fetchMetadata follows no redirects: the administrator named the address, and nobody else is to
// name another.
func (h *Handler) fetchMetadata(ctx context.Context, address string) (idp center.IdPConfiguration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return idp, err
	}
	res, err := h.Metadata.Do(req)
	if refused := new(outbound.Refused); errors.As(err, &refused) {
		return idp, refused
	}
	if err != nil {
		return idp, fmt.Errorf("it cannot be fetched: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode != http.StatusOK {
		return idp, fmt.Errorf("it is answered with %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, saml.MaxMetadata+1))
	if err != nil {
		return idp, fmt.Errorf("it cannot be read: %w", err)
	}
	idp, err = parseIdP(data)
	if err != nil {
		return idp, errors.New(audit.Cut(center.Detail(err), maxProblem))
	}
	return idp, nil
}

func watchMetadata(p page) error {
	address := strings.TrimSpace(p.PostFormValue("url"))
	if err := p.h.Center.WatchMetadata(p.Context(), p.by, address); err != nil {
		return err
	}
	if address == "" {
		return p.Done("/console/settings", "The metadata is not looked at any more.")
	}
	if err := p.h.fetch(p.Context(), address); err != nil {
		return err
	}
	return p.Done(
		"/console/settings",
		"The metadata is looked at every six hours. What changes there is shown here, and trusted when you accept it.",
	)
}

func acceptMetadata(p page) error {
	if err := p.h.Center.AcceptMetadata(
		p.Context(), p.by, strings.ReplaceAll(p.PostFormValue("seen"), "\r\n", "\n"),
	); err != nil {
		return err
	}
	return p.Done("/console/settings", "The metadata is accepted.")
}
