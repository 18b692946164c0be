package adminserver

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/center/idpmetadata"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
)

func (h *Handler) preview(ctx context.Context, _ awsapi.Caller, in adminapi.PreviewInput) (adminapi.Report, error) {
	var known map[string]bool
	if in.KnownUserNames != nil {
		known = map[string]bool{}
		for _, name := range in.KnownUserNames {
			known[names.Fold(name)] = true
		}
	}
	to := center.SourceType(in.IdentitySource)
	if to != center.Directory && to != center.ExternalIdP {
		return adminapi.Report{}, &refusal.Error{
			Code:   center.InvalidValue,
			Field:  "IdentitySource",
			Detail: "use DIRECTORY or EXTERNAL_IDP",
		}
	}
	var out adminapi.Report
	err := h.Center.EachSourceEffect(ctx, to, known, func(from center.SourceType) {
		out = adminapi.Report{
			From: string(from), To: string(to), Counts: map[string]int{}, Users: []adminapi.UserEffect{},
		}
	}, func(u center.UserEffect) error {
		addEffect(&out, u, in.NextToken)
		return nil
	})
	return out, err
}

// addEffect adds a user to the counts of a report and, if the user's turn is after a token, to its
// page. Users come in the order of their ids.
func addEffect(to *adminapi.Report, u center.UserEffect, after string) {
	to.Total++
	to.Counts[string(u.Effect)]++
	if u.Administrator && u.Effect.LosesAccess() {
		to.LockedOut++
	}
	switch id := string(u.User.ID); {
	case id <= after:
	case len(to.Users) == center.ReportLimit:
		to.NextToken = to.Users[len(to.Users)-1].UserID
	default:
		to.Users = append(to.Users, adminapi.UserEffect{
			UserID:        id,
			UserName:      u.User.UserName,
			DisplayName:   u.User.DisplayName,
			Effect:        string(u.Effect),
			Explanation:   u.Effect.Explain(),
			Administrator: u.Administrator,
		})
	}
}

func (h *Handler) createConfiguration(
	ctx context.Context, who awsapi.Caller, in adminapi.CreateConfigurationInput,
) (adminapi.Configuration, error) {
	idp, err := configurationOf(in, h.Center.Now())
	if err != nil {
		return adminapi.Configuration{}, h.Center.Refuse(
			ctx, awsdoor.Actor(who), "CreateExternalIdPConfigurationForDirectory", "", err,
		)
	}
	idp, err = h.Center.CreateIdPConfiguration(ctx, awsdoor.Actor(who), idp)
	return showConfiguration(idp, adminapi.StatusPending), err
}

// configurationOf reads metadata, or the three values that stand for it.
func configurationOf(in adminapi.CreateConfigurationInput, now time.Time) (center.IdPConfiguration, error) {
	values := in.EntityID != "" || in.SignInURL != "" || in.X509CertificateInPem != ""
	if values && in.MetadataXML != "" {
		return center.IdPConfiguration{}, &refusal.Error{
			Code: center.InvalidValue, Field: "MetadataXml",
			Detail: "use either MetadataXml or EntityId, SignInUrl and X509CertificateInPem",
		}
	}
	if !values {
		return idpmetadata.Parse([]byte(in.MetadataXML), now)
	}
	der, err := center.ReadCertificate([]byte(in.X509CertificateInPem))
	return center.IdPConfiguration{
		EntityID:     strings.TrimSpace(in.EntityID),
		SignInURL:    strings.TrimSpace(in.SignInURL),
		Certificates: [][]byte{der},
	}, err
}

func showConfiguration(idp center.IdPConfiguration, status string) adminapi.Configuration {
	out := adminapi.Configuration{
		ConfigurationID: idp.ID,
		EntityID:        idp.EntityID,
		SignInURL:       cmp.Or(idp.SignInURL, idp.SignInPOST),
		Notes:           idp.Notes,
		Status:          status,
		Thumbprints:     []string{},
	}
	for _, der := range idp.Certificates {
		sum := sha256.Sum256(der)
		out.Thumbprints = append(out.Thumbprints, hex.EncodeToString(sum[:]))
	}
	return out
}

func (h *Handler) listConfigurations(
	ctx context.Context, _ awsapi.Caller, _ adminapi.None,
) (adminapi.Configurations, error) {
	out := adminapi.Configurations{Configurations: []adminapi.Configuration{}}
	s, err := h.Center.Source(ctx)
	if s.IdP != nil {
		enabled := showConfiguration(*s.IdP, adminapi.StatusEnabled)
		enabled.SignedRequests, enabled.RequestBinding = s.IdP.SignRequests, adminapi.BindingRedirect
		if s.IdP.UsePOST {
			enabled.RequestBinding = adminapi.BindingPOST
		}
		enabled.Published = showWatch(s)
		out.Configurations = append(out.Configurations, enabled)
	}
	if s.Pending != nil {
		out.Configurations = append(out.Configurations, showConfiguration(*s.Pending, adminapi.StatusPending))
	}
	return out, err
}

