package store

import (
	"time"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

const selectRoleJob = `SELECT j.role_name, j.account_id, j.permission_set, j.retire, j.due, j.leased, j.attempts,
	j.reason FROM role_jobs j`

// roleJob is a job as its row has it.
type roleJob struct {
	center.RoleJob
	retire, due, leased int64
}

func roleJobFields(j *roleJob) []any {
	return []any{&j.RoleName, &j.AccountID, &j.PermissionSetARN, &j.retire, &j.due, &j.leased, &j.Attempts, &j.Reason}
}

func (j roleJob) whole() center.RoleJob {
	j.Retire = j.retire == 1
	j.Due = time.UnixMilli(j.due).UTC()
	j.LeasedUntil = time.UnixMilli(j.leased).UTC()
	return j.RoleJob
}

func (t tx) oneRoleJob(query string, args ...any) (center.RoleJob, error) {
	var j roleJob
	err := t.Row(query, args, roleJobFields(&j)...)
	return j.whole(), sqldb.NoRow(err, refusal.ErrNoRow)
}

func (t tx) RoleJob(roleName string) (center.RoleJob, error) {
	return t.oneRoleJob(selectRoleJob+` WHERE j.role_name = $1`, roleName)
}

func (t tx) NextRoleJob(now, never time.Time) (center.RoleJob, error) {
	return t.oneRoleJob(
		selectRoleJob+` WHERE (j.due <= $1 OR j.due > $2) AND NOT EXISTS (SELECT 1 FROM role_jobs o
			WHERE o.account_id = j.account_id AND o.leased > $1 AND o.leased <= $2)
			ORDER BY j.due, j.role_name LIMIT 1`,
		now.UnixMilli(), never.UnixMilli(),
	)
}

func (t tx) RoleJobs(q center.RoleJobQuery) ([]center.RoleJob, error) {
	w := &sqldb.Where{}
	w.Equal("j.account_id", q.AccountID)
	w.Equal("j.permission_set", q.PermissionSetARN)
	if q.Retire != nil {
		w.And("j.retire = ?", flag(*q.Retire))
	}
	found, err := rows(
		t, selectRoleJob+w.Text()+` ORDER BY j.account_id, j.permission_set, j.role_name`+w.Limit(q.Limit, 0), w.Args,
		roleJobFields,
	)
	jobs := make([]center.RoleJob, len(found))
	for i, j := range found {
		jobs[i] = j.whole()
	}
	return jobs, err
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func (t tx) PutRoleJob(j center.RoleJob) error {
	return t.Do(
		`INSERT INTO role_jobs (role_name, account_id, permission_set, retire, due, leased, attempts, reason)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (role_name)
		DO UPDATE
		SET retire = excluded.retire, due = excluded.due, leased = excluded.leased,
			attempts = excluded.attempts, reason = excluded.reason`,
		j.RoleName,
		j.AccountID,
		j.PermissionSetARN,
		flag(j.Retire),
		j.Due.UnixMilli(),
		j.LeasedUntil.UnixMilli(),
		j.Attempts,
		j.Reason,
	)
}

func (t tx) DeleteRoleJob(roleName string) error {
	return t.Do(`DELETE FROM role_jobs WHERE role_name = $1`, roleName)
}

func (t tx) QueueRoles(permissionSet, account, request string, due time.Time) (int, error) {
	only := &sqldb.Where{Args: []any{request}}
	only.And("permission_set = ?", permissionSet)
	only.Equal("account_id", account)
	n, err := t.Exec(
		`INSERT INTO role_waits (request, role_name) SELECT CAST($1 AS TEXT), role_name FROM provisioned`+only.Text(),
		only.Args...)
	if err != nil || n == 0 {
		return 0, err
	}
	w := &sqldb.Where{Args: []any{due.UnixMilli()}}
	w.And("permission_set = ?", permissionSet)
	w.Equal("account_id", account)
	return int(n), t.Do(
		`INSERT INTO role_jobs (role_name, account_id, permission_set, retire, due, leased, attempts, reason)
				SELECT role_name, account_id, permission_set, 0, CAST($1 AS BIGINT), 0, 0, ''
		FROM provisioned`+w.Text()+` ON CONFLICT (role_name) DO UPDATE SET due = excluded.due, attempts = 0`,
		w.Args...)
}

func (t tx) PutRoleWait(roleName, request string) error {
	return t.Do(`INSERT INTO role_waits (role_name, request) VALUES ($1, $2)`, roleName, request)
}

func (t tx) DeleteRoleWaits(roleName string) error {
	return t.Do(`DELETE FROM role_waits WHERE role_name = $1`, roleName)
}

func (t tx) WaitingFor(roleName string) ([]center.AssignmentRequest, error) {
	return list[center.AssignmentRequest](
		t,
		`SELECT r.doc FROM role_waits w JOIN assignment_requests r ON r.id = w.request WHERE w.role_name = $1
			ORDER BY r.id`,
		roleName,
	)
}

func (t tx) CountRoleWaits(request string) (int, error) {
	return t.Count(`SELECT COUNT(*) FROM role_waits WHERE request = $1`, request)
}

func (t tx) LeastChecked(before, never time.Time) (p center.Provisioned, err error) {
	return t.oneProvisioned(
		selectProvisioned+` WHERE r.checked < $1 OR r.checked > $2 ORDER BY r.checked, r.role_name LIMIT 1`,
		before.UnixMilli(), never.UnixMilli(),
	)
}

func (t tx) PutDrift(roleName string, checked time.Time, drift []string) error {
	return t.Do(
		`UPDATE provisioned SET checked = $1, drift = $2 WHERE role_name = $3`, checked.UnixMilli(),
		sqldb.Encode(append([]string{}, drift...)), roleName,
	)
}

func (t tx) ForgetChecks(account string) error {
	w := &sqldb.Where{}
	w.Equal("account_id", account)
	return t.Do(`UPDATE provisioned SET checked = 0`+w.Text(), w.Args...)
}
