package tenant

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/refusal"
)

// RoleTemplateID is the id by which a directory role is the same in every tenant: a UUID.
type RoleTemplateID string

// The directory roles that mean something here. Source: "Microsoft Entra built-in roles".
const (
	GlobalAdministrator           RoleTemplateID = "62e90394-69f5-4237-9190-012177145e10"
	GlobalReader                  RoleTemplateID = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
	PrivilegedRoleAdministrator   RoleTemplateID = "e8611ab8-c189-46e8-94e1-60213ab1f814"
	UserAdministrator             RoleTemplateID = "fe930be7-5e62-47db-91af-98c3a49a38b1"
	HelpdeskAdministrator         RoleTemplateID = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
	AuthenticationAdministrator   RoleTemplateID = "c4e39bd9-1100-46d3-8c65-fb160da0071f"
	GroupsAdministrator           RoleTemplateID = "fdd7a751-b60b-444a-984c-02652fe8fa1c"
	ApplicationAdministrator      RoleTemplateID = "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3"
	CloudApplicationAdministrator RoleTemplateID = "158c047a-c907-4556-b7ef-446551a6b5f7"
	ReportsReader                 RoleTemplateID = "4a5d8f65-41da-4de4-8968-e035b65339cf"
)

// DirectoryRole is a role that administrators of the directory can have.
type DirectoryRole struct {
	ID                       RoleTemplateID
	DisplayName, Description string
	may                      []Action         // what its holders may change; of the Global Administrator everything
	over                     []RoleTemplateID // the roles of people whom its holders may lock out
}

var (
	userActions = []Action{
		ActionAddUser, ActionUpdateUser, ActionDeleteUser, ActionRestoreUser, ActionHardDeleteUser, ActionResetPassword,
		ActionRevokeSessions,
	}
	groupActions = []Action{
		ActionAddGroup, ActionUpdateGroup, ActionDeleteGroup, ActionRestoreGroup,
		ActionAddMemberToGroup, ActionRemoveMemberFromGroup, ActionAddOwnerToGroup, ActionRemoveOwnerFromGroup,
	}
	grantActions = []Action{
		ActionAddAppRoleAssignmentGrantToUser, ActionRemoveAppRoleAssignmentFromUser,
		ActionAddPermissionGrant, ActionRemovePermissionGrant,
	}
	applicationActions = slices.Concat(grantActions, []Action{
		ActionAddApplication, ActionDeleteApplication, ActionAddServicePrincipal, ActionUpdateApplication,
		ActionRestoreApplication, ActionHardDeleteApplication, ActionSetPolicy, ActionAttachPolicy, ActionDeletePolicy,
		ActionAddProvisioningConfiguration, ActionUpdateProvisioningSettingOrCredentials,
		ActionUpdateAttributeMappingsOrScope, ActionEnableStartProvisioningConfiguration,
		ActionEnableRestartProvisioningConfiguration, ActionDisablePauseProvisioningConfiguration,
		ActionDeleteProvisioningConfiguration, ActionProvisionOnDemand,
	})
)

// DirectoryRoles are all of them.
var DirectoryRoles = []DirectoryRole{
	{
		GlobalAdministrator, "Global Administrator",
		"Can manage everything in the directory, roles and administrators included.", nil, nil,
	},
	{
		GlobalReader, "Global Reader", "Can read everything that a Global Administrator can, and change nothing.",
		nil, nil,
	},
	{
		PrivilegedRoleAdministrator, "Privileged Role Administrator",
		"Can manage the assignments of directory roles, and what programs are granted.",
		slices.Concat(grantActions, []Action{ActionAddMemberToRole, ActionRemoveMemberFromRole}), nil,
	},
	{
		UserAdministrator, "User Administrator",
		"Can manage users and groups, and reset the passwords of users who have no stronger role.",
		slices.Concat(userActions, groupActions, grantActions),
		[]RoleTemplateID{UserAdministrator, HelpdeskAdministrator, GroupsAdministrator, ReportsReader},
	},
	{
		HelpdeskAdministrator, "Helpdesk Administrator",
		"Can reset the passwords and revoke the sessions of users who have no stronger role.",
		[]Action{ActionResetPassword, ActionRevokeSessions}, []RoleTemplateID{HelpdeskAdministrator, ReportsReader},
	},
	{
		AuthenticationAdministrator, "Authentication Administrator",
		"Can reset the passwords, second factors and sessions of users who have no stronger role.",
		[]Action{ActionResetPassword, ActionRevokeSessions, ActionDeleteSecurityInfo},
		[]RoleTemplateID{AuthenticationAdministrator, ReportsReader},
	},
	{
		GroupsAdministrator, "Groups Administrator", "Can manage groups and their members.",
		slices.Concat(groupActions, []Action{ActionHardDeleteGroup}), nil,
	},
	{
		ApplicationAdministrator, "Application Administrator",
		"Can manage applications, their single sign-on, provisioning and assignments.", applicationActions, nil,
	},
	{
		CloudApplicationAdministrator, "Cloud Application Administrator",
		"Can manage applications, their single sign-on, provisioning and assignments.", applicationActions, nil,
	},
	{ReportsReader, "Reports Reader", "Can read sign-in, audit and provisioning logs.", nil, nil},
}

