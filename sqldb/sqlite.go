package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite", which goose needs
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// sqliteDB is the embedded engine: one file, one writer, a few readers. The process that opens it
// is the only one that does.
type sqliteDB struct {
	path    string
	lock    *os.File
	writer  *sqliteConn // used by the writer's goroutine only
	readers *readers
	version atomic.Uint64 // counts commits

	queue chan *job
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once

	likely int                                    // how many are likely to share the next group; the writer's
	took   time.Duration                          // of the last group; the writer's
	gather func(took time.Duration) time.Duration // gatherFor; a test puts another in its place

	commits   int       // counted by the writer
	maxLog    int64     // bytes of the log at which it is folded while it is written to
	seen      int       // commits when the writer last looked whether it is quiet
	foldedAt  int       // commits when the log was last to be folded
	small     bool      // the disk has less room than a whole log
	long      bool      // the log was too long when it was last looked at
	relieved  time.Time // when the log was last folded because of that
	freeSpace func(folder string) (int64, error)
	committed chan batch                     // groups that wait for the log to be synced
	idle      chan struct{}                  // says that none is being synced
	syncLog   func() error                   // syncFileLog; tests put others in its place
	log       *os.File                       // the write-ahead log, to sync it
	stands    [2]atomic.Pointer[os.FileInfo] // the file and its log, as they were opened; nil: not yet
	unsynced  atomic.Bool                    // a sync failed
	full      atomic.Bool                    // the disk was full, and the log was not given back since
	short     atomic.Int64                   // bytes that there must be for what did not fit; 0: all fits

	folder sync.WaitGroup // the goroutine that folds
	fold   chan struct{}  // asks for the write-ahead log to be folded back into the file
	folded chan struct{}  // says that nearly all of it was
}

// Sizes of the page caches, in KiB, and of the write-ahead log at which it is folded back into the
// file, in bytes.
const (
	writerCache = 16 << 10 //bound:none of the page cache, in KiB
	readerCache = 4 << 10  //bound:none of the page cache, in KiB
	pageSize    = 4 << 10  //bound:none a format, not a bound
	//bound:rows the write-ahead log, in bytes
	maxLog = 512 << 20 // under load without a pause; folding it more often would write the same pages again and again
	//bound:rows what is kept of the write-ahead log, in bytes
	keptLog = 256 << 20 // what is kept of the file when it starts again
)

// maxQueued bounds the updates that wait for a commit; one more waits for a place.
const maxQueued = 256 //bound:queue updates that wait for a commit

func openSQLite(ctx context.Context, path string, migrations fs.FS, o options) (_ *sqliteDB, err error) {
	if path, err = resolve(path); err != nil {
		return nil, err
	}
	if err := checkRemains(path); err != nil {
		return nil, err
	}
	d := &sqliteDB{
		path:  path,
		queue: make(chan *job, maxQueued),
		stop:  make(chan struct{}),
		done:  make(chan struct{}),
		fold: make(
			chan struct{}, 1,
		),
		folded:    make(chan struct{}, 1),
		committed: make(chan batch, 1),
		idle:      make(chan struct{}, 1),
	}
	d.idle <- struct{}{}
	d.syncLog, d.maxLog = d.syncFileLog, maxLog
	d.freeSpace, d.gather = freeSpace, gatherFor
	if d.lock, err = lockFile(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(unopened(path, err), d.lock.Close())
		}
	}()
	if err := d.migrate(ctx, both{migrations, "sqlite"}, o); err != nil {
		return nil, err
	}
	if d.writer, err = d.open(writerCache); err != nil {
		return nil, err
	}
	d.stand(0)
	if err := errors.Join(
		d.writer.pragma("wal_autocheckpoint = 0"), d.writer.pragma(fmt.Sprintf("journal_size_limit = %d", keptLog)),
	); err != nil {
		return nil, errors.Join(err, d.writer.Close())
	}
	d.readers = newReaders()
	go d.write()
	go d.syncCommits()
	d.folder.Go(d.foldLog)
	return d, nil
}

// lockFile opens the file, says in plain words what SQLite would report as "unable to open database
// file", and keeps other processes away: what one remembers, another would change.
func lockFile(path string) (*os.File, error) {
	f, err := openOrMake(path)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be written: %w", filepath.Dir(path), err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	keepPrivate(path)
	return lockBeside(path)
}

