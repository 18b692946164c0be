package graphserver

import (
	"net/http"
	"strings"
)

// needed is what calls under a path need: one of these permissions to read, or to write. Source: the permissions of each call in the Graph reference.
var needed = []struct {
	prefix, inside string // what the path begins with and contains
	read, write    []string
}{
	{"/$batch", "", nil, nil}, // its parts are asked for theirs
	{"/me", "", []string{"User.Read", "User.Read.All", "User.ReadWrite.All", "Directory.Read.All"}, nil},
	{"/gatehouse/", "", nil, []string{"Directory.ReadWrite.All"}},
	{"/policies/", "", []string{"Policy.Read.All", "Policy.ReadWrite.ApplicationConfiguration"}, []string{"Policy.ReadWrite.ApplicationConfiguration"}},
	{"/organization", "", []string{"Organization.Read.All", "Directory.Read.All", "Directory.ReadWrite.All"}, nil},
	{"/auditLogs/", "", []string{"AuditLog.Read.All", "Directory.Read.All"}, nil},
	{"/applicationTemplates", "/instantiate", nil, []string{"Application.ReadWrite.All"}},
	{"/applicationTemplates", "", nil, nil},
	{"/", "/appRoleAssign", []string{"AppRoleAssignment.ReadWrite.All", "Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"}, []string{"AppRoleAssignment.ReadWrite.All"}},
	{"/servicePrincipals", "/synchronization", []string{"Synchronization.Read.All", "Synchronization.ReadWrite.All"}, []string{"Synchronization.ReadWrite.All"}},
	{"/applications", "", []string{"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"}, []string{"Application.ReadWrite.All"}},
	{"/servicePrincipals", "", []string{"Application.Read.All", "Application.ReadWrite.All", "Directory.Read.All"}, []string{"Application.ReadWrite.All"}},
	{"/groups", "/members", []string{"GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All"}, []string{"GroupMember.ReadWrite.All", "Group.ReadWrite.All", "Directory.ReadWrite.All"}},
	{"/groups", "", []string{"GroupMember.Read.All", "GroupMember.ReadWrite.All", "Group.Read.All", "Group.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}, []string{"Group.ReadWrite.All", "Directory.ReadWrite.All"}},
	{"/users", "/revokeSignInSessions", nil, []string{"User.RevokeSessions.All", "User.ReadWrite.All", "Directory.ReadWrite.All"}},
	{"/users", "", []string{"User.Read.All", "User.ReadWrite.All", "Directory.Read.All", "Directory.ReadWrite.All"}, []string{"User.ReadWrite.All", "Directory.ReadWrite.All"}},
}

// needs says which permissions a call needs, one of them, and whether it writes.
func needs(method, path string) (any []string, writes bool) {
	writes = method != http.MethodGet && path != "/$batch"
	for _, n := range needed {
		if strings.HasPrefix(path, n.prefix) && strings.Contains(path, n.inside) {
			if writes {
				return n.write, true
			}
			return n.read, false
		}
	}
	return nil, writes // there is nothing there
}
