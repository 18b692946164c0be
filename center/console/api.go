package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/names"
)

// Service is the admin API for awsapi.Handler.
func (h *Handler) Service() awsapi.Service {
	return awsapi.Service{
		Target: adminapi.Target, SigningName: adminapi.SigningName, Answer: Answer,
		Refused: awsdoor.Refused(h.Center), Authorize: awsdoor.Authorize,
		Operations: []awsapi.Operation{
			awsapi.Op("DescribeDirectory", awsapi.Reads, h.describeDirectory),
			awsapi.Op("GetAWSSPConfigurationForDirectory", awsapi.Reads, h.serviceProvider),
			awsapi.Op("PreviewIdentitySourceChange", awsapi.Reads, h.preview),
			awsapi.Op("CreateExternalIdPConfigurationForDirectory", awsapi.Changes, h.createConfiguration),
			awsapi.Op("ListExternalIdPConfigurationsForDirectory", awsapi.Reads, h.listConfigurations),
			awsapi.Op("EnableExternalIdPConfigurationForDirectory", awsapi.Changes, h.enableConfiguration),
			awsapi.Op("DisableExternalIdPConfigurationForDirectory", awsapi.Changes, h.disableConfiguration),
			awsapi.Op("CreateProvisioningTenant", awsapi.Changes, h.createTenant),
			awsapi.Op("ListProvisioningTenants", awsapi.Reads, h.listTenants),
			awsapi.Op("DeleteProvisioningTenant", awsapi.Changes, h.deleteTenant),
			awsapi.Op("CreateBearerToken", awsapi.Changes, h.createBearerToken),
			awsapi.Op("ListBearerTokens", awsapi.Reads, h.listBearerTokens),
			awsapi.Op("DeleteBearerToken", awsapi.Changes, h.deleteBearerToken),
			awsapi.Op("ListAccounts", awsapi.Reads, h.listAccounts),
			awsapi.Op("PutAccounts", awsapi.Changes, h.putAccounts),
			awsapi.Op("ListAccountRoles", awsapi.Reads, h.accountRoles),
			awsapi.Op("ImportAccounts", awsapi.Changes, h.importAccounts),
			awsapi.Op("DescribeAccountImport", awsapi.Reads, h.describeImport),
			awsapi.Op("ListAssignmentRules", awsapi.Reads, h.listRules),
			awsapi.Op("PreviewAssignmentRule", awsapi.Reads, h.previewRule),
			awsapi.Op("CreateAssignmentRule", awsapi.Changes, h.createRule),
			awsapi.Op("DeleteAssignmentRule", awsapi.Changes, h.deleteRule),
			awsapi.Op("ListRoles", awsapi.Reads, h.listRoles),
			awsapi.Op("RecheckRoles", awsapi.Changes, h.recheckRoles),
			awsapi.Op("ProvisionRoles", awsapi.Changes, h.provisionRoles),
			awsapi.Op("DescribeRoleRequest", awsapi.Reads, h.roleRequest),
			awsapi.Op("CreateAccessKey", awsapi.Changes, h.createAccessKey),
			awsapi.Op("ListAccessKeys", awsapi.Reads, h.listAccessKeys),
			awsapi.Op("UpdateAccessKey", awsapi.Changes, h.updateAccessKey),
			awsapi.Op("DeleteAccessKey", awsapi.Changes, h.deleteAccessKey),
			awsapi.Op("ExplainReference", awsapi.Reads, h.explainReference),
			awsapi.Op("UpdateExternalIdPConfigurationForDirectory", awsapi.Changes, h.updateConfiguration),
			awsapi.Op("UndoIdentitySourceChange", awsapi.Changes, h.undoSourceChange),
			awsapi.Op("StartRehearsal", awsapi.Changes, h.startRehearsal),
			awsapi.Op("ImportExternalIdPCertificate", awsapi.Changes, h.importCertificate),
			awsapi.Op("ListExternalIdPCertificates", awsapi.Reads, h.listCertificates),
			awsapi.Op("DeleteExternalIdPCertificate", awsapi.Changes, h.deleteCertificate),
		},
	}
}

// Answer maps an error to the wire, with the stable code as Reason. It is the only place that does.
func Answer(err error) *awsapi.Error {
	return awsdoor.Answer(err, func(refused *center.Error, e *awsapi.Error) {
		e.Message += "; " + center.Reasons[refused.Code].Remedy
		e.Members = map[string]any{"Reason": string(refused.Code)}
	})
}

