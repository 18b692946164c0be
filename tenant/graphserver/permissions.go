package graphserver

import "github.com/gatehouse-id/gatehouse/tenant"

// needs is what a route asks of its caller. The zero value lets nobody through, and a route without
// one does not compile: its table is written without field names.
type needs struct {
	anyCaller   bool                    // whose token is good
	permissions []string                // one of them
	members     bool                    // people who are no administrators may as well
	roles       []tenant.RoleTemplateID // people with one of these directory roles, and Global Administrators
}

// allow says whether a caller may take the route.
func (n needs) allow(c tenant.Caller) bool {
	return n.anyCaller || c.May(n.permissions, n.members, n.roles)
}

// ofAdministrators asks for one of some permissions, and of people that they are administrators.
func ofAdministrators(permissions ...string) needs { return needs{permissions: permissions} }

// orOf lets people through with one of some directory roles as well. What they may change is for
// the rules to say once more.
func (n needs) orOf(roles ...tenant.RoleTemplateID) needs {
	n.roles = roles
	return n
}

// ofMembers asks for one of some permissions; people of the directory may with it. It is for
// reading only. Source: "What are the default user permissions in Microsoft Entra ID?".
func ofMembers(permissions ...string) needs { return needs{permissions: permissions, members: true} }

var (
	passwordRoles = []tenant.RoleTemplateID{
		tenant.UserAdministrator, tenant.HelpdeskAdministrator, tenant.AuthenticationAdministrator,
	}
	applicationRoles = []tenant.RoleTemplateID{tenant.ApplicationAdministrator, tenant.CloudApplicationAdministrator}
	// grantRoles may assign people to applications, and grant programs delegated permissions.
	grantRoles = append(
		[]tenant.RoleTemplateID{tenant.UserAdministrator, tenant.PrivilegedRoleAdministrator}, applicationRoles...,
	)
)

// What routes need. Sources: the permissions of each call in the Graph reference, and the actions
// of each role in "Microsoft Entra built-in roles". Logs and provisioning are not among what Entra
// lets every member read: they take a role.
var (
	anyCaller = needs{anyCaller: true} // the parts of a batch are asked for theirs

	toReadOneself         = ofMembers("User.Read", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All")
	toReadTheOrganization = ofMembers("Organization.Read.All", "Directory.Read.All", "Directory.ReadWrite.All")
	toMoveTheClock        = ofAdministrators("Directory.ReadWrite.All")
	toReadLogs            = ofAdministrators("AuditLog.Read.All").orOf(tenant.GlobalReader, tenant.ReportsReader,
		tenant.ApplicationAdministrator, tenant.CloudApplicationAdministrator)

	toReadObjects = ofMembers("Directory.Read.All", "Directory.ReadWrite.All")

	toReadUsers   = ofMembers("User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
	toChangeUsers = ofAdministrators("User.ReadWrite.All", "Directory.ReadWrite.All").
			orOf(passwordRoles...)
	toDeleteUsers = ofAdministrators("User.DeleteRestore.All", "User.ReadWrite.All", "Directory.ReadWrite.All").
			orOf(tenant.UserAdministrator)
	toRevokeSessions = ofAdministrators("User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All").
				orOf(passwordRoles...)

	toReadGroups = ofMembers("GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All",
		"Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All")
	toChangeGroups = ofAdministrators("Group.ReadWrite.All", "Directory.ReadWrite.All").
			orOf(tenant.UserAdministrator, tenant.GroupsAdministrator)
	toChangeMembers = ofAdministrators("GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All").
			orOf(tenant.UserAdministrator, tenant.GroupsAdministrator)

	toReadApplications   = ofMembers("Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All")
	toChangeApplications = ofAdministrators("Application.ReadWrite.All").orOf(applicationRoles...)
	toReadAssignments    = ofMembers("AppRoleAssignment.ReadWrite.All", "Application.Read.All",
		"Application.ReadWrite.All", "Directory.Read.All")
	toAssign = ofAdministrators("AppRoleAssignment.ReadWrite.All").orOf(grantRoles...)

	toReadPolicies   = ofMembers("Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration")
	toReadClaims     = toReadPolicies.orOf(applicationRoles...)
	toChangePolicies = ofAdministrators("Policy.ReadWrite.ApplicationConfiguration").orOf(applicationRoles...)

	toReadSynchronization = ofAdministrators("Synchronization.Read.All", "Synchronization.ReadWrite.All").
				orOf(append(applicationRoles, tenant.GlobalReader)...)
	toReadSecrets = ofAdministrators("Synchronization.Read.All", "Synchronization.ReadWrite.All").
			orOf(applicationRoles...)
	toSynchronize = ofAdministrators("Synchronization.ReadWrite.All").orOf(applicationRoles...)

	toReadRoles = ofMembers("RoleManagement.Read.Directory", "RoleManagement.ReadWrite.Directory",
		"Directory.Read.All", "Directory.ReadWrite.All")
	toAssignRoles = ofAdministrators("RoleManagement.ReadWrite.Directory").orOf(tenant.PrivilegedRoleAdministrator)
)
