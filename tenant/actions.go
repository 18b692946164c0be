package tenant

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// Action is a change that an actor asks for, under Entra's name of it in the audit log. Only this
// file makes values: a name that is written wrong elsewhere does not compile, and nobody can ask
// for the zero value but the system itself.
type Action struct {
	name string
	may  actors
}

// String returns the name that events keep.
func (a Action) String() string { return a.name }

// actors are kinds of actor.
type actors uint8

const (
	adminCenter actors = 1 << iota // an administrator in the admin center
	graph                          // a client of Microsoft Graph, whose permissions the door has checked
	person                         // somebody who has proved who they are, for themselves
	stranger                       // nobody yet

	administrators = adminCenter | graph
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
// the system itself may do everything.
var (
	ActionAddUser               = line("Add user", administrators)
	ActionUpdateUser            = line("Update user", administrators)
	ActionDeleteUser            = line("Delete user", administrators)
	ActionRestoreUser           = line("Restore user", administrators)
	ActionHardDeleteUser        = line("Hard Delete user", administrators)
	ActionResetPassword         = line("Reset password", administrators)
	ActionRevokeSessions        = line("Revoke sessions", administrators)
	ActionDeleteSecurityInfo    = line("Admin deleted security info", administrators)
	ActionAddGroup              = line("Add group", administrators)
	ActionUpdateGroup           = line("Update group", administrators)
	ActionDeleteGroup           = line("Delete group", administrators)
	ActionRestoreGroup          = line("Restore Group", administrators)
	ActionHardDeleteGroup       = line("Hard Delete group", administrators)
	ActionAddMemberToGroup      = line("Add member to group", administrators)
	ActionRemoveMemberFromGroup = line("Remove member from group", administrators)
	ActionAddOwnerToGroup       = line("Add owner to group", administrators)
	ActionRemoveOwnerFromGroup  = line("Remove owner from group", administrators)

	ActionAddMemberToRole      = line("Add member to role", administrators)
	ActionSetSecurityDefaults  = line("Update security defaults", administrators)
	ActionRemoveMemberFromRole = line("Remove member from role", administrators)

	ActionAddApplication        = line("Add application", administrators)
	ActionDeleteApplication     = line("Delete application", administrators)
	ActionRestoreApplication    = line("Restore application", administrators)
	ActionHardDeleteApplication = line("Hard Delete application", administrators)
	ActionAddServicePrincipal   = line("Add service principal", administrators)
	ActionUpdateApplication     = line("Update application", administrators)
	ActionSetPolicy             = line("Set policy", administrators)
	ActionAttachPolicy          = line("Attach policy", administrators)
	ActionDeletePolicy          = line("Delete policy", administrators)

	ActionAddPermissionGrant    = line("Add delegated permission grant", administrators)
	ActionRemovePermissionGrant = line("Remove delegated permission grant", administrators)

	ActionAddAppRoleAssignmentGrantToUser = line("Add app role assignment grant to user", administrators)
	ActionRemoveAppRoleAssignmentFromUser = line("Remove app role assignment from user", administrators)

	ActionAddProvisioningConfiguration           = line("Add provisioning configuration", administrators)
	ActionUpdateProvisioningSettingOrCredentials = line("Update provisioning setting or credentials", administrators)
	ActionUpdateAttributeMappingsOrScope         = line("Update attribute mappings or scope", administrators)
	ActionEnableStartProvisioningConfiguration   = line("Enable/start provisioning configuration", administrators)
	ActionEnableRestartProvisioningConfiguration = line("Enable/restart provisioning configuration", administrators)
	ActionDisablePauseProvisioningConfiguration  = line("Disable/pause provisioning configuration", administrators)
	ActionDeleteProvisioningConfiguration        = line("Delete provisioning configuration", administrators)
	ActionProvisionOnDemand                      = line("Provision on demand", administrators)
	ActionMoveClock                              = line("Move clock", administrators)

	ActionAddAdministrator           = line("Add administrator", adminCenter)
	ActionResetAdministratorPassword = line("Reset administrator password", adminCenter)
	ActionResetAdministratorFactors  = line("Reset administrator sign-in methods", adminCenter)
	ActionSignOutAdministrator       = line("Sign out administrator", adminCenter)
	ActionEndAdministratorSession    = line("End administrator session", adminCenter)
	ActionRemoveAdministrator        = line("Remove administrator", adminCenter)
	ActionChangePassword             = line("Change password", person|adminCenter)

	ActionSetAdministrator     = line("Set administrator", 0)
	ActionImportUsers          = line("Import users", 0)
	ActionImportGroups         = line("Import groups", 0)
	ActionImportMembers        = line("Import members", 0)
	ActionReplicateDirectory   = line("Replicate directory", 0)
	ActionReplicateAssignments = line("Replicate assignments", 0)

	ActionUserLoggedIn          = line("UserLoggedIn", person)
	ActionAdministratorLoggedIn = line("AdministratorLoggedIn", person)
	ActionSignOut               = line("Sign out", person|adminCenter)
	ActionRegisterAuthenticator = line("Register authenticator", person|adminCenter)
	ActionRegisterSecurityKey   = line("Register security key", person|adminCenter)
	ActionDeleteSignInMethod    = line("Delete sign-in method", person|adminCenter)
	ActionConsentToApplication  = line("Consent to application", person)
	ActionAllowDevice           = line("Allow device", person)
	ActionDeclineDevice         = line("Decline device", person)

	// ActionSignIn is a sign-in to an application. The subject of its events is the application, or
	// the user of one that was refused.
	ActionSignIn = line("Sign-in", person)
)

// actorsOf says which of the actors of a line somebody is. Who is none of them may do nothing.
func actorsOf(by audit.Actor) actors {
	switch by.Kind {
	case audit.Administrator:
		return adminCenter
	case audit.Application:
		return graph
	case audit.User:
		return person
	case audit.Anonymous:
		return stranger
	case audit.System, audit.AccessKey, audit.Provisioning: // may do everything; kinds of the center
	}
	return 0
}

// authorize refuses an actor whom the action's line does not name.
func authorize(by audit.Actor, action Action) error {
	if by.Kind == audit.System || action.may&actorsOf(by) != 0 {
		return nil
	}
	return &refusal.Error{Code: NotAllowed, Subject: action.name}
}
