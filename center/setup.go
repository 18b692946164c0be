package center

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/refusal"
)

// Setup is what a node was told on its start that all nodes have to be told alike: where the
// credentials of roles come from, who keeps the roles, how long events are kept. It is kept beside
// the instance, so that one that was told something else says so.
type Setup struct {
	Settings   map[string]string // by the names of the flags
	Node       string            // that began last
	At         time.Time
	KeepsRoles bool // a node of this center has kept its roles in IAM, at any time
}

// setupReader reads what the node that began last was told.
type setupReader interface {
	Setup() (Setup, error)
}

// setupWriter writes what the node that began last was told.
type setupWriter interface {
	PutSetup(Setup) error
}

// Begin notes what this node was told, and says in the log where a node that began before was told
// something else. Whoever assembles a center calls it once, when everything is set, before Run.
// settings are those of whoever opens roles and keeps them, by the names of the flags.
func (c *Center) Begin(ctx context.Context, settings map[string]string) error {
	var before Setup
	node, _ := os.Hostname()
	c.setup = maps.Clone(settings)
	c.setup["url"] = c.URL
	c.setup["keep-events"] = c.Keep.Events.String()
	c.setup["keep-refusals"] = c.Keep.Refusals.String()
	c.setup["smtp-server"] = map[bool]string{true: "set"}[c.Mailer != nil] // it may hold a password
	err := c.Store.Update(ctx, func(tx Tx) (err error) {
		if before, err = setup(tx); err != nil {
			return err
		}
		now, err := c.clock(tx)
		if err != nil {
			return err
		}
		return tx.PutSetup(Setup{c.setup, node, now, before.KeepsRoles || c.Roles != nil})
	})
	if refusal.KindOf(err) == refusal.Unavailable { // reads go on without it, and the next start notes it
		c.Log.WarnContext(ctx, "What this node was told could not be noted for the others.", "error", err)
		return nil
	}
	c.warnOfOther(ctx, before)
	return err
}

func setup(r setupReader) (Setup, error) {
	s, err := r.Setup()
	if errors.Is(err, refusal.ErrNoRow) {
		return Setup{}, nil
	}
	return s, err
}

// lookAtSetup says in the log, again and again, that a node that began since was told something
// else.
func (c *Center) lookAtSetup(ctx context.Context) error {
	var now Setup
	err := c.Store.Get(ctx, func(r Reader) (err error) {
		now, err = setup(r)
		return err
	})
	c.warnOfOther(ctx, now)
	return err
}

func (c *Center) warnOfOther(ctx context.Context, other Setup) {
	differs := other.differs(c.setup)
	if len(differs) == 0 || !c.Store.Shared() {
		return
	}
	c.Log.WarnContext(
		ctx, "Nodes of this center were started with different settings. Start all with the same ones.",
		"differ", strings.Join(differs, ", "), "node", other.Node, "started", other.At.UTC().Format(time.RFC3339),
	)
}

// differs are the settings of another node that are not these, in words; none where one of the two
// is not known.
func (s Setup) differs(own map[string]string) (all []string) {
	if s.Settings == nil || own == nil {
		return nil
	}
	for _, flag := range slices.Sorted(maps.Keys(own)) {
		if theirs, known := s.Settings[flag]; known && theirs != own[flag] { // a release may know more of them
			all = append(all, "--"+flag+" ("+shown(own[flag])+" here, "+shown(theirs)+" there)")
		}
	}
	return all
}

func shown(setting string) string {
	if setting == "" {
		return "unset"
	}
	return setting
}
