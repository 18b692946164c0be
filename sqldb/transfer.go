package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// A backup of PostgreSQL is an SQLite database with the same tables, which the migrations make, and
// the same rows. So there is one format, one check and one restore, and what was backed up on one
// engine can be restored on the other.

// table is a table of both engines.
type table struct {
	name    string
	columns []string
}

// selection reads all rows.
func (t table) selection() string {
	return `SELECT ` + strings.Join(t.columns, ", ") + ` FROM ` + t.name
}

// tablesOf are the tables of a copy, apart from those that engine and migrations keep for
// themselves.
func tablesOf(c *sqlite.Conn) (tables []table, err error) {
	err = sqlitex.ExecuteTransient(
		c,
		`SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'
			AND m.name NOT LIKE 'sqlite_%' AND m.name NOT LIKE 'goose_%' ORDER BY m.name, c.cid`,
		&sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			name, column := s.ColumnText(0), s.ColumnText(1)
			if len(tables) == 0 || tables[len(tables)-1].name != name {
				tables = append(tables, table{name: name})
			}
			last := &tables[len(tables)-1]
			last.columns = append(last.columns, column)
			return nil
		}},
	)
	return tables, err
}

// common leaves out the tables that PostgreSQL has not, and fails when a table has other columns
// there: what is common must be the same.
func common(ctx context.Context, conn *pgx.Conn, tables []table) ([]table, error) {
	there := map[string][]string{}
	rows, err := conn.Query(
		ctx, `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()`,
	)
	if err != nil {
		return nil, err
	}
	var name, column string
	if _, err := pgx.ForEachRow(rows, []any{&name, &column}, func() error {
		there[name] = append(there[name], column)
		return nil
	}); err != nil {
		return nil, err
	}
	var both []table
	for _, t := range tables {
		if len(there[t.name]) == 0 {
			continue
		}
		here := slices.Sorted(slices.Values(t.columns))
		if !slices.Equal(here, slices.Sorted(slices.Values(there[t.name]))) {
			return nil, fmt.Errorf("the table %s has the columns %v in one engine and %v in the other", t.name, here,
				there[t.name])
		}
		both = append(both, t)
	}
	if len(both) == 0 {
		return nil, errors.New("there are no tables of ours")
	}
	return both, nil
}

// openCopy opens a copy to fill it. Nothing of it needs to survive a crash before it is whole.
func openCopy(ctx context.Context, path string) (*sqlite.Conn, error) {
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, err
	}
	for _, p := range []string{
		"journal_mode = off", "synchronous = off", "locking_mode = exclusive",
		fmt.Sprintf("cache_size = -%d", 4*writerCache),
	} {
		if err := sqlitex.ExecuteTransient(c, "PRAGMA "+p, nil); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	c.SetInterrupt(ctx.Done())
	return c, nil
}

// dedicated opens a connection that is not the pool's: without what the pool sets for short
// transactions.
func dedicated(ctx context.Context, config *pgx.ConnConfig, name string) (*pgx.Conn, error) {
	config = config.Copy()
	config.RuntimeParams["application_name"] = name
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("%w: connect: %w", ErrUnavailable, err)
	}
	return conn, nil
}

// copyTo copies the database as it is at one moment into an empty file, row by row, in one
// transaction that only reads: nobody waits for it.
func (p *postgres) copyTo(ctx context.Context, path string, o Copying) (err error) {
	conn, err := dedicated(ctx, p.pool.Config().ConnConfig, "gatehouse backup")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error { return copyAll(ctx, tx, path, o) })
}

