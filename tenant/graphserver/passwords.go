package graphserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/graph"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// passwordCalls are the secrets of applications and service principals. Sources: application:
// addPassword and removePassword, and those of servicePrincipal.
func (h *Handler) passwordCalls() (list []route) {
	for _, collection := range []string{"applications", "servicePrincipals"} {
		list = append(list,
			route{"POST /" + collection + "/{id}/addPassword", toChangeApplications, noOptions, h.addPassword},
			route{"POST /" + collection + "/{id}/removePassword", toChangeApplications, noOptions, h.removePassword},
		)
	}
	return list
}

// passwordBody is a password that is to be made. The tenant chooses its secret.
type passwordBody struct {
	DisplayName         *string    `json:"displayName"`
	StartDateTime       *time.Time `json:"startDateTime"`
	EndDateTime         *time.Time `json:"endDateTime"`
	SecretText          *string    `json:"secretText"`
	Hint                *string    `json:"hint"`
	KeyID               *string    `json:"keyId"`
	CustomKeyIdentifier *string    `json:"customKeyIdentifier"`
}

func (b *passwordBody) password() (p tenant.ApplicationPassword, err error) {
	if b == nil {
		return p, nil
	}
	for name, value := range map[string]*string{
		"secretText": b.SecretText, "hint": b.Hint, "keyId": b.KeyID, "customKeyIdentifier": b.CustomKeyIdentifier,
	} {
		if value != nil {
			return p, badRequest("The property '" + name + "' of a password cannot be set.")
		}
	}
	if b.DisplayName != nil {
		p.DisplayName = *b.DisplayName
	}
	if b.StartDateTime != nil {
		p.Start = *b.StartDateTime
	}
	if b.EndDateTime != nil {
		p.End = *b.EndDateTime
	}
	return p, nil
}

func (h *Handler) addPassword(ctx context.Context, r request) (int, any, error) {
	var in struct {
		Password *passwordBody `json:"passwordCredential"`
	}
	body := bufio.NewReader(r.Body)
	if _, err := body.Peek(1); !errors.Is(err, io.EOF) { // all of it is optional
		r.Body = io.NopCloser(body)
		if err := decode(r, &in); err != nil {
			return 0, nil, err
		}
	}
	p, err := in.Password.password()
	if err != nil {
		return 0, nil, err
	}
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	p, secret, err := h.Tenant.AddPassword(ctx, r.by, tenant.AnyApplicationID(a.ID), r.ofPrincipal(), p)
	if err != nil {
		return 0, nil, err
	}
	out := objects(passwordsToWire([]tenant.ApplicationPassword{p}))[0]
	out["secretText"] = secret.Reveal()
	out["@odata.context"] = h.Tenant.GraphURL() + "/$metadata#microsoft.graph.passwordCredential"
	return http.StatusOK, out, nil
}

func (h *Handler) removePassword(ctx context.Context, r request) (int, any, error) {
	var in struct {
		KeyID string `json:"keyId"`
	}
	if err := decode(r, &in); err != nil {
		return 0, nil, err
	}
	a, err := h.application(ctx, r)
	if err != nil {
		return 0, nil, err
	}
	err = h.Tenant.RemovePassword(ctx, r.by, tenant.AnyApplicationID(a.ID), r.ofPrincipal(), in.KeyID)
	return http.StatusNoContent, nil, err
}

// passwordsToWire are passwords without their secrets, which nobody has any more.
func passwordsToWire(all []tenant.ApplicationPassword) []graph.PasswordCredential {
	list := make([]graph.PasswordCredential, len(all))
	for i, p := range all {
		list[i] = graph.PasswordCredential{
			KeyID: p.KeyID, Hint: p.Hint, StartDateTime: p.Start, EndDateTime: p.End,
		}
		if p.DisplayName != "" {
			list[i].DisplayName = &p.DisplayName
		}
	}
	return list
}