func (h *Handler) describeDirectory(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.Directory, error) {
	i := h.Center.Instance
	d := adminapi.Directory{
		InstanceArn:     i.ARN,
		IdentityStoreID: i.IdentityStoreID,
		Region:          i.Region,
		AccountID:       i.OwnerAccountID,
		PortalURL:       h.Center.PortalURL(),
		ConsoleURL:      h.Center.ConsoleURL(),
	}
	s, err := h.Center.Source(ctx)
	if err != nil {
		return d, err
	}
	d.IdentitySource = string(s.Type)
	if s.Type == center.ExternalIdP {
		d.IdPInitiatedSignIn = &[]bool{!s.RequestedOnly}[0]
	}
	if s.CanUndo(h.Center.Now()) {
		until := s.Previous.ChangedAt.Add(center.UndoFor)
		d.UndoUntil = &until
	}
	err = h.Center.Store.View(ctx, func(r center.Reader) (err error) {
		if d.UserCount, err = r.CountUsers(center.UserQuery{}); err != nil {
			return err
		}
		d.GroupCount, err = r.CountGroups(center.GroupQuery{})
		return err
	})
	return d, err
}

func (h *Handler) serviceProvider(
	ctx context.Context, _ awsapi.Caller, _ adminapi.None,
) (adminapi.ServiceProvider, error) {
	metadata, err := h.SPMetadata(ctx)
	return adminapi.ServiceProvider{
		EntityID:    h.Center.EntityID(),
		AcsURLs:     []string{h.Center.ACSURL()},
		SignInURL:   h.Center.PortalURL(),
		MetadataXML: string(metadata),
	}, err
}

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
		return adminapi.Report{}, &center.Error{
			Code:   center.InvalidValue,
			Field:  "IdentitySource",
			Detail: "want DIRECTORY or EXTERNAL_IDP",
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
			UserID: string(
				u.User.ID,
			), UserName: u.User.UserName, DisplayName: u.User.DisplayName, Effect: string(u.Effect),
			Explanation: u.Effect.Explain(), Administrator: u.Administrator})
	}
	return out, err
}

func (h *Handler) createConfiguration(
	ctx context.Context, who awsapi.Caller, in adminapi.CreateConfigurationInput,
) (adminapi.Configuration, error) {
	idp, err := parseIdP([]byte(in.MetadataXML))
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
		SignInURL:       idp.SignInURL,
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
		return adminapi.None{}, &center.Error{
			Code:   center.InvalidValue,
			Field:  "IdPInitiatedSignIn",
			Detail: "want true or false",
		}
	}
	return adminapi.None{}, h.Center.AllowIdPInitiated(ctx, awsdoor.Actor(who), *in.IdPInitiatedSignIn)
}

func (h *Handler) showTenant(t center.ProvisioningTenant) adminapi.Tenant {
	return adminapi.Tenant{TenantID: t.ID, ScimEndpoint: h.Center.SCIMEndpoint(t), CreationTime: t.CreatedAt}
}

func (h *Handler) createTenant(ctx context.Context, who awsapi.Caller, _ adminapi.None) (adminapi.Tenant, error) {
	t, err := h.Center.CreateProvisioningTenant(ctx, awsdoor.Actor(who))
	return h.showTenant(t), err
}

func (h *Handler) listTenants(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.Tenants, error) {
	t, err := h.Center.ProvisioningTenant(ctx)
	if center.CodeOf(err) == center.ProvisioningOff {
		return adminapi.Tenants{Tenants: []adminapi.Tenant{}}, nil
	}
	return adminapi.Tenants{Tenants: []adminapi.Tenant{h.showTenant(t)}}, err
}

// ofTenant refuses the id of a SCIM tenant that is not there.
func (h *Handler) ofTenant(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	t, err := h.Center.ProvisioningTenant(ctx)
	if err == nil && t.ID != id {
		err = &center.Error{
			Code:   center.InvalidValue,
			Field:  "TenantId",
			Detail: "there is no such tenant; ListProvisioningTenants has the one that there is",
		}
	}
	return err
}

func (h *Handler) deleteTenant(ctx context.Context, who awsapi.Caller, in adminapi.TenantInput) (adminapi.None, error) {
	if err := h.ofTenant(ctx, in.TenantID); err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.DeleteProvisioningTenant(ctx, awsdoor.Actor(who))
}

func showToken(t center.BearerToken) adminapi.BearerToken {
	out := adminapi.BearerToken{
		TokenID:         t.ID,
		TenantID:        t.TenantID,
		Profile:         string(t.Profile),
		LastUsedAddress: t.LastUsedAddress,
		CreationTime:    t.CreatedAt,
		ExpirationTime:  t.ExpiresAt,
	}
	if !t.LastUsedAt.IsZero() {
		out.LastUsedTime = &t.LastUsedAt
	}
	return out
}