// copyAll copies what a transaction sees into an empty file.
func copyAll(ctx context.Context, tx pgx.Tx, path string, o Copying) (err error) {
	schema, err := openSQLite(ctx, path, o.Migrations, options{})
	if err != nil {
		return err
	}
	if err := schema.close(); err != nil {
		return err
	}
	c, err := openCopy(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	tables, err := tablesOf(c)
	if err != nil {
		return err
	}
	if tables, err = common(ctx, tx.Conn(), tables); err != nil {
		return err
	}
	return copyTables(ctx, tx, c, tables, o)
}

// copyTables copies the rows of all tables.
func copyTables(ctx context.Context, tx pgx.Tx, c *sqlite.Conn, tables []table, o Copying) (err error) {
	done, total := 0, 0
	if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
		return err
	}
	for _, t := range tables {
		n := 0
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM `+t.name).Scan(&n); err != nil {
			return err
		}
		total += n
	}
	end, err := sqlitex.ImmediateTransaction(c)
	if err != nil {
		return err
	}
	defer end(&err)
	for _, t := range tables {
		if err := copyTable(ctx, tx, c, t, func() { tell(o.Progress, &done, total) }); err != nil {
			return fmt.Errorf("copy the table %s: %w", t.name, err)
		}
	}
	if done != total {
		return fmt.Errorf("of the rows, %d of %d were read", done, total)
	}
	o.Progress(done, total)
	return nil
}

// tell counts a row, and tells of many at once.
func tell(progress func(done, total int), done *int, total int) {
	if *done++; *done%1000 == 0 {
		progress(*done, total)
	}
}

func copyTable(ctx context.Context, tx pgx.Tx, c *sqlite.Conn, t table, copied func()) (err error) {
	if err := sqlitex.ExecuteTransient(c, `DELETE FROM `+t.name, nil); err != nil { // what migrations have put there
		return err
	}
	insert, _, err := c.PrepareTransient(
		`INSERT INTO ` + t.name + ` (` + strings.Join(t.columns, ", ") + `) VALUES (?` +
			strings.Repeat(", ?", len(t.columns)-1) + `)`,
	)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, insert.Finalize()) }()
	rows, err := tx.Query(ctx, t.selection())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return err
		}
		for i, v := range values {
			switch v := v.(type) {
			case nil:
				insert.BindNull(i + 1)
			case string:
				insert.BindText(i+1, v)
			case int64:
				insert.BindInt64(i+1, v)
			case int32:
				insert.BindInt64(i+1, int64(v))
			default:
				return fmt.Errorf("the column %s has values of type %T", t.columns[i], v)
			}
		}
		if _, err := insert.Step(); err != nil {
			return err
		}
		if err := insert.Reset(); err != nil {
			return err
		}
		copied()
	}
	return rows.Err()
}

// intoPostgres puts the rows of a backup in the place of those that are there, in one transaction:
// whenever it ends, all are there or those from before.
func (r *Restoration) intoPostgres(ctx context.Context) (kept string, err error) {
	config, err := (&postgres{}).config(r.Database)
	if err != nil {
		return "", fmt.Errorf("the PostgreSQL URL: %w", err)
	}
	if info, err := os.Stat(r.Backup); err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w: it is no file", errors.Join(errNoBackup, err))
	}
	conn, err := dedicated(ctx, config.ConnConfig, "gatehouse restore")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, conn.Close(context.WithoutCancel(ctx))) }()
	there, err := r.checkOccupied(ctx, conn)
	if err != nil {
		return "", err
	}
	place := filepath.Join(r.Folder, RestoreCopy)
	lock, err := lockBeside(place)
	if err != nil {
		return "", err
	}
	fresh := place + copySuffix
	defer func() { err = errors.Join(err, removeCopy(fresh), lock.Close(), os.Remove(place+lockSuffix)) }()
	if err := r.prepare(ctx, fresh); err != nil {
		return "", err
	}
	r.Step("migrate")
	schema, err := Open(ctx, r.Database, r.Migrations, Holding(r.Table))
	if err != nil {
		return "", elsewhere(err)
	}
	if err := schema.Close(); err != nil {
		return "", err
	}
	// Open takes a newer schema too, if this release can serve from it.
	if err := r.checkSchema(ctx); err != nil {
		return "", err
	}
	return r.load(ctx, conn, fresh, there)
}

// checkSchema refuses a database whose schema is not the copy's.
func (r *Restoration) checkSchema(ctx context.Context) error {
	want, err := newest(both{r.Migrations, "postgres"})
	if err != nil {
		return err
	}
	have, err := postgresVersion(ctx, r.Database, r.Table)
	if err == nil {
		err = compareVersions(have, want)
	}
	return elsewhere(err)
}

// elsewhere says where a backup can go when the database is a newer release's.
func elsewhere(err error) error {
	if errors.Is(err, ErrNewerSchema) {
		return fmt.Errorf("%w: restore into an empty database instead", err)
	}
	return err
}

// checkOccupied refuses a database that has data, unless it may be replaced. It says whether there
// are tables of ours at all.
func (r *Restoration) checkOccupied(ctx context.Context, conn *pgx.Conn) (there bool, err error) {
	err = conn.QueryRow(ctx, `SELECT to_regclass($1) IS NOT NULL`, r.Table).Scan(&there)
	if err != nil || !there || r.Replace {
		return there, err
	}
	err = conn.QueryRow(ctx, r.Occupied).Scan(new(any))
	if errors.Is(err, pgx.ErrNoRows) {
		return there, nil
	}
	if err == nil {
		err = ErrOccupied
	}
	return there, err
}

// load replaces the rows of all tables. With keep, it first writes down those that are there.
func (r *Restoration) load(ctx context.Context, conn *pgx.Conn, fresh string, keep bool) (kept string, err error) {
	c, err := sqlite.OpenConn(fresh, sqlite.OpenReadOnly)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	tables, err := tablesOf(c)
	if err != nil {
		return "", err
	}
	if tables, err = common(ctx, conn, tables); err != nil {
		return "", err
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.name
	}
	if err := awaitAlone(ctx, conn); err != nil {
		return "", err
	}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, query := range []string{
			`SET LOCAL statement_timeout = 0`, `SET LOCAL lock_timeout = '10s'`,
			`SET LOCAL idle_in_transaction_session_timeout = 0`, // what is there is sealed meanwhile
			`LOCK TABLE ` + strings.Join(names, ", "),
		} {
			if _, err := tx.Exec(ctx, query); err != nil {
				return inUse(err)
			}
		}
		if _, err := r.checkOccupied(ctx, conn); err != nil {
			return err
		}
		if keep && r.Replace {
			if kept, err = r.keep(ctx, tx); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, `TRUNCATE `+strings.Join(names, ", ")); err != nil {
			return err
		}
		if err := r.loadTables(ctx, tx, c, tables); err != nil {
			return err
		}
		r.Step("commit")
		return nil
	})
	if err != nil {
		return "", err
	}
	r.Step("analyze")
	// Without it the planner takes the tables for empty ones until the server looks by itself.
	_, err = conn.Exec(ctx, `ANALYZE `+strings.Join(names, ", "))
	return kept, err
}

func (r *Restoration) loadTables(ctx context.Context, tx pgx.Tx, c *sqlite.Conn, tables []table) error {
	done, total := 0, 0
	for _, t := range tables {
		n, err := sqlitex.ResultInt64(c.Prep(`SELECT COUNT(*) FROM ` + t.name))
		if err != nil {
			return err
		}
		total += int(n)
	}
	for _, t := range tables {
		r.Step("copy " + t.name)
		rows, _, err := c.PrepareTransient(t.selection())
		if err != nil {
			return err
		}
		source := &copySource{rows: rows, copied: func() { tell(r.Progress, &done, total) }}
		_, err = tx.CopyFrom(ctx, pgx.Identifier{t.name}, t.columns, source)
		if err := errors.Join(err, rows.Finalize()); err != nil {
			return fmt.Errorf("fill the table %s: %w", t.name, err)
		}
	}
	if done != total {
		return fmt.Errorf("of the rows, %d of %d were written", done, total)
	}
	r.Progress(done, total)
	return numberOn(ctx, tx, tables)
}

// copySource hands the rows of an SQLite table to PostgreSQL.
type copySource struct {
	rows   *sqlite.Stmt
	copied func()
	err    error
}

// Next implements pgx.CopyFromSource.
func (s *copySource) Next() bool {
	more, err := s.rows.Step()
	if s.err = err; more {
		s.copied()
	}
	return more && err == nil
}

// Values implements pgx.CopyFromSource.
func (s *copySource) Values() ([]any, error) {
	values := make([]any, s.rows.ColumnCount())
	for i := range values {
		switch s.rows.ColumnType(i) {
		case sqlite.TypeNull:
		case sqlite.TypeInteger:
			values[i] = s.rows.ColumnInt64(i)
		case sqlite.TypeText:
			values[i] = s.rows.ColumnText(i)
		default:
			return nil, fmt.Errorf("the column %s has a value that is neither text nor a number", s.rows.ColumnName(i))
		}
	}
	return storable(values), nil
}

// Err implements pgx.CopyFromSource.
func (s *copySource) Err() error { return s.err }

// numberOn has the numbers that PostgreSQL gives to new rows go on after those that are there.
func numberOn(ctx context.Context, tx pgx.Tx, tables []table) error {
	rows, err := tx.Query(ctx, `SELECT table_name, column_name FROM information_schema.columns
		WHERE table_schema = current_schema() AND is_identity = 'YES'`)
	if err != nil {
		return err
	}
	type numbered struct{ Table, Column string }
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[numbered])
	if err != nil {
		return err
	}
	for _, n := range all {
		if !slices.ContainsFunc(tables, func(t table) bool { return t.name == n.Table }) {
			continue
		}
		next := int64(0)
		query := fmt.Sprintf(`SELECT COALESCE(max(%s), 0) + 1 FROM %s`, n.Column, n.Table)
		if err := tx.QueryRow(ctx, query).Scan(&next); err != nil {
			return err
		}
		// With the transaction, unlike setval.
		restart := fmt.Sprintf(`ALTER TABLE %s ALTER COLUMN %s RESTART WITH %d`, n.Table, n.Column, next)
		if _, err := tx.Exec(ctx, restart); err != nil {
			return err
		}
	}
	return nil
}

// awaitAlone refuses a database that nodes serve from: they have read what would change under them.
// A connection that has just been closed is seen for a moment.
func awaitAlone(ctx context.Context, conn *pgx.Conn) error {
	for try := 1; ; try++ {
		others := 0
		err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND pid <> pg_backend_pid() AND application_name LIKE '`+applicationName+`%'`).Scan(&others)
		if err != nil || others == 0 {
			return err
		}
		if try == closingTries {
			return fmt.Errorf("%w: open connections: %d", errNodesServe, others)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// closingTries is how often it is looked whether a connection is still open.
const closingTries = 20 //bound:depth looks for nodes that still serve from a database that is to be replaced

var errNodesServe = fmt.Errorf("%w: nodes serve from the database: stop all of them", ErrInUse)

// inUse tells a lock that was not to be had from other failures.
func inUse(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == "55P03" { // lock_not_available
		return fmt.Errorf("%w: %w", ErrInUse, err)
	}
	return err
}
