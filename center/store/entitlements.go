package store

import (
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

func (t tx) AccessManager() (center.AccessManager, error) {
	return document[center.AccessManager](t, kindAccountAccess, theOnly)
}
func (t tx) PutAccessManager(v center.AccessManager) error {
	return t.putDocument(kindAccountAccess, theOnly, v)
}
func (t tx) DeleteAccessManager() error { return t.deleteDocument(kindAccountAccess, theOnly) }

func (t tx) Entitlement(id string) (center.Entitlement, error) {
	return one[center.Entitlement](t, `SELECT doc FROM entitlements WHERE id = $1`, id)
}

func entitlementsWhere(q center.EntitlementQuery) *sqldb.Where {
	w := &sqldb.Where{}
	w.Equal("principal_type", string(q.PrincipalType))
	w.Equal("principal_id", q.PrincipalID)
	w.Equal("role_arn", q.RoleARN)
	w.Equal("account_id", q.AccountID)
	heldOnlyBy(w, q.HeldBy)
	return w
}

// entitlementOrders are the names by which entitlements are put in order. What is there no more has
// none. A role's name is what follows the last slash of its ARN.
var entitlementOrders = map[center.AssignmentOrder]string{
	center.ByAccountName:   accountNameOf("entitlements"),
	center.BySetName:       `lower(substr(role_arn, length(rtrim(role_arn, replace(role_arn, '/', ''))) + 1))`,
	center.ByPrincipalName: principalNameOf("entitlements"),
}

func (t tx) CountEntitlements(q center.EntitlementQuery) (int, error) {
	w := entitlementsWhere(q)
	return t.Count(`SELECT COUNT(*) FROM entitlements`+w.Text(), w.Args...)
}

func (t tx) Entitlements(q center.EntitlementQuery) ([]center.Entitlement, error) {
	w := entitlementsWhere(q)
	if q.After != "" {
		w.And("id > ?", q.After)
	}
	order := entitlementOrders[q.By]
	switch {
	case order != "" && q.Descending:
		order += ` DESC, `
	case order != "":
		order += `, `
	}
	return list[center.Entitlement](
		t, `SELECT doc FROM entitlements`+w.Text()+` ORDER BY `+order+`id`+w.Limit(q.Limit, q.Offset), w.Args...,
	)
}

func (t tx) EntitledRoles(q center.EntitledQuery) ([]center.EntitledRole, error) {
	w := &sqldb.Where{}
	heldOnlyBy(w, q.User)
	if q.Search != "" {
		part := sqldb.Part(q.Search)
		w.And(`(lower(role_arn) LIKE ? ESCAPE '!' OR account_id IN (SELECT s.id FROM accounts s
			WHERE s.search LIKE ? ESCAPE '!'))`, part, part)
	}
	if q.After != "" {
		w.And("role_arn > ?", q.After)
	}
	type row struct {
		arn, account string
	}
	found, err := rows(
		t, `SELECT e.role_arn, a.doc FROM (SELECT DISTINCT role_arn, account_id FROM entitlements`+w.Text()+
			` ORDER BY role_arn`+w.Limit(q.Limit, q.Offset)+`) e JOIN accounts a ON a.id = e.account_id
			ORDER BY e.role_arn`, w.Args,
		func(r *row) []any { return []any{&r.arn, &r.account} },
	)
	if err != nil {
		return nil, err
	}
	roles := make([]center.EntitledRole, len(found))
	for i, r := range found {
		roles[i].RoleARN = r.arn
		if roles[i].Account, err = sqldb.Decode[center.Account](r.account); err != nil {
			return nil, err
		}
	}
	return roles, nil
}

func (t tx) PutEntitlement(e center.Entitlement) error {
	return t.Do(
		`INSERT INTO entitlements (id, role_arn, account_id, principal_type, principal_id, doc)
			VALUES ($1, $2, $3, $4, $5, $6)`,
		e.ID, e.RoleARN, e.AccountID(), string(e.PrincipalType), e.PrincipalID, sqldb.Encode(e),
	)
}

func (t tx) DeleteEntitlement(id string) error {
	return t.Do(`DELETE FROM entitlements WHERE id = $1`, id)
}
