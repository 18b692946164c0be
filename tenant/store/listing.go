package store

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// containsWords narrows to texts, in lower case, that have every word of a search.
func containsWords(w *sqldb.Where, column, search string) {
	for _, word := range strings.Fields(search) {
		w.Contains(column, word)
	}
}

func userWhere(q tenant.Query) *sqldb.Where {
	w := &sqldb.Where{}
	containsWords(w, "search", q.Search)
	// documents leave out what is false; quotes in values are escaped
	either(w, q.Enabled, `doc LIKE '%"Enabled":true%'`)
	either(w, q.Guests, `doc LIKE '%"UserType":"Guest"%'`)
	// each of a user: all that is assigned, as a list, is looked through anew for each of them
	const themselves = `EXISTS (SELECT 1 FROM assignments a WHERE a.principal_id = users.id)`
	const byGroup = `EXISTS (SELECT 1 FROM members m JOIN assignments a ON a.principal_id = m.group_id
		WHERE m.member_id = users.id)`
	if q.Assigned != nil && *q.Assigned {
		w.And("(" + themselves + " OR " + byGroup + ")")
	} else {
		either(w, q.Assigned, themselves)
		either(w, q.Assigned, byGroup)
	}
	if q.After != "" {
		w.And("id > ?", q.After)
	}
	return w
}

// either narrows to what a condition holds for, or to what it does not; nil: to neither.
func either(w *sqldb.Where, holds *bool, condition string) {
	switch {
	case holds == nil:
	case *holds:
		w.And(condition)
	default:
		w.And("NOT " + condition)
	}
}

func groupWhere(q tenant.Query) *sqldb.Where {
	w := &sqldb.Where{}
	containsWords(w, "display_name", q.Search)
	either(w, q.Assigned, `EXISTS (SELECT 1 FROM assignments a WHERE a.principal_id = user_groups.id)`)
	if q.After != "" {
		w.And("id > ?", q.After)
	}
	return w
}

// orderOf is the order of a list, by the columns of the orders. Equal ones are in the order of
// their ids.
func orderOf(q tenant.Query, columns ...string) string {
	return order(columns[q.By], q.Descending)
}

func order(column string, descending bool) string {
	direction := ""
	if descending {
		direction = " DESC"
	}
	if column == "id" {
		return " ORDER BY id" + direction
	}
	return " ORDER BY " + column + direction + ", id" + direction
}

// principalFrom is a query's tables: members or assignments as p, with the user u or the group g
// that each of them is, and where the links decide, its link l to the target of the query's job.
func principalFrom(q tenant.PrincipalQuery) (from string, w *sqldb.Where) {
	w = &sqldb.Where{}
	id := principalColumn(q)
	table := "assignments"
	if q.GroupID != "" {
		table = "members"
	}
	from = ` FROM ` + table + ` p LEFT JOIN users u ON u.id = ` + id + ` LEFT JOIN user_groups g ON g.id = ` + id
	if byState(q) {
		w.Args = append(w.Args, string(q.JobID), string(tenant.KindGroup), string(tenant.KindUser))
		from += ` LEFT JOIN links l ON l.job_id = $1 AND l.source_id = ` + id + `
			AND l.kind = CASE WHEN g.id IS NULL THEN $3 ELSE $2 END`
	}
	if q.GroupID != "" {
		w.And("p.group_id = ?", string(q.GroupID))
	} else {
		w.And("p.service_principal_id = ?", string(q.ServicePrincipalID))
	}
	switch q.Kind {
	case tenant.KindUser:
		w.And("u.id IS NOT NULL")
	case tenant.KindGroup:
		w.And("g.id IS NOT NULL")
	}
	containsWords(w, "COALESCE(u.search, g.display_name, '')", q.Search)
	if q.RoleID != "" {
		w.And(roleRank(w, q.Roles) + " = " + strconv.Itoa(slices.Index(q.Roles, q.RoleID)))
	}
	if q.State != "" {
		w.And(stateOf(q)+" = ?", string(q.State))
	}
	return from, w
}

// byState says whether the links decide which rows there are, or their order. Otherwise those of
// the rows that were found are enough.
func byState(q tenant.PrincipalQuery) bool {
	return q.JobID != "" && (q.State != "" || q.By == tenant.ByLinkState)
}

// principalColumn is that of the id of a user or group.
func principalColumn(q tenant.PrincipalQuery) string {
	if q.GroupID != "" {
		return "p.member_id"
	}
	return "p.principal_id"
}

// roleRank is the place of an assignment's role among some, of which DefaultAccess stands for all
// others.
func roleRank(w *sqldb.Where, roles []tenant.AppRoleID) string {
	rank := ""
	for i, id := range roles {
		if id != tenant.DefaultAccess {
			w.Args = append(w.Args, `%"RoleID":`+sqldb.Encode(id)+`%`)
			rank += " WHEN p.doc LIKE $" + strconv.Itoa(len(w.Args)) + " THEN " + strconv.Itoa(i)
		}
	}
	other := strconv.Itoa(slices.Index(roles, tenant.DefaultAccess))
	if rank == "" {
		return other
	}
	return "CASE" + rank + " ELSE " + other + " END"
}

