// Package idpmetadata reads the metadata of identity providers, and watches what they publish of it
// at an address. What it finds is shown to the center's administrators; the center decides what is
// trusted.
//
// It is no door of its own.
//
// It may import audit, center, outbound, refusal and saml.
package idpmetadata

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/outbound"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/saml"
)

const (
	fetchTimeout = 15 * time.Second //bound:wait published metadata
	maxProblem   = 200              //bound:text what is wrong with published metadata, in characters
)

// entraTokenKey is the subject of the keys in Entra ID's federation metadata of a tenant, which
// lacks the key of the application: the usual cause of sign-ins whose signature is refused. Source:
// Entra's federation metadata page.
const entraTokenKey = "accounts.accesscontrol.windows.net"

// Parse reads metadata into what the center keeps of an identity provider, with what an
// administrator should know about it now. It fails with center.MetadataInvalid.
func Parse(metadata []byte, now time.Time) (center.IdPConfiguration, error) {
	idp, err := saml.ParseIdentityProvider(metadata)
	if err != nil {
		return center.IdPConfiguration{}, &refusal.Error{Code: center.MetadataInvalid, Detail: err.Error()}
	}
	out := center.IdPConfiguration{
		EntityID:   idp.EntityID,
		SignInURL:  idp.SignInURL,
		SignInPOST: idp.SignInPOST,
		Notes:      idp.Ignored,
	}
	if note := saml.Expired(idp.ValidUntil, now); note != "" {
		out.Notes = append(out.Notes, note)
	}
	for _, cert := range idp.Certificates {
		out.Certificates = append(out.Certificates, cert.Raw)
		if cert.Subject.CommonName == entraTokenKey {
			out.Notes = append(out.Notes, "the certificate CN="+entraTokenKey+" is that of the whole Entra ID tenant, "+
				"which does not sign for an application: download the metadata at the address that ends in ?appid=…")
		}
	}
	return out, nil
}

// ImportCertificates adds what a file of the identity provider in force holds: one certificate
// (PEM, DER or base64), or metadata, of which only the certificates are taken. What is refused
// leaves an event. It fails as [center.Center.ImportIdPCertificate] and
// [center.Center.ImportIdPCertificatesOf] do.
func ImportCertificates(ctx context.Context, c *center.Center, by audit.Actor, file []byte) error {
	if saml.IsXML(file) {
		newer, err := Parse(file, c.Now())
		if err == nil {
			return c.ImportIdPCertificatesOf(ctx, by, newer)
		}
		return c.Refuse(ctx, by, center.ActionImportExternalIdPCertificate.String(), "", err)
	}
	der, err := center.ReadCertificate(saml.UTF8(file))
	if err == nil {
		return c.ImportIdPCertificate(ctx, by, der)
	}
	return c.Refuse(ctx, by, center.ActionImportExternalIdPCertificate.String(), "", err)
}

// Watcher fetches what the identity provider of a center publishes.
type Watcher struct {
	center *center.Center
	client *http.Client
}

// NewWatcher returns the watcher of a center. asks says which addresses may be asked.
func NewWatcher(c *center.Center, asks outbound.Policy) *Watcher {
	return &Watcher{c, asks.Client(fetchTimeout)}
}

// LookIfDue looks at the metadata that the identity provider publishes, when it is time to. It is
// for center.Center.RefreshMetadata.
func (w *Watcher) LookIfDue(ctx context.Context) error {
	s, err := w.center.Source(ctx)
	if err != nil {
		return err
	}
	address := s.WatchDue(w.center.Now())
	if address == "" {
		return nil
	}
	return w.Look(ctx, address)
}

// Look fetches the metadata at an address that an administrator has named, and has the center note
// what is there, or what is wrong with it. The error is the center's.
func (w *Watcher) Look(ctx context.Context, address string) error {
	found, problem := w.fetch(ctx, address)
	return w.center.Fetched(ctx, address, found, problem)
}

// fetch follows no redirects: the administrator named the address, and nobody else is to name
// another.
func (w *Watcher) fetch(ctx context.Context, address string) (idp center.IdPConfiguration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return idp, err
	}
	res, err := w.client.Do(req)
	if refused := new(outbound.Refused); errors.As(err, &refused) {
		return idp, refused
	}
	if err != nil {
		return idp, fmt.Errorf("it cannot be fetched: %w", err)
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	if res.StatusCode != http.StatusOK {
		return idp, fmt.Errorf("the server answered %d %s", res.StatusCode, http.StatusText(res.StatusCode))
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, saml.MaxMetadataFile+1))
	if err != nil {
		return idp, fmt.Errorf("it cannot be read: %w", err)
	}
	idp, err = Parse(data, w.center.Now())
	if err != nil {
		return idp, errors.New(audit.Cut(refusal.Detail(err), maxProblem))
	}
	return idp, nil
}
