package connect

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/graph"
)

// permissionOf is which permission each call of Microsoft Graph needs at least. The first that
// matches is it: what its path contains, and whether it changes anything. Source: the reference
// page of each call.
var permissionOf = []struct {
	path, reads, changes string
}{
	{"/auditLogs/signIns", "AuditLog.Read.All", ""},
	{"/auditLogs/", "AuditLog.Read.All and Directory.Read.All", ""},
	{"/synchronization/", "Synchronization.Read.All", "Synchronization.ReadWrite.All"},
	{"/appRoleAssignedTo", "Application.Read.All", "AppRoleAssignment.ReadWrite.All"},
	{"/claimsMappingPolicies", "Policy.Read.All", "Application.ReadWrite.All"},
	{"/applicationTemplates/", "Application.Read.All", "Application.ReadWrite.All"},
	{"/applications", "Application.Read.All", "Application.ReadWrite.All"},
	{"/servicePrincipals", "Application.Read.All", "Application.ReadWrite.All"},
	{"embers", "GroupMember.Read.All", ""}, // members and transitiveMembers
	{"/groups", "GroupMember.Read.All", ""},
	{"/users", "User.Read.All", ""},
	{"/subscribedSkus", "Organization.Read.All", ""},
	{"/organization", "Organization.Read.All", ""},
}

// Where Microsoft's roles and consent are given. Source: "Grant tenant-wide admin consent to an
// application" for the second.
const (
	rolesPage   = "https://entra.microsoft.com/#view/Microsoft_AAD_IAM/RolesManagementMenuBlade/~/AllRoles"
	consentPage = "https://login.microsoftonline.com/organizations/adminconsent?client_id="
)

// synchronizes is the permission that Microsoft's own programs lack, and that no other one
// includes. Source: "Create synchronizationJob", delegated.
const synchronizes = "Synchronization.ReadWrite.All"

// observeToken says before anything changes that the token lacks what a step will need.
func (p *Plan) observeToken() {
	job := func(s Step) bool { return s.job && !s.Done }
	if !slices.ContainsFunc(p.Steps, job) {
		return
	}
	if has, tells := p.cfg.Graph.Delegated(); tells && !slices.Contains(has, synchronizes) {
		p.Notes = append(p.Notes, "your token lacks the permission "+synchronizes+", so Microsoft Graph will most "+
			"likely refuse the provisioning job, half-way. "+graph.FixedPermissions)
	}
}

// explain adds to a refusal of Microsoft Graph which permission is missing and how it is given.
func explain(err error) error {
	var refused *graph.Error
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Status {
	case http.StatusUnauthorized:
		return fmt.Errorf(
			"%w. The sign-in to the tenant has ended or was revoked: sign in again and run this again; what was done "+
				"is kept", err,
		)
	case http.StatusForbidden:
	default:
		return err
	}
	name := permission(refused)
	if name == "" {
		return err
	}
	fixed := ""
	if strings.Contains(refused.Path, "/synchronization") || strings.Contains(refused.Path, "olicies") {
		fixed = " " + graph.FixedPermissions + "."
	}
	return fmt.Errorf(
		"%w. The call (%s %s) needs the permission %s. A person who signs in also needs the role Cloud "+
			"Application Administrator (%s), activated where PIM gives it.%s For a program, add the permission "+
			"under App registrations > API permissions and grant admin consent (%s with its client id). Then run "+
			"this again: what was done is kept",
		err, refused.Method, refused.Path, name, rolesPage, fixed, consentPage,
	)
}

// permission is the one that a refused call needs at least.
func permission(refused *graph.Error) string {
	for _, p := range permissionOf {
		switch {
		case !strings.Contains(refused.Path, p.path):
		case refused.Method != http.MethodGet && p.changes != "":
			return p.changes
		default:
			return p.reads
		}
	}
	return ""
}

// Unread is a part of a connection that could not be looked at, and the permission that is missing.
type Unread struct {
	Part       string `json:"part"`
	Detail     string `json:"detail"`
	Permission string `json:"permission"`
}

// Parts that who only looks may not be allowed to see.
const (
	partApplication = "Enterprise application"
	partJob         = "Provisioning job in the tenant"
	partSaved       = "Tenant URL, secret token and scope"
	partTest        = "Test Connection"
)

// lookedAt is the error of a look at a part. Who only looks goes on without what Microsoft Graph
// refuses to show; seen says whether it was shown.
func (p *Plan) lookedAt(part, detail string, err error) (seen bool, _ error) {
	var refused *graph.Error
	if !p.cfg.looking || !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		return err == nil, err
	}
	p.unread = append(p.unread, Unread{part, detail, permission(refused)})
	return false, nil
}

// hidden says whether a part was not shown.
func (p *Plan) hidden(part string) bool {
	return slices.ContainsFunc(p.unread, func(u Unread) bool { return u.Part == part })
}

// tooLittle says whether so little was shown that nobody can say how the connection stands.
func (p *Plan) tooLittle() bool { return p.hidden(partApplication) || p.hidden(partJob) }

// known says whether enough was shown to say that a step is done or is not.
func (p *Plan) known(s Step) bool {
	switch {
	case s.Title == provisioningTitle:
		return true
	case p.hidden(partApplication):
		return false
	case p.hidden(partJob):
		return !s.job
	}
	return s.Title != partSaved || !p.hidden(partSaved)
}