// RoleAssignment gives a user a directory role, in the whole tenant.
type RoleAssignment struct {
	ID          string
	RoleID      RoleTemplateID
	PrincipalID UserID
	CreatedAt   time.Time
}

// roleReader reads who has which directory role.
type roleReader interface {
	RoleAssignments() ([]RoleAssignment, error)
	RoleAssignmentsOf(UserID) ([]RoleAssignment, error)
}

// roleWriter writes who has which directory role.
type roleWriter interface {
	PutRoleAssignmentsOf(UserID, []RoleAssignment) error // all that the user has
}

// FindRole returns a directory role by its template id, or RoleNotFound.
func FindRole(id RoleTemplateID) (DirectoryRole, error) {
	for _, role := range DirectoryRoles {
		if strings.EqualFold(string(role.ID), string(id)) {
			return role, nil
		}
	}
	return DirectoryRole{}, &refusal.Error{Code: RoleNotFound, Subject: string(id)}
}

// IsAdministrator says whether an account is one of the admin center's own, who is no user.
func (id AccountID) IsAdministrator() bool { return strings.HasPrefix(string(id), administratorPrefix) }

// roleIDs are the roles of assignments.
func roleIDs(list []RoleAssignment) []RoleTemplateID {
	ids := make([]RoleTemplateID, len(list))
	for i, a := range list {
		ids[i] = a.RoleID
	}
	return ids
}

// authorizeIn refuses an actor whom the action's line does not name, and somebody of the directory
// whose roles do not allow it now.
func authorizeIn(r roleReader, by audit.Actor, action Action) error {
	if err := authorize(by, action); err != nil || by.Person == "" || AccountID(by.Person).IsAdministrator() {
		return err
	}
	held, err := r.RoleAssignmentsOf(UserID(by.Person))
	if err != nil {
		return err
	}
	for _, a := range held {
		role, err := FindRole(a.RoleID)
		if err == nil && (role.ID == GlobalAdministrator || slices.Contains(role.may, action)) {
			return nil
		}
	}
	return &refusal.Error{Code: NotAllowed, Subject: action.name, Detail: "no directory role of yours allows it"}
}

// mayLockOut refuses whoever may not touch the sign-in of somebody with their roles: passwords,
// names, the end of sessions, deletion. Whoever could would have the roles too. A program without a
// person may with nobody who has one. Source: "Who can perform sensitive actions".
func mayLockOut(r roleReader, by audit.Actor, roles []RoleAssignment) error {
	if len(roles) == 0 || by.Kind == audit.System || by.Kind == audit.User ||
		by.Kind == audit.Administrator && by.Person == "" || AccountID(by.Person).IsAdministrator() {
		return nil
	}
	var over []RoleTemplateID
	if by.Person != "" {
		held, err := r.RoleAssignmentsOf(UserID(by.Person))
		if err != nil {
			return err
		}
		for _, a := range held {
			if a.RoleID == GlobalAdministrator {
				return nil
			}
			role, _ := FindRole(a.RoleID)
			over = append(over, role.over...)
		}
	}
	for _, a := range roles {
		if !slices.Contains(over, a.RoleID) {
			return &refusal.Error{Code: NotAllowed, Subject: string(a.PrincipalID),
				Detail: "the user has a directory role: only somebody with a stronger one may do this"}
		}
	}
	return nil
}

// mayLockOutUser is mayLockOut of a user who is there.
func mayLockOutUser(r roleReader, by audit.Actor, id UserID) error {
	roles, err := r.RoleAssignmentsOf(id)
	if err != nil {
		return err
	}
	return mayLockOut(r, by, roles)
}

