package adminapi

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// ErrUnfinished says that work of the center went on for longer than ctx allows.
var ErrUnfinished = errors.New("the center did not finish in time, and continues")

// pollEach is the time between two looks at work of the center.
const pollEach = 200 * time.Millisecond //bound:none how often, not how much

func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ErrUnfinished
	case <-time.After(pollEach):
		return nil
	}
}

// ImportOrganization has the organization read now, and waits for it. progress is told how many
// accounts were read.
func (c *Client) ImportOrganization(
	ctx context.Context, dryRun, force bool, progress func(read int),
) (done Import, err error) {
	if err := c.StartImport(ctx, dryRun, force); err != nil {
		return Import{}, err
	}
	for done.Running = true; done.Running; {
		if err := pause(ctx); err != nil {
			return done, err
		}
		if done, err = c.LastImport(ctx); err != nil {
			return done, err
		}
		progress(done.Read)
	}
	return done, nil
}

// CheckRoles has the roles of an account or ("") of all compared with IAM now, waits for it, and
// returns those that differ or are being removed. progress is told how many were compared.
func (c *Client) CheckRoles(
	ctx context.Context, account string, progress func(checked int),
) (different []RoleState, err error) {
	if err := c.RecheckRoles(ctx, account); err != nil {
		return nil, err
	}
	var roles []RoleState
	for unchecked := 1; unchecked > 0; {
		if err := pause(ctx); err != nil {
			return nil, err
		}
		if roles, err = c.Roles(ctx, account, false); err != nil {
			return nil, err
		}
		unchecked = 0
		for _, r := range roles {
			if r.CheckedAt == nil && r.Status != RoleWorking && r.Status != RoleRetiring {
				unchecked++
			}
		}
		progress(len(roles) - unchecked)
	}
	for _, r := range roles {
		if len(r.Drift) > 0 || r.Status == RoleRetiring {
			different = append(different, r)
		}
	}
	return different, nil
}

// StaleRoles are the roles of an account or ("") of all that are known to differ from their
// permission set. With all it returns the others too, but for those that are being worked on.
func (c *Client) StaleRoles(ctx context.Context, account string, all bool) (stale []RoleState, err error) {
	roles, err := c.Roles(ctx, account, false)
	for _, r := range roles {
		if r.Status == RoleChanged || r.Status == RoleDrifted || (all && r.Status == RoleLatest) {
			stale = append(stale, r)
		}
	}
	return stale, err
}

// ProvisionAll brings roles to what their permission sets are, waits for all of them, and says
// which failed. progress is told how many are done.
func (c *Client) ProvisionAll(ctx context.Context, roles []RoleState, progress func(done int)) error {
	requests := make([]RoleRequest, len(roles))
	for i, r := range roles {
		var err error
		if requests[i], err = c.ProvisionRoles(ctx, r.PermissionSetARN, r.AccountID); err != nil {
			return err
		}
	}
	var failed []error
	for i, r := range requests {
		for r.Status == RequestInProgress {
			if err := pause(ctx); err != nil {
				return err
			}
			var err error
			if r, err = c.RoleRequest(ctx, r.RequestID); err != nil {
				return err
			}
		}
		if r.Status == RequestFailed {
			failed = append(
				failed, fmt.Errorf("%s in %s: %s", roles[i].PermissionSet, roles[i].AccountID, r.FailureReason),
			)
		}
		progress(i + 1)
	}
	return errors.Join(failed...)
}
