package store

import (
	"github.com/gatehouse-id/gatehouse/center"
)

func (t tx) AssignmentRule(id string) (center.AssignmentRule, error) {
	return document[center.AssignmentRule](t, kindAssignmentRule, id)
}
func (t tx) AssignmentRules() ([]center.AssignmentRule, error) {
	return list[center.AssignmentRule](t, `SELECT doc FROM documents WHERE kind = $1 ORDER BY id`, kindAssignmentRule)
}
func (t tx) PutAssignmentRule(r center.AssignmentRule) error {
	return t.putDocument(kindAssignmentRule, r.ID, r)
}
func (t tx) DeleteAssignmentRule(id string) error { return t.deleteDocument(kindAssignmentRule, id) }

func (t tx) AccountsOfRule(rule string) ([]string, error) {
	return rows(
		t, `SELECT account_id FROM assignment_origins WHERE rule = $1 ORDER BY account_id`, []any{rule},
		func(id *string) []any { return []any{id} },
	)
}

func (t tx) OriginsOf(a center.Assignment) ([]string, error) {
	return rows(
		t,
		`SELECT rule FROM assignment_origins WHERE account_id = $1 AND permission_set = $2 AND principal_type = $3
			AND principal_id = $4 ORDER BY rule`,
		[]any{
			a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID,
		},
		func(id *string) []any { return []any{id} },
	)
}

func (t tx) PutOrigin(rule string, a center.Assignment) error {
	return t.Do(
		`INSERT INTO assignment_origins (rule, account_id, permission_set, principal_type, principal_id)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
		rule, a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID,
	)
}

func (t tx) DeleteOrigin(rule string, a center.Assignment) error {
	return t.Do(
		`DELETE FROM assignment_origins WHERE rule = $1 AND account_id = $2 AND permission_set = $3
			AND principal_type = $4 AND principal_id = $5`,
		rule, a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID,
	)
}

func (t tx) OrganizationImport() (center.OrganizationImport, error) {
	return document[center.OrganizationImport](t, kindOrganization, theOnly)
}
func (t tx) PutOrganizationImport(v center.OrganizationImport) error {
	return t.putDocument(kindOrganization, theOnly, v)
}
