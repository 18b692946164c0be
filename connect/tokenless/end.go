package tokenless

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/sqldb"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// ended is the file that says of a state's folder that the connection was taken back. A line of
// cron's that is forgotten would otherwise write everybody again.
const ended = "ended"

func (w *Writer) mark() string { return filepath.Join(w.Folder, ended) }

// unit is the file for systemd.
func (w *Writer) unit() string { return w.Folder + ".service" }

// Ended says why gatehouse sync may not write with the state of a folder; nil: it may.
func Ended(folder string) error {
	at, err := os.ReadFile(filepath.Join(folder, ended)) // #nosec G304 -- of the person's own folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return fmt.Errorf(
		"gatehouse connect undo took this connection back on %s: take this command out of cron or systemd. To begin "+
			"again, run gatehouse connect --tokenless", strings.TrimSpace(string(at)),
	)
}

// Ending implements connect.Writer.
func (w *Writer) Ending() (needed bool, byHand string, err error) {
	if _, err := os.Stat(w.Folder); errors.Is(err, fs.ErrNotExist) {
		return false, "", nil // nothing was ever written
	}
	if Ended(w.Folder) != nil {
		return false, "", nil
	}
	return true, "what runs gatehouse sync on a schedule is yours to remove: systemctl disable --now gatehouse-sync, " +
		"or cron's line with --state " + w.Folder + ". What is forgotten is refused and writes nothing", nil
}

var _ connect.Maker = (*Writer)(nil)

// Made implements connect.Maker: whom the state has a link to.
func (w *Writer) Made(ctx context.Context) (ids map[string]bool, err error) {
	if _, err := os.Stat(w.Folder); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	state, err := w.OpenState(ctx, w.Folder)
	if errors.Is(err, sqldb.ErrInUse) {
		return nil, fmt.Errorf("%w: %s", connect.ErrWriterBusy, w.Folder)
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, state.Store.Close()) }()
	ids = map[string]bool{}
	return ids, state.Store.View(ctx, func(r tenant.Reader) error {
		jobs, err := r.Jobs("")
		for _, j := range jobs {
			links, failed := r.Links(j.ID)
			if failed != nil {
				return failed
			}
			for _, l := range links {
				if l.TargetID != "" {
					ids[l.TargetID] = true
				}
			}
		}
		return err
	})
}

// End implements connect.Writer.
func (w *Writer) End(ctx context.Context) error {
	state, err := w.OpenState(ctx, w.Folder) // nobody writes while it is open
	if errors.Is(err, sqldb.ErrInUse) {
		return fmt.Errorf(
			"%w (%s): end it first, with systemctl disable --now gatehouse-sync or where it was started, and run "+
				"this again", connect.ErrWriterBusy, w.Folder,
		)
	}
	if err != nil {
		return err
	}
	err = authn.WritePrivate(w.mark(), []byte(time.Now().UTC().Format("2006-01-02 15:04 UTC")+"\n"))
	if err == nil {
		err = removeIfThere(w.unit())
	}
	if err == nil {
		err = w.remember(false)
	}
	return errors.Join(err, state.Store.Close())
}

func removeIfThere(file string) error {
	if err := os.Remove(file); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