// stateOf is what tenant.Link's State says of the link. Documents leave out what has no value.
func stateOf(q tenant.PrincipalQuery) string {
	if q.JobID == "" {
		return "''"
	}
	return `CASE WHEN l.doc IS NULL THEN '` + string(tenant.LinkNone) + `'
		WHEN l.doc LIKE '%"Failure":"%' THEN '` + string(tenant.LinkFails) + `'
		WHEN l.doc LIKE '%"Doubt":{%' AND l.doc NOT LIKE '%"Looked":true%' THEN '` + string(tenant.LinkUncertain) + `'
		WHEN l.doc LIKE '%"Left":"%' THEN '` + string(tenant.LinkLeft) + `'
		WHEN l.target_id = '' THEN '` + string(tenant.LinkNone) + `'
		ELSE '` + string(tenant.LinkProvisioned) + `' END`
}

func (t tx) CountPrincipals(q tenant.PrincipalQuery) (int, error) {
	from, w := principalFrom(q)
	return t.Count(`SELECT COUNT(*)`+from+w.Text(), w.Args...)
}

// principalOrder is the order of a query. Equal ones are in that of their names, and then of their
// ids.
func principalOrder(q tenant.PrincipalQuery, w *sqldb.Where) string {
	direction, then := "", ""
	if q.Descending {
		direction = " DESC"
	}
	const name = "COALESCE(u.search, g.display_name, '')"
	switch {
	case q.By == tenant.ByKind:
		then = "CASE WHEN g.id IS NULL THEN 0 ELSE 1 END" + direction + ", " + name
	case q.By == tenant.ByRole && len(q.Roles) > 0:
		then = roleRank(w, q.Roles) + "+0" + direction + ", " + name // a lone number would be that of a column
	case q.By == tenant.ByLinkState && q.JobID != "":
		then = stateOf(q) + direction + ", " + name
	default:
		then = name + direction
	}
	return " ORDER BY " + then + ", " + principalColumn(q)
}

func (t tx) Principals(q tenant.PrincipalQuery) (all []tenant.Principal, err error) {
	from, w := principalFrom(q)
	doc := "p.doc"
	if q.GroupID != "" {
		doc = "''"
	}
	state := "''"
	if byState(q) {
		state = stateOf(q)
	}
	query := `SELECT ` + principalColumn(q) + `, ` + doc + `, COALESCE(u.doc, ''), COALESCE(g.doc, ''), ` + state +
		from + w.Text() + principalOrder(q, w) + w.Limit(q.Limit, q.Offset)
	err = t.Query(query, w.Args, func(rows sqldb.Row) error {
		var p tenant.Principal
		var assignment, user, group string
		if err := rows.Scan((*string)(&p.ID), &assignment, &user, &group, (*string)(&p.State)); err != nil {
			return err
		}
		p.Kind = tenant.KindUser
		if group != "" {
			p.Kind = tenant.KindGroup
		}
		for _, err := range []error{
			decode(assignment, &p.Assignment), decode(user, &p.User), decode(group, &p.Group),
		} {
			if err != nil {
				return err
			}
		}
		all = append(all, p)
		return nil
	})
	if err == nil && len(all) > 0 && q.JobID != "" && !byState(q) {
		err = t.readStates(q, all)
	}
	return all, err
}

// readStates reads what the links of some say of their state.
func (t tx) readStates(q tenant.PrincipalQuery, all []tenant.Principal) error {
	ids := make([]string, len(all))
	for i, p := range all {
		ids[i] = string(p.ID)
	}
	w := &sqldb.Where{}
	w.And("l.job_id = ?", string(q.JobID))
	w.In("l.kind", []string{string(tenant.KindUser), string(tenant.KindGroup)}) // as the key begins
	w.In("l.source_id", ids)
	states := map[tenant.Mark]tenant.LinkState{}
	query := `SELECT l.kind, l.source_id, ` + stateOf(q) + ` FROM links l` + w.Text()
	err := t.Query(query, w.Args, func(rows sqldb.Row) error {
		var of tenant.Mark
		var state tenant.LinkState
		err := rows.Scan((*string)(&of.Kind), (*string)(&of.ID), (*string)(&state))
		states[of] = state
		return err
	})
	for i, p := range all {
		all[i].State = cmp.Or(states[tenant.Mark{Kind: p.Kind, ID: p.ID}], tenant.LinkNone)
	}
	return err
}

// decode reads a document, if there is one.
func decode[T any](doc string, into *T) (err error) {
	if doc != "" {
		*into, err = sqldb.Decode[T](doc)
	}
	return err
}