func (h *Handler) createBearerToken(
	ctx context.Context, who awsapi.Caller, in adminapi.NewToken,
) (adminapi.BearerToken, error) {
	if err := h.ofTenant(ctx, in.TenantID); err != nil {
		return adminapi.BearerToken{}, err
	}
	t, secret, err := h.Center.CreateBearerToken(ctx, awsdoor.Actor(who), center.Profile(in.Profile))
	out := showToken(t)
	out.Value = secret.Reveal()
	return out, err
}

func (h *Handler) listBearerTokens(
	ctx context.Context, _ awsapi.Caller, in adminapi.TenantInput,
) (adminapi.BearerTokens, error) {
	if err := h.ofTenant(ctx, in.TenantID); err != nil {
		return adminapi.BearerTokens{}, err
	}
	tokens, err := h.Center.BearerTokens(ctx)
	out := adminapi.BearerTokens{BearerTokens: []adminapi.BearerToken{}}
	for _, t := range tokens {
		out.BearerTokens = append(out.BearerTokens, showToken(t))
	}
	return out, err
}

func (h *Handler) deleteBearerToken(
	ctx context.Context, who awsapi.Caller, in adminapi.TokenInput,
) (adminapi.None, error) {
	if err := h.ofTenant(ctx, in.TenantID); err != nil {
		return adminapi.None{}, err
	}
	return adminapi.None{}, h.Center.DeleteBearerToken(ctx, awsdoor.Actor(who), in.TokenID)
}

func showKey(k center.AccessKey) adminapi.AccessKey {
	out := adminapi.AccessKey{
		AccessKeyID:     k.ID,
		UserName:        k.Principal,
		Role:            string(k.EffectiveRole()),
		Status:          adminapi.KeyActive,
		CreateDate:      k.CreatedAt,
		LastUsedService: k.LastUsedService,
		LastUsedAddress: k.LastUsedAddress,
	}
	if k.Disabled {
		out.Status = adminapi.KeyInactive
	}
	if !k.LastUsedAt.IsZero() {
		out.LastUsedDate = &k.LastUsedAt
	}
	return out
}

func (h *Handler) createAccessKey(
	ctx context.Context, who awsapi.Caller, in adminapi.NewKey,
) (adminapi.AccessKey, error) {
	k, secret, err := h.Center.CreateAccessKey(ctx, awsdoor.Actor(who), in.UserName, center.KeyRole(in.Role))
	if err != nil {
		return adminapi.AccessKey{}, err
	}
	out := showKey(k)
	out.SecretAccessKey = secret.Reveal()
	return out, nil
}

func (h *Handler) listAccessKeys(ctx context.Context, _ awsapi.Caller, _ adminapi.None) (adminapi.AccessKeys, error) {
	keys, err := h.Center.AccessKeys(ctx)
	out := adminapi.AccessKeys{AccessKeyMetadata: []adminapi.AccessKey{}}
	for _, k := range keys {
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, showKey(k))
	}
	return out, err
}

func (h *Handler) updateAccessKey(
	ctx context.Context, who awsapi.Caller, in adminapi.KeyStatus,
) (adminapi.None, error) {
	if in.Status != adminapi.KeyActive && in.Status != adminapi.KeyInactive {
		return adminapi.None{}, h.Center.Refuse(
			ctx, awsdoor.Actor(who), "UpdateAccessKey", in.AccessKeyID,
			&center.Error{Code: center.InvalidValue, Field: "Status", Detail: "want Active or Inactive"},
		)
	}
	return adminapi.None{}, h.Center.SetAccessKeyEnabled(
		ctx, awsdoor.Actor(who), in.AccessKeyID, in.Status == adminapi.KeyActive,
	)
}

func (h *Handler) deleteAccessKey(ctx context.Context, who awsapi.Caller, in adminapi.KeyInput) (adminapi.None, error) {
	return adminapi.None{}, h.Center.DeleteAccessKey(ctx, awsdoor.Actor(who), in.AccessKeyID)
}

func (h *Handler) explainReference(
	ctx context.Context, _ awsapi.Caller, in adminapi.ReferenceInput,
) (adminapi.Events, error) {
	list, err := h.Center.Explain(ctx, in.Reference)
	out := adminapi.Events{Events: []adminapi.Event{}}
	for _, x := range list {
		out.Events = append(
			out.Events,
			adminapi.Event{
				EventTime:       x.Time,
				EventName:       x.Action,
				Subject:         x.Subject,
				ActorType:       string(x.Actor.Kind),
				ActorName:       x.Actor.Name,
				SourceIPAddress: x.Actor.Address,
				Result:          x.Result,
				ErrorCode:       x.Code,
				What:            x.What,
				Detail:          x.Detail,
				Remedy:          x.Remedy,
				Check:           x.Check,
				Expected:        x.Want,
				Received:        x.Got,
			},
		)
	}
	return out, err
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
