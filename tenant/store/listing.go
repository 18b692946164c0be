package store

import (
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
	if q.Enabled != nil { // documents leave out what is false; quotes in values are escaped
		condition := `doc LIKE '%"Enabled":true%'`
		if !*q.Enabled {
			condition = "NOT " + condition
		}
		w.And(condition)
	}
	if q.After != "" {
		w.And("id > ?", q.After)
	}
	return w
}

func groupWhere(q tenant.Query) *sqldb.Where {
	w := &sqldb.Where{}
	containsWords(w, "display_name", q.Search)
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
// that each of them is.
func principalFrom(q tenant.PrincipalQuery) (from string, w *sqldb.Where) {
	w = &sqldb.Where{}
	from = ` FROM assignments p LEFT JOIN users u ON u.id = p.principal_id
		LEFT JOIN user_groups g ON g.id = p.principal_id`
	if q.GroupID != "" {
		from = ` FROM members p LEFT JOIN users u ON u.id = p.member_id LEFT JOIN user_groups g ON g.id = p.member_id`
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
	return from, w
}

func (t tx) CountPrincipals(q tenant.PrincipalQuery) (int, error) {
	from, w := principalFrom(q)
	return t.Count(`SELECT COUNT(*)`+from+w.Text(), w.Args...)
}

func (t tx) Principals(q tenant.PrincipalQuery) (all []tenant.Principal, err error) {
	from, w := principalFrom(q)
	id, doc := "p.principal_id", "p.doc"
	if q.GroupID != "" {
		id, doc = "p.member_id", "''"
	}
	direction := ""
	if q.Descending {
		direction = " DESC"
	}
	query := `SELECT ` + id + `, ` + doc + `, COALESCE(u.doc, ''), COALESCE(g.doc, '')` + from + w.Text() +
		` ORDER BY COALESCE(u.search, g.display_name, '')` + direction + `, ` + id + w.Limit(q.Limit, q.Offset)
	err = t.Query(query, w.Args, func(rows sqldb.Row) error {
		var p tenant.Principal
		var assignment, user, group string
		if err := rows.Scan((*string)(&p.ID), &assignment, &user, &group); err != nil {
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
	return all, err
}

// decode reads a document, if there is one.
func decode[T any](doc string, into *T) (err error) {
	if doc != "" {
		*into, err = sqldb.Decode[T](doc)
	}
	return err
}
