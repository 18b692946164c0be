package aws

import "github.com/gatehouse-id/gatehouse/connect"

// Policy is an IAM policy.
type Policy struct {
	Version   string
	Statement []Statement
}

// Statement is one of a policy.
type Statement struct {
	Sid      string
	Effect   string
	Action   []string
	Resource any // "*" or a list
}

// Actions are the fewest that connect needs of AWS: it only reads. Source: the Service
// Authorization Reference.
func Actions() []connect.Permission {
	return []connect.Permission{
		{Name: "sso:ListInstances", Reason: "find the instance, here or in another Region"},
		{Name: "sso:DescribeInstance", Reason: "its Regions, its key, its network controls"},
		{Name: "sso:ListPermissionSets", Reason: "the snapshot of who has access to which account"},
		{Name: "sso:DescribePermissionSet", Reason: "their names"},
		{Name: "sso:ListManagedPoliciesInPermissionSet", Reason: "see who is an administrator of an account"},
		{Name: "sso:ListAccountsForProvisionedPermissionSet", Reason: "the accounts of each permission set"},
		{Name: "sso:ListAccountAssignments", Reason: "who has it there"},
		{Name: "identitystore:ListUsers", Reason: "compare users by name, email and external id; read them back"},
		{Name: "identitystore:ListGroups", Reason: "the same of groups"},
		{Name: "identitystore:ListGroupMemberships", Reason: "the snapshot of memberships; read them back"},
		{Name: "organizations:DescribeOrganization", Reason: "tell the organization's instance from an account's"},
		{Name: "organizations:ListDelegatedAdministrators", Reason: "only outside of the management account"},
		{Name: "cloudtrail:LookupEvents", Reason: "read one sign-in back, as proof; without it that is left out"},
		{Name: "sts:GetCallerIdentity", Reason: "whether your way in depends on IAM Identity Center (always allowed)"},
	}
}

// WriteActions are those of gatehouse sync at an identity store, and so of connect --tokenless.
func WriteActions() []connect.Permission {
	const write = "write users and groups by the API"
	return []connect.Permission{
		{Name: "identitystore:CreateUser", Reason: write}, {Name: "identitystore:UpdateUser", Reason: write},
		{Name: "identitystore:DeleteUser", Reason: "people who have left, after the grace"},
		{Name: "identitystore:CreateGroup", Reason: write}, {Name: "identitystore:UpdateGroup", Reason: write},
		{Name: "identitystore:DeleteGroup", Reason: "groups that have left the scope"},
		{Name: "identitystore:CreateGroupMembership", Reason: "members"},
		{Name: "identitystore:DeleteGroupMembership", Reason: "members"},
		{Name: "identitystore:GetGroupMembershipId", Reason: "find a membership before it ends"},
		{Name: "identitystore:ListGroupMembershipsForMember", Reason: "end all memberships of who leaves"},
		{Name: "identitystore:GetUserId", Reason: "find by name, before anything is made twice"},
		{Name: "identitystore:GetGroupId", Reason: "the same of groups"},
		{Name: "identitystore:DescribeUser", Reason: "read again what has changed meanwhile"},
		{Name: "identitystore:DescribeGroup", Reason: "the same of groups"},
	}
}

// UndoActions are those of connect undo --snapshot.
func UndoActions() []connect.Permission {
	return []connect.Permission{
		{Name: "sso:CreateAccountAssignment", Reason: "give assignments back that the snapshot has"},
		{Name: "sso:DescribeAccountAssignmentCreationStatus", Reason: "see that it is done"},
		{Name: "organizations:ListAccounts", Reason: "see which accounts are closed; without it that is tried"},
		{Name: "identitystore:DeleteUser", Reason: "only with --delete-provisioned"},
		{Name: "identitystore:DeleteGroup", Reason: "only with --delete-provisioned"},
	}
}

// ConsoleActions are those of whoever clicks at the console. AWS has no API for them.
func ConsoleActions() []connect.Permission {
	return []connect.Permission{
		{Name: "sso-directory:GetAWSSPConfigurationForDirectory", Reason: "see the ACS URL"},
		{Name: "sso-directory:CreateExternalIdPConfigurationForDirectory", Reason: "upload the tenant's metadata"},
		{Name: "sso-directory:EnableExternalIdPConfigurationForDirectory", Reason: "ACCEPT"},
		{Name: "sso-directory:CreateProvisioningTenant", Reason: "enable automatic provisioning"},
		{Name: "sso-directory:CreateBearerToken", Reason: "the access token"},
		{Name: "sso:AssociateDirectory", Reason: "change the identity source"},
		{Name: "sso:GetSsoConfiguration", Reason: "open the Settings page"},
	}
}

// PolicyOf is a policy that allows actions.
func PolicyOf(sid string, actions []connect.Permission) Policy {
	s := Statement{Sid: sid, Effect: "Allow", Resource: "*"}
	for _, a := range actions {
		s.Action = append(s.Action, a.Name)
	}
	return Policy{"2012-10-17", []Statement{s}}
}
