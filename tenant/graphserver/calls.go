package graphserver

// directoryCalls are the calls on users, groups and their relations.
func (h *Handler) directoryCalls() map[string]call {
	return map[string]call{
		"POST /$batch":                              h.batch,
		"GET /me":                                   h.me,
		"GET /organization":                         h.organization,
		"GET /users":                                h.listUsers,
		"POST /users":                               h.createUser,
		"GET /users/{id}":                           h.getUser,
		"PATCH /users/{id}":                         h.updateUser,
		"DELETE /users/{id}":                        h.deleteUser,
		"GET /users/$count":                         h.countUsers,
		"GET /users/delta":                          h.usersDelta,
		"GET /users/delta()":                        h.usersDelta,
		"GET /users/{id}/memberOf":                  h.listMemberOf,
		"GET /users/{id}/memberOf/{cast}":           h.listMemberOf,
		"GET /users/{id}/transitiveMemberOf":        h.listTransitiveMemberOf,
		"GET /users/{id}/transitiveMemberOf/{cast}": h.listTransitiveMemberOf,
		"GET /users/{id}/appRoleAssignments":        h.listAssignmentsOf,
		"POST /users/{id}/appRoleAssignments":       h.assign,
		"GET /users/{id}/manager":                   h.getManager,
		"PUT /users/{id}/manager/$ref":              h.setManager,
		"DELETE /users/{id}/manager/$ref":           h.deleteManager,
		"GET /groups":                               h.listGroups,
		"POST /groups":                              h.createGroup,
		"GET /groups/{id}":                          h.getGroup,
		"PATCH /groups/{id}":                        h.updateGroup,
		"DELETE /groups/{id}":                       h.deleteGroup,
		"GET /groups/$count":                        h.countGroups,
		"GET /groups/delta":                         h.groupsDelta,
		"GET /groups/delta()":                       h.groupsDelta,
		"GET /groups/{id}/appRoleAssignments":       h.listAssignmentsOf,
		"POST /groups/{id}/appRoleAssignments":      h.assign,
		"GET /groups/{id}/memberOf":                 h.listMemberOf,
		"GET /groups/{id}/memberOf/{cast}":          h.listMemberOf,
		"GET /groups/{id}/transitiveMembers":        h.listTransitiveMembers,
		"GET /groups/{id}/transitiveMembers/{cast}": h.listTransitiveMembers,
		"GET /groups/{id}/owners":                   h.listOwners,
		"POST /groups/{id}/owners/$ref":             h.addOwner,
		"DELETE /groups/{id}/owners/{member}/$ref":  h.removeOwner,
		"GET /groups/{id}/members":                  h.listMembers,
		"GET /groups/{id}/members/{cast}":           h.listMembers,
		"POST /groups/{id}/members/$ref":            h.addMember,
		"DELETE /groups/{id}/members/{member}/$ref": h.removeMember,
	}
}

// applicationCalls are the calls on applications, their assignments and their provisioning.
func (h *Handler) applicationCalls() map[string]call {
	const (
		sp   = "/servicePrincipals/{id}"
		sync = sp + "/synchronization"
		job  = sync + "/jobs/{job}"
	)
	return map[string]call{
		"GET /applicationTemplates":                        h.listTemplates,
		"GET /applicationTemplates/{id}":                   h.getTemplate,
		"POST /applicationTemplates/{id}/instantiate":      h.instantiate,
		"GET /applications":                                h.listApplications,
		"GET /applications/{id}":                           h.getApplication,
		"PATCH /applications/{id}":                         h.updateApplication,
		"GET /servicePrincipals":                           h.listServicePrincipals,
		"GET " + sp:                                        h.getServicePrincipal,
		"PATCH " + sp:                                      h.updateServicePrincipal,
		"POST " + sp + "/addTokenSigningCertificate":       h.addTokenSigningCertificate,
		"GET " + sp + "/appRoleAssignedTo":                 h.listAssignments,
		"POST " + sp + "/appRoleAssignedTo":                h.assign,
		"DELETE " + sp + "/appRoleAssignedTo/{assignment}": h.unassign,
		"GET " + sync + "/templates":                       h.syncTemplates,
		"GET " + sync + "/secrets":                         h.getSecrets,
		"PUT " + sync + "/secrets":                         h.putSecrets,
		"GET " + sync + "/jobs":                            h.listJobs,
		"POST " + sync + "/jobs":                           h.createJob,
		"POST " + sync + "/jobs/validateCredentials":       h.validateCredentials,
		"GET " + job:                                       h.getJob,
		"DELETE " + job:                                    h.deleteJob,
		"POST " + job + "/start":                           h.startJob,
		"POST " + job + "/pause":                           h.pauseJob,
		"POST " + job + "/restart":                         h.restartJob,
		"POST " + job + "/validateCredentials":             h.validateCredentials,
		"POST " + job + "/provisionOnDemand":               h.provisionOnDemand,
		"GET " + job + "/schema":                           h.getSchema,
		"PUT " + job + "/schema":                           h.putSchema,
		"DELETE " + job + "/schema":                        h.deleteSchema,
		"GET " + job + "/schema/filterOperators()":         h.filterOperators,
		"GET " + job + "/schema/functions()":               h.functions,
		"POST " + job + "/schema/parseExpression":          h.parseExpression,
		"GET /auditLogs/signIns":                           h.signIns,
		"GET /auditLogs/directoryAudits":                   h.directoryAudits,
		"GET /auditLogs/provisioning":                      h.provisioningLog,
	}
}
