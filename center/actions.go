package center

import (
	"errors"
	"slices"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Action is a change that an actor asks for, under the vendor's name of it. Only this file makes
// values: a name that is written wrong elsewhere does not compile, and nobody can ask for the zero
// value but the system itself.
type Action struct {
	name string
	may  actors
}

// String returns the name that events keep.
func (a Action) String() string { return a.name }

// actors are kinds of actor, of which a kind with roles has one for each role.
type actors uint16

const (
	console                actors = 1 << iota // an administrator in the console
	consoleIfNoTenant                         // the same, but not while automatic provisioning is on
	keyOfAdministrator                        // an access key with RoleAdministrator
	keyOfUserAdministrator                    // an access key with RoleUserAdministrator
	bearerToken                               // a SCIM client
	person                                    // somebody who has proved who they are, for themselves
	stranger                                  // nobody yet
	application                               // who signs for an application, which its policy lets

	administrators = console | keyOfAdministrator

	// directory is who keeps users and groups. The console refuses it while automatic provisioning
	// is on, and the API does not. Source: user guide, "Provisioning an external identity provider
	// into IAM Identity Center using SCIM".
	directory = consoleIfNoTenant | keyOfAdministrator | keyOfUserAdministrator | bearerToken
)

// actions are all that have a line below, in its order.
var actions []Action

func line(name string, may actors) Action {
	a := Action{name, may}
	actions = append(actions, a)
	return a
}

// ActionNames are the names of all actions, in alphabetical order.
func ActionNames() (names []string) {
	for _, a := range actions {
		names = append(names, a.name)
	}
	slices.Sort(names)
	return names
}

// Who may do what. An action without a line, and an actor that its line does not name, is refused;
// the system itself may do everything. What a line grants may be refused by the rule all the same:
// people change their own devices only, for example.
var (
	ActionCreateUser            = line("CreateUser", directory)
	ActionUpdateUser            = line("UpdateUser", directory)
	ActionDeleteUser            = line("DeleteUser", directory|console) // the console may always
	ActionEnableUser            = line("EnableUser", administrators|keyOfUserAdministrator)
	ActionRevokeUser            = line("RevokeUser", administrators|keyOfUserAdministrator)
	ActionDisableUser           = line("DisableUser", administrators|keyOfUserAdministrator)
	ActionCreateGroup           = line("CreateGroup", directory)
	ActionUpdateGroup           = line("UpdateGroup", directory)
	ActionDeleteGroup           = line("DeleteGroup", directory)
	ActionCreateGroupMembership = line("CreateGroupMembership", directory)
	ActionDeleteGroupMembership = line("DeleteGroupMembership", directory)

	ActionSendPasswordLink  = line("SendPasswordLink", administrators)
	ActionUpdatePassword    = line("UpdatePassword", administrators|person)
	ActionForgotPassword    = line("ForgotPassword", person|stranger)
	ActionRegisterMfaDevice = line("RegisterMfaDevice", administrators|person)
	ActionUpdateMfaDevice   = line("UpdateMfaDevice", administrators|person)
	ActionDeleteMfaDevice   = line("DeleteMfaDevice", administrators|person)
	ActionDeleteSession     = line("DeleteSession", administrators|person)
	ActionSignOut           = line("SignOut", person)
	ActionConsoleLogin      = line("ConsoleLogin", person)
	ActionSetAdministrator  = line("SetAdministrator", 0)

	ActionAddAdministrator           = line("AddAdministrator", console)
	ActionResetAdministratorPassword = line("ResetAdministratorPassword", console)
	ActionResetAdministratorMfa      = line("ResetAdministratorMfa", console)
	ActionSignOutAdministrator       = line("SignOutAdministrator", console)
	ActionRemoveAdministrator        = line("RemoveAdministrator", console)

	ActionUpdateSignInSettings = line("UpdateSignInSettings", administrators)

	ActionExternalIdPDirectoryLogin = line("ExternalIdPDirectoryLogin", person)
	ActionCredentialVerification    = line("CredentialVerification", person)
	ActionRehearseIdentitySource    = line("RehearseIdentitySource", person)
	ActionFederate                  = line("Federate", person)
	ActionAuthorizeDevice           = line("AuthorizeDevice", person)
	ActionDenyDevice                = line("DenyDevice", person)
	ActionAuthorizeClient           = line("AuthorizeClient", person)
	ActionCreateToken               = line("CreateToken", person)
	ActionCreateTokenWithIAM        = line("CreateTokenWithIAM", application)
	ActionAssumeRole                = line("AssumeRole", application)

	ActionCreateExternalIdPConfigurationForDirectory = line(
		"CreateExternalIdPConfigurationForDirectory",
		administrators,
	)
	ActionUpdateExternalIdPConfigurationForDirectory = line(
		"UpdateExternalIdPConfigurationForDirectory",
		administrators,
	)
	ActionEnableExternalIdPConfigurationForDirectory = line(
		"EnableExternalIdPConfigurationForDirectory",
		administrators,
	)
	ActionDisableExternalIdPConfigurationForDirectory = line(
		"DisableExternalIdPConfigurationForDirectory",
		administrators,
	)
	ActionUndoIdentitySourceChange     = line("UndoIdentitySourceChange", administrators)
	ActionStartRehearsal               = line("StartRehearsal", administrators)
	ActionImportExternalIdPCertificate = line("ImportExternalIdPCertificate", administrators)
	ActionDeleteExternalIdPCertificate = line("DeleteExternalIdPCertificate", administrators)
	ActionWatchIdPMetadata             = line("WatchIdPMetadata", administrators)
	ActionAcceptIdPMetadata            = line("AcceptIdPMetadata", administrators)

	ActionCreateProvisioningTenant = line("CreateProvisioningTenant", administrators)
	ActionDeleteProvisioningTenant = line("DeleteProvisioningTenant", administrators)
	ActionCreateBearerToken        = line("CreateBearerToken", administrators)
	ActionDeleteBearerToken        = line("DeleteBearerToken", administrators)
	ActionCreateAccessKey          = line("CreateAccessKey", administrators)
	ActionUpdateAccessKey          = line("UpdateAccessKey", administrators)
	ActionDeleteAccessKey          = line("DeleteAccessKey", administrators)

	ActionPutAccount              = line("PutAccount", administrators)
	ActionPutAccountLabel         = line("PutAccountLabel", administrators)
	ActionDeleteAccountLabel      = line("DeleteAccountLabel", administrators)
	ActionImportAccounts          = line("ImportAccounts", administrators)
	ActionReplicateInstance       = line("ReplicateInstance", 0)
	ActionRecheckRoles            = line("RecheckRoles", administrators)
	ActionCreateAccountAssignment = line("CreateAccountAssignment", administrators)
	ActionDeleteAccountAssignment = line("DeleteAccountAssignment", administrators)
	ActionCreateAssignmentRule    = line("CreateAssignmentRule", administrators)
	ActionDeleteAssignmentRule    = line("DeleteAssignmentRule", administrators)
	ActionApplyAssignmentRule     = line("ApplyAssignmentRule", administrators)

	ActionCreateRequestPolicy = line("CreateRequestPolicy", administrators)
	ActionDeleteRequestPolicy = line("DeleteRequestPolicy", administrators)
	ActionPutRequestWebhook   = line("PutRequestWebhook", administrators)
	ActionRequestAccess       = line("RequestAccess", person)
	ActionExtendAccess        = line("ExtendAccess", person)
	ActionApproveAccess       = line("ApproveAccess", person)
	ActionDenyAccess          = line("DenyAccess", person)
	ActionReviewAccess        = line("ReviewAccess", person)
	ActionStartAccess         = line("StartAccess", 0)
	ActionExpireAccess        = line("ExpireAccess", 0)
	ActionEndAccess           = line("EndAccess", administrators|person)

	ActionPutAccessOwner        = line("PutAccessOwner", administrators)
	ActionDeleteAccessOwner     = line("DeleteAccessOwner", administrators)
	ActionStartAccessReview     = line("StartAccessReview", administrators)
	ActionCloseAccessReview     = line("CloseAccessReview", administrators)
	ActionConcludeAccessReview  = line("ConcludeAccessReview", 0)
	ActionConfirmReviewedAccess = line("ConfirmReviewedAccess", administrators|person)
	ActionRemoveReviewedAccess  = line("RemoveReviewedAccess", administrators|person)
	ActionRestoreReviewedAccess = line("RestoreReviewedAccess", administrators|person)
	ActionEndUnconfirmedAccess  = line("EndUnconfirmedAccess", 0)

	ActionCreatePermissionSet    = line("CreatePermissionSet", administrators)
	ActionUpdatePermissionSet    = line("UpdatePermissionSet", administrators)
	ActionDeletePermissionSet    = line("DeletePermissionSet", administrators)
	ActionProvisionPermissionSet = line("ProvisionPermissionSet", administrators)

	ActionPutInlinePolicy           = line("PutInlinePolicyToPermissionSet", administrators)
	ActionDeleteInlinePolicy        = line("DeleteInlinePolicyFromPermissionSet", administrators)
	ActionPutPermissionsBoundary    = line("PutPermissionsBoundaryToPermissionSet", administrators)
	ActionDeletePermissionsBoundary = line("DeletePermissionsBoundaryFromPermissionSet", administrators)
	ActionAttachManagedPolicy       = line("AttachManagedPolicyToPermissionSet", administrators)
	ActionDetachManagedPolicy       = line("DetachManagedPolicyFromPermissionSet", administrators)
	ActionAttachCustomerPolicy      = line("AttachCustomerManagedPolicyReferenceToPermissionSet", administrators)
	ActionDetachCustomerPolicy      = line("DetachCustomerManagedPolicyReferenceFromPermissionSet", administrators)

	ActionCreateApplication           = line("CreateApplication", administrators)
	ActionUpdateApplication           = line("UpdateApplication", administrators)
	ActionDeleteApplication           = line("DeleteApplication", administrators)
	ActionCreateApplicationAssignment = line("CreateApplicationAssignment", administrators)
	ActionDeleteApplicationAssignment = line("DeleteApplicationAssignment", administrators)

	// Of account access manager, whose application is made and deleted by the names that other
	// applications' events have too. Source: service authorization reference, account-access.
	ActionCreateEntitlement = line("CreateEntitlement", administrators)
	ActionDeleteEntitlement = line("DeleteEntitlement", administrators)

	// Source: user guide, "Logging IAM Identity Center API calls with CloudTrail".
	ActionUpdateApplicationServiceProvider = line(
		"UpdateApplicationInstanceServiceProviderConfiguration",
		administrators,
	)
	ActionUpdateApplicationResponse       = line("UpdateApplicationInstanceResponseConfiguration", administrators)
	ActionUpdateApplicationResponseSchema = line(
		"UpdateApplicationInstanceResponseSchemaConfiguration",
		administrators,
	)
	ActionCreateApplicationCertificate   = line("CreateApplicationInstanceCertificate", administrators)
	ActionDeleteApplicationCertificate   = line("DeleteApplicationInstanceCertificate", administrators)
	ActionActivateApplicationCertificate = line("UpdateApplicationInstanceActiveCertificate", administrators)

	ActionPutApplicationAssignmentConfiguration = line("PutApplicationAssignmentConfiguration", administrators)
	ActionPutApplicationSessionConfiguration    = line("PutApplicationSessionConfiguration", administrators)
	ActionPutApplicationAccessScope             = line("PutApplicationAccessScope", administrators)
	ActionDeleteApplicationAccessScope          = line("DeleteApplicationAccessScope", administrators)
	ActionPutApplicationAuthenticationMethod    = line("PutApplicationAuthenticationMethod", administrators)
	ActionDeleteApplicationAuthenticationMethod = line("DeleteApplicationAuthenticationMethod", administrators)
	ActionPutApplicationGrant                   = line("PutApplicationGrant", administrators)
	ActionDeleteApplicationGrant                = line("DeleteApplicationGrant", administrators)
	ActionCreateTrustedTokenIssuer              = line("CreateTrustedTokenIssuer", administrators)
	ActionUpdateTrustedTokenIssuer              = line("UpdateTrustedTokenIssuer", administrators)
	ActionDeleteTrustedTokenIssuer              = line("DeleteTrustedTokenIssuer", administrators)

	ActionUpdateInstance      = line("UpdateInstance", administrators)
	ActionUpdateIdentityStore = line("UpdateIdentityStore", administrators)
	ActionAddRegion           = line("AddRegion", administrators)
	ActionRemoveRegion        = line("RemoveRegion", administrators)
	ActionTagResource         = line("TagResource", administrators)
	ActionUntagResource       = line("UntagResource", administrators)
	ActionCreateAccessControl = line("CreateInstanceAccessControlAttributeConfiguration", administrators)
	ActionUpdateAccessControl = line("UpdateInstanceAccessControlAttributeConfiguration", administrators)
	ActionDeleteAccessControl = line("DeleteInstanceAccessControlAttributeConfiguration", administrators)
)

// actorsOf says which of the actors of a line somebody is. Who is none of them may do nothing.
func actorsOf(by audit.Actor) actors {
	switch by.Kind {
	case audit.AccessKey:
		switch KeyRole(by.Role) {
		case RoleAdministrator:
			return keyOfAdministrator
		case RoleUserAdministrator:
			return keyOfUserAdministrator
		case RoleReadOnly: // reads are not actions
		}
	case audit.Administrator:
		return console | consoleIfNoTenant
	case audit.Provisioning:
		return bearerToken
	case audit.User:
		return person
	case audit.Anonymous:
		return stranger
	case audit.Application:
		return application
	case audit.System: // may do everything
	}
	return 0
}

// authorize refuses an actor whom the action's line does not name.
func (c *Center) authorize(tx Reader, by audit.Actor, action Action) error {
	if by.Kind == audit.System {
		return nil
	}
	granted := action.may & actorsOf(by)
	if granted == 0 {
		e := &refusal.Error{Code: NotAllowed, Subject: action.name}
		if by.Kind == audit.AccessKey {
			e.Detail = "the access key has the role " + by.Role
		}
		return e
	}
	if granted != consoleIfNoTenant {
		return nil
	}
	_, err := tx.ProvisioningTenant()
	if errors.Is(err, refusal.ErrNoRow) {
		return nil
	}
	if err == nil {
		return &refusal.Error{Code: ManagedByProvisioning}
	}
	return err
}
