package doctor

// Source is one place that facts come from.
type Source string

// The sources.
const (
	TenantSignIn  Source = "graph:sign-in"
	Organizations Source = "graph:organization"
	Licenses      Source = "graph:subscribedSkus"
	Apps          Source = "graph:servicePrincipals"
	Assigned      Source = "graph:appRoleAssignedTo"
	Jobs          Source = "graph:synchronization"
	Claims        Source = "graph:claimsMappingPolicies"
	FederationXML Source = "login:federationmetadata"
	People        Source = "graph:users"
	RecycleBin    Source = "graph:deletedItems"
	Circles       Source = "graph:groups"
	ProvisionLog  Source = "graph:auditLogs/provisioning"
	SignInLog     Source = "graph:auditLogs/signIns"
	Connected     Source = "graph:objectConnections"
	Permissions   Source = "graph:appRoleAssignments"

	Instances   Source = "aws:instances"
	Console     Source = "aws:console"
	Controls    Source = "aws:network"
	AWSUsers    Source = "aws:users"
	AWSGroups   Source = "aws:groups"
	AWSMembers  Source = "aws:memberships"
	Sets        Source = "aws:permissionSets"
	Grants      Source = "aws:assignments"
	AWSAccounts Source = "aws:accounts"
	Trail       Source = "aws:cloudtrail"
	SCIM        Source = "scim"

	Endpoints Source = "net:endpoints"
	Profiles  Source = "local:profiles"
)

// SourceInfo says how a source is asked, and what that takes.
type SourceInfo struct {
	Source     Source
	Asks       string // the calls
	Permission string // the least that opens it
}

// Sources lists every source. The permissions of Graph are the least that Microsoft's reference
// names for the call; those of AWS are in the Service Authorization Reference.
func Sources() []SourceInfo {
	return []SourceInfo{
		{TenantSignIn, "a token for Microsoft Graph", "a sign-in to the tenant"},
		{Organizations, "GET /organization", "Organization.Read.All"},
		{Licenses, "GET /subscribedSkus", "Organization.Read.All"},
		{Apps, "GET /servicePrincipals and /applications", "Application.Read.All"},
		{Assigned, "GET /servicePrincipals/{id}/appRoleAssignedTo", "Application.Read.All"},
		{Jobs, "GET /servicePrincipals/{id}/synchronization: jobs, schema, secrets", "Synchronization.Read.All"},
		{
			Claims, "GET /servicePrincipals/{id}/claimsMappingPolicies, and /beta …/claimsPolicy",
			"Policy.Read.All and Application.ReadWrite.All (Microsoft has no smaller one)",
		},
		{FederationXML, "the application's federation metadata at the sign-in host", "none"},
		{People, "GET /users", "User.Read.All"},
		{RecycleBin, "GET /directory/deletedItems/microsoft.graph.user", "User.Read.All"},
		{Circles, "GET /groups and /groups/{id}/members", "GroupMember.Read.All"},
		{ProvisionLog, "GET /auditLogs/provisioning", "AuditLog.Read.All and Directory.Read.All, and a P1 license"},
		{SignInLog, "GET /auditLogs/signIns", "AuditLog.Read.All, and a P1 license"},
		{
			Connected, "GET /beta …/jobs/{id}/objectConnections/{id} of whom you name",
			"SynchronizationMetadata.Read.All",
		},
		{
			Permissions, "GET /applications and /servicePrincipals/{id}/appRoleAssignments of the program that asks",
			"Application.Read.All",
		},
		{Instances, "sso-admin ListInstances, DescribeInstance", "sso:ListInstances and sso:DescribeInstance"},
		{Console, "identity source, certificates, SCIM tokens: a Gatehouse center's API", "AWS has no public API"},
		{Controls, "identitystore DescribeIdentityStore", "identitystore:DescribeIdentityStore"},
		{AWSUsers, "identitystore ListUsers", "identitystore:ListUsers"},
		{AWSGroups, "identitystore ListGroups", "identitystore:ListGroups"},
		{AWSMembers, "identitystore ListGroupMemberships", "identitystore:ListGroupMemberships"},
		{
			Sets, "sso-admin ListPermissionSets, DescribePermissionSet, ListAccountsForProvisionedPermissionSet and " +
				"ListCustomerManagedPolicyReferencesInPermissionSet", "the actions sso: of the same names",
		},
		{
			Grants, "sso-admin ListAccountAssignments, ListAccountAssignmentCreationStatus and " +
				"DescribeAccountAssignmentCreationStatus", "the actions sso: of the same names",
		},
		{
			AWSAccounts, "organizations DescribeOrganization, ListAccounts, ListDelegatedAdministrators",
			"the actions organizations: of the same names",
		},
		{Trail, "cloudtrail LookupEvents, in the Region and account of the instance", "cloudtrail:LookupEvents"},
		{SCIM, "GET ServiceProviderConfig, and a search for nobody", "an access token of the SCIM service"},
		{Endpoints, "DNS, TLS and the clock of each address that the sides name", "none"},
		{Profiles, "the AWS configuration file of this machine", "none"},
	}
}
