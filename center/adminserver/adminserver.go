// Package adminserver is the center's door for adminapi: what AWS offers only in its console, for
// programs that sign their requests as for AWS's own APIs.
//
// It may import adminapi, audit, awsapi, center, center/awsdoor, center/iam, center/idpmetadata,
// center/proof, names, refusal and saml.
package adminserver

import (
	"context"
	"slices"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/awsapi"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/center/awsdoor"
	"github.com/gatehouse-id/gatehouse/center/idpmetadata"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Handler serves the admin API.
type Handler struct {
	Center *center.Center
	// SPMetadata writes the service provider metadata. The sign-in door provides it.
	SPMetadata func(context.Context) ([]byte, error)
	// Metadata looks at what an identity provider publishes at the address that an administrator
	// names.
	Metadata *idpmetadata.Watcher
	// ShowRequest is a request for access on the wire. The door for people provides it.
	ShowRequest func(center.AccessRequest) adminapi.AccessRequest
	// ShowReview and ShowReviewLines are the same for reviews of access.
	ShowReview      func(center.AccessReview) adminapi.AccessReview
	ShowReviewLines func([]center.ShownLine) adminapi.ReviewLines
}

// Service is the admin API for awsapi.Handler.
func (h *Handler) Service() awsapi.Service {
	return awsapi.Service{
		Target: adminapi.Target, SigningName: adminapi.SigningName, Answer: Answer,
		Refused: awsdoor.Refused(h.Center), Authorize: awsdoor.Authorize,
		Admit: awsdoor.AdmitFromHere(h.Center, center.NetworkOfInstance),
		Operations: slices.Concat(h.accessOperations(), []awsapi.Operation{
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
			awsapi.Op("GetRoleTemplate", awsapi.Reads, h.roleTemplate),
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
			awsapi.Op("WatchIdPMetadata", awsapi.Changes, h.watchMetadata),
			awsapi.Op("AcceptIdPMetadata", awsapi.Changes, h.acceptMetadata),
			awsapi.Op("DescribeSignInSettings", awsapi.Reads, h.describeSignIn),
			awsapi.Op("UpdateSignInSettings", awsapi.Changes, h.updateSignIn),
			awsapi.Op("RemoveNetworkControls", awsapi.Changes, h.openNetworks),
			awsapi.Op("SearchUsers", awsapi.Reads, h.searchUsers),
			awsapi.Op("DescribeUser", awsapi.Reads, h.describeUser),
			awsapi.Op("EnableUser", awsapi.Changes, h.enableUser),
			awsapi.Op("DisableUser", awsapi.Changes, h.disableUser),
			awsapi.Op("DescribeGroup", awsapi.Reads, h.describeGroup),
			awsapi.Op("RevokeUser", awsapi.Changes, h.revokeUser),
			awsapi.Op("ListRoleAccess", awsapi.Reads, h.listRoleAccess),
			awsapi.Op("DescribeRevocation", awsapi.Reads, h.describeRevocation),
			awsapi.Op("GetDenyTemplate", awsapi.Reads, h.denyTemplate),
			awsapi.Op("ListRevocations", awsapi.Reads, h.listRevocations),
			awsapi.Op("ListHeldAccess", awsapi.Reads, h.listHeldAccess),
			awsapi.Op("ListLeavers", awsapi.Reads, h.listLeavers),
			awsapi.Op("ListOrphans", awsapi.Reads, h.listOrphans),
			awsapi.Op("RelinkAssignments", awsapi.Changes, h.relinkAssignments),
			awsapi.Op("RemoveAccess", awsapi.Changes, h.removeAccess),
			awsapi.Op("UpdatePassword", awsapi.Changes, h.updatePassword),
			awsapi.Op("ListMfaDevicesForUser", awsapi.Reads, h.listDevices),
			awsapi.Op("DeleteMfaDeviceForUser", awsapi.Changes, h.deleteDevice),
			awsapi.Op("StartVirtualMfaDeviceRegistration", awsapi.Changes, h.startDevice),
			awsapi.Op("CompleteVirtualMfaDeviceRegistration", awsapi.Changes, h.completeDevice),
			awsapi.Op("ListSessions", awsapi.Reads, h.listSessions),
			awsapi.Op("DeleteSession", awsapi.Changes, h.deleteSession),
			awsapi.Op("DescribeApplicationSaml", awsapi.Reads, h.describeApplicationSAML),
			awsapi.Op("UpdateApplicationSaml", awsapi.Changes, h.updateApplicationSAML),
			awsapi.Op("CreateApplicationInstanceCertificate", awsapi.Changes, h.createApplicationCertificate),
			awsapi.Op("UpdateApplicationInstanceActiveCertificate", awsapi.Changes, h.activateApplicationCertificate),
			awsapi.Op("DeleteApplicationInstanceCertificate", awsapi.Changes, h.deleteApplicationCertificate),
			awsapi.Op("LookupEvents", awsapi.Reads, h.lookupEvents),
			awsapi.Op("ListNames", awsapi.Reads, h.listNames),
		}),
	}
}

// Answer maps an error to the wire, with the stable code as Reason. It is the only place that does.
func Answer(err error) *awsapi.Error {
	return awsdoor.Answer(err, func(refused *refusal.Error, e *awsapi.Error) {
		e.Message += "; " + refused.Code.Remedy()
		e.Members = map[string]any{"Reason": refused.Code.String()}
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
		IssuerURL:       h.Center.IssuerURL(),
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
		d.UndoUntil, d.UndoTo = &until, string(s.Previous.Type)
		if s.Previous.IdP != nil {
			d.UndoToEntityID = s.Previous.IdP.EntityID
		}
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
