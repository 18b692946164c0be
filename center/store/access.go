package store

import (
	"errors"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func (t tx) Account(id string) (center.Account, error) {
	return one[center.Account](t, `SELECT doc FROM accounts WHERE id = $1`, id)
}
func (t tx) Accounts() ([]center.Account, error) {
	return list[center.Account](t, `SELECT doc FROM accounts ORDER BY id`)
}
func (t tx) CountAccounts() (int, error) { return t.Count(`SELECT COUNT(*) FROM accounts`) }
func (t tx) PutAccount(v center.Account) error {
	return t.Do(
		`INSERT INTO accounts (id, name, search, doc) VALUES ($1, $2, $3, $4) ON CONFLICT (id)
			DO UPDATE SET name = excluded.name, search = excluded.search, doc = excluded.doc`,
		v.ID, strings.ToLower(v.Name), strings.ToLower(v.Name+" "+v.ID+" "+v.Email), sqldb.Encode(v),
	)
}

func (t tx) AccountLabels() ([]center.AccountLabel, error) {
	return documents[center.AccountLabel](t, kindAccountLabel)
}
func (t tx) PutAccountLabel(place string, l center.AccountLabel) error {
	return t.putDocument(kindAccountLabel, place, l)
}
func (t tx) DeleteAccountLabel(place string) error { return t.deleteDocument(kindAccountLabel, place) }

// holders is a subquery for the principals by which a user, whose id is the parameter twice, has
// assignments: the user and the user's groups.
const holders = `(SELECT CAST(? AS TEXT) UNION ALL SELECT g.id FROM memberships m
	JOIN user_groups g ON g.seq = m.group_seq
	WHERE m.user_seq = (SELECT seq FROM users WHERE id = ?))`

// heldOnlyBy narrows assignments to those of a user and of the user's groups. What a group has
// whose id is given for a user's is not the user's.
func heldOnlyBy(w *sqldb.Where, user center.UserID) {
	if user != "" {
		w.And("principal_id IN "+holders, string(user), string(user))
		w.And("(principal_id <> ? OR principal_type = ?)", string(user), string(center.PrincipalUser))
	}
}

// heldBy says of an assignment x that a user, whose id is the parameter twice, has it: from the few
// who hold a role to the user, not from all of the user's groups.
const heldBy = `(x.principal_id = ? OR EXISTS (SELECT 1 FROM user_groups g JOIN memberships m ON m.group_seq = g.seq
	AND m.user_seq = (SELECT seq FROM users WHERE id = ?)
	WHERE g.id = x.principal_id))`

func (t tx) AccountsOf(q center.AccessQuery) ([]center.Account, error) {
	w := &sqldb.Where{}
	w.And(
		`id IN (SELECT account_id FROM assignments WHERE principal_id IN `+holders+`)`, string(q.User),
		string(q.User),
	)
	if q.Search != "" {
		part := sqldb.Part(q.Search)
		w.And(
			`(search LIKE ? ESCAPE '!' OR id IN (SELECT x.account_id FROM assignments x
				JOIN permission_sets p ON p.arn = x.permission_set
			WHERE lower(p.name) LIKE ? ESCAPE '!' AND x.principal_id IN `+holders+`))`,
			part,
			part,
			string(q.User),
			string(q.User),
		)
	}
	order := ` ORDER BY name, id`
	if !q.ByName {
		order, q.Offset = ` ORDER BY id`, 0
		if q.After != "" {
			w.And("id > ?", q.After)
		}
	}
	query := `SELECT doc FROM accounts` + w.Text() + order + w.Limit(q.Limit, q.Offset)
	return list[center.Account](t, query, w.Args...)
}

func (t tx) RolesOf(user center.UserID, account string) ([]center.PermissionSet, error) {
	w := &sqldb.Where{}
	w.And(
		`arn IN (SELECT x.permission_set FROM assignments x WHERE x.account_id = ? AND `+heldBy+`)`, account,
		string(user), string(user),
	)
	return list[center.PermissionSet](t, `SELECT doc FROM permission_sets`+w.Text()+` ORDER BY name`, w.Args...)
}

func (t tx) RoleOf(user center.UserID, account, permissionSet string) (role center.Role, err error) {
	w := &sqldb.Where{}
	w.And(`p.name = ? AND a.id = ?`, permissionSet, account)
	w.And(
		`EXISTS (SELECT 1 FROM assignments x WHERE x.account_id = a.id AND x.permission_set = p.arn AND `+heldBy+`)`,
		string(user), string(user),
	)
	var set, in string
	err = t.Row(
		`SELECT p.doc, a.doc, r.role_name FROM permission_sets p JOIN provisioned r ON r.permission_set = p.arn
			JOIN accounts a ON a.id = r.account_id`+w.Text(),
		w.Args, &set, &in, &role.RoleName,
	)
	if err != nil {
		return role, sqldb.NoRow(err, refusal.ErrNoRow)
	}
	if role.PermissionSet, err = sqldb.Decode[center.PermissionSet](set); err == nil {
		role.Account, err = sqldb.Decode[center.Account](in)
	}
	return role, err
}

func (t tx) PermissionSet(arn string) (center.PermissionSet, error) {
	return one[center.PermissionSet](t, `SELECT doc FROM permission_sets WHERE arn = $1`, arn)
}
func (t tx) PermissionSetByName(name string) (center.PermissionSet, error) {
	return one[center.PermissionSet](t, `SELECT doc FROM permission_sets WHERE name = $1`, name)
}
func (t tx) PermissionSets(q center.PermissionSetQuery) ([]center.PermissionSet, error) {
	w := &sqldb.Where{}
	if q.After != "" {
		w.And("arn > ?", q.After)
	}
	query := `SELECT doc FROM permission_sets` + w.Text() + ` ORDER BY arn` + w.Limit(q.Limit, 0)
	return list[center.PermissionSet](t, query, w.Args...)
}
func (t tx) CountPermissionSets() (int, error) {
	return t.Count(`SELECT COUNT(*) FROM permission_sets`)
}
func (t tx) PutPermissionSet(p center.PermissionSet) error {
	return t.Do(
		`INSERT INTO permission_sets (arn, name, revision, doc) VALUES ($1, $2, $3, $4) ON CONFLICT (arn)
			DO UPDATE SET revision = excluded.revision, doc = excluded.doc`,
		p.ARN, p.Name, p.Revision, sqldb.Encode(p),
	)
}
func (t tx) DeletePermissionSet(arn string) error {
	return t.Do(`DELETE FROM permission_sets WHERE arn = $1`, arn)
}

// assignmentsWhere is the condition of a query, without its limits.
func assignmentsWhere(q center.AssignmentQuery) *sqldb.Where {
	w := &sqldb.Where{}
	w.Equal("account_id", q.AccountID)
	w.Equal("permission_set", q.PermissionSetARN)
	w.Equal("principal_type", string(q.PrincipalType))
	w.Equal("principal_id", q.PrincipalID)
	heldOnlyBy(w, q.HeldBy)
	for _, word := range q.Words {
		w.InAny(
			sqldb.Among{Column: "account_id", Values: word.Accounts},
			sqldb.Among{Column: "permission_set", Values: word.PermissionSets},
			sqldb.Among{Column: "principal_id", Values: word.Principals},
		)
	}
	return w
}

// assignmentOrders are the names by which assignments are put in order. What is there no more has
// none.
var assignmentOrders = map[center.AssignmentOrder]string{
	center.ByAccountName: accountNameOf("assignments"),
	center.BySetName: `COALESCE(
		(SELECT lower(name) FROM permission_sets WHERE permission_sets.arn = assignments.permission_set), '')`,
	center.ByPrincipalName: principalNameOf("assignments"),
}

// accountNameOf and principalNameOf are the names that stand behind the ids of a table.
func accountNameOf(table string) string {
	return `COALESCE((SELECT name FROM accounts WHERE accounts.id = ` + table + `.account_id), '')`
}

func principalNameOf(table string) string {
	return `COALESCE((SELECT user_name FROM users WHERE users.id = ` + table + `.principal_id),
		(SELECT display_name FROM user_groups WHERE user_groups.id = ` + table + `.principal_id), '')`
}

func (t tx) CountAssignments(q center.AssignmentQuery) (int, error) {
	w := assignmentsWhere(q)
	return t.Count(`SELECT COUNT(*) FROM assignments`+w.Text(), w.Args...)
}

func (t tx) Assignments(q center.AssignmentQuery) ([]center.Assignment, error) {
	w := assignmentsWhere(q)
	if q.After != (center.Assignment{}) {
		w.And(
			"(account_id, permission_set, principal_type, principal_id) > (?, ?, ?, ?)", q.After.AccountID,
			q.After.PermissionSetARN, string(q.After.PrincipalType), q.After.PrincipalID,
		)
	}
	order := assignmentOrders[q.By]
	if order != "" && q.Descending {
		order += ` DESC`
	}
	if order != "" {
		order += `, `
	}
	query := `SELECT account_id, permission_set, principal_type, principal_id FROM assignments` + w.Text() +
		` ORDER BY ` + order + `account_id, permission_set, principal_type, principal_id` + w.Limit(q.Limit, q.Offset)
	return rows(t, query, w.Args, func(a *center.Assignment) []any {
		return []any{&a.AccountID, &a.PermissionSetARN, &a.PrincipalType, &a.PrincipalID}
	})
}

func (t tx) PutAssignment(a center.Assignment) error {
	return t.Do(
		`INSERT INTO assignments (account_id, permission_set, principal_type, principal_id) VALUES ($1, $2, $3, $4)
			ON CONFLICT DO NOTHING`,
		a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID,
	)
}

func (t tx) DeleteAssignment(a center.Assignment) error {
	return t.Do(
		`DELETE FROM assignments WHERE account_id = $1 AND permission_set = $2 AND principal_type = $3
			AND principal_id = $4`,
		a.AccountID, a.PermissionSetARN, string(a.PrincipalType), a.PrincipalID,
	)
}

func (t tx) AssignmentRequest(id string) (center.AssignmentRequest, error) {
	return one[center.AssignmentRequest](t, `SELECT doc FROM assignment_requests WHERE id = $1`, id)
}

func (t tx) AssignmentRequests(q center.AssignmentRequestQuery) ([]center.AssignmentRequest, error) {
	w := &sqldb.Where{}
	w.And("kind = ?", string(q.Kind))
	w.Equal("status", string(q.Status))
	if q.Before != "" {
		w.And("id < ?", q.Before)
	}
	query := `SELECT doc FROM assignment_requests` + w.Text() + ` ORDER BY id DESC` + w.Limit(q.Limit, 0)
	return list[center.AssignmentRequest](t, query, w.Args...)
}

func (t tx) PutAssignmentRequest(r center.AssignmentRequest) error {
	return t.Do(
		`INSERT INTO assignment_requests (id, kind, status, created, doc) VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id)
			DO UPDATE SET status = excluded.status, doc = excluded.doc`,
		r.ID, string(r.Kind), string(r.Status), r.CreatedAt.UnixMilli(), sqldb.Encode(r),
	)
}

func (t tx) DeleteRequests(before time.Time) error {
	return t.Do(
		`DELETE FROM assignment_requests WHERE created < $1 AND NOT EXISTS (SELECT 1 FROM role_waits w
			WHERE w.request = assignment_requests.id)`,
		before.UnixMilli(),
	)
}

const selectProvisioned = `SELECT r.account_id, r.permission_set, r.revision, r.role_name, r.checked, r.drift
	FROM provisioned r`

// provisionedRow is a role as its row has it.
type provisionedRow struct {
	center.Provisioned
	checked int64
	drift   string
}

func provisionedFields(p *provisionedRow) []any {
	return []any{&p.AccountID, &p.PermissionSetARN, &p.Revision, &p.RoleName, &p.checked, &p.drift}
}

func (p provisionedRow) whole() (whole center.Provisioned, err error) {
	if p.checked > 0 {
		p.CheckedAt = time.UnixMilli(p.checked).UTC()
	}
	p.Drift, err = sqldb.Decode[[]string](p.drift)
	return p.Provisioned, err
}

func (t tx) oneProvisioned(query string, args ...any) (center.Provisioned, error) {
	var p provisionedRow
	if err := t.Row(query, args, provisionedFields(&p)...); err != nil {
		return p.Provisioned, sqldb.NoRow(err, refusal.ErrNoRow)
	}
	return p.whole()
}

func (t tx) Provisioned(account, permissionSet string) (center.Provisioned, error) {
	return t.oneProvisioned(
		selectProvisioned+` WHERE r.account_id = $1 AND r.permission_set = $2`, account, permissionSet,
	)
}

func (t tx) ProvisionedRoles(q center.ProvisionedQuery) ([]center.Provisioned, error) {
	w := &sqldb.Where{}
	w.Equal("r.account_id", q.AccountID)
	w.Equal("r.permission_set", q.PermissionSetARN)
	if q.Latest != nil {
		same := map[bool]string{true: "=", false: "<>"}[*q.Latest]
		w.And("r.revision " + same + " (SELECT p.revision FROM permission_sets p WHERE p.arn = r.permission_set)")
	}
	if q.Drifted {
		w.And("r.drift <> '[]'")
	}
	if q.After.RoleName != "" || q.After.AccountID != "" || q.After.PermissionSetARN != "" {
		w.And("(r.account_id, r.permission_set) > (?, ?)", q.After.AccountID, q.After.PermissionSetARN)
	}
	found, err := rows(
		t, selectProvisioned+w.Text()+` ORDER BY r.account_id, r.permission_set`+w.Limit(q.Limit, 0), w.Args,
		provisionedFields,
	)
	list := make([]center.Provisioned, len(found))
	for i, p := range found {
		var bad error
		list[i], bad = p.whole()
		err = errors.Join(err, bad)
	}
	return list, err
}

func (t tx) PutProvisioned(p center.Provisioned) error {
	return t.Do(
		`INSERT INTO provisioned (account_id, permission_set, revision, role_name) VALUES ($1, $2, $3, $4)`,
		p.AccountID, p.PermissionSetARN, p.Revision, p.RoleName,
	)
}

func (t tx) MarkProvisioned(permissionSet, account string, revision int64) error {
	w := &sqldb.Where{Args: []any{revision}}
	w.And("permission_set = ?", permissionSet)
	w.Equal("account_id", account)
	return t.Do(`UPDATE provisioned SET revision = $1`+w.Text(), w.Args...)
}

func (t tx) DeleteProvisioned(account, permissionSet string) error {
	return t.Do(`DELETE FROM provisioned WHERE account_id = $1 AND permission_set = $2`, account, permissionSet)
}
