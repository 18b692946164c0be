package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/center"
	"github.com/gatehouse-id/gatehouse/connect"
	"github.com/gatehouse-id/gatehouse/tenant"
)

// sealedFor binds the file of the keys to its purpose.
const sealedFor = "demo"

// Kept returns the keys that an earlier start sealed into a file, or seeds the pair and keeps its
// keys there. The file is written last, so that the next start begins again what was interrupted.
func Kept(
	ctx context.Context, file string, sealer *authn.Sealer, c *center.Center, t *tenant.Tenant, people, groups int,
) (k Keys, err error) {
	sealed, err := os.ReadFile(file) // #nosec G304 -- the demo's own folder
	if err == nil {
		plain, err := sealer.Open(sealedFor, string(sealed))
		if err != nil {
			return Keys{}, fmt.Errorf("the demo's keys in %s: %w", file, err)
		}
		return k, json.Unmarshal(plain, &k)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return Keys{}, err
	}
	if k, err = Seed(ctx, c, t, people, groups); err != nil {
		return Keys{}, err
	}
	return k, k.Keep(file, sealer)
}

// Keep seals the keys into a file.
func (k Keys) Keep(file string, sealer *authn.Sealer) error {
	plain, err := json.Marshal(k) // #nosec G117 -- sealed in the next line
	if err != nil {
		return err
	}
	return authn.WritePrivate(file, []byte(sealer.Seal(sealedFor, plain)))
}

// Watch is told how a walk goes on. Each may be nil.
type Watch struct {
	Planned  func(*connect.Plan) (step func(step int, done bool)) // step is told of each step of the plan
	NewToken func(Keys) error                                     // there is a new SCIM token, which is shown once
	Cycle    func(done, total int)                                // how far the first cycle has come
}

// Connected is what a walk ended with: what both ends say, and what was proved.
type Connected struct {
	State  connect.State
	Result connect.Result
}

// Connect federates a pair that serves, over the wire, with the code and the APIs of the connect
// command, and assigns the company's permission sets to the groups that came over. In a pair that
// is connected it changes nothing.
func (k *Keys) Connect(
	ctx context.Context, c *center.Center, t *tenant.Tenant, client *http.Client, watch Watch,
) (Connected, error) {
	cfg, err := k.Connection(ctx, c, t, client)
	if err != nil {
		return Connected{}, err
	}
	plan, err := connect.Observe(ctx, cfg)
	if err != nil {
		return Connected{}, err
	}
	step := func(int, bool) {}
	if watch.Planned != nil {
		step = watch.Planned(plan)
	}
	if err := plan.Apply(ctx, connect.Confirmation, step); err != nil {
		return Connected{}, err
	}
	if plan.State.SCIMToken != "" {
		k.SCIMToken = plan.State.SCIMToken
		if watch.NewToken != nil {
			err = watch.NewToken(*k)
		}
	}
	if err != nil {
		return Connected{}, err
	}
	cycle := watch.Cycle
	if cycle == nil {
		cycle = func(int, int) {}
	}
	result, err := plan.Verify(ctx, cycle)
	if err == nil {
		_, err = Assign(ctx, c, audit.SystemActor)
	}
	return Connected{plan.State, result}, err
}

// AssignWhenReady waits for the groups that somebody brings over by hand, and assigns the company's
// permission sets to them, so that the portal is not empty afterwards.
func AssignWhenReady(ctx context.Context, c *center.Center, log *slog.Logger) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		missing, err := Assign(ctx, c, audit.SystemActor)
		if err != nil && ctx.Err() == nil {
			log.ErrorContext(ctx, "assign permission sets", "error", err)
		}
		if err == nil && missing == 0 {
			return
		}
	}
}
