package center

import (
	"context"
	"sync"
	"time"

	"github.com/gatehouse-id/gatehouse/audit"
)

// rulesEach is how often assignment rules are applied when nothing has changed here: another
// process may have changed something.
const rulesEach = 10 * time.Minute //bound:none how often, not how much

func (c *Center) wakeRules() { wake(c.ruleWork) }

func (c *Center) wakeOrganization() { wake(c.organizationWork) }

func wake(work chan struct{}) {
	select {
	case work <- struct{}{}:
	default: // somebody will look
	}
}

// Run does the center's own work until ctx ends: assignment rules, and where they are set the roles
// in IAM and the organization. Any number of processes may.
func (c *Center) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	all.Go(func() {
		c.repeat(ctx, "apply the assignment rules", c.ruleWork, rulesEach, func(ctx context.Context) (bool, error) {
			return false, c.ApplyAssignmentRules(ctx, audit.SystemActor)
		})
	})
	if c.Organization != nil {
		all.Go(func() { c.repeat(ctx, "import the organization", c.organizationWork, rolePoll, c.ImportOrganization) })
	}
	if c.Roles == nil {
		return
	}
	all.Go(func() { c.repeat(ctx, "compare a role with IAM", c.roleWork, rolePoll, c.CheckRole) })
	for range roleWorkers {
		all.Go(func() { c.repeat(ctx, "work on a role", c.roleWork, rolePoll, c.WorkOnRole) })
	}
}

// repeat calls once until ctx ends. When there was nothing to do it waits, for each at the longest.
func (c *Center) repeat(
	ctx context.Context, what string, work <-chan struct{}, each time.Duration,
	once func(context.Context) (bool, error),
) {
	tick := time.NewTicker(each)
	defer tick.Stop()
	for {
		worked, err := once(ctx)
		if err != nil && ctx.Err() == nil {
			c.Log.ErrorContext(ctx, what, "error", err)
		}
		if worked && err == nil {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-work:
		}
	}
}
