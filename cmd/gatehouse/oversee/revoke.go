package oversee

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/authn"
	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/administer"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// revokePoll is how often the command looks whether IAM refuses everything.
const revokePoll = 500 * time.Millisecond //bound:none how often, not how much

// errOpen is why a command fails that has ended not everything yet.
var errOpen = errors.New("not everything has ended: see above. IAM is asked again and again; run " +
	"\"gatehouse proof show\" to see how it stands")

// revocation is a command that shows a proof, and waits for it.
type revocation struct {
	*administer.Caller
	proof string        // a file to write
	wait  time.Duration // until everything has ended
	form  string        // print the policy for other roles in this format, instead of the table
}

func (r *revocation) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&r.proof, "proof", "", "write what was open, what ended and when to this `file`, signed by the center")
	f.StringVar(&r.form, "print", "", "print the policy for roles that the center does not keep, and nothing else: "+
		"json, cloudformation or terraform")
	f.DurationVar(&r.wait, "wait", time.Minute, "how long to wait until IAM refuses everything")
}

// revoke is the command that ends all that a user has open.
func (w World) revoke() *cobra.Command {
	r := &revocation{Caller: administer.NewCaller(w.World)}
	cmd := r.Command("revoke USER", "End all that a user has open: sessions, programs, and credentials of roles",
		terminal.OneArg("a user name or a user's id"),
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			u, err := administer.FindUser(cmd, c, args[0])
			if err != nil {
				return err
			}
			ended, err := c.RevokeUser(cmd.Context(), u.UserID)
			if err != nil {
				return err
			}
			return r.show(cmd.Context(), c, ended.RevocationID)
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
  gatehouse revoke ada@example.com --proof ada.json
  gatehouse revoke ada@example.com --print cloudformation > deny.json
  gatehouse proof verify ada.json`
	r.Single(cmd)
	r.flags(cmd)
	cmd.PreRunE = r.checkFormat
	return cmd
}

// show waits until everything has ended, writes the proof and prints it.
func (r *revocation) show(ctx context.Context, c *adminapi.Client, id string) error {
	p, err := r.await(ctx, c, id)
	if err != nil {
		return err
	}
	if err := writeProof(r.proof, p); err != nil {
		return err
	}
	if r.form != "" {
		return r.template(ctx, c, id)
	}
	if err := r.print(p.Proof, p); err != nil {
		return err
	}
	if !p.Complete {
		return errOpen
	}
	return nil
}

// formats are those of the policy that refuses what is open in roles that the center does not keep.
var formats = []string{"json", "cloudformation", "terraform"}

// checkFormat refuses another one, before anything is ended.
func (r *revocation) checkFormat(*cobra.Command, []string) error {
	if r.form != "" && !slices.Contains(formats, r.form) {
		return terminal.UsageError{Err: fmt.Errorf("--print %q: use one of %s", r.form, strings.Join(formats, ", "))}
	}
	return nil
}

// template prints the policy.
func (r *revocation) template(ctx context.Context, c *adminapi.Client, id string) error {
	text, err := c.DenyTemplate(ctx, adminapi.DenyTemplateInput{RevocationID: id, Format: r.form})
	switch {
	case err != nil:
		return err
	case text == "":
		fmt.Fprintln(r.Err, "No role is open that the center does not keep: there is nothing to deploy.")
		return nil
	}
	_, err = fmt.Fprint(r.Out, text)
	return err
}

// await looks until everything has ended, for so long.
func (r *revocation) await(ctx context.Context, c *adminapi.Client, id string) (p adminapi.SignedProof, err error) {
	limited, cancel := context.WithTimeout(ctx, r.wait)
	defer cancel()
	for {
		now, err := c.DescribeRevocation(ctx, id)
		if err != nil {
			return p, err
		}
		p = now
		if !hasState(p.Roles, adminapi.RoleNotYet) {
			return p, nil
		}
		select {
		case <-limited.Done():
			return p, ctx.Err() // what is open is said
		case <-time.After(revokePoll):
		}
	}
}

func hasState(roles []adminapi.ProvedRole, state string) bool {
	for _, r := range roles {
		if r.State == state {
			return true
		}
	}
	return false
}

func writeProof(path string, p adminapi.SignedProof) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return authn.WritePrivate(path, append(text, '\n'))
}

// print prints a proof as a table, or as whole says where JSON was asked for.
func (r *revocation) print(p adminapi.Proof, whole any) error {
	refused := 0
	err := r.Print(whole, "ACCOUNT\tROLE\tUNTIL\tSTATE", func(line func(...any)) {
		for _, role := range p.Roles {
			line(role.AccountID, role.RoleName, administer.Moment(&role.Until), stateOf(role))
		}
	})
	for _, role := range p.Roles {
		if role.State != adminapi.RoleOpen && role.State != adminapi.RoleNotYet {
			refused++
		}
	}
	if err != nil || r.JSON() {
		return err
	}
	fmt.Fprint(r.Err, terminal.Counted(
		"%d of %d {session|sessions} of %s {has|have} ended, and %d of %d {role|roles}. Sign-in is %s.\n",
		len(p.Sessions)-len(p.Left), len(p.Sessions), terminal.Inline(p.UserName), refused, len(p.Roles),
		terminal.Inline(p.SignIn),
	))
	if p.After.DenyPolicy != "" {
		fmt.Fprintf(r.Err, "This center does not keep these roles. Add this policy to each of them, and remove it "+
			"after the last time above:\n%s\n", terminal.Inline(p.After.DenyPolicy))
	}
	return nil
}

// stateOf says in words how a role answers.
func stateOf(r adminapi.ProvedRole) string {
	switch r.State {
	case adminapi.RoleRefused:
		return "refused by " + r.By
	case adminapi.RoleRunOut:
		return "run out"
	case adminapi.RoleRemoved:
		return "the role is gone"
	case adminapi.RoleNotYet:
		if r.Reason == "" {
			return "not refused by IAM yet"
		}
		return terminal.Counted("not refused by IAM yet, tried %d {time|times}: %s", r.Attempts, r.Reason)
	}
	return "open"
}
