package administer

import (
	"github.com/spf13/cobra"

	"github.com/gatehouse-id/gatehouse/adminapi"
	"github.com/gatehouse-id/gatehouse/terminal"
)

// sessions is the command for the sessions of users.
func (w World) sessions() *cobra.Command {
	a := &administration{World: w}
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "List and end the sessions of a user",
		Long: `A session is a browser in the access portal, or a program that the user allowed, such as the
aws CLI. A program's session ends with the session in which it was allowed. Role credentials
that were already issued are valid until they expire: AWS knows nothing of sessions.`,
		Example: `  gatehouse sessions list ada@example.com
  gatehouse sessions end ada@example.com SESSION_ID
  gatehouse sessions end ada@example.com --all`,
	}
	a.flags(cmd)
	cmd.AddCommand(
		a.command("list USER", "List the sessions of a user", terminal.OneArg("a user name or a user's id"), a.forUser(
			func(cmd *cobra.Command, c *adminapi.Client, u adminapi.User) error {
				sessions, err := c.Sessions(cmd.Context(), u.UserID)
				if err != nil {
					return err
				}
				return a.printSessions(sessions)
			})),
		a.endSessions(),
	)
	return cmd
}

func (a *administration) printSessions(sessions []adminapi.UserSession) error {
	return a.print(sessions, "SESSION ID\tOPENED\tUNTIL\tFROM\tBROWSER OR PROGRAM", func(line func(...any)) {
		for _, s := range sessions {
			line(s.SessionID, Moment(&s.CreatedAt), Moment(&s.ExpiresAt), s.Address, s.UserAgent)
		}
	})
}

func (a *administration) endSessions() *cobra.Command {
	var all bool
	cmd := a.command("end USER [SESSION_ID]", "End one session of a user, or all", cobra.ArbitraryArgs,
		func(cmd *cobra.Command, c *adminapi.Client, args []string) error {
			u, err := findUser(cmd, c, args[0])
			if err != nil {
				return err
			}
			in := adminapi.SessionInput{UserID: u.UserID, All: all}
			if all {
				return a.done(c.DeleteSessions(cmd.Context(), in), "All sessions of %s have ended.",
					terminal.Inline(u.UserName))
			}
			in.SessionID = args[1]
			return a.done(c.DeleteSessions(cmd.Context(), in), "The session has ended.")
		})
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if all {
			return terminal.Args("a user", 1)(cmd, args)
		}
		return terminal.Args("a user and a session id, or a user and --all", 2)(cmd, args)
	}
	cmd.Flags().BoolVar(&all, "all", false, "end all sessions of the user")
	return cmd
}
