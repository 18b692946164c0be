package adminserver

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"

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
	r, err := h.Center.PreviewSourceChange(ctx, to, known)
	out := adminapi.Report{
		From:      string(r.From),
		To:        string(r.To),
		Total:     r.Total,
		LockedOut: r.LockedOut,
		Counts:    map[string]int{},
		Users:     []adminapi.UserEffect{},
	}
	for effect, n := range r.Counts {
		out.Counts[string(effect)] = n
	}
	for _, u := range r.Users {
		out.Users = append(out.Users, adminapi.UserEffect{
			UserID:        string(u.User.ID),
			UserName:      u.User.UserName,
			DisplayName:   u.User.DisplayName,
			Effect:        string(u.Effect),
			Explanation:   u.Effect.Explain(),
			Administrator: u.Administrator,
		})
	}
	return out, err
}

func (h *Handler) createConfiguration(
	ctx context.Context, who awsapi.Caller, in adminapi.CreateConfigurationInput,
) (adminapi.Configuration, error) {
	idp, err := idpmetadata.Parse([]byte(in.MetadataXML))
	if err != nil {
		return adminapi.Configuration{}, h.Center.Refuse(
			ctx, awsdoor.Actor(who), "CreateExternalIdPConfigurationForDirectory", "", err,
		)
	}
	idp, err = h.Center.CreateIdPConfiguration(ctx, awsdoor.Actor(who), idp)
	return showConfiguration(idp, adminapi.StatusPending), err
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
		out.Configurations = append(out.Configurations, showConfiguration(*s.IdP, adminapi.StatusEnabled))
	}
	if s.Pending != nil {
		out.Configurations = append(out.Configurations, showConfiguration(*s.Pending, adminapi.StatusPending))
	}
	return out, err
}

func (h *Handler) enableConfiguration(
	ctx context.Context, who awsapi.Caller, in adminapi.ChangeInput,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.EnableIdPConfiguration(
		ctx, awsdoor.Actor(who), in.ConfigurationID, in.Confirmation,
	)
}

func (h *Handler) disableConfiguration(
	ctx context.Context, who awsapi.Caller, in adminapi.ConfirmInput,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.DisableIdPConfiguration(ctx, awsdoor.Actor(who), in.Confirmation)
}

func (h *Handler) updateConfiguration(
	ctx context.Context, who awsapi.Caller, in adminapi.UpdateConfigurationInput,
) (adminapi.None, error) {
	if in.IdPInitiatedSignIn == nil {
		return adminapi.None{}, &refusal.Error{
			Code:   center.InvalidValue,
			Field:  "IdPInitiatedSignIn",
			Detail: "use true or false",
		}
	}
	return adminapi.None{}, h.Center.AllowIdPInitiated(ctx, awsdoor.Actor(who), *in.IdPInitiatedSignIn)
}

func (h *Handler) undoSourceChange(
	ctx context.Context, who awsapi.Caller, in adminapi.ConfirmInput,
) (adminapi.None, error) {
	return adminapi.None{}, h.Center.UndoSourceChange(ctx, awsdoor.Actor(who), in.Confirmation)
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
	der, err := center.ReadCertificate([]byte(in.X509CertificateInPem))
	if err != nil {
		return adminapi.None{}, h.Center.Refuse(ctx, awsdoor.Actor(who), "ImportExternalIdPCertificate", "", err)
	}
	return adminapi.None{}, h.Center.ImportIdPCertificate(ctx, awsdoor.Actor(who), der)
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
