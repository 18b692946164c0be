package administer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// revocation is what `revoke --json` prints and --proof writes. Fields are added, never changed.
type revocation struct {
	UserID   string                 `json:"user_id"`
	UserName string                 `json:"user_name"`
	Center   string                 `json:"center"`
	Began    time.Time              `json:"began"`
	Ended    time.Time              `json:"ended"`
	Complete bool                   `json:"complete"` // nothing that was open opens anything any more
	Sessions []adminapi.UserSession `json:"sessions"` // that were open
	Left     []adminapi.UserSession `json:"sessions_left"`
	Before   adminapi.RoleAccess    `json:"roles_before"`
	After    adminapi.RoleAccess    `json:"roles_after"`
}

// revokePoll is how often the command looks whether IAM refuses everything.
const revokePoll = 500 * time.Millisecond //bound:none how often, not how much

// revoke is the command that ends all that a user has open.
func (w World) revoke() *cobra.Command {
	a := &administration{World: w}
	var proof string
	var wait time.Duration
	cmd := a.command("revoke USER", "End all that a user has open: sessions, programs, and credentials of roles",
		terminal.OneArg("a user name or a user's id"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			return a.runRevoke(cmd, c, args[0], wait, proof)
		})
	cmd.Long = `Ends the user's sessions in the portal, what programs were granted, and the credentials of roles,
at once. The user can sign in again: to keep somebody out, disable the user in the directory or by
"gatehouse users disable", which revokes as well.

Credentials of the sandbox are refused by the center's STS. Where the center keeps the roles in IAM,
each role that the user has opened gets a policy that denies everything to the credentials from
before, until the last of them have run out; the command waits until IAM has it. For other roles it
prints the policy. What a session does in a further role that it has gone on to, only that role can
deny.

Exit code 1 says that something is still open.`
	cmd.Example = `  gatehouse revoke ada@example.com
  gatehouse revoke ada@example.com --proof ada.json`
	a.address.Flags(cmd)
	cmd.Flags().BoolVar(&a.asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&proof, "proof", "", "write what was open, what ended and when to this file, as JSON")
	cmd.Flags().DurationVar(&wait, "wait", time.Minute, "how long to wait until IAM refuses everything")
	return cmd
}

func (a *administration) runRevoke(
	cmd *cobra.Command, c *adminapi.Client, name string, wait time.Duration, proof string,
) error {
	ctx := cmd.Context()
	u, err := findUser(cmd, c, name)
	if err != nil {
		return err
	}
	r := revocation{UserID: u.UserID, UserName: u.UserName, Center: c.URL, Began: time.Now().UTC()}
	if r.Sessions, err = c.Sessions(ctx, u.UserID); err != nil {
		return err
	}
	if r.Before, err = c.ListRoleAccess(ctx, u.UserID); err != nil {
		return err
	}
	if r.After, err = c.RevokeUser(ctx, u.UserID); err != nil {
		return err
	}
	waited := a.awaitRevocation(ctx, c, &r, wait)
	r.Left, err = c.Sessions(ctx, u.UserID)
	r.Ended = time.Now().UTC()
	r.Complete = err == nil && len(r.Left)+len(r.After.Open)+r.After.Pending() == 0
	if err := errors.Join(err, waited, writeProof(proof, r), a.printRevocation(r)); err != nil {
		return err
	}
	if !r.Complete {
		return errors.New("not everything has ended: see above. Run the command again")
	}
	return nil
}

// awaitRevocation looks until IAM refuses everything.
func (a *administration) awaitRevocation(
	ctx context.Context, c *adminapi.Client, r *revocation, wait time.Duration,
) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for r.After.Pending() > 0 {
		select {
		case <-ctx.Done():
			return nil // what is open is said
		case <-time.After(revokePoll):
		}
		now, err := c.ListRoleAccess(ctx, r.UserID)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		r.After = now
	}
	return nil
}

func writeProof(path string, r revocation) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o600)
}

func (a *administration) printRevocation(r revocation) error {
	err := a.print(r, "ACCOUNT\tROLE\tUNTIL\tSTATE", func(line func(...any)) {
		for _, open := range r.After.Open {
			line(open.AccountID, open.RoleName, Moment(&open.Until), "open")
		}
		for _, role := range r.After.Revoked {
			state := "refused by IAM"
			if !role.InForce {
				state = "not refused by IAM yet: " + role.Reason
			}
			line(role.AccountID, role.RoleName, Moment(&role.Until), state)
		}
		for _, role := range r.refusedHere() {
			line(role.AccountID, role.RoleName, Moment(&role.Until), "refused by the center")
		}
	})
	if err != nil || a.asJSON {
		return err
	}
	fmt.Fprintf(a.Err, "%d of %d sessions of %s have ended, and %d of %d roles.\n", len(r.Sessions)-len(r.Left),
		len(r.Sessions), terminal.Inline(r.UserName), len(r.Before.Open)-len(r.After.Open), len(r.Before.Open))
	if r.After.DenyPolicy != "" {
		fmt.Fprintf(a.Err, "This center does not keep these roles. Add this policy to each of them, and remove it "+
			"after the last time above:\n%s\n", r.After.DenyPolicy)
	}
	return nil
}

// refusedHere are the roles that were open and that nothing has to be told: the center's own STS
// refuses their credentials.
func (r revocation) refusedHere() (list []adminapi.OpenRole) {
	known := map[string]struct{}{}
	for _, open := range r.After.Open {
		known[open.RoleName] = struct{}{}
	}
	for _, role := range r.After.Revoked {
		known[role.RoleName] = struct{}{}
	}
	for _, open := range r.Before.Open {
		if _, told := known[open.RoleName]; !told {
			list = append(list, open)
		}
	}
	return list
}
