package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
)

// fate is what a failure of PostgreSQL means for the transaction that met it.
type fate uint8

const (
	// refused is everything else: a mistake of ours, which stays one.
	refused fate = iota
	// again: others changed the same at the same time, and the same transaction can succeed.
	again
	// lost: the connection is gone, or must not be used again; another one may do.
	lost
	// readOnly: this server takes no writes, and another may have taken its place.
	readOnly
	// full: the server has as many connections as it takes, and some will end.
	full
	// trouble: the server cannot now, or cannot be reached.
	trouble
	// unanswered: the server itself does not know whether it committed.
	unanswered
)

// fates are the failures by SQLSTATE, or by its first characters: the longest that fits decides.
// Source: PostgreSQL, appendix A. Databases of its kind use the same.
var fates = map[string]fate{
	"08":    lost,       // connection exception
	"0A000": refused,    // but for two cases, see fateOfCode
	"23505": again,      // unique violation: rules look first, and the second run sees what came between
	"25006": readOnly,   // read-only transaction: a standby, or a primary that was demoted
	"25P02": again,      // the transaction has failed before
	"25P03": lost,       // idle in a transaction for too long
	"25P04": lost,       // a transaction for too long
	"26000": lost,       // a prepared statement is gone: a pooler gave us another server connection
	"28":    trouble,    // authorization: a password is being changed
	"40001": again,      // serialization failure
	"40003": unanswered, // statement completion unknown
	"40P01": again,      // deadlock
	"42P05": lost,       // a prepared statement is there already: as 26000
	"53":    trouble,    // insufficient resources, such as a full disk (53100) or memory (53200)
	"53300": full,       // too many connections
	"55P03": again,      // a lock is not available
	"57014": trouble,    // canceled by an administrator, or by a timeout of the server's
	"57P":   trouble,    // operator intervention, such as a database that was dropped
	"57P01": lost,       // admin shutdown, and a backend that was terminated
	"57P02": lost,       // crash shutdown
	"57P03": lost,       // cannot connect now: the server starts, or recovers
	"57P05": lost,       // idle for too long
	"58":    trouble,    // system error: input and output
	"3D000": trouble,    // the database is not there: it is being restored
}

// outOfOrder are failures of a server that is not in order until somebody mends it. They refuse a
// transaction like a mistake of ours, since they may be of one statement alone; whoever asked is
// told to come back.
var outOfOrder = []string{
	"42501", // no rights to a table: they are being changed
	"42P01", // a table is not there: it is being restored
	"XX001", // damaged data
	"XX002", // a damaged index
}

// mended marks what passes once the server is in order again.
func mended(err error) error {
	if err == nil {
		return nil
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && slices.Contains(outOfOrder, pg.Code) && !errors.Is(err, ErrUnavailable) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

func fateOfCode(pg *pgconn.PgError) fate {
	if pg.Code == "0A000" { // feature not supported
		switch {
		case pg.Routine == "RevalidateCachedQuery" || strings.Contains(pg.Message, "cached plan"):
			return lost // the schema was migrated under a prepared statement
		case pg.Routine == "check_XactIsoLevel" || strings.Contains(pg.Message, "hot standby"):
			return readOnly // no serializable transaction on a standby
		}
	}
	for n := len(pg.Code); n > 1; n-- {
		if f, ok := fates[pg.Code[:n]]; ok {
			return f
		}
	}
	return refused
}

// goesOn says whether the connection goes on after a failure. Severity itself is in the language of
// the server's administrators; servers since PostgreSQL 9.6 say it in English too.
func goesOn(pg *pgconn.PgError) bool {
	return cmp.Or(pg.SeverityUnlocalized, pg.Severity) == "ERROR"
}

// isOfServer says whether a failure is the word of the server that has the data, and not of a
// pooler between us: that one says something of its own when it has lost the server, in place of
// the first answer that it has not passed on, whatever has become of the statements. PgBouncer's is
// a FATAL 08P01, of others an 08006 or 58000. One that ends a connection says so with a code of the
// server's, and PostgreSQL's own tell the routine that they come from.
func isOfServer(pg *pgconn.PgError) bool {
	switch {
	case strings.HasPrefix(pg.Code, "08"), pg.Code == "58000":
		return false
	case goesOn(pg):
		return true
	}
	f, known := fates[pg.Code]
	return known && f == lost && pg.Routine != ""
}

// fateOf classifies a failure. One to connect joins those of every host and every way to it: that
// of the host that will take us soonest decides.
func fateOf(err error) fate {
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		worst := trouble
		if errors.Is(err, pgconn.ErrReadOnlyConnection) {
			worst = lost // a standby that will be promoted, or connections that others give back
		}
		for _, pg := range pgErrors(connecting.Unwrap()) {
			if f := fateOfCode(pg); f == full || f == lost {
				worst = f
			}
		}
		return worst
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return fateOfCode(pg)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return trouble // the request's own end, as a rule while it waited for a connection
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) || isBroken(err) {
		return lost
	}
	return refused
}

// isBroken knows the ends of a connection.
func isBroken(err error) bool {
	return isEOF(err) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) ||
		strings.Contains(err.Error(), "conn closed")
}

// withRemedy says what to do where the server does not know a statement that we have prepared, or
// has it already: its connection is not ours alone. It is a setting that is missing, and no outage.
func withRemedy(err error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) && (said.Code == "26000" || said.Code == "42P05") {
		return fmt.Errorf("%w. If this does not pass, a pooler shares the server's connections, such as PgBouncer in "+
			"transaction mode: add default_query_exec_mode=exec to the URL of the database", err)
	}
	return err
}

// pgErrors are all of the server's errors in a tree of errors.
func pgErrors(err error) (all []*pgconn.PgError) {
	switch e := err.(type) { //nolint:errorlint // a walk
	case nil:
	case *pgconn.PgError:
		all = append(all, e)
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			all = append(all, pgErrors(one)...)
		}
	case interface{ Unwrap() error }:
		all = pgErrors(e.Unwrap())
	}
	return all
}

// The failures that pgTx.assume provokes.
const (
	divisionByZero = "22012" // no other statement of ours divides
	notUnique      = "23505"
)