// openOrMake opens a file, or makes one that belongs to whom the folder belongs to. It follows no
// link out of the folder: root would open, or make, what the folder's owner chose.
func openOrMake(path string) (f *os.File, err error) {
	folder, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	name := filepath.Base(path)
	f, err = folder.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return folder.OpenFile(name, os.O_RDWR|withoutWaiting, 0)
	}
	if err != nil {
		return nil, err
	}
	if err := belong(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// lockPatience is for a lock that is just going: its process ends, or had begun to start another
// one when it was closed, which has the file for a moment too.
const lockPatience = 500 * time.Millisecond //bound:wait the lock of a data folder that another process has

// lockBeside takes the lock of a database, whether its file is there or not.
func lockBeside(path string) (*os.File, error) {
	lock, err := openOrMake(path + lockSuffix)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be written: %w", filepath.Dir(path), err)
	}
	for began := time.Now(); ; time.Sleep(lockPatience / 20) {
		if err = flock(lock); err == nil || time.Since(began) > lockPatience {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %s", ErrInUse, filepath.Dir(path)), lock.Close())
	}
	_ = lock.Truncate(0) // what the last process had open
	return lock, nil
}

// keepPrivate takes the rights of others to a database away, before SQLite makes files beside it
// with the same rights. What is another one's file stays as it is.
func keepPrivate(path string) {
	for _, name := range []string{path, path + "-wal", path + "-shm", path + lockSuffix} {
		_ = KeepPrivate(name)
	}
}

// migrate runs the migrations unless the newest one is there, which is quick to see.
func (d *sqliteDB) migrate(ctx context.Context, migrations fs.FS, o options) (err error) {
	want, err := newest(migrations)
	if err != nil {
		return err
	}
	c, err := d.open(readerCache)
	if err != nil {
		return err
	}
	have, err := schemaVersion(ctx, c)
	if err == nil && have > 0 && o.holds != "" {
		if err := c.holds(ctx, o.holds); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	if err == nil && have > 0 && have < want && o.before != nil {
		if err := o.before(Tx{ctx: ctx, conn: c}); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	if closing := c.Close(); closing != nil {
		return closing
	}
	if err == nil && have == want {
		return nil
	}
	address := "file:" + (&url.URL{Path: d.path}).EscapedPath() + "?_pragma=busy_timeout(5000)&_txlock=immediate"
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return fmt.Errorf("open SQLite: %w", err)
	}
	db.SetMaxOpenConns(1)
	return errors.Join(migrate(ctx, db, goose.DialectSQLite3, migrations), db.Close())
}

// holds fails with ErrForeign where a table is not there.
func (c *sqliteConn) holds(ctx context.Context, table string) error {
	found := 0
	err := c.query(
		ctx, `SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1`, []any{table},
		func(r Row) error { return r.Scan(&found) },
	)
	if err == nil && found == 0 {
		err = foreign(table)
	}
	return err
}

// busyTimeout is how long a connection waits for another one's lock.
const busyTimeout = 5 * time.Second //bound:wait another connection's lock on the SQLite file

func (d *sqliteDB) open(cache int) (*sqliteConn, error) {
	c, err := sqlite.OpenConn(d.path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("open SQLite: %w", err)
	}
	c.SetBusyTimeout(busyTimeout)
	own := &sqliteConn{Conn: c, statements: map[string]*sqlite.Stmt{}}
	for _, p := range []string{
		fmt.Sprintf("page_size = %d", pageSize), "journal_mode = wal", "synchronous = NORMAL", "foreign_keys = ON",
		fmt.Sprintf("cache_size = -%d", cache),
	} {
		if err := own.pragma(p); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	return own, nil
}

// close may be called again, which does nothing.
func (d *sqliteDB) close() (err error) {
	d.once.Do(func() { err = d.shut() })
	return err
}

func (d *sqliteDB) shut() error {
	close(d.stop)
	<-d.done
	d.folder.Wait()
	err := d.readers.close()
	if d.writer == nil { // opened beside another process
		return err
	}
	if d.log != nil {
		err = errors.Join(err, d.log.Close())
	}
	return errors.Join(err, d.writer.Close(), d.lock.Close())
}

// view reads in the connection's snapshot, which is kept from one view to the next as long as
// nothing is committed: beginning one takes locks and looks at the file.
func (d *sqliteDB) view(ctx context.Context, fn func(Tx) error) error {
	c, err := d.readers.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { d.readers.putBack(c) }()
	if c == nil {
		if err = d.inPlace(); err != nil {
			return err
		}
		if c, err = d.open(readerCache); err != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
	if version := d.version.Load(); !c.reading || c.version != version {
		if err := c.endSnapshot(); err != nil {
			return err
		}
		if err := c.run("BEGIN"); err != nil {
			return err
		}
		// the first statement takes the snapshot, which is this version or a newer one
		c.reading, c.version = true, version
	}
	c.failed = nil
	return c.outcome(fn(Tx{ctx: ctx, conn: c}))
}

func (d *sqliteDB) get(ctx context.Context, fn func(Tx) error) error { return d.view(ctx, fn) }

// endSnapshot lets go of what the connection sees.
func (c *sqliteConn) endSnapshot() error {
	if !c.reading {
		return nil
	}
	c.reading = false
	if c.AutocommitEnabled() { // SQLite has ended it by itself, as it does on some failures of the disk
		return nil
	}
	return c.run("ROLLBACK")
}

func (d *sqliteDB) check(ctx context.Context) (problems []string, err error) {
	err = d.view(ctx, func(t Tx) error {
		for _, pragma := range []string{"PRAGMA integrity_check", "PRAGMA foreign_key_check"} {
			if err := t.Query(pragma, nil, func(r Row) error {
				var text string
				err := r.Scan(&text)
				if text != "ok" {
					problems = append(problems, text)
				}
				return err
			}); err != nil {
				return err
			}
		}
		return nil
	})
	return problems, err
}

// sqliteConn is one connection. It prepares each statement once.
type sqliteConn struct {
	*sqlite.Conn
	statements map[string]*sqlite.Stmt
	wrote      bool   // since it was last set to false
	failed     error  // the database's first failure since it was last set to nil
	reading    bool   // whether it keeps a snapshot
	version    uint64 // of what it keeps
}

// note keeps a failure of the database: whatever a function makes of it, its transaction has
// failed. A rule could take it for a row that is not there.
func (c *sqliteConn) note(err error) error {
	err = sqliteError(err)
	if c.failed == nil && errors.Is(err, ErrUnavailable) {
		c.failed = err
	}
	return err
}

// outcome is what a function's answer is after it has used the connection.
func (c *sqliteConn) outcome(answer error) error {
	if c.failed != nil {
		return c.failed
	}
	return answer
}

// Close ends the connection and its statements.
func (c *sqliteConn) Close() error {
	var err error
	for _, s := range c.statements {
		err = errors.Join(err, s.Finalize())
	}
	return errors.Join(err, c.Conn.Close())
}

func (c *sqliteConn) pragma(text string) error {
	return sqlitex.ExecuteTransient(c.Conn, "PRAGMA "+text, nil)
}

// run runs a statement of transaction control.
func (c *sqliteConn) run(query string) error {
	s, finish, err := c.statement(query)
	if err != nil {
		return err
	}
	_, err = s.Step()
	return c.note(errors.Join(err, finish()))
}

// maxPrepared bounds the statements that a connection keeps: lists of ids make new texts without
// end.
const maxPrepared = 200 //bound:memory statements that a connection keeps

// statement prepares a statement, or takes the one prepared earlier. finish must be called when it
// has been used.
func (c *sqliteConn) statement(query string) (s *sqlite.Stmt, finish func() error, err error) {
	if s = c.statements[query]; s != nil {
		return s, s.Reset, nil
	}
	// To SQLite $2 is a name, numbered by where it first stands; ?2 is the second argument.
	if s, _, err = c.PrepareTransient(strings.ReplaceAll(query, "$", "?")); err != nil {
		return nil, nil, c.note(err)
	}
	if len(c.statements) >= maxPrepared {
		return s, s.Finalize, nil
	}
	c.statements[query] = s
	return s, s.Reset, nil
}

// bind prepares a statement with its arguments.
func (c *sqliteConn) bind(query string, args []any) (s *sqlite.Stmt, finish func() error, err error) {
	if s, finish, err = c.statement(query); err != nil {
		return nil, nil, err
	}
	for i, a := range args {
		switch v := a.(type) {
		case string:
			s.BindText(i+1, v)
		case int:
			s.BindInt64(i+1, int64(v))
		case int64:
			s.BindInt64(i+1, v)
		case []byte:
			s.BindText(i+1, string(v))
		case nil:
			s.BindNull(i + 1)
		default:
			return nil, nil, errors.Join(fmt.Errorf("an argument of type %T", a), finish())
		}
	}
	return s, finish, nil
}

func (c *sqliteConn) exec(_ context.Context, query string, args []any) (int64, error) {
	c.wrote = true
	s, finish, err := c.bind(query, args)
	if err != nil {
		return 0, err
	}
	for more := true; more && err == nil; {
		more, err = s.Step()
	}
	n := int64(c.Changes())
	return n, c.note(errors.Join(err, finish()))
}

func (c *sqliteConn) do(ctx context.Context, query string, args []any) error {
	_, err := c.exec(ctx, query, args)
	return err
}

func (c *sqliteConn) query(ctx context.Context, query string, args []any, scan func(Row) error) error {
	c.wrote = c.wrote || !strings.HasPrefix(query, "SELECT") // INSERT … RETURNING
	s, finish, err := c.bind(query, args)
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		more, err := s.Step()
		if err != nil || !more {
			return c.note(errors.Join(err, finish()))
		}
		if n%256 == 255 && ctx.Err() != nil {
			return errors.Join(ctx.Err(), finish())
		}
		if err := scan(sqliteRow{s}); err != nil {
			return errors.Join(err, finish())
		}
	}
}

func (c *sqliteConn) ask(ctx context.Context, questions []Question) error {
	for _, q := range questions {
		if err := c.query(ctx, q.Query, q.Args, q.Scan); err != nil {
			return err
		}
	}
	return nil
}

func (c *sqliteConn) touch(string) error { return nil } // updates run one after the other

func (c *sqliteConn) assume(
	ctx context.Context, _ int, query string, args []any, columns []string, scan func(Row) error,
) (n int64, err error) {
	if columns == nil {
		return c.exec(ctx, query, args)
	}
	err = c.query(ctx, query+" RETURNING "+strings.Join(columns, ", "), args, func(r Row) error {
		n++
		return scan(r)
	})
	return n, err
}

type sqliteRow struct{ *sqlite.Stmt }

// Scan implements Row.
func (r sqliteRow) Scan(dest ...any) error {
	for i, d := range dest {
		switch p := d.(type) {
		case *string:
			*p = r.ColumnText(i)
		case *[]byte:
			*p = make([]byte, r.ColumnLen(i))
			r.ColumnBytes(i, *p)
		case *int64:
			*p = r.ColumnInt64(i)
		case *int:
			*p = r.ColumnInt(i)
		default:
			v := reflect.ValueOf(d)
			if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.String {
				return fmt.Errorf("a column cannot be read into %T", d)
			}
			v.Elem().SetString(r.ColumnText(i))
		}
	}
	return nil
}

// sqliteError marks the failures that are the disk's, not the request's. A damaged database is one
// until somebody restores it.
func sqliteError(err error) error {
	if err == nil {
		return nil
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt,
		sqlite.ResultNotADB,
		sqlite.ResultFull,
		sqlite.ResultIOErr,
		sqlite.ResultCantOpen,
		sqlite.ResultReadOnly,
		sqlite.ResultBusy,
		sqlite.ResultNoMem:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return err
}

// unopened says which file cannot be opened, and what to do, where SQLite names neither.
func unopened(path string, err error) error {
	switch code := sqlite.ErrCode(err).ToPrimary(); {
	case isDamaged(err):
		return fmt.Errorf("the database %s is damaged: %w. Nothing was started. Restore a backup of it", path, err)
	case code == sqlite.ResultFull, code == sqlite.ResultIOErr:
		return fmt.Errorf("the database %s cannot be opened: %w. Is its disk full, or broken?", path, err)
	}
	return err
}

// isDamaged says that what a file has is no database, or no whole one.
func isDamaged(err error) bool {
	code := sqlite.ErrCode(err).ToPrimary()
	return code == sqlite.ResultCorrupt || code == sqlite.ResultNotADB
}

func isEOF(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }
