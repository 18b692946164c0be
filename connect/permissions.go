package connect

// Permission is one that connect needs, and why.
type Permission struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// GraphPermissions are the fewest that connect needs of Microsoft Graph, for a person who signs in
// (delegated), with the role Cloud Application Administrator. Source: the reference page of each
// call.
func GraphPermissions() []Permission {
	return []Permission{
		{"Application.ReadWrite.All", "create the enterprise application and set its SAML settings and certificate"},
		{"AppRoleAssignment.ReadWrite.All", "assign groups to it"},
		{"Synchronization.ReadWrite.All", "create the provisioning job, save its token, test and start it"},
		{"User.Read.All", "compare everybody with the users at AWS"},
		{"GroupMember.Read.All", "see whom the assigned groups reach, and who is in nested ones only"},
		{"Policy.Read.All", "read the claim that names people, to compare it with the user name"},
		{"Organization.Read.All", "see which tenant it is, and whether its license (P1) lets groups be assigned"},
		{"AuditLog.Read.All", "read the sign-in and the provisioning log back, as proof"},
		{"Directory.Read.All", "read the provisioning log, which asks for both"},
	}
}