func showWatch(s center.IdentitySource) *adminapi.PublishedNote {
	if s.Watch == nil {
		return nil
	}
	out := &adminapi.PublishedNote{URL: s.Watch.URL, Problem: s.Watch.Problem}
	if !s.Watch.FetchedAt.IsZero() {
		out.CheckedAt = &s.Watch.FetchedAt
	}
	if s.Watch.Offered != nil {
		out.Differences = s.IdP.Differences(*s.Watch.Offered)
	}
	return out
}

func (h *Handler) enableConfiguration(
	ctx context.Context, who awsapi.Caller, in adminapi.ChangeInput,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.EnableIdPConfiguration(
		ctx, awsdoor.Actor(who), in.ConfigurationID, center.Confirmed{Word: in.Confirmation, InForce: in.InForce},
	)
}

func confirmed(in adminapi.ConfirmInput) center.Confirmed {
	return center.Confirmed{Word: in.Confirmation, InForce: in.InForce}
}

func (h *Handler) disableConfiguration(
	ctx context.Context, who awsapi.Caller, in adminapi.ConfirmInput,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.DisableIdPConfiguration(ctx, awsdoor.Actor(who), confirmed(in))
}

func (h *Handler) updateConfiguration(
	ctx context.Context, who awsapi.Caller, in adminapi.UpdateConfigurationInput,
) (adminapi.None, error) {
	requests := in.SignedRequests != nil || in.RequestBinding != nil
	if requests == (in.IdPInitiatedSignIn != nil) {
		return adminapi.None{}, &refusal.Error{
			Code:   center.InvalidValue,
			Field:  "IdPInitiatedSignIn",
			Detail: "use either IdPInitiatedSignIn, or SignedRequests and RequestBinding",
		}
	}
	if !requests {
		return adminapi.None{}, h.Center.AllowIdPInitiated(ctx, awsdoor.Actor(who), *in.IdPInitiatedSignIn)
	}
	s, err := h.Center.Source(ctx)
	if err != nil {
		return adminapi.None{}, err
	}
	var sign, post bool
	if s.IdP != nil { // otherwise the rule refuses it
		sign, post = s.IdP.SignRequests, s.IdP.UsePOST
	}
	set(&sign, in.SignedRequests)
	if b := in.RequestBinding; b != nil {
		if *b != adminapi.BindingPOST && *b != adminapi.BindingRedirect {
			return adminapi.None{}, &refusal.Error{
				Code: center.InvalidValue, Field: "RequestBinding", Detail: "use HTTP-Redirect or HTTP-POST",
			}
		}
		post = *b == adminapi.BindingPOST
	}
	return adminapi.None{}, h.Center.SetRequests(ctx, awsdoor.Actor(who), sign, post)
}

func (h *Handler) undoSourceChange(
	ctx context.Context, who awsapi.Caller, in adminapi.ConfirmInput,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.UndoSourceChange(ctx, awsdoor.Actor(who), confirmed(in))
}

func (h *Handler) startRehearsal(
	ctx context.Context, who awsapi.Caller, in adminapi.RehearsalInput,
) (adminapi.Rehearsal, error) {
	link, err := h.Center.StartRehearsal(ctx, awsdoor.Actor(who), in.UserName)
	if err != nil {
		return adminapi.Rehearsal{}, err
	}
	return adminapi.Rehearsal{Link: link.Reveal()}, nil
}

func (h *Handler) importCertificate(
	ctx context.Context, who awsapi.Caller, in adminapi.NewCertificate,
) (adminapi.None, error) {
	file := []byte(in.X509CertificateInPem)
	return adminapi.None{}, idpmetadata.ImportCertificates(ctx, h.Center, awsdoor.Actor(who), file)
}

func (h *Handler) listCertificates(
	ctx context.Context, _ awsapi.Caller, _ adminapi.None,
) (adminapi.Certificates, error) {
	out := adminapi.Certificates{Certificates: []adminapi.Certificate{}}
	s, err := h.Center.Source(ctx)
	if err != nil || s.IdP == nil {
		return out, err
	}
	for _, c := range s.IdP.CertificateList() {
		out.Certificates = append(
			out.Certificates,
			adminapi.Certificate{
				CertificateID: c.Thumbprint,
				Subject:       c.Subject,
				NotBefore:     c.NotBefore,
				NotAfter:      c.NotAfter,
			},
		)
	}
	return out, nil
}

func (h *Handler) deleteCertificate(
	ctx context.Context, who awsapi.Caller, in adminapi.CertificateInput,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.DeleteIdPCertificate(ctx, awsdoor.Actor(who), in.CertificateID, in.Confirmation)
}
