package connect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/adminapi"
)

// ErrHeld says that another run is at the same connection.
var ErrHeld = errors.New("another run is at this connection")

// errBusy says that another process has a lock.
var errBusy = errors.New("the file is locked")

// holder is who is at a connection, as the lock's file says to others.
type holder struct {
	Host    string    `json:"host"`
	Process int       `json:"process"`
	Since   time.Time `json:"since"`
}

// String names it.
func (h holder) String() string {
	if h.Process == 0 {
		return "it does not say who it is"
	}
	host := ""
	if h.Host != "" {
		host = "on the host " + oneLine(h.Host) + ", "
	}
	return fmt.Sprintf("%sprocess %d, since %s", host, h.Process, clock(h.Since))
}

const (
	maxHolder    = 4 << 10                //bound:body what a lock's file says of who has it
	holdPatience = 500 * time.Millisecond //bound:wait the lock of a connection that is just let go
	holdLooks    = 20                     //bound:none how often, not how much
)

// Hold keeps others who share the folder from changing the same connection, until release is called
// or this process ends. It fails with ErrHeld.
//
// What the side remembers is read again: it may be of before another run.
func (c *Config) Hold(ctx context.Context) (release func(), err error) {
	if c.Folder == "" {
		return func() {}, nil
	}
	d, err := c.Center.DescribeDirectory(ctx)
	if err != nil {
		return func() {}, fmt.Errorf("read the center: %w", err)
	}
	free, err := HoldFiles(ctx, c.Folder, fileStart(c.Center, d))
	if err != nil || free == nil {
		return func() {}, err
	}
	c.held = true
	release = func() {
		c.held = false
		free()
	}
	if side, remembers := c.Center.(interface{ Reread() error }); remembers {
		if err := side.Reread(); err != nil {
			release()
			return func() {}, err
		}
	}
	return release, nil
}

// Unheld runs ask with nothing held, since whoever is asked may go to lunch, and holds the
// connection again with the answer. release is what Hold has returned, and another one afterwards.
func (c *Config) Unheld(ctx context.Context, release *func(), ask func() error) (err error) {
	(*release)()
	*release = func() {}
	if err := ask(); err != nil {
		return err
	}
	*release, err = c.Hold(ctx)
	return err
}

// HoldFiles holds the connection whose files in a folder begin so, as Hold does: the lock is the
// system's, so no kill leaves it behind. Where nothing can be written or locked, nothing is held,
// and release is nil.
func HoldFiles(ctx context.Context, folder, start string) (release func(), err error) {
	f, err := openLock(filepath.Join(folder, start+lockEnd))
	if err != nil {
		return nil, nil //nolint:nilerr // as with all that runs remember
	}
	err = waitLock(ctx, f)
	who := readHolder(f)
	switch {
	case errors.Is(err, errBusy):
		_ = f.Close()
		return nil, fmt.Errorf(
			"%w: %s. Both share %s. Wait for it, or end it, and run this again", ErrHeld, who, folder,
		)
	case err != nil: // a file system without locks, or Ctrl-C, which ends the run elsewhere
		_ = f.Close()
		return nil, ctx.Err()
	}
	writeHolder(f)
	return func() {
		_ = f.Truncate(0)
		_ = f.Close() // which lets go of the lock
	}, nil
}

const lockEnd = ".lock"

// Filed is a side that says how the files begin in which runs remember something of it.
type Filed interface{ FileStart() string }

// FileStart is how the files begin in which runs remember something of a store at an address; AWS
// itself has none. A copy has the ids of its original, such as that of a rehearsal, and notes and a
// lock of its own.
func FileStart(store, address string) string {
	store = inFile(store)
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return store
	}
	return store + "@" + inFile(strings.ToLower(u.Host))
}

// inFile is what another side has said, as a part of a file's name: it leads into no other folder.
func inFile(said string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '-'
	}, said)
}

func fileStart(side Center, d adminapi.Directory) string {
	if filed, ok := side.(Filed); ok {
		return filed.FileStart()
	}
	return FileStart(d.IdentityStoreID, d.ConsoleURL)
}

func openLock(file string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600) // #nosec G304 -- of the person's own folder
}

// waitLock takes a lock, which whoever looks has for a moment too.
func waitLock(ctx context.Context, f *os.File) (err error) {
	for range holdLooks {
		if err = lock(f); !errors.Is(err, errBusy) {
			return err
		}
		if err := waitFor(ctx, holdPatience/holdLooks); err != nil {
			return err
		}
	}
	return err
}

func readHolder(f *os.File) (h holder) {
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxHolder))
	if err != nil || json.Unmarshal(data, &h) != nil {
		return holder{}
	}
	return h
}

// writeHolder says who has the lock. It holds without that, too.
func writeHolder(f *os.File) {
	host, _ := os.Hostname()
	data, err := json.Marshal(holder{host, os.Getpid(), time.Now().UTC()})
	if err == nil && f.Truncate(0) == nil {
		_, _ = f.WriteAt(append(data, '\n'), 0)
	}
}

// heldElsewhere says whether another run has the lock now. It is not known where no run has ever
// taken it, or none can.
func (p *Plan) heldElsewhere() (is, known bool) {
	if p.cfg.Folder == "" {
		return false, false
	}
	file := filepath.Join(p.cfg.Folder, fileStart(p.cfg.Center, p.State.Directory)+lockEnd)
	f, err := os.OpenFile(file, os.O_RDWR, 0) // #nosec G304 -- of the person's own folder
	if err != nil {
		return false, false
	}
	defer f.Close() //nolint:errcheck // nothing was written
	err = lock(f)
	return err != nil, err == nil || errors.Is(err, errBusy)
}