// AssignRole gives a user a directory role. A Privileged Role Administrator may give themselves
// any, as in Entra. It fails with RoleNotFound, UserNotFound, RoleAssignmentExists or NotAllowed.
// Source: "Microsoft Entra built-in roles", Privileged Role Administrator.
func (t *Tenant) AssignRole(
	ctx context.Context, by audit.Actor, id UserID, role RoleTemplateID,
) (a RoleAssignment, err error) {
	err = t.change(ctx, by, ActionAddMemberToRole, func(tx Tx, _ *Touched) (string, error) {
		known, err := FindRole(role)
		if err != nil {
			return string(id), err
		}
		if _, err := tx.User(id); err != nil {
			return string(id), refusal.IfNoRow(err, UserNotFound, string(id))
		}
		held, err := tx.RoleAssignmentsOf(id)
		switch {
		case err != nil:
			return string(id), err
		case slices.Contains(roleIDs(held), known.ID):
			return string(id), &refusal.Error{Code: RoleAssignmentExists, Subject: string(id)}
		}
		sum := sha256.Sum256([]byte(string(known.ID) + "/" + string(id)))
		a = RoleAssignment{base64.RawURLEncoding.EncodeToString(sum[:]), known.ID, id, t.now()}
		return string(id), tx.PutRoleAssignmentsOf(id, append(held, a))
	})
	return a, err
}

// UnassignRole takes a directory role away: what it allowed ends at once. It fails with
// RoleAssignmentNotFound.
func (t *Tenant) UnassignRole(ctx context.Context, by audit.Actor, assignmentID string) error {
	return t.change(ctx, by, ActionRemoveMemberFromRole, func(tx Tx, _ *Touched) (string, error) {
		all, err := tx.RoleAssignments()
		if err != nil {
			return assignmentID, err
		}
		i := slices.IndexFunc(all, func(a RoleAssignment) bool { return a.ID == assignmentID })
		if i < 0 {
			return assignmentID, &refusal.Error{Code: RoleAssignmentNotFound, Subject: assignmentID}
		}
		id := all[i].PrincipalID
		held, err := tx.RoleAssignmentsOf(id)
		held = slices.DeleteFunc(held, func(a RoleAssignment) bool { return a.ID == assignmentID })
		return string(id), errors.Join(err, tx.PutRoleAssignmentsOf(id, held))
	})
}

// RoleAssignments lists who has which directory role.
func (t *Tenant) RoleAssignments(ctx context.Context) (list []RoleAssignment, err error) {
	err = t.Store.View(ctx, func(r Reader) (err error) {
		list, err = r.RoleAssignments()
		return err
	})
	return list, err
}

// RolesOf lists the directory roles of an account now. The admin center's own administrators have
// none of them, and may do everything.
func (t *Tenant) RolesOf(ctx context.Context, id AccountID) (roles []RoleTemplateID, err error) {
	if id.IsAdministrator() {
		return nil, nil
	}
	err = t.Store.View(ctx, func(r Reader) error {
		held, err := r.RoleAssignmentsOf(UserID(id))
		roles = roleIDs(held)
		return err
	})
	return roles, err
}

// SignInRoleHolder opens a session of the admin center for somebody of the directory who has a
// directory role, as SignInUser does. To everybody else it fails as if there were nobody.
func (t *Tenant) SignInRoleHolder(
	ctx context.Context, by audit.Actor, name, password string, from Browser,
) (Entry, error) {
	by.Name = name
	return t.signIn(ctx, attempt{
		by:       by,
		action:   ActionUserLoggedIn,
		name:     name,
		password: password,
		known:    from.Known,
		find: func(r Reader) (Session, AccountID, error) {
			u, err := r.UserByPrincipalName(name)
			if err != nil {
				return Session{}, "", err
			}
			held, err := r.RoleAssignmentsOf(u.ID)
			if err == nil && (len(held) == 0 || !u.Enabled) {
				err = refusal.ErrNoRow
			}
			s := Session{
				Account:   AccountID(u.ID),
				Under:     under(u.SessionsValidFrom),
				Address:   by.Address,
				UserAgent: from.UserAgent,
				Methods:   []string{MethodPassword},
			}
			return s, AccountID(u.ID), err
		},
	}, false)
}

// RoleHolder is somebody of the directory with the directory roles that they have now.
type RoleHolder struct {
	User  User
	Roles []RoleTemplateID
}

// SessionRoleHolder returns who is behind a session, if they have a directory role; else
// SessionInvalid.
func (t *Tenant) SessionRoleHolder(ctx context.Context, secret string) (h RoleHolder, err error) {
	in, err := t.SessionUser(ctx, secret)
	if err != nil {
		return h, err
	}
	if in.MustRegister {
		return h, &refusal.Error{Code: FactorMissing, Subject: in.User.UserPrincipalName}
	}
	if !in.Session.IsOf(in.User) {
		return h, &refusal.Error{Code: SessionInvalid}
	}
	roles, err := t.RolesOf(ctx, AccountID(in.User.ID))
	if err == nil && len(roles) == 0 {
		err = &refusal.Error{Code: SessionInvalid}
	}
	return RoleHolder{in.User, roles}, err
}
