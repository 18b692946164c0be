package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/names"
	"github.com/gatehouse-id/gatehouse/refusal"
	"github.com/gatehouse-id/gatehouse/sqldb"
)

// maxFindings bounds how many findings of one kind are told.
const maxFindings = 20 //bound:list findings of one kind that a check tells

// findings collects what Check found.
type findings struct {
	list  []string
	kinds map[string]int
}

func (f *findings) add(kind, format string, args ...any) {
	if f.kinds[kind]++; f.kinds[kind] <= maxFindings {
		f.list = append(f.list, kind+": "+fmt.Sprintf(format, args...))
	}
}

// Check verifies every invariant of the data, on one snapshot: the database file itself, that each
// object can be read and is stored under its own keys, that names and addresses are unique ignoring
// letter case, and that whatever refers to a user or a group refers to one that exists. It returns
// a line for each violation; progress is called from time to time with how many rows were checked.
func (s *Store) Check(ctx context.Context, progress func(rows int)) ([]string, error) {
	damage, err := s.db.Check(ctx)
	if err != nil {
		return nil, err
	}
	var f *findings
	err = s.db.View(ctx, func(t sqldb.Tx) error {
		f = &findings{kinds: map[string]int{}} // the view may begin again
		for _, line := range damage {
			f.add("database", "%s", line)
		}
		rows := 0
		looked := func() {
			if rows++; rows%1000 == 0 {
				progress(rows)
			}
		}
		for _, check := range []func(
			tx, *findings, func(),
		) error{checkUsers, checkGroups, checkMemberships, checkReferences, checkSettings} {
			if err := check(tx{t, &s.writes, s.db.Shared()}, f, looked); err != nil {
				return err
			}
		}
		progress(rows)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for kind, n := range f.kinds {
		if n > maxFindings {
			f.list = append(f.list, fmt.Sprintf("%s: %d more", kind, n-maxFindings))
		}
	}
	return f.list, nil
}

func checkUsers(t tx, f *findings, looked func()) error {
	emails := map[string]string{}
	return t.Query(
		`SELECT id, user_name, CASE WHEN name_is_email = 1 THEN user_name ELSE COALESCE(email, '') END,
			COALESCE(external_id, ''), doc FROM users ORDER BY seq`,
		nil,
		func(r sqldb.Row) error {
			var id, name, email, external, doc string
			if err := r.Scan(&id, &name, &email, &external, &doc); err != nil {
				return err
			}
			looked()
			u, err := sqldb.Decode[center.User](doc)
			if err != nil {
				f.add("user", "%s cannot be read: %v", id, err)
				return nil
			}
			if quick, err := readUser(doc); err != nil || quick.UserName != u.UserName || quick.Version != u.Version {
				f.add("user", "%s reads differently in two ways", id)
			}
			for _, c := range []struct{ what, column, object string }{
				{"id", id, string(u.ID)},
				{"user name", name, names.Fold(u.UserName)},
				{"e-mail address", email, names.Fold(u.PrimaryEmail())},
				{"external id", external, u.ExternalID},
			} {
				if c.column != c.object {
					f.add("user", "%s is found by the %s %q but has %q", id, c.what, c.column, c.object)
				}
			}
			if err := u.Check(); err != nil {
				f.add("user", "%s breaks a rule: %v", id, err)
			}
			if other := emails[email]; email != "" && other != "" {
				f.add("user", "%s has the email address of %s", id, other)
			}
			emails[email] = id
			return nil
		},
	)
}

func checkGroups(t tx, f *findings, looked func()) error {
	return t.Query(
		`SELECT id, display_name, COALESCE(external_id, ''), doc FROM user_groups ORDER BY seq`,
		nil,
		func(r sqldb.Row) error {
			var id, name, external, doc string
			if err := r.Scan(&id, &name, &external, &doc); err != nil {
				return err
			}
			looked()
			g, err := sqldb.Decode[center.Group](doc)
			if err != nil {
				f.add("group", "%s cannot be read: %v", id, err)
				return nil
			}
			if id != string(g.ID) || name != names.Fold(g.DisplayName) || external != g.ExternalID ||
				strings.TrimSpace(g.DisplayName) == "" {
				f.add("group", "%s is stored under the wrong keys", id)
			}
			return nil
		},
	)
}

func checkMemberships(t tx, f *findings, looked func()) error {
	return t.Query(`SELECT m.group_seq, m.user_seq, m.created, COALESCE(g.id, ''), COALESCE(u.id, '') FROM memberships m
		LEFT JOIN user_groups g ON g.seq = m.group_seq LEFT JOIN users u ON u.seq = m.user_seq
		ORDER BY m.group_seq, m.user_seq`, nil, func(r sqldb.Row) error {
		var group, user, created int64
		var g, u string
		if err := r.Scan(&group, &user, &created, &g, &u); err != nil {
			return err
		}
		looked()
		if g == "" || u == "" {
			f.add("membership", "group %d (%s), user %d (%s): one of them does not exist", group, g, user, u)
		}
		if group > maxSeq || user > maxSeq || created < 0 {
			f.add("membership", "group %d, user %d has numbers out of range", group, user)
		}
		return nil
	})
}

// checkReferences looks at what belongs to users and must go with them. Assignments of principals
// that are gone are meant to stay.
func checkReferences(t tx, f *findings, _ func()) error {
	for _, q := range []struct{ what, query string }{
		{
			"session",
			`SELECT s.user_id FROM sessions s WHERE s.user_id NOT LIKE 'administrator/%' AND NOT EXISTS (SELECT 1
				FROM users u WHERE u.id = s.user_id)`,
		},
		{
			"console session",
			`SELECT s.user_id FROM sessions s WHERE s.user_id LIKE 'administrator/%' AND NOT EXISTS (SELECT 1
				FROM documents a WHERE a.kind = 'administrator' AND 'administrator/' || a.id = s.user_id)`,
		},
		{
			"MFA device",
			`SELECT d.principal FROM mfa_devices d WHERE d.principal NOT LIKE 'administrator/%'
				AND NOT EXISTS (SELECT 1 FROM users u WHERE u.id = d.principal)`,
		},
		{"password",
			`SELECT d.id FROM documents d WHERE d.kind = 'password' AND d.id NOT LIKE 'administrator/%'
				AND d.id NOT LIKE 'nobody/%'
			AND NOT EXISTS (SELECT 1 FROM users u
			WHERE u.id = d.id)`}, // mistakes with names that do not exist are nobody's
		{
			"assignment",
			`SELECT a.permission_set FROM assignments a WHERE NOT EXISTS (SELECT 1 FROM permission_sets p
				WHERE p.arn = a.permission_set)`,
		},
		{
			"assignment",
			`SELECT a.account_id FROM assignments a WHERE NOT EXISTS (SELECT 1 FROM accounts d
				WHERE d.id = a.account_id)`,
		},
		{
			"assignment",
			`SELECT a.permission_set FROM assignments a WHERE NOT EXISTS (SELECT 1 FROM provisioned p
				WHERE p.account_id = a.account_id AND p.permission_set = a.permission_set)`,
		},
		{
			"role",
			`SELECT p.permission_set FROM provisioned p WHERE NOT EXISTS (SELECT 1 FROM assignments a
				WHERE p.account_id = a.account_id AND p.permission_set = a.permission_set)`,
		},
		{
			"work on a role",
			`SELECT j.account_id FROM role_jobs j WHERE NOT EXISTS (SELECT 1 FROM accounts a
				WHERE a.id = j.account_id)`,
		},
		{
			"work on a role",
			`SELECT w.request FROM role_waits w WHERE NOT EXISTS (SELECT 1 FROM role_jobs j
				WHERE j.role_name = w.role_name) OR NOT EXISTS (SELECT 1 FROM assignment_requests r
				WHERE r.id = w.request)`,
		},
		{
			"application assignment",
			`SELECT a.application FROM application_assignments a WHERE NOT EXISTS (SELECT 1 FROM documents d
				WHERE d.kind = 'application' AND d.id = a.application)`,
		},
	} {
		if err := t.Query(q.query, nil, func(r sqldb.Row) error {
			var id string
			err := r.Scan(&id)
			f.add(q.what, "it refers to %s, which does not exist", id)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// checkSettings reads every small noun once.
func checkSettings(t tx, f *findings, _ func()) error {
	if _, err := t.Instance(); err != nil {
		f.add("instance", "it cannot be read: %v", err)
	}
	for what, read := range map[string]func() error{
		"identity source":  func() error { _, err := t.IdentitySource(); return sqldb.NoRow(err, nil) },
		"sign-in settings": func() error { _, err := t.SignInSettings(); return sqldb.NoRow(err, nil) },
		"accounts":         func() error { _, err := t.Accounts(); return err },
		"permission sets":  func() error { _, err := t.PermissionSets(center.PermissionSetQuery{}); return err },
		"applications":     func() error { _, err := t.Applications("", 0); return err },
		"token issuers":    func() error { _, err := t.TokenIssuers(); return err },
		"access keys":      func() error { _, err := t.AccessKeys(); return err },
		"access tokens":    func() error { _, err := t.BearerTokens(); return err },
		"assignment requests": func() error {
			_, err := t.AssignmentRequests(center.AssignmentRequestQuery{Kind: center.Creation})
			return err
		},
		"audit log": func() error { _, err := t.Events(center.EventQuery{Limit: 1000}); return err },
	} {
		if err := read(); err != nil && err != refusal.ErrNoRow { //nolint:errorlint // the store's own value
			f.add(what, "they cannot be read: %v", err)
		}
	}
	return nil
}
